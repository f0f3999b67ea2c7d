// SPDX-License-Identifier: GPL-2.0-only
/* The ROM itself, and calls that look at or store a register. */
#include "guest64.h"

/* ---- the ROM ------------------------------------------------------------------- */

void test_rom(void)
{
	const struct vmi_rom_header *h = (const void *)rom;
	const uint64_t top = vmi64_virtual_top(h->virtual_top);
	bool above = true, reach = true, together = true;
	uint32_t cs, n = 0;

	__asm__("mov %%cs, %0" : "=r"(cs));
	same64(cs & 3, 1, "the kernel runs at ring 1");
	same64(top, 0xffffffffffe00000, "the last 2 MB are the hypervisor's");
	for (uint32_t i = 0; i < VMI64_CALL_COUNT; i++) {
		int64_t far = (int64_t)(vmi_entry[i] - (uint64_t)vmi_find);

		if (vmi_type[i] != VMI_RELOC_CALL && vmi_type[i] != VMI_RELOC_JUMP)
			continue;
		n++;
		above &= vmi_entry[i] >= top;
		reach &= far == (int32_t)far;
		together &= (vmi_type[i] == VMI_RELOC_JUMP) ==
			    (i == VMI64_CALL_IRET || i == VMI64_CALL_SwapGSIRET);
	}
	ok(n >= 50, "most calls have an entry");
	ok(above, "entries lie above virtual_top");
	ok(reach, "where a direct call reaches them");
	ok(together, "IRET and SwapGSIRET alone are jumps");
	same64(vmi_relocation(34).type, VMI_RELOC_NONE, "SYSEXIT has no entry");
	same64(vmi_relocation(1000).type, VMI_RELOC_NONE,
	       "nor has a number that does not exist");
}

/* ---- the interrupt flag, and what class B changes ----------------------------------- */

static struct all pattern(void)
{
	struct all a = { .flags = EFLAGS_FIXED | EFLAGS_IF };
	uint64_t *r = (uint64_t *)&a.r;

	for (uint32_t i = 0; i < sizeof(a.r) / 8; i++)
		r[i] = 0x1111111111111111u * (i + 1);
	return a;
}

/* Registers but for RAX are preserved; RAX too, or it is the result. */
static bool preserved(uint32_t call, struct all a, bool result)
{
	struct all b = a;
	const uint64_t *x = (const uint64_t *)&a.r, *y = (const uint64_t *)&b.r;
	bool good = true;

	call_all(vmi_entry[call], &b);
	if (result)
		b.r.rax = a.r.rax;
	for (uint32_t i = 0; i < sizeof(a.r) / 8; i++)
		good &= x[i] == y[i];
	return good;
}

void test_flags(void)
{
	struct all a = pattern();

	vmi0(EnableInterrupts);
	same64(vmi0(GetInterruptMask), EFLAGS_IF, "Enable sets the flag");
	vmi0(DisableInterrupts);
	same64(vmi0(GetInterruptMask), 0, "Disable clears it");
	vmi1(SetInterruptMask, 0xfffffffffffffeff);
	same64(vmi0(GetInterruptMask), EFLAGS_IF, "SetInterruptMask sets it");
	vmi1(SetInterruptMask, ~EFLAGS_IF);
	same64(vmi0(GetInterruptMask), 0, "and clears it");
	ok(preserved(VMI64_CALL_EnableInterrupts, a, false) &&
	   preserved(VMI64_CALL_DisableInterrupts, a, false) &&
	   preserved(VMI64_CALL_SetInterruptMask, a, false) &&
	   preserved(VMI64_CALL_SwapGS, a, false) &&
	   preserved(VMI64_CALL_SwapGS, a, false),
	   "class B1 changes no register");
	ok(preserved(VMI64_CALL_GetInterruptMask, a, true) &&
	   preserved(VMI64_CALL_GetCR2, a, true) &&
	   preserved(VMI64_CALL_PhysicalToMachine, a, true) &&
	   preserved(VMI64_CALL_MachineToPhysical, a, true),
	   "class B2 changes RAX alone");
	vmi0(DisableInterrupts);
}

/* ---- control registers, CPUID, MSRs -------------------------------------------------- */

static void cpuid_call(uint32_t leaf, uint32_t r[4])
{
	r[0] = leaf;
	r[2] = 0;
	vmi4(CPUID, &r[0], &r[1], &r[2], &r[3]);
}

void test_registers(void)
{
	uint64_t cr0, cr3, cr4, old;
	uint32_t r[4];

	__asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
	__asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	same64(vmi0(GetCR0), cr0, "GetCR0 agrees with the instruction");
	same64(cr0 & 0x80000001, 0x80000001, "with PE and PG");
	same64(vmi0(GetCR3), cr3, "GetCR3 agrees");
	same64(cr3, pa(boot_pml4), "it is the table that was loaded");
	same64(vmi0(GetCR4), cr4, "GetCR4 agrees");
	same64(cr4 & 0x20, 0x20, "with PAE");
	vmi1(SetCR0, cr0 | CR0_TS);
	same64(vmi0(GetCR0), cr0 | CR0_TS, "SetCR0 sets TS");
	vmi0(CLTS);
	same64(vmi0(GetCR0), cr0 & ~CR0_TS, "CLTS clears it");
	vmi1(SetCR4, cr4 | 8);
	same64(vmi0(GetCR4), cr4 | 8, "SetCR4 sets DE");
	vmi1(SetCR4, cr4);
	vmi1(SetCR2, 0xffff888012345678);
	same64(vmi0(GetCR2), 0xffff888012345678, "SetCR2 has 64 bits");
	same64(vmi1(MachineToPhysical, 0x1234567), 0x1234567,
	       "frames have the numbers that the guest knows");
	cpuid_call(0x40000000, r);
	ok(r[1] == 0x6e65704f && r[2] == 0x00494d56,
	   "CPUID names the hypervisor");
	cpuid_call(0x80000001, r);
	same64(r[3] & (1u << 29 | 1u << 20 | 1u << 11),
	       1u << 29 | 1u << 20 | 1u << 11,
	       "CPUID shows long mode, NX and SYSCALL");
	cpuid_call(7, r);
	same64(r[1] & 1, 1, "and FSGSBASE");
	old = vmi1(RDMSR, MSR_EFER);
	same64(old & 0x500, 0x500, "EFER has LME and LMA");
	same64(old, rdmsr64(MSR_EFER), "RDMSR agrees with the instruction");
	vmi3(WRMSR, MSR_STAR, 0x89abcdef, 0xfedcba98);
	same64(vmi1(RDMSR, MSR_STAR), 0xfedcba9889abcdef, "WRMSR stores STAR");
	vmi3(WRMSR, MSR_STAR, 0, 0);
	same64(vmi1(RDPMC, 0), 0, "RDPMC reads 0");
	old = vmi0(RDTSC);
	ok(vmi0(RDTSC) > old, "RDTSC goes on");
	vmi0(WBINVD);
	vmi0(IODelay);
	vmi1(SetIOPLMask, 0x3000);
	user_load("\xe4\x21\xcd\x80", 4);	/* in al, 21h */
	{
		struct user u = user_start;

		user_run(&u);
		same64(last.vector, VEC_SYSCALL, "SetIOPLMask lets user mode at ports");
		same64(last.rflags & 0x3000, 0x3000, "and is in its flags");
		vmi1(SetIOPLMask, 0);
		user_run(&u);
		same64(last.vector, VEC_GP, "or not");
	}
}

/* ---- FS, GS ---------------------------------------------------------------------------- */

void test_bases(void)
{
	static uint64_t x = 0x1122334455667788, y = 0x99aabbccddeeff00;
	uint64_t value;

	vmi1(SetFSBase, &x);
	vmi1(SetGSBase, &y);
	vmi1(SetKernelGSBase, 0xffff900000000000);
	same64(vmi0(GetFSBase), (uint64_t)&x, "Set and GetFSBase");
	same64(vmi0(GetGSBase), (uint64_t)&y, "Set and GetGSBase");
	same64(vmi0(GetKernelGSBase), 0xffff900000000000,
	       "Set and GetKernelGSBase");
	__asm__ volatile("mov %%fs:0, %0" : "=r"(value));
	same64(value, x, "FS leads there");
	__asm__ volatile("mov %%gs:0, %0" : "=r"(value));
	same64(value, y, "GS leads there");
	same64(rdmsr64(MSR_FS_BASE), (uint64_t)&x, "RDMSR knows FS_BASE");
	same64(vmi1(RDMSR, MSR_GS_BASE), (uint64_t)&y, "and GS_BASE");
	same64(vmi1(RDMSR, MSR_KERNEL_GS_BASE), 0xffff900000000000,
	       "and KERNEL_GS_BASE");
	vmi1(SetKernelGSBase, &x);
	vmi0(SwapGS);
	same64(vmi0(GetGSBase), (uint64_t)&x, "SwapGS loads KERNEL_GS_BASE");
	same64(vmi0(GetKernelGSBase), (uint64_t)&y, "and keeps GS_BASE");
	__asm__ volatile("mov %%gs:0, %0" : "=r"(value));
	same64(value, x, "GS leads there");
	__asm__ volatile("swapgs");
	same64(vmi0(GetGSBase), (uint64_t)&y, "SWAPGS does the same");
	same64(vmi0(GetKernelGSBase), (uint64_t)&x, "both ways");
	wrmsr64(MSR_GS_BASE, (uint64_t)&x);
	wrmsr64(MSR_FS_BASE, (uint64_t)&y);
	wrmsr64(MSR_KERNEL_GS_BASE, 0x7fff00000000);
	same64(vmi0(GetGSBase), (uint64_t)&x, "WRMSR loads GS_BASE");
	same64(vmi0(GetFSBase), (uint64_t)&y, "and FS_BASE");
	same64(vmi0(GetKernelGSBase), 0x7fff00000000, "and KERNEL_GS_BASE");
	vmi0(DisableInterrupts);
}

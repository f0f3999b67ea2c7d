// SPDX-License-Identifier: GPL-2.0-only
/* Control and debug registers, CPUID, MSRs, and the processor's own instructions,
 * which work as before: VMI64-1.3, 3.2, 3.10, VMI-1.4. */
#include "conf64.h"
#include "pc.h"

#define CR4_DE		0x8ull

void control(void)
{
	static const uint64_t high[4] = {
		0xffffffff80001000, 0x123456789000, 0xffff888000002000, 0x4000
	};
	const uint64_t cr0 = vmi0(GetCR0), cr4 = vmi0(GetCR4);
	struct user u = user_start;
	bool good = true;
	uint64_t value;

	__asm__ volatile("mov %%cr0, %0" : "=r"(value));
	is_of(GetCR0, "VMI-3.2.19", cr0, value, "GetCR0 agrees with the instruction");
	is("VMI-3.2.19", cr0 & 0x80000001, 0x80000001, "PE and PG are on");
	__asm__ volatile("mov %%cr3, %0" : "=r"(value));
	is_of(GetCR3, "VMI-3.2.19", vmi0(GetCR3), value, "GetCR3 agrees");
	__asm__ volatile("mov %%cr4, %0" : "=r"(value));
	is_of(GetCR4, "VMI-3.2.19", cr4, value, "GetCR4 agrees");
	vmi1(SetCR0, cr0 | CR0_TS);
	is_of(SetCR0, "VMI-3.2.15", vmi0(GetCR0), cr0 | CR0_TS, "SetCR0 sets TS");
	is_of(SetCR0, "VMI-3.2.15", raised("\xd9\xd0"), 7,
	      "and the FPU is #NM");			/* fnop */
	vmi0(CLTS);
	is_of(CLTS, "VMI-3.2.28", vmi0(GetCR0), cr0 & ~CR0_TS, "CLTS clears it");
	vmi0(CLTS);
	is_of(CLTS, "VMI-3.2.28", vmi0(GetCR0), cr0 & ~CR0_TS, "again");
	vmi1(SetCR0, cr0);
	is_of(SetCR0, "VMI-3.2.15", vmi0(GetCR0), cr0, "SetCR0 clears it, too");
	vmi1(SetCR4, cr4 | CR4_DE);
	is_of(SetCR4, "VMI-3.2.15", vmi0(GetCR4), cr4 | CR4_DE, "SetCR4 sets DE");
	vmi1(SetCR4, cr4);
	is_of(SetCR4, "VMI-3.2.15", vmi0(GetCR4), cr4, "and clears it");
	vmi1(SetCR2, 0xffff888012345678);
	is_of(SetCR2, "VMI-3.2.16", vmi0(GetCR2), 0xffff888012345678,
	      "SetCR2 stores 64 bits");
	probe_read(0xffffc00000000100);
	is_of(GetCR2, "VMI64-3.2.20", vmi0(GetCR2), 0xffffc00000000100,
	      "GetCR2 is as the last page fault left it");
	vmi1(SetCR3, vmi0(GetCR3));
	is_of(SetCR3, "VMI-3.2.17", vmi0(GetCR3), pa(boot_pml4),
	      "SetCR3 of what is loaded");
	for (uint32_t i = 0; i < 4; i++)
		vmi2(SetDR, i, high[i]);
	for (uint32_t i = 0; i < 4; i++)
		good &= vmi1(GetDR, i) == high[i];
	point_of(VMI64_CALL_SetDR, "VMI-3.2.24", good,
		 "DR0 to DR3 hold 64 bits each");
	vmi2(SetDR, 7, 0x400);
	is_of(GetDR, "VMI-3.2.24", vmi1(GetDR, 7), 0x400, "DR7");
	is_of(GetDR, "VMI-3.2.24", vmi1(GetDR, 5), 0x400, "which is DR5, too");
	vmi2(SetDR, 6, 0);
	is_of(GetDR, "VMI-3.2.24", vmi1(GetDR, 6) & 0xf, 0, "DR6");
	is_of(GetDR, "VMI-3.2.24", vmi1(GetDR, 4), vmi1(GetDR, 6),
	      "which is DR4, too");
	is_of(MachineToPhysical, "VMI64-3.2.42",
	      vmi1(PhysicalToMachine, vmi1(MachineToPhysical, 0x123)), 0x123,
	      "frames go there and back");
	is_of(MachineToPhysical, "VMI64-3.2.42",
	      vmi1(MachineToPhysical, vmi1(PhysicalToMachine, 0x345)), 0x345,
	      "the other way, too");

	value = vmi0(RDTSC);
	point_of(VMI64_CALL_RDTSC, "VMI-3.2.27", vmi0(RDTSC) > value,
		 "RDTSC goes on");
	vmi0(WBINVD);
	vmi0(IODelay);
	point_of(VMI64_CALL_IODelay, "VMI-3.2.65", true, "IODelay returns");
	point_of(VMI64_CALL_WBINVD, "VMI-3.2.23", true, "WBINVD returns");
	user_load("\xe4\x21" INT80, 4);			/* in al, 21h */
	vmi1(SetIOPLMask, 0x3000);
	if (!offered(VMI64_CALL_SetIOPLMask))
		u.rflags |= 0x3000;
	user_run(&u);
	is_of(SetIOPLMask, "VMI-3.2.61", last.vector, VEC_SYSCALL,
	      "SetIOPLMask lets user mode at ports");
	vmi1(SetIOPLMask, 0);
	user_run(&user_start);
	is_of(SetIOPLMask, "VMI-3.2.61", last.vector, VEC_GP, "or not");

	/* of arguments with 32 bits what is above is anything */
	vmi1(SetIOPLMask, 0);
	vmi2(SetDR, 0xabcd000000000002, 0x7654);
	is_of(SetDR, "VMI64-3.1.1", vmi1(GetDR, 0x5555555500000002), 0x7654,
	      "the number of a debug register has 32 bits");
	vmi3(WRMSR, 0x11111111c0000084, 0x2222222200000700, 0x3333333300000000);
	is_of(WRMSR, "VMI64-3.1.1", vmi1(RDMSR, 0x44444444c0000084), 0x700,
	      "so have an MSR and its halves");
	vmi3(WRMSR, MSR_FMASK, 0, 0);
	vmi1(SetLDT, 0xffffffff00000000);
	is_of(SetLDT, "VMI64-3.1.1", (uint32_t)vmi0(GetLDT), 0, "so has a selector");
	vmi1(SetTR, 0xffffffff00000000 | TSS_SELECTOR);
	is_of(SetTR, "VMI64-3.1.1", (uint32_t)vmi0(GetTR), TSS_SELECTOR,
	      "of TR, too");
}

/* ---- CPUID ----------------------------------------------------------------------- */

static uint32_t id[4];		/* eax to edx */

static void cpuid(uint32_t leaf, uint32_t subleaf)
{
	id[0] = leaf;
	id[2] = subleaf;
	vmi4(CPUID, &id[0], &id[1], &id[2], &id[3]);
}

static uint32_t highest(void)
{
	cpuid(0, 0);
	return id[0];
}

static void hidden(uint32_t leaf, uint32_t word, uint32_t bit,
		   const char *name)
{
	const bool there = (leaf & 0xffff) <= (leaf >> 31 ? 0x8u : highest());

	cpuid(leaf, 0);
	point_of(VMI64_CALL_CPUID, "VMI64-3.10.1",
		 !offered(VMI64_CALL_CPUID) || !there || !(id[word] >> bit & 1),
		 name);
}

void features(void)
{
	uint32_t eax = 1, ebx, ecx = 0, edx, before;

	__asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
	cpuid(1, 0);
	point_of(VMI64_CALL_CPUID, "VMI64-3.2.0", id[0] == eax,
		 "CPUID takes its leaf from the first word");
	is_of(CPUID, "VMI64-1.1", (id[3] ^ edx) & 0x0700a179, 0,
	      "it shows the features that a 64-bit kernel has used");
	before = highest();
	point_of(VMI64_CALL_CPUID, "VMI64-3.2.0", before >= 1,
		 "leaf 0 has the highest");
	cpuid(0x80000001, 0);
	is("VMI64-3.10.1", id[3] >> 29 & 1, 1, "CPUID shows long mode");
	is("VMI64-3.10.1", id[3] >> 20 & 1, 1, "and NX");
	is("VMI64-3.10.1", id[3] >> 11 & 1, 1, "and SYSCALL");
	/* version 0.1 of the stub, and so all that are offered here */
	hidden(0x80000001, 3, 26, "but no pages of 1 GB");
	hidden(0x80000001, 2, 2, "no SVM");
	hidden(1, 2, 5, "no VMX");
	hidden(1, 2, 3, "no MONITOR");
	hidden(1, 2, 17, "no PCID");
	hidden(7, 1, 10, "no INVPCID");
	hidden(7, 1, 20, "no SMAP");
	hidden(7, 2, 16, "no five levels");
	hidden(7, 2, 3, "no protection keys");
	hidden(7, 2, 7, "no CET");
	cpuid(1, 0);
	if (!offered(VMI64_CALL_CPUID) || !(id[2] >> 31)) {
		skip("VMI64-3.2.99", "the hypervisor's leaves", "none are shown");
	} else {
		cpuid(0x40000000, 0);
		point("VMI64-3.2.99", id[0] >= 0x40000000 && id[0] < 0x40010000,
		      "leaf 40000000h has the highest of the hypervisor's");
		point("VMI64-3.2.99", id[1] || id[2] || id[3], "and a name");
	}
	/* SMEP, if it is there at all */
	before = highest();
	cpuid(7, 0);
	if (before < 7 || !(id[1] >> 7 & 1)) {
		skip("VMI64-3.10.2", "SMEP", "not shown");
		return;
	}
	vmi1(SetCR4, vmi0(GetCR4) | 1ull << 20);
	user_load("\xc3", 1);
	is("VMI64-3.10.2", probe_exec(USER_CODE, 0, 0), VEC_PF,
	   "SMEP keeps the kernel from the user's code");
	vmi1(SetCR4, vmi0(GetCR4) & ~(1ull << 20));
	is("VMI64-3.10.2", probe_exec(USER_CODE, 0, 0), -1,
	   "without SMEP it runs there");
}

/* ---- instructions for which there are calls ---------------------------------------- */

#define STORED(instruction, text, expected, name) do {			\
	uint64_t value_;						\
									\
	__asm__ volatile(instruction : "=r"(value_));			\
	is("VMI64-1.1", value_ & (text), expected, name);		\
} while (0)

static void tables(void)
{
	struct vmi64_table_pointer g, i;
	uint16_t tr, ldtr;

	__asm__ volatile("sgdt %0" : "=m"(g));
	__asm__ volatile("sidt %0" : "=m"(i));
	point("VMI64-1.1", g.base == (uint64_t)gdt && g.limit == sizeof(gdt) - 1,
	      "SGDT, with UMIP or at ring 0");
	point("VMI64-1.1", i.base == (uint64_t)idt && i.limit == sizeof(idt) - 1,
	      "SIDT");
	__asm__ volatile("lgdt %0" : : "m"(g));
	__asm__ volatile("lidt %0" : : "m"(i));
	is("VMI64-1.1", raised("\x0f\x0b"), VEC_UD, "LGDT, LIDT of the same");
	__asm__ volatile("str %0" : "=r"(tr));
	is("VMI64-1.1", tr, TSS_SELECTOR, "STR");
	__asm__ volatile("lldt %w0" : : "r"(0));
	__asm__ volatile("sldt %0" : "=r"(ldtr));
	is("VMI64-1.1", ldtr, 0, "LLDT and SLDT");
}

static void flag_by_instructions(void)
{
	const uint32_t before = irq0_count;

	__asm__ volatile("cli");
	is("VMI64-1.1", vmi0(GetInterruptMask), 0, "CLI turns the flag off");
	pit_wait();
	is("VMI64-1.1", irq0_count - before, 0, "which keeps interrupts out");
	__asm__ volatile("sti\n\tnop" : : : "memory");
	is("VMI64-1.1", vmi0(GetInterruptMask), EFLAGS_IF, "STI turns it on");
	__asm__ volatile("cli");
	is("VMI64-1.1", irq0_count - before, 1, "and lets one in");
	pit_one_shot();
	__asm__ volatile("sti\n\thlt\n\tcli" : : : "memory");
	is("VMI64-1.1", irq0_count - before, 2, "HLT waits for one");
}

void instructions(void)
{
	void *const by_rom[2] = { do_iret, user_return };
	const uint64_t cr0 = vmi0(GetCR0), cr3 = vmi0(GetCR3),
		       cr4 = vmi0(GetCR4);
	struct user u = user_start;
	uint64_t value;

	__asm__ volatile("mov %0, %%cr0" : : "r"(cr0 | CR0_TS));
	STORED("mov %%cr0, %0", ~0ull, cr0 | CR0_TS, "MOV to and from CR0");
	__asm__ volatile("clts");
	is("VMI64-1.1", vmi0(GetCR0), cr0 & ~CR0_TS, "CLTS");
	STORED("smsw %0", 0xffff, cr0 & 0xffff & ~CR0_TS, "SMSW");
	__asm__ volatile("mov %0, %%cr0" : : "r"(cr0));
	__asm__ volatile("mov %0, %%cr2" : : "r"(0xffff812345678000));
	STORED("mov %%cr2, %0", ~0ull, 0xffff812345678000, "MOV to and from CR2");
	is("VMI64-1.1", vmi0(GetCR2), 0xffff812345678000, "which GetCR2 knows");
	__asm__ volatile("mov %0, %%cr3" : : "r"(cr3) : "memory");
	STORED("mov %%cr3, %0", ~0ull, cr3, "MOV to and from CR3");
	__asm__ volatile("mov %0, %%cr4" : : "r"(cr4 | CR4_DE));
	STORED("mov %%cr4, %0", ~0ull, cr4 | CR4_DE, "MOV to and from CR4");
	__asm__ volatile("mov %0, %%cr4" : : "r"(cr4));
	__asm__ volatile("mov %0, %%db1" : : "r"(0xffff888000001000));
	STORED("mov %%db1, %0", ~0ull, 0xffff888000001000,
	       "MOV to and from DR1");
	wrmsr64(MSR_STAR, 0x123456789abcdef0);
	is("VMI64-1.1", rdmsr64(MSR_STAR), 0x123456789abcdef0,
	   "WRMSR and RDMSR of 64 bits");
	wrmsr64(MSR_STAR, 0);
	outb(0x21, 0xfa);
	is("VMI64-1.1", inb(0x21), 0xfa, "OUT and IN");
	outb(0x21, 0xfe);
	play_set(FIRST, 0);
	show(FIRST, 7, PTE_P);
	__asm__ volatile("invlpg (%0)" : : "r"(play_va(FIRST)) : "memory");
	is("VMI64-1.1", word_at(play_va(FIRST)), FRAME_MARK + 7, "INVLPG");
	__asm__ volatile("wbinvd");
	point("VMI64-1.1", true, "WBINVD");
	tables();
	flag_by_instructions();

	do_iret = user_return = (void *)native_iret;
	user_load(INT80, 2);
	u.r.rdi = 0xabcdef;
	user_run(&u);
	point("VMI64-1.1", last.vector == VEC_SYSCALL && last.cs == USER_CS &&
	      last.r.rdi == 0xabcdef, "IRETQ to user mode");
	u = user_start32;
	user_run(&u);
	point("VMI64-1.1", last.vector == VEC_SYSCALL && last.cs == USER32_CS,
	      "IRETQ to compatibility mode");
	is("VMI64-1.1", raised("\x0f\x0b"), VEC_UD, "IRETQ in the kernel");
	do_iret = by_rom[0];
	user_return = by_rom[1];
	vmi0(DisableInterrupts);

	/* what a kernel is told not to believe, and one thing that it may */
	__asm__ volatile("pushfq\n\torq %1, (%%rsp)\n\tpopfq\n\tpushfq\n\tpopq %0"
			 : "=r"(value) : "i"(0x40000) : "memory", "cc");
	is("VMI64-1.3", value & EFLAGS_AC, EFLAGS_AC, "POPF changes AC");
	__asm__ volatile("pushfq\n\tandq %0, (%%rsp)\n\tpopfq"
			 : : "i"(~0x40000) : "memory", "cc");
	is("VMI64-1.3", vmi0(GetInterruptMask), 0,
	   "and leaves the virtual flag alone");
}

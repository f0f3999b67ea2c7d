// SPDX-License-Identifier: GPL-2.0-only
/* FS and GS bases, SYSCALL: VMI64-3.9. */
#include "conf64.h"

#define HIGH_BASE	0xffff900000000000ull

static uint64_t x = 0x1122334455667788, y = 0x99aabbccddeeff00;

static uint64_t at_fs(void)
{
	uint64_t value;

	__asm__ volatile("mov %%fs:0, %0" : "=r"(value));
	return value;
}

static uint64_t at_gs(void)
{
	uint64_t value;

	__asm__ volatile("mov %%gs:0, %0" : "=r"(value));
	return value;
}

static uint64_t rdfsbase(void)
{
	uint64_t base;

	__asm__ volatile("rdfsbase %0" : "=r"(base));
	return base;
}

static uint64_t rdgsbase(void)
{
	uint64_t base;

	__asm__ volatile("rdgsbase %0" : "=r"(base));
	return base;
}

static void user_base(const char *code, uint32_t bytes, uint64_t expected,
		      const char *name)
{
	struct user u = user_start;

	u.r.rbx = 0x456000;
	user_load(code, bytes);
	user_run(&u);
	point("VMI64-3.9.4", last.vector == VEC_SYSCALL &&
	      last.r.rax == expected, name);
}

void bases(void)
{
	vmi1(SetFSBase, &x);
	vmi1(SetGSBase, &y);
	vmi1(SetKernelGSBase, HIGH_BASE);
	is_of(GetFSBase, "VMI64-3.2.80", vmi0(GetFSBase), &x,
	      "GetFSBase is what SetFSBase set");
	is_of(GetGSBase, "VMI64-3.2.80", vmi0(GetGSBase), &y,
	      "GetGSBase what SetGSBase did");
	is_of(GetKernelGSBase, "VMI64-3.2.80", vmi0(GetKernelGSBase), HIGH_BASE,
	      "GetKernelGSBase what SetKernelGSBase did");
	is_of(SetFSBase, "VMI64-3.2.81", at_fs(), x, "FS leads there");
	is_of(SetGSBase, "VMI64-3.2.81", at_gs(), y, "GS leads there");
	is_of(SetFSBase, "VMI64-3.9.3", rdmsr64(MSR_FS_BASE), &x,
	      "RDMSR of FS_BASE agrees");
	is_of(SetGSBase, "VMI64-3.9.3", rdmsr64(MSR_GS_BASE), &y,
	      "and of GS_BASE");
	is_of(SetKernelGSBase, "VMI64-3.9.3", rdmsr64(MSR_KERNEL_GS_BASE),
	      HIGH_BASE, "and of KERNEL_GS_BASE");
	vmi1(SetKernelGSBase, &x);
	vmi0(SwapGS);
	is_of(SwapGS, "VMI64-3.2.86", vmi0(GetGSBase), &x,
	      "SwapGS loads KERNEL_GS_BASE");
	is_of(SwapGS, "VMI64-3.2.86", vmi0(GetKernelGSBase), &y,
	      "and keeps the GS base there");
	is_of(SwapGS, "VMI64-3.9.1", at_gs(), x, "GS leads there");
	is_of(SwapGS, "VMI64-3.9.1", rdgsbase(), &x, "RDGSBASE agrees");
	is_of(SwapGS, "VMI64-3.9.1", vmi0(GetFSBase), &x, "FS is as it was");
	vmi0(SwapGS);
	is_of(SwapGS, "VMI64-3.9.1", vmi0(GetGSBase), &y, "a second one undoes it");
	__asm__ volatile("swapgs");
	is("VMI64-3.9.1", vmi0(GetGSBase), &x, "SWAPGS does the same");
	is("VMI64-3.9.1", vmi0(GetKernelGSBase), &y, "both ways");
	vmi0(SwapGS);
	is("VMI64-3.9.1", vmi0(GetGSBase), &y, "and one undoes the other");
	wrmsr64(MSR_FS_BASE, (uint64_t)&y);
	wrmsr64(MSR_GS_BASE, (uint64_t)&x);
	wrmsr64(MSR_KERNEL_GS_BASE, 0x7fff00000000);
	is("VMI64-3.9.3", vmi0(GetFSBase), &y, "WRMSR of FS_BASE is read back");
	is("VMI64-3.9.3", vmi0(GetGSBase), &x, "and of GS_BASE");
	is("VMI64-3.9.3", vmi0(GetKernelGSBase), 0x7fff00000000,
	   "and of KERNEL_GS_BASE");
	is("VMI64-3.9.3", at_fs() == y && at_gs() == x, 1, "and is in use");
	is("VMI64-3.9.4", rdfsbase(), &y, "RDFSBASE in the kernel");
	is("VMI64-3.9.4", rdgsbase(), &x, "RDGSBASE");
	__asm__ volatile("wrfsbase %0" : : "r"(&x));
	__asm__ volatile("wrgsbase %0" : : "r"(&y));
	is("VMI64-3.9.4", vmi0(GetFSBase), &x, "WRFSBASE");
	is("VMI64-3.9.4", vmi0(GetGSBase), &y, "WRGSBASE");
	vmi1(SetFSBase, 0x12345678000);
	vmi1(SetGSBase, HIGH_BASE);
#define USER_BASE(code, expected, name) \
	user_base(code, sizeof(code) - 1, expected, name)
	USER_BASE("\xf3\x48\x0f\xae\xc0" INT80, 0x12345678000,
		  "RDFSBASE of user mode");
	USER_BASE("\xf3\x48\x0f\xae\xc8" INT80, HIGH_BASE, "RDGSBASE");
	USER_BASE("\xf3\x48\x0f\xae\xd3\xf3\x48\x0f\xae\xc0" INT80, 0x456000,
		  "WRFSBASE");
	USER_BASE("\xf3\x48\x0f\xae\xdb\xf3\x48\x0f\xae\xc8" INT80, 0x456000,
		  "WRGSBASE");
	is("VMI64-3.9.4", vmi0(GetGSBase), 0x456000, "which the kernel finds");
	vmi1(SetFSBase, 0);
	vmi1(SetGSBase, 0);
	vmi1(SetKernelGSBase, 0);
}

/* ---- SYSCALL ------------------------------------------------------------------------ */

/* Intel's processors have it in 64-bit code alone. */
static bool compatible(void)
{
	uint32_t eax = 0, ebx, ecx, edx;

	__asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx));
	return ebx != 0x756e6547;
}

static void flag_of_mask(uint64_t flag, const char *name)
{
	struct user u = user_start;

	wrmsr64(MSR_FMASK, EFLAGS_IF | flag);
	u.rflags |= flag;
	user_run(&u);
	point("VMI64-3.9.5", seen.which == 1 && !(seen.flags & flag) &&
	      (seen.r11 & flag), name);
}

static void plain(void)
{
	struct user u = user_start;

	user_load("\x0f\x05", 2);
	user_run(&u);
	is("VMI64-3.9.5", last.vector, VEC_UD,
	   "SYSCALL without EFER.SCE is a #UD");
	wrmsr64(MSR_EFER, rdmsr64(MSR_EFER) | EFER_SCE);
	wrmsr64(MSR_STAR, (uint64_t)USER32_CS << 48 | (uint64_t)KERNEL_CS << 32);
	wrmsr64(MSR_LSTAR, (uint64_t)syscall_target);
	wrmsr64(MSR_CSTAR, (uint64_t)syscall32_target);
	wrmsr64(MSR_FMASK, EFLAGS_IF);
	vmi1(SetGSBase, 0x654000);
	for (uint32_t i = 0; i < sizeof(u.r) / 8; i++)
		((uint64_t *)&u.r)[i] = 0xfedcba9876543210 * (i + 1);
	user_run(&u);
	is("VMI64-3.9.5", seen.which, 1, "SYSCALL enters at LSTAR");
	is("VMI64-3.9.5", seen.rcx, USER_CODE + 2, "RCX is where to return to");
	is("VMI64-3.9.5", seen.r11 & 0x3fcfff, u.rflags, "R11 has the flags");
	is("VMI64-3.9.5", seen.rsp, USER_STACK, "RSP is the user's");
	is("VMI64-3.9.5", seen.rax, u.r.rax, "so is RAX");
	is("VMI64-3.9.5", seen.rbx, u.r.rbx, "so is RBX");
	is("VMI64-3.9.5", seen.gs_base, 0x654000, "so is the GS base");
	is("VMI64-3.9.5", seen.cs & 3, kernel_ring(), "at the kernel's ring");
	point("VMI64-3.9.5", (seen.ss & 3) == kernel_ring(), "SS too");
	is("VMI64-3.9.5", seen_mask, 0, "the flag is off");
	flag_of_mask(EFLAGS_CF, "CF of FMASK is 0");
	flag_of_mask(EFLAGS_DF, "DF");
	flag_of_mask(EFLAGS_OF, "OF");
	flag_of_mask(EFLAGS_ID, "ID");
	flag_of_mask(EFLAGS_AC, "AC");
	if (kernel_ring())
		flag_of_mask(EFLAGS_TF, "TF, which does not trap in the kernel");
	else
		skip("VMI64-3.9.5", "TF, which does not trap in the kernel",
		     "at ring 0 it is the processor's");
	wrmsr64(MSR_FMASK, EFLAGS_IF);
	vmi2(SetDR, 6, 0);

	u = user_start32;
	user_load("\x0f\x05", 2);
	user_run(&u);
	if (compatible())
		point("VMI64-3.9.5", seen.which == 2 &&
		      seen.rcx == USER_CODE + 2, "of 32-bit code at CSTAR");
	else
		is("VMI64-3.9.5", last.vector, VEC_UD,
		   "of 32-bit code it is a #UD on this processor");
	wrmsr64(MSR_FMASK, 0);
	u = user_start;
	user_run(&u);
	if (kernel_ring())
		is("VMI64-3.9.5", seen_mask, 0, "off without FMASK, too");
	vmi0(DisableInterrupts);
	wrmsr64(MSR_FMASK, EFLAGS_IF);
}

static void swapped(void)
{
	struct user u = user_start;

	if (!offered(VMI64_CALL_SetSyscallEntry)) {
		skip("VMI64-3.9.6", "SetSyscallEntry", "not offered");
		return;
	}
	vmi1(SetGSBase, 0x7000000);
	vmi1(SetKernelGSBase, HIGH_BASE);
	vmi2(SetSyscallEntry, syscall_target, syscall32_target);
	is("VMI64-3.2.88", vmi1(RDMSR, MSR_LSTAR), (uint64_t)syscall_target,
	   "SetSyscallEntry sets LSTAR");
	is("VMI64-3.2.88", vmi1(RDMSR, MSR_CSTAR), (uint64_t)syscall32_target,
	   "and CSTAR");
	u.r.rax = 0x5678;
	user_load("\x0f\x05", 2);
	user_run(&u);
	is("VMI64-3.9.6", seen.which, 1, "SYSCALL comes there");
	is("VMI64-3.9.6", seen.gs_base, HIGH_BASE, "with the GS bases swapped");
	is("VMI64-3.9.6", vmi0(GetKernelGSBase), 0x7000000,
	   "the user's is the other one");
	point("VMI64-3.9.6", seen.rax == 0x5678 && seen.rcx == USER_CODE + 2 &&
	      seen.rsp == USER_STACK && (seen.r11 & EFLAGS_IF) && !seen_mask,
	      "and all as SYSCALL leaves it");
	u.rflags &= ~EFLAGS_IF;
	vmi0(SwapGS);
	user_run(&u);
	is("VMI64-3.9.5", seen.r11 & EFLAGS_IF, EFLAGS_IF,
	   "R11 has bit 9 set in any case");
	vmi0(SwapGS);
	u = user_start32;
	user_run(&u);
	if (compatible()) {
		point("VMI64-3.9.6", seen.which == 2 &&
		      seen.gs_base == HIGH_BASE, "of 32-bit code, too");
		vmi0(SwapGS);
	}
	wrmsr64(MSR_LSTAR, (uint64_t)syscall_target);
	u = user_start;
	user_run(&u);
	is("VMI64-3.9.6", seen.gs_base, 0x7000000,
	   "WRMSR of LSTAR makes it a plain one");
	vmi2(SetSyscallEntry, syscall_target, syscall32_target);
	user_run(&u);
	is("VMI64-3.9.6", seen.gs_base, HIGH_BASE, "and the call undoes that");
	vmi0(SwapGS);
	is("VMI64-3.9.6", raised("\x90"), -1, "the kernel goes on");
	is("VMI64-3.2.88", probe_exec(vmi_entry[VMI64_CALL_SetSyscallEntry],
				      1ull << 47, 0), VEC_GP,
	   "an LSTAR that is not canonical is a #GP");
	is("VMI64-3.2.88", vmi1(RDMSR, MSR_LSTAR), (uint64_t)syscall_target,
	   "and changes nothing");
}

void syscalls(void)
{
	plain();
	swapped();
	wrmsr64(MSR_LSTAR, (uint64_t)kernel_syscall_target);
	seen.which = 0;
	kernel_syscall();
	is("VMI64-3.9.7", seen.which, 1,
	   "SYSCALL in the kernel does what it does in user mode");
	vmi0(DisableInterrupts);
	wrmsr64(MSR_EFER, rdmsr64(MSR_EFER) & ~EFER_SCE);
	USER("\x0f\x05");
	is("VMI64-3.9.5", last.vector, VEC_UD, "a #UD again without SCE");
	wrmsr64(MSR_LSTAR, 0);
	wrmsr64(MSR_CSTAR, 0);
	wrmsr64(MSR_STAR, 0);
	wrmsr64(MSR_FMASK, 0);
	vmi1(SetGSBase, 0);
	vmi1(SetKernelGSBase, 0);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * SYSENTER from user mode: to where the guest's MSRs say, in the state that
 * the SDM says (Vol. 2), whatever kind of CPU is underneath. The MSRs have no
 * call that the stub answers: plain WRMSR.
 */
#include "suite.h"

#define MSR_SYSENTER_CS		0x174u
#define MSR_SYSENTER_ESP	0x175u
#define MSR_SYSENTER_EIP	0x176u

static uint32_t kernel_stack[64];

struct seen {
	uint32_t esp, eax, ebp, cs, ss, count;
};
extern struct seen seen;
struct seen seen;
extern const uint8_t sysenter_target[], native_sysexit[];

__asm__(".text\n"
	"sysenter_target:\n"
	"	mov %esp, seen\n"
	"	mov %eax, seen + 4\n"
	"	mov %ebp, seen + 8\n"
	"	mov %cs, seen + 12\n"
	"	mov %ss, seen + 16\n"
	"	incl seen + 20\n"
	"	jmp resume_kernel\n"
	"native_sysexit:\n"
	"	sti\n"
	"	sysexit\n");

void test_sysenter(void)
{
	const uint32_t top = (uintptr_t)(kernel_stack + 64);
	uint32_t r[4];

	vmi_cpuid(1, r);
	if (!(r[3] & 1u << 11))
		return;
	user_load("\x0f\x34", 2);
	same(rdmsr(MSR_SYSENTER_CS), 0, "SYSENTER goes nowhere at first");
	user_run(1, false);
	ok(last_trap.vector == VEC_GP && last_trap.error == 0 &&
	   last_trap.eip == USER_CODE && !seen.count,
	   "and is a #GP there");

	wrmsr(MSR_SYSENTER_CS, KERNEL_CS);
	wrmsr(MSR_SYSENTER_ESP, top);
	wrmsr(MSR_SYSENTER_EIP, (uintptr_t)sysenter_target);
	ok(rdmsr(MSR_SYSENTER_CS) == KERNEL_CS &&
	   rdmsr(MSR_SYSENTER_ESP) == top &&
	   rdmsr(MSR_SYSENTER_EIP) == (uintptr_t)sysenter_target,
	   "its MSRs read back");
	user_run(0x1234, false);
	same(seen.count, 1, "SYSENTER enters the kernel");
	same(seen.esp, top, "with the stack of the MSR");
	ok((seen.cs & 0xfffc) == KERNEL_CS && (seen.cs & 3) == 1 &&
	   (seen.ss & 0xfffc) == KERNEL_DS && (seen.ss & 3) == 1,
	   "with the selectors of the MSR, in the kernel's ring");
	same(seen.eax, 0x1234, "with the registers of the user");
	same(vmi0(GetInterruptMask) & EFLAGS_IF, 0, "and interrupts off");

	/* there and back, with SYSEXIT, as a system call does */
	for (int i = 0; i < 100; i++)
		user_run(7, true);
	same(seen.count, 101, "SYSEXIT and SYSENTER, a hundred times");
	/* and with the instruction, as a kernel without a ROM does */
	sysexit_entry = (uintptr_t)native_sysexit;
	user_run(8, true);
	sysexit_entry = vmi_entry[VMI_CALL_SYSEXIT];
	ok(seen.count == 102 && seen.eax == 8, "SYSEXIT by the instruction");
	wrmsr(MSR_SYSENTER_CS, 0);
	user_run(2, false);
	same(last_trap.vector, VEC_GP, "and nowhere once more");
}

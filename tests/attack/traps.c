// SPDX-License-Identifier: GPL-2.0-only
/* Gates and stacks that no CPU could use, and instructions of user mode. */
#include "attack.h"

#define GATE_HIGH_80	0xef00u		/* trap gate, DPL 3 */
#define EMPTY		0x50u		/* a selector of no descriptor */

static void leave_to_user(const char *code, uint32_t length)
{
	for (uint32_t i = 0; i < length; i++)
		pages[U_CODE][i] = (uint8_t)code[i];
	enter_user(play(U_CODE), play(U_STACK) + PAGE,
		   (const void *)vmi_entry[VMI_CALL_IRET]);
}
#define LEAVE(code)	leave_to_user(code, sizeof(code) - 1)

static uint32_t a_stack(void)
{
	return (uintptr_t)(spare_table + 1024);
}

/* The fast way for system calls loads an SS that the guest invented.
 * STUB-2: the guest's death alone. */
static void ss0_syscall(uint32_t ss)
{
	vmi2(UpdateKernelStack, ss, a_stack());
	SHARED->ss0 = ss;
	LEAVE("\xcd\x80");
}

/* The same by way of a page fault, whose frame C code builds.
 * STUB-2. */
static void ss0_fault(uint32_t ss)
{
	SHARED->ss0 = ss;
	SHARED->esp0 = a_stack();
	LEAVE("\xa1\x00\x00\x00\x80");		/* mov eax, [80000000h] */
}

/* Stacks for system calls where there is none, in the hole, at its edges.
 * STUB-2, VMI-1.10: the guest may end, and nothing is written elsewhere. */
static void esp0(uint32_t esp)
{
	SHARED->ss0 = KERNEL_DS | 1;
	SHARED->esp0 = esp;
	LEAVE("\xcd\x80");
}

/* A gate for system calls whose CS is none, the user's, or data.
 * VMI-3.3.5: the hypervisor adds the ring, and no more. */
static void badgate(uint32_t cs)
{
	uint32_t handler = trap_stub[VEC_SYSCALL];

	set_idt(VEC_SYSCALL, cs << 16 | (handler & 0xffff),
		(handler & 0xffff0000) | GATE_HIGH_80);
	USER("\xcd\x80", 0);
}

/* One without a CS is none. */
static void badgate_null(uint32_t cs)
{
	badgate(cs);
	same(last_trap.vector, VEC_GP, "INT 80h is #GP");
	same(last_trap.error, VEC_SYSCALL * 8 + 2, "of its gate");
}

/* A gate for #PF of another kind: 16 bits, task, call, absent.
 * VMI-1.8 knows 32-bit gates alone; SDM Vol. 3, Table 6-5. */
static void badgate_kind(uint32_t high)
{
	set_idt(VEC_PF, gate_of(VEC_PF)[0], high);
	same(probe_read(0x80000000), VEC_DF, "a double fault");
	same(last_trap.error, 0, "whose error code is 0");
}

/* An IDT that is not there, and one that lies in the hole: no gate at all.
 * STUB-2: descriptors are read as the guest could. */
static void badidt(uint32_t base)
{
	hypercall(STUB_HC_SET_IDT, base, 0x7ff);
	probe_read(0x80000000);
}

/* INT3 in user mode, both forms, and INTO, to gates of the kernel alone.
 * VMI-1.9. */
static void int3(uint32_t arg)
{
	(void)arg;
	set_idt(3, gate_of(3)[0], gate_of(3)[1] & ~0x6000u);
	set_idt(4, gate_of(4)[0], gate_of(4)[1] & ~0x6000u);
	USER("\xcc", 0);
	same(last_trap.vector, VEC_GP, "INT3 is #GP");
	same(last_trap.error, 3 * 8 + 2, "of its gate");
	same(last_trap.eip, play(U_CODE), "at the instruction");
	USER("\xcd\x03", 0);
	same(last_trap.vector, VEC_GP, "INT 3 is #GP");
	same(last_trap.eip, play(U_CODE), "at the instruction");
	USER("\xb0\x7f\x04\x01\xce", 0);	/* mov al, 7f; add al, 1; into */
	same(last_trap.vector, VEC_GP, "INTO is #GP");
	same(last_trap.error, 4 * 8 + 2, "of its gate");
	same(last_trap.eip, play(U_CODE) + 4, "at the instruction");
}

/* Every INT n from user mode, the hypercall's and those of IRQs among them.
 * VMI-1.9, STUB-9: from ring 1 alone. */
static void user_int(uint32_t arg)
{
	uint32_t wrong = 0;
	char code[] = "\xcd\x00";

	(void)arg;
	for (uint32_t n = 0; n < 256; n++) {
		if (n == 3 || n == VEC_SYSCALL)
			continue;
		code[1] = (char)n;
		user_bytes(code, 2, 0);
		wrong += last_trap.vector != VEC_GP ||
			 last_trap.error != n * 8 + 2;
	}
	same(wrong, 0, "every INT n to a gate of the kernel is #GP(n * 8 + 2)");
	USER("\x66\xcd\x21", 0);
	same(last_trap.eip, play(U_CODE), "a prefix does not move the fault");
}

/* INS by a user with IOPL 3 into the kernel's page, to an absent one, above
 * virtual_top. VMI-2.3.3, VMI-3.4.11: a user's access. */
static void insb(uint32_t arg)
{
	static const uint32_t at[] = { 2 * PAGE, 5 * PAGE, TOP - PLAY,
				       TOP + STUB_SHARED_OFFSET - PLAY };

	(void)arg;
	vmi1(SetIOPLMask, 0x3000);
	pages[U_KERNEL][0] = 0x11;
	for (uint32_t i = 0; i < sizeof(at) / sizeof(*at); i++) {
		/* mov edi, ebx; mov dx, 80h; insb */
		USER("\x89\xdf\x66\xba\x80\x00\x6c", PLAY + at[i]);
		same(last_trap.vector, VEC_PF, "INS of the user is #PF");
		same(last_trap.error, PF_WRITE | PF_USER |
		     (i == 0 ? PF_PRESENT : 0), "a user's write");
		same(last_cr2, PLAY + at[i], "there");
	}
	same(pages[U_KERNEL][0], 0x11, "the page is unchanged");
	/* mov esi, ebx; outsb */
	USER("\x89\xde\x66\xba\x80\x00\x6e", play(U_KERNEL));
	same(last_trap.error, PF_PRESENT | PF_USER, "OUTS reads as the user");
}

#define TRIPLE	"triple fault: no 32-bit interrupt or trap gate for an " \
		"exception, nor for the double fault"

/* Whether a null SS can be returned to is the processor's choice (SDM and
 * QEMU differ). */
const struct attack trap_cases[] = {
	CASE_ARG("ss0_empty", ss0_syscall, EMPTY | 1, .end = CANNOT_RUN),
	CASE_ARG("ss0_null", ss0_syscall, 0, .end = ANY_END),
	CASE_ARG("ss0_user", ss0_syscall, USER_DS, .end = CANNOT_RUN),
	CASE_ARG("ss0_code", ss0_syscall, KERNEL_CS | 1, .end = CANNOT_RUN),
	CASE_ARG("ss0_high", ss0_syscall, 0xffff0061, .end = CANNOT_RUN),
	CASE_ARG("ss0_fault", ss0_fault, EMPTY | 1, .end = CANNOT_RUN),
	CASE_ARG("ss0_fault_null", ss0_fault, 0, .end = ANY_END),
	CASE_ARG("esp0_absent", esp0, 0x80001000, .end = NO_STACK),
	CASE_ARG("esp0_zero", esp0, 0, .end = NO_STACK),
	CASE_ARG("esp0_hole", esp0, TOP + STUB_SHARED_OFFSET + 0x100, .end = NO_STACK),
	CASE_ARG("esp0_rom", esp0, TOP + 8, .end = NO_STACK),
	CASE_ARG("esp0_edge", esp0, TOP, .end = NO_STACK),
	CASE_ARG("badgate_empty", badgate, EMPTY, .end = CANNOT_RUN),
	CASE_ARG("badgate_null", badgate_null, 0),
	CASE_ARG("badgate_user", badgate, USER_CS, .end = CANNOT_RUN),
	CASE_ARG("badgate_data", badgate, KERNEL_DS, .end = CANNOT_RUN),
	CASE_ARG("badgate_16", badgate_kind, 0x8600),
	CASE_ARG("badgate_task", badgate_kind, 0x8500),
	CASE_ARG("badgate_call", badgate_kind, 0x8c00),
	CASE_ARG("badgate_absent", badgate_kind, 0x0e00),
	CASE_ARG("badidt_absent", badidt, 0x80000000, .end = TRIPLE),
	CASE_ARG("badidt_hole", badidt, TOP + STUB_SHARED_OFFSET, .end = TRIPLE),
	CASE_ARG("badidt_wraps", badidt, 0xfffffff8, .end = TRIPLE),
	CASE(int3),
	CASE(user_int),
	CASE(insb),
	CASES_END
};

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every kind of event, each on a stack that cannot take its frame.
 * VMI-1.10, STUB-2: the guest ends there, and nothing is written elsewhere.
 */
#include "attack.h"

enum { ABSENT, ZERO, HOLE, ROM_COPY, EDGE, READ_ONLY, CROSSING, OUTSIDE };

static uint32_t bad_stack(uint32_t kind)
{
	map(U_FREE, MAPS(pages[3], 0));
	map(U_FREE + 2, MAPS(pages[3], PTE_W));
	map(U_FREE + 4, 0x80000000 | PTE_P | PTE_W);
	flush();
	switch (kind) {
	case ABSENT:
		return 0x80001000;
	case ZERO:
		return 0;
	case HOLE:
		return TOP + STUB_SHARED_OFFSET + 0x800;
	case ROM_COPY:
		return TOP + 0x800;
	case EDGE:
		return TOP;
	case READ_ONLY:
		return play(U_FREE) + 0x800;
	case CROSSING:
		return play(U_FREE + 2) + 8;	/* below it is nothing */
	default:
		return play(U_FREE + 4) + 0x800;	/* there is no memory */
	}
}

static void clock_on(void)
{
	pic_init();
	pit_periodic();
}

/* ---- from user mode ---------------------------------------------------------- */

#define USER_EVENT(name, code)						\
static void user_##name(uint32_t kind)					\
{									\
	uint32_t esp = bad_stack(kind);					\
									\
	for (uint32_t i = 0; i < sizeof(code); i++)			\
		pages[U_CODE][i] = (uint8_t)code[i];			\
	vmi2(UpdateKernelStack, KERNEL_DS, esp);			\
	enter_user(play(U_CODE), play(U_STACK) + PAGE,			\
		   (const void *)vmi_entry[VMI_CALL_IRET]);		\
}

USER_EVENT(int80, "\xcd\x80")
USER_EVENT(fault, "\xa1\x00\x00\x00\x80")
USER_EVENT(divide, "\x31\xc9\xf7\xf1")
USER_EVENT(int3, "\xcc")
USER_EVENT(gp, "\xf4")
USER_EVENT(ud, "\x0f\x0b")
USER_EVENT(gate, "\xcd\x21")
/* pushf; or [esp], TF; popf; nop; nop */
USER_EVENT(step, "\x9c\x81\x0c\x24\0\1\0\0\x9d\x90\x90")
USER_EVENT(loop, "\xeb\xfe")

static void user_irq(uint32_t kind)
{
	clock_on();
	user_loop(kind);
}

/* ---- from the kernel ----------------------------------------------------------- */

#define KERNEL_EVENT(name, code)					\
static void kernel_##name(uint32_t kind)				\
{									\
	__asm__ volatile("mov %0, %%esp\n\t" code			\
			 : : "r"(bad_stack(kind)), "c"(0) : "memory");	\
}

KERNEL_EVENT(push, "push %%eax")
KERNEL_EVENT(fault, "mov 0x80000000, %%eax")
KERNEL_EVENT(divide, "div %%ecx")
KERNEL_EVENT(int3, "int3")
KERNEL_EVENT(gate, "int $0x80")
KERNEL_EVENT(gp, "mov $0xff8, %%eax\n\tmov %%eax, %%es")
KERNEL_EVENT(ud, "ud2")
KERNEL_EVENT(spin, "jmp .")

static void kernel_irq(uint32_t kind)
{
	clock_on();
	SHARED->flags |= STUB_IF;
	kernel_spin(kind);
}

/* By STI, and by what turns interrupts on in the ROM. */
static void kernel_sti(uint32_t kind)
{
	pic_init();
	pit_wait();
	__asm__ volatile("mov %0, %%esp\n\tsti" : : "r"(bad_stack(kind)));
}

static void kernel_events(uint32_t kind)
{
	pic_init();
	pit_wait();
	SHARED->flags |= STUB_IF;
	__asm__ volatile("mov %0, %%esp\n\tint %2"
			 : : "r"(bad_stack(kind)), "a"(STUB_HC_EVENTS),
			     "i"(STUB_VECTOR));
}

/* The ROM's IRET takes its frame from there, with and without the flag that
 * makes the hypervisor do it. */
static void kernel_iret(uint32_t kind)
{
	__asm__ volatile("mov %0, %%esp\n\tjmp *%1"
			 : : "r"(bad_stack(kind)),
			     "r"(vmi_entry[VMI_CALL_IRET]));
}

static void kernel_hc_iret(uint32_t kind)
{
	__asm__ volatile("mov %0, %%esp\n\tint %2"
			 : : "r"(bad_stack(kind)), "a"(STUB_HC_IRET),
			     "i"(STUB_VECTOR));
}

#define STACK(where, function, kind)					\
	CASE_ARG("stack_" #function "_" #where, function, kind,		\
		 .end = NO_STACK)

#define EACH(function)							\
	STACK(absent, function, ABSENT),				\
	STACK(zero, function, ZERO),					\
	STACK(hole, function, HOLE),					\
	STACK(rom, function, ROM_COPY),					\
	STACK(edge, function, EDGE),					\
	STACK(read_only, function, READ_ONLY),				\
	STACK(crossing, function, CROSSING),				\
	STACK(outside, function, OUTSIDE)

#define SOME(function)							\
	STACK(absent, function, ABSENT),				\
	STACK(hole, function, HOLE),					\
	STACK(read_only, function, READ_ONLY)

const struct attack stack_cases[] = {
	EACH(user_int80),
	EACH(user_fault),
	EACH(user_irq),
	SOME(user_divide),
	SOME(user_int3),
	SOME(user_gp),
	SOME(user_ud),
	SOME(user_gate),
	SOME(user_step),
	EACH(kernel_fault),
	EACH(kernel_irq),
	SOME(kernel_push),
	SOME(kernel_divide),
	SOME(kernel_int3),
	SOME(kernel_gate),
	SOME(kernel_gp),
	SOME(kernel_ud),
	SOME(kernel_sti),
	SOME(kernel_events),
	CASE_ARG("stack_kernel_iret_absent", kernel_iret, ABSENT,
		 .end = NO_STACK),
	CASE_ARG("stack_kernel_iret_edge", kernel_iret, EDGE, .end = NO_STACK),
	CASE_ARG("stack_kernel_hc_iret_absent", kernel_hc_iret, ABSENT,
		 .end = NO_STACK_AT),
	CASE_ARG("stack_kernel_hc_iret_hole", kernel_hc_iret, HOLE,
		 .end = NO_STACK_AT),
	CASE_ARG("stack_kernel_hc_iret_outside", kernel_hc_iret, OUTSIDE,
		 .end = NO_STACK),
	CASES_END
};

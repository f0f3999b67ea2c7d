// SPDX-License-Identifier: GPL-2.0-only
/*
 * Virtual-8086 mode by a native IRETD. No CPU lets ring 1 go there (SDM Vol.
 * 2, IRET: VM counts at CPL 0 alone); QEMU's TCG does, with CS, IF and IOPL
 * as the guest likes. CS is no selector there, and its low bits are no ring.
 * STUB-8: there is no such mode. The guest ends, or goes on as ring 1 or 3.
 */
#include "attack.h"

#define EFLAGS_VM	0x20000u
#define EFLAGS_IOPL	0x3000u
#define EFLAGS_TF	0x100u
#define CODE		0x100u		/* offset in the segment */
#define HV_CS		0x1000u		/* the hypervisor's, of ring 0 */
#define LOW_PAGES	272u		/* all that this mode can reach */

static uint32_t *low_table(void)
{
	return linear((void *)(page_directory[0] & ~0xfffu));
}

static uint8_t *low(uint32_t at)
{
	return (uint8_t *)linear((void *)at);
}

static void back(struct frame *f)
{
	(void)f;
	resume_kernel();
}

/* Low memory for the user, and code in it, at cs:CODE. What ring 0 would find
 * at CODE, if it took cs for a selector, ends the machine without a report. */
static void vm86(uint32_t cs, uint32_t eflags, const char *code,
		 uint32_t length)
{
	/* mov al, 0; out 0xf4, al; ud2 */
	static const char ring0[] = "\xb0\x00\xe6\xf4\x0f\x0b";

	for (uint32_t page = 0; page < LOW_PAGES; page++)
		vmi3(SetPxE, page * PAGE | PTE_P | PTE_W | PTE_U,
		     (uintptr_t)&low_table()[page], VMI_PAGE_PT);
	vmi3(SetPxE, page_directory[0] | PTE_U,
	     (uintptr_t)&linear(page_directory)[0], VMI_PAGE_PD);
	flush();
	for (uint32_t i = 0; i < sizeof(ring0); i++)
		low(CODE)[i] = (uint8_t)ring0[i];
	for (uint32_t i = 0; i < length; i++)
		low((cs << 4) + CODE)[i] = (uint8_t)code[i];
	for (uint32_t i = 0; i < 256; i++)
		vector_hook[i] = back;
	irq0_hook = resume_kernel;
	vmi2(UpdateKernelStack, KERNEL_DS, (uintptr_t)(spare_table + 1024));
	if (enter_vm86(cs, CODE, EFLAGS_VM | EFLAGS_FIXED | eflags) == VEC_GP)
		ok(true, "IRET to virtual-8086 mode is #GP");
	/* With the IOPL of there this would end the machine. */
	outb(0xf4, 0);
}
#define VM86(cs, eflags, code)	vm86(cs, eflags, code, sizeof(code) - 1)

/* An interrupt of the machine comes there. */
static void vm86_irq(uint32_t cs)
{
	pic_init();
	pit_periodic();
	VM86(cs, EFLAGS_IF, "\xeb\xfe");		/* jmp $ */
}

static void vm86_step(uint32_t cs)
{
	VM86(cs, EFLAGS_IF | EFLAGS_TF, "\x90\x90\xf4");
}

/* IOPL 3 lets INT n through. */
static void vm86_int(uint32_t cs)
{
	VM86(cs, EFLAGS_IF | EFLAGS_IOPL, "\xcd\x80");
}

static void vm86_int3(uint32_t cs)
{
	VM86(cs, EFLAGS_IF | EFLAGS_IOPL, "\xcc");
}

static void vm86_gp(uint32_t cs)
{
	VM86(cs, EFLAGS_IF, "\xf4");			/* hlt */
}

/* A page that is not in the shadow yet: it goes on, out of that mode. */
static void vm86_pf(uint32_t cs)
{
	VM86(cs, EFLAGS_IF | EFLAGS_IOPL, "\xa0\x00\x70\xcd\x80\xf4");
}

/* The machine's interrupts off, there and by CLI. The others must get the
 * processor all the same. */
static void vm86_spin(uint32_t cs)
{
	VM86(cs, 0, "\xeb\xfe");
}

static void vm86_cli(uint32_t cs)
{
	VM86(cs, EFLAGS_IF | EFLAGS_IOPL, "\xfa\xeb\xfe");
}

#define EACH(name, function)						\
	CASE_ARG(name "_hv", function, HV_CS),				\
	CASE_ARG(name "_hv1", function, HV_CS | 1),			\
	CASE_ARG(name "_hv3", function, HV_CS | 3),			\
	CASE_ARG(name "_kernel", function, KERNEL_CS | 1),		\
	CASE_ARG(name "_user", function, USER_CS)

const struct attack vm86_cases[] = {
	EACH("vm86_irq", vm86_irq),
	EACH("vm86_step", vm86_step),
	EACH("vm86_int", vm86_int),
	EACH("vm86_int3", vm86_int3),
	EACH("vm86_gp", vm86_gp),
	EACH("vm86_pf", vm86_pf),
	CASE_ARG("vm86_spin_hv", vm86_spin, HV_CS),
	CASE_ARG("vm86_spin_user", vm86_spin, USER_CS),
	CASE_ARG("vm86_cli", vm86_cli, USER_CS),
	CASES_END
};

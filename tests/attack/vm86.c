// SPDX-License-Identifier: GPL-2.0-only
/*
 * Virtual-8086 mode by a native IRETD, from the kernel and from its user. No
 * CPU lets ring 1 or 3 go there (SDM Vol. 2, IRET: VM counts at CPL 0 alone);
 * QEMU's TCG does, with CS, IF and IOPL as the program likes. CS is no
 * selector there, and its low bits are no ring. STUB-8: there is no such mode,
 * and whoever goes there is a user with a #GP.
 */
#include "attack.h"

#define EFLAGS_VM	0x20000u
#define EFLAGS_IOPL	0x3000u
#define EFLAGS_TF	0x100u
#define CODE		0x100u		/* offset in the segment */
#define HV_CS		0x1000u		/* the hypervisor's, of ring 0 */
#define LOW_PAGES	272u		/* all that this mode can reach */
#define BY_USER		0x10000u	/* in an argument: beside CS */

static struct frame seen;
static uint32_t seen_fs, seen_gs;

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
	seen = *f;
	__asm__ volatile("mov %%fs, %0\n\tmov %%gs, %1"
			 : "=r"(seen_fs), "=r"(seen_gs));
	resume_kernel();
}

/* In user mode: the frame of SDM Vol. 3, 20.2.5, and IRETD. */
static void user_enters(uint32_t cs, uint32_t eflags)
{
	uint8_t code[] = {
		0x6a, 0, 0x6a, 0, 0x6a, 0, 0x6a, 0,	/* gs, fs, ds, es */
		0x6a, 0, 0x68, 0, 0x80, 0, 0,		/* ss, esp */
		0x68, (uint8_t)eflags, (uint8_t)(eflags >> 8),
		(uint8_t)(eflags >> 16), 0,
		0x68, (uint8_t)cs, (uint8_t)(cs >> 8), 0, 0,
		0x68, (uint8_t)CODE, CODE >> 8, 0, 0, 0xcf
	};

	run_user_bytes((char *)code, sizeof(code), 0, 0);
}

/* Low memory for the user, and code in it, at cs:CODE. What another ring would
 * find at CODE, if it took cs for a selector, ends the machine without a
 * report, or is #UD. */
static void vm86(uint32_t arg, uint32_t eflags, const char *code,
		 uint32_t length)
{
	/* mov al, 0; out 0xf4, al; ud2 */
	static const char ring0[] = "\xb0\x00\xe6\xf4\x0f\x0b";
	const uint32_t cs = arg & 0xffff;
	int refused = 0;

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
	vmi2(UpdateKernelStack, KERNEL_DS, (uintptr_t)(spare_table + 1024));
	eflags |= EFLAGS_VM | EFLAGS_FIXED;
	if (arg & BY_USER)
		user_enters(cs, eflags);
	else
		refused = enter_vm86(cs, CODE, eflags);
	vmi0(DisableInterrupts);
	if (on_tcg() || (arg & BY_USER)) {
		same(refused, 0, "a user's fault");
		same(seen.vector, VEC_GP, "namely #GP");
		same(seen.cs & 3, 3, "of user mode");
		same(seen.eflags & (EFLAGS_VM | EFLAGS_IF | EFLAGS_IOPL),
		     EFLAGS_IF, "and no other mode");
	}
	/* A CPU returns to a selector that fits, and the OUT there is #GP. */
	if (on_tcg() || ((arg & BY_USER) && cs != USER_CS))
		same(seen.error, cs & 0xfffc, "because of CS");
	if (refused)
		ok(refused == VEC_GP, "IRET to virtual-8086 mode is #GP");
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

/* Segments of that mode, with a base that no descriptor has, are not left. */
static void vm86_segments(uint32_t cs)
{
	/* mov ax, cs; mov fs, ax; mov gs, ax; hlt */
	VM86(cs, EFLAGS_IF, "\x8c\xc8\x8e\xe0\x8e\xe8\xf4");
	if (on_tcg()) {
		same(seen_fs, 0, "FS is null");
		same(seen_gs, 0, "GS is null");
	}
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
	/* It has no clock of its own: from the second time on nobody has. */
	outb(0x43, 0x30);
	set_alarm(VMI_CYCLES_REAL, vmi_cycles() + cycles_per_second() / 64, 0);
	vmi1(CancelAlarm, VMI_CYCLES_REAL);
	for (uint32_t i = 0; i < 3; i++)
		VM86(cs, 0, "\xeb\xfe");
}

static void vm86_cli(uint32_t cs)
{
	VM86(cs, EFLAGS_IF | EFLAGS_IOPL, "\xfa\xeb\xfe");
}

#define EACH_CS(name, function, who)					\
	CASE_ARG(name "_hv", function, HV_CS | (who)),			\
	CASE_ARG(name "_hv1", function, HV_CS | 1 | (who)),		\
	CASE_ARG(name "_hv3", function, HV_CS | 3 | (who)),		\
	CASE_ARG(name "_kernel", function, KERNEL_CS | 1 | (who)),	\
	CASE_ARG(name "_user", function, USER_CS | (who))
#define EACH(name, function)						\
	EACH_CS("vm86_" name, function, 0),				\
	EACH_CS("user_vm86_" name, function, BY_USER)
#define SPINS(name, who, how)						\
	CASE_ARG(name "spin_hv", vm86_spin, HV_CS | (who), .boot = how), \
	CASE_ARG(name "spin_user", vm86_spin, USER_CS | (who), .boot = how), \
	CASE_ARG(name "cli", vm86_cli, USER_CS | (who), .boot = how)

const struct attack vm86_cases[] = {
	EACH("irq", vm86_irq),
	EACH("step", vm86_step),
	EACH("int", vm86_int),
	EACH("int3", vm86_int3),
	EACH("gp", vm86_gp),
	EACH("segments", vm86_segments),
	EACH("pf", vm86_pf),
	/* Ended by the next slice of the bystander, which must not have ended
	 * before: on a busy host it could, were time not counted so. */
	SPINS("vm86_", 0, "icount"),
	SPINS("user_vm86_", BY_USER, "icount"),
	/* With no neighbour whose time ends it. */
	SPINS("user_vm86_alone_", BY_USER, "alone"),
	CASES_END
};

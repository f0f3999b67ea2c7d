// SPDX-License-Identifier: GPL-2.0-only
/*
 * A user's code that ends where its segment does, and the machine's interrupt
 * at each of its instructions: with EIP at the limit, and behind it. The user
 * gets #GP(0) there, or the kernel its IRET's; nobody dies. Behind the end is
 * an INT 80h, for machines that do not check limits (TCG).
 *
 * With -icount an alarm comes a known number of instructions after it was set
 * (steps.c); in Bochs, where limits are checked, it comes somewhere.
 */
#include "attack.h"

#define SELECTOR	(SPARE_GDT * 8 | 3)
#define TIME		12000u		/* cycles from alarm to interrupt */
#define AROUND		80u		/* delays, each of one instruction */
#define ABSENT		(U_FREE + 1)	/* a page that is filled each time */
#define IOPL3		0x3000u
#define WIDE		0x0040fa00u
#define NARROW		0x0000fa00u

static const struct code {
	const char	*name;
	const char	*bytes;
	uint32_t	length, type;
	bool		spins;
} codes[] = {
#define CODE(name, bytes, type)						\
	{ name, bytes, sizeof(bytes) - 1, type, false }
	CODE("nop", "\x90\x90\x90\x90\x90\x90", WIDE),
	CODE("nop, 16 bits", "\x90\x90\x90\x90\x90\x90", NARROW),
	CODE("prefixes", "\x90\x90\x66\x66\x66\x66\x90", WIDE),
	CODE("in", "\x90\x90\x90\xe4\x80", WIDE),
	CODE("in, 16 bits", "\x90\x90\x90\xe4\x80", NARROW),
	CODE("a page to be filled", "\x90\x90\xa0\x00\x90\x00\x40", WIDE),
	CODE("cpuid", "\x90\x90\x0f\xa2", WIDE),
	CODE("int 80h", "\x90\x90\xcd\x80", WIDE),
	CODE("int3", "\x90\x90\xcc", WIDE),
	CODE("rep lodsb", "\xb9\x20\x00\x00\x00\xbe\x00\x00\x00\x40\xf3\xac",
	     WIDE),
	{ "jump", "\x90\xeb\xfd", 3, WIDE, true },
	{ "jump, 16 bits", "\x90\xeb\xfd", 3, NARROW, true },
};
_Static_assert(PLAY + ABSENT * PAGE == 0x40009000, "the page to be filled");

static const struct code *now;
static uint32_t stack[256], early, came_at, wrong;
static volatile uint32_t came;

static void on_irq(void)
{
	const struct frame *f = irq0_frame;

	came++;
	early += (f->cs & 3) == 3;	/* not behind the end, in its trap */
	if ((f->cs & 0xffff) == SELECTOR && f->eip < 32)
		came_at |= 1u << f->eip;
	if (now->spins && (f->cs & 3) == 3) {
		outb(0x20, 0x20);
		vmi0(DisableInterrupts);
		last_trap = *f;
		resume_kernel();
	}
}

static void place(const struct code *c)
{
	now = c;
	for (uint32_t i = 0; i < c->length; i++)
		pages[U_CODE][i] = (uint8_t)c->bytes[i];
	pages[U_CODE][c->length] = 0xcd;
	pages[U_CODE][c->length + 1] = VEC_SYSCALL;
	write_gdt(SPARE_GDT, descriptor(play(U_CODE), c->length - 1, c->type));
}

/* Is the end right? IRET to behind the limit is #GP in the kernel, too. */
static bool good_end(void)
{
	uint32_t end = now->length;

	if (fixup_vector == VEC_GP)
		return !last_trap.error;
	if (now->spins)
		return last_trap.vector == VEC_IRQ0 && last_trap.eip < end;
	if ((last_trap.cs & 0xffff) != SELECTOR)
		return false;
	switch (last_trap.vector) {
	case VEC_GP:
		return !last_trap.error && last_trap.eip == end;
	case VEC_SYSCALL:
		return last_trap.eip == end + 2 ||
		       now->bytes[end - 1] == '\x80';
	default:
		return last_trap.vector == 3 && last_trap.eip == end;
	}
}

/* Has the interrupt come before the end? */
static bool once(uint32_t delay)
{
	uint32_t *frame = stack + 256 - 5;

	vmi1(InvalPage, play(ABSENT));
	flush();
	frame[0] = 0;
	frame[1] = SELECTOR;
	frame[2] = EFLAGS_IF | 2;
	frame[3] = play(U_STACK) + PAGE;
	frame[4] = USER_DS;
	came = early = 0;
	last_trap.vector = 0;
	set_alarm(VMI_CYCLES_REAL, vmi_cycles() + TIME, 0);
	for (uint32_t i = delay / 2; i; i--)	/* two instructions each */
		__asm__ volatile("" : "+r"(i));
	if (delay & 1)
		__asm__ volatile("nop");
	iret_from((uintptr_t)frame, vmi_entry[VMI_CALL_IRET]);
	fixup = 0;
	if (!good_end() && !wrong++)
		print("# %s, delay %u: vector %u error %x cs %x eip %x\n",
		      now->name, delay, last_trap.vector, last_trap.error,
		      last_trap.cs, last_trap.eip);
	vmi0(EnableInterrupts);		/* it comes, now or later */
	while (!came)
		;
	vmi0(DisableInterrupts);
	return early;
}

/* The shortest delay with which it comes before the end; with longer ones it
 * comes sooner. */
static uint32_t first_delay(void)
{
	uint32_t low = 0, high = TIME;

	while (high - low > 1) {
		uint32_t middle = (low + high) / 2;

		if (once(middle))
			high = middle;
		else
			low = middle;
	}
	return high;
}

static void every_end(const struct code *c)
{
	uint32_t first;

	place(c);
	wrong = came_at = 0;
	first = c->spins ? 1 : first_delay();
	/* on to where it comes before the first instruction */
	for (uint32_t i = 0; i < AROUND ||
	     (!(came_at & 1) && i < (option_number("strict") ? 5 : 50) * AROUND); i++)
		once(first + i);
	same(wrong, 0, c->name);
	print("# interrupts at %x\n", came_at);
	/* in the middle, too: behind the first, or in the loop */
	if (!option_number("strict"))
		ok(came_at & (c->bytes[0] == '\xb9' ? 1u << 10 : 2u),
		   "the interrupt came there");
}

static void ends(uint32_t arg)
{
	(void)arg;
	irq0_hook = on_irq;
	vmi2(UpdateKernelStack, KERNEL_DS, (uintptr_t)(spare_table + 1024));
	vmi1(SetIOPLMask, IOPL3);
	map(ABSENT, MAPS(pages[3], PTE_U));
	pic_init();
	for (uint32_t i = 0; i < sizeof(codes) / sizeof(*codes); i++)
		every_end(&codes[i]);
}

const struct attack end_cases[] = {
	CASE(ends, .boot = "alone icount"),	/* or Bochs */
	CASES_END
};

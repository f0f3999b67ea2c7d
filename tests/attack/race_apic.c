// SPDX-License-Identifier: GPL-2.0-only
/* Interrupts between vCPUs, INIT and STARTUP in any state, sleep and waking.
 * VMI-3.8, VMI-3.2.35, VMI-3.2.63. */
#include "race.h"

#define FIRST		0x41u		/* vectors of ours */
#define VECTORS		32u
#define IOAPIC_AT	0xfec00000u
#define IOAPIC_PINS	24u
#define IOAPIC		play(U_FREE + 20)
#define MSR_APIC_BASE	0x1bu
#define BASE_ENABLE	0x800u
#define LEVEL		0x8000u

static volatile uint32_t came[2];	/* interrupts, by vCPU */

static bool on_other(const void *stack)
{
	const struct processor *p = &processor[OTHER];

	return (uintptr_t)stack - (uintptr_t)p->stack < sizeof(p->stack);
}

static void interrupt(struct frame *f)
{
	came[on_other(f)]++;
	apic_set(APIC_EOI, 0);
}

/* A level comes again and again: now and then there has to be an end. */
static void level(struct frame *f)
{
	if (came[on_other(f)] % 16 == 0)
		apic_set(APIC_TPR, FIRST + VECTORS);
	interrupt(f);
}

static void set_up(void (*handler)(struct frame *))
{
	race_set_up(false);
	for (uint32_t i = 0; i < VECTORS; i++)
		vector_hook[FIRST + i] = handler;
	apic_set(APIC_SVR, SVR_ENABLE | 0xff);
}

static void open_for_a_while(uint32_t n)
{
	vmi0(EnableInterrupts);
	while (n--)
		relax();
	vmi0(DisableInterrupts);
}

/* ---- storms ---------------------------------------------------------------- */

/* All ways to send an interrupt, to anybody. */
static void storm(uint32_t i)
{
	const uint32_t n = scramble(i);

	apic_set(APIC_ICR_HIGH, n & 7 ? (n & 3) << 24 : n);
	apic_set(APIC_ICR, (FIRST + n % VECTORS) | (n & ICR_LOWEST) |
		 (n & ICR_LOGICAL) | (n & ICR_ALL_BUT_SELF) | ICR_ASSERT);
	if (n & 0x2000)
		apic_set(APIC_TPR, n >> 16 & 0x7f);
	if (n & 0x1000)
		apic_set(APIC_LDR, n & 0x03000000);
	open_for_a_while(n >> 28);
}

static bool both_came(void)
{
	return came[0] && came[1];
}

static bool any_came(void)
{
	return came[0] || came[1];
}

static bool other_came(void)
{
	return came[1];
}

static void race_storm(uint32_t arg)
{
	(void)arg;
	set_up(interrupt);
	race_awaits = both_came;
	race(storm, storm);
	ok(both_came(), "both were interrupted");
}

static void race_storm_four(uint32_t arg)
{
	(void)arg;
	set_up(interrupt);
	race_awaits = any_came;
	race_begin(storm, true);
	race_begin_more();
	race_until_over(storm);
	/* Which of four on fewer processors had a turn is the machine's business. */
	ok(any_came(), "they were interrupted");
}

static void to_itself(uint32_t i)
{
	apic_set(APIC_ICR, (FIRST + i % VECTORS) | ICR_SELF | ICR_ASSERT);
	apic_set(APIC_ICR, (FIRST + i % VECTORS) | ICR_ALL | ICR_ASSERT);
	open_for_a_while(i % 4);
}

static void race_storm_itself(uint32_t arg)
{
	(void)arg;
	set_up(interrupt);
	race_awaits = both_came;
	race(to_itself, to_itself);
	ok(both_came(), "both were interrupted");
}

/* Any word, but for what ends the guest; the other begins again. */
static void any_icr(uint32_t i)
{
	const uint32_t n = scramble(i), mode = n & 0x700;

	apic_set(APIC_ICR_HIGH, mode == ICR_INIT ? processor[OTHER].id << 24 :
						   scramble(n));
	apic_set(APIC_ICR, mode == ICR_INIT ? n & ~(0xc0800u) :
			   (n & ~0xffu) | (FIRST + n % VECTORS));
	open_for_a_while(n >> 28);
	if (i % 64 == 63)
		processor_boot(OTHER, &race_state);
}

static void any_icr_but_init(uint32_t i)
{
	uint32_t n = scramble(i);

	if ((n & 0x700) == ICR_INIT)
		n ^= 0x400;
	apic_set(APIC_ICR_HIGH, scramble(n));
	apic_set(APIC_ICR, (n & ~0xffu) | (FIRST + n % VECTORS));
	open_for_a_while(n >> 28);
}

/* The other may have been stopped by the last of them. */
static void any_icr_case(step *mine, step *theirs)
{
	set_up(interrupt);
	race_begin(theirs, true);
	for (uint32_t i = 0; race_on(); i++)
		mine(i);
	processor_stop(OTHER);
	same(race_wrong, 0, "nothing was wrong");
}

static void race_icr(uint32_t arg)
{
	(void)arg;
	any_icr_case(any_icr, any_icr_but_init);
}

/* ---- INIT and STARTUP ---------------------------------------------------------- */

static void busy(uint32_t i)
{
	uint32_t word;

	switch (scramble(i) % 6) {
	case 0:
		map(U_FREE + i % 16, race_entry(scramble(i)));
		flush();
		break;
	case 1:
		safe_read(play(U_FREE + i % 16), &word);
		break;
	case 2:
		vmi1(SetCR3, (uintptr_t)page_directory);
		break;
	case 3:
		apic_set(APIC_TPR, 0);
		break;
	case 4:
		safe_read(0x80000000, &word);
		break;
	}
}

/* Each in its turn begins again, while the rest go on. */
static void any_begins_again(uint32_t i)
{
	const uint32_t n = OTHER + i % (processors - 1);
	const struct vmi_ap_state state = processor_state(n);
	const uint32_t starts = processor[n].starts;
	const uint64_t until = vmi_cycles() + RACE_LOST * cycles_per_second();

	processor_boot(n, &state);
	while (processor[n].starts == starts && vmi_cycles() < until)
		relax();
	race_wrong += processor[n].starts == starts;
}

static void race_init_four(uint32_t arg)
{
	(void)arg;
	set_up(interrupt);
	race_begin(busy, true);
	race_begin_more();
	for (uint32_t i = 0; race_on(); i++)
		any_begins_again(i);
	for (uint32_t n = OTHER; n < processors; n++)
		processor_stop(n);
	same(race_wrong, 0, "each has begun");
}

static void asleep(uint32_t i)
{
	(void)i;
	vmi0(Halt);
}

static void dead_asleep(uint32_t i)
{
	(void)i;
	vmi0(DisableInterrupts);
	__asm__ volatile("cli; hlt");
}

/* VMI-3.8.1: each time it begins, whatever it did. */
static void begin_again(uint32_t i)
{
	const uint32_t starts = processor[OTHER].starts;
	const uint64_t until = vmi_cycles() + RACE_LOST * cycles_per_second();

	processor_boot(OTHER, &race_state);
	while (processor[OTHER].starts == starts && vmi_cycles() < until)
		relax();
	race_wrong += processor[OTHER].starts == starts;
	for (uint32_t n = scramble(i) % 2048; n; n--)
		relax();
}

static void init_case(step *theirs)
{
	any_icr_case(begin_again, theirs);
}

static void race_init_running(uint32_t arg)
{
	(void)arg;
	init_case(busy);
}

static void race_init_halted(uint32_t arg)
{
	(void)arg;
	init_case(asleep);
}

static void race_init_off(uint32_t arg)
{
	(void)arg;
	init_case(dead_asleep);
}

/* STARTUP comes while INIT is on its way: it counts as soon as INIT has been sent. */
static void begin_at_once(uint32_t i)
{
	const uint32_t starts = processor[OTHER].starts;
	const uint64_t until = vmi_cycles() + RACE_LOST * cycles_per_second();

	vmi2(SetInitialAPState, (uintptr_t)&race_state, processor[OTHER].id);
	apic_set(APIC_ICR_HIGH, processor[OTHER].id << 24);
	apic_set(APIC_ICR, ICR_INIT | ICR_ASSERT);
	for (uint32_t n = scramble(i) % 512; n; n--)
		relax();
	apic_set(APIC_ICR, ICR_STARTUP | ICR_ASSERT);
	while (processor[OTHER].starts == starts && vmi_cycles() < until)
		relax();
	race_wrong += processor[OTHER].starts == starts;
}

static void spin(uint32_t i)
{
	(void)i;
	relax();
}

static void race_startup(uint32_t arg)
{
	(void)arg;
	any_icr_case(begin_at_once, spin);
}

/* Begun, and at once, or a little later, once more from another block: that one
 * it is, and no other comes after it. */
static void begin_twice(uint32_t i)
{
	const uint64_t until = vmi_cycles() + RACE_LOST * cycles_per_second();
	struct vmi_ap_state state = race_state;

	state.eip = (uintptr_t)race_begins;
	state.eax = 2 * i + 1;
	processor_boot(OTHER, &state);
	for (uint32_t n = scramble(i) % 4096 >> i % 12; n; n--)
		relax();
	state.eax = 2 * i + 2;
	processor_boot(OTHER, &state);
	while (race_generation != 2 * i + 2 && vmi_cycles() < until)
		relax();
	race_wrong += race_generation != 2 * i + 2;
}

static void race_init_starting(uint32_t arg)
{
	(void)arg;
	any_icr_case(begin_twice, busy);
}

/* ---- sleep ----------------------------------------------------------------------- */

/* VMI-3.2.35: each interrupt wakes it; it answers by one. */
static volatile uint32_t asked, answered;

static void answer(uint32_t i)
{
	(void)i;
	vmi0(Halt);
	vmi0(DisableInterrupts);
	if (answered != asked) {
		answered = asked;
		send_interrupt(processor[0].id, FIRST);
	}
}

static void ask(uint32_t i)
{
	const uint64_t until = vmi_cycles() + RACE_LOST * cycles_per_second();

	asked = i + 1;
	send_interrupt(processor[OTHER].id, FIRST);
	while (answered != i + 1 && vmi_cycles() < until)
		open_for_a_while(1);
	race_wrong += answered != i + 1;
}

static void race_halt(uint32_t arg)
{
	(void)arg;
	set_up(interrupt);
	race_begin(answer, true);
	for (uint32_t i = 0; race_on() && !race_wrong; i++)
		ask(i);
	processor_stop(OTHER);
	same(race_wrong, 0, "each was answered");
}

/* Both sleep until the other has answered: nobody else wakes them but an alarm
 * that comes when one was lost. */
static void both_sleep(uint32_t i)
{
	asked = i + 1;
	send_interrupt(processor[OTHER].id, FIRST);
	while (answered != i + 1 && !irq0_count) {
		vmi0(Halt);
		vmi0(DisableInterrupts);
	}
}

static void race_halt_both(uint32_t arg)
{
	(void)arg;
	set_up(interrupt);
	pic_init();
	set_alarm(VMI_CYCLES_REAL, vmi_cycles() + RACE_LOST * cycles_per_second(), 0);
	race_begin(answer, true);
	for (uint32_t i = 0; race_on() && !irq0_count; i++)
		both_sleep(i);
	processor_stop(OTHER);
	same(irq0_count, 0, "each has woken the other");
}

static void wake_others(uint32_t i)
{
	apic_set(APIC_ICR, (FIRST + i % VECTORS) | ICR_ALL_BUT_SELF |
		 ICR_ASSERT);
}

static void sleep_on(uint32_t i)
{
	(void)i;
	vmi0(Halt);
}

static void race_wake_storm(uint32_t arg)
{
	(void)arg;
	set_up(interrupt);
	race_awaits = other_came;
	race_begin(sleep_on, true);
	for (uint32_t i = 0; race_on(); i++)
		wake_others(i);
	processor_stop(OTHER);
	ok(came[1], "it was woken");
	print("# %u times\n", came[1]);
}

/* The 8259's interrupt is the first one's, whoever lets it through. */
static void let_through(uint32_t i)
{
	for (uint32_t n = scramble(i) % 512 + 256; n; n--)
		relax();
	outb(0x21, 0xfe);
	for (uint32_t n = scramble(i) % 64; n; n--)
		relax();
}

static void sleep_for_8259(uint32_t i)
{
	const uint32_t before = irq0_count;

	(void)i;
	outb(0x21, 0xff);
	pit_one_shot();
	set_alarm(VMI_CYCLES_AVAILABLE | VMI_ALARM_LVTT,
		  vmi_cycles() + RACE_LOST * cycles_per_second(), 0);
	while (irq0_count == before && !came[0]) {
		vmi0(Halt);
		vmi0(DisableInterrupts);
	}
}

static void race_8259(uint32_t arg)
{
	(void)arg;
	set_up(interrupt);
	pic_init();
	apic_set(APIC_LVTT, FIRST);
	race_begin(let_through, true);
	race_until_over(sleep_for_8259);
	same(came[0], 0, "it was never the alarm that woke it");
}

/* ---- other devices -------------------------------------------------------------------- */

static void ioapic_write(uint32_t reg, uint32_t value)
{
	safe_write(IOAPIC, reg);
	safe_write(IOAPIC + 0x10, value);
}

static void redirect(uint32_t i)
{
	const uint32_t n = scramble(i);
	const uint32_t pin = n % IOAPIC_PINS;

	apic_set(APIC_TPR, 0);
	ioapic_write(0x11 + pin * 2, scramble(n) & 0xff000000);
	ioapic_write(0x10 + pin * 2, (n >> 8 & 0x1af00) |
		     (FIRST + n % VECTORS));
	open_for_a_while(n >> 28);
	if (n % 8 == 0)
		apic_set(APIC_EOI, 0);
}

static void race_ioapic(uint32_t arg)
{
	(void)arg;
	set_up(level);
	map(U_FREE + 20, IOAPIC_AT | PTE_P | PTE_W);
	pic_init();
	pit_periodic();
	race(redirect, redirect);
}

/* Levels that nobody takes away: each EOI sends the next. */
static void levels(uint32_t i)
{
	const uint32_t pin = 4 + i % 4;

	apic_set(APIC_TPR, 0);
	ioapic_write(0x10 + pin * 2, (FIRST + pin) | LEVEL |
		     (i & 16 ? 0x2000 : 0) | ICR_LOWEST);
	ioapic_write(0x11 + pin * 2, 0xff000000);
	open_for_a_while(8);
}

static void race_eoi(uint32_t arg)
{
	(void)arg;
	set_up(level);
	map(U_FREE + 20, IOAPIC_AT | PTE_P | PTE_W);
	race_awaits = any_came;
	race(levels, levels);
	ok(any_came(), "they came");
}

/* The APIC of one is turned off under the other's interrupts. */
static void off_and_on(uint32_t i)
{
	uint64_t base = rdmsr(MSR_APIC_BASE) & ~(uint64_t)BASE_ENABLE;

	wrmsr(MSR_APIC_BASE, base | (i & 1 ? BASE_ENABLE : 0));
	if (i & 1)
		apic_set(APIC_SVR, SVR_ENABLE | 0xff);
	open_for_a_while(scramble(i) % 16);
}

static void race_apic_off(uint32_t arg)
{
	(void)arg;
	set_up(interrupt);
	race(storm, off_and_on);
}

const struct attack race_apic_cases[] = {
	RACE(storm, race_storm),
	RACE_FOUR(storm_four, race_storm_four),
	RACE(storm_itself, race_storm_itself),
	RACE(icr, race_icr),
	RACE(init_running, race_init_running),
	RACE_FOUR(init_four, race_init_four),
	RACE(init_halted, race_init_halted),
	RACE(init_off, race_init_off),
	RACE(startup, race_startup),
	RACE(init_starting, race_init_starting),
	RACE(halt, race_halt),
	RACE(halt_both, race_halt_both),
	RACE(wake_storm, race_wake_storm),
	RACE(8259, race_8259),
	RACE(ioapic, race_ioapic),
	RACE(eoi, race_eoi),
	RACE(apic_off, race_apic_off),
	CASES_END
};

// SPDX-License-Identifier: GPL-2.0-only
/* Counters, alarms, the wall clock (VMI-3.7), and the local APIC. */
#include "conf64.h"
#include "pc.h"

static uint64_t hz, tick;		/* a tick is about 8 ms */

static uint64_t cycles(uint32_t counter)
{
	return vmi1(GetCycleCounter, counter);
}

static uint64_t now(void)
{
	return cycles(VMI_CYCLES_REAL);
}

static void wait_until(uint64_t when)
{
	while (now() < when)
		;
}

static void arm(uint32_t flags, uint64_t expiry, uint64_t period)
{
	vmi3(SetAlarm, flags, expiry, period);
}

/* What is pending is delivered; how many came. */
static uint32_t take(void)
{
	const uint32_t before = irq0_count;

	for (int i = 0; i < 100; i++) {
		vmi0(EnableInterrupts);
		vmi0(DisableInterrupts);
	}
	return irq0_count - before;
}

static void halt_for_one(void)
{
	const uint32_t before = irq0_count;

	while (irq0_count == before)
		vmi0(Halt);
	vmi0(DisableInterrupts);
}

static void counters(void)
{
	static const uint32_t unknown[] = { 3, 4, 255, 256, 0xffffffff };
	uint64_t before[3], last_one[3], c0, c1, c2, a, s0, s1, t0, t1;
	bool forward[3] = { true, true, true }, sums = true, zero = true;

	hz = vmi0(GetCycleFrequency);
	tick = hz >> 7;
	point("VMI-3.2.66", hz > 1000000 && hz < 1000000000000,
	      "GetCycleFrequency is between 1 MHz and 1 THz");
	is("VMI-3.7.1", vmi0(GetCycleFrequency), hz, "and is constant");
	for (uint32_t c = 0; c < 3; c++)
		before[c] = cycles(c);
	for (int i = 0; i < 1000; i++) {
		for (uint32_t c = 0; c < 3; c++) {
			last_one[c] = cycles(c);
			forward[c] &= last_one[c] >= before[c];
			before[c] = last_one[c];
		}
		c0 = now();
		s0 = cycles(VMI_CYCLES_STOLEN);
		a = cycles(VMI_CYCLES_AVAILABLE);
		s1 = cycles(VMI_CYCLES_STOLEN);
		c1 = now();
		sums &= a + s0 <= c1 && a + s1 >= c0;
	}
	point("VMI-3.7.2", forward[0], "the real counter does not go back");
	point("VMI-3.7.2", forward[1], "nor does the available one");
	point("VMI-3.7.2", forward[2], "nor the stolen one");
	point("VMI-3.7.2", sums, "real is available and stolen");
	point("VMI-3.7.2", now() < hz * 3600, "real began not long ago");
	for (uint32_t i = 0; i < 5; i++)
		zero &= cycles(unknown[i]) == 0;
	point("VMI-3.7.1", zero, "an unknown counter reads 0");
	c0 = now();
	c1 = vmi1(GetCycleCounter, 0xffffffff00000000);
	point("VMI64-3.1.1", c1 >= c0 && c1 <= now(),
	      "a counter's number has 32 bits");
	c0 = now();
	t0 = vmi0(RDTSC);
	wait_until(c0 + 4 * tick);
	c1 = now();
	t1 = vmi0(RDTSC);
	c2 = now();
	point("VMI-3.2.27", t1 - t0 >= c1 - c0 - (tick >> 4) - (c2 - c1) &&
	      t1 - t0 <= c2 - c0 + (tick >> 4), "RDTSC ticks as the real counter");
}

static void one_shot(void)
{
	uint64_t expiry;
	uint32_t held;

	arm(VMI_CYCLES_REAL, now() - 1, 0);
	is("VMI-3.7.4", take(), 1, "an alarm set in the past fires at once");
	is("VMI-3.7.7", (uint32_t)vmi1(CancelAlarm, 0), 0,
	   "one that has fired is not armed");
	arm(VMI_CYCLES_REAL, 0, 0);
	is("VMI-3.7.4", take(), 1, "expiry 0 is in the past");
	expiry = now() + tick;
	arm(VMI_CYCLES_REAL, expiry, 0);
	halt_for_one();
	point("VMI-3.7.4", now() >= expiry, "an alarm does not fire early");
	point("VMI-3.7.6", now() < expiry + hz, "a halted processor wakes for it");
	wait_until(now() + 2 * tick);
	is("VMI-3.7.3", take(), 0, "a one-shot alarm fires once");
	arm(VMI_CYCLES_REAL, now() + tick, tick);
	halt_for_one();
	is("VMI-3.7.3", (uint32_t)vmi1(CancelAlarm, 0), 0,
	   "without its flag a period counts for nothing");
	take();
	expiry = now() + tick;
	held = irq0_count;
	arm(VMI_CYCLES_REAL, expiry, 0);
	wait_until(expiry + tick);
	held = irq0_count - held;
	halt_for_one();
	point("VMI-3.7.4", held == 0 && take() == 0,
	      "one that expires while the flag is off waits, and comes once");
	arm(VMI_CYCLES_REAL, now() + (hz << 6), 0);
	is("VMI-3.7.7", (uint32_t)vmi1(CancelAlarm, 0), 1,
	   "an armed alarm is cancelled");
	is("VMI-3.7.7", (uint32_t)vmi1(CancelAlarm, 0), 0,
	   "and is not armed then");
	expiry = now() + tick;
	arm(VMI_CYCLES_REAL, expiry, 0);
	vmi1(CancelAlarm, 0);
	wait_until(expiry + tick);
	is("VMI-3.7.7", take(), 0, "a cancelled one does not fire");
	arm(VMI_CYCLES_REAL, now() + tick, 0);
	arm(VMI_CYCLES_REAL, now() + (hz << 6), 0);
	wait_until(now() + 2 * tick);
	is("VMI-3.7.3", take(), 0, "a later expiry replaces the one before");
	expiry = now() + tick;
	arm(VMI_CYCLES_REAL, expiry, 0);
	halt_for_one();
	point("VMI-3.7.3", now() >= expiry, "an earlier one, too");
	is("VMI-3.7.7", (uint32_t)vmi1(CancelAlarm, 0), 0, "and nothing is left");
}

static void periodic(void)
{
	const uint32_t flags = VMI_CYCLES_REAL | VMI_ALARM_PERIODIC;
	uint64_t start = now(), expiry;
	bool early = false;

	/* the worked example, with a tick for a millisecond */
	arm(flags, start + 3 * tick, 2 * tick);
	for (uint32_t i = 0; i < 4; i++) {
		halt_for_one();
		early |= now() - start < (3 + 2 * i) * tick;
	}
	point("VMI-3.7.5", !early, "expiry 3, period 2: not before 3, 5, 7, 9");
	is("VMI-3.7.7", (uint32_t)vmi1(CancelAlarm, flags), 1,
	   "a periodic alarm stays armed");
	is("VMI-3.7.7", (uint32_t)vmi1(CancelAlarm, flags), 0,
	   "until it is cancelled");
	take();
	wait_until(now() + 5 * tick);
	is("VMI-3.7.7", take(), 0, "and is quiet then");
	wait_until(40 * tick);
	arm(flags, now() - 40 * tick, 16 * tick);
	is("VMI-3.7.5", take(), 1, "missed periods fire once");
	vmi1(CancelAlarm, flags);
	take();
	arm(flags, now() + tick, 0);
	halt_for_one();
	is("VMI-3.7.3", (uint32_t)vmi1(CancelAlarm, flags), 0,
	   "period 0 is one-shot");
	expiry = cycles(VMI_CYCLES_AVAILABLE) + tick;
	arm(VMI_CYCLES_AVAILABLE, expiry, 0);
	halt_for_one();
	point("VMI-3.7.4", cycles(VMI_CYCLES_AVAILABLE) >= expiry,
	      "an alarm of the available counter");
	arm(VMI_CYCLES_REAL, now() + (hz << 6), 0);
	arm(VMI_CYCLES_AVAILABLE, cycles(1) + (hz << 6), 0);
	is("VMI-3.7.3", (uint32_t)vmi1(CancelAlarm, VMI_CYCLES_REAL), 1,
	   "each counter has its alarm: real");
	is("VMI-3.7.3", (uint32_t)vmi1(CancelAlarm, VMI_CYCLES_AVAILABLE), 1,
	   "available");
	arm(VMI_CYCLES_STOLEN, 0, 0);
	is("VMI-3.7.3", take(), 0, "the stolen one has none");
	is("VMI-3.7.7", (uint32_t)vmi1(CancelAlarm, VMI_CYCLES_STOLEN), 0,
	   "to cancel");
	arm(0xff, 0, 0);
	is("VMI-3.7.3", take(), 0, "nor has counter FFh");
}

static void to_user(struct frame *f)
{
	f->r.rcx = 1;
}

static void in_user(void)
{
	struct user u = user_start;

	user_load("\xff\xc9\x75\xfc" INT80, 6);	/* until ECX is 0 */
	u.r.rcx = 0;
	vector_hook[VEC_IRQ0] = to_user;
	arm(VMI_CYCLES_REAL, now() + tick, 0);
	user_run(&u);
	vector_hook[VEC_IRQ0] = NULL;
	is("VMI-3.7.4", last.vector, VEC_SYSCALL, "an alarm in user mode");
	is("VMI64-1.1", irq0_cs & 3, 3, "which it interrupts");
	is("VMI64-1.1", irq0_flags & EFLAGS_IF, EFLAGS_IF,
	   "where the flag is on");
}

static void wall_clock(void)
{
	uint64_t before = vmi0(GetWallclockTime), moved;

	point("VMI-3.7.9", before > 1577836800000000000 &&
	      before < 4102444800000000000, "GetWallclockTime is of this century");
	wait_until(now() + 16 * tick);			/* 125 ms */
	moved = vmi0(GetWallclockTime) - before;
	point("VMI-3.7.9", moved > 60000000 && moved < 1000000000,
	      "it runs as the real counter does");
	point("VMI-3.7.9", (uint32_t)vmi0(WallclockUpdated) <= 1,
	      "WallclockUpdated is 0 or 1");
	is("VMI-3.7.9", (uint32_t)vmi0(WallclockUpdated), 0,
	   "and 0 when asked again");
}

void timers(void)
{
	static const char *const clauses[] = {
		"VMI-3.2.66", "VMI-3.7.1", "VMI-3.7.2", "VMI-3.7.3", "VMI-3.7.4",
		"VMI-3.7.5", "VMI-3.7.6", "VMI-3.7.7", "VMI-3.7.9"
	};

	if (!offered(VMI64_CALL_GetCycleFrequency)) {
		for (uint32_t i = 0; i < sizeof(clauses) / sizeof(*clauses); i++)
			skip(clauses[i], "time", "no time calls");
		return;
	}
	counters();
	one_shot();
	periodic();
	in_user();
	wall_clock();
}

/* ---- the local APIC ------------------------------------------------------------------ */

#define APIC_ID		0x020u
#define APIC_VERSION	0x030u
#define APIC_TPR	0x080u
#define APIC_EOI	0x0b0u
#define APIC_SVR	0x0f0u
#define APIC_ISR	0x100u
#define APIC_IRR	0x200u
#define APIC_ICR	0x300u
#define APIC_LVTT	0x320u
#define LVT_MASKED	0x10000u
#define ICR_SELF	0x40000u
#define ICR_NMI		0x400u
#define SVR_ENABLE	0x100u
#define VECTOR		0x41u
#define HIGH_VECTOR	0xf1u
#define BANK		((VECTOR >> 5) * 0x10)	/* of IRR and ISR */
#define BIT		(1u << (VECTOR & 31))

static uint32_t came, isr_inside, high_inside;
static bool raise_high;

static uint32_t read_apic(uint32_t offset)
{
	return (uint32_t)vmi1(APICRead, offset);
}

static void write_apic(uint32_t offset, uint32_t value)
{
	vmi2(APICWrite, offset, value);
}

static void on_high(struct frame *f)
{
	(void)f;
	high_inside += raise_high;
	write_apic(APIC_EOI, 0);
}

static void on_vector(struct frame *f)
{
	(void)f;
	came++;
	if (raise_high) {		/* before our EOI */
		write_apic(APIC_ICR, ICR_SELF | HIGH_VECTOR);
		vmi0(EnableInterrupts);
		vmi0(DisableInterrupts);
	}
	isr_inside = read_apic(APIC_ISR + BANK);
	write_apic(APIC_EOI, 0);
}

static uint32_t taken(void)
{
	const uint32_t before = came;

	for (int i = 0; i < 100; i++) {
		vmi0(EnableInterrupts);
		vmi0(DisableInterrupts);
	}
	return came - before;
}

static void cr8(void)
{
	uint64_t tpr;

	write_apic(APIC_TPR, 0x30);
	__asm__ volatile("mov %%cr8, %0" : "=r"(tpr));
	is("VMI64-1.1", tpr, 3, "CR8 shows TPR");
	__asm__ volatile("mov %0, %%cr8" : : "r"(5ull));
	is("VMI64-1.1", read_apic(APIC_TPR), 0x50, "and sets it");
	write_apic(APIC_ICR, ICR_SELF | VECTOR);
	is("VMI64-1.1", taken(), 0, "which holds back what is below");
	vmi0(EnableInterrupts);
	__asm__ volatile("mov %0, %%cr8" : : "r"(0ull));
	vmi0(DisableInterrupts);
	is("VMI64-1.1", taken(), 0, "until it is lowered, when it comes at once");
}

static void lvtt(void)
{
	const uint32_t flags = VMI_CYCLES_REAL | VMI_ALARM_LVTT;

	if (!offered(VMI64_CALL_SetAlarm)) {
		skip("VMI-3.7.8", "alarms by LVTT", "no time calls");
		return;
	}
	write_apic(APIC_LVTT, VECTOR);
	arm(flags, now() - 1, 0);
	is("VMI-3.7.3", taken(), 1, "an alarm by LVTT comes by its vector");
	arm(flags, now() + (hz << 6), 0);
	write_apic(APIC_LVTT, LVT_MASKED | VECTOR);
	write_apic(APIC_LVTT, VECTOR);
	is("VMI-3.7.8", (uint32_t)vmi1(CancelAlarm, VMI_CYCLES_REAL), 1,
	   "writing LVTT leaves it armed");
	arm(flags, now() - 1, 0);
	is("VMI-3.7.8", taken(), 1, "and in use");
	write_apic(APIC_LVTT, LVT_MASKED);
}

void apic(void)
{
	uint32_t svr, old;

	if (!offered(VMI64_CALL_APICRead)) {
		skip("VMI-3.2.63", "the local APIC", "the calls are not offered");
		return;
	}
	svr = read_apic(APIC_SVR);
	is("VMI-3.2.63", read_apic(APIC_VERSION) & 0xf0, 0x10,
	   "APICRead of the version register");
	is("VMI-3.2.63", read_apic(APIC_ID) >> 24, 0, "of the id");
	write_apic(APIC_SVR, svr | SVR_ENABLE);
	is("VMI-3.2.63", read_apic(APIC_SVR) & SVR_ENABLE, SVR_ENABLE,
	   "APICWrite to SVR turns it on");
	write_apic(APIC_TPR, 0x20);
	is("VMI-3.2.63", read_apic(APIC_TPR), 0x20, "TPR is read back");
	vmi2(APICWrite, 0x7777777700000080, 0x8888888800000010);
	is("VMI64-3.1.1", (uint32_t)vmi1(APICRead, 0x9999999900000080), 0x10,
	   "offset and value have 32 bits");
	write_apic(APIC_TPR, 0);
	vector_hook[VECTOR] = on_vector;
	write_apic(APIC_ICR, ICR_SELF | VECTOR);
	is("VMI-3.6.1", came, 0, "an interrupt to oneself waits for the flag");
	is("VMI-3.2.63", read_apic(APIC_IRR + BANK) & BIT, BIT, "and is in IRR");
	is("VMI-3.6.2", taken(), 1, "it is delivered once when the flag goes on");
	is("VMI-3.2.63", isr_inside & BIT, BIT, "ISR has it inside the handler");
	is("VMI-3.2.63", (read_apic(APIC_IRR + BANK) |
	   read_apic(APIC_ISR + BANK)) & BIT, 0, "neither has it after EOI");
	vmi0(EnableInterrupts);
	old = came;
	write_apic(APIC_ICR, ICR_SELF | VECTOR);
	is("VMI-3.6.2", came, old + 1, "with the flag on it comes at once");
	vmi0(DisableInterrupts);
	write_apic(APIC_TPR, 0x50);
	write_apic(APIC_ICR, ICR_SELF | VECTOR);
	is("VMI-3.2.63", taken(), 0, "TPR holds back what is of its class or below");
	write_apic(APIC_TPR, 0);
	is("VMI-3.2.63", taken(), 1, "until it is lowered");
	vector_hook[HIGH_VECTOR] = on_high;
	raise_high = true;
	write_apic(APIC_ICR, ICR_SELF | VECTOR);
	taken();
	raise_high = false;
	is("VMI-3.2.63", high_inside, 1, "a higher class interrupts a handler");
	old = came;
	write_apic(APIC_ICR, ICR_SELF | ICR_NMI);
	is("VMI64-1.1", taken(), 0, "an NMI is dropped");
	vmi0(EnableInterrupts);
	vmi0(DisableInterrupts);
	is("VMI-3.2.63", came, old, "and nothing is left");
	cr8();
	lvtt();
	vector_hook[VECTOR] = vector_hook[HIGH_VECTOR] = NULL;
	write_apic(APIC_SVR, svr);
}

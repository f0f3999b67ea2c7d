// SPDX-License-Identifier: GPL-2.0-only
/* Counters, alarms, the wall clock: VMI-3.7. */
#include "conf.h"

#define SHORT_ALARMS	100u

static uint64_t hz, tick;		/* a tick is about 8 ms */

static uint64_t cycles(uint32_t counter)
{
	return vmi64(VMI_CALL_GetCycleCounter, counter);
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
	uint64_t before[3], last[3], t0, t1, c0, c1, c2, c3, a, s0, s1;
	bool forward[3] = { true, true, true }, sums = true, zero = true;

	hz = vmi64(VMI_CALL_GetCycleFrequency, 0);
	tick = hz >> 7;
	point("3.2.66", hz > 1000000, "GetCycleFrequency is more than 1 MHz");
	for (uint32_t c = 0; c < 3; c++)
		before[c] = cycles(c);
	for (int i = 0; i < 1000; i++) {
		for (uint32_t c = 0; c < 3; c++) {
			last[c] = cycles(c);
			forward[c] &= last[c] >= before[c];
			before[c] = last[c];
		}
		c0 = now();
		s0 = cycles(VMI_CYCLES_STOLEN);
		a = cycles(VMI_CYCLES_AVAILABLE);
		s1 = cycles(VMI_CYCLES_STOLEN);
		c1 = now();
		sums &= a + s0 <= c1 && a + s1 >= c0;
	}
	point("3.7.2", forward[0], "the real counter does not go back");
	point("3.7.2", forward[1], "the available counter does not go back");
	point("3.7.2", forward[2], "the stolen counter does not go back");
	point("3.7.2", sums, "real is available and stolen");
	point("3.7.2", now() < hz * 3600, "real began not long ago");
	for (uint32_t i = 0; i < 5; i++)
		zero &= cycles(unknown[i]) == 0;
	point("3.7.1", zero, "an unknown counter reads 0");
	point("3.7.1", vmi64(VMI_CALL_GetCycleFrequency, 0) == hz,
	      "the frequency is constant");
	/* the host may stop us between any two of these */
	c0 = now();
	__asm__ volatile("rdtsc" : "=A"(t0));
	c1 = now();
	wait_until(c1 + 4 * tick);
	c2 = now();
	__asm__ volatile("rdtsc" : "=A"(t1));
	c3 = now();
	point("3.2.27", t1 - t0 >= c2 - c1 - (tick >> 4) &&
	      t1 - t0 <= c3 - c0 + (tick >> 4),
	      "RDTSC ticks as the real counter does");
}

static void one_shot(void)
{
	uint64_t expiry;
	uint32_t held;

	arm(VMI_CYCLES_REAL, now() - 1, 0);
	is("3.7.4", take(), 1, "an alarm set in the past fires at once");
	is("3.7.7", vmi1(CancelAlarm, 0), 0, "an alarm that has fired is not armed");
	arm(VMI_CYCLES_REAL, 0, 0);
	is("3.7.4", take(), 1, "expiry 0 is in the past");
	expiry = now() + tick;
	arm(VMI_CYCLES_REAL, expiry, 0);
	halt_for_one();
	point("3.7.4", now() >= expiry, "an alarm does not fire early");
	point("3.7.6", now() < expiry + hz, "a halted processor wakes for it");
	wait_until(now() + 2 * tick);
	is("3.7.3", take(), 0, "a one-shot alarm fires once");
	arm(VMI_CYCLES_REAL, now() + tick, tick);
	halt_for_one();
	is("3.7.3", vmi1(CancelAlarm, 0), 0,
	   "without its flag a period counts for nothing");
	take();

	expiry = now() + tick;
	arm(VMI_CYCLES_REAL, expiry, 0);
	held = irq0_count;
	wait_until(expiry + tick);
	held = irq0_count - held;
	halt_for_one();
	point("3.7.4", held == 0 && take() == 0,
	      "an alarm that expires while the flag is off waits, and comes once");

	arm(VMI_CYCLES_REAL, now() + (hz << 6), 0);
	is("3.7.7", vmi1(CancelAlarm, 0), 1, "an armed alarm is cancelled");
	is("3.7.7", vmi1(CancelAlarm, 0), 0, "and is not armed then");
	expiry = now() + tick;
	arm(VMI_CYCLES_REAL, expiry, 0);
	vmi1(CancelAlarm, 0);
	wait_until(expiry + tick);
	is("3.7.7", take(), 0, "a cancelled alarm does not fire");

	/* setting replaces */
	arm(VMI_CYCLES_REAL, now() + tick, 0);
	arm(VMI_CYCLES_REAL, now() + (hz << 6), 0);
	wait_until(now() + 2 * tick);
	is("3.7.3", take(), 0, "a later expiry replaces the one before");
	expiry = now() + tick;
	arm(VMI_CYCLES_REAL, expiry, 0);
	halt_for_one();
	point("3.7.3", now() >= expiry, "an earlier expiry replaces it too");
	is("3.7.7", vmi1(CancelAlarm, 0), 0, "and nothing is left");
}

static void periodic(void)
{
	const uint32_t flags = VMI_CYCLES_REAL | VMI_ALARM_PERIODIC;
	uint64_t start = now(), seen, left, phase = 16 * tick;
	uint32_t count;
	bool early = false;

	/* the worked example, with a tick for a millisecond */
	arm(flags, start + 3 * tick, 2 * tick);
	for (int i = 0; i < 4; i++) {
		halt_for_one();
		seen = now() - start;
		early |= seen < (3 + 2 * (uint64_t)i) * tick;
	}
	point("3.7.5", !early, "expiry 3, period 2: not before 3, 5, 7, 9");
	is("3.7.7", vmi1(CancelAlarm, flags), 1, "a periodic alarm stays armed");
	is("3.7.7", vmi1(CancelAlarm, flags), 0, "until it is cancelled");
	take();

	/*
	 * Three are missed already; the next is half a period from now. Any
	 * may be late on a busy host, but not all.
	 */
	wait_until(40 * tick);
	start = now() - 40 * tick;
	arm(flags, start, 16 * tick);
	count = take();
	early = false;
	for (int i = 0; i < 3; i++) {
		halt_for_one();
		seen = now() - start;
		early |= seen < (48 + 16 * (uint64_t)i) * tick;
		for (left = seen; left >= 16 * tick; left -= 16 * tick)
			;
		if (left < phase)
			phase = left;
	}
	point("3.7.5", count == 1 && !early, "missed periods fire once");
	point("3.7.5", phase < 4 * tick, "and the alarm stays in its series");
	vmi1(CancelAlarm, flags);
	take();
	wait_until(now() + 20 * tick);
	is("3.7.7", take(), 0, "a periodic alarm that is cancelled is quiet");

	arm(flags, now() + tick, 0);
	halt_for_one();
	is("3.7.3", vmi1(CancelAlarm, flags), 0, "period 0 is one-shot");
}

/* Every cycle, that is: as often as it goes, and the guest comes forward. */
static void shortest(void)
{
	const uint32_t flags = VMI_CYCLES_REAL | VMI_ALARM_PERIODIC;
	const uint32_t before = irq0_count;
	uint32_t turns = 0;

	arm(flags, 0, 1);
	vmi0(EnableInterrupts);
	while (irq0_count - before < SHORT_ALARMS)
		turns++;
	vmi0(DisableInterrupts);
	point("3.7.5", turns > SHORT_ALARMS,
	      "a period of one cycle leaves the guest time to run");
	is("3.7.7", vmi1(CancelAlarm, flags), 1, "and is cancelled");
	take();
}

static void other_counters(void)
{
	uint64_t expiry = cycles(VMI_CYCLES_AVAILABLE) + tick;

	arm(VMI_CYCLES_AVAILABLE, expiry, 0);
	halt_for_one();
	point("3.7.4", cycles(VMI_CYCLES_AVAILABLE) >= expiry,
	      "an alarm of the available counter");
	arm(VMI_CYCLES_REAL, now() + (hz << 6), 0);
	arm(VMI_CYCLES_AVAILABLE, cycles(1) + (hz << 6), 0);
	is("3.7.3", vmi1(CancelAlarm, VMI_CYCLES_REAL), 1,
	   "each counter has its alarm: real");
	is("3.7.3", vmi1(CancelAlarm, VMI_CYCLES_AVAILABLE), 1,
	   "each counter has its alarm: available");
	arm(VMI_CYCLES_STOLEN, 0, 0);
	is("3.7.3", take(), 0, "the stolen counter has no alarm");
	is("3.7.7", vmi1(CancelAlarm, VMI_CYCLES_STOLEN), 0, "to cancel");
	arm(3, 0, 0);
	is("3.7.3", take(), 0, "counter 3 has no alarm");
	is("3.7.7", vmi1(CancelAlarm, 3), 0, "to cancel");
	arm(0xff, 0, 0);
	is("3.7.3", take(), 0, "counter FFh has no alarm");
}

static void bump(void)
{
	++*(volatile uint32_t *)user_pages[1];
}

static void user_alarm(void)
{
	struct user u = user_state(u_spin);
	volatile uint32_t *const word = (volatile uint32_t *)user_pages[1];

	u.ebx = play_va(STACK_PAGE);
	u.eax = *word;
	irq0_hook = bump;
	arm(VMI_CYCLES_REAL, now() + tick, 0);
	enter_user(&u);
	irq0_hook = NULL;
	is("3.7.4", last_trap.vector, VEC_SYSCALL, "an alarm in user mode");
	is("1.3", irq0_eflags & EFLAGS_IF, EFLAGS_IF,
	   "its frame has the flag on");
}

static void wall_clock(void)
{
	const uint64_t year_2020 = 1577836800ull;
	uint64_t before = vmi64(VMI_CALL_GetWallclockTime, 0), after, moved;
	bool forward = true;

	/* 2020 to 2100, in ns, without a division of 64 bits */
	point("3.7.9", before > year_2020 * 1000000000ull &&
	      before < 4102444800ull * 1000000000ull,
	      "GetWallclockTime is of this century");
	for (int i = 0; i < 1000; i++) {
		after = vmi64(VMI_CALL_GetWallclockTime, 0);
		forward &= after >= before;
		before = after;
	}
	point("3.1.2", before >> 32, "its high half is in EDX");
	point("3.7.9", forward, "it does not go back");
	wait_until(now() + 16 * tick);			/* 125 ms */
	moved = vmi64(VMI_CALL_GetWallclockTime, 0) - before;
	point("3.7.9", moved > 60000000 && moved < 1000000000,
	      "it runs as the real counter does");
	if (!offered(VMI_CALL_WallclockUpdated)) {
		skip("3.7.9", "WallclockUpdated", "not offered");
		return;
	}
	point("3.7.9", vmi0(WallclockUpdated) <= 1, "WallclockUpdated is 0 or 1");
	is("3.7.9", vmi0(WallclockUpdated), 0, "and 0 when asked again");
}

void timers(void)
{
	if (!offered(VMI_CALL_GetCycleFrequency)) {
		static const char *const clauses[] = {
			"3.7.1", "3.7.2", "3.7.3", "3.7.4", "3.7.5", "3.7.6",
			"3.7.7", "3.7.9" };

		for (unsigned int i = 0; i < 8; i++)
			skip(clauses[i], "time", "no time calls");
		return;
	}
	counters();
	one_shot();
	periodic();
	shortest();
	other_counters();
	user_alarm();
	wall_clock();
}

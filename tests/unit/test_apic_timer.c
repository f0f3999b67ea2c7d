// SPDX-License-Identifier: GPL-2.0-only
/*
 * The local APIC's timer, compared with one that counts (SDM Vol. 3, 10.5.4).
 */
#include "apic.h"

static void test_one_shot(void **state)
{
	(void)state;
	wr(APIC_TDCR, 11);			/* by 1 */
	assert_int_equal(effect(APIC_LVTT, 0x41), APIC_NOTHING);
	assert_int_equal(apic_timer_next(&a), APIC_NEVER);
	assert_int_equal(effect(APIC_TMICT, 100), APIC_TIMER_SET);
	assert_int_equal(apic_timer_next(&a), 1000 + 1600);
	assert_int_equal(rd(APIC_TMCCT), 100);
	now += 1599;
	assert_int_equal(rd(APIC_TMCCT), 1);
	apic_timer_tick(&a, now);
	TAKES_NONE();
	now++;
	assert_int_equal(rd(APIC_TMCCT), 0);
	apic_timer_tick(&a, now);
	TAKES(0x41);
	wr(APIC_EOI, 0);
	assert_int_equal(apic_timer_next(&a), APIC_NEVER);
	apic_timer_tick(&a, now + 100000);
	TAKES_NONE();
	assert_int_equal(rd(APIC_TMICT), 100);
	/* a count that is taken back */
	wr(APIC_TMICT, 100);
	wr(APIC_TMICT, 0);
	assert_int_equal(apic_timer_next(&a), APIC_NEVER);
	/* two processors' counters may differ: no time has passed */
	wr(APIC_TMICT, 100);
	now -= 5;
	assert_int_equal(rd(APIC_TMCCT), 100);
	apic_timer_tick(&a, now);
	TAKES_NONE();
}

/* As kernels calibrate it: masked, it counts, and nothing comes of it. */
static void test_masked(void **state)
{
	(void)state;
	wr(APIC_TDCR, 3);			/* by 16 */
	wr(APIC_LVTT, MASKED | 0x200ef);
	wr(APIC_TMICT, 0x0fffffff);
	assert_int_equal(apic_timer_next(&a), APIC_NEVER);
	now += TSC_HZ / 10;
	assert_int_equal(rd(APIC_TMCCT), 0x0fffffff - TSC_HZ / 10 / 256);
	wr(APIC_LVTT, MASKED | 0xef);
	wr(APIC_TMICT, 1000);
	now += TSC_HZ;
	/* it came when it was masked: never */
	wr(APIC_LVTT, 0xef);
	TAKES_NONE();
	assert_int_equal(apic_timer_next(&a), APIC_NEVER);
	assert_int_equal(rd(APIC_TMCCT), 0);
	/* due, and the mask comes before anybody has looked */
	wr(APIC_TMICT, 1000);
	now += 256000;
	wr(APIC_LVTT, MASKED | 0xef);
	TAKES(0xef);
}

/* VMI-3.7.5 is for it, too: interrupts 500 us apart, at wraps of the count. */
static void test_short_periods(void **state)
{
	const uint32_t counts[] = { 1, 2, 3, 7, 100, 31249, 31250, 31251,
				    50000 };
	const uint64_t least = TSC_HZ / 2000;
	uint64_t next, last, per;
	uint32_t i, j;

	(void)state;
	wr(APIC_TDCR, 11);
	for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		per = counts[i] * 16ull;
		wr(APIC_LVTT, 0x20041);
		wr(APIC_TMICT, counts[i]);
		last = now;
		assert_int_equal(apic_timer_next(&a), now + per);
		for (j = 0; j < 5; j++) {
			next = apic_timer_next(&a);
			assert_int_equal((next - last) % per, 0);
			if (j && per < least)
				assert_in_range(next - last, least,
						least + per);
			else
				assert_int_equal(next - last, per);
			now = last = next;
			apic_timer_tick(&a, now);
			TAKES(0x41);
			wr(APIC_EOI, 0);
		}
	}
}

/* Counts one by one. */
static struct {
	uint64_t at;			/* the last count */
	uint32_t per, init, count, skip;
	bool	periodic, masked, due;
} ref;

static void ref_run(void)
{
	uint64_t wraps;

	for (; now - ref.at >= ref.per; ref.at += ref.per) {
		if (!ref.count || --ref.count)
			continue;
		if (!ref.skip && !ref.masked)
			ref.due = true;
		for (wraps = 1; wraps * ref.init * ref.per < TSC_HZ / 2000; )
			wraps++;
		ref.skip = ref.skip ? ref.skip - 1 : wraps - 1;
		if (ref.periodic)
			ref.count = ref.init;
	}
}

static void timer_step(uint64_t x)
{
	static const uint8_t per[16] = {
		[0] = 2, [1] = 4, [2] = 8, [3] = 16, [8] = 32, [9] = 64,
		[10] = 128, [11] = 1
	};
	static const uint8_t tdcr[8] = { 0, 1, 2, 3, 8, 9, 10, 11 };
	uint32_t value = x >> 32;
	uint8_t d = tdcr[x >> 8 & 7];

	switch (x & 15) {
	case 0:
	case 1:
		value = x >> 16 & 3 ? value % 5000 : value % 60000;
		wr(APIC_TMICT, value);
		ref.init = ref.count = value;
		ref.at = now;
		break;
	case 2:
		wr(APIC_TDCR, d | (value & ~0xbu));
		ref.per = 16 * per[d];
		ref.at = now;
		break;
	case 3:
	case 4:
	case 5:
		value &= 0x30000;
		if (x & 0x300)
			value &= ~MASKED;
		wr(APIC_LVTT, value | 0x41);
		ref.periodic = value & 0x20000;
		ref.masked = value & MASKED;
		break;
	case 6:
		if (x & 0x700)
			return;
		apic_timer_tick(&a, now);
		wr(APIC_SVR, 0xff);
		wr(APIC_SVR, 0x1ff);
		ref.masked = true;
		return;
	default:
		apic_timer_tick(&a, now);
		return;
	}
	ref.skip = 0;
}

static void test_timer_model(void **state)
{
	uint64_t seed = 815, x, next, fired = 0;
	struct apic copy;
	int i;

	(void)state;
	ref.per = 32;
	ref.masked = true;
	ref.at = now;
	for (i = 0; i < 200000; i++) {
		x = unit_random(&seed);
		now += x >> 20 & 1 ? x >> 21 & 0x3fff : x >> 21 & 0x1fffff;
		ref_run();
		assert_int_equal(rd(APIC_TMCCT), ref.count);
		timer_step(unit_random(&seed));
		if (ref.due)
			apic_timer_tick(&a, now);
		assert_int_equal(in(APIC_IRR, 0x41), ref.due);
		if (ref.due) {
			TAKES(0x41);
			wr(APIC_EOI, 0);
			fired++;
		}
		ref.due = false;
		assert_int_equal(rd(APIC_TMCCT), ref.count);
		next = apic_timer_next(&a);
		if (next == APIC_NEVER) {
			assert_true(ref.masked || !ref.count);
			continue;
		}
		assert_true(next > now && !ref.masked && ref.count);
		copy = a;
		apic_timer_tick(&copy, next - 1);
		assert_false(apic_pending(&copy));
		apic_timer_tick(&copy, next);
		assert_true(apic_pending(&copy));
		if (x >> 60 == 0)
			now = next - (x >> 59 & 1);
		ref_run();
	}
	assert_true(fired > 10000);
}

/* Both come by LVTT's vector. */
static void test_timer_and_alarm(void **state)
{
	(void)state;
	wr(APIC_LVTT, 0x41);
	wr(APIC_TMICT, 100);
	apic_alarm(&a);
	TAKES(0x41);
	wr(APIC_EOI, 0);
	now = apic_timer_next(&a);
	apic_timer_tick(&a, now);
	TAKES(0x41);
	wr(APIC_EOI, 0);
	/* masked, the alarm waits, and the count does not */
	wr(APIC_LVTT, MASKED | 0x41);
	wr(APIC_TMICT, 100);
	apic_alarm(&a);
	now += 100000;
	apic_timer_tick(&a, now);
	wr(APIC_LVTT, 0x41);
	TAKES(0x41);
	wr(APIC_EOI, 0);
	TAKES_NONE();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_one_shot),
		T(test_masked),
		T(test_short_periods),
		T(test_timer_model),
		T(test_timer_and_alarm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

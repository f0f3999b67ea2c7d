// SPDX-License-Identifier: GPL-2.0-only
/* The timer: hypervisor-stub/devices/pit.c against the 8254 data sheet. */
#include "unit.h"
#include "devices.h"

/* A TSC of 1000 cycles per tick makes times readable. */
#define TICK		1000ull
#define HZ		(PIT_HZ * TICK)

static struct pit fresh(void)
{
	struct pit p;

	pit_init(&p, HZ);
	return p;
}

static void load(struct pit *p, int ch, int mode, uint16_t n, uint64_t now)
{
	pit_out(p, PIT_MODE, ch << 6 | 0x30 | mode << 1, now);
	pit_out(p, PIT_CH0 + ch, n & 0xff, now);
	pit_out(p, PIT_CH0 + ch, n >> 8, now);
}

static uint16_t live(struct pit *p, int ch, uint64_t now)
{
	uint8_t low = pit_in(p, PIT_CH0 + ch, now);

	return pit_in(p, PIT_CH0 + ch, now) << 8 | low;
}

static uint16_t latched(struct pit *p, int ch, uint64_t now, uint64_t later)
{
	pit_out(p, PIT_MODE, ch << 6, now);
	return live(p, ch, later);
}

static uint8_t status(struct pit *p, int ch, uint64_t now)
{
	pit_out(p, PIT_MODE, 0xe0 | 2 << ch, now);
	return pit_in(p, PIT_CH0 + ch, now);
}

static void test_silent_until_loaded(void **state)
{
	struct pit p = fresh();

	(void)state;
	assert_true(pit_next(&p, 5) == PIT_NEVER);
	assert_false(pit_tick(&p, 1ull << 60));
	pit_out(&p, PIT_MODE, 0x34, 5);
	pit_out(&p, PIT_CH0, 0x10, 5);		/* the first of two bytes */
	assert_true(pit_next(&p, 5) == PIT_NEVER);
	assert_int_equal(status(&p, 0, 6), 0x80 | 0x40 | 0x34);
	pit_out(&p, PIT_CH0, 0, 5);
	assert_true(pit_next(&p, 5) == 5 + 16 * TICK);
	assert_int_equal(pit_in(&p, PIT_MODE, 5), 0xff);
	assert_int_equal(pit_in(&p, 0x44, 5), 0xff);
}

static void test_periodic(void **state)
{
	int mode;

	(void)state;
	for (mode = 2; mode <= 3; mode++) {
		struct pit p = fresh();
		uint64_t t = 777;

		load(&p, 0, mode, 100, t);
		assert_false(pit_tick(&p, t));
		assert_true(pit_next(&p, t) == t + 100 * TICK);
		assert_false(pit_tick(&p, t + 100 * TICK - 1));
		assert_true(pit_tick(&p, t + 100 * TICK));
		assert_false(pit_tick(&p, t + 100 * TICK));
		assert_true(pit_next(&p, t + 100 * TICK) == t + 200 * TICK);
		/* An edge that waits for pit_tick is due now. */
		assert_true(pit_next(&p, t + 250 * TICK) == t + 250 * TICK);
		/* Several missed ones count once, and the phase stays. */
		assert_true(pit_tick(&p, t + 950 * TICK));
		assert_false(pit_tick(&p, t + 999 * TICK));
		assert_true(pit_next(&p, t + 999 * TICK) == t + 1000 * TICK);
	}
}

static void test_one_shot(void **state)
{
	struct pit p = fresh();

	(void)state;
	load(&p, 0, 0, 50, 0);
	assert_int_equal(status(&p, 0, 49 * TICK), 0x30);
	assert_true(pit_next(&p, 0) == 50 * TICK);
	assert_false(pit_tick(&p, 50 * TICK - 1));
	assert_true(pit_tick(&p, 50 * TICK));
	assert_int_equal(status(&p, 0, 50 * TICK), 0xb0);
	assert_true(pit_next(&p, 50 * TICK) == PIT_NEVER);
	assert_false(pit_tick(&p, 1ull << 50));
	/* Mode 4, the strobe, rises one tick later, and reloads at once. */
	load(&p, 0, 4, 50, 0);
	assert_true(pit_next(&p, 0) == 51 * TICK);
	assert_int_equal(status(&p, 0, 50 * TICK), 0x38);
	assert_int_equal(status(&p, 0, 51 * TICK), 0xb8);
	assert_true(pit_tick(&p, 51 * TICK));
	assert_true(pit_next(&p, 51 * TICK) == PIT_NEVER);
	pit_out(&p, PIT_CH0, 10, 60 * TICK);
	pit_out(&p, PIT_CH0, 0, 60 * TICK);
	assert_true(pit_next(&p, 60 * TICK) == 71 * TICK);
}

static void test_first_byte_stops_mode_0(void **state)
{
	struct pit p = fresh();

	(void)state;
	load(&p, 0, 0, 50, 0);
	pit_out(&p, PIT_CH0, 10, 10 * TICK);
	assert_true(pit_next(&p, 10 * TICK) == PIT_NEVER);
	assert_false(pit_tick(&p, 60 * TICK));
	pit_out(&p, PIT_CH0, 0, 60 * TICK);
	assert_true(pit_next(&p, 60 * TICK) == 70 * TICK);
}

static void test_edge_before_reload_is_kept(void **state)
{
	struct pit p = fresh();

	(void)state;
	load(&p, 0, 2, 100, 0);
	load(&p, 0, 0, 1000, 150 * TICK);
	assert_true(pit_next(&p, 150 * TICK) == 150 * TICK);
	assert_true(pit_tick(&p, 150 * TICK));
	assert_false(pit_tick(&p, 151 * TICK));
	assert_true(pit_next(&p, 151 * TICK) == 1150 * TICK);
	/* ... but one that was reported is not reported twice. */
	assert_true(pit_tick(&p, 1150 * TICK));
	load(&p, 0, 2, 100, 1200 * TICK);
	assert_false(pit_tick(&p, 1200 * TICK));
}

static void test_count_65536(void **state)
{
	struct pit p = fresh();

	(void)state;
	load(&p, 0, 2, 0, 0);
	assert_true(pit_next(&p, 0) == 65536 * TICK);
	assert_int_equal(live(&p, 0, 0), 0);
	assert_int_equal(live(&p, 0, TICK), 0xffff);
	assert_int_equal(live(&p, 0, 65535 * TICK), 1);
}

static void test_counting(void **state)
{
	struct pit p = fresh();

	(void)state;
	load(&p, 0, 2, 100, 0);
	assert_int_equal(live(&p, 0, 0), 100);
	assert_int_equal(live(&p, 0, 99 * TICK), 1);
	assert_int_equal(live(&p, 0, 100 * TICK), 100);
	assert_int_equal(status(&p, 0, 98 * TICK), 0xb4);
	assert_int_equal(status(&p, 0, 99 * TICK), 0x34);
	load(&p, 0, 3, 100, 0);
	assert_int_equal(live(&p, 0, TICK), 98);
	assert_int_equal(live(&p, 0, 49 * TICK), 2);
	assert_int_equal(status(&p, 0, 49 * TICK), 0xb6);
	assert_int_equal(live(&p, 0, 50 * TICK), 100);
	assert_int_equal(status(&p, 0, 50 * TICK), 0x36);
	load(&p, 0, 3, 5, 0);
	assert_int_equal(status(&p, 0, 2 * TICK), 0xb6);
	assert_int_equal(status(&p, 0, 3 * TICK), 0x36);
	assert_int_equal(live(&p, 0, 3 * TICK), 4);
	load(&p, 0, 0, 3, 0);
	assert_int_equal(live(&p, 0, 4 * TICK), 0xffff);
}

static void test_latch(void **state)
{
	struct pit p = fresh();

	(void)state;
	load(&p, 0, 2, 0x4321, 0);
	assert_int_equal(latched(&p, 0, TICK, 99 * TICK), 0x4320);
	assert_int_equal(live(&p, 0, 2 * TICK), 0x431f);
	/* A second latch before the read is ignored. */
	pit_out(&p, PIT_MODE, 0x00, 0);
	assert_int_equal(latched(&p, 0, TICK, 99 * TICK), 0x4321);
	/* Read-back of status and count of two channels: status first. */
	load(&p, 2, 0, 0x1234, 0);
	pit_out(&p, PIT_MODE, 0xca, 2 * TICK);
	assert_int_equal(pit_in(&p, PIT_CH0, 50 * TICK), 0xb4);
	assert_int_equal(live(&p, 0, 50 * TICK), 0x431f);
	assert_int_equal(pit_in(&p, PIT_CH2, 50 * TICK), 0x30);
	assert_int_equal(live(&p, 2, 50 * TICK), 0x1234);	/* gate is 0 */
	assert_false(p.channel[1].latched || p.channel[1].status_latched);
}

static void test_access(void **state)
{
	struct pit p = fresh();

	(void)state;
	pit_out(&p, PIT_MODE, 0x14, 0);
	pit_out(&p, PIT_CH0, 0x20, 0);
	assert_true(pit_next(&p, 0) == 0x20 * TICK);
	assert_int_equal(pit_in(&p, PIT_CH0, TICK), 0x1f);
	assert_int_equal(pit_in(&p, PIT_CH0, TICK), 0x1f);
	pit_out(&p, PIT_MODE, 0x24, 0);
	pit_out(&p, PIT_CH0, 0x20, 0);
	assert_true(pit_next(&p, 0) == 0x2000 * TICK);
	assert_int_equal(pit_in(&p, PIT_CH0, TICK), 0x1f);
	pit_out(&p, PIT_MODE, 0x00, TICK);
	assert_int_equal(pit_in(&p, PIT_CH0, 0x800 * TICK), 0x1f);
	assert_int_equal(pit_in(&p, PIT_CH0, 0x800 * TICK), 0x18);
}

static void test_channel_2_gate(void **state)
{
	struct pit p = fresh();

	(void)state;
	/* As Linux calibrates its TSC: mode 0, OUT2 in bit 5 of port 61h. */
	pit_out(&p, PIT_PORT61, 0x01, 0);
	load(&p, 2, 0, 100, 0);
	assert_int_equal(pit_in(&p, PIT_PORT61, 99 * TICK) & 0x2f, 0x01);
	assert_int_equal(pit_in(&p, PIT_PORT61, 100 * TICK) & 0x2f, 0x21);
	/* The gate stops and resumes mode 0. */
	load(&p, 2, 0, 100, 0);
	pit_out(&p, PIT_PORT61, 0x02, 30 * TICK);
	assert_int_equal(live(&p, 2, 500 * TICK), 70);
	assert_int_equal(pit_in(&p, PIT_PORT61, 500 * TICK) & 0x2f, 0x02);
	pit_out(&p, PIT_PORT61, 0x03, 500 * TICK);
	pit_out(&p, PIT_PORT61, 0x03, 510 * TICK);
	assert_int_equal(live(&p, 2, 520 * TICK), 50);
	assert_int_equal(pit_in(&p, PIT_PORT61, 570 * TICK) & 0x2f, 0x23);
	/* It restarts mode 2 and 3, whose OUT is high meanwhile. */
	load(&p, 2, 3, 100, 0);
	pit_out(&p, PIT_PORT61, 0, 60 * TICK);
	assert_int_equal(pit_in(&p, PIT_PORT61, 80 * TICK) & 0x20, 0x20);
	pit_out(&p, PIT_PORT61, 1, 90 * TICK);
	assert_int_equal(live(&p, 2, 91 * TICK), 98);
	/* It triggers mode 1 and 5. */
	load(&p, 2, 1, 100, 0);
	assert_int_equal(pit_in(&p, PIT_PORT61, 5 * TICK) & 0x20, 0x20);
	pit_out(&p, PIT_PORT61, 0, 5 * TICK);
	pit_out(&p, PIT_PORT61, 1, 10 * TICK);
	assert_int_equal(pit_in(&p, PIT_PORT61, 109 * TICK) & 0x20, 0);
	assert_int_equal(pit_in(&p, PIT_PORT61, 110 * TICK) & 0x20, 0x20);
	/* Channel 2 never makes an interrupt. */
	assert_true(pit_next(&p, 0) == PIT_NEVER);
	assert_false(pit_tick(&p, 1ull << 40));
}

static void test_gate_twice(void **state)
{
	struct pit p = fresh();

	(void)state;
	/* Mode 2, then 1: only a rising gate restarts. */
	pit_out(&p, PIT_PORT61, 1, 0);
	load(&p, 2, 2, 100, 0);
	pit_out(&p, PIT_PORT61, 1, 10 * TICK);
	assert_int_equal(live(&p, 2, 20 * TICK), 80);
	pit_out(&p, PIT_PORT61, 0, 30 * TICK);
	assert_int_equal(live(&p, 2, 50 * TICK), 100);
	load(&p, 2, 1, 100, 0);
	pit_out(&p, PIT_PORT61, 1, 0);
	pit_out(&p, PIT_PORT61, 1, 10 * TICK);
	assert_int_equal(live(&p, 2, 20 * TICK), 80);
	pit_out(&p, PIT_PORT61, 0, 20 * TICK);	/* goes on counting */
	assert_int_equal(live(&p, 2, 30 * TICK), 70);
	/* A gate without a count starts nothing. */
	pit_out(&p, PIT_MODE, 0xb4, 0);
	pit_out(&p, PIT_PORT61, 1, 0);
	assert_false(p.channel[2].running);
}

static void test_control_word(void **state)
{
	struct pit p = fresh();

	(void)state;
	/* Forgets half-done writes and reads, latches, and the count. */
	load(&p, 0, 2, 100, 0);
	pit_in(&p, PIT_CH0, 0);
	pit_out(&p, PIT_CH0, 1, 0);
	assert_int_equal(status(&p, 0, 0), 0xc0 | 0x34);
	pit_out(&p, PIT_MODE, 0xc2, 0);
	pit_out(&p, PIT_MODE, 0x36, 0);
	assert_int_equal(status(&p, 0, 0), 0xc0 | 0x36);
	assert_true(pit_next(&p, 0) == PIT_NEVER);
	assert_int_equal(live(&p, 0, 99 * TICK), 0);
	pit_out(&p, PIT_CH0, 50, 0);
	pit_out(&p, PIT_CH0, 0, 0);
	assert_int_equal(live(&p, 0, 110 * TICK), 30);
	/* OUT of mode 0 is low at once, of the others high. */
	pit_out(&p, PIT_MODE, 0x30, 0);
	assert_int_equal(status(&p, 0, 0), 0x40 | 0x30);
	pit_out(&p, PIT_MODE, 0x33, 0);		/* BCD bit is remembered */
	assert_int_equal(status(&p, 0, 0), 0xc0 | 0x33);
	/* Modes 6 and 7 are 2 and 3. */
	load(&p, 0, 6, 100, 0);
	assert_true(pit_next(&p, 0) == 100 * TICK);
	assert_int_equal(live(&p, 0, 10 * TICK), 90);
	assert_int_equal(status(&p, 0, 60 * TICK), 0xbc);
	load(&p, 0, 7, 100, 0);
	assert_int_equal(live(&p, 0, 10 * TICK), 80);
	assert_int_equal(status(&p, 0, 60 * TICK), 0x3e);
	assert_true(pit_tick(&p, 100 * TICK));
	/* Modes 1 and 5 wait for a gate, which channel 0 never gets. */
	load(&p, 0, 5, 100, 100 * TICK);
	assert_true(pit_next(&p, 100 * TICK) == PIT_NEVER);
	assert_int_equal(status(&p, 0, 150 * TICK), 0xba);
	assert_false(pit_tick(&p, 300 * TICK));
}

static void test_refresh_toggles(void **state)
{
	struct pit p = fresh();
	uint64_t t;
	int changes = 0;
	uint8_t last = 0;

	(void)state;
	for (t = 0; t < 1800; t++) {
		uint8_t val = pit_in(&p, PIT_PORT61, t * TICK) & 0x10;

		changes += val != last;
		last = val;
	}
	assert_int_equal(changes, 99);
}

/* Over 30 days of an odd TSC frequency, edges neither drift nor get lost. */
static void test_no_drift(void **state)
{
	const uint64_t hz = 2894561237ull;
	uint64_t t = 0, n, step = hz / 3;
	struct pit p;

	(void)state;
	pit_init(&p, hz);
	load(&p, 0, 2, 11932, 0);
	for (n = 1; n <= 1000; n++) {
		uint64_t next = pit_next(&p, t);

		assert_false(pit_tick(&p, next - 1));
		assert_true(pit_tick(&p, next));
		/* edge k at ceil(k * 11932 * hz / PIT_HZ) */
		assert_true(next == (uint64_t)
			    (((unsigned __int128)n * 11932 * hz + PIT_HZ - 1) /
			     PIT_HZ));
		t = next;
	}
	for (; t < 30ull * 86400 * hz; t += step * 50000)
		pit_tick(&p, t);
	n = (unsigned __int128)t * PIT_HZ / hz / 11932 + 1;
	pit_tick(&p, t);
	assert_true(pit_next(&p, t) == (uint64_t)
		    (((unsigned __int128)n * 11932 * hz + PIT_HZ - 1) /
		     PIT_HZ));
}

/* Any writes, any frequency, any monotonic time: next and tick agree. */
static void test_hostile(void **state)
{
	static const uint64_t hz[] = {
		0, 1, PIT_HZ, 1000000000, 5000000001, 1ull << 43, UINT64_MAX
	};
	uint64_t seed = 2;
	unsigned int f, i;

	(void)state;
	for (f = 0; f < sizeof(hz) / sizeof(hz[0]); f++) {
		uint64_t now = 0;
		struct pit p;

		pit_init(&p, hz[f]);
		for (i = 0; i < 100000; i++) {
			uint64_t r = unit_random(&seed), next;
			unsigned int port = 0x40 + (r & 3);

			if ((r & 7) == 4)
				port = 0x61;
			if (r & 0x100)
				pit_out(&p, port, r >> 16, now);
			else
				pit_in(&p, port, now);
			next = pit_next(&p, now);
			assert_true(next >= now);
			if (next == now) {
				assert_true(pit_tick(&p, now));
				continue;
			}
			assert_false(pit_tick(&p, now));
			if ((r & 0x600) == 0x200 && next != PIT_NEVER) {
				now = next - 1;
				assert_false(pit_tick(&p, now));
				assert_true(pit_next(&p, now) == next);
				now = next;
				assert_true(pit_tick(&p, now));
			} else if (r & 0x800 &&
				   __builtin_add_overflow(now,
					(r >> 32) << ((r >> 12) & 15), &now)) {
				break;
			}
		}
		/* The end of time */
		pit_tick(&p, UINT64_MAX);
		load(&p, 0, 2, 7, UINT64_MAX - 1);
		pit_tick(&p, UINT64_MAX - 1);
		assert_true(pit_next(&p, UINT64_MAX - 1) == PIT_NEVER);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_silent_until_loaded),
		cmocka_unit_test(test_periodic),
		cmocka_unit_test(test_one_shot),
		cmocka_unit_test(test_first_byte_stops_mode_0),
		cmocka_unit_test(test_edge_before_reload_is_kept),
		cmocka_unit_test(test_count_65536),
		cmocka_unit_test(test_counting),
		cmocka_unit_test(test_latch),
		cmocka_unit_test(test_access),
		cmocka_unit_test(test_channel_2_gate),
		cmocka_unit_test(test_gate_twice),
		cmocka_unit_test(test_control_word),
		cmocka_unit_test(test_refresh_toggles),
		cmocka_unit_test(test_no_drift),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests_name("pit", tests, NULL, NULL);
}

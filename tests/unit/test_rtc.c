// SPDX-License-Identifier: GPL-2.0-only
/* The CMOS clock: hypervisor-stub/devices/rtc.c; the host's gmtime is the oracle. */
#include <time.h>

#include "unit.h"
#include "devices.h"

#define NOW	1704067200ull		/* 2024-01-01 00:00:00, a Monday */

static uint8_t get(struct rtc *r, uint8_t reg, uint64_t seconds)
{
	rtc_out(r, 0x70, reg);
	return rtc_in(r, 0x71, seconds);
}

static void put(struct rtc *r, uint8_t reg, uint8_t val)
{
	rtc_out(r, 0x70, reg);
	rtc_out(r, 0x71, val);
}

static unsigned int from_bcd(uint8_t val)
{
	assert_true((val & 15) < 10 && val >> 4 < 10);
	return (val >> 4) * 10 + (val & 15);
}

static void check(struct rtc *r, uint64_t seconds)
{
	time_t t = seconds;
	struct tm tm;

	gmtime_r(&t, &tm);
	assert_int_equal(from_bcd(get(r, 0x00, seconds)), tm.tm_sec);
	assert_int_equal(from_bcd(get(r, 0x02, seconds)), tm.tm_min);
	assert_int_equal(from_bcd(get(r, 0x04, seconds)), tm.tm_hour);
	assert_int_equal(get(r, 0x06, seconds), tm.tm_wday + 1);
	assert_int_equal(from_bcd(get(r, 0x07, seconds)), tm.tm_mday);
	assert_int_equal(from_bcd(get(r, 0x08, seconds)), tm.tm_mon + 1);
	assert_int_equal(from_bcd(get(r, 0x09, seconds)), tm.tm_year % 100);
	assert_int_equal(from_bcd(get(r, 0x32, seconds)),
			 (tm.tm_year + 1900) / 100);
}

static void test_time(void **state)
{
	struct rtc r;
	uint64_t seed = 3, t;
	int i;

	(void)state;
	rtc_init(&r, 64ull << 20);
	/* Every day from 1970 to 2109, at changing times of the day. */
	for (i = 0; i < 51000; i++)
		check(&r, i * 86400ull + (i * 7919u) % 86400);
	for (i = 0; i < 10000; i++)
		check(&r, unit_random(&seed) % 253402300800u);
	for (t = NOW - 2; t < NOW + 2; t++)
		check(&r, t);
	check(&r, 253402300799u);
	assert_int_equal(get(&r, 0x32, UINT64_MAX), 0x99);
	assert_int_equal(get(&r, 0x00, UINT64_MAX), 0x59);
}

static void test_guest_cannot_set_time(void **state)
{
	static const uint8_t regs[] = { 0, 2, 4, 6, 7, 8, 9, 0x32 };
	struct rtc r;
	unsigned int i;

	(void)state;
	rtc_init(&r, 64ull << 20);
	for (i = 0; i < sizeof(regs); i++)
		put(&r, regs[i], 0xff);
	check(&r, NOW);
}

static void test_control(void **state)
{
	struct rtc r;

	(void)state;
	rtc_init(&r, 64ull << 20);
	assert_int_equal(get(&r, 0x0a, NOW), 0x26);
	assert_int_equal(get(&r, 0x0b, NOW), 0x02);
	assert_int_equal(get(&r, 0x0c, NOW), 0);
	assert_int_equal(get(&r, 0x0d, NOW), 0x80);
	put(&r, 0x0a, 0xff);
	put(&r, 0x0b, 0xfd);
	put(&r, 0x0c, 0xff);
	put(&r, 0x0d, 0);
	assert_int_equal(get(&r, 0x0a, NOW), 0x7f);
	assert_int_equal(get(&r, 0x0b, NOW), 0xfb);
	assert_int_equal(get(&r, 0x0c, NOW), 0);
	assert_int_equal(get(&r, 0x0d, NOW), 0x80);
	/* Alarms and free bytes keep what was written; bit 7 selects none. */
	put(&r, 0x81, 0x12);
	put(&r, 0x05, 0x34);
	put(&r, 0x7f, 0x56);
	assert_int_equal(get(&r, 0x01, NOW), 0x12);
	assert_int_equal(get(&r, 0x85, NOW), 0x34);
	assert_int_equal(get(&r, 0xff, NOW), 0x56);
	assert_int_equal(rtc_in(&r, 0x70, NOW), 0xff);
	rtc_out(&r, 0x72, 0x01);
	assert_int_equal(r.index, 0x7f);
}

static unsigned int get16(struct rtc *r, uint8_t reg)
{
	return get(r, reg, NOW) | get(r, reg + 1, NOW) << 8;
}

static void test_memory(void **state)
{
	static const struct {
		uint64_t bytes;
		unsigned int base, ext, above;
	} cases[] = {
		{ 0, 0, 0, 0 },
		{ 512 << 10, 512, 0, 0 },
		{ 1 << 20, 640, 0, 0 },
		{ 16 << 20, 640, 15360, 0 },
		{ 64 << 20, 640, 64512, 768 },
		{ 65 << 20, 640, 65535, 784 },
		{ 2ull << 30, 640, 65535, 32512 },
		{ 1ull << 40, 640, 65535, 65535 },
	};
	struct rtc r;
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		rtc_init(&r, cases[i].bytes);
		assert_int_equal(get16(&r, 0x15), cases[i].base);
		assert_int_equal(get16(&r, 0x17), cases[i].ext);
		assert_int_equal(get16(&r, 0x30), cases[i].ext);
		assert_int_equal(get16(&r, 0x34), cases[i].above);
	}
	assert_int_equal(get(&r, 0x14, NOW), 2);
	assert_int_equal(get(&r, 0x0f, NOW), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_guest_cannot_set_time),
		cmocka_unit_test(test_control),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests_name("rtc", tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-only
/* MC146818 registers as a PC uses them; 24 hours, BCD, no interrupts. */
#include <stdbool.h>

#include "devices.h"

#define REG_SECONDS	0x00
#define REG_MINUTES	0x02
#define REG_HOURS	0x04
#define REG_WEEKDAY	0x06	/* 1: Sunday */
#define REG_DAY		0x07
#define REG_MONTH	0x08
#define REG_YEAR	0x09
#define REG_A		0x0a
#define REG_B		0x0b
#define REG_C		0x0c	/* interrupt causes: none ever */
#define REG_D		0x0d
#define REG_EQUIPMENT	0x14
#define REG_BASE_KB	0x15
#define REG_EXT_KB	0x17	/* above 1 MB, in KB */
#define REG_EXT_KB_2	0x30
#define REG_CENTURY	0x32
#define REG_EXT_64KB	0x34	/* above 16 MB, in 64 KB */

#define A_DIVIDER	0x26	/* 32768 Hz, and UIP clear */
#define A_UIP		0x80
#define B_24H		0x02
#define B_BINARY	0x04
#define D_VALID		0x80
#define EQUIPMENT_FPU	0x02

#define DAY		86400u
#define LAST_SECOND	253402300799u	/* 9999-12-31 23:59:59 */

struct date {
	unsigned int year, month, day;
};

static void store16(struct rtc *r, unsigned int reg, uint64_t val)
{
	if (val > 0xffff)
		val = 0xffff;
	r->cmos[reg] = val;
	r->cmos[reg + 1] = val >> 8;
}

void rtc_init(struct rtc *r, uint64_t memory)
{
	uint64_t kb = memory >> 10;
	uint64_t above_1mb = kb > 1024 ? kb - 1024 : 0;
	uint64_t above_16mb = kb > 16384 ? kb - 16384 : 0;

	*r = (struct rtc) { .index = REG_D };
	r->cmos[REG_A] = A_DIVIDER;
	r->cmos[REG_B] = B_24H;
	r->cmos[REG_D] = D_VALID;
	r->cmos[REG_EQUIPMENT] = EQUIPMENT_FPU;
	store16(r, REG_BASE_KB, kb < 640 ? kb : 640);
	store16(r, REG_EXT_KB, above_1mb);
	store16(r, REG_EXT_KB_2, above_1mb);
	store16(r, REG_EXT_64KB, above_16mb / 64);
}

static bool leap(unsigned int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static struct date date_of(unsigned int days)
{
	static const uint8_t length[12] = {
		31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
	};
	/* 400 years always have the same number of days. */
	struct date d = { 1970 + days / 146097 * 400, 1, 1 };
	unsigned int n;

	days %= 146097;
	while (days >= (n = leap(d.year) ? 366 : 365)) {
		days -= n;
		d.year++;
	}
	while (days >= (n = length[d.month - 1] +
			    (d.month == 2 && leap(d.year)))) {
		days -= n;
		d.month++;
	}
	d.day += days;
	return d;
}

static uint8_t bcd(unsigned int n)
{
	return n / 10 % 10 << 4 | n % 10;
}

static uint8_t read_reg(const struct rtc *r, uint8_t reg, uint64_t seconds)
{
	unsigned int days, second;

	if (seconds > LAST_SECOND)
		seconds = LAST_SECOND;
	days = seconds / DAY;
	second = seconds % DAY;
	switch (reg) {
	case REG_SECONDS:
		return bcd(second % 60);
	case REG_MINUTES:
		return bcd(second / 60 % 60);
	case REG_HOURS:
		return bcd(second / 3600);
	case REG_WEEKDAY:		/* 1970-01-01 was a Thursday */
		return (days + 4) % 7 + 1;
	case REG_DAY:
		return bcd(date_of(days).day);
	case REG_MONTH:
		return bcd(date_of(days).month);
	case REG_YEAR:
		return bcd(date_of(days).year % 100);
	case REG_CENTURY:
		return bcd(date_of(days).year / 100);
	}
	return r->cmos[reg];
}

void rtc_out(struct rtc *r, unsigned int port, uint8_t val)
{
	if (port == RTC_INDEX) {
		r->index = val & 0x7f;	/* bit 7 masks NMI on a PC */
		return;
	}
	if (port != RTC_DATA)
		return;
	switch (r->index) {
	case REG_A:
		r->cmos[REG_A] = val & ~A_UIP;
		break;
	case REG_B:			/* the format is fixed, and shows it */
		r->cmos[REG_B] = (val | B_24H) & ~B_BINARY;
		break;
	case REG_C:
	case REG_D:
		break;
	default:
		r->cmos[r->index] = val;
		break;
	}
}

uint8_t rtc_in(const struct rtc *r, unsigned int port, uint64_t seconds)
{
	return port == RTC_DATA ? read_reg(r, r->index, seconds) : 0xff;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The machine's 8259s, and its clocks: how fast the TSC counts, and the time of
 * day.
 */
#include <host.h>
#include <port.h>

#include "devices.h"
#include "metal.h"

uint64_t host_tsc_hz;
static uint64_t tsc_boot, boot_seconds;

static void pic_setup(void)
{
	outb(PIC_MASTER_CMD, 0x11);
	outb(PIC_SLAVE_CMD, 0x11);
	outb(PIC_MASTER_DATA, IRQ_BASE);
	outb(PIC_SLAVE_DATA, IRQ_BASE + 8);
	outb(PIC_MASTER_DATA, 1 << PIC_CASCADE);
	outb(PIC_SLAVE_DATA, PIC_CASCADE);
	outb(PIC_MASTER_DATA, 1);
	outb(PIC_SLAVE_DATA, 1);
	outb(PIC_MASTER_DATA, (uint8_t)~(1 << IRQ_COM1));
	outb(PIC_SLAVE_DATA, 0xff);
}

/* TSC cycles during 10 ms of PIT channel 2, its gate and output in port 61h. */
static uint64_t measure(void)
{
	const uint32_t count = PIT_HZ / 100;
	uint64_t start;

	outb(PIT_PORT61, (inb(PIT_PORT61) & ~2) | 1);
	outb(PIT_MODE, 0xb0);		/* channel 2, both bytes, mode 0 */
	outb(PIT_CH2, count & 0xff);
	outb(PIT_CH2, count >> 8);
	start = rdtsc();
	while (!(inb(PIT_PORT61) & 0x20))
		;
	return rdtsc() - start;
}

static uint8_t cmos(uint8_t index)
{
	outb(RTC_INDEX, index);
	return inb(RTC_DATA);
}

static uint32_t from_bcd(uint8_t v)
{
	return (v >> 4) * 10 + (v & 15);
}

/* Seconds since 1970 by the CMOS clock, BCD and 24 hours as PC firmware
 * leaves it; days by the proleptic Gregorian calendar. */
static uint64_t cmos_seconds(void)
{
	uint32_t s, m, h, d, mon, y, days;

	while (cmos(0x0a) & 0x80)	/* update in progress: a ms at most */
		;
	s = from_bcd(cmos(0));
	m = from_bcd(cmos(2));
	h = from_bcd(cmos(4));
	d = from_bcd(cmos(7));
	mon = from_bcd(cmos(8));
	y = 2000 + from_bcd(cmos(9));
	/* March is month 0, so that the leap day comes last. */
	if (mon <= 2) {
		mon += 12;
		y--;
	}
	days = 365 * y + y / 4 - y / 100 + y / 400 +
	       (153 * (mon - 3) + 2) / 5 + d - 1 - 719468;
	return days * 86400ull + h * 3600 + m * 60 + s;
}

void clock_init(void)
{
	uint64_t best = UINT64_MAX, t;
	int i;

	pic_setup();
	/* The shortest is the one that was disturbed least. */
	for (i = 0; i < 3; i++) {
		t = measure();
		best = t < best ? t : best;
	}
	host_tsc_hz = best * 100;
	boot_seconds = cmos_seconds();
	tsc_boot = rdtsc();
}

/* a * b / c without overflow of the product. */
static uint64_t scale(uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t q, r;

	asm("mulq %3; divq %4" : "=&a"(q), "=&d"(r) : "0"(a), "r"(b), "r"(c)
	    : "cc");
	return q;
}

uint64_t host_wallclock_ns(void)
{
	return boot_seconds * 1000000000 +
	       scale(rdtsc() - tsc_boot, 1000000000, host_tsc_hz);
}

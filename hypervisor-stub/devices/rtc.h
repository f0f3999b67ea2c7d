/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The CMOS clock and memory, ports 70h and 71h, after the MC146818.
 *
 * The time of day is what the caller says it is: the guest may write the
 * time registers, but the clock goes on. There is no interrupt: alarms and
 * the enable bits are stored and nothing comes of them.
 */
#ifndef RTC_H
#define RTC_H

#include <stdint.h>

#define RTC_INDEX	0x70
#define RTC_DATA	0x71

struct rtc {
	uint8_t	index;
	uint8_t	cmos[128];
};

/* memory: size of guest memory in bytes, for registers 15h-18h and 34h. */
void rtc_init(struct rtc *r, uint64_t memory);

/* Ports 70h, 71h; seconds since 1970-01-01 UTC. */
void rtc_out(struct rtc *r, unsigned int port, uint8_t val);
uint8_t rtc_in(const struct rtc *r, unsigned int port, uint64_t seconds);

#endif

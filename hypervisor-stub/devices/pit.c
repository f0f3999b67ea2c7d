// SPDX-License-Identifier: GPL-2.0-only
/* The 8254 after its data sheet (Intel 231164); what differs: devices.h. */
#include "devices.h"

#define CONTROL_BACK	3	/* channel number that means "read-back" */
#define BACK_NO_COUNT	0x20
#define BACK_NO_STATUS	0x10

#define STATUS_OUT	0x80
#define STATUS_NULL	0x40

#define P61_GATE2	0x01
#define P61_SPEAKER	0x02
#define P61_REFRESH	0x10
#define P61_OUT2	0x20

#define REFRESH_TICKS	18	/* memory refresh of a PC: 15 us */

/* Between these, ticks() and ticks_to_tsc() and their sums stay in 64 bits. */
#define TSC_HZ_MIN	(2ull * PIT_HZ)
#define TSC_HZ_MAX	(1ull << 43)

static uint64_t ticks(const struct pit *p, uint64_t tsc)
{
	return tsc / p->tsc_hz * PIT_HZ + tsc % p->tsc_hz * PIT_HZ / p->tsc_hz;
}

/* The first TSC value at which ticks() says n; PIT_NEVER beyond 64 bits. */
static uint64_t ticks_to_tsc(const struct pit *p, uint64_t n)
{
	uint64_t whole, part;

	part = (n % PIT_HZ * p->tsc_hz + PIT_HZ - 1) / PIT_HZ;
	if (__builtin_mul_overflow(n / PIT_HZ, p->tsc_hz, &whole) ||
	    __builtin_add_overflow(whole, part, &whole))
		return PIT_NEVER;
	return whole;
}

/* Does it begin again by itself, and by a change of the gate? */
static bool periodic(const struct pit_channel *c)
{
	return c->mode == 2 || c->mode == 3;
}

static uint64_t elapsed(const struct pit *p, const struct pit_channel *c,
			uint64_t now)
{
	if (!c->running || now < c->start)
		return c->elapsed;
	return c->elapsed + ticks(p, now - c->start);
}

static uint16_t counter(const struct pit *p, const struct pit_channel *c,
			uint64_t now)
{
	uint64_t t = elapsed(p, c, now);
	uint32_t half = (c->count + 1) / 2;

	if (!c->count)
		return 0;
	switch (c->mode) {
	case 2:
		return c->count - t % c->count;
	case 3:			/* twice by two, for each half of the square */
		t %= c->count;
		if (t >= half)
			t -= half;
		return (c->count & ~1u) - 2 * t;
	}
	return c->count - t;	/* goes on below 0 */
}

static bool out(const struct pit *p, const struct pit_channel *c, uint64_t now)
{
	uint64_t t = elapsed(p, c, now);

	if (!c->count)
		return c->mode != 0;
	switch (c->mode) {
	case 0:
		return t >= c->count;
	case 1:
		return !c->running || t >= c->count;
	case 2:
		return !c->running || t % c->count != c->count - 1;
	case 3:
		return !c->running || t % c->count < (c->count + 1) / 2;
	}
	return t != c->count;
}

/* Rising edges of OUT since the count was loaded. */
static uint64_t edges(const struct pit *p, const struct pit_channel *c,
		      uint64_t now)
{
	uint64_t t = elapsed(p, c, now);

	if (!c->count || !c->running)
		return 0;
	if (periodic(c))
		return t / c->count;
	return c->mode >= 4 ? t > c->count : t >= c->count;
}

static void restart(struct pit_channel *c, uint64_t now, bool running)
{
	c->elapsed = 0;
	c->start = now;
	c->running = running;
}

static bool triggered_by_gate(const struct pit_channel *c)
{
	return c->mode == 1 || c->mode == 5;
}

/* A new count, or with 0 none. */
static void load(struct pit *p, struct pit_channel *c, uint32_t count,
		 uint64_t now)
{
	if (c == &p->channel[0]) {	/* an edge that nobody has seen */
		p->missed |= edges(p, c, now) > p->edges;
		p->edges = 0;
	}
	c->count = count;
	restart(c, now, count && !triggered_by_gate(c) && c->gate);
}

static void set_gate(struct pit *p, struct pit_channel *c, bool gate,
		     uint64_t now)
{
	bool pauses = !periodic(c) && !triggered_by_gate(c);
	uint64_t before = pauses ? elapsed(p, c, now) : 0;

	if (gate == c->gate)
		return;
	c->gate = gate;
	if (!c->count || (triggered_by_gate(c) && !gate))
		return;
	restart(c, now, gate);
	c->elapsed = before;
}

static void write_count(struct pit *p, struct pit_channel *c, uint8_t val,
			uint64_t now)
{
	uint16_t count = c->access == 1 ? val : val << 8;

	if (c->access == 3 && !c->write_high) {
		c->low = val;
		c->write_high = true;
		if (c->mode == 0)	/* the first byte stops it */
			load(p, c, 0, now);
		return;
	}
	if (c->write_high)
		count |= c->low;
	c->write_high = false;
	load(p, c, count ? count : 0x10000, now);
}

static uint8_t read_count(const struct pit *p, struct pit_channel *c,
			  uint64_t now)
{
	uint16_t value = c->latched ? c->latch : counter(p, c, now);
	bool high = c->access == 2;

	if (c->status_latched) {
		c->status_latched = false;
		return c->status;
	}
	if (c->access == 3) {
		high = c->read_high;
		c->read_high = !high;
	}
	if (c->access != 3 || high)
		c->latched = false;
	return high ? value >> 8 : value;
}

static void latch_count(const struct pit *p, struct pit_channel *c,
			uint64_t now)
{
	if (c->latched)
		return;
	c->latch = counter(p, c, now);
	c->latched = true;
}

static void latch_status(const struct pit *p, struct pit_channel *c,
			 uint64_t now)
{
	if (c->status_latched)
		return;
	c->status = c->control;
	if (out(p, c, now))
		c->status |= STATUS_OUT;
	if (!c->count || c->write_high)
		c->status |= STATUS_NULL;
	c->status_latched = true;
}

static void read_back(struct pit *p, uint8_t val, uint64_t now)
{
	int i;

	for (i = 0; i < 3; i++) {
		if (!(val & (2u << i)))
			continue;
		if (!(val & BACK_NO_COUNT))
			latch_count(p, &p->channel[i], now);
		if (!(val & BACK_NO_STATUS))
			latch_status(p, &p->channel[i], now);
	}
}

static void control(struct pit *p, uint8_t val, uint64_t now)
{
	unsigned int n = val >> 6;
	struct pit_channel *c;

	if (n == CONTROL_BACK) {
		read_back(p, val, now);
		return;
	}
	c = &p->channel[n];
	if (!(val & 0x30)) {
		latch_count(p, c, now);
		return;
	}
	load(p, c, 0, now);
	c->control = val & 0x3f;
	c->access = (val >> 4) & 3;
	c->mode = (val >> 1) & 7;
	if (c->mode > 5)	/* 6 and 7 are 2 and 3 */
		c->mode -= 4;
	c->write_high = false;
	c->read_high = false;
	c->latched = false;
	c->status_latched = false;
}

void pit_init(struct pit *p, uint64_t tsc_hz)
{
	int i;

	if (tsc_hz < TSC_HZ_MIN)
		tsc_hz = TSC_HZ_MIN;
	if (tsc_hz > TSC_HZ_MAX)
		tsc_hz = TSC_HZ_MAX;
	*p = (struct pit) { .tsc_hz = tsc_hz };
	for (i = 0; i < 3; i++) {
		p->channel[i].access = 3;
		p->channel[i].control = 0x30;
		p->channel[i].gate = i != 2;
	}
}

void pit_out(struct pit *p, unsigned int port, uint8_t val, uint64_t now)
{
	switch (port) {
	case PIT_CH0:
	case PIT_CH1:
	case PIT_CH2:
		write_count(p, &p->channel[port - PIT_CH0], val, now);
		break;
	case PIT_MODE:
		control(p, val, now);
		break;
	case PIT_PORT61:
		p->port61 = val & (P61_GATE2 | P61_SPEAKER);
		set_gate(p, &p->channel[2], val & P61_GATE2, now);
		break;
	}
}

static uint8_t port61(const struct pit *p, uint64_t now)
{
	const struct pit_channel *c = &p->channel[2];
	uint8_t val = p->port61;

	if (ticks(p, now) / REFRESH_TICKS & 1)
		val |= P61_REFRESH;
	if (out(p, c, now))
		val |= P61_OUT2;
	return val;
}

uint8_t pit_in(struct pit *p, unsigned int port, uint64_t now)
{
	switch (port) {
	case PIT_CH0:
	case PIT_CH1:
	case PIT_CH2:
		return read_count(p, &p->channel[port - PIT_CH0], now);
	case PIT_PORT61:
		return port61(p, now);
	}
	return 0xff;
}

uint64_t pit_next(const struct pit *p, uint64_t now)
{
	const struct pit_channel *c = &p->channel[0];
	uint64_t seen = edges(p, c, now), n = c->count, tsc;

	if (p->missed || seen > p->edges)
		return now;
	if (!c->count || !c->running)
		return PIT_NEVER;
	if (periodic(c))
		n *= seen + 1;
	else if (seen)
		return PIT_NEVER;
	else if (c->mode >= 4)
		n++;
	tsc = ticks_to_tsc(p, n);
	if (tsc == PIT_NEVER || __builtin_add_overflow(tsc, c->start, &tsc))
		return PIT_NEVER;
	return tsc;
}

bool pit_tick(struct pit *p, uint64_t now)
{
	uint64_t seen = edges(p, &p->channel[0], now);
	bool tick = p->missed || seen > p->edges;

	p->edges = seen;
	p->missed = false;
	return tick;
}

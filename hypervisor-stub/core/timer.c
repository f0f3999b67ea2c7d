// SPDX-License-Identifier: GPL-2.0-only
/*
 * The machine's interrupt controllers and clock, and the guests' time: the
 * VMI alarms (VMI-3.7), the virtual PITs and the scheduler share the machine's
 * PIT, which is programmed for whichever is due first.
 */
#include <cpu.h>

#include "hv.h"

#define PIC_EOI		0x20
#define PIT_MAX		65535u

uint64_t tsc_hz;
static uint64_t tsc_boot, boot_seconds;
static uint64_t programmed = UINT64_MAX;	/* TSC of the next interrupt */

/* ---- the machine -------------------------------------------------------- */

void irq_ack(int irq)
{
	if (irq >= 8)
		outb(PIC_SLAVE_CMD, PIC_EOI);
	outb(PIC_MASTER_CMD, PIC_EOI);
	if (irq == IRQ_TIMER)
		programmed = UINT64_MAX;
}

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
	outb(PIC_MASTER_DATA, (uint8_t)~(1 << IRQ_TIMER | 1 << IRQ_COM1));
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

void machine_init(void)
{
	uint64_t best = UINT64_MAX, t;
	int i;

	pic_setup();
	/* The shortest is the one that was disturbed least. */
	for (i = 0; i < 3; i++) {
		t = measure();
		best = t < best ? t : best;
	}
	tsc_hz = best * 100;
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

uint64_t wallclock_ns(void)
{
	return boot_seconds * 1000000000 +
	       scale(rdtsc() - tsc_boot, 1000000000, tsc_hz);
}

void timer_program(uint64_t at)
{
	uint64_t now, count;

	if (at == programmed)
		return;
	programmed = at;
	outb(PIT_MODE, 0x30);		/* channel 0, both bytes, mode 0 */
	if (at == UINT64_MAX)
		return;			/* without a count it does nothing */
	now = rdtsc();
	count = at > now ? at - now : 0;
	count = count > tsc_hz ? PIT_MAX :
		scale(count, PIT_HZ, tsc_hz) + 1;
	if (count > PIT_MAX)
		count = PIT_MAX;
	outb(PIT_CH0, count);
	outb(PIT_CH0, count >> 8);
}

/* ---- the guest's -------------------------------------------------------- */

static void pulse_irq0(struct pic *p)
{
	pic_set_irq(p, 0, false);
	pic_set_irq(p, 0, true);
}

/* One that would be beyond the counter's end never comes. */
static uint64_t later(uint64_t time, uint64_t by)
{
	return time + by < time ? UINT64_MAX : time + by;
}

static void alarm_fire(struct guest *g, struct alarm *a, uint64_t now)
{
	if (a->lvtt)
		apic_alarm(&g->apic);
	else
		pulse_irq0(&g->pic);
	a->armed = a->period;
	/* The first one beyond now: missed ones fire once. */
	if (a->armed)
		a->expiry = later(a->expiry, ((now - a->expiry) / a->period +
					      1) * a->period);
}

/* Available time stands still while time is stolen. */
static uint64_t lag_of(const struct vcpu *v, const struct alarm *a)
{
	return a == &v->alarm[VMI_CYCLES_AVAILABLE] ? v->stolen : 0;
}

uint64_t timer_update(struct vcpu *v)
{
	struct guest *g = v->g;
	uint64_t now = rdtsc(), next, lag;
	struct alarm *a;

	if (pit_tick(&g->pit, now))
		pulse_irq0(&g->pic);
	next = pit_next(&g->pit, now);
	for (a = v->alarm; a < v->alarm + ARRAY_SIZE(v->alarm); a++) {
		lag = lag_of(v, a);
		if (a->armed && now - lag >= a->expiry)
			alarm_fire(g, a, now - lag);
		if (a->armed && later(a->expiry, lag) < next)
			next = a->expiry + lag;
	}
	return next;
}

/* Its PIT or an alarm was set. */
void timer_changed(struct vcpu *v)
{
	uint64_t next = timer_update(v);

	if (next < programmed)
		timer_program(next);
}

/* Would an edge of IRQ 0 reach the processor? Tried with a copy. */
static bool irq0_reaches(const struct guest *g)
{
	struct pic p = g->pic;

	pulse_irq0(&p);
	return pic_pending(&p) && apic_extint(&g->apic);
}

static bool lvtt_reaches(const struct guest *g)
{
	struct apic a = g->apic;

	apic_alarm(&a);
	return apic_pending(&a);
}

uint64_t timer_wake(const struct vcpu *v)
{
	const struct guest *g = v->g;
	bool irq0 = irq0_reaches(g), lvtt = lvtt_reaches(g);
	uint64_t next = irq0 ? pit_next(&g->pit, rdtsc()) : UINT64_MAX, at;
	const struct alarm *a;

	for (a = v->alarm; a < v->alarm + ARRAY_SIZE(v->alarm); a++) {
		at = later(a->expiry, lag_of(v, a));
		if (a->armed && (a->lvtt ? lvtt : irq0) && at < next)
			next = at;
	}
	return next;
}

/* Of those that wait to run, and of what wakes nobody, the time comes when
 * they run; the one that runs is looked at last (sched.c). */
void timer_interrupt(void)
{
	uint64_t now = rdtsc();
	uint32_t i;

	for (i = 0; i < guest_count; i++) {
		struct vcpu *v = &guests[i]->vcpu;

		if (!v->halted || v->wake > now)
			continue;
		timer_update(v);
		sched_charge(v);
	}
}

/* By the counter in the flags; the stolen one and others have none. */
static struct alarm *alarm_of(struct vcpu *v, uint32_t flags)
{
	uint32_t counter = flags & VMI_ALARM_COUNTER;

	return counter < ARRAY_SIZE(v->alarm) ? &v->alarm[counter] : NULL;
}

/*
 * VMI-3.7.5: a shorter period counts as a multiple. If it were shorter than
 * the way through the guest's handler, exits included, the guest would never
 * come to anything else, nor we to another guest, and both take long on a
 * slow machine.
 */
static uint64_t period_of(uint64_t period)
{
	uint64_t least = tsc_hz / 2000;		/* 500 microseconds */

	return period && period < least ?
		(least + period - 1) / period * period : period;
}

/* Times from the guest count from VMI_Init, as its cycle counters do. */
void alarm_set(struct vcpu *v, uint32_t flags, uint64_t expiry, uint64_t period)
{
	struct alarm *a = alarm_of(v, flags);

	if (!a)
		return;
	a->armed = true;
	a->lvtt = flags & VMI_ALARM_LVTT;
	a->expiry = later(v->tsc_base, expiry);
	a->period = flags & VMI_ALARM_PERIODIC ? period_of(period) : 0;
	timer_changed(v);
}

bool alarm_cancel(struct vcpu *v, uint32_t flags)
{
	struct alarm *a = alarm_of(v, flags);
	bool armed;

	if (!a)
		return false;
	armed = a->armed;
	if (a->lvtt)
		apic_alarm_cancel(&v->g->apic);
	a->armed = false;
	return armed;
}

/* Until an interrupt is pending; with IF clear there will never be one. */
void guest_halt(struct vcpu *v)
{
	if (!(v->sh->flags & STUB_IF))
		guest_kill(v, "HLT with interrupts off: nothing can wake it");
	timer_update(v);
	if (event_pending(v->g))
		event_poll(v);
	else
		vcpu_stop(v, STOP_HALTED);
}

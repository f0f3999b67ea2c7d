// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guests' time: the VMI alarms (VMI-3.7), the virtual PITs, the end of the time
 * for a reply (N-5.7) and the scheduler share the machine's one timer, which is
 * programmed for whichever is due first.
 */
#include <cpu.h>

#include "core.h"
#include "solo5.h"

static void pulse_irq0(struct guest *g)
{
	ipi_set_irq(g, 0, false);
	ipi_set_irq(g, 0, true);
}

/* One that would be beyond the counter's end never comes. */
static uint64_t later(uint64_t time, uint64_t by)
{
	return time + by < time ? UINT64_MAX : time + by;
}

static void alarm_fire(struct vcpu *v, struct alarm *a, uint64_t now)
{
	if (a->lvtt)
		apic_alarm(v->apic);
	else
		pulse_irq0(v->g);
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

/* The PIT goes on with the first of the guest's vCPUs that is on. */
static bool has_pit(const struct vcpu *v)
{
	const struct vcpu *s;

	for (s = v->g->vcpu; s != v; s++)
		if (s->on)
			return false;
	return true;
}

void timer_pit_changed(struct guest *g)
{
	struct vcpu *v = g->vcpu;

	while (!v->on && v < &g->vcpu[g->vcpus - 1])
		v++;
	sched_clocks_changed(v);
}

uint64_t timer_update(struct vcpu *v)
{
	struct guest *g = v->g;
	uint64_t now = rdtsc(), next, at, lag;
	struct alarm *a;

	if (g->unikernel)
		return solo5_update(g);
	next = comm_due(g);
	if (has_pit(v)) {
		if (pit_tick(&g->pit, now))
			pulse_irq0(g);
		at = pit_next(&g->pit, now);
		if (at < next)
			next = at;
	}
	if (apic_timer_runs(v->apic)) {
		apic_timer_tick(v->apic, now);
		if (apic_timer_next(v->apic) < next)
			next = apic_timer_next(v->apic);
	}
	for (a = v->alarm; a < v->alarm + ARRAY_SIZE(v->alarm); a++) {
		lag = lag_of(v, a);
		if (a->armed && now - lag >= a->expiry)
			alarm_fire(v, a, now - lag);
		if (a->armed && later(a->expiry, lag) < next)
			next = a->expiry + lag;
	}
	return next;
}

/* Would an edge of IRQ 0 reach the processor? Tried with a copy. With an I/O
 * APIC it may reach any. */
static bool irq0_reaches(const struct guest *g)
{
	struct pic p = g->pic;

	pic_set_irq(&p, 0, false);
	pic_set_irq(&p, 0, true);
	return g->vcpus > 1 || (pic_pending(&p) && apic_extint(&g->apic[0]));
}

static bool lvtt_reaches(const struct vcpu *v)
{
	struct apic a = *v->apic;

	apic_alarm(&a);
	return apic_pending(&a);
}

uint64_t timer_wake(const struct vcpu *v)
{
	bool irq0 = irq0_reaches(v->g), lvtt = lvtt_reaches(v);
	uint64_t next = irq0 && has_pit(v) ? pit_next(&v->g->pit, rdtsc()) :
					 UINT64_MAX, at;
	const struct alarm *a;

	if (v->g->unikernel)
		return v->g->solo5->again;
	if (lvtt && apic_timer_next(v->apic) < next)
		next = apic_timer_next(v->apic);
	for (a = v->alarm; a < v->alarm + ARRAY_SIZE(v->alarm); a++) {
		at = later(a->expiry, lag_of(v, a));
		if (a->armed && (a->lvtt ? lvtt : irq0) && at < next)
			next = at;
	}
	return next;
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
	uint64_t least = host_tsc_hz / APIC_HZ_MAX;

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
	sched_clocks_changed(v);
}

bool alarm_cancel(struct vcpu *v, uint32_t flags)
{
	struct alarm *a = alarm_of(v, flags);
	bool armed;

	if (!a)
		return false;
	armed = a->armed;
	if (a->lvtt)
		apic_alarm_cancel(v->apic);
	a->armed = false;
	return armed;
}

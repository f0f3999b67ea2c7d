// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which vCPU has the processor, and how it goes from one to another. The loop
 * of the machine is here: a vCPU runs, and its exits are handled, until it
 * stops; the reason decides who goes on.
 *
 * Of those that can run, the one that ran least does, until it is a slice
 * ahead of another. One that was halted comes back little more than a slice
 * behind: enough to run at once, not to make up for its sleep.
 *
 * All time is charged to somebody, by sched_charge() and nothing else: exits
 * to the one that runs, but what is done to wake another to that one. Time
 * stolen from a guest (VMI-3.7.2) is when its vCPU could run and was not
 * charged.
 */
#include <cpu.h>

#include "core.h"
#include "log.h"

#define SLICES_PER_SECOND	200

static uint64_t charged;	/* TSC: until then time was charged */
static enum end worst;		/* of the guests that ended */

static uint64_t slice(void)
{
	return host_tsc_hz / SLICES_PER_SECOND;
}

/* Of those that can run, but for one. */
static struct vcpu *least_run(const struct vcpu *except)
{
	struct vcpu *least = NULL;
	uint32_t i;

	for (i = 0; i < guest_count; i++) {
		struct vcpu *v = &guests[i]->vcpu;

		if (!v->ended && !v->halted && v != except &&
		    (!least || v->ran < least->ran))
			least = v;
	}
	return least;
}

/*
 * What a halted one must have run at the least: what it slept does not count.
 * The clock for that is the least run of the others, and never goes back, so
 * that one that comes back behind is no excuse for the next. The quarter of a
 * slice is for what waking it may cost.
 */
static uint64_t behind(const struct vcpu *v)
{
	static uint64_t clock;
	const struct vcpu *least = least_run(v);
	uint64_t most = slice() + slice() / 4;

	if (least && least->ran > clock)
		clock = least->ran;
	return clock < most ? 0 : clock - most;
}

/* It was halted, and something was done for it. */
static void wake(struct vcpu *v)
{
	uint64_t least = behind(v);

	if (v->ran < least)
		v->ran = least;
	if (!event_pending(v))
		return;
	v->halted = false;
	v->since = charged;
}

void sched_charge(struct vcpu *v)
{
	uint64_t passed;

	if (v && v->halted)
		wake(v);
	passed = rdtsc() - charged;
	charged += passed;
	if (!v)
		return;
	v->ran += passed;
	v->since += passed;
}

/* Of those that wait to run, and of what wakes nobody, the time comes when
 * they run; the one that runs is looked at last (interrupted). */
static void timer_interrupt(void)
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

/* Of the machine. What it is for is charged to whom it is for. */
static void interrupt(int irq)
{
	struct vcpu *v;

	sched_charge(current->halted ? NULL : current);
	host_irq_ack(irq);
	if (irq == IRQ_TIMER) {
		timer_interrupt();
	} else if (irq == IRQ_COM1) {
		v = io_console_interrupt();
		if (v)
			sched_charge(v);
	}
}

/* ---- from one to another ------------------------------------------------ */

static void save(struct vcpu *v)
{
	desc_save(v);
	write_cr0(read_cr0() & ~(uint64_t)(CR0_EM | CR0_TS));
	asm volatile("fxsave64 %0" : "=m"(v->fpu));
}

/* When the first of those that are halted wakes. */
static uint64_t next_wake(void)
{
	uint64_t next = UINT64_MAX;
	uint32_t i;

	for (i = 0; i < guest_count; i++) {
		const struct vcpu *v = &guests[i]->vcpu;

		if (v->halted && v->wake < next)
			next = v->wake;
	}
	return next;
}

/* It has the processor, all time is charged: what was not to it was stolen. */
static void go_on(struct vcpu *v)
{
	const struct vcpu *other = least_run(v);
	uint64_t next = next_wake(), at;

	v->stolen += charged - v->since;
	v->since = charged;
	v->sh->stolen = v->stolen;
	at = timer_update(v);
	if (at < next)
		next = at;
	at = other ? charged + other->ran + slice() - v->ran : UINT64_MAX;
	host_timer(at < next ? at : next);
}

static void load(struct vcpu *v)
{
	current = v;
	write_cr0(read_cr0() & ~(uint64_t)(CR0_EM | CR0_TS));
	/* AMD's processors leave FIP, FDP and FOP of the last guest there if no
	 * exception is pending (APM Vol. 5, FXRSTOR): make them ours first. */
	asm volatile("fnclex; emms; fildl %1; fxrstor64 %0"
		     : : "m"(v->fpu), "m"(guest_count));
	cr_load(v);
	desc_load(v);
	speculation_switch();
}

/* One that gives the processor away pays for that, else the one that takes it. */
static struct vcpu *switch_to(struct vcpu *next)
{
	struct vcpu *last = current, *payer = last->halted ? last : next;

	save(last);
	load(next);
	sched_charge(payer);
	go_on(next);
	sched_charge(payer);
	return next;
}

static struct vcpu *interrupted(struct vcpu *v)
{
	struct vcpu *other;

	sched_charge(v);
	other = least_run(v);
	if (other && other->ran + slice() <= v->ran)
		return switch_to(other);
	go_on(v);
	return v;
}

/* The next that can run, when there is one. */
static struct vcpu *idle(void)
{
	struct vcpu *next;
	uint32_t taken;

	while (!(next = least_run(NULL))) {
		host_timer(next_wake());
		for (taken = host_wait(); taken; taken &= taken - 1)
			interrupt(__builtin_ctz(taken));
	}
	return next;
}

static struct vcpu *halted(struct vcpu *v)
{
	struct vcpu *next;

	timer_update(v);
	if (event_pending(v))
		return v;
	v->wake = timer_wake(v);
	sched_charge(v);
	v->halted = true;
	next = idle();
	if (next != v)
		return switch_to(next);
	go_on(v);
	return v;
}

/* It can run from now on, and its FPU is as after reset. */
static void add(struct vcpu *v)
{
	uint32_t mxcsr = 0x1f80;	/* as after reset */

	asm volatile("fninit; ldmxcsr %1; fxsave64 %0"
		     : "=m"(v->fpu) : "m"(mxcsr));
	v->ran = behind(v);
	v->since = charged;
}

/* What nobody asked for. */
static void tell_why(struct vcpu *v)
{
	if (!v->why[0])
		return;
	log_printf("%s %s%s\n", v->g->name, v->end == END_GUEST_DIED ?
		   "died: " : "rebooted by ", v->why);
	if (v->end == END_GUEST_DIED)
		report(v);
}

static bool all_ended(void)
{
	uint32_t i;

	for (i = 0; i < guest_count; i++)
		if (!guests[i]->vcpu.ended)
			return false;
	return true;
}

static struct vcpu *ended(struct vcpu *v)
{
	bool again;

	tell_why(v);
	trace_drain(v->g->trace, v->sh);
	sched_charge(v);
	v->ended = true;
	io_end(v->g);
	do {
		again = guest_starts_again(v->g);
		if (v->end > worst)
			worst = v->end;
		if (!again && all_ended()) {
			stats_print();
			host_end(worst);
		}
		if (!again)
			log_printf("%s ended, the others go on\n", v->g->name);
		cr_unload();
		guest_release(v->g);
	} while (again && !guest_restart(v->g));
	if (again)
		add(v);
	sched_charge(v);
	load(idle());
	sched_charge(current);
	go_on(current);
	return current;
}

struct vcpu *sched_next(struct vcpu *v, enum stop why)
{
	if (vector_is_irq(v->regs->vector))
		interrupt(v->regs->vector - IRQ_BASE);
	/* The event that one is given may be its death. */
	for (; why; v->regs->stop = STOP_NOT) {
		v = why == STOP_ENDED ? ended(v) :
		    why == STOP_HALTED ? halted(v) : interrupted(v);
		event_poll(v);
		why = v->regs->stop;
	}
	return v;
}

/* ---- set-up ------------------------------------------------------------- */

void sched_run(void)
{
	struct vcpu *v = &guests[0]->vcpu;
	uint32_t i;

	panic_tells = stats_print;
	sched_charge(NULL);
	for (i = 0; i < guest_count; i++)
		add(&guests[i]->vcpu);
	host_watchdog_start();
	load(v);
	go_on(v);
	for (;;)
		v = sched_next(v, vcpu_enter(v->regs));
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * How a processor goes from one vCPU to another. The loop of each processor is here:
 * a vCPU runs, and its exits are handled, until it stops; the reason decides who goes
 * on (runnable.c).
 *
 * The state of a vCPU stays in its processor when it halts; until another runs
 * there it can only go on there ("loaded"). Who else changes that state is in
 * sched_control.c.
 *
 * All time is charged to somebody, by sched_charge() and nothing else: exits
 * to the one that runs, but what is done to wake another to that one. Time
 * stolen from a guest (VMI-3.7.2) is when its vCPU could run and was not
 * charged.
 */
#include <cpu.h>

#include "dispatch.h"
#include "log.h"
#include "sched.h"
#include "solo5.h"

/* A unikernel waits in a call, and any guest for whoever looks at it, or serves it. */
static __attribute__((noinline)) bool awaited_special(const struct vcpu *v)
{
	if (kvmi_holds(v))
		return false;
	if (v->server)
		return v->answered || rdtsc() >= v->look;
	return v->g->unikernel ? !v->g->solo5->call : event_pending(v);
}

/* Is what a halted one waits for there? */
static bool awaited(const struct vcpu *v)
{
	return v->g->special ? awaited_special(v) : event_pending(v);
}

/* It was halted, and something was done for it. */
void sched_wake(struct vcpu *v)
{
	uint64_t least = behind(v);

	if (v->ran < least)
		v->ran = least;
	if (!awaited(v))
		return;
	v->halted = false;
	v->since = this_cpu()->charged;
	find_processor(v);
}

void sched_charge(struct vcpu *v)
{
	struct cpu *c = this_cpu();
	uint64_t passed;

	spin_lock(&sched_lock);
	if (v && v->halted)
		sched_wake(v);
	passed = rdtsc() - c->charged;
	c->charged += passed;
	if (v) {
		v->used += passed;
		v->ran += passed * GUEST_SHARES / v->g->shares;
		v->since += passed;
	}
	spin_unlock(&sched_lock);
}

/* Has it anything to be told of, that it will not ask for when it sets its flag?
 * One that is told again and again comes to nothing else. */
static bool must_hear(const struct vcpu *v)
{
	uint32_t flags = v->sh->flags & (STUB_PENDING | STUB_IF);

	return event_pending(v) && (flags != STUB_PENDING || !vmi_mode(v));
}

void sched_notify(struct vcpu *v)
{
	if (v == current && !v->halted)
		return;
	spin_lock(&sched_lock);
	if (v->halted) {
		sched_wake(v);
		v->since = rdtsc();	/* who does this pays, later */
	} else if (v->loaded && must_hear(v)) {
		host_kick(v->home);
	}
	spin_unlock(&sched_lock);
}

void sched_clocks_changed(struct vcpu *v)
{
	if (v == current) {
		host_timer_before(timer_update(v));
		return;
	}
	spin_lock(&sched_lock);
	v->wake = 0;
	if (v->loaded || v->halted)
		host_kick(v->home);
	spin_unlock(&sched_lock);
}

/* ---- interrupts of the machine ------------------------------------------- */

/* Of those that wait to run, and of what wakes nobody, the time comes when
 * they run; the one that runs is looked at last (interrupted). */
static void timer_interrupt(void)
{
	uint64_t now = rdtsc();
	struct guest *g;
	struct vcpu *v;
	uint32_t i;

	for (i = 0; i < guest_count; i++) {
		g = guests[i];
		for (v = g->vcpu; v < g->vcpu + g->vcpus; v++) {
			if (!v->halted || v->home != host_cpu() ||
			    v->wake > now)
				continue;
			spin_lock(&g->lock);
			if (v->halted) {
				timer_update(v);
				v->wake = v->server && !v->parked ?
					  v->look : timer_wake(v);
				sched_charge(v);
			}
			spin_unlock(&g->lock);
		}
	}
}

static void device_interrupt(void)
{
	solo5_interrupt();
	kvmi_interrupt();
	control_interrupt();
}

/* What it is for is charged to whom it is for. */
static void interrupt(int irq)
{
	struct vcpu *v = current;

	sched_charge(v && runnable(v) ? v : NULL);
	host_irq_ack(irq);
	if (irq == IRQ_TIMER || irq == IRQ_KICK)
		timer_interrupt();
	else if (irq == IRQ_COM1)
		io_console_interrupt();
	else
		device_interrupt();
}

/* ---- from one to another ------------------------------------------------ */

static void save(struct vcpu *v)
{
	desc_save(v);
	write_cr0(read_cr0() & ~(uint64_t)(CR0_EM | CR0_TS));
	asm volatile("fxsave64 %0" : "=m"(v->fpu));
	if (v->wide)
		xstate_save(v);
}

static void load(struct vcpu *v)
{
	current = v;
	v->mmu.processor = host_cpu();
	write_cr0(read_cr0() & ~(uint64_t)(CR0_EM | CR0_TS));
	/* AMD's processors leave FIP, FDP and FOP of the last guest there if no
	 * exception is pending (APM Vol. 5, FXRSTOR): make them ours first. */
	asm volatile("fnclex; emms; fildl %1; fxrstor64 %0"
		     : : "m"(v->fpu), "m"(guest_count));
	if (v->wide)
		xstate_load(v);
	cr_load(v);
	/* Siblings write its descriptors, too. */
	spin_lock(&v->g->lock);
	desc_load(v);
	spin_unlock(&v->g->lock);
	speculation_switch();
}

/* When the first of those that were halted here wakes. */
static uint64_t next_wake(void)
{
	uint64_t next = UINT64_MAX;
	uint32_t i;

	for (i = 0; i < vcpu_count; i++)
		if (vcpus[i]->halted && vcpus[i]->home == host_cpu() &&
		    vcpus[i]->wake < next)
			next = vcpus[i]->wake;
	return next;
}

/* It has the processor, all time is charged: what was not to it was stolen. */
static void go_on(struct vcpu *v)
{
	uint64_t now = this_cpu()->charged, next, at;
	const struct vcpu *other;

	spin_lock(&sched_lock);
	other = least_run(v, true);
	next = next_wake();
	if (now > v->since)
		v->stolen += now - v->since;
	v->since = now;
	at = other ? now + time_to_run(v, other->ran + slice() - v->ran) :
		     UINT64_MAX;
	spin_unlock(&sched_lock);
	next = at < next ? at : next;
	v->sh->stolen = v->stolen;
	at = timer_update(v);
	host_timer(at < next ? at : next);
}

/* It runs here from now on. */
static void take(struct vcpu *v)
{
	if (host_cpus > 1)
		catch_up(v);
	v->g->loaded += !v->loaded;
	v->loaded = true;
	v->home = host_cpu();
}

/* Its state has left this processor. */
static void unloaded(struct vcpu *v)
{
	struct guest *g = v->g;
	bool last;

	spin_lock(&sched_lock);
	v->loaded = false;
	last = !--g->loaded && g->ended;
	spread();
	spin_unlock(&sched_lock);
	if (!last)
		return;
	spin_lock(&g->lock);
	guest_finish(g);			/* v is another's from here on, or nobody's */
	spin_unlock(&g->lock);
}

/* This vCPU, which is off, does not go on. */
static void leave(struct vcpu *v)
{
	cr_unload();
	current = NULL;
	unloaded(v);
}

/* To one that was taken, with its guest's lock. One that gives the processor away
 * pays for that, else the one that takes it. */
static struct vcpu *switch_to(struct vcpu *next)
{
	struct vcpu *last = current;
	struct vcpu *payer = last && last->halted ? last : next;

	if (last && last != next)
		save(last);
	if (last != next)
		load(next);
	if (last && last != next)
		unloaded(last);
	sched_charge(payer);
	spin_lock(&next->g->lock);
	/* Unless INIT, or its guest's end, was first. */
	if (next->starting && next->regs->stop < STOP_OFF) {
		trace_drain(next->g->trace, next->nr, next->sh);
		vcpu_start(next);
	}
	go_on(next);
	if (last != next)
		sched_charge(payer);
	return next;
}

/* The next that can run, when there is one: it is taken. */
static struct vcpu *idle(void)
{
	struct cpu *c = this_cpu();
	struct vcpu *next;
	uint32_t interrupts;
	uint64_t at;
	bool gone, saves;

	for (;;) {
		spin_lock(&sched_lock);
		next = least_run(NULL, true);
		c->idle = !next;
		if (next)
			take(next);
		spread();
		gone = c->vcpu && !c->vcpu->on;
		saves = gone && c->vcpu->paused;	/* Resume may come meanwhile */
		at = next_wake();
		spin_unlock(&sched_lock);
		if (next)
			return next;
		if (gone) {
			if (saves)
				save(c->vcpu);
			leave(c->vcpu);
			continue;
		}
		host_timer(at);
		for (interrupts = host_wait(); interrupts;
		     interrupts &= interrupts - 1)
			interrupt(__builtin_ctz(interrupts));
	}
}

static struct vcpu *interrupted(struct vcpu *v)
{
	struct vcpu *other;

	sched_charge(v);
	spin_lock(&sched_lock);
	other = least_run(v, true);
	if (other && other->ran + slice() <= v->ran)
		take(other);
	else
		other = NULL;
	spin_unlock(&sched_lock);
	if (!other) {
		go_on(v);
		return v;
	}
	spin_unlock(&v->g->lock);
	return switch_to(other);
}

/* What it is about has a lock of its own. The guest cannot go away meanwhile, since
 * this vCPU is loaded. */
static struct vcpu *called(struct vcpu *v)
{
	spin_unlock(&v->g->lock);
	dispatch_late(v);
	spin_lock(&v->g->lock);
	return v;
}

/* Its guest stands still. It is saved while nobody can take it. */
static struct vcpu *paused(struct vcpu *v)
{
	if (v->late_number) {
		vcpu_stop(v, STOP_PAUSED);
		return called(v);
	}
	sched_charge(v);
	spin_lock(&sched_lock);
	v->on = false;
	spin_unlock(&sched_lock);
	save(v);
	spin_unlock(&v->g->lock);
	leave(v);
	return switch_to(idle());
}

/* One that is asked meanwhile does that first, and halts then. */
static __attribute__((noinline)) bool awaited_now_special(struct vcpu *v)
{
	kvmi_left(v);
	if (!kvmi_asked(v)) {
		if (kvmi_steps(v))	/* when it wakes */
			vcpu_stop(v, STOP_ASKED);
		return awaited_special(v);
	}
	v->hlt = true;
	vcpu_stop(v, STOP_ASKED);
	return true;
}

static struct vcpu *halted(struct vcpu *v)
{
	timer_update(v);
	if (v->g->special ? awaited_now_special(v) : event_pending(v))
		return v->paused ? paused(v) : v;
	v->wake = timer_wake(v);
	sched_charge(v);
	spin_lock(&sched_lock);
	v->halted = true;
	v->on = !v->paused;
	spin_unlock(&sched_lock);
	spin_unlock(&v->g->lock);
	return switch_to(idle());
}

/* It may go on, with what it did, unless it is another's turn; with more to do it comes
 * back after that, also if its guest is paused. One that is stepped comes back here before
 * it goes on. */
static struct vcpu *go_on_asked(struct vcpu *v)
{
	bool steps = kvmi_steps(v) && !(v->held & HELD_REQUEST);
	bool more = kvmi_asked(v), hlt = v->hlt && !more;
	struct vcpu *next;

	if (steps || more)
		vcpu_stop(v, STOP_ASKED);
	v->hlt &= !hlt;
	next = hlt ? halted(v) : v->paused && !more ? paused(v) : interrupted(v);
	if (next == v && steps && !kvmi_asked(v)) {
		v->regs->stop = STOP_NOT;
		kvmi_arm(v);
	}
	return next;
}

/* It is held until it is asked again, or goes on. Nobody looks at it between a call and
 * its result. */
static struct vcpu *asked(struct vcpu *v)
{
	if (v->late_number) {
		vcpu_stop(v, STOP_ASKED);
		return called(v);
	}
	v->parked = false;
	if (kvmi_serve(v))
		return v->regs->stop > STOP_ASKED ? v : go_on_asked(v);
	if (kvmi_asked(v)) {		/* there is more */
		vcpu_stop(v, STOP_ASKED);
		return interrupted(v);
	}
	sched_charge(v);
	spin_lock(&sched_lock);
	v->parked = true;
	v->halted = true;
	v->on = !v->paused;
	v->wake = UINT64_MAX;
	spin_unlock(&sched_lock);
	spin_unlock(&v->g->lock);
	return switch_to(idle());
}

static struct vcpu *ended(struct vcpu *v)
{
	if (!v->g->ended)
		guest_ends(v);
	sched_charge(v);
	spin_unlock(&v->g->lock);
	leave(v);
	return switch_to(idle());
}

/* INIT, or HLT with interrupts off. */
static struct vcpu *off(struct vcpu *v)
{
	struct vcpu *s = v->sibling;

	while (s != v && !s->on && !s->paused)
		s = s->sibling;
	if (s == v) {
		vcpu_kill(v, "HLT with interrupts off: nothing can wake it");
		return ended(v);
	}
	sched_charge(v);
	v->on = v->paused = false;
	v->late_number = 0;
	v->hlt = false;
	kvmi_off(v);
	requests_off(v);
	v->server = NULL;
	timer_pit_changed(v->g);
	if (v->startup)
		sched_startup(v);
	spin_unlock(&v->g->lock);
	leave(v);
	return switch_to(idle());
}

/* It is within an instruction that another guest answers. */
static struct vcpu *requested(struct vcpu *v)
{
	bool answered;

	kvmi_left(v);
	requests_go(v);
	if (v->regs->stop > STOP_PAUSED)	/* that comes first */
		return v;
	mmu_flush_tlb(&v->mmu);
	if (requests_over(v)) {
		if (kvmi_steps(v))
			vcpu_stop(v, STOP_ASKED);
		return v;
	}
	sched_charge(v);
	spin_lock(&sched_lock);
	answered = v->answered;
	if (!answered) {
		v->halted = true;
		v->on = !v->paused;
		v->wake = v->look;
	}
	spin_unlock(&sched_lock);
	if (answered)
		return v;
	spin_unlock(&v->g->lock);
	return switch_to(idle());
}

/* The rarer reasons. */
static __attribute__((noinline)) struct vcpu *stopped(struct vcpu *v,
						      enum stop why)
{
	return why == STOP_ENDED ? ended(v) : why == STOP_OFF ? off(v) :
	       why == STOP_PAUSED ? paused(v) :
	       why == STOP_CALL ? called(v) :
	       why == STOP_REQUEST ? requested(v) : asked(v);
}

/* Returns with the guest's lock, as it was called. */
struct vcpu *sched_next(struct vcpu *v, enum stop why)
{
	v->mmu.inside = false;
	if (vector_is_irq(v->regs->vector)) {
		vcpu_stop(v, why);	/* siblings look at it, and add to it */
		spin_unlock(&v->g->lock);
		interrupt(v->regs->vector - IRQ_BASE);
		spin_lock(&v->g->lock);
		why = v->regs->stop;
		v->regs->stop = STOP_NOT;
	}
	/* The event that one is given may be its death. */
	for (; why; v->regs->stop = STOP_NOT) {
		v = why == STOP_INTERRUPTED ? interrupted(v) :
		    why == STOP_HALTED ? halted(v) : stopped(v, why);
		/* Without the lock it may have come to have stale pointers to
		 * tables, and its stack is written through them. */
		mmu_flush_tlb(&v->mmu);
		if (!v->held)
			event_poll(v);
		else if (v->held & HELD_REQUEST)
			vcpu_stop(v, STOP_REQUEST);
		why = v->regs->stop;
	}
	mmu_flush_tlb(&v->mmu);
	v->mmu.inside = true;
	return v;
}

/* ---- set-up ------------------------------------------------------------- */

static void __attribute__((noreturn)) run(void)
{
	struct vcpu *v;

	sched_charge(NULL);
	v = sched_next(switch_to(idle()), STOP_INTERRUPTED);
	for (;;)
		v = sched_next(v, vcpu_enter(v->regs));
}

void sched_run(void)
{
	uint32_t i;

	panic_tells = stats_print;
	sched_charge(NULL);
	sched_guests_changed();
	for (i = 0; i < guest_count; i++) {
		sched_add(&guests[i]->vcpu[0]);
		kvmi_start(guests[i]);
	}
	host_watchdog_start();
	host_start(run);
	run();
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * What others make of a vCPU's state, wherever it is: they add it, pause its guest and
 * let that go on, look at it, answer it, send it off and start it. What it does about
 * that in a processor is in sched.c.
 */
#include <cpu.h>

#include "sched.h"

/* ---- of all of a guest ------------------------------------------------------- */

void sched_guests_changed(void)
{
	uint32_t i, n;

	spin_lock(&sched_lock);
	vcpu_count = 0;
	for (i = 0; i < guest_count; i++)
		for (n = 0; n < guests[i]->config->cpus; n++)
			vcpus[vcpu_count++] = &guests[i]->vcpu[n];
	spin_unlock(&sched_lock);
}

void sched_add(struct vcpu *v)
{
	spin_lock(&sched_lock);
	v->ran = behind(v);
	v->since = rdtsc();
	v->halted = false;
	v->on = !v->g->paused;
	v->paused = v->g->paused;
	find_processor(v);
	spin_unlock(&sched_lock);
}

void sched_begin(struct guest *g)
{
	spin_lock(&sched_lock);
	g->gone = false;
	spin_unlock(&sched_lock);
	sched_add(&g->vcpu[0]);
}

/* Those in the guest leave it: to sched_next(), with this lock. When this returns
 * nobody is there any more. */
void sched_pause(struct guest *g)
{
	struct vcpu *v;

	spin_lock(&sched_lock);
	g->paused = true;
	for (v = g->vcpu; v < g->vcpu + g->vcpus; v++) {
		if (!v->on)
			continue;
		v->paused = true;
		if (v->loaded && !v->halted)
			vcpu_stop(v, STOP_PAUSED);
		else
			v->on = false;
		if (v->loaded)
			host_kick(v->home);
	}
	spin_unlock(&sched_lock);
	for (v = g->vcpu; v < g->vcpu + g->vcpus; v++)
		while (v->mmu.inside)
			cpu_relax();
}

/* What was pending when it stopped has not happened yet. */
void sched_resume(struct guest *g)
{
	struct vcpu *v;

	spin_lock(&sched_lock);
	g->paused = false;
	for (v = g->vcpu; v < g->vcpu + g->vcpus; v++) {
		if (!v->paused)
			continue;
		v->paused = false;
		if (v->regs->stop == STOP_PAUSED)
			v->regs->stop = STOP_NOT;
		if (v->on)
			continue;
		v->ran = behind(v);
		v->since = rdtsc();
		v->on = true;
		if (v->halted)
			host_kick(v->home);	/* for its clocks */
		else
			find_processor(v);
	}
	spin_unlock(&sched_lock);
}

/* ---- of one vCPU ------------------------------------------------------------ */

/* One whose guest is paused has a processor for this alone. */
void sched_ask(struct vcpu *v)
{
	vcpu_stop(v, STOP_ASKED);
	v->held |= HELD_ASKED;
	spin_lock(&sched_lock);
	if (v->halted || (v->paused && !v->on)) {
		v->hlt |= v->halted && !v->parked && !v->server;
		v->halted = false;
		v->on = true;
		v->since = rdtsc();
		find_processor(v);
	} else if (v->loaded && v != current) {
		host_kick(v->home);
	}
	spin_unlock(&sched_lock);
}

void sched_off(struct vcpu *v)
{
	spin_lock(&sched_lock);
	/* Not in the guest, nor on its way out of it. */
	if (v->halted || (v->paused && !v->on)) {
		v->halted = v->hlt = v->parked = false;
		v->on = v->paused = false;
		requests_off(v);
		v->server = NULL;
	} else if (v->on) {
		vcpu_stop(v, STOP_OFF);
	}
	v->startup = false;
	if (v->loaded && v != current)
		host_kick(v->home);
	spin_unlock(&sched_lock);
	timer_pit_changed(v->g);
}

void sched_startup(struct vcpu *v)
{
	v->startup = v->on && v->regs->stop == STOP_OFF;
	if (v->on || v->g->ended || !v->initial_set)
		return;
	v->starting = true;
	sched_add(v);
	kvmi_on(v);
}

/* ---- answers ----------------------------------------------------------------- */

static void answered(struct vcpu *v)
{
	v->answered = true;
	if (!v->halted)
		return;
	sched_wake(v);
	v->since = rdtsc();
}

/* Those that wait for it do so no more. */
void sched_abandon(const struct guest *server)
{
	uint32_t i;

	for (i = 0; i < vcpu_count; i++)
		if (vcpus[i]->server == server)
			answered(vcpus[i]);
}

void sched_answered(struct vcpu *v)
{
	spin_lock(&sched_lock);
	answered(v);
	spin_unlock(&sched_lock);
}

void sched_waits(struct vcpu *v, struct guest *server, uint64_t look)
{
	spin_lock(&sched_lock);
	v->server = server;
	v->answered = false;
	v->look = look;
	spin_unlock(&sched_lock);
}

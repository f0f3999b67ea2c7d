// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which vCPU has the processor, and how it goes from one to another. Each
 * has a stack of its own, where its exits are handled to the end; nothing
 * interrupts that but waiting (sched_wait).
 *
 * Of those that can run, the one that ran least does, until it is a slice
 * ahead of another. One that was halted comes back a slice behind at most:
 * enough to run at once, not to make up for its sleep.
 *
 * Time stolen from a guest (VMI-3.7.1) is when its vCPU could run and another
 * did.
 */
#include <cpu.h>

#include "hv.h"
#include "speculation.h"

#define SLICES_PER_SECOND	200

struct vcpu *current;

static enum end worst;		/* of the guests that ended */

static uint64_t slice(void)
{
	return tsc_hz / SLICES_PER_SECOND;
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

/* The time that passed was the current one's. */
static void charge(uint64_t now)
{
	current->ran += now - current->since;
	current->since = now;
}

/* Halted ones with an interrupt to take wait to run from now on. */
static void wake(uint64_t now)
{
	uint64_t behind = current->ran < slice() ? 0 : current->ran - slice();
	uint32_t i;

	for (i = 0; i < guest_count; i++) {
		struct vcpu *v = &guests[i]->vcpu;

		if (!v->halted || !event_pending(v->g))
			continue;
		v->halted = false;
		v->since = now;
		if (v->ran < behind)
			v->ran = behind;
	}
}

/* ---- from one to another ------------------------------------------------ */

static void save(struct vcpu *v)
{
	desc_save(v);
	write_cr0(read_cr0() & ~(uint64_t)(CR0_EM | CR0_TS));
	asm volatile("fxsave64 %0" : "=m"(v->fpu));
}

static void load(struct vcpu *v)
{
	const struct vcpu *other = least_run(v);
	uint64_t now = rdtsc();

	current = v;
	v->stolen += now - v->since;
	v->sh->stolen = v->stolen;
	v->since = now;
	write_cr0(read_cr0() & ~(uint64_t)(CR0_EM | CR0_TS));
	/* AMD's processors leave FIP, FDP and FOP of the last guest there if no
	 * exception is pending (APM Vol. 5, FXRSTOR): make them ours first. */
	asm volatile("fnclex; emms; fildl %1; fxrstor64 %0"
		     : : "m"(v->fpu), "m"(guest_count));
	cr_load(v);
	desc_load(v);
	speculation_switch();
	timer_update(v);
	if (other)
		timer_program(now + other->ran + slice() - v->ran);
}

/* Returns when the one that had the processor gets it again. */
static void switch_to(struct vcpu *next)
{
	struct vcpu *last = current;

	save(last);
	load(next);
	switch_stack(&last->stack, next->stack);
}

void sched_tick(struct vcpu *v)
{
	uint64_t now = rdtsc();
	struct vcpu *other;

	charge(now);
	wake(now);
	other = least_run(v);
	if (!other)
		return;
	if (other->ran + slice() <= v->ran)
		switch_to(other);
	else
		timer_program(now + other->ran + slice() - v->ran);
}

/* The next that can run, when there is one. */
static struct vcpu *idle(void)
{
	struct vcpu *next;

	for (;;) {
		wake(rdtsc());
		next = least_run(NULL);
		if (next)
			return next;
		wait_for_interrupt();
	}
}

void sched_wait(struct vcpu *v)
{
	struct vcpu *next;

	charge(rdtsc());
	v->halted = true;
	next = idle();
	if (next != v)
		switch_to(next);
}

void guest_end(struct vcpu *v, enum end end)
{
	uint32_t i;

	rom_trace_drain(v);
	v->ended = true;
	io_serial_interrupt();		/* what it did not read */
	if (end > worst)
		worst = end;
	for (i = 0; guests[i]->vcpu.ended;)
		if (++i == guest_count)
			machine_end(worst);
	log_printf("%s ended, the others go on\n", v->g->name);
	switch_to(idle());
	panic("%s ended, and runs", v->g->name);
}

/* ---- set-up ------------------------------------------------------------- */

void sched_add(struct vcpu *v)
{
	uint64_t *sp = (uint64_t *)v->regs;
	uint32_t mxcsr = 0x1f80;	/* as after reset */

	*--sp = (uint64_t)first_entry;
	v->stack = (uint64_t)(sp - 6);	/* what switch_stack() takes */
	asm volatile("fninit; ldmxcsr %1; fxsave64 %0"
		     : "=m"(v->fpu) : "m"(mxcsr));
	guests[guest_count++] = v->g;
}

void sched_start(void)
{
	uint64_t boot_stack;
	uint32_t i;

	for (i = 0; i < guest_count; i++)
		guests[i]->vcpu.since = rdtsc();
	watchdog_start();
	load(&guests[0]->vcpu);
	switch_stack(&boot_stack, current->stack);
	panic("the boot stack runs");
}

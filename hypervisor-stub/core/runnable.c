// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which vCPU is next, by whose time is due, and which processor hears of it.
 *
 * Of those that can run, the one that ran least does, until it is a slice
 * ahead of another, on whichever processor looks next that its guest may use
 * (pin=). One with more shares than usual has run less than its time, and one with
 * fewer has run more. One that was halted comes back little more than a slice
 * behind: enough to run at once, not to make up for its sleep.
 */
#include "sched.h"

#define SLICES_PER_SECOND	200
#define SLICES_BEHIND		100u	/* catch_up() */

struct spinlock sched_lock;
struct vcpu *vcpus[GUESTS_MAX * GUEST_VCPUS];
uint32_t vcpu_count;

uint64_t slice(void)
{
	return host_tsc_hz / SLICES_PER_SECOND;
}

/* May it run on this processor? */
static bool may_use(const struct vcpu *v, uint32_t processor)
{
	return v->g->pin >> processor & 1;
}

/* Is it at no other processor? */
static bool may_run_here(const struct vcpu *v)
{
	return !(v->loaded && v->home != host_cpu()) && may_use(v, host_cpu());
}

int64_t time_to_run(const struct vcpu *v, int64_t more)
{
	return more * v->g->shares / GUEST_SHARES;
}

/* Of those that can run, and here if that is asked, but for one. */
struct vcpu *least_run(const struct vcpu *except, bool here)
{
	struct vcpu *least = NULL;
	uint32_t i;

	for (i = 0; i < vcpu_count; i++) {
		struct vcpu *v = vcpus[i];

		if (runnable(v) && v != except && !(here && !may_run_here(v)) &&
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
uint64_t behind(const struct vcpu *v)
{
	static uint64_t clock;
	const struct vcpu *least = least_run(v, false);
	uint64_t most = slice() + slice() / 4;

	if (least && least->ran > clock)
		clock = least->ran;
	return clock < most ? 0 : clock - most;
}

/*
 * Where guests are pinned one processor has more time for each than another. Who
 * comes from where it is short must not keep this one until it has caught up with
 * those that had this one's all along.
 */
void catch_up(struct vcpu *v)
{
	uint64_t most = SLICES_BEHIND * slice(), least;
	uint32_t i;

	for (i = 0; i < vcpu_count; i++)
		if (runnable(vcpus[i]) && may_run_here(vcpus[i]) &&
		    vcpus[i]->ran > most)
			most = vcpus[i]->ran;
	least = most - SLICES_BEHIND * slice();
	if (v->ran < least)
		v->ran = least;
}

/* One that can run from now on waits for a processor: some that has nothing to
 * do, or whose vCPU has run a slice more; or this one in time. */
void find_processor(const struct vcpu *v)
{
	const struct cpu *me = this_cpu();
	bool here = may_use(v, host_cpu());
	uint32_t i, best = host_cpu();
	uint64_t most = 0;

	if (v->loaded) {
		if (v->home != host_cpu())
			host_kick(v->home);
		return;
	}
	if (here && (me->idle || !me->vcpu || !runnable(me->vcpu)))
		return;		/* it looks next */
	for (i = 0; i < host_cpus; i++) {
		const struct cpu *c = &cpus[i];

		if (c == me || !may_use(v, i))
			continue;
		if (c->idle) {
			host_kick(i);
			return;
		}
		if (c->vcpu && runnable(c->vcpu) && c->vcpu->ran > most) {
			most = c->vcpu->ran;
			best = i;
		}
	}
	/* One that is kicked too early sets its timer. */
	if (best != host_cpu() && (!here || most >= v->ran + slice()))
		host_kick(best);
	else if (here)
		host_timer_before(me->charged +
				  time_to_run(me->vcpu,
					      v->ran + slice() - me->vcpu->ran));
}

/* A processor that has nothing to do, if there is something for it. */
void spread(void)
{
	const struct vcpu *v;
	uint32_t i, n;

	for (i = 0; i < host_cpus; i++) {
		for (n = 0; n < vcpu_count && cpus[i].idle; n++) {
			v = vcpus[n];
			if (runnable(v) && !v->loaded && may_use(v, i)) {
				host_kick(i);
				return;
			}
		}
	}
}

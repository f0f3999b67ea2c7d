/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the scheduler share. */
#ifndef SCHED_H
#define SCHED_H

#include "core.h"

/* Guards cpus[] and, of each vCPU, who runs it and since when: from "ran" to
 * "home" in struct vcpu. All here is with this lock, but for what ends a guest. */
extern struct spinlock sched_lock;

/* ---- runnable.c ----------------------------------------------------------- */

extern struct vcpu *vcpus[GUESTS_MAX * GUEST_VCPUS];	/* of all guests */
extern uint32_t vcpu_count;

static inline bool runnable(const struct vcpu *v)
{
	return v->on && !v->halted;
}

uint64_t slice(void);			/* TSC cycles */
/* How long until it has run so much more? */
int64_t time_to_run(const struct vcpu *, int64_t more);
/* Of those that can run, and here if that is asked, but for one. */
struct vcpu *least_run(const struct vcpu *except, bool here);
/* What a halted one must have run at the least. */
uint64_t behind(const struct vcpu *);
/* It is taken: it has run little less than any that could run here instead. */
void catch_up(struct vcpu *);
/* One that can run from now on waits for a processor. */
void find_processor(const struct vcpu *);
/* A processor that has nothing to do, if there is something for it. */
void spread(void);

/* ---- sched.c, sched_control.c --------------------------------------------- */

/* It was halted, and something was done for it. */
void sched_wake(struct vcpu *);
/* Those that wait for this server do so no more. */
void sched_abandon(const struct guest *server);

/* ---- guest_end.c ------------------------------------------------------------ */

/* The first of its vCPUs tells the others, or another guest does. True: none of them
 * is in a processor. */
bool guest_ends(struct vcpu *);
/* That of one that no processor knows any more; with its lock. */
void guest_finish(struct guest *);

#endif

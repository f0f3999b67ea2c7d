/* SPDX-License-Identifier: GPL-2.0-only */
/* Of runnable.c, for the scheduler alone; all with its lock. */
#ifndef RUNNABLE_H
#define RUNNABLE_H

#include "core.h"

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

#endif

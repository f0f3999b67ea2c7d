/* SPDX-License-Identifier: GPL-2.0-only */
/* Calls to the hypervisor proper: dispatch.c, and the ways to it. */
#ifndef CORE_DISPATCH_H
#define CORE_DISPATCH_H

#include "core.h"
#include "vmi_hypercall.h"

#define CALL_ARGS	4
struct call_made {
	uint64_t	number;
	uint64_t	arg[CALL_ARGS];
	int64_t		result;		/* with CALL_DONE */
	uint64_t	mask;		/* of its bits in RAX */
	bool		poisons;
};

enum verdict {
	CALL_DONE,
	CALL_UD,			/* the exception that it is instead */
	CALL_GP,			/* with error code 0 */
	CALL_LATE,			/* by dispatch_late() */
};
enum verdict dispatch(struct vcpu *, struct call_made *);
/* Without any guest's lock; the result goes to RAX. */
void dispatch_late(struct vcpu *);
/* For control.c: a call about guests, of one that is no guest; the result. Without
 * any guest's lock. */
int64_t dispatch_outside(struct vcpu *, uint64_t number, const uint64_t *arg);

#endif

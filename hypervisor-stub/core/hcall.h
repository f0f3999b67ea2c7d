/* SPDX-License-Identifier: GPL-2.0-only */
/* What the hypercalls of both kinds of guests share. */
#ifndef CORE_HCALL_H
#define CORE_HCALL_H

#include "dispatch.h"

/* The handler, with the first two arguments; does it look at guest memory or
 * tables, which must be up to date? */
struct hypercall {
	void	(*handler)(struct vcpu *, uint64_t, uint64_t);
	bool	drains;
};
extern const struct hypercall hypercall[STUB_HC_COUNT];

/* For who looks at it from outside. */
void hcall_tell_shared(const struct guest *);
/* FlushProcessors: is its APIC's id in the set? One that is not on begins with an
 * empty TLB. */
static inline bool hcall_flushes(const struct vcpu *v, uint32_t ids)
{
	uint32_t id = v->apic->id >> 24;

	return (v->on || v->paused) && !v->starting && id < 32 &&
	       (ids >> id & 1);
}

/* One was made: noted, carried out by one of these. */
void hcall_carry_out(struct vcpu *, struct regs *, uint32_t nr,
		     const struct hypercall *, uint64_t a, uint64_t b);

/* The ROM's Hypercall. */
void hcall_dispatch(struct vcpu *, struct call_made *);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* What the hypercalls of both kinds of guests share. */
#ifndef CORE_HCALL_H
#define CORE_HCALL_H

#include "core.h"

/* The handler, with the first two arguments; does it look at guest memory or
 * tables, which must be up to date? */
struct hypercall {
	void	(*handler)(struct vcpu *, uint64_t, uint64_t);
	bool	drains;
};
extern const struct hypercall hypercall[STUB_HC_COUNT];

/* One was made: noted, carried out by one of these. */
void hcall_carry_out(struct vcpu *, struct regs *, uint32_t nr,
		     const struct hypercall *, uint64_t a, uint64_t b);

#endif

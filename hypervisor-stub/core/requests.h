/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Of requests.c, for dispatch.c: v calls, about g, whose lock is held. The result is
 * what the call's is.
 */
#ifndef CORE_REQUESTS_H
#define CORE_REQUESTS_H

#include "dispatch.h"

int64_t requests_upcall(struct vcpu *v, uint64_t vector);
int64_t requests_page(struct vcpu *v, struct guest *g, uint64_t pa,
		      uint64_t flags);
int64_t requests_page_end(struct vcpu *v, struct guest *g);
int64_t requests_claim(struct vcpu *v, struct guest *g, uint64_t kind,
		       uint64_t first, uint64_t bytes);
int64_t requests_unclaim(struct vcpu *v, struct guest *g, uint64_t kind,
			 uint64_t first, uint64_t bytes);
int64_t requests_done(struct vcpu *v, struct guest *g, uint64_t nr);
int64_t requests_line(struct vcpu *v, struct guest *g, uint64_t irq,
		      uint64_t level);

#endif

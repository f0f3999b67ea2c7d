/* SPDX-License-Identifier: GPL-2.0-only */
/* Of pages.c, for dispatch.c: the calls; their arguments are the guest's. */
#ifndef CORE_PAGES_H
#define CORE_PAGES_H

#include "dispatch.h"

/* With the caller's lock. */
int64_t pages_token(struct vcpu *, uint64_t guest, uint64_t pa);
/* Without any guest's. */
int64_t pages_map(struct vcpu *, uint64_t token, uint64_t theirs, uint64_t own);
int64_t pages_unmap(struct vcpu *, uint64_t own);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* The update queue of the shared area. */
#ifndef QUEUE_H
#define QUEUE_H

#include "mm.h"
#include "vmi_stub.h"

/* Its entries from at up to end, of which there is one. */
void queue_updates(struct mmu *, volatile struct stub_shared *,
		   const volatile uint32_t *at, const volatile uint32_t *end);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* What stands behind the ROM: its image, its trace, and the update queue. */
#ifndef VMI_STUB_BEHIND_H
#define VMI_STUB_BEHIND_H

#include "mm.h"
#include "vmi_stub.h"
#include "vmi_stub64.h"

/* ---- the ROM (rom.c) ---------------------------------------------------- */

/* No interrupt comes between: it goes back to restart (STUB-7). */
struct rom_window {
	gva_t		start, end, restart;
	bool		clear_if;
};

/* Of one guest. Addresses are linear. */
struct rom {
	uint8_t		*image;		/* the working copy; the guest has its
					 * own */
	uint32_t	size;
	gva_t		virtual_top;
	gva_t		base, end;
	struct rom_window window[STUB_WINDOWS];
	uint32_t	windows;
	gva_t		iret_entry;
	gva_t		iret_insn[STUB64_IRETS];	/* 0: none */
	gva_t		iret_site;	/* last known, 0 none */
	gva_t		syscall_entry[2];	/* STUB64-7 */
};

/* Check an image, put it where a guest looks, and make the working copy. NULL,
 * or why not. */
const char *rom_publish(struct rom *, const struct gmem *, const uint8_t *image,
			size_t size, bool wide);
void rom_free(struct rom *);
/* Into the reserved top, with the shared area. */
void rom_map(const struct rom *, struct mmu *, const volatile void *shared,
	     uint32_t bytes);
/*
 * Where does the guest jump to the ROM's IRET: iret_site. Near this entry point
 * of its, or near the other. False: nowhere.
 */
bool rom_find_iret_site(struct rom *, struct mmu *, gva32_t entry, gva32_t other);

/* ---- a ROM that traces (trace.c) ---------------------------------------- */

struct trace_ring;
struct trace_ring *trace_init(void);	/* NULL: no memory */
void trace_free(struct trace_ring *);
/* What was put into trace[] of the vCPU's area: on, or with NULL away, unread. */
void trace_drain(struct trace_ring *, uint32_t vcpu, volatile struct stub_shared *);

/* ---- the update queue (queue.c) ----------------------------------------- */

/* Its entries from at up to end, of which there is one; of a wide guest. */
void queue_updates_wide(struct mmu *, const volatile uint64_t *at,
			const volatile uint64_t *end);
/* Its entries from at up to end, of which there is one. */
void queue_updates(struct mmu *, volatile struct stub_shared *,
		   const volatile uint32_t *at, const volatile uint32_t *end);

#endif

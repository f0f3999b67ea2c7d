// SPDX-License-Identifier: GPL-2.0-only
/*
 * Draining the update queue of the shared area, and what else a lazy mode
 * deferred. Everything here was written by the guest: the count is checked,
 * each entry is read once, and an address is only ever used to look up a
 * frame of the guest's own.
 */
#include "shadow.h"

/*
 * Updates come in runs within one half of a guest table, or with PAE within
 * one table: in what one page shadows. Entries of a run have the same key:
 * all but the bits that say where in it.
 */
struct half {
	const struct gtable	*guest;		/* NULL: nothing shadows it */
	uint64_t		*pt;		/* its shadow, or NULL */
	struct gframe		*upper;		/* it is a directory, or NULL */
	uint32_t		first;		/* offset of the half */
};

static inline struct half half_of(struct guest *g, gpa_t pa, uint32_t mask)
{
	struct half h = { .first = pa & ~mask & 0xfff };
	struct shadow *s = &g->shadow;
	struct gframe *f;
	uint32_t pt;

	pa &= ~(gpa_t)mask;
	h.guest = gmem_table(&g->mem, pa >> PAGE_SHIFT, h.first);
	if (!h.guest)
		return h;
	f = &g->frames[pa >> PAGE_SHIFT];
	if (!(f->flags & GF_TRACKED))
		shadow_track(g, f);
	pt = f->pt[h.first >> 11];
	if (pt)
		h.pt = s->pages[pt].table;
	if (f->root || (mask > 0x800 && f->pt[1]))
		h.upper = f;
	else if (!pt)
		h.guest = NULL;
	return h;
}

/* The entry at this offset in the half has changed. */
static inline void update(struct guest *g, const struct half *h,
			  uint32_t offset)
{
	uint32_t i = pae(g) ? offset / 8 : offset / 4;

	if (h->pt)
		set_leaf(&g->shadow, &h->pt[i],
			 leaf_shadow(&g->mem, read_entry(g, h->guest, i)));
	if (h->upper)
		shadow_sync_upper(g, h->upper, h->first + offset);
}

void shadow_entry_changed(struct guest *g, gpa_t pa)
{
	struct half h = half_of(g, pa & ~(gpa_t)3, g->shadow.run_mask);

	if (h.guest)
		update(g, &h, pa & g->shadow.run_mask);
}

/* An entry that is not an update. */
static void drain_other(struct vcpu *v, uint32_t entry)
{
	if ((entry & STUB_Q_KIND) == STUB_Q_INVAL)
		shadow_inval(v, entry & ~(PAGE_SIZE - 1));
	else if ((entry & STUB_QP_OP) == STUB_QP_ALLOC)
		shadow_page_alloc(v->g, entry >> PAGE_SHIFT);
	else if ((entry & STUB_QP_OP) == STUB_QP_RELEASE)
		shadow_page_release(v->g, entry >> PAGE_SHIFT);
}

/* The next entry, if it belongs to the same run. */
#define NEXT_IN_RUN()							\
	(++at != end && ((entry = *at) & ~mask) == key)

/* A run in a directory, in a table of eight-byte entries, or in one that we
 * did not know of. */
static __attribute__((noinline))
const volatile uint32_t *drain_other_run(struct guest *g,
					 const volatile uint32_t *at,
					 const volatile uint32_t *end,
					 uint32_t entry, uint32_t pa)
{
	const uint32_t mask = g->shadow.run_mask, key = entry & ~mask;
	struct half h = half_of(g, pa, mask);

	do {
		if (h.guest)
			update(g, &h, entry & mask);
	} while (NEXT_IN_RUN());
	return at;
}

/*
 * The run that starts with this entry; returns what is behind it. This is the
 * hot path of batching: what the loop needs is held in locals, because the
 * compiler cannot know that its stores leave struct guest alone.
 */
static const volatile uint32_t *drain_run(struct vcpu *v,
					  volatile struct stub_shared *sh,
					  const volatile uint32_t *at,
					  const volatile uint32_t *end,
					  uint32_t entry)
{
	const uint32_t mask = 0x7fc, key = entry & ~mask;
	struct guest *g = v->g;
	const struct gmem mem = g->mem;
	const struct gtable *guest;
	uint32_t pa = entry & ~STUB_Q_KIND, n;
	struct gframe *f;
	uint64_t *pt, gfn, leaf, offset;

	if ((entry & STUB_Q_KIND) == STUB_Q_UPDATE_VA)
		pa += sh->linear[0].pa - sh->linear[0].va;
	gfn = pa >> PAGE_SHIFT;
	f = &g->frames[gfn];
	leaf = gmem_leaf(&mem, gfn);
	if (pae(g) || !leaf || !is_plain_table(f))
		return drain_other_run(g, at, end, entry, pa);
	n = f->pt[pa >> 11 & 1];
	if (!n) {
		while (NEXT_IN_RUN())
			;
		return at;
	}
	pt = g->shadow.pages[n].table;
	guest = gmem_leaf_table(leaf, pa & 0x800);
	do {
		offset = entry & mask;
		set_leaf(&g->shadow, (uint64_t *)((uint8_t *)pt + offset * 2),
			 leaf_shadow(&mem, gtable_read32(gtable_part(guest,
								     offset),
							 0)));
	} while (NEXT_IN_RUN());
	return at;
}

static void drain_updates(struct vcpu *v, volatile struct stub_shared *sh)
{
	struct stats *stats = &v->g->stats;
	uint32_t start = v->queue_start;
	uint32_t end = (uint32_t)sh->tail + STUB_QUEUE_LEN;
	const volatile uint32_t *at = sh->queue + start;
	uint32_t entry;

	if (end == start)
		return;
	if (end - start > STUB_QUEUE_LEN - start) {
		guest_kill(v, "bad queue: tail %d is not in -%d..0",
			   (int)(end - STUB_QUEUE_LEN), STUB_QUEUE_LEN);
		return;
	}
	stats->drains++;
	stats->drained += end - start;
	do {
		entry = *at;
		if (entry & 2) {
			drain_other(v, entry);
			at++;
		} else {
			at = drain_run(v, sh, at, sh->queue + end, entry);
		}
	} while (at != sh->queue + end);
	sh->tail = (int32_t)(v->queue_start - STUB_QUEUE_LEN);
}

_Static_assert(STUB_Q_UPDATE_VA < 2 && STUB_Q_UPDATE_PA < 2 &&
	       STUB_Q_PAGE >= 2 && STUB_Q_INVAL >= 2, "bit 1: not an update");

/* What lazy CPU mode put off: descriptors, then the address space. */
static void __attribute__((noinline)) drain_deferred(struct vcpu *v)
{
	volatile struct stub_shared *sh = v->sh;
	uint32_t dirty = sh->gdt_dirty;
	uint32_t deferred = sh->deferred;

	sh->gdt_dirty = 0;
	sh->deferred = 0;
	for (; dirty; dirty &= dirty - 1)
		desc_gdt_changed(v, __builtin_ctz(dirty));
	if (deferred & STUB_DEFER_CR3)
		cr3_write(v, sh->cr3);
	else if (deferred & STUB_DEFER_FLUSH)
		shadow_flush(v);
}

void queue_drain(struct vcpu *v)
{
	volatile struct stub_shared *sh = v->sh;

	drain_updates(v, sh);
	if (sh->gdt_dirty | sh->deferred)
		drain_deferred(v);
	shadow_flush_tlb(v->g);
	if (v->verify)
		shadow_verify(v);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Draining the update queue of the shared area, and what else a lazy mode
 * deferred. Everything here was written by the guest: the count is checked,
 * each entry is read once, and an address is only ever used to look up a
 * frame of the guest's own.
 */
#include "shadow.h"

#define READ_ONCE(x)	(*(const volatile __typeof__(x) *)&(x))

/*
 * Updates come in runs within one half of a guest table. Entries of a run
 * have the same key: all but the bits that say where in the half.
 */
struct half {
	const volatile uint32_t	*guest;		/* NULL: nothing shadows it */
	uint64_t		*pt;		/* its shadow, or NULL */
	struct root		*root;		/* as a directory, or NULL */
	uint32_t		first;		/* index of its first entry */
};

#define HALF_SIZE	2048u
#define HALF_OFFSET	(HALF_SIZE - 4)
#define HALF_KEY	(~HALF_OFFSET)

static inline struct half half_of(struct guest *g, gpa_t pa)
{
	struct half h = { .first = pa >> 2 & 512 };
	const volatile uint32_t *guest = guest_word(g, pa & -HALF_SIZE);
	struct shadow *s = &g->shadow;
	struct gframe *f;
	uint32_t pt;

	if (!guest)
		return h;
	f = &g->frames[pa >> PAGE_SHIFT];
	if (!(f->flags & GF_TRACKED))
		shadow_track(g, f);
	pt = f->pt[h.first >> 9];
	if (pt)
		h.pt = s->pages[pt].table;
	if (f->root)
		h.root = &s->roots[f->root];
	if (h.pt || h.root)
		h.guest = guest;
	return h;
}

/* The entry at this offset in the half has changed. */
static inline void update(struct guest *g, const struct half *h,
			  uint32_t offset)
{
	if (h->pt)
		set_leaf(&g->shadow, &h->pt[offset / 4],
			 leaf_shadow(g->p2m, g->nframes, h->guest[offset / 4]));
	if (h->root)
		shadow_sync_pde(g, h->root, h->first + offset / 4);
}

void shadow_entry_changed(struct guest *g, gpa_t pa)
{
	struct half h = half_of(g, pa);

	if (h.guest)
		update(g, &h, pa & HALF_OFFSET);
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
	(++at != end && ((entry = *at) & HALF_KEY) == key)

/*
 * The run that starts with this entry; returns what is behind it. The second
 * loop is the hot path of batching: what it needs is held in locals, because
 * the compiler cannot know that its stores leave struct guest alone.
 */
static const volatile uint32_t *drain_run(struct vcpu *v,
					  const volatile uint32_t *at,
					  const volatile uint32_t *end,
					  uint32_t entry)
{
	uint32_t key = entry & HALF_KEY;
	struct guest *g = v->g;
	gpa_t pa = entry & ~STUB_Q_KIND;
	const uint64_t *p2m = g->p2m;
	uint32_t nframes = g->nframes;
	struct half h;

	if ((entry & STUB_Q_KIND) == STUB_Q_UPDATE_VA)
		pa += READ_ONCE(v->sh->linear[0].pa) -
		      READ_ONCE(v->sh->linear[0].va);
	h = half_of(g, pa);
	if (!h.guest)
		while (NEXT_IN_RUN())
			;
	else if (h.root)
		do
			update(g, &h, entry & HALF_OFFSET);
		while (NEXT_IN_RUN());
	else
		do
			set_leaf(&g->shadow, &h.pt[(entry & HALF_OFFSET) / 4],
				 leaf_shadow(p2m, nframes,
					     h.guest[(entry & HALF_OFFSET) / 4]));
		while (NEXT_IN_RUN());
	return at;
}

static void drain_updates(struct vcpu *v)
{
	struct stub_shared *sh = v->sh;
	uint32_t end = (uint32_t)READ_ONCE(sh->tail) + STUB_QUEUE_LEN;
	const volatile uint32_t *at = sh->queue + v->queue_start;
	uint32_t entry;

	if (end == v->queue_start)
		return;
	if (end > STUB_QUEUE_LEN || end < v->queue_start)
		guest_kill(v, "bad queue: tail %d is not in -%d..0",
			   (int)(end - STUB_QUEUE_LEN), STUB_QUEUE_LEN);
	v->g->stats.drains++;
	v->g->stats.drained += end - v->queue_start;
	while (at != sh->queue + end) {
		entry = *at;
		if (entry & 2) {
			drain_other(v, entry);
			at++;
		} else {
			at = drain_run(v, at, sh->queue + end, entry);
		}
	}
	sh->tail = (int32_t)(v->queue_start - STUB_QUEUE_LEN);
}

_Static_assert(STUB_Q_UPDATE_VA < 2 && STUB_Q_UPDATE_PA < 2 &&
	       STUB_Q_PAGE >= 2 && STUB_Q_INVAL >= 2, "bit 1: not an update");

/* What lazy CPU mode put off: descriptors, then the address space. */
static void __attribute__((noinline)) drain_deferred(struct vcpu *v)
{
	struct stub_shared *sh = v->sh;
	uint32_t dirty = READ_ONCE(sh->gdt_dirty);
	uint32_t deferred = READ_ONCE(sh->deferred);

	sh->gdt_dirty = 0;
	sh->deferred = 0;
	for (; dirty; dirty &= dirty - 1)
		desc_gdt_changed(v, __builtin_ctz(dirty));
	if (deferred & STUB_DEFER_CR3)
		cr3_write(v, READ_ONCE(sh->cr3));
	else if (deferred & STUB_DEFER_FLUSH)
		shadow_flush(v);
}

void queue_drain(struct vcpu *v)
{
	drain_updates(v);
	if (READ_ONCE(v->sh->gdt_dirty) | READ_ONCE(v->sh->deferred))
		drain_deferred(v);
	shadow_flush_tlb(v->g);
	if (v->verify)
		shadow_verify(v);
}

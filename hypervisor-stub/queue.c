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
 * Updates come in runs within one guest table: what is known of the table of
 * the last one. The key is the page and the kind of its queue entries.
 */
struct cursor {
	uint32_t		key;
	volatile uint32_t	*guest;		/* NULL: nothing shadows it */
	uint64_t		*pt[2];		/* its two halves, or NULL */
	struct root		*root;		/* as a directory, or NULL */
};

#define NO_KEY	4u	/* no entry's */

static void cursor_move(struct guest *g, struct cursor *c, gpa_t page)
{
	struct shadow *s = &g->shadow;
	struct gframe *f;
	int half;

	c->guest = guest_word(g, page);
	if (!c->guest)
		return;
	f = &g->frames[page >> PAGE_SHIFT];
	if (!(f->flags & GF_TRACKED))
		shadow_track(g, f);
	for (half = 0; half < 2; half++)
		c->pt[half] = f->pt[half] ? s->pages[f->pt[half]].table : NULL;
	c->root = f->root ? &s->roots[f->root] : NULL;
	if (!c->pt[0] && !c->pt[1] && !c->root)
		c->guest = NULL;
}

/* The entry at this offset of the cursor's table has changed. */
static inline void cursor_update(struct guest *g, struct cursor *c,
				 uint32_t offset)
{
	uint64_t *pt;

	if (!c->guest)
		return;
	pt = c->pt[offset >> 11];
	if (pt)
		set_leaf(&g->shadow, &pt[offset >> 2 & 511],
			 leaf_shadow(g, c->guest[offset >> 2]));
	if (c->root)
		shadow_sync_pde(g, c->root, offset >> 2);
}

void shadow_entry_changed(struct guest *g, gpa_t pa)
{
	struct cursor c;

	cursor_move(g, &c, pa & ~(PAGE_SIZE - 1));
	cursor_update(g, &c, pa & (PAGE_SIZE - 4));
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

static void drain_updates(struct vcpu *v)
{
	struct stub_shared *sh = v->sh;
	struct cursor c = { .key = NO_KEY };
	uint32_t end = (uint32_t)READ_ONCE(sh->tail) + STUB_QUEUE_LEN;
	uint32_t i, entry, key, page;

	if (end == v->queue_start)
		return;
	if (end > STUB_QUEUE_LEN || end < v->queue_start)
		guest_kill(v, "bad queue: tail %d is not in -%d..0",
			   (int)(end - STUB_QUEUE_LEN), STUB_QUEUE_LEN);
	v->g->stats.drains++;
	v->g->stats.drained += end - v->queue_start;
	for (i = v->queue_start; i < end; i++) {
		entry = READ_ONCE(sh->queue[i]);
		key = entry & ~(uint32_t)(PAGE_SIZE - 4);
		if (key != c.key) {
			c.key = NO_KEY;
			if (entry & 2) {	/* it may free shadows */
				drain_other(v, entry);
				continue;
			}
			page = key & ~STUB_Q_KIND;
			if ((entry & STUB_Q_KIND) == STUB_Q_UPDATE_VA)
				page += READ_ONCE(sh->linear[0].pa) -
					READ_ONCE(sh->linear[0].va);
			cursor_move(v->g, &c, page & ~(PAGE_SIZE - 1));
			c.key = key;
		}
		cursor_update(v->g, &c, entry & (PAGE_SIZE - 4));
	}
	sh->tail = (int32_t)(v->queue_start - STUB_QUEUE_LEN);
}

_Static_assert(STUB_Q_UPDATE_VA < 2 && STUB_Q_UPDATE_PA < 2 &&
	       STUB_Q_PAGE >= 2 && STUB_Q_INVAL >= 2, "bit 1: not an update");

void queue_drain(struct vcpu *v)
{
	struct stub_shared *sh = v->sh;
	uint32_t dirty = READ_ONCE(sh->gdt_dirty);
	uint32_t deferred = READ_ONCE(sh->deferred);

	drain_updates(v);
	if (dirty) {
		sh->gdt_dirty = 0;
		for (; dirty; dirty &= dirty - 1)
			desc_gdt_changed(v, __builtin_ctz(dirty));
	}
	if (deferred) {
		sh->deferred = 0;
		if (deferred & STUB_DEFER_CR3)
			cr3_write(v, READ_ONCE(sh->cr3));
		else if (deferred & STUB_DEFER_FLUSH)
			shadow_flush(v);
	}
	shadow_flush_tlb(v->g);
}

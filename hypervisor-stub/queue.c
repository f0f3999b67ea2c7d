// SPDX-License-Identifier: GPL-2.0-only
/*
 * Draining the update queue of the shared area, and what else a lazy mode
 * deferred. Everything here was written by the guest: the count is checked,
 * each entry is read once, and an address is only ever used to look up a
 * frame of the guest's own.
 */
#include <cpu.h>

#include "hv.h"

#define READ_ONCE(x)	(*(const volatile __typeof__(x) *)&(x))

static void drain_page(struct guest *g, uint32_t entry)
{
	uint32_t gfn = entry >> PAGE_SHIFT;

	if ((entry & STUB_QP_OP) == STUB_QP_ALLOC)
		shadow_page_alloc(g, gfn);
	else if ((entry & STUB_QP_OP) == STUB_QP_RELEASE)
		shadow_page_release(g, gfn);
}

static void drain_updates(struct vcpu *v)
{
	struct stub_shared *sh = v->sh;
	uint32_t va = READ_ONCE(sh->linear[0].va);
	uint32_t pa = READ_ONCE(sh->linear[0].pa);
	uint32_t end = (uint32_t)READ_ONCE(sh->tail) + STUB_QUEUE_LEN;
	uint32_t i, entry;

	if (end == v->queue_start)
		return;
	if (end > STUB_QUEUE_LEN || end < v->queue_start)
		guest_kill(v, "bad queue: tail %d is not in -%d..0",
			   (int)(end - STUB_QUEUE_LEN), STUB_QUEUE_LEN);
	v->g->stats.drains++;
	v->g->stats.drained += end - v->queue_start;
	for (i = v->queue_start; i < end; i++) {
		entry = READ_ONCE(sh->queue[i]);
		switch (entry & STUB_Q_KIND) {
		case STUB_Q_UPDATE_VA:
			shadow_entry_changed(v->g, entry - va + pa);
			break;
		case STUB_Q_UPDATE_PA:
			shadow_entry_changed(v->g, entry - STUB_Q_UPDATE_PA);
			break;
		case STUB_Q_PAGE:
			drain_page(v->g, entry);
			break;
		case STUB_Q_INVAL:
			shadow_inval(v, entry & ~(PAGE_SIZE - 1));
			break;
		}
	}
	sh->tail = (int32_t)(v->queue_start - STUB_QUEUE_LEN);
}

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

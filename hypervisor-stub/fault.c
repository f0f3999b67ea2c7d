// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page faults: is it the guest's own, by its tables, or has the shadow only
 * not been filled yet? And the filling.
 */
#include <string.h>

#include "shadow.h"

/* ---- the directory page ------------------------------------------------- */

/* Do two directories agree on the kernel's quarter? */
static bool same_quarter(struct guest *g, const struct root *a,
			 const struct root *b, uint32_t q)
{
	uint32_t n = (g->vcpu.hole >> 22) - q * 256;

	return !memcmp((const void *)(a->guest + q * 256),
		       (const void *)(b->guest + q * 256), n * 4);
}

/* Do all roots that share a page agree on this entry? */
static bool sharers_agree(struct guest *g, struct spage *pd, uint32_t i)
{
	struct shadow *s = &g->shadow;
	uint32_t pde = s->current->guest[i], n;

	for (n = 1; n < ROOTS; n++)
		if (s->roots[n].pd[i >> 8] == pd &&
		    s->roots[n].guest[i] != pde)
			return false;
	return true;
}

static struct spage *pd_new(struct guest *g, uint32_t q)
{
	struct shadow *s = &g->shadow;
	struct root *r = s->current;
	struct spage *p = shadow_page_new(s, SP_PD, r->gfn);
	uint32_t hole = g->vcpu.hole, i;

	p->parents = 1;
	r->pd[q] = p;
	s->pdpt[q] = p->link | PTE_U | PTE_W;
	if (!hole || q != hole >> 30)
		return p;
	p->table[hole >> 21 & 511] = va_to_pa(s->hole_pt) | PTE_A | PTE_W |
				     PTE_P;
	/* The kernel will need all of it, and others will share it. */
	for (i = q * 256; i < hole >> 22; i++)
		if (r->guest[i] & PTE_P)
			shadow_sync_pde(g, r, i);
	s->sharer = r;
	return p;
}

static struct spage *pd_get(struct guest *g, uint32_t q)
{
	struct shadow *s = &g->shadow;
	struct root *r = s->current, *other = s->sharer;

	if (r->pd[q])
		return r->pd[q];
	if (g->vcpu.hole && q == g->vcpu.hole >> 30 && other &&
	    other->pd[q] && tracked(g, r) && tracked(g, other) &&
	    same_quarter(g, r, other, q)) {
		r->pd[q] = other->pd[q];
		r->pd[q]->parents++;
		s->pdpt[q] = r->pd[q]->link | PTE_U | PTE_W;
		return r->pd[q];
	}
	return pd_new(g, q);
}

/* Set an entry of the current root, in a page that is its own or for which
 * all sharers agree. */
static void fill_pde(struct guest *g, gva_t va, uint64_t val)
{
	struct spage *pd = pd_get(g, va >> 30);
	uint32_t i = va >> 21 & 511;

	if (pd->table[i] != val && pd->parents > 1 &&
	    !sharers_agree(g, pd, va >> 22)) {
		pd->parents--;
		g->shadow.flush = true;
		pd = pd_new(g, va >> 30);
	}
	shadow_set_pde(&g->shadow, &pd->table[i], val);
}

/* ---- the guest's tables ------------------------------------------------- */

struct walk {
	volatile uint32_t	*pde_at, *leaf_at;
	uint32_t		pde, leaf;	/* each read once */
	bool			large;		/* the leaf is the pde */
};

/* False: not present. */
static inline bool walk(struct vcpu *v, gva_t va, struct walk *w)
{
	struct guest *g = v->g;
	volatile uint32_t *table;

	w->pde_at = (volatile uint32_t *)&g->shadow.current->guest[va >> 22];
	w->pde = *w->pde_at;
	if (!(w->pde & PTE_P))
		return false;
	w->large = is_large(g, w->pde);
	if (w->large) {
		w->leaf_at = w->pde_at;
		w->leaf = w->pde;
		return true;
	}
	table = guest_word(g, w->pde & ~(PAGE_SIZE - 1));
	if (!table)
		guest_kill(v, "page table at %08x is outside its memory",
			   w->pde & ~(PAGE_SIZE - 1));
	w->leaf_at = &table[va >> 12 & 1023];
	w->leaf = *w->leaf_at;
	return w->leaf & PTE_P;
}

static inline gpa_t walk_result(const struct walk *w, gva_t va)
{
	uint32_t offset = w->large ? 0x3fffff : 0xfff;

	return (w->leaf & ~offset) | (va & offset);
}

bool shadow_translate(struct vcpu *v, gva_t va, gpa_t *pa)
{
	struct walk w;

	if (!walk(v, va, &w))
		return false;
	*pa = walk_result(&w, va);
	return true;
}

/* Set the bits that the CPU would have set (SDM Vol. 3, 4.8). */
static void mark(volatile uint32_t *at, uint32_t *entry, uint32_t bits)
{
	if ((*entry & bits) == bits)
		return;
	__atomic_fetch_or(at, bits, __ATOMIC_RELAXED);
	*entry |= bits;
}

/* ---- faults ------------------------------------------------------------- */

static void fill_large(struct guest *g, gva_t va, uint32_t gfn, uint64_t val)
{
	struct shadow *s = &g->shadow;
	uint32_t first = gfn & ~511u;
	struct spage *p;
	uint64_t pde;

	if (first < g->nframes && (g->frames[first].flags & GF_LARGE)) {
		fill_pde(g, va, g->p2m[first] | PTE_PS | (val & 0xfff));
		return;
	}
	pde = pd_get(g, va >> 30)->table[va >> 21 & 511];
	if ((pde & SE_LINK) && page_of(s, pde)->role == SP_SPLIT) {
		p = page_of(s, pde);
	} else {
		p = shadow_page_new(s, SP_SPLIT, 0);
		fill_pde(g, va, p->link | PTE_U | PTE_W);
	}
	set_leaf(s, &p->table[va >> 12 & 511], val);
}

/* In our part of the space: the guest's own fault, unless the directory page
 * that maps ROM and shared area is only missing. */
static enum fault fault_in_hole(struct guest *g, gva_t va)
{
	struct shadow *s = &g->shadow;

	if (s->current->pd[va >> 30])
		return FAULT_GUEST;
	pd_get(g, va >> 30);
	return FAULT_FIXED;
}

_Static_assert(PF_W == PTE_W && PF_U == PTE_U, "an access as rights");

enum fault shadow_fault(struct vcpu *v, gva_t va, uint32_t *error, gpa_t *bus)
{
	uint32_t access = *error & (PF_W | PF_U), lacking, gfn, rights, pt;
	struct guest *g = v->g;
	struct shadow *s = &g->shadow;
	struct spage *p, *pd;
	struct walk w;
	uint64_t val;

	if (s->free_count < SHADOW_RESERVE)
		shadow_zap(g);
	*error = access | (*error & PF_P);
	if (va > v->guest_last)
		return fault_in_hole(g, va);
	*error = access;
	if (!walk(v, va, &w))
		return FAULT_GUEST;
	lacking = access & ~(w.pde & w.leaf);
	/* What remains is a write by the kernel that CR0.WP = 0 allows. */
	if (lacking && (access != PF_W || (v->cr0 & CR0_WP))) {
		*error |= PF_P;
		return FAULT_GUEST;
	}
	*bus = walk_result(&w, va);
	gfn = *bus >> PAGE_SHIFT;
	if (gfn >= g->nframes && (access & PF_W))
		return FAULT_BUS;

	if (!w.large)
		mark(w.pde_at, &w.pde, PTE_A);
	mark(w.leaf_at, &w.leaf, access & PF_W ? PTE_A | PTE_D : PTE_A);
	rights = w.pde & (PTE_U | PTE_W);
	val = leaf_rights(w.leaf);
	if (lacking) {	/* users fault here, until the next fill */
		rights = PTE_W;
		val = (val | PTE_W) & ~(uint64_t)PTE_U;
	}
	val |= gfn < g->nframes ? g->p2m[gfn] : g->bus;
	g->stats.shadow_fills++;
	if (w.large) {
		fill_large(g, va, gfn, val);
	} else {
		pt = g->frames[w.pde >> PAGE_SHIFT].pt[va >> 21 & 1];
		p = pt ? &s->pages[pt] :
			 shadow_pt_get(g, w.pde >> PAGE_SHIFT, va >> 21 & 1);
		pd = s->current->pd[va >> 30];
		if (!pd || pd->table[va >> 21 & 511] != (p->link | rights))
			fill_pde(g, va, p->link | rights);
		set_leaf(s, &p->table[va >> 12 & 511], val);
	}
	shadow_flush_tlb(g);
	return FAULT_FIXED;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page faults: is it the guest's own, by its tables, or has the shadow only
 * not been filled yet? And the filling.
 */
#include <string.h>

#include "shadow.h"

/* ---- the directory page ------------------------------------------------- */

/* The quarter of the address space that the hole is in; 4 before VMI_Init. */
static uint32_t hole_quarter(const struct guest *g)
{
	return g->vcpu.hole ? g->vcpu.hole >> 30 : 4;
}

/* Do two directories agree on that quarter? */
static bool same_quarter(struct guest *g, const struct root *a,
			 const struct root *b, uint32_t q)
{
	uint32_t n = (g->vcpu.hole >> 22) - q * 256;

	return gtable_equal(a->dir[q], b->dir[q], n);
}

/* Do all other roots that share a page have this entry, too? With PAE they
 * share the guest's own. */
static bool sharers_agree(struct guest *g, struct spage *pd, gva_t va,
			  uint64_t pde)
{
	struct shadow *s = &g->shadow;
	uint32_t n;

	for (n = 1; n < s->root_top && !pae(g); n++)
		if (s->roots[n].pd[va >> 30] == pd &&
		    &s->roots[n] != s->current &&
		    read_pde(g, &s->roots[n], va) != pde)
			return false;
	return true;
}

static struct spage *pd_use(struct guest *g, uint32_t q, struct spage *p)
{
	struct shadow *s = &g->shadow;

	p->parents++;
	s->current->pd[q] = p;
	s->pdpt[q] = p->link | PTE_U | PTE_W;
	return p;
}

static struct spage *pd_new(struct guest *g, uint32_t q)
{
	struct shadow *s = &g->shadow;
	struct root *r = s->current;
	struct spage *p = shadow_page_new(s, SP_PD, r->gfn);
	uint32_t hole = g->vcpu.hole;
	uint64_t pde;
	gva_t va;

	pd_use(g, q, p);
	if (pae(g) && r->dir[q]) {
		p->gfn = r->dir_gfn[q];
		p->half = q == hole_quarter(g);
		shadow_pd_enter(g, p);
	}
	if (q != hole_quarter(g))
		return p;
	p->table[hole >> 21 & 511] = va_to_pa(s->hole_pt) | PTE_A | PTE_W |
				     PTE_P;
	/* The kernel will need all of it, and others will share it. */
	for (va = q << 30; va < hole; va += 2 << 20) {
		pde = read_pde(g, r, va);
		if (pde & PTE_P)
			shadow_sync_pde(g, p, pde, va);
	}
	s->sharer = r;
	return p;
}

static struct spage *pd_get(struct guest *g, uint32_t q)
{
	struct shadow *s = &g->shadow;
	struct root *r = s->current, *other = s->sharer;
	struct spage *p = NULL;

	if (r->pd[q])
		return r->pd[q];
	if (pae(g) && r->dir[q])
		p = shadow_pd_find(g, r->dir_gfn[q], q == hole_quarter(g));
	else if (!pae(g) && q == hole_quarter(g) && other && other->pd[q] &&
		 tracked(g, r) && tracked(g, other) &&
		 same_quarter(g, r, other, q))
		p = other->pd[q];
	return p ? pd_use(g, q, p) : pd_new(g, q);
}

/* The page for an entry of the current root, whose directory now says pde: its
 * own, or one for which all sharers agree. */
static struct spage *pd_agreed(struct guest *g, gva_t va, uint64_t pde)
{
	struct spage *pd = pd_get(g, va >> 30);

	if (pd->parents > 1 && !sharers_agree(g, pd, va, pde)) {
		pd->parents--;
		g->shadow.flush = true;
		pd = pd_new(g, va >> 30);
	}
	return pd;
}

static void fill_pde(struct guest *g, gva_t va, uint64_t pde, uint64_t val)
{
	uint32_t i = va >> 21 & 511;

	if (pd_get(g, va >> 30)->table[i] != val)
		shadow_set_pde(&g->shadow, &pd_agreed(g, va, pde)->table[i],
			       val);
}

/* ---- the guest's tables ------------------------------------------------- */

enum walk_end shadow_walk_pae(struct vcpu *v, gva_t va, struct walk *w)
{
	const struct gtable *dir = v->g->shadow.current->dir[va >> 30];
	struct gtable *at;

	if (!dir)
		return WALK_ABSENT;
	w->pde_at = gtable_part(dir, (va >> 21 & 511) * 8);
	w->pde = gtable_read64(w->pde_at, 0);
	w->large = w->pde & PTE_PS;
	if (!(w->pde & PTE_P) || w->large)
		return walk_leaf(w, w->pde_at, w->pde);
	at = gmem_table(&v->g->mem, entry_gfn(w->pde), (va >> 12 & 511) * 8);
	if (!at)
		return WALK_NOWHERE;
	return walk_leaf(w, at, gtable_read64(at, 0));
}

bool shadow_translate(struct vcpu *v, gva_t va, gpa_t *pa)
{
	struct walk w;

	if (walk(v, va, &w) != WALK_LEAF)
		return false;
	*pa = leaf_gfn(v->g, w.leaf, w.large, va) << PAGE_SHIFT | (va & 0xfff);
	return true;
}

/* Set the bits that the CPU would have set (SDM Vol. 3, 4.8). */
static void mark(struct gtable *at, uint64_t entry, uint32_t bits)
{
	if ((entry & bits) != bits)
		gtable_set_bits(at, bits);
}

/* ---- faults ------------------------------------------------------------- */

static void fill_large(struct guest *g, gva_t va, uint64_t guest_pde,
		       uint64_t gfn, uint64_t val)
{
	struct shadow *s = &g->shadow;
	uint64_t first = gfn & ~511ull;
	struct spage *p;
	uint64_t pde;

	if (gmem_large(&g->mem, first)) {
		fill_pde(g, va, guest_pde,
			 (gmem_leaf(&g->mem, first) & (val | SE_ADDR)) |
			 PTE_PS | (val & SE_NX));
		return;
	}
	/* Its leaves have the rights of this directory's entry. */
	pde = pd_agreed(g, va, guest_pde)->table[va >> 21 & 511];
	if ((pde & SE_LINK) && page_of(s, pde)->role == SP_SPLIT) {
		p = page_of(s, pde);
	} else {
		p = shadow_page_new(s, SP_SPLIT, 0);
		fill_pde(g, va, guest_pde, p->link | PTE_U | PTE_W);
	}
	set_leaf(s, &p->table[va >> 12 & 511], val);
}

/* In our part of the space: the guest's own fault, unless the directory page
 * that maps ROM and shared area is only missing. */
enum fault shadow_fault_in_hole(struct guest *g, gva_t va)
{
	struct shadow *s = &g->shadow;

	if (s->current->pd[va >> 30])
		return FAULT_GUEST;
	pd_get(g, va >> 30);
	shadow_flush_tlb(g);
	return FAULT_FIXED;
}

enum fault shadow_fill(struct vcpu *v, gva_t va, uint32_t *error, struct walk *w,
		       gpa_t *bus)
{
	uint32_t access = *error & (PF_W | PF_U), bits, half, pt;
	struct guest *g = v->g;
	struct shadow *s = &g->shadow;
	uint32_t lacking = access & ~(w->pde & w->leaf);
	uint64_t val, rights, gfn, frame;
	struct spage *p, *pd;

	*error = (*error & s->error_bits) | PF_P;
	if (pae(g) && ((w->pde | w->leaf) & SE_NX) &&
	    ((*error & PF_I) || !v->efer)) {
		*error |= v->efer ? 0 : PF_RSVD;
		return FAULT_GUEST;
	}
	/* What remains is a write by the kernel that CR0.WP = 0 allows. */
	if (lacking && (access != PF_W || (v->cr0 & CR0_WP)))
		return FAULT_GUEST;
	gfn = leaf_gfn(g, w->leaf, w->large, va);
	*bus = gfn << PAGE_SHIFT | (va & 0xfff);
	frame = gmem_leaf(&g->mem, gfn);
	if (!frame) {
		if ((access & PF_W) || gfn == APIC_FRAME)
			return FAULT_BUS;
		frame = g->mem.bus;
	}

	bits = PTE_A | (access & PF_W ? PTE_D : 0);
	if (!w->large)
		mark(w->pde_at, w->pde, PTE_A);
	mark(w->leaf_at, w->leaf, bits);
	rights = w->pde & (SE_NX | PTE_U | PTE_W);
	val = leaf_mask(w->leaf | bits);
	if (lacking) {	/* users fault here, until the next fill */
		rights = PTE_W | (rights & SE_NX);
		val = (val | PTE_W) & ~(uint64_t)PTE_U;
	}
	val = (val & frame) | (w->leaf & SE_NX);
	g->stats.shadow_fills++;
	if (w->large) {
		fill_large(g, va, w->pde | bits, gfn, val);
	} else {
		gfn = entry_gfn(w->pde);
		half = pae(g) ? 0 : va >> 21 & 1;
		pt = g->frames[gfn].pt[half];
		p = pt ? &s->pages[pt] : shadow_pt_get(g, gfn, half);
		pd = s->current->pd[va >> 30];
		if (!pd || pd->table[va >> 21 & 511] != (p->link | rights))
			fill_pde(g, va, w->pde | PTE_A, p->link | rights);
		set_leaf(s, &p->table[va >> 12 & 511], val);
	}
	shadow_flush_tlb(g);
	return FAULT_FIXED;
}

enum fault shadow_fault(struct vcpu *v, gva_t va, uint32_t *error, gpa_t *bus)
{
	return shadow_fault_inline(v, va, error, bus);
}

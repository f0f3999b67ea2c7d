// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page faults: is it the guest's own, by its tables, or has the shadow only
 * not been filled yet? And the filling.
 */
#include <string.h>

#include "shadow.h"

/* ---- the directory page ------------------------------------------------- */

/* The words of a table that is inside the guest's memory. */
static const uint32_t *guest_table(const struct guest *g, uint32_t gfn)
{
	return pa_to_va((uint64_t)g->frames[gfn].mfn << PAGE_SHIFT);
}

/* Do two directories agree on the kernel's quarter? */
static bool same_quarter(struct guest *g, const struct root *a,
			 const struct root *b, uint32_t q)
{
	uint32_t n = (g->vcpu.hole >> 22) - q * 256;

	return !memcmp(guest_table(g, a->gfn) + q * 256,
		       guest_table(g, b->gfn) + q * 256, n * 4);
}

/* Do all roots that share a page agree on this entry? */
static bool sharers_agree(struct guest *g, struct spage *pd, uint32_t i)
{
	struct shadow *s = &g->shadow;
	uint32_t pde = shadow_read_pde(g, s->current, i), n;

	for (n = 1; n < ROOTS; n++)
		if (s->roots[n].pd[i >> 8] == pd &&
		    shadow_read_pde(g, &s->roots[n], i) != pde)
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
	s->pdpt[q] = link_to(p) | PTE_U | PTE_W;
	if (!hole || q != hole >> 30)
		return p;
	p->table[hole >> 21 & 511] = va_to_pa(s->hole_pt) | PTE_A | PTE_W |
				     PTE_P;
	/* The kernel will need all of it, and others will share it. */
	for (i = q * 256; i < hole >> 22; i++)
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
		s->pdpt[q] = link_to(r->pd[q]) | PTE_U | PTE_W;
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

/* ---- faults ------------------------------------------------------------- */

/* Where a fill puts the leaf, and what the guest's walk found. */
struct walk {
	uint32_t	pde, leaf;	/* leaf: the pde itself if large */
	gpa_t		pde_pa, leaf_pa;
	bool		large;
};

/* False: not present. */
static bool walk(struct vcpu *v, gva_t va, struct walk *w)
{
	struct guest *g = v->g;
	struct root *r = g->shadow.current;

	w->pde = shadow_read_pde(g, r, va >> 22);
	w->pde_pa = r->gfn << PAGE_SHIFT | va >> 22 << 2;
	w->leaf = w->pde;
	w->leaf_pa = w->pde_pa;
	w->large = shadow_is_large(g, w->pde);
	if (!(w->pde & PTE_P) || w->large)
		return w->pde & PTE_P;
	if (w->pde >> PAGE_SHIFT >= g->nframes)
		guest_kill(v, "page table at %08x is outside its memory",
			   w->pde & ~(PAGE_SIZE - 1));
	w->leaf_pa = (w->pde & ~(PAGE_SIZE - 1)) | (va >> 12 & 1023) << 2;
	w->leaf = guest_phys_read(g, w->leaf_pa);
	return w->leaf & PTE_P;
}

static gpa_t walk_result(const struct walk *w, gva_t va)
{
	return w->large ? (w->leaf & 0xffc00000) | (va & 0x3fffff) :
			  (w->leaf & ~(PAGE_SIZE - 1)) | (va & 0xfff);
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
static void mark_accessed(struct guest *g, struct walk *w, bool write)
{
	uint32_t bits = write ? PTE_A | PTE_D : PTE_A;

	if (!paging(g))
		return;
	if (!(w->pde & PTE_A))
		guest_phys_or(g, w->pde_pa, PTE_A);
	if ((w->leaf & bits) != bits)
		guest_phys_or(g, w->leaf_pa, bits);
	w->pde |= PTE_A;
	w->leaf |= bits;
}

enum fault shadow_fault(struct vcpu *v, gva_t va, uint32_t *error, gpa_t *bus)
{
	struct guest *g = v->g;
	struct shadow *s = &g->shadow;
	bool write = *error & PF_W, user = *error & PF_U, force;
	uint64_t pde, val;
	struct spage *p;
	struct walk w;
	uint32_t both, gfn, half = va >> 21 & 1;

	*error &= PF_U | PF_W | PF_P;
	if (s->free_count < SHADOW_RESERVE)
		shadow_zap(g);
	if (v->hole && va >= v->hole) {
		if (s->current->pd[va >> 30])
			return FAULT_GUEST;
		pd_get(g, va >> 30);	/* the hole comes with it */
		return FAULT_FIXED;
	}
	*error &= ~PF_P;
	if (!walk(v, va, &w))
		return FAULT_GUEST;
	both = w.pde & w.leaf;
	/* A write by the kernel where only CR0.WP = 0 allows it. */
	force = write && !user && !(both & PTE_W) && !(v->cr0 & CR0_WP);
	if ((user && !(both & PTE_U)) ||
	    (write && !(both & PTE_W) && !force)) {
		*error |= PF_P;
		return FAULT_GUEST;
	}
	gfn = walk_result(&w, va) >> PAGE_SHIFT;
	*bus = walk_result(&w, va);
	if (write && gfn >= g->nframes)
		return FAULT_BUS;
	mark_accessed(g, &w, write);

	val = leaf_rights(w.leaf);
	if (force)	/* and users fault, until the next fill */
		val = (val | PTE_W) & ~(uint64_t)PTE_U;
	val |= (gfn < g->nframes ? (uint64_t)g->frames[gfn].mfn : g->bus_mfn)
	       << PAGE_SHIFT;
	g->stats.shadow_fills++;

	if (w.large) {
		uint32_t first = gfn & ~511u;

		if (first < g->nframes && g->frames[first].flags & GF_LARGE) {
			fill_pde(g, va, (uint64_t)g->frames[first].mfn <<
				 PAGE_SHIFT | PTE_PS | (val & 0xfff));
			goto out;
		}
		pde = pd_get(g, va >> 30)->table[va >> 21 & 511];
		if (pde & SE_LINK && page_of(s, pde)->role == SP_SPLIT) {
			p = page_of(s, pde);
		} else {
			p = shadow_page_new(s, SP_SPLIT, 0);
			fill_pde(g, va, link_to(p) | PTE_U | PTE_W);
		}
	} else {
		p = shadow_pt_get(g, w.pde >> PAGE_SHIFT, half);
		both = w.pde & (PTE_U | PTE_W);
		if (force)
			both = PTE_W;
		fill_pde(g, va, link_to(p) | both);
	}
	shadow_set_leaf(s, &p->table[va >> 12 & 511], val);
out:
	shadow_flush_tlb(g);
	return FAULT_FIXED;
}

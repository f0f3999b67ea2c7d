// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page faults: is it the guest's own, by its tables, or has the shadow only
 * not been filled yet? And the filling.
 */
#include "shadow.h"

static void fill_pde(struct mmu *m, gva32_t va, uint64_t pde, uint64_t val)
{
	uint32_t i = va >> 21 & 511;

	if (root_pd_get(m, va >> 30)->table[i] != val)
		pool_set_pde(m, &root_pd_agreed(m, va, pde)->table[i], val);
}

/* The 4 KB's entry, if it has one. */
static inline __attribute__((always_inline))
uint64_t *fill_large(struct mmu *m, gva32_t va, uint64_t guest_pde,
		       uint64_t gfn, uint64_t val)
{
	const struct gmem *gmem = &m->mm->gmem;
	uint64_t first = gfn & ~511ull;
	struct spage *p;
	uint64_t pde;

	if (gmem_large(gmem, first)) {
		fill_pde(m, va, guest_pde,
			 (gmem_leaf(gmem, first) & (val | PTE_ADDR)) |
			 PTE_PS | (val & PTE_NX));
		return NULL;
	}
	/* Its leaves have the rights of this directory's entry. */
	pde = root_pd_agreed(m, va, guest_pde)->table[va >> 21 & 511];
	if ((pde & SE_LINK) && page_of(m->mm, pde)->role == SP_SPLIT) {
		p = page_of(m->mm, pde);
	} else {
		p = pool_take(m->mm, SP_SPLIT, 0);
		fill_pde(m, va, guest_pde, p->link | PTE_U | PTE_W);
	}
	set_leaf(m, &p->table[va >> 12 & 511], val);
	return &p->table[va >> 12 & 511];
}

static void make_room(struct mmu *m)
{
	if (m->mm->free_count >= SHADOW_RESERVE)
		return;
	pool_reclaim(m);
	if (m->mm->free_count < SHADOW_RESERVE) {
		root_zap(m);
		pool_reclaim(m);
	}
}

_Static_assert(PF_W == PTE_W && PF_U == PTE_U, "an access as rights");

/* Put what the walk has found into the shadow, if it allows the access. */
static inline __attribute__((always_inline))
enum fault fill_with(struct mmu *m, gva32_t va, uint32_t *error, gpa_t *bus,
		     const struct walk w, const bool view, const bool open)
{
	uint32_t access = *error & (PF_W | PF_U), bits, second, pt;
	uint32_t asked = view ? *error : 0;
	bool opened = false;
	struct mm *mm = m->mm;
	uint32_t lacking = access & ~(w.pde & w.leaf);
	uint64_t val, rights, gfn, frame;
	struct spage *p, *pd;
	uint64_t *pte;

	make_room(m);
	*error = (*error & m->error_bits) | PF_P;
	if (mm->fmt.pae && ((w.pde | w.leaf) & PTE_NX) &&
	    ((*error & PF_I) || !(m->mode & EFER_NXE))) {
		*error |= m->mode & EFER_NXE ? 0 : PF_RSVD;
		return FAULT_GUEST;
	}
	/* What remains is a write by the kernel that CR0.WP = 0 allows. */
	if (lacking && (access != PF_W || (m->mode & CR0_WP)))
		return FAULT_GUEST;
	gfn = leaf_gfn(mm, w.leaf, w.large, va);
	*bus = gfn << PAGE_SHIFT | (va & (PAGE_SIZE - 1));
	frame = gmem_leaf(&mm->gmem, gfn);
	if (!frame && view_has(&mm->gmem, gfn)) {
		if (!view)
			return FAULT_VIEW;
		frame = open ? gmem_find(&mm->gmem, gfn) :
			       view_leaf(&mm->gmem, gfn, asked);
		if (!frame)
			return FAULT_REFUSED;
		opened = open;
	} else if (!frame) {
		if ((access & PF_W) || mm_is_device(mm, gfn))
			return FAULT_BUS;
		frame = mm->gmem.bus;
	}

	bits = PTE_A | (access & PF_W ? PTE_D : 0);
	/* Another vCPU has changed it meanwhile: the access comes again. */
	if ((!w.large && !mark(w.pde_at, w.pde, PTE_A)) ||
	    !mark(w.leaf_at, w.leaf, bits))
		return FAULT_FIXED;
	rights = w.pde & (PTE_NX | PTE_U | PTE_W);
	val = leaf_mask(w.leaf | bits);
	if (lacking) {	/* users fault here, until the next fill */
		rights = PTE_W | (rights & PTE_NX);
		val = (val | PTE_W) & ~(uint64_t)PTE_U;
	}
	val = (val & frame) | (w.leaf & PTE_NX);
	mm->fills++;
	if (w.large) {
		pte = fill_large(m, va, w.pde | bits, gfn, val);
		if (opened && pte)
			view_opened(m, pte);
	} else {
		gfn = entry_gfn(w.pde);
		second = va >> 21 & mm->fmt.second;
		pt = mm->frames[gfn].pt[second];
		p = pt ? &mm->pages[pt] : pool_pt_get(mm, gfn, second);
		pd = m->root->pd[m->slot[va >> 30]];
		if (!pd || pd->table[va >> 21 & 511] != (p->link | rights))
			fill_pde(m, va, w.pde | PTE_A, p->link | rights);
		pte = &p->table[va >> 12 & 511];
		set_leaf(m, pte, val);
		if (opened)
			view_opened(m, pte);
	}
	mmu_flush_tlb(m);
	return FAULT_FIXED;
}

static __attribute__((noinline))
enum fault fill(struct mmu *m, gva32_t va, uint32_t *error, gpa_t *bus,
		const struct walk w)
{
	return fill_with(m, va, error, bus, w, false, false);
}

static __attribute__((noinline))
enum fault fill_view(struct mmu *m, gva32_t va, uint32_t *error, gpa_t *bus,
		     const struct walk w, bool open)
{
	return fill_with(m, va, error, bus, w, true, open);
}

/* In our part of the space: the guest's own fault, unless the directory page
 * that maps ROM and shared area is only missing. */
static __attribute__((noinline))
enum fault fault_in_reserved(struct mmu *m, gva32_t va, uint32_t *error)
{
	*error &= m->error_bits | PF_P;
	if (m->root->pd[m->slot[va >> 30]])
		return FAULT_GUEST;
	make_room(m);
	root_pd_get(m, va >> 30);
	mmu_flush_tlb(m);
	return FAULT_FIXED;
}

/* The short way, to a leaf that is not present, calls nothing. */
static inline __attribute__((always_inline))
enum fault fault(struct mmu *m, gva32_t va, uint32_t *error, gpa_t *bus,
		 const bool pae, const bool view, const bool open)
{
	struct walk w;

	if (va > m->guest_last)
		return fault_in_reserved(m, va, error);
	switch (walk(m, va, &w, pae, view)) {
	case WALK_LEAF:
		if (view)
			return fill_view(m, va, error, bus, w, open);
		return fill(m, va, error, bus, w);
	case WALK_ABSENT:
		*error &= m->error_bits;
		return FAULT_GUEST;
	default:
		*bus = w.pde & PTE_ADDR;
		return FAULT_TABLE;
	}
}

static __attribute__((noinline))
enum fault fault_pae(struct mmu *m, gva32_t va, uint32_t *error, gpa_t *bus)
{
	return fault(m, va, error, bus, true, false, false);
}

enum fault mmu_fault(struct mmu *m, gva32_t va, uint32_t *error, gpa_t *bus)
{
	if (m->mm->fmt.pae)
		return fault_pae(m, va, error, bus);
	return fault(m, va, error, bus, false, false, false);
}

enum fault mmu_fault_view(struct mmu *m, gva32_t va, uint32_t *error, gpa_t *bus,
			  bool open)
{
	return fault(m, va, error, bus, m->mm->fmt.pae, true, open);
}

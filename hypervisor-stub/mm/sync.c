// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the guest tells of its tables: single entries, frames that become
 * tables or stop being ones, and flushes. Everything that it says is only used
 * to look up a frame of its own, and each entry is read once.
 */
#include "shadow.h"

/* By the low bits of a guest entry; see shadow.h. */
const int16_t leaf_mask_table[LEAF_BITS + 1] = {
#define RIGHTS(low)	[PTE_P | PTE_A | (low)] =		\
	(int16_t)(~GMEM_RIGHTS | PTE_P | PTE_A | PTE_D |	\
		  ((low) & PTE_U) | ((low) & PTE_D ? (low) & PTE_W : 0)),
	RIGHTS(0) RIGHTS(PTE_W) RIGHTS(PTE_U) RIGHTS(PTE_W | PTE_U)
	RIGHTS(PTE_D) RIGHTS(PTE_D | PTE_W) RIGHTS(PTE_D | PTE_U)
	RIGHTS(PTE_D | PTE_W | PTE_U)
#undef RIGHTS
};

/* ---- directory entries -------------------------------------------------- */

static uint64_t pde_shadow(const struct mmu *m, uint64_t pde, gva32_t va)
{
	const struct mm *mm = m->mm;
	const struct gmem *gmem = &mm->gmem;
	uint64_t gfn = entry_gfn(pde);
	uint32_t pt;

	if ((pde & (PTE_A | PTE_P)) != (PTE_A | PTE_P))
		return 0;
	if (is_large(m, pde)) {
		gfn = leaf_gfn(mm, pde, true, va) & ~511ull;
		if (!gmem_large(gmem, gfn))
			return 0;
		return (gmem_leaf(gmem, gfn) & (leaf_mask(pde) | PTE_PS)) |
		       (pde & PTE_NX);
	}
	if (gfn >= gmem->nframes)
		return 0;
	pt = mm->frames[gfn].pt[va >> 21 & mm->fmt.second];
	return pt ? mm->pages[pt].link | (pde & (PTE_NX | PTE_U | PTE_W)) : 0;
}

void sync_pde(struct mmu *m, struct spage *pd, uint64_t pde, gva32_t va)
{
	uint64_t *entry = &pd->table[va >> 21 & 511];
	uint64_t val = pde_shadow(m, pde, va);

	if (root_may_differ(m->mm, pd) && *entry != val)
		val = 0;
	pool_set_pde(m, entry, val);
}

/* All that this entry of a guest directory maps. */
static void sync_guest_pde(struct mmu *m, struct spage *pd, uint64_t pde,
			   gva32_t va)
{
	sync_pde(m, pd, pde, va);
	if (m->mm->fmt.second)
		sync_pde(m, pd, pde, va ^ 2 << 20);
}

/* ---- frames ------------------------------------------------------------- */

/*
 * With PAE: forget what a directory's shadow links. The page itself stays, for
 * the roots that have it: to look for them would take longer than a guest may
 * make us work at a time.
 */
static void pd_empty(struct mmu *m, struct spage *pd)
{
	uint32_t end = pd->reserved ? m->mm->reserved >> 21 & 511 : 512, i;

	for (i = 0; i < end; i++)
		pool_set_pde(m, &pd->table[i], 0);
}

/* Forget a frame as a table. A root that is in use stays, empty. */
static void drop(struct mmu *m, struct gframe *f)
{
	struct spage *pages = m->mm->pages;
	uint32_t n;

	for (n = 0; n < 2; n++)
		if (f->pt[n])
			pool_pt_drop(m, &pages[f->pt[n]]);
	for (n = f->pd; n; n = pages[n].list)
		pd_empty(m, &pages[n]);
	root_drop(m, f);
}

/* What its shadows held of the time before is forgotten. */
void mmu_page_table(struct mmu *m, uint32_t gfn, bool is)
{
	struct gframe *f = &m->mm->frames[gfn];

	if (!gmem_leaf(&m->mm->gmem, gfn) && !gmem_find(&m->mm->gmem, gfn))
		return;
	drop(m, f);
	f->flags = is ? GF_TRACKED : 0;
}

/* ---- updates ------------------------------------------------------------ */

/* Of a directory of PAE: for each of its shadows. */
static void update_pd(struct mmu *m, const struct gframe *f, uint64_t entry,
		      uint32_t i)
{
	struct mm *mm = m->mm;
	gva32_t va = i << 21;
	struct spage *pd;
	uint32_t n;

	for (n = f->pd; n; n = pd->list) {
		pd = &mm->pages[n];
		if (!pd->reserved || va < (mm->reserved & 0x3fffffff))
			sync_pde(m, pd, entry, va);
	}
}

/* Of what CR3 points to: with PAE a PDPT, that may have more than one, else
 * the directory. */
static void update_root(struct mmu *m, const struct gframe *f, uint64_t entry,
			uint32_t i)
{
	struct root *roots = m->mm->roots;
	struct spage *pd;
	gva32_t va = i << 22;
	uint32_t slot, end, n;

	if (m->mm->fmt.pae) {
		for (n = f->root; n; n = roots[n].next)
			root_load_dirs(m, &roots[n]);
		return;
	}
	if (va > m->guest_last)
		return;
	slot = va >> 30;
	end = slot < 3 ? slot + 1 : 3 + m->mm->mmus;
	for (; slot < end; slot++) {
		pd = roots[f->root].pd[slot];
		if (pd)
			sync_guest_pde(m, pd, entry, va);
	}
}

static inline __attribute__((always_inline))
void entry_changed(struct mmu *m, gpa_t pa, uint64_t leaf)
{
	struct mm *mm = m->mm;
	uint64_t entry;
	uint32_t i = (pa & (PAGE_SIZE - 1)) >> mm->fmt.entry_shift, pt;
	struct gframe *f;

	f = &mm->frames[pa >> PAGE_SHIFT];
	if (!(f->flags & GF_TRACKED))
		mmu_page_table(m, pa >> PAGE_SHIFT, true);
	entry = read_entry(mm, gmem_leaf_table(leaf, 0), i);
	pt = f->pt[i >> 9];
	if (pt)
		set_leaf(m, &mm->pages[pt].table[i & 511],
			 leaf_shadow(&mm->gmem, entry));
	if (f->pd)
		update_pd(m, f, entry, i);
	if (f->root)
		update_root(m, f, entry, i);
}

/* In a frame that has a view, if there is one. */
static __attribute__((noinline)) void entry_changed_view(struct mmu *m, gpa_t pa)
{
	uint64_t leaf = gmem_find(&m->mm->gmem, pa >> PAGE_SHIFT);

	if (leaf)
		entry_changed(m, pa, leaf);
}

void mmu_entry_changed(struct mmu *m, gpa_t pa)
{
	uint64_t leaf = gmem_leaf(&m->mm->gmem, pa >> PAGE_SHIFT);

	if (leaf)
		entry_changed(m, pa, leaf);
	else
		entry_changed_view(m, pa);
}

/* The next word, if it belongs to the same run. */
#define NEXT_IN_RUN()							\
	(++at != end && ((word = *at) & ~mask) == key)

/*
 * The hot path of batching: a run in a page table that is nothing else. What
 * the loop needs is held in locals, because the compiler cannot know that its
 * stores leave struct mm alone.
 */
static inline __attribute__((always_inline))
const volatile uint32_t *run_changed(struct mmu *m, gpa_t pa, uint32_t word,
				     const volatile uint32_t *at,
				     const volatile uint32_t *end,
				     const bool wide)
{
	const uint32_t mask = wide ? 0xff8 : 0x7fc, key = word & ~mask;
	const struct mm *mm = m->mm;
	const struct gmem gmem = mm->gmem;
	uint64_t leaf = gmem_leaf(&gmem, pa >> PAGE_SHIFT), offset;
	const struct gframe *f = &mm->frames[pa >> PAGE_SHIFT];
	const struct gtable *guest;
	uint64_t *pt;
	uint32_t n;

	if (!leaf || f->root || f->both != GF_TRACKED || (wide && f->pd)) {
		mmu_entry_changed(m, pa);
		return at + 1;
	}
	n = f->pt[wide ? 0 : pa >> 11 & 1];
	if (!n) {
		while (NEXT_IN_RUN())
			;
		return at;
	}
	pt = mm->pages[n].table;
	guest = gmem_leaf_table(leaf, pa & ~mask);
	do {
		offset = word & mask;
		if (wide)
			set_leaf(m, &pt[offset / 8],
				 leaf_shadow(&gmem, gtable_read64(guest,
								  offset / 8)));
		else
			set_leaf(m, (uint64_t *)((uint8_t *)pt + offset * 2),
				 leaf_shadow(&gmem,
					     gtable_read32(gtable_part(guest,
								       offset),
							   0)));
	} while (NEXT_IN_RUN());
	return at;
}

static __attribute__((noinline))
const volatile uint32_t *run_changed_pae(struct mmu *m, gpa_t pa, uint32_t word,
					 const volatile uint32_t *at,
					 const volatile uint32_t *end)
{
	return run_changed(m, pa, word, at, end, true);
}

inline __attribute__((always_inline))
const volatile uint32_t *mmu_run_changed(struct mmu *m, gpa_t pa, uint32_t word,
					 const volatile uint32_t *at,
					 const volatile uint32_t *end)
{
	if (m->mm->fmt.pae)
		return run_changed_pae(m, pa, word, at, end);
	return run_changed(m, pa, word, at, end, false);
}

/* ---- flushes ------------------------------------------------------------ */

/* Of the table that it shadows, whatever the directory says by now. */
static inline void inval_leaf(struct mmu *m, struct spage *p, uint32_t i,
			      const struct gtable *table)
{
	const struct mm *mm = m->mm;

	set_leaf(m, &p->table[i],
		 leaf_shadow(&mm->gmem,
			     read_entry(mm, table, p->second << 9 | i)));
}

/* That has a view. */
static __attribute__((noinline))
void inval_leaf_view(struct mmu *m, struct spage *p, uint32_t i)
{
	inval_leaf(m, p, i, gmem_find_table(&m->mm->gmem, p->gfn, 0));
}

/* Read the guest's entries again, the leaf in any case, the directory's if
 * nobody tells us of changes to it. */
static inline __attribute__((always_inline))
void inval(struct mmu *m, const struct mmu *of, gva32_t va)
{
	struct mm *mm = m->mm;
	struct root *r = of->root;
	struct spage *pd = r->pd[of->slot[va >> 30]], *p;
	uint32_t i = va >> 12 & 511;
	uint64_t entry, leaf;

	/* With PAE a page for the reserved top may have no directory. */
	if (!pd || !r->dir[va >> 30] || va > of->guest_last)
		return;
	if (!(mm->frames[pd->gfn].flags & GF_TRACKED))
		sync_guest_pde(m, pd, read_pde(mm, r, va), va);
	entry = pd->table[va >> 21 & 511];
	if (!(entry & SE_LINK))
		return;
	p = page_of(mm, entry);
	if (p->role != SP_PT)
		return;
	leaf = gmem_known_leaf(&mm->gmem, p->gfn);
	if (leaf)
		inval_leaf(m, p, i, gmem_leaf_table(leaf, 0));
	else
		inval_leaf_view(m, p, i);
}

void mmu_inval(struct mmu *m, gva32_t va)
{
	inval(m, m, va);
}

void mmu_inval_other(struct mmu *m, struct mmu *other, gva32_t va)
{
	inval(m, other, va);
}

/* What is not tracked. */
static inline __attribute__((always_inline))
void forget(struct mmu *m, struct mmu *of)
{
	struct mm *mm = m->mm;
	struct spage *pd;
	uint32_t q;

	while (mm->pages[0].next)
		pool_pt_drop(m, &mm->pages[mm->pages[0].next]);
	if (!(mm->frames[of->root->gfn].flags & GF_TRACKED))
		root_clear(m, of->root);
	for (q = 0; q < 4 && mm->fmt.pae; q++) {
		pd = of->root->pd[of->slot[q]];
		if (pd && !(mm->frames[pd->gfn].flags & GF_TRACKED))
			pd_empty(m, pd);
	}
}

void mmu_flush(struct mmu *m)
{
	if (!m->mm->reserved) {
		root_zap(m);
		return;
	}
	forget(m, m);
	mmu_flush_tlb(m);
}

void mmu_forget_other(struct mmu *m, struct mmu *other)
{
	forget(m, other);
}

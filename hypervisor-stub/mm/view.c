// SPDX-License-Identifier: GPL-2.0-only
/*
 * Views: what somebody beside the guest lets it do with its frames (core/kvmi.h).
 *
 * A frame with a view has its leaf in gmem.hidden, and in gmem.p2m none: whoever makes
 * a shadow of what maps it makes none, and a fault comes to fill() and its kind, where
 * absent frames are looked at anyway. So who has no view pays nothing. A large page of
 * ours would map frames that have views: the first of its 512 frames, whose leaf
 * gmem_large() looks at, is hidden with them, and is allowed everything.
 *
 * Tables are walked in spite of views (gmem_find()). What the hypervisor does for its
 * guest nobody refuses: it is opened for a while, or done by physical address.
 */
#include "shadow.h"

/* In a hidden leaf, where leaf_mask() leaves nothing: the view. */
#define VIEW_SHIFT	9
#define FRAMES_LARGE	512u

bool mm_view_init(struct mm *mm)
{
	mm->gmem.hidden = host_pages(mm->gmem.nframes *
				     sizeof(*mm->gmem.hidden), PAGE_SIZE);
	return mm->gmem.hidden;
}

uint32_t mm_view(const struct mm *mm, uint64_t gfn)
{
	return view_has(&mm->gmem, gfn) ?
	       mm->gmem.hidden[gfn] >> VIEW_SHIFT & VIEW_ALL : VIEW_ALL;
}

static void hide(struct gmem *m, uint64_t gfn, uint32_t view)
{
	uint64_t leaf = gmem_find(m, gfn);

	leaf &= ~((uint64_t)VIEW_ALL << VIEW_SHIFT);
	leaf |= (uint64_t)view << VIEW_SHIFT;
	if (!(view & VIEW_R))
		leaf &= ~(uint64_t)PTE_P;
	if (!(view & VIEW_W))
		leaf &= ~(uint64_t)PTE_W;
	if (!(view & VIEW_X))
		leaf |= PTE_NX;
	m->hidden[gfn] = leaf;
	m->p2m[gfn] = 0;
}

static void show(struct gmem *m, uint64_t gfn)
{
	m->p2m[gfn] = gmem_find(m, gfn);
	m->hidden[gfn] = 0;
}

/* May one large page map these 512 frames? They are unrestricted, and one behind the
 * other: none is another guest's (remap.c). */
static bool is_whole(const struct mm *mm, uint64_t first)
{
	uint64_t leaf = gmem_find(&mm->gmem, first), i, other;

	if (leaf & PTE_ADDR & (LONG_LARGE - 1))
		return false;
	for (i = 0; i < FRAMES_LARGE; i++) {
		other = gmem_find(&mm->gmem, first + i);
		if (mm_view(mm, first + i) != VIEW_ALL ||
		    (other && other != leaf + i * PAGE_SIZE))
			return false;
	}
	return true;
}

/* The first of the 512 is hidden if and only if it has to be. */
static void settle_first(struct mm *mm, uint64_t gfn)
{
	uint64_t first = gfn & ~(uint64_t)(FRAMES_LARGE - 1);
	bool whole = is_whole(mm, first);

	if (!whole && gmem_leaf(&mm->gmem, first))
		hide(&mm->gmem, first, VIEW_ALL);
	else if (whole && view_has(&mm->gmem, first))
		show(&mm->gmem, first);
}

bool mm_view_set(struct mm *mm, uint64_t gfn, uint32_t view)
{
	struct gmem *m = &mm->gmem;

	if (!m->hidden || !gmem_find(m, gfn))
		return false;
	spin_lock(&m->moving);
	if (view != VIEW_ALL)
		hide(m, gfn, view);
	else if (view_has(m, gfn))
		show(m, gfn);
	settle_first(mm, gfn);
	spin_unlock(&m->moving);
	return true;
}

void mm_view_none(struct mm *mm)
{
	struct gmem *m = &mm->gmem;
	uint64_t gfn;

	if (!m->hidden)
		return;
	spin_lock(&m->moving);
	for (gfn = 0; gfn < m->nframes; gfn++)
		if (m->hidden[gfn])
			show(m, gfn);
	for (gfn = 0; gfn < m->nframes; gfn += FRAMES_LARGE)
		settle_first(mm, gfn);
	spin_unlock(&m->moving);
}

void view_put(struct mm *mm, uint64_t gfn, uint64_t leaf)
{
	struct gmem *m = &mm->gmem;

	spin_lock(&m->moving);
	if (view_has(m, gfn))
		m->hidden[gfn] += (leaf & PTE_ADDR) -
				  (m->hidden[gfn] & PTE_ADDR);
	else
		m->p2m[gfn] = leaf;
	settle_first(mm, gfn);
	spin_unlock(&m->moving);
}

uint64_t view_leaf(const struct gmem *m, uint64_t gfn, uint32_t error)
{
	uint64_t leaf = m->hidden[gfn];

	if (!(leaf & PTE_P) || ((error & PF_W) && !(leaf & PTE_W)) ||
	    ((error & PF_I) && (leaf & PTE_NX)))
		return 0;
	return leaf;
}

/* ---- what the shadow has -------------------------------------------------- */

/* Entries that map a frame, or a large page with it. */
static void page_drop(struct mmu *m, struct spage *p, uint64_t pa)
{
	uint64_t entry;
	uint32_t i;

	for (i = 0; i < 512; i++) {
		entry = p->table[i];
		if (!(entry & PTE_P))
			continue;
		if (p->role == SP_PD) {
			if (!(entry & SE_LINK) && (entry & PTE_PS) &&
			    !((entry ^ pa) & PTE_ADDR & ~(LONG_LARGE - 1)))
				pool_set_pde(m, &p->table[i], 0);
		} else if (!((entry ^ pa) & PTE_ADDR)) {
			set_leaf(m, &p->table[i], 0);
		}
	}
}

void view_drop_leaf(struct mmu *m, uint64_t leaf)
{
	struct mm *mm = m->mm;
	struct spage *p;

	for (p = &mm->pages[1]; leaf && p < &mm->pages[mm->count]; p++)
		if (p->role == SP_PT || p->role == SP_PD || p->role == SP_SPLIT)
			page_drop(m, p, leaf & PTE_ADDR);
}

void mmu_view_drop(struct mmu *m, uint64_t gfn)
{
	view_drop_leaf(m, gmem_find(&m->mm->gmem, gfn));
}

void mmu_view_drop_all(struct mmu *m)
{
	if (m->mm->fmt.wide)
		long_zap(m);
	else
		root_zap(m);
}

/* ---- opened ----------------------------------------------------------------- */

void view_opened(struct mmu *m, uint64_t *pte)
{
	uint32_t i;

	for (i = 0; i < m->opened_count; i++)
		if (m->opened[i] == pte)
			return;
	/* One access has not so many, but it may come again and again. */
	if (m->opened_count == MM_OPENED)
		mmu_view_close(m);
	m->opened[m->opened_count++] = pte;
}

/* Meanwhile the page may have become another. */
void mmu_view_close(struct mmu *m)
{
	const struct mm *mm = m->mm;
	const struct spage *p;
	uint64_t *pte;

	while (m->opened_count) {
		pte = m->opened[--m->opened_count];
		p = &mm->pages[((uint8_t *)pte - mm->tables) / PAGE_SIZE];
		if (p->role == SP_PT || p->role == SP_SPLIT)
			set_leaf(m, pte, 0);
	}
	mmu_flush_tlb(m);
}

/* ---- written ---------------------------------------------------------------- */

/* As the guest's own AllocatePage or ReleasePage, with the answer as it was. */
void view_forget_table(struct mmu *m, uint64_t gfn)
{
	bool is = m->mm->frames[gfn].flags & GF_TRACKED;

	if (m->mm->fmt.wide)
		long_page_table(m, gfn, is);
	else
		mmu_page_table(m, gfn, is);
}

void mmu_written(struct mmu *m, gpa_t pa)
{
	uint64_t gfn = pa >> PAGE_SHIFT;

	if (gfn >= m->mm->gmem.nframes)
		return;
	view_forget_table(m, gfn);
	mmu_flush_tlb(m);
}

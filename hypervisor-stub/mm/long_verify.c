// SPDX-License-Identifier: GPL-2.0-only
/*
 * The check of verify.c for a wide guest. Here a shadow belongs to a frame and a
 * level, so it is compared with that frame, wherever it may be linked: some pages of
 * the pool after each drain, all in turn.
 *
 * Left out are the same tables as there, and leaves of page tables that the guest
 * has emptied: it tells of these with the flush that ends the taking down of an
 * address space.
 */
#include "shadow.h"

#define LONG_VERIFY_PAGES	8	/* compared after a drain */

static bool long_verify_rights(uint64_t shadow, uint64_t guest)
{
	return !(shadow & ~guest & (PTE_U | PTE_W)) &&
	       !(guest & ~shadow & PTE_NX);
}

/* A leaf that maps a frame; of a large page the first one's. */
static bool long_verify_leaf(const struct mmu *m, uint64_t shadow,
			     uint64_t guest, uint64_t gfn)
{
	const struct gmem *gmem = &m->mm->gmem;
	uint64_t must = gmem_find(gmem, gfn);

	must = (must ? must : gmem->bus & ~(uint64_t)PTE_W);
	return !((shadow ^ must) & PTE_ADDR) &&
	       long_verify_rights(shadow, guest) &&
	       (!(shadow & PTE_W) || ((guest & PTE_D) && (must & PTE_W)));
}

/* A link to a page of small ones, of a large page. */
static bool long_verify_split(const struct mmu *m, const struct spage *split,
			      uint64_t guest)
{
	uint64_t first = entry_gfn(guest) & ~511ull;
	uint32_t i;

	for (i = 0; i < 512; i++)
		if ((split->table[i] & PTE_P) &&
		    !long_verify_leaf(m, split->table[i], guest, first + i))
			return false;
	return true;
}

static bool long_verify_link(const struct mmu *m, const struct spage *p,
			     uint32_t i, uint64_t shadow, uint64_t guest)
{
	const struct spage *next = page_of(m->mm, shadow);

	if (next->role == SP_ORPHAN)
		return true;
	if (long_is_leaf(guest, p->role))
		return next->role == SP_SPLIT &&
		       long_verify_split(m, next, guest);
	if (p->role != SP_PD &&
	    next->reserved != long_on_the_way(m->mm, p, i))
		return false;
	return next->role == p->role - 1 && next->gfn == entry_gfn(guest) &&
	       long_verify_rights(shadow, guest);
}

static bool long_verify_entry(const struct mmu *m, const struct spage *p,
			      uint32_t i, uint64_t shadow, uint64_t guest)
{
	bool leaf = p->role == SP_PT || (shadow & PTE_PS);

	/* Absent, or ours. */
	if (!(shadow & PTE_P) || (!leaf && !(shadow & SE_LINK)) ||
	    (p->role == SP_PT && !guest))
		return true;
	if ((guest & (PTE_A | PTE_P)) != (PTE_A | PTE_P) ||
	    long_wrong(m, guest, p->role))
		return false;
	if (!leaf)
		return long_verify_link(m, p, i, shadow, guest);
	if (shadow & PTE_PS)
		return long_is_leaf(guest, p->role) &&
		       long_verify_leaf(m, shadow, guest,
					entry_gfn(guest) & ~511ull);
	return long_verify_leaf(m, shadow, guest, entry_gfn(guest));
}

static bool long_verify_page(const struct mmu *m, const struct spage *p,
			     struct long_wrong *wrong)
{
	const struct gtable *table = gmem_find_table(&m->mm->gmem, p->gfn, 0);
	uint64_t guest;
	uint32_t i;

	for (i = 0; i < 512; i++) {
		guest = gtable_read64(table, i);
		if (long_verify_entry(m, p, i, p->table[i], guest))
			continue;
		*wrong = (struct long_wrong){ p->gfn, p->role, i, p->table[i],
					      guest };
		return false;
	}
	return true;
}

/* Goes on where it stopped after the last drain. */
bool long_verify(struct mmu *m, struct long_wrong *wrong)
{
	struct mm *mm = m->mm;
	const struct spage *p;
	uint32_t n, work = 0;

	for (n = 1; n < mm->count && work < LONG_VERIFY_PAGES; n++) {
		if (++mm->verify_root >= mm->count)
			mm->verify_root = 1;
		p = &mm->pages[mm->verify_root];
		if (p->role == SP_FREE || p->role >= SP_SPLIT ||
		    !told_of_all(mm, p->gfn))
			continue;
		work++;
		if (!long_verify_page(m, p, wrong))
			return false;
	}
	return true;
}

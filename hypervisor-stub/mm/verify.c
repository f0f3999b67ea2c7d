// SPDX-License-Identifier: GPL-2.0-only
/*
 * A check for tests ("verify" on the hypervisor's command line, slow): is each
 * shadow entry what the guest's tables say? An entry may be missing, or allow
 * less; it must never map another frame or allow more. After every drain some
 * of them are compared, all in turn: all at once can take longer than the time
 * between two ticks of the guest, whose handler makes us drain, and nothing
 * else would ever run. Siblings do not run meanwhile, and have told of all that
 * they have stored (drain.c).
 *
 * Three things are left out, as nobody tells of them before a flush: tables
 * that are not tracked, those that another guest can write to (remap.c), and
 * leaves that the guest has emptied while it takes a whole address space down.
 * The last does not excuse the current space when the guest comes from user
 * mode: then it is in use.
 */
#include "shadow.h"

#define VERIFY_WORK	4096	/* entries after a drain */

struct verify {
	struct mmu		*m;
	const struct root	*r;		/* of these tables */
	bool			in_use;		/* in user mode */
	uint32_t		work;		/* entries compared */
	struct mm_wrong		*wrong;
};

static bool wrong(struct verify *c, gva32_t va, uint64_t shadow, uint64_t pde,
		  uint64_t pte)
{
	*c->wrong = (struct mm_wrong){ va, c->r->gfn, shadow, pde, pte };
	return false;
}

static bool verify_leaf(struct verify *c, gva32_t va, uint64_t shadow,
			uint64_t pde, uint64_t leaf)
{
	const struct gmem *gmem = &c->m->mm->gmem;
	uint64_t frame = shadow & PTE_ADDR;
	uint64_t gfn = leaf_gfn(c->m->mm, leaf, is_large(c->m, pde), va), must;

	if (!leaf && !c->in_use)
		return true;
	if (shadow & PTE_PS)
		gfn &= ~511ull;
	must = gmem_find(gmem, gfn);
	must = (must ? must : gmem->bus) & PTE_ADDR;
	if ((leaf & (PTE_A | PTE_P)) != (PTE_A | PTE_P) || frame != must ||
	    (shadow & PTE_U & ~leaf) || (leaf & PTE_NX & ~shadow) ||
	    ((shadow & PTE_W) && (c->m->mode & CR0_WP) &&
	     (leaf & (PTE_W | PTE_D)) != (PTE_W | PTE_D)))
		return wrong(c, va, shadow, pde, leaf);
	return true;
}

static bool verify_table(struct verify *c, gva32_t va, uint64_t link,
			 uint64_t pde)
{
	const struct mm *mm = c->m->mm;
	const uint64_t *table = shadow_table(link);
	uint32_t first = (va >> 21 & mm->fmt.second) << 9, i;
	bool large = is_large(c->m, pde);
	const struct gtable *guest;
	uint64_t leaf;

	if (!large && ((link & ~(uint64_t)pde & PTE_U) ||
		       ((link & ~(uint64_t)pde & PTE_W) &&
			(c->m->mode & CR0_WP)) ||
		       (pde & PTE_NX & ~link) ||
		       page_of(mm, link)->gfn != entry_gfn(pde)))
		return wrong(c, va, link, pde, 0);
	guest = gmem_find_table(&mm->gmem, entry_gfn(pde), 0);
	if (!large && (!guest || !told_of_all(mm, entry_gfn(pde))))
		return true;
	for (i = 0; i < 512; i++) {
		if (!(table[i] & PTE_P))
			continue;
		leaf = large ? pde : read_entry(mm, guest, first + i);
		if (!verify_leaf(c, va + i * PAGE_SIZE, table[i], pde, leaf))
			return false;
	}
	return true;
}

/* The entry of the directory for 2 MB, and what it links. */
static bool verify_pde(struct verify *c, uint32_t i)
{
	const struct mm *mm = c->m->mm;
	const struct spage *pd = c->r->pd[c->m->slot[i >> 9]];
	uint64_t entry = pd ? pd->table[i & 511] : 0;
	uint64_t pde = read_pde(mm, c->r, i << 21);

	c->work++;
	if (!(entry & PTE_P) ||
	    ((entry & SE_LINK) && page_of(mm, entry)->role == SP_ORPHAN) ||
	    (mm->fmt.pae && !told_of_all(mm, pd->gfn)))
		return true;
	if ((pde & (PTE_A | PTE_P)) != (PTE_A | PTE_P))
		return wrong(c, i << 21, entry, pde, 0);
	if (!(entry & SE_LINK))
		return verify_leaf(c, i << 21, entry, pde, pde);
	c->work += 512;
	return verify_table(c, i << 21, entry, pde);
}

/* Goes on where it stopped after the last drain; in a small world it comes
 * round. */
bool mmu_verify(struct mmu *m, bool user, struct mm_wrong *found)
{
	struct verify c = { .m = m, .wrong = found };
	struct mm *mm = m->mm;
	uint32_t end = mm->reserved >> 21, n;

	for (n = 0; n < mm->root_top - 1 && c.work < VERIFY_WORK; n++) {
		c.r = &mm->roots[1 + mm->verify_root];
		c.in_use = user && c.r == m->root;
		if (!c.r->used || !told_of_all(mm, c.r->gfn))
			mm->verify_pde = end;
		while (mm->verify_pde < end && c.work < VERIFY_WORK)
			if (!verify_pde(&c, mm->verify_pde++))
				return false;
		if (mm->verify_pde < end)
			break;
		mm->verify_pde = 0;
		if (++mm->verify_root >= mm->root_top - 1)
			mm->verify_root = 0;
	}
	return true;
}

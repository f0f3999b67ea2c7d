// SPDX-License-Identifier: GPL-2.0-only
/*
 * Walks of the guest's tables, as the CPU would do them (SDM Vol. 3, 4.3 and
 * 4.4), each entry read once; and one of ours.
 */
#include "shadow.h"

static inline enum walk_end walk_leaf(struct walk *w, struct gtable *at,
				      uint64_t leaf)
{
	w->leaf_at = at;
	w->leaf = leaf;
	return leaf & PTE_P ? WALK_LEAF : WALK_ABSENT;
}

inline __attribute__((always_inline))
enum walk_end walk(const struct mmu *m, gva32_t va, struct walk *w,
		   const bool pae, const bool any)
{
	const uint32_t bits = pae ? 9 : 10, size = pae ? 8 : 4;
	const struct gtable *dir = m->root->dir[va >> 30];
	struct gtable *at;

	if (pae && !dir)
		return WALK_ABSENT;
	w->pde_at = gtable_part(dir, ((va & 0x3fffffff) >> (bits + 12)) * size);
	w->pde = pae ? gtable_read64(w->pde_at, 0) :
		       gtable_read32(w->pde_at, 0);
	w->large = (w->pde & m->pde_bits) != PTE_P;
	if (w->large)
		return walk_leaf(w, w->pde_at, w->pde);
	at = (any ? gmem_find_table : gmem_table)
		(&m->mm->gmem, entry_gfn(w->pde),
		 (va >> PAGE_SHIFT & ((1u << bits) - 1)) * size);
	if (!at)
		return WALK_NOWHERE;
	return walk_leaf(w, at, pae ? gtable_read64(at, 0) :
				      gtable_read32(at, 0));
}

bool mmu_translate(struct mmu *m, gva32_t va, gpa_t *pa)
{
	struct walk w;

	if (walk(m, va, &w, m->mm->fmt.pae, true) != WALK_LEAF)
		return false;
	*pa = leaf_gfn(m->mm, w.leaf, w.large, va) << PAGE_SHIFT |
	      (va & (PAGE_SIZE - 1));
	return true;
}

bool mmu_allows(const struct mmu *m, gva32_t va, uint32_t error)
{
	const struct spage *pd = m->root->pd[m->slot[va >> 30]];
	uint64_t pde, leaf;

	if (!pd)
		return false;
	pde = pd->table[va >> 21 & 511];
	if (!(pde & SE_LINK))
		return false;
	leaf = shadow_table(pde)[va >> 12 & 511];
	if ((error & PF_I) && ((pde | leaf) & PTE_NX))
		return false;
	return !(~(pde & leaf) & (PTE_P | (error & (PF_W | PF_U))));
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * A check for tests ("verify" on the hypervisor's command line, slow): is each
 * shadow entry what the guest's tables say? An entry may be missing, or allow
 * less; it must never map another frame or allow more. After every drain some
 * of them are compared, all in turn: all at once can take longer than the time
 * between two ticks of the guest, whose handler makes us drain, and nothing
 * else would ever run.
 *
 * Two things are left out, as nobody tells of them before a flush: tables
 * that are not tracked, and leaves that the guest has emptied while it takes
 * a whole address space down. The second does not excuse the current space
 * when we come from user mode: then it is in use.
 */
#include "shadow.h"

#define VERIFY_WORK	4096	/* entries after a drain */

static void wrong(const struct root *r, gva_t va, uint64_t shadow,
		  uint64_t pde, uint64_t pte)
{
	guest_kill(current, "verify: shadow of %08x in directory %05x is %lx, the guest has pde %09lx pte %09lx",
	      va, r->gfn, shadow, pde, pte);
}

static void verify_leaf(struct vcpu *v, const struct root *r, gva_t va,
			uint64_t shadow, uint64_t pde, uint64_t leaf)
{
	struct guest *g = v->g;
	uint64_t frame = shadow & SE_ADDR;
	uint64_t gfn = leaf_gfn(g, leaf, is_large(g, pde), va), must;

	if (!leaf && !(r == g->shadow.current && regs_ring(v->regs) == 3))
		return;
	if (shadow & PTE_PS)
		gfn &= ~511ull;
	must = gmem_leaf(&g->mem, gfn);
	must = (must ? must : g->mem.bus) & SE_ADDR;
	if ((leaf & (PTE_A | PTE_P)) != (PTE_A | PTE_P) || frame != must ||
	    (shadow & PTE_U & ~leaf) || (leaf & SE_NX & ~shadow) ||
	    ((shadow & PTE_W) && (v->cr0 & CR0_WP) &&
	     (leaf & (PTE_W | PTE_D)) != (PTE_W | PTE_D)))
		wrong(r, va, shadow, pde, leaf);
}

static void verify_table(struct vcpu *v, const struct root *r, gva_t va,
			 uint64_t link, uint64_t pde)
{
	const uint64_t *table = shadow_table(link);
	const struct gtable *guest;
	bool large = is_large(v->g, pde);
	uint64_t leaf;
	uint32_t i;

	if (!large && ((link & ~(uint64_t)pde & PTE_U) ||
		       ((link & ~(uint64_t)pde & PTE_W) &&
			(v->cr0 & CR0_WP)) ||
		       (pde & SE_NX & ~link) ||
		       page_of(&v->g->shadow, link)->gfn != entry_gfn(pde)))
		wrong(r, va, link, pde, 0);
	guest = gmem_table(&v->g->mem, entry_gfn(pde), 0);
	if (!large && (!guest ||
		       !(v->g->frames[entry_gfn(pde)].flags &
			 GF_TRACKED)))
		return;
	for (i = 0; i < 512; i++) {
		if (!(table[i] & PTE_P))
			continue;
		leaf = large ? pde : read_entry(v->g, guest,
			(pae(v->g) ? 0 : va >> 12 & 512) + i);
		verify_leaf(v, r, va + i * PAGE_SIZE, table[i], pde, leaf);
	}
}

/*
 * An interrupt of the kernel may come between a plain store and the call that
 * tells of it, and its handler calls us too. In user mode all has been told.
 */
static bool all_told(struct vcpu *v)
{
	if (regs_ring(v->regs) == 3)
		v->interrupted = false;
	else if (v->regs->vector >= IRQ_BASE &&
		 v->regs->vector < IRQ_BASE + 16)
		v->interrupted = true;
	return !v->interrupted;
}

/* The entry of the directory for 2 MB, and what it links: how many entries. */
static uint32_t verify_pde(struct vcpu *v, const struct root *r, uint32_t i)
{
	struct guest *g = v->g;
	const struct spage *pd = r->pd[i >> 9];
	uint64_t entry = pd ? pd->table[i & 511] : 0;
	uint64_t pde = read_pde(g, r, i << 21);

	if (!(entry & PTE_P) ||
	    ((entry & SE_LINK) &&
	     page_of(&g->shadow, entry)->role == SP_ORPHAN) ||
	    (pae(g) && !(g->frames[pd->gfn].flags & GF_TRACKED)))
		return 1;
	if ((pde & (PTE_A | PTE_P)) != (PTE_A | PTE_P))
		wrong(r, i << 21, entry, pde, 0);
	if (!(entry & SE_LINK)) {
		verify_leaf(v, r, i << 21, entry, pde, pde);
		return 1;
	}
	verify_table(v, r, i << 21, entry, pde);
	return 1 + 512;
}

/* Goes on where it stopped after the last drain; in a small world it comes
 * round. */
void shadow_verify(struct vcpu *v)
{
	struct guest *g = v->g;
	struct shadow *s = &g->shadow;
	uint32_t end = v->hole >> 21, work = 0, n;

	if (!all_told(v))
		return;
	for (n = 0; n < s->root_top - 1 && work < VERIFY_WORK; n++) {
		const struct root *r = &s->roots[1 + s->verify_root];

		if (r->used && tracked(g, r))
			while (s->verify_pde < end && work < VERIFY_WORK)
				work += verify_pde(v, r, s->verify_pde++);
		else
			s->verify_pde = end;
		if (s->verify_pde < end)
			break;
		s->verify_pde = 0;
		if (++s->verify_root >= s->root_top - 1)
			s->verify_root = 0;
	}
}

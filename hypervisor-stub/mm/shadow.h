/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What shadow.c (tables and how they are linked), fault.c (filling them) and
 * queue.c (updating them) share, and exit.c looks at.
 */
#ifndef SHADOW_H
#define SHADOW_H

#include <cpu.h>

#include "hv.h"

/* Bits common to guest and shadow entries (SDM Vol. 3, 4.3 and 4.5). */
#define PTE_P		0x001u
#define PTE_W		0x002u
#define PTE_U		0x004u
#define PTE_A		0x020u
#define PTE_D		0x040u
#define PTE_PS		0x080u
#define SE_LINK		0x200u			/* links a page of the pool */
#define SE_NX		0x8000000000000000ul
#define SE_ADDR		0x000ffffffffff000ul

enum { SP_FREE, SP_PD, SP_PT, SP_SPLIT, SP_ORPHAN };

/* More pages than one fill takes: a PD, another, a PT. */
#define SHADOW_RESERVE	4

static inline bool paging(const struct guest *g)
{
	return g->vcpu.cr0 & CR0_PG;
}

static inline bool pae(const struct guest *g)
{
	return g->shadow.pae;
}

/* Has the guest told of this directory? */
static inline bool tracked(const struct guest *g, const struct root *r)
{
	return r != &g->shadow.roots[0] &&
	       (g->frames[r->gfn].flags & GF_TRACKED);
}

/* Is this a page table that the guest has told of, and not a directory? */
static inline bool is_plain_table(const struct gframe *f)
{
	return f->root == 0 && f->flags == GF_TRACKED;
}

/* The frame that an entry names. */
static inline uint64_t entry_gfn(uint64_t entry)
{
	return (entry & SE_ADDR) >> PAGE_SHIFT;
}

/* Entry i of a guest table, in either format. */
static inline uint64_t read_entry(const struct guest *g,
				  const struct gtable *table, uint32_t i)
{
	return pae(g) ? gtable_read64(table, i) : gtable_read32(table, i);
}

/* The directory entry for an address; 0 where there is no directory. */
static inline uint64_t read_pde(const struct guest *g, const struct root *r,
				gva_t va)
{
	const struct gtable *dir = r->dir[va >> 30];

	return !dir ? 0 : read_entry(g, dir, pae(g) ? va >> 21 & 511 :
						      va >> 22 & 255);
}

/* The page of the pool that an entry links, and its entries. */
static inline uint64_t *shadow_table(uint64_t entry)
{
	return pa_to_va(entry & SE_ADDR);
}

static inline struct spage *page_of(const struct shadow *s, uint64_t entry)
{
	uint64_t first = s->pages[0].link & SE_ADDR;

	return &s->pages[((entry & SE_ADDR) - first) >> PAGE_SHIFT];
}

/*
 * What a guest leaf allows, as a mask for gmem_leaf(); writable only when
 * known to be dirty; 0 if it is not present or was not accessed yet: to set
 * that bit is ours, at the first access.
 */
#define LEAF_BITS	(PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)
extern const int16_t leaf_mask_table[LEAF_BITS + 1];

static inline uint64_t leaf_mask(uint64_t pte)
{
	return (int64_t)leaf_mask_table[pte & LEAF_BITS];
}

/* Does a guest page-directory entry map 4 or 2 MB? With paging off all do. */
static inline bool is_large(const struct guest *g, uint64_t pde)
{
	return (pde & PTE_PS) &&
	       (!paging(g) || pae(g) || (g->vcpu.cr4 & CR4_PSE));
}

/* The frame behind a leaf, whole or of the 4 or 2 MB that it maps. */
static inline uint64_t leaf_gfn(const struct guest *g, uint64_t leaf,
				bool large, gva_t va)
{
	uint64_t gfn = entry_gfn(leaf);
	uint32_t in = pae(g) ? 511 : 1023;

	if (!large)
		return gfn;
	gfn = (gfn & ~(uint64_t)in) | (va >> PAGE_SHIFT & in);
	/* PSE-36: bits 39 to 32 of a 4 MB page (SDM Vol. 3, 4.3). */
	return pae(g) ? gfn : gfn | (leaf >> 13 & 0xff) << 20;
}

/* The shadow of a guest leaf as far as it can be had without a fault. */
static inline uint64_t leaf_shadow(const struct gmem *m, uint64_t pte)
{
	uint64_t mask = leaf_mask(pte);

	return mask ? (gmem_leaf(m, entry_gfn(pte)) & mask) | (pte & SE_NX) :
		      0;
}

static inline void set_leaf(struct shadow *s, uint64_t *pte, uint64_t val)
{
	uint64_t old = *pte;

	if (old == val)
		return;
	*pte = val;
	if (old & PTE_P)
		s->flush = true;
}

struct walk {
	struct gtable		*pde_at, *leaf_at;	/* where they are */
	uint64_t		pde, leaf;		/* each read once */
	bool			large;			/* the leaf is the pde */
};

enum walk_end {
	WALK_LEAF,		/* present */
	WALK_ABSENT,		/* an entry on the way, or the leaf, is not */
	WALK_NOWHERE,		/* no memory where the table should be */
};

static inline enum walk_end walk_leaf(struct walk *w, struct gtable *at,
				      uint64_t leaf)
{
	w->leaf_at = at;
	w->leaf = leaf;
	return leaf & PTE_P ? WALK_LEAF : WALK_ABSENT;
}

enum walk_end shadow_walk_pae(struct vcpu *v, gva_t va, struct walk *w);

static inline __attribute__((always_inline))
enum walk_end walk(struct vcpu *v, gva_t va, struct walk *w)
{
	struct guest *g = v->g;
	const struct gtable *dir = g->shadow.current->dir[va >> 30];
	struct gtable *at;

	if (pae(g))
		return shadow_walk_pae(v, va, w);
	w->pde_at = gtable_part(dir, (va >> 22 & 255) * 4);
	w->pde = gtable_read32(w->pde_at, 0);
	w->large = is_large(g, w->pde);
	if (!(w->pde & PTE_P) || w->large)
		return walk_leaf(w, w->pde_at, w->pde);
	at = gmem_table(&g->mem, entry_gfn(w->pde), (va >> 12 & 1023) * 4);
	if (!at)
		return WALK_NOWHERE;
	return walk_leaf(w, at, gtable_read32(at, 0));
}

_Static_assert(PF_W == PTE_W && PF_U == PTE_U, "an access as rights");

enum fault shadow_fault_in_hole(struct guest *g, gva_t va);
/* Put what the walk has found into the shadow, if it allows the access. */
enum fault shadow_fill(struct vcpu *v, gva_t va, uint32_t *error, struct walk *w,
		       gpa_t *bus);

/*
 * Is this fault the guest's own? The short way, to a leaf that is not
 * present, is in line for the handler of page faults; see shadow_fault().
 */
static inline __attribute__((always_inline))
enum fault shadow_fault_inline(struct vcpu *v, gva_t va, uint32_t *error,
			       gpa_t *bus)
{
	struct guest *g = v->g;
	struct walk w;

	if (g->shadow.free_count < SHADOW_RESERVE)
		shadow_zap(g);
	if (va > v->guest_last) {
		*error &= PF_U | PF_W | PF_P;
		return shadow_fault_in_hole(g, va);
	}
	switch (walk(v, va, &w)) {
	case WALK_LEAF:
		return shadow_fill(v, va, error, &w, bus);
	case WALK_ABSENT:
		*error &= g->shadow.error_bits;
		return FAULT_GUEST;
	default:
		*bus = w.pde & SE_ADDR;
		return FAULT_TABLE;
	}
}

/* Would the CPU find a translation for this access now? Of 4 KB pages alone,
 * the common ones. */
static inline bool shadow_allows(const struct guest *g, gva_t va,
				 uint32_t error)
{
	uint64_t need = PTE_P | (error & (PF_W | PF_U)), entry;
	uint64_t bad = error & PF_I ? SE_NX : 0;
	const struct spage *pd = g->shadow.current->pd[va >> 30];

	if (!pd)
		return false;
	entry = pd->table[va >> 21 & 511];
	if ((~entry & (need | SE_LINK)) || (entry & bad))
		return false;
	entry = shadow_table(entry)[va >> 12 & 511];
	return !(~entry & need) && !(entry & bad);
}

/* A page of the pool, zeroed; there is one (SHADOW_RESERVE). */
struct spage *shadow_page_new(struct shadow *s, int role, uint32_t gfn);
/* The shadow of a guest page table, which with PAE has one half. */
struct spage *shadow_pt_get(struct guest *g, uint32_t gfn, uint32_t half);
/* With PAE: the shadow of a directory, for a root's part with or without the
 * hole; NULL if there is none yet. */
struct spage *shadow_pd_find(struct guest *g, uint32_t gfn, bool hole);
void shadow_pd_enter(struct guest *g, struct spage *p);
/* From now on the guest tells of changes to this frame; what its shadows
 * held of the time before is forgotten. */
void shadow_track(struct guest *g, struct gframe *f);
void shadow_set_pde(struct shadow *s, uint64_t *pde, uint64_t val);
/* Bring the 2 MB at va up to date in the page that shadows a directory with
 * this entry, as far as nothing faults. */
void shadow_sync_pde(struct guest *g, struct spage *pd, uint64_t pde,
		     gva_t va);
/* The entry at this offset of a frame, in its roles above a page table. */
void shadow_sync_upper(struct guest *g, struct gframe *f, uint32_t offset);

#endif

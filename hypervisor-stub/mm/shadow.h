/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the shadow tables share; pool.c says what they are. */
#ifndef SHADOW_H
#define SHADOW_H

#include "gmem.h"

#define SE_LINK		0x200u		/* links a page of the pool */

/* Tables by their level, and pages that are of no guest table: from SP_SPLIT on
 * they go with their last link. */
enum { SP_FREE, SP_PT, SP_PD, SP_PDPT, SP_PML4, SP_SPLIT, SP_ORPHAN };

/* A page of a shadow table. */
struct spage {
	uint64_t	*table;		/* 512 entries */
	uint64_t	link;		/* an entry for it, without rights */
	uint64_t	*parent;	/* the only entry for it, if known */
	uint32_t	parents;	/* entries that link it; SP_PD: roots */
	uint32_t	gfn;		/* of the guest table shadowed */
	uint32_t	next, prev;	/* in a list of the pool */
	uint8_t		role;		/* SP_* */
	uint8_t		second;		/* SP_PT: 1: of the table's second 2 MB */
	uint8_t		reserved;	/* SP_PD: the reserved top is in it, of
					 * this vCPU, counted from 1. Wide guests:
					 * SP_PDPT, too; SP_PML4: whose it is */
	bool		clean;		/* when it is free: all entries are 0 already,
					 * but what leads to us */
	uint32_t	list;		/* the next in gframe.pd */
	uint64_t	filled;		/* wide guests, level 2 to 4: bit n: entries
					 * from 8 * n on, maybe of the guest's */
} __attribute__((aligned(64)));		/* so that an index is a shift */

/* The shadow of what CR3 points to, a page directory or with PAE a PDPT: one
 * shadow page per GB. */
struct root {
	uint32_t	gfn;
	uint32_t	offset;		/* PDPT: where in the frame */
	uint32_t	next;		/* free, or of the same frame */
	bool		used;
	/* The GB with the reserved top has a page for each vCPU, since their
	 * shared areas are at one address: mmu.slot says where. */
	struct spage	*pd[3 + MM_MMUS];
	const struct gtable *dir[4];	/* the guest's of a GB, or NULL */
	uint32_t	dir_gfn[4];	/* with PAE: their frames */
};
#define ROOTS		2048

/* What is known of a guest page frame. Shadows are pool indices, 0: none. */
struct gframe {
	uint32_t	pt[2];		/* as a page table, of its first 2 MB and
					 * of its second, if it has one */
	uint32_t	pd;		/* as a directory of PAE: a list, without
					 * and, for each vCPU, with the reserved
					 * top. Of a wide guest: as a table of
					 * levels 2 to 4 */
	uint16_t	root;		/* as what CR3 points to; a list */
	union {
		struct {
			uint8_t	flags;	/* GF_* */
			uint8_t	shared;	/* another guest can write to it, too:
					 * by so many mappings (remap.c) */
		};
		uint16_t	both;
	};
};
#define GF_TRACKED	1u	/* the guest tells of changes to this table */

/* ---- the guest's entries ------------------------------------------------ */

/* The frame that an entry names. */
static inline uint64_t entry_gfn(uint64_t entry)
{
	return (entry & PTE_ADDR) >> PAGE_SHIFT;
}

/* Entry i of a guest table, in either format. */
static inline uint64_t read_entry(const struct mm *mm,
				  const struct gtable *table, uint32_t i)
{
	return mm->fmt.pae ? gtable_read64(table, i) : gtable_read32(table, i);
}

/* The directory entry for an address; 0 where there is no directory. */
static inline uint64_t read_pde(const struct mm *mm, const struct root *r,
				gva32_t va)
{
	const struct gtable *dir = r->dir[va >> 30];

	return !dir ? 0 : read_entry(mm, dir,
				     (va & 0x3fffffff) >> mm->fmt.pde_shift);
}

/* Has the guest told of this directory? */
static inline bool tracked(const struct mm *mm, const struct root *r)
{
	return r != &mm->roots[0] &&
	       (mm->frames[r->gfn].flags & GF_TRACKED);
}

/* Is the guest all that changes this table, and does it tell? */
static inline bool told_of_all(const struct mm *mm, uint64_t gfn)
{
	const struct gframe *f = &mm->frames[gfn];

	return (f->flags & GF_TRACKED) && !f->shared;
}

/* Does a guest page-directory entry map 4 or 2 MB? */
static inline bool is_large(const struct mmu *m, uint64_t pde)
{
	return pde & m->pde_bits & PTE_PS;
}

/* The frame behind a leaf, whole or of the 4 or 2 MB that it maps. */
static inline uint64_t leaf_gfn(const struct mm *mm, uint64_t leaf, bool large,
				gva32_t va)
{
	const struct mm_format *fmt = &mm->fmt;
	uint64_t gfn = entry_gfn(leaf), in = fmt->large_mask;

	if (!large)
		return gfn;
	/* PSE-36: bits 39 to 32 of a 4 MB page (SDM Vol. 3, 4.3). */
	return (gfn & ~in) | (va >> PAGE_SHIFT & in) |
	       (leaf >> 13 & fmt->pse36) << 20;
}

/* ---- the shadow's entries ----------------------------------------------- */

/* The page of the pool that an entry links, and its entries. */
static inline uint64_t *shadow_table(uint64_t entry)
{
	return host_va(entry & PTE_ADDR);
}

static inline struct spage *page_of(const struct mm *mm, uint64_t entry)
{
	uint64_t first = mm->pages[0].link & PTE_ADDR;

	return &mm->pages[((entry & PTE_ADDR) - first) >> PAGE_SHIFT];
}

static inline uint32_t index_of(const struct mm *mm, const struct spage *p)
{
	return p - mm->pages;
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

/* The shadow of a guest leaf as far as it can be had without a fault. */
static inline uint64_t leaf_shadow(const struct gmem *gmem, uint64_t pte)
{
	uint64_t mask = leaf_mask(pte);

	return mask ? (gmem_leaf(gmem, entry_gfn(pte)) & mask) |
		      (pte & PTE_NX) : 0;
}

/* Set the bits that the CPU would have set (SDM Vol. 3, 4.8). */
static inline bool mark(struct gtable *at, uint64_t entry, uint32_t bits)
{
	return (entry & bits) == bits || gtable_set_bits(at, entry, bits);
}

static inline void set_leaf(struct mmu *m, uint64_t *pte, uint64_t val)
{
	uint64_t old = *pte;

	if (old == val)
		return;
	*pte = val;
	if (old & PTE_P)
		m->flush |= FLUSH_REMOVED;
}

/* ---- walk.c ------------------------------------------------------------- */

struct walk {
	struct gtable		*pde_at, *leaf_at;	/* where they are */
	uint64_t		pde, leaf;		/* each read once */
	bool			large;			/* the leaf, if there is
							 * one, is the pde */
};

enum walk_end {
	WALK_ABSENT,		/* an entry on the way, or the leaf */
	WALK_LEAF,		/* it is present */
	WALK_NOWHERE,		/* no memory where the table should be */
	WALK_RESERVED,		/* a bit is set that has to be 0 (long.c) */
};

/* pae is a constant where it has to be fast; any: tables that have a view, too. */
enum walk_end walk(const struct mmu *, gva32_t, struct walk *, const bool pae,
		   const bool any);

/* ---- pool.c ------------------------------------------------------------- */

/* More pages than one fill takes: a PD, another, a PT. */
#define SHADOW_RESERVE	4

/* A page of the pool, zeroed; there is one (SHADOW_RESERVE). And back. */
struct spage *pool_take(struct mm *, int role, uint32_t gfn);
void pool_give(struct mm *, struct spage *);
/* What went back while others might walk it can be taken. */
void pool_reclaim(struct mmu *);
/* Every change of an SP_PD entry. */
void pool_set_pde(struct mmu *, uint64_t *pde, uint64_t val);
/* The shadow of a guest page table, of its first or second 2 MB. */
struct spage *pool_pt_get(struct mm *, uint32_t gfn, uint32_t second);
void pool_pt_drop(struct mmu *, struct spage *);
/* With PAE: the shadow of a directory, for a root's part with or without the
 * reserved top; NULL if there is none yet. */
struct spage *pool_pd_find(struct mm *, uint32_t gfn, uint32_t reserved);
void pool_pd_enter(struct mm *, struct spage *);
void pool_pd_leave(struct mm *, const struct spage *);
/* The ring of the shadows whose tables nobody tells of. */
void pool_untracked_add(struct mm *, struct spage *);
void pool_untracked_del(struct mm *, struct spage *);
bool pool_init(struct mm *, uint32_t pages);
/* All vCPUs are to flush before they are in the guest again; and none is in it, nor
 * will be while the caller has the guest's lock, of which he is none himself. */
void pool_stale(struct mm *);
void pool_stop(struct mm *);

/* ---- root.c ------------------------------------------------------------- */

void root_clear(struct mmu *, struct root *);
/* As a root the frame is none any more; one that is in use stays, empty. */
void root_drop(struct mmu *, struct gframe *);
/* The directories that a PDPT names; the CPU reads them with CR3. */
void root_load_dirs(struct mmu *, struct root *);
/* The frame is elsewhere; what was known of it as a table is forgotten. */
void root_moved(struct mm *, uint64_t gfn);
/* Forget everything. */
void root_zap(struct mmu *);
/* The page for a GB of the current root. */
struct spage *root_pd_get(struct mmu *, uint32_t q);
/* The page for an entry of the current root, whose directory now says pde: its
 * own, or one for which all that share it agree. */
struct spage *root_pd_agreed(struct mmu *, gva32_t, uint64_t pde);
/* Do the roots that share a page have directories of their own? With PAE they
 * share the guest's. */
static inline bool root_may_differ(const struct mm *mm, const struct spage *pd)
{
	return pd->parents > 1 && !mm->fmt.pae;
}

/* ---- view.c ------------------------------------------------------------- */

/* Has the frame a view? */
static inline bool view_has(const struct gmem *m, uint64_t gfn)
{
	return m->hidden && gfn < m->nframes && m->hidden[gfn];
}

/* A leaf with the rights of the frame's view, for an access that is one of PF_*;
 * 0: it is refused. */
uint64_t view_leaf(const struct gmem *, uint64_t gfn, uint32_t error);
/* It is there for a while. */
void view_opened(struct mmu *, uint64_t *pte);
/* This frame, by its leaf, is there from now on, with the same view. */
void view_put(struct mm *, uint64_t gfn, uint64_t leaf);
/* The shadow has nothing of what this leaf maps. */
void view_drop_leaf(struct mmu *, uint64_t leaf);
/* What the shadow knew of the frame as a table is forgotten. */
void view_forget_table(struct mmu *, uint64_t gfn);

/* ---- sync.c ------------------------------------------------------------- */

/* Bring the 2 MB at va up to date in the page that shadows a directory with
 * this entry, as far as nothing faults. */
void sync_pde(struct mmu *, struct spage *pd, uint64_t pde, gva32_t va);

/* ---- long.c, long_sync.c: wide guests ------------------------------------- */

#define LONG_LARGE	(2ull << 20)
#define LONG_LARGE_ZERO	0x1fe000ull	/* bits of its entry, in a large page's */
#define LONG_RIGHTS	(PTE_NX | PTE_U | PTE_W)

/* The entry for an address in a table of a level, SP_PT to SP_PML4. */
static inline uint32_t long_index(gva_t va, int level)
{
	return va >> (PAGE_SHIFT + 9 * (level - SP_PT)) & 511;
}

/* Is it of a page? It is present, and right (long_wrong()). */
static inline bool long_is_leaf(uint64_t entry, int level)
{
	return level == SP_PT || (level == SP_PD && (entry & PTE_PS));
}

/* Does the entry of a shadow page lead to the reserved top? spage.reserved of what
 * it links. */
static inline uint32_t long_on_the_way(const struct mm *mm,
				       const struct spage *p, uint32_t i)
{
	return mm->reserved && i == 511 ? p->reserved : 0;
}

/* An entry of level 2 to 4, which the guest has something for. */
static inline void long_set(struct mmu *m, struct spage *p, uint32_t i,
			    uint64_t val)
{
	p->filled |= 1ull << i / 8;
	if (p->table[i] != val)
		pool_set_pde(m, &p->table[i], val);
}

/* The bits of any entry of a level that have to be 0. */
static inline uint64_t long_zero(const struct mmu *m, int level)
{
	return m->mm->fmt.beyond | (m->mode & EFER_NXE ? 0 : PTE_NX) |
	       (level >= SP_PDPT ? PTE_PS : 0);
}

/* Has a guest entry a bit set that has to be 0? */
bool long_wrong(const struct mmu *, uint64_t entry, int level);
/* The shadow of a frame as a table of level 2 to 4. */
struct spage *long_page_get(struct mmu *, uint32_t gfn, int level,
			    uint32_t reserved);
/* Pages for a fill. */
void long_make_room(struct mmu *);
/* Forget everything. */
void long_zap(struct mmu *);
/* guest_read() and guest_write(). */
bool long_read(struct mmu *, void *dst, gva_t src, uint32_t len);
bool long_write(struct mmu *, gva_t dst, const void *src, uint32_t len);
/* The parts of mm_init(), mmu_init() and mmu_reset(). */
void long_init(struct mm *);
void long_mmu_init(struct mmu *);
void long_reset(struct mmu *);

#endif

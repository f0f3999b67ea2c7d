// SPDX-License-Identifier: GPL-2.0-only
/*
 * The shadow of a wide guest: walks of its tables and of ours, and page faults.
 *
 *	guest PML4		SP_PML4, one for each vCPU
 *	guest PDPT		SP_PDPT
 *	guest page directory	SP_PD
 *	guest page table	SP_PT
 *	guest 2 MB page		a 2 MB entry, or an SP_SPLIT page
 *
 * A frame may be a table of several levels at once, and at several places: a PML4
 * that names itself is one of all four. So a shadow belongs to a frame and a
 * level, not to an address; entries link it as the guest's own name the frame.
 *
 * Two parts of the linear space are ours. Where they are, the tables are of one
 * vCPU: all PML4s, for the trampoline, and on the way to the reserved top one
 * PDPT and one page directory (spage.reserved). Entry 511 there is never empty:
 * what the guest has nothing for leads to tables of the vCPU's own that map
 * the reserved top alone (long_sync.c, long_empty()). So that is mapped at any
 * time, whatever the guest and its other vCPUs do to their tables.
 */
#include "shadow.h"

/* ---- walks -------------------------------------------------------------- */

/* Of the guest's tables, each entry read once; by the level of the table that
 * it is in. The last one read is that of .level. */
struct long_walk {
	struct gtable	*at[SP_PML4 + 1];
	uint64_t	entry[SP_PML4 + 1];
	int		level;
};

bool long_wrong(const struct mmu *m, uint64_t entry, int level)
{
	uint64_t zero = long_zero(m, level);

	if (level == SP_PD && (entry & PTE_PS))
		zero |= LONG_LARGE_ZERO;
	return entry & zero;
}

static inline __attribute__((always_inline))
enum walk_end long_walk_with(const struct mmu *m, gva_t va, struct long_walk *w,
			     const bool any)
{
	uint64_t gfn = (m->long_cr3 & PTE_ADDR) >> PAGE_SHIFT, entry;
	int level;

	for (level = SP_PML4;; level--) {
		w->level = level;
		w->at[level] = (any ? gmem_find_table : gmem_table)
			(&m->mm->gmem, gfn, long_index(va, level) * 8);
		if (!w->at[level])
			return WALK_NOWHERE;
		entry = gtable_read64(w->at[level], 0);
		w->entry[level] = entry;
		if (!(entry & PTE_P))
			return WALK_ABSENT;
		if (long_wrong(m, entry, level))
			return WALK_RESERVED;
		if (long_is_leaf(entry, level))
			return WALK_LEAF;
		gfn = entry_gfn(entry);
	}
}

static enum walk_end long_walk(const struct mmu *m, gva_t va,
			       struct long_walk *w)
{
	return long_walk_with(m, va, w, false);
}

/* By tables that have views, too. */
static __attribute__((noinline))
enum walk_end long_walk_any(const struct mmu *m, gva_t va, struct long_walk *w)
{
	return long_walk_with(m, va, w, true);
}

/* The frame that an address is in. */
static uint64_t long_gfn(const struct long_walk *w, gva_t va)
{
	uint64_t in = w->level == SP_PD ? 511 : 0;

	return (entry_gfn(w->entry[w->level]) & ~in) | (va >> PAGE_SHIFT & in);
}

bool long_translate(struct mmu *m, gva_t va, gpa_t *pa)
{
	struct long_walk w;

	if (!m->top || !long_own(m, va) || long_walk_any(m, va, &w) != WALK_LEAF)
		return false;
	*pa = long_gfn(&w, va) << PAGE_SHIFT | (va & (PAGE_SIZE - 1));
	return true;
}

/* What the CPU would find by our tables, of an address that is the guest's: a
 * leaf for its 4 KB, with the rights of the whole way; 0: nothing. */
static uint64_t long_find_leaf(const struct mmu *m, gva_t va)
{
	uint64_t rights = PTE_P | PTE_W | PTE_U, nx = 0, entry, offset = 0;
	const uint64_t *table;
	int level = SP_PML4;

	if (!m->top)
		return 0;
	for (table = m->top->table;; table = shadow_table(entry), level--) {
		entry = table[long_index(va, level)];
		if (!(entry & PTE_P))
			return 0;
		rights &= entry;
		nx |= entry & PTE_NX;
		if (long_is_leaf(entry, level))
			break;
	}
	if (level == SP_PD)
		offset = va & (LONG_LARGE - PAGE_SIZE);
	return (entry & PTE_ADDR) + offset + (rights | nx);
}

/* Does a leaf with the rights of the whole way allow it? */
static bool long_suffices(uint64_t leaf, uint32_t error)
{
	if ((error & PF_I) && (leaf & PTE_NX))
		return false;
	return !(~leaf & (PTE_P | (error & (PF_W | PF_U))));
}

bool long_allows(const struct mmu *m, gva_t va, uint32_t error)
{
	return long_own(m, va) && long_suffices(long_find_leaf(m, va), error);
}

/* ---- page faults -------------------------------------------------------- */

/* The shadow of a directory whose entry is such a large page. */
static void long_fill_large(struct mmu *m, struct spage *pd, gva_t va,
			    uint64_t gfn, uint64_t val)
{
	const struct gmem *gmem = &m->mm->gmem;
	uint32_t i = long_index(va, SP_PD);
	uint64_t entry = pd->table[i], first = gfn & ~511ull;
	struct spage *p;

	if (gmem_large(gmem, first)) {
		long_set(m, pd, i,
			 (gmem_leaf(gmem, first) & (val | PTE_ADDR)) |
			 PTE_PS | (val & PTE_NX));
		return;
	}
	/* Its leaves have the rights of this entry. */
	if ((entry & SE_LINK) && page_of(m->mm, entry)->role == SP_SPLIT) {
		p = page_of(m->mm, entry);
	} else {
		p = pool_take(m->mm, SP_SPLIT, 0);
		long_set(m, pd, i, p->link | PTE_U | PTE_W);
	}
	set_leaf(m, &p->table[long_index(va, SP_PT)], val);
}

/* What a walk has found: the tables on the way, and a leaf. */
static void long_fill(struct mmu *m, gva_t va, const struct long_walk *w,
		      uint64_t val)
{
	struct spage *p = m->top, *next;
	uint64_t gfn;
	uint32_t i;
	int level;

	for (level = SP_PML4; level > w->level; level--, p = next) {
		i = long_index(va, level);
		gfn = entry_gfn(w->entry[level]);
		if (level == SP_PD)
			next = pool_pt_get(m->mm, gfn, 0);
		else
			next = long_page_get(m, gfn, level - 1,
					     long_on_the_way(m->mm, p, i));
		long_set(m, p, i, next->link | (w->entry[level] & LONG_RIGHTS));
	}
	if (level == SP_PD)
		long_fill_large(m, p, va, long_gfn(w, va), val);
	else
		set_leaf(m, &p->table[long_index(va, SP_PT)], val);
}

/* Where the leaf is that was filled for 4 KB. */
static uint64_t *long_leaf_at(const struct mmu *m, gva_t va)
{
	uint64_t *table = m->top->table;
	int level;

	for (level = SP_PML4; level > SP_PT; level--)
		table = shadow_table(table[long_index(va, level)]);
	return &table[long_index(va, SP_PT)];
}

/* The bits that the CPU would have set on the way. False: another vCPU has changed
 * an entry meanwhile, or it is of several levels here, and has changed itself. */
static bool long_mark(const struct long_walk *w, uint32_t bits)
{
	int level;

	for (level = SP_PML4; level > w->level; level--)
		if (!mark(w->at[level], w->entry[level], PTE_A))
			return false;
	return mark(w->at[level], w->entry[level], bits);
}

/* Put what the walk has found into the shadow, if it allows the access. */
static inline __attribute__((always_inline))
enum fault long_resolve_with(struct mmu *m, gva_t va, uint32_t access, gpa_t *bus,
			     const struct long_walk *w, const bool view,
			     const bool open)
{
	uint64_t rights = ~0ull, nx = 0, gfn = long_gfn(w, va), frame, leaf;
	uint32_t bits = PTE_A | (access & PF_W ? PTE_D : 0);
	const struct mm *mm = m->mm;
	int level;

	for (level = SP_PML4; level >= w->level; level--) {
		rights &= w->entry[level];
		nx |= w->entry[level] & PTE_NX;
	}
	if ((access & (PF_W | PF_U) & ~rights) || ((access & PF_I) && nx))
		return FAULT_GUEST;
	*bus = gfn << PAGE_SHIFT | (va & (PAGE_SIZE - 1));
	frame = gmem_leaf(&mm->gmem, gfn);
	if (!frame && view_has(&mm->gmem, gfn)) {
		if (!view)
			return FAULT_VIEW;
		frame = open ? gmem_find(&mm->gmem, gfn) :
			       view_leaf(&mm->gmem, gfn, access);
		if (!frame)
			return FAULT_REFUSED;
	} else if (!frame) {
		if ((access & PF_W) || mm_is_device(mm, gfn))
			return FAULT_BUS;
		frame = mm->gmem.bus;
	}
	if (!long_mark(w, bits))
		return FAULT_FIXED;
	leaf = w->entry[w->level];
	long_make_room(m);
	m->mm->fills++;
	long_fill(m, va, w,
		  (leaf_mask(leaf | bits) & frame) | (leaf & PTE_NX));
	if (view && open && view_has(&mm->gmem, gfn))
		view_opened(m, long_leaf_at(m, va));
	mmu_flush_tlb(m);
	return FAULT_FIXED;
}

static enum fault long_resolve(struct mmu *m, gva_t va, uint32_t access,
			       gpa_t *bus, const struct long_walk *w)
{
	return long_resolve_with(m, va, access, bus, w, false, false);
}

static __attribute__((noinline))
enum fault long_resolve_view(struct mmu *m, gva_t va, uint32_t access, gpa_t *bus,
			     const struct long_walk *w, bool open)
{
	return long_resolve_with(m, va, access, bus, w, true, open);
}

static inline __attribute__((always_inline))
enum fault long_fault_with(struct mmu *m, gva_t va, uint32_t *error, gpa_t *bus,
			   const bool view, bool open)
{
	uint32_t access = *error;
	enum walk_end end = WALK_ABSENT;
	struct long_walk w;
	enum fault fault;

	*error &= m->error_bits;
	/* Of ours it sees pages that it may not touch, or nothing. */
	if (!long_own(m, va) && va >= LONG_TOP) {
		*error |= access & PF_P;
		return FAULT_GUEST;
	}
	if (m->top && long_own(m, va))
		end = (view ? long_walk_any : long_walk)(m, va, &w);
	switch (end) {
	case WALK_LEAF:
		fault = view ? long_resolve_view(m, va, access, bus, &w, open) :
			       long_resolve(m, va, access, bus, &w);
		if (fault == FAULT_GUEST)
			*error |= PF_P;
		return fault;
	case WALK_RESERVED:
		*error |= PF_P | PF_RSVD;
		return FAULT_GUEST;
	case WALK_NOWHERE:
		*bus = w.entry[w.level + 1] & PTE_ADDR;
		return FAULT_TABLE;
	default:
		return FAULT_GUEST;
	}
}

enum fault long_fault(struct mmu *m, gva_t va, uint32_t *error, gpa_t *bus)
{
	return long_fault_with(m, va, error, bus, false, false);
}

enum fault long_fault_view(struct mmu *m, gva_t va, uint32_t *error, gpa_t *bus,
			   bool open)
{
	return long_fault_with(m, va, error, bus, true, open);
}

/* ---- memory by linear address: not in line, where 32-bit guests go --------- */

/* One for each level that an entry may be of, and one for a race. */
#define LONG_TRIES	6

/* The frame behind an address, for an access of the guest's kernel, after the
 * fills that it needs. NULL: it has none, or may not. */
static struct gtable *long_frame(struct mmu *m, gva_t va, uint32_t access)
{
	uint32_t tries, error;
	enum fault fault;
	uint64_t leaf;
	gpa_t bus;

	for (tries = 0; tries < LONG_TRIES && long_own(m, va); tries++) {
		leaf = long_find_leaf(m, va);
		if (long_suffices(leaf, access))
			return gmem_leaf_table((leaf & PTE_ADDR) | GMEM_RIGHTS,
					       0);
		error = access;
		fault = long_fault(m, va, &error, &bus);
		if (fault == FAULT_VIEW || fault == FAULT_TABLE) {
			error = access;
			fault = long_fault_view(m, va, &error, &bus, false);
		}
		/* What views refuse is ours to do. */
		if (fault == FAULT_REFUSED)
			return gmem_find_table(&m->mm->gmem, bus >> PAGE_SHIFT,
					       0);
		if (fault != FAULT_FIXED)
			break;
	}
	return NULL;
}

static uint32_t long_part(gva_t va, uint32_t len)
{
	uint32_t rest = PAGE_SIZE - (va & (PAGE_SIZE - 1));

	return len < rest ? len : rest;
}

/* Is all of it there? Of more than one page, so that nothing is half done. */
static bool long_range(struct mmu *m, gva_t va, uint32_t len, uint32_t access)
{
	uint32_t n;

	if (long_part(va, len) == len)
		return true;
	for (; len; va += n, len -= n) {
		if (!long_frame(m, va, access))
			return false;
		n = long_part(va, len);
	}
	return true;
}

__attribute__((noinline))
bool long_read(struct mmu *m, void *dst, gva_t va, uint32_t len)
{
	const struct gtable *frame;
	uint8_t *to = dst;
	uint32_t n;

	for (; len; va += n, to += n, len -= n) {
		frame = long_frame(m, va, 0);
		if (!frame)
			return false;
		n = long_part(va, len);
		gtable_get(to, frame, va & (PAGE_SIZE - 1), n);
	}
	return true;
}

__attribute__((noinline))
bool long_write(struct mmu *m, gva_t va, const void *src, uint32_t len)
{
	const uint8_t *from = src;
	struct gtable *frame;
	uint32_t n;

	if (!long_range(m, va, len, PF_W))
		return false;
	for (; len; va += n, from += n, len -= n) {
		frame = long_frame(m, va, PF_W);
		if (!frame)
			return false;
		n = long_part(va, len);
		gtable_put(frame, va & (PAGE_SIZE - 1), from, n);
	}
	return true;
}

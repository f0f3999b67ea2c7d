// SPDX-License-Identifier: GPL-2.0-only
/*
 * The shadow of a wide guest: its pages, what the guest tells of its tables, and
 * registers. Everything that it says is only used to look up a frame of its own,
 * and each entry is read once.
 *
 * Work is bounded whatever the guest's tables are: nothing here looks for the
 * entries that link a page. One that goes while it is linked, by more than one or
 * by an entry that we do not remember, stays as an empty page until the last link
 * has gone (SP_ORPHAN).
 */
#include "shadow.h"

/* ---- pages -------------------------------------------------------------- */

/* Is it what the CR3 of a vCPU points to? */
static bool long_loaded(const struct mm *mm, const struct spage *p)
{
	return p->role == SP_PML4 && mm->mmu[p->reserved - 1]->top == p;
}

/* An entry of level 2 to 4 that the guest has nothing for. */
static uint64_t long_empty(const struct mm *mm, int level, uint32_t reserved,
			   uint32_t i)
{
	const uint64_t *next;

	if (level == SP_PML4 && i == LONG_SLOT)
		return mm->mmu[reserved - 1]->trampoline;
	if (!mm->reserved || !reserved || i != 511)
		return 0;
	/* Three pages: a table, a directory and a PDPT; see long_mmu_init(). */
	next = mm->mmu[reserved - 1]->reserved_pt + (level - SP_PD) * 512;
	return host_pa(next) | PTE_A | PTE_W | PTE_P;
}

/* Is that entry ours, whatever the guest's is? */
static bool long_ours(const struct mm *mm, const struct spage *p, uint32_t i)
{
	if (p->role == SP_PML4)
		return i == LONG_SLOT;
	return p->role == SP_PD && p->reserved && i == 511 && mm->reserved;
}

static struct spage *long_page_find(const struct mm *mm, uint32_t gfn,
				    int level, uint32_t reserved)
{
	struct spage *p;
	uint32_t n;

	for (n = mm->frames[gfn].pd; n; n = p->list) {
		p = &mm->pages[n];
		if (p->role == level && p->reserved == reserved)
			return p;
	}
	return NULL;
}

static void long_sync(struct mmu *m, struct spage *p, uint32_t i,
		      uint64_t entry);

/* What the guest has in 8 entries. */
static void long_sync_group(struct mmu *m, struct spage *p,
			    const struct gtable *guest, uint32_t first)
{
	uint64_t entry;
	uint32_t i;

	for (i = first; i < first + 8; i++) {
		entry = gtable_read64(guest, i);
		if (entry & PTE_P)
			long_sync(m, p, i, entry);
	}
}

static struct spage *long_page_new(struct mmu *m, uint32_t gfn, int level,
				   uint32_t reserved)
{
	struct mm *mm = m->mm;
	struct spage *p = pool_take(mm, level, gfn);
	const struct gtable *guest = gmem_find_table(&mm->gmem, gfn, 0);
	uint64_t used = 0;

	p->reserved = reserved;
	p->filled = 0;
	pool_pd_enter(mm, p);
	p->table[511] = long_empty(mm, level, reserved, 511);
	if (level == SP_PML4)
		p->table[LONG_SLOT] = m->trampoline;
	if (!(mm->frames[gfn].flags & GF_TRACKED))
		pool_untracked_add(mm, p);
	/* The kernel has its half everywhere, and will need of it what it has used. */
	if (level == SP_PML4 && m->top)
		used = m->top->filled & ~0ull << 32;
	for (; used; used &= used - 1)
		long_sync_group(m, p, guest, __builtin_ctzll(used) * 8);
	return p;
}

struct spage *long_page_get(struct mmu *m, uint32_t gfn, int level,
			    uint32_t reserved)
{
	struct spage *p = long_page_find(m->mm, gfn, level, reserved);

	return p ? p : long_page_new(m, gfn, level, reserved);
}

static void long_group_empty(struct mmu *m, struct spage *p, uint32_t first)
{
	uint32_t i;

	for (i = first; i < first + 8; i++)
		if (p->table[i] & (SE_LINK | PTE_PS))
			pool_set_pde(m, &p->table[i],
				     long_empty(m->mm, p->role, p->reserved, i));
}

static void long_page_empty(struct mmu *m, struct spage *p)
{
	/* Each entry of a queue may tell of one that all vCPUs have loaded. */
	for (; p->filled; p->filled &= p->filled - 1)
		long_group_empty(m, p, __builtin_ctzll(p->filled) * 8);
}

/* A PML4 that is loaded stays, empty. */
static void long_page_drop(struct mmu *m, struct spage *p)
{
	struct mm *mm = m->mm;

	long_page_empty(m, p);
	if (long_loaded(mm, p))
		return;
	pool_pd_leave(mm, p);
	pool_untracked_del(mm, p);
	/* One on the way to the reserved top is linked on that way alone. */
	if (p->parents == 1 && p->parent)
		pool_set_pde(m, p->parent,
			     long_empty(mm, p->role + 1, p->reserved, 511));
	if (p->parents) {
		p->role = SP_ORPHAN;
		return;
	}
	/* By what is left siblings that still walk it come to us (pool_take()). */
	p->clean = true;
	pool_give(mm, p);
}

/*
 * Forget everything. All that links a page goes, too, so nothing is unlinked one by
 * one. But of a PML4 that is loaded, by a vCPU that may be in the guest now, our
 * entries never change.
 */
void long_zap(struct mmu *m)
{
	struct mm *mm = m->mm;
	struct spage *p;
	uint32_t n, i;

	mm->zaps++;
	mm->pages[0].next = mm->pages[0].prev = 0;
	for (n = 1; n < mm->count; n++) {
		p = &mm->pages[n];
		mm->frames[p->gfn].pd = mm->frames[p->gfn].pt[0] = 0;
		if (p->role != SP_FREE && !long_loaded(mm, p))
			pool_give(mm, p);
	}
	for (n = 0; n < mm->mmus; n++) {
		p = mm->mmu[n]->top;
		if (!p)
			continue;
		for (i = 0; i < 512; i++)
			p->table[i] = long_empty(mm, SP_PML4, n + 1, i);
		p->filled = 0;
		pool_pd_enter(mm, p);
		if (!(mm->frames[p->gfn].flags & GF_TRACKED))
			pool_untracked_add(mm, p);
	}
	m->flush |= FLUSH_REMOVED;
	mmu_flush_tlb(m);
}

void long_make_room(struct mmu *m)
{
	if (m->mm->free_count >= SHADOW_RESERVE)
		return;
	pool_reclaim(m);
	if (m->mm->free_count < SHADOW_RESERVE) {
		long_zap(m);
		pool_reclaim(m);
	}
}

/* ---- entries ------------------------------------------------------------ */

/* The shadow of an entry of level 2 to 4, as far as it can be had without a
 * fault. 0: nothing of the guest's. */
static uint64_t long_shadow(const struct mmu *m, const struct spage *p,
			    uint32_t i, uint64_t entry)
{
	const struct mm *mm = m->mm;
	const struct gmem *gmem = &mm->gmem;
	uint64_t gfn = entry_gfn(entry);
	const struct spage *next;
	uint32_t pt;

	if ((entry & (PTE_A | PTE_P)) != (PTE_A | PTE_P) ||
	    long_wrong(m, entry, p->role))
		return 0;
	if (long_is_leaf(entry, p->role)) {
		gfn &= ~511ull;		/* a bit of PAT is there, too */
		if (!gmem_large(gmem, gfn))
			return 0;
		return (gmem_leaf(gmem, gfn) & (leaf_mask(entry) | PTE_PS)) |
		       (entry & PTE_NX);
	}
	if (gfn >= gmem->nframes)
		return 0;
	if (p->role == SP_PD) {
		pt = mm->frames[gfn].pt[0];
		next = pt ? &mm->pages[pt] : NULL;
	} else {
		next = long_page_find(mm, gfn, p->role - 1,
				      long_on_the_way(mm, p, i));
	}
	return next ? next->link | (entry & LONG_RIGHTS) : 0;
}

/* Bring an entry up to date, as far as nothing faults. */
static void long_sync(struct mmu *m, struct spage *p, uint32_t i, uint64_t entry)
{
	uint64_t val;

	if (long_ours(m->mm, p, i))
		return;
	val = long_shadow(m, p, i, entry);
	if (val)
		long_set(m, p, i, val);
	else
		pool_set_pde(m, &p->table[i],
			     long_empty(m->mm, p->role, p->reserved, i));
}

/* This is where most of the work for page tables is done. */
static inline __attribute__((always_inline))
void long_sync_leaf(struct mmu *m, uint64_t *table, uint32_t i, uint64_t entry)
{
	set_leaf(m, &table[i], entry & m->leaf_zero ? 0 :
			       leaf_shadow(&m->mm->gmem, entry));
}

/* Does the guest tell of changes to all tables that have a shadow? */
static bool long_all_told(const struct mm *mm)
{
	return !mm->pages[0].next;
}

/* ---- what the guest tells ----------------------------------------------- */

/* What its shadows held of the time before is forgotten. */
void long_page_table(struct mmu *m, uint64_t gfn, bool is)
{
	struct mm *mm = m->mm;
	struct gframe *f;
	struct spage *p;
	uint32_t n, next;

	if (!gmem_find(&mm->gmem, gfn))
		return;
	f = &mm->frames[gfn];
	if (f->pt[0])
		pool_pt_drop(m, &mm->pages[f->pt[0]]);
	for (n = f->pd; n; n = next) {
		next = mm->pages[n].list;
		long_page_drop(m, &mm->pages[n]);
	}
	f->flags = is ? GF_TRACKED : 0;
	/* What stays is in the ring or not. */
	for (n = f->pd; n; n = p->list) {
		p = &mm->pages[n];
		pool_untracked_del(mm, p);
		p->next = p->prev = n;
		if (!is)
			pool_untracked_add(mm, p);
	}
}

void long_entry_changed(struct mmu *m, gpa_t pa)
{
	uint64_t gfn = pa >> PAGE_SHIFT, entry;
	struct mm *mm = m->mm;
	uint64_t leaf = gmem_leaf(&mm->gmem, gfn);
	uint32_t i = (pa & (PAGE_SIZE - 1)) / 8, n;
	struct gframe *f;

	if (!leaf)
		leaf = gmem_find(&mm->gmem, gfn);
	if (!leaf)
		return;
	f = &mm->frames[gfn];
	if (!(f->flags & GF_TRACKED))
		long_page_table(m, gfn, true);
	entry = gtable_read64(gmem_leaf_table(leaf, 0), i);
	if (f->pt[0])
		long_sync_leaf(m, mm->pages[f->pt[0]].table, i, entry);
	for (n = f->pd; n; n = mm->pages[n].list)
		long_sync(m, &mm->pages[n], i, entry);
}

/* The only shadow of a page table, and the guest's. */
struct long_tables {
	uint64_t		*shadow;
	const struct gtable	*guest;
};

enum entry_of { NO_SHADOW, PAGE_TABLE, OTHER_TABLE };

/* Most entries are of page tables that are tables of no other level, or of new ones,
 * which have no shadow yet. */
static inline __attribute__((always_inline))
enum entry_of long_tables_find(const struct mm *mm, uint64_t gfn,
			       struct long_tables *t)
{
	const struct gframe *f;
	uint64_t leaf;

	if (gfn >= mm->gmem.nframes)
		return NO_SHADOW;
	f = &mm->frames[gfn];
	if (f->pd || !(f->flags & GF_TRACKED))
		return OTHER_TABLE;
	if (!f->pt[0])
		return NO_SHADOW;
	leaf = gmem_known_leaf(&mm->gmem, gfn);
	if (!leaf)
		return OTHER_TABLE;
	t->shadow = mm->pages[f->pt[0]].table;
	t->guest = gmem_leaf_table(leaf, 0);
	return PAGE_TABLE;
}

static inline __attribute__((always_inline))
void long_tables_sync(struct mmu *m, const struct long_tables *t, gpa_t pa)
{
	uint32_t i = pa % PAGE_SIZE / 8;

	long_sync_leaf(m, t->shadow, i, gtable_read64(t->guest, i));
}

void long_entry_alone(struct mmu *m, gpa_t pa)
{
	struct long_tables t;

	switch (long_tables_find(m->mm, pa >> PAGE_SHIFT, &t)) {
	case PAGE_TABLE:
		long_tables_sync(m, &t, pa);
		break;
	case OTHER_TABLE:
		long_entry_changed(m, pa);
		break;
	default:
		break;
	}
}

const volatile uint64_t *long_entries_changed(struct mmu *m,
					      const volatile uint64_t *at,
					      const volatile uint64_t *end,
					      uint64_t inval)
{
	struct long_tables t = { NULL, NULL };
	uint64_t first = 0, word;
	const struct mm *mm = m->mm;

	for (; at != end; at++) {
		word = *at;
		if (t.shadow &&
		    !((word ^ first) & ~(uint64_t)(PAGE_SIZE - 8))) {
			long_tables_sync(m, &t, word);
			continue;
		}
		if (word % 8) {
			if (word % 8 != inval || !long_all_told(mm))
				break;
			/* As of a page that is copied: its entry has been looked at. */
			if (t.shadow && at + 1 != end && at[1] == first)
				at++;
			continue;
		}
		switch (long_tables_find(mm, word >> PAGE_SHIFT, &t)) {
		case PAGE_TABLE:
			first = word;
			long_tables_sync(m, &t, word);
			break;
		case OTHER_TABLE:
			t.shadow = NULL;
			long_entry_changed(m, word);
			break;
		default:
			break;
		}
	}
	return at;
}

/* ---- flushes ------------------------------------------------------------ */

/* The guest's entry that an entry of a shadow page is of. */
static uint64_t long_guest(const struct mm *mm, const struct spage *p,
			   uint32_t i)
{
	return gtable_read64(gmem_known_table(&mm->gmem, p->gfn, 0), i);
}

/* Read the guest's entries again: the leaf in any case, those above if nobody
 * tells us of changes to them. What is ours is no link to a page of the pool. */
void long_inval_other(struct mmu *m, const struct mmu *other, gva_t va)
{
	const struct mm *mm = m->mm;
	struct spage *p = other->top;
	uint64_t entry;
	uint32_t i;
	int level;

	if (!p)
		return;
	for (level = SP_PML4; p->role == level; level--) {
		i = long_index(va, level);
		if (level == SP_PT) {
			long_sync_leaf(m, p->table, i, long_guest(mm, p, i));
			return;
		}
		if (!(mm->frames[p->gfn].flags & GF_TRACKED))
			long_sync(m, p, i, long_guest(mm, p, i));
		entry = p->table[i];
		if (!(entry & SE_LINK))
			return;
		p = page_of(mm, entry);
	}
}

void long_inval(struct mmu *m, gva_t va)
{
	long_inval_other(m, m, va);
}

/* More directories than this that nobody tells of: it is less work to forget
 * everything. */
#define LONG_DROPS	32

/* Of tables that are told of nothing is forgotten. Before VMI_Init there are none. */
void long_forget_other(struct mmu *m, const struct mmu *other)
{
	struct mm *mm = m->mm;
	uint32_t n = mm->pages[0].next, drops = 0;
	struct spage *p;

	while (n && drops < LONG_DROPS) {
		p = &mm->pages[n];
		n = p->next;
		if (p->role == SP_PT) {
			pool_pt_drop(m, p);
		} else if (p == other->top || !long_loaded(mm, p)) {
			long_page_drop(m, p);
			drops++;
		}
	}
	if (n)
		long_zap(m);
}

void long_flush(struct mmu *m)
{
	if (!long_all_told(m->mm))
		long_forget_other(m, m);
	mmu_flush_tlb(m);
}

/* ---- registers ---------------------------------------------------------- */

bool long_set_cr3(struct mmu *m, uint64_t cr3)
{
	uint64_t gfn = entry_gfn(cr3);

	if (!gmem_leaf(&m->mm->gmem, gfn) && !gmem_find(&m->mm->gmem, gfn))
		return false;
	long_make_room(m);
	m->long_cr3 = cr3;
	m->top = long_page_get(m, gfn, SP_PML4, m->nr + 1);
	m->pml4 = m->top->link & PTE_ADDR;
	m->flush |= FLUSH_STALE;
	long_flush(m);
	return true;
}

static void long_set_bits(struct mmu *m)
{
	/* Fetches have a bit of their own only if they can be forbidden. */
	m->error_bits = PF_U | PF_W | (m->mode & EFER_NXE ? PF_I : 0);
	m->leaf_zero = long_zero(m, SP_PT);
}

void long_set_mode(struct mmu *m, uint32_t efer)
{
	if (!((m->mode ^ efer) & EFER_NXE))
		return;
	m->mode = efer & EFER_NXE;
	long_set_bits(m);
	long_zap(m);
}

/* ---- set-up ------------------------------------------------------------- */

void long_reserve(struct mmu *m)
{
	struct mm *mm = m->mm;
	uint32_t i;

	mm->reserved = (uint32_t)LONG_TOP;
	for (i = 0; i < mm->mmus; i++)
		mm->mmu[i]->guest_last = mm->reserved - 1;
	long_zap(m);
}

void long_init(struct mm *mm)
{
	uint32_t r[4];

	cpuid(0x80000008, 0, r);
	mm->fmt = (struct mm_format){
		.wide		= true,
		.entry_shift	= 3,
		.pde_shift	= 21,
		.large_mask	= 511,
		.beyond		= PTE_ADDR & -1ull << (r[0] & 0xff),
	};
}

/* The way to the reserved top where the guest has none: a directory and a PDPT,
 * behind the table. */
void long_mmu_init(struct mmu *m)
{
	uint64_t *pd = m->reserved_pt + 512, *pdpt = pd + 512;

	pd[511] = host_pa(m->reserved_pt) | PTE_A | PTE_W | PTE_P;
	pdpt[511] = host_pa(pd) | PTE_A | PTE_W | PTE_P;
	mmu_reset(m);
}

void long_reset(struct mmu *m)
{
	m->copy_end = 0;
	m->long_cr3 = m->pml4 = 0;
	m->top = NULL;
	long_set_bits(m);
}

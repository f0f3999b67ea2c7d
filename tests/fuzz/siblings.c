// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two vCPUs of one guest over the same page tables, each with its queue and what
 * its processor has cached; the input says who does the next step. What a vCPU
 * gets by its processor, with an exit or without one, must be a translation that
 * it may still have (VMI-3.4, VMI-3.8.5): made of entries that stood in memory
 * behind the last announcement which its last flush had to find.
 */
#include "fuzz.h"
#include "shadow_model.h"

#define VCPUS		2
#define STEPS		1024		/* more than an input has */

uint32_t rnd(uint32_t n)
{
	(void)n;
	CHECK(!"nothing here is of chance");
	__builtin_unreachable();
}

/* ---- the guest's tables, and all that was in them ----------------------------- */

/* Two directories, with PAE a third one for the last GB, and page tables. */
enum { DIR_A, DIR_B, DIR_TOP, PT, TABLES = PT + 4 };
#define SLOTS		4		/* entries of each that are used, */
static uint32_t slots;			/* with PAE only two */

static uint32_t table_frame(uint32_t t)
{
	return t < PT ? 16 + t : 20 + t - PT;
}

static uint32_t slot_index(uint32_t t, uint32_t slot)
{
	static const uint16_t pt[] = { 0, 1, 512, 513 };
	static const uint16_t dir[] = { 0, 1, 768, 769 };

	return t < PT && !wide ? dir[slot] : pt[slot];
}

static gpa_t entry_pa(uint32_t e)
{
	uint32_t t = e / SLOTS;

	return entry_at(table_frame(t) << 12, slot_index(t, e % SLOTS));
}

/* Time is the number of what happened. */
static uint32_t now;
static struct version {
	uint32_t	entry, since;
	uint64_t	value;
} version[STEPS * SLOTS];
static uint32_t versions;
/* An entry, or all of a table, was told of. */
static struct telling {
	uint32_t	entry, at;
	bool		table;
} telling[STEPS];
static uint32_t tellings;

static void store(uint32_t e, uint64_t value)
{
	CHECK(versions < ARRAY_SIZE(version));
	put(table_frame(e / SLOTS) << 12, slot_index(e / SLOTS, e % SLOTS),
	    value);
	version[versions++] = (struct version){ e, ++now, value };
}

static struct version *newest(uint32_t e)
{
	uint32_t i = versions;

	while (i--)
		if (version[i].entry == e)
			return &version[i];
	return NULL;
}

/* What the hypervisor has done to the guest's entries: it has set A and D. */
static void look_at_memory(void)
{
	uint32_t e;

	for (e = 0; e < TABLES * SLOTS; e++) {
		struct version *n = newest(e);
		uint64_t is = 0;

		if (e % SLOTS >= slots)
			continue;
		memcpy(&is, (uint8_t *)ram(0) + entry_pa(e), wide ? 8 : 4);
		if (!n) {
			CHECK(!is);
			continue;
		}
		CHECK(!((is ^ n->value) & ~(uint64_t)(A | D)) &&
		      !(n->value & ~is));
		n->value = is;
	}
}

/* When an entry was told of last, as a flush at that time had to find it; or
 * the table as a whole. */
static uint32_t told(uint32_t e, bool table, uint32_t flush)
{
	uint32_t i = tellings;

	while (i--)
		if (telling[i].at <= flush &&
		    (telling[i].table ? telling[i].entry == e / SLOTS :
		     !table && telling[i].entry == e))
			return telling[i].at;
	return 0;
}

/* ---- the vCPUs ---------------------------------------------------------------- */

static struct processor {
	uint32_t	root;		/* which address space */
	uint32_t	flushed;	/* all of it, then */
	struct page {
		uint32_t	flushed;	/* or this page */
		uint32_t	asked;		/* or it will be at the next
						 * drain, as of then */
		bool		cached;		/* in its TLB */
		uint64_t	pa;
		uint32_t	rights;
	} page[16];
	/* Paging-structure caches (SDM Vol. 3, 4.10.3). */
	uint64_t	pde[8], pdpte[4];	/* by page / 2, by GB */
	/* On the way to tell: a word, and whether it is in the queue. */
	uint32_t	word, what;
	bool		table;
	enum { NOTHING, STORED, WRITTEN } does;
} processors[VCPUS], *p;

/* The addresses that are used, and where they are. */
static uint32_t pages;

static uint32_t page_va(uint32_t n)
{
	static const uint32_t by_2_mb[] = { 0, 1 << 21, 3u << 30 };

	if (wide)
		return by_2_mb[n / 2] | n % 2 << 12;
	return slot_index(DIR_A, n / 4) << 22 | slot_index(PT, n % 4) << 12;
}

/* Of the directory's entry for an address. */
static uint32_t dir_entry(uint32_t root, uint32_t n)
{
	if (wide && n >= 2 * slots)
		return DIR_TOP * SLOTS;
	return (DIR_A + root) * SLOTS + n / slots;
}

static void drop_caches(void)
{
	uint32_t n;

	for (n = 0; n < pages; n++)
		p->page[n].cached = false;
	memset(p->pde, 0, sizeof(p->pde));
	memset(p->pdpte, 0, sizeof(p->pdpte));
}

static unsigned int flushes;

static void choose(uint32_t n)
{
	p = &processors[n];
	v = &g->vcpu[n];
	mmu = &v->mmu;
	flushes = tlb_flushes;
}

/* It waits for the lock, if it was made to leave, or comes back to a processor
 * (vcpu_wait_lock(), sched_next()). */
static void enter(void)
{
	if (mmu->inside)
		return;
	mmu->inside = true;
	mmu_flush_tlb(mmu);
}

/* Each has its own shared area in the reserved top, whose root it may be. */
static void look_at_top(void)
{
	uint64_t e = mmu->pdpt[TOP >> 30];

	if (e & P)
		CHECK_EQ(shadow_table(e)[TOP >> 21 & 511] & ADDR,
			 host_pa(mmu->reserved_pt));
}

static void done(void)
{
	if (flushes != tlb_flushes)
		drop_caches();
	flushes = tlb_flushes;
	look_at_memory();
	look_at_top();
}

static void flushed(void)
{
	p->flushed = ++now;
}

/* Before all but a few exits, as in hcall() and page_fault(). */
static void drain(void)
{
	uint32_t deferred = v->sh->deferred, n;

	if (queue_pending(v))
		queue_drain(v);
	for (n = 0; n < pages; n++)
		if (p->page[n].asked > p->page[n].flushed)
			p->page[n].flushed = p->page[n].asked;
	if (deferred & STUB_DEFER_FLUSH)
		flushed();
}

/* ---- what the guest may have -------------------------------------------------- */

static bool outside(uint64_t pa)
{
	uint64_t gfn = pa >> 12;

	return gfn >= FRAMES || gfn - HOLE_FRAME < HOLE_FRAMES;
}

/* Does this pair of entries translate so, with these rights? */
static bool translates(uint64_t pde, uint64_t leaf, uint32_t n, uint64_t pa,
		       uint32_t rights)
{
	uint32_t mask = wide ? 0x1ff000 : 0x3ff000;
	uint64_t gpa = leaf & ADDR;

	if (pde & PS)
		gpa = (pde & ADDR & ~(uint64_t)mask) | (page_va(n) & mask);
	if (!(pde & leaf & P) || !(pde & leaf & A) || (rights & ~(pde & leaf)))
		return false;
	if ((rights & W) && !(leaf & D))
		return false;
	if (outside(gpa))
		return pa == (g->mm.gmem.bus & ADDR) && !(rights & W);
	return pa == RAM_PA + gpa;
}

/* Was it still there at this time? */
static bool stood(const struct version *at, uint32_t time)
{
	const struct version *next;

	for (next = at + 1; next < version + versions; next++)
		if (next->entry == at->entry)
			return next->since > time;
	return true;
}

static uint32_t table_of(uint64_t pde)
{
	return ((pde & ADDR) >> 12) - 20 + PT;
}

static bool leaf_may(uint32_t e, uint64_t pde, uint32_t n, uint32_t flush,
		     uint64_t pa, uint32_t rights)
{
	uint32_t last = told(e, false, flush);
	const struct version *l;

	for (l = version; l < version + versions; l++)
		if (l->entry == e && stood(l, last) &&
		    translates(pde, l->value, n, pa, rights))
			return true;
	return false;
}

static bool may_have(uint32_t n, uint64_t pa, uint32_t rights)
{
	uint32_t e = dir_entry(p->root, n), slot = n % slots, t;
	uint32_t flush = p->flushed > p->page[n].flushed ? p->flushed :
			 p->page[n].flushed;
	uint32_t last = told(e, false, flush);
	const struct version *d;

	for (d = version; d < version + versions; d++) {
		if (d->entry != e || !stood(d, last))
			continue;
		if (d->value & PS) {
			if (translates(d->value, d->value, n, pa, rights))
				return true;
			continue;
		}
		if (!(d->value & P))
			continue;
		/* Of one that was released only by a link since (VMI-3.4.7). */
		t = table_of(d->value);
		if (stood(d, told(t * SLOTS, true, flush)) &&
		    leaf_may(t * SLOTS + slot, d->value, n, flush, pa, rights))
			return true;
	}
	return false;
}

/* ---- the processor -------------------------------------------------------------- */

static bool allows(uint32_t rights, uint32_t access)
{
	return !(access & (PF_W | PF_U) & ~rights);
}

#define USE_TLB		1u
#define USE_PDE		2u
#define USE_PDPTE	4u

/* By what it has cached, as far as it likes, and by the shadow tables. */
static bool walk_shadow(uint32_t n, uint32_t use, uint64_t *pa,
			uint32_t *rights)
{
	uint32_t va = page_va(n), q = va >> 30;
	struct page *page = &p->page[n];
	uint64_t e;

	if ((use & USE_TLB) && page->cached) {
		*pa = page->pa;
		*rights = page->rights;
		return true;
	}
	e = p->pde[n / 2];
	if (!(use & USE_PDE) || !e) {
		e = p->pdpte[q];
		if (!(use & USE_PDPTE) || !e)
			e = mmu->pdpt[q];
		if (!(e & P))
			return false;
		p->pdpte[q] = e;
		e = shadow_table(e)[va >> 21 & 511];
		if (!(e & P))
			return false;
		if (!(e & PS))
			p->pde[n / 2] = e;
	}
	*rights = e & (W | U);
	if (e & PS) {
		*pa = (e & ADDR & ~0x1fffffull) | (va & 0x1ff000);
	} else {
		e = shadow_table(e)[va >> 12 & 511];
		if (!(e & P))
			return false;
		*rights &= e;
		*pa = e & ADDR;
	}
	page->cached = true;
	page->pa = *pa;
	page->rights = *rights;
	return true;
}

/* A page fault drops what was cached for the address (SDM Vol. 3, 4.10.4.1). */
static void forget(uint32_t n)
{
	p->page[n].cached = false;
	p->pde[n / 2] = p->pdpte[page_va(n) >> 30] = 0;
}

/* By the guest's tables, as they are. */
static bool guest_allows(uint32_t n, uint32_t access, uint64_t *gpa)
{
	const struct version *d = newest(dir_entry(p->root, n)), *l = d;
	uint32_t mask = wide ? 0x1ff000 : 0x3ff000;

	if (!d || !(d->value & P))
		return false;
	if (!(d->value & PS))
		l = newest(table_of(d->value) * SLOTS + n % slots);
	if (!l || !(l->value & P))
		return false;
	*gpa = l->value & ADDR;
	if (d->value & PS)
		*gpa = (d->value & ADDR & ~(uint64_t)mask) |
		       (page_va(n) & mask);
	return allows(d->value & l->value, access);
}

/* An access by the guest; the first time as its caches have it. */
static void touch(uint32_t n, uint32_t access, uint32_t use)
{
	uint32_t rights, error, tries;
	uint64_t pa, gpa;
	gpa_t bus;

	for (tries = 0;; tries++, use = 0) {
		CHECK(tries < 4);
		if (walk_shadow(n, use, &pa, &rights) && allows(rights, access)) {
			CHECK(may_have(n, pa, rights));
			return;
		}
		forget(n);
		drain();
		error = access;
		switch (mmu_fault(mmu, page_va(n), &error, &bus)) {
		case FAULT_FIXED:
			break;
		case FAULT_GUEST:
			CHECK(!guest_allows(n, access, &gpa));
			done();
			return;
		case FAULT_BUS:
			CHECK(guest_allows(n, access, &gpa) && outside(gpa) &&
			      (access & PF_W));
			done();
			return;
		case FAULT_TABLE:
			CHECK(!"a table that is no memory");
			break;
		default:
			CHECK(!"a view, of which there are none");
		}
		done();
	}
}

/* ---- what the guest does -------------------------------------------------------- */

/* The ROM's two steps behind the store: the word, and the tail. A word that
 * equals the one before it is not appended. */
static void proceed(void)
{
	volatile struct stub_shared *sh = v->sh;
	bool inval;

	if (p->does == STORED) {
		if (sh->queue[STUB_QUEUE_LEN + sh->tail - 1] != p->word) {
			sh->queue[STUB_QUEUE_LEN + sh->tail] = p->word;
			p->does = WRITTEN;
			return;
		}
	} else if (p->does == NOTHING) {
		return;
	}
	CHECK(tellings < ARRAY_SIZE(telling));
	inval = (p->word & STUB_Q_KIND) == STUB_Q_INVAL;
	if (!inval)
		telling[tellings++] = (struct telling){ p->what, ++now, p->table };
	if (p->does == WRITTEN && !++sh->tail) {
		drain();	/* QueueFull */
		done();
	}
	if (inval) {
		p->page[p->what].asked = ++now;
		sh->deferred |= STUB_DEFER_INVAL;
	}
	p->does = NOTHING;
}

/* What it was at comes first. */
static void announce(uint32_t word, uint32_t what, bool table)
{
	p->word = word;
	p->what = what;
	p->table = table;
	p->does = STORED;
}

static void finish(void)
{
	while (p->does != NOTHING)
		proceed();
}

static uint64_t entry(struct input *in, uint32_t t)
{
	uint8_t how = input_u8(in), what = input_u8(in);
	uint64_t e = (how & 7 ? P : 0) | (how & 8 ? 0 : W) | (how & 16 ? 0 : U) |
		     (how & 32 ? 0 : A) | (how & 64 ? 0 : D);

	if (t < PT && (how & 128))
		return e | PS | (what & 1) << 22;
	if (t < PT)
		return e | table_frame(PT + what % 4) << 12;
	if (how & 128)
		return e | (HOLE_FRAME - 1 + what % 2) << 12;
	return e | (100 + what % 8) << 12;
}

static void change(struct input *in)
{
	uint8_t where = input_u8(in);
	uint32_t t = where % TABLES, e = t * SLOTS + where / TABLES % slots;

	if (t == DIR_TOP && !wide)
		return;
	finish();
	store(e, entry(in, t));
	announce((uint32_t)entry_pa(e) | STUB_Q_UPDATE_PA, e, false);
}

/* A page leaves its tables, or comes, cleared. */
static void page(struct input *in)
{
	uint8_t how = input_u8(in);
	uint32_t t = how % TABLES, slot;

	if (t == DIR_TOP && !wide)
		return;
	finish();
	for (slot = 0; (how & 0x80) && slot < slots; slot++)
		store(t * SLOTS + slot, 0);
	announce(table_frame(t) << 12 | STUB_Q_PAGE |
	     (how & 0x80 ? STUB_QP_ALLOC : STUB_QP_RELEASE), t, true);
}

static uint32_t cr3_of(uint32_t root)
{
	return wide ? 30 << 12 | root << 5 : table_frame(DIR_A + root) << 12;
}

static void flush(struct input *in)
{
	uint8_t how = input_u8(in);
	uint32_t n = (how >> 3) % pages;

	finish();
	switch (how & 7) {
	case 0:
		drain();
		queue_peek(v);
		mmu_flush(mmu);
		flushed();
		break;
	case 1:
	case 2:
		drain();
		queue_peek(v);
		mmu_inval(mmu, page_va(n));
		mmu_flush_tlb(mmu);
		p->page[n].flushed = ++now;
		break;
	case 3:
	case 4:
		drain();
		p->root = how >> 3 & 1;
		cr3_write(v, cr3_of(p->root));
		flushed();
		break;
	case 5:
		v->sh->deferred |= STUB_DEFER_FLUSH;
		break;
	case 6:
		announce(page_va(n) | STUB_Q_INVAL, n, false);
		break;
	default:
		drain();
	}
	done();
}

static void access(struct input *in)
{
	uint8_t where = input_u8(in), how = input_u8(in);

	touch(where % pages, how & (PF_W | PF_U), how >> 4 & 7);
}

static void life(struct input *in)
{
	while (in->left) {
		uint8_t what = input_u8(in);

		choose(what >> 7);
		/* An exit in between: from the load of the tail again (STUB-7). */
		if ((what & 7) != 2 && p->does == WRITTEN)
			p->does = STORED;
		if ((what & 7) == 5) {	/* it runs no more, for a while */
			mmu->inside = false;
			continue;
		}
		enter();
		done();
		switch (what & 7) {
		case 0:
		case 1:
			change(in);
			break;
		case 2:
			proceed();
			break;
		case 3:
			page(in);
			break;
		case 4:
			flush(in);
			break;
		default:
			access(in);
		}
	}
}

/* ---- start ------------------------------------------------------------------------ */

/* Few pages, so that they are used again and again. */
static void cut_pool(struct mm *mm, uint32_t left)
{
	uint32_t n = mm->free;

	CHECK(mm->free_count > left);
	mm->free_count = left;
	while (--left)
		n = mm->pages[n].next;
	mm->pages[n].next = 0;
}

void fuzz_one(struct input *in)
{
	uint8_t how = input_u8(in);
	uint32_t i;

	model_start_two(how & 1);
	slots = wide ? 2 : 4;
	pages = 3 * slots;
	now = versions = tellings = 0;
	memset(processors, 0, sizeof(processors));
	for (i = 0; i < VCPUS && wide; i++) {
		put((30 << 12) + i * 32, 0, table_frame(DIR_A + i) << 12 | P);
		put((30 << 12) + i * 32, 3, table_frame(DIR_TOP) << 12 | P);
	}
	for (i = 0; i < VCPUS; i++) {
		choose(i);
		v->queue_start = STUB_QUEUE_LEN - 1 - (how >> 4);
		v->sh->tail = (int32_t)(v->queue_start - STUB_QUEUE_LEN);
		v->peeked = v->queue_start;
		v->sh->queue[v->queue_start - 1] = STUB_QUEUE_GUARD;
		cr3_write(v, cr3_of(0));
	}
	pool_reclaim(mmu);
	cut_pool(&g->mm, SHADOW_RESERVE + (how >> 1 & 7));
	life(in);
}

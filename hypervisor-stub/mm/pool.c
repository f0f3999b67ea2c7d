// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shadow page tables: the pages, and how they are linked.
 *
 * The guest's tables are plain memory that it writes as it likes; what the
 * CPU walks are our own, in long-mode format. A shadow entry is like a TLB
 * entry: it may be older than the guest's, until the flush that x86 asks
 * for, and it never maps anything but the guest's own frames.
 *
 *	guest page directory (4 GB)	root: four pages SP_PD, 1 GB each
 *	guest page table (4 MB)		two pages SP_PT, 2 MB each
 *	guest 4 MB page			two 2 MB entries, or SP_SPLIT pages
 *
 * A guest with PAE has tables of our own size: its PDPT is a root, its page
 * directories are SP_PD, its page tables SP_PT.
 *
 * A shadow belongs to the guest frame (struct gframe), whoever links it: all
 * address spaces share the shadows of the kernel's page tables.
 *
 * A guest table is "tracked" once the guest has told of it, by AllocatePage
 * or by an update; then a flush need not look at it. All others are
 * forgotten at every flush.
 */
#include <string.h>

#include "log.h"
#include "shadow.h"

struct spage *pool_take(struct mm *mm, int role, uint32_t gfn)
{
	struct spage *p = &mm->pages[mm->free];

	hv_assert(mm->free);
	mm->free = p->next;
	mm->free_count--;
	if (!p->clean)
		memset(p->table, 0, PAGE_SIZE);
	else
		p->table[511] = p->table[LONG_SLOT] = 0;
	p->clean = false;
	p->role = role;
	p->gfn = gfn;
	p->parent = NULL;
	p->parents = 0;
	p->next = p->prev = index_of(mm, p);
	return p;
}

/*
 * The processors of other vCPUs may still walk it, by what their TLBs and
 * paging-structure caches hold (SDM Vol. 3, 4.10.2): it could mean anything to
 * them if it were used for something else. So it waits until all have flushed.
 */
void pool_give(struct mm *mm, struct spage *p)
{
	uint32_t *list = mm->mmus > 1 ? &mm->quarantine : &mm->free;

	p->role = SP_FREE;
	p->next = *list;
	*list = index_of(mm, p);
	mm->free_count += list == &mm->free;
}

/*
 * A vCPU that is inside either runs the guest, and then the kick makes an exit of
 * it, or it is on its way in or out. It cannot come past the lock, which the
 * caller has: who waits there says that he is not inside any more, and flushes
 * before he goes in again.
 */
static void stop(struct mm *mm, uint32_t which)
{
	struct mmu *const *mmu = mm->mmu;
	uint32_t i;

	for (i = 0; i < mm->mmus; i++)
		if ((which >> i & 1) && mmu[i]->inside)
			host_kick(mmu[i]->processor);
	for (i = 0; i < mm->mmus; i++)
		while ((which >> i & 1) && mmu[i]->inside)
			cpu_relax();
}

void pool_stale(struct mm *mm)
{
	uint32_t i;

	for (i = 0; i < mm->mmus; i++)
		mm->mmu[i]->flush |= FLUSH_STALE;
}

void mmu_stop_others(struct mmu *m)
{
	pool_stale(m->mm);
	stop(m->mm, ~(1u << m->nr));
}

void pool_stop(struct mm *mm)
{
	pool_stale(mm);
	stop(mm, UINT32_MAX);
}

void mm_forget(struct mm *mm)
{
	struct mmu *m = mm->mmu[0];

	mmu_stop_others(m);
	if (m->inside)
		host_kick(m->processor);
	while (m->inside)
		cpu_relax();
	mmu_view_drop_all(m);
	m->flush |= FLUSH_STALE;	/* its processor is another one */
}

bool mm_is_elsewhere(const struct mm *mm, uint64_t gfn)
{
	uint32_t i;

	for (i = 0; i < mm->elsewheres; i++)
		if (gfn - mm->elsewhere[i].first < mm->elsewhere[i].frames)
			return true;
	return false;
}

void mmu_flush_others(struct mmu *m, uint32_t others)
{
	uint32_t i;

	mmu_flush_tlb(m);
	for (i = 0; i < m->mm->mmus; i++)
		if (!m->mm->mmu[i]->flush)
			others &= ~(1u << i);
	stop(m->mm, others & ~(1u << m->nr));
}

/* Of its own caches, too, which may be all that this exit does to the tables. */
void pool_reclaim(struct mmu *m)
{
	struct mm *mm = m->mm;
	struct spage *p;

	mmu_stop_others(m);
	mmu_flush_tlb(m);
	while (mm->quarantine) {
		p = &mm->pages[mm->quarantine];
		mm->quarantine = p->next;
		p->next = mm->free;
		mm->free = index_of(mm, p);
		mm->free_count++;
	}
}

static void tell_siblings(const struct mmu *m)
{
	struct mm *mm = m->mm;
	uint32_t i;

	for (i = 0; i < mm->mmus; i++)
		if (mm->mmu[i] != m)
			mm->mmu[i]->flush |= FLUSH_STALE;
}

/* Of a wide guest nothing is in the TLB here: the way back into it loads CR3. */
void mmu_flush_now(struct mmu *m)
{
	struct mm *mm = m->mm;

	if ((m->flush & FLUSH_REMOVED) && mm->mmus > 1)
		tell_siblings(m);
	m->flush = 0;
	if (!mm->fmt.wide)
		flush_tlb();
}

/* ---- links -------------------------------------------------------------- */

void pool_set_pde(struct mmu *m, uint64_t *pde, uint64_t val)
{
	uint64_t old = *pde;
	struct spage *p;

	if (old == val)
		return;
	*pde = val;
	if (old & PTE_P)
		m->flush |= FLUSH_REMOVED;
	if (!((old ^ val) & (PTE_ADDR | SE_LINK)))	/* with other rights */
		return;
	if (old & SE_LINK) {
		p = page_of(m->mm, old);
		p->parents--;
		if (p->parent == pde)
			p->parent = NULL;
		if (!p->parents && p->role >= SP_SPLIT)
			pool_give(m->mm, p);
	}
	if (val & SE_LINK) {
		p = page_of(m->mm, val);
		p->parent = p->parents++ ? p->parent : pde;
	}
}

/* ---- page tables -------------------------------------------------------- */

/* Those whose tables are not tracked are a ring, from page 0 on; others are
 * one alone. */
void pool_untracked_add(struct mm *mm, struct spage *p)
{
	struct spage *head = &mm->pages[0];

	p->next = head->next;
	p->prev = 0;
	mm->pages[p->next].prev = index_of(mm, p);
	head->next = index_of(mm, p);
}

void pool_untracked_del(struct mm *mm, struct spage *p)
{
	mm->pages[p->prev].next = p->next;
	mm->pages[p->next].prev = p->prev;
}

struct spage *pool_pt_get(struct mm *mm, uint32_t gfn, uint32_t second)
{
	struct gframe *f = &mm->frames[gfn];
	struct spage *p;

	if (f->pt[second])
		return &mm->pages[f->pt[second]];
	p = pool_take(mm, SP_PT, gfn);
	p->second = second;
	f->pt[second] = index_of(mm, p);
	if (!(f->flags & GF_TRACKED))
		pool_untracked_add(mm, p);
	return p;
}

/*
 * A page table's shadow is out of use. If there are links to it that we do not
 * remember, it stays as an empty page until the last of them has gone: to look
 * for them would take longer than a guest may make us work at a time.
 */
void pool_pt_drop(struct mmu *m, struct spage *p)
{
	m->mm->frames[p->gfn].pt[p->second] = 0;
	pool_untracked_del(m->mm, p);
	if (p->parents == 1 && p->parent)
		pool_set_pde(m, p->parent, 0);
	if (!p->parents) {
		pool_give(m->mm, p);
		return;
	}
	memset(p->table, 0, PAGE_SIZE);
	p->role = SP_ORPHAN;
	m->flush |= FLUSH_REMOVED;
}

/* ---- directories of PAE: a short list ------------------------------------ */

struct spage *pool_pd_find(struct mm *mm, uint32_t gfn, uint32_t reserved)
{
	uint32_t n = mm->frames[gfn].pd;

	while (n && mm->pages[n].reserved != reserved)
		n = mm->pages[n].list;
	return n ? &mm->pages[n] : NULL;
}

void pool_pd_enter(struct mm *mm, struct spage *p)
{
	uint32_t *first = &mm->frames[p->gfn].pd;

	p->list = *first;
	*first = index_of(mm, p);
}

void pool_pd_leave(struct mm *mm, const struct spage *p)
{
	uint32_t *link = &mm->frames[p->gfn].pd;

	while (*link && *link != index_of(mm, p))
		link = &mm->pages[*link].list;
	if (*link)
		*link = p->list;
}

/* ---- set-up ------------------------------------------------------------- */

bool pool_init(struct mm *mm, uint32_t pages)
{
	uint32_t i;

	mm->count = pages;
	mm->tables = host_pages((uint64_t)pages * PAGE_SIZE, PAGE_SIZE);
	mm->pages = host_pages(pages * sizeof(*mm->pages), PAGE_SIZE);
	if (!mm->tables || !mm->pages)
		return false;
	for (i = pages; i--;) {
		struct spage *p = &mm->pages[i];

		p->table = (uint64_t *)(mm->tables + i * PAGE_SIZE);
		p->link = host_pa(p->table) | SE_LINK | PTE_A | PTE_P;
		if (i)
			pool_give(mm, p);
	}
	return true;
}

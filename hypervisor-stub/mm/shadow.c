// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shadow page tables.
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
 * The four SP_PD are hung into the vCPU's one PDPT when the root is loaded.
 * A shadow belongs to the guest frame (struct gframe), whoever links it: all
 * address spaces share the shadows of the kernel's page tables.
 *
 * The kernel's part of the address space, from the quarter with the hole, is
 * the same in all directories of a common kernel: roots whose guest entries
 * are equal there share one SP_PD. An entry of a shared page is only filled
 * while all sharers' entries are equal, and emptied when one changes.
 *
 * A guest table is "tracked" once the guest has told of it, by AllocatePage
 * or by an update; then a flush need not look at it. All others are
 * forgotten at every flush.
 */
#include <string.h>

#include "shadow.h"

static struct guest *guest_of(struct shadow *s)
{
	return (struct guest *)((char *)s - offsetof(struct guest, shadow));
}

/* What a frame holds. */
static const struct gtable *guest_table(struct guest *g,
					const struct gframe *f)
{
	return gmem_table(&g->mem, f - g->frames, 0);
}

static uint32_t index_of(const struct shadow *s, const struct spage *p)
{
	return p - s->pages;
}

/* By the low bits of a guest entry; see shadow.h. */
const int16_t leaf_mask_table[LEAF_BITS + 1] = {
#define RIGHTS(low)	[PTE_P | PTE_A | (low)] =		\
	(int16_t)(~GMEM_RIGHTS | PTE_P | PTE_A | PTE_D |	\
		  ((low) & PTE_U) | ((low) & PTE_D ? (low) & PTE_W : 0)),
	RIGHTS(0) RIGHTS(PTE_W) RIGHTS(PTE_U) RIGHTS(PTE_W | PTE_U)
	RIGHTS(PTE_D) RIGHTS(PTE_D | PTE_W) RIGHTS(PTE_D | PTE_U)
	RIGHTS(PTE_D | PTE_W | PTE_U)
#undef RIGHTS
};

/* ---- the pool ----------------------------------------------------------- */

struct spage *shadow_page_new(struct shadow *s, int role, uint32_t gfn)
{
	struct spage *p = &s->pages[s->free];

	hv_assert(s->free);
	s->free = p->next;
	s->free_count--;
	memset(p->table, 0, PAGE_SIZE);
	p->role = role;
	p->gfn = gfn;
	p->parent = NULL;
	p->parents = 0;
	p->next = p->prev = 0;
	return p;
}

static void page_free(struct shadow *s, struct spage *p)
{
	p->role = SP_FREE;
	p->next = s->free;
	s->free = index_of(s, p);
	s->free_count++;
}

static void untracked_add(struct shadow *s, struct spage *p)
{
	p->next = s->untracked;
	p->prev = 0;
	if (p->next)
		s->pages[p->next].prev = index_of(s, p);
	s->untracked = index_of(s, p);
}

static void untracked_del(struct shadow *s, struct spage *p)
{
	if (p->prev)
		s->pages[p->prev].next = p->next;
	else if (s->untracked == index_of(s, p))
		s->untracked = p->next;
	else
		return;
	if (p->next)
		s->pages[p->next].prev = p->prev;
}

/* ---- links between shadow pages ----------------------------------------- */

/* Every change of an SP_PD entry goes through here. */
void shadow_set_pde(struct shadow *s, uint64_t *pde, uint64_t val)
{
	uint64_t old = *pde;
	struct spage *p;

	if (old == val)
		return;
	*pde = val;
	if (old & PTE_P)
		s->flush = true;
	if ((old & SE_LINK) && !((val & SE_LINK) &&
				 !((old ^ val) & SE_ADDR))) {
		p = page_of(s, old);
		p->parents--;
		if (p->parent == pde)
			p->parent = NULL;
		if (!p->parents && p->role != SP_PT)
			page_free(s, p);
	} else if (old & SE_LINK) {
		return;
	}
	if (val & SE_LINK) {
		p = page_of(s, val);
		p->parent = p->parents++ ? p->parent : pde;
	}
}

/*
 * A page table's shadow is out of use. If there are links to it that we do not
 * remember, it stays as an empty page until the last of them has gone: to look
 * for them would take longer than a guest may make us work at a time.
 */
static void pt_free(struct shadow *s, struct spage *p)
{
	guest_of(s)->frames[p->gfn].pt[p->half] = 0;
	untracked_del(s, p);
	if (p->parents == 1 && p->parent)
		shadow_set_pde(s, p->parent, 0);
	if (!p->parents) {
		page_free(s, p);
		return;
	}
	memset(p->table, 0, PAGE_SIZE);
	p->role = SP_ORPHAN;
	s->flush = true;
}

/* With PAE: a directory's shadows are a list, of two at most. */
static void pd_leave(struct shadow *s, const struct spage *pd)
{
	uint32_t *link = &guest_of(s)->frames[pd->gfn].pt[1];

	while (*link && *link != index_of(s, pd))
		link = &s->pages[*link].next;
	if (*link)
		*link = pd->next;
}

/* A root's GB is mapped by this page no more. */
static void pd_put(struct shadow *s, struct root *r, uint32_t q)
{
	struct spage *pd = r->pd[q];
	uint32_t i;

	if (!pd)
		return;
	if (r == s->current)
		s->pdpt[q] = 0;
	r->pd[q] = NULL;
	s->flush = true;
	if (--pd->parents)	/* other roots share it */
		return;
	for (i = 0; i < 512; i++)
		if (pd->table[i] & SE_LINK)
			shadow_set_pde(s, &pd->table[i], 0);
	if (s->pae)
		pd_leave(s, pd);
	page_free(s, pd);
}

static void root_clear(struct shadow *s, struct root *r)
{
	uint32_t q;

	for (q = 0; q < 4; q++)
		pd_put(s, r, q);
}

static void root_free(struct shadow *s, struct root *r)
{
	struct gframe *f = &guest_of(s)->frames[r->gfn];
	uint32_t n = r - s->roots, before = f->root;

	root_clear(s, r);
	if (s->sharer == r)
		s->sharer = NULL;
	if (before == n) {
		f->root = r->next;
	} else {
		while (s->roots[before].next != n)
			before = s->roots[before].next;
		s->roots[before].next = r->next;
	}
	memset(r, 0, sizeof(*r));
	r->next = s->root_free;
	s->root_free = n;
}

/*
 * With PAE: forget what a directory's shadow links. The page itself stays, for
 * the roots that have it: to look for them would take longer than a guest may
 * make us work at a time.
 */
static void pd_empty(struct shadow *s, struct spage *pd)
{
	uint32_t end = pd->half ? guest_of(s)->vcpu.hole >> 21 & 511 : 512, i;

	for (i = 0; i < end; i++)
		shadow_set_pde(s, &pd->table[i], 0);
}

/* Forget a frame as a table. A root that is in use stays, empty. */
static void drop(struct shadow *s, struct gframe *f)
{
	uint32_t n, next;

	if (f->pt[0])
		pt_free(s, &s->pages[f->pt[0]]);
	for (n = f->pt[1]; n && s->pae; n = s->pages[n].next)
		pd_empty(s, &s->pages[n]);
	if (f->pt[1] && !s->pae)
		pt_free(s, &s->pages[f->pt[1]]);
	for (n = f->root; n; n = next) {
		next = s->roots[n].next;
		if (&s->roots[n] == s->current)
			root_clear(s, s->current);
		else
			root_free(s, &s->roots[n]);
	}
}

void shadow_zap(struct guest *g)
{
	struct shadow *s = &g->shadow;
	uint32_t i;

	g->stats.shadow_zaps++;
	for (i = 0; i < s->root_top; i++) {
		struct root *r = &s->roots[i];

		root_clear(s, r);
		if (i && r != s->current && r->used)
			root_free(s, r);
	}
	for (i = 1; i < s->count; i++)
		if (s->pages[i].role == SP_PT)
			pt_free(s, &s->pages[i]);
	shadow_flush_tlb(g);
}

/* ---- what the guest's entries mean -------------------------------------- */

static uint64_t pde_shadow(struct guest *g, uint64_t pde, gva_t va)
{
	uint32_t half = pae(g) ? 0 : va >> 21 & 1;
	uint64_t gfn = entry_gfn(pde);

	if ((pde & (PTE_A | PTE_P)) != (PTE_A | PTE_P))
		return 0;
	if (is_large(g, pde)) {
		gfn = leaf_gfn(g, pde, true, va) & ~511ull;
		if (!gmem_large(&g->mem, gfn))
			return 0;
		return (gmem_leaf(&g->mem, gfn) & (leaf_mask(pde) | PTE_PS)) |
		       (pde & SE_NX);
	}
	if (gfn >= g->mem.nframes || !g->frames[gfn].pt[half])
		return 0;
	return g->shadow.pages[g->frames[gfn].pt[half]].link |
	       (pde & (SE_NX | PTE_U | PTE_W));
}

/* ---- updates ------------------------------------------------------------ */

void shadow_sync_pde(struct guest *g, struct spage *pd, uint64_t pde,
		     gva_t va)
{
	uint64_t *entry = &pd->table[va >> 21 & 511];
	uint64_t val = pde_shadow(g, pde, va);

	if (!pae(g) && pd->parents > 1 && *entry != val)
		val = 0;
	shadow_set_pde(&g->shadow, entry, val);
}

/* The directories that a PDPT names; the CPU reads them with CR3. */
static void load_dirs(struct guest *g, struct root *r)
{
	const struct gtable *pdpt, *dir;
	uint32_t q;

	if (!pae(g))
		return;
	pdpt = gmem_table(&g->mem, r->gfn, r->offset);
	for (q = 0; q < 4; q++) {
		uint64_t pdpte = gtable_read64(pdpt, q);

		dir = pdpte & PTE_P ?
		      gmem_table(&g->mem, entry_gfn(pdpte), 0) : NULL;
		if (dir == r->dir[q])
			continue;
		pd_put(&g->shadow, r, q);
		r->dir[q] = dir;
		r->dir_gfn[q] = entry_gfn(pdpte);
	}
}

void shadow_sync_upper(struct guest *g, struct gframe *f, uint32_t offset)
{
	struct shadow *s = &g->shadow;
	struct spage *pd;
	struct root *r;
	uint64_t pde;
	uint32_t n;
	gva_t va;

	if (pae(g)) {
		for (n = f->pt[1]; n; n = pd->next) {
			pd = &s->pages[n];
			va = offset / 8 << 21;
			if (!pd->half || va < (g->vcpu.hole & 0x3fffffff))
				shadow_sync_pde(g, pd,
						gtable_read64(guest_table(g, f),
							      offset / 8), va);
		}
		for (n = f->root; n; n = s->roots[n].next)
			load_dirs(g, &s->roots[n]);
		return;
	}
	if (!f->root)
		return;
	va = offset / 4 << 22;
	r = &s->roots[f->root];
	pd = r->pd[va >> 30];
	if (!pd || va > g->vcpu.guest_last)
		return;
	pde = read_pde(g, r, va);
	shadow_sync_pde(g, pd, pde, va);
	shadow_sync_pde(g, pd, pde, va + (2 << 20));
}

void shadow_track(struct guest *g, struct gframe *f)
{
	drop(&g->shadow, f);
	f->flags |= GF_TRACKED;
}

/* A frame becomes a table, or stops being one. */
void shadow_page_alloc(struct guest *g, uint32_t gfn)
{
	if (!gmem_leaf(&g->mem, gfn))
		return;
	shadow_track(g, &g->frames[gfn]);
}

void shadow_page_release(struct guest *g, uint32_t gfn)
{
	if (!gmem_leaf(&g->mem, gfn))
		return;
	drop(&g->shadow, &g->frames[gfn]);
	g->frames[gfn].flags &= ~GF_TRACKED;
}

/*
 * One page of the current address space: read the guest's entries again, the
 * leaf in any case, the directory's if nobody tells us of changes to it.
 */
void shadow_inval(struct vcpu *v, gva_t va)
{
	struct guest *g = v->g;
	struct root *r = g->shadow.current;
	struct spage *pd = r->pd[va >> 30], *p;
	uint32_t i = va >> 12 & 511;
	const struct gtable *table;
	uint64_t entry;

	/* With PAE there may be a page for the hole and no directory. */
	if (!pd || !r->dir[va >> 30] || va > v->guest_last)
		return;
	if (!(g->frames[pd->gfn].flags & GF_TRACKED)) {
		entry = read_pde(g, r, va);
		shadow_sync_pde(g, pd, entry, va);
		if (!pae(g))
			shadow_sync_pde(g, pd, entry, va ^ 2 << 20);
	}
	entry = pd->table[va >> 21 & 511];
	if (!(entry & SE_LINK))
		return;
	p = page_of(&g->shadow, entry);
	if (p->role != SP_PT)
		return;
	/* Of the table that it shadows, whatever the directory says by now. */
	table = gmem_leaf_table(gmem_leaf(&g->mem, p->gfn), 0);
	set_leaf(&g->shadow, &p->table[i],
		 leaf_shadow(&g->mem,
			     read_entry(g, table, p->half << 9 | i)));
}

void shadow_flush(struct vcpu *v)
{
	struct guest *g = v->g;
	struct shadow *s = &g->shadow;
	uint32_t q;

	if (!v->hole) {
		shadow_zap(g);
		return;
	}
	while (s->untracked)
		pt_free(s, &s->pages[s->untracked]);
	if (!(g->frames[s->current->gfn].flags & GF_TRACKED))
		root_clear(s, s->current);
	for (q = 0; q < 4 && pae(g); q++)
		if (s->current->pd[q] &&
		    !(g->frames[s->current->pd[q]->gfn].flags & GF_TRACKED))
			pd_empty(s, s->current->pd[q]);
	shadow_flush_tlb(g);
}

/* ---- roots -------------------------------------------------------------- */

static struct root *root_get(struct vcpu *v)
{
	struct guest *g = v->g;
	struct shadow *s = &g->shadow;
	uint32_t gfn = v->cr3 >> PAGE_SHIFT, n, q;
	uint32_t offset = pae(g) ? v->cr3 & 0xfe0 : 0;
	struct root *r;

	if (!paging(g))
		return &s->roots[0];
	if (!gmem_leaf(&g->mem, gfn)) {
		guest_kill(v, "CR3 = %08x is outside its memory", v->cr3);
		return s->current;
	}
	for (n = g->frames[gfn].root; n; n = s->roots[n].next)
		if (s->roots[n].offset == offset)
			return &s->roots[n];
	if (!s->root_free)
		shadow_zap(g);
	n = s->root_free;
	r = &s->roots[n];
	s->root_free = r->next;
	if (n >= s->root_top)
		s->root_top = n + 1;
	r->used = true;
	r->gfn = gfn;
	r->offset = offset;
	for (q = 0; q < 4 && !pae(g); q++)
		r->dir[q] = gmem_table(&g->mem, gfn, q * 1024);
	r->next = g->frames[gfn].root;
	g->frames[gfn].root = n;
	return r;
}

void shadow_load(struct vcpu *v)
{
	struct shadow *s = &v->g->shadow;
	int q;

	s->current = root_get(v);
	load_dirs(v->g, s->current);
	for (q = 0; q < 4; q++)
		s->pdpt[q] = s->current->pd[q] ?
			s->current->pd[q]->link | PTE_U | PTE_W : 0;
	s->flush = true;
	shadow_flush(v);
}

/* Shadows of one format mean nothing in the other. */
void shadow_mode(struct vcpu *v)
{
	struct shadow *s = &v->g->shadow;
	bool now = (v->cr0 & CR0_PG) && (v->cr4 & CR4_PAE);

	if (now != s->pae) {
		s->current = &s->roots[0];
		shadow_zap(v->g);
		s->pae = now;
		s->run_mask = now ? 0xffc : 0x7fc;
	}
	/* Fetches have a bit of their own only if they can be forbidden (SDM
	 * Vol. 3, 4.7). */
	s->error_bits = PF_U | PF_W | (now && v->efer ? PF_I : 0);
	shadow_load(v);
}

struct spage *shadow_pd_find(struct guest *g, uint32_t gfn, bool hole)
{
	struct shadow *s = &g->shadow;
	uint32_t n = g->frames[gfn].pt[1];

	while (n && s->pages[n].half != hole)
		n = s->pages[n].next;
	return n ? &s->pages[n] : NULL;
}

void shadow_pd_enter(struct guest *g, struct spage *p)
{
	uint32_t *first = &g->frames[p->gfn].pt[1];

	p->next = *first;
	*first = index_of(&g->shadow, p);
}

struct spage *shadow_pt_get(struct guest *g, uint32_t gfn, uint32_t half)
{
	struct shadow *s = &g->shadow;
	struct gframe *f = &g->frames[gfn];
	struct spage *p;

	if (f->pt[half])
		return &s->pages[f->pt[half]];
	p = shadow_page_new(s, SP_PT, gfn);
	p->half = half;
	f->pt[half] = index_of(s, p);
	if (!(f->flags & GF_TRACKED))
		untracked_add(s, p);
	return p;
}

/* ---- set-up ------------------------------------------------------------- */

const char *shadow_init(struct guest *g, uint32_t pool_pages)
{
	struct shadow *s = &g->shadow;
	uint64_t *pml4 = memory_alloc(PAGE_SIZE, PAGE_SIZE);
	uint32_t frames = g->mem.nframes, i;

	s->count = pool_pages;
	g->vcpu.pml4 = pml4 ? va_to_pa(pml4) : 0;
	s->pdpt = memory_alloc(PAGE_SIZE, PAGE_SIZE);
	s->hole_pt = memory_alloc(PAGE_SIZE, PAGE_SIZE);
	s->tables = memory_alloc((uint64_t)pool_pages * PAGE_SIZE, PAGE_SIZE);
	s->pages = memory_alloc(pool_pages * sizeof(*s->pages), 64);
	s->roots = memory_alloc(ROOTS * sizeof(*s->roots), 64);
	g->frames = memory_alloc(frames * sizeof(*g->frames), PAGE_SIZE);
	if (!pml4 || !s->pdpt || !s->hole_pt || !s->tables || !s->pages ||
	    !s->roots || !g->frames)
		return "no memory for shadow tables";

	for (i = 0; i < pool_pages; i++) {
		s->pages[i].table = (uint64_t *)(s->tables + i * PAGE_SIZE);
		s->pages[i].link = va_to_pa(s->pages[i].table) | SE_LINK |
				   PTE_A | PTE_P;
		s->pages[i].next = i + 1 < pool_pages ? i + 1 : 0;
	}
	s->free = 1;
	s->free_count = pool_pages - 1;
	for (i = 1; i < ROOTS; i++)
		s->roots[i].next = i + 1 < ROOTS ? i + 1 : 0;
	s->root_free = s->root_top = 1;
	/* With paging off every address is its own translation. */
	for (i = 0; i < 4; i++)
		s->roots[0].dir[i] = gtable_part(gtable_identity(), i * 1024);
	s->current = &s->roots[0];
	s->run_mask = 0x7fc;
	s->error_bits = PF_U | PF_W;

	/* The upper half is ours and the same everywhere. */
	memcpy(pml4, shadow_table(read_cr3()), PAGE_SIZE);
	pml4[0] = va_to_pa(s->pdpt) | PTE_U | PTE_W | PTE_P;
	write_cr3(g->vcpu.pml4);
	return NULL;
}

/* The tables must not be loaded. Also what shadow_init() left half done. */
void shadow_free(struct guest *g)
{
	struct shadow *s = &g->shadow;

	if (g->vcpu.pml4)
		memory_free(pa_to_va(g->vcpu.pml4), PAGE_SIZE);
	memory_free(s->pdpt, PAGE_SIZE);
	memory_free(s->hole_pt, PAGE_SIZE);
	memory_free(s->tables, (uint64_t)s->count * PAGE_SIZE);
	memory_free(s->pages, s->count * sizeof(*s->pages));
	memory_free(s->roots, ROOTS * sizeof(*s->roots));
	memory_free(g->frames, g->mem.nframes * sizeof(*g->frames));
	*s = (struct shadow){ 0 };
	g->frames = NULL;
	g->vcpu.pml4 = 0;
}

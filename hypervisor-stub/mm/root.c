// SPDX-License-Identifier: GPL-2.0-only
/*
 * Roots: the shadow of what CR3 points to, and the pages of its four GB, which
 * are hung into the vCPU's one PDPT when the root is loaded.
 *
 * The kernel's part of the address space, from the quarter with the reserved
 * top, is the same in all directories of a common kernel: roots whose guest
 * entries are equal there share one SP_PD. An entry of a shared page is only
 * filled while the entries of all these roots are equal, and emptied when one
 * changes.
 */
#include <string.h>

#include "shadow.h"

/* ---- the page of a GB --------------------------------------------------- */

/* Is the reserved top of this vCPU in the quarter? spage.reserved, if so. */
static uint32_t reserved_in(const struct mmu *m, uint32_t q)
{
	return m->mm->reserved && q == m->mm->reserved >> 30 ? m->nr + 1 : 0;
}

/* A root's GB, by its slot, is mapped by this page no more. */
static void pd_put(struct mmu *m, struct root *r, uint32_t slot)
{
	struct spage *pd = r->pd[slot];
	uint32_t i, q = slot < 3 ? slot : 3;

	if (!pd)
		return;
	for (i = 0; i < m->mm->mmus; i++)
		if (m->mm->mmu[i]->root == r && m->mm->mmu[i]->slot[q] == slot)
			m->mm->mmu[i]->pdpt[q] = 0;
	r->pd[slot] = NULL;
	m->flush |= FLUSH_REMOVED;
	if (--pd->parents)	/* other roots share it */
		return;
	for (i = 0; i < 512; i++)
		if (pd->table[i] & SE_LINK)
			pool_set_pde(m, &pd->table[i], 0);
	pool_pd_leave(m->mm, pd);
	pool_give(m->mm, pd);
}

static struct spage *pd_use(struct mmu *m, uint32_t q, struct spage *p)
{
	struct mm *mm = m->mm;
	uint32_t slot = m->slot[q], i;

	p->parents++;
	m->root->pd[slot] = p;
	for (i = 0; i < mm->mmus; i++)
		if (mm->mmu[i]->root == m->root && mm->mmu[i]->slot[q] == slot)
			mm->mmu[i]->pdpt[q] = p->link | PTE_U | PTE_W;
	return p;
}

static struct spage *pd_new(struct mmu *m, uint32_t q)
{
	struct mm *mm = m->mm;
	struct root *r = m->root;
	struct spage *p = pool_take(mm, SP_PD, r->gfn);
	uint64_t pde;
	gva32_t va;

	pd_use(m, q, p);
	p->reserved = reserved_in(m, q);
	if (mm->fmt.pae && r->dir[q]) {
		p->gfn = r->dir_gfn[q];
		pool_pd_enter(mm, p);
	}
	if (!p->reserved)
		return p;
	p->table[mm->reserved >> 21 & 511] = host_pa(m->reserved_pt) |
					     PTE_A | PTE_W | PTE_P;
	/* The kernel will need all of it, and others will share it. */
	for (va = q << 30; va < mm->reserved; va += 2 << 20) {
		pde = read_pde(mm, r, va);
		if (pde & PTE_P)
			sync_pde(m, p, pde, va);
	}
	m->offered = r;
	return p;
}

/* A page that is there already, and right for this root. */
static struct spage *pd_shared(const struct mmu *m, uint32_t q)
{
	const struct root *r = m->root, *other = m->offered;
	uint32_t reserved = reserved_in(m, q), slot = m->slot[q];
	struct mm *mm = m->mm;
	uint32_t entries = (mm->reserved >> 22) - q * 256;

	if (mm->fmt.pae)
		return r->dir[q] ? pool_pd_find(mm, r->dir_gfn[q], reserved) :
				   NULL;
	if (reserved && other && other->pd[slot] && tracked(mm, r) &&
	    tracked(mm, other) &&
	    gtable_equal(r->dir[q], other->dir[q], entries))
		return other->pd[slot];
	return NULL;
}

/*
 * Directories that are equal now need not always have been so: the page may still
 * map what a sibling has changed in another one and is about to tell of, and this
 * root's never said.
 */
static struct spage *pd_join(struct mmu *m, uint32_t q, struct spage *p)
{
	struct mm *mm = m->mm;
	gva32_t va;

	pd_use(m, q, p);
	if (mm->mmus == 1 || !root_may_differ(mm, p))
		return p;
	for (va = q << 30; va < mm->reserved; va += 2 << 20)
		if (p->table[va >> 21 & 511] & PTE_P)
			sync_pde(m, p, read_pde(mm, m->root, va), va);
	return p;
}

struct spage *root_pd_get(struct mmu *m, uint32_t q)
{
	struct spage *p = m->root->pd[m->slot[q]];

	if (p)
		return p;
	p = pd_shared(m, q);
	return p ? pd_join(m, q, p) : pd_new(m, q);
}

/* Do all other roots that share a page have this entry, too? */
static bool others_agree(const struct mmu *m, const struct spage *pd, gva32_t va,
			 uint64_t pde)
{
	const struct mm *mm = m->mm;
	uint32_t slot = m->slot[va >> 30], n;

	for (n = 1; n < mm->root_top; n++)
		if (mm->roots[n].pd[slot] == pd &&
		    &mm->roots[n] != m->root &&
		    read_pde(mm, &mm->roots[n], va) != pde)
			return false;
	return true;
}

struct spage *root_pd_agreed(struct mmu *m, gva32_t va, uint64_t pde)
{
	struct spage *pd = root_pd_get(m, va >> 30);

	if (root_may_differ(m->mm, pd) && !others_agree(m, pd, va, pde)) {
		pd->parents--;
		m->flush |= FLUSH_REMOVED;
		pd = pd_new(m, va >> 30);
	}
	return pd;
}

/* ---- roots -------------------------------------------------------------- */

void root_clear(struct mmu *m, struct root *r)
{
	uint32_t slot;

	for (slot = 0; slot < 3 + m->mm->mmus; slot++)
		pd_put(m, r, slot);
}

/* Is it what the CR3 of a vCPU points to? */
static bool in_use(const struct mm *mm, const struct root *r)
{
	uint32_t i;

	for (i = 0; i < mm->mmus; i++)
		if (mm->mmu[i]->root == r)
			return true;
	return false;
}

static void root_free(struct mmu *m, struct root *r)
{
	struct mm *mm = m->mm;
	struct gframe *f = &mm->frames[r->gfn];
	uint32_t n = r - mm->roots, before = f->root, i;

	root_clear(m, r);
	for (i = 0; i < mm->mmus; i++)
		if (mm->mmu[i]->offered == r)
			mm->mmu[i]->offered = NULL;
	if (before == n) {
		f->root = r->next;
	} else {
		while (mm->roots[before].next != n)
			before = mm->roots[before].next;
		mm->roots[before].next = r->next;
	}
	memset(r, 0, sizeof(*r));
	r->next = mm->root_free;
	mm->root_free = n;
}

void root_drop(struct mmu *m, struct gframe *f)
{
	struct root *roots = m->mm->roots;
	uint32_t n, next;

	for (n = f->root; n; n = next) {
		next = roots[n].next;
		if (in_use(m->mm, &roots[n]))
			root_clear(m, &roots[n]);
		else
			root_free(m, &roots[n]);
	}
}

void root_zap(struct mmu *m)
{
	struct mm *mm = m->mm;
	uint32_t i;

	mm->zaps++;
	for (i = 0; i < mm->root_top; i++) {
		struct root *r = &mm->roots[i];

		root_clear(m, r);
		if (i && !in_use(mm, r) && r->used)
			root_free(m, r);
	}
	for (i = 1; i < mm->count; i++)
		if (mm->pages[i].role == SP_PT)
			pool_pt_drop(m, &mm->pages[i]);
	mmu_flush_tlb(m);
}

/* For what is in CR3; NULL: it is outside the guest's memory. */
static struct root *root_get(struct mmu *m)
{
	struct mm *mm = m->mm;
	uint32_t gfn = m->cr3 >> PAGE_SHIFT, n, q;
	uint32_t offset = mm->fmt.pae ? m->cr3 & 0xfe0 : 0;
	struct root *r;

	if (!(m->mode & CR0_PG))
		return &mm->roots[0];
	if (!gmem_leaf(&mm->gmem, gfn) && !gmem_find(&mm->gmem, gfn))
		return NULL;
	for (n = mm->frames[gfn].root; n; n = mm->roots[n].next)
		if (mm->roots[n].offset == offset)
			return &mm->roots[n];
	if (!mm->root_free)
		root_zap(m);
	n = mm->root_free;
	r = &mm->roots[n];
	mm->root_free = r->next;
	if (n >= mm->root_top)
		mm->root_top = n + 1;
	r->used = true;
	r->gfn = gfn;
	r->offset = offset;
	for (q = 0; q < 4 && !mm->fmt.pae; q++)
		r->dir[q] = gmem_known_table(&mm->gmem, gfn, q * 1024);
	r->next = mm->frames[gfn].root;
	mm->frames[gfn].root = n;
	return r;
}

void root_load_dirs(struct mmu *m, struct root *r)
{
	struct gmem *gmem = &m->mm->gmem;
	const struct gtable *pdpt, *dir;
	uint32_t q, slot;

	pdpt = gmem_known_table(gmem, r->gfn, r->offset);
	for (q = 0; q < 4; q++) {
		uint64_t pdpte = gtable_read64(pdpt, q);

		dir = pdpte & PTE_P ?
		      gmem_find_table(gmem, entry_gfn(pdpte), 0) : NULL;
		if (dir == r->dir[q])
			continue;
		pd_put(m, r, q);
		for (slot = 4; q == 3 && slot < 3 + m->mm->mmus; slot++)
			pd_put(m, r, slot);
		r->dir[q] = dir;
		r->dir_gfn[q] = entry_gfn(pdpte);
	}
}

void root_moved(struct mm *mm, uint64_t gfn)
{
	const struct gtable *at = gmem_known_table(&mm->gmem, gfn, 0);
	struct root *r;
	uint32_t q;

	for (r = &mm->roots[1]; r < &mm->roots[mm->root_top]; r++)
		for (q = 0; r->used && q < 4; q++)
			if (!mm->fmt.pae && r->gfn == gfn)
				r->dir[q] = gtable_part(at, q * 1024);
			else if (mm->fmt.pae && r->dir[q] &&
				 r->dir_gfn[q] == gfn)
				r->dir[q] = at;
}

/* ---- registers ---------------------------------------------------------- */

static uint64_t pdpte(const struct spage *pd)
{
	return pd ? pd->link | PTE_U | PTE_W : 0;
}

static bool load(struct mmu *m)
{
	struct root *r = root_get(m);
	uint64_t *pdpt = m->pdpt;

	if (!r)
		return false;
	m->root = r;
	if (m->mm->fmt.pae)
		root_load_dirs(m, r);
	/* What mmu.slot says, and faster: each switch of tasks comes here. */
	pdpt[0] = pdpte(r->pd[0]);
	pdpt[1] = pdpte(r->pd[1]);
	pdpt[2] = pdpte(r->pd[2]);
	pdpt[3] = pdpte(r->pd[3 + m->nr]);
	m->flush |= FLUSH_STALE;
	mmu_flush(m);
	return true;
}

bool mmu_set_cr3(struct mmu *m, uint32_t cr3)
{
	m->cr3 = cr3;
	return !(m->mode & CR0_PG) || load(m);
}

static const struct mm_format format_legacy = {
	.entry_shift	= 2,
	.pde_shift	= 22,
	.second		= 1,
	.large_mask	= 1023,
	.pse36		= 0xff,
};

static const struct mm_format format_pae = {
	.pae		= true,
	.entry_shift	= 3,
	.pde_shift	= 21,
	.large_mask	= 511,
};

/* What follows from the bits of the registers. */
static void set_bits(struct mmu *m)
{
	bool paging = m->mode & CR0_PG, pae = paging && (m->mode & CR4_PAE);

	/* With paging off each directory entry is of a large page. */
	m->pde_bits = PTE_P;
	if (!paging || pae || (m->mode & CR4_PSE))
		m->pde_bits |= PTE_PS;
	/* Fetches have a bit of their own only if they can be forbidden (SDM
	 * Vol. 3, 4.7). */
	m->error_bits = PF_U | PF_W | (pae && (m->mode & EFER_NXE) ? PF_I : 0);
}

/* And of the format, which is the same for all of the guest. */
static void set_format(struct mmu *m)
{
	struct mm *mm = m->mm;
	bool pae = (m->mode & CR0_PG) && (m->mode & CR4_PAE);

	if (pae != mm->fmt.pae) {
		/* Shadows of one format mean nothing in the other. */
		m->root = &mm->roots[0];
		root_zap(m);
		mm->fmt = pae ? format_pae : format_legacy;
	}
	set_bits(m);
}

bool mmu_mode_agrees(const struct mmu *m, uint32_t cr0, uint32_t cr4)
{
	bool pae = (cr0 & CR0_PG) && (cr4 & CR4_PAE);

	return m->mm->mmus == 1 || pae == m->mm->fmt.pae;
}

/* The bits of all three registers are different ones. */
bool mmu_set_mode(struct mmu *m, uint32_t cr0, uint32_t cr4, uint32_t efer)
{
	uint32_t mode = (cr0 & (CR0_PG | CR0_WP)) | (efer & EFER_NXE) |
			(cr4 & (CR4_PAE | CR4_PSE | CR4_PGE));
	uint32_t changed = m->mode ^ mode;

	m->mode = mode;
	if (changed & (CR0_WP | CR4_PSE | CR4_PGE))
		root_zap(m);
	if (changed)
		set_format(m);
	return !(changed & (CR0_PG | CR4_PAE | EFER_NXE)) || load(m);
}

/* ---- set-up ------------------------------------------------------------- */

void mmu_reserve(struct mmu *m, gva32_t top)
{
	root_zap(m);
	m->mm->reserved = top;
	m->guest_last = top - 1;
	m->copy_end = top;
}

void mmu_reserved_map(struct mmu *m, uint32_t offset, const volatile void *at,
		      uint32_t bytes, uint64_t rights)
{
	uint32_t i;

	for (i = 0; i < bytes; i += PAGE_SIZE)
		m->reserved_pt[(offset + i) >> PAGE_SHIFT] =
			(host_pa(at) + i) | rights;
}

static const char *const no_memory = "no memory for shadow tables";

static bool roots_init(struct mm *mm)
{
	uint32_t i;

	mm->fmt = format_legacy;
	mm->roots = host_pages(ROOTS * sizeof(*mm->roots), PAGE_SIZE);
	if (!mm->roots)
		return false;
	for (i = 1; i < ROOTS; i++)
		mm->roots[i].next = i + 1 < ROOTS ? i + 1 : 0;
	mm->root_free = mm->root_top = 1;
	/* With paging off every address is its own translation. */
	for (i = 0; i < 4; i++)
		mm->roots[0].dir[i] = gtable_part(gtable_identity(), i * 1024);
	return true;
}

const char *mm_init(struct mm *mm, uint32_t pool_pages, bool wide)
{
	if (wide)
		long_init(mm);
	if (!pool_init(mm, pool_pages) || (!wide && !roots_init(mm)))
		return no_memory;
	mm->frames = host_pages(mm->gmem.nframes * sizeof(*mm->frames),
				  PAGE_SIZE);
	return mm->frames ? NULL : no_memory;
}

void mmu_reset(struct mmu *m)
{
	m->mode = m->cr3 = 0;
	m->guest_last = m->mm->reserved - 1;
	m->flush |= FLUSH_STALE;
	if (m->mm->fmt.wide) {
		long_reset(m);
		return;
	}
	m->copy_end = m->guest_last + 1ull;
	m->root = &m->mm->roots[0];
	memset(m->pdpt, 0, 4 * sizeof(*m->pdpt));
	set_bits(m);
}

const char *mmu_init(struct mmu *m, struct mm *mm)
{
	uint64_t *pml4;

	m->mm = mm;
	m->reserved_pt = host_pages(3 * PAGE_SIZE, PAGE_SIZE);
	if (!m->reserved_pt)
		return no_memory;
	if (mm->fmt.wide) {
		long_mmu_init(m);
		return NULL;
	}
	m->pdpt = m->reserved_pt + 512;
	pml4 = m->pdpt + 512;
	m->pml4 = host_pa(pml4);
	mmu_reset(m);

	/* All but entry 0 is ours and the same everywhere. */
	memcpy(pml4, shadow_table(read_cr3()), PAGE_SIZE);
	pml4[0] = host_pa(m->pdpt) | PTE_U | PTE_W | PTE_P;
	return NULL;
}

void mmu_join(struct mmu *m)
{
	struct mm *mm = m->mm;
	uint32_t q;

	for (q = 0; q < mm->mmus; q++)
		if (mm->mmu[q] == m)
			return;
	m->nr = mm->mmus++;
	mm->mmu[m->nr] = m;
	for (q = 0; q < 4; q++)
		m->slot[q] = q < 3 ? q : 3 + m->nr;
}

void mm_free(struct mm *mm)
{
	host_pages_free(mm->tables, (uint64_t)mm->count * PAGE_SIZE);
	host_pages_free(mm->pages, mm->count * sizeof(*mm->pages));
	host_pages_free(mm->roots, ROOTS * sizeof(*mm->roots));
	host_pages_free(mm->frames, mm->gmem.nframes * sizeof(*mm->frames));
	*mm = (struct mm){ .gmem = mm->gmem, .fills = mm->fills,
			   .zaps = mm->zaps };
}

void mmu_free(struct mmu *m)
{
	host_pages_free(m->reserved_pt, 3 * PAGE_SIZE);
	*m = (struct mmu){ 0 };
}

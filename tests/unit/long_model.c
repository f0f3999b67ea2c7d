// SPDX-License-Identifier: GPL-2.0-only
/* The machine, the model and the checks; see long_model.h. */
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "long_model.h"

#define MACHINE_MB	32
#define GAP		64	/* between what is allocated */

struct mm mm;
struct mmu *mmu;
uint32_t model_kicks;
static struct mmu mmus[VCPUS];
static uint64_t next_pa;
static bool written[FRAMES];		/* a frame, by do_copy() */

/* ---- what the code under test calls ------------------------------------- */

/* ASan's, if it is there. */
void __attribute__((weak))
__asan_poison_memory_region(const volatile void *, size_t);

void *host_pages(uint64_t bytes, uint64_t align)
{
	uint64_t at = (next_pa + GAP + align - 1) & -align;

	if (__asan_poison_memory_region)
		__asan_poison_memory_region(machine_memory + next_pa,
					    at - next_pa);
	next_pa = at + bytes;
	CHECK(next_pa <= MACHINE_MB << 20);
	if (at != RAM_PA)
		memset(machine_memory + at, 0, bytes);
	return machine_memory + at;
}

void host_pages_free(void *at, uint64_t bytes)
{
	(void)at, (void)bytes;
}

/* It leaves the guest, and waits for the lock. */
void host_kick(uint32_t to)
{
	CHECK(to < VCPUS && &mmus[to] != mmu && mmus[to].inside);
	mmus[to].inside = false;
	model_kicks++;
}

void panic_at(const char *file, int line, const char *fmt, ...)
{
	check_failed(file, line, "panic: %s", fmt);
}

uint32_t copy_fixup(void *dst, const void *src, uint32_t len)
{
	(void)dst, (void)src;
	CHECK_EQ(len, 0);	/* a linear address of the guest's as it is */
	return 0;
}

/* ---- the model ---------------------------------------------------------- */

uint64_t *entry(uint32_t frame, uint32_t i)
{
	return (uint64_t *)(machine_memory + RAM_PA) + frame * 512 + i;
}

gva_t address(uint32_t pml4, uint32_t pdpt, uint32_t pd, uint32_t pt)
{
	return (pml4 & 256 ? 0xffffull << 48 : 0) | (gva_t)pml4 << 39 |
	       (gva_t)pdpt << 30 | (gva_t)pd << 21 | (gva_t)pt << 12;
}

bool model_absent(uint64_t pa)
{
	uint64_t gfn = pa >> 12;

	return gfn >= FRAMES || gfn - HOLE_FRAME < HOLE_FRAMES;
}

enum model_end model_walk(gva_t va, struct model *m)
{
	uint64_t table = mmu->long_cr3 & ADDR, e, wrong;
	int shift;

	m->rights = P | W | U | A;
	for (shift = 39;; shift -= 9) {
		if (model_absent(table))
			return MODEL_NOWHERE;
		e = *entry(table >> 12, va >> shift & 511);
		if (!(e & P))
			return MODEL_ABSENT;
		wrong = ADDR & -(1ull << ADDRESS_BITS);
		if (!(mmu->mode & EFER_NXE))
			wrong |= NX;
		if (shift > 21)
			wrong |= PS;
		if (shift == 21 && (e & PS))
			wrong |= 0x1fe000;
		if (e & wrong)
			return MODEL_RESERVED;
		m->rights = (m->rights & (e | NX)) | (e & NX);
		table = e & ADDR;
		if (shift == 12 || (e & PS))
			break;
	}
	m->rights |= e & D;
	m->pa = table & -(1ull << shift);
	m->pa |= va & ((1ull << shift) - 1) & ~0xfffull;
	return MODEL_LEAF;
}

static bool ours(gva_t va)
{
	return (va >> 39 & 511) == 271 ||
	       (mm.reserved && va >= 0xffffffffffe00000);
}

static bool lacks(uint64_t rights, uint32_t access)
{
	return ((access & PF_U) && !(rights & U)) ||
	       ((access & PF_W) && !(rights & W)) ||
	       ((access & PF_I) && (rights & NX));
}

/* The error code, if it is the guest's fault. */
static bool model_fault(enum model_end end, const struct model *m, gva_t va,
			uint32_t access, uint32_t *error)
{
	*error = access & (mmu->mode & EFER_NXE ? PF_W | PF_U | PF_I :
						  PF_W | PF_U);
	if (ours(va) || end == MODEL_ABSENT)
		return true;
	if (end == MODEL_NOWHERE)
		return false;
	*error |= end == MODEL_RESERVED ? PF_P | PF_RSVD : PF_P;
	return end == MODEL_RESERVED || lacks(m->rights, access);
}

/* ---- the CPU ------------------------------------------------------------ */

bool cpu_walk(const struct mmu *m, gva_t va, uint64_t *pa, uint64_t *rights)
{
	uint64_t table = m->pml4, e;
	int shift;

	*rights = W | U;
	for (shift = 39;; shift -= 9) {
		CHECK(table && table < MACHINE_MB << 20);
		e = ((uint64_t *)host_va(table))[va >> shift & 511];
		if (!(e & P))
			return false;
		/* The processor would write to our tables. */
		CHECK(e & A);
		CHECK(shift == 12 || shift == 21 || !(e & PS));
		*rights = (*rights & (e | NX)) | (e & NX);
		table = e & ADDR;
		if (shift == 12 || (e & PS))
			break;
	}
	CHECK(e & D || ours(va));
	*pa = table + (va & ((1ull << shift) - 1) & ~0xfffull);
	return true;
}

bool cpu_allows(gva_t va, uint32_t access, uint64_t *pa)
{
	uint64_t rights;

	return cpu_walk(mmu, va, pa, &rights) && !lacks(rights, access);
}

static void check_where(uint64_t pa, const struct model *m)
{
	if (model_absent(m->pa))
		CHECK_EQ(pa, mm.gmem.bus & ADDR);
	else
		CHECK_EQ(pa, RAM_PA + m->pa);
}

void do_access(gva_t va, uint32_t access)
{
	uint32_t want, error, tries;
	struct model m;
	enum model_end end = model_walk(va, &m);
	bool fault = model_fault(end, &m, va, access, &want);
	bool allowed;
	uint64_t pa;
	gpa_t bus;

	CHECK_EQ(long_translate(mmu, va, &bus), end == MODEL_LEAF && !ours(va));
	CHECK(end != MODEL_LEAF || ours(va) || bus == m.pa);
	/* Again, if an entry is of several levels: the bit set in one is news in
	 * the others. */
	for (tries = 0;; tries++) {
		CHECK(tries <= 5);
		allowed = !ours(va) && cpu_allows(va, access, &pa);
		CHECK_EQ(long_allows(mmu, va, access), allowed);
		if (allowed)
			break;
		error = access | (cpu_walk(mmu, va, &pa, &(uint64_t){ 0 }) &&
				  !ours(va) ? PF_P : 0);
		switch (long_fault(mmu, va, &error, &bus)) {
		case FAULT_GUEST:
			CHECK(fault);
			CHECK_EQ(error, want);
			return;
		case FAULT_BUS:
			CHECK(!fault && end == MODEL_LEAF && bus == m.pa);
			CHECK(model_absent(bus) &&
			      ((access & PF_W) || bus >> 12 == APIC_FRAME));
			return;
		case FAULT_TABLE:
			CHECK(!fault && end == MODEL_NOWHERE && model_absent(bus));
			return;
		case FAULT_FIXED:
			break;
		default:
			CHECK(!"a view");
		}
	}
	CHECK(!fault && end == MODEL_LEAF);
	check_where(pa, &m);
	CHECK_EQ(model_walk(va, &m), MODEL_LEAF);
	CHECK(m.rights & A);
	CHECK(!(access & PF_W) || (m.rights & D));
}

/* Can the guest's kernel have this byte? Where is it? */
static bool model_byte(gva_t va, bool write, uint8_t **at)
{
	uint32_t access = write ? PF_W : 0, error;
	struct model m;
	enum model_end end;

	if (va + (1ull << 47) >= 1ull << 48)
		return false;
	end = model_walk(va, &m);
	if (end != MODEL_LEAF || model_fault(end, &m, va, access, &error))
		return false;
	*at = NULL;
	if (!model_absent(m.pa))
		*at = machine_memory + RAM_PA + m.pa + (va & 4095);
	return *at || (!write && m.pa >> 12 != APIC_FRAME);
}

void do_copy(gva_t va, uint32_t bytes, bool write)
{
	uint8_t *at[64], data[64] = { 0 }, was[64];
	uint8_t first = rnd(256);
	bool can = true;
	uint32_t i;

	CHECK(bytes <= 64);
	for (i = 0; i < bytes; i++) {
		can = can && model_byte(va + i, write, &at[i]);
		data[i] = first + i;
	}
	if (!write) {
		CHECK_EQ(guest_read(mmu, data, va, bytes), can);
		for (i = 0; i < bytes && can; i++)
			CHECK_EQ(data[i], at[i] ? *at[i] : 0xff);
		return;
	}
	for (i = 0; i < bytes; i++)
		if (model_byte(va + i, write, &at[i]))
			was[i] = *at[i];
	CHECK_EQ(guest_write(mmu, va, data, bytes), can);
	/* In two pages of one frame the later byte counts. */
	for (i = 0; i < bytes; i++)
		if (can) {
			CHECK_EQ(*at[i], data[i]);
			written[(at[i] - machine_memory - RAM_PA) >> 12] = true;
		} else if (model_byte(va + i, write, &at[i])) {
			CHECK_EQ(*at[i], was[i]);
		}
}

/* ---- everything that is mapped, against the model ----------------------- */

/* The addresses that random_step() uses. */
#define ADDRESSES	(6 * 4 * 4 * 4)
static gva_t nth(uint32_t i)
{
	static const uint16_t at[] = { 0, 1, 510, 511, 256, 271 };

	return address(at[i / 64], at[i / 16 % 4], at[i / 4 % 4], at[i % 4]);
}

static void check_va(const struct mmu *m, gva_t va, bool stale)
{
	uint64_t pa, rights;
	struct model model;

	if (ours(va) || !cpu_walk(m, va, &pa, &rights))
		return;
	CHECK(pa - RAM_PA < FRAMES << 12 || pa == (mm.gmem.bus & ADDR));
	CHECK(pa - RAM_PA >= FRAMES << 12 || !model_absent(pa - RAM_PA));
	CHECK(pa != (mm.gmem.bus & ADDR) || !(rights & W));
	if (stale)
		return;
	CHECK_EQ(model_walk(va, &model), MODEL_LEAF);
	check_where(pa, &model);
	CHECK(model.rights & A);
	CHECK_EQ(rights & ~model.rights & (U | W), 0);
	CHECK_EQ(~rights & model.rights & NX, 0);
	CHECK(!(rights & W) || (model.rights & D));
}

void check_vcpu(const struct mmu *m, bool stale)
{
	struct mmu *runs = mmu;
	uint32_t i;

	mmu = (struct mmu *)m;		/* whose CR3 the model uses */
	for (i = 0; i < ADDRESSES; i++)
		check_va(m, nth(i), stale);
	mmu = runs;
}

/* What is ours in a vCPU's tables. */
static void check_ours(const struct mmu *m)
{
	const uint64_t *t = host_va(m->pml4);
	int level;

	CHECK_EQ(t[271], m->trampoline);
	if (!mm.reserved)
		return;
	for (level = 4; level > 1; level--) {
		CHECK(t[511] & P);
		t = host_va(t[511] & ADDR);
	}
	CHECK(t == m->reserved_pt);
}

void check_pool(void)
{
	uint32_t i, j, n = 0, used = 0, links = 0, parents = 0;
	const struct spage *p;

	for (i = 0; i < mm.mmus; i++)
		if (mmus[i].top)
			check_ours(&mmus[i]);
	for (i = 1; i < mm.count; i++) {
		p = &mm.pages[i];
		if (p->role == SP_FREE)
			continue;
		used++;
		parents += p->parents;
		CHECK(p->role != SP_PML4 || !p->parents);
		for (j = 0; j < 512; j++) {
			if (!(p->table[j] & SE_LINK))
				continue;
			CHECK(p->role == SP_PD || p->role == SP_PDPT ||
			      p->role == SP_PML4);
			CHECK(page_of(&mm, p->table[j])->role != SP_FREE);
			links++;
		}
	}
	for (i = mm.free; i; i = mm.pages[i].next)
		n++;
	CHECK_EQ(n, mm.free_count);
	for (i = mm.quarantine; i; i = mm.pages[i].next)
		n++;
	CHECK_EQ(n + used, mm.count - 1);
	CHECK_EQ(links, parents);
}

/*
 * Another that is in the guest may walk what it could when it went in, and may
 * have the translations of that moment: those pages are nothing else meanwhile,
 * those on the way to the reserved top lead there, and if one of these has gone, it
 * flushes before it goes in again.
 */
static struct seen {
	uint8_t		role[POOL];	/* of what it can walk; 0: it cannot */
	uint32_t	gfn[POOL];
	bool		way[POOL];	/* to the reserved top */
	uint64_t	pa[ADDRESSES], rights[ADDRESSES];	/* P, too: it is mapped */
} seen[VCPUS];

static void see(struct seen *s, uint64_t table, int level)
{
	uint32_t i = page_of(&mm, table) - mm.pages, j;
	const uint64_t *t = host_va(table & ADDR);

	if (i >= mm.count || s->role[i])
		return;
	s->role[i] = mm.pages[i].role;
	s->gfn[i] = mm.pages[i].gfn;
	s->way[i] = level > 1 && mm.pages[i].reserved && (t[511] & P);
	for (j = 0; j < 512 && level > 1; j++)
		if ((t[j] & SE_LINK) && (t[j] & P))
			see(s, t[j], level - 1);
}

static void see_all(const struct mmu *m)
{
	struct seen *s = &seen[m->nr];
	uint32_t i;

	memset(s, 0, sizeof(*s));
	see(s, m->pml4, 4);
	for (i = 0; i < ADDRESSES; i++)
		s->rights[i] = cpu_walk(m, nth(i), &s->pa[i], &s->rights[i]) ?
			       s->rights[i] | P : 0;
}

static void check_pages(const struct seen *s)
{
	const struct spage *p;
	uint32_t i, q;

	for (i = 1; i < POOL; i++) {
		p = &mm.pages[i];
		if (!s->role[i] || p->role == SP_ORPHAN ||
		    (p->role == s->role[i] && p->gfn == s->gfn[i]))
			continue;
		CHECK_EQ(p->role, SP_FREE);
		for (q = mm.quarantine; q && q != i;)
			q = mm.pages[q].next;
		CHECK(q);
		CHECK(!s->way[i] || (p->table[511] & P));
	}
}

static void check_translations(const struct mmu *m, const struct seen *s)
{
	uint64_t pa, rights;
	uint32_t i;

	for (i = 0; i < ADDRESSES; i++) {
		if (!s->rights[i])
			continue;
		CHECK(cpu_walk(m, nth(i), &pa, &rights));
		CHECK_EQ(pa, s->pa[i]);
		CHECK_EQ(s->rights[i] & ~rights & (U | W), 0);
		CHECK_EQ(rights & ~s->rights[i] & NX, 0);
	}
}

void check_others(void)
{
	uint32_t n;

	for (n = 0; n < mm.mmus; n++) {
		if (!mmus[n].inside)
			continue;
		check_pages(&seen[n]);
		if (!mmus[n].flush)
			check_translations(&mmus[n], &seen[n]);
	}
}

/* ---- start -------------------------------------------------------------- */

void model_start(uint32_t vcpus, bool reserve)
{
	uint64_t tramp;
	uint32_t i;

	if (!machine_memory) {
		machine_memory = aligned_alloc(2 << 20, MACHINE_MB << 20);
		memset(machine_memory, 0, MACHINE_MB << 20);
	}
	/* Of the guest's RAM what was used: tables, and what was written. */
	memset(entry(16, 0), 0, 16 * PAGE_SIZE);
	for (i = 0; i < FRAMES; i++)
		if (written[i])
			memset(entry(i, 0), 0, PAGE_SIZE);
	memset(written, 0, sizeof(written));
	next_pa = RAM_PA - GAP;
	memset(&mm, 0, sizeof(mm));
	memset(mmus, 0, sizeof(mmus));
	CHECK(gmem_init(&mm.gmem, GUEST_MB << 20));
	CHECK_EQ(gmem_leaf(&mm.gmem, 0) & ADDR, RAM_PA);
	memset(mm.gmem.p2m + HOLE_FRAME, 0, HOLE_FRAMES * 8);
	CHECK(!mm_init(&mm, POOL, true));
	mm.device[0] = APIC_FRAME;
	for (i = 0; i < vcpus; i++) {
		mmu = &mmus[i];
		CHECK(!mmu_init(mmu, &mm));
		mmu_join(mmu);
		mmu->processor = i;
		tramp = host_pa(host_pages(PAGE_SIZE, PAGE_SIZE));
		mmu->trampoline = tramp | A | W | P;
		long_set_mode(mmu, EFER_NXE);
		CHECK(long_set_cr3(mmu, 16 << 12));
		if (reserve && !i)
			long_reserve(mmu);
		mmu->inside = true;
	}
	mmu = mmus;
	mmu->inside = false;
	memset(seen, 0, sizeof(seen));
	mm.zaps = model_kicks = 0;
}

void model_run(uint32_t n)
{
	unsigned int flushes = tlb_flushes;

	mmu_flush_tlb(mmu);
	check_others();
	if (&mmus[n] != mmu) {
		see_all(mmu);
		mmu->inside = true;
	}
	mmu = &mmus[n];
	mmu->inside = false;
	mmu_flush_tlb(mmu);
	CHECK_EQ(tlb_flushes, flushes);
}

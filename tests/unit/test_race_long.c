// SPDX-License-Identifier: GPL-2.0-only
/*
 * The four-level shadow against a guest that changes every entry in the very moment
 * in which we read it, as test_race.c does it for 32-bit guests, with several vCPUs.
 *
 * Whatever happens, the shadow maps the guest's own frames and nothing else; and at
 * no moment, not between two accesses of ours, is what is ours missing from tables
 * that another vCPU may have loaded.
 */
#include <stdlib.h>

#include <cpu.h>

#include "log.h"
#include "shadow.h"
#include "tsan_hooks.h"
#include "unit.h"

#define GUEST_MB	7
#define FRAMES		(GUEST_MB * 256)
#define MACHINE_MB	32
#define POOL		48
#define VCPUS		3
#define TRAMPOLINE	(0x123000 | PTE_A | PTE_W | PTE_P)

static struct mm mm;
static struct mmu mmus[VCPUS], *m;
static uint64_t next_pa, seed = 1;
static uintptr_t ram;		/* the guest's, as we see it */
static bool racing;
static unsigned int reads;

void host_kick(uint32_t to) { mmus[to].inside = false; }
void host_pages_free(void *at, uint64_t bytes) { (void)at, (void)bytes; }

void *host_pages(uint64_t bytes, uint64_t align)
{
	uint64_t at = (next_pa + align - 1) & -align;

	next_pa = at + bytes;
	assert_true(next_pa <= MACHINE_MB << 20);
	return memset(machine_memory + at, 0, bytes);
}

void panic_at(const char *file, int line, const char *fmt, ...)
{
	fail_msg("panic at %s:%d: %s", file, line, fmt);
	abort();
}

uint32_t copy_fixup(void *dst, const void *src, uint32_t len)
{
	(void)dst, (void)src;
	return len;
}

/* ---- the other side ----------------------------------------------------- */

static uint32_t rnd(uint32_t n)
{
	return unit_random(&seed) % n;
}

/* An entry: mostly of frames that are there, many of them tables. */
static uint64_t hostile_entry(void)
{
	uint64_t flags = unit_random(&seed) & 0x1e7;
	uint64_t gfn = rnd(4) ? 16 + rnd(16) : rnd(FRAMES);

	if (!rnd(8))
		gfn = rnd(2) ? FRAMES + rnd(512) : unit_random(&seed) >> 28;
	if (rnd(16))
		flags = (flags | PTE_P) & ~PTE_PS;
	if (rnd(4))
		flags |= PTE_A | PTE_D | PTE_U | PTE_W;
	return (gfn << PAGE_SHIFT & PTE_ADDR) | flags | (rnd(16) ? 0 : PTE_NX);
}

static bool in_guest(uintptr_t a)
{
	return a - ram < GUEST_MB << 20;
}

/* What the processors of all vCPUs need at any moment. */
static void check_ours(void)
{
	const uint64_t *t;
	uint32_t i;
	int level;

	for (i = 0; i < mm.mmus; i++) {
		if (!mmus[i].top)
			continue;
		t = host_va(mmus[i].pml4);
		assert_int_equal(t[LONG_SLOT], TRAMPOLINE);
		for (level = SP_PML4; level > SP_PT && mm.reserved; level--) {
			assert_true(t[511] & PTE_P);
			t = host_va(t[511] & PTE_ADDR);
		}
		assert_true(!mm.reserved || t == mmus[i].reserved_pt);
	}
}

void before_volatile_read(void *at, uint32_t len)
{
	uintptr_t a = (uintptr_t)at;
	uint64_t entry;

	(void)len;
	if (!racing || !in_guest(a))
		return;
	check_ours();
	reads++;
	if (!rnd(4))	/* else progress would be rare */
		return;
	entry = hostile_entry();
	memcpy((void *)(a & -8ul), &entry, 8);
}

void before_plain_access(void *at)
{
	if (!racing)
		return;
	if (in_guest((uintptr_t)at))
		fail_msg("guest memory is accessed around gmem");
	/* Of the many that change nothing some are enough. */
	if ((uintptr_t)at % 64 == 56)
		check_ours();
}

/* ---- what must hold ----------------------------------------------------- */

static void check_leaf(uint64_t e, bool large)
{
	uint64_t pa = e & PTE_ADDR, first = host_pa((void *)ram);

	if (pa == (mm.gmem.bus & PTE_ADDR)) {
		assert_false(large || (e & PTE_W));
		return;
	}
	assert_in_range(pa, first, first + (GUEST_MB << 20) -
				 (large ? 2 << 20 : PAGE_SIZE));
}

/* Ours, or a page of the pool of the next level, or one that is empty. */
static void check_link(const struct spage *p, uint32_t i, uint64_t e)
{
	const struct spage *next = page_of(&mm, e);

	if (!(e & SE_LINK)) {
		assert_true(i == 511 || (i == LONG_SLOT && p->role == SP_PML4));
		return;
	}
	assert_in_range(next - mm.pages, 1, mm.count - 1);
	assert_true(next->role == p->role - 1 || next->role == SP_ORPHAN ||
		    (next->role == SP_SPLIT && p->role == SP_PD));
}

static void check_all(void)
{
	uint32_t i, j, used = 0, free = 0;

	for (i = 1; i < mm.count; i++) {
		struct spage *p = &mm.pages[i];

		used += p->role != SP_FREE;
		assert_true(p->role == SP_FREE || p->gfn < FRAMES);
		for (j = 0; j < 512 && p->role != SP_FREE; j++) {
			uint64_t e = p->table[j];

			if (!(e & PTE_P))
				continue;
			if (p->role == SP_PT || p->role == SP_SPLIT ||
			    (e & PTE_PS))
				check_leaf(e, e & PTE_PS);
			else if (p->role == SP_ORPHAN)
				assert_true(j == 511 && !(e & SE_LINK));
			else
				check_link(p, j, e);
		}
	}
	for (i = mm.free; i; i = mm.pages[i].next)
		free++;
	assert_int_equal(free, mm.free_count);
	for (i = mm.quarantine; i; i = mm.pages[i].next)
		free++;
	assert_int_equal(free + used, mm.count - 1);
	check_ours();
}

/* ---- the guest ---------------------------------------------------------- */

static void start(void)
{
	uint32_t i;

	next_pa = 4 << 20;
	memset(&mm, 0, sizeof(mm));
	memset(mmus, 0, sizeof(mmus));
	assert_true(gmem_init(&mm.gmem, GUEST_MB << 20));
	ram = (uintptr_t)gmem_boot_ram(&mm.gmem);
	assert_null(mm_init(&mm, POOL, true));
	for (i = 0; i < VCPUS; i++) {
		m = &mmus[i];
		assert_null(mmu_init(m, &mm));
		mmu_join(m);
		m->processor = i;
		m->trampoline = TRAMPOLINE;
		assert_true(long_set_cr3(m, 16 << 12));
		long_set_mode(m, rnd(4) ? EFER_NXE : 0);
	}
	if (rnd(4))
		long_reserve(m);
}

/* Few addresses, so that things meet. */
static gva_t random_va(void)
{
	static const uint16_t at[] = { 0, 1, 510, 511, 271 };
	gva_t va = (gva_t)at[rnd(5)] << 39 | (gva_t)at[rnd(4)] << 30 |
		   at[rnd(4)] << 21 | at[rnd(4)] << 12;

	return va >> 47 ? va | 0xffffull << 48 : va;
}

static void step(void)
{
	uint32_t error = unit_random(&seed) & (PF_W | PF_U | PF_I);
	uint64_t word;
	gpa_t pa;

	switch (rnd(16)) {
	case 0:
		long_set_cr3(m, (uint64_t)(16 + rnd(16)) << 12);
		break;
	case 1:
		if (rnd(2))
			long_forget_other(m, &mmus[rnd(VCPUS)]);
		long_flush(m);
		break;
	case 2:
		long_inval_other(m, &mmus[rnd(VCPUS)], random_va());
		break;
	case 3:
		long_page_table(m, rnd(8) ? 16 + rnd(16) : hostile_entry(),
				rnd(2));
		break;
	case 4:
		long_entry_changed(m, hostile_entry() & PTE_ADDR);
		break;
	case 5:
		if (long_translate(m, random_va(), &pa))
			long_entry_changed(m, pa);
		break;
	case 6:
		guest_read(m, &word, random_va() + rnd(4096), 8);
		break;
	case 7:
		guest_write(m, random_va() + rnd(4096), &word, 8);
		break;
	case 8:
		m->inside = true;
		m = &mmus[rnd(VCPUS)];
		m->inside = false;
		mmu_flush_tlb(m);
		break;
	default:
		long_fault(m, random_va(), &error, &pa);
	}
}

static void test_words_change_as_they_are_read(void **state)
{
	uint32_t run, i;
	uint64_t zaps = 0, fills = 0;

	(void)state;
	for (run = 0; run < 200; run++) {
		start();
		for (i = 0; i < 400; i++) {
			racing = true;
			step();
			racing = false;
			check_all();
		}
		zaps += mm.zaps;
		fills += mm.fills;
	}
	assert_true(reads > 200 * 400);
	assert_true(fills > 200 * 10 && zaps > 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words_change_as_they_are_read),
	};

	machine_memory = calloc(MACHINE_MB, 1 << 20);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

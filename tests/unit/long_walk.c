// SPDX-License-Identifier: GPL-2.0-only
/*
 * A 64-bit guest that changes its tables at random and keeps the rules of x86 and
 * VMI about telling; see long_model.h. Each of its tables may be of any level, of
 * several at once, in several places, and mapped as data.
 */
#include <string.h>

#include "long_model.h"

#define TABLES	12		/* frames 16 to 27 */

/* It has not flushed since an entry was changed without a word. */
static bool stale[VCPUS];

static uint32_t random_frame(void)
{
	return 16 + rnd(TABLES);
}

static bool is_tracked(uint32_t frame)
{
	return mm.frames[frame].flags & GF_TRACKED;
}

static uint64_t random_entry(void)
{
	uint64_t e = rnd(16) ? P : 0;

	e |= rnd(12) ? W : 0;
	e |= rnd(12) ? U : 0;
	e |= rnd(2) ? A : 0;
	e |= rnd(2) ? D : 0;
	e |= rnd(24) ? 0 : NX;
	switch (rnd(32)) {
	case 0:			/* a large page, sometimes with a wrong bit */
		return e | PS | rnd(6) << 21 | (rnd(8) ? 0 : 1 << (12 + rnd(9)));
	case 1: case 4: case 5:	/* data */
		return e | rnd(FRAMES) << 12;
	case 2:			/* beyond the guest's memory, or the machine's */
		return e | (FRAMES + rnd(64)) << 12 | 1ull << (30 + rnd(22));
	case 3:
		return e | (rnd(2) ? APIC_FRAME : FRAMES) << 12;
	default:
		return e | random_frame() << 12;
	}
}

/* Few addresses, so that things meet. */
static const uint16_t at[] = { 0, 1, 510, 511, 256, 271 };

static uint32_t random_index(void)
{
	return at[rnd(8) ? rnd(4) : rnd(6)];
}

static gva_t random_va(void)
{
	return address(random_index(), at[rnd(4)], at[rnd(4)], at[rnd(4)]);
}

/* An entry changes. */
static void change(void)
{
	uint32_t frame = random_frame(), i = random_index(), n;

	*entry(frame, i) = random_entry();
	/* Before VMI_Init nothing is told; nor of tables of its own making, until
	 * it has to. */
	if (mm.reserved && (is_tracked(frame) || rnd(2))) {
		long_entry_changed(mmu, frame << 12 | i << 3);
		mmu_flush_tlb(mmu);
		return;
	}
	for (n = 0; n < mm.mmus; n++)
		stale[n] = true;
}

#define RUN	8u		/* words of a queue */
#define INVAL	3u		/* the kind of one of a page */

/* Several change, and a queue tells of them all: mostly of one table, of some twice,
 * and of pages in between. */
static void change_run(void)
{
	uint32_t frame = random_frame(), n = 1 + rnd(RUN), k;
	uint64_t words[RUN];
	const volatile uint64_t *word = words;

	for (k = 0; k < n; k++) {
		if (!rnd(3)) {
			words[k] = random_va() | INVAL;
			continue;
		}
		if (!rnd(8))
			frame = random_frame();
		words[k] = frame << 12 | random_index() << 3;
		if (k > 1 && rnd(2) && !(words[k - 2] % 8))
			words[k] = words[k - 2];
		*entry(words[k] >> 12, words[k] >> 3 & 511) = random_entry();
	}
	while ((word = long_entries_changed(mmu, word, words + n, INVAL)) !=
	       words + n)
		long_inval(mmu, *word++ & ~4095ull);
	mmu_flush_tlb(mmu);
}

/* A page becomes a table that is told of, or is none any more. */
static void change_page(void)
{
	uint32_t frame = random_frame(), n;
	bool is = rnd(2);

	if (!mm.reserved)
		return;
	if (rnd(2)) {
		memcpy(entry(frame, 0), entry(random_frame(), 0), PAGE_SIZE);
		for (n = 0; n < mm.mmus && !is_tracked(frame); n++)
			stale[n] = true;
		is |= is_tracked(frame);
	}
	long_page_table(mmu, frame, is);
	mmu_flush_tlb(mmu);
}

static void load(void)
{
	uint32_t gfn = rnd(16) ? random_frame() : FRAMES + rnd(9);
	uint64_t was = mmu->pml4;

	if (long_set_cr3(mmu, (uint64_t)gfn << 12 | (rnd(2) ? 0x18 : 0))) {
		CHECK(gfn < FRAMES);
		stale[mmu->nr] = false;
		return;
	}
	CHECK(gfn >= FRAMES && mmu->pml4 == was);
}

static void flush(void)
{
	long_flush(mmu);
	stale[mmu->nr] = false;
}

/* Another one flushes, wherever it is: all, or a page. */
static void flush_other(void)
{
	struct mmu *other = mm.mmu[rnd(mm.mmus)];

	if (rnd(2)) {
		long_forget_other(mmu, other);
		stale[other->nr] = false;
	} else {
		long_inval_other(mmu, other, rnd(8) ? random_va() : LONG_TOP);
	}
	mmu_flush_others(mmu, 1u << other->nr);
	CHECK(!other->inside || !other->flush);
}

/* INIT and STARTUP, of one that is in the guest no more. */
static void start_again(void)
{
	const uint32_t efer = mmu->mode;

	mmu_reset(mmu);
	mmu_join(mmu);
	long_set_mode(mmu, efer);
	CHECK(long_set_cr3(mmu, (uint64_t)random_frame() << 12));
	stale[mmu->nr] = false;
}

static void set_nxe(void)
{
	uint32_t efer = rnd(4) ? EFER_NXE : 0, n, runs = mmu->nr;

	for (n = 0; n < mm.mmus; n++) {
		model_run(n);
		long_set_mode(mmu, efer);
	}
	model_run(runs);
}

/* A copy, but not of a table: that would change without a word, or by the copy. */
static void copy(void)
{
	gva_t va = random_va() + (rnd(2) ? 4096 - rnd(64) : rnd(4096));
	struct model m;
	uint32_t i;

	for (i = 0; i < 2; i++)
		if (model_walk((va & ~4095ull) + i * 4096, &m) == MODEL_LEAF &&
		    (m.pa >> 12) - 16 < TABLES)
			return;
	do_copy(va, rnd(65), rnd(2));
}

void random_step(void)
{
	struct long_wrong wrong;

	switch (rnd(16)) {
	case 0: case 1:
		change();
		break;
	case 2:
		if (mm.reserved)
			change_run();
		break;
	case 3:
		if (!rnd(4))
			change_page();
		break;
	case 4:
		if (!rnd(4))
			load();
		break;
	case 5:
		flush();
		break;
	case 6:
		if (rnd(4)) {
			long_inval(mmu, rnd(8) ? random_va() : LONG_TOP);
			mmu_flush_tlb(mmu);
		} else {
			flush_other();
		}
		break;
	case 7:
		if (!rnd(64))
			set_nxe();
		if (!rnd(64) && !mm.reserved)
			long_reserve(mmu);
		if (!rnd(64))
			start_again();
		break;
	case 8:
		model_run(rnd(mm.mmus));
		break;
	case 9: case 10:
		if (!stale[mmu->nr])
			copy();
		break;
	default:
		/* As x86 has it: first what makes it see the changes. */
		if (stale[mmu->nr])
			flush();
		do_access(random_va(), rnd(2) * PF_W | rnd(2) * PF_U |
				       rnd(2) * PF_I);
	}
	if (rnd(4))
		return;
	check_pool();
	if (!long_verify(mmu, &wrong))
		check_failed(__FILE__, __LINE__,
			     "entry %u of frame %u, level %u, is %#" PRIx64
			     ", the guest has %#" PRIx64, wrong.i, wrong.gfn,
			     wrong.level, wrong.shadow, wrong.guest);
	check_vcpu(mmu, stale[mmu->nr]);
	check_others();
}

void walk_start(uint32_t vcpus)
{
	uint32_t i, j;

	model_start(vcpus, rnd(4));
	memset(stale, 0, sizeof(stale));
	/* So much that something is mapped. */
	for (i = 0; i < TABLES; i++)
		for (j = 0; j < 4; j++)
			*entry(16 + i, at[j]) = (16 + (i * 7 + j * 3 + 1) %
						      TABLES) << 12 |
						A | U | W | P;
	for (i = vcpus; i--;) {
		model_run(i);
		flush();
	}
}

// SPDX-License-Identifier: GPL-2.0-only
/* A guest that changes its tables at random; see shadow_model.h. */
#include <string.h>

#include "shadow_model.h"

/*
 * Frames 16-19 are page directories, 20-29 page tables, and with PAE 30 and
 * 31 hold two PDPTs each. Tables may also be mapped as data, and a directory
 * can be linked as a table.
 */
#define PDS	4
#define PTS	10

static uint32_t random_table(bool pd)
{
	return pd ? 16 + rnd(PDS) : 20 + rnd(PTS);
}

static uint32_t random_cr3(void)
{
	uint32_t n;

	if (!wide)
		return random_table(true) << 12;
	n = rnd(4);
	return (30 + (n >> 1)) << 12 | (n & 1) << 5;
}

void tell(uint32_t pa)
{
	volatile struct stub_shared *sh = v->sh;

	if (!sh->tail)
		queue_drain(v);
	sh->queue[STUB_QUEUE_LEN + sh->tail++] =
		rnd(2) ? LINEAR_VA + pa : pa | STUB_Q_UPDATE_PA;
}

void tell_page(uint32_t gfn, uint32_t op)
{
	volatile struct stub_shared *sh = v->sh;

	if (!sh->tail)
		queue_drain(v);
	sh->queue[STUB_QUEUE_LEN + sh->tail++] = gfn << 12 | op | STUB_Q_PAGE;
}

static uint64_t random_pte(void)
{
	uint64_t pte = rnd(8) ? P : 0;

	pte |= rnd(4) ? W : 0;
	pte |= rnd(4) ? U : 0;
	pte |= rnd(2) ? A : 0;
	pte |= rnd(2) ? D : 0;
	if (wide && !rnd(16))	/* far beyond the guest's memory */
		return pte | 1ull << 44;
	pte |= wide && !rnd(4) ? 1ull << 63 : 0;
	/* Now and then a table as data, or nothing at all. */
	if (rnd(8))
		return pte | rnd(FRAMES) << 12;
	return pte | (rnd(2) ? 16 + rnd(14) : FRAMES + rnd(64)) << 12;
}

static uint64_t random_pde(void)
{
	uint64_t pde = random_pte() & 0x8000000000000fffull;

	if (!rnd(4))
		return pde | PS | (wide ? rnd(8) << 21 : rnd(4) << 22);
	return pde | (rnd(8) ? random_table(false) : random_table(true)) << 12;
}

/* Few addresses, so that things meet. */
static uint32_t random_va(void)
{
	static const uint32_t at[] = { 0, 1, 2, 768, 769, 1007 };

	uint32_t va = at[rnd(6)] << 22, in = rnd(8);

	return va | (in >> 2) << 21 | (in & 3) << 12;
}

static uint32_t random_pde_index(void)
{
	/* Now and then in the reserved top, which has no effect. */
	uint32_t va = rnd(8) ? random_va() : TOP;

	return wide ? va >> 21 & 511 : va >> 22;
}

static uint32_t random_pte_index(void)
{
	return wide ? rnd(4) : (rnd(2) << 9) | rnd(4);
}

static void flush(void)
{
	queue_drain(v);
	queue_peek(v);
	mmu_flush(mmu);
	check_all();
}

/* Has the sibling flush. */
static void flush_other(void)
{
	struct mmu *other = &v->sibling->mmu;

	queue_drain(v);
	queue_peek(v);
	if (rnd(2))
		mmu_forget_other(mmu, other);
	else
		mmu_inval_other(mmu, other, random_va());
	mmu_flush_others(mmu, 1u << other->nr);
	other_flushed_check();
}

void random_step(void)
{
	uint32_t pa, i;

	switch (rnd(15)) {
	case 0:			/* tables are told of: nothing stale after a drain */
	case 1:
		pa = random_table(false) << 12;
		i = random_pte_index();
		put(pa, i, random_pte());
		tell(entry_at(pa, i));
		break;
	case 2:
		pa = random_table(true) << 12;
		i = random_pde_index();
		put(pa, i, random_pde());
		tell(entry_at(pa, i));
		break;
	case 10:
		if (!wide || rnd(4))
			break;
		pa = random_cr3();
		i = rnd(4);
		put(pa, i, rnd(4) ? random_table(true) << 12 | P : 0);
		tell(entry_at(pa, i));
		break;
	case 3:
		queue_drain(v);
		cr3_write(v, random_cr3());
		check_all();
		break;
	case 4:
		if (!rnd(4))
			flush();
		else if (v->sibling != v)
			flush_other();
		break;
	case 5:			/* a page leaves and comes back, cleared */
		pa = random_table(wide && rnd(2));
		if (rnd(2))	/* or freed without a word */
			tell_page(pa, STUB_QP_RELEASE);
		memset(ram(pa << 12), 0, 4096);
		tell_page(pa, STUB_QP_ALLOC);
		break;
	case 6:			/* directories that agree, as kernels have */
		if (wide)
			break;
		pa = random_table(true) << 12;
		i = (16 + rnd(PDS)) << 12;
		if (i != pa)
			memcpy(ram(i) + 768, ram(pa) + 768, 1024);
		for (pa = 16; pa < 16 + PDS; pa++)
			tell_page(pa, STUB_QP_ALLOC);
		break;
	case 9:
		if (!rnd(8) && g->mm.mmus == 1) {
			queue_drain(v);
			set_mode(v->cr0 ^ CR0_WP, v->cr4, v->efer);
		}
		break;
	case 7:
		queue_drain(v);
		queue_peek(v);
		mmu_inval(mmu, random_va());
		mmu_flush_tlb(mmu);
		check_all();
		break;
	default:
		/* Untold changes of the past are not in the way: tell first. */
		queue_drain(v);
		queue_peek(v);
		mmu_flush_tlb(mmu);
		pa = random_va();
		i = rnd(4);
		do_access(pa, i & 1, i & 2);
	}
	tlb_check();
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The update queue of the shared area. Everything here was written by the
 * guest: each entry is read once, and an address is only ever used to look up
 * a frame of the guest's own. Compiled with mm/ (hv.mk), whose loop over a run
 * it is that costs.
 */
#include "vmi.h"

_Static_assert(STUB_Q_UPDATE_VA < 2 && STUB_Q_UPDATE_PA < 2 &&
	       STUB_Q_PAGE >= 2 && STUB_Q_INVAL >= 2, "bit 1: not an update");

/* An entry that is not an update. */
static void drain_other(struct mmu *m, uint32_t entry)
{
	if ((entry & STUB_Q_KIND) == STUB_Q_INVAL)
		mmu_inval(m, entry & ~(PAGE_SIZE - 1));
	else if ((entry & STUB_QP_OP) == STUB_QP_ALLOC)
		mmu_page_table(m, entry >> PAGE_SHIFT, true);
	else if ((entry & STUB_QP_OP) == STUB_QP_RELEASE)
		mmu_page_table(m, entry >> PAGE_SHIFT, false);
}

/* Updates come in runs within one table: their entries differ only in where in
 * that they are. */
void queue_updates(struct mmu *m, volatile struct stub_shared *sh,
		   const volatile uint32_t *at,
		   const volatile uint32_t *end)
{
	uint32_t entry, pa;

	do {
		entry = *at;
		if (entry & 2) {
			drain_other(m, entry);
			at++;
			continue;
		}
		pa = entry & ~STUB_Q_KIND;
		if ((entry & STUB_Q_KIND) == STUB_Q_UPDATE_VA)
			pa += sh->linear[0].pa - sh->linear[0].va;
		at = mmu_run_changed(m, pa, entry, at, end);
	} while (at != end);
}

/* An entry that is not an update. */
static void drain_other_wide(struct mmu *m, uint64_t word)
{
	uint64_t pa = word & ~(uint64_t)STUB64_Q_KIND;

	switch (word & STUB64_Q_KIND) {
	case STUB64_Q_ALLOC:
		long_page_table(m, pa >> PAGE_SHIFT, true);
		break;
	case STUB64_Q_RELEASE:
		long_page_table(m, pa >> PAGE_SHIFT, false);
		break;
	case STUB64_Q_INVAL:
		long_inval(m, pa & ~(uint64_t)(PAGE_SIZE - 1));
		break;
	}
}

/* A word that is another when it is read again is what it is then. */
static __attribute__((noinline))
void drain_wide(struct mmu *m, const volatile uint64_t *at,
		const volatile uint64_t *end)
{
	while ((at = long_entries_changed(m, at, end, STUB64_Q_INVAL)) != end)
		drain_other_wide(m, *at++);
}

/* One alone is that of a fresh page. */
void queue_updates_wide(struct mmu *m, const volatile uint64_t *at,
			const volatile uint64_t *end)
{
	uint64_t word = *at;

	if (at + 1 == end && !(word & STUB64_Q_KIND))
		long_entry_alone(m, word);
	else
		drain_wide(m, at, end);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frames of other guests in place of a guest's own (core/pages.c), by whoever has its
 * lock and is in none of its vCPUs. A frame is one entry of gmem.p2m, so nothing that
 * runs later pays for it: here everything goes that still has the old one, the
 * shadow's entries, the TLBs, and pointers to guest tables.
 *
 * Such a frame has two writers that do not know of each other. To the tables of either
 * guest what the other one writes is as if a device had written it: what the shadow
 * and TLBs have of them stays until the guest itself flushes or tells of it.
 */
#include <string.h>

#include "shadow.h"

uint64_t mm_frame(const struct mm *mm, uint64_t gfn)
{
	return gmem_find(&mm->gmem, gfn);
}

void mm_frame_zero(uint64_t frame)
{
	memset(gmem_leaf_table(frame, 0), 0, PAGE_SIZE);
}

static void forget_table(struct mm *mm, uint64_t gfn)
{
	if (mm->mmus)
		view_forget_table(mm->mmu[0], gfn);
	pool_stale(mm);
}

bool mm_share(struct mm *mm, uint64_t gfn)
{
	struct gframe *f = &mm->frames[gfn];

	if (f->shared == UINT8_MAX)
		return false;
	f->shared++;
	return true;
}

void mm_unshare(struct mm *mm, uint64_t gfn)
{
	mm->frames[gfn].shared--;
	pool_stop(mm);
	forget_table(mm, gfn);
}

void mm_drop_frame(struct mm *mm, uint64_t frame)
{
	pool_stop(mm);
	view_drop_leaf(mm->mmu[0], frame);
	pool_stale(mm);
}

void mm_drop_frames(struct mm *mm)
{
	pool_stop(mm);
	mmu_view_drop_all(mm->mmu[0]);
	pool_stale(mm);
}

void mm_replace(struct mm *mm, uint64_t gfn, uint64_t frame)
{
	pool_stop(mm);
	view_put(mm, gfn, frame);
	forget_table(mm, gfn);
	if (!mm->fmt.wide)
		root_moved(mm, gfn);
}

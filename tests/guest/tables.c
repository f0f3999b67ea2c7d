// SPDX-License-Identifier: GPL-2.0-only
/*
 * What page tables cost: updates nothing until a flush, batches one exit. That
 * they are done is in tests/conformance.
 */
#include "suite.h"

#define ALIAS_PAGE	16u		/* of PLAY: shows play_table */

static uint32_t other_directory[1024] __attribute__((aligned(PAGE)));

static void map_all(uint32_t shift)
{
	for (uint32_t i = 0; i < FRAMES; i++)
		play_map(PLAY_FIRST + i, frame_entry(i + shift));
}

static void update_all(uint32_t shift)
{
	for (uint32_t i = 0; i < FRAMES; i++) {
		uint32_t *entry = &linear(play_table)[PLAY_FIRST + i];

		*(volatile uint32_t *)entry = frame_entry(i + shift);
		vmi2(UpdatePxE, (uintptr_t)entry, VMI_PAGE_PT);
	}
}

void test_tables(void)
{
	uint32_t *const alias = (uint32_t *)(PLAY + ALIAS_PAGE * PAGE);

	map_all(1);				/* maps the table */
	vmi1(FlushTLB, VMI_FLUSH_TLB);
	costs(0, 1, map_all(0), "512 SetPxE cost no exit");
	vmi1(FlushTLB, VMI_FLUSH_TLB);
	costs(1, 1, map_all(1); vmi1(FlushTLB, VMI_FLUSH_TLB),
	      "512 SetPxE and a flush cost one exit");
	costs(1, 1, update_all(2); vmi1(FlushTLB, VMI_FLUSH_TLB),
	      "512 UpdatePxE and a flush cost one exit");
	costs(1, 1, map_all(3); map_all(4); map_all(5),
	      "a queue that is full costs one exit");
	vmi1(FlushTLB, VMI_FLUSH_TLB);
	costs(0, 3 * STUB_QUEUE_LEN, play_map(PLAY_FIRST, frame_entry(5)),
	      "3072 updates of one entry cost no exit");

	/* a table that is reached through another linear slot */
	play_map(ALIAS_PAGE, (uintptr_t)play_table | PTE_P | PTE_W);
	vmi4(VMI_CALL_SetLinearMapping, 1, (uintptr_t)alias, 1,
	     (uintptr_t)play_table / PAGE);
	set_entry(&alias[PLAY_FIRST], frame_entry(6), VMI_PAGE_PT);
	vmi1(FlushTLB, VMI_FLUSH_TLB);
	costs(0, 1, set_entry(&alias[PLAY_FIRST], frame_entry(7),
			      VMI_PAGE_PT),
	      "an update through linear slot 1 costs no exit");
	vmi4(VMI_CALL_SetLinearMapping, 1, 0, 0, 0);

	costs(0, 100, vmi4(VMI_CALL_AllocatePage, (uintptr_t)other_directory
			   / PAGE, VMI_PAGE_PD | VMI_PAGE_ZEROED, 0, 0);
	      vmi2(ReleasePage, (uintptr_t)other_directory / PAGE,
		   VMI_PAGE_PD | VMI_PAGE_ZEROED),
	      "AllocatePage and ReleasePage cost no exit");

	/* frames that have no place in a word of the queue */
	costs(200, 100, vmi4(VMI_CALL_AllocatePage, 0x1fffff + i_, VMI_PAGE_PT,
			     0, 0);
	      vmi2(ReleasePage, 0x1fffff + i_, VMI_PAGE_PT),
	      "a page above 4 GB is told of at once");
	vmi4(VMI_CALL_SetLinearMapping, 1, (uintptr_t)alias, 1,
	     0x100000 + (uintptr_t)play_table / PAGE);
	costs(1, 1, set_entry(&alias[PLAY_FIRST], frame_entry(10),
			      VMI_PAGE_PT),
	      "no linear slot is for entries above 4 GB");
	vmi1(FlushTLB, VMI_FLUSH_TLB);
	same(play_read(PLAY_FIRST), FRAME_MARK + 10, "which are asked for");
	vmi4(VMI_CALL_SetLinearMapping, 1, (uintptr_t)alias, 2, 0xfffff);
	costs(0, 1, set_entry(&alias[PLAY_FIRST], frame_entry(11),
			      VMI_PAGE_PT),
	      "the part of a slot below 4 GB counts");
	vmi4(VMI_CALL_SetLinearMapping, 1, 0, 0, 0);
	play_map(PLAY_FIRST, frame_entry(0));
}

/* ---- batches ------------------------------------------------------------------------ */

static void inval_batch(uint32_t shift)
{
	vmi1(SetLazyMode, VMI_LAZY_MMU);
	for (uint32_t i = 0; i < 100; i++) {
		play_map(PLAY_FIRST + i, frame_entry(i + shift));
		vmi1(InvalPage, PLAY + (PLAY_FIRST + i) * PAGE);
	}
	vmi1(SetLazyMode, VMI_LAZY_NONE);
}

static void switch_batch(uint32_t cr3)
{
	vmi1(SetLazyMode, VMI_LAZY_CPU);
	vmi1(SetCR3, cr3);
	vmi2(UpdateKernelStack, KERNEL_DS, 0x1000);
	for (uint32_t i = 0; i < 3; i++)
		write_gdt(SPARE_GDT + i, descriptor(0, i, 0x0040f200));
	vmi0(CLTS);
	vmi1(SetLazyMode, VMI_LAZY_NONE);
}

void test_batches(void)
{
	map_all(0);
	vmi1(FlushTLB, VMI_FLUSH_TLB);
	costs(1, 1, inval_batch(3), "100 invalidations in a batch cost one exit");
	costs(0, 100, vmi1(SetLazyMode, VMI_LAZY_MMU);
	      play_map(PLAY_FIRST, frame_entry(3));
	      vmi1(SetLazyMode, VMI_LAZY_NONE),
	      "a batch of updates alone costs no exit");

	/* the same kernel, another play area */
	for (uint32_t i = 0; i < 1024; i++)
		linear(other_directory)[i] = linear(page_directory)[i];
	vmi4(VMI_CALL_AllocatePage, (uintptr_t)other_directory / PAGE,
	     VMI_PAGE_PD | VMI_PAGE_ZEROED, 0, 0);
	set_entry(&linear(other_directory)[PLAY >> 22], 0, VMI_PAGE_PD);
	switch_batch((uintptr_t)other_directory);	/* fill its shadow */
	switch_batch((uintptr_t)page_directory);
	costs(1, 1, switch_batch((uintptr_t)other_directory),
	      "a context switch in a batch costs one exit");
	switch_batch((uintptr_t)page_directory);
	costs(10, 10, vmi1(SetCR3, (uintptr_t)page_directory),
	      "SetCR3 outside a batch costs one exit");
	vmi2(ReleasePage, (uintptr_t)other_directory / PAGE,
	     VMI_PAGE_PD | VMI_PAGE_ZEROED);
}

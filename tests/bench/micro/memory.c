// SPDX-License-Identifier: GPL-2.0-only
/* Page tables to measure with: eight of them at PLAY, all announced. */
#include "micro.h"

uint32_t other_directory[1024] __attribute__((aligned(PAGE)));
static uint32_t tables[TABLES][1024] __attribute__((aligned(PAGE)));
static uint8_t frames[TARGETS][PAGE] __attribute__((aligned(PAGE)));
static uint8_t user_pages[2][PAGE] __attribute__((aligned(PAGE)));

uint32_t va_of(uint32_t page)
{
	return PLAY + page * PAGE;
}

uint32_t *entry_of(uint32_t page)
{
	return &linear(tables[page / 1024])[page % 1024];
}

uint32_t present(uint32_t frame)
{
	return (uintptr_t)frames[frame] | PTE_P | PTE_W | PTE_U | PTE_A | PTE_D;
}

void set_entry(uint32_t page, uint32_t entry)
{
	vmi3(SetPxE, entry, (uintptr_t)entry_of(page), VMI_PAGE_PT);
}

void flush(void)
{
	vmi1(FlushTLB, VMI_FLUSH_TLB);
}

static void announce(const void *table, uint32_t level)
{
	vmi4(VMI_CALL_AllocatePage, (uintptr_t)table / PAGE,
	     level | VMI_PAGE_ZEROED, 0, 0);
}

void memory_init(void)
{
	uint32_t i;

	vmi4(VMI_CALL_SetLinearMapping, 0, LINEAR, 0x34000, 0);
	announce_tables();
	for (i = 0; i < TABLES; i++) {
		announce(tables[i], VMI_PAGE_PT);
		vmi3(SetPxE, (uintptr_t)tables[i] | PTE_P | PTE_W | PTE_U,
		     (uintptr_t)&linear(page_directory)[(PLAY >> 22) + i],
		     VMI_PAGE_PD);
	}
	for (i = 0; i < (uint32_t)(user_timed_end - user_timed); i++)
		user_pages[0][i] = user_timed[i];
	set_entry(USER_CODE, (uintptr_t)user_pages[0] | PTE_P | PTE_U);
	set_entry(USER_STACK,
		  (uintptr_t)user_pages[1] | PTE_P | PTE_U | PTE_W);
	set_entry(SLOT1_TABLE, (uintptr_t)tables[0] | PTE_P | PTE_W);
	vmi4(VMI_CALL_SetLinearMapping, 1, va_of(SLOT1_TABLE), 1,
	     (uintptr_t)tables[0] / PAGE);
	flush();
	/* Both halves of each table in use, as in a process that runs. */
	for (i = 0; i < TABLES * 2; i++) {
		set_entry(i * 512 + SCRATCH, present(0));
		(void)*(volatile uint32_t *)va_of(i * 512 + SCRATCH);
	}
	for (i = 0; i < 1024; i++)
		linear(other_directory)[i] = linear(page_directory)[i];
	announce(other_directory, VMI_PAGE_PD);
	flush();
}

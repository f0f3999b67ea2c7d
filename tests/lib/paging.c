// SPDX-License-Identifier: GPL-2.0-only
/* Paging with entries of 4 bytes, by the plain instructions. */
#include "calls.h"
#include "paging.h"

#define CR0_PG		0x80000000u
#define CR0_WP		0x00010000u
#define CR4_PSE		0x10u

/* Low memory by 4 KB pages, once for both of its places. */
static uint32_t low_tables[MAPPED >> 22][1024] __attribute__((aligned(PAGE)));
uint32_t page_directory[1024] __attribute__((aligned(PAGE)));

void paging_init(void)
{
	uint32_t value;

	for (uint32_t pa = 0; pa < MAPPED; pa += PAGE)
		low_tables[pa >> 22][pa >> 12 & 1023] = pa | PTE_P | PTE_W;
	for (uint32_t i = 0; i < MAPPED >> 22; i++)
		page_directory[i] = page_directory[(LINEAR >> 22) + i] =
			(uintptr_t)low_tables[i] | PTE_P | PTE_W;
	__asm__ volatile("mov %%cr4, %0" : "=r"(value));
	__asm__ volatile("mov %0, %%cr4" : : "r"(value | CR4_PSE));
	__asm__ volatile("mov %0, %%cr3" : : "r"(page_directory));
	__asm__ volatile("mov %%cr0, %0" : "=r"(value));
	__asm__ volatile("mov %0, %%cr0\n\tjmp 1f\n1:"
			 : : "r"(value | CR0_PG | CR0_WP) : "memory");
}

/* Those that paging began with; Linux announces its own in the same way. */
void announce_tables(void)
{
	vmi4(VMI_CALL_AllocatePage, (uintptr_t)page_directory / PAGE,
	     VMI_PAGE_PD | VMI_PAGE_ZEROED, 0, 0);
	for (uint32_t i = 0; i < MAPPED >> 22; i++)
		vmi4(VMI_CALL_AllocatePage, (uintptr_t)low_tables[i] / PAGE,
		     VMI_PAGE_PT | VMI_PAGE_ZEROED, 0, 0);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * A return to a stack segment of 16 bits loads SP and leaves the other bits of
 * RSP alone, even by IRETQ: bits 31-16 of the hypervisor's would become the
 * guest's. So such a return is made from an address with the guest's bits
 * there: one page, mapped at each address of 4 GB, holds the frame (entry.asm).
 * One table of each level does for that: all its entries are the same. In the
 * page each processor has a slice of its own.
 */
#include <cpu.h>

#include "x86.h"

_Static_assert(HOST_CPUS * ESPFIX_SLICE <= PAGE_SIZE, "one page");

static uint64_t *table_of(uint64_t entry, uint32_t entries)
{
	uint64_t *table = host_pages(PAGE_SIZE, PAGE_SIZE);
	uint32_t i;

	for (i = 0; table && i < entries; i++)
		table[i] = entry;
	return table;
}

bool espfix_init(void)
{
	const uint64_t flags = PTE_D | PTE_A | PTE_W | PTE_P;
	uint64_t *pml4 = host_va(read_cr3());
	void *at = host_pages(PAGE_SIZE, PAGE_SIZE);	/* page, then tables */

	if (at)
		at = table_of(host_pa(at) | flags | PTE_NX, 512);
	if (at)
		at = table_of(host_pa(at) | flags, 512);
	if (at)
		at = table_of(host_pa(at) | flags, 4);
	if (!at)
		return false;
	pml4[ESPFIX_FRAME >> 39 & 511] = host_pa(at) | flags;
	return true;
}

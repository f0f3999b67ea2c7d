// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hypervisor's own part of the address space, above 4 GB and the same for
 * all guests. What boot.asm makes lets everything be written and executed; from
 * here on
 *
 *	the direct map		is never executed
 *	code and constants	are written in neither place where they are mapped
 *	below each stack	is a page that is not there (and no frame of
 *				a function is larger, hv.mk)
 *
 * An overflow of a stack is a page fault whose frame cannot be pushed: a
 * double fault, on a stack of its own.
 */
#include <cpu.h>

#include "core.h"
#include "metal.h"

#define PTE_G		0x100u
#define PAGES		512u		/* of 4 KB, in the 2 MB with the image */
#define DIRECT_PAGES	(DIRECT_SIZE >> 21)

/* hv.ld; the first part runs where it is loaded. */
extern const char image_start[], text_start[], rodata_start[], data_start[];
extern const char image_end[];

/* By boot.asm: the direct map's directories, as one; the image's GB. */
extern uint64_t hv_pml4[PAGES], direct_pd[DIRECT_PAGES], image_pdpt[PAGES];

static uint64_t image_pd[PAGES] __attribute__((aligned(PAGE_SIZE)));
static uint64_t image_pt[PAGES] __attribute__((aligned(PAGE_SIZE)));
static uint64_t direct_pt[PAGES] __attribute__((aligned(PAGE_SIZE)));

struct stack stacks[STACKS] __attribute__((aligned(PAGE_SIZE)));

uint64_t host_tables(void)
{
	return host_pa(hv_pml4);
}

bool stack_guard(uint64_t va)
{
	uint64_t at = va - (uint64_t)stacks;

	return at < sizeof(stacks) &&
	       at % sizeof(struct stack) < sizeof(stacks[0].guard);
}

/* The physical page at pa, where the image is mapped. */
static uint64_t image_page(uint64_t pa)
{
	const char *at = (const char *)(IMAGE_BASE + pa);

	if (at < text_start || at >= image_end || stack_guard((uint64_t)at))
		return 0;
	return pa | PTE_G | PTE_P | (at < rodata_start ? 0 : PTE_NX) |
	       (at < data_start ? 0 : PTE_W);
}

static uint64_t direct_page(uint64_t pa)
{
	bool constant = pa >= (uint64_t)image_start && pa < host_pa(data_start);

	return pa | PTE_G | PTE_P | PTE_NX | (constant ? 0 : PTE_W);
}

void map_init(void)
{
	uint32_t i;

	for (i = 0; i < PAGES; i++) {
		image_pt[i] = image_page(i * PAGE_SIZE);
		direct_pt[i] = direct_page(i * PAGE_SIZE);
	}
	image_pd[0] = host_pa(image_pt) | PTE_P | PTE_W;
	for (i = 0; i < DIRECT_PAGES; i++)
		direct_pd[i] |= PTE_NX;
	direct_pd[0] = host_pa(direct_pt) | PTE_P | PTE_W;
	image_pdpt[510] = host_pa(image_pd) | PTE_P | PTE_W;
	flush_tlb();
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hypervisor's own part of the address space, above 4 GB and the same for
 * all guests. What boot.asm makes lets everything be written and executed; from
 * here on
 *
 *	the direct map		is never executed
 *	code and constants	are written in neither place where they are mapped
 *	stacks			are beside the image, and there when they are
 *				needed; below each is a page that is never (and
 *				no frame of a function is larger, hv.mk)
 *	the local APIC, the I/O APIC	are not cached
 *
 * An overflow of a stack is a page fault whose frame cannot be pushed: a
 * double fault, on a stack of its own.
 */
#include <cpu.h>

#include "core.h"
#include "metal.h"

#define PTE_G		0x100u
#define PTE_UNCACHED	0x18u		/* PCD, PWT */
#define PAGES		512u		/* of 4 KB, in the 2 MB with the image */
#define DIRECT_PAGES	(DIRECT_SIZE >> 21)
#define STACK_PAGES	(STACK_SIZE / PAGE_SIZE)
#define STACK_PTES	(STACKS * STACK_PAGES)

/* hv.ld; the first part runs where it is loaded. */
extern const char image_start[], text_start[], rodata_start[], data_start[];
extern const char image_end[];

/* By boot.asm: the direct map's directories, as one; the image's GB, and the
 * tables of the stacks, with the one that it uses. */
extern uint64_t hv_pml4[PAGES], direct_pd[DIRECT_PAGES], image_pdpt[PAGES];
extern uint64_t image_pd[PAGES], stack_pt[STACK_PTES];

static uint64_t image_pt[PAGES] __attribute__((aligned(PAGE_SIZE)));
static uint64_t direct_pt[PAGES] __attribute__((aligned(PAGE_SIZE)));

_Static_assert(STACK_PTES == 2 * PAGES, "boot.asm");
_Static_assert(sizeof(struct stack) == STACK_SIZE &&
	       STACK_MASK == STACK_SIZE - 1, "host_cpu");

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

bool host_stack(uint32_t n)
{
	uint64_t *pte = &stack_pt[n * STACK_PAGES];
	uint8_t *room;
	uint32_t i;

	if (pte[1])
		return true;
	room = host_pages(STACK_SIZE - PAGE_SIZE, PAGE_SIZE);
	if (!room)
		return false;
	for (i = 1; i < STACK_PAGES; i++, room += PAGE_SIZE)
		pte[i] = host_pa(room) | PTE_NX | PTE_G | PTE_W | PTE_P;
	return true;
}

/* The physical page at pa, where the image is mapped. */
static uint64_t image_page(uint64_t pa)
{
	const char *at = (const char *)(IMAGE_BASE + pa);

	if (at < text_start || at >= image_end)
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
	direct_pd[IOAPIC >> 21] |= PTE_UNCACHED;
	direct_pd[LAPIC >> 21] |= PTE_UNCACHED;
	flush_tlb();
}

void map_low(uint32_t pa, bool is)
{
	image_pt[pa / PAGE_SIZE] = is ? pa | PTE_P : 0;
	image_pdpt[0] = is ? host_pa(image_pd) | PTE_P : 0;
	hv_pml4[0] = is ? host_pa(image_pdpt) | PTE_P : 0;
	flush_tlb();
}

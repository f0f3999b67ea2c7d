// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changes of page-table entries in batches, each with one flush at its end:
 * entries that lie side by side, and entries each in another table.
 */
#include "micro.h"

static const uint32_t sizes[] = { 1, 8, 64, 512, 4096 };

static uint32_t page_side_by_side(uint32_t i)
{
	return i / 512 * 1024 + BATCH_FIRST + i % 512;
}

static uint32_t page_scattered(uint32_t i)
{
	return i % TABLES * 1024 + BATCH_FIRST + i / TABLES;
}

struct batch {
	uint32_t rom, rest, exits;
};

static uint32_t flush_cost(void)
{
	struct call c = vmi_call(VMI_CALL_FlushTLB);

	c.eax = VMI_FLUSH_TLB;
	return cost_to_return(&c);
}

/* What a call that finds room costs is the ROM's; what a call that finds the
 * queue full costs beyond that, is draining. */
static struct batch batch(uint32_t n, uint32_t (*page)(uint32_t),
			  uint32_t frame, uint32_t usual)
{
	struct call c = vmi_call(VMI_CALL_SetPxE);
	struct batch b = { 0 };
	uint64_t before = exits_now();
	uint32_t i, cost;

	c.eax = present(frame);
	c.ecx = VMI_PAGE_PT;
	for (i = 0; i < n; i++) {
		c.edx = (uintptr_t)entry_of(page(i));
		cost = cost_to_return(&c);
		b.rom += usual;
		b.rest += cost - usual;
	}
	b.rest += flush_cost();
	b.exits = (uint32_t)(exits_now() - before);
	return b;
}

static void measure(const char *name, uint32_t (*page)(uint32_t))
{
	struct call c = vmi_call(VMI_CALL_SetPxE);
	uint32_t usual, empty, i;
	struct batch b;

	c.eax = present(0);
	c.edx = (uintptr_t)entry_of(SCRATCH);
	c.ecx = VMI_PAGE_PT;
	flush();
	usual = cost_to_return(&c);
	flush();
	empty = flush_cost();
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		/* fresh entries first: what is timed changes present ones */
		batch(sizes[i], page, 0, usual);
		b = batch(sizes[i], page, 1, usual);
		print("batch %s %u %u %u %u %u\n", name, sizes[i], b.rom,
		      b.rest, empty, b.exits);
	}
}

void measure_batches(void)
{
	measure("neighbours", page_side_by_side);
	measure("scattered", page_scattered);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * More tables in use than the hypervisor has shadows for. It forgets what it
 * has and fills again: slower, and every access still right. VMI-3.4.5,
 * VMI-3.4.9.
 */
#include "attack.h"
#include "counters.h"

#define SPACES		3u
#define FIRST_PDE	0x120u		/* of those that we fill */
#define TABLES		384u		/* per space: two shadows each */
#define TABLE_AREA	0x00800000u	/* SPACES * TABLES pages */
#define DATA_AREA	0x00e00000u
#define DATA_PAGES	256u
#define ROOT_AREA	0x01000000u
#define ROOT_COUNT	2400u		/* the hypervisor has 2048 */

static uint32_t directories[SPACES][1024] __attribute__((aligned(PAGE)));

static uint32_t *at_linear(uint32_t pa)
{
	return (uint32_t *)(pa + LINEAR);
}

static void fill_data(void)
{
	for (uint32_t i = 0; i < DATA_PAGES; i++)
		at_linear(DATA_AREA + i * PAGE)[1] = i;
}

static uint32_t data_of(uint32_t space, uint32_t table, uint32_t page)
{
	return (space * 83 + table * 7 + page) % DATA_PAGES;
}

static uint64_t zaps(void)
{
	return counter_read(counter_find("shadow_zaps"));
}

static void make_space(uint32_t space)
{
	for (uint32_t i = 0; i < 1024; i++)
		linear(directories[space])[i] = page_directory[i];
	for (uint32_t t = 0; t < TABLES; t++) {
		uint32_t pa = TABLE_AREA + (space * TABLES + t) * PAGE;

		for (uint32_t i = 0; i < 1024; i++)
			at_linear(pa)[i] = i % 64 ? 0 : PTE_P | PTE_W |
				(DATA_AREA + data_of(space, t, i) * PAGE);
		vmi2(AllocatePage, pa / PAGE, VMI_PAGE_PT);
		linear(directories[space])[FIRST_PDE + t] =
			pa | PTE_P | PTE_W;
	}
	vmi2(AllocatePage, frame_of(directories[space]), VMI_PAGE_PD);
}

/* Touch many pages of many tables, in several spaces, again and again. */
static void exhaust_tables(uint32_t arg)
{
	uint64_t before = zaps();
	uint32_t wrong = 0;

	(void)arg;
	fill_data();
	for (uint32_t i = 0; i < SPACES; i++)
		make_space(i);
	for (uint32_t round = 0; round < SPACES * 3; round++) {
		uint32_t space = round % SPACES;

		vmi1(SetCR3, (uintptr_t)directories[space]);
		for (uint32_t t = 0; t < TABLES; t++)
			for (uint32_t half = 0; half < 2; half++) {
				uint32_t page = half * 512 + round % 8 * 64;
				uint32_t va = (FIRST_PDE + t) << 22 | page << 12;
				volatile uint32_t *word = (uint32_t *)va;
				volatile uint32_t *pte = at_linear(TABLE_AREA +
					(space * TABLES + t) * PAGE) + page;

				wrong += word[1] != data_of(space, t, page);
				wrong += !(*pte & PTE_A);
				word[2] = va;
				wrong += !(*pte & PTE_D);
				wrong += at_linear(*pte & ~0xfffu)[2] != va;
			}
	}
	vmi1(SetCR3, (uintptr_t)page_directory);
	same(wrong, 0, "every access was right, every bit was set");
	ok(zaps() > before, "the shadows ran out");
}

/* More address spaces than the hypervisor keeps. */
static void exhaust_roots(uint32_t arg)
{
	uint64_t before = zaps();
	uint32_t wrong = 0;

	(void)arg;
	fill_data();
	for (uint32_t n = 0; n < ROOT_COUNT; n++) {
		uint32_t pa = ROOT_AREA + n * PAGE;

		/* the low 32 MB, where all this is, twice; and PLAY */
		for (uint32_t i = 0; i < 8; i++)
			at_linear(pa)[i] = at_linear(pa)[i + (LINEAR >> 22)] =
				page_directory[i];
		at_linear(pa)[PLAY >> 22] = page_directory[PLAY >> 22];
		vmi2(AllocatePage, pa / PAGE, VMI_PAGE_PD);
	}
	map(U_FREE, (DATA_AREA + 5 * PAGE) | PTE_P | PTE_W);
	for (uint32_t n = 0; n < ROOT_COUNT * 2; n++) {
		vmi1(SetCR3, ROOT_AREA + n % ROOT_COUNT * PAGE);
		wrong += ((volatile uint32_t *)play(U_FREE))[1] != 5;
	}
	vmi1(SetCR3, (uintptr_t)page_directory);
	same(wrong, 0, "every space shows the page");
	ok(zaps() > before, "the roots ran out");
}

/* Large pages where there is no memory: each 2 MB takes a page of the pool. */
static void exhaust_splits(uint32_t arg)
{
	uint64_t before = zaps();
	uint32_t wrong = 0;

	(void)arg;
	for (uint32_t s = 0; s < SPACES; s++) {
		for (uint32_t i = 0; i < 1024; i++)
			linear(directories[s])[i] = page_directory[i];
		for (uint32_t t = 0; t < TABLES; t++)
			linear(directories[s])[FIRST_PDE + t] = PTE_PS | PTE_P |
				(0x40000000 + ((s * 64 + t) << 22));
		vmi2(AllocatePage, frame_of(directories[s]), VMI_PAGE_PD);
		vmi1(SetCR3, (uintptr_t)directories[s]);
		for (uint32_t va = FIRST_PDE << 22;
		     va < (FIRST_PDE + TABLES) << 22; va += 1 << 21)
			wrong += *(volatile uint32_t *)va != 0xffffffff;
	}
	vmi1(SetCR3, (uintptr_t)page_directory);
	same(wrong, 0, "absent memory is ones");
	ok(zaps() > before, "the shadows ran out");
}

const struct attack exhaust_cases[] = {
	CASE(exhaust_tables),
	CASE(exhaust_roots),
	CASE(exhaust_splits),
	CASES_END
};

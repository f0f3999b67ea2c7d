// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random bytes in the shared area and in all of the queue, page after page,
 * with each way to make the hypervisor read them. "pages=N" or "seconds=N"
 * says how much, "seed=N" which; the last page may kill, the others cannot:
 * their tail is within the queue, and a CR3 to be loaded is the right one.
 * STUB-2, STUB-4.
 */
#include "attack.h"

#define CHECK_EVERY	64u

static void random_page(bool may_kill)
{
	volatile uint32_t *words = (volatile uint32_t *)SHARED;
	uint32_t i;

	for (i = 0; i < sizeof(struct stub_shared) / 4; i++)
		words[i] = random32();
	/* every other entry names memory that we have */
	for (i = random32() & 1; i < STUB_QUEUE_LEN; i += 2)
		SHARED->queue[i] &= 0x03ffffff;
	if (may_kill)
		return;
	SHARED->tail = -(int32_t)(random32() % 64);
	SHARED->cr3 = (uintptr_t)page_directory;
	SHARED->lazy_mode = random32() % 3;
}

static void drain(void)
{
	static const uint32_t calls[] = {
		STUB_HC_DRAIN, STUB_HC_QUEUE_FULL, STUB_HC_FLUSH_TLB,
		STUB_HC_INVAL_PAGE, STUB_HC_UPDATE_VA, STUB_HC_GDT_CHANGED,
	};
	uint32_t way = random32() % 8;

	if (way < sizeof(calls) / sizeof(*calls))
		hypercall(calls[way], random32(), random32());
	else if (way == 6)
		probe_read(0x80000000);
	else
		__asm__ volatile("mov %%cr3, %%eax\n\tmov %%eax, %%cr3"
				 : : : "eax");
}

static void flood(uint32_t may_kill)
{
	const uint64_t begin = vmi_cycles();
	const uint64_t end = begin + SHARED->tsc_hz * option_number("seconds");
	const uint32_t pages_wanted = option_number("pages");
	uint32_t n = 0, wrong = 0;

	seed_random(option_number("seed"));
	keep_area();
	do {
		random_page(false);
		drain();
		restore_area();
		if (n % CHECK_EVERY)
			continue;
		flush();
		USER("\xcd\x80", 0);
		wrong += last_trap.vector != VEC_SYSCALL;
		wrong += probe_read(0x80000000) != VEC_PF;
	} while (++n < pages_wanted || vmi_cycles() < end);
	same(wrong, 0, "the guest goes on");
	print("# flood: %u pages, %u ms\n", n,
	      (uint32_t)((vmi_cycles() - begin) >> 10) /
	      ((uint32_t)(SHARED->tsc_hz >> 10) / 1000));
	if (!may_kill)
		return;
	random_page(true);
	drain();
	restore_area();
}

const struct attack flood_cases[] = {
	CASE_ARG("flood", flood, 0),
	CASE_ARG("flood_kill", flood, 1),
	CASES_END
};

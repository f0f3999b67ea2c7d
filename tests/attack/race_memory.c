// SPDX-License-Identifier: GPL-2.0-only
/* Page tables and queues that one vCPU changes while the hypervisor reads them
 * for the other. VMI-3.4.5, VMI-3.8.5, STUB-4. */
#include "counters.h"
#include "race.h"

#define RACE_PAGES	16u
#define SECOND		(PLAY + (4u << 20))
#define OUTSIDE		0xf0000000u
#define DIRECTORIES	8u
#define TABLE_AREA	0x00800000u
#define TABLES		960u		/* with two shadows each: too many */
#define REUSED		4u

static uint32_t directory[DIRECTORIES][1024] __attribute__((aligned(PAGE)));
static uint32_t reused[2][REUSED][1024] __attribute__((aligned(PAGE)));

static uint32_t *at_linear(uint32_t pa)
{
	return (uint32_t *)(pa + LINEAR);
}

static volatile uint32_t *pte(uint32_t i)
{
	return &linear(play_table)[U_FREE + i % RACE_PAGES];
}

static volatile uint32_t *pde(uint32_t va)
{
	return &linear(page_directory)[va >> 22];
}

static void flush_all(uint32_t i)
{
	if (i % 3)
		flush();
	else
		vmi1(FlushTLB, VMI_FLUSH_TLB | VMI_FLUSH_GLOBAL);
}

static void read_page(uint32_t va)
{
	uint32_t word;

	if (safe_read(va + RACE_WORD, &word) && !race_shows(word))
		race_wrong++;
}

static void inval_pages(uint32_t i)
{
	vmi1(InvalPage, play(U_FREE + i % RACE_PAGES));
	read_page(play(U_FREE + i % RACE_PAGES));
}

static void read_pages(uint32_t i)
{
	read_page(play(U_FREE + scramble(i) % RACE_PAGES));
	if (i % 32 == 31)
		flush_all(i);
	else if (i % 4 == 3)
		inval_pages(i / 4);
}

static void load_cr3(uint32_t i)
{
	vmi1(SetCR3, (uintptr_t)page_directory);
	read_pages(i);
}

/* ---- entries ------------------------------------------------------------------ */

static void store_entries(uint32_t i)
{
	*pte(i) = race_entry(scramble(i));
}

static void tell_entries(uint32_t i)
{
	map(U_FREE + i % RACE_PAGES, race_entry(scramble(i)));
	if (i % 64 == 63)
		flush();
}

static void race_entries(uint32_t arg)
{
	(void)arg;
	race_set_up(false);
	race(read_pages, store_entries);
}

static void race_entries_told(uint32_t arg)
{
	(void)arg;
	race_set_up(false);
	race(read_pages, tell_entries);
}

static void race_entries_both(uint32_t arg)
{
	(void)arg;
	race_set_up(false);
	race(tell_entries, tell_entries);
}

/* What was taken away stays so: accessed and dirty bits go into the entry that
 * was read, or nowhere. */
static void take_away(uint32_t i)
{
	volatile uint32_t *at = pte(i & 1);

	*at = MAPS(race_frame[i % RACE_FRAMES], PTE_W);
	for (uint32_t n = scramble(i) % 64; n; n--)
		relax();
	__atomic_exchange_n(at, 0, __ATOMIC_SEQ_CST);
	for (uint32_t n = 0; n < 32; n++)
		race_wrong += *at != 0;
}

static void write_pages(uint32_t i)
{
	const uint32_t va = play(U_FREE + (i & 1));

	if (i & 2)
		safe_write(va + 64, i);
	else
		read_page(va);
	vmi1(InvalPage, va);
}

static void race_bits(uint32_t arg)
{
	(void)arg;
	race_set_up(false);
	race(write_pages, take_away);
}

/* ---- directories --------------------------------------------------------------- */

static void store_directories(uint32_t i)
{
	const uint32_t n = scramble(i);
	const uint32_t choice[] = {
		0, MAPS(play_table, PTE_W | PTE_U), MAPS(spare_table, PTE_W),
		MAPS(spare_table, PTE_U), MAPS(play_table, PTE_A),
		0x80000000 | PTE_PS | PTE_P | PTE_A,
	};

	*pde(SECOND) = choice[n % 6];
	if (n % 32 < 4)
		vmi2(UpdatePxE, (uintptr_t)pde(SECOND), VMI_PAGE_PD);
	*pte(n >> 8) = race_entry(n >> 8);
	linear(spare_table)[U_FREE + (n >> 8) % RACE_PAGES] = race_entry(n);
}

static void read_second(uint32_t i)
{
	const uint32_t va = SECOND + (U_FREE + i % RACE_PAGES) * PAGE;

	read_page(va);
	if (i % 16 == 15)
		flush_all(i);
	else if (i % 4 == 3)
		vmi1(InvalPage, va);
}

static void race_directories(uint32_t arg)
{
	(void)arg;
	race_set_up(false);
	race(read_second, store_directories);
}

static void race_directories_both(uint32_t arg)
{
	(void)arg;
	race_set_up(false);
	race(store_directories, store_directories);
}

static void outside_and_back(uint32_t i)
{
	*pde(SECOND) = scramble(i) % 16 ? MAPS(play_table, PTE_W) :
					  OUTSIDE | PTE_P | PTE_W;
}

/* VMI-3.4.5: the end of a guest with a table that is nowhere; at the latest
 * when the other has stopped. */
static void race_outside(uint32_t arg)
{
	(void)arg;
	race_set_up(true);
	race_begin(outside_and_back, true);
	while (race_on())
		read_second(scramble((uint32_t)vmi_cycles()));
	processor_stop(OTHER);
	for (;;) {
		*pde(SECOND) = OUTSIDE | PTE_P | PTE_W;
		flush();
		read_page(SECOND);
	}
}

/* A large page, a table, another table, and the parts of each. */
static void store_large(uint32_t i)
{
	*pde(SECOND) = i & 1 ? MAPS(spare_table, PTE_W) :
		PTE_P | PTE_W | PTE_PS | (i & 2 ? PTE_A | PTE_D : 0);
	if (i % 8 < 2)
		vmi2(UpdatePxE, (uintptr_t)pde(SECOND), VMI_PAGE_PD);
}

static void read_large(uint32_t i)
{
	const uint32_t at = (uintptr_t)race_frame[i % RACE_FRAMES];

	read_page(SECOND + (at & 0x3fffff));
	if (i % 8 == 7)
		flush_all(i);
	else if (i % 4 == 3)
		vmi1(InvalPage, SECOND + (at & 0x3fffff));
}

static void race_large(uint32_t arg)
{
	(void)arg;
	race_set_up(false);
	/* the same frames as in the large page, which begins at 0 */
	for (uint32_t i = 0; i < RACE_FRAMES; i++) {
		const uint32_t at = (uintptr_t)race_frame[i];

		spare_table[at >> 12 & 1023] = at | PTE_P | PTE_W;
	}
	race(read_large, store_large);
}

/* ---- CR3 ------------------------------------------------------------------------- */

static void make_directories(void)
{
	for (uint32_t d = 0; d < DIRECTORIES; d++) {
		for (uint32_t i = 0; i < 1024; i++)
			linear(directory[d])[i] = page_directory[i];
		vmi2(AllocatePage, frame_of(directory[d]), VMI_PAGE_PD);
	}
}

static void load_any(uint32_t i)
{
	vmi1(SetCR3, (uintptr_t)directory[scramble(i) % DIRECTORIES]);
	read_page(play(U_FREE + i % RACE_PAGES));
	read_second(i);
}

/* Each is released, used otherwise, and a directory again: all the time it is
 * good to run on. */
static void release_directories(uint32_t i)
{
	uint32_t d = scramble(i) % DIRECTORIES;
	volatile uint32_t *at = &linear(directory[d])[SECOND >> 22];

	vmi2(ReleasePage, frame_of(directory[d]), VMI_PAGE_PD);
	*at = i & 1 ? 0 : MAPS(play_table, PTE_W);
	if (i & 2)
		vmi2(AllocatePage, frame_of(directory[d]), VMI_PAGE_PD);
	vmi3(SetPxE, race_entry(i), (uintptr_t)pte(i), VMI_PAGE_PT);
	if (i % 16 == 15)
		flush();
}

static void race_cr3(uint32_t arg)
{
	(void)arg;
	race_set_up(false);
	make_directories();
	race(load_any, load_any);
}

static void race_cr3_released(uint32_t arg)
{
	(void)arg;
	race_set_up(false);
	make_directories();
	race(load_any, release_directories);
}

static void release_and_load(uint32_t i)
{
	release_directories(i);
	load_any(i);
}

static void race_cr3_released_both(uint32_t arg)
{
	(void)arg;
	race_set_up(false);
	make_directories();
	race(release_and_load, release_and_load);
}

/* ---- tables that are used again ----------------------------------------------------- */

/* Nobody else has these tables: what is seen through one is what was put in. */
static void reuse(uint32_t who, uint32_t i)
{
	uint32_t *table = reused[who][scramble(i) % REUSED], word;
	const uint32_t va = SECOND + (((1 + who) << 22) + (i % 3 << 24));
	const uint32_t n = scramble(i * 2 + who) % RACE_FRAMES;

	for (uint32_t p = 0; p < 1024; p += 64)
		linear(table)[p] = MAPS(race_frame[n], PTE_W | PTE_A | PTE_D);
	vmi2(AllocatePage, frame_of(table), VMI_PAGE_PT);
	vmi3(SetPxE, MAPS(table, PTE_W), (uintptr_t)pde(va), VMI_PAGE_PD);
	for (uint32_t p = 0; p < 1024; p += 256)
		race_wrong += !safe_read(va + p * PAGE + RACE_WORD, &word) ||
			      word != RACE_MARK + n;
	vmi3(SetPxE, 0, (uintptr_t)pde(va), VMI_PAGE_PD);
	flush();
	race_wrong += safe_read(va + RACE_WORD, &word);
	vmi2(ReleasePage, frame_of(table), VMI_PAGE_PT);
}

static void reuse_first(uint32_t i)
{
	reuse(0, i);
}

static void reuse_second(uint32_t i)
{
	reuse(1, i);
}

static void race_reuse(uint32_t arg)
{
	(void)arg;
	race_set_up(false);
	race(reuse_first, reuse_second);
}

/* ---- more tables than shadows --------------------------------------------------------- */

/* Table t is at this address; what is in use otherwise is left out. */
static uint32_t region(uint32_t t)
{
	const uint32_t first = (PLAY >> 22) + 32;
	uint32_t slot = first + t;

	if (slot >= LINEAR >> 22)
		slot += MAPPED >> 22;
	if (slot >= 0x3e0)
		slot += 16 - 0x3e0;
	return slot << 22;
}

static void make_tables(void)
{
	for (uint32_t t = 0; t < TABLES; t++) {
		uint32_t pa = TABLE_AREA + t * PAGE;
		const uint32_t entry =
			MAPS(race_frame[t % RACE_FRAMES], PTE_W);

		if (region(t) >> 22 == PLAY >> 22)
			continue;
		at_linear(pa)[1] = at_linear(pa)[513] = entry;
		vmi2(AllocatePage, pa / PAGE, VMI_PAGE_PT);
		vmi3(SetPxE, pa | PTE_P | PTE_W, (uintptr_t)pde(region(t)),
		     VMI_PAGE_PD);
	}
}

static void touch_tables(uint32_t i)
{
	const uint32_t n = scramble(i), t = n % TABLES;
	uint32_t word, va = region(t) + (n >> 16 & 1 ? 1 : 513) * PAGE;

	if (va >> 22 != PLAY >> 22 &&
	    (!safe_read(va + RACE_WORD, &word) ||
	     word != RACE_MARK + t % RACE_FRAMES))
		race_wrong++;
}

static void touch_others(uint32_t i)
{
	touch_tables(~i);
}

static void user_calls(uint32_t i)
{
	run_user(play(U_CODE), play(U_STACK) + PAGE, i, i, false);
	race_wrong += last_trap.vector != VEC_SYSCALL;
}

static bool zapped(void)
{
	return counter_read(counter_find("shadow_zaps")) > 0;
}

static void race_exhaust(uint32_t arg)
{
	(void)arg;
	race_set_up(false);
	make_tables();
	race_awaits = zapped;
	race(touch_tables, touch_others);
	ok(zapped(), "there were more tables than shadows");
}

static void race_exhaust_four(uint32_t arg)
{
	(void)arg;
	race_set_up(false);
	make_tables();
	race_begin(touch_others, true);
	race_begin_more();
	race_until_over(touch_tables);
}

static void race_exhaust_user(uint32_t arg)
{
	(void)arg;
	race_set_up(false);
	make_tables();
	race(user_calls, touch_others);
}

static void race_exhaust_flush(uint32_t arg)
{
	(void)arg;
	race_set_up(false);
	make_tables();
	race(load_cr3, touch_others);
}

static void reuse_and_touch(uint32_t i)
{
	touch_others(i);
	if (i % 64 == 0)
		make_tables();
}

static void race_exhaust_reuse(uint32_t arg)
{
	(void)arg;
	race_set_up(false);
	make_tables();
	race(touch_tables, reuse_and_touch);
}

/* ---- the queue, when the other looks into it --------------------------------------------- */

static void fill_queue(uint32_t i)
{
	const uint32_t n = scramble(i) % 64;

	for (uint32_t k = 0; k < n; k++)
		SHARED->queue[k] = scramble(i + k) %
			((i & 1) ? 0x04000000 : 0xffffffff);
	SHARED->tail = (int32_t)(scramble(~i) % 64) - STUB_QUEUE_LEN;
}

static void fill_and_drain(uint32_t i)
{
	uint32_t word;

	fill_queue(i);
	if (i % 4 == 0)
		safe_read(0x80000000, &word);
}

static void slots(uint32_t i)
{
	fill_queue(i);
	for (uint32_t k = 0; k < 32; k++)
		SHARED->queue[k] = scramble(i + k) & ~3u;
	SHARED->linear[0].va = scramble(i * 2);
	SHARED->linear[0].pa = scramble(i * 3);
	if (i % 1024 == 0)	/* as the ROM may need them */
		vmi4(VMI_CALL_SetLinearMapping, 0, LINEAR, MAPPED / PAGE, 0);
}

static void wild_tail(uint32_t i)
{
	fill_queue(i);
	SHARED->tail = (int32_t)scramble(i * 5);
}

static void queue_case(step *mine, step *theirs)
{
	race_set_up(false);
	race(mine, theirs);
}

static void race_queue_flush(uint32_t arg)
{
	(void)arg;
	queue_case(flush_all, fill_queue);
}

static void race_queue_inval(uint32_t arg)
{
	(void)arg;
	queue_case(inval_pages, fill_queue);
}

static void race_queue_cr3(uint32_t arg)
{
	(void)arg;
	queue_case(load_cr3, fill_queue);
}

static void race_queue_fault(uint32_t arg)
{
	(void)arg;
	queue_case(read_pages, fill_and_drain);
}

static void race_queue_both(uint32_t arg)
{
	(void)arg;
	queue_case(fill_and_drain, fill_and_drain);
}

static void race_slots(uint32_t arg)
{
	(void)arg;
	queue_case(flush_all, slots);
}

static void race_tail(uint32_t arg)
{
	(void)arg;
	race_set_up(true);
	race(load_cr3, wild_tail);
}

/* Everything else that is deferred, and what an alarm is told. */
static void wild_words(uint32_t i)
{
	fill_queue(i);
	SHARED->lazy_mode = scramble(i);
	SHARED->flags = scramble(i + 1);
	SHARED->gdt_dirty = scramble(i + 2) & ~0xf000u;
	SHARED->cr3 = (uintptr_t)page_directory;
	SHARED->deferred = scramble(i + 3);
	SHARED->expiry = scramble(i + 4);
	SHARED->period = scramble(i + 5) >> i % 32;
	hypercall(i % 4 == 0 ? STUB_HC_SET_ALARM : STUB_HC_DRAIN,
		  i / 4 % 2 | VMI_ALARM_PERIODIC, 0);
	SHARED->flags = 0;
	vmi1(CancelAlarm, i / 4 % 2);
}

static void race_words(uint32_t arg)
{
	(void)arg;
	race_set_up(true);
	race(load_cr3, wild_words);
}

const struct attack race_memory_cases[] = {
	RACE(entries, race_entries),
	RACE(entries_told, race_entries_told),
	RACE(entries_both, race_entries_both),
	RACE(bits, race_bits),
	RACE(directories, race_directories),
	RACE(directories_both, race_directories_both),
	RACE(outside, race_outside,
	     .end = OUTSIDE_MEMORY("page table at 0f0000000")),
	RACE(large, race_large),
	RACE(cr3, race_cr3),
	RACE(cr3_released, race_cr3_released),
	RACE(cr3_released_both, race_cr3_released_both),
	RACE(reuse, race_reuse),
	RACE(exhaust, race_exhaust),
	RACE_FOUR(exhaust_four, race_exhaust_four),
	RACE(exhaust_user, race_exhaust_user),
	RACE(exhaust_flush, race_exhaust_flush),
	RACE(exhaust_reuse, race_exhaust_reuse),
	RACE(queue_flush, race_queue_flush),
	RACE(queue_inval, race_queue_inval),
	RACE(queue_cr3, race_queue_cr3),
	RACE(queue_fault, race_queue_fault),
	RACE(queue_both, race_queue_both),
	RACE(slots, race_slots),
	RACE(tail, race_tail, .end = ANY_END),
	RACE(words, race_words, .end = ANY_END),
	CASES_END
};

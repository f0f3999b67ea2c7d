// SPDX-License-Identifier: GPL-2.0-only
/* vCPUs that have each other flush, which the hypervisor waits for: at once, by
 * anything for an argument, and while the other changes tables, needs more of
 * them, is off or ends. VMI-3.8.11, VMI-3.4.5. */
#include "race.h"

#define PAGES		16u
#define ALL		0xffu		/* of the APIC ids that there can be */

static uint32_t frame_of_flush[2][1024] __attribute__((aligned(PAGE)));

static volatile uint32_t *pte(uint32_t i)
{
	return &linear(play_table)[U_FREE + i % PAGES];
}

static void read_page(uint32_t i)
{
	uint32_t word;

	if (safe_read(play(U_FREE + i % PAGES) + RACE_WORD, &word) &&
	    !race_shows(word))
		race_wrong++;
}

static uint32_t page_of(uint32_t i)
{
	return VMI_FLUSH_PAGE | play(U_FREE + i % PAGES);
}

/* The argument is of use now and then. */
static void flush_any(uint32_t i)
{
	const uint32_t n = scramble(i);

	vmi3(FlushProcessors, n & 1 ? ALL : n >> 8,
	     n & 2 ? page_of(n >> 4) : n & 4 ? VMI_FLUSH_TLB : scramble(n),
	     n & 0x30 ? 0 : scramble(n + 1) >> n % 32);
	read_page(n >> 4);
}

static void store_entry(uint32_t i)
{
	*pte(i) = race_entry(scramble(i));
}

static void tell_and_flush(uint32_t i)
{
	map(U_FREE + i % PAGES, race_entry(scramble(i)));
	vmi3(FlushProcessors, ALL, i & 1 ? page_of(i) : VMI_FLUSH_TLB, 0);
	read_page(i);
}

static void use_pages(uint32_t i)
{
	read_page(scramble(i));
}

static void flush_case(step *mine, step *theirs)
{
	race_set_up(false);
	race(mine, theirs);
}

static void race_flush_any(uint32_t arg)
{
	(void)arg;
	flush_case(flush_any, store_entry);
}

static void race_flush_any_both(uint32_t arg)
{
	(void)arg;
	flush_case(flush_any, flush_any);
}

static void race_flush_told(uint32_t arg)
{
	(void)arg;
	flush_case(tell_and_flush, use_pages);
}

static void race_flush_told_both(uint32_t arg)
{
	(void)arg;
	flush_case(tell_and_flush, tell_and_flush);
}

static void race_flush_four(uint32_t arg)
{
	(void)arg;
	race_set_up(false);
	race_begin(tell_and_flush, true);
	race_begin_more();
	race_until_over(flush_any);
}

/* A page that was taken away is nobody's when the call returns: what is put into
 * its frame then is seen by no vCPU. */
static volatile uint32_t used;

static void use_flushed(uint32_t i)
{
	uint32_t word;

	(void)i;
	if (!safe_read(play(U_FREE), &word))
		return;
	race_wrong += word != 0;
	used++;
}

static void take_flushed(uint32_t i)
{
	uint32_t *frame = linear(frame_of_flush[i & 1]);
	const uint32_t before = used;

	frame[0] = 0;
	map(U_FREE, MAPS(frame_of_flush[i & 1], PTE_W | PTE_A | PTE_D));
	while (used == before && race_on())
		relax();
	map(U_FREE, 0);
	vmi3(FlushProcessors, ALL, i & 2 ? page_of(0) : VMI_FLUSH_TLB, 0);
	*(volatile uint32_t *)frame = 0x5ec2e7;
	for (uint32_t n = scramble(i) % 256; n; n--)
		relax();
}

static void race_flush_done(uint32_t arg)
{
	(void)arg;
	flush_case(take_flushed, use_flushed);
}

/* All its tables and roots are forgotten, which takes a while. */
static void release_tables(uint32_t i)
{
	vmi2(ReleasePage, frame_of(play_table), VMI_PAGE_PT);
	map(U_FREE + i % PAGES, race_entry(scramble(i)));
	if (i % 4 == 0)
		vmi2(ReleasePage, frame_of(page_directory), VMI_PAGE_PD);
	vmi3(FlushProcessors, ALL, i & 1 ? page_of(i) : VMI_FLUSH_TLB, 0);
	vmi2(AllocatePage, frame_of(page_directory), VMI_PAGE_PD);
	vmi2(AllocatePage, frame_of(play_table), VMI_PAGE_PT);
	read_page(i);
}

static void race_flush_released(uint32_t arg)
{
	(void)arg;
	flush_case(release_tables, tell_and_flush);
}

static void load_cr3(uint32_t i)
{
	vmi1(SetCR3, (uintptr_t)page_directory);
	read_page(i);
}

static void race_flush_cr3(uint32_t arg)
{
	(void)arg;
	flush_case(release_tables, load_cr3);
}

/* In lazy modes, the queue full of anything. */
static void batch(uint32_t i)
{
	vmi1(SetLazyMode, 1 + i % 2);
	for (uint32_t n = scramble(i) % 64; n; n--)
		map(U_FREE + n % PAGES, race_entry(scramble(i + n)));
	vmi1(InvalPage, play(U_FREE + i % PAGES));
	if (i & 4)
		vmi3(FlushProcessors, ALL, page_of(i), 0);
	vmi1(SetLazyMode, VMI_LAZY_NONE);
	read_page(i);
}

static void race_flush_batch(uint32_t arg)
{
	(void)arg;
	flush_case(batch, tell_and_flush);
}

static void race_flush_batch_both(uint32_t arg)
{
	(void)arg;
	flush_case(batch, batch);
}

/* The other goes off and begins again, wherever it is. */
static void stop_and_start(uint32_t i)
{
	tell_and_flush(i);
	if (i % 16)
		return;
	processor_boot(OTHER, &race_state);
	vmi3(FlushProcessors, ALL, VMI_FLUSH_TLB, 0);
}

static void race_flush_starting(uint32_t arg)
{
	(void)arg;
	race_set_up(false);
	race_begin(tell_and_flush, true);
	while (race_on())
		stop_and_start(scramble((uint32_t)vmi_cycles()));
	processor_stop(OTHER);
	same(race_wrong, 0, "nothing that is not the guest's was seen");
}

static void race_flush_killed(uint32_t arg)
{
	(void)arg;
	race_set_up(false);
	race_begin(tell_and_flush, true);
	for (uint32_t n = scramble((uint32_t)vmi_cycles()) % 64; n; n--)
		tell_and_flush(n);
	hypercall(0xbad, 0, 0);
}

const struct attack race_flush_cases[] = {
	RACE(flush_any, race_flush_any),
	RACE(flush_any_both, race_flush_any_both),
	RACE(flush_told, race_flush_told),
	RACE(flush_told_both, race_flush_told_both),
	RACE_FOUR(flush_four, race_flush_four),
	RACE(flush_done, race_flush_done),
	RACE(flush_released, race_flush_released),
	RACE(flush_cr3, race_flush_cr3),
	RACE(flush_batch, race_flush_batch),
	RACE(flush_batch_both, race_flush_batch_both),
	RACE(flush_starting, race_flush_starting),
	CASE(race_flush_killed, .boot = "cpus=2 starts=24",
	     .end = "hypercall 2989 does not exist"),
	CASES_END
};

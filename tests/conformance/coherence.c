// SPDX-License-Identifier: GPL-2.0-only
/* What a flush on one processor finds of what another one has announced: VMI-3.8.5. */
#include "several.h"

#define RIGHTS		(PTE_P | PTE_W | PTE_U)
#define VECTOR		0x44u
#define PAGES		100u
#define ROUNDS		30u
#define MANY		3000u		/* more than any queue holds, we think */
#define HERE_PAGE	PLAY_FIRST
#define THERE_PAGE	(PLAY_FIRST + PAGES)

static uint32_t shift;			/* of the next frames: each time others */

/* ---- one page, one flush -------------------------------------------------------- */

static void map_there(uint32_t entry)
{
	play_map(TEST_PAGE, entry);
}

static void store_there(uint32_t entry)
{
	store(play_entry(TEST_PAGE), entry);
	update(play_entry(TEST_PAGE), VMI_PAGE_PT);
}

static void (*const announce[])(uint32_t) = { map_there, store_there };

/* Both have used it. */
static void both_show(uint32_t n)
{
	play_map(TEST_PAGE, frame_entry(n));
	flush();
	other_call(VMI_CALL_FlushTLB, VMI_FLUSH_TLB, 0);
	(void)play_read(TEST_PAGE);
	(void)other_read(TEST_PAGE);
}

static const struct {
	int		call;
	const char	*here, *there;
} ways[] = {
	{ VMI_CALL_InvalPage, "announced there, InvalPage here",
	  "announced here, InvalPage there" },
	{ VMI_CALL_FlushTLB, "announced there, FlushTLB here",
	  "announced here, FlushTLB there" },
	{ VMI_CALL_SetCR3, "announced there, SetCR3 here",
	  "announced here, SetCR3 there" },
};

static uint32_t argument_of(int call)
{
	return call == VMI_CALL_InvalPage ? play_va(TEST_PAGE) :
	       call == VMI_CALL_FlushTLB ? VMI_FLUSH_TLB : root(&ours);
}

static void one_page(void)
{
	for (uint32_t i = 0; i < 3; i++) {
		const int call = ways[i].call;

		for (uint32_t how = 0; how < 2; how++) {
			both_show(1);
			run_on(OTHER, announce[how], frame_entry(2));
			vmi4(call, argument_of(call), 0, 0, 0);
			is("3.8.5", play_read(TEST_PAGE), FRAME_MARK + 2,
			   ways[i].here);
			both_show(3);
			announce[how](frame_entry(4));
			other_call(call, argument_of(call), 0);
			is("3.8.5", other_read(TEST_PAGE), FRAME_MARK + 4,
			   ways[i].there);
		}
	}
}

static void again_and_again(void)
{
	uint32_t right = 0;

	/* the same entry, which a queue names already */
	both_show(1);
	for (uint32_t n = 2; n < 6; n++) {
		run_on(OTHER, map_there, frame_entry(n));
		vmi1(InvalPage, play_va(TEST_PAGE));
		right += play_read(TEST_PAGE) == FRAME_MARK + n;
	}
	is("3.8.5", right, 4, "one entry changed again and again there");
	for (uint32_t n = 6, i = 0; i < 4; n++, i++) {
		play_map(TEST_PAGE, frame_entry(n));
		other_call(VMI_CALL_InvalPage, play_va(TEST_PAGE), 0);
		right += other_read(TEST_PAGE) == FRAME_MARK + n;
	}
	is("3.8.5", right, 8, "and here");

	/* by turns: each has what the other has changed since */
	play_map(TEST_PAGE, frame_entry(20));
	run_on(OTHER, map_there, frame_entry(21));
	flush();
	is("3.8.9", play_read(TEST_PAGE), FRAME_MARK + 21,
	   "changed here, then there: what stands in memory counts");
	run_on(OTHER, map_there, frame_entry(22));
	play_map(TEST_PAGE, frame_entry(23));
	other_call(VMI_CALL_FlushTLB, VMI_FLUSH_TLB, 0);
	is("3.8.9", other_read(TEST_PAGE), FRAME_MARK + 23,
	   "there, then here");
	flush();
	is("3.8.9", play_read(TEST_PAGE), FRAME_MARK + 23, "here, too");
}

static void rights_and_holes(void)
{
	const uint32_t va = play_va(TEST_PAGE) + 8;

	both_show(1);
	run_on(OTHER, map_there, 0);
	flush();
	is("3.8.5", probe_read(va), VEC_PF, "a mapping taken away there");
	run_on(OTHER, map_there, frame_entry(2));
	is("3.4.3", play_read(TEST_PAGE), FRAME_MARK + 2,
	   "one made there needs no flush here");
	play_map(TEST_PAGE, 0);
	other_call(VMI_CALL_InvalPage, va, 0);
	is("3.8.5", other_probe(va, false), VEC_PF, "one taken away here");
	play_map(TEST_PAGE, frame_entry(3));
	is("3.4.3", other_read(TEST_PAGE), FRAME_MARK + 3,
	   "one made here needs no flush there");
	play_map(TEST_PAGE, frame_entry(3) & ~PTE_W);
	other_call(VMI_CALL_InvalPage, va, 0);
	is("3.8.5", other_probe(va, true), VEC_PF, "write-protected here");
	run_on(OTHER, map_there, frame_entry(3));
	vmi1(InvalPage, va);
	is("3.8.5", probe_write(va), (uint32_t)-1, "made writable there");
	store(play_entry(TEST_PAGE), frame_entry(3));
	update(play_entry(TEST_PAGE), VMI_PAGE_PT);
	flush();
	other_call(VMI_CALL_FlushTLB, VMI_FLUSH_TLB, 0);
	is("3.4.9", other_probe(va, true), (uint32_t)-1, "a write there");
	is("3.4.9", get(play_entry(TEST_PAGE)) & PTE_D, PTE_D,
	   "sets the dirty bit that is seen here");
}

/* ---- tables ------------------------------------------------------------------------ */

static void link_there(uint32_t entry)
{
	set_entry(dir_entry(&ours, PLAY), entry, VMI_PAGE_PD);
}

static void release_there(uint32_t arg)
{
	(void)arg;
	table_release(spare_table, VMI_PAGE_PT);
}

static void tables(void)
{
	void *const entry = entry_at(spare_table, TEST_PAGE);

	both_show(1);
	table_alloc(spare_table, VMI_PAGE_PT);
	store(entry, frame_entry(50));
	run_on(OTHER, link_there, PTR(spare_table) | RIGHTS);
	flush();
	is("3.8.5", play_read(TEST_PAGE), FRAME_MARK + 50,
	   "another table linked there");
	link_play(&ours, RIGHTS);
	other_call(VMI_CALL_SetCR3, root(&ours), 0);
	is("3.8.5", other_read(TEST_PAGE), FRAME_MARK + 1,
	   "and the one before here");
	run_on(OTHER, link_there, PTR(spare_table) | RIGHTS);
	flush();
	(void)play_read(TEST_PAGE);
	link_play(&ours, RIGHTS);
	run_on(OTHER, release_there, 0);
	for (uint32_t i = 0; i < PAGE / 4; i++)
		((volatile uint32_t *)spare_table)[i] = ~0u;
	flush();
	other_call(VMI_CALL_FlushTLB, VMI_FLUSH_TLB, 0);
	is("3.8.5", play_read(TEST_PAGE), FRAME_MARK + 1,
	   "a table released there is in no way here");
	is("3.8.5", other_read(TEST_PAGE), FRAME_MARK + 1, "nor there");
	for (uint32_t i = 0; i < PAGE / 4; i++)
		((volatile uint32_t *)spare_table)[i] = 0;

	/* in another space, with the same table */
	space_copy(&theirs);
	space_alloc(&theirs);
	flush();
	other_call(VMI_CALL_SetCR3, root(&theirs), 0);
	(void)other_read(TEST_PAGE);
	play_map(TEST_PAGE, frame_entry(51));
	other_call(VMI_CALL_InvalPage, play_va(TEST_PAGE), 0);
	is("3.8.5", other_read(TEST_PAGE), FRAME_MARK + 51,
	   "changed here, seen there in another space");
	other_call(VMI_CALL_SetCR3, root(&ours), 0);
	space_release(&theirs);
	flush();
}

/* ---- many --------------------------------------------------------------------------- */

static void map_range(uint32_t first, uint32_t by)
{
	for (uint32_t i = 0; i < PAGES; i++)
		play_map(first + i, frame_entry(i + by));
}

static uint32_t right_in(uint32_t first, uint32_t by)
{
	uint32_t right = 0;

	for (uint32_t i = 0; i < PAGES; i++)
		right += play_read(first + i) == FRAME_MARK + (i + by) % FRAMES;
	return right;
}

static uint32_t right_there;

static void look_there(uint32_t first)
{
	right_there = right_in(first, shift);
}

static void map_many_there(uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		play_map(HERE_PAGE + i % PAGES,
			 frame_entry(i % PAGES + shift));
}

static volatile uint32_t flushed;

static void on_flush(struct frame *f)
{
	(void)f;
	flush();
	flushed++;
	apic_set(APIC_EOI, 0);
}

static void wait_for_flush(uint32_t count)
{
	vmi0(EnableInterrupts);
	while (flushed != count)
		relax();
	vmi0(DisableInterrupts);
}

static void many(void)
{
	shift = 1;
	map_range(HERE_PAGE, 0);
	flush();
	run_on(OTHER, look_there, HERE_PAGE);
	(void)right_in(HERE_PAGE, 0);
	run_on(OTHER, map_many_there, MANY);
	flush();
	is("3.8.5", right_in(HERE_PAGE, shift), PAGES,
	   "more announced there than a queue holds");

	vector_hook[VECTOR] = on_flush;
	shift = 7;
	begin_on(OTHER, wait_for_flush, flushed + 1);
	map_range(HERE_PAGE, shift);
	send_interrupt(processor[OTHER].id, VECTOR);
	end_on(OTHER);
	run_on(OTHER, look_there, HERE_PAGE);
	is("3.8.5", right_there, PAGES,
	   "an interrupt to flush finds what was announced before it");
	vmi1(SetLazyMode, VMI_LAZY_MMU);
	shift = 8;
	begin_on(OTHER, wait_for_flush, flushed + 1);
	map_range(HERE_PAGE, shift);
	send_interrupt(processor[OTHER].id, VECTOR);
	end_on(OTHER);
	run_on(OTHER, look_there, HERE_PAGE);
	is("3.8.5", right_there, PAGES, "also what was announced in a batch");
	vmi1(SetLazyMode, VMI_LAZY_NONE);
}

/* ---- both at once --------------------------------------------------------------------- */

static struct barrier barrier;
static volatile uint32_t wrong_there;

static void round_of(uint32_t mine, uint32_t others, uint32_t n,
		     volatile uint32_t *wrong)
{
	map_range(mine, n);
	barrier_wait(&barrier, 2);
	flush();
	*wrong += right_in(mine, n) != PAGES;
	*wrong += right_in(others, n) != PAGES;
	barrier_wait(&barrier, 2);
}

static void rounds_there(uint32_t arg)
{
	(void)arg;
	for (uint32_t n = 0; n < ROUNDS; n++)
		round_of(THERE_PAGE, HERE_PAGE, n, &wrong_there);
}

static void same_there(uint32_t rounds)
{
	for (uint32_t n = 0; n < rounds; n++) {
		map_range(HERE_PAGE, n);
		flush();
	}
}

static void fault_there(uint32_t rounds)
{
	for (uint32_t n = 0; n < rounds; n++)
		(void)right_in(HERE_PAGE, n);
}

static void at_once(void)
{
	volatile uint32_t wrong = 0;

	begin_on(OTHER, rounds_there, 0);
	for (uint32_t n = 0; n < ROUNDS; n++)
		round_of(HERE_PAGE, THERE_PAGE, n, &wrong);
	end_on(OTHER);
	is("3.8.9", wrong, 0, "both announce at once, meet, flush: here");
	is("3.8.9", wrong_there, 0, "and there");

	begin_on(OTHER, same_there, ROUNDS);
	for (uint32_t n = 0; n < ROUNDS; n++) {
		map_range(HERE_PAGE, n + 1);
		flush();
	}
	end_on(OTHER);
	flush();
	wrong = 0;
	for (uint32_t i = 0; i < PAGES; i++) {
		void *const e = play_entry(HERE_PAGE + i);
		const uint32_t frame = (uint32_t)get(e) & ~ENTRY_BITS;

		wrong += play_read(HERE_PAGE + i) !=
			 *linear((void *)(uintptr_t)frame);
	}
	is("3.8.9", wrong, 0, "both change the same entries: memory counts");

	begin_on(OTHER, fault_there, ROUNDS);
	for (uint32_t n = 0; n < ROUNDS; n++) {
		map_range(HERE_PAGE, n);
		table_release((uint8_t *)play_entry(0) - LINEAR, VMI_PAGE_PT);
		table_alloc((uint8_t *)play_entry(0) - LINEAR, VMI_PAGE_PT);
		flush();
	}
	end_on(OTHER);
	flush();
	is("3.8.9", right_in(HERE_PAGE, ROUNDS - 1), PAGES,
	   "a table released and announced while the other uses it");
}

void coherence(void)
{
	one_page();
	again_and_again();
	rights_and_holes();
	tables();
	many();
	at_once();
}

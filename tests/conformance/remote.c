// SPDX-License-Identifier: GPL-2.0-only
/* FlushProcessors: what one processor has another flush, that goes on meanwhile
 * with its interrupts off, or sleeps. VMI-3.8.11. */
#include "several.h"

#define RIGHTS		(PTE_P | PTE_W | PTE_U)
#define VECTOR		0x45u
#define PAGES		40u
#define ROUNDS		30u
#define HERE_PAGE	PLAY_FIRST
#define THERE_PAGE	(PLAY_FIRST + PAGES)
#define ABSENT_ID	30u		/* no processor has it */

static uint32_t set_of(uint32_t n)
{
	return 1u << processor[n].id;
}

static uint32_t page_of(uint32_t page)
{
	return VMI_FLUSH_PAGE | play_va(page);
}

static void have_flush(uint32_t set, uint32_t what)
{
	vmi3(FlushProcessors, set, what, 0);
}

static void map_there(uint32_t entry)
{
	play_map(TEST_PAGE, entry);
}

/* Both have used it. */
static void both_show(uint32_t n)
{
	play_map(TEST_PAGE, frame_entry(n));
	have_flush(set_of(0) | set_of(OTHER), VMI_FLUSH_TLB);
	(void)play_read(TEST_PAGE);
	(void)other_read(TEST_PAGE);
}

/* ---- one page --------------------------------------------------------------- */

static void each_kind(void)
{
	static const struct {
		uint32_t	what;
		const char	*there, *here, *announced_there;
	} kinds[] = {
		{ VMI_FLUSH_PAGE, "the other flushes one page",
		  "one page, of the processor that calls",
		  "one page, changed there" },
		{ VMI_FLUSH_TLB, "the other flushes what is not global",
		  "what is not global, of the processor that calls",
		  "what is not global, changed there" },
		{ VMI_FLUSH_TLB | VMI_FLUSH_GLOBAL, "the other flushes all",
		  "all, of the processor that calls", "all, changed there" },
	};
	uint32_t what;

	for (uint32_t i = 0; i < 3; i++) {
		what = kinds[i].what;
		if (what & VMI_FLUSH_PAGE)
			what = page_of(TEST_PAGE);
		both_show(1);
		play_map(TEST_PAGE, frame_entry(2));
		have_flush(set_of(OTHER), what);
		is("3.2.74", other_read(TEST_PAGE), FRAME_MARK + 2,
		   kinds[i].there);
		have_flush(set_of(0), what);
		is("3.2.74", play_read(TEST_PAGE), FRAME_MARK + 2,
		   kinds[i].here);
		run_on(OTHER, map_there, frame_entry(3));
		have_flush(set_of(0) | set_of(OTHER), what);
		point("3.8.11", play_read(TEST_PAGE) == FRAME_MARK + 3 &&
		      other_read(TEST_PAGE) == FRAME_MARK + 3,
		      kinds[i].announced_there);
	}
}

static void numbers(void)
{
	const uint32_t id = processor[OTHER].id;

	both_show(1);
	play_map(TEST_PAGE, frame_entry(2));
	vmi3(FlushProcessors, 1, page_of(TEST_PAGE), id);
	is("3.2.74", other_read(TEST_PAGE), FRAME_MARK + 2,
	   "bit 0 is the APIC id in ECX");
	play_map(TEST_PAGE, frame_entry(3));
	have_flush(~0u, page_of(TEST_PAGE));
	is("3.8.11", other_read(TEST_PAGE), FRAME_MARK + 3,
	   "ids that no processor has are passed over");
	have_flush(1u << ABSENT_ID, VMI_FLUSH_TLB);
	vmi3(FlushProcessors, ~0u, VMI_FLUSH_TLB, 0xffffff00);
	have_flush(0, VMI_FLUSH_TLB);
	have_flush(set_of(OTHER), VMI_FLUSH_PAGE | 0xfffff000);
	have_flush(set_of(OTHER), VMI_FLUSH_PAGE);
	is("3.8.11", other_read(TEST_PAGE), FRAME_MARK + 3,
	   "and so are empty sets, and pages that nobody has");
}

static void rights_and_holes(void)
{
	const uint32_t va = play_va(TEST_PAGE) + 8;

	both_show(1);
	play_map(TEST_PAGE, 0);
	have_flush(set_of(OTHER), page_of(TEST_PAGE));
	is("3.8.11", other_probe(va, false), VEC_PF,
	   "a mapping taken away here is gone there");
	both_show(1);
	play_map(TEST_PAGE, frame_entry(1) & ~PTE_W);
	have_flush(set_of(OTHER), page_of(TEST_PAGE));
	is("3.8.11", other_probe(va, true), VEC_PF,
	   "what is write-protected here is so there");
}

static void tables(void)
{
	both_show(1);
	table_alloc(spare_table, VMI_PAGE_PT);
	store(entry_at(spare_table, TEST_PAGE), frame_entry(50));
	set_entry(dir_entry(&ours, PLAY), PTR(spare_table) | RIGHTS,
		  VMI_PAGE_PD);
	have_flush(set_of(OTHER), VMI_FLUSH_TLB);
	is("3.8.11", other_read(TEST_PAGE), FRAME_MARK + 50,
	   "another table linked here");
	link_play(&ours, RIGHTS);
	table_release(spare_table, VMI_PAGE_PT);
	store(entry_at(spare_table, TEST_PAGE), frame_entry(51));
	have_flush(set_of(0) | set_of(OTHER), VMI_FLUSH_TLB);
	is("3.8.11", other_read(TEST_PAGE), FRAME_MARK + 1,
	   "a table released here is in no way there");

	/* in another space, with the same table */
	space_copy(&theirs);
	space_alloc(&theirs);
	other_call(VMI_CALL_SetCR3, root(&theirs), 0);
	(void)other_read(TEST_PAGE);
	play_map(TEST_PAGE, frame_entry(52));
	have_flush(set_of(OTHER), page_of(TEST_PAGE));
	is("3.8.11", other_read(TEST_PAGE), FRAME_MARK + 52,
	   "of the address space that is loaded there");
	set_entry(dir_entry(&theirs, PLAY), 0, VMI_PAGE_PD);
	have_flush(set_of(OTHER), page_of(TEST_PAGE));
	is("3.8.11", other_probe(play_va(TEST_PAGE), false), VEC_PF,
	   "which has no table for it any more");
	other_call(VMI_CALL_SetCR3, root(&ours), 0);
	space_release(&theirs);
	have_flush(set_of(0) | set_of(OTHER), VMI_FLUSH_TLB);
}

/* ---- batches ------------------------------------------------------------------ */

static void in_batches(void)
{
	both_show(1);
	vmi1(SetLazyMode, VMI_LAZY_MMU);
	play_map(TEST_PAGE, frame_entry(2));
	have_flush(set_of(OTHER), page_of(TEST_PAGE));
	is("3.8.11", other_read(TEST_PAGE), FRAME_MARK + 2,
	   "in a batch it is not deferred");
	vmi1(SetLazyMode, VMI_LAZY_NONE);

	both_show(1);
	other_call(VMI_CALL_SetLazyMode, VMI_LAZY_MMU, 0);
	run_on(OTHER, map_there, frame_entry(2));
	other_call(VMI_CALL_InvalPage, play_va(TEST_PAGE), 0);
	play_map(TEST_PAGE + 1, frame_entry(4));
	have_flush(set_of(OTHER), page_of(TEST_PAGE + 1));
	is("3.8.11", other_read(TEST_PAGE + 1), FRAME_MARK + 4,
	   "nor by a batch there");
	other_call(VMI_CALL_SetLazyMode, VMI_LAZY_NONE, 0);
	is("3.8.11", other_read(TEST_PAGE), FRAME_MARK + 2,
	   "whose own flush is done at its end");
	flush();
}

/* ---- one that runs, sleeps, is off -------------------------------------------- */

static volatile uint32_t let_go, came, seen;

static void read_until(uint32_t page)
{
	while (!let_go)
		seen = play_read(page);
	seen = play_read(page);
}

/* It has no rest: no interrupt of the guest's is taken, and no call is made. */
static void runs(void)
{
	both_show(1);
	let_go = seen = 0;
	begin_on(OTHER, read_until, TEST_PAGE);
	while (seen != FRAME_MARK + 1)
		relax();
	play_map(TEST_PAGE, frame_entry(2));
	have_flush(set_of(OTHER), page_of(TEST_PAGE));
	let_go = 1;
	end_on(OTHER);
	is("3.8.11", seen, FRAME_MARK + 2,
	   "it is done when the call returns, while the other uses the page");
}

static void on_wake(struct frame *f)
{
	(void)f;
	came++;
	apic_set(APIC_EOI, 0);
}

static void sleep_there(uint32_t page)
{
	let_go = 1;
	while (!came)
		vmi0(Halt);
	vmi0(DisableInterrupts);
	seen = play_read(page);
}

static void sleeps(void)
{
	vector_hook[VECTOR] = on_wake;
	both_show(1);
	came = let_go = 0;
	begin_on(OTHER, sleep_there, TEST_PAGE);
	while (!let_go)
		relax();
	wait_a_tick();
	play_map(TEST_PAGE, frame_entry(2));
	have_flush(set_of(OTHER), page_of(TEST_PAGE));
	is("3.8.11", came, 0, "it does not wake who sleeps");
	send_interrupt(processor[OTHER].id, VECTOR);
	end_on(OTHER);
	is("3.8.11", seen, FRAME_MARK + 2, "who has flushed when it wakes");
}

static void off(void)
{
	const struct vmi_ap_state s = processor_state(OTHER);

	both_show(1);
	processor_stop(OTHER);
	play_map(TEST_PAGE, frame_entry(2));
	have_flush(set_of(0) | set_of(OTHER), VMI_FLUSH_TLB);
	is("3.8.11", play_read(TEST_PAGE), FRAME_MARK + 2,
	   "one that is off keeps nobody waiting");
	processor_start(OTHER, &s);
	is("3.8.3", other_read(TEST_PAGE), FRAME_MARK + 2,
	   "and starts with an empty TLB");
}

/* ---- at once -------------------------------------------------------------------- */

static struct barrier barrier;
static volatile uint32_t wrong_there;

static uint32_t right_in(uint32_t first, uint32_t by)
{
	uint32_t right = 0;

	for (uint32_t i = 0; i < PAGES; i++)
		right += play_read(first + i) == FRAME_MARK + (i + by) % FRAMES;
	return right;
}

/* Each changes its own pages, has all flush, and looks at the other's when both
 * have. */
static void round_of(uint32_t mine, uint32_t others, uint32_t n,
		     volatile uint32_t *wrong)
{
	const uint32_t all = set_of(0) | set_of(OTHER);

	for (uint32_t i = 0; i < PAGES; i++) {
		play_map(mine + i, frame_entry(i + n));
		if (n & 1)
			have_flush(all, page_of(mine + i));
	}
	if (!(n & 1))
		have_flush(all, VMI_FLUSH_TLB);
	barrier_wait(&barrier, 2);
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

static void at_once(void)
{
	volatile uint32_t wrong = 0;

	begin_on(OTHER, rounds_there, 0);
	for (uint32_t n = 0; n < ROUNDS; n++)
		round_of(HERE_PAGE, THERE_PAGE, n, &wrong);
	end_on(OTHER);
	is("3.8.11", wrong, 0, "both have each other flush at once: here");
	is("3.8.11", wrong_there, 0, "and there");
}

void remote(void)
{
	if (!offered(VMI_CALL_FlushProcessors)) {
		skip("3.2.74", "FlushProcessors", "it is not offered");
		skip("3.8.11", "FlushProcessors", "it is not offered");
		return;
	}
	each_kind();
	numbers();
	rights_and_holes();
	tables();
	in_batches();
	runs();
	sleeps();
	off();
	at_once();
}

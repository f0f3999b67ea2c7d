// SPDX-License-Identifier: GPL-2.0-only
/* Page tables: VMI-3.4. */
#include "conf.h"

#define LARGE		0x50000000u	/* by whatever entry */
#define PTE_G		0x100u
#define CR4_PGE		0x80u
#define PTR(p)		((uint32_t)(uintptr_t)(p))
#define RIGHTS		(PTE_P | PTE_W | PTE_U)
#define TABLE_ENTRY(t)	(PTR(t) | RIGHTS)

static void inval(uint32_t page)
{
	vmi1(InvalPage, play_va(page));
}

/* Page shows frame n, and its translation is in use. */
static void show(uint32_t page, uint32_t n)
{
	play_map(page, frame_entry(n));
	flush();
	(void)play_read(page);
}

/* What the guest has stored, but for what a processor adds. */
bool stays(const void *entry, uint64_t value)
{
	return (get(entry) & ~(uint64_t)(PTE_A | PTE_D)) == value;
}

static void visibility(void)
{
	const uint32_t va = play_va(TEST_PAGE);
	uint32_t seen;

	play_map(TEST_PAGE, 0);
	flush();
	play_map(TEST_PAGE, frame_entry(1));
	point_of(VMI_CALL_SetEntry, SET_CLAUSE,
		 stays(play_entry(TEST_PAGE), frame_entry(1)),
		 "SetPxE stores the entry");
	shows(SetEntry, "3.4.3", TEST_PAGE, 1, "a new mapping needs no flush");
	play_map(TEST_PAGE, frame_entry(2));
	seen = play_read(TEST_PAGE);
	point_of(VMI_CALL_SetEntry, "3.4.2", seen == FRAME_MARK + 1 ||
		 seen == FRAME_MARK + 2,
		 "before the flush there is the old page or the new one");
	inval(TEST_PAGE);
	shows(InvalPage, "3.2.46", TEST_PAGE, 2, "SetPxE, then InvalPage");
	play_map(TEST_PAGE, frame_entry(3));
	flush();
	shows(FlushTLB, "3.2.47", TEST_PAGE, 3, "SetPxE, then FlushTLB 1");
	play_map(TEST_PAGE, frame_entry(4));
	vmi1(FlushTLB, VMI_FLUSH_TLB | VMI_FLUSH_GLOBAL);
	shows(FlushTLB, "3.2.47", TEST_PAGE, 4, "SetPxE, then FlushTLB 3");
	play_map(TEST_PAGE, frame_entry(5));
	vmi1(SetCR3, root(&ours));
	shows(SetCR3, "3.2.17", TEST_PAGE, 5, "SetPxE, then SetCR3");

	store(play_entry(TEST_PAGE), frame_entry(6));
	update(play_entry(TEST_PAGE), VMI_PAGE_PT);
	inval(TEST_PAGE);
	shows(UpdateEntry, "3.2.40", TEST_PAGE, 6,
	      "plain store, UpdatePxE, InvalPage");
	exchange(play_entry(TEST_PAGE), frame_entry(7));
	update(play_entry(TEST_PAGE), VMI_PAGE_PT);
	flush();
	shows(UpdateEntry, "3.2.40", TEST_PAGE, 7, "XCHG, UpdatePxE, FlushTLB");
	store(play_entry(TEST_PAGE), frame_entry(8));
	update(play_entry(TEST_PAGE), VMI_PAGE_PT);
	vmi1(SetCR3, root(&ours));
	shows(UpdateEntry, "3.2.40", TEST_PAGE, 8,
	      "plain store, UpdatePxE, SetCR3");

	/* the flags of Linux */
	set_entry(play_entry(TEST_PAGE), frame_entry(9),
		  VMI_PAGE_PT | VMI_PAGE_CURRENT_AS | va);
	inval(TEST_PAGE);
	shows(SetEntry, "3.4.1", TEST_PAGE, 9, "SetPxE with its address");
	store(play_entry(TEST_PAGE), frame_entry(10));
	update(play_entry(TEST_PAGE), VMI_PAGE_PT | VMI_PAGE_CURRENT_AS | va);
	inval(TEST_PAGE);
	shows(UpdateEntry, "3.4.1", TEST_PAGE, 10, "UpdatePxE with its address");
	store(play_entry(TEST_PAGE), frame_entry(11));
	update(play_entry(TEST_PAGE), VMI_PAGE_PT | VMI_PAGE_CURRENT_AS |
	       VMI_PAGE_DEFER | va);
	inval(TEST_PAGE);
	shows(UpdateEntry, "3.4.1", TEST_PAGE, 11,
	      "UpdatePxE that may be deferred, InvalPage");
	set_entry(play_entry(TEST_PAGE), frame_entry(12), VMI_PAGE_PT |
		  VMI_PAGE_CURRENT_AS | VMI_PAGE_DEFER | va);
	flush();
	shows(SetEntry, "3.4.1", TEST_PAGE, 12,
	      "SetPxE that may be deferred, FlushTLB");

	/* twice before the flush, and with a hole between */
	play_map(TEST_PAGE, frame_entry(13));
	play_map(TEST_PAGE, 0);
	play_map(TEST_PAGE, frame_entry(14));
	inval(TEST_PAGE);
	shows(SetEntry, "3.4.2", TEST_PAGE, 14, "the last of three changes counts");
	play_map(TEST_PAGE, 0);
	inval(TEST_PAGE);
	is_of(SetEntry, "3.4.2", probe_read(va), VEC_PF,
	      "a mapping that is gone, InvalPage");
	play_map(TEST_PAGE, frame_entry(15));
	shows(SetEntry, "3.4.3", TEST_PAGE, 15, "and is back without a flush");
	play_map(TEST_PAGE, 0);
	flush();
	is_of(SetEntry, "3.4.2", probe_write(va), VEC_PF,
	      "a mapping that is gone, FlushTLB");
	store(play_entry(TEST_PAGE), frame_entry(16));
	update(play_entry(TEST_PAGE), VMI_PAGE_PT);
	shows(UpdateEntry, "3.4.3", TEST_PAGE, 16,
	      "a store to a hole and UpdatePxE need no flush");
}

static void rights(void)
{
	const uint32_t va = play_va(TEST_PAGE) + 8;	/* spare the mark */

	show(TEST_PAGE, 1);
	play_map(TEST_PAGE, frame_entry(1) & ~PTE_W);
	inval(TEST_PAGE);
	is_of(SetEntry, "3.4.2", probe_write(va), VEC_PF,
	      "a page made read-only cannot be written");
	is("3.4.11", last_trap.error, PF_PRESENT | PF_WRITE, "with error code 3");
	is_of(SetEntry, "3.4.2", probe_read(va), (uint32_t)-1, "but read");
	play_map(TEST_PAGE, frame_entry(1));
	inval(TEST_PAGE);
	is_of(SetEntry, "3.4.2", probe_write(va), (uint32_t)-1,
	      "a page made writable can be written");
	user_run(u_read, 0, va);
	is_of(SetEntry, "3.4.11", last_trap.vector, VEC_PF,
	      "user mode cannot read a page without U");
	play_map(TEST_PAGE, frame_entry(1) | PTE_U);
	inval(TEST_PAGE);
	user_run(u_read, 0, va);
	is_of(SetEntry, "3.4.2", last_trap.vector, VEC_SYSCALL,
	      "a page given to user mode can be read there");
	play_map(TEST_PAGE, frame_entry(1));
	inval(TEST_PAGE);
	user_run(u_read, 0, va);
	is_of(SetEntry, "3.4.2", last_trap.vector, VEC_PF,
	      "a page taken from user mode cannot");
	play_map(TEST_PAGE, (frame_entry(1) & ~PTE_W) | PTE_U);
	inval(TEST_PAGE);
	user_run(u_write, 7, va);
	is_of(SetEntry, "3.4.11", last_trap.vector, VEC_PF,
	      "copy on write: the page is read-only");
	store(play_entry(TEST_PAGE), frame_entry(1) | PTE_U);
	update(play_entry(TEST_PAGE), VMI_PAGE_PT);
	inval(TEST_PAGE);
	user_run(u_write, FRAME_MARK + 1, va);
	is_of(UpdateEntry, "3.4.2", last_trap.vector, VEC_SYSCALL,
	      "copy on write: the page made writable is written");

	/* the directory's rights count too */
	link_play(&ours, RIGHTS & ~PTE_U);
	flush();
	user_run(u_syscall, 0, 0);
	point_of(VMI_CALL_SetEntry, "3.4.11", last_trap.vector == VEC_PF &&
		 last_trap.error == (PF_USER | PF_PRESENT | PF_FETCH),
		 "U taken from a directory entry counts");
	link_play(&ours, RIGHTS & ~PTE_W);
	flush();
	is_of(SetEntry, "3.4.11", probe_write(va), VEC_PF,
	      "W taken from a directory entry counts");
	link_play(&ours, RIGHTS);
	flush();
	is_of(SetEntry, "3.4.2", probe_write(va), (uint32_t)-1,
	      "and comes back with it");

	/* Linux tests WP on a page that shows its directory */
	play_map(TEST_PAGE, root(&ours) | PTE_P);
	flush();
	is_of(SetEntry, "3.4.11", probe_write(va), VEC_PF,
	      "a table shown read-only cannot be written there");
	is("3.4.11", last_trap.error, PF_PRESENT | PF_WRITE, "with error code 3");
	is_of(SetEntry, "3.4.1", *(volatile uint32_t *)va,
	      ((uint32_t *)root(&ours))[2],
	      "and reads as the table");
	play_map(TEST_PAGE, 0);
	flush();
}

static void many(void)
{
	uint32_t right = 0;

	for (uint32_t round = 0; round < 4; round++)
		for (uint32_t i = 0; i < FRAMES; i++)
			play_map(PLAY_FIRST + i, frame_entry(i + round));
	flush();
	for (uint32_t i = 0; i < FRAMES; i++)
		right += play_read(PLAY_FIRST + i) ==
			 FRAME_MARK + (i + 3) % FRAMES;
	is_of(SetEntry, "3.4.2", right, FRAMES, "2048 SetPxE, then one flush");
	for (uint32_t i = 0; i < FRAMES; i++) {
		store(play_entry(PLAY_FIRST + i), frame_entry(i + 9));
		update(play_entry(PLAY_FIRST + i), VMI_PAGE_PT);
	}
	flush();
	right = 0;
	for (uint32_t i = 0; i < FRAMES; i++)
		right += play_read(PLAY_FIRST + i) ==
			 FRAME_MARK + (i + 9) % FRAMES;
	is_of(UpdateEntry, "3.4.2", right, FRAMES, "512 UpdatePxE, then one flush");
	for (uint32_t i = 0; i < FRAMES; i++) {
		play_map(PLAY_FIRST + i, frame_entry(i));
		inval(PLAY_FIRST + i);
	}
	right = 0;
	for (uint32_t i = 0; i < FRAMES; i++)
		right += play_read(PLAY_FIRST + i) == FRAME_MARK + i;
	is_of(InvalPage, "3.4.2", right, FRAMES, "512 SetPxE with InvalPage each");
	for (uint32_t i = 0; i < FRAMES; i++)
		play_map(PLAY_FIRST + i, 0);
	flush();
	right = 0;
	for (uint32_t i = 0; i < FRAMES; i++)
		right += probe_read(play_va(PLAY_FIRST + i)) == VEC_PF;
	is_of(SetEntry, "3.4.2", right, FRAMES, "512 mappings gone, then one flush");
}

/* A table that ends as an exiting process leaves it: emptied by plain stores,
 * of which nobody is told, and then released. */
static void emptied(void *pde)
{
	uint32_t right = 0;

	table_alloc(spare_table, VMI_PAGE_PT);
	for (uint32_t i = 0; i < table_entries(); i++)
		set_entry(entry_at(spare_table, i), frame_entry(i),
			  VMI_PAGE_PT);
	set_entry(pde, TABLE_ENTRY(spare_table), VMI_PAGE_PD);
	flush();
	for (uint32_t i = 0; i < table_entries(); i++)
		right += *(volatile uint32_t *)(LARGE + i * PAGE) ==
			 FRAME_MARK + i % FRAMES;
	is_of(SetEntry, "3.4.2", right, table_entries(), "a table is filled");
	for (uint32_t i = 0; i < table_entries(); i++)
		store(entry_at(spare_table, i), 0);
	set_entry(pde, 0, VMI_PAGE_PD);
	flush();
	table_release(spare_table, VMI_PAGE_PT);
	set_entry(pde, TABLE_ENTRY(spare_table), VMI_PAGE_PD);
	right = 0;
	for (uint32_t i = 0; i < table_entries(); i++)
		right += probe_read(LARGE + i * PAGE) == VEC_PF;
	is_of(ReleasePage, "3.4.7", right, table_entries(),
	      "plain stores to it are seen when it is released");
	set_entry(pde, 0, VMI_PAGE_PD);
	flush();
}

static void accessed_and_dirty(void)
{
	const void *const e = play_entry(TEST_PAGE);
	const uint32_t va = play_va(TEST_PAGE) + 8;

	play_map(TEST_PAGE, frame_entry(1) | PTE_U);
	flush();
	is("3.4.9", get(e) & (PTE_A | PTE_D), 0, "a page not touched has neither bit");
	probe_read(va);
	is("3.4.9", get(e) & (PTE_A | PTE_D), PTE_A, "a kernel read sets A alone");
	probe_write(va);
	is("3.4.9", get(e) & (PTE_A | PTE_D), PTE_A | PTE_D, "a kernel write sets D");
	play_map(TEST_PAGE, frame_entry(2) | PTE_U);
	flush();
	user_run(u_read, 0, va);
	is("3.4.9", get(e) & (PTE_A | PTE_D), PTE_A, "a user read sets A alone");
	user_run(u_write, FRAME_MARK + 2, va);
	is("3.4.9", get(e) & (PTE_A | PTE_D), PTE_A | PTE_D, "a user write sets D");

	exchange(play_entry(TEST_PAGE), (frame_entry(2) | PTE_U | PTE_A));
	update(play_entry(TEST_PAGE), VMI_PAGE_PT);
	inval(TEST_PAGE);
	is("3.4.9", get(e) & PTE_D, 0, "D cleared stays clear");
	probe_read(va);
	is("3.4.9", get(e) & PTE_D, 0, "also behind a read");
	user_run(u_write, FRAME_MARK + 2, va);
	is("3.4.9", get(e) & PTE_D, PTE_D, "and is set by the next write");
	exchange(play_entry(TEST_PAGE), frame_entry(2) | PTE_U | PTE_D);
	update(play_entry(TEST_PAGE), VMI_PAGE_PT | VMI_PAGE_CURRENT_AS |
	       VMI_PAGE_DEFER | va);
	inval(TEST_PAGE);
	is("3.4.9", get(e) & PTE_A, 0, "A cleared stays clear");
	probe_read(va);
	is("3.4.9", get(e) & PTE_A, PTE_A, "and is set by the next read");
	play_map(TEST_PAGE, (frame_entry(3) & ~PTE_W) | PTE_U);
	inval(TEST_PAGE);
	probe_write(va);
	is("3.4.9", get(e) & PTE_D, 0, "a write that faults does not set D");
	link_play(&ours, RIGHTS);
	flush();
	probe_read(va);
	is("3.4.9", get(dir_entry(&ours, PLAY)) & PTE_A, PTE_A,
	   "A of the directory entry");
	play_map(TEST_PAGE, frame_entry(3));
	flush();
	__asm__ volatile("lock orl $0, (%0)" : : "r"(va) : "memory");
	is("3.4.9", get(e) & PTE_D, PTE_D, "a locked OR sets D");
}

static void fill_spare(uint8_t value)
{
	for (uint32_t i = 0; i < PAGE; i++)
		spare_table[i] = value;
}

static uint32_t large_read(void *p)
{
	return *(volatile uint32_t *)(LARGE + PTR(p));
}

static uint32_t large_word = 0x600d0001;
static uint32_t large_scratch = 1;	/* not in .bss, which is far up */

static void large_pages(void)
{
	void *const pde = dir_entry(&ours, LARGE);

	/* low memory once more: what we look at lies in its first 2 MB */
	set_entry(pde, PTE_P | PTE_W | PTE_PS, VMI_PAGE_PD);
	flush();
	is_of(SetEntry, "3.4.1", large_read(&large_word), large_word,
	      "a large page shows memory");
	is("3.4.9", get(pde) & (PTE_A | PTE_D), PTE_A, "reading it sets A alone");
	*(volatile uint32_t *)(LARGE + PTR(&large_word)) = 0x600d0002;
	is_of(SetEntry, "3.4.1", *(volatile uint32_t *)&large_word, 0x600d0002,
	      "writing it writes memory");
	is("3.4.9", get(pde) & PTE_D, PTE_D, "and sets D");
	user_run(u_read, 0, LARGE + PTR(&large_word));
	point("3.4.11", last_trap.vector == VEC_PF &&
	      last_trap.error == (PF_USER | PF_PRESENT),
	      "user mode cannot read it");
	set_entry(pde, PTE_P | PTE_PS | PTE_U, VMI_PAGE_PD);
	flush();
	user_run(u_read, 0, LARGE + PTR(&large_word));
	is_of(SetEntry, "3.4.2", last_trap.vector, VEC_SYSCALL,
	      "with U it can");
	is_of(SetEntry, "3.4.11", probe_write(LARGE + PTR(&large_scratch)), VEC_PF,
	      "a read-only 4 MB page cannot be written");
	is("3.4.11", last_trap.error, PF_PRESENT | PF_WRITE, "with error code 3");

	/* split it, as a kernel splits its own */
	for (uint32_t i = 0; i < table_entries(); i++)
		store(entry_at(spare_table, i), i * PAGE | PTE_P | PTE_W);
	table_alloc(spare_table, VMI_PAGE_PT);
	set_entry(pde, TABLE_ENTRY(spare_table), VMI_PAGE_PD);
	flush();
	is_of(SetEntry, "3.4.6", large_read(&large_word), large_word,
	      "a large page split into a table shows the same");
	is_of(SetEntry, "3.4.6", probe_write(LARGE + PTR(&large_scratch)), (uint32_t)-1,
	      "with the rights of the table");
	set_entry(entry_at(spare_table, PTR(&large_word) / PAGE),
		  frame_entry(5), VMI_PAGE_PT);
	vmi1(InvalPage, LARGE + (PTR(&large_word) & ~(PAGE - 1)));
	is_of(SetEntry, "3.4.2",
	      *(volatile uint32_t *)(LARGE + (PTR(&large_word) & ~(PAGE - 1))),
	      FRAME_MARK + 5, "one page of it changed");

	/* and together again; the table is released */
	set_entry(pde, PTE_P | PTE_W | PTE_PS, VMI_PAGE_PD);
	flush();
	table_release(spare_table, VMI_PAGE_PT);
	is_of(SetEntry, "3.4.2", large_read(&large_word), large_word,
	      "a large page in place of a table");
	set_entry(pde, 0, VMI_PAGE_PD);
	flush();
	is_of(SetEntry, "3.4.2", probe_read(LARGE), VEC_PF, "a large page gone");
	fill_spare(0);
}

static void global_pages(void)
{
	const uint32_t cr4 = vmi0(GetCR4);

	vmi1(SetCR4, cr4 | CR4_PGE);
	if (!(vmi0(GetCR4) & CR4_PGE)) {
		skip("3.2.47", "global pages", "PGE stays off here");
		return;
	}
	play_map(TEST_PAGE, frame_entry(1) | PTE_G);
	vmi1(FlushTLB, VMI_FLUSH_TLB | VMI_FLUSH_GLOBAL);
	shows(FlushTLB, "3.2.47", TEST_PAGE, 1, "a global page");
	play_map(TEST_PAGE, frame_entry(2) | PTE_G);
	vmi1(FlushTLB, VMI_FLUSH_TLB | VMI_FLUSH_GLOBAL);
	shows(FlushTLB, "3.2.47", TEST_PAGE, 2, "FlushTLB 3 flushes it");
	play_map(TEST_PAGE, frame_entry(3) | PTE_G);
	inval(TEST_PAGE);
	shows(InvalPage, "3.2.46", TEST_PAGE, 3, "InvalPage flushes it");
	play_map(TEST_PAGE, frame_entry(4));
	vmi1(SetCR4, cr4);
	shows(SetCR4, "3.2.15", TEST_PAGE, 4, "turning PGE off flushes it");
}

void pages(void)
{
	visibility();
	rights();
	many();
	emptied(dir_entry(&ours, LARGE));
	accessed_and_dirty();
	large_pages();
	global_pages();
	slots();
}

/* ---- address spaces ---------------------------------------------------------------- */

#define SECOND		0x60000000u	/* by spare_table */

static uint32_t second_read(void)
{
	return *(volatile uint32_t *)SECOND;
}

void spaces(void)
{
	void *const first = entry_at(spare_table, 0);
	void *const second = dir_entry(&theirs, SECOND);
	const uint32_t *const word = linear(spare_table);
	uint32_t seen;

	space_clone(&theirs);
	vmi1(SetCR3, root(&theirs));
	is_of(SetCR3, "3.2.17", vmi0(GetCR3), root(&theirs),
	      "SetCR3 to a cloned directory");
	is_of(AllocatePage, "3.2.44", *linear(&large_word), large_word,
	      "the cloned part is there");
	is_of(AllocatePage, "3.4.6", probe_read(play_va(TEST_PAGE)), VEC_PF,
	      "and no other");

	/* a table of this space alone, announced */
	table_alloc(spare_table, VMI_PAGE_PT);
	set_entry(first, frame_entry(20),
		  VMI_PAGE_PT | VMI_PAGE_CURRENT_AS | SECOND);
	set_entry(second, TABLE_ENTRY(spare_table), VMI_PAGE_PD);
	is_of(SetEntry, "3.4.3", second_read(), FRAME_MARK + 20,
	      "a new table in it needs no flush");
	vmi1(SetCR3, root(&ours));
	is_of(SetCR3, "3.2.17", probe_read(SECOND), VEC_PF,
	      "the first space has it not");
	is_of(SetCR3, "3.2.17", probe_read(play_va(TEST_PAGE)), (uint32_t)-1,
	      "and has its own");

	/* changes to the space that is not current */
	set_entry(first, frame_entry(21), VMI_PAGE_PT);
	vmi1(SetCR3, root(&theirs));
	is_of(SetEntry, "3.4.2", second_read(), FRAME_MARK + 21,
	      "an entry of the other space, changed, is there after SetCR3");
	vmi1(SetCR3, root(&ours));
	link_play(&theirs, RIGHTS);
	play_map(TEST_PAGE, frame_entry(22));
	flush();
	(void)play_read(TEST_PAGE);
	vmi1(SetCR3, root(&theirs));
	shows(SetEntry, "3.4.2", TEST_PAGE, 22, "a table linked in both spaces");
	play_map(TEST_PAGE, frame_entry(23));
	inval(TEST_PAGE);
	shows(SetEntry, "3.4.2", TEST_PAGE, 23, "changed in one");
	vmi1(SetCR3, root(&ours));
	shows(SetEntry, "3.4.2", TEST_PAGE, 23, "is changed in the other");
	set_entry(dir_entry(&theirs, PLAY), 0, VMI_PAGE_PD);
	vmi1(SetCR3, root(&theirs));
	is_of(SetEntry, "3.4.2", probe_read(play_va(TEST_PAGE)), VEC_PF,
	      "a table unlinked from the other space");

	/* teardown: plain stores, then the release */
	(void)second_read();
	store(first, frame_entry(26));
	seen = second_read();
	point_of(VMI_CALL_SetEntry, "3.4.4", seen == FRAME_MARK + 21 ||
		 seen == FRAME_MARK + 26,
		 "a plain store: there is the old page or the new one");
	store(first, 0);
	store(second, 0);
	flush();
	table_release(spare_table, VMI_PAGE_PT);
	flush();
	is_of(ReleasePage, "3.4.7", probe_read(SECOND), VEC_PF,
	      "no translation through a table that was released");
	vmi1(SetCR3, root(&ours));
	space_release(&theirs);

	/* the pages are memory like any other now */
	fill_spare(0xff);
	is_of(ReleasePage, "3.2.45", linear(spare_table)[77], 0xffffffff,
	      "a released table is memory again");
	fill_spare(0);

	/* never announced, neither directory nor table */
	space_copy(&theirs);
	store(second, TABLE_ENTRY(spare_table));
	store(first, frame_entry(24));
	vmi1(SetCR3, root(&theirs));
	is_of(SetCR3, "3.4.8", second_read(), FRAME_MARK + 24,
	      "tables that nobody announced");
	set_entry(first, frame_entry(25), VMI_PAGE_PT);
	vmi1(InvalPage, SECOND);
	is_of(SetEntry, "3.4.8", second_read(), FRAME_MARK + 25,
	      "SetPxE in a table that nobody announced");
	set_entry(second, 0, VMI_PAGE_PD);
	flush();
	is_of(SetEntry, "3.4.8", probe_read(SECOND), VEC_PF,
	      "SetPxE in a directory that nobody announced");

	/* a root may be announced while it is in use */
	space_alloc(&theirs);
	shows(AllocatePage, "3.4.6", TEST_PAGE, 23,
	      "a root announced while it is in use");
	vmi1(SetCR3, root(&ours));
	space_release(&theirs);
	fill_spare(0);
	store(dir_entry(&theirs, PLAY), 0);
	vmi1(SetCR3, root(&theirs));
	is_of(ReleasePage, "3.4.7", probe_read(play_va(TEST_PAGE)), VEC_PF,
	      "plain stores to a root count after its release");
	vmi1(SetCR3, root(&ours));

	/* 8-byte entries are stored whole, with and without PAE */
	if (!offered(VMI_CALL_SetPxELong)) {
		skip("3.2.39", "SetPxELong", "not offered");
		return;
	}
	vmi4(VMI_CALL_SetPxELong, 0x12345000, 0x9, PTR(linear(spare_table)),
	     VMI_PAGE_PT);
	point("3.2.39", word[0] == 0x12345000 && word[1] == 9 && word[2] == 0,
	      "SetPxELong stores 8 bytes");
	vmi2(UpdatePxELong, PTR(linear(spare_table)), VMI_PAGE_PT);
	point("3.2.40", word[0] == 0x12345000 && word[1] == 9,
	      "UpdatePxELong stores nothing");
	fill_spare(0);
	flush();
}

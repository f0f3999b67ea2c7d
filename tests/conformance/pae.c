// SPDX-License-Identifier: GPL-2.0-only
/*
 * What PAE alone has: the page-directory-pointer table, which a processor
 * reads when CR3 is loaded (SDM vol. 3A, 4.4.1), entries with a high half,
 * pages that cannot be executed. All else is in pages.c, with either kind.
 */
#include "conf.h"

#define QUARTER		0x80000000u	/* no directory here when we boot */
#define NR		(QUARTER >> 30)
#define LARGE		0x50000000u
#define LARGE_AT	0x200000u	/* it shows this, in the middle of .bss */
#define TEST_PAGE	PLAY_FIRST
#define RIGHTS		(PTE_P | PTE_W | PTE_U)
#define RET		0xc3u
#define PTR(p)		((uint32_t)(uintptr_t)(p))
#define ABOVE_4GB	(1ull << 32)

static void *directory(struct space *s)
{
	return s->directory + NR * PAGE;
}

static void set_pdpte(struct space *s, uint64_t value)
{
	set_entry(entry_at(s->pdpt, NR), value, VMI_PAGE_PDP);
}

static uint32_t quarter_read(void)
{
	return *(volatile uint32_t *)QUARTER;
}

static void reload(void)
{
	vmi1(SetCR3, vmi0(GetCR3));
}

static void top_entries(void)
{
	void *const entry = entry_at(spare_table, 0);
	const uint64_t pdpte = PTR(directory(&ours)) | PTE_P;
	uint32_t seen;

	is_of(SetCR3, "3.4.11", probe_read(QUARTER), VEC_PF,
	      "a page fault where there is no page directory");
	table_alloc(spare_table, VMI_PAGE_PT);
	store(entry, frame_entry(1));
	table_alloc(directory(&ours), VMI_PAGE_PD);
	store(dir_entry(&ours, QUARTER), PTR(spare_table) | RIGHTS);
	set_pdpte(&ours, pdpte);
	reload();
	is_of(SetPxELong, "3.4.2", quarter_read(), FRAME_MARK + 1,
	      "a directory linked, SetCR3");
	set_entry(entry, frame_entry(2), VMI_PAGE_PT | VMI_PAGE_CURRENT_AS |
		  QUARTER);
	vmi1(InvalPage, QUARTER);
	is_of(SetPxELong, "3.4.2", quarter_read(), FRAME_MARK + 2,
	      "a page changed under it, InvalPage");

	/* another directory in its place, then none */
	table_alloc(directory(&theirs), VMI_PAGE_PD);
	for (uint32_t i = 0; i < table_entries(); i++)
		store(entry_at(directory(&theirs), i), 0);
	store(entry_at(directory(&theirs), 0), LARGE_AT | PTE_P | PTE_PS);
	set_pdpte(&ours, PTR(directory(&theirs)) | PTE_P);
	seen = quarter_read();
	point_of(VMI_CALL_SetPxELong, "3.4.2", seen == FRAME_MARK + 2 ||
		 seen == *(uint32_t *)(LINEAR + LARGE_AT),
		 "before SetCR3 there is the old directory or the new one");
	reload();
	is_of(SetPxELong, "3.4.2", quarter_read(),
	      *(uint32_t *)(LINEAR + LARGE_AT), "behind it the new one");
	store(entry_at(ours.pdpt, NR), pdpte);
	update(entry_at(ours.pdpt, NR), VMI_PAGE_PDP);
	reload();
	is_of(UpdatePxELong, "3.4.2", quarter_read(), FRAME_MARK + 2,
	      "a plain store to the entry, UpdatePxELong, SetCR3");
	exchange(entry_at(ours.pdpt, NR), 0);
	update(entry_at(ours.pdpt, NR), VMI_PAGE_PDP);
	__asm__ volatile("mov %0, %%cr3" : : "r"(root(&ours)) : "memory");
	is("1.4", probe_read(QUARTER), VEC_PF,
	   "the directory unlinked, MOV to CR3");

	/* without a word, as Linux tears a space down */
	set_pdpte(&ours, pdpte);
	reload();
	(void)quarter_read();
	store(entry_at(ours.pdpt, NR), 0);
	reload();
	table_release(directory(&ours), VMI_PAGE_PD);
	table_release(directory(&theirs), VMI_PAGE_PD);
	table_release(spare_table, VMI_PAGE_PT);
	flush();
	is_of(ReleasePage, "3.4.7", probe_read(QUARTER), VEC_PF,
	      "no translation through a directory that was released");

	/* of a space that is not loaded */
	space_clone(&theirs);
	set_pdpte(&theirs, 0);
	table_release(directory(&theirs), VMI_PAGE_PD);
	vmi1(SetCR3, root(&theirs));
	is_of(SetPxELong, "3.4.2", probe_read(QUARTER), VEC_PF,
	      "an entry of the other space is gone when that is loaded");
	vmi1(SetCR3, root(&ours));
	store(entry, frame_entry(3));
	store(entry_at(directory(&theirs), 0), PTR(spare_table) | RIGHTS);
	set_pdpte(&theirs, PTR(directory(&theirs)) | PTE_P);
	vmi1(SetCR3, root(&theirs));
	is_of(SetPxELong, "3.4.8", quarter_read(), FRAME_MARK + 3,
	      "and there again, with tables that nobody announced");
	vmi1(SetCR3, root(&ours));
	is_of(SetCR3, "3.2.17", probe_read(QUARTER), VEC_PF,
	      "our own has none");
	space_release(&theirs);
	store(entry, 0);
}

/* ---- the high half ------------------------------------------------------------- */

static void high_half(void)
{
	void *const e = play_entry(TEST_PAGE);
	const uint32_t va = play_va(TEST_PAGE);
	const uint64_t swapped = 0xfffffffffffffffeull;

	set_entry(e, swapped, VMI_PAGE_PT);
	flush();
	is_of(SetPxELong, "3.4.11", probe_read(va), VEC_PF,
	      "an absent entry with all other bits set is absent");
	is("3.4.11", last_trap.error, 0, "with error code 0");
	point_of(VMI_CALL_SetPxELong, "3.2.39", get(e) == swapped,
		 "and stays as it is");
	set_entry(e, frame_entry(4), VMI_PAGE_PT);
	is_of(SetPxELong, "3.4.3", play_read(TEST_PAGE), FRAME_MARK + 4,
	      "a page put in its place");
	store(e, frame_entry(5) | ABOVE_4GB);
	update(e, VMI_PAGE_PT);
	vmi1(InvalPage, va);
	point_of(VMI_CALL_UpdatePxELong, "3.4.5",
		 probe_read(va) != -1 || play_read(TEST_PAGE) != FRAME_MARK + 5,
		 "an entry above 4 GB is not its low half");
	set_entry(e, frame_entry(5), VMI_PAGE_PT);
	vmi1(InvalPage, va);
	is_of(SetPxELong, "3.4.2", play_read(TEST_PAGE), FRAME_MARK + 5,
	      "a change of the high half alone counts");
	/* the order of Linux: low half last when it comes, first when it goes */
	store(e, 0);
	update(e, VMI_PAGE_PT | VMI_PAGE_CURRENT_AS | VMI_PAGE_DEFER | va);
	vmi1(InvalPage, va);
	store(e, frame_entry(6));
	update(e, VMI_PAGE_PT | VMI_PAGE_CURRENT_AS | va);
	is_of(UpdatePxELong, "3.4.3", play_read(TEST_PAGE), FRAME_MARK + 6,
	      "an entry stored half by half");
}

static void large_page(void)
{
	const uint32_t at = LARGE + large_size();
	const uint32_t there = LARGE_AT + 7 * PAGE;

	set_entry(dir_entry(&ours, at), LARGE_AT | PTE_P | PTE_W | PTE_PS,
		  VMI_PAGE_PD);
	flush();
	is_of(SetPxELong, "3.4.1", *(volatile uint32_t *)(at + 7 * PAGE),
	      *(volatile uint32_t *)(LINEAR + there), "an odd 2 MB page");
	is_of(SetPxELong, "3.4.1", probe_read(at - PAGE), VEC_PF,
	      "maps 2 MB and nothing before");
	is_of(SetPxELong, "3.4.1", probe_read(at + large_size()), VEC_PF,
	      "or behind");
	set_entry(dir_entry(&ours, at), 0, VMI_PAGE_PD);
	flush();
}

/* ---- what cannot be executed ------------------------------------------------------ */

static void kernel_runs(uint32_t va, bool may, const char *name)
{
	const int raised = probe_exec(va);
	const bool good = may ? raised == -1 :
		raised == VEC_PF && last_cr2 == va && last_trap.eip == va &&
		last_trap.error == (PF_PRESENT | PF_FETCH);

	if (!point("3.4.11", good, name))
		print("# vector %u error %x cr2 %x\n", (uint32_t)raised,
		      last_trap.error, last_cr2);
}

static void no_execute(void)
{
	void *const e = play_entry(TEST_PAGE), *const code =
		play_entry(CODE_PAGE);
	const uint32_t va = play_va(TEST_PAGE) + 8;
	const uint64_t plain = get(code) & ~(uint64_t)(PTE_A | PTE_D);

	if (!nx) {
		skip("3.4.11", "pages that cannot be executed",
		     "the processor has no NX");
		return;
	}
	set_entry(e, frame_entry(7), VMI_PAGE_PT);
	flush();
	*(volatile uint8_t *)va = RET;
	kernel_runs(va, true, "the kernel executes a page without NX");
	set_entry(e, frame_entry(7) | PTE_NX, VMI_PAGE_PT);
	vmi1(InvalPage, va);
	kernel_runs(va, false, "with NX it does not");
	is("3.4.11", probe_read(va), (uint32_t)-1, "but reads it");
	is("3.4.11", probe_write(va + 4), (uint32_t)-1, "and writes it");
	store(e, frame_entry(7));
	update(e, VMI_PAGE_PT);
	vmi1(InvalPage, va);
	kernel_runs(va, true, "NX taken away by a store and UpdatePxELong");
	exchange(e, frame_entry(7) | PTE_NX);
	update(e, VMI_PAGE_PT | VMI_PAGE_CURRENT_AS | VMI_PAGE_DEFER |
	       (va & ~(PAGE - 1)));
	vmi1(InvalPage, va);
	kernel_runs(va, false, "NX set by CMPXCHG8B and UpdatePxELong");
	set_entry(e, frame_entry(7), VMI_PAGE_PT);
	vmi1(InvalPage, va);
	(void)probe_read(va);
	set_entry(dir_entry(&ours, PLAY), get(dir_entry(&ours, PLAY)) | PTE_NX,
		  VMI_PAGE_PD);
	flush();
	kernel_runs(va, false, "NX of a directory entry counts");
	link_play(&ours, RIGHTS);
	flush();
	kernel_runs(va, true, "until it is gone");

	set_entry(code, plain | PTE_NX, VMI_PAGE_PT);
	vmi1(InvalPage, play_va(CODE_PAGE));
	user_run(u_syscall, 0, 0);
	point("3.4.11", last_trap.vector == VEC_PF &&
	      last_cr2 == user_va(u_syscall) &&
	      last_trap.error == (PF_USER | PF_PRESENT | PF_FETCH),
	      "user mode does not execute a page with NX, error code 21");
	set_entry(code, plain, VMI_PAGE_PT);
	vmi1(InvalPage, play_va(CODE_PAGE));
	user_run(u_syscall, 0, 0);
	is("3.4.11", last_trap.vector, VEC_SYSCALL, "and does without NX");

	set_entry(dir_entry(&ours, LARGE), PTE_NX | LARGE_AT | PTE_P | PTE_PS,
		  VMI_PAGE_PD);
	flush();
	kernel_runs(LARGE + 16, false, "NX of a large page counts");
	is("3.4.11", probe_read(LARGE), (uint32_t)-1, "and it can be read");
	set_entry(dir_entry(&ours, LARGE), 0, VMI_PAGE_PD);
	set_entry(e, 0, VMI_PAGE_PT);
	flush();
}

void pae_pages(void)
{
	top_entries();
	high_half();
	large_page();
	no_execute();
}

// SPDX-License-Identifier: GPL-2.0-only
/* Tables that several processors use, as each of them changes what the others have in
 * their TLBs: VMI64-3.8 with VMI-3.8.5, VMI-3.8.9 and VMI-3.8.11. */
#include "processors.h"

#define PAGES		40u
#define ROUNDS		30u
#define FIRST		PLAY_FIRST
#define HERE_PAGE	PLAY_FIRST
#define THERE_PAGE	(PLAY_FIRST + PAGES)
#define ABSENT_ID	30u		/* no processor has it */
#define RIGHTS		(PTE_P | PTE_W)
#define VECTOR		0x46u
#define SLOT		330u		/* of the PML4: FFFFA50000000000h */
#define SLOT_VA		0xffffa50000000000ull

static table spare_pt, spare_pd, spare_pdpt, other_pml4;

static uint32_t set_of(uint32_t n)
{
	return 1u << processor[n].id;
}

static uint64_t page_of(uint32_t page)
{
	return VMI_FLUSH_PAGE | play_va(page);
}

static void have_flush(uint32_t set, uint64_t what)
{
	vmi3(FlushProcessors, set, what, 0);
}

static void both_flush(void)
{
	have_flush(set_of(0) | set_of(OTHER), VMI_FLUSH_TLB);
}

static void show(uint32_t page, uint32_t n, uint64_t flags)
{
	play_set(page, frame_pa(n) | flags);
}

static void show_there(uint64_t n)
{
	show(FIRST, (uint32_t)n, RIGHTS);
}

static bool both_have(uint64_t va, uint32_t n)
{
	return word_at(va) == FRAME_MARK + n && other_read(va) == FRAME_MARK + n;
}

/* Both have used it. */
static void both_show(uint32_t n)
{
	show(FIRST, n, RIGHTS);
	both_flush();
	(void)both_have(play_va(FIRST), n);
}

/* ---- by itself: FlushTLB and InvalPage ------------------------------------------ */

static void own_flushes(void)
{
	const uint64_t va = play_va(FIRST);

	both_show(1);
	show(FIRST, 2, RIGHTS);
	other_call(InvalPage, va, 0);
	same64(other_read(va), FRAME_MARK + 2,
	       "InvalPage finds what another has announced");
	show(FIRST, 3, RIGHTS);
	other_call(FlushTLB, VMI_FLUSH_TLB, 0);
	same64(other_read(va), FRAME_MARK + 3, "FlushTLB, too");
	show(FIRST, 4, RIGHTS);
	other_call(SetCR3, pa(boot_pml4), 0);
	same64(other_read(va), FRAME_MARK + 4, "and SetCR3");
	vmi1(SetLazyMode, VMI_LAZY_MMU);
	show(FIRST, 5, RIGHTS);
	other_call(InvalPage, va, 0);
	same64(other_read(va), FRAME_MARK + 5, "in a batch as well");
	vmi1(SetLazyMode, VMI_LAZY_NONE);
}

/* ---- FlushProcessors -------------------------------------------------------------- */

static void each_kind(void)
{
	static const struct {
		uint64_t	what;
		const char	*there, *here, *announced_there;
	} kinds[] = {
		{ VMI_FLUSH_PAGE, "FlushProcessors: one page there",
		  "one page, of the processor that calls",
		  "one page, changed there" },
		{ VMI_FLUSH_TLB, "what is not global there",
		  "what is not global, of the processor that calls",
		  "what is not global, changed there" },
		{ VMI_FLUSH_TLB | VMI_FLUSH_GLOBAL, "all there",
		  "all, of the processor that calls", "all, changed there" },
	};
	const uint64_t va = play_va(FIRST);
	uint64_t what;

	for (uint32_t i = 0; i < 3; i++) {
		what = kinds[i].what;
		if (what & VMI_FLUSH_PAGE)
			what = page_of(FIRST);
		both_show(1);
		show(FIRST, 2, RIGHTS);
		have_flush(set_of(OTHER), what);
		same64(other_read(va), FRAME_MARK + 2, kinds[i].there);
		have_flush(set_of(0), what);
		same64(word_at(va), FRAME_MARK + 2, kinds[i].here);
		run_on(OTHER, show_there, 3);
		have_flush(set_of(0) | set_of(OTHER), what);
		ok(both_have(va, 3), kinds[i].announced_there);
	}
}

static void numbers(void)
{
	const uint64_t va = play_va(FIRST);

	both_show(1);
	show(FIRST, 2, RIGHTS);
	vmi3(FlushProcessors, 1, page_of(FIRST), processor[OTHER].id);
	same64(other_read(va), FRAME_MARK + 2, "bit 0 is the APIC id in EDX");
	show(FIRST, 3, RIGHTS);
	vmi3(FlushProcessors, 0xdeadffffffff, page_of(FIRST), 0xdead00000000);
	same64(other_read(va), FRAME_MARK + 3,
	       "ids that no processor has are passed over");
	have_flush(1u << ABSENT_ID, VMI_FLUSH_TLB);
	vmi3(FlushProcessors, ~0u, VMI_FLUSH_TLB, 0xffffff00);
	have_flush(0, VMI_FLUSH_TLB);
	have_flush(set_of(OTHER), VMI_FLUSH_PAGE | -PAGE);
	have_flush(set_of(OTHER), VMI_FLUSH_PAGE | 1ull << 47);
	have_flush(set_of(OTHER), VMI_FLUSH_PAGE | 0xffff878000000000);
	have_flush(set_of(OTHER), VMI_FLUSH_PAGE);
	same64(other_read(va), FRAME_MARK + 3,
	       "and so are empty sets, and pages that nobody has");
}

static void rights_and_holes(void)
{
	const uint64_t va = play_va(FIRST) + 8;

	both_show(1);
	play_set(FIRST, 0);
	have_flush(set_of(OTHER), page_of(FIRST));
	same64(other_probe(va, false), VEC_PF,
	       "a mapping taken away here is gone there");
	both_show(1);
	show(FIRST, 1, PTE_P);
	have_flush(set_of(OTHER), page_of(FIRST));
	same64(other_probe(va, true), VEC_PF,
	       "what is write-protected here is so there");
}

/* Of all levels, in one place and in another. */
static void link_spare(void)
{
	vmi5(AllocatePage, pa(spare_pt) / PAGE, VMI_PAGE_PT, 0, 0, 0);
	vmi5(AllocatePage, pa(spare_pd) / PAGE, VMI_PAGE_PD, 0, 0, 0);
	vmi5(AllocatePage, pa(spare_pdpt) / PAGE, VMI_PAGE_PDP, 0, 0, 0);
	set_entry(&spare_pt[0], frame_pa(50) | RIGHTS);
	set_entry(&spare_pd[0], pa(spare_pt) | RIGHTS);
	set_entry(&spare_pdpt[0], pa(spare_pd) | RIGHTS);
	set_entry(&boot_pml4[SLOT], pa(spare_pdpt) | RIGHTS);
}

static void unlink_spare(void)
{
	set_entry(&boot_pml4[SLOT], 0);
	both_flush();
	vmi1(ReleasePage, pa(spare_pdpt) / PAGE);
	vmi1(ReleasePage, pa(spare_pd) / PAGE);
	vmi1(ReleasePage, pa(spare_pt) / PAGE);
}

static void levels(void)
{
	link_spare();
	ok(both_have(SLOT_VA, 50), "tables of all levels, linked here");
	set_entry(&spare_pd[0], 0);
	have_flush(set_of(OTHER), VMI_FLUSH_PAGE | SLOT_VA);
	same64(other_probe(SLOT_VA, false), VEC_PF, "an entry of a directory goes");
	set_entry(&spare_pd[0], pa(spare_pt) | RIGHTS);
	set_entry(&spare_pdpt[0], pa(spare_pd) | PTE_P);
	both_flush();
	same64(other_probe(SLOT_VA + 8, true), VEC_PF,
	       "one of a PDPT loses the right to write");
	unlink_spare();
	same64(other_probe(SLOT_VA, false), VEC_PF, "that of the PML4 goes");
	*(volatile uint64_t *)&spare_pt[0] = frame_pa(51) | RIGHTS;
	link_spare();
	set_entry(&spare_pt[0], frame_pa(52) | RIGHTS);
	both_flush();
	ok(both_have(SLOT_VA, 52), "they come back with something else");
	unlink_spare();
}

/* It has another PML4, that nobody has told of. */
static void untold(uint64_t what, const char *name)
{
	volatile uint64_t *entry = direct(pa(&other_pml4[SLOT]));

	*entry = pa(spare_pdpt) | RIGHTS;
	have_flush(set_of(OTHER), VMI_FLUSH_TLB);
	same64(other_read(SLOT_VA), FRAME_MARK + 50, "a table not told of there");
	*entry = 0;
	have_flush(set_of(OTHER), what);
	same64(other_probe(SLOT_VA, false), VEC_PF, name);
}

/* With the same tables below. */
static void spaces(void)
{
	const uint64_t va = play_va(FIRST);

	for (uint32_t i = 0; i < 512; i++)
		*(volatile uint64_t *)&other_pml4[i] = boot_pml4[i];
	other_call(SetCR3, pa(other_pml4), 0);
	link_spare();
	untold(VMI_FLUSH_TLB, "its entry goes with all");
	untold(VMI_FLUSH_PAGE | SLOT_VA, "or with its page");
	unlink_spare();
	vmi5(AllocatePage, pa(other_pml4) / PAGE, VMI_PAGE_PML4, 0, 0, 0);
	other_call(SetCR3, pa(other_pml4), 0);
	same64(other_call(GetCR3, 0, 0), pa(other_pml4), "another space there");
	same64(vmi0(GetCR3), pa(boot_pml4), "is not ours");
	both_show(1);
	show(FIRST, 2, RIGHTS);
	have_flush(set_of(OTHER), page_of(FIRST));
	same64(other_read(va), FRAME_MARK + 2,
	       "of the address space that is loaded there");
	link_spare();
	same64(word_at(SLOT_VA), FRAME_MARK + 50, "what is in our PML4");
	same64(other_probe(SLOT_VA, false), VEC_PF, "is not in the other's");
	set_entry(&other_pml4[SLOT], pa(spare_pdpt) | RIGHTS);
	ok(both_have(SLOT_VA, 50), "until it is");

	/* while it is in use there, and runs */
	set_entry(&other_pml4[271], pa(spare_pdpt) | RIGHTS);
	set_entry(&other_pml4[SLOT], 0);
	both_flush();
	same64(other_probe(SLOT_VA, false), VEC_PF, "taken out of a PML4 in use");
	vmi5(AllocatePage, pa(other_pml4) / PAGE, VMI_PAGE_PML4, 0, 0, 0);
	both_flush();
	same64(other_read(va), FRAME_MARK + 2, "one in use that is announced again");
	vmi1(ReleasePage, pa(other_pml4) / PAGE);
	both_flush();
	same64(other_read(va), FRAME_MARK + 2, "or released");
	other_call(SetCR3, pa(boot_pml4), 0);
	unlink_spare();
	same64(other_read(va), FRAME_MARK + 2, "and back");
}

/* ---- one that runs, sleeps, is off -------------------------------------------- */

static volatile uint32_t let_go, came, found;

static void read_until(uint64_t va)
{
	while (!let_go)
		found = word_at(va);
	found = word_at(va);
}

/* It has no rest: no interrupt of the guest's is taken, and no call is made. */
static void runs(void)
{
	both_show(1);
	let_go = found = 0;
	begin_on(OTHER, read_until, play_va(FIRST));
	while (found != FRAME_MARK + 1)
		relax();
	show(FIRST, 2, RIGHTS);
	have_flush(set_of(OTHER), page_of(FIRST));
	let_go = 1;
	end_on(OTHER);
	same64(found, FRAME_MARK + 2,
	       "it is done when the call returns, while the other uses the page");
}

static void on_wake(struct frame *f)
{
	(void)f;
	came++;
	vmi2(APICWrite, APIC_EOI, 0);
}

static void sleep_there(uint64_t va)
{
	let_go = 1;
	while (!came)
		vmi0(Halt);
	vmi0(DisableInterrupts);
	found = word_at(va);
}

static void sleeps(void)
{
	vector_hook[VECTOR] = on_wake;
	both_show(1);
	came = let_go = 0;
	begin_on(OTHER, sleep_there, play_va(FIRST));
	while (!let_go)
		relax();
	wait_a_tick();
	show(FIRST, 2, RIGHTS);
	have_flush(set_of(OTHER), page_of(FIRST));
	same64(came, 0, "it does not wake who sleeps");
	send_interrupt(processor[OTHER].id, VECTOR);
	end_on(OTHER);
	vector_hook[VECTOR] = NULL;
	same64(found, FRAME_MARK + 2, "who has flushed when it wakes");
}

static void off(void)
{
	const struct vmi64_ap_state s = processor_state(OTHER);

	both_show(1);
	processor_stop(OTHER);
	show(FIRST, 2, RIGHTS);
	both_flush();
	same64(word_at(play_va(FIRST)), FRAME_MARK + 2,
	       "one that is off keeps nobody waiting");
	processor_start(OTHER, &s);
	about("VMI-3.8.3");
	same64(other_read(play_va(FIRST)), FRAME_MARK + 2,
	       "and starts with an empty TLB");
	run_on(OTHER, show_there, 3);
	processor_stop(OTHER);
	wait_a_tick();
	flush();
	about("VMI-3.8.7");
	same64(word_at(play_va(FIRST)), FRAME_MARK + 3,
	       "what it had announced before INIT stays announced");
	processor_start(OTHER, &s);
}

/* ---- at once -------------------------------------------------------------------- */

static struct barrier barrier;
static volatile uint32_t wrong_there;

static uint32_t wrong_in(uint32_t first, uint32_t by)
{
	uint32_t wrong = 0;

	for (uint32_t i = 0; i < PAGES; i++)
		wrong += word_at(play_va(first + i)) !=
			 FRAME_MARK + (i + by) % FRAMES;
	return wrong;
}

/* Each changes its own pages, has all flush, and looks at the other's when both
 * have. */
static uint32_t flush_round(uint32_t mine, uint32_t others, uint32_t n)
{
	const uint32_t all = set_of(0) | set_of(OTHER);
	uint32_t wrong;

	for (uint32_t i = 0; i < PAGES; i++) {
		show(mine + i, (i + n) % FRAMES, RIGHTS);
		if (n & 1)
			have_flush(all, page_of(mine + i));
	}
	if (!(n & 1))
		have_flush(all, VMI_FLUSH_TLB);
	barrier_wait(&barrier, 2);
	wrong = wrong_in(mine, n) + wrong_in(others, n);
	barrier_wait(&barrier, 2);
	return wrong;
}

static void flush_rounds_there(uint64_t arg)
{
	(void)arg;
	for (uint32_t n = 0; n < ROUNDS; n++)
		wrong_there += flush_round(THERE_PAGE, HERE_PAGE, n);
}

static void flushes_at_once(void)
{
	uint32_t wrong = 0;

	wrong_there = 0;
	begin_on(OTHER, flush_rounds_there, 0);
	for (uint32_t n = 0; n < ROUNDS; n++)
		wrong += flush_round(HERE_PAGE, THERE_PAGE, n);
	end_on(OTHER);
	same64(wrong, 0, "both have each other flush at once: here");
	same64(wrong_there, 0, "and there");
}

/* Tables that nobody has used yet: both come to the same entries, and write. */
static uint32_t fault_round(uint32_t n)
{
	volatile uint32_t *word;
	uint32_t wrong = 0;

	barrier_wait(&barrier, 2);
	for (uint32_t i = 0; i < PAGES; i++) {
		word = (void *)(SLOT_VA + i * PAGE);
		wrong += word[0] != FRAME_MARK + (i + n) % FRAMES;
		__asm__ volatile("lock incl %0" : "+m"(word[1]) : : "cc");
	}
	barrier_wait(&barrier, 2);
	return wrong;
}

static void fault_rounds_there(uint64_t arg)
{
	(void)arg;
	for (uint32_t n = 0; n < ROUNDS; n++)
		wrong_there += fault_round(n);
}

static void faults_at_once(void)
{
	uint32_t wrong = 0, marked = 0, sum = 0;

	for (uint32_t i = 0; i < FRAMES; i++)
		((volatile uint32_t *)direct(frame_pa(i)))[1] = 0;
	wrong_there = 0;
	begin_on(OTHER, fault_rounds_there, 0);
	for (uint32_t n = 0; n < ROUNDS; n++) {
		link_spare();
		for (uint32_t i = 0; i < PAGES; i++)
			set_entry(&spare_pt[i],
				  frame_pa((i + n) % FRAMES) | RIGHTS);
		wrong += fault_round(n);
		for (uint32_t i = 0; i < PAGES; i++)
			marked += (spare_pt[i] & (PTE_A | PTE_D)) ==
				  (PTE_A | PTE_D);
		unlink_spare();
	}
	end_on(OTHER);
	for (uint32_t i = 0; i < FRAMES; i++)
		sum += ((volatile uint32_t *)direct(frame_pa(i)))[1];
	same64(wrong + wrong_there, 0,
	       "both fault on the same tables at once");
	same64(marked, ROUNDS * PAGES, "accessed and dirty bits are there");
	same64(sum, 2 * ROUNDS * PAGES, "no write is lost");
}

void test_together(void)
{
	about("VMI-3.8.5");
	own_flushes();
	about("VMI64-3.2.74");
	each_kind();
	about("VMI-3.8.11");
	numbers();
	rights_and_holes();
	levels();
	spaces();
	runs();
	sleeps();
	off();
	about("VMI-3.8.9");
	flushes_at_once();
	faults_at_once();
}

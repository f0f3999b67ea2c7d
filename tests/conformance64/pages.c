// SPDX-License-Identifier: GPL-2.0-only
/* Page tables and address spaces: VMI64-3.4. */
#include "conf64.h"

#define PD_SLOT		7u		/* of PLAY's table of the second level */
#define PD_VA		(PLAY + PD_SLOT * LARGE)
#define HIGH_VA		0xffffa07ffffff000ull	/* of PML4 entry 320, the last */
#define PTE_G		0x100ull

static table spare_pt, spare_pd, spare_pdpt, other_pml4, other_pdpt, other_pd,
	other_pt;

void show(uint32_t page, uint32_t n, uint64_t flags)
{
	play_set(page, frame_pa(n) | flags);
}

static void allocate(const void *t, uint32_t level)
{
	vmi5(AllocatePage, pa(t) / PAGE, level, 0, 0, 0);
}

static void release(const void *t)
{
	vmi1(ReleasePage, pa(t) / PAGE);
}

static void entries(void)
{
	const uint64_t va = play_va(FIRST);
	uint64_t *const entry = direct(pa(&play_pt[FIRST]));

	play_set(FIRST, 0);
	flush();
	show(FIRST, 0, PTE_P | PTE_W);
	is("VMI-3.4.3", word_at(va), FRAME_MARK, "a new entry needs no flush");
	is("VMI-3.4.9", play_pt[FIRST] & (PTE_A | PTE_D), PTE_A,
	   "a read sets its accessed bit alone");
	*(volatile uint32_t *)(va + 4) = 77;
	is("VMI64-3.4.2", word_at((uint64_t)direct(frame_pa(0) + 4)), 77,
	   "a write goes there");
	is("VMI-3.4.9", play_pt[FIRST] & PTE_D, PTE_D, "and sets its dirty bit");
	vmi2(SetPxELong, entry, frame_pa(1) | PTE_P | PTE_W | 0x7ull << 52 |
	     0xe00);
	is_of(SetPxELong, "VMI64-3.2.39", play_pt[FIRST] & ~0x60ull,
	      frame_pa(1) | PTE_P | PTE_W | 0x7ull << 52 | 0xe00,
	      "SetPxELong stores all 64 bits at once");
	vmi1(InvalPage, va);
	is("VMI-3.2.46", word_at(va), FRAME_MARK + 1,
	   "InvalPage of its address makes it count");
	show(FIRST, 2, PTE_P);
	flush();
	is("VMI-3.2.47", word_at(va), FRAME_MARK + 2, "so does FlushTLB");
	is("VMI-3.4.9", play_pt[FIRST] & PTE_D, 0, "no dirty bit without a write");
	show(FIRST, 3, PTE_P | PTE_W);
	vmi1(SetCR3, vmi0(GetCR3));
	is("VMI-3.4.2", word_at(va), FRAME_MARK + 3, "so does a load of CR3");
	show(FIRST, 4, PTE_P | PTE_W | PTE_G);
	vmi1(FlushTLB, VMI_FLUSH_TLB | VMI_FLUSH_GLOBAL);
	is("VMI64-3.4.3", word_at(va), FRAME_MARK + 4, "a global entry");
	show(FIRST, 5, PTE_P | PTE_W | PTE_G);
	vmi1(FlushTLB, VMI_FLUSH_TLB | VMI_FLUSH_GLOBAL);
	is("VMI64-3.4.3", word_at(va), FRAME_MARK + 5,
	   "goes with a flush of global ones");
	show(FIRST, 6, PTE_P | PTE_W | PTE_G);
	vmi1(InvalPage, va);
	is("VMI64-3.4.3", word_at(va), FRAME_MARK + 6, "and with InvalPage");
	show(FIRST, 7, PTE_P);
	vmi1(FlushTLB, VMI_FLUSH_TLB | VMI_FLUSH_GLOBAL);
	is("VMI-3.4.1", word_at(va), FRAME_MARK + 7, "a plain one again");
	is("VMI-3.4.11", probe_write(va + 8), VEC_PF, "a read-only one faults");
	*entry = frame_pa(8) | PTE_P | PTE_W;
	vmi1(UpdatePxELong, entry);
	vmi1(InvalPage, va);
	is_of(UpdatePxELong, "VMI64-3.2.41", word_at(va), FRAME_MARK + 8,
	      "UpdatePxELong tells of a change by a store");
	is_of(UpdatePxELong, "VMI64-3.2.41", probe_write(va + 8), -1,
	      "that has brought the right to write");
	play_set(FIRST, 0);
	vmi1(InvalPage, va);
	is("VMI-3.4.2", probe_read(va), VEC_PF, "one that is gone faults");
	show(FIRST, 9, PTE_P | PTE_W);
	is("VMI-3.4.3", probe_write(va), -1, "and is back without a flush");
	*(volatile uint32_t *)direct(frame_pa(9)) = FRAME_MARK + 9;
	play_set(FIRST, 0x7ffffff000 | PTE_P);
	flush();
	point("VMI-3.4.5", probe_read(va) == -1 || last.vector == VEC_PF ||
	      last.vector == VEC_GP, "a frame beyond memory is nobody's");
	play_set(FIRST, 0);
	flush();
	is("VMI64-3.4.4", probe_read(va), VEC_PF, "and is gone with its entry");
	play_set(FIRST, frame_pa(1) | PTE_P | 1ull << 51);
	flush();
	is("VMI64-3.4.4", probe_read(va), VEC_PF, "a reserved bit faults");
	point("VMI64-3.4.4", is_reserved(last.error, 9), "with error code 9");
	play_set(FIRST, frame_pa(1) | PTE_P | PTE_NX);
	flush();
	is("VMI64-3.4.4", probe_read(va), VEC_PF,
	   "so does NX while EFER.NXE is clear");
	point("VMI64-3.4.4", is_reserved(last.error, 9), "with the same");
	show(FIRST, 10, PTE_P | PTE_W | PTE_U);
	flush();
	USER("\xa1\0\0\x01\x40\0\0\0\0" INT80);		/* mov eax, [va] */
	is("VMI-3.4.2", last.r.rax, FRAME_MARK + 10, "user mode reads its page");
	is("VMI-3.4.9", play_pt[FIRST] & (PTE_A | PTE_D), PTE_A,
	   "which sets the accessed bit");
	show(FIRST, 10, PTE_P | PTE_W);
	flush();
	USER("\xa1\0\0\x01\x40\0\0\0\0" INT80);
	point("VMI-3.4.11", last.vector == VEC_PF && last.error == 5 &&
	      last_cr2 == va, "but not when it is the kernel's");
	/* write protection is for the kernel, too */
	show(FIRST, 11, PTE_P | PTE_U);
	flush();
	point("VMI64-3.4.5", probe_write(va) == VEC_PF && last.error == 3,
	      "CR0.WP keeps the kernel from a user's read-only page");
}

static void many(void)
{
	uint32_t right = 0;

	for (uint32_t n = 0; n < 40; n++)
		for (uint32_t i = 0; i < FRAMES; i++)
			show(FIRST + i, (i + n) % FRAMES, PTE_P);
	flush();
	for (uint32_t i = 0; i < FRAMES; i++)
		right += word_at(play_va(FIRST + i)) ==
			 FRAME_MARK + (i + 39) % FRAMES;
	is("VMI-3.4.2", right, FRAMES, "thousands of updates before a flush");
}

static void large_pages(void)
{
	const uint64_t base = frame_pa(0) & -LARGE, at = frame_pa(5) - base;

	set_entry(&play_pd[PD_SLOT], base | PTE_P | PTE_W | PTE_PS);
	is("VMI64-3.4.3", word_at(PD_VA + at), FRAME_MARK + 5, "a page of 2 MB");
	is("VMI-3.4.9", play_pd[PD_SLOT] & (PTE_A | PTE_D), PTE_A,
	   "its accessed bit");
	*(volatile uint32_t *)(PD_VA + at + 8) = 55;
	is("VMI64-3.4.3", word_at((uint64_t)direct(frame_pa(5) + 8)), 55,
	   "a write goes there");
	is("VMI-3.4.9", play_pd[PD_SLOT] & PTE_D, PTE_D, "its dirty bit");
	set_entry(&play_pd[PD_SLOT], base | PTE_P | PTE_PS);
	flush();
	point("VMI-3.4.11", probe_write(PD_VA + at) == VEC_PF && last.error == 3,
	      "read-only: 3");
	set_entry(&play_pd[PD_SLOT], (base + 2 * PAGE) | PTE_P | PTE_PS);
	flush();
	point("VMI64-3.4.4", probe_read(PD_VA + at) == VEC_PF &&
	      is_reserved(last.error, 9),
	      "a reserved bit of its address: 9");
	/* a table that nobody has heard of is not loaded yet */
	set_entry(&spare_pt[0], frame_pa(7) | PTE_P);
	is("VMI-3.4.8", spare_pt[0], frame_pa(7) | PTE_P,
	   "entries of a frame that was not announced are set");
	/* from a large page to a table and back */
	allocate(spare_pt, VMI_PAGE_PT);
	for (uint32_t i = 0; i < 512; i++)
		set_entry(&spare_pt[i], (base + i * PAGE) | PTE_P | PTE_W);
	set_entry(&spare_pt[at / PAGE], frame_pa(6) | PTE_P | PTE_W);
	set_entry(&play_pd[PD_SLOT], pa(spare_pt) | PTE_P | PTE_W);
	flush();
	is("VMI-3.2.44", word_at(PD_VA + at), FRAME_MARK + 6,
	   "a table in place of a large page");
	is("VMI-3.4.6", word_at(PD_VA + at + PAGE),
	   word_at((uint64_t)direct(base + at + PAGE)), "with its neighbours");
	set_entry(&play_pd[PD_SLOT], base | PTE_P | PTE_W | PTE_PS);
	flush();
	release(spare_pt);
	is("VMI-3.4.7", word_at(PD_VA + at), FRAME_MARK + 5,
	   "and the large page again");
	set_entry(&play_pd[PD_SLOT], 0);
	flush();
	is("VMI64-3.4.3", probe_read(PD_VA + at), VEC_PF, "none");
}

static void levels(void)
{
	static const char *const read_only[3] = {
		"a PML4 entry that is read-only protects all below",
		"so does one of a PDPT", "so does one of a directory",
	};
	uint64_t *const at[3] = { &boot_pml4[320], &spare_pdpt[511],
				  &spare_pd[511] };
	const void *const below[3] = { spare_pdpt, spare_pd, spare_pt };

	allocate(spare_pt, VMI_PAGE_PT);
	allocate(spare_pd, VMI_PAGE_PD);
	allocate(spare_pdpt, VMI_PAGE_PDP | VMI_PAGE_PAE);
	set_entry(&spare_pt[511], frame_pa(10) | PTE_P | PTE_W);
	set_entry(&spare_pd[511], pa(spare_pt) | PTE_P | PTE_W);
	set_entry(&spare_pdpt[511], pa(spare_pd) | PTE_P | PTE_W);
	set_entry(&boot_pml4[320], pa(spare_pdpt) | PTE_P | PTE_W);
	is("VMI64-3.4.1", word_at(HIGH_VA), FRAME_MARK + 10,
	   "tables of all four levels");
	is("VMI-3.4.9", boot_pml4[320] & spare_pdpt[511] & spare_pd[511] &
	   spare_pt[511] & PTE_A, PTE_A, "with accessed bits at each");
	is("VMI64-3.4.1", probe_write(HIGH_VA), -1, "writable by all");
	*(volatile uint32_t *)direct(frame_pa(10)) = FRAME_MARK + 10;
	for (uint32_t i = 0; i < 3; i++) {
		set_entry(at[i], pa(below[i]) | PTE_P);
		flush();
		point("VMI64-3.4.1", probe_write(HIGH_VA) == VEC_PF &&
		      last.error == 3, read_only[i]);
		set_entry(at[i], pa(below[i]) | PTE_P | PTE_W);
		flush();
		is("VMI64-3.4.1", probe_write(HIGH_VA), -1, "until it is not");
		*(volatile uint32_t *)direct(frame_pa(10)) = FRAME_MARK + 10;
	}
	for (uint32_t i = 0; i < 3; i++) {
		set_entry(at[i], 0);
		flush();
		is("VMI64-3.4.1", probe_read(HIGH_VA), VEC_PF,
		   "an entry of another level that is gone");
		set_entry(at[i], pa(below[i]) | PTE_P | PTE_W);
		is("VMI64-3.4.1", word_at(HIGH_VA), FRAME_MARK + 10,
		   "and is back");
	}
	set_entry(&boot_pml4[320], pa(spare_pdpt) | PTE_P | PTE_W | 1ull << 51);
	flush();
	point("VMI64-3.4.4", probe_read(HIGH_VA) == VEC_PF &&
	      is_reserved(last.error, 9),
	      "a reserved bit of a PML4 entry: 9");
	set_entry(&boot_pml4[320], pa(spare_pdpt) | PTE_P | PTE_W | PTE_PS);
	flush();
	point("VMI64-3.4.4", probe_read(HIGH_VA) == VEC_PF &&
	      is_reserved(last.error, 9),
	      "PS there: 9");
	set_entry(&boot_pml4[320], 0);
	flush();
	is("VMI64-3.4.1", probe_read(HIGH_VA), VEC_PF, "gone by the highest");
	release(spare_pdpt);
	release(spare_pd);
	release(spare_pt);
	*(volatile uint64_t *)&spare_pt[3] = 0x1234;
	is("VMI64-3.2.45", spare_pt[3], 0x1234,
	   "a frame that was released is memory as any other");
	spare_pt[3] = 0;
	/* one that serves two levels */
	set_entry(&boot_pml4[321], pa(boot_pml4) | PTE_P | PTE_W);
	flush();
	is("VMI64-3.4.1", *(volatile uint64_t *)
	   (0xffffa08000000000 + (321ull << 30) + (321ull << 21) +
	    (321ull << 12)) & ~0xfffull, boot_pml4[0] & ~0xfffull,
	   "a PML4 that shows itself");
	set_entry(&boot_pml4[321], 0);
	flush();
}

static void no_execute(void)
{
	const uint64_t va = play_va(FIRST);
	const uint64_t link = pa(play_pt) | PTE_P | PTE_W | PTE_U;

	*(volatile uint8_t *)direct(frame_pa(1) + 0x10) = 0xc3;
	show(FIRST, 1, PTE_P | PTE_W);
	flush();
	is("VMI64-3.4.3", probe_exec(va + 0x10, 0, 0), -1, "code in a page runs");
	wrmsr64(MSR_EFER, rdmsr64(MSR_EFER) | EFER_NXE);
	is("VMI64-3.4.3", rdmsr64(MSR_EFER) & EFER_NXE, EFER_NXE,
	   "EFER.NXE can be set");
	play_set(FIRST, frame_pa(1) | PTE_P | PTE_W | PTE_NX);
	flush();
	is("VMI64-3.4.3", probe_exec(va + 0x10, 0, 0), VEC_PF, "not with NX");
	is("VMI-3.4.11", last.error, 0x11, "error code 11h");
	is("VMI64-3.4.3", probe_read(va), -1, "it is read all the same");
	play_set(FIRST, frame_pa(1) | PTE_P | PTE_U | PTE_NX);
	flush();
	USER("\xb8\x10\0\x01\x40\xff\xe0");		/* jmp there */
	point("VMI-3.4.11", last.vector == VEC_PF && last.error == 0x15,
	      "of user mode: 15h");
	set_entry(&play_pd[PD_SLOT], (frame_pa(1) & -LARGE) | PTE_P | PTE_PS |
		  PTE_NX);
	flush();
	is("VMI64-3.4.3",
	   probe_exec(PD_VA + (frame_pa(1) & (LARGE - 1)) + 0x10, 0, 0), VEC_PF,
	   "nor in a large page with NX");
	set_entry(&play_pd[PD_SLOT], 0);
	show(FIRST, 1, PTE_P);
	set_entry(&play_pd[PLAY >> 21 & 511], link | PTE_NX);
	flush();
	is("VMI64-3.4.3", probe_exec(va + 0x10, 0, 0), VEC_PF,
	   "nor with NX in the entry of a table");
	set_entry(&play_pd[PLAY >> 21 & 511], link);
	flush();
	is("VMI64-3.4.3", probe_exec(va + 0x10, 0, 0), -1, "without it again");
	play_set(FIRST, 0);
	flush();
	is("VMI-3.4.11", probe_exec(va, 0, 0), VEC_PF, "a jump to none");
	is("VMI-3.4.11", last.error, 0x10, "has error code 10h now");
	wrmsr64(MSR_EFER, rdmsr64(MSR_EFER) & ~EFER_NXE);
}

void pages(void)
{
	entries();
	many();
	large_pages();
	levels();
	no_execute();
	/* slots are a help, no more */
	vmi4(SetLinearMapping, 1, 0x123400000000, 1ull << 40, 0);
	show(FIRST, 12, PTE_P);
	flush();
	is("VMI-3.2.48", word_at(play_va(FIRST)), FRAME_MARK + 12,
	   "SetLinearMapping of a range that is not there changes nothing");
	vmi4(SetLinearMapping, 1, 0, 0, 0);
	vmi4(SetLinearMapping, 0, 0, 0, 0);
	show(FIRST, 13, PTE_P);
	flush();
	is("VMI-3.4.10", word_at(play_va(FIRST)), FRAME_MARK + 13,
	   "entries count without any slot");
	vmi4(SetLinearMapping, 0, DIRECT, 0x40000, 0);
}

/* ---- address spaces ----------------------------------------------------------------- */

static void other_space(void)
{
	uint32_t i;

	allocate(other_pt, VMI_PAGE_PT);
	allocate(other_pd, VMI_PAGE_PD);
	allocate(other_pdpt, VMI_PAGE_PDP);
	allocate(other_pml4, VMI_PAGE_PML4);
	for (i = 0; i < FIRST; i++)
		set_entry(&other_pt[i], play_pt[i]);
	set_entry(&other_pt[FIRST], frame_pa(21) | PTE_P | PTE_W | PTE_U);
	set_entry(&other_pd[PLAY >> 21 & 511],
		  pa(other_pt) | PTE_P | PTE_W | PTE_U);
	set_entry(&other_pdpt[0], boot_pdpt[0]);
	set_entry(&other_pdpt[PLAY >> 30 & 511],
		  pa(other_pd) | PTE_P | PTE_W | PTE_U);
	set_entry(&other_pml4[0], pa(other_pdpt) | PTE_P | PTE_W | PTE_U);
	for (i = 256; i < 512; i++)
		if (boot_pml4[i])
			set_entry(&other_pml4[i], boot_pml4[i]);
}

static uint64_t in_handler;

static void look(struct frame *f)
{
	(void)f;
	in_handler = word_at(play_va(FIRST));
}

void spaces(void)
{
	const uint64_t va = play_va(FIRST);
	struct user u = user_start;
	uint32_t right = 0;

	show(FIRST, 20, PTE_P | PTE_W | PTE_U);
	flush();
	other_space();
	is("VMI-3.2.17", word_at(va), FRAME_MARK + 20, "the first space");
	vmi1(SetCR3, pa(other_pml4));
	is_of(SetCR3, "VMI-3.2.17", vmi0(GetCR3), pa(other_pml4),
	      "SetCR3 of another");
	is("VMI-3.2.17", word_at(va), FRAME_MARK + 21, "which is shown");
	user_load("\xa1\0\0\x01\x40\0\0\0\0" INT80, 11);
	user_run(&u);
	is("VMI-3.2.17", last.r.rax, FRAME_MARK + 21, "to user mode, too");
	for (uint32_t i = 0; i < 50; i++) {
		vmi1(SetCR3, pa(boot_pml4));
		right += word_at(va) == FRAME_MARK + 20;
		vmi1(SetCR3, pa(other_pml4));
		right += word_at(va) == FRAME_MARK + 21;
	}
	is("VMI-3.2.17", right, 100, "back and forth");
	__asm__ volatile("mov %0, %%cr3" : : "r"(pa(boot_pml4)) : "memory");
	is("VMI64-1.1", word_at(va), FRAME_MARK + 20, "MOV to CR3 does the same");
	is("VMI64-1.1", vmi0(GetCR3), pa(boot_pml4), "and GetCR3 knows");
	set_entry(&other_pt[FIRST], frame_pa(22) | PTE_P | PTE_W | PTE_U);
	vmi1(SetCR3, pa(other_pml4));
	is("VMI-3.4.2", word_at(va), FRAME_MARK + 22,
	   "a change in a space that was not loaded");

	/* in batches of the processor's */
	vmi1(SetCR3, pa(boot_pml4));
	vmi1(SetLazyMode, VMI_LAZY_CPU);
	vmi1(SetCR3, pa(other_pml4));
	is_of(SetLazyMode, "VMI-3.2.19", vmi0(GetCR3), pa(other_pml4),
	      "GetCR3 in a batch is what was set last");
	vmi1(SetLazyMode, VMI_LAZY_NONE);
	is_of(SetLazyMode, "VMI-3.5.1", word_at(va), FRAME_MARK + 22,
	      "SetCR3 in a batch is in effect at its end");
	vmi1(SetLazyMode, VMI_LAZY_CPU);
	vmi1(SetCR3, pa(other_pml4));
	vmi1(SetCR3, pa(boot_pml4));
	vmi1(SetLazyMode, VMI_LAZY_NONE);
	is_of(SetLazyMode, "VMI-3.5.5", word_at(va), FRAME_MARK + 20,
	      "the last one of a batch counts");
	vmi1(SetLazyMode, VMI_LAZY_CPU);
	vmi1(SetCR3, pa(other_pml4));
	interrupt_now(look);
	vmi1(SetLazyMode, VMI_LAZY_NONE);
	is_of(SetLazyMode, "VMI-3.5.4", in_handler, FRAME_MARK + 22,
	      "a handler runs in the space that the batch has set");
	vmi1(SetCR3, pa(boot_pml4));
	release(other_pml4);
	release(other_pdpt);
	release(other_pd);
	release(other_pt);
	set_entry(&other_pt[FIRST], 0);
	flush();
	is("VMI-3.4.7", word_at(va), FRAME_MARK + 20, "the other one is released");
}

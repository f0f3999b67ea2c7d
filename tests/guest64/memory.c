// SPDX-License-Identifier: GPL-2.0-only
/* Page tables: entries, batches, large pages, NX, tables that come and go, spaces. */
#include "guest64.h"

#define FIRST	PLAY_FIRST

static table spare_pt, spare_pd, spare_pdpt, other_pml4, other_pdpt, other_pd,
	other_pt;

static void show(uint32_t page, uint32_t n, uint64_t flags)
{
	play_set(page, frame_pa(n) | flags);
}

static void entries(void)
{
	const uint64_t va = play_va(FIRST);

	show(FIRST, 0, PTE_P | PTE_W);
	same64(word_at(va), FRAME_MARK, "a new entry shows its page");
	same64(play_pt[FIRST] & (PTE_A | PTE_D), PTE_A, "its accessed bit is set");
	*(volatile uint32_t *)(va + 4) = 77;
	same64(word_at((uint64_t)direct(frame_pa(0) + 4)), 77, "writes go there");
	same64(play_pt[FIRST] & PTE_D, PTE_D, "its dirty bit is set");
	show(FIRST, 1, PTE_P | PTE_W);
	vmi1(InvalPage, va);
	same64(word_at(va), FRAME_MARK + 1, "another after InvalPage");
	show(FIRST, 2, PTE_P);
	flush();
	same64(word_at(va), FRAME_MARK + 2, "another after FlushTLB");
	same64(probe_write(va + 8), VEC_PF, "a write to a read-only one is a #PF");
	same64(last.error, 3, "error code 3");
	*(uint64_t *)direct(pa(&play_pt[FIRST])) = frame_pa(3) | PTE_P | PTE_W;
	vmi1(UpdatePxELong, direct(pa(&play_pt[FIRST])));
	vmi1(InvalPage, va);
	same64(word_at(va), FRAME_MARK + 3, "UpdatePxELong tells of a change");
	same64(probe_write(va + 8), -1, "that has brought the right to write");
	play_set(FIRST, 0);
	vmi1(InvalPage, va);
	same64(probe_read(va), VEC_PF, "one that is gone is a #PF");
	play_set(FIRST, frame_pa(3) | PTE_P | 1ull << 51);
	flush();
	same64(probe_read(va), VEC_PF, "a reserved bit is a #PF");
	same64(last.error, 9, "error code 9");
	show(FIRST, 4, PTE_P | PTE_W | PTE_U);
	flush();
	USER("\xa1\0\0\x01\x40\0\0\0\0\xcd\x80");	/* mov eax, [va] */
	ok(last.vector == VEC_SYSCALL && last.r.rax == FRAME_MARK + 4,
	   "user mode reads its page");
	show(FIRST, 4, PTE_P | PTE_W);
	flush();
	USER("\xa1\0\0\x01\x40\0\0\0\0\xcd\x80");
	ok(last.vector == VEC_PF && last.error == 5 && last_cr2 == va,
	   "but not when it is the kernel's");
}

static void batches(void)
{
	bool good = true;

	vmi1(SetLazyMode, VMI_LAZY_MMU);
	for (uint32_t i = 0; i < FRAMES; i++)
		show(FIRST + i, i, PTE_P | PTE_W);
	for (uint32_t i = 0; i < FRAMES; i++)
		vmi1(InvalPage, play_va(FIRST + i));
	vmi1(SetLazyMode, VMI_LAZY_NONE);
	for (uint32_t i = 0; i < FRAMES; i++)
		good &= word_at(play_va(FIRST + i)) == FRAME_MARK + i;
	ok(good, "a batch of entries");
	vmi1(SetLazyMode, VMI_LAZY_MMU);
	for (uint32_t i = 0; i < FRAMES; i++)
		show(FIRST + i, FRAMES - 1 - i, PTE_P);
	vmi1(FlushTLB, VMI_FLUSH_TLB);
	vmi1(SetLazyMode, VMI_LAZY_NONE);
	good = true;
	for (uint32_t i = 0; i < FRAMES; i++)
		good &= word_at(play_va(FIRST + i)) ==
			FRAME_MARK + FRAMES - 1 - i;
	ok(good, "and one with a flush");
	/* far more than the queue takes */
	for (uint32_t n = 0; n < 40; n++)
		for (uint32_t i = 0; i < FRAMES; i++)
			show(FIRST + i, (i + n) % FRAMES, PTE_P);
	flush();
	good = true;
	for (uint32_t i = 0; i < FRAMES; i++)
		good &= word_at(play_va(FIRST + i)) ==
			FRAME_MARK + (i + 39) % FRAMES;
	ok(good, "many updates");
}

/* Of PLAY's table of the second level. */
#define PD_SLOT		7u
#define PD_VA		(PLAY + PD_SLOT * LARGE)

static void large_pages(void)
{
	const uint64_t base = frame_pa(0) & -LARGE, at = frame_pa(5) - base;

	set_entry(&play_pd[PD_SLOT], base | PTE_P | PTE_W | PTE_PS);
	flush();
	same64(word_at(PD_VA + at), FRAME_MARK + 5, "a page of 2 MB");
	same64(play_pd[PD_SLOT] & (PTE_A | PTE_D), PTE_A, "its accessed bit");
	*(volatile uint32_t *)(PD_VA + at + 8) = 55;
	same64(word_at((uint64_t)direct(frame_pa(5) + 8)), 55, "writes go there");
	same64(play_pd[PD_SLOT] & PTE_D, PTE_D, "its dirty bit");
	set_entry(&play_pd[PD_SLOT], base | PTE_P | PTE_PS);
	flush();
	ok(probe_write(PD_VA + at) == VEC_PF && last.error == 3,
	   "read-only: a write is a #PF");
	set_entry(&play_pd[PD_SLOT], (base + 2 * PAGE) | PTE_P | PTE_PS);
	flush();
	ok(probe_read(PD_VA + at) == VEC_PF && last.error == 9,
	   "a reserved bit of its address: a #PF");
	set_entry(&play_pd[PD_SLOT], 0);
	flush();
	same64(probe_read(PD_VA + at), VEC_PF, "none");
}

static void tables_come_and_go(void)
{
	vmi5(AllocatePage, pa(spare_pt) / PAGE, VMI_PAGE_PT, 0, 0, 0);
	set_entry(&spare_pt[3], frame_pa(9) | PTE_P | PTE_W);
	set_entry(&play_pd[PD_SLOT], pa(spare_pt) | PTE_P | PTE_W);
	flush();
	same64(word_at(PD_VA + 3 * PAGE), FRAME_MARK + 9, "a table that was announced");
	set_entry(&play_pd[PD_SLOT], 0);
	flush();
	vmi1(ReleasePage, pa(spare_pt) / PAGE);
	same64(probe_read(PD_VA + 3 * PAGE), VEC_PF, "taken out again");
	*(volatile uint64_t *)&spare_pt[3] = 0;
	same64(word_at((uint64_t)&spare_pt[3]), 0, "it is memory as any other");

	/* of every level: FFFFA00000000000h on */
	vmi5(AllocatePage, pa(spare_pt) / PAGE, VMI_PAGE_PT, 0, 0, 0);
	vmi5(AllocatePage, pa(spare_pd) / PAGE, VMI_PAGE_PD, 0, 0, 0);
	vmi5(AllocatePage, pa(spare_pdpt) / PAGE, VMI_PAGE_PDP, 0, 0, 0);
	set_entry(&spare_pt[511], frame_pa(10) | PTE_P | PTE_W);
	set_entry(&spare_pd[511], pa(spare_pt) | PTE_P | PTE_W);
	set_entry(&spare_pdpt[511], pa(spare_pd) | PTE_P | PTE_W);
	set_entry(&boot_pml4[320], pa(spare_pdpt) | PTE_P | PTE_W);
	flush();
	same64(word_at(0xffffa07ffffff000), FRAME_MARK + 10,
	       "tables of all levels");
	set_entry(&spare_pdpt[511], pa(spare_pd) | PTE_P);
	flush();
	ok(probe_write(0xffffa07ffffff000) == VEC_PF && last.error == 3,
	   "rights are those of all levels");
	set_entry(&boot_pml4[320], 0);
	flush();
	same64(probe_read(0xffffa07ffffff000), VEC_PF, "gone by the highest");
	vmi1(ReleasePage, pa(spare_pdpt) / PAGE);
	vmi1(ReleasePage, pa(spare_pd) / PAGE);
	vmi1(ReleasePage, pa(spare_pt) / PAGE);

	/* a frame that serves two levels: a table that shows itself */
	set_entry(&boot_pml4[321], pa(boot_pml4) | PTE_P | PTE_W);
	flush();
	same64(*(volatile uint64_t *)(0xffffa08000000000 + (321ull << 30) +
				      (321ull << 21) + (321ull << 12)) & ~0xfffull,
	       boot_pml4[0] & ~0xfffull, "a table that shows itself");
	set_entry(&boot_pml4[321], 0);
	flush();
}

static void no_execute(void)
{
	const uint64_t va = play_va(FIRST);

	*(volatile uint8_t *)direct(frame_pa(1) + 0x10) = 0xc3;
	show(FIRST, 1, PTE_P | PTE_W);
	flush();
	same64(probe_exec(va + 0x10, 0, 0), -1, "code in a page runs");
	wrmsr64(MSR_EFER, rdmsr64(MSR_EFER) | EFER_NXE);
	play_set(FIRST, frame_pa(1) | PTE_P | PTE_W | PTE_NX);
	flush();
	same64(probe_exec(va + 0x10, 0, 0), VEC_PF, "not with NX");
	same64(last.error, 0x11, "error code 11h");
	same64(probe_read(va), -1, "it is read all the same");
	set_entry(&play_pd[PD_SLOT], (frame_pa(1) & -LARGE) | PTE_P | PTE_PS |
		  PTE_NX);
	flush();
	same64(probe_exec(PD_VA + (frame_pa(1) & (LARGE - 1)) + 0x10, 0, 0),
	       VEC_PF, "nor in a large page with NX");
	set_entry(&play_pd[PD_SLOT], 0);
	set_entry(&play_pd[PLAY >> 21 & 511], pa(play_pt) | PTE_P | PTE_W | PTE_U |
		  PTE_NX);
	show(FIRST, 1, PTE_P);
	flush();
	same64(probe_exec(va + 0x10, 0, 0), VEC_PF, "nor with NX in a table's entry");
	set_entry(&play_pd[PLAY >> 21 & 511], pa(play_pt) | PTE_P | PTE_W | PTE_U);
	flush();
	same64(probe_exec(va + 0x10, 0, 0), -1, "without it again");
}

/* What the hypervisor has there is not for the guest to change. */
static void reserved(void)
{
	const struct vmi_rom_header *h = (const void *)0xffffffffffe00000;
	uint64_t old = boot_pml4[271];

	same64(h->signature, VMI64_SIGNATURE, "the ROM is above virtual_top");
	ok(probe_write((uint64_t)h) == VEC_PF && (last.error & 3) == 3,
	   "where it cannot be written");
	ok(probe_write(0xffff878000000000) == VEC_PF && (last.error & 2),
	   "nor what is in the hole");
	set_entry(&boot_pml4[271], pa(boot_pdpt) | PTE_P | PTE_W);
	flush();
	ok(word_at(0xffff878000000000) != word_at(DIRECT) ||
	   probe_write(0xffff878000000000) == VEC_PF,
	   "an entry of the hole has no effect");
	same64(probe_read(0xffff878000000000 + LARGE), VEC_PF,
	       "nor beyond the hypervisor's pages");
	set_entry(&boot_pml4[271], old);
	flush();
}

void test_pages(void)
{
	entries();
	batches();
	large_pages();
	tables_come_and_go();
	no_execute();
	reserved();
}

/* ---- address spaces ------------------------------------------------------------- */

static void other_space(void)
{
	uint32_t i;

	vmi5(AllocatePage, pa(other_pt) / PAGE, VMI_PAGE_PT, 0, 0, 0);
	vmi5(AllocatePage, pa(other_pd) / PAGE, VMI_PAGE_PD, 0, 0, 0);
	vmi5(AllocatePage, pa(other_pdpt) / PAGE, VMI_PAGE_PDP, 0, 0, 0);
	vmi5(AllocatePage, pa(other_pml4) / PAGE, VMI_PAGE_PML4, 0, 0, 0);
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

void test_spaces(void)
{
	const uint64_t va = play_va(FIRST);
	struct user u = user_start;
	bool good = true;
	uint32_t i;

	show(FIRST, 20, PTE_P | PTE_W | PTE_U);
	flush();
	other_space();
	same64(word_at(va), FRAME_MARK + 20, "the first space");
	vmi1(SetCR3, pa(other_pml4));
	same64(vmi0(GetCR3), pa(other_pml4), "SetCR3");
	same64(word_at(va), FRAME_MARK + 21, "shows the other");
	user_load("\xa1\0\0\x01\x40\0\0\0\0\xcd\x80", 11);
	user_run(&u);
	same64(last.r.rax, FRAME_MARK + 21, "to user mode, too");
	for (i = 0; i < 50; i++) {
		vmi1(SetCR3, pa(boot_pml4));
		good &= word_at(va) == FRAME_MARK + 20;
		user_run(&u);
		good &= last.r.rax == FRAME_MARK + 20;
		vmi1(SetCR3, pa(other_pml4));
		good &= word_at(va) == FRAME_MARK + 21;
	}
	ok(good, "back and forth");
	vmi1(SetLazyMode, VMI_LAZY_CPU);
	vmi1(SetCR3, pa(boot_pml4));
	vmi1(UpdateKernelStack, 0xffff880000000000);
	vmi1(SetLazyMode, VMI_LAZY_NONE);
	same64(word_at(va), FRAME_MARK + 20, "SetCR3 in a batch of the processor's");
	__asm__ volatile("mov %0, %%cr3" : : "r"(pa(other_pml4)) : "memory");
	same64(word_at(va), FRAME_MARK + 21, "MOV to CR3");
	same64(vmi0(GetCR3), pa(other_pml4), "which GetCR3 knows");
	show(FIRST, 22, PTE_P | PTE_W | PTE_U);
	vmi1(SetCR3, pa(boot_pml4));
	same64(word_at(va), FRAME_MARK + 22,
	       "a change in a space that was not loaded");
	for (i = 0; i < 4; i++)
		vmi1(ReleasePage, pa(i == 0 ? other_pml4 : i == 1 ? other_pdpt :
				     i == 2 ? other_pd : other_pt) / PAGE);
	set_entry(&other_pt[FIRST], 0);
	flush();
	same64(word_at(va), FRAME_MARK + 22, "the other one is released");
}

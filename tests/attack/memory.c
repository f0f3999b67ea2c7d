// SPDX-License-Identifier: GPL-2.0-only
/* Page tables that are wrong, lie outside memory, or are something else. */
#include "attack.h"

#define OUTSIDE		0xf0000000u
#define CR0_WP		0x10000u
#define CR4_PAE		0x20u
#define ABSENT_MARK	0xffffffffu
#define SECOND		(PLAY + (4u << 20))	/* the directory's next entry */

static volatile uint32_t *word_at(uint32_t va)
{
	return (volatile uint32_t *)va;
}

static void set_pde(uint32_t va, uint32_t entry)
{
	vmi3(SetPxE, entry, (uintptr_t)&linear(page_directory)[va >> 22],
	     VMI_PAGE_PD);
}

/* The stack lies where a directory entry points outside memory; then a
 * fault. VMI-3.4.5: one report, and an end to it. */
static void badpde(uint32_t arg)
{
	(void)arg;
	*(volatile uint32_t *)linear(&page_directory[PLAY >> 22]) =
		OUTSIDE | PTE_P | PTE_W | PTE_U;
	flush();
	__asm__ volatile("movl %0, %%esp\n\tpush %%eax"
			 : : "r"(play(U_STACK) + 0x800));
}

/* The same before VMI_Init, where each fault walks the guest's tables.
 * VMI-3.4.5. */
static void badpde_native(uint32_t arg)
{
	(void)arg;
	page_directory[PLAY >> 22] = OUTSIDE | PTE_P | PTE_W | PTE_U;
	__asm__ volatile("movl %0, %%esp\n\tpush %%eax"
			 : : "r"(play(U_STACK) + 0x800));
}

/* A table outside memory, touched from a good stack.
 * VMI-3.4.5. */
static void table_outside(uint32_t arg)
{
	(void)arg;
	set_pde(SECOND, OUTSIDE | PTE_P | PTE_W);
	flush();
	probe_read(SECOND);
}

/* CR3 outside memory, by each way to load it.
 * VMI-3.4.5. */
static void cr3_outside(uint32_t way)
{
	if (way == 0)
		vmi1(SetCR3, OUTSIDE);
	else if (way == 1)
		__asm__ volatile("mov %0, %%cr3" : : "r"(OUTSIDE));
	else {
		SHARED->cr3 = OUTSIDE;
		SHARED->deferred = STUB_DEFER_CR3;
		vmi1(FlushTLB, VMI_FLUSH_TLB);
	}
}

/* Tables of the old format taken for PAE's.
 * VMI-3.4.5: whatever they mean then, they mean the guest's memory. */
static void pae(uint32_t arg)
{
	(void)arg;
	hypercall(STUB_HC_SET_CR4, vmi0(GetCR4) | CR4_PAE, 0);
}

/* Absent memory reads as ones in every page, accessed and dirty or not, and
 * is never shared. VMI-3.4.5. */
static void bus(uint32_t arg)
{
	(void)arg;
	map(U_FREE, 0x80000000 | PTE_P | PTE_W | PTE_A | PTE_D);
	map(U_FREE + 1, 0x90000000 | PTE_P | PTE_W);
	for (uint32_t i = 0; i < 2; i++) {
		flush();
		same(*word_at(play(U_FREE)), ABSENT_MARK, "no memory reads ones");
		same(*word_at(play(U_FREE + 1)), ABSENT_MARK, "here too");
		map(U_FREE, 0x80000000 | PTE_P | PTE_W | PTE_A | PTE_D);
	}
}

static void skip_insb(struct frame *f)
{
	f->eip += 1;
}

/* A write to absent memory, after a read that filled the shadow; plainly,
 * by INS, with CR0.WP off. VMI-3.4.5: never carried out. */
static void bus_write(uint32_t way)
{
	map(U_FREE, 0x80000000 | PTE_P | PTE_A | PTE_D |
	    (way == 2 ? 0 : PTE_W));
	flush();
	(void)*word_at(play(U_FREE));
	if (way == 2)
		vmi1(SetCR0, vmi0(GetCR0) & ~CR0_WP);
	vector_hook[VEC_PF] = way == 1 ? skip_insb : NULL;
	if (way == 1)
		__asm__ volatile("insb" : : "d"(0x80), "D"(play(U_FREE))
				 : "memory");
	else
		*word_at(play(U_FREE)) = 0x1234;
	same(*word_at(play(U_FREE)), ABSENT_MARK, "and is still ones");
}

/* A directory entry is turned to another table silently, then INVLPG.
 * VMI-3.4.2: what the old table maps is never shown by the new one's. */
static void inval(uint32_t native)
{
	volatile uint8_t *i = (void *)play(U_FREE);
	volatile uint8_t *j = (void *)(SECOND + U_FREE * PAGE);

	map(U_FREE, MAPS(pages[U_KERNEL], PTE_W));
	set_pde(SECOND, MAPS(play_table, PTE_W | PTE_U));
	flush();
	pages[U_KERNEL][0] = 0xaa;
	pages[3][0] = 0xbb;
	ok(*i == 0xaa && *j == 0xaa, "one table at two places");
	spare_table[U_FREE] = MAPS(pages[3], PTE_W | PTE_A | PTE_D);
	*(volatile uint32_t *)linear(&page_directory[PLAY >> 22]) =
		MAPS(spare_table, PTE_W | PTE_U | PTE_A);
	if (native)
		__asm__ volatile("invlpg (%0)" : : "r"(i) : "memory");
	else
		vmi1(InvalPage, (uintptr_t)i);
	same(*j, 0xaa, "the other place is as it was after InvalPage");
	vmi1(FlushTLB, VMI_FLUSH_TLB | VMI_FLUSH_GLOBAL);
	same(*j, 0xaa, "and after a flush");
}

/* Writes to the ROM's working copy with CR0.WP on and off, by INS, through
 * own tables for that part of the space. VMI-2.3: it is not the guest's. */
static void rom_write(uint32_t arg)
{
	const uint32_t end = TOP + rom[2] * VMI_ROM_UNIT;
	uint32_t sum = 0, after = 0, faults = 0, va;

	(void)arg;
	for (va = TOP; va < end; va += 4)
		sum = (sum << 1 | sum >> 31) ^ *word_at(va);
	set_pde(TOP, MAPS(play_table, PTE_W | PTE_U));
	set_pde(TOP + STUB_ROM_MAX, TOP | PTE_PS | PTE_P | PTE_W | PTE_U);
	vmi1(FlushTLB, VMI_FLUSH_TLB | VMI_FLUSH_GLOBAL);
	for (uint32_t wp = 0; wp < 2; wp++) {
		for (va = TOP; va < end; va += 64)
			faults += probe_write(va) == VEC_PF;
		hypercall(STUB_HC_SET_CR0, vmi0(GetCR0) & ~CR0_WP, 0);
	}
	same(faults, (end - TOP + 63) / 64 * 2, "each write faults");
	vmi1(InvalPage, TOP);
	vmi3(SetPxE, 0, (uintptr_t)rom + 0x200, VMI_PAGE_PT);
	for (va = TOP; va < end; va += 4)
		after = (after << 1 | after >> 31) ^ *word_at(va);
	same(after, sum, "the working copy is unchanged");
}

/* The directory is its own table: entries change through themselves.
 * VMI-3.4.2, VMI-3.4.5. */
static void recursive(uint32_t arg)
{
	const uint32_t slot = SECOND >> 22;
	uint32_t *const tables = (uint32_t *)SECOND;
	uint32_t *const self = tables + slot * 1024;
	uint32_t wrong = 0;

	(void)arg;
	set_pde(SECOND, MAPS(page_directory, PTE_W));
	flush();
	same(self[slot] & ~0xfffu, (uintptr_t)page_directory,
	     "the directory shows itself");
	for (uint32_t i = 0; i < 4096; i++) {
		uint32_t *entry = tables + (PLAY >> 22) * 1024 + U_FREE + i % 64;

		vmi3(SetPxE, MAPS(pages[2 + i % 2], PTE_W), (uintptr_t)entry,
		     VMI_PAGE_PT);
		vmi1(InvalPage, play(U_FREE + i % 64));
		pages[2][4] = 2;
		pages[3][4] = 3;
		wrong += *(volatile uint8_t *)(play(U_FREE + i % 64) + 4) !=
			 2 + i % 2;
		if (i % 256 == 255)	/* through itself to itself */
			vmi3(SetPxE, self[slot], (uintptr_t)&self[slot],
			     VMI_PAGE_PD);
	}
	same(wrong, 0, "updates through the directory's own entry");
	self[slot + 1] = MAPS(page_directory, PTE_W);
	flush();
	same(*word_at(SECOND + (4u << 20) + slot * (PAGE + 4)), self[slot],
	     "and twice");
	self[slot] = 0;
	vmi2(UpdatePxE, (uintptr_t)&linear(page_directory)[slot], VMI_PAGE_PD);
	flush();
	same(probe_read((uintptr_t)self), VEC_PF, "it can remove itself");
}

/* A table that maps itself as memory, and is written there.
 * VMI-3.4.4: no effect until the flush, then the right one. */
static void table_maps_itself(uint32_t arg)
{
	volatile uint32_t *table = (void *)play(U_FREE);

	(void)arg;
	map(U_FREE, MAPS(play_table, PTE_W));
	flush();
	pages[2][8] = 22;
	pages[3][8] = 33;
	for (uint32_t i = 2; i < 4; i++) {
		table[U_FREE + 1] = MAPS(pages[i], PTE_W);
		vmi2(UpdatePxE, (uintptr_t)&linear(play_table)[U_FREE + 1],
		     VMI_PAGE_PT);
		flush();
		same(*(volatile uint8_t *)(play(U_FREE + 1) + 8), i * 11,
		     "a table written through itself");
	}
	table[U_FREE] = 0;
	vmi2(ReleasePage, frame_of(play_table), VMI_PAGE_PT);
	flush();
	same(probe_read((uintptr_t)table), VEC_PF, "it can remove itself");
}

/* Every frame is called a table and none, the code that runs, its stack, the
 * directory in use and the ROM among them. VMI-3.4.5, VMI-3.4.6. */
static void all_tables(uint32_t arg)
{
	(void)arg;
	for (uint32_t i = 0; i < 0x5000; i++)
		vmi2(AllocatePage, i, VMI_PAGE_PT);
	for (uint32_t i = 0; i < 0x5000; i += 3)
		vmi2(ReleasePage, i, VMI_PAGE_PT);
	for (uint32_t i = 0; i < 4096; i++) {
		hypercall(STUB_HC_UPDATE_VA, random32(), 0);
		vmi4(random32() & 1 ? VMI_CALL_AllocatePage :
		     VMI_CALL_ReleasePage, random32() >> 12, 0, 0, 0);
	}
	vmi2(ReleasePage, frame_of(page_directory), VMI_PAGE_PD);
	flush();
	same(probe_read(0x80000000), VEC_PF, "faults go on");
	USER("\xcd\x80", 0);
	same(last_trap.vector, VEC_SYSCALL, "user mode goes on");
}

/* Tables full of noise, twice over each other: every page shows the frame
 * that its entry names, or nothing. VMI-3.4.5. */
static void noise(uint32_t big)
{
	uint32_t wrong = 0, shown = 0;

	for (uint32_t round = 0; round < 16; round++) {
		for (uint32_t i = 0; i < PLAY_PAGES; i++)
			linear(play_table)[i] = (random32() & 0x01ffffff) |
				(i & 7 ? PTE_P : 0) |
				(i % 64 == 5 ? 0xfe000000 : 0);
		set_pde(SECOND, big ? (random32() & 0x01c00fff) | PTE_PS |
			PTE_P : MAPS(play_table, 0));
		for (uint32_t i = 0; i < PLAY_PAGES; i += 3)
			vmi2(UpdatePxE, (uintptr_t)&linear(play_table)[i],
			     VMI_PAGE_PT);
		vmi2(ReleasePage, frame_of(play_table), VMI_PAGE_PT);
		flush();
		for (uint32_t i = 0; i < PLAY_PAGES; i++) {
			uint32_t va = (i & 1 ? SECOND : PLAY) + i * PAGE + 12;
			uint32_t entry = linear(play_table)[i] & ~0xfffu;

			if (big && (i & 1))
				entry = (linear(page_directory)[SECOND >> 22] &
					 0x01c00000) + i * PAGE;
			if (probe_read(va) != -1)
				continue;
			shown++;
			wrong += *word_at(va) != (entry >= MAPPED ?
				ABSENT_MARK : *word_at(entry + LINEAR + 12));
		}
	}
	same(wrong, 0, "no page shows another frame's memory");
	ok(shown > 1000, "many show something");
}

/* What no table is, as a table: a copy, for the accessed bits that it gets.
 * VMI-3.4.5: each page shows what its entry names, or nothing. */
static void data_as_table(uint32_t from)
{
	uint32_t wrong = 0;

	for (uint32_t i = 0; i < 1024; i++)
		linear(spare_table)[i] = *word_at(from + LINEAR + i * 4);
	set_pde(SECOND, MAPS(spare_table, PTE_W | PTE_U));
	flush();
	for (uint32_t i = 0; i < PLAY_PAGES; i++) {
		uint32_t entry = spare_table[i] & ~0xfffu;
		uint32_t va = SECOND + i * PAGE + 20;

		if (entry >> 12 == 0xfee00 || probe_read(va) != -1)
			continue;
		wrong += *word_at(va) != (entry >= 0x04000000 ? ABSENT_MARK :
			 entry >= MAPPED ? 0 : *word_at(entry + LINEAR + 20));
	}
	same(wrong, 0, "no page shows another frame's memory");
}

static void kstack_as_table(uint32_t arg)
{
	data_as_table((uintptr_t)&arg & ~0xfffu);
}

static void gdt_as_table(uint32_t arg)
{
	(void)arg;
	data_as_table((uintptr_t)gdt & ~0xfffu);
}

/* User mode writes the tables that map it, a page that is mapped for it.
 * VMI-3.4.5. */
static void user_tables(uint32_t arg)
{
	static const uint32_t entries[] = {
		0x04000000, 0x80000000, TOP, 0xfffff000, 0x00100000,
		0x04000000 | PTE_A | PTE_D, 0x80000000 | PTE_A | PTE_D,
	};
	uint32_t wrong = 0, at = play(U_FREE) + (U_FREE + 1) * 4, entry;

	(void)arg;
	map(U_FREE, MAPS(play_table, PTE_W | PTE_U));
	flush();
	for (uint32_t i = 0; i < 64; i++) {
		const uint32_t n = i % (sizeof(entries) / sizeof(*entries));

		entry = entries[n] | PTE_P | PTE_W | PTE_U;
		run_user_bytes("\x89\x03\xcd\x80", 4, entry, at);
		vmi2(UpdatePxE, (uintptr_t)&linear(play_table)[U_FREE + 1],
		     VMI_PAGE_PT);
		flush();
		USER("\x8b\x03\xcd\x80", play(U_FREE + 1));
		wrong += last_trap.vector != VEC_SYSCALL ||
			 last_trap.eax != (n == 4 ? *word_at(0x00100000) :
					   ABSENT_MARK);
	}
	same(wrong, 0, "it sees its guest's memory, or ones");
}

#define TABLE_OUTSIDE	OUTSIDE_MEMORY("page table at 0f0000000")
#define CR3_OUTSIDE	OUTSIDE_MEMORY("CR3 = f0000000")

const struct attack memory_cases[] = {
	CASE(badpde, .end = TABLE_OUTSIDE),
	CASE_NATIVE(badpde_native, .end = TABLE_OUTSIDE),
	CASE(table_outside, .end = TABLE_OUTSIDE),
	CASE_ARG("cr3_outside", cr3_outside, 0, .end = CR3_OUTSIDE),
	CASE_ARG("cr3_outside_mov", cr3_outside, 1, .end = CR3_OUTSIDE),
	CASE_ARG("cr3_outside_deferred", cr3_outside, 2, .end = CR3_OUTSIDE),
	CASE(pae, .end = NO_STACK),
	CASE(bus),
	CASE_ARG("bus_write", bus_write, 0, .end = WRITE_OUTSIDE("080000000")),
	CASE_ARG("bus_write_ins", bus_write, 1),
	CASE_ARG("bus_write_wp", bus_write, 2, .end = WRITE_OUTSIDE("080000000")),
	CASE_ARG("inval", inval, 0),
	CASE_ARG("inval_native", inval, 1),
	CASE(rom_write),
	CASE(recursive),
	CASE(table_maps_itself),
	CASE(all_tables),
	CASE_ARG("noise", noise, 0),
	CASE_ARG("noise_large", noise, 1),
	CASE_ARG("code_as_table", data_as_table, 0x00100000),
	CASE_ARG("rom_as_table", data_as_table, VMI_SCAN_START),
	CASE_ARG("bios_as_table", data_as_table, 0x000f0000),
	CASE(kstack_as_table),
	CASE(gdt_as_table),
	CASE(user_tables),
	CASES_END
};

// SPDX-License-Identifier: GPL-2.0-only
/* Page tables that are wrong, lie outside memory, or are something else. */
#include "attack64.h"

#define SLOT		320u
#define SLOT_VA		0xffffa00000000000ull
static table spare[4];

/* Tables of all levels at SLOT_VA, whose entries of a level are this. */
static void chain(void)
{
	for (uint32_t i = 0; i < 4; i++)
		vmi5(AllocatePage, pa(spare[i]) / PAGE, VMI_PAGE_PT, 0, 0, 0);
	set_entry(&spare[0][0], frame_pa(1) | PTE_P | PTE_W);
	for (uint32_t i = 1; i < 3; i++)
		set_entry(&spare[i][0], pa(spare[i - 1]) | PTE_P | PTE_W);
	set_entry(&boot_pml4[SLOT], pa(spare[2]) | PTE_P | PTE_W);
	flush();
}

static uint64_t *entry_of(uint32_t level)
{
	return level == 4 ? &boot_pml4[SLOT] : &spare[level - 1][0];
}

/* Memory that is not there, at each level: a table is the end. */
static void table_outside(uint32_t level)
{
	chain();
	set_entry(entry_of(level), OUTSIDE | PTE_P | PTE_W);
	flush();
	*(volatile uint32_t *)SLOT_VA;
}

static void page_outside(uint32_t arg)
{
	(void)arg;
	chain();
	set_entry(entry_of(1), OUTSIDE | PTE_P | PTE_W);
	flush();
	same64(word_at(SLOT_VA), 0xffffffff, "no memory reads ones");
	set_entry(entry_of(2), (OUTSIDE & -LARGE) | PTE_P | PTE_W | PTE_PS);
	flush();
	same64(word_at(SLOT_VA), 0xffffffff, "a large page, too");
	is_well();
}

static void write_outside(uint32_t level)
{
	chain();
	set_entry(entry_of(level), OUTSIDE | PTE_P | PTE_W |
		  (level == 2 ? PTE_PS : 0));
	flush();
	*(volatile uint32_t *)SLOT_VA = 1;
}

/* A hypercall by the last two bytes of the lower half: no place to go on from. IRETQ
 * refuses it, but TCG finds out when it is there. */
static void call_at_edge(uint32_t nr)
{
	volatile uint8_t *last_page = (void *)(EDGE - PAGE);

	for (uint32_t i = 0; i < 3; i++)
		vmi5(AllocatePage, pa(spare[i]) / PAGE, VMI_PAGE_PT, 0, 0, 0);
	set_entry(&spare[0][511], frame_pa(1) | PTE_P | PTE_W);
	set_entry(&spare[1][511], pa(spare[0]) | PTE_P | PTE_W);
	set_entry(&spare[2][511], pa(spare[1]) | PTE_P | PTE_W);
	set_entry(&boot_pml4[255], pa(spare[2]) | PTE_P | PTE_W);
	flush();
	last_page[PAGE - 2] = 0xcd;
	last_page[PAGE - 1] = STUB_VECTOR;
	same64(attempt((void *)(EDGE - 2),
		       &(const struct registers){ .rax = nr }), VEC_GP,
	       "a #GP");
}

/* Reserved bits, and PS where it is reserved. */
static void reserved(uint32_t level)
{
	uint32_t wrong = 0;
	uint64_t old;

	chain();
	old = *entry_of(level);
	for (uint32_t bit = 40; bit < 52; bit++) {
		set_entry(entry_of(level), old | 1ull << bit);
		flush();
		wrong += probe_read(SLOT_VA) != VEC_PF || last.error != 9;
	}
	set_entry(entry_of(level), old | PTE_NX);	/* EFER.NXE is clear */
	flush();
	wrong += probe_read(SLOT_VA) != VEC_PF || last.error != 9;
	if (level > 2) {
		set_entry(entry_of(level), old | PTE_PS);
		flush();
		wrong += probe_read(SLOT_VA) != VEC_PF || last.error != 9;
	}
	set_entry(entry_of(level), old);
	flush();
	wrong += word_at(SLOT_VA) != FRAME_MARK + 1;
	same64(wrong, 0, "each is a #PF with RSVD");
	is_well();
}

/* One frame is the table of all levels, by one entry that names itself. */
static void recursive(uint32_t slot)
{
	const uint64_t self = pa(boot_pml4) | PTE_P | PTE_W;
	uint64_t va = 0;

	for (uint32_t level = 0; level < 4; level++)
		va = va << 9 | slot;
	va = va << 12 | (slot & 256 ? 0xffffull << 48 : 0);
	set_entry(&boot_pml4[slot], self);
	flush();
	same64(*(volatile uint64_t *)(va + slot * 8) & ~0xfffull,
	       pa(boot_pml4), "it shows itself");
	/* through itself, with no word to the hypervisor */
	for (uint32_t n = 0; n < 64; n++) {
		*(volatile uint64_t *)(va + (322 + n % 8) * 8) = random64();
		probe_read(0xffff000000000000 | (322ull + n % 8) << 39);
		probe_write(va + 271 * 8);
		vmi1(InvalPage, va);
		flush();
	}
	for (uint32_t n = 0; n < 8; n++)
		*(volatile uint64_t *)(va + (322 + n) * 8) = 0;
	flush();
	is_well();
}

/* Noise in a table of each level, told or not, with the tables it comes to. */
static void noise(uint32_t level)
{
	uint64_t *table_ = spare[level - 1], value;

	chain();
	for (uint32_t n = 0; n < 600; n++) {
		value = random64();
		if (n & 1)	/* within memory, to a page or a table */
			value = (value & 0x1fff00fff) % 0x4000000;
		if (n & 2)
			value = pa(spare[value & 3]) | 7;
		if (n & 8)
			set_entry(&table_[n & 7], value);
		else
			*(volatile uint64_t *)direct(pa(&table_[n & 7])) = value;
		if (n & 4)
			vmi1(InvalPage, SLOT_VA);
		probe_read(SLOT_VA + ((uint64_t)(n & 7) <<
					     (12 + 9 * (level - 1))));
		if (!(n & 31))
			flush();
	}
	is_well();
}

/* All tables are released while they are loaded, and announced in other roles. */
static void released(uint32_t arg)
{
	table *const tables[] = { &boot_pml4, &boot_pdpt, &boot_pdpt_high,
				  &boot_pd, &play_pd, &play_pt };
	uint32_t wrong = 0;

	for (uint32_t n = 0; n < 60; n++) {
		uint64_t frame = pa(tables[n % 6]) / PAGE;

		if (arg)
			vmi5(AllocatePage, frame, n % 5 < 4 ? 1 << n % 5 : 1, 0,
			     0, 0);
		vmi1(ReleasePage, frame);
		wrong += word_at(play_va(0)) == 0x12345678;
		if (n % 7 == 0)
			flush();
	}
	same64(wrong, 0, "its memory stays where it is");
	is_well();
}

static void cr3_outside(uint32_t way)
{
	if (way == 0) {
		vmi1(SetCR3, OUTSIDE);
	} else if (way == 1) {
		__asm__ volatile("mov %0, %%cr3" : : "r"(OUTSIDE));
	} else if (way == 2) {
		SHARED->cr3 = 0x000ffffffffff000;
		SHARED->deferred = STUB_DEFER_CR3;
		vmi1(FlushTLB, VMI_FLUSH_TLB);
	} else {
		hypercall(STUB_HC_SET_CR3, -1ull, 0, 0);
	}
}

/* Bits that CR3 has not, and those that say nothing. */
static void cr3_bits(uint32_t arg)
{
	const uint64_t cr3 = pa(boot_pml4);
	uint32_t wrong = 0;

	(void)arg;
	for (uint32_t bit = 0; bit < 12; bit++)
		wrong += CODE("\x0f\x22\xdf", .rdi = cr3 | 1ull << bit) != -1;
	for (uint32_t bit = 52; bit < 64; bit++)
		wrong += CODE("\x0f\x22\xdf", .rdi = cr3 | 1ull << bit) !=
			 VEC_GP;
	same64(wrong, 0, "reserved bits are a #GP");
	vmi1(SetCR3, cr3 | 0xfff);
	vmi1(SetCR3, cr3);
	is_well();
}

#define LEVELS(name, run, ...)					\
	CASE_ARG(name "_pt", run, 1, ##__VA_ARGS__),			\
	CASE_ARG(name "_pd", run, 2, ##__VA_ARGS__),			\
	CASE_ARG(name "_pdpt", run, 3, ##__VA_ARGS__)

const struct attack table_cases[] = {
	CASE_ARG("table_outside_pd", table_outside, 2, .end = TABLE_OUTSIDE),
	CASE_ARG("table_outside_pdpt", table_outside, 3, .end = TABLE_OUTSIDE),
	CASE_ARG("table_outside_pml4", table_outside, 4, .end = TABLE_OUTSIDE),
	CASE(page_outside),
	CASE_ARG("write_outside", write_outside, 1, .end = WRITE_OUTSIDE),
	CASE_ARG("write_outside_large", write_outside, 2, .end = WRITE_OUTSIDE),
	LEVELS("reserved", reserved),
	CASE_ARG("reserved_pml4", reserved, 4),
	CASE_ARG("recursive_high", recursive, 321),
	CASE_ARG("recursive_low", recursive, 17),
	LEVELS("noise", noise, .end = ANY_END),
	CASE_ARG("released", released, 0),
	CASE_ARG("released_as_another", released, 1),
	CASE_ARG("cr3_outside_call", cr3_outside, 0, .end = CR3_OUTSIDE),
	CASE_ARG("cr3_outside_mov", cr3_outside, 1, .end = CR3_OUTSIDE),
	CASE_ARG("cr3_outside_deferred", cr3_outside, 2, .end = CR3_OUTSIDE),
	CASE_ARG("cr3_outside_hypercall", cr3_outside, 3, .end = CR3_OUTSIDE),
	CASE(cr3_bits),
	CASE_ARG("call_at_edge_drain", call_at_edge, STUB_HC_DRAIN,
		 .end_checked = CANNOT_RUN),
	CASE_ARG("call_at_edge_events", call_at_edge, STUB_HC_EVENTS,
		 .end_checked = CANNOT_RUN),
	CASES_END
};

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory cases with tables of PAE, whose entries can name more than there
 * is and carry bits that nobody gave a meaning. The guest turns PAE on before
 * VMI_Init, as a kernel does.
 */
#include "race.h"

#define CR0_PG		0x80000000u
#define CR4_PAE		0x20u
#define TABLES		16u		/* of 2 MB, for MAPPED */
#define ONES		0xffffffffu
#define OUTSIDE		0xf0000000ull
#define MB2		0x200000u
#define SECOND		(PLAY + MB2)	/* what a case maps besides */
#define FLAGS		(PTE_P | PTE_W)

typedef uint64_t pae_table[512] __attribute__((aligned(PAGE)));

static uint64_t pdpt[512] __attribute__((aligned(PAGE)));
static pae_table directory[4], low_table[TABLES], pae_play, other;

static uint64_t entry_of(const void *low, uint64_t bits)
{
	return (uintptr_t)low | bits | PTE_P;
}

/* VMI-3.1.1: the entry in EDX:EAX, its address in ECX. */
static void set(uint64_t *at, uint64_t entry, uint32_t level)
{
	vmi4(VMI_CALL_SetPxELong, (uint32_t)entry, (uint32_t)(entry >> 32),
	     (uintptr_t)at + LINEAR, level);
}

static void map_pae(uint32_t page, uint64_t entry)
{
	set(&pae_play[page], entry, VMI_PAGE_PT);
}

static volatile uint32_t *word(uint32_t va)
{
	return (volatile uint32_t *)va;
}

void pae_enter(void)
{
	uint32_t cr0, cr4;

	for (uint32_t t = 0; t < TABLES; t++) {
		for (uint32_t i = 0; i < 512; i++)
			low_table[t][i] = (t * 512 + i) * PAGE | FLAGS;
		directory[0][t] = directory[3][t] =
			entry_of(low_table[t], PTE_W);
	}
	directory[PLAY >> 30][PLAY >> 21 & 511] =
		entry_of(pae_play, PTE_W | PTE_U);
	pae_play[U_CODE] = entry_of((void *)pages[U_CODE], PTE_U);
	pae_play[U_STACK] = entry_of((void *)pages[U_STACK], PTE_U | PTE_W);
	for (uint32_t i = 0; i < 4; i++)
		pdpt[i] = entry_of(directory[i], 0);
	__asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	__asm__ volatile("mov %0, %%cr0\n\tmov %1, %%cr4\n\tmov %2, %%cr3\n\t"
			 "mov %3, %%cr0\n\tjmp 1f\n1:"
			 : : "r"(cr0 & ~CR0_PG), "r"(cr4 | CR4_PAE),
			     "r"(pdpt), "r"(cr0) : "memory");
}

void pae_announce(void)
{
	for (uint32_t i = 0; i < 4; i++)
		vmi2(AllocatePage, frame_of(directory[i]),
		     VMI_PAGE_PD | VMI_PAGE_PAE);
	for (uint32_t i = 0; i < TABLES; i++)
		vmi2(AllocatePage, frame_of(low_table[i]),
		     VMI_PAGE_PT | VMI_PAGE_PAE);
	vmi2(AllocatePage, frame_of(pae_play), VMI_PAGE_PT | VMI_PAGE_PAE);
}

static void set_second(uint64_t entry)
{
	set(&directory[SECOND >> 30][SECOND >> 21 & 511], entry, VMI_PAGE_PD);
}

/* Frames beyond our memory, up to the last that 52 bits name. */
static void pae_frames(uint32_t bits)
{
	uint32_t wrong = 0;

	for (uint32_t shift = 26; shift < 52; shift++)
		for (uint32_t i = 0; i < 64; i++) {
			uint64_t pa = (1ull << shift) + i * PAGE;
			int vector;

			if (pa >> 12 == 0xfee00)
				continue;
			map_pae(U_FREE, pa | FLAGS | bits);
			vmi1(InvalPage, play(U_FREE));
			vector = probe_read(play(U_FREE));
			wrong += vector == -1 ? *word(play(U_FREE)) != ONES :
				 vector != VEC_PF;
		}
	for (uint32_t f = 0x4000; f < 0x10000; f++) {
		map_pae(U_FREE, (uint64_t)f << 12 | FLAGS | bits);
		vmi1(InvalPage, play(U_FREE));
		wrong += *word(play(U_FREE)) != ONES;
	}
	same(wrong, 0, "each reads as ones, or faults");
}

static void pae_write(uint32_t high)
{
	map_pae(U_FREE, (uint64_t)high << 32 | 0x04000000 | FLAGS | PTE_A |
		PTE_D);
	flush();
	*word(play(U_FREE)) = 0x600d;
}

static void pae_table_outside(uint32_t high)
{
	set_second((uint64_t)high << 32 | OUTSIDE | FLAGS);
	flush();
	probe_read(SECOND);
}

/* A directory outside memory: PDPT entries are read with CR3 alone. */
static void pae_directory_outside(uint32_t high)
{
	set(&pdpt[2], (uint64_t)high << 32 | OUTSIDE | PTE_P, VMI_PAGE_PDP);
	vmi1(SetCR3, (uintptr_t)pdpt);
	same(probe_read(0x80000000), VEC_PF, "nothing is there");
	same(*word(PLAY + U_STACK * PAGE + 4), pages[U_STACK][4], "the rest is");
}

static void pae_cr3(uint32_t pa)
{
	vmi1(SetCR3, pa);
}

/* All pages of a PDPT, all places in it. */
static void pae_pdpts(uint32_t arg)
{
	(void)arg;
	for (uint32_t at = 0; at < PAGE; at += 32) {
		for (uint32_t i = 0; i < 4; i++)
			*(volatile uint64_t *)linear(&pdpt[at / 8 + i]) =
				entry_of(directory[i], 0);
		vmi1(SetCR3, (uintptr_t)pdpt + at);
		same(probe_read(0x80000000), VEC_PF, "faults go on");
	}
}

/* Bits that are reserved: a fault, or without meaning; never another frame. */
static void pae_reserved(uint32_t arg)
{
	uint32_t wrong = 0;

	(void)arg;
	pages[3][0] = 0x3c;
	for (uint32_t bit = 0; bit < 64; bit++) {
		uint64_t e = entry_of((void *)pages[3], PTE_W) | 1ull << bit;

		if (bit >= 12 && bit < 26)
			continue;		/* our own memory */
		map_pae(U_FREE, e);
		vmi1(InvalPage, play(U_FREE));
		if (probe_read(play(U_FREE)) == -1)
			wrong += *(volatile uint8_t *)play(U_FREE) != 0x3c &&
				 *word(play(U_FREE)) != ONES;
		set_second(entry_of(pae_play, PTE_W) |
			   (bit < 32 ? 0 : 1ull << bit));
		if (bit < 32 || bit >= 52)
			probe_read(SECOND + U_FREE * PAGE);
	}
	same(wrong, 0, "the frame, ones, or a fault");
}

/* A directory that is its own table. */
static void pae_recursive(uint32_t arg)
{
	const uint32_t slot = SECOND >> 21 & 511;
	uint64_t *const dir = directory[SECOND >> 30];
	volatile uint64_t *self = (volatile uint64_t *)(SECOND + slot * PAGE);
	uint32_t wrong = 0;

	(void)arg;
	set_second(entry_of(dir, PTE_W));
	flush();
	same((uint32_t)self[slot] & ~0xfffu, (uintptr_t)dir, "it shows itself");
	for (uint32_t i = 0; i < 1024; i++) {
		uint32_t va = play(U_FREE + i % 16);
		volatile uint64_t *pte = (volatile uint64_t *)
			(SECOND + (PLAY >> 21 & 511) * PAGE) + U_FREE + i % 16;

		pages[2][8] = 2;
		pages[3][8] = 3;
		*pte = entry_of((void *)pages[2 + i % 2], PTE_W);
		vmi2(UpdatePxELong, (uintptr_t)pte, VMI_PAGE_PT);
		vmi1(InvalPage, va);
		wrong += *(volatile uint8_t *)(va + 8) != 2 + i % 2;
	}
	same(wrong, 0, "updates through it");
	self[slot] = 0;
	flush();
	same(probe_read((uintptr_t)self), VEC_PF, "it can remove itself");
}

/* One frame as directory, as table and as the page that a leaf maps. */
static void pae_roles(uint32_t arg)
{
	uint32_t wrong = 0;

	(void)arg;
	for (uint32_t i = 0; i < 512; i++)
		other[i] = entry_of(i & 1 ? (void *)pages[3] : (void *)other,
				    PTE_W | PTE_A | PTE_D);
	pages[3][16] = 0x77;
	set(&pdpt[2], entry_of(other, 0), VMI_PAGE_PDP);
	vmi1(SetCR3, (uintptr_t)pdpt);
	set_second(entry_of(other, PTE_W));
	flush();
	for (uint32_t i = 1; i < 512; i += 2)
		wrong += *(volatile uint8_t *)(SECOND + i * PAGE + 16) != 0x77;
	for (uint32_t i = 1; i < 512; i += 2)
		wrong += *(volatile uint8_t *)(0x80000000 + i * PAGE + 16) !=
			 0x77;
	same(wrong, 0, "it maps the same page as table and directory");
	for (uint32_t i = 0; i < 512; i += 2)
		wrong += *word(SECOND + i * PAGE) != (uint32_t)other[0];
	same(wrong, 0, "and itself");
}

/* Noise as a table and as a directory: frames of ours that are right, or
 * nothing. VMI-3.4.5. */
static void pae_noise(uint32_t arg)
{
	uint32_t wrong = 0, shown = 0;

	(void)arg;
	for (uint32_t round = 0; round < 64; round++) {
		for (uint32_t i = 0; i < 512; i++)
			((volatile uint32_t *)linear(other))[i * 2] =
				(random32() & 0x01ffffff) | (i & 7 ? PTE_P : 0),
			((volatile uint32_t *)linear(other))[i * 2 + 1] =
				i % 16 == 5 ? random32() : 0;
		set_second(entry_of(other, PTE_W));
		vmi2(ReleasePage, frame_of(other), VMI_PAGE_PT);
		flush();
		for (uint32_t i = 0; i < 512; i++) {
			uint32_t va = SECOND + i * PAGE + 12;
			uint64_t e = other[i] & 0x000ffffffffff000;

			if (probe_read(va) != -1)
				continue;
			shown++;
			wrong += *word(va) != (e >= MAPPED ? ONES :
				 *word((uint32_t)e + LINEAR + 12));
		}
	}
	same(wrong, 0, "no page shows another frame's memory");
	ok(shown > 1000, "many show something");
}

/* Own entries for what is the hypervisor's. VMI-2.3. */
static void pae_hole(uint32_t arg)
{
	uint32_t faults = 0, n = 0;

	(void)arg;
	for (uint32_t i = TOP >> 21 & 511; i < 512; i++)
		set(&directory[3][i], entry_of(pae_play, PTE_W | PTE_U),
		    VMI_PAGE_PD);
	vmi1(FlushTLB, VMI_FLUSH_TLB | VMI_FLUSH_GLOBAL);
	vmi1(SetCR3, (uintptr_t)pdpt);
	for (uint32_t va = TOP; va < TOP + 0x4000; va += 256, n++)
		faults += probe_write(va) == VEC_PF;
	same(faults, n, "the ROM cannot be written");
	same(probe_read(TOP + (4u << 20)), VEC_PF, "nothing else is there");
	same(vmi0(GetCR3), (uintptr_t)pdpt, "calls go on");
}

/* All frames are tables, none is. */
static void pae_all_tables(uint32_t arg)
{
	(void)arg;
	for (uint32_t i = 0; i < 0x5000; i++)
		vmi2(AllocatePage, i, VMI_PAGE_PT | VMI_PAGE_PAE);
	for (uint32_t i = 0; i < 0x5000; i += 3)
		vmi2(ReleasePage, i, VMI_PAGE_PT);
	flush();
	same(probe_read(0x80000000), VEC_PF, "faults go on");
	USER("\xcd\x80", 0);
	same(last_trap.vector, VEC_SYSCALL, "user mode goes on");
}

/* PAE off under tables that are PAE's. They mean what they mean then. */
static void pae_off(uint32_t arg)
{
	(void)arg;
	hypercall(STUB_HC_SET_CR4, vmi0(GetCR4) & ~CR4_PAE, 0);
	probe_read(0x80000000);
}

/* Queue pages of noise, in this format. STUB-4. */
static void pae_queue(uint32_t arg)
{
	(void)arg;
	for (uint32_t round = 0; round < 256; round++) {
		for (uint32_t i = 0; i < STUB_QUEUE_LEN; i++)
			SHARED->queue[i] = random32() &
				(i & 1 ? ~0u : 0x03ffffff);
		SHARED->tail = 0;
		hypercall(STUB_HC_QUEUE_FULL, 0, 0);
	}
	flush();
	same(probe_read(0x80000000), VEC_PF, "faults go on");
}

/* One directory for the GB below the hole's and for the hole's own, and words
 * that lie across the border of the two, which the hypervisor reads and writes.
 * VMI-3.4.5; STUB-2. */
static void pae_straddle(uint32_t arg)
{
	struct { uint16_t limit; uint32_t base; } __attribute__((packed)) t;
	void *const at = (void *)0xbffffffe;

	(void)arg;
	/* its entry 511 maps the last 2 MB of a GB; in the hole's it is none */
	for (uint32_t i = 0; i < 512; i++)
		other[i] = entry_of((void *)pages[3], PTE_W | PTE_A | PTE_D);
	set(&directory[3][511], entry_of(other, PTE_W), VMI_PAGE_PD);
	set(&pdpt[2], entry_of(directory[3], 0), VMI_PAGE_PDP);
	vmi1(SetCR3, (uintptr_t)pdpt);
	same(probe_read(0xbffffff0), -1, "below the border");
	same(probe_read(0xc0000000), -1, "and above it");
	*(volatile uint32_t *)at = 0x12345678;	/* by the CPU itself */
	same(*(volatile uint32_t *)at, 0x12345678, "a word across the border");
	__asm__ volatile("sgdt %0" : "=m"(t));
	__asm__ volatile("sgdt (%0)" : : "r"(at) : "memory");
	same(*(volatile uint16_t *)at, t.limit, "SGDT across the border");
	__asm__ volatile("lgdt (%0)" : : "r"(at) : "memory");
	__asm__ volatile("sgdt %0" : "=m"(t));
	same(*(volatile uint16_t *)at, t.limit, "LGDT across the border");
	hypercall(STUB_HC_SET_GDT, 0xbffffff6, 0x1f);
	hypercall(STUB_HC_SET_GDT, (uintptr_t)gdt, sizeof(gdt) - 1);
	ok(true, "a descriptor across the border");
}

/*
 * A thousand directories in use, in two thousand address spaces, and all are
 * told of again in one queue: by -icount nobody waits longer for that than two
 * slices and a half.
 */
#define DIRS		1020u
#define ROOTS		2040u
static void pae_drops(uint32_t arg)
{
	uint64_t longest = 0;
	uint32_t wrong = 0;

	(void)arg;
	for (uint32_t n = 0; n < ROOTS; n++) {
		uint64_t *root =
			(uint64_t *)linear((void *)(0x00f00000 + n * 32));
		uint32_t dir = 0x00800000 + n % DIRS * PAGE;

		for (uint32_t i = 0; i < 512 && n < DIRS; i++)
			((uint64_t *)linear((void *)dir))[i] = i ? 0 :
				entry_of(low_table[1], PTE_W);
		for (uint32_t q = 0; q < 4; q++)
			root[q] = pdpt[q];
		root[2] = entry_of((void *)dir, 0);
	}
	for (uint32_t n = 0; n < DIRS; n++)
		vmi2(AllocatePage, 0x800 + n, VMI_PAGE_PD | VMI_PAGE_PAE);
	for (uint32_t n = 0; n < ROOTS / 128 + 1; n++)
		vmi2(AllocatePage, 0xf00 + n, VMI_PAGE_PDP | VMI_PAGE_PAE);
	for (uint32_t n = 0; n < ROOTS; n++) {
		vmi1(SetCR3, 0x00f00000 + n * 32);
		if (n < DIRS)
			wrong += probe_read(0x80000000) != -1;
	}
	vmi1(SetCR3, (uintptr_t)pdpt);
	for (uint32_t n = 0; n < DIRS + 8; n++) {
		uint64_t before = vmi_cycles();

		if (n < DIRS)
			vmi2(AllocatePage, 0x800 + n,
			     VMI_PAGE_PD | VMI_PAGE_PAE);
		else
			vmi1(FlushTLB, VMI_FLUSH_TLB);
		before = vmi_cycles() - before;
		if (before > longest)
			longest = before;
	}
	same(wrong, 0, "all were in use");
	print("# the longest call took %u cycles\n", (uint32_t)longest);
	ok(longest < cycles_per_second() / 80, "nobody waits long");
}

/* ---- with a second vCPU ------------------------------------------------------ */

#define RACE_GB		2u
#define RACE_AT		(RACE_GB << 30)
#define NX		0x8000000000000000ull

static uint64_t race_pae_entry(uint32_t n)
{
	return race_entry(n) | (n & 0x10000 ? NX : 0) |
	       (uint64_t)(n & 0xe0000 ? 0 : n >> 20) << 32;
}

static void store_pae_entries(uint32_t i)
{
	const uint32_t n = scramble(i);

	*(volatile uint64_t *)&pae_play[U_FREE + i % 16] = race_pae_entry(n);
	*(volatile uint64_t *)&other[n % 16] = race_pae_entry(~n);
}

static void store_pae_directories(uint32_t i)
{
	const uint64_t choice[] = {
		0, entry_of(other, PTE_W), entry_of(pae_play, PTE_W | PTE_A),
		entry_of(other, PTE_W | PTE_A | NX), PTE_PS | PTE_P | PTE_W,
	};
	uint64_t *at = &directory[RACE_GB][i % 4];

	*(volatile uint64_t *)at = choice[scramble(i) % 5];
	if (i % 16 == 0)
		set(at, choice[i / 16 % 5], VMI_PAGE_PD);
	store_pae_entries(i);
}

static void store_pdpt(uint32_t i)
{
	const uint64_t choice[] = {
		0, entry_of(directory[1], 0), entry_of(directory[2], 0),
		OUTSIDE | PTE_P, entry_of(directory[2], NX),
	};

	*(volatile uint64_t *)&pdpt[RACE_GB] = choice[scramble(i) % 5];
	if (i % 16 == 0)
		set(&pdpt[RACE_GB], choice[i / 16 % 5], VMI_PAGE_PDP);
	store_pae_directories(i);
}

static void read_pae(uint32_t i)
{
	const uint32_t n = scramble(i);
	const uint32_t at[] = { PLAY + U_FREE * PAGE, RACE_AT + (n & 3) * MB2 };
	uint32_t word;

	safe_read(at[n >> 8 & 1] + (n >> 4 & 15) * PAGE + RACE_WORD, &word);
	if (i % 16 == 15)
		flush();
	else if (i % 4 == 3)
		vmi1(InvalPage, at[n >> 8 & 1] + (n >> 4 & 15) * PAGE);
}

static void load_pdpt(uint32_t i)
{
	vmi1(SetCR3, (uintptr_t)pdpt);
	read_pae(i);
}

static void race_pae(uint32_t what)
{
	static void (*const mine[])(uint32_t) = {
		read_pae, read_pae, load_pdpt, load_pdpt,
	};
	static void (*const theirs[])(uint32_t) = {
		store_pae_entries, store_pae_directories, store_pdpt, load_pdpt,
	};

	race_set_up(false);
	race(mine[what], theirs[what]);
}

#define RACE_PAE(name, what)						\
	CASE_PAE("race_pae_" name, race_pae, what, .boot = "cpus=2")

const struct attack pae_cases[] = {
	RACE_PAE("entries", 0),
	RACE_PAE("directories", 1),
	RACE_PAE("pdpt", 2),
	RACE_PAE("cr3", 3),
	CASE_PAE("pae_straddle", pae_straddle, 0),
	CASE_PAE("pae_frames", pae_frames, 0),
	CASE_PAE("pae_frames_used", pae_frames, PTE_A | PTE_D),
	CASE_PAE("pae_write", pae_write, 0, .end = WRITE_OUTSIDE("004000000")),
	CASE_PAE("pae_write_high", pae_write, 0x10,
		 .end = WRITE_OUTSIDE("1004000000")),
	CASE_PAE("pae_table_outside", pae_table_outside, 0,
		 .end = OUTSIDE_MEMORY("page table at 0f0000000")),
	CASE_PAE("pae_table_outside_high", pae_table_outside, 0xf,
		 .end = OUTSIDE_MEMORY("page table at ff0000000")),
	CASE_PAE("pae_directory_outside", pae_directory_outside, 0),
	CASE_PAE("pae_directory_outside_high", pae_directory_outside, 0xf),
	CASE_PAE("pae_cr3_outside", pae_cr3, 0xf0000020,
		 .end = OUTSIDE_MEMORY("CR3 = f0000020")),
	CASE_PAE("pae_pdpts", pae_pdpts, 0),
	CASE_PAE("pae_reserved", pae_reserved, 0),
	CASE_PAE("pae_recursive", pae_recursive, 0),
	CASE_PAE("pae_roles", pae_roles, 0),
	CASE_PAE("pae_noise", pae_noise, 0),
	CASE_PAE("pae_hole", pae_hole, 0),
	CASE_PAE("pae_all_tables", pae_all_tables, 0),
	CASE_PAE("pae_off", pae_off, 0, .end = NO_STACK),
	CASE_PAE("pae_queue", pae_queue, 0),
	CASE_PAE("pae_drops", pae_drops, 0, .boot = "alone icount"),
	CASES_END
};

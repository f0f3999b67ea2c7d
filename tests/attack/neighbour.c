// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reaching for the memory of the other guest, which lies somewhere behind
 * ours in the machine. VMI-3.4.5: guest-physical addresses are not the
 * machine's, and where we have no memory there is none.
 */
#include "attack.h"

#define OWN_FRAMES	0x4000u		/* 64 MB: attack.py gives as much */
#define MACHINE_FRAMES	0x10000u	/* more than both have together */
#define ONES		0xffffffffu
#define APIC		0xfee00u
#define CLEAN		(PTE_P | PTE_W)

static uint32_t shows(uint32_t page, uint32_t entry, uint32_t offset)
{
	map(page, entry);
	vmi1(InvalPage, play(page));
	return *(volatile uint32_t *)(play(page) + offset);
}

/* Every frame of the machine's memory, and samples of all others, by entries
 * that were used before and by new ones. */
static void guess_frames(uint32_t bits)
{
	uint32_t wrong = 0, step, seen = 0;

	for (uint32_t f = OWN_FRAMES; f < 0x100000; f += step, seen++) {
		step = f < MACHINE_FRAMES ? 1 : 61;
		if (f == APIC)
			continue;
		wrong += shows(U_FREE, f << 12 | bits, seen * 4 & 0xffc) != ONES;
	}
	same(wrong, 0, "each reads as ones");
	ok(seen > MACHINE_FRAMES - OWN_FRAMES, "many were tried");
}

/* By large pages, with the bits for more than 4 GB (PSE-36) and without. */
static void guess_large(uint32_t high)
{
	uint32_t *pde = &linear(page_directory)[(PLAY >> 22) + 1];
	uint32_t wrong = 0;

	for (uint32_t f = OWN_FRAMES; f < 0x100000; f += 1024) {
		vmi3(SetPxE, f << 12 | high | CLEAN | PTE_PS | PTE_A | PTE_D,
		     (uintptr_t)pde, VMI_PAGE_PD);
		flush();
		for (uint32_t i = 0; i < 1024; i += 37)
			wrong += f + i != APIC && *(volatile uint32_t *)
				(PLAY + (4u << 20) + i * PAGE + 8) != ONES;
	}
	same(wrong, 0, "each reads as ones");
}

/* A write to the first frame that is not ours, which may be the neighbour's.
 */
static void guess_write(uint32_t frame)
{
	map(U_FREE, frame << 12 | CLEAN | PTE_A | PTE_D);
	flush();
	*(volatile uint32_t *)play(U_FREE) = 0x600d;
}

/* A directory, and a table, in the neighbour's memory. */
static void guess_cr3(uint32_t frame)
{
	vmi1(SetCR3, frame << 12);
}

static void guess_table(uint32_t frame)
{
	vmi3(SetPxE, frame << 12 | CLEAN,
	     (uintptr_t)&linear(page_directory)[(PLAY >> 22) + 1], VMI_PAGE_PD);
	flush();
	(void)*(volatile uint32_t *)(PLAY + (4u << 20));
}

/* The queue names every frame of the machine, in each of its ways; the linear
 * slots map them. */
static void guess_queue(uint32_t arg)
{
	const struct stub_linear slot = SHARED->linear[0];

	(void)arg;
	for (uint32_t f = OWN_FRAMES; f < MACHINE_FRAMES; f++) {
		uint32_t n = f % 256 * 4;

		SHARED->linear[0].pa = f << 12;
		SHARED->linear[0].va = 0;
		SHARED->linear[0].bytes = ONES;
		SHARED->queue[n] = f << 12 | STUB_Q_UPDATE_PA;
		SHARED->queue[n + 1] = (f << 12 & 0xffc) | STUB_Q_UPDATE_VA;
		SHARED->queue[n + 2] = f << 12 | STUB_Q_PAGE | STUB_QP_ALLOC;
		SHARED->queue[n + 3] = f << 12 | STUB_Q_PAGE | STUB_QP_RELEASE;
		if (n < 1020)
			continue;
		SHARED->tail = 0;
		hypercall(STUB_HC_QUEUE_FULL, 0, 0);
	}
	SHARED->linear[0].va = slot.va;
	SHARED->linear[0].pa = slot.pa;
	SHARED->linear[0].bytes = slot.bytes;
	same(probe_read(0x80000000), VEC_PF, "we go on");
}

/* What we were given holds nothing of the neighbour's; nor does what the
 * processor keeps when it goes from one to the other. */
static void leftovers(uint32_t arg)
{
	uint32_t found = 0;

	(void)arg;
	for (uint32_t f = MAPPED / PAGE; f < OWN_FRAMES; f++) {
		map(U_FREE, f << 12 | CLEAN);
		vmi1(InvalPage, play(U_FREE));
		for (uint32_t i = 0; i < 1024; i++)
			found += ((volatile uint32_t *)play(U_FREE))[i] != 0;
	}
	same(found, 0, "memory is zero");
}

/* Until it has run several times. */
static void wait_for_neighbour(void)
{
	uint64_t stolen = 0, start = vmi_cycles(), now;

	/* a second is a hundred slices */
	for (uint32_t times = 0; times < 8 &&
	     vmi_cycles() - start < cycles_per_second();) {
		now = SHARED->stolen;
		times += now != stolen;
		stolen = now;
	}
	ok(stolen, "there is a neighbour");
}

static void fpu(uint32_t arg)
{
	uint32_t wrong = 0, value;

	(void)arg;
	__asm__ volatile("fninit");
	for (value = 1; value < 9; value++)
		__asm__ volatile("fildl %0" : : "m"(value));
	wait_for_neighbour();
	for (uint32_t i = 8; i; i--) {
		__asm__ volatile("fistpl %0" : "=m"(value));
		wrong += value != i;
	}
	same(wrong, 0, "the FPU is ours alone");
}

/* The FPU is off, as a kernel has it that loads its registers late. */
static void fpu_off(uint32_t arg)
{
	(void)arg;
	vmi1(SetCR0, vmi0(GetCR0) | CR0_TS);
	wait_for_neighbour();
	same(vmi0(GetCR0) & CR0_TS, CR0_TS, "it is off");
	vmi0(CLTS);
}

/* Registers whose segments begin elsewhere than the neighbour's. */
static void segments(uint32_t arg)
{
	static const uint32_t words[] = { 0xf5f5f5f5, 0x65656565 };
	uint32_t fs, gs;

	(void)arg;
	for (uint32_t i = 0; i < 2; i++)
		write_gdt(SPARE_GDT + i,
			  descriptor((uintptr_t)&words[i], 3, 0x4f200));
	__asm__ volatile("mov %0, %%fs" : : "r"(SPARE_GDT * 8 | 3));
	__asm__ volatile("mov %0, %%gs" : : "r"((SPARE_GDT + 1) * 8 | 3));
	wait_for_neighbour();
	__asm__ volatile("mov %%fs:0, %0" : "=r"(fs));
	__asm__ volatile("mov %%gs:0, %0" : "=r"(gs));
	same(fs, words[0], "FS is ours");
	same(gs, words[1], "GS is ours");
}

const struct attack neighbour_cases[] = {
	CASE_ARG("guess_frames", guess_frames, CLEAN),
	CASE_ARG("guess_frames_used", guess_frames, CLEAN | PTE_A | PTE_D),
	CASE_ARG("guess_large", guess_large, 0),
	CASE_ARG("guess_large_36", guess_large, 0x1e000),
	CASE_ARG("guess_write", guess_write, OWN_FRAMES,
		 .end = WRITE_OUTSIDE("004000000")),
	CASE_ARG("guess_write_far", guess_write, OWN_FRAMES + 0x800,
		 .end = WRITE_OUTSIDE("004800000")),
	CASE_ARG("guess_cr3", guess_cr3, OWN_FRAMES,
		 .end = OUTSIDE_MEMORY("CR3 = 04000000")),
	CASE_ARG("guess_cr3_far", guess_cr3, OWN_FRAMES + 0x800,
		 .end = OUTSIDE_MEMORY("CR3 = 04800000")),
	CASE_ARG("guess_table", guess_table, OWN_FRAMES,
		 .end = OUTSIDE_MEMORY("page table at 004000000")),
	CASE(guess_queue),
	CASE(leftovers),
	CASE(fpu),
	CASE(fpu_off),
	CASE(segments),
	CASES_END
};

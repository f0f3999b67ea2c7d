// SPDX-License-Identifier: GPL-2.0-only
/*
 * The shared area and page tables of a guest that keeps no rule: any words
 * there, drains, faults and flushes in any order. What is mapped may be wrong
 * for the guest, but it is the guest's.
 */
#include "fuzz.h"
#include "shadow_model.h"

uint32_t rnd(uint32_t n)
{
	(void)n;
	CHECK(!"nothing here is of chance");
	__builtin_unreachable();
}

/* ---- what must hold ----------------------------------------------------- */

static void check_leaf(uint64_t e, uint64_t size)
{
	uint64_t pa = e & ADDR & ~(size - 1);

	if (pa == (g->mm.gmem.bus & ADDR) && size == PAGE_SIZE)
		CHECK(!(e & W));
	else
		CHECK(pa >= RAM_PA && pa + size <= RAM_PA + (GUEST_MB << 20));
}

static void check_pd(const uint64_t *pd, uint32_t q)
{
	uint32_t i, k;

	for (i = 0; i < 512; i++) {
		const uint64_t *pt = host_va(pd[i] & ADDR);

		if (!(pd[i] & P))
			continue;
		if ((q << 30 | i << 21) >= TOP) {
			CHECK_EQ(pd[i] & ADDR, host_pa(mmu->reserved_pt));
			CHECK(!(pd[i] & U));
		} else if (pd[i] & PS) {
			check_leaf(pd[i], 2 << 20);
		} else {
			CHECK(pd[i] & SE_LINK);
			for (k = 0; k < 512; k++)
				if (pt[k] & P)
					check_leaf(pt[k], PAGE_SIZE);
		}
	}
}

static void check_current(void)
{
	uint32_t q;

	for (q = 0; q < 4; q++)
		if (mmu->pdpt[q] & P)
			check_pd(host_va(mmu->pdpt[q] & ADDR), q);
}

/* ---- what the guest does ------------------------------------------------ */

/* Frames 16 to 31, as tables of any kind. */
static uint32_t table(uint8_t n)
{
	return (16 + n % 16) << PAGE_SHIFT;
}

static uint32_t frame(struct input *in)
{
	static const uint16_t edge[] = {
		FRAMES - 1, FRAMES, FRAMES + 1, HOLE_FRAME - 1, HOLE_FRAME,
		HOLE_FRAME + HOLE_FRAMES - 1, HOLE_FRAME + HOLE_FRAMES, 0
	};
	uint8_t n = input_u8(in);

	return n < ARRAY_SIZE(edge) ? edge[n] : n | input_u8(in) << 8;
}

/* An entry for few places, of few frames, or anything. */
static void entry(struct input *in)
{
	static const uint16_t at[] = { 0, 1, 2, 512, 768, 769, 1007, 1008 };
	uint8_t how = input_u8(in);
	uint32_t i = at[how & 7], rights = input_u8(in);
	uint64_t val = rights | (uint64_t)table(input_u8(in));

	if (how & 8)
		val = rights | (uint64_t)frame(in) << PAGE_SHIFT;
	if (how & 16)
		val = input_u64(in);
	put(table(how >> 5 | (rights & 0x10) >> 1), wide ? i & 511 : i, val);
}

/* Words of the queue, and how many there are. */
static void queue(struct input *in)
{
	uint32_t n = input_u8(in) & 15;
	int32_t tail = v->sh->tail;

	for (; n && tail < 0 && tail >= -STUB_QUEUE_LEN; n--) {
		uint32_t word = input_u32(in);

		if ((word & 0x1c) == 0x1c)
			word = frame(in) << PAGE_SHIFT | (word & 0xfff);
		v->sh->queue[STUB_QUEUE_LEN + tail++] = word;
	}
	v->sh->tail = tail;
}

static void area(struct input *in)
{
	uint8_t at = input_u8(in);

	((volatile uint32_t *)v->sh)[at & 63] = input_u32(in);
}

static uint32_t address(struct input *in)
{
	static const uint32_t base[] = {
		0, 4 << 20, 8 << 20, LINEAR_VA, LINEAR_VA + (4 << 20),
		TOP - (4 << 20), TOP, 0x80000000
	};
	uint8_t n = input_u8(in);

	return (base[n & 7] | (n & 0xf8) << 9) + (n == 255 ? input_u32(in) : 0);
}

static void fault(struct input *in)
{
	uint32_t va = address(in), access = input_u8(in) & 0x17, error = access;
	uint64_t pa;
	gpa_t bus;

	if (queue_pending(v))
		queue_drain(v);
	if (mmu_fault(mmu, va, &error, &bus) != FAULT_FIXED || va >= TOP)
		return;
	/* An entry of both levels has changed meanwhile: again. */
	error = access;
	if (!cpu_allows(va, access & PF_W, access & PF_U, &pa))
		CHECK(mmu_fault(mmu, va, &error, &bus) == FAULT_FIXED);
	CHECK(cpu_allows(va, access & PF_W, access & PF_U, &pa));
}

static void registers(struct input *in)
{
	uint8_t how = input_u8(in);

	queue_drain(v);
	switch (how & 7) {
	case 0:
		set_mode(v->cr0 ^ CR0_WP, v->cr4, v->efer);
		break;
	case 1:
		set_mode(v->cr0 ^ CR0_PG, v->cr4, v->efer);
		break;
	case 2:
		wide = !wide;
		set_mode(v->cr0, v->cr4 ^ CR4_PAE, how & 8 ? EFER_NXE : 0);
		break;
	case 3:
		set_mode(v->cr0, v->cr4 ^ CR4_PSE, v->efer);
		break;
	default:
		cr3_write(v, table(how >> 3) | (how & 1) << 5);
	}
}

static void call(struct input *in)
{
	uint8_t how = input_u8(in);

	queue_drain(v);
	switch (how & 7) {
	case 0:
		mmu_inval(mmu, address(in));
		break;
	case 1:
		mmu_flush(mmu);
		break;
	case 2:
		mmu_page_table(mmu, 16 + input_u8(in) % 16, true);
		break;
	case 3:
		mmu_page_table(mmu, frame(in), false);
		break;
	case 4:
		mmu_entry_changed(mmu, (gpa_t)frame(in) << PAGE_SHIFT);
		break;
	case 5:
		mmu_entry_changed(mmu, table(how >> 3) | input_u8(in) << 2);
		break;
	}
	mmu_flush_tlb(mmu);
}

static void run(struct input *in)
{
	static void (*const op[])(struct input *) = {
		entry, entry, queue, area, fault, registers, call
	};

	while (in->left)
		op[input_u8(in) % ARRAY_SIZE(op)](in);
	queue_drain(v);
}

void fuzz_one(struct input *in)
{
	jmp_buf killed;

	model_start(input_u8(in) & 1);
	model_killed = &killed;
	if (!setjmp(killed))
		run(in);
	check_current();
}

// SPDX-License-Identifier: GPL-2.0-only
/* XSAVE, where the CPUID call shows it: VMI64-3.10. */
#include "processors.h"

#define CPUID_XSAVE	(1u << 26)
#define CPUID_OSXSAVE	(1u << 27)
#define CPUID_AVX	(1u << 28)
#define CR4_OSXSAVE	(1ull << 18)
#define XSAVEC		2u
#define X87		1u
#define AVX_ALL		7u		/* with x87 and SSE */
#define BYTES		4096u

static void leaf(uint32_t number, uint32_t sub, uint32_t r[4])
{
	r[0] = number;
	r[2] = sub;
	vmi4(CPUID, &r[0], &r[1], &r[2], &r[3]);
}

static bool shown(uint32_t bit)
{
	uint32_t r[4];

	leaf(1, 0, r);
	return r[2] & bit;
}

static uint64_t xgetbv(void)
{
	uint32_t low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (uint64_t)high << 32 | low;
}

/* By probe_exec(). */
__attribute__((noinline))
static void xsetbv(uint64_t value, uint64_t index)
{
	__asm__ volatile("xsetbv" : : "a"((uint32_t)value),
			 "d"((uint32_t)(value >> 32)), "c"((uint32_t)index));
}

static int64_t try_xsetbv(uint64_t value, uint64_t index)
{
	return probe_exec((uint64_t)xsetbv, value, index);
}

static void open(uint64_t value)
{
	vmi1(SetCR4, vmi0(GetCR4) | CR4_OSXSAVE);
	xsetbv(value, 0);
}

/* ---- alone ---------------------------------------------------------------------- */

static void refused(uint32_t have)
{
	static const uint64_t wrong[] = { 0, 2, 4, 5, 1ull << 63, 1ull << 32 };
	uint32_t bad = 0;

	for (uint32_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		bad += try_xsetbv(wrong[i], 0) != VEC_GP;
	for (uint32_t bit = 3; bit < 64; bit++)
		if (bit > 31 || !(have >> bit & 1))
			bad += try_xsetbv(AVX_ALL | 1ull << bit, 0) != VEC_GP;
	bad += try_xsetbv(X87, 1) != VEC_GP;
	same64(bad, 0, "XSETBV of what there is not is a #GP");
}

static void sizes(uint32_t have)
{
	uint32_t r[4], s[4];

	leaf(0xd, 0, r);
	ok(r[0] == have && !r[3], "leaf 0Dh has the components");
	ok(r[1] >= 576 && r[1] <= r[2] && r[2] <= BYTES, "and sizes");
	xsetbv(have, 0);
	leaf(0xd, 0, s);
	same64(s[1], r[2], "of what is on, that of all then");
	leaf(0xd, 1, s);
	same64(s[0] & ~7u, 0, "no XSAVES");
	ok(!(s[0] & XSAVEC) || (s[1] >= 576 && s[1] <= BYTES),
	   "what XSAVEC writes has a size, if there is one");
	leaf(0xd, 9, s);
	same64(s[0] | s[1] | s[2] | s[3], 0, "nor a component that there is not");
}

void test_xsave(void)
{
	const uint64_t cr4 = vmi0(GetCR4);
	uint32_t r[4];

	if (!shown(CPUID_XSAVE)) {
		vmi1(SetCR4, cr4 | CR4_OSXSAVE);
		same64(vmi0(GetCR4), cr4, "no XSAVE: CR4.OSXSAVE stays off");
		return;
	}
	same64(shown(CPUID_OSXSAVE), 0, "leaf 1: OSXSAVE is off");
	same64(try_xsetbv(X87, 0), VEC_UD, "XSETBV then is a #UD");
	vmi1(SetCR4, cr4 | CR4_OSXSAVE);
	same64(vmi0(GetCR4), cr4 | CR4_OSXSAVE, "CR4.OSXSAVE");
	same64(shown(CPUID_OSXSAVE), 1, "leaf 1 says so");
	same64(xgetbv(), X87, "XCR0 as after power-on");
	leaf(0xd, 0, r);
	sizes(r[0]);
	refused(r[0]);
	same64(xgetbv(), r[0], "XCR0 is what was set last");
	xsetbv(X87, 0);
	vmi1(SetCR4, cr4);
	same64(shown(CPUID_OSXSAVE), 0, "off again");
}

/* ---- beside others ---------------------------------------------------------------- */

static volatile uint32_t lost;
static uint8_t value[PROCESSORS][32] __attribute__((aligned(32)));
static uint8_t saved[PROCESSORS][BYTES] __attribute__((aligned(64)));

/* Long enough that others have its processor meanwhile. What it turns off is kept. */
static void hold(uint64_t n)
{
	uint8_t now[32];

	open(AVX_ALL);
	for (uint32_t i = 0; i < 32; i++)
		value[n][i] = (uint8_t)(n * 32 + i + 1);
	__asm__ volatile("vmovdqa %0, %%ymm7" : : "m"(value[n]));
	xsetbv(X87 | (n & 1 ? 6 : 2), 0);
	for (uint32_t i = 0; i < 4; i++)
		wait_a_tick();
	xsetbv(AVX_ALL, 0);
	__asm__ volatile("vmovdqu %%ymm7, %0" : "=m"(now));
	for (uint32_t i = 0; i < 32; i++)
		if (now[i] != value[n][i])
			__asm__ volatile("lock incl %0" : "+m"(lost) : : "cc");
	__asm__ volatile("xsave64 %0" : "+m"(saved[n]) : "a"(AVX_ALL), "d"(0));
	for (uint32_t i = 0; i < 16; i++)
		if (saved[n][576 + 7 * 16 + i] != value[n][16 + i])
			__asm__ volatile("lock incl %0" : "+m"(lost) : : "cc");
}

static uint8_t first_there[32];

static void look(uint64_t arg)
{
	(void)arg;
	open(AVX_ALL);
	__asm__ volatile("vmovdqu %%ymm7, %0" : "=m"(first_there));
}

void test_vectors(void)
{
	const uint64_t cr4 = vmi0(GetCR4);
	struct vmi64_ap_state s;
	uint32_t old = 0;

	if (!shown(CPUID_AVX))
		return;
	for (uint32_t n = 1; n < processors; n++)
		begin_on(n, hold, n);
	hold(0);
	for (uint32_t n = 1; n < processors; n++)
		end_on(n);
	about("VMI-3.8.8");
	same64(lost, 0, "all have their own vector registers");
	s = processor_state(OTHER);
	s.cr4 = cr4;
	processor_start(OTHER, &s);
	run_on(OTHER, look, 0);
	for (uint32_t i = 0; i < 32; i++)
		old += first_there[i] != 0;
	about("VMI64-3.8.2");
	same64(old, 0, "which are empty when it starts again");
	xsetbv(X87, 0);
	vmi1(SetCR4, cr4);
}

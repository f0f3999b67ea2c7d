// SPDX-License-Identifier: GPL-2.0-only
/* Control, debug and model-specific registers, bit by bit. */
#include "attack64.h"

static uint64_t cr_now(uint32_t nr)
{
	return nr == 0 ? vmi0(GetCR0) : vmi0(GetCR4);
}

/* One bit at a time, by the instruction and by the call. */
static void cr_bits(uint32_t nr)
{
	static const char *const to[5] = {
		[0] = "\x0f\x22\xc0", [4] = "\x0f\x22\xe0"
	};
	const uint64_t was = cr_now(nr), keep = nr ? 0x20 : 0x80000001;
	uint64_t wrong = 0, left = 0;

	for (uint32_t bit = 0; bit < 64; bit++) {
		const uint64_t value = was ^ 1ull << bit;
		char code[4] = { to[nr][0], to[nr][1], to[nr][2], (char)0xc3 };
		const int64_t vector = attempt(code, &(struct registers){
			.rax = value });

		wrong += vector != -1 && vector != VEC_GP;
		wrong += vector == VEC_GP && cr_now(nr) != was;
		left |= keep & ~cr_now(nr);
		if (nr)
			vmi1(SetCR4, was);
		else
			vmi1(SetCR0, was);
		wrong += probe_read(UNMAPPED) != VEC_PF;
	}
	same64(wrong, 0, "each bit is taken or a #GP");
	same64(left, 0, "what 64-bit mode needs stays on");
	is_well();
}

/* CR3 with each bit, of which those beyond memory end the guest. */
static void cr3_low(uint32_t arg)
{
	uint64_t wrong = 0;

	(void)arg;
	for (uint32_t bit = 0; bit < 12; bit++) {
		CODE("\x0f\x22\xd8", .rax = pa(boot_pml4) | 1ull << bit);
		wrong += probe_read(UNMAPPED) != VEC_PF;
	}
	for (uint32_t bit = 52; bit < 64; bit++)
		wrong += CODE("\x0f\x22\xd8", .rax = pa(boot_pml4) | 1ull << bit) !=
			 VEC_GP;
	same64(wrong, 0, "the low bits do nothing, the high ones are a #GP");
	CODE("\x0f\x22\xd8", .rax = pa(boot_pml4));
	is_well();
}

static void cr3_to(uint32_t bit)
{
	CODE("\x0f\x22\xd8", .rax = 1ull << bit);
}

static void go_on(struct frame *f)
{
	vmi2(SetDR, 6, 0);
	f->rflags |= 0x10000;			/* RF */
}

/* Breakpoints on what is the hypervisor's, of all kinds. */
static void watch(uint32_t kind)
{
	static const uint64_t at[] = {
		TRAMP, TRAMP_PAGE(TRAMP_ENTRY), TRAMP_PAGE(TRAMP_ENTRY) + 0xff8,
		TRAMP_PAGE(TRAMP_SHARED), TRAMP_PAGE(TRAMP_GDT), TOP,
		0xffffffff80100000, DIRECT, EDGE, ODD, -8ull
	};
	struct user u = user_start;
	uint64_t wrong = 0;

	own_stack(VEC_DB);
	vector_hook[VEC_DB] = go_on;
	user_load("\x0f\x0b", 2);
	for (uint32_t i = 0; i < sizeof(at) / sizeof(*at); i++)
		for (uint32_t n = 0; n < 4; n++) {
			CODE("\x0f\x23\xc0", .rax = at[i]);
			vmi2(SetDR, n, at[i]);
			vmi2(SetDR, 7, 2ull << n * 2 |
			     (uint64_t)(kind | 8) << (16 + n * 4));
			wrong += probe_read(UNMAPPED) != VEC_PF;
			wrong += hypercall(STUB_HC_CANCEL_ALARM, 0, 0, 0) > 1;
			wrong += user_try(&u) != VEC_UD;
			vmi2(SetDR, 7, 0x400);
		}
	vector_hook[VEC_DB] = NULL;
	same64(wrong, 0, "the hypervisor comes upon none of them");
	is_well();
}

static void dr_bits(uint32_t arg)
{
	uint64_t wrong = 0;
	int64_t vector;

	(void)arg;
	own_stack(VEC_DB);
	vector_hook[VEC_DB] = go_on;
	for (uint32_t bit = 0; bit < 64; bit++) {
		vector = CODE("\x0f\x23\xf8", .rax = 1ull << bit);	/* dr7 */
		wrong += (vector == -1) == (bit >= 32);
		wrong += vmi1(GetDR, 7) >> 32 != 0;
		vmi2(SetDR, 7, 0x400);
		vector = CODE("\x0f\x23\xf0", .rax = 1ull << bit);	/* dr6 */
		wrong += (vector == -1) == (bit >= 32);
		vmi2(SetDR, 6, 0);
	}
	vector_hook[VEC_DB] = NULL;
	same64(wrong, 0, "the upper halves of DR6 and DR7 are a #GP");
	is_well();
}

/* Every MSR of a range is read, written with noise, and then nothing has changed
 * that the hypervisor stands on. */
static void msrs(uint32_t first)
{
	static const uint32_t own[] = {
		0x174, 0x175, 0x176, MSR_EFER, MSR_STAR, MSR_LSTAR, MSR_CSTAR,
		MSR_FMASK, MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE
	};
	uint64_t wrong = 0;

	for (uint32_t msr = first; msr < first + 0x400; msr++) {
		int64_t vector = CODE("\x0f\x32", .rcx = msr | 1ull << 40);
		bool skip = false;

		wrong += vector != -1 && vector != VEC_GP;
		for (uint32_t i = 0; i < sizeof(own) / sizeof(*own); i++)
			skip |= msr == own[i];
		if (skip)
			continue;
		vector = CODE("\x0f\x30", .rcx = msr, .rax = random64(),
			      .rdx = random64());
		wrong += vector != -1 && vector != VEC_GP;
		wrong += probe_read(UNMAPPED) != VEC_PF;
	}
	same64(wrong, 0, "each is there or a #GP");
	is_well();
}

/* Bases that are not canonical, by all ways. */
static void bases(uint32_t msr)
{
	static const uint64_t bad[] = { EDGE, ODD, ODD - 1, 0xfffeffffffffffff };
	uint64_t wrong = 0;

	for (uint32_t i = 0; i < 4; i++)
		wrong += CODE("\x0f\x30", .rcx = msr, .rax = (uint32_t)bad[i],
			      .rdx = bad[i] >> 32) != VEC_GP;
	SHARED->other_gs = ODD;
	CODE("\x0f\x01\xf8");			/* swapgs */
	SHARED->other_gs = 0;
	CODE("\x0f\x01\xf8");
	SHARED->other_gs = 0;
	vmi1(SetGSBase, 0);
	same64(wrong, 0, "a base that is not canonical is a #GP");
	is_well();
}

const struct attack register_cases[] = {
	CASE_ARG("cr0_bits", cr_bits, 0), CASE_ARG("cr4_bits", cr_bits, 4),
	CASE(cr3_low),
	CASE_ARG("cr3_bit_32", cr3_to, 32, .end = CR3_OUTSIDE),
	CASE_ARG("cr3_bit_40", cr3_to, 40, .end = CR3_OUTSIDE),
	CASE_ARG("cr3_bit_51", cr3_to, 51, .end = CR3_OUTSIDE),
	CASE_ARG("watch_code", watch, 0), CASE_ARG("watch_writes", watch, 1),
	CASE_ARG("watch_ports", watch, 2), CASE_ARG("watch_reads", watch, 3),
	CASE(dr_bits),
	CASE_ARG("msrs_0", msrs, 0), CASE_ARG("msrs_400", msrs, 0x400),
	CASE_ARG("msrs_800", msrs, 0x800),
	CASE_ARG("msrs_40000000", msrs, 0x40000000),
	CASE_ARG("msrs_c0000000", msrs, 0xc0000000),
	CASE_ARG("msrs_c0010000", msrs, 0xc0010000),
	CASE_ARG("bases_fs", bases, MSR_FS_BASE),
	CASE_ARG("bases_gs", bases, MSR_GS_BASE),
	CASE_ARG("bases_kernel_gs", bases, MSR_KERNEL_GS_BASE),
	CASES_END
};

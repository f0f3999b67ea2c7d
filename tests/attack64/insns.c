// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sensitive instructions of 64-bit code, in user mode and in the kernel, with prefixes
 * and across a page that is absent; strings of ports; the local APIC. None loads SS,
 * which could be null: by that TCG is at ring 0 (spec/security.md).
 */
#include "attack64.h"

#define BUFFER		(PLAY + 20 * PAGE)
#define CODE_AT		(PLAY + 34 * PAGE)	/* and the page behind it */
#define APIC		(PLAY + 30 * PAGE)

static void map(uint64_t va, uint64_t entry)
{
	play_set((uint32_t)((va - PLAY) / PAGE), entry);
	vmi1(InvalPage, va);
}

/* RAX, RBX, RDI = BUFFER, RCX and RDX of each. */
struct insn {
	const char	*name, *bytes;
	uint32_t	length;
	uint64_t	rcx, rdx;
};
#define INSNS(I)							\
	I("mov_cr0", "\x0f\x20\xc0", 0, 0)				\
	I("mov_cr2", "\x0f\x20\xd0", 0, 0)				\
	I("mov_cr3", "\x0f\x20\xd8", 0, 0)				\
	I("mov_cr4", "\x0f\x20\xe0", 0, 0)				\
	I("mov_cr8", "\x44\x0f\x20\xc0", 0, 0)				\
	I("mov_cr1", "\x0f\x20\xc8", 0, 0)				\
	I("to_cr2", "\x0f\x22\xd0", 0, 0)				\
	I("to_cr8", "\x44\x0f\x22\xc1", 0, 0)				\
	I("to_cr15", "\x44\x0f\x22\xf9", 0, 0)				\
	I("mov_dr7", "\x0f\x21\xf8", 0, 0)				\
	I("mov_dr8", "\x44\x0f\x21\xc0", 0, 0)				\
	I("to_dr0", "\x0f\x23\xc1", 0, 0)				\
	I("clts", "\x0f\x06", 0, 0)					\
	I("invlpg", "\x0f\x01\x3b", 0, 0)				\
	I("invlpg_gs", "\x65\x0f\x01\x3b", 0, 0)			\
	I("sgdt", "\x0f\x01\x03", 0, 0)					\
	I("sidt", "\x0f\x01\x0b", 0, 0)					\
	I("sldt", "\x48\x0f\x00\xc0", 0, 0)				\
	I("str", "\x48\x0f\x00\xc8", 0, 0)				\
	I("smsw", "\x48\x0f\x01\xe0", 0, 0)				\
	I("lldt_null", "\x0f\x00\xd1", 0, 0)				\
	I("swapgs_twice", "\x0f\x01\xf8\x0f\x01\xf8", 0, 0)		\
	I("rdtscp", "\x0f\x01\xf9", 0, 0)				\
	I("monitor", "\x0f\x01\xc8", 0, 0)				\
	I("mwait", "\x0f\x01\xc9", 0, 0)				\
	I("clac", "\x0f\x01\xca", 0, 0)					\
	I("stac", "\x0f\x01\xcb", 0, 0)					\
	I("xsetbv", "\x0f\x01\xd1", 0, 0)				\
	I("vmcall", "\x0f\x01\xc1", 0, 0)				\
	I("vmmcall", "\x0f\x01\xd9", 0, 0)				\
	I("vmrun", "\x0f\x01\xd8", 0, 0)				\
	I("clgi", "\x0f\x01\xdd", 0, 0)					\
	I("rdmsr_lstar", "\x0f\x32", MSR_LSTAR, 0)			\
	I("rdmsr_none", "\x0f\x32", 0xdeadbeef, 0)			\
	I("wrmsr_none", "\x0f\x30", 0xdeadbeef, 0)			\
	I("wrmsr_apic", "\x0f\x30", 0x1b, 0)				\
	I("wrmsr_pat", "\x0f\x30", 0x277, 0)				\
	I("wrmsr_hsave", "\x0f\x30", 0xc0010117, 0)			\
	I("rdpmc", "\x0f\x33", 0, 0)					\
	I("wbinvd", "\x0f\x09", 0, 0)					\
	I("sysenter", "\x0f\x34", 0, 0)					\
	I("sysexit", "\x48\x0f\x35", 0, 0)				\
	I("in", "\xed", 0, 0xcfc)					\
	I("out", "\xef", 0, 0xcf8)					\
	I("out_exit", "\xe6\xf4", 0, 0)					\
	I("outsb", "\x6e", 1, 0x80)					\
	I("insb", "\x6c", 1, 0x80)					\
	I("rep_outsd", "\xf3\x6f", 60, 0x80)				\
	I("rep_insd", "\xf3\x6d", 60, 0x80)				\
	I("rep_insb_long", "\xf3\x6c", 0x100000000, 0x80)		\
	I("icebp", "\xf1", 0, 0)					\
	I("invpcid", "\x66\x0f\x38\x82\x0b", 9, 0)			\
	I("rsm", "\x0f\xaa", 0, 0)					\
	I("getsec", "\x0f\x37", 0, 0)

#define INSN(name, bytes, rcx, rdx)	{ name, bytes, sizeof(bytes) - 1, rcx, rdx },
static const struct insn insns[] = { INSNS(INSN) };

static const char *const prefixes[] = {
	"", "\x48", "\x41", "\x66", "\x67", "\xf2", "\xf3", "\xf0", "\x64",
	"\x66\x48", "\x67\xf3\x4c",
};

/* So that so many bytes are on the first page; where it is. */
static uint64_t place(const char *prefix, const struct insn *in,
		      uint32_t first)
{
	uint32_t at = PAGE - first;
	uint8_t *to = direct(frame_pa(40));	/* 40 and 41 follow each other */
	const uint64_t start = CODE_AT + at;

	for (; *prefix; prefix++)
		to[at++] = (uint8_t)*prefix;
	for (uint32_t i = 0; i < in->length; i++)
		to[at++] = (uint8_t)in->bytes[i];
	to[at++] = 0xcd;
	to[at++] = VEC_SYSCALL;
	to[at] = 0xf4;
	return start;
}

static bool allowed(int64_t vector)
{
	switch (vector) {
	case -1: case VEC_DB: case VEC_UD: case VEC_NP: case VEC_SS: case VEC_GP:
	case VEC_PF: case VEC_SYSCALL:
		return true;
	}
	return false;
}

static uint64_t in_kernel(uint64_t start, const struct insn *in)
{
	int64_t vector;

	vmi1(SetGSBase, 0);
	vector = attempt((void *)start, &(struct registers){
		.rax = BUFFER, .rbx = BUFFER, .rdi = BUFFER, .rsi = BUFFER,
		.rcx = in->rcx, .rdx = in->rdx });
	vmi0(DisableInterrupts);
	return !allowed(vector) || (vector != -1 && (last.cs & 3) != 1);
}

static uint64_t in_user(uint64_t start, const struct insn *in)
{
	struct user u = user_start;
	int64_t vector;

	u.rip = start;
	u.r.rax = u.r.rbx = u.r.rdi = u.r.rsi = BUFFER;
	u.r.rcx = in->rcx;
	u.r.rdx = in->rdx;
	vector = user_try(&u);
	return !allowed(vector) || (last.cs & 3) != 3;
}

static void insn(uint32_t n)
{
	const struct insn *in = &insns[n];
	uint64_t user = 0, kernel = 0, absent = 0;
	const uint64_t all = PTE_P | PTE_W | PTE_U;

	own_stack(VEC_DB);
	map(BUFFER, frame_pa(44) | all);
	for (uint32_t p = 0; p < sizeof(prefixes) / sizeof(*prefixes); p++) {
		map(CODE_AT, frame_pa(40) | all);
		map(CODE_AT + PAGE, frame_pa(41) | all);
		for (uint32_t first = 1; first < 12; first += 5) {
			const uint64_t at = place(prefixes[p], in, first);

			user += in_user(at, in);
			kernel += in_kernel(at, in);
		}
		map(CODE_AT + PAGE, 0);
		for (uint32_t first = 1; first < in->length; first++) {
			const uint64_t at = place(prefixes[p], in, first);

			absent += in_user(at, in);
			absent += in_kernel(at, in);
		}
	}
	vmi2(SetDR, 7, 0x400);
	vmi2(SetDR, 6, 0);
	vmi1(SetGSBase, 0);
	same64(user, 0, "in user mode it is a fault, or nothing");
	same64(kernel, 0, "in the kernel, too");
	same64(absent, 0, "half on a page that is absent, too");
	same64(vmi0(GetCR3), pa(boot_pml4), "CR3 as it was");
	same64(rdmsr64(MSR_EFER) & 0x500, 0x500, "and EFER");
	is_well();
}

/* Strings to and from what is not mapped, is read-only, wraps, is the
 * hypervisor's. */
static void string(uint32_t op)
{
	static const uint64_t at[] = {
		UNMAPPED, EDGE - 2, EDGE, ODD, -2ull, TOP - 2, TOP, AREA, TRAMP,
		TRAMP_PAGE(TRAMP_ENTRY), BUFFER + 4 * PAGE - 2, OUTSIDE, DIRECT,
	};
	uint8_t insn_bytes[4] = { 0xf3, (uint8_t)op, 0xc3, 0xf4 };
	uint64_t wrong = 0;
	int64_t vector;

	for (uint32_t i = 0; i < 4; i++)
		map(BUFFER + i * PAGE, frame_pa(44 + i) | PTE_P | PTE_W);
	for (uint32_t i = 0; i < sizeof(at) / sizeof(*at); i++)
		for (uint64_t count = 0; count < 9; count += 4) {
			vector = attempt(insn_bytes, &(struct registers){
				.rdi = at[i], .rsi = at[i], .rdx = 0x80,
				.rcx = count });
			wrong += !allowed(vector) ||
				 (vector != -1 && (last.cs & 3) != 1);
		}
	same64(wrong, 0, "strings end at what is not the guest's");
	is_well();
}

/* The registers of the local APIC in memory, by moves of all sizes. */
#define MOVES(M)							\
	M("read32", "\x8b\x07\xc3", NULL)				\
	M("write32", "\x89\x07\xc3", NULL)				\
	M("read_r15d", "\x44\x8b\x3f\xc3", NULL)			\
	M("write_r15d", "\x44\x89\x3f\xc3", NULL)			\
	M("write_imm32", "\xc7\x07\x00\x00\x00\x00\xc3", NULL)		\
	M("read64", "\x48\x8b\x07\xc3", NOT_A_MOV)			\
	M("write64", "\x48\x89\x07\xc3", NOT_A_MOV)			\
	M("write_imm64", "\x48\xc7\x07\x00\x00\x00\x00\xc3", NOT_A_MOV)	\
	M("read16", "\x66\x8b\x07\xc3", NOT_A_MOV)			\
	M("write16", "\x66\x89\x07\xc3", NOT_A_MOV)			\
	M("read8", "\x8a\x07\xc3", NOT_A_MOV)				\
	M("write8", "\x88\x07\xc3", NOT_A_MOV)				\
	M("movsq", "\x48\xa5\xc3", NOT_A_MOV)				\
	M("inc", "\xff\x07\xc3", NOT_A_MOV)				\
	M("xchg", "\x87\x07\xc3", NOT_A_MOV)				\
	M("locked", "\xf0\xff\x07\xc3", NOT_A_MOV)			\
	M("movups", "\x0f\x10\x07\xc3", ANY_END)
#define NOT_A_MOV	"access to the local APIC by another instruction than .*"
#define MOVE(name, bytes, end)	bytes,
static const char *const moves[] = { MOVES(MOVE) };

static void apic(uint32_t n)
{
	uint64_t wrong = 0;

	map(APIC, 0xfee00000 | PTE_P | PTE_W);
	for (uint32_t at = 0; at < PAGE; at += 0x10)
		wrong += attempt(moves[n], &(struct registers){
			.rdi = APIC + at, .rsi = APIC, .rax = 0xff,
			.r15 = 0x100ff }) != -1;
	vmi0(DisableInterrupts);
	same64(wrong, 0, "each is done");
	map(APIC, 0);
	is_well();
}

#define INSN_CASE(name, bytes, rcx, rdx) \
	CASE_ARG("insn_" name, insn, __COUNTER__ - FIRST_COUNT),

enum {
	FIRST_COUNT = __COUNTER__ + 1,
	FIRST_MOVE = FIRST_COUNT + sizeof(insns) / sizeof(*insns)
};
#define MOVE_CASE(name, bytes, end_) \
	CASE_ARG("apic_" name, apic, __COUNTER__ - FIRST_MOVE, .end = end_),

const struct attack insn_cases[] = {
	INSNS(INSN_CASE)
	CASE_ARG("string_insb", string, 0x6c), CASE_ARG("string_insd", string, 0x6d),
	CASE_ARG("string_outsb", string, 0x6e), CASE_ARG("string_outsd", string, 0x6f),
	MOVES(MOVE_CASE)
	CASES_END
};

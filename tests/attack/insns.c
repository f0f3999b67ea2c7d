// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every privileged and sensitive instruction, in user mode and in the kernel,
 * with prefixes, and across the boundary of two pages of which the second is
 * there or not. VMI-1.3: user mode changes nothing of the kernel's.
 * VMI-1.4: the kernel gets what the instruction does, at ring 1.
 */
#include "attack.h"

enum { GOES_ON = 0xff, VEC_DB = 1, VEC_UD = 6 };
/* Another processor may not know it, or check its privilege first. */
#define UNKNOWN		0xfe

/* What EAX must hold, to keep the kernel alive. */
enum { NOTHING, IS_CR0, IS_CR3, IS_CR4, IS_DR7, IS_TSS, IS_SS };

struct insn {
	const char	*name;
	const char	*bytes;
	uint32_t	length;
	uint8_t		user, kernel;
	uint8_t		eax;
	uint32_t	ecx, edx;
};
/* Operands in memory are at [EBX] and [EDI], which hold the kernel's GDT; with
 * 16-bit addresses at the same place. */
#define BUFFER		0x500u

#define INSNS(I)								\
	I("cli", "\xfa", VEC_GP, GOES_ON, 0, 0, 0)			\
	I("sti", "\xfb", VEC_GP, GOES_ON, 0, 0, 0)			\
	I("clts", "\x0f\x06", VEC_GP, GOES_ON, 0, 0, 0)			\
	I("invd", "\x0f\x08", VEC_GP, GOES_ON, 0, 0, 0)			\
	I("wbinvd", "\x0f\x09", VEC_GP, GOES_ON, 0, 0, 0)		\
	I("invlpg", "\x0f\x01\x3b", VEC_GP, GOES_ON, 0, 0, 0)		\
	I("lgdt", "\x0f\x01\x13", VEC_GP, GOES_ON, 0, 0, 0)		\
	I("sgdt", "\x0f\x01\x03", VEC_GP, GOES_ON, 0, 0, 0)		\
	I("sidt", "\x0f\x01\x0b", VEC_GP, GOES_ON, 0, 0, 0)		\
	I("sldt", "\x0f\x00\xc1", VEC_GP, GOES_ON, 0, 0, 0)		\
	I("str", "\x0f\x00\xc9", VEC_GP, GOES_ON, 0, 0, 0)		\
	I("smsw", "\x0f\x01\xe1", VEC_GP, GOES_ON, 0, 0, 0)		\
	I("smsw_mem", "\x0f\x01\x23", VEC_GP, GOES_ON, 0, 0, 0)		\
	I("lmsw", "\x0f\x01\xf0", VEC_GP, GOES_ON, IS_CR0, 0, 0)	\
	I("lldt", "\x0f\x00\xd1", VEC_GP, GOES_ON, 0, 0, 0)		\
	I("ltr", "\x0f\x00\xd8", VEC_GP, GOES_ON, IS_TSS, 0, 0)		\
	I("read_cr0", "\x0f\x20\xc1", VEC_GP, GOES_ON, 0, 0, 0)		\
	I("read_cr2", "\x0f\x20\xd1", VEC_GP, GOES_ON, 0, 0, 0)		\
	I("read_cr3", "\x0f\x20\xd9", VEC_GP, GOES_ON, 0, 0, 0)		\
	I("read_cr4", "\x0f\x20\xe1", VEC_GP, GOES_ON, 0, 0, 0)		\
	I("write_cr0", "\x0f\x22\xc0", VEC_GP, GOES_ON, IS_CR0, 0, 0)	\
	I("write_cr2", "\x0f\x22\xd0", VEC_GP, GOES_ON, 0, 0, 0)	\
	I("write_cr3", "\x0f\x22\xd8", VEC_GP, GOES_ON, IS_CR3, 0, 0)	\
	I("write_cr4", "\x0f\x22\xe0", VEC_GP, GOES_ON, IS_CR4, 0, 0)	\
	I("read_cr1", "\x0f\x20\xc9", UNKNOWN, UNKNOWN, 0, 0, 0)	\
	I("write_cr8", "\xf0\x0f\x22\xc0", UNKNOWN, UNKNOWN, IS_CR0, 0, 0)\
	I("read_dr0", "\x0f\x21\xc1", VEC_GP, GOES_ON, 0, 0, 0)		\
	I("read_dr7", "\x0f\x21\xf9", VEC_GP, GOES_ON, 0, 0, 0)		\
	I("write_dr0", "\x0f\x23\xc0", VEC_GP, GOES_ON, 0, 0, 0)	\
	I("write_dr7", "\x0f\x23\xf8", VEC_GP, GOES_ON, IS_DR7, 0, 0)	\
	I("rdmsr_tsc", "\x0f\x32", VEC_GP, GOES_ON, 0, 0x10, 0)		\
	I("rdmsr_none", "\x0f\x32", VEC_GP, VEC_GP, 0, 0xdeadbeef, 0)	\
	I("wrmsr_none", "\x0f\x30", VEC_GP, VEC_GP, 0, 0xdeadbeef, 0)	\
	I("wrmsr_lstar", "\x0f\x30", VEC_GP, UNKNOWN, 0, 0xc0000082, 0)	\
	I("wrmsr_vm_hsave", "\x0f\x30", VEC_GP, UNKNOWN, 0, 0xc0010117, 0)\
	I("rdpmc", "\x0f\x33", VEC_GP, GOES_ON, 0, 0, 0)		\
	I("sysenter", "\x0f\x34", VEC_GP, VEC_GP, 0, 0, 0)		\
	I("sysexit", "\x0f\x35", VEC_GP, VEC_GP, 0, 0, 0)		\
	I("syscall", "\x0f\x05", VEC_UD, VEC_UD, 0, 0, 0)		\
	I("sysret", "\x0f\x07", UNKNOWN, UNKNOWN, 0, 0, 0)		\
	I("in_imm", "\xe4\x80", VEC_GP, GOES_ON, 0, 0, 0)		\
	I("in_imm32", "\xe5\x80", VEC_GP, GOES_ON, 0, 0, 0)		\
	I("in_dx", "\xec", VEC_GP, GOES_ON, 0, 0, 0x80)			\
	I("in_pci", "\xed", VEC_GP, GOES_ON, 0, 0, 0xcfc)		\
	I("out_imm", "\xe6\x80", VEC_GP, GOES_ON, 0, 0, 0)		\
	I("out_exit", "\xe6\xf4", VEC_GP, GOES_ON, 0, 0, 0)		\
	I("out_dx", "\xee", VEC_GP, GOES_ON, 0, 0, 0x80)		\
	I("out_reset", "\xee", VEC_GP, GOES_ON, 0, 0, 0x92)		\
	I("out_pci", "\xef", VEC_GP, GOES_ON, 0, 0, 0xcf8)		\
	I("insb", "\x6c", VEC_GP, GOES_ON, 0, 1, 0x80)			\
	I("insd", "\x6d", VEC_GP, GOES_ON, 0, 1, 0x80)			\
	I("outsb", "\x6e", VEC_GP, GOES_ON, 0, 1, 0x80)			\
	I("outsd", "\x6f", VEC_GP, GOES_ON, 0, 1, 0x80)			\
	I("icebp", "\xf1", UNKNOWN, UNKNOWN, 0, 0, 0)		\
	I("ud2", "\x0f\x0b", VEC_UD, VEC_UD, 0, 0, 0)			\
	I("mov_cs", "\x8e\xc9", VEC_UD, VEC_UD, 0, 0, 0)		\
	I("mov_ss_null", "\x8e\xd1", VEC_GP, VEC_GP, 0, 0, 0)		\
	I("mov_ss", "\x8e\xd0", VEC_GP, GOES_ON, IS_SS, 0, 0)		\
	I("vmcall", "\x0f\x01\xc1", UNKNOWN, UNKNOWN, 0, 0, 0)		\
	I("vmlaunch", "\x0f\x01\xc2", UNKNOWN, UNKNOWN, 0, 0, 0)	\
	I("vmxon", "\xf3\x0f\xc7\x33", UNKNOWN, UNKNOWN, 0, 0, 0)	\
	I("vmread", "\x0f\x78\xc1", UNKNOWN, UNKNOWN, 0, 0, 0)		\
	I("vmrun", "\x0f\x01\xd8", UNKNOWN, UNKNOWN, 0, 0, 0)		\
	I("vmmcall", "\x0f\x01\xd9", UNKNOWN, UNKNOWN, 0, 0, 0)		\
	I("vmload", "\x0f\x01\xda", UNKNOWN, UNKNOWN, 0, 0, 0)		\
	I("vmsave", "\x0f\x01\xdb", UNKNOWN, UNKNOWN, 0, 0, 0)		\
	I("stgi", "\x0f\x01\xdc", UNKNOWN, UNKNOWN, 0, 0, 0)		\
	I("clgi", "\x0f\x01\xdd", UNKNOWN, UNKNOWN, 0, 0, 0)		\
	I("skinit", "\x0f\x01\xde", UNKNOWN, UNKNOWN, 0, 0, 0)		\
	I("invlpga", "\x0f\x01\xdf", UNKNOWN, UNKNOWN, 0, 0, 0)		\
	I("monitor", "\x0f\x01\xc8", UNKNOWN, UNKNOWN, 0, 0, 0)		\
	I("mwait", "\x0f\x01\xc9", UNKNOWN, UNKNOWN, 0, 0, 0)		\
	I("clac", "\x0f\x01\xca", UNKNOWN, UNKNOWN, 0, 0, 0)		\
	I("stac", "\x0f\x01\xcb", UNKNOWN, UNKNOWN, 0, 0, 0)		\
	I("encls", "\x0f\x01\xcf", UNKNOWN, UNKNOWN, 0, 0, 0)		\
	I("xgetbv", "\x0f\x01\xd0", UNKNOWN, UNKNOWN, 0, 0, 0)		\
	I("xsetbv", "\x0f\x01\xd1", UNKNOWN, UNKNOWN, 0, 0, 0)		\
	I("rdpkru", "\x0f\x01\xee", UNKNOWN, UNKNOWN, 0, 0, 0)		\
	I("wrpkru", "\x0f\x01\xef", UNKNOWN, UNKNOWN, 0, 0, 0)		\
	I("swapgs", "\x0f\x01\xf8", UNKNOWN, UNKNOWN, 0, 0, 0)		\
	I("getsec", "\x0f\x37", UNKNOWN, UNKNOWN, 0, 0, 0)		\
	I("rsm", "\x0f\xaa", UNKNOWN, UNKNOWN, 0, 0, 0)			\
	I("invept", "\x66\x0f\x38\x80\x0b", UNKNOWN, UNKNOWN, 0, 0, 0)	\
	I("invpcid", "\x66\x0f\x38\x82\x0b", UNKNOWN, UNKNOWN, 0, 0, 0)	\
	I("rdfsbase", "\xf3\x0f\xae\xc1", UNKNOWN, UNKNOWN, 0, 0, 0)	\
	I("wrgsbase", "\xf3\x0f\xae\xd9", UNKNOWN, UNKNOWN, 0, 0, 0)

#define INSN(name, bytes, user, kernel, eax, ecx, edx)			\
	{ name, bytes, sizeof(bytes) - 1, user, kernel, eax, ecx, edx },
static const struct insn insns[] = { INSNS(INSN) };

static const char *const prefixes[] = {
	"", "\x2e", "\x36", "\x66", "\x67", "\xf2", "\xf3", "\x66\x67\xf3", "\xf0",
};

static volatile uint8_t code[2 * PAGE] __attribute__((aligned(PAGE)));
#define FIRST	U_FREE			/* where they are mapped */

static void map_second(bool there)
{
	map(FIRST, MAPS(code, PTE_U | PTE_W));
	map(FIRST + 1, there ? MAPS(code + PAGE, PTE_U | PTE_W) : 0);
	flush();
}

/* So that this many bytes are on the first page; where it is. */
static uint32_t place(const char *prefix, const struct insn *in,
		      uint32_t first, bool user)
{
	uint32_t at = PAGE - first, start = at;

	for (; *prefix; prefix++)
		code[at++] = (uint8_t)*prefix;
	for (uint32_t i = 0; i < in->length; i++)
		code[at++] = (uint8_t)in->bytes[i];
	if (user) {
		code[at++] = 0xcd;
		code[at++] = VEC_SYSCALL;
	} else {
		code[at++] = 0xc3;
	}
	code[at] = 0xf4;
	return play(FIRST) + start;
}

static uint32_t eax_for(const struct insn *in)
{
	switch (in->eax) {
	case IS_CR0:
		return vmi0(GetCR0);
	case IS_CR3:
		return vmi0(GetCR3);
	case IS_CR4:
		return vmi0(GetCR4);
	case IS_DR7:
		return 0x400;
	case IS_TSS:
		return TSS_SELECTOR;
	case IS_SS:
		return KERNEL_DS;
	}
	return 0;
}

static bool as_expected(uint8_t expected, bool plain, int vector)
{
	if (expected == UNKNOWN || !plain)
		return vector == -1 || vector == VEC_SYSCALL ||
		       vector == VEC_GP || vector == VEC_UD ||
		       vector == VEC_DB;
	if (expected == GOES_ON)
		return vector == -1;
	return vector == expected;
}

/* A fetch from the page that is absent, at that place. TCG refuses some by
 * their first bytes, before it fetches the rest. */
static bool as_absent(int vector, uint32_t start)
{
	if (last_trap.eip != start)
		return false;
	return vector == VEC_GP || vector == VEC_UD ||
	       (vector == VEC_PF && last_cr2 == play(FIRST + 1));
}

static uint32_t in_user_mode(const char *prefix, const struct insn *in,
			     uint32_t first, bool there)
{
	uint32_t start = place(prefix, in, first, true);

	run_user_with(start, play(U_STACK), in->ecx, in->edx);
	if (!there)
		return !as_absent((int)last_trap.vector, start);
	return !as_expected(in->user, !*prefix, (int)last_trap.vector) ||
	       (last_trap.cs & 3) != 3 ||
	       (last_trap.vector != VEC_DB && last_trap.vector != VEC_SYSCALL &&
		last_trap.eip != start);
}

static uint32_t in_kernel(const char *prefix, const struct insn *in,
			  uint32_t first, bool there)
{
	struct { uint16_t limit; uint32_t base; } __attribute__((packed))
		pointer = { sizeof(gdt) - 1, (uintptr_t)gdt };
	uint32_t start = place(prefix, in, first, false);
	volatile uint8_t *buffer = (uint8_t *)linear((void *)BUFFER);
	int vector;

	for (uint32_t i = 0; i < sizeof(pointer); i++)
		buffer[i] = ((uint8_t *)&pointer)[i];
	vector = run_kernel(start, eax_for(in), BUFFER, in->ecx, in->edx);
	if (!there)
		return !as_absent(vector, start);
	return !as_expected(in->kernel, !*prefix, vector) ||
	       (vector != -1 && (last_trap.cs & 3) != 1);
}

static void insn(uint32_t n)
{
	const struct insn *in = &insns[n];
	uint32_t wrong_user = 0, wrong_kernel = 0, wrong_absent = 0;

	for (uint32_t p = 0; p < sizeof(prefixes) / sizeof(*prefixes); p++) {
		const char *prefix = prefixes[p];
		uint32_t length = in->length;

		for (const char *c = prefix; *c; c++)
			length++;
		map_second(true);
		for (uint32_t first = 0; first <= length + 2; first++) {
			wrong_user += in_user_mode(prefix, in, first, true);
			wrong_kernel += in_kernel(prefix, in, first, true);
		}
		map_second(false);
		for (uint32_t first = 1; first < length; first++) {
			wrong_absent += in_user_mode(prefix, in, first, false);
			wrong_absent += in_kernel(prefix, in, first, false);
		}
	}
	same(wrong_user, 0, "in user mode");
	same(wrong_kernel, 0, "in the kernel");
	same(wrong_absent, 0, "half on a page that is absent");
	same(vmi0(GetCR3), (uintptr_t)page_directory, "CR3 as it was");
	same(vmi0(GetCR0) & 0x80000001, 0x80000001, "CR0 too");
}

enum { FIRST_COUNT = __COUNTER__ + 1 };
#define INSN_CASE(name, bytes, user, kernel, eax, ecx, edx)		\
	CASE_ARG("insn_" name, insn, __COUNTER__ - FIRST_COUNT),

const struct attack insn_cases[] = {
	INSNS(INSN_CASE)
	CASES_END
};

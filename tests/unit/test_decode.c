// SPDX-License-Identifier: GPL-2.0-only
/*
 * The instruction decoder, hypervisor-stub/x86/decode.c: a table of encodings
 * whose meaning is spelled out here, and millions of random ones for which
 * Zydis is the oracle.
 */
#include "unit.h"
#include "zydis.h"

#define RANDOM_INSNS	2000000

static struct insn must(const char *bytes, size_t len, enum code_bits bits)
{
	struct insn insn;

	assert_int_equal(decode((const uint8_t *)bytes, len, bits, &insn),
			 DECODE_OK);
	assert_int_equal(insn.length, len);
	return insn;
}

#define I64(bytes)	must(bytes, sizeof(bytes) - 1, CODE_64)
#define I32(bytes)	must(bytes, sizeof(bytes) - 1, CODE_32)
#define I16(bytes)	must(bytes, sizeof(bytes) - 1, CODE_16)
#define FAILS(bytes)	fails(bytes, sizeof(bytes) - 1, CODE_32)
#define FAILS64(bytes)	fails(bytes, sizeof(bytes) - 1, CODE_64)

static enum decode_result fails(const char *bytes, size_t len,
				enum code_bits bits)
{
	struct insn insn;

	return decode((const uint8_t *)bytes, len, bits, &insn);
}

/* ---- by hand ---------------------------------------------------------------- */

static void test_every_operation(void **state)
{
	static const struct {
		uint8_t op;
		uint8_t len;
		uint8_t bytes[8];
	} all[] = {
		{ INSN_CLI, 1, { 0xfa } }, { INSN_STI, 1, { 0xfb } },
		{ INSN_HLT, 1, { 0xf4 } }, { INSN_IN, 2, { 0xe4, 0x60 } },
		{ INSN_OUT, 1, { 0xee } }, { INSN_INS, 1, { 0x6c } },
		{ INSN_OUTS, 1, { 0x6f } },
		{ INSN_MOV_FROM_CR, 3, { 0x0f, 0x20, 0xc0 } },
		{ INSN_MOV_TO_CR, 3, { 0x0f, 0x22, 0xd8 } },
		{ INSN_MOV_FROM_DR, 3, { 0x0f, 0x21, 0xf8 } },
		{ INSN_MOV_TO_DR, 3, { 0x0f, 0x23, 0xf8 } },
		{ INSN_CLTS, 2, { 0x0f, 0x06 } },
		{ INSN_INVD, 2, { 0x0f, 0x08 } },
		{ INSN_WBINVD, 2, { 0x0f, 0x09 } },
		{ INSN_RDMSR, 2, { 0x0f, 0x32 } },
		{ INSN_WRMSR, 2, { 0x0f, 0x30 } },
		{ INSN_RDPMC, 2, { 0x0f, 0x33 } },
		{ INSN_RDTSC, 2, { 0x0f, 0x31 } },
		{ INSN_LGDT, 3, { 0x0f, 0x01, 0x10 } },
		{ INSN_LIDT, 3, { 0x0f, 0x01, 0x18 } },
		{ INSN_SGDT, 3, { 0x0f, 0x01, 0x00 } },
		{ INSN_SIDT, 3, { 0x0f, 0x01, 0x08 } },
		{ INSN_SMSW, 3, { 0x0f, 0x01, 0xe0 } },
		{ INSN_LMSW, 3, { 0x0f, 0x01, 0xf0 } },
		{ INSN_INVLPG, 3, { 0x0f, 0x01, 0x38 } },
		{ INSN_LLDT, 3, { 0x0f, 0x00, 0xd0 } },
		{ INSN_LTR, 3, { 0x0f, 0x00, 0xd8 } },
		{ INSN_SLDT, 3, { 0x0f, 0x00, 0xc0 } },
		{ INSN_STR, 3, { 0x0f, 0x00, 0xc8 } },
		{ INSN_MOV_TO_SREG, 2, { 0x8e, 0xd8 } },
		{ INSN_POP_SREG, 1, { 0x1f } },
		{ INSN_LOAD_FAR, 3, { 0x0f, 0xb2, 0x20 } },
		{ INSN_RET_FAR, 1, { 0xcb } }, { INSN_IRET, 1, { 0xcf } },
		{ INSN_INT, 2, { 0xcd, 0x80 } },
		{ INSN_SYSENTER, 2, { 0x0f, 0x34 } },
		{ INSN_SYSEXIT, 2, { 0x0f, 0x35 } },
		{ INSN_MOV_LOAD, 2, { 0x8b, 0x00 } },
		{ INSN_MOV_STORE, 2, { 0x88, 0x00 } },
		{ INSN_MOV_IMM, 3, { 0xc6, 0x00, 0x01 } },
		{ INSN_MOVZX, 3, { 0x0f, 0xb6, 0x00 } },
		{ INSN_MOVSX, 3, { 0x0f, 0xbf, 0x00 } },
		{ INSN_MOVS, 1, { 0xa5 } }, { INSN_STOS, 1, { 0xaa } },
		{ INSN_LODS, 1, { 0xad } },
		{ INSN_CPUID, 2, { 0x0f, 0xa2 } },
		{ INSN_VMCALL, 3, { 0x0f, 0x01, 0xc1 } },
		{ INSN_VMMCALL, 3, { 0x0f, 0x01, 0xd9 } },
		{ INSN_SYSCALL, 2, { 0x0f, 0x05 } },
		{ INSN_SWAPGS, 3, { 0x0f, 0x01, 0xf8 } },
		{ INSN_SYSRET, 2, { 0x0f, 0x07 } },
		{ INSN_XSETBV, 3, { 0x0f, 0x01, 0xd1 } },
		{ INSN_STAC, 3, { 0x0f, 0x01, 0xcb } },
		{ INSN_CLAC, 3, { 0x0f, 0x01, 0xca } },
		{ INSN_INVPCID, 5, { 0x66, 0x0f, 0x38, 0x82, 0x00 } },
		{ INSN_MONITOR, 3, { 0x0f, 0x01, 0xc8 } },
		{ INSN_MWAIT, 3, { 0x0f, 0x01, 0xc9 } },
	};
	unsigned int i, n;

	(void)state;
	assert_int_equal(sizeof(all) / sizeof(all[0]), INSN_OPS - 1);
	for (i = 0; i < INSN_OPS - 1u; i++) {
		enum code_bits bits = all[i].op < INSN_SWAPGS ? CODE_32 : CODE_64;
		struct insn insn;

		assert_int_equal(all[i].op, i + 1);
		for (n = 0; n < all[i].len; n++)
			assert_int_equal(decode(all[i].bytes, n, bits, &insn),
					 DECODE_MORE);
		assert_int_equal(decode(all[i].bytes, 8, bits, &insn),
				 DECODE_OK);
		assert_int_equal(insn.op, all[i].op);
		assert_int_equal(insn.length, all[i].len);
	}
}

static void test_operands(void **state)
{
	struct insn insn;

	(void)state;
	insn = I32("\xe5\x71");			/* in eax, 71h */
	assert_true(insn.size == 4 && insn.imm == 0x71 && !insn.port_dx);
	insn = I32("\x66\xef");			/* out dx, ax */
	assert_true(insn.size == 2 && insn.port_dx);
	insn = I32("\xf3\x64\x6e");		/* rep outsb, fs */
	assert_true(insn.size == 1 && insn.rep == 0xf3 &&
		    insn.seg == SREG_FS && insn.base == ESI);
	insn = I32("\xf2\x64\x67\x6d");		/* repne insd, di */
	assert_true(insn.size == 4 && insn.rep == 0xf2 && insn.addr_size == 2 &&
		    insn.seg == SREG_ES && insn.base == EDI);
	insn = I32("\x0f\x22\xdf");		/* mov cr3, edi */
	assert_true(insn.reg == 3 && insn.rm == EDI && !insn.mem);
	insn = I32("\x0f\x20\x05");		/* mod 0 is a register too */
	assert_true(insn.reg == 0 && insn.rm == EBP && !insn.mem);
	insn = I32("\x2e\x0f\x01\x15\x78\x56\x34\x12");	/* lgdt cs:[..] */
	assert_true(insn.seg == SREG_CS && insn.seg_prefix && insn.size == 4 &&
		    insn.base == REG_NONE && insn.disp == 0x12345678);
	insn = I16("\x0f\x01\x16\x34\x12");	/* lgdt [1234h] */
	assert_true(insn.size == 2 && insn.disp == 0x1234 &&
		    insn.seg == SREG_DS && insn.addr_size == 2);
	insn = I32("\x0f\x01\xe3");		/* smsw ebx */
	assert_true(insn.size == 4 && insn.rm == EBX && !insn.mem);
	insn = I32("\x0f\x01\x24\x24");		/* smsw [esp] */
	assert_true(insn.size == 2 && insn.base == ESP &&
		    insn.seg == SREG_SS);
	insn = I32("\x8e\xe0");			/* mov fs, ax */
	assert_true(insn.sreg == SREG_FS && insn.rm == EAX);
	insn = I32("\x0f\xa9");			/* pop gs */
	assert_true(insn.sreg == SREG_GS && insn.size == 4);
	insn = I32("\x0f\xb2\x65\xfc");		/* lss esp, [ebp-4] */
	assert_true(insn.sreg == SREG_SS && insn.reg == ESP &&
		    insn.base == EBP && insn.disp == (uint64_t)-4 &&
		    insn.seg == SREG_SS);
	insn = I32("\xca\x08\x01");
	assert_int_equal(insn.imm, 0x108);
	insn = I32("\xa3\x44\x33\x22\x11");	/* mov [..], eax */
	assert_true(insn.op == INSN_MOV_STORE && insn.reg == EAX &&
		    insn.disp == 0x11223344 && insn.mem);
	insn = I32("\x67\xa0\x44\xf3");		/* mov al, [..] */
	assert_true(insn.op == INSN_MOV_LOAD && insn.disp == 0xf344 &&
		    insn.size == 1);
	insn = I32("\x66\xc7\x04\x8d\x04\x03\x02\x01\xcd\xab");
	assert_true(insn.index == ECX && insn.scale == 4 &&
		    insn.base == REG_NONE && insn.disp == 0x01020304 &&
		    insn.imm == 0xabcd && insn.size == 2);
}

static void test_operands_64(void **state)
{
	struct insn insn;

	(void)state;
	insn = I64("\x0f\x22\xdf");		/* mov cr3, rdi */
	assert_true(insn.reg == 3 && insn.rm == EDI && insn.size == 8);
	insn = I64("\x45\x0f\x20\xc1");	/* mov r9, cr8 */
	assert_true(insn.reg == 8 && insn.rm == 9);
	insn = I64("\x0f\x01\x15\x78\x56\x34\x92");	/* lgdt [rip - ..] */
	assert_true(insn.base == REG_RIP && insn.size == 8 &&
		    insn.disp == 0xffffffff92345678);
	insn = I64("\x66\x0f\x01\x14\x25\x78\x56\x34\x12");	/* lgdt [..] */
	assert_true(insn.base == REG_NONE && insn.size == 8 &&
		    insn.disp == 0x12345678);
	insn = I64("\x43\x8b\x44\xf4\x08");	/* mov eax, [r12+r14*8+8] */
	assert_true(insn.base == 12 && insn.index == 14 && insn.scale == 8 &&
		    insn.size == 4 && insn.addr_size == 8 &&
		    insn.seg == SREG_DS);
	insn = I64("\x48\xa1\x88\x77\x66\x55\x44\x33\x22\x11");
	assert_true(insn.op == INSN_MOV_LOAD && insn.size == 8 &&
		    insn.disp == 0x1122334455667788);
	insn = I64("\x48\xc7\x00\xff\xff\xff\xff");
	assert_true(insn.size == 8 && insn.imm == UINT64_MAX);
	insn = I64("\xc7\x00\xff\xff\xff\xff");
	assert_true(insn.size == 4 && insn.imm == 0xffffffff);
	insn = I64("\x48\xef");			/* out dx, eax */
	assert_int_equal(insn.size, 4);
	insn = I64("\x0f\xa9");			/* pop gs */
	assert_true(insn.sreg == SREG_GS && insn.size == 8);
	insn = I64("\x48\xcf");
	assert_int_equal(insn.size, 8);
	insn = I64("\xcf");
	assert_int_equal(insn.size, 4);
	insn = I64("\x65\x2e\x8b\x00");	/* gs: counts, cs: does not */
	assert_true(insn.seg == SREG_GS && insn.seg_prefix);
	insn = I64("\x48\x66\xef");		/* nor does REX before 66 */
	assert_int_equal(insn.size, 2);
}

static void test_refused_64(void **state)
{
	(void)state;
	assert_int_equal(FAILS64("\x07"), DECODE_INVALID);	/* pop es */
	assert_int_equal(FAILS64("\xc5\x00"), DECODE_INVALID);	/* VEX */
	assert_int_equal(FAILS64("\x44\x0f\x22\xc8"), DECODE_INVALID); /* cr9 */
	assert_int_equal(FAILS64("\x44\x0f\x23\xc0"), DECODE_INVALID); /* dr8 */
	assert_int_equal(FAILS64("\xff\x28"), DECODE_INVALID);	/* jmp far */
	assert_int_equal(FAILS64("\xf0\x0f\x05"), DECODE_INVALID); /* lock syscall */
	assert_int_equal(FAILS64("\x0f\x01\xd0"), DECODE_INVALID);	/* xgetbv */
	assert_int_equal(FAILS64("\xf3\x0f\xae\xc0"), DECODE_INVALID); /* rdfsbase */
	assert_int_equal(FAILS64("\x0f\x38\x82\x00"), DECODE_INVALID); /* no 66 */
	assert_int_equal(FAILS64("\x66\x0f\x38\x82\xc0"), DECODE_INVALID);
	assert_int_equal(FAILS64("\x48"), DECODE_MORE);
	/* what a number or a prefix means there is an instruction elsewhere */
	assert_int_equal(FAILS("\x48\xfa"), DECODE_INVALID);	/* dec eax */
	assert_int_equal(FAILS("\x0f\x07"), DECODE_INVALID);
	assert_int_equal(FAILS("\x66\x0f\x38\x82\x00"), DECODE_INVALID);
}

static void test_refused(void **state)
{
	(void)state;
	assert_int_equal(FAILS("\xf0\xfa"), DECODE_INVALID);	/* lock cli */
	assert_int_equal(FAILS("\xf0"), DECODE_MORE);
	assert_int_equal(FAILS("\x0f\x22\xc8"), DECODE_INVALID);	/* cr1 */
	assert_int_equal(FAILS("\x0f\x22\xe8"), DECODE_INVALID);	/* cr5 */
	assert_int_equal(FAILS("\x8e\xc8"), DECODE_INVALID);	/* mov cs */
	assert_int_equal(FAILS("\x8e\xf0"), DECODE_INVALID);
	assert_int_equal(FAILS("\xff\x18"), DECODE_INVALID);	/* call far */
	assert_int_equal(FAILS("\xc4\xc0\x00"), DECODE_INVALID); /* VEX */
	assert_int_equal(FAILS("\x0f\x01\xf8"), DECODE_INVALID); /* swapgs */
	assert_int_equal(FAILS("\x0f\x01\xc2"), DECODE_INVALID); /* vmlaunch */
	assert_int_equal(FAILS("\xf3\x0f\x01\xc1"), DECODE_INVALID);
	assert_int_equal(FAILS("\x66\x0f\x01\xc1"), DECODE_INVALID);
	assert_int_equal(FAILS("\x0f\x01\xd1"), DECODE_INVALID); /* xsetbv */
	assert_int_equal(FAILS("\xc6\xf8\x00"), DECODE_INVALID); /* xabort */
	assert_int_equal(FAILS("\x90"), DECODE_INVALID);
	assert_int_equal(FAILS("\x0f\x0b"), DECODE_INVALID);
	/* 15 bytes and not one more */
	assert_int_equal(FAILS("\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66"
			       "\x66\x66\x66\xfa"), DECODE_OK);
	assert_int_equal(FAILS("\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66"
			       "\x66\x66\x66\x66\xfa"), DECODE_INVALID);
	assert_int_equal(FAILS("\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66"
			       "\x66\x66\x66\x66"), DECODE_INVALID);
	assert_int_equal(FAILS("\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66"
			       "\x66\x66\x66"), DECODE_MORE);
}

static void test_offset(void **state)
{
	static const uint64_t regs[8] = {
		0x10000, 0x20001, 0x30002, 0x40003,
		0x50004, 0x60005, 0x70006, 0xfffffff0
	};
	struct insn insn;

	(void)state;
	insn = I32("\x8b\x44\xcf\x10");		/* [edi+ecx*8+10h] wraps */
	assert_int_equal(insn_offset(&insn, regs), 0x100008);
	insn = I32("\x8b\x04\x24");		/* [esp] */
	assert_int_equal(insn_offset(&insn, regs), 0x50004);
	insn = I32("\xa1\x78\x56\x34\x12");
	assert_int_equal(insn_offset(&insn, regs), 0x12345678);
	insn = I16("\x8b\x41\xff");		/* [bx+di-1] */
	assert_int_equal(insn_offset(&insn, regs), 0xfff2);
	insn = I16("\x8b\x82\x00\xff");		/* [bp+si+ff00h] wraps */
	assert_int_equal(insn_offset(&insn, regs), 0xff0b);
}

static void test_offset_64(void **state)
{
	static const uint64_t regs[REG_RIP + 1] = {
		[EBX] = 0x1000000000, [12] = 0xffffffff80000000,
		[13] = 0x1800000000, [REG_RIP] = 0xffffffff81000000
	};
	struct insn insn;

	(void)state;
	insn = I64("\x8b\x05\xf0\xff\xff\xff");	/* [rip-10h] */
	assert_int_equal(insn_offset(&insn, regs), 0xffffffff80fffff0);
	insn = I64("\x67\x8b\x05\xf0\xff\xff\xff");	/* [eip-10h] */
	assert_int_equal(insn_offset(&insn, regs), 0x80fffff0);
	insn = I64("\x43\x8b\x04\x6c");	/* [r12+r13*2] wraps */
	assert_int_equal(insn_offset(&insn, regs), 0x2f80000000);
	insn = I64("\x8b\x43\x80");		/* [rbx-80h] */
	assert_int_equal(insn_offset(&insn, regs), 0xfffffff80);
}

/* ---- against Zydis ------------------------------------------------------- */

/* Starts of all instructions in the list, and some neighbours. */
static void random_bytes(uint8_t *bytes, uint64_t *seed, bool rex)
{
	static const uint8_t prefix[] = {
		0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0x66, 0x67,
		0xf2, 0xf3, 0xf0
	};
	static const uint8_t opcode[] = {
		0x07, 0x17, 0x1f, 0x6c, 0x6d, 0x6e, 0x6f, 0x88, 0x89, 0x8a,
		0x8b, 0x8e, 0xa0, 0xa1, 0xa2, 0xa3, 0xc4, 0xc5, 0xc6,
		0xc7, 0xca, 0xcb, 0xcc, 0xcd, 0xcf, 0xe4, 0xe5, 0xe6, 0xe7,
		0xea, 0xec, 0xed, 0xee, 0xef, 0xf4, 0xfa, 0xfb, 0xff,
	};
	static const uint8_t second[] = {
		0x00, 0x01, 0x06, 0x08, 0x09, 0x20, 0x21, 0x22, 0x23, 0x30,
		0x31, 0x32, 0x33, 0x34, 0x35, 0xa1, 0xa9, 0xb2, 0xb4, 0xb5,
		0xb6, 0xb7, 0xbe, 0xbf, 0x05, 0x07, 0x38, 0xa2,
	};
	/* Behind 0F 01: operations that are a ModRM each. */
	static const uint8_t third[] = {
		0xc8, 0xc9, 0xca, 0xcb, 0xd0, 0xd1, 0xf8, 0xf9, 0xc1, 0xc2, 0xd9,
	};
	uint64_t r = unit_random(seed);
	unsigned int n, i, count = r % 16 == 0 ? (r >> 8) % 16 : (r >> 8) % 4;

	for (i = 0; i < 32; i++)
		bytes[i] = unit_random(seed) >> 24;
	for (n = 0; n < count; n++)
		bytes[n] = prefix[unit_random(seed) % sizeof(prefix)];
	r = unit_random(seed) >> 16;
	if (rex && r % 2) {
		bytes[n++] = 0x40 | (r >> 1 & 15);
		if (r >> 8 & 1)		/* and nothing if more follows */
			bytes[n++] = prefix[(r >> 9) % sizeof(prefix)];
		if (r >> 16 & 1)
			bytes[n++] = 0x40 | (r >> 17 & 15);
	}
	r = unit_random(seed) >> 16;
	if (r % 32 == 0)
		return;			/* any opcode */
	if (r & 32) {
		bytes[n] = opcode[(r >> 8) % sizeof(opcode)];
		return;
	}
	bytes[n++] = 0x0f;
	if (r % 32 != 1)
		bytes[n] = second[(r >> 8) % sizeof(second)];
	r = unit_random(seed) >> 16;
	if (r % 2 && bytes[n] == 0x01)
		bytes[n + 1] = third[(r >> 8) % sizeof(third)];
	if (r % 2 && bytes[n] == 0x38)
		bytes[n + 1] = 0x82;
}

static void all_seen(const unsigned int *valid, unsigned int end)
{
	unsigned int i;

	for (i = 1; i < end; i++)
		if (valid[i] < 100)
			fail_msg("operation %u was seen %u times", i, valid[i]);
}

static void test_against_zydis(void **state)
{
	unsigned int valid[INSN_OPS] = { 0 }, i;
	uint64_t seed = 5;
	uint8_t bytes[ZYDIS_BYTES];

	(void)state;
	for (i = 0; i < RANDOM_INSNS; i++) {
		random_bytes(bytes, &seed, false);
		valid[zydis_compare(bytes, i & 1 ? CODE_32 : CODE_16)]++;
	}
	all_seen(valid, INSN_SWAPGS);
}

static void test_against_zydis_64(void **state)
{
	unsigned int valid[INSN_OPS] = { 0 }, i;
	uint64_t seed = 64;
	uint8_t bytes[ZYDIS_BYTES];

	(void)state;
	for (i = 0; i < RANDOM_INSNS; i++) {
		random_bytes(bytes, &seed, true);
		valid[zydis_compare(bytes, CODE_64)]++;
	}
	all_seen(valid, INSN_OPS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_operation),
		cmocka_unit_test(test_operands),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_offset),
		cmocka_unit_test(test_operands_64),
		cmocka_unit_test(test_refused_64),
		cmocka_unit_test(test_offset_64),
		cmocka_unit_test(test_against_zydis),
		cmocka_unit_test(test_against_zydis_64),
	};

	return cmocka_run_group_tests_name("decode", tests, NULL, NULL);
}

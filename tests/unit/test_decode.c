// SPDX-License-Identifier: GPL-2.0-only
/*
 * The instruction decoder, hypervisor-stub/decode.c: a table of encodings
 * whose meaning is spelled out here, and millions of random ones for which
 * Zydis is the oracle.
 */
#include <stdio.h>

#include <Zydis/Zydis.h>

#include "unit.h"
#include "decode.h"

#define RANDOM_INSNS	2000000

static struct insn must(const char *bytes, size_t len, bool code32)
{
	struct insn insn;

	assert_int_equal(decode((const uint8_t *)bytes, len, code32, &insn),
			 DECODE_OK);
	assert_int_equal(insn.length, len);
	return insn;
}

#define I32(bytes)	must(bytes, sizeof(bytes) - 1, true)
#define I16(bytes)	must(bytes, sizeof(bytes) - 1, false)
#define FAILS(bytes)	fails(bytes, sizeof(bytes) - 1)

static enum decode_result fails(const char *bytes, size_t len)
{
	struct insn insn;

	return decode((const uint8_t *)bytes, len, true, &insn);
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
		{ INSN_JMP_FAR, 7, { 0xea, 1, 2, 3, 4, 8, 0 } },
		{ INSN_CALL_FAR, 2, { 0xff, 0x18 } },
		{ INSN_RET_FAR, 1, { 0xcb } }, { INSN_IRET, 1, { 0xcf } },
		{ INSN_INT, 2, { 0xcd, 0x80 } }, { INSN_INT3, 1, { 0xcc } },
		{ INSN_XSETBV, 3, { 0x0f, 0x01, 0xd1 } },
		{ INSN_SYSENTER, 2, { 0x0f, 0x34 } },
		{ INSN_SYSEXIT, 2, { 0x0f, 0x35 } },
		{ INSN_MOV_LOAD, 2, { 0x8b, 0x00 } },
		{ INSN_MOV_STORE, 2, { 0x88, 0x00 } },
		{ INSN_MOV_IMM, 3, { 0xc6, 0x00, 0x01 } },
		{ INSN_MOVZX, 3, { 0x0f, 0xb6, 0x00 } },
		{ INSN_MOVSX, 3, { 0x0f, 0xbf, 0x00 } },
	};
	unsigned int i, n;

	(void)state;
	assert_int_equal(sizeof(all) / sizeof(all[0]), INSN_OPS - 1);
	for (i = 0; i < INSN_OPS - 1u; i++) {
		struct insn insn;

		assert_int_equal(all[i].op, i + 1);
		for (n = 0; n < all[i].len; n++)
			assert_int_equal(decode(all[i].bytes, n, true, &insn),
					 DECODE_MORE);
		assert_int_equal(decode(all[i].bytes, 8, true, &insn),
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
	assert_true(insn.size == 2 && insn.port_dx && insn.opsize_prefix);
	insn = I32("\xf3\x64\x6e");		/* rep outsb, fs */
	assert_true(insn.size == 1 && insn.rep == 0xf3 &&
		    insn.seg == SREG_FS && insn.base == REG_ESI);
	insn = I32("\xf2\x64\x67\x6d");		/* repne insd, di */
	assert_true(insn.size == 4 && insn.rep == 0xf2 && insn.addr_size == 2 &&
		    insn.seg == SREG_ES && insn.base == REG_EDI);
	insn = I32("\x0f\x22\xdf");		/* mov cr3, edi */
	assert_true(insn.reg == 3 && insn.rm == REG_EDI && !insn.mem);
	insn = I32("\x0f\x20\x05");		/* mod 0 is a register too */
	assert_true(insn.reg == 0 && insn.rm == REG_EBP && !insn.mem);
	insn = I32("\x2e\x0f\x01\x15\x78\x56\x34\x12");	/* lgdt cs:[..] */
	assert_true(insn.seg == SREG_CS && insn.seg_prefix && insn.size == 4 &&
		    insn.base == REG_NONE && insn.disp == 0x12345678);
	insn = I16("\x0f\x01\x16\x34\x12");	/* lgdt [1234h] */
	assert_true(insn.size == 2 && insn.disp == 0x1234 &&
		    insn.seg == SREG_DS && insn.addr_size == 2);
	insn = I32("\x0f\x01\xe3");		/* smsw ebx */
	assert_true(insn.size == 4 && insn.rm == REG_EBX && !insn.mem);
	insn = I32("\x0f\x01\x24\x24");		/* smsw [esp] */
	assert_true(insn.size == 2 && insn.base == REG_ESP &&
		    insn.seg == SREG_SS);
	insn = I32("\x8e\xe0");			/* mov fs, ax */
	assert_true(insn.sreg == SREG_FS && insn.rm == REG_EAX);
	insn = I32("\x0f\xa9");			/* pop gs */
	assert_true(insn.sreg == SREG_GS && insn.size == 4);
	insn = I32("\x0f\xb2\x65\xfc");		/* lss esp, [ebp-4] */
	assert_true(insn.sreg == SREG_SS && insn.reg == REG_ESP &&
		    insn.base == REG_EBP && insn.disp == 0xfffffffc &&
		    insn.seg == SREG_SS);
	insn = I32("\xea\x78\x56\x34\x12\x10\x00");
	assert_true(insn.imm == 0x12345678 && insn.selector == 0x10 &&
		    !insn.mem);
	insn = I32("\x66\x9a\x34\x12\x10\x00");
	assert_true(insn.imm == 0x1234 && insn.selector == 0x10 &&
		    insn.size == 2);
	insn = I32("\xca\x08\x01");
	assert_int_equal(insn.imm, 0x108);
	insn = I32("\xa3\x44\x33\x22\x11");	/* mov [..], eax */
	assert_true(insn.op == INSN_MOV_STORE && insn.reg == REG_EAX &&
		    insn.disp == 0x11223344 && insn.mem);
	insn = I32("\x67\xa0\x44\xf3");		/* mov al, [..] */
	assert_true(insn.op == INSN_MOV_LOAD && insn.disp == 0xf344 &&
		    insn.size == 1);
	insn = I32("\x66\xc7\x04\x8d\x04\x03\x02\x01\xcd\xab");
	assert_true(insn.index == REG_ECX && insn.scale == 4 &&
		    insn.base == REG_NONE && insn.disp == 0x01020304 &&
		    insn.imm == 0xabcd && insn.size == 2);
	insn = I32("\x0f\xb7\x01");		/* movzx eax, word [ecx] */
	assert_true(insn.size == 4 && insn.src_size == 2);
	insn = I32("\x66\x0f\xbe\x01");		/* movsx ax, byte [ecx] */
	assert_true(insn.size == 2 && insn.src_size == 1);
	insn = I32("\x8a\x01");
	assert_int_equal(insn.src_size, 1);
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
	assert_int_equal(FAILS("\xff\xd8"), DECODE_INVALID);	/* call far reg */
	assert_int_equal(FAILS("\xff\x10"), DECODE_INVALID);	/* call near */
	assert_int_equal(FAILS("\xc4\xc0\x00"), DECODE_INVALID); /* VEX */
	assert_int_equal(FAILS("\x0f\x01\xf8"), DECODE_INVALID); /* swapgs */
	assert_int_equal(FAILS("\x0f\x01\xc1"), DECODE_INVALID); /* vmcall */
	assert_int_equal(FAILS("\xf3\x0f\x01\xd1"), DECODE_INVALID);
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
	static const uint32_t regs[8] = {
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

/* ---- against Zydis ------------------------------------------------------------ */

static uint8_t sreg_of(ZydisRegister reg)
{
	switch (reg) {
	case ZYDIS_REGISTER_ES: return SREG_ES;
	case ZYDIS_REGISTER_CS: return SREG_CS;
	case ZYDIS_REGISTER_SS: return SREG_SS;
	case ZYDIS_REGISTER_DS: return SREG_DS;
	case ZYDIS_REGISTER_FS: return SREG_FS;
	case ZYDIS_REGISTER_GS: return SREG_GS;
	default: return 0xff;
	}
}

static uint8_t gpr_of(ZydisRegister reg)
{
	return reg == ZYDIS_REGISTER_NONE ? REG_NONE : ZydisRegisterGetId(reg);
}

/* Our name for what Zydis found; INSN_NONE: not in our list. */
static uint8_t mov_of(const ZydisDecodedInstruction *z)
{
	if (z->opcode_map == ZYDIS_OPCODE_MAP_0F) {
		switch (z->opcode) {
		case 0x20: return INSN_MOV_FROM_CR;
		case 0x21: return INSN_MOV_FROM_DR;
		case 0x22: return INSN_MOV_TO_CR;
		case 0x23: return INSN_MOV_TO_DR;
		}
		return INSN_NONE;
	}
	switch (z->opcode) {
	case 0x88: case 0x89: case 0xa2: case 0xa3:
		return INSN_MOV_STORE;
	case 0x8a: case 0x8b: case 0xa0: case 0xa1:
		return INSN_MOV_LOAD;
	case 0x8e:
		return INSN_MOV_TO_SREG;
	case 0xc6: case 0xc7:
		return INSN_MOV_IMM;
	}
	return INSN_NONE;
}

static uint8_t op_of(const ZydisDecodedInstruction *z,
		     const ZydisDecodedOperand *ops)
{
	bool far = z->meta.branch_type == ZYDIS_BRANCH_TYPE_FAR;

	switch (z->mnemonic) {
	case ZYDIS_MNEMONIC_CLI: return INSN_CLI;
	case ZYDIS_MNEMONIC_STI: return INSN_STI;
	case ZYDIS_MNEMONIC_HLT: return INSN_HLT;
	case ZYDIS_MNEMONIC_IN: return INSN_IN;
	case ZYDIS_MNEMONIC_OUT: return INSN_OUT;
	case ZYDIS_MNEMONIC_INSB:
	case ZYDIS_MNEMONIC_INSW:
	case ZYDIS_MNEMONIC_INSD: return INSN_INS;
	case ZYDIS_MNEMONIC_OUTSB:
	case ZYDIS_MNEMONIC_OUTSW:
	case ZYDIS_MNEMONIC_OUTSD: return INSN_OUTS;
	case ZYDIS_MNEMONIC_CLTS: return INSN_CLTS;
	case ZYDIS_MNEMONIC_INVD: return INSN_INVD;
	case ZYDIS_MNEMONIC_WBINVD: return INSN_WBINVD;
	case ZYDIS_MNEMONIC_RDMSR: return INSN_RDMSR;
	case ZYDIS_MNEMONIC_WRMSR: return INSN_WRMSR;
	case ZYDIS_MNEMONIC_RDPMC: return INSN_RDPMC;
	case ZYDIS_MNEMONIC_RDTSC: return INSN_RDTSC;
	case ZYDIS_MNEMONIC_SGDT: return INSN_SGDT;
	case ZYDIS_MNEMONIC_SIDT: return INSN_SIDT;
	case ZYDIS_MNEMONIC_LGDT: return INSN_LGDT;
	case ZYDIS_MNEMONIC_LIDT: return INSN_LIDT;
	case ZYDIS_MNEMONIC_SMSW: return INSN_SMSW;
	case ZYDIS_MNEMONIC_LMSW: return INSN_LMSW;
	case ZYDIS_MNEMONIC_INVLPG: return INSN_INVLPG;
	case ZYDIS_MNEMONIC_SLDT: return INSN_SLDT;
	case ZYDIS_MNEMONIC_STR: return INSN_STR;
	case ZYDIS_MNEMONIC_LLDT: return INSN_LLDT;
	case ZYDIS_MNEMONIC_LTR: return INSN_LTR;
	case ZYDIS_MNEMONIC_LDS:
	case ZYDIS_MNEMONIC_LES:
	case ZYDIS_MNEMONIC_LFS:
	case ZYDIS_MNEMONIC_LGS:
	case ZYDIS_MNEMONIC_LSS: return INSN_LOAD_FAR;
	case ZYDIS_MNEMONIC_JMP: return far ? INSN_JMP_FAR : INSN_NONE;
	case ZYDIS_MNEMONIC_CALL: return far ? INSN_CALL_FAR : INSN_NONE;
	case ZYDIS_MNEMONIC_RET: return far ? INSN_RET_FAR : INSN_NONE;
	case ZYDIS_MNEMONIC_IRET:
	case ZYDIS_MNEMONIC_IRETD: return INSN_IRET;
	case ZYDIS_MNEMONIC_INT: return INSN_INT;
	case ZYDIS_MNEMONIC_INT3: return INSN_INT3;
	case ZYDIS_MNEMONIC_XSETBV: return INSN_XSETBV;
	case ZYDIS_MNEMONIC_SYSENTER: return INSN_SYSENTER;
	case ZYDIS_MNEMONIC_SYSEXIT: return INSN_SYSEXIT;
	case ZYDIS_MNEMONIC_MOV: return mov_of(z);
	case ZYDIS_MNEMONIC_MOVZX: return INSN_MOVZX;
	case ZYDIS_MNEMONIC_MOVSX: return INSN_MOVSX;
	case ZYDIS_MNEMONIC_POP:
		return ops[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
			sreg_of(ops[0].reg.value) != 0xff ?
			INSN_POP_SREG : INSN_NONE;
	default: return INSN_NONE;
	}
}

static const uint8_t *current;
static bool current32;

/* As assert_int_equal, but says for which bytes. */
static void same(const char *what, uint64_t ours, uint64_t theirs)
{
	char text[64] = "";
	int i;

	if (ours == theirs)
		return;
	for (i = 0; i < INSN_MAX + 1; i++)
		sprintf(text + 3 * i, "%02x ", current[i]);
	fail_msg("%s: %s is %llx, Zydis says %llx (%d-bit code)", text, what,
		 (unsigned long long)ours, (unsigned long long)theirs,
		 current32 ? 32 : 16);
}

static void same_memory(const struct insn *insn, const ZydisDecodedOperand *op,
			unsigned int addr_size)
{
	uint32_t mask = addr_size == 2 ? 0xffff : 0xffffffff;

	same("memory", insn->mem, true);
	same("segment", insn->seg, sreg_of(op->mem.segment));
	same("base", insn->base, gpr_of(op->mem.base));
	same("index", insn->index, gpr_of(op->mem.index));
	if (op->mem.index != ZYDIS_REGISTER_NONE)
		same("scale", insn->scale, op->mem.scale ? op->mem.scale : 1);
	same("displacement", insn->disp & mask,
	     (uint32_t)op->mem.disp.value & mask);
}

static void same_operands(const struct insn *insn,
			  const ZydisDecodedInstruction *z,
			  const ZydisDecodedOperand *ops)
{
	bool mem = false;
	int i;

	for (i = 0; i < z->operand_count; i++) {
		const ZydisDecodedOperand *op = &ops[i];
		bool stack = op->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN &&
			insn->op != INSN_INS && insn->op != INSN_OUTS;

		if (op->type == ZYDIS_OPERAND_TYPE_MEMORY && !stack) {
			mem = true;
			same_memory(insn, op, z->address_width / 8);
		} else if (op->type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
			same("immediate", insn->imm,
			     op->imm.value.u & (op->size == 32 ? 0xffffffff :
						op->size == 16 ? 0xffff :
						0xff));
		} else if (op->type == ZYDIS_OPERAND_TYPE_POINTER) {
			same("offset", insn->imm, op->ptr.offset);
			same("selector", insn->selector, op->ptr.segment);
		} else if (op->type == ZYDIS_OPERAND_TYPE_REGISTER && !i &&
			   (insn->op == INSN_POP_SREG ||
			    insn->op == INSN_MOV_TO_SREG)) {
			same("sreg", insn->sreg, sreg_of(op->reg.value));
		} else if (op->type == ZYDIS_OPERAND_TYPE_REGISTER &&
			   insn->op == INSN_LOAD_FAR && i && !stack) {
			same("sreg", insn->sreg, sreg_of(op->reg.value));
		}
	}
	same("memory", insn->mem, mem);
}

/* Width of the first explicit operand that is not in memory, else of it. */
static void same_size(const struct insn *insn,
		      const ZydisDecodedInstruction *z,
		      const ZydisDecodedOperand *ops)
{
	switch (insn->op) {
	case INSN_MOV_LOAD:
	case INSN_MOV_STORE:
	case INSN_MOV_IMM:
	case INSN_SMSW:
	case INSN_LMSW:
	case INSN_SLDT:
	case INSN_STR:
	case INSN_LLDT:
	case INSN_LTR:
		same("size", insn->size * 8, ops[0].size);
		same("source size", insn->src_size, insn->size);
		break;
	case INSN_MOVZX:
	case INSN_MOVSX:
		same("size", insn->size * 8, ops[0].size);
		same("source size", insn->src_size * 8, ops[1].size);
		break;
	case INSN_IN:
		same("size", insn->size * 8, ops[0].size);
		same("port in DX", insn->port_dx,
		     ops[1].type == ZYDIS_OPERAND_TYPE_REGISTER);
		break;
	case INSN_OUT:
		same("size", insn->size * 8, ops[1].size);
		same("port in DX", insn->port_dx,
		     ops[0].type == ZYDIS_OPERAND_TYPE_REGISTER);
		break;
	case INSN_INS:
	case INSN_OUTS:
		same("size", insn->size * 8,
		     z->mnemonic == ZYDIS_MNEMONIC_INSB ||
		     z->mnemonic == ZYDIS_MNEMONIC_OUTSB ? 8 :
		     z->mnemonic == ZYDIS_MNEMONIC_INSW ||
		     z->mnemonic == ZYDIS_MNEMONIC_OUTSW ? 16 : 32);
		break;
	case INSN_LOAD_FAR:
	case INSN_JMP_FAR:
	case INSN_CALL_FAR:
	case INSN_RET_FAR:
	case INSN_IRET:
	case INSN_POP_SREG:
		same("size", insn->size * 8, z->operand_width);
		break;
	}
}

static void same_registers(const struct insn *insn,
			   const ZydisDecodedInstruction *z)
{
	switch (insn->op) {
	case INSN_MOV_FROM_CR:
	case INSN_MOV_TO_CR:
	case INSN_MOV_FROM_DR:
	case INSN_MOV_TO_DR:
		same("size", insn->size, 4);
		same("reg", insn->reg, z->raw.modrm.reg);
		same("rm", insn->rm, z->raw.modrm.rm);
		return;
	}
	if (!(z->attributes & ZYDIS_ATTRIB_HAS_MODRM))
		return;
	same("mod", insn->mod, z->raw.modrm.mod);
	same("reg", insn->reg, z->raw.modrm.reg);
	same("rm", insn->rm, z->raw.modrm.rm);
}

static void same_prefixes(const struct insn *insn,
			  const ZydisDecodedInstruction *z)
{
	bool size = false, seg = false;
	uint8_t rep = 0;
	int i;

	for (i = 0; i < z->raw.prefix_count; i++) {
		switch (z->raw.prefixes[i].value) {
		case 0x66:
			size = true;
			break;
		case 0xf2:
		case 0xf3:
			rep = z->raw.prefixes[i].value;
			break;
		case 0x26: case 0x2e: case 0x36: case 0x3e:
		case 0x64: case 0x65:
			seg = true;
			break;
		}
	}
	same("66h", insn->opsize_prefix, size);
	same("rep", insn->rep, rep);
	same("segment prefix", insn->seg_prefix, seg);
	same("address size", insn->addr_size * 8, z->address_width);
}

/* Starts of all instructions in the list, and some neighbours. */
static void random_bytes(uint8_t *bytes, uint64_t *seed)
{
	static const uint8_t prefix[] = {
		0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0x66, 0x67,
		0xf2, 0xf3, 0xf0
	};
	static const uint8_t opcode[] = {
		0x07, 0x17, 0x1f, 0x6c, 0x6d, 0x6e, 0x6f, 0x88, 0x89, 0x8a,
		0x8b, 0x8e, 0x9a, 0xa0, 0xa1, 0xa2, 0xa3, 0xc4, 0xc5, 0xc6,
		0xc7, 0xca, 0xcb, 0xcc, 0xcd, 0xcf, 0xe4, 0xe5, 0xe6, 0xe7,
		0xea, 0xec, 0xed, 0xee, 0xef, 0xf4, 0xfa, 0xfb, 0xff,
	};
	static const uint8_t second[] = {
		0x00, 0x01, 0x06, 0x08, 0x09, 0x20, 0x21, 0x22, 0x23, 0x30,
		0x31, 0x32, 0x33, 0x34, 0x35, 0xa1, 0xa9, 0xb2, 0xb4, 0xb5,
		0xb6, 0xb7, 0xbe, 0xbf,
	};
	uint64_t r = unit_random(seed);
	unsigned int n, i, count = r % 16 == 0 ? (r >> 8) % 16 : (r >> 8) % 4;

	for (i = 0; i < 32; i++)
		bytes[i] = unit_random(seed) >> 24;
	for (n = 0; n < count; n++)
		bytes[n] = prefix[unit_random(seed) % sizeof(prefix)];
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
	if (r % 32 == 2) {		/* XSETBV is one in 256 otherwise */
		bytes[n] = 0x01;
		bytes[n + 1] = 0xd1;
	}
}

static void compare(const ZydisDecoder *zydis, const uint8_t *bytes,
		    bool code32, unsigned int *valid)
{
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction z;
	struct insn insn, part;
	enum decode_result result;
	unsigned int i;
	bool ok;

	current = bytes;
	current32 = code32;
	ok = ZYAN_SUCCESS(ZydisDecoderDecodeFull(zydis, bytes, 32, &z, ops)) &&
		op_of(&z, ops) != INSN_NONE;
	result = decode(bytes, 32, code32, &insn);
	same("validity", result == DECODE_OK, ok);
	if (!ok) {
		same("result", result, DECODE_INVALID);
		return;
	}
	valid[insn.op]++;
	same("operation", insn.op, op_of(&z, ops));
	same("length", insn.length, z.length);
	same_prefixes(&insn, &z);
	same_registers(&insn, &z);
	same_operands(&insn, &z, ops);
	same_size(&insn, &z, ops);
	/* With less it asks for more, and reads nothing beyond (ASan). */
	for (i = 0; i < insn.length; i++)
		same("truncated result", decode(bytes, i, code32, &part),
		     DECODE_MORE);
	same("exact result", decode(bytes, i, code32, &part), DECODE_OK);
	assert_memory_equal(&part, &insn, sizeof(insn));
}

static void test_against_zydis(void **state)
{
	unsigned int valid[INSN_OPS] = { 0 }, i;
	ZydisDecoder zydis[2];
	uint64_t seed = 5;
	uint8_t bytes[32];

	(void)state;
	ZydisDecoderInit(&zydis[0], ZYDIS_MACHINE_MODE_LEGACY_16,
			 ZYDIS_STACK_WIDTH_16);
	ZydisDecoderInit(&zydis[1], ZYDIS_MACHINE_MODE_LEGACY_32,
			 ZYDIS_STACK_WIDTH_32);
	/* Without WBNOINVD in CPUID its encoding is that of WBINVD. */
	for (i = 0; i < 2; i++)
		ZydisDecoderEnableMode(&zydis[i], ZYDIS_DECODER_MODE_WBNOINVD,
				       ZYAN_FALSE);
	for (i = 0; i < RANDOM_INSNS; i++) {
		random_bytes(bytes, &seed);
		compare(&zydis[i & 1], bytes, i & 1, valid);
	}
	for (i = 1; i < INSN_OPS; i++)
		if (valid[i] < 100)
			fail_msg("operation %u was seen %u times", i, valid[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_operation),
		cmocka_unit_test(test_operands),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_offset),
		cmocka_unit_test(test_against_zydis),
	};

	return cmocka_run_group_tests_name("decode", tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Instruction decoding after SDM Vol. 2: prefixes (2.1.1, REX 2.2.1), opcode
 * maps (appendix A), ModRM and SIB (2.1.5), for the list in insn.h.
 */
#include "insn.h"

struct reader {
	const uint8_t *bytes;
	size_t len;
	unsigned int pos;
	enum decode_result error;	/* of the first fetch that failed */
	enum code_bits bits;
	bool size, addr, lock;		/* prefixes */
	uint8_t rex;			/* 0: none */
};

#define REX_W	8
#define REX_R	4		/* ModRM: reg */
#define REX_X	2		/* SIB: index */
#define REX_B	1		/* rm, base */

/* A register number of three bits, and the one that REX has for it. */
static uint8_t reg_number(const struct reader *r, uint8_t low, uint8_t rex_bit)
{
	return low | (r->rex & rex_bit ? 8 : 0);
}

static uint8_t fetch8(struct reader *r)
{
	if (r->error != DECODE_OK)
		return 0;
	if (r->pos >= INSN_MAX)
		r->error = DECODE_INVALID;
	else if (r->pos >= r->len)
		r->error = DECODE_MORE;
	else
		return r->bytes[r->pos++];
	return 0;
}

static uint64_t fetch(struct reader *r, unsigned int size)
{
	uint64_t val = 0;
	unsigned int i;

	for (i = 0; i < size; i++)
		val |= (uint64_t)fetch8(r) << (8 * i);
	return val;
}

static void memory16(struct reader *r, struct insn *insn)
{
	static const uint8_t base[8] = {
		EBX, EBX, EBP, EBP,
		ESI, EDI, EBP, EBX
	};
	static const uint8_t index[8] = {
		ESI, EDI, ESI, EDI,
		REG_NONE, REG_NONE, REG_NONE, REG_NONE
	};

	if (insn->mod == 0 && insn->rm == 6) {
		insn->disp = (int16_t)fetch(r, 2);
		return;
	}
	insn->base = base[insn->rm];
	insn->index = index[insn->rm];
	if (insn->mod == 1)
		insn->disp = (int8_t)fetch8(r);
	else if (insn->mod == 2)
		insn->disp = (int16_t)fetch(r, 2);
}

/* With 32- and 64-bit addresses. */
static void memory32(struct reader *r, struct insn *insn)
{
	uint8_t base = insn->rm & 7, index;
	bool sib = base == ESP;

	if (sib) {
		uint8_t byte = fetch8(r);

		base = byte & 7;
		index = reg_number(r, (byte >> 3) & 7, REX_X);
		if (index != ESP) {
			insn->index = index;
			insn->scale = 1u << (byte >> 6);
		}
	}
	if (base == EBP && insn->mod == 0) {
		insn->disp = (int32_t)fetch(r, 4);
		if (r->bits == CODE_64 && !sib)
			insn->base = REG_RIP;
		return;
	}
	insn->base = reg_number(r, base, REX_B);
	if (insn->mod == 1)
		insn->disp = (int8_t)fetch8(r);
	else if (insn->mod == 2)
		insn->disp = (int32_t)fetch(r, 4);
}

/* registers: whatever the mod bits say (SDM 2B, MOV). */
static void modrm(struct reader *r, struct insn *insn, bool registers)
{
	uint8_t byte = fetch8(r);

	insn->mod = registers ? 3 : byte >> 6;
	insn->reg = reg_number(r, (byte >> 3) & 7, REX_R);
	insn->rm = reg_number(r, byte & 7, REX_B);
	if (insn->mod == 3)
		return;
	insn->mem = true;
	if (insn->addr_size == 2)
		memory16(r, insn);
	else
		memory32(r, insn);
	if (!insn->seg_prefix)
		insn->seg = insn->base == ESP || insn->base == EBP ?
			SREG_SS : SREG_DS;
}

static void segment(struct insn *insn, enum insn_sreg seg)
{
	insn->seg = seg;
	insn->seg_prefix = true;
}

static bool prefix(struct reader *r, struct insn *insn, uint8_t byte)
{
	if (r->bits == CODE_64 && byte >> 4 == 4) {
		r->rex = byte;
		return true;
	}
	switch (byte) {
	case 0x26: case 0x2e: case 0x36: case 0x3e:
		if (r->bits != CODE_64)		/* there they mean nothing */
			segment(insn, SREG_ES + (byte >> 3 & 3));
		break;
	case 0x64: case 0x65:
		segment(insn, SREG_FS + (byte & 1));
		break;
	case 0x66:
		r->size = true;
		break;
	case 0x67:
		r->addr = true;
		break;
	case 0xf0:
		r->lock = true;
		break;
	case 0xf2: case 0xf3:
		insn->rep = byte;
		break;
	default:
		return false;
	}
	r->rex = 0;		/* it counts right before the opcode alone */
	return true;
}

/* Returns the first byte that is not a prefix. */
static uint8_t prefixes(struct reader *r, struct insn *insn)
{
	uint8_t byte;

	do
		byte = fetch8(r);
	while (prefix(r, insn, byte));
	insn->size = (r->bits != CODE_16) != r->size ? 4 : 2;
	insn->rex = r->rex;
	if (r->rex & REX_W)
		insn->size = 8;
	if (r->bits == CODE_64)
		insn->addr_size = r->addr ? 4 : 8;
	else
		insn->addr_size = (r->bits == CODE_32) != r->addr ? 4 : 2;
	/* Nothing in the list may be locked. */
	if (r->lock && r->error == DECODE_OK)
		r->error = DECODE_INVALID;
	return byte;
}

/* ---- the list ------------------------------------------------------------ */

/* What comes with an opcode. */
#define BYTE	0x001	/* an even one is of operands of one byte */
#define MODRM	0x002
#define REGS	0x004	/* the same, of registers alone */
#define DIRECT	0x008	/* an address and nothing else */
#define IMM	0x010	/* of the operand's size, but at most 4 bytes */
#define IMM8	0x020
#define IMM16	0x040
#define DX	0x080	/* the port is there */
#define NOT_64	0x100	/* does not exist in 64-bit code */
#define ONLY_64	0x200	/* looked for in 64-bit code alone */
#define FROM	0x400	/* reads one byte, an odd one two */

struct form {
	uint8_t	op;		/* enum insn_op */
	uint16_t has;
	uint8_t	sreg;		/* enum insn_sreg, for those that load one */
};

static const struct form one_byte[256] = {
	[0x07] = { INSN_POP_SREG, NOT_64, SREG_ES },
	[0x17] = { INSN_POP_SREG, NOT_64, SREG_SS },
	[0x1f] = { INSN_POP_SREG, NOT_64, SREG_DS },
	[0x6c ... 0x6d] = { INSN_INS, BYTE | DX, 0 },
	[0x6e ... 0x6f] = { INSN_OUTS, BYTE | DX, 0 },
	[0x88 ... 0x89] = { INSN_MOV_STORE, BYTE | MODRM, 0 },
	[0x8a ... 0x8b] = { INSN_MOV_LOAD, BYTE | MODRM, 0 },
	[0x8e] = { INSN_MOV_TO_SREG, MODRM, 0 },
	[0xa0 ... 0xa1] = { INSN_MOV_LOAD, BYTE | DIRECT, 0 },	/* of EAX */
	[0xa2 ... 0xa3] = { INSN_MOV_STORE, BYTE | DIRECT, 0 },
	[0xa4 ... 0xa5] = { INSN_MOVS, BYTE, 0 },
	[0xaa ... 0xab] = { INSN_STOS, BYTE, 0 },
	[0xac ... 0xad] = { INSN_LODS, BYTE, 0 },
	[0xc4] = { INSN_LOAD_FAR, MODRM | NOT_64, SREG_ES },
	[0xc5] = { INSN_LOAD_FAR, MODRM | NOT_64, SREG_DS },
	[0xc6 ... 0xc7] = { INSN_MOV_IMM, BYTE | MODRM | IMM, 0 },
	[0xca] = { INSN_RET_FAR, IMM16, 0 },
	[0xcb] = { INSN_RET_FAR, 0, 0 },
	[0xcd] = { INSN_INT, IMM8, 0 },
	[0xcf] = { INSN_IRET, 0, 0 },
	[0xe4 ... 0xe5] = { INSN_IN, BYTE | IMM8, 0 },
	[0xe6 ... 0xe7] = { INSN_OUT, BYTE | IMM8, 0 },
	[0xec ... 0xed] = { INSN_IN, BYTE | DX, 0 },
	[0xee ... 0xef] = { INSN_OUT, BYTE | DX, 0 },
	[0xf4] = { INSN_HLT, 0, 0 },
	[0xfa] = { INSN_CLI, 0, 0 },
	[0xfb] = { INSN_STI, 0, 0 },
};

/* Behind 0F. */
static const struct form two_byte[256] = {
	[0x05] = { INSN_SYSCALL, 0, 0 },
	[0x06] = { INSN_CLTS, 0, 0 },
	[0x07] = { INSN_SYSRET, ONLY_64, 0 },
	[0x08] = { INSN_INVD, 0, 0 },
	[0x09] = { INSN_WBINVD, 0, 0 },
	[0x20] = { INSN_MOV_FROM_CR, REGS, 0 },
	[0x21] = { INSN_MOV_FROM_DR, REGS, 0 },
	[0x22] = { INSN_MOV_TO_CR, REGS, 0 },
	[0x23] = { INSN_MOV_TO_DR, REGS, 0 },
	[0x30] = { INSN_WRMSR, 0, 0 },
	[0x31] = { INSN_RDTSC, 0, 0 },
	[0x32] = { INSN_RDMSR, 0, 0 },
	[0x33] = { INSN_RDPMC, 0, 0 },
	[0x34] = { INSN_SYSENTER, 0, 0 },
	[0x35] = { INSN_SYSEXIT, 0, 0 },
	[0xa1] = { INSN_POP_SREG, 0, SREG_FS },
	[0xa2] = { INSN_CPUID, 0, 0 },
	[0xa9] = { INSN_POP_SREG, 0, SREG_GS },
	[0xb2] = { INSN_LOAD_FAR, MODRM, SREG_SS },
	[0xb4] = { INSN_LOAD_FAR, MODRM, SREG_FS },
	[0xb5] = { INSN_LOAD_FAR, MODRM, SREG_GS },
	[0xb6 ... 0xb7] = { INSN_MOVZX, MODRM | FROM, 0 },
	[0xbe ... 0xbf] = { INSN_MOVSX, MODRM | FROM, 0 },
};

/* Behind 0F 38, where there is nothing else that we know. */
#define INVPCID_OPCODE	0x82
static const struct form invpcid = { INSN_INVPCID, MODRM | ONLY_64, 0 };

/* 0F 00 and 0F 01: the reg bits of ModRM say what it is. */
static const uint8_t group[2][8] = {
	{ INSN_SLDT, INSN_STR, INSN_LLDT, INSN_LTR },
	{ INSN_SGDT, INSN_SIDT, INSN_LGDT, INSN_LIDT,
	  INSN_SMSW, INSN_NONE, INSN_LMSW, INSN_INVLPG },
};

static uint8_t group_op(const struct reader *r, const struct insn *insn,
			uint8_t opcode)
{
	uint8_t modrm = r->bytes[r->pos - 1];		/* if !insn->mem */

	if (opcode == 1 && !insn->mem && modrm == 0xc1)
		return INSN_VMCALL;
	if (opcode == 1 && !insn->mem && modrm == 0xd9)
		return INSN_VMMCALL;
	if (opcode == 1 && !insn->mem && r->bits == CODE_64) {
		switch (modrm) {
		case 0xc8:
			return INSN_MONITOR;
		case 0xc9:
			return INSN_MWAIT;
		case 0xca:
			return INSN_CLAC;
		case 0xcb:
			return INSN_STAC;
		case 0xd1:
			return INSN_XSETBV;
		case 0xf8:
			return INSN_SWAPGS;
		}
	}
	return group[opcode][insn->reg & 7];
}

/* The operand of a string instruction. */
static void by_index(struct insn *insn, bool destination)
{
	insn->mem = true;
	insn->base = destination ? EDI : ESI;
	if (destination)
		insn->seg = SREG_ES;	/* whatever the prefix says */
}

/* What an operation makes of its operands. False: there is none with these. */
static bool complete(const struct reader *r, struct insn *insn)
{
	bool code64 = r->bits == CODE_64;

	switch (insn->op) {
	case INSN_NONE:
		return false;
	case INSN_IN: case INSN_OUT:
		if (insn->size == 8)
			insn->size = 4;
		return true;
	case INSN_INS: case INSN_OUTS:
		if (insn->size == 8)
			insn->size = 4;
		by_index(insn, insn->op == INSN_INS);
		return true;
	case INSN_MOVS: case INSN_STOS: case INSN_LODS:
		by_index(insn, insn->op == INSN_STOS);
		return true;
	case INSN_MOV_FROM_CR: case INSN_MOV_TO_CR:
		insn->size = code64 ? 8 : 4;
		return (insn->reg != 1 && insn->reg <= 4) || insn->reg == 8;
	case INSN_MOV_FROM_DR: case INSN_MOV_TO_DR:
		insn->size = code64 ? 8 : 4;
		return insn->reg < 8;
	case INSN_SLDT: case INSN_STR: case INSN_SMSW:
		if (insn->mem)
			insn->size = 2;
		return true;
	case INSN_LLDT: case INSN_LTR: case INSN_LMSW:
		insn->size = 2;
		return true;
	case INSN_MOV_TO_SREG:
		insn->size = 2;
		insn->sreg = insn->reg & 7;
		return insn->sreg <= SREG_GS && insn->sreg != SREG_CS;
	case INSN_POP_SREG:
		if (code64 && insn->size == 4)
			insn->size = 8;
		return true;
	case INSN_SGDT: case INSN_SIDT: case INSN_LGDT: case INSN_LIDT:
		if (code64)
			insn->size = 8;
		return insn->mem;
	case INSN_INVLPG: case INSN_LOAD_FAR:
		return insn->mem;
	case INSN_INVPCID:
		insn->size = 8;
		return insn->mem && r->size && !insn->rep;
	case INSN_XSETBV: case INSN_STAC: case INSN_CLAC:
	case INSN_MONITOR: case INSN_MWAIT:
	case INSN_VMCALL:
		return !r->size && !insn->rep;
	case INSN_MOV_IMM:
		if (insn->size == 8)
			insn->imm = (int32_t)insn->imm;
		return !(insn->reg & 7);
	}
	return true;
}

static void operands(struct reader *r, struct insn *insn, uint8_t opcode,
		     const struct form *f)
{
	if (f->has & (r->bits == CODE_64 ? NOT_64 : ONLY_64))
		return;
	insn->op = f->op;
	insn->sreg = f->sreg;
	insn->port_dx = f->has & DX;
	if ((f->has & BYTE) && !(opcode & 1))
		insn->size = 1;
	if (f->has & FROM)
		insn->from = 1 + (opcode & 1);
	if (f->has & (MODRM | REGS))
		modrm(r, insn, f->has & REGS);
	if (f->has & DIRECT) {
		insn->mem = true;
		insn->disp = fetch(r, insn->addr_size);
	}
	if (f->has & IMM)
		insn->imm = fetch(r, insn->size > 4 ? 4 : insn->size);
	else if (f->has & (IMM8 | IMM16))
		insn->imm = fetch(r, f->has & IMM8 ? 1 : 2);
}

static void behind_0f(struct reader *r, struct insn *insn, uint8_t opcode)
{
	switch (opcode) {
	case 0x00: case 0x01:
		modrm(r, insn, false);
		if (r->error == DECODE_OK)
			insn->op = group_op(r, insn, opcode);
		break;
	case 0x38:
		if (fetch8(r) == INVPCID_OPCODE)
			operands(r, insn, opcode, &invpcid);
		break;
	default:
		operands(r, insn, opcode, &two_byte[opcode]);
	}
}

enum decode_result decode(const uint8_t *bytes, size_t len, enum code_bits bits,
			  struct insn *insn)
{
	struct reader r = { .bytes = bytes, .len = len, .bits = bits };
	uint8_t opcode;

	*insn = (struct insn) {
		.bits = bits, .seg = SREG_DS, .base = REG_NONE,
		.index = REG_NONE, .scale = 1
	};
	opcode = prefixes(&r, insn);
	if (r.error != DECODE_OK)
		return r.error;
	if (opcode == 0x0f)
		behind_0f(&r, insn, fetch8(&r));
	else
		operands(&r, insn, opcode, &one_byte[opcode]);
	if (r.error != DECODE_OK)
		return r.error;
	if (!complete(&r, insn))
		return DECODE_INVALID;
	insn->length = r.pos;
	return DECODE_OK;
}

uint64_t insn_offset(const struct insn *insn, const uint64_t regs[])
{
	uint64_t offset = insn->disp;

	if (insn->base != REG_NONE)
		offset += regs[insn->base];
	if (insn->index != REG_NONE)
		offset += regs[insn->index] * insn->scale;
	switch (insn->addr_size) {
	case 2:
		return offset & 0xffff;
	case 4:
		return offset & UINT32_MAX;
	default:
		return offset;
	}
}

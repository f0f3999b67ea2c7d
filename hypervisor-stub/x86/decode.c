// SPDX-License-Identifier: GPL-2.0-only
/*
 * Instruction decoding after SDM Vol. 2: prefixes (2.1.1), opcode maps
 * (appendix A), ModRM and SIB (2.1.5), for the list in insn.h.
 */
#include "insn.h"

struct reader {
	const uint8_t *bytes;
	size_t len;
	unsigned int pos;
	enum decode_result error;	/* of the first fetch that failed */
};

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

static uint32_t fetch(struct reader *r, unsigned int size)
{
	uint32_t val = 0;
	unsigned int i;

	for (i = 0; i < size; i++)
		val |= (uint32_t)fetch8(r) << (8 * i);
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

static void memory32(struct reader *r, struct insn *insn)
{
	uint8_t base = insn->rm;

	if (base == ESP) {			/* SIB follows */
		uint8_t sib = fetch8(r);

		base = sib & 7;
		if (((sib >> 3) & 7) != ESP) {
			insn->index = (sib >> 3) & 7;
			insn->scale = 1u << (sib >> 6);
		}
	}
	if (base == EBP && insn->mod == 0)
		insn->disp = fetch(r, 4);
	else
		insn->base = base;
	if (insn->mod == 1)
		insn->disp = (int8_t)fetch8(r);
	else if (insn->mod == 2)
		insn->disp = fetch(r, 4);
}

/* registers: whatever the mod bits say (SDM 2B, MOV). */
static void modrm(struct reader *r, struct insn *insn, bool registers)
{
	uint8_t byte = fetch8(r);

	insn->mod = registers ? 3 : byte >> 6;
	insn->reg = (byte >> 3) & 7;
	insn->rm = byte & 7;
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

/* Returns the first byte that is not a prefix. */
static uint8_t prefixes(struct reader *r, struct insn *insn, bool code32)
{
	bool size = false, addr = false, lock = false;

	for (;;) {
		uint8_t byte = fetch8(r);

		switch (byte) {
		case 0x26: case 0x2e: case 0x36: case 0x3e:
			segment(insn, SREG_ES + (byte >> 3 & 3));
			continue;
		case 0x64: case 0x65:
			segment(insn, SREG_FS + (byte & 1));
			continue;
		case 0x66:
			size = true;
			continue;
		case 0x67:
			addr = true;
			continue;
		case 0xf0:
			lock = true;
			continue;
		case 0xf2: case 0xf3:
			insn->rep = byte;
			continue;
		}
		insn->size = code32 != size ? 4 : 2;
		insn->addr_size = code32 != addr ? 4 : 2;
		/* Nothing in the list may be locked. */
		if (lock && r->error == DECODE_OK)
			r->error = DECODE_INVALID;
		return byte;
	}
}

/* ---- the list ------------------------------------------------------------ */

/* What comes with an opcode. */
#define BYTE	0x01	/* an even one is of operands of one byte */
#define MODRM	0x02
#define REGS	0x04	/* the same, of registers alone */
#define DIRECT	0x08	/* an address and nothing else */
#define IMM	0x10	/* of the operand's size */
#define IMM8	0x20
#define IMM16	0x40
#define DX	0x80	/* the port is there */

struct form {
	uint8_t	op;		/* enum insn_op */
	uint8_t	has;
	uint8_t	sreg;		/* enum insn_sreg, for those that load one */
};

static const struct form one_byte[256] = {
	[0x07] = { INSN_POP_SREG, 0, SREG_ES },
	[0x17] = { INSN_POP_SREG, 0, SREG_SS },
	[0x1f] = { INSN_POP_SREG, 0, SREG_DS },
	[0x6c ... 0x6d] = { INSN_INS, BYTE | DX, 0 },
	[0x6e ... 0x6f] = { INSN_OUTS, BYTE | DX, 0 },
	[0x88 ... 0x89] = { INSN_MOV_STORE, BYTE | MODRM, 0 },
	[0x8a ... 0x8b] = { INSN_MOV_LOAD, BYTE | MODRM, 0 },
	[0x8e] = { INSN_MOV_TO_SREG, MODRM, 0 },
	[0xa0 ... 0xa1] = { INSN_MOV_LOAD, BYTE | DIRECT, 0 },	/* of EAX */
	[0xa2 ... 0xa3] = { INSN_MOV_STORE, BYTE | DIRECT, 0 },
	[0xc4] = { INSN_LOAD_FAR, MODRM, SREG_ES },
	[0xc5] = { INSN_LOAD_FAR, MODRM, SREG_DS },
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
	[0x06] = { INSN_CLTS, 0, 0 },
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
	[0xa9] = { INSN_POP_SREG, 0, SREG_GS },
	[0xb2] = { INSN_LOAD_FAR, MODRM, SREG_SS },
	[0xb4] = { INSN_LOAD_FAR, MODRM, SREG_FS },
	[0xb5] = { INSN_LOAD_FAR, MODRM, SREG_GS },
};

/* 0F 00 and 0F 01: the reg bits of ModRM say what it is. */
static const uint8_t group[2][8] = {
	{ INSN_SLDT, INSN_STR, INSN_LLDT, INSN_LTR },
	{ INSN_SGDT, INSN_SIDT, INSN_LGDT, INSN_LIDT,
	  INSN_SMSW, INSN_NONE, INSN_LMSW, INSN_INVLPG },
};

/* What an operation makes of its operands. False: there is none with these. */
static bool complete(struct insn *insn)
{
	switch (insn->op) {
	case INSN_NONE:
		return false;
	case INSN_INS:
		insn->mem = true;
		insn->base = EDI;
		insn->seg = SREG_ES;	/* whatever the prefix says */
		return true;
	case INSN_OUTS:
		insn->mem = true;
		insn->base = ESI;
		return true;
	case INSN_MOV_FROM_CR: case INSN_MOV_TO_CR:
		insn->size = 4;
		return insn->reg != 1 && insn->reg <= 4;
	case INSN_MOV_FROM_DR: case INSN_MOV_TO_DR:
		insn->size = 4;
		return true;
	case INSN_SLDT: case INSN_STR: case INSN_SMSW:
		if (insn->mem)
			insn->size = 2;
		return true;
	case INSN_LLDT: case INSN_LTR: case INSN_LMSW:
		insn->size = 2;
		return true;
	case INSN_MOV_TO_SREG:
		insn->size = 2;
		insn->sreg = insn->reg;
		return insn->reg <= SREG_GS && insn->reg != SREG_CS;
	case INSN_SGDT: case INSN_SIDT: case INSN_LGDT: case INSN_LIDT:
	case INSN_INVLPG: case INSN_LOAD_FAR:
		return insn->mem;
	case INSN_MOV_IMM:
		return !insn->reg;
	}
	return true;
}

static void operands(struct reader *r, struct insn *insn, uint8_t opcode,
		     const struct form *f)
{
	insn->op = f->op;
	insn->sreg = f->sreg;
	insn->port_dx = f->has & DX;
	if ((f->has & BYTE) && !(opcode & 1))
		insn->size = 1;
	if (f->has & (MODRM | REGS))
		modrm(r, insn, f->has & REGS);
	if (f->has & DIRECT) {
		insn->mem = true;
		insn->disp = fetch(r, insn->addr_size);
	}
	if (f->has & (IMM | IMM8 | IMM16))
		insn->imm = fetch(r, f->has & IMM ? insn->size :
				     f->has & IMM8 ? 1 : 2);
}

enum decode_result decode(const uint8_t *bytes, size_t len, bool code32,
			  struct insn *insn)
{
	struct reader r = { .bytes = bytes, .len = len, .error = DECODE_OK };
	const struct form *map = one_byte;
	uint8_t opcode;

	*insn = (struct insn) {
		.seg = SREG_DS, .base = REG_NONE, .index = REG_NONE, .scale = 1
	};
	opcode = prefixes(&r, insn, code32);
	if (r.error != DECODE_OK)
		return r.error;
	if (opcode == 0x0f) {
		map = two_byte;
		opcode = fetch8(&r);
	}
	if (map == two_byte && opcode < 2) {
		modrm(&r, insn, false);
		insn->op = group[opcode][insn->reg];
	} else {
		operands(&r, insn, opcode, &map[opcode]);
	}
	if (r.error != DECODE_OK)
		return r.error;
	if (!complete(insn))
		return DECODE_INVALID;
	insn->length = r.pos;
	return DECODE_OK;
}

uint32_t insn_offset(const struct insn *insn, const uint32_t regs[8])
{
	uint32_t offset = insn->disp;

	if (insn->base != REG_NONE)
		offset += regs[insn->base];
	if (insn->index != REG_NONE)
		offset += regs[insn->index] * insn->scale;
	return insn->addr_size == 2 ? offset & 0xffff : offset;
}

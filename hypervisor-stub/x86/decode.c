// SPDX-License-Identifier: GPL-2.0-only
/*
 * Instruction decoding after SDM Vol. 2: prefixes (2.1.1), opcode maps
 * (appendix A), ModRM and SIB (2.1.5), for the list in decode.h.
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

static void modrm(struct reader *r, struct insn *insn)
{
	uint8_t byte = fetch8(r);

	insn->mod = byte >> 6;
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

/* The operand of A0-A3: an address and nothing else. */
static void direct(struct reader *r, struct insn *insn)
{
	insn->mem = true;
	insn->disp = fetch(r, insn->addr_size);
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
		case 0x26:
			segment(insn, SREG_ES);
			continue;
		case 0x2e:
			segment(insn, SREG_CS);
			continue;
		case 0x36:
			segment(insn, SREG_SS);
			continue;
		case 0x3e:
			segment(insn, SREG_DS);
			continue;
		case 0x64:
			segment(insn, SREG_FS);
			continue;
		case 0x65:
			segment(insn, SREG_GS);
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
		case 0xf2:
		case 0xf3:
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

static void byte_sized(struct insn *insn, uint8_t opcode)
{
	if (!(opcode & 1))
		insn->size = 1;
}

static enum insn_op port_io(struct reader *r, struct insn *insn,
			    uint8_t opcode)
{
	byte_sized(insn, opcode);
	insn->port_dx = opcode & 8;
	if (!insn->port_dx)
		insn->imm = fetch8(r);
	return opcode & 2 ? INSN_OUT : INSN_IN;
}

static enum insn_op string_io(struct insn *insn, uint8_t opcode)
{
	byte_sized(insn, opcode);
	insn->port_dx = true;
	insn->mem = true;
	if (opcode & 2) {
		insn->base = ESI;
		return INSN_OUTS;
	}
	insn->base = EDI;
	insn->seg = SREG_ES;		/* whatever the prefix says */
	return INSN_INS;
}

static enum insn_op pop_sreg(struct insn *insn, enum insn_sreg sreg)
{
	insn->sreg = sreg;
	return INSN_POP_SREG;
}

static enum insn_op load_far(struct reader *r, struct insn *insn,
			     enum insn_sreg sreg)
{
	modrm(r, insn);
	insn->sreg = sreg;
	return insn->mem ? INSN_LOAD_FAR : INSN_NONE;
}

static enum insn_op mov_sreg(struct reader *r, struct insn *insn)
{
	modrm(r, insn);
	insn->size = 2;
	insn->sreg = insn->reg;
	return insn->reg > SREG_GS || insn->reg == SREG_CS ?
		INSN_NONE : INSN_MOV_TO_SREG;
}

static enum insn_op mov(struct reader *r, struct insn *insn, uint8_t opcode)
{
	byte_sized(insn, opcode);
	modrm(r, insn);
	return opcode & 2 ? INSN_MOV_LOAD : INSN_MOV_STORE;
}

static enum insn_op mov_direct(struct reader *r, struct insn *insn,
			       uint8_t opcode)
{
	byte_sized(insn, opcode);
	insn->reg = EAX;
	direct(r, insn);
	return opcode & 2 ? INSN_MOV_STORE : INSN_MOV_LOAD;
}

static enum insn_op mov_imm(struct reader *r, struct insn *insn,
			    uint8_t opcode)
{
	byte_sized(insn, opcode);
	modrm(r, insn);
	insn->imm = fetch(r, insn->size);
	return insn->reg ? INSN_NONE : INSN_MOV_IMM;
}

/* The mod bits do not count: always a register (SDM 2B, MOV). */
static enum insn_op mov_special(struct reader *r, struct insn *insn,
				uint8_t opcode)
{
	static const enum insn_op op[4] = {
		INSN_MOV_FROM_CR, INSN_MOV_FROM_DR,
		INSN_MOV_TO_CR, INSN_MOV_TO_DR
	};
	uint8_t byte = fetch8(r);

	insn->mod = 3;
	insn->reg = (byte >> 3) & 7;
	insn->rm = byte & 7;
	insn->size = 4;
	/* CR1 and CR5-7 do not exist. */
	if (!(opcode & 1) && (insn->reg == 1 || insn->reg > 4))
		return INSN_NONE;
	return op[opcode & 3];
}

/* 0F 00: the local table and task registers. */
static enum insn_op group6(struct reader *r, struct insn *insn)
{
	static const enum insn_op op[8] = {
		INSN_SLDT, INSN_STR, INSN_LLDT, INSN_LTR
	};

	modrm(r, insn);
	if (insn->mem || insn->reg >= 2)
		insn->size = 2;
	return op[insn->reg];
}

/* 0F 01: the tables, the machine status word, INVLPG. */
static enum insn_op group7(struct reader *r, struct insn *insn)
{
	static const enum insn_op memory[8] = {
		INSN_SGDT, INSN_SIDT, INSN_LGDT, INSN_LIDT,
		INSN_SMSW, INSN_NONE, INSN_LMSW, INSN_INVLPG
	};

	modrm(r, insn);
	switch (insn->reg) {
	case 4:
		if (insn->mem)
			insn->size = 2;
		return INSN_SMSW;
	case 6:
		insn->size = 2;
		return INSN_LMSW;
	}
	return insn->mem ? memory[insn->reg] : INSN_NONE;
}

static enum insn_op two_byte(struct reader *r, struct insn *insn)
{
	uint8_t opcode = fetch8(r);

	switch (opcode) {
	case 0x00:
		return group6(r, insn);
	case 0x01:
		return group7(r, insn);
	case 0x06:
		return INSN_CLTS;
	case 0x08:
		return INSN_INVD;
	case 0x09:
		return INSN_WBINVD;
	case 0x20:
	case 0x21:
	case 0x22:
	case 0x23:
		return mov_special(r, insn, opcode);
	case 0x30:
		return INSN_WRMSR;
	case 0x31:
		return INSN_RDTSC;
	case 0x32:
		return INSN_RDMSR;
	case 0x33:
		return INSN_RDPMC;
	case 0x34:
		return INSN_SYSENTER;
	case 0x35:
		return INSN_SYSEXIT;
	case 0xa1:
		return pop_sreg(insn, SREG_FS);
	case 0xa9:
		return pop_sreg(insn, SREG_GS);
	case 0xb2:
		return load_far(r, insn, SREG_SS);
	case 0xb4:
		return load_far(r, insn, SREG_FS);
	case 0xb5:
		return load_far(r, insn, SREG_GS);
	}
	return INSN_NONE;
}

static enum insn_op one_byte(struct reader *r, struct insn *insn,
			     uint8_t opcode)
{
	switch (opcode) {
	case 0x07:
		return pop_sreg(insn, SREG_ES);
	case 0x0f:
		return two_byte(r, insn);
	case 0x17:
		return pop_sreg(insn, SREG_SS);
	case 0x1f:
		return pop_sreg(insn, SREG_DS);
	case 0x6c:
	case 0x6d:
	case 0x6e:
	case 0x6f:
		return string_io(insn, opcode);
	case 0x88:
	case 0x89:
	case 0x8a:
	case 0x8b:
		return mov(r, insn, opcode);
	case 0x8e:
		return mov_sreg(r, insn);
	case 0xa0:
	case 0xa1:
	case 0xa2:
	case 0xa3:
		return mov_direct(r, insn, opcode);
	case 0xc4:
		return load_far(r, insn, SREG_ES);
	case 0xc5:
		return load_far(r, insn, SREG_DS);
	case 0xc6:
	case 0xc7:
		return mov_imm(r, insn, opcode);
	case 0xca:
		insn->imm = fetch(r, 2);
		return INSN_RET_FAR;
	case 0xcb:
		return INSN_RET_FAR;
	case 0xcd:
		insn->imm = fetch8(r);
		return INSN_INT;
	case 0xcf:
		return INSN_IRET;
	case 0xe4:
	case 0xe5:
	case 0xe6:
	case 0xe7:
	case 0xec:
	case 0xed:
	case 0xee:
	case 0xef:
		return port_io(r, insn, opcode);
	case 0xf4:
		return INSN_HLT;
	case 0xfa:
		return INSN_CLI;
	case 0xfb:
		return INSN_STI;
	}
	return INSN_NONE;
}

enum decode_result decode(const uint8_t *bytes, size_t len, bool code32,
			  struct insn *insn)
{
	struct reader r = { .bytes = bytes, .len = len, .error = DECODE_OK };
	uint8_t opcode;

	*insn = (struct insn) {
		.seg = SREG_DS, .base = REG_NONE, .index = REG_NONE, .scale = 1
	};
	opcode = prefixes(&r, insn, code32);
	if (r.error != DECODE_OK)
		return r.error;
	insn->op = one_byte(&r, insn, opcode);
	if (r.error != DECODE_OK)
		return r.error;
	if (insn->op == INSN_NONE)
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

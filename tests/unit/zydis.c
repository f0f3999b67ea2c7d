// SPDX-License-Identifier: GPL-2.0-only
/* The decoder against Zydis: what it makes of some bytes must be the same. */
#include <stdio.h>
#include <string.h>

#include <Zydis/Zydis.h>

#include "testing.h"
#include "zydis.h"

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
	switch (reg) {
	case ZYDIS_REGISTER_NONE: return REG_NONE;
	case ZYDIS_REGISTER_RIP:
	case ZYDIS_REGISTER_EIP: return REG_RIP;
	default: return ZydisRegisterGetId(reg);
	}
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

static uint8_t name_of(const ZydisDecodedInstruction *z,
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
	case ZYDIS_MNEMONIC_MOVSB: case ZYDIS_MNEMONIC_MOVSW:
	case ZYDIS_MNEMONIC_MOVSQ: return INSN_MOVS;
	case ZYDIS_MNEMONIC_MOVSD:	/* and one of SSE2 */
		return z->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT ? INSN_MOVS :
								   INSN_NONE;
	case ZYDIS_MNEMONIC_STOSB: case ZYDIS_MNEMONIC_STOSW:
	case ZYDIS_MNEMONIC_STOSD: case ZYDIS_MNEMONIC_STOSQ:
		return INSN_STOS;
	case ZYDIS_MNEMONIC_LODSB: case ZYDIS_MNEMONIC_LODSW:
	case ZYDIS_MNEMONIC_LODSD: case ZYDIS_MNEMONIC_LODSQ:
		return INSN_LODS;
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
	case ZYDIS_MNEMONIC_RET:
		return far ? INSN_RET_FAR : INSN_NONE;
	case ZYDIS_MNEMONIC_IRET:
	case ZYDIS_MNEMONIC_IRETD:
	case ZYDIS_MNEMONIC_IRETQ: return INSN_IRET;
	case ZYDIS_MNEMONIC_INT: return INSN_INT;
	case ZYDIS_MNEMONIC_SYSENTER: return INSN_SYSENTER;
	case ZYDIS_MNEMONIC_SYSCALL: return INSN_SYSCALL;
	case ZYDIS_MNEMONIC_SYSEXIT: return INSN_SYSEXIT;
	case ZYDIS_MNEMONIC_MOV: return mov_of(z);
	case ZYDIS_MNEMONIC_MOVZX: return INSN_MOVZX;
	case ZYDIS_MNEMONIC_MOVSX: return INSN_MOVSX;
	case ZYDIS_MNEMONIC_POP:
		return ops[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
			sreg_of(ops[0].reg.value) != 0xff ?
			INSN_POP_SREG : INSN_NONE;
	case ZYDIS_MNEMONIC_SWAPGS: return INSN_SWAPGS;
	case ZYDIS_MNEMONIC_SYSRET: return INSN_SYSRET;
	case ZYDIS_MNEMONIC_XSETBV: return INSN_XSETBV;
	case ZYDIS_MNEMONIC_STAC: return INSN_STAC;
	case ZYDIS_MNEMONIC_CLAC: return INSN_CLAC;
	case ZYDIS_MNEMONIC_INVPCID: return INSN_INVPCID;
	case ZYDIS_MNEMONIC_MONITOR: return INSN_MONITOR;
	case ZYDIS_MNEMONIC_MWAIT: return INSN_MWAIT;
	case ZYDIS_MNEMONIC_CPUID: return INSN_CPUID;
	case ZYDIS_MNEMONIC_VMCALL: return INSN_VMCALL;
	case ZYDIS_MNEMONIC_VMMCALL: return INSN_VMMCALL;
	default: return INSN_NONE;
	}
}

static uint8_t op_of(const ZydisDecodedInstruction *z,
		     const ZydisDecodedOperand *ops)
{
	uint8_t op = name_of(z, ops);

	return op >= INSN_SWAPGS &&
		z->machine_mode != ZYDIS_MACHINE_MODE_LONG_64 ? INSN_NONE : op;
}

static const uint8_t *current;
static enum code_bits current_bits;

/* CHECK_EQ() that says for which bytes. */
static void same(const char *what, uint64_t ours, uint64_t theirs)
{
	char text[64] = "";
	int i;

	if (ours == theirs)
		return;
	for (i = 0; i < INSN_MAX + 1; i++)
		sprintf(text + 3 * i, "%02x ", current[i]);
	check_failed(__FILE__, __LINE__, "%s: %s is %llx, Zydis says %llx (%d-bit code)", text, what,
		     (unsigned long long)ours, (unsigned long long)theirs,
		     16 << current_bits);
}

/* Zydis 4.0 takes R13D, but not R13, for a base where there is a displacement
 * instead (SDM Vol. 2, table 2-5). */
static bool no_base(const ZydisDecodedInstruction *z,
		    const ZydisDecodedOperand *op)
{
	return op->mem.base == ZYDIS_REGISTER_R13D && !z->raw.modrm.mod;
}

static void same_memory(const struct insn *insn,
			const ZydisDecodedInstruction *z,
			const ZydisDecodedOperand *op)
{
	unsigned int addr_size = z->address_width / 8;
	uint64_t disp = no_base(z, op) ? z->raw.disp.value : op->mem.disp.value;
	uint64_t mask = addr_size == 2 ? 0xffff :
			addr_size == 4 ? 0xffffffff : UINT64_MAX;

	same("memory", insn->mem, true);
	same("segment", insn->seg, sreg_of(op->mem.segment));
	same("base", insn->base,
	     no_base(z, op) ? REG_NONE : gpr_of(op->mem.base));
	same("index", insn->index, gpr_of(op->mem.index));
	if (op->mem.index != ZYDIS_REGISTER_NONE)
		same("scale", insn->scale, op->mem.scale ? op->mem.scale : 1);
	same("displacement", insn->disp & mask, disp & mask);
}

/* Is it a register with a number of its own in ModRM, extended by REX? */
static bool is_number(const ZydisDecodedOperand *op,
		      ZydisOperandEncoding where)
{
	return op->type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       op->encoding == where && op->size > 8 &&
	       sreg_of(op->reg.value) == 0xff;
}

static bool is_string(uint8_t op)
{
	return op == INSN_INS || op == INSN_OUTS || op == INSN_MOVS ||
	       op == INSN_STOS || op == INSN_LODS;
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
			!is_string(insn->op);

		if (insn->op == INSN_MOVS && !i)
			continue;	/* our operand is what it reads */

		if (op->type == ZYDIS_OPERAND_TYPE_MEMORY && !stack) {
			mem = true;
			same_memory(insn, z, op);
		} else if (op->type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
			same("immediate", insn->imm, insn->size == 8 ?
			     op->imm.value.u :
			     op->imm.value.u & (UINT64_MAX >> (64 - op->size)));
		} else if (is_number(op, ZYDIS_OPERAND_ENCODING_MODRM_REG)) {
			same("reg", insn->reg, ZydisRegisterGetId(op->reg.value));
		} else if (is_number(op, ZYDIS_OPERAND_ENCODING_MODRM_RM)) {
			same("rm", insn->rm, ZydisRegisterGetId(op->reg.value));
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
		break;
	case INSN_MOVZX:
	case INSN_MOVSX:
		same("size", insn->size * 8, ops[0].size);
		same("size read", insn->from * 8, ops[1].size);
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
	case INSN_MOVS: case INSN_STOS: case INSN_LODS:
		same("size", insn->size * 8, z->operand_width);
		break;
	case INSN_SGDT: case INSN_SIDT: case INSN_LGDT: case INSN_LIDT:
		if (current_bits == CODE_64)
			same("size", insn->size, 8);
		break;
	case INSN_LOAD_FAR:
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
		same("size", insn->size, current_bits == CODE_64 ? 8 : 4);
		break;
	default:
		if (z->attributes & ZYDIS_ATTRIB_HAS_MODRM)
			same("mod", insn->mod, z->raw.modrm.mod);
	}
	if (!(z->attributes & ZYDIS_ATTRIB_HAS_MODRM))
		return;
	same("reg", insn->reg & 7, z->raw.modrm.reg);
	same("rm", insn->rm & 7, z->raw.modrm.rm);
}

static void same_prefixes(const struct insn *insn,
			  const ZydisDecodedInstruction *z)
{
	bool seg = false;
	uint8_t rep = 0;
	int i;

	for (i = 0; i < z->raw.prefix_count; i++) {
		switch (z->raw.prefixes[i].value) {
		case 0xf2:
		case 0xf3:
			rep = z->raw.prefixes[i].value;
			break;
		case 0x26: case 0x2e: case 0x36: case 0x3e:
			seg |= current_bits != CODE_64;
			break;
		case 0x64: case 0x65:
			seg = true;
			break;
		}
	}
	same("rep", insn->rep, rep);
	same("segment prefix", insn->seg_prefix, seg);
	same("address size", insn->addr_size * 8, z->address_width);
}

static const ZydisDecoder *decoder(enum code_bits bits)
{
	static ZydisDecoder zydis[3];
	int i;

	if (zydis[1].machine_mode == ZYDIS_MACHINE_MODE_LEGACY_32)
		return &zydis[bits];
	ZydisDecoderInit(&zydis[0], ZYDIS_MACHINE_MODE_LEGACY_16,
			 ZYDIS_STACK_WIDTH_16);
	ZydisDecoderInit(&zydis[1], ZYDIS_MACHINE_MODE_LEGACY_32,
			 ZYDIS_STACK_WIDTH_32);
	ZydisDecoderInit(&zydis[2], ZYDIS_MACHINE_MODE_LONG_64,
			 ZYDIS_STACK_WIDTH_64);
	/* Without WBNOINVD in CPUID its encoding is that of WBINVD. */
	for (i = 0; i < 3; i++)
		ZydisDecoderEnableMode(&zydis[i], ZYDIS_DECODER_MODE_WBNOINVD,
				       ZYAN_FALSE);
	return &zydis[bits];
}

enum insn_op zydis_compare(const uint8_t bytes[ZYDIS_BYTES],
			   enum code_bits bits)
{
	const ZydisDecoder *zydis = decoder(bits);
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction z;
	struct insn insn, part;
	enum decode_result result;
	unsigned int i;
	bool ok;

	current = bytes;
	current_bits = bits;
	ok = ZYAN_SUCCESS(ZydisDecoderDecodeFull(zydis, bytes, ZYDIS_BYTES,
						    &z, ops)) &&
		op_of(&z, ops) != INSN_NONE;
	result = decode(bytes, ZYDIS_BYTES, bits, &insn);
	same("validity", result == DECODE_OK, ok);
	if (!ok) {
		same("result", result, DECODE_INVALID);
		return INSN_NONE;
	}
	same("operation", insn.op, op_of(&z, ops));
	same("length", insn.length, z.length);
	same_prefixes(&insn, &z);
	same_registers(&insn, &z);
	same_operands(&insn, &z, ops);
	same_size(&insn, &z, ops);
	/* With less it asks for more, and reads nothing beyond (ASan). */
	for (i = 0; i < insn.length; i++)
		same("truncated result", decode(bytes, i, bits, &part),
		     DECODE_MORE);
	same("exact result", decode(bytes, i, bits, &part), DECODE_OK);
	same("part", memcmp(&part, &insn, sizeof(insn)), 0);
	return insn.op;
}

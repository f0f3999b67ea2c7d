/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Decoder for the instructions that the hypervisor emulates: those that
 * trap in a guest kernel at ring 1, and plain moves to and from memory.
 * A closed list, see enum insn_op.
 */
#ifndef INSN_H
#define INSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <arch.h>

#define INSN_MAX	15	/* SDM 2A 2.3.11 */

enum insn_op {
	INSN_NONE,
	INSN_CLI, INSN_STI, INSN_HLT,
	INSN_IN, INSN_OUT,		/* port: imm, or DX when port_dx */
	INSN_INS, INSN_OUTS,		/* port DX; memory operand set */
	INSN_MOV_FROM_CR, INSN_MOV_TO_CR,	/* reg: CR; rm: register */
	INSN_MOV_FROM_DR, INSN_MOV_TO_DR,
	INSN_CLTS, INSN_INVD, INSN_WBINVD,
	INSN_RDMSR, INSN_WRMSR, INSN_RDPMC, INSN_RDTSC,
	INSN_LGDT, INSN_LIDT, INSN_SGDT, INSN_SIDT,	/* memory */
	INSN_SMSW, INSN_LMSW,		/* rm or memory */
	INSN_INVLPG,			/* memory, address alone */
	INSN_LLDT, INSN_LTR, INSN_SLDT, INSN_STR,	/* rm or memory */
	INSN_MOV_TO_SREG,		/* sreg from rm or memory, 16 bits */
	INSN_POP_SREG,			/* sreg */
	INSN_LOAD_FAR,			/* sreg:reg from memory: LDS ... LSS */
	INSN_RET_FAR,			/* imm: bytes of arguments to drop */
	INSN_IRET,
	INSN_INT,			/* imm: vector */
	INSN_SYSENTER, INSN_SYSEXIT,
	INSN_MOV_LOAD,			/* reg from rm or memory */
	INSN_MOV_STORE,			/* reg to rm or memory */
	INSN_MOV_IMM,			/* imm to rm or memory */
	INSN_MOVZX, INSN_MOVSX,		/* reg from rm or memory of fewer bytes */
	INSN_MOVS, INSN_STOS, INSN_LODS, /* memory operand set; of MOVS what is read */
	INSN_CPUID, INSN_VMCALL, INSN_VMMCALL, INSN_SYSCALL,
	/* These in 64-bit code alone. */
	INSN_SWAPGS, INSN_SYSRET,
	INSN_XSETBV, INSN_STAC, INSN_CLAC,
	INSN_INVPCID,			/* reg: type; memory: descriptor */
	INSN_MONITOR, INSN_MWAIT,
	INSN_OPS
};

/* The code segment's D and L bits. */
enum code_bits { CODE_16, CODE_32, CODE_64 };

/* Where there may be a register (arch.h). */
#define REG_RIP		16	/* of the next instruction */
#define REG_NONE	0xff

enum insn_sreg {
	SREG_ES, SREG_CS, SREG_SS, SREG_DS, SREG_FS, SREG_GS
};

struct insn {
	uint8_t	op;		/* enum insn_op */
	uint8_t	length;
	uint8_t	bits;		/* enum code_bits */
	/*
	 * Bytes of the operand: 1, 2, 4 or 8. For LGDT and its kind, far
	 * returns, IRET and POP it is the operand size, 2, 4 or 8. At size 1,
	 * register numbers 4-7 mean AH, CH, DH, BH, or SPL to DIL with a REX
	 * prefix.
	 */
	uint8_t	size;
	uint8_t	from;		/* MOVZX, MOVSX: bytes of what is read, 1 or 2 */
	bool	rex;		/* it has such a prefix */
	uint8_t	addr_size;	/* 2, 4, 8; also the size of ECX under rep */
	uint8_t	rep;		/* 0, or the last of f2h (repne), f3h (rep) */
	bool	seg_prefix;	/* seg comes from a prefix */
	bool	port_dx;
	uint8_t	mod;		/* ModRM, 0 where there is none */
	uint8_t	reg;
	uint8_t	rm;		/* register, when mem is false */
	uint8_t	sreg;		/* enum insn_sreg, for those that load one */
	bool	mem;		/* the operand below is valid */
	uint8_t	seg;		/* enum insn_sreg of the memory operand */
	uint8_t	base;		/* register, REG_RIP or REG_NONE */
	uint8_t	index;		/* register or REG_NONE */
	uint8_t	scale;		/* 1, 2, 4, 8 */
	uint64_t disp;		/* sign extended; A0-A3: zero extended */
	uint64_t imm;		/* zero extended; MOV_IMM of size 8: from 4
				 * bytes, sign extended */
};

enum decode_result {
	DECODE_OK,
	DECODE_MORE,		/* the instruction goes on beyond the bytes */
	/*
	 * Not in the list, or not an instruction. The processor has raised
	 * the exception that is due before we looked: pass that one on.
	 */
	DECODE_INVALID,
};

/*
 * Decode what starts at bytes; reads at most len (and at most INSN_MAX) of
 * them. On anything but DECODE_OK *insn is not to be used.
 */
enum decode_result decode(const uint8_t *bytes, size_t len, enum code_bits bits,
			  struct insn *insn);

/*
 * Offset of the memory operand in its segment; regs in the order of
 * arch.h, with 64-bit code all of them, and REG_RIP. It wraps at 64 KB, 4 GB or
 * 2^64 with addr_size.
 */
uint64_t insn_offset(const struct insn *insn, const uint64_t regs[]);

#endif

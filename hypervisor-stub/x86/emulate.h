/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files that emulate instructions share: their operands. */
#ifndef EMULATE_H
#define EMULATE_H

#include "x86.h"

/* How an instruction went. */
enum outcome {
	REFUSED,		/* not carried out: the exception is the guest's */
	DONE,			/* the next one is behind it */
	MOVED,			/* eip is where it has to be */
	AGAIN,			/* not now, nothing has changed: the guest
				 * executes it again */
};

/* The instruction at eip. False: not one of the list, or not to be read. */
bool insn_fetch(struct vcpu *v, struct insn *in);

uint16_t read_sreg(struct vcpu *v, int sreg);
/* The linear address of the memory operand. */
gva_t operand(struct vcpu *v, const struct insn *in);
uint64_t get_reg(struct vcpu *v, int reg);
/* As an instruction of this operand size writes it: 4 bytes clear the others. */
void set_reg(struct vcpu *v, int reg, uint64_t val, int size);
/* RIP and RSP wrap where the registers of the guest do. */
void wrap(struct vcpu *v);
/*
 * May the guest, at its ring, touch these bytes, the memory operand? Accessed and
 * dirty bits are set as the access would; false: it was told of the fault.
 */
bool may_touch(struct vcpu *v, const struct insn *in, gva_t va, uint32_t size,
	       bool write);
/* The operand named by ModRM. False: it faulted, and the guest was told. */
bool get_rm(struct vcpu *v, const struct insn *in, uint64_t *val, int size);
bool set_rm(struct vcpu *v, const struct insn *in, uint64_t val, int size);

/* Does the count of a string instruction with REP say that nothing is left? */
bool string_is_over(const struct vcpu *v, const struct insn *in);
/* One element is done: its registers are those of the next, and RIP is behind the
 * instruction if there is none. */
void string_next(struct vcpu *v, const struct insn *in);

/* Whoever watches has it first: AGAIN. */
static inline bool insn_told(struct vcpu *v, const struct insn *in)
{
	return v->watched && v->watch->insn(v, in->op);
}

/* An access that no device of ours answers: who else does. BUS_AGAIN: the
 * instruction is carried out again, by emulate_answered(). */
enum bus_result ask_elsewhere(struct vcpu *v, const struct insn *in,
			      struct access *a);

enum outcome emulate_port(struct vcpu *v, struct insn *in);
enum outcome emulate_port_string(struct vcpu *v, struct insn *in);

/* An access to a device's memory. False: not by an instruction that can be, or
 * nobody is there; nothing was done. */
bool emulate_memory(struct vcpu *v, struct insn *in, gpa_t pa, bool write);

/* By enum insn_op: what is not as in other guests (emulate64.c). */
extern enum outcome (*const carry_out_wide[INSN_OPS])(struct vcpu *,
						      struct insn *);

#endif

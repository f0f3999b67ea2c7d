// SPDX-License-Identifier: GPL-2.0-only
/* An instruction of the guest: its bytes, its registers, its memory. */
#include <cpu.h>

#include "emulate.h"

/* ---- segments ----------------------------------------------------------- */

uint16_t read_sreg(struct vcpu *v, int sreg)
{
	switch (sreg) {
	case SREG_CS:
		return v->regs->cs;
	case SREG_SS:
		return v->regs->ss;
	case SREG_DS:
		return read_ds();
	case SREG_ES:
		return read_es();
	case SREG_FS:
		return read_fs();
	default:
		return read_gs();
	}
}

static uint32_t seg_base(struct vcpu *v, int sreg)
{
	return desc_base(desc_lookup(v, read_sreg(v, sreg)));
}

gva32_t operand(struct vcpu *v, const struct insn *in)
{
	uint64_t regs[8];
	int i;

	for (i = 0; i < 8; i++)
		regs[i] = v->regs->gpr[i];
	regs[ESP] = v->regs->rsp;
	return seg_base(v, in->seg) + insn_offset(in, regs);
}

/* ---- registers and memory ----------------------------------------------- */

uint32_t get_reg(struct vcpu *v, int reg)
{
	return reg == ESP ? (uint32_t)v->regs->rsp : v->regs->gpr[reg];
}

void set_reg(struct vcpu *v, int reg, uint32_t val, int size)
{
	uint32_t mask = size == 4 ? UINT32_MAX : (1u << size * 8) - 1;

	val = (get_reg(v, reg) & ~mask) | (val & mask);
	if (reg == ESP)
		v->regs->rsp = val;
	else
		v->regs->gpr[reg] = val;
}

bool may_touch(struct vcpu *v, gva32_t va, uint32_t size, bool write)
{
	gva32_t last = va + size - 1, at = va;
	uint32_t error;
	gpa_t bus;

	for (;;) {
		error = (write ? PF_W : 0) |
			(regs_ring(v->regs) == 3 ? PF_U : 0);
		if (at > v->mmu.guest_last ||
		    mmu_fault(&v->mmu, at, &error, &bus) != FAULT_FIXED) {
			event_page_fault(v, at, error);
			return false;
		}
		if ((at ^ last) < PAGE_SIZE)
			return true;
		at = last & ~(PAGE_SIZE - 1);
	}
}

bool get_rm(struct vcpu *v, const struct insn *in, uint32_t *val, int size)
{
	gva32_t va;

	*val = 0;
	if (!in->mem) {
		*val = get_reg(v, in->rm);
		return true;
	}
	va = operand(v, in);
	return may_touch(v, va, size, false) && guest_read(&v->mmu, val, va, size);
}

bool set_rm(struct vcpu *v, const struct insn *in, uint32_t val, int size)
{
	gva32_t va;

	if (!in->mem) {
		/* With a register these write 32 bits at operand size 4. */
		set_reg(v, in->rm, val, in->size);
		return true;
	}
	va = operand(v, in);
	return may_touch(v, va, size, true) && guest_write(&v->mmu, va, &val, size);
}

/* ---- the instruction ----------------------------------------------------- */

bool insn_fetch(struct vcpu *v, struct insn *in)
{
	uint8_t bytes[INSN_MAX];
	uint64_t cs = desc_lookup(v, v->regs->cs);
	gva32_t at = desc_base(cs) + (uint32_t)v->regs->rip;
	uint32_t page = PAGE_SIZE - at % PAGE_SIZE;
	uint32_t len = page < INSN_MAX ? page : INSN_MAX;
	enum code_bits bits = cs & DESC_D ? CODE_32 : CODE_16;
	enum decode_result res;

	/* The ROM runs where guest_read() must not look. */
	if (at > v->mmu.guest_last) {
		if (at < v->rom->base || at >= v->rom->end)
			return false;
		len = v->rom->end - at;
		len = len < INSN_MAX ? len : INSN_MAX;
		return decode(v->rom->image + (at - v->rom->base), len, CODE_32, in) ==
		       DECODE_OK;
	}
	if (!guest_read(&v->mmu, bytes, at, len))
		return false;
	res = decode(bytes, len, bits, in);
	if (res == DECODE_MORE && len < INSN_MAX &&
	    guest_read(&v->mmu, bytes + len, at + len, INSN_MAX - len))
		res = decode(bytes, INSN_MAX, bits, in);
	return res == DECODE_OK;
}

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

/* In 64-bit code FS and GS alone have one, which no descriptor says (SDM Vol. 3,
 * 3.4.4). */
static uint64_t seg_base(struct vcpu *v, const struct insn *in)
{
	if (v->wide && in->seg >= SREG_FS)
		return rdmsr(in->seg == SREG_FS ? MSR_FS_BASE : MSR_GS_BASE);
	if (in->bits == CODE_64)
		return 0;
	return desc_base(desc_lookup(v, read_sreg(v, in->seg)));
}

gva_t operand(struct vcpu *v, const struct insn *in)
{
	uint64_t regs[REG_RIP + 1];
	gva_t va;
	int i;

	for (i = 0; i < GPRS; i++)
		regs[i] = v->regs->gpr[i];
	regs[ESP] = v->regs->rsp;
	regs[REG_RIP] = v->regs->rip + in->length;
	va = seg_base(v, in) + insn_offset(in, regs);
	return in->bits == CODE_64 ? va : (uint32_t)va;
}

/* ---- registers and memory ----------------------------------------------- */

static uint64_t *gpr(struct vcpu *v, int reg)
{
	return reg == ESP ? &v->regs->rsp : &v->regs->gpr[reg];
}

uint64_t get_reg(struct vcpu *v, int reg)
{
	return *gpr(v, reg);
}

void set_reg(struct vcpu *v, int reg, uint64_t val, int size)
{
	uint64_t *at = gpr(v, reg), mask;

	if (size < 4) {
		mask = (1u << size * 8) - 1;
		*at = (*at & ~mask) | (val & mask);
	} else {
		*at = size == 4 ? (uint32_t)val : val;
	}
}

void wrap(struct vcpu *v)
{
	if (v->wide)
		return;
	v->regs->rip &= UINT32_MAX;
	v->regs->rsp &= UINT32_MAX;
}

static enum fault access_fault(struct vcpu *v, gva_t va, uint32_t *error)
{
	uint32_t access = *error;
	enum fault fault;
	gpa_t bus;

	if (!v->wide && va > v->mmu.guest_last)
		return FAULT_GUEST;
	fault = v->wide ? long_fault(&v->mmu, va, error, &bus) :
			  mmu_fault(&v->mmu, va, error, &bus);
	if (fault > FAULT_GUEST && mm_has_views(v->mmu.mm) &&
	    watch_open(v, va, access))
		return FAULT_FIXED;
	return fault;
}

static bool canonical(struct vcpu *v, const struct insn *in, gva_t va,
		      uint32_t size)
{
	if (in->bits != CODE_64 ||
	    (is_canonical(va) && is_canonical(va + size - 1)))
		return true;
	event_exception_error(v, in->seg == SREG_SS ? VEC_SS : VEC_GP, 0);
	return false;
}

bool may_touch(struct vcpu *v, const struct insn *in, gva_t va, uint32_t size,
	       bool write)
{
	gva_t last = va + size - 1, at = va;
	uint32_t error;

	if (!canonical(v, in, va, size))
		return false;
	for (;;) {
		error = (write ? PF_W : 0) |
			(regs_ring(v->regs) == 3 ? PF_U : 0);
		if (access_fault(v, at, &error) != FAULT_FIXED) {
			if (v->wide)
				wide_page_fault(v, at, error);
			else
				event_page_fault(v, at, error);
			return false;
		}
		if ((at ^ last) < PAGE_SIZE)
			return true;
		at = last & ~(gva_t)(PAGE_SIZE - 1);
	}
}

bool get_rm(struct vcpu *v, const struct insn *in, uint64_t *val, int size)
{
	gva_t va;

	*val = 0;
	if (!in->mem) {
		*val = get_reg(v, in->rm);
		return true;
	}
	va = operand(v, in);
	return may_touch(v, in, va, size, false) &&
	       guest_read(&v->mmu, val, va, size);
}

bool set_rm(struct vcpu *v, const struct insn *in, uint64_t val, int size)
{
	gva_t va;

	if (!in->mem) {
		/* With a register these write its operand size. */
		set_reg(v, in->rm, val, in->size);
		return true;
	}
	va = operand(v, in);
	return may_touch(v, in, va, size, true) &&
	       guest_write(&v->mmu, va, &val, size);
}

/* ---- strings ------------------------------------------------------------- */

bool string_is_over(const struct vcpu *v, const struct insn *in)
{
	uint64_t mask = UINT64_MAX >> (64 - in->addr_size * 8);

	return in->rep && !(v->regs->gpr[ECX] & mask);
}

void string_next(struct vcpu *v, const struct insn *in)
{
	struct regs *r = v->regs;
	int64_t step = r->rflags & EFLAGS_DF ? -in->size : in->size;

	set_reg(v, in->base, r->gpr[in->base] + step, in->addr_size);
	if (in->op == INSN_MOVS)
		set_reg(v, EDI, r->gpr[EDI] + step, in->addr_size);
	if (in->rep)
		set_reg(v, ECX, r->gpr[ECX] - 1, in->addr_size);
	if (!in->rep || string_is_over(v, in))
		r->rip += in->length;
}

/* ---- the instruction ----------------------------------------------------- */

bool insn_fetch(struct vcpu *v, struct insn *in)
{
	uint8_t bytes[INSN_MAX];
	uint64_t cs = desc_lookup(v, v->regs->cs);
	enum code_bits bits = cs & DESC_L ? CODE_64 :
			      cs & DESC_D ? CODE_32 : CODE_16;
	gva_t at = v->regs->rip;
	uint32_t page, len;
	enum decode_result res;

	if (bits != CODE_64)
		at = (uint32_t)(desc_base(cs) + at);
	page = PAGE_SIZE - at % PAGE_SIZE;
	len = page < INSN_MAX ? page : INSN_MAX;
	/* The ROM runs where guest_read() must not look. */
	if (v->wide ? !long_own(&v->mmu, at) : at > v->mmu.guest_last) {
		if (at < v->rom->base || at >= v->rom->end)
			return false;
		len = v->rom->end - at;
		len = len < INSN_MAX ? len : INSN_MAX;
		return decode(v->rom->image + (at - v->rom->base), len, bits,
			      in) == DECODE_OK;
	}
	if (!guest_read(&v->mmu, bytes, at, len))
		return false;
	res = decode(bytes, len, bits, in);
	if (res == DECODE_MORE && len < INSN_MAX &&
	    guest_read(&v->mmu, bytes + len, at + len, INSN_MAX - len))
		res = decode(bytes, INSN_MAX, bits, in);
	return res == DECODE_OK;
}

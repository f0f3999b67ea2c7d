// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of devices, by the instructions that drivers and the compiler's copies use
 * for it: MOV, MOVZX, MOVSX, and MOVS, STOS and LODS one element at a time, for whose
 * next one the guest comes back here.
 */
#include <cpu.h>

#include "emulate.h"

static bool is_string(const struct insn *in)
{
	return in->op == INSN_MOVS || in->op == INSN_STOS || in->op == INSN_LODS;
}

/* Does it access its operand in memory in this direction? */
static bool accesses(const struct insn *in, bool write)
{
	switch (in->op) {
	case INSN_MOV_STORE: case INSN_MOV_IMM: case INSN_STOS:
		return write;
	case INSN_MOV_LOAD: case INSN_MOVZX: case INSN_MOVSX: case INSN_LODS:
		return !write;
	default:
		return in->op == INSN_MOVS;
	}
}

/* ---- what is not the device ------------------------------------------------- */

/* A register of one byte may be the second of four (insn.h). */
static bool is_second(const struct insn *in)
{
	return in->size == 1 && !in->rex && in->reg >= 4;
}

static void load(struct vcpu *v, const struct insn *in, uint64_t val)
{
	uint64_t *of;

	if (in->op == INSN_MOVSX)
		val = in->from == 1 ? (int8_t)val : (int16_t)val;
	if (!is_second(in)) {
		set_reg(v, in->reg, val, in->size);
		return;
	}
	of = &v->regs->gpr[in->reg - 4];
	*of = (*of & ~0xff00ull) | (val & 0xff) << 8;
}

static uint64_t stored(struct vcpu *v, const struct insn *in)
{
	if (in->op == INSN_MOV_IMM)
		return in->imm;
	return is_second(in) ? v->regs->gpr[in->reg - 4] >> 8 :
			       get_reg(v, in->reg);
}

/* One operand of MOVS: what is read or what is written. */
static gva_t end_of_movs(struct vcpu *v, const struct insn *in, bool written)
{
	struct insn end = *in;

	if (written) {
		end.base = EDI;
		end.seg = SREG_ES;
	}
	return operand(v, &end);
}

/* ---- the device ---------------------------------------------------------------- */

/* The local APIC and the I/O APIC are accessed by the kernel with MOV (SDM Vol. 3,
 * 10.4.1: aligned, 32 bits). */
static enum bus_result apic_access(struct vcpu *v, const struct insn *in,
				   struct access *a)
{
	const struct bus_space *memory = &v->bus->memory;
	enum bus_result res;
	uint32_t val;

	if (regs_ring(v->regs) == 3 || in->size != 4 || in->from || is_string(in))
		return BUS_NOBODY;
	if (a->write)
		return bus_write(memory, a->at, 4, a->value);
	res = bus_read(memory, a->at, 4, &val);
	if (res == BUS_DONE)
		a->value = val;
	return res;
}

/* An access that begins on another page was not looked at from its beginning. */
static bool begins_at(const struct access *a, gva_t va)
{
	uint64_t offset = a->at % PAGE_SIZE;

	return va % PAGE_SIZE == offset && offset + a->size <= PAGE_SIZE;
}

bool emulate_memory(struct vcpu *v, struct insn *in, gpa_t pa, bool write)
{
	struct access a = {
		.memory = true, .at = pa, .size = in->from ? in->from : in->size,
		.write = write,
	};
	bool movs = in->op == INSN_MOVS;
	bool written = write && v->request.state == REQUEST_ANSWERED;
	gva_t va = movs ? end_of_movs(v, in, write) : operand(v, in), memory = 0;
	enum bus_result res;

	if (is_string(in) && string_is_over(v, in))	/* by now */
		return true;
	/* What was written is not read again, and may not be there any more. */
	if (movs && !written) {
		memory = end_of_movs(v, in, !write);
		if (!may_touch(v, in, memory, in->size, !write))
			return true;
		if (write)
			guest_read(&v->mmu, &a.value, memory, in->size);
	} else if (write && !movs) {
		a.value = stored(v, in);
	}
	res = apic_access(v, in, &a);
	if (res == BUS_NOBODY && begins_at(&a, va))
		res = ask_elsewhere(v, in, &a);
	if (res != BUS_DONE)
		return res == BUS_AGAIN;
	if (!write && movs)
		guest_write(&v->mmu, memory, &a.value, in->size);
	else if (!write)
		load(v, in, a.value);
	if (is_string(in))
		string_next(v, in);
	else
		v->regs->rip += in->length;
	wrap(v);
	v->stats.emulated[in->op]++;
	event_poll(v);
	return true;
}

bool emulate_mmio(struct vcpu *v, gpa_t pa)
{
	bool write = v->regs->error & PF_W;
	struct insn in;

	if (!insn_fetch(v, &in) || !in.mem ||
	    (!accesses(&in, true) && !accesses(&in, false)))
		return false;
	/* Not what has faulted, since another vCPU has written there: it comes again. */
	if (!accesses(&in, write))
		return true;
	/* No device of ours has strings. */
	if (is_string(&in) && !mm_is_elsewhere(v->mmu.mm, pa >> PAGE_SHIFT))
		return false;
	return emulate_memory(v, &in, pa, write);
}

// SPDX-License-Identifier: GPL-2.0-only
/* IN, OUT, INS, OUTS: may the guest, and what the device says. */
#include <cpu.h>

#include "emulate.h"

/* User mode: IOPL 3, or the bitmap in the TSS (SDM Vol. 1, 19.5.2). */
static bool io_allowed(struct vcpu *v, uint16_t port, uint32_t size)
{
	uint16_t bitmap, bits;

	if (regs_ring(v->regs) != 3 || v->iopl == EFLAGS_IOPL)
		return true;
	if (!v->tr || v->tss_limit < 103 ||
	    !guest_read(&v->mmu, &bitmap, v->tss_base + 102, 2) ||
	    (uint32_t)bitmap + port / 8 + 1 > v->tss_limit ||
	    !guest_read(&v->mmu, &bits, v->tss_base + bitmap + port / 8, 2))
		return false;
	return !(bits >> port % 8 & ((1 << size) - 1));
}

/* Has it been answered already? */
static bool take_answer(struct vcpu *v, struct access *a)
{
	const struct access *done = &v->request.access;

	if (v->request.state != REQUEST_ANSWERED || a->memory != done->memory ||
	    a->write != done->write || a->at != done->at || a->size != done->size)
		return false;
	v->request.state = REQUEST_NONE;
	a->value = access_value(done);
	return true;
}

enum bus_result ask_elsewhere(struct vcpu *v, const struct insn *in,
			      struct access *a)
{
	enum bus_result res;

	if (take_answer(v, a))
		return BUS_DONE;
	res = v->ask ? v->ask(v, a) : BUS_NOBODY;
	if (res == BUS_DONE)
		a->value = access_value(a);
	if (res == BUS_AGAIN) {
		v->request.insn = *in;
		v->request.rip = v->regs->rip;
	}
	return res;
}

/* Ports that nobody has read ones and ignore writes, and are counted: a PCI
 * configuration read finds no device. */
static enum bus_result no_device(struct vcpu *v, const struct insn *in,
				 struct access *a)
{
	enum bus_result res = ask_elsewhere(v, in, a);

	if (res == BUS_NOBODY)
		v->stats.io_unknown++;
	return res;
}

/* False: not now, and nothing was done. */
static bool port_in(struct vcpu *v, const struct insn *in, uint16_t port,
		    uint32_t *val)
{
	struct access a = { .size = in->size, .at = port, .value = UINT32_MAX };
	enum bus_result res;

	res = bus_read(&v->bus->ports, port, in->size, val);
	if (res != BUS_NOBODY)
		return true;
	res = no_device(v, in, &a);
	*val = a.value;
	return res != BUS_AGAIN;
}

static bool port_out(struct vcpu *v, const struct insn *in, uint16_t port,
		     uint32_t val)
{
	struct access a = {
		.write = true, .size = in->size, .at = port, .value = val,
	};
	enum bus_result res = bus_write(&v->bus->ports, port, in->size, val);

	if (res == BUS_NOBODY)
		res = no_device(v, in, &a);
	return res != BUS_AGAIN;
}

enum outcome emulate_port(struct vcpu *v, struct insn *in)
{
	uint16_t port = in->port_dx ? v->regs->gpr[EDX] : in->imm;
	uint32_t val;

	if (!io_allowed(v, port, in->size))
		return REFUSED;
	if (in->op == INSN_IN) {
		if (!port_in(v, in, port, &val))
			return AGAIN;
		set_reg(v, EAX, val, in->size);
	} else if (!port_out(v, in, port, v->regs->gpr[EAX])) {
		return AGAIN;
	}
	v->regs->rip += in->length;
	event_poll(v);
	return MOVED;
}

/* One element at a time; the guest comes back here for the next under rep. */
enum outcome emulate_port_string(struct vcpu *v, struct insn *in)
{
	struct regs *r = v->regs;
	gva_t va = operand(v, in);
	uint32_t val = 0;

	if (!io_allowed(v, r->gpr[EDX], in->size))
		return REFUSED;
	if (string_is_over(v, in)) {
		r->rip += in->length;
		return MOVED;
	}
	if (!may_touch(v, in, va, in->size, in->op == INSN_INS))
		return MOVED;
	if (in->op == INSN_INS) {
		if (!port_in(v, in, r->gpr[EDX], &val))
			return AGAIN;
		guest_write(&v->mmu, va, &val, in->size);
	} else {
		guest_read(&v->mmu, &val, va, in->size);
		if (!port_out(v, in, r->gpr[EDX], val))
			return AGAIN;
	}
	string_next(v, in);
	event_poll(v);
	return MOVED;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Emulation of what a guest kernel may do natively and cannot at ring 1.
 * Before VMI_Init that is everything privileged; afterwards port I/O, MSRs
 * and whatever the guest does not call the ROM for. The instruction is
 * decoded from a copy of its bytes; nothing changes unless it is carried out.
 */
#include <cpu.h>

#include "hv.h"

#define PMCS	4

/* ---- segments ----------------------------------------------------------- */

static uint16_t read_sreg(struct vcpu *v, int sreg)
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

static gva_t operand(struct vcpu *v, const struct insn *in)
{
	uint32_t regs[8];
	int i;

	for (i = 0; i < 8; i++)
		regs[i] = v->regs->gpr[i];
	regs[ESP] = v->regs->esp;
	return seg_base(v, in->seg) + insn_offset(in, regs);
}

/* ---- registers and memory ----------------------------------------------- */

static uint32_t get_reg(struct vcpu *v, int reg)
{
	return reg == ESP ? (uint32_t)v->regs->esp : v->regs->gpr[reg];
}

static void set_reg(struct vcpu *v, int reg, uint32_t val, int size)
{
	uint32_t mask = size == 4 ? UINT32_MAX : (1u << size * 8) - 1;

	val = (get_reg(v, reg) & ~mask) | (val & mask);
	if (reg == ESP)
		v->regs->esp = val;
	else
		v->regs->gpr[reg] = val;
}

/*
 * May the guest, at its ring, touch these bytes? Accessed and dirty bits are
 * set as the access would; false: it was told of the fault.
 */
static bool may_touch(struct vcpu *v, gva_t va, uint32_t size, bool write)
{
	gva_t last = va + size - 1, at = va;
	uint32_t error;
	gpa_t bus;

	for (;;) {
		error = (write ? PF_W : 0) |
			(regs_ring(v->regs) == 3 ? PF_U : 0);
		if (at > v->guest_last ||
		    shadow_fault(v, at, &error, &bus) != FAULT_FIXED) {
			event_page_fault(v, at, error);
			return false;
		}
		if ((at ^ last) < PAGE_SIZE)
			return true;
		at = last & ~(PAGE_SIZE - 1);
	}
}

/* The operand named by ModRM. False: it faulted, and the guest was told. */
static bool get_rm(struct vcpu *v, const struct insn *in, uint32_t *val,
		   int size)
{
	gva_t va;

	*val = 0;
	if (!in->mem) {
		*val = get_reg(v, in->rm);
		return true;
	}
	va = operand(v, in);
	return may_touch(v, va, size, false) && guest_read(v, val, va, size);
}

static bool set_rm(struct vcpu *v, const struct insn *in, uint32_t val,
		   int size)
{
	gva_t va;

	if (!in->mem) {
		/* With a register these write 32 bits at operand size 4. */
		set_reg(v, in->rm, val, in->size);
		return true;
	}
	va = operand(v, in);
	return may_touch(v, va, size, true) && guest_write(v, va, &val, size);
}

/* ---- port I/O ----------------------------------------------------------- */

/* User mode: IOPL 3, or the bitmap in the TSS (SDM Vol. 1, 19.5.2). */
static bool io_allowed(struct vcpu *v, uint16_t port, uint32_t size)
{
	uint16_t bitmap, bits;

	if (regs_ring(v->regs) != 3 || v->iopl == EFLAGS_IOPL)
		return true;
	if (!v->tr || v->tss_limit < 103 ||
	    !guest_read(v, &bitmap, v->tss_base + 102, 2) ||
	    (uint32_t)bitmap + port / 8 + 1 > v->tss_limit ||
	    !guest_read(v, &bits, v->tss_base + bitmap + port / 8, 2))
		return false;
	return !(bits >> port % 8 & ((1 << size) - 1));
}

static bool port_io(struct vcpu *v, const struct insn *in)
{
	uint16_t port = in->port_dx ? v->regs->gpr[EDX] : in->imm;
	uint32_t val;

	if (!io_allowed(v, port, in->size))
		return false;
	v->regs->eip += in->length;
	if (in->op == INSN_IN) {
		val = io_in(v, port, in->size);
		set_reg(v, EAX, val, in->size);
	} else {
		io_out(v, port, in->size, v->regs->gpr[EAX]);
	}
	event_poll(v);
	return true;
}

/* One element at a time; the guest comes back here for the next under rep. */
static bool string_io(struct vcpu *v, const struct insn *in)
{
	struct regs *r = v->regs;
	uint32_t mask = in->addr_size == 2 ? 0xffff : UINT32_MAX, val = 0;
	int index = in->op == INSN_INS ? EDI : ESI;
	uint32_t step = r->eflags & EFLAGS_DF ? -in->size : in->size;
	gva_t va = operand(v, in);

	if (!io_allowed(v, r->gpr[EDX], in->size))
		return false;
	if (in->rep && !(r->gpr[ECX] & mask)) {
		r->eip += in->length;
		return true;
	}
	if (!may_touch(v, va, in->size, in->op == INSN_INS))
		return true;
	if (in->op == INSN_INS) {
		val = io_in(v, r->gpr[EDX], in->size);
		guest_write(v, va, &val, in->size);
	} else {
		guest_read(v, &val, va, in->size);
		io_out(v, r->gpr[EDX], in->size, val);
	}
	set_reg(v, index, r->gpr[index] + step, in->addr_size);
	if (in->rep)
		set_reg(v, ECX, r->gpr[ECX] - 1, in->addr_size);
	if (!in->rep || !(r->gpr[ECX] & mask))
		r->eip += in->length;
	event_poll(v);
	return true;
}

/* ---- system registers --------------------------------------------------- */

static bool mov_cr(struct vcpu *v, const struct insn *in)
{
	uint32_t val = get_reg(v, in->rm);

	if (in->op == INSN_MOV_FROM_CR) {
		switch (in->reg) {
		case 0:
			val = v->cr0;
			break;
		case 2:
			val = v->sh->cr2;
			break;
		case 3:
			val = v->cr3;
			break;
		case 4:
			val = v->cr4;
			break;
		default:
			return false;
		}
		set_reg(v, in->rm, val, 4);
		return true;
	}
	queue_drain(v);
	switch (in->reg) {
	case 0:
		cr0_write(v, val);
		return true;
	case 2:
		v->sh->cr2 = val;
		return true;
	case 3:
		cr3_write(v, val);
		return true;
	case 4:
		cr4_write(v, val);
		return true;
	}
	return false;
}

static bool mov_dr(struct vcpu *v, const struct insn *in)
{
	if (in->op == INSN_MOV_TO_DR)
		dr_write(v, in->reg, get_reg(v, in->rm));
	else
		set_reg(v, in->rm, v->sh->dr[in->reg | (in->reg & 4) >> 1], 4);
	return true;
}

/* What is read of the counters that nobody has: RDPMC, SDM Vol. 2. */
static bool rdpmc(struct regs *r)
{
	if (r->gpr[ECX] >= PMCS)
		return false;
	r->gpr[EAX] = r->gpr[EDX] = 0;
	return true;
}

/* LGDT, LIDT, SGDT, SIDT: 2 bytes limit, 4 bytes base (SDM Vol. 2). */
static bool dtr(struct vcpu *v, const struct insn *in, bool *faulted)
{
	struct { uint16_t limit; uint32_t base; } __attribute__((packed)) d;
	gva_t va = operand(v, in);
	bool gdt = in->op == INSN_LGDT || in->op == INSN_SGDT;
	bool store = in->op == INSN_SGDT || in->op == INSN_SIDT;

	*faulted = true;
	if (!may_touch(v, va, sizeof(d), store))
		return true;
	if (store) {
		d.limit = gdt ? v->gdt_limit : v->idt_limit;
		d.base = gdt ? v->gdt_base : v->idt_base;
		guest_write(v, va, &d, sizeof(d));
	} else {
		if (!guest_read(v, &d, va, sizeof(d)))
			return true;
		if (in->size == 2)
			d.base &= 0xffffff;
		if (gdt)
			desc_load_gdt(v, d.base, d.limit);
		else
			desc_load_idt(v, d.base, d.limit);
	}
	*faulted = false;
	return true;
}

/* ---- selectors with RPL 0 ----------------------------------------------- */

/*
 * A kernel that takes itself for ring 0 loads SS and returns to CS with
 * RPL 0; at ring 1 the CPU insists on 1.
 */
static bool load_ss(struct vcpu *v, uint32_t sel)
{
	uint64_t d;

	if ((sel & 3) || !(sel & 0xfffc))
		return false;
	desc_refresh(v, sel);
	d = desc_lookup(v, sel);
	if (!(d & DESC_P) || (d & DESC_CODE) || (d >> 45 & 3) != 1)
		return false;
	v->regs->ss = (sel & 0xffff) | 1;
	return true;
}

static bool pop_ss(struct vcpu *v, const struct insn *in)
{
	uint32_t sel = 0;

	if (in->sreg != SREG_SS ||
	    !guest_read(v, &sel, v->regs->esp, in->size) || !load_ss(v, sel))
		return false;
	v->regs->esp += in->size;
	return true;
}

static bool load_far_ss(struct vcpu *v, const struct insn *in)
{
	struct { uint32_t offset; uint16_t sel; } __attribute__((packed)) p;

	if (in->sreg != SREG_SS || in->size != 4 ||
	    !guest_read(v, &p, operand(v, in), sizeof(p)) ||
	    !load_ss(v, p.sel))
		return false;
	set_reg(v, in->reg, p.offset, 4);
	return true;
}

static bool ret_far(struct vcpu *v, const struct insn *in)
{
	uint32_t to[2];

	if (in->size != 4 || !guest_read(v, to, v->regs->esp, sizeof(to)) ||
	    (to[1] & 3) || !(to[1] & 0xfffc))
		return false;
	v->regs->eip = to[0];
	v->regs->cs = (to[1] & 0xffff) | 1;
	v->regs->esp += 8 + in->imm;
	return true;
}

static bool iret(struct vcpu *v, const struct insn *in)
{
	uint32_t cs = 0;

	/* Only what RPL 0 makes fault; a bad frame is the guest's fault. */
	if (in->size != 4 || !guest_read(v, &cs, v->regs->esp + 4, 4) ||
	    (cs & 3))
		return false;
	event_iret(v, v->regs->esp, rom_is_iret(v));
	event_poll(v);
	return true;
}

/* ---- one instruction ---------------------------------------------------- */

static bool fetch(struct vcpu *v, struct insn *in)
{
	uint8_t bytes[INSN_MAX];
	uint64_t cs = desc_lookup(v, v->regs->cs);
	gva_t at = desc_base(cs) + (uint32_t)v->regs->eip;
	uint32_t page = PAGE_SIZE - at % PAGE_SIZE;
	uint32_t len = page < INSN_MAX ? page : INSN_MAX;
	uint32_t mapped = v->hole ? v->hole - at : UINT32_MAX;
	enum decode_result res;

	/* The ROM runs where guest_read() must not look. */
	if (v->hole && at >= v->hole) {
		if (at < v->rom_base || at >= v->rom_end)
			return false;
		mapped = v->rom_end - at;
		len = mapped < INSN_MAX ? mapped : INSN_MAX;
		return decode(v->g->rom + (at - v->rom_base), len, true, in) ==
		       DECODE_OK;
	}
	if (!guest_read(v, bytes, at, len))
		return false;
	res = decode(bytes, len, cs & DESC_D, in);
	if (res == DECODE_MORE && len < INSN_MAX && mapped > len &&
	    guest_read(v, bytes + len, at + len, INSN_MAX - len))
		res = decode(bytes, INSN_MAX, cs & DESC_D, in);
	return res == DECODE_OK;
}

/* The part of the list that user mode may use. */
static bool user_op(const struct vcpu *v, const struct insn *in)
{
	if (in->op == INSN_RDPMC)
		return v->cr4 & CR4_PCE;
	return in->op == INSN_IN || in->op == INSN_OUT ||
	       in->op == INSN_INS || in->op == INSN_OUTS ||
	       in->op == INSN_INT || in->op == INSN_SYSENTER;
}

bool emulate(struct vcpu *v)
{
	struct regs *r = v->regs;
	bool faulted = false;
	struct insn in;
	uint64_t tsc;
	uint32_t val;

	if (!fetch(v, &in) || (regs_ring(r) == 3 && !user_op(v, &in)))
		return false;

	switch (in.op) {
	/* These move eip themselves. */
	case INSN_IN:
	case INSN_OUT:
		if (!port_io(v, &in))
			return false;
		goto count;
	case INSN_INS:
	case INSN_OUTS:
		if (!string_io(v, &in))
			return false;
		goto count;
	case INSN_RET_FAR:
		if (!ret_far(v, &in))
			return false;
		goto count;
	case INSN_IRET:
		if (!iret(v, &in))
			return false;
		goto count;
	case INSN_HLT:
		r->eip += in.length;
		guest_halt(v);
		goto count;
	case INSN_RDTSC:	/* CR4.TSD is meant for ring 3 */
		tsc = rdtsc();
		r->gpr[EAX] = tsc;
		r->gpr[EDX] = tsc >> 32;
		break;

	case INSN_INT:	/* to a gate that is ours alone: bit 1, IDT */
		if (!(r->error & 2))
			return false;
		r->eip += in.length;
		event_soft_int(v, in.imm, in.length);
		goto count;
	case INSN_CLI:
		shared_clear_bits(&v->sh->flags, STUB_IF);
		break;
	case INSN_STI:
		shared_set_bits(&v->sh->flags, STUB_IF);
		r->eip += in.length;
		/* It takes effect behind the next instruction: an interrupt
		 * must not come between STI and HLT. */
		if (fetch(v, &in) && in.op == INSN_HLT) {
			r->eip += in.length;
			guest_halt(v);
		}
		event_poll(v);
		in.op = INSN_STI;
		goto count;
	case INSN_MOV_FROM_CR:
	case INSN_MOV_TO_CR:
		if (!mov_cr(v, &in))
			return false;
		break;
	case INSN_MOV_FROM_DR:
	case INSN_MOV_TO_DR:
		mov_dr(v, &in);
		break;
	case INSN_CLTS:
		cr0_write(v, v->cr0 & ~CR0_TS);
		break;
	case INSN_INVD:
	case INSN_WBINVD:
		break;
	case INSN_RDMSR:
	case INSN_WRMSR:
		if (!msr_access(v, in.op == INSN_WRMSR))
			return false;
		break;
	case INSN_RDPMC:
		if (!rdpmc(r))
			return false;
		break;
	case INSN_SYSEXIT:
		if (!event_sysexit(v))
			return false;
		event_poll(v);
		goto count;
	case INSN_SYSENTER:
		if (!event_sysenter(v))
			return false;
		goto count;
	case INSN_LGDT:
	case INSN_LIDT:
	case INSN_SGDT:
	case INSN_SIDT:
		dtr(v, &in, &faulted);
		break;
	case INSN_SMSW:
		faulted = !set_rm(v, &in, v->cr0, 2);
		break;
	case INSN_LMSW:
		faulted = !get_rm(v, &in, &val, 2);
		if (!faulted)	/* PE cannot be cleared */
			cr0_write(v, (v->cr0 & ~0xeu) | (val & 0xf));
		break;
	case INSN_INVLPG:
		queue_drain(v);
		if (v->hole)
			shadow_inval(v, operand(v, &in));
		else
			shadow_flush(v);
		shadow_flush_tlb(v->g);
		break;
	case INSN_LLDT:
	case INSN_LTR:
		faulted = !get_rm(v, &in, &val, 2);
		if (!faulted && !(in.op == INSN_LTR ?
				  desc_load_tr(v, val) : desc_load_ldt(v, val)))
			return false;
		break;
	case INSN_SLDT:
	case INSN_STR:
		faulted = !set_rm(v, &in, in.op == INSN_STR ? v->tr : v->ldt,
				  2);
		break;
	case INSN_MOV_TO_SREG:
		if (in.sreg != SREG_SS)
			return false;
		faulted = !get_rm(v, &in, &val, 2);
		if (!faulted && !load_ss(v, val))
			return false;
		break;
	case INSN_POP_SREG:
		if (!pop_ss(v, &in))
			return false;
		break;
	case INSN_LOAD_FAR:
		if (!load_far_ss(v, &in))
			return false;
		break;
	default:
		return false;
	}
	if (!faulted)
		r->eip += in.length;
count:
	r->eip &= UINT32_MAX;
	v->g->stats.emulated[in.op]++;
	return true;
}

bool emulate_sysenter(struct vcpu *v)
{
	struct insn in;
	bool went;

	if (!fetch(v, &in))
		return false;
	if (in.op == INSN_SYSENTER)
		went = event_sysenter(v);
	else if (in.op == INSN_SYSEXIT)
		went = regs_ring(v->regs) == 1 && event_sysexit(v);
	else
		return false;
	if (!went)
		event_exception_error(v, VEC_GP, 0);
	v->g->stats.emulated[in.op]++;
	event_poll(v);
	return true;
}

/* Kernels access it with MOV (SDM Vol. 3, 10.4.1: aligned, 32 bits). */
bool emulate_apic(struct vcpu *v, uint32_t offset)
{
	struct apic *a = &v->g->apic;
	struct regs *r = v->regs;
	struct insn in;

	if (regs_ring(r) == 3 || !fetch(v, &in) || !in.mem || in.size != 4)
		return false;
	switch (in.op) {
	case INSN_MOV_LOAD:
		set_reg(v, in.reg, apic_read(a, offset), 4);
		break;
	case INSN_MOV_STORE:
		apic_write(a, offset, get_reg(v, in.reg));
		break;
	case INSN_MOV_IMM:
		apic_write(a, offset, in.imm);
		break;
	default:
		return false;
	}
	r->eip = (uint32_t)(r->eip + in.length);
	v->g->stats.emulated[in.op]++;
	event_poll(v);
	return true;
}

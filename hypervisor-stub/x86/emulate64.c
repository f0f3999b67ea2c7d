// SPDX-License-Identifier: GPL-2.0-only
/*
 * Instructions of 64-bit guests that are not as those of the others, or that the
 * others do not have (emulate.c): registers of the system and what is loaded from
 * memory have 64 bits, segments are flat but for the bases of FS and GS, and what a
 * processor refuses is a #GP here, where a 32-bit guest's bits are only dropped.
 */
#include <cpu.h>

#include "emulate.h"

/* Reserved while CR4.PCIDE is clear (SDM Vol. 3, Table 4-12). */
#define CR3_RESERVED	0xfff0000000000000ull
#define CR8_TPR		0xfull		/* bits 7-4 of the APIC's */
#define CR8_SHIFT	4

/* What SYSRET may set: not IOPL, nor RF, NT, VM, VIF and VIP; IF is virtual. */
#define SYSRET_FLAGS	0x00240dd5ull

/* ---- control and debug registers ---------------------------------------- */

static bool cr0_valid(uint64_t value)
{
	return !(value >> 32) && (value & CR0_PE) && (value & CR0_PG) &&
	       (!(value & CR0_NW) || (value & CR0_CD));
}

static bool cr4_valid(const struct vcpu *v, uint64_t value)
{
	return !(value & ~(uint64_t)cr4_allowed(v)) && (value & CR4_PAE);
}

/* CR8 is the APIC's, which may be off. */
static uint64_t cr8_read(struct vcpu *v)
{
	uint32_t tpr;

	if (bus_read(&v->bus->memory, APIC_BASE + APIC_TPR, 4, &tpr) != BUS_DONE)
		return 0;
	return tpr >> CR8_SHIFT & CR8_TPR;
}

static enum outcome mov_from_cr(struct vcpu *v, struct insn *in)
{
	uint64_t val;

	switch (in->reg) {
	case 0:
		val = v->cr0;
		break;
	case 2:
		val = shared64(v)->cr2;
		break;
	case 3:
		val = v->mmu.long_cr3;
		break;
	case 4:
		val = v->cr4;
		break;
	default:
		val = cr8_read(v);
	}
	set_reg(v, in->rm, val, 8);
	return DONE;
}

static enum outcome mov_to_cr(struct vcpu *v, struct insn *in)
{
	uint64_t val = get_reg(v, in->rm);

	if ((in->reg == 0 && !cr0_valid(val)) ||
	    (in->reg == 3 && (val & CR3_RESERVED)) ||
	    (in->reg == 4 && !cr4_valid(v, val)) ||
	    (in->reg == 8 && (val & ~CR8_TPR)))
		return REFUSED;
	queue_drain(v);
	if (v->regs->stop)	/* what was deferred comes first */
		return AGAIN;
	switch (in->reg) {
	case 0:
		cr0_write(v, val);
		break;
	case 2:
		shared64(v)->cr2 = val;
		break;
	case 3:
		cr3_write(v, val);
		break;
	case 4:
		cr4_write(v, val);
		break;
	default:
		bus_write(&v->bus->memory, APIC_BASE + APIC_TPR, 4,
			  val << CR8_SHIFT);
		v->regs->rip += in->length;
		event_poll(v);
		return MOVED;
	}
	return DONE;
}

/* 4 and 5 are 6 and 7; with CR4.DE the processor has raised #UD. */
static uint32_t dr_number(const struct insn *in)
{
	return in->reg | (in->reg & 4) >> 1;
}

static enum outcome mov_from_dr(struct vcpu *v, struct insn *in)
{
	uint32_t nr = dr_number(in);

	set_reg(v, in->rm, nr < 4 ? v->dr[nr] : shared64(v)->dr[nr], 8);
	return DONE;
}

static enum outcome mov_to_dr(struct vcpu *v, struct insn *in)
{
	uint64_t val = get_reg(v, in->rm);

	if (in->reg >= 4 && val >> 32)
		return REFUSED;
	dr_write(v, in->reg, val);
	return DONE;
}

static enum outcome xsetbv(struct vcpu *v, struct insn *in)
{
	const struct regs *r = v->regs;
	uint64_t value = r->gpr[EDX] << 32 | (uint32_t)r->gpr[EAX];

	if (!(v->cr4 & CR4_OSXSAVE)) {
		event_exception(v, VEC_UD);
		return MOVED;
	}
	if (insn_told(v, in))
		return AGAIN;
	return !(uint32_t)r->gpr[ECX] && xcr0_write(v, value) ? DONE : REFUSED;
}

/* Ring 1 may do it by POPF, too (SDM Vol. 1, 3.4.3.3). */
static enum outcome stac_clac(struct vcpu *v, struct insn *in)
{
	if (in->op == INSN_STAC)
		v->regs->rflags |= EFLAGS_AC;
	else
		v->regs->rflags &= ~(uint64_t)EFLAGS_AC;
	return DONE;
}

/* What there is with CR4.PCIDE clear (SDM Vol. 2, INVPCID). */
static enum outcome invpcid(struct vcpu *v, struct insn *in)
{
	uint64_t type = get_reg(v, in->reg), descriptor[2];
	gva_t va = operand(v, in);

	if (type > 3)
		return REFUSED;
	if (!may_touch(v, in, va, sizeof(descriptor), false) ||
	    !guest_read(&v->mmu, descriptor, va, sizeof(descriptor)))
		return MOVED;
	/* Of an address, or of a PCID, which is 0. */
	if (type < 2 && descriptor[0])
		return REFUSED;
	if (!type && !is_canonical(descriptor[1]))
		return REFUSED;
	queue_drain(v);
	long_flush(&v->mmu);
	mmu_flush_tlb(&v->mmu);
	return DONE;
}

static enum outcome invlpg(struct vcpu *v, struct insn *in)
{
	queue_drain(v);
	if (vmi_mode(v))
		long_inval(&v->mmu, operand(v, in));
	else
		long_flush(&v->mmu);
	mmu_flush_tlb(&v->mmu);
	return DONE;
}

/* It may end at once, and does: nobody watches for the store. */
static enum outcome monitor_mwait(struct vcpu *v, struct insn *in)
{
	(void)v, (void)in;
	return DONE;
}

/* ---- the GS base -------------------------------------------------------- */

static enum outcome swapgs(struct vcpu *v, struct insn *in)
{
	uint64_t base = shared64(v)->other_gs;

	(void)in;
	if (!is_canonical(base))	/* of WRGSBASE, which TCG does not check */
		return REFUSED;
	shared64(v)->other_gs = rdmsr(MSR_GS_BASE);
	wrmsr(MSR_GS_BASE, base);
	return DONE;
}

/* ---- descriptor tables --------------------------------------------------- */

/* 2 bytes limit, 8 bytes base (SDM Vol. 2, LGDT). */
struct table_register {
	uint16_t	limit;
	uint64_t	base;
} __attribute__((packed));

static enum outcome store_table(struct vcpu *v, struct insn *in)
{
	bool gdt = in->op == INSN_SGDT;
	struct table_register d = {
		.limit = gdt ? v->gdt_limit : v->idt_limit,
		.base = gdt ? v->gdt_base : v->idt_base,
	};
	gva_t va = operand(v, in);

	if (insn_told(v, in))
		return AGAIN;
	if (!may_touch(v, in, va, sizeof(d), true))
		return MOVED;
	guest_write(&v->mmu, va, &d, sizeof(d));
	return DONE;
}

static enum outcome load_table(struct vcpu *v, struct insn *in)
{
	gva_t va = operand(v, in);
	struct table_register d;

	if (insn_told(v, in))
		return AGAIN;
	if (!may_touch(v, in, va, sizeof(d), false) ||
	    !guest_read(&v->mmu, &d, va, sizeof(d)))
		return MOVED;
	if (!is_canonical(d.base))
		return REFUSED;
	if (in->op == INSN_LGDT)
		desc_load_gdt(v, d.base, d.limit);
	else
		desc_load_idt(v, d.base, d.limit);
	return DONE;
}

/* ---- selectors ----------------------------------------------------------- */

/* The descriptor of a selector, if it is present and of the selector's ring. */
static uint64_t own_desc(struct vcpu *v, uint32_t sel)
{
	uint64_t d;

	desc_refresh(v, sel);
	d = desc_lookup(v, sel);
	return (d & DESC_P) && desc_dpl(d) == (sel & 3) ? d : 0;
}

static bool is_stack(uint64_t d)
{
	return d && !(d & DESC_CODE) && (d & DESC_WRITABLE);
}

/* Where a return goes; the ring that the guest takes for 0 is 1. */
struct target {
	uint64_t	rip, rsp;
	uint32_t	cs, ss;
};

/*
 * Would a processor return there? The stack segment of the kernel may be null, as
 * a gate leaves it (SDM Vol. 3, 6.14.4). From 64-bit code, whose kernel has no
 * other.
 */
static bool can_return(struct vcpu *v, const struct target *t)
{
	uint64_t cs = own_desc(v, t->cs);

	if (!(cs & DESC_CODE) || (t->cs & 3) == 2 || (t->ss & 3) != (t->cs & 3))
		return false;
	if (!(cs & DESC_L))
		return (t->cs & 3) == 3 && t->rip <= desc_limit(cs) &&
		       is_stack(own_desc(v, t->ss));
	return is_canonical(t->rip) &&
	       ((t->ss & ~3u) ? is_stack(own_desc(v, t->ss)) :
				(t->cs & 3) != 3);
}

static void go_to(struct vcpu *v, const struct target *t)
{
	struct regs *r = v->regs;

	r->rip = t->rip;
	r->cs = t->cs;
	r->rsp = t->rsp;
	r->ss = t->ss;
}

/* RPL 0, of a kernel that takes itself for ring 0. */
static uint32_t deprivileged(uint64_t sel)
{
	return sel & 3 ? sel & 0xffff : (sel & 0xffff) | 1;
}

static bool load_ss(struct vcpu *v, uint64_t sel)
{
	uint32_t ss = deprivileged(sel);

	if ((sel & 3) || ((ss & ~3u) && !is_stack(own_desc(v, ss))))
		return false;
	v->regs->ss = ss;
	return true;
}

static enum outcome mov_ss(struct vcpu *v, struct insn *in)
{
	uint64_t sel;

	if (in->sreg != SREG_SS)
		return REFUSED;
	if (!get_rm(v, in, &sel, 2))
		return MOVED;
	return load_ss(v, sel) ? DONE : REFUSED;
}

/* 16 bits, too: nobody has such a stack. */
static enum outcome load_far_ss(struct vcpu *v, struct insn *in)
{
	uint64_t val[2] = { 0, 0 };
	gva_t va = operand(v, in);

	if (in->sreg != SREG_SS || in->size == 2)
		return REFUSED;
	if (!may_touch(v, in, va, in->size + 2, false) ||
	    !guest_read(&v->mmu, &val[0], va, in->size) ||
	    !guest_read(&v->mmu, &val[1], va + in->size, 2))
		return MOVED;
	if (!load_ss(v, val[1]))
		return REFUSED;
	set_reg(v, in->reg, val[0], in->size);
	return DONE;
}

/* ---- returns ------------------------------------------------------------- */

/* Words of the stack, of 4 or 8 bytes. False: not there, which is the guest's. */
static bool pop(struct vcpu *v, const struct insn *in, uint64_t *to,
		uint32_t words)
{
	uint64_t from = v->regs->rsp;
	uint32_t i, bytes = words * in->size;

	if (in->size == 2 || !is_canonical(from) ||
	    !is_canonical(from + bytes - 1))
		return false;
	for (i = 0; i < words; i++) {
		to[i] = 0;
		if (!guest_read(&v->mmu, &to[i], from + i * in->size, in->size))
			return false;
	}
	return true;
}

static enum outcome ret_far(struct vcpu *v, struct insn *in)
{
	struct target t;
	uint64_t to[2];

	if (!pop(v, in, to, 2) || (to[1] & 3))
		return REFUSED;
	t.rip = to[0];
	t.cs = deprivileged(to[1]);
	t.rsp = v->regs->rsp + 2 * in->size + in->imm;
	t.ss = v->regs->ss;
	if (!can_return(v, &t))
		return REFUSED;
	go_to(v, &t);
	return MOVED;
}

/* Only what RPL 0 makes fault, of CS or of SS; a bad frame is the guest's. */
static enum outcome iret(struct vcpu *v, struct insn *in)
{
	uint64_t frame[5];

	if (!pop(v, in, frame, 5) || in->size != 8 ||
	    (v->regs->rflags & EFLAGS_NT) ||
	    ((frame[1] & 3) && (frame[4] & 3)))
		return REFUSED;
	desc_refresh(v, frame[1]);
	desc_refresh(v, frame[4]);
	if (!wide_iret(v, v->regs->rsp))
		return REFUSED;
	event_poll(v);
	return MOVED;
}

/* To user mode, by the selectors of an MSR: 32-bit code and, code64 behind it,
 * 64-bit code; ss in between or behind (SDM Vol. 2, SYSRET and SYSEXIT). */
static bool to_user(struct vcpu *v, const struct insn *in, uint32_t cs,
		    uint32_t ss, uint64_t rip, uint64_t rsp)
{
	bool code64 = in->size == 8;
	struct target t = {
		.rip = code64 ? rip : (uint32_t)rip,
		.rsp = code64 ? rsp : (uint32_t)rsp,
		.cs = (cs & 0xfffc) | 3,
		.ss = (ss & 0xfffc) | 3,
	};

	if (!can_return(v, &t) ||
	    !(desc_lookup(v, t.cs) & DESC_L) == code64)
		return false;
	go_to(v, &t);
	return true;
}

static void sysret_flags(struct vcpu *v, uint64_t flags)
{
	v->regs->rflags = (flags & SYSRET_FLAGS) | EFLAGS_IF | EFLAGS_FIXED;
	if (flags & EFLAGS_IF)
		shared_set_bits(&v->sh->flags, STUB_IF);
	else
		shared_clear_bits(&v->sh->flags, STUB_IF);
}

static enum outcome sysret(struct vcpu *v, struct insn *in)
{
	struct regs *r = v->regs;
	uint32_t base = v->star >> 48;

	if (!(v->efer & EFER_SCE)) {
		event_exception(v, VEC_UD);
		return MOVED;
	}
	if (!to_user(v, in, in->size == 8 ? base + 16 : base, base + 8,
		     r->gpr[ECX], r->rsp))
		return REFUSED;
	sysret_flags(v, r->gpr[R11]);
	event_poll(v);
	return MOVED;
}

static enum outcome sysexit(struct vcpu *v, struct insn *in)
{
	struct regs *r = v->regs;
	uint32_t base = v->sysenter_cs & 0xfffc;

	if (!base)
		return REFUSED;
	base += in->size == 8 ? 32 : 16;
	if (!to_user(v, in, base, base + 8, r->gpr[EDX], r->gpr[ECX]))
		return REFUSED;
	event_poll(v);
	return MOVED;
}

enum outcome (*const carry_out_wide[INSN_OPS])(struct vcpu *,
					       struct insn *) = {
	[INSN_MOV_FROM_CR]	= mov_from_cr,
	[INSN_MOV_TO_CR]	= mov_to_cr,
	[INSN_MOV_FROM_DR]	= mov_from_dr,
	[INSN_MOV_TO_DR]	= mov_to_dr,
	[INSN_INVLPG]		= invlpg,
	[INSN_LGDT]		= load_table,
	[INSN_LIDT]		= load_table,
	[INSN_SGDT]		= store_table,
	[INSN_SIDT]		= store_table,
	[INSN_MOV_TO_SREG]	= mov_ss,
	[INSN_LOAD_FAR]		= load_far_ss,
	[INSN_RET_FAR]		= ret_far,
	[INSN_IRET]		= iret,
	[INSN_SYSEXIT]		= sysexit,
	[INSN_SWAPGS]		= swapgs,
	[INSN_SYSRET]		= sysret,
	[INSN_XSETBV]		= xsetbv,
	[INSN_STAC]		= stac_clac,
	[INSN_CLAC]		= stac_clac,
	[INSN_INVPCID]		= invpcid,
	[INSN_MONITOR]		= monitor_mwait,
	[INSN_MWAIT]		= monitor_mwait,
};

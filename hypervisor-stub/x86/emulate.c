// SPDX-License-Identifier: GPL-2.0-only
/*
 * Emulation of what a guest kernel may do natively and cannot at ring 1.
 * Before VMI_Init that is everything privileged; afterwards port I/O, MSRs
 * and whatever the guest does not call the ROM for. The instruction is
 * decoded from a copy of its bytes; nothing changes unless it is carried out.
 */
#include <cpu.h>

#include "emulate.h"

#define PMCS	4

static enum outcome done_if(bool done)
{
	return done ? DONE : REFUSED;
}

/* A memory operand that faulted: the guest was told, and is at its handler. */
static enum outcome done_or_faulted(bool done)
{
	return done ? DONE : MOVED;
}

/* ---- the flag, and waiting ---------------------------------------------- */

static enum outcome cli(struct vcpu *v, struct insn *in)
{
	(void)in;
	shared_clear_bits(&v->sh->flags, STUB_IF);
	return DONE;
}

static enum outcome hlt(struct vcpu *v, struct insn *in)
{
	v->regs->rip += in->length;
	vcpu_halt(v);
	return MOVED;
}

/* It takes effect behind the next instruction: an interrupt must not come
 * between STI and HLT. */
static enum outcome sti(struct vcpu *v, struct insn *in)
{
	struct insn next;

	shared_set_bits(&v->sh->flags, STUB_IF);
	v->regs->rip += in->length;
	if (insn_fetch(v, &next) && next.op == INSN_HLT)
		return hlt(v, &next);	/* what is pending wakes it */
	event_poll(v);
	return MOVED;
}

/* ---- system registers --------------------------------------------------- */

/* Of CR0, CR2, CR3 and CR4: the decoder knows no others. */
static enum outcome mov_from_cr(struct vcpu *v, struct insn *in)
{
	const uint32_t cr[] = { v->cr0, 0, v->sh->cr2, v->mmu.cr3, v->cr4 };

	set_reg(v, in->rm, cr[in->reg], 4);
	return DONE;
}

static enum outcome mov_to_cr(struct vcpu *v, struct insn *in)
{
	uint64_t val = get_reg(v, in->rm);

	queue_drain(v);
	if (v->regs->stop)	/* what was deferred comes first */
		return AGAIN;
	if (in->reg == 0)
		cr0_write(v, val);
	else if (in->reg == 2)
		v->sh->cr2 = val;
	else if (in->reg == 3)
		cr3_write(v, val);
	else
		cr4_write(v, val);
	return DONE;
}

static enum outcome mov_from_dr(struct vcpu *v, struct insn *in)
{
	/* 4 and 5 are 6 and 7. */
	set_reg(v, in->rm, v->sh->dr[in->reg | (in->reg & 4) >> 1], 4);
	return DONE;
}

static enum outcome mov_to_dr(struct vcpu *v, struct insn *in)
{
	dr_write(v, in->reg, get_reg(v, in->rm));
	return DONE;
}

static enum outcome clts(struct vcpu *v, struct insn *in)
{
	(void)in;
	cr0_write(v, v->cr0 & ~CR0_TS);
	return DONE;
}

static enum outcome smsw(struct vcpu *v, struct insn *in)
{
	return done_or_faulted(set_rm(v, in, v->cr0, 2));
}

static enum outcome lmsw(struct vcpu *v, struct insn *in)
{
	uint64_t val;

	if (!get_rm(v, in, &val, 2))
		return MOVED;
	/* PE cannot be cleared. */
	cr0_write(v, (v->cr0 & ~0xeu) | (val & 0xf));
	return DONE;
}

static enum outcome access_msr(struct vcpu *v, struct insn *in)
{
	return done_if(msr_access(v, in->op == INSN_WRMSR));
}

/* What is read of the counters that nobody has: RDPMC, SDM Vol. 2. */
static enum outcome rdpmc(struct vcpu *v, struct insn *in)
{
	uint64_t *gpr = v->regs->gpr;

	(void)in;
	if ((uint32_t)gpr[ECX] >= PMCS)
		return REFUSED;
	gpr[EAX] = gpr[EDX] = 0;
	return DONE;
}

/* CR4.TSD is meant for ring 3. */
static enum outcome read_tsc(struct vcpu *v, struct insn *in)
{
	uint64_t tsc = rdtsc();

	(void)in;
	v->regs->gpr[EAX] = (uint32_t)tsc;
	v->regs->gpr[EDX] = tsc >> 32;
	return DONE;
}

/* ---- caches and the TLB ------------------------------------------------- */

static enum outcome nothing(struct vcpu *v, struct insn *in)
{
	(void)v, (void)in;
	return DONE;
}

static enum outcome invlpg(struct vcpu *v, struct insn *in)
{
	queue_drain(v);
	if (vmi_mode(v))
		mmu_inval(&v->mmu, operand(v, in));
	else
		mmu_flush(&v->mmu);
	mmu_flush_tlb(&v->mmu);
	return DONE;
}

/* ---- descriptor tables --------------------------------------------------- */

/* 2 bytes limit, 4 bytes base (SDM Vol. 2, LGDT). */
struct table_register {
	uint16_t	limit;
	uint32_t	base;
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
	if (in->size == 2)
		d.base &= 0xffffff;
	if (in->op == INSN_LGDT)
		desc_load_gdt(v, d.base, d.limit);
	else
		desc_load_idt(v, d.base, d.limit);
	return DONE;
}

static enum outcome load_system(struct vcpu *v, struct insn *in)
{
	uint64_t sel;

	if (insn_told(v, in))
		return AGAIN;
	if (!get_rm(v, in, &sel, 2))
		return MOVED;
	return done_if(in->op == INSN_LTR ? desc_load_tr(v, sel) :
					    desc_load_ldt(v, sel));
}

static enum outcome store_system(struct vcpu *v, struct insn *in)
{
	if (insn_told(v, in))
		return AGAIN;
	return done_or_faulted(set_rm(v, in, in->op == INSN_STR ? v->tr : v->ldt,
				      2));
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
	if (!(d & DESC_P) || (d & DESC_CODE) || desc_dpl(d) != 1)
		return false;
	v->regs->ss = (sel & 0xffff) | 1;
	return true;
}

static enum outcome mov_ss(struct vcpu *v, struct insn *in)
{
	uint64_t sel;

	if (in->sreg != SREG_SS)
		return REFUSED;
	if (!get_rm(v, in, &sel, 2))
		return MOVED;
	return done_if(load_ss(v, sel));
}

static enum outcome pop_ss(struct vcpu *v, struct insn *in)
{
	uint32_t sel = 0;

	if (in->sreg != SREG_SS ||
	    !guest_read(&v->mmu, &sel, v->regs->rsp, in->size) || !load_ss(v, sel))
		return REFUSED;
	v->regs->rsp += in->size;
	return DONE;
}

static enum outcome load_far_ss(struct vcpu *v, struct insn *in)
{
	struct { uint32_t offset; uint16_t sel; } __attribute__((packed)) p;

	if (in->sreg != SREG_SS || in->size != 4 ||
	    !guest_read(&v->mmu, &p, operand(v, in), sizeof(p)) ||
	    !load_ss(v, p.sel))
		return REFUSED;
	set_reg(v, in->reg, p.offset, 4);
	return DONE;
}

static enum outcome ret_far(struct vcpu *v, struct insn *in)
{
	uint32_t to[2];

	if (in->size != 4 || !guest_read(&v->mmu, to, v->regs->rsp, sizeof(to)) ||
	    (to[1] & 3) || !(to[1] & 0xfffc))
		return REFUSED;
	v->regs->rip = to[0];
	v->regs->cs = (to[1] & 0xffff) | 1;
	v->regs->rsp += 8 + in->imm;
	return MOVED;
}

static enum outcome iret(struct vcpu *v, struct insn *in)
{
	uint32_t cs = 0;

	/* Only what RPL 0 makes fault; a bad frame is the guest's fault. */
	if (in->size != 4 || !guest_read(&v->mmu, &cs, v->regs->rsp + 4, 4) ||
	    (cs & 3))
		return REFUSED;
	event_iret(v, v->regs->rsp, rom_is_iret(v));
	event_poll(v);
	return MOVED;
}

static enum outcome sysenter(struct vcpu *v, struct insn *in)
{
	(void)in;
	return event_sysenter(v) ? MOVED : REFUSED;
}

static enum outcome sysexit(struct vcpu *v, struct insn *in)
{
	(void)in;
	if (!event_sysexit(v))
		return REFUSED;
	event_poll(v);
	return MOVED;
}

/* To a gate that is ours alone: bit 1 of the error code, the IDT. */
static enum outcome soft_int(struct vcpu *v, struct insn *in)
{
	if (!(v->regs->error & 2))
		return REFUSED;
	v->regs->rip += in->length;
	event_soft_int(v, in->imm, in->length);
	return MOVED;
}

/* ---- calls of the hypervisor --------------------------------------------- */

/* Where the processor can make it fault (cpuid_fault.c). */
static enum outcome run_cpuid(struct vcpu *v, struct insn *in)
{
	uint64_t *gpr = v->regs->gpr;
	uint32_t r[4];

	if (v->watched && v->watch->cpuid(v, gpr[EAX], gpr[ECX], in->length))
		return AGAIN;
	v->cpuid(v, gpr[EAX], gpr[ECX], r);
	gpr[EAX] = r[0];
	gpr[EBX] = r[1];
	gpr[ECX] = r[2];
	gpr[EDX] = r[3];
	return DONE;
}

static enum outcome vmcall(struct vcpu *v, struct insn *in)
{
	return v->vmcall(v, in->length, in->bits == CODE_64) ? MOVED : REFUSED;
}

/* ---- one instruction ---------------------------------------------------- */

static enum outcome (*const carry_out[INSN_OPS])(struct vcpu *,
						 struct insn *) = {
	[INSN_CLI]		= cli,
	[INSN_STI]		= sti,
	[INSN_HLT]		= hlt,
	[INSN_IN]		= emulate_port,
	[INSN_OUT]		= emulate_port,
	[INSN_INS]		= emulate_port_string,
	[INSN_OUTS]		= emulate_port_string,
	[INSN_MOV_FROM_CR]	= mov_from_cr,
	[INSN_MOV_TO_CR]	= mov_to_cr,
	[INSN_MOV_FROM_DR]	= mov_from_dr,
	[INSN_MOV_TO_DR]	= mov_to_dr,
	[INSN_CLTS]		= clts,
	[INSN_INVD]		= nothing,
	[INSN_WBINVD]		= nothing,
	[INSN_RDMSR]		= access_msr,
	[INSN_WRMSR]		= access_msr,
	[INSN_RDPMC]		= rdpmc,
	[INSN_RDTSC]		= read_tsc,
	[INSN_LGDT]		= load_table,
	[INSN_LIDT]		= load_table,
	[INSN_SGDT]		= store_table,
	[INSN_SIDT]		= store_table,
	[INSN_SMSW]		= smsw,
	[INSN_LMSW]		= lmsw,
	[INSN_INVLPG]		= invlpg,
	[INSN_LLDT]		= load_system,
	[INSN_LTR]		= load_system,
	[INSN_SLDT]		= store_system,
	[INSN_STR]		= store_system,
	[INSN_MOV_TO_SREG]	= mov_ss,
	[INSN_POP_SREG]		= pop_ss,
	[INSN_LOAD_FAR]		= load_far_ss,
	[INSN_RET_FAR]		= ret_far,
	[INSN_IRET]		= iret,
	[INSN_INT]		= soft_int,
	[INSN_SYSENTER]		= sysenter,
	[INSN_SYSEXIT]		= sysexit,
	[INSN_CPUID]		= run_cpuid,
	[INSN_VMCALL]		= vmcall,
	[INSN_VMMCALL]		= vmcall,
};

/* The part of the list that user mode may use. */
static bool user_op(const struct vcpu *v, const struct insn *in)
{
	if (in->op == INSN_RDPMC)
		return v->cr4 & CR4_PCE;
	return in->op == INSN_IN || in->op == INSN_OUT ||
	       in->op == INSN_INS || in->op == INSN_OUTS ||
	       in->op == INSN_INT || in->op == INSN_SYSENTER ||
	       in->op == INSN_CPUID || in->op == INSN_VMCALL ||
	       in->op == INSN_VMMCALL;
}

static bool emulate_insn(struct vcpu *v, struct insn *in)
{
	bool wide = v->wide && carry_out_wide[in->op];
	struct regs *r = v->regs;
	enum outcome outcome;

	if ((regs_ring(r) == 3 && !user_op(v, in)) ||
	    (!wide && !carry_out[in->op]))
		return false;
	outcome = (wide ? carry_out_wide : carry_out)[in->op](v, in);
	if (outcome == REFUSED || outcome == AGAIN)
		return outcome == AGAIN;
	if (outcome == DONE && r->stop != STOP_ENDED)
		r->rip += in->length;
	wrap(v);
	v->stats.emulated[in->op]++;
	return true;
}

bool emulate(struct vcpu *v)
{
	struct insn in;

	return insn_fetch(v, &in) && emulate_insn(v, &in);
}

/* AMD's processors have neither SYSENTER nor SYSEXIT in compatibility mode
 * (APM Vol. 3); the others raise it at all rings but 0 (SDM Vol. 2). */
bool emulate_undefined(struct vcpu *v)
{
	struct insn in;

	if (!insn_fetch(v, &in))
		return false;
	switch (in.op) {
	case INSN_STAC: case INSN_CLAC: case INSN_MONITOR: case INSN_MWAIT:
	case INSN_VMCALL: case INSN_VMMCALL:
		return emulate_insn(v, &in);
	case INSN_SYSRET:	/* the machine's EFER.SCE may be off, not its */
		if (!v->wide || !(v->efer & EFER_SCE))
			return false;
		break;
	case INSN_SYSENTER: case INSN_SYSEXIT:
		break;
	default:
		return false;
	}
	if (!emulate_insn(v, &in))
		event_exception_error(v, VEC_GP, 0);
	return true;
}

/* By what it was then, whatever there is now. */
void emulate_answered(struct vcpu *v)
{
	struct insn in = v->request.insn;

	if (v->regs->rip != v->request.rip)
		return;
	if (v->request.access.memory)
		emulate_memory(v, &in, v->request.access.at,
			       v->request.access.write);
	else
		emulate_insn(v, &in);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The registers of a vCPU as an introspection tool sees and sets them: those that the
 * guest takes for its own. Ring 1 is shown as ring 0, and what is virtual of EFLAGS as
 * what it stands for.
 */
#include <cpu.h>
#include <string.h>

#include "kvmi.h"

/* What SET_REGISTERS may change: the status flags, TF, DF, AC, ID. */
#define FLAGS_SETTABLE	0x00240dd5ull

static uint32_t shown_ring(uint32_t sel)
{
	return (sel & 3) == 1 ? sel & 0xfffc : sel & 0xffff;
}

static struct kvmi_segment segment(struct vcpu *v, uint32_t sel)
{
	uint64_t d = sel & 0xfffc ? desc_lookup(v, sel) : 0;

	if (!d)
		return (struct kvmi_segment){ .selector = shown_ring(sel),
					      .unusable = 1 };
	return (struct kvmi_segment){
		.base = desc_base(d),
		.limit = desc_limit(d),
		.selector = shown_ring(sel),
		.type = d >> 40 & 15,
		.present = d >> 47 & 1,
		.dpl = desc_dpl(d) == 1 ? 0 : desc_dpl(d),
		.db = d >> 54 & 1,
		.s = d >> 44 & 1,
		.l = d >> 53 & 1,
		.g = d >> 55 & 1,
		.avl = d >> 52 & 1,
	};
}

static struct kvmi_segment system(uint16_t sel, uint64_t base, uint32_t limit,
				  uint8_t type)
{
	return (struct kvmi_segment){
		.base = base,
		.limit = limit,
		.selector = sel,
		.type = type,
		.present = 1,
		.unusable = !(sel & 0xfffc),
	};
}

#define TYPE_LDT	2u
#define TYPE_TSS_BUSY	11u

static uint32_t mode(struct vcpu *v)
{
	uint64_t cs = desc_lookup(v, v->regs->cs);

	return cs & DESC_L ? 8 : cs & DESC_D ? 4 : 2;
}

static uint64_t flags(const struct vcpu *v)
{
	uint64_t f = v->regs->rflags & ~(uint64_t)(EFLAGS_IF | EFLAGS_IOPL);

	return f | v->iopl | (guest_if(v) ? EFLAGS_IF : 0);
}

static void get_general(const struct vcpu *v, struct kvmi_regs *to)
{
	const struct regs *r = v->regs;

	*to = (struct kvmi_regs){
		.rax = r->gpr[EAX], .rbx = r->gpr[EBX],
		.rcx = r->gpr[ECX], .rdx = r->gpr[EDX],
		.rsi = r->gpr[ESI], .rdi = r->gpr[EDI],
		.rsp = r->rsp, .rbp = r->gpr[EBP],
		.rip = r->rip, .rflags = flags(v),
	};
	memcpy(to->r8_15, &r->gpr[8], sizeof(to->r8_15));
}

static uint64_t msr(struct vcpu *v, uint32_t index)
{
	uint64_t value;

	return msr_get(v, index, &value) ? value : 0;
}

static void get_system(struct vcpu *v, struct kvmi_sregs *to)
{
	if (v == current)	/* else it is off, or was never on */
		desc_save(v);
	*to = (struct kvmi_sregs){
		.cs = segment(v, v->regs->cs),
		.ds = segment(v, v->sreg[0]),
		.es = segment(v, v->sreg[1]),
		.fs = segment(v, v->sreg[2]),
		.gs = segment(v, v->sreg[3]),
		.ss = segment(v, v->regs->ss),
		.tr = system(v->tr, v->tss_base, v->tss_limit, TYPE_TSS_BUSY),
		.ldt = system(v->ldt, v->ldt_base, v->ldt_limit, TYPE_LDT),
		.gdt = { v->gdt_base, v->gdt_limit, { 0 } },
		.idt = { v->idt_base, v->idt_limit, { 0 } },
		.cr0 = v->cr0,
		.cr2 = v->wide ? shared64(v)->cr2 : v->sh->cr2,
		.cr3 = v->wide ? v->mmu.long_cr3 : v->mmu.cr3,
		.cr4 = v->cr4,
		.cr8 = apic_read(v->apic, APIC_TPR, rdtsc()) >> 4 & 15,
		.efer = v->efer,
		.apic_base = msr(v, MSR_APIC_BASE),
	};
	if (!v->wide)
		return;
	to->fs.base = v->fs_base;
	to->gs.base = v->gs_base;
}

void kvmi_get_regs(struct vcpu *v, struct kvmi_all_regs *to)
{
	*to = (struct kvmi_all_regs){ .mode = mode(v) };
	get_general(v, &to->regs);
	get_system(v, &to->sregs);
}

void kvmi_get_state(struct vcpu *v, struct kvmi_event *to)
{
	*to = (struct kvmi_event){
		.size = sizeof(*to),
		.vcpu = v->nr,
		.mode = mode(v),
		.sysenter_cs = v->sysenter_cs,
		.sysenter_esp = v->sysenter_esp,
		.sysenter_eip = v->sysenter_eip,
		.efer = v->efer,
		.star = msr(v, MSR_STAR),
		.lstar = msr(v, MSR_LSTAR),
		.cstar = msr(v, MSR_CSTAR),
		.pat = v->pat,
		.shadow_gs = msr(v, MSR_KERNEL_GS_BASE),
	};
	get_general(v, &to->regs);
	get_system(v, &to->sregs);
}

gpa_t kvmi_gpa(struct vcpu *v, gva_t va)
{
	gpa_t pa;

	if (v->wide ? long_translate(&v->mmu, va, &pa) :
	    va <= v->mmu.guest_last && mmu_translate(&v->mmu, va, &pa))
		return pa;
	return UINT64_MAX;
}

/* Of a 32-bit guest the upper halves stay 0. */
void kvmi_set_regs(struct vcpu *v, const struct kvmi_regs *from)
{
	uint64_t mask = v->wide ? UINT64_MAX : UINT32_MAX;
	struct regs *r = v->regs;
	uint32_t i;

	r->gpr[EAX] = from->rax & mask;
	r->gpr[EBX] = from->rbx & mask;
	r->gpr[ECX] = from->rcx & mask;
	r->gpr[EDX] = from->rdx & mask;
	r->gpr[ESI] = from->rsi & mask;
	r->gpr[EDI] = from->rdi & mask;
	r->gpr[EBP] = from->rbp & mask;
	for (i = 0; i < 8 && v->wide; i++)
		r->gpr[8 + i] = from->r8_15[i];
	r->rsp = from->rsp & mask;
	r->rip = from->rip & mask;
	r->rflags = (r->rflags & ~FLAGS_SETTABLE) |
		    (from->rflags & FLAGS_SETTABLE);
	if (regs_ring(r) == 3)
		return;
	if (from->rflags & EFLAGS_IF)
		shared_set_bits(&v->sh->flags, STUB_IF);
	else
		shared_clear_bits(&v->sh->flags, STUB_IF);
}

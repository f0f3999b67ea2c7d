// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hypercalls of the stub ROM. They come from ring 1 alone (the gate's DPL).
 * Which VMI call a hypercall serves is the ROM's business; see
 * spec/include/vmi_stub.h for arguments and results.
 */
#include <cpu.h>

#include "hcall.h"
#include "log.h"

#define INT_LENGTH	2

void hcall_tell_shared(const struct guest *g)
{
	uint32_t i;

	for (i = 0; i < g->vcpus; i++)
		log_printf("%s: vCPU %u's shared area is at machine address %09lx\n",
			   g->name, i, host_pa(g->vcpu[i].sh));
}

/* VMI_Init: from here on the top of the address space is ours. */
static void hc_init(struct vcpu *v, uint64_t a, uint64_t b)
{
	(void)a, (void)b;
	volatile struct stub_shared *sh = v->sh;

	if (vmi_mode(v)) {
		v->regs->gpr[EAX] = UINT32_MAX;
		return;
	}
	sh->cr0 = v->cr0;
	sh->cr3 = v->mmu.cr3;
	sh->cr4 = v->cr4;
	sh->ss0 = v->regs->ss;
	vcpu_vmi_mode(v, rdtsc());

	mmu_reserve(&v->mmu, v->rom->virtual_top);
	desc_load_gdt(v, v->gdt_base, v->gdt_limit);
	desc_load_idt(v, v->idt_base, v->idt_limit);
	v->regs->gpr[EAX] = 0;
	log_printf("%s: VMI_Init at %08x\n", v->g->name,
		   (uint32_t)v->regs->rip);
	hcall_tell_shared(v->g);
}

/* The draining is all. */
static void hc_drain(struct vcpu *v, uint64_t a, uint64_t b)
{
	(void)v, (void)a, (void)b;
}

static void hc_events(struct vcpu *v, uint64_t a, uint64_t b)
{
	(void)a, (void)b;
	event_poll(v);
}

static void hc_iret(struct vcpu *v, uint64_t a, uint64_t b)
{
	struct regs *r = v->regs;
	uint32_t eax;

	(void)a, (void)b;
	if (!guest_read(&v->mmu, &eax, r->rsp, 4)) {
		vcpu_kill(v, "no stack at %08x", (uint32_t)r->rsp);
		return;
	}
	r->gpr[EAX] = eax;
	event_iret(v, r->rsp + 4, true);
	event_poll(v);
}

static void hc_set_cr0(struct vcpu *v, uint64_t value, uint64_t b)
{
	(void)b;
	cr0_write(v, value);
}

static void hc_set_cr3(struct vcpu *v, uint64_t value, uint64_t b)
{
	(void)b;
	cr3_write(v, value);
}

static void hc_set_cr4(struct vcpu *v, uint64_t value, uint64_t b)
{
	(void)b;
	cr4_write(v, value);
}

static void hc_clts(struct vcpu *v, uint64_t a, uint64_t b)
{
	(void)a, (void)b;
	cr0_write(v, v->cr0 & ~CR0_TS);
}

static void hc_inval_page(struct vcpu *v, uint64_t va, uint64_t b)
{
	(void)b;
	queue_peek(v);
	mmu_inval(&v->mmu, va);
	mmu_flush_tlb(&v->mmu);
}

static void hc_flush_tlb(struct vcpu *v, uint64_t flags, uint64_t b)
{
	(void)flags, (void)b;
	queue_peek(v);
	mmu_flush(&v->mmu);
}

/* By one exit of it here, and one there if it runs: its kernel has no part in
 * it. */
static void hc_flush_processors(struct vcpu *v, uint64_t ids, uint64_t what)
{
	uint32_t others = 0;
	struct vcpu *s = v;

	queue_peek(v);
	do {
		if (hcall_flushes(s, ids)) {
			others |= 1u << s->mmu.nr;
			if (what & VMI_FLUSH_PAGE)
				mmu_inval_other(&v->mmu, &s->mmu, what);
			else
				mmu_forget_other(&v->mmu, &s->mmu);
		}
		s = s->sibling;
	} while (s != v);
	mmu_flush_others(&v->mmu, others);
}

static void hc_set_gdt(struct vcpu *v, uint64_t base, uint64_t limit)
{
	desc_load_gdt(v, base, limit);
}

static void hc_set_idt(struct vcpu *v, uint64_t base, uint64_t limit)
{
	desc_load_idt(v, base, limit);
}

static void hc_set_ldt(struct vcpu *v, uint64_t sel, uint64_t b)
{
	(void)b;
	if (!desc_load_ldt(v, sel))
		event_exception_error(v, VEC_GP, sel & 0xfffc);
}

static void hc_set_tr(struct vcpu *v, uint64_t sel, uint64_t b)
{
	(void)b;
	if (!desc_load_tr(v, sel))
		event_exception_error(v, VEC_GP, sel & 0xfffc);
}

static void hc_gdt_changed(struct vcpu *v, uint64_t index, uint64_t b)
{
	(void)b;
	desc_gdt_changed(v, index);
}

static void hc_ldt_changed(struct vcpu *v, uint64_t base, uint64_t index)
{
	desc_ldt_changed(v, base, index);
}

static void hc_idt_changed(struct vcpu *v, uint64_t index, uint64_t b)
{
	(void)b;
	desc_idt_changed(v, index);
}

/* An entry outside all linear slots: find where it is ourselves. */
static void hc_update_va(struct vcpu *v, uint64_t va, uint64_t b)
{
	gpa_t pa;

	(void)b;
	if (mmu_translate(&v->mmu, va, &pa))
		mmu_entry_changed(&v->mmu, pa);
	mmu_flush_tlb(&v->mmu);
}

static void hc_set_dr(struct vcpu *v, uint64_t nr, uint64_t value)
{
	dr_write(v, nr, value);
}

static void hc_cpuid(struct vcpu *v, uint64_t leaf, uint64_t sub)
{
	uint32_t r[4];

	v->cpuid(v, leaf, sub, r);
	v->regs->gpr[EAX] = r[0];
	v->regs->gpr[EBX] = r[1];
	v->regs->gpr[ECX] = r[2];
	v->regs->gpr[EDX] = r[3];
}

static void hc_halt(struct vcpu *v, uint64_t a, uint64_t b)
{
	(void)a, (void)b;
	shared_set_bits(&v->sh->flags, STUB_IF);
	vcpu_halt(v);
}

static void hc_end(struct vcpu *v, uint64_t a, uint64_t b)
{
	(void)a, (void)b;
	vcpu_end(v, END_ORDERLY);
}

static void hc_set_iopl(struct vcpu *v, uint64_t flags, uint64_t b)
{
	(void)b;
	v->iopl = flags & EFLAGS_IOPL;
	if (v->wide)
		wide_fault_changed(v);
}

static void hc_set_alarm(struct vcpu *v, uint64_t flags, uint64_t b)
{
	(void)b;
	alarm_set(v, flags, v->sh->expiry, v->sh->period);
	event_poll(v);
}

static void hc_cancel_alarm(struct vcpu *v, uint64_t flags, uint64_t b)
{
	(void)b;
	v->regs->gpr[EAX] = alarm_cancel(v, flags);
}

static void hc_wallclock(struct vcpu *v, uint64_t a, uint64_t b)
{
	uint64_t ns = host_wallclock_ns();

	(void)a, (void)b;
	v->regs->gpr[EAX] = (uint32_t)ns;
	v->regs->gpr[EDX] = ns >> 32;
}

static void hc_trace(struct vcpu *v, uint64_t a, uint64_t b)
{
	(void)a, (void)b;
	trace_drain(v->g->trace, v->nr, v->sh);
}

static void hc_apic_read(struct vcpu *v, uint64_t offset, uint64_t b)
{
	(void)b;
	v->regs->gpr[EAX] = apic_read(v->apic, offset, rdtsc());
}

static void hc_apic_write(struct vcpu *v, uint64_t offset, uint64_t value)
{
	ipi_apic_write(v, offset, value);
	event_poll(v);
}

static void hc_initial_state(struct vcpu *v, uint64_t block, uint64_t apic_id)
{
	v->regs->gpr[EAX] = ipi_initial_state(v, apic_id, block);
}

/* What the queue cannot say of frames above 4 GB. */
static void hc_page(struct vcpu *v, uint64_t gfn, uint64_t op)
{
	if (op == STUB_QP_ALLOC)
		mmu_page_table(&v->mmu, gfn, true);
	else if (op == STUB_QP_RELEASE)
		mmu_page_table(&v->mmu, gfn, false);
	mmu_flush_tlb(&v->mmu);
}

/* An exception is one of the INT instruction. */
void hcall_dispatch(struct vcpu *v, struct call_made *c)
{
	enum verdict verdict = dispatch(v, c);

	if (verdict == CALL_DONE)
		v->regs->gpr[EAX] = (uint64_t)c->result & c->mask;
	if (verdict == CALL_DONE || verdict == CALL_LATE)
		return;
	v->regs->rip -= INT_LENGTH;
	if (verdict == CALL_UD)
		event_exception(v, VEC_UD);
	else
		event_exception_error(v, VEC_GP, 0);
}

/* What is above bit 31 of a register is nobody's. */
static void hc_hypercall(struct vcpu *v, uint64_t edx, uint64_t ecx)
{
	uint64_t *gpr = v->regs->gpr;
	struct call_made c = {
		.number = (uint32_t)ecx,
		.arg = { (uint32_t)edx, (uint32_t)gpr[EBX],
			 (uint32_t)gpr[ESI], (uint32_t)gpr[EDI] },
		.mask = UINT32_MAX,
	};

	hcall_dispatch(v, &c);
}

const struct hypercall hypercall[STUB_HC_COUNT] = {
	[STUB_HC_INIT]		= { hc_init, false },
	[STUB_HC_DRAIN]		= { hc_drain, true },
	[STUB_HC_QUEUE_FULL]	= { hc_drain, true },
	[STUB_HC_EVENTS]	= { hc_events, false },
	[STUB_HC_IRET]		= { hc_iret, false },
	[STUB_HC_SET_CR0]	= { hc_set_cr0, true },
	[STUB_HC_SET_CR3]	= { hc_set_cr3, true },
	[STUB_HC_SET_CR4]	= { hc_set_cr4, true },
	[STUB_HC_CLTS]		= { hc_clts, false },
	[STUB_HC_INVAL_PAGE]	= { hc_inval_page, true },
	[STUB_HC_FLUSH_TLB]	= { hc_flush_tlb, true },
	[STUB_HC_SET_GDT]	= { hc_set_gdt, true },
	[STUB_HC_SET_IDT]	= { hc_set_idt, true },
	[STUB_HC_SET_LDT]	= { hc_set_ldt, true },
	[STUB_HC_SET_TR]	= { hc_set_tr, true },
	[STUB_HC_GDT_CHANGED]	= { hc_gdt_changed, true },
	[STUB_HC_LDT_CHANGED]	= { hc_ldt_changed, true },
	[STUB_HC_IDT_CHANGED]	= { hc_idt_changed, true },
	[STUB_HC_UPDATE_VA]	= { hc_update_va, true },
	[STUB_HC_SET_DR]	= { hc_set_dr, false },
	[STUB_HC_CPUID]		= { hc_cpuid, false },
	[STUB_HC_HALT]		= { hc_halt, false },
	[STUB_HC_REBOOT]	= { hc_end, false },
	[STUB_HC_SHUTDOWN]	= { hc_end, false },
	[STUB_HC_SET_IOPL]	= { hc_set_iopl, false },
	[STUB_HC_SET_ALARM]	= { hc_set_alarm, false },
	[STUB_HC_CANCEL_ALARM]	= { hc_cancel_alarm, false },
	[STUB_HC_WALLCLOCK]	= { hc_wallclock, false },
	[STUB_HC_TRACE]		= { hc_trace, false },
	[STUB_HC_APIC_READ]	= { hc_apic_read, false },
	[STUB_HC_APIC_WRITE]	= { hc_apic_write, false },
	[STUB_HC_PAGE]		= { hc_page, true },
	[STUB_HC_INITIAL_STATE]	= { hc_initial_state, true },
	[STUB_HC_FLUSH_PROCESSORS] = { hc_flush_processors, true },
	[STUB_HC_HYPERCALL]	= { hc_hypercall, false },
};

static inline __attribute__((always_inline))
void carry_out(struct vcpu *v, struct regs *r, uint32_t nr,
	       const struct hypercall *h, uint64_t a, uint64_t b)
{
	vcpu_note_call(v, nr, a, b, r->rip, r->rsp);
	if (!h) {
		vcpu_kill(v, "hypercall %u does not exist", nr);
		return;
	}
	if (!vmi_mode(v) && nr != STUB_HC_INIT) {
		vcpu_kill(v, "hypercall %u before VMI_Init", nr);
		return;
	}
	if (nr < STUB_HC_COUNT)
		v->stats.hcalls[nr]++;
	if (h->drains && queue_pending(v)) {
		queue_drain(v);
		if (r->stop) {
			/* Not its end: the call comes again. */
			if (r->stop == STOP_ASKED)
				r->rip -= INT_LENGTH;
			return;
		}
	}
	h->handler(v, a, b);
}

void hcall(struct vcpu *v, struct regs *r)
{
	uint32_t nr = r->gpr[EAX];

	carry_out(v, r, nr, nr < STUB_HC_COUNT ? &hypercall[nr] : NULL,
		  (uint32_t)r->gpr[EDX], (uint32_t)r->gpr[ECX]);
}

void hcall_carry_out(struct vcpu *v, struct regs *r, uint32_t nr,
		     const struct hypercall *h, uint64_t a, uint64_t b)
{
	carry_out(v, r, nr, h, a, b);
}

/* ---- watched --------------------------------------------------------------- */

/* RIP is at the INT, which comes again. */
static bool told_insn(struct vcpu *v, uint32_t nr, uint64_t a, uint64_t b)
{
	const struct watch *w = v->watch;

	switch (nr) {
	case STUB_HC_CPUID:
		return w->cpuid(v, a, b, INT_LENGTH);
	case STUB_HC_SET_GDT:
		return w->insn(v, INSN_LGDT);
	case STUB_HC_SET_IDT:
		return w->insn(v, INSN_LIDT);
	case STUB_HC_SET_LDT:
		return w->insn(v, INSN_LLDT);
	case STUB_HC_SET_TR:
		return w->insn(v, INSN_LTR);
	}
	return false;
}

static bool told(struct vcpu *v, struct regs *r)
{
	uint64_t a = v->wide ? r->gpr[EDI] : (uint32_t)r->gpr[EDX];
	uint64_t b = v->wide ? r->gpr[ESI] : (uint32_t)r->gpr[ECX];
	uint32_t nr = r->gpr[EAX];

	if (nr == STUB64_HC_SYSCALL)
		return v->wide && is_canonical(a) && is_canonical(b) &&
		       v->watch->entries(v, a, b);
	r->rip -= INT_LENGTH;
	if (told_insn(v, nr, a, b))
		return true;
	r->rip += INT_LENGTH;
	return false;
}

/* Those that stand for instructions that are told of. */
void hcall_watched(struct vcpu *v, struct regs *r)
{
	if (vmi_mode(v) && told(v, r))
		return;
	(v->wide ? hcall_wide : hcall)(v, r);
}

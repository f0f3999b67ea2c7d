// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hypercalls of a wide guest (spec/stub64.md, STUB64-6): numbers and handlers are
 * those of hcall.c, but for what is here.
 */
#include <cpu.h>

#include "hcall.h"
#include "log.h"

/* VMI_Init: from here on the last 2 MB of the linear space are ours. */
static void hc_init(struct vcpu *v, uint64_t a, uint64_t b)
{
	volatile struct stub64_shared *sh = shared64(v);

	(void)a, (void)b;
	/* A unikernel has no ROM. */
	if (vmi_mode(v) || !v->rom->image || !wide_has_fsgsbase()) {
		v->regs->gpr[EAX] = UINT32_MAX;
		return;
	}
	sh->cr0 = v->cr0;
	sh->cr3 = v->mmu.long_cr3;
	sh->cr4 = v->cr4;
	vcpu_vmi_mode(v, rdtsc());
	long_reserve(&v->mmu);
	desc_load_gdt(v, v->gdt_base, v->gdt_limit);
	desc_load_idt(v, v->idt_base, v->idt_limit);
	v->regs->gpr[EAX] = 0;
	log_printf("%s: VMI_Init at %016lx\n", v->g->name, v->regs->rip);
	hcall_tell_shared(v->g);
}

/* RAX is below the frame. */
static void hc_iret(struct vcpu *v, uint64_t a, uint64_t b)
{
	struct regs *r = v->regs;
	uint64_t rax;

	(void)a, (void)b;
	if (!guest_read(&v->mmu, &rax, r->rsp, sizeof(rax))) {
		vcpu_kill(v, "no stack at %016lx", r->rsp);
		return;
	}
	r->gpr[EAX] = rax;
	r->rsp += sizeof(rax);
	if (v->rom->iret_site)
		r->rip = v->rom->iret_site;
	if (!wide_iret(v, r->rsp))
		vcpu_kill(v, "no IRET frame at %016lx", r->rsp);
	event_poll(v);
}

static void hc_inval_page(struct vcpu *v, uint64_t va, uint64_t b)
{
	(void)b;
	queue_peek(v);
	long_inval(&v->mmu, va);
	mmu_flush_tlb(&v->mmu);
}

static void hc_flush_tlb(struct vcpu *v, uint64_t flags, uint64_t b)
{
	(void)flags, (void)b;
	queue_peek(v);
	long_flush(&v->mmu);
}

static void hc_flush_processors(struct vcpu *v, uint64_t ids, uint64_t what)
{
	uint32_t others = 0;
	struct vcpu *s = v;

	queue_peek(v);
	do {
		if (hcall_flushes(s, ids)) {
			others |= 1u << s->mmu.nr;
			if (what & VMI_FLUSH_PAGE)
				long_inval_other(&v->mmu, &s->mmu, what);
			else
				long_forget_other(&v->mmu, &s->mmu);
		}
		s = s->sibling;
	} while (s != v);
	mmu_flush_others(&v->mmu, others);
}

static void hc_update_va(struct vcpu *v, uint64_t va, uint64_t b)
{
	gpa_t pa;

	(void)b;
	if (long_translate(&v->mmu, va, &pa))
		long_entry_changed(&v->mmu, pa);
	mmu_flush_tlb(&v->mmu);
}

static void hc_set_alarm(struct vcpu *v, uint64_t flags, uint64_t expiry)
{
	alarm_set(v, flags, expiry, v->regs->gpr[EDX]);
	event_poll(v);
}

static void hc_wallclock(struct vcpu *v, uint64_t a, uint64_t b)
{
	(void)a, (void)b;
	v->regs->gpr[EAX] = host_wallclock_ns();
}

static void hc_syscall(struct vcpu *v, uint64_t lstar, uint64_t cstar)
{
	if (!is_canonical(lstar) || !is_canonical(cstar)) {
		event_exception_error(v, VEC_GP, 0);
		return;
	}
	msr_set_entry(v, MSR_LSTAR, lstar);
	msr_set_entry(v, MSR_CSTAR, cstar);
}

static void hc_iret_site(struct vcpu *v, uint64_t rip, uint64_t b)
{
	(void)b;
	v->rom->iret_site = is_canonical(rip) ? rip : 0;
}

static void hc_hypercall(struct vcpu *v, uint64_t number, uint64_t a0)
{
	uint64_t *gpr = v->regs->gpr;
	struct call_made c = {
		.number = (uint32_t)number,
		.arg = { a0, gpr[EDX], gpr[ECX], gpr[R8] },
		.mask = UINT64_MAX,
	};

	hcall_dispatch(v, &c);
}

/* Where there is no handler, it is hcall.c's, but for what a wide guest has not. */
static const struct hypercall wide[STUB64_HC_COUNT] = {
	[STUB_HC_INIT]		= { hc_init, false },
	[STUB_HC_IRET]		= { hc_iret, false },
	[STUB_HC_INVAL_PAGE]	= { hc_inval_page, true },
	[STUB_HC_FLUSH_TLB]	= { hc_flush_tlb, true },
	[STUB_HC_UPDATE_VA]	= { hc_update_va, true },
	[STUB_HC_SET_ALARM]	= { hc_set_alarm, false },
	[STUB_HC_WALLCLOCK]	= { hc_wallclock, false },
	[STUB_HC_FLUSH_PROCESSORS] = { hc_flush_processors, true },
	[STUB_HC_HYPERCALL]	= { hc_hypercall, false },
	[STUB64_HC_SYSCALL]	= { hc_syscall, false },
	[STUB64_HC_IRET_SITE]	= { hc_iret_site, false },
};

void hcall_wide(struct vcpu *v, struct regs *r)
{
	uint32_t nr = r->gpr[EAX];
	const struct hypercall *h = nr < STUB64_HC_COUNT ? &wide[nr] : NULL;

	if (h && !h->handler)
		h = nr < STUB_HC_COUNT && nr != STUB_HC_PAGE ?
		    &hypercall[nr] : NULL;
	hcall_carry_out(v, r, nr, h, r->gpr[EDI], r->gpr[ESI]);
}

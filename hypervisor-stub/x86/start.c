// SPDX-License-Identifier: GPL-2.0-only
/*
 * How a vCPU begins: the first one of a guest as the loader says, without VMI;
 * the others in VMI mode, in the state that the guest has given to
 * SetInitialAPState (VMI-3.8), which is hostile. It runs on the vCPU's own
 * tables and descriptors, so on the processor that is going to run it.
 */
#include <cpu.h>
#include <string.h>

#include "x86.h"

#define FPU_CONTROL	0x37f		/* as after FNINIT */
#define FPU_MXCSR	0x1f80
#define FXSAVE_MXCSR	24		/* SDM Vol. 1, 10.5.1 */

/* At ring 1. */
#define FLAT_CODE64	0x00afbb000000ffffull
#define FLAT_DATA	0x00cfb3000000ffffull

/* As after INIT (SDM Vol. 3, Table 10-1), but for what comes from the block. */
static void reset(struct vcpu *v)
{
	static const uint16_t control = FPU_CONTROL;
	static const uint32_t mxcsr = FPU_MXCSR;
	uint32_t nr;

	memset(v->regs, 0, offsetof(struct regs, vcpu));
	memset(v->fpu, 0, sizeof(v->fpu));
	memcpy(v->fpu, &control, sizeof(control));
	memcpy(v->fpu + FXSAVE_MXCSR, &mxcsr, sizeof(mxcsr));
	memset(v->sreg, 0, sizeof(v->sreg));
	memset(v->alarm, 0, sizeof(v->alarm));
	for (nr = 0; nr < 8; nr++)
		dr_write(v, nr, 0);
	v->iopl = 0;
	v->ldt = v->tr = 0;
	v->tss_base = v->tss_limit = 0;
	v->sysenter_cs = v->sysenter_esp = v->sysenter_eip = 0;
	v->pat = 0x0007040600070406;	/* SDM Vol. 3, 12.12.4 */
	v->interrupted = false;
}

/* From here on the reserved top is there for it, with its own shared area. */
void vcpu_vmi_mode(struct vcpu *v, uint64_t tsc_base)
{
	volatile struct stub_shared *sh = v->sh;

	rom_map(v->rom, &v->mmu, sh, v->wide ? sizeof(struct stub64_shared) :
		sizeof(*sh));
	sh->layout = v->wide ? STUB64_LAYOUT : STUB_LAYOUT;
	sh->tail = (int32_t)(v->queue_start - STUB_QUEUE_LEN);
	if (v->wide)
		shared64(v)->queue_guard = STUB64_QUEUE_GUARD;
	else
		sh->queue_guard = STUB_QUEUE_GUARD;
	sh->tsc_base = v->tsc_base = tsc_base;
	sh->tsc_hz = host_tsc_hz;
	v->stolen = sh->stolen = 0;
	v->peeked = v->queue_start;
	v->stack_limit = v->rom->virtual_top - FRAME_MAX;
}

/* Linear slot 0 is as the first vCPU has it (VMI-3.8.8). */
static void further(struct vcpu *v, const struct vcpu *first)
{
	memset((void *)v->sh, 0, sizeof(*v->sh));
	vcpu_vmi_mode(v, first->tsc_base);
	v->sh->linear[0].va = first->sh->linear[0].va;
	v->sh->linear[0].bytes = first->sh->linear[0].bytes;
	v->sh->linear[0].pa = first->sh->linear[0].pa;
}

/* A descriptor that CS or SS can be loaded with, at ring 1. */
static bool fits(struct vcpu *v, uint16_t sel, bool code)
{
	uint64_t d = desc_lookup(v, sel);

	return (d & DESC_P) && !(d & DESC_CODE) == !code && desc_dpl(d) == 1 &&
	       (code || (d >> 41 & 1));
}

static bool load_state(struct vcpu *v, const struct vmi_ap_state *s)
{
	struct regs *r = v->regs;

	if (!cr_start(v, s))
		return false;
	v->sh->cr2 = s->cr2;
	desc_load_gdt(v, s->gdtr_base, s->gdtr_limit);
	desc_load_idt(v, s->idtr_base, s->idtr_limit);
	r->cs = (s->cs & 0xfffc) | 1;
	r->ss = (s->ss & 0xfffc) | 1;
	if (!desc_load_ldt(v, s->ldtr) || !fits(v, r->cs, true) ||
	    !fits(v, r->ss, false) || (s->eflags & EFLAGS_VM))
		return false;
	v->sh->ss0 = r->ss;
	r->gpr[EAX] = s->eax;
	r->gpr[EBX] = s->ebx;
	r->gpr[ECX] = s->ecx;
	r->gpr[EDX] = s->edx;
	r->gpr[EBP] = s->ebp;
	r->gpr[ESI] = s->esi;
	r->gpr[EDI] = s->edi;
	r->rip = s->eip;
	r->rsp = s->esp;
	r->rflags = (s->eflags & ~EFLAGS_IOPL) | EFLAGS_IF | EFLAGS_FIXED;
	v->iopl = s->eflags & EFLAGS_IOPL;
	v->sh->flags = s->eflags & STUB_IF;
	v->sreg[0] = s->ds;
	v->sreg[1] = s->es;
	v->sreg[2] = s->fs;
	v->sreg[3] = s->gs;
	return true;
}

static bool load_wide_state(struct vcpu *v, const struct vcpu_start *s)
{
	struct regs *r = v->regs;
	uint32_t i;

	v->star = v->lstar = v->cstar = v->fmask = 0;
	v->syscall_swaps[0] = v->syscall_swaps[1] = false;
	v->fs_base = v->gs_base = 0;
	wide_syscall_changed(v);
	if (!cr_start_wide(v, s))
		return false;
	desc_load_gdt(v, s->gdt_base, s->gdt_limit);
	/* They are loaded, whether or not the table is mapped there. */
	v->gdt_table[s->cs >> 3] = FLAT_CODE64;
	v->gdt_table[s->ds >> 3] = FLAT_DATA;
	r->cs = (s->cs & 0xfffc) | 1;
	r->ss = (s->ds & 0xfffc) | 1;
	if (!fits(v, r->cs, true) || !fits(v, r->ss, false))
		return false;
	r->gpr[EDI] = s->rdi;
	r->gpr[ESI] = s->rsi;
	r->rip = s->rip;
	r->rsp = s->rsp;
	r->rflags = EFLAGS_IF | EFLAGS_FIXED;
	v->sh->flags = s->rflags & STUB_IF;
	for (i = 0; i < 4; i++)
		v->sreg[i] = s->ds;
	return true;
}

void vcpu_start(struct vcpu *v)
{
	v->starting = false;
	reset(v);
	mmu_join(&v->mmu);
	if (v->mmu.mm->reserved)
		further(v, v->first);
	else
		v->stack_limit = UINT32_MAX - FRAME_MAX;
	v->initial_set = false;
	if (v->wide ? !load_wide_state(v, v->start) :
		      !load_state(v, &v->initial))
		vcpu_stop(v, STOP_OFF);
	write_cr0(read_cr0() & ~(uint64_t)(CR0_EM | CR0_TS));
	asm volatile("fxrstor64 %0" : : "m"(v->fpu));
	cr_load(v);
	desc_load(v);
}

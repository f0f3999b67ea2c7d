// SPDX-License-Identifier: GPL-2.0-only
/*
 * How a vCPU begins: the first one of a guest as the loader says, without VMI;
 * the others in VMI mode, in the state that the guest has given to
 * SetInitialAPState (VMI-3.8, VMI64-3.8), which is hostile. It runs on the
 * vCPU's own tables and descriptors, so on the processor that is going to run
 * it.
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
	if (v->wide)
		xstate_reset(v);
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

static uint32_t shared_bytes(const struct vcpu *v)
{
	return v->wide ? sizeof(struct stub64_shared) : sizeof(*v->sh);
}

/* From here on the reserved top is there for it, with its own shared area. */
void vcpu_vmi_mode(struct vcpu *v, uint64_t tsc_base)
{
	volatile struct stub_shared *sh = v->sh;

	rom_map(v->rom, &v->mmu, sh, shared_bytes(v));
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

#define COPY(field)	to->field = from->field

static void copy_slot_wide(volatile struct stub64_shared *to,
			   const volatile struct stub64_shared *from)
{
	COPY(linear[0].va);
	COPY(linear[0].bytes);
	COPY(linear[0].pa);
	COPY(direct_va);
	COPY(direct_bytes);
}

static void copy_slot(volatile struct stub_shared *to,
		      const volatile struct stub_shared *from)
{
	COPY(linear[0].va);
	COPY(linear[0].bytes);
	COPY(linear[0].pa);
}

/* Linear slot 0 is as the first vCPU has it (VMI-3.8.8). */
static void further(struct vcpu *v, const struct vcpu *first)
{
	memset((void *)v->sh, 0, shared_bytes(v));
	vcpu_vmi_mode(v, first->tsc_base);
	if (v->wide)
		copy_slot_wide(shared64(v), shared64(first));
	else
		copy_slot(v->sh, first->sh);
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

/* SS of 64-bit code may be null. */
static bool wide_fits(struct vcpu *v)
{
	const struct regs *r = v->regs;

	return fits(v, r->cs, true) && (desc_lookup(v, r->cs) & DESC_L) &&
	       (!(r->ss & ~3ull) || fits(v, r->ss, false));
}

static bool canonical(const struct vmi64_ap_state *s)
{
	return is_canonical(s->rip) && is_canonical(s->rsp) &&
	       is_canonical(s->fs_base) && is_canonical(s->gs_base) &&
	       is_canonical(s->kernel_gs_base);
}

static void load_wide_registers(struct vcpu *v, const struct vmi64_ap_state *s)
{
	struct regs *r = v->regs;

	r->gpr[EAX] = s->rax;
	r->gpr[EBX] = s->rbx;
	r->gpr[ECX] = s->rcx;
	r->gpr[EDX] = s->rdx;
	r->gpr[EBP] = s->rbp;
	r->gpr[ESI] = s->rsi;
	r->gpr[EDI] = s->rdi;
	r->gpr[R8] = s->r8;
	r->gpr[R9] = s->r9;
	r->gpr[R10] = s->r10;
	r->gpr[R11] = s->r11;
	r->gpr[R12] = s->r12;
	r->gpr[R13] = s->r13;
	r->gpr[R14] = s->r14;
	r->gpr[R15] = s->r15;
	r->rip = s->rip;
	r->rsp = s->rsp;
	r->rflags = wide_flags(s->rflags);
	v->iopl = s->rflags & EFLAGS_IOPL;
	v->sh->flags = s->rflags & STUB_IF;
	v->sreg[0] = s->ds;
	v->sreg[1] = s->es;
	v->sreg[2] = s->fs;
	v->sreg[3] = s->gs;
	v->fs_base = s->fs_base;
	v->gs_base = s->gs_base;
	shared64(v)->other_gs = s->kernel_gs_base;
}

static bool load_wide_state(struct vcpu *v, const struct vmi64_ap_state *s)
{
	struct regs *r = v->regs;

	v->star = v->lstar = v->cstar = v->fmask = 0;
	v->syscall_swaps[0] = v->syscall_swaps[1] = false;
	v->fs_base = v->gs_base = 0;
	wide_syscall_changed(v);
	if (!canonical(s) || !cr_start_wide(v, s))
		return false;
	shared64(v)->cr2 = s->cr2;
	desc_load_gdt(v, s->gdtr_base, s->gdtr_limit);
	desc_load_idt(v, s->idtr_base, s->idtr_limit);
	/* They are loaded, whether or not the loader's table is mapped. */
	if (v == v->first) {
		v->gdt_table[s->cs >> 3] = FLAT_CODE64;
		v->gdt_table[s->ss >> 3] = FLAT_DATA;
	}
	r->cs = (s->cs & 0xfffc) | 1;
	r->ss = (s->ss & 0xfffc) | 1;
	if (!desc_load_ldt(v, s->ldtr) || !wide_fits(v))
		return false;
	load_wide_registers(v, s);
	wide_fault_changed(v);
	return true;
}

void vcpu_start(struct vcpu *v)
{
	v->starting = false;
	mmu_join(&v->mmu);
	if (v->mmu.mm->reserved)
		further(v, v->first);
	else
		v->stack_limit = UINT32_MAX - FRAME_MAX;
	reset(v);
	v->initial_set = false;
	if (v->wide ? !load_wide_state(v, &v->initial.wide) :
		      !load_state(v, &v->initial.legacy))
		vcpu_stop(v, STOP_OFF);
	write_cr0(read_cr0() & ~(uint64_t)(CR0_EM | CR0_TS));
	asm volatile("fxrstor64 %0" : : "m"(v->fpu));
	if (v->wide)
		xstate_load(v);
	cr_load(v);
	desc_load(v);
}

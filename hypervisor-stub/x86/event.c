// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exceptions and interrupts for the guest: the frame that the CPU would
 * build on the guest's own stack, and the way to the handler that its IDT
 * names; and IRET where the ROM cannot do it alone.
 */
#include <cpu.h>

#include "x86.h"

#define COLD	__attribute__((noinline, cold))

/* Before VMI_Init nobody tells us of changes: look at the IDT and the TSS.
 * False: that was the end. */
static COLD bool look_native(struct vcpu *v, int vector)
{
	uint32_t sp0[2];

	desc_idt_changed(v, vector);
	if (regs_ring(v->regs) != 3)
		return true;
	if (!guest_read(&v->mmu, sp0, v->tss_base + 4, sizeof(sp0))) {
		vcpu_kill(v, "no TSS at %08lx for an event in user mode",
			   v->tss_base);
		return false;
	}
	v->sh->esp0 = sp0[0];
	v->sh->ss0 = (sp0[1] & 0xfffc) | 1;
	return true;
}

/* The handler is no part of what the guest was batching. */
COLD void event_leave_lazy_mode(struct vcpu *v)
{
	queue_drain(v);
	v->sh->lazy_mode = VMI_LAZY_NONE;
}

static void deliver(struct vcpu *v, int vector, bool has_error, uint32_t error);

/* Exceptions of which a second one makes a double fault (SDM Vol. 3, Table
 * 6-5). */
static bool contributory(int vector)
{
	return vector == 0 || (vector >= VEC_TS && vector <= VEC_PF);
}

/*
 * The gate leads nowhere: that is a fault of its own, here of an event that
 * the program did not ask for, which sets the lowest bit (EXT) of the error
 * code; see event_soft_int() for the others. At the third there is an end.
 */
static COLD void gate_fault(struct vcpu *v, int vector)
{
	if (vector == VEC_DF && vcpu_reboots_by_fault(v))
		vcpu_reboot(v, "triple fault");
	else if (vector == VEC_DF)
		vcpu_kill(v, "triple fault: no 32-bit interrupt or trap gate for an exception, nor for the double fault");
	else if (contributory(vector))
		deliver(v, VEC_DF, true, 0);
	else
		deliver(v, v->gate[vector].type == GATE_ABSENT ? VEC_NP : VEC_GP,
			true, vector * 8 + ERROR_IDT + ERROR_EXT);
}

/* A stack that cannot take the frame ends the guest, where a CPU would go on
 * to a double and a triple fault (VMI-1.10). */
static inline __attribute__((always_inline))
void deliver_inline(struct vcpu *v, int vector, bool has_error, uint32_t error)
{
	struct regs *r = v->regs;
	struct gate *gate = &v->gate[vector];
	uint32_t esp = r->rsp, ss = r->ss, flags;

	v->mmu.fills = 0;
	if (!vmi_mode(v) && !look_native(v, vector))
		return;
	if (!gate_usable(gate)) {
		gate_fault(v, vector);
		return;
	}
	if (v->sh->lazy_mode)
		event_leave_lazy_mode(v);
	flags = (r->rflags & ~(EFLAGS_IF | EFLAGS_IOPL)) | v->iopl;
	if (regs_ring(r) == 3) {
		flags |= EFLAGS_IF;
		esp = v->sh->esp0;
		ss = v->sh->ss0;
		if (!guest_stack_ok(v->stack_limit, esp))
			goto bad_stack;
		guest_push(esp, r->ss, bad_stack);
		guest_push(esp, r->rsp, bad_stack);
	} else {
		flags |= v->sh->flags & STUB_IF;
		if (!guest_stack_ok(v->stack_limit, esp))
			goto bad_stack;
	}
	guest_push(esp, flags, bad_stack);
	guest_push(esp, r->cs, bad_stack);
	guest_push(esp, r->rip, bad_stack);
	if (has_error)
		guest_push(esp, error, bad_stack);
	r->rip = gate->rip;
	r->cs = gate->cs;
	r->rflags &= ~(uint64_t)EFLAGS_GATE_CLEARS;
	r->rsp = esp;
	r->ss = ss;
	if (gate->type == GATE_INTERRUPT)
		shared_clear_bits(&v->sh->flags, STUB_IF);
	return;
bad_stack:
	vcpu_kill(v, "the stack at %08x cannot take the frame of vector %d",
		   esp, vector);
}

_Static_assert(STUB_IF == EFLAGS_IF, "the virtual flag as it is pushed");

static void deliver(struct vcpu *v, int vector, bool has_error, uint32_t error)
{
	if (v->wide)
		wide_deliver(v, vector, has_error, error);
	else
		deliver_inline(v, vector, has_error, error);
}

void event_exception(struct vcpu *v, int vector)
{
	deliver(v, vector, false, 0);
}

void event_exception_error(struct vcpu *v, int vector, uint32_t error)
{
	deliver(v, vector, true, error);
}

void event_page_fault(struct vcpu *v, gva32_t va, uint32_t error)
{
	v->sh->cr2 = va;
	deliver_inline(v, VEC_PF, true, error);	/* by far the most frequent */
}

/* INT n and its kind: eip is behind the instruction of this length, to which
 * the fault of a bad gate points (SDM Vol. 2, INT n). */
void event_soft_int(struct vcpu *v, int vector, uint32_t length)
{
	const struct gate *gate = &v->gate[vector];

	if (!vmi_mode(v))
		desc_idt_changed(v, vector);
	if (gate_usable(gate) &&
	    (regs_ring(v->regs) != 3 || gate->dpl == 3)) {
		deliver(v, vector, false, 0);
		return;
	}
	v->regs->rip -= length;
	if (!v->wide)
		v->regs->rip &= UINT32_MAX;
	deliver(v, gate->type == GATE_ABSENT &&
		   (regs_ring(v->regs) != 3 || gate->dpl == 3) ?
		   VEC_NP : VEC_GP, true, vector * 8 + ERROR_IDT);
}

/*
 * To where the guest's MSRs say, with what they say and no frame (SDM Vol. 2,
 * SYSENTER). False: they do not, which is a #GP. TF goes, which is on there on a
 * processor: the kernel's first steps would be the user's, and in the ROM, where
 * it does not expect any.
 */
bool event_sysenter(struct vcpu *v)
{
	struct regs *r = v->regs;
	uint32_t cs = v->sysenter_cs & 0xfffc;

	if (!cs)
		return false;
	r->rip = v->sysenter_eip;
	r->cs = cs | 1;
	r->rflags &= ~(uint64_t)(EFLAGS_RF | EFLAGS_VM | EFLAGS_TF);
	r->rsp = v->sysenter_esp;
	r->ss = ((cs + 8) & 0xffff) | 1;
	shared_clear_bits(&v->sh->flags, STUB_IF);
	return true;
}

/*
 * No interrupt may come between certain instructions of the ROM: move the
 * guest back to where they start. True if it must not come at all for now.
 */
static bool leave_window(struct vcpu *v)
{
	struct regs *r = v->regs;
	uint32_t i;

	if (r->rip - v->rom->base >= v->rom->end - v->rom->base)
		return false;
	for (i = 0; i < v->rom->windows; i++) {
		const struct rom_window *w = &v->rom->window[i];

		if (r->rip < w->start || r->rip >= w->end)
			continue;
		r->rip = w->restart;
		if (w->clear_if)
			shared_clear_bits(&v->sh->flags, STUB_IF);
		return w->clear_if;
	}
	return false;
}

/* The vector of what is pending. The APIC's own come before the 8259's. */
static int acknowledge(struct vcpu *v)
{
	return apic_pending(v->apic) ? apic_ack(v->apic) : pic_ack(v->pic);
}

void event_poll(struct vcpu *v)
{
	bool pending = event_pending(v);

	if (pending && guest_if(v) && v->idt_limit &&
	    !(regs_ring(v->regs) == 1 && leave_window(v))) {
		v->stats.injected++;
		if (v->verify)
			verify_interrupt(v);
		deliver(v, acknowledge(v), false, 0);
		pending = event_pending(v);
	}
	if (pending)
		shared_set_bits(&v->sh->flags, STUB_PENDING);
	else
		shared_clear_bits(&v->sh->flags, STUB_PENDING);
}

/* ---- IRET --------------------------------------------------------------- */

/* What the ROM returns to is refused: that is the fault of the place that jumped
 * to the ROM, and the flag is as it was there. */
static void move_to_iret_site(struct vcpu *v)
{
	gva32_t entry;

	if (v->wide) {
		shared_clear_bits(&v->sh->flags, STUB_IF);
		if (v->rom->iret_site)
			v->regs->rip = v->rom->iret_site;
		return;
	}
	entry = v->gate[gate_usable(&v->gate[SYSCALL_VECTOR]) ?
			      SYSCALL_VECTOR : VEC_PF].rip;

	shared_clear_bits(&v->sh->flags, STUB_IF);
	if (rom_find_iret_site(v->rom, &v->mmu, entry,
			       entry - v->sh->linear[0].pa +
			       v->sh->linear[0].va))
		v->regs->rip = v->rom->iret_site;
}

void event_move_to_iret_site(struct vcpu *v)
{
	if (rom_is_iret(v))
		move_to_iret_site(v);
}

/* What a return to this CS, or with this SS, raises: a vector, or 0. */
static int selector_fault(struct vcpu *v, uint32_t sel, bool code)
{
	uint64_t d = desc_lookup(v, sel);
	bool is_code = d & DESC_CODE;

	if (!d || is_code != code || desc_dpl(d) != (sel & 3) ||
	    (!code && !(d >> 41 & 1)))
		return VEC_GP;
	if (!(d & DESC_P))
		return code ? VEC_NP : VEC_SS;
	return 0;
}

/* The same of all that is returned to; *error is its error code. */
static int return_fault(struct vcpu *v, uint32_t eip, uint32_t cs, uint32_t ss,
			uint32_t *error)
{
	int vector = selector_fault(v, cs, true);

	*error = cs & 0xfffc;
	if (!vector && (cs & 3) == 3) {
		vector = (ss & 3) == 3 ? selector_fault(v, ss, false) : VEC_GP;
		*error = ss & 0xfffc;
	}
	if (!vector && eip > desc_limit(desc_lookup(v, cs))) {
		vector = VEC_GP;
		*error = 0;
	}
	return vector;
}

/*
 * Return to what the frame at this address says. From the ROM the faults of
 * a bad frame belong to the place in the guest that jumped there; otherwise
 * to the IRET instruction at eip.
 */
void event_iret(struct vcpu *v, gva32_t at, bool from_rom)
{
	struct regs *r = v->regs;
	uint32_t frame[5], cs, ss = r->ss, esp = at + 12, error;
	const uint32_t keep = EFLAGS_IF | EFLAGS_IOPL | EFLAGS_VM | EFLAGS_VIF |
			      EFLAGS_VIP;
	int vector;

	if (from_rom)
		r->rsp = at;
	if (!guest_read(&v->mmu, frame, at, 12)) {
		vcpu_kill(v, "no IRET frame at %08x", at);
		return;
	}
	cs = frame[1] & 0xffff;
	if (!(cs & 3))
		cs |= 1;	/* the ring that the guest takes for 0 */
	if ((cs & 3) == 3) {
		if (!guest_read(&v->mmu, frame + 3, at + 12, 8)) {
			vcpu_kill(v, "no IRET frame at %08x", at + 12);
			return;
		}
		esp = frame[3];
		ss = frame[4] & 0xffff;
	}
	vector = return_fault(v, frame[0], cs, ss, &error);
	if ((cs & 3) == 2 || (frame[2] & EFLAGS_VM)) {
		vector = VEC_GP;
		error = cs & 0xfffc;
	}
	if (vector) {
		if (from_rom)
			move_to_iret_site(v);
		event_exception_error(v, vector, error);
		return;
	}
	r->rip = frame[0];
	r->cs = cs;
	r->rflags = (frame[2] & ~keep) | EFLAGS_IF | EFLAGS_FIXED;
	r->rsp = esp;
	r->ss = ss;
	if (frame[2] & EFLAGS_IF)
		shared_set_bits(&v->sh->flags, STUB_IF);
	else
		shared_clear_bits(&v->sh->flags, STUB_IF);
}

/* The instruction: a kernel that does not call the ROM (SDM Vol. 2). False:
 * a #GP. */
bool event_sysexit(struct vcpu *v)
{
	struct regs *r = v->regs;
	uint32_t base = v->sysenter_cs & 0xfffc;
	uint32_t cs = ((base + 16) & 0xffff) | 3, ss = ((base + 24) & 0xffff) | 3;

	if (!base || selector_fault(v, cs, true) ||
	    selector_fault(v, ss, false))
		return false;
	r->rip = r->gpr[EDX];
	r->cs = cs;
	r->rsp = r->gpr[ECX];
	r->ss = ss;
	return true;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exceptions and interrupts for a wide guest, as event.c for others: the frame that
 * a processor in 64-bit mode builds (SDM Vol. 3, 6.14), and IRETQ.
 */
#include <cpu.h>
#include <string.h>

#include "wide.h"
#include "x86.h"

#define TSS_RSP0	4u
#define TSS_IST1	36u

/* The stack for an event: of the gate's IST, else the kernel's from user mode, else
 * the one it runs on. False: the TSS cannot be read. */
static bool stack_for(struct vcpu *v, const struct gate *gate, uint64_t *rsp)
{
	uint64_t at = v->tss_base + TSS_RSP0;

	*rsp = v->regs->rsp;
	if (gate->ist)
		at = v->tss_base + TSS_IST1 + (gate->ist - 1) * 8;
	else if (regs_ring(v->regs) != 3)
		return true;
	else if (vmi_mode(v)) {
		*rsp = shared64(v)->rsp0;
		return true;
	}
	return guest_read(&v->mmu, rsp, at, sizeof(*rsp));
}

static bool contributory(int vector)
{
	return vector == 0 || (vector >= VEC_TS && vector <= VEC_PF);
}

/* As event.c's: of an event that the program did not ask for. */
static void gate_fault(struct vcpu *v, int vector)
{
	if (vector == VEC_DF && vcpu_reboots_by_fault(v))
		vcpu_reboot(v, "triple fault");
	else if (vector == VEC_DF)
		vcpu_kill(v, "triple fault: no 64-bit interrupt or trap gate for an exception, nor for the double fault");
	else if (contributory(vector))
		wide_deliver(v, VEC_DF, true, 0);
	else
		wide_deliver(v, v->gate[vector].type == GATE_ABSENT ? VEC_NP :
			     VEC_GP, true, vector * 8 + ERROR_IDT + ERROR_EXT);
}

void wide_deliver(struct vcpu *v, int vector, bool has_error, uint32_t error)
{
	struct regs *r = v->regs;
	const struct gate *gate = &v->gate[vector];
	uint64_t frame[6], rsp, flags;
	uint32_t words = has_error ? 6 : 5;

	if (!vmi_mode(v))
		desc_idt_changed(v, vector);
	if (!gate_usable(gate)) {
		gate_fault(v, vector);
		return;
	}
	if (v->sh->lazy_mode)
		event_leave_lazy_mode(v);
	flags = r->rflags & ~(uint64_t)(EFLAGS_IF | EFLAGS_IOPL);
	flags |= v->iopl | (guest_if(v) ? EFLAGS_IF : 0);
	if (!stack_for(v, gate, &rsp)) {
		vcpu_kill(v, "no TSS at %lx for vector %d", v->tss_base, vector);
		return;
	}
	rsp = (rsp & ~15ull) - words * 8;
	frame[0] = error;
	frame[words - 5] = r->rip;
	frame[words - 4] = r->cs;
	frame[words - 3] = flags;
	frame[words - 2] = r->rsp;
	frame[words - 1] = r->ss;
	if (!guest_write(&v->mmu, rsp, frame, words * 8)) {
		vcpu_kill(v, "the stack at %lx cannot take the frame of vector %d",
			  rsp, vector);
		return;
	}
	if (regs_ring(r) == 3)
		r->ss = 1;	/* null, at the kernel's ring */
	r->rip = gate->rip;
	r->cs = gate->cs;
	r->rflags &= ~(uint64_t)EFLAGS_GATE_CLEARS;
	r->rsp = rsp;
	if (gate->type == GATE_INTERRUPT)
		shared_clear_bits(&v->sh->flags, STUB_IF);
}

void wide_page_fault(struct vcpu *v, gva_t va, uint32_t error)
{
	shared64(v)->cr2 = va;
	if (v->sealed && va >= v->sealed && !(~error & (PF_P | PF_W))) {
		/* In solo5-hvt's words. */
		vcpu_kill(v, "host/guest translation fault: rip=0x%lx",
			  v->regs->rip);
		return;
	}
	wide_deliver(v, VEC_PF, true, error);
}

/* ---- IRETQ -------------------------------------------------------------- */

/* What a return to these raises: a vector, or 0; *error is its error code (SDM
 * Vol. 2, IRET). */
static int return_fault(struct vcpu *v, uint64_t rip, uint32_t cs, uint32_t ss,
			uint32_t *error)
{
	uint64_t c = desc_lookup(v, cs), s = desc_lookup(v, ss);

	*error = cs & 0xfffc;
	if ((cs & 3) == 2 || !(c & DESC_CODE) || desc_dpl(c) != (cs & 3))
		return VEC_GP;
	if (!(c & DESC_P))
		return VEC_NP;
	*error = ss & 0xfffc;
	if (!(ss & ~3u)) {
		if ((cs & 3) == 3 || (ss & 3) != (cs & 3))
			return VEC_GP;
	} else if (!s || (s & DESC_CODE) || !(s >> 41 & 1) ||
		   desc_dpl(s) != (cs & 3) || (ss & 3) != (cs & 3)) {
		return VEC_GP;
	} else if (!(s & DESC_P)) {
		return VEC_SS;
	}
	*error = 0;
	if (c & DESC_L ? !is_canonical(rip) : rip > desc_limit(c))
		return VEC_GP;
	return 0;
}

/* RPL 0 means the kernel's ring. */
static uint32_t own_ring(uint64_t sel)
{
	return (sel & 0xffff) | !(sel & 3);
}

uint64_t wide_flags(uint64_t flags)
{
	const uint64_t keep = EFLAGS_IF | EFLAGS_IOPL | EFLAGS_VM | EFLAGS_VIF |
			      EFLAGS_VIP;

	return (flags & 0x3f7fd7 & ~keep) | EFLAGS_IF | EFLAGS_FIXED;
}

bool wide_iret(struct vcpu *v, gva_t at)
{
	struct regs *r = v->regs;
	uint64_t frame[5];
	uint32_t error, cs, ss;
	int vector;

	if (!guest_read(&v->mmu, frame, at, sizeof(frame)))
		return false;
	cs = own_ring(frame[1]);
	ss = own_ring(frame[4]);
	vector = return_fault(v, frame[0], cs, ss, &error);
	if (vector) {
		event_move_to_iret_site(v);
		wide_deliver(v, vector, true, error);
		return true;
	}
	r->rip = frame[0];
	r->cs = cs;
	r->rflags = wide_flags(frame[2]);
	r->rsp = frame[3];
	r->ss = ss;
	if (frame[2] & EFLAGS_IF)
		shared_set_bits(&v->sh->flags, STUB_IF);
	else
		shared_clear_bits(&v->sh->flags, STUB_IF);
	return true;
}

/* By trampoline.asm: the processor refused an IRETQ of ours, at this place there.
 * As hv_iret_fault(). */
void wide_iret_fault(struct vcpu *v, uint64_t rip)
{
	struct regs *r = v->regs;

	step_refused(v);
	if (rip == TRAMP_BASE + (tramp_drain_iret - tramp_start)) {
		memcpy(&r->rip, &brief_frame(v)->rip, 5 * sizeof(r->rip));
		rip = TRAMP_BASE + (tramp_iret - tramp_start);
	}
	if (rip == TRAMP_BASE + (tramp_fault_iret - tramp_start))
		vcpu_kill(v, "a page fault cannot lead to cs:rip %04x:%lx",
			  v->gate[VEC_PF].cs, v->gate[VEC_PF].rip);
	else if (rip != TRAMP_BASE + (tramp_iret - tramp_start))
		vcpu_kill(v, "SYSCALL cannot lead to cs:rip %04x:%lx",
			  (uint32_t)(v->star >> 32) & 0xffff, v->lstar);
	else if (regs_ring(r) == 3)
		wide_deliver(v, r->vector, true, r->error);
	else
		vcpu_kill(v, "cannot run at cs:rip %04x:%lx, ss:rsp %04x:%lx",
			  (uint32_t)r->cs, r->rip, (uint32_t)r->ss, r->rsp);
}

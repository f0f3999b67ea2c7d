// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every exit from the guest by its vector, and what interrupts or faults
 * while the hypervisor itself runs.
 */
#include <cpu.h>

#include "hv.h"

struct vcpu *current;

/* ---- page faults -------------------------------------------------------- */

static void page_fault(struct vcpu *v)
{
	uint64_t cr2 = read_cr2();
	uint32_t error = v->regs->error;
	gpa_t pa;

	if (cr2 >> 32) {	/* an operand that wraps at 4 GB */
		event_page_fault(v, cr2, error);
		return;
	}
	queue_drain(v);
	switch (shadow_fault(v, cr2, &error, &pa)) {
	case FAULT_FIXED:
		return;
	case FAULT_GUEST:
		v->g->stats.reflected++;
		event_page_fault(v, cr2, error);
		return;
	case FAULT_BUS:
		guest_kill(v, "write to guest-physical %08x, outside its memory",
			   pa);
	}
}

/* ---- other exceptions --------------------------------------------------- */

/* An IRET of the ROM refused the guest's frame: that is the fault of the
 * place that jumped to the ROM, and the flag is as it was there. */
static void move_to_iret_site(struct vcpu *v)
{
	struct regs *r = v->regs;

	if (regs_ring(r) != 1 ||
	    (r->eip != v->iret_insn[0] && r->eip != v->iret_insn[1]))
		return;
	v->sh->flags &= ~STUB_IF;
	if (rom_find_iret_site(v))
		r->eip = v->iret_site;
}

static void general_protection(struct vcpu *v)
{
	struct regs *r = v->regs;
	uint32_t error = r->error;

	if (emulate(v))
		return;
	/* Its table may have changed since we looked. */
	if ((error & ~7u) && desc_refresh(v, error))
		return;
	move_to_iret_site(v);
	event_exception_error(v, VEC_GP, error);
}

static void debug_exception(struct vcpu *v)
{
	uint64_t dr6;

	asm volatile("mov %%dr6, %0" : "=r"(dr6));
	v->sh->dr[6] = dr6;
	event_exception(v, VEC_DB);
}

static void exception(struct vcpu *v, int vector)
{
	uint32_t error = v->regs->error;

	switch (vector) {
	case VEC_PF:
		page_fault(v);
		return;
	case VEC_GP:
		general_protection(v);
		return;
	case VEC_DB:
		debug_exception(v);
		return;
	case VEC_NP:
	case VEC_SS:
		if ((error & ~7u) && desc_refresh(v, error))
			return;
		/* fall through */
	case VEC_TS:
		move_to_iret_site(v);
		/* fall through */
	case VEC_AC:
		event_exception_error(v, vector, error);
		return;
	case VEC_BP:
	case VEC_OF:
		event_exception(v, vector);
		return;
	case VEC_NMI:
		return;
	case VEC_DF:
	case VEC_MC:
		panic("exception %d in the guest", vector);
	default:
		event_exception(v, vector);
	}
}

/* ---- interrupts of the machine ------------------------------------------ */

static void interrupt(struct vcpu *v, int irq)
{
	irq_ack(irq);
	if (irq == IRQ_TIMER)
		timer_update(v);
	else if (irq == IRQ_COM1)
		io_console_poll(v->g);
}

/* ---- entry points from entry.asm ---------------------------------------- */

void hv_exit(struct regs *r)
{
	struct vcpu *v = current;
	int vector = r->vector;

	v->exits[vector]++;
	if (vector == STUB_VECTOR) {
		hcall(v);
	} else if (vector < 32) {
		exception(v, vector);
	} else if (vector < IRQ_BASE + 16) {
		interrupt(v, vector - IRQ_BASE);
		event_poll(v);
	} else {
		event_soft_int(v, vector);
	}
}

void hv_iret_fault(struct regs *r)
{
	guest_kill(current, "cannot run at cs:eip %04x:%08x, ss:esp %04x:%08x",
		   (uint32_t)r->cs, (uint32_t)r->eip, (uint32_t)r->ss,
		   (uint32_t)r->esp);
}

struct hv_frame {
	uint64_t	r11, r10, r9, r8, rdi, rsi, rdx, rcx, rax;
	uint64_t	vector, error, rip, cs, rflags, rsp, ss;
};

extern const struct { uint64_t insn, fixup; } extable_start[], extable_end[];

/*
 * In ring 0. An instruction of the exception table touches guest memory: its
 * page may only be missing from the shadow, else its fixup says so.
 */
void hv_fault(struct hv_frame *f)
{
	struct vcpu *v = current;
	uint32_t error = f->error, i;
	uint64_t cr2 = read_cr2();
	gpa_t pa;

	if (f->vector >= IRQ_BASE && f->vector < IRQ_BASE + 16) {
		interrupt(v, f->vector - IRQ_BASE);
		return;
	}
	for (i = 0; extable_start + i < extable_end; i++) {
		if (extable_start[i].insn != f->rip)
			continue;
		if (f->vector != VEC_PF || cr2 >> 32 ||
		    shadow_fault(v, cr2, &error, &pa) != FAULT_FIXED)
			f->rip = extable_start[i].fixup;
		return;
	}
	panic("exception %d, error %x, at rip %lx, cr2 %lx", (int)f->vector,
	      error, f->rip, cr2);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * One instruction of the guest, by TF, which is not for it to see: meanwhile its
 * processor has an IDT of which all gates lead to exit_stepped(), so that TF is taken
 * away before any handler looks, and what stores or loads the flags is put right.
 */
#include <cpu.h>

#include "x86.h"

#define DR6_BS		0x4000u		/* of a step */
#define DR6_BREAKPOINTS	0xe00fu		/* and of all else */

/* What the instruction does with TF. */
enum { STEP_NOTHING, STEP_STORES, STEP_LOADS };

/* One byte of its text. The ROM is where guest_read() must not look. */
static bool text_at(struct vcpu *v, uint64_t at, uint8_t *text)
{
	if (v->wide ? long_own(&v->mmu, at) : at <= v->mmu.guest_last)
		return guest_read(&v->mmu, text, at, 1);
	if (at < v->rom->base || at >= v->rom->end)
		return false;
	*text = v->rom->image[at - v->rom->base];
	return true;
}

/* PUSHF, POPF and IRET, with the prefixes that compilers and kernels use. */
static uint8_t look(struct vcpu *v)
{
	uint64_t at = v->regs->rip;
	uint8_t text, i;

	if (!v->wide)
		at = (uint32_t)(desc_base(desc_lookup(v, v->regs->cs)) + at);
	for (i = 0; i < 4 && text_at(v, at + i, &text); i++) {
		if (text == 0x9c)
			return STEP_STORES;
		if (text == 0x9d || text == 0xcf)
			return STEP_LOADS;
		if (text != 0x66 && !(v->wide && (text & 0xf0) == 0x40))
			break;
	}
	return STEP_NOTHING;
}

void step_arm(struct vcpu *v)
{
	v->step_flags = look(v);
	v->step_rip = v->regs->rip;
	v->own_tf = v->regs->rflags & EFLAGS_TF;
	v->regs->rflags |= EFLAGS_TF;
	v->stepping = true;
	v->stepped = false;
	if (v->wide)
		wide_step(v, true);
	else
		host_idt_step();
}

void step_left(struct vcpu *v)
{
	if (!v->stepping)
		return;
	v->stepping = false;
	if (v->wide)
		wide_step(v, false);
	else
		host_idt_load();
}

/* What the guest has pushed. */
static void put_right(struct vcpu *v)
{
	uint64_t at = v->regs->rsp + 1;
	uint8_t flags;

	if (!v->wide)
		at = (uint32_t)(desc_base(desc_lookup(v, v->regs->ss)) + at);
	if (!guest_read(&v->mmu, &flags, at, 1))
		return;
	flags &= ~(EFLAGS_TF >> 8);
	guest_write(&v->mmu, at, &flags, 1);
}

void exit_stepped(struct vcpu *v, struct regs *r)
{
	bool over = r->vector == VEC_DB;

	if (!(over && v->step_flags == STEP_LOADS)) {
		r->rflags &= ~(uint64_t)EFLAGS_TF;
		r->rflags |= v->own_tf ? EFLAGS_TF : 0;
	}
	if (over && v->step_flags == STEP_STORES && !v->own_tf)
		put_right(v);
	(v->wide ? exit_handler_wide : exit_handler)[r->vector](v, r);
	vcpu_stop(v, STOP_ASKED);
}

void step_refused(struct vcpu *v)
{
	if (!v->stepping)
		return;
	if (!v->own_tf)
		v->regs->rflags &= ~(uint64_t)EFLAGS_TF;
	vcpu_stop(v, STOP_ASKED);
}

bool step_done(struct vcpu *v)
{
	uint64_t dr6 = read_dr6();

	if (!(dr6 & DR6_BS))
		return false;
	v->stepped = true;
	if (!v->own_tf)
		write_dr6(dr6 & ~(uint64_t)DR6_BS);
	return !v->own_tf && !(dr6 & DR6_BREAKPOINTS & ~DR6_BS);
}

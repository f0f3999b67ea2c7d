// SPDX-License-Identifier: GPL-2.0-only
/*
 * How a vCPU stops at the end of an exit: it waits, or its guest has ended. A
 * kernel reboots a PC by the ROM, by a port, or in one of two ways that look
 * like its death: it takes its IDT away and makes an exception, so that the
 * processor shuts down, or it goes back to real mode and jumps to the BIOS. Both
 * are told here from an accident.
 */
#include <lib.h>
#include <string.h>

#include "x86.h"

struct cpu cpus[HOST_CPUS];

void vcpu_end(struct vcpu *v, enum end end)
{
	if (v->regs->stop == STOP_ENDED)
		return;
	v->end = end;
	v->why[0] = '\0';
	vcpu_stop(v, STOP_ENDED);
}

void vcpu_kill(struct vcpu *v, const char *fmt, ...)
{
	va_list ap;

	if (v->regs->stop == STOP_ENDED)
		return;
	vcpu_end(v, END_GUEST_DIED);
	va_start(ap, fmt);
	print_buffer(v->why, sizeof(v->why), fmt, ap);
	va_end(ap);
}

void vcpu_halt(struct vcpu *v)
{
	if (v->sh->flags & STUB_IF)
		vcpu_stop(v, STOP_HALTED);
	else if (v->sibling != v)
		vcpu_stop(v, STOP_OFF);
	else
		vcpu_kill(v, "HLT with interrupts off: nothing can wake it");
}

/* Whoever has the lock may take shadow pages into use again meanwhile: see
 * pool_reclaim(). */
void vcpu_wait_lock(struct vcpu *v, uint32_t ticket)
{
	v->mmu.inside = false;
	spin_wait(v->regs->lock, ticket);
	v->mmu.inside = true;
	mmu_flush_tlb(&v->mmu);
}

/* No mistake comes with INT3 as the last instruction and an IDT in which that
 * has no place: the table is not wrong, it was replaced by an empty one. */
bool vcpu_reboots_by_fault(const struct vcpu *v)
{
	return v->regs->vector == VEC_BP && v->idt_limit < VEC_BP * 8 + 7;
}

/* Behind the instruction that clears CR0.PE comes a far jump to F000:FFF0,
 * or FFFF:0000, which is the same place. */
static bool reboots_by_bios(struct vcpu *v)
{
	static const uint8_t jump[2][5] = {
		{ 0xea, 0xf0, 0xff, 0x00, 0xf0 },
		{ 0xea, 0x00, 0x00, 0xff, 0xff },
	};
	gva32_t at = desc_base(desc_lookup(v, v->regs->cs)) + v->regs->rip;
	uint8_t text[5];
	uint32_t i;

	for (i = 0; i < 64 && guest_read(&v->mmu, text, at + i, sizeof(text));
	     i++)
		if (!memcmp(text, jump[0], sizeof(text)) ||
		    !memcmp(text, jump[1], sizeof(text)))
			return true;
	return false;
}

void vcpu_reboot(struct vcpu *v, const char *how)
{
	if (v->regs->stop == STOP_ENDED)
		return;
	vcpu_end(v, END_ORDERLY);
	memcpy(v->why, how, strlen(how) + 1);
}

void vcpu_real_mode(struct vcpu *v)
{
	if (reboots_by_bios(v))
		vcpu_reboot(v, "the BIOS");
	else
		vcpu_kill(v, "real mode is not supported");
}

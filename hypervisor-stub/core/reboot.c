// SPDX-License-Identifier: GPL-2.0-only
/*
 * A kernel reboots a PC by the ROM, by a port (io.c), or in one of two ways
 * that look like its death: it takes its IDT away and makes an exception, so
 * that the processor shuts down, or it goes back to real mode and jumps to
 * the BIOS. Both are told here from an accident.
 */
#include <cpu.h>
#include <string.h>

#include "hv.h"

/* No mistake comes with INT3 as the last instruction and an IDT in which that
 * has no place: the table is not wrong, it was replaced by an empty one. */
bool reboots_by_fault(const struct vcpu *v)
{
	return v->regs->vector == VEC_BP && v->idt_limit < VEC_BP * 8 + 7;
}

/* Behind the instruction that clears CR0.PE comes a far jump to F000:FFF0,
 * or FFFF:0000, which is the same place. */
bool reboots_by_bios(struct vcpu *v)
{
	static const uint8_t jump[2][5] = {
		{ 0xea, 0xf0, 0xff, 0x00, 0xf0 },
		{ 0xea, 0x00, 0x00, 0xff, 0xff },
	};
	gva_t at = desc_base(desc_lookup(v, v->regs->cs)) + v->regs->eip;
	uint8_t text[5];
	uint32_t i;

	for (i = 0; i < 64 && guest_read(&v->mmu, text, at + i, sizeof(text));
	     i++)
		if (!memcmp(text, jump[0], sizeof(text)) ||
		    !memcmp(text, jump[1], sizeof(text)))
			return true;
	return false;
}

void guest_reboot(struct vcpu *v, const char *how)
{
	if (v->regs->stop == STOP_ENDED)
		return;
	log_printf("%s rebooted by %s\n", v->g->name, how);
	guest_end(v, END_ORDERLY);
}

// SPDX-License-Identifier: GPL-2.0-only
/* Every exit of a wide guest by its vector: where it differs from exit.c's. */
#include <cpu.h>

#include "x86.h"

void wide_exit_page_fault(struct vcpu *v, struct regs *r)
{
	gva_t va = read_cr2();
	uint32_t error = r->error;
	enum fault fault;
	gpa_t pa;

	/* If that was not why, it comes again. */
	if (queue_pending(v)) {
		queue_drain(v);
		return;
	}
	fault = long_fault(&v->mmu, va, &error, &pa);
	if (fault == FAULT_GUEST) {
		v->stats.reflected++;
		wide_page_fault(v, va, error);
	} else if (fault != FAULT_FIXED) {
		exit_lost_fault(v, fault, va, pa);
	}
}

void wide_exit_trap(struct vcpu *v, struct regs *r)
{
	uint8_t last = 0;

	guest_read(&v->mmu, &last, r->rip - 1, 1);
	exit_trap(v, last == 0xcc || last == 0xce ? 1 : 2);
}


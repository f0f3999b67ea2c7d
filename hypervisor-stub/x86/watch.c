// SPDX-License-Identifier: GPL-2.0-only
/* What a vCPU does while somebody beside its guest watches it (struct watch). */
#include "x86.h"

static enum fault view_fault(struct vcpu *v, gva_t va, uint32_t *error, gpa_t *pa,
			     bool open)
{
	return v->wide ? long_fault_view(&v->mmu, va, error, pa, open) :
			 mmu_fault_view(&v->mmu, va, error, pa, open);
}

bool watch_fault(struct vcpu *v, gva_t va, enum fault *fault, gpa_t *pa)
{
	uint32_t error = v->regs->error;

	*fault = view_fault(v, va, &error, pa, false);
	switch (*fault) {
	case FAULT_FIXED:
		return true;
	case FAULT_REFUSED:
		v->watch->refused(v, va, *pa, v->regs->error);
		return true;
	case FAULT_GUEST:
		v->stats.reflected++;
		if (v->wide)
			wide_page_fault(v, va, error);
		else
			event_page_fault(v, va, error);
		return true;
	default:
		return false;
	}
}

/* Others would find it open, too: they stay where they are until it is closed. */
bool watch_open(struct vcpu *v, gva_t va, uint32_t error)
{
	uint32_t same = error;
	gpa_t pa;
	enum fault fault = view_fault(v, va, &same, &pa, false);

	if (fault != FAULT_REFUSED)
		return fault == FAULT_FIXED;
	mmu_stop_others(&v->mmu);
	vcpu_stop(v, STOP_ASKED);
	return view_fault(v, va, &error, &pa, true) == FAULT_FIXED;
}

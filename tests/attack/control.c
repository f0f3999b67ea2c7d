// SPDX-License-Identifier: GPL-2.0-only
/* Control registers. */
#include "attack.h"

/* Each bit of CR0 turned over but for PE and PG; NW without CD is a #GP where
 * it is carried out (SDM Vol. 3, 2.5). VMI-3.2.15. */
static void cr0_bits(uint32_t arg)
{
	const uint32_t before = vmi0(GetCR0);

	(void)arg;
	for (uint32_t i = 1; i < 31; i++) {
		hypercall(STUB_HC_SET_CR0, before ^ 1u << i, 0);
		probe_read(0x80000000);
		USER("\xcd\x80", 0);
		same(last_trap.vector, VEC_SYSCALL, "user mode goes on");
	}
	hypercall(STUB_HC_SET_CR0, before, 0);
	same(vmi0(GetCR0), before, "CR0 as it was");
}

const struct attack control_cases[] = {
	CASE(cr0_bits),
	CASES_END
};

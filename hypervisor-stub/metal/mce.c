// SPDX-License-Identifier: GPL-2.0-only
/*
 * Machine checks: the processor or the memory is broken, nobody's data can be
 * trusted, and the machine ends, saying what the processor says (SDM Vol. 3,
 * chapter 16). With CR4.MCE clear it would shut down without a word.
 */
#include <host.h>

#include "core.h"
#include "log.h"
#include "metal.h"

#define LEAF1_MCE	(1u << 7)
#define LEAF1_MCA	(1u << 14)

#define MSR_MCG_CAP	0x179
#define MCG_CAP_BANKS	0xffu
#define MCG_CAP_CTL	0x100u
#define MSR_MCG_CTL	0x17b
#define MSR_MC_CTL(n)	(0x400 + 4 * (n))
#define MSR_MC_STATUS(n) (0x401 + 4 * (n))
#define MC_STATUS_VAL	(1ull << 63)

static uint32_t banks;

/* All errors are reported; what the firmware has seen before is not ours. */
void mce_init(void)
{
	uint32_t r[4], i;
	uint64_t cap;

	cpuid(1, 0, r);
	if (!(r[3] & LEAF1_MCE) || !(r[3] & LEAF1_MCA))
		return;
	cap = rdmsr(MSR_MCG_CAP);
	banks = cap & MCG_CAP_BANKS;
	if (cap & MCG_CAP_CTL)
		wrmsr(MSR_MCG_CTL, UINT64_MAX);
	for (i = 0; i < banks; i++) {
		if (i)		/* the firmware's (SDM Vol. 3, 16.3.2.1) */
			wrmsr(MSR_MC_CTL(i), UINT64_MAX);
		wrmsr(MSR_MC_STATUS(i), 0);
	}
	write_cr4(read_cr4() | CR4_MCE);
}

void host_machine_check(void)
{
	uint64_t status;
	uint32_t i;

	for (i = 0; i < banks; i++) {
		status = rdmsr(MSR_MC_STATUS(i));
		if (status & MC_STATUS_VAL)
			panic("machine check: bank %u, status %016lx", i,
			      status);
	}
	panic("machine check");
}

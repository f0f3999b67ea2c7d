// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPUID that faults below ring 0, where the processor can have it so: then the
 * guest's instruction answers as the ROM's call does (N-1.4). Guests run at no other
 * rings, and we never fault by it, so it stays on.
 */
#include <cpu.h>
#include <string.h>

#include "x86.h"

#define HYPERVISOR		(1u << 31)	/* CPUID 1, ECX */
#define FAMILY(eax)		((eax) >> 8 & 0xf)
#define FSGSBASE		1u		/* CPUID 7, EBX */

/* SDM Vol. 4, Table 2-29, and Vol. 3, "CPUID faulting" */
#define MSR_PLATFORM_INFO	0xce
#define PLATFORM_CPUID_FAULT	(1ull << 31)
#define MSR_MISC_FEATURES	0x140
#define MISC_CPUID_FAULT	1ull

/* APM Vol. 3, 8000_0021h: CpuidUserDis */
#define AMD21_CPUID_USER_DIS	(1u << 17)
#define MSR_HWCR		0xc0010015
#define HWCR_CPUID_USER_DIS	(1ull << 35)

enum cpuid_fault cpuid_fault_choose(const struct cpuid_fault_cpu *c)
{
	if (c->amd21_eax & AMD21_CPUID_USER_DIS)
		return CPUID_FAULTS_AMD;
	if (c->intel && (c->platform_info & PLATFORM_CPUID_FAULT))
		return CPUID_FAULTS_INTEL;
	return CPUID_FREE;
}

/* Intel's processors of family 6 with FSGSBASE have the MSR; other people's
 * hypervisors may not, and nothing tells. */
static bool is_intel(void)
{
	uint32_t r[4], last;

	cpuid(0, 0, r);
	last = r[0];
	if (memcmp(&r[1], "Genu", 4) || memcmp(&r[3], "ineI", 4) ||
	    memcmp(&r[2], "ntel", 4) || last < 7)
		return false;
	cpuid(1, 0, r);
	if (FAMILY(r[0]) != 6 || (r[2] & HYPERVISOR))
		return false;
	cpuid(7, 0, r);
	return r[1] & FSGSBASE;
}

void cpuid_fault_init(void)
{
	struct cpuid_fault_cpu c = { .intel = is_intel() };
	uint32_t r[4];

	if (c.intel)
		c.platform_info = rdmsr(MSR_PLATFORM_INFO);
	cpuid(0x80000000, 0, r);
	if (r[0] >= 0x80000021) {
		cpuid(0x80000021, 0, r);
		c.amd21_eax = r[0];
	}
	switch (cpuid_fault_choose(&c)) {
	case CPUID_FAULTS_INTEL:
		wrmsr(MSR_MISC_FEATURES,
		      rdmsr(MSR_MISC_FEATURES) | MISC_CPUID_FAULT);
		break;
	case CPUID_FAULTS_AMD:
		wrmsr(MSR_HWCR, rdmsr(MSR_HWCR) | HWCR_CPUID_USER_DIS);
		break;
	case CPUID_FREE:
		break;
	}
}

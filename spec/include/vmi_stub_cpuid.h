/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a guest may ask the stub hypervisor about itself (STUB-16), through
 * VMI_CALL_CPUID alone. A guest that does must first find the name in leaf
 * BASE: other hypervisors have other leaves, or none (VMI-3.2.98).
 */
#ifndef VMI_STUB_CPUID_H
#define VMI_STUB_CPUID_H

#include "vmi.h"

/*
 * Leaf BASE: eax highest leaf, ebx, ecx, edx "OpenVMI\0stub". Leaf COUNTERS +
 * n: edx:eax = counter n, ecx = number of counters, ebx = 0; beyond the last
 * one all zero. Leaf NAMES + n: its name, 16 bytes in eax, ebx, ecx, edx.
 */
#define STUB_CPUID_BASE		0x40000000u
#define STUB_CPUID_COUNTERS	0x40000100u
#define STUB_CPUID_NAMES	0x40000200u

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The machine for unit tests of the hypervisor on the host: physical memory
 * is an array, and a TLB flush is only counted.
 */
#ifndef CPU_H
#define CPU_H

#include <stdint.h>

#include "../../../hypervisor-stub/include/x86.h"

extern uint8_t *machine_memory;		/* physical 0 */
extern unsigned int tlb_flushes;

static inline void *pa_to_va(uint64_t pa)
{
	return machine_memory + pa;
}

static inline uint64_t va_to_pa(const void *va)
{
	return (const uint8_t *)va - machine_memory;
}

static inline uint64_t read_cr3(void)
{
	return 0;
}

static inline void write_cr3(uint64_t v)
{
	(void)v;
	tlb_flushes++;
}

static inline void flush_tlb(void)
{
	tlb_flushes++;
}

static inline uint64_t rdtsc(void)
{
	return 0x123456789abull;
}

#endif

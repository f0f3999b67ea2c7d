/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The machine for unit tests of the hypervisor on the host: physical memory
 * is an array, and a TLB flush is only counted.
 */
#ifndef CPU_H
#define CPU_H

#include <stdint.h>

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

#define EFLAGS_TF	0x00000100u
#define EFLAGS_IF	0x00000200u
#define EFLAGS_NT	0x00004000u
#define EFLAGS_RF	0x00010000u
#define EFLAGS_VM	0x00020000u
#define CR0_WP		0x00010000u
#define CR0_PG		0x80000000u
#define CR4_PSE		0x00000010u
#define PF_P		0x1u
#define PF_W		0x2u
#define PF_U		0x4u

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The processor for tests of the hypervisor on the host: physical memory is an
 * array, registers are variables, and a TLB flush is only counted. What a
 * test must bring itself is declared at the end. The rest of the machine is in
 * host.c.
 */
#ifndef CPU_H
#define CPU_H

#include <stdbool.h>
#include <stdint.h>

#include "../../hypervisor-stub/include/arch.h"

#define DIRECT_SIZE	0x400000000ull
#define ADDRESS_BITS	40	/* of physical addresses */

extern uint8_t *machine_memory;		/* physical 0 */
extern uint32_t machine_processor;	/* the one that runs */
extern void (*machine_others)(void);
extern unsigned int tlb_flushes;
/* What CPUID says, instead of what it does here. */
extern void (*machine_cpuid)(uint32_t leaf, uint32_t r[4]);

struct dtr {
	uint16_t	limit;
	uint64_t	base;
} __attribute__((packed));

extern struct machine_cpu {
	uint64_t	cr0, cr2, cr3, cr4, dr[8];
	uint64_t	tsc, sysenter_cs;
	uint32_t	ds, es, fs, gs;
	uint16_t	cs, ldt, tr;
	struct dtr	gdt;
	uint64_t	exit_stack;
} cpu;

static inline void *host_va(uint64_t pa)
{
	return machine_memory + pa;
}

static inline uint64_t host_pa(const volatile void *va)
{
	return (const volatile uint8_t *)va - machine_memory;
}

static inline uint32_t host_cpu(void)
{
	return machine_processor;
}

/* It waits for others: they go on meanwhile. Nobody is there: for ever. */
static inline void cpu_relax(void)
{
	if (!machine_others)
		__builtin_trap();
	machine_others();
}

#define FAKE_REGISTER(type, name, field)				\
static inline type read_##name(void)					\
{									\
	return cpu.field;						\
}									\
static inline void write_##name(type v)					\
{									\
	cpu.field = v;							\
}
FAKE_REGISTER(uint64_t, cr0, cr0)
FAKE_REGISTER(uint64_t, cr2, cr2)
FAKE_REGISTER(uint64_t, cr4, cr4)
FAKE_REGISTER(uint64_t, dr0, dr[0])
FAKE_REGISTER(uint64_t, dr1, dr[1])
FAKE_REGISTER(uint64_t, dr2, dr[2])
FAKE_REGISTER(uint64_t, dr3, dr[3])
FAKE_REGISTER(uint64_t, dr6, dr[6])
FAKE_REGISTER(uint64_t, dr7, dr[7])
FAKE_REGISTER(uint32_t, ds, ds)
FAKE_REGISTER(uint32_t, es, es)
FAKE_REGISTER(uint32_t, fs, fs)
FAKE_REGISTER(uint32_t, gs, gs)

static inline uint64_t read_cr3(void)
{
	return cpu.cr3;
}

static inline void write_cr3(uint64_t v)
{
	cpu.cr3 = v;
	tlb_flushes++;
}

static inline void flush_tlb(void)
{
	tlb_flushes++;
}

static inline uint64_t rdtsc(void)
{
	return cpu.tsc;
}

static inline void lgdt(const struct dtr *d)
{
	cpu.gdt = *d;
}

static inline void lldt(uint16_t sel)
{
	cpu.ldt = sel;
}

static inline void ltr(uint16_t sel)
{
	(void)sel;
}

static inline void cpuid(uint32_t leaf, uint32_t sub, uint32_t r[4])
{
	if (machine_cpuid) {
		machine_cpuid(leaf, r);
		return;
	}
	r[0] = leaf == 0x80000008 ? ADDRESS_BITS : leaf;
	r[1] = sub;
	r[2] = r[3] = UINT32_MAX;
}

#define STORE_WORD(at, word, fault)					\
	do {								\
		if (!machine_store((at), (word)))			\
			goto fault;					\
	} while (0)

/* ---- from the test, if it needs them ------------------------------------ */

void wrmsr(uint32_t msr, uint64_t v);
uint64_t rdmsr(uint32_t msr);
/* Through the tables that are loaded; false: a page fault. */
bool machine_store(uint32_t at, uint32_t word);

#endif

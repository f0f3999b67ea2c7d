/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The machine, as seen from ring 0: privileged instructions, and where
 * physical memory is mapped. Unit tests on the host put their own file of
 * this name in front.
 */
#ifndef CPU_H
#define CPU_H

#include <stdint.h>

#include <arch.h>

/* All of physical memory below DIRECT_SIZE is mapped from DIRECT_BASE on,
 * the hypervisor's image once more in the top 2 GB (boot.asm). */
#define DIRECT_BASE	0xffff800000000000ull
#define DIRECT_SIZE	0x400000000ull
#define IMAGE_BASE	0xffffffff80000000ull

/* Where the frame of a return to a 16-bit stack lies, but for bits 31-16, on
 * processor 0; the others' follow in the same page (espfix.c). The fault of such
 * a return goes below it. */
#define ESPFIX_FRAME	0xffffff00000000c0ull
#define ESPFIX_SLICE	256u		/* from one processor's to the next */

/* Physical: where a processor starts (start.asm). */
#define START_PAGE	0x8000u

static inline void *host_va(uint64_t pa)
{
	return (void *)(DIRECT_BASE + pa);
}

static inline uint64_t host_pa(const volatile void *va)
{
	uint64_t a = (uint64_t)va;

	return a >= IMAGE_BASE ? a - IMAGE_BASE : a - DIRECT_BASE;
}

/* The number of this processor, from the top of the stack (host.h). */
#define STACK_MASK	0x7fffull
static inline uint32_t host_cpu(void)
{
	uint64_t rsp;

	asm("movq %%rsp, %0" : "=r"(rsp));
	return *(const uint32_t *)((rsp | STACK_MASK) - 15);
}

static inline uint64_t rdtsc(void)
{
	uint32_t lo, hi;

	asm volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (uint64_t)hi << 32 | lo;
}

static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t lo, hi;

	asm volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return (uint64_t)hi << 32 | lo;
}

static inline void wrmsr(uint32_t msr, uint64_t v)
{
	asm volatile("wrmsr" : : "c"(msr), "a"((uint32_t)v),
		     "d"((uint32_t)(v >> 32)));
}

static inline void cpuid(uint32_t leaf, uint32_t sub, uint32_t r[4])
{
	asm volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3])
		     : "a"(leaf), "c"(sub));
}

#define CR_ACCESS(n)						\
static inline uint64_t read_cr##n(void)				\
{								\
	uint64_t v;						\
								\
	asm volatile("mov %%cr" #n ", %0" : "=r"(v));		\
	return v;						\
}								\
static inline void write_cr##n(uint64_t v)			\
{								\
	asm volatile("mov %0, %%cr" #n : : "r"(v) : "memory");	\
}
CR_ACCESS(0)
CR_ACCESS(2)
CR_ACCESS(3)
CR_ACCESS(4)

static inline void cpu_relax(void)
{
	asm volatile("pause" : : : "memory");
}

static inline void flush_tlb(void)
{
	write_cr3(read_cr3());
}

struct dtr {
	uint16_t	limit;
	uint64_t	base;
} __attribute__((packed));

static inline void lgdt(const struct dtr *d)
{
	asm volatile("lgdt %0" : : "m"(*d));
}

static inline void lidt(const struct dtr *d)
{
	asm volatile("lidt %0" : : "m"(*d));
}

/* These and the segment registers read a descriptor, which was written before. */
static inline void lldt(uint16_t sel)
{
	asm volatile("lldt %0" : : "r"(sel) : "memory");
}

static inline void ltr(uint16_t sel)
{
	asm volatile("ltr %0" : : "r"(sel) : "memory");
}

/* They hold the guest's selectors while we run (entry.asm). */
#define SEGMENT_ACCESS(reg)					\
static inline uint32_t read_##reg(void)				\
{								\
	uint32_t sel;						\
								\
	asm volatile("mov %%" #reg ", %0" : "=r"(sel));		\
	return sel;						\
}								\
static inline void write_##reg(uint32_t sel)			\
{								\
	asm volatile("mov %0, %%" #reg : : "r"(sel) : "memory");	\
}
SEGMENT_ACCESS(ds)
SEGMENT_ACCESS(es)
SEGMENT_ACCESS(fs)
SEGMENT_ACCESS(gs)

static inline uint64_t read_dr6(void)
{
	uint64_t v;

	asm volatile("mov %%dr6, %0" : "=r"(v));
	return v;
}

#define DR_WRITE(n)						\
static inline void write_dr##n(uint64_t v)			\
{								\
	asm volatile("mov %0, %%dr" #n : : "r"(v));		\
}
DR_WRITE(0)
DR_WRITE(1)
DR_WRITE(2)
DR_WRITE(3)
DR_WRITE(6)
DR_WRITE(7)

/*
 * Store a word through the tables that are loaded; goto fault if they do not
 * allow it (hv_fault() follows the exception table).
 */
#define STORE_WORD(at, word, fault)					\
	asm goto("1: movl %1, (%0)\n"					\
		 ".pushsection extable, \"a\"\n"			\
		 ".quad 1b, %l2\n"					\
		 ".popsection"						\
		 : : "r"((uint64_t)(at)), "r"((uint32_t)(word))		\
		 : "memory" : fault)

#endif

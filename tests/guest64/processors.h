/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Further processors: VMI64-3.8. Each runs a loop that does what it is given, on a
 * stack, with a GDT and a TSS of its own. What cpu.c records of traps is one for
 * all: let one processor at a time trap that way, as run_on() does, while others
 * may have vector_hook[].
 */
#ifndef PROCESSORS_H
#define PROCESSORS_H

#include "guest64.h"

#define PROCESSORS	8u
#define OTHER		1u		/* the one that most tests use */

#define APIC_ID		0x020u
#define APIC_EOI	0x0b0u
#define APIC_SVR	0x0f0u
#define APIC_ICR	0x300u
#define APIC_ICR_HIGH	0x310u
#define SVR_ENABLE	0x100u
#define ICR_INIT	0x00500u
#define ICR_STARTUP	0x00600u
#define ICR_ASSERT	0x04000u
#define ICR_ALL_BUT_SELF 0xc0000u

struct processor {
	uint32_t	id;		/* of its APIC */
	volatile uint32_t starts;	/* how often its loop has begun */
	void		(*work)(uint64_t);	/* atomic; NULL: none */
	uint64_t	arg;
	uint64_t	gdt[GDT_ENTRIES] __attribute__((aligned(16)));
	uint8_t		tss[104] __attribute__((aligned(16)));
	uint8_t		stack[8192] __attribute__((aligned(16)));
};

/* Those that the MP table lists as usable; 0 is the one that boots. */
extern struct processor processor[PROCESSORS];
extern uint32_t processors;		/* 1 if there is no table */
void processors_find(void);

/* A block for its loop, from the state of the one that calls. */
struct vmi64_ap_state processor_state(uint32_t n);
/* INIT, the block, STARTUP; and until its loop runs. */
void processor_boot(uint32_t n, const struct vmi64_ap_state *state);
void processor_start(uint32_t n, const struct vmi64_ap_state *state);
void processor_stop(uint32_t n);	/* by INIT */

/* Work for its loop, until it is done or without waiting. */
void run_on(uint32_t n, void (*work)(uint64_t), uint64_t arg);
void begin_on(uint32_t n, void (*work)(uint64_t), uint64_t arg);
void end_on(uint32_t n);

/* A call on the other processor, and its result; what a read there finds, or the
 * vector that an access there raises, or -1. */
#define other_call(name, rdi, rsi) \
	other_call_at(vmi_entry[VMI64_CALL_##name], (uint64_t)(rdi), \
		      (uint64_t)(rsi))
uint64_t other_call_at(uint64_t entry, uint64_t rdi, uint64_t rsi);
uint32_t other_read(uint64_t va);
int64_t other_probe(uint64_t va, bool write);

/* All of so many come here before any of them goes on. */
struct barrier {
	volatile uint32_t came;
};
void barrier_wait(struct barrier *b, uint32_t of);

void send_interrupt(uint32_t id, uint32_t icr);
void wait_a_tick(void);			/* about a hundredth of a second */

static inline void relax(void)
{
	__asm__ volatile("pause" : : : "memory");
}

/* smp_entry.asm: it notes what it begins with, and goes to its loop, with the
 * address in RDI. */
struct noted {
	struct registers r;
	uint64_t rsp, rflags, fs_base, gs_base;
	uint64_t cs, ss, ds, es, fs, gs;
};
extern volatile struct noted noted;
extern volatile uint32_t notes;		/* how often */
void processor_entry(void);
void processor_loop(struct processor *p);

/* What one processor has another flush, or does at the same time (together.c). */
void test_together(void);
/* Vector registers of those that share a processor (xsave.c). */
void test_vectors(void);

#endif

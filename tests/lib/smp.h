/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Further processors: VMI-3.8. Each runs a loop that does what it is given, on a
 * stack, with a GDT and a TSS of its own; the IDT is that of cpu_init(). What
 * trap.c records of traps there is one for all: let one processor at a time trap
 * that way, as run_on() does, while others may have vector_hook[].
 */
#ifndef SMP_H
#define SMP_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu.h"
#include "vmi.h"

#define PROCESSORS	8u

#define APIC_ID		0x020u
#define APIC_VERSION	0x030u
#define APIC_TPR	0x080u
#define APIC_EOI	0x0b0u
#define APIC_LDR	0x0d0u
#define APIC_DFR	0x0e0u
#define APIC_SVR	0x0f0u
#define APIC_ISR	0x100u
#define APIC_IRR	0x200u
#define APIC_ICR	0x300u
#define APIC_ICR_HIGH	0x310u
#define APIC_LVTT	0x320u
#define APIC_LVT0	0x350u
#define SVR_ENABLE	0x100u

#define ICR_LOWEST	0x00100u
#define ICR_SMI		0x00200u
#define ICR_NMI		0x00400u
#define ICR_INIT	0x00500u
#define ICR_STARTUP	0x00600u
#define ICR_LOGICAL	0x00800u
#define ICR_ASSERT	0x04000u
#define ICR_SELF	0x40000u
#define ICR_ALL		0x80000u
#define ICR_ALL_BUT_SELF 0xc0000u

struct processor {
	uint32_t	id;		/* of its APIC */
	volatile uint32_t starts;	/* how often its loop has begun */
	volatile uint32_t done;		/* how much of its work */
	void		(*work)(uint32_t);	/* atomic; NULL: none */
	uint32_t	arg;
	uint64_t	gdt[GDT_ENTRIES] __attribute__((aligned(8)));
	uint32_t	tss[26];
	uint8_t		stack[8192] __attribute__((aligned(16)));
};

/* Those that the MP table lists as usable; 0 is the one that boots. */
extern struct processor processor[PROCESSORS];
extern uint32_t processors;		/* 1 if there is no table */
void processors_find(void);

/* A block for its loop, from the state of the one that calls. */
struct vmi_ap_state processor_state(uint32_t n);
void send_init(uint32_t id);
void send_startup(uint32_t id);
/* All of VMI-3.8.1; and until its loop runs. */
void processor_boot(uint32_t n, const struct vmi_ap_state *state);
void processor_start(uint32_t n, const struct vmi_ap_state *state);
void processor_stop(uint32_t n);	/* by INIT */

/* Work for its loop, until it is done or without waiting. */
void run_on(uint32_t n, void (*work)(uint32_t), uint32_t arg);
void begin_on(uint32_t n, void (*work)(uint32_t), uint32_t arg);
void end_on(uint32_t n);

/* All of so many come here before any of them goes on. */
struct barrier {
	volatile uint32_t came;
};
void barrier_wait(struct barrier *b, uint32_t of);

void send_interrupt(uint32_t id, uint32_t icr);
uint32_t apic_get(uint32_t offset);
void apic_set(uint32_t offset, uint32_t value);

static inline void relax(void)
{
	__asm__ volatile("pause" : : : "memory");
}

void processor_entry(void);		/* smp_entry.asm */
void processor_loop(struct processor *p);

#endif

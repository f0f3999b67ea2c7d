/* SPDX-License-Identifier: GPL-2.0-only */
/* What the chapters on several processors share. */
#ifndef SEVERAL_H
#define SEVERAL_H

#include "conf.h"
#include "smp.h"

#define OTHER		1u		/* the processor that most points use */
#define PTR(p)		((uint32_t)(uintptr_t)(p))

/* dump.asm: in the order in which it notes them */
struct dump {
	uint32_t eax, ebx, ecx, edx, esi, edi, ebp, esp, eflags;
	uint32_t cs, ss, ds, es, fs, gs;
};
extern volatile struct dump dumped;
extern volatile uint32_t dumps;
extern struct processor *dump_processor;
extern uint32_t dump_stack;
void dump_entry(void);

/* A call on the other processor, and its result. */
uint32_t other_call(int call, uint32_t eax, uint32_t edx);
/* What a read there finds. */
uint32_t other_read(uint32_t page);
int other_probe(uint32_t va, bool write);

/* About a hundredth of a second. */
void wait_a_tick(void);

void starting(void);			/* starting.c */
void siblings(void);			/* siblings.c */
void interrupts(void);			/* interrupts.c */
void coherence(void);			/* coherence.c */
void remote(void);			/* remote.c */

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Between smp.c and assembly: start.asm, nmi.asm. */
#ifndef SMP_H
#define SMP_H

#include <stdint.h>

/* The first instructions of each, as bytes to be copied. */
#define START_SIZE	256u
extern const uint8_t start_code[], start_code_end[];
extern uint64_t start_stack;
void processor_started(void);

extern uint32_t host_alone;	/* 1 + who goes on, 0: all do */

#endif

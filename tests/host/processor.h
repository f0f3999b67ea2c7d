/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The processor under the hypervisor, with entry.asm: guests run on it as a
 * test says, exit by exit, with the registers of <cpu.h> and an MMU that walks
 * the tables in CR3.
 */
#ifndef PROCESSOR_H
#define PROCESSOR_H

#include "x86.h"

/* An exit as entry.asm makes it: the handler of its vector. */
void processor_exit(struct regs *, unsigned int vector, uint32_t error);
/* Would IRETQ take what the registers say? */
bool processor_can_return(const struct regs *);

/* Would the tables in CR3 allow this access? If not, the error code. */
bool processor_allows(gva32_t, bool write, bool user, bool fetch);
uint32_t processor_error_code(gva32_t, bool write, bool user, bool fetch);

/* If there is one: called before guest memory is copied from here, or to here,
 * for the hypervisor. */
extern void (*processor_copies)(uint8_t *at, uint32_t len, bool write);

/* ---- from the test ------------------------------------------------------ */

/* The guest runs, for vcpu_enter(), until its next exit: processor_exit(). */
void processor_runs(struct regs *);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The test guest: how our hypervisor behaves beyond what spec/vmi.md promises
 * of any ROM, which tests/conformance looks at: what costs how many exits, and
 * what the emulator does.
 */
#ifndef SUITE_H
#define SUITE_H

#include "calls.h"
#include "counters.h"
#include "cpu.h"
#include "frames.h"
#include "paging.h"
#include "pc.h"
#include "tap.h"
#include "vmi_stub.h"

/* ---- main.c: what calls cost ------------------------------------------------ */

#define EXITS(count, statement) ({					\
	uint64_t begin_ = exits_now();					\
	for (unsigned int i_ = 0; i_ < (count); i_++) {			\
		statement;						\
	}								\
	exits_now() - begin_;						\
})
#define MANY	1000u

/* "nocosts" on the command line: for --no-batch, where they differ. */
extern bool judge_costs;
/* In total, count times the statement. */
#define costs(expected, count, statement, name) do {			\
	uint32_t exits_ = (uint32_t)EXITS(count, statement);		\
	uint32_t expected_ = (expected);				\
	if (judge_costs && !ok(exits_ == expected_, name))		\
		print("# %u exits, %u expected\n", exits_, expected_);	\
} while (0)

/* ---- test_*.c ----------------------------------------------------------------------- */

void test_rom(void);			/* test_calls.c */
void test_flags(void);
void test_registers(void);
void test_descriptors(void);
void test_user(void);			/* test_traps.c */
void test_hole(void);
void test_tables(void);			/* test_tables.c */
void test_batches(void);
void test_interrupts(void);		/* test_interrupts.c */
void test_windows(void);

void test_cpuid(void);			/* test_cpu.c */
void test_fpu(void);
void test_debug(void);
void test_ports(void);
void test_segments(void);
void test_vm86(void);
void test_sysenter(void);		/* test_sysenter.c */

/* A page table to play with. */
extern uint32_t play_table[PLAY_PAGES];
void play_init(void);
void user_init(void);			/* test_traps.c */
void play_map(uint32_t page, uint32_t entry);	/* SetPxE */
void user_wait(volatile uint32_t **word);	/* for the word to change */

#endif

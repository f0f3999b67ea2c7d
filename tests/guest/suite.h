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

/* ---- play.c: a table of PLAY, and user mode in its first two pages ---------- */

#define USER_CODE	PLAY
extern uint32_t play_table[PLAY_PAGES];
void set_entry(uint32_t *entry, uint32_t value, uint32_t flags);
void play_map(uint32_t page, uint32_t entry);	/* SetPxE */
void play_init(void);
/* This code in user mode until it traps, into last_trap. */
void user_load(const char *code, uint32_t length);
void user_run(uint32_t eax, bool sysexit);
#define USER(code, eax) do {						\
	user_load(code, sizeof(code) - 1);				\
	user_run(eax, false);						\
} while (0)

/* ---- the suites -------------------------------------------------------------- */

void test_rom(void);			/* costs.c */
void test_flags(void);
void test_registers(void);
void test_descriptors(void);
void test_user(void);
void test_top(void);			/* top.c */
void test_tables(void);			/* tables.c */
void test_batches(void);
void test_interrupts(void);		/* interrupts.c */
void test_cpuid(void);			/* cpu.c */
void test_debug(void);
void test_ports(void);
void test_vm86(void);
void test_sysenter(void);		/* sysenter.c */
void test_hypercalls(void);		/* hypercalls.c */
void test_comm(void);			/* comm.c */
void test_manage(void);			/* manage.c */
void test_serve(void);			/* serve.c */
void test_loans(void);			/* loans.c */

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The emulator alone, with a kernel at ring 1 that runs one instruction at a
 * time, in 12 KB of memory that no page table stands for.
 */
#ifndef EMUL_H
#define EMUL_H

#include <cpu.h>

#include "core.h"
#include "unit.h"

#define MEMORY		0x4000u
#define CODE		0x1000u
#define DATA		0x2000u		/* the last mapped page ends at 3000h */
#define UNMAPPED	0x3000u
#define MMIO		0xd0000000u	/* what another guest serves */

extern struct guest guest;
extern struct vcpu *const v;
extern struct regs regs;
extern struct stub_shared shared;
extern uint8_t memory[MEMORY];
extern uint64_t emul_gdt[GDT_ENTRIES];	/* as the CPU sees it */

/* What the emulator called last, and with what. */
struct emulator_call {
	const char	*name;
	uint64_t	a, b;
	int		calls;
};

extern struct emulator_call last;
extern unsigned int polls;		/* calls of event_poll() */

/* What a port reads, and whether none takes what is written. */
extern uint32_t port_value;
extern bool port_busy;

/* Whether VMCALL is a #UD. */
extern bool vmcall_refused;

/* The processor's. */
extern uint64_t fs_base, gs_base;

int emul_setup(void **state);
#define EMUL_TEST(name)	cmocka_unit_test_setup(name, emul_setup)

/* Is it emulated? The bytes go to where eip is. */
bool emul_run(const char *bytes, size_t len);

/* Emulated, and eip is behind it. */
#define RUNS(bytes)	do {						\
		uint64_t at = regs.rip;					\
									\
		assert_true(emul_run(bytes, sizeof(bytes) - 1));	\
		assert_int_equal(regs.rip, at + sizeof(bytes) - 1);	\
	} while (0)

/* Not emulated, and nothing has changed. */
#define REFUSES(bytes)	do {						\
		struct regs before = regs;				\
									\
		assert_false(emul_run(bytes, sizeof(bytes) - 1));	\
		assert_memory_equal(&before, &regs, sizeof(regs));	\
	} while (0)

/* Carried out as a page fault: eip is still at the instruction. */
#define FAULTS(bytes, va, error) do {					\
		struct regs before = regs;				\
									\
		assert_true(emul_run(bytes, sizeof(bytes) - 1));	\
		assert_memory_equal(&before, &regs, sizeof(regs));	\
		assert_string_equal(last.name, "#PF");			\
		assert_int_equal(last.a, va);				\
		assert_int_equal(last.b, error);			\
	} while (0)

#define CALLED(what, x, y) do {						\
		assert_string_equal(last.name, what);			\
		assert_int_equal(last.a, x);				\
		assert_int_equal(last.b, y);				\
	} while (0)

#endif

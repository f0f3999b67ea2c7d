/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The conformance suite for 64-bit guests: as tests/conformance, for any ROM on any
 * hypervisor or bare hardware, by spec/vmi64.md and what that leaves to spec/vmi.md.
 * Each point names its clause in full. Processor, memory and the guest's own
 * instructions are those of the 64-bit test guest.
 */
#ifndef CONF64_H
#define CONF64_H

#include "guest64.h"

/* ---- point.c -------------------------------------------------------------- */

bool point(const char *clause, bool good, const char *name);
void skip(const char *clause, const char *name, const char *reason);
/* Behaviour of one call: skipped if the guest keeps its own instruction, which can
 * fail all the same. */
bool point_of(int call, const char *clause, bool good, const char *name);
void point_where(void);
const char *call_name(int call);
extern int last_call;

static inline bool offered(int call)
{
	return vmi_type[call] != VMI_RELOC_NONE;
}

bool is_point(int call, const char *clause, uint64_t actual, uint64_t expected,
	      const char *name);
#define is(clause, actual, expected, name) \
	is_point(-1, clause, (uint64_t)(actual), (uint64_t)(expected), name)
#define is_of(call, clause, actual, expected, name) \
	is_point(VMI64_CALL_##call, clause, (uint64_t)(actual), \
		 (uint64_t)(expected), name)

/* ---- calls.asm -------------------------------------------------------------- */

/* A call with every register known, on a stack of its own. */
struct poison {
	struct registers r;
	uint64_t flags;
	uint64_t rsp, rsp_after;
	uint64_t entry;
};
void poisoned_call(struct poison *p);

/* IRET in the kernel from a frame at rsp, with these flags: what they are then. */
uint64_t iret_on(uint64_t rsp, uint64_t flags);
/* Like iret_on, but of a frame to user mode: until it traps. */
void iret_user_on(uint64_t rsp, const struct user *u);
/* UD2 with this stack: where its frame began, whatever its handler needs. */
uint64_t event_on(uint64_t rsp);
/* INT SPARE with this stack, whose handler leaves it at once: where RSP was. */
uint64_t tight_event(uint64_t rsp);
extern const uint8_t tight_entry[];

/* ---- for several chapters ---------------------------------------------------- */

#define FIRST		PLAY_FIRST
#define INT80		"\xcd\x80"

uint32_t kernel_ring(void);
/* Code in the kernel: the vector that it raises, or -1. */
#define raised(code)	probe_exec((uint64_t)(code "\xc3"), 0, 0)
void show(uint32_t page, uint32_t n, uint64_t flags);	/* frame n there */
void set_gate(uint32_t vector, uint32_t type, uint32_t dpl, uint32_t ist);
/* An interrupt is pending, and comes now, with this hook. */
void interrupt_now(void (*hook)(struct frame *));
uint32_t selector_loads(uint32_t sel);	/* into DS: what it is then, or ffffh */
/* Error codes of reserved bits, which QEMU's TCG gives without P (SDM Vol. 3, 4.7), and
 * of INT n with a gate that is not for it, of which it has n * 16 (Vol. 2, INT n). */
bool is_reserved(uint64_t error, uint64_t expected);
bool is_gate_error(uint64_t error, uint32_t vector);
uint64_t iret_fault_rip(void);		/* where a refused IRET says that it was */

/* ---- chapters ------------------------------------------------------------------ */

void before_init(void);			/* rom.c */
void init(void);
void relocation(void);
void top(void);
void classes(void);			/* classes.c */
void flags(void);			/* events.c */
void frames(void);
void faults(void);
void from_user(void);
void stacks(void);
void returns(void);			/* returns.c */
void refusals(void);
void bases(void);			/* bases.c */
void syscalls(void);
void control(void);			/* control.c */
void features(void);
void instructions(void);
void descriptors(void);			/* descriptors.c */
void pages(void);			/* pages.c */
void spaces(void);
void batches(void);			/* batches.c */
void timers(void);			/* timers.c */
void apic(void);
void several(void);			/* several.c */

#endif

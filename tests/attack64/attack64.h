/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The 64-bit attacker: as tests/attack, one case per boot, with the processor,
 * memory and ROM of the 64-bit test guest (tests/guest64). tests/run/attack64.py
 * boots it with case=NAME; a boot without lists all cases.
 */
#ifndef ATTACK64_H
#define ATTACK64_H

#include "case.h"
#include "guest64.h"
#include "vmi_stub64.h"

#define NO_STACK	"the stack at [0-9a-f]+ cannot take the frame of " \
			"vector \\d+"
#define CANNOT_RUN	"cannot run at cs:rip [0-9a-f]{4}:[0-9a-f]+, " \
			"ss:rsp .*"
#define NO_SYSCALL	"SYSCALL cannot lead to cs:rip .*"
#define NO_GATE		"triple fault: .*"
#define TABLE_OUTSIDE	"page table at [0-9a-f]+ is outside its memory"
#define CR3_OUTSIDE	"CR3 = [0-9a-f]+ is outside its memory"
#define WRITE_OUTSIDE	"write to guest-physical [0-9a-f]+, outside its memory"

extern const struct attack tramp_cases[];	/* tramp.c */
extern const struct attack syscall_cases[];	/* syscall.c */
extern const struct attack desc_cases[];	/* descs.c */
extern const struct attack gate_cases[];	/* gates.c */
extern const struct attack stack_cases[];	/* stacks.c */
extern const struct attack return_cases[];	/* returns.c */
extern const struct attack table_cases[];	/* tables.c */
extern const struct attack queue_cases[];	/* queue.c */
extern const struct attack sibling_cases[];	/* siblings.c */
extern const struct attack direct_cases[];	/* direct.c */
extern const struct attack register_cases[];	/* registers.c */
extern const struct attack call_cases[];	/* calls.c */
extern const struct attack insn_cases[];	/* insns.c */
extern const struct attack page_cases[];	/* pages.c */

/* ---- what is the hypervisor's, and what is nobody's ----------------------------- */

#define TRAMP		0xffff878000000000ull
#define TRAMP_PAGE(n)	(TRAMP + (n) * PAGE)
#define TRAMP_ENTRY	4u		/* where the processor pushes */
#define TRAMP_SHARED	5u		/* three pages */
#define TRAMP_GDT	8u
#define TRAMP_STEP	10u		/* text, too */
#define TRAMP_PAGES	32u
#define TOP		0xffffffffffe00000ull
#define AREA		(TOP + STUB_SHARED_OFFSET)
#define SHARED		((volatile struct stub64_shared *)AREA)
#define UNMAPPED	0xffffc00000001000ull
#define ODD		0x8000000000000000ull	/* not canonical */
#define EDGE		0x0000800000000000ull	/* nor is the first that is not */
#define OUTSIDE		0xf0000000ull	/* guest-physical: no memory */
/* Of our GDT. */
#define HV_CS		0x1000u
#define HV_SS		0x1008u

/* ---- main.c ----------------------------------------------------------------------- */

uint64_t hypercall(uint64_t nr, uint64_t a, uint64_t b, uint64_t c);
uint64_t random64(void);

/* A gate of any kind, in the guest's table and the hypervisor's. */
void gate_write(uint32_t vector, uint64_t rip, uint64_t cs, uint32_t type,
		uint32_t dpl, uint32_t ist);
/* The frames of this vector go to a stack of their own. */
void own_stack(uint32_t vector);
/* Both words of an entry of the guest's GDT. */
void gdt_write(uint32_t index, uint64_t low, uint64_t high);
/* To user mode, until it traps: the vector. A fault of the return, too. */
int64_t user_try(struct user *u);
/* It still gets what a kernel gets: page faults, user mode, hypercalls. */
void is_well(void);

/* ---- enter.asm ---------------------------------------------------------------------- */

/* Calls code in the kernel with these registers: the vector it raised, or -1; RAX
 * as it was left. */
int64_t attempt(const void *code, const struct registers *r);
extern uint64_t attempt_rax;
#define CODE(code, ...) \
	attempt(code "\xc3", &(const struct registers){ __VA_ARGS__ })
/* Jumps there with this stack, in RCX and R11, too; the vector. */
int64_t with_rsp(const void *code, uint64_t rsp);
#define ON_STACK(code, rsp)	with_rsp(code "\xcc", rsp)
/* INT3, to land on. */
extern const uint8_t landing[];

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One call as hot.asm records it and "vmi-rom trace" reads it. Records follow
 * each other; each says itself how long it is, so a reader needs no table.
 */
#ifndef TRACE_RECORD_H
#define TRACE_RECORD_H

#include <stddef.h>
#include <stdint.h>

/* Bits of trace_record.args: these words follow, lowest bit first. */
#define TRACE_EAX	0x01u
#define TRACE_EDX	0x02u
#define TRACE_ECX	0x04u
#define TRACE_STACK	4	/* shift: then so many words of the stack */

struct trace_record {
	uint8_t		call;		/* VMI_CALL_* */
	uint8_t		args;
	uint16_t	cycles_high;	/* real time, VMI-3.7.2, 48 bits */
	uint32_t	cycles;
	uint32_t	eip;		/* where the call returns to; 0: a jump */
	uint32_t	arg[];
};

/* Of 64-bit guests (trace64): a bit of args, whose lowest three are then how many of
 * rdi, rsi, rdx, rcx, r8 follow; all words have 64 bits. */
#define TRACE_WIDE	0x08u
#define TRACE_REGISTERS	0x07u

struct trace_record64 {
	uint8_t		call;		/* VMI64_CALL_* */
	uint8_t		args;
	uint16_t	cycles_high;
	uint32_t	cycles;
	uint64_t	rip;
	uint64_t	arg[];
};

_Static_assert(offsetof(struct trace_record64, rip) == 8, "rip");
_Static_assert(offsetof(struct trace_record64, arg) == 16, "arg");
_Static_assert(offsetof(struct trace_record, cycles_high) == 2, "cycles_high");
_Static_assert(offsetof(struct trace_record, cycles) == 4, "cycles");
_Static_assert(offsetof(struct trace_record, eip) == 8, "eip");
_Static_assert(offsetof(struct trace_record, arg) == 12, "arg");

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest that does nothing but call the ROM and count what that costs.
 */
#ifndef MICRO_H
#define MICRO_H

#include "calls.h"
#include "counters.h"
#include "cpu.h"
#include "paging.h"
#include "pc.h"
#include "tap.h"
#include "vmi_stub.h"

/* ---- timed.asm --------------------------------------------------------- */

struct call {
	uint32_t eax, edx, ecx, stack[2];
	uint32_t entry;
};

extern uint32_t started, stopped, landed, iret_flags, user_iret, user_sysexit;
void timed_call(const struct call *c);
void iret_to_label(uint32_t entry);
extern uint8_t empty_call[], empty_landing[], touch_read[], touch_write[],
	       touched[], do_cli[], do_read_cr3[], do_in[],
	       landing_0x0e[], landing_0x20[], landing_0x80[],
	       timed_user_iret[], timed_user_sysexit[],
	       user_timed[], user_timed_end[], user_timed_syscall[],
	       user_timed_read[];

#define OURS_CALL	6u
#define OURS_LANDING	2u
#define OURS_JUMP	3u

/* ---- main.c ------------------------------------------------------------ */

#define ROUNDS		31u

/* What one row of the table measures: prepare, what is timed, clean up. */
struct row {
	const char	*what;
	struct call	call;
	uint32_t	(*cost)(const struct call *);	/* does it */
	uint32_t	ours;		/* the guest's own instructions in it */
	uint32_t	own_exits;	/* after it, on the way back to us */
	void		(*before)(struct call *c);
	void		(*after)(void);
};

void row_measure(const struct row *r);
uint32_t cost_to_return(const struct call *c);
uint32_t cost_to_handler(const struct call *c);
struct call vmi_call(uint32_t number);

/* ---- memory.c ---------------------------------------------------------- */

#define TABLES		8u
#define TARGETS		2u		/* what entries point to */

void memory_init(void);
void set_entry(uint32_t page, uint32_t entry);	/* SetPxE; page of PLAY */
uint32_t *entry_of(uint32_t page);		/* in linear slot 0 */
uint32_t va_of(uint32_t page);
uint32_t present(uint32_t frame);		/* an entry as Linux makes them */
void flush(void);

extern uint32_t other_directory[1024];

/* Pages of PLAY that are taken. */
#define USER_CODE	0u
#define USER_STACK	1u
#define ABSENT		2u
#define SCRATCH		3u
#define SLOT1_TABLE	4u		/* shows the first table */
#define BATCH_FIRST	512u		/* of each table */

/* ---- calls.c, traps.c, batches.c --------------------------------------- */

void measure_calls(void);
void measure_traps(void);
void measure_batches(void);

#endif

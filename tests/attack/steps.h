/* SPDX-License-Identifier: GPL-2.0-only */
/* Calls of the ROM, each made with an interrupt at a chosen instruction of it,
 * and all that it can have changed: steps.c. */
#ifndef STEPS_H
#define STEPS_H

#include "attack.h"

#define CHANGED		U_FREE		/* the page that calls map anew */
#define SLOT1		0x60000000u	/* where linear slot 1 shows it */
#define SHORT		12000u		/* cycles from alarm to interrupt */
#define LEAD		600u		/* before the call, at least */

/* What the interrupt's handler does. */
enum handler { QUIET, UPDATES, DRAINS, HANDLER_COUNT };

struct scenario {
	const char	*name;
	int		call;
	uint32_t	eax, edx, ecx, stack;
	void		(*prepare)(void);
	uint32_t	results;		/* STEP_EAX... that are compared */
	uint32_t	time;
	bool		off;			/* with interrupts off */
	const uint8_t	*entry;			/* not the call's own */
};

#define PAGE3		((uintptr_t)pages[3] + PTE_P + PTE_W)
#define ALL		(STEP_EAX | STEP_ECX | STEP_EDX)

#define CALL(name, a, d, c, s, results)					\
	{ #name, VMI_CALL_##name, a, d, c, s, NULL, results, SHORT, false, NULL }
#define CALL_AFTER(suffix, name, a, d, c, s, prepare, results)		\
	{ #name suffix, VMI_CALL_##name, a, d, c, s, prepare, results,	\
	  SHORT, false, NULL }

/* All that a call can have changed. */
struct state {
	uint32_t	regs[8], eflags, mask;
	uint32_t	tail, queue[4];
	uint32_t	lazy, deferred, dirty;
	uint32_t	cr[5], stack[2], slots[12], dr[8], tables[6];
	uint32_t	entries[4], shown[2], descriptor[2], usable;
};

/* Where the interrupt came, with what in the registers. */
struct place {
	uint32_t	at, with[7];
	struct state	state;
};

extern enum handler step_handler;
extern const struct scenario *step_now;

void step_begin(void);
void step_once(const struct scenario *c, uint32_t delay, struct place *p);
/* b is what a may be, had the queue not been emptied sooner in a. */
bool same_but_drained(struct state a, const struct state *b);
uint32_t pte(uint32_t page);		/* its address, in linear slot 0 */

/* ---- step_calls.c ------------------------------------------------------------ */

struct __attribute__((packed)) pointer {
	uint16_t	limit;
	uint32_t	base;
};
extern struct pointer gdt_pointer, idt_pointer;
void pointers(void);			/* to the tables that are loaded */
extern const struct scenario scenarios[];
extern const uint32_t scenario_count;

#endif

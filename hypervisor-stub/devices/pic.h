/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The two cascaded 8259A interrupt controllers of a PC.
 *
 * A pure state machine: the caller decides when to call, every value may
 * come from a hostile guest, and nothing outside the structure changes.
 */
#ifndef PIC_H
#define PIC_H

#include <stdbool.h>
#include <stdint.h>

#define PIC_MASTER_CMD	0x20
#define PIC_MASTER_DATA	0x21
#define PIC_SLAVE_CMD	0xa0
#define PIC_SLAVE_DATA	0xa1
#define PIC_MASTER_ELCR	0x4d0
#define PIC_SLAVE_ELCR	0x4d1

#define PIC_CASCADE	2	/* input of the master that the slave drives */

struct pic_chip {
	uint8_t	lines;		/* level of each input now */
	uint8_t	irr;		/* latched requests of edge inputs */
	uint8_t	isr;		/* in service */
	uint8_t	imr;		/* masked */
	uint8_t	elcr;		/* inputs that are level triggered */
	uint8_t	base;		/* vector of input 0 */
	uint8_t	lowest;		/* input of lowest priority */
	uint8_t	icw;		/* next of ICW2-4 expected; 0 none */
	bool	icw4_needed;
	bool	single;		/* ICW1: no cascade, so no ICW3 */
	bool	level;		/* ICW1: all inputs level triggered */
	bool	aeoi;
	bool	rotate_aeoi;
	bool	special_nested;
	bool	special_mask;
	bool	read_isr;	/* the command port reads ISR, not IRR */
	bool	poll;		/* the next read is a poll */
};

struct pic {
	struct pic_chip	chip[2];	/* master, slave */
};

/* As after reset, with everything masked and vectors 08h and 70h. */
void pic_init(struct pic *p);

/* Ports 20h, 21h, a0h, a1h, 4d0h, 4d1h; others are ignored, read as ffh. */
void pic_out(struct pic *p, unsigned int port, uint8_t val);
uint8_t pic_in(struct pic *p, unsigned int port);

/* The input irq (0-15) is now at this level. Pulse an edge: true, false. */
void pic_set_irq(struct pic *p, unsigned int irq, bool level);

/* Is there a request of the input irq, masked or not? */
bool pic_requested(const struct pic *p, unsigned int irq);

/* INTR, the line to the processor. */
bool pic_pending(const struct pic *p);

/* The processor acknowledges: returns the vector, possibly a spurious one. */
int pic_ack(struct pic *p);

#endif

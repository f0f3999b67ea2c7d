/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One 16550A serial port. The transmitter takes a byte in no time: every
 * byte goes to the hook at once, so the holding register is always empty.
 *
 * A pure state machine; the line speed is stored and has no effect.
 */
#ifndef UART_H
#define UART_H

#include <stdbool.h>
#include <stdint.h>

#define UART_FIFO_SIZE	16

struct uart {
	void	(*tx)(void *opaque, uint8_t byte);
	void	*opaque;
	uint8_t	rx[UART_FIFO_SIZE];
	uint8_t	rx_head;	/* index of the oldest byte */
	uint8_t	rx_count;
	uint8_t	ier, fcr, lcr, mcr, scr;
	uint8_t	msr_delta;	/* low half of MSR */
	uint8_t	line_errors;	/* overrun; reading LSR clears it */
	uint16_t divisor;
	bool	thre_pending;	/* "holding register empty" not yet seen */
};

void uart_init(struct uart *u, void (*tx)(void *, uint8_t), void *opaque);

/* reg is the offset from the base port, 0-7. */
void uart_out(struct uart *u, unsigned int reg, uint8_t val);
uint8_t uart_in(struct uart *u, unsigned int reg);

/* A byte arrives; with no room it is lost and the guest sees an overrun. */
void uart_receive(struct uart *u, uint8_t byte);
bool uart_can_receive(const struct uart *u);

/* The peer sends when it is wanted, so that drivers, which drop what they find
 * when they start, find nothing. Does the guest look for data with a read of
 * this register; is it to be interrupted if there is some to send? */
bool uart_looks(const struct uart *u, unsigned int reg);
bool uart_waits(const struct uart *u);

/* Level of the interrupt line; ask again after every call above. */
bool uart_irq(const struct uart *u);

#endif

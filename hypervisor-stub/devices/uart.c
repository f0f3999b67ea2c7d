// SPDX-License-Identifier: GPL-2.0-only
/*
 * The 16550A after its data sheet (National PC16550D). A peer is always
 * there: CTS, DSR and DCD are on. A received byte below the FIFO's trigger
 * level times out at once, since no further byte is known to be coming.
 */
#include "devices.h"

#define REG_DATA	0	/* RBR, THR; with DLAB the divisor, low */
#define REG_IER		1	/* with DLAB the divisor, high */
#define REG_IIR		2	/* FCR when written */
#define REG_LCR		3
#define REG_MCR		4
#define REG_LSR		5
#define REG_MSR		6
#define REG_SCR		7

#define IER_RX		0x01
#define IER_THRE	0x02
#define IER_LINE	0x04
#define IER_MODEM	0x08
#define IER_BITS	0x0f

#define IIR_MODEM	0x00
#define IIR_NONE	0x01
#define IIR_THRE	0x02
#define IIR_RX		0x04
#define IIR_LINE	0x06
#define IIR_TIMEOUT	0x0c
#define IIR_FIFO	0xc0

#define FCR_ENABLE	0x01
#define FCR_CLEAR_RX	0x02
#define FCR_CLEAR_TX	0x04
#define FCR_TRIGGER	6	/* shift */

#define LCR_DLAB	0x80

#define MCR_DTR		0x01
#define MCR_RTS		0x02
#define MCR_OUT1	0x04
#define MCR_OUT2	0x08	/* on a PC: lets the interrupt out */
#define MCR_LOOP	0x10
#define MCR_BITS	0x1f

#define LSR_DATA	0x01
#define LSR_OVERRUN	0x02
#define LSR_THRE	0x20
#define LSR_TEMT	0x40

#define MSR_CTS		0x10
#define MSR_DSR		0x20
#define MSR_RI		0x40
#define MSR_DCD		0x80
#define MSR_DELTA	4	/* shift from a line to its delta bit */

static bool fifo(const struct uart *u)
{
	return u->fcr & FCR_ENABLE;
}

static unsigned int capacity(const struct uart *u)
{
	return fifo(u) ? UART_FIFO_SIZE : 1;
}

static uint8_t modem_lines(const struct uart *u)
{
	if (!(u->mcr & MCR_LOOP))
		return MSR_CTS | MSR_DSR | MSR_DCD;
	return (u->mcr & MCR_RTS ? MSR_CTS : 0) |
	       (u->mcr & MCR_DTR ? MSR_DSR : 0) |
	       (u->mcr & MCR_OUT1 ? MSR_RI : 0) |
	       (u->mcr & MCR_OUT2 ? MSR_DCD : 0);
}

/* What IIR shows: the highest of the enabled conditions. */
static uint8_t condition(const struct uart *u)
{
	static const uint8_t trigger[4] = { 1, 4, 8, 14 };
	unsigned int level = fifo(u) ? trigger[u->fcr >> FCR_TRIGGER] : 1;

	if ((u->ier & IER_LINE) && u->line_errors)
		return IIR_LINE;
	if ((u->ier & IER_RX) && u->rx_count)
		return u->rx_count >= level ? IIR_RX : IIR_TIMEOUT;
	if ((u->ier & IER_THRE) && u->thre_pending)
		return IIR_THRE;
	if ((u->ier & IER_MODEM) && u->msr_delta)
		return IIR_MODEM;
	return IIR_NONE;
}

bool uart_irq(const struct uart *u)
{
	return (u->mcr & (MCR_OUT2 | MCR_LOOP)) == MCR_OUT2 &&
		condition(u) != IIR_NONE;
}

void uart_init(struct uart *u, void (*tx)(void *, uint8_t), void *opaque)
{
	*u = (struct uart) { .tx = tx, .opaque = opaque };
	u->divisor[0] = 12;	/* 9600 bps, as firmware leaves it */
}

static void receive(struct uart *u, uint8_t byte)
{
	if (u->rx_count < capacity(u)) {
		u->rx[(u->rx_head + u->rx_count) % UART_FIFO_SIZE] = byte;
		u->rx_count++;
		return;
	}
	u->line_errors |= LSR_OVERRUN;
	if (!fifo(u))		/* a lone register keeps the last byte */
		u->rx[u->rx_head] = byte;
}

bool uart_can_receive(const struct uart *u)
{
	return !(u->mcr & MCR_LOOP) && u->rx_count < capacity(u);
}

/* With the receive interrupt on, or polling. DTR without RTS and interrupt
 * says "not yet": so Linux prints before anybody has opened the line. */
bool uart_looks(const struct uart *u, unsigned int reg)
{
	return (reg == REG_LSR || reg == REG_IIR ||
		(reg == REG_DATA && !(u->lcr & LCR_DLAB))) &&
	       ((u->ier & IER_RX) || (u->mcr & MCR_RTS) ||
		!(u->mcr & MCR_DTR));
}

bool uart_waits(const struct uart *u)
{
	return (u->ier & IER_RX) &&
	       (u->mcr & (MCR_OUT2 | MCR_LOOP)) == MCR_OUT2;
}

void uart_receive(struct uart *u, uint8_t byte)
{
	if (!(u->mcr & MCR_LOOP))	/* the line is cut off in loopback */
		receive(u, byte);
}

static uint8_t take(struct uart *u)
{
	uint8_t byte = u->rx[u->rx_head];

	if (!u->rx_count)
		return 0;
	u->rx_head = (u->rx_head + 1) % UART_FIFO_SIZE;
	u->rx_count--;
	return byte;
}

static void transmit(struct uart *u, uint8_t byte)
{
	if (u->mcr & MCR_LOOP)
		receive(u, byte);
	else
		u->tx(u->opaque, byte);
	u->thre_pending = true;		/* sent, and empty again */
}

static void write_ier(struct uart *u, uint8_t val)
{
	/*
	 * Enabling the interrupt with the register empty raises it, every
	 * time. Linux tests for chips that do not.
	 */
	if (val & ~u->ier & IER_THRE)
		u->thre_pending = true;
	u->ier = val & IER_BITS;
}

static void write_fcr(struct uart *u, uint8_t val)
{
	bool changed = (val ^ u->fcr) & FCR_ENABLE;

	if (changed || (val & FCR_CLEAR_RX))
		u->rx_count = 0;
	if (changed || (val & FCR_CLEAR_TX))
		u->thre_pending = true;
	u->fcr = val & FCR_ENABLE ? val & ~(FCR_CLEAR_RX | FCR_CLEAR_TX) : 0;
}

static void write_mcr(struct uart *u, uint8_t val)
{
	uint8_t before = modem_lines(u), changed;

	u->mcr = val & MCR_BITS;
	changed = before ^ modem_lines(u);
	/* RI counts when it goes off, the others both ways. */
	if (!(before & MSR_RI))
		changed &= ~MSR_RI;
	u->msr_delta |= changed >> MSR_DELTA;
}

bool uart_transmits(const struct uart *u, unsigned int reg)
{
	return reg == REG_DATA && !(u->lcr & LCR_DLAB) && !(u->mcr & MCR_LOOP);
}

void uart_out(struct uart *u, unsigned int reg, uint8_t val)
{
	if ((u->lcr & LCR_DLAB) && reg <= REG_IER) {
		u->divisor[reg] = val;
		return;
	}
	switch (reg) {
	case REG_DATA:
		transmit(u, val);
		break;
	case REG_IER:
		write_ier(u, val);
		break;
	case REG_IIR:
		write_fcr(u, val);
		break;
	case REG_LCR:
		u->lcr = val;
		break;
	case REG_MCR:
		write_mcr(u, val);
		break;
	case REG_SCR:
		u->scr = val;
		break;
	}
}

static uint8_t read_iir(struct uart *u)
{
	uint8_t iir = condition(u);

	if (iir == IIR_THRE)
		u->thre_pending = false;
	return fifo(u) ? iir | IIR_FIFO : iir;
}

static uint8_t read_lsr(struct uart *u)
{
	uint8_t lsr = LSR_THRE | LSR_TEMT | u->line_errors;

	if (u->rx_count)
		lsr |= LSR_DATA;
	u->line_errors = 0;
	return lsr;
}

static uint8_t read_msr(struct uart *u)
{
	uint8_t msr = modem_lines(u) | u->msr_delta;

	u->msr_delta = 0;
	return msr;
}

uint8_t uart_in(struct uart *u, unsigned int reg)
{
	if ((u->lcr & LCR_DLAB) && reg <= REG_IER)
		return u->divisor[reg];
	switch (reg) {
	case REG_DATA:
		return take(u);
	case REG_IER:
		return u->ier;
	case REG_IIR:
		return read_iir(u);
	case REG_LCR:
		return u->lcr;
	case REG_MCR:
		return u->mcr;
	case REG_LSR:
		return read_lsr(u);
	case REG_MSR:
		return read_msr(u);
	case REG_SCR:
		return u->scr;
	}
	return 0xff;
}

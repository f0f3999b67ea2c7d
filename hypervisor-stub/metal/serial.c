// SPDX-License-Identifier: GPL-2.0-only
/*
 * Consoles. Number 0 is the machine's serial port; the others are debug ports
 * of QEMU's, which take a byte at once and give none.
 */
#include <host.h>
#include <port.h>

#include "devices.h"
#include "metal.h"

#define DEBUG_PORT	0xe0		/* console 0's, if it had one */

#define IER		(COM1 + 1)
#define LSR		(COM1 + 5)
#define LSR_DATA	0x01u
#define LSR_EMPTY	0x20u
#define IER_DATA	0x01u

/* Reads of a port: more than 16 bytes at 115200 baud take. */
#define TX_PATIENCE	100000u

static bool has_uart;		/* where nothing is, all bits read as ones */

/* What came before us: turning the FIFO on would drop it. */
static uint8_t early[16];
static uint32_t early_count, early_taken;

static bool has_data(void)
{
	return has_uart && (inb(LSR) & LSR_DATA);
}

/*
 * 8n1, FIFO on, no interrupt so far; the speed means nothing to QEMU. Of the
 * interrupt enable register bits 4 to 7 are always 0 (8250 data sheet). In
 * loopback mode nothing comes in. QEMU, which holds back what does not fit,
 * looks whether it does when the data register is read.
 */
void serial_init(void)
{
	outb(IER, 0);
	has_uart = !inb(IER);
	outb(COM1 + 3, 0x83);
	outb(COM1 + 0, 1);
	outb(COM1 + 1, 0);
	outb(COM1 + 3, 0x03);
	outb(COM1 + 4, 0x1b);
	while (early_count < sizeof(early) && has_data())
		early[early_count++] = inb(COM1);
	outb(COM1 + 2, 0x07);
	outb(COM1 + 4, 0x0b);
	if (!has_data())
		inb(COM1);
	outb(IER, IER_DATA);
	has_uart = has_uart && inb(IER) == IER_DATA;
	outb(IER, 0);
}

/* Where nobody takes them they are lost: once one was, the next does not
 * wait. */
void serial_log(uint8_t byte)
{
	static uint32_t patience = TX_PATIENCE;

	if (!has_uart)
		return;
	while (!(inb(LSR) & LSR_EMPTY))
		if (!patience || !--patience)
			return;
	patience = TX_PATIENCE;
	outb(COM1, byte);
}

bool host_console_ready(unsigned int console)
{
	return console || !has_uart || (inb(LSR) & LSR_EMPTY);
}

void host_console_put(unsigned int console, uint8_t byte)
{
	if (console)
		outb(DEBUG_PORT + console, byte);
	else if (has_uart)
		outb(COM1, byte);
}

void host_console_listen(bool on)
{
	if (has_uart)
		outb(IER, on ? IER_DATA : 0);
}

bool host_console_has_data(void)
{
	return early_taken < early_count || has_data();
}

uint8_t host_console_get(void)
{
	return early_taken < early_count ? early[early_taken++] : inb(COM1);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which device answers which port. All of them are one byte wide; ports that
 * nobody models, wider accesses among them, read ones and ignore writes, and
 * are counted. So a PCI configuration read finds no device.
 */
#include <cpu.h>

#include "hv.h"

#define KBD_COMMAND	0x64
#define KBD_RESET	0xfe	/* pulse the reset line */
#define PORT_A		0x92	/* bit 0: reset */
#define RESET_CONTROL	0xcf9	/* bit 2: reset */

#define COM1_IRQ	4
#define RX_PATIENCE	256u		/* bytes */

static bool is_pic(uint16_t port)
{
	return (port & 0xff7e) == 0x20 || (port & 0xfffe) == PIC_MASTER_ELCR;
}

static bool is_pit(uint16_t port)
{
	return (port & 0xfffc) == PIT_CH0 || port == PIT_PORT61;
}

/* ---- the console -------------------------------------------------------- */

/* Whose input comes from the machine's serial port. */
static struct guest *serial_guest;

/* Whoever reads at the other end may take his time: that is the guest's,
 * not its neighbours'. */
static void console_tx(void *opaque, uint8_t byte)
{
	struct guest *g = opaque;

	while (!host_console_ready(g->console)) {
		take_interrupts();
		vcpu_stop(&g->vcpu, STOP_INTERRUPTED);
	}
	host_console_put(g->console, byte);
}

void io_console_init(struct guest *g)
{
	uart_init(&g->uart, console_tx, g);
	if (!g->console && !serial_guest)
		serial_guest = g;
}

static bool has_input(const struct guest *g)
{
	return g == serial_guest && host_console_has_data();
}

/* The guest looks for what was typed: as far as there is room; the rest waits
 * in the machine's FIFO. */
static void console_take(struct guest *g)
{
	while (uart_can_receive(&g->uart) && has_input(g))
		uart_receive(&g->uart, host_console_get());
}

static void console_poll(struct guest *g)
{
	pic_set_irq(&g->pic, COM1_IRQ, uart_irq(&g->uart) ||
		    (uart_waits(&g->uart) && has_input(g)));
}

void io_serial_interrupt(void)
{
	uint32_t i;

	if (serial_guest && !serial_guest->vcpu.ended) {
		console_poll(serial_guest);
		sched_charge(&serial_guest->vcpu);
		return;
	}
	for (i = 0; i < RX_PATIENCE && host_console_has_data(); i++)
		host_console_get();	/* for nobody */
}

/* ---- ports -------------------------------------------------------------- */

static uint64_t now_seconds(void)
{
	return wallclock_ns() / 1000000000;
}

uint32_t io_in(struct vcpu *v, uint16_t port, unsigned int size)
{
	struct guest *g = v->g;
	uint8_t val;

	if (size == 1 && is_pic(port))
		return pic_in(&g->pic, port);
	if (size == 1 && is_pit(port))
		return pit_in(&g->pit, port, rdtsc());
	if (size == 1 && (port & 0xfffe) == RTC_INDEX)
		return rtc_in(&g->rtc, port, now_seconds());
	if (size == 1 && (port & 0xfff8) == COM1) {
		if (uart_looks(&g->uart, port & 7))
			console_take(g);
		val = uart_in(&g->uart, port & 7);
		console_poll(g);
		return val;
	}
	g->stats.io_unknown++;
	return UINT32_MAX;
}

void io_out(struct vcpu *v, uint16_t port, unsigned int size, uint32_t val)
{
	struct guest *g = v->g;

	if (size == 1 && is_pic(port)) {
		pic_out(&g->pic, port, val);
	} else if (size == 1 && is_pit(port)) {
		pit_out(&g->pit, port, val, rdtsc());
		timer_changed(v);
	} else if (size == 1 && (port & 0xfffe) == RTC_INDEX) {
		rtc_out(&g->rtc, port, val);
	} else if (size == 1 && (port & 0xfff8) == COM1) {
		uart_out(&g->uart, port & 7, val);
		console_poll(g);
	} else if ((port == KBD_COMMAND && (val & 0xff) == KBD_RESET) ||
		   (port == PORT_A && (val & 1)) ||
		   (port == RESET_CONTROL && (val & 4))) {
		guest_end(v, END_ORDERLY);
	} else {
		g->stats.io_unknown++;
	}
}

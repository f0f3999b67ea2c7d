// SPDX-License-Identifier: GPL-2.0-only
/*
 * What vmi-run (and Bochs) hears: the hypervisor's own words, which it writes
 * to a file. Without a debug port, as on a real machine, they go among the
 * guest's on the serial port. And how the machine ends.
 */
#include <host.h>
#include <port.h>

#include "core.h"
#include "metal.h"

#define LOG_PORT	0xe9	/* isa-debugcon */
#define STATS_PORT	0xea	/* vmi-run --stats listens here */
#define TRACE_PORT	0xeb	/* vmi-run --trace hears it */
#define EXIT_PORT	0xf4	/* isa-debug-exit */
#define BOCHS_PORT	0x8900

void host_log(char c)
{
	/* The debug port reads as its own number. */
	if (inb(LOG_PORT) == LOG_PORT) {
		outb(LOG_PORT, c);
		return;
	}
	if (c == '\n')
		serial_log('\r');
	serial_log(c);
}

void host_stats(char c)
{
	outb(STATS_PORT, c);
}

void host_trace(uint8_t byte)
{
	outb(TRACE_PORT, byte);
}

void host_end(enum end end)
{
	const char *bochs, *said;

	host_stop_others();
	outb(EXIT_PORT, end);
	/* Not under vmi-run: Bochs has another way, a real machine none. */
	for (bochs = "Shutdown"; *bochs; bochs++)
		outb(BOCHS_PORT, *bochs);
	for (said = "end: the machine can be switched off\n"; *said; said++)
		host_log(*said);
	for (;;)
		asm volatile("cli; hlt");
}

// SPDX-License-Identifier: GPL-2.0-only
/* vmictl: the console of a guest, on one's own terminal. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "vmictl.h"

#define ESCAPE		0x1d		/* Ctrl-] */
#define LOOK_MS		20		/* nobody tells us of output */

static struct termios terminal;

static void terminal_back(void)
{
	tcsetattr(0, TCSADRAIN, &terminal);
}

static void terminal_raw(void)
{
	struct termios raw;

	if (tcgetattr(0, &terminal))
		return;			/* no terminal */
	atexit(terminal_back);
	raw = terminal;
	cfmakeraw(&raw);
	tcsetattr(0, TCSADRAIN, &raw);
	fprintf(stderr, "vmictl: Ctrl-] leaves the console\r\n");
}

static int transfer(unsigned long how, uint32_t guest, void *data, uint32_t bytes)
{
	struct vmi_console c = {
		.guest = guest, .bytes = bytes, .data = (uintptr_t)data,
	};

	return ioctl(device, how, &c);
}

/* All that it has said; false: there is nothing. */
static bool show_output(uint32_t guest)
{
	char data[VMI_CONSOLE_MAX];
	int n = transfer(VMI_CONSOLE_READ, guest, data, sizeof(data));

	if (n < 0)
		fail("guest %u: %s\r", guest, errno == EINVAL ?
		     "its console is elsewhere, or it was destroyed" :
		     strerror(errno));
	if (n && write(1, data, n) != n)
		fail("standard output: %m\r");
	return n;
}

/* From standard input: what of it the guest has not taken stays. */
static struct {
	char	data[256];
	int	bytes;
	bool	at_end, leaves;
} typed;

static void read_input(void)
{
	int n = read(0, typed.data, sizeof(typed.data));
	char *escape = n > 0 ? memchr(typed.data, ESCAPE, n) : NULL;

	typed.at_end = n <= 0;
	typed.leaves = escape;
	typed.bytes = escape ? escape - typed.data : n > 0 ? n : 0;
}

static void give_input(uint32_t guest)
{
	int n = transfer(VMI_CONSOLE_WRITE, guest, typed.data, typed.bytes);

	if (n > 0) {
		typed.bytes -= n;
		memmove(typed.data, typed.data + n, typed.bytes);
	}
}

void console(uint32_t guest)
{
	struct pollfd in = { .fd = 0, .events = POLLIN };
	bool over = is_over(guest), more;

	terminal_raw();
	do {
		in.fd = typed.bytes || typed.at_end || over ? -1 : 0;
		if (poll(&in, 1, LOOK_MS) > 0)
			read_input();
		if (typed.bytes)
			give_input(guest);
		over = is_over(guest);
		more = show_output(guest);
	} while ((more || !over) && !(typed.leaves && !typed.bytes));
}

// SPDX-License-Identifier: GPL-2.0-only
/* The hypervisor's own words, and how it ends. */
#include <host.h>
#include <stdarg.h>

#include "log.h"
#include "lib.h"
#include "lock.h"

static struct spinlock lock;	/* whose turn it is to speak */

static void put(void *arg, char c)
{
	(void)arg;
	host_log(c);
}

void log_last_words(void)
{
	host_stop_others();
	lock = (struct spinlock){ 0 };
}

void log_printf(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	spin_lock(&lock);
	print(put, NULL, fmt, ap);
	spin_unlock(&lock);
	va_end(ap);
}

void (*panic_tells)(void);

void panic_at(const char *file, int line, const char *fmt, ...)
{
	void (*tell)(void) = panic_tells;
	va_list ap;

	log_last_words();
	log_printf("panic at %s:%d: ", file, line);
	va_start(ap, fmt);
	print(put, NULL, fmt, ap);
	va_end(ap);
	host_log('\n');
	panic_tells = NULL;	/* it may panic, too */
	if (tell)
		tell();
	host_end(END_PANIC);
}

void bad_input(const char *fmt, ...)
{
	va_list ap;

	log_last_words();
	log_printf("error: ");
	va_start(ap, fmt);
	print(put, NULL, fmt, ap);
	va_end(ap);
	host_log('\n');
	host_end(END_BAD_INPUT);
}

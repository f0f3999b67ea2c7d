// SPDX-License-Identifier: GPL-2.0-only
/* Results in TAP on the first serial port. */
#include <stdarg.h>

#include "pc.h"
#include "tap.h"

#define LSR_EMPTY	0x20

unsigned int tap_results, tap_failures;
static const char *subject = "guest:";

static void put_char(char c)
{
	while (!(inb(COM1 + 5) & LSR_EMPTY))
		;
	outb(COM1, (uint8_t)c);
}

static void put_number(uint32_t value, uint32_t base)
{
	char digits[10];
	int n = 0;

	do {
		digits[n++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	while (n--)
		put_char(digits[n]);
}

static void vprint(const char *format, va_list args)
{
	for (; *format; format++) {
		const char *s;

		if (*format != '%') {
			put_char(*format);
			continue;
		}
		switch (*++format) {
		case 's':
			for (s = va_arg(args, const char *); *s; s++)
				put_char(*s);
			break;
		case 'x':
			put_number(va_arg(args, uint32_t), 16);
			break;
		case 'u':
			put_number(va_arg(args, uint32_t), 10);
			break;
		}
	}
}

void print(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprint(format, args);
	va_end(args);
}

void about(const char *clause)
{
	subject = clause ? clause : "guest:";
}

bool ok(bool good, const char *name)
{
	tap_failures += !good;
	print("%sok %u - %s %s\n", good ? "" : "not ", ++tap_results, subject,
	      name);
	return good;
}

void tap_skip(const char *name, const char *reason)
{
	print("ok %u - %s %s # SKIP %s\n", ++tap_results, subject, name, reason);
}

void tap_end(void)
{
	print("1..%u\n", tap_results);
}

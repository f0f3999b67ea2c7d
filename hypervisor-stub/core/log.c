// SPDX-License-Identifier: GPL-2.0-only
/* The hypervisor's own words, and how it ends. */
#include <cpu.h>
#include <stdarg.h>

#include "hv.h"

void log_char(char c)
{
	host_log(c);
}

static void put_number(uint64_t val, unsigned int base, int width, char pad,
		       bool negative)
{
	char digits[24];
	int n = 0;

	do
		digits[n++] = "0123456789abcdef"[val % base];
	while (val /= base);
	if (negative)
		digits[n++] = '-';
	while (width-- > n)
		log_char(pad);
	while (n)
		log_char(digits[--n]);
}

/* %c %s %d %u %x, with l, a width and zero padding; %.*s. */
void log_vprintf(const char *fmt, va_list ap)
{
	for (; *fmt; fmt++) {
		char pad = ' ';
		int width = 0, max = -1;
		bool is_long = false;
		const char *s;
		int64_t val;

		if (*fmt != '%') {
			log_char(*fmt);
			continue;
		}
		if (*++fmt == '0')
			pad = *fmt++;
		while (*fmt >= '0' && *fmt <= '9')
			width = width * 10 + *fmt++ - '0';
		if (fmt[0] == '.' && fmt[1] == '*') {
			max = va_arg(ap, int);
			fmt += 2;
		}
		for (; *fmt == 'l'; fmt++)
			is_long = true;
		switch (*fmt) {
		case 'c':
			log_char(va_arg(ap, int));
			break;
		case 's':
			for (s = va_arg(ap, const char *); *s && max; s++, max--)
				log_char(*s);
			break;
		case 'd':
			val = is_long ? va_arg(ap, long) : va_arg(ap, int);
			put_number(val < 0 ? -val : val, 10, width, pad,
				   val < 0);
			break;
		case 'u':
		case 'x':
			put_number(is_long ? va_arg(ap, unsigned long) :
					     va_arg(ap, unsigned int),
				   *fmt == 'x' ? 16 : 10, width, pad, false);
			break;
		default:
			log_char(*fmt);
		}
	}
}

void log_printf(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vprintf(fmt, ap);
	va_end(ap);
}

void machine_end(enum end end)
{
	if (guest_count)
		stats_print();
	host_end(end);
}

void panic_at(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	log_printf("panic at %s:%d: ", file, line);
	va_start(ap, fmt);
	log_vprintf(fmt, ap);
	va_end(ap);
	log_char('\n');
	machine_end(END_PANIC);
}

void bad_input(const char *fmt, ...)
{
	va_list ap;

	log_printf("error: ");
	va_start(ap, fmt);
	log_vprintf(fmt, ap);
	va_end(ap);
	log_char('\n');
	machine_end(END_BAD_INPUT);
}

// SPDX-License-Identifier: GPL-2.0-only
/* Formatted text. */
#include <stdbool.h>
#include <stdint.h>

#include "lib.h"

static void number(void (*put)(void *arg, char c), void *arg, uint64_t val,
		   unsigned int base, int width, char pad, bool negative)
{
	char digits[24];
	int n = 0;

	do
		digits[n++] = "0123456789abcdef"[val % base];
	while (val /= base);
	if (negative)
		digits[n++] = '-';
	while (width-- > n)
		put(arg, pad);
	while (n)
		put(arg, digits[--n]);
}

void print(void (*put)(void *arg, char c), void *arg, const char *fmt,
	   va_list ap)
{
	for (; *fmt; fmt++) {
		char pad = ' ';
		int width = 0, max = -1;
		bool is_long = false;
		const char *s;
		int64_t val;

		if (*fmt != '%') {
			put(arg, *fmt);
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
			put(arg, va_arg(ap, int));
			break;
		case 's':
			for (s = va_arg(ap, const char *); *s && max; s++, max--)
				put(arg, *s);
			break;
		case 'd':
			val = is_long ? va_arg(ap, long) : va_arg(ap, int);
			number(put, arg, val < 0 ? -val : val, 10, width, pad,
			       val < 0);
			break;
		case 'u':
		case 'x':
			number(put, arg,
			       is_long ? va_arg(ap, unsigned long) :
					 va_arg(ap, unsigned int),
			       *fmt == 'x' ? 16 : 10, width, pad, false);
			break;
		default:
			put(arg, *fmt);
		}
	}
}

struct buffer {
	char	*at;
	size_t	left;		/* beside the terminator */
};

static void put_buffer(void *arg, char c)
{
	struct buffer *b = arg;

	if (!b->left)
		return;
	*b->at++ = c;
	b->left--;
}

void print_buffer(char *buffer, size_t size, const char *fmt, va_list ap)
{
	struct buffer b = { buffer, size - 1 };

	print(put_buffer, &b, fmt, ap);
	*b.at = '\0';
}

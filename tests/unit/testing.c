// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>

#include "testing.h"
#include "unit.h"

void check_failed(const char *file, int line, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	print_error("%s\n", text);
	_fail(file, line);
	__builtin_unreachable();
}

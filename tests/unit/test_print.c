// SPDX-License-Identifier: GPL-2.0-only
/* Formatted text: as the C library would have it, of what there is. */
#include <stdio.h>

#include "lib.h"
#include "unit.h"

static char buffer[64];

static void __attribute__((format(printf, 2, 3)))
format(size_t size, const char *fmt, ...)
{
	va_list ap;

	memset(buffer, '#', sizeof(buffer));
	va_start(ap, fmt);
	print_buffer(buffer, size, fmt, ap);
	va_end(ap);
}

#define SAME(...) do {							\
		char expected[sizeof(buffer)];				\
									\
		snprintf(expected, sizeof(expected), __VA_ARGS__);	\
		format(sizeof(buffer), __VA_ARGS__);			\
		assert_string_equal(buffer, expected);			\
	} while (0)

static void test_formats(void **state)
{
	(void)state;
	SAME("no more than that");
	SAME("%c%s|%.*s|%.*s", 'a', "bc", 2, "defg", 9, "hi");
	SAME("%d %d %u", -1, 77, 4000000000u);
	SAME("%ld %lu", -123456789012l, UINT64_MAX);
	SAME("%x %lx", 0xfeu, 0x123456789abcdeful);
	SAME("%08x|%3u|%1u|%05d", 0x1234, 7, 1234, 42);
	SAME("%016lx", 0xbe00000000000136ul);
	SAME("100 %%");
}

static void test_too_long(void **state)
{
	(void)state;
	format(8, "%s and %u", "more", 1234);
	assert_string_equal(buffer, "more an");
	assert_int_equal(buffer[8], '#');
	format(1, "x");
	assert_string_equal(buffer, "");
	assert_int_equal(buffer[1], '#');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formats),
		cmocka_unit_test(test_too_long),
	};

	return cmocka_run_group_tests_name("print", tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Assertions for code that unit tests and fuzz targets share: a unit test
 * fails (testing.c), a fuzz target ends with the input saved (tests/fuzz).
 */
#ifndef TESTING_H
#define TESTING_H

#include <inttypes.h>

void __attribute__((noreturn, format(printf, 3, 4)))
check_failed(const char *file, int line, const char *fmt, ...);

#define CHECK(c) do {							\
		if (!(c))						\
			check_failed(__FILE__, __LINE__, "%s", #c);	\
	} while (0)

#define CHECK_EQ(a, b) do {						\
		uint64_t a_ = (uint64_t)(a), b_ = (uint64_t)(b);	\
									\
		if (a_ != b_)						\
			check_failed(__FILE__, __LINE__,		\
				     "%s is %#" PRIx64 ", %s is %#" PRIx64, \
				     #a, a_, #b, b_);			\
	} while (0)

#endif

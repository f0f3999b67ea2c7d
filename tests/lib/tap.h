/* SPDX-License-Identifier: GPL-2.0-only */
/* Results in TAP on the first serial port. */
#ifndef TAP_H
#define TAP_H

#include <stdbool.h>
#include <stdint.h>

void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* What the next results are about: the guest, until one says a clause, or NULL. */
void about(const char *clause);
/* One result; "# " and what explains a failure may follow. */
bool ok(bool good, const char *name);
void tap_skip(const char *name, const char *reason);
void tap_end(void);
extern unsigned int tap_results;
extern unsigned int tap_failures;
#define same(actual, expected, name) do {				\
	uint32_t actual_ = (uint32_t)(actual);				\
	uint32_t expected_ = (uint32_t)(expected);			\
	if (!ok(actual_ == expected_, name))				\
		print("# %x, expected %x\n", actual_, expected_);	\
} while (0)

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* The command line: words, and words with a value, "KEY=VALUE". */
#ifndef CMDLINE_H
#define CMDLINE_H

#include <stdbool.h>
#include <stdint.h>

/* What follows the first such word, up to the end of the line; or NULL. */
const char *option(const char *key);
uint32_t option_number(const char *key);	/* 0 if there is none */
bool option_is(const char *key, const char *value);

#endif

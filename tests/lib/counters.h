/* SPDX-License-Identifier: GPL-2.0-only */
/* The hypervisor's counters (STUB-13), which no other ROM need have. */
#ifndef COUNTERS_H
#define COUNTERS_H

#include <stdbool.h>
#include <stdint.h>

/* Counter by the beginning of its name; -1 if there is none. */
int counter_find(const char *prefix);
uint64_t counter_read(int counter);

/* Exits so far, but for the machine's own and those of looking. */
bool exits_init(void);
uint64_t exits_now(void);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MEMORY_H
#define MEMORY_H

#include <stdint.h>

/* Of more ranges than this the largest are used. */
#define MEMORY_RANGES	16

/* memory_alloc() (hv.h) may take this, too; physical, bytes. */
void memory_add(uint64_t start, uint64_t bytes);

#endif

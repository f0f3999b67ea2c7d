/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MEMORY_H
#define MEMORY_H

#include <stdint.h>

/* memory_alloc() (hv.h) takes from here from now on; physical, bytes. */
void memory_init(uint64_t start, uint64_t bytes);

#endif

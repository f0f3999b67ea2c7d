// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of the machine: one pointer that only moves up, through the largest
 * range of RAM that the boot loader told of.
 */
#include <cpu.h>
#include <string.h>

#include "hv.h"
#include "memory.h"

static uint64_t next, end;	/* physical */

void memory_init(uint64_t start, uint64_t bytes)
{
	next = start;
	end = start + bytes;
}

void *memory_alloc(uint64_t bytes, uint64_t align)
{
	uint64_t at = (next + align - 1) & -align;

	if (at > end || bytes > end - at)
		return NULL;
	next = at + bytes;
	return memset(pa_to_va(at), 0, bytes);
}

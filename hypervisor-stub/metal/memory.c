// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of the machine: the ranges of RAM that the boot loader told of, each
 * with one pointer that only moves up.
 */
#include <cpu.h>
#include <string.h>

#include "hv.h"
#include "memory.h"

static struct { uint64_t next, end; } range[MEMORY_RANGES];	/* physical */

static uint64_t room(unsigned int i)
{
	return range[i].end - range[i].next;
}

void memory_add(uint64_t start, uint64_t bytes)
{
	unsigned int i, least = 0;

	for (i = 1; i < MEMORY_RANGES; i++)
		if (room(i) < room(least))
			least = i;
	if (bytes <= room(least))
		return;
	range[least].next = start;
	range[least].end = start + bytes;
}

void *memory_alloc(uint64_t bytes, uint64_t align)
{
	unsigned int i;

	for (i = 0; i < MEMORY_RANGES; i++) {
		uint64_t at = (range[i].next + align - 1) & -align;

		if (at > range[i].end || bytes > range[i].end - at)
			continue;
		range[i].next = at + bytes;
		return memset(pa_to_va(at), 0, bytes);
	}
	return NULL;
}

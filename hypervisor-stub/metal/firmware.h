/* SPDX-License-Identifier: GPL-2.0-only */
/* Tables of the firmware in physical memory, which may be damaged. */
#ifndef FIRMWARE_H
#define FIRMWARE_H

#include <stddef.h>
#include <string.h>

#include <host.h>

/* NULL: not mapped. */
static inline const uint8_t *firmware_at(uint64_t pa, uint64_t bytes)
{
	return pa && bytes <= DIRECT_SIZE && pa <= DIRECT_SIZE - bytes ?
	       host_va(pa) : NULL;
}

/* The same, and its bytes are 0 in sum. */
static inline const uint8_t *firmware_sum(uint64_t pa, uint32_t bytes)
{
	const uint8_t *at = firmware_at(pa, bytes);
	uint8_t sum = 0;
	uint32_t i;

	for (i = 0; at && i < bytes; i++)
		sum += at[i];
	return sum ? NULL : at;
}

static inline uint16_t firmware_16(const uint8_t *at)
{
	return at[0] | at[1] << 8;
}

static inline uint32_t firmware_32(const uint8_t *at)
{
	return firmware_16(at) | (uint32_t)firmware_16(at + 2) << 16;
}

static inline uint64_t firmware_64(const uint8_t *at)
{
	return firmware_32(at) | (uint64_t)firmware_32(at + 4) << 32;
}

/* Where is() finds it in a range, as a physical address; 0: nowhere. */
static inline uint64_t firmware_find(uint64_t from, uint64_t to,
				     bool (*is)(uint64_t pa))
{
	for (; from < to; from += 16)
		if (is(from))
			return from;
	return 0;
}

/* The first KB of the extended BIOS data area, which starts behind 0. */
#define EBDA_SEGMENT	0x40eu
static inline uint64_t firmware_ebda(void)
{
	return (uint64_t)firmware_16(host_va(EBDA_SEGMENT)) << 4;
}

/* One more, unless it is there. */
static inline uint32_t firmware_add(uint32_t id[HOST_CPUS], uint32_t count,
				    uint32_t found)
{
	uint32_t i;

	for (i = 0; i < count; i++)
		if (id[i] == found)
			return count;
	if (count == HOST_CPUS)
		return count;
	id[count] = found;
	return count + 1;
}

#endif

// SPDX-License-Identifier: GPL-2.0-only
/* Processors by the MultiProcessor Specification, version 1.4, chapter 4. */
#include "firmware.h"
#include "metal.h"

#define BASE_MEMORY	0x413u		/* the BIOS: KB */
#define FLOATING	16u
#define HEADER		44u
#define PROCESSOR	0u		/* an entry, of 20 bytes */
#define LAST_TYPE	4u		/* the others have 8 */
#define ENABLED		1u

static bool is_floating(uint64_t pa)
{
	const uint8_t *at = firmware_at(pa, FLOATING);

	return at && !memcmp(at, "_MP_", 4) && at[8] == FLOATING / 16 &&
	       firmware_sum(pa, FLOATING);
}

static uint64_t find_floating(void)
{
	uint64_t ebda = firmware_ebda(), pa;
	uint64_t end = firmware_16(host_va(BASE_MEMORY)) * 1024ull;

	pa = firmware_find(ebda, ebda + 1024, is_floating);
	if (!pa && end >= 1024)
		pa = firmware_find(end - 1024, end, is_floating);
	return pa ? pa : firmware_find(0xf0000, 0x100000, is_floating);
}

uint32_t mp_processors(uint32_t id[HOST_CPUS])
{
	uint64_t floating = find_floating(), pa;
	uint32_t bytes, i, length, count = 0;
	const uint8_t *at;

	if (!floating)
		return 0;
	at = host_va(floating);
	if (at[11]) {			/* a default configuration has two */
		id[0] = 0;
		id[1] = 1;
		return 2;
	}
	pa = firmware_32(at + 4);
	at = firmware_at(pa, HEADER);
	if (!at || memcmp(at, "PCMP", 4))
		return 0;
	bytes = firmware_16(at + 4);
	if (bytes < HEADER || !firmware_sum(pa, bytes))
		return 0;
	for (i = HEADER; i < bytes && at[i] <= LAST_TYPE; i += length) {
		length = at[i] == PROCESSOR ? 20 : 8;
		if (length > bytes - i)
			break;
		if (at[i] == PROCESSOR && (at[i + 3] & ENABLED))
			count = firmware_add(id, count, at[i + 1]);
	}
	return count;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The instruction decoder against Zydis, and within the bytes that there
 * are: one byte that says 16 or 32 bits, then the instruction.
 */
#include <stdlib.h>

#include "fuzz.h"
#include "zydis.h"

/* In a buffer of just that size, so that ASan sees a read behind it. */
static void check_short(const uint8_t *bytes, size_t len, bool code32)
{
	uint8_t *copy = malloc(len);
	struct insn insn;

	if (len)
		memcpy(copy, bytes, len);
	decode(copy, len, code32, &insn);
	free(copy);
}

void fuzz_one(struct input *in)
{
	bool code32 = input_u8(in) & 1;
	uint8_t bytes[ZYDIS_BYTES] = { 0 };
	const uint8_t *at;
	size_t len;

	at = input_bytes(in, sizeof(bytes), &len);
	check_short(at, len, code32);
	if (len)
		memcpy(bytes, at, len);
	zydis_compare(bytes, code32);
}

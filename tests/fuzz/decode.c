// SPDX-License-Identifier: GPL-2.0-only
/*
 * The instruction decoder against Zydis, and within the bytes that there
 * are: one byte that says 16, 32 or 64 bits, then the instruction.
 */
#include <stdlib.h>

#include "fuzz.h"
#include "zydis.h"

/* In a buffer of just that size, so that ASan sees a read behind it. */
static void check_short(const uint8_t *bytes, size_t len, enum code_bits bits)
{
	uint8_t *copy = malloc(len);
	struct insn insn;

	if (len)
		memcpy(copy, bytes, len);
	decode(copy, len, bits, &insn);
	free(copy);
}

void fuzz_one(struct input *in)
{
	static const enum code_bits modes[4] = {
		CODE_16, CODE_32, CODE_64, CODE_64
	};
	enum code_bits bits = modes[input_u8(in) & 3];
	uint8_t bytes[ZYDIS_BYTES] = { 0 };
	const uint8_t *at;
	size_t len;

	at = input_bytes(in, sizeof(bytes), &len);
	check_short(at, len, bits);
	if (len)
		memcpy(bytes, at, len);
	zydis_compare(bytes, bits);
}

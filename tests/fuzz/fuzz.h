/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What every fuzz target includes. A target defines fuzz_one(); CHECK() and
 * the sanitizers say what must hold.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "testing.h"

/* The bytes that libFuzzer made up, to be taken from the front. Behind their
 * end there are zeros. */
struct input {
	const uint8_t	*at;
	size_t		left;
};

static inline const uint8_t *input_bytes(struct input *in, size_t max,
					 size_t *len)
{
	const uint8_t *at = in->at;

	*len = in->left < max ? in->left : max;
	in->at += *len;
	in->left -= *len;
	return at;
}

#define INPUT_NUMBER(name, type)					\
static inline type input_##name(struct input *in)			\
{									\
	const uint8_t *at;						\
	type val = 0;							\
	size_t len;							\
									\
	at = input_bytes(in, sizeof(val), &len);			\
	if (len)							\
		memcpy(&val, at, len);					\
	return val;							\
}
INPUT_NUMBER(u8, uint8_t)
INPUT_NUMBER(u16, uint16_t)
INPUT_NUMBER(u32, uint32_t)
INPUT_NUMBER(u64, uint64_t)

void fuzz_one(struct input *in);

#endif

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The shadow tables against the model of tests/unit/shadow_model.h: the input
 * is what a guest does that keeps the rules of x86 and VMI about telling.
 */
#include "fuzz.h"
#include "shadow_model.h"

static struct input *input;

uint32_t rnd(uint32_t n)
{
	return (n <= 256 ? input_u8(input) : input_u16(input)) % n;
}

void fuzz_one(struct input *in)
{
	input = in;
	model_start(input_u8(in) & 1);
	while (in->left)
		random_step();
	queue_drain(v);
	check_all();
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The four-level shadow against the model of tests/unit/long_model.h: the input is
 * what a guest of one vCPU or two does that keeps the rules of x86 and VMI about
 * telling.
 */
#include "fuzz.h"
#include "long_model.h"

static struct input *input;

uint32_t rnd(uint32_t n)
{
	return (n <= 256 ? input_u8(input) : input_u16(input)) % n;
}

void fuzz_one(struct input *in)
{
	input = in;
	walk_start(1 + (input_u8(in) & 1));
	while (in->left)
		random_step();
	check_pool();
}

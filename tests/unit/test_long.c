// SPDX-License-Identifier: GPL-2.0-only
/*
 * The four-level shadow: a 64-bit guest that does anything at random, against the
 * model of long_model.h, and what is ours in its linear space.
 */
#include "unit.h"
#include "long_model.h"

static void random_updates(uint32_t vcpus)
{
	uint64_t zaps = 0;
	uint32_t run, i, kicks = 0;

	for (run = 0; run < 40; run++) {
		seed = run;
		walk_start(vcpus);
		for (i = 0; i < 2000; i++)
			random_step();
		if (mm.reserved)
			zaps += mm.zaps;
		kicks += model_kicks;
	}
	/* The pool ran dry on the way, and what was taken away was needed again. */
	assert_true(zaps > 20);
	assert_true(kicks > 40 || vcpus == 1);
}

static void test_random_updates(void **state)
{
	(void)state;
	random_updates(1);
}

static void test_two_vcpus(void **state)
{
	(void)state;
	random_updates(2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_updates),
		cmocka_unit_test(test_two_vcpus),
	};

	return cmocka_run_group_tests_name("long", tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-only
/* Time: that of the day, the counter's rate, and sleeps, which end when they should
 * and not before. */
#include "lib.h"

MANIFEST(0);

#define MS		1000000ull
#define YEAR_2020	1577836800000000000ull

int run(const struct solo5_boot_info *info)
{
	uint64_t per_ms = info->tsc_hz / 1000, tsc[4], ns, now, ready = 77;
	uint64_t wall;
	int i;

	tsc[0] = rdtsc();
	wall = walltime();
	tsc[1] = rdtsc();

	CHECK(wall > YEAR_2020);
	for (i = 0; i < 20; i++) {
		now = rdtsc();
		CHECK(poll(i * MS, &ready) == 0 && !ready);
		CHECK(rdtsc() - now >= i * per_ms);
		CHECK(walltime() > wall);
	}
	/* Both clocks have gone on by the same, whatever came between. */
	tsc[2] = rdtsc();
	ns = walltime() - wall;
	tsc[3] = rdtsc();
	CHECK(ns >= 190 * MS);
	CHECK(ns / 1000 + 1000 >= (tsc[2] - tsc[1]) / (per_ms / 1000 + 1));
	CHECK(ns / 1000 <= (tsc[3] - tsc[0]) / (per_ms / 1000) + 1000);
	say("SUCCESS\n");
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/* As many devices as a manifest can have: disks, each of which has its number in its
 * first byte, and gets it once more in the last. */
#include "lib.h"

#define DISKS		63u
#define D(n)		{ "d" #n, SOLO5_BLOCK, { { 0 } }, 0, 0, { 0 } }
#define TEN(n)		D(n##0), D(n##1), D(n##2), D(n##3), D(n##4),	\
			D(n##5), D(n##6), D(n##7), D(n##8), D(n##9)

MANIFEST(DISKS, D(0), D(1), D(2), D(3), D(4), D(5), D(6), D(7), D(8), D(9),
	 TEN(1), TEN(2), TEN(3), TEN(4), TEN(5), D(60), D(61), D(62));

int run(const struct solo5_boot_info *info)
{
	const struct solo5_manifest *m = (const void *)info->manifest;
	uint64_t end, ready;
	uint8_t block[512];
	uint32_t i;

	CHECK(m->entries == 1 + DISKS);
	for (i = 1; i <= DISKS; i++) {
		CHECK(m->entry[i].attached);
		end = m->entry[i].block.capacity - sizeof(block);
		CHECK(block_read(i, 0, block, sizeof(block)) == SOLO5_OK);
		CHECK(block[0] == i - 1);
		block[511] = i - 1;
		CHECK(block_write(i, end, block, sizeof(block)) == SOLO5_OK);
	}
	CHECK(poll(0, &ready) == 0 && !ready);
	say("SUCCESS\n");
	return 0;
}

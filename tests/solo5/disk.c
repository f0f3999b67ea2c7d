// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two disks. What is written is read again, in pieces of all sizes; nothing but
 * that changes, and what cannot be is refused. At the end block 0 of the first one
 * has a text, and of the second one what was there, once more in block 1.
 */
#include "lib.h"

#define SECTOR		512u
#define BIG		(200 * SECTOR)	/* more than one step of the hypervisor's */

MANIFEST(2, { "storage", SOLO5_BLOCK, { { 0 } }, 0, 0, { 0 } },
	 { "second", SOLO5_BLOCK, { { 0 } }, 0, 0, { 0 } });

enum { STORAGE = 1, SECOND };

static uint8_t out[BIG], in[BIG + 16];

static void fill(uint8_t *at, uint32_t len, uint32_t seed)
{
	uint32_t i;

	for (i = 0; i < len; i++)
		at[i] = (seed = seed * 1103515245 + 12345) >> 16;
}

static void write_and_read(uint64_t at, uint32_t len)
{
	fill(out, len, at + len);
	CHECK(block_write(STORAGE, at, out, len) == SOLO5_OK);
	memset(in, 0xa5, sizeof(in));
	CHECK(block_read(STORAGE, at, in + 5, len) == SOLO5_OK);
	CHECK(!memcmp(in + 5, out, len));
	CHECK(in[4] == 0xa5 && in[5 + len] == 0xa5);
}

static void refused(uint64_t handle, uint64_t at, size_t len)
{
	CHECK(block_write(handle, at, out, len) == SOLO5_EINVAL);
	CHECK(block_read(handle, at, in, len) == SOLO5_EINVAL);
}

int run(const struct solo5_boot_info *info)
{
	const struct solo5_manifest *m = (const void *)info->manifest;
	const struct solo5_entry *e = &m->entry[STORAGE];
	uint64_t size = e->block.capacity, at;

	CHECK(m->entries == 3 && same(e->name, "storage") && e->attached &&
	      e->block.block_size == SECTOR);
	for (at = 0; at < size; at += 10 * SECTOR)
		write_and_read(at, SECTOR);
	write_and_read(size - SECTOR, SECTOR);
	write_and_read(0, 2 * SECTOR);
	write_and_read(SECTOR, BIG);
	write_and_read(size - BIG, BIG);

	refused(STORAGE, size, SECTOR);
	refused(STORAGE, size - SECTOR, 2 * SECTOR);
	refused(STORAGE, -(uint64_t)SECTOR, 2 * SECTOR);
	refused(STORAGE, 0, SECTOR - 1);
	refused(STORAGE, 0, SECTOR + 1);
	refused(STORAGE, SECTOR - 1, SECTOR);
	refused(0, 0, SECTOR);
	refused(3, 0, SECTOR);
	refused((1ull << 32) + STORAGE, 0, SECTOR);

	CHECK(block_read(SECOND, 0, in, SECTOR) == SOLO5_OK);
	CHECK(block_write(SECOND, SECTOR, in, SECTOR) == SOLO5_OK);
	memset(out, 0, SECTOR);
	memcpy(out, "written by a unikernel", 22);
	CHECK(block_write(STORAGE, 0, out, SECTOR) == SOLO5_OK);
	say("SUCCESS\n");
	return 0;
}

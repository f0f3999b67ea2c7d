// SPDX-License-Identifier: GPL-2.0-only
/*
 * The boot loader, hypervisor-stub/core/loader.c: how much memory there must
 * be, where in it things go, and what the kernel is told of it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "loader_images.h"
#include "vmi_hypercall.h"

static void test_memory_size(void **state)
{
	uint8_t *image = bzimage();

	(void)state;
	need_ram(16 * MB);
	ram_size = 6 * MB;
	load(image, BZ_SIZE, "");
	ram_size = 6 * MB - 4096;
	assert_int_equal(load(image, BZ_SIZE, "needs 0x400000 to 0x600000, "
			      "memory ends at 0x5ff000: too small, 6 MB are "
			      "needed").part, LOADER_KERNEL);
	ram_size = 4 * MB - 4096;
	assert_int_equal(load(image, BZ_SIZE, "too small: 3 MB, at least 4 MB "
			      "are needed").part, LOADER_MEMORY);
	/* Nothing beyond the first 16 MB of this is touched. */
	ram_size = 3072 * MB;
	load(image, BZ_SIZE, "");
	ram_size = 16 * MB;
	rest = 8176 * MB;
	load(image, BZ_SIZE, "");
	rest = 0;
	/* Without init_size the image itself must fit. */
	ram_size = 4 * MB;
	header(image)->init_size = 0;
	load(image, BZ_SIZE, "needs 0x400000 to 0x400280, memory ends at "
	     "0x400000: too small, 5 MB are needed");
	free(image);
}

static void test_cmdline(void **state)
{
	uint8_t *image = bzimage();
	char *line = malloc(70000);
	struct loader_in in = {
		.kernel = image, .kernel_size = BZ_SIZE, .cmdline = line,
	};
	struct loader_out out;

	(void)state;
	need_ram(16 * MB);
	in.ram = ram;
	in.ram_size = ram_size;
	memset(line, 'x', 70000);
	line[2047] = 0;
	assert_true(loader_load(&in, &out));
	assert_string_equal((char *)ram + params()->hdr.cmd_line_ptr, line);
	line[2047] = 'x';
	line[2048] = 0;
	assert_false(loader_load(&in, &out));
	assert_string_equal(out.error,
			    "2048 characters, the kernel takes at most 2047");
	assert_int_equal(out.part, LOADER_CMDLINE);
	/* What a kernel says is limited by our own room ... */
	header(image)->cmdline_size = 0xffffffff;
	line[2048] = 'x';
	line[65535] = 0;
	assert_true(loader_load(&in, &out));
	line[65535] = 'x';
	line[65536] = 0;
	assert_false(loader_load(&in, &out));
	/* ... and before 2.06 by 255. */
	header(image)->version = 0x206;
	line[65535] = 0;
	assert_true(loader_load(&in, &out));
	header(image)->version = 0x205;
	line[255] = 0;
	assert_true(loader_load(&in, &out));
	line[255] = 'x';
	line[256] = 0;
	assert_false(loader_load(&in, &out));
	in.cmdline = NULL;
	assert_true(loader_load(&in, &out));
	assert_int_equal(ram[params()->hdr.cmd_line_ptr], 0);
	free(image);
	free(line);
}

static void test_initrd(void **state)
{
	uint8_t *image = bzimage(), *initrd = malloc(3 * MB);
	struct loader_in in = {
		.kernel = image, .kernel_size = BZ_SIZE,
		.initrd = initrd, .initrd_size = 3 * MB - 5,
	};
	const struct setup_header *h;
	struct loader_out out;

	(void)state;
	need_ram(16 * MB);
	in.ram = ram;
	in.ram_size = ram_size;
	memset(initrd, 0x77, 3 * MB);
	assert_true(loader_load(&in, &out));
	h = &params()->hdr;
	assert_int_equal(h->ramdisk_image, 13 * MB);
	assert_int_equal(h->ramdisk_size, 3 * MB - 5);
	assert_memory_equal(ram + 13 * MB, initrd, 3 * MB - 5);
	assert_int_equal(ram[16 * MB - 5], 0);
	/* Under the kernel's limit. */
	header(image)->initrd_addr_max = 15 * MB - 1;
	assert_true(loader_load(&in, &out));
	assert_int_equal(h->ramdisk_image, 12 * MB);
	/* It starts where the kernel ends, and not lower. */
	header(image)->initrd_addr_max = 9 * MB - 1;
	assert_true(loader_load(&in, &out));
	assert_int_equal(h->ramdisk_image, 6 * MB);
	header(image)->initrd_addr_max = 9 * MB - 4096 - 1;
	assert_false(loader_load(&in, &out));
	assert_string_equal(out.error, "needs 0x2ffffb bytes behind the "
			    "kernel's end at 0x600000, memory ends at "
			    "0x1000000: too small, 9 MB are needed");
	assert_int_equal(out.part, LOADER_INITRD);
	in.initrd_size = 0;
	assert_false(loader_load(&in, &out));
	assert_string_equal(out.error, "empty");
	assert_int_equal(out.part, LOADER_INITRD);
	in.initrd_size = UINT64_MAX;
	header(image)->initrd_addr_max = 0;
	assert_false(loader_load(&in, &out));
	free(image);
	free(initrd);
}

static void test_large_memory(void **state)
{
	uint8_t *image = bzimage();
	const struct e820_entry *map;

	(void)state;
	/* Untouched pages of calloc cost nothing. */
	need_ram(2048 * MB);
	load(image, BZ_SIZE, "");
	assert_int_equal(params()->ext_mem_k, 0xffff);
	assert_int_equal(params()->alt_mem_k, 2047 * 1024);
	map = params()->e820_table;
	assert_true(map[0].addr == 0 && map[0].size == 0x9fc00 &&
		    map[0].type == E820_RAM);
	assert_true(map[1].addr == 0xa0000 && map[1].size == 0x60000 &&
		    map[1].type == E820_RESERVED);
	assert_true(map[2].size == 2047 * MB && map[2].type == E820_RAM);
	assert_int_equal(params()->e820_entries, 3);
	free(image);
}

/* What is not in one piece: up to the hole, and behind it. */
static void test_memory_behind_the_hole(void **state)
{
	static const struct { uint64_t rest, low, high; } maps[] = {
		{ 512 * MB, 1024 * MB, 0 },
		{ 2560ull * MB, 3072ull * MB, 0 },
		{ 2564ull * MB, 3072ull * MB, 4 * MB },
		{ 7680ull * MB, 3072ull * MB, 5120ull * MB },
	};
	uint8_t *image = bzimage();
	unsigned int i;

	(void)state;
	need_ram(512 * MB);
	for (i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
		const struct boot_params *bp;

		rest = maps[i].rest;
		load(image, BZ_SIZE, "");
		bp = params();
		assert_int_equal(bp->e820_entries, maps[i].high ? 4 : 3);
		assert_true(bp->e820_table[2].addr == MB);
		assert_true(bp->e820_table[2].size == maps[i].low - MB);
		assert_int_equal(bp->alt_mem_k, (maps[i].low - MB) >> 10);
		if (!maps[i].high)
			continue;
		assert_true(bp->e820_table[3].addr == 4096ull * MB);
		assert_true(bp->e820_table[3].size == maps[i].high);
		assert_int_equal(bp->e820_table[3].type, E820_RAM);
	}
	rest = 0;
	free(image);
}

/* A page that the kernel is told to leave alone: between its end and the RAM disk, or
 * behind that. */
static void test_comm(void **state)
{
	static const uint8_t initrd[5000];
	uint8_t *image = bzimage();
	struct loader_in in = {
		.kernel = image, .kernel_size = BZ_SIZE, .initrd = initrd,
		.initrd_size = sizeof(initrd),
	};
	static const uint32_t bad[] = {
		0x600800, 0x5ff000, 0x1000, 0xffe000, 0xfff000, 16 << 20,
		0xfffff000,
	};
	const struct e820_entry *map;
	struct loader_out out;
	uint32_t i;

	(void)state;
	need_ram(16 * MB);
	in.ram = ram;
	in.ram_size = 16 * MB;
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		in.comm = bad[i];
		assert_false(loader_load(&in, &out));
		assert_int_equal(out.part, LOADER_COMM);
	}
	in.comm = 0x600000;
	assert_true(loader_load(&in, &out));
	map = params()->e820_table;
	assert_int_equal(params()->e820_entries, 5);
	assert_true(map[2].addr == MB && map[2].size == 5 * MB &&
		    map[2].type == E820_RAM);
	assert_true(map[3].addr == 6 * MB && map[3].size == 4096 &&
		    map[3].type == E820_RESERVED);
	assert_true(map[4].addr == 6 * MB + 4096 &&
		    map[4].size == 10 * MB - 4096 && map[4].type == E820_RAM);
	in.comm = 0xffd000;		/* with no RAM disk it is free */
	in.initrd = NULL;
	assert_true(loader_load(&in, &out));
	in.comm = 0xfff000;
	assert_true(loader_load(&in, &out));
	assert_int_equal(params()->e820_entries, 4);
	assert_int_equal(out.comm, 0xfff000);
	/* Wherever: as high as the kernel takes a RAM disk, and below that. */
	in.comm = VMI_COMM_ANY;
	assert_true(loader_load(&in, &out));
	assert_int_equal(out.comm, 0xfff000);
	assert_true(params()->e820_table[3].addr == 0xfff000);
	in.initrd = initrd;
	assert_true(loader_load(&in, &out));
	assert_int_equal(out.comm, 0xffd000);
	in.initrd = NULL;
	header(image)->initrd_addr_max = 0x7fffff;
	assert_true(loader_load(&in, &out));
	assert_int_equal(out.comm, 0x7ff000);
	header(image)->initrd_addr_max = 0x600ffe;
	assert_false(loader_load(&in, &out));
	assert_int_equal(out.part, LOADER_COMM);
	in.comm = 0;
	assert_true(loader_load(&in, &out));
	assert_int_equal(out.comm, 0);
	free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory_size),
		cmocka_unit_test(test_cmdline),
		cmocka_unit_test(test_initrd),
		cmocka_unit_test(test_large_memory),
		cmocka_unit_test(test_memory_behind_the_hole),
		cmocka_unit_test(test_comm),
	};

	return cmocka_run_group_tests_name("loader_memory", tests, NULL, free_ram);
}

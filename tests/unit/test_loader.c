// SPDX-License-Identifier: GPL-2.0-only
/*
 * The boot loader, hypervisor-stub/core/loader.c: images that are right, images
 * that are wrong in one known way, and images with random bytes changed.
 */
#include <stdio.h>
#include <stdlib.h>

#include "loader_images.h"

static void test_bzimage(void **state)
{
	uint8_t *image = bzimage();
	const struct boot_params *bp;
	struct loader_out out;
	unsigned int i;

	(void)state;
	need_ram(64 * MB);
	memset(ram, 0xaa, 1 * MB);
	out = load(image, BZ_SIZE, "");
	assert_int_equal(out.entry, 0x400000);
	for (i = 0; i < CODE; i++)
		assert_int_equal(ram[0x400000 + i], code_byte(i));
	bp = params();
	assert_int_equal(bp->unused_3[0x1ef - 0x1e9], 0);	/* sentinel */
	assert_int_equal(bp->hdr.header, SETUP_MAGIC);
	assert_int_equal(bp->hdr.version, 0x20f);
	assert_int_equal(bp->hdr.type_of_loader, 0xff);
	assert_int_equal(bp->hdr.loadflags, LOADED_HIGH);
	assert_int_equal(bp->hdr.code32_start, 0x400000);
	assert_true(bp->hdr.setup_data == 0);
	assert_int_equal(bp->hdr.ramdisk_image, 0);
	assert_int_equal(bp->hdr.ramdisk_size, 0);
	assert_int_equal(bp->hdr.init_size, 0x200000);
	assert_string_equal((char *)ram + bp->hdr.cmd_line_ptr,
			    "console=ttyS0");
	assert_int_equal(bp->ext_mem_k, 63 * 1024);
	assert_int_equal(bp->alt_mem_k, 63 * 1024);
	/* The GDT that the 32-bit boot protocol asks for. */
	assert_memory_equal(ram + BOOT_GDT + 16,
			    "\xff\xff\0\0\0\x9b\xcf\0\xff\xff\0\0\0\x93\xcf\0",
			    16);
	/* Nothing lies in another's place. */
	assert_true(BOOT_GDT + BOOT_GDT_BYTES <= BOOT_PARAMS);
	assert_true(BOOT_PARAMS + 4096 + 4096 <= BOOT_STACK);
	assert_true(BOOT_STACK <= bp->hdr.cmd_line_ptr);
	/* What follows the image in the file is not loaded. */
	image = realloc(image, BZ_SIZE + 100);
	memset(image + BZ_SIZE, 0xee, 100);
	load(image, BZ_SIZE + 100, "");
	assert_int_equal(ram[0x400000 + CODE], 0);
	free(image);
}

static void test_where_bzimages_go(void **state)
{
	static const struct {
		uint16_t version;
		uint8_t relocatable;
		uint32_t alignment;
		uint64_t pref;
		uint32_t eip;
	} cases[] = {
		{ 0x20f, 1, 0x200000, 0x400000, 0x400000 },
		{ 0x20f, 1, 0x1000000, 0x400000, 0x1000000 },
		{ 0x20f, 1, 0x1000, 0x400fff, 0x401000 },
		{ 0x20f, 1, 0x1000, 0, 0x100000 },
		{ 0x20f, 0, 0, 0x345678, 0x345678 },
		{ 0x20a, 1, 0x200000, 0x400000, 0x400000 },
		{ 0x209, 1, 0x200000, 0xffffffff, 0x200000 },
		{ 0x209, 0, 0x200000, 0xffffffff, 0x100000 },
		{ 0x205, 0, 0, 0, 0x100000 },
	};
	unsigned int i;

	(void)state;
	need_ram(64 * MB);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t *image = bzimage();

		header(image)->version = cases[i].version;
		header(image)->relocatable_kernel = cases[i].relocatable;
		header(image)->kernel_alignment = cases[i].alignment;
		header(image)->pref_address = cases[i].pref;
		assert_int_equal(load(image, BZ_SIZE, "").entry, cases[i].eip);
		assert_int_equal(ram[cases[i].eip + 1], code_byte(1));
		free(image);
	}
}

static void test_setup_sects_0_means_4(void **state)
{
	uint8_t *image = calloc(1, 5 * 512 + CODE), *small = bzimage();

	(void)state;
	need_ram(16 * MB);
	memcpy(image, small, SETUP);
	memset(image + 5 * 512, 0x5a, CODE);
	header(image)->setup_sects = 0;
	load(image, 5 * 512 + CODE, "");
	assert_int_equal(ram[0x400000], 0x5a);
	assert_int_equal(ram[0x400000 + CODE - 1], 0x5a);
	free(image);
	free(small);
}

/* The header is copied as far as its jump says, and no further. */
static void test_old_header_is_short(void **state)
{
	uint8_t *image = bzimage();
	struct loader_out out;

	(void)state;
	need_ram(64 * MB);
	header(image)->version = 0x206;
	header(image)->jump_offset = 0x3a;	/* up to cmdline_size */
	header(image)->payload_offset = 0xdead;
	out = load(image, BZ_SIZE, "");
	assert_int_equal(params()->hdr.cmdline_size, 2047);
	assert_int_equal(params()->hdr.payload_offset, 0);
	assert_int_equal(out.entry, 0x200000);
	free(image);
}

static void test_bad_bzimages(void **state)
{
	uint8_t *image = bzimage();
	struct setup_header good = *header(image), *h = header(image);

	(void)state;
	need_ram(16 * MB);
	load(image, BZ_SIZE - 1, "truncated: the header says 2176 bytes, "
	     "the file has 2175");
	load(image, 0x230, "truncated: 560 bytes, not even the setup header");
	load(image, 0x268, "truncated: the header says 2176 bytes, the file "
	     "has 616");
	load(image, 0x267, "truncated: 615 bytes, not even the setup header");
	load(image, 0x203, "not a kernel: neither bzImage nor ELF");
	load(image, 3, "not a kernel: neither bzImage nor ELF");
	assert_int_equal(load(image, 0, "empty").part, LOADER_KERNEL);
#define BAD(field, value, text) \
	do { \
		h->field = (value); \
		assert_int_equal(load(image, BZ_SIZE, text).part, \
				 LOADER_KERNEL); \
		*h = good; \
	} while (0)
	BAD(header, 0x12345678, "not a kernel: neither bzImage nor ELF");
	BAD(boot_flag, 0, "not a kernel: neither bzImage nor ELF");
	BAD(version, 0x204, "boot protocol 2.4, at least 2.5 is needed");
	BAD(loadflags, 0,
	    "a zImage, which loads below 1 MB; make a bzImage");
	BAD(kernel_alignment, 3,
	    "damaged: alignment 0x3 is not a power of two");
	BAD(kernel_alignment, 0x300000,
	    "damaged: alignment 0x300000 is not a power of two");
	BAD(kernel_alignment, 0,
	    "damaged: alignment 0x0 is not a power of two");
	BAD(pref_address, 0xffffffff00000000,
	    "damaged: wants to be loaded at 0xffffffff00000000");
	BAD(syssize, 0, "damaged: the header says that there is no code");
	BAD(syssize, 0xffffffff, "truncated: the header says 68719478256 "
	    "bytes, the file has 2176");
	BAD(jump_offset, 0x10, "damaged: the setup header has 33 bytes");
	h->xloadflags = XLF_KERNEL_64;
	BAD(syssize, 0x200 / 16,
	    "damaged: a 64-bit kernel of 512 bytes has no entry");
	/* Each field counts from the version that brought it. */
	h->version = 0x20a;
	h->pref_address = 0xc0000001;
	load(image, BZ_SIZE, "damaged: wants to be loaded at 0xc0000001");
	h->pref_address = 0xc0000000;
	load(image, BZ_SIZE, "needs 0xc0000000 to 0xc0200000, memory ends at "
	     "0x1000000: too small, 3074 MB are needed");
	*h = good;
	h->relocatable_kernel = 0;
	h->pref_address = 0xff000;
	assert_int_equal(load(image, BZ_SIZE, "wants to be loaded at 0xff000, "
			      "below 1 MB").part, LOADER_KERNEL);
	free(image);
}

static void test_elf(void **state)
{
	uint8_t *elf = elf32();
	const struct boot_params *bp;
	struct loader_out out;
	unsigned int i;

	(void)state;
	need_ram(8 * MB);
	memset(ram, 0xaa, 8 * MB);
	out = load(elf, ELF_SIZE, "");
	assert_int_equal(out.entry, 0x200010);
	for (i = 0; i < 128; i++) {
		assert_int_equal(ram[0x200000 + i], code_byte(i));
		assert_int_equal(ram[0x300000 + i], code_byte(128 + i));
	}
	assert_int_equal(ram[0x200080], 0xaa);
	for (i = 0x300080; i < 0x301000; i++)
		assert_int_equal(ram[i], 0);
	assert_int_equal(ram[0x301000], 0xaa);
	bp = params();
	assert_int_equal(bp->hdr.header, SETUP_MAGIC);
	assert_int_equal(bp->hdr.boot_flag, SETUP_BOOT_FLAG);
	assert_string_equal((char *)ram + bp->hdr.cmd_line_ptr,
			    "console=ttyS0");
	assert_int_equal(bp->e820_entries, 3);
	assert_int_equal(bp->hdr.cmdline_size, 65535);
	put32(elf + 24, 0x200000);
	assert_int_equal(load(elf, ELF_SIZE, "").entry, 0x200000);
	free(elf);
}

static void test_bad_elfs(void **state)
{
	uint8_t *good = elf32(), *elf = elf32();

	(void)state;
	need_ram(8 * MB);
	load(elf, 51, "truncated: 51 bytes, not even an ELF header");
	load(elf, 100, "truncated: 3 ELF headers from byte 52 on, the file has "
	     "100");
	load(elf, ELF_SIZE - 1, "truncated: an ELF segment has 128 bytes from "
	     "byte 276 on, the file has 403");
#define BAD_ELF(put, offset, value, text, which) \
	do { \
		put(elf + (offset), value); \
		assert_int_equal(load(elf, ELF_SIZE, text).part, which); \
		memcpy(elf, good, ELF_SIZE); \
	} while (0)
	BAD_ELF(put16, 4, 0x0102, "an ELF file for another machine, not x86",
		LOADER_KERNEL);
	BAD_ELF(put16, 4, 0x0201, "an ELF file for another machine, not x86",
		LOADER_KERNEL);
	BAD_ELF(put16, 18, 62, "an ELF file for another machine, not x86",
		LOADER_KERNEL);
	BAD_ELF(put16, 16, 1, "an ELF file of type 1, not an executable",
		LOADER_KERNEL);
	BAD_ELF(put16, 42, 33, "damaged: ELF program headers of 33 bytes",
		LOADER_KERNEL);
	BAD_ELF(put16, 44, 0xffff, "truncated: 65535 ELF headers from byte "
		"52 on, the file has 404", LOADER_KERNEL);
	BAD_ELF(put32, 28, 0xffffffff, "truncated: 3 ELF headers from byte "
		"4294967295 on, the file has 404", LOADER_KERNEL);
	BAD_ELF(put32, 24, 0x200080, "the entry 0x200080 is in no segment (by "
		"physical address)", LOADER_KERNEL);
	BAD_ELF(put32, 24, 0x1fffff, "the entry 0x1fffff is in no segment (by "
		"physical address)", LOADER_KERNEL);
	BAD_ELF(put16, 44, 0, "the entry 0x200010 is in no segment (by "
		"physical address)", LOADER_KERNEL);
	BAD_ELF(put32, ELF_SEGMENT(2) + 4, 0xffffffff, "truncated: an ELF "
		"segment has 128 bytes from byte 4294967295 on, the file has 404",
		LOADER_KERNEL);
	BAD_ELF(put32, ELF_SEGMENT(2) + 20, 127, "damaged: an ELF segment of "
		"127 bytes holds 128", LOADER_KERNEL);
	BAD_ELF(put32, ELF_SEGMENT(2) + 12, 0x9f000, "wants to be loaded at "
		"0x9f000, below 1 MB", LOADER_KERNEL);
	BAD_ELF(put32, ELF_SEGMENT(2) + 12, 0x7ff001, "needs 0x7ff001 to "
		"0x800001, memory ends at 0x800000: too small, 9 MB are "
		"needed", LOADER_KERNEL);
	BAD_ELF(put32, ELF_SEGMENT(2) + 20, 0xffffffff, "needs 0x300000 to "
		"0x1002fffff, memory ends at 0x800000: too small, 4099 MB are "
		"needed", LOADER_KERNEL);
	free(good);
	free(elf);
}

/* ---- 64-bit kernels -------------------------------------------------------- */

static uint64_t word(uint64_t at)
{
	uint64_t w;

	assert_true(at + 8 <= ram_size);
	memcpy(&w, ram + at, 8);
	return w;
}

/* What the boot protocol asks for, and nothing else has a place there. */
static void check_wide_start(void)
{
	uint64_t va, e;

	assert_true(BOOT_STACK <= BOOT_TABLES);
	assert_true(BOOT_TABLES_END <= params()->hdr.cmd_line_ptr);
	assert_memory_equal(ram + BOOT_GDT + 16,
			    "\xff\xff\0\0\0\x9b\xaf\0\xff\xff\0\0\0\x93\xcf\0",
			    16);
	for (va = 0; va < 4ull << 30; va += 2 * MB) {
		e = word(BOOT_TABLES);
		assert_int_equal(e & 0xfff, 3);
		e = word((e & ~0xfffull) + (va >> 30) * 8);
		assert_int_equal(e & 0xfff, 3);
		assert_in_range(e & ~0xfffull, BOOT_TABLES,
				BOOT_TABLES_END - 4096);
		assert_true(word((e & ~0xfffull) + (va >> 21 & 511) * 8) ==
			    (va | 0x83));
	}
	for (va = 1; va < 512; va++)
		assert_true(!word(BOOT_TABLES + va * 8));
	for (va = 4; va < 512; va++)
		assert_true(!word(BOOT_TABLES + 4096 + va * 8));
	assert_int_equal(ram[BOOT_TABLES - 1], 0xaa);
	assert_int_equal(ram[BOOT_TABLES_END], 0xaa);
}

static void test_bzimage64(void **state)
{
	uint8_t *image = bzimage();
	struct loader_out out;

	(void)state;
	need_ram(64 * MB);
	memset(ram, 0xaa, 1 * MB);
	header(image)->version = 0x20b;	/* the flag has no meaning yet */
	header(image)->xloadflags = XLF_KERNEL_64;
	out = load(image, BZ_SIZE, "");
	assert_false(out.wide);
	assert_int_equal(out.entry, 0x400000);
	assert_int_equal(ram[BOOT_TABLES], 0xaa);
	header(image)->version = 0x20c;
	out = load(image, BZ_SIZE, "");
	assert_true(out.wide);
	assert_int_equal(out.entry, 0x400200);
	assert_int_equal(ram[0x400200], code_byte(0x200));
	assert_int_equal(params()->hdr.code32_start, 0x400000);
	check_wide_start();
	free(image);
}

static void test_elf64(void **state)
{
	uint8_t *elf = elf64();
	struct loader_out out;
	unsigned int i;

	(void)state;
	need_ram(8 * MB);
	memset(ram, 0xaa, 8 * MB);
	out = load(elf, ELF64_SIZE, "");
	assert_true(out.wide);
	assert_int_equal(out.entry, 0x200010);
	for (i = 0; i < 128; i++) {
		assert_int_equal(ram[0x200000 + i], code_byte(i));
		assert_int_equal(ram[0x300000 + i], code_byte(128 + i));
	}
	assert_int_equal(ram[0x200080], 0xaa);
	for (i = 0x300080; i < 0x301000; i++)
		assert_int_equal(ram[i], 0);
	assert_int_equal(ram[0x301000], 0xaa);
	check_wide_start();
	free(elf);
}

static void test_bad_elf64s(void **state)
{
	uint8_t *good = elf64(), *elf = elf64();

	(void)state;
	need_ram(8 * MB);
	load(elf, 63, "truncated: 63 bytes, not even an ELF header");
	load(elf, 231, "truncated: 3 ELF headers from byte 64 on, the file has "
	     "231");
	load(elf, ELF64_SIZE - 1, "truncated: an ELF segment has 128 bytes from "
	     "byte 360 on, the file has 487");
#define BAD_ELF64(put, offset, value, text) \
	do { \
		memcpy(elf, good, ELF64_SIZE); \
		put(elf + (offset), value); \
		load(elf, ELF64_SIZE, text); \
	} while (0)
	BAD_ELF64(put16, 18, 183, "an ELF file for another machine, not x86");
	BAD_ELF64(put16, 16, 3, "an ELF file of type 3, not an executable");
	BAD_ELF64(put16, 54, 32, "damaged: ELF program headers of 32 bytes");
	/* 64 bits of address and size, whose sums wrap. */
	BAD_ELF64(put64, 32, UINT64_MAX - 55, "truncated: 3 ELF headers from byte "
		  "18446744073709551560 on, the file has 488");
	BAD_ELF64(put64, 24, 0x100200010, "the entry 0x100200010 is in no segment "
		  "(by physical address)");
	BAD_ELF64(put64, ELF64_SEGMENT(2) + 8, UINT64_MAX - 127, "truncated: an "
		  "ELF segment has 128 bytes from byte 18446744073709551488 on, "
		  "the file has 488");
	BAD_ELF64(put64, ELF64_SEGMENT(2) + 24, 0x100300000, "needs 0x100300000 "
		  "to 0x100301000, memory ends at 0x800000: too small, 4100 MB "
		  "are needed");
	BAD_ELF64(put64, ELF64_SEGMENT(2) + 24, UINT64_MAX - 0xfff, "damaged: an ELF "
		  "segment of 4096 bytes at 0xfffffffffffff000");
	BAD_ELF64(put64, ELF64_SEGMENT(2) + 40, UINT64_MAX, "damaged: an ELF "
		  "segment of 18446744073709551615 bytes at 0x300000");
	free(good);
	free(elf);
}

/*
 * Random damage: the answer is a kernel inside of memory or an error text,
 * and no access beyond a buffer on the way.
 */
static void hostile(uint8_t *good, uint64_t size, unsigned int interesting,
		    uint64_t seed)
{
	unsigned int accepted = 0, round;

	need_ram(8 * MB);
	for (round = 0; round < 30000; round++) {
		uint64_t r = unit_random(&seed);
		uint64_t len = r & 3 ? size : (r >> 32) % (size + 1);
		uint8_t *image = malloc(len ? len : 1);
		unsigned int n = (r >> 2) & 7;
		struct loader_in in = {
			.ram = ram, .ram_size = ram_size,
			.kernel = image, .kernel_size = len,
			.initrd = good, .initrd_size = r & 32 ? size : 1,
		};
		struct loader_out out;

		memcpy(image, good, len);
		while (len && n--) {
			uint64_t s = unit_random(&seed);
			uint64_t at = s & 1 ? (s >> 8) % len :
				interesting + (s >> 8) % 0x80;
			static const uint8_t extreme[4] = { 0, 1, 0x7f, 0xff };

			if (at < len)
				image[at] = s & 2 ? s >> 40 :
					extreme[(s >> 40) & 3];
		}
		if (loader_load(&in, &out)) {
			const struct setup_header *h = &params()->hdr;

			accepted++;
			assert_true(out.entry >= MB && out.entry < ram_size);
			assert_true(h->ramdisk_image >= MB &&
				    h->ramdisk_image + h->ramdisk_size <=
				    ram_size);
			assert_int_equal(out.error[0], 0);
			assert_memory_equal(ram + h->ramdisk_image, good,
					    h->ramdisk_size);
		} else {
			assert_in_range(strlen(out.error), 1,
					LOADER_ERROR_MAX - 1);
		}
		free(image);
	}
	/* The damage is not so heavy that it tests refusals alone. */
	assert_in_range(accepted, 1000, 29000);
}

static void test_hostile_bzimage(void **state)
{
	uint8_t *image = bzimage();

	(void)state;
	hostile(image, BZ_SIZE, SETUP_HEADER_OFFSET, 7);
	free(image);
}

static void test_hostile_elf(void **state)
{
	uint8_t *elf = elf32();

	(void)state;
	hostile(elf, ELF_SIZE, 16, 8);
	free(elf);
}

static void test_hostile_elf64(void **state)
{
	uint8_t *elf = elf64();

	(void)state;
	hostile(elf, ELF64_SIZE, 16, 9);
	free(elf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bzimage),
		cmocka_unit_test(test_where_bzimages_go),
		cmocka_unit_test(test_setup_sects_0_means_4),
		cmocka_unit_test(test_old_header_is_short),
		cmocka_unit_test(test_bad_bzimages),
		cmocka_unit_test(test_elf),
		cmocka_unit_test(test_bad_elfs),
		cmocka_unit_test(test_hostile_bzimage),
		cmocka_unit_test(test_hostile_elf),
		cmocka_unit_test(test_bzimage64),
		cmocka_unit_test(test_elf64),
		cmocka_unit_test(test_bad_elf64s),
		cmocka_unit_test(test_hostile_elf64),
	};

	return cmocka_run_group_tests_name("loader", tests, NULL, free_ram);
}

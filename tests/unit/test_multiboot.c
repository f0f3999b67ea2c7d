// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the boot loader says, whole and damaged. Memory of the machine ends
 * where the information of multiboot2 does, so that the address sanitizer sees
 * any look beyond it.
 */
#include <stdlib.h>

#include <cpu.h>

#include "metal.h"
#include "multiboot.h"
#include "unit.h"

#define MAGIC	0x2badb002u
#define MAGIC2	0x36d76289u
#define INFO	0x1000u			/* physical */
#define MB	(1ull << 20)

enum { END, CMDLINE, MODULE = 3, MMAP = 6, RSDP_OLD = 14, RSDP_NEW = 15 };

struct range {
	uint64_t	base, length;
	uint32_t	type, reserved;
};

static struct boot boot;
static uint8_t info[32768];		/* as it is built */
static uint32_t size;
static struct range added[256];
static uint32_t adds;

void memory_add(uint64_t start, uint64_t bytes)
{
	assert_true(adds < 256);
	added[adds++] = (struct range){ start, bytes, 0, 0 };
}

static void put(const void *data, uint32_t bytes)
{
	assert_true(size + bytes <= sizeof(info));
	memcpy(info + size, data, bytes);
	size += bytes;
}

static void put32(uint32_t word)
{
	put(&word, 4);
}

static void patch(uint32_t at, uint32_t word)
{
	memcpy(info + at, &word, 4);
}

/* ---- multiboot2 --------------------------------------------------------- */

static void begin(void)
{
	memset(info, 0xff, sizeof(info));
	size = 8;
}

/* Returns where it is. */
static uint32_t tag(uint32_t type, const void *data, uint32_t bytes)
{
	uint32_t at = size;

	put32(type);
	put32(8 + bytes);
	put(data, bytes);
	size = (size + 7) & -8;
	return at;
}

static uint32_t module(uint32_t start, uint32_t end, const char *string)
{
	uint8_t data[64];

	memcpy(data, &start, 4);
	memcpy(data + 4, &end, 4);
	strcpy((char *)data + 8, string);
	return tag(MODULE, data, 9 + strlen(string));
}

static uint32_t map(const struct range *range, uint32_t count)
{
	uint32_t at = size, i;

	put32(MMAP);
	put32(16 + count * sizeof(*range));
	put32(sizeof(*range));
	put32(0);
	for (i = 0; i < count; i++)
		put(range + i, sizeof(*range));
	return at;
}

static const char *read_at(uint32_t address, uint32_t bytes)
{
	free(machine_memory);
	machine_memory = malloc(address + bytes);
	memcpy(machine_memory + address, info, bytes);
	return multiboot_read(&boot, MAGIC2, address);
}

/* All that there is says that it has so many bytes. */
static const char *read_bytes(uint32_t bytes)
{
	patch(0, bytes);
	return read_at(INFO, bytes);
}

static const char *end(void)
{
	tag(END, "", 0);
	return read_bytes(size);
}

#define REFUSED(call, why) do {						\
		const char *wrong_ = (call);				\
									\
		assert_non_null(wrong_);				\
		assert_string_equal(wrong_, why);			\
	} while (0)

static void fine(const char *wrong)
{
	if (wrong)
		fail_msg("%s", wrong);
}

static void same_memory(const struct range *range, uint32_t count)
{
	uint32_t i;

	adds = 0;
	boot_memory(&boot, MB);
	for (i = 0; i < adds && i < count; i++) {
		assert_int_equal(added[i].base, range[i].base);
		assert_int_equal(added[i].length, range[i].length);
	}
	assert_int_equal(adds, count);
}

static const struct range ram[] = {
	{ 0, 0xa0000, 1, 0 },
	{ 0xf0000, 0x10000, 2, 0 },
	{ 1 * MB, 63 * MB, 1, 0 },
	{ 64 * MB, MB, 3, 0 },
	{ 65 * MB, MB, 1, 0 },
};

static const uint8_t rsdp[36] = "RSD PTR ";

/* Where its tags are. */
static struct {
	uint32_t	cmdline, module, map, old;
} at;

static void build(void)
{
	begin();
	at.cmdline = tag(CMDLINE, "one two", 8);
	at.module = module(2 * MB, 2 * MB + 5000, "first");
	module(32 * MB, 33 * MB, "");
	tag(1234, "an unknown tag", 14);
	at.map = map(ram, 5);
	at.old = tag(RSDP_OLD, rsdp, 20);
}

static void test_multiboot2(void **state)
{
	static const struct range free_ram[] = {
		{ 1 * MB, MB, 1, 0 },
		{ 2 * MB + 5000, 30 * MB - 5000, 1, 0 },
		{ 33 * MB, 31 * MB, 1, 0 },
		{ 65 * MB, MB, 1, 0 },
	};

	(void)state;
	build();
	fine(end());
	assert_string_equal(boot.cmdline, "one two");
	assert_int_equal(boot.modules, 2);
	assert_int_equal(boot.module[0].start, 2 * MB);
	assert_int_equal(boot.module[0].end, 2 * MB + 5000);
	assert_string_equal(boot.module[0].string, "first");
	assert_int_equal(boot.module[1].start, 32 * MB);
	assert_int_equal(boot.module[1].end, 33 * MB);
	assert_string_equal(boot.module[1].string, "");
	assert_int_equal(boot.rsdp, INFO + at.old + 8);
	same_memory(free_ram, 4);
}

static void test_nothing_told(void **state)
{
	(void)state;
	begin();
	fine(end());
	assert_string_equal(boot.cmdline, "");
	assert_int_equal(boot.modules, 0);
	assert_int_equal(boot.rsdp, 0);
	same_memory(NULL, 0);
}

static void test_rsdp(void **state)
{
	uint32_t new;

	(void)state;
	begin();
	new = tag(RSDP_NEW, rsdp, 36);
	tag(RSDP_OLD, rsdp, 20);
	fine(end());
	assert_int_equal(boot.rsdp, INFO + new + 8);
	begin();
	tag(RSDP_OLD, rsdp, 20);
	new = tag(RSDP_NEW, rsdp, 36);
	fine(end());
	assert_int_equal(boot.rsdp, INFO + new + 8);
	begin();
	tag(RSDP_OLD, rsdp, 19);
	REFUSED(end(), "the RSDP is too short");
	begin();
	tag(RSDP_NEW, rsdp, 35);
	REFUSED(end(), "the RSDP is too short");
}

/* The information itself is in RAM, and nobody else gets it. */
static void test_information(void **state)
{
	struct range free_ram[2];

	(void)state;
	begin();
	map(&(struct range){ 0, 4 * MB, 1, 0 }, 1);
	tag(END, "", 0);
	patch(0, size);
	fine(read_at(2 * MB, size));
	free_ram[0] = (struct range){ MB, MB, 1, 0 };
	free_ram[1] = (struct range){ 2 * MB + size, 2 * MB - size, 1, 0 };
	same_memory(free_ram, 2);
	REFUSED(read_at(2 * MB + 4, size), "the information is not aligned");
}

static void test_truncated(void **state)
{
	uint32_t bytes, whole;

	(void)state;
	build();
	fine(end());
	whole = size;
	for (bytes = 8; bytes < whole; bytes++)
		assert_non_null(read_bytes(bytes));
	/* It says that it has less than its first words. */
	patch(0, 0);
	REFUSED(read_at(INFO, 8), "the information has no end");
}

static void test_tag_sizes(void **state)
{
	static const uint32_t wrong[] = {
		0, 1, 7, 0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff
	};
	uint32_t i;

	(void)state;
	for (i = 0; i < 7; i++) {
		build();
		patch(at.module + 4, wrong[i]);
		REFUSED(end(), "a tag has a wrong size");
	}
	/* One that the last tag is a part of. */
	build();
	patch(at.old + 4, 20 + 8 + 4 + 8);
	REFUSED(end(), "the information has no end");
}

static void test_strings(void **state)
{
	(void)state;
	build();
	info[at.cmdline + 8 + 7] = 'x';
	REFUSED(end(), "the command line has no end");
	build();
	patch(at.cmdline + 4, 8);
	REFUSED(end(), "the command line has no end");
	build();
	info[at.module + 16 + 5] = 'x';
	REFUSED(end(), "a module's string has no end");
	build();
	patch(at.module + 4, 16);
	REFUSED(end(), "a module's string has no end");
	build();
	patch(at.module + 4, 9);
	REFUSED(end(), "a module's string has no end");
}

static void test_modules(void **state)
{
	uint32_t i;

	(void)state;
	begin();
	module(2 * MB, 2 * MB - 1, "");
	REFUSED(end(), "a module ends before it starts");
	begin();
	for (i = 0; i < BOOT_MODULES; i++)
		module(2 * MB, 2 * MB, "empty");
	fine(end());
	assert_int_equal(boot.modules, BOOT_MODULES);
	begin();
	for (i = 0; i < BOOT_MODULES + 1; i++)
		module(2 * MB, 2 * MB, "empty");
	REFUSED(end(), "too many modules");
}

static void test_map(void **state)
{
	static const uint32_t wrong[] = { 0, 8, 16, 23, 25, 28, 0xfffffffc };
	const struct range *r = ram + 2;
	uint32_t i;

	(void)state;
	for (i = 0; i < 7; i++) {
		begin();
		patch(map(ram, 5) + 8, wrong[i]);
		REFUSED(end(), "a range of the memory map has a wrong size");
	}
	begin();
	patch(map(ram, 5) + 4, 15);
	REFUSED(end(), "a range of the memory map has a wrong size");
	/* Of a later version, each with more words: 0, which is none, and 2. */
	begin();
	patch(map(ram, 4) + 8, 48);
	fine(end());
	same_memory(r, 1);
	/* No whole range is in it. */
	begin();
	patch(map(ram, 5) + 8, 0xfffffff8);
	fine(end());
	same_memory(NULL, 0);
	begin();
	for (i = 0; i <= BOOT_RANGES; i++)
		map(r, 1);
	REFUSED(end(), "too many ranges of memory");
}

/* ---- which memory is free ------------------------------------------------- */

static void with_map(const struct range *range, uint32_t count)
{
	begin();
	map(range, count);
	fine(end());
}

static void test_huge(void **state)
{
	static const struct range all[] = { { 0, UINT64_MAX, 1, 0 } };
	static const struct range wraps[] = {
		{ 2 * MB, UINT64_MAX, 1, 0 },
		{ 3 * MB, UINT64_MAX - MB, 2, 0 },
		{ UINT64_MAX, 1, 1, 0 }, { UINT64_MAX, UINT64_MAX, 1, 0 },
		{ DIRECT_SIZE, DIRECT_SIZE, 1, 0 },
	};

	(void)state;
	with_map(all, 1);
	same_memory(&(struct range){ MB, DIRECT_SIZE - MB, 1, 0 }, 1);
	with_map(wraps, 5);
	same_memory(&(struct range){ 2 * MB, MB, 1, 0 }, 1);
}

#define SPACE	96u

/* Each byte that is RAM and nothing else, once. */
static void test_overlaps(void **state)
{
	uint64_t seed = 20261127;
	uint32_t round, count, i, b;

	(void)state;
	for (round = 0; round < 20000; round++) {
		uint8_t is_ram[SPACE] = { 0 }, taken[SPACE] = { 0 };
		uint8_t given[SPACE] = { 0 };
		uint64_t from = unit_random(&seed) % SPACE;

		boot.ranges = count = unit_random(&seed) % 12;
		for (i = 0; i < count; i++) {
			struct boot_range *r = &boot.range[i];

			r->start = unit_random(&seed) % SPACE;
			r->end = r->start + 1 +
				 unit_random(&seed) % (SPACE - r->start);
			r->is_ram = unit_random(&seed) & 1;
			memset((r->is_ram ? is_ram : taken) + r->start, 1,
			       r->end - r->start);
		}
		adds = 0;
		boot_memory(&boot, from);
		for (i = 0; i < adds; i++)
			for (b = 0; b < added[i].length; b++)
				given[added[i].base + b]++;
		for (b = 0; b < SPACE; b++)
			assert_int_equal(given[b], b >= from && is_ram[b] &&
					 !taken[b]);
	}
}

/* ---- whatever it is ------------------------------------------------------- */

static void test_damaged(void **state)
{
	uint64_t seed = 20261128, r;
	uint8_t whole[1024];
	uint32_t bytes, i, n, accepted = 0;

	(void)state;
	build();
	fine(end());
	bytes = size;
	assert_true(bytes <= sizeof(whole));
	memcpy(whole, info, bytes);
	for (i = 0; i < 50000; i++) {
		memcpy(info, whole, bytes);
		for (n = unit_random(&seed) % 4 + 1; n; n--) {
			r = unit_random(&seed);
			info[8 + (r >> 32) % (bytes - 8)] = r & 3 ? r >> 8 : 0;
		}
		if (read_at(INFO, bytes))
			continue;
		accepted++;
		adds = 0;
		boot_memory(&boot, MB);
		for (n = 0; n < boot.modules; n++)
			assert_true(boot.module[n].start <= boot.module[n].end);
		for (n = 0; n < adds; n++)
			assert_true(added[n].base >= MB && added[n].length <=
				    DIRECT_SIZE - added[n].base);
	}
	assert_in_range(accepted, 1000, 49000);
}

/* ---- multiboot ---------------------------------------------------------- */

/* At INFO; what it points to follows. Its own words are 52 bytes. */
enum { CMDLINE1 = 52, STRING1 = 56, MODULES1 = 64, MAP1 = 96, END1 = 148 };

static void build1(void)
{
	static const uint32_t words[13] = {
		1 << 2 | 1 << 3 | 1 << 6, 640, 1024, 0, INFO + CMDLINE1,
		2, INFO + MODULES1, 0, 0, 0, 0, END1 - MAP1, INFO + MAP1
	};

	size = 0;
	memset(info, 0xff, sizeof(info));
	put(words, sizeof(words));
	put("one\0first\0.", 12);
	put32(2 * MB), put32(2 * MB + 5000), put32(INFO + STRING1), put32(0);
	put32(3 * MB), put32(3 * MB + 1), put32(INFO + CMDLINE1 + 3), put32(0);
	put32(20), put(&ram[2].base, 8), put(&ram[2].length, 8), put32(1);
	put32(24), put(&ram[3].base, 8), put(&ram[3].length, 8), put32(3);
	put32(0);
	assert_int_equal(size, END1);
}

static const char *read1(void)
{
	free(machine_memory);
	machine_memory = malloc(INFO + size);
	memcpy(machine_memory + INFO, info, size);
	return multiboot_read(&boot, MAGIC, INFO);
}

static void test_multiboot(void **state)
{
	static const struct range free_ram[] = {
		{ MB, MB, 1, 0 }, { 2 * MB + 5000, MB - 5000, 1, 0 },
		{ 3 * MB + 1, 61 * MB - 1, 1, 0 },
	};

	(void)state;
	build1();
	fine(read1());
	assert_string_equal(boot.cmdline, "one");
	assert_int_equal(boot.modules, 2);
	assert_int_equal(boot.module[0].start, 2 * MB);
	assert_int_equal(boot.module[0].end, 2 * MB + 5000);
	assert_string_equal(boot.module[0].string, "first");
	assert_string_equal(boot.module[1].string, "");
	assert_int_equal(boot.rsdp, 0);
	same_memory(free_ram, 3);
	/* The pieces of the information. */
	boot.range[boot.ranges++] = (struct boot_range){ 0, MB, true };
	adds = 0;
	boot_memory(&boot, INFO);
	assert_int_equal(added[adds - 1].base + added[adds - 1].length, MB);
	assert_int_equal(added[adds - 1].base, INFO + END1);
	assert_int_equal(added[adds - 2].base, INFO + STRING1 + 6);
	assert_int_equal(added[adds - 2].length, 2);
	assert_true(added[adds - 3].base >= MB);
}

static void test_multiboot_nothing_told(void **state)
{
	(void)state;
	build1();
	patch(0, 0);
	fine(read1());
	assert_string_equal(boot.cmdline, "");
	assert_int_equal(boot.modules, 0);
	same_memory(NULL, 0);
}

static void test_multiboot_wrong(void **state)
{
	static const uint32_t wrong[] = {
		0, 19, 49, 0x7fffffff, 0xfffffffb, 0xfffffffc, 0xffffffff
	};
	uint32_t i;

	(void)state;
	for (i = 0; i < 7; i++) {
		build1();
		patch(MAP1, wrong[i]);
		REFUSED(read1(), "a range of the memory map has a wrong size");
	}
	build1();
	patch(MAP1 + 24, 16);
	REFUSED(read1(), "a range of the memory map has a wrong size");
	build1();
	patch(11 * 4, 30);
	size = MAP1 + 30;
	REFUSED(read1(), "the memory map ends within a range");
	build1();
	patch(MODULES1, 2 * MB + 5001);
	REFUSED(read1(), "a module ends before it starts");
	build1();
	assert_string_equal(multiboot_read(&boot, 0, INFO),
			    "it speaks no multiboot");
}

static int teardown(void **state)
{
	(void)state;
	free(machine_memory);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_multiboot2),
		cmocka_unit_test(test_nothing_told),
		cmocka_unit_test(test_rsdp),
		cmocka_unit_test(test_information),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_tag_sizes),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_modules),
		cmocka_unit_test(test_map),
		cmocka_unit_test(test_huge),
		cmocka_unit_test(test_overlaps),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_multiboot),
		cmocka_unit_test(test_multiboot_nothing_told),
		cmocka_unit_test(test_multiboot_wrong),
	};

	return cmocka_run_group_tests_name("multiboot", tests, NULL, teardown);
}

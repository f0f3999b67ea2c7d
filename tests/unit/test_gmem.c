// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of the machine, and guest memory made of it: from several ranges,
 * with the hole of a PC below 4 GB.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include <cpu.h>

#include "hv.h"
#include "loader.h"
#include "memory.h"
#include "unit.h"

#define GB	(1ull << 30)
#define MB	(1ull << 20)

uint32_t copy_fixup(void *dst, const void *src, uint32_t len)
{
	(void)dst, (void)src;
	return len;
}

void panic_at(const char *file, int line, const char *fmt, ...)
{
	fail_msg("panic at %s:%d: %s", file, line, fmt);
	__builtin_unreachable();
}

/* Physical memory costs nothing until it is touched; memory.c clears all that
 * it hands out, which is not needed here. */
void *__wrap_memset(void *dst, int c, size_t n);
void *__real_memset(void *dst, int c, size_t n);
void *__wrap_memset(void *dst, int c, size_t n)
{
	return c ? __real_memset(dst, c, n) : dst;
}

static int setup(void **state)
{
	unsigned int i;

	(void)state;
	machine_memory = mmap(NULL, DIRECT_SIZE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
			      0);
	assert_true(machine_memory != MAP_FAILED);
	/* Nothing is left of what a test before took. */
	for (i = 0; i < MEMORY_RANGES; i++)
		while (memory_alloc(MB, 4096) || memory_alloc(4096, 4096))
			;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	munmap(machine_memory, DIRECT_SIZE);
	return 0;
}

static void test_ranges(void **state)
{
	(void)state;
	memory_add(0x201000, 3 * MB);
	memory_add(5 * GB, 64 * MB);
	memory_add(0x9000000, 16 * MB);
	/* Aligned, from the first where it fits. */
	assert_int_equal(va_to_pa(memory_alloc(4096, 2 * MB)), 0x400000);
	assert_int_equal(va_to_pa(memory_alloc(4096, 4096)), 0x401000);
	assert_int_equal(va_to_pa(memory_alloc(2 * MB, 2 * MB)), 5 * GB);
	assert_int_equal(va_to_pa(memory_alloc(62 * MB, 4096)),
			 5 * GB + 2 * MB);
	assert_int_equal(va_to_pa(memory_alloc(16 * MB, 4096)), 0x9000000);
	assert_null(memory_alloc(2 * MB, 4096));
	assert_null(memory_alloc(UINT64_MAX - 4095, 4096));
	assert_int_equal(va_to_pa(memory_alloc(65536, 4096)), 0x402000);
}

/* Of too many ranges the largest stay. */
static void test_many_ranges(void **state)
{
	uint64_t i;

	(void)state;
	for (i = 0; i < 3 * MEMORY_RANGES; i++)
		memory_add(GB + i * 16 * MB, (i + 1) * 4096);
	for (i = 3 * MEMORY_RANGES; i-- > 2 * MEMORY_RANGES;)
		assert_int_equal(va_to_pa(memory_alloc((i + 1) * 4096, 4096)),
				 GB + i * 16 * MB);
	assert_null(memory_alloc(4096, 4096));
}

/* Each frame that should be there is, once, aligned like its number. */
static void check(const struct gmem *m, uint64_t bytes)
{
	uint8_t *taken = calloc(DIRECT_SIZE >> PAGE_SHIFT, 1);
	uint64_t gfn, there = 0, leaf;

	for (gfn = 0; gfn < m->nframes + 512u; gfn++) {
		gpa_t gpa = gfn << PAGE_SHIFT;
		bool ram = gpa < GMEM_LOW_END ? gpa < bytes :
			   gpa >= GMEM_HIGH &&
			   gpa - GMEM_HIGH + GMEM_LOW_END < bytes;

		leaf = gmem_leaf(m, gfn);
		assert_int_equal(!!leaf, ram);
		assert_int_equal(!!gmem_table(m, gfn, 0), ram);
		if (!ram) {
			assert_false(gmem_large(m, gfn));
			continue;
		}
		there++;
		assert_int_equal(leaf & GMEM_RIGHTS, GMEM_RIGHTS);
		assert_int_equal(gfn % 512, (leaf >> PAGE_SHIFT) % 512);
		assert_false(taken[leaf >> PAGE_SHIFT]++);
		if (gpa < m->ram_bytes)
			assert_int_equal(leaf - GMEM_RIGHTS,
					 va_to_pa(m->ram) + gpa);
		if (gmem_large(m, gfn))
			assert_int_equal(gmem_leaf(m, gfn + 511),
					 leaf + 511 * PAGE_SIZE);
	}
	assert_int_equal(there << PAGE_SHIFT, bytes);
	free(taken);
}

static void test_one_piece(void **state)
{
	struct gmem m = { 0 };

	(void)state;
	memory_add(0x345000, GB);
	assert_true(gmem_init(&m, 63 * MB));
	assert_int_equal(m.ram_bytes, 63 * MB);
	check(&m, 63 * MB);
	assert_true(gmem_large(&m, 30 * 512));
	assert_false(gmem_large(&m, 31 * 512));	/* the last MB */
	assert_false(gmem_large(&m, 1));
}

static void test_hole(void **state)
{
	struct gmem m = { 0 };

	(void)state;
	_Static_assert(GMEM_LOW_END == LOADER_LOW_END &&
		       GMEM_HIGH == LOADER_HIGH, "one map");
	/* As QEMU's pc has it: no piece for the lower 3 GB. */
	memory_add(0x2345000, 3 * GB - 0x2345000);
	memory_add(4 * GB, 5 * GB / 2);
	assert_true(gmem_init(&m, 5 * GB + MB));
	assert_int_equal(m.ram_bytes, 3 * GB / 2);
	assert_int_equal(m.nframes, (6 * GB + MB) >> PAGE_SHIFT);
	check(&m, 5 * GB + MB);
	assert_false(gmem_leaf(&m, APIC_FRAME));
	assert_false(gmem_large(&m, (6 * GB) >> PAGE_SHIFT));
	/* What is left is not enough for another. */
	assert_false(gmem_init(&m, 5 * GB));
}

static void test_small_pieces(void **state)
{
	struct gmem m = { 0 };
	uint64_t i;

	(void)state;
	for (i = 0; i < 12; i++)
		memory_add(GB + i * 64 * MB + 4096, 8 * MB);
	assert_true(gmem_init(&m, 17 * MB));
	assert_in_range(m.ram_bytes, 4 * MB, 6 * MB);
	check(&m, 17 * MB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ranges, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_ranges, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_one_piece, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_hole, setup, teardown),
		cmocka_unit_test_setup_teardown(test_small_pieces, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

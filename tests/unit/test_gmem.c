// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of the machine, and guest memory made of it: from several ranges,
 * with the hole of a PC below 4 GB.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include <cpu.h>

#include "shadow.h"
#include "core.h"
#include "log.h"
#include "loader.h"
#include "metal.h"
#include "unit.h"

#define GB	(1ull << 30)
#define MB	(1ull << 20)

uint32_t copy_fixup(void *dst, const void *src, uint32_t len)
{
	(void)dst, (void)src;
	return len;
}

bool long_read(struct mmu *m, void *dst, gva_t va, uint32_t len)
{
	(void)m, (void)dst, (void)va, (void)len;
	return false;
}

bool long_write(struct mmu *m, gva_t va, const void *src, uint32_t len)
{
	(void)m, (void)va, (void)src, (void)len;
	return false;
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
	(void)state;
	machine_memory = mmap(NULL, DIRECT_SIZE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
			      0);
	assert_true(machine_memory != MAP_FAILED);
	assert_int_equal(host_pages_left(), 0);
	return 0;
}

/* Nothing is left for the next test. */
static int teardown(void **state)
{
	uint64_t size;

	(void)state;
	for (size = 4 * GB; size >= 4096; size /= 2)
		while (host_pages(size, 4096))
			;
	munmap(machine_memory, DIRECT_SIZE);
	return 0;
}

static void test_ranges(void **state)
{
	(void)state;
	memory_add(0x201000, 3 * MB);
	memory_add(5 * GB, 64 * MB);
	memory_add(0x9000000, 16 * MB);
	assert_int_equal(host_pages_left(), 83 * MB);
	/* Aligned, from the first where it fits. */
	assert_int_equal(host_pa(host_pages(4096, 2 * MB)), 0x400000);
	assert_int_equal(host_pa(host_pages(2 * MB, 4096)), 0x9000000);
	assert_int_equal(host_pa(host_pages(2 * MB, 2 * MB)), 0x9200000);
	assert_int_equal(host_pa(host_pages(62 * MB, 4096)), 5 * GB);
	/* What an alignment has left out is not lost. */
	assert_int_equal(host_pa(host_pages(4096, 4096)), 0x201000);
	assert_int_equal(host_pa(host_pages(1, 4096)), 0x202000);
	assert_null(host_pages(12 * MB + 1, 4096));
	assert_null(host_pages(UINT64_MAX - 4095, 4096));
	assert_null(host_pages(UINT64_MAX, 4096));
	assert_int_equal(host_pa(host_pages(12 * MB, 4096)), 0x9400000);
	assert_int_equal(host_pages_left(), 83 * MB - 78 * MB - 3 * 4096);
}

/* The parts of pages that a loader tells of are of no use. */
static void test_parts_of_pages(void **state)
{
	(void)state;
	memory_add(0x201001, 4095);
	memory_add(0x300001, 2 * 4096);
	memory_add(0x500000, 4095);
	assert_int_equal(host_pages_left(), 4096);
	assert_int_equal(host_pa(host_pages(4096, 4096)), 0x301000);
}

/* Whatever is taken and given back in whatever order: no two have the same, and
 * in the end it is one piece again. */
static void test_give_back(void **state)
{
	static struct { uint8_t *at; uint64_t bytes; } taken[64];
	uint64_t seed = 1, used = 0;
	unsigned int i, j, n;

	(void)state;
	memory_add(GB, 64 * MB);
	for (n = 0; n < 20000; n++) {
		i = unit_random(&seed) % 64;
		if (taken[i].at) {
			host_pages_free(taken[i].at, taken[i].bytes);
			used -= (taken[i].bytes + 4095) & -4096ull;
			taken[i].at = NULL;
		} else {
			uint64_t align = 4096ull << unit_random(&seed) % 10;

			taken[i].bytes = 1 + unit_random(&seed) % (2 * MB);
			taken[i].at = host_pages(taken[i].bytes, align);
			if (!taken[i].at)
				continue;
			assert_int_equal(host_pa(taken[i].at) % align, 0);
			used += (taken[i].bytes + 4095) & -4096ull;
			for (j = 0; j < 64; j++)
				assert_true(j == i || !taken[j].at ||
					    taken[j].at >= taken[i].at +
					    taken[i].bytes ||
					    taken[i].at >= taken[j].at +
					    taken[j].bytes);
		}
		assert_int_equal(host_pages_left(), 64 * MB - used);
	}
	for (i = 0; i < 64; i++)
		host_pages_free(taken[i].at, taken[i].bytes);
	assert_int_equal(host_pages_left(), 64 * MB);
	assert_int_equal(host_pa(host_pages(64 * MB, 4096)), GB);
	assert_int_equal(host_pages_left(), 0);
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
					 host_pa(m->ram) + gpa);
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

/* Across frames that lie apart, and not across what is absent. */
static void test_copies(void **state)
{
	static uint8_t out[3 * PAGE_SIZE], in[3 * PAGE_SIZE];
	const gpa_t at = 8 * MB - PAGE_SIZE - 7;
	struct gmem m = { 0 };
	uint32_t i;

	(void)state;
	for (i = 0; i < 12; i++)
		memory_add(GB + i * 64 * MB + 4096, 8 * MB);
	assert_true(gmem_init(&m, 17 * MB));
	for (i = 0; i < sizeof(out); i++)
		out[i] = i * 7 + i / 256;
	for (i = 0; i < 2 * PAGE_SIZE; i += 509) {
		assert_true(gmem_write(&m, at + i, out, sizeof(out) - i));
		memset(in, 0xff, sizeof(in));
		assert_true(gmem_read(&m, in, at + i, sizeof(out) - i));
		assert_memory_equal(in, out, sizeof(out) - i);
		assert_true(i || in[sizeof(in) - 1] != 0xff);
	}
	assert_true(gmem_write(&m, 17 * MB - 5, out, 5));
	assert_true(gmem_read(&m, in, 17 * MB, 0));
	assert_false(gmem_read(&m, in, 17 * MB - 5, 6));
	assert_false(gmem_write(&m, 17 * MB - 5, out + 100, 6));
	assert_true(gmem_read(&m, in, 17 * MB - 5, 5));
	assert_memory_equal(in, out, 5);
	assert_false(gmem_read(&m, in, 17 * MB - 5, UINT64_MAX));
	assert_false(gmem_read(&m, in, UINT64_MAX, 1));
	assert_false(gmem_read(&m, in, UINT64_MAX - 5000, 5000));
	/* The hole of a PC. */
	m.p2m[3] = 0;
	assert_false(gmem_read(&m, in, 2 * PAGE_SIZE, 2 * PAGE_SIZE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ranges, setup, teardown),
		cmocka_unit_test_setup_teardown(test_parts_of_pages, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_give_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_piece, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_hole, setup, teardown),
		cmocka_unit_test_setup_teardown(test_small_pieces, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_copies, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

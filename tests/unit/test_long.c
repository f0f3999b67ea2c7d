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

static void test_eight_vcpus(void **state)
{
	(void)state;
	random_updates(8);
}

/* ---- one thing after the other ------------------------------------------ */

#define VA	address(1, 2, 3, 4)

static int setup(void **state)
{
	(void)state;
	model_start(2, true);
	return 0;
}

/* Tables in frames 16 to 19, all rights, of page 100 at VA. */
static void map_one(void)
{
	*entry(16, 1) = 17 << 12 | A | U | W | P;
	*entry(17, 2) = 18 << 12 | A | U | W | P;
	*entry(18, 3) = 19 << 12 | A | U | W | P;
	*entry(19, 4) = 100 << 12 | A | D | U | W | P;
}

static void tell_all(void)
{
	uint32_t i;

	for (i = 0; i < 4; i++)
		long_page_table(mmu, 16 + i, true);
}

static bool leads_to(uint32_t frame)
{
	uint64_t pa;

	return cpu_allows(VA, 0, &pa) && pa == RAM_PA + (frame << 12);
}

/* What is told of is there at once, of whatever level; and a fault has the rest. */
static void test_entries_told_of(void **state)
{
	uint32_t i;

	(void)state;
	map_one();
	tell_all();
	do_access(VA, 0);
	assert_true(leads_to(100));
	*entry(19, 4) = 101 << 12 | A | D | U | W | P;
	assert_true(leads_to(100));
	long_entry_changed(mmu, 19 << 12 | 4 << 3);
	assert_true(leads_to(101));
	for (i = 0; i < 3; i++) {
		*entry(16 + i, 1 + i) ^= P;
		long_entry_changed(mmu, (16 + i) << 12 | (1 + i) << 3);
		assert_false(leads_to(101));
		*entry(16 + i, 1 + i) ^= P;
		long_entry_changed(mmu, (16 + i) << 12 | (1 + i) << 3);
		assert_true(leads_to(101));
	}
	/* Rights of each level, without a fault. */
	for (i = 0; i < 3; i++) {
		*entry(16 + i, 1 + i) ^= W;
		long_entry_changed(mmu, (16 + i) << 12 | (1 + i) << 3);
		assert_false(long_allows(mmu, VA, PF_W));
		assert_true(long_allows(mmu, VA, PF_U));
		*entry(16 + i, 1 + i) ^= W;
		long_entry_changed(mmu, (16 + i) << 12 | (1 + i) << 3);
		assert_true(long_allows(mmu, VA, PF_W));
	}
}

/* One entry told of makes it a table that is told of: what was known of it before
 * is forgotten, and what comes after outlives a flush. */
static void test_told_of_from_now_on(void **state)
{
	uint32_t i;

	(void)state;
	map_one();
	do_access(VA, 0);
	*entry(19, 4) = 101 << 12 | A | D | U | W | P;
	for (i = 0; i < 4; i++)
		long_entry_changed(mmu, (16 + i) << 12 | 7 << 3);
	assert_false(leads_to(100));
	do_access(VA, 0);
	assert_true(leads_to(101));
	long_flush(mmu);
	assert_true(leads_to(101));
	/* Nobody tells any more. */
	for (i = 0; i < 4; i++) {
		do_access(VA, 0);
		long_page_table(mmu, 16 + i, false);
		assert_false(leads_to(101));
		do_access(VA, 0);
		long_flush(mmu);
		assert_false(leads_to(101));
		long_page_table(mmu, 16 + i, true);
	}
	check_pool();
}

/* What nobody tells of stays until INVLPG or a flush, of any level. */
static void test_entries_not_told_of(void **state)
{
	uint32_t i;

	(void)state;
	map_one();
	*entry(20, 1) = *entry(16, 1);
	*entry(20, 2) = *entry(17, 2);
	*entry(20, 3) = *entry(18, 3);
	*entry(20, 4) = 101 << 12 | A | U | W | P;
	do_access(VA, 0);
	assert_true(leads_to(100));
	for (i = 1; i < 4; i++) {
		do_access(VA, 0);
		*entry(16 + i - 1, i) ^= P;
		assert_true(leads_to(100));
		long_inval(mmu, VA);
		assert_false(leads_to(100));
		*entry(16 + i - 1, i) ^= P;
		do_access(VA, 0);
	}
	/* Another table, another leaf. */
	*entry(18, 3) = 20 << 12 | A | U | W | P;
	long_inval(mmu, VA + 4096);
	do_access(VA, 0);
	assert_true(leads_to(101));
	*entry(20, 4) = 102 << 12 | A | U | W | P;
	long_inval(mmu, VA);
	assert_true(leads_to(102));
	*entry(20, 4) = 103 << 12 | A | U | W | P;
	long_flush(mmu);
	assert_false(leads_to(102));
	do_access(VA, 0);
	assert_true(leads_to(103));
}

/* The leaf is read again even of a table that is told of. */
static void test_inval_of_a_table_told_of(void **state)
{
	(void)state;
	map_one();
	tell_all();
	do_access(VA, 0);
	*entry(19, 4) = 101 << 12 | A | U | W | P;
	long_flush(mmu);
	assert_true(leads_to(100));
	long_inval(mmu, VA);
	assert_true(leads_to(101));
}

/* The check for tests sees what nobody told of, in a table that is told of. */
static void test_verify(void **state)
{
	static const uint64_t change[] = { P, A, W, U, D, NX, 1 << 12 };
	struct long_wrong w;
	uint32_t i, level;

	(void)state;
	map_one();
	tell_all();
	do_access(VA, PF_W);
	assert_true(long_verify(mmu, &w));
	for (level = 1; level < 5; level++)
		for (i = 0; i < ARRAY_SIZE(change); i++) {
			uint32_t frame = 20 - level, at = 5 - level;

			if (change[i] == D && level > 1)
				continue;
			*entry(frame, at) ^= change[i];
			assert_false(long_verify(mmu, &w));
			assert_int_equal(w.gfn, frame);
			assert_int_equal(w.level, level);
			assert_int_equal(w.i, at);
			*entry(frame, at) ^= change[i];
			assert_true(long_verify(mmu, &w));
		}
	/* Of large pages, whole or not. */
	for (i = 1; i < 4; i += 2) {
		*entry(18, 3) = i << 21 | PS | A | D | U | W | P;
		long_entry_changed(mmu, 18 << 12 | 3 << 3);
		do_access(VA, 0);
		assert_true(long_verify(mmu, &w));
		*entry(18, 3) ^= 1 << 21;
		assert_false(long_verify(mmu, &w));
		*entry(18, 3) ^= 1 << 21 | W;
		assert_false(long_verify(mmu, &w));
	}
}

/* Without EFER.NXE bit 63 is a reserved one, at each level. */
static void test_no_execute(void **state)
{
	uint32_t i;
	uint64_t pa;

	(void)state;
	map_one();
	tell_all();
	for (i = 0; i < 4; i++) {
		*entry(16 + i, 1 + i) |= NX;
		long_entry_changed(mmu, (16 + i) << 12 | (1 + i) << 3);
		do_access(VA, 0);
		do_access(VA, PF_I);
		assert_true(cpu_allows(VA, 0, &pa));
		assert_false(cpu_allows(VA, PF_I, &pa));
		long_set_mode(mmu, 0);
		assert_false(cpu_allows(VA, 0, &pa));
		do_access(VA, 0);
		assert_false(cpu_allows(VA, 0, &pa));
		long_entry_changed(mmu, (16 + i) << 12 | (1 + i) << 3);
		assert_false(cpu_allows(VA, 0, &pa));
		long_set_mode(mmu, EFER_NXE);
		*entry(16 + i, 1 + i) &= ~NX;
	}
}

/* A PML4 that names itself: each of its pages can be read at an address. */
static void test_recursion(void **state)
{
	const uint32_t self = 510;
	uint64_t pa;

	(void)state;
	map_one();
	*entry(16, self) = 16 << 12 | W | P;
	do_access(address(self, self, self, self), PF_W);
	assert_true(cpu_allows(address(self, self, self, self), PF_W, &pa));
	assert_int_equal(pa, RAM_PA + (16 << 12));
	do_access(address(self, self, self, 1), PF_W);
	do_access(address(self, self, 1, 2), PF_W);
	do_access(address(self, 1, 2, 3), PF_W);
	do_access(VA, PF_W | PF_U);
	assert_true(cpu_allows(address(self, 1, 2, 3), PF_W, &pa));
	assert_int_equal(pa, RAM_PA + (19 << 12));
	/* By the kernel, too, which reads what it has made of it. */
	*entry(16, self) = 16 << 12 | W | P;
	long_flush(mmu);
	do_copy(address(self, self, self, self) + self * 8, 8, false);
	assert_true(*entry(16, self) & A);
	check_pool();
}

/* The trampoline and the reserved top are what they are, whatever the guest has
 * there. */
static void test_what_is_ours(void **state)
{
	static const gva_t at[] = {
		LONG_TOP, LONG_TOP + 0x10000, -1ull,
		0xffff878000000000, 0xffff87ffffffffff,
	};
	uint32_t error, i;
	uint64_t pa, was, rights;
	gpa_t gpa;

	(void)state;
	mmu_reserved_map(mmu, 0x10000, host_va(0), 4096, W | A | D | P);
	for (i = 0; i < 512; i++)
		*entry(16, i) = 16 << 12 | A | D | U | W | P;
	tell_all();
	do_access(address(511, 511, 511, 510) - (2 << 20), PF_W | PF_U);
	do_access(address(511, 511, 510, 511), PF_W | PF_U);
	for (i = 0; i < ARRAY_SIZE(at); i++) {
		was = cpu_walk(mmu, at[i], &pa, &rights) ? pa : 0;
		error = PF_W | PF_U;
		assert_int_equal(long_fault(mmu, at[i], &error, &gpa),
				 FAULT_GUEST);
		assert_int_equal(error, PF_W | PF_U);
		assert_false(long_translate(mmu, at[i], &gpa));
		assert_false(long_allows(mmu, at[i], 0));
		assert_false(guest_read(mmu, &rights, at[i], 1));
		assert_false(guest_write(mmu, at[i], &rights, 1));
		long_inval(mmu, at[i]);
		assert_int_equal(cpu_walk(mmu, at[i], &pa, &rights) ? pa : 0,
				 was);
	}
	/* It sees that the page is there, and not for it. */
	error = PF_P | PF_U;
	assert_int_equal(long_fault(mmu, LONG_TOP, &error, &gpa), FAULT_GUEST);
	assert_int_equal(error, PF_P | PF_U);
	assert_true(cpu_walk(mmu, LONG_TOP + 0x10000, &pa, &rights));
	assert_int_equal(pa, 0);
	assert_int_equal(rights & (W | U), W);
	check_pool();
}

/* Each vCPU has its own shared area at one address, in one address space. */
static void test_shared_areas(void **state)
{
	uint64_t pa[2], rights;
	uint32_t i, n;

	(void)state;
	for (i = 0; i < 512; i++)
		*entry(16, i) = 16 << 12 | A | D | U | W | P;
	for (i = 0; i < 2; i++) {
		model_run(i);
		mmu_reserved_map(mmu, 0x10000, host_va(i << 12), 4096,
				 W | A | D | P);
		long_flush(mmu);
	}
	for (n = 0; n < 4; n++) {
		model_run(n % 2);
		/* The guest's own of that GB, at the same levels. */
		do_access(address(511, 511, 1, 1), PF_W);
		do_access(address(511, 1, 1, 1), PF_W);
		assert_true(cpu_walk(mmu, LONG_TOP + 0x10000, &pa[n % 2],
				     &rights));
		assert_int_equal(pa[n % 2], (n % 2) << 12);
		if (n == 2)
			long_page_table(mmu, 16, true);
		if (n == 3)
			long_page_table(mmu, 16, false);
	}
	check_pool();
}

/* Addresses that are not canonical are nobody's. */
static void test_not_canonical(void **state)
{
	static const gva_t at[] = {
		1ull << 47, 0xffff7fffffffffff, 1ull << 63, 1ull << 48,
	};
	uint8_t bytes[8];
	uint32_t i;
	gpa_t gpa;

	(void)state;
	for (i = 0; i < 512; i++)
		*entry(16, i) = 16 << 12 | A | D | U | W | P;
	for (i = 0; i < ARRAY_SIZE(at); i++) {
		assert_false(guest_read(mmu, bytes, at[i], 8));
		assert_false(guest_write(mmu, at[i], bytes, 8));
		assert_false(long_translate(mmu, at[i], &gpa));
	}
	assert_true(guest_read(mmu, bytes, (1ull << 47) - 8, 8));
	assert_false(guest_read(mmu, bytes, (1ull << 47) - 7, 8));
	assert_false(guest_read(mmu, bytes, -4ull, 8));
}

/* A write over two pages, of which the second may not be written: no byte is. */
static void test_nothing_half_written(void **state)
{
	const uint8_t *page = (const uint8_t *)entry(100, 0);

	(void)state;
	map_one();
	*entry(19, 5) = 101 << 12 | A | D | U | P;
	assert_false(guest_write(mmu, VA + 4092, "12345678", 8));
	assert_memory_equal(page + 4092, "\0\0\0\0", 4);
	*entry(19, 5) |= W;
	long_flush(mmu);
	assert_true(guest_write(mmu, VA + 4092, "12345678", 8));
	assert_memory_equal(page + 4092, "12345678", 8);
}

/* Of a large page that is not all there each page is what it is. */
static void test_large_pages(void **state)
{
	gva_t va = address(1, 2, 3, 0);
	uint64_t pa;
	uint32_t i;

	(void)state;
	map_one();
	*entry(18, 3) = 1 << 21 | PS | A | U | W | P;
	do_access(VA, PF_W);
	assert_true(cpu_allows(va + 0x1ff000, PF_W, &pa));
	assert_int_equal(pa, RAM_PA + 0x3ff000);
	/* Bit 12 there is one of PAT; and it is told of, so no fault is needed. */
	tell_all();
	do_access(VA, PF_W);
	*entry(18, 3) = 1 << 21 | 1 << 12 | PS | A | D | U | W | P;
	long_entry_changed(mmu, 18 << 12 | 3 << 3);
	assert_true(cpu_allows(va + 0x1fe000, PF_W, &pa));
	assert_int_equal(pa, RAM_PA + 0x3fe000);
	for (i = 0; i < 4; i++)
		long_page_table(mmu, 16 + i, false);
	/* The last one ends with the guest's memory. */
	*entry(18, 3) = 3 << 21 | PS | A | U | W | P;
	long_flush(mmu);
	do_access(VA, PF_W);
	do_access(va + 0x1ff000, 0);
	do_access(va + 0x1ff000, PF_W);
	assert_false(cpu_allows(va + 0x1ff000, PF_W, &pa));
	assert_true(cpu_allows(va + 0x1ff000, 0, &pa));
	/* One of 1 GB there is not. */
	*entry(17, 2) = PS | A | U | W | P;
	long_flush(mmu);
	do_access(VA, 0);
	assert_false(cpu_allows(VA, 0, &pa));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_updates),
		cmocka_unit_test(test_two_vcpus),
		cmocka_unit_test(test_eight_vcpus),
		cmocka_unit_test_setup(test_entries_told_of, setup),
		cmocka_unit_test_setup(test_told_of_from_now_on, setup),
		cmocka_unit_test_setup(test_entries_not_told_of, setup),
		cmocka_unit_test_setup(test_inval_of_a_table_told_of, setup),
		cmocka_unit_test_setup(test_verify, setup),
		cmocka_unit_test_setup(test_no_execute, setup),
		cmocka_unit_test_setup(test_recursion, setup),
		cmocka_unit_test_setup(test_what_is_ours, setup),
		cmocka_unit_test_setup(test_shared_areas, setup),
		cmocka_unit_test_setup(test_not_canonical, setup),
		cmocka_unit_test_setup(test_nothing_half_written, setup),
		cmocka_unit_test_setup(test_large_pages, setup),
	};

	return cmocka_run_group_tests_name("long", tests, NULL, NULL);
}

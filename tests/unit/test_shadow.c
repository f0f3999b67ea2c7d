// SPDX-License-Identifier: GPL-2.0-only
/*
 * The shadow tables: a guest that does anything at random, against the model of
 * shadow_model.h, and what becomes of tables that are told of, and of roots.
 */
#include "unit.h"
#include "shadow_model.h"

/* One page table in the current address space, mapping frame 100 at va. */
static void map_one(uint32_t va, uint32_t rights)
{
	*ram(16 << 12 | va >> 22 << 2) = 20 << 12 | P | W | U | A;
	*ram(20 << 12 | (va >> 12 & 1023) << 2) = 100 << 12 | rights;
	tell(16 << 12 | va >> 22 << 2);
	tell(20 << 12 | (va >> 12 & 1023) << 2);
}

static void random_updates(bool pae)
{
	uint64_t zaps = 0;
	uint32_t run, i;

	for (run = 0; run < 40; run++) {
		model_start(pae);
		v->verify = true;
		seed = run;
		for (i = 0; i < 2000; i++)
			random_step();
		zaps += g->mm.zaps;
	}
	/* The pool ran dry on the way. */
	assert_true(zaps > 40);
}

static void test_random_updates(void **state)
{
	(void)state;
	random_updates(false);
}

static void test_random_updates_pae(void **state)
{
	(void)state;
	random_updates(true);
}

/* Two vCPUs, in turn, in one address space or in two. */
static void two(bool pae)
{
	uint32_t kicks = 0, run, i;

	for (run = 0; run < 40; run++) {
		model_start_two(pae);
		v->verify = v->sibling->verify = run % 2;
		seed = run;
		for (i = 0; i < 2000; i++) {
			model_run(rnd(2));
			random_step();
		}
		kicks += model_kicks;
	}
	/* What was taken away was needed again. */
	assert_true(kicks > 40 || pae);
}

static void test_two_vcpus(void **state)
{
	(void)state;
	two(false);
}

static void test_two_vcpus_pae(void **state)
{
	(void)state;
	two(true);
}

/* By stores that nobody tells of: in tables that nobody has told of, each counts
 * when the vCPU flushes that has loaded them, by whomever. */
static void test_flush_of_another(void **state)
{
	struct mmu *other = &v->sibling->mmu;
	uint64_t pa;

	(void)state;
	*ram(18 << 12) = 21 << 12 | P | W | U | A;
	*ram(18 << 12 | 4) = P | W | U | A | D | PS;
	*ram(21 << 12) = 100 << 12 | P | W | U | A | D;
	*ram(21 << 12 | 4) = 101 << 12 | P | W | U | A | D;
	model_run(1);
	cr3_write(v, 18 << 12);
	do_access(0, true, true);
	do_access(0x1000, true, true);
	do_access(0x400000, true, true);

	model_run(0);
	*ram(21 << 12) = 102 << 12 | P | W | U | A | D;
	*ram(21 << 12 | 4) = 0;
	mmu_inval_other(mmu, other, 0);
	mmu_flush_others(mmu, 1u << other->nr);
	assert_false(other->inside);
	assert_int_equal(model_kicks, 1);
	model_run(1);
	assert_true(cpu_allows(0, true, true, &pa));
	assert_int_equal(pa, RAM_PA + (102 << 12));
	assert_true(cpu_allows(0x1000, true, true, &pa));

	model_run(0);
	*ram(18 << 12 | 4) = 0;
	mmu_forget_other(mmu, other);
	mmu_flush_others(mmu, 1u << other->nr);
	assert_int_equal(model_kicks, 2);
	model_run(1);
	assert_false(cpu_allows(0x1000, false, false, &pa));
	assert_false(cpu_allows(0x400000, false, false, &pa));

	/* Who has nothing wrong goes on, and so does who was not asked for. */
	model_run(0);
	mmu_forget_other(mmu, other);
	mmu_flush_others(mmu, 1u << other->nr);
	assert_true(other->inside);
	assert_int_equal(model_kicks, 2);
	map_one(0x400000, P | W | U | A | D);
	do_access(0x400000, false, false);
	map_one(0x400000, 0);
	queue_drain(v);
	assert_true(other->flush);
	mmu_flush_others(mmu, 1u << mmu->nr);
	assert_true(other->inside);
	mmu_flush_others(mmu, UINT32_MAX);
	assert_false(other->inside);
}

static void test_kernel_quarter_is_shared(void **state)
{
	struct mm *s = &g->mm;
	uint32_t a = 16 << 12, b = 17 << 12, pde = 768 << 2;
	uint64_t pa;

	(void)state;
	map_one(0xc0000000, P | W | A | D);
	*ram(b | pde) = *ram(a | pde);
	tell(b | pde);
	queue_drain(v);
	do_access(0xc0000000, true, false);
	cr3_write(v, b);
	do_access(0xc0000000, true, false);
	assert_ptr_equal(s->roots[g->mm.frames[16].root].pd[3],
			 s->roots[g->mm.frames[17].root].pd[3]);
	/* One takes its entry away: the other keeps it. */
	*ram(b | pde) = 0;
	tell(b | pde);
	queue_drain(v);
	assert_false(cpu_allows(0xc0000000, false, false, &pa));
	do_access(0xc0000000, false, false);
	check_all();
	cr3_write(v, a);
	do_access(0xc0000000, true, false);
	check_all();
	assert_ptr_not_equal(s->roots[g->mm.frames[16].root].pd[3],
			     s->roots[g->mm.frames[17].root].pd[3]);
}

/* One vCPU has changed its directory and not told of it yet. Just now another one,
 * that never said what this has said before, is equal to it. */
static void test_kernel_quarter_that_was_another(void **state)
{
	const uint32_t a = 16 << 12, b = 17 << 12, pde = 768 << 2;
	uint64_t pa;

	(void)state;
	*ram(a | pde) = P | W | A | D | PS;
	tell(a | pde);
	queue_drain(v);
	do_access(0xc0200000, true, false);
	*ram(b | pde) = 20 << 12 | P | W | A;
	tell(b | pde);
	*ram(20 << 12) = 100 << 12 | P | W | A | D;
	tell(20 << 12);
	queue_drain(v);
	cr3_write(v, b);
	model_run(1);
	*ram(a | pde) = 20 << 12 | P | W | A;
	model_run(0);
	do_access(0xc0000000, true, false);
	assert_ptr_equal(g->mm.roots[g->mm.frames[16].root].pd[3],
			 g->mm.roots[g->mm.frames[17].root].pd[3]);
	assert_false(cpu_allows(0xc0200000, false, false, &pa));
}

/* The guest tells of one of directory and table, and changes the other. */
static void test_untracked_is_forgotten_at_a_flush(void **state)
{
	const uint32_t i = wide ? 2 : 1;
	uint32_t told;
	uint64_t pa;

	(void)state;
	if (wide)
		tell_page(30, STUB_QP_ALLOC);
	for (told = 0; told < 2; told++) {
		tell_page(told ? 20 : 16, STUB_QP_ALLOC);
		tell_page(told ? 16 : 20, STUB_QP_RELEASE);
		queue_drain(v);
		put(16 << 12, i, 20 << 12 | P | W | U | A);
		put(20 << 12, 0, 100 << 12 | P | W | U | A | D);
		do_access(0x400000, true, true);
		if (told)
			put(16 << 12, i, 0);
		else
			put(20 << 12, 0, 0);
		mmu_flush(mmu);
		assert_false(cpu_allows(0x400000, false, false, &pa));
	}
}

/* A table of the guest's that was one with PAE, and now is one without. */
static void test_formats(void **state)
{
	const uint64_t flags = P | W | U | A | D;
	uint64_t pa;

	(void)state;
	tell_page(20, STUB_QP_ALLOC);
	put(16 << 12, 2, 20 << 12 | flags);
	put(20 << 12, 0, 100 << 12 | flags);
	put(20 << 12, 1, 101 << 12 | flags);
	do_access(0x400000, true, true);
	do_access(0x401000, true, true);
	wide = false;
	cr3_write(v, 16 << 12);
	put(16 << 12, 1, 20 << 12 | flags);
	set_mode(v->cr0, CR4_PSE, v->efer);
	do_access(0x400000, true, true);
	assert_false(cpu_allows(0x401000, false, false, &pa));
}

/* One more than there can be; a PDPT takes 32 bytes. */
static void test_many_address_spaces(void **state)
{
	uint32_t n;

	(void)state;
	for (n = 0; n < 2 * ROOTS; n++) {
		cr3_write(v, (40 + n / 128) << 12 | (n % 128) << 5);
		assert_ptr_not_equal(mmu->root, g->mm.roots);
		assert_int_equal(mmu->root->offset, (n % 128) << 5);
	}
}

static void test_release_of_the_current_directory(void **state)
{
	(void)state;
	map_one(0x400000, P | W | U | A | D);
	do_access(0x400000, true, true);
	tell_page(16, STUB_QP_RELEASE);
	tell_page(20, STUB_QP_RELEASE);
	queue_drain(v);
	check_all();
	do_access(0x400000, true, true);
}

/* Nobody remembers all links to it: none may lead anywhere, and the last one
 * that is taken away gives the page back. */
static void test_release_of_a_table_with_many_links(void **state)
{
	const struct mm *s = &g->mm;
	uint32_t i, free;
	uint64_t pa;

	(void)state;
	map_one(0x400000, P | W | U | A | D);
	for (i = 1; i <= 3; i++) {
		*ram(16 << 12 | i << 2) = 20 << 12 | P | W | U | A;
		tell(16 << 12 | i << 2);
	}
	queue_drain(v);
	for (i = 1; i <= 3; i++)
		do_access(i << 22, true, true);
	free = s->free_count;
	tell_page(20, STUB_QP_RELEASE);
	queue_drain(v);
	for (i = 1; i <= 3; i++)
		assert_false(cpu_allows(i << 22, false, false, &pa));
	for (i = 1; i <= 3; i++)
		do_access(i << 22, true, true);
	assert_int_equal(s->free_count, free);
	check_all();
}

/* Whoever takes pages out of quarantine has cached what they were, too, even if
 * the fault for which it wanted room is the guest's own. */
static void test_room_for_the_guests_own_fault(void **state)
{
	uint32_t error = PF_W | PF_U, left = SHADOW_RESERVE - 1, last;
	unsigned int before;
	uint64_t zaps;
	gpa_t bus;

	(void)state;
	map_one(0x400000, P | U | A | D);
	do_access(0x400000, false, true);
	tell_page(20, STUB_QP_RELEASE);
	queue_drain(v);
	assert_int_not_equal(g->mm.quarantine, 0);
	g->mm.free_count = left;
	for (last = g->mm.free; --left; last = g->mm.pages[last].next)
		;
	g->mm.pages[last].next = 0;
	before = tlb_flushes;
	zaps = g->mm.zaps;
	assert_int_equal(mmu_fault(mmu, 0x400000, &error, &bus), FAULT_GUEST);
	assert_int_equal(g->mm.quarantine, 0);
	assert_int_equal(g->mm.zaps, zaps);
	assert_int_not_equal(tlb_flushes, before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name)		cmocka_unit_test_setup(name, model_setup)
#define PAE(name)	cmocka_unit_test_setup(name, model_setup_pae)
#define TWO(name)	cmocka_unit_test_setup(name, model_setup_two)
		T(test_random_updates),
		PAE(test_random_updates_pae),
		T(test_two_vcpus),
		PAE(test_two_vcpus_pae),
		TWO(test_flush_of_another),
		T(test_kernel_quarter_is_shared),
		TWO(test_kernel_quarter_that_was_another),
		TWO(test_room_for_the_guests_own_fault),
		T(test_untracked_is_forgotten_at_a_flush),
		PAE(test_untracked_is_forgotten_at_a_flush),
		PAE(test_formats),
		PAE(test_many_address_spaces),
		T(test_release_of_the_current_directory),
		T(test_release_of_a_table_with_many_links),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

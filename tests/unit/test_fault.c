// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page faults by the shadow tables: the guest's own or not, and what is filled
 * of what the registers say.
 */
#include "unit.h"
#include "shadow_model.h"

static bool top_is_mapped(void)
{
	const struct spage *pd = mmu->root->pd[TOP >> 30];

	return mmu->pdpt[TOP >> 30] && pd &&
	       pd->table[TOP >> 21 & 511];
}

/* A user's fetch from the hypervisor's part, where the ROM is mapped. */
static uint32_t error_of_reserved_fetch(void)
{
	uint32_t error = 0;
	gpa_t bus;

	mmu_fault(mmu, TOP, &error, &bus);
	error = PF_P | PF_I | PF_U;
	assert_int_equal(mmu_fault(mmu, TOP, &error, &bus), FAULT_GUEST);
	return error;
}

static void test_no_execute(void **state)
{
	uint64_t nx = 1ull << 63;
	uint32_t error = PF_I | PF_U;
	gpa_t bus;

	(void)state;
	put(16 << 12, 2, 20 << 12 | P | W | U | A);
	put(20 << 12, 0, 100 << 12 | P | W | U | A | D | nx);
	put(20 << 12, 1, 101 << 12 | P | W | U | A | D);
	assert_int_equal(mmu_fault(mmu, 0x400000, &error, &bus), FAULT_GUEST);
	assert_int_equal(error, PF_P | PF_U | PF_I);
	error = PF_U;
	assert_int_equal(mmu_fault(mmu, 0x400000, &error, &bus), FAULT_FIXED);
	assert_true(mmu_allows(mmu, 0x400000, PF_W | PF_U));
	assert_false(mmu_allows(mmu, 0x400000, PF_I | PF_U));
	error = PF_I | PF_U;
	assert_int_equal(mmu_fault(mmu, 0x401000, &error, &bus), FAULT_FIXED);
	assert_true(mmu_allows(mmu, 0x401000, PF_I | PF_U));
	/* For the whole 2 MB, by the directory. */
	put(16 << 12, 2, 20 << 12 | P | W | U | A | nx);
	tell(entry_at(16 << 12, 2));
	queue_drain(v);
	assert_false(mmu_allows(mmu, 0x401000, PF_I | PF_U));
	error = PF_I | PF_U;
	assert_int_equal(mmu_fault(mmu, 0x402000, &error, &bus), FAULT_GUEST);
	assert_int_equal(error, PF_U | PF_I);
	assert_int_equal(error_of_reserved_fetch(), PF_P | PF_U | PF_I);
	/* Without EFER.NXE the bit is reserved, and fetches have none. */
	set_mode(v->cr0, v->cr4, 0);
	assert_int_equal(error_of_reserved_fetch(), PF_P | PF_U);
	error = PF_U;
	assert_int_equal(mmu_fault(mmu, 0x400000, &error, &bus), FAULT_GUEST);
	assert_int_equal(error, PF_P | PF_U | PF_RSVD);
}

/* A frame of the hole in memory, as all that a frame can be. */
static void test_absent_frames(void **state)
{
	const uint64_t a = (HOLE_FRAME + 7) << 12, flags = P | W | U | A | D;
	uint32_t error, i, mapped = 0;
	jmp_buf killed;
	uint64_t pa;
	gpa_t bus;

	(void)state;
	put(16 << 12, 2, 20 << 12 | flags);
	/* As a page, filled by the drain and by the fault. */
	put(20 << 12, 0, a | flags);
	put(20 << 12, 1, 100 << 12 | flags);
	error = 0;
	assert_int_equal(mmu_fault(mmu, wide ? 0x401000 : 0x801000, &error,
				      &bus), FAULT_FIXED);
	tell(entry_at(20 << 12, 0));
	queue_drain(v);
	for (i = 0; i < g->mm.count; i++)
		if (g->mm.pages[i].role == SP_PT)
			mapped += !!(g->mm.pages[i].table[0] & P);
	assert_int_equal(mapped, 0);
	error = PF_W;
	assert_int_equal(mmu_fault(mmu, wide ? 0x400000 : 0x800000, &error,
				      &bus), FAULT_BUS);
	assert_int_equal(bus, a);
	error = 0;
	assert_int_equal(mmu_fault(mmu, wide ? 0x400000 : 0x800000, &error,
				      &bus), FAULT_FIXED);
	assert_true(cpu_walk(wide ? 0x400000 : 0x800000, &pa, &error));
	assert_int_equal(pa, g->mm.gmem.bus & ADDR);
	assert_false(error & W & g->mm.gmem.bus);
	/* As a large one, of which no frame is there. */
	put(16 << 12, 3, (HOLE_FRAME << 12) | flags | PS);
	error = 0;
	assert_int_equal(mmu_fault(mmu, wide ? 0x600000 : 0xc00000, &error,
				      &bus), FAULT_FIXED);
	assert_true(cpu_walk(wide ? 0x600000 : 0xc00000, &pa, &error));
	assert_int_equal(pa, g->mm.gmem.bus & ADDR);
	/* As a table, told of and not. */
	for (i = 0; i < 2; i++) {
		put(16 << 12, 2, a | flags);
		tell(entry_at(16 << 12, 2));
		tell_page(a >> 12, i ? STUB_QP_ALLOC : STUB_QP_RELEASE);
		tell(a);
		tell(a + 8);
		queue_drain(v);
		mmu_flush(mmu);
		error = 0;
		assert_int_equal(mmu_fault(mmu, wide ? 0x400000 : 0x800000,
					      &error, &bus), FAULT_TABLE);
		assert_int_equal(bus, a);
	}
	/* Far beyond all frames. */
	mmu_page_table(mmu, UINT32_MAX, true);
	mmu_page_table(mmu, UINT32_MAX, false);
	error = 0;
	assert_int_equal(mmu_fault(mmu, wide ? 0x600000 : 0xc00000, &error,
				      &bus), FAULT_FIXED);
	put(16 << 12, 2, (wide ? ADDR : ADDR & UINT32_MAX) | flags);
	tell(entry_at(16 << 12, 2));
	queue_drain(v);
	if (wide) {	/* as a directory */
		put(30 << 12, 0, a | P);
		tell(entry_at(30 << 12, 0));
		queue_drain(v);
		error = 0;
		assert_int_equal(mmu_fault(mmu, 0, &error, &bus),
				 FAULT_GUEST);
	}
	assert_false(g->mm.frames[a >> 12].flags);
	/* As what CR3 points to. */
	model_killed = &killed;
	if (setjmp(killed))
		return;
	cr3_write(v, a);
	fail();
}

static void test_absent_frames_pae(void **state)
{
	test_absent_frames(state);
}

/* The quarter with the reserved top has no directory, or one that is no memory. */
static void test_directory_is_missing(void **state)
{
	uint64_t pdpte[] = { 0, (uint64_t)FRAMES << 12 | P, ~0ull };
	uint32_t error, i;
	gpa_t bus;

	(void)state;
	for (i = 0; i < 3; i++) {
		put(30 << 12, 3, 17 << 12 | P);
		cr3_write(v, mmu->cr3);
		error = 0;
		assert_int_equal(mmu_fault(mmu, TOP, &error, &bus),
				 FAULT_FIXED);
		put(30 << 12, 3, pdpte[i]);
		cr3_write(v, mmu->cr3);
		assert_false(top_is_mapped());
		error = 0;
		assert_int_equal(mmu_fault(mmu, TOP, &error, &bus),
				 FAULT_FIXED);
		assert_true(top_is_mapped());
		mmu_inval(mmu, TOP - 4096);
		error = 0;
		assert_int_equal(mmu_fault(mmu, TOP - 4096, &error, &bus),
				 FAULT_GUEST);
		assert_int_equal(error, 0);
	}
}

/* Whatever is forgotten, the ROM stays where it is, at the next fault. */
static void test_reserved_top_comes_back(void **state)
{
	uint32_t error = 0;
	uint64_t pa;
	gpa_t bus;

	(void)state;
	mmu->reserved_pt[0] = P;
	root_zap(mmu);
	assert_false(cpu_allows(TOP, false, false, &pa));
	assert_int_equal(mmu_fault(mmu, TOP, &error, &bus), FAULT_FIXED);
	assert_true(cpu_allows(TOP, false, false, &pa));
	assert_false(cpu_allows(TOP, false, true, &pa));
	error = PF_W;
	assert_int_equal(mmu_fault(mmu, TOP + 4096, &error, &bus),
			 FAULT_GUEST);
	assert_int_equal(error, PF_W);
}

/* What the guest says of the hypervisor's part changes nothing there. */
static void test_reserved_top_is_not_the_guests(void **state)
{
	const uint32_t dir = (wide ? 17 : 16) << 12;
	const uint32_t i = wide ? TOP >> 21 & 511 : TOP >> 22;
	uint32_t error = 0;
	uint64_t *entry, before;
	gpa_t bus;

	(void)state;
	if (wide)
		put(30 << 12, 3, dir | P);
	tell_page(dir >> 12, STUB_QP_ALLOC);
	queue_drain(v);
	cr3_write(v, mmu->cr3);
	assert_int_equal(mmu_fault(mmu, TOP, &error, &bus), FAULT_FIXED);
	entry = &mmu->root->pd[TOP >> 30]->table[TOP >> 21 & 511];
	before = *entry;
	put(dir, i, 100 << 12 | P | W | U | A | D | PS);
	tell(entry_at(dir, i));
	queue_drain(v);
	assert_int_equal(*entry, before);
	/* One that nobody tells of is read again by InvalPage. */
	tell_page(dir >> 12, STUB_QP_RELEASE);
	queue_drain(v);
	cr3_write(v, mmu->cr3);
	error = 0;
	assert_int_equal(mmu_fault(mmu, TOP, &error, &bus), FAULT_FIXED);
	entry = &mmu->root->pd[TOP >> 30]->table[TOP >> 21 & 511];
	mmu_inval(mmu, TOP);
	assert_int_equal(*entry, before);
}

/* Without CR4.PSE bit 7 of a directory's entry means nothing. */
static void test_no_large_pages(void **state)
{
	const uint64_t flags = P | W | U | A | D;
	uint32_t error = PF_W;
	uint64_t pa;
	gpa_t bus;

	(void)state;
	set_mode(v->cr0, 0, v->efer);
	put(16 << 12, 1, 20 << 12 | flags | PS);
	put(20 << 12, 0, 100 << 12 | flags);
	assert_int_equal(mmu_fault(mmu, 0x400000, &error, &bus), FAULT_FIXED);
	assert_true(cpu_walk(0x400000, &pa, &error));
	assert_int_equal(pa, RAM_PA + (100 << 12));
}

/* PSE-36 reaches beyond 4 GB, where this guest has nothing. */
static void test_large_page_beyond_4_gb(void **state)
{
	uint32_t error = PF_W;
	gpa_t bus;

	(void)state;
	*ram(16 << 12 | 1 << 2) = 3 << 13 | PS | P | W | U | A | D;
	tell(16 << 12 | 1 << 2);
	queue_drain(v);
	assert_int_equal(mmu_fault(mmu, 0x401234, &error, &bus), FAULT_BUS);
	assert_int_equal(bus, 0x300001234);
}

static void test_identity_without_paging(void **state)
{
	uint64_t pa;
	uint32_t error = PF_W;
	gpa_t bus;

	(void)state;
	g->mm.reserved = 0;
	mmu->guest_last = UINT32_MAX;
	set_mode(0, v->cr4, v->efer);
	assert_int_equal(mmu_fault(mmu, 0x123456, &error, &bus), FAULT_FIXED);
	assert_true(cpu_allows(0x123000, true, true, &pa));
	assert_int_equal(pa, RAM_PA + 0x123000);
	/* The last, incomplete large frame goes by small pages. */
	error = 0;
	assert_int_equal(mmu_fault(mmu, (FRAMES - 1) << 12, &error, &bus),
			 FAULT_FIXED);
	error = 0;
	assert_int_equal(mmu_fault(mmu, 0xfed00000, &error, &bus),
			 FAULT_FIXED);
	assert_true(cpu_allows(0xfed00000, false, false, &pa));
	assert_int_equal(pa, g->mm.gmem.bus & ADDR);
	error = PF_W;
	assert_int_equal(mmu_fault(mmu, 0xfed00000, &error, &bus), FAULT_BUS);
	assert_int_equal(bus, 0xfed00000);
	/* The local APIC is not memory even for reading. */
	error = 0;
	assert_int_equal(mmu_fault(mmu, 0xfee00000, &error, &bus), FAULT_BUS);
	assert_int_equal(bus, 0xfee00000);
}

static void test_tables_outside_memory(void **state)
{
	jmp_buf killed;
	volatile bool died = false;
	uint32_t error = 0;
	gpa_t bus;

	(void)state;
	*ram(16 << 12) = 0xfff00000 | P | W | U | A;
	assert_int_equal(mmu_fault(mmu, 0, &error, &bus), FAULT_TABLE);
	assert_int_equal(bus, 0xfff00000);
	assert_false(mmu_translate(mmu, 0, &bus));
	model_killed = &killed;
	if (setjmp(killed))
		died = true;
	else
		cr3_write(v, 0x80000000);
	assert_true(died);
}

/* What the shadow held is forgotten when a bit changes what entries mean, and
 * only then. */
static void test_modes(void **state)
{
	const uint64_t flags = P | W | U | A | D;

	(void)state;
	put(16 << 12, 1, 100 << 12 | flags | PS);
	put(16 << 12, 2, 20 << 12 | flags);
	set_mode(v->cr0 | CR0_TS, v->cr4 | CR4_TSD, v->efer);
	assert_int_equal(g->mm.zaps, 0);
	set_mode(v->cr0 ^ CR0_WP, v->cr4, v->efer);
	assert_int_equal(g->mm.zaps, 1);
	set_mode(v->cr0, v->cr4 ^ CR4_PSE, v->efer);
	assert_int_equal(g->mm.zaps, 2);
	set_mode(v->cr0, v->cr4 ^ CR4_PGE, v->efer);
	assert_int_equal(g->mm.zaps, 3);
	assert_ptr_not_equal(mmu->root, g->mm.roots);
	set_mode(v->cr0 ^ CR0_PG, v->cr4, v->efer);
	assert_ptr_equal(mmu->root, g->mm.roots);
	cr3_write(v, 17 << 12);		/* loaded with paging */
	assert_ptr_equal(mmu->root, g->mm.roots);
	set_mode(v->cr0 ^ CR0_PG, v->cr4, v->efer);
	assert_int_equal(mmu->root->gfn, 17);
	assert_int_equal(g->mm.zaps, 3);
	put(17 << 12, 0, 18 << 12 | P);
	set_mode(v->cr0, v->cr4 ^ CR4_PAE, v->efer);
	assert_int_equal(g->mm.zaps, 4);
	assert_int_equal(mmu->root->dir_gfn[0], 18);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name)		cmocka_unit_test_setup(name, model_setup)
#define PAE(name)	cmocka_unit_test_setup(name, model_setup_pae)
		T(test_modes),
		PAE(test_directory_is_missing),
		T(test_absent_frames),
		PAE(test_absent_frames_pae),
		PAE(test_no_execute),
		T(test_reserved_top_comes_back),
		T(test_reserved_top_is_not_the_guests),
		PAE(test_reserved_top_is_not_the_guests),
		T(test_no_large_pages),
		T(test_large_page_beyond_4_gb),
		T(test_identity_without_paging),
		T(test_tables_outside_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

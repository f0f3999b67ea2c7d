// SPDX-License-Identifier: GPL-2.0-only
/*
 * The shadow tables and the queue: a guest that does anything at random,
 * against the model of shadow_model.h, and single cases.
 */
#include "unit.h"
#include "shadow_model.h"

static uint32_t seed;

uint32_t rnd(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (uint64_t)(seed >> 1) * n >> 31;
}

static int setup(void **state)
{
	(void)state;
	model_start(false);
	return 0;
}

static int setup_pae(void **state)
{
	(void)state;
	model_start(true);
	return 0;
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

static bool top_is_mapped(void)
{
	const struct spage *pd = mmu->root->pd[TOP >> 30];

	return mmu->pdpt[TOP >> 30] && pd &&
	       pd->table[TOP >> 21 & 511];
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
	/* Without EFER.NXE the bit is reserved. */
	set_mode(v->cr0, v->cr4, 0);
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
	mmu_page_alloc(mmu, UINT32_MAX);
	mmu_page_release(mmu, UINT32_MAX);
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

/* One page table in the current address space, mapping frame 100 at va. */
static void map_one(uint32_t va, uint32_t rights)
{
	*ram(16 << 12 | va >> 22 << 2) = 20 << 12 | P | W | U | A;
	*ram(20 << 12 | (va >> 12 & 1023) << 2) = 100 << 12 | rights;
	tell(16 << 12 | va >> 22 << 2);
	tell(20 << 12 | (va >> 12 & 1023) << 2);
}

static void test_dirty_bit_is_never_lost(void **state)
{
	uint32_t *pte = ram(20 << 12);
	uint64_t pa;

	(void)state;
	map_one(0x400000, P | W | U | A);
	do_access(0x400000, false, true);
	assert_false(*pte & D);
	assert_false(cpu_allows(0x400000, true, true, &pa));
	do_access(0x400000, true, true);
	assert_true(*pte & D);
	*pte &= ~D;
	tell(20 << 12);
	queue_drain(v);
	assert_false(cpu_allows(0x400000, true, true, &pa));
}

static void test_downgrade_flushes_the_tlb(void **state)
{
	unsigned int before;

	(void)state;
	map_one(0x400000, P | W | U | A | D);
	do_access(0x400000, true, true);
	before = tlb_flushes;
	*ram(20 << 12) &= ~W;
	tell(20 << 12);
	queue_drain(v);
	assert_int_equal(tlb_flushes, before + 1);
	/* An upgrade needs none. */
	*ram(20 << 12 | 4) = 101 << 12 | P | W | U | A | D;
	tell(20 << 12 | 4);
	queue_drain(v);
	assert_int_equal(tlb_flushes, before + 1);
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

/* Whatever is forgotten, the ROM stays where it is, at the next fault. */
static void test_reserved_top_comes_back(void **state)
{
	uint32_t error = 0;
	uint64_t pa;
	gpa_t bus;

	(void)state;
	g->mm.reserved_pt[0] = P;
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

static void test_drain_fills_eagerly(void **state)
{
	uint64_t pa;

	(void)state;
	map_one(0x400000, P | W | U | A | D);
	do_access(0x400000, true, true);
	*ram(20 << 12 | 4) = 101 << 12 | P | W | U | A | D;
	tell(20 << 12 | 4);
	queue_drain(v);
	assert_true(cpu_allows(0x401000, true, true, &pa));
	assert_int_equal(pa, RAM_PA + (101 << 12));
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

void __attribute__((weak))
__asan_unpoison_memory_region(const volatile void *, size_t);

/* What lies behind the array of frames is not a frame, whatever it looks like. */
static void test_updates_beyond_memory(void **state)
{
	const uint32_t gfn = g->mm.gmem.nframes + 5, last = g->mm.count - 1;
	struct gframe *f = &g->mm.frames[gfn], before;
	uint32_t i;

	(void)state;
	if (__asan_unpoison_memory_region)
		__asan_unpoison_memory_region(f, sizeof(*f));
	before = *f;
	*f = (struct gframe){ .pt = { last, last }, .flags = GF_TRACKED };
	for (i = 0; i < 4; i++)
		tell(gfn << 12 | i << 2);
	queue_drain(v);
	for (i = 0; i < 512; i++)
		assert_int_equal(g->mm.pages[last].table[i], 0);
	*f = before;
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

static void test_queue_with_arbitrary_content(void **state)
{
	volatile struct stub_shared *sh = v->sh;
	uint32_t run, i;

	(void)state;
	for (run = 0; run < 2000; run++) {
		for (i = 0; i < STUB_QUEUE_LEN; i++)
			sh->queue[i] = rnd(UINT32_MAX) ^ rnd(2);
		sh->linear[0].va = rnd(UINT32_MAX);
		sh->linear[0].pa = rnd(UINT32_MAX);
		sh->tail = -(int32_t)rnd(STUB_QUEUE_LEN + 1);
		queue_drain(v);
		assert_int_equal(sh->tail, -STUB_QUEUE_LEN);
	}
}

static void test_queue_with_bad_tail_kills(void **state)
{
	static const int32_t bad[] = { 1, 2, INT32_MAX, INT32_MIN,
				       -STUB_QUEUE_LEN - 1 };
	jmp_buf killed;
	volatile unsigned int died = 0;
	volatile size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		v->sh->tail = bad[i];
		model_killed = &killed;
		if (setjmp(killed))
			died++;
		else
			queue_drain(v);
	}
	assert_int_equal(died, ARRAY_SIZE(bad));
}

static void test_deferred_work(void **state)
{
	(void)state;
	v->sh->gdt_dirty = 1u << 6 | 1u << 8;
	v->sh->deferred = STUB_DEFER_CR3;
	v->sh->cr3 = 17 << 12;
	model_gdt_changed = 0;
	queue_drain(v);
	assert_int_equal(model_gdt_changed, 1u << 6 | 1u << 8);
	assert_int_equal(mmu->cr3, 17 << 12);
	assert_int_equal(mmu->root->gfn, 17);
	assert_int_equal(v->sh->deferred | v->sh->gdt_dirty, 0);
}

/* A wrong entry of any address space is found, by some drains, of which none
 * compares everything. */
static void test_verify(void **state)
{
	uint64_t *leaf[8];
	volatile uint32_t i, drains, most = 0;
	jmp_buf killed;
	uint32_t dir;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(leaf); i++) {
		dir = 16 + i;
		tell_page(dir, STUB_QP_ALLOC);
		tell_page(dir + 8, STUB_QP_ALLOC);
		put(dir << 12, 0, (dir + 8) << 12 | P | W | U | A);
		put((dir + 8) << 12, 1, 40 << 12 | P | W | U | A | D);
		cr3_write(v, dir << 12);
		do_access(0x1000, true, true);
		leaf[i] = &shadow_table(mmu->root->pd[0]->table[0])[1];
	}
	v->verify = true;
	for (i = ARRAY_SIZE(leaf); i--;) {	/* each just left behind */
		*leaf[i] ^= 1 << 12;
		model_killed = &killed;
		drains = 0;
		if (!setjmp(killed))
			for (; drains < 2 * ARRAY_SIZE(leaf); drains++)
				queue_drain(v);
		*leaf[i] ^= 1 << 12;
		assert_true(drains < 2 * ARRAY_SIZE(leaf));
		most = drains > most ? drains : most;
	}
	assert_true(most > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup(name, setup)
		T(test_random_updates),
		cmocka_unit_test_setup(test_random_updates_pae, setup_pae),
		cmocka_unit_test_setup(test_directory_is_missing, setup_pae),
		T(test_absent_frames),
		cmocka_unit_test_setup(test_absent_frames_pae, setup_pae),
		cmocka_unit_test_setup(test_no_execute, setup_pae),
		T(test_dirty_bit_is_never_lost),
		T(test_downgrade_flushes_the_tlb),
		T(test_kernel_quarter_is_shared),
		T(test_reserved_top_comes_back),
		T(test_reserved_top_is_not_the_guests),
		cmocka_unit_test_setup(test_reserved_top_is_not_the_guests, setup_pae),
		T(test_drain_fills_eagerly),
		T(test_untracked_is_forgotten_at_a_flush),
		cmocka_unit_test_setup(test_untracked_is_forgotten_at_a_flush,
				       setup_pae),
		cmocka_unit_test_setup(test_formats, setup_pae),
		cmocka_unit_test_setup(test_many_address_spaces, setup_pae),
		T(test_updates_beyond_memory),
		T(test_no_large_pages),
		T(test_release_of_the_current_directory),
		T(test_large_page_beyond_4_gb),
		T(test_release_of_a_table_with_many_links),
		T(test_identity_without_paging),
		T(test_tables_outside_memory),
		T(test_queue_with_arbitrary_content),
		T(test_queue_with_bad_tail_kills),
		T(test_deferred_work),
		T(test_verify),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

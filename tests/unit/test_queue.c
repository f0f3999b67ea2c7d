// SPDX-License-Identifier: GPL-2.0-only
/*
 * The update queue of the shared area, and what is deferred there.
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

/* Do some drains, of which none compares everything, find something wrong? */
static bool wrong(void)
{
	static jmp_buf killed;
	static uint32_t i;

	model_killed = &killed;
	if (setjmp(killed))
		return true;
	for (i = 0; i < 4; i++)
		queue_drain(v);
	return false;
}

/* ---- two vCPUs -------------------------------------------------------------- */

/* One flushes: what the other has announced counts, and stays to be drained. */
static void test_peek(void **state)
{
	const int32_t empty = -STUB_QUEUE_LEN;
	uint64_t pa;

	(void)state;
	map_one(0x400000, P | W | U | A | D);
	do_access(0x400000, true, true);
	queue_drain(v);
	model_run(1);
	do_access(0x400000, true, true);
	model_run(0);
	*ram(20 << 12) = 0;
	tell(20 << 12);
	model_run(1);
	assert_true(cpu_allows(0x400000, true, true, &pa));
	queue_peek(v);
	mmu_flush_tlb(mmu);
	assert_false(cpu_allows(0x400000, true, true, &pa));
	assert_int_equal(v->sibling->sh->tail, empty + 1);
	/* The same entry again, which the ROM does not append twice. */
	*ram(20 << 12) = 101 << 12 | P | W | U | A | D;
	queue_peek(v);
	assert_true(cpu_allows(0x400000, true, true, &pa));
	assert_int_equal(pa, RAM_PA + (101 << 12));
	model_run(0);
	queue_drain(v);
	assert_int_equal(v->sh->tail, empty);
	do_access(0x400000, true, true);
	/* After it has been drained it begins anew. */
	*ram(20 << 12) = 0;
	tell(20 << 12);
	model_run(1);
	queue_peek(v);
	assert_false(cpu_allows(0x400000, true, true, &pa));
}

/* So does the end of a batch with InvalPage alone: of the page, and of what its
 * directory says. */
static void test_peek_at_the_end_of_a_batch(void **state)
{
	volatile struct stub_shared *sh;
	uint64_t pa;

	(void)state;
	map_one(0x400000, P | W | U | A | D);
	queue_drain(v);
	model_run(1);
	do_access(0x400000, true, true);
	model_run(0);
	*ram(16 << 12 | 1 << 2) = 21 << 12 | P | W | U | A;
	tell(16 << 12 | 1 << 2);
	model_run(1);
	assert_true(cpu_allows(0x400000, true, true, &pa));
	sh = v->sh;
	sh->queue[STUB_QUEUE_LEN + sh->tail++] = 0x400000 | STUB_Q_INVAL;
	sh->deferred = STUB_DEFER_INVAL;
	queue_drain(v);
	assert_false(cpu_allows(0x400000, true, true, &pa));
}

/* A tail that makes no sense is its owner's death, and nothing to a sibling. */
static void test_peek_at_a_bad_tail(void **state)
{
	static const int32_t bad[] = { 1, 2, INT32_MAX, INT32_MIN,
				       -STUB_QUEUE_LEN - 1 };
	uint64_t pa;
	size_t i;

	(void)state;
	map_one(0x400000, P | W | U | A | D);
	queue_drain(v);
	do_access(0x400000, true, true);
	*ram(20 << 12) = 0;
	for (i = 0; i < STUB_QUEUE_LEN; i++)
		v->sh->queue[i] = 20 << 12 | STUB_Q_UPDATE_PA;
	model_run(1);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		v->sibling->sh->tail = bad[i];
		queue_peek(v);
		assert_true(cpu_allows(0x400000, true, true, &pa) ||
			    v->mmu.pdpt[0] == 0);
		assert_int_equal(v->sibling->sh->tail, bad[i]);
		assert_int_equal(v->sibling->peeked, 0);
	}
}

/* What a sibling has stored and not told of yet is no error; what it must have
 * told of is. */
static void test_verify_beside_a_sibling(void **state)
{
	struct vcpu *s = v->sibling;
	struct regs *r = s->regs;
	uint64_t *leaf;

	(void)state;
	map_one(0x400000, P | W | U | A | D);
	queue_drain(v);
	do_access(0x400000, true, true);
	leaf = &shadow_table(mmu->root->pd[0]->table[2])[0];
	v->verify = s->verify = true;
	v->stats.drains = 0;
	s->mmu.inside = true;
	assert_false(wrong());
	assert_false(s->mmu.inside);
	*leaf ^= 1 << 12;
	assert_true(wrong());		/* in user mode */
	r->cs = 0x61;
	r->vector = IRQ_BASE + IRQ_KICK;
	assert_false(wrong());
	r->vector = VEC_PF;
	assert_true(wrong());
	r->vector = STUB_VECTOR;
	r->gpr[EAX] = STUB_HC_FLUSH_TLB;
	assert_true(wrong());
	r->gpr[EAX] = STUB_HC_UPDATE_VA;
	assert_false(wrong());
	r->gpr[EAX] = STUB_HC_PAGE;
	assert_false(wrong());
	/* In a handler that has interrupted its kernel, until it was in user
	 * mode. */
	r->vector = IRQ_BASE + IRQ_KICK;
	verify_interrupt(s);
	r->vector = VEC_PF;
	verify_interrupt(s);
	assert_false(wrong());
	s->halted = true;
	assert_true(wrong());
	s->halted = s->on = false;
	assert_true(wrong());
	s->on = true;
	assert_false(wrong());
	r->cs = 0x73;
	verify_interrupt(s);
	r->cs = 0x61;
	assert_true(wrong());
	/* It is not stopped each time. */
	v->stats.drains = 1;
	s->mmu.inside = true;
	assert_false(wrong());
	assert_true(s->mmu.inside);
	v->stats.drains = 0;
	/* What it has announced counts. */
	*leaf ^= 1 << 12;
	*ram(20 << 12) = 101 << 12 | P | W | U | A | D;
	assert_true(wrong());
	model_run(1);
	tell(20 << 12);
	model_run(0);
	assert_false(wrong());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name)		cmocka_unit_test_setup(name, model_setup)
#define PAE(name)	cmocka_unit_test_setup(name, model_setup_pae)
		T(test_dirty_bit_is_never_lost),
		T(test_downgrade_flushes_the_tlb),
		T(test_drain_fills_eagerly),
		T(test_updates_beyond_memory),
		T(test_queue_with_arbitrary_content),
		T(test_queue_with_bad_tail_kills),
		T(test_deferred_work),
		T(test_verify),
#define TWO(name)	cmocka_unit_test_setup(name, model_setup_two)
		TWO(test_peek),
		TWO(test_peek_at_the_end_of_a_batch),
		TWO(test_peek_at_a_bad_tail),
		TWO(test_verify_beside_a_sibling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shadow tables and queue against a guest that changes every word in the very
 * moment in which we read it. The code under test is compiled for a thread
 * sanitizer, whose calls before each access are ours instead: a volatile read
 * of guest memory finds something new there each time, so that what was
 * checked and what is used differ if they were read twice, and any access to
 * guest memory that is not volatile, which a compiler may repeat, is an error
 * in itself (hypervisor-stub/include/mm.h).
 *
 * Whatever happens, the shadow maps the guest's own frames and nothing else.
 */
#include <stdlib.h>

#include <cpu.h>

#include "core.h"
#include "log.h"
#include "shadow.h"
#include "tsan_hooks.h"
#include "unit.h"

#define GUEST_MB	7
#define FRAMES		(GUEST_MB * 256)
#define MACHINE_MB	32
#define POOL		48
#define TOP		0xfc000000u
#define ENTRY_SIZE	(wide ? 8 : 4)

struct cpu cpus[HOST_CPUS];

static struct guest *g;
static struct vcpu *v;
static struct regs regs;
static uint64_t next_pa, seed = 1;
static uintptr_t ram;		/* the guest's, as we see it */
static jmp_buf killed;
static bool wide, racing;
static unsigned int reads;

void host_kick(uint32_t to) { (void)to; }
void host_pages_free(void *at, uint64_t bytes) { (void)at, (void)bytes; }

void *host_pages(uint64_t bytes, uint64_t align)
{
	uint64_t at = (next_pa + align - 1) & -align;

	next_pa = at + bytes;
	assert_true(next_pa <= MACHINE_MB << 20);
	return memset(machine_memory + at, 0, bytes);
}

void vcpu_kill(struct vcpu *vcpu, const char *fmt, ...)
{
	(void)vcpu, (void)fmt;
	longjmp(killed, 1);
}

void panic_at(const char *file, int line, const char *fmt, ...)
{
	fail_msg("panic at %s:%d: %s", file, line, fmt);
	abort();
}

uint32_t copy_fixup(void *dst, const void *src, uint32_t len)
{
	(void)dst, (void)src;
	return len;
}

void desc_gdt_changed(struct vcpu *vcpu, uint32_t index)
{
	(void)vcpu, (void)index;
}

void cr3_write(struct vcpu *vcpu, uint64_t value)
{
	if (!mmu_set_cr3(&vcpu->mmu, value))
		longjmp(killed, 1);
}

/* ---- the other side ----------------------------------------------------- */

static uint32_t rnd(uint32_t n)
{
	return unit_random(&seed) % n;
}

/* An entry: mostly of frames that are there, a few of them tables. */
static uint64_t hostile_entry(void)
{
	uint64_t flags = unit_random(&seed) & 0x1e7;
	uint64_t gfn = rnd(2) ? 16 + rnd(16) : rnd(FRAMES);

	if (!rnd(4))
		gfn = rnd(2) ? FRAMES + rnd(512) : unit_random(&seed) >> 28;
	if (!wide)
		return (uint32_t)(gfn << PAGE_SHIFT | flags);
	return (gfn << PAGE_SHIFT & PTE_ADDR) | flags |
	       (rnd(4) ? 0 : PTE_NX);
}

/* Of the queue: kinds and places at will. */
static uint32_t hostile_word(void)
{
	return rnd(4) ? (uint32_t)(16 + rnd(16)) << PAGE_SHIFT | rnd(4096) :
			(uint32_t)unit_random(&seed);
}

static bool in_guest(uintptr_t a)
{
	return a - ram < GUEST_MB << 20;
}

static bool in_shared(uintptr_t a)
{
	return a - (uintptr_t)v->sh < sizeof(*v->sh);
}

void before_volatile_read(void *at, uint32_t len)
{
	uintptr_t a = (uintptr_t)at;
	uint64_t entry;

	(void)len;
	if (!racing || !(in_guest(a) || in_shared(a)))
		return;
	reads++;
	if (in_shared(a)) {
		if (at == &v->sh->tail)
			v->sh->tail = -(int32_t)rnd(STUB_QUEUE_LEN + 1);
		else
			*(uint32_t *)at = hostile_word();
		return;
	}
	if (!rnd(4))	/* else progress would be rare */
		return;
	entry = hostile_entry();
	memcpy((void *)(a & -(uintptr_t)ENTRY_SIZE), &entry, ENTRY_SIZE);
}

void before_plain_access(void *at)
{
	if (racing && (in_guest((uintptr_t)at) || in_shared((uintptr_t)at)))
		fail_msg("guest memory is accessed around gmem");
}

/* ---- what must hold ----------------------------------------------------- */

static void check_leaf(uint64_t e, bool large)
{
	uint64_t pa = e & PTE_ADDR, first = host_pa((void *)ram);

	if (!(e & PTE_P))
		return;
	if (pa == (g->mm.gmem.bus & PTE_ADDR)) {
		assert_false(large || (e & PTE_W));
		return;
	}
	assert_in_range(pa, first, first + (GUEST_MB << 20) -
				 (large ? 2 << 20 : PAGE_SIZE));
}

static void check_all(void)
{
	struct mm *s = &g->mm;
	uint32_t i, j, used = 0, free = 0;

	for (i = 1; i < s->count; i++) {
		struct spage *p = &s->pages[i];

		used += p->role != SP_FREE;
		assert_true(p->role == SP_FREE || p->gfn < FRAMES);
		for (j = 0; j < 512 && p->role != SP_FREE; j++) {
			uint64_t e = p->table[j];

			if (!(e & PTE_P))
				continue;
			if (p->role != SP_PD || (e & PTE_PS))
				check_leaf(e, p->role == SP_PD);
			else if ((e & PTE_ADDR) != host_pa(v->mmu.reserved_pt))
				assert_in_range(page_of(s, e) - s->pages, 1,
						s->count - 1);
		}
	}
	for (i = s->free; i; i = s->pages[i].next)
		free++;
	assert_int_equal(free, s->free_count);
	assert_int_equal(free + used, s->count - 1);
}

/* ---- the guest ---------------------------------------------------------- */

static void start(void)
{
	uint32_t i;

	free(g);
	next_pa = 4 << 20;
	g = calloc(1, sizeof(*g));
	v = current = &g->vcpu[0];
	v->g = g;
	v->sibling = v->first = v;
	v->regs = &regs;
	regs.cs = 0x61;
	assert_true(gmem_init(&g->mm.gmem, GUEST_MB << 20));
	ram = (uintptr_t)gmem_boot_ram(&g->mm.gmem);
	v->sh = host_pages(sizeof(*v->sh), 4096);
	v->sh->tail = -STUB_QUEUE_LEN;
	assert_null(mm_init(&g->mm, POOL, false));
	assert_null(mmu_init(&v->mmu, &g->mm));
	mmu_join(&v->mmu);
	mmu_reserve(&v->mmu, TOP);
	assert_true(mmu_set_cr3(&v->mmu, 16 << 12));
	assert_true(mmu_set_mode(&v->mmu, CR0_PG | CR0_WP,
				 wide ? CR4_PAE : CR4_PSE, EFER_NXE));
	for (i = 16; i < 32; i++)
		mmu_page_table(&v->mmu, i, true);
}

/* Few addresses, so that things meet. */
static gva32_t random_va(void)
{
	return (rnd(4) << 30 | rnd(2) << 22 | rnd(2) << 21 | rnd(4) << 12) +
	       (rnd(8) ? 0 : TOP & 0x3fffffff);
}

static void step(void)
{
	uint32_t error = unit_random(&seed) & (PF_W | PF_U | PF_I);
	gpa_t pa;

	switch (rnd(12)) {
	case 0:
		queue_drain(v);
		break;
	case 1:
		cr3_write(v, (16 + rnd(16)) << 12 | rnd(4096));
		break;
	case 2:
		mmu_flush(&v->mmu);
		break;
	case 3:
		mmu_inval(&v->mmu, random_va());
		break;
	case 4:
		mmu_page_table(&v->mmu, hostile_word() >> PAGE_SHIFT, true);
		break;
	case 5:
		if (mmu_translate(&v->mmu, random_va(), &pa))
			mmu_entry_changed(&v->mmu, pa);
		break;
	default:
		mmu_fault(&v->mmu, random_va(), &error, &pa);
	}
}

static void life(void)
{
	uint32_t i;

	start();
	if (setjmp(killed)) {	/* as good an end as any */
		racing = false;
		return;
	}
	for (i = 0; i < 400; i++) {
		racing = true;
		step();
		racing = false;
		check_all();
	}
}

static void race(uint32_t lives)
{
	uint32_t i;

	for (i = 0; i < lives; i++)
		life();
	assert_true(reads > lives * 400);
}

static void test_words_change_as_they_are_read(void **state)
{
	(void)state;
	wide = false;
	race(200);
}

static void test_words_change_as_they_are_read_pae(void **state)
{
	(void)state;
	wide = true;
	race(200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words_change_as_they_are_read),
		cmocka_unit_test(test_words_change_as_they_are_read_pae),
	};

	machine_memory = calloc(MACHINE_MB, 1 << 20);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

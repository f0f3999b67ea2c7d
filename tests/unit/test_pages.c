// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages of other guests: what two guests share and nobody else, in guests of each
 * format of tables; each error, after which nothing is another; the end of either; and
 * that nothing is left of the frame that was there before. N-8.
 */
#include <lib.h>
#include <stdlib.h>

#include "machine.h"
#include "manage.h"
#include "pages.h"
#include "shadow.h"
#include "unit.h"

#define RAM		(8u << 20)	/* of each guest */
#define MACHINE		(48u << 20)
#define TOKEN_AT	0x3000u
#define RIGHTS		(PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)

/* Frames of a mapper that are tables; a page of it, and one in a large page. */
enum { TOP = 16, MIDDLE, LOWER, TABLE, PAGE = 100, IN_LARGE = 0x210 };
#define VA		0x400000u	/* of PAGE, by TABLE entry 0 */
#define VA_LARGE	0x800000u	/* of all from 2 MB on */

enum { MAPPER, OWNER, THIRD, GUESTS };
static struct guest guest[GUESTS];
static struct guest_config config[GUESTS];
static struct regs regs[GUESTS];
static struct stub64_shared shared[GUESTS];
static struct guest *const m = &guest[MAPPER], *const o = &guest[OWNER];
static enum format { LEGACY, PAE, WIDE, FORMATS } format;

static uint8_t *memory(uint32_t n, uint32_t gfn)
{
	return (uint8_t *)gmem_boot_ram(&guest[n].mm.gmem) + gfn * PAGE_SIZE;
}

/* ---- the guests ------------------------------------------------------------- */

static void put(uint32_t gfn, uint32_t i, uint64_t entry)
{
	if (format == LEGACY)
		memcpy(memory(MAPPER, gfn) + i * 4, &entry, 4);
	else
		memcpy(memory(MAPPER, gfn) + i * 8, &entry, 8);
}

static void map_own(void)
{
	uint64_t large = 2u << 20 | RIGHTS | PTE_PS;

	put(TABLE, 0, PAGE << 12 | RIGHTS);
	if (format == LEGACY) {
		put(TOP, 1, TABLE << 12 | RIGHTS);
		put(TOP, 2, large & ~(2ull << 20));
		put(TABLE, 512, PAGE << 12 | RIGHTS);
		return;
	}
	put(LOWER, 2, TABLE << 12 | RIGHTS);
	put(LOWER, 4, large);
	if (format == PAE) {
		put(TOP, 0, LOWER << 12 | PTE_P);
		return;
	}
	put(MIDDLE, 0, LOWER << 12 | RIGHTS);
	put(TOP, 0, MIDDLE << 12 | RIGHTS);
}

static void load(struct vcpu *v)
{
	uint32_t cr4 = CR4_PSE | (format == PAE ? CR4_PAE : 0), gfn;

	map_own();
	if (format == WIDE) {
		long_set_mode(&v->mmu, EFER_NXE);
		assert_true(long_set_cr3(&v->mmu, TOP << 12));
		long_reserve(&v->mmu);
	} else {
		v->mmu.mode = 0;
		v->mmu.cr3 = TOP << 12;
		assert_true(mmu_set_mode(&v->mmu, CR0_PG | CR0_WP, cr4, 0));
		mmu_reserve(&v->mmu, 0xfc000000);
		assert_true(mmu_set_cr3(&v->mmu, TOP << 12));
	}
	for (gfn = TOP; gfn <= TABLE; gfn++)
		if (format == WIDE)
			long_page_table(&v->mmu, gfn, true);
		else
			mmu_page_table(&v->mmu, gfn, true);
}

static void make(uint32_t n)
{
	struct guest *g = &guest[n];
	struct vcpu *v = &g->vcpu[0];

	config[n] = (struct guest_config){
		.name = "a guest", .cpus = 1, .memory = 4,
		.rights = n == OWNER ? 0 : VMI_RIGHT_INTROSPECT,
	};
	g->config = &config[n];
	g->slot = n;
	g->life = 10 + n;
	g->vcpus = 1;
	v->g = g;
	v->sibling = v->first = v;
	v->regs = &regs[n];
	v->sh = (volatile struct stub_shared *)&shared[n];
	shared[n].tail = -STUB_QUEUE_LEN;
	v->on = true;
	regs[n].cs = 0x61;
	assert_true(gmem_init(&g->mm.gmem, RAM));
	assert_true(mm_view_init(&g->mm) && pages_init(g));
	assert_null(mm_init(&g->mm, 64, format == WIDE));
	v->wide = format == WIDE;
	assert_null(mmu_init(&v->mmu, &g->mm));
	mmu_join(&v->mmu);
	guests[n] = g;
}

static void set_up(enum format f)
{
	uint32_t n;

	free(machine_memory);
	machine_memory = aligned_alloc(2u << 20, MACHINE);
	memset(machine_memory, 0, MACHINE);
	machine_start(0x1000, MACHINE - 0x1000);
	cpu.cr3 = host_tables();
	memset(guest, 0, sizeof(guest));
	memset(regs, 0, sizeof(regs));
	format = f;
	for (n = 0; n < GUESTS; n++)
		make(n);
	guest_count = GUESTS;
	current = &m->vcpu[0];
	load(&m->vcpu[0]);
}

static int teardown(void **state)
{
	(void)state;
	free(machine_memory);
	machine_memory = NULL;
	return 0;
}

/* ---- who is held up ---------------------------------------------------------- */

static uint32_t kicks;

/* The mapper's vCPU is in the guest when its shadow is to be looked at. */
void __wrap_host_kick(uint32_t to);
void __wrap_host_kick(uint32_t to)
{
	(void)to;
	kicks++;
	m->vcpu[0].mmu.inside = false;
	assert_int_equal(o->lock.next, o->lock.owner);
}

/* ---- calls ------------------------------------------------------------------ */

static int64_t call_of(uint32_t n, uint64_t nr, uint64_t a0, uint64_t a1,
		       uint64_t a2)
{
	struct call_made c = {
		.number = nr, .arg = { a0, a1, a2, 88 }, .mask = UINT64_MAX,
	};
	struct vcpu *v = &guest[n].vcpu[0];
	enum verdict verdict;
	uint32_t i;

	v->regs->stop = STOP_NOT;
	verdict = dispatch(v, &c);
	if (verdict == CALL_LATE) {
		dispatch_late(v);
		c.result = (int64_t)v->regs->gpr[EAX];
	}
	for (i = 0; i < GUESTS; i++)
		assert_int_equal(guest[i].lock.next, guest[i].lock.owner);
	return c.result;
}

static int64_t token_of(uint32_t n, uint32_t of)
{
	return call_of(n, VMI_HC_Token, of, TOKEN_AT, 0);
}

static int64_t map_of(uint32_t n, uint64_t theirs, uint64_t own)
{
	return call_of(n, VMI_HC_PageMap, TOKEN_AT, theirs << 12, own << 12);
}

static int64_t map(uint64_t theirs, uint64_t own)
{
	assert_int_equal(token_of(MAPPER, OWNER), 0);
	return map_of(MAPPER, theirs, own);
}

static int64_t unmap(uint64_t own)
{
	return call_of(MAPPER, VMI_HC_PageUnmap, own << 12, 0, 0);
}

/* What a guest has there. */
static uint32_t word(uint32_t n, uint32_t gfn)
{
	uint32_t w = 0;

	assert_true(gmem_load32(&guest[n].mm.gmem, gfn << 12, &w) ||
		    gmem_read(&guest[n].mm.gmem, &w, gfn << 12, 4));
	return w;
}

static void set_word(uint32_t n, uint32_t gfn, uint32_t w)
{
	assert_true(gmem_write(&guest[n].mm.gmem, gfn << 12, &w, 4));
}

/* ---- the shadow --------------------------------------------------------------- */

/* Does any entry that can be used map this frame of a guest's own? */
static bool in_shadow(const struct mm *mm, const void *frame)
{
	uint64_t pa = host_pa(frame), entry, bytes;
	const struct spage *p;
	uint32_t i;

	for (p = mm->pages; p < mm->pages + mm->count; p++) {
		for (i = 0; i < 512 && p->role != SP_FREE; i++) {
			entry = p->table[i];
			if (!(entry & PTE_P) || (entry & SE_LINK))
				continue;
			bytes = p->role == SP_PD ? 2u << 20 : PAGE_SIZE;
			if (!(p->role == SP_PD && !(entry & PTE_PS)) &&
			    pa - (entry & PTE_ADDR) < bytes)
				return true;
		}
	}
	return false;
}

/* As the processor would touch it. */
static void touch(uint32_t va)
{
	struct vcpu *v = &m->vcpu[0];
	uint32_t error = PF_W;
	enum fault fault;
	gpa_t pa;

	fault = format == WIDE ? long_fault(&v->mmu, va, &error, &pa) :
				 mmu_fault(&v->mmu, va, &error, &pa);
	v->regs->error = PF_W;
	if (fault != FAULT_FIXED)
		assert_true(mm_has_views(&m->mm) &&
			    watch_fault(v, va, &fault, &pa));
	if (format == WIDE)
		assert_true(long_allows(&v->mmu, va, PF_W));
	else if (va < VA_LARGE)		/* not in a large page */
		assert_true(mmu_allows(&v->mmu, va, PF_W));
}

static void verify(void)
{
	struct long_wrong wide;
	struct mm_wrong wrong;
	uint32_t i;

	for (i = 0; i < 20; i++)
		if (format == WIDE)
			assert_true(long_verify(&m->vcpu[0].mmu, &wide));
		else
			assert_true(mmu_verify(&m->vcpu[0].mmu, false, &wrong));
}

/* ---- what is shared ------------------------------------------------------------- */

static void test_map(void **state)
{
	enum format f;
	uint32_t i;

	(void)state;
	for (f = LEGACY; f < FORMATS; f++) {
		set_up(f);
		set_word(OWNER, 7, 0x7777);
		set_word(OWNER, 8, 0x8888);
		set_word(MAPPER, PAGE, 0x1111);
		touch(VA);
		assert_true(in_shadow(&m->mm, memory(MAPPER, PAGE)));
		m->vcpu[0].mmu.flush = 0;
		assert_int_equal(map(7, PAGE), 0);
		/* Nothing of the old one is in the shadow, or stays in a TLB. */
		assert_false(in_shadow(&m->mm, memory(MAPPER, PAGE)));
		assert_true(m->vcpu[0].mmu.flush);
		assert_int_equal(word(MAPPER, PAGE), 0x7777);
		touch(VA);
		assert_true(in_shadow(&m->mm, memory(OWNER, 7)));
		verify();
		set_word(MAPPER, PAGE, 0x7778);
		assert_int_equal(word(OWNER, 7), 0x7778);
		set_word(OWNER, 7, 0x7779);
		assert_int_equal(word(MAPPER, PAGE), 0x7779);
		/* Its neighbours are none. */
		assert_int_equal(word(OWNER, 8), 0x8888);
		m->vcpu[0].mmu.flush = 0;
		assert_int_equal(unmap(PAGE), 0);
		assert_false(in_shadow(&m->mm, memory(OWNER, 7)));
		assert_true(m->vcpu[0].mmu.flush);
		for (i = 0; i < PAGE_SIZE; i++)
			assert_int_equal(memory(MAPPER, PAGE)[i], 0);
		assert_int_equal(word(MAPPER, PAGE), 0);
		assert_int_equal(word(OWNER, 7), 0x7779);
		touch(VA);
		assert_true(in_shadow(&m->mm, memory(MAPPER, PAGE)));
		verify();
		set_word(MAPPER, PAGE, 0x1234);
		assert_int_equal(word(OWNER, 7), 0x7779);
		assert_int_equal(unmap(PAGE), -VMI_EINVAL);
	}
}

/* In what one large page of ours has mapped; with the first of that, too. */
static void test_large(void **state)
{
	static const uint32_t at[] = { IN_LARGE, 0x200, 0x3ff };
	uint32_t i;
	enum format f;

	(void)state;
	for (f = LEGACY; f < FORMATS; f++) {
		set_up(f);
		touch(VA_LARGE);
		for (i = 0; i < ARRAY_SIZE(at); i++) {
			uint32_t own = f == LEGACY ? at[i] - 0x200 : at[i];

			if (own >= TOP && own <= TABLE)
				continue;
			touch(VA_LARGE);
			assert_true(in_shadow(&m->mm, memory(MAPPER, own)));
			assert_int_equal(map(7, own), 0);
			assert_false(in_shadow(&m->mm, memory(MAPPER, own)));
			touch(VA_LARGE + (at[i] % 512) * PAGE_SIZE);
			assert_true(in_shadow(&m->mm, memory(OWNER, 7)));
			assert_false(in_shadow(&m->mm, memory(MAPPER, own)));
			assert_false(in_shadow(&m->mm, memory(OWNER, 8)));
			assert_false(in_shadow(&m->mm, memory(OWNER, 6)));
			verify();
			assert_int_equal(unmap(own), 0);
			assert_false(in_shadow(&m->mm, memory(OWNER, 7)));
			/* And large again. */
			assert_false(mm_view(&m->mm, own) != VIEW_ALL);
			touch(VA_LARGE + (at[i] % 512) * PAGE_SIZE);
			verify();
		}
	}
}

/* What the mapper's shadow has of a page is looked for without the owner. */
static void test_owner_goes_on(void **state)
{
	enum format f;

	(void)state;
	for (f = LEGACY; f < FORMATS; f++) {
		set_up(f);
		touch(VA);
		kicks = 0;
		m->vcpu[0].mmu.inside = true;
		assert_int_equal(map(7, PAGE), 0);
		assert_int_equal(kicks, 1);
		touch(VA);
		m->vcpu[0].mmu.inside = true;
		assert_int_equal(unmap(PAGE), 0);
		assert_int_equal(kicks, 2);
		assert_int_equal(o->mm.frames[7].shared, 0);
		assert_int_equal(m->mm.frames[PAGE].shared, 0);
	}
}

/* ---- errors ------------------------------------------------------------------------ */

static void test_tokens(void **state)
{
	uint8_t first[VMI_TOKEN_BYTES], guessed[VMI_TOKEN_BYTES] = { 0 };
	uint8_t *at;
	uint32_t i;

	(void)state;
	set_up(LEGACY);
	at = memory(MAPPER, TOKEN_AT / PAGE_SIZE);
	assert_int_equal(call_of(MAPPER, VMI_HC_Token, OWNER, RAM, 0), -VMI_EFAULT);
	assert_int_equal(call_of(MAPPER, VMI_HC_Token, OWNER, RAM - 31, 0),
			 -VMI_EFAULT);
	assert_int_equal(token_of(MAPPER, MAPPER), -VMI_EINVAL);
	assert_int_equal(token_of(MAPPER, GUESTS), -VMI_EINVAL);
	config[THIRD].unmanaged = true;
	assert_int_equal(token_of(MAPPER, THIRD), -VMI_EINVAL);
	config[THIRD].unmanaged = false;
	/* Zeros are none, nor is one with a bit that is another. */
	memcpy(at, guessed, sizeof(guessed));
	assert_int_equal(map_of(MAPPER, 7, PAGE), -VMI_EINVAL);
	assert_int_equal(token_of(MAPPER, OWNER), 0);
	memcpy(first, at, sizeof(first));
	for (i = 0; i < 8 * VMI_TOKEN_BYTES; i++) {
		memcpy(at, first, sizeof(first));
		at[i / 8] ^= 1 << i % 8;
		assert_int_equal(map_of(MAPPER, 7, PAGE), -VMI_EINVAL);
	}
	/* Another's, in the hands of a third. */
	memcpy(memory(THIRD, TOKEN_AT / PAGE_SIZE), first, sizeof(first));
	assert_int_equal(map_of(THIRD, 7, PAGE), -VMI_EINVAL);
	memcpy(at, first, sizeof(first));
	assert_int_equal(map_of(MAPPER, 7, PAGE), 0);
	assert_int_equal(map_of(MAPPER, 7, PAGE + 1), -VMI_EINVAL);
	assert_int_equal(unmap(PAGE), 0);
	assert_int_equal(map_of(MAPPER, 7, PAGE), -VMI_EINVAL);
	/* The last eight are good. */
	token_of(MAPPER, OWNER);
	memcpy(first, at, sizeof(first));
	for (i = 0; i < VMI_TOKENS - 1; i++)
		token_of(MAPPER, OWNER);
	assert_memory_not_equal(first, at, sizeof(first));
	memcpy(guessed, at, sizeof(first));
	memcpy(at, first, sizeof(first));
	assert_int_equal(map_of(MAPPER, 7, PAGE), 0);
	token_of(MAPPER, OWNER);
	token_of(MAPPER, OWNER);
	memcpy(first, at, sizeof(first));
	for (i = 0; i < VMI_TOKENS; i++)
		token_of(MAPPER, OWNER);
	memcpy(at, first, sizeof(first));
	assert_int_equal(map_of(MAPPER, 7, PAGE + 1), -VMI_EINVAL);
	memcpy(at, guessed, sizeof(guessed));
	assert_int_equal(map_of(MAPPER, 7, PAGE + 1), -VMI_EINVAL);
}

/* After each the token is as good as before, and nothing has changed. */
static void test_errors(void **state)
{
	static const struct {
		uint64_t	token, theirs, own;
		int64_t		error;
	} bad[] = {
		{ RAM, 0x7000, PAGE << 12, -VMI_EFAULT },
		{ RAM - 31, 0x7000, PAGE << 12, -VMI_EFAULT },
		{ UINT64_MAX - 7, 0x7000, PAGE << 12, -VMI_EFAULT },
		{ TOKEN_AT, 0x7001, PAGE << 12, -VMI_EINVAL },
		{ TOKEN_AT, 0x7000, (PAGE << 12) + 8, -VMI_EINVAL },
		{ TOKEN_AT, RAM, PAGE << 12, -VMI_EFAULT },
		{ TOKEN_AT, 0x7000, RAM, -VMI_EFAULT },
		{ TOKEN_AT, 0xfee00000, PAGE << 12, -VMI_EFAULT },
		{ TOKEN_AT, 0x7000, 0xfee00000, -VMI_EFAULT },
		{ TOKEN_AT, 1ull << 63, PAGE << 12, -VMI_EFAULT },
		{ TOKEN_AT, 0x7000, 1ull << 52, -VMI_EFAULT },
		{ TOKEN_AT + 8, 0x7000, PAGE << 12, -VMI_EINVAL },
	};
	static uint8_t before[RAM], theirs[RAM];
	uint32_t i;

	(void)state;
	set_up(LEGACY);
	assert_int_equal(map(9, PAGE + 9), 0);
	token_of(MAPPER, OWNER);
	memcpy(before, memory(MAPPER, 0), RAM);
	memcpy(theirs, memory(OWNER, 0), RAM);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(call_of(MAPPER, VMI_HC_PageMap, bad[i].token,
					 bad[i].theirs, bad[i].own),
				 bad[i].error);
	/* Where it has one already. */
	assert_int_equal(map_of(MAPPER, 7, PAGE + 9), -VMI_EBUSY);
	assert_int_equal(unmap(PAGE), -VMI_EINVAL);
	assert_int_equal(unmap(RAM), -VMI_EINVAL);
	assert_int_equal(unmap(1ull << 40), -VMI_EINVAL);
	assert_int_equal(call_of(MAPPER, VMI_HC_PageUnmap,
				 ((PAGE + 9) << 12) + 1, 0, 0), -VMI_EINVAL);
	/* In the hands of who has not made it. */
	assert_int_equal(call_of(THIRD, VMI_HC_PageUnmap, (PAGE + 9) << 12, 0,
				 0), -VMI_EINVAL);
	assert_memory_equal(before, memory(MAPPER, 0), RAM);
	assert_memory_equal(theirs, memory(OWNER, 0), RAM);
	assert_int_equal(map_of(MAPPER, 7, PAGE), 0);
}

/* A page that is itself a third one's; as many as can be. */
static void test_limits(void **state)
{
	uint32_t i;

	(void)state;
	set_up(LEGACY);
	config[OWNER].rights = VMI_RIGHT_INTROSPECT;
	assert_true(pages_init(o));
	assert_int_equal(token_of(OWNER, THIRD), 0);
	assert_int_equal(map_of(OWNER, 5, 7), 0);
	assert_int_equal(map(7, PAGE), -VMI_EINVAL);
	assert_int_equal(call_of(OWNER, VMI_HC_PageUnmap, 7 << 12, 0, 0), 0);
	assert_int_equal(map_of(MAPPER, 7, PAGE), 0);
	/* One that is mapped can be put away; who has it keeps it. */
	set_word(OWNER, 7, 0x77);
	set_word(THIRD, 5, 0x55);
	assert_int_equal(token_of(OWNER, THIRD), 0);
	assert_int_equal(map_of(OWNER, 5, 7), 0);
	assert_int_equal(word(OWNER, 7), 0x55);
	assert_int_equal(word(MAPPER, PAGE), 0x77);
	assert_int_equal(call_of(OWNER, VMI_HC_PageUnmap, 7 << 12, 0, 0), 0);
	assert_int_equal(word(MAPPER, PAGE), 0);
	set_word(MAPPER, PAGE, 0x78);
	assert_int_equal(word(OWNER, 7), 0x78);
	assert_int_equal(unmap(PAGE), 0);

	/* The same one again and again. */
	for (i = 0; i < UINT8_MAX; i++)
		assert_int_equal(map(7, 0x200 + i), 0);
	assert_int_equal(map(7, 0x200 + i), -VMI_EBUSY);
	set_word(OWNER, 7, 0x79);
	assert_int_equal(word(MAPPER, 0x200), 0x79);
	assert_int_equal(word(MAPPER, 0x2fe), 0x79);
	assert_int_equal(word(MAPPER, 0x2ff), 0);
	assert_int_equal(unmap(0x280), 0);
	assert_int_equal(map(7, 0x2ff), 0);
	pages_end(m);
	assert_int_equal(o->mm.frames[7].shared, 0);
}

static void test_many(void **state)
{
	uint32_t i;

	(void)state;
	set_up(LEGACY);
	for (i = 0; i < VMI_PAGES_MAX; i++)
		assert_int_equal(map(i, 0x400 + i % 0x3ff), i == 0x3ff ?
				 -VMI_EBUSY : 0);
	assert_int_equal(map(i, PAGE), 0);
	assert_int_equal(map(i, PAGE + 1), -VMI_ENOMEM);
	assert_int_equal(unmap(PAGE), 0);
	assert_int_equal(map_of(MAPPER, 5, PAGE + 1), 0);
	pages_end(m);
	assert_int_equal(map(i, PAGE + 1), 0);
}

/* 512 frames in a row that no large page can map: they begin elsewhere. */
static void test_row(void **state)
{
	enum format f;
	uint32_t i;

	(void)state;
	for (f = LEGACY; f < FORMATS; f++) {
		set_up(f);
		for (i = 0; i < 512; i++) {
			set_word(OWNER, 0x21 + i, 0x7700 + i);
			assert_int_equal(map(0x21 + i, 0x200 + i), 0);
		}
		assert_false(gmem_large(&m->mm.gmem, 0x200));
		assert_int_equal(word(MAPPER, 0x200), 0x7700);
		assert_int_equal(word(MAPPER, 0x3ff), 0x78ff);
		if (f == LEGACY)	/* whose large page begins elsewhere */
			continue;
		touch(VA_LARGE);
		assert_true(in_shadow(&m->mm, memory(OWNER, 0x21)));
		assert_false(in_shadow(&m->mm, memory(OWNER, 0x20)));
		assert_false(in_shadow(&m->mm, memory(OWNER, 0x22)));
	}
}

/* ---- tables -------------------------------------------------------------------------- */

/* In place of each of the mapper's own tables: a copy in the owner's memory, which maps
 * something else. */
static void test_own_tables(void **state)
{
	enum format f;
	uint32_t gfn;

	(void)state;
	for (f = LEGACY; f < FORMATS; f++) {
		for (gfn = TOP; gfn <= TABLE; gfn++) {
			set_up(f);
			touch(VA);
			memcpy(memory(OWNER, 7), memory(MAPPER, gfn), PAGE_SIZE);
			assert_int_equal(map(7, gfn), 0);
			assert_false(in_shadow(&m->mm, memory(MAPPER, gfn)));
			touch(VA);
			assert_true(in_shadow(&m->mm, memory(MAPPER, PAGE)));
			verify();
			if (gfn == TABLE) {
				/* What the owner does there is seen with a
				 * flush at the latest. */
				uint64_t entry = (PAGE + 1) << 12 | RIGHTS;

				memcpy(memory(OWNER, 7), &entry,
				       f == LEGACY ? 4 : 8);
				verify();
			}
			pages_end(o);
			/* Zeros: nothing is mapped by it. */
			assert_int_equal(word(MAPPER, gfn), 0);
			assert_false(in_shadow(&m->mm, memory(OWNER, 7)));
			verify();
			map_own();
			if (f == PAE)	/* the processor's copies of its entries */
				assert_true(mmu_set_cr3(&m->vcpu[0].mmu,
							TOP << 12));
			touch(VA);
			assert_true(in_shadow(&m->mm, memory(MAPPER, PAGE)));
		}
	}
}

/* In place of each a page of zeros. */
static void test_no_tables(void **state)
{
	enum format f;
	uint32_t gfn;

	(void)state;
	for (f = LEGACY; f < FORMATS; f++) {
		for (gfn = TOP; gfn <= TABLE; gfn++) {
			if ((f == LEGACY && gfn != TOP && gfn != TABLE) ||
			    (f == PAE && gfn == MIDDLE))
				continue;
			set_up(f);
			touch(VA);
			assert_int_equal(map(8, gfn), 0);
			if (f == WIDE)
				assert_false(long_allows(&m->vcpu[0].mmu, VA,
							 PF_W));
			else
				assert_false(mmu_allows(&m->vcpu[0].mmu, VA,
							PF_W));
		}
	}
}

/* Another directory in place of the one that CR3 says: what the owner writes there
 * counts, and what is in the mapper's frame does not. */
static void test_directory(void **state)
{
	uint64_t none[512] = { 0 };
	uint32_t error;
	enum format f;
	gpa_t pa;

	(void)state;
	for (f = LEGACY; f < WIDE; f++) {
		uint32_t gfn = f == LEGACY ? TOP : LOWER;

		set_up(f);
		memcpy(memory(OWNER, 7), memory(MAPPER, gfn), PAGE_SIZE);
		assert_int_equal(map(7, gfn), 0);
		memset(memory(MAPPER, gfn), 0, PAGE_SIZE);
		touch(VA);
		assert_int_equal(unmap(gfn), 0);
		memcpy(memory(MAPPER, gfn), memory(OWNER, 7), PAGE_SIZE);
		memcpy(memory(OWNER, 7), none, PAGE_SIZE);
		touch(VA);
		assert_int_equal(map(7, gfn), 0);
		error = PF_W;
		assert_int_equal(mmu_fault(&m->vcpu[0].mmu, VA, &error, &pa),
				 FAULT_GUEST);
	}
}

/* What the mapper writes to a table of the owner's is in effect when it has given
 * that back; here the one with tables is the owner. */
static void test_their_table(void **state)
{
	uint64_t entry = (PAGE + 1) << 12 | RIGHTS;
	enum format f;

	(void)state;
	for (f = LEGACY; f < FORMATS; f++) {
		set_up(f);
		touch(VA);
		assert_true(in_shadow(&m->mm, memory(MAPPER, PAGE)));
		assert_int_equal(token_of(THIRD, MAPPER), 0);
		assert_int_equal(map_of(THIRD, TABLE, 50), 0);
		assert_true(gmem_write(&guest[THIRD].mm.gmem, 50 << 12, &entry,
				       f == LEGACY ? 4 : 8));
		verify();
		m->vcpu[0].mmu.flush = 0;
		assert_int_equal(call_of(THIRD, VMI_HC_PageUnmap, 50 << 12, 0,
					 0), 0);
		assert_false(in_shadow(&m->mm, memory(MAPPER, PAGE)));
		assert_true(m->vcpu[0].mmu.flush);
		verify();
		touch(VA);
		assert_true(in_shadow(&m->mm, memory(MAPPER, PAGE + 1)));
	}
}

/* ---- views --------------------------------------------------------------------------- */

static void test_views(void **state)
{
	uint32_t error = PF_W;
	gpa_t pa;

	(void)state;
	set_up(LEGACY);
	assert_true(mm_view_set(&m->mm, PAGE, VIEW_R));
	assert_true(mm_view_set(&o->mm, 7, 0));
	set_word(OWNER, 7, 0x77);
	assert_int_equal(map(7, PAGE), 0);
	assert_int_equal(word(MAPPER, PAGE), 0x77);
	/* The view is of the place. */
	assert_int_equal(mm_view(&m->mm, PAGE), VIEW_R);
	assert_int_equal(mmu_fault_view(&m->vcpu[0].mmu, VA, &error, &pa, false),
			 FAULT_REFUSED);
	mm_view_none(&m->mm);
	touch(VA);
	assert_true(in_shadow(&m->mm, memory(OWNER, 7)));
	/* And the large page is none still. */
	touch(VA_LARGE);
	assert_false(in_shadow(&m->mm, memory(MAPPER, PAGE)));
	assert_true(mm_view_set(&m->mm, PAGE, 0));
	mmu_view_drop(&m->vcpu[0].mmu, PAGE);
	assert_false(in_shadow(&m->mm, memory(OWNER, 7)));
	assert_true(mm_view_set(&m->mm, PAGE, VIEW_ALL));
	assert_int_equal(unmap(PAGE), 0);
	assert_int_equal(word(MAPPER, PAGE), 0);
	assert_int_equal(mm_view(&o->mm, 7), 0);
	touch(VA_LARGE);
	assert_true(in_shadow(&m->mm, memory(MAPPER, PAGE)));
}

/* Any order of views and frames of another: a frame is hidden if its view says so, or
 * if it is the first of 512 that one large page must not map. */
static void test_views_random(void **state)
{
	enum { FRAMES = RAM / PAGE_SIZE };
	static uint8_t view[FRAMES];
	static uint64_t frame[FRAMES];
	uint64_t seed = 1, r, first;
	uint32_t round, i, gfn;
	bool whole;

	(void)state;
	set_up(LEGACY);
	memset(view, VIEW_ALL, sizeof(view));
	for (i = 0; i < FRAMES; i++)
		frame[i] = mm_frame(&m->mm, i);
	for (round = 0; round < 4000; round++) {
		r = unit_random(&seed);
		gfn = r >> 8 & 1 ? (r >> 16) % 8 * 256 : (r >> 16) % FRAMES;
		if (r % 512 == 0) {
			mm_view_none(&m->mm);
			memset(view, VIEW_ALL, sizeof(view));
		} else if (r & 3) {
			view[gfn] = r >> 4 & 1 ? VIEW_ALL : r >> 40 & VIEW_ALL;
			assert_true(mm_view_set(&m->mm, gfn, view[gfn]));
		} else {
			frame[gfn] = mm_frame(r >> 4 & 1 ? &o->mm : &m->mm, gfn);
			if (!(r >> 4 & 1))
				frame[gfn] = host_pa(memory(MAPPER, gfn)) |
					     GMEM_RIGHTS;
			mm_replace(&m->mm, gfn, frame[gfn]);
		}
		first = gfn & ~511u;
		whole = true;
		for (i = first; i < first + 512; i++)
			whole = whole && view[i] == VIEW_ALL &&
				frame[i] == frame[first] + (i - first) * PAGE_SIZE;
		assert_int_equal(gmem_large(&m->mm.gmem, first), whole);
		for (i = first; i < first + 512; i++) {
			assert_int_equal(mm_frame(&m->mm, i), frame[i]);
			assert_int_equal(mm_view(&m->mm, i), view[i]);
			assert_int_equal(gmem_leaf(&m->mm.gmem, i),
					 view[i] == VIEW_ALL &&
					 (i != first || whole) ? frame[i] : 0);
		}
	}
}

/* ---- the end ------------------------------------------------------------------------- */

static void test_owner_ends(void **state)
{
	enum format f;
	uint32_t i;

	(void)state;
	for (f = LEGACY; f < FORMATS; f++) {
		set_up(f);
		for (i = 0; i < 4; i++)
			assert_int_equal(map(7 + i % 2, PAGE + i), 0);
		token_of(MAPPER, THIRD);
		set_word(THIRD, 5, 0x55);
		assert_int_equal(map_of(MAPPER, 5, PAGE + 4), 0);
		touch(VA);
		token_of(MAPPER, OWNER);
		o->ended = true;
		assert_int_equal(map_of(MAPPER, 7, PAGE + 5), -VMI_EINVAL);
		m->vcpu[0].mmu.flush = 0;
		pages_end(o);
		assert_true(m->vcpu[0].mmu.flush);
		assert_false(in_shadow(&m->mm, memory(OWNER, 7)));
		for (i = 0; i < 4; i++) {
			assert_int_equal(word(MAPPER, PAGE + i), 0);
			assert_int_equal(unmap(PAGE + i), -VMI_EINVAL);
		}
		assert_int_equal(word(MAPPER, PAGE + 4), 0x55);
		/* Alive again, as another. */
		o->ended = false;
		o->life++;
		assert_int_equal(map_of(MAPPER, 7, PAGE + 5), -VMI_EINVAL);
		assert_int_equal(map(7, PAGE + 5), 0);
		touch(VA);
		verify();
	}
}

/* All memory is back: what was there before, and no frame of another's. */
static void test_mapper_ends(void **state)
{
	uint64_t entry = (PAGE + 1) << 12 | RIGHTS;

	(void)state;
	set_up(LEGACY);
	assert_int_equal(token_of(THIRD, MAPPER), 0);
	assert_int_equal(map_of(THIRD, TABLE, 50), 0);
	assert_int_equal(token_of(THIRD, OWNER), 0);
	assert_int_equal(map_of(THIRD, 7, 51), 0);
	set_word(OWNER, 7, 0x77);
	touch(VA);
	assert_true(gmem_write(&guest[THIRD].mm.gmem, 50 << 12, &entry, 4));
	guest[THIRD].ended = true;
	pages_end(&guest[THIRD]);
	assert_int_equal(word(THIRD, 50), 0);
	assert_int_equal(word(THIRD, 51), 0);
	assert_false(in_shadow(&m->mm, memory(MAPPER, PAGE)));
	pages_free(&guest[THIRD]);
	mm_free(&guest[THIRD].mm);
	gmem_free(&guest[THIRD].mm.gmem);
	assert_int_equal(word(OWNER, 7), 0x77);
	set_word(OWNER, 7, 0x78);
	verify();
}

/* ---- KVM's registers ------------------------------------------------------------------ */

static void test_kvm(void **state)
{
	struct vcpu *v = &m->vcpu[0];
	uint32_t code64;

	(void)state;
	for (code64 = 0; code64 < 2; code64++) {
		set_up(LEGACY);
		config[MAPPER].personality = KVM;
		set_word(OWNER, 7, 0x77);
		assert_int_equal(token_of(MAPPER, OWNER), 0);
		memset(regs[MAPPER].gpr, 0x5a, sizeof(regs[MAPPER].gpr));
		regs[MAPPER].gpr[EAX] = 32;
		regs[MAPPER].gpr[EBX] = TOKEN_AT;
		regs[MAPPER].gpr[ECX] = 7 << 12;
		regs[MAPPER].gpr[EDX] = PAGE << 12;
		assert_true(personality_vmcall(v, 3, code64));
		dispatch_late(v);
		assert_int_equal(regs[MAPPER].gpr[EAX], 0);
		assert_int_equal(word(MAPPER, PAGE), 0x77);
		regs[MAPPER].gpr[EAX] = 33;
		regs[MAPPER].gpr[EBX] = PAGE << 12;
		assert_true(personality_vmcall(v, 3, code64));
		dispatch_late(v);
		assert_int_equal(regs[MAPPER].gpr[EAX], 0);
		assert_int_equal(word(MAPPER, PAGE), 0);
		/* It has no number for the third. */
		regs[MAPPER].gpr[EAX] = 35;
		assert_true(personality_vmcall(v, 3, code64));
		assert_int_equal((int32_t)regs[MAPPER].gpr[EAX], -VMI_EINVAL);
	}
}

/* ---- random numbers ------------------------------------------------------------------- */

static void test_random(void **state)
{
	/* Of SipHash's authors: bytes 0 to 15 as the key, 0 to 7 as the text. */
	const uint64_t key[2] = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };
	struct random a = { { 0, 0 }, 0 }, b = { { 0, 0 }, 0 };
	uint32_t i, bits = 0;

	(void)state;
	assert_int_equal(random_hash(key, key, 1), 0x93f5f5799a932462);
	assert_int_equal(random_hash(key, key, 0), 0x726fdb47dd0e0e31);
	random_init(&a);
	random_init(&b);
	for (i = 0; i < 1000; i++)
		bits += __builtin_popcountll(random_word(&a) ^ random_word(&b));
	assert_true(bits > 30000 && bits < 34000);
}

#define TEST(name)	cmocka_unit_test_teardown(name, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_map),
		TEST(test_large),
		TEST(test_owner_goes_on),
		TEST(test_tokens),
		TEST(test_errors),
		TEST(test_limits),
		TEST(test_many),
		TEST(test_row),
		TEST(test_own_tables),
		TEST(test_no_tables),
		TEST(test_directory),
		TEST(test_their_table),
		TEST(test_views),
		TEST(test_views_random),
		TEST(test_owner_ends),
		TEST(test_mapper_ends),
		TEST(test_kvm),
		TEST(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The shadow tables and the queue against a reference model: the guest's
 * tables walked as the SDM says (Vol. 3, 4.3). A guest changes tables at
 * random, keeps the rules of x86 and VMI about telling, and accesses memory;
 * each access must fault or succeed as the model says, and nothing that the
 * shadow maps may go beyond the guest's tables of that moment.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <cpu.h>

#include "shadow.h"

#define GUEST_MB	7	/* the last large page is not all there */
#define FRAMES		(GUEST_MB * 256)
#define MACHINE_MB	32
#define POOL		48	/* small: it must run dry now and then */
#define RAM_PA		(4u << 20)
#define LINEAR_VA	0xc0000000u
#define HOLE		0xfc000000u

#define P	0x001u
#define W	0x002u
#define U	0x004u
#define A	0x020u
#define D	0x040u
#define PS	0x080u
#define LINK	0x200u
#define PD_ROLE	1	/* SP_PD of shadow.c */
#define ADDR	0x000ffffffffff000ull

static struct guest *g;
static struct regs regs;
static struct vcpu *v;
struct vcpu *current;
static uint64_t next_pa;
static jmp_buf killed;
static uint32_t seed;
static bool wide;		/* the guest uses PAE */

/* ---- what the code under test calls ------------------------------------- */

void *memory_alloc(uint64_t bytes, uint64_t align)
{
	uint64_t at = (next_pa + align - 1) & -align;

	next_pa = at + bytes;
	assert_true(next_pa <= MACHINE_MB << 20);
	return machine_memory + at;
}

void guest_kill(struct vcpu *vcpu, const char *fmt, ...)
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
	(void)vcpu;
	check_expected(index);
}

void cr3_write(struct vcpu *vcpu, uint32_t value)
{
	vcpu->cr3 = value;
	shadow_load(vcpu);
}

/* ---- the model ---------------------------------------------------------- */

static uint32_t rnd(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (uint64_t)(seed >> 1) * n >> 31;
}

static uint32_t *ram(uint32_t pa)
{
	return (uint32_t *)(machine_memory + RAM_PA + pa);
}

/* A hole in the middle of memory. */
#define HOLE_FRAME	1024u
#define HOLE_FRAMES	512u

static bool absent(uint64_t pa)
{
	uint64_t gfn = pa >> 12;

	return gfn >= FRAMES || gfn - HOLE_FRAME < HOLE_FRAMES;
}

/* Entry i of the guest table at this address, in either format. */
static uint64_t get(uint32_t table, uint32_t i)
{
	return wide ? ((uint64_t *)ram(table))[i] : ram(table)[i];
}

static void put(uint32_t table, uint32_t i, uint64_t val)
{
	if (wide)
		((uint64_t *)ram(table))[i] = val;
	else
		ram(table)[i] = val;
}

static uint32_t entry_at(uint32_t table, uint32_t i)
{
	return table + i * (wide ? 8 : 4);
}

struct model {
	uint64_t pa;
	uint32_t rights;	/* P W U of both levels, D of the leaf */
	bool nx;
};

static bool model_walk(uint32_t cr3, uint32_t va, struct model *m)
{
	uint32_t dir = cr3 & ~0xfffu, mask = wide ? 0x1ff000 : 0x3ff000;
	uint64_t pde, pte;

	m->rights = 0;
	if (wide) {
		pde = get(cr3 & ~0x1fu, va >> 30);
		dir = pde & 0xfffff000;
		if (!(pde & P) || absent(pde))
			return false;
	}
	pde = get(dir, wide ? va >> 21 & 511 : va >> 22);
	if (!(pde & P))
		return false;
	if (pde & PS) {
		m->pa = (pde & ADDR & ~(uint64_t)(mask | 0xfff)) | (va & mask);
		m->rights = pde & (P | W | U | D | A);
		m->nx = pde >> 63;
		return true;
	}
	pte = get(pde & 0xfffff000, va >> 12 & (wide ? 511 : 1023));
	if (!(pte & P))
		return false;
	m->pa = pte & ADDR;
	m->nx = (pde | pte) >> 63;
	m->rights = (pde & pte & (P | W | U | A)) | (pte & D);
	return true;
}

/* 0, or the error code with bit 31 set. */
static uint32_t model_access(uint32_t va, bool write, bool user)
{
	struct model m;
	uint32_t code = 1u << 31 | (write ? PF_W : 0) | (user ? PF_U : 0);
	bool wp = v->cr0 & CR0_WP;

	if (va >= HOLE)
		return code;
	if (!model_walk(v->cr3, va, &m))
		return code;
	if ((user && !(m.rights & U)) ||
	    (write && !(m.rights & W) && (user || wp)))
		return code | PF_P;
	return 0;
}

/* ---- the CPU: walk what PDPT and below say ------------------------------ */

static bool cpu_walk(uint32_t va, uint64_t *pa, uint32_t *rights)
{
	uint64_t e = g->shadow.pdpt[va >> 30];
	uint64_t *t;

	*rights = W | U;
	if (!(e & P))
		return false;
	*rights &= e;
	t = pa_to_va(e & ADDR);
	e = t[va >> 21 & 511];
	if (!(e & P))
		return false;
	*rights &= e;
	if (e & PS) {
		*pa = (e & ADDR & ~0x1fffffull) | (va & 0x1ff000);
		return true;
	}
	t = pa_to_va(e & ADDR);
	e = t[va >> 12 & 511];
	if (!(e & P))
		return false;
	*rights &= e;
	*pa = e & ADDR;
	return true;
}

static bool cpu_allows(uint32_t va, bool write, bool user, uint64_t *pa)
{
	uint32_t rights;

	return cpu_walk(va, pa, &rights) && (!user || (rights & U)) &&
	       (!write || (rights & W));
}

/*
 * A TLB that remembers everything since the last flush: what it holds must
 * still be in the shadow tables, or somebody forgot to flush.
 */
static struct { uint32_t va, rights; uint64_t pa; } tlb[64];
static unsigned int tlb_used, tlb_seen;

static void tlb_check(void)
{
	uint32_t rights, i;
	uint64_t pa;

	if (tlb_seen != tlb_flushes)
		tlb_used = 0;
	tlb_seen = tlb_flushes;
	for (i = 0; i < tlb_used; i++) {
		assert_true(cpu_walk(tlb[i].va, &pa, &rights));
		assert_int_equal(pa, tlb[i].pa);
		assert_int_equal(tlb[i].rights & ~rights, 0);
	}
}

static void tlb_fill(uint32_t va)
{
	if (tlb_used == ARRAY_SIZE(tlb))
		return;
	tlb[tlb_used].va = va;
	assert_true(cpu_walk(va, &tlb[tlb_used].pa, &tlb[tlb_used].rights));
	tlb_used++;
}

/* An access as the guest makes it: faults are resolved until it is through. */
static void do_access(uint32_t va, bool write, bool user)
{
	uint32_t want = model_access(va, write, user), error;
	uint32_t bits = write ? A | D : A;
	uint64_t pa;
	struct model m;
	gpa_t bus;

	error = (write ? PF_W : 0) | (user ? PF_U : 0);
	if (!cpu_allows(va, write, user, &pa)) {
		assert_false(shadow_allows(g, va, error));
		queue_drain(v);
		switch (shadow_fault(v, va, &error, &bus)) {
		case FAULT_GUEST:
			assert_int_equal(error | 1u << 31, want);
			return;
		case FAULT_BUS:
			assert_true(absent(bus) && write);
			return;
		case FAULT_TABLE:
			fail();
			return;
		case FAULT_FIXED:
			break;
		}
		assert_true(cpu_allows(va, write, user, &pa));
	}
	/* The guest keeps the rules here, so nothing stale is in the way. */
	assert_int_equal(want, 0);
	assert_true(model_walk(v->cr3, va, &m));
	if (!absent(m.pa))
		assert_int_equal(pa, RAM_PA + m.pa);
	else
		assert_int_equal(pa, g->mem.bus & ADDR);
	assert_int_equal(m.rights & bits & D, bits & D);
	assert_true(m.rights & A);
	tlb_check();
	tlb_fill(va);
}

/* ---- everything that is mapped, against the model ----------------------- */

static void check_leaf(uint32_t cr3, uint32_t va, uint64_t e, uint64_t above)
{
	struct model m;
	bool force = !(v->cr0 & CR0_WP);

	assert_true(model_walk(cr3, va, &m));
	assert_true(m.rights & A);
	if (m.nx)
		assert_true((e | above) >> 63);
	if (!absent(m.pa))
		assert_int_equal(e & ADDR & ~(e & PS ? 0x1fffffull : 0),
				 RAM_PA + (m.pa & ~(e & PS ? 0x1fffffu : 0)));
	else
		assert_int_equal(e & ADDR, g->mem.bus & ADDR);
	if (e & above & U)
		assert_true(m.rights & U);
	if (e & above & W) {
		assert_true(m.rights & D);
		assert_true((m.rights & W) || (force && !(e & above & U)));
	}
}

static void check_all(void)
{
	struct shadow *s = &g->shadow;
	uint32_t i, q, j, k, used = 0, n = 0, links = 0, parents = 0;

	for (i = 1; i < ROOTS; i++) {
		struct root *r = &s->roots[i];

		if (!r->used)
			continue;
		for (q = 0; q < 4; q++) {
			uint64_t *pd;

			if (!r->pd[q])
				continue;
			pd = r->pd[q]->table;
			if (q == HOLE >> 30)
				assert_int_equal(pd[HOLE >> 21 & 511] & ADDR,
						 va_to_pa(s->hole_pt));
			for (j = 0; j < 512; j++) {
				uint32_t va = q << 30 | j << 21;
				uint64_t *pt = pa_to_va(pd[j] & ADDR);

				if (!(pd[j] & P) || va >= HOLE)
					continue;
				if (pd[j] & PS) {
					check_leaf(r->gfn << 12 | r->offset,
						   va, pd[j], W | U);
					continue;
				}
				assert_true(pd[j] & LINK);
				for (k = 0; k < 512; k++)
					if (pt[k] & P)
						check_leaf(r->gfn << 12 |
							   r->offset,
							   va | k << 12, pt[k],
							   pd[j]);
			}
		}
	}
	for (i = 1; i < s->count; i++) {
		if (!s->pages[i].role)
			continue;
		used++;
		if (s->pages[i].role != PD_ROLE) {
			parents += s->pages[i].parents;
			continue;
		}
		for (j = 0; j < 512; j++)
			links += !!(s->pages[i].table[j] & LINK);
		for (j = n = 0; j < ROOTS; j++)
			for (q = 0; q < 4; q++)
				n += s->roots[j].pd[q] == &s->pages[i];
		assert_int_equal(n, s->pages[i].parents);
	}
	n = 0;
	for (i = s->free; i; i = s->pages[i].next)
		n++;
	assert_int_equal(n, s->free_count);
	assert_int_equal(n + used, s->count - 1);
	assert_int_equal(links, parents);
}

/* ---- the guest ---------------------------------------------------------- */

/*
 * Frames 16-19 are page directories, 20-29 page tables, and with PAE 30 and
 * 31 hold two PDPTs each. Tables may also be mapped as data, and a directory
 * can be linked as a table.
 */
#define PDS	4
#define PTS	10

static uint32_t random_table(bool pd)
{
	return pd ? 16 + rnd(PDS) : 20 + rnd(PTS);
}

static uint32_t random_cr3(void)
{
	return wide ? (30 + rnd(2)) << 12 | rnd(2) << 5 : random_table(true) << 12;
}

static void tell(uint32_t pa)
{
	volatile struct stub_shared *sh = v->sh;

	if (!sh->tail)
		queue_drain(v);
	sh->queue[STUB_QUEUE_LEN + sh->tail++] =
		rnd(2) ? LINEAR_VA + pa : pa | STUB_Q_UPDATE_PA;
}

static void tell_page(uint32_t gfn, uint32_t op)
{
	volatile struct stub_shared *sh = v->sh;

	if (!sh->tail)
		queue_drain(v);
	sh->queue[STUB_QUEUE_LEN + sh->tail++] = gfn << 12 | op | STUB_Q_PAGE;
}

static uint64_t random_pte(void)
{
	uint64_t pte = rnd(8) ? P : 0;

	pte |= rnd(4) ? W : 0;
	pte |= rnd(4) ? U : 0;
	pte |= rnd(2) ? A : 0;
	pte |= rnd(2) ? D : 0;
	if (wide && !rnd(16))	/* far beyond the guest's memory */
		return pte | 1ull << 44;
	pte |= wide && !rnd(4) ? 1ull << 63 : 0;
	/* Now and then a table as data, or nothing at all. */
	return pte | (rnd(8) ? rnd(FRAMES) : rnd(2) ? 16 + rnd(14) :
		      FRAMES + rnd(64)) << 12;
}

static uint64_t random_pde(void)
{
	uint64_t pde = random_pte() & 0x8000000000000fffull;

	if (!rnd(4))
		return pde | PS | (wide ? rnd(8) << 21 : rnd(4) << 22);
	return pde | (rnd(8) ? random_table(false) : random_table(true)) << 12;
}

/* Few addresses, so that things meet. */
static uint32_t random_va(void)
{
	static const uint32_t at[] = { 0, 1, 2, 768, 769, 1007 };

	return at[rnd(6)] << 22 | rnd(2) << 21 | rnd(4) << 12;
}

static uint32_t random_pde_index(void)
{
	/* Now and then where the hole is, which has no effect. */
	uint32_t va = rnd(8) ? random_va() : HOLE;

	return wide ? va >> 21 & 511 : va >> 22;
}

static uint32_t random_pte_index(void)
{
	return (wide ? 0 : rnd(2) << 9) | rnd(4);
}

static void flush(void)
{
	queue_drain(v);
	shadow_flush(v);
	check_all();
}

static void step(void)
{
	uint32_t pa, i;

	switch (rnd(15)) {
	case 0:			/* tables are told of: nothing stale after a drain */
	case 1:
		pa = random_table(false) << 12;
		i = random_pte_index();
		put(pa, i, random_pte());
		tell(entry_at(pa, i));
		break;
	case 2:
		pa = random_table(true) << 12;
		i = random_pde_index();
		put(pa, i, random_pde());
		tell(entry_at(pa, i));
		break;
	case 10:
		if (!wide || rnd(4))
			break;
		pa = random_cr3();
		i = rnd(4);
		put(pa, i, rnd(4) ? random_table(true) << 12 | P : 0);
		tell(entry_at(pa, i));
		break;
	case 3:
		queue_drain(v);
		cr3_write(v, random_cr3());
		check_all();
		break;
	case 4:
		if (!rnd(4))
			flush();
		break;
	case 5:			/* a page leaves and comes back, cleared */
		pa = random_table(wide && rnd(2));
		if (rnd(2))	/* or freed without a word */
			tell_page(pa, STUB_QP_RELEASE);
		memset(ram(pa << 12), 0, 4096);
		tell_page(pa, STUB_QP_ALLOC);
		break;
	case 6:			/* directories that agree, as kernels have */
		if (wide)
			break;
		pa = random_table(true) << 12;
		memcpy(ram((16 + rnd(PDS)) << 12) + 768, ram(pa) + 768, 1024);
		for (pa = 16; pa < 16 + PDS; pa++)
			tell_page(pa, STUB_QP_ALLOC);
		break;
	case 9:
		if (!rnd(8)) {
			queue_drain(v);
			v->cr0 ^= CR0_WP;
			shadow_zap(g);
		}
		break;
	case 7:
		queue_drain(v);
		shadow_inval(v, random_va());
		shadow_flush_tlb(g);
		check_all();
		break;
	default:
		/* Untold changes of the past are not in the way: tell first. */
		queue_drain(v);
		do_access(random_va(), rnd(2), rnd(2));
	}
	tlb_check();
}

static int setup(void **state)
{
	(void)state;
	machine_memory = calloc(MACHINE_MB, 1 << 20);
	g = calloc(1, sizeof(*g));
	v = &g->vcpu;
	v->g = g;
	regs.cs = 0x73;
	v->regs = &regs;
	next_pa = RAM_PA;
	assert_true(gmem_init(&g->mem, GUEST_MB << 20));
	assert_int_equal(gmem_leaf(&g->mem, 0) & ADDR, RAM_PA);
	memset(g->mem.p2m + HOLE_FRAME, 0, HOLE_FRAMES * 8);
	v->sh = memory_alloc(sizeof(*v->sh), 4096);
	v->sh->tail = -STUB_QUEUE_LEN;
	v->sh->linear[0].va = LINEAR_VA;
	v->sh->linear[0].bytes = FRAMES << 12;
	assert_null(shadow_init(g, POOL));
	v->hole = HOLE;
	v->guest_last = HOLE - 1;
	v->cr0 = CR0_PG | CR0_WP;
	v->cr4 = wide ? CR4_PAE : CR4_PSE;
	v->efer = wide ? EFER_NXE : 0;
	v->cr3 = wide ? 30 << 12 : 16 << 12;
	if (wide)
		put(30 << 12, 0, 16 << 12 | P);
	shadow_mode(v);
	tlb_used = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(g);
	free(machine_memory);
	return 0;
}

/* ---- tests -------------------------------------------------------------- */

static int setup_pae(void **state)
{
	wide = true;
	return setup(state);
}

static int teardown_pae(void **state)
{
	wide = false;
	return teardown(state);
}

static void test_random_updates(void **state)
{
	uint64_t zaps = 0;
	uint32_t run, i;

	for (run = 0; run < 40; run++) {
		teardown(state);
		setup(state);
		v->verify = true;
		seed = run;
		for (i = 0; i < 2000; i++)
			step();
		zaps += g->stats.shadow_zaps;
	}
	/* The pool ran dry on the way. */
	assert_true(zaps > 40);
}

static void test_random_updates_pae(void **state)
{
	test_random_updates(state);
}

static bool hole_is_mapped(void)
{
	const struct spage *pd = g->shadow.current->pd[HOLE >> 30];

	return g->shadow.pdpt[HOLE >> 30] && pd &&
	       pd->table[HOLE >> 21 & 511];
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
	assert_int_equal(shadow_fault(v, 0x400000, &error, &bus), FAULT_GUEST);
	assert_int_equal(error, PF_P | PF_U | PF_I);
	error = PF_U;
	assert_int_equal(shadow_fault(v, 0x400000, &error, &bus), FAULT_FIXED);
	assert_true(shadow_allows(g, 0x400000, PF_W | PF_U));
	assert_false(shadow_allows(g, 0x400000, PF_I | PF_U));
	error = PF_I | PF_U;
	assert_int_equal(shadow_fault(v, 0x401000, &error, &bus), FAULT_FIXED);
	assert_true(shadow_allows(g, 0x401000, PF_I | PF_U));
	/* For the whole 2 MB, by the directory. */
	put(16 << 12, 2, 20 << 12 | P | W | U | A | nx);
	tell(entry_at(16 << 12, 2));
	queue_drain(v);
	assert_false(shadow_allows(g, 0x401000, PF_I | PF_U));
	error = PF_I | PF_U;
	assert_int_equal(shadow_fault(v, 0x402000, &error, &bus), FAULT_GUEST);
	assert_int_equal(error, PF_U | PF_I);
	/* Without EFER.NXE the bit is reserved. */
	v->efer = 0;
	error = PF_U;
	assert_int_equal(shadow_fault(v, 0x400000, &error, &bus), FAULT_GUEST);
	assert_int_equal(error, PF_P | PF_U | PF_RSVD);
}

/* A frame of the hole in memory, as all that a frame can be. */
static void test_absent_frames(void **state)
{
	const uint64_t a = (HOLE_FRAME + 7) << 12, flags = P | W | U | A | D;
	uint32_t error, i, mapped = 0;
	uint64_t pa;
	gpa_t bus;

	put(16 << 12, 2, 20 << 12 | flags);
	/* As a page, filled by the drain and by the fault. */
	put(20 << 12, 0, a | flags);
	put(20 << 12, 1, 100 << 12 | flags);
	error = 0;
	assert_int_equal(shadow_fault(v, wide ? 0x401000 : 0x801000, &error,
				      &bus), FAULT_FIXED);
	tell(entry_at(20 << 12, 0));
	queue_drain(v);
	for (i = 0; i < g->shadow.count; i++)
		if (g->shadow.pages[i].role == SP_PT)
			mapped += !!(g->shadow.pages[i].table[0] & P);
	assert_int_equal(mapped, 0);
	error = PF_W;
	assert_int_equal(shadow_fault(v, wide ? 0x400000 : 0x800000, &error,
				      &bus), FAULT_BUS);
	assert_int_equal(bus, a);
	error = 0;
	assert_int_equal(shadow_fault(v, wide ? 0x400000 : 0x800000, &error,
				      &bus), FAULT_FIXED);
	assert_true(cpu_walk(wide ? 0x400000 : 0x800000, &pa, &error));
	assert_int_equal(pa, g->mem.bus & ADDR);
	assert_false(error & W & g->mem.bus);
	/* As a large one, of which no frame is there. */
	put(16 << 12, 3, (HOLE_FRAME << 12) | flags | PS);
	error = 0;
	assert_int_equal(shadow_fault(v, wide ? 0x600000 : 0xc00000, &error,
				      &bus), FAULT_FIXED);
	assert_true(cpu_walk(wide ? 0x600000 : 0xc00000, &pa, &error));
	assert_int_equal(pa, g->mem.bus & ADDR);
	/* As a table, told of and not. */
	for (i = 0; i < 2; i++) {
		put(16 << 12, 2, a | flags);
		tell(entry_at(16 << 12, 2));
		tell_page(a >> 12, i ? STUB_QP_ALLOC : STUB_QP_RELEASE);
		tell(a);
		tell(a + 8);
		queue_drain(v);
		shadow_flush(v);
		error = 0;
		assert_int_equal(shadow_fault(v, wide ? 0x400000 : 0x800000,
					      &error, &bus), FAULT_TABLE);
		assert_int_equal(bus, a);
	}
	if (wide) {	/* as a directory */
		put(30 << 12, 0, a | P);
		tell(entry_at(30 << 12, 0));
		queue_drain(v);
		error = 0;
		assert_int_equal(shadow_fault(v, 0, &error, &bus),
				 FAULT_GUEST);
	}
	assert_false(g->frames[a >> 12].flags);
	/* As what CR3 points to. */
	if (setjmp(killed))
		return;
	cr3_write(v, a);
	(void)state;
	fail();
}

static void test_absent_frames_pae(void **state)
{
	test_absent_frames(state);
}

/* The quarter with the hole has no directory, or one that is no memory. */
static void test_directory_is_missing(void **state)
{
	uint64_t pdpte[] = { 0, (uint64_t)FRAMES << 12 | P, ~0ull };
	uint32_t error, i;
	gpa_t bus;

	(void)state;
	for (i = 0; i < 3; i++) {
		put(30 << 12, 3, 17 << 12 | P);
		shadow_load(v);
		error = 0;
		assert_int_equal(shadow_fault(v, HOLE, &error, &bus),
				 FAULT_FIXED);
		put(30 << 12, 3, pdpte[i]);
		shadow_load(v);
		assert_false(hole_is_mapped());
		error = 0;
		assert_int_equal(shadow_fault(v, HOLE, &error, &bus),
				 FAULT_FIXED);
		assert_true(hole_is_mapped());
		shadow_inval(v, HOLE - 4096);
		error = 0;
		assert_int_equal(shadow_fault(v, HOLE - 4096, &error, &bus),
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
	struct shadow *s = &g->shadow;
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
	assert_ptr_equal(s->roots[g->frames[16].root].pd[3],
			 s->roots[g->frames[17].root].pd[3]);
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
	assert_ptr_not_equal(s->roots[g->frames[16].root].pd[3],
			     s->roots[g->frames[17].root].pd[3]);
}

/* Whatever is forgotten, the ROM stays where it is, at the next fault. */
static void test_hole_comes_back(void **state)
{
	uint32_t error = 0;
	uint64_t pa;
	gpa_t bus;

	(void)state;
	g->shadow.hole_pt[0] = P;
	shadow_zap(g);
	assert_false(cpu_allows(HOLE, false, false, &pa));
	assert_int_equal(shadow_fault(v, HOLE, &error, &bus), FAULT_FIXED);
	assert_true(cpu_allows(HOLE, false, false, &pa));
	assert_false(cpu_allows(HOLE, false, true, &pa));
	error = PF_W;
	assert_int_equal(shadow_fault(v, HOLE + 4096, &error, &bus),
			 FAULT_GUEST);
	assert_int_equal(error, PF_W);
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

static void test_untracked_is_forgotten_at_a_flush(void **state)
{
	uint64_t pa;

	(void)state;
	*ram(16 << 12 | 1 << 2) = 20 << 12 | P | W | U | A;
	*ram(20 << 12) = 100 << 12 | P | W | U | A | D;
	do_access(0x400000, true, true);
	*ram(20 << 12) = 0;		/* and nobody is told */
	shadow_flush(v);
	assert_false(cpu_allows(0x400000, false, false, &pa));
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
	const struct shadow *s = &g->shadow;
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
	v->cr0 = 0;
	v->hole = 0;
	shadow_mode(v);
	v->guest_last = UINT32_MAX;
	shadow_load(v);
	assert_int_equal(shadow_fault(v, 0x123456, &error, &bus), FAULT_FIXED);
	assert_true(cpu_allows(0x123000, true, true, &pa));
	assert_int_equal(pa, RAM_PA + 0x123000);
	/* The last, incomplete large frame goes by small pages. */
	error = 0;
	assert_int_equal(shadow_fault(v, (FRAMES - 1) << 12, &error, &bus),
			 FAULT_FIXED);
	error = 0;
	assert_int_equal(shadow_fault(v, 0xfed00000, &error, &bus),
			 FAULT_FIXED);
	assert_true(cpu_allows(0xfed00000, false, false, &pa));
	assert_int_equal(pa, g->mem.bus & ADDR);
	error = PF_W;
	assert_int_equal(shadow_fault(v, 0xfed00000, &error, &bus), FAULT_BUS);
	assert_int_equal(bus, 0xfed00000);
	/* The local APIC is not memory even for reading. */
	error = 0;
	assert_int_equal(shadow_fault(v, 0xfee00000, &error, &bus), FAULT_BUS);
	assert_int_equal(bus, 0xfee00000);
}

static void test_tables_outside_memory(void **state)
{
	volatile bool died = false;
	uint32_t error = 0;
	gpa_t bus;

	(void)state;
	*ram(16 << 12) = 0xfff00000 | P | W | U | A;
	assert_int_equal(shadow_fault(v, 0, &error, &bus), FAULT_TABLE);
	assert_int_equal(bus, 0xfff00000);
	assert_false(shadow_translate(v, 0, &bus));
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
	volatile unsigned int died = 0;
	volatile size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		v->sh->tail = bad[i];
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
	expect_value(desc_gdt_changed, index, 6);
	expect_value(desc_gdt_changed, index, 8);
	queue_drain(v);
	assert_int_equal(v->cr3, 17 << 12);
	assert_int_equal(g->shadow.current->gfn, 17);
	assert_int_equal(v->sh->deferred | v->sh->gdt_dirty, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_random_updates),
		cmocka_unit_test_setup_teardown(test_random_updates_pae,
						setup_pae, teardown_pae),
		cmocka_unit_test_setup_teardown(test_directory_is_missing,
						setup_pae, teardown_pae),
		cmocka_unit_test_setup_teardown(test_absent_frames, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_absent_frames_pae,
						setup_pae, teardown_pae),
		cmocka_unit_test_setup_teardown(test_no_execute,
						setup_pae, teardown_pae),
		T(test_dirty_bit_is_never_lost),
		T(test_downgrade_flushes_the_tlb),
		T(test_kernel_quarter_is_shared),
		T(test_hole_comes_back),
		T(test_drain_fills_eagerly),
		T(test_untracked_is_forgotten_at_a_flush),
		T(test_release_of_the_current_directory),
		T(test_release_of_a_table_with_many_links),
		T(test_identity_without_paging),
		T(test_tables_outside_memory),
		T(test_queue_with_arbitrary_content),
		T(test_queue_with_bad_tail_kills),
		T(test_deferred_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

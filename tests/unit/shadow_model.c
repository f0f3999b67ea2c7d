// SPDX-License-Identifier: GPL-2.0-only
/*
 * The machine, the model and the checks; see shadow_model.h. Each access must
 * fault or succeed as the model says, and nothing that the shadow maps may go
 * beyond the guest's tables of that moment.
 */
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "shadow_model.h"

#define MACHINE_MB	32
#define POOL		48	/* small: it must run dry now and then */
#define VCPUS		2
#define GAP		64	/* between what is allocated */

static struct guest guest, start;
struct guest *const g = &guest;
struct vcpu *v = &guest.vcpu[0];
struct mmu *mmu = &guest.vcpu[0].mmu;
struct cpu cpus[HOST_CPUS];
bool wide;
jmp_buf *model_killed;
uint32_t model_gdt_changed, model_kicks;
static struct regs regs[VCPUS];
static uint64_t next_pa;

/* ---- what the code under test calls ------------------------------------- */

/* ASan's, if it is there. */
void __attribute__((weak))
__asan_poison_memory_region(const volatile void *, size_t);

/* What was allocated, and what was in it at the start. */
static struct {
	uint8_t	*at, *saved;
	size_t	len;
} area[16];
static unsigned int areas;

/* It leaves the guest, and waits for the lock. */
void host_kick(uint32_t to)
{
	CHECK(to < VCPUS && &guest.vcpu[to] != v && guest.vcpu[to].mmu.inside);
	guest.vcpu[to].mmu.inside = false;
	model_kicks++;
}

void host_pages_free(void *at, uint64_t bytes) { (void)at, (void)bytes; }

void *host_pages(uint64_t bytes, uint64_t align)
{
	uint64_t at = (next_pa + GAP + align - 1) & -align;

	if (__asan_poison_memory_region)
		__asan_poison_memory_region(machine_memory + next_pa,
					    at - next_pa);
	next_pa = at + bytes;
	CHECK(next_pa <= MACHINE_MB << 20 && areas < ARRAY_SIZE(area));
	area[areas].at = machine_memory + at;
	area[areas].len = bytes;
	areas++;
	return machine_memory + at;
}

void vcpu_kill(struct vcpu *vcpu, const char *fmt, ...)
{
	(void)vcpu;
	if (!model_killed)
		check_failed(__FILE__, __LINE__, "the guest died: %s", fmt);
	longjmp(*model_killed, 1);
}

void panic_at(const char *file, int line, const char *fmt, ...)
{
	check_failed(file, line, "panic: %s", fmt);
}

uint32_t copy_fixup(void *dst, const void *src, uint32_t len)
{
	(void)dst, (void)src;
	return len;
}

void desc_gdt_changed(struct vcpu *vcpu, uint32_t index)
{
	(void)vcpu;
	model_gdt_changed |= 1u << index;
}

void cr3_write(struct vcpu *vcpu, uint64_t value)
{
	queue_peek(vcpu);
	if (!mmu_set_cr3(&vcpu->mmu, value))
		vcpu_kill(vcpu, "CR3");
}

void set_mode(uint32_t cr0, uint32_t cr4, uint32_t efer)
{
	v->cr0 = cr0;
	v->cr4 = cr4;
	v->efer = efer;
	if (!mmu_set_mode(mmu, cr0, cr4, efer))
		vcpu_kill(v, "CR3");
}

/* ---- the model ---------------------------------------------------------- */

uint32_t *ram(uint32_t pa)
{
	return (uint32_t *)(machine_memory + RAM_PA + pa);
}

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

void put(uint32_t table, uint32_t i, uint64_t val)
{
	if (wide)
		((uint64_t *)ram(table))[i] = val;
	else
		ram(table)[i] = val;
}

uint32_t entry_at(uint32_t table, uint32_t i)
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
		if (!wide)	/* PSE-36 */
			m->pa |= (pde >> 13 & 0xff) << 32;
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

	if (va >= TOP)
		return code;
	if (!model_walk(mmu->cr3, va, &m))
		return code;
	if ((user && !(m.rights & U)) ||
	    (write && !(m.rights & W) && (user || wp)))
		return code | PF_P;
	return 0;
}

/* ---- the CPU: walk what PDPT and below say ------------------------------ */

bool cpu_walk(uint32_t va, uint64_t *pa, uint32_t *rights)
{
	uint64_t e = mmu->pdpt[va >> 30];
	uint64_t *t;

	*rights = W | U;
	if (!(e & P))
		return false;
	*rights &= e;
	t = host_va(e & ADDR);
	e = t[va >> 21 & 511];
	if (!(e & P))
		return false;
	*rights &= e;
	if (e & PS) {
		*pa = (e & ADDR & ~0x1fffffull) | (va & 0x1ff000);
		return true;
	}
	t = host_va(e & ADDR);
	e = t[va >> 12 & 511];
	if (!(e & P))
		return false;
	*rights &= e;
	*pa = e & ADDR;
	return true;
}

bool cpu_allows(uint32_t va, bool write, bool user, uint64_t *pa)
{
	uint32_t rights;

	return cpu_walk(va, pa, &rights) && (!user || (rights & U)) &&
	       (!write || (rights & W));
}

/*
 * A TLB that remembers everything since the last flush: what it holds must
 * still be in the shadow tables, or somebody forgot to flush.
 */
static struct tlb {
	struct {
		uint32_t va, rights;
		uint64_t pa;
		struct spage *pd, pd_was;	/* by which it was found */
	} entry[64];
	unsigned int used;
} tlbs[VCPUS];
static unsigned int tlb_seen;

static struct tlb *tlb_of(const struct vcpu *vcpu)
{
	return &tlbs[vcpu - guest.vcpu];
}

static bool waits(const struct spage *p)
{
	uint32_t i = g->mm.quarantine;

	while (i && &g->mm.pages[i] != p)
		i = g->mm.pages[i].next;
	return i;
}

/* Another that is in the guest may have old translations, and may walk where
 * they came from: that is nothing else meanwhile. */
static void others_check(void)
{
	const struct vcpu *other;
	uint32_t i;

	for (other = v->sibling; other != v; other = other->sibling)
		for (i = 0; i < tlb_of(other)->used && other->mmu.inside; i++) {
			const struct spage *p = tlb_of(other)->entry[i].pd;
			const struct spage *was = &tlb_of(other)->entry[i].pd_was;

			CHECK((p->role == was->role && p->gfn == was->gfn) ||
			      waits(p));
		}
}

void tlb_check(void)
{
	struct tlb *tlb = tlb_of(v);
	uint32_t rights, i;
	uint64_t pa;

	if (tlb_seen != tlb_flushes)
		tlb->used = 0;
	tlb_seen = tlb_flushes;
	for (i = 0; i < tlb->used; i++) {
		CHECK(cpu_walk(tlb->entry[i].va, &pa, &rights));
		CHECK_EQ(pa, tlb->entry[i].pa);
		CHECK_EQ(tlb->entry[i].rights & ~rights, 0);
	}
	others_check();
}

void other_flushed_check(void)
{
	struct vcpu *me = v;
	uint32_t rights, i;
	struct tlb *tlb;
	uint64_t pa;

	v = v->sibling;
	mmu = &v->mmu;
	tlb = tlb_of(v);
	for (i = 0; i < tlb->used && mmu->inside; i++) {
		CHECK(cpu_walk(tlb->entry[i].va, &pa, &rights));
		CHECK_EQ(pa, tlb->entry[i].pa);
		CHECK_EQ(tlb->entry[i].rights & ~rights, 0);
	}
	v = me;
	mmu = &v->mmu;
}

static void tlb_fill(uint32_t va)
{
	struct tlb *tlb = tlb_of(v);
	unsigned int n = tlb->used;

	if (n == ARRAY_SIZE(tlb->entry))
		return;
	tlb->entry[n].va = va;
	CHECK(cpu_walk(va, &tlb->entry[n].pa, &tlb->entry[n].rights));
	tlb->entry[n].pd = page_of(&g->mm, mmu->pdpt[va >> 30]);
	tlb->entry[n].pd_was = *tlb->entry[n].pd;
	tlb->used++;
}

/* An access as the guest makes it: faults are resolved until it is through. */
void do_access(uint32_t va, bool write, bool user)
{
	uint32_t want = model_access(va, write, user), error;
	uint32_t bits = write ? A | D : A, tries;
	uint64_t pa;
	struct model m;
	gpa_t bus;

	/* Again, if an entry is of both levels: the bit set in one is news in
	 * the other. */
	for (tries = 0; !cpu_allows(va, write, user, &pa); tries++) {
		CHECK(tries < 2);
		error = (write ? PF_W : 0) | (user ? PF_U : 0);
		CHECK(!mmu_allows(mmu, va, error));
		queue_drain(v);
		switch (mmu_fault(mmu, va, &error, &bus)) {
		case FAULT_GUEST:
			CHECK_EQ(error | 1u << 31, want);
			return;
		case FAULT_BUS:
			CHECK(absent(bus) && write);
			return;
		default:
			CHECK(!"a table that is no memory, or a view");
			return;
		case FAULT_FIXED:
			break;
		}
	}
	/* The guest keeps the rules here, so nothing stale is in the way. */
	CHECK_EQ(want, 0);
	CHECK(model_walk(mmu->cr3, va, &m));
	if (!absent(m.pa))
		CHECK_EQ(pa, RAM_PA + m.pa);
	else
		CHECK_EQ(pa, g->mm.gmem.bus & ADDR);
	CHECK_EQ(m.rights & bits & D, bits & D);
	CHECK(m.rights & A);
	tlb_check();
	tlb_fill(va);
}

/* ---- everything that is mapped, against the model ----------------------- */

static void check_leaf(uint32_t cr3, uint32_t va, uint64_t e, uint64_t above)
{
	struct model m;
	bool force = !(v->cr0 & CR0_WP);

	CHECK(model_walk(cr3, va, &m));
	CHECK(m.rights & A);
	if (m.nx)
		CHECK((e | above) >> 63);
	if (!absent(m.pa))
		CHECK_EQ(e & ADDR & ~(e & PS ? 0x1fffffull : 0),
				 RAM_PA + (m.pa & ~(e & PS ? 0x1fffffu : 0)));
	else
		CHECK_EQ(e & ADDR, g->mm.gmem.bus & ADDR);
	if (e & above & U)
		CHECK(m.rights & U);
	if (e & above & W) {
		CHECK(m.rights & D);
		CHECK((m.rights & W) || (force && !(e & above & U)));
	}
}

void check_all(void)
{
	struct mm *s = &g->mm;
	uint32_t i, slot, j, k, used = 0, n = 0, links = 0, parents = 0;
	uint32_t users[POOL] = { 0 };

	for (slot = 0; slot < 3 + s->mmus; slot++)
		if (s->roots[0].pd[slot])
			users[s->roots[0].pd[slot] - s->pages]++;
	for (i = 1; i < s->root_top; i++) {
		struct root *r = &s->roots[i];

		if (!r->used)
			continue;
		for (slot = 0; slot < 3 + s->mmus; slot++) {
			uint32_t q = slot < 3 ? slot : 3;
			uint64_t *pd;

			if (!r->pd[slot])
				continue;
			users[r->pd[slot] - s->pages]++;
			pd = r->pd[slot]->table;
			if (q == TOP >> 30)
				CHECK_EQ(pd[TOP >> 21 & 511] & ADDR,
					 host_pa(s->mmu[slot - 3]->reserved_pt));
			for (j = 0; j < 512; j++) {
				uint32_t va = q << 30 | j << 21;
				uint64_t *pt = host_va(pd[j] & ADDR);

				if (!(pd[j] & P) || va >= TOP)
					continue;
				if (pd[j] & PS) {
					check_leaf(r->gfn << 12 | r->offset,
						   va, pd[j], W | U);
					continue;
				}
				CHECK(pd[j] & SE_LINK);
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
		if (s->pages[i].role != SP_PD) {
			parents += s->pages[i].parents;
			continue;
		}
		for (j = 0; j < 512; j++)
			links += !!(s->pages[i].table[j] & SE_LINK);
		CHECK_EQ(users[i], s->pages[i].parents);
	}
	n = 0;
	for (i = s->free; i; i = s->pages[i].next)
		n++;
	CHECK_EQ(n, s->free_count);
	for (i = s->quarantine; i; i = s->pages[i].next)
		n++;
	CHECK_EQ(n + used, s->count - 1);
	CHECK_EQ(links, parents);
}

/* ---- start -------------------------------------------------------------- */

/* What is the same for every guest, only once. */
static void init(void)
{
	unsigned int i;

	machine_memory = aligned_alloc(2 << 20, MACHINE_MB << 20);
	memset(machine_memory, 0, MACHINE_MB << 20);
	next_pa = RAM_PA - GAP;
	CHECK(gmem_init(&g->mm.gmem, GUEST_MB << 20));
	CHECK_EQ(gmem_leaf(&g->mm.gmem, 0) & ADDR, RAM_PA);
	memset(g->mm.gmem.p2m + HOLE_FRAME, 0, HOLE_FRAMES * 8);
	CHECK(!mm_init(&g->mm, POOL, false));
	for (i = 0; i < VCPUS; i++) {
		struct vcpu *new = &guest.vcpu[i];

		new->g = g;
		new->sibling = new;
		new->first = guest.vcpu;
		new->on = true;
		regs[i].cs = 0x73;
		new->regs = &regs[i];
		new->sh = host_pages(sizeof(*v->sh), 4096);
		new->sh->tail = -STUB_QUEUE_LEN;
		new->sh->linear[0].va = LINEAR_VA;
		new->sh->linear[0].bytes = FRAMES << 12;
		CHECK(!mmu_init(&new->mmu, &g->mm));
		new->mmu.processor = i;
	}
	mmu_join(mmu);
	mmu_reserve(mmu, TOP);
	g->mm.device[0] = APIC_FRAME;
	for (i = 0; i < areas; i++) {
		area[i].saved = malloc(area[i].len);
		memcpy(area[i].saved, area[i].at, area[i].len);
	}
	start = *g;
}

/* Of the guest's RAM only tables are written; a shadow page is cleared when
 * it is used; of the roots the first are used. */
static void restore(unsigned int i)
{
	uint8_t *roots = (uint8_t *)start.mm.roots;
	uint8_t *tables = (uint8_t *)start.mm.pages[1].table - PAGE_SIZE;
	size_t len = area[i].len;

	if (area[i].at == (uint8_t *)ram(0))
		memset(ram(16 << 12), 0, 16 << 12);
	else if (area[i].at == roots)
		memcpy(roots, area[i].saved,
		       g->mm.root_top * sizeof(struct root));
	else if (area[i].at != tables)
		memcpy(area[i].at, area[i].saved, len);
}

void model_start(bool is_wide)
{
	unsigned int i;

	if (!machine_memory)
		init();
	for (i = 0; i < areas; i++)
		restore(i);
	*g = start;
	v = guest.vcpu;
	mmu = &v->mmu;
	wide = is_wide;
	model_killed = NULL;
	if (wide)
		put(30 << 12, 0, 16 << 12 | P);
	cr3_write(v, wide ? 30 << 12 : 16 << 12);
	set_mode(CR0_PG | CR0_WP, wide ? CR4_PAE : CR4_PSE,
		 wide ? EFER_NXE : 0);
	g->mm.zaps = model_kicks = 0;
	memset(tlbs, 0, sizeof(tlbs));
}

void model_run(uint32_t n)
{
	if (tlb_seen != tlb_flushes)
		tlb_of(v)->used = 0;
	mmu->inside = true;
	v = &guest.vcpu[n];
	mmu = &v->mmu;
	tlb_seen = tlb_flushes;
	mmu_flush_tlb(mmu);
	tlb_check();
}

void model_start_two(bool is_wide)
{
	model_start(is_wide);
	guest.vcpu[0].sibling = &guest.vcpu[1];
	guest.vcpu[1].sibling = &guest.vcpu[0];
	mmu_join(&guest.vcpu[1].mmu);
	mmu_reset(&guest.vcpu[1].mmu);
	model_run(1);
	cr3_write(v, guest.vcpu[0].mmu.cr3);
	set_mode(guest.vcpu[0].cr0, guest.vcpu[0].cr4, guest.vcpu[0].efer);
	model_run(0);
}

int model_setup_two(void **state)
{
	(void)state;
	model_start_two(false);
	return 0;
}

int model_setup(void **state)
{
	(void)state;
	model_start(false);
	return 0;
}

int model_setup_pae(void **state)
{
	(void)state;
	model_start(true);
	return 0;
}

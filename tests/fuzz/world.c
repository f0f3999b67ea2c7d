// SPDX-License-Identifier: GPL-2.0-only
/* The machine, the guest's start and end; see world.h. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include "machine.h"
#include "shadow.h"
#include "world.h"

#define MACHINE_BYTES	(16u << 20)
#define RAM_BYTES	(WORLD_FRAMES * PAGE_SIZE)
#define POOL		40
#define GAP		MACHINE_GAP
#define ROM_FILE	"build/rom/stub.rom"
#define TSC_PER_TICK	(MACHINE_TSC_HZ / 100)	/* 10 ms */
#define HALTS		16

struct guest guest;
struct vcpu *const v = &guest.vcpu;
static struct regs *regs;
static jmp_buf dead;

static unsigned int halted;

/* ---- the machine: memory ------------------------------------------------ */

static uint8_t *pool_tables;

/* Frames of the guest that are no more what they were at the start. */
static uint8_t dirty[WORLD_FRAMES];

uint8_t *world_ram(gpa_t pa)
{
	return (uint8_t *)gmem_boot_ram(&guest.mm.gmem) + pa;
}

void world_write(gpa_t pa, const void *src, uint32_t len)
{
	uint32_t n;

	for (; len; pa += n, src = (const uint8_t *)src + n, len -= n) {
		n = PAGE_SIZE - (pa & (PAGE_SIZE - 1));
		n = n < len ? n : len;
		if (pa >> PAGE_SHIFT >= WORLD_FRAMES)
			return;
		dirty[pa >> PAGE_SHIFT] = 1;
		memcpy(world_ram(pa), src, n);
	}
}

/* ---- the machine: processor --------------------------------------------- */

/* What the tables in CR3 say of va (SDM Vol. 3, 4.5); the frame's address, or
 * 0. The rights are W, U and NX of all levels. */
static uint64_t walk_tables(gva_t va, uint64_t *rights)
{
	uint64_t e = guest.vcpu.mmu.pdpt[va >> 30], *t;
	int shift;

	*rights = PTE_W | PTE_U;
	for (shift = 21;; shift -= 9) {
		if (!(e & PTE_P))
			return 0;
		*rights = (*rights & (e | PTE_NX) & ~(uint64_t)PTE_NX) |
			  ((*rights | e) & PTE_NX);
		if (shift < 12)
			return e & PTE_ADDR;
		if (shift == 12 && (e & PTE_PS))
			return (e & PTE_ADDR & ~0x1fffffull) | (va & 0x1ff000);
		t = host_va(e & PTE_ADDR);
		e = t[va >> shift & 511];
	}
}

bool world_allows(gva_t va, bool write, bool user, bool fetch)
{
	uint64_t rights;

	return walk_tables(va, &rights) && (!write || (rights & PTE_W)) &&
	       (!user || (rights & PTE_U)) && (!fetch || !(rights & PTE_NX));
}

static uint32_t error_code(gva_t va, bool write, bool user, bool fetch)
{
	uint64_t rights;

	return (walk_tables(va, &rights) ? PF_P : 0) | (write ? PF_W : 0) |
	       (user ? PF_U : 0) | (fetch ? PF_I : 0);
}

/* The frame that entry.asm makes of an exit of our own code, and the table of
 * instructions that may fault (hv.ld): there is one, at 1, with its fixup. */
struct hv_frame {
	uint64_t	saved[9];
	uint64_t	vector, error, rip, cs, rflags, rsp, ss;
};
extern void (*const exit_handler[256])(struct vcpu *, struct regs *);
asm(".pushsection .rodata; .balign 8; .globl extable_start, extable_end\n"
    "extable_start: .quad 1, 2; extable_end: .popsection");
const uint8_t exit_stubs[256][16];

/* Where our own access to va goes; NULL if it faults for good. */
static uint8_t *resolve(gva_t va, bool write)
{
	uint64_t rights, pa;
	int i;

	for (i = 0; i < 4; i++) {
		struct hv_frame f = { .vector = VEC_PF, .rip = 1 };

		pa = walk_tables(va, &rights);
		if (pa && (!write || (rights & PTE_W))) {
			pa += va & (PAGE_SIZE - 1);
			if (write && va < guest.vcpu.mmu.guest_last &&
			    pa - host_pa(world_ram(0)) < RAM_BYTES)
				dirty[(pa - host_pa(world_ram(0))) >>
				      PAGE_SHIFT] = 1;
			return host_va(pa);
		}
		cpu.cr2 = va;
		f.error = error_code(va, write, false, false);
		hv_fault(&f);
		if (f.rip == 2)
			return NULL;
	}
	CHECK(!"a fault is fixed for ever");
	return NULL;
}

void (*world_copies)(uint8_t *at, uint32_t len);

uint32_t copy_fixup(void *dst, const void *src, uint32_t len)
{
	bool write = (uintptr_t)dst <= UINT32_MAX;
	uintptr_t va = write ? (uintptr_t)dst : (uintptr_t)src;
	uint8_t *host = write ? (uint8_t *)(uintptr_t)src : dst, *at;
	uint32_t n;

	/* STUB-2: checked before, whatever the guest said */
	CHECK(va + len <= (uint64_t)guest.vcpu.mmu.guest_last + 1);
	for (; len; va += n, host += n, len -= n) {
		n = PAGE_SIZE - (va & (PAGE_SIZE - 1));
		n = n < len ? n : len;
		at = va > UINT32_MAX ? NULL : resolve(va, write);
		if (!at)
			break;
		if (world_copies && !write)
			world_copies(at, n);
		memcpy(write ? at : host, write ? host : at, n);
	}
	return len;
}

bool machine_store(uint32_t at, uint32_t word)
{
	return !copy_fixup((void *)(uintptr_t)at, &word, 4);
}

struct stack stacks[STACKS];

bool stack_guard(uint64_t va)
{
	(void)va;
	abort();
}

void speculation_switch(void)
{
}

enum stop vcpu_enter(struct regs *r)
{
	(void)r;
	abort();
}

/* ---- the machine: time, and its end ------------------------------------- */

/* HLT: time passes, until a timer fires; a guest that waits for ever has
 * ended, too. */
void machine_waits(void)
{
	if (++halted == HALTS)
		longjmp(dead, 1);
	cpu.tsc += 5 * TSC_PER_TICK;
}

void machine_ended(enum end end)
{
	if (end == END_PANIC)
		check_failed(__FILE__, __LINE__, "%s", machine_line);
	longjmp(dead, 1);
}

void world_type(uint8_t byte)
{
	machine_typed++;
	machine_busy = byte & 1;
}

/* ---- the end ------------------------------------------------------------ */

bool world_run(void (*f)(struct input *), struct input *in)
{
	if (setjmp(dead))
		return false;
	f(in);
	return true;
}

/* ---- exits -------------------------------------------------------------- */

/* Would IRETQ take the frame (SDM Vol. 2)? What it then loads must be a ring
 * of the guest's. */
static bool can_return(void)
{
	uint64_t cs = desc_lookup(v, regs->cs), ss = desc_lookup(v, regs->ss);
	uint32_t ring = regs->cs & 3;

	if (!(cs & DESC_P) || !(cs & DESC_CODE) || (cs >> 45 & 3) != ring ||
	    !(ss & DESC_P) || (ss & DESC_CODE) || !(ss >> 41 & 1) ||
	    (ss >> 45 & 3) != ring || (regs->ss & 3) != ring)
		return false;
	return regs->eip <= desc_limit(cs);
}

static void check_return(void)
{
	enum stop why = regs->stop;

	regs->stop = STOP_NOT;
	if (why)	/* one guest alone: there is no other */
		CHECK(sched_next(v, why) == v);
	CHECK(regs->eip <= UINT32_MAX && regs->esp <= UINT32_MAX);
	CHECK(regs->cs <= 0xffff && regs->ss <= UINT32_MAX);
	CHECK((regs->cs & 3) == 1 || (regs->cs & 3) == 3);
	CHECK(regs->eflags & EFLAGS_IF);
	CHECK(!(regs->eflags & (EFLAGS_VM | EFLAGS_IOPL)));
	/* Once for user mode, into the kernel; for that it is the end. */
	if (!can_return()) {
		hv_iret_fault(regs);
		check_return();
	}
}

void world_exit(unsigned int vector, uint32_t error)
{
	regs->vector = vector;
	regs->error = error;
	v->stats.exits[vector]++;
	exit_handler[vector](v, regs);
	check_return();
}

void world_iret_fault(unsigned int vector, uint32_t error)
{
	regs->vector = vector;
	regs->error = error;
	hv_iret_fault(regs);
	check_return();
}

void world_vm86(unsigned int vector)
{
	regs->vector = vector;
	hv_vm86(regs);
	check_return();
}

void world_access(gva_t va, bool write, bool user, bool fetch)
{
	if (world_allows(va, write, user, fetch))
		return;
	cpu.cr2 = va;
	world_exit(VEC_PF, error_code(va, write, user, fetch));
}

/* ---- invariants --------------------------------------------------------- */

static uint64_t own_gdt[GDT_ENTRIES - GDT_GUEST];

static void check_desc(uint64_t d)
{
	CHECK(d >> 44 & 1);		/* no gate, no system segment */
	CHECK(d >> 45 & 3);		/* not ring 0 */
	CHECK(d >> 40 & 1);		/* accessed: the CPU does not write */
	if (d & DESC_CODE) {
		CHECK(!(d >> 53 & 1));	/* not 64-bit */
		CHECK(!(d >> 42 & 1));	/* not conforming */
	}
}

static void check_selector(uint32_t sel)
{
	CHECK(!(sel & ~3u) || (sel & 4) || sel >> 3 < GDT_GUEST);
}

void world_check_tables(void)
{
	uint32_t i;

	CHECK(!v->gdt_table[0]);
	for (i = 1; i < GDT_GUEST; i++)
		if (v->gdt_table[i])
			check_desc(v->gdt_table[i]);
	CHECK(!memcmp(own_gdt, v->gdt_table + GDT_GUEST, sizeof(own_gdt)));
	for (i = 0; i < LDT_ENTRIES; i++)
		if (v->ldt_table[i])
			check_desc(v->ldt_table[i]);
	for (i = 0; i < 256; i++) {
		const struct gate *gate = &v->gate[i];

		if (gate->type == GATE_NONE) {
			CHECK(!gate->dpl);
			continue;
		}
		if (gate->type == GATE_ABSENT)
			continue;
		CHECK(gate->type == GATE_INTERRUPT || gate->type == GATE_TRAP);
		CHECK((gate->cs & 3) == 1 && (gate->cs & ~3) && gate->dpl <= 3);
	}
	CHECK(v->syscall_dpl <= v->gate[SYSCALL_VECTOR].dpl);
	CHECK(cpu.ldt == 0 || cpu.ldt == HV_LDT);
	check_selector(cpu.ds);
	check_selector(cpu.es);
	check_selector(cpu.fs);
	check_selector(cpu.gs);
}

static struct machine_cpu start_cpu;

void world_check_cpu(void)
{
	const uint64_t cr0 = CR0_MP | CR0_EM | CR0_TS | CR0_AM;
	const uint64_t cr4 = CR4_TSD | CR4_DE;
	uint32_t i;

	CHECK(!((cpu.cr0 ^ start_cpu.cr0) & ~cr0));
	CHECK(!((cpu.cr4 ^ start_cpu.cr4) & ~cr4));
	CHECK((v->cr0 & CR0_PE) && !(v->efer & ~EFER_NXE));
	CHECK(cpu.tr == start_cpu.tr && cpu.cs == start_cpu.cs);
	CHECK(!memcmp(&cpu.gdt, &start_cpu.gdt, sizeof(cpu.gdt)));
	CHECK_EQ(cpu.exit_stack, start_cpu.exit_stack);
	CHECK_EQ(cpu.cr3, start_cpu.cr3);
	CHECK(!(cpu.dr[7] & 1u << 13));
	for (i = 0; i < 4; i++)
		if (cpu.dr[7] >> i * 2 & 3)
			CHECK((cpu.dr[7] >> (16 + i * 4) & 3) != 2);
}

/* A leaf of the guest's part of the space: its memory, or what stands for
 * memory that is absent, and that only to be read. */
static void check_leaf(uint64_t e, uint64_t size)
{
	uint64_t pa = e & PTE_ADDR & ~(size - 1), ram = host_pa(world_ram(0));

	if (pa == (guest.mm.gmem.bus & PTE_ADDR) && size == PAGE_SIZE) {
		CHECK(!(e & PTE_W));
		return;
	}
	CHECK(pa >= ram && pa + size <= ram + RAM_BYTES);
}

/* Above virtual_top: the ROM to be read, the shared area to be written, the
 * kernel alone. */
static void check_reserved(uint64_t pde, gva_t va)
{
	const uint64_t *pt = guest.mm.reserved_pt;
	uint64_t rom = host_pa(guest.rom.image), shared = host_pa(v->sh);
	uint32_t i;

	if (!(pde & PTE_P))
		return;
	CHECK_EQ(va, guest.mm.reserved);
	CHECK_EQ(pde & PTE_ADDR, host_pa(pt));
	CHECK(!(pde & PTE_U));
	for (i = 0; i < 512; i++) {
		uint64_t pa = pt[i] & PTE_ADDR;

		if (!(pt[i] & PTE_P))
			continue;
		CHECK(!(pt[i] & PTE_U));
		if (pt[i] & PTE_W)
			CHECK((pt[i] & PTE_NX) && pa - shared < sizeof(*v->sh));
		else
			CHECK(pa - rom < STUB_ROM_MAX);
	}
}

static void check_pd(const uint64_t *pd, uint32_t q)
{
	const struct mm *s = &guest.mm;
	uint64_t first = host_pa(pool_tables);
	uint32_t j, k, role;

	for (j = 0; j < 512; j++) {
		gva_t va = q << 30 | j << 21;
		const uint64_t *pt;

		if (va > v->mmu.guest_last) {
			check_reserved(pd[j], va);
			continue;
		}
		if (!(pd[j] & PTE_P))
			continue;
		if (pd[j] & PTE_PS) {
			check_leaf(pd[j], 2u << 20);
			continue;
		}
		CHECK((pd[j] & SE_LINK) &&
		      (pd[j] & PTE_ADDR) - first < s->count * PAGE_SIZE);
		role = page_of(s, pd[j])->role;
		CHECK(role == SP_PT || role == SP_SPLIT || role == SP_ORPHAN);
		pt = host_va(pd[j] & PTE_ADDR);
		for (k = 0; k < 512; k++) {
			CHECK(role != SP_ORPHAN || !pt[k]);
			if (pt[k] & PTE_P)
				check_leaf(pt[k], PAGE_SIZE);
		}
	}
}

void world_check_shadow(void)
{
	uint32_t q;

	for (q = 0; q < 4; q++) {
		const struct spage *pd = v->mmu.root->pd[q];

		CHECK_EQ(v->mmu.pdpt[q],
			 pd ? (pd->link | PTE_U | PTE_W) : 0);
		if (!pd)
			continue;
		CHECK(pd->role == SP_PD && pd->table != NULL);
		check_pd(pd->table, q);
	}
}

/* ---- start -------------------------------------------------------------- */

static void put32(uint32_t frame, uint32_t i, uint32_t val)
{
	memcpy(world_ram((gpa_t)frame << PAGE_SHIFT) + i * 4, &val, 4);
}

static void put64(uint32_t frame, uint32_t i, uint64_t val)
{
	memcpy(world_ram((gpa_t)frame << PAGE_SHIFT) + i * 8, &val, 8);
}

/* Tables as a small kernel would have them, of both kinds. */
static void guest_tables(void)
{
	const uint32_t all = PTE_P | PTE_W | PTE_U | PTE_A | PTE_D;
	uint32_t i;

	put32(PD_FRAME, 0, PT_FRAME << 12 | all);
	put32(PD_FRAME, KERNEL_BASE >> 22, PT_FRAME << 12 | all);
	put64(PDPT_FRAME, 0, PAE_PD_FRAME << 12 | PTE_P);
	put64(PDPT_FRAME, 3, PAE_PD3_FRAME << 12 | PTE_P);
	put64(PAE_PD_FRAME, 0, PAE_PT_FRAME << 12 | all);
	put64(PAE_PD3_FRAME, 0, PAE_PT_FRAME << 12 | all);
	for (i = 0; i < 512; i++) {
		uint32_t rights = i < DATA_FRAME ? all & ~PTE_U : all;

		put32(PT_FRAME, i, i << 12 | rights);
		put64(PAE_PT_FRAME, i, i << 12 | rights);
	}
	put64(GDT_FRAME, 2, 0x00cf9b000000ffff);	/* the loader's */
	put64(GDT_FRAME, 3, 0x00cf93000000ffff);
	put64(GDT_FRAME, 12, 0x00cf9b000000ffff);	/* Linux' */
	put64(GDT_FRAME, 13, 0x00cf93000000ffff);
	put64(GDT_FRAME, 14, 0x00cffb000000ffff);
	put64(GDT_FRAME, 15, 0x00cff3000000ffff);
	put64(GDT_FRAME, 16, (uint64_t)(IN_FRAME(TSS_FRAME) & 0xffffff) << 16 |
			     (uint64_t)(IN_FRAME(TSS_FRAME) >> 24) << 56 |
			     0x00008900000020ffull);
	put64(GDT_FRAME, 17, (uint64_t)(IN_FRAME(LDT_FRAME) & 0xffffff) << 16 |
			     (uint64_t)(IN_FRAME(LDT_FRAME) >> 24) << 56 |
			     0x00008200000000ffull);
	for (i = 0; i < 256; i++)
		put64(IDT_FRAME, i, (IN_FRAME(CODE_FRAME) & 0xffff) |
		      0x60 << 16 |
		      (i == SYSCALL_VECTOR ? 0xefull : 0x8eull) << 40 |
		      (uint64_t)(IN_FRAME(CODE_FRAME) >> 16) << 48);
	put32(TSS_FRAME, 1, IN_FRAME(STACK_FRAME) + 0xff0);
	put32(TSS_FRAME, 2, 0x68);
	put32(TSS_FRAME, 25, 104 << 16);
	for (i = 0; i < 31; i++)
		put64(LDT_FRAME, i, 0x00cff3000000ffff);
}

static void world_start(void)
{
	static const struct guest_config config = {
		.name = "guest", .starts = 1
	};
	struct guest *g = &guest;
	static uint8_t image[STUB_ROM_MAX];
	FILE *rom = fopen(ROM_FILE, "rb");
	uint8_t *stack;
	size_t size;

	CHECK(rom);
	size = fread(image, 1, sizeof(image), rom);
	fclose(rom);
	machine_memory = aligned_alloc(2u << 20, MACHINE_BYTES);
	memset(machine_memory, 0, MACHINE_BYTES);
	machine_start(0x1000, MACHINE_BYTES - 0x1000);
	cpu.cr0 = CR0_PG | CR0_WP | CR0_PE;
	cpu.cr4 = CR4_PAE | CR4_PGE;

	CHECK(gmem_init(&g->mm.gmem, RAM_BYTES));
	v->sh = host_pages(sizeof(*v->sh), PAGE_SIZE);
	CHECK(!rom_publish(&g->rom, &g->mm.gmem, image, size));
	v->g = g;
	v->rom = &g->rom;
	v->bus = &g->bus;
	v->apic = &g->apic;
	v->pic = &g->pic;
	v->sh->tail = -STUB_QUEUE_LEN;
	stack = host_pages(PAGE_SIZE, PAGE_SIZE);
	regs = v->regs = (struct regs *)(stack + PAGE_SIZE) - 1;
	regs->vcpu = v;
	CHECK(!mm_init(&g->mm, POOL));
	CHECK(!mmu_init(&v->mmu, &g->mm));
	pool_tables = (uint8_t *)g->mm.pages[0].table;
	desc_init(v);
	io_init(g);

	/* As main.c has it. */
	v->sh->cr0 = v->cr0 = CR0_PE | CR0_ET;
	v->stack_limit = UINT32_MAX - FRAME_MAX;
	dr_write(v, 6, 0);
	dr_write(v, 7, 0);
	regs->eflags = EFLAGS_FIXED | EFLAGS_IF;
	regs->cs = 0x60 | 1;
	regs->ss = 0x68 | 1;
	g->name = config.name;
	g->config = &config;
	g->starts = config.starts;
	current = v;
	v->since = cpu.tsc;
	guests[guest_count++] = g;
	guest_tables();
	desc_load_gdt(v, GDT_FRAME << PAGE_SHIFT, 18 * 8 - 1);
	cpu.ds = cpu.es = 0x7b;
	memcpy(own_gdt, v->gdt_table + GDT_GUEST, sizeof(own_gdt));
}

/* ---- snapshots ---------------------------------------------------------- */

/*
 * The start of each mode: struct guest, the processor, and all memory but the
 * guest's RAM and shadow tables. Of RAM and roots only what was used is
 * restored; a shadow page is cleared when it is taken.
 */
struct area {
	uint8_t		*at, *saved;
	size_t		len;
};

static struct snapshot {
	struct area		area[3];
	struct root		*roots;
	struct guest		guest;
	struct machine_cpu	cpu;
	uint8_t			*ram;		/* USED_FRAMES */
	uint8_t			*tables;	/* of the pool in use */
} start[WORLD_MODES];

/* Across the gaps, too, which ASan's memcpy() would not do. */
static void copy(void *dst, const void *src, size_t len)
{
	asm volatile("rep movsb" : "+D"(dst), "+S"(src), "+c"(len)
		     : : "memory");
}

static void save(struct snapshot *s)
{
	uint8_t *ram_end = world_ram(0) + RAM_BYTES;
	uint8_t *roots = (uint8_t *)guest.mm.roots;
	uint8_t *behind = roots + ROOTS * sizeof(struct root) + GAP;
	struct area area[3] = {
		{ .at = ram_end + GAP,
		  .len = pool_tables - GAP - ram_end - GAP },
		{ .at = pool_tables + POOL * PAGE_SIZE + GAP,
		  .len = roots - (pool_tables + POOL * PAGE_SIZE + GAP) },
		{ .at = behind, .len = machine_memory + machine_taken() - behind },
	};
	int i;

	for (i = 0; i < 3; i++) {
		area[i].saved = malloc(area[i].len);
		copy(area[i].saved, area[i].at, area[i].len);
		s->area[i] = area[i];
	}
	s->roots = malloc(ROOTS * sizeof(struct root));
	memcpy(s->roots, roots, ROOTS * sizeof(struct root));
	s->guest = guest;
	s->cpu = cpu;
	s->ram = malloc(USED_FRAMES * PAGE_SIZE);
	memcpy(s->ram, world_ram(0), USED_FRAMES * PAGE_SIZE);
	s->tables = malloc(POOL * PAGE_SIZE);
	memcpy(s->tables, pool_tables, POOL * PAGE_SIZE);
}

static void restore(const struct snapshot *s)
{
	uint32_t i, top = guest.mm.root_top;

	for (i = 0; i < 3; i++)
		copy(s->area[i].at, s->area[i].saved, s->area[i].len);
	if (top < s->guest.mm.root_top)
		top = s->guest.mm.root_top;
	memcpy(s->guest.mm.roots, s->roots, top * sizeof(*s->roots));
	guest = s->guest;
	cpu = s->cpu;
	for (i = 1; i < POOL; i++)
		if (guest.mm.pages[i].role != SP_FREE)
			memcpy(pool_tables + i * PAGE_SIZE,
			       s->tables + i * PAGE_SIZE, PAGE_SIZE);
	for (i = 0; i < WORLD_FRAMES; i++) {
		if (!dirty[i])
			continue;
		dirty[i] = 0;
		if (i < USED_FRAMES)
			memcpy(world_ram(0) + i * PAGE_SIZE,
			       s->ram + i * PAGE_SIZE, PAGE_SIZE);
		else
			memset(world_ram(0) + i * PAGE_SIZE, 0, PAGE_SIZE);
	}
}

static void make_modes(void)
{
	uint32_t mode;

	for (mode = 0; mode < WORLD_MODES; mode++) {
		if (mode)
			restore(&start[WORLD_NATIVE]);
		regs->eip = IN_FRAME(CODE_FRAME);
		regs->esp = IN_FRAME(STACK_FRAME) + 0xff0;
		if (mode == WORLD_NATIVE) {
			regs->eip -= KERNEL_BASE;
			regs->esp -= KERNEL_BASE;
		} else {
			bool wide = mode == WORLD_VMI_PAE;

			cr4_write(v, CR4_PSE | (wide ? CR4_PAE : 0));
			cr3_write(v, (wide ? PDPT_FRAME : PD_FRAME) << 12);
			cr0_write(v, v->cr0 | CR0_PG | CR0_WP);
			desc_load_gdt(v, IN_FRAME(GDT_FRAME), 18 * 8 - 1);
			desc_load_idt(v, IN_FRAME(IDT_FRAME), 0x7ff);
		}
		if (mode >= WORLD_VMI) {
			regs->gpr[EAX] = STUB_HC_INIT;
			world_exit(STUB_VECTOR, 0);
			CHECK(desc_load_tr(v, 0x80) && desc_load_ldt(v, 0x88));
			v->sh->esp0 = IN_FRAME(STACK_FRAME) + 0xff0;
			v->sh->ss0 = 0x69;
		}
		save(&start[mode]);
	}
}

void world_reset(enum world_mode mode)
{
	if (!machine_memory) {
		world_start();
		make_modes();
		start_cpu = cpu;
	}
	restore(&start[mode]);
	machine_typed = halted = 0;
	machine_busy = false;
	host_irq_ack(IRQ_TIMER);	/* nothing is programmed */
	sched_charge(NULL);	/* nor does time count so far */
	v->since = cpu.tsc;
}

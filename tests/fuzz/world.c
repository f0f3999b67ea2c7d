// SPDX-License-Identifier: GPL-2.0-only
/* The machine, the guest's start and end; see world.h. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel.h"
#include "machine.h"
#include "processor.h"
#include "shadow.h"
#include "world.h"

#define MACHINE_BYTES	(16u << 20)
#define RAM_BYTES	(WORLD_FRAMES * PAGE_SIZE)
#define POOL		40		/* few, so that it runs out */
#define GAP		MACHINE_GAP
#define ROM_FILE	"build/rom/stub.rom"
#define TSC_PER_TICK	(MACHINE_TSC_HZ / 100)	/* 10 ms */
#define HALTS		16

struct guest *guest;
struct vcpu *v;
static jmp_buf dead;

static unsigned int halted;

/* ---- the machine: memory ------------------------------------------------ */

/* Frames of the guest that are no more what they were at the start. */
static uint8_t dirty[WORLD_FRAMES];

uint8_t *world_ram(gpa_t pa)
{
	return (uint8_t *)gmem_boot_ram(&guest->mm.gmem) + pa;
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

void (*world_copies)(uint8_t *at, uint32_t len);

static void copies(uint8_t *at, uint32_t len, bool write)
{
	if (!write && world_copies)
		world_copies(at, len);
	if (write && (uint64_t)(at - world_ram(0)) < RAM_BYTES)
		dirty[(at - world_ram(0)) >> PAGE_SHIFT] = 1;
}

static jmp_buf began;

/* It is there to run. A test makes each exit itself: world_exit(). */
void processor_runs(struct regs *r)
{
	CHECK(r == v->regs);
	longjmp(began, 1);
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

static void check_return(void)
{
	struct regs *r = v->regs;
	enum stop why = r->stop;

	r->stop = STOP_NOT;
	if (why)	/* one guest alone: there is no other */
		CHECK(sched_next(v, why) == v);
	CHECK(r->rip <= UINT32_MAX && r->rsp <= UINT32_MAX);
	CHECK(r->cs <= 0xffff && r->ss <= UINT32_MAX);
	CHECK((r->cs & 3) == 1 || (r->cs & 3) == 3);
	CHECK(r->rflags & EFLAGS_IF);
	CHECK(!(r->rflags & (EFLAGS_VM | EFLAGS_IOPL)));
	/* Once for user mode, into the kernel; for that it is the end. */
	if (!processor_can_return(r)) {
		hv_iret_fault(r);
		check_return();
	}
}

void world_exit(unsigned int vector, uint32_t error)
{
	processor_exit(v->regs, vector, error);
	check_return();
}

void world_iret_fault(unsigned int vector, uint32_t error)
{
	v->regs->vector = vector;
	v->regs->error = error;
	hv_iret_fault(v->regs);
	check_return();
}

void world_vm86(unsigned int vector)
{
	v->regs->vector = vector;
	hv_vm86(v->regs);
	check_return();
}

void world_access(gva32_t va, bool write, bool user, bool fetch)
{
	if (processor_allows(va, write, user, fetch))
		return;
	cpu.cr2 = va;
	world_exit(VEC_PF, processor_error_code(va, write, user, fetch));
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

	if (!current)	/* it has ended, and the processor knows it no more */
		return;
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

	if (pa == (guest->mm.gmem.bus & PTE_ADDR) && size == PAGE_SIZE) {
		CHECK(!(e & PTE_W));
		return;
	}
	CHECK(pa >= ram && pa + size <= ram + RAM_BYTES);
}

/* Above virtual_top: the ROM to be read, the shared area to be written, the
 * kernel alone. */
static void check_reserved(uint64_t pde, gva32_t va)
{
	const uint64_t *pt = v->mmu.reserved_pt;
	uint64_t rom = host_pa(guest->rom.image), shared = host_pa(v->sh);
	uint32_t i;

	if (!(pde & PTE_P))
		return;
	CHECK_EQ(va, guest->mm.reserved);
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

/* Of the pool; they lie together. */
static uint8_t *pool_tables(void)
{
	return (uint8_t *)guest->mm.pages[0].table;
}

static void check_pd(const uint64_t *pd, uint32_t q)
{
	const struct mm *s = &guest->mm;
	uint64_t first = host_pa(pool_tables());
	uint32_t j, k, role;

	for (j = 0; j < 512; j++) {
		gva32_t va = q << 30 | j << 21;
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
		const struct spage *pd = v->mmu.root->pd[v->mmu.slot[q]];

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

static void make_guest(void)
{
	static const struct kernel kernel = KERNEL();
	static uint8_t rom[STUB_ROM_MAX];
	static struct guest_config config = {
		.name = "guest",
		.kernel = { "kernel", (const void *)&kernel, sizeof(kernel) },
		.rom = { ROM_FILE, rom, 0 },
		.memory = RAM_BYTES >> 20,
		.cpus = 1,
		.starts = 1,
		.shares = GUEST_SHARES,
		.pin = UINT32_MAX,
	};
	FILE *f = fopen(ROM_FILE, "rb");
	char error[GUEST_ERROR_MAX];

	CHECK(f);
	config.rom.size = fread(rom, 1, sizeof(rom), f);
	fclose(f);
	guest_rom(&config.rom);
	if (!guest_create(&config, error))
		check_failed(__FILE__, __LINE__, "%s", error);
	guest = guests[0];
	v = &guest->vcpu[0];
}

static void cut_pool(struct mm *mm)
{
	mm->free_count -= mm->count - POOL;
	mm->count = POOL;
	mm->pages[POOL - 1].next = 0;
}

static void world_start(void)
{
	machine_memory = aligned_alloc(2u << 20, MACHINE_BYTES);
	memset(machine_memory, 0, MACHINE_BYTES);
	machine_start(0x1000, MACHINE_BYTES - 0x1000);
	cpu.cr0 = CR0_PG | CR0_WP | CR0_PE;
	cpu.cr4 = CR4_PAE | CR4_PGE;
	make_guest();
	cut_pool(&guest->mm);
	if (!setjmp(began))
		sched_run();

	/* Not what the loader has left there. */
	memset(world_ram(0), 0, RAM_BYTES);
	guest_tables();
	desc_load_gdt(v, GDT_FRAME << PAGE_SHIFT, 18 * 8 - 1);
	memset(v->regs->gpr, 0, sizeof(v->regs->gpr));
	v->regs->cs = 0x60 | 1;
	v->regs->ss = 0x68 | 1;
	cpu.ds = cpu.es = 0x7b;
	cpu.fs = cpu.gs = 0;
	memcpy(own_gdt, v->gdt_table + GDT_GUEST, sizeof(own_gdt));
	processor_copies = copies;
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

#define AREAS	3
static struct snapshot {
	struct area		area[AREAS];
	struct root		*roots;
	struct guest		guest;
	struct regs		regs;
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
	struct mm *mm = &guest->mm;
	uint8_t *ram_end = world_ram(0) + RAM_BYTES;
	uint8_t *roots_end = (uint8_t *)(mm->roots + ROOTS);
	struct area area[AREAS] = {
		{ .at = ram_end + GAP,
		  .len = pool_tables() - GAP - ram_end - GAP },
		{ .at = (uint8_t *)mm->pages,
		  .len = POOL * sizeof(*mm->pages) },
		{ .at = roots_end + GAP,
		  .len = machine_memory + machine_taken() - roots_end - GAP },
	};
	int i;

	for (i = 0; i < AREAS; i++) {
		area[i].saved = malloc(area[i].len);
		copy(area[i].saved, area[i].at, area[i].len);
		s->area[i] = area[i];
	}
	s->roots = malloc(ROOTS * sizeof(struct root));
	memcpy(s->roots, mm->roots, ROOTS * sizeof(struct root));
	s->guest = *guest;
	s->regs = *v->regs;
	s->cpu = cpu;
	s->ram = malloc(USED_FRAMES * PAGE_SIZE);
	memcpy(s->ram, world_ram(0), USED_FRAMES * PAGE_SIZE);
	s->tables = malloc(POOL * PAGE_SIZE);
	memcpy(s->tables, pool_tables(), POOL * PAGE_SIZE);
}

static void restore(const struct snapshot *s)
{
	uint32_t i, top = guest->mm.root_top;

	for (i = 0; i < AREAS; i++)
		copy(s->area[i].at, s->area[i].saved, s->area[i].len);
	if (top < s->guest.mm.root_top)
		top = s->guest.mm.root_top;
	memcpy(s->guest.mm.roots, s->roots, top * sizeof(*s->roots));
	*guest = s->guest;
	*v->regs = s->regs;
	cpu = s->cpu;
	for (i = 1; i < POOL; i++)
		if (guest->mm.pages[i].role != SP_FREE)
			memcpy(pool_tables() + i * PAGE_SIZE,
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
	struct regs *regs = v->regs;
	uint32_t mode;

	for (mode = 0; mode < WORLD_MODES; mode++) {
		if (mode)
			restore(&start[WORLD_NATIVE]);
		regs->rip = IN_FRAME(CODE_FRAME);
		regs->rsp = IN_FRAME(STACK_FRAME) + 0xff0;
		if (mode == WORLD_NATIVE) {
			regs->rip -= KERNEL_BASE;
			regs->rsp -= KERNEL_BASE;
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
	current = v;
	machine_typed = halted = 0;
	machine_busy = false;
	host_irq_ack(IRQ_TIMER);	/* nothing is programmed */
	sched_charge(NULL);	/* nor does time count so far */
	v->since = cpu.tsc;
}

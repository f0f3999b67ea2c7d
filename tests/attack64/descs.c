// SPDX-License-Identifier: GPL-2.0-only
/* Descriptors: what the guest's tables say, and where they are. */
#include "attack64.h"

#define L		(1ull << 53)
#define D		(1ull << 54)
#define PRESENT		(1ull << 47)
#define CODE_SEGMENT	0x00001a000000ffffull
#define DATA_SEGMENT	0x00cf12000000ffffull
#define CONFORMING	(4ull << 40)
#define SPARE		(SPARE_GDT * 8)

static void system_write(uint32_t index, uint64_t base, uint32_t limit,
			 uint64_t type)
{
	gdt_write(index, (limit & 0xffff) | (base & 0xffffff) << 16 |
		  (0x80 | type) << 40 | (uint64_t)(limit >> 16) << 48 |
		  (base >> 24 & 0xff) << 56, base >> 32);
}

/* Far CALL or JMP to INT3. */
static int64_t far_to(uint32_t sel, bool jump)
{
	const struct { uint64_t offset, sel; } to = { (uint64_t)landing, sel };

	if (jump)
		return CODE("\x48\xff\x2f", .rdi = (uint64_t)&to);
	return CODE("\x48\xff\x1f", .rdi = (uint64_t)&to);
}

static void desc_good(uint32_t arg)
{
	(void)arg;
	own_stack(VEC_BP);
	gdt_write(SPARE_GDT, CODE_SEGMENT | PRESENT | L, 0);
	same64(far_to(SPARE, false), VEC_BP, "a far call to 64-bit code");
	same64(last.cs, SPARE | 1, "at the kernel's ring");
	same64(far_to(SPARE, true), VEC_BP, "a far jump");
	is_well();
}

/* Of all types none leads anywhere: gates of calls and tasks, TSS, LDT. */
static void desc_system(uint32_t dpl)
{
	uint32_t wrong = 0;

	own_stack(VEC_BP);
	for (uint64_t type = 0; type < 16; type++) {
		gdt_write(SPARE_GDT, (pa(landing) & 0xffff) | KERNEL_CS << 16 |
			  type << 40 | (uint64_t)dpl << 45 | PRESENT |
			  (pa(landing) >> 16) << 48, 0);
		for (uint32_t way = 0; way < 2; way++) {
			wrong += far_to(SPARE | dpl, way) != VEC_GP;
			wrong += last.error != SPARE;
		}
		wrong += probe_load_ds(SPARE | dpl) != VEC_GP;
	}
	same64(wrong, 0, "each is a #GP");
	is_well();
}

/* And from user mode: a far call by each. */
static void desc_system_user(uint32_t arg)
{
	static const uint16_t to[4] __attribute__((aligned(8))) = {
		0, 0, SPARE | 3
	};
	struct user u = user_start;
	uint32_t wrong = 0;

	(void)arg;
	play_set(2, (pa(to) & -PAGE) | PTE_P | PTE_U);
	flush();
	u.r.rdi = play_va(2) + (pa(to) & (PAGE - 1));
	user_load("\xff\x1f", 2);
	for (uint64_t type = 0; type < 16; type++) {
		gdt_write(SPARE_GDT, (pa(landing) & 0xffff) | KERNEL_CS << 16 |
			  type << 40 | 3ull << 45 | PRESENT |
			  (pa(landing) >> 16) << 48, 0);
		wrong += user_try(&u) != VEC_GP;
	}
	same64(wrong, 0, "each is a #GP");
	is_well();
}

/* Code of all kinds: only plain 64-bit code of the kernel's ring is entered. */
static void desc_code(uint32_t arg)
{
	uint32_t wrong = 0;
	uint64_t d, dpl;

	(void)arg;
	own_stack(VEC_BP);
	for (uint32_t n = 0; n < 64; n++) {
		dpl = n >> 4;
		d = CODE_SEGMENT | (n & 1 ? L : 0) | (n & 2 ? D : 0) |
		    (n & 4 ? CONFORMING : 0) | (n & 8 ? PRESENT : 0) | dpl << 45;
		gdt_write(SPARE_GDT, d, 0);
		wrong += (far_to(SPARE, false) == VEC_BP) !=
			 ((n & 15) == 9 && dpl < 2);
		wrong += (far_to(SPARE | 1, true) == VEC_BP) !=
			 ((n & 15) == 9 && dpl < 2);
	}
	same64(wrong, 0, "none but that");
	is_well();
}

/* The hypervisor's own, behind the guest's. */
static void desc_hypervisor(uint32_t arg)
{
	struct user u = user_start;
	uint32_t wrong = 0, sel;

	(void)arg;
	own_stack(VEC_BP);
	user_load("\x8e\xdf\xcd\x80", 4);	/* mov ds, edi */
	for (uint32_t n = 0; n < 32; n++) {
		sel = HV_CS + (n >> 2) * 8 + (n & 3);
		wrong += far_to(sel, false) != VEC_GP;
		wrong += probe_load_ds(sel) != VEC_GP;
		wrong += CODE("\x8e\xd7", .rdi = sel) != VEC_GP;	/* SS */
		wrong += CODE("\x0f\x00\xdf", .rdi = sel) != VEC_GP;	/* LTR */
		wrong += CODE("\x0f\x00\xd7", .rdi = sel) != VEC_GP;	/* LLDT */
		u.r.rdi = sel;
		wrong += user_try(&u) != VEC_GP;
	}
	same64(wrong, 0, "each is a #GP");
	is_well();
}

/* Ring 2 is a kernel's ring to paging. Its exceptions lead to ring 1 with its
 * own stack segment, where nothing runs. */
static void desc_ring2(uint32_t arg)
{
	const uint64_t frame[5] = { (uint64_t)landing, SPARE | 2, EFLAGS_FIXED,
				    USER_STACK, SPARE | 10 };

	(void)arg;
	gdt_write(SPARE_GDT, CODE_SEGMENT | PRESENT | L | 2ull << 45,
		  0x00cfd3000000ffff);
	own_stack(VEC_GP);
	iret_frame(frame);
	ok(fixup_vector == VEC_GP, "IRET to ring 2");
	is_well();
}

/* DS, ES, FS and GS hold it, and it is taken away: in a context switch, when they
 * keep it, and later. Then another guest has the processor, and we get it back. */
static void desc_gone(uint32_t lazy)
{
	const uint32_t sel = SPARE | 3;
	uint32_t was[4], wrong = 0;
	uint64_t stolen;

	gdt_write(SPARE_GDT, DATA_SEGMENT | PRESENT | 3ull << 45, 0);
	__asm__ volatile("mov %0, %%ds\n\tmov %0, %%es\n\t"
			 "mov %0, %%fs\n\tmov %0, %%gs" : : "r"(sel));
	vmi1(SetLazyMode, lazy);
	gdt_write(SPARE_GDT, 0, 0);
	hypercall(STUB_HC_DRAIN, 0, 0, 0);
	for (stolen = SHARED->stolen; SHARED->stolen == stolen;)
		__asm__ volatile("pause");
	__asm__ volatile("mov %%ds, %0\n\tmov %%es, %1\n\t"
			 "mov %%fs, %2\n\tmov %%gs, %3"
			 : "=r"(was[0]), "=r"(was[1]), "=r"(was[2]), "=r"(was[3]));
	for (uint32_t n = 0; n < 4; n++)
		wrong += was[n] != (lazy ? sel : 0);
	same64(wrong, 0, "it is there, or null");
	vmi1(SetLazyMode, VMI_LAZY_NONE);
	__asm__ volatile("mov %0, %%ds\n\tmov %0, %%es\n\t"
			 "mov %0, %%fs\n\tmov %0, %%gs" : : "r"(0));
	is_well();
}

/* An LDT at page 0, with gates and code. */
static void ldt_page_0(uint32_t arg)
{
	volatile uint64_t *at = direct(0);
	uint32_t wrong = 0;

	(void)arg;
	own_stack(VEC_BP);
	for (uint32_t i = 0; i < 16; i++)
		at[i] = (pa(landing) & 0xffff) | KERNEL_CS << 16 |
			(uint64_t)i << 40 | 3ull << 45 | PRESENT |
			(pa(landing) >> 16) << 48;
	at[16] = CODE_SEGMENT | PRESENT | L;
	system_write(LDT_SELECTOR / 8, 0, 0xffff, 2);
	vmi1(SetLDT, LDT_SELECTOR);
	for (uint32_t i = 0; i < 16; i++)
		wrong += far_to(i * 8 + 7, false) != VEC_GP;
	same64(wrong, 0, "gates in an LDT are a #GP");
	same64(far_to(16 * 8 + 4, false), VEC_BP, "code is not");
	same64(last.cs, 16 * 8 + 5, "at the kernel's ring");
	vmi1(SetLDT, 0);
	for (uint32_t i = 0; i < 17; i++)
		wrong += far_to(i * 8 + 4, false) != VEC_GP;
	same64(wrong, 0, "with no LDT nothing is there");
	is_well();
}

static void ldt_huge(uint32_t arg)
{
	static const uint32_t limits[] = { 0xfffff, 0xffffe, 0xffff, 7, 0 };

	(void)arg;
	for (uint32_t n = 0; n < 5; n++) {
		system_write(LDT_SELECTOR / 8, DIRECT, limits[n], 2 | 0x8000);
		vmi1(SetLDT, LDT_SELECTOR);
		probe_load_ds(0xffff);
		system_write(LDT_SELECTOR / 8, -16ull, limits[n], 2);
		vmi1(SetLDT, LDT_SELECTOR);
		probe_load_ds(0xffff);
		vmi3(WriteLDTEntry, -16ull, 8191, &limits);
	}
	vmi1(SetLDT, 0);
	is_well();
}

/* An LDT and a TSS whose upper halves are wrong. */
static void system_upper(uint32_t arg)
{
	static const uint64_t high[] = {
		0x8000, 0xffff7fff, 0x80000000, 0x1f00ffffffff, -1ull
	};
	uint32_t wrong = 0;

	(void)arg;
	for (uint32_t n = 0; n < 5; n++) {
		gdt_write(LDT_SELECTOR / 8, 0x000082000000ffff, high[n]);
		wrong += CODE("\x0f\x00\xd7", .rdi = LDT_SELECTOR) != VEC_GP;
		gdt_write(TSS_SELECTOR / 8, 0x0000890000000067, high[n]);
		wrong += CODE("\x0f\x00\xdf", .rdi = TSS_SELECTOR) != VEC_GP;
	}
	same64(wrong, 0, "each is a #GP");
	is_well();
}

/* A GDT wherever it may be said to be. */
static void gdt_where(uint32_t n)
{
	static const uint64_t where[] = {
		UNMAPPED, TRAMP_PAGE(TRAMP_GDT), TOP, AREA, EDGE - 8, -8ull,
		DIRECT - 16, 0
	};
	static const uint16_t limits[] = { 0xffff, 0, 7, 8, 0x17, 0xfffe };
	struct vmi64_table_pointer p = { 0, where[n] }, old = {
		sizeof(gdt) - 1, (uint64_t)gdt };
	struct user u = user_start;
	uint32_t wrong = 0;

	user_load("\x0f\x0b", 2);
	for (uint32_t i = 0; i < 6; i++) {
		p.limit = limits[i];
		vmi1(SetGDT, &p);
		wrong += probe_read(UNMAPPED) != VEC_PF;
		if (n < 4)
			wrong += user_try(&u) != VEC_GP;
		vmi1(SetGDT, &old);
	}
	same64(wrong, 0, "it goes on with the segments that it has");
	is_well();
}

/* Where no address is: LGDT and LIDT refuse. */
static void table_odd(uint32_t arg)
{
	struct vmi64_table_pointer p = { 0xffff, arg ? EDGE : ODD };

	same64(CODE("\x0f\x01\x17", .rdi = (uint64_t)&p), VEC_GP, "LGDT");
	same64(CODE("\x0f\x01\x1f", .rdi = (uint64_t)&p), VEC_GP, "LIDT");
	hypercall(STUB_HC_SET_GDT, p.base, 0xffff, 0);
	same64(probe_read(UNMAPPED), VEC_PF, "SetGDT is the guest's affair");
	hypercall(STUB_HC_SET_GDT, (uint64_t)gdt, sizeof(gdt) - 1, 0);
	is_well();
}

const struct attack desc_cases[] = {
	CASE(desc_good),
	CASE_ARG("desc_system_0", desc_system, 0),
	CASE_ARG("desc_system_1", desc_system, 1),
	CASE_ARG("desc_system_3", desc_system, 3),
	CASE(desc_system_user),
	CASE(desc_code),
	CASE(desc_hypervisor),
	CASE(desc_ring2, .end = CANNOT_RUN),
	CASE_ARG("desc_gone", desc_gone, VMI_LAZY_NONE),
	CASE_ARG("desc_gone_lazy", desc_gone, VMI_LAZY_CPU),
	CASE(ldt_page_0),
	CASE(ldt_huge),
	CASE(system_upper),
	CASE_ARG("gdt_absent", gdt_where, 0),
	CASE_ARG("gdt_hypervisor", gdt_where, 1),
	CASE_ARG("gdt_rom", gdt_where, 2),
	CASE_ARG("gdt_area", gdt_where, 3),
	CASE_ARG("gdt_edge", gdt_where, 4),
	CASE_ARG("gdt_end", gdt_where, 5),
	CASE_ARG("gdt_crossing", gdt_where, 6),
	CASE_ARG("gdt_page_0", gdt_where, 7),
	CASE_ARG("table_odd", table_odd, 0),
	CASE_ARG("table_edge", table_odd, 1),
	CASES_END
};

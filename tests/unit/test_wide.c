// SPDX-License-Identifier: GPL-2.0-only
/*
 * Descriptor tables of a 64-bit guest, which are in its memory in the top 2 GB; its
 * events, with the frames of 64-bit mode; and IRETQ.
 */
#include <stdlib.h>

#include <cpu.h>

#include "core.h"
#include "unit.h"

#define BASE		0xffffffff81000000ull
#define SIZE		0x10000u
#define GDT		BASE
#define LDT		(BASE + 0x800)
#define IDT		(BASE + 0x1000)
#define TSS		(BASE + 0x2000)
#define STACK		(BASE + 0x8000)
#define BAD		0x0000800000000000ull	/* not canonical */

#define KERNEL_CS	0x10
#define KERNEL_SS	0x18
#define USER_CS32	0x23
#define USER_SS		0x2b
#define USER_CS		0x33
#define TSS_SEL		0x40
#define LDT_SEL		0x50

static struct guest guest;
static struct vcpu *const v = &guest.vcpu[0];
static struct regs regs;
static union {
	struct stub_shared narrow;
	struct stub64_shared wide;
} shared;
static uint8_t memory[SIZE];
static const char *killed;
static uint32_t moves;		/* of the fault of an IRETQ, if the ROM's */

/* ---- what they call -------------------------------------------------------- */

static uint8_t *at(gva_t va, uint32_t len)
{
	return va - BASE <= SIZE - len ? memory + (va - BASE) : NULL;
}

bool guest_read(struct mmu *m, void *dst, gva_t va, uint32_t len)
{
	(void)m;
	if (!at(va, len))
		return false;
	memcpy(dst, at(va, len), len);
	return true;
}

bool guest_write(struct mmu *m, gva_t va, const void *src, uint32_t len)
{
	(void)m;
	if (!at(va, len))
		return false;
	memcpy(at(va, len), src, len);
	return true;
}

/* It is never in the ROM. */
void event_move_to_iret_site(struct vcpu *vcpu)
{
	assert_false(rom_is_iret(vcpu));
	moves++;
}

void event_leave_lazy_mode(struct vcpu *vcpu)
{
	vcpu->sh->lazy_mode = VMI_LAZY_NONE;
}

void vcpu_kill(struct vcpu *vcpu, const char *fmt, ...)
{
	(void)vcpu;
	killed = fmt;
}

void vcpu_reboot(struct vcpu *vcpu, const char *how)
{
	(void)vcpu;
	killed = how;
}

bool vcpu_reboots_by_fault(const struct vcpu *vcpu)
{
	(void)vcpu;
	return false;
}

void *host_pages(size_t bytes, size_t align)
{
	(void)align;
	return calloc(1, bytes);
}

void host_pages_free(void *pages, size_t bytes)
{
	(void)bytes;
	free(pages);
}

uint64_t host_tss(void) { return 0; }
void host_exit_stack(uint64_t top) { (void)top; }
void host_gdt_loaded(uint16_t cs, uint16_t tss) { (void)cs, (void)tss; }
void step_refused(struct vcpu *vcpu) { (void)vcpu; }
void wide_load(struct vcpu *vcpu) { (void)vcpu; }
void wide_save(struct vcpu *vcpu) { (void)vcpu; }
void wide_fault_changed(struct vcpu *vcpu)
{
	(void)vcpu;
}

const uint8_t tramp_start[1], tramp_end[1], tramp_iret[1], tramp_fault_iret[1],
	tramp_drain_iret[1];

/* ---- a guest ---------------------------------------------------------------- */

static void put(gva_t va, uint64_t val)
{
	assert_true(guest_write(NULL, va, &val, 8));
}

static uint64_t get(gva_t va)
{
	uint64_t val;

	assert_true(guest_read(NULL, &val, va, 8));
	return val;
}

/* A descriptor of 16 bytes. */
static void put_system(uint32_t sel, uint64_t base, uint32_t limit,
		       uint32_t type, uint64_t high)
{
	put(GDT + sel, limit | (base & 0xffffff) << 16 | (uint64_t)type << 40 |
		       (base >> 24 & 0xff) << 56);
	put(GDT + sel + 8, high | base >> 32);
}

static void put_gate(uint32_t vector, uint64_t rip, uint32_t how)
{
	put(IDT + vector * 16, (rip & 0xffff) | KERNEL_CS << 16 |
			       (uint64_t)how << 32 | (rip & 0xffff0000) << 32);
	put(IDT + vector * 16 + 8, rip >> 32);
}
#define GATE_INT	0x8e00u
#define GATE_TRAPS	0x8f00u
#define GATE_IST(n)	(GATE_INT | (n))

static int setup(void **state)
{
	(void)state;
	memset(&guest, 0, sizeof(guest));
	memset(&shared, 0, sizeof(shared));
	memset(memory, 0, sizeof(memory));
	killed = NULL;
	moves = 0;
	v->rom = &guest.rom;
	v->g = &guest;
	v->sibling = v->first = v;
	v->mmu.mm = &guest.mm;
	v->mmu.guest_last = UINT32_MAX;
	v->sh = &shared.narrow;
	v->regs = &regs;
	v->wide = true;
	regs = (struct regs){
		.rip = BASE + 0x123456, .cs = KERNEL_CS | 1, .rflags = 0x202,
		.rsp = STACK + 0x108, .ss = KERNEL_SS | 1,
	};
	assert_true(desc_init(v));
	put(GDT + KERNEL_CS, 0x00af9b000000ffff);
	put(GDT + KERNEL_SS, 0x00cf93000000ffff);
	put(GDT + USER_CS32 - 3, 0x00cffb000000ffff);
	put(GDT + USER_SS - 3, 0x00cff3000000ffff);
	put(GDT + USER_CS - 3, 0x00affb000000ffff);
	put_system(TSS_SEL, TSS, 0x67, 0x89, 0);
	put_system(LDT_SEL, LDT, 0xf, 0x82, 0);
	desc_load_gdt(v, GDT, 0x5f);
	desc_load_idt(v, IDT, 0xfff);
	assert_true(desc_load_tr(v, TSS_SEL));
	put(TSS + 4, STACK + 0x1000);		/* RSP0 */
	put(TSS + 36, STACK + 0x2000);		/* IST1 */
	put(TSS + 36 + 48, STACK + 0x7008);	/* IST7 */
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	desc_free(v);
	return 0;
}
#define TEST(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)

/* ---- descriptors -------------------------------------------------------------- */

static void test_code(void **state)
{
	(void)state;
	assert_int_equal(desc_lookup(v, KERNEL_CS), 0x00afbb000000ffff);
	assert_int_equal(desc_lookup(v, KERNEL_SS), 0x00cfb3000000ffff);
	assert_int_equal(desc_lookup(v, USER_CS32), 0x00cffb000000ffff);
	assert_int_equal(desc_lookup(v, USER_CS), 0x00affb000000ffff);
	put(GDT + KERNEL_CS, 0x00cf9b000000ffff);	/* 32-bit, of the kernel */
	desc_gdt_changed(v, KERNEL_CS / 8);
	assert_int_equal(desc_lookup(v, KERNEL_CS), 0);
	put(GDT + KERNEL_CS, 0x00ef9b000000ffff);	/* L and D */
	desc_gdt_changed(v, KERNEL_CS / 8);
	assert_int_equal(desc_lookup(v, KERNEL_CS), 0);
	put(GDT + KERNEL_CS, 0x00af9f000000ffff);	/* conforming */
	desc_gdt_changed(v, KERNEL_CS / 8);
	assert_int_equal(desc_lookup(v, KERNEL_CS), 0);
	put(GDT + USER_CS - 3, 0x0000ec0000000000);	/* a call gate */
	desc_gdt_changed(v, USER_CS / 8);
	assert_int_equal(desc_lookup(v, USER_CS), 0);
}

static void test_task_register(void **state)
{
	(void)state;
	assert_int_equal(v->tss_base, TSS);
	assert_int_equal(v->tss_limit, 0x67);
	assert_int_equal(v->tr, TSS_SEL);
	put_system(TSS_SEL, TSS, 0x67, 0x8b, 0);	/* busy */
	assert_true(desc_load_tr(v, TSS_SEL));
	v->tr = 0;
	put_system(TSS_SEL, BAD, 0x67, 0x89, 0);
	assert_false(desc_load_tr(v, TSS_SEL));
	put_system(TSS_SEL, TSS, 0x67, 0x89, 1ull << 40);
	assert_false(desc_load_tr(v, TSS_SEL));
	put_system(TSS_SEL, TSS, 0x67, 0x82, 0);
	assert_false(desc_load_tr(v, TSS_SEL));
	put_system(TSS_SEL, TSS, 0x67, 0x09, 0);
	assert_false(desc_load_tr(v, TSS_SEL));
	put_system(TSS_SEL, TSS, 0x67, 0x89, 0);
	v->gdt_limit = TSS_SEL + 14;			/* only half of it */
	assert_false(desc_load_tr(v, TSS_SEL));
	assert_int_equal(v->tr, 0);
	v->gdt_limit++;
	assert_true(desc_load_tr(v, TSS_SEL));
}

static void test_local_table(void **state)
{
	(void)state;
	put(LDT, 0x00cff3000000ffff);
	put(LDT + 8, 0x00cf9b000000ffff);
	assert_true(desc_load_ldt(v, LDT_SEL));
	assert_int_equal(v->ldt_base, LDT);
	assert_int_equal(desc_lookup(v, 4), 0x00cff3000000ffff);
	assert_int_equal(desc_lookup(v, 12), 0);
	put_system(LDT_SEL, BAD, 0xf, 0x82, 0);
	assert_false(desc_load_ldt(v, LDT_SEL));
	assert_int_equal(v->ldt_base, LDT);
	assert_true(desc_load_ldt(v, 0));
	assert_int_equal(desc_lookup(v, 4), 0);
}

/* ---- events -------------------------------------------------------------------- */

/* What was pushed: of this event, from there. */
static void assert_frame(gva_t frame, const struct regs *from, uint64_t flags)
{
	assert_int_equal(get(frame), from->rip);
	assert_int_equal(get(frame + 8), from->cs);
	assert_int_equal(get(frame + 16), flags);
	assert_int_equal(get(frame + 24), from->rsp);
	assert_int_equal(get(frame + 32), from->ss);
}

/* Where the trampoline is not mapped the processor has a GDT all the same. */
static void test_unload(void **state)
{
	struct dtr none;

	(void)state;
	desc_cpu_init();
	none = cpu.gdt;
	desc_load_wide(v);
	assert_int_not_equal(cpu.gdt.base, none.base);
	desc_unload_wide();
	assert_int_equal(cpu.gdt.base, none.base);
	assert_int_equal(cpu.gdt.limit, none.limit);
}

static void test_event_in_kernel(void **state)
{
	struct regs before = regs;

	(void)state;
	put_gate(VEC_PF, BASE + 0x1000, GATE_INT);
	shared.narrow.flags = STUB_IF;
	wide_page_fault(v, 0xffffc90000001000, PF_W);
	assert_int_equal(shared64(v)->cr2, 0xffffc90000001000);
	/* 16-byte aligned, then six words */
	assert_int_equal(regs.rsp, STACK + 0x100 - 48);
	assert_int_equal(get(regs.rsp), PF_W);
	assert_frame(regs.rsp + 8, &before, 0x202);
	assert_int_equal(regs.rip, BASE + 0x1000);
	assert_int_equal(regs.cs, KERNEL_CS | 1);
	assert_int_equal(regs.ss, KERNEL_SS | 1);
	assert_int_equal(shared.narrow.flags, 0);
	/* a trap gate leaves the flag alone, and IF is the virtual one */
	put_gate(VEC_BP, BASE + 0x2000, GATE_TRAPS);
	before = regs;
	wide_deliver(v, VEC_BP, false, 0);
	assert_int_equal(regs.rsp, (before.rsp & ~15ull) - 40);
	assert_frame(regs.rsp, &before, 0x2);
	assert_null(killed);
}

static void test_event_in_user_mode(void **state)
{
	struct regs before;

	(void)state;
	put_gate(32, BASE + 0x1000, GATE_INT);
	regs.rip = 0x7f0000001000;
	regs.cs = USER_CS;
	regs.rsp = 0x7fff00000123;
	regs.ss = USER_SS;
	regs.rflags = 0x202 | EFLAGS_TF | EFLAGS_AC;
	v->iopl = EFLAGS_IOPL;
	before = regs;
	wide_deliver(v, 32, false, 0);
	assert_int_equal(regs.rsp, STACK + 0x1000 - 40);
	assert_frame(regs.rsp, &before, 0x3202 | EFLAGS_TF | EFLAGS_AC);
	assert_int_equal(regs.cs, KERNEL_CS | 1);
	assert_int_equal(regs.ss, 1);
	assert_int_equal(regs.rflags, 0x202 | EFLAGS_AC);
}

static void test_stacks_of_the_tss(void **state)
{
	struct regs before = regs;

	(void)state;
	put_gate(VEC_NMI, BASE + 0x1000, GATE_IST(1));
	put_gate(VEC_DB, BASE + 0x1000, GATE_IST(7));
	wide_deliver(v, VEC_NMI, false, 0);
	assert_int_equal(regs.rsp, STACK + 0x2000 - 40);
	assert_frame(regs.rsp, &before, 0x2);
	wide_deliver(v, VEC_DB, false, 0);
	assert_int_equal(regs.rsp, STACK + 0x7000 - 40);
	v->tss_base = BASE + SIZE;
	wide_deliver(v, VEC_NMI, false, 0);
	assert_non_null(killed);
}

static void test_no_gate(void **state)
{
	(void)state;
	put_gate(VEC_GP, BASE + 0x3000, GATE_INT);
	put_gate(VEC_DF, BASE + 0x4000, GATE_INT);
	put_gate(33, BASE + 0x1000, 0x0e00);		/* absent */
	put_gate(VEC_NP, BASE + 0x5000, GATE_INT);
	wide_deliver(v, 40, false, 0);
	assert_int_equal(regs.rip, BASE + 0x3000);
	assert_int_equal(get(regs.rsp), 40 * 8 + 3);
	wide_deliver(v, 33, false, 0);
	assert_int_equal(regs.rip, BASE + 0x5000);
	assert_int_equal(get(regs.rsp), 33 * 8 + 3);
	wide_deliver(v, VEC_PF, true, 0);
	assert_int_equal(regs.rip, BASE + 0x4000);
	assert_int_equal(get(regs.rsp), 0);
	put_gate(VEC_DF, 0, 0);
	assert_null(killed);
	wide_deliver(v, VEC_PF, true, 0);
	assert_non_null(killed);
}

static void test_bad_stack(void **state)
{
	struct regs before;

	(void)state;
	put_gate(32, BASE + 0x1000, GATE_INT);
	regs.rsp = BASE + 16;			/* the frame begins below */
	before = regs;
	wide_deliver(v, 32, false, 0);
	assert_non_null(killed);
	assert_memory_equal(&before, &regs, sizeof(regs));
}

/* ---- IRETQ ---------------------------------------------------------------------- */

static void frame(uint64_t rip, uint64_t cs, uint64_t flags, uint64_t rsp,
		  uint64_t ss)
{
	regs = (struct regs){
		.rip = BASE, .cs = KERNEL_CS | 1, .rflags = 0x202,
		.rsp = STACK, .ss = KERNEL_SS | 1,
	};
	put(STACK, rip);
	put(STACK + 8, cs);
	put(STACK + 16, flags);
	put(STACK + 24, rsp);
	put(STACK + 32, ss);
	assert_true(wide_iret(v, STACK));
}

static void went(uint64_t rip, uint64_t cs, uint64_t flags, uint64_t rsp,
		 uint64_t ss)
{
	assert_int_equal(regs.rip, rip);
	assert_int_equal(regs.cs, cs);
	assert_int_equal(regs.rflags, flags);
	assert_int_equal(regs.rsp, rsp);
	assert_int_equal(regs.ss, ss);
}

static void test_iret(void **state)
{
	(void)state;
	frame(BASE + 1, KERNEL_CS, 0x202, 5, KERNEL_SS);
	went(BASE + 1, KERNEL_CS | 1, 0x202, 5, KERNEL_SS | 1);
	assert_int_equal(shared.narrow.flags, STUB_IF);
	frame(BASE + 1, KERNEL_CS | 1, 0x2, BAD, 1);
	went(BASE + 1, KERNEL_CS | 1, 0x202, BAD, 1);
	assert_int_equal(shared.narrow.flags, 0);
	frame(BASE + 1, KERNEL_CS, 0x2, 5, 0);
	went(BASE + 1, KERNEL_CS | 1, 0x202, 5, 1);
	/* neither IOPL, VM, VIF, VIP nor what is reserved */
	frame(BASE + 1, KERNEL_CS, UINT64_MAX, 5, KERNEL_SS);
	went(BASE + 1, KERNEL_CS | 1, 0x254fd7, 5, KERNEL_SS | 1);
	frame(0x7f0000001000, USER_CS, 0x302, 0x7fff00000000, USER_SS);
	went(0x7f0000001000, USER_CS, 0x302, 0x7fff00000000, USER_SS);
	frame(0x1000, USER_CS32, 0x202, 0x2000, USER_SS);
	went(0x1000, USER_CS32, 0x202, 0x2000, USER_SS);
	assert_null(killed);
	assert_false(wide_iret(v, BASE + SIZE - 32));
}

/* A fault of the IRETQ itself, at rip. */
static void faulted(int vector, uint32_t error)
{
	assert_int_equal(regs.rip, BASE + 0x100 * vector);
	assert_int_equal(get(regs.rsp), error);
	assert_int_equal(get(regs.rsp + 8), BASE);
	assert_int_equal(get(regs.rsp + 16), KERNEL_CS | 1);
}

static void test_iret_refused(void **state)
{
	(void)state;
	put_gate(VEC_GP, BASE + 0x100 * VEC_GP, GATE_INT);
	put_gate(VEC_NP, BASE + 0x100 * VEC_NP, GATE_INT);
	put_gate(VEC_SS, BASE + 0x100 * VEC_SS, GATE_INT);
	frame(BAD, KERNEL_CS, 2, 5, KERNEL_SS);
	faulted(VEC_GP, 0);
	frame(BASE, 0, 2, 5, KERNEL_SS);
	faulted(VEC_GP, 0);
	frame(BASE, KERNEL_SS, 2, 5, KERNEL_SS);
	faulted(VEC_GP, KERNEL_SS);
	frame(BASE, KERNEL_CS | 3, 2, 5, USER_SS);	/* DPL 1 */
	faulted(VEC_GP, KERNEL_CS);
	frame(BASE, USER_CS & ~3, 2, 5, KERNEL_SS);	/* DPL 3 */
	faulted(VEC_GP, USER_CS & ~3);
	frame(BASE, KERNEL_CS | 2, 2, 5, 2);
	faulted(VEC_GP, KERNEL_CS);
	frame(BASE, KERNEL_CS, 2, 5, USER_SS);
	faulted(VEC_GP, USER_SS & ~3);
	frame(BASE, KERNEL_CS, 2, 5, KERNEL_CS);
	faulted(VEC_GP, KERNEL_CS);
	frame(BASE, USER_CS, 2, 5, 3);			/* null for a user */
	faulted(VEC_GP, 0);
	frame(1ull << 32, USER_CS32, 2, 5, USER_SS);	/* beyond its limit */
	faulted(VEC_GP, 0);
	put(GDT + USER_SS - 3, 0x00cff1000000ffff);	/* read-only */
	desc_gdt_changed(v, USER_SS / 8);
	frame(0, USER_CS, 2, 5, USER_SS);
	faulted(VEC_GP, USER_SS & ~3);
	put(GDT + USER_SS - 3, 0x00cf73000000ffff);	/* absent */
	desc_gdt_changed(v, USER_SS / 8);
	frame(0, USER_CS, 2, 5, USER_SS);
	faulted(VEC_SS, USER_SS & ~3);
	put(GDT + USER_CS - 3, 0x00af7b000000ffff);
	desc_gdt_changed(v, USER_CS / 8);
	frame(0, USER_CS, 2, 5, USER_SS);
	faulted(VEC_NP, USER_CS & ~3);
	assert_int_equal(moves, 13);
	assert_null(killed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_code),
		TEST(test_task_register),
		TEST(test_local_table),
		TEST(test_unload),
		TEST(test_event_in_kernel),
		TEST(test_event_in_user_mode),
		TEST(test_stacks_of_the_tss),
		TEST(test_no_gate),
		TEST(test_bad_stack),
		TEST(test_iret),
		TEST(test_iret_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

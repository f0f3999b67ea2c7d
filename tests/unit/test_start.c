// SPDX-License-Identifier: GPL-2.0-only
/*
 * How a further vCPU begins: the block of SetInitialAPState, which the guest
 * writes as it likes and may change at any moment, and what becomes of the vCPU.
 */
#include "images.h"
#include "processor.h"
#include "shadow.h"

#define PD		0x100000u	/* guest-physical, and linear */
#define GDT		0x101000u
#define PDPT		0x102000u
#define PAE_PD		0x103000u
#define LDT		0x104000u
#define BLOCK		0x110000u
#define END_OF_MEMORY	0x400000u
#define FLAGS		(PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)

/* Selectors of the GDT below. */
enum {
	KERNEL_CS = 0x10, KERNEL_DS = 0x18, USER_CS = 0x20, USER_DS = 0x28,
	READ_ONLY = 0x30, ABSENT_CS = 0x38, ABSENT_DS = 0x40, LDT_SEL = 0x48,
	CONFORMING = 0x50, TSS_SEL = 0x58, GDT_END = 0x60
};
#define IN_LDT		4

static struct guest *g;
static struct vcpu *first, *v;

static uint8_t *memory(gpa_t pa)
{
	return (uint8_t *)gmem_boot_ram(&g->mm.gmem) + pa;
}

static void put64(gpa_t pa, uint64_t val)
{
	memcpy(memory(pa), &val, sizeof(val));
}

static void on(struct vcpu *vcpu)
{
	current = vcpu;
	cr_load(vcpu);
}

static void make_tables(void)
{
	const uint64_t code = 0x00cf9b000000ffff, data = 0x00cf93000000ffff;

	put64(PD, FLAGS | PTE_PS);
	put64(PDPT, PAE_PD | PTE_P);
	put64(PAE_PD, FLAGS | PTE_PS);
	put64(PAE_PD + 8, 2 << 20 | FLAGS | PTE_PS);
	put64(GDT + KERNEL_CS, code);
	put64(GDT + KERNEL_DS, data);
	put64(GDT + USER_CS, code | 3ull << 45);
	put64(GDT + USER_DS, data | 3ull << 45);
	put64(GDT + READ_ONLY, data & ~(1ull << 41));
	put64(GDT + ABSENT_CS, code & ~(1ull << 47));
	put64(GDT + ABSENT_DS, data & ~(1ull << 47));
	put64(GDT + LDT_SEL, 0x0000820000000017 | (uint64_t)LDT << 16);
	put64(GDT + CONFORMING, code | 1ull << 42);
	put64(GDT + TSS_SEL, 0x0000890000000067);
	put64(LDT, code);
	put64(LDT + 8, data);
}

static const struct vmi_ap_state good = {
	.cr0 = CR0_PE | CR0_PG | CR0_WP, .cr2 = 0x12345678, .cr3 = PD,
	.cr4 = CR4_PSE, .eip = 0x200000, .eflags = EFLAGS_IF,
	.eax = 1, .ebx = 2, .ecx = 3, .edx = 4, .esp = 0x300000, .ebp = 5,
	.esi = 6, .edi = 7,
	.cs = KERNEL_CS, .ss = KERNEL_DS, .ds = USER_DS, .es = USER_DS,
	.gdtr_limit = GDT_END - 1, .gdtr_base = GDT,
};

static int setup(void **state)
{
	images_setup(state);
	config[0].cpus = 2;
	cpu.cr0 = 0x80010033;
	cpu.cr4 = CR4_PAE | CR4_PGE | CR4_OSFXSR;
	g = images_guest(0);
	first = &g->vcpu[0];
	v = &g->vcpu[1];
	images_begin(first);
	first->regs->gpr[EAX] = STUB_HC_INIT;
	processor_exit(first->regs, STUB_VECTOR, 0);
	assert_int_equal(first->regs->gpr[EAX], 0);
	make_tables();
	return 0;
}

static int teardown(void **state)
{
	assert_int_equal(first->regs->stop, STOP_NOT);
	processor_copies = NULL;
	return images_free(state);
}

/* ---- the call ----------------------------------------------------------------- */

static bool call(gva_t block, uint32_t id)
{
	on(first);
	first->regs->gpr[EAX] = STUB_HC_INITIAL_STATE;
	first->regs->gpr[EDX] = block;
	first->regs->gpr[ECX] = id;
	processor_exit(first->regs, STUB_VECTOR, 0);
	return first->regs->gpr[EAX];
}

static void set(const struct vmi_ap_state *s)
{
	memcpy(memory(BLOCK), s, sizeof(*s));
	assert_true(call(BLOCK, 1));
	assert_true(v->initial_set);
}

/* Does it start, on a processor that it has to itself? */
static bool starts(void)
{
	on(v);
	v->regs->stop = STOP_NOT;
	vcpu_start(v);
	assert_false(v->initial_set);
	assert_true(v->regs->stop == STOP_NOT || v->regs->stop == STOP_OFF);
	return v->regs->stop == STOP_NOT;
}

static void test_good(void **state)
{
	struct vmi_ap_state s = good;

	(void)state;
	first->sh->linear[0].va = 0xc0000000;
	first->sh->linear[0].bytes = 1 << 20;
	v->tr = 0x58;
	v->pat = 0;
	v->sysenter_cs = 0x60;
	v->dr[0] = 1;
	v->dr[7] = 0x401;
	v->interrupted = true;
	v->sh->lazy_mode = VMI_LAZY_MMU;
	s.cr4 |= CR4_TSD | 1u << 13;			/* VMXE */
	s.efer = EFER_NXE | 1 << 10 | 1 << 12;		/* LMA, SVME */
	s.eflags |= EFLAGS_IOPL | EFLAGS_TF;
	s.ldtr = LDT_SEL;
	s.gs = TSS_SEL;
	set(&s);
	assert_true(starts());
	assert_true(v->mmu.cr3 == PD && (v->mmu.mode & CR0_PG));
	assert_int_equal(v->cr0, good.cr0);
	assert_int_equal(v->sh->cr0, good.cr0);
	assert_int_equal(v->sh->cr3, PD);
	assert_int_equal(v->cr4, CR4_PSE | CR4_TSD);
	assert_int_equal(v->sh->cr4, CR4_PSE | CR4_TSD);
	assert_int_equal(v->efer, EFER_NXE);
	assert_int_equal(v->sh->cr2, good.cr2);
	assert_int_equal(v->regs->cs, KERNEL_CS | 1);
	assert_int_equal(v->regs->ss, KERNEL_DS | 1);
	assert_int_equal(v->sh->ss0, KERNEL_DS | 1);
	assert_int_equal(v->regs->rip, good.eip);
	assert_int_equal(v->regs->rsp, good.esp);
	assert_int_equal(v->regs->rflags,
			 EFLAGS_IF | EFLAGS_TF | EFLAGS_FIXED);
	assert_int_equal(v->iopl, EFLAGS_IOPL);
	assert_int_equal(v->sh->flags & STUB_IF, STUB_IF);
	assert_int_equal(v->regs->gpr[EAX], 1);
	assert_int_equal(v->regs->gpr[EDI], 7);
	assert_int_equal(v->ldt, LDT_SEL);
	assert_int_equal(cpu.ds, USER_DS);
	assert_int_equal(cpu.gs, 0);			/* it is no segment */
	assert_int_equal(v->tr | v->dr[0] | v->sysenter_cs, 0);
	assert_int_equal(cpu.dr[7], 0x400);
	assert_int_equal(v->sh->dr[7], 0x400);
	assert_int_equal(v->sh->dr[6], DR6_FIXED);
	assert_int_equal(v->pat, 0x0007040600070406);
	assert_false(v->interrupted);
	assert_int_equal(v->sh->lazy_mode, 0);
	assert_int_equal(v->sh->tail, -STUB_QUEUE_LEN);
	assert_int_equal(v->sh->queue_guard, STUB_QUEUE_GUARD);
	assert_int_equal(v->sh->layout, STUB_LAYOUT);
	assert_int_equal(v->sh->linear[0].va, 0xc0000000);
	assert_int_equal(v->sh->linear[0].bytes, 1 << 20);
	assert_true(processor_can_return(v->regs));
}

/* Each field that it is judged by, wrong alone. After each the vCPU waits for
 * another STARTUP, which needs another block, and with a good one it starts. */
static void test_bad(void **state)
{
#define BAD(field, value) {						\
	offsetof(struct vmi_ap_state, field), sizeof(good.field), value,	\
	#field " " #value }
	static const struct {
		size_t		at, len;
		uint32_t	value;
		const char	*name;
	} bad[] = {
		BAD(cr0, 0), BAD(cr0, CR0_PG), BAD(cr0, CR0_PE | CR0_WP),
		BAD(cr4, CR4_PAE), BAD(cr4, UINT32_MAX),
		BAD(cr3, END_OF_MEMORY), BAD(cr3, 0xfffff000),
		BAD(cs, 0), BAD(cs, 3), BAD(cs, KERNEL_DS), BAD(cs, USER_CS),
		BAD(cs, ABSENT_CS), BAD(cs, CONFORMING), BAD(cs, LDT_SEL),
		BAD(cs, GDT_END), BAD(cs, 0xfff8), BAD(cs, IN_LDT),
		BAD(cs, GDT_GUEST * 8), BAD(cs, HV_CS),
		BAD(ss, 0), BAD(ss, 3), BAD(ss, KERNEL_CS), BAD(ss, USER_DS),
		BAD(ss, ABSENT_DS), BAD(ss, READ_ONLY), BAD(ss, TSS_SEL),
		BAD(ss, GDT_END), BAD(ss, IN_LDT | 8),
		BAD(eflags, EFLAGS_VM), BAD(eflags, UINT32_MAX),
		BAD(ldtr, KERNEL_DS), BAD(ldtr, TSS_SEL), BAD(ldtr, GDT_END),
		BAD(ldtr, 0xfff8), BAD(ldtr, LDT_SEL | IN_LDT),
		BAD(gdtr_limit, 0), BAD(gdtr_limit, KERNEL_CS + 6),
		BAD(gdtr_base, 0), BAD(gdtr_base, 0xc0000000),
		BAD(gdtr_base, UINT32_MAX),
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		struct vmi_ap_state s = good;

		/* A life before, with an LDT. */
		s.ldtr = LDT_SEL;
		set(&s);
		assert_true(starts());
		s = good;
		memcpy((uint8_t *)&s + bad[i].at, &bad[i].value, bad[i].len);
		set(&s);
		if (starts())
			fail_msg("it starts with %s", bad[i].name);
		set(&good);
		assert_true(starts());
		assert_true(processor_can_return(v->regs));
	}
}

/* CS and SS may be of the LDT that the block names. */
static void test_segments_of_the_ldt(void **state)
{
	struct vmi_ap_state s = good;

	(void)state;
	s.ldtr = LDT_SEL;
	s.cs = IN_LDT;
	s.ss = IN_LDT | 8;
	set(&s);
	assert_true(starts());
	assert_int_equal(v->regs->cs, IN_LDT | 1);
	assert_true(processor_can_return(v->regs));
}

/* With PAE, as the others have it. */
static void test_pae(void **state)
{
	struct vmi_ap_state s = good;

	(void)state;
	on(first);
	cr4_write(first, CR4_PAE);
	cr3_write(first, PDPT);
	cr0_write(first, first->cr0 | CR0_PG);
	s.cr3 = PDPT;
	s.cr4 = CR4_PAE;
	set(&s);
	assert_true(starts());
	set(&good);				/* without */
	assert_false(starts());
	/* A directory that is no memory is as absent, as with SetCR3. */
	put64(PDPT + 8, END_OF_MEMORY | PTE_P);
	set(&s);
	assert_true(starts());
	assert_false(processor_allows(1 << 30, false, false, false));
}

/* Control registers alone: a refusal leaves what the guest reads as it was. */
static void test_cr_start(void **state)
{
	static const uint32_t cr0[] = { 0, CR0_PG, CR0_PE, UINT32_MAX ^ CR0_PG };
	struct vmi_ap_state s = good;
	size_t i;

	(void)state;
	set(&good);
	assert_true(starts());
	for (i = 0; i < ARRAY_SIZE(cr0); i++) {
		s.cr0 = cr0[i];
		assert_false(cr_start(v, &s));
		assert_int_equal(v->cr0, good.cr0);
		assert_int_equal(v->sh->cr0, good.cr0);
		assert_int_equal(v->sh->cr4, good.cr4);
		assert_int_equal(v->sh->cr3, PD);
		assert_ptr_equal(v->mmu.root, &g->mm.roots[0]);
	}
	s.cr0 = good.cr0;
	assert_true(cr_start(v, &s));
	assert_int_equal(v->mmu.root->gfn, PD >> PAGE_SHIFT);
}

/* ---- the block ------------------------------------------------------------------ */

static void unchanged(void)
{
	assert_memory_equal(&v->initial.legacy, &good, sizeof(good));
	assert_true(v->initial_set);
}

/* With paging on, so that something is not mapped: 4 MB are. */
static void test_unreadable(void **state)
{
	const gva_t bad[] = {
		END_OF_MEMORY, END_OF_MEMORY - 1,
		END_OF_MEMORY - sizeof(good) + 1, 0xfbffffff,
		g->rom.virtual_top, g->rom.virtual_top + 0x10000,
		g->rom.virtual_top - sizeof(good) + 1, 0xffffffff,
		-(uint32_t)sizeof(good), -(uint32_t)sizeof(good) + 1,
	};
	size_t i;

	(void)state;
	set(&good);
	on(first);
	cr4_write(first, CR4_PSE);
	cr3_write(first, PD);
	cr0_write(first, first->cr0 | CR0_PG);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_false(call(bad[i], 1));
		unchanged();
	}
	memset(memory(END_OF_MEMORY - sizeof(good)), 0, sizeof(good));
	assert_true(call(END_OF_MEMORY - sizeof(good), 1));
	assert_int_equal(v->initial.legacy.cr0, 0);
}

/* Nobody's APIC id, or the caller's. */
static void test_other_ids(void **state)
{
	static const uint32_t id[] = { 0, 2, 8, 255, 0x101, 1u << 24, UINT32_MAX };
	size_t i;

	(void)state;
	set(&good);
	memset(memory(BLOCK), 0, sizeof(good));
	for (i = 0; i < ARRAY_SIZE(id); i++) {
		call(BLOCK, id[i]);
		unchanged();
		assert_false(first->initial_set);
	}
}

/* The last one counts, for one start. */
static void test_twice(void **state)
{
	struct vmi_ap_state s = good;

	(void)state;
	set(&good);
	s.eip = 0x200100;
	set(&s);
	assert_true(starts());
	assert_int_equal(v->regs->rip, 0x200100);
	assert_false(v->initial_set);
}

/* Another processor writes to the block while it is copied, page by page: what
 * was copied counts, and is judged. */
static unsigned int copies;
static gpa_t block;

static void spoil(uint8_t *at, uint32_t len, bool write)
{
	if (write || at < memory(block) || at >= memory(block) + sizeof(good))
		return;
	if (copies++)
		memset(memory(block), 0xff, at - memory(block));
	assert_in_range(len, 1, sizeof(good));
}

static void test_changes_while_it_is_copied(void **state)
{
	struct vmi_ap_state s;

	(void)state;
	block = BLOCK + PAGE_SIZE - 0x20;
	memcpy(memory(block), &good, sizeof(good));
	copies = 0;
	processor_copies = spoil;
	assert_true(call(block, 1));
	processor_copies = NULL;
	assert_int_equal(copies, 2);
	unchanged();
	/* And after the call it is the guest's again. */
	memset(memory(block), 0, sizeof(good));
	unchanged();
	assert_true(starts());
	assert_int_equal(v->cr0, good.cr0);
	/* What comes into it late, is judged like the rest. */
	s = good;
	s.cr0 = 0;
	memcpy(memory(block), &s, sizeof(s));
	assert_true(call(block, 1));
	memcpy(memory(block), &good, sizeof(good));
	assert_false(starts());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_good),
		T(test_bad),
		T(test_segments_of_the_ldt),
		T(test_pae),
		T(test_cr_start),
		T(test_unreadable),
		T(test_other_ids),
		T(test_twice),
		T(test_changes_while_it_is_copied),
	};

	return cmocka_run_group_tests(tests, images_load, NULL);
}

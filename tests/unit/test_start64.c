// SPDX-License-Identifier: GPL-2.0-only
/*
 * How vCPUs of a 64-bit guest begin: the first in the loader's state, a further one
 * in that of SetInitialAPState, which the guest writes as it likes.
 */
#include <stdlib.h>

#include <cpu.h>

#include "core.h"
#include "unit.h"

#define BASE		0xffffffff81000000ull
#define SIZE		0x2000u
#define GDT		BASE
#define LDT		(BASE + 0x800)
#define IDT		(BASE + 0x1000)
#define CR3		0x1000000ull
#define OUTSIDE		0xf0000000ull
#define ODD		0x0000800000000000ull	/* not canonical */

enum {
	KERNEL_CS = 0x10, KERNEL_DS = 0x18, USER_DS = 0x28, USER_CS = 0x30,
	CS32 = 0x38, READ_ONLY = 0x40, ABSENT = 0x48, LDT_SEL = 0x50,
	GDT_END = 0x60, IN_LDT = 4
};

static struct guest guest;
static struct vcpu *const first = &guest.vcpu[0], *const v = &guest.vcpu[1];
static struct regs regs[2];
static struct stub64_shared area[2];
static uint8_t memory[SIZE];
static uint32_t loaded, joined, xloaded;

/* ---- what they call -------------------------------------------------------- */

uint64_t host_tsc_hz = 1000000000;

bool guest_read(struct mmu *m, void *dst, gva_t va, uint32_t len)
{
	(void)m;
	if (va - BASE > SIZE - len)
		return false;
	memcpy(dst, memory + (va - BASE), len);
	return true;
}

bool guest_write(struct mmu *m, gva_t va, const void *src, uint32_t len)
{
	(void)m, (void)va, (void)src, (void)len;
	fail_msg("it writes to the guest's memory");
	return false;
}

void mmu_reset(struct mmu *m)
{
	m->mode = 0;
	m->long_cr3 = 0;
	m->guest_last = m->mm->reserved - 1;
}

void mmu_join(struct mmu *m) { (void)m; joined++; }
void long_set_mode(struct mmu *m, uint32_t efer) { m->mode = efer & EFER_NXE; }

bool long_set_cr3(struct mmu *m, uint64_t cr3)
{
	if (cr3 >= OUTSIDE)
		return false;
	m->long_cr3 = cr3;
	return true;
}

bool mmu_mode_agrees(const struct mmu *m, uint32_t cr0, uint32_t cr4)
{
	(void)m, (void)cr0, (void)cr4;
	abort();
}

bool mmu_set_cr3(struct mmu *m, uint32_t cr3)
{
	(void)m, (void)cr3;
	abort();
}

bool mmu_set_mode(struct mmu *m, uint32_t cr0, uint32_t cr4, uint32_t efer)
{
	(void)m, (void)cr0, (void)cr4, (void)efer;
	abort();
}

void rom_map(const struct rom *rom, struct mmu *m, const volatile void *shared,
	     uint32_t bytes)
{
	(void)rom;
	assert_ptr_equal(m, &v->mmu);
	assert_ptr_equal(shared, v->sh);
	assert_int_equal(bytes, sizeof(struct stub64_shared));
}

void queue_peek_siblings(struct vcpu *vcpu) { (void)vcpu; }
void event_move_to_iret_site(struct vcpu *vcpu) { (void)vcpu; }
void event_leave_lazy_mode(struct vcpu *vcpu) { (void)vcpu; }
void vcpu_kill(struct vcpu *vcpu, const char *fmt, ...) { (void)vcpu; fail_msg("%s", fmt); }
void vcpu_reboot(struct vcpu *vcpu, const char *how) { (void)vcpu, (void)how; }
void vcpu_real_mode(struct vcpu *vcpu) { (void)vcpu; }
bool vcpu_reboots_by_fault(const struct vcpu *vcpu) { (void)vcpu; return false; }

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
uint64_t host_tables(void) { return 0; }
void host_exit_stack(uint64_t top) { (void)top; }
void host_gdt_loaded(uint16_t cs, uint16_t tss) { (void)cs, (void)tss; }
void wide_load(struct vcpu *vcpu) { assert_ptr_equal(vcpu, current); loaded++; }
void wide_save(struct vcpu *vcpu) { (void)vcpu; }
void wide_unload(void) { }
void wide_syscall_changed(struct vcpu *vcpu) { (void)vcpu; }
void wide_fault_changed(struct vcpu *vcpu) { (void)vcpu; }
void step_refused(struct vcpu *vcpu) { (void)vcpu; }
bool wide_has_fsgsbase(void) { return true; }
uint32_t xstate_components(void) { return 3; }
void xcr0_apply(const struct vcpu *vcpu) { (void)vcpu; }
void xstate_reset(struct vcpu *vcpu) { vcpu->xcr0 = 1; }

/* Before the other registers are there: it is what has been reset. */
void xstate_load(const struct vcpu *vcpu)
{
	assert_int_equal(vcpu->xcr0, 1);
	xloaded++;
}

const uint8_t tramp_start[1], tramp_end[1], tramp_iret[1], tramp_fault_iret[1],
	tramp_drain_iret[1];
struct cpu cpus[HOST_CPUS];

/* ---- a guest ---------------------------------------------------------------- */

static void put(gva_t va, uint64_t val)
{
	memcpy(memory + (va - BASE), &val, sizeof(val));
}

static const struct vmi64_ap_state good = {
	.cr0 = CR0_PE | CR0_PG | CR0_WP, .cr2 = 0x123456789abcdef0,
	.cr3 = CR3, .cr4 = CR4_PAE | CR4_OSFXSR, .efer = EFER_LME | EFER_LMA,
	.rip = BASE + 0x100, .rflags = 0,
	.rax = 1, .rbx = 2, .rcx = 3, .rdx = 4, .rsp = BASE + 0x200, .rbp = 5,
	.rsi = 6, .rdi = 7, .r8 = 8, .r9 = 9, .r10 = 10, .r11 = 11, .r12 = 12,
	.r13 = 13, .r14 = 14, .r15 = 0xf00000000000000f,
	.fs_base = 0x7fff00000000, .gs_base = 0xffff888000000000,
	.kernel_gs_base = 0xffff888000001000,
	.gdtr_base = GDT, .gdtr_limit = GDT_END - 1,
	.idtr_base = IDT, .idtr_limit = 0xfff,
	.cs = KERNEL_CS, .ss = KERNEL_DS, .ds = USER_DS, .es = USER_DS,
};

static void make(struct vcpu *vcpu, uint32_t nr)
{
	vcpu->nr = nr;
	vcpu->rom = &guest.rom;
	vcpu->g = &guest;
	vcpu->first = first;
	vcpu->sibling = &guest.vcpu[!nr];
	vcpu->mmu.mm = &guest.mm;
	vcpu->sh = (void *)&area[nr];
	vcpu->regs = &regs[nr];
	vcpu->wide = true;
	assert_true(desc_init(vcpu));
}

static int setup(void **state)
{
	const uint64_t code = 0x00af9b000000ffff, data = 0x00cf93000000ffff;

	(void)state;
	memset(&guest, 0, sizeof(guest));
	memset(area, 0, sizeof(area));
	memset(regs, 0, sizeof(regs));
	memset(memory, 0, sizeof(memory));
	guest.mm.fmt.wide = true;
	guest.rom.virtual_top = LONG_TOP;
	make(first, 0);
	make(v, 1);
	put(GDT + KERNEL_CS, code);
	put(GDT + KERNEL_DS, data);
	put(GDT + USER_DS, data | 3ull << 45);
	put(GDT + USER_CS, code | 3ull << 45);
	put(GDT + CS32, 0x00cf9b000000ffff);
	put(GDT + READ_ONLY, data & ~(1ull << 41));
	put(GDT + ABSENT, data & ~(1ull << 47));
	put(GDT + LDT_SEL, 0xf | (LDT & 0xffffff) << 16 | 0x82ull << 40 |
			   (LDT >> 24 & 0xff) << 56);
	put(GDT + LDT_SEL + 8, LDT >> 32);
	put(LDT, code);
	put(LDT + 8, data);
	guest.mm.reserved = (uint32_t)LONG_TOP;
	loaded = joined = xloaded = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	desc_free(first);
	desc_free(v);
	return 0;
}

/* Does it start, on a processor that it has to itself? */
static bool starts(const struct vmi64_ap_state *s)
{
	current = v;
	v->initial.wide = *s;
	v->initial_set = v->starting = true;
	v->regs->stop = STOP_NOT;
	vcpu_start(v);
	assert_false(v->initial_set || v->starting);
	return v->regs->stop == STOP_NOT;
}

/* ---- further ones -------------------------------------------------------------- */

static void test_good(void **state)
{
	const uint64_t *in = (const uint64_t *)((const uint8_t *)&good +
				offsetof(struct vmi64_ap_state, r8));
	struct vmi64_ap_state s = good;
	uint32_t i;

	(void)state;
	area[0].direct_va = 0xffff888000000000;
	area[0].direct_bytes = area[0].linear[0].bytes = 1 << 20;
	area[0].linear[0].va = 0xffff888000000000;
	area[0].linear[1].bytes = 1 << 20;
	area[1].rsp0 = 1;
	area[1].queue[5] = 1;
	area[1].lazy_mode = VMI_LAZY_MMU;
	v->lstar = v->star = v->cstar = v->fmask = 1;
	v->syscall_swaps[0] = true;
	v->xcr0 = 7;
	s.cr4 |= 1u << 13 | CR4_SMEP;			/* VMXE */
	s.efer |= EFER_SCE | EFER_NXE | 1 << 12;	/* SVME */
	s.rflags = EFLAGS_IF | EFLAGS_IOPL | EFLAGS_VM | EFLAGS_NT |
		   EFLAGS_TF | 1ull << 40;
	s.ldtr = LDT_SEL;
	assert_true(starts(&s));
	assert_int_equal(joined, 1);
	assert_int_equal(loaded, 1);
	assert_int_equal(xloaded, 1);
	assert_int_equal(v->cr0, good.cr0);
	assert_int_equal(v->cr4, good.cr4);
	assert_int_equal(v->efer, EFER_LME | EFER_LMA | EFER_SCE | EFER_NXE);
	assert_int_equal(v->mmu.long_cr3, CR3);
	assert_true(area[1].cr0 == good.cr0 && area[1].cr2 == good.cr2 &&
		    area[1].cr3 == CR3 && area[1].cr4 == good.cr4);
	assert_true(regs[1].gpr[EAX] == 1 && regs[1].gpr[EBX] == 2 &&
		    regs[1].gpr[ECX] == 3 && regs[1].gpr[EDX] == 4 &&
		    regs[1].gpr[EBP] == 5 && regs[1].gpr[ESI] == 6 &&
		    regs[1].gpr[EDI] == 7);
	for (i = 0; i < 8; i++)
		assert_int_equal(regs[1].gpr[8 + i], in[i]);
	assert_true(regs[1].rip == good.rip && regs[1].rsp == good.rsp);
	assert_int_equal(regs[1].cs, KERNEL_CS | 1);
	assert_int_equal(regs[1].ss, KERNEL_DS | 1);
	assert_int_equal(regs[1].rflags, EFLAGS_IF | EFLAGS_TF | EFLAGS_NT |
			 EFLAGS_FIXED);
	assert_int_equal(v->iopl, EFLAGS_IOPL);
	assert_int_equal(area[1].flags, STUB_IF);
	assert_true(v->fs_base == good.fs_base && v->gs_base == good.gs_base &&
		    area[1].other_gs == good.kernel_gs_base);
	assert_int_equal(v->sreg[0], USER_DS);
	assert_int_equal(v->lstar | v->star | v->cstar | v->fmask |
			 v->syscall_swaps[0], 0);
	assert_int_equal(area[1].dr[7], 0x400);
	assert_int_equal(area[1].dr[6], DR6_FIXED);
	assert_true(area[1].gdt_base == GDT && area[1].idt_base == IDT);
	assert_int_equal(v->ldt, LDT_SEL);
	assert_true(area[1].direct_va == area[0].direct_va &&
		    area[1].direct_bytes == 1 << 20 &&
		    area[1].linear[0].va == area[0].linear[0].va);
	assert_int_equal(area[1].linear[1].bytes | area[1].rsp0 |
			 area[1].queue[5] | area[1].lazy_mode, 0);
	assert_int_equal(area[1].layout, STUB64_LAYOUT);
	assert_int_equal(area[1].tail, -STUB_QUEUE_LEN);
	assert_int_equal(area[1].queue_guard, STUB64_QUEUE_GUARD);
}

/* Each field that it is judged by, wrong alone; and behind each a good block. */
static void test_bad(void **state)
{
#define BAD(field, value) {						\
	offsetof(struct vmi64_ap_state, field), sizeof(good.field), value,	\
	#field " " #value }
	static const struct {
		size_t		at, len;
		uint64_t	value;
		const char	*name;
	} bad[] = {
		BAD(cr0, 0), BAD(cr0, CR0_PG), BAD(cr0, CR0_PE | CR0_WP),
		BAD(cr0, (uint64_t)(CR0_PE | CR0_PG) << 32),
		BAD(cr4, 0), BAD(cr4, CR4_OSFXSR), BAD(cr4, 1ull << 37),
		BAD(efer, 0), BAD(efer, EFER_LMA), BAD(efer, 1ull << 40),
		BAD(cr3, OUTSIDE), BAD(cr3, 0xffffffffff000),
		BAD(rip, ODD), BAD(rip, ~ODD), BAD(rsp, ODD), BAD(fs_base, ODD),
		BAD(gs_base, ~ODD), BAD(gs_base, 1ull << 63),
		BAD(kernel_gs_base, ODD),
		BAD(cs, 0), BAD(cs, 3), BAD(cs, KERNEL_DS), BAD(cs, USER_CS),
		BAD(cs, CS32), BAD(cs, ABSENT), BAD(cs, LDT_SEL),
		BAD(cs, GDT_END), BAD(cs, 0xfff8), BAD(cs, IN_LDT),
		BAD(cs, GDT_GUEST * 8), BAD(cs, HV_CS), BAD(cs, HV_SS),
		BAD(ss, KERNEL_CS), BAD(ss, USER_DS), BAD(ss, ABSENT),
		BAD(ss, READ_ONLY), BAD(ss, GDT_END), BAD(ss, IN_LDT | 8),
		BAD(ss, HV_SS),
		BAD(ldtr, KERNEL_DS), BAD(ldtr, GDT_END), BAD(ldtr, 0xfff8),
		BAD(ldtr, LDT_SEL | IN_LDT), BAD(ldtr, LDT_SEL + 8),
		BAD(gdtr_limit, 0), BAD(gdtr_limit, KERNEL_CS + 6),
		BAD(gdtr_base, 0), BAD(gdtr_base, ODD), BAD(gdtr_base, -1ull),
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		struct vmi64_ap_state s = good;

		/* A life before, with an LDT. */
		s.ldtr = LDT_SEL;
		assert_true(starts(&s));
		s = good;
		memcpy((uint8_t *)&s + bad[i].at, &bad[i].value, bad[i].len);
		if (starts(&s))
			fail_msg("it starts with %s", bad[i].name);
		assert_true(starts(&good));
	}
}

static void test_segments(void **state)
{
	struct vmi64_ap_state s = good;

	(void)state;
	s.ss = 3;
	assert_true(starts(&s));
	assert_int_equal(regs[1].ss, 1);
	s.ldtr = LDT_SEL;
	s.cs = IN_LDT;
	s.ss = IN_LDT | 8;
	assert_true(starts(&s));
	assert_int_equal(regs[1].cs, IN_LDT | 1);
	assert_int_equal(regs[1].ss, IN_LDT | 8 | 1);
}

/* ---- the first one ---------------------------------------------------------------- */

/* Its descriptors are those of the loader, whatever is mapped. */
static void test_first(void **state)
{
	struct vmi64_ap_state s = good;

	(void)state;
	guest.mm.reserved = 0;
	s.gdtr_base = 0x1000;
	s.ldtr = 0;
	current = first;
	first->initial.wide = s;
	vcpu_start(first);
	assert_int_equal(first->regs->stop, STOP_NOT);
	assert_int_equal(regs[0].cs, KERNEL_CS | 1);
	assert_int_equal(regs[0].gpr[EDI], 7);
	assert_true(desc_lookup(first, KERNEL_CS) & DESC_L);
	assert_int_equal(first->stack_limit, UINT32_MAX - FRAME_MAX);
	assert_false(vmi_mode(first));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_good),
		TEST(test_bad),
		TEST(test_segments),
		TEST(test_first),
	};

	return cmocka_run_group_tests_name("start64", tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-only
/* Control and debug registers, and CPUID: what the guest asks for, and what of
 * it comes to the processor. */
#include "images.h"

static struct vcpu *v;

static int setup(void **state)
{
	images_setup(state);
	cpu.cr0 = 0x80010033;
	cpu.cr4 = CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_UMIP;
	v = images_guest(0)->vcpu;
	images_begin(v);
	memset(cpu.dr, 0, sizeof(cpu.dr));
	return 0;
}

/* Nothing here is the end of it. */
static int teardown(void **state)
{
	assert_int_equal(v->regs->stop, STOP_NOT);
	return images_free(state);
}

/* ---- tests -------------------------------------------------------------- */

/* Every bit alone. CR0: MP, EM, TS and AM are the guest's. */
static void test_cr0(void **state)
{
	const uint64_t before = cpu.cr0;
	uint32_t i;

	(void)state;
	for (i = 0; i < 32; i++) {
		uint32_t value = before ^ 1u << i;

		if (i == 0)	/* PE: there is no real mode */
			continue;
		cr0_write(v, value);
		assert_int_equal(v->cr0, value);
		assert_int_equal((cpu.cr0 ^ before) & ~0x4000eull, 0);
		assert_int_equal((cpu.cr0 ^ value) & 0x4000e, 0);
	}
}

/* What enables something that outlives the guest's turn, or that only ring 0
 * is to have: the machine's, or off. */
static void test_cr4(void **state)
{
	const uint64_t before = cpu.cr4, own = CR4_TSD | CR4_DE | CR4_PCE;
	uint32_t i;

	(void)state;
	for (i = 0; i < 32; i++) {
		cr4_write(v, 1u << i);
		assert_int_equal((cpu.cr4 ^ before) & ~own, 0);
		if (1u << i & (CR4_TSD | CR4_DE))
			assert_true(cpu.cr4 & 1u << i);
		if (i >= 12)	/* VMXE, SMXE, FSGSBASE, OSXSAVE, SMEP ... */
			assert_int_equal(v->cr4, 0);
	}
}

/* The shadow tables hear of the bits that decide what the guest's mean. */
static void test_shadow_is_told(void **state)
{
	(void)state;
	v->efer = EFER_NXE;
	cr0_write(v, CR0_PE | CR0_WP);
	assert_int_equal(v->mmu.mode, EFER_NXE | CR0_WP);
	cr0_write(v, CR0_PE | CR0_WP | CR0_PG);
	assert_int_equal(v->mmu.mode, EFER_NXE | CR0_WP | CR0_PG);
	cr4_write(v, CR4_PSE);
	assert_int_equal(v->mmu.mode, EFER_NXE | CR0_WP | CR0_PG | CR4_PSE);
	cr4_write(v, CR4_PSE | CR4_PAE);
	assert_int_equal(v->mmu.mode, EFER_NXE | CR0_WP | CR0_PG | CR4_PSE |
				      CR4_PAE);
	cr4_write(v, CR4_PSE | CR4_PAE | CR4_PGE);
	assert_int_equal(v->mmu.mode, EFER_NXE | CR0_WP | CR0_PG | CR4_PSE |
				      CR4_PAE | CR4_PGE);
	cr3_write(v, 0x5000);
	assert_int_equal(v->mmu.cr3, 0x5000);
	assert_int_equal(v->sh->cr3, 0x5000);
}

static void test_dr7(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < 4; i++) {
		uint32_t enable = 3u << i * 2, at = 16 + i * 4;

		dr_write(v, 7, enable | 2u << at);
		assert_int_equal(cpu.dr[7] & enable, 0);	/* I/O */
		dr_write(v, 7, enable | 3u << at);
		assert_int_equal(cpu.dr[7] & enable, enable);
	}
	dr_write(v, 7, UINT32_MAX);
	assert_int_equal(cpu.dr[7], 0xffff07ff);	/* GD and bits 15-11 off */
	assert_int_equal(v->dr[7], 0xffff07ff);
	assert_int_equal(v->sh->dr[7], 0xffff07ff);
}

/* A 64-bit guest's: not where we are, in its tables or in ours. */
static void test_dr_of_64_bits(void **state)
{
	(void)state;
	v->wide = true;
	dr_write(v, 0, 0xffff878000001000);	/* the trampoline */
	dr_write(v, 1, 0xffffffff80100000);	/* our image */
	dr_write(v, 2, 0xffffffff81000000);
	dr_write(v, 3, 0x00007fffffffffff);
	dr_write(v, 7, 0x4ff);
	assert_int_equal(cpu.dr[2], 0xffffffff81000000);
	assert_int_equal(cpu.dr[7], 0x4f0);
	assert_int_equal(v->dr[7], 0x4ff);
	dr_write(v, 0, 0xffff880000000000);	/* behind the hole */
	assert_int_equal(cpu.dr[7], 0x4f3);
	dr_write(v, 1, 0xffff800000000000);
	assert_int_equal(cpu.dr[7], 0x4f3);
	v->wide = false;
	dr_write(v, 1, 0x80100000);
	assert_int_equal(cpu.dr[7], 0x4ff);
}

/* Numbers that are none. */
static void test_dr_numbers(void **state)
{
	struct guest before;
	uint32_t i;

	(void)state;
	before = *v->g;
	for (i = 8; i; i = i < 64 ? i + 1 : i * 2) {
		dr_write(v, i, 0xdbdbdbdb);
		assert_memory_equal(v->g, &before, sizeof(before));
	}
}

static void test_switch(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < 4; i++)
		v->dr[i] = 0x1000 + i;
	v->dr[7] = 0x4ff;
	v->cr0 = 0x80010033 | CR0_TS;
	v->cr4 = CR4_TSD;
	cr_unload();
	assert_int_equal(cpu.cr3, host_tables());
	cr_load(v);
	for (i = 0; i < 4; i++)
		assert_int_equal(cpu.dr[i], 0x1000 + i);
	assert_int_equal(cpu.dr[7], 0x4ff);
	assert_int_equal(cpu.cr0, v->cr0);
	assert_true(cpu.cr4 & CR4_TSD);
	assert_int_equal(cpu.cr3, v->mmu.pml4);
}

/* The processor of these tests has everything. */
static void test_cpuid(void **state)
{
	static const uint32_t nothing[] = {
		5, 6, 0xa, 0xd, 0xf, 0x10, 0x12, 0x14, 0x8000000a, 0x8000001b,
		0x8000001f,
	};
	uint32_t r[4], w[4], i;

	(void)state;
	vcpu_cpuid(false, 0, 1, 0, r);
	/* MONITOR VMX SMX EST PCID x2APIC TSC-deadline XSAVE OSXSAVE AVX */
	assert_int_equal(r[2] & 0x1d0201e8, 0);
	assert_true(r[2] & 1u << 31);
	/* VME MCE MCA DS ACPI HTT TM PBE */
	assert_int_equal(r[3] & 0xb0604082, 0);
	vcpu_cpuid(false, 0, 7, 1, r);
	assert_int_equal(r[0] | r[1] | r[2] | r[3], 0);
	vcpu_cpuid(false, 0, 7, 0, r);
	/* PKU OSPKE CET_SS LA57 RDPID KL; IBT IBRS STIBP L1D ARCH SSBD */
	assert_int_equal(r[2] & 0x00c10098, 0);
	assert_int_equal(r[3] & 0xfc100000, 0);
	vcpu_cpuid(false, 0, 0x80000001, 0, r);
	/* SVM EXTAPIC IBS XOP SKINIT LWP TopologyExtensions; SYSCALL 1GB RDTSCP LM */
	assert_int_equal(r[2] & 0x0040bc0c, 0);
	assert_int_equal(r[3] & 0x2c000800, 0);
	/* 64-bit guests have SYSCALL and LM beside. */
	vcpu_cpuid(true, 0, 0x80000001, 0, w);
	assert_int_equal(w[3] ^ r[3], 0x20000800);
	for (i = 0; i < ARRAY_SIZE(nothing); i++) {
		vcpu_cpuid(false, 0, nothing[i], 0, r);
		assert_int_equal(r[0] | r[1] | r[2] | r[3], 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_cr0, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cr4, setup, teardown),
		cmocka_unit_test_setup_teardown(test_shadow_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dr7, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dr_of_64_bits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dr_numbers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_switch, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cpuid, setup, teardown),
	};

	return cmocka_run_group_tests(tests, images_load, NULL);
}

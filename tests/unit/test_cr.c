// SPDX-License-Identifier: GPL-2.0-only
/* Control and debug registers, and CPUID: what the guest asks for, and what of
 * it comes to the processor. */
#include <stdlib.h>

#include <cpu.h>

#include "core.h"
#include "unit.h"

static struct guest guest;
static struct stub_shared shared;
static struct vcpu *v = &guest.vcpu;
static struct { uint32_t cr0, cr4, efer; } told;

/* ---- what cr.c calls ------------------------------------------------------- */

void desc_unload(void) { }
uint64_t host_tables(void) { return 0; }

void vcpu_kill(struct vcpu *vcpu, const char *fmt, ...)
{
	(void)vcpu;
	fail_msg("guest_kill: %s", fmt);
	abort();
}

void vcpu_real_mode(struct vcpu *vcpu)
{
	(void)vcpu;
	fail();
}

bool mmu_set_mode(struct mmu *m, uint32_t cr0, uint32_t cr4, uint32_t efer)
{
	(void)m;
	told.cr0 = cr0;
	told.cr4 = cr4;
	told.efer = efer;
	return true;
}

bool mmu_set_cr3(struct mmu *m, uint32_t cr3)
{
	m->cr3 = cr3;
	return true;
}

void stats_cpuid(struct guest *g, uint32_t leaf, uint32_t r[4])
{
	(void)g, (void)leaf, (void)r;
}

static int setup(void **state)
{
	(void)state;
	memset(&guest, 0, sizeof(guest));
	memset(&shared, 0, sizeof(shared));
	v->g = &guest;
	v->sh = &shared;
	cpu.cr0 = 0x80010033;
	cpu.cr4 = CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_UMIP;
	memset(cpu.dr, 0, sizeof(cpu.dr));
	return 0;
}

/* ---- tests ------------------------------------------------------------------- */

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
	assert_int_equal(told.cr0, CR0_PE | CR0_WP);
	cr0_write(v, CR0_PE | CR0_WP | CR0_PG);
	assert_int_equal(told.cr0, CR0_PE | CR0_WP | CR0_PG);
	cr4_write(v, CR4_PSE);
	assert_int_equal(told.cr4, CR4_PSE);
	cr4_write(v, CR4_PSE | CR4_PAE);
	assert_int_equal(told.cr4, CR4_PSE | CR4_PAE);
	cr4_write(v, CR4_PSE | CR4_PAE | CR4_PGE);
	assert_int_equal(told.cr4, CR4_PSE | CR4_PAE | CR4_PGE);
	assert_int_equal(told.cr0, CR0_PE | CR0_WP | CR0_PG);
	assert_int_equal(told.efer, EFER_NXE);
	cr3_write(v, 0x5000);
	assert_int_equal(v->mmu.cr3, 0x5000);
	assert_int_equal(shared.cr3, 0x5000);
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
	assert_int_equal(shared.dr[7], 0xffff07ff);
}

/* Numbers that are none. */
static void test_dr_numbers(void **state)
{
	struct guest before;
	uint32_t i;

	(void)state;
	before = guest;
	for (i = 8; i; i = i < 64 ? i + 1 : i * 2) {
		dr_write(v, i, 0xdbdbdbdb);
		assert_memory_equal(&guest, &before, sizeof(guest));
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
	v->mmu.pml4 = 0x123000;
	cr_load(v);
	for (i = 0; i < 4; i++)
		assert_int_equal(cpu.dr[i], 0x1000 + i);
	assert_int_equal(cpu.dr[7], 0x4ff);
	assert_int_equal(cpu.cr0, v->cr0);
	assert_true(cpu.cr4 & CR4_TSD);
	assert_int_equal(cpu.cr3, 0x123000);
}

/* The processor of these tests has everything. */
static void test_cpuid(void **state)
{
	static const uint32_t nothing[] = {
		5, 6, 0xa, 0xd, 0xf, 0x10, 0x12, 0x14, 0x8000000a, 0x8000001b,
		0x8000001f,
	};
	uint32_t r[4], i;

	(void)state;
	vcpu_cpuid(1, 0, r);
	/* MONITOR VMX SMX EST PCID x2APIC TSC-deadline XSAVE OSXSAVE AVX */
	assert_int_equal(r[2] & 0x1d0201e8, 0);
	assert_true(r[2] & 1u << 31);
	/* VME MCE MCA DS ACPI HTT TM PBE */
	assert_int_equal(r[3] & 0xb0604082, 0);
	vcpu_cpuid(7, 1, r);
	assert_int_equal(r[0] | r[1] | r[2] | r[3], 0);
	vcpu_cpuid(7, 0, r);
	/* PKU OSPKE CET_SS LA57 RDPID KL; IBT IBRS STIBP L1D ARCH SSBD */
	assert_int_equal(r[2] & 0x00c10098, 0);
	assert_int_equal(r[3] & 0xfc100000, 0);
	vcpu_cpuid(0x80000001, 0, r);
	/* SVM EXTAPIC IBS XOP SKINIT LWP TopologyExtensions; SYSCALL 1GB RDTSCP LM */
	assert_int_equal(r[2] & 0x0040bc0c, 0);
	assert_int_equal(r[3] & 0x2c000800, 0);
	for (i = 0; i < ARRAY_SIZE(nothing); i++) {
		vcpu_cpuid(nothing[i], 0, r);
		assert_int_equal(r[0] | r[1] | r[2] | r[3], 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_cr0, setup),
		cmocka_unit_test_setup(test_cr4, setup),
		cmocka_unit_test_setup(test_shadow_is_told, setup),
		cmocka_unit_test_setup(test_dr7, setup),
		cmocka_unit_test_setup(test_dr_numbers, setup),
		cmocka_unit_test_setup(test_switch, setup),
		cmocka_unit_test_setup(test_cpuid, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

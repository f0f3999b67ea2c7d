// SPDX-License-Identifier: GPL-2.0-only
/* CPUID that faults, where the processor says that it can: N-1.4. No MSR is touched
 * that a processor may not have. */
#include <cpu.h>

#include "unit.h"
#include "x86.h"

#define PLATFORM_INFO	0xce
#define MISC_FEATURES	0x140
#define HWCR		0xc0010015

static uint64_t platform_info, misc, hwcr;
static unsigned int reads, writes;

uint64_t rdmsr(uint32_t msr)
{
	reads++;
	if (msr == PLATFORM_INFO)
		return platform_info;
	if (msr == MISC_FEATURES)
		return misc;
	assert_int_equal(msr, HWCR);
	return hwcr;
}

void wrmsr(uint32_t msr, uint64_t val)
{
	writes++;
	if (msr == MISC_FEATURES) {
		misc = val;
	} else {
		assert_int_equal(msr, HWCR);
		hwcr = val;
	}
}

static enum cpuid_fault choose(bool intel, uint64_t info, uint32_t amd21)
{
	const struct cpuid_fault_cpu c = { intel, info, amd21 };

	return cpuid_fault_choose(&c);
}

static void test_choice(void **state)
{
	(void)state;
	assert_int_equal(choose(false, 0, 0), CPUID_FREE);
	assert_int_equal(choose(true, 0, 0), CPUID_FREE);
	assert_int_equal(choose(true, ~(1ull << 31), 0), CPUID_FREE);
	assert_int_equal(choose(true, 1ull << 31, 0), CPUID_FAULTS_INTEL);
	assert_int_equal(choose(false, 1ull << 31, 0), CPUID_FREE);
	assert_int_equal(choose(false, 0, ~(1u << 17)), CPUID_FREE);
	assert_int_equal(choose(false, 0, 1u << 17), CPUID_FAULTS_AMD);
}

/* Processors, by what their CPUID says. */
static const struct cpu_leaf {
	uint32_t	leaf, r[4];
} intel[] = {
	{ 0, { 7, 0x756e6547, 0x6c65746e, 0x49656e69 } }, { 1, { 0x306a9, 0, 0, 0 } },
	{ 7, { 0, 1, 0, 0 } }, { 0x80000000, { 0x80000008, 0, 0, 0 } },
}, old_intel[] = {
	{ 0, { 7, 0x756e6547, 0x6c65746e, 0x49656e69 } }, { 1, { 0x206a7, 0, 0, 0 } },
	{ 7, { 0, 0, 0, 0 } }, { 0x80000000, { 0x80000008, 0, 0, 0 } },
}, in_machine[] = {
	{ 0, { 7, 0x756e6547, 0x6c65746e, 0x49656e69 } },
	{ 1, { 0x306a9, 0, 1u << 31, 0 } },
	{ 7, { 0, 1, 0, 0 } }, { 0x80000000, { 0x80000008, 0, 0, 0 } },
}, amd[] = {
	{ 0, { 16, 0x68747541, 0x444d4163, 0x69746e65 } }, { 1, { 0xa20f10, 0, 0, 0 } },
	{ 7, { 0, 1, 0, 0 } }, { 0x80000000, { 0x80000021, 0, 0, 0 } },
	{ 0x80000021, { 1u << 17, 0, 0, 0 } },
}, old_amd[] = {
	{ 0, { 16, 0x68747541, 0x444d4163, 0x69746e65 } }, { 1, { 0xa20f10, 0, 0, 0 } },
	{ 7, { 0, 1, 0, 0 } }, { 0x80000000, { 0x80000020, 0, 0, 0 } },
};

static const struct cpu_leaf *leaves;

static void says(uint32_t leaf, uint32_t r[4])
{
	const struct cpu_leaf *l = leaves;

	while (l->leaf != leaf)
		l++;
	memcpy(r, l->r, sizeof(l->r));
}

static void run(const struct cpu_leaf *of)
{
	reads = writes = 0;
	platform_info = 1ull << 31;
	misc = 2;
	hwcr = 4;
	leaves = of;
	machine_cpuid = says;
	cpuid_fault_init();
}

static void test_processors(void **state)
{
	(void)state;
	run(intel);
	assert_int_equal(misc, 3);
	assert_int_equal(hwcr, 4);
	run(old_intel);
	assert_int_equal(reads + writes, 0);
	run(in_machine);
	assert_int_equal(reads + writes, 0);
	run(amd);
	assert_int_equal(misc, 2);
	assert_int_equal(hwcr, 1ull << 35 | 4);
	run(old_amd);
	assert_int_equal(reads + writes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choice),
		cmocka_unit_test(test_processors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is done about speculative execution on a processor with these flags,
 * and that it is done: QEMU's TCG shows none of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <cpu.h>

#include "x86.h"

#define SPEC_CTRL	0x48
#define PRED_CMD	0x49

/* One branch, and what it becomes where nothing speculates. */
uint8_t branch[8];
const uint8_t plain[] = { 0xff, 0xe0 };
asm(".pushsection .data\n"
    ".balign 8\n"
    ".globl plain_start, plain_end\n"
    "plain_start: .quad branch, plain, 2\n"
    "plain_end:\n"
    ".popsection");

static unsigned int filled;
static uint64_t spec_ctrl, pred_cmd;

void fill_return_stack(void);
void fill_return_stack(void)
{
	filled++;
}

void wrmsr(uint32_t msr, uint64_t v)
{
	if (msr == SPEC_CTRL)
		spec_ctrl = v;
	else if (msr == PRED_CMD)
		pred_cmd = v;
	else
		fail();
}

void log_printf(const char *fmt, ...);
void log_printf(const char *fmt, ...)
{
	(void)fmt;
}

static int setup(void **state)
{
	(void)state;
	memset(branch, 0x90, sizeof(branch));
	filled = 0;
	spec_ctrl = pred_cmd = 0;
	return 0;
}

static struct mitigations choose(bool tcg, uint32_t leaf7_edx,
				 uint32_t leaf7_2_edx, uint32_t amd8_ebx)
{
	struct speculation_cpu c = { tcg, leaf7_edx, leaf7_2_edx, amd8_ebx };

	return speculation_choose(&c);
}

static void same(struct mitigations m, bool retpoline, bool fill_rsb, bool ibpb,
		 bool verw, uint64_t ctrl)
{
	assert_int_equal(m.retpoline, retpoline);
	assert_int_equal(m.fill_rsb, fill_rsb);
	assert_int_equal(m.ibpb, ibpb);
	assert_int_equal(m.verw, verw);
	assert_int_equal(m.spec_ctrl, ctrl);
}

static void test_chosen_by_flags(void **state)
{
	(void)state;
	same(choose(true, UINT32_MAX, UINT32_MAX, UINT32_MAX), 0, 0, 0, 0, 0);
	same(choose(false, 0, 0, 0), 1, 1, 0, 0, 0);
	same(choose(false, 1u << 26, 0, 0), 1, 1, 1, 0, 0);
	same(choose(false, 0, 0, 1u << 12), 1, 1, 1, 0, 0);
	same(choose(false, 1u << 10, 0, 0), 1, 1, 0, 1, 0);
	same(choose(false, 0, 1u << 2, 0), 1, 1, 0, 0, 1u << 6);
	same(choose(false, ~(1u << 26 | 1u << 10), ~(1u << 2), ~(1u << 12)),
	     1, 1, 0, 0, 0);
}

static void test_all_is_done(void **state)
{
	const struct mitigations all = { 1, 1, 1, 1, 0x40 };

	(void)state;
	speculation_apply(&all);
	assert_int_equal(branch[0], 0x90);
	assert_int_equal(spec_ctrl, 0x40);
	assert_int_equal(pred_cmd | filled, 0);
	speculation_switch();
	assert_int_equal(pred_cmd, 1);
	assert_int_equal(filled, 1);
}

static void test_nothing_is_done(void **state)
{
	(void)state;
	speculation_init(true);
	assert_memory_equal(branch, "\xff\xe0\x90", 3);
	speculation_switch();
	assert_int_equal(spec_ctrl | pred_cmd | filled, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_chosen_by_flags, setup),
		cmocka_unit_test_setup(test_all_is_done, setup),
		cmocka_unit_test_setup(test_nothing_is_done, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

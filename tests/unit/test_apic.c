// SPDX-License-Identifier: GPL-2.0-only
/*
 * The local APIC's registers: each test makes the accesses that a kernel makes
 * and says what the processor must see, after SDM Vol. 3, chapter 10.
 */
#include "apic.h"

static void test_firmware_state(void **state)
{
	(void)state;
	assert_int_equal(rd(APIC_ID), 0);
	assert_int_equal(rd(APIC_VERSION), 0x50014);
	assert_int_equal(rd(APIC_SVR), 0x1ff);
	assert_int_equal(rd(APIC_LVTT), MASKED);
	assert_int_equal(rd(APIC_LVT0), 0x700);
	assert_int_equal(rd(APIC_LVT1), 0x400);
	assert_int_equal(rd(APIC_DFR), 0xffffffff);
	assert_true(apic_extint(&a));
	TAKES_NONE();
}

/* What old Linux does to find out whether there is an APIC. */
static void test_probe(void **state)
{
	(void)state;
	wr(APIC_VERSION, 0x50014 ^ 0xffffffff);
	assert_int_equal(rd(APIC_VERSION), 0x50014);
	wr(APIC_ID, 0xff000000);
	assert_int_equal(rd(APIC_ID), 0xff000000);
	wr(APIC_ID, 0xffffffff);
	assert_int_equal(rd(APIC_ID), 0xff000000);
	assert_int_equal(rd(APIC_TMCCT), 0);
	assert_int_equal(rd(0x2f0), 0);
	assert_int_equal(rd(0x321), 0);
	assert_int_equal(rd(0xfffffff0), 0);
}

static void test_ipi_to_self(void **state)
{
	(void)state;
	ipi(0xfd);
	assert_true(in(APIC_IRR, 0xfd));
	assert_false(in(APIC_ISR, 0xfd));
	assert_int_equal(rd(APIC_ICR), SELF | 0xfd);
	TAKES(0xfd);
	assert_false(in(APIC_IRR, 0xfd));
	assert_true(in(APIC_ISR, 0xfd));
	TAKES_NONE();
	wr(APIC_EOI, 0);
	assert_false(in(APIC_ISR, 0xfd));
	TAKES_NONE();
}

static void test_destinations(void **state)
{
	(void)state;
	wr(APIC_ID, 3u << 24);
	wr(APIC_ICR_HIGH, 3u << 24);
	wr(APIC_ICR, 0x31);
	TAKES(0x31);
	wr(APIC_EOI, 0);
	wr(APIC_ICR_HIGH, 2u << 24);
	wr(APIC_ICR, 0x31);
	TAKES_NONE();
	wr(APIC_ICR_HIGH, 0xff000000);
	wr(APIC_ICR, 0x31);
	TAKES(0x31);
	wr(APIC_EOI, 0);
	wr(APIC_ICR, 0x80031);		/* all */
	TAKES(0x31);
	wr(APIC_EOI, 0);
	wr(APIC_ICR, 0xc0031);		/* all but self */
	TAKES_NONE();
	/* logical, flat: any common bit; lowest priority */
	wr(APIC_LDR, 0x02000000);
	wr(APIC_ICR_HIGH, 0x06000000);
	wr(APIC_ICR, 0x931);
	TAKES(0x31);
	wr(APIC_EOI, 0);
	wr(APIC_ICR_HIGH, 0x01000000);
	wr(APIC_ICR, 0x831);
	TAKES_NONE();
	/* cluster: same cluster and a common bit */
	wr(APIC_DFR, 0x0fffffff);
	wr(APIC_LDR, 0x21000000);
	wr(APIC_ICR_HIGH, 0x23000000);
	wr(APIC_ICR, 0x831);
	TAKES(0x31);
	wr(APIC_EOI, 0);
	wr(APIC_ICR_HIGH, 0x33000000);
	wr(APIC_ICR, 0x831);
	TAKES_NONE();
}

static void test_other_modes(void **state)
{
	(void)state;
	wr(APIC_ICR, SELF | 0x400);	/* NMI */
	wr(APIC_ICR, SELF | 0x500);	/* INIT */
	wr(APIC_ICR, SELF | 0x631);	/* STARTUP */
	TAKES_NONE();
	assert_int_equal(rd(APIC_ESR), 0);
	ipi(15);
	TAKES_NONE();
	assert_int_equal(rd(APIC_ESR), 0);
	wr(APIC_ESR, 0);
	assert_int_equal(rd(APIC_ESR), 0x20);
	wr(APIC_ESR, 0);
	assert_int_equal(rd(APIC_ESR), 0);
}

static void test_priorities(void **state)
{
	(void)state;
	ipi(0x45);
	ipi(0x91);
	ipi(0x9f);
	TAKES(0x9f);
	assert_int_equal(rd(APIC_PPR), 0x90);
	TAKES_NONE();			/* 91h: same class */
	ipi(0xa0);
	TAKES(0xa0);
	wr(APIC_EOI, 0);
	TAKES_NONE();
	wr(APIC_EOI, 0);
	TAKES(0x91);
	wr(APIC_EOI, 0);
	TAKES(0x45);
	wr(APIC_EOI, 0);
	TAKES_NONE();
	/* the same vector again while it is in service */
	ipi(0x45);
	TAKES(0x45);
	ipi(0x45);
	ipi(0x45);
	TAKES_NONE();
	wr(APIC_EOI, 0);
	TAKES(0x45);
	wr(APIC_EOI, 0);
	TAKES_NONE();
	wr(APIC_EOI, 0);
}

static void test_task_priority(void **state)
{
	(void)state;
	wr(APIC_TPR, 0x4f);
	assert_int_equal(rd(APIC_TPR), 0x4f);
	assert_int_equal(rd(APIC_PPR), 0x4f);
	ipi(0x4f);
	TAKES_NONE();
	ipi(0x50);
	TAKES(0x50);
	assert_int_equal(rd(APIC_PPR), 0x50);
	wr(APIC_TPR, 0x53);
	assert_int_equal(rd(APIC_PPR), 0x53);
	wr(APIC_EOI, 0);
	wr(APIC_TPR, 0x3f);
	TAKES(0x4f);
}

static void test_alarm(void **state)
{
	(void)state;
	wr(APIC_LVTT, 0x41);
	apic_alarm(&a);
	TAKES(0x41);
	wr(APIC_EOI, 0);
	TAKES_NONE();
	/* the mode bits are the timer's */
	wr(APIC_LVTT, 0x20042);
	assert_int_equal(rd(APIC_LVTT), 0x20042);
	apic_alarm(&a);
	TAKES(0x42);
	wr(APIC_EOI, 0);
	/* no vector, no interrupt */
	wr(APIC_LVTT, 0);
	apic_alarm(&a);
	TAKES_NONE();
	wr(APIC_ESR, 0);
	assert_int_equal(rd(APIC_ESR), 0x40);
	wr(APIC_LVTT, 0x41);
	TAKES_NONE();
}

static void test_alarm_waits_for_mask(void **state)
{
	(void)state;
	apic_alarm(&a);
	apic_alarm(&a);
	TAKES_NONE();
	wr(APIC_LVTT, MASKED | 0x41);
	TAKES_NONE();
	wr(APIC_LVTT, 0x41);
	TAKES(0x41);
	wr(APIC_EOI, 0);
	TAKES_NONE();
	wr(APIC_LVTT, MASKED | 0x41);
	wr(APIC_LVTT, 0x41);
	TAKES_NONE();
	wr(APIC_LVTT, MASKED | 0x41);
	apic_alarm(&a);
	apic_alarm_cancel(&a);
	wr(APIC_LVTT, 0x41);
	TAKES_NONE();
}

static void test_virtual_wire(void **state)
{
	(void)state;
	wr(APIC_LVT0, MASKED | 0x700);
	assert_false(apic_extint(&a));
	wr(APIC_LVT0, 0x700);
	assert_true(apic_extint(&a));
	wr(APIC_LVT0, 0x031);		/* fixed: not a way for the 8259 */
	assert_false(apic_extint(&a));
	wr(APIC_LVT0, 0x8700);		/* level, as firmware may write */
	assert_true(apic_extint(&a));
}

static void test_software_disable(void **state)
{
	(void)state;
	wr(APIC_LVTT, 0x41);
	wr(APIC_SVR, 0xff);
	assert_int_equal(rd(APIC_LVTT), MASKED | 0x41);
	assert_int_equal(rd(APIC_LVT0), MASKED | 0x700);
	wr(APIC_LVTT, 0x42);		/* the mask cannot go */
	assert_int_equal(rd(APIC_LVTT), MASKED | 0x42);
	ipi(0x55);
	TAKES_NONE();
	assert_false(apic_extint(&a));
	wr(APIC_SVR, 0xffff01ff);
	assert_int_equal(rd(APIC_SVR), 0x1ff);
	assert_int_equal(rd(APIC_LVTT), MASKED | 0x42);
	ipi(0x55);
	TAKES(0x55);
}

static void test_global_disable(void **state)
{
	(void)state;
	ipi(0x55);
	apic_enable(&a, false);
	TAKES_NONE();
	assert_int_equal(rd(APIC_VERSION), 0xffffffff);
	wr(APIC_SVR, 0x1ff);
	ipi(0x55);
	TAKES_NONE();
	assert_true(apic_extint(&a));	/* the 8259 goes straight in */
	apic_enable(&a, true);
	assert_int_equal(rd(APIC_SVR), 0xff);
	assert_int_equal(rd(APIC_LVT0), MASKED);
	assert_false(apic_extint(&a));
}

/* Those that are not the first wait for INIT and STARTUP. */
static void test_others(void **state)
{
	(void)state;
	apic_init(&a, 5, TSC_HZ);
	assert_int_equal(rd(APIC_ID), 5u << 24);
	assert_int_equal(rd(APIC_VERSION), 0x50014);
	assert_int_equal(rd(APIC_SVR), 0xff);
	assert_int_equal(rd(APIC_LVT0), MASKED);
	assert_int_equal(rd(APIC_LVT1), MASKED);
	assert_false(apic_extint(&a));
	wr(APIC_SVR, 0x1ff);
	wr(APIC_ID, 7u << 24);
	wr(APIC_LVTT, 0x41);
	wr(APIC_TMICT, 100);
	ipi(0x55);
	apic_reset(&a);
	TAKES_NONE();
	assert_int_equal(rd(APIC_ID), 7u << 24);
	assert_int_equal(rd(APIC_SVR), 0xff);
	assert_int_equal(rd(APIC_LVTT), MASKED);
	assert_int_equal(rd(APIC_TMCCT), 0);
	assert_true(a.enabled);
	apic_enable(&a, false);
	apic_enable(&a, true);
	assert_int_equal(rd(APIC_ID), 5u << 24);
}

/* From the I/O APIC: TMR has them until their vector comes as an edge. */
static void test_level(void **state)
{
	struct apic_message m = { .vector = 0x55, .level = true };

	(void)state;
	apic_deliver(&a, &m);
	assert_true(in(APIC_TMR, 0x55));
	ipi(0x65);
	assert_false(in(APIC_TMR, 0x65));
	TAKES(0x65);
	assert_int_equal(effect(APIC_EOI, 0), APIC_NOTHING);
	TAKES(0x55);
	assert_int_equal(effect(APIC_EOI, 0), APIC_EOI_SENT);
	assert_int_equal(sent.vector, 0x55);
	assert_int_equal(effect(APIC_EOI, 0), APIC_NOTHING);
	assert_true(in(APIC_TMR, 0x55));
	ipi(0x55);
	assert_false(in(APIC_TMR, 0x55));
	TAKES(0x55);
	assert_int_equal(effect(APIC_EOI, 0), APIC_NOTHING);
	m.vector = 15;
	apic_deliver(&a, &m);
	TAKES_NONE();
	assert_false(in(APIC_TMR, 15));
	wr(APIC_ESR, 0);
	assert_int_equal(rd(APIC_ESR), 0x40);
}

/* What kernels start another processor with, and what is not sent. */
static void test_starting(void **state)
{
	(void)state;
	wr(APIC_ICR_HIGH, 3u << 24);
	assert_int_equal(effect(APIC_ICR, 0xc500), APIC_SENT);
	assert_int_equal(sent.mode, APIC_INIT);
	assert_int_equal(sent.dest, 3);
	assert_false(sent.deassert);
	assert_int_equal(effect(APIC_ICR, 0x8500), APIC_SENT);
	assert_int_equal(sent.mode, APIC_INIT);
	assert_true(sent.deassert);
	assert_int_equal(effect(APIC_ICR, 0x0500), APIC_SENT);
	assert_false(sent.deassert);
	assert_int_equal(effect(APIC_ICR, 0x8608), APIC_SENT);
	assert_int_equal(sent.mode, APIC_STARTUP);
	assert_int_equal(sent.vector, 8);
	assert_false(sent.deassert);
	assert_int_equal(effect(APIC_ICR, 0xc0500), APIC_SENT);
	assert_int_equal(sent.shorthand, APIC_OTHERS);
	assert_int_equal(effect(APIC_ICR, 0x40500), APIC_NOTHING);
	assert_int_equal(effect(APIC_ICR, 0x80500), APIC_NOTHING);
	assert_int_equal(effect(APIC_ICR, 0x80608), APIC_NOTHING);
	assert_int_equal(effect(APIC_ICR, 0x200), APIC_NOTHING);
	assert_int_equal(effect(APIC_ICR, 0x355), APIC_NOTHING);
	assert_int_equal(effect(APIC_ICR, 0x400), APIC_NOTHING);
	assert_int_equal(effect(APIC_ICR, 0x755), APIC_NOTHING);
	wr(APIC_ESR, 0);
	assert_int_equal(rd(APIC_ESR), 0);
}

/* Whatever is written: what is taken was requested, and registers that are
 * not there read 0. */
static void test_random(void **state)
{
	static const uint16_t extra[] = { 0, 0x24, 0x2f0, 0x3f0, 0x400, 0xffc };
	uint64_t seed = 4711;
	unsigned int i, n;

	(void)state;
	for (i = 0; i < 200000; i++) {
		uint64_t r = unit_random(&seed);

		wr(r >> 8 & 0x3f0, r >> 32);
		rd(r & 0xfff);
		now += r & 0xffff;
		apic_timer_tick(&a, now);
		if (r >> 61 == 0)
			apic_alarm(&a);
		if (r >> 60 == 15)
			apic_enable(&a, r >> 59 & 1);
		if (apic_pending(&a)) {
			n = a.next;
			assert_in_range(n, 16, 255);
			assert_true(in(APIC_IRR, n));
			assert_true((n & 0xf0) > (rd(APIC_PPR) & 0xf0));
			assert_int_equal(apic_ack(&a), n);
			assert_true(in(APIC_ISR, n));
			assert_false(in(APIC_IRR, n));
		}
	}
	apic_enable(&a, true);
	for (i = 0; i < sizeof(extra) / sizeof(extra[0]); i++)
		assert_int_equal(rd(extra[i]), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_firmware_state),
		T(test_probe),
		T(test_ipi_to_self),
		T(test_destinations),
		T(test_other_modes),
		T(test_priorities),
		T(test_task_priority),
		T(test_alarm),
		T(test_alarm_waits_for_mask),
		T(test_virtual_wire),
		T(test_software_disable),
		T(test_global_disable),
		T(test_others),
		T(test_level),
		T(test_starting),
		T(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

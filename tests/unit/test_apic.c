// SPDX-License-Identifier: GPL-2.0-only
/*
 * The local APIC: each test makes the accesses that a kernel makes and says
 * what the processor must see, after SDM Vol. 3, chapter 10. Who gets what is
 * compared with a model made of its tables, the timer with one that counts.
 */
#include "unit.h"

#include "devices.h"

#define MASKED		0x10000u
#define SELF		0x40000u

#define TSC_HZ		1000000000ull

static struct apic a;
static uint64_t now;

static int setup(void **state)
{
	(void)state;
	memset(&a, 0xaa, sizeof(a));
	apic_init(&a, 0, TSC_HZ);
	now = 1000;
	return 0;
}

static uint32_t rd(uint32_t offset)
{
	return apic_read(&a, offset, now);
}

static struct apic_message sent;

static enum apic_effect effect(uint32_t offset, uint32_t value)
{
	memset(&sent, 0xcc, sizeof(sent));
	return apic_write(&a, offset, value, now, &sent);
}

/* The only one there is. */
static void wr(uint32_t offset, uint32_t value)
{
	if (effect(offset, value) == APIC_SENT &&
	    (sent.mode == APIC_FIXED || sent.mode == APIC_LOWEST) &&
	    apic_accepts(&a, &a, &sent))
		apic_deliver(&a, &sent);
}

static void ipi(uint32_t vector)
{
	wr(APIC_ICR, SELF | vector);
}

static bool in(uint32_t bitmap, uint32_t vector)
{
	return rd(bitmap + (vector >> 5) * 16) >> (vector & 31) & 1;
}

/* The processor takes this one now. */
#define TAKES(vector)	do {						\
		assert_true(apic_pending(&a));				\
		assert_int_equal(apic_ack(&a), vector);			\
	} while (0)
#define TAKES_NONE()	assert_false(apic_pending(&a))

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

/* ---- who gets what ------------------------------------------------------ */

#define MOST	8

struct ref {
	uint8_t	id, ldr, tpr, serving;	/* 0: nothing in service */
	bool	cluster, on, software;
};

/* As 10.6.2 says it, one APIC after the other. */
static bool ref_matches(const struct ref *r, uint8_t mda, bool logical)
{
	uint8_t bit;

	if (mda == 0xff)
		return true;
	if (!logical)
		return r->id == mda;
	for (bit = 1; bit; bit <<= 1) {
		if (r->cluster && bit == 0x10)
			return false;
		if (r->cluster && r->ldr / 16 != mda / 16)
			return false;
		if ((r->ldr & bit) && (mda & bit))
			return true;
	}
	return false;
}

/* 10.8.3.1 */
static uint32_t ref_ppr(const struct ref *r)
{
	return r->tpr / 16 >= r->serving / 16 ? r->tpr :
		r->serving / 16 * 16u;
}

/* Bit n: APIC n gets it. sender is -1 for the I/O APIC. */
static uint32_t ref_targets(const struct ref *r, int n, int sender, int mode,
			    int shorthand, uint8_t mda, bool logical)
{
	uint32_t set = 0, lowest = 256;
	int i, one = -1;

	for (i = 0; i < n; i++) {
		bool is;

		switch (shorthand) {
		case 1:
			is = i == sender;
			break;
		case 2:
			is = true;
			break;
		case 3:
			is = i != sender;
			break;
		default:
			is = ref_matches(&r[i], mda, logical);
		}
		if (!is || !r[i].on || (mode < 2 && !r[i].software))
			continue;
		set |= 1u << i;
		if (ref_ppr(&r[i]) < lowest) {
			lowest = ref_ppr(&r[i]);
			one = i;
		}
	}
	if (mode == 1)
		return one < 0 ? 0 : 1u << one;
	return set;
}

static struct apic apics[MOST];
static struct apic *const all[MOST] = {
	&apics[0], &apics[1], &apics[2], &apics[3],
	&apics[4], &apics[5], &apics[6], &apics[7],
};

static void put(struct apic *to, uint32_t offset, uint32_t value)
{
	struct apic_message m;

	apic_write(to, offset, value, now, &m);
}

static void set_up(struct apic *to, struct ref *r, int i, uint64_t *seed)
{
	uint64_t x = unit_random(seed);
	struct apic_message m = { .vector = 0 };

	*r = (struct ref){
		.id = x & 7 ? (x >> 3) % 10 : 0xff,
		.ldr = x >> 32 & 1 ? x >> 33 : 1u << (x >> 33 & 7),
		.tpr = x >> 16 & 1 ? x >> 17 : x >> 17 & 0x30,
		.cluster = x >> 8 & 1,
		.on = x >> 9 & 15,
		.software = x >> 13 & 7,
	};
	if (x >> 48 & 1)
		r->serving = 16 + (x >> 49) % 240;
	apic_init(to, i, TSC_HZ);
	put(to, APIC_SVR, 0x1ff);
	if (r->serving) {
		m.vector = r->serving;
		apic_deliver(to, &m);
		assert_int_equal(apic_ack(to), r->serving);
	}
	put(to, APIC_ID, (uint32_t)r->id << 24);
	put(to, APIC_LDR, (uint32_t)r->ldr << 24);
	/* neither model: flat */
	put(to, APIC_DFR, r->cluster ? 0x0fffffff : x >> 62 ? 0xffffffff :
						   0x5fffffff);
	put(to, APIC_TPR, r->tpr);
	if (!r->software)
		put(to, APIC_SVR, 0xff);
	apic_enable(to, r->on);
}

/* As the owner of them all does it; the set of those that got it. */
static uint32_t route(int n, const struct apic *sender,
		      const struct apic_message *m)
{
	uint32_t set = 0;
	int i;

	if (m->mode == APIC_LOWEST) {
		i = apic_arbitrate(all, n, sender, m);
		if (i >= 0)
			set = 1u << i;
	} else {
		for (i = 0; i < n; i++)
			if (apic_accepts(all[i], sender, m))
				set |= 1u << i;
	}
	for (i = 0; i < n && m->mode < 2; i++)
		if (set & 1u << i)
			apic_deliver(all[i], m);
	return set;
}

static bool requested(const struct apic *of, uint32_t vector)
{
	return of->irr[vector / 32] >> vector % 32 & 1;
}

static uint32_t errors_of(struct apic *of)
{
	put(of, APIC_ESR, 0);
	return of->esr;
}

static uint64_t cases[8];

/* Each case is one message between APICs in any state. */
static void one_message(uint64_t *seed)
{
	uint64_t x = unit_random(seed);
	int n = 1 + (x & 7), sender = (x >> 3) % n, i;
	uint32_t mode = x >> 8 & 7, shorthand = x >> 11 & 3, vector, dest;
	bool logical = x >> 13 & 1, level = x >> 14 & 1, got, fits;
	struct apic_message m = { .vector = 0 };
	struct ref r[MOST];
	uint32_t want, set;
	bool io = !(x >> 15 & 3);

	vector = x >> 17 & 7 ? x >> 20 & 0xff : x >> 20 & 0xf;
	dest = x >> 28 & 3 ? (x >> 30) % 10 : x >> 30 & 0xff;
	for (i = 0; i < n; i++)
		set_up(&apics[i], &r[i], i, seed);
	if (io) {
		sender = -1;
		mode &= 1;
		shorthand = 0;
		m = (struct apic_message){
			.vector = vector, .mode = mode, .dest = dest,
			.logical = logical, .level = level,
		};
		set = route(n, NULL, &m);
	} else {
		put(&apics[sender], APIC_ICR_HIGH, dest << 24);
		got = apic_write(&apics[sender], APIC_ICR, shorthand << 18 |
				 (uint32_t)level << 15 | (x >> 40 & 1) << 14 |
				 (uint32_t)logical << 11 | mode << 8 | vector,
				 now, &m) == APIC_SENT;
		set = got ? route(n, &apics[sender], &m) : 0;
	}
	fits = vector >= 16 || (mode != 0 && mode != 1);
	/* table 10-3, VMI-1.11 */
	if (mode == 5 || mode == 6)
		fits = shorthand == 0 || shorthand == 3;
	else if (mode > 1)
		fits = false;
	want = ref_targets(r, n, sender, mode, shorthand, dest, logical);
	if (!io && (!fits || !r[sender].on))
		want = 0;
	cases[mode]++;
	for (i = 0; i < n; i++) {
		struct apic *t = &apics[i];
		bool to = want >> i & 1;
		uint32_t error = 0;

		if (mode > 1) {
			assert_int_equal(set >> i & 1, to);
			assert_int_equal(requested(t, vector), 0);
			continue;
		}
		assert_int_equal(requested(t, vector), to && vector > 15);
		if (to && vector > 15) {
			assert_int_equal(t->tmr[vector / 32] >> vector % 32 & 1,
					 io && level);
			assert_int_equal(apic_pending(t),
					 vector / 16 > ref_ppr(&r[i]) / 16);
		}
		if (vector < 16 && io && to)
			error = 0x40;
		if (vector < 16 && !io && i == sender && r[i].on)
			error = 0x20;
		assert_int_equal(errors_of(t), error);
	}
}

static void test_routing(void **state)
{
	uint64_t seed = 42;
	int i;

	(void)state;
	for (i = 0; i < 300000; i++)
		one_message(&seed);
	for (i = 0; i < 8; i++)
		assert_in_range(cases[i], 20000, 300000);
}

/* ---- timer -------------------------------------------------------------- */

static void test_one_shot(void **state)
{
	(void)state;
	wr(APIC_TDCR, 11);			/* by 1 */
	assert_int_equal(effect(APIC_LVTT, 0x41), APIC_NOTHING);
	assert_int_equal(apic_timer_next(&a), APIC_NEVER);
	assert_int_equal(effect(APIC_TMICT, 100), APIC_TIMER_SET);
	assert_int_equal(apic_timer_next(&a), 1000 + 1600);
	assert_int_equal(rd(APIC_TMCCT), 100);
	now += 1599;
	assert_int_equal(rd(APIC_TMCCT), 1);
	apic_timer_tick(&a, now);
	TAKES_NONE();
	now++;
	assert_int_equal(rd(APIC_TMCCT), 0);
	apic_timer_tick(&a, now);
	TAKES(0x41);
	wr(APIC_EOI, 0);
	assert_int_equal(apic_timer_next(&a), APIC_NEVER);
	apic_timer_tick(&a, now + 100000);
	TAKES_NONE();
	assert_int_equal(rd(APIC_TMICT), 100);
	/* a count that is taken back */
	wr(APIC_TMICT, 100);
	wr(APIC_TMICT, 0);
	assert_int_equal(apic_timer_next(&a), APIC_NEVER);
	/* two processors' counters may differ: no time has passed */
	wr(APIC_TMICT, 100);
	now -= 5;
	assert_int_equal(rd(APIC_TMCCT), 100);
	apic_timer_tick(&a, now);
	TAKES_NONE();
}

/* As kernels calibrate it: masked, it counts, and nothing comes of it. */
static void test_masked(void **state)
{
	(void)state;
	wr(APIC_TDCR, 3);			/* by 16 */
	wr(APIC_LVTT, MASKED | 0x200ef);
	wr(APIC_TMICT, 0x0fffffff);
	assert_int_equal(apic_timer_next(&a), APIC_NEVER);
	now += TSC_HZ / 10;
	assert_int_equal(rd(APIC_TMCCT), 0x0fffffff - TSC_HZ / 10 / 256);
	wr(APIC_LVTT, MASKED | 0xef);
	wr(APIC_TMICT, 1000);
	now += TSC_HZ;
	/* it came when it was masked: never */
	wr(APIC_LVTT, 0xef);
	TAKES_NONE();
	assert_int_equal(apic_timer_next(&a), APIC_NEVER);
	assert_int_equal(rd(APIC_TMCCT), 0);
	/* due, and the mask comes before anybody has looked */
	wr(APIC_TMICT, 1000);
	now += 256000;
	wr(APIC_LVTT, MASKED | 0xef);
	TAKES(0xef);
}

/* VMI-3.7.5 is for it, too: interrupts 500 us apart, at wraps of the count. */
static void test_short_periods(void **state)
{
	const uint32_t counts[] = { 1, 2, 3, 7, 100, 31249, 31250, 31251,
				    50000 };
	const uint64_t least = TSC_HZ / 2000;
	uint64_t next, last, per;
	uint32_t i, j;

	(void)state;
	wr(APIC_TDCR, 11);
	for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		per = counts[i] * 16ull;
		wr(APIC_LVTT, 0x20041);
		wr(APIC_TMICT, counts[i]);
		last = now;
		assert_int_equal(apic_timer_next(&a), now + per);
		for (j = 0; j < 5; j++) {
			next = apic_timer_next(&a);
			assert_int_equal((next - last) % per, 0);
			if (j && per < least)
				assert_in_range(next - last, least,
						least + per);
			else
				assert_int_equal(next - last, per);
			now = last = next;
			apic_timer_tick(&a, now);
			TAKES(0x41);
			wr(APIC_EOI, 0);
		}
	}
}

/* Counts one by one. */
static struct {
	uint64_t at;			/* the last count */
	uint32_t per, init, count, skip;
	bool	periodic, masked, due;
} ref;

static void ref_run(void)
{
	uint64_t wraps;

	for (; now - ref.at >= ref.per; ref.at += ref.per) {
		if (!ref.count || --ref.count)
			continue;
		if (!ref.skip && !ref.masked)
			ref.due = true;
		for (wraps = 1; wraps * ref.init * ref.per < TSC_HZ / 2000; )
			wraps++;
		ref.skip = ref.skip ? ref.skip - 1 : wraps - 1;
		if (ref.periodic)
			ref.count = ref.init;
	}
}

static void timer_step(uint64_t x)
{
	static const uint8_t per[16] = {
		[0] = 2, [1] = 4, [2] = 8, [3] = 16, [8] = 32, [9] = 64,
		[10] = 128, [11] = 1
	};
	static const uint8_t tdcr[8] = { 0, 1, 2, 3, 8, 9, 10, 11 };
	uint32_t value = x >> 32;
	uint8_t d = tdcr[x >> 8 & 7];

	switch (x & 15) {
	case 0:
	case 1:
		value = x >> 16 & 3 ? value % 5000 : value % 60000;
		wr(APIC_TMICT, value);
		ref.init = ref.count = value;
		ref.at = now;
		break;
	case 2:
		wr(APIC_TDCR, d | (value & ~0xbu));
		ref.per = 16 * per[d];
		ref.at = now;
		break;
	case 3:
	case 4:
	case 5:
		value &= 0x30000;
		if (x & 0x300)
			value &= ~MASKED;
		wr(APIC_LVTT, value | 0x41);
		ref.periodic = value & 0x20000;
		ref.masked = value & MASKED;
		break;
	case 6:
		if (x & 0x700)
			return;
		apic_timer_tick(&a, now);
		wr(APIC_SVR, 0xff);
		wr(APIC_SVR, 0x1ff);
		ref.masked = true;
		return;
	default:
		apic_timer_tick(&a, now);
		return;
	}
	ref.skip = 0;
}

static void test_timer_model(void **state)
{
	uint64_t seed = 815, x, next, fired = 0;
	struct apic copy;
	int i;

	(void)state;
	ref.per = 32;
	ref.masked = true;
	ref.at = now;
	for (i = 0; i < 200000; i++) {
		x = unit_random(&seed);
		now += x >> 20 & 1 ? x >> 21 & 0x3fff : x >> 21 & 0x1fffff;
		ref_run();
		assert_int_equal(rd(APIC_TMCCT), ref.count);
		timer_step(unit_random(&seed));
		if (ref.due)
			apic_timer_tick(&a, now);
		assert_int_equal(in(APIC_IRR, 0x41), ref.due);
		if (ref.due) {
			TAKES(0x41);
			wr(APIC_EOI, 0);
			fired++;
		}
		ref.due = false;
		assert_int_equal(rd(APIC_TMCCT), ref.count);
		next = apic_timer_next(&a);
		if (next == APIC_NEVER) {
			assert_true(ref.masked || !ref.count);
			continue;
		}
		assert_true(next > now && !ref.masked && ref.count);
		copy = a;
		apic_timer_tick(&copy, next - 1);
		assert_false(apic_pending(&copy));
		apic_timer_tick(&copy, next);
		assert_true(apic_pending(&copy));
		if (x >> 60 == 0)
			now = next - (x >> 59 & 1);
		ref_run();
	}
	assert_true(fired > 10000);
}

/* Both come by LVTT's vector. */
static void test_timer_and_alarm(void **state)
{
	(void)state;
	wr(APIC_LVTT, 0x41);
	wr(APIC_TMICT, 100);
	apic_alarm(&a);
	TAKES(0x41);
	wr(APIC_EOI, 0);
	now = apic_timer_next(&a);
	apic_timer_tick(&a, now);
	TAKES(0x41);
	wr(APIC_EOI, 0);
	/* masked, the alarm waits, and the count does not */
	wr(APIC_LVTT, MASKED | 0x41);
	wr(APIC_TMICT, 100);
	apic_alarm(&a);
	now += 100000;
	apic_timer_tick(&a, now);
	wr(APIC_LVTT, 0x41);
	TAKES(0x41);
	wr(APIC_EOI, 0);
	TAKES_NONE();
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

#define T(name)	cmocka_unit_test_setup(name, setup)

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
		T(test_routing),
		T(test_one_shot),
		T(test_masked),
		T(test_short_periods),
		T(test_timer_model),
		T(test_timer_and_alarm),
		T(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

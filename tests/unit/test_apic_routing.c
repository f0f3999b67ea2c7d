// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who gets what one local APIC sends, compared with a model made of the tables of
 * SDM Vol. 3, chapter 10.
 */
#include "apic.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_routing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* One local APIC, and the accesses that a kernel makes to it. */
#ifndef APIC_TEST_H
#define APIC_TEST_H

#include "devices.h"
#include "unit.h"

#define MASKED		0x10000u
#define SELF		0x40000u

#define TSC_HZ		1000000000ull

static struct apic a;
static uint64_t now;

static inline int setup(void **state)
{
	(void)state;
	memset(&a, 0xaa, sizeof(a));
	apic_init(&a, 0, TSC_HZ);
	now = 1000;
	return 0;
}

static inline uint32_t rd(uint32_t offset)
{
	return apic_read(&a, offset, now);
}

static struct apic_message sent;

static inline enum apic_effect effect(uint32_t offset, uint32_t value)
{
	memset(&sent, 0xcc, sizeof(sent));
	return apic_write(&a, offset, value, now, &sent);
}

/* The only one there is. */
static inline void wr(uint32_t offset, uint32_t value)
{
	if (effect(offset, value) == APIC_SENT &&
	    (sent.mode == APIC_FIXED || sent.mode == APIC_LOWEST) &&
	    apic_accepts(&a, &a, &sent))
		apic_deliver(&a, &sent);
}

static inline void ipi(uint32_t vector)
{
	wr(APIC_ICR, SELF | vector);
}

static inline bool in(uint32_t bitmap, uint32_t vector)
{
	return rd(bitmap + (vector >> 5) * 16) >> (vector & 31) & 1;
}

/* The processor takes this one now. */
#define TAKES(vector)	do {						\
		assert_true(apic_pending(&a));				\
		assert_int_equal(apic_ack(&a), vector);			\
	} while (0)
#define TAKES_NONE()	assert_false(apic_pending(&a))

/* Each test begins with it as after power-on. */
#define T(name)	cmocka_unit_test_setup(name, setup)

#endif

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The I/O APIC: the accesses of its drivers, lines that go up and down, and
 * what it sends, after the data sheet of the 82093AA; and any sequence of these
 * against a model of one pin.
 */
#include "unit.h"

#include "devices.h"

#define LOW		0x2000u
#define REMOTE_IRR	0x4000u
#define LEVEL		0x8000u
#define MASKED		0x10000u

static struct ioapic io;
static struct apic_message m;

static int setup(void **state)
{
	(void)state;
	memset(&io, 0xaa, sizeof(io));
	ioapic_init(&io, 4);
	return 0;
}

static uint32_t rd(uint32_t reg)
{
	ioapic_write(&io, 0, reg);
	return ioapic_read(&io, 0x10);
}

static void wr(uint32_t reg, uint32_t value)
{
	ioapic_write(&io, 0, reg);
	ioapic_write(&io, 0x10, value);
}

static void entry(unsigned int pin, uint32_t low, uint32_t high)
{
	wr(0x11 + 2 * pin, high);
	wr(0x10 + 2 * pin, low);
}

#define SENDS(v)	do {						\
		assert_true(ioapic_message(&io, &m));			\
		assert_int_equal(m.vector, v);				\
	} while (0)
#define SENDS_NONE()	assert_false(ioapic_message(&io, &m))

static void test_registers(void **state)
{
	unsigned int i;

	(void)state;
	assert_int_equal(rd(0), 4u << 24);
	assert_int_equal(rd(1), 0x00170011);
	assert_int_equal(rd(2), 4u << 24);
	wr(0, 0xffffffff);
	assert_int_equal(rd(0), 0x0f000000);
	assert_int_equal(rd(2), 0x0f000000);
	wr(1, 0);
	wr(2, 0);
	assert_int_equal(rd(1), 0x00170011);
	assert_int_equal(rd(2), 0x0f000000);
	for (i = 0; i < 24; i++) {
		assert_int_equal(rd(0x10 + 2 * i), MASKED);
		assert_int_equal(rd(0x11 + 2 * i), 0);
		/* delivery status and remote IRR are not the driver's */
		entry(i, 0xffffff00 + i, 0xff000000 - (i << 24));
	}
	for (i = 0; i < 24; i++) {
		assert_int_equal(rd(0x10 + 2 * i), 0x1af00 + i);
		assert_int_equal(rd(0x11 + 2 * i), 0xff000000 - (i << 24));
	}
	for (i = 0x40; i < 0x100; i++) {
		wr(i, 0xffffffff);
		assert_int_equal(rd(i), 0);
	}
	wr(3, 0xffffffff);
	assert_int_equal(rd(3), 0);
	ioapic_write(&io, 0, 0x12345610);
	assert_int_equal(ioapic_read(&io, 0), 0x10);
	assert_int_equal(ioapic_read(&io, 4), 0);
	ioapic_write(&io, 4, 0);
	ioapic_write(&io, 0x14, 0);
	assert_int_equal(rd(0x10), 0x1af00);
	SENDS_NONE();
}

static void test_edge(void **state)
{
	(void)state;
	ioapic_set_irq(&io, 4, true);		/* masked: forgotten */
	SENDS_NONE();
	entry(4, 0x31, 3u << 24);
	SENDS_NONE();
	ioapic_set_irq(&io, 4, true);		/* no edge */
	SENDS_NONE();
	ioapic_set_irq(&io, 4, false);
	SENDS_NONE();
	ioapic_set_irq(&io, 4, true);
	SENDS(0x31);
	assert_int_equal(m.mode, APIC_FIXED);
	assert_int_equal(m.dest, 3);
	assert_int_equal(m.shorthand, APIC_NO_SHORTHAND);
	assert_false(m.logical);
	assert_false(m.level);
	assert_false(m.deassert);
	SENDS_NONE();
	assert_int_equal(rd(0x18), 0x31);
	/* without an EOI */
	ioapic_set_irq(&io, 4, false);
	ioapic_set_irq(&io, 4, true);
	SENDS(0x31);
	entry(4, 0x931, 0x0f000000);		/* lowest priority, logical */
	ioapic_set_irq(&io, 4, false);
	ioapic_set_irq(&io, 4, true);
	SENDS(0x31);
	assert_int_equal(m.mode, APIC_LOWEST);
	assert_int_equal(m.dest, 0x0f);
	assert_true(m.logical);
	/* the line is low when it is active */
	entry(4, LOW | 0x31, 0);
	SENDS_NONE();
	ioapic_set_irq(&io, 4, false);
	SENDS(0x31);
	ioapic_set_irq(&io, 4, true);
	SENDS_NONE();
}

static void test_level(void **state)
{
	(void)state;
	entry(9, LEVEL | 0x41, 0);
	entry(10, LEVEL | 0x41, 0);
	SENDS_NONE();
	ioapic_set_irq(&io, 9, true);
	SENDS(0x41);
	assert_true(m.level);
	assert_int_equal(rd(0x22), LEVEL | REMOTE_IRR | 0x41);
	SENDS_NONE();
	ioapic_set_irq(&io, 9, false);
	ioapic_set_irq(&io, 9, true);
	SENDS_NONE();				/* one until its EOI */
	ioapic_eoi(&io, 0x42);
	SENDS_NONE();
	ioapic_eoi(&io, 0x41);
	SENDS(0x41);
	ioapic_set_irq(&io, 9, false);
	ioapic_eoi(&io, 0x41);
	SENDS_NONE();
	assert_int_equal(rd(0x22), LEVEL | 0x41);
	/* two with one vector */
	ioapic_set_irq(&io, 9, true);
	ioapic_set_irq(&io, 10, true);
	SENDS(0x41);
	SENDS(0x41);
	SENDS_NONE();
	ioapic_eoi(&io, 0x41);
	SENDS(0x41);
	SENDS(0x41);
	SENDS_NONE();
	/* the mask holds the level back, remote IRR stays */
	entry(10, MASKED | LEVEL | 0x41, 0);
	assert_int_equal(rd(0x24), MASKED | LEVEL | REMOTE_IRR | 0x41);
	ioapic_eoi(&io, 0x41);
	SENDS(0x41);
	SENDS_NONE();
	entry(10, LEVEL | 0x41, 0);
	SENDS(0x41);
	/* a lost EOI: edge, and level again */
	entry(10, MASKED | 0x41, 0);
	assert_int_equal(rd(0x24), MASKED | 0x41);
	entry(10, LEVEL | 0x41, 0);
	SENDS(0x41);
	/* active low */
	entry(11, MASKED | LEVEL | LOW | 0x51, 0);
	entry(11, LEVEL | LOW | 0x51, 0);
	SENDS(0x51);
}

static void test_pins(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 24; i++)
		entry(i, 0x30 + i, 0);
	ioapic_set_irq(&io, 0, true);
	SENDS(0x32);
	ioapic_set_irq(&io, 2, true);		/* there is none */
	ioapic_set_irq(&io, 24, true);
	ioapic_set_irq(&io, 32, true);
	ioapic_set_irq(&io, UINT32_MAX, true);
	SENDS_NONE();
	for (i = 1; i < 24; i++) {
		if (i == 2)
			continue;
		ioapic_set_irq(&io, i, true);
		SENDS(0x30 + i);
	}
	SENDS_NONE();
}

/* Neither SMI, NMI, INIT nor ExtINT, level or edge. */
static void test_other_modes(void **state)
{
	unsigned int mode;

	(void)state;
	for (mode = 2; mode < 8; mode++) {
		entry(5, mode << 8 | 0x35, 0);
		ioapic_set_irq(&io, 5, false);
		ioapic_set_irq(&io, 5, true);
		SENDS_NONE();
		entry(5, LEVEL | mode << 8 | 0x35, 0);
		SENDS_NONE();
		assert_int_equal(rd(0x1a), LEVEL | mode << 8 | 0x35);
	}
	entry(5, 0x35, 0);
	SENDS_NONE();				/* nor what came then */
}

/* With a local APIC, as its owner joins them. */
static void test_together(void **state)
{
	struct apic a;
	struct apic_message eoi;
	unsigned int i;

	(void)state;
	apic_init(&a, 0, 1000000000);
	entry(9, LEVEL | 0x41, 0);
	for (i = 0; i < 3; i++) {
		if (!i)
			ioapic_set_irq(&io, 9, true);
		SENDS(0x41);
		assert_true(apic_accepts(&a, NULL, &m));
		apic_deliver(&a, &m);
		assert_int_equal(apic_ack(&a), 0x41);
		SENDS_NONE();
		assert_int_equal(apic_write(&a, APIC_EOI, 0, 0, &eoi),
				 APIC_EOI_SENT);
		ioapic_eoi(&io, eoi.vector);
	}
}

/* ---- any sequence ------------------------------------------------------- */

/* One pin, from what the data sheet says of each bit. */
static struct {
	uint32_t low, high;
	bool	line, remote, edge;
} pin[24];

static bool ref_sends(int i)
{
	bool active = pin[i].line == !(pin[i].low & LOW);

	if ((pin[i].low & MASKED) || (pin[i].low >> 8 & 7) > 1)
		return false;
	return pin[i].low & LEVEL ? active && !pin[i].remote : pin[i].edge;
}

static void ref_line(int i, bool level)
{
	bool change = pin[i].line != level;

	pin[i].line = level;
	if (change && level == !(pin[i].low & LOW) && !(pin[i].low & LEVEL))
		pin[i].edge = true;
}

/* An edge stays for no longer than this step. */
static int drain(void)
{
	int i, sent = 0;

	for (i = 0; i < 24; i++) {
		if (ref_sends(i)) {
			SENDS(pin[i].low & 0xff);
			assert_int_equal(m.mode, pin[i].low >> 8 & 7);
			assert_int_equal(m.logical, pin[i].low >> 11 & 1);
			assert_int_equal(m.dest, pin[i].high >> 24);
			assert_int_equal(m.level, !!(pin[i].low & LEVEL));
			pin[i].remote = m.level;
			sent++;
		}
		pin[i].edge = false;
	}
	SENDS_NONE();
	return sent;
}

static void test_model(void **state)
{
	uint64_t seed = 7, x;
	int step, i, sent = 0;

	(void)state;
	memset(pin, 0, sizeof(pin));
	for (i = 0; i < 24; i++)
		pin[i].low = MASKED;
	for (step = 0; step < 200000; step++) {
		x = unit_random(&seed);
		i = (x >> 8) % 24;
		switch (x & 7) {
		case 0:
			wr(0x11 + 2 * i, x >> 32);
			pin[i].high = x >> 32 & 0xff000000;
			break;
		case 1:			/* few vectors, mostly good modes */
			x &= ~((uint64_t)(x >> 20 & 7 ? MASKED | 0x600 : 0)
			       << 32);
			x &= ~(0xf8ull << 32);
			wr(0x10 + 2 * i, x >> 32);
			pin[i].low = x >> 32 & 0x1afff;
			pin[i].remote &= !!(pin[i].low & LEVEL);
			break;
		case 2:
			ioapic_eoi(&io, x >> 32 & 7);
			for (i = 0; i < 24; i++)
				if ((pin[i].low & 0xff) == (x >> 32 & 7))
					pin[i].remote = false;
			break;
		default:
			ioapic_set_irq(&io, i, x >> 32 & 1);
			if (i != 2)
				ref_line(i ? i : 2, x >> 32 & 1);
		}
		sent += drain();
		i = (x >> 40) % 24;
		assert_int_equal(rd(0x10 + 2 * i), pin[i].low |
				 (pin[i].remote ? REMOTE_IRR : 0));
		assert_int_equal(rd(0x11 + 2 * i), pin[i].high);
	}
	assert_true(sent > 20000);
}

#define T(name)	cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_registers),
		T(test_edge),
		T(test_level),
		T(test_pins),
		T(test_other_modes),
		T(test_together),
		T(test_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

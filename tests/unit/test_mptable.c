// SPDX-License-Identifier: GPL-2.0-only
/*
 * The MP table, read as Linux reads it (arch/x86/kernel/mpparse.c): byte by
 * byte, with the offsets of the MultiProcessor Specification 1.4.
 */
#include "unit.h"

#include "devices.h"

#define AT		0xf0040u
#define SIGNATURE	0x000306a9u
#define FEATURES	0x0183fbffu

static uint8_t memory[MPTABLE_SIZE(MPTABLE_CPUS) + 1];

static uint32_t get(const uint8_t *p, unsigned int bytes)
{
	return bytes ? p[0] | get(p + 1, bytes - 1) << 8 : 0;
}

static uint8_t sum(const uint8_t *p, unsigned int n)
{
	uint8_t s = 0;

	while (n--)
		s += *p++;
	return s;
}

/* What a kernel keeps of it. */
struct found {
	uint32_t processors, boots, buses, ioapics, entries;
	int	pin[16];		/* of IRQ n, or -1 */
	int	extint, nmi;		/* APIC ID << 8 | input, or -1 */
	uint32_t ioapic;
};

static void read_processor(struct found *f, const uint8_t *p)
{
	assert_int_equal(p[1], f->processors++);
	assert_int_equal(p[2], 0x14);
	assert_true(p[3] & 1);
	if (p[3] & 2) {
		f->boots++;
		assert_int_equal(p[1], 0);
	}
	assert_int_equal(get(p + 4, 4), 0x6a9);
	assert_int_equal(get(p + 8, 4), FEATURES);
	assert_int_equal(sum(p + 12, 8), 0);
}

static void read_interrupt(struct found *f, const uint8_t *p)
{
	assert_int_equal(p[1], 0);
	assert_int_equal(get(p + 2, 2), 0);
	assert_int_equal(p[4], 0);		/* the ISA bus */
	assert_in_range(p[5], 0, 15);
	assert_int_equal(p[6], f->ioapic);
	assert_int_equal(f->pin[p[5]], -1);
	f->pin[p[5]] = p[7];
}

static void read_local(struct found *f, const uint8_t *p)
{
	int *kind = p[1] == 3 ? &f->extint : &f->nmi;

	assert_true(p[1] == 3 || p[1] == 1);
	assert_int_equal(get(p + 2, 4), 0);
	assert_int_equal(*kind, -1);
	*kind = p[6] << 8 | p[7];
}

static void read_entries(struct found *f, const uint8_t *p, const uint8_t *end)
{
	int last = 0;

	for (; p < end; p += *p ? 8 : 20) {
		f->entries++;
		assert_true(*p >= last);
		last = *p;
		switch (*p) {
		case 0:
			read_processor(f, p);
			break;
		case 1:
			assert_int_equal(p[1], 0);
			assert_memory_equal(p + 2, "ISA   ", 6);
			f->buses++;
			break;
		case 2:
			f->ioapic = p[1];
			assert_int_equal(p[2], 0x11);
			assert_int_equal(p[3], 1);
			assert_int_equal(get(p + 4, 4), 0xfec00000);
			f->ioapics++;
			break;
		case 3:
			read_interrupt(f, p);
			break;
		case 4:
			read_local(f, p);
			break;
		default:
			fail();
		}
	}
	assert_ptr_equal(p, end);
}

static void check(uint32_t cpus)
{
	const uint8_t *p = memory, *t;
	struct found f = { .extint = -1, .nmi = -1 };
	uint32_t length, i;

	memset(f.pin, 0xff, sizeof(f.pin));
	memset(memory, 0xaa, sizeof(memory));
	mptable_write(memory, AT, cpus, SIGNATURE, FEATURES);
	/* the floating pointer */
	assert_memory_equal(p, "_MP_", 4);
	assert_int_equal(p[8], 1);
	assert_int_equal(p[9], 4);
	assert_int_equal(sum(p, 16), 0);
	assert_int_equal(sum(p + 11, 5), 0);
	assert_in_range(get(p + 4, 4), AT + 16, AT + MPTABLE_SIZE(cpus));
	/* what it points to */
	t = memory + get(p + 4, 4) - AT;
	length = get(t + 4, 2);
	assert_ptr_equal(t + length, memory + MPTABLE_SIZE(cpus));
	assert_int_equal(memory[MPTABLE_SIZE(cpus)], 0xaa);
	assert_memory_equal(t, "PCMP", 4);
	assert_int_equal(t[6], 4);
	assert_int_equal(sum(t, length), 0);
	for (i = 8; i < 28; i++)
		assert_in_range(t[i], ' ', '~');
	assert_int_equal(get(t + 28, 4) | get(t + 32, 2), 0);
	assert_int_equal(get(t + 36, 4), 0xfee00000);
	assert_int_equal(get(t + 40, 4), 0);
	read_entries(&f, t + 44, t + length);
	assert_int_equal(f.entries, get(t + 34, 2));
	assert_int_equal(f.processors, cpus);
	assert_int_equal(f.boots, 1);
	assert_int_equal(f.buses, 1);
	assert_int_equal(f.ioapics, 1);
	assert_int_equal(f.ioapic, cpus);
	assert_int_equal(f.pin[0], 2);
	assert_int_equal(f.pin[2], -1);
	for (i = 1; i < 16; i++)
		if (i != 2)
			assert_int_equal(f.pin[i], i);
	assert_int_equal(f.extint, 0);
	assert_int_equal(f.nmi, 0xff01);
}

static void test_any_number(void **state)
{
	uint32_t cpus;

	(void)state;
	for (cpus = 1; cpus <= MPTABLE_CPUS; cpus++)
		check(cpus);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

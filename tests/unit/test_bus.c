// SPDX-License-Identifier: GPL-2.0-only
/* Ports and addresses: who answers, and that nobody else is asked. */
#include "devices.h"
#include "unit.h"

static struct bus bus;
static unsigned int reads, writes;
static uint64_t where;
static uint32_t what;
static void *whose;
static enum bus_result answer;

static enum bus_result read(void *opaque, uint64_t at, uint32_t *val)
{
	whose = opaque;
	where = at;
	*val = 0x1234;
	reads++;
	return answer;
}

static enum bus_result write(void *opaque, uint64_t at, uint32_t val)
{
	whose = opaque;
	where = at;
	what = val;
	writes++;
	return answer;
}

static int setup(void **state)
{
	(void)state;
	memset(&bus, 0, sizeof(bus));
	reads = writes = 0;
	answer = BUS_DONE;
	return 0;
}

#define REGION(first, count, sizes, opaque)				\
	&(struct bus_region){ first, count, sizes, read, write, opaque }

static void test_ports(void **state)
{
	int one, other;
	uint32_t port, val;
	unsigned int size;

	(void)state;
	assert_true(bus_add(&bus.ports, REGION(0x3f8, 8, 1, &one)));
	assert_true(bus_add(&bus.ports, REGION(0xffff, 1, 7, &other)));
	for (port = 0; port < 65536; port++) {
		bool is_one = port >= 0x3f8 && port < 0x400;

		for (size = 1; size <= 4; size *= 2) {
			bool there = is_one ? size == 1 : port == 0xffff;

			val = 77;
			reads = writes = 0;
			assert_int_equal(bus_read(&bus.ports, port, size, &val),
					 there ? BUS_DONE : BUS_NOBODY);
			assert_int_equal(bus_write(&bus.ports, port, size, port),
					 there ? BUS_DONE : BUS_NOBODY);
			assert_int_equal(reads, there);
			assert_int_equal(writes, there);
			assert_int_equal(val, there ? 0x1234 : 77);
			if (!there)
				continue;
			assert_int_equal(where, port);
			assert_int_equal(what, port);
			assert_ptr_equal(whose, is_one ? &one : &other);
		}
	}
}

static void test_memory(void **state)
{
	uint32_t val;

	(void)state;
	assert_true(bus_add(&bus.memory, REGION(0xfee00000, 4096, 4, NULL)));
	assert_true(bus_add(&bus.memory, REGION(5ull << 32, 16, 4, NULL)));
	assert_int_equal(bus_read(&bus.memory, 0xfee00030, 4, &val), BUS_DONE);
	assert_int_equal(where, 0xfee00030);
	assert_int_equal(bus_write(&bus.memory, (5ull << 32) + 15, 4, 9),
			 BUS_DONE);
	assert_int_equal(where, (5ull << 32) + 15);
	assert_int_equal(bus_read(&bus.memory, 0xfee00030, 2, &val),
			 BUS_NOBODY);
	assert_int_equal(bus_write(&bus.memory, 0xfee01000, 4, 9),
			 BUS_NOBODY);
	assert_int_equal(bus_read(&bus.memory, 0xfedfffff, 4, &val),
			 BUS_NOBODY);
	assert_int_equal(bus_write(&bus.memory, (5ull << 32) + 16, 4, 9),
			 BUS_NOBODY);
	assert_int_equal(reads, 1);
	assert_int_equal(writes, 1);
}

/* What the device says is what becomes of it. */
static void test_answers(void **state)
{
	uint32_t val;

	(void)state;
	assert_true(bus_add(&bus.ports, REGION(0x70, 2, 1, NULL)));
	answer = BUS_AGAIN;
	assert_int_equal(bus_write(&bus.ports, 0x71, 1, 0), BUS_AGAIN);
	answer = BUS_NOBODY;
	assert_int_equal(bus_read(&bus.ports, 0x71, 1, &val), BUS_NOBODY);
}

static void test_taken(void **state)
{
	uint32_t i, n;

	(void)state;
	assert_true(bus_add(&bus.ports, REGION(0x20, 2, 1, NULL)));
	assert_false(bus_add(&bus.ports, REGION(0x1f, 2, 1, NULL)));
	assert_false(bus_add(&bus.ports, REGION(0x21, 2, 1, NULL)));
	assert_true(bus_add(&bus.ports, REGION(0x22, 1, 1, NULL)));
	for (i = n = 0; i < 100; i++)
		n += bus_add(&bus.ports, REGION(0x100 + i, 1, 1, NULL));
	assert_int_equal(n, BUS_REGIONS - 2);
	assert_true(bus_add(&bus.memory, REGION(0x2000, 0x1000, 4, NULL)));
	assert_false(bus_add(&bus.memory, REGION(0x1000, 0x1001, 4, NULL)));
	assert_false(bus_add(&bus.memory, REGION(0x2fff, 1, 4, NULL)));
	for (i = n = 0; i < 100; i++)
		n += bus_add(&bus.memory, REGION(0x3000 + i, 1, 4, NULL));
	assert_int_equal(n, BUS_REGIONS - 1);
}

/* For another size somebody else may be there. */
static void test_sizes(void **state)
{
	int one, other;
	uint32_t val;

	(void)state;
	assert_true(bus_add(&bus.ports, REGION(0x500, 4, 4, &one)));
	assert_false(bus_add(&bus.ports, REGION(0x502, 4, 2 | 4, &other)));
	assert_true(bus_add(&bus.ports, REGION(0x502, 4, 1 | 2, &other)));
	assert_int_equal(bus_read(&bus.ports, 0x502, 4, &val), BUS_DONE);
	assert_ptr_equal(whose, &one);
	assert_int_equal(bus_write(&bus.ports, 0x502, 2, 0), BUS_DONE);
	assert_ptr_equal(whose, &other);
	assert_int_equal(bus_write(&bus.ports, 0x501, 2, 0), BUS_NOBODY);
	assert_int_equal(bus_write(&bus.ports, 0x504, 4, 0), BUS_NOBODY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup(name, setup)
		T(test_ports),
		T(test_memory),
		T(test_answers),
		T(test_taken),
		T(test_sizes),
	};

	return cmocka_run_group_tests_name("bus", tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-only
/* The machine's clock: the TSC's rate, and for what the PIT is programmed. */
#include <host.h>

#include "devices.h"
#include "metal.h"
#include "port.h"
#include "unit.h"

#define MS		1000000ull	/* at 1 GHz */
#define NEVER		UINT64_MAX

static unsigned int pit_modes, pit_bytes;	/* written */
static uint32_t pit_count;

void outb(uint16_t port, uint8_t val)
{
	if (port == PIT_MODE && val == 0x30) {
		pit_modes++;
		pit_bytes = pit_count = 0;
	}
	if (port == PIT_CH0)
		pit_count |= val << 8 * pit_bytes++;
}

/* For clock_init: channel 2 of the PIT, 10 ms at each look. */
uint8_t inb(uint16_t port)
{
	cpu.tsc += port == PIT_PORT61 ? 10 * MS : 0;
	return port == PIT_PORT61 ? 0x20 : 0;
}

static int setup(void **state)
{
	(void)state;
	clock_init();
	assert_in_range(host_tsc_hz, 999 * MS, 1001 * MS);
	host_irq_ack(IRQ_TIMER);
	pit_modes = 0;
	return 0;
}

static void programs(uint64_t at, uint64_t us)
{
	pit_modes = 0;
	host_timer(at);
	assert_int_equal(pit_modes, 1);
	assert_int_equal(pit_bytes, 2);
	assert_in_range(pit_count, us * PIT_HZ / 1000000,
			us * PIT_HZ / 1000000 + 2);
}

static void test_program(void **state)
{
	(void)state;
	host_timer(NEVER);			/* as it is */
	assert_int_equal(pit_modes, 0);
	programs(cpu.tsc + 2 * MS, 2000);
	programs(cpu.tsc + MS, 1000);
	programs(cpu.tsc + 53 * MS, 53000);	/* later, too */
	host_timer(cpu.tsc + 53 * MS);
	assert_int_equal(pit_modes, 1);		/* as it is */
	host_timer(NEVER);
	assert_int_equal(pit_modes, 2);
	assert_int_equal(pit_bytes, 0);		/* waits for a count */
	programs(cpu.tsc - MS, 0);		/* at once */
	assert_int_equal(pit_count, 1);
	pit_modes = 0;
	host_timer(cpu.tsc + 100000 * MS);
	assert_int_equal(pit_count, 0xffff);	/* as far as it goes */
}

static void test_before(void **state)
{
	(void)state;
	programs(cpu.tsc + MS, 1000);
	pit_modes = 0;
	host_timer_before(cpu.tsc + 2 * MS);
	assert_int_equal(pit_modes, 0);
	host_timer_before(cpu.tsc + MS / 2);
	assert_int_equal(pit_modes, 1);
	assert_in_range(pit_count, 596, 598);
	/* One that came is not sooner than any. */
	host_irq_ack(IRQ_TIMER);
	host_timer_before(cpu.tsc + 2 * MS);
	assert_int_equal(pit_modes, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_program, setup),
		cmocka_unit_test_setup(test_before, setup),
	};

	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}

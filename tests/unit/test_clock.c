// SPDX-License-Identifier: GPL-2.0-only
/*
 * The machine's clock: the TSC's rate, and for what the local APIC's timer is
 * programmed, of each kind: by the TSC; by a count, which is written to memory
 * (xAPIC) or an MSR (x2APIC).
 */
#include <sys/mman.h>

#include <host.h>

#include "devices.h"
#include "metal.h"
#include "port.h"
#include "unit.h"

#define MS		1000000ull	/* at 1 GHz */
#define NEVER		UINT64_MAX
#define TIMER_START	0x380
#define TIMER_COUNT	0x390
#define MSR_X2APIC(reg)	(0x800 + (reg) / 16)
#define MSR_DEADLINE	0x6e0
#define BUS_CYCLES	10		/* of the TSC, in one of the timer's */

static unsigned int written;
static uint64_t last;
static bool by_msr;

/* For clock_init: channel 2 of the PIT, 10 ms at each look. */
uint8_t inb(uint16_t port)
{
	cpu.tsc += port == PIT_PORT61 ? 10 * MS : 0;
	return port == PIT_PORT61 ? 0x20 : 0;
}

void outb(uint16_t port, uint8_t val)
{
	(void)port, (void)val;
}

static int acked;
void virtio_ack(int irq)
{
	acked = irq;
}

static volatile uint32_t *reg(uint32_t at)
{
	return host_va(LAPIC + at);
}

/* Of the timer, by 16. */
static uint32_t counted(void)
{
	return UINT32_MAX - cpu.tsc / BUS_CYCLES / 16;
}

uint64_t rdmsr(uint32_t msr)
{
	assert_true(by_msr || msr == 0x1b);
	return msr == MSR_X2APIC(TIMER_COUNT) ? counted() : 0;
}

void wrmsr(uint32_t msr, uint64_t v)
{
	if (msr != MSR_DEADLINE && msr != MSR_X2APIC(TIMER_START))
		return;
	assert_true(by_msr);
	written++;
	last = v;
}

static void start(uint32_t features)
{
	by_msr = features;
	cpu.tsc = 0;
	*reg(TIMER_COUNT) = counted();
	lapic_init(features);
	clock_init();
	assert_in_range(host_tsc_hz, 999 * MS, 1001 * MS);
	*reg(TIMER_COUNT) = counted();
	lapic_measured();
}

static int xapic(void **state)
{
	(void)state;
	start(0);
	return 0;
}

static int x2apic(void **state)
{
	(void)state;
	start(CPUID1_X2APIC);
	return 0;
}

static int deadline(void **state)
{
	(void)state;
	start(CPUID1_X2APIC | CPUID1_DEADLINE);
	return 0;
}

/* What was written since the last look; NEVER: nothing. */
static uint64_t program(void)
{
	const uint64_t nothing = 0xaaaaaaaa;
	uint64_t found = written ? last : NEVER;

	if (!by_msr && *reg(TIMER_START) != nothing)
		found = *reg(TIMER_START);
	*reg(TIMER_START) = nothing;
	written = 0;
	return found;
}

static void programs(uint64_t at, uint64_t us)
{
	const uint64_t count = us * 1000 / BUS_CYCLES / 16;

	program();
	host_timer(at);
	assert_in_range(program(), count, count + 2);
}

static void test_count(void **state)
{
	(void)state;
	program();
	host_timer(NEVER);			/* as it is */
	assert_int_equal(program(), NEVER);
	programs(cpu.tsc + 2 * MS, 2000);
	programs(cpu.tsc + MS, 1000);
	programs(cpu.tsc + 53 * MS, 53000);	/* later, too */
	host_timer(cpu.tsc + 53 * MS);
	assert_int_equal(program(), NEVER);	/* as it is */
	host_timer(NEVER);
	assert_int_equal(program(), 0);		/* stopped */
	host_timer(cpu.tsc - MS);		/* at once */
	assert_int_equal(program(), 1);
	programs(cpu.tsc + 100000 * MS, 1000000);	/* as far as it goes */
}

static void test_deadline(void **state)
{
	(void)state;
	program();
	host_timer(NEVER);
	assert_int_equal(program(), NEVER);
	host_timer(cpu.tsc + 100000 * MS);
	assert_int_equal(program() | 1, (cpu.tsc + 100000 * MS) | 1);
	host_timer(NEVER);
	assert_int_equal(program(), 0);		/* stopped */
	host_timer(0);
	assert_int_equal(program(), 1);		/* at once */
}

static void test_before(void **state)
{
	(void)state;
	programs(cpu.tsc + MS, 1000);
	host_timer_before(cpu.tsc + 2 * MS);
	assert_int_equal(program(), NEVER);
	host_timer_before(cpu.tsc + MS / 2);
	assert_in_range(program(), 500000 / BUS_CYCLES / 16,
			500000 / BUS_CYCLES / 16 + 2);
	/* One that came is not sooner than any. */
	host_irq_ack(IRQ_TIMER);
	host_timer_before(cpu.tsc + 2 * MS);
	assert_int_not_equal(program(), NEVER);
	/* The others are disks' and networks'. */
	assert_int_equal(acked, 0);
	host_irq_ack(11);
	assert_int_equal(acked, 11);
}

/* Each has a timer of its own. */
static void test_processors(void **state)
{
	(void)state;
	programs(cpu.tsc + MS, 1000);
	machine_processor = 1;
	lapic_start();
	program();
	host_timer_before(cpu.tsc + 2 * MS);
	assert_int_not_equal(program(), NEVER);
	machine_processor = 0;
	host_timer_before(cpu.tsc + 2 * MS);
	assert_int_equal(program(), NEVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_count, xapic),
		cmocka_unit_test_setup(test_count, x2apic),
		cmocka_unit_test_setup(test_deadline, deadline),
		cmocka_unit_test_setup(test_before, xapic),
		cmocka_unit_test_setup(test_processors, xapic),
	};

	machine_memory = mmap(NULL, DIRECT_SIZE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (machine_memory == MAP_FAILED)
		return 1;
	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}

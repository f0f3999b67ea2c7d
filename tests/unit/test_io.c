// SPDX-License-Identifier: GPL-2.0-only
/* A guest's devices where a PC has them, and the console. */
#include "unit.h"
#include "core.h"
#include "machine.h"

#define IER		(COM1 + 1)
#define LCR		(COM1 + 3)
#define MCR		(COM1 + 4)
#define LSR		(COM1 + 5)
#define LSR_DATA	0x01u
#define DLAB		0x80
#define LOOP		0x10

static struct guest guest[2];
static struct guest *const g = &guest[0];
static struct vcpu *const v = &guest[0].vcpu[0];
static struct regs regs;
static unsigned int unknown;		/* accesses to nobody */

/* ---- tests -------------------------------------------------------------- */

static int setup(void **state)
{
	uint32_t i;

	(void)state;
	memset(guest, 0, sizeof(guest));
	for (i = 0; i < 2; i++) {
		struct vcpu *own = &guest[i].vcpu[0];

		guest[i].vcpus = 1;
		guest[i].shares = GUEST_SHARES;
		guest[i].pin = UINT32_MAX;
		own->g = &guest[i];
		own->sibling = own;
		own->bus = &guest[i].bus;
		own->apic = &guest[i].apic[0];
		own->pic = &guest[i].pic;
	}
	host_cpus = 1;
	current = v;
	unknown = 0;
	v->regs = &regs;
	machine_timer = UINT64_MAX;
	guest[1].console = 2;
	g->mm.gmem.bytes = 64 << 20;
	io_init(&guest[0]);
	io_init(&guest[1]);
	machine_busy = false;
	machine_sent = machine_typed = 0;
	return 0;
}

static uint32_t io_in(struct vcpu *at, uint16_t port, unsigned int size)
{
	uint32_t val = UINT32_MAX;

	unknown += bus_read(&at->bus->ports, port, size, &val) == BUS_NOBODY;
	return val;
}

static bool io_out(struct vcpu *at, uint16_t port, unsigned int size,
		   uint32_t val)
{
	enum bus_result res = bus_write(&at->bus->ports, port, size, val);

	unknown += res == BUS_NOBODY;
	return res != BUS_AGAIN;
}

static void out(uint16_t port, uint8_t val)
{
	assert_true(io_out(v, port, 1, val));
}

static void test_places(void **state)
{
	(void)state;
	out(0x21, 0x5a);
	assert_int_equal(io_in(v, 0x21, 1), 0x5a);
	out(0xa1, 0xa5);
	assert_int_equal(io_in(v, 0xa1, 1), 0xa5);
	out(0x4d0, 0x20);
	assert_int_equal(io_in(v, 0x4d0, 1), 0x20);
	out(0x43, 0x34);
	out(0x40, 0x10);
	out(0x40, 0x10);
	assert_true(machine_timer < UINT64_MAX);
	out(0x61, 3);
	assert_int_equal(io_in(v, 0x61, 1) & 3, 3);
	out(0x70, 0x15);
	assert_int_equal(io_in(v, 0x71, 1), 0x80);	/* 640 KB */
	out(0x3ff, 0x77);
	assert_int_equal(io_in(v, 0x3ff, 1), 0x77);
	assert_int_equal(unknown, 0);
}

static void test_nobody(void **state)
{
	static const struct { uint16_t port; uint8_t size; } access[] = {
		{ 0x22, 1 }, { 0x20, 2 }, { 0x3f8, 2 }, { 0x40, 4 },
		{ 0xcf8, 4 }, { 0xcfc, 4 }, { 0x64, 1 }, { 0xffff, 1 },
	};
	uint32_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(access); i++) {
		assert_int_equal(io_in(v, access[i].port, access[i].size),
				 UINT32_MAX);
		assert_true(io_out(v, access[i].port, access[i].size, 0));
		assert_int_equal(unknown, 2 * (i + 1));
	}
	assert_int_equal(machine_sent, 0);
}

/* Does this write end the guest? */
static bool resets(uint16_t port, unsigned int size, uint32_t val)
{
	regs.stop = STOP_NOT;
	v->end = END_PANIC;
	assert_true(io_out(v, port, size, val));
	return regs.stop == STOP_ENDED && v->end == END_ORDERLY;
}

static void test_reset(void **state)
{
	(void)state;
	assert_true(resets(0x64, 1, 0xfe));
	assert_true(resets(0x64, 2, 0x12fe));
	assert_false(resets(0x64, 1, 0xff));
	assert_true(resets(0x92, 1, 3));
	assert_false(resets(0x92, 1, 2));
	assert_true(resets(0xcf9, 1, 6));
	assert_false(resets(0xcf9, 1, 2));
	assert_int_equal(unknown, 3);
}

/* The port is not ready: everything stays as it was; then the byte comes,
 * once. */
static void test_busy_console(void **state)
{
	static struct guest before;

	(void)state;
	out(COM1 + 1, 2);		/* transmitter interrupt */
	out(MCR, 8);
	io_in(v, COM1 + 2, 1);		/* seen */
	machine_busy = true;
	before = *g;
	assert_false(io_out(v, COM1, 1, 'x'));
	assert_false(io_out(v, COM1, 1, 'x'));
	assert_memory_equal(&before, g, sizeof(before));
	assert_int_equal(machine_sent, 0);
	/* Only what would send waits. */
	out(LCR, DLAB);
	out(COM1, 1);
	out(LCR, 3);
	out(MCR, LOOP);
	out(COM1, 'l');
	assert_int_equal(io_in(v, COM1, 1), 'l');
	out(MCR, 8);
	out(COM1 + 7, 9);
	assert_false(io_out(v, COM1, 1, 'x'));
	assert_int_equal(machine_sent, 0);
	/* The other's console is another one. */
	assert_true(io_out(&guest[1].vcpu[0], COM1, 1, 'o'));
	assert_int_equal(machine_sent, 1);
	machine_busy = false;
	out(COM1, 'x');
	assert_int_equal(machine_sent, 2);
	assert_int_equal(machine_byte, 'x');
}

static bool typed_is_told(const struct guest *to)
{
	return to->pic.chip[0].lines >> 4 & 1;
}

/* What was typed comes to the first guest with the serial port. */
static void test_typed(void **state)
{
	uint32_t i;

	(void)state;
	assert_true(machine_listened);
	for (i = 0; i < 2; i++) {
		assert_true(io_out(guest[i].vcpu, IER, 1, 1));
		assert_true(io_out(guest[i].vcpu, MCR, 1, 8));
	}
	io_console_interrupt();
	assert_false(typed_is_told(&guest[0]) || typed_is_told(&guest[1]));
	machine_typed = 2;
	io_console_interrupt();
	assert_true(typed_is_told(&guest[0]));
	assert_false(typed_is_told(&guest[1]));
	assert_false(io_in(&guest[1].vcpu[0], LSR, 1) & LSR_DATA);
	assert_true(io_in(v, LSR, 1) & LSR_DATA);
	assert_int_equal(io_in(v, COM1, 1), 'b');
	assert_int_equal(io_in(v, COM1, 1), 'a');
	assert_int_equal(machine_typed, 0);
	assert_false(typed_is_told(g));
	/* When that has ended nobody gets it, nor hears of it. */
	io_end(&guest[1]);
	assert_true(machine_listened);
	io_end(g);
	assert_false(machine_listened);
	machine_typed = 1;
	io_console_interrupt();
	assert_false(typed_is_told(&guest[0]) || typed_is_told(&guest[1]));
}

/* It runs on another processor than the one to which the interrupt comes. */
static void test_typed_elsewhere(void **state)
{
	static const uint8_t master[] = { 0x20, 4, 1, 0xef };
	static struct stub_shared shared;
	uint32_t i;

	(void)state;
	out(PIC_MASTER_CMD, 0x11);
	for (i = 0; i < ARRAY_SIZE(master); i++)
		out(PIC_MASTER_DATA, master[i]);
	out(IER, 1);
	out(MCR, 8);
	current = &guest[1].vcpu[0];
	v->sh = &shared;
	v->loaded = true;
	v->home = 1;
	host_cpus = 2;
	machine_kicks = 0;
	io_console_interrupt();
	assert_int_equal(machine_kicks, 0);
	machine_typed = 1;
	io_console_interrupt();
	assert_true(event_pending(v));
	assert_int_equal(machine_kicks, 1 << 1);
}

static void test_apic(void **state)
{
	uint32_t val;

	(void)state;
	assert_int_equal(bus_write(&g->bus.memory, APIC_BASE + APIC_TPR, 4, 0x30),
			 BUS_DONE);
	assert_int_equal(apic_read(&g->apic[0], APIC_TPR, 0), 0x30);
	assert_int_equal(bus_read(&g->bus.memory, APIC_BASE + APIC_TPR, 4, &val),
			 BUS_DONE);
	assert_int_equal(val, 0x30);
	assert_int_equal(bus_read(&g->bus.memory, APIC_BASE + 4096, 4, &val),
			 BUS_NOBODY);
	/* an interrupt to oneself by one's ID; INIT is for others */
	ipi_apic_write(v, APIC_TPR, 0);
	ipi_apic_write(v, APIC_ICR, 0x41);
	ipi_apic_write(v, APIC_ICR, 0xc500);
	assert_int_equal(apic_ack(&g->apic[0]), 0x41);
	ipi_apic_write(v, APIC_EOI, 0);
	ipi_apic_write(v, APIC_ICR_HIGH, 1 << 24);
	ipi_apic_write(v, APIC_ICR, 0x41);
	assert_false(apic_pending(&g->apic[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup(name, setup)
		T(test_places),
		T(test_nobody),
		T(test_reset),
		T(test_busy_console),
		T(test_typed),
		T(test_typed_elsewhere),
		T(test_apic),
	};

	return cmocka_run_group_tests_name("io", tests, NULL, NULL);
}

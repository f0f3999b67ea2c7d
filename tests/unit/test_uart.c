// SPDX-License-Identifier: GPL-2.0-only
/* The serial port: hypervisor-stub/devices/uart.c against the 16550 data sheet. */
#include "unit.h"
#include "devices.h"

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR };

static uint8_t sent[64];
static unsigned int sent_count;

static void tx(void *opaque, uint8_t byte)
{
	assert_ptr_equal(opaque, sent);
	sent[sent_count++ % sizeof(sent)] = byte;
}

static struct uart fresh(void)
{
	struct uart u;

	sent_count = 0;
	uart_init(&u, tx, sent);
	return u;
}

/* FIFO on, interrupt let out, these sources enabled. */
static struct uart running(uint8_t ier)
{
	struct uart u = fresh();

	uart_out(&u, IIR, 0x01);
	uart_out(&u, MCR, 0x0b);
	uart_out(&u, IER, ier);
	return u;
}

static void test_reset(void **state)
{
	struct uart u = fresh();

	(void)state;
	assert_int_equal(uart_in(&u, IER), 0);
	assert_int_equal(uart_in(&u, IIR), 0x01);
	assert_int_equal(uart_in(&u, LCR), 0);
	assert_int_equal(uart_in(&u, MCR), 0);
	assert_int_equal(uart_in(&u, LSR), 0x60);
	assert_int_equal(uart_in(&u, MSR), 0xb0);
	assert_int_equal(uart_in(&u, DATA), 0);
	assert_int_equal(uart_in(&u, 8), 0xff);
	assert_false(uart_irq(&u));
}

/* What Linux 8250 autoconfig does, and what makes it say "16550A". */
static void test_linux_autoconfig(void **state)
{
	struct uart u = fresh();

	(void)state;
	uart_out(&u, IER, 0);
	assert_int_equal(uart_in(&u, IER), 0);
	uart_out(&u, IER, 0xff);
	assert_int_equal(uart_in(&u, IER), 0x0f);
	uart_out(&u, IER, 0);
	uart_out(&u, MCR, 0x1a);
	assert_int_equal(uart_in(&u, MSR) & 0xf0, 0x90);
	uart_out(&u, MCR, 0xe0);
	assert_int_equal(uart_in(&u, MCR), 0);
	uart_out(&u, LCR, 0xbf);
	uart_out(&u, IIR, 0);
	uart_out(&u, LCR, 0);
	uart_out(&u, IIR, 0x01);
	assert_int_equal(uart_in(&u, IIR) >> 6, 3);
	/* No enhanced register, no 64-byte FIFO. */
	uart_out(&u, LCR, 0x80);
	assert_int_equal(uart_in(&u, IIR), 0xc1);
	uart_out(&u, IIR, 0x21);
	assert_int_equal(uart_in(&u, IIR) >> 5, 6);
	uart_out(&u, LCR, 0);
	uart_out(&u, SCR, 0x5a);
	assert_int_equal(uart_in(&u, SCR), 0x5a);
	uart_out(&u, MCR, 0x08);
	/* The THRE test of startup: raised each time it is enabled. */
	uart_out(&u, IER, 0x02);
	assert_true(uart_irq(&u));
	assert_int_equal(uart_in(&u, IIR) & 15, 0x02);
	assert_false(uart_irq(&u));
	uart_out(&u, IER, 0);
	uart_out(&u, IER, 0x02);
	assert_int_equal(uart_in(&u, IIR) & 15, 0x02);
	uart_out(&u, IER, 0x02);	/* enabled already: not again */
	assert_int_equal(uart_in(&u, IIR) & 15, 0x01);
}

static void test_divisor(void **state)
{
	struct uart u = fresh();

	(void)state;
	uart_out(&u, LCR, 0x83);
	assert_int_equal(uart_in(&u, DATA), 12);
	uart_out(&u, DATA, 0x34);
	uart_out(&u, IER, 0x12);
	assert_int_equal(uart_in(&u, DATA), 0x34);
	assert_int_equal(uart_in(&u, IER), 0x12);
	uart_out(&u, DATA, 0x35);
	assert_int_equal(uart_in(&u, IER), 0x12);
	uart_out(&u, DATA, 0xff);
	uart_out(&u, IER, 0xff);
	uart_out(&u, DATA, 0x00);
	assert_int_equal(uart_in(&u, DATA), 0x00);
	assert_int_equal(uart_in(&u, IER), 0xff);
	uart_out(&u, DATA, 0xff);
	uart_out(&u, IER, 0x00);
	assert_int_equal(uart_in(&u, DATA), 0xff);
	assert_int_equal(uart_in(&u, LCR), 0x83);
	uart_out(&u, LCR, 0x03);
	assert_int_equal(uart_in(&u, IER), 0);
	assert_int_equal(sent_count, 0);
}

static void test_transmit(void **state)
{
	struct uart u = running(0x02);

	(void)state;
	assert_int_equal(uart_in(&u, IIR), 0xc2);
	assert_false(uart_irq(&u));
	uart_out(&u, DATA, 'x');
	assert_int_equal(sent_count, 1);
	assert_int_equal(sent[0], 'x');
	assert_int_equal(uart_in(&u, LSR), 0x60);
	assert_true(uart_irq(&u));	/* empty again */
	uart_out(&u, IER, 0);
	assert_false(uart_irq(&u));
	uart_out(&u, IER, 0x02);
	uart_in(&u, IIR);
	uart_out(&u, IIR, 0x05);	/* clearing the FIFO empties it */
	assert_true(uart_irq(&u));
}

static void test_receive_fifo(void **state)
{
	struct uart u = running(0x01);
	int i, round;

	(void)state;
	for (round = 0; round < 3; round++) {
		for (i = 0; i < 16; i++) {
			assert_true(uart_can_receive(&u));
			uart_receive(&u, 0x40 + i);
		}
		assert_false(uart_can_receive(&u));
		uart_receive(&u, 0xee);
		assert_int_equal(uart_in(&u, LSR), 0x63);
		assert_int_equal(uart_in(&u, LSR), 0x61);
		for (i = 0; i < 16; i++) {
			assert_true(uart_irq(&u));
			assert_int_equal(uart_in(&u, DATA), 0x40 + i);
		}
		assert_false(uart_irq(&u));
		assert_int_equal(uart_in(&u, DATA), 0);
		uart_receive(&u, 1);	/* so that the ring turns */
		uart_in(&u, DATA);
	}
}

static void test_receive_one(void **state)
{
	struct uart u = running(0x01);

	(void)state;
	uart_receive(&u, 1);
	uart_out(&u, IIR, 0);		/* switching off drops the content */
	assert_int_equal(uart_in(&u, LSR), 0x60);
	uart_receive(&u, 2);
	assert_false(uart_can_receive(&u));
	assert_int_equal(uart_in(&u, IIR), 0x04);
	uart_receive(&u, 3);
	assert_int_equal(uart_in(&u, LSR), 0x63);
	assert_int_equal(uart_in(&u, DATA), 3);
	assert_true(uart_can_receive(&u));
	uart_receive(&u, 4);
	uart_out(&u, IIR, 0x02);
	assert_int_equal(uart_in(&u, LSR), 0x60);
}

static void test_trigger(void **state)
{
	static const uint8_t level[4] = { 1, 4, 8, 14 };
	int t, i;

	(void)state;
	for (t = 0; t < 4; t++) {
		struct uart u = running(0x01);

		uart_out(&u, IIR, 0x01 | t << 6);
		for (i = 1; i <= 16; i++) {
			uart_receive(&u, i);
			assert_int_equal(uart_in(&u, IIR),
					 i >= level[t] ? 0xc4 : 0xcc);
		}
	}
}

static void test_priorities(void **state)
{
	struct uart u = running(0x0f);
	int i;

	(void)state;
	uart_in(&u, IIR);
	uart_in(&u, MSR);
	assert_int_equal(uart_in(&u, IIR), 0xc1);
	uart_out(&u, MCR, 0x10);	/* every line changes */
	uart_out(&u, MCR, 0x0b);
	assert_int_equal(uart_in(&u, IIR), 0xc0);
	uart_out(&u, DATA, 1);
	for (i = 0; i < 17; i++)
		uart_receive(&u, i);
	assert_int_equal(uart_in(&u, IIR), 0xc6);
	assert_int_equal(uart_in(&u, LSR), 0x63);
	assert_int_equal(uart_in(&u, IIR), 0xc4);
	for (i = 0; i < 16; i++)
		uart_in(&u, DATA);
	assert_int_equal(uart_in(&u, IIR), 0xc2);
	assert_int_equal(uart_in(&u, IIR), 0xc0);
	assert_true(uart_irq(&u));
	assert_int_equal(uart_in(&u, MSR), 0xbb);
	assert_int_equal(uart_in(&u, IIR), 0xc1);
	assert_false(uart_irq(&u));
}

static void test_only_enabled_sources(void **state)
{
	struct uart u = running(0);
	int i;

	(void)state;
	uart_out(&u, MCR, 0x10);
	uart_out(&u, MCR, 0x08);
	uart_out(&u, DATA, 1);
	for (i = 0; i < 17; i++)
		uart_receive(&u, i);
	assert_int_equal(uart_in(&u, IIR), 0xc1);
	uart_out(&u, IER, 0x04);
	assert_int_equal(uart_in(&u, IIR), 0xc6);
	uart_out(&u, IER, 0x01);
	assert_int_equal(uart_in(&u, IIR), 0xc4);
	uart_out(&u, IER, 0x02);
	assert_int_equal(uart_in(&u, IIR), 0xc2);
	uart_out(&u, IER, 0x08);
	assert_int_equal(uart_in(&u, IIR), 0xc0);
	/* Enabling errors, data or modem lines alone does not raise THRE. */
	uart_out(&u, IER, 0x0d);
	for (i = 0; i < 16; i++)
		uart_in(&u, DATA);
	uart_in(&u, LSR);
	uart_in(&u, MSR);
	assert_int_equal(uart_in(&u, IIR), 0xc1);
}

static void test_fifo_control(void **state)
{
	struct uart u = running(0x01);

	(void)state;
	uart_receive(&u, 1);
	uart_out(&u, IIR, 0x41);	/* keeps the content */
	assert_int_equal(uart_in(&u, IIR), 0xcc);
	uart_out(&u, IIR, 0x45);	/* clears the transmitter alone */
	assert_int_equal(uart_in(&u, DATA), 1);
	uart_out(&u, IER, 0x02);
	uart_in(&u, IIR);
	uart_out(&u, IIR, 0x43);	/* clears the receiver alone */
	assert_int_equal(uart_in(&u, IIR), 0xc1);
	uart_out(&u, IER, 0x01);
	uart_out(&u, IIR, 0xc0);	/* off: the trigger is 1 again */
	uart_receive(&u, 1);
	assert_int_equal(uart_in(&u, IIR), 0x04);
	uart_out(&u, IIR, 0x01);
	uart_receive(&u, 1);
	assert_int_equal(uart_in(&u, IIR), 0xc4);
}

/* Each register by itself: a write changes no other. */
static void test_registers_are_separate(void **state)
{
	static const uint8_t vals[] = { 0x00, 0x0f, 0x05, 0x0a };
	unsigned int reg, other, v;

	(void)state;
	for (reg = 1; reg < 8; reg++) {
		for (v = 0; v < sizeof(vals); v++) {
			struct uart u = fresh();

			uart_out(&u, IER, 0x03);
			uart_out(&u, LCR, 0x1b);
			uart_out(&u, MCR, 0x09);
			uart_out(&u, SCR, 0x77);
			uart_out(&u, reg, vals[v]);
			for (other = 1; other < 8; other++) {
				static const uint8_t was[8] = {
					[IER] = 0x03, [LCR] = 0x1b,
					[MCR] = 0x09, [SCR] = 0x77
				};

				if (was[other])
					assert_int_equal(uart_in(&u, other),
						other == reg ? vals[v] :
						was[other]);
			}
		}
	}
}

static void test_loopback(void **state)
{
	struct uart u = running(0x01);

	(void)state;
	uart_out(&u, MCR, 0x1f);
	assert_int_equal(uart_in(&u, MSR) & 0xf0, 0xf0);
	uart_out(&u, MCR, 0x11);
	assert_int_equal(uart_in(&u, MSR), 0x20 | 0x0d);
	uart_out(&u, MCR, 0x14);
	assert_int_equal(uart_in(&u, MSR), 0x40 | 0x02);
	assert_int_equal(uart_in(&u, MSR), 0x40);
	uart_out(&u, DATA, 0x77);
	assert_int_equal(sent_count, 0);
	assert_false(uart_can_receive(&u));
	uart_receive(&u, 0x88);
	assert_int_equal(uart_in(&u, IIR), 0xc4);
	assert_int_equal(uart_in(&u, DATA), 0x77);
	assert_int_equal(uart_in(&u, LSR), 0x60);
	/* The interrupt stays inside: in loopback, and without OUT2. */
	uart_out(&u, MCR, 0x18);
	uart_out(&u, DATA, 0x77);
	assert_false(uart_irq(&u));
	uart_out(&u, MCR, 0x03);
	assert_false(uart_irq(&u));
	uart_out(&u, MCR, 0x08);
	assert_true(uart_irq(&u));
}

static void test_hostile(void **state)
{
	struct uart u = fresh();
	uint64_t seed = 4;
	int i;

	(void)state;
	for (i = 0; i < 500000; i++) {
		uint64_t r = unit_random(&seed);
		bool room = uart_can_receive(&u);

		switch (r & 3) {
		case 0:
			uart_out(&u, (r >> 8) & 15, r >> 16);
			break;
		case 1:
			uart_in(&u, (r >> 8) & 15);
			break;
		case 2:
			uart_receive(&u, r >> 16);
			if (room)
				assert_false(u.line_errors & 2 &&
					     u.rx_count == 0);
			break;
		case 3:
			/* The line is up exactly when IIR has a cause. */
			if (u.mcr & 0x08 && !(u.mcr & 0x10)) {
				bool irq = uart_irq(&u);

				assert_int_equal(!(uart_in(&u, IIR) & 1), irq);
			} else {
				assert_false(uart_irq(&u));
			}
			break;
		}
		assert_true(u.rx_count <= 16 && u.rx_head < 16);
	}
}

/* When the peer may send: what a driver drops while it starts was not sent. */
static void test_peer_waits_for_the_driver(void **state)
{
	struct uart u = fresh();

	(void)state;
	assert_true(uart_looks(&u, LSR));	/* a polling one */
	assert_false(uart_looks(&u, SCR));
	uart_out(&u, MCR, 0x01);		/* DTR alone: not yet */
	assert_false(uart_looks(&u, LSR));
	assert_false(uart_looks(&u, DATA));
	uart_out(&u, MCR, 0x03);
	assert_true(uart_looks(&u, LSR));
	uart_out(&u, MCR, 0x09);
	assert_false(uart_waits(&u));
	uart_out(&u, IER, 0x01);
	assert_true(uart_waits(&u));
	assert_true(uart_looks(&u, IIR));
	assert_true(uart_looks(&u, DATA));
	uart_out(&u, LCR, 0x83);		/* that is the divisor then */
	assert_false(uart_looks(&u, DATA));
	uart_out(&u, MCR, 0x01);		/* the interrupt is cut off */
	assert_false(uart_waits(&u));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_linux_autoconfig),
		cmocka_unit_test(test_divisor),
		cmocka_unit_test(test_transmit),
		cmocka_unit_test(test_receive_fifo),
		cmocka_unit_test(test_receive_one),
		cmocka_unit_test(test_trigger),
		cmocka_unit_test(test_priorities),
		cmocka_unit_test(test_only_enabled_sources),
		cmocka_unit_test(test_fifo_control),
		cmocka_unit_test(test_registers_are_separate),
		cmocka_unit_test(test_loopback),
		cmocka_unit_test(test_peer_waits_for_the_driver),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests_name("uart", tests, NULL, NULL);
}

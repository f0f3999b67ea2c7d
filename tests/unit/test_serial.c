// SPDX-License-Identifier: GPL-2.0-only
/* The machine's serial port: one with a FIFO, one that is stuck, and none. */
#include <host.h>

#include "devices.h"
#include "metal.h"
#include "port.h"
#include "unit.h"

static bool present, stuck;
static uint8_t ier, line[32], sent[32];
static unsigned int line_count, line_at, sent_count, looks;
static uint16_t last_port;

static bool loop;

void outb(uint16_t port, uint8_t val)
{
	last_port = port;
	switch (port) {
	case COM1:
		if (sent_count < sizeof(sent))
			sent[sent_count++] = val;
		break;
	case COM1 + 1:
		ier = val;
		break;
	case COM1 + 2:			/* the FIFO drops what there was */
		line_at = line_count;
		break;
	case COM1 + 4:
		loop = val & 0x10;
		break;
	}
}

uint8_t inb(uint16_t port)
{
	if (!present)
		return 0xff;
	switch (port) {
	case COM1:
		return line_at < line_count ? line[line_at++] : 0;
	case COM1 + 1:
		return ier;
	case COM1 + 5:
		looks++;
		return (stuck ? 0 : 0x20) | (line_at < line_count);
	}
	return 0;
}

static void start(bool there, const char *typed)
{
	present = there;
	stuck = false;
	line_at = sent_count = looks = 0;
	line_count = strlen(typed);
	memcpy(line, typed, line_count);
	serial_init();
	while (host_console_has_data())
		assert_int_equal(host_console_get(), (uint8_t)*typed++);
	assert_int_equal(*typed, 0);
	sent_count = 0;
}

/* What was typed before us comes first, in order. */
static void test_input(void **state)
{
	(void)state;
	start(true, "abc");
	assert_false(loop);
	assert_int_equal(ier, 0);
	host_console_listen(true);
	assert_int_equal(ier, 1);
	line_count = line_at = 0;
	line[line_count++] = 'd';
	assert_true(host_console_has_data());
	assert_int_equal(host_console_get(), 'd');
	assert_false(host_console_has_data());
}

static void test_output(void **state)
{
	(void)state;
	start(true, "");
	assert_true(host_console_ready(0));
	host_console_put(0, 'x');
	assert_int_equal(sent_count, 1);
	assert_int_equal(sent[0], 'x');
	stuck = true;
	assert_false(host_console_ready(0));
	assert_true(host_console_ready(1));
	host_console_put(8, 'y');
	assert_int_equal(sent_count, 1);
	assert_int_equal(last_port, 0xe8);
}

/* Our own words wait once, then for nobody until somebody takes one. */
static void test_stuck(void **state)
{
	(void)state;
	start(true, "");
	stuck = true;
	looks = 0;
	serial_log('a');
	assert_in_range(looks, 1000, 1000000);
	looks = 0;
	serial_log('b');
	assert_int_equal(looks, 1);
	assert_int_equal(sent_count, 0);
	stuck = false;
	serial_log('c');
	assert_int_equal(sent_count, 1);
	stuck = true;
	looks = 0;
	serial_log('d');
	assert_in_range(looks, 1000, 1000000);
}

static void test_none(void **state)
{
	(void)state;
	start(false, "");
	assert_true(host_console_ready(0));
	host_console_put(0, 'x');
	serial_log('y');
	assert_false(host_console_has_data());
	assert_int_equal(sent_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_input),
		cmocka_unit_test(test_output),
		cmocka_unit_test(test_stuck),
		cmocka_unit_test(test_none),
	};

	return cmocka_run_group_tests_name("serial", tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls from outside the machine, by what comes on its channel: whole or in pieces,
 * with each mistake in a header that there can be; what is answered, and that the
 * memory of each call is back.
 */
#include <stdlib.h>

#include "control.h"
#include "images.h"
#include "machine.h"
#include "processor.h"

#define CHANNEL		1u
#define NONE		0x7fffffff

static struct machine_channel *const channel = &machine_channel[CHANNEL];
static uint8_t sent[3 * 4096 + sizeof(struct control_call)];
static uint64_t left;

void processor_runs(struct regs *r)
{
	(void)r;
	fail();
}

void machine_waits(void)
{
	fail();
}

void machine_ended(enum end end)
{
	(void)end;
	abort();
}

static int setup(void **state)
{
	images_setup(state);
	guest_rom(&config[0].rom);
	memset(channel, 0, sizeof(*channel));
	images_guest(0);
	sched_guests_changed();
	assert_true(control_init(CHANNEL));
	left = host_pages_left();
	return 0;
}

/* So many bytes of what is sent come. */
static void comes(uint32_t from, uint32_t bytes)
{
	channel->comes = sent + from;
	channel->left = bytes;
	control_interrupt();
	assert_int_equal(channel->left, 0);
}

static uint32_t sends(struct control_call c)
{
	memcpy(sent, &c, sizeof(c));
	return sizeof(c) + c.given;
}

/* The result; and how many bytes are behind it. NONE: there is no answer. */
static int32_t answer(uint64_t *bytes)
{
	struct control_answer a;

	if (!channel->went)
		return NONE;
	assert_true(channel->went >= sizeof(a));
	memcpy(&a, channel->goes, sizeof(a));
	assert_int_equal(channel->went, sizeof(a) + a.bytes);
	*bytes = a.bytes;
	channel->went = 0;
	assert_int_equal(host_pages_left(), left);
	return a.result;
}

#define CALL(nr, a0, bytes, ...)	((struct control_call){	\
	.number = (nr), .arg = { (a0), 8 }, .memory = (bytes), __VA_ARGS__ })
#define LIST(...)	CALL(VMI_HC_List, 0, 4096, __VA_ARGS__)

static void asks(struct control_call c, int32_t result, uint64_t wanted)
{
	uint64_t bytes = 0;

	comes(0, sends(c));
	assert_int_equal(answer(&bytes), result);
	assert_int_equal(bytes, wanted);
}

static void test_calls(void **state)
{
	uint32_t nr;

	(void)state;
	asks(LIST(), 1, 0);
	asks(LIST(.wanted = 4), 1, 4);
	assert_memory_equal(channel->goes + sizeof(struct control_answer),
			    "\0\0\0\0", 4);
	asks(LIST(.wanted = CONTROL_WANTED_MAX), 1, CONTROL_WANTED_MAX);
	/* The memory is that of this call alone. */
	asks(CALL(VMI_HC_List, 4096, 4096), -VMI_EFAULT, 0);
	asks(CALL(VMI_HC_State, 0, 4096), VMI_STATE_RUNNING, 0);
	asks(CALL(VMI_HC_State, 1, 4096), -VMI_EINVAL, 0);
	asks(CALL(VMI_HC_Start, 0, 4096), -VMI_EBUSY, 0);
	/* Those that are about who calls there are not. */
	for (nr = 0; nr < VMI_HC_List; nr++)
		asks(CALL(nr, 0, 4096), -VMI_EINVAL, 0);
	for (nr = VMI_HC_ConsoleWrite + 1; nr < VMI_HC_COUNT + 2; nr++)
		asks(CALL(nr, 24, 4096), -VMI_EINVAL, 0);
	asks(CALL(1ull << 32 | VMI_HC_List, 0, 4096), -VMI_EINVAL, 0);
}

static void test_mistakes(void **state)
{
	(void)state;
	asks(CALL(VMI_HC_List, 0, 0), -VMI_EINVAL, 0);
	asks(CALL(VMI_HC_List, 0, 4097), -VMI_EINVAL, 0);
	asks(CALL(VMI_HC_List, 0, CONTROL_MEMORY_MAX + 4096), -VMI_EINVAL, 0);
	asks(CALL(VMI_HC_List, 0, UINT64_MAX << 12), -VMI_EINVAL, 0);
	asks(CALL(VMI_HC_List, 0, CONTROL_MEMORY_MAX), -VMI_ENOMEM, 0);
	/* What is given comes all the same, and is none of the next call. */
	asks(CALL(VMI_HC_List, 0, CONTROL_MEMORY_MAX, .given = 8192), -VMI_ENOMEM, 0);
	asks(LIST(.given = 4097), -VMI_EINVAL, 0);
	asks(LIST(.wanted = CONTROL_WANTED_MAX + 1), -VMI_EINVAL, 0);
	asks(LIST(.from = 4096, .wanted = 1), -VMI_EINVAL, 0);
	asks(LIST(.from = 4097), -VMI_EINVAL, 0);
	asks(LIST(.from = UINT64_MAX, .wanted = 8), -VMI_EINVAL, 0);
	asks(LIST(), 1, 0);
}

/* A byte at a time; and two calls at once. */
static void test_pieces(void **state)
{
	struct control_answer a[2];
	uint64_t bytes;
	uint32_t n, i;

	(void)state;
	n = sends(CALL(VMI_HC_List, 0, 8192, .given = 5000, .from = 4990, .wanted = 20));
	memset(sent + sizeof(struct control_call), 'x', 5000);
	for (i = 0; i < n - 1; i++)
		comes(i, 1);
	assert_int_equal(channel->went, 0);
	comes(n - 1, 1);
	assert_memory_equal(channel->goes + sizeof(*a), "xxxxxxxxxx\0\0\0\0\0\0\0\0\0",
			    20);
	assert_int_equal(answer(&bytes), 1);
	assert_int_equal(bytes, 20);

	n = sends(LIST());
	memcpy(sent + n, sent, n);
	comes(0, 2 * n);
	memcpy(a, channel->goes, sizeof(a));
	assert_int_equal(channel->went, sizeof(a));
	assert_true(a[0].result == 1 && a[1].result == 1);
}

/* It is carried out when there is room for its answer. */
static void test_full(void **state)
{
	uint64_t bytes;

	(void)state;
	channel->full = true;
	comes(0, sends(CALL(VMI_HC_Pause, 0, 4096)));
	assert_false(guests[0]->paused);
	channel->full = false;
	control_interrupt();
	assert_int_equal(answer(&bytes), 0);
	assert_true(guests[0]->paused);
	control_interrupt();
	assert_int_equal(channel->went, 0);
}

/* Who calls is the machine's for as long as it runs. */
static int teardown(void **state)
{
	images_left -= sizeof(struct guest);
	return images_free(state);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_calls),
		TEST(test_mistakes),
		TEST(test_pieces),
		TEST(test_full),
	};

	return cmocka_run_group_tests(tests, images_load, NULL);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page of shared variables: what is in it, messages and replies in the order of
 * stores that is specified, replies that come late or are none, states that stay.
 * N-5.
 */
#include <stdlib.h>

#include "dispatch.h"
#include "machine.h"
#include "unit.h"

#define RAM		0x10000u
#define PAGE		0x8000u
#define MACHINE		(4u << 20)
#define MS		(host_tsc_hz / 1000)

static struct guest guest;
static struct guest *const g = &guest;
static struct guest_config config;
static uint8_t *memory;

/* ---- what is stored, in its order ------------------------------------------ */

static struct { gpa_t pa; uint32_t word; } stored[8];
static unsigned int stores;
/* The guest writes this reply when the message is there; 0: none. */
static uint32_t quick;

static uint32_t *word(uint32_t offset)
{
	return (uint32_t *)(memory + PAGE + offset);
}

bool __real_gmem_store32(const struct gmem *m, gpa_t pa, uint32_t w);
bool __wrap_gmem_store32(const struct gmem *m, gpa_t pa, uint32_t w);
bool __wrap_gmem_store32(const struct gmem *m, gpa_t pa, uint32_t w)
{
	assert_true(stores < ARRAY_SIZE(stored));
	stored[stores].pa = pa;
	stored[stores++].word = w;
	assert_true(__real_gmem_store32(m, pa, w));
	if (quick && pa == PAGE + 0x0c) {
		*word(0x0c) = 0;
		*word(0x10) = quick;
	}
	return true;
}

static int setup(void **state)
{
	(void)state;
	machine_memory = aligned_alloc(2u << 20, MACHINE);
	memset(machine_memory, 0, MACHINE);
	machine_start(0x1000, MACHINE - 0x1000);
	memset(&guest, 0, sizeof(guest));
	config = (struct guest_config){
		.name = "a guest", .cpus = 2, .memory = 1, .comm = PAGE,
		.rights = VMI_RIGHT_INTROSPECT, .reply_timeout = 5,
	};
	g->config = &config;
	g->vcpus = 2;
	g->slot = 3;
	assert_true(gmem_init(&g->mm.gmem, RAM));
	memory = gmem_boot_ram(&g->mm.gmem);
	memset(memory, 0x5a, RAM);
	g->comm.page = PAGE;
	comm_init(g);
	stores = quick = 0;
	cpu.tsc = 1000;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(machine_memory);
	return 0;
}

/* ---- tests ---------------------------------------------------------------- */

static void test_page(void **state)
{
	static const uint8_t first[] = {
		'J', 'H', 'C', 'O', 'M', 'M', 2, 0,	/* revision */
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0xf8, 3, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0,	/* console */
		2, 0, 0, 0,
	};
	uint32_t i;

	(void)state;
	assert_memory_equal(memory + PAGE, first, sizeof(first));
	for (i = sizeof(first); i < 0x42; i++)
		assert_int_equal(memory[PAGE + i], 0);
	assert_int_equal(memory[PAGE + 0x42], 2);
	assert_int_equal(*word(0x44), host_tsc_hz / 1000);
	assert_int_equal(*word(0x48), host_tsc_hz / 1000);
	assert_int_equal(*word(0x50), 3);
	assert_int_equal(*word(0x54), VMI_RIGHT_INTROSPECT);
	assert_int_equal(*word(0x58), 5);
	assert_int_equal(*word(0x5c), 0);
	assert_int_equal(memory[PAGE + 0x60], 0x5a);
	assert_int_equal(memory[PAGE - 1], 0x5a);
}

static void test_message(void **state)
{
	uint32_t message, reply;

	(void)state;
	assert_int_equal(comm_reply(g), -VMI_EINVAL);
	for (message = VMI_MSG_SHUTDOWN; message <= VMI_MSG_RECONFIGURED; message++) {
		for (reply = VMI_REPLY_UNKNOWN; reply <= VMI_REPLY_RECEIVED;
		     reply++) {
			stores = 0;
			*word(0x10) = 77;	/* of long ago */
			assert_int_equal(comm_send(g, message), 0);
			/* The reply is cleared before the message is there. */
			assert_int_equal(stores, 2);
			assert_true(stored[0].pa == PAGE + 0x10 &&
				    stored[0].word == 0);
			assert_true(stored[1].pa == PAGE + 0x0c &&
				    stored[1].word == message);
			assert_int_equal(comm_reply(g), VMI_REPLY_NONE);
			assert_int_equal(comm_send(g, message), -VMI_EBUSY);
			*word(0x0c) = 0;
			assert_int_equal(comm_send(g, message), -VMI_EBUSY);
			*word(0x10) = reply;
			assert_int_equal(comm_reply(g), reply);
			*word(0x10) = 0;	/* what was said counts */
			assert_int_equal(comm_reply(g), reply);
		}
	}
	assert_int_equal(comm_send(g, VMI_MSG_NONE), -VMI_EINVAL);
	assert_int_equal(comm_send(g, 3), -VMI_EINVAL);
	assert_int_equal(comm_send(g, 1ull << 32 | 1), -VMI_EINVAL);
	/* A reply at once; and one that there is not. */
	quick = VMI_REPLY_APPROVED;
	assert_int_equal(comm_send(g, VMI_MSG_SHUTDOWN), 0);
	assert_int_equal(comm_reply(g), VMI_REPLY_APPROVED);
	quick = 0xffffffff;
	assert_int_equal(comm_send(g, VMI_MSG_SHUTDOWN), 0);
	assert_int_equal(comm_reply(g), VMI_REPLY_UNKNOWN);
}

static void test_late(void **state)
{
	(void)state;
	assert_int_equal(comm_send(g, VMI_MSG_SHUTDOWN), 0);
	cpu.tsc += 5 * MS - 1;
	assert_int_equal(comm_reply(g), 0);
	assert_int_equal(comm_state(g), VMI_STATE_RUNNING);
	cpu.tsc++;
	assert_int_equal(comm_state(g), VMI_STATE_FAILED);
	assert_int_equal(comm_reply(g), -VMI_ETIMEDOUT);
	*word(0x10) = VMI_REPLY_DENIED;
	assert_int_equal(comm_reply(g), -VMI_ETIMEDOUT);
	assert_int_equal(comm_state(g), VMI_STATE_FAILED);
	/* It has no vote any more. */
	assert_int_equal(comm_send(g, VMI_MSG_SHUTDOWN), VMI_REPLY_APPROVED);
}

/* Nobody has looked when its time is over. */
static void test_late_reply(void **state)
{
	const uint64_t due = cpu.tsc + 5 * MS;

	(void)state;
	assert_int_equal(comm_due(g), UINT64_MAX);
	g->vcpu[0].loaded = true;
	machine_kicks = 0;
	assert_int_equal(comm_send(g, VMI_MSG_SHUTDOWN), 0);
	assert_int_equal(machine_kicks, 1);
	cpu.tsc = due - 1;
	assert_int_equal(comm_due(g), due);
	*word(0x10) = VMI_REPLY_DENIED;
	cpu.tsc = due;
	assert_int_equal(comm_due(g), UINT64_MAX);
	assert_int_equal(comm_reply(g), VMI_REPLY_DENIED);
	assert_int_equal(comm_send(g, VMI_MSG_SHUTDOWN), 0);
	cpu.tsc += 5 * MS;
	assert_int_equal(comm_due(g), UINT64_MAX);
	*word(0x10) = VMI_REPLY_DENIED;
	assert_int_equal(comm_reply(g), -VMI_ETIMEDOUT);
}

static void test_for_ever(void **state)
{
	(void)state;
	config.reply_timeout = 0;
	g->vcpu[0].loaded = true;
	machine_kicks = 0;
	assert_int_equal(comm_send(g, VMI_MSG_SHUTDOWN), 0);
	assert_int_equal(machine_kicks, 0);	/* for nothing */
	cpu.tsc = UINT64_MAX - 1;
	assert_int_equal(comm_due(g), UINT64_MAX);
	assert_int_equal(comm_reply(g), 0);
	assert_int_equal(comm_state(g), VMI_STATE_RUNNING);
}

static void test_states(void **state)
{
	(void)state;
	*word(8) = VMI_STATE_LOCKED;
	assert_int_equal(comm_state(g), VMI_STATE_LOCKED);
	/* It need not be asked. */
	stores = 0;
	assert_int_equal(comm_send(g, VMI_MSG_SHUTDOWN), VMI_REPLY_DENIED);
	assert_int_equal(comm_reply(g), VMI_REPLY_DENIED);
	assert_int_equal(stores, 0);
	assert_int_equal(comm_send(g, VMI_MSG_RECONFIGURED), 0);
	*word(8) = 5;
	assert_int_equal(comm_state(g), -VMI_EINVAL);
	*word(8) = UINT32_MAX;
	assert_int_equal(comm_state(g), -VMI_EINVAL);
	*word(8) = VMI_STATE_RUNNING;
	assert_int_equal(comm_state(g), VMI_STATE_RUNNING);
	*word(8) = VMI_STATE_ABI_MISMATCH;
	assert_int_equal(comm_state(g), VMI_STATE_ABI_MISMATCH);
	*word(8) = VMI_STATE_RUNNING;		/* that stays */
	assert_int_equal(comm_state(g), VMI_STATE_ABI_MISMATCH);
	assert_int_equal(comm_send(g, VMI_MSG_SHUTDOWN), VMI_REPLY_APPROVED);
	assert_int_equal(comm_send(g, VMI_MSG_RECONFIGURED), VMI_REPLY_RECEIVED);
	g->ended = true;
	g->end = END_GUEST_DIED;
	assert_int_equal(comm_state(g), VMI_STATE_FAILED);
	g->end = END_ORDERLY;
	assert_int_equal(comm_state(g), VMI_STATE_SHUT_DOWN);
}

/* It ends before anybody has looked for its reply, or with none. */
static void test_end(void **state)
{
	(void)state;
	assert_int_equal(comm_send(g, VMI_MSG_SHUTDOWN), 0);
	*word(0x10) = VMI_REPLY_DENIED;
	comm_end(g);
	memset(&g->mm.gmem, 0, sizeof(g->mm.gmem));
	assert_int_equal(comm_reply(g), VMI_REPLY_DENIED);
	g->ended = true;
	assert_int_equal(comm_send(g, VMI_MSG_SHUTDOWN), VMI_REPLY_APPROVED);
}

static void test_end_without_reply(void **state)
{
	(void)state;
	assert_int_equal(comm_send(g, VMI_MSG_SHUTDOWN), 0);
	comm_end(g);
	memset(&g->mm.gmem, 0, sizeof(g->mm.gmem));
	assert_int_equal(comm_reply(g), VMI_REPLY_APPROVED);
}

static void test_no_vote(void **state)
{
	(void)state;
	config.passive = true;
	*word(8) = VMI_STATE_LOCKED;
	assert_int_equal(comm_state(g), VMI_STATE_LOCKED);
	assert_int_equal(comm_send(g, VMI_MSG_SHUTDOWN), VMI_REPLY_APPROVED);
	config.passive = false;
	g->comm.page = 0;
	assert_int_equal(comm_state(g), VMI_STATE_RUNNING);
	assert_int_equal(comm_send(g, VMI_MSG_SHUTDOWN), VMI_REPLY_APPROVED);
	assert_int_equal(comm_reply(g), VMI_REPLY_APPROVED);
	assert_int_equal(stores, 0);
}

#define TEST(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_page),
		TEST(test_message),
		TEST(test_late),
		TEST(test_late_reply),
		TEST(test_for_ever),
		TEST(test_states),
		TEST(test_end),
		TEST(test_end_without_reply),
		TEST(test_no_vote),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

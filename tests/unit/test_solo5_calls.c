// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calls of a unikernel, hypervisor-stub/core/solo5_calls.c: what they answer,
 * how they wait, and blocks that a hostile one names.
 */
#include <stdio.h>
#include <stdlib.h>

#include "unit.h"
#include "machine.h"
#include "solo5.h"

#define MB		(1ull << 20)
#define MEMORY		(4 * MB)
#define BLOCK		0x200000u	/* where a call's block is */
#define DATA		0x210000u
#define MS		(MACHINE_TSC_HZ / 1000)

/* Entries of the manifest. */
enum { FIRST, DISK, NET, DISK_2, NET_2, HANDLES };

static struct guest guest;
static struct guest *const g = &guest;
static struct vcpu *const v = &guest.vcpu[0];
static struct regs regs;
static struct solo5 solo5;
static uint8_t *memory;			/* the guest's */

static int setup(void **state)
{
	static const enum solo5_type type[HANDLES] = {
		0, SOLO5_BLOCK, SOLO5_NET, SOLO5_BLOCK, SOLO5_NET
	};
	uint32_t i;

	(void)state;
	machine_memory = aligned_alloc(2 * MB, 16 * MB);
	machine_start(0x1000, 16 * MB - 0x1000);
	machine_pages = UINT32_MAX;
	memset(&guest, 0, sizeof(guest));
	memset(&regs, 0, sizeof(regs));
	memset(&solo5, 0, sizeof(solo5));
	assert_true(gmem_init(&g->mm.gmem, MEMORY));
	memory = gmem_boot_ram(&g->mm.gmem);
	g->name = "guest";
	g->unikernel = true;
	g->solo5 = &solo5;
	g->vcpus = 1;
	solo5.mem_size = MEMORY;
	solo5.handles = HANDLES;
	for (i = FIRST + 1; i < HANDLES; i++) {
		solo5.device[i] = (struct solo5_device){
			.type = type[i], .nr = i > NET,
			.capacity = type[i] == SOLO5_BLOCK ? MACHINE_DISK : 0,
		};
		solo5.handle[i] = &solo5.device[i];
	}
	v->g = g;
	v->sibling = v;
	v->regs = &regs;
	v->bus = &g->bus;
	v->apic = &g->apic[0];
	v->pic = &g->pic;
	current = v;
	io_init(g);
	memset(machine_disk, 0, sizeof(machine_disk));
	memset(machine_comes, 0, sizeof(machine_comes));
	memset(machine_goes, 0, sizeof(machine_goes));
	machine_disk_fails = machine_net_full = machine_busy = false;
	machine_disk_starts = machine_sent = 0;
	machine_line[0] = 0;
	g->shares = GUEST_SHARES;
	g->pin = 1;
	guests[0] = g;
	guest_count = 1;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_false(machine_disk_done(0) && machine_disk_done(1));
	free(machine_memory);
	return 0;
}

/* ---- how to call ----------------------------------------------------------- */

static void out(uint32_t nr, uint32_t at)
{
	assert_int_equal(bus_write(&g->bus.ports, SOLO5_PORT + nr, 4, at),
			 BUS_DONE);
}

static void *block(const void *from, size_t size)
{
	return memcpy(memory + BLOCK, from, size);
}

/* It is over, and the unikernel goes on. */
static void over(void)
{
	assert_int_equal(solo5.call, 0);
	assert_int_equal(regs.stop, STOP_NOT);
}

/* It is not: its vCPU is halted. */
static void waits(void)
{
	assert_true(solo5.call);
	assert_int_equal(regs.stop, STOP_HALTED);
}

/* Is what was waited for there now? */
static void awake(void)
{
	assert_int_equal(solo5.call, 0);
	regs.stop = STOP_NOT;
}

static void dead(const char *why)
{
	assert_int_equal(regs.stop, STOP_ENDED);
	assert_int_equal(v->end, END_GUEST_DIED);
	assert_string_equal(v->why, why);
	assert_int_equal(solo5.call, 0);
	regs.stop = STOP_NOT;
}

static struct solo5_block *block_io(uint32_t nr, uint64_t handle,
				    uint64_t offset, uint64_t data,
				    uint64_t len)
{
	struct solo5_block a = { handle, offset, data, len, 77, 88 };
	struct solo5_block *b = block(&a, sizeof(a));

	out(nr, BLOCK);
	assert_int_equal(b->pad, 88);
	return b;
}

static struct solo5_net *net_io(uint32_t nr, uint64_t handle, uint64_t data,
				uint64_t len)
{
	struct solo5_net a = { handle, data, len, 77, 88 };
	struct solo5_net *b = block(&a, sizeof(a));

	out(nr, BLOCK);
	assert_int_equal(b->pad, 88);
	return b;
}

/* ---- time, text, the end ------------------------------------------------------ */

static void test_walltime(void **state)
{
	(void)state;
	cpu.tsc = 123456;
	out(SOLO5_WALLTIME, BLOCK);
	over();
	assert_int_equal(*(uint64_t *)(memory + BLOCK), host_wallclock_ns());
}

static void puts_of(uint64_t data, uint64_t len)
{
	struct solo5_puts a = { data, len };

	block(&a, sizeof(a));
	out(SOLO5_PUTS, BLOCK);
}

static void test_puts(void **state)
{
	(void)state;
	memcpy(memory + DATA, "Hello", 5);
	puts_of(DATA, 5);
	over();
	assert_true(machine_sent == 5 && machine_byte == 'o');
	puts_of(DATA, 0);
	over();
	/* Its command line, of which it has nothing but this. */
	memory[0x12000] = 'c';
	puts_of(0x12000, 1);
	over();
	assert_int_equal(machine_byte, 'c');
	puts_of(MEMORY - 1, 1);
	over();
	assert_int_equal(machine_sent, 7);
}

static void test_puts_waits(void **state)
{
	uint64_t again;

	(void)state;
	memset(memory + DATA, 'x', 5000);
	machine_busy = true;
	puts_of(DATA, 5000);
	waits();
	assert_int_equal(machine_sent, 0);
	/* Nobody tells: it looks again in a while, and not before. */
	again = timer_wake(v);
	assert_true(again > cpu.tsc && again <= cpu.tsc + MS);
	machine_busy = false;
	timer_update(v);
	assert_int_equal(machine_sent, 0);
	/* Then one step after the other, with others between them. */
	cpu.tsc = again;
	assert_int_equal(timer_update(v), cpu.tsc);
	assert_int_equal(machine_sent, sizeof(solo5.buffer));
	timer_update(v);
	assert_true(solo5.call);
	assert_int_equal(timer_update(v), UINT64_MAX);
	assert_int_equal(machine_sent, 5000);
	awake();
}

static void halt_with(uint64_t cookie, int32_t status)
{
	struct solo5_halt a = { cookie, status, 0 };

	block(&a, sizeof(a));
	out(SOLO5_HALT, BLOCK);
}

static void test_halt(void **state)
{
	uint64_t frame[7] = { 0x111, 0x222, 0x333, 0x444, 0x555, 0x666, 0x777 };

	(void)state;
	halt_with(0, 0);
	assert_true(regs.stop == STOP_ENDED && v->end == END_ORDERLY);
	assert_string_equal(machine_line, "guest: exit status 0");
	assert_int_equal(solo5.call, 0);
	regs.stop = STOP_NOT;
	memcpy(memory + DATA, frame, sizeof(frame));
	halt_with(DATA, -1);
	assert_string_equal(machine_line, "guest: exit status 255");
	regs.stop = STOP_NOT;
	halt_with(MEMORY - 512, 7);
	assert_string_equal(machine_line, "guest: exit status 7");
	regs.stop = STOP_NOT;
	halt_with(MEMORY - 511, 7);
	dead("halt: its cookie at 3ffe01 is not in its memory");
	halt_with(UINT64_MAX - 100, 7);
	dead("halt: its cookie at ffffffffffffff9b is not in its memory");
}

/* ---- disks ---------------------------------------------------------------------- */

static void fill(uint8_t *at, uint32_t len, uint64_t seed)
{
	uint32_t i;

	for (i = 0; i < len; i++)
		at[i] = unit_random(&seed) >> 20;
}

static void test_block(void **state)
{
	const uint32_t at = MACHINE_DISK - 1024, len = 1024;
	struct solo5_block *b;

	(void)state;
	fill(memory + DATA + 100, len, 1);
	b = block_io(SOLO5_BLOCK_WRITE, DISK_2, at, DATA + 100, len);
	waits();
	assert_int_equal(b->ret, 77);
	/* Of another's disk it hears nothing. */
	solo5_interrupt();
	waits();
	assert_int_equal(timer_wake(v), UINT64_MAX);
	assert_true(machine_disk_done(1));
	solo5_interrupt();
	awake();
	assert_int_equal(b->ret, SOLO5_OK);
	assert_memory_equal(machine_disk[1] + at, memory + DATA + 100, len);

	b = block_io(SOLO5_BLOCK_READ, DISK_2, at, DATA + 0x8001, len);
	waits();
	assert_true(machine_disk_done(1));
	solo5_interrupt();
	awake();
	assert_true(b->ret == SOLO5_OK && b->len == len);
	assert_memory_equal(memory + DATA + 0x8001, memory + DATA + 100, len);
	assert_int_equal(memory[DATA + 0x8001 + len], 0);
	/* The other one is as it was. */
	assert_int_equal(machine_disk_starts, 2);
}

/* More than one step, and as much as none. */
static void test_block_sizes(void **state)
{
	const uint32_t len = 2 * HOST_DISK_MAX + 512;
	struct solo5_block *b;
	uint32_t i;

	(void)state;
	fill(machine_disk[0], MACHINE_DISK, 2);
	b = block_io(SOLO5_BLOCK_READ, DISK, 512, DATA, len);
	for (i = 0; i < 3; i++) {
		waits();
		assert_true(machine_disk_done(0));
		solo5_interrupt();
	}
	awake();
	assert_int_equal(b->ret, SOLO5_OK);
	assert_memory_equal(memory + DATA, machine_disk[0] + 512, len);
	b = block_io(SOLO5_BLOCK_READ, DISK, 0, DATA, 0);
	over();
	assert_int_equal(b->ret, SOLO5_OK);
	assert_int_equal(machine_disk_starts, 3);
}

static void test_block_fails(void **state)
{
	struct solo5_block *b = block_io(SOLO5_BLOCK_READ, DISK, 0, DATA, 512);

	(void)state;
	memory[DATA] = 99;
	machine_disk_fails = true;
	assert_true(machine_disk_done(0));
	solo5_interrupt();
	awake();
	assert_int_equal(b->ret, SOLO5_EUNSPEC);
	assert_int_equal(memory[DATA], 99);
	/* That was the last one's. */
	b = block_io(SOLO5_BLOCK_WRITE, DISK, 0, DATA, 512);
	waits();
	machine_disk_fails = false;
	assert_true(machine_disk_done(0));
	solo5_interrupt();
	awake();
	assert_int_equal(b->ret, SOLO5_OK);
}

/* The guest before, of the same configuration, has ended in the midst of one. */
static void test_block_left_over(void **state)
{
	struct solo5_block *b;

	(void)state;
	machine_disk[0][0] = 55;
	host_disk_start(0, true, 512, 512);
	b = block_io(SOLO5_BLOCK_READ, DISK, 0, DATA, 512);
	waits();
	assert_true(machine_disk_done(0));
	solo5_interrupt();
	waits();
	assert_true(machine_disk_done(0));
	solo5_interrupt();
	awake();
	assert_true(b->ret == SOLO5_OK && memory[DATA] == 55);
}

static void test_block_refused(void **state)
{
	static const struct {
		uint64_t handle, offset, len;
	} bad[] = {
		{ FIRST, 0, 512 }, { NET, 0, 512 }, { HANDLES, 0, 512 },
		{ UINT64_MAX, 0, 512 }, { (1ull << 32) + DISK, 0, 512 },
		{ DISK, MACHINE_DISK, 512 }, { DISK, MACHINE_DISK, 0 },
		{ DISK, MACHINE_DISK - 512, 1024 }, { DISK, -512ull, 1024 },
		{ DISK, -512ull, 512 }, { DISK, 0, -512ull },
		{ DISK, 512, -512ull }, { DISK, 0, MACHINE_DISK + 512 },
		{ DISK, 511, 512 }, { DISK, 0, 511 }, { DISK, 0, 513 },
	};
	const struct solo5_block *b;
	uint32_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		b = block_io(SOLO5_BLOCK_WRITE, bad[i].handle, bad[i].offset,
			     DATA, bad[i].len);
		over();
		assert_int_equal(b->ret, SOLO5_EINVAL);
		b = block_io(SOLO5_BLOCK_READ, bad[i].handle, bad[i].offset,
			     DATA, bad[i].len);
		over();
		assert_int_equal(b->ret, SOLO5_EINVAL);
	}
	assert_int_equal(machine_disk_starts, 0);
}

/* ---- networks -------------------------------------------------------------------- */

static struct solo5_poll *poll_for(uint64_t ns)
{
	struct solo5_poll a = { ns, 77, 77, 88 };
	struct solo5_poll *b = block(&a, sizeof(a));

	out(SOLO5_POLL, BLOCK);
	assert_int_equal(b->pad, 88);
	return b;
}

static void test_poll(void **state)
{
	struct solo5_poll *b;

	(void)state;
	b = poll_for(0);
	over();
	assert_true(b->ret == 0 && b->ready == 0);
	machine_comes[1].len = 60;
	b = poll_for(UINT64_MAX);
	over();
	assert_true(b->ret == 1 && b->ready == 1u << NET_2);
	machine_comes[0].len = 60;
	b = poll_for(1);
	over();
	assert_true(b->ret == 2 && b->ready == (1u << NET_2 | 1u << NET));
}

static void test_poll_waits(void **state)
{
	struct solo5_poll *b = poll_for(5 * 1000000);
	uint64_t begin = cpu.tsc;

	(void)state;
	waits();
	assert_int_equal(timer_wake(v), begin + 5 * MS);
	cpu.tsc = begin + 5 * MS - 1;
	assert_int_equal(timer_update(v), begin + 5 * MS);
	solo5_interrupt();
	waits();
	cpu.tsc++;
	assert_int_equal(timer_update(v), UINT64_MAX);
	awake();
	assert_true(b->ret == 0 && b->ready == 0);
	/* Or until something comes. */
	b = poll_for(5 * 1000000);
	waits();
	solo5_interrupt();
	waits();
	machine_comes[0].len = 60;
	solo5_interrupt();
	awake();
	assert_true(b->ret == 1 && b->ready == 1u << NET);
	machine_comes[0].len = 0;
	/* Longer than clocks count. */
	poll_for(UINT64_MAX);
	waits();
	assert_true(timer_wake(v) > cpu.tsc + 3600ull * MACHINE_TSC_HZ);
	cpu.tsc += 3600ull * MACHINE_TSC_HZ;
	timer_update(v);
	waits();
	/* With a faster clock it is beyond its end. */
	solo5.call = 0;
	regs.stop = STOP_NOT;
	host_tsc_hz = 5000000000;
	poll_for(UINT64_MAX);
	assert_int_equal(timer_wake(v), UINT64_MAX);
	host_tsc_hz = MACHINE_TSC_HZ;
	solo5.call = 0;
}

static void test_net(void **state)
{
	struct solo5_net *b;

	(void)state;
	fill(memory + DATA, 1514, 3);
	b = net_io(SOLO5_NET_WRITE, NET_2, DATA, 1514);
	over();
	assert_int_equal(b->ret, SOLO5_OK);
	assert_int_equal(machine_goes[1].len, 1514);
	assert_memory_equal(machine_goes[1].data, memory + DATA, 1514);
	assert_int_equal(machine_goes[0].len, 0);

	b = net_io(SOLO5_NET_READ, NET, DATA, 2000);
	over();
	assert_true(b->ret == SOLO5_AGAIN && b->len == 2000);
	fill(machine_comes[0].data, 600, 4);
	machine_comes[0].len = 600;
	b = net_io(SOLO5_NET_READ, NET, DATA, 2000);
	over();
	assert_true(b->ret == SOLO5_OK && b->len == 600);
	assert_memory_equal(memory + DATA, machine_comes[0].data, 600);
	/* Into less room. */
	machine_comes[0].len = 600;
	memory[DATA + 0x1000 + 100] = 99;
	b = net_io(SOLO5_NET_READ, NET, DATA + 0x1000, 100);
	assert_true(b->ret == SOLO5_OK && b->len == 100);
	assert_memory_equal(memory + DATA + 0x1000, machine_comes[0].data, 100);
	assert_int_equal(memory[DATA + 0x1000 + 100], 99);
}

static void test_net_waits(void **state)
{
	struct solo5_net *b;

	(void)state;
	machine_net_full = true;
	b = net_io(SOLO5_NET_WRITE, NET, DATA, 60);
	waits();
	assert_true(timer_wake(v) <= cpu.tsc + MS);
	cpu.tsc = timer_wake(v);
	timer_update(v);
	waits();
	machine_net_full = false;
	cpu.tsc = timer_wake(v);
	timer_update(v);
	awake();
	assert_true(b->ret == SOLO5_OK && machine_goes[0].len == 60);
}

static void test_net_refused(void **state)
{
	static const struct {
		uint64_t handle, len;
	} bad[] = {
		{ FIRST, 60 }, { DISK, 60 }, { HANDLES, 60 }, { UINT64_MAX, 60 },
		{ (1ull << 32) + NET, 60 }, { NET, 0 }, { NET, 13 },
		{ NET, 1515 }, { NET, UINT64_MAX },
	};
	const struct solo5_net *b;
	uint32_t i;

	(void)state;
	machine_comes[0].len = machine_comes[1].len = 60;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		b = net_io(SOLO5_NET_WRITE, bad[i].handle, DATA, bad[i].len);
		over();
		assert_int_equal(b->ret, SOLO5_EINVAL);
		if (bad[i].handle == NET)
			continue;
		b = net_io(SOLO5_NET_READ, bad[i].handle, DATA, bad[i].len);
		over();
		assert_int_equal(b->ret, SOLO5_EINVAL);
	}
	assert_true(machine_comes[0].len == 60 && !machine_goes[0].len);
}

/* ---- addresses that are not its own ------------------------------------------------- */

static void test_blocks(void **state)
{
	static const uint32_t size[] = {
		[SOLO5_WALLTIME] = 8, [SOLO5_PUTS] = 16, [SOLO5_POLL] = 24,
		[SOLO5_BLOCK_WRITE] = 40, [SOLO5_BLOCK_READ] = 40,
		[SOLO5_NET_WRITE] = 32, [SOLO5_NET_READ] = 32, [SOLO5_HALT] = 16,
	};
	char why[100];
	uint32_t nr, i;

	(void)state;
	for (nr = SOLO5_WALLTIME; nr <= SOLO5_HALT; nr++) {
		const uint32_t bad[] = {
			0, 0x1000, 0x2000, 0x10000, SOLO5_BASE - 1,
			MEMORY - size[nr] + 1, MEMORY - 1, MEMORY, MEMORY + 4096,
			UINT32_MAX, UINT32_MAX - size[nr],
		};

		for (i = 0; i < ARRAY_SIZE(bad); i++) {
			out(nr, bad[i]);
			snprintf(why, sizeof(why), "call %u: its block at %x is not in its memory",
				 nr, bad[i]);
			dead(why);
		}
	}
	/* The last that fits, across two frames, and one at an odd address. */
	out(SOLO5_WALLTIME, MEMORY - 8);
	over();
	out(SOLO5_WALLTIME, DATA + 4096 - 3);
	over();
	assert_memory_equal(memory + DATA + 4096 - 3, memory + MEMORY - 8, 8);
}

static void test_data(void **state)
{
	static const struct {
		uint64_t data, len;
	} bad[] = {
		{ 0xffff, 512 }, { 0, 512 }, { MEMORY - 511, 512 },
		{ MEMORY, 512 }, { UINT64_MAX - 100, 512 }, { 1ull << 32, 512 },
		{ (1ull << 32) + DATA, 512 }, { UINT64_MAX, 512 },
	};
	char why[100];
	uint32_t i;

#define IS_DEAD(what) do {						\
		snprintf(why, sizeof(why), "%s: %lu bytes at %lx are not its memory", \
			 what, bad[i].len, bad[i].data);		\
		dead(why);						\
	} while (0)

	(void)state;
	machine_comes[0].len = 60;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		puts_of(bad[i].data, bad[i].len);
		IS_DEAD("puts");
		block_io(SOLO5_BLOCK_WRITE, DISK, 0, bad[i].data, 512);
		IS_DEAD("block write");
		block_io(SOLO5_BLOCK_READ, DISK, 0, bad[i].data, 512);
		IS_DEAD("block read");
		net_io(SOLO5_NET_WRITE, NET, bad[i].data, 512);
		IS_DEAD("net write");
		net_io(SOLO5_NET_READ, NET, bad[i].data, 512);
		IS_DEAD("net read");
	}
	puts_of(DATA, UINT64_MAX);
	dead("puts: 18446744073709551615 bytes at 210000 are not its memory");
	/* What it only reads is not written: its tables, its boot information. */
	block_io(SOLO5_BLOCK_READ, DISK, 0, 0x10000, 512);
	dead("block read: 512 bytes at 10000 are not its memory");
	net_io(SOLO5_NET_READ, NET, SOLO5_BASE - 1, 512);
	dead("net read: 512 bytes at fffff are not its memory");
	assert_true(!machine_disk_starts && !machine_sent &&
		    !machine_goes[0].len && machine_comes[0].len);
}

static void test_ports(void **state)
{
	static const uint32_t size[] = { 1, 2, 4 };
	uint32_t port, i, val;
	char why[100];

	(void)state;
	for (port = 0; port < 0x10000; port++)
		for (i = 0; i < 3; i++) {
			bool is_call = port > SOLO5_PORT &&
				       port <= SOLO5_PORT + SOLO5_HALT;

			assert_int_equal(bus_read(&g->bus.ports, port, size[i],
						  &val), BUS_DONE);
			snprintf(why, sizeof(why), "IN from port %x: it has none",
				 port);
			dead(why);
			if (is_call && size[i] == 4)
				continue;
			assert_int_equal(bus_write(&g->bus.ports, port, size[i],
						   0x12), BUS_DONE);
			snprintf(why, sizeof(why), "OUT of 12 to port %x: it is no call",
				 port);
			dead(why);
		}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(walltime),
		TEST(puts),
		TEST(puts_waits),
		TEST(halt),
		TEST(block),
		TEST(block_sizes),
		TEST(block_fails),
		TEST(block_left_over),
		TEST(block_refused),
		TEST(poll),
		TEST(poll_waits),
		TEST(net),
		TEST(net_waits),
		TEST(net_refused),
		TEST(blocks),
		TEST(data),
		TEST(ports),
	};

	return cmocka_run_group_tests_name("solo5_calls", tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * One guest makes, runs and ends another, on the machine of tests/host: each call in
 * the states in which it is possible and in those in which it is not, each mistake in
 * what a guest is made of; all memory comes back. N-6.
 */
#include <stdlib.h>

#include "dispatch.h"
#include "images.h"
#include "kernel.h"
#include "loader.h"
#include "machine.h"
#include "processor.h"

#define STEP		(host_tsc_hz / 100000)	/* 10 microseconds */
#define LONG		3000u			/* steps: some slices */

/* Guest-physical, of the manager. */
#define IMAGE		0x300000u
#define BLOCK		0x2f0000u
#define CMDLINE		0x2f1000u
#define BUFFER		0x2f2000u
#define LIST		0x2f3ff0u	/* of the pages of IMAGE */
#define NOWHERE		0x10000000u

static const struct kernel kernel = KERNEL(OUT, OUT, OUT, OUT);
static struct vmi_guest_create block;
static unsigned int ran[GUESTS_MAX], before, left_before;
static jmp_buf ended;

/* ---- what the manager does ------------------------------------------------- */

/* Prepare, call, compare, and look; then so many steps of computing. */
static const struct act {
	void		(*prepare)(void);
	uint32_t	nr, a[3];
	int32_t		result;
	void		(*look)(void);
	unsigned int	wait;
} *act;
static unsigned int waited;
static bool called, begun;

static uint8_t *memory(uint32_t pa)
{
	return (uint8_t *)gmem_boot_ram(&guests[0]->mm.gmem) + pa;
}

static void hypercall(struct regs *r, uint32_t nr, const struct act *a)
{
	r->gpr[EAX] = nr;
	if (a) {
		r->gpr[ECX] = a->nr;
		r->gpr[EDX] = a->a[0];
		r->gpr[EBX] = a->a[1];
		r->gpr[ESI] = a->a[2];
	}
	processor_exit(r, STUB_VECTOR, 0);
}

static void manager(struct regs *r)
{
	if (!begun) {
		begun = true;
		hypercall(r, STUB_HC_INIT, NULL);
		return;
	}
	if (waited) {
		waited--;
		return;
	}
	if (called) {
		assert_int_equal((int32_t)r->gpr[EAX], act->result);
		if (act->look)
			act->look();
		act++;
		called = false;
	}
	if (!act->nr) {
		hypercall(r, STUB_HC_SHUTDOWN, NULL);
		return;
	}
	if (act->prepare)
		act->prepare();
	memcpy(memory(BLOCK), &block, sizeof(block));
	called = true;
	waited = act->wait;
	hypercall(r, STUB_HC_HYPERCALL, act);
}

static bool dies;

/* The others say 'x' once, and may make a hypercall that there is not. */
static void other(struct vcpu *v, struct regs *r)
{
	if (dies) {
		dies = false;
		hypercall(r, STUB_HC_COUNT, NULL);
		return;
	}
	if (ran[v->g->slot]++)
		return;
	assert_int_equal(r->rip, KERNEL_CODE);
	r->gpr[EDX] = COM1;
	r->gpr[EAX] = 'x';
	processor_exit(r, VEC_GP, 0);
}

void processor_runs(struct regs *r)
{
	assert_false(r->vcpu->g->paused || !r->vcpu->on);
	cpu.tsc += STEP;
	if (r->vcpu->g->slot)
		other(r->vcpu, r);
	else
		manager(r);
}

void machine_waits(void)
{
	fail();
}

void machine_ended(enum end end)
{
	assert_int_equal(end, END_ORDERLY);
	longjmp(ended, 1);
}

static void run(const struct act *acts)
{
	act = acts;
	if (!setjmp(ended))
		sched_run();
	assert_int_equal(act->nr, 0);
}

/* Not one behind the other, and the list crosses a page. */
static const uint64_t list[] = {
	IMAGE, IMAGE + 0x5000, IMAGE + 0x1000, NOWHERE, IMAGE + 1
};
#define ENTRY(n)	(LIST + (n) * 8)

static int setup(void **state)
{
	images_setup(state);
	guest_rom(&config[0].rom);
	config[0].rights = VMI_RIGHT_MANAGE;
	images_guest(0);
	memcpy(memory(IMAGE), &kernel, sizeof(kernel));
	memcpy(memory(CMDLINE), "a=b", 3);
	memcpy(memory(LIST), list, sizeof(list));
	block = (struct vmi_guest_create){
		.kernel = LIST, .kernel_bytes = sizeof(kernel),
		.cmdline = CMDLINE, .cmdline_bytes = 3,
		.memory = 4, .cpus = 1, .shares = GUEST_SHARES, .name = "made",
	};
	memset(ran, 0, sizeof(ran));
	called = begun = false;
	waited = 0;
	return 0;
}

/* ---- mistakes -------------------------------------------------------------- */

static struct vmi_guest_create good;

static void remember(void)
{
	good = block;
	left_before = host_pages_left();
}

static void nothing_left(void)
{
	assert_int_equal(host_pages_left(), left_before);
	assert_int_equal(guest_count, 1);
	block = good;
}

#define BAD(name, change)						\
static void name(void)							\
{									\
	remember();							\
	block.change;							\
}
BAD(more_rights, rights = VMI_RIGHT_INTROSPECT)
BAD(no_right, rights = 0x80000000)
BAD(little_memory, memory = 3)
BAD(much_memory, memory = 8193)
BAD(no_cpus, cpus = 0)
BAD(many_cpus, cpus = 9)
BAD(no_shares, shares = 0)
BAD(many_shares, shares = GUEST_SHARES + 1)
BAD(no_kernel, kernel_bytes = 0)
BAD(large_kernel, kernel_bytes = UINT64_MAX)
BAD(large_initrd, initrd_bytes = UINT64_MAX)
BAD(long_cmdline, cmdline_bytes = VMI_CMDLINE_MAX + 1)
BAD(long_time, reply_timeout = REPLY_TIMEOUT_MAX + 1)
BAD(half_passive, passive = 2)
BAD(bad_name, name[2] = '\n')
BAD(bad_comm, comm = 0x1000)
BAD(not_a_kernel, kernel = BUFFER)
BAD(kernel_nowhere, kernel = ENTRY(3))
BAD(kernel_wraps, kernel = UINT64_MAX - 3)
BAD(list_nowhere, kernel = NOWHERE)
BAD(page_not_whole, kernel = ENTRY(4))
BAD(last_nowhere, kernel_bytes = 3 * 4096 + 1)
BAD(cmdline_nowhere, cmdline = NOWHERE)
BAD(no_room, memory = 64)

static void initrd_nowhere(void)
{
	remember();
	block.initrd = ENTRY(3);
	block.initrd_bytes = 1;
}

static void initrd_list_nowhere(void)
{
	remember();
	block.initrd = NOWHERE;
	block.initrd_bytes = 1;
}

static void initrd_page_not_whole(void)
{
	remember();
	block.initrd = ENTRY(4);
	block.initrd_bytes = 1;
}

static void endless_name(void)
{
	remember();
	memset(block.name, 'x', sizeof(block.name));
}

#define CREATE(how, result) \
	{ how, VMI_HC_Create, { BLOCK }, result, nothing_left, 0 }

static void test_mistakes(void **state)
{
	static const struct act acts[] = {
		CREATE(more_rights, -VMI_EINVAL), CREATE(no_right, -VMI_EINVAL),
		CREATE(little_memory, -VMI_EINVAL),
		CREATE(much_memory, -VMI_EINVAL), CREATE(no_cpus, -VMI_EINVAL),
		CREATE(many_cpus, -VMI_EINVAL), CREATE(no_shares, -VMI_EINVAL),
		CREATE(many_shares, -VMI_EINVAL), CREATE(no_kernel, -VMI_EINVAL),
		CREATE(large_kernel, -VMI_EINVAL),
		CREATE(large_initrd, -VMI_EINVAL),
		CREATE(long_cmdline, -VMI_EINVAL), CREATE(long_time, -VMI_EINVAL),
		CREATE(half_passive, -VMI_EINVAL), CREATE(bad_name, -VMI_EINVAL),
		CREATE(endless_name, -VMI_EINVAL), CREATE(bad_comm, -VMI_EINVAL),
		CREATE(not_a_kernel, -VMI_EINVAL),
		CREATE(kernel_nowhere, -VMI_EFAULT),
		CREATE(kernel_wraps, -VMI_EFAULT),
		CREATE(list_nowhere, -VMI_EFAULT),
		CREATE(page_not_whole, -VMI_EINVAL),
		CREATE(last_nowhere, -VMI_EFAULT),
		CREATE(initrd_list_nowhere, -VMI_EFAULT),
		CREATE(initrd_page_not_whole, -VMI_EINVAL),
		CREATE(cmdline_nowhere, -VMI_EFAULT),
		CREATE(initrd_nowhere, -VMI_EFAULT), CREATE(no_room, -VMI_EINVAL),
		{ remember, VMI_HC_Create, { NOWHERE }, -VMI_EFAULT, nothing_left, 0 },
		{ 0 }
	};

	(void)state;
	run(acts);
}

/* ---- a life ---------------------------------------------------------------- */

static void made(void)
{
	const struct guest *g = guests[1];

	assert_int_equal(guest_count, 2);
	assert_string_equal(g->config->label, "made");
	assert_string_equal(g->config->cmdline, "a=b");
	/* What the maker changes now is nobody's. */
	memset(memory(IMAGE), 0xff, sizeof(kernel));
}

static void stands_still(void)
{
	assert_int_equal(ran[1], before);
}

static void note(void)
{
	before = ran[1];
}

static void goes_on(void)
{
	assert_true(ran[1] > before);
	before = ran[1];
}

static void said_x(void)
{
	assert_int_equal(*memory(BUFFER), 'x');
	assert_int_equal(memory(BUFFER)[1], 0);
}

static void is_typed(void)
{
	assert_int_equal(made_get(guests[1]->made), 'a');
	assert_int_equal(made_get(guests[1]->made), '=');
	assert_int_equal(made_get(guests[1]->made), -1);
}

static void started_again(void)
{
	assert_int_equal(guests[1]->starts, 2);
}

static void tells(void)
{
	struct vmi_guest_info info;

	memcpy(&info, memory(BUFFER), sizeof(info));
	assert_string_equal(info.name, "made");
	assert_int_equal(info.state, VMI_STATE_SHUT_DOWN);
	assert_int_equal(info.memory, 4 << 20);
}

static void counts(void)
{
	struct vmi_guest_stats s;

	memcpy(&s, memory(BUFFER), sizeof(s));
	assert_true(s.exits > 0 && s.ports == 1 && !s.hypercalls);
	assert_true(s.used > 0);
	assert_int_equal(s.memory_left, host_pages_left());
}

static void all_back(void)
{
	static uint64_t left;

	/* Its structure stays. */
	assert_in_range(left_before - host_pages_left(), sizeof(struct guest),
			sizeof(struct guest) + 8192);
	left = left ? left : host_pages_left();
	assert_int_equal(host_pages_left(), left);
}

static void kernel_again(void)
{
	memcpy(memory(IMAGE), &kernel, sizeof(kernel));
	memset(ran, 0, sizeof(ran));
	before = 0;
}

/* Which is no more to the machine than another end. */
static void is_to_die(void)
{
	dies = true;
}

static void is_dead(void)
{
	assert_false(dies);
	before = ran[1];
}

static void test_life(void **state)
{
#define ONE(call, result, look, wait) \
	{ NULL, VMI_HC_##call, { 1, BUFFER, 2 }, result, look, wait }
	static const struct act acts[] = {
		ONE(Start, -VMI_EINVAL, NULL, 0),	/* there is none */
		{ remember, VMI_HC_Create, { BLOCK }, 1, made, LONG },
		ONE(Info, 0, tells, 0),
		ONE(Pause, -VMI_EBUSY, stands_still, 0),
		ONE(Resume, -VMI_EBUSY, NULL, 0),
		ONE(Reset, 0, stands_still, LONG),
		ONE(ConsoleRead, 0, NULL, 0),
		ONE(Start, 0, goes_on, LONG),
		ONE(Start, -VMI_EBUSY, NULL, 0),
		ONE(State, VMI_STATE_RUNNING, NULL, 0),
		ONE(ConsoleRead, 1, said_x, 0),
		ONE(ConsoleRead, 0, NULL, 0),
		{ NULL, VMI_HC_ConsoleWrite, { 1, CMDLINE, 2 }, 2, is_typed, 0 },
		{ NULL, VMI_HC_ConsoleWrite, { 1, NOWHERE, 2 }, -VMI_EFAULT, NULL, 0 },
		ONE(Statistics, 0, counts, 0),
		{ NULL, VMI_HC_Statistics, { 1, NOWHERE }, -VMI_EFAULT, NULL, 0 },
		ONE(Pause, 0, note, 0),
		ONE(Pause, -VMI_EBUSY, stands_still, LONG),
		ONE(State, VMI_STATE_RUNNING, NULL, 0),
		ONE(Resume, 0, goes_on, LONG),
		ONE(Resume, -VMI_EBUSY, NULL, 0),
		ONE(Reset, 0, started_again, 0),
		ONE(State, VMI_STATE_RUNNING, goes_on, LONG),
		ONE(Pause, 0, NULL, 0),
		ONE(Reset, 0, goes_on, LONG),	/* one that stands still, too */
		ONE(Destroy, 0, all_back, 0),
		ONE(State, -VMI_EINVAL, NULL, 0),
		ONE(Destroy, -VMI_EINVAL, NULL, 0),
		/* Its place is another's. */
		{ kernel_again, VMI_HC_Create, { BLOCK }, 1, made, 0 },
		ONE(Destroy, 0, all_back, 0),		/* never started */
		{ kernel_again, VMI_HC_Create, { BLOCK }, 1, made, 0 },
		ONE(Start, 0, goes_on, LONG),
		ONE(Pause, 0, NULL, 0),
		ONE(Destroy, 0, all_back, 0),		/* standing still */
		{ kernel_again, VMI_HC_Create, { BLOCK }, 1, made, 0 },
		{ is_to_die, VMI_HC_Start, { 1 }, 0, is_dead, LONG },
		ONE(State, VMI_STATE_FAILED, NULL, 0),
		ONE(Start, 0, goes_on, LONG),
		ONE(Destroy, 0, all_back, 0),
		{ 0 }
	};

	(void)state;
	before = 0;
	run(acts);
}

static void with_initrd(void)
{
	uint32_t i;

	for (i = 0; i < 3; i++)
		memset(memory(list[i]), '0' + i, 4096);
	memcpy(memory(IMAGE + 0x8000), &kernel, sizeof(kernel));
	memcpy(memory(ENTRY(3)), &(uint64_t){ IMAGE + 0x8000 }, 8);
	block.kernel = ENTRY(3);
	block.initrd = LIST;
	block.initrd_bytes = 2 * 4096 + 1;
	block.comm = VMI_COMM_ANY;
}

/* All of it is there, in its order, as high as can be; the shared variables below. */
static void has_initrd(void)
{
	const uint8_t *ram = gmem_boot_ram(&guests[1]->mm.gmem);
	const uint32_t at = (4 << 20) - 3 * 4096;
	uint32_t i;

	for (i = 0; i < 2 * 4096 + 1; i++)
		assert_int_equal(ram[at + i], '0' + i / 4096);
	assert_int_equal(ram[at + i], 0);
	assert_int_equal(guests[1]->comm.page, at - 4096);
	assert_memory_equal(ram + at - 4096, VMI_COMM_SIGNATURE, 6);
}

static void test_pages(void **state)
{
	static const struct act acts[] = {
		{ with_initrd, VMI_HC_Create, { BLOCK }, 1, has_initrd, 0 },
		{ NULL, VMI_HC_Destroy, { 1 }, 0, NULL, 0 },
		{ 0 }
	};

	(void)state;
	run(acts);
}

/* Guests of the boot loader: they have consoles of their own, and may start again. */
static void test_others(void **state)
{
	static const struct act acts[] = {
		ONE(ConsoleRead, -VMI_EINVAL, NULL, 0),
		ONE(ConsoleWrite, -VMI_EINVAL, NULL, 0),
		ONE(Start, -VMI_EBUSY, goes_on, LONG),
		ONE(Pause, 0, note, 0),
		ONE(State, VMI_STATE_RUNNING, stands_still, LONG),
		ONE(Reset, 0, goes_on, LONG),
		ONE(Destroy, 0, note, 0),
		ONE(Start, -VMI_EINVAL, stands_still, LONG),
		{ 0 }
	};

	(void)state;
	images_guest(1);
	before = 0;
	run(acts);
	assert_int_equal(guests[1]->starts, 2);
}

/* It may deny its end. */
static void test_vote(void **state)
{
	static const struct act acts[] = {
		ONE(Start, -VMI_EBUSY, NULL, 0),
		ONE(Destroy, -VMI_EPERM, NULL, 0),
		ONE(Reset, -VMI_EPERM, NULL, 0),
		ONE(Pause, 0, NULL, 0),
		ONE(Destroy, -VMI_EPERM, NULL, 0),
		{ 0 }
	};

	(void)state;
	config[1].comm = 0x380000;
	images_guest(1);
	run(acts);
	config[1].comm = 0;
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, setup, images_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_mistakes),
		TEST(test_life),
		TEST(test_pages),
		TEST(test_others),
		TEST(test_vote),
	};

	return cmocka_run_group_tests(tests, images_load, NULL);
}

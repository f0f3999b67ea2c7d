// SPDX-License-Identifier: GPL-2.0-only
/*
 * The scheduler: vCPUs that share one processor by their run time, sleep and
 * wake, and end. There are no stacks here: a switch only says to whom.
 */
#include "unit.h"
#include "hv.h"

#define MS	1000000ull		/* at 1 GHz */
#define GUESTS	3

uint64_t tsc_hz = 1000 * MS;
struct guest *guests[GUESTS_MAX];
uint32_t guest_count;

static struct guest guest[GUESTS];
static struct stub_shared shared[GUESTS];
static struct regs regs[GUESTS][2];
static uint64_t programmed;
static unsigned int waits;
static jmp_buf ended;
static enum end how;
static bool ending;

/* ---- what the scheduler calls ------------------------------------------- */

void switch_stack(uint64_t *left, uint64_t to)
{
	assert_ptr_not_equal(left, &current->stack);
	assert_int_equal(to, current->stack);
	/* Who has ended does not come back. */
	if (ending)
		longjmp(ended, 1);
}

/* Nobody can run: in the end an interrupt comes for the last one. */
void wait_for_interrupt(void)
{
	cpu.tsc += MS;
	if (++waits == 3)
		guest[GUESTS - 1].apic.next = 0x40;
}

void timer_program(uint64_t tsc)
{
	programmed = tsc;
}

void machine_end(enum end end)
{
	how = end;
	longjmp(ended, 1);
}

void panic_at(const char *file, int line, const char *fmt, ...)
{
	(void)fmt;
	_fail(file, line);
	__builtin_unreachable();
}

void first_entry(void) { }
void timer_update(struct vcpu *v) { assert_ptr_equal(v, current); }
void desc_save(struct vcpu *v) { assert_ptr_equal(v, current); }
void desc_load(struct vcpu *v) { assert_ptr_equal(v, current); }
static unsigned int forgotten;
void speculation_switch(void) { forgotten++; }
void cr_load(struct vcpu *v) { assert_ptr_equal(v, current); }
void rom_trace_drain(struct vcpu *v) { (void)v; }
void io_serial_interrupt(void) { }
void watchdog_start(void) { }
void log_printf(const char *fmt, ...) { (void)fmt; }

/* ---- tests -------------------------------------------------------------- */

static int setup(void **state)
{
	uint32_t i;

	(void)state;
	memset(guest, 0, sizeof(guest));
	memset(shared, 0, sizeof(shared));
	guest_count = 0;
	cpu.tsc = 1000 * MS;
	for (i = 0; i < GUESTS; i++) {
		struct vcpu *v = &guest[i].vcpu;

		v->g = &guest[i];
		v->sh = &shared[i];
		v->regs = &regs[i][1];
		guest[i].name = "guest";
		apic_init(&guest[i].apic);
		pic_init(&guest[i].pic);
		v->since = cpu.tsc;
		sched_add(v);
	}
	current = &guest[0].vcpu;
	return 0;
}

/* The processor interrupts every ms for so long; who ran for how long? */
static void run(unsigned int ms, unsigned int ran[GUESTS])
{
	memset(ran, 0, GUESTS * sizeof(*ran));
	while (ms--) {
		const struct vcpu *last = current;
		unsigned int before = forgotten;

		ran[current->g - guest]++;
		cpu.tsc += MS;
		sched_tick(current);
		/* Another finds nothing of the last in the processor. */
		assert_int_equal(forgotten - before, current != last);
	}
}

static void test_equal_shares(void **state)
{
	unsigned int ran[GUESTS], i;

	(void)state;
	run(3000, ran);
	for (i = 0; i < GUESTS; i++)
		assert_in_range(ran[i], 990, 1010);
	/* The next interrupt is there to switch. */
	assert_in_range(programmed, cpu.tsc, cpu.tsc + 6 * MS);
	/* Who waits to run is stolen from. */
	for (i = 0; i < GUESTS; i++)
		assert_in_range(shared[i].stolen, 1900 * MS, 2010 * MS);
}

static void test_alone(void **state)
{
	unsigned int ran[GUESTS];

	(void)state;
	guest_count = 1;
	run(100, ran);
	assert_int_equal(ran[0], 100);
}

/* One that slept runs at once, and does not make up for its sleep. */
static void test_sleep(void **state)
{
	unsigned int ran[GUESTS];

	(void)state;
	sched_wait(current);
	assert_ptr_not_equal(current, &guest[0].vcpu);
	run(1000, ran);
	assert_int_equal(ran[0], 0);
	assert_int_equal(shared[0].stolen, 0);
	guest[0].apic.next = 0x40;
	run(1, ran);
	assert_ptr_equal(current, &guest[0].vcpu);
	run(300, ran);
	assert_in_range(ran[0], 95, 115);
}

static void test_nobody_can_run(void **state)
{
	(void)state;
	waits = 0;
	sched_wait(current);
	sched_wait(current);
	assert_int_equal(waits, 0);
	sched_wait(current);
	assert_int_equal(waits, 3);
	assert_ptr_equal(current, &guest[GUESTS - 1].vcpu);
}

/* The end of one is not that of the others; the worst one's is the machine's. */
static void test_ends(void **state)
{
	static const enum end end[] = {
		END_ORDERLY, END_GUEST_DIED, END_ORDERLY
	};
	volatile unsigned int i;

	(void)state;
	how = END_PANIC;
	ending = true;
	for (i = 0; i < GUESTS; i++) {
		assert_int_equal(how, END_PANIC);
		assert_false(current->ended);
		if (!setjmp(ended))
			guest_end(current, end[i]);
	}
	ending = false;
	assert_int_equal(how, END_GUEST_DIED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup(name, setup)
		T(test_equal_shares),
		T(test_alone),
		T(test_sleep),
		T(test_nobody_can_run),
		T(test_ends),
	};

	return cmocka_run_group_tests_name("sched", tests, NULL, NULL);
}

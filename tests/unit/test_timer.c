// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guests' clocks: what is due, when one that is halted needs the machine's
 * timer, and for when that is programmed. TSC of 1 GHz.
 */
#include "unit.h"
#include "core.h"
#include "machine.h"
#include "vmi_hypercall.h"

#define US		1000ull
#define MS		1000000ull
#define VECTOR		0x40u
#define MASKED		0x10000u
#define EXTINT		0x700u
#define NEVER		UINT64_MAX

static struct guest guest[3];
static struct vcpu *const v = &guest[0].vcpu[0];

/* ---- tests -------------------------------------------------------------- */

static void program_pic(struct pic *p, uint8_t mask)
{
	pic_out(p, PIC_MASTER_CMD, 0x11);
	pic_out(p, PIC_MASTER_DATA, 0x20);
	pic_out(p, PIC_MASTER_DATA, 4);
	pic_out(p, PIC_MASTER_DATA, 1);
	pic_out(p, PIC_MASTER_DATA, mask);
}

static int setup(void **state)
{
	uint32_t i;

	(void)state;
	memset(guest, 0, sizeof(guest));
	current = v;
	guest_count = 1;
	for (i = 0; i < 3; i++) {
		guests[i] = &guest[i];
		guest[i].vcpu[0].g = &guest[i];
		guest[i].vcpu[0].apic = &guest[i].apic[0];
		guest[i].vcpu[0].pic = &guest[i].pic;
		apic_init(&guest[i].apic[0], 0, 1000 * MS);
		ipi_apic_write(&guest[i].vcpu[0], APIC_LVTT, VECTOR);
		program_pic(&guest[i].pic, 0xfe);
		pit_init(&guest[i].pit, 1000 * MS);
	}
	cpu.tsc += 10 * MS;
	v->tsc_base = cpu.tsc;
	machine_timer = NEVER;
	sched_charge(NULL);
	return 0;
}

#define REAL	VMI_CYCLES_REAL
#define LVTT	VMI_ALARM_LVTT
#define PERIODIC VMI_ALARM_PERIODIC

/* Real alarm by LVTT in 3 ms, available one by IRQ 0 in 2 ms, PIT in 1 ms. */
static uint64_t start;

static void set_all(void)
{
	start = cpu.tsc;
	alarm_set(v, REAL | LVTT, start - v->tsc_base + 3 * MS, 0);
	alarm_set(v, VMI_CYCLES_AVAILABLE, start - v->tsc_base + 2 * MS, 0);
	pit_out(&guest[0].pit, PIT_MODE, 0x30, start);
	pit_out(&guest[0].pit, PIT_CH0, 0xa9, start);
	pit_out(&guest[0].pit, PIT_CH0, 0x04, start);
	sched_clocks_changed(v);
}

/* VMI-3.7.5: one that is too short becomes a multiple of itself. */
static void test_short_periods(void **state)
{
	const uint64_t least = host_tsc_hz / 2000;
	const uint64_t asked[] = { 1, 2, 3, 1000, least / 2, least - 1, least,
				   least + 1 };
	uint32_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(asked); i++) {
		alarm_set(v, REAL | LVTT | PERIODIC, MS, asked[i]);
		assert_int_equal(v->alarm[REAL].period % asked[i], 0);
		assert_in_range(v->alarm[REAL].period, least,
				least + asked[i] - 1);
	}
}

/* The time for a reply (N-5.7) ends though nothing else is due. */
static void test_reply(void **state)
{
	(void)state;
	sched_clocks_changed(v);
	assert_int_equal(machine_timer, NEVER);
	guest[0].comm.message = VMI_MSG_SHUTDOWN;
	guest[0].comm.deadline = cpu.tsc + MS;
	sched_clocks_changed(v);
	assert_int_equal(machine_timer, guest[0].comm.deadline);
}

/* What wakes it is the first that reaches the processor. */
static void test_wake(void **state)
{
	struct apic *a = &guest[0].apic[0];

	(void)state;
	assert_int_equal(timer_wake(v), NEVER);
	set_all();
	assert_in_range(timer_wake(v), start + MS - US, start + MS + US);
	/* by IRQ 0, with nobody to take it */
	program_pic(&guest[0].pic, 0xff);
	assert_int_equal(timer_wake(v), start + 3 * MS);
	program_pic(&guest[0].pic, 0xfe);
	ipi_apic_write(v, APIC_LVT0, EXTINT | MASKED);
	assert_int_equal(timer_wake(v), start + 3 * MS);
	/* by LVTT, as well */
	ipi_apic_write(v, APIC_LVTT, VECTOR | MASKED);
	assert_int_equal(timer_wake(v), NEVER);
	ipi_apic_write(v, APIC_LVTT, 15);		/* no vector */
	assert_int_equal(timer_wake(v), NEVER);
	ipi_apic_write(v, APIC_LVTT, VECTOR);
	ipi_apic_write(v, APIC_TPR, VECTOR);
	assert_int_equal(timer_wake(v), NEVER);
	ipi_apic_write(v, APIC_TPR, VECTOR - 16);
	assert_int_equal(timer_wake(v), start + 3 * MS);
	ipi_apic_write(v, APIC_SVR, 0xff);
	assert_int_equal(timer_wake(v), NEVER);
	apic_enable(a, false);			/* nor is LVT0 in the way */
	assert_in_range(timer_wake(v), start + MS - US, start + MS + US);
	alarm_cancel(v, VMI_CYCLES_AVAILABLE);
	pit_out(&guest[0].pit, PIT_MODE, 0x30, cpu.tsc);
	assert_int_equal(timer_wake(v), NEVER);
}

/* Nor does it wake from what it has not done with. */
static void test_wake_busy(void **state)
{
	(void)state;
	set_all();
	pic_set_irq(&guest[0].pic, 0, true);
	assert_int_equal(pic_ack(&guest[0].pic), 0x20);
	assert_int_equal(timer_wake(v), start + 3 * MS);
	pic_out(&guest[0].pic, PIC_MASTER_CMD, 0x20);
	assert_in_range(timer_wake(v), start + MS - US, start + MS + US);
}

/* Available time stands still with what is stolen. */
static void test_wake_available(void **state)
{
	(void)state;
	set_all();
	pit_out(&guest[0].pit, PIT_MODE, 0x30, cpu.tsc);
	v->stolen = MS / 2;
	assert_int_equal(timer_wake(v), start + 2 * MS + MS / 2);
	v->stolen = NEVER;			/* never comes */
	assert_int_equal(timer_wake(v), start + 3 * MS);
}

/* The APIC's own timer comes as an alarm by LVTT would. */
static void test_apic_timer(void **state)
{
	(void)state;
	start = cpu.tsc;
	ipi_apic_write(v, APIC_TDCR, 11);
	ipi_apic_write(v, APIC_TMICT, MS / 16);
	assert_int_equal(machine_timer, start + MS);
	assert_int_equal(timer_wake(v), start + MS);
	alarm_set(v, REAL | LVTT, start - v->tsc_base + 2 * MS, 0);
	ipi_apic_write(v, APIC_LVTT, VECTOR | MASKED);
	assert_int_equal(timer_wake(v), NEVER);
	assert_int_equal(timer_update(v), start + 2 * MS);
	ipi_apic_write(v, APIC_LVTT, VECTOR);
	assert_int_equal(timer_update(v), start + MS);
	cpu.tsc = start + MS;
	assert_int_equal(timer_update(v), start + 2 * MS);
	assert_int_equal(apic_ack(&guest[0].apic[0]), VECTOR);
	ipi_apic_write(v, APIC_EOI, 0);
	cpu.tsc = start + 2 * MS;
	assert_int_equal(timer_update(v), NEVER);
	assert_int_equal(apic_ack(&guest[0].apic[0]), VECTOR);
}

/* What reached nobody is there when it runs: once. */
static void test_missed(void **state)
{
	struct apic *a = &guest[0].apic[0];

	(void)state;
	ipi_apic_write(v, APIC_LVTT, VECTOR | MASKED);
	program_pic(&guest[0].pic, 0xff);
	alarm_set(v, REAL | LVTT | PERIODIC, cpu.tsc - v->tsc_base + MS, MS);
	alarm_set(v, VMI_CYCLES_AVAILABLE | PERIODIC, cpu.tsc - v->tsc_base +
		  MS, MS);
	start = cpu.tsc;
	v->halted = true;
	v->wake = timer_wake(v);
	assert_int_equal(v->wake, NEVER);
	cpu.tsc += 5 * MS + MS / 2;
	assert_int_equal(v->ran, 0);
	assert_false(a->alarm);
	v->halted = false;
	assert_int_equal(timer_update(v), start + 6 * MS);
	assert_false(event_pending(&guest[0].vcpu[0]));
	ipi_apic_write(v, APIC_LVTT, VECTOR);
	assert_int_equal(apic_ack(a), VECTOR);
	ipi_apic_write(v, APIC_EOI, 0);
	assert_false(event_pending(&guest[0].vcpu[0]));
	pic_out(&guest[0].pic, PIC_MASTER_DATA, 0xfe);
	assert_int_equal(pic_ack(&guest[0].pic), 0x20);
	pic_out(&guest[0].pic, PIC_MASTER_CMD, 0x20);
	assert_false(event_pending(&guest[0].vcpu[0]));
}

/* The PIT goes on while the first vCPU is off. */
static void test_pit_of_the_others(void **state)
{
	struct vcpu *other = &guest[0].vcpu[1];

	(void)state;
	other->g = &guest[0];
	other->apic = &guest[0].apic[1];
	other->pic = &guest[0].pic;
	other->nr = 1;
	apic_init(other->apic, 1, 1000 * MS);
	guest[0].vcpus = 2;
	set_all();
	v->on = other->on = true;
	assert_int_equal(timer_update(other), NEVER);
	assert_int_equal(timer_wake(other), NEVER);
	v->on = false;
	assert_in_range(timer_update(other), start + MS - US, start + MS + US);
	assert_in_range(timer_wake(other), start + MS - US, start + MS + US);
	other->halted = true;
	other->wake = NEVER;
	timer_pit_changed(&guest[0]);
	assert_int_equal(other->wake, 0);
}

/* A clock that is set only ever makes the next interrupt come sooner. */
static void test_set(void **state)
{
	(void)state;
	start = cpu.tsc;
	machine_timer = start + MS;
	alarm_set(v, REAL | LVTT, start - v->tsc_base + 2 * MS, 0);
	assert_int_equal(machine_timer, start + MS);
	alarm_set(v, REAL | LVTT, start - v->tsc_base + MS / 2, 0);
	assert_int_equal(machine_timer, start + MS / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup(name, setup)
		T(test_short_periods),
		T(test_reply),
		T(test_wake),
		T(test_wake_busy),
		T(test_wake_available),
		T(test_apic_timer),
		T(test_missed),
		T(test_set),
		T(test_pit_of_the_others),
	};

	return cmocka_run_group_tests_name("timer", tests, NULL, NULL);
}

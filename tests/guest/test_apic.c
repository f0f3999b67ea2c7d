// SPDX-License-Identifier: GPL-2.0-only
/*
 * The local APIC through the calls, as Linux 2.6.32 uses it on one processor,
 * and the alarms that are wired to it. VMI-3.2.63, VMI-3.7.
 */
#include "guest.h"

#define PLAY_PAGE	12u
#define APIC_BASE	0xfee00000u
#define APIC_ID		0x020u
#define APIC_VERSION	0x030u
#define APIC_TPR	0x080u
#define APIC_EOI	0x0b0u
#define APIC_SVR	0x0f0u
#define APIC_ISR	0x100u
#define APIC_IRR	0x200u
#define APIC_ICR	0x300u
#define APIC_LVTT	0x320u
#define APIC_LVT0	0x350u
#define MASKED		0x10000u
#define SELF		0x40000u
#define ONE_SHOT	0u		/* mode bits of LVTT */
#define PERIODIC	0x20000u

#define VEC_LOW		0x41u
#define VEC_HIGH	0xf1u

#define REAL_LVTT	(VMI_CYCLES_REAL | VMI_ALARM_LVTT)
#define AVAILABLE_LVTT	(VMI_CYCLES_AVAILABLE | VMI_ALARM_LVTT)

static volatile uint32_t low_count, high_count;
static volatile uint32_t high_inside_low;
static volatile bool in_low;

static uint32_t apic_read(uint32_t offset)
{
	return vmi1(APICRead, offset);
}

static void apic_write(uint32_t offset, uint32_t value)
{
	vmi2(APICWrite, offset, value);
}

static void low(struct frame *f)
{
	(void)f;
	low_count++;
	in_low = true;
	/* a higher class comes before our EOI, an equal one does not */
	apic_write(APIC_ICR, SELF | VEC_HIGH);
	vmi0(EnableInterrupts);
	vmi0(DisableInterrupts);
	in_low = false;
	apic_write(APIC_EOI, 0);
}

static void count_low(struct frame *f)
{
	(void)f;
	low_count++;
	apic_write(APIC_EOI, 0);
}

static void count_high(struct frame *f)
{
	(void)f;
	high_count++;
	high_inside_low += in_low;
	apic_write(APIC_EOI, 0);
}

static void let_in(void)
{
	vmi0(EnableInterrupts);
	vmi0(DisableInterrupts);
}

/* A kernel that does not call the ROM for it finds it in memory. */
static void test_page(void)
{
	volatile uint32_t *page = (void *)(PLAY + PLAY_PAGE * PAGE);
	uint32_t before = low_count;

	play_map(PLAY_PAGE, APIC_BASE | PTE_P | PTE_W);
	same(page[APIC_VERSION / 4], apic_read(APIC_VERSION),
	     "its page reads as APICRead does");
	page[APIC_TPR / 4] = 0x35;
	same(apic_read(APIC_TPR), 0x35, "and can be written");
	page[APIC_TPR / 4] = before & 0;
	same(page[APIC_TPR / 4], 0, "and again");
	vmi0(EnableInterrupts);
	page[APIC_ICR / 4] = SELF | VEC_LOW;
	same(low_count, before + 1, "an interrupt by its page comes at once");
	vmi0(DisableInterrupts);
	play_map(PLAY_PAGE, 0);
	vmi1(FlushTLB, VMI_FLUSH_TLB);
}

void test_apic(void)
{
	uint32_t r[4], before;

	if (vmi_type[VMI_CALL_APICRead] != VMI_RELOC_CALL)
		return;
	vmi_cpuid(1, r);
	ok(r[3] & 1u << 9, "CPUID shows the local APIC");
	same(apic_read(APIC_VERSION) & 0xff, 0x14, "APIC version 14h");
	same(apic_read(APIC_ID), r[1] & 0xff000000, "its id is CPUID's");
	same(apic_read(APIC_LVT0) & (MASKED | 0x700), 0x700,
	     "the 8259 comes in through LINT0");
	apic_write(APIC_SVR, apic_read(APIC_SVR) | 0x100);
	apic_write(APIC_TPR, 0);

	vector_hook[VEC_LOW] = count_low;
	vector_hook[VEC_HIGH] = count_high;
	apic_write(APIC_ICR, SELF | VEC_LOW);
	same(low_count, 0, "an interrupt to oneself waits for the flag");
	same(apic_read(APIC_IRR + 0x20) & 2, 2, "and is in IRR");
	let_in();
	same(low_count, 1, "it comes when the flag goes on");
	let_in();
	same(low_count, 1, "and once");
	same(apic_read(APIC_IRR + 0x20) | apic_read(APIC_ISR + 0x20), 0,
	     "EOI leaves neither IRR nor ISR behind");

	vmi0(EnableInterrupts);
	apic_write(APIC_ICR, SELF | VEC_LOW);
	same(low_count, 2, "with the flag on it comes before the call returns");
	vmi0(DisableInterrupts);

	vector_hook[VEC_LOW] = low;
	apic_write(APIC_ICR, SELF | VEC_LOW);
	let_in();
	same(high_inside_low, 1, "a higher class interrupts a handler");
	vector_hook[VEC_LOW] = count_low;

	apic_write(APIC_TPR, 0x40);
	before = low_count;
	apic_write(APIC_ICR, SELF | VEC_LOW);
	let_in();
	same(low_count, before, "TPR holds its class back");
	vmi0(EnableInterrupts);
	apic_write(APIC_TPR, 0);
	vmi0(DisableInterrupts);
	same(low_count, before + 1, "and lets it in when lowered");

	before = irq0_count;
	apic_write(APIC_LVT0, MASKED | 0x700);
	pit_wait();
	let_in();
	same(irq0_count, before, "a masked LINT0 keeps the 8259 out");
	vmi0(EnableInterrupts);
	apic_write(APIC_LVT0, 0x700);
	vmi0(DisableInterrupts);
	same(irq0_count, before + 1, "unmasked it lets the request in");

	before = irq0_count;
	apic_write(APIC_ICR, SELF | VEC_LOW);
	pit_wait();
	let_in();
	ok(irq0_count == before + 1 && low_count, "both controllers are served");

	before = low_count;
	apic_write(APIC_ICR, 0xc0000 | VEC_LOW);	/* all but self */
	apic_write(APIC_ICR, SELF | 0x500);		/* INIT */
	apic_write(APIC_ICR, SELF | 0x400);		/* NMI */
	apic_write(APIC_ICR, SELF | 3);			/* no such vector */
	let_in();
	same(low_count, before, "other interrupts reach nobody");
	costs(MANY, MANY, apic_read(APIC_TPR), "APICRead is one exit");
	test_page();
}

/* ---- alarms ---------------------------------------------------------------- */

/* Until the low vector has come n times. */
static void wait_low(uint32_t n)
{
	uint32_t until = low_count + n;

	while (low_count < until)
		vmi0(Halt);
	vmi0(DisableInterrupts);
}

static void test_wiring(uint64_t hz)
{
	uint32_t before = low_count, irqs = irq0_count;
	uint64_t expiry;

	/* the order of a further processor: the vector comes last */
	apic_write(APIC_LVTT, MASKED);
	set_alarm(REAL_LVTT | VMI_ALARM_PERIODIC, vmi_cycles(), hz >> 8);
	let_in();
	same(low_count, before, "a masked LVTT holds alarms back");
	apic_write(APIC_LVTT, ONE_SHOT | VEC_LOW);
	let_in();
	same(low_count, before + 1, "and lets the one that waits in, once");
	wait_low(3);
	ok(true, "writing LVTT does not end a periodic alarm");
	apic_write(APIC_LVTT, PERIODIC | VEC_LOW);
	wait_low(2);
	same(vmi1(CancelAlarm, REAL_LVTT | VMI_ALARM_PERIODIC), 1,
	     "a periodic alarm by LVTT is cancelled");
	same(irq0_count, irqs, "none of them came by IRQ 0");

	/* the mode of LVTT does not count: one shot stays one shot */
	expiry = vmi_cycles() + (hz >> 8);
	set_alarm(REAL_LVTT, expiry, hz >> 8);
	apic_write(APIC_LVTT, PERIODIC | VEC_HIGH);
	apic_write(APIC_LVTT, PERIODIC | VEC_LOW);
	wait_low(1);
	ok(vmi_cycles() >= expiry, "writing LVTT does not fire an alarm early");
	same(vmi1(CancelAlarm, REAL_LVTT), 0,
	     "a periodic LVTT makes no periodic alarm");

	before = low_count;
	set_alarm(REAL_LVTT, vmi_cycles() - 1, 0);
	let_in();
	same(low_count, before + 1, "an alarm by LVTT in the past fires at once");
	set_alarm(REAL_LVTT, 0, 0);
	let_in();
	same(low_count, before + 2, "at time 0 too");
}

/* One alarm for each counter, one wired here, the other there. */
static void test_counters(uint64_t hz)
{
	uint32_t before = low_count, irqs = irq0_count;
	uint64_t never = ~0ull;

	set_alarm(VMI_CYCLES_REAL, never, 0);
	set_alarm(AVAILABLE_LVTT, vmi_cycles() + (hz >> 8), 0);
	wait_low(1);
	same(irq0_count, irqs, "an alarm of the available counter by LVTT");
	same(vmi1(CancelAlarm, AVAILABLE_LVTT), 0, "it has fired");
	same(vmi1(CancelAlarm, VMI_CYCLES_REAL), 1, "the other is armed still");

	set_alarm(REAL_LVTT, vmi_cycles() + (hz >> 8), 0);
	set_alarm(VMI_CYCLES_AVAILABLE, vmi_cycles(), 0);
	let_in();
	same(irq0_count, irqs + 1, "and the other way round");
	wait_low(1);
	same(low_count, before + 2, "both come");
	same(vmi1(CancelAlarm, 3), 0, "a counter that is none has no alarm");
	set_alarm(0xff, vmi_cycles(), 0);
	let_in();
	same(irq0_count, irqs + 1, "and cannot get one");
}

static void test_extremes(uint64_t hz)
{
	uint32_t before = low_count;
	uint64_t never = ~0ull;

	set_alarm(REAL_LVTT | VMI_ALARM_PERIODIC, 0, never);
	let_in();
	set_alarm(AVAILABLE_LVTT, vmi_cycles() + (hz >> 8), 0);
	wait_low(1);
	same(low_count, before + 2, "the largest period fires once");
	same(vmi1(CancelAlarm, REAL_LVTT), 1, "and is armed for ever");

	before = low_count;
	set_alarm(REAL_LVTT | VMI_ALARM_PERIODIC, vmi_cycles(), 0);
	let_in();
	same(low_count, before + 1, "a period of 0 is one-shot");
	same(vmi1(CancelAlarm, REAL_LVTT), 0, "it is not armed any more");

	set_alarm(REAL_LVTT | VMI_ALARM_PERIODIC, 0, 1);
	wait_low(20);
	same(vmi1(CancelAlarm, REAL_LVTT), 1, "a period of one cycle: we go on");
	let_in();
}

/* VMI-3.7.5: missed periods fire once, and the phase stays. */
static void test_missed(uint64_t hz)
{
	uint64_t period = hz >> 7, start = vmi_cycles(), now;
	uint32_t before = low_count;

	set_alarm(REAL_LVTT | VMI_ALARM_PERIODIC, start, period);
	while (vmi_cycles() - start < period * 5 / 2)
		;
	let_in();
	same(low_count, before + 1, "periods that were missed fire once");
	wait_low(1);
	now = vmi_cycles();
	vmi1(CancelAlarm, REAL_LVTT);
	ok(now - start >= 3 * period, "the next comes in the old phase");
	let_in();
}

void test_alarms(void)
{
	uint64_t hz = cycles_per_second();

	if (vmi_type[VMI_CALL_SetAlarm] != VMI_RELOC_CALL)
		return;
	test_wiring(hz);
	test_counters(hz);
	test_extremes(hz);
	test_missed(hz);
}

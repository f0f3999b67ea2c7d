// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an interrupt costs, and the ROM's windows: interrupts at any instruction
 * of its IRET. What there is to the other calls is in tests/conformance and in
 * "steps" of tests/attack.
 */
#include "suite.h"

static void pending(void)
{
	uint64_t before;
	int events;

	events = counter_find("hc_EVENTS");
	pit_wait();
	before = counter_read(events);
	vmi0(EnableInterrupts);
	vmi0(DisableInterrupts);
	same(counter_read(events) - before, 1,
	     "Enable with one pending asks the hypervisor once");
}

/* ---- interrupts at any instruction ---------------------------------------------------- */

#define ALARMS		1000u

static void alarms_begin(void)
{
	set_alarm(VMI_CYCLES_REAL | VMI_ALARM_PERIODIC, vmi_cycles(),
		  cycles_per_second() >> 12);
}

static void alarms_end(void)
{
	vmi1(CancelAlarm, VMI_ALARM_PERIODIC);
	vmi0(EnableInterrupts);
	vmi0(DisableInterrupts);
}

static void at_iret(void)
{
	const uint32_t begin = irq0_count;
	uint32_t flag_wrong = 0;

	alarms_begin();
	while (irq0_count - begin < ALARMS) {
		iret_to_self();
		flag_wrong += !(vmi0(GetInterruptMask) & EFLAGS_IF);
		vmi0(DisableInterrupts);
	}
	alarms_end();
	same(flag_wrong, 0, "interrupts at any place of IRET: the flag is right");
	same(irq0_in_iret, 0, "no interrupt between the flag and the return");
}

void test_interrupts(void)
{
	pending();
	at_iret();
}

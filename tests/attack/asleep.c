// SPDX-License-Identifier: GPL-2.0-only
/*
 * Alarms that reach nobody while their guest is halted, for which the
 * hypervisor does nothing meanwhile. STUB-11, VMI-3.7.4, VMI-3.7.5: what was
 * missed comes once, when something lets it through.
 */
#include "attack.h"

#define LVTT_VECTOR	0x40u
#define APIC_TPR	0x80u
#define APIC_EOI	0xb0u
#define APIC_SPURIOUS	0xf0u
#define APIC_LVTT	0x320u
#define APIC_LVT0	0x350u
#define LVT_MASKED	0x10000u
#define LVT_EXTINT	0x700u

static volatile uint32_t alarms;

static void count(struct frame *f)
{
	(void)f;
	alarms++;
	vmi2(APICWrite, APIC_EOI, 0);
}

/* In the way of alarms by LVTT, and by IRQ 0. */
enum barrier { BY_LVTT, BY_PRIORITY, BY_8259, BY_LVT0 };

static void close(enum barrier barrier, bool closed)
{
	switch (barrier) {
	case BY_LVTT:
		vmi2(APICWrite, APIC_LVTT, LVTT_VECTOR |
		     (closed ? LVT_MASKED : 0));
		break;
	case BY_PRIORITY:
		vmi2(APICWrite, APIC_TPR, closed ? LVTT_VECTOR : 0);
		break;
	case BY_8259:
		outb(0x21, closed ? 0xff : 0xfe);
		break;
	case BY_LVT0:
		vmi2(APICWrite, APIC_LVT0, LVT_EXTINT |
		     (closed ? LVT_MASKED : 0));
		break;
	}
}

/* The real alarm, each millisecond, is missed; the other one ends our sleep. */
static void asleep(uint32_t barrier)
{
	const uint32_t ms = (uint32_t)cycles_per_second() / 1000;
	const bool lvtt = barrier == BY_LVTT || barrier == BY_PRIORITY;
	uint64_t now = vmi_cycles();

	pic_init();
	vector_hook[LVTT_VECTOR] = count;
	vmi2(APICWrite, APIC_SPURIOUS, 0x1ff);
	vmi2(APICWrite, APIC_LVTT, LVTT_VECTOR);
	close(barrier, true);
	set_alarm(VMI_CYCLES_REAL | VMI_ALARM_PERIODIC |
		  (lvtt ? VMI_ALARM_LVTT : 0), now + ms, ms);
	set_alarm(VMI_CYCLES_AVAILABLE | (lvtt ? 0 : VMI_ALARM_LVTT),
		  now + 8 * ms, 0);
	vmi0(Halt);
	vmi0(DisableInterrupts);
	ok(vmi_cycles() - now >= 8 * ms, "only the other one wakes us");
	same(lvtt ? irq0_count : alarms, 1, "by its interrupt");
	same(lvtt ? alarms : irq0_count, 0, "and by no other");
	close(barrier, false);
	vmi1(CancelAlarm, VMI_CYCLES_REAL);
	vmi0(EnableInterrupts);
	vmi0(DisableInterrupts);
	same(lvtt ? alarms : irq0_count, 1, "what was missed comes once");
}

const struct attack asleep_cases[] = {
	CASE_ARG("asleep_lvtt", asleep, BY_LVTT),
	CASE_ARG("asleep_priority", asleep, BY_PRIORITY),
	CASE_ARG("asleep_8259", asleep, BY_8259),
	CASE_ARG("asleep_lvt0", asleep, BY_LVT0),
	CASES_END
};

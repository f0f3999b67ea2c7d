// SPDX-License-Identifier: GPL-2.0-only
/* The local APIC, and alarms by its LVTT: VMI-3.2.63, VMI-3.7. */
#include "conf.h"

#define APIC_VERSION	0x030u
#define APIC_TPR	0x080u
#define APIC_EOI	0x0b0u
#define APIC_SVR	0x0f0u
#define APIC_ISR	0x100u
#define APIC_IRR	0x200u
#define APIC_ICR	0x300u
#define APIC_LVTT	0x320u
#define APIC_LVT0	0x350u
#define APIC_BASE	0xfee00000u
#define ICR_SELF	0x40000u
#define ICR_ALL_BUT_SELF 0xc0000u
#define ICR_INIT	0x500u
#define ICR_NMI		0x400u
#define HIGH_VECTOR	0xf1u
#define LVT_MASKED	0x10000u
#define LVTT_PERIODIC	0x20000u
#define SVR_ENABLE	0x100u
#define VECTOR		0x41u
#define VECTOR_BANK	((VECTOR >> 5) * 0x10)	/* of IRR and ISR */
#define VECTOR_BIT	(1u << (VECTOR & 31))

#define LVTT_ALARM	(VMI_CYCLES_REAL | VMI_ALARM_LVTT)

static volatile uint32_t came;
static uint32_t isr_inside, high_inside;
static bool raise_high;

static uint32_t read_apic(uint32_t offset)
{
	return vmi1(APICRead, offset);
}

static void write_apic(uint32_t offset, uint32_t value)
{
	vmi2(APICWrite, offset, value);
}

static void on_high(struct frame *f)
{
	(void)f;
	high_inside += raise_high;
	write_apic(APIC_EOI, 0);
}

static void on_vector(struct frame *f)
{
	(void)f;
	came++;
	if (raise_high) {		/* before our EOI */
		write_apic(APIC_ICR, ICR_SELF | HIGH_VECTOR);
		vmi0(EnableInterrupts);
		vmi0(DisableInterrupts);
	}
	isr_inside = read_apic(APIC_ISR + VECTOR_BANK);
	write_apic(APIC_EOI, 0);
}

static uint32_t take(void)
{
	const uint32_t before = came;

	for (int i = 0; i < 100; i++) {
		vmi0(EnableInterrupts);
		vmi0(DisableInterrupts);
	}
	return came - before;
}

static void registers_and_priorities(void)
{
	uint32_t old;

	point("3.2.63", (read_apic(APIC_VERSION) & 0xf0) == 0x10,
	      "APICRead of the version register");
	write_apic(APIC_SVR, read_apic(APIC_SVR) | SVR_ENABLE);
	is("3.2.63", read_apic(APIC_SVR) & SVR_ENABLE, SVR_ENABLE,
	   "APICWrite to SVR turns it on");
	old = read_apic(APIC_TPR);
	write_apic(APIC_TPR, 0x20);
	is("3.2.63", read_apic(APIC_TPR), 0x20, "APICWrite to TPR is read back");
	write_apic(APIC_TPR, 0);

	vector_hook[VECTOR] = on_vector;
	write_apic(APIC_ICR, ICR_SELF | VECTOR);
	is("3.6.1", came, 0, "an interrupt to oneself waits for the flag");
	is("3.2.63", read_apic(APIC_IRR + VECTOR_BANK) & VECTOR_BIT, VECTOR_BIT,
	   "and is in IRR");
	is("3.6.2", take(), 1, "it is delivered once when the flag goes on");
	is("3.2.63", isr_inside & VECTOR_BIT, VECTOR_BIT,
	   "ISR has it inside the handler");
	is("3.2.63", (read_apic(APIC_IRR + VECTOR_BANK) |
		      read_apic(APIC_ISR + VECTOR_BANK)) & VECTOR_BIT, 0,
	   "neither has it after EOI");
	vmi0(EnableInterrupts);
	old = came;
	write_apic(APIC_ICR, ICR_SELF | VECTOR);
	is("3.6.2", came, old + 1, "with the flag on it comes at once");
	vmi0(DisableInterrupts);
	write_apic(APIC_TPR, 0x50);
	write_apic(APIC_ICR, ICR_SELF | VECTOR);
	is("3.2.63", take(), 0, "TPR holds back what is of its class or below");
	write_apic(APIC_TPR, 0);
	is("3.2.63", take(), 1, "until it is lowered");

	vector_hook[HIGH_VECTOR] = on_high;
	raise_high = true;
	write_apic(APIC_ICR, ICR_SELF | VECTOR);
	take();
	raise_high = false;
	is("3.2.63", high_inside, 1, "a higher class interrupts a handler");

	old = came;
	write_apic(APIC_ICR, ICR_ALL_BUT_SELF | VECTOR);
	write_apic(APIC_ICR, ICR_SELF | ICR_INIT);
	write_apic(APIC_ICR, ICR_SELF | ICR_NMI);
	write_apic(APIC_ICR, ICR_SELF | 3);
	is("3.2.63", take(), 0, "to all others, INIT, NMI, vector 3: nobody");
	is("3.2.63", came, old, "has got one");
}

/* Through LINT0, as a PC's firmware leaves it. */
static void the_8259(void)
{
	const uint32_t lvt0 = read_apic(APIC_LVT0);
	uint32_t old = irq0_count;

	pit_wait();
	take();
	is("3.2.63", irq0_count, old + 1, "the 8259 comes through as before");
	old = irq0_count;
	write_apic(APIC_LVT0, lvt0 | LVT_MASKED);
	pit_wait();
	take();
	is("3.2.63", irq0_count, old, "a masked LINT0 keeps it out");
	write_apic(APIC_LVT0, lvt0);
	take();
	is("3.2.63", irq0_count, old + 1, "unmasked it lets the request in");
	old = irq0_count;
	write_apic(APIC_ICR, ICR_SELF | VECTOR);
	pit_wait();
	is("3.2.63", take(), 1, "both controllers are served");
	is("3.2.63", irq0_count, old + 1, "each once");
}

/* A kernel that does not call the ROM for it finds it in memory. */
static void its_page(void)
{
	volatile uint32_t *const page = (void *)play_va(PLAY_FIRST);

	play_map(PLAY_FIRST, APIC_BASE | PTE_P | PTE_W);
	flush();
	is("1.4", page[APIC_VERSION / 4], read_apic(APIC_VERSION),
	   "its page reads as APICRead does");
	page[APIC_TPR / 4] = 0x35;
	is("1.4", read_apic(APIC_TPR), 0x35, "and can be written");
	page[APIC_TPR / 4] = 0;
	page[APIC_ICR / 4] = ICR_SELF | VECTOR;
	is("1.4", take(), 1, "an interrupt by its page");
	play_map(PLAY_FIRST, 0);
	flush();
}

static void halt_for(uint32_t count)
{
	while (came < count)
		vmi0(Halt);
	vmi0(DisableInterrupts);
}

static void alarms(void)
{
	const uint64_t tick = vmi64(VMI_CALL_GetCycleFrequency, 0) >> 7;
	uint32_t irqs, before;
	uint64_t expiry;

	write_apic(APIC_LVTT, VECTOR);
	irqs = irq0_count;
	arm(LVTT_ALARM, vmi_cycles() - 1, 0);
	is("3.7.3", take(), 1, "an alarm by LVTT comes by its vector");
	is("3.7.3", irq0_count, irqs, "and not as IRQ 0");
	before = came;
	expiry = vmi_cycles() + tick;
	arm(LVTT_ALARM, expiry, 0);
	halt_for(before + 1);
	point("3.7.6", vmi_cycles() >= expiry,
	      "it wakes a halted processor, not early");

	arm(LVTT_ALARM, vmi_cycles() + (tick << 12), 0);
	write_apic(APIC_LVTT, VECTOR);
	is("3.7.8", vmi1(CancelAlarm, LVTT_ALARM), 1,
	   "writing LVTT does not end an alarm");
	before = came;
	expiry = vmi_cycles() + tick;
	arm(LVTT_ALARM | VMI_ALARM_PERIODIC, expiry, tick);
	write_apic(APIC_LVTT, VECTOR);		/* one-shot by its mode bits */
	halt_for(before + 3);
	point("3.7.8", vmi_cycles() >= expiry + 2 * tick,
	      "nor does it change its expiry and period");
	write_apic(APIC_LVTT, LVT_MASKED | VECTOR);
	take();
	before = came;
	while (vmi_cycles() < expiry + 6 * tick)
		;
	is("3.7.8", take(), 0, "masked there it does not come");
	is("3.7.7", vmi1(CancelAlarm, LVTT_ALARM | VMI_ALARM_PERIODIC), 1,
	   "and is armed all the time");
	write_apic(APIC_LVTT, VECTOR);
	take();
	arm(VMI_CYCLES_REAL, vmi_cycles() - 1, 0);
	irqs = irq0_count;
	take();
	is("3.7.3", irq0_count - irqs, 1, "IRQ 0 alarms stay IRQ 0 alarms");
}

static void masked_alarms(void)
{
	const uint64_t tick = vmi64(VMI_CALL_GetCycleFrequency, 0) >> 7;
	uint64_t expiry;

	/* as on a further processor: the vector comes last */
	write_apic(APIC_LVTT, LVT_MASKED);
	arm(LVTT_ALARM | VMI_ALARM_PERIODIC, vmi_cycles(), tick);
	is("3.7.8", take(), 0, "an alarm that is masked waits");
	write_apic(APIC_LVTT, VECTOR);
	point("3.7.8", take() > 0, "and comes when LVTT lets it");
	vmi1(CancelAlarm, LVTT_ALARM);
	take();

	/* the mode of LVTT does not count: one shot stays one shot */
	expiry = vmi_cycles() + tick;
	arm(LVTT_ALARM, expiry, tick);
	write_apic(APIC_LVTT, LVTT_PERIODIC | HIGH_VECTOR);
	write_apic(APIC_LVTT, LVTT_PERIODIC | VECTOR);
	halt_for(came + 1);
	point("3.7.8", vmi_cycles() >= expiry,
	      "writing LVTT does not fire an alarm early");
	is("3.7.8", vmi1(CancelAlarm, LVTT_ALARM), 0,
	   "a periodic LVTT makes no periodic alarm");
	write_apic(APIC_LVTT, VECTOR);
}

static void extremes(void)
{
	const uint32_t available = VMI_CYCLES_AVAILABLE | VMI_ALARM_LVTT;
	const uint64_t tick = vmi64(VMI_CALL_GetCycleFrequency, 0) >> 7;
	uint32_t irqs = irq0_count;

	arm(VMI_CYCLES_REAL, ~0ull, 0);
	arm(available, vmi_cycles(), 0);	/* which is ahead of it */
	halt_for(came + 1);
	is("3.7.3", irq0_count, irqs,
	   "an alarm of the available counter by LVTT");
	is("3.7.7", vmi1(CancelAlarm, available), 0, "has fired");
	is("3.7.7", vmi1(CancelAlarm, VMI_CYCLES_REAL), 1,
	   "and the other is armed still");
	arm(LVTT_ALARM, vmi_cycles() + tick, 0);
	arm(VMI_CYCLES_AVAILABLE, 0, 0);
	irqs = irq0_count;
	halt_for(came + 1);
	is("3.7.3", irq0_count, irqs + 1, "and the other way round");
	arm(LVTT_ALARM | VMI_ALARM_PERIODIC, 0, ~0ull);
	is("3.7.5", take(), 1, "the longest period fires once");
	is("3.7.7", vmi1(CancelAlarm, LVTT_ALARM), 1, "and is armed for ever");
}

void apic(void)
{
	if (!offered(VMI_CALL_APICRead) || !offered(VMI_CALL_APICWrite)) {
		skip("3.2.63", "the local APIC", "APICRead is not offered");
		skip("3.7.8", "alarms by LVTT", "APICWrite is not offered");
	} else {
		registers_and_priorities();
		the_8259();
		its_page();
		if (offered(VMI_CALL_SetAlarm)) {
			alarms();
			masked_alarms();
			extremes();
		}
	}
}

// SPDX-License-Identifier: GPL-2.0-only
/* The local APIC and alarms through it; what this suite cannot do yet. */
#include "conf.h"

#define APIC_VERSION	0x030u
#define APIC_TPR	0x080u
#define APIC_EOI	0x0b0u
#define APIC_SVR	0x0f0u
#define APIC_ISR	0x100u
#define APIC_IRR	0x200u
#define APIC_ICR	0x300u
#define APIC_LVTT	0x320u
#define ICR_SELF	0x40000u
#define LVT_MASKED	0x10000u
#define SVR_ENABLE	0x100u
#define VECTOR		0x41u
#define VECTOR_BANK	((VECTOR >> 5) * 0x10)	/* of IRR and ISR */
#define VECTOR_BIT	(1u << (VECTOR & 31))

#define LVTT_ALARM	(VMI_CYCLES_REAL | VMI_ALARM_LVTT)

static volatile uint32_t came;
static uint32_t isr_inside;

static uint32_t read_apic(uint32_t offset)
{
	return vmi1(APICRead, offset);
}

static void write_apic(uint32_t offset, uint32_t value)
{
	vmi2(APICWrite, offset, value);
}

static void on_vector(struct frame *f)
{
	(void)f;
	came++;
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

static void apic(void)
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

	old = irq0_count;
	pit_wait();
	vmi0(EnableInterrupts);
	vmi0(DisableInterrupts);
	is("3.2.63", irq0_count, old + 1, "the 8259 comes through as before");
}

static uint64_t cycle_frequency(void)
{
	uint32_t eax = 0, edx;

	__asm__ volatile("call *%2" : "+a"(eax), "=d"(edx)
			 : "r"(vmi_entry[VMI_CALL_GetCycleFrequency])
			 : "ecx", "memory", "cc");
	return (uint64_t)edx << 32 | eax;
}

static void halt_for(uint32_t count)
{
	while (came < count)
		vmi0(Halt);
	vmi0(DisableInterrupts);
}

static void alarms(void)
{
	const uint64_t tick = cycle_frequency() >> 7;
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

/* ---- ring 0 --------------------------------------------------------------- */

static uint32_t pushf_flag(void)
{
	uint32_t flags;

	__asm__ volatile("pushfl\n\tpopl %0" : "=r"(flags));
	return flags & EFLAGS_IF;
}

static void own_flag(void)
{
	bool same_flag = true;

	if (kernel_ring()) {
		skip("2.5.11", "the processor's own interrupt flag",
		     "the kernel is not at ring 0");
		return;
	}
	for (int on = 0; on < 2; on++) {
		vmi1(SetInterruptMask, on ? EFLAGS_IF : 0);
		same_flag &= pushf_flag() == (on ? EFLAGS_IF : 0);
		__asm__ volatile("cli");
		same_flag &= !(vmi0(GetInterruptMask) & EFLAGS_IF);
	}
	point("2.5.11", same_flag, "at ring 0 the flag is the processor's");
}

void rest(void)
{
	own_flag();
	if (offered(VMI_CALL_APICRead) && offered(VMI_CALL_APICWrite)) {
		apic();
		if (offered(VMI_CALL_SetAlarm))
			alarms();
	} else {
		skip("3.2.63", "the local APIC", "APICRead is not offered");
		skip("3.7.8", "alarms by LVTT", "APICWrite is not offered");
	}
	skip("3.2.62", "SetInitialAPState",
	     offered(VMI_CALL_SetInitialAPState) ? "one processor" :
	     "not offered");
}

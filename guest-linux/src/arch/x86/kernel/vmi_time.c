// SPDX-License-Identifier: GPL-2.0-only
/*
 * Time from a VMI ROM: one cycle counter that runs at a known and constant
 * rate from VMI_Init on, and an alarm on it that raises IRQ 0 or, if there are
 * several processors, the interrupt of each one's local timer (VMI-3.7). Used
 * if the ROM offers GetCycleFrequency; else the PIT and the TSC serve, as on
 * bare hardware.
 */
#define pr_fmt(fmt) "VMI: " fmt

#include <linux/clockchips.h>
#include <linux/clocksource.h>
#include <linux/i8253.h>
#include <linux/interrupt.h>
#include <linux/jiffies.h>
#include <linux/math64.h>
#include <linux/percpu.h>
#include <linux/static_call.h>
#include <linux/time64.h>

#include <asm/apic.h>
#include <asm/cpufeature.h>
#include <asm/irq_vectors.h>
#include <asm/paravirt.h>
#include <asm/time.h>
#include <asm/timer.h>
#include <asm/x86_init.h>

#include "vmi_client.h"

static struct {
	u64 (*get_frequency)(void);
	u64 (*get_counter)(u32 which);
	void (*set_alarm)(u32 flags, u64 expiry, u64 period);
	u32 (*cancel_alarm)(u32 flags);
	u64 (*get_wallclock)(void);
} vmi __ro_after_init;

static u64 vmi_hz __ro_after_init;
static u32 vmi_ns_mult __ro_after_init, vmi_ns_shift __ro_after_init;

/* ---- clocks -------------------------------------------------------------- */

static u64 vmi_clocksource_read(struct clocksource *cs)
{
	return vmi.get_counter(VMI_CYCLES_REAL);
}

static struct clocksource vmi_clocksource = {
	.name	= "vmi",
	.rating	= 450,		/* above the TSC: it survives a migration */
	.read	= vmi_clocksource_read,
	.mask	= CLOCKSOURCE_MASK(64),
	.flags	= CLOCK_SOURCE_IS_CONTINUOUS,
};

static u64 vmi_counter_ns(u32 which)
{
	return mul_u64_u32_shr(vmi.get_counter(which), vmi_ns_mult,
			       vmi_ns_shift);
}

/*
 * The scheduler is not to charge for time that was stolen, and compares the
 * clocks of processors. So one processor alone has this clock ...
 */
static u64 vmi_available_clock(void)
{
	return vmi_counter_ns(VMI_CYCLES_AVAILABLE);
}

/* ... and several have that one, and the scheduler takes the rest off. */
static u64 vmi_real_clock(void)
{
	return vmi_counter_ns(VMI_CYCLES_REAL);
}

/* The counter is this processor's. Of others there is what they saw last. */
static DEFINE_PER_CPU(atomic64_t, vmi_stolen);

static u64 vmi_steal_clock(int cpu)
{
	if (cpu == smp_processor_id())
		atomic64_set(this_cpu_ptr(&vmi_stolen),
			     vmi_counter_ns(VMI_CYCLES_STOLEN));
	return atomic64_read(per_cpu_ptr(&vmi_stolen, cpu));
}

static unsigned long vmi_tsc_khz(void)
{
	return div_u64(vmi_hz, 1000);
}

static void vmi_get_wallclock(struct timespec64 *now)
{
	*now = ns_to_timespec64(vmi.get_wallclock());
}

/* The wall clock is the hypervisor's. */
static int vmi_set_wallclock(const struct timespec64 *now)
{
	return -ENODEV;
}

/* ---- the alarm ----------------------------------------------------------- */

/* The one that comes as IRQ 0. */
static struct clock_event_device vmi_irq0_event;

/* The counter, and how the alarm comes. */
static u32 vmi_alarm(const struct clock_event_device *evt)
{
	return VMI_CYCLES_REAL | (evt == &vmi_irq0_event ? 0 : VMI_ALARM_LVTT);
}

static int vmi_set_periodic(struct clock_event_device *evt)
{
	vmi.set_alarm(vmi_alarm(evt) | VMI_ALARM_PERIODIC,
		      vmi.get_counter(VMI_CYCLES_REAL), div_u64(vmi_hz, HZ));
	return 0;
}

static int vmi_set_next_event(unsigned long delta,
			      struct clock_event_device *evt)
{
	vmi.set_alarm(vmi_alarm(evt),
		      vmi.get_counter(VMI_CYCLES_REAL) + delta, 0);
	return 0;
}

static int vmi_shutdown_alarm(struct clock_event_device *evt)
{
	vmi.cancel_alarm(clockevent_state_periodic(evt) ?
			 vmi_alarm(evt) | VMI_ALARM_PERIODIC :
			 vmi_alarm(evt));
	return 0;
}

static const struct clock_event_device vmi_clockevent = {
	.name			= "vmi",
	/* PERCPU: not for broadcasts, its shutdown would be the next one's */
	.features		= CLOCK_EVT_FEAT_PERIODIC |
				  CLOCK_EVT_FEAT_ONESHOT |
				  CLOCK_EVT_FEAT_PERCPU,
	.set_state_periodic	= vmi_set_periodic,
	.set_state_shutdown	= vmi_shutdown_alarm,
	.set_next_event		= vmi_set_next_event,
};

static void vmi_register_alarm(struct clock_event_device *evt, int rating,
			       int irq)
{
	*evt = vmi_clockevent;
	evt->rating = rating;
	evt->irq = irq;
	evt->cpumask = cpumask_of(smp_processor_id());
	/*
	 * The interface takes 32 bits of frequency. Above that an event comes
	 * a little early, which its user notices and sets it again.
	 */
	clockevents_config_and_register(evt, min_t(u64, vmi_hz, U32_MAX),
					1, 0x7fffffff);
}

static irqreturn_t vmi_timer_interrupt(int irq, void *device)
{
	vmi_irq0_event.event_handler(&vmi_irq0_event);
	return IRQ_HANDLED;
}

static void __init vmi_timer_init(void)
{
	/* Channel 0 of the PIT shares IRQ 0: mode 5 keeps it quiet. */
	outb_p(0x3a, PIT_MODE);

	if (request_irq(0, vmi_timer_interrupt,
			IRQF_TIMER | IRQF_NOBALANCING | IRQF_IRQPOLL,
			"vmi-timer", NULL))
		panic("VMI: IRQ 0 is taken");
	vmi_register_alarm(&vmi_irq0_event, 1000, 0);
	/* An I/O APIC is to take over IRQ 0. */
	global_clock_event = &vmi_irq0_event;

	if (num_possible_cpus() > 1)
		paravirt_set_sched_clock(vmi_real_clock);
}

#ifdef CONFIG_X86_LOCAL_APIC
/*
 * On each processor, if there is a table of them: the alarm is its local timer
 * from now on. The boot processor leaves IRQ 0.
 */
static void vmi_setup_local_timer(void)
{
	/* A counter has one alarm: who gives it up is not to cancel it. */
	vmi_irq0_event.set_state_shutdown = NULL;
	apic_write(APIC_LVTT, LOCAL_TIMER_VECTOR);
	vmi_register_alarm(this_cpu_ptr(&lapic_events), 1001, -1);
}
#endif

/* ---- start --------------------------------------------------------------- */

static void __init vmi_sched_clock_init(void)
{
	clocks_calc_mult_shift(&vmi_ns_mult, &vmi_ns_shift, vmi_tsc_khz(),
			       NSEC_PER_MSEC, 0);
	paravirt_set_sched_clock(vmi_available_clock);
	static_call_update(pv_steal_clock, vmi_steal_clock);
}

static int __init vmi_clocksource_init(void)
{
	if (!vmi_hz)
		return 0;
	static_key_slow_inc(&paravirt_steal_enabled);
	/* vmi_available_clock() leaves out what was stolen. */
	if (num_possible_cpus() > 1)
		static_key_slow_inc(&paravirt_steal_rq_enabled);
	return clocksource_register_khz(&vmi_clocksource, vmi_tsc_khz());
}
device_initcall(vmi_clocksource_init);

void __init vmi_time_init(void)
{
	vmi.get_frequency = vmi_function(VMI_CALL_GetCycleFrequency);
	if (!vmi.get_frequency)
		return;
	vmi.get_counter = vmi_function(VMI_CALL_GetCycleCounter);
	vmi.set_alarm = vmi_function(VMI_CALL_SetAlarm);
	vmi.cancel_alarm = vmi_function(VMI_CALL_CancelAlarm);
	vmi.get_wallclock = vmi_function(VMI_CALL_GetWallclockTime);
	if (!vmi.get_counter || !vmi.set_alarm || !vmi.cancel_alarm ||
	    !vmi.get_wallclock) {
		pr_warn("timer calls are incomplete, not used\n");
		return;
	}

	vmi_hz = vmi.get_frequency();
	x86_platform.calibrate_cpu = vmi_tsc_khz;
	x86_platform.calibrate_tsc = vmi_tsc_khz;
	x86_platform.get_wallclock = vmi_get_wallclock;
	x86_platform.set_wallclock = vmi_set_wallclock;
	x86_init.timers.timer_init = vmi_timer_init;
#ifdef CONFIG_X86_LOCAL_APIC
	x86_init.timers.setup_percpu_clockev = vmi_setup_local_timer;
	x86_cpuinit.setup_percpu_clockev = vmi_setup_local_timer;
	/* How long IRQ 0 takes depends on who else runs. */
	no_timer_check = 1;
#endif
	/* It ticks as the counter does: nothing to measure, or to compare. */
	setup_force_cpu_cap(X86_FEATURE_TSC_RELIABLE);
	setup_force_cpu_cap(X86_FEATURE_TSC_KNOWN_FREQ);
	preset_lpj = div_u64(vmi_hz, HZ);
	/* Static calls cannot be changed before setup_arch(). */
	x86_init.oem.arch_setup = vmi_sched_clock_init;
}

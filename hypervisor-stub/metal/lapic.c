// SPDX-License-Identifier: GPL-2.0-only
/*
 * The processors' local APICs (SDM Vol. 3, chapter 11): timers and interrupts
 * between processors. As x2APIC, by MSRs, if the processor has that. Behind
 * processor 0's pin LINT0 are the 8259s (virtual wire), of which the serial
 * port alone is heard, behind LINT1 are NMIs of the machine.
 */
#include <host.h>
#include <port.h>

#include "devices.h"
#include "metal.h"

#define MSR_BASE	0x1b
#define BASE_BSP	(1u << 8)
#define BASE_EXTD	(1u << 10)	/* x2APIC */
#define BASE_EN		(1u << 11)
#define MSR_X2APIC	0x800		/* + register / 16 */
#define MSR_DEADLINE	0x6e0

#define ID		0x20
#define TPR		0x80
#define EOI		0xb0
#define LDR		0xd0
#define DFR		0xe0
#define DFR_FLAT	UINT32_MAX
#define SPURIOUS	0xf0
#define SPURIOUS_ENABLE	0x100u
#define ICR		0x300
#define ICR_PENDING	0x1000u
#define ICR_HIGH	0x310
#define LVT_TIMER	0x320
#define LVT_COUNTERS	0x340
#define LVT_LINT0	0x350
#define LVT_LINT1	0x360
#define LVT_ERROR	0x370
#define LVT_NMI		0x400u
#define LVT_EXTINT	0x700u
#define LVT_MASKED	0x10000u
#define LVT_DEADLINE	0x40000u
#define TIMER_START	0x380
#define TIMER_COUNT	0x390
#define TIMER_DIVIDE	0x3e0

#define IRQ_SPURIOUS	15		/* a vector with bits 3-0 set */

static bool x2apic, deadline;
static uint32_t divide;		/* the timer's clock, by 2 to this */
static uint64_t counts;			/* of it in 2^32 TSC cycles */
static uint64_t programmed[HOST_CPUS];	/* TSC of the next interrupt */

static volatile uint32_t *memory(uint32_t reg)
{
	return host_va(LAPIC + reg);
}

static uint32_t get(uint32_t reg)
{
	return x2apic ? rdmsr(MSR_X2APIC + reg / 16) : *memory(reg);
}

static void set(uint32_t reg, uint32_t value)
{
	if (x2apic)
		wrmsr(MSR_X2APIC + reg / 16, value);
	else
		*memory(reg) = value;
}

/* ---- interrupts --------------------------------------------------------- */

uint32_t lapic_id(void)
{
	return x2apic ? get(ID) : get(ID) >> 24;
}

bool lapic_reaches(uint32_t id)
{
	return x2apic ? id < UINT32_MAX : id < 0xff;	/* that is all of them */
}

/* What was written before is seen by who is interrupted. */
void lapic_send(uint32_t id, uint32_t command)
{
	if (x2apic) {
		asm volatile("mfence; lfence" : : : "memory");
		wrmsr(MSR_X2APIC + ICR / 16, (uint64_t)id << 32 | command);
		return;
	}
	while (get(ICR) & ICR_PENDING)
		cpu_relax();
	set(ICR_HIGH, id << 24);
	set(ICR, command);
}

void host_irq_ack(int irq)
{
	if (irq == IRQ_COM1) {
		outb(PIC_MASTER_CMD, PIC_EOI);
	} else if (irq == IRQ_TIMER || irq == IRQ_KICK) {
		set(EOI, 0);
		if (irq == IRQ_TIMER)
			programmed[host_cpu()] = UINT64_MAX;
	} else {
		virtio_ack(irq);	/* what is not theirs is spurious */
	}
}

/* ---- the timer ---------------------------------------------------------- */

void host_timer(uint64_t at)
{
	uint64_t *last = &programmed[host_cpu()], now, cycles;

	if (at == *last)
		return;
	*last = at;
	if (deadline) {
		wrmsr(MSR_DEADLINE, at == UINT64_MAX ? 0 : at | 1);
		return;
	}
	if (at == UINT64_MAX) {
		set(TIMER_START, 0);	/* stops it */
		return;
	}
	now = rdtsc();
	cycles = at > now ? at - now : 0;
	if (cycles > host_tsc_hz)
		cycles = host_tsc_hz;
	set(TIMER_START, (cycles * counts >> 32) + 1);
}

void host_timer_before(uint64_t at)
{
	if (at < programmed[host_cpu()])
		host_timer(at);
}

/* The count and the TSC at one time, as nearly as eight looks can tell. */
static uint32_t look(uint64_t *tsc)
{
	uint64_t best = UINT64_MAX, before, after;
	uint32_t count, found = 0;
	int i;

	for (i = 0; i < 8; i++) {
		before = rdtsc();
		count = get(TIMER_COUNT);
		after = rdtsc();
		if (after - before >= best)
			continue;
		best = after - before;
		*tsc = before + best / 2;
		found = count;
	}
	return found;
}

static void set_divide(void)
{
	uint32_t code = divide - 1;	/* of 0 it is 111b */

	set(TIMER_DIVIDE, (code & 3) | (code & 4) << 1);
}

/* How far it counts while the TSC is measured. A second has to fit. */
static uint32_t first_count;
static uint64_t first_tsc;

void lapic_measured(void)
{
	uint64_t tsc;
	uint32_t count;

	if (deadline)
		return;
	count = first_count - look(&tsc);
	set(TIMER_START, 0);
	counts = ((uint64_t)count << 32) / (tsc - first_tsc);
	while ((host_tsc_hz >> 8) * counts >> 55) {
		divide++;
		counts /= 2;
	}
	set_divide();
}

/* ---- set-up ------------------------------------------------------------- */

void lapic_start(void)
{
	uint32_t self = host_cpu();
	uint64_t base = rdmsr(MSR_BASE);

	/* Not from off to x2APIC at once (SDM Vol. 3, 11.12.5). */
	if (!(base & BASE_EXTD)) {
		base = LAPIC | BASE_EN | (base & BASE_BSP);
		wrmsr(MSR_BASE, base);
		if (x2apic)
			wrmsr(MSR_BASE, base | BASE_EXTD);
	}
	set(SPURIOUS, SPURIOUS_ENABLE | (IRQ_BASE + IRQ_SPURIOUS));
	set(TPR, 0);
	if (!x2apic) {
		set(DFR, DFR_FLAT);
		set(LDR, LOGICAL_ALL << 24);
	}
	set(LVT_LINT0, self ? LVT_MASKED : LVT_EXTINT);
	set(LVT_LINT1, self ? LVT_MASKED : LVT_NMI);
	set(LVT_ERROR, LVT_MASKED);
	set(LVT_COUNTERS, LVT_MASKED);
	set(TIMER_START, 0);
	set_divide();
	set(LVT_TIMER, (IRQ_BASE + IRQ_TIMER) | (deadline ? LVT_DEADLINE : 0));
	/* Before the first deadline (SDM Vol. 3, 11.5.4.1). */
	asm volatile("mfence" : : : "memory");
	programmed[self] = UINT64_MAX;
}

void lapic_init(uint32_t leaf1_ecx)
{
	x2apic = leaf1_ecx & CPUID1_X2APIC;
	deadline = leaf1_ecx & CPUID1_DEADLINE;
	divide = 4;
	lapic_start();
	if (deadline)
		return;
	set(TIMER_START, UINT32_MAX);
	first_count = look(&first_tsc);
}

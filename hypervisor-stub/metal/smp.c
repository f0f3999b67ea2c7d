// SPDX-License-Identifier: GPL-2.0-only
/*
 * The machine's processors: which there are, what each of them needs, how the
 * others are started (SDM Vol. 3, 9.4.4) and stopped. While they start, a page
 * below 1 MB has their first instructions; then it has again what was there.
 */
#include <cpu.h>
#include <string.h>

#include "core.h"
#include "log.h"
#include "metal.h"
#include "port.h"
#include "smp.h"
#include "x86.h"

#define MSR_SYSENTER_CS	0x174
#define MSR_PAT		0x277
#define PAT_RESET	0x0007040600070406ull	/* SDM Vol. 3, 12.12.4 */

uint32_t host_cpus = 1;
uint64_t start_stack;			/* for the one that starts */
static uint32_t apic_id[HOST_CPUS];
static uint32_t arrived;		/* the last one that has come */
static void (*started_run)(void);

/* ---- each --------------------------------------------------------------- */

static void registers_init(void)
{
	uint64_t cr4 = CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT;
	uint32_t r[4];

	cpuid(7, 0, r);
	if (r[2] & 1u << 2)
		cr4 |= CR4_UMIP;
	else if (!host_cpu())
		log_printf("warning: no UMIP; SGDT, SIDT, SLDT, STR and SMSW show the hypervisor's values\n");
	write_cr4(cr4);
	wrmsr(MSR_PAT, PAT_RESET);
	/* With it SYSENTER faults, and so comes to us (SDM Vol. 2). */
	wrmsr(MSR_SYSENTER_CS, 0);
	host_idt_load();
	desc_cpu_init();
	cpuid_fault_init();
	mce_init();
}

/* Called by start.asm. */
void processor_started(void)
{
	void (*run)(void);
	uint32_t taken;

	registers_init();
	speculation_cpu_init();
	lapic_start();
	__atomic_store_n(&arrived, host_cpu(), __ATOMIC_RELEASE);
	while (!(run = __atomic_load_n(&started_run, __ATOMIC_ACQUIRE)))
		for (taken = host_wait(); taken; taken &= taken - 1)
			host_irq_ack(__builtin_ctz(taken));
	flush_tlb();			/* the page at START_PAGE */
	run();
}

/* ---- all ---------------------------------------------------------------- */

static bool arrives(uint32_t ms)
{
	uint64_t from = rdtsc(), cycles = host_tsc_hz / 1000 * ms;
	bool here = false;

	while (!here && rdtsc() - from < cycles) {
		cpu_relax();
		here = __atomic_load_n(&arrived, __ATOMIC_ACQUIRE) == host_cpus;
	}
	return here;
}

/* One that comes later than in a second is sent back by INIT. */
static bool start(uint32_t id)
{
	start_stack = stack_top(STACK_BOOT + host_cpus);
	arrived = 0;
	lapic_send(id, ICR_STARTUP | START_PAGE >> 12);
	if (arrives(10))
		return true;
	lapic_send(id, ICR_STARTUP | START_PAGE >> 12);
	if (arrives(1000))
		return true;
	lapic_send(id, ICR_INIT);
	arrives(10);
	return false;
}

static void start_others(const uint32_t *id, uint32_t count)
{
	static uint8_t before[START_SIZE];
	uint8_t *page = host_va(START_PAGE);
	uint32_t i;

	if (count < 2)			/* this one alone */
		return;
	memcpy(before, page, START_SIZE);
	memcpy(page, start_code, start_code_end - start_code);
	map_low(START_PAGE, true);
	lapic_send(0, ICR_OTHERS | ICR_INIT);
	arrives(10);			/* nobody: INIT takes so long */
	for (i = 0; i < count && host_cpus < HOST_CPUS; i++) {
		if (id[i] == apic_id[0])
			continue;
		if (!lapic_reaches(id[i]) || !tss_init(host_cpus) ||
		    !start(id[i])) {
			log_printf("warning: processor with APIC ID %u does not start\n",
				   id[i]);
			continue;
		}
		apic_id[host_cpus++] = id[i];
	}
	map_low(START_PAGE, false);
	memcpy(page, before, START_SIZE);
}

void processor_init(void)
{
	uint32_t r[4];

	idt_init();
	if (!tss_init(0))
		bad_input("no memory for the hypervisor");
	registers_init();
	cpuid(1, 0, r);
	lapic_init(r[2]);
}

void processors_start(void)
{
	uint32_t id[HOST_CPUS], count;

	lapic_measured();
	apic_id[0] = lapic_id();
	count = acpi_processors(id);
	if (!count)
		count = mp_processors(id);
	start_others(id, count);
	log_printf("%u processor%s\n", host_cpus, host_cpus > 1 ? "s" : "");
}

void host_start(void (*run)(void))
{
	uint32_t cpu;

	__atomic_store_n(&started_run, run, __ATOMIC_RELEASE);
	for (cpu = 0; cpu < host_cpus; cpu++)
		if (cpu != host_cpu())
			host_kick(cpu);
}

void host_kick(uint32_t cpu)
{
	lapic_send(apic_id[cpu], ICR_FIXED | (IRQ_BASE + IRQ_KICK));
}

uint32_t host_alone;
static volatile bool host_stopped[HOST_CPUS];

static void __attribute__((noreturn)) stop(void)
{
	host_stopped[host_cpu()] = true;
	for (;;)
		asm volatile("cli; hlt");
}

/* It waits until they have stopped, but not for ever. */
void host_stop_others(void)
{
	uint32_t none = 0, me = host_cpu() + 1, cpu;
	uint64_t from = rdtsc();

	if (!__atomic_compare_exchange_n(&host_alone, &none, me, false,
					 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		if (none == me)
			return;
		stop();
	}
	for (cpu = 0; cpu < host_cpus; cpu++)
		if (cpu != me - 1)
			lapic_send(apic_id[cpu], ICR_NMI);
	for (cpu = 0; cpu < host_cpus; cpu++)
		while (cpu != me - 1 && !host_stopped[cpu] &&
		       rdtsc() - from < host_tsc_hz)
			cpu_relax();
}

#define REPORT_PORT	(0x3f8 + 7)
#define REPORT_ASKED	0x57		/* as in vmi-run */

/* As nmi.asm does. */
void host_nmi(const struct regs *r)
{
	uint32_t alone = __atomic_load_n(&host_alone, __ATOMIC_ACQUIRE);

	if (alone ? alone != host_cpu() + 1 : inb(REPORT_PORT) == REPORT_ASKED)
		report_asked(r);
}

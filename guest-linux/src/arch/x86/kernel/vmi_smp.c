// SPDX-License-Identifier: GPL-2.0-only
/*
 * Several processors: the local APIC through the ROM rather than by its page,
 * which takes an instruction to be emulated, further processors that start in VMI
 * mode (VMI-3.8), and their TLBs, flushed without an interrupt of ours.
 */
#include <linux/irqflags.h>
#include <linux/percpu.h>
#include <linux/smp.h>

#include <asm/apic.h>
#include <asm/smp.h>
#include <asm/tlb.h>
#include <asm/tlbflush.h>

#include "vmi_client.h"

static struct {
	u32 (*apic_read)(u32 offset);
	void (*apic_write)(u32 offset, u32 value);
	void (*set_initial_ap_state)(const void *state, u32 apic_id);
	void (*flush_processors)(u32 ids, unsigned long what, u32 first);
} vmi __ro_after_init;

/* ---- interrupts to processors -------------------------------------------- */

/* The upper half of the ICR, which mostly is what it was. */
static DEFINE_PER_CPU(u32, vmi_icr2);

static void vmi_icr_write(u32 low, u32 dest)
{
	u32 icr2 = SET_XAPIC_DEST_FIELD(dest);
	unsigned long flags;

	local_irq_save(flags);
	if (this_cpu_read(vmi_icr2) != icr2) {
		vmi.apic_write(APIC_ICR2, icr2);
		this_cpu_write(vmi_icr2, icr2);
	}
	vmi.apic_write(APIC_ICR, low);
	local_irq_restore(flags);
}

/* An interrupt is on its way when the call returns. */
static void vmi_wait_icr_idle(void)
{
}

static u32 vmi_safe_wait_icr_idle(void)
{
	return 0;
}

static u32 vmi_icr(u32 dest, int vector)
{
	return dest | (vector == NMI_VECTOR ? APIC_DM_NMI :
					      APIC_DM_FIXED | vector);
}

/* Flat: a bit per processor. */
static void vmi_send_cpus(u32 cpus, int vector)
{
	if (cpus)
		vmi_icr_write(vmi_icr(APIC_DEST_LOGICAL, vector), cpus);
}

static void vmi_send_ipi(int cpu, int vector)
{
	vmi_send_cpus(BIT(cpu), vector);
}

static void vmi_send_ipi_mask(const struct cpumask *mask, int vector)
{
	vmi_send_cpus(cpumask_bits(mask)[0], vector);
}

static void vmi_send_ipi_mask_allbutself(const struct cpumask *mask,
					 int vector)
{
	vmi_send_cpus(cpumask_bits(mask)[0] & ~BIT(smp_processor_id()),
		      vector);
}

static void vmi_send_ipi_allbutself(int vector)
{
	vmi.apic_write(APIC_ICR, vmi_icr(APIC_DEST_ALLBUT, vector));
}

static void vmi_send_ipi_all(int vector)
{
	vmi.apic_write(APIC_ICR, vmi_icr(APIC_DEST_ALLINC, vector));
}

static void vmi_send_ipi_self(int vector)
{
	vmi.apic_write(APIC_ICR, vmi_icr(APIC_DEST_SELF, vector));
}

/* ---- their TLBs ---------------------------------------------------------- */

/*
 * What flush_tlb_func() notes of this processor: it has caught up with the
 * generation of the address space, unless it has missed more than one page.
 */
static void vmi_flushed(const struct flush_tlb_info *info, unsigned long what)
{
	u16 asid = this_cpu_read(cpu_tlbstate.loaded_mm_asid);
	u64 gen = this_cpu_read(cpu_tlbstate.ctxs[asid].tlb_gen);

	if (!info->mm || info->mm != this_cpu_read(cpu_tlbstate.loaded_mm))
		return;
	if (what == VMI_FLUSH_TLB || gen + 1 == info->new_tlb_gen)
		this_cpu_write(cpu_tlbstate.ctxs[asid].tlb_gen,
			       max(gen, info->new_tlb_gen));
}

/*
 * This processor is among them most often. One in lazy TLB mode flushes when it
 * leaves that, and may be left out as by native_flush_tlb_multi(): what it may
 * walk meanwhile must not have been freed.
 */
static void vmi_flush_tlb_multi(const struct cpumask *cpus,
				const struct flush_tlb_info *info)
{
	unsigned long what = VMI_FLUSH_TLB;
	u32 ids = 0, first = 0, id;
	bool here = false;
	int cpu;

	if (info->end != TLB_FLUSH_ALL && info->end - info->start <= PAGE_SIZE)
		what = VMI_FLUSH_PAGE | (info->start & PAGE_MASK);
	for_each_cpu_and(cpu, cpus, cpu_online_mask) {
		if (!info->freed_tables &&
		    per_cpu(cpu_tlbstate_shared.is_lazy, cpu))
			continue;
		here |= cpu == smp_processor_id();
		id = per_cpu(x86_cpu_to_apicid, cpu);
		if (ids && first != round_down(id, 32)) {
			vmi.flush_processors(ids, what, first);
			ids = 0;
		}
		first = round_down(id, 32);
		ids |= BIT(id - first);
	}
	if (ids)
		vmi.flush_processors(ids, what, first);
	if (here)
		vmi_flushed(info, what);
}

/* ---- further processors -------------------------------------------------- */

static int vmi_wakeup_secondary_cpu(int apicid, unsigned long start_eip)
{
	/* Below level 0 there is no real mode to start in. */
	if (!vmi.set_initial_ap_state)
		return -ENODEV;

	apic_icr_write(APIC_INT_LEVELTRIG | APIC_INT_ASSERT | APIC_DM_INIT,
		       apicid);
	apic_icr_write(APIC_INT_LEVELTRIG | APIC_DM_INIT, apicid);
	vmi.set_initial_ap_state(vmi_initial_ap_state(), apicid);
	apic_icr_write(APIC_DM_STARTUP, apicid);
	return 0;
}

/* It would have to come back by the trampoline. */
static int vmi_cpu_disable(void)
{
	return -EOPNOTSUPP;
}

/* ---- start --------------------------------------------------------------- */

static void __init vmi_fill_apic(struct apic *driver)
{
	driver->read = vmi.apic_read;
	driver->write = vmi.apic_write;
	driver->eoi_write = vmi.apic_write;
	driver->icr_write = vmi_icr_write;
	driver->wait_icr_idle = vmi_wait_icr_idle;
	driver->safe_wait_icr_idle = vmi_safe_wait_icr_idle;
	driver->send_IPI = vmi_send_ipi;
	driver->send_IPI_mask = vmi_send_ipi_mask;
	driver->send_IPI_mask_allbutself = vmi_send_ipi_mask_allbutself;
	driver->send_IPI_allbutself = vmi_send_ipi_allbutself;
	driver->send_IPI_all = vmi_send_ipi_all;
	driver->send_IPI_self = vmi_send_ipi_self;
}

void __init vmi_smp_init(void)
{
	struct apic **driver;

	vmi.apic_read = vmi_function(VMI_CALL_APICRead);
	vmi.apic_write = vmi_function(VMI_CALL_APICWrite);
	vmi.set_initial_ap_state = vmi_function(VMI_CALL_SetInitialAPState);
	vmi.flush_processors = vmi_function(VMI_CALL_FlushProcessors);

	/* Interrupts off keep no table from being freed then: RCU does. */
	if (vmi.flush_processors) {
		pv_ops.mmu.flush_tlb_multi = vmi_flush_tlb_multi;
		pv_ops.mmu.tlb_remove_table = tlb_remove_table;
	}
	for (driver = __apicdrivers; driver < __apicdrivers_end; driver++) {
		if (vmi.apic_read && vmi.apic_write)
			vmi_fill_apic(*driver);
		if (vmi.set_initial_ap_state || vmi_ring())
			(*driver)->wakeup_secondary_cpu =
				vmi_wakeup_secondary_cpu;
	}
	if (vmi.set_initial_ap_state || vmi_ring())
		smp_ops.cpu_disable = vmi_cpu_disable;
}

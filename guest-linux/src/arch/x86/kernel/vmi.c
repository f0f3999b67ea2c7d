// SPDX-License-Identifier: GPL-2.0-only
/*
 * The client side of the Virtual Machine Interface, version 3.1.
 *
 * A hypervisor publishes an option ROM. The kernel finds it before anything
 * else happens, enters paravirtual mode by calling it, and from then on runs
 * at a lower privilege level and calls the ROM instead of executing
 * privileged instructions. Where the ROM's function has the signature of a
 * member of pv_ops, that member points to the ROM; else to a function below.
 * Calls in hot code are patched to direct ones with all other alternatives.
 */
#define pr_fmt(fmt) "VMI: " fmt

#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/pm.h>
#include <linux/reboot.h>

#include <asm/cmdline.h>
#include <asm/cpufeature.h>
#include <asm/desc.h>
#include <asm/fixmap.h>
#include <asm/paravirt.h>
#include <asm/reboot.h>
#include <asm/setup.h>
#include <asm/vmi_stub_cpuid.h>

#include "vmi_client.h"

const struct vmi_rom_header *vmi_rom;

/* The calls that need a wrapper, whatever the width of a word. */
static struct {
	void (*set_gdt)(const struct desc_ptr *dtr);
	void (*set_ldt)(u32 selector);
	void (*set_tr)(u32 selector);
	void (*allocate_page)(unsigned long pfn, u32 flags,
			      unsigned long original, u32 start, u32 count);
	void (*flush_tlb)(u32 flags);
	void (*set_lazy_mode)(u32 mode);
	void (*reboot)(u32 hard);
	void (*shutdown)(void);
} vmi __ro_after_init;

long (*vmi_hypercall)(u32 nr, unsigned long a0, unsigned long a1,
		      unsigned long a2) __ro_after_init;

/* Has the ROM answered anything but "keep the native instruction"? */
static bool vmi_in_use __initdata;

/* ---- processor ----------------------------------------------------------- */

/*
 * Entries are written through the writable mapping of the table. Name the
 * same one here, and not its alias in the CPU entry area, so that a ROM can
 * tell the current table from others.
 */
static void vmi_set_gdt(const struct desc_ptr *dtr)
{
	struct desc_ptr gdt = *dtr;
	int cpu = raw_smp_processor_id();

	if (gdt.address == (unsigned long)get_cpu_gdt_ro(cpu))
		gdt.address = (unsigned long)get_cpu_gdt_rw(cpu);
	vmi.set_gdt(&gdt);
}

static void vmi_load_tls(struct thread_struct *t, unsigned int cpu)
{
	struct desc_struct *gdt = get_cpu_gdt_rw(cpu);
	const u64 *old = (u64 *)&gdt[GDT_ENTRY_TLS_MIN];
	const u64 *new = (u64 *)t->tls_array;
	int i;

	BUILD_BUG_ON(GDT_ENTRY_TLS_ENTRIES != 3);
	/* Mostly they are the same, or there are none. */
	if (!((old[0] ^ new[0]) | (old[1] ^ new[1]) | (old[2] ^ new[2])))
		return;
	for (i = 0; i < GDT_ENTRY_TLS_ENTRIES; i++)
		if (old[i] != new[i])
			write_gdt_entry(gdt, GDT_ENTRY_TLS_MIN + i,
					&t->tls_array[i], DESCTYPE_S);
}

static void vmi_load_tr_desc(void)
{
	vmi.set_tr(GDT_ENTRY_TSS * 8);
}

static void vmi_set_ldt(const void *ldt, unsigned int entries)
{
	ldt_desc desc;

	if (!entries) {
		vmi.set_ldt(0);
		return;
	}
	set_tssldt_descriptor(&desc, (unsigned long)ldt, DESC_LDT,
			      entries * LDT_ENTRY_SIZE - 1);
	write_gdt_entry(get_cpu_gdt_rw(smp_processor_id()), GDT_ENTRY_LDT,
			&desc, DESC_LDT);
	vmi.set_ldt(GDT_ENTRY_LDT * 8);
}

/* ---- memory -------------------------------------------------------------- */

/* Tables of the kernel itself are not always zero: see split_large_page(). */
static void vmi_alloc_table(struct mm_struct *mm, unsigned long pfn, u32 level)
{
	vmi.allocate_page(pfn, level | VMI_PAGE_FORMAT |
			  (mm == &init_mm ? 0 : VMI_PAGE_ZEROED), 0, 0, 0);
}

static void vmi_alloc_pte(struct mm_struct *mm, unsigned long pfn)
{
	vmi_alloc_table(mm, pfn, VMI_PAGE_PT);
}

static void vmi_alloc_pmd(struct mm_struct *mm, unsigned long pfn)
{
	vmi_alloc_table(mm, pfn, VMI_PAGE_PD);
}

static void vmi_alloc_pud(struct mm_struct *mm, unsigned long pfn)
{
	vmi_alloc_table(mm, pfn, VMI_PAGE_PDP);
}

static void vmi_alloc_pmd_clone(unsigned long pfn, unsigned long clonepfn,
				unsigned long start, unsigned long count)
{
	vmi.allocate_page(pfn, VMI_PAGE_TOP | VMI_PAGE_FORMAT |
			  VMI_PAGE_CLONE | VMI_PAGE_ZEROED, clonepfn, start,
			  count);
}

static void vmi_flush_tlb_user(void)
{
	vmi.flush_tlb(VMI_FLUSH_TLB);
}

static void vmi_flush_tlb_kernel(void)
{
	vmi.flush_tlb(VMI_FLUSH_TLB | VMI_FLUSH_GLOBAL);
}

/* ---- lazy modes ---------------------------------------------------------- */

static void vmi_enter_lazy_mmu(void)
{
	paravirt_enter_lazy_mmu();
	vmi.set_lazy_mode(VMI_LAZY_MMU);
}

static void vmi_leave_lazy_mmu(void)
{
	vmi.set_lazy_mode(VMI_LAZY_NONE);
	paravirt_leave_lazy_mmu();
}

static void vmi_start_context_switch(struct task_struct *prev)
{
	paravirt_start_context_switch(prev);
	vmi.set_lazy_mode(VMI_LAZY_CPU);
}

static void vmi_end_context_switch(struct task_struct *next)
{
	vmi.set_lazy_mode(VMI_LAZY_NONE);
	paravirt_end_context_switch(next);
}

/* ---- the end ------------------------------------------------------------- */

static void vmi_restart(char *command)
{
	vmi_comm_ends();
	vmi.reboot(1);
}

static void vmi_emergency_restart(void)
{
	vmi.reboot(1);
}

static void vmi_power_off(void)
{
	vmi_comm_ends();
	vmi.shutdown();
}

/* ---- the beginning ------------------------------------------------------- */

void * __init vmi_function(u32 nr)
{
	void *address;
	u8 type = vmi_get_relocation(nr, &address);

	if (type != VMI_RELOC_NONE)
		vmi_in_use = true;
	switch (type) {
	case VMI_RELOC_CALL:
		if (!vmi_is_jump(nr))
			return address;
		break;
	case VMI_RELOC_JUMP:
		if (vmi_is_jump(nr))
			return address;
		break;
	case VMI_RELOC_NOP:
		return paravirt_nop;
	case VMI_RELOC_NONE:
		return NULL;
	}
	pr_warn("call %u has unusable relocation type %u\n", nr, type);
	return NULL;
}

static void __init vmi_fill_processor(void)
{
	vmi_fill(cpu.get_debugreg, GetDR);
	vmi_fill(cpu.set_debugreg, SetDR);
	vmi_fill(cpu.read_cr0, GetCR0);
	vmi_fill(cpu.write_cr0, SetCR0);
	vmi_fill(cpu.write_cr4, SetCR4);
	vmi_fill(cpu.wbinvd, WBINVD);
	vmi_fill(cpu.io_delay, IODelay);
	vmi_fill(irq.safe_halt, Halt);

	vmi_wrap(cpu.load_gdt, set_gdt, SetGDT, vmi_set_gdt);
	vmi_fill(cpu.load_idt, SetIDT);
	vmi_fill(cpu.store_tr, GetTR);
	vmi_wrap(cpu.load_tr_desc, set_tr, SetTR, vmi_load_tr_desc);
	vmi_wrap(cpu.set_ldt, set_ldt, SetLDT, vmi_set_ldt);
	if (vmi_function(VMI_CALL_WriteGDTEntry))
		pv_ops.cpu.load_tls = vmi_load_tls;
}

static void __init vmi_fill_memory(void)
{
	vmi_fill(mmu.read_cr2.func, GetCR2);
	vmi_fill(mmu.write_cr2, SetCR2);
	vmi_fill(mmu.read_cr3, GetCR3);
	vmi_fill(mmu.write_cr3, SetCR3);
	vmi_fill(mmu.flush_tlb_one_user, InvalPage);
	if (vmi_get(flush_tlb, FlushTLB)) {
		pv_ops.mmu.flush_tlb_user = vmi_flush_tlb_user;
		pv_ops.mmu.flush_tlb_kernel = vmi_flush_tlb_kernel;
	}
	if (vmi_get(allocate_page, AllocatePage)) {
		pv_ops.mmu.alloc_pte = vmi_alloc_pte;
		pv_ops.mmu.alloc_pmd = vmi_alloc_pmd;
		pv_ops.mmu.alloc_pud = vmi_alloc_pud;
		pv_ops.mmu.alloc_pmd_clone = vmi_alloc_pmd_clone;
	}
}

static void __init vmi_fill_lazy_modes(void)
{
	if (!vmi_get(set_lazy_mode, SetLazyMode))
		return;
	pv_ops.mmu.lazy_mode.enter = vmi_enter_lazy_mmu;
	pv_ops.mmu.lazy_mode.leave = vmi_leave_lazy_mmu;
	pv_ops.mmu.lazy_mode.flush = paravirt_flush_lazy_mmu;
	pv_ops.cpu.start_context_switch = vmi_start_context_switch;
	pv_ops.cpu.end_context_switch = vmi_end_context_switch;
}

static void __init vmi_fill_shutdown(void)
{
	if (vmi_get(reboot, Reboot)) {
		machine_ops.restart = vmi_restart;
		machine_ops.emergency_restart = vmi_emergency_restart;
	}
	if (vmi_get(shutdown, Shutdown)) {
		pm_power_off = vmi_power_off;
		machine_ops.halt = vmi_power_off;	/* VMI-3.2.37: of this CPU */
	}
}

/* Called without its fourth argument, which then may be anything (N-2.5). */
static void __init vmi_fill_hypercall(void)
{
	void *rom = vmi_function(VMI_CALL_Hypercall);

	if (rom != paravirt_nop)
		vmi_hypercall = rom;
}

void vmi_hypervisor_leaf(u32 leaf, u32 r[4])
{
	u32 last, name[3];

	memset(r, 0, 4 * sizeof(*r));
	if (!vmi_rom)
		return;
	cpuid(STUB_CPUID_BASE, &last, &name[0], &name[1], &name[2]);
	if (leaf <= last && !memcmp(name, "OpenVMI\0stub", sizeof(name)))
		cpuid(leaf, &r[0], &r[1], &r[2], &r[3]);
}

/* "These virtual addresses map these frames", for finding page tables. */
static void __init vmi_set_linear_mapping(void)
{
	void (*set)(u32 slot, unsigned long va, unsigned long pages,
		    unsigned long pfn) =
		vmi_function(VMI_CALL_SetLinearMapping);

	if (set)
		set(0, PAGE_OFFSET, PFN_DOWN(MAXMEM), 0);
}

static bool __init vmi_rom_usable(const struct vmi_rom_header *rom)
{
	const char *license = (const char *)rom + rom->license;
	const struct vmi_pci_data *pci = (const void *)rom + rom->pci;

	if (rom->magic != VMI_ROM_MAGIC || rom->signature != VMI_ROM_SIGNATURE)
		return false;
	if (rom->api_major != VMI_ROM_API) {
		pr_warn("ROM with API version %u.%u ignored\n",
			rom->api_major, rom->api_minor);
		return false;
	}
	if (!rom->license ||
	    (strcmp(license, "GPL") && strcmp(license, "GPL v2"))) {
		pr_warn("ROM with a licence other than GPL ignored\n");
		return false;
	}
	if (!rom->pci) {
		pr_warn("ROM without PCI data structure ignored\n");
		return false;
	}
	if (pci->vendor != VMI_PCI_VENDOR || pci->device != VMI_PCI_DEVICE)
		pr_warn("ROM has unknown PCI id %04x:%04x\n",
			pci->vendor, pci->device);
	return true;
}

static const struct vmi_rom_header * __init vmi_find_rom(void)
{
	unsigned long at;

	for (at = VMI_SCAN_START; at < VMI_SCAN_END; at += VMI_SCAN_STEP)
		if (vmi_rom_usable(vmi_low_memory(at)))
			return vmi_low_memory(at);
	return NULL;
}

static void __init vmi_print_identity(void)
{
	const struct vmi_pnp_header *pnp = vmi_rom_struct(vmi_rom->pnp);
	const struct vmi_pci_data *pci = vmi_rom_struct(vmi_rom->pci);

	pr_info("Found %s %s, API version %u.%u, ROM version %u.%u\n",
		vmi_rom_string(pnp ? pnp->manufacturer : 0),
		vmi_rom_string(pnp ? pnp->product : 0),
		vmi_rom->api_major, vmi_rom->api_minor,
		pci->rom_major, pci->rom_minor);
	pr_info("running in ring %u\n", vmi_ring());
}

/*
 * Called as soon as there is an IDT, on the boot page tables. Nothing before
 * this may depend on the interrupt flag: at privilege level 1 PUSHF shows the
 * processor's, which is always set, and not the guest's, which is clear.
 */
void __init vmi_init(void)
{
	const struct vmi_rom_header *rom;
	char option[8];
	int (*init)(void);
	bool off;

	off = cmdline_find_option(boot_command_line, "vmi", option,
				  sizeof(option)) > 0 && !strcmp(option, "off");
	/* Below level 0 there is no going on without the ROM: see above. */
	if (off && vmi_ring() == 0)
		return;
	vmi_map_low_memory();
	rom = vmi_find_rom();
	if (!rom)
		return;

	native_irq_disable();
	init = (void *)rom + VMI_ENTRY_INIT;
	if (init()) {
		pr_err("the ROM refused to start; going on without it\n");
		return;
	}
	vmi_rom = rom;

	/* First the calls that printk() makes. */
	vmi_fill(irq.save_fl.func, GetInterruptMask);
	vmi_fill(irq.irq_disable.func, DisableInterrupts);
	vmi_fill(irq.irq_enable.func, EnableInterrupts);
	vmi_fill_return();
	pv_info.name = "VMI";
	vmi_print_identity();
	if (off)
		pr_warn("vmi=off has no effect: only ring 0 can do without\n");

	vmi_fill_processor();
	vmi_fill_memory();
	vmi_fill_width();
	vmi_fill_lazy_modes();
	vmi_fill_shutdown();
	vmi_fill_hypercall();
	vmi_set_linear_mapping();
	vmi_time_init();
	vmi_smp_init();
	/* A ROM that leaves everything to the processor costs nothing. */
	if (vmi_in_use)
		setup_force_cpu_cap(X86_FEATURE_PV_OPS);
}

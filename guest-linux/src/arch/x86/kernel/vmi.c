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

#include "vmi_client.h"

const struct vmi_rom_header *vmi_rom;

/*
 * The calls that need a wrapper. Arguments go where regparm(3) puts them;
 * the order is that of VMI-3, not that of pv_ops.
 */
static struct {
	void (*cpuid)(void);	/* not a C function: all of eax, ebx, ecx, edx */
	void (*set_gdt)(const struct desc_ptr *dtr);
	void (*set_ldt)(u32 selector);
	void (*set_tr)(u32 selector);
	void (*write_gdt_entry)(void *table, u32 index, u32 low, u32 high);
	void (*write_ldt_entry)(void *table, u32 index, u32 low, u32 high);
	void (*write_idt_entry)(void *table, u32 index, u32 low, u32 high);
	void (*update_kernel_stack)(u32 ss, u32 esp);
	void (*set_pxe)(pteval_t value, void *entry, u32 flags);
	void (*update_pxe)(void *entry, u32 flags);
	void (*allocate_page)(u32 pfn, u32 flags, u32 original, u32 start,
			      u32 count);
	void (*release_page)(u32 pfn, u32 flags);
	void (*flush_tlb)(u32 flags);
	void (*set_lazy_mode)(u32 mode);
	void (*reboot)(u32 hard);
	void (*shutdown)(void);
} vmi __ro_after_init;

/* Has the ROM answered anything but "keep the native instruction"? */
static bool vmi_in_use __initdata;

/* ---- processor ----------------------------------------------------------- */

static void vmi_cpuid(unsigned int *ax, unsigned int *bx,
		      unsigned int *cx, unsigned int *dx)
{
	unsigned int a = *ax, b, c = *cx, d;

	asm volatile("call *%[rom]"
		     : "+a" (a), "=b" (b), "+c" (c), "=d" (d),
		       ASM_CALL_CONSTRAINT
		     : [rom] "m" (vmi.cpuid));
	*ax = a;
	*bx = b;
	*cx = c;
	*dx = d;
}

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

static void vmi_write_gdt_entry(struct desc_struct *gdt, int entry,
				const void *desc, int type)
{
	const u32 *word = desc;

	vmi.write_gdt_entry(gdt, entry, word[0], word[1]);
}

static void vmi_write_ldt_entry(struct desc_struct *ldt, int entry,
				const void *desc)
{
	const u32 *word = desc;

	vmi.write_ldt_entry(ldt, entry, word[0], word[1]);
}

static void vmi_write_idt_entry(gate_desc *idt, int entry,
				const gate_desc *gate)
{
	const u32 *word = (const u32 *)gate;

	vmi.write_idt_entry(idt, entry, word[0], word[1]);
}

static void vmi_load_tls(struct thread_struct *t, unsigned int cpu)
{
	struct desc_struct *gdt = get_cpu_gdt_rw(cpu);
	int i;

	for (i = 0; i < GDT_ENTRY_TLS_ENTRIES; i++) {
		int entry = GDT_ENTRY_TLS_MIN + i;

		if (memcmp(&gdt[entry], &t->tls_array[i], sizeof(*gdt)))
			write_gdt_entry(gdt, entry, &t->tls_array[i],
					DESCTYPE_S);
	}
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

static void vmi_load_sp0(unsigned long sp0)
{
	this_cpu_write(cpu_tss_rw.x86_tss.sp0, sp0);
	vmi.update_kernel_stack(__KERNEL_DS, sp0);
}

/* ---- memory -------------------------------------------------------------- */

/* With PAE, entries are 64 bits wide, and pages of tables say so. */
#ifdef CONFIG_X86_PAE
#define VMI_FORMAT	VMI_PAGE_PAE
#else
#define VMI_FORMAT	0
#endif

static void vmi_set_pte(pte_t *ptep, pte_t pte)
{
	vmi.set_pxe(pte.pte, ptep, VMI_PAGE_PT);
}

static void vmi_set_pmd(pmd_t *pmdp, pmd_t pmd)
{
	vmi.set_pxe(native_pmd_val(pmd), pmdp, VMI_PAGE_PD);
}

static void vmi_set_pud(pud_t *pudp, pud_t pud)
{
	vmi.set_pxe(native_pud_val(pud), pudp, VMI_PAGE_PDP);
}

static void vmi_pte_update(pte_t *ptep)
{
	vmi.update_pxe(ptep, VMI_PAGE_PT);
}

/* Tables of the kernel itself are not always zero: see split_large_page(). */
static u32 vmi_page_flags(struct mm_struct *mm, u32 level)
{
	return level | VMI_FORMAT | (mm == &init_mm ? 0 : VMI_PAGE_ZEROED);
}

static void vmi_alloc_pte(struct mm_struct *mm, unsigned long pfn)
{
	vmi.allocate_page(pfn, vmi_page_flags(mm, VMI_PAGE_PT), 0, 0, 0);
}

static void vmi_alloc_pmd(struct mm_struct *mm, unsigned long pfn)
{
	vmi.allocate_page(pfn, vmi_page_flags(mm, VMI_PAGE_PD), 0, 0, 0);
}

/* The top level is a "directory" to VMI 3.0, with PAE too. */
static void vmi_alloc_pmd_clone(unsigned long pfn, unsigned long clonepfn,
				unsigned long start, unsigned long count)
{
	vmi.allocate_page(pfn, VMI_PAGE_PD | VMI_FORMAT | VMI_PAGE_CLONE |
			  VMI_PAGE_ZEROED, clonepfn, start, count);
}

static void vmi_release_pte(unsigned long pfn)
{
	vmi.release_page(pfn, VMI_PAGE_PT | VMI_FORMAT);
}

static void vmi_release_pmd(unsigned long pfn)
{
	vmi.release_page(pfn, VMI_PAGE_PD | VMI_FORMAT);
}

static void vmi_pgd_free(struct mm_struct *mm, pgd_t *pgd)
{
	vmi_release_pmd(__pa(pgd) >> PAGE_SHIFT);
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
	vmi.reboot(1);
}

static void vmi_emergency_restart(void)
{
	vmi.reboot(1);
}

static void vmi_power_off(void)
{
	vmi.shutdown();
}

/* ---- the beginning ------------------------------------------------------- */

void * __init vmi_function(enum vmi_call nr)
{
	u64 (*get_relocation)(u32 nr) = (void *)vmi_rom + VMI_ENTRY_RELOC;
	u64 relocation = get_relocation(nr);
	void *address = (void *)(u32)relocation;
	u8 type = relocation >> 32;

	if (type != VMI_RELOC_NONE)
		vmi_in_use = true;
	switch (type) {
	case VMI_RELOC_CALL:
		if (nr != VMI_CALL_IRET && nr != VMI_CALL_SYSEXIT)
			return address;
		break;
	case VMI_RELOC_JUMP:
		if (nr == VMI_CALL_IRET || nr == VMI_CALL_SYSEXIT)
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

/* Let the ROM's function stand in pv_ops itself. */
#define vmi_fill(op, call) do {						\
	void *rom_ = vmi_function(VMI_CALL_##call);			\
									\
	if (rom_)							\
		pv_ops.op = rom_;					\
} while (0)

/* Keep the ROM's function; true if there is one. */
#define vmi_get(name, call) ({						\
	void *rom_ = vmi_function(VMI_CALL_##call);			\
									\
	if (rom_ == paravirt_nop)					\
		rom_ = NULL;						\
	vmi.name = rom_;						\
	!!rom_;								\
})

/* Let a function above, which calls the ROM's, stand in pv_ops. */
#define vmi_wrap(op, name, call, wrapper) do {				\
	if (vmi_get(name, call))					\
		pv_ops.op = wrapper;					\
} while (0)

static void __init vmi_fill_processor(void)
{
	vmi_wrap(cpu.cpuid, cpuid, CPUID, vmi_cpuid);
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
	if (vmi_get(write_gdt_entry, WriteGDTEntry)) {
		pv_ops.cpu.write_gdt_entry = vmi_write_gdt_entry;
		pv_ops.cpu.load_tls = vmi_load_tls;
	}
	vmi_wrap(cpu.write_ldt_entry, write_ldt_entry, WriteLDTEntry,
		 vmi_write_ldt_entry);
	vmi_wrap(cpu.write_idt_entry, write_idt_entry, WriteIDTEntry,
		 vmi_write_idt_entry);
	vmi_wrap(cpu.load_sp0, update_kernel_stack, UpdateKernelStack,
		 vmi_load_sp0);
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

	if (IS_ENABLED(CONFIG_X86_PAE) ? vmi_get(set_pxe, SetPxELong) :
					 vmi_get(set_pxe, SetPxE)) {
		pv_ops.mmu.set_pte = vmi_set_pte;
		pv_ops.mmu.set_pmd = vmi_set_pmd;
		pv_ops.mmu.set_pud = vmi_set_pud;
	}
	if (IS_ENABLED(CONFIG_X86_PAE) ? vmi_get(update_pxe, UpdatePxELong) :
					 vmi_get(update_pxe, UpdatePxE))
		pv_ops.mmu.pte_update = vmi_pte_update;
	if (vmi_get(allocate_page, AllocatePage)) {
		pv_ops.mmu.alloc_pte = vmi_alloc_pte;
		pv_ops.mmu.alloc_pmd = vmi_alloc_pmd;
		pv_ops.mmu.alloc_pmd_clone = vmi_alloc_pmd_clone;
	}
	if (vmi_get(release_page, ReleasePage)) {
		pv_ops.mmu.release_pte = vmi_release_pte;
		pv_ops.mmu.release_pmd = vmi_release_pmd;
		pv_ops.mmu.pgd_free = vmi_pgd_free;
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

/* "These virtual addresses map these frames", for finding page tables. */
static void __init vmi_set_linear_mapping(void)
{
	void (*set)(u32 slot, u32 va, u32 pages, u32 pfn) =
		vmi_function(VMI_CALL_SetLinearMapping);

	if (set)
		set(0, PAGE_OFFSET, MAXMEM_PFN, 0);
}

static bool __init vmi_rom_usable(const struct vmi_rom_header *rom)
{
	const char *license = (const char *)rom + rom->license;
	const struct vmi_pci_data *pci = (const void *)rom + rom->pci;

	if (rom->magic != VMI_ROM_MAGIC || rom->signature != VMI_SIGNATURE)
		return false;
	if (rom->api_major != VMI_API_MAJOR) {
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
		if (vmi_rom_usable(__va(at)))
			return __va(at);
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
	if (vmi_ring()) {
		vmi_fill(cpu.iret, IRET);
		/* It would come in at level 0; system calls use INT 80h. */
		setup_clear_cpu_cap(X86_FEATURE_SEP);
		/*
		 * For a user's stack of 16 bits entry_32.S moves the base of
		 * a segment of its own, which nobody tells the hypervisor.
		 */
		setup_clear_cpu_cap(X86_BUG_ESPFIX);
	}
	/* Else our own IRET is right, and its faults are where we expect. */
	pv_info.name = "VMI";
	vmi_print_identity();
	if (off)
		pr_warn("vmi=off has no effect: only ring 0 can do without\n");

	if (rom->virtual_top)
		reserve_top_address(-rom->virtual_top);
	vmi_fill_processor();
	vmi_fill_memory();
	vmi_fill_lazy_modes();
	vmi_fill_shutdown();
	vmi_set_linear_mapping();
	vmi_time_init();
	vmi_smp_init();
	/* A ROM that leaves everything to the processor costs nothing. */
	if (vmi_in_use)
		setup_force_cpu_cap(X86_FEATURE_PV32);
}

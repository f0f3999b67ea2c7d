// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMI-64: what a 64-bit kernel does otherwise than the others (vmi_32.c). Nearly
 * all calls are C functions of the signature that pv_ops asks for. The kernel
 * gets to user mode and back by entry_64.S, with addresses from here.
 */
#include <linux/mm.h>
#include <linux/pgtable.h>

#include <asm/cpufeature.h>
#include <asm/desc.h>
#include <asm/fixmap.h>
#include <asm/msr.h>
#include <asm/paravirt.h>
#include <asm/proto.h>
#include <asm/realmode.h>
#include <asm/tlbflush.h>

#include "vmi_client.h"

/* Inside of entry_64.S and entry_64_compat.S. */
extern char vmi_native_iret[], native_irq_return_iret[];
extern char entry_SYSCALL_64_kernel_gs[], entry_SYSCALL_compat_kernel_gs[];

/* For them. The first is used from the first exception on, at any level. */
void *vmi_iret __ro_after_init = vmi_native_iret;
void *vmi_swapgs __ro_after_init, *vmi_swapgs_iret __ro_after_init;

static struct {
	void (*update_kernel_stack)(unsigned long sp0);
	void (*release_page)(unsigned long pfn);
	void (*set_pxe)(void *entry, pteval_t value);
	u64 (*get_kernel_gs_base)(void);
	void (*set_kernel_gs_base)(u64 base);
	void (*set_syscall_entry)(void *lstar, void *cstar);
	void (*set_iret_site)(void *rip);
} vmi __ro_after_init;

/* ---- processor ----------------------------------------------------------- */

static void vmi_load_sp0(unsigned long sp0)
{
	native_load_sp0(sp0);
	vmi.update_kernel_stack(sp0);
}

/* The one that each switch of tasks reads and writes; others are rare. */
static u64 vmi_read_msr(unsigned int msr)
{
	return msr == MSR_KERNEL_GS_BASE ? vmi.get_kernel_gs_base() :
					   native_read_msr(msr);
}

static void vmi_write_msr(unsigned int msr, unsigned int low, unsigned int high)
{
	if (msr == MSR_KERNEL_GS_BASE)
		vmi.set_kernel_gs_base(low | (u64)high << 32);
	else
		native_write_msr(msr, low, high);
}

/* Behind the SWAPGS of either entry, for which there is no stack yet. */
void vmi_syscall_init(void)
{
	if (vmi.set_syscall_entry)
		vmi.set_syscall_entry(entry_SYSCALL_64_kernel_gs,
				      IS_ENABLED(CONFIG_IA32_EMULATION) ?
				      entry_SYSCALL_compat_kernel_gs : NULL);
}

/* ---- memory -------------------------------------------------------------- */

static void vmi_pgd_free(struct mm_struct *mm, pgd_t *pgd)
{
	vmi.release_page(__pa(pgd) >> PAGE_SHIFT);
}

/* The new entry follows, and with it an update: none for the empty one. */
static pte_t vmi_ptep_modify_prot_start(struct vm_area_struct *vma,
					unsigned long addr, pte_t *ptep)
{
	return native_ptep_get_and_clear(ptep);
}

static void vmi_ptep_modify_prot_commit(struct vm_area_struct *vma,
					unsigned long addr, pte_t *ptep,
					pte_t pte)
{
	vmi.set_pxe(ptep, pte.pte);
}

/* ---- further processors -------------------------------------------------- */

#ifdef CONFIG_SMP
const void *vmi_initial_ap_state(void)
{
	static struct vmi64_ap_state state;

	state = (struct vmi64_ap_state) {
		.cr0 = CR0_STATE,
		.cr3 = __pa(swapper_pg_dir),
		.cr4 = mmu_cr4_features,
		.rip = initial_code,
		.rflags = X86_EFLAGS_FIXED,
		.rsp = initial_stack - sizeof(long),	/* as if called */
		.gs_base = initial_gs,
		.cs = __KERNEL_CS,
		.ss = __KERNEL_DS,
		.gdtr_limit = early_gdt_descr.size,
		.gdtr_base = early_gdt_descr.address,
		.idtr_limit = IDT_ENTRIES * sizeof(gate_desc) - 1,
		.idtr_base = CPU_ENTRY_AREA_RO_IDT,
	};
	rdmsrl(MSR_EFER, state.efer);
	return &state;
}
#endif

/* ---- start --------------------------------------------------------------- */

/*
 * The part of the kernel's mapping below its text is empty by now: let it reach
 * the image, as direct calls do, and cleanup_highmap() keep it.
 */
void __init vmi_map_low_memory(void)
{
	*level2_kernel_pgt = __pmd(__PAGE_KERNEL_LARGE_EXEC & ~_PAGE_GLOBAL);
}

/* The tables that the image came with; others are told of when they are new. */
static void __init vmi_tell_tables(void)
{
	int i;

	paravirt_alloc_pud(&init_mm, PHYS_PFN(__pa_symbol(level3_kernel_pgt)));
	paravirt_alloc_pmd(&init_mm, PHYS_PFN(__pa_symbol(level2_kernel_pgt)));
	paravirt_alloc_pmd(&init_mm, PHYS_PFN(__pa_symbol(level2_fixmap_pgt)));
	for (i = 0; i < FIXMAP_PMD_NUM; i++)
		paravirt_alloc_pte(&init_mm,
				   PHYS_PFN(__pa_symbol(level1_fixmap_pgt)) +
				   i);
}

u8 __init vmi_get_relocation(u32 nr, void **address)
{
	struct vmi64_relocation (*get_relocation)(u32 nr) =
		(void *)vmi_rom + VMI_ENTRY_RELOC;
	struct vmi64_relocation relocation = get_relocation(nr);

	*address = (void *)relocation.address;
	return relocation.type;
}

/* At level 0 our own instructions are right. */
void __init vmi_fill_return(void)
{
	if (!vmi_ring())
		return;
	vmi_iret = vmi_function(VMI64_CALL_IRET);
	vmi_swapgs = vmi_function(VMI64_CALL_SwapGS);
	vmi_swapgs_iret = vmi_function(VMI64_CALL_SwapGSIRET);
	vmi_get(set_syscall_entry, SetSyscallEntry);
	vmi_get(set_iret_site, SetIRETSite);
	vmi.set_iret_site(native_irq_return_iret);

	setup_force_cpu_cap(X86_FEATURE_DEPRIVILEGED);
	/* It loads SS with a selector of level 0 (SYSRET is not used). */
	setup_clear_cpu_cap(X86_BUG_SYSRET_SS_ATTRS);
}

void __init vmi_fill_width(void)
{
	vmi_fill(cpu.cpuid, CPUID);
	vmi_fill(cpu.write_gdt_entry, WriteGDTEntry);
	vmi_fill(cpu.write_ldt_entry, WriteLDTEntry);
	vmi_fill(cpu.write_idt_entry, WriteIDTEntry);
	vmi_wrap(cpu.load_sp0, update_kernel_stack, UpdateKernelStack,
		 vmi_load_sp0);
	if (vmi_get(get_kernel_gs_base, GetKernelGSBase) &&
	    vmi_get(set_kernel_gs_base, SetKernelGSBase)) {
		pv_ops.cpu.read_msr = vmi_read_msr;
		pv_ops.cpu.write_msr = vmi_write_msr;
	}

	if (vmi_get(set_pxe, SetPxELong)) {
		pv_ops.mmu.set_pte = (void *)vmi.set_pxe;
		pv_ops.mmu.set_pmd = (void *)vmi.set_pxe;
		pv_ops.mmu.set_pud = (void *)vmi.set_pxe;
		pv_ops.mmu.set_p4d = (void *)vmi.set_pxe;
		pv_ops.mmu.ptep_modify_prot_start = vmi_ptep_modify_prot_start;
		pv_ops.mmu.ptep_modify_prot_commit =
			vmi_ptep_modify_prot_commit;
	}
	vmi_fill(mmu.pte_update, UpdatePxELong);
	if (vmi_get(release_page, ReleasePage)) {
		pv_ops.mmu.release_pte = vmi.release_page;
		pv_ops.mmu.release_pmd = vmi.release_page;
		pv_ops.mmu.release_pud = vmi.release_page;
		pv_ops.mmu.pgd_free = vmi_pgd_free;
	}
	vmi_tell_tables();
}

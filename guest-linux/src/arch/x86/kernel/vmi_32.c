// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calls of VMI 3.x that 64-bit kernels have in another form (vmi_64.c):
 * descriptors, page-table entries and addresses of two words.
 */
#include <linux/mm.h>
#include <linux/pgtable.h>

#include <asm/cpufeature.h>
#include <asm/desc.h>
#include <asm/fixmap.h>
#include <asm/paravirt.h>
#include <asm/realmode.h>
#include <asm/tlbflush.h>

#include "vmi_client.h"

/* Arguments go where regparm(3) puts them; the order is not that of pv_ops. */
static struct {
	void (*cpuid)(void);	/* not a C function: all of eax, ebx, ecx, edx */
	void (*write_gdt_entry)(void *table, u32 index, u32 low, u32 high);
	void (*write_ldt_entry)(void *table, u32 index, u32 low, u32 high);
	void (*write_idt_entry)(void *table, u32 index, u32 low, u32 high);
	void (*update_kernel_stack)(u32 ss, u32 esp);
	void (*set_pxe)(pteval_t value, void *entry, u32 flags);
	void (*update_pxe)(void *entry, u32 flags);
	void (*release_page)(u32 pfn, u32 flags);
} vmi __ro_after_init;

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

static void vmi_load_sp0(unsigned long sp0)
{
	this_cpu_write(cpu_tss_rw.x86_tss.sp0, sp0);
	vmi.update_kernel_stack(__KERNEL_DS, sp0);
}

/* ---- memory -------------------------------------------------------------- */

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

static void vmi_release_pte(unsigned long pfn)
{
	vmi.release_page(pfn, VMI_PAGE_PT | VMI_PAGE_FORMAT);
}

static void vmi_release_pmd(unsigned long pfn)
{
	vmi.release_page(pfn, VMI_PAGE_PD | VMI_PAGE_FORMAT);
}

static void vmi_pgd_free(struct mm_struct *mm, pgd_t *pgd)
{
	vmi_release_pmd(__pa(pgd) >> PAGE_SHIFT);
}

/* ---- further processors -------------------------------------------------- */

#ifdef CONFIG_SMP
const void *vmi_initial_ap_state(void)
{
	static struct vmi_ap_state state;

	state = (struct vmi_ap_state) {
		.cr0 = CR0_STATE,
		.cr3 = __pa(swapper_pg_dir),
		.cr4 = mmu_cr4_features,
		.eip = initial_code,
		.eflags = X86_EFLAGS_FIXED,
		.esp = initial_stack,
		.cs = __KERNEL_CS,
		.ss = __KERNEL_DS,
		.ds = __USER_DS,
		.es = __USER_DS,
		.fs = __KERNEL_PERCPU,
		.gdtr_limit = early_gdt_descr.size,
		.gdtr_base = early_gdt_descr.address,
		.idtr_limit = IDT_ENTRIES * sizeof(gate_desc) - 1,
		.idtr_base = CPU_ENTRY_AREA_RO_IDT,
	};
	if (boot_cpu_has(X86_FEATURE_NX))
		rdmsrl(MSR_EFER, state.efer);
	return &state;
}
#endif

/* ---- start --------------------------------------------------------------- */

u8 __init vmi_get_relocation(u32 nr, void **address)
{
	u64 (*get_relocation)(u32 nr) = (void *)vmi_rom + VMI_ENTRY_RELOC;
	u64 relocation = get_relocation(nr);

	*address = (void *)(u32)relocation;
	return relocation >> 32;
}

void __init vmi_fill_return(void)
{
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
}

void __init vmi_fill_width(void)
{
	if (vmi_rom->virtual_top)
		reserve_top_address(-vmi_rom->virtual_top);

	vmi_wrap(cpu.cpuid, cpuid, CPUID, vmi_cpuid);
	vmi_wrap(cpu.write_gdt_entry, write_gdt_entry, WriteGDTEntry,
		 vmi_write_gdt_entry);
	vmi_wrap(cpu.write_ldt_entry, write_ldt_entry, WriteLDTEntry,
		 vmi_write_ldt_entry);
	vmi_wrap(cpu.write_idt_entry, write_idt_entry, WriteIDTEntry,
		 vmi_write_idt_entry);
	vmi_wrap(cpu.load_sp0, update_kernel_stack, UpdateKernelStack,
		 vmi_load_sp0);

	if (IS_ENABLED(CONFIG_X86_PAE) ? vmi_get(set_pxe, SetPxELong) :
					 vmi_get(set_pxe, SetPxE)) {
		pv_ops.mmu.set_pte = vmi_set_pte;
		pv_ops.mmu.set_pmd = vmi_set_pmd;
		pv_ops.mmu.set_pud = vmi_set_pud;
	}
	if (IS_ENABLED(CONFIG_X86_PAE) ? vmi_get(update_pxe, UpdatePxELong) :
					 vmi_get(update_pxe, UpdatePxE))
		pv_ops.mmu.pte_update = vmi_pte_update;
	if (vmi_get(release_page, ReleasePage)) {
		pv_ops.mmu.release_pte = vmi_release_pte;
		pv_ops.mmu.release_pmd = vmi_release_pmd;
		pv_ops.mmu.pgd_free = vmi_pgd_free;
	}
}

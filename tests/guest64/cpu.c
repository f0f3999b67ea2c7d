// SPDX-License-Identifier: GPL-2.0-only
/* Descriptor tables, page tables, and what every trap comes to. */
#include "guest64.h"
#include "pc.h"

table boot_pml4, boot_pdpt, boot_pdpt_high, boot_pd;
static table direct_pdpt;

uint64_t gdt[GDT_ENTRIES] __attribute__((aligned(16))) = {
	[KERNEL_CS / 8]		= 0x00af9b000000ffff,
	[KERNEL_DS / 8]		= 0x00cf93000000ffff,
	[USER32_CS / 8]		= 0x00cffb000000ffff,
	[USER_DS / 8]		= 0x00cff3000000ffff,
	[USER_CS / 8]		= 0x00affb000000ffff,
};
uint64_t idt[512] __attribute__((aligned(16)));
uint8_t tss[104] __attribute__((aligned(16)));

void gate_set(uint32_t vector, uint32_t type, uint32_t dpl, uint32_t ist)
{
	uint64_t at = trap_stub[vector];

	idt[2 * vector + 1] = at >> 32;
	idt[2 * vector] = (at & 0xffff) | (uint64_t)KERNEL_CS << 16 |
			  (uint64_t)ist << 32 |
			  (uint64_t)(0x80 | type | dpl << 5) << 40 |
			  (at & 0xffff0000) << 32;
}

/* A TSS or an LDT, of type 9 or 2. */
static void system_entry(uint32_t index, uint64_t base, uint32_t limit,
			 uint64_t type)
{
	gdt[index] = limit | (base & 0xffffff) << 16 | (0x80 | type) << 40 |
		     (base >> 24 & 0xff) << 56;
	gdt[index + 1] = base >> 32;
}

/* What is mapped at 0 is mapped at DIRECT, by another table. */
void paging_init(void)
{
	direct_pdpt[0] = pa(boot_pd) | PTE_P | PTE_W;
	boot_pml4[DIRECT >> 39 & 511] = pa(direct_pdpt) | PTE_P | PTE_W;
}

void cpu_init(void)
{
	struct vmi64_table_pointer g = { sizeof(gdt) - 1, (uint64_t)gdt };
	struct vmi64_table_pointer i = { sizeof(idt) - 1, (uint64_t)idt };
	uint32_t v;

	paging_init();
	for (v = 0; v < 256; v++)
		gate_set(v, v == VEC_SPARE ? 15 : 14,
			 v == VEC_SYSCALL || v == VEC_BP ? 3 : 0, 0);
	system_entry(TSS_SELECTOR / 8, (uint64_t)tss, sizeof(tss) - 1, 9);
	*(uint16_t *)(tss + 102) = sizeof(tss);	/* no I/O bitmap */
	do_iret = user_return = (void *)native_iret;
	load_tables(&g, &i);
	__asm__ volatile("ltr %w0" : : "r"(TSS_SELECTOR));
}

/* ---- traps ------------------------------------------------------------------- */

uint64_t fixup, last_at, last_mask, last_cr2, kernel_stack, seen_mask;
int64_t fixup_vector;
struct frame last;
void *do_iret, *user_return;
volatile uint32_t irq0_count;
volatile uint64_t irq0_mask, irq0_flags, irq0_cs;
void (*vector_hook[256])(struct frame *);
void (*where_hook)(void);

void enter_kernel_stack(uint64_t rsp)
{
	if (kernel_stack)
		rsp = kernel_stack;
	if (vmi_entry[VMI64_CALL_UpdateKernelStack])
		vmi1(UpdateKernelStack, rsp);
	else
		*(uint64_t *)(tss + 4) = rsp;	/* RSP0 */
}

static uint64_t mask(void)
{
	return vmi_entry[VMI64_CALL_GetInterruptMask] ?
	       vmi0(GetInterruptMask) : 0;
}

void syscall_seen(void)
{
	seen_mask = mask();
}

static void __attribute__((noreturn)) unexpected(const struct frame *f)
{
	print("Bail out! ");
	if (where_hook)
		where_hook();
	print("trap %u error %x at %x:%x cs %x flags %x cr2 %x:%x rsp %x:%x "
	      "rax %x rcx %x\n",
	      (uint32_t)f->vector, (uint32_t)f->error, (uint32_t)(f->rip >> 32),
	      (uint32_t)f->rip, (uint32_t)f->cs, (uint32_t)f->rflags,
	      (uint32_t)(last_cr2 >> 32), (uint32_t)last_cr2,
	      (uint32_t)(f->rsp >> 32), (uint32_t)f->rsp, (uint32_t)f->r.rax,
	      (uint32_t)f->r.rcx);
	pc_reset();
}

static uint64_t read_cr2(void)
{
	uint64_t cr2;

	if (vmi_entry[VMI64_CALL_GetCR2])
		return vmi0(GetCR2);
	__asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
	return cr2;
}

void trap(struct frame *f)
{
	if (f->vector == VEC_PF)
		last_cr2 = read_cr2();
	if (f->vector == VEC_IRQ0) {
		irq0_flags = f->rflags;
		irq0_cs = f->cs;
		irq0_mask = mask();
		irq0_count++;
		if (vector_hook[VEC_IRQ0])
			vector_hook[VEC_IRQ0](f);
		outb(0x20, 0x20);
		return;
	}
	if (vector_hook[f->vector]) {
		vector_hook[f->vector](f);
		return;
	}
	last_mask = mask();
	last = *f;
	last_at = (uint64_t)f;
	if ((f->cs & 3) == 3) {
		if (vmi_entry[VMI64_CALL_DisableInterrupts])
			vmi0(DisableInterrupts);
		resume_kernel();
	}
	if (!fixup)
		unexpected(f);
	fixup_vector = (int64_t)f->vector;
	f->rip = fixup;
}

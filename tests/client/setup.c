// SPDX-License-Identifier: GPL-2.0-only
/* The old client's start, in the order of its calls. */
#include "client.h"

#define GATE_INTERRUPT	0x8e00u
#define GATE_TRAP	0x8f00u
#define GATE_TASK	0x8500u
#define CR0_NEEDED	0x80050033u
#define CR4_PSE		0x10u
#define CR4_PGE		0x80u
#define PERIODS_PER_S	100u
#define PIT_HZ		1193182u
#define LOCAL_APIC_EOI	0xb0u
#define LOCAL_APIC_SVR	0xf0u
#define LOCAL_APIC_LVTT	0x320u
#define SVR_ENABLE	0x100u

struct table_pointer {
	uint16_t	limit;
	uint32_t	base;
} __attribute__((packed));
extern const struct table_pointer boot_gdt_pointer, boot_idt_pointer;

/* Code and data are never written again; all else comes by WriteGDTEntry. */
uint64_t gdt[GDT_ENTRIES] __attribute__((aligned(PAGE))) = {
	[KERNEL_CS / 8] = 0x00cf9a000000ffff,
	[KERNEL_DS / 8] = 0x00cf92000000ffff,
	[USER_CS / 8] = 0x00cffa000000ffff,
	[USER_DS / 8] = 0x00cff2000000ffff,
};
static uint32_t idt[256][2] __attribute__((aligned(8)));
const struct table_pointer boot_gdt_pointer = { 0xff, (uintptr_t)gdt };
const struct table_pointer boot_idt_pointer = { 0x7ff, (uintptr_t)idt };
uint32_t tss[26];
static uint32_t double_fault_tss[26];
bool trap_init_done;

uint8_t boot_tables[BOOT_MAPPED / PAGE * 8] __attribute__((aligned(PAGE)));
uint8_t boot_directory[4 * PAGE] __attribute__((aligned(PAGE)));
uint8_t boot_pdpt[PAGE] __attribute__((aligned(PAGE)));
uint8_t boot_fixmap[PAGE] __attribute__((aligned(PAGE)));
static uint8_t early_fixmap[PAGE] __attribute__((aligned(PAGE)));
static uint8_t *fixmap;
static uint32_t fix_top;

/* ---- the fixmap, which ends below virtual_top ------------------------------- */

uint32_t fix_va(uint32_t n)
{
	return fix_top - n * PAGE;
}

static void *fix_entry(uint32_t n)
{
	return fixmap + fix_va(n) / PAGE % (PAGE / entry_size()) *
	       entry_size();
}

void set_fixmap(uint32_t n, uint64_t value)
{
	entry_set(fix_entry(n), value, VMI_PAGE_PT);
	vmi1(InvalPage, fix_va(n));
}

/* A table is put in place with plain stores: nobody could be told. */
void setup_before_init(void)
{
	const uint32_t top = ((const struct vmi_rom_header *)rom)->virtual_top;

	fix_top = top ? top - PAGE : 0u - PAGE;
	fixmap = early_fixmap;
	if (fix_top / large_size() == 0xffffffffu / large_size())
		fixmap = boot_fixmap;
	else
		entry_store(dir_entry(&init_mm, fix_top),
			    pa_of(early_fixmap) | PTE_P | PTE_W);
}

/* Before there are handlers each exception is the end (VMI-2.4.6). */
static void gate_store(uint32_t n, uint32_t type)
{
	const uint32_t stub = trap_stub[n];

	idt[n][0] = KERNEL_CS << 16 | (stub & 0xffff);
	idt[n][1] = (stub & 0xffff0000) | type;
}

void early_idt(void)
{
	for (uint32_t n = 0; n < 256; n++)
		gate_store(n, GATE_INTERRUPT);
}

/* ---- setup_arch --------------------------------------------------------------- */

/*
 * All low memory: rewrites the boot's tables entry by entry, and has large
 * pages for the rest. The root is announced while it is in use.
 */
void setup_arch(void)
{
	uint32_t r[4];

	vmi_cpuid(0, r);
	vmi1(SetCR4, vmi0(GetCR4) | CR4_PSE);
	vmi1(SetCR4, vmi0(GetCR4) | CR4_PGE);
	for (uint32_t page = 0; page < BOOT_MAPPED / PAGE; page++)
		entry_set(boot_tables + page * entry_size(),
			  page * PAGE | PTE_P | PTE_W | PTE_G, VMI_PAGE_PT);
	vmi1(FlushTLB, VMI_FLUSH_TLB | VMI_FLUSH_GLOBAL);
	for (uint32_t pa = BOOT_MAPPED; pa < LOWMEM; pa += large_size())
		entry_set(dir_entry(&init_mm, BASE + pa),
			  pa | PTE_P | PTE_W | PTE_PS | PTE_G, VMI_PAGE_PD);
	announce(pa_of(init_mm.root) / PAGE, VMI_PAGE_PD);
	announce(pa_of(fixmap) / PAGE, VMI_PAGE_PT);
	vmi1(SetCR3, pa_of(init_mm.root));
	vmi1(FlushTLB, VMI_FLUSH_TLB | VMI_FLUSH_GLOBAL);
	for (uint32_t n = 6; n < 10; n++)
		set_fixmap(n, n * PAGE | PTE_P | PTE_W);
}

/* ---- trap_init, cpu_init ---------------------------------------------------------- */

static void write_gate(uint32_t n, uint32_t low, uint32_t high)
{
	vmi4(VMI_CALL_WriteIDTEntry, (uintptr_t)idt, n, low, high);
}

static void set_gate(uint32_t n, uint32_t type, uint32_t dpl)
{
	const uint32_t stub = trap_stub[n];

	write_gate(n, KERNEL_CS << 16 | (stub & 0xffff),
		   (stub & 0xffff0000) | type | dpl << 13);
}

void write_descriptor(uint32_t index, uint64_t d)
{
	vmi4(VMI_CALL_WriteGDTEntry, (uintptr_t)gdt, index, (uint32_t)d,
	     (uint32_t)(d >> 32));
}

static uint64_t system_descriptor(const void *at, uint32_t limit, uint32_t type)
{
	const uint64_t base = (uintptr_t)at;

	return (limit & 0xffff) | (base & 0xffffff) << 16 |
	       (uint64_t)(0x80 | type) << 40 |
	       (uint64_t)(limit >> 16 & 15) << 48 | (base >> 24) << 56;
}

/* The descriptor first, also for none: the limit is -1 then. */
void set_ldt(const uint64_t *ldt, uint32_t entries)
{
	write_descriptor(LDT_SELECTOR / 8,
			 system_descriptor(ldt, entries * 8 - 1, 2));
	vmi1(SetLDT, entries ? LDT_SELECTOR : 0);
}

static uint8_t boot_stack[PAGE];

void trap_init(void)
{
	struct table_pointer p;

	for (uint32_t n = 0; n < 20; n++)
		if (n == 8)
			write_gate(8, DOUBLE_FAULT_TSS << 16, GATE_TASK);
		else if (n != 15)
			set_gate(n, GATE_INTERRUPT, n == 3 || n == 4 ? 3 : 0);
	set_gate(VEC_SYSCALL, GATE_TRAP, 3);
	tss[2] = KERNEL_DS;
	tss[25] = sizeof(tss) << 16;
	p = boot_idt_pointer;
	vmi1(SetIDT, (uintptr_t)&p);
	p = boot_gdt_pointer;
	vmi1(SetGDT, (uintptr_t)&p);
	tss[1] = (uintptr_t)boot_stack + PAGE;
	vmi2(UpdateKernelStack, KERNEL_DS, (uintptr_t)boot_stack + PAGE);
	write_descriptor(TSS_SELECTOR / 8,
			 system_descriptor(tss, sizeof(tss) - 1, 9));
	vmi1(SetTR, TSS_SELECTOR);
	write_descriptor(DOUBLE_FAULT_TSS / 8,
			 system_descriptor(double_fault_tss,
					   sizeof(double_fault_tss) - 1, 9));
	set_ldt(NULL, 0);
	for (uint32_t n = 0; n < 8; n++)
		if (n != 4 && n != 5)
			vmi2(SetDR, n, 0);
	vmi0(CLTS);
	vmi1(SetCR0, vmi0(GetCR0) | CR0_TS);
	trap_init_done = true;
}

/* ---- mem_init -------------------------------------------------------------------------- */

/* Does WP work for the kernel? The page shown is the root itself. */
static void test_wp(void)
{
	const uint32_t va = fix_va(1);

	set_fixmap(1, pa_of(init_mm.root) | PTE_P);
	same(wp_write(va + 8), 1, "a read-only page faults in the kernel");
	same(last_cr2, va + 8, "with its address in CR2");
	same(last_trap.error, PF_PRESENT | PF_WRITE, "and error code 3");
	set_fixmap(1, 0);
}

/*
 * Splits one large page of low memory. The directory's entry is stored as if
 * it were a page's: SetPxE with level 1, and with PAE CMPXCHG8B and an update.
 */
static void split_large_page(uint32_t pa)
{
	uint8_t *const table = alloc_low();
	void *const pde = dir_entry(&init_mm, BASE + pa);
	volatile uint32_t *const word = va_of(pa + 3 * PAGE);
	const uint64_t value = pa_of(table) | PTE_P | PTE_W;
	void *const e = table + 3 * entry_size();

	*word = 0x5b117;
	announce(pa_of(table) / PAGE, VMI_PAGE_PT);
	for (uint32_t i = 0; i < large_size() / PAGE; i++)
		entry_set(table + i * entry_size(), (pa + i * PAGE) | PTE_P |
			  PTE_W | PTE_A | PTE_D | PTE_G, VMI_PAGE_PT);
	if (pae) {
		entry_xchg(pde, value);
		entry_update(pde, VMI_PAGE_PT);
	} else {
		entry_set(pde, value, VMI_PAGE_PT);
	}
	vmi1(FlushTLB, VMI_FLUSH_TLB | VMI_FLUSH_GLOBAL);
	same(*word, 0x5b117, "a large page split into a table shows the same");
	entry_set(e, (pa + 3 * PAGE) | PTE_P | PTE_A | PTE_D | PTE_G,
		  VMI_PAGE_PT);
	vmi1(FlushTLB, VMI_FLUSH_TLB | VMI_FLUSH_GLOBAL);
	same(wp_write((uintptr_t)word), 1, "one page of it made read-only is");
	entry_set(e, (pa + 3 * PAGE) | PTE_P | PTE_W | PTE_A | PTE_D | PTE_G,
		  VMI_PAGE_PT);
	vmi1(FlushTLB, VMI_FLUSH_TLB | VMI_FLUSH_GLOBAL);
	same(wp_write((uintptr_t)word), 0, "and writable again");
}

void mem_init(void)
{
	test_wp();
	split_large_page(LOWMEM - large_size());
	same(wp_write(BOOT_MAPPED - PAGE), 0, "low memory is mapped at 0 so far");
	if (pae)
		for (uint32_t i = 0; i < 3; i++)
			entry_set(init_mm.root + i * 8, 0, VMI_PAGE_PDP);
	else
		for (uint32_t i = 0; i < BASE >> 22; i++)
			entry_set(init_mm.root + i * 4, 0, VMI_PAGE_PD);
	vmi1(FlushTLB, VMI_FLUSH_TLB | VMI_FLUSH_GLOBAL);
	same(wp_write(BOOT_MAPPED - PAGE), 1, "and then no more");
}

void init_irq(void)
{
	for (uint32_t n = 0x20; n < 256; n++)
		if (n != VEC_SYSCALL)
			set_gate(n, GATE_INTERRUPT, 0);
	pic_init();
	vmi0(IODelay);
}

/* ---- time --------------------------------------------------------------------------------- */

static void alarm(uint32_t flags)
{
	const uint32_t period = (uint32_t)(cycles_per_second() >> 7);

	set_alarm(flags, vmi_cycles() + period, period);
}

static void on_irq0(struct frame *f)
{
	(void)f;
	outb(0x20, 0x20);
	task_tick();
}

void timer_init(void)
{
	vector_hook[VEC_IRQ0] = on_irq0;
	if (vmi_type[VMI_CALL_GetCycleFrequency] != VMI_RELOC_NONE) {
		ok(vmi64(VMI_CALL_GetWallclockTime, 0) >> 32 != 0,
		   "there is a wall clock");
		alarm(VMI_CYCLES_REAL | VMI_ALARM_PERIODIC);
		return;
	}
	outb(0x43, 0x34);
	outb(0x40, (uint8_t)(PIT_HZ / PERIODS_PER_S));
	outb(0x40, (uint8_t)(PIT_HZ / PERIODS_PER_S >> 8));
}

static void on_lvtt(struct frame *f)
{
	(void)f;
	vmi2(APICWrite, LOCAL_APIC_EOI, 0);
	task_tick();
}

/* The vector and the mask of LVTT, then one alarm for another. */
void timer_switch_to_lvtt(void)
{
	if (!has(VMI_CALL_APICWrite) || !has(VMI_CALL_SetAlarm))
		return;
	vector_hook[VEC_LVTT] = on_lvtt;
	vmi2(APICWrite, LOCAL_APIC_SVR, vmi1(APICRead, LOCAL_APIC_SVR) |
	     SVR_ENABLE);
	vmi1(CancelAlarm, VMI_CYCLES_REAL | VMI_ALARM_PERIODIC);
	vmi2(APICWrite, LOCAL_APIC_LVTT, VEC_LVTT);
	alarm(VMI_CYCLES_REAL | VMI_ALARM_PERIODIC | VMI_ALARM_LVTT);
}

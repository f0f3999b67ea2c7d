// SPDX-License-Identifier: GPL-2.0-only
/* Calls that return, in the order of their numbers. */
#include "micro.h"
#include "vmi_hypercall.h"

#define CR4_OSFXSR	0x200u
#define APIC_VERSION	0x30u
#define APIC_TPR	0x80u
#define DATA_HIGH	0x0040f200u	/* a data segment, DPL 3 */

struct table_pointer {
	uint16_t	limit;
	uint32_t	base;
} __attribute__((packed));

static struct table_pointer pointer;
static uint32_t idt_base;
static uint32_t spare_table[64][2];	/* a GDT, IDT or LDT that is not loaded */

/* Arguments: eax, edx, ecx, then two words on the stack. */
#define CALL(name, before_, after_, what_, ...) do {			\
	struct row row_ = {						\
		.what = what_,						\
		.call = vmi_call(VMI_CALL_##name),			\
		.cost = cost_to_return,					\
		.before = before_,					\
		.after = after_,					\
	};								\
	const uint32_t args_[5] = { __VA_ARGS__ };			\
									\
	row_.call.eax = args_[0];					\
	row_.call.edx = args_[1];					\
	row_.call.ecx = args_[2];					\
	row_.call.stack[0] = args_[3];					\
	row_.call.stack[1] = args_[4];					\
	row_measure(&row_);						\
} while (0)

static void lazy_none(void)
{
	vmi1(SetLazyMode, VMI_LAZY_NONE);
}

static void lazy_mmu(struct call *c)
{
	(void)c;
	vmi1(SetLazyMode, VMI_LAZY_MMU);
}

static void lazy_cpu(struct call *c)
{
	(void)c;
	vmi1(SetLazyMode, VMI_LAZY_CPU);
}

/* ---- descriptor tables ------------------------------------------------- */

static void descriptors(void)
{
	const uint32_t gdt_at = (uintptr_t)gdt;
	const uint32_t spare = (uintptr_t)spare_table;

	vmi1(GetIDT, (uintptr_t)&pointer);
	idt_base = pointer.base;
	CALL(SetIDT, NULL, NULL, "SetIDT", (uintptr_t)&pointer);
	CALL(GetIDT, NULL, NULL, "GetIDT", (uintptr_t)&pointer);
	vmi1(GetGDT, (uintptr_t)&pointer);
	CALL(SetGDT, NULL, NULL, "SetGDT", (uintptr_t)&pointer);
	CALL(GetGDT, NULL, NULL, "GetGDT", (uintptr_t)&pointer);
	CALL(SetLDT, NULL, NULL, "SetLDT, none before and after", 0);
	CALL(GetLDT, NULL, NULL, "GetLDT", 0);
	CALL(GetTR, NULL, NULL, "GetTR", 0);
	CALL(WriteGDTEntry, NULL, NULL, "WriteGDTEntry", gdt_at, SPARE_GDT,
	     0x234, DATA_HIGH);
	CALL(WriteGDTEntry, lazy_cpu, lazy_none,
	     "WriteGDTEntry, lazy CPU mode", gdt_at, SPARE_GDT, 0x235,
	     DATA_HIGH);
	CALL(WriteGDTEntry, NULL, NULL, "WriteGDTEntry, table not loaded",
	     spare, SPARE_GDT, 0x236, DATA_HIGH);
	CALL(WriteLDTEntry, NULL, NULL, "WriteLDTEntry, no LDT loaded",
	     spare, 1, 0x236, DATA_HIGH);
	CALL(WriteIDTEntry, NULL, NULL, "WriteIDTEntry", idt_base, 0x90,
	     KERNEL_CS << 16 | (trap_stub[0x90] & 0xffff),
	     (trap_stub[0x90] & 0xffff0000) | 0x8e00);
	CALL(WriteIDTEntry, NULL, NULL, "WriteIDTEntry, table not loaded",
	     spare, 1, 0, 0);
	CALL(UpdateKernelStack, NULL, NULL, "UpdateKernelStack", KERNEL_DS,
	     0x1000);
}

/* A busy TSS cannot be loaded, so it is made available again. */
static void free_tss(struct call *c)
{
	(void)c;
	gdt[TSS_SELECTOR / 8] &= ~(1ull << 41);
	vmi4(VMI_CALL_WriteGDTEntry, (uintptr_t)gdt, TSS_SELECTOR / 8,
	     (uint32_t)gdt[TSS_SELECTOR / 8],
	     (uint32_t)(gdt[TSS_SELECTOR / 8] >> 32));
}

/* ---- control and debug registers --------------------------------------- */

static uint32_t cr0, cr4;

static void clear_ts(struct call *c)
{
	(void)c;
	vmi0(CLTS);
}

static void set_ts(struct call *c)
{
	(void)c;
	vmi1(SetCR0, cr0 | CR0_TS);
}

static void restore_cr4(void)
{
	vmi1(SetCR4, cr4);
}

/* To the directory that is not loaded. */
static void toggle_cr3(struct call *c)
{
	c->eax = vmi0(GetCR3) == (uintptr_t)page_directory ?
		 (uintptr_t)other_directory : (uintptr_t)page_directory;
}

static void toggle_cr3_lazy(struct call *c)
{
	toggle_cr3(c);
	lazy_cpu(c);
}

/* The hypervisor forgets the other directory. */
static void forget_other(struct call *c)
{
	const uint32_t frame = (uintptr_t)other_directory / PAGE;

	(void)c;
	vmi1(SetCR3, (uintptr_t)page_directory);
	vmi2(ReleasePage, frame, VMI_PAGE_PD | VMI_PAGE_ZEROED);
	vmi4(VMI_CALL_AllocatePage, frame, VMI_PAGE_PD | VMI_PAGE_ZEROED, 0,
	     0);
	flush();
}

static void registers(void)
{
	cr0 = vmi0(GetCR0);
	cr4 = vmi0(GetCR4);
	CALL(SetCR0, NULL, NULL, "SetCR0, nothing changes", cr0);
	CALL(SetCR0, clear_ts, NULL, "SetCR0, sets TS", cr0 | CR0_TS);
	vmi1(SetCR0, cr0);
	CALL(CLTS, NULL, NULL, "CLTS, clear already", 0);
	CALL(CLTS, set_ts, NULL, "CLTS, TS set", 0);
	CALL(SetCR2, NULL, NULL, "SetCR2", 0);
	CALL(SetCR3, NULL, NULL, "SetCR3, same directory",
	     (uintptr_t)page_directory);
	CALL(SetCR3, toggle_cr3, NULL, "SetCR3, known directory", 0);
	CALL(SetCR3, forget_other, NULL, "SetCR3, new directory",
	     (uintptr_t)other_directory);
	vmi1(SetCR3, (uintptr_t)page_directory);
	CALL(SetCR3, toggle_cr3_lazy, lazy_none, "SetCR3, lazy CPU mode", 0);
	vmi1(SetCR3, (uintptr_t)page_directory);
	CALL(SetCR4, NULL, NULL, "SetCR4, nothing changes", cr4);
	CALL(SetCR4, NULL, restore_cr4, "SetCR4, sets OSFXSR", cr4 | CR4_OSFXSR);
	CALL(GetCR0, NULL, NULL, "GetCR0", 0);
	CALL(GetCR2, NULL, NULL, "GetCR2", 0);
	CALL(GetCR3, NULL, NULL, "GetCR3", 0);
	CALL(GetCR4, NULL, NULL, "GetCR4", 0);
	CALL(SetDR, NULL, NULL, "SetDR", 1, 0x1234);
	CALL(GetDR, NULL, NULL, "GetDR", 1);
}

/* ---- interrupt flag ---------------------------------------------------- */

static void disable(void)
{
	vmi0(DisableInterrupts);
}

static void interrupt_flag(void)
{
	CALL(EnableInterrupts, NULL, disable,
	     "EnableInterrupts, nothing pending", 0);
	CALL(DisableInterrupts, NULL, NULL, "DisableInterrupts", 0);
	CALL(GetInterruptMask, NULL, NULL, "GetInterruptMask", 0);
	CALL(SetInterruptMask, NULL, disable,
	     "SetInterruptMask on, nothing pending", EFLAGS_IF);
	CALL(SetInterruptMask, NULL, NULL, "SetInterruptMask off", 0);
	CALL(SetIOPLMask, NULL, NULL, "SetIOPLMask", 0);
}

/* ---- page tables ------------------------------------------------------- */

static uint32_t turn;

/* A value and a place that differ from those of the last call. */
static void next_entry(struct call *c)
{
	turn++;
	c->eax = present(turn % TARGETS);
	c->edx = (uintptr_t)entry_of(BATCH_FIRST + turn % 64);
}

static void empty_queue(struct call *c)
{
	flush();
	next_entry(c);
}

static void after_same_entry(struct call *c)
{
	flush();
	set_entry(BATCH_FIRST, present(0));
	c->edx = (uintptr_t)entry_of(BATCH_FIRST);
}

static void one_is_free(struct call *c)
{
	flush();
	for (uint32_t i = 0; i < STUB_QUEUE_LEN - 1; i++)
		set_entry(BATCH_FIRST + i % 512, present(turn % TARGETS));
	turn++;
	c->eax = present(turn % TARGETS);
	c->edx = (uintptr_t)entry_of(BATCH_FIRST + STUB_QUEUE_LEN - 1);
}

static void next_page(struct call *c)
{
	turn++;
	set_entry(BATCH_FIRST + turn % 64, present(turn % TARGETS));
	c->eax = va_of(BATCH_FIRST + turn % 64);
}

static void quiet_page(struct call *c)
{
	flush();
	turn++;
	c->eax = va_of(BATCH_FIRST + turn % 64);
}

static void next_page_lazy(struct call *c)
{
	lazy_mmu(c);
	next_page(c);
}

static void queued_entry(struct call *c)
{
	(void)c;
	turn++;
	set_entry(BATCH_FIRST + turn % 64, present(turn % TARGETS));
}

static void empty(struct call *c)
{
	(void)c;
	flush();
}

static void tables(void)
{
	const uint32_t frame = (uintptr_t)spare_table / PAGE;
	const uint32_t at = (uintptr_t)entry_of(BATCH_FIRST);
	/* the first table, as linear slot 1 shows it, and as none does */
	const uint32_t slot1 = va_of(SLOT1_TABLE) + BATCH_FIRST * 4;
	const uint32_t elsewhere = va_of(SLOT1_TABLE + 1) + BATCH_FIRST * 4;

	CALL(SetPxE, empty_queue, NULL, "SetPxE, room in the queue");
	CALL(SetPxE, after_same_entry, NULL, "SetPxE, entry logged just before",
	     present(1));
	CALL(SetPxE, one_is_free, NULL, "SetPxE, fills the queue: 1024 drained");
	CALL(SetPxE, empty, NULL, "SetPxE, through linear slot 1",
	     present(0), slot1);
	set_entry(SLOT1_TABLE + 1, *entry_of(SLOT1_TABLE));
	flush();
	CALL(SetPxE, empty, NULL, "SetPxE, through no linear slot",
	     present(1), elsewhere);
	if (vmi_type[VMI_CALL_SetPxELong] == VMI_RELOC_CALL)
		/* 8 bytes: eax low, edx high, both valid 4-byte entries */
		CALL(SetPxELong, empty, NULL, "SetPxELong, room in the queue",
		     present(0), present(0), at);
	CALL(UpdatePxE, empty, NULL, "UpdatePxE, room in the queue", at);
	if (vmi_type[VMI_CALL_UpdatePxELong] == VMI_RELOC_CALL)
		CALL(UpdatePxELong, empty, NULL,
		     "UpdatePxELong, room in the queue", at);
	if (vmi_type[VMI_CALL_MachineToPhysical] == VMI_RELOC_CALL)
		CALL(MachineToPhysical, NULL, NULL, "MachineToPhysical", 1);
	if (vmi_type[VMI_CALL_PhysicalToMachine] == VMI_RELOC_CALL)
		CALL(PhysicalToMachine, NULL, NULL, "PhysicalToMachine", 1);
	CALL(AllocatePage, empty, NULL, "AllocatePage", frame,
	     VMI_PAGE_PT | VMI_PAGE_ZEROED);
	CALL(ReleasePage, empty, NULL, "ReleasePage", frame,
	     VMI_PAGE_PT | VMI_PAGE_ZEROED);
	CALL(InvalPage, quiet_page, NULL, "InvalPage, nothing queued");
	CALL(InvalPage, next_page, NULL, "InvalPage, its entry queued");
	CALL(InvalPage, next_page_lazy, lazy_none, "InvalPage, lazy MMU mode");
	CALL(FlushTLB, empty, NULL, "FlushTLB, nothing queued", VMI_FLUSH_TLB);
	CALL(FlushTLB, queued_entry, NULL, "FlushTLB, one entry queued",
	     VMI_FLUSH_TLB);
	CALL(FlushTLB, lazy_mmu, lazy_none, "FlushTLB, lazy MMU mode",
	     VMI_FLUSH_TLB);
	CALL(SetLinearMapping, empty, NULL, "SetLinearMapping", 2, 0xf0000000,
	     1, 1);
}

/* ---- lazy modes -------------------------------------------------------- */

static void batch_of_entries(struct call *c)
{
	lazy_mmu(c);
	queued_entry(c);
	c->eax = VMI_LAZY_NONE;
}

static void batch_of_invalidations(struct call *c)
{
	lazy_mmu(c);
	for (uint32_t i = 0; i < 8; i++) {
		queued_entry(c);
		vmi1(InvalPage, va_of(BATCH_FIRST + turn % 64));
	}
	c->eax = VMI_LAZY_NONE;
}

/* What Linux does to switch to another process. */
static void batch_of_switch(struct call *c)
{
	toggle_cr3_lazy(c);
	vmi1(SetCR3, c->eax);
	vmi2(UpdateKernelStack, KERNEL_DS, 0x1000);
	for (uint32_t i = 0; i < 3; i++)
		vmi4(VMI_CALL_WriteGDTEntry, (uintptr_t)gdt, SPARE_GDT + i,
		     turn++, DATA_HIGH);
	c->eax = VMI_LAZY_NONE;
}

static void lazy_modes(void)
{
	CALL(SetLazyMode, NULL, lazy_none, "SetLazyMode, entering a mode",
	     VMI_LAZY_MMU);
	CALL(SetLazyMode, lazy_mmu, NULL, "SetLazyMode, leaving, nothing done",
	     VMI_LAZY_NONE);
	CALL(SetLazyMode, batch_of_entries, NULL,
	     "SetLazyMode, leaving, an entry queued");
	CALL(SetLazyMode, batch_of_invalidations, NULL,
	     "SetLazyMode, leaving, 8 invalidations");
	CALL(SetLazyMode, batch_of_switch, NULL,
	     "SetLazyMode, leaving, CR3 and 3 descriptors");
	vmi1(SetCR3, (uintptr_t)page_directory);
}

/* ---- time and the rest ------------------------------------------------- */

static uint64_t alarm_at;

static void set_expiry(struct call *c, uint64_t expiry)
{
	c->eax = VMI_CYCLES_REAL;
	c->edx = (uint32_t)expiry;
	c->ecx = (uint32_t)(expiry >> 32);
	c->stack[0] = c->stack[1] = 0;
}

/* Far enough away that none of them fires. */
#define FAR	(1ull << 36)

static void later(struct call *c)
{
	set_expiry(c, alarm_at += 1 << 20);
}

static void earlier(struct call *c)
{
	set_expiry(c, alarm_at -= 1 << 20);
}

static void arm(struct call *c)
{
	struct call set = vmi_call(VMI_CALL_SetAlarm);

	later(&set);
	timed_call(&set);
	c->eax = VMI_CYCLES_REAL;
}

static void time_and_rest(void)
{
	static const struct vmi_ap_state nobody;

	CALL(SetInitialAPState, NULL, NULL, "SetInitialAPState, of nobody",
	     (uintptr_t)&nobody, 1);
	CALL(FlushProcessors, NULL, NULL, "FlushProcessors, nobody", 0,
	     VMI_FLUSH_TLB);
	CALL(APICRead, NULL, NULL, "APICRead, version", APIC_VERSION);
	CALL(APICWrite, NULL, NULL, "APICWrite, task priority", APIC_TPR, 0);
	CALL(IODelay, NULL, NULL, "IODelay", 0);
	CALL(GetCycleFrequency, NULL, NULL, "GetCycleFrequency", 0);
	CALL(GetCycleCounter, NULL, NULL, "GetCycleCounter, real",
	     VMI_CYCLES_REAL);
	CALL(GetCycleCounter, NULL, NULL, "GetCycleCounter, available",
	     VMI_CYCLES_AVAILABLE);
	CALL(GetCycleCounter, NULL, NULL, "GetCycleCounter, stolen",
	     VMI_CYCLES_STOLEN);
	alarm_at = vmi_cycles() + FAR;
	CALL(SetAlarm, earlier, NULL, "SetAlarm, before the one that is set");
	CALL(SetAlarm, later, NULL, "SetAlarm, after the one that is set");
	CALL(CancelAlarm, arm, NULL, "CancelAlarm, armed");
	CALL(GetWallclockTime, NULL, NULL, "GetWallclockTime", 0);
	CALL(WallclockUpdated, NULL, NULL, "WallclockUpdated", 0);
	CALL(CPUID, NULL, NULL, "CPUID", 0);
	CALL(Hypercall, NULL, NULL, "Hypercall, HypervisorInfo",
	     VMI_HC_HypervisorInfo, 0);
}

/* ---- what a kernel does that is not ported ----------------------------- */

static void instruction(const uint8_t *code, const char *what)
{
	const struct row r = {
		.what = what,
		.call = { .entry = (uintptr_t)code },
		.cost = cost_to_return,
		.ours = 1,		/* its RET */
	};

	row_measure(&r);
}

void measure_calls(void)
{
	descriptors();
	CALL(SetTR, free_tss, NULL, "SetTR", TSS_SELECTOR);
	registers();
	interrupt_flag();
	tables();
	lazy_modes();
	time_and_rest();
	instruction(do_cli, "CLI instruction");
	instruction(do_read_cr3, "MOV from CR3 instruction");
	instruction(do_in, "IN from a port of the 8259");
}

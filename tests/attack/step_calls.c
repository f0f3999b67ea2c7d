// SPDX-License-Identifier: GPL-2.0-only
/* Every call of the ROM, in every state in which it does something else. */
#include "steps.h"

/* ---- what calls begin with -------------------------------------------------- */

static void batch_mmu(void)
{
	vmi1(SetLazyMode, VMI_LAZY_MMU);
}

static void batch_cpu(void)
{
	vmi1(SetLazyMode, VMI_LAZY_CPU);
}

static void batch_to_end(void)
{
	batch_mmu();
	vmi3(SetPxE, MAPS(pages[3], PTE_W), pte(CHANGED), VMI_PAGE_PT);
	vmi1(InvalPage, play(CHANGED));
}

static void switch_to_end(void)
{
	batch_cpu();
	vmi1(SetCR3, (uintptr_t)page_directory);
	write_gdt(SPARE_GDT, descriptor(0, 0xffff, 0x00cf9200));
}

static void almost_full(void)
{
	for (uint32_t i = 0; i < STUB_QUEUE_LEN; i++)
		SHARED->queue[i] = pte(U_FREE + 8 + i % 8);
	SHARED->tail = -1;
}

static void just_logged(void)
{
	SHARED->queue[0] = pte(CHANGED);
	SHARED->tail = 1 - STUB_QUEUE_LEN;
}

static void changed_by_hand(void)
{
	*(volatile uint32_t *)pte(CHANGED) = MAPS(pages[3], PTE_W);
}

static void changed_batch(void)
{
	changed_by_hand();
	batch_mmu();
}

static void changed_full(void)
{
	changed_by_hand();
	almost_full();
}

static void changed_logged(void)
{
	changed_by_hand();
	just_logged();
}

static void ts_set(void)
{
	vmi1(SetCR0, vmi0(GetCR0) | CR0_TS);
}

struct pointer gdt_pointer, idt_pointer;
static struct pointer stored;
static uint32_t step_ldt[2][2];

void pointers(void)
{
	gdt_pointer.limit = sizeof(gdt) - 1;
	gdt_pointer.base = (uintptr_t)gdt;
	idt_pointer.limit = 0x7ff;
	idt_pointer.base = (uintptr_t)gate_of(0);
}

static void ldt_there(void)
{
	write_gdt(SPARE_GDT + 1, descriptor((uintptr_t)step_ldt,
					    sizeof(step_ldt) - 1, 0x8200));
}

static void ldt_loaded(void)
{
	ldt_there();
	vmi1(SetLDT, (SPARE_GDT + 1) * 8);
}

static void alarm_there(void)
{
	SHARED->expiry = ~0ull >> 1;
	SHARED->period = 0;
	hypercall(STUB_HC_SET_ALARM, VMI_CYCLES_AVAILABLE, 0);
}

#define TABLE		((uintptr_t)gdt)
#define PTE_VA		((uintptr_t)&play_table[CHANGED] + LINEAR)
#define IN_SLOT1	(SLOT1 + CHANGED * 4)
#define NOT_IN_SLOT	(SLOT1 + PAGE + CHANGED * 4)

#define LONG		200000u
#define LONG_CALL(name, a, d, prepare)					\
	{ #name, VMI_CALL_##name, a, d, 0, 0, prepare, 0, LONG, false, NULL }
#define OFF(suffix, name, a, results)					\
	{ #name suffix, VMI_CALL_##name, a, 0, 0, 0, NULL, results, SHORT, \
	  true, NULL }
#define BY(name, entry, off)						\
	{ name, VMI_CALL_IRET, 1, 2, 3, 0, NULL, ALL, SHORT, off, entry }

/* Reboot and Shutdown are a hypercall and nothing else. */
const struct scenario scenarios[] = {
	CALL(CPUID, 0, 0, 0, 0, ALL),
	LONG_CALL(SetGDT, (uintptr_t)&gdt_pointer, 0, pointers),
	LONG_CALL(SetIDT, (uintptr_t)&idt_pointer, 0, pointers),
	LONG_CALL(SetLDT, (SPARE_GDT + 1) * 8, 0, ldt_there),
	LONG_CALL(SetTR, TSS_SELECTOR, 0, NULL),
	CALL(GetGDT, (uintptr_t)&stored, 0, 0, 0, 0),
	CALL(GetIDT, (uintptr_t)&stored, 0, 0, 0, 0),
	CALL(GetLDT, 0, 0, 0, 0, STEP_EAX),
	CALL(GetTR, 0, 0, 0, 0, STEP_EAX),
	CALL(WriteGDTEntry, TABLE, SPARE_GDT, 0xffff, 0x00cf9200, 0),
	CALL_AFTER("_batch", WriteGDTEntry, TABLE, SPARE_GDT, 0xffff,
		   0x00cf9200, batch_cpu, 0),
	CALL_AFTER("", WriteLDTEntry, (uintptr_t)step_ldt, 1, 0xffff, 0x00cf9200,
		   ldt_loaded, 0),
	CALL(WriteIDTEntry, 0, 0x90, 0, 0, 0),
	CALL(UpdateKernelStack, KERNEL_DS, 0x1234, 0, 0, 0),
	CALL(SetCR0, 0x8001001b, 0, 0, 0, 0),
	CALL(SetCR2, 0x1234, 0, 0, 0, 0),
	CALL(SetCR3, (uintptr_t)page_directory, 0, 0, 0, 0),
	CALL_AFTER("_batch", SetCR3, (uintptr_t)page_directory, 0, 0, 0,
		   batch_cpu, 0),
	CALL(SetCR4, 0x14, 0, 0, 0, 0),
	CALL(GetCR0, 0, 0, 0, 0, STEP_EAX),
	CALL(GetCR2, 0, 0, 0, 0, STEP_EAX),
	CALL(GetCR3, 0, 0, 0, 0, STEP_EAX),
	CALL(GetCR4, 0, 0, 0, 0, STEP_EAX),
	CALL(SetDR, 1, 0x1234, 0, 0, 0),
	CALL(GetDR, 7, 0, 0, 0, STEP_EAX),
	CALL(CLTS, 0, 0, 0, 0, 0),
	CALL_AFTER("_set", CLTS, 0, 0, 0, 0, ts_set, 0),
	CALL(EnableInterrupts, 1, 2, 3, 0, ALL),
	OFF("_off", EnableInterrupts, 1, STEP_EAX),
	CALL(DisableInterrupts, 1, 2, 3, 0, ALL),
	OFF("_off", DisableInterrupts, 1, STEP_EAX),
	CALL(GetInterruptMask, 1, 2, 3, 0, ALL),
	OFF("_off", GetInterruptMask, 1, STEP_EAX),
	CALL(SetInterruptMask, EFLAGS_IF, 2, 3, 0, ALL),
	OFF("_on", SetInterruptMask, EFLAGS_IF, STEP_EAX),
	CALL_AFTER("_off", SetInterruptMask, 0, 2, 3, 0, NULL, ALL),
	BY("IRET_on", step_iret_on, false),
	BY("IRET_off", step_iret_off, false),
	BY("IRET_on_from_off", step_iret_on, true),
	BY("IRET_off_from_off", step_iret_off, true),
	BY("IRET_user", step_iret_user, false),
	BY("IRET_user_from_off", step_iret_user, true),
	BY("SYSEXIT", step_sysexit, false),
	BY("SYSEXIT_from_off", step_sysexit, true),
	OFF("", Halt, 0, 0),
	CALL(SetPxE, PAGE3, PTE_VA, VMI_PAGE_PT, 0, 0),
	CALL_AFTER("_batch", SetPxE, PAGE3, PTE_VA, VMI_PAGE_PT, 0, batch_mmu, 0),
	CALL_AFTER("_full", SetPxE, PAGE3, PTE_VA, VMI_PAGE_PT, 0, almost_full, 0),
	CALL_AFTER("_again", SetPxE, PAGE3, PTE_VA, VMI_PAGE_PT, 0, just_logged,
		   0),
	CALL(SetPxE, PAGE3, IN_SLOT1, VMI_PAGE_PT, 0, 0),
	CALL(SetPxE, PAGE3, NOT_IN_SLOT, VMI_PAGE_PT, 0, 0),
	CALL_AFTER("_full", SetPxE, PAGE3, IN_SLOT1, VMI_PAGE_PT, 0, almost_full,
		   0),
	CALL_AFTER("", UpdatePxE, PTE_VA, VMI_PAGE_PT, 0, 0, changed_by_hand, 0),
	CALL_AFTER("_batch", UpdatePxE, PTE_VA, VMI_PAGE_PT, 0, 0, changed_batch,
		   0),
	CALL_AFTER("_full", UpdatePxE, PTE_VA, VMI_PAGE_PT, 0, 0, changed_full,
		   0),
	CALL_AFTER("_again", UpdatePxE, PTE_VA, VMI_PAGE_PT, 0, 0,
		   changed_logged, 0),
	CALL(SetPxELong, PAGE3, 0, PTE_VA, VMI_PAGE_PT, 0),
	CALL_AFTER("_full", SetPxELong, PAGE3, 0, PTE_VA, VMI_PAGE_PT,
		   almost_full, 0),
	CALL_AFTER("", UpdatePxELong, PTE_VA, VMI_PAGE_PT, 0, 0, changed_by_hand,
		   0),
	CALL_AFTER("_full", UpdatePxELong, PTE_VA, VMI_PAGE_PT, 0, 0,
		   changed_full, 0),
	CALL(MachineToPhysical, 7, 0, 0, 0, STEP_EAX),
	CALL(PhysicalToMachine, 7, 0, 0, 0, STEP_EAX),
	CALL(AllocatePage, 0x700, VMI_PAGE_PT, 0, 0, 0),
	CALL_AFTER("_full", AllocatePage, 0x700, VMI_PAGE_PT, 0, 0, almost_full,
		   0),
	CALL(ReleasePage, 0x700, VMI_PAGE_PT, 0, 0, 0),
	CALL_AFTER("_full", ReleasePage, 0x700, VMI_PAGE_PT, 0, 0, almost_full,
		   0),
	CALL(InvalPage, PLAY + CHANGED * PAGE, 0, 0, 0, 0),
	CALL_AFTER("_batch", InvalPage, PLAY + CHANGED * PAGE, 0, 0, 0,
		   changed_batch, 0),
	CALL(FlushTLB, VMI_FLUSH_TLB, 0, 0, 0, 0),
	CALL_AFTER("_batch", FlushTLB, VMI_FLUSH_TLB, 0, 0, 0, batch_mmu, 0),
	CALL(FlushProcessors, 1, VMI_FLUSH_TLB, 0, 0, 0),
	CALL(Hypercall, 2, 4, 0, 0, STEP_EAX),
	CALL(SetLinearMapping, 2, 0x70000000, 0x100, 0x200, 0),
	CALL_AFTER("_queued", SetLinearMapping, 0, LINEAR, MAPPED / PAGE, 0,
		   just_logged, 0),
	CALL(SetIOPLMask, 0, 0, 0, 0, 0),
	CALL(APICWrite, 0x80, 0, 0, 0, 0),
	CALL(APICRead, 0x30, 0, 0, 0, STEP_EAX),
	CALL(GetCycleFrequency, 0, 0, 0, 0, STEP_EAX | STEP_EDX),
	CALL(GetCycleCounter, VMI_CYCLES_REAL, 0, 0, 0, 0),
	CALL_AFTER("_other", GetCycleCounter, VMI_CYCLES_AVAILABLE, 0, 0, 0,
		   NULL, 0),
	CALL_AFTER("_stolen", GetCycleCounter, VMI_CYCLES_STOLEN, 0, 0, 0,
		   NULL, ALL & ~STEP_ECX),
	CALL(SetAlarm, VMI_CYCLES_AVAILABLE, 0xffffffff, 0x7fffffff, 0, 0),
	CALL_AFTER("", CancelAlarm, VMI_CYCLES_AVAILABLE, 0, 0, 0, alarm_there,
		   STEP_EAX),
	CALL(GetWallclockTime, 0, 0, 0, 0, 0),
	CALL(WallclockUpdated, 0, 0, 0, 0, STEP_EAX),
	CALL(SetLazyMode, VMI_LAZY_MMU, 0, 0, 0, 0),
	CALL_AFTER("_end", SetLazyMode, VMI_LAZY_NONE, 0, 0, 0, batch_to_end, 0),
	CALL_AFTER("_end_cpu", SetLazyMode, VMI_LAZY_NONE, 0, 0, 0,
		   switch_to_end, 0),
};

const uint32_t scenario_count = sizeof(scenarios) / sizeof(*scenarios);

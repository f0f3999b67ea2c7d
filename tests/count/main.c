// SPDX-License-Identifier: GPL-2.0-only
/*
 * The count backend counts each call, once, and no other with it; and without
 * the memory that its BIOS entry gets it refuses to start. What its calls do
 * is in tests/conformance.
 */
#include "calls.h"
#include "counters.h"
#include "cpu.h"
#include "paging.h"
#include "pc.h"
#include "tap.h"
#include "vmi_rom.h"

#define TIMES		5u
#define NAME_MAX	16u		/* what CPUID has room for */
#define DISTANCE	0x20		/* rom/backends/count/answers.inc */

static uint8_t table_pointer[8], copy[0x10000] __attribute__((aligned(PAGE)));
static uint32_t free_table[64] __attribute__((aligned(8)));

static const char *const names[VMI_CALL_COUNT] = {
#define NAME(nr, name)	[nr] = #name,
	VMI_CALLS(NAME)
#undef NAME
};

static int counter_of(uint32_t call)
{
	char name[NAME_MAX + 1] = { 0 };

	for (uint32_t i = 0; i < NAME_MAX && names[call][i]; i++)
		name[i] = names[call][i];
	return counter_find(name);
}

static uint32_t count_of(uint32_t call)
{
	return (uint32_t)counter_read(counter_of(call));
}

/* Harmless arguments; eax 0 is what most of them take. */
static void make(uint32_t call, uint32_t cr0, uint32_t cr3, uint32_t cr4)
{
	const uint32_t table = (uintptr_t)free_table;
	uint32_t eax = 0, edx = 0, ecx = 0;

	switch (call) {
	case VMI_CALL_IRET:
		iret_to_self();
		vmi0(DisableInterrupts);
		return;
	case VMI_CALL_Halt:
		pit_one_shot();
		vmi0(Halt);
		vmi0(DisableInterrupts);
		return;
	case VMI_CALL_SetGDT:
	case VMI_CALL_GetGDT:
		vmi1(GetGDT, (uintptr_t)table_pointer);
		eax = (uintptr_t)table_pointer;
		break;
	case VMI_CALL_SetIDT:
	case VMI_CALL_GetIDT:
		vmi1(GetIDT, (uintptr_t)table_pointer);
		eax = (uintptr_t)table_pointer;
		break;
	case VMI_CALL_SetTR:
		gdt[TSS_SELECTOR / 8] &= ~(2ull << 40);	/* not busy */
		eax = TSS_SELECTOR;
		break;
	case VMI_CALL_WriteGDTEntry:
	case VMI_CALL_WriteLDTEntry:
	case VMI_CALL_WriteIDTEntry:
		eax = table;
		break;
	case VMI_CALL_SetCR0:
		eax = cr0;
		break;
	case VMI_CALL_SetCR3:
		eax = cr3;
		break;
	case VMI_CALL_SetCR4:
		eax = cr4;
		break;
	case VMI_CALL_SetPxE:
		edx = table;
		break;
	case VMI_CALL_SetPxELong:
		ecx = table;
		break;
	case VMI_CALL_FlushTLB:
		eax = VMI_FLUSH_TLB | VMI_FLUSH_GLOBAL;
		break;
	case VMI_CALL_EnableInterrupts:
		vmi0(EnableInterrupts);
		vmi0(DisableInterrupts);
		return;
	}
	vmi4((int)call, eax, edx, ecx, 0);
}

/* What make() itself calls besides. */
static bool helper(uint32_t call)
{
	return call == VMI_CALL_CPUID || call == VMI_CALL_DisableInterrupts ||
	       call == VMI_CALL_GetGDT || call == VMI_CALL_GetIDT ||
	       call == VMI_CALL_GetInterruptMask || call == VMI_CALL_IRET;
}

static void one(uint32_t call)
{
	const uint32_t cr0 = vmi0(GetCR0), cr3 = vmi0(GetCR3);
	const uint32_t cr4 = vmi0(GetCR4);
	static uint32_t before[VMI_CALL_COUNT];
	uint32_t more, i;
	bool others = true;

	for (i = 0; i < VMI_CALL_COUNT; i++)
		if (vmi_type[i] != VMI_RELOC_NONE && !helper(i))
			before[i] = count_of(i);
	more = count_of(call);
	for (i = 0; i < TIMES; i++)
		make(call, cr0, cr3, cr4);
	more = count_of(call) - more;
	for (i = 0; i < VMI_CALL_COUNT; i++)
		if (vmi_type[i] != VMI_RELOC_NONE && !helper(i) && i != call)
			others &= count_of(i) == before[i];
	if (!ok(others && (helper(call) ? more >= TIMES : more == TIMES),
		names[call]))
		print("# %u calls are %u more\n", TIMES, more);
}

static void without_memory(void)
{
	const struct vmi_rom_header *h = (const void *)rom;
	int status;

	for (uint32_t i = 0; i < h->length * VMI_ROM_UNIT; i++)
		copy[i] = rom[i];
	*(uint32_t *)(copy + DISTANCE) = 0;
	__asm__ volatile("call *%1"
			 : "=a"(status) : "r"(copy + VMI_ENTRY_INIT)
			 : "ecx", "edx", "memory", "cc");
	same(status, (uint32_t)-1, "a copy without memory refuses Init");
}

void guest_main(void)
{
	uint32_t answered = 0;

	cpu_init();
	pic_init();
	if (!ok(vmi_find(), "the scan finds a ROM"))
		goto out;
	without_memory();
	if (!ok(vmi_init() == 0, "Init answers 0"))
		goto out;
	vmi_fetch_entries();
	for (uint32_t i = 0; i < VMI_CALL_COUNT; i++)
		if (vmi_type[i] != VMI_RELOC_NONE) {
			answered++;
			if (i != VMI_CALL_SYSEXIT)
				one(i);
		}
	ok(answered > 40, "nearly all calls are answered");
out:
	tap_end();
	pc_reset();
}

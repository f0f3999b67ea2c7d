// SPDX-License-Identifier: GPL-2.0-only
/*
 * The stub backend: calls that are rare, or that enter the hypervisor anyhow.
 */
#include "calls.h"
#include "vmi_stub.h"

extern struct stub_shared shared;

static inline uint32_t hcall(uint32_t number, uint32_t edx, uint32_t ecx)
{
	uint32_t eax = number;

	__asm__ volatile("int %1"
			 : "+a"(eax)
			 : "i"(STUB_VECTOR), "d"(edx), "c"(ecx)
			 : "memory", "cc");
	return eax;
}

static inline uint64_t hcall64(uint32_t number)
{
	uint64_t result;

	__asm__ volatile("int %1"
			 : "=A"(result)
			 : "i"(STUB_VECTOR), "a"(number)
			 : "memory", "cc");
	return result;
}

/*
 * Runs in the image that the scan found, before it is relocated: nothing
 * here may refer to "shared". At ring 0 there is nobody to ask.
 */
int rom_Init(void)
{
	uint32_t cs;

	__asm__("mov %%cs, %0" : "=r"(cs));
	if (!(cs & 3))
		return -1;
	return (int)hcall(STUB_HC_INIT, 0, 0);
}

/* ---- control and debug registers ------------------------------------------ */

void rom_SetCR0(uint32_t value)
{
	if (value != shared.cr0)
		hcall(STUB_HC_SET_CR0, value, 0);
}

void rom_SetCR4(uint32_t value)
{
	if (value != shared.cr4)
		hcall(STUB_HC_SET_CR4, value, 0);
}

/* Numbers 4 and 5 mean 6 and 7 (SDM vol. 3B, 17.2.2); others wrap. */
static uint32_t debug_register(uint32_t number)
{
	number &= 7;
	return number == 4 || number == 5 ? number + 2 : number;
}

void rom_SetDR(uint32_t number, uint32_t value)
{
	hcall(STUB_HC_SET_DR, debug_register(number), value);
}

uint32_t rom_GetDR(uint32_t number)
{
	return shared.dr[debug_register(number)];
}

/* ---- descriptor tables -------------------------------------------------------- */

void rom_SetGDT(const struct table_pointer *table)
{
	hcall(STUB_HC_SET_GDT, table->base, table->limit);
}

void rom_SetIDT(const struct table_pointer *table)
{
	hcall(STUB_HC_SET_IDT, table->base, table->limit);
}

void rom_GetGDT(struct table_pointer *table)
{
	table->limit = (uint16_t)shared.gdt_limit;
	table->base = shared.gdt_base;
}

void rom_GetIDT(struct table_pointer *table)
{
	table->limit = (uint16_t)shared.idt_limit;
	table->base = shared.idt_base;
}

void rom_SetLDT(uint32_t selector)
{
	/* every context switch of tasks without an LDT */
	if ((selector & 0xffff) || shared.ldt)
		hcall(STUB_HC_SET_LDT, selector & 0xffff, 0);
}

void rom_SetTR(uint32_t selector)
{
	hcall(STUB_HC_SET_TR, selector & 0xffff, 0);
}

static void write_descriptor(uint32_t *table, uint32_t index,
			     uint32_t low, uint32_t high)
{
	volatile uint32_t *entry = table + 2 * index;

	/* never half new and present: the present bit is in the high half */
	entry[1] = 0;
	entry[0] = low;
	entry[1] = high;
}

void rom_WriteGDTEntry(uint32_t *table, uint32_t index, uint32_t low,
		       uint32_t high)
{
	write_descriptor(table, index, low, high);
	if ((uintptr_t)table != shared.gdt_base)
		return;
	if (shared.lazy_mode == VMI_LAZY_CPU && index < 32)
		/* one instruction, so that no interrupt splits it */
		__asm__ volatile("bts %1, %0"
				 : "+m"(shared.gdt_dirty) : "r"(index) : "cc");
	else
		hcall(STUB_HC_GDT_CHANGED, index, 0);
}

void rom_WriteLDTEntry(uint32_t *table, uint32_t index, uint32_t low,
		       uint32_t high)
{
	write_descriptor(table, index, low, high);
	if (shared.ldt)
		hcall(STUB_HC_LDT_CHANGED, (uintptr_t)table, index);
}

void rom_WriteIDTEntry(uint32_t *table, uint32_t index, uint32_t low,
		       uint32_t high)
{
	write_descriptor(table, index, low, high);
	if ((uintptr_t)table == shared.idt_base)
		hcall(STUB_HC_IDT_CHANGED, index, 0);
}

void rom_SetIOPLMask(uint32_t mask)
{
	hcall(STUB_HC_SET_IOPL, mask, 0);
}

/* ---- linear mappings ------------------------------------------------------------ */

/*
 * The queue word for the page-table entry at va, if one of the slots above 0
 * maps it; hot.asm deals with slot 0. 0 when nobody does.
 */
uint32_t rom_locate(uint32_t va);

uint32_t rom_locate(uint32_t va)
{
	const struct stub_linear *slot;

	for (slot = &shared.linear[1];
	     slot < &shared.linear[VMI_LINEAR_SLOTS]; slot++)
		if (va - slot->va < slot->bytes)
			return (va - slot->va + slot->pa) | STUB_Q_UPDATE_PA;
	return 0;
}

/*
 * VMI-3.4.10: a range that is larger than memory is fine, but it cannot wrap.
 * What it maps above 4 GB is left out, since the queue has no word for it: then
 * rom_locate() finds nothing and the hypervisor is asked.
 */
void rom_SetLinearMapping(uint32_t number, uint32_t va, uint32_t pages,
			  uint32_t frame)
{
	uint32_t most = (0u - va) >> 12 ? (0u - va) >> 12 : 0xfffff;
	uint32_t below = frame <= 0x100000 ? 0x100000 - frame : 0;
	volatile struct stub_linear *slot;

	if (number >= VMI_LINEAR_SLOTS)
		return;
	if (most > below)
		most = below;
	slot = &shared.linear[number];

	/* what is queued was logged under the old mapping */
	if (number == 0 && shared.tail != -STUB_QUEUE_LEN)
		hcall(STUB_HC_QUEUE_FULL, 0, 0);
	shared.queue_guard = STUB_QUEUE_GUARD;

	slot->bytes = 0;
	slot->va = va;
	slot->pa = frame << 12;
	slot->bytes = (pages < most ? pages : most) << 12;
}

/* ---- time -------------------------------------------------------------------------- */

/* The hypervisor may advance it between the two halves. */
static uint64_t stolen_cycles(void)
{
	volatile uint32_t *half = (volatile uint32_t *)&shared.stolen;
	uint32_t low, high;

	do {
		high = half[1];
		low = half[0];
	} while (high != half[1]);
	return (uint64_t)high << 32 | low;
}

/* hot.asm answers VMI_CYCLES_REAL; an unknown counter reads 0 (VMI-3.7.1). */
uint64_t rom_other_cycles(uint32_t counter);

/* Never back: what is stolen between the two reads belongs to both or none. */
static uint64_t available_cycles(void)
{
	uint64_t stolen, tsc;

	do {
		stolen = stolen_cycles();
		tsc = __builtin_ia32_rdtsc();
	} while (stolen != stolen_cycles());
	return tsc - shared.tsc_base - stolen;
}

uint64_t rom_other_cycles(uint32_t counter)
{
	switch (counter) {
	case VMI_CYCLES_AVAILABLE:
		return available_cycles();
	case VMI_CYCLES_STOLEN:
		return stolen_cycles();
	default:
		return 0;
	}
}

/* Interrupts off: a handler may set an alarm too, through the same words. */
void rom_SetAlarm(uint32_t flags, uint64_t expiry, uint64_t period)
{
	uint8_t *if_byte = (uint8_t *)&shared.flags + 1;
	uint32_t was_on = shared.flags & STUB_IF;

	__asm__ volatile("andb %1, %0"
			 : "+m"(*if_byte) : "i"((uint8_t)~(STUB_IF >> 8))
			 : "memory", "cc");
	shared.expiry = expiry;
	shared.period = period;
	hcall(STUB_HC_SET_ALARM, flags, 0);
	if (was_on)
		__asm__ volatile("call rom_EnableInterrupts"
				 : : : "memory", "cc");
}

uint32_t rom_CancelAlarm(uint32_t flags)
{
	return hcall(STUB_HC_CANCEL_ALARM, flags, 0);
}

uint64_t rom_GetWallclockTime(void)
{
	return hcall64(STUB_HC_WALLCLOCK);
}

/* ---- local APIC --------------------------------------------------------------------- */

void rom_APICWrite(uint32_t offset, uint32_t value)
{
	hcall(STUB_HC_APIC_WRITE, offset, value);
}

uint32_t rom_APICRead(uint32_t offset)
{
	return hcall(STUB_HC_APIC_READ, offset, 0);
}

/* ---- further processors --------------------------------------------------------------- */

void rom_SetInitialAPState(const struct vmi_ap_state *state, uint32_t apic_id)
{
	hcall(STUB_HC_INITIAL_STATE, (uintptr_t)state, apic_id);
}

/* The hypervisor knows ids below 32 alone. */
void rom_FlushProcessors(uint32_t ids, uint32_t what, uint32_t first)
{
	if (first < 32)
		hcall(STUB_HC_FLUSH_PROCESSORS, ids << first, what);
}

/* ---- to the hypervisor proper --------------------------------------------------------- */

uint32_t rom_Hypercall(uint32_t number, uint32_t a0, uint32_t a1, uint32_t a2,
		       uint32_t a3)
{
	uint32_t eax = STUB_HC_HYPERCALL;

	__asm__ volatile("int %1"
			 : "+a"(eax)
			 : "i"(STUB_VECTOR), "c"(number), "d"(a0), "b"(a1),
			   "S"(a2), "D"(a3)
			 : "memory", "cc");
	return eax;
}

/* ---- power ------------------------------------------------------------------------- */

void rom_Halt(void)
{
	hcall(STUB_HC_HALT, 0, 0);
}

void rom_Reboot(uint32_t how)
{
	hcall(STUB_HC_REBOOT, how, 0);
}

void rom_Shutdown(void)
{
	hcall(STUB_HC_SHUTDOWN, 0, 0);
}

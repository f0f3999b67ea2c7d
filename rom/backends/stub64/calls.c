// SPDX-License-Identifier: GPL-2.0-only
/*
 * The stub backend for 64-bit guests: calls that are rare, or that enter the
 * hypervisor anyhow and are more than that.
 */
#include "calls64.h"
#include "vmi_stub64.h"

extern struct stub64_shared shared;

static inline uint64_t hcall(uint32_t number, uint64_t rdi, uint64_t rsi)
{
	uint64_t rax = number;

	__asm__ volatile("int %1"
			 : "+a"(rax)
			 : "i"(STUB_VECTOR), "D"(rdi), "S"(rsi)
			 : "memory", "cc");
	return rax;
}

/*
 * Runs in the image that the scan found: nothing here may refer to "shared". At
 * ring 0 there is nobody to ask.
 */
int rom_Init(void)
{
	uint32_t cs;

	__asm__("mov %%cs, %0" : "=r"(cs));
	if (!(cs & 3))
		return -1;
	return (int)hcall(STUB_HC_INIT, 0, 0);
}

void rom_CPUID(uint32_t *eax, uint32_t *ebx, uint32_t *ecx, uint32_t *edx)
{
	uint32_t a = STUB_HC_CPUID, b, c, d;

	__asm__ volatile("int %4"
			 : "+a"(a), "=b"(b), "=c"(c), "=d"(d)
			 : "i"(STUB_VECTOR), "D"(*eax), "S"(*ecx)
			 : "memory", "cc");
	*eax = a;
	*ebx = b;
	*ecx = c;
	*edx = d;
}

/* Numbers 4 and 5 mean 6 and 7 (SDM vol. 3B, 17.2.2); others wrap. */
static uint32_t debug_register(uint32_t number)
{
	number &= 7;
	return number == 4 || number == 5 ? number + 2 : number;
}

void rom_SetDR(uint32_t number, uint64_t value)
{
	hcall(STUB_HC_SET_DR, debug_register(number), value);
}

uint64_t rom_GetDR(uint32_t number)
{
	return shared.dr[debug_register(number)];
}

/* ---- descriptor tables -------------------------------------------------------- */

void rom_SetGDT(const struct vmi64_table_pointer *table)
{
	hcall(STUB_HC_SET_GDT, table->base, table->limit);
}

void rom_SetIDT(const struct vmi64_table_pointer *table)
{
	hcall(STUB_HC_SET_IDT, table->base, table->limit);
}

void rom_GetGDT(struct vmi64_table_pointer *table)
{
	table->limit = (uint16_t)shared.gdt_limit;
	table->base = shared.gdt_base;
}

void rom_GetIDT(struct vmi64_table_pointer *table)
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

#define DESC_CODE_DATA	(1ull << 44)	/* S */
#define DESC_TYPE	(15ull << 40)

/* VMI64-3.3.1: a TSS and an LDT have 16 bytes, an empty entry has not. */
static int is_long(uint64_t entry)
{
	return !(entry & DESC_CODE_DATA) && (entry & DESC_TYPE);
}

void rom_WriteGDTEntry(uint64_t *table, uint32_t index, const uint64_t *entry)
{
	volatile uint64_t *to = table + index;

	if (is_long(entry[0]))
		to[1] = entry[1];
	to[0] = entry[0];
	if ((uintptr_t)table != shared.gdt_base)
		return;
	if (shared.lazy_mode == VMI_LAZY_CPU && index < 32)
		/* one instruction, so that no interrupt splits it */
		__asm__ volatile("bts %1, %0"
				 : "+m"(shared.gdt_dirty) : "r"(index) : "cc");
	else
		hcall(STUB_HC_GDT_CHANGED, index, 0);
}

void rom_WriteLDTEntry(uint64_t *table, uint32_t index, const uint64_t *entry)
{
	*(volatile uint64_t *)(table + index) = *entry;
	if (shared.ldt)
		hcall(STUB_HC_LDT_CHANGED, (uintptr_t)table, index);
}

/* A gate has 16 bytes; not half new and present: that bit is in the first 8. */
void rom_WriteIDTEntry(uint64_t *table, uint32_t index, const uint64_t *gate)
{
	volatile uint64_t *to = table + 2 * (uint64_t)index;

	to[0] = 0;
	to[1] = gate[1];
	to[0] = gate[0];
	if ((uintptr_t)table == shared.idt_base)
		hcall(STUB_HC_IDT_CHANGED, index, 0);
}

/* ---- linear mappings ------------------------------------------------------------ */

/*
 * The queue word for the page-table entry at va, if one of the slots maps it;
 * hot.asm deals with slot 0 of most guests. All ones when nobody does.
 */
uint64_t rom_locate(uint64_t va);

uint64_t rom_locate(uint64_t va)
{
	const struct stub64_linear *slot;

	for (slot = shared.linear; slot < &shared.linear[VMI_LINEAR_SLOTS];
	     slot++)
		if (va - slot->va < slot->bytes)
			return va - slot->va + slot->pa;
	return ~0ull;
}

/*
 * VMI-3.4.10: a range that is larger than memory is fine, but it cannot wrap.
 * What is queued names physical addresses: no need to look at it again.
 */
void rom_SetLinearMapping(uint32_t number, uint64_t va, uint64_t pages,
			  uint64_t frame)
{
	const uint64_t most = -va >> 12 ? -va >> 12 : ~0ull >> 12;
	volatile struct stub64_linear *slot;

	if (number >= VMI_LINEAR_SLOTS)
		return;
	slot = &shared.linear[number];
	slot->bytes = 0;
	slot->va = va;
	slot->pa = frame << 12;
	slot->bytes = (pages < most ? pages : most) << 12;
	if (number)
		return;
	*(volatile uint64_t *)&shared.direct_bytes = 0;
	*(volatile uint64_t *)&shared.direct_va = va;
	*(volatile uint64_t *)&shared.direct_bytes = frame ? 0 : slot->bytes;
}

/* The hypervisor knows ids below 32 alone. */
void rom_FlushProcessors(uint32_t ids, uint64_t what, uint32_t first)
{
	if (first < 32)
		hcall(STUB_HC_FLUSH_PROCESSORS, ids << first, what);
}

/* ---- time -------------------------------------------------------------------------- */

static uint64_t stolen_cycles(void)
{
	return *(volatile uint64_t *)&shared.stolen;
}

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

/* hot.asm answers VMI_CYCLES_REAL; an unknown counter reads 0 (VMI-3.7.1). */
uint64_t rom_other_cycles(uint32_t counter);

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

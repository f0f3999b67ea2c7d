// SPDX-License-Identifier: GPL-2.0-only
/*
 * The count backend: calls that are more than an instruction, at ring 0 of a
 * bare processor. hot.asm has counted them already.
 */
#include "calls.h"

#define AR_PRESENT	0x8000u		/* of what LAR gives */
#define CR4_PGE		0x80u
#define TSS_ESP0	1
#define TSS_SS0		2

/* In the BIOS's memory; hot.asm has its size. */
struct count_state {
	uint8_t		lazy_mode[256];	/* by the processor's APIC id */
	uint64_t	calls[];
};

_Static_assert(offsetof(struct count_state, calls) == 256, "STATE_CALLS");

struct count_state *rom_state(void);
const uint8_t *rom_image(void);

/* Whoever copied the image without running its BIOS entry has no memory. */
int rom_Init(void)
{
	return (const uint8_t *)rom_state() == rom_image() ? -1 : 0;
}

static uint8_t *lazy_mode(void)
{
	uint32_t eax = 1, ebx, ecx, edx;

	__asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx));
	return &rom_state()->lazy_mode[ebx >> 24];
}

/* ---- segment registers (VMI-3.3.4) ---------------------------------------- */

/* May this be in DS, ES, FS or GS? A load that is refused would fault. */
static int usable(uint32_t selector)
{
	uint32_t rights;
	int good;

	if (!(selector & ~3u))
		return 1;
	__asm__ volatile("lar %2, %1" : "=@ccz"(good), "=r"(rights)
			 : "r"(selector));
	if (!good || !(rights & AR_PRESENT))
		return 0;
	__asm__ volatile("verr %w1" : "=@ccz"(good) : "r"(selector));
	return good;
}

#define RELOAD(reg) do {						\
	uint32_t selector_;						\
									\
	__asm__ volatile("mov %%" #reg ", %0" : "=r"(selector_));	\
	if (!usable(selector_))						\
		selector_ = 0;						\
	__asm__ volatile("mov %0, %%" #reg : : "r"(selector_) : "memory"); \
} while (0)

/*
 * A processor keeps what it loaded, whatever becomes of the descriptor. A
 * register whose descriptor is the same is the same afterwards, so that we
 * need not know which of them use the entry.
 */
static void reload(void)
{
	RELOAD(ds);
	RELOAD(es);
	RELOAD(fs);
	RELOAD(gs);
}

/* ---- descriptor tables ------------------------------------------------------ */

void rom_SetGDT(const struct table_pointer *table)
{
	__asm__ volatile("lgdt %0" : : "m"(*table));
	reload();
}

/* In a switch of tasks they are still the old task's (VMI-3.5.6). */
void rom_SetLDT(uint32_t selector)
{
	__asm__ volatile("lldt %w0" : : "r"(selector));
	if (*lazy_mode() != VMI_LAZY_CPU)
		reload();
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
	reload();
}

void rom_WriteLDTEntry(uint32_t *table, uint32_t index, uint32_t low,
		       uint32_t high)
{
	write_descriptor(table, index, low, high);
	reload();
}

void rom_WriteIDTEntry(uint32_t *table, uint32_t index, uint32_t low,
		       uint32_t high)
{
	write_descriptor(table, index, low, high);
}

/* The processor takes it from the TSS that is loaded. */
void rom_UpdateKernelStack(uint32_t selector, uint32_t esp)
{
	struct table_pointer gdt;
	const uint8_t *d;
	uint32_t tr, *tss;

	__asm__ volatile("sgdt %0" : "=m"(gdt));
	__asm__ volatile("str %0" : "=r"(tr));
	d = (const uint8_t *)gdt.base + (tr & 0xfff8);
	tss = (uint32_t *)(d[2] | d[3] << 8 | d[4] << 16 |
			   (uint32_t)d[7] << 24);
	tss[TSS_ESP0] = esp;
	tss[TSS_SS0] = selector;
}

/* ---- debug registers: 4 and 5 mean 6 and 7 (VMI-3.2.24) ----------------------- */

#define DEBUG_REGISTERS(X) X(0) X(1) X(2) X(3) X(6) X(7)

static uint32_t debug_register(uint32_t number)
{
	number &= 7;
	return number == 4 || number == 5 ? number + 2 : number;
}

void rom_SetDR(uint32_t number, uint32_t value)
{
	switch (debug_register(number)) {
#define SET(nr) case nr:						\
		__asm__ volatile("mov %0, %%dr" #nr : : "r"(value));	\
		break;
	DEBUG_REGISTERS(SET)
	}
}

uint32_t rom_GetDR(uint32_t number)
{
	uint32_t value = 0;

	switch (debug_register(number)) {
#define GET(nr) case nr:						\
		__asm__ volatile("mov %%dr" #nr ", %0" : "=r"(value));	\
		break;
	DEBUG_REGISTERS(GET)
	}
	return value;
}

/* ---- page tables ------------------------------------------------------------------ */

/* In one piece: the entry may map what runs here. The flags are for others. */
void rom_SetPxELong(uint64_t value, volatile uint64_t *entry, uint32_t flags)
{
	uint64_t old;

	(void)flags;
	do {
		old = *entry;
	} while (!__sync_bool_compare_and_swap(entry, old, value));
}

void rom_FlushTLB(uint32_t what)
{
	uint32_t cr3, cr4;

	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	if ((what & VMI_FLUSH_GLOBAL) && (cr4 & CR4_PGE)) {
		__asm__ volatile("mov %0, %%cr4"
				 : : "r"(cr4 & ~CR4_PGE) : "memory");
		__asm__ volatile("mov %0, %%cr4" : : "r"(cr4) : "memory");
		return;
	}
	__asm__ volatile("mov %%cr3, %0\n\tmov %0, %%cr3"
			 : "=r"(cr3) : : "memory");
}

/* Nothing is deferred, so that a mode is no more than its number. */
void rom_SetLazyMode(uint32_t mode)
{
	*lazy_mode() = (uint8_t)mode;
}

// SPDX-License-Identifier: GPL-2.0-only
/* The client side of the VMI: find the ROM, enter it, fetch the entries. */
#include "guest.h"

#define COUNTERS_MAX	256

uint8_t *rom;
uint32_t vmi_entry[VMI_CALL_COUNT];
uint8_t vmi_type[VMI_CALL_COUNT];

bool vmi_find(void)
{
	for (uint32_t pa = VMI_SCAN_START; pa < VMI_SCAN_END;
	     pa += VMI_SCAN_STEP) {
		const struct vmi_rom_header *h = (void *)(pa + LINEAR);

		if (h->magic != VMI_ROM_MAGIC || h->signature != VMI_SIGNATURE
		    || h->api_major != VMI_API_MAJOR)
			continue;
		rom = (uint8_t *)h;
		return true;
	}
	return false;
}

int vmi_init(void)
{
	int status;

	__asm__ volatile("call *%1"
			 : "=a"(status) : "r"(rom + VMI_ENTRY_INIT)
			 : "ecx", "edx", "memory", "cc");
	return status;
}

uint32_t vmi_relocation(uint32_t call, uint8_t *type)
{
	uint32_t edx;

	__asm__ volatile("call *%2"
			 : "+a"(call), "=d"(edx)
			 : "r"(rom + VMI_ENTRY_RELOC)
			 : "ecx", "memory", "cc");
	*type = (uint8_t)edx;
	return call;
}

extern uint32_t sysexit_entry;

void vmi_fetch_entries(void)
{
	uint32_t i;

	for (i = 0; i < VMI_CALL_COUNT; i++)
		vmi_entry[i] = vmi_relocation(i, &vmi_type[i]);
	/* the way Linux patches its IRET: jmp rel32 */
	iret_site[0] = 0xe9;
	*(uint32_t *)(iret_site + 1) =
		vmi_entry[VMI_CALL_IRET] - (uintptr_t)(iret_site + 5);
	sysexit_entry = vmi_entry[VMI_CALL_SYSEXIT];
}

uint64_t vmi_cycles(void)
{
	uint32_t eax = VMI_CYCLES_REAL, edx;

	__asm__ volatile("call *%2"
			 : "+a"(eax), "=d"(edx)
			 : "r"(vmi_entry[VMI_CALL_GetCycleCounter])
			 : "ecx", "memory", "cc");
	return (uint64_t)edx << 32 | eax;
}

void vmi_cpuid(uint32_t leaf, uint32_t r[4])
{
	__asm__ volatile("call *%4"
			 : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3])
			 : "D"(vmi_entry[VMI_CALL_CPUID]), "a"(leaf), "c"(0)
			 : "memory", "cc");
}

int counter_find(const char *prefix)
{
	for (int n = 0; n < COUNTERS_MAX; n++) {
		uint32_t r[5] = { 0 };
		const char *name = (const char *)r, *p = prefix;

		vmi_cpuid(STUB_CPUID_NAMES + (uint32_t)n, r);
		while (*p && *p == *name) {
			p++;
			name++;
		}
		if (!*p)
			return n;
	}
	return -1;
}

uint64_t counter_read(int counter)
{
	uint32_t r[4];

	vmi_cpuid(STUB_CPUID_COUNTERS + (uint32_t)counter, r);
	return (uint64_t)r[3] << 32 | r[0];
}

int exits_counter;
static uint64_t reading_costs;

uint64_t exits_begin(void)
{
	uint64_t first;

	if (!reading_costs) {
		first = counter_read(exits_counter);
		reading_costs = counter_read(exits_counter) - first;
	}
	return counter_read(exits_counter);
}

uint64_t exits_end(uint64_t begin)
{
	return counter_read(exits_counter) - begin - reading_costs;
}

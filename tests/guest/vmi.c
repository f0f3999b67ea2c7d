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
	/* the way Linux patches its IRET: jmp rel32, here as it runs */
	iret_site[0] = 0xe9;
	*(uint32_t *)(iret_site + 1) = vmi_entry[VMI_CALL_IRET] -
		((uintptr_t)iret_site + LINEAR + 5);
	sysexit_entry = vmi_entry[VMI_CALL_SYSEXIT];
}

uint64_t cycles_per_second(void)
{
	uint32_t eax, edx;

	__asm__ volatile("call *%2"
			 : "=a"(eax), "=d"(edx)
			 : "r"(vmi_entry[VMI_CALL_GetCycleFrequency])
			 : "ecx", "memory", "cc");
	return (uint64_t)edx << 32 | eax;
}

void set_alarm(uint32_t flags, uint64_t expiry, uint64_t period)
{
	uint32_t edx = (uint32_t)expiry, ecx = (uint32_t)(expiry >> 32);

	__asm__ volatile("pushl %4\n\tpushl %3\n\tcall *%5\n\taddl $8, %%esp"
			 : "+a"(flags), "+d"(edx), "+c"(ecx)
			 : "r"((uint32_t)period),
			   "r"((uint32_t)(period >> 32)),
			   "r"(vmi_entry[VMI_CALL_SetAlarm])
			 : "memory", "cc");
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

static uint64_t reads;			/* each of them is an exit */

uint64_t counter_read(int counter)
{
	uint32_t r[4];

	vmi_cpuid(STUB_CPUID_COUNTERS + (uint32_t)counter, r);
	reads++;
	return (uint64_t)r[3] << 32 | r[0];
}

/* ---- exits that the guest causes ---------------------------------------------- */

static int exits, exits_timer, exits_console;

bool exits_init(void)
{
	exits = counter_find("exits");
	exits_timer = counter_find("exit_timer");
	exits_console = counter_find("exit_console");
	return exits >= 0 && exits_timer >= 0 && exits_console >= 0;
}

/* Without those of the machine's own interrupts, which may come any time,
 * and without those of looking. */
uint64_t exits_now(void)
{
	uint64_t machine, again, all;

	again = counter_read(exits_timer) + counter_read(exits_console);
	do {
		machine = again;
		all = counter_read(exits) - reads;
		again = counter_read(exits_timer) +
			counter_read(exits_console);
	} while (again != machine);
	return all - machine;
}

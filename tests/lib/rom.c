// SPDX-License-Identifier: GPL-2.0-only
/* Find the ROM, enter it, fetch the entries. */
#include "calls.h"
#include "cpu.h"
#include "paging.h"

uint8_t *rom;

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

// SPDX-License-Identifier: GPL-2.0-only
/* The scan for a ROM (VMI64-2), and its entries. */
#include "guest64.h"

const uint8_t *rom;
uint64_t vmi_entry[VMI64_CALL_COUNT], vmi_type[VMI64_CALL_COUNT];

bool vmi_find(void)
{
	for (uint64_t at = VMI_SCAN_START; at < VMI_SCAN_END;
	     at += VMI_SCAN_STEP) {
		const struct vmi_rom_header *h = direct(at);

		if (h->magic != VMI_ROM_MAGIC ||
		    h->signature != VMI64_SIGNATURE ||
		    h->api_major != VMI64_API_MAJOR)
			continue;
		rom = (const uint8_t *)h;
		return true;
	}
	return false;
}

int vmi_init(void)
{
	return ((int (*)(void))(uint64_t)(rom + VMI_ENTRY_INIT))();
}

struct vmi64_relocation vmi_relocation(uint32_t call)
{
	return ((struct vmi64_relocation (*)(uint64_t))(uint64_t)
		(rom + VMI_ENTRY_RELOC))(0xdead00000000 | call);
}

static void nothing(void)
{
}

static void vmi_fetch_entries(void)
{
	for (uint32_t i = 0; i < VMI64_CALL_COUNT; i++) {
		struct vmi64_relocation r = vmi_relocation(i);

		vmi_type[i] = r.type;
		vmi_entry[i] = r.type == VMI_RELOC_NONE ? (uint64_t)native_entry[i] :
			       r.type == VMI_RELOC_NOP ? (uint64_t)nothing :
			       r.address;
	}
	do_iret = user_return = (void *)vmi_entry[VMI64_CALL_IRET];
}

/* After VMI_Init, as Linux does it: tables are announced when the ROM is there. */
void vmi_begin(void)
{
	vmi_fetch_entries();
	vmi4(SetLinearMapping, 0, DIRECT, 0x40000, 0);
	vmi5(AllocatePage, pa(boot_pml4) / PAGE, VMI_PAGE_PML4, 0, 0, 0);
	vmi5(AllocatePage, pa(boot_pdpt) / PAGE, VMI_PAGE_PDP, 0, 0, 0);
	vmi5(AllocatePage, pa(boot_pd) / PAGE, VMI_PAGE_PD, 0, 0, 0);
	vmi5(AllocatePage, pa(play_pd) / PAGE, VMI_PAGE_PD, 0, 0, 0);
	vmi5(AllocatePage, pa(play_pt) / PAGE, VMI_PAGE_PT, 0, 0, 0);
	vmi1(SetIRETSite, iret_site);
}

/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What images of this project's rom/ say about themselves, for tools alone:
 * a guest asks the get-relocation entry, a hypervisor has its own header.
 */
#ifndef VMI_ROM_H
#define VMI_ROM_H

#include "vmi.h"

#define VMI_ROM_INFO_OFFSET	0x74u		/* in vmi_rom_header.reserved3 */
#define VMI_ROM_INFO_MAGIC	0x494d564fu	/* "OVMI" */

struct vmi_rom_info {
	uint32_t	magic;		/* VMI_ROM_INFO_MAGIC */
	uint16_t	answers;	/* a byte per call: enum vmi_reloc_type */
	uint16_t	slots;		/* call n is at slots + n * slot_size */
	uint16_t	slot_size;
	uint16_t	count;		/* calls */
} __attribute__((packed));

VMI_OFFSET(vmi_rom_info, magic, 0x0);
VMI_OFFSET(vmi_rom_info, answers, 0x4);
VMI_OFFSET(vmi_rom_info, slots, 0x6);
VMI_OFFSET(vmi_rom_info, slot_size, 0x8);
VMI_OFFSET(vmi_rom_info, count, 0xa);
VMI_SIZE(vmi_rom_info, 0xc);

_Static_assert(VMI_ROM_INFO_OFFSET + sizeof(struct vmi_rom_info)
	       <= VMI_ENTRY_INIT, "vmi_rom_info");

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a Linux/x86 kernel and its boot loader tell each other: the setup
 * header at offset 1F1h of a bzImage, and the boot parameters ("zero page").
 * Names and offsets as in Documentation/x86/{boot,zero-page}.rst.
 */
#ifndef BOOTPARAMS_H
#define BOOTPARAMS_H

#include <stddef.h>
#include <stdint.h>

#define SETUP_HEADER_OFFSET	0x1f1
#define SETUP_BOOT_FLAG		0xaa55
#define SETUP_MAGIC		0x53726448u	/* "HdrS" */

#define LOADED_HIGH		0x01	/* loadflags: loaded at 1 MB or above */
#define XLF_KERNEL_64		0x0001	/* xloadflags: a 64-bit kernel */

#define ENTRY_64	0x200		/* its entry in 64-bit mode, from its start */

#define LOADER_UNKNOWN		0xff	/* type_of_loader */

struct setup_header {
	uint8_t		setup_sects;
	uint16_t	root_flags;
	uint32_t	syssize;		/* in units of 16 bytes */
	uint16_t	ram_size;
	uint16_t	vid_mode;
	uint16_t	root_dev;
	uint16_t	boot_flag;
	uint8_t		jump;			/* a short jump ... */
	uint8_t		jump_offset;		/* ... over this header */
	uint32_t	header;
	uint16_t	version;
	uint32_t	realmode_swtch;
	uint16_t	start_sys_seg;
	uint16_t	kernel_version;
	uint8_t		type_of_loader;
	uint8_t		loadflags;
	uint16_t	setup_move_size;
	uint32_t	code32_start;
	uint32_t	ramdisk_image;
	uint32_t	ramdisk_size;
	uint32_t	bootsect_kludge;
	uint16_t	heap_end_ptr;
	uint8_t		ext_loader_ver;
	uint8_t		ext_loader_type;
	uint32_t	cmd_line_ptr;
	uint32_t	initrd_addr_max;
	uint32_t	kernel_alignment;	/* 2.05 */
	uint8_t		relocatable_kernel;	/* 2.05 */
	uint8_t		min_alignment;		/* 2.10 */
	uint16_t	xloadflags;		/* 2.12 */
	uint32_t	cmdline_size;		/* 2.06 */
	uint32_t	hardware_subarch;
	uint64_t	hardware_subarch_data;
	uint32_t	payload_offset;
	uint32_t	payload_length;
	uint64_t	setup_data;
	uint64_t	pref_address;		/* 2.10 */
	uint32_t	init_size;		/* 2.10 */
	uint32_t	handover_offset;
	uint32_t	kernel_info_offset;
} __attribute__((packed));

#define E820_RAM	1
#define E820_RESERVED	2
#define E820_MAX	128

struct e820_entry {
	uint64_t	addr;
	uint64_t	size;
	uint32_t	type;
} __attribute__((packed));

struct boot_params {
	uint8_t		screen_info_1[0x02];
	uint16_t	ext_mem_k;		/* above 1 MB, at most FFFFh */
	uint8_t		unused_1[0x1e0 - 0x04];
	uint32_t	alt_mem_k;		/* above 1 MB */
	uint8_t		unused_2[4];
	uint8_t		e820_entries;
	uint8_t		unused_3[0x1f1 - 0x1e9];	/* sentinel: 0 */
	struct setup_header hdr;
	uint8_t		unused_4[0x2d0 - 0x1f1 - sizeof(struct setup_header)];
	struct e820_entry e820_table[E820_MAX];
	uint8_t		unused_5[0x1000 - 0x2d0 -
				 E820_MAX * sizeof(struct e820_entry)];
} __attribute__((packed));

#define SETUP_OFFSET(field, offset) \
	_Static_assert(offsetof(struct boot_params, hdr.field) == (offset), \
		       #field)
SETUP_OFFSET(setup_sects, 0x1f1);
SETUP_OFFSET(syssize, 0x1f4);
SETUP_OFFSET(boot_flag, 0x1fe);
SETUP_OFFSET(jump_offset, 0x201);
SETUP_OFFSET(header, 0x202);
SETUP_OFFSET(version, 0x206);
SETUP_OFFSET(type_of_loader, 0x210);
SETUP_OFFSET(loadflags, 0x211);
SETUP_OFFSET(code32_start, 0x214);
SETUP_OFFSET(ramdisk_image, 0x218);
SETUP_OFFSET(ramdisk_size, 0x21c);
SETUP_OFFSET(cmd_line_ptr, 0x228);
SETUP_OFFSET(initrd_addr_max, 0x22c);
SETUP_OFFSET(kernel_alignment, 0x230);
SETUP_OFFSET(relocatable_kernel, 0x234);
SETUP_OFFSET(xloadflags, 0x236);
SETUP_OFFSET(cmdline_size, 0x238);
SETUP_OFFSET(setup_data, 0x250);
SETUP_OFFSET(pref_address, 0x258);
SETUP_OFFSET(init_size, 0x260);
#undef SETUP_OFFSET

_Static_assert(offsetof(struct boot_params, ext_mem_k) == 0x02, "ext_mem_k");
_Static_assert(offsetof(struct boot_params, alt_mem_k) == 0x1e0, "alt_mem_k");
_Static_assert(offsetof(struct boot_params, e820_entries) == 0x1e8, "e820");
_Static_assert(offsetof(struct boot_params, e820_table) == 0x2d0, "e820");
_Static_assert(sizeof(struct boot_params) == 0x1000, "boot_params");

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A unikernel for tests of its loader: code, constants, data with a .bss, and
 * the notes. A test changes one thing of it. Buffers have their exact size, so
 * that AddressSanitizer sees every access beyond.
 */
#ifndef SOLO5_IMAGES_H
#define SOLO5_IMAGES_H

#include <stdint.h>

#include "solo5.h"

#define IMAGE_TEXT	0x100000u
#define IMAGE_RODATA	0x102000u
#define IMAGE_DATA	0x103000u
#define IMAGE_END	0x106000u	/* of its .bss */
#define IMAGE_ENTRY	(IMAGE_TEXT + 0x10)

/* Segments, in this order. */
enum { IMAGE_ABI, IMAGE_MFT, IMAGE_LOAD_TEXT, IMAGE_LOAD_RODATA,
       IMAGE_LOAD_DATA, IMAGE_SEGMENTS };

struct image_header {
	uint8_t		ident[16];
	uint16_t	type, machine;
	uint32_t	version;
	uint64_t	entry, phoff, shoff;
	uint32_t	flags;
	uint16_t	ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct image_segment {
	uint32_t	type, flags;
	uint64_t	offset, vaddr, paddr, filesz, memsz, align;
};

struct image_note {
	uint32_t	namesz, descsz, type;
	char		name[8];
};

#define IMAGE_BYTES	0x300u		/* of each segment that is loaded */
#define IMAGE_ENTRIES	3u

struct image {
	struct image_header header;
	struct image_segment segment[IMAGE_SEGMENTS];
	struct {
		struct image_note note;
		struct solo5_abi abi;
	} abi;
	struct {
		struct image_note note;
		uint32_t pad;
		uint32_t version, entries;
		struct solo5_entry entry[IMAGE_ENTRIES];
	} mft __attribute__((packed, aligned(4)));
	uint8_t		text[IMAGE_BYTES], rodata[IMAGE_BYTES];
	uint8_t		data[IMAGE_BYTES];
};

/* It wants the disk "storage" and the network "service0". */
struct image *solo5_image(void);
extern const struct solo5_device image_devices[2];

#endif

// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "solo5_images.h"

const struct solo5_device image_devices[2] = {
	{ "service0", SOLO5_NET, 5, 0, { 2, 0, 0, 1, 2, 3 } },
	{ "storage", SOLO5_BLOCK, 7, 0x100000, { 0 } },
};

static struct image_note note(uint32_t type, uint32_t size)
{
	return (struct image_note){ 6, size, type, "Solo5" };
}

static struct image_segment load(uint32_t flags, uint32_t va, size_t offset,
				 uint32_t memsz)
{
	return (struct image_segment){
		1, flags, offset, va, va, IMAGE_BYTES, memsz, 0x1000
	};
}

struct image *solo5_image(void)
{
	struct image *i = calloc(1, sizeof(*i));

	i->header = (struct image_header){
		.ident = "\177ELF\2\1\1",
		.type = 2, .machine = 62, .version = 1,
		.entry = IMAGE_ENTRY, .phoff = sizeof(i->header),
		.ehsize = 64, .phentsize = 56, .phnum = IMAGE_SEGMENTS,
	};
	i->segment[IMAGE_ABI] = (struct image_segment){
		4, 4, offsetof(struct image, abi), 0, 0, sizeof(i->abi),
		sizeof(i->abi), 4
	};
	i->segment[IMAGE_MFT] = (struct image_segment){
		4, 4, offsetof(struct image, mft), 0, 0, sizeof(i->mft),
		sizeof(i->mft), 4
	};
	i->segment[IMAGE_LOAD_TEXT] = load(5, IMAGE_TEXT,
		offsetof(struct image, text), 0x1800);
	i->segment[IMAGE_LOAD_RODATA] = load(4, IMAGE_RODATA,
		offsetof(struct image, rodata), IMAGE_BYTES);
	i->segment[IMAGE_LOAD_DATA] = load(6, IMAGE_DATA,
		offsetof(struct image, data), IMAGE_END - IMAGE_DATA);
	i->abi.note = note(SOLO5_NOTE_ABI, sizeof(i->abi.abi));
	i->abi.abi.target = SOLO5_TARGET_HVT;
	i->abi.abi.version = SOLO5_ABI_VERSION;
	i->mft.note = note(SOLO5_NOTE_MANIFEST,
			   sizeof(i->mft) - sizeof(i->mft.note));
	i->mft.version = 1;
	i->mft.entries = IMAGE_ENTRIES;
	i->mft.entry[0].type = SOLO5_FIRST;
	i->mft.entry[1].type = SOLO5_BLOCK;
	memcpy(i->mft.entry[1].name, "storage", 8);
	i->mft.entry[2].type = SOLO5_NET;
	memcpy(i->mft.entry[2].name, "service0", 9);
	memset(i->text, 0x11, sizeof(i->text));
	memset(i->rodata, 0x22, sizeof(i->rodata));
	memset(i->data, 0x33, sizeof(i->data));
	return i;
}

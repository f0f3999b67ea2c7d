// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ROM: what the guest finds in its low memory, and the working copy above
 * virtual_top. The image was given to us by the user, not by
 * the guest; what the guest does to its own copy changes nothing.
 */
#include <cpu.h>
#include <string.h>

#include "check.h"
#include "vmi.h"

#define ROM_GPA		VMI_SCAN_START

/* Entries for the reserved top. Ring 1 may read and run the ROM, and
 * read and write the shared area; ring 3 neither. */
#define TOP_ROM	0x061ull		/* D A P */
#define TOP_SHARED	0x8000000000000063ull	/* NX D A W P */

const char *rom_publish(struct rom *r, const struct gmem *m,
			const uint8_t *image, size_t size)
{
	const struct vmi_rom_header *h = (const void *)image;
	const struct vmi_pci_data *pci;
	const struct stub_rom_info *info;
	const struct stub_window *w;
	const char *err = vmi_rom_check(image, size);
	const uint32_t *relocs;
	uint8_t *copy;
	uint32_t i;

	if (!err)
		err = vmi_rom_check_stub(image, size);
	if (err)
		return err;
	pci = (const void *)(image + h->pci);
	if (m->bytes > GMEM_LOW_END && !pci->rom_major &&
	    pci->rom_minor < 2)
		return "older than 0.2, and knows of no memory above 4 GB: memory=3072 at most";
	if (h->virtual_top % (4 << 20) || h->virtual_top < 0xf0000000)
		return "virtual_top is not 4 MB aligned in the top 256 MB";
	size = h->length * VMI_ROM_UNIT;
	info = (const void *)(image + STUB_INFO_OFFSET);

	copy = r->image = host_pages(STUB_ROM_MAX, PAGE_SIZE);
	if (!copy)
		return "no memory for its working copy";
	memcpy(copy, image, size);
	relocs = (const void *)(image + info->relocs);
	for (i = 0; i < info->reloc_count; i++) {
		uint32_t word;

		memcpy(&word, copy + relocs[i], 4);
		word += h->virtual_top;
		memcpy(copy + relocs[i], &word, 4);
	}
	gmem_boot_copy(m, ROM_GPA, image, size);

	r->size = size;
	r->virtual_top = h->virtual_top;
	r->base = h->virtual_top + STUB_ROM_OFFSET;
	r->end = r->base + size;
	r->iret_entry = r->base + info->iret_entry;
	for (i = 0; i < 2; i++)
		r->iret_insn[i] = r->base + info->iret_insn[i];
	w = (const void *)(image + info->windows);
	r->windows = info->window_count;
	for (i = 0; i < r->windows; i++)
		r->window[i] = (struct stub_window){
			.start = r->base + w[i].start,
			.end = r->base + w[i].end,
			.restart = r->base + w[i].restart,
			.clear_if = w[i].clear_if,
		};
	return NULL;
}

void rom_map(const struct rom *rom, struct mmu *m,
	     const volatile struct stub_shared *sh)
{
	mmu_reserved_map(m, STUB_ROM_OFFSET, rom->image, rom->size, TOP_ROM);
	mmu_reserved_map(m, STUB_SHARED_OFFSET, sh, sizeof(*sh), TOP_SHARED);
}

/*
 * Where in the kernel does a jump to our IRET stand? The guest patched it in
 * and a JMP leaves no trace. It is what system calls return by: look around
 * their entry (that of page faults may be far away, in a section of its own),
 * and take the nearest; also where linear slot 0 maps the entry, for kernels
 * that take their events at low addresses. Needed only when an IRET faults.
 */
#define SITE_RANGE	(64u << 10)	/* on either side */
#define TEXT_PART	1024u		/* a part of a page, on our stack */
#define JMP		0xe9		/* with 32 bits */

static bool is_jump_to(const uint8_t *insn, gva32_t at, uint32_t target)
{
	uint32_t rel;

	memcpy(&rel, insn + 1, 4);
	return insn[0] == JMP && at + 5 + rel == target;
}

static bool find_site_around(struct rom *r, struct mmu *m, gva32_t middle)
{
	uint8_t text[TEXT_PART + 4] = { 0 };	/* and the end of the last */
	gva32_t start = (middle - SITE_RANGE) & ~(PAGE_SIZE - 1), at;
	const uint8_t *p, *end = text + TEXT_PART;
	uint32_t part, best = UINT32_MAX, distance;

	for (part = 0; part < 2 * SITE_RANGE; part += TEXT_PART) {
		memcpy(text, end, 4);
		if (!guest_read(m, text + 4, start + part, TEXT_PART))
			memset(text + 4, 0, TEXT_PART);
		for (p = text; (p = memchr(p, JMP, end - p)); p++) {
			at = start + part + (p - text) - 4;
			distance = at > middle ? at - middle : middle - at;
			if (distance >= best ||
			    !is_jump_to(p, at, r->iret_entry))
				continue;
			best = distance;
			r->iret_site = at;
		}
	}
	return best != UINT32_MAX;
}

bool rom_find_iret_site(struct rom *r, struct mmu *m, gva32_t entry, gva32_t other)
{
	uint8_t insn[5];

	if (r->iret_site && guest_read(m, insn, r->iret_site, 5) &&
	    is_jump_to(insn, r->iret_site, r->iret_entry))
		return true;
	return find_site_around(r, m, entry) || find_site_around(r, m, other);
}

void rom_free(struct rom *r)
{
	host_pages_free(r->image, STUB_ROM_MAX);
	r->image = NULL;
}

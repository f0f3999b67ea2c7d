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

/* The working copy, and what the guest finds. */
static const char *copy(struct rom *r, const struct gmem *m,
			const uint8_t *image, size_t size)
{
	r->image = host_pages(STUB_ROM_MAX, PAGE_SIZE);
	if (!r->image)
		return "no memory for its working copy";
	memcpy(r->image, image, size);
	gmem_boot_copy(m, ROM_GPA, image, size);
	r->size = size;
	r->base = r->virtual_top + STUB_ROM_OFFSET;
	r->end = r->base + size;
	return NULL;
}

static void relocate(struct rom *r, const uint32_t *relocs, uint32_t count)
{
	uint32_t word, i;

	for (i = 0; i < count; i++) {
		memcpy(&word, r->image + relocs[i], 4);
		word += r->virtual_top;
		memcpy(r->image + relocs[i], &word, 4);
	}
}

static const char *publish(struct rom *r, const struct gmem *m,
			   const uint8_t *image, size_t size)
{
	const struct vmi_rom_header *h = (const void *)image;
	const struct stub_rom_info *info;
	const struct vmi_pci_data *pci;
	const struct stub_window *w;
	const char *err = vmi_rom_check(image, size);
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
	r->virtual_top = h->virtual_top;
	err = copy(r, m, image, h->length * VMI_ROM_UNIT);
	if (err)
		return err;
	info = (const void *)(image + STUB_INFO_OFFSET);
	relocate(r, (const void *)(image + info->relocs), info->reloc_count);
	r->iret_entry = r->base + info->iret_entry;
	for (i = 0; i < 2; i++)
		r->iret_insn[i] = r->base + info->iret_insn[i];
	w = (const void *)(image + info->windows);
	r->windows = info->window_count;
	for (i = 0; i < r->windows; i++)
		r->window[i] = (struct rom_window){
			.start = r->base + w[i].start,
			.end = r->base + w[i].end,
			.restart = r->base + w[i].restart,
			.clear_if = w[i].clear_if,
		};
	return NULL;
}

/* It is linked where it will be (STUB64-1). */
static const char *publish_wide(struct rom *r, const struct gmem *m,
				const uint8_t *image, size_t size)
{
	const struct vmi_rom_header *h = (const void *)image;
	const struct stub64_rom_table *t;
	const struct stub64_rom_info *info;
	const struct stub64_window *w;
	const char *err = vmi64_rom_check(image, size);
	uint32_t i;

	if (!err)
		err = vmi64_rom_check_stub(image, size);
	if (err)
		return err;
	r->virtual_top = vmi64_virtual_top(h->virtual_top);
	if (r->virtual_top != LONG_TOP)
		return "virtual_top is not the last 2 MB";
	err = copy(r, m, image, h->length * VMI_ROM_UNIT);
	if (err)
		return err;
	info = (const void *)(image + STUB64_INFO_OFFSET);
	t = (const void *)(image + info->table);
	memcpy(r->iret_insn, t->iret_insn, sizeof(r->iret_insn));
	memcpy(r->syscall_entry, t->syscall_entry, sizeof(r->syscall_entry));
	w = (const void *)(t + 1);
	r->windows = info->window_count;
	for (i = 0; i < r->windows; i++)
		r->window[i] = (struct rom_window){
			.start = w[i].start, .end = w[i].end,
			.restart = w[i].restart, .clear_if = w[i].clear_if,
		};
	return NULL;
}

const char *rom_publish(struct rom *r, const struct gmem *m,
			const uint8_t *image, size_t size, bool wide)
{
	if (wide)
		return publish_wide(r, m, image, size);
	if (vmi64_rom_is(image, size))
		return "a ROM for 64-bit guests, and the kernel is a 32-bit one";
	return publish(r, m, image, size);
}

void rom_map(const struct rom *rom, struct mmu *m, const volatile void *shared,
	     uint32_t bytes)
{
	mmu_reserved_map(m, STUB_ROM_OFFSET, rom->image, rom->size, TOP_ROM);
	mmu_reserved_map(m, STUB_SHARED_OFFSET, shared, bytes, TOP_SHARED);
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

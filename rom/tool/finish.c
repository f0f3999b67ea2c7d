// SPDX-License-Identifier: GPL-2.0-only
/*
 * From a file linked at 0 with --emit-relocs to an image: copy the sections,
 * list the absolute words that move with the image, set lengths and sums.
 *
 * Words in .header and .offsets count from the image start and stay. A
 * backend with absolute words anywhere else has the symbol rom_relocs, two
 * words that get the place and the length of the list; without it they are
 * an error, which is how the native backend is known to have none. An image for
 * 64-bit guests has no list: with rom_base it is linked where its working copy
 * will be, and does not move.
 */
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "elf.h"
#include "tool.h"
#include "vmi64.h"
#include "vmi_rom.h"

#define IMAGE_MAX	(255 * VMI_ROM_UNIT)
#define RELOCS_MAX	(IMAGE_MAX / 4)
#define SLOT_NAMES	100u		/* in rom/common/layout.inc */
#define SLOTS_MAX	VMI64_CALL_COUNT

_Static_assert(VMI_CALL_COUNT <= SLOTS_MAX, "SLOTS_MAX");

struct link {
	const char	*file;
	struct elf	elf;
	uint64_t	base;		/* where the image is linked */

	uint8_t		image[IMAGE_MAX + VMI_ROM_UNIT];
	size_t		size;
	uint32_t	relocs[RELOCS_MAX];
	uint32_t	reloc_count;
	uint32_t	reloc_header;	/* of rom_relocs, 0: absent */
	uint64_t	slots[SLOTS_MAX + 1];	/* and where they end */
};

static unsigned int call_count(const struct link *l)
{
	return l->elf.wide ? VMI64_CALL_COUNT : VMI_CALL_COUNT;
}

static int in_image(const struct elf_section *s)
{
	return s->type == SHT_PROGBITS && (s->flags & SHF_ALLOC) && s->size;
}

static void find_base(struct link *l)
{
	for (unsigned int i = 0; i < l->elf.sections; i++) {
		struct elf_section s = elf_section(&l->elf, i);

		if (!strcmp(s.name, ".header"))
			l->base = s.addr;
	}
}

static int copy_sections(struct link *l)
{
	for (unsigned int i = 0; i < l->elf.sections; i++) {
		struct elf_section s = elf_section(&l->elf, i);
		const void *bytes = elf_bytes(&l->elf, &s);
		uint64_t at = s.addr - l->base;

		if (!in_image(&s))
			continue;
		if (!bytes || at > IMAGE_MAX || s.size > IMAGE_MAX - at)
			return tool_refuse(l->file, "%s does not fit a ROM",
					   s.name);
		memcpy(l->image + at, bytes, s.size);
		if (l->size < at + s.size)
			l->size = at + s.size;
	}
	return 0;
}

static int counts_from_start(const struct elf_section *s)
{
	return !strcmp(s->name, ".header") || !strcmp(s->name, ".offsets");
}

static int take_reloc(struct link *l, const struct elf_section *target,
		      const struct elf_reloc *rel, uint16_t symbol_section)
{
	unsigned int at = (unsigned int)(rel->place - target->addr);

	if (symbol_section == SHN_UNDEF || symbol_section == SHN_ABS)
		return tool_refuse(l->file, "%s+%#x: refers to something that"
				   " does not move with the image",
				   target->name, at);
	if (rel->kind == ELF_RELATIVE)
		return 0;
	if (rel->kind != ELF_ABSOLUTE)
		return tool_refuse(l->file, "%s+%#x: relocation of type %u",
				   target->name, at, rel->type);
	if (counts_from_start(target) || l->base)
		return 0;
	if (!l->reloc_header)
		return tool_refuse(l->file, "%s+%#x: absolute reference in a"
				   " backend without %s", target->name, at,
				   l->elf.wide ? "rom_base" : "rom_relocs");
	if (l->reloc_count == RELOCS_MAX)
		return tool_refuse(l->file, "too many relocations");
	l->relocs[l->reloc_count++] = (uint32_t)rel->place;
	return 0;
}

/* The linker emits one relocation section per section of the output. */
static int take_relocs(struct link *l)
{
	const uint32_t type = l->elf.wide ? SHT_RELA : SHT_REL;

	for (unsigned int i = 0; i < l->elf.sections; i++) {
		struct elf_section s = elf_section(&l->elf, i), target, symbols;

		if (s.type != SHT_REL && s.type != SHT_RELA)
			continue;
		target = elf_section(&l->elf, s.info);
		symbols = elf_section(&l->elf, s.link);
		if (s.type != type && (target.flags & SHF_ALLOC))
			return tool_refuse(l->file, "relocations of a kind that"
					   " it should not have");
		if (!in_image(&target))
			continue;
		for (uint64_t n = 0; n < s.entries; n++) {
			struct elf_reloc rel = elf_reloc(&l->elf, &s, n);

			if (take_reloc(l, &target, &rel,
				       elf_symbol(&l->elf, &symbols,
						  rel.symbol).section))
				return 1;
		}
	}
	return 0;
}

/* rom_slot_100 is the slot of call 0 (layout.inc). */
static void take_symbol(struct link *l, const struct elf_symbol *symbol)
{
	unsigned int slot;

	if (!l->elf.wide && !strcmp(symbol->name, "rom_relocs"))
		l->reloc_header = (uint32_t)symbol->value;
	else if (sscanf(symbol->name, "rom_slot_%u", &slot) == 1 &&
		 slot - SLOT_NAMES < call_count(l))
		l->slots[slot - SLOT_NAMES] = symbol->value;
}

static void find_symbols(struct link *l)
{
	for (unsigned int i = 0; i < l->elf.sections; i++) {
		struct elf_section s = elf_section(&l->elf, i);

		if (!strcmp(s.name, ".slots"))
			l->slots[call_count(l)] = s.addr + s.size;
		if (s.type != SHT_SYMTAB)
			continue;
		for (uint64_t n = 0; n < s.entries; n++) {
			struct elf_symbol symbol = elf_symbol(&l->elf, &s, n);

			take_symbol(l, &symbol);
		}
	}
}

/* Guests know where each begins, for ever (VMI-2.5.5). */
static int check_slots(const struct link *l)
{
	const uint8_t *info = l->image + VMI_ROM_INFO_OFFSET;
	uint32_t size = rom_get16(info + offsetof(struct vmi_rom_info,
						  slot_size));
	const char *name;

	for (unsigned int i = 0; i < call_count(l); i++) {
		if (l->slots[i + 1] - l->slots[i] <= size)
			continue;
		name = tool_call_name(l->elf.wide, i);
		return tool_refuse(l->file, "the ENTRY of %s has more than the "
				   "%u bytes of its slot: put the rest behind "
				   "END_ENTRY",
				   name ? name : "an unassigned call", size);
	}
	return 0;
}

static void put16(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)value;
	p[1] = (uint8_t)(value >> 8);
}

static void put32(uint8_t *p, uint32_t value)
{
	put16(p, value);
	put16(p + 2, value >> 16);
}

static int append_relocs(struct link *l)
{
	if (!l->reloc_header)
		return 0;
	l->size = (l->size + 3) & ~(size_t)3;
	if (l->reloc_count * 4 > IMAGE_MAX - l->size)
		return tool_refuse(l->file, "the image is too large");
	put32(l->image + l->reloc_header, (uint32_t)l->size);
	put32(l->image + l->reloc_header + 4, l->reloc_count);
	for (uint32_t i = 0; i < l->reloc_count; i++) {
		put32(l->image + l->size, l->relocs[i]);
		l->size += 4;
	}
	return 0;
}

/* Makes [at, at + bytes) sum to 0 by its byte at place. */
static void set_sum(uint8_t *at, size_t bytes, size_t place)
{
	uint8_t total = 0;

	at[place] = 0;
	for (size_t i = 0; i < bytes; i++)
		total = (uint8_t)(total + at[i]);
	at[place] = (uint8_t)-total;
}

static int seal(struct link *l)
{
	size_t units = (l->size + VMI_ROM_UNIT - 1) / VMI_ROM_UNIT;
	uint8_t *header = l->image, *pci, *pnp;

	if (l->size < sizeof(struct vmi_rom_header) || units > 255)
		return tool_refuse(l->file, "%zu bytes are no ROM", l->size);
	l->size = units * VMI_ROM_UNIT;
	header[offsetof(struct vmi_rom_header, length)] = (uint8_t)units;

	pci = header + rom_get16(header + offsetof(struct vmi_rom_header, pci));
	put16(pci + offsetof(struct vmi_pci_data, image_length),
	      (uint32_t)units);
	pnp = header + rom_get16(header + offsetof(struct vmi_rom_header, pnp));
	set_sum(pnp, sizeof(struct vmi_pnp_header),
		offsetof(struct vmi_pnp_header, checksum));
	set_sum(header, l->size, offsetof(struct vmi_rom_header, checksum));
	return 0;
}

static int write_image(const struct link *l, const char *file)
{
	const char *wrong = tool_check(l->image, l->size);
	FILE *f;

	if (wrong)
		return tool_refuse(l->file, "%s", wrong);
	f = fopen(file, "wb");
	if (!f)
		return tool_refuse(file, "%s", strerror(errno));
	if (fwrite(l->image, 1, l->size, f) != l->size || fflush(f)) {
		fclose(f);
		return tool_refuse(file, "%s", strerror(errno));
	}
	fclose(f);
	return 0;
}

int tool_finish(const char *elf, const char *image)
{
	static struct link link;
	struct link *l = &link;
	const char *wrong;
	uint8_t *data;
	size_t size;
	int status;

	l->file = elf;
	data = tool_read(elf, &size);
	if (!data)
		return 1;
	wrong = elf_open(&l->elf, data, size);
	if (wrong) {
		status = tool_refuse(elf, "%s", wrong);
	} else {
		find_base(l);
		find_symbols(l);
		status = copy_sections(l) || check_slots(l) || take_relocs(l) ||
			 append_relocs(l) || seal(l) || write_image(l, image);
	}
	free(data);
	return status;
}

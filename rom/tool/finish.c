// SPDX-License-Identifier: GPL-2.0-only
/*
 * From a file linked at 0 with --emit-relocs to an image: copy the sections,
 * list the absolute words that move with the image, set lengths and sums.
 *
 * Words in .header and .offsets count from the image start and stay. A
 * backend with absolute words anywhere else has the symbol rom_relocs, two
 * words that get the place and the length of the list; without it they are
 * an error, which is how the native backend is known to have none.
 */
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "tool.h"
#include "vmi_rom.h"

#define IMAGE_MAX	(255 * VMI_ROM_UNIT)
#define RELOCS_MAX	(IMAGE_MAX / 4)
#define SLOT_NAMES	100u		/* in rom/common/layout.inc */

struct link {
	const char	*file;
	const uint8_t	*elf;
	size_t		elf_size;
	const Elf32_Ehdr *head;
	const Elf32_Shdr *sections;
	const char	*names;

	uint8_t		image[IMAGE_MAX + VMI_ROM_UNIT];
	size_t		size;
	uint32_t	relocs[RELOCS_MAX];
	uint32_t	reloc_count;
	uint32_t	reloc_header;	/* of rom_relocs, 0: absent */
	uint32_t	slots[VMI_CALL_COUNT + 1];	/* and where they end */
};

static const char *name_of(const struct link *l, const Elf32_Shdr *s)
{
	return l->names + s->sh_name;
}

/* The bytes of a section, checked; the file comes from our own linker. */
static const void *bytes_of(const struct link *l, const Elf32_Shdr *s)
{
	if (s->sh_offset > l->elf_size ||
	    s->sh_size > l->elf_size - s->sh_offset)
		return NULL;
	return l->elf + s->sh_offset;
}

static int open_elf(struct link *l)
{
	const Elf32_Ehdr *h = (const Elf32_Ehdr *)l->elf;

	if (l->elf_size < sizeof(*h) || memcmp(h->e_ident, ELFMAG, SELFMAG) ||
	    h->e_ident[EI_CLASS] != ELFCLASS32 || h->e_machine != EM_386 ||
	    h->e_type != ET_EXEC || h->e_shentsize != sizeof(Elf32_Shdr) ||
	    h->e_shoff > l->elf_size || h->e_shoff % 4 ||
	    h->e_shnum > (l->elf_size - h->e_shoff) / sizeof(Elf32_Shdr) ||
	    h->e_shstrndx >= h->e_shnum)
		return tool_refuse(l->file, "not a linked i386 ELF file");
	l->head = h;
	l->sections = (const Elf32_Shdr *)(l->elf + h->e_shoff);
	l->names = bytes_of(l, &l->sections[h->e_shstrndx]);
	if (!l->names)
		return tool_refuse(l->file, "section names lie outside");
	return 0;
}

static int in_image(const Elf32_Shdr *s)
{
	return s->sh_type == SHT_PROGBITS && (s->sh_flags & SHF_ALLOC) &&
	       s->sh_size;
}

static int copy_sections(struct link *l)
{
	for (int i = 0; i < l->head->e_shnum; i++) {
		const Elf32_Shdr *s = &l->sections[i];
		const void *bytes = bytes_of(l, s);

		if (!in_image(s))
			continue;
		if (!bytes || s->sh_addr > IMAGE_MAX ||
		    s->sh_size > IMAGE_MAX - s->sh_addr)
			return tool_refuse(l->file, "%s does not fit a ROM",
					   name_of(l, s));
		memcpy(l->image + s->sh_addr, bytes, s->sh_size);
		if (l->size < s->sh_addr + s->sh_size)
			l->size = s->sh_addr + s->sh_size;
	}
	return 0;
}

static int counts_from_start(const struct link *l, const Elf32_Shdr *s)
{
	return !strcmp(name_of(l, s), ".header") ||
	       !strcmp(name_of(l, s), ".offsets");
}

static int take_reloc(struct link *l, const Elf32_Shdr *target,
		      const Elf32_Rel *rel, const Elf32_Sym *symbol)
{
	int type = ELF32_R_TYPE(rel->r_info);

	if (symbol->st_shndx == SHN_UNDEF || symbol->st_shndx == SHN_ABS)
		return tool_refuse(l->file, "%s+%#x: refers to something that"
				   " does not move with the image",
				   name_of(l, target),
				   rel->r_offset - target->sh_addr);
	if (type == R_386_PC32 || type == R_386_PLT32)
		return 0;
	if (type != R_386_32)
		return tool_refuse(l->file, "%s+%#x: relocation of type %d",
				   name_of(l, target),
				   rel->r_offset - target->sh_addr, type);
	if (counts_from_start(l, target))
		return 0;
	if (!l->reloc_header)
		return tool_refuse(l->file, "%s+%#x: absolute reference in a"
				   " backend without rom_relocs",
				   name_of(l, target),
				   rel->r_offset - target->sh_addr);
	if (l->reloc_count == RELOCS_MAX)
		return tool_refuse(l->file, "too many relocations");
	l->relocs[l->reloc_count++] = rel->r_offset;
	return 0;
}

/* The linker emits one relocation section per section of the output. */
static int take_relocs(struct link *l)
{
	for (int i = 0; i < l->head->e_shnum; i++) {
		const Elf32_Shdr *s = &l->sections[i];
		const Elf32_Shdr *target = &l->sections[s->sh_info];
		const Elf32_Sym *symbols = bytes_of(l, &l->sections[s->sh_link]);
		const Elf32_Rel *rel = bytes_of(l, s);

		if (s->sh_type == SHT_RELA && (target->sh_flags & SHF_ALLOC))
			return tool_refuse(l->file, "RELA relocations");
		if (s->sh_type != SHT_REL || !in_image(target))
			continue;
		for (size_t n = 0; n < s->sh_size / sizeof(*rel); n++)
			if (take_reloc(l, target, &rel[n], &symbols[
				       ELF32_R_SYM(rel[n].r_info)]))
				return 1;
	}
	return 0;
}

/* rom_slot_100 is the slot of call 0 (layout.inc). */
static void take_symbol(struct link *l, const char *name, uint32_t value)
{
	unsigned int slot;

	if (!strcmp(name, "rom_relocs"))
		l->reloc_header = value;
	else if (sscanf(name, "rom_slot_%u", &slot) == 1 &&
		 slot - SLOT_NAMES < VMI_CALL_COUNT)
		l->slots[slot - SLOT_NAMES] = value;
}

static void find_symbols(struct link *l)
{
	for (int i = 0; i < l->head->e_shnum; i++) {
		const Elf32_Shdr *s = &l->sections[i];
		const Elf32_Sym *symbols = bytes_of(l, s);
		const char *names;

		if (!strcmp(name_of(l, s), ".slots"))
			l->slots[VMI_CALL_COUNT] = s->sh_addr + s->sh_size;
		if (s->sh_type != SHT_SYMTAB)
			continue;
		names = bytes_of(l, &l->sections[s->sh_link]);
		for (size_t n = 0; n < s->sh_size / sizeof(*symbols); n++)
			take_symbol(l, names + symbols[n].st_name,
				    symbols[n].st_value);
	}
}

/* Guests know where each begins, for ever (VMI-2.5.5). */
static int check_slots(const struct link *l)
{
	const uint8_t *info = l->image + VMI_ROM_INFO_OFFSET;
	uint32_t size = rom_get16(info + offsetof(struct vmi_rom_info,
						  slot_size));

	for (int i = 0; i < VMI_CALL_COUNT; i++)
		if (l->slots[i + 1] - l->slots[i] > size)
			return tool_refuse(l->file, "the ENTRY of %s has more "
					   "than the %u bytes of its slot: put "
					   "the rest behind END_ENTRY",
					   call_names[i] ? call_names[i] :
					   "an unassigned call", size);
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
	uint8_t *data;
	int status;

	l->file = elf;
	data = tool_read(elf, &l->elf_size);
	if (!data)
		return 1;
	l->elf = data;
	status = open_elf(l);
	if (!status) {
		find_symbols(l);
		status = copy_sections(l) || check_slots(l) || take_relocs(l) ||
			 append_relocs(l) || seal(l) || write_image(l, image);
	}
	free(data);
	return status;
}

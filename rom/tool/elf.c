// SPDX-License-Identifier: GPL-2.0-only
/* The two widths of ELF, as one. */
#include <elf.h>
#include <string.h>

#include "elf.h"

/* A member of a structure that both widths have, by its name. */
#define GET(e, p, type, member)						\
	((e)->wide ? ((const Elf64_##type *)(p))->member :		\
		     ((const Elf32_##type *)(p))->member)
#define SIZE(e, type)	((e)->wide ? sizeof(Elf64_##type) : sizeof(Elf32_##type))

const char *elf_open(struct elf *e, const uint8_t *bytes, size_t size)
{
	static const char wrong[] = "not a linked i386 or x86-64 ELF file";
	uint64_t at;

	if (size < sizeof(Elf64_Ehdr) || memcmp(bytes, ELFMAG, SELFMAG))
		return wrong;
	*e = (struct elf){ .bytes = bytes, .size = size };
	e->wide = bytes[EI_CLASS] == ELFCLASS64;
	at = GET(e, bytes, Ehdr, e_shoff);
	if ((!e->wide && bytes[EI_CLASS] != ELFCLASS32) ||
	    GET(e, bytes, Ehdr, e_machine) != (e->wide ? EM_X86_64 : EM_386) ||
	    GET(e, bytes, Ehdr, e_type) != ET_EXEC ||
	    GET(e, bytes, Ehdr, e_shentsize) != SIZE(e, Shdr) ||
	    at > size || at % (e->wide ? 8 : 4) ||
	    GET(e, bytes, Ehdr, e_shnum) > (size - at) / SIZE(e, Shdr) ||
	    GET(e, bytes, Ehdr, e_shstrndx) >= GET(e, bytes, Ehdr, e_shnum))
		return wrong;
	e->sections = GET(e, bytes, Ehdr, e_shnum);
	return NULL;
}

static const uint8_t *header_of(const struct elf *e, unsigned int i)
{
	return e->bytes + GET(e, e->bytes, Ehdr, e_shoff) + i * SIZE(e, Shdr);
}

static uint64_t entries_of(const struct elf *e, const struct elf_section *s)
{
	switch (s->type) {
	case SHT_SYMTAB:
		return s->size / SIZE(e, Sym);
	case SHT_REL:
		return s->size / SIZE(e, Rel);
	case SHT_RELA:
		return s->size / SIZE(e, Rela);
	default:
		return 0;
	}
}

struct elf_section elf_section(const struct elf *e, unsigned int i)
{
	const uint8_t *p = header_of(e, i);
	const uint8_t *names = header_of(e, GET(e, e->bytes, Ehdr, e_shstrndx));
	struct elf_section s = {
		.name = (const char *)e->bytes + GET(e, names, Shdr, sh_offset) +
			GET(e, p, Shdr, sh_name),
		.type = GET(e, p, Shdr, sh_type),
		.link = GET(e, p, Shdr, sh_link),
		.info = GET(e, p, Shdr, sh_info),
		.flags = GET(e, p, Shdr, sh_flags),
		.addr = GET(e, p, Shdr, sh_addr),
		.offset = GET(e, p, Shdr, sh_offset),
		.size = GET(e, p, Shdr, sh_size),
	};

	s.entries = entries_of(e, &s);
	return s;
}

const void *elf_bytes(const struct elf *e, const struct elf_section *s)
{
	if (s->offset > e->size || s->size > e->size - s->offset)
		return NULL;
	return e->bytes + s->offset;
}

struct elf_symbol elf_symbol(const struct elf *e, const struct elf_section *s,
			     uint64_t n)
{
	const uint8_t *p = e->bytes + s->offset + n * SIZE(e, Sym);
	const struct elf_section names = elf_section(e, s->link);

	return (struct elf_symbol){
		.name = (const char *)e->bytes + names.offset +
			GET(e, p, Sym, st_name),
		.value = GET(e, p, Sym, st_value),
		.section = GET(e, p, Sym, st_shndx),
	};
}

static enum elf_reloc_kind kind_of(const struct elf *e, unsigned int type)
{
	if (e->wide)
		return type == R_X86_64_PC32 || type == R_X86_64_PLT32 ?
		       ELF_RELATIVE :
		       type == R_X86_64_64 || type == R_X86_64_32S ||
		       type == R_X86_64_32 ? ELF_ABSOLUTE : ELF_OTHER;
	return type == R_386_PC32 || type == R_386_PLT32 ? ELF_RELATIVE :
	       type == R_386_32 ? ELF_ABSOLUTE : ELF_OTHER;
}

struct elf_reloc elf_reloc(const struct elf *e, const struct elf_section *s,
			   uint64_t n)
{
	size_t size = s->type == SHT_RELA ? SIZE(e, Rela) : SIZE(e, Rel);
	const uint8_t *p = e->bytes + s->offset + n * size;
	uint64_t info = GET(e, p, Rel, r_info);
	struct elf_reloc r = {
		.place = GET(e, p, Rel, r_offset),
		.type = e->wide ? ELF64_R_TYPE(info) : ELF32_R_TYPE(info),
		.symbol = e->wide ? ELF64_R_SYM(info) : ELF32_R_SYM(info),
	};

	r.kind = kind_of(e, r.type);
	return r;
}

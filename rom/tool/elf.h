/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A linked ELF file of either width, of i386 or x86-64, as tool_finish() reads
 * it. The file comes from our own linker: what is checked is that it is one.
 */
#ifndef ROM_ELF_H
#define ROM_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf {
	const uint8_t	*bytes;		/* the caller's, aligned to 8 */
	size_t		size;
	bool		wide;		/* 64 bits */
	unsigned int	sections;
};

struct elf_section {
	const char	*name;
	uint32_t	type, link, info;
	uint64_t	flags, addr, offset, size;
	uint64_t	entries;	/* if it is a table of symbols, relocations */
};

struct elf_symbol {
	const char	*name;
	uint64_t	value;
	uint16_t	section;
};

enum elf_reloc_kind {
	ELF_RELATIVE,			/* to where it stands */
	ELF_ABSOLUTE,			/* a word that a list can name */
	ELF_OTHER,
};

struct elf_reloc {
	uint64_t	place;
	unsigned int	type, symbol;
	enum elf_reloc_kind kind;
};

/* NULL, or what is wrong with the file. */
const char *elf_open(struct elf *e, const uint8_t *bytes, size_t size);

struct elf_section elf_section(const struct elf *e, unsigned int i);

/* NULL if they are not all in the file. */
const void *elf_bytes(const struct elf *e, const struct elf_section *s);

/* s is of the type that the name says, and has more than n entries. */
struct elf_symbol elf_symbol(const struct elf *e, const struct elf_section *s,
			     uint64_t n);
struct elf_reloc elf_reloc(const struct elf *e, const struct elf_section *s,
			   uint64_t n);

#endif

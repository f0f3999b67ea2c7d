/* SPDX-License-Identifier: GPL-2.0-only */
/* An ELF64 file, of which nothing is believed, and Solo5's notes in it. */
#ifndef ELF64_H
#define ELF64_H

#include <stdbool.h>
#include <stdint.h>

#define ELF_CLASS64	2
#define ELF_LITTLE	1
#define ELF_CURRENT	1
#define ELF_EXEC	2
#define ELF_X86_64	62
#define ELF_LOAD	1
#define ELF_NOTE	4
#define ELF_X		1u
#define ELF_W		2u

struct elf64_header {
	uint8_t		magic[4];
	uint8_t		class, data, ident_version, pad[9];
	uint16_t	type, machine;
	uint32_t	version;
	uint64_t	entry, phoff, shoff;
	uint32_t	flags;
	uint16_t	ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
_Static_assert(sizeof(struct elf64_header) == 64, "Elf64_Ehdr");

struct elf64_segment {
	uint32_t	type, flags;
	uint64_t	offset, vaddr, paddr, filesz, memsz, align;
};
_Static_assert(sizeof(struct elf64_segment) == 56, "Elf64_Phdr");

/* False: this is none, or has no header. */
bool elf64_header(const uint8_t *file, uint64_t size, struct elf64_header *);
/* Are all program headers in the file? Then this is number i: */
bool elf64_complete(const struct elf64_header *, uint64_t size);
struct elf64_segment elf64_segment(const uint8_t *file,
				   const struct elf64_header *, uint32_t i);
/* Is what a segment has in the file really there? */
bool elf64_inside(const struct elf64_segment *, uint64_t size);
/* Solo5's note of a type, in a file that is complete: where in the file its
 * contents are, and their size; 0: it is not there. */
uint64_t elf64_note(const uint8_t *file, uint64_t file_size,
		    const struct elf64_header *, uint32_t type, uint32_t *size);

#endif

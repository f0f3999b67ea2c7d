/* SPDX-License-Identifier: GPL-2.0-only */
/* The smallest kernel that the loader takes: an ELF file with a few bytes.
 * <elf.h> has names of x86.h. */
#ifndef KERNEL_H
#define KERNEL_H

#include <stddef.h>
#include <stdint.h>

#define KERNEL_CODE	0x200000u	/* guest-physical; it begins there */

struct kernel {
	uint8_t		ident[16];
	uint16_t	type, machine;
	uint32_t	version, entry, phoff, shoff, flags;
	uint16_t	ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
	uint32_t	p_type, p_offset, p_vaddr, p_paddr, p_filesz, p_memsz,
			p_flags, p_align;
	uint8_t		code[64];
};

#define KERNEL(...) {							\
	.ident = { 0x7f, 'E', 'L', 'F', 1, 1, 1 },			\
	.type = 2, .machine = 3, .version = 1,				\
	.entry = KERNEL_CODE,						\
	.phoff = offsetof(struct kernel, p_type),			\
	.ehsize = offsetof(struct kernel, p_type),			\
	.phentsize = 32, .phnum = 1,					\
	.p_type = 1,							\
	.p_offset = offsetof(struct kernel, code),			\
	.p_paddr = KERNEL_CODE,						\
	.p_filesz = 64, .p_memsz = 64,					\
	.code = { __VA_ARGS__ },					\
}

#endif

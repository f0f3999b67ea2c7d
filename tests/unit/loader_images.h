/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Images for tests of the boot loader, and memory to load them into. Buffers
 * have their exact size, so that AddressSanitizer sees every access beyond.
 */
#ifndef LOADER_IMAGES_H
#define LOADER_IMAGES_H

#include "unit.h"
#include "bootparams.h"
#include "loader.h"

#define MB		(1ull << 20)

extern uint8_t *ram;
extern uint64_t ram_size, rest;		/* rest: what is not in one piece */

void need_ram(uint64_t size);
int free_ram(void **state);

uint8_t code_byte(unsigned int i);	/* of either kernel */

/* A bzImage of protocol 2.15, relocatable, like Linux 6.1 but small. */
#define SETUP		(3 * 512)	/* bytes before the code */
#define CODE		(40 * 16)
#define BZ_SIZE		(SETUP + CODE)
uint8_t *bzimage(void);
struct setup_header *header(uint8_t *image);

/* Code and data, and a segment between them that is not to be loaded. */
#define ELF_SIZE	(52 + 3 * 32 + 256)
#define ELF_SEGMENT(i)	(52 + 32 * (i))
uint8_t *elf32(void);
#define ELF64_SIZE	(64 + 3 * 56 + 256)
#define ELF64_SEGMENT(i) (64 + 56 * (i))
uint8_t *elf64(void);			/* the same */
void put16(uint8_t *p, uint16_t v);
void put32(uint8_t *p, uint32_t v);
void put64(uint8_t *p, uint64_t v);

/* The error must be this one, "" for none. */
struct loader_out load(const uint8_t *kernel, uint64_t size, const char *error);
const struct boot_params *params(void);

#endif

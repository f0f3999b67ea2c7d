// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>

#include "loader_images.h"

uint8_t *ram;
uint64_t ram_size, rest;

void need_ram(uint64_t size)
{
	free(ram);
	ram = calloc(1, size);
	ram_size = size;
	assert_non_null(ram);
}

uint8_t code_byte(unsigned int i)
{
	return i * 7 + 1;
}

uint8_t *bzimage(void)
{
	uint8_t *image = calloc(1, BZ_SIZE);
	struct setup_header h = {
		.setup_sects = 2,
		.syssize = CODE / 16,
		.boot_flag = SETUP_BOOT_FLAG,
		.jump = 0xeb,
		.jump_offset = 0x66,
		.header = SETUP_MAGIC,
		.version = 0x20f,
		.loadflags = LOADED_HIGH | 0x80,
		.code32_start = 0x100000,
		.setup_data = 0x1234,
		.initrd_addr_max = 0x7fffffff,
		.kernel_alignment = 0x200000,
		.relocatable_kernel = 1,
		.cmdline_size = 2047,
		.pref_address = 0x400000,
		.init_size = 0x200000,
	};
	unsigned int i;

	memcpy(image + SETUP_HEADER_OFFSET, &h, sizeof(h));
	for (i = 0; i < CODE; i++)
		image[SETUP + i] = code_byte(i);
	return image;
}

struct setup_header *header(uint8_t *image)
{
	return (struct setup_header *)(image + SETUP_HEADER_OFFSET);
}

void put16(uint8_t *p, uint16_t v)
{
	memcpy(p, &v, 2);
}

void put32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, 4);
}

void put64(uint8_t *p, uint64_t v)
{
	memcpy(p, &v, 8);
}

static void segment(uint8_t *elf, int i, uint32_t type, uint32_t offset,
		    uint32_t paddr, uint32_t filesz, uint32_t memsz)
{
	uint8_t *s = elf + ELF_SEGMENT(i);

	put32(s, type);
	put32(s + 4, offset);
	put32(s + 8, paddr + 0xc0000000);
	put32(s + 12, paddr);
	put32(s + 16, filesz);
	put32(s + 20, memsz);
}

uint8_t *elf32(void)
{
	uint8_t *elf = calloc(1, ELF_SIZE);
	unsigned int i;

	memcpy(elf, "\177ELF\1\1\1", 7);
	put16(elf + 16, 2);
	put16(elf + 18, 3);
	put32(elf + 20, 1);
	put32(elf + 24, 0x200010);	/* entry */
	put32(elf + 28, 52);		/* program headers */
	put16(elf + 40, 52);
	put16(elf + 42, 32);
	put16(elf + 44, 3);
	segment(elf, 0, 1, ELF_SIZE - 256, 0x200000, 128, 128);
	segment(elf, 1, 4, 0xffffffff, 0xffffffff, 1, 0xffffffff); /* note */
	segment(elf, 2, 1, ELF_SIZE - 128, 0x300000, 128, 0x1000);
	for (i = 0; i < 256; i++)
		elf[ELF_SIZE - 256 + i] = code_byte(i);
	return elf;
}

static void segment64(uint8_t *elf, int i, uint32_t type, uint64_t offset,
		      uint64_t paddr, uint64_t filesz, uint64_t memsz)
{
	uint8_t *s = elf + ELF64_SEGMENT(i);

	put32(s, type);
	put64(s + 8, offset);
	put64(s + 16, paddr + 0xffffffff80000000);
	put64(s + 24, paddr);
	put64(s + 32, filesz);
	put64(s + 40, memsz);
}

uint8_t *elf64(void)
{
	uint8_t *elf = calloc(1, ELF64_SIZE);
	unsigned int i;

	memcpy(elf, "\177ELF\2\1\1", 7);
	put16(elf + 16, 2);
	put16(elf + 18, 62);
	put32(elf + 20, 1);
	put64(elf + 24, 0x200010);	/* entry */
	put64(elf + 32, 64);		/* program headers */
	put16(elf + 52, 64);
	put16(elf + 54, 56);
	put16(elf + 56, 3);
	segment64(elf, 0, 1, ELF64_SIZE - 256, 0x200000, 128, 128);
	segment64(elf, 1, 4, UINT64_MAX, UINT64_MAX, 1, UINT64_MAX); /* note */
	segment64(elf, 2, 1, ELF64_SIZE - 128, 0x300000, 128, 0x1000);
	for (i = 0; i < 256; i++)
		elf[ELF64_SIZE - 256 + i] = code_byte(i);
	return elf;
}

struct loader_out load(const uint8_t *kernel, uint64_t size,
			      const char *error)
{
	struct loader_in in = {
		.ram = ram, .ram_size = ram_size, .rest = rest,
		.kernel = kernel, .kernel_size = size,
		.cmdline = "console=ttyS0",
	};
	struct loader_out out;
	bool ok = loader_load(&in, &out);

	assert_string_equal(out.error, error);
	assert_int_equal(ok, !*error);
	return out;
}

const struct boot_params *params(void)
{
	return (const struct boot_params *)(ram + BOOT_PARAMS);
}

int free_ram(void **state)
{
	(void)state;
	free(ram);
	ram = NULL;
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The boot loader: a few bytes say how much memory the guest has, and which
 * initial RAM disk and command line it gets; the rest is the kernel image. What
 * lies around the guest's memory is poisoned, so that ASan sees a write there;
 * the inputs have their exact size.
 */
#include <sanitizer/asan_interface.h>
#include <stdlib.h>

#include "bootparams.h"
#include "fuzz.h"
#include "loader.h"

#define MB		(1u << 20)
#define RAM_MAX		(4 * MB + 0x10000)
#define BEHIND		0x10000u
#define CANARY		0x5ac3e1f00d15ea5eull

static uint8_t *ram;

/* What the guest is told: all of its memory, whole up to 3 GB and the rest
 * from 4 GB on. */
static void check_e820(const struct loader_in *in)
{
	const struct boot_params *bp = (void *)(ram + 0x2000);
	uint64_t all = in->ram_size + in->rest;
	uint64_t low = all < LOADER_LOW_END ? all : LOADER_LOW_END;
	uint64_t pos = 0, end;
	unsigned int i;

	CHECK(bp->e820_entries >= 2 && bp->e820_entries <= E820_MAX);
	for (i = 0; i < bp->e820_entries; i++) {
		const struct e820_entry *e = &bp->e820_table[i];

		end = e->addr + e->size;
		if (e->addr == LOADER_HIGH) {
			CHECK_EQ(i, bp->e820_entries - 1);
			CHECK_EQ(pos, low);
			CHECK_EQ(e->size, all - low);
			CHECK_EQ(e->type, E820_RAM);
			return;
		}
		CHECK(e->size && e->addr >= pos && end <= low);
		if (pos >= MB)	/* no gap, and nothing is forgotten */
			CHECK_EQ(e->addr, pos);
		pos = end;
	}
	CHECK_EQ(pos, low);
	CHECK_EQ(low, all);
}

static void check_loaded(const struct loader_in *in,
			 const struct loader_out *out)
{
	const struct boot_params *bp = (void *)(ram + 0x2000);
	uint64_t initrd = bp->hdr.ramdisk_image;

	CHECK(out->entry >= MB && out->entry < in->ram_size);
	CHECK(!strcmp((char *)ram + bp->hdr.cmd_line_ptr,
		      in->cmdline ? in->cmdline : ""));
	CHECK_EQ(bp->hdr.ramdisk_size, in->initrd ? in->initrd_size : 0);
	if (in->initrd) {
		CHECK(initrd >= MB &&
		      initrd + in->initrd_size <= in->ram_size);
		CHECK(!memcmp(ram + initrd, in->initrd, in->initrd_size));
	}
	check_e820(in);
}

/* A refusal has left no trace, and says why. */
static void check_refused(const struct loader_out *out)
{
	uint64_t words[3];

	memcpy(&words[0], ram + 0x1000, 8);
	memcpy(&words[1], ram + 0x2000, 8);
	memcpy(&words[2], ram + 0x20000, 8);
	CHECK(words[0] == CANARY && words[1] == CANARY && words[2] == CANARY);
	CHECK(out->error[0]);
	CHECK(memchr(out->error, 0, sizeof(out->error)));
	CHECK(out->part <= LOADER_COMM);
}

static char *make_cmdline(uint8_t how, uint32_t len)
{
	char *s;

	if (how & 1)
		return NULL;
	s = malloc(len + 1);
	memset(s, 'a', len);
	s[len] = 0;
	return s;
}

void fuzz_one(struct input *input)
{
	static const uint64_t canary = CANARY;
	struct loader_in in = { 0 };
	uint8_t how = input_u8(input), *kernel, *initrd = NULL;
	struct loader_out out;
	const uint8_t *at;
	char *cmdline;
	bool loaded;
	size_t len;

	if (!ram)
		ram = malloc(RAM_MAX + BEHIND);
	in.ram_size = LOADER_RAM_MIN + input_u8(input) % 16 * 0x1000;
	if (how & 2)		/* too small */
		in.ram_size -= 16 * 0x1000;
	if (how & 128)
		in.rest = (uint64_t)input_u16(input) << 20;
	cmdline = make_cmdline(how, how & 16 ? input_u16(input) * 2u :
					       input_u8(input));
	in.cmdline = cmdline;
	if (how & 32) {
		in.initrd_size = input_u16(input);
		in.initrd_size >>= input_u8(input) % 16;
		in.initrd = initrd = calloc(1, in.initrd_size);
	}
	at = input_bytes(input, SIZE_MAX, &len);
	kernel = malloc(len);
	if (len)
		memcpy(kernel, at, len);
	in.kernel = kernel;
	in.kernel_size = len;
	in.ram = ram;
	memcpy(ram + 0x1000, &canary, 8);
	memcpy(ram + 0x2000, &canary, 8);
	memcpy(ram + 0x20000, &canary, 8);

	ASAN_POISON_MEMORY_REGION(ram + in.ram_size, BEHIND);
	loaded = loader_load(&in, &out);
	ASAN_UNPOISON_MEMORY_REGION(ram + in.ram_size, BEHIND);
	if (loaded)
		check_loaded(&in, &out);
	else
		check_refused(&out);
	free(initrd);
	free(kernel);
	free(cmdline);
}

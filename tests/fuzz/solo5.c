// SPDX-License-Identifier: GPL-2.0-only
/*
 * The loader of unikernels: a few bytes say how much memory the guest has, and
 * which devices and command line it gets; the rest is the file. What lies behind
 * the guest's memory is poisoned, so that ASan sees a write there; the file has
 * its exact size.
 */
#include <sanitizer/asan_interface.h>
#include <stdlib.h>

#include "fuzz.h"
#include "solo5.h"

#define MB		(1u << 20)
#define RAM_MAX		(6 * MB)
#define BEHIND		0x10000u
#define CANARY		0x5ac3e1f00d15ea5eull

static uint8_t *ram;

static void check_loaded(const struct solo5_in *in, const struct solo5_out *out)
{
	const struct solo5_boot_info *info = (void *)(ram + SOLO5_BOOT_INFO);
	const struct solo5_manifest *m = (void *)(ram + info->manifest);
	uint32_t i, attached = 0;

	CHECK(out->start.rip >= SOLO5_BASE && out->start.rip < in->ram_size);
	CHECK(out->start.rsp < in->ram_size + in->rest);
	CHECK(info->kernel_end > SOLO5_BASE &&
	      info->kernel_end <= info->mem_size);
	CHECK_EQ(m->entries, out->handles);
	for (i = 0; i < m->entries; i++) {
		CHECK(!m->entry[i].name[SOLO5_NAME_SIZE - 1]);
		CHECK_EQ(m->entry[i].attached, out->handle[i] != NULL);
		attached += m->entry[i].attached;
	}
	CHECK_EQ(attached, in->devices);
	CHECK(!strcmp((char *)ram + info->cmdline, in->cmdline));
}

static void check_refused(const struct solo5_out *out)
{
	uint64_t words[2];

	memcpy(&words[0], ram + SOLO5_GDT, 8);
	memcpy(&words[1], ram + SOLO5_BOOT_INFO, 8);
	CHECK(words[0] == CANARY && words[1] == CANARY);
	CHECK(out->error[0]);
	CHECK(memchr(out->error, 0, sizeof(out->error)));
}

void fuzz_one(struct input *input)
{
	static const uint64_t canary = CANARY;
	static const struct solo5_device device[2] = {
		{ "service0", SOLO5_NET, 0, 0, { 2, 0, 0, 0, 0, 1 } },
		{ "storage", SOLO5_BLOCK, 0, 512, { 0 } },
	};
	struct solo5_in in = { .tsc_hz = 1, .device = device };
	uint8_t how = input_u8(input), *file;
	struct solo5_out out;
	const uint8_t *at;
	char line[9000];
	bool loaded;
	size_t len;

	if (!ram)
		ram = malloc(RAM_MAX + BEHIND);
	in.ram_size = (how & 3) * 2 * MB;
	in.rest = how & 4 ? (uint64_t)input_u16(input) << 16 : 0;
	in.devices = how >> 3 & 3;
	if (in.devices == 3)
		in.devices = 2;
	len = how & 32 ? input_u16(input) % sizeof(line) : 5;
	memset(line, 'a', len);
	line[len] = 0;
	in.cmdline = line;
	at = input_bytes(input, SIZE_MAX, &len);
	file = malloc(len);
	if (len)
		memcpy(file, at, len);
	in.file = file;
	in.file_size = len;
	in.ram = ram;
	memcpy(ram + SOLO5_GDT, &canary, 8);
	memcpy(ram + SOLO5_BOOT_INFO, &canary, 8);

	ASAN_POISON_MEMORY_REGION(ram + in.ram_size, RAM_MAX + BEHIND -
				  in.ram_size);
	loaded = solo5_load(&in, &out);
	ASAN_UNPOISON_MEMORY_REGION(ram + in.ram_size, RAM_MAX + BEHIND -
				    in.ram_size);
	CHECK(!loaded || solo5_is(file, len));
	if (loaded)
		check_loaded(&in, &out);
	else
		check_refused(&out);
	free(file);
}

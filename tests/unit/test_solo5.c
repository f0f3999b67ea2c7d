// SPDX-License-Identifier: GPL-2.0-only
/*
 * The loader of unikernels, hypervisor-stub/core/solo5.c: one that is right, ones
 * that are wrong in one known way, and ones with random bytes changed.
 */
#include <stdio.h>
#include <stdlib.h>

#include "unit.h"
#include "solo5_images.h"

#define MB		(1ull << 20)
#define RAM		(32 * MB)
#define HZ		2345678901ull

static uint8_t *ram;
static struct image *image;
static struct solo5_in in;
static struct solo5_out out;

static int setup(void **state)
{
	(void)state;
	ram = calloc(1, RAM);
	memset(ram, 0xaa, 2 * MB);
	image = solo5_image();
	in = (struct solo5_in){
		.ram = ram, .ram_size = RAM,
		.file = (const uint8_t *)image, .file_size = sizeof(*image),
		.cmdline = "hello -v", .tsc_hz = HZ,
		.device = image_devices, .devices = 2,
	};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(ram);
	free(image);
	return 0;
}

/* The error must be this one, "" for none. */
static void load(const char *error)
{
	bool ok = solo5_load(&in, &out);

	assert_string_equal(out.error, error);
	assert_int_equal(ok, !*error);
}

/* And guest memory is as it was. */
static void refused(enum loader_part part, const char *error)
{
	uint64_t i;

	load(error);
	assert_int_equal(out.part, part);
	for (i = 0; i < 2 * MB; i++)
		if (ram[i] != 0xaa)
			fail_msg("written at %lx", i);
	for (; i < RAM; i++)
		if (ram[i])
			fail_msg("written at %lx", i);
}

static void wrong(const char *error)
{
	refused(LOADER_KERNEL, error);
}

static uint64_t word(uint64_t at)
{
	uint64_t value;

	memcpy(&value, ram + at, 8);
	return value;
}

/* ---- one that is right ---------------------------------------------------- */

static void test_start(void **state)
{
	const struct vmi64_ap_state *s = &out.start;

	(void)state;
	load("");
	assert_true(s->cr0 == 0x80010021 && s->cr3 == 0x2000 &&
		    s->cr4 == 0x620 && s->efer == 0x500);
	assert_true(s->rip == IMAGE_ENTRY && s->rsp == RAM - 8 &&
		    s->rdi == 0x10000 && s->rflags == 2);
	assert_true(s->gdtr_base == 0x1000 && s->gdtr_limit == 23 &&
		    s->cs == 8 && s->ds == 16);
	assert_int_equal(word(0x1000), 0);
	assert_int_equal(word(0x1008), 0x00af99000000ffff);
	assert_int_equal(word(0x1010), 0x00cf93000000ffff);
}

/* Where the tables lead, with which rights; false: nowhere. */
static bool walk(uint64_t va, uint64_t *pa, bool *writable)
{
	uint64_t e, table = out.start.cr3, page = 1ull << 39;

	*writable = true;
	for (; page >= 4096; page >>= 9) {
		e = word(table + (va / page) % 512 * 8);
		if (!(e & 1))
			return false;
		*writable = *writable && e & 2;
		/* Neither user mode nor more than the ABI says. */
		assert_int_equal(e & ~(uint64_t)0xfffff083, 0);
		table = e & 0xfffff000;
		if (e & 0x80) {
			assert_int_equal(page, 2 * MB);
			break;
		}
	}
	if (page < 4096)
		page = 4096;
	*pa = table + va % page;
	return true;
}

static void test_tables(void **state)
{
	uint64_t va, pa;
	bool writable;

	(void)state;
	load("");
	for (va = 0x123; va < RAM + 4 * MB; va += 4096) {
		bool mapped = walk(va, &pa, &writable);

		assert_int_equal(mapped, va >= 0x10000 && va < RAM);
		if (!mapped)
			continue;
		assert_int_equal(pa, va);
		assert_int_equal(writable, va >= IMAGE_DATA);
	}
	assert_false(walk(3ull << 30, &pa, &writable));
	assert_false(walk(1ull << 40, &pa, &writable));
}

/* Segments that are not to be written are not, as far as there are tables. */
static void test_read_only(void **state)
{
	uint64_t va, pa;
	bool writable;

	(void)state;
	image->segment[IMAGE_LOAD_RODATA].vaddr = 15 * MB;
	image->segment[IMAGE_LOAD_RODATA].memsz = 3 * MB;
	image->segment[IMAGE_LOAD_DATA].vaddr = 18 * MB;
	load("");
	for (va = IMAGE_TEXT; va < RAM; va += 4096) {
		assert_true(walk(va, &pa, &writable));
		assert_int_equal(pa, va);
		assert_int_equal(writable, va >= IMAGE_TEXT + 0x2000 &&
				 (va < 15 * MB || va >= 16 * MB));
	}
}

static void check_image(uint64_t at, uint8_t byte, uint64_t memsz)
{
	uint64_t i;

	for (i = 0; i < memsz; i++)
		assert_int_equal(ram[at + i], i < IMAGE_BYTES ? byte : 0);
}

static void test_image(void **state)
{
	(void)state;
	load("");
	check_image(IMAGE_TEXT, 0x11, 0x1800);
	check_image(IMAGE_RODATA, 0x22, IMAGE_BYTES);
	check_image(IMAGE_DATA, 0x33, IMAGE_END - IMAGE_DATA);
	/* Not a byte of the rest. */
	assert_int_equal(ram[IMAGE_END], 0xaa);
	assert_int_equal(ram[IMAGE_RODATA + IMAGE_BYTES], 0xaa);
}

static void test_boot_info(void **state)
{
	const struct solo5_boot_info *info = (void *)(ram + 0x10000);
	const struct solo5_manifest *m = (void *)(ram + 0x10040);

	(void)state;
	/* What is nobody's business in a file, and what only it knows. */
	image->mft.entry[1].block.capacity = 1234;
	image->mft.entry[1].backing = 77;
	load("");
	assert_true(info->mem_size == RAM && info->kernel_end == IMAGE_END &&
		    info->tsc_hz == HZ);
	assert_int_equal(info->manifest, 0x10040);
	assert_int_equal(info->cmdline, 0x10040 + 8 + 3 * 104);
	assert_true(!info->reserved[0] && !info->reserved[1] &&
		    !info->reserved[2]);
	assert_string_equal((char *)ram + info->cmdline, "hello -v");
	assert_true(m->version == 1 && m->entries == 3);
	assert_true(m->entry[0].type == SOLO5_FIRST && !m->entry[0].attached);
	assert_string_equal(m->entry[1].name, "storage");
	assert_true(m->entry[1].type == SOLO5_BLOCK &&
		    m->entry[1].attached == 1 &&
		    m->entry[1].block.capacity == 0x100000 &&
		    m->entry[1].block.block_size == 512 &&
		    !m->entry[1].backing);
	assert_string_equal(m->entry[2].name, "service0");
	assert_memory_equal(m->entry[2].net.mac, "\2\0\0\1\2\3", 6);
	assert_true(m->entry[2].net.mtu == 1500 && m->entry[2].attached == 1);
	assert_int_equal(out.handles, 3);
	assert_null(out.handle[0]);
	assert_ptr_equal(out.handle[1], &image_devices[1]);
	assert_ptr_equal(out.handle[2], &image_devices[0]);
}

static void test_cmdline(void **state)
{
	const struct solo5_boot_info *info = (void *)(ram + 0x10000);
	char line[8193];

	(void)state;
	memset(line, 'x', sizeof(line));
	line[8192] = 0;
	in.cmdline = line;
	refused(LOADER_CMDLINE,
		"8192 characters, a unikernel takes at most 8191");
	line[8191] = 0;
	load("");
	assert_string_equal((char *)ram + info->cmdline, line);
	assert_true(info->cmdline + 8192 <= 0x100000);
}

static void test_memory(void **state)
{
	(void)state;
	/* In whole large pages, wherever it is. */
	in.ram_size = 4 * MB;
	in.rest = 3 * MB;
	load("");
	assert_int_equal(out.start.rsp, 6 * MB - 8);
	in.rest = 3068 * MB;
	load("");
	assert_int_equal(out.start.rsp, 3072 * MB - 8);
	memset(ram, 0xaa, 2 * MB);
	in.rest = 3069 * MB;
	refused(LOADER_MEMORY, "too much: a unikernel has at most 3072 MB");
	in.rest = 0;
	in.ram_size = 2 * MB - 4096;
	refused(LOADER_MEMORY, "too small: a unikernel has at least 2 MB");
	in.ram_size = 2 * MB;
	load("");
}

/* What is not loaded, and other notes, do not matter. */
static void test_ignored(void **state)
{
	static const uint32_t gnu[5] = { 4, 3, 1, 0x554e47, 0 };

	(void)state;
	image->segment[IMAGE_LOAD_RODATA].type = 3;	/* PT_INTERP */
	image->segment[IMAGE_LOAD_RODATA].offset = UINT64_MAX;
	load("");
	/* A note before it in the same segment, of an odd size. */
	memcpy(image->rodata, gnu, sizeof(gnu));
	memcpy(image->rodata + sizeof(gnu), &image->abi, sizeof(image->abi));
	image->segment[IMAGE_ABI].offset = offsetof(struct image, rodata);
	image->segment[IMAGE_ABI].filesz = sizeof(gnu) + sizeof(image->abi);
	load("");
}

/* ---- ones that are wrong --------------------------------------------------- */

static void test_is(void **state)
{
	(void)state;
	assert_true(solo5_is(in.file, in.file_size));
	image->abi.abi.target = 2;
	assert_true(solo5_is(in.file, in.file_size));
	assert_false(solo5_is(in.file, 63));
	assert_false(solo5_is(in.file, offsetof(struct image, abi)));
	image->header.ident[4] = 1;
	assert_false(solo5_is(in.file, in.file_size));
	image->header.ident[4] = 2;
	image->abi.note.name[0] = 'x';
	assert_false(solo5_is(in.file, in.file_size));
	wrong("no unikernel: it has no ABI note of Solo5");
}

#define WRONG(field, value, error) do {					\
		__typeof__(image->field) was_ = image->field;		\
									\
		image->field = (value);					\
		wrong(error);						\
		image->field = was_;					\
	} while (0)

static void test_headers(void **state)
{
	(void)state;
	WRONG(header.ident[0], 'x', "not a 64-bit ELF file for x86");
	WRONG(header.ident[4], 1, "not a 64-bit ELF file for x86");
	WRONG(header.ident[5], 2, "not a 64-bit ELF file for x86");
	WRONG(header.machine, 183, "not a 64-bit ELF file for x86");
	WRONG(header.type, 3, "an ELF file of type 3 and version 1, not an executable");
	WRONG(header.version, 2, "an ELF file of type 2 and version 2, not an executable");
	WRONG(header.ehsize, 52, "damaged: ELF headers of 52 and 56 bytes");
	WRONG(header.phentsize, 32, "damaged: ELF headers of 64 and 32 bytes");
	WRONG(header.phoff, UINT64_MAX, "truncated: 5 ELF program headers from byte 18446744073709551615 on, the file has 3032");
	WRONG(header.phnum, 0, "no unikernel: it has no ABI note of Solo5");
	WRONG(header.entry, IMAGE_TEXT - 1, "the entry 0xfffff is in no ELF segment that is executed");
	WRONG(header.entry, IMAGE_TEXT + 0x1800, "the entry 0x101800 is in no ELF segment that is executed");
	WRONG(header.entry, IMAGE_DATA, "the entry 0x103000 is in no ELF segment that is executed");
	in.file_size = 63;
	wrong("not a 64-bit ELF file for x86");
	in.file_size = 64 + 5 * 56 - 1;
	wrong("truncated: 5 ELF program headers from byte 64 on, the file has 343");
}

static void test_notes(void **state)
{
	(void)state;
	WRONG(abi.abi.target, 2, "a unikernel for target 2 of Solo5, not for hvt (1): build it for that");
	WRONG(abi.abi.version, 1, "a unikernel for version 1 of Solo5's hvt ABI, not 2");
	WRONG(abi.note.descsz, 15, "damaged: its ABI note has 15 bytes");
	WRONG(abi.note.descsz, 17, "no unikernel: it has no ABI note of Solo5");
	WRONG(abi.note.descsz, UINT32_MAX, "no unikernel: it has no ABI note of Solo5");
	WRONG(abi.note.namesz, UINT32_MAX, "no unikernel: it has no ABI note of Solo5");
	WRONG(abi.note.namesz, 5, "no unikernel: it has no ABI note of Solo5");
	WRONG(segment[IMAGE_ABI].offset, UINT64_MAX, "no unikernel: it has no ABI note of Solo5");
	WRONG(segment[IMAGE_ABI].filesz, UINT64_MAX, "no unikernel: it has no ABI note of Solo5");
	WRONG(segment[IMAGE_ABI].filesz, 11, "no unikernel: it has no ABI note of Solo5");
	WRONG(mft.note.type, 1, "no unikernel: it has no manifest");
	WRONG(mft.note.descsz, 11, "damaged: its manifest has 11 bytes");
	WRONG(mft.note.descsz, 323, "damaged: a manifest of 3 entries in 323 bytes");
	WRONG(mft.version, 2, "a manifest of version 2, not 1");
	WRONG(mft.entries, 0, "damaged: a manifest of 0 entries, there are 1 to 64");
	WRONG(mft.entries, 65, "damaged: a manifest of 65 entries, there are 1 to 64");
	WRONG(mft.entries, 64, "damaged: a manifest of 64 entries in 324 bytes");
	WRONG(mft.entry[0].type, SOLO5_NET, "damaged: entry 0 of the manifest");
	WRONG(mft.entry[0].name[0], 'x', "damaged: entry 0 of the manifest");
	WRONG(mft.entry[1].attached, 1, "damaged: entry 1 of the manifest");
	WRONG(mft.entry[2].name[67], 'x', "damaged: entry 2 of the manifest");
}

static void test_devices(void **state)
{
	struct solo5_device device[3];

	(void)state;
	WRONG(mft.entry[1].name[7], 'x', "its manifest has the block device \"storagex\", and none is attached (--disk storagex=...)");
	WRONG(mft.entry[1].type, SOLO5_NET, "its manifest has the network device \"storage\", and none is attached (--net storage=...)");
	WRONG(mft.entry[1].type, 3, "its manifest has the unknown device \"storage\", and none is attached (--net storage=...)");
	in.devices = 1;
	wrong("its manifest has the block device \"storage\", and none is attached (--disk storage=...)");
	memcpy(device, image_devices, sizeof(image_devices));
	in.device = device;
	in.devices = 3;
	device[2] = (struct solo5_device){ .name = "other", .type = SOLO5_NET };
	wrong("its manifest has the network device \"other\" 0 times");
	in.devices = 2;
	device[1].capacity = 0;
	wrong("the disk for \"storage\" has 0 bytes, not blocks of 512");
	device[1].capacity = 1023;
	wrong("the disk for \"storage\" has 1023 bytes, not blocks of 512");
	device[1].capacity = 1024;
	memcpy(image->mft.entry[2].name, "storage\0", 9);
	image->mft.entry[2].type = SOLO5_BLOCK;
	in.device = &device[1];
	in.devices = 1;
	wrong("its manifest has the block device \"storage\" 2 times");
}

static void test_segments(void **state)
{
	(void)state;
	WRONG(segment[IMAGE_LOAD_DATA].offset, sizeof(*image), "truncated: an ELF segment of 768 bytes from byte 3032 on, the file has 3032");
	WRONG(segment[IMAGE_LOAD_DATA].offset, UINT64_MAX - 100, "truncated: an ELF segment of 768 bytes from byte 18446744073709551515 on, the file has 3032");
	WRONG(segment[IMAGE_LOAD_DATA].memsz, 767, "damaged: an ELF segment of 767 bytes holds 768");
	WRONG(segment[IMAGE_LOAD_DATA].align, 0, "damaged: an ELF segment aligned to 0x0, not to pages");
	WRONG(segment[IMAGE_LOAD_DATA].align, 0x800, "damaged: an ELF segment aligned to 0x800, not to pages");
	WRONG(segment[IMAGE_LOAD_DATA].align, 0x1800, "damaged: an ELF segment aligned to 0x1800, not to pages");
	WRONG(segment[IMAGE_LOAD_TEXT].flags, 7, "an ELF segment at 0x100000 is both written and executed");
	WRONG(segment[IMAGE_LOAD_TEXT].vaddr, 0xff000, "an ELF segment begins at 0xff000, below 0x100000");
	WRONG(segment[IMAGE_LOAD_TEXT].align, 0x200000, "an ELF segment begins at 0x0, below 0x100000");
	WRONG(segment[IMAGE_LOAD_RODATA].vaddr, 0x101fff, "ELF segments overlap, or are not in order, at 0x101fff");
	WRONG(segment[IMAGE_LOAD_DATA].vaddr, 0x100000, "ELF segments overlap, or are not in order, at 0x100000");
	WRONG(segment[IMAGE_LOAD_DATA].vaddr, RAM, "needs 0x3000 bytes at 0x2000000, memory ends at 0x2000000: give it more");
	WRONG(segment[IMAGE_LOAD_DATA].vaddr, UINT64_MAX - 0xfff, "needs 0x3000 bytes at 0xfffffffffffff000, memory ends at 0x2000000: give it more");
	WRONG(segment[IMAGE_LOAD_DATA].memsz, UINT64_MAX, "needs 0xffffffffffffffff bytes at 0x103000, memory ends at 0x2000000: give it more");
	WRONG(segment[IMAGE_LOAD_DATA].memsz, RAM - IMAGE_DATA + 1, "needs 0x1efd001 bytes at 0x103000, memory ends at 0x2000000: give it more");
	/* The alignment alone is too much, at its end and at its start. */
	image->segment[IMAGE_LOAD_DATA].vaddr = RAM - 0x200000;
	image->segment[IMAGE_LOAD_DATA].memsz = 0x1ff000;
	image->segment[IMAGE_LOAD_DATA].align = 0x200000;
	load("");
	memset(ram, 0xaa, 2 * MB);
	memset(ram + RAM - 2 * MB, 0, 2 * MB);
	in.ram_size = RAM - 0x200000;
	WRONG(segment[IMAGE_LOAD_DATA].vaddr, RAM - 0x3fe000,
	      "needs 0x1ff000 bytes at 0x1c02000, memory ends at 0x1e00000: give it more");
}

/* Any bytes: ASan sees what is touched that is not ours. */
static void test_random(void **state)
{
	uint64_t seed = 1;
	unsigned int i, n, loaded = 0;
	struct image good;

	(void)state;
	memcpy(&good, image, sizeof(good));
	for (i = 0; i < 20000; i++) {
		memcpy(image, &good, sizeof(good));
		for (n = unit_random(&seed) % 4 + 1; n; n--)
			((uint8_t *)image)[unit_random(&seed) %
					   offsetof(struct image, text)] =
				unit_random(&seed) >> 13;
		in.file_size = unit_random(&seed) % 8 ? sizeof(*image) :
			       unit_random(&seed) % sizeof(*image);
		loaded += solo5_load(&in, &out);
		assert_true(out.error[0] || out.start.rip);
	}
	assert_true(loaded > 100);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(start),
		TEST(tables),
		TEST(read_only),
		TEST(image),
		TEST(boot_info),
		TEST(cmdline),
		TEST(memory),
		TEST(ignored),
		TEST(is),
		TEST(headers),
		TEST(notes),
		TEST(devices),
		TEST(segments),
		TEST(random),
	};

	return cmocka_run_group_tests_name("solo5", tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The images for 64-bit guests: rom/tool/check.c on them, whole and damaged, and
 * what their own code says of them, which runs here as it does in a guest.
 * VMI64-2.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "unit.h"
#include "../../rom/tool/check.h"
#include "vmi64.h"
#include "vmi_rom.h"
#include "vmi_stub64.h"

#define HEADER(field)	offsetof(struct vmi_rom_header, field)
#define INFO(field)	(VMI_ROM_INFO_OFFSET + \
			 offsetof(struct vmi_rom_info, field))
#define STUB(field)	(STUB64_INFO_OFFSET + \
			 offsetof(struct stub64_rom_info, field))
#define TABLE(field)	(table + offsetof(struct stub64_rom_table, field))
#define WINDOWS		(table + sizeof(struct stub64_rom_table))
#define WINDOW(field)	(WINDOWS + offsetof(struct stub64_window, field))
#define TOP		0xffffffffffe00000ull

struct image {
	size_t	size;
	uint8_t	*bytes;
};

static struct image native, template, stub, native32;

static struct image load(const char *file)
{
	static uint8_t buffer[1 << 17];
	struct image image;
	FILE *f = fopen(file, "rb");

	if (!f)
		fail_msg("no %s; make all builds it", file);
	image.size = fread(buffer, 1, sizeof(buffer), f);
	fclose(f);
	image.bytes = malloc(image.size);
	memcpy(image.bytes, buffer, image.size);
	return image;
}

static int setup(void **state)
{
	(void)state;
	native = load("build/rom/native64.rom");
	template = load("build/rom/template64.rom");
	stub = load("build/rom/stub64.rom");
	native32 = load("build/rom/native.rom");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(native.bytes);
	free(template.bytes);
	free(stub.bytes);
	free(native32.bytes);
	return 0;
}

static void put(uint8_t *p, size_t width, uint64_t value)
{
	while (width--) {
		*p++ = (uint8_t)value;
		value >>= 8;
	}
}

static void repair(struct image *image)
{
	uint8_t sum = 0;

	image->bytes[HEADER(checksum)] = 0;
	for (size_t i = 0; i < image->size; i++)
		sum += image->bytes[i];
	image->bytes[HEADER(checksum)] = (uint8_t)-sum;
}

static const char *check(const struct image *image)
{
	const char *wrong = vmi64_rom_check(image->bytes, image->size);

	return wrong ? wrong : vmi64_rom_check_stub(image->bytes, image->size);
}

/* The verdict on the stub image with one field changed, its sum right. */
static const char *mutate(size_t at, size_t width, uint64_t value)
{
	struct image image = { stub.size, malloc(stub.size) };
	const char *wrong;

	memcpy(image.bytes, stub.bytes, stub.size);
	put(image.bytes + at, width, value);
	repair(&image);
	wrong = check(&image);
	free(image.bytes);
	return wrong;
}

#define refused(at, width, value, why) do {				\
	const char *wrong_ = mutate(at, width, value);			\
	if (!wrong_)							\
		fail_msg("accepted, expected \"%s\"", why);		\
	assert_string_equal(wrong_, why);				\
} while (0)

/* ---- the checks -------------------------------------------------------------- */

static void test_good(void **state)
{
	(void)state;
	assert_null(check(&stub));
	assert_null(vmi64_rom_check(native.bytes, native.size));
	assert_null(vmi64_rom_check(template.bytes, template.size));
	assert_string_equal(vmi64_rom_check_stub(native.bytes, native.size),
			    "not a ROM for the stub hypervisor");
	assert_int_equal(rom_get32(native.bytes + HEADER(virtual_top)), 0);
	assert_true(vmi64_virtual_top(rom_get32(stub.bytes +
						HEADER(virtual_top))) == TOP);
}

/* VMI64-2.1.2: neither takes the other's. */
static void test_other_width(void **state)
{
	(void)state;
	assert_true(vmi64_rom_is(native.bytes, native.size));
	assert_false(vmi64_rom_is(native.bytes, HEADER(signature) + 4));
	assert_false(vmi64_rom_is(native32.bytes, native32.size));
	assert_string_equal(vmi_rom_check(native.bytes, native.size),
			    "not a VMI ROM (no \"cVmi\" signature)");
	assert_string_equal(vmi64_rom_check(native32.bytes, native32.size),
			    "not a VMI-64 ROM (no \"cV64\" signature)");
}

static void test_header(void **state)
{
	(void)state;
	refused(HEADER(magic), 2, 0x55aa, "not an option ROM (no 55 aa)");
	refused(HEADER(api_major), 1, 3, "API version is not 1");
	refused(HEADER(virtual_top), 4, 0xffd01000,
		"virtual_top is not on a 2 MB boundary");
	refused(HEADER(virtual_top), 4, 0x7fe00000,
		"virtual_top is not in the top 2 GB");
	refused(HEADER(virtual_top), 4, 0,
		"virtual_top is 0: no room for the shared area");
	refused(HEADER(license), 2, 0, "no licence string");
	refused(HEADER(pci), 2, 0, "no PCI data structure");
	assert_null(mutate(HEADER(api_minor), 1, 9));
}

static void test_stub_info(void **state)
{
	const size_t table = rom_get32(stub.bytes + STUB(table));
	const size_t count = rom_get32(stub.bytes + STUB(window_count));
	const char *outside = "table of addresses lies outside the image";

	(void)state;
	assert_in_range(count, 1, STUB_WINDOWS);
	refused(STUB(magic), 4, 0, "not a ROM for the stub hypervisor");
	refused(STUB(layout), 4, STUB64_LAYOUT + 1,
		"made for another layout of the shared area");
	refused(STUB(window_count), 4, STUB_WINDOWS + 1, "too many windows");
	refused(STUB(window_count), 4, 0xffffffff, "too many windows");
	refused(STUB(table), 4, table + 4, outside);
	refused(STUB(table), 4, stub.size, outside);
	/* room for it alone, and not for the windows behind */
	refused(STUB(table), 4, stub.size - sizeof(struct stub64_rom_table),
		outside);
	refused(STUB(table), 4, 0xfffffff8, outside);
	for (int i = 0; i < STUB64_IRETS; i++) {
		const size_t at = TABLE(iret_insn[i]);
		const char *why = "no IRETQ instruction where the header says";

		refused(at, 8, rom_get64(stub.bytes + at) + 1, why);
		refused(at, 8, TOP + stub.size - 1, why);
		refused(at, 8, TOP - 1, why);
		refused(at, 8, 0, why);
	}
	for (int i = 0; i < 2; i++) {
		const size_t at = TABLE(syscall_entry[i]);
		const char *why = "a SYSCALL entry lies outside the image";

		refused(at, 8, TOP + stub.size, why);
		refused(at, 8, TOP - 1, why);
	}
}

/* The image ends in the midst of an IRETQ. */
static void test_stub_end(void **state)
{
	const size_t table = rom_get32(stub.bytes + STUB(table));
	struct image image = { stub.size, malloc(stub.size) };

	(void)state;
	memcpy(image.bytes, stub.bytes, stub.size);
	image.bytes[image.size - 1] = 0x48;
	put(image.bytes + TABLE(iret_insn[0]), 8, TOP + image.size - 1);
	repair(&image);
	assert_string_equal(check(&image),
			    "no IRETQ instruction where the header says");
	free(image.bytes);
}

static void test_stub_windows(void **state)
{
	const size_t table = rom_get32(stub.bytes + STUB(table));
	const char *outside = "a window lies outside the image";

	(void)state;
	refused(WINDOW(start), 8, rom_get64(stub.bytes + WINDOW(end)), outside);
	refused(WINDOW(start), 8, TOP - 1, outside);
	refused(WINDOW(end), 8, TOP + stub.size + 1, outside);
	refused(WINDOW(end), 8, ~0ull, outside);
	refused(WINDOW(restart), 8, TOP + stub.size,
		"a window restarts outside the image");
	refused(WINDOW(restart), 8, 0, "a window restarts outside the image");
	refused(WINDOW(clear_if), 8, 2, "a window has an unknown flag");
}

static void test_stub_size(void **state)
{
	const size_t pci = rom_get16(stub.bytes + HEADER(pci)) +
			   offsetof(struct vmi_pci_data, image_length);
	struct image image = { STUB_ROM_MAX + VMI_ROM_UNIT, NULL };

	(void)state;
	image.bytes = calloc(1, image.size);
	memcpy(image.bytes, stub.bytes, stub.size);
	image.bytes[HEADER(length)] = image.size / VMI_ROM_UNIT;
	put(image.bytes + pci, 2, image.size / VMI_ROM_UNIT);
	repair(&image);
	assert_string_equal(check(&image), "too large for the stub hypervisor");
	free(image.bytes);
}

/* Does what the hypervisor does with an image that passed. */
static uint8_t use(const struct image *image)
{
	const size_t table = rom_get32(image->bytes + STUB(table));
	uint32_t n = rom_get32(image->bytes + STUB(window_count));
	uint8_t sink = 0;

	for (int i = 0; i < STUB64_IRETS; i++)
		sink ^= image->bytes[rom_get64(image->bytes +
					       TABLE(iret_insn[i])) - TOP];
	for (int i = 0; i < 2; i++)
		sink ^= image->bytes[rom_get64(image->bytes +
					       TABLE(syscall_entry[i])) - TOP];
	while (n--)
		for (size_t i = 0; i < sizeof(struct stub64_window); i++)
			sink ^= image->bytes[WINDOWS + i +
					     n * sizeof(struct stub64_window)];
	return sink;
}

static void test_random(void **state)
{
	const size_t table = rom_get32(stub.bytes + STUB(table));
	unsigned int accepted = 0, refusals = 0;
	struct image image = { stub.size, malloc(stub.size) };
	uint64_t seed = 0x20264;

	(void)state;
	for (int round = 0; round < 50000; round++) {
		unsigned int flips = 1 + unit_random(&seed) % 4;

		memcpy(image.bytes, stub.bytes, stub.size);
		while (flips--) {
			/* half of them where the checks look */
			uint64_t r = unit_random(&seed);
			size_t at = (r >> 8) % image.size;

			if (r & 1)
				at = r & 2 ? at % 0x200 :
					     table + at % (image.size - table);
			image.bytes[at] ^= 1u << (r >> 4) % 8;
		}
		repair(&image);
		if (!check(&image) &&
		    rom_get32(image.bytes + HEADER(virtual_top)) ==
		    (uint32_t)TOP) {
			accepted++;
			(void)use(&image);
		} else {
			refusals++;
		}
	}
	free(image.bytes);
	assert_true(accepted > 1000);
	assert_true(refusals > 1000);
}

/* ---- the images' own code ------------------------------------------------------ */

#define CALL_END	300	/* beyond the last one */

static uint8_t *mapped(const struct image *image)
{
	uint8_t *at = mmap(NULL, image->size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(at != MAP_FAILED);
	memcpy(at, image->bytes, image->size);
	assert_int_equal(mprotect(at, image->size, PROT_READ | PROT_EXEC), 0);
	return at;
}

/* VMI64-2.5: the answers that the image has, at slots in it or in its copy. */
static void answers_of(const struct image *image, uint64_t top)
{
	uint8_t *rom = mapped(image);
	const struct vmi_rom_info *info = (void *)(rom + VMI_ROM_INFO_OFFSET);
	const uint8_t *answers = rom + info->answers;
	struct vmi64_relocation (*get)(uint64_t number);
	const uint64_t base = top ? top : (uintptr_t)rom;
	struct vmi64_relocation got;

	assert_int_equal(info->magic, VMI_ROM_INFO_MAGIC);
	assert_int_equal(info->count, VMI64_CALL_COUNT);
	*(void **)&get = rom + VMI_ENTRY_RELOC;
	for (uint32_t nr = 0; nr < CALL_END; nr++) {
		/* the upper half may be anything (VMI64-3.1.1) */
		got = get(nr | (nr & 1 ? 0xfedcba9800000000 : 0));
		if (nr >= info->count) {
			assert_int_equal(got.type, VMI_RELOC_NONE);
			continue;
		}
		assert_int_equal(got.type, answers[nr]);
		assert_true(got.address == base + info->slots +
					   nr * info->slot_size);
	}
	got = get(0xffffffff);
	assert_int_equal(got.type, VMI_RELOC_NONE);
	munmap(rom, image->size);
}

static void test_answers(void **state)
{
	(void)state;
	answers_of(&native, 0);
	answers_of(&template, 0);
	answers_of(&stub, TOP);
}

/* VMI64-2.4: where there is nothing to do, a guest is in VMI mode at once. */
static void test_init(void **state)
{
	const struct image *const all[] = { &native, &template };
	int (*init)(void);

	(void)state;
	for (int i = 0; i < 2; i++) {
		uint8_t *rom = mapped(all[i]);

		*(void **)&init = rom + VMI_ENTRY_INIT;
		assert_int_equal(init(), 0);
		munmap(rom, all[i]->size);
	}
}

static uint8_t type_of(const struct image *image, unsigned int nr)
{
	return image->bytes[rom_get16(image->bytes + INFO(answers)) + nr];
}

/* What a guest may rely on: VMI64-2.5.2, VMI64-2.5.3. */
static void test_types(void **state)
{
	const struct image *const all[] = { &native, &template, &stub };
	static const bool assigned[VMI64_CALL_COUNT] = {
#define ASSIGNED(nr, name)	[nr] = true,
		VMI64_CALLS(ASSIGNED)
	};

	(void)state;
	for (unsigned int nr = 0; nr < VMI64_CALL_COUNT; nr++) {
		bool jump = nr == VMI64_CALL_IRET ||
			    nr == VMI64_CALL_SwapGSIRET;

		assert_int_equal(type_of(&native, nr), VMI_RELOC_NONE);
		for (int i = 0; i < 3; i++) {
			if (!assigned[nr])
				assert_int_equal(type_of(all[i], nr),
						 VMI_RELOC_NONE);
			if (type_of(all[i], nr) == VMI_RELOC_JUMP)
				assert_true(jump);
			else if (jump)
				assert_int_equal(type_of(all[i], nr),
						 VMI_RELOC_NONE);
		}
	}
	assert_int_equal(type_of(&stub, VMI64_CALL_IRET), VMI_RELOC_JUMP);
	assert_int_equal(type_of(&stub, VMI64_CALL_SwapGSIRET), VMI_RELOC_JUMP);
}

/* A call that VMI 3.x has too has its number (spec/vmi64.md, VMI64-3.2). */
static void test_numbers(void **state)
{
	static const char *const narrow[] = {
#define NAME(nr, name)	[nr] = #name,
		VMI_CALLS(NAME)
	};
	static const char *const wide[] = { VMI64_CALLS(NAME) };

	(void)state;
	for (unsigned int i = 0; i < 80; i++)
		if (wide[i])
			assert_string_equal(wide[i], narrow[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_other_width),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_stub_info),
		cmocka_unit_test(test_stub_end),
		cmocka_unit_test(test_stub_windows),
		cmocka_unit_test(test_stub_size),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_init),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_numbers),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("rom64", tests, setup, teardown);
}

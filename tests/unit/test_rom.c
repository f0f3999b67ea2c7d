// SPDX-License-Identifier: GPL-2.0-only
/*
 * rom/tool/check.c on the images that the build makes, whole and damaged.
 * Each image under test is a block of exactly its size, so that the address
 * sanitizer sees any look beyond its end. VMI-2.2, VMI-2.3.
 */
#include <stdio.h>
#include <stdlib.h>

#include "unit.h"
#include "../../rom/tool/check.h"
#include "vmi_stub.h"

#define HEADER(field)	offsetof(struct vmi_rom_header, field)
#define PCI(field)	offsetof(struct vmi_pci_data, field)
#define PNP(field)	offsetof(struct vmi_pnp_header, field)
#define INFO(field)	(STUB_INFO_OFFSET + offsetof(struct stub_rom_info, field))

struct image {
	size_t	size;
	uint8_t	*bytes;
};

static struct image stub, native;

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
	stub = load("build/rom/stub.rom");
	native = load("build/rom/native.rom");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(stub.bytes);
	free(native.bytes);
	return 0;
}

static struct image copy(const struct image *from, size_t size)
{
	struct image image = { size, malloc(size ? size : 1) };

	memcpy(image.bytes, from->bytes, size);
	return image;
}

/* Makes a range sum to 0 by its byte at place. */
static void repair(uint8_t *p, size_t size, size_t place)
{
	uint8_t sum = 0;

	p[place] = 0;
	for (size_t i = 0; i < size; i++)
		sum += p[i];
	p[place] = (uint8_t)-sum;
}

static const char *check(const struct image *image)
{
	const char *wrong = vmi_rom_check(image->bytes, image->size);

	return wrong ? wrong : vmi_rom_check_stub(image->bytes, image->size);
}

static void put(uint8_t *p, size_t width, uint32_t value)
{
	while (width--) {
		*p++ = (uint8_t)value;
		value >>= 8;
	}
}

static size_t at16(size_t offset)
{
	return rom_get16(stub.bytes + offset);
}

static size_t at32(size_t offset)
{
	return rom_get32(stub.bytes + offset);
}

/* The verdict on the stub image with one field changed, all sums right. */
static const char *mutate(size_t at, size_t width, uint32_t value)
{
	struct image image = copy(&stub, stub.size);
	size_t pnp = at16(HEADER(pnp));
	const char *wrong;

	put(image.bytes + at, width, value);
	if (at != pnp + PNP(checksum))
		repair(image.bytes + pnp, sizeof(struct vmi_pnp_header),
		       PNP(checksum));
	repair(image.bytes, image.size, HEADER(checksum));
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

static void test_good(void **state)
{
	(void)state;
	assert_null(check(&stub));
	assert_null(vmi_rom_check(native.bytes, native.size));
	assert_string_equal(vmi_rom_check_stub(native.bytes, native.size),
			    "not a ROM for the stub hypervisor");
	/* the native image is its own working copy, wherever it lies */
	assert_int_equal(rom_get32(native.bytes + HEADER(virtual_top)), 0);
}

static void test_header(void **state)
{
	(void)state;
	refused(HEADER(magic), 2, 0x55aa, "not an option ROM (no 55 aa)");
	refused(HEADER(length), 1, 0, "longer than its length byte says");
	refused(HEADER(length), 1, stub.bytes[2] - 1,
		"longer than its length byte says");
	refused(HEADER(length), 1, stub.bytes[2] + 1,
		"truncated: shorter than its length byte says");
	refused(HEADER(signature), 4, 0x766d6963,
		"not a VMI ROM (no \"cVmi\" signature)");
	refused(HEADER(api_major), 1, 2, "API version is not 3");
	refused(HEADER(api_major), 1, 4, "API version is not 3");
	refused(HEADER(virtual_top), 4, 0xfc001000,
		"virtual_top is not on a 4 MB boundary");
	refused(HEADER(virtual_top), 4, 0xfc200000,
		"virtual_top is not on a 4 MB boundary");
	/* any minor version is compatible, and old kernels ignore the rest */
	assert_null(mutate(HEADER(api_minor), 1, 9));
	assert_null(mutate(HEADER(bios_init), 4, 0xcb));
	assert_null(mutate(HEADER(slots), 1, 7));
	assert_null(mutate(HEADER(reserved1), 1, 7));
	assert_null(mutate(HEADER(reserved2), 2, 7));
	assert_null(mutate(HEADER(pad), 4, 7));
}

static void test_checksum(void **state)
{
	struct image image = copy(&stub, stub.size);

	(void)state;
	for (size_t i = 0; i < image.size; i++) {
		image.bytes[i] ^= 1u << i % 8;
		assert_non_null(vmi_rom_check(image.bytes, image.size));
		image.bytes[i] ^= 1u << i % 8;
	}
	image.bytes[image.size - 1] += 1;
	assert_string_equal(check(&image), "wrong checksum");
	free(image.bytes);
}

static void test_truncated(void **state)
{
	(void)state;
	for (size_t size = 0; size < stub.size; size++) {
		struct image image = copy(&stub, size);

		assert_string_equal(vmi_rom_check(image.bytes, size),
				    size < sizeof(struct vmi_rom_header) ?
				    "shorter than a VMI ROM header" :
				    "truncated: shorter than its length byte says");
		free(image.bytes);
	}
}

static void test_license(void **state)
{
	size_t at = at16(HEADER(license));

	(void)state;
	refused(HEADER(license), 2, 0, "no licence string");
	refused(HEADER(license), 2, stub.size,
		"licence string does not end inside the image");
	refused(HEADER(license), 2, 0xffff,
		"licence string does not end inside the image");
	refused(at, 1, 'L', "licence is neither \"GPL v2\" nor \"GPL\"");
	refused(at + 5, 1, '3', "licence is neither \"GPL v2\" nor \"GPL\"");
	refused(at + 6, 1, '+', "licence is neither \"GPL v2\" nor \"GPL\"");
	assert_null(mutate(at + 3, 1, 0));		/* "GPL" */
}

/* A string that only the end of the image ends. */
static void test_unterminated(void **state)
{
	struct image image = copy(&stub, stub.size);
	size_t pnp = at16(HEADER(pnp));
	const size_t offset[] = {
		HEADER(license), pnp + PNP(manufacturer), pnp + PNP(product)
	};
	const char *const why[] = {
		"licence string does not end inside the image",
		"manufacturer string does not end inside the image",
		"product string does not end inside the image",
	};

	(void)state;
	memset(image.bytes + image.size - 16, 'x', 16);
	for (int i = 0; i < 3; i++) {
		size_t old = rom_get16(image.bytes + offset[i]);

		put(image.bytes + offset[i], 2, image.size - 16);
		repair(image.bytes + pnp, sizeof(struct vmi_pnp_header),
		       PNP(checksum));
		repair(image.bytes, image.size, HEADER(checksum));
		assert_string_equal(check(&image), why[i]);
		put(image.bytes + offset[i], 2, old);
	}
	free(image.bytes);
}

static void test_pci(void **state)
{
	size_t at = at16(HEADER(pci));

	(void)state;
	refused(HEADER(pci), 2, 0, "no PCI data structure");
	refused(HEADER(pci), 2, stub.size - sizeof(struct vmi_pci_data) + 1,
		"PCI data structure lies outside the image");
	refused(HEADER(pci), 2, 0xffff,
		"PCI data structure lies outside the image");
	refused(at + PCI(signature), 4, 0,
		"PCI data structure has no \"PCIR\" signature");
	refused(at + PCI(length), 2, sizeof(struct vmi_pci_data) - 1,
		"PCI data structure is too short");
	refused(at + PCI(image_length), 2, 1,
		"PCI image length differs from the length byte");
	/* an old kernel warns, and uses the ROM */
	assert_null(mutate(at + PCI(vendor), 2, 0x8086));
	assert_null(mutate(at + PCI(rom_major), 1, 9));
}

static void test_pnp(void **state)
{
	size_t at = at16(HEADER(pnp));

	(void)state;
	refused(at + PNP(signature), 4, 0,
		"PnP header has no \"$PnP\" signature");
	refused(at + PNP(length), 1, 1, "PnP header has a wrong length");
	refused(at + PNP(checksum), 1,
		stub.bytes[at + PNP(checksum)] + 1,
		"PnP header has a wrong checksum");
	refused(at + PNP(manufacturer), 2, 0xffff,
		"manufacturer string does not end inside the image");
	refused(at + PNP(product), 2, stub.size,
		"product string does not end inside the image");
	assert_null(mutate(at + PNP(product), 2, 0));
}

static void test_pnp_place(void **state)
{
	struct image image = copy(&stub, stub.size);

	(void)state;
	put(image.bytes + HEADER(pnp), 2, image.size - 31);
	repair(image.bytes, image.size, HEADER(checksum));
	assert_string_equal(check(&image),
			    "PnP header lies outside the image");
	put(image.bytes + HEADER(pnp), 2, 0);		/* is optional */
	repair(image.bytes, image.size, HEADER(checksum));
	assert_null(check(&image));
	free(image.bytes);
}

static void test_stub_info(void **state)
{
	(void)state;
	refused(INFO(magic), 4, 0, "not a ROM for the stub hypervisor");
	refused(INFO(layout), 4, STUB_LAYOUT + 1,
		"made for another layout of the shared area");
	refused(HEADER(virtual_top), 4, 0,
		"virtual_top is 0: no room for the shared area");
	refused(INFO(iret_entry), 4, stub.size,
		"IRET entry lies outside the image");
	refused(INFO(iret_insn[0]), 4, at32(INFO(iret_insn[0])) + 1,
		"no IRET instruction where the header says");
	refused(INFO(iret_insn[1]), 4, stub.size,
		"no IRET instruction where the header says");
	refused(INFO(iret_insn[1]), 4, 0xffffffff,
		"no IRET instruction where the header says");
}

static void test_stub_size(void **state)
{
	struct image image = { STUB_ROM_MAX + VMI_ROM_UNIT, NULL };

	(void)state;
	image.bytes = calloc(1, image.size);
	memcpy(image.bytes, stub.bytes, stub.size);
	image.bytes[HEADER(length)] = image.size / VMI_ROM_UNIT;
	put(image.bytes + at16(HEADER(pci)) + PCI(image_length), 2,
	    image.size / VMI_ROM_UNIT);
	repair(image.bytes, image.size, HEADER(checksum));
	assert_string_equal(check(&image),
			    "too large for the stub hypervisor");
	free(image.bytes);
}

static void test_stub_relocs(void **state)
{
	size_t table = at32(INFO(relocs)), count = at32(INFO(reloc_count));

	(void)state;
	assert_true(count > 0);
	refused(INFO(relocs), 4, stub.size - count * 4 + 1,
		"relocation table lies outside the image");
	refused(INFO(relocs), 4, 0xfffffffc,
		"relocation table lies outside the image");
	refused(INFO(reloc_count), 4, stub.size / 4,
		"relocation table lies outside the image");
	refused(INFO(reloc_count), 4, 0x40000000,
		"relocation table lies outside the image");
	refused(table, 4, stub.size - 3, "a relocation lies outside the image");
	refused(table, 4, 0xffffffff, "a relocation lies outside the image");
	refused(table, 4, sizeof(struct vmi_rom_header) - 1,
		"a relocation lies outside the image");
	refused(table + 4 * (count - 1), 4, table - 3,
		"a relocation lies inside the relocation table");
	refused(at32(table), 4,
		STUB_SHARED_OFFSET + sizeof(struct stub_shared) + 1,
		"a relocated word points nowhere");
}

static void test_stub_windows(void **state)
{
	size_t table = at32(INFO(windows)), count = at32(INFO(window_count));

	(void)state;
	assert_true(count > 0);
	refused(INFO(window_count), 4, STUB_WINDOWS + 1, "too many windows");
	refused(INFO(window_count), 4, 0x10000000, "too many windows");
	refused(INFO(windows), 4, stub.size - 16 * count + 1,
		"window table lies outside the image");
	refused(table, 4, at32(table + 4), "a window lies outside the image");
	refused(table + 4, 4, stub.size + 1, "a window lies outside the image");
	refused(table + 4, 4, 0xffffffff, "a window lies outside the image");
	refused(table + 8, 4, stub.size, "a window restarts outside the image");
	refused(table + 12, 4, 2, "a window has an unknown flag");
}

/* Does what the hypervisor does with an image that passed. */
static void use(struct image *image)
{
	uint32_t table = rom_get32(image->bytes + INFO(relocs));
	uint32_t count = rom_get32(image->bytes + INFO(reloc_count));
	uint32_t windows = rom_get32(image->bytes + INFO(windows));
	uint32_t n = rom_get32(image->bytes + INFO(window_count));
	volatile uint8_t sink = 0;

	while (n--)
		for (uint32_t i = 0; i < sizeof(struct stub_window); i++)
			sink ^= image->bytes[windows +
				n * sizeof(struct stub_window) + i];
	while (count--) {
		uint8_t *at = image->bytes +
			rom_get32(image->bytes + table + count * 4);

		put(at, 4, rom_get32(at) + 0xfc000000);
	}
	sink ^= image->bytes[rom_get32(image->bytes + INFO(iret_insn[0]))];
	sink ^= image->bytes[rom_get32(image->bytes + INFO(iret_insn[1]))];
	(void)sink;
}

static void test_random(void **state)
{
	uint64_t seed = 0x20063;
	unsigned int accepted = 0, refusals = 0;

	(void)state;
	for (int round = 0; round < 200000; round++) {
		struct image image = copy(&stub, stub.size);
		unsigned int flips = 1 + unit_random(&seed) % 4;

		while (flips--) {
			/* half of them where the checks look */
			uint64_t r = unit_random(&seed);
			size_t range = r & 1 ? 0x200 : image.size;
			size_t at = (r >> 8) % range;

			image.bytes[at] ^= 1u << (r >> 4) % 8;
		}
		repair(image.bytes, image.size, HEADER(checksum));
		if (check(&image)) {
			refusals++;
		} else {
			accepted++;
			use(&image);
		}
		free(image.bytes);
	}
	/* flips in code pass, flips in tables do not: both paths were run */
	assert_true(accepted > 1000);
	assert_true(refusals > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_checksum),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_license),
		cmocka_unit_test(test_unterminated),
		cmocka_unit_test(test_pci),
		cmocka_unit_test(test_pnp),
		cmocka_unit_test(test_pnp_place),
		cmocka_unit_test(test_stub_info),
		cmocka_unit_test(test_stub_size),
		cmocka_unit_test(test_stub_relocs),
		cmocka_unit_test(test_stub_windows),
		cmocka_unit_test(test_random),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("rom", tests, setup, teardown);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rules for an image, in an order that names the real damage first: a
 * file that is no ROM, then one for another interface, then a broken one.
 */
#include <string.h>

#include "check.h"
#include "vmi.h"
#include "vmi64.h"
#include "vmi_stub.h"
#include "vmi_stub64.h"

#define GET16(image, at, type, field) \
	rom_get16((image) + (at) + offsetof(struct type, field))
#define GET32(image, at, type, field) \
	rom_get32((image) + (at) + offsetof(struct type, field))

/* Old kernels expect a 4 MB boundary, or nothing reserved (VMI-2.3.1). */
#define TOP_ALIGN	0x400000u

static uint8_t sum(const uint8_t *p, size_t size)
{
	uint8_t total = 0;

	while (size--)
		total = (uint8_t)(total + *p++);
	return total;
}

/* Does [at, at + bytes) lie inside [0, size)? */
static int inside(uint64_t at, uint64_t bytes, size_t size)
{
	return at <= size && bytes <= size - at;
}

static int terminated(const uint8_t *image, size_t size, uint16_t at)
{
	for (size_t i = at; i < size; i++)
		if (!image[i])
			return 1;
	return 0;
}

static int is_string(const uint8_t *image, size_t size, uint16_t at,
		     const char *string, size_t bytes)
{
	return inside(at, bytes, size) && !memcmp(image + at, string, bytes);
}

static const char *check_license(const uint8_t *image, size_t size)
{
	uint16_t at = GET16(image, 0, vmi_rom_header, license);

	if (!at)
		return "no licence string";
	if (!terminated(image, size, at))
		return "licence string does not end inside the image";
	if (!is_string(image, size, at, "GPL", sizeof("GPL")) &&
	    !is_string(image, size, at, "GPL v2", sizeof("GPL v2")))
		return "licence is neither \"GPL v2\" nor \"GPL\"";
	return NULL;
}

static const char *check_pci(const uint8_t *image, size_t size)
{
	uint16_t at = GET16(image, 0, vmi_rom_header, pci);

	if (!at)
		return "no PCI data structure";
	if (!inside(at, sizeof(struct vmi_pci_data), size))
		return "PCI data structure lies outside the image";
	if (GET32(image, at, vmi_pci_data, signature) != VMI_PCI_SIGNATURE)
		return "PCI data structure has no \"PCIR\" signature";
	if (GET16(image, at, vmi_pci_data, length)
	    < sizeof(struct vmi_pci_data))
		return "PCI data structure is too short";
	if (GET16(image, at, vmi_pci_data, image_length)
	    != image[offsetof(struct vmi_rom_header, length)])
		return "PCI image length differs from the length byte";
	return NULL;
}

static const char *check_pnp(const uint8_t *image, size_t size)
{
	uint16_t at = GET16(image, 0, vmi_rom_header, pnp);
	size_t bytes;

	if (!at)
		return NULL;
	if (!inside(at, sizeof(struct vmi_pnp_header), size))
		return "PnP header lies outside the image";
	if (GET32(image, at, vmi_pnp_header, signature) != VMI_PNP_SIGNATURE)
		return "PnP header has no \"$PnP\" signature";
	bytes = image[at + offsetof(struct vmi_pnp_header, length)] * 16u;
	if (bytes < sizeof(struct vmi_pnp_header) || !inside(at, bytes, size))
		return "PnP header has a wrong length";
	if (sum(image + at, bytes))
		return "PnP header has a wrong checksum";
	/* offset 0, "no string", is the terminated 55 aa .. 00 of the header */
	if (!terminated(image, size,
			GET16(image, at, vmi_pnp_header, manufacturer)))
		return "manufacturer string does not end inside the image";
	if (!terminated(image, size,
			GET16(image, at, vmi_pnp_header, product)))
		return "product string does not end inside the image";
	return NULL;
}

/* What differs between the interfaces. */
struct interface {
	uint32_t	signature;
	uint8_t		major;
	uint32_t	top_align;
	const char	*no_signature, *other_major, *not_aligned;
};

static const struct interface vmi32 = {
	VMI_SIGNATURE, VMI_API_MAJOR, TOP_ALIGN,
	"not a VMI ROM (no \"cVmi\" signature)", "API version is not 3",
	"virtual_top is not on a 4 MB boundary",
};

static const struct interface vmi64 = {
	VMI64_SIGNATURE, VMI64_API_MAJOR, VMI64_TOP_ALIGN,
	"not a VMI-64 ROM (no \"cV64\" signature)", "API version is not 1",
	"virtual_top is not on a 2 MB boundary",
};

static const char *check(const struct interface *what, const uint8_t *image,
			 size_t size)
{
	const char *wrong;
	size_t length;

	if (size < sizeof(struct vmi_rom_header))
		return "shorter than a VMI ROM header";
	if (GET16(image, 0, vmi_rom_header, magic) != VMI_ROM_MAGIC)
		return "not an option ROM (no 55 aa)";
	if (GET32(image, 0, vmi_rom_header, signature) != what->signature)
		return what->no_signature;
	length = image[offsetof(struct vmi_rom_header, length)]
		* (size_t)VMI_ROM_UNIT;
	if (size < length)
		return "truncated: shorter than its length byte says";
	if (size > length)
		return "longer than its length byte says";
	if (image[offsetof(struct vmi_rom_header, api_major)] != what->major)
		return what->other_major;
	if (sum(image, size))
		return "wrong checksum";
	if (GET32(image, 0, vmi_rom_header, virtual_top) % what->top_align)
		return what->not_aligned;
	wrong = check_license(image, size);
	if (!wrong)
		wrong = check_pci(image, size);
	if (!wrong)
		wrong = check_pnp(image, size);
	return wrong;
}

const char *vmi_rom_check(const uint8_t *image, size_t size)
{
	return check(&vmi32, image, size);
}

bool vmi64_rom_is(const uint8_t *image, size_t size)
{
	return size >= sizeof(struct vmi_rom_header) &&
	       GET32(image, 0, vmi_rom_header, signature) == VMI64_SIGNATURE;
}

const char *vmi64_rom_check(const uint8_t *image, size_t size)
{
	const char *wrong = check(&vmi64, image, size);
	uint32_t top;

	if (wrong)
		return wrong;
	top = GET32(image, 0, vmi_rom_header, virtual_top);
	return top && !(top >> 31) ? "virtual_top is not in the top 2 GB" : NULL;
}

/* ---- the private part of the stub ------------------------------------------- */

#define INFO(image, field) \
	GET32(image, STUB_INFO_OFFSET, stub_rom_info, field)

/* A relocated word points into the image or the shared area, or to its end. */
static const char *check_relocs(const uint8_t *image, size_t size)
{
	uint64_t table = INFO(image, relocs);
	uint64_t count = INFO(image, reloc_count);

	if (!inside(table, count * 4, size))
		return "relocation table lies outside the image";
	for (uint64_t i = 0; i < count; i++) {
		uint32_t at = rom_get32(image + table + i * 4);

		if (at < sizeof(struct vmi_rom_header) || !inside(at, 4, size))
			return "a relocation lies outside the image";
		if (at + 4 > table && at < table + count * 4)
			return "a relocation lies inside the relocation table";
		if (rom_get32(image + at) >
		    STUB_SHARED_OFFSET + sizeof(struct stub_shared))
			return "a relocated word points nowhere";
	}
	return NULL;
}

static const char *check_windows(const uint8_t *image, size_t size)
{
	uint64_t table = INFO(image, windows);
	uint64_t count = INFO(image, window_count);

	if (count > STUB_WINDOWS)
		return "too many windows";
	if (!inside(table, count * sizeof(struct stub_window), size))
		return "window table lies outside the image";
	for (uint64_t i = 0; i < count; i++) {
		uint64_t at = table + i * sizeof(struct stub_window);
		uint32_t start = GET32(image, at, stub_window, start);
		uint32_t end = GET32(image, at, stub_window, end);

		if (start >= end || end > size)
			return "a window lies outside the image";
		if (GET32(image, at, stub_window, restart) >= size)
			return "a window restarts outside the image";
		if (GET32(image, at, stub_window, clear_if) > 1)
			return "a window has an unknown flag";
	}
	return NULL;
}

const char *vmi_rom_check_stub(const uint8_t *image, size_t size)
{
	const char *wrong;

	if (INFO(image, magic) != STUB_INFO_MAGIC)
		return "not a ROM for the stub hypervisor";
	if (INFO(image, layout) != STUB_LAYOUT)
		return "made for another layout of the shared area";
	if (size > STUB_ROM_MAX)
		return "too large for the stub hypervisor";
	if (!GET32(image, 0, vmi_rom_header, virtual_top))
		return "virtual_top is 0: no room for the shared area";
	wrong = check_relocs(image, size);
	if (!wrong)
		wrong = check_windows(image, size);
	if (wrong)
		return wrong;
	if (INFO(image, iret_entry) >= size)
		return "IRET entry lies outside the image";
	for (int i = 0; i < 2; i++) {
		uint32_t at = INFO(image, iret_insn[i]);

		if (at >= size || image[at] != 0xcf)
			return "no IRET instruction where the header says";
	}
	return NULL;
}

/* ---- the same for 64-bit guests: addresses are those of the working copy ------ */

#define INFO64(image, field) \
	GET32(image, STUB64_INFO_OFFSET, stub64_rom_info, field)
#define TABLE64(image, at, field) \
	rom_get64((image) + (at) + offsetof(struct stub64_rom_table, field))
#define WINDOW64(image, at, field) \
	rom_get64((image) + (at) + offsetof(struct stub64_window, field))

static const char *check_window64(const uint8_t *image, size_t size,
				  uint64_t at, uint64_t base)
{
	uint64_t start = WINDOW64(image, at, start) - base;
	uint64_t end = WINDOW64(image, at, end) - base;

	if (start >= end || end > size)
		return "a window lies outside the image";
	if (WINDOW64(image, at, restart) - base >= size)
		return "a window restarts outside the image";
	if (WINDOW64(image, at, clear_if) > 1)
		return "a window has an unknown flag";
	return NULL;
}

static const char *check_table64(const uint8_t *image, size_t size,
				 uint64_t table, uint64_t base)
{
	for (int i = 0; i < STUB64_IRETS; i++) {
		uint64_t at = TABLE64(image, table, iret_insn[i]) - base;

		if (!inside(at, 2, size) || image[at] != 0x48 ||
		    image[at + 1] != 0xcf)
			return "no IRETQ instruction where the header says";
	}
	for (int i = 0; i < 2; i++)
		if (TABLE64(image, table, syscall_entry[i]) - base >= size)
			return "a SYSCALL entry lies outside the image";
	return NULL;
}

const char *vmi64_rom_check_stub(const uint8_t *image, size_t size)
{
	uint64_t base, at, windows;
	const char *wrong;

	if (INFO64(image, magic) != STUB64_INFO_MAGIC)
		return "not a ROM for the stub hypervisor";
	if (INFO64(image, layout) != STUB64_LAYOUT)
		return "made for another layout of the shared area";
	if (size > STUB_ROM_MAX)
		return "too large for the stub hypervisor";
	base = vmi64_virtual_top(GET32(image, 0, vmi_rom_header, virtual_top));
	if (!base)
		return "virtual_top is 0: no room for the shared area";
	at = INFO64(image, table);
	windows = INFO64(image, window_count);
	if (windows > STUB_WINDOWS)
		return "too many windows";
	if (at % 8 || !inside(at, sizeof(struct stub64_rom_table) +
			      windows * sizeof(struct stub64_window), size))
		return "table of addresses lies outside the image";
	wrong = check_table64(image, size, at, base);
	at += sizeof(struct stub64_rom_table);
	for (; !wrong && windows--; at += sizeof(struct stub64_window))
		wrong = check_window64(image, size, at, base);
	return wrong;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Prints a VMI ROM image. Nothing is printed of an image that does not pass
 * the checks, so everything here may trust its offsets.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "tool.h"
#include "vmi64.h"
#include "vmi_rom.h"
#include "vmi_stub.h"
#include "vmi_stub64.h"

#define AT(type, field)		offsetof(struct type, field)

static void print_string(const uint8_t *image, const char *label, uint16_t at)
{
	printf("%-16s%s\n", label, at ? (const char *)image + at : "-");
}

static void print_bytes(const char *label, const uint8_t *bytes, int count)
{
	printf("%-16s", label);
	for (int i = 0; i < count; i++)
		printf("%02x%s", bytes[i], i + 1 < count ? " " : "\n");
}

static void print_header(const uint8_t *image, size_t size)
{
	const uint8_t *pci = image + rom_get16(image + AT(vmi_rom_header, pci));
	uint16_t pnp = rom_get16(image + AT(vmi_rom_header, pnp));

	printf("%-16s%zu bytes (%u units of %u)\n", "length", size,
	       image[AT(vmi_rom_header, length)], VMI_ROM_UNIT);
	printf("%-16s%#04x, all bytes sum to 0\n", "checksum",
	       image[AT(vmi_rom_header, checksum)]);
	printf("%-16s%.4s\n", "signature", (const char *)image +
	       AT(vmi_rom_header, signature));
	printf("%-16s%u.%u\n", "API version",
	       image[AT(vmi_rom_header, api_major)],
	       image[AT(vmi_rom_header, api_minor)]);
	printf("%-16s%u\n", "fixed entries", image[AT(vmi_rom_header, slots)]);
	if (vmi64_rom_is(image, size))
		printf("%-16s0x%016" PRIx64 "\n", "virtual_top",
		       vmi64_virtual_top(rom_get32(image + AT(vmi_rom_header,
							      virtual_top))));
	else
		printf("%-16s%#010x\n", "virtual_top",
		       rom_get32(image + AT(vmi_rom_header, virtual_top)));
	print_string(image, "licence",
		     rom_get16(image + AT(vmi_rom_header, license)));
	print_bytes("BIOS entry", image + AT(vmi_rom_header, bios_init), 4);
	print_bytes("init entry", image + VMI_ENTRY_INIT, 8);
	print_bytes("reloc entry", image + VMI_ENTRY_RELOC, 8);

	printf("%-16sat %#zx, %04x:%04x\n", "PCI data", (size_t)(pci - image),
	       rom_get16(pci + AT(vmi_pci_data, vendor)),
	       rom_get16(pci + AT(vmi_pci_data, device)));
	printf("%-16s%u.%u\n", "ROM version",
	       pci[AT(vmi_pci_data, rom_major)],
	       pci[AT(vmi_pci_data, rom_minor)]);
	if (!pnp) {
		printf("%-16s-\n", "PnP header");
		return;
	}
	printf("%-16sat %#x\n", "PnP header", pnp);
	print_string(image, "manufacturer", rom_get16(image + pnp +
		     AT(vmi_pnp_header, manufacturer)));
	print_string(image, "product", rom_get16(image + pnp +
		     AT(vmi_pnp_header, product)));
}

/* What only images of this project tell. */
static void print_calls(const uint8_t *image, size_t size)
{
	static const char *const types[] = { "none", "call", "jump", "nop" };
	const uint8_t *info = image + VMI_ROM_INFO_OFFSET;
	size_t answers = rom_get16(info + AT(vmi_rom_info, answers));
	size_t slots = rom_get16(info + AT(vmi_rom_info, slots));
	size_t slot_size = rom_get16(info + AT(vmi_rom_info, slot_size));
	size_t count = rom_get16(info + AT(vmi_rom_info, count));
	bool wide = vmi64_rom_is(image, size);
	const char *name;

	if (rom_get32(info) != VMI_ROM_INFO_MAGIC ||
	    count > (wide ? (size_t)VMI64_CALL_COUNT : (size_t)VMI_CALL_COUNT) ||
	    answers + count > size ||
	    slots + count * slot_size > size) {
		printf("%-16sunknown; only the get-relocation entry knows\n",
		       "calls");
		return;
	}
	printf("%-16s%zu slots of %zu bytes from %#zx\n", "calls", count,
	       slot_size, slots);
	for (size_t i = 0; i < count; i++) {
		name = tool_call_name(wide, i);
		if (name)
			printf("  %2zu %-22s%-6s+%#zx\n", i, name,
			       image[answers + i] < 4 ?
			       types[image[answers + i]] : "bad",
			       slots + i * slot_size);
	}
}

static void print_stub(const uint8_t *image)
{
	const uint8_t *info = image + STUB_INFO_OFFSET;
	uint32_t count = rom_get32(info + AT(stub_rom_info, window_count));
	const uint8_t *window = image +
		rom_get32(info + AT(stub_rom_info, windows));

	printf("%-16slayout %u\n", "stub header",
	       rom_get32(info + AT(stub_rom_info, layout)));
	printf("%-16s%u, list at %#x\n", "relocations",
	       rom_get32(info + AT(stub_rom_info, reloc_count)),
	       rom_get32(info + AT(stub_rom_info, relocs)));
	printf("%-16sentry +%#x, instructions +%#x and +%#x\n", "IRET",
	       rom_get32(info + AT(stub_rom_info, iret_entry)),
	       rom_get32(info + AT(stub_rom_info, iret_insn[0])),
	       rom_get32(info + AT(stub_rom_info, iret_insn[1])));
	printf("%-16s%u\n", "windows", count);
	for (; count--; window += sizeof(struct stub_window))
		printf("  +%#x to +%#x, restart +%#x%s\n",
		       rom_get32(window + AT(stub_window, start)),
		       rom_get32(window + AT(stub_window, end)),
		       rom_get32(window + AT(stub_window, restart)),
		       rom_get32(window + AT(stub_window, clear_if)) ?
		       ", clears IF" : "");
}

/* In a 64-bit image addresses are those of the working copy. */
static void print_stub64(const uint8_t *image)
{
	const uint8_t *info = image + STUB64_INFO_OFFSET;
	const uint8_t *table = image +
		rom_get32(info + AT(stub64_rom_info, table));
	uint32_t count = rom_get32(info + AT(stub64_rom_info, window_count));
	const uint8_t *window = table + sizeof(struct stub64_rom_table);
	uint64_t base = vmi64_virtual_top(rom_get32(image + AT(vmi_rom_header,
							       virtual_top)));

	printf("%-16slayout %u\n", "stub header",
	       rom_get32(info + AT(stub64_rom_info, layout)));
	printf("%-16sinstructions", "IRET");
	for (int i = 0; i < STUB64_IRETS; i++)
		printf(" +%#" PRIx64, rom_get64(table + AT(stub64_rom_table,
							   iret_insn[i])) - base);
	printf("\n%-16sentries", "SYSCALL");
	for (int i = 0; i < 2; i++)
		printf(" +%#" PRIx64, rom_get64(table + AT(stub64_rom_table,
						  syscall_entry[i])) - base);
	printf("\n%-16s%u\n", "windows", count);
	for (; count--; window += sizeof(struct stub64_window))
		printf("  +%#" PRIx64 " to +%#" PRIx64 ", restart +%#" PRIx64
		       "%s\n",
		       rom_get64(window + AT(stub64_window, start)) - base,
		       rom_get64(window + AT(stub64_window, end)) - base,
		       rom_get64(window + AT(stub64_window, restart)) - base,
		       rom_get64(window + AT(stub64_window, clear_if)) ?
		       ", clears IF" : "");
}

int tool_info(const char *file)
{
	size_t size;
	uint8_t *image = tool_read(file, &size);
	const char *wrong;

	if (!image)
		return 1;
	wrong = tool_check(image, size);
	if (wrong) {
		free(image);
		return tool_refuse(file, "%s", wrong);
	}
	print_header(image, size);
	print_calls(image, size);
	if (tool_is_stub(image)) {
		if (vmi64_rom_is(image, size))
			print_stub64(image);
		else
			print_stub(image);
	}
	free(image);
	return 0;
}

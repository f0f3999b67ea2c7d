// SPDX-License-Identifier: GPL-2.0-only
/* vmi-rom: looks at ROM images, and makes them at build time. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "tool.h"
#include "vmi_stub.h"
#include "vmi_stub64.h"

#define FILE_MAX	(16u << 20)	/* an ELF with all its debug data */

static const char usage[] =
	"usage: vmi-rom info FILE          print a VMI ROM image and verify it\n"
	"       vmi-rom native FILE        can it be used without a hypervisor?\n"
	"       vmi-rom finish ELF IMAGE   make an image from a linked ELF file\n"
	"       vmi-rom trace FILE         print what vmi-run --trace recorded\n"
	"       vmi-rom --help             this text\n"
	"\n"
	"Status: 0 all is well; 1 the file is damaged or cannot be read, said in\n"
	"one line on standard error; 2 wrong usage.\n";

const char *tool_call_name(bool wide, size_t number)
{
#define NAME(nr, name)	[nr] = #name,
	static const char *const names[VMI_CALL_COUNT] = { VMI_CALLS(NAME) };
	static const char *const names64[VMI64_CALL_COUNT] = {
		VMI64_CALLS(NAME)
	};
#undef NAME

	if (wide)
		return number < VMI64_CALL_COUNT ? names64[number] : NULL;
	return number < VMI_CALL_COUNT ? names[number] : NULL;
}

int tool_refuse(const char *file, const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "vmi-rom: %s: ", file);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return 1;
}

uint8_t *tool_read(const char *file, size_t *size)
{
	FILE *f = fopen(file, "rb");
	uint8_t *data = NULL;
	int failed;

	if (!f) {
		tool_refuse(file, "%s", strerror(errno));
		return NULL;
	}
	data = malloc(FILE_MAX);
	if (data)
		*size = fread(data, 1, FILE_MAX, f);
	failed = !data || ferror(f);
	if (failed)
		tool_refuse(file, "%s", strerror(errno));
	else if (*size == FILE_MAX)
		failed = tool_refuse(file, "too large for a ROM");
	fclose(f);
	if (failed) {
		free(data);
		return NULL;
	}
	return data;
}

const char *tool_check(const uint8_t *image, size_t size)
{
	bool wide = vmi64_rom_is(image, size);
	const char *wrong = wide ? vmi64_rom_check(image, size) :
				   vmi_rom_check(image, size);

	if (!wrong && tool_is_stub(image))
		wrong = wide ? vmi64_rom_check_stub(image, size) :
			       vmi_rom_check_stub(image, size);
	return wrong;
}

bool tool_is_stub(const uint8_t *image)
{
	if (rom_get32(image + offsetof(struct vmi_rom_header, signature)) ==
	    VMI64_SIGNATURE)
		return rom_get32(image + STUB64_INFO_OFFSET) ==
		       STUB64_INFO_MAGIC;
	return rom_get32(image + STUB_INFO_OFFSET) == STUB_INFO_MAGIC;
}

/* Without a hypervisor a BIOS runs the image as it is, and a guest trusts it. */
static int tool_native(const char *file)
{
	size_t size;
	uint8_t *image = tool_read(file, &size);
	const char *wrong;

	if (!image)
		return 1;
	wrong = tool_check(image, size);
	if (!wrong && tool_is_stub(image))
		wrong = "the stub hypervisor's ROM, which is of no use without it";
	else if (!wrong && rom_get32(image + offsetof(struct vmi_rom_header,
						      virtual_top)))
		wrong = "a hypervisor's ROM (virtual_top is not 0), which is of no use without it";
	free(image);
	return wrong ? tool_refuse(file, "%s", wrong) : 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--help")) {
		fputs(usage, stdout);
		return 0;
	}
	if (argc == 3 && !strcmp(argv[1], "info"))
		return tool_info(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "native"))
		return tool_native(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "trace"))
		return tool_trace(argv[2]);
	if (argc == 4 && !strcmp(argv[1], "finish"))
		return tool_finish(argv[2], argv[3]);
	fputs(usage, stderr);
	return 2;
}

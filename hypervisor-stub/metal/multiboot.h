/* SPDX-License-Identifier: GPL-2.0-only */
/* What the boot loader has told, whichever way it did: multiboot.c. */
#ifndef MULTIBOOT_H
#define MULTIBOOT_H

#include <stdbool.h>
#include <stdint.h>

#define BOOT_MODULES	32
#define BOOT_RANGES	512

struct boot_module {
	uint32_t	start, end;	/* physical */
	const char	*string;
};

/* Physical. Memory is free where there is RAM and nothing else is said. */
struct boot_range {
	uint64_t	start, end;
	bool		is_ram;
};

struct boot {
	const char		*cmdline;	/* "": none */
	uint64_t		rsdp;		/* of ACPI; 0: not told */
	uint32_t		modules, ranges;
	struct boot_module	module[BOOT_MODULES];
	struct boot_range	range[BOOT_RANGES];
};

/*
 * From EAX and EBX of the entry. NULL, or what is wrong. Strings and the RSDP
 * stay where they are, which boot_memory() leaves alone.
 */
const char *multiboot_read(struct boot *, uint32_t magic, uint32_t info);

/* memory_add() what is free from an address on. */
void boot_memory(const struct boot *, uint64_t from);

#endif

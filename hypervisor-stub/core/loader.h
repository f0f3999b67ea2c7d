/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Puts a kernel, its initial RAM disk, its command line and the boot
 * parameters into guest memory, after the Linux/x86 boot protocol
 * (Documentation/x86/boot.rst): 32-bit entry, or 64-bit entry for kernels that
 * have one. A kernel is a bzImage of protocol 2.05 or later, or an ELF executable
 * of either kind.
 *
 * Never writes outside guest memory and never reads outside the images,
 * whatever they hold.
 */
#ifndef LOADER_H
#define LOADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the kernel is to start with, below 1 MB: flat segments, by selectors that
 * the protocol names, in a table of so many bytes; the boot parameters; a few KB
 * of stack below this. */
#define BOOT_CS			0x10
#define BOOT_DS			0x18
#define BOOT_GDT		0x1000u
#define BOOT_GDT_BYTES		32
#define BOOT_PARAMS		0x2000u
#define BOOT_STACK		0x8000u
/* Of a 64-bit kernel: the first 4 GB, where they are, in 6 pages of tables. */
#define BOOT_TABLES		0x9000u
#define BOOT_TABLES_END		0xf000u

#define LOADER_ERROR_MAX	160

/* Smallest and largest guest memory that we accept, in bytes. */
#define LOADER_RAM_MIN		(4ul << 20)
#define LOADER_RAM_MAX		(8ul << 30)

/* Memory ends below the first, and goes on from the second. */
#define LOADER_LOW_END		(3ul << 30)
#define LOADER_HIGH		(4ul << 30)

struct loader_in {
	uint8_t		*ram;		/* guest-physical 0 */
	uint64_t	ram_size;	/* in one piece; whole pages, and no
					 * more than LOADER_LOW_END */
	uint64_t	rest;		/* memory of the guest beyond that */
	const uint8_t	*kernel;
	uint64_t	kernel_size;
	const uint8_t	*initrd;	/* NULL: none */
	uint64_t	initrd_size;
	const char	*cmdline;	/* NULL: empty */
	uint64_t	comm;		/* a page that the kernel is told to leave
					 * alone, behind it; 0: none;
					 * VMI_COMM_ANY: wherever */
};

/* Which input an error is about. */
enum loader_part {
	LOADER_KERNEL,
	LOADER_INITRD,
	LOADER_MEMORY,
	LOADER_CMDLINE,
	LOADER_COMM,
};

struct loader_out {
	uint64_t	entry;		/* (R)SI: BOOT_PARAMS; BP, DI, BX 0 */
	bool		wide;		/* in 64-bit mode, with BOOT_TABLES */
	uint64_t	comm;		/* where that page is; 0: there is none */
	enum loader_part part;		/* these two: after an error alone */
	char		error[LOADER_ERROR_MAX];
};

/* True: out->entry, out->wide and out->comm are set. False: out->part and out->error. */
bool loader_load(const struct loader_in *in, struct loader_out *out);

#endif

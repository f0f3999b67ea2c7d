/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Solo5's interface for hvt unikernels on x86-64, ABI version 2, as public
 * sources of Solo5 0.12 have it: what is in a .hvt file, what is in memory when
 * it starts, and its calls. It is Solo5's; here are its numbers and layouts.
 */
#ifndef SOLO5_ABI_H
#define SOLO5_ABI_H

#include <stddef.h>
#include <stdint.h>

#define SOLO5_OFFSET(type, field, at)					\
	_Static_assert(offsetof(struct type, field) == (at),		\
		       #type "." #field)
#define SOLO5_SIZE(type, size)						\
	_Static_assert(sizeof(struct type) == (size), #type)

/* ---- the file ------------------------------------------------------------- */

/* Notes of the owner "Solo5", in segments PT_NOTE of the ELF file. */
#define SOLO5_NOTE_NAME		"Solo5"
#define SOLO5_NOTE_ABI		0x31494241u	/* "ABI1" */
#define SOLO5_NOTE_MANIFEST	0x3154464du	/* "MFT1" */
/* The manifest is aligned to 8 bytes: so many are before it in the note. */
#define SOLO5_MANIFEST_PAD	4u

#define SOLO5_TARGET_HVT	1u
#define SOLO5_ABI_VERSION	2u

struct solo5_abi {
	uint32_t	target;
	uint32_t	version;
	uint32_t	reserved[2];
};

#define SOLO5_MANIFEST_VERSION	1u
#define SOLO5_MANIFEST_MAX	64u		/* entries */
#define SOLO5_NAME_SIZE		68u		/* with a zero at the end */

enum solo5_type {
	SOLO5_BLOCK		= 1,
	SOLO5_NET		= 2,
	SOLO5_FIRST		= 1 << 30,	/* entry 0, without a name */
};

/* In the file a device has a name and a type; in memory, if it is attached, the
 * rest as well. A handle is an index. */
struct solo5_entry {
	char		name[SOLO5_NAME_SIZE];
	uint32_t	type;
	union {
		struct {
			uint64_t capacity;	/* bytes */
			uint16_t block_size, pad[3];
		} block;
		struct {
			uint8_t	mac[6];
			uint16_t mtu;
		} net;
	};
	uint64_t	backing;	/* the tender's */
	uint8_t		attached;
	uint8_t		pad[7];
};

struct solo5_manifest {
	uint32_t	version;
	uint32_t	entries;
	struct solo5_entry entry[];
};

SOLO5_SIZE(solo5_abi, 16);
SOLO5_OFFSET(solo5_entry, type, 68);
SOLO5_OFFSET(solo5_entry, block, 72);
SOLO5_OFFSET(solo5_entry, block.block_size, 80);
SOLO5_OFFSET(solo5_entry, net.mtu, 78);
SOLO5_OFFSET(solo5_entry, backing, 88);
SOLO5_OFFSET(solo5_entry, attached, 96);
SOLO5_SIZE(solo5_entry, 104);
SOLO5_OFFSET(solo5_manifest, entry, 8);

/* ---- the start ------------------------------------------------------------ */

/* Physical, and linear: all memory is mapped where it is, but for what is below
 * the boot information; up to SOLO5_BASE it is read-only. */
#define SOLO5_GDT		0x1000u
#define SOLO5_PML4		0x2000u
#define SOLO5_PDPT		0x3000u
#define SOLO5_PD		0x4000u		/* four: 4 GB */
#define SOLO5_PT		0x8000u		/* the first 2 MB */
#define SOLO5_BOOT_INFO		0x10000u	/* RDI at the start */
#define SOLO5_BASE		0x100000u	/* the image is here, or above */

#define SOLO5_CS		0x08u
#define SOLO5_DS		0x10u

#define SOLO5_CMDLINE_SIZE	8192u		/* with a zero at the end */

/* Behind it the manifest and the command line. */
struct solo5_boot_info {
	uint64_t	mem_size;	/* bytes */
	uint64_t	kernel_end;	/* address */
	uint64_t	tsc_hz;
	uint64_t	cmdline;	/* address */
	uint64_t	manifest;	/* address */
	uint64_t	reserved[3];	/* features that are not offered: 0 */
};
SOLO5_OFFSET(solo5_boot_info, manifest, 32);
SOLO5_SIZE(solo5_boot_info, 64);

/* ---- calls ---------------------------------------------------------------- */

/* OUT of 32 bits to port SOLO5_PORT + call: the address of the call's block. */
#define SOLO5_PORT		0x500u

enum solo5_call {
	SOLO5_WALLTIME		= 1,
	SOLO5_PUTS		= 2,
	SOLO5_POLL		= 3,
	SOLO5_BLOCK_WRITE	= 4,
	SOLO5_BLOCK_READ	= 5,
	SOLO5_NET_WRITE		= 6,
	SOLO5_NET_READ		= 7,
	SOLO5_HALT		= 8,
};

enum solo5_result {
	SOLO5_OK		= 0,
	SOLO5_AGAIN		= 1,	/* nothing is there to be read */
	SOLO5_EINVAL		= 2,
	SOLO5_EUNSPEC		= 3,	/* the device failed */
};

struct solo5_walltime {
	uint64_t	ns;		/* out: since 1970, UTC */
};

struct solo5_puts {
	uint64_t	data;
	uint64_t	len;
};

struct solo5_poll {
	uint64_t	timeout_ns;	/* from now on */
	uint64_t	ready;		/* out: bit n: handle n can be read */
	int32_t		ret;		/* out: how many bits */
	uint32_t	pad;
};

/* Write and read. */
struct solo5_block {
	uint64_t	handle;
	uint64_t	offset;		/* bytes */
	uint64_t	data;
	uint64_t	len;
	int32_t		ret;		/* out: enum solo5_result */
	uint32_t	pad;
};

/* Write and read: a frame, without its check sum. */
struct solo5_net {
	uint64_t	handle;
	uint64_t	data;
	uint64_t	len;		/* of a read: the room; then the frame's */
	int32_t		ret;		/* out: enum solo5_result */
	uint32_t	pad;
};

#define SOLO5_COOKIE_MAX	512u
struct solo5_halt {
	uint64_t	cookie;		/* 0, or so many bytes, for a debugger */
	int32_t		status;
	uint32_t	pad;
};

SOLO5_SIZE(solo5_walltime, 8);
SOLO5_SIZE(solo5_puts, 16);
SOLO5_OFFSET(solo5_poll, ready, 8);
SOLO5_OFFSET(solo5_poll, ret, 16);
SOLO5_OFFSET(solo5_block, data, 16);
SOLO5_OFFSET(solo5_block, ret, 32);
SOLO5_OFFSET(solo5_net, data, 8);
SOLO5_OFFSET(solo5_net, ret, 24);
SOLO5_OFFSET(solo5_halt, status, 8);

#endif

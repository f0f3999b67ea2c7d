/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Unikernels: .hvt files of Solo5, ABI version 2 (spec/include/solo5_abi.h). The
 * loader (solo5.c) is like loader.h's: it never writes outside guest memory and
 * never reads outside the file, whatever that holds. The calls: solo5_calls.c.
 */
#ifndef CORE_SOLO5_H
#define CORE_SOLO5_H

#include "core.h"
#include "loader.h"
#include "solo5_abi.h"

/* A device of the machine's that the unikernel has. */
struct solo5_device {
	const char	*name;		/* in the manifest */
	enum solo5_type	type;
	uint32_t	nr;		/* host.h */
	uint64_t	capacity;	/* bytes; of a disk */
	uint8_t		mac[6];		/* of a network */
};

#define SOLO5_SECTOR	512u		/* block size of all disks */
#define SOLO5_MTU	1500u
#define SOLO5_FRAME	(SOLO5_MTU + 14)	/* with Ethernet's header */

struct solo5_in {
	uint8_t		*ram;		/* guest-physical 0, in one piece; */
	uint64_t	ram_size;	/* whole pages of it */
	uint64_t	rest;		/* memory of the guest beyond that */
	const uint8_t	*file;
	uint64_t	file_size;
	const char	*cmdline;
	uint64_t	tsc_hz;
	const struct solo5_device *device;
	uint32_t	devices;
};

struct solo5_out {
	struct vmi64_ap_state start;
	uint64_t	mem_size;	/* that it was told of */
	uint32_t	handles;	/* entries of the manifest; what they are: */
	const struct solo5_device *handle[SOLO5_MANIFEST_MAX];	/* or NULL */
	enum loader_part part;		/* these two: after an error alone */
	char		error[LOADER_ERROR_MAX];
};

/* An ELF64 file with a note of Solo5's? Which of its targets does not matter. */
bool solo5_is(const uint8_t *file, uint64_t size);
/* True: out->start and the handles are set. False: out->part and out->error. */
bool solo5_load(const struct solo5_in *in, struct solo5_out *out);

/* ---- while it runs (solo5_calls.c) ---------------------------------------- */

/* Of one guest. It has one vCPU, and that makes one call at a time. */
_Static_assert(GUEST_DEVICES == SOLO5_MANIFEST_MAX - 1, "but for entry 0");
struct solo5 {
	struct solo5_device device[GUEST_DEVICES];
	uint32_t	handles;
	const struct solo5_device *handle[SOLO5_MANIFEST_MAX];
	uint64_t	mem_size;

	uint32_t	call;		/* that waits; 0: none. Its block: */
	gpa_t		block;
	union {
		struct solo5_puts puts;
		struct solo5_poll poll;
		struct solo5_block block;
		struct solo5_net net;
		struct solo5_halt halt;
	} arg;
	uint64_t	again;		/* TSC: then look again */
	uint64_t	deadline;	/* of poll */
	uint64_t	done;		/* bytes, of puts and of a disk's */
	uint32_t	started;	/* bytes that the disk is at */
	uint8_t		buffer[2048];	/* text, or a frame */
};

/* Its ports, all of which are ours: what is no call ends it. */
void solo5_ports(struct guest *);
/* With the guest's lock: what can be done now is, and when to look again, TSC. */
uint64_t solo5_update(struct guest *);
/* A device of the machine's has something for somebody, or is done. */
void solo5_interrupt(void);

#endif

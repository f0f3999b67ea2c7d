/* SPDX-License-Identifier: GPL-2.0-only */
/* What tests do to the machine of host.c, and what they hear of it. */
#ifndef MACHINE_H
#define MACHINE_H

#include <host.h>

#define MACHINE_TSC_HZ	1000000000u

/* Memory, of so many bytes from this address on, of which nothing is taken.
 * What is not, and what lies between allocations, is poisoned if there is
 * ASan. What is given back is taken again when all behind it is back, too. */
void machine_start(uint64_t start, uint64_t bytes);
uint64_t machine_taken(void);		/* address of what is free */
#define MACHINE_GAP	64u
#define MACHINE_MAX	(64u << 20)
extern unsigned int machine_pages;	/* host_pages() gives so often, no more */

extern uint64_t machine_timer;		/* its next interrupt */
extern uint32_t machine_kicks;		/* processors that were, one bit each */

extern unsigned int machine_typed;	/* bytes that wait on console 0 */
extern bool machine_listened;	/* for it: host_console_listen() */
extern bool machine_busy;		/* console 0 takes none */
extern unsigned int machine_sent;	/* bytes put, on all consoles */
extern uint8_t machine_byte;		/* the last of them */
extern char machine_line[256];		/* the last line of the log */

/* Two disks of so many bytes. What is started is done when the test says so, by
 * the disk alone; machine_disk_fails: then it is not. */
#define MACHINE_DISK	(3u * HOST_DISK_MAX)
extern uint8_t machine_disk[2][MACHINE_DISK];
extern bool machine_disk_fails;
extern unsigned int machine_disk_starts;
bool machine_disk_done(uint32_t disk);	/* false: nothing was to do */

/* Two networks: the frame that waits, and the last that was put. */
extern struct machine_frame {
	uint8_t		data[HOST_NET_MAX];
	uint32_t	len;		/* 0: none */
} machine_comes[2], machine_goes[2];
extern bool machine_net_full;		/* none can be put */

/* Two channels: what comes, and what was put. */
extern struct machine_channel {
	const uint8_t	*comes;
	uint32_t	left;
	bool		full;		/* nothing can be put */
	uint32_t	went;
	uint8_t		goes[8 * HOST_CHANNEL_MAX];
} machine_channel[2];

/* From the test. */
void __attribute__((noreturn)) machine_ended(enum end);
void machine_waits(void);		/* in host_wait() */

#endif

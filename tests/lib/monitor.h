/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest for a service guest to make: it executes what it is told by its console.
 * A byte says how many follow; they are called, and what EAX is then is said, four
 * bytes. It has 4 MB, and 4 KB to play with at MONITOR_DATA.
 */
#ifndef MONITOR_H
#define MONITOR_H

#include <stdbool.h>
#include <stdint.h>

#define MONITOR_MEMORY	4u		/* MB */
#define MONITOR_DATA	0x220000u
#define MONITOR_IMAGE	512u		/* bytes */

/* Its kernel, of 32 or 64 bits. */
void monitor_image(uint8_t to[MONITOR_IMAGE], bool wide);

#endif

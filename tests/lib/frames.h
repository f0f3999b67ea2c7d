/* SPDX-License-Identifier: GPL-2.0-only */
/* Page frames that can be told apart, to be shown in PLAY. */
#ifndef FRAMES_H
#define FRAMES_H

#include <stdint.h>

#include "paging.h"

#define FRAMES		512u		/* frame n begins with FRAME_MARK + n */
#define FRAME_MARK	0xf00d0000u
#define PLAY_FIRST	256u		/* page of PLAY; below: user mode's */

void frames_init(void);
uint32_t frame_entry(uint32_t n);	/* an entry for frame n, modulo FRAMES */
uint32_t play_read(uint32_t page);	/* the first word there */

#endif

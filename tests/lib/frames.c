// SPDX-License-Identifier: GPL-2.0-only
#include "frames.h"

static uint32_t frames[FRAMES][PAGE / 4] __attribute__((aligned(PAGE)));

void frames_init(void)
{
	for (uint32_t i = 0; i < FRAMES; i++)
		frames[i][0] = FRAME_MARK + i;
}

uint32_t frame_entry(uint32_t n)
{
	return (uintptr_t)frames[n % FRAMES] | PTE_P | PTE_W;
}

uint32_t play_read(uint32_t page)
{
	return *(volatile uint32_t *)(PLAY + page * PAGE);
}

// SPDX-License-Identifier: GPL-2.0-only
/* Chance, for the guests of shadow_walk.c and long_walk.c: the same from each seed on. */
#include "chance.h"

uint32_t seed;

uint32_t rnd(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (uint64_t)(seed >> 1) * n >> 31;
}

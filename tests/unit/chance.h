/* SPDX-License-Identifier: GPL-2.0-only */
/* A number below n: of chance (chance.c), or of a fuzz target's input. */
#ifndef CHANCE_H
#define CHANCE_H

#include <stdint.h>

extern uint32_t seed;
uint32_t rnd(uint32_t n);

#endif

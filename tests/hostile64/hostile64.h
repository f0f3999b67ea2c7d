/* SPDX-License-Identifier: GPL-2.0-only */
/* What attacks in 64-bit mode have beyond hostile.h. */
#ifndef HOSTILE64_H
#define HOSTILE64_H

#include "../hostile/hostile.h"

#define USER32_CS	0x23	/* Linux's selectors */
#define USER_DS		0x2b
#define USER_CS		0x33

/* Hypervisor's: include/wide.h. */
#define TRAMPOLINE	0xffff878000000000ull

extern const struct attack mode_attacks[];	/* modes.c */
extern const struct attack random_attacks[];	/* random.c */

/* As run(), in 32-bit code, with a stack below 4 GB. */
void run32(const void *code, uint32_t bx, uint32_t cx, uint32_t dx);
#define CODE32(name, text)	CODE(name, ".code32\n\t" text "\n\t.code64")

/* All that was seen of a fault, in the digest; and the part of it that is a
 * signal. */
void digest_seen(const void *code);

/* Addresses that are not a process's: the kernel's, the hypervisor's, and
 * those between. */
extern const uint64_t foreign[];
extern const uint32_t foreign_count;

#endif

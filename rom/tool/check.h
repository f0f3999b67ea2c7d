/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Is this a VMI ROM? Shared by the host tool and the hypervisor, so that
 * both refuse an image with the same words. Freestanding.
 */
#ifndef ROM_CHECK_H
#define ROM_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* NULL, or what is wrong with the image. VMI-2.2. */
const char *vmi_rom_check(const uint8_t *image, size_t size);

/*
 * The same for what the stub hypervisor needs beyond that; the image must
 * have passed vmi_rom_check(). spec/stub.md.
 */
const char *vmi_rom_check_stub(const uint8_t *image, size_t size);

/* For 64-bit guests: does it say so? Then the same checks. VMI64-2, STUB64. */
bool vmi64_rom_is(const uint8_t *image, size_t size);
const char *vmi64_rom_check(const uint8_t *image, size_t size);
const char *vmi64_rom_check_stub(const uint8_t *image, size_t size);

/* Little-endian words at any address. */
static inline uint16_t rom_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t rom_get32(const uint8_t *p)
{
	return rom_get16(p) | (uint32_t)rom_get16(p + 2) << 16;
}

static inline uint64_t rom_get64(const uint8_t *p)
{
	return rom_get32(p) | (uint64_t)rom_get32(p + 4) << 32;
}

#endif

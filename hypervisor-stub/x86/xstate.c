// SPDX-License-Identifier: GPL-2.0-only
/*
 * XSAVE for 64-bit guests: what a processor has beyond FXSAVE, of AVX and AVX-512.
 * Others have none of it, since CR4.OSXSAVE is off while they run.
 *
 * What the guest has not turned on in its XCR0 keeps its value, as on a processor;
 * so all components are saved and loaded, whatever that says, and nothing of
 * another's is there when it turns on more. The area is ours, and nothing but
 * XSAVE and xstate_reset() writes it.
 */
#include <cpu.h>
#include <string.h>

#include "x86.h"

#define X87		0x01u
#define SSE		0x02u
#define AVX		0x04u
#define AVX512		0xe0u		/* three that come together */

#define MXCSR		0x1f80		/* as after power-on */
#define MXCSR_AT	24		/* SDM Vol. 1, 10.5.1 */
#define CPUID_XSAVE	(1u << 26)

static uint32_t components;

static void xsetbv(uint32_t value)
{
	asm volatile("xsetbv" : : "a"(value), "d"(0), "c"(0));
}

/* Do they fit into the area? */
static bool fits(uint32_t mask)
{
	uint32_t r[4], i;

	for (i = 2; i < 32; i++) {
		if (!(mask >> i & 1))
			continue;
		cpuid(0xd, i, r);
		if (r[1] < XSTATE_LEGACY_BYTES || r[0] > XSTATE_BYTES ||
		    r[1] > XSTATE_BYTES - r[0])
			return false;
	}
	return true;
}

void xstate_init(void)
{
	uint32_t r[4], mask;

	cpuid(1, 0, r);
	if (!(r[2] & CPUID_XSAVE))
		return;
	cpuid(0xd, 0, r);
	mask = r[0] & (X87 | SSE | AVX | AVX512);
	if ((mask & (AVX | AVX512)) != (AVX | AVX512))
		mask &= ~AVX512;
	components = fits(mask) ? mask : X87 | SSE;
}

uint32_t xstate_components(void)
{
	return components;
}

void xstate_reset(struct vcpu *v)
{
	static const uint32_t mxcsr = MXCSR;

	v->xcr0 = X87;
	memset(v->xstate, 0, XSTATE_BYTES);
	memcpy(v->xstate + MXCSR_AT, &mxcsr, sizeof(mxcsr));
}

/* XCR0 can be written, and all of it is used. */
static void open(void)
{
	write_cr4(read_cr4() | CR4_OSXSAVE);
	xsetbv(components);
}

void xstate_save(struct vcpu *v)
{
	if (!components)
		return;
	open();
	asm volatile("xsave64 (%0)"
		     : : "r"(v->xstate), "a"(components), "d"(0) : "memory");
}

void xstate_load(const struct vcpu *v)
{
	if (!components)
		return;
	open();
	asm volatile("xrstor64 (%0)"
		     : : "r"(v->xstate), "a"(components), "d"(0) : "memory");
}

void xcr0_apply(const struct vcpu *v)
{
	if (!components)
		return;
	open();
	xsetbv(v->xcr0);
	if (!(v->cr4 & CR4_OSXSAVE))
		write_cr4(read_cr4() & ~(uint64_t)CR4_OSXSAVE);
}

bool xcr0_write(struct vcpu *v, uint64_t value)
{
	if ((value & ~(uint64_t)components) || !(value & X87) ||
	    ((value & AVX) && !(value & SSE)) ||
	    ((value & AVX512) && (value & (AVX | AVX512)) != (AVX | AVX512)))
		return false;
	v->xcr0 = value;
	xcr0_apply(v);
	return true;
}

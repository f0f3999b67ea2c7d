// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory. By linear address we go through the shadow tables that are
 * in CR3, as the guest's kernel would; a fault on the way is resolved like
 * the guest's own (exit.c, hv_fault). By physical address guest_word() (hv.h)
 * goes through the frame table and the direct map.
 */
#include <cpu.h>

#include "hv.h"

/* What the guest may name ends where our part of its linear space begins. */
static bool guest_range(const struct vcpu *v, gva_t va, uint32_t len)
{
	return (uint64_t)va + len <= (uint64_t)v->guest_last + 1;
}

bool guest_read(struct vcpu *v, void *dst, gva_t va, uint32_t len)
{
	return guest_range(v, va, len) &&
	       !copy_fixup(dst, (const void *)(uintptr_t)va, len);
}

bool guest_write(struct vcpu *v, gva_t va, const void *src, uint32_t len)
{
	return guest_range(v, va, len) &&
	       !copy_fixup((void *)(uintptr_t)va, src, len);
}

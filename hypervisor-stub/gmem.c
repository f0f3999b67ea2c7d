// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory. By linear address we go through the shadow tables that are
 * in CR3, as the guest's kernel would; a fault on the way is resolved like
 * the guest's own (exit.c, hv_fault). By physical address we go through the
 * frame table and the direct map.
 */
#include <cpu.h>

#include "hv.h"

/* What the guest may name ends where our part of its linear space begins. */
static bool guest_range(const struct vcpu *v, gva_t va, uint32_t len)
{
	uint64_t end = v->hole ? v->hole : 1ull << 32;

	return (uint64_t)va + len <= end;
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

static uint32_t *guest_word(struct guest *g, gpa_t pa)
{
	uint8_t *page = pa_to_va((uint64_t)g->frames[pa >> PAGE_SHIFT].mfn <<
				 PAGE_SHIFT);

	return (uint32_t *)(page + (pa & (PAGE_SIZE - 4)));
}

uint32_t guest_phys_read(struct guest *g, gpa_t pa)
{
	if (pa >> PAGE_SHIFT >= g->nframes)
		return UINT32_MAX;
	return *(volatile uint32_t *)guest_word(g, pa);
}

void guest_phys_or(struct guest *g, gpa_t pa, uint32_t bits)
{
	if (pa >> PAGE_SHIFT < g->nframes)
		__atomic_fetch_or(guest_word(g, pa), bits, __ATOMIC_RELAXED);
}

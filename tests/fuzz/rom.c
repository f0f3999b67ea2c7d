// SPDX-License-Identifier: GPL-2.0-only
/*
 * The image of a ROM: its check, which the tool and the hypervisor share, and
 * the hypervisor's working copy. The first byte says which checksums and
 * lengths to make right, so that mutations get past them.
 */
#include <stdlib.h>

#include <cpu.h>

#include "check.h"
#include "fuzz.h"
#include "core.h"
#include "log.h"

#define RAM_END	0x100000u

struct cpu cpus[HOST_CPUS];
static struct guest guest;
static uint8_t ram[RAM_END];
static uint8_t copy[STUB_ROM_MAX];
static struct stub_shared shared;

/* ---- what rom.c calls --------------------------------------------------- */

uint64_t host_tsc_hz;

#pragma GCC diagnostic ignored "-Wunused-parameter"
#define AFTER_INIT	{ CHECK(!"only after VMI_Init"); __builtin_unreachable(); }
void desc_load_gdt(struct vcpu *v, gva_t base, uint32_t limit) AFTER_INIT
void desc_load_idt(struct vcpu *v, gva_t base, uint32_t limit) AFTER_INIT
void mmu_reserve(struct mmu *m, gva32_t top) AFTER_INIT
void mmu_reserved_map(struct mmu *m, uint32_t offset, const volatile void *at,
		      uint32_t bytes, uint64_t rights) AFTER_INIT
void log_printf(const char *fmt, ...) AFTER_INIT
void host_trace(uint8_t byte) AFTER_INIT
bool guest_read(struct mmu *m, void *dst, gva_t src, uint32_t len) AFTER_INIT

void host_pages_free(void *at, uint64_t bytes) { (void)at, (void)bytes; }

void *host_pages(uint64_t bytes, uint64_t align)
{
	void *at = bytes == sizeof(copy) ? (void *)copy : (void *)&shared;

	(void)align;
	return memset(at, 0, bytes);
}

void gmem_boot_copy(const struct gmem *m, gpa_t dst, const void *src,
		    size_t len)
{
	CHECK(len <= RAM_END && dst <= RAM_END - len);
	memcpy(ram + dst, src, len);
}

/* ---- the target --------------------------------------------------------- */

static void fix_sum(uint8_t *p, size_t size, size_t at)
{
	size_t i;

	if (at >= size)
		return;
	p[at] = 0;
	for (i = 0; i < size; i++)
		if (i != at)
			p[at] -= p[i];
}

static void fix(uint8_t *image, size_t size, uint8_t how)
{
	struct vmi_rom_header *h = (void *)image;
	size_t pnp;

	if (size < sizeof(*h))
		return;
	if (how & 1)
		h->length = size / VMI_ROM_UNIT;
	pnp = h->pnp;
	if ((how & 2) && pnp + sizeof(struct vmi_pnp_header) <= size) {
		size_t bytes = image[pnp + offsetof(struct vmi_pnp_header,
						    length)] * 16u;

		if (pnp + bytes <= size)
			fix_sum(image + pnp, bytes,
				offsetof(struct vmi_pnp_header, checksum));
	}
	if (how & 4)
		fix_sum(image, size, offsetof(struct vmi_rom_header, checksum));
}

static void check_published(const uint8_t *image, size_t size)
{
	struct vcpu *v = &guest.vcpu[0];
	uint32_t i;

	CHECK(size <= STUB_ROM_MAX && guest.rom.size == size);
	CHECK(v->rom->base >= 0xf0000000 && v->rom->base < v->rom->end);
	CHECK_EQ(v->rom->end - v->rom->base, size);
	CHECK(!memcmp(ram + VMI_SCAN_START, image, size));
	CHECK(v->rom->windows <= STUB_WINDOWS);
	for (i = 0; i < v->rom->windows; i++) {
		const struct rom_window *w = &v->rom->window[i];

		CHECK(w->start >= v->rom->base && w->start < w->end &&
		      w->end <= v->rom->end);
		CHECK(w->restart >= v->rom->base && w->restart < v->rom->end);
	}
	for (i = 0; i < 2; i++) {
		CHECK(v->rom->iret_insn[i] - v->rom->base < size);
		CHECK_EQ(image[v->rom->iret_insn[i] - v->rom->base], 0xcf);
	}
	CHECK(v->rom->iret_entry - v->rom->base < size);
}

void fuzz_one(struct input *in)
{
	uint8_t how = input_u8(in), *image;
	const uint8_t *at;
	size_t size;

	/* Whole units, if nothing else is asked for. */
	at = input_bytes(in, 64 * VMI_ROM_UNIT + 256, &size);
	if (how & 8)
		image = malloc(size);
	else
		image = calloc(1, (size + VMI_ROM_UNIT - 1) / VMI_ROM_UNIT *
				  VMI_ROM_UNIT);
	if (size)
		memcpy(image, at, size);
	if (!(how & 8))
		size = (size + VMI_ROM_UNIT - 1) / VMI_ROM_UNIT * VMI_ROM_UNIT;
	fix(image, size, how);
	memset(&guest.rom, 0, sizeof(guest.rom));
	guest.vcpu[0].rom = &guest.rom;
	guest.vcpu[0].g = &guest;
	if (!rom_publish(&guest.rom, &guest.mm.gmem, image, size, false)) {
		CHECK(!vmi_rom_check(image, size));
		CHECK(!vmi_rom_check_stub(image, size));
		check_published(image, size);
	}
	free(image);
}

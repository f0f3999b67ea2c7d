// SPDX-License-Identifier: GPL-2.0-only
/* Guest memory: what is not in line in gmem.h. The rules are in mm.h. */
#include <string.h>

#include "log.h"
#include "shadow.h"

/* ---- by physical address ------------------------------------------------ */

#define CHUNK	(2ull << 20)	/* so that large pages can be large here too */

static void map_frames(struct gmem *m, gpa_t gpa, const void *at,
		       uint64_t bytes)
{
	uint64_t i;

	for (i = 0; i < bytes; i += PAGE_SIZE)
		m->p2m[(gpa + i) >> PAGE_SHIFT] = (host_pa(at) + i) |
						  GMEM_RIGHTS;
}

/* The memory above the first piece, from wherever there is some. */
static bool map_rest(struct gmem *m, gpa_t end)
{
	gpa_t gpa = m->ram_bytes;
	uint64_t n;
	void *at;

	for (; gpa < end; gpa += n) {
		if (gpa == GMEM_LOW_END)
			gpa = GMEM_HIGH;
		n = end - gpa < CHUNK ? end - gpa : CHUNK;
		at = host_pages(n, CHUNK);
		if (!at)
			return false;
		map_frames(m, gpa, at, n);
	}
	return true;
}

bool gmem_init(struct gmem *m, uint64_t bytes)
{
	gpa_t end = bytes <= GMEM_LOW_END ? bytes :
		    bytes - GMEM_LOW_END + GMEM_HIGH;
	uint64_t piece = bytes <= GMEM_LOW_END ? bytes : GMEM_LOW_END;
	uint8_t *bus;

	m->bytes = bytes;
	m->nframes = end >> PAGE_SHIFT;
	while (!(m->ram = host_pages(piece, CHUNK)) && piece > CHUNK)
		piece = (piece / 2 + CHUNK - 1) & -CHUNK;
	m->ram_bytes = piece;
	m->p2m = host_pages(m->nframes * sizeof(*m->p2m), PAGE_SIZE);
	bus = host_pages(PAGE_SIZE, PAGE_SIZE);
	if (!m->ram || !m->p2m || !bus)
		return false;
	memset(bus, 0xff, PAGE_SIZE);
	m->bus = host_pa(bus) | (GMEM_RIGHTS & ~(uint64_t)PTE_W);
	map_frames(m, 0, m->ram, piece);
	return map_rest(m, end);
}

/* Frame by frame: a chunk that lies behind the last one is not told apart. */
void gmem_free(struct gmem *m)
{
	uint64_t first = m->ram_bytes >> PAGE_SHIFT, gfn, leaf;

	for (gfn = first; m->p2m && gfn < m->nframes; gfn++) {
		leaf = gmem_find(m, gfn);
		if (leaf)
			host_pages_free(host_va(leaf & PTE_ADDR), PAGE_SIZE);
	}
	host_pages_free(m->ram, m->ram_bytes);
	if (m->bus)
		host_pages_free(host_va(m->bus & PTE_ADDR), PAGE_SIZE);
	host_pages_free(m->p2m, m->nframes * sizeof(*m->p2m));
	host_pages_free(m->hidden, m->nframes * sizeof(*m->hidden));
	*m = (struct gmem){ 0 };
}

void *gmem_boot_ram(const struct gmem *m)
{
	return m->ram;
}

void gmem_boot_copy(const struct gmem *m, gpa_t dst, const void *src,
		    size_t len)
{
	hv_assert(dst + len <= m->ram_bytes);
	memcpy(m->ram + dst, src, len);
}

bool gmem_read_byte(const struct gmem *m, gpa_t pa, uint8_t *byte)
{
	const struct gtable *at = gmem_find_table(m, pa >> PAGE_SHIFT, pa);

	if (!at)
		return false;
	*byte = gtable_read32(at, 0) >> pa % 4 * 8;
	return true;
}

uint64_t gmem_find(const struct gmem *m, uint64_t gfn)
{
	uint64_t leaf = gmem_leaf(m, gfn);

	if (!leaf && m->hidden && gfn < m->nframes && m->hidden[gfn])
		leaf = (m->hidden[gfn] & PTE_ADDR) | GMEM_RIGHTS;
	return leaf;
}

/* Are these bytes all there? */
static bool gmem_there(const struct gmem *m, gpa_t pa, uint64_t len)
{
	uint64_t gfn = pa >> PAGE_SHIFT;
	gpa_t last = pa + len - 1;

	if (!len)
		return true;
	if (last < pa)
		return false;
	for (; gfn <= last >> PAGE_SHIFT; gfn++)
		if (!gmem_find(m, gfn))
			return false;
	return true;
}

/* Where we see it; and how much of it is in its frame. */
static uint8_t *gmem_at(const struct gmem *m, gpa_t pa, uint64_t *len)
{
	uint64_t offset = pa % PAGE_SIZE, leaf = gmem_find(m, pa >> PAGE_SHIFT);

	if (*len > PAGE_SIZE - offset)
		*len = PAGE_SIZE - offset;
	return (uint8_t *)host_va(leaf - GMEM_RIGHTS) + offset;
}

bool gmem_read(const struct gmem *m, void *dst, gpa_t src, uint64_t len)
{
	const uint8_t *at;
	uint64_t done, n;

	if (!gmem_there(m, src, len))
		return false;
	for (done = 0; done < len; done += n) {
		n = len - done;
		at = gmem_at(m, src + done, &n);
		memcpy((uint8_t *)dst + done, at, n);
	}
	return true;
}

bool gmem_write(const struct gmem *m, gpa_t dst, const void *src, uint64_t len)
{
	uint64_t done, n;
	uint8_t *at;

	if (!gmem_there(m, dst, len))
		return false;
	for (done = 0; done < len; done += n) {
		n = len - done;
		at = gmem_at(m, dst + done, &n);
		memcpy(at, (const uint8_t *)src + done, n);
	}
	return true;
}

/* A part at a time, so that nobody waits for long. The guest's own frames do not
 * go away. */
#define LATE_PART	(64u << 10)

static uint64_t late_part(uint64_t left)
{
	return left < LATE_PART ? left : LATE_PART;
}

static bool gmem_there_late(struct gmem *m, gpa_t pa, uint64_t len)
{
	bool there;

	spin_lock(&m->moving);
	there = gmem_there(m, pa, len);
	spin_unlock(&m->moving);
	return there;
}

bool gmem_read_late(struct gmem *m, void *dst, gpa_t src, uint64_t len)
{
	bool done = gmem_there_late(m, src, len);
	uint8_t *to = dst;
	uint64_t n;

	for (; done && len; to += n, src += n, len -= n) {
		n = late_part(len);
		spin_lock(&m->moving);
		done = gmem_read(m, to, src, n);
		spin_unlock(&m->moving);
	}
	return done;
}

bool gmem_write_late(struct gmem *m, gpa_t dst, const void *src, uint64_t len)
{
	bool done = gmem_there_late(m, dst, len);
	const uint8_t *from = src;
	uint64_t n;

	for (; done && len; dst += n, from += n, len -= n) {
		n = late_part(len);
		spin_lock(&m->moving);
		done = gmem_write(m, dst, from, n);
		spin_unlock(&m->moving);
	}
	return done;
}

bool gmem_load32(const struct gmem *m, gpa_t pa, uint32_t *word)
{
	const struct gtable *at = gmem_find_table(m, pa >> PAGE_SHIFT, pa);

	if (!at)
		return false;
	*word = gtable_read32(at, 0);
	return true;
}

bool gmem_store32(const struct gmem *m, gpa_t pa, uint32_t word)
{
	struct gtable *at = gmem_find_table(m, pa >> PAGE_SHIFT, pa);

	if (!at)
		return false;
	gtable_write32(at, word);
	return true;
}

bool gtable_equal(const struct gtable *a, const struct gtable *b,
		  uint32_t entries)
{
	const volatile uint64_t *x = (const void *)a, *y = (const void *)b;
	uint32_t i;

	for (i = 0; i < entries / 2; i++)
		if (x[i] != y[i])
			return false;
	return entries % 2 == 0 ||
	       gtable_read32(a, entries - 1) == gtable_read32(b, entries - 1);
}

void gtable_get(void *dst, const struct gtable *src, uint32_t offset,
		uint32_t bytes)
{
	memcpy(dst, (const uint8_t *)src + offset, bytes);
}

void gtable_put(struct gtable *dst, uint32_t offset, const void *src,
		uint32_t bytes)
{
	memcpy((uint8_t *)dst + offset, src, bytes);
}

const struct gtable *gtable_identity(void)
{
	static uint32_t identity[1024];
	uint32_t i;

	for (i = 0; i < 1024; i++)
		identity[i] = i << 22 | PTE_PS | PTE_D | PTE_A | PTE_U |
			      PTE_W | PTE_P;
	return (const struct gtable *)identity;
}

/* ---- by linear address -------------------------------------------------- */

/* What the guest may name ends where our part of its linear space begins. */
static bool guest_range(const struct mmu *m, gva_t va, uint32_t len)
{
	return va <= m->copy_end && len <= m->copy_end - va;
}

bool guest_read(struct mmu *m, void *dst, gva_t va, uint32_t len)
{
	m->fills = 0;
	if (guest_range(m, va, len))
		return !copy_fixup(dst, (const void *)(uintptr_t)va, len);
	return m->mm->fmt.wide && long_read(m, dst, va, len);
}

bool guest_write(struct mmu *m, gva_t va, const void *src, uint32_t len)
{
	m->fills = 0;
	if (guest_range(m, va, len))
		return !copy_fixup((void *)(uintptr_t)va, src, len);
	return m->mm->fmt.wide && long_write(m, va, src, len);
}

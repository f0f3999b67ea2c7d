/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Frames of the guest: where they are, and what is in those that are tables.
 * A table is a struct gtable, which no other code can look into; the rules
 * are those of mm.h.
 */
#ifndef GMEM_H
#define GMEM_H

#include "mm.h"

#define GMEM_RIGHTS	0xfffull

/* The leaf that maps a frame; 0: absent. The caller masks GMEM_RIGHTS. */
static inline uint64_t gmem_leaf(const struct gmem *m, uint64_t gfn)
{
	return gfn < m->nframes ? m->p2m[gfn] : 0;
}

/* Do 512 frames from this one on lie together and aligned, for a large page
 * of ours? */
static inline bool gmem_large(const struct gmem *m, uint64_t gfn)
{
	return gfn % 512 == 0 && gfn + 512 <= m->nframes && m->p2m[gfn];
}

/* Guest memory from some word on to the end of its frame. */
struct gtable;

/* Of a frame that is there. Valid for as long as the guest has it. */
static inline struct gtable *gmem_leaf_table(uint64_t leaf, uint32_t offset)
{
	uint8_t *at = (uint8_t *)host_va(leaf - GMEM_RIGHTS) +
		      (offset & (PAGE_SIZE - 4));

	if (!at)	/* which the compiler cannot know */
		__builtin_unreachable();
	return (struct gtable *)at;
}

/* The leaf of a frame that may have a view; 0: absent. */
uint64_t gmem_find(const struct gmem *, uint64_t gfn);

/* Of a frame that is there; 0: it has a view. */
static inline uint64_t gmem_known_leaf(const struct gmem *m, uint64_t gfn)
{
	return m->p2m[gfn];
}

/* Of a frame that is there, whether or not it has a view. */
static inline struct gtable *gmem_known_table(const struct gmem *m, uint64_t gfn,
					      uint32_t offset)
{
	uint64_t leaf = gmem_known_leaf(m, gfn);

	return gmem_leaf_table(leaf ? leaf : gmem_find(m, gfn), offset);
}

/* NULL: the frame is absent. */
static inline struct gtable *gmem_table(const struct gmem *m, uint64_t gfn,
					uint32_t offset)
{
	uint64_t leaf = gmem_leaf(m, gfn);

	return leaf ? gmem_leaf_table(leaf, offset) : NULL;
}

/* The same, also of one that has a view. */
static inline struct gtable *gmem_find_table(const struct gmem *m, uint64_t gfn,
					     uint32_t offset)
{
	uint64_t leaf = gmem_find(m, gfn);

	return leaf ? gmem_leaf_table(leaf, offset) : NULL;
}

/* A part of a table: this many bytes on, within the frame. */
static inline struct gtable *gtable_part(const struct gtable *t,
					 uint64_t bytes)
{
	return (struct gtable *)((uint8_t *)t + bytes);
}

/* Entry i, of four or eight bytes. */
static inline uint32_t gtable_read32(const struct gtable *t, uint32_t i)
{
	return ((const volatile uint32_t *)t)[i];
}

static inline uint64_t gtable_read64(const struct gtable *t, uint32_t i)
{
	return ((const volatile uint64_t *)t)[i];
}

/* Behind all stores that were before. */
static inline void gtable_write32(struct gtable *t, uint32_t word)
{
	asm volatile("mfence" : : : "memory");
	*(volatile uint32_t *)t = word;
}

/* Set bits in the low half of the first entry, as the CPU would: false: that
 * is not what it was any more, and nothing is set. */
static inline bool gtable_set_bits(struct gtable *t, uint32_t was,
				   uint32_t bits)
{
	return __atomic_compare_exchange_n((volatile uint32_t *)t, &was,
					   was | bits, false, __ATOMIC_RELAXED,
					   __ATOMIC_RELAXED);
}

/* Are so many entries of four bytes the same? */
bool gtable_equal(const struct gtable *, const struct gtable *,
		  uint32_t entries);
/* Bytes of a frame, which may be any, from an offset on. */
void gtable_get(void *dst, const struct gtable *src, uint32_t offset,
		uint32_t bytes);
void gtable_put(struct gtable *dst, uint32_t offset, const void *src,
		uint32_t bytes);
/* A page directory that maps every address to itself, not the guest's. */
const struct gtable *gtable_identity(void);

#endif

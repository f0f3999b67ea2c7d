/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Everything that the hypervisor reads or writes of a guest's memory goes
 * through here. This file, gmem.c, and copy_fixup and the five stores of
 * syscall_entry in entry.asm are all that there is to audit:
 *
 *  - Frames of the guest, by physical address. Where they are only this
 *    module knows; to others a frame is a struct gtable, which no code can
 *    look into.
 *  - The guest's linear addresses, through the guest's own tables. They end
 *    at vcpu.guest_last; a fault on the way is resolved like the guest's own
 *    (exit.c, hv_fault) or is the answer.
 *  - The shared area, vcpu.sh, which is volatile: an access in the source is
 *    one access of the machine, and bits change in one instruction.
 *
 * The guest may change all of it at any time. Each call reads a word once and
 * returns a copy: check the copy, then use the copy, and never ask again for
 * what was checked. tests/run/guest_memory.py and tests/unit/test_race.c hold us to it.
 */
#ifndef GMEM_H
#define GMEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cpu.h>

#define PAGE_SIZE	4096u
#define PAGE_SHIFT	12

/* Guest addresses are integers that nobody can dereference by accident. */
typedef uint32_t gva_t;		/* guest linear */
typedef uint64_t gpa_t;		/* guest physical */

struct vcpu;

/*
 * A guest has its memory where a PC has: what does not fit below GMEM_LOW_END
 * is from GMEM_HIGH on, and no frame is between.
 */
#define GMEM_LOW_END	0xc0000000ull
#define GMEM_HIGH	0x100000000ull

/*
 * The memory of a guest. By frame: a leaf that maps it in our tables, with
 * all bits of rights set, so that one AND with a mask makes any other. 0: the
 * frame is absent.
 */
struct gmem {
	uint64_t	*p2m;
	uint32_t	nframes;	/* the last one's number and one */
	uint64_t	bytes;
	uint64_t	bus;		/* such a leaf, of ones to be read */
	uint8_t		*ram;		/* where we see guest-physical 0, and */
	uint64_t	ram_bytes;	/* how much in one piece */
};
#define GMEM_RIGHTS	0xfffull

/* ---- by physical address ------------------------------------------------ */

/* False: the machine has not so much. */
bool gmem_init(struct gmem *, uint64_t bytes);
void gmem_free(struct gmem *);		/* what gmem_init() took, if at all */
/* Before the guest runs: its memory from 0 on, as far as we see it in one
 * piece, of ram_bytes, and a copy into that. */
void *gmem_boot_ram(const struct gmem *);
void gmem_boot_copy(const struct gmem *, gpa_t dst, const void *src,
		    size_t len);

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
	uint8_t *at = (uint8_t *)pa_to_va(leaf - GMEM_RIGHTS) +
		      (offset & (PAGE_SIZE - 4));

	if (!at)	/* which the compiler cannot know */
		__builtin_unreachable();
	return (struct gtable *)at;
}

/* NULL: the frame is absent. */
static inline struct gtable *gmem_table(const struct gmem *m, uint64_t gfn,
					uint32_t offset)
{
	uint64_t leaf = gmem_leaf(m, gfn);

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

/* Set bits in the low half of the first entry, as the CPU would. */
static inline void gtable_set_bits(struct gtable *t, uint32_t bits)
{
	__atomic_fetch_or((volatile uint32_t *)t, bits, __ATOMIC_RELAXED);
}

/* Are so many entries of four bytes the same? */
bool gtable_equal(const struct gtable *, const struct gtable *,
		  uint32_t entries);
/* A page directory that maps every address to itself, not the guest's. */
const struct gtable *gtable_identity(void);

/* ---- by linear address -------------------------------------------------- */

/* Through the tables that are in CR3, as the guest's kernel would. False:
 * not mapped, or not the guest's to touch. */
bool guest_read(struct vcpu *, void *dst, gva_t src, uint32_t len);
bool guest_write(struct vcpu *, gva_t dst, const void *src, uint32_t len);

/* Room that deliverers of events check for once, against vcpu.stack_limit:
 * ss, esp, eflags, cs, eip, error. */
#define FRAME_MAX	24

static inline bool guest_stack_ok(uint32_t stack_limit, gva_t esp)
{
	return esp - FRAME_MAX <= stack_limit;
}

/* Push a word of the frame; goto fault if the guest's tables do not allow it. */
#define guest_push(esp, word, fault)	STORE_WORD((esp) -= 4, word, fault)

/* ---- the shared area ---------------------------------------------------- */

static inline void shared_set_bits(volatile uint32_t *word, uint32_t bits)
{
	asm volatile("orl %1, %0" : "+m"(*word) : "ri"(bits));
}

static inline void shared_clear_bits(volatile uint32_t *word, uint32_t bits)
{
	asm volatile("andl %1, %0" : "+m"(*word) : "ri"(~bits));
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The memory of a guest, and what its page tables make of it. Everything that
 * the hypervisor reads or writes of a guest's memory goes through here: mm/,
 * copy_fixup and the stores of syscall_entry in entry.asm are all that there
 * is to audit.
 *
 *  - Frames of the guest, by physical address. Where they are only mm/ knows,
 *    and nobody else can look into them.
 *  - The guest's linear addresses, through the guest's own tables. They end
 *    at mmu.guest_last; a fault on the way is resolved like the guest's own
 *    (exit.c, hv_fault) or is the answer. Of a wide guest: long_own().
 *  - The shared area, vcpu.sh, which is volatile: an access in the source is
 *    one access of the machine, and bits change in one instruction.
 *
 * The guest may change all of it at any time. Each call reads a word once and
 * returns a copy: check the copy, then use the copy, and never ask again for
 * what was checked. tests/run/guest_memory.py and tests/unit/test_race.c hold
 * us to it.
 *
 * What the CPU walks is not the guest's tables but our own, the shadow
 * (mm/pool.c). Nothing here ends a guest: what it cannot have is an answer.
 */
#ifndef MM_H
#define MM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <host.h>

#include "lock.h"

#define PAGE_SIZE	4096u
#define PAGE_SHIFT	12

/* Guest addresses are integers that nobody can dereference by accident. */
typedef uint64_t gva_t;		/* guest linear */
typedef uint32_t gva32_t;	/* the same, of a 32-bit guest */
typedef uint64_t gpa_t;		/* guest physical */

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
	uint64_t	*hidden;	/* leaves that p2m has not, so that all find
					 * them absent but who asks here
					 * (view.c); NULL: there are none */
	struct spinlock	moving;		/* what is where changes: for who looks at it
					 * without the guest's lock */
	uint8_t		*ram;		/* where we see guest-physical 0, and */
	uint64_t	ram_bytes;	/* how much in one piece */
};

/* How the guest's entries look, and what one page of the shadow stands for. */
struct mm_format {
	bool		pae;		/* entries of 8 bytes, under a PDPT */
	uint8_t		entry_shift;	/* size of an entry */
	uint8_t		pde_shift;	/* what a directory's entry maps */
	uint32_t	second;		/* 1: a guest's table has two shadows,
					 * of 2 MB each; else 0 */
	uint32_t	large_mask;	/* of frames in a large page */
	uint32_t	pse36;		/* bits of a large page's address that
					 * are from 13 on in its entry */
	bool		wide;		/* a 64-bit guest: entries of 8 bytes,
					 * four levels, for all its life */
	uint64_t	beyond;		/* wide: bits of an address that the
					 * processor has not, to be 0 */
};

/*
 * Per guest. What it points to is known to mm/ alone. All of it, each struct mmu
 * included, is guarded by the guest's lock (x86.h).
 */
#define MM_MMUS		8
#define MM_ELSEWHERE	16
struct mm {
	struct gmem	gmem;
	struct mmu	*mmu[MM_MMUS];	/* of its vCPUs, those that there are */
	uint32_t	mmus;
	struct gframe	*frames;	/* gmem.nframes of them */
	struct mm_format fmt;
	uint32_t	device[2];	/* frames that answer to reads, too, though
					 * no memory is there; and others, */
	struct mm_elsewhere {		/* which somebody else does */
		uint64_t	first, frames;
	} elsewhere[MM_ELSEWHERE];
	uint32_t	elsewheres;
	uint32_t	reserved;	/* where the reserved top begins: what is
					 * there is ours; 0 before VMI_Init. Of a
					 * wide guest the low half of LONG_TOP */

	uint8_t		*tables;	/* the pool: the tables themselves, and */
	struct spage	*pages;		/* what is known of them; 0 is only the head of a
					 * list of page tables */
	uint32_t	count;
	uint32_t	free;		/* list */
	uint32_t	free_count;
	uint32_t	quarantine;	/* list: free, but some processor may
					 * still walk them */
	struct root	*roots;		/* index 0: paging is off */
	uint32_t	root_free;	/* list */
	uint32_t	root_top;	/* from this one on none was ever used */
	uint32_t	verify_root, verify_pde;	/* the next to compare; of a
					 * wide guest a page was the last */
	uint64_t	fills;		/* of the shadow, by faults */
	uint64_t	zaps;		/* whole pool emptied */
};

/* Per vCPU. */
#define MM_OPENED	16
struct mmu {
	struct mm	*mm;
	struct root	*root;		/* what CR3 points to */
	uint32_t	nr;		/* in mm.mmu[] */
	uint8_t		slot[4];	/* where its roots have a GB's page */
	struct root	*offered;	/* its kernel quarter is, to all roots */
	uint64_t	*reserved_pt;	/* maps the reserved top, with this
					 * vCPU's shared area; behind it */
	uint64_t	*pdpt;		/* the root's four pages; behind it */
	uint64_t	pml4;		/* machine address, for the real CR3 */
	uint32_t	cr3;
	uint32_t	mode;		/* what mmu_set_mode() was told, of the
					 * bits that matter here */
	uint32_t	pde_bits;	/* PTE_P, and PTE_PS if that means a large
					 * page */
	uint32_t	error_bits;	/* of a fault, that the guest may see */
	gva32_t		guest_last;	/* last linear address of the guest's own */
	uint64_t	copy_end;	/* below it the real CR3 maps what the
					 * guest's does: 0 of a wide guest */
	uint32_t	fills;		/* by hv_fault(), in this access */
	/* Leaves that are there in spite of a view, for a while. */
	uint64_t	*opened[MM_OPENED];
	uint32_t	opened_count;
	uint8_t		flush;		/* FLUSH_*: its TLB may have what the
					 * shadow has not */
	/* Its processor may be in the guest, and walk these tables, while
	 * somebody else has the guest's lock. */
	volatile bool	inside;
	uint32_t	processor;	/* which that is (host.h) */

	/* Of a wide guest. */
	uint64_t	long_cr3;	/* as it was loaded */
	struct spage	*top;		/* the shadow of its PML4; NULL: none is
					 * loaded yet. pml4 is where it is */
	uint64_t	leaf_zero;	/* bits of a leaf that have to be 0 */
	uint64_t	trampoline;	/* entry LONG_SLOT of each shadow PML4:
					 * the caller's, before the first CR3 */
};

/* ---- from the host ------------------------------------------------------ */

/* Copy through the current tables; the number of bytes not copied because
 * of a fault. Nothing is checked: use guest_read() and guest_write(). */
uint32_t copy_fixup(void *dst, const void *src, uint32_t len);

/* ---- memory by physical address ----------------------------------------- */

/* False: the machine has not so much. */
bool gmem_init(struct gmem *, uint64_t bytes);
void gmem_free(struct gmem *);
/* Before the guest runs: its memory from 0 on, as far as we see it in one
 * piece, of ram_bytes, and a copy into that. */
void *gmem_boot_ram(const struct gmem *);
void gmem_boot_copy(const struct gmem *, gpa_t dst, const void *src,
		    size_t len);
/* False: the frame is absent. */
bool gmem_read_byte(const struct gmem *, gpa_t, uint8_t *);
/* Memory that a guest names by physical address. False: not all of it is there,
 * and nothing is copied. No page table is among it that anybody knows of. */
bool gmem_read(const struct gmem *, void *dst, gpa_t src, uint64_t len);
bool gmem_write(const struct gmem *, gpa_t dst, const void *src, uint64_t len);
/* The same by who may not have the guest's lock; it is there, and stays. */
bool gmem_read_late(struct gmem *, void *dst, gpa_t src, uint64_t len);
bool gmem_write_late(struct gmem *, gpa_t dst, const void *src, uint64_t len);

/* A word at a multiple of 4, in one access. Stores come in their order. False: the
 * frame is absent. */
bool gmem_load32(const struct gmem *, gpa_t, uint32_t *);
bool gmem_store32(const struct gmem *, gpa_t, uint32_t);

/*
 * Views: what the guest may do with a frame, whatever its tables say: read, write,
 * execute, by bit. Its tables are walked in spite of them.
 */
#define VIEW_R		1u
#define VIEW_W		2u
#define VIEW_X		4u
#define VIEW_ALL	7u
bool mm_view_init(struct mm *);	/* it may have views; false: no memory */
static inline bool mm_has_views(const struct mm *mm)
{
	return mm->gmem.hidden;
}
/* False: the frame is absent. What the shadow has of it stays. */
bool mm_view_set(struct mm *, uint64_t gfn, uint32_t view);
uint32_t mm_view(const struct mm *, uint64_t gfn);
void mm_view_none(struct mm *);	/* of all frames everything is allowed */
/* The shadow has nothing of this frame any more. To be followed by a flush. */
void mmu_view_drop(struct mmu *, uint64_t gfn);
/* Nor of any. */
void mmu_view_drop_all(struct mmu *);
/* What mmu_fault_view() has opened is closed. */
void mmu_view_close(struct mmu *);
/* Somebody beside the guest has written into this frame: what its shadow knew of it
 * as a table is forgotten. */
void mmu_written(struct mmu *, gpa_t);

/*
 * Frames of other guests (remap.c), with the guest's lock, by who is in none of its
 * vCPUs. A frame is what mm_frame() has said, which means something to these alone.
 */
uint64_t mm_frame(const struct mm *, uint64_t gfn);	/* 0: absent */
void mm_frame_zero(uint64_t frame);
/* It is mapped by one more, or maps what is another's. False: it is by too many. */
bool mm_share(struct mm *, uint64_t gfn);
/* By one less. What was written there is in effect. */
void mm_unshare(struct mm *, uint64_t gfn);
/* The shadow, and the TLBs, have nothing of this frame; of any. */
void mm_drop_frame(struct mm *, uint64_t frame);
void mm_drop_frames(struct mm *);
/* It is there from now on. Nothing is left of what was there, but for what one of the
 * former two would take. */
void mm_replace(struct mm *, uint64_t gfn, uint64_t frame);

/* ---- memory by linear address ------------------------------------------- */

/* Through the tables that are in CR3, or of a wide guest would be, as the guest's
 * kernel would. False: not mapped, or not the guest's to touch. */
bool guest_read(struct mmu *, void *dst, gva_t src, uint32_t len);
bool guest_write(struct mmu *, gva_t dst, const void *src, uint32_t len);

/* Room that deliverers of events check for once, against vcpu.stack_limit:
 * ss, esp, eflags, cs, eip, error. */
#define FRAME_MAX	24

static inline bool guest_stack_ok(uint32_t stack_limit, gva32_t esp)
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

/* ---- set-up ------------------------------------------------------------- */

/* With a pool of so many pages; gmem is there. NULL, or why not. */
const char *mm_init(struct mm *, uint32_t pool_pages, bool wide);
/* join: from here on it counts as one that uses the tables. */
const char *mmu_init(struct mmu *, struct mm *);
void mmu_reset(struct mmu *);	/* with paging off */
void mmu_join(struct mmu *);
/* What these took goes back, also after one that failed. The real CR3 is of other
 * tables. */
void mm_free(struct mm *);
void mmu_free(struct mmu *);
/* From here on the linear space is ours. Nobody has told us of page tables so
 * far: all is forgotten. */
void mmu_reserve(struct mmu *, gva32_t top);
/* Pages of that, from offset on: memory of ours, with what an entry of our tables
 * has beside the address. */
void mmu_reserved_map(struct mmu *, uint32_t offset, const volatile void *at,
		      uint32_t bytes, uint64_t rights);

/* ---- registers, and what the guest tells of ----------------------------- */

/*
 * By the vCPU whose mmu it is. What these take away of the shadow may be in the
 * TLB until mmu_flush_tlb(), unless said otherwise.
 */

/* The shadow is of one format for all vCPUs: would these fit the others? */
bool mmu_mode_agrees(const struct mmu *, uint32_t cr0, uint32_t cr4);
/* Then paging may be turned on or off, or mean something else. False: CR3 is
 * outside the guest's memory, and nothing is loaded. */
bool mmu_set_mode(struct mmu *, uint32_t cr0, uint32_t cr4, uint32_t efer);
/* The same. The TLB is flushed. */
bool mmu_set_cr3(struct mmu *, uint32_t cr3);
/* Forget what a TLB flush forgets, and flush it. */
void mmu_flush(struct mmu *);
/* One page of the address space. */
void mmu_inval(struct mmu *, gva32_t);
/* The same of what another vCPU has loaded, but for TLBs. */
void mmu_forget_other(struct mmu *, struct mmu *other);
void mmu_inval_other(struct mmu *, struct mmu *other, gva32_t);

/* The entry at this address has changed. */
void mmu_entry_changed(struct mmu *, gpa_t);
/*
 * The same for a run of them, of which the guest has written where they are:
 * word was read from at, and means the entry at pa; those behind it belong to the
 * run as long as they differ only in where in its table the entry is. Returns
 * where the run ends.
 */
const volatile uint32_t *mmu_run_changed(struct mmu *, gpa_t pa, uint32_t word,
					 const volatile uint32_t *at,
					 const volatile uint32_t *end);
/* A frame becomes a table whose changes will be told of, or stops being one. */
void mmu_page_table(struct mmu *, uint32_t gfn, bool);

/* Nobody else is in the guest, nor will be while the caller has the guest's
 * lock; and all flush before they are again. */
void mmu_stop_others(struct mmu *);
/* The TLB, and those of the others, mmu.nr by bit: who is in the guest and whose
 * TLB may be wrong leaves it, as above. */
void mmu_flush_others(struct mmu *, uint32_t others);

/* By who is none of them: all is forgotten that the shadow has, and nobody is in the
 * guest with it, nor will be. */
void mm_forget(struct mm *);

#define FLUSH_REMOVED	1u	/* it took a translation away: the other vCPUs'
				 * TLBs may have it, too */
#define FLUSH_STALE	2u	/* another has done that, or CR3 is new */

/* The TLB, if it may be wrong; those of the others with their next flush. */
void mmu_flush_now(struct mmu *);
static inline void mmu_flush_tlb(struct mmu *m)
{
	if (m->flush)
		mmu_flush_now(m);
}

/* Of a frame that is no memory. */
bool mm_is_elsewhere(const struct mm *, uint64_t gfn);
static inline bool mm_is_device(const struct mm *mm, uint64_t gfn)
{
	return gfn == mm->device[0] || gfn == mm->device[1] ||
	       (mm->elsewheres && mm_is_elsewhere(mm, gfn));
}

/* ---- accesses ----------------------------------------------------------- */

enum fault {
	FAULT_FIXED,		/* the shadow was stale; go on */
	FAULT_GUEST,		/* the guest's own; *error is what it sees */
	FAULT_BUS,		/* write to guest-physical memory that is absent,
				 * or any access to the local APIC */
	FAULT_TABLE,		/* page table in memory that is absent, or that
				 * has a view */
	FAULT_VIEW,		/* memory that has a view: mmu_fault_view() */
	FAULT_REFUSED,		/* by a view */
};

/* Is this page fault the guest's own, by its tables, or has the shadow only
 * not been filled? Then it is. gpa_t: of FAULT_BUS and FAULT_TABLE. */
enum fault mmu_fault(struct mmu *, gva32_t, uint32_t *error, gpa_t *);
/* The same by who may know of views. open: none refuses anything. gpa_t: of
 * FAULT_REFUSED, too. */
enum fault mmu_fault_view(struct mmu *, gva32_t, uint32_t *error, gpa_t *,
			  bool open);
/* Would the CPU find a translation for this access now? Of 4 KB pages alone,
 * the common ones. */
bool mmu_allows(const struct mmu *, gva32_t, uint32_t error);
/* Where a kernel would read; false: not mapped. */
bool mmu_translate(struct mmu *, gva32_t, gpa_t *);

/* ---- wide guests ---------------------------------------------------------- */

/*
 * The same for a 64-bit guest, which has four-level tables all its life, with
 * CR0.WP set. What follows stands for mmu_*() of the names that are alike; pools,
 * flushes and what is not here are the same for both.
 *
 * Of its linear space two parts are ours: what entry LONG_SLOT of a PML4 maps is
 * mmu.trampoline, and once it is reserved, the top 2 MB are mmu.reserved_pt.
 */
#define LONG_SLOT	271u
#define LONG_TOP	0xffffffffffe00000ull

/* Can the guest's own tables map it? Not what is ours, nor what is not canonical. */
static inline bool long_own(const struct mmu *m, gva_t va)
{
	return (va >> 47 == 0 || va >> 47 == 0x1ffff) &&
	       (va >> 39 & 511) != LONG_SLOT &&
	       (va < LONG_TOP || !m->mm->reserved);
}

/* From here on the top is ours, for all vCPUs. */
void long_reserve(struct mmu *);
/* EFER is new. */
void long_set_mode(struct mmu *, uint32_t efer);
/* False: it is outside the guest's memory, and nothing is loaded. */
bool long_set_cr3(struct mmu *, uint64_t cr3);
void long_flush(struct mmu *);
void long_forget_other(struct mmu *, const struct mmu *other);
void long_inval(struct mmu *, gva_t);
void long_inval_other(struct mmu *, const struct mmu *other, gva_t);
void long_entry_changed(struct mmu *, gpa_t);
/* The same: with less work for most entries, and more for others. */
void long_entry_alone(struct mmu *, gpa_t);
/* For each word up to the first that is no address of an entry; where that is. Words
 * of the kind inval (STUB64_Q_KIND) are passed over where the guest tells of all
 * changes, as they are told of in the same queue. */
const volatile uint64_t *long_entries_changed(struct mmu *,
					      const volatile uint64_t *at,
					      const volatile uint64_t *end,
					      uint64_t inval);
void long_page_table(struct mmu *, uint64_t gfn, bool);
enum fault long_fault(struct mmu *, gva_t, uint32_t *error, gpa_t *);
enum fault long_fault_view(struct mmu *, gva_t, uint32_t *error, gpa_t *,
			   bool open);
bool long_allows(const struct mmu *, gva_t, uint32_t error);
bool long_translate(struct mmu *, gva_t, gpa_t *);

/* ---- a check for tests -------------------------------------------------- */

struct mm_wrong {
	gva32_t		va;
	uint32_t	dir;			/* frame */
	uint64_t	shadow, pde, pte;
};

/* Is the shadow what the guest's tables say, as far as all has been told? Some
 * of it, in turn. user: the guest comes from user mode. False: no; where. */
bool mmu_verify(struct mmu *, bool user, struct mm_wrong *);

/* The same for a wide guest. An entry of a table: */
struct long_wrong {
	uint32_t	gfn, level, i;		/* level 1 is a page table */
	uint64_t	shadow, guest;
};
bool long_verify(struct mmu *, struct long_wrong *);

#endif

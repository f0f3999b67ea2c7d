/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A 64-bit guest with page tables, for tests of mm/: the machine around them, a
 * model that walks the guest's tables as the SDM says (Vol. 3, 4.5), and a guest
 * that changes them at random (long_walk.c).
 */
#ifndef LONG_MODEL_H
#define LONG_MODEL_H

#include "chance.h"
#include "shadow.h"
#include "x86.h"
#include "testing.h"

#define GUEST_MB	7	/* the last large page is not all there */
#define FRAMES		(GUEST_MB * 256u)
#define HOLE_FRAME	1024u	/* in the middle of memory */
#define HOLE_FRAMES	512u
#define RAM_PA		(4u << 20)
#define POOL		28	/* small: it must run dry now and then */
#define VCPUS		8

#define P	0x001ull
#define W	0x002ull
#define U	0x004ull
#define A	0x020ull
#define D	0x040ull
#define PS	0x080ull
#define NX	(1ull << 63)
#define ADDR	0x000ffffffffff000ull

extern struct mm mm;
extern struct mmu *mmu;			/* of the vCPU that runs */
extern uint32_t model_kicks;		/* vCPUs that had to leave the guest */

/* A new guest of so many vCPUs, with an empty PML4 in frame 16 as the first
 * CR3; the reserved top is reserved. */
void model_start(uint32_t vcpus, bool reserve);
/* Another vCPU goes on, as when it comes into the guest; the last one stays there. */
void model_run(uint32_t n);

uint64_t *entry(uint32_t frame, uint32_t i);
gva_t address(uint32_t pml4, uint32_t pdpt, uint32_t pd, uint32_t pt);

/* What the guest's tables say of an address. */
enum model_end { MODEL_ABSENT, MODEL_RESERVED, MODEL_NOWHERE, MODEL_LEAF };
struct model {
	uint64_t	pa;	/* of the page */
	uint64_t	rights;	/* of all levels; A, too; D of the leaf alone */
};
enum model_end model_walk(gva_t va, struct model *m);
bool model_absent(uint64_t pa);

/* Would the CPU allow it by the tables that are loaded? Where does it lead? */
bool cpu_walk(const struct mmu *m, gva_t va, uint64_t *pa, uint64_t *rights);
bool cpu_allows(gva_t va, uint32_t access, uint64_t *pa);

/* An access as the guest makes it, against what its tables say. */
void do_access(gva_t va, uint32_t access);
/* The same by the hypervisor, for the guest's kernel. */
void do_copy(gva_t va, uint32_t bytes, bool write);

/* Nothing that the vCPU's tables map goes beyond the guest's; of one that has not
 * flushed since an entry was changed without a word, beyond its memory. */
void check_vcpu(const struct mmu *m, bool stale);
/* What is ours is where it belongs, and pages are counted right. */
void check_pool(void);
/* What others in the guest may have in their TLBs; the one that runs has flushed. */
void check_others(void);

/* ---- long_walk.c ------------------------------------------------------ */

void walk_start(uint32_t vcpus);
void random_step(void);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest with page tables, for tests of mm/ and the queue: the machine around
 * them, a model that walks the guest's tables as the SDM says (Vol. 3, 4.3),
 * and a guest that changes them at random (shadow_walk.c).
 */
#ifndef SHADOW_MODEL_H
#define SHADOW_MODEL_H

#include <setjmp.h>

#include <cpu.h>

#include "chance.h"
#include "core.h"
#include "shadow.h"
#include "testing.h"

#define GUEST_MB	7	/* the last large page is not all there */
#define FRAMES		(GUEST_MB * 256)
#define MACHINE_MB	32
#define POOL		48	/* small: it must run dry now and then */
/* A hole in the middle of memory. */
#define HOLE_FRAME	1024u
#define HOLE_FRAMES	512u
#define RAM_PA		(4u << 20)
#define LINEAR_VA	0xc0000000u
#define TOP		0xfc000000u

#define P	0x001u
#define W	0x002u
#define U	0x004u
#define A	0x020u
#define D	0x040u
#define PS	0x080u
#define ADDR	0x000ffffffffff000ull

extern struct guest *const g;
extern struct vcpu *v;			/* that runs */
extern struct mmu *mmu;
extern bool wide;			/* the guest uses PAE */
extern jmp_buf *model_killed;		/* NULL: it must not die */
extern uint32_t model_gdt_changed;	/* entries that were told of */
extern uint32_t model_kicks;		/* vCPUs that had to leave the guest */

/* A new guest, in VMI mode. */
void model_start(bool pae);
int model_setup(void **state);
/* One with two vCPUs, and of those the other goes on: as when it comes into the
 * guest. The last one stays there. */
void model_start_two(bool pae);
int model_setup_two(void **state);
void model_run(uint32_t n);
int model_setup_pae(void **state);
/* It writes to CR0, CR4 and EFER. */
void set_mode(uint32_t cr0, uint32_t cr4, uint32_t efer);

uint32_t *ram(uint32_t pa);
/* Entry i of the guest table at this address, in either format. */
void put(uint32_t table, uint32_t i, uint64_t val);
uint32_t entry_at(uint32_t table, uint32_t i);
/* Would the CPU allow it by the shadow tables? Where does it lead? */
bool cpu_walk(uint32_t va, uint64_t *pa, uint32_t *rights);
bool cpu_allows(uint32_t va, bool write, bool user, uint64_t *pa);
/* An access as the guest makes it, against what its tables say. */
void do_access(uint32_t va, bool write, bool user);
/* Everything that is mapped against the guest's tables. */
void check_all(void);
/* What a TLB would still hold must be in the shadow tables. */
void tlb_check(void);
/* The same of the sibling's, if it goes on in the guest. */
void other_flushed_check(void);

/* ---- shadow_walk.c ------------------------------------------------------ */

/* Tell of a changed entry or page in the queue. */
void tell(uint32_t pa);
void tell_page(uint32_t gfn, uint32_t op);

/* A guest that keeps the rules of x86 and VMI about telling does one thing,
 * and what follows is checked. */
void random_step(void);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The conformance suite: a guest for any ROM on any hypervisor, which looks
 * at nothing but what spec/vmi.md promises. Each point names its clause.
 *
 * Where a ROM leaves a call to the guest (type none) the suite uses its own
 * instruction, as any guest would, and looks at it with the same eyes: bare
 * hardware then judges the suite. Such a point is reported as skipped; it can
 * fail, but it cannot pass.
 */
#ifndef CONF_H
#define CONF_H

#include "calls.h"
#include "cpu.h"
#include "frames.h"
#include "native.h"
#include "paging.h"
#include "pc.h"
#include "tap.h"

/* ---- point.c -------------------------------------------------------------- */

bool point(const char *clause, bool good, const char *name);
void skip(const char *clause, const char *name, const char *reason);
/* Behaviour of one call: skipped if the guest keeps its own instruction. */
bool point_of(int call, const char *clause, bool good, const char *name);
void points_end(void);
void point_where(void);
const char *call_name(int call);

/* Every call is noted, lest its fault be nobody's. */
extern int last_call;
static inline uint32_t noted_call(int call, uint32_t eax, uint32_t edx,
				  uint32_t ecx, uint32_t stack)
{
	last_call = call;
	return vmi4(call, eax, edx, ecx, stack);
}
#define vmi4 noted_call
static inline void arm(uint32_t flags, uint64_t expiry, uint64_t period)
{
	last_call = VMI_CALL_SetAlarm;
	set_alarm(flags, expiry, period);
}
static inline uint64_t noted_call64(int call, uint32_t eax)
{
	last_call = call;
	return vmi64(call, eax);
}
#define vmi64 noted_call64

static inline bool offered(int call)
{
	return vmi_type[call] != VMI_RELOC_NONE;
}

#define is(clause, actual, expected, name) do {				\
	uint32_t actual_ = (uint32_t)(actual);				\
	uint32_t expected_ = (uint32_t)(expected);			\
	if (!point(clause, actual_ == expected_, name))			\
		print("# %x, expected %x\n", actual_, expected_);	\
} while (0)
#define is_of(call, clause, actual, expected, name) do {		\
	uint32_t actual_ = (uint32_t)(actual);				\
	uint32_t expected_ = (uint32_t)(expected);			\
	if (!point_of(VMI_CALL_##call, clause, actual_ == expected_, name)) \
		print("# %x, expected %x\n", actual_, expected_);	\
} while (0)

/* ---- calls.asm ------------------------------------------------------------- */

#define STACK_ARGS	4

struct poison {
	uint32_t eax, ebx, ecx, edx, esi, edi, ebp;
	uint32_t ds, es, fs, gs;
	uint32_t stack[STACK_ARGS];	/* at [esp + 4] on entry */
	uint32_t entry;
	uint32_t flags_before, flags_after;
	uint32_t esp_before, esp_after;
	uint32_t faulted;
};
void poisoned_call(struct poison *p);

struct user {
	uint32_t eip, cs, eflags, esp, ss;
	uint32_t eax, ebx, ecx, edx, esi, edi, ebp;
	uint32_t ds;			/* in the kernel, at the IRET */
	uint32_t sysexit;		/* with these flags, without IF */
};
void enter_user(const struct user *u);
/* IRET in the kernel with these flags and DS, ES; the flags then. */
uint32_t iret_with(uint32_t eflags, uint32_t ds);
/* IRET to such a frame, which faults; frame_esp is where it was. */
void iret_frame(uint32_t eip, uint32_t cs, uint32_t eflags, uint32_t esp,
		uint32_t ss);
extern uint32_t frame_esp;
extern uint32_t iret_through;		/* where it jumps to: iret_site */

/* In the kernel: the vector that it raised, or -1. Argument in ecx. */
int try_load_ds(uint32_t selector);
int try_load_gs(uint32_t selector);
int try_load_ss(uint32_t selector);
int try_divide(uint32_t by);
int try_ud2(uint32_t unused);
int try_int3(uint32_t unused);
int try_int21(uint32_t unused);
int try_int80(uint32_t unused);
int try_fpu(uint32_t unused);
int try_rdmsr(uint32_t number);
int try_wrmsr(uint32_t number);
int try_rdpmc(uint32_t number);
int try_write(uint32_t va);
/* Where each of them faults. */
extern uint8_t at_load_ds[], at_divide[], at_ud2[], at_int3[], at_int21[],
	       at_fpu[], at_int80[], at_load_gs[], at_load_ss[], at_write[],
	       at_rdmsr[], at_wrmsr[], at_rdpmc[];

/* User code, position independent; each ends in int 0x80. */
extern uint8_t u_begin[], u_end[];
extern uint8_t u_syscall[], u_cli[], u_sti[], u_hlt[], u_in[], u_divide[],
	       u_ud2[], u_int3[], u_load_ds[], u_spin[], u_fpu[], u_movcr[],
	       u_lgdt[], u_call[], u_gs0[], u_int_n[], u_read[], u_write[],
	       u_bound[], u_popf[], u_invlpg[], u_rdtsc[];

/* ---- paging.c: entries of 4 bytes or, with PAE, of 8 -------------------------- */

struct space {
	uint8_t directory[4 * PAGE];	/* without PAE the first page alone */
	uint64_t pdpt[PAGE / 8];
} __attribute__((aligned(PAGE)));

extern bool pae, nx;			/* "mode=pae"; EFER.NXE is set then */
extern struct space ours, theirs;	/* ours is the one that we boot with */

#define VMI_CALL_SetEntry	(pae ? VMI_CALL_SetPxELong : VMI_CALL_SetPxE)
#define VMI_CALL_UpdateEntry	(pae ? VMI_CALL_UpdatePxELong : \
				 VMI_CALL_UpdatePxE)
#define SET_CLAUSE		(pae ? "3.2.39" : "3.2.38")
#define PTE_NX			0x8000000000000000ull
#define PF_FETCH		(nx ? 0x10u : 0)

bool paging_can_pae(void);
void image_read_only(const uint8_t *image, uint32_t bytes);
uint32_t root(const struct space *s);	/* for CR3 */
uint32_t table_entries(void);
uint32_t large_size(void);		/* of a large page: 4 MB or 2 MB */
void *entry_at(void *table, uint32_t n);	/* through LINEAR */
void *dir_entry(struct space *s, uint32_t va);
uint64_t get(const void *entry);
void store(void *entry, uint64_t value);
void exchange(void *entry, uint64_t value);
void set_entry(void *entry, uint64_t value, uint32_t flags);
void update(void *entry, uint32_t flags);
void table_alloc(const void *table, uint32_t level);
void table_release(const void *table, uint32_t level);
void space_copy(struct space *to);
void space_clone(struct space *to);
void space_alloc(const struct space *s);
void space_release(const struct space *s);

/* ---- area.c ------------------------------------------------------------------- */

#define CODE_PAGE	0u		/* of PLAY */
#define STACK_PAGE	1u
#define RO_PAGE		2u
#define KERNEL_PAGE	3u
#define ABSENT_PAGE	4u
#define ODD_DS		(24 * 8 + 3u)	/* 4 GB from ODD_BASE, where nothing is mapped */
#define ODD_BASE	0x70000000u
#define ALIAS		16u		/* shows the first page of the play tables */

#define TEST_PAGE	PLAY_FIRST

#define shows(call, clause, page, n, name) \
	is_of(call, clause, play_read(page), FRAME_MARK + (n), name)

#define ENTRY_BITS	0xfffu		/* of an entry, the rest is the frame */

extern uint8_t user_pages[3][PAGE];
extern uint8_t spare_table[PAGE];
uint32_t play_va(uint32_t page);
void *play_entry(uint32_t page);
void link_play(struct space *s, uint32_t rights);	/* the first table */
void flush(void);
void play_map(uint32_t page, uint32_t entry);	/* SetPxE, or its like */
void area_init(void);
uint32_t kernel_ring(void);
/* Runs u_... in user mode until it traps. */
void user_run(const uint8_t *code, uint32_t eax, uint32_t ebx);
uint32_t user_va(const uint8_t *code);
struct user user_state(const uint8_t *code);

/* ---- chapters ----------------------------------------------------------------- */

void rom_before_init(void);		/* rom.c */
void rom_init_call(void);
void rom_relocation(void);
void rom_top(void);
void rom_after_all(void);
void registers(void);			/* registers.c */
void flags(void);			/* flags.c */
void delivery(void);
void returns(void);			/* returns.c */
void gates(void);
void faults(void);			/* faults.c */
void control(void);			/* control.c */
void instructions(void);
void descriptors(void);			/* descriptors.c */
void pages(void);			/* pages.c */
void spaces(void);
/* The entry is this value, but for what a processor adds. */
bool stays(const void *entry, uint64_t value);
void slots(void);			/* slots.c */
void pae_pages(void);			/* pae.c */
void batches(void);			/* batches.c */
void timers(void);			/* timers.c */
void apic(void);			/* apic.c */
void several(void);		/* several.c, and what is in several.h */

/* What LSL says of a selector with RPL 3; -1 if it is not usable. */
uint32_t limit_of(uint32_t selector);

#endif

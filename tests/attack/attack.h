/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The attacker: a guest that tries, one case per boot, to hurt the stub
 * hypervisor. tests/run/attack.py boots it with case=NAME; how a case must
 * end it knows from a boot without, which lists them all.
 */
#ifndef ATTACK_H
#define ATTACK_H

#include "calls.h"
#include "case.h"
#include "cmdline.h"
#include "cpu.h"
#include "paging.h"
#include "pc.h"
#include "tap.h"
#include "vmi_stub.h"

#define NO_STACK	"the stack at [0-9a-f]{8} cannot take the frame of " \
			"vector \\d+"
#define NO_STACK_AT	"no stack at [0-9a-f]{8}"
#define CANNOT_RUN	"cannot run at cs:eip [0-9a-f]{4}:[0-9a-f]{8}, " \
			"ss:esp .*"
#define OUTSIDE_MEMORY(what)	what " is outside its memory"
#define WRITE_OUTSIDE(where)	"write to guest-physical " where \
				", outside its memory"

extern const struct attack trap_cases[];	/* traps.c */
extern const struct attack debug_cases[];	/* debug.c */
extern const struct attack memory_cases[];	/* memory.c */
extern const struct attack segment_cases[];	/* segments.c */
extern const struct attack selector_cases[];	/* selectors.c */
extern const struct attack control_cases[];	/* control.c */
extern const struct attack event_cases[];	/* events.c */
extern const struct attack area_cases[];	/* area.c */
extern const struct attack flood_cases[];	/* flood.c */
extern const struct attack vm86_cases[];	/* vm86.c */
extern const struct attack user_cases[];	/* user.c */
extern const struct attack stack_cases[];	/* stacks.c */
extern const struct attack insn_cases[];	/* insns.c */
extern const struct attack hole_cases[];	/* hole.c */
extern const struct attack exhaust_cases[];	/* exhaust.c */
extern const struct attack neighbour_cases[];	/* neighbour.c */
extern const struct attack pae_cases[];		/* pae.c */
extern const struct attack step_cases[];	/* steps.c */
extern const struct attack step_fault_cases[];	/* step_faults.c */
extern const struct attack straddle_cases[];	/* straddle.c */
extern const struct attack end_cases[];		/* ends.c */
extern const struct attack return_cases[];	/* returns.c */
extern const struct attack asleep_cases[];	/* asleep.c */
extern const struct attack right_cases[];	/* rights.c */
extern const struct attack request_cases[];	/* requests.c */
extern const struct attack page_cases[];	/* pages.c */
extern const struct attack bystander_cases[];	/* bystander.c: not one */

/* What the bystander's memory is made of; attackers look for it. */
#define BYSTANDER_KEY	0x5bd1e995u

/* The shared area, where no guest is to look; and the working copy. */
#define TOP		0xfc000000u
#define SHARED		((volatile struct stub_shared *)(TOP + STUB_SHARED_OFFSET))

/* ---- main.c: user memory, pages of PLAY ------------------------------------ */

#define U_CODE		0u
#define U_STACK		1u
#define U_KERNEL	2u		/* the kernel's alone, written before */
#define U_FREE		8u		/* and what follows: for the case */
extern volatile uint8_t pages[4][PAGE];	/* the first three are mapped there */
extern uint32_t play_table[PLAY_PAGES];
extern uint32_t spare_table[1024];	/* a page to be a table, or not */

static inline uint32_t play(uint32_t page)
{
	return PLAY + page * PAGE;
}

static inline uint32_t frame_of(const void *low)
{
	return (uintptr_t)low / PAGE;
}

#define MAPS(low, bits)	((uint32_t)(uintptr_t)(low) | PTE_P | (bits))

/* With PAE: on, before VMI_Init; and what is said behind it. */
void pae_enter(void);
void pae_announce(void);

/* ---- area.c: the shared area, kept and put back ------------------------------ */
void keep_area(void);
void restore_area(void);

void map(uint32_t page, uint32_t entry);	/* SetPxE, no flush */
void flush(void);

/* These bytes in user mode until they trap, into last_trap. */
#define USER(code, ebx)	user_bytes(code, sizeof(code) - 1, ebx)
void user_bytes(const char *code, uint32_t length, uint32_t ebx);
void run_user_bytes(const char *code, uint32_t length, uint32_t eax,
		    uint32_t ebx);

/* A hypercall as the ROM makes it, with anything in the registers. */
uint32_t hypercall(uint32_t nr, uint32_t edx, uint32_t ecx);

/* A gate as the IDT has it, with WriteIDTEntry. */
uint32_t *gate_of(int vector);
void set_idt(int vector, uint32_t low, uint32_t high);

/* TCG checks no limits, and lets all rings enter virtual-8086 mode. */
bool on_tcg(void);
uint32_t random32(void);
void seed_random(uint32_t seed);

/* ---- enter.asm ------------------------------------------------------------- */

/* To user mode by the code at iret; resume_kernel() of the runtime ends it. */
void enter_user(uint32_t eip, uint32_t esp, const void *iret);
extern const uint8_t plain_iret[];

/* To code in user mode, EBX and EDI alike, until it traps, into last_trap. */
void run_user_with(uint32_t eip, uint32_t ebx, uint32_t ecx, uint32_t edx);
/* Calls code in the kernel so; the vector it raised, or -1. */
int run_kernel(uint32_t eip, uint32_t eax, uint32_t ebx, uint32_t ecx,
	       uint32_t edx);

/* A far call to selector:far_target; the vector it raised, or -1. */
int far_call(uint32_t selector);
extern uint32_t far_cs;			/* CS there */
int load_es(uint32_t selector);		/* likewise; null again behind it */
int native_rdtsc(void);
/* IRET by the ROM's entry to this CS, in the kernel. */
int iret_to(uint32_t cs, uint32_t entry);
/* The same to user mode: to this CS and EIP, or with this SS. */
int iret_user_to(uint32_t cs, uint32_t eip);
int iret_user_ss(uint32_t ss, uint32_t eip);
/* IRET by this hypercall, to where it returns: CS, EFLAGS, ESP, SS. */
int iret_by_hypercall(const uint32_t frame[4], uint32_t number);
/* To this code with this ESP, until a trap from user mode resumes the kernel
 * or one of its own is the fixup's; fixup and its vector are left behind. */
int iret_from(uint32_t esp, uint32_t code);
void hc_iret(void);
/* IRET by this code to the kernel, with these flags; the vector, or -1. */
int iret_by(uint32_t entry, uint32_t eflags);
/* IRETD to here, with segments of 0: 13 if it is refused, 0 if one of the
 * kernel's handlers calls resume_kernel(). */
int enter_vm86(uint32_t cs, uint32_t eip, uint32_t eflags);
/* MOV SS from this word, then the hypercall edx. */
int load_ss_and_call(const uint32_t *word, uint32_t nr);
/* Single steps from eip, all registers value, on a stack of its own whose
 * words all are stepped_out; until stepped() of area.c lets it go. */
void step_from(uint32_t eip, uint32_t value);
extern uint32_t step_stack[64];
extern const uint8_t stepped_out[];

/* One call of the ROM with an interrupt some instructions later: an alarm
 * after so many cycles, the delay, the call. Order of registers: EAX, ECX,
 * EDX, EBX, ESI, EDI, EBP, ESP. */
struct step_call {
	uint32_t	delay, entry;
	uint32_t	in[3], stack;
	uint32_t	time, flags;
	uint32_t	out[8], eflags, mask;
	uint32_t	called, done;		/* returned to, has returned */
	uint32_t	esp;			/* those above count from here */
	uint32_t	iret, sysexit;		/* entries */
};
#define STEP_EAX	1u
#define STEP_ECX	2u
#define STEP_EDX	4u
extern struct step_call the_call;
void step_run(void);
void __attribute__((noreturn)) step_finish(void);	/* what it fills in is there */
/* IRET and SYSEXIT as calls: to the caller, or to INT 80h in user mode. */
extern const uint8_t step_iret_on[], step_iret_off[], step_iret_user[],
		     step_sysexit[], step_end[];

#endif

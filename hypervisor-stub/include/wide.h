/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a 64-bit guest ("wide") needs beside the rest. Its kernel runs at ring 1
 * in 64-bit mode, where paging takes it for supervisor, so that nothing of ours may be
 * in its address space but the trampoline: the way in and out (x86/trampoline.asm),
 * in the hole that kernels leave to hypervisors there, at the same addresses in the
 * guest's tables and in ours ("views").
 *
 * The guest can read all of it at ring 1, and write the entry page and the shared
 * area of its own vCPU. In our view another page is where the entry page is, so that
 * what we push when we are interrupted ourselves is not for the guest.
 */
#ifndef WIDE_H
#define WIDE_H

#include <stdbool.h>
#include <stdint.h>

#define TRAMP_BASE	0xffff878000000000ull	/* PML4 entry 271 */

/* Pages of it. */
enum {
	TRAMP_TEXT,			/* two: stubs by vector, and the rest */
	TRAMP_IDT = 2,
	TRAMP_CONSTANTS,		/* struct tramp_constants */
	TRAMP_ENTRY,			/* where the processor pushes */
	TRAMP_SHARED,			/* struct stub64_shared: three */
	TRAMP_GDT = 8,			/* GDT_ENTRIES of 8 bytes: two */
	TRAMP_STEP = 10,		/* stubs while it is stepped */
	TRAMP_LDT = 16,			/* 64 KB */
	TRAMP_PAGES = 32
};
#define TRAMP_AT(page)	(TRAMP_BASE + (page) * 4096ull)

/* Tops of the stacks in the entry page. Of those for #DB, NMI, #DF and #MC the
 * processor uses one after the other; what it pushes is less than 128 bytes. */
#define ENTRY_DB	0x400u
#define ENTRY_NMI	0x600u
#define ENTRY_DF	0x800u
#define ENTRY_MC	0xa00u
#define ENTRY_TOP	0xff0u		/* TSS.RSP0; SYSCALL's, too */
#define ENTRY_SCRATCH	0xff8u		/* the user's RSP, on the way */

/* What is at ENTRY_TOP at an exit that is handled without struct regs. */
struct brief_frame {
	uint64_t	r11, r10, r9, r8, rdi, rsi, rdx, rcx, rax;
	uint64_t	error;
	uint64_t	rip, cs, rflags, rsp, ss;	/* as in struct regs */
};

/* v->entry is not the guest's to write while it is not running. */
#define brief_frame(v)	((const struct brief_frame *)			\
			 ((v)->entry + ENTRY_TOP - sizeof(struct brief_frame)))

/* What is at the top of our own page there. */
struct tramp_host {
	uint64_t	regs;		/* struct regs, of the vCPU */
	uint64_t	nmi_stack, mc_stack;	/* of the processor */
	uint64_t	unused;
};

/* For the trampoline to read, with the guest's tables loaded. */
struct tramp_constants {
	uint8_t		tss[104];
	uint64_t	host_cr3;
	uint64_t	lstar, cstar;	/* the guest's; canonical */
	uint64_t	syscall_cs, syscall_ss;
	uint64_t	fault_rip;	/* the guest's gate for #PF; 0: not to be
					 * used from there */
	uint64_t	fault_cs;
	uint64_t	pte_addr;	/* PTE_ADDR */
	uint64_t	pte_beyond;	/* its bits that have to be 0 */
};

#endif

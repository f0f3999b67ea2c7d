/* SPDX-License-Identifier: GPL-2.0-only */
/* What is done about speculative execution, and why: speculation.c. */
#ifndef SPECULATION_H
#define SPECULATION_H

#include <stdbool.h>
#include <stdint.h>

/* What the processor says that matters here. */
struct speculation_cpu {
	bool		tcg;		/* QEMU's: it does not speculate */
	uint32_t	leaf7_edx;	/* CPUID 7.0 */
	uint32_t	leaf7_2_edx;	/* CPUID 7.2; 0: there is none */
	uint32_t	amd8_ebx;	/* CPUID 80000008h */
};

struct mitigations {
	bool		retpoline;	/* our indirect branches */
	/* At a switch of guests. */
	bool		fill_rsb, ibpb, verw;
	uint64_t	spec_ctrl;	/* IA32_SPEC_CTRL, once and for all */
};

struct mitigations speculation_choose(const struct speculation_cpu *);

/* Both while code can still be written. */
void speculation_apply(const struct mitigations *);
void speculation_init(bool off);
void speculation_switch(void);		/* from one guest to another */

#endif

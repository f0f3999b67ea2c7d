/* SPDX-License-Identifier: GPL-2.0-only */
/* Guests: what they are made of, their time, and what the machine tells of
 * them. */
#ifndef CORE_H
#define CORE_H

#include "x86.h"

/* ---- guests (guest.c) ---------------------------------------------------- */

/* What a guest is made of. All of it stays where it is for as long as it may be
 * started again. */
struct guest_image {
	const char	*name;		/* what errors call it */
	const uint8_t	*data;
	uint64_t	size;
};
struct guest_config {
	const char	*name;
	struct guest_image kernel, rom, initrd;
	const char	*cmdline;
	uint64_t	memory;		/* MB */
	uint32_t	starts;		/* one after the other; 1 or more */
	uint8_t		console;	/* host.h */
	bool		nobatch, verify, trace;
};

struct guest {
	const char	*name;		/* "guest", or "guest 2" among others */
	const struct guest_config *config;
	uint32_t	slot;		/* in guests[] */
	uint32_t	starts;		/* so far */
	struct vcpu	vcpu;
	struct mm	mm;
	struct rom	rom;
	struct trace_ring *trace;	/* NULL: nobody wants it */

	struct bus	bus;
	struct apic	apic;
	struct pic	pic;
	struct pit	pit;
	struct uart	uart;
	struct rtc	rtc;
	uint8_t		console;	/* number (host.h) */

	uint64_t	hcall[STUB_HC_COUNT];	/* statistics */
};

#define GUESTS_MAX	8
extern struct guest *guests[GUESTS_MAX];
extern uint32_t guest_count;

/*
 * A guest, ready to run. False: error says why, and nothing is left of it. The
 * CPU has to hold no other vCPU's state, and holds this one's then.
 */
#define GUEST_ERROR_MAX	256
bool guest_create(const struct guest_config *, char *error);
/* All that an ended guest had goes back to the machine, but for its statistics.
 * The CPU does not hold its state any more. */
void guest_release(struct guest *);
bool guest_starts_again(const struct guest *);
/* As guest_create(), from the same configuration, after a release. False: it
 * could not be, and will not be again. */
bool guest_restart(struct guest *);

/* ---- its devices (io.c) --------------------------------------------------- */

void io_init(struct guest *);
void io_end(struct guest *);	/* it has no console any more */
/* Console 0 has data; for whom, if for anybody. */
struct vcpu *io_console_interrupt(void);

/* ---- timer.c ------------------------------------------------------------ */

uint64_t timer_update(struct vcpu *);	/* fire what is due; the next, TSC */
void timer_changed(struct vcpu *);	/* its clocks were set, as it runs */
uint64_t timer_wake(const struct vcpu *);	/* when it would be woken */
void alarm_set(struct vcpu *, uint32_t flags, uint64_t expiry, uint64_t period);
bool alarm_cancel(struct vcpu *, uint32_t flags);

/* ---- sched.c ------------------------------------------------------------ */

/* All guests that there are, until the last has ended. */
void __attribute__((noreturn)) sched_run(void);
/* The vCPU has stopped: who goes on, ready to be entered. */
struct vcpu *sched_next(struct vcpu *, enum stop);
/* The time since the last call was this one's, or nobody's: what was done then
 * may have woken it. */
void sched_charge(struct vcpu *);

/* ---- what is told of them (stats.c, report.c) ------------------------------ */

extern const char *const hcall_name[STUB_HC_COUNT];	/* hc_... */
void stats_print(void);
void stats_cpuid(struct guest *, uint32_t leaf, uint32_t r[4]);
/* Where it is: for who developed it. */
void report(struct vcpu *);
/* Where all are, when an NMI finds that vmi-run asks (metal/nmi.asm): the end.
 * What was interrupted may be the hypervisor itself. */
void __attribute__((noreturn)) report_asked(const struct regs *);

#endif

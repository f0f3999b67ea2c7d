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
struct guest_device {		/* of a unikernel */
	char		name[68];	/* in its manifest */
	bool		net;		/* else a disk */
	uint32_t	nr;		/* host.h */
};
#define GUEST_DEVICES	63		/* as many as a manifest has */
struct guest_config {
	const char	*name;
	struct guest_image kernel, rom, initrd;
	const char	*cmdline;
	uint64_t	memory;		/* MB */
	uint32_t	cpus;		/* 1 to GUEST_VCPUS */
	uint32_t	starts;		/* one after the other; 1 or more */
	struct guest_device device[GUEST_DEVICES];
	uint32_t	devices;
	uint32_t	shares;		/* 1 to GUEST_SHARES_MAX */
	uint32_t	pin;		/* processors by bit; one that there is */
	uint8_t		console;	/* host.h */
	bool		nobatch, verify, trace;
};

#define GUEST_VCPUS	8
#define GUEST_SHARES	100	/* if nobody says it */
#define GUEST_SHARES_MAX 10000
_Static_assert(GUEST_VCPUS <= MM_MMUS, "each has tables");

struct guest {
	const char	*name;		/* "guest", or "guest 2" among others */
	const struct guest_config *config;
	uint32_t	slot;		/* in guests[] */
	uint32_t	starts;		/* so far */
	bool		unikernel;	/* one of Solo5's */
	bool		wide;		/* a 64-bit one; unikernels are */
	uint32_t	shares, pin;	/* of the configuration, for each vCPU */
	struct spinlock	lock;		/* all from here on, but what is sched.c's;
					 * that begins anew with each start */
	uint32_t	vcpus;
	struct vcpu	vcpu[GUEST_VCPUS];	/* 0 begins */
	/* sched.c's: vCPUs whose state is in a processor; no one goes on; the
	 * worst; it will not start again. */
	uint32_t	loaded;
	bool		ended;
	enum end	end;
	bool		gone;
	struct mm	mm;
	struct rom	rom;
	struct trace_ring *trace;	/* NULL: nobody wants it */
	struct solo5	*solo5;		/* of a unikernel */
	struct vcpu_start start;	/* of a 64-bit guest */

	struct bus	bus;
	struct apic	apic[GUEST_VCPUS];
	struct pic	pic;
	struct ioapic	ioapic;		/* with several vCPUs */
	struct pit	pit;
	struct uart	uart;
	struct rtc	rtc;
	uint8_t		console;	/* number (host.h) */
};

#define GUESTS_MAX	8
extern struct guest *guests[GUESTS_MAX];
extern uint32_t guest_count;

/* A guest, ready to run; no processor has anything of it yet. False: error says
 * why, and nothing is left of it. */
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

void io_init(struct guest *);	/* its memory is there */
void io_end(struct guest *);	/* it has no console any more */
/* Console 0 has data. */
void io_console_interrupt(void);

/* ---- hcall.c -------------------------------------------------------------- */

void hcall(struct vcpu *, struct regs *);	/* vcpu.hypercall */
void hcall_wide(struct vcpu *, struct regs *);

/* ---- between vCPUs (ipi.c) ------------------------------------------------ */

/* A request of the guest's IRQ: 0 to 15, but for 2. */
void ipi_set_irq(struct guest *, unsigned int irq, bool level);
void ipi_pic_changed(struct guest *);	/* its 8259s were written to */
void ipi_ioapic_write(struct guest *, uint32_t offset, uint32_t value);
/* A register of its APIC; ICR sends. */
void ipi_apic_write(struct vcpu *, uint32_t offset, uint32_t value);
/* Copies the block, for the vCPU with this APIC id. False: it cannot be read. */
bool ipi_initial_state(struct vcpu *, uint32_t apic_id, gva32_t block);

/* ---- timer.c ------------------------------------------------------------ */

uint64_t timer_update(struct vcpu *);	/* fire what is due; the next, TSC */
uint64_t timer_wake(const struct vcpu *);	/* when it would be woken */
void timer_pit_changed(struct guest *);	/* or who is on */
void alarm_set(struct vcpu *, uint32_t flags, uint64_t expiry, uint64_t period);
bool alarm_cancel(struct vcpu *, uint32_t flags);

/* ---- sched.c ------------------------------------------------------------ */

/* All guests that there are, until the last has ended. */
void __attribute__((noreturn)) sched_run(void);
/* The vCPU has stopped: who goes on, ready to be entered. */
struct vcpu *sched_next(struct vcpu *, enum stop);
/* The time since the last call was this one's, or nobody's: what was done then
 * may have woken it. As for what follows, with its guest's lock. */
void sched_charge(struct vcpu *);
/* An interrupt was requested of it, maybe by another. */
void sched_notify(struct vcpu *);
/* Its clocks were set, maybe by another. */
void sched_clocks_changed(struct vcpu *);
/* It can run from now on. */
void sched_add(struct vcpu *);
/* INIT: it waits for STARTUP, now or when it has stopped. */
void sched_off(struct vcpu *);
/* STARTUP: it can run, if it waits for that and has a state to begin with. */
void sched_startup(struct vcpu *);

/* ---- what is told of them (stats.c, report.c) ------------------------------ */

extern const char *const hcall_name[STUB_HC_COUNT];	/* hc_... */
void stats_print(void);
void stats_cpuid(struct guest *, uint32_t leaf, uint32_t r[4]);
/* Where it is: for who developed it. */
void report(struct vcpu *);
/* Where all are, when an NMI finds that vmi-run asks (metal/nmi.asm): the end. Of
 * several processors the first reports, where another was goes into that. What
 * was interrupted may be the hypervisor itself. */
void __attribute__((noreturn)) report_asked(const struct regs *);

#endif

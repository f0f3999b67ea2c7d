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
/* Whose guest it takes itself for (personality.c). */
enum personality { OPENVMI, JAILHOUSE, ACRN, KVM, PERSONALITIES };
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
	uint32_t	rights;		/* VMI_RIGHT_* */
	enum personality personality;
	uint32_t	introspect;	/* its channel (host.h) and one; 0: no */
	bool		nobatch, verify, trace;
	bool		unmanaged;	/* nobody may call for it but itself */
	uint64_t	comm;		/* guest-physical; 0: it has none;
					 * VMI_COMM_ANY: where there is room */
	uint32_t	reply_timeout;	/* ms; 0: for ever */
	bool		passive;	/* no vote */
	const char	*label;		/* what its maker calls it; or NULL */
};

#define GUEST_VCPUS	8
#define GUEST_SHARES	100	/* if nobody says it */
#define GUEST_SHARES_MAX 10000
#define REPLY_TIMEOUT_MAX 3600000u
_Static_assert(GUEST_VCPUS <= MM_MMUS, "each has tables");

/* Who answers where no device of ours does (requests.c). */
#define CLAIMS_MAX	16
struct service {
	struct guest	*by;		/* NULL: nobody */
	uint64_t	life;		/* of that */
	uint64_t	page;		/* of slots, in its memory */
	bool		polling;
	struct claim {
		uint64_t	first, count;	/* ports, or bytes */
		bool		memory;
	} claim[CLAIMS_MAX];
	uint32_t	claims;
	uint32_t	slots;		/* by vCPU: the server has a request of it */
	uint32_t	lines;		/* IRQs that it holds up */
	uint32_t	drops;		/* so often its requests were over at once */
};

struct guest {
	const char	*name;		/* "guest", or "guest 2" among others */
	const struct guest_config *config;
	uint32_t	slot;		/* in guests[] */
	uint32_t	starts;		/* so far */
	bool		unikernel;	/* one of Solo5's */
	bool		wide;		/* a 64-bit one; unikernels are */
	bool		special;	/* that, introspected or served: it may wait
					 * for something else than interrupts */
	uint32_t	shares, pin;	/* of the configuration, for each vCPU */
	/* manage.c's: made while others run, out of this; it is to start again; it
	 * never will, and its place is another's when it is gone. */
	struct made	*made;
	bool		reset, destroyed;
	bool		paused;
	bool		waits;		/* it is made, and was not started yet */
	struct kvmi	*kvmi;		/* of all its starts; NULL: nobody looks */
	struct spinlock	lock;		/* all from here on, but what is sched.c's,
					 * and begins anew with each start, but: */
	struct service	service;	/* of all its starts; */
	uint64_t	life;		/* no two starts of guests have the same */
	uint32_t	vcpus;		/* all from here on */
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
	struct pages	*pages;		/* of one that may introspect */

	struct bus	bus;
	struct apic	apic[GUEST_VCPUS];
	struct pic	pic;
	struct ioapic	ioapic;		/* with several vCPUs */
	struct pit	pit;
	struct uart	uart;
	struct rtc	rtc;
	uint8_t		console;	/* number (host.h) */
	uint8_t		upcall;		/* vector, of N-7; 0: none */

	/* Its shared variables (comm.c). */
	struct comm {
		uint64_t	page;		/* guest-physical; 0: it has none */
		uint32_t	message;	/* that it has not replied to; 0 */
		uint32_t	reply;		/* to the last; 0: there was none */
		uint64_t	deadline;	/* TSC; UINT64_MAX */
		bool		failed;		/* it did not reply in time */
		bool		asked;		/* the last message was a request, */
		bool		approved;	/* and so was its reply */
		uint32_t	final;		/* a state that stays; 0 */
	} comm;
};

#define GUESTS_MAX	8
extern struct guest *guests[GUESTS_MAX];
extern uint32_t guest_count;

/* A ROM that the machine has: guests without one of their own get the first of their
 * kind. Before the first guest is made. */
void guest_rom(const struct guest_image *);
/* A guest, ready to run; no processor has anything of it yet. False: error says
 * why, and nothing is left of it. */
#define GUEST_ERROR_MAX	256
bool guest_create(const struct guest_config *, char *error);
/* The same in this place: a new one, or that of one that was destroyed and is gone. */
bool guest_create_at(uint32_t slot, const struct guest_config *, struct made *,
		     char *error);
/* All that an ended guest had goes back to the machine, but for its statistics.
 * The CPU does not hold its state any more. */
void guest_release(struct guest *);
bool guest_starts_again(const struct guest *);
/* As guest_create(), from the same configuration, after a release. False: it
 * could not be, and will not be again. */
bool guest_restart(struct guest *);

/* ---- by a guest that may (manage.c) ------------------------------------------ */

/* It was destroyed and released: nothing is left but a place for another. */
void manage_forget(struct guest *);
/* What a guest was made of. */
void made_free(struct made *);
/* Its console: a byte from it; one for it, or -1; is there one? */
void made_put(struct made *, uint8_t);
int made_get(struct made *);
bool made_has(const struct made *);

/* ---- pages of other guests (pages.c) ------------------------------------------ */

bool pages_init(struct guest *);	/* false: no memory */
void pages_free(struct guest *);
/* It has ended, and none of its vCPUs is in a processor; without any guest's lock.
 * What it has mapped goes back, and so do its own pages that others have mapped. */
void pages_end(struct guest *);

/* ---- its devices (io.c) --------------------------------------------------- */

void io_init(struct guest *);	/* its memory is there */
void io_end(struct guest *);	/* it has no console any more */
void io_typed(struct guest *);	/* made_has(); with its lock */
/* Console 0 has data. */
void io_console_interrupt(void);

/* ---- hcall.c -------------------------------------------------------------- */

void hcall(struct vcpu *, struct regs *);	/* vcpu.hypercall */
void hcall_wide(struct vcpu *, struct regs *);
void hcall_watched(struct vcpu *, struct regs *);	/* while somebody does */

/* ---- calls to the hypervisor proper (dispatch.c, personality.c) ------------- */

/* CPUID, by call or instruction: vcpu.cpuid */
void personality_cpuid(struct vcpu *, uint32_t leaf, uint32_t sub,
		       uint32_t r[4]);
bool personality_vmcall(struct vcpu *, uint32_t length, bool code64);

/* ---- shared variables (comm.c) ----------------------------------------------- */

/* All with the guest's lock. */
void comm_init(const struct guest *);	/* it is loaded */
/* By when it is to reply, or UINT64_MAX. When that is over, before it runs on:
 * then it has failed. */
uint64_t comm_due(struct guest *);
/* enum vmi_guest_state, or -VMI_EINVAL: what the guest says is none. */
int64_t comm_state(struct guest *);
/* enum vmi_message. Its reply, if that is known at once, or 0. */
int64_t comm_send(struct guest *, uint64_t message);
int64_t comm_reply(struct guest *);	/* enum vmi_reply, or an error */
/* May it be ended, as far as it has a say? */
bool comm_approves(struct guest *);
void comm_end(struct guest *);		/* it ends; its memory is still there */

/* ---- between vCPUs (ipi.c) ------------------------------------------------ */

/* A request of the guest's IRQ: 0 to 15, but for 2. */
void ipi_set_irq(struct guest *, unsigned int irq, bool level);
void ipi_pic_changed(struct guest *);	/* its 8259s were written to */
void ipi_ioapic_write(struct guest *, uint32_t offset, uint32_t value);
/* A register of its APIC; ICR sends. */
void ipi_apic_write(struct vcpu *, uint32_t offset, uint32_t value);
/* Copies the block, for the vCPU with this APIC id. False: it cannot be read. */
bool ipi_initial_state(struct vcpu *, uint32_t apic_id, gva_t block);

/* From the hypervisor, to vCPU 0. */
void ipi_upcall(struct guest *, uint8_t vector);

/* ---- requests.c ------------------------------------------------------------- */

enum bus_result requests_ask(struct vcpu *, struct access *);	/* vcpu.ask */
/* It stopped for that: it asks, or looks whether there is an answer. The guest's lock is
 * given back meanwhile. */
void requests_go(struct vcpu *);
/* There is, and what it was asked for is carried out. */
bool requests_over(struct vcpu *);
void requests_off(struct vcpu *);	/* INIT */
void requests_start(struct guest *);	/* it has its devices */
void requests_end(struct guest *);	/* it ends; who waits for it: guest_end.c */

/* ---- kvmi.c --------------------------------------------------------------- */

bool kvmi_init(struct guest *);	/* as its configuration says; false: no memory */
void kvmi_free(struct guest *);
void kvmi_start(struct guest *);	/* it can run */
void kvmi_end(struct guest *);	/* it has ended, */
void kvmi_gone(struct guest *);	/* and does not start again by itself */
void kvmi_interrupt(void);	/* a channel has something */
/* In its processor it does what it was asked. False: it must not go on. */
bool kvmi_serve(struct vcpu *);
/* It has left the guest, for that or for something else. */
void kvmi_left(struct vcpu *);
/* Is it to execute one instruction? It is about to. */
bool kvmi_steps(const struct vcpu *);
void kvmi_arm(struct vcpu *);
/* Of a guest that nobody looks at these are false. */
bool kvmi_asked(const struct vcpu *);
bool kvmi_holds(const struct vcpu *);
void kvmi_off(struct vcpu *);	/* INIT */
void kvmi_on(struct vcpu *);	/* STARTUP */
/* GuestRequest was called (spec/introspection.md, INTRO-6). Is the tool told? The
 * guest goes on behind the call in any case. */
bool introspect_hypercall(struct vcpu *);

/* ---- control.c ------------------------------------------------------------ */

bool control_init(uint32_t channel);	/* false: no memory */
void control_interrupt(void);		/* a channel has something */

/* ---- timer.c ------------------------------------------------------------ */

uint64_t timer_update(struct vcpu *);	/* fire what is due; the next, TSC */
uint64_t timer_wake(const struct vcpu *);	/* when it would be woken */
void timer_pit_changed(struct guest *);	/* or who is on */
void alarm_set(struct vcpu *, uint32_t flags, uint64_t expiry, uint64_t period);
bool alarm_cancel(struct vcpu *, uint32_t flags);

/* ---- sched.c, sched_control.c, guest_end.c -------------------------------- */

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
/* There is another guest, or one with other vCPUs. */
void sched_guests_changed(void);
/* Of a guest that is not the caller's, with its lock: it begins, it stands still, it
 * goes on, it ends as if it wished. */
void sched_begin(struct guest *);
void sched_pause(struct guest *);
void sched_resume(struct guest *);
void sched_end(struct guest *);
/* It comes to kvmi_serve(), whatever it waits for; it is on, or its guest is paused. */
void sched_ask(struct vcpu *);
/* It waits for that guest, or has stopped to (NULL), and looks itself at a time. */
void sched_waits(struct vcpu *, struct guest *, uint64_t look);
void sched_answered(struct vcpu *);	/* it need not any more */
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

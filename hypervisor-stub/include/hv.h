/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The two objects of the hypervisor: struct guest (memory, devices, shadow
 * tables) and its one struct vcpu, and what each file offers to the others.
 */
#ifndef HV_H
#define HV_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <host.h>

#include "vmi_stub.h"
#include "decode.h"
#include "devices.h"
#include "mm.h"
#include "panic.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* ---- exits -------------------------------------------------------------- */

/*
 * The guest's registers, built by the CPU and entry.asm at the top of the
 * vCPU's stack at every exit. The upper half of eip, cs, esp and ss is zero;
 * gpr[ESP] is unused.
 */
struct regs {
	uint32_t	gpr[8];
	uint64_t	pad;
	uint64_t	vector;
	uint64_t	error;
	uint64_t	eip, cs, eflags, esp, ss;
	/* Above what the CPU pushes. */
	struct vcpu	*vcpu;		/* whose they are */
	uint64_t	caller;		/* RSP, where vcpu_enter() returns */
	uint64_t	stop;		/* enum stop: the exit is not all */
	uint64_t	pad2;
};

/*
 * Why a vCPU does not go on where an exit has led it: there is something that
 * the scheduler decides. Of two reasons the greater one counts.
 */
enum stop {
	STOP_NOT,
	STOP_INTERRUPTED,	/* the machine was; time has passed */
	STOP_HALTED,		/* until an interrupt is pending */
	STOP_ENDED,		/* with its guest; vcpu.end says how */
};

/* Ring of the interrupted code: 1 guest kernel, 3 guest user. */
static inline unsigned int regs_ring(const struct regs *r)
{
	return r->cs & 3;
}

/* ---- descriptor tables -------------------------------------------------- */

#define GDT_GUEST	512		/* entries that the guest can have */
#define GDT_ENTRIES	(GDT_GUEST + 8)
#define LDT_ENTRIES	8192
#define HV_CS		(GDT_GUEST * 8)	/* the hypervisor's own, above them */
#define HV_TSS		(HV_CS + 16)
#define HV_LDT		(HV_CS + 32)

/* A guest IDT gate, ready for delivery. */
struct gate {
	uint32_t	eip;
	uint16_t	cs;		/* RPL 1 */
	uint8_t		type;		/* GATE_* */
	uint8_t		dpl;		/* 0 with GATE_NONE */
};
#define SYSCALL_VECTOR	0x80
/* What delivery through a gate clears (SDM Vol. 3, 6.12.1.3). */
#define EFLAGS_GATE_CLEARS (EFLAGS_TF | EFLAGS_NT | EFLAGS_RF | EFLAGS_VM)
#define GATE_NONE	0		/* of a type that we do not deliver through */
#define GATE_ABSENT	2		/* of a good type, but not present */
#define GATE_INTERRUPT	14
#define GATE_TRAP	15

static inline bool gate_usable(const struct gate *gate)
{
	return gate->type >= GATE_INTERRUPT;
}

/* ---- statistics --------------------------------------------------------- */

struct stats {
	uint64_t	hcall[STUB_HC_COUNT];
	uint64_t	drains;			/* that found something */
	uint64_t	drained;		/* entries in all */
	uint64_t	reflected;		/* page faults that are the guest's */
	uint64_t	emulated[INSN_OPS];
	uint64_t	io_unknown;
	uint64_t	injected;		/* virtual interrupts */
};

/* ---- the vCPU ----------------------------------------------------------- */

#define CALLS_LEN	64

struct vcpu {
	/* Used by entry.asm. */
	volatile struct stub_shared *sh;	/* untrusted */
	uint32_t	stack_limit;	/* a frame may lie here and below */
	struct gate	gate[256];
	uint8_t		syscall_dpl;	/* of gate 80h; 0 before VMI_Init */
	uint64_t	exits[256];	/* by vector */

	struct guest	*g;
	struct mmu	mmu;
	struct regs	*regs;		/* at the top of its stack */

	/* sched.c; times in TSC cycles. */
	uint64_t	ran;		/* what the scheduler compares */
	uint64_t	since;		/* it could run since then, less what
					 * was charged to it meanwhile */
	uint64_t	stolen;		/* it waited to run, in all */
	uint64_t	wake;		/* when its clocks will, while halted */
	bool		halted, ended;
	enum end	end;		/* with STOP_ENDED */

	/* State of the processor while another vCPU runs. */
	uint16_t	sreg[4];	/* DS, ES, FS, GS */
	uint8_t		fpu[512] __attribute__((aligned(16)));	/* FXSAVE */

	bool		verify;		/* mmu_verify() after every drain */
	bool		interrupted;	/* for it: since user mode */
	uint32_t	queue_start;	/* where the queue is empty: STUB_QUEUE_LEN
					 * - 1 makes every update exit */

	/* The hypervisor's own copies of what it relies on. */
	uint32_t	cr0, cr4;	/* CR3: mmu.cr3 */
	uint32_t	dr[8];		/* 4 to 6 are not used */
	uint32_t	efer;		/* EFER_NXE or 0 */
	uint32_t	iopl;		/* EFLAGS position */
	uint32_t	idt_base, idt_limit;
	uint32_t	gdt_base, gdt_limit;
	uint32_t	ldt_base, ldt_limit;
	uint32_t	ldt_used;	/* entries that may be set */
	uint16_t	ldt, tr;
	uint32_t	tss_base, tss_limit;

	uint64_t	pat;		/* IA32_PAT */
	uint32_t	sysenter_cs, sysenter_esp, sysenter_eip;
	uint64_t	*gdt_table, *ldt_table;

	/* ROM windows, linear addresses. */
	struct stub_window window[STUB_WINDOWS];
	uint32_t	windows;
	uint32_t	rom_base, rom_end;
	uint32_t	iret_entry, iret_insn[2];
	uint32_t	iret_site;	/* last known, 0 none */

	/* VMI-3.7; times in TSC cycles. By counter: real, available. */
	struct alarm {
		bool		armed, lvtt;
		uint64_t	expiry, period;	/* 0: one-shot */
	} alarm[VMI_CYCLES_AVAILABLE + 1];
	uint64_t	tsc_base;	/* TSC at VMI_Init */

	/* For reports. */
	struct call {			/* the last hypercalls */
		uint32_t gpr[4];	/* EAX to EBX */
		uint64_t eip, esp;
	} call[CALLS_LEN];
	uint32_t	call_at;	/* offset of the oldest, that is next */
	gva_t		fault_va;	/* that ends the guest */
};

struct guest {
	const char	*name;		/* "guest", or "guest 2" among others */
	const struct guest_config *config;
	uint32_t	slot;		/* in guests[] */
	uint32_t	starts;		/* so far */
	struct vcpu	vcpu;
	struct mm	mm;
	const uint8_t	*rom;		/* working copy */
	struct trace_ring *trace;	/* rom.c; NULL: nobody wants it */
	uint32_t	rom_size;
	uint32_t	virtual_top;

	struct apic	apic;
	struct pic	pic;
	struct pit	pit;
	struct uart	uart;
	struct rtc	rtc;
	uint8_t		console;	/* number (host.h) */

	struct bus	bus;
	struct stats	stats;
};

extern struct vcpu *current;		/* the vCPU on this CPU */

static inline void vcpu_stop(struct vcpu *v, enum stop why)
{
	if (v->regs->stop < why)
		v->regs->stop = why;
}

#define GUESTS_MAX	8
extern struct guest *guests[GUESTS_MAX];
extern uint32_t guest_count;

/* ---- entry.asm ---------------------------------------------------------- */

/* The guest runs, and its exits are handled below these registers, on its vCPU's
 * own stack, until a handler says stop. */
enum stop vcpu_enter(struct regs *);
extern const uint8_t exit_stubs[256][16];

/* What entry.asm calls beside exit_handler: the processor refused to go where
 * the guest was to go on; virtual-8086 mode; a fault or interrupt of our own. */
void hv_iret_fault(struct regs *);
void hv_vm86(struct regs *);
struct hv_frame;
void hv_fault(struct hv_frame *);	/* in ring 0 */

/* ---- main.c, log.c, report.c --------------------------------------------- */

void log_char(char c);
void __attribute__((format(printf, 1, 2))) log_printf(const char *fmt, ...);
void log_vprintf(const char *fmt, va_list);

void __attribute__((noreturn)) machine_end(enum end);

/* What the user gave us cannot work: one line, then the end. */
void __attribute__((noreturn, format(printf, 1, 2)))
bad_input(const char *fmt, ...);

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

/*
 * A guest, ready to run. False: error says why, and nothing is left of it. The
 * CPU has to hold no other vCPU's state, and holds this one's then.
 */
#define GUEST_ERROR_MAX	256
bool guest_create(const struct guest_config *, char *error);
/* This was the guest's last exit. The first reason counts. */
void guest_end(struct vcpu *, enum end);
/* All that an ended guest had goes back to the machine, but for its statistics.
 * The CPU does not hold its state any more. */
void guest_release(struct guest *);
bool guest_starts_again(const struct guest *);
/* As guest_create(), from the same configuration, after a release. False: it
 * could not be, and will not be again. */
bool guest_restart(struct guest *);

/* The guest's mistake: the end, with a report that lets its developer find it.
 * The caller has nothing more to do for this guest, and returns. */
void __attribute__((cold, format(printf, 2, 3)))
guest_kill(struct vcpu *, const char *fmt, ...);

/* ---- map.c, entry.asm --------------------------------------------------- */

#define STACK_SIZE	16384u
struct stack {
	uint8_t	guard[PAGE_SIZE];	/* not mapped */
	uint8_t	room[STACK_SIZE];
};
enum { STACK_BOOT, STACK_IST, STACK_VCPU = STACK_IST + 3,
       STACKS = STACK_VCPU + GUESTS_MAX };
/* In the image: their addresses say nothing of the machine's memory to guests
 * that see bits of RSP. */
extern struct stack stacks[STACKS];

static inline uint64_t stack_top(uint32_t n)
{
	return (uint64_t)&stacks[n + 1];
}

bool stack_guard(uint64_t va);	/* is it below one? */

/* By entry.asm, when an NMI finds that vmi-run asks where everybody is: the
 * end. What was interrupted may be the hypervisor itself. */
void __attribute__((noreturn)) report_asked(const struct regs *);
#define REPORT_PORT	(COM1 + 7)	/* scratch register, of no use to us */
#define REPORT_ASKED	0x57	/* there: it asks, as in vmi-run */

/* ---- reboot.c ----------------------------------------------------------- */

bool reboots_by_fault(const struct vcpu *);	/* that it cannot take */
bool reboots_by_bios(struct vcpu *);		/* it goes to real mode */
void __attribute__((cold)) guest_reboot(struct vcpu *, const char *how);

/* ---- drain.c ------------------------------------------------------------ */

void queue_drain(struct vcpu *);

/* Has the guest anything for queue_drain() to do? */
static inline bool queue_pending(const struct vcpu *v)
{
	return ((uint32_t)v->sh->tail + STUB_QUEUE_LEN - v->queue_start) |
	       v->sh->deferred | v->sh->gdt_dirty;
}

/* ---- desc.c ------------------------------------------------------------- */

bool desc_init(struct vcpu *);	/* false: no memory */
void desc_free(struct vcpu *);
void desc_unload(void);		/* no vCPU's tables are in the CPU */
void desc_save(struct vcpu *);	/* another vCPU is going to run */
void desc_load(struct vcpu *);	/* this one is */
void desc_load_gdt(struct vcpu *, gva_t base, uint32_t limit);
void desc_gdt_changed(struct vcpu *, uint32_t index);
bool desc_load_ldt(struct vcpu *, uint16_t sel);
void desc_ldt_changed(struct vcpu *, gva_t base, uint32_t index);
bool desc_load_tr(struct vcpu *, uint16_t sel);
void desc_load_idt(struct vcpu *, gva_t base, uint32_t limit);
void desc_idt_changed(struct vcpu *, uint32_t index);
/* The shadow of a selector's descriptor differed from memory and is now right. */
bool desc_refresh(struct vcpu *, uint16_t sel);
/* The sanitized descriptor, 0 if there is none. */
uint64_t desc_lookup(struct vcpu *, uint16_t sel);
uint32_t desc_base(uint64_t desc);
uint32_t desc_limit(uint64_t desc);	/* in bytes, the last that is allowed */
#define DESC_CODE	0x0000080000000000ull
#define DESC_P		0x0000800000000000ull
#define DESC_D		0x0040000000000000ull

/* ---- event.c ------------------------------------------------------------ */

void event_exception(struct vcpu *, int vector);
void event_exception_error(struct vcpu *, int vector, uint32_t error);
void event_soft_int(struct vcpu *, int vector, uint32_t length);
bool event_sysenter(struct vcpu *);
bool event_sysexit(struct vcpu *);
void event_page_fault(struct vcpu *, gva_t, uint32_t error);
/* Deliver a pending interrupt now, or note it in the shared area. */
void event_poll(struct vcpu *);
void event_iret(struct vcpu *, gva_t frame, bool from_rom);

/* Does a request reach the processor? Its flag does not count here. */
static inline bool event_pending(const struct guest *g)
{
	return apic_pending(&g->apic) ||
	       (pic_pending(&g->pic) && apic_extint(&g->apic));
}

static inline bool guest_if(const struct vcpu *v)
{
	return regs_ring(v->regs) == 3 || (v->sh->flags & STUB_IF);
}

/* ---- exit.c, hcall.c, emul.c, msr.c, cr.c, io.c -------------------------------- */

void hcall(struct vcpu *, struct regs *);
/* Emulate the instruction at eip; false: not one that is emulated, or not
 * allowed, so the exception is the guest's. */
bool emulate(struct vcpu *);
bool emulate_sysenter(struct vcpu *);	/* that and SYSEXIT alone */
bool emulate_mmio(struct vcpu *, gpa_t);	/* a MOV of a device's memory */
bool msr_access(struct vcpu *, bool write);

void cr0_write(struct vcpu *, uint32_t);
void cr3_write(struct vcpu *, uint32_t);
void cr4_write(struct vcpu *, uint32_t);
void paging_changed(struct vcpu *);	/* EFER.NXE, which counts as well */
void dr_write(struct vcpu *, uint32_t nr, uint32_t value);
void dr6_take(struct vcpu *);	/* what a #DB left there */
void dr6_drop(void);		/* of a #DB that the guest does not get */
void cr_load(struct vcpu *);	/* this vCPU is going to run */
void cr_unload(void);		/* no vCPU's state is in the CPU */
void guest_cpuid(struct vcpu *, uint32_t leaf, uint32_t sub, uint32_t r[4]);

uint32_t io_in(struct vcpu *, uint16_t port, unsigned int size);
/* False: not now, and nothing was done; the guest is to do it again. */
bool io_out(struct vcpu *, uint16_t port, unsigned int size, uint32_t);
void io_init(struct guest *);		/* its devices */
void io_end(struct guest *);
/* Console 0 has data; for whom, if for anybody. */
struct vcpu *io_console_interrupt(void);

/* ---- timer.c ------------------------------------------------------------ */

void timer_interrupt(void);
uint64_t timer_update(struct vcpu *);	/* fire what is due; the next, TSC */
void timer_changed(struct vcpu *);	/* its clocks were set, as it runs */
uint64_t timer_wake(const struct vcpu *);	/* when it would be woken */
void alarm_set(struct vcpu *, uint32_t flags, uint64_t expiry, uint64_t period);
bool alarm_cancel(struct vcpu *, uint32_t flags);
void guest_halt(struct vcpu *);

/* ---- sched.c ------------------------------------------------------------ */

void sched_add(struct vcpu *);
void __attribute__((noreturn)) sched_run(void);
/* The vCPU has stopped: who goes on, ready to be entered. */
struct vcpu *sched_next(struct vcpu *, enum stop);
/* The time since the last call was this one's, or nobody's: what was done then
 * may have woken it. */
void sched_charge(struct vcpu *);
void sched_interrupted(void);		/* a machine interrupt begins */
void sched_console(void);		/* console 0 has data */

/* ---- espfix.c ------------------------------------------------------------ */

/* For the page tables of all guests, so before the first. False: no memory. */
bool espfix_init(void);

/* ---- rom.c, stats.c ----------------------------------------------------- */

const char *rom_publish(struct guest *, const uint8_t *image, size_t size);
void rom_activate(struct vcpu *);
bool rom_find_iret_site(struct vcpu *);

/* Is the guest at an IRET of the ROM, whose faults are moved to its site? */
static inline bool rom_is_iret(const struct vcpu *v)
{
	return regs_ring(v->regs) == 1 && (v->regs->eip == v->iret_insn[0] ||
					   v->regs->eip == v->iret_insn[1]);
}

const char *rom_trace_init(struct guest *);
void rom_free(struct guest *);
void rom_trace_drain(struct vcpu *);

extern const char *const hcall_name[STUB_HC_COUNT];	/* hc_... */
void stats_print(void);
void stats_cpuid(struct guest *, uint32_t leaf, uint32_t r[4]);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A virtual processor: what it has, how it is entered and what its exits do. It
 * does not know what else its guest has, nor the others.
 */
#ifndef X86_H
#define X86_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <host.h>

#include "devices.h"
#include "insn.h"
#include "lock.h"
#include "mm.h"
#include "vmi.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* ---- exits -------------------------------------------------------------- */

/*
 * The guest's registers, built by the CPU and entry.asm at the top of the
 * vCPU's stack at every exit. Of a 32-bit guest the upper halves are zero, and
 * nothing else is ever written there; gpr[RSP] is unused.
 */
struct regs {
	uint64_t	gpr[16];
	uint64_t	pad;
	uint64_t	vector;
	uint64_t	error;
	uint64_t	rip, cs, rflags, rsp, ss;
	/* Above what the CPU pushes. */
	struct vcpu	*vcpu;		/* whose they are */
	uint64_t	caller;		/* RSP, where vcpu_enter() returns */
	uint64_t	stop;		/* enum stop: the exit is not all */
	struct spinlock	*lock;		/* of the vCPU's guest */
};

/*
 * Why a vCPU does not go on where an exit has led it: there is something that
 * the scheduler decides. Of two reasons the greater one counts.
 */
enum stop {
	STOP_NOT,
	STOP_INTERRUPTED,	/* the machine was; time has passed */
	STOP_CALL,		/* one about another guest is to be made */
	STOP_REQUEST,		/* another guest is to answer an access */
	STOP_PAUSED,		/* until it may go on */
	STOP_ASKED,		/* somebody wants something of it (core/kvmi.c) */
	STOP_HALTED,		/* until an interrupt is pending */
	STOP_OFF,		/* until STARTUP; another of the guest's goes on */
	STOP_ENDED,		/* with its guest; vcpu.end says how */
};

/* Is it an interrupt of the machine, of IRQ vector - IRQ_BASE? */
static inline bool vector_is_irq(uint64_t vector)
{
	return vector - IRQ_BASE < 16;
}

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
#define HV_SS		(HV_CS + 8)	/* SYSCALL takes that behind CS */
#define HV_MACHINE_TSS	(HV_CS + 48)	/* for who has another in HV_TSS */

/* A guest IDT gate, ready for delivery. */
struct gate {
	uint64_t	rip;
	uint16_t	cs;		/* RPL 1 */
	uint8_t		type;		/* GATE_* */
	uint8_t		dpl;		/* 0 with GATE_NONE */
	uint8_t		ist;		/* of a wide guest: 1 to 7, or 0 */
};
#define SYSCALL_VECTOR	0x80
/* What delivery through a gate clears (SDM Vol. 3, 6.12.1.3). */
/* What user mode may have changed itself: status, DF, AC, ID. */
#define EFLAGS_USER_OWN	0x240cd5u
#define EFLAGS_GATE_CLEARS (EFLAGS_TF | EFLAGS_NT | EFLAGS_RF | EFLAGS_VM)
#define GATE_NONE	0		/* of a type that we do not deliver through */
#define GATE_ABSENT	2		/* of a good type, but not present */
#define GATE_INTERRUPT	14
#define GATE_TRAP	15

static inline bool gate_usable(const struct gate *gate)
{
	return gate->type >= GATE_INTERRUPT;
}

/* ---- the vCPU ----------------------------------------------------------- */

struct vcpu_stats {
	uint64_t	exits[256];		/* by vector */
	uint64_t	hcalls[STUB_HC_COUNT];	/* by number */
	uint64_t	drains;			/* that found something */
	uint64_t	drained;		/* entries in all */
	uint64_t	reflected;		/* page faults that are the guest's */
	uint64_t	emulated[INSN_OPS];
	uint64_t	io_unknown;
	uint64_t	injected;		/* virtual interrupts */
};

#define CALLS_LEN	64
#define WHY_MAX		192

/* What a vCPU begins with; what is not in it is as after INIT. */
union vcpu_initial {
	struct vmi_ap_state	legacy;
	struct vmi64_ap_state	wide;	/* of a wide guest */
};

/*
 * Who is told of what a vCPU does before it takes effect (core/kvmi_events.c), by its
 * handlers. True: it is not done now, and maybe later; the handler is at its end.
 */
struct watch {
	bool	(*cr)(struct vcpu *, uint32_t nr, uint64_t old, uint64_t value);
	bool	(*msr)(struct vcpu *, uint32_t index, uint64_t value);
	/* RIP is behind it. */
	bool	(*breakpoint)(struct vcpu *, uint32_t length);
	/* An access that mm_view_set() forbids. */
	void	(*refused)(struct vcpu *, gva_t, gpa_t, uint32_t error);
	/* Both by SetSyscallEntry. */
	bool	(*entries)(struct vcpu *, uint64_t lstar, uint64_t cstar);
	/* RIP is at these, and they come again when they may be done: of a table
	 * register or XCR0; CPUID, of so many bytes. */
	bool	(*insn)(struct vcpu *, enum insn_op);
	bool	(*cpuid)(struct vcpu *, uint32_t leaf, uint32_t sub,
			 uint32_t length);
};

/* Of ports or memory, where no device of ours is. */
struct access {
	bool		memory, write;
	uint8_t		size;		/* 1, 2, 4, 8 */
	uint64_t	at;		/* port, or guest-physical */
	uint64_t	value;		/* written; or what is read */
};

/* As many bytes of it as count. */
static inline uint64_t access_value(const struct access *a)
{
	return a->value & (UINT64_MAX >> (64 - a->size * 8));
}

/* One that another guest answers (core/requests.c): while it does this vCPU stands at
 * the instruction, which is carried out when the answer is there. */
struct request {
	enum { REQUEST_NONE, REQUEST_NEW, REQUEST_SENT, REQUEST_ANSWERED } state;
	struct access	access;
	struct insn	insn;
	uint64_t	rip;		/* of that */
	bool		there;		/* it is at the server's memory */
};

struct vcpu {
	/* ---- used by entry.asm, so near the start */
	volatile struct stub_shared *sh;	/* untrusted */
	struct regs	*regs;		/* at the top of its stack */

	/* ---- architectural: the guest's processor has it, and nobody else
	 * knows; with regs, sh->flags and sh->cr2 */
	uint32_t	iopl;		/* EFLAGS position */
	uint32_t	cr0, cr4;	/* CR3: mmu.cr3 */
	uint64_t	dr[8];		/* 4 to 6 are not used */
	uint32_t	efer;		/* EFER_NXE; of a wide guest SCE, LME, LMA, too */
	uint64_t	idt_base, gdt_base, ldt_base, tss_base;
	uint32_t	idt_limit, gdt_limit, ldt_limit, tss_limit;
	uint16_t	ldt, tr;
	uint64_t	pat;		/* IA32_PAT */
	uint32_t	sysenter_cs;
	uint64_t	sysenter_esp, sysenter_eip;
	/* Of a wide guest; CR2 and KERNEL_GS_BASE are in its shared area */
	uint64_t	star, lstar, cstar, fmask;
	uint32_t	xcr0;
	bool		syscall_swaps[2];	/* by LSTAR, CSTAR: STUB64-7 */
	/* While it has no processor; else they are in that. */
	uint16_t	sreg[4];	/* DS, ES, FS, GS */
	uint64_t	fs_base, gs_base;	/* of a wide guest */
	uint8_t		*xstate;	/* of a wide guest, in place of fpu: xstate.c */
	uint8_t		fpu[512] __attribute__((aligned(16)));	/* FXSAVE */

	/* ---- derived: from that and the guest's memory */
	uint32_t	stack_limit;	/* a frame may lie here and below */
	uint8_t		syscall_dpl;	/* of gate 80h; 0 before VMI_Init */
	struct gate	gate[256];
	struct window	*window;	/* of a wide guest (wide.c) */
	uint8_t		*entry;		/* where its processor pushes */
	uint64_t	*gdt_table, *ldt_table;
	uint32_t	ldt_used;	/* entries that may be set */
	struct mmu	mmu;

	/* ---- of the host: what its guest gives it */
	struct guest	*g;		/* for core/ alone */
	struct vcpu	*sibling;	/* the guest's next, in a ring */
	struct vcpu	*first;		/* the guest's */
	void		(*hypercall)(struct vcpu *, struct regs *);
	void		(*cpuid)(struct vcpu *, uint32_t leaf, uint32_t sub,
				 uint32_t r[4]);
	/* Who else answers to an access; NULL: nobody. BUS_AGAIN: the answer comes
	 * when the vCPU has stopped. */
	enum bus_result	(*ask)(struct vcpu *, struct access *);
	/* VMCALL or VMMCALL, of so many bytes. False: #UD. */
	bool		(*vmcall)(struct vcpu *, uint32_t length, bool code64);
	gva_t		sealed;		/* from here on a write that its tables
					 * refuse is its end; 0: nowhere */
	uint32_t	nr;		/* in the guest: its APIC's id */
	struct rom	*rom;
	struct bus	*bus;
	struct apic	*apic;
	struct pic	*pic;
	uint32_t	queue_start;	/* where the queue is empty: STUB_QUEUE_LEN
					 * - 1 makes every update exit */
	uint32_t	peeked;		/* from here on siblings look at its queue, */
	uint64_t	peeked_drains;	/* if there were so many drains; else from
					 * its start: the drain has no time to say */
	bool		verify;		/* mmu_verify() after every drain */
	union {
		struct {
			bool	wide;	/* its guest is a 64-bit one */
			bool	watched;	/* watch is not NULL */
		};
		uint16_t	aside;	/* one of them */
	};
	const struct watch *watch;
	bool		stepping, stepped;	/* step.c: one instruction, */
	bool		own_tf;		/* and what TF would be without that */
	uint8_t		step_flags;	/* what it does with the flags */
	uint64_t	step_rip;
	bool		interrupted;	/* for it: in its kernel, and since then
					 * it was not seen in user mode */

	/* ---- of the host: core/ keeps its time (TSC cycles) */
	uint64_t	ran;		/* what the scheduler compares, by its
					 * guest's shares */
	uint64_t	since;		/* it could run since then, less what
					 * was charged to it meanwhile */
	uint64_t	used;		/* it ran, in all */
	uint64_t	stolen;		/* it waited to run, in all */
	uint64_t	wake;		/* when its clocks will, while halted */
	uint64_t	tsc_base;	/* TSC at VMI_Init */
	struct alarm {			/* VMI-3.7; by counter: real, available */
		bool		armed, lvtt;
		uint64_t	expiry, period;	/* 0: one-shot */
	} alarm[VMI_CYCLES_AVAILABLE + 1];
	bool		halted;		/* until an interrupt is pending */
	uint8_t		held;		/* HELD_*: no interrupts for now */
#define HELD_ASKED	1u		/* it is looked at as it is */
#define HELD_REQUEST	2u		/* it is within an instruction */
	bool		parked;		/* halted for another reason (sched.c), */
	bool		hlt;		/* which interrupted a halt */
	bool		on;		/* from STARTUP, or with its guest, to INIT
					 * or the end */
	bool		paused;		/* with its guest: on again when that goes on */
	bool		loaded;		/* its state is in a processor, */
	uint32_t	home;		/* in this one, or was last */
	/* VMI-3.8 */
	bool		initial_set;	/* initial was: by SetInitialAPState */
	bool		startup;	/* came while it was still on */
	bool		starting;	/* initial is to be loaded */
	union vcpu_initial initial;
	struct request	request;
	/* With that: whom it waits for; that it need not any more; when it looks
	 * itself (TSC). sched.c's. */
	struct guest	*server;
	bool		answered;
	uint64_t	look;
	/* With STOP_CALL (core/dispatch.c). */
	uint64_t	late_number, late_arg[4], late_mask;

	/* ---- of the host: for reports */
	enum end	end;		/* with STOP_ENDED */
	char		why[WHY_MAX];	/* the guest ended, if not by itself */
	gva_t		fault_va;	/* that ends the guest */
	struct call {			/* the last hypercalls */
		uint64_t gpr[3];	/* EAX to EDX */
		uint64_t rip, rsp;
		uint64_t pad[3];	/* to a power of two: call_at wraps */
	} call[CALLS_LEN];
	uint32_t	call_at;	/* offset of the oldest, that is next */
	struct vcpu_stats stats;
};

/* The shared area of a wide guest: what vmi_stub64.h says is the same in both may
 * be used by sh, too. */
static inline volatile struct stub64_shared *shared64(const struct vcpu *v)
{
	return (volatile struct stub64_shared *)v->sh;
}

/* For the ROM to read. */
#define PUBLISH(v, field, value) do {				\
	if ((v)->wide)							\
		shared64(v)->field = (value);				\
	else								\
		(v)->sh->field = (value);				\
} while (0)

/* A processor of the machine, by its number. */
struct cpu {
	struct vcpu	*vcpu;		/* whose state is in it, or NULL */
	uint64_t	charged;	/* TSC: until then time was charged */
	bool		idle;		/* nobody runs; it waits */
	struct vcpu	*wide;		/* it is set up for this wide one; or NULL */
	volatile uint64_t at;		/* RIP of the hypervisor, for report.c */
};
extern struct cpu cpus[HOST_CPUS];

static inline struct cpu *this_cpu(void)
{
	return &cpus[host_cpu()];
}
#define current	(this_cpu()->vcpu)

/* Has it called VMI_Init? Then the top of the address space is reserved. */
static inline bool vmi_mode(const struct vcpu *v)
{
	return v->mmu.guest_last != UINT32_MAX;
}

/* For reports: a hypercall with its first two arguments. */
static inline void vcpu_note_call(struct vcpu *v, uint64_t nr, uint64_t a,
				  uint64_t b, uint64_t rip, uint64_t rsp)
{
	struct call *c = (void *)((uint8_t *)v->call + v->call_at);

	v->call_at = (v->call_at + sizeof(*c)) % sizeof(v->call);
	c->gpr[0] = nr;
	c->gpr[1] = b;
	c->gpr[2] = a;
	c->rip = rip;
	c->rsp = rsp;
}

/* ---- how it ends an exit (vcpu.c) --------------------------------------- */

static inline void vcpu_stop(struct vcpu *v, enum stop why)
{
	if (v->regs->stop < why)
		v->regs->stop = why;
}

/* This was the guest's last exit. The first reason counts. */
void vcpu_end(struct vcpu *, enum end);
/* The guest's mistake: its end, with a report that lets its developer find it.
 * The caller has nothing more to do for this guest, and returns. */
void __attribute__((cold, format(printf, 2, 3)))
vcpu_kill(struct vcpu *, const char *fmt, ...);
/* Until an interrupt is pending; with IF clear there will never be one. */
void vcpu_halt(struct vcpu *);
/* By entry.asm: another has the guest's lock; it has drawn a ticket. */
void vcpu_wait_lock(struct vcpu *, uint32_t ticket);
/* A kernel's way to reboot that looks like its death: the IDT taken away. */
bool vcpu_reboots_by_fault(const struct vcpu *);	/* that it cannot take */
void __attribute__((cold)) vcpu_reboot(struct vcpu *, const char *how);
/* CR0.PE is cleared. */
void __attribute__((cold)) vcpu_real_mode(struct vcpu *);

/* ---- watched (watch.c, step.c) -------------------------------------------- */

/* A page fault behind which a view may be. False: *fault and *pa say what else. */
bool watch_fault(struct vcpu *, gva_t, enum fault *fault, gpa_t *pa);
/* The same of what we do for it, by linear address, which no view refuses: it is
 * open until mmu_view_close(). */
bool watch_open(struct vcpu *, gva_t, uint32_t error);
/* It is about to go to the guest, for one instruction, from its processor: any exit
 * is STOP_ASKED. And that was so, or it stopped for something else. */
void step_arm(struct vcpu *);
void step_left(struct vcpu *);
/* The processor refused to go there. */
void step_refused(struct vcpu *);
/* #DB of that. Is it of nothing else? */
bool step_done(struct vcpu *);

/* ---- how it begins (start.c) ---------------------------------------------- */

/* In the state of v->initial; it is loaded. What cannot be leaves it off. */
void vcpu_start(struct vcpu *);
/* VMI_Init, or a further processor: the ROM is there, with the shared area. */
void vcpu_vmi_mode(struct vcpu *, uint64_t tsc_base);

/* ---- in and out (entry.asm, exit.c) ------------------------------------- */

/* The guest runs, and its exits are handled below these registers, on its vCPU's
 * own stack, until a handler says stop. */
enum stop vcpu_enter(struct regs *);
extern const uint8_t exit_stubs[256][16];

/* What entry.asm calls beside exit_handler: the processor refused to go where
 * the guest was to go on; virtual-8086 mode; a fault or interrupt of our own. */
void hv_iret_fault(struct regs *);
void hv_vm86(struct regs *);
void wide_iret_fault(struct vcpu *, uint64_t rip);	/* trampoline.asm */
struct hv_frame;
void hv_fault(struct hv_frame *);	/* in ring 0 */

extern void (*const exit_handler[256])(struct vcpu *, struct regs *);
extern const uint8_t tramp_start[], tramp_end[], tramp_iret[], tramp_fault_iret[],
	tramp_drain_iret[];
extern void (*const exit_handler_wide[256])(struct vcpu *, struct regs *);
/* The same while the guest is stepped: step_load(), wide_step(). */
extern const uint8_t step_stubs[256][16], tramp_step[];
void exit_stepped(struct vcpu *, struct regs *);
void wide_step(struct vcpu *, bool);
/* SYSCALL, by instruction; false: it is none. */
bool wide_emulate_syscall(struct vcpu *);

/* INT3 or INTO, of so many bytes. */
void exit_trap(struct vcpu *, uint32_t length);
/* FAULT_BUS or FAULT_TABLE: the guest's tables lead to where there is nothing. */
void exit_lost_fault(struct vcpu *, enum fault, gva_t, gpa_t);

/* ---- drain.c ------------------------------------------------------------ */

void queue_drain(struct vcpu *);
/* What the siblings have announced so far comes into effect, before a flush. */
void queue_peek_siblings(struct vcpu *);
static inline void queue_peek(struct vcpu *v)
{
	if (v->sibling != v)
		queue_peek_siblings(v);
}

/* With verify: an interrupt is about to be delivered. */
void verify_interrupt(struct vcpu *);

/* Has the guest anything for queue_drain() to do? */
static inline bool queue_pending(const struct vcpu *v)
{
	return ((uint32_t)v->sh->tail + STUB_QUEUE_LEN - v->queue_start) |
	       v->sh->deferred | v->sh->gdt_dirty;
}

/* ---- desc.c ------------------------------------------------------------- */

/* On each processor, one at a time, before a vCPU runs there. */
void desc_cpu_init(void);
bool desc_init(struct vcpu *);	/* false: no memory; not in the CPU yet */
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
/* Of a wide guest: our own entries, before it runs; and into the processor and out
 * of it, with our tables loaded. */
void desc_wide(struct vcpu *);
void desc_load_wide(struct vcpu *);
void desc_unload_wide(void);
uint32_t desc_base(uint64_t desc);
uint32_t desc_limit(uint64_t desc);	/* in bytes, the last that is allowed */
static inline uint32_t desc_dpl(uint64_t desc)
{
	return desc >> 45 & 3;
}

/* Bits 63-47 of a linear address of 64 bits are the same. */
static inline bool is_canonical(uint64_t va)
{
	return (uint64_t)((int64_t)(va << 16) >> 16) == va;
}

#define DESC_CODE	0x0000080000000000ull
#define DESC_WRITABLE	0x0000020000000000ull	/* data */
#define DESC_P		0x0000800000000000ull
#define DESC_D		0x0040000000000000ull
#define DESC_L		0x0020000000000000ull

/* ---- event.c ------------------------------------------------------------ */

void event_exception(struct vcpu *, int vector);
void event_exception_error(struct vcpu *, int vector, uint32_t error);
void event_soft_int(struct vcpu *, int vector, uint32_t length);
bool event_sysenter(struct vcpu *);
bool event_sysexit(struct vcpu *);
void event_page_fault(struct vcpu *, gva32_t, uint32_t error);
/* Deliver a pending interrupt now, or note it in the shared area. */
void event_poll(struct vcpu *);
void event_iret(struct vcpu *, gva32_t frame, bool from_rom);
#define ERROR_IDT	2u		/* the index is one of the IDT */
#define ERROR_EXT	1u		/* of an event that the program did not ask for */

/* ---- wide guests (wide.c, wide_event.c, wide_exit.c) ---------------------- */

/* Its trampoline; the shared area and desc_init()'s tables are there. */
bool wide_init(struct vcpu *);
void wide_free(struct vcpu *);
/* What SYSCALL does has changed: star, lstar, cstar; efer; fmask. What a page fault
 * does: its gate, iopl, efer, VMI mode. */
void wide_syscall_changed(struct vcpu *);
void wide_fault_changed(struct vcpu *);
void efer_apply(const struct vcpu *);
void fmask_apply(const struct vcpu *);
/* For desc.c and cr.c: this processor is going to run it; what its processor has of
 * FS and GS; and the processor is as 32-bit guests find it. */
void wide_load(struct vcpu *);
void wide_save(struct vcpu *);
void wide_unload(void);
bool wide_has_fsgsbase(void);	/* the ROM needs it */
void wide_deliver(struct vcpu *, int vector, bool has_error, uint32_t error);
void wide_page_fault(struct vcpu *, gva_t, uint32_t error);
/* What the processor has of the RFLAGS that the guest wants to have. */
uint64_t wide_flags(uint64_t);
/* Back to what the frame says, from IRETQ. False: it cannot be read. */
bool wide_iret(struct vcpu *, gva_t frame);
void wide_exit_page_fault(struct vcpu *, struct regs *);
void wide_exit_trap(struct vcpu *, struct regs *);

/* Does a request reach the processor? Its flag does not count here. */
static inline bool event_pending(const struct vcpu *v)
{
	return apic_pending(v->apic) ||
	       (pic_pending(v->pic) && apic_extint(v->apic));
}

static inline bool guest_if(const struct vcpu *v)
{
	return regs_ring(v->regs) == 3 || (v->sh->flags & STUB_IF);
}

/* ---- instructions and registers ----------------------------------------- */

/* Emulate the instruction at eip; false: not one that is emulated, or not
 * allowed, so the exception is the guest's. */
bool emulate(struct vcpu *);
bool emulate_undefined(struct vcpu *);	/* what raises #UD at ring 1 or 3 alone */
bool emulate_mmio(struct vcpu *, gpa_t);	/* a MOV of a device's memory */
/* What vcpu.request was made for: vcpu.ask() has the answer now. */
void emulate_answered(struct vcpu *);
bool msr_access(struct vcpu *, bool write);
bool msr_get(struct vcpu *, uint32_t index, uint64_t *);
bool msr_set(struct vcpu *, uint32_t index, uint64_t);
/* LSTAR or CSTAR, by SetSyscallEntry. */
bool msr_set_entry(struct vcpu *, uint32_t index, uint64_t);

void cr0_write(struct vcpu *, uint32_t);
void cr3_write(struct vcpu *, uint64_t);
void cr4_write(struct vcpu *, uint32_t);
/* As it begins; false: that cannot be. */
bool cr_start(struct vcpu *, const struct vmi_ap_state *);
bool cr_start_wide(struct vcpu *, const struct vmi64_ap_state *);
/* The bits that CR4 can have. */
uint32_t cr4_allowed(const struct vcpu *);
void paging_changed(struct vcpu *);	/* EFER.NXE, which counts as well */
void dr_write(struct vcpu *, uint32_t nr, uint64_t value);
void dr6_take(struct vcpu *);	/* what a #DB left there */
void dr6_drop(void);		/* of a #DB that the guest does not get */
void cr_load(struct vcpu *);	/* this vCPU is going to run */
void cr_unload(void);		/* no vCPU's state is in the CPU */
void vcpu_cpuid(bool wide, uint32_t nr, uint32_t leaf, uint32_t sub,
		uint32_t r[4]);

/* ---- CPUID that traps (cpuid_fault.c) -------------------------------------- */

/* What the processor says of it. */
struct cpuid_fault_cpu {
	bool		intel;		/* family 6 from Ivy Bridge on, nobody below */
	uint64_t	platform_info;	/* its MSR; else 0 */
	uint32_t	amd21_eax;	/* CPUID 80000021h; 0: there is none */
};
enum cpuid_fault { CPUID_FREE, CPUID_FAULTS_INTEL, CPUID_FAULTS_AMD };
enum cpuid_fault cpuid_fault_choose(const struct cpuid_fault_cpu *);
void cpuid_fault_init(void);		/* of this processor */

/* ---- xstate.c: XSAVE of wide guests ---------------------------------------- */

#define XSTATE_BYTES	PAGE_SIZE	/* vcpu.xstate, aligned to that */
#define XSTATE_LEGACY_BYTES 576u		/* of it for all: SDM Vol. 1, 13.4 */
void xstate_init(void);			/* before the first one */
uint32_t xstate_components(void);	/* that its XCR0 can have; 0: no XSAVE */
void xstate_reset(struct vcpu *);	/* as after power-on */
/* Between it and the processor; CR0.TS and EM are clear. */
void xstate_save(struct vcpu *);
void xstate_load(const struct vcpu *);
/* Its CR4.OSXSAVE or XCR0 is new, or it is going to run. */
void xcr0_apply(const struct vcpu *);
bool xcr0_write(struct vcpu *, uint64_t value);	/* false: a #GP */

/* ---- espfix.c ------------------------------------------------------------ */

/* For the page tables of all guests, so before the first. False: no memory. */
bool espfix_init(void);

/* Is the guest at an IRET of the ROM, whose faults are moved to its site? */
static inline bool rom_is_iret(const struct vcpu *v)
{
	return regs_ring(v->regs) == 1 &&
	       (v->regs->rip == v->rom->iret_insn[0] ||
		v->regs->rip == v->rom->iret_insn[1] ||
		(v->wide && v->regs->rip == v->rom->iret_insn[2]));
}
/* The handler is no part of what the guest was batching. */
void event_leave_lazy_mode(struct vcpu *);
/* To there, if it is. */
void event_move_to_iret_site(struct vcpu *);

/* ---- speculative execution (speculation.c) ------------------------------- */

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
void speculation_cpu_init(void);	/* each further processor */
void speculation_switch(void);		/* from one guest to another */

#endif

/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the stub ROM and the stub hypervisor share, and nobody else: the
 * shared area, the hypercalls, and the header in the ROM that tells the
 * hypervisor where things are. No guest may depend on anything here; a new
 * layout gets a new STUB_LAYOUT and both sides change together.
 *
 * Everything in the shared area is written by the guest at will. The
 * hypervisor reads a word once, checks it, then uses it.
 */
#ifndef VMI_STUB_H
#define VMI_STUB_H

#include "vmi.h"
#include "vmi_stub_cpuid.h"

#define STUB_LAYOUT		1

/* ---- linear layout of the space above virtual_top --------------------- */

#define STUB_ROM_OFFSET		0x00000u	/* the working copy, read-only */
#define STUB_ROM_MAX		0x08000u	/* largest image */
#define STUB_SHARED_OFFSET	0x10000u	/* the shared area, writable */

/* ---- the shared area --------------------------------------------------- */

/* Bits of stub_shared.flags. One byte holds both, so that
 * "or byte [flags + 1], STUB_IF >> 8" sets the sign flag when pending. */
#define STUB_IF			0x0200u	/* virtual interrupt flag */
#define STUB_PENDING		0x8000u	/* an interrupt waits for STUB_IF */

/* Bits of stub_shared.deferred. */
#define STUB_DEFER_CR3		0x1u	/* load stub_shared.cr3 */
#define STUB_DEFER_FLUSH	0x2u	/* flush the TLB */
#define STUB_DEFER_INVAL	0x4u	/* the queue holds STUB_Q_INVAL */

/*
 * The update queue grows upwards; tail runs from -STUB_QUEUE_LEN to 0 and
 * entry i is queue[STUB_QUEUE_LEN + i], so that the increment itself tells
 * when the queue is full. The low two bits of an entry give its kind.
 *
 * Who empties the queue while the guest is inside one of the windows of the
 * ROM (below) must move the guest back to its restart first: the ROM may
 * have read the tail already.
 */
#define STUB_QUEUE_LEN		1024
#define STUB_Q_KIND		3u
#define STUB_Q_UPDATE_VA	0u	/* VA, in linear slot 0, of a changed entry */
#define STUB_Q_UPDATE_PA	1u	/* guest-physical address of a changed entry */
#define STUB_Q_PAGE		2u	/* page frame, STUB_QP_* in bits 11-2 */
#define STUB_Q_INVAL		3u	/* page of a VA to invalidate */

#define STUB_QP_OP		0xffcu
#define STUB_QP_ALLOC		0x004u	/* becomes a page table */
#define STUB_QP_RELEASE		0x008u	/* stops being a table of any level */

#define STUB_QUEUE_GUARD	0xffffffffu	/* equals no entry */

struct stub_linear {
	uint32_t	va;		/* first virtual address */
	uint32_t	bytes;		/* 0: slot unused */
	uint32_t	pa;		/* what va maps to, below 4 GB */
};

struct stub_shared {
	uint32_t	layout;		/* STUB_LAYOUT */
	uint32_t	flags;		/* STUB_IF, STUB_PENDING */
	uint32_t	cr0;
	uint32_t	cr2;
	uint32_t	cr3;
	uint32_t	cr4;
	uint32_t	esp0;		/* stack for entries from user mode */
	uint32_t	ss0;		/* its selector, RPL included */
	uint32_t	lazy_mode;	/* enum vmi_lazy_mode; delivering an event
					 * drains and sets VMI_LAZY_NONE, since the
					 * handler is not in the guest's batch */
	uint32_t	deferred;	/* STUB_DEFER_* */
	uint32_t	gdt_dirty;	/* bit n: descriptor n changed in memory */
	int32_t		tail;		/* -STUB_QUEUE_LEN: queue empty */
	struct stub_linear linear[VMI_LINEAR_SLOTS];
	uint32_t	dr[8];
	uint32_t	gdt_base, gdt_limit;
	uint32_t	idt_base, idt_limit;
	uint32_t	ldt, tr;	/* selectors as the guest gave them */
	uint64_t	tsc_base;	/* cycle counter = TSC - tsc_base */
	uint64_t	tsc_hz;
	uint64_t	stolen;		/* cycles */
	uint64_t	expiry;		/* arguments of STUB_HC_SET_ALARM */
	uint64_t	period;
	uint8_t		pad[0x200 - 0xc0];
	uint32_t	trace_used;	/* bytes, see STUB_HC_TRACE */
	uint8_t		trace[0x1000 - 0x204 - 4];
	uint32_t	queue_guard;	/* STUB_QUEUE_GUARD, "queue[-1]" */
	uint32_t	queue[STUB_QUEUE_LEN];
};

VMI_OFFSET(stub_linear, va, 0x00);
VMI_OFFSET(stub_linear, bytes, 0x04);
VMI_OFFSET(stub_linear, pa, 0x08);
VMI_SIZE(stub_linear, 0xc);
VMI_OFFSET(stub_shared, layout, 0x000);
VMI_OFFSET(stub_shared, flags, 0x004);
VMI_OFFSET(stub_shared, cr0, 0x008);
VMI_OFFSET(stub_shared, cr2, 0x00c);
VMI_OFFSET(stub_shared, cr3, 0x010);
VMI_OFFSET(stub_shared, cr4, 0x014);
VMI_OFFSET(stub_shared, esp0, 0x018);
VMI_OFFSET(stub_shared, ss0, 0x01c);
VMI_OFFSET(stub_shared, lazy_mode, 0x020);
VMI_OFFSET(stub_shared, deferred, 0x024);
VMI_OFFSET(stub_shared, gdt_dirty, 0x028);
VMI_OFFSET(stub_shared, tail, 0x02c);
VMI_OFFSET(stub_shared, linear, 0x030);
VMI_OFFSET(stub_shared, dr, 0x060);
VMI_OFFSET(stub_shared, gdt_base, 0x080);
VMI_OFFSET(stub_shared, gdt_limit, 0x084);
VMI_OFFSET(stub_shared, idt_base, 0x088);
VMI_OFFSET(stub_shared, idt_limit, 0x08c);
VMI_OFFSET(stub_shared, ldt, 0x090);
VMI_OFFSET(stub_shared, tr, 0x094);
VMI_OFFSET(stub_shared, tsc_base, 0x098);
VMI_OFFSET(stub_shared, tsc_hz, 0x0a0);
VMI_OFFSET(stub_shared, stolen, 0x0a8);
VMI_OFFSET(stub_shared, expiry, 0x0b0);
VMI_OFFSET(stub_shared, period, 0x0b8);
VMI_OFFSET(stub_shared, trace_used, 0x200);
VMI_OFFSET(stub_shared, trace, 0x204);
VMI_OFFSET(stub_shared, queue_guard, 0xffc);
VMI_OFFSET(stub_shared, queue, 0x1000);
VMI_SIZE(stub_shared, 0x2000);

/* What STUB_HC_TRACE hands over, as vmi-run gets it: behind this, what was in
 * trace[] of one vCPU. */
struct stub_trace_batch {
	uint32_t	vcpu;
	uint32_t	bytes;
};

VMI_OFFSET(stub_trace_batch, vcpu, 0x0);
VMI_OFFSET(stub_trace_batch, bytes, 0x4);
VMI_SIZE(stub_trace_batch, 0x8);

/* ---- hypercalls ---------------------------------------------------------- */

/*
 * "int STUB_VECTOR" from ring 1: eax = number, arguments in edx, ecx, ebx;
 * result in eax (64-bit results in edx:eax), all else preserved unless the
 * comment says so. An unknown number ends the guest.
 */
#define STUB_VECTOR		0x82

/* X(number, name, VMI call that it serves, for statistics) */
#define STUB_HCALLS(X)							\
	X(0, INIT, Init)		/* -> eax 0 */			\
	X(1, DRAIN, SetLazyMode)	/* leaving a lazy mode */	\
	X(2, QUEUE_FULL, SetPxE)	/* drain and empty the queue */	\
	X(3, EVENTS, EnableInterrupts)	/* deliver what is pending */	\
	X(4, IRET, IRET)		/* eax pushed below the frame */ \
	X(5, SET_CR0, SetCR0)		/* edx value */			\
	X(6, SET_CR3, SetCR3)		/* edx value */			\
	X(7, SET_CR4, SetCR4)		/* edx value */			\
	X(8, CLTS, CLTS)						\
	X(9, INVAL_PAGE, InvalPage)	/* edx VA */			\
	X(10, FLUSH_TLB, FlushTLB)	/* edx VMI_FLUSH_* */		\
	X(11, SET_GDT, SetGDT)		/* edx base, ecx limit */	\
	X(12, SET_IDT, SetIDT)		/* edx base, ecx limit */	\
	X(13, SET_LDT, SetLDT)		/* edx selector */		\
	X(14, SET_TR, SetTR)		/* edx selector */		\
	X(15, GDT_CHANGED, WriteGDTEntry) /* edx index */		\
	X(16, LDT_CHANGED, WriteLDTEntry) /* edx table base, ecx index */ \
	X(17, IDT_CHANGED, WriteIDTEntry) /* edx index */		\
	X(18, UPDATE_VA, UpdatePxE)	/* edx VA of a changed entry */	\
	X(19, SET_DR, SetDR)		/* edx register, ecx value */	\
	X(20, CPUID, CPUID)		/* edx leaf, ecx subleaf -> all four */ \
	X(21, HALT, Halt)						\
	X(22, REBOOT, Reboot)						\
	X(23, SHUTDOWN, Shutdown)					\
	X(24, SET_IOPL, SetIOPLMask)	/* edx EFLAGS image */		\
	X(25, SET_ALARM, SetAlarm)	/* edx flags; expiry, period shared */ \
	X(26, CANCEL_ALARM, CancelAlarm) /* edx flags -> eax 0, 1 */	\
	X(27, WALLCLOCK, GetWallclockTime) /* -> edx:eax ns */		\
	X(28, TRACE, none)	/* write trace[] out, trace_used = 0 */	\
	X(29, APIC_READ, APICRead)	/* edx offset -> eax */		\
	X(30, APIC_WRITE, APICWrite)	/* edx offset, ecx value */	\
	X(31, PAGE, AllocatePage)	/* edx frame, ecx STUB_QP_* */	\
	X(32, INITIAL_STATE, SetInitialAPState) /* edx VA, ecx APIC id */ \
	X(33, FLUSH_PROCESSORS, FlushProcessors) /* edx APIC ids, ecx VMI_FLUSH_* */ \
	X(34, HYPERCALL, Hypercall) /* ecx number; edx, ebx, esi, edi -> eax */

#define STUB_HC_ENUM(nr, name, call)	STUB_HC_##name = nr,
enum stub_hcall { STUB_HCALLS(STUB_HC_ENUM) };
#undef STUB_HC_ENUM
#define STUB_HC_COUNT		35

/* ---- what the ROM tells the hypervisor --------------------------------- */

/*
 * Code of the ROM in which an interrupt must not be delivered: the guest is
 * first moved back to restart. Half-open, offsets from the image start.
 * With clear_if set, STUB_IF is cleared too, so that the interrupt waits for
 * the ROM to set it again.
 */
struct stub_window {
	uint32_t	start, end;
	uint32_t	restart;
	uint32_t	clear_if;
};

#define STUB_INFO_MAGIC		0x62757473u	/* "stub" */
#define STUB_INFO_OFFSET	0x20u		/* in vmi_rom_header.reserved3 */
#define STUB_WINDOWS		16

/* At STUB_INFO_OFFSET of the image. Offsets count from the image start. */
struct stub_rom_info {
	uint32_t	magic;		/* STUB_INFO_MAGIC */
	uint32_t	layout;		/* STUB_LAYOUT */
	uint32_t	relocs;		/* uint32_t each: place to add the base to */
	uint32_t	reloc_count;
	uint32_t	windows;	/* struct stub_window each */
	uint32_t	window_count;	/* at most STUB_WINDOWS */
	uint32_t	iret_entry;	/* slot that guests jump to for IRET */
	uint32_t	iret_insn[2];	/* the IRET instructions themselves */
};

VMI_OFFSET(stub_window, start, 0x00);
VMI_OFFSET(stub_window, end, 0x04);
VMI_OFFSET(stub_window, restart, 0x08);
VMI_OFFSET(stub_window, clear_if, 0x0c);
VMI_SIZE(stub_window, 0x10);
VMI_OFFSET(stub_rom_info, magic, 0x00);
VMI_OFFSET(stub_rom_info, layout, 0x04);
VMI_OFFSET(stub_rom_info, relocs, 0x08);
VMI_OFFSET(stub_rom_info, reloc_count, 0x0c);
VMI_OFFSET(stub_rom_info, windows, 0x10);
VMI_OFFSET(stub_rom_info, window_count, 0x14);
VMI_OFFSET(stub_rom_info, iret_entry, 0x18);
VMI_OFFSET(stub_rom_info, iret_insn, 0x1c);
VMI_SIZE(stub_rom_info, 0x24);

#endif

/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the stub ROM for 64-bit guests and the stub hypervisor share, and nobody
 * else: as vmi_stub.h is for 32-bit guests, whose rules and constants hold here
 * too. No guest may depend on anything here. The meaning is in spec/stub64.md.
 *
 * Everything in the shared area is written by the guest at will. The
 * hypervisor reads a word once, checks it, then uses it.
 */
#ifndef VMI_STUB64_H
#define VMI_STUB64_H

#include "vmi64.h"
#include "vmi_stub.h"

#define STUB64_LAYOUT		1

/* ---- linear layout of the space above virtual_top: that of vmi_stub.h ------ */

/* ---- the shared area --------------------------------------------------- */

/*
 * The update queue is as in vmi_stub.h but for its words. The low three bits of
 * one give its kind.
 */
#define STUB64_Q_KIND		7u
#define STUB64_Q_UPDATE		0u	/* guest-physical address of a changed entry */
#define STUB64_Q_ALLOC		1u	/* physical address of a new page table */
#define STUB64_Q_RELEASE	2u	/* of one that stops being a table */
#define STUB64_Q_INVAL		3u	/* page of a VA to invalidate */

#define STUB64_QUEUE_GUARD	0xffffffffffffffffull	/* equals no entry */

struct stub64_linear {
	uint64_t	va;		/* first virtual address */
	uint64_t	bytes;		/* 0: slot unused */
	uint64_t	pa;		/* what va maps to */
};

/* What has no comment is what it is in struct stub_shared. */
struct stub64_shared {
	uint32_t	layout;		/* STUB64_LAYOUT */
	uint32_t	flags;
	uint64_t	rsp0;		/* stack for entries from user mode */
	uint64_t	other_gs;	/* KERNEL_GS_BASE: what SwapGS loads */
	uint64_t	scratch;	/* of the SYSCALL entry, which has no stack */
	uint32_t	lazy_mode;
	uint32_t	deferred;
	uint32_t	gdt_dirty;
	int32_t		tail;
	uint64_t	cr0, cr2, cr3, cr4;
	uint64_t	lstar, cstar;	/* where the SYSCALL entry goes on; written by
					 * the hypervisor, for the ROM alone */
	uint64_t	direct_va;	/* linear slot 0 if that begins with frame */
	uint64_t	direct_bytes;	/* 0, else 0 bytes */
	uint64_t	gdt_base, idt_base;
	uint32_t	gdt_limit, idt_limit;
	uint64_t	pad1;
	uint32_t	ldt, tr;
	uint64_t	tsc_base;
	uint64_t	tsc_hz;
	uint64_t	stolen;
	uint64_t	dr[8];
	struct stub64_linear linear[VMI_LINEAR_SLOTS];
	uint8_t		pad2[0x200 - 0x150];
	uint32_t	trace_used;
	uint8_t		trace[0x1000 - 0x204 - 8];
	uint64_t	queue_guard;	/* STUB64_QUEUE_GUARD, "queue[-1]" */
	uint64_t	queue[STUB_QUEUE_LEN];
};

VMI_OFFSET(stub64_linear, va, 0x00);
VMI_OFFSET(stub64_linear, bytes, 0x08);
VMI_OFFSET(stub64_linear, pa, 0x10);
VMI_SIZE(stub64_linear, 0x18);

/* What the hypervisor handles alike is at one place. */
#define STUB64_SAME(field) \
	VMI_OFFSET(stub64_shared, field, offsetof(struct stub_shared, field))
STUB64_SAME(layout);
STUB64_SAME(flags);
STUB64_SAME(lazy_mode);
STUB64_SAME(deferred);
STUB64_SAME(gdt_dirty);
STUB64_SAME(tail);
STUB64_SAME(ldt);
STUB64_SAME(tr);
STUB64_SAME(tsc_base);
STUB64_SAME(tsc_hz);
STUB64_SAME(stolen);
STUB64_SAME(trace_used);
STUB64_SAME(trace);
STUB64_SAME(queue);
VMI_OFFSET(stub64_shared, rsp0, 0x008);
VMI_OFFSET(stub64_shared, other_gs, 0x010);
VMI_OFFSET(stub64_shared, scratch, 0x018);
VMI_OFFSET(stub64_shared, cr0, 0x030);
VMI_OFFSET(stub64_shared, cr2, 0x038);
VMI_OFFSET(stub64_shared, cr3, 0x040);
VMI_OFFSET(stub64_shared, cr4, 0x048);
VMI_OFFSET(stub64_shared, lstar, 0x050);
VMI_OFFSET(stub64_shared, cstar, 0x058);
VMI_OFFSET(stub64_shared, direct_va, 0x060);
VMI_OFFSET(stub64_shared, direct_bytes, 0x068);
VMI_OFFSET(stub64_shared, gdt_base, 0x070);
VMI_OFFSET(stub64_shared, idt_base, 0x078);
VMI_OFFSET(stub64_shared, gdt_limit, 0x080);
VMI_OFFSET(stub64_shared, idt_limit, 0x084);
VMI_OFFSET(stub64_shared, dr, 0x0b0);
VMI_OFFSET(stub64_shared, linear, 0x0f0);
VMI_OFFSET(stub64_shared, queue_guard, 0xff8);
VMI_SIZE(stub64_shared, 0x3000);

/* ---- hypercalls ---------------------------------------------------------- */

/*
 * Those of vmi_stub.h, with arguments in rdi, rsi and rdx, where the call has
 * them, and the result in rax (stub64.md, STUB64-6); and these, beyond them.
 */
#define STUB64_HCALLS(X)						\
	X(64, SYSCALL, SetSyscallEntry)	/* rdi LSTAR, rsi CSTAR */	\
	X(65, IRET_SITE, SetIRETSite)	/* rdi address */

#define STUB64_HC_ENUM(nr, name, call)	STUB64_HC_##name = nr,
enum stub64_hcall { STUB64_HCALLS(STUB64_HC_ENUM) };
#undef STUB64_HC_ENUM
#define STUB64_HC_FIRST		64
#define STUB64_HC_COUNT		66

/* ---- what the ROM tells the hypervisor --------------------------------- */

/* As struct stub_window; addresses in the working copy. */
struct stub64_window {
	uint64_t	start, end;
	uint64_t	restart;
	uint64_t	clear_if;
};

#define STUB64_INFO_MAGIC	0x34367473u	/* "st64" */
#define STUB64_INFO_OFFSET	0x20u		/* in vmi_rom_header.reserved3 */
#define STUB64_IRETS		3

/* At STUB64_INFO_OFFSET of the image. */
struct stub64_rom_info {
	uint32_t	magic;		/* STUB64_INFO_MAGIC */
	uint32_t	layout;		/* STUB64_LAYOUT */
	uint32_t	table;		/* offset of struct stub64_rom_table */
	uint32_t	window_count;	/* at most STUB_WINDOWS */
};

/*
 * Somewhere in the image, a multiple of 8 from its start; behind it the windows,
 * struct stub64_window each.
 */
struct stub64_rom_table {
	uint64_t	iret_insn[STUB64_IRETS];	/* the IRETQs */
	uint64_t	syscall_entry[2];	/* to swap and go to lstar, cstar */
};

VMI_OFFSET(stub64_window, start, 0x00);
VMI_OFFSET(stub64_window, end, 0x08);
VMI_OFFSET(stub64_window, restart, 0x10);
VMI_OFFSET(stub64_window, clear_if, 0x18);
VMI_SIZE(stub64_window, 0x20);
VMI_OFFSET(stub64_rom_info, magic, 0x00);
VMI_OFFSET(stub64_rom_info, layout, 0x04);
VMI_OFFSET(stub64_rom_info, table, 0x08);
VMI_OFFSET(stub64_rom_info, window_count, 0x0c);
VMI_SIZE(stub64_rom_info, 0x10);
VMI_OFFSET(stub64_rom_table, iret_insn, 0x00);
VMI_OFFSET(stub64_rom_table, syscall_entry, 0x18);
VMI_SIZE(stub64_rom_table, 0x28);

#endif

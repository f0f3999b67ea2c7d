/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a guest and the hypervisor proper say to each other, beside the ROM's
 * calls: how a guest finds a hypervisor, the calls that the ROM's Hypercall
 * passes on, and their errors. The meaning is in spec/neighbours.md, whose clause
 * numbers appear below as N-n.
 */
#ifndef VMI_HYPERCALL_H
#define VMI_HYPERCALL_H

#include "vmi.h"

/* ---- N-1: detection ----------------------------------------------------- */

#define VMI_CPUID_HYPERVISOR	(1u << 31)	/* leaf 1, ECX */
#define VMI_CPUID_SIGNATURE	0x40000000u	/* EBX, ECX, EDX: 12 bytes */
#define VMI_CPUID_FEATURES	0x40000001u
#define VMI_CPUID_COMM		0x40000002u	/* EAX, EBX: where, N-5.1; 0: nowhere */

/* Of VMI_CPUID_FEATURES: EAX; the rest are 0. EBX: the guest's rights. */
#define VMI_FEATURE_HYPERCALL	0x1u	/* the calls below, by the ROM's Hypercall */
#define VMI_FEATURE_VMCALL	0x2u	/* and by VMCALL and VMMCALL */
#define VMI_FEATURE_REQUEST	0x4u	/* VMI_HC_GuestRequest is there */
#define VMI_FEATURE_COMM	0x8u	/* shared variables, N-5 */
#define VMI_FEATURE_SERVE	0x10u	/* upcalls and I/O requests, N-7 */

/* ---- N-2: calls ----------------------------------------------------------- */

/* What a guest may do, by its start options. */
#define VMI_RIGHT_MANAGE	0x1u
#define VMI_RIGHT_INTROSPECT	0x2u

/* Results below 0. */
#define VMI_EPERM		1
#define VMI_ENOMEM		12
#define VMI_EFAULT		14
#define VMI_EBUSY		16
#define VMI_EINVAL		22
#define VMI_ETIMEDOUT		110

/* X(number, name); who may make them is in spec/neighbours.md. */
#define VMI_HYPERCALLS(X)		\
	X(1, Version)			\
	X(2, HypervisorInfo)		\
	X(3, CpuInfo)			\
	X(16, List)			\
	X(17, Info)			\
	X(18, State)			\
	X(19, Send)			\
	X(20, Reply)			\
	X(21, Create)			\
	X(22, Start)			\
	X(23, Pause)			\
	X(24, Resume)			\
	X(25, Reset)			\
	X(26, Destroy)			\
	X(27, Statistics)		\
	X(28, ConsoleRead)		\
	X(29, ConsoleWrite)		\
	X(32, PageMap)			\
	X(33, PageUnmap)		\
	X(34, GuestRequest)		\
	X(35, Token)			\
	X(40, Upcall)			\
	X(41, RequestPage)		\
	X(42, RequestEnd)		\
	X(43, Claim)			\
	X(44, Unclaim)			\
	X(45, RequestDone)		\
	X(46, SetLine)

#define VMI_HC_ENUM(nr, name)	VMI_HC_##name = nr,
enum vmi_hypercall { VMI_HYPERCALLS(VMI_HC_ENUM) };
#undef VMI_HC_ENUM
#define VMI_HC_COUNT		47

/* What Version writes. */
struct vmi_hc_version {
	uint32_t	major, minor;
};
#define VMI_HC_MAJOR		1
#define VMI_HC_MINOR		0

#define VMI_INFO_GUESTS		4u	/* HypervisorInfo */

/* CpuInfo: state, or exits. */
#define VMI_CPU_STATE		0u	/* VMI_CPU_RUNNING or _OFF */
#define VMI_CPU_EXITS		1000u	/* all; the others are some of these */
#define VMI_CPU_EXITS_HYPERCALL	1003u
#define VMI_CPU_EXITS_PORT	1004u
#define VMI_CPU_EXITS_CR	1006u
#define VMI_CPU_EXITS_CPUID	1007u
#define VMI_CPU_EXITS_EXCEPTION	1009u
#define VMI_CPU_EXITS_MSR	1010u
#define VMI_CPU_RUNNING		0
#define VMI_CPU_OFF		1

/* State, and struct vmi_guest_info.state. */
enum vmi_guest_state {
	VMI_STATE_RUNNING	= 0,
	VMI_STATE_LOCKED	= 1,
	VMI_STATE_SHUT_DOWN	= 2,
	VMI_STATE_FAILED	= 3,
	VMI_STATE_ABI_MISMATCH	= 4,
};

/* What Info writes. */
#define VMI_GUEST_NAME		32u
struct vmi_guest_info {
	uint32_t	id;
	uint32_t	state;		/* enum vmi_guest_state */
	uint32_t	vcpus;
	uint32_t	bits;		/* 32 or 64 */
	uint32_t	rights;
	uint32_t	starts;		/* so far */
	uint32_t	paused;		/* 1: it stands still, until Resume */
	uint32_t	ended;		/* 1: or it has not begun */
	uint64_t	memory;		/* bytes */
	uint64_t	exits;		/* of all its vCPUs */
	char		name[VMI_GUEST_NAME];	/* ends with a zero byte */
};

VMI_SIZE(vmi_hc_version, 8);
VMI_OFFSET(vmi_guest_info, id, 0x00);
VMI_OFFSET(vmi_guest_info, state, 0x04);
VMI_OFFSET(vmi_guest_info, vcpus, 0x08);
VMI_OFFSET(vmi_guest_info, bits, 0x0c);
VMI_OFFSET(vmi_guest_info, rights, 0x10);
VMI_OFFSET(vmi_guest_info, starts, 0x14);
VMI_OFFSET(vmi_guest_info, paused, 0x18);
VMI_OFFSET(vmi_guest_info, ended, 0x1c);
VMI_OFFSET(vmi_guest_info, memory, 0x20);
VMI_OFFSET(vmi_guest_info, exits, 0x28);
VMI_OFFSET(vmi_guest_info, name, 0x30);
VMI_SIZE(vmi_guest_info, 0x50);

/* What Create reads. Addresses are of the caller's memory; kernel and initrd are of
 * lists, of the addresses of their pages, of VMI_CREATE_PAGE bytes each. */
#define VMI_CMDLINE_MAX		2047u
#define VMI_CREATE_PAGE		4096u
#define VMI_COMM_ANY		1u	/* as comm: where there is room */
struct vmi_guest_create {
	uint64_t	kernel, kernel_bytes;
	uint64_t	initrd, initrd_bytes;	/* 0 bytes: none */
	uint64_t	cmdline, cmdline_bytes;	/* with no zero byte */
	uint32_t	memory;		/* MB */
	uint32_t	cpus;
	uint32_t	rights;		/* VMI_RIGHT_* */
	uint32_t	shares;
	uint64_t	comm;		/* N-5.1, or VMI_COMM_ANY; 0: it has none */
	uint32_t	reply_timeout;	/* ms */
	uint32_t	passive;	/* 1: it has no vote */
	char		name[VMI_GUEST_NAME];	/* ends with a zero byte */
};

/* What Statistics writes; of all vCPUs. */
struct vmi_guest_stats {
	uint64_t	exits;
	uint64_t	hypercalls;
	uint64_t	page_faults;		/* that were the guest's own */
	uint64_t	interrupts;
	uint64_t	shadow_fills;
	uint64_t	ports;			/* accesses */
	uint64_t	used;			/* TSC cycles of processors, in all */
	uint64_t	stolen;			/* that it waited for one */
	uint64_t	memory_left;		/* bytes of the machine */
};

VMI_OFFSET(vmi_guest_create, kernel, 0x00);
VMI_OFFSET(vmi_guest_create, kernel_bytes, 0x08);
VMI_OFFSET(vmi_guest_create, initrd, 0x10);
VMI_OFFSET(vmi_guest_create, initrd_bytes, 0x18);
VMI_OFFSET(vmi_guest_create, cmdline, 0x20);
VMI_OFFSET(vmi_guest_create, cmdline_bytes, 0x28);
VMI_OFFSET(vmi_guest_create, memory, 0x30);
VMI_OFFSET(vmi_guest_create, cpus, 0x34);
VMI_OFFSET(vmi_guest_create, rights, 0x38);
VMI_OFFSET(vmi_guest_create, shares, 0x3c);
VMI_OFFSET(vmi_guest_create, comm, 0x40);
VMI_OFFSET(vmi_guest_create, reply_timeout, 0x48);
VMI_OFFSET(vmi_guest_create, passive, 0x4c);
VMI_OFFSET(vmi_guest_create, name, 0x50);
VMI_SIZE(vmi_guest_create, 0x70);
VMI_OFFSET(vmi_guest_stats, exits, 0x00);
VMI_OFFSET(vmi_guest_stats, hypercalls, 0x08);
VMI_OFFSET(vmi_guest_stats, page_faults, 0x10);
VMI_OFFSET(vmi_guest_stats, interrupts, 0x18);
VMI_OFFSET(vmi_guest_stats, shadow_fills, 0x20);
VMI_OFFSET(vmi_guest_stats, ports, 0x28);
VMI_OFFSET(vmi_guest_stats, used, 0x30);
VMI_OFFSET(vmi_guest_stats, stolen, 0x38);
VMI_OFFSET(vmi_guest_stats, memory_left, 0x40);
VMI_SIZE(vmi_guest_stats, 0x48);

/* ---- N-5: shared variables ------------------------------------------------ */

/* Of messages, to the guest. */
enum vmi_message {
	VMI_MSG_NONE		= 0,
	VMI_MSG_SHUTDOWN	= 1,	/* request: may it end? */
	VMI_MSG_RECONFIGURED	= 2,	/* information: the guests are others */
};

/* And what it says to them. */
enum vmi_reply {
	VMI_REPLY_NONE		= 0,
	VMI_REPLY_UNKNOWN	= 1,
	VMI_REPLY_DENIED	= 2,
	VMI_REPLY_APPROVED	= 3,
	VMI_REPLY_RECEIVED	= 4,
};

#define VMI_COMM_SIGNATURE	"JHCOMM"
#define VMI_COMM_REVISION	2
#define VMI_CONSOLE_8250	2	/* type; flags 0: by ports */

/* At the beginning of the page; up to "ours" it is Jailhouse's. */
struct vmi_comm {
	char		signature[6];
	uint16_t	revision;
	uint32_t	state;		/* enum vmi_guest_state; the guest's to write */
	uint32_t	message;	/* enum vmi_message */
	uint32_t	reply;		/* enum vmi_reply; the guest's to write */
	uint32_t	flags;		/* 0 */
	struct {
		uint64_t	address;
		uint32_t	size;
		uint16_t	type;
		uint16_t	flags;
		uint32_t	divider;
		uint32_t	gate;
		uint64_t	clock_reg;
	} __attribute__((packed)) console;
	uint64_t	mmconfig;
	uint16_t	pm_timer;	/* 0: none */
	uint16_t	cpus;
	uint32_t	tsc_khz;
	uint32_t	apic_khz;
	uint32_t	pad;
	/* ours */
	uint32_t	guest;		/* its number */
	uint32_t	rights;		/* VMI_RIGHT_* */
	uint32_t	reply_timeout;	/* ms; 0: there is none */
	uint32_t	passive;	/* 1: it has no vote */
} __attribute__((packed));

VMI_OFFSET(vmi_comm, revision, 0x06);
VMI_OFFSET(vmi_comm, state, 0x08);
VMI_OFFSET(vmi_comm, message, 0x0c);
VMI_OFFSET(vmi_comm, reply, 0x10);
VMI_OFFSET(vmi_comm, flags, 0x14);
VMI_OFFSET(vmi_comm, console, 0x18);
VMI_OFFSET(vmi_comm, mmconfig, 0x38);
VMI_OFFSET(vmi_comm, pm_timer, 0x40);
VMI_OFFSET(vmi_comm, cpus, 0x42);
VMI_OFFSET(vmi_comm, tsc_khz, 0x44);
VMI_OFFSET(vmi_comm, apic_khz, 0x48);
VMI_OFFSET(vmi_comm, guest, 0x50);
VMI_OFFSET(vmi_comm, rights, 0x54);
VMI_OFFSET(vmi_comm, reply_timeout, 0x58);
VMI_OFFSET(vmi_comm, passive, 0x5c);
VMI_SIZE(vmi_comm, 0x60);

/* ---- N-7: upcalls and I/O requests ---------------------------------------- */

/* Upcall: 0 is the default. */
#define VMI_UPCALL_VECTOR	0xf3u
#define VMI_UPCALL_FIRST	0x20u
#define VMI_UPCALL_LAST		0xffu

/* RequestPage: flags. */
#define VMI_REQUEST_POLLING	0x1u

/* Claim and Unclaim, and type in a request. */
#define VMI_IO_PORT		0u
#define VMI_IO_MEMORY		1u

#define VMI_IO_READ		0u	/* direction */
#define VMI_IO_WRITE		1u

/* Whose a slot is. */
enum vmi_request_state {
	VMI_REQUEST_PENDING	= 0,	/* the server's: a new request */
	VMI_REQUEST_COMPLETE	= 1,	/* the hypervisor's, with the answer */
	VMI_REQUEST_PROCESSING	= 2,	/* the server's */
	VMI_REQUEST_FREE	= 3,	/* the hypervisor's */
};

/* A slot; ACRN's struct acrn_io_request. */
#define VMI_REQUEST_SLOTS	16u	/* of a page; by vCPU */
struct vmi_io_request {
	uint32_t	type;		/* VMI_IO_PORT or VMI_IO_MEMORY */
	uint32_t	polling;	/* 1: the state is looked at without a call */
	uint32_t	reserved[14];
	uint32_t	direction;	/* VMI_IO_READ or VMI_IO_WRITE */
	uint32_t	pad;
	uint64_t	address;	/* port, or guest-physical */
	uint64_t	size;		/* 1, 2, 4, 8 */
	uint64_t	value;		/* written, or the answer */
	uint64_t	unused[4];
	uint32_t	reserved1;
	uint32_t	kernel_handled;	/* 0 */
	uint32_t	state;		/* enum vmi_request_state */
	uint32_t	reserved2[29];
};

VMI_OFFSET(vmi_io_request, type, 0x00);
VMI_OFFSET(vmi_io_request, polling, 0x04);
VMI_OFFSET(vmi_io_request, direction, 0x40);
VMI_OFFSET(vmi_io_request, address, 0x48);
VMI_OFFSET(vmi_io_request, size, 0x50);
VMI_OFFSET(vmi_io_request, value, 0x58);
VMI_OFFSET(vmi_io_request, kernel_handled, 0x84);
VMI_OFFSET(vmi_io_request, state, 0x88);
VMI_SIZE(vmi_io_request, 0x100);

/* GuestRequest: its two arguments. */
#define VMI_REQUEST		24u
#define VMI_REQUEST_ZERO	0u

/* ---- N-8: pages of other guests ------------------------------------------- */

#define VMI_TOKEN_BYTES		32u	/* what Token writes, and PageMap reads */
#define VMI_TOKENS		8u	/* that are good at a time */
#define VMI_PAGES_MAX		1024u	/* that a guest has mapped at a time */

/* What a VMCALL of GuestRequest leaves in the registers that it may change. */
#define VMI_HC_POISON		0xdeadbeefu

#endif

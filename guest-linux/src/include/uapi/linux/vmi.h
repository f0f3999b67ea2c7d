/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * /dev/vmi: what a guest of the OpenVMI hypervisor with rights to do so asks about
 * other guests (spec/neighbours.md, N-2, N-5 to N-7). It is there if the guest
 * has rights, for CAP_SYS_ADMIN alone.
 *
 * Each ioctl is a call of the hypervisor and has its number; numbers, structures and
 * results are those of vmi_hypercall.h. An error of the call is one of the ioctl.
 * Where the call wants addresses of the guest's memory, these are the program's.
 */
#ifndef _UAPI_LINUX_VMI_H
#define _UAPI_LINUX_VMI_H

#include <linux/ioctl.h>
#include <linux/types.h>
#ifdef __KERNEL__
#include <asm/vmi_hypercall.h>
#else
#include "vmi_hypercall.h"
#endif

/* The result of VMI_LIST: how many there are. */
#define VMI_LIST_MAX	64
struct vmi_list {
	__u32	id[VMI_LIST_MAX];
};

struct vmi_send {
	__u32	guest;
	__u32	message;		/* enum vmi_message */
};

struct vmi_statistics {
	__u32	guest;
	__u32	pad;
	struct vmi_guest_stats of;	/* written */
};

/* The result: how many bytes were read or written, which may be fewer. */
#define VMI_CONSOLE_MAX	4096		/* more are not at once */
struct vmi_console {
	__u32	guest;
	__u32	bytes;
	__u64	data;			/* address of a buffer */
};

/*
 * A program may answer for ports and memory of one guest by one open device
 * (spec/neighbours.md, N-7), until it closes it. VMI_REQUEST_PAGE says for which; from
 * then on mmap() of a page at offset 0 has the slots, struct vmi_io_request, and poll()
 * tells of requests that are pending.
 */
struct vmi_request_page {
	__u32	guest;
	__u32	flags;			/* VMI_REQUEST_POLLING */
};

struct vmi_claim {
	__u32	kind;			/* VMI_IO_PORT, VMI_IO_MEMORY */
	__u32	pad;
	__u64	first, bytes;
};

struct vmi_line {
	__u32	irq, level;
};

#define VMI_IOC		0xb9

#define VMI_LIST	_IOR(VMI_IOC, VMI_HC_List, struct vmi_list)
/* The guest is info.id. */
#define VMI_INFO	_IOWR(VMI_IOC, VMI_HC_Info, struct vmi_guest_info)
#define VMI_STATISTICS	_IOWR(VMI_IOC, VMI_HC_Statistics, struct vmi_statistics)
#define VMI_SEND	_IOW(VMI_IOC, VMI_HC_Send, struct vmi_send)
/*
 * Kernel, initial RAM disk and command line are buffers of the program's; the first
 * two begin at a page, as those of mmap() do. The result is the new guest's number.
 */
#define VMI_CREATE	_IOW(VMI_IOC, VMI_HC_Create, struct vmi_guest_create)
#define VMI_CONSOLE_READ  _IOWR(VMI_IOC, VMI_HC_ConsoleRead, struct vmi_console)
#define VMI_REQUEST_PAGE  _IOW(VMI_IOC, VMI_HC_RequestPage, struct vmi_request_page)
/* These are about that guest. */
#define VMI_CLAIM	_IOW(VMI_IOC, VMI_HC_Claim, struct vmi_claim)
#define VMI_UNCLAIM	_IOW(VMI_IOC, VMI_HC_Unclaim, struct vmi_claim)
#define VMI_SET_LINE	_IOW(VMI_IOC, VMI_HC_SetLine, struct vmi_line)
#define VMI_REQUEST_END	_IO(VMI_IOC, VMI_HC_RequestEnd)
#define VMI_REQUEST_DONE _IO(VMI_IOC, VMI_HC_RequestDone)	/* the vCPU */
#define VMI_CONSOLE_WRITE _IOW(VMI_IOC, VMI_HC_ConsoleWrite, struct vmi_console)

/* Of these the argument itself is the guest's number. */
#define VMI_STATE	_IO(VMI_IOC, VMI_HC_State)
#define VMI_REPLY	_IO(VMI_IOC, VMI_HC_Reply)
#define VMI_START	_IO(VMI_IOC, VMI_HC_Start)
#define VMI_PAUSE	_IO(VMI_IOC, VMI_HC_Pause)
#define VMI_RESUME	_IO(VMI_IOC, VMI_HC_Resume)
#define VMI_RESET	_IO(VMI_IOC, VMI_HC_Reset)
#define VMI_DESTROY	_IO(VMI_IOC, VMI_HC_Destroy)

#endif

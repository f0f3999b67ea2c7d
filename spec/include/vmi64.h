/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * VMI-64, version 1.0: the Virtual Machine Interface for 64-bit guests. This
 * file is the one definition of its numbers and layouts; the meaning is in
 * spec/vmi64.md, whose clause numbers appear below as VMI64-n.n. What is the
 * same for 32-bit guests is in vmi.h: the header of the image, the types of
 * get-relocation, flags of the calls.
 */
#ifndef VMI64_H
#define VMI64_H

#include "vmi.h"

#define VMI64_API_MAJOR		1
#define VMI64_API_MINOR		0

/* VMI64-2: in vmi_rom_header.signature, where a 32-bit guest has "cVmi". */
#define VMI64_SIGNATURE		0x34365663u	/* "cV64" */

/* VMI64-2.3: virtual_top is a multiple of this, or 0. */
#define VMI64_TOP_ALIGN		0x200000u

/* VMI64-2.3: the 64-bit address that the header's word stands for. */
static inline uint64_t vmi64_virtual_top(uint32_t virtual_top)
{
	return (uint64_t)(int64_t)(int32_t)virtual_top;
}

/* ---- VMI64-3: the calls ----------------------------------------------- */

/*
 * X(number, name). A call that VMI 3.x has too has its number there; those
 * from 80 on are of this interface alone.
 */
#define VMI64_CALLS(X)			\
	X(0, CPUID)			\
	X(1, WRMSR)			\
	X(2, RDMSR)			\
	X(3, SetGDT)			\
	X(4, SetLDT)			\
	X(5, SetIDT)			\
	X(6, SetTR)			\
	X(7, GetGDT)			\
	X(8, GetLDT)			\
	X(9, GetIDT)			\
	X(10, GetTR)			\
	X(11, WriteGDTEntry)		\
	X(12, WriteLDTEntry)		\
	X(13, WriteIDTEntry)		\
	X(14, UpdateKernelStack)	\
	X(15, SetCR0)			\
	X(16, SetCR2)			\
	X(17, SetCR3)			\
	X(18, SetCR4)			\
	X(19, GetCR0)			\
	X(20, GetCR2)			\
	X(21, GetCR3)			\
	X(22, GetCR4)			\
	X(23, WBINVD)			\
	X(24, SetDR)			\
	X(25, GetDR)			\
	X(26, RDPMC)			\
	X(27, RDTSC)			\
	X(28, CLTS)			\
	X(29, EnableInterrupts)		\
	X(30, DisableInterrupts)	\
	X(31, GetInterruptMask)		\
	X(32, SetInterruptMask)		\
	X(33, IRET)			\
	X(35, Halt)			\
	X(36, Reboot)			\
	X(37, Shutdown)			\
	X(39, SetPxELong)		\
	X(41, UpdatePxELong)		\
	X(42, MachineToPhysical)	\
	X(43, PhysicalToMachine)	\
	X(44, AllocatePage)		\
	X(45, ReleasePage)		\
	X(46, InvalPage)		\
	X(47, FlushTLB)			\
	X(48, SetLinearMapping)		\
	X(61, SetIOPLMask)		\
	X(62, SetInitialAPState)	\
	X(63, APICWrite)		\
	X(64, APICRead)			\
	X(65, IODelay)			\
	X(66, GetCycleFrequency)	\
	X(67, GetCycleCounter)		\
	X(68, SetAlarm)			\
	X(69, CancelAlarm)		\
	X(70, GetWallclockTime)		\
	X(71, WallclockUpdated)		\
	X(73, SetLazyMode)		\
	X(74, FlushProcessors)		\
	X(75, Hypercall)		\
	X(80, GetFSBase)		\
	X(81, SetFSBase)		\
	X(82, GetGSBase)		\
	X(83, SetGSBase)		\
	X(84, GetKernelGSBase)		\
	X(85, SetKernelGSBase)		\
	X(86, SwapGS)			\
	X(87, SwapGSIRET)		\
	X(88, SetSyscallEntry)		\
	X(89, SetIRETSite)

#define VMI64_CALL_ENUM(nr, name)	VMI64_CALL_##name = nr,
enum vmi64_call { VMI64_CALLS(VMI64_CALL_ENUM) };
#undef VMI64_CALL_ENUM
#define VMI64_CALL_COUNT	90

/* What the get-relocation entry returns, in rax and rdx (VMI64-2.5). */
struct vmi64_relocation {
	uint64_t	address;
	uint64_t	type;		/* enum vmi_reloc_type */
};

/* What LGDT and LIDT take, and SetGDT and SetIDT. */
struct vmi64_table_pointer {
	uint16_t	limit;
	uint64_t	base;
} __attribute__((packed));

/* VMI64-3.8: state of a further processor, for SetInitialAPState. */
struct vmi64_ap_state {
	uint64_t	cr0, cr2, cr3, cr4;
	uint64_t	efer;
	uint64_t	rip, rflags;
	uint64_t	rax, rbx, rcx, rdx, rsp, rbp, rsi, rdi;
	uint64_t	r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t	fs_base, gs_base, kernel_gs_base;
	uint64_t	gdtr_base, idtr_base;
	uint16_t	gdtr_limit, idtr_limit;
	uint16_t	cs, ss, ds, es, fs, gs;
	uint16_t	ldtr;
	uint8_t		pad[6];
} __attribute__((packed));

VMI_OFFSET(vmi64_relocation, address, 0x00);
VMI_OFFSET(vmi64_relocation, type, 0x08);
VMI_SIZE(vmi64_relocation, 0x10);
VMI_OFFSET(vmi64_table_pointer, limit, 0x00);
VMI_OFFSET(vmi64_table_pointer, base, 0x02);
VMI_SIZE(vmi64_table_pointer, 0x0a);
VMI_OFFSET(vmi64_ap_state, cr0, 0x00);
VMI_OFFSET(vmi64_ap_state, cr2, 0x08);
VMI_OFFSET(vmi64_ap_state, cr3, 0x10);
VMI_OFFSET(vmi64_ap_state, cr4, 0x18);
VMI_OFFSET(vmi64_ap_state, efer, 0x20);
VMI_OFFSET(vmi64_ap_state, rip, 0x28);
VMI_OFFSET(vmi64_ap_state, rflags, 0x30);
VMI_OFFSET(vmi64_ap_state, rax, 0x38);
VMI_OFFSET(vmi64_ap_state, rbx, 0x40);
VMI_OFFSET(vmi64_ap_state, rcx, 0x48);
VMI_OFFSET(vmi64_ap_state, rdx, 0x50);
VMI_OFFSET(vmi64_ap_state, rsp, 0x58);
VMI_OFFSET(vmi64_ap_state, rbp, 0x60);
VMI_OFFSET(vmi64_ap_state, rsi, 0x68);
VMI_OFFSET(vmi64_ap_state, rdi, 0x70);
VMI_OFFSET(vmi64_ap_state, r8, 0x78);
VMI_OFFSET(vmi64_ap_state, r9, 0x80);
VMI_OFFSET(vmi64_ap_state, r10, 0x88);
VMI_OFFSET(vmi64_ap_state, r11, 0x90);
VMI_OFFSET(vmi64_ap_state, r12, 0x98);
VMI_OFFSET(vmi64_ap_state, r13, 0xa0);
VMI_OFFSET(vmi64_ap_state, r14, 0xa8);
VMI_OFFSET(vmi64_ap_state, r15, 0xb0);
VMI_OFFSET(vmi64_ap_state, fs_base, 0xb8);
VMI_OFFSET(vmi64_ap_state, gs_base, 0xc0);
VMI_OFFSET(vmi64_ap_state, kernel_gs_base, 0xc8);
VMI_OFFSET(vmi64_ap_state, gdtr_base, 0xd0);
VMI_OFFSET(vmi64_ap_state, idtr_base, 0xd8);
VMI_OFFSET(vmi64_ap_state, gdtr_limit, 0xe0);
VMI_OFFSET(vmi64_ap_state, idtr_limit, 0xe2);
VMI_OFFSET(vmi64_ap_state, cs, 0xe4);
VMI_OFFSET(vmi64_ap_state, ss, 0xe6);
VMI_OFFSET(vmi64_ap_state, ds, 0xe8);
VMI_OFFSET(vmi64_ap_state, es, 0xea);
VMI_OFFSET(vmi64_ap_state, fs, 0xec);
VMI_OFFSET(vmi64_ap_state, gs, 0xee);
VMI_OFFSET(vmi64_ap_state, ldtr, 0xf0);
VMI_SIZE(vmi64_ap_state, 0xf8);

#endif

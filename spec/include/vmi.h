/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The Virtual Machine Interface, version 3.1: what a guest kernel and a ROM
 * agree on. This file is the one definition of every number and layout; the
 * meaning is in spec/vmi.md, whose clause numbers appear below as VMI-n.n.
 *
 * Self-standing: usable from a kernel, a ROM, a hypervisor or a host tool,
 * 32 or 64 bit. NASM gets the same numbers from spec/offsets.c.
 */
#ifndef VMI_H
#define VMI_H

#ifdef __KERNEL__
#include <linux/types.h>
#include <linux/stddef.h>
#else
#include <stddef.h>
#include <stdint.h>
#endif

#define VMI_API_MAJOR		3
#define VMI_API_MINOR		1

/* ---- VMI-2: the ROM image ------------------------------------------- */

/* Guest-physical range in which a ROM is searched, and the step. */
#define VMI_SCAN_START		0xc0000u
#define VMI_SCAN_END		0xe0000u
#define VMI_SCAN_STEP		2048u

#define VMI_ROM_MAGIC		0xaa55u		/* bytes 55 aa */
#define VMI_ROM_UNIT		512u		/* unit of the length byte */
#define VMI_SIGNATURE		0x696d5663u	/* "cVmi" */

struct vmi_rom_header {
	uint16_t	magic;		/* VMI_ROM_MAGIC */
	uint8_t		length;		/* in units of VMI_ROM_UNIT */
	uint8_t		bios_init[4];	/* real-mode entry, far call */
	uint8_t		checksum;	/* makes all bytes sum to 0 mod 256 */
	uint32_t	signature;	/* VMI_SIGNATURE */
	uint8_t		api_minor;
	uint8_t		api_major;
	uint8_t		slots;		/* fixed entries at VMI_ENTRY_INIT */
	uint8_t		reserved1;
	uint32_t	virtual_top;	/* hypervisor space starts here; 0 none */
	uint16_t	reserved2;
	uint16_t	license;	/* offset of a string, "GPL v2" or "GPL" */
	uint16_t	pci;		/* offset of struct vmi_pci_data, not 0 */
	uint16_t	pnp;		/* offset of struct vmi_pnp_header, or 0 */
	uint32_t	pad;
	uint8_t		reserved3[96];	/* private to the vendor */
	uint8_t		entry_init[8];	/* code */
	uint8_t		entry_reloc[8];	/* code */
} __attribute__((packed));

#define VMI_ENTRY_INIT		0x80u
#define VMI_ENTRY_RELOC		0x88u

#define VMI_PCI_SIGNATURE	0x52494350u	/* "PCIR" */
#define VMI_PCI_VENDOR		0x15adu
#define VMI_PCI_DEVICE		0x0801u

struct vmi_pci_data {
	uint32_t	signature;
	uint16_t	vendor;
	uint16_t	device;
	uint16_t	vpd;
	uint16_t	length;		/* of this structure */
	uint8_t		revision;
	uint8_t		class_code[3];
	uint16_t	image_length;	/* in units of VMI_ROM_UNIT */
	uint8_t		rom_minor;	/* version of this ROM */
	uint8_t		rom_major;
	uint8_t		code_type;
	uint8_t		indicator;	/* 0x80: last image */
	uint16_t	reserved;
} __attribute__((packed));

#define VMI_PNP_SIGNATURE	0x506e5024u	/* "$PnP" */

struct vmi_pnp_header {
	uint32_t	signature;
	uint8_t		revision;
	uint8_t		length;		/* in units of 16 bytes */
	uint16_t	next;
	uint8_t		reserved;
	uint8_t		checksum;	/* of this structure */
	uint32_t	device_id;
	uint16_t	manufacturer;	/* offset of a string, or 0 */
	uint16_t	product;	/* offset of a string, or 0 */
	uint8_t		class_code[3];
	uint8_t		indicators;
	uint16_t	boot_vector;
	uint16_t	disconnect_vector;
	uint16_t	bootstrap_vector;
	uint16_t	reserved2;
	uint16_t	resource_vector;
} __attribute__((packed));

/* VMI-2.5: result of the get-relocation entry, eax = address, dl = type. */
enum vmi_reloc_type {
	VMI_RELOC_NONE	= 0,	/* keep the native instruction */
	VMI_RELOC_CALL	= 1,
	VMI_RELOC_JUMP	= 2,
	VMI_RELOC_NOP	= 3,
};

/* ---- VMI-3: the calls ------------------------------------------------ */

/* X(number, name); numbers 49-60 and 72 are unassigned. */
#define VMI_CALLS(X)			\
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
	X(34, SYSEXIT)			\
	X(35, Halt)			\
	X(36, Reboot)			\
	X(37, Shutdown)			\
	X(38, SetPxE)			\
	X(39, SetPxELong)		\
	X(40, UpdatePxE)		\
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
	X(75, Hypercall)

#define VMI_CALL_ENUM(nr, name)	VMI_CALL_##name = nr,
enum vmi_call { VMI_CALLS(VMI_CALL_ENUM) };
#undef VMI_CALL_ENUM
#define VMI_CALL_COUNT		76

/* VMI-3.4: level in the flags of the four page-table calls. */
#define VMI_PAGE_PT		0x01u
#define VMI_PAGE_PD		0x02u
#define VMI_PAGE_PDP		0x04u
#define VMI_PAGE_PML4		0x08u
/* with SetPxE and UpdatePxE */
#define VMI_PAGE_CURRENT_AS	0x10u	/* bits 31-12 hold the virtual address */
#define VMI_PAGE_DEFER		0x20u	/* may wait for the next flush of it */
/* with AllocatePage and ReleasePage */
#define VMI_PAGE_PAE		0x10u
#define VMI_PAGE_CLONE		0x20u
#define VMI_PAGE_ZEROED		0x40u

/* Selectors of the user mode that SYSEXIT returns to. */
#define VMI_SYSEXIT_CS		0x73u
#define VMI_SYSEXIT_SS		0x7bu

#define VMI_FLUSH_TLB		0x01u	/* FlushTLB: non-global translations */
#define VMI_FLUSH_GLOBAL	0x02u	/* ... and global ones */
#define VMI_FLUSH_PAGE		0x04u	/* FlushProcessors: one page, in bits 31-12 */

enum vmi_lazy_mode {
	VMI_LAZY_NONE	= 0,
	VMI_LAZY_MMU	= 1,
	VMI_LAZY_CPU	= 2,
};

#define VMI_LINEAR_SLOTS	4

enum vmi_cycles {
	VMI_CYCLES_REAL		= 0,
	VMI_CYCLES_AVAILABLE	= 1,
	VMI_CYCLES_STOLEN	= 2,
};

/* VMI-3.7: flags of SetAlarm and CancelAlarm; the low byte is the counter. */
#define VMI_ALARM_COUNTER	0xffu
#define VMI_ALARM_PERIODIC	0x100u
#define VMI_ALARM_LVTT		0x10000u	/* else wired to IRQ 0 */

/* VMI-3.8: state of a further processor, for SetInitialAPState. */
struct vmi_ap_state {
	uint32_t	cr0, cr2, cr3, cr4;
	uint64_t	efer;
	uint32_t	eip, eflags;
	uint32_t	eax, ebx, ecx, edx, esp, ebp, esi, edi;
	uint16_t	cs, ss, ds, es, fs, gs;
	uint16_t	ldtr;
	uint16_t	gdtr_limit;
	uint32_t	gdtr_base;
	uint32_t	idtr_base;
	uint16_t	idtr_limit;
	uint16_t	pad;
} __attribute__((packed));

#define VMI_OFFSET(type, field, offset) \
	_Static_assert(offsetof(struct type, field) == (offset), \
		       #type "." #field)
#define VMI_SIZE(type, size) \
	_Static_assert(sizeof(struct type) == (size), #type)

VMI_OFFSET(vmi_rom_header, magic, 0x00);
VMI_OFFSET(vmi_rom_header, length, 0x02);
VMI_OFFSET(vmi_rom_header, bios_init, 0x03);
VMI_OFFSET(vmi_rom_header, checksum, 0x07);
VMI_OFFSET(vmi_rom_header, signature, 0x08);
VMI_OFFSET(vmi_rom_header, api_minor, 0x0c);
VMI_OFFSET(vmi_rom_header, api_major, 0x0d);
VMI_OFFSET(vmi_rom_header, slots, 0x0e);
VMI_OFFSET(vmi_rom_header, reserved1, 0x0f);
VMI_OFFSET(vmi_rom_header, virtual_top, 0x10);
VMI_OFFSET(vmi_rom_header, reserved2, 0x14);
VMI_OFFSET(vmi_rom_header, license, 0x16);
VMI_OFFSET(vmi_rom_header, pci, 0x18);
VMI_OFFSET(vmi_rom_header, pnp, 0x1a);
VMI_OFFSET(vmi_rom_header, reserved3, 0x20);
VMI_OFFSET(vmi_rom_header, entry_init, VMI_ENTRY_INIT);
VMI_OFFSET(vmi_rom_header, entry_reloc, VMI_ENTRY_RELOC);
VMI_SIZE(vmi_rom_header, 0x90);
VMI_OFFSET(vmi_pci_data, signature, 0x00);
VMI_OFFSET(vmi_pci_data, vendor, 0x04);
VMI_OFFSET(vmi_pci_data, device, 0x06);
VMI_OFFSET(vmi_pci_data, vpd, 0x08);
VMI_OFFSET(vmi_pci_data, length, 0x0a);
VMI_OFFSET(vmi_pci_data, revision, 0x0c);
VMI_OFFSET(vmi_pci_data, class_code, 0x0d);
VMI_OFFSET(vmi_pci_data, image_length, 0x10);
VMI_OFFSET(vmi_pci_data, rom_minor, 0x12);
VMI_OFFSET(vmi_pci_data, rom_major, 0x13);
VMI_OFFSET(vmi_pci_data, code_type, 0x14);
VMI_OFFSET(vmi_pci_data, indicator, 0x15);
VMI_OFFSET(vmi_pci_data, reserved, 0x16);
VMI_SIZE(vmi_pci_data, 0x18);
VMI_OFFSET(vmi_pnp_header, signature, 0x00);
VMI_OFFSET(vmi_pnp_header, revision, 0x04);
VMI_OFFSET(vmi_pnp_header, length, 0x05);
VMI_OFFSET(vmi_pnp_header, next, 0x06);
VMI_OFFSET(vmi_pnp_header, reserved, 0x08);
VMI_OFFSET(vmi_pnp_header, checksum, 0x09);
VMI_OFFSET(vmi_pnp_header, device_id, 0x0a);
VMI_OFFSET(vmi_pnp_header, manufacturer, 0x0e);
VMI_OFFSET(vmi_pnp_header, product, 0x10);
VMI_OFFSET(vmi_pnp_header, class_code, 0x12);
VMI_OFFSET(vmi_pnp_header, indicators, 0x15);
VMI_OFFSET(vmi_pnp_header, boot_vector, 0x16);
VMI_OFFSET(vmi_pnp_header, disconnect_vector, 0x18);
VMI_OFFSET(vmi_pnp_header, bootstrap_vector, 0x1a);
VMI_OFFSET(vmi_pnp_header, reserved2, 0x1c);
VMI_OFFSET(vmi_pnp_header, resource_vector, 0x1e);
VMI_SIZE(vmi_pnp_header, 0x20);
VMI_OFFSET(vmi_ap_state, cr0, 0x00);
VMI_OFFSET(vmi_ap_state, cr2, 0x04);
VMI_OFFSET(vmi_ap_state, cr3, 0x08);
VMI_OFFSET(vmi_ap_state, cr4, 0x0c);
VMI_OFFSET(vmi_ap_state, efer, 0x10);
VMI_OFFSET(vmi_ap_state, eip, 0x18);
VMI_OFFSET(vmi_ap_state, eflags, 0x1c);
VMI_OFFSET(vmi_ap_state, eax, 0x20);
VMI_OFFSET(vmi_ap_state, ebx, 0x24);
VMI_OFFSET(vmi_ap_state, ecx, 0x28);
VMI_OFFSET(vmi_ap_state, edx, 0x2c);
VMI_OFFSET(vmi_ap_state, esp, 0x30);
VMI_OFFSET(vmi_ap_state, ebp, 0x34);
VMI_OFFSET(vmi_ap_state, esi, 0x38);
VMI_OFFSET(vmi_ap_state, edi, 0x3c);
VMI_OFFSET(vmi_ap_state, cs, 0x40);
VMI_OFFSET(vmi_ap_state, ss, 0x42);
VMI_OFFSET(vmi_ap_state, ds, 0x44);
VMI_OFFSET(vmi_ap_state, es, 0x46);
VMI_OFFSET(vmi_ap_state, fs, 0x48);
VMI_OFFSET(vmi_ap_state, gs, 0x4a);
VMI_OFFSET(vmi_ap_state, ldtr, 0x4c);
VMI_OFFSET(vmi_ap_state, gdtr_limit, 0x4e);
VMI_OFFSET(vmi_ap_state, gdtr_base, 0x50);
VMI_OFFSET(vmi_ap_state, idtr_base, 0x54);
VMI_OFFSET(vmi_ap_state, idtr_limit, 0x58);
VMI_SIZE(vmi_ap_state, 0x5c);

#endif

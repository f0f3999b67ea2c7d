/* SPDX-License-Identifier: GPL-2.0-only */
/* Numbers of the architecture: flags, control registers, exceptions. */
#ifndef ARCH_H
#define ARCH_H

/* General registers by their number in instruction encodings. */
enum { EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI,
       R8, R9, R10, R11, R12, R13, R14, R15 };
#define GPRS		16	/* in 64-bit code: R8 to R15 */

#define EFLAGS_FIXED	0x00000002u
#define EFLAGS_TF	0x00000100u
#define EFLAGS_IF	0x00000200u
#define EFLAGS_DF	0x00000400u
#define EFLAGS_IOPL	0x00003000u
#define EFLAGS_NT	0x00004000u
#define EFLAGS_RF	0x00010000u
#define EFLAGS_VM	0x00020000u
#define EFLAGS_AC	0x00040000u
#define EFLAGS_VIF	0x00080000u
#define EFLAGS_VIP	0x00100000u

#define CR0_PE		0x00000001u
#define CR0_MP		0x00000002u
#define CR0_EM		0x00000004u
#define CR0_TS		0x00000008u
#define CR0_ET		0x00000010u
#define CR0_NE		0x00000020u
#define CR0_WP		0x00010000u
#define CR0_AM		0x00040000u
#define CR0_NW		0x20000000u
#define CR0_CD		0x40000000u
#define CR0_PG		0x80000000u

#define DR6_FIXED	0xffff0ff0u	/* bits that are always 1 */

#define EFER_SCE	0x00000001u
#define EFER_LME	0x00000100u
#define EFER_LMA	0x00000400u
#define EFER_NXE	0x00000800u
#define EFER_WIDE	(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)	/* of a 64-bit guest */

#define MSR_APIC_BASE		0x0000001b
#define MSR_EFER		0xc0000080
#define MSR_STAR		0xc0000081
#define MSR_LSTAR		0xc0000082
#define MSR_CSTAR		0xc0000083
#define MSR_FMASK		0xc0000084
#define MSR_FS_BASE		0xc0000100
#define MSR_GS_BASE		0xc0000101
#define MSR_KERNEL_GS_BASE	0xc0000102

#define CR4_TSD		0x00000004u
#define CR4_DE		0x00000008u
#define CR4_PSE		0x00000010u
#define CR4_PAE		0x00000020u
#define CR4_MCE		0x00000040u
#define CR4_PGE		0x00000080u
#define CR4_PCE		0x00000100u
#define CR4_OSFXSR	0x00000200u
#define CR4_OSXMMEXCPT	0x00000400u
#define CR4_UMIP	0x00000800u
#define CR4_FSGSBASE	0x00010000u
#define CR4_OSXSAVE	0x00040000u
#define CR4_SMEP	0x00100000u

/* Exception vectors (SDM Vol. 3, 6.3.1). */
#define VEC_DB		1
#define VEC_NMI		2
#define VEC_BP		3
#define VEC_OF		4
#define VEC_UD		6
#define VEC_NM		7
#define VEC_DF		8
#define VEC_TS		10
#define VEC_NP		11
#define VEC_SS		12
#define VEC_GP		13
#define VEC_PF		14
#define VEC_AC		17
#define VEC_MC		18

/* Page-fault error code. */
#define PF_P		0x1u
#define PF_W		0x2u
#define PF_U		0x4u
#define PF_RSVD		0x8u
#define PF_I		0x10u

/* Entries of page tables (SDM Vol. 3, 4.3 to 4.5). */
#define PTE_P		0x001u
#define PTE_W		0x002u
#define PTE_U		0x004u
#define PTE_A		0x020u
#define PTE_D		0x040u
#define PTE_PS		0x080u
#define PTE_ADDR	0x000ffffffffff000ul
#define PTE_NX		0x8000000000000000ul

#endif

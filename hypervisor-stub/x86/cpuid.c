// SPDX-License-Identifier: GPL-2.0-only
/* CPUID: what the guest is told about the processor. */
#include <cpu.h>

#include "x86.h"

#define BIT(n)	(1u << (n))

/*
 * What a guest may see of the leaves that list features: those that need no
 * more than their instructions and the control bits that it has. The rest,
 * what comes with MSRs or register state of its own above all, is hidden,
 * so that a newer processor brings nothing that we do not know.
 */
/* SSE3 PCLMUL SSSE3 CX16 SSE4.1 SSE4.2 MOVBE POPCNT AES RDRAND */
#define LEAF1_ECX	(BIT(0) | BIT(1) | BIT(9) | BIT(13) | BIT(19) | \
			 BIT(20) | BIT(22) | BIT(23) | BIT(25) | BIT(30))
/* FPU DE PSE TSC MSR PAE CX8 APIC SEP PGE CMOV PAT PSE36 CLFSH MMX FXSR SSE
 * SSE2 */
#define LEAF1_EDX	(BIT(0) | BIT(2) | BIT(3) | BIT(4) | BIT(5) | BIT(6) | \
			 BIT(8) | BIT(9) | BIT(11) | BIT(13) | BIT(15) | \
			 BIT(16) | BIT(17) | BIT(19) | BIT(23) | BIT(24) | \
			 BIT(25) | BIT(26))
/* BMI1 BMI2 ERMS RDSEED ADX CLFLUSHOPT CLWB SHA; UMIP; FSRM MD_CLEAR */
#define LEAF7_EBX	(BIT(3) | BIT(8) | BIT(9) | BIT(18) | BIT(19) | \
			 BIT(23) | BIT(24) | BIT(29))
#define LEAF7_ECX	BIT(2)
#define LEAF7_EDX	(BIT(4) | BIT(10))
/* LAHF CMPLEGACY ABM SSE4A MISALIGNSSE PREFETCH; as leaf 1, and NX MMXEXT
 * FXSR_OPT 3DNOWEXT 3DNOW */
#define AMD1_ECX	(BIT(0) | BIT(1) | BIT(5) | BIT(6) | BIT(7) | BIT(8))
#define AMD1_EDX	((LEAF1_EDX & 0x0183ffff & ~BIT(11)) | BIT(20) | \
			 BIT(22) | BIT(25) | BIT(30) | BIT(31))

/* 64-bit guests have these, too: FSGSBASE; SYSCALL and long mode. */
#define LEAF7_EBX_WIDE	BIT(0)
#define AMD1_EDX_WIDE	(BIT(11) | BIT(29))

/* With the components of XSAVE, which 64-bit guests have, too: FMA XSAVE OSXSAVE AVX
 * F16C; AVX2; of AVX-512 F DQ IFMA CD BW VL, VBMI VBMI2 VNNI BITALG VPOPCNTDQ; GFNI
 * VAES VPCLMULQDQ */
#define LEAF1_ECX_XSAVE	(BIT(26) | BIT(27))
#define LEAF1_ECX_AVX	(BIT(12) | BIT(28) | BIT(29))
#define LEAF7_EBX_AVX	BIT(5)
#define LEAF7_ECX_AVX	(BIT(8) | BIT(9) | BIT(10))
#define LEAF7_EBX_AVX512 (BIT(16) | BIT(17) | BIT(21) | BIT(28) | BIT(30) | \
			  BIT(31))
#define LEAF7_ECX_AVX512 (BIT(1) | BIT(6) | BIT(11) | BIT(12) | BIT(14))
#define AVX		BIT(2)
#define AVX512		BIT(7)

/* Sizes are of what the guest has turned on, which the processor knows, and of all
 * that it can have. */
static void xsave_leaf(uint32_t have, uint32_t sub, uint32_t r[4])
{
	uint32_t last[4];

	if (have && !sub) {
		r[0] = have;
		r[2] = XSTATE_LEGACY_BYTES;
		for (sub = 2; sub < 32; sub++) {
			if (!(have >> sub & 1))
				continue;
			cpuid(0xd, sub, last);
			if (last[1] + last[0] > r[2])
				r[2] = last[1] + last[0];
		}
		r[3] = 0;
	} else if (have && sub == 1) {
		r[0] &= 7;		/* XSAVEOPT XSAVEC XGETBV with ECX 1 */
		r[2] = r[3] = 0;	/* of XSAVES */
	} else if (sub > 31 || !(have >> sub & 1)) {
		r[0] = r[1] = r[2] = r[3] = 0;
	}
}

static uint32_t leaf1_ecx(uint32_t have)
{
	return (have ? LEAF1_ECX_XSAVE : 0) | (have & AVX ? LEAF1_ECX_AVX : 0);
}

static uint32_t leaf7_ebx(uint32_t have)
{
	return (have & AVX ? LEAF7_EBX_AVX : 0) |
	       (have & AVX512 ? LEAF7_EBX_AVX512 : 0);
}

static uint32_t leaf7_ecx(uint32_t have)
{
	return (have & AVX ? LEAF7_ECX_AVX : 0) |
	       (have & AVX512 ? LEAF7_ECX_AVX512 : 0);
}

/* nr: of the vCPU, its APIC's id. Each is a package of its own. */
void vcpu_cpuid(bool wide, uint32_t nr, uint32_t leaf, uint32_t sub,
		uint32_t r[4])
{
	uint32_t have = wide ? xstate_components() : 0;

	cpuid(leaf, sub, r);
	switch (leaf) {
	case 1:
		r[1] = (r[1] & 0xff00) | 1 << 16 | nr << 24;
		r[2] &= LEAF1_ECX | leaf1_ecx(have);
		r[2] |= BIT(31);			/* a hypervisor */
		r[3] &= LEAF1_EDX;
		break;
	case 4:
		r[0] &= 0x3fff;			/* who shares the cache */
		break;
	case 7:
		r[0] = 0;				/* no more subleaves */
		r[1] = sub ? 0 : r[1] & (LEAF7_EBX | leaf7_ebx(have) |
					   (wide ? LEAF7_EBX_WIDE : 0));
		r[2] = sub ? 0 : r[2] & (LEAF7_ECX | leaf7_ecx(have));
		r[3] = sub ? 0 : r[3] & LEAF7_EDX;
		break;
	case 0x80000001:
		r[2] &= AMD1_ECX;
		r[3] &= AMD1_EDX | (wide ? AMD1_EDX_WIDE : 0);
		break;
	case 0x80000008:
		r[1] = 0;		/* speculation control, by MSR */
		break;
	case 0xd:
		xsave_leaf(have, sub, r);
		break;
	case 5: case 6:			/* MWAIT, power management */
	case 0xa: case 0xb:		/* performance counters, topology */
	case 0xf: case 0x10:		/* resource monitoring, allocation */
	case 0x12: case 0x14: case 0x1f: /* SGX, processor trace, topology */
	case 0x8000000a: case 0x8000001b: case 0x8000001f:	/* SVM IBS SEV */
		r[0] = r[1] = r[2] = r[3] = 0;
		break;
	}
}

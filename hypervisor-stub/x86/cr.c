// SPDX-License-Identifier: GPL-2.0-only
/*
 * Control, debug and model-specific registers, and CPUID: what the guest
 * may change of the processor, and what it is told about it.
 */
#include <cpu.h>

#include "hv.h"

/* What the guest's CR0 and CR4 decide for the real ones; the rest is ours. Not
 * PCE: the counters are the machine's (emul.c, rdpmc). */
#define CR0_GUEST	(CR0_MP | CR0_EM | CR0_TS | CR0_AM)
#define CR4_GUEST	(CR4_TSD | CR4_DE)
#define CR4_ALLOWED	(CR4_GUEST | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | \
			 CR4_PCE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_UMIP)

/* SDM Vol. 3, 17.2.3: B0-B3, BD, BS, BT; the rest reads as it is. */
#define DR6_STATUS	0x0000e00fu
#define DR6_BREAKPOINTS	0x0000000fu
#define DR6_FIXED	0xffff0ff0u

static void cr0_apply(uint32_t value)
{
	write_cr0((read_cr0() & ~(uint64_t)CR0_GUEST) | (value & CR0_GUEST));
}

static void cr4_apply(uint32_t value)
{
	write_cr4((read_cr4() & ~(uint64_t)CR4_GUEST) | (value & CR4_GUEST));
}

void cr0_write(struct vcpu *v, uint32_t value)
{
	uint32_t changed = v->cr0 ^ value;

	if (!(value & CR0_PE)) {
		if (reboots_by_bios(v))
			guest_reboot(v, "the BIOS");
		else
			guest_kill(v, "real mode is not supported");
		return;
	}
	v->sh->cr0 = v->cr0 = value;
	cr0_apply(value);
	if (changed & CR0_WP)
		shadow_zap(v->g);
	if (changed & CR0_PG)
		shadow_mode(v);
}

void cr3_write(struct vcpu *v, uint32_t value)
{
	v->sh->cr3 = v->cr3 = value;
	if (v->cr0 & CR0_PG)
		shadow_load(v);
}

void cr4_write(struct vcpu *v, uint32_t value)
{
	uint32_t changed = v->cr4 ^ value;

	v->sh->cr4 = v->cr4 = value & CR4_ALLOWED;
	cr4_apply(value);
	if (changed & (CR4_PSE | CR4_PGE))
		shadow_zap(v->g);
	if (changed & CR4_PAE)
		shadow_mode(v);
}

/*
 * What may be in DR7: no breakpoint on I/O, which would count our own port
 * accesses, and no general detection, which would trap our own use (SDM Vol.
 * 3, 17.2). A breakpoint on data that we touch for the guest is let pass by
 * hv_fault().
 */
static uint32_t dr7_allowed(uint32_t value)
{
	uint32_t i;

	value = (value & 0xffff03ff & ~(1u << 13)) | 0x400;
	for (i = 0; i < 4; i++)
		if ((value >> (16 + i * 4) & 3) == 2)
			value &= ~(3u << i * 2);
	return value;
}

static void dr_apply(uint32_t nr, uint64_t value)
{
	switch (nr) {
	case 0:
		write_dr0(value);
		break;
	case 1:
		write_dr1(value);
		break;
	case 2:
		write_dr2(value);
		break;
	case 3:
		write_dr3(value);
		break;
	case 7:
		write_dr7(value);
		break;
	}
}

void dr_write(struct vcpu *v, uint32_t nr, uint32_t value)
{
	nr = nr == 4 || nr == 5 ? nr + 2 : nr;
	if (nr > 7)
		return;
	if (nr == 6)
		value = DR6_FIXED | (value & DR6_STATUS);
	if (nr == 7)
		value = dr7_allowed(value);
	v->dr[nr] = v->sh->dr[nr] = value;
	dr_apply(nr, value);
}

void cr_load(struct vcpu *v)
{
	uint32_t nr;

	write_cr3(v->pml4);
	cr0_apply(v->cr0);
	cr4_apply(v->cr4);
	dr_apply(7, 0x400);	/* nothing while the others are mixed */
	for (nr = 0; nr < 4; nr++)
		dr_apply(nr, v->dr[nr]);
	dr_apply(7, v->dr[7]);
}

/* Each #DB says anew which breakpoints it is for; the other bits stay until
 * the guest clears them (SDM Vol. 3, 17.2.3). */
void dr6_take(struct vcpu *v)
{
	v->sh->dr[6] = (v->sh->dr[6] & ~DR6_BREAKPOINTS) |
		       (read_dr6() & DR6_STATUS);
	write_dr6(DR6_FIXED);
}

void dr6_drop(void)
{
	write_dr6(DR6_FIXED);
}

/* ---- CPUID -------------------------------------------------------------- */

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

void guest_cpuid(struct vcpu *v, uint32_t leaf, uint32_t sub, uint32_t r[4])
{
	if ((leaf & 0xffff0000) == STUB_CPUID_BASE) {
		stats_cpuid(v->g, leaf, r);
		return;
	}
	cpuid(leaf, sub, r);
	switch (leaf) {
	case 1:
		r[2] = (r[2] & LEAF1_ECX) | BIT(31);	/* a hypervisor */
		r[3] &= LEAF1_EDX;
		break;
	case 7:
		r[0] = 0;				/* no more subleaves */
		r[1] = sub ? 0 : r[1] & LEAF7_EBX;
		r[2] = sub ? 0 : r[2] & LEAF7_ECX;
		r[3] = sub ? 0 : r[3] & LEAF7_EDX;
		break;
	case 0x80000001:
		r[2] &= AMD1_ECX;
		r[3] &= AMD1_EDX;
		break;
	case 0x80000008:
		r[1] = 0;		/* speculation control, by MSR */
		break;
	case 5: case 6:			/* MWAIT, power management */
	case 0xa: case 0xd:		/* performance counters, XSAVE */
	case 0xf: case 0x10:		/* resource monitoring, allocation */
	case 0x12: case 0x14:		/* SGX, processor trace */
	case 0x8000000a: case 0x8000001b: case 0x8000001f:	/* SVM IBS SEV */
		r[0] = r[1] = r[2] = r[3] = 0;
		break;
	}
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Control, debug and model-specific registers, and CPUID: what the guest
 * may change of the processor, and what it is told about it.
 */
#include <cpu.h>

#include "hv.h"

/* What the guest's CR0 decides for the real one; the rest is ours. */
#define CR0_GUEST	(CR0_MP | CR0_EM | CR0_TS | CR0_AM)
#define CR4_GUEST	(CR4_TSD | CR4_DE | CR4_PCE)
#define CR4_ALLOWED	(CR4_GUEST | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | \
			 CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_UMIP)

void cr0_write(struct vcpu *v, uint32_t value)
{
	uint32_t changed = v->cr0 ^ value;

	v->cr0 = v->sh->cr0 = value;
	write_cr0((read_cr0() & ~(uint64_t)CR0_GUEST) | (value & CR0_GUEST));
	if (changed & CR0_WP)
		shadow_zap(v->g);
	if (changed & CR0_PG)
		shadow_mode(v);
}

void cr3_write(struct vcpu *v, uint32_t value)
{
	v->cr3 = v->sh->cr3 = value;
	if (v->cr0 & CR0_PG)
		shadow_load(v);
}

void cr4_write(struct vcpu *v, uint32_t value)
{
	uint32_t changed = v->cr4 ^ value;

	v->cr4 = v->sh->cr4 = value & CR4_ALLOWED;
	write_cr4((read_cr4() & ~(uint64_t)CR4_GUEST) | (value & CR4_GUEST));
	if (changed & (CR4_PSE | CR4_PGE))
		shadow_zap(v->g);
	if (changed & CR4_PAE)
		shadow_mode(v);
}

/*
 * Breakpoints may lie in the guest's own space only, and never on I/O; the
 * general-detect bit would trap our own use (SDM Vol. 3, 17.2).
 */
void dr_write(struct vcpu *v, uint32_t nr, uint32_t value)
{
	nr = nr == 4 || nr == 5 ? nr + 2 : nr;
	if (nr > 7)
		return;
	if (nr == 7)
		value = (value & 0xffff03ff & ~(1u << 13)) | 0x400;
	v->sh->dr[nr] = value;
	switch (nr) {
	case 0:
		asm volatile("mov %0, %%dr0" : : "r"((uint64_t)value));
		break;
	case 1:
		asm volatile("mov %0, %%dr1" : : "r"((uint64_t)value));
		break;
	case 2:
		asm volatile("mov %0, %%dr2" : : "r"((uint64_t)value));
		break;
	case 3:
		asm volatile("mov %0, %%dr3" : : "r"((uint64_t)value));
		break;
	case 6:
		break;
	case 7:
		asm volatile("mov %0, %%dr7" : : "r"((uint64_t)value));
		break;
	}
}

/* ---- CPUID -------------------------------------------------------------- */

#define BIT(n)	(1u << (n))

void guest_cpuid(struct vcpu *v, uint32_t leaf, uint32_t sub, uint32_t r[4])
{
	if ((leaf & 0xffff0000) == STUB_CPUID_BASE) {
		stats_cpuid(v->g, leaf, r);
		return;
	}
	cpuid(leaf, sub, r);
	switch (leaf) {
	case 1:
		/* MONITOR VMX SMX PCID x2APIC TSC-deadline XSAVE OSXSAVE AVX */
		r[2] &= ~(BIT(3) | BIT(5) | BIT(6) | BIT(17) | BIT(21) |
			  BIT(24) | BIT(26) | BIT(27) | BIT(28));
		r[2] |= BIT(31);
		/* VME MCE MTRR MCA */
		r[3] &= ~(BIT(1) | BIT(7) | BIT(12) | BIT(14));
		break;
	case 7:
		/* FSGSBASE AVX2 SMEP INVPCID SMAP; PKU */
		r[1] &= ~(BIT(0) | BIT(5) | BIT(7) | BIT(10) | BIT(20));
		r[2] &= ~BIT(3);
		break;
	case 0x80000001:
		/* SVM; SYSCALL 1GB RDTSCP LM */
		r[2] &= ~BIT(2);
		r[3] &= ~(BIT(11) | BIT(26) | BIT(27) | BIT(29));
		break;
	}
}

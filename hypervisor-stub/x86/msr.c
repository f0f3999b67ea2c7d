// SPDX-License-Identifier: GPL-2.0-only
/*
 * Model-specific registers. Few exist; the rest is a #GP, as on a CPU that
 * does not have them. Old kernels read some without a fixup, since the native
 * CPUID shows what they belong to: those are there, if only to be read.
 */
#include <cpu.h>

#include "x86.h"

#define MSR_TSC			0x010
#define MSR_APIC_BASE		0x01b
#define MSR_UCODE_REV		0x08b
#define MSR_MTRR_CAP		0x0fe
#define MSR_SYSENTER_CS		0x174
#define MSR_SYSENTER_ESP	0x175
#define MSR_SYSENTER_EIP	0x176
#define MSR_MISC_ENABLE		0x1a0
#define MSR_PAT			0x277
#define MSR_MTRR_DEF_TYPE	0x2ff
#define MSR_EFER		0xc0000080
#define MSR_K7_EVNTSEL0		0xc0010000
#define MSR_K7_PERFCTR3		0xc0010007
#define MSR_K8_SYSCFG		0xc0010010
#define MSR_K8_HWCR		0xc0010015
#define MSR_K8_INT_PENDING	0xc0010055

/* SDM Vol. 3, 10.4.4 */
#define APIC_BASE_BSP		0x100u
#define APIC_BASE_ENABLE	0x800u

/* No ranges, all memory write-back (SDM Vol. 3, 12.11.2). */
#define MTRR_ENABLED_WB		0x806u

static bool msr_read(struct vcpu *v, uint32_t index, uint64_t *val)
{
	*val = 0;
	switch (index) {
	case MSR_TSC:
		*val = rdtsc();
		return true;
	case MSR_APIC_BASE:
		*val = APIC_BASE | APIC_BASE_BSP |
		       (v->apic->enabled ? APIC_BASE_ENABLE : 0);
		return true;
	case MSR_SYSENTER_CS:
		*val = v->sysenter_cs;
		return true;
	case MSR_SYSENTER_ESP:
		*val = v->sysenter_esp;
		return true;
	case MSR_SYSENTER_EIP:
		*val = v->sysenter_eip;
		return true;
	case MSR_PAT:
		*val = v->pat;
		return true;
	case MSR_MTRR_DEF_TYPE:
		*val = MTRR_ENABLED_WB;
		return true;
	case MSR_EFER:		/* of what it has, long mode alone is ours */
		*val = v->efer;
		return true;
	case MSR_MTRR_CAP:
	case MSR_UCODE_REV:
	case MSR_MISC_ENABLE:
	case MSR_K7_EVNTSEL0 ... MSR_K7_PERFCTR3:
	case MSR_K8_SYSCFG:
	case MSR_K8_HWCR:
	case MSR_K8_INT_PENDING:
		return true;
	}
	return false;
}

static bool msr_write(struct vcpu *v, uint32_t index, uint64_t val)
{
	switch (index) {
	case MSR_APIC_BASE:
		if ((val & ~(uint64_t)APIC_BASE_ENABLE) !=
		    (APIC_BASE | APIC_BASE_BSP))
			return false;
		apic_enable(v->apic, val & APIC_BASE_ENABLE);
		return true;
	case MSR_SYSENTER_CS:
		v->sysenter_cs = val;
		return true;
	case MSR_SYSENTER_ESP:
		v->sysenter_esp = val;
		return true;
	case MSR_SYSENTER_EIP:
		v->sysenter_eip = val;
		return true;
	case MSR_PAT:		/* kept; all guest memory is write-back */
		v->pat = val;
		return true;
	case MSR_EFER:
		if (val & ~(uint64_t)EFER_NXE)
			return false;
		v->efer = val;
		paging_changed(v);
		return true;
	case MSR_UCODE_REV:
	case MSR_MISC_ENABLE:
	case MSR_MTRR_DEF_TYPE:
	case MSR_K7_EVNTSEL0 ... MSR_K7_PERFCTR3:
	case MSR_K8_SYSCFG:
	case MSR_K8_HWCR:
	case MSR_K8_INT_PENDING:
		return true;
	}
	return false;
}

/* RDMSR or WRMSR with the guest's registers. False: a #GP. */
bool msr_access(struct vcpu *v, bool write)
{
	struct regs *r = v->regs;
	uint64_t val = r->gpr[EDX] << 32 | (uint32_t)r->gpr[EAX];

	if (write)
		return msr_write(v, r->gpr[ECX], val);
	if (!msr_read(v, r->gpr[ECX], &val))
		return false;
	r->gpr[EAX] = (uint32_t)val;
	r->gpr[EDX] = val >> 32;
	return true;
}

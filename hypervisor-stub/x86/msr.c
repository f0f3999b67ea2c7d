// SPDX-License-Identifier: GPL-2.0-only
/*
 * Model-specific registers. Few exist; the rest is a #GP, as on a CPU that
 * does not have them. Old kernels read some without a fixup, since the native
 * CPUID shows what they belong to: those are there, if only to be read.
 */
#include <cpu.h>

#include "x86.h"

#define MSR_TSC			0x010
#define MSR_UCODE_REV		0x08b
#define MSR_MTRR_CAP		0x0fe
#define MSR_SYSENTER_CS		0x174
#define MSR_SYSENTER_ESP	0x175
#define MSR_SYSENTER_EIP	0x176
#define MSR_MISC_ENABLE		0x1a0
#define MSR_PAT			0x277
#define MSR_MTRR_DEF_TYPE	0x2ff
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

/* ---- of 64-bit guests alone --------------------------------------------- */

/* Those that only we have; NULL: none of them. */
static uint64_t *wide_register(struct vcpu *v, uint32_t index)
{
	switch (index) {
	case MSR_STAR:
		return &v->star;
	case MSR_LSTAR:
		return &v->lstar;
	case MSR_CSTAR:
		return &v->cstar;
	case MSR_FMASK:
		return &v->fmask;
	case MSR_KERNEL_GS_BASE:
		return (uint64_t *)&shared64(v)->other_gs;
	}
	return NULL;
}

static bool wide_read(struct vcpu *v, uint32_t index, uint64_t *val)
{
	const uint64_t *from = wide_register(v, index);

	if (from)
		*val = *from;
	else if (index != MSR_FS_BASE && index != MSR_GS_BASE)
		return false;
	else if (v == current)
		*val = rdmsr(index);
	else			/* an introspection tool asks of one that is off */
		*val = index == MSR_FS_BASE ? v->fs_base : v->gs_base;
	return true;
}

/* The processor would take SCE and NXE alone while it is in long mode: LME cannot
 * change, LMA is not written (SDM Vol. 3, 2.2.1). */
static bool wide_efer(struct vcpu *v, uint64_t val)
{
	if ((val & ~(uint64_t)EFER_WIDE) || !(val & EFER_LME))
		return false;
	v->efer = val | EFER_LMA;
	long_set_mode(&v->mmu, v->efer);
	efer_apply(v);
	wide_fault_changed(v);
	return true;
}

static bool wide_write(struct vcpu *v, uint32_t index, uint64_t val)
{
	uint64_t *to = wide_register(v, index);
	bool address = index != MSR_STAR && index != MSR_FMASK;

	if ((address && !is_canonical(val)) ||
	    (index == MSR_FMASK && val >> 32))
		return false;
	if (to) {
		*to = val;
		if (index == MSR_LSTAR || index == MSR_CSTAR)
			v->syscall_swaps[index - MSR_LSTAR] = false;
		if (index == MSR_FMASK)
			fmask_apply(v);
		else
			wide_syscall_changed(v);
		return true;
	}
	if (index != MSR_FS_BASE && index != MSR_GS_BASE)
		return false;
	wrmsr(index, val);
	return true;
}

bool msr_set_entry(struct vcpu *v, uint32_t index, uint64_t val)
{
	if (!is_canonical(val))
		return false;
	*wide_register(v, index) = val;
	v->syscall_swaps[index - MSR_LSTAR] = true;
	wide_syscall_changed(v);
	return true;
}

/* An address, of as many bits as the guest has. */
static bool sysenter_write(struct vcpu *v, uint64_t *to, uint64_t val)
{
	if (!v->wide)
		val = (uint32_t)val;
	else if (!is_canonical(val))
		return false;
	*to = val;
	return true;
}

/* ---- of all --------------------------------------------------------------- */

/* Of IA32_APIC_BASE, what does not change. */
static uint32_t apic_base(const struct vcpu *v)
{
	return APIC_BASE | (v->nr ? 0 : APIC_BASE_BSP);
}

bool msr_get(struct vcpu *v, uint32_t index, uint64_t *val)
{
	*val = 0;
	switch (index) {
	case MSR_TSC:
		*val = rdtsc();
		return true;
	case MSR_APIC_BASE:
		*val = apic_base(v) |
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
	return v->wide && wide_read(v, index, val);
}

bool msr_set(struct vcpu *v, uint32_t index, uint64_t val)
{
	switch (index) {
	case MSR_APIC_BASE:
		if ((val & ~(uint64_t)APIC_BASE_ENABLE) != apic_base(v))
			return false;
		apic_enable(v->apic, val & APIC_BASE_ENABLE);
		return true;
	case MSR_SYSENTER_CS:
		v->sysenter_cs = val;
		return true;
	case MSR_SYSENTER_ESP:
		return sysenter_write(v, &v->sysenter_esp, val);
	case MSR_SYSENTER_EIP:
		return sysenter_write(v, &v->sysenter_eip, val);
	case MSR_PAT:		/* kept; all guest memory is write-back */
		v->pat = val;
		return true;
	case MSR_EFER:
		if (v->wide)
			return wide_efer(v, val);
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
	return v->wide && wide_write(v, index, val);
}

/* RDMSR or WRMSR with the guest's registers. False: a #GP. */
bool msr_access(struct vcpu *v, bool write)
{
	struct regs *r = v->regs;
	uint64_t val = r->gpr[EDX] << 32 | (uint32_t)r->gpr[EAX];

	if (write)
		return (v->watched && v->watch->msr(v, r->gpr[ECX], val)) ||
		       msr_set(v, r->gpr[ECX], val);
	if (!msr_get(v, r->gpr[ECX], &val))
		return false;
	r->gpr[EAX] = (uint32_t)val;
	r->gpr[EDX] = val >> 32;
	return true;
}

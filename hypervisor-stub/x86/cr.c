// SPDX-License-Identifier: GPL-2.0-only
/* Control and debug registers: what the guest may change of the processor. */
#include <cpu.h>

#include "x86.h"

/* What the guest's CR0 and CR4 decide for the real ones; the rest is ours. Not
 * PCE: the counters are the machine's (emulate.c, rdpmc). */
#define CR0_GUEST	(CR0_MP | CR0_EM | CR0_TS | CR0_AM)
#define CR4_GUEST	(CR4_TSD | CR4_DE)
#define CR4_ALLOWED	(CR4_GUEST | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | \
			 CR4_PCE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_UMIP)

/* SDM Vol. 3, 17.2.3: B0-B3, BD, BS, BT; the rest reads as it is. */
#define DR6_STATUS	0x0000e00fu
#define DR6_BREAKPOINTS	0x0000000fu

static void cr0_apply(uint32_t value)
{
	write_cr0((read_cr0() & ~(uint64_t)CR0_GUEST) | (value & CR0_GUEST));
}

static void cr4_apply(uint32_t value)
{
	write_cr4((read_cr4() & ~(uint64_t)CR4_GUEST) | (value & CR4_GUEST));
}

uint32_t cr4_allowed(const struct vcpu *v)
{
	if (!v->wide)
		return CR4_ALLOWED;
	return CR4_ALLOWED | (wide_has_fsgsbase() ? CR4_FSGSBASE : 0) |
	       (xstate_components() ? CR4_OSXSAVE : 0);
}

static void cr3_outside(struct vcpu *v, uint64_t cr3)
{
	vcpu_kill(v, "CR3 = %08lx is outside its memory", cr3);
}

/* What the page tables mean may have changed. */
void paging_changed(struct vcpu *v)
{
	if (!mmu_mode_agrees(&v->mmu, v->cr0, v->cr4))
		vcpu_kill(v, "CR0.PG and CR4.PAE are not those of its other processors");
	else if (!mmu_set_mode(&v->mmu, v->cr0, v->cr4, v->efer))
		cr3_outside(v, v->mmu.cr3);
}

static bool told(struct vcpu *v, uint32_t nr, uint64_t old, uint64_t value)
{
	return v->watched && v->watch->cr(v, nr, old, value);
}

static __attribute__((noinline)) bool cr0_aside(struct vcpu *v, uint32_t value)
{
	if (v->wide && !(value & CR0_PG)) {
		vcpu_kill(v, "a 64-bit guest cannot turn paging off");
		return true;
	}
	return told(v, 0, v->cr0, value);
}

void cr0_write(struct vcpu *v, uint32_t value)
{
	uint32_t changed = v->cr0 ^ value;

	if (!(value & CR0_PE)) {
		vcpu_real_mode(v);
		return;
	}
	if (v->aside && cr0_aside(v, value))
		return;
	v->cr0 = value;
	PUBLISH(v, cr0, value);
	cr0_apply(value);
	if ((changed & ~CR0_TS) && !v->wide)
		paging_changed(v);
}

static void cr3_write_narrow(struct vcpu *v, uint32_t value)
{
	v->sh->cr3 = value;
	queue_peek(v);
	if (!mmu_set_cr3(&v->mmu, value))
		cr3_outside(v, value);
}

static void __attribute__((noinline)) cr3_write_aside(struct vcpu *v,
							uint64_t value)
{
	if (told(v, 3, v->wide ? v->mmu.long_cr3 : v->mmu.cr3, value))
		return;
	if (!v->wide) {
		cr3_write_narrow(v, value);
		return;
	}
	shared64(v)->cr3 = value;
	queue_peek(v);
	if (!long_set_cr3(&v->mmu, value))
		cr3_outside(v, value);
}

void cr3_write(struct vcpu *v, uint64_t value)
{
	if (v->aside)
		cr3_write_aside(v, value);
	else
		cr3_write_narrow(v, value);
}

static __attribute__((noinline)) bool cr4_aside(struct vcpu *v, uint32_t value)
{
	if (v->wide && !(value & CR4_PAE)) {
		vcpu_kill(v, "a 64-bit guest cannot clear CR4.PAE");
		return true;
	}
	return told(v, 4, v->cr4, value & cr4_allowed(v));
}

void cr4_write(struct vcpu *v, uint32_t value)
{
	if (v->aside && cr4_aside(v, value))
		return;
	v->cr4 = value & cr4_allowed(v);
	PUBLISH(v, cr4, v->cr4);
	cr4_apply(v->cr4);
	if (v->wide)
		xcr0_apply(v);
	else
		paging_changed(v);
}

bool cr_start(struct vcpu *v, const struct vmi_ap_state *s)
{
	uint32_t cr4 = s->cr4 & CR4_ALLOWED;

	mmu_reset(&v->mmu);
	if (!(s->cr0 & CR0_PE) || (vmi_mode(v) && !(s->cr0 & CR0_PG)) ||
	    !mmu_mode_agrees(&v->mmu, s->cr0, cr4))
		return false;
	v->sh->cr0 = v->cr0 = s->cr0;
	v->sh->cr3 = s->cr3;
	v->sh->cr4 = v->cr4 = cr4;
	v->efer = s->efer & EFER_NXE;
	return mmu_set_cr3(&v->mmu, s->cr3) &&
	       mmu_set_mode(&v->mmu, v->cr0, v->cr4, v->efer);
}

/* A wide guest has paging and long mode from its beginning to its end. */
bool cr_start_wide(struct vcpu *v, const struct vmi64_ap_state *s)
{
	volatile struct stub64_shared *sh = shared64(v);

	mmu_reset(&v->mmu);
	if (!(s->cr0 & CR0_PE) || !(s->cr0 & CR0_PG) || !(s->cr4 & CR4_PAE) ||
	    !(s->efer & EFER_LME))
		return false;
	sh->cr0 = v->cr0 = s->cr0;
	sh->cr3 = s->cr3;
	sh->cr4 = v->cr4 = s->cr4 & cr4_allowed(v);
	v->efer = (s->efer & EFER_WIDE) | EFER_LMA;
	long_set_mode(&v->mmu, v->efer);
	return long_set_cr3(&v->mmu, s->cr3);
}

/*
 * What may be in DR7: no breakpoint on I/O, which would count our own port
 * accesses, and no general detection, which would trap our own use (SDM Vol.
 * 3, 17.2). A breakpoint on data that we touch for the guest is let pass by
 * hv_fault().
 */
static uint64_t dr7_allowed(uint64_t value)
{
	uint32_t i;

	value = (value & 0xffff03ff & ~(1u << 13)) | 0x400;
	for (i = 0; i < 4; i++)
		if ((value >> (16 + i * 4) & 3) == 2)
			value &= ~(3u << i * 2);
	return value;
}

/*
 * A 64-bit guest may name any address, but is not told of us: of the hole that
 * kernels leave to hypervisors, with the trampoline, and of the first 16 MB of the
 * top 2 GB, where in our tables our image and stacks are, and a fault of an
 * instruction of ours would come again and again. Known weakness: it does not hear
 * of its own code there, where Linux has none.
 */
static bool breakpoint_on_us(uint64_t at)
{
	return at >> 43 == 0xffff800000000000ull >> 43 ||
	       at - 0xffffffff80000000ull < 0x1000000;
}

static uint64_t dr7_real(const struct vcpu *v)
{
	uint64_t value = v->dr[7];
	uint32_t i;

	for (i = 0; i < 4; i++)
		if (v->wide && breakpoint_on_us(v->dr[i]))
			value &= ~(3ull << i * 2);
	return value;
}

static void dr_load(const struct vcpu *v)
{
	write_dr7(0x400);	/* nothing while the others are mixed */
	write_dr0(v->dr[0]);
	write_dr1(v->dr[1]);
	write_dr2(v->dr[2]);
	write_dr3(v->dr[3]);
	write_dr7(dr7_real(v));
}

void dr_write(struct vcpu *v, uint32_t nr, uint64_t value)
{
	nr = nr == 4 || nr == 5 ? nr + 2 : nr;
	if (nr > 7)
		return;
	if (nr == 6)
		value = DR6_FIXED | (value & DR6_STATUS);
	if (nr == 7)
		value = dr7_allowed(value);
	v->dr[nr] = value;
	PUBLISH(v, dr[nr], value);
	dr_load(v);
}

void cr_load(struct vcpu *v)
{
	if (!v->wide) {		/* else desc_load() does it */
		if (this_cpu()->wide)
			wide_unload();
		write_cr3(v->mmu.pml4);
	}
	cr0_apply(v->cr0);
	cr4_apply(v->cr4);
	dr_load(v);
}

void cr_unload(void)
{
	if (this_cpu()->wide)
		wide_unload();
	write_dr7(0x400);
	cr0_apply(0);
	cr4_apply(0);
	write_cr3(host_tables());
	desc_unload();
}

/* Each #DB says anew which breakpoints it is for; the other bits stay until
 * the guest clears them (SDM Vol. 3, 17.2.3). */
void dr6_take(struct vcpu *v)
{
	uint64_t old = v->wide ? shared64(v)->dr[6] : v->sh->dr[6];

	PUBLISH(v, dr[6], (old & ~(uint64_t)DR6_BREAKPOINTS) |
		(read_dr6() & DR6_STATUS));
	write_dr6(DR6_FIXED);
}

void dr6_drop(void)
{
	write_dr6(DR6_FIXED);
}

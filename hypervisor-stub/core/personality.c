// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a guest takes us for (personality=): the signature that it finds, and in which
 * registers its VMCALL has what, with which numbers (spec/neighbours.md, N-1 and N-3).
 * What a call does and who may make it is in dispatch.c.
 */
#include <cpu.h>
#include <string.h>

#include "dispatch.h"

#define HYPERVISOR_LEAVES	0x40000000u
#define LEAF_TSC_KHZ		0x40000010u	/* ACRN's */

/* Theirs for ours. */
struct foreign {
	uint32_t	number;
	uint32_t	call;		/* enum vmi_hypercall */
	bool		by_rbx;		/* 64-bit code has its arguments where other
					 * code has them */
	/* Makes them ours; NULL: they are. */
	void		(*fit)(struct vcpu *, uint64_t *arg);
};

/* In one: the line, and above it 0 to raise it, 1 to lower it; pulses are not known. */
static void acrn_line(struct vcpu *v, uint64_t *arg)
{
	uint32_t op = arg[1] >> 32;

	(void)v;
	arg[1] = (uint32_t)arg[1];
	arg[2] = op < 2 ? !op : op;
}

#define NOWHERE		(1ull << 52)

/* Where the page is stands in memory. */
static void acrn_buffer(struct vcpu *v, uint64_t *arg)
{
	uint64_t page;

	if (!gmem_read(&v->mmu.mm->gmem, &page, arg[1], sizeof(page)))
		page = NOWHERE;
	arg[1] = page;
	arg[2] = 0;
}

static const struct foreign jailhouse[] = {
	{ 2, VMI_HC_Start, false, NULL }, { 4, VMI_HC_Destroy, false, NULL },
	{ 5, VMI_HC_HypervisorInfo, false, NULL }, { 6, VMI_HC_State, false, NULL },
	{ 7, VMI_HC_CpuInfo, false, NULL },
};
static const struct foreign acrn[] = {
	{ 0x80000000, VMI_HC_Version, false, NULL },
	{ 0x80000011, VMI_HC_Destroy, false, NULL },
	{ 0x80000012, VMI_HC_Start, false, NULL }, { 0x80000013, VMI_HC_Pause, false, NULL },
	{ 0x80000015, VMI_HC_Reset, false, NULL },
	{ 0x80000002, VMI_HC_Upcall, false, NULL },
	{ 0x80000025, VMI_HC_SetLine, false, acrn_line },
	{ 0x80000030, VMI_HC_RequestPage, false, acrn_buffer },
	{ 0x80000031, VMI_HC_RequestDone, false, NULL },
};
static const struct foreign kvm[] = {
	{ 32, VMI_HC_PageMap, true, NULL }, { 33, VMI_HC_PageUnmap, true, NULL },
	{ 34, VMI_HC_GuestRequest, false, NULL },
};

/* The registers of a call, of 32-bit and of 64-bit code. */
struct convention {
	uint8_t		number, arg[CALL_ARGS];
};

struct client {
	char		signature[13];
	uint32_t	last_leaf;
	struct convention of[2];
	const struct foreign *calls;	/* NULL: the numbers are ours */
	uint32_t	count;
};

#define CALLS(of)	of, ARRAY_SIZE(of)
#define OURS		{ { EAX, { EBX, ECX, EDX, ESI } },	\
			  { EAX, { EDI, ESI, EDX, R10 } } }
static const struct client client[PERSONALITIES] = {
	[OPENVMI] = { "OpenVMI\0stub", STUB_CPUID_NAMES + 0xff, OURS, NULL, 0 },
	[JAILHOUSE] = {
		"Jailhouse", VMI_CPUID_FEATURES,
		{ { EAX, { EDI, ESI, REG_NONE, REG_NONE } },
		  { EAX, { EDI, ESI, REG_NONE, REG_NONE } } },
		CALLS(jailhouse),
	},
	/* R8 is 0 in 32-bit code, which is none of theirs. */
	[ACRN] = {
		"ACRNACRNACRN", LEAF_TSC_KHZ,
		{ { R8, { EDI, ESI, REG_NONE, REG_NONE } },
		  { R8, { EDI, ESI, REG_NONE, REG_NONE } } },
		CALLS(acrn),
	},
	[KVM] = { "KVMKVMKVM", VMI_CPUID_FEATURES, OURS, CALLS(kvm) },
};

static const struct client *client_of(const struct vcpu *v)
{
	return &client[v->g->config->personality];
}

/* ---- what it finds -------------------------------------------------------- */

/* In a machine that is virtual itself they leave it, or do something there. */
static bool vmcall_traps(void)
{
	uint32_t r[4];

	cpuid(1, 0, r);
	return !(r[2] & VMI_CPUID_HYPERVISOR) || host_is_tcg();
}

static void hypervisor_leaf(struct vcpu *v, uint32_t leaf, uint32_t r[4])
{
	const struct client *c = client_of(v);

	if (leaf == HYPERVISOR_LEAVES) {
		r[0] = c->last_leaf;
		memcpy(r + 1, c->signature, 12);
	} else if (leaf == VMI_CPUID_FEATURES && !c->calls) {
		r[0] = VMI_FEATURE_HYPERCALL | VMI_FEATURE_REQUEST |
		       VMI_FEATURE_SERVE |
		       (vmcall_traps() ? VMI_FEATURE_VMCALL : 0) |
		       (v->g->comm.page ? VMI_FEATURE_COMM : 0);
		r[1] = v->g->config->rights;
	} else if (leaf == VMI_CPUID_COMM && !c->calls) {
		r[0] = v->g->comm.page;
		r[1] = v->g->comm.page >> 32;
	} else if (leaf == LEAF_TSC_KHZ && c->last_leaf == LEAF_TSC_KHZ) {
		r[0] = host_tsc_hz / 1000;
	}
}

void personality_cpuid(struct vcpu *v, uint32_t leaf, uint32_t sub,
		       uint32_t r[4])
{
	if ((leaf & 0xffff0000) != HYPERVISOR_LEAVES) {
		vcpu_cpuid(v->wide, v->nr, leaf, sub, r);
	} else if (leaf >= STUB_CPUID_COUNTERS) {
		stats_cpuid(v->g, leaf, r);
	} else {
		memset(r, 0, 16);
		hypervisor_leaf(v, leaf, r);
	}
}

/* ---- VMCALL and VMMCALL ---------------------------------------------------- */

static const struct foreign *foreign_of(const struct client *c, uint64_t number)
{
	const struct foreign *f;

	for (f = c->calls; f < c->calls + c->count; f++)
		if (f->number == number)
			return f;
	return NULL;
}

/* What the call may change, so that nobody relies on it. */
static void poison(uint64_t *gpr, bool code64)
{
	if (code64)
		gpr[EDX] = gpr[R8] = gpr[R9] = gpr[R10] = VMI_HC_POISON;
	else
		gpr[EDX] = gpr[ESI] = gpr[EDI] = gpr[EBP] = VMI_HC_POISON;
}

bool personality_vmcall(struct vcpu *v, uint32_t length, bool code64)
{
	const struct client *theirs = client_of(v);
	const struct convention *regs = &theirs->of[code64];
	uint64_t *gpr = v->regs->gpr, mask = code64 ? UINT64_MAX : UINT32_MAX;
	uint64_t number = gpr[regs->number] & mask;
	struct call_made c = { .number = number, .mask = mask };
	const struct foreign *f = NULL;
	enum verdict verdict;
	uint32_t i;

	if (theirs->calls) {
		f = foreign_of(theirs, number);
		c.number = f ? f->call : 0;	/* which is none */
	}
	if (f && f->by_rbx)
		regs = &theirs->of[false];
	for (i = 0; i < CALL_ARGS; i++)
		if (regs->arg[i] != REG_NONE)
			c.arg[i] = gpr[regs->arg[i]] & mask;
	if (f && f->fit)
		f->fit(v, c.arg);
	verdict = dispatch(v, &c);
	if (verdict == CALL_DONE)
		gpr[EAX] = (uint64_t)c.result & mask;
	if (verdict == CALL_DONE || verdict == CALL_LATE) {
		v->regs->rip += length;
		if (c.poisons)
			poison(gpr, code64);
		return true;
	}
	if (verdict == CALL_UD)
		return false;
	event_exception_error(v, VEC_GP, 0);
	return true;
}

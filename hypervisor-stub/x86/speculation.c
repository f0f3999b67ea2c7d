// SPDX-License-Identifier: GPL-2.0-only
/*
 * Speculative execution. To the processor's predictors ring 1 is ring 0: both
 * are supervisor mode. What separates user mode from a kernel (enhanced IBRS,
 * automatic IBRS, SMEP) does not separate a guest's kernel from us. So
 *
 * our indirect branches	are retpolines (lib/thunk.asm): a guest's kernel can
 *	train the predictor for any address of ours, and where our code lies is
 *	no secret. No flag tells of a processor that does not need them. What the
 *	compiler makes of a switch has no table of jumps (hv.mk).
 * RRSBA_DIS_S			where CPUID has RRSBA_CTRL: a retpoline is a RET,
 *	and newer processors let the predictor of indirect branches answer for
 *	one when the stack of predictions is empty. Ours should never be: after
 *	an exit each RET has had its CALL, and they nest less than 16 deep.
 *
 * And at a switch from one guest to another, in which the last one's training
 * and data must not reach the next one, nor us:
 *
 * the stack of predictions	is filled with a harmless place: a RET of the next
 *	guest may come before its CALL. No flag: all have one.
 * IBPB				forgets what indirect branches have learnt; where
 *	CPUID has IBRS_IBPB (Intel) or IBPB (AMD).
 * VERW				overwrites the buffers that loads and stores
 *	leave data in (MDS, TAA, stale MMIO data), where CPUID has MD_CLEAR.
 *	Processors that say MDS_NO may still have the others; on one that has
 *	none it is an ordinary VERW, of few cycles.
 *
 * Nothing is needed for Meltdown and L1TF: no 32-bit address leads to us, and
 * a shadow entry that is not present is zero. What is not done is in
 * spec/security.md.
 */
#include <cpu.h>
#include <string.h>

#include "x86.h"
#include "log.h"

/* CPUID 7.0 EDX, 7.2 EDX, 80000008h EBX */
#define LEAF7_MD_CLEAR		(1u << 10)
#define LEAF7_IBRS_IBPB		(1u << 26)
#define LEAF7_2_RRSBA_CTRL	(1u << 2)
#define AMD8_IBPB		(1u << 12)

#define MSR_SPEC_CTRL		0x48
#define SPEC_CTRL_RRSBA_DIS_S	(1u << 6)
#define MSR_PRED_CMD		0x49
#define PRED_CMD_IBPB		1u

/* lib/thunk.asm */
extern const struct {
	uint8_t		*at;
	const uint8_t	*code;
	uint64_t	length;
} plain_start[], plain_end[];
void fill_return_stack(void);

static struct mitigations chosen;

struct mitigations speculation_choose(const struct speculation_cpu *c)
{
	if (c->tcg)
		return (struct mitigations){ 0 };
	return (struct mitigations){
		.retpoline = true,
		.fill_rsb = true,
		.ibpb = (c->leaf7_edx & LEAF7_IBRS_IBPB) ||
			(c->amd8_ebx & AMD8_IBPB),
		.verw = c->leaf7_edx & LEAF7_MD_CLEAR,
		.spec_ctrl = c->leaf7_2_edx & LEAF7_2_RRSBA_CTRL ?
			     SPEC_CTRL_RRSBA_DIS_S : 0,
	};
}

/* EDX, ECX, EBX of a leaf that may be beyond the last. */
static void leaf(uint32_t number, uint32_t sub, uint32_t r[4])
{
	cpuid(number & 0x80000000, 0, r);
	if (number <= r[0])
		cpuid(number, sub, r);
	else
		memset(r, 0, 16);
}

static struct speculation_cpu look(void)
{
	struct speculation_cpu c;
	uint32_t r[4];

	cpuid(0x40000000, 0, r);
	c.tcg = !memcmp(&r[1], "TCGTCGTCGTCG", 12);
	leaf(7, 0, r);
	c.leaf7_edx = r[3];
	if (r[0] >= 2)
		leaf(7, 2, r);
	else
		memset(r, 0, sizeof(r));
	c.leaf7_2_edx = r[3];
	leaf(0x80000008, 0, r);
	c.amd8_ebx = r[1];
	return c;
}

static void use_plain_branches(void)
{
	uint32_t i;

	for (i = 0; plain_start + i < plain_end; i++)
		memcpy(plain_start[i].at, plain_start[i].code,
		       plain_start[i].length);
}

void speculation_cpu_init(void)
{
	if (chosen.spec_ctrl)
		wrmsr(MSR_SPEC_CTRL, chosen.spec_ctrl);
}

void speculation_apply(const struct mitigations *m)
{
	chosen = *m;
	if (!m->retpoline)
		use_plain_branches();
	speculation_cpu_init();
}

void speculation_init(bool off)
{
	struct speculation_cpu c = look();
	struct mitigations m = { 0 };

	if (!off)
		m = speculation_choose(&c);
	speculation_apply(&m);
	log_printf("mitigations: %s%s%s%s%s\n", off ? "off" :
		   m.retpoline ? "retpolines" : "none needed",
		   m.fill_rsb ? ", RSB" : "", m.ibpb ? ", IBPB" : "",
		   m.verw ? ", VERW" : "", m.spec_ctrl ? ", RRSBA_DIS_S" : "");
}

void speculation_switch(void)
{
	static const uint16_t selector;

	if (chosen.ibpb)
		wrmsr(MSR_PRED_CMD, PRED_CMD_IBPB);
	if (chosen.fill_rsb)
		fill_return_stack();
	if (chosen.verw)
		asm volatile("verw %0" : : "m"(selector) : "cc", "memory");
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * What each call may change: with known values everywhere, in every lazy mode, with
 * the virtual flag on and off, on a stack of odd alignment of which 256 bytes are
 * for the call. VMI64-3.1.
 */
#include "conf64.h"
#include "pc.h"

#define EFLAGS_ARITHMETIC	0x8d5ull
#define STACK			1024u
#define CANARY			0x0ddba11c0ffee000ull
#define BASE_FS			0x0000123400000000ull
#define BASE_GS			0xffffa23400000000ull

/* Registers that a call may change, as bits of struct registers' words. */
#define RAX	(1u << 14)
#define CLASS_A	(RAX | 1u << 13 | 1u << 12 | 1u << 9 | 1u << 8 | 1u << 7 | \
		 1u << 6 | 1u << 5 | 1u << 4)
#define CLASS_B1	0u
#define CLASS_B2	RAX

static struct vmi64_table_pointer gdt_pointer, idt_pointer, buffer;
static uint64_t free_table[8] __attribute__((aligned(16)));
static uint64_t entry16[2];
static table spare;
static uint32_t leaf[4];

struct call {
	int		nr;
	uint32_t	may;
	uint64_t	arg[5];
	bool		pending;	/* an interrupt, when it is made */
};

struct outcome {
	bool registers, others, flag, room;
};

static uint64_t stack[STACK / 8] __attribute__((aligned(16)));
/* RSP is there before and behind the call, and events may come. */
static struct {
	uint8_t		room[4096];
	struct poison	p;
} apart;

static struct registers pattern(const struct call *c)
{
	struct registers r;
	uint64_t *word = (uint64_t *)&r;

	for (uint32_t i = 0; i < sizeof(r) / 8; i++)
		word[i] = 0x1111111111111111u * (i + 1);
	r.rdi = c->arg[0];
	r.rsi = c->arg[1];
	r.rdx = c->arg[2];
	r.rcx = c->arg[3];
	r.r8 = c->arg[4];
	if (c->nr == VMI64_CALL_SetCR0 || c->nr == VMI64_CALL_SetCR3 ||
	    c->nr == VMI64_CALL_SetCR4)		/* what is there */
		r.rdi = c->arg[0] == 1 ? vmi0(GetCR0) :
			c->arg[0] == 2 ? vmi0(GetCR3) : vmi0(GetCR4);
	return r;
}

static uint64_t selectors(void)
{
	uint16_t ds, es, fs, gs;

	__asm__ volatile("mov %%ds, %0" : "=r"(ds));
	__asm__ volatile("mov %%es, %0" : "=r"(es));
	__asm__ volatile("mov %%fs, %0" : "=r"(fs));
	__asm__ volatile("mov %%gs, %0" : "=r"(gs));
	return ds | (uint64_t)es << 16 | (uint64_t)fs << 32 | (uint64_t)gs << 48;
}

static bool changes_flag(int nr)
{
	return nr >= VMI64_CALL_EnableInterrupts &&
	       nr <= VMI64_CALL_SetInterruptMask;
}

static void once(const struct call *c, bool interrupts, bool odd,
		 struct outcome *o)
{
	const uint64_t sel = selectors();
	struct poison *const p = &apart.p;
	const struct poison old = {
		.r = pattern(c), .flags = EFLAGS_FIXED,
		.rsp = (uint64_t)(stack + STACK / 8) - 64 - 8 * odd,
		.entry = vmi_entry[c->nr],
	};
	const uint64_t *x = (const uint64_t *)&old.r, *y = (const uint64_t *)&p->r;
	const uint32_t below = (uint32_t)(old.rsp - (uint64_t)stack) / 8 - 1;
	uint64_t fs, gs, change = 0;

	leaf[0] = 1;
	leaf[2] = 0;
	vmi1(SetFSBase, BASE_FS);
	vmi1(SetGSBase, BASE_GS);
	vmi1(SetKernelGSBase, BASE_GS);
	if (c->pending)
		pit_wait();
	vmi1(SetInterruptMask, interrupts ? EFLAGS_IF : 0);
	for (uint32_t i = 0; i < below - 32; i++)
		stack[i] = CANARY + i;
	last_call = c->nr;
	/* our own code at ring 0 would turn the flag on by POPFQ */
	*p = old;
	p->flags |= !kernel_ring() && interrupts ? EFLAGS_IF : 0;
	poisoned_call(p);
	if (!changes_flag(c->nr))
		o->flag &= !(vmi0(GetInterruptMask) & EFLAGS_IF) == !interrupts;
	vmi0(DisableInterrupts);
	for (uint32_t i = 0; i < sizeof(old.r) / 8; i++)
		change |= c->may >> i & 1 ? 0 : x[i] ^ y[i];
	o->registers &= !change && p->rsp == p->rsp_after;
	for (uint32_t i = 0; i < below - 32; i++)
		o->room &= c->pending || stack[i] == CANARY + i;
	fs = vmi0(GetFSBase);
	gs = vmi0(GetGSBase);
	o->others &= selectors() == sel && fs == BASE_FS && gs == BASE_GS &&
		     !(p->flags & EFLAGS_DF) &&
		     !((p->flags ^ old.flags) & ~(EFLAGS_ARITHMETIC | EFLAGS_IF |
						 0x3000));
}

static void judge(const struct call *c, bool *room)
{
	struct outcome o = { true, true, true, true };
	char name[96], *end;

	for (uint32_t mode = VMI_LAZY_NONE; mode <= VMI_LAZY_CPU; mode++)
		for (int how = 0; how < 4; how++) {
			if (c->pending && (how & 1))
				continue;
			if (c->nr != VMI64_CALL_SetLazyMode)
				vmi1(SetLazyMode, mode);
			/* SwapGS is for when the flag is off */
			once(c, (how & 1) && c->nr != VMI64_CALL_SwapGS, how & 2,
			     &o);
			vmi1(SetLazyMode, VMI_LAZY_NONE);
		}
	if (c->nr == VMI64_CALL_SetAlarm)
		vmi1(CancelAlarm, VMI_CYCLES_REAL);
	*room &= o.room;
#define NAME(text) do {							\
	end = name;							\
	for (const char *s_ = call_name(c->nr); *s_; s_++)		\
		*end++ = *s_;						\
	for (const char *s_ = c->pending ? " with one pending" : "";	\
	     *s_; s_++)							\
		*end++ = *s_;						\
	for (const char *s_ = (text); (*end++ = *s_); s_++)		\
		;							\
} while (0)
	NAME(c->may == CLASS_B1 ? " keeps every register" :
	     c->may == CLASS_B2 ? " changes RAX alone" :
	     " keeps RBX, RBP, R12 to R15, RSP");
	point_of(c->nr, c->may == CLASS_B1 ? "VMI64-3.1.5" :
			c->may == CLASS_B2 ? "VMI64-3.1.6" : "VMI64-3.1.4",
		 o.registers, name);
	NAME(" keeps segments, bases and flags");
	point_of(c->nr, "VMI64-3.1.3", o.others, name);
	if (changes_flag(c->nr))
		return;
	NAME(" leaves the interrupt flag");
	point_of(c->nr, "VMI-3.6.1", o.flag, name);
#undef NAME
}

#define A(name, ...)	\
	{ .nr = VMI64_CALL_##name, .may = CLASS_A, .arg = { __VA_ARGS__ } }
#define B1(name, a)	{ .nr = VMI64_CALL_##name, .may = CLASS_B1, .arg = { a } }
#define B2(name, a)	{ .nr = VMI64_CALL_##name, .may = CLASS_B2, .arg = { a } }
#define PENDING(name, a) \
	{ .nr = VMI64_CALL_##name, .may = CLASS_B1, .arg = { a }, .pending = true }
#define PTR(p)		(uint64_t)(p)
#define HIGH		0xdeadbeef00000000ull	/* of an argument of 32 bits */

void classes(void)
{
	const struct call calls[] = {
		A(CPUID, PTR(&leaf[0]), PTR(&leaf[1]), PTR(&leaf[2]), PTR(&leaf[3])),
		A(SetGDT, PTR(&gdt_pointer)), A(SetLDT, HIGH),
		A(SetIDT, PTR(&idt_pointer)), A(SetTR, HIGH | TSS_SELECTOR),
		A(GetGDT, PTR(&buffer)), A(GetLDT, 0), A(GetIDT, PTR(&buffer)),
		A(GetTR, 0),
		A(WriteGDTEntry, PTR(gdt), HIGH | SPARE_GDT, PTR(entry16)),
		A(WriteLDTEntry, PTR(free_table), HIGH | 3, PTR(entry16)),
		A(WriteIDTEntry, PTR(free_table), HIGH | 2, PTR(entry16)),
		A(UpdateKernelStack, DIRECT), A(SetCR0, 1), A(SetCR2, 0x1234),
		A(SetCR3, 2), A(SetCR4, 3), A(GetCR0, 0), A(GetCR3, 0), A(GetCR4, 0),
		A(WBINVD, 0), A(SetDR, HIGH, 0x1000), A(GetDR, HIGH), A(RDTSC, 0),
		A(CLTS, 0), A(RDMSR, HIGH | MSR_FMASK), A(WRMSR, HIGH | MSR_FMASK, HIGH,
							  HIGH),
		A(SetPxELong, PTR(&free_table[7]) - TEXT_BASE + DIRECT, 0),
		A(UpdatePxELong, PTR(&free_table[7]) - TEXT_BASE + DIRECT),
		A(AllocatePage, (PTR(spare) - TEXT_BASE) / PAGE,
		  HIGH | VMI_PAGE_PT | VMI_PAGE_ZEROED, 0, 0, 0),
		A(ReleasePage, (PTR(spare) - TEXT_BASE) / PAGE),
		A(InvalPage, PLAY + PLAY_FIRST * PAGE), A(FlushTLB, HIGH | VMI_FLUSH_TLB),
		A(FlushTLB, HIGH | VMI_FLUSH_TLB | VMI_FLUSH_GLOBAL),
		A(SetLinearMapping, HIGH | 3, DIRECT, 1, 0), A(SetIOPLMask, 0),
		A(APICWrite, HIGH | 0x80, HIGH), A(APICRead, HIGH | 0x20), A(IODelay, 0),
		A(GetCycleFrequency, 0), A(GetCycleCounter, HIGH | VMI_CYCLES_REAL),
		A(GetCycleCounter, HIGH | VMI_CYCLES_AVAILABLE),
		A(SetAlarm, HIGH | VMI_CYCLES_REAL, 1ull << 62, 0),
		A(CancelAlarm, HIGH | VMI_CYCLES_REAL), A(GetWallclockTime, 0),
		A(WallclockUpdated, 0), A(SetLazyMode, HIGH | VMI_LAZY_NONE),
		A(GetFSBase, 0), A(SetFSBase, BASE_FS), A(GetGSBase, 0),
		A(SetGSBase, BASE_GS), A(GetKernelGSBase, 0), A(SetKernelGSBase, 0),
		A(SetIRETSite, PTR(iret_site)),
		B1(EnableInterrupts, 0), B1(DisableInterrupts, 0),
		B1(SetInterruptMask, EFLAGS_IF), B1(SetInterruptMask, 0),
		PENDING(EnableInterrupts, 0),
		PENDING(SetInterruptMask, EFLAGS_IF), B1(SwapGS, 0),
		B2(GetInterruptMask, 0), B2(GetCR2, 0), B2(MachineToPhysical, 0x1234567),
		B2(PhysicalToMachine, 0x1234567),
	};
	bool room = true;

	vmi1(GetGDT, &gdt_pointer);
	vmi1(GetIDT, &idt_pointer);
	for (uint32_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		const struct call *c = &calls[i];

		if (vmi_entry[c->nr])
			judge(c, &room);
		else
			skip("VMI64-3.1.4", call_name(c->nr), "not offered");
	}
	point("VMI64-3.1.2", room,
	      "no call wrote more than 256 bytes below its RSP");
	vmi1(SetFSBase, 0);
	vmi1(SetGSBase, 0);
	vmi1(SetKernelGSBase, 0);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * What each call may change: with known values everywhere, in every lazy
 * mode, with the virtual interrupt flag on and off. VMI-3.1.
 */
#include "conf.h"

#define EFLAGS_ARITHMETIC	0x8d5u
#define EFLAGS_DF		0x400u

/* Registers that a call may change, as bits. */
#define EAX	1u
#define EDX	2u
#define ECX	4u
#define EBX	8u
#define CLASS_A		(EAX | ECX | EDX)
#define CLASS_B1	0u
#define CLASS_B2	(EAX | EDX)
#define CLASS_C		(EAX | EBX | ECX | EDX)

static struct { uint16_t limit; uint32_t base; } __attribute__((packed))
	gdt_pointer, idt_pointer, pointer_buffer;
static uint64_t free_table[8];
static uint32_t free_entry[2] __attribute__((aligned(8)));

struct call {
	int nr;
	uint32_t may;
	const char *clause;
	uint32_t eax, edx, ecx;
	uint32_t stack[2];
	bool null_segments;		/* class B */
	bool pending;			/* an interrupt, when the call is made */
};

/* Harmless arguments, which change nothing that the suite needs. */
static struct call calls[80];
static unsigned int call_count;

static void add(int nr, uint32_t eax, uint32_t edx, uint32_t ecx,
		uint32_t stack0, uint32_t stack1)
{
	calls[call_count++] = (struct call){
		.nr = nr, .may = CLASS_A, .clause = "3.1.6", .eax = eax,
		.edx = edx, .ecx = ecx, .stack = { stack0, stack1 },
	};
}

static void add_strict(int nr, uint32_t may, const char *clause, uint32_t eax)
{
	calls[call_count++] = (struct call){
		.nr = nr, .may = may, .clause = clause, .eax = eax,
		.edx = 0xdddd0004, .ecx = 0xcccc0003,
		.stack = { 0x11110008, 0x11110009 }, .null_segments = true,
	};
}

#define A(name, eax, edx, ecx) add(VMI_CALL_##name, eax, edx, ecx, \
				   0x11110008, 0x11110009)
#define PTR(p) ((uint32_t)(uintptr_t)(p))

static void fill(void)
{
	const uint32_t frame = PTR(spare_table) / PAGE;

	A(WRMSR, 0, 0, 0x174);
	A(RDMSR, 0, 0, 0x174);
	A(SetGDT, PTR(&gdt_pointer), 1, 2);
	A(SetLDT, 0, 1, 2);
	A(SetIDT, PTR(&idt_pointer), 1, 2);
	A(SetTR, TSS_SELECTOR, 1, 2);
	A(GetGDT, PTR(&pointer_buffer), 1, 2);
	A(GetLDT, 0, 1, 2);
	A(GetIDT, PTR(&pointer_buffer), 1, 2);
	A(GetTR, 0, 1, 2);
	add(VMI_CALL_WriteGDTEntry, PTR(gdt), SPARE_GDT, 0xffff, 0x0040f200,
	    0x11110009);
	add(VMI_CALL_WriteLDTEntry, PTR(free_table), 3, 0xffff, 0x0040f200,
	    0x11110009);
	add(VMI_CALL_WriteIDTEntry, PTR(free_table), 4, 0, 0, 0x11110009);
	A(UpdateKernelStack, KERNEL_DS, 0x1000, 2);
	A(SetCR0, vmi0(GetCR0), 1, 2);
	A(SetCR2, 0x1234, 1, 2);
	A(SetCR3, root(&ours), 1, 2);
	A(SetCR4, vmi0(GetCR4), 1, 2);
	A(GetCR0, 0, 1, 2);
	A(GetCR2, 0, 1, 2);
	A(GetCR3, 0, 1, 2);
	A(GetCR4, 0, 1, 2);
	A(WBINVD, 0, 1, 2);
	A(SetDR, 0, 0x1000, 2);
	A(GetDR, 0, 1, 2);
	A(RDTSC, 0, 1, 2);
	A(CLTS, 0, 1, 2);
	A(SetPxE, 0, PTR(linear(free_entry)), VMI_PAGE_PT);
	A(UpdatePxE, PTR(linear(free_entry)), VMI_PAGE_PT, 2);
	add(VMI_CALL_SetPxELong, 0, 0, PTR(linear(free_entry)), VMI_PAGE_PT,
	    0x11110009);
	A(UpdatePxELong, PTR(linear(free_entry)), VMI_PAGE_PT, 2);
	A(MachineToPhysical, 0x100, 1, 2);
	A(PhysicalToMachine, 0x100, 1, 2);
	add(VMI_CALL_AllocatePage, frame, VMI_PAGE_PT | VMI_PAGE_ZEROED, 0, 0,
	    0);
	A(ReleasePage, frame, VMI_PAGE_PT | VMI_PAGE_ZEROED, 2);
	A(InvalPage, PLAY, 1, 2);
	A(FlushTLB, VMI_FLUSH_TLB, 1, 2);
	add(VMI_CALL_FlushTLB, VMI_FLUSH_TLB | VMI_FLUSH_GLOBAL, 1, 2,
	    0x11110008, 0x11110009);
	add(VMI_CALL_SetLinearMapping, 3, 0xe0000000, 1, 0, 0x11110009);
	A(SetIOPLMask, 0, 1, 2);
	A(APICWrite, 0x80, 0, 2);
	A(APICRead, 0x20, 1, 2);
	A(IODelay, 0, 1, 2);
	A(GetCycleFrequency, 0, 1, 2);
	A(GetCycleCounter, VMI_CYCLES_REAL, 1, 2);
	add(VMI_CALL_GetCycleCounter, VMI_CYCLES_AVAILABLE, 1, 2, 0x11110008,
	    0x11110009);
	add(VMI_CALL_SetAlarm, VMI_CYCLES_REAL, 0, 0x7fffffff, 0, 0);
	A(CancelAlarm, VMI_CYCLES_REAL, 1, 2);
	A(GetWallclockTime, 0, 1, 2);
	A(WallclockUpdated, 0, 1, 2);
	A(SetLazyMode, VMI_LAZY_NONE, 1, 2);
	A(FlushProcessors, 1, VMI_FLUSH_TLB, 0);
	A(Hypercall, 2, 4, 0);
	add_strict(VMI_CALL_EnableInterrupts, CLASS_B1, "3.1.7", 0xaaaa0001);
	add_strict(VMI_CALL_DisableInterrupts, CLASS_B1, "3.1.7", 0xaaaa0001);
	add_strict(VMI_CALL_GetInterruptMask, CLASS_B2, "3.1.8", 0xaaaa0001);
	add_strict(VMI_CALL_SetInterruptMask, CLASS_B2, "3.1.9", EFLAGS_IF);
	add_strict(VMI_CALL_SetInterruptMask, CLASS_B2, "3.1.9", 0);
	add_strict(VMI_CALL_EnableInterrupts, CLASS_B1, "3.1.7", 0xaaaa0001);
	calls[call_count - 1].pending = true;
	add_strict(VMI_CALL_SetInterruptMask, CLASS_B2, "3.1.9", EFLAGS_IF);
	calls[call_count - 1].pending = true;
	calls[call_count++] = (struct call){
		.nr = VMI_CALL_CPUID, .may = CLASS_C, .clause = "3.1.10",
		.edx = 1, .stack = { 0x11110008, 0x11110009 },
	};
}

struct outcome {
	bool registers, segments, null_ok, flag;
};

static bool changes_flag(int nr)
{
	return nr >= VMI_CALL_EnableInterrupts &&
	       nr <= VMI_CALL_SetInterruptMask;
}

/* Segment registers: flat, or null, or from another base. */
static void once(const struct call *c, bool interrupts, uint32_t segment,
		 struct outcome *o)
{
	const bool null = segment != USER_DS;
	struct poison p = {
		.eax = c->eax, .ebx = 0xbbbb0002, .ecx = c->ecx,
		.edx = c->edx, .esi = 0x55550005, .edi = 0x66660006,
		.ebp = 0x77770007, .ds = segment, .es = segment,
		.fs = segment, .gs = segment,
		.stack = { c->stack[0], c->stack[1], 0x1111000a, 0x1111000b },
		.entry = vmi_entry[c->nr],
	};
	const struct poison old = p;
	bool kept;

	vmi1(SetInterruptMask, interrupts ? EFLAGS_IF : 0);
	if (c->pending)
		pit_wait();
	if (c->nr == VMI_CALL_SetTR)		/* as Linux: not busy */
		write_gdt(TSS_SELECTOR / 8,
			  gdt[TSS_SELECTOR / 8] & ~(2ull << 40));
	last_call = c->nr;
	poisoned_call(&p);
	if (!changes_flag(c->nr))
		o->flag &= !(vmi0(GetInterruptMask) & EFLAGS_IF) == !interrupts;
	vmi0(DisableInterrupts);
	kept = !p.faulted && p.esi == old.esi && p.edi == old.edi && p.ebp == old.ebp &&
	       p.esp_before == p.esp_after &&
	       p.stack[2] == old.stack[2] && p.stack[3] == old.stack[3] &&
	       (p.eax == old.eax || (c->may & EAX)) &&
	       (p.ebx == old.ebx || (c->may & EBX)) &&
	       (p.ecx == old.ecx || (c->may & ECX)) &&
	       (p.edx == old.edx || (c->may & EDX));
	if (null)
		o->null_ok &= kept;
	else
		o->registers &= kept;
	o->segments &= p.ds == old.ds && p.es == old.es && p.fs == old.fs &&
		       p.gs == old.gs &&
		       !((p.flags_before ^ p.flags_after) &
			 ~(EFLAGS_ARITHMETIC | EFLAGS_IF)) &&
		       !(p.flags_after & EFLAGS_DF);
}

static void judge(const struct call *c)
{
	struct outcome o = { true, true, true, true };
	char name[96], *end;
	const char *variant = c->pending ? " with one pending" : c->nr == VMI_CALL_SetInterruptMask ?
			      (c->eax ? " on" : " off") :
			      c->nr == VMI_CALL_FlushTLB && c->eax > 1 ?
			      " global" :
			      c->nr == VMI_CALL_GetCycleCounter && c->eax ?
			      " available" : "";

	for (uint32_t mode = VMI_LAZY_NONE; mode <= VMI_LAZY_CPU; mode++)
		for (int on = 0; on < (c->pending ? 1 : 2); on++) {
			if (c->nr != VMI_CALL_SetLazyMode)
				vmi1(SetLazyMode, mode);
			once(c, on, USER_DS, &o);
			if (c->null_segments) {
				once(c, on, 0, &o);
				once(c, on, ODD_DS, &o);
			}
			vmi1(SetLazyMode, VMI_LAZY_NONE);
		}

#define NAME(text) do {							\
	end = name;							\
	for (const char *s_ = call_name(c->nr); *s_; s_++)		\
		*end++ = *s_;						\
	for (const char *s_ = variant; *s_; s_++)			\
		*end++ = *s_;						\
	for (const char *s_ = (text); (*end++ = *s_); s_++)		\
		;							\
} while (0)
	NAME(c->may == CLASS_B1 ? " keeps every register" :
	     c->may == CLASS_B2 ? " changes eax and edx at most" :
	     c->may == CLASS_C ? " changes eax, ebx, ecx, edx at most" :
	     " keeps ebx, esi, edi, ebp, esp");
	point_of(c->nr, c->clause, o.registers, name);
	NAME(" keeps segments and flags, DF is 0");
	point_of(c->nr, "3.1.5", o.segments, name);
	if (c->null_segments) {
		NAME(" needs no segment but CS and SS");
		point_of(c->nr, "3.1.4", o.null_ok, name);
	} else {
		NAME(" leaves the interrupt flag");
		point_of(c->nr, c->clause, o.flag, name);
	}
#undef NAME
}

/* Without a ROM's answer these have nothing behind them here. */
static bool no_instruction(int nr)
{
	return nr == VMI_CALL_WRMSR || nr == VMI_CALL_RDMSR ||
	       nr == VMI_CALL_APICRead || nr == VMI_CALL_APICWrite ||
	       (nr >= VMI_CALL_GetCycleFrequency &&
		nr <= VMI_CALL_WallclockUpdated);
}

void registers(void)
{
	vmi1(GetGDT, PTR(&gdt_pointer));
	vmi1(GetIDT, PTR(&idt_pointer));
	fill();
	for (unsigned int i = 0; i < call_count; i++) {
		const struct call *c = &calls[i];

		if (!offered(c->nr) && no_instruction(c->nr))
			skip(c->clause, call_name(c->nr), "not offered");
		else
			judge(c);
	}
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's own instructions, for calls that a ROM answers with none, and for all
 * before there is a ROM (VMI64-2.5.1). Calls that nothing but a ROM has (time,
 * the APIC's registers) are NULL.
 */
#include "guest64.h"
#include "pc.h"

#define DESC_S		(1ull << 44)
#define DESC_TYPE	(15ull << 40)
#define DESC_BUSY	(2ull << 40)
#define CR4_PGE		0x80ull

static void cpuid(uint32_t *eax, uint32_t *ebx, uint32_t *ecx, uint32_t *edx)
{
	__asm__ volatile("cpuid" : "+a"(*eax), "=b"(*ebx), "+c"(*ecx),
			 "=d"(*edx));
}

static void wrmsr(uint32_t msr, uint32_t low, uint32_t high)
{
	wrmsr64(msr, (uint64_t)high << 32 | low);
}

static uint64_t rdpmc(uint32_t counter)
{
	uint32_t low, high;

	__asm__ volatile("rdpmc" : "=a"(low), "=d"(high) : "c"(counter));
	return (uint64_t)high << 32 | low;
}

static uint64_t rdtsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

/* ---- descriptors -------------------------------------------------------------- */

static void set_gdt(const struct vmi64_table_pointer *p)
{
	__asm__ volatile("lgdt %0" : : "m"(*p));
}

static void set_idt(const struct vmi64_table_pointer *p)
{
	__asm__ volatile("lidt %0" : : "m"(*p));
}

static void set_ldt(uint32_t sel)
{
	__asm__ volatile("lldt %w0" : : "r"(sel));
}

static void get_gdt(struct vmi64_table_pointer *p)
{
	__asm__ volatile("sgdt %0" : "=m"(*p));
}

static void get_idt(struct vmi64_table_pointer *p)
{
	__asm__ volatile("sidt %0" : "=m"(*p));
}

/* The same again: not busy. */
static void set_tr(uint32_t sel)
{
	struct vmi64_table_pointer p;

	get_gdt(&p);
	*(volatile uint64_t *)(p.base + (sel & ~7u)) &= ~DESC_BUSY;
	__asm__ volatile("ltr %w0" : : "r"(sel));
}

static uint32_t get_ldt(void)
{
	uint16_t sel;

	__asm__ volatile("sldt %0" : "=r"(sel));
	return sel;
}

static uint32_t get_tr(void)
{
	uint16_t sel;

	__asm__ volatile("str %0" : "=r"(sel));
	return sel;
}

static void write_desc(uint64_t *to, uint32_t index, const uint64_t *entry)
{
	to[index] = entry[0];
	if (!(entry[0] & DESC_S) && (entry[0] & DESC_TYPE))
		to[index + 1] = entry[1];
}

static void write_gate(uint64_t *to, uint32_t index, const uint64_t *entry)
{
	to[2 * index + 1] = entry[1];
	to[2 * index] = entry[0];
}

static void kernel_stack_is(uint64_t rsp)
{
	*(uint64_t *)(tss + 4) = rsp;		/* RSP0 */
}

/* ---- control and debug registers ------------------------------------------------ */

#define REGISTER(name, reg)						\
static uint64_t get_##name(void)					\
{									\
	uint64_t value;							\
									\
	__asm__ volatile("mov %%" #reg ", %0" : "=r"(value));		\
	return value;							\
}									\
static void set_##name(uint64_t value)					\
{									\
	__asm__ volatile("mov %0, %%" #reg : : "r"(value) : "memory");	\
}
REGISTER(cr0, cr0)
REGISTER(cr2, cr2)
REGISTER(cr3, cr3)
REGISTER(cr4, cr4)
REGISTER(dr0, db0)
REGISTER(dr1, db1)
REGISTER(dr2, db2)
REGISTER(dr3, db3)
REGISTER(dr6, db6)
REGISTER(dr7, db7)

static void (*const set_debug[8])(uint64_t) = {
	set_dr0, set_dr1, set_dr2, set_dr3, set_dr6, set_dr7, set_dr6, set_dr7
};
static uint64_t (*const get_debug[8])(void) = {
	get_dr0, get_dr1, get_dr2, get_dr3, get_dr6, get_dr7, get_dr6, get_dr7
};

static void set_dr(uint32_t number, uint64_t value)
{
	set_debug[number & 7](value);
}

static uint64_t get_dr(uint32_t number)
{
	return get_debug[number & 7]();
}

static void clts(void)
{
	__asm__ volatile("clts");
}

static void wbinvd(void)
{
	__asm__ volatile("wbinvd");
}

/* ---- the flag ---------------------------------------------------------------------- */

static void sti(void)
{
	__asm__ volatile("sti\n\tnop" : : : "memory");
}

static void cli(void)
{
	__asm__ volatile("cli" : : : "memory");
}

static uint64_t get_mask(void)
{
	uint64_t flags;

	__asm__ volatile("pushfq\n\tpopq %0" : "=r"(flags));
	return flags & EFLAGS_IF;
}

static void set_mask(uint64_t flags)
{
	if (flags & EFLAGS_IF)
		sti();
	else
		cli();
}

static void halt(void)
{
	__asm__ volatile("sti\n\thlt" : : : "memory");
}

/* ---- page tables ---------------------------------------------------------------------- */

static void store(uint64_t *entry, uint64_t value)
{
	*(volatile uint64_t *)entry = value;
}

static uint64_t same_frame(uint64_t frame)
{
	return frame;
}

static void invlpg(uint64_t va)
{
	__asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

static void flush_tlb(uint32_t what)
{
	if (what & VMI_FLUSH_GLOBAL) {
		set_cr4(get_cr4() ^ CR4_PGE);
		set_cr4(get_cr4() ^ CR4_PGE);
	}
	set_cr3(get_cr3());
}

/* ---- FS and GS ------------------------------------------------------------------------ */

#define BASE(name, msr)							\
static uint64_t get_##name(void)					\
{									\
	return rdmsr64(msr);						\
}									\
static void set_##name(uint64_t base)					\
{									\
	wrmsr64(msr, base);						\
}
BASE(fs, MSR_FS_BASE)
BASE(gs, MSR_GS_BASE)
BASE(kernel_gs, MSR_KERNEL_GS_BASE)

static void swapgs(void)
{
	__asm__ volatile("swapgs" : : : "memory");
}

static void syscall_entry(uint64_t lstar, uint64_t cstar)
{
	wrmsr64(MSR_LSTAR, lstar);
	wrmsr64(MSR_CSTAR, cstar);
}

static void nothing(void)
{
}

#define OWN(call, function)	[VMI64_CALL_##call] = (const void *)(function)
const void *const native_entry[VMI64_CALL_COUNT] = {
	OWN(CPUID, cpuid), OWN(WRMSR, wrmsr), OWN(RDMSR, rdmsr64),
	OWN(SetGDT, set_gdt), OWN(SetLDT, set_ldt), OWN(SetIDT, set_idt),
	OWN(SetTR, set_tr), OWN(GetGDT, get_gdt), OWN(GetLDT, get_ldt),
	OWN(GetIDT, get_idt), OWN(GetTR, get_tr), OWN(WriteGDTEntry, write_desc),
	OWN(WriteLDTEntry, write_desc), OWN(WriteIDTEntry, write_gate),
	OWN(UpdateKernelStack, kernel_stack_is), OWN(SetCR0, set_cr0),
	OWN(SetCR2, set_cr2), OWN(SetCR3, set_cr3), OWN(SetCR4, set_cr4),
	OWN(GetCR0, get_cr0), OWN(GetCR2, get_cr2), OWN(GetCR3, get_cr3),
	OWN(GetCR4, get_cr4), OWN(WBINVD, wbinvd), OWN(SetDR, set_dr),
	OWN(GetDR, get_dr), OWN(RDPMC, rdpmc), OWN(RDTSC, rdtsc),
	OWN(CLTS, clts), OWN(EnableInterrupts, sti), OWN(DisableInterrupts, cli),
	OWN(GetInterruptMask, get_mask), OWN(SetInterruptMask, set_mask),
	OWN(IRET, native_iret), OWN(Halt, halt), OWN(Reboot, pc_reset),
	OWN(Shutdown, pc_reset), OWN(SetPxELong, store),
	OWN(UpdatePxELong, nothing), OWN(MachineToPhysical, same_frame),
	OWN(PhysicalToMachine, same_frame), OWN(AllocatePage, nothing),
	OWN(ReleasePage, nothing), OWN(InvalPage, invlpg),
	OWN(FlushTLB, flush_tlb), OWN(SetLinearMapping, nothing),
	OWN(SetIOPLMask, nothing), OWN(IODelay, nothing),
	OWN(SetLazyMode, nothing), OWN(FlushProcessors, flush_tlb),
	OWN(GetFSBase, get_fs), OWN(SetFSBase, set_fs),
	OWN(GetGSBase, get_gs), OWN(SetGSBase, set_gs),
	OWN(GetKernelGSBase, get_kernel_gs), OWN(SetKernelGSBase, set_kernel_gs),
	OWN(SwapGS, swapgs), OWN(SwapGSIRET, native_swapgs_iret),
	OWN(SetSyscallEntry, syscall_entry), OWN(SetIRETSite, nothing),
};

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The processor's own state: CPUID, MSRs, the FPU that is switched lazily,
 * debug registers, ports in user mode, segment registers whose descriptors
 * change, and virtual-8086 mode, which there is none of.
 */
#include "suite.h"

#define CODE_PAGE	10u		/* pages of PLAY */
#define STACK_PAGE	11u
#define VEC_DB		1
#define VEC_NM		7
#define EFLAGS_VM	0x20000u

static uint8_t code[PAGE] __attribute__((aligned(PAGE)));
static uint8_t stack[PAGE] __attribute__((aligned(PAGE)));

/* Run these bytes in user mode until they trap. */
static void user_bytes(const char *bytes, uint32_t eax)
{
	uint32_t i;

	for (i = 0; i < 16; i++)
		code[i] = (uint8_t)bytes[i];
	play_map(CODE_PAGE, (uintptr_t)code | PTE_P | PTE_U);
	play_map(STACK_PAGE, (uintptr_t)stack | PTE_P | PTE_U | PTE_W);
	run_user(PLAY + CODE_PAGE * PAGE, PLAY + STACK_PAGE * PAGE + PAGE, eax,
		 0, false);
}

/* ---- what the CPU says of itself ------------------------------------------- */

static uint64_t rdmsr(uint32_t msr)
{
	uint64_t value;

	__asm__ volatile("rdmsr" : "=A"(value) : "c"(msr));
	return value;
}

void test_cpuid(void)
{
	/* PSE TSC MSR PAE CX8 APIC SEP PGE CMOV FXSR SSE SSE2 */
	const uint32_t matter = 1u << 3 | 1u << 4 | 1u << 5 | 1u << 6 |
				1u << 8 | 1u << 9 | 1u << 11 | 1u << 13 |
				1u << 15 | 1u << 24 | 1u << 25 | 1u << 26;
	uint32_t r[4], eax = 1, ebx, ecx = 0, edx, tsc[3], cr4;

	vmi_cpuid(1, r);
	__asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
	same(r[3] & matter, edx & matter,
	     "the CPUID call agrees with the instruction");
	same(r[2] & 1u << 3, 0, "no MONITOR");

	/* old kernels read these with no fixup, since CPUID shows MTRRs */
	same(rdmsr(0xfe), 0, "no MTRR ranges");
	same(rdmsr(0x2ff) & 0xff, 6, "all memory is write-back");
	same(rdmsr(0x1b) & 0xfffff900, 0xfee00900,
	     "the APIC is on and where it should be");
	__asm__ volatile("rdpmc" : "=a"(eax), "=d"(edx) : "c"(0));
	same(eax | edx, 0, "performance counters read 0");

	cr4 = vmi0(GetCR4);
	vmi1(SetCR4, cr4 | 0x100);
	eax = edx = 1;
	__asm__ volatile("rdpmc" : "+a"(eax), "+d"(edx) : "c"(0));
	same(eax | edx, 0, "and with CR4.PCE");
	user_bytes("\x31\xc9\x0f\x33\xcd\x80", 1);	/* ecx = 0; rdpmc */
	vmi1(SetCR4, cr4);
	ok(last_trap.vector == VEC_SYSCALL && !last_trap.eax,
	   "which lets user mode read them");
	user_bytes("\x31\xc9\x0f\x33\xcd\x80", 1);
	same(last_trap.vector, VEC_GP, "but nothing else");

	vmi1(SetCR4, cr4 | 4);
	for (int i = 0; i < 3; i++)
		__asm__ volatile("rdtsc" : "=a"(tsc[i]) : : "edx");
	vmi_cycles();
	user_bytes("\x0f\x31\xcd\x80", 0);
	vmi1(SetCR4, cr4);
	ok(tsc[1] - tsc[0] < 0x80000000 && tsc[2] - tsc[1] < 0x80000000,
	   "the kernel reads the TSC whatever CR4.TSD says");
	same(last_trap.vector, VEC_GP, "and user mode does not");
}

/* ---- FPU -------------------------------------------------------------------- */

static volatile uint32_t device_not_available;

static void give_fpu(struct frame *f)
{
	(void)f;
	device_not_available++;
	vmi0(CLTS);
}

void test_fpu(void)
{
	uint32_t cr0 = vmi0(GetCR0);

	vector_hook[VEC_NM] = give_fpu;
	vmi1(SetCR0, cr0 & ~CR0_TS);
	__asm__ volatile("fninit");
	same(device_not_available, 0, "the FPU is there with TS clear");
	vmi1(SetCR0, cr0 | CR0_TS);
	__asm__ volatile("fnop");
	same(device_not_available, 1, "with TS set it is a #NM");
	same(vmi0(GetCR0) & CR0_TS, 0, "CLTS in the handler ends that");
	__asm__ volatile("fnop");
	same(device_not_available, 1, "once");
	vmi1(SetCR0, cr0 | CR0_TS);
	user_bytes("\xd9\xd0\xcd\x80", 0);	/* fnop; int 0x80 */
	ok(device_not_available == 2 && last_trap.vector == VEC_SYSCALL,
	   "in user mode too, which goes on after it");
	vector_hook[VEC_NM] = NULL;
	vmi1(SetCR0, cr0);
}

/* ---- debug registers ------------------------------------------------------------ */

static volatile uint32_t debug_count, debug_dr6;
static uint32_t watched, watched_too;

static void debug(struct frame *f)
{
	debug_count++;
	debug_dr6 = vmi1(GetDR, 6);
	vmi2(SetDR, 6, 0);
	f->eflags |= 0x10000;			/* RF: go on */
}

void test_debug(void)
{
	same(vmi1(GetDR, 6), 0xffff0ff0, "DR6 as after power-on");
	same(vmi1(GetDR, 7), 0x400, "DR7 as after power-on");
	vector_hook[VEC_DB] = debug;
	vmi2(SetDR, 0, (uintptr_t)&watched);
	vmi2(SetDR, 7, 0xd0002);		/* 4 bytes, writes, global */
	*(volatile uint32_t *)&watched = 1;
	same(debug_count, 1, "a watched word traps when written");
	same(debug_dr6 & 0xf, 1, "DR6 says which");
	*(volatile uint32_t *)&watched = 2;
	ok(debug_count == 2 && (vmi1(GetDR, 6) & 0xf) == 0,
	   "again, and DR6 stays cleared in between");
	same(*(volatile uint32_t *)&watched, 2, "reading it does not trap");
	same(debug_count, 2, "at all");

	vmi2(SetDR, 1, (uintptr_t)&watched_too);
	vmi2(SetDR, 7, 0xdd000a);
	*(volatile uint32_t *)&watched_too = 1;
	same(debug_dr6 & 0xf, 2, "DR6 says nothing of earlier traps");

	/* the hypervisor itself writes frames there: 0x80 from user mode */
	vmi2(SetDR, 7, 0);
	user_bytes("\xcd\x80", 0);
	vmi2(SetDR, 0, last_trap_esp - 4);
	vmi2(SetDR, 7, 0xd0002);
	user_bytes("\xcd\x80", 0);
	vmi2(SetDR, 7, 0);
	same(last_trap.vector, VEC_SYSCALL,
	     "a watched kernel stack: system calls go on");
	vmi2(SetDR, 6, 0);

	vmi2(SetDR, 7, 0xffffffff);
	same(vmi1(GetDR, 7) & 0x2400, 0x400, "no general detect");
	vmi2(SetDR, 7, 0x400);
	vector_hook[VEC_DB] = NULL;
}

/* ---- ports in user mode ------------------------------------------------------------ */

static struct {
	uint32_t fields[25];
	uint16_t trap, bitmap;
	uint8_t bits[0x10000 / 8 + 1];
} tss __attribute__((aligned(8)));

#define IN_DX	"\x66\xba\xed\x00\xec\xcd\x80"	/* dx = 0xed; in; int 0x80 */

static void write_gdt(uint32_t index, uint64_t descriptor)
{
	vmi4(VMI_CALL_WriteGDTEntry, (uintptr_t)gdt, index,
	     (uint32_t)descriptor, (uint32_t)(descriptor >> 32));
}

static uint64_t system_descriptor(const void *at, uint32_t limit, uint64_t type)
{
	uint64_t base = (uintptr_t)at;

	return (limit & 0xffff) | (base & 0xffffff) << 16 | type << 40 |
	       (uint64_t)(limit & 0xf0000) << 32 | (base >> 24) << 56;
}

void test_ports(void)
{
	const uint64_t old = gdt[TSS_SELECTOR / 8] & ~(2ull << 40);

	tss.bitmap = 0xffff;
	write_gdt(TSS_SELECTOR / 8,
		  system_descriptor(&tss, sizeof(tss) - 1, 0x89));
	vmi1(SetTR, TSS_SELECTOR);
	user_bytes(IN_DX, 0);
	same(last_trap.vector, VEC_GP, "user mode has no ports");
	vmi1(SetIOPLMask, 0x3000);
	user_bytes(IN_DX, 0);
	same(last_trap.vector, VEC_SYSCALL, "with IOPL 3 it has");
	same(last_trap.eflags & 0x3000, 0x3000, "which its frames show");
	user_bytes("\xfa\xcd\x80", 0);
	same(last_trap.vector, VEC_GP, "but CLI remains the kernel's");
	vmi1(SetIOPLMask, 0x2000);
	user_bytes(IN_DX, 0);
	same(last_trap.vector, VEC_GP, "with IOPL 2 it has none");
	vmi1(SetIOPLMask, 0);

	tss.bitmap = offsetof(__typeof__(tss), bits);
	for (uint32_t i = 0; i < sizeof(tss.bits); i++)
		tss.bits[i] = 0xff;
	user_bytes(IN_DX, 0);
	same(last_trap.vector, VEC_GP, "a port whose bit is set");
	tss.bits[0xed / 8] &= (uint8_t)~(1u << 0xed % 8);
	user_bytes(IN_DX, 0);
	same(last_trap.vector, VEC_SYSCALL, "a port whose bit is clear");
	user_bytes("\x66\xba\xed\x00\xed\xcd\x80", 0);
	same(last_trap.vector, VEC_GP, "a wide access needs all its bits");
	tss.bits[0xed / 8] = 0;
	vmi1(SetTR, TSS_SELECTOR);
	tss.bitmap = sizeof(tss) - 0xed / 8 - 1;
	user_bytes(IN_DX, 0);
	same(last_trap.vector, VEC_GP, "a bitmap that the TSS cuts off");
	write_gdt(TSS_SELECTOR / 8, old);
	vmi1(SetTR, TSS_SELECTOR);
}

/* ---- segment registers -------------------------------------------------------------- */

#define DATA3	0x0040f20000000000ull		/* DPL 3, bytes */
#define GS_READ() ({ uint32_t v_;					\
	__asm__ volatile("movl %%gs:0, %0" : "=r"(v_)); v_; })
#define GS_SEL() ({ uint16_t s_;					\
	__asm__ volatile("mov %%gs, %0" : "=r"(s_)); s_; })

static uint32_t here = 0x11111111, there = 0x22222222;
static uint64_t ldt[4] __attribute__((aligned(8)));

static uint64_t segment_at(const void *base)
{
	return system_descriptor(base, 0xfff, 0xf2) | 0x0040000000000000ull;
}

static void load_gs(uint16_t selector)
{
	__asm__ volatile("mov %0, %%gs" : : "r"((uint32_t)selector));
}

static void test_ldt(void)
{
	const uint32_t index = SPARE_GDT + 2;
	const uint16_t first = 0x7, second = 0xf;

	ldt[0] = segment_at(&here);
	ldt[1] = segment_at(&there);
	write_gdt(index, system_descriptor(ldt, 8 * 2 - 1, 0x82));
	vmi1(SetLDT, index * 8);
	same(vmi0(GetLDT), index * 8, "GetLDT gives what SetLDT took");
	load_gs(second);
	same(GS_READ(), there, "an LDT with two entries");
	vmi4(VMI_CALL_WriteLDTEntry, (uintptr_t)ldt, 1,
	     (uint32_t)segment_at(&here), (uint32_t)(segment_at(&here) >> 32));
	same(GS_READ(), here, "WriteLDTEntry reloads what is loaded");
	vmi4(VMI_CALL_WriteLDTEntry, (uintptr_t)ldt, 3,
	     (uint32_t)segment_at(&here), (uint32_t)(segment_at(&here) >> 32));
	load_gs(first);
	write_gdt(index, system_descriptor(ldt, 8 - 1, 0x82));
	vmi1(SetLDT, index * 8);
	same(GS_READ(), here, "a smaller LDT keeps the entries it has");
	load_gs(0);
	write_gdt(index, system_descriptor(ldt, 0xfffff, 0x82));
	vmi1(SetLDT, 0);
	same(vmi0(GetLDT), 0, "an empty LDT, of limit -1, then none");

	ldt[0] = segment_at(&there);
	write_gdt(index, system_descriptor(ldt, 8 - 1, 0x82));
	vmi1(SetLDT, index * 8);
	load_gs(first);
	same(GS_READ(), there, "an entry that was stored before SetLDT");
	vmi1(SetLazyMode, VMI_LAZY_CPU);
	vmi1(SetLDT, 0);
	same(GS_SEL(), first, "in a context switch the selectors stay");
	vmi1(SetLazyMode, VMI_LAZY_NONE);
	vmi1(SetLDT, index * 8);
	vmi1(SetLDT, 0);
	same(GS_SEL(), 0, "else a selector of an LDT that is gone is null");
}

void test_segments(void)
{
	const uint16_t sel = SPARE_GDT * 8 + 3;

	write_gdt(SPARE_GDT, segment_at(&here));
	load_gs(sel);
	same(GS_READ(), here, "a segment that was written");
	write_gdt(SPARE_GDT, segment_at(&there));
	same(GS_READ(), there, "WriteGDTEntry reloads what is loaded");
	vmi1(SetLazyMode, VMI_LAZY_CPU);
	write_gdt(SPARE_GDT, segment_at(&here));
	vmi1(SetLazyMode, VMI_LAZY_NONE);
	same(GS_READ(), here, "in a batch at its end");
	write_gdt(SPARE_GDT, 0);
	same(GS_SEL(), 0, "an entry that is gone leaves a null selector");
	write_gdt(SPARE_GDT, segment_at(&here));
	load_gs(sel);
	write_gdt(SPARE_GDT, segment_at(&here) & ~(3ull << 45));
	same(GS_SEL(), 0, "one that only the kernel may use does, for RPL 3");
	write_gdt(SPARE_GDT, 0);
	test_ldt();
}

/* ---- virtual-8086 mode ---------------------------------------------------------------- */

/* The frame of a return to VM86, and what comes of it. */
static void iret_vm(uint32_t cs, uint32_t flags)
{
	__asm__ volatile(
		"pushl %%ebp\n\t"
		"movl $1f, %0\n\t"
		"movl %%esp, %%ebp\n\t"
		"pushl $0\n\tpushl $0\n\tpushl $0\n\tpushl $0\n\t"
		"pushl $0\n\tpushl $0x100\n\t"
		"pushl %2\n\tpushl %1\n\tpushl $0x7c00\n\t"
		"jmp *%3\n"
		"1:\tmovl %%ebp, %%esp\n\tpopl %%ebp\n\t"
		"movl $0, %0"
		: "+m"(fixup)
		: "r"(cs), "r"(flags), "r"((uintptr_t)iret_site + LINEAR)
		: "memory", "cc");
}

void test_vm86(void)
{
	const uint32_t site = (uintptr_t)iret_site + LINEAR;

	iret_vm(0xf000, EFLAGS_VM | EFLAGS_IF | 2);
	ok(last_trap.vector == VEC_GP && last_trap.eip == site,
	   "IRET to VM86 is a #GP at the guest's site");
	same(last_trap.cs & 3, 1, "in the kernel");
	iret_vm(USER_CS, EFLAGS_VM | EFLAGS_IF | 2);
	ok(last_trap.vector == VEC_GP && last_trap.eip == site,
	   "with a selector that would do, too");
	iret_vm(0x1000, EFLAGS_VM | 2);
	ok(last_trap.vector == VEC_GP && last_trap.eip == site,
	   "and with interrupts off");
	vmi0(DisableInterrupts);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The processor's own state: CPUID, MSRs, debug registers, the I/O bitmap of
 * user mode, and virtual-8086 mode, which there is none of.
 */
#include "suite.h"

#define VEC_DB		1
#define EFLAGS_VM	0x20000u

/* ---- what the CPU says of itself ------------------------------------------- */

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
	USER("\x31\xc9\x0f\x33\xcd\x80", 1);	/* ecx = 0; rdpmc */
	vmi1(SetCR4, cr4);
	ok(last_trap.vector == VEC_SYSCALL && !last_trap.eax,
	   "which lets user mode read them");
	USER("\x31\xc9\x0f\x33\xcd\x80", 1);
	same(last_trap.vector, VEC_GP, "but nothing else");

	vmi1(SetCR4, cr4 | 4);
	for (int i = 0; i < 3; i++)
		__asm__ volatile("rdtsc" : "=a"(tsc[i]) : : "edx");
	vmi1(SetCR4, cr4);
	ok(tsc[1] - tsc[0] < 0x80000000 && tsc[2] - tsc[1] < 0x80000000,
	   "the kernel reads the TSC whatever CR4.TSD says");
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
	USER("\xcd\x80", 0);
	vmi2(SetDR, 0, last_trap_esp - 4);
	vmi2(SetDR, 7, 0xd0002);
	USER("\xcd\x80", 0);
	vmi2(SetDR, 7, 0);
	same(last_trap.vector, VEC_SYSCALL,
	     "a watched kernel stack: system calls go on");
	vmi2(SetDR, 6, 0);

	vmi2(SetDR, 7, 0xffffffff);
	same(vmi1(GetDR, 7) & 0x2400, 0x400, "no general detect");
	vmi2(SetDR, 7, 0x400);
	vector_hook[VEC_DB] = NULL;
}

/* ---- the I/O bitmap ------------------------------------------------------------ */

static struct {
	uint32_t fields[25];
	uint16_t trap, bitmap;
	uint8_t bits[0x10000 / 8 + 1];
} tss __attribute__((aligned(8)));

#define IN_DX	"\x66\xba\xed\x00\xec\xcd\x80"	/* dx = 0xed; in; int 0x80 */

void test_ports(void)
{
	const uint64_t old = gdt[TSS_SELECTOR / 8] & ~(2ull << 40);

	tss.bitmap = offsetof(__typeof__(tss), bits);
	for (uint32_t i = 0; i < sizeof(tss.bits); i++)
		tss.bits[i] = 0xff;
	write_gdt(TSS_SELECTOR / 8,
		  descriptor((uintptr_t)&tss, sizeof(tss) - 1, 0x8900));
	vmi1(SetTR, TSS_SELECTOR);
	USER(IN_DX, 0);
	same(last_trap.vector, VEC_GP, "a port whose bit is set");
	tss.bits[0xed / 8] &= (uint8_t)~(1u << 0xed % 8);
	USER(IN_DX, 0);
	same(last_trap.vector, VEC_SYSCALL, "a port whose bit is clear");
	USER("\x66\xba\xed\x00\xed\xcd\x80", 0);
	same(last_trap.vector, VEC_GP, "a wide access needs all its bits");
	tss.bits[0xed / 8] = 0;
	vmi1(SetTR, TSS_SELECTOR);
	tss.bitmap = sizeof(tss) - 0xed / 8 - 1;
	USER(IN_DX, 0);
	same(last_trap.vector, VEC_GP, "a bitmap that the TSS cuts off");
	write_gdt(TSS_SELECTOR / 8, old);
	vmi1(SetTR, TSS_SELECTOR);
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

// SPDX-License-Identifier: GPL-2.0-only
/* Debug registers and CR4: what of the hypervisor's own they could trap. */
#include "attack.h"

#define DR7_FIXED	0x400u
#define WRITES		0x1u		/* R/W 01b, one byte */
#define IO		0x2u
#define ACCESS_WORD	0xdu		/* R/W, and length, of SDM 17.2.4 */
#define WRITE_WORDS	0xdddd0000u
#define ALL		0xffu
#define CR4_TSD		0x4u
#define CR4_DE		0x8u
#define DR6_CLEAR	0xffff0ff0u
#define DR6_BS		0x4000u
#define DR6_B0		0x1u

static uint32_t seen;

static void count(struct frame *f)
{
	(void)f;
	seen++;
}

static void watch_at(uint32_t va, uint32_t kind)
{
	vmi2(SetDR, 0, va);
	vmi2(SetDR, 7, kind << 16 | DR7_FIXED | 3);
}

/* Watches the kernel stack on which the hypervisor builds a frame.
 * STUB-2: its own accesses for the guest must not trap it. */
static void watch(uint32_t arg)
{
	uint32_t esp;

	(void)arg;
	vector_hook[1] = count;
	__asm__ volatile("mov %%esp, %0" : "=r"(esp));
	for (uint32_t i = 0; i < 4; i++)
		vmi2(SetDR, i, ((esp - 24 * (i + 1)) & ~3u));
	vmi2(SetDR, 7, WRITE_WORDS | DR7_FIXED | ALL);
	same(probe_read(0x80000000), VEC_PF, "a fault on a watched stack");
	USER("\xcd\x80", 0);
	same(last_trap.vector, VEC_SYSCALL, "system call on a watched stack");
	vmi2(SetDR, 7, DR7_FIXED);
}

/* Watches a descriptor while the hypervisor reads it.
 * STUB-2. */
static void watch_gdt(uint32_t arg)
{
	(void)arg;
	vector_hook[1] = count;
	watch_at((uintptr_t)&gdt[SPARE_GDT], 0xf);
	hypercall(STUB_HC_GDT_CHANGED, SPARE_GDT, 0);
	ok(true, "a watched descriptor is read");
}

/* The user watches the code that the hypervisor fetches to emulate.
 * STUB-2. */
static void watch_code(uint32_t offset)
{
	vector_hook[1] = count;
	watch_at(play(U_CODE) + offset, 0xf);
	run_user(play(U_CODE), play(U_STACK) + PAGE, 0, 0, false);
	USER("\xcd\x21", 0);
	same(last_trap.vector, VEC_GP, "INT 21h behind a watched address");
}

/* A breakpoint held back by MOV SS to the first instruction behind a gate.
 * SDM Vol. 3, 6.8.3: it then comes in the hypervisor, which goes on. */
static void watch_ss(uint32_t nr)
{
	static uint32_t word = KERNEL_DS | 1;

	vector_hook[1] = count;
	watch_at((uintptr_t)&word, 0xf);
	same(load_ss_and_call(&word, nr), -1, "a hypercall behind MOV SS");
	vmi2(SetDR, 7, DR7_FIXED);
}

/* Breakpoints on I/O, which the hypervisor's own would hit.
 * STUB-2. */
static void iobp(uint32_t arg)
{
	uint32_t value = IO << 16 | DR7_FIXED | 3;

	(void)arg;
	vmi1(SetCR4, vmi0(GetCR4) | CR4_DE);
	vmi2(SetDR, 0, 0x3fd);
	vmi2(SetDR, 7, value);
	ok(inb(0x3fd), "the hypervisor uses the port");
	__asm__ volatile("mov %0, %%db7" : : "r"(value));
	ok(inb(0x3fd), "by MOV too");
	same(vmi1(GetDR, 7) & 3, 0, "the breakpoint is off");
}

/* General detection would trap the hypervisor's own use of the registers.
 * STUB-2. */
static void general_detect(uint32_t arg)
{
	(void)arg;
	vmi2(SetDR, 7, DR7_FIXED | 1u << 13);
	vmi2(SetDR, 0, 0x1234);
	same(vmi1(GetDR, 0), 0x1234, "debug registers can be set");
}

/* CR4.TSD forbids RDTSC to user mode, not to the kernel at ring 1.
 * VMI-1.4, VMI-3.7. */
static void tsd(uint32_t arg)
{
	uint64_t before;

	(void)arg;
	vmi1(SetCR4, vmi0(GetCR4) | CR4_TSD);
	same(native_rdtsc(), -1, "RDTSC in the kernel");
	before = vmi_cycles();
	ok(vmi_cycles() > before, "GetCycleCounter");
	USER("\x0f\x31\xcd\x80", 0);
	same(last_trap.vector, VEC_GP, "RDTSC in user mode is #GP");
}

/* Bits of one debug exception must not appear in the next.
 * VMI-1.4, SDM Vol. 3, 17.2.3: DR6 tells of the last one. */
static void dr6(uint32_t arg)
{
	/* pushf; or [esp], TF; popf; nop; nop */
	static const char step[] = "\x9c\x81\x0c\x24\0\1\0\0\x9d\x90\x90";

	(void)arg;
	USER(step, 0);
	same(last_trap.vector, 1, "a step");
	same(vmi1(GetDR, 6) & (DR6_BS | 15), DR6_BS, "is told as one");
	vmi2(SetDR, 6, DR6_CLEAR);
	watch_at(play(U_STACK), ACCESS_WORD);
	USER("\x89\x03\x90\xcd\x80", play(U_STACK));	/* mov [ebx], eax */
	vmi2(SetDR, 7, DR7_FIXED);
	same(last_trap.vector, 1, "a breakpoint");
	same(vmi1(GetDR, 6) & (DR6_BS | 15), DR6_B0, "is told as one");
	vmi2(SetDR, 6, DR6_CLEAR);
	USER(step, 0);
	same(vmi1(GetDR, 6) & (DR6_BS | 15), DR6_BS, "and a step again");
	/* A kernel that does not clear it (Linux 2.6.32). */
	vmi2(SetDR, 6, DR6_CLEAR);
	watch_at(play(U_STACK), ACCESS_WORD);
	USER("\x89\x03\x90\xcd\x80", play(U_STACK));
	vmi2(SetDR, 7, DR7_FIXED);
	USER(step, 0);
	same(vmi1(GetDR, 6) & (DR6_BS | 15), DR6_BS,
	     "a step says nothing of the breakpoint before");
}

/* Random values in every debug register, the reserved ones and no ones.
 * STUB-2. */
static void random_dr(uint32_t arg)
{
	(void)arg;
	vector_hook[1] = count;
	for (uint32_t i = 0; i < 4096; i++)
		hypercall(STUB_HC_SET_DR, random32() & 15,
			  random32() & ~(i & 1 ? ALL : 0));
	hypercall(STUB_HC_SET_DR, 7, DR7_FIXED);
	for (uint32_t i = 8; i < 64; i++)
		hypercall(STUB_HC_SET_DR, i << 26 | i, 0xffffffff);
	ok(true, "random debug registers");
}

/* Every bit of CR4, one by one, but PAE, which has a case of its own.
 * STUB-2: none decides over the hypervisor. */
static void cr4_bits(uint32_t arg)
{
	const uint32_t before = vmi0(GetCR4);

	(void)arg;
	for (uint32_t i = 0; i < 32; i++) {
		if (i == 5)
			continue;
		hypercall(STUB_HC_SET_CR4, before ^ 1u << i, 0);
		probe_read(0x80000000);
		USER("\xcd\x80", 0);
	}
	hypercall(STUB_HC_SET_CR4, before, 0);
	same(vmi0(GetCR4), before, "CR4 as it was");
}

const struct attack debug_cases[] = {
	CASE(watch),
	CASE(watch_gdt),
	CASE_ARG("watch_code", watch_code, 0),
	CASE_ARG("watch_code_8", watch_code, 8),
	CASE_ARG("watch_ss", watch_ss, STUB_HC_DRAIN),
	CASE(iobp),
	CASE(general_detect),
	CASE(tsd),
	CASE(dr6),
	CASE(random_dr),
	CASE(cr4_bits),
	CASES_END
};

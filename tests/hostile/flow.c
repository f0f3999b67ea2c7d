// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where user mode goes, and with what flags: system calls, single steps,
 * stacks that are none, the kernel's addresses and those above it, floating
 * point exceptions.
 */
#define _GNU_SOURCE
#include <fenv.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ucontext.h>

#include "hostile.h"

/* ---- flags -------------------------------------------------------------- */

#define ARITHMETIC	0x8d5u
#define EFLAGS_ID	0x200000u

CODE(code_popf, "push %ebx\n\tpopf\n\tpushf\n\tpop %eax\n\t"
		"push $0x202\n\tpopf");
CODE(code_popf16, "pushw %bx\n\tpopfw\n\tpushf\n\tpop %eax\n\t"
		  "push $0x202\n\tpopf");
CODE(code_iret, "push %ebx\n\tpush %cs\n\tpush $1f\n\tiret\n"
		"1:\tpushf\n\tpop %eax\n\tpush $0x202\n\tpopf");

/* Each flag by itself, but TF: what is there behind it. IF is always on, IOPL
 * is not the user's, VM is nobody's (SDM Vol. 2, POPF and IRET). */
static void flags(const struct attack *a)
{
	for (uint32_t bit = 0; bit < 32; bit++) {
		/* IRETD and VM: vm86.c; with NT set IRET is another */
		if (bit == 8 || (a->code == code_iret && bit == 17))
			continue;
		run(a->code, 1u << bit, 0, 0);
		if (seen.sig != SIGTRAP)
			say("%u: %s, ", bit, signal_name(seen.sig));
		else if (seen.ax & ~(2u | 1u << bit))
			say("%u: %x, ", bit, seen.ax);
		digest_add(seen.ax);
	}
	say("%x", digest);
}

CODE(code_iret_nt, "push $0x4202\n\tpopf\n\tpush $0x202\n\tpush %cs\n\t"
		   "push $1f\n\tiret\n1:\tnop");
/* A nested task: there is none to go back to. */
static void iret_nt(const struct attack *a)
{
	(void)a;
	run(code_iret_nt, 0, 0, 0);
	say("%s", signal_name(seen.sig));
	run(code_popf, 0, 0, 0);
	say(", flags %x", seen.ax);
}

CODE(code_nt_call, "push $0x4202\n\tpopf\n\tmov $20, %eax\n\tint $0x80\n\t"
		   "pushf\n\tpop %ebx\n\tpush $0x202\n\tpopf");
/* VMI-3.6: the kernel's own IRET behind it. */
static void nt_in_kernel(const struct attack *a)
{
	(void)a;
	run(code_nt_call, 0, 0, 0);
	say_seen(code_nt_call);
	say(" pid %s, flags %x", seen.ax == (uint32_t)getpid() ? "right" :
	    "wrong", seen.bx);
}

CODE(code_df, "std\n\tmov $20, %eax\n\tint $0x80\n\tpushf\n\tpop %ebx\n\tcld");
static void df_in_kernel(const struct attack *a)
{
	(void)a;
	run(code_df, 0, 0, 0);
	say_seen(code_df);
	say(", flags %x", seen.bx & 0x400);
}

CODE(code_misaligned, "push $0x40202\n\tpopf\n\tmov 1(%esp), %eax\n\t"
		      "mov $20, %eax\n\tint $0x80");
static void alignment(const struct attack *a)
{
	(void)a;
	run(code_misaligned, 0, 0, 0);
	say_seen(code_misaligned);
}

/* ---- single steps ------------------------------------------------------- */

#define TF_ON	"push $0x302\n\tpopf\n\t"
#define TF_OFF	"\n\tpush $0x202\n\tpopf"
CODE(step_nops, TF_ON "nop\n\tnop\n\tnop\n\tnop" TF_OFF);
CODE(step_call, TF_ON "mov $20, %eax\n\tint $0x80\n\tnop\n\tmov $20, %eax\n\t"
		"int $0x80\n\tnop" TF_OFF);
CODE(step_pushf, TF_ON "pushf\n\tpop %eax\n\tpushf\n\tpop %ebx" TF_OFF);
CODE(step_ss, TF_ON "mov %ss, %eax\n\tmov %eax, %ss\n\tnop\n\tpush %ss\n\t"
	      "pop %ss\n\tnop" TF_OFF);
CODE(step_rep, TF_ON "mov %esp, %edi\n\tsub $64, %edi\n\tmov $5, %ecx\n\t"
	       "rep stosb" TF_OFF);
CODE(step_fault, TF_ON "nop\n\tmov 0, %eax" TF_OFF);
CODE(step_hv, TF_ON "nop\n\tint $0x82" TF_OFF);
CODE(step_int3, TF_ON "nop\n\tint3");
CODE(step_cpuid, TF_ON "cpuid\n\trdtsc\n\tnop" TF_OFF);

static void stepping(const struct attack *a)
{
	steps_left = 1000;
	seen.ip = (uint32_t)a->code;
	run(a->code, 0, 0, 0);
	steps_left = 0;
	say("%d steps, ", steps);
	say("%s %u/%x +%u, %x", signal_name(seen.sig), seen.trap, seen.error,
	    seen.ip - (uint32_t)a->code, digest);
}
#define STEPPING(name, gets)	{ #name, stepping, name, gets, 0 }

CODE(step_loop, TF_ON "mov $2000, %ecx\n1:\tdec %ecx\n\tjnz 1b" TF_OFF);
/* Steps and the clock at once: none is lost, none comes twice. */
static void step_clock(const struct attack *a)
{
	steps_left = 100000;
	alarms_left = 100000;
	clock_start();
	seen.ip = (uint32_t)step_loop;
	run(step_loop, 0, 0, 0);
	clock_stop();
	steps_left = 0;
	(void)a;
	say("%d steps, %x", steps, digest);
}

/* ---- stacks ------------------------------------------------------------- */

CODE(code_push, "mov %ebx, %esp\n\tpush %eax");
CODE(code_stack_int3, "mov %ebx, %esp\n\tint3");
CODE(code_stack_call, "mov %ebx, %esp\n\tmov $20, %eax\n\tint $0x80");
CODE(code_stack_spin, "mov %ebx, %esp\n1:\tjmp 1b");

static bool on_that_stack(const greg_t *gregs)
{
	return gregs[REG_ESP] == gregs[REG_EBX];
}

static void stacks(const struct attack *a)
{
	static const uint32_t at[] = {
		0, 1, 3, 4, 0xffffffff, 0xfffffffe, 0xfffffffc, 0xc0000000,
		0xc0000002, 0xc0001000, 0xfc000000, 0xfc000002, 0xfc010800,
		0x80000000,
	};

	alarm_counts = on_that_stack;
	for (size_t i = 0; i < sizeof(at) / sizeof(*at); i++) {
		if (a->code == code_stack_spin) {
			alarms_left = 1;
			clock_start();
		}
		run(a->code, at[i], 0, 0);
		clock_stop();
		if (a->code == code_push)
			say("%x: %s %u/%x at %x, ", at[i],
			    signal_name(seen.sig), seen.trap,
			    seen.error & ~0x10u, seen.address);
		else if (seen.sig != SIGALRM && seen.sig != SIGTRAP)
			say("%x: %s %u/%x, ", at[i], signal_name(seen.sig),
			    seen.trap, seen.error);
		if (seen.sp != at[i])
			say("esp %x for %x, ", seen.sp, at[i]);
	}
	say("end");
}

/* ---- the kernel's part of the space, and what is above it --------------- */

CODE(code_read, "mov (%ebx), %eax");
CODE(code_write, "mov %eax, (%ebx)");
CODE(code_rmw, "lock; orl $0, (%ebx)");
CODE(code_jump, "jmp *%ebx");
CODE(code_fxsave, "fxsave (%ebx)");
CODE(code_call, "mov $4, %eax\n\tmov %ebx, %ecx\n\tmov $1, %ebx\n\t"
		"mov $16, %edx\n\tint $0x80");

/* SDM Vol. 3, 4.7; Linux says that all of it is protected, so that a user does
 * not learn what is mapped there. */
static void kernel_space(const struct attack *a)
{
	static const uint32_t others[] = {
		0xbffffffe, 0xbfffffff, 0xfbfffffe, 0xfc000000, 0xfc000100,
		0xfc000202, 0xfc00fffe, 0xfc010000, 0xfc010004, 0xfc011000,
		0xfc200000, 0xfffff000, 0xfffffffc, 0xfffffffe, 0xffffffff,
	};
	unsigned int refused = 0, n = 0;

	for (uint32_t va = 0xc0000000; va >= 0xc0000000; n++) {
		uint32_t at = n < 15 ? others[n] : va;

		run(a->code, at, 0, 0);
		if (n >= 15)
			va += 0x7f000;
		if (a->code == code_call) {
			refused += seen.ax == (uint32_t)-EFAULT;
			continue;
		}
		refused += seen.sig == SIGSEGV && seen.trap == 14 &&
			   (seen.error & 4);
		digest_add(seen.sig);
		digest_add(seen.trap);
		digest_add(seen.error & ~0x10u);
		digest_add(seen.address);
		if (a->code == code_jump)
			digest_add(seen.ip);
	}
	say("%u of %u refused, %x", refused, n, digest);
}

/* ---- floating point ----------------------------------------------------- */

CODE(code_x87, "fninit\n\tpush $0x360\n\tfldcw (%esp)\n\tfldz\n\tfld1\n\t"
	       "fdivp\n\tfwait");
CODE(code_sse, "push $0x1d00\n\tldmxcsr (%esp)\n\txorps %xmm0, %xmm0\n\t"
	       "push $0x3f800000\n\tmovss (%esp), %xmm1\n\t"
	       "divss %xmm0, %xmm1");
CODE(code_mxcsr, "push $0xffff0000\n\tldmxcsr (%esp)");
CODE(code_fxrstor, "fxrstor 4(%ebx)");
CODE(code_movaps, "movaps 4(%ebx), %xmm0");

static void on_page(const struct attack *a)
{
	run(a->code, (uint32_t)map_at(0, PAGE, RWX), 0, 0);
	say_seen(a->code);
	say(" code %d", seen.code);
}
#define ON_PAGE(name, gets)	{ #name, on_page, code_##name, gets, 0 }

/* ---- the rest ----------------------------------------------------------- */

CODE(code_rdtsc_alone, "rdtsc");
static void tsc_forbidden(const struct attack *a)
{
	(void)a;
	if (prctl(PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0))
		say("prctl: errno %d", errno);
	run(code_rdtsc_alone, 0, 0, 0);
	say_seen(code_rdtsc_alone);
	prctl(PR_SET_TSC, PR_TSC_ENABLE, 0, 0, 0);
	run(code_rdtsc_alone, 0, 0, 0);
	say_seen(code_rdtsc_alone);
}

/* The kernel's page of code for users: there, and not to be written. */
static void vdso(const struct attack *a)
{
	uint32_t at = getauxval(AT_SYSINFO);
	uint32_t base = getauxval(AT_SYSINFO_EHDR);

	(void)a;
	if (!at || !base) {
		say("none");
		return;
	}
	run(code_write, base, 0, 0);
	say("%s %u/%x, ", signal_name(seen.sig), seen.trap, seen.error);
	say("mprotect %d, ", mprotect((void *)base, PAGE, RWX));
	run(code_write, base, 0, 0);
	say("%s, ", signal_name(seen.sig));
	munmap((void *)(base & -PAGE), PAGE);
	run((const void *)at, 0, 0, 0);
	say("%s %u/%x", signal_name(seen.sig), seen.trap, seen.error & ~0x10u);
}

#define ACCESS(name, gets)	{ "kernel_" #name, kernel_space, code_##name, \
				  gets, 0 }
const struct attack flow_attacks[] = {
	{ "flags_popf", flags, code_popf, NULL, 0 },
	{ "flags_popf16", flags, code_popf16, NULL, 0 },
	{ "flags_iret", flags, code_iret, NULL, 0 },
	ATTACK(iret_nt, "SEGV, flags 202"),
	ATTACK(nt_in_kernel, NULL),
	ATTACK(df_in_kernel, NULL),
	ATTACK(alignment, NULL),
	STEPPING(step_nops, NULL),
	STEPPING(step_call, NULL),
	STEPPING(step_pushf, NULL),
	STEPPING(step_ss, NULL),
	STEPPING(step_rep, NULL),
	STEPPING(step_fault, NULL),
	STEPPING(step_hv, NULL),
	STEPPING(step_int3, NULL),
	STEPPING(step_cpuid, NULL),
	ATTACK(step_clock, NULL),
	{ "stack_push", stacks, code_push, NULL, 0 },
	{ "stack_int3", stacks, code_stack_int3, "end", 0 },
	{ "stack_call", stacks, code_stack_call, "end", 0 },
	{ "stack_clock", stacks, code_stack_spin, "end", 0 },
	ACCESS(read, NULL),
	ACCESS(write, NULL),
	ACCESS(rmw, NULL),
	ACCESS(jump, NULL),
	ACCESS(fxsave, NULL),
	ACCESS(call, NULL),
	ON_PAGE(x87, NULL),
	ON_PAGE(sse, NULL),
	ON_PAGE(mxcsr, NULL),
	ON_PAGE(fxrstor, NULL),
	ON_PAGE(movaps, NULL),
	ATTACK(tsc_forbidden, "SEGV 13/0 +0, TRAP 3/0 +3"),
	ATTACK(vdso, NULL),
	ATTACKS_END
};

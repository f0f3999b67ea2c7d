// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where 64-bit user mode goes, and with what flags: single steps, stacks that
 * are none, addresses of the kernel, of the hypervisor and of nobody; XSAVE
 * areas. As hostile/flow.c.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/ucontext.h>

#include "hostile64.h"

/* ---- flags -------------------------------------------------------------- */

CODE(code_popf, "push %rbx\n\tpopfq\n\tpushfq\n\tpop %rax\n\t"
		"push $0x202\n\tpopfq");
CODE(code_popf16, "pushw %bx\n\tpopfw\n\tpushfq\n\tpop %rax\n\t"
		  "push $0x202\n\tpopfq");
CODE(code_iret, "mov %rsp, %rcx\n\tmov %ss, %eax\n\tpush %rax\n\tpush %rcx\n\t"
		"push %rbx\n\tmov %cs, %eax\n\tpush %rax\n\tpush $1f\n\tiretq\n"
		"1:\tpushfq\n\tpop %rax\n\tpush $0x202\n\tpopfq");
CODE32(code32_popf, "push %ebx\n\tpopf\n\tpushf\n\tpop %eax\n\t"
		"push $0x202\n\tpopf");
CODE32(code32_iret, "push %ebx\n\tpush %cs\n\tpush $1f\n\tiret\n"
		"1:\tpushf\n\tpop %eax\n\tpush $0x202\n\tpopf");

/* Each by itself, but TF; in 32-bit code also VM, which TCG's IRETD obeys. */
static void flags(const struct attack *a)
{
	for (uint32_t bit = 0; bit < 34; bit++) {
		reg_t value = bit < 32 ? 1u << bit : bit == 32 ?
			      0xffffffff & ~0x24100u : 1ull << 63;

		if (bit == 8 || (a->code == code32_iret && bit == 17) ||
		    (a->arg == 32 && bit == 33))
			continue;
		if (a->arg == 32)
			run32(a->code, value, 0, 0);
		else
			run(a->code, value, 0, 0);
		if (seen.sig != SIGTRAP)
			say("%u: %s, ", bit, signal_name(seen.sig));
		else if (seen.ax & ~(2u | value))
			say("%u: %lx, ", bit, seen.ax);
		digest_add(seen.ax);
	}
	say("%x", digest);
}

CODE(code_misaligned, "push $0x40202\n\tpopfq\n\tmov 1(%rsp), %eax\n\t"
		      "mov $39, %eax\n\tsyscall\n\tpush $0x202\n\tpopfq");
static void alignment(const struct attack *a)
{
	(void)a;
	run(code_misaligned, 0, 0, 0);
	say_seen(code_misaligned);
}

/* ---- single steps ------------------------------------------------------- */

#define TF_ON	"push $0x302\n\tpopfq\n\t"
#define TF_OFF	"\n\tpush $0x202\n\tpopfq"
CODE(step_nops, TF_ON "nop\n\tnop\n\tnop\n\tnop" TF_OFF);
CODE(step_syscall, TF_ON "mov $39, %eax\n\tsyscall\n\tnop\n\tmov $39, %eax\n\t"
		"syscall\n\tnop" TF_OFF);
CODE(step_int80, TF_ON "mov $20, %eax\n\tint $0x80\n\tnop\n\tmov $20, %eax\n\t"
		"int $0x80\n\tnop" TF_OFF);
CODE(step_mixed, TF_ON "mov $20, %eax\n\tint $0x80\n\tmov $39, %eax\n\t"
		"syscall\n\tmov $20, %eax\n\tint $0x80" TF_OFF);
CODE(step_pushf, TF_ON "pushfq\n\tpop %rax\n\tpushfq\n\tpop %rbx" TF_OFF);
CODE(step_ss, TF_ON "mov %ss, %eax\n\tmov %eax, %ss\n\tnop\n\tmov %eax, %ss\n\t"
	      "mov $39, %eax\n\tsyscall\n\tmov $0x2b, %ecx\n\tmov %ecx, %ss\n\t"
	      "nop" TF_OFF);
/* What MOV SS puts off comes behind it (CVE-2018-8897): at the first instruction
 * of a handler, at ring 0. */
CODE(step_ss_syscall, "mov $39, %eax\n\tmov %ss, %ecx\n\t" TF_ON
		      "mov %ecx, %ss\n\tsyscall\n\tnop" TF_OFF);
CODE(step_ss_int80, "mov $20, %eax\n\tmov %ss, %ecx\n\t" TF_ON
		    "mov %ecx, %ss\n\tint $0x80\n\tnop" TF_OFF);
CODE(step_ss_int3, "mov %ss, %ecx\n\t" TF_ON "mov %ecx, %ss\n\tint3");
CODE(step_ss_hv, "mov %ss, %ecx\n\t" TF_ON "mov %ecx, %ss\n\tint $0x82" TF_OFF);
CODE(step_rep, TF_ON "mov %rsp, %rdi\n\tsub $64, %rdi\n\tmov $5, %ecx\n\t"
	       "rep stosb" TF_OFF);
CODE(step_fault, TF_ON "nop\n\tmov 0, %eax" TF_OFF);
CODE(step_hv, TF_ON "nop\n\tint $0x82" TF_OFF);
CODE(step_int3, TF_ON "nop\n\tint3");
CODE(step_cpuid, TF_ON "cpuid\n\trdtsc\n\tnop" TF_OFF);
CODE(step_gs, TF_ON "rdgsbase %rax\n\twrgsbase %rax\n\tmov %gs, %eax\n\t"
	      "mov %eax, %gs" TF_OFF);
CODE(step_far, TF_ON "mov $low_stack + 0x3f00, %esp\n\tpush $0x23\n\t"
	       "push $1f\n\tlretq\n1:\n\t.code32\n\tnop\n\tmov $20, %eax\n\t"
	       "int $0x80\n\tnop\n\tljmp $0x33, $1f\n\t.code64\n1:\tnop" TF_OFF);

/* SYSENTER leaves TF on: the kernel's first steps are not the user's. */
CODE(step_sysenter, TF_ON "mov $-1, %eax\n\tmov $-1, %ebp\n\tsysenter" TF_OFF);
CODE(step_sysenter32, TF_ON "mov $low_stack + 0x3f00, %esp\n\tpush $0x23\n\t"
		      "push $1f\n\tlretq\n1:\n\t.code32\n\tmov $-1, %eax\n\t"
		      "mov $-1, %ebp\n\tsysenter\n\t.code64");

static void stepping(const struct attack *a)
{
	steps_left = 1000;
	seen.ip = (reg_t)a->code;
	run(a->code, 0, 0, 0);
	steps_left = 0;
	say("%d steps, ", steps);
	/* error codes of INT n: see each_int() */
	say("%s %u/%x +%lu, %x", signal_name(seen.sig), seen.trap,
	    seen.error & 7, seen.ip - (reg_t)a->code, digest);
}
#define STEPPING(name)	{ #name, stepping, name, NULL, 0 }

CODE(step_loop, TF_ON "mov $2000, %ecx\n1:\tdec %ecx\n\tjnz 1b" TF_OFF);
/* Steps and the clock at once: none is lost, none comes twice. */
static void step_clock(const struct attack *a)
{
	steps_left = 100000;
	alarms_left = 100000;
	clock_start();
	seen.ip = (reg_t)step_loop;
	run(step_loop, 0, 0, 0);
	clock_stop();
	steps_left = 0;
	(void)a;
	say("%d steps, %x", steps, digest);
}

/* ---- addresses ---------------------------------------------------------- */

CODE(code_read, "mov (%rbx), %rax");
CODE(code_write, "mov %rax, (%rbx)");
CODE(code_rmw, "lock; orl $0, (%rbx)");
CODE(code_jump, "jmp *%rbx");
CODE(code_ret, "push %rbx\n\tret");
CODE(code_iretq, "mov %rsp, %rcx\n\tpush $0x2b\n\tpush %rcx\n\tpush $0x202\n\t"
		 "push $0x33\n\tpush %rbx\n\tiretq");
CODE(code_lret, "push $0x33\n\tpush %rbx\n\tlretq");
CODE(code_fxsave, "fxsave64 (%rbx)");
CODE(code_xsave, "mov $-1, %eax\n\tcdq\n\txsave64 (%rbx)");
CODE(code_xrstor, "mov $-1, %eax\n\tcdq\n\txrstor64 (%rbx)");
CODE(code_clflush, "clflush (%rbx)");
CODE(code_prefetch, "prefetcht0 (%rbx)\n\tprefetchw (%rbx)\n\t"
		    "prefetchnta (%rbx)");
CODE(code_push, "mov %rbx, %rsp\n\tpush %rax");
CODE(code_pop, "mov %rbx, %rsp\n\tpop %rax");
CODE(code_call, "mov %rbx, %rsp\n\tcall 1f\n1:\tnop");
CODE(code_stack_read, "mov %rbx, %rbp\n\tmov (%rbp), %rax");
CODE(code_movs, "mov %rbx, %rdi\n\tmov %rsp, %rsi\n\tmov $2, %ecx\n\t"
		"rep movsq");
CODE(code_fs, "wrfsbase %rbx\n\tmov %fs:0, %rax");
CODE(code_gs, "mov %gs:(%rbx), %rax");
CODE(code_cmpxchg16b, "and $-16, %rbx\n\tmov %rbx, %rsi\n\tcmpxchg16b (%rsi)");

static void access_one(const struct attack *a, uint64_t at)
{
	run(a->code, at, 0, 0);
	digest_seen(a->code);
}

/* Not a byte of them. Linux says of all in the upper half that it is protected,
 * so that nobody learns what is mapped there; what is not canonical is #GP, or on
 * the stack #SS. */
static void addresses(const struct attack *a)
{
	uint32_t refused = 0, n = 0;

	for (; n < foreign_count; n++) {
		access_one(a, foreign[n]);
		refused += seen.sig == SIGSEGV || seen.sig == SIGBUS;
	}
	say("%u of %u refused, %x", refused, n, digest);
	/* each top-level entry of the upper half, and some of the hole */
	refused = 0;
	for (n = 0; n < 256; n++) {
		uint64_t at = 0xffff800000000000ull + ((uint64_t)n << 39) +
			      n * 0x2003018ull;

		access_one(a, n % 8 == 5 ? at & 0x3fffffffffffffff : at);
		refused += seen.sig == SIGSEGV || seen.sig == SIGBUS;
	}
	say(", %u, %x", refused, digest);
}

/* All pages of what the hypervisor has in the guest's tables. */
static void hypervisor_pages(const struct attack *a)
{
	uint32_t refused = 0;

	for (uint32_t page = 0; page < 544; page++) {
		uint64_t at = page < 32 ? TRAMPOLINE + page * PAGE :
			      0xffffffffffe00000 + (page - 32ull) * PAGE;

		access_one(a, at + page * 8);
		/* the vsyscall page may be run */
		refused += seen.sig == SIGSEGV && seen.trap == 14 &&
			   (seen.error & 4) && seen.address == at + page * 8;
	}
	say("%u refused, %x", refused, digest);
}

/* ---- stacks ------------------------------------------------------------- */

CODE(code_stack_int3, "mov %rbx, %rsp\n\tint3");
CODE(code_stack_ud2, "mov %rbx, %rsp\n\tud2");
CODE(code_stack_spin, "mov %rbx, %rsp\n1:\tjmp 1b");

static bool on_that_stack(const greg_t *gregs)
{
	return gregs[REG_RSP] == gregs[REG_RBX];
}

static void stacks(const struct attack *a)
{
	alarm_counts = on_that_stack;
	for (uint32_t i = 0; i < foreign_count; i++) {
		if (a->code == code_stack_spin) {
			alarms_left = 1;
			clock_start();
		}
		run(a->code, foreign[i], 0, 0);
		clock_stop();
		if (seen.sig != SIGALRM && seen.sig != SIGTRAP &&
		    seen.sig != SIGILL)
			say("%lx: %s %u/%x, ", foreign[i],
			    signal_name(seen.sig), seen.trap, seen.error);
		if (seen.sp != foreign[i])
			say("sp %lx for %lx, ", seen.sp, foreign[i]);
	}
	say("end");
}

/* ---- XSAVE areas -------------------------------------------------------- */

static uint8_t xsave_area[PAGE] __attribute__((aligned(64)));
CODE(code_xrstor_low, "mov $7, %eax\n\tcdq\n\txrstor64 (%rbx)");
CODE(code_fxrstor, "fxrstor64 (%rbx)");

/* Headers (SDM Vol. 1, 13.4.2), MXCSR and alignment that are wrong, by XRSTOR. */
static void xsave_headers(const struct attack *a)
{
	static const struct { uint16_t at; uint64_t value; } noise[] = {
		{ 512, 0 }, { 512, 1 }, { 512, 3 }, { 512, 8 }, { 512, 1 << 9 },
		{ 512, 1ull << 63 }, { 512, ~0ull }, { 520, 1 },
		{ 520, 1ull << 63 }, { 520, ~0ull }, { 528, 1 }, { 536, 1 },
		{ 568, 1ull << 63 }, { 24, 0xffffffff }, { 24, 0x10000 },
		{ 24, 0x1f80 }, { 464, ~0ull }, { 0, ~0ull },
	};

	for (size_t i = 0; i < sizeof(noise) / sizeof(*noise); i++) {
		memset(xsave_area, 0, sizeof(xsave_area));
		memcpy(xsave_area + noise[i].at, &noise[i].value, 8);
		run(a->code, (reg_t)xsave_area, 0, 0);
		say("%s%s %u/%x", i ? ", " : "", signal_name(seen.sig),
		    seen.trap, seen.error);
	}
	run(a->code, (reg_t)xsave_area + 8, 0, 0);
	say(", %s %u/%x", signal_name(seen.sig), seen.trap, seen.error);
}

/* ---- floating point ----------------------------------------------------- */

CODE(code_x87, "fninit\n\tpush $0x360\n\tfldcw (%rsp)\n\tfldz\n\tfld1\n\t"
	       "fdivp\n\tfwait");
CODE(code_sse, "push $0x1d00\n\tldmxcsr (%rsp)\n\txorps %xmm0, %xmm0\n\t"
	       "push $0x3f800000\n\tmovss (%rsp), %xmm1\n\t"
	       "divss %xmm0, %xmm1");
CODE(code_mxcsr, "push $-65536\n\tldmxcsr (%rsp)");

static void floating(const struct attack *a)
{
	run(a->code, 0, 0, 0);
	say_seen(a->code);
	say(" code %d", seen.code);
}

/* ---- pages of the kernel's for users ------------------------------------- */

static void vdso(const struct attack *a)
{
	uint64_t base = getauxval(AT_SYSINFO_EHDR);

	(void)a;
	if (!base) {
		say("none");
		return;
	}
	run(code_write, base, 0, 0);
	say("%s %u/%x, ", signal_name(seen.sig), seen.trap, seen.error);
	say("mprotect %d, ", mprotect((void *)base, PAGE, RWX));
	run(code_write, base, 0, 0);
	say("%s", signal_name(seen.sig));
}

CODE(code_vsyscall, "mov $0xffffffffff600000, %rax\n\tadd %rbx, %rax\n\t"
		    "xor %edi, %edi\n\txor %esi, %esi\n\tcall *%rax");
static void vsyscall(const struct attack *a)
{
	(void)a;
	for (uint32_t at = 0; at < PAGE; at += 0x200) {
		run(code_vsyscall, at, 0, 0);
		say("%s %u/%x, ", signal_name(seen.sig), seen.trap,
		    seen.error & ~0x10u);
	}
	say("end");
}

#define ACCESS(name)	{ "address_" #name, addresses, code_##name, NULL, 0 }
#define PAGES(name)	{ "pages_" #name, hypervisor_pages, code_##name, \
			  NULL, 0 }
const struct attack flow_attacks[] = {
	{ "flags_popf", flags, code_popf, NULL, 0 },
	{ "flags_popf16", flags, code_popf16, NULL, 0 },
	{ "flags_iret", flags, code_iret, NULL, 0 },
	{ "flags32_popf", flags, code32_popf, NULL, 32 },
	{ "flags32_iret", flags, code32_iret, NULL, 32 },
	ATTACK(alignment, NULL),
	STEPPING(step_nops),
	STEPPING(step_syscall),
	STEPPING(step_int80),
	STEPPING(step_mixed),
	STEPPING(step_pushf),
	STEPPING(step_ss),
	STEPPING(step_ss_syscall),
	STEPPING(step_ss_int80),
	STEPPING(step_ss_int3),
	STEPPING(step_ss_hv),
	STEPPING(step_rep),
	STEPPING(step_fault),
	STEPPING(step_hv),
	STEPPING(step_int3),
	STEPPING(step_cpuid),
	STEPPING(step_gs),
	STEPPING(step_far),
	STEPPING(step_sysenter),
	STEPPING(step_sysenter32),
	ATTACK(step_clock, NULL),
	ACCESS(read),
	ACCESS(write),
	ACCESS(rmw),
	ACCESS(jump),
	ACCESS(ret),
	ACCESS(iretq),
	ACCESS(lret),
	ACCESS(fxsave),
	ACCESS(xsave),
	ACCESS(xrstor),
	ACCESS(clflush),
	ACCESS(prefetch),
	ACCESS(push),
	ACCESS(pop),
	ACCESS(call),
	ACCESS(stack_read),
	ACCESS(movs),
	ACCESS(fs),
	ACCESS(gs),
	ACCESS(cmpxchg16b),
	PAGES(read),
	PAGES(write),
	PAGES(jump),
	{ "stack_int3", stacks, code_stack_int3, "end", 0 },
	{ "stack_ud2", stacks, code_stack_ud2, "end", 0 },
	{ "stack_clock", stacks, code_stack_spin, "end", 0 },
	{ "xrstor_headers", xsave_headers, code_xrstor_low, NULL, 0 },
	{ "fxrstor_noise", xsave_headers, code_fxrstor, NULL, 0 },
	{ "x87", floating, code_x87, NULL, 0 },
	{ "sse", floating, code_sse, NULL, 0 },
	{ "mxcsr", floating, code_mxcsr, NULL, 0 },
	ATTACK(vdso, NULL),
	ATTACK(vsyscall, NULL),
	ATTACKS_END
};

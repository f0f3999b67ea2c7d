// SPDX-License-Identifier: GPL-2.0-only
/*
 * Selectors of every kind from 64-bit and from 32-bit code, what instructions
 * tell of them, and an LDT of the process's own. As hostile/segments.c.
 */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/ucontext.h>

#include "hostile64.h"

/* ---- every selector ----------------------------------------------------- */

CODE(sel_ljmp, "push $1f\n\tmov %bx, 4(%rsp)\n\tljmpl *(%rsp)\n1:\tnop");
CODE(sel_ljmpq, "push %rbx\n\tpush $1f\n\trex.w ljmp *(%rsp)\n1:\tnop");
/* For TCG operands of 32 bits mean 32 bits of RSP, too. */
CODE(sel_lcall, "mov $low_stack + 0x3f00, %esp\n\tpush $1f\n\tmov %bx, 4(%rsp)\n\tlcalll *(%rsp)\n1:\tnop");
CODE(sel_lret, "push %rbx\n\tpush $1f\n\tlretq\n1:\tnop");
CODE(sel_lret32, "mov $low_stack + 0x3f00, %esp\n\tmov %ebx, 4(%rsp)\n\tmovl $1f, (%rsp)\n\t"
		 "lretl\n1:\tnop");
CODE(sel_iret, "mov %rsp, %rcx\n\tpush $0x2b\n\tpush %rcx\n\tpush $0x202\n\t"
	       "push %rbx\n\tpush $1f\n\tiretq\n1:\tnop");
CODE(sel_iret_ss, "mov %rsp, %rcx\n\tpush %rbx\n\tpush %rcx\n\tpush $0x202\n\t"
		  "push $0x33\n\tpush $1f\n\tiretq\n1:\tnop");
CODE(sel_ds, "mov %ebx, %ds");
CODE(sel_es, "mov %ebx, %es");
CODE(sel_fs, "mov %ebx, %fs");
CODE(sel_gs, "mov %ebx, %gs");
CODE(sel_ss, "mov %ebx, %ss");
CODE(sel_pop_fs, "push %rbx\n\tpopq %fs");
CODE(sel_lss, "push %rbx\n\tmov %ebx, 4(%rsp)\n\tlss (%rsp), %ecx");
CODE(sel_lgs, "push %rbx\n\tmov %ebx, 4(%rsp)\n\tlgs (%rsp), %ecx");
CODE32(sel32_ljmp, "push %ebx\n\tpush $1f\n\tljmp *(%esp)\n1:\tnop");
CODE32(sel32_lcall, "push %ebx\n\tpush $1f\n\tlcall *(%esp)\n1:\tnop");
CODE32(sel32_lret, "push %ebx\n\tpush $1f\n\tlret\n1:\tnop");
CODE32(sel32_iret, "push $0x202\n\tpush %ebx\n\tpush $1f\n\tiret\n1:\tnop");
CODE32(sel32_ds, "mov %ebx, %ds");
CODE32(sel32_fs, "mov %ebx, %fs");
CODE32(sel32_ss, "mov %ebx, %ss");
CODE32(sel32_lss, "push %ebx\n\tpush %esp\n\tlss (%esp), %esp");

/* All that a table of the guest's or of the hypervisor's has, and a part of the
 * rest. What is not the user's is #GP of the selector, or #NP or #SS of nothing that
 * there is. */
static void selectors(const struct attack *a)
{
	for (uint32_t sel = 0; sel < 0x10000;
	     sel += sel < 0xa0 || (sel >= 0xff8 && sel < 0x1040) ? 1 : 235) {
		if (a->arg == 32)
			run32(a->code, sel, 0, 0);
		else
			run(a->code, sel, 0, 0);
		if (seen.sig == SIGSEGV && seen.trap == 13 &&
		    seen.error == (sel & 0xfffc))
			continue;
		say("%x: %s %u/%x %x", sel, signal_name(seen.sig), seen.trap,
		    seen.error, seen.ss);
		if (seen.cs != USER_CS)
			say(" cs %x", seen.cs);
		say(", ");
		digest_add(seen.ip - (reg_t)a->code);
		digest_add(seen.ds | seen.es << 16);
		digest_add(seen.fs | seen.gs << 16);
	}
	say("%x", digest);
}

/* ---- what is told of them ------------------------------------------------ */

#define TELL(name, insn)						\
static bool name(uint32_t sel, uint32_t *value)				\
{									\
	uint64_t out = 0;						\
	bool good;							\
									\
	__asm__ volatile(insn : "+r"(out), "=@ccz"(good) : "r"(sel));	\
	*value = (uint32_t)out;						\
	return good;							\
}
TELL(tell_lar, "lar %2, %k0")
TELL(tell_lsl, "lsl %2, %k0")
TELL(tell_verr, "verr %w2")
TELL(tell_verw, "verw %w2")

/* Of each there is: what says it may be had. */
static void told(const struct attack *a)
{
	static bool (*const tell[])(uint32_t, uint32_t *) = {
		tell_lar, tell_lsl, tell_verr, tell_verw,
	};
	uint32_t value;

	for (uint32_t sel = 0; sel < 0x10000; sel++)
		if (tell[a->arg](sel, &value) && (sel & 3) != 2)
			say("%x: %x, ", sel, value);
	say("end");
}

/* ---- descriptors of the process's own ------------------------------------ */

static int ldt(const struct user_desc *d)
{
	return (int)syscall(SYS_modify_ldt, 0x11, d, sizeof(*d)) ? -errno : 0;
}

CODE(code_far, "ljmpl *far_to");
extern struct far_pointer { uint32_t offset; uint16_t selector; } far_to;
struct far_pointer far_to;
static const uint8_t at_far[] __attribute__((aligned(16))) = {
	0xb8, 20, 0, 0, 0,	/* mov eax, getpid */
	0xcd, 0x80,		/* int 80h */
	0xcc,
};

/* Every one that there may be: what modify_ldt says, what is there then, and what
 * it is good for as a segment of data and as one of code. */
static void descriptors(const struct attack *a)
{
	uint32_t lar, lsl, refused = 0;

	mprotect((void *)((uintptr_t)at_far & -PAGE), PAGE, PROT_READ |
		 PROT_EXEC);
	for (uint32_t bits = 0; bits < 256; bits++) {
		struct user_desc d = {
			.entry_number = 1,
			.limit = bits & 16 ? 0xfffff : 0xfff, .seg_32bit = bits,
			.contents = bits >> 1, .read_exec_only = bits >> 3,
			.limit_in_pages = bits >> 4,
			.seg_not_present = bits >> 5, .useable = bits >> 6,
			.lm = bits >> 7,
		};
		int error = ldt(&d);

		digest_add(error);
		refused += error != 0;
		/* conforming code, which is absent then: not to be had */
		if (error || d.contents == 3)
			continue;
		lar = lsl = 0;
		digest_add(tell_lar(LDT(1), &lar));
		digest_add(lar & ~0x100u);		/* accessed */
		digest_add(tell_lsl(LDT(1), &lsl));
		digest_add(lsl);
		far_to.offset = (uint32_t)(uintptr_t)at_far;
		far_to.selector = LDT(1);
		run(code_far, 0, 0, 0);
		digest_seen(code_far);
		run(sel_fs, LDT(1), 0, 0);
		digest_seen(sel_fs);
		run(sel_ss, LDT(1), 0, 0);
		digest_seen(sel_ss);
	}
	(void)a;
	say("%u refused, %x", refused, digest);
}

CODE(code_fs_base, "mov %edx, %fs\n\tmov %fs:(%rcx), %rax");
CODE(code_gs_base, "mov %edx, %gs\n\tmov %gs:(%rcx), %rax");
/* FS and GS have the base of the descriptor, the others none. */
static void bases(const struct attack *a)
{
	static const uint64_t word = 0x600df00d600df00d;
	uint64_t at = (uint64_t)&word;

	for (uint32_t i = 0; i < 6; i++) {
		const struct user_desc d = {
			.entry_number = 1, .base_addr = i < 3 ? at & ~0xfffu :
						0xfffff000,
			.limit = i % 3 == 1 ? 0 : 0xfffff, .seg_32bit = 1,
			.limit_in_pages = 1,
		};

		ldt(&d);
		run(a->code, 0, i < 3 ? at & 0xfff : i % 3 == 2 ?
		    0xffffffff00000000 : at + PAGE, LDT(1));
		say("%s %u/%x at %lx %s, ", signal_name(seen.sig), seen.trap,
		    seen.error, seen.address, seen.ax == word ? "word" : "");
	}
	say("end");
}

#define MODIFY	"mov $154, %eax\n\tmov $0x11, %edi\n\tmov %rbx, %rsi\n\t" \
		"mov $16, %edx\n\tsyscall\n\t"
CODE(code_lose_fs, "mov %edx, %fs\n\t" MODIFY "mov %fs:(%rbx), %eax");
CODE(code_lose_gs, "mov %edx, %gs\n\t" MODIFY "mov %gs:(%rbx), %eax");
CODE(code_lose_ds, "mov %edx, %ds\n\t" MODIFY "mov (%rbx), %eax");
CODE(code_lose_ss, "mov %edx, %ss\n\t" MODIFY "push %rax\n\tpop %rax");

/* Descriptors that go while they are in use. */
static void lose(const struct attack *a)
{
	static const struct user_desc whole = {
		.entry_number = 2, .limit = 0xfffff, .limit_in_pages = 1,
		.seg_32bit = 1,
	}, kinds[] = {
		{ .entry_number = 2, .read_exec_only = 1,
		  .seg_not_present = 1 },
		{ .entry_number = 2, .limit = 0xfffff, .limit_in_pages = 1,
		  .seg_32bit = 1, .contents = 2 },
		{ .entry_number = 2, .limit = 0xfffff, .limit_in_pages = 1,
		  .seg_32bit = 1, .read_exec_only = 1 },
		{ .entry_number = 2, .limit = 0xfffff, .limit_in_pages = 1,
		  .seg_32bit = 1, .seg_not_present = 1 },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		ldt(&whole);
		run(a->code, (reg_t)&kinds[i], 0, LDT(2));
		say("%s%s %u/%x +%lu", i ? ", " : "", signal_name(seen.sig),
		    seen.trap, seen.error, seen.ip - (reg_t)a->code);
	}
}

/* inc ecx; jmp to the first byte: the end of a segment of the LDT, in 32-bit code,
 * with the clock ticking. */
static bool in_ldt_code(const greg_t *gregs)
{
	return (gregs[REG_CSGSFS] & 0xffff) == LDT(1);
}

static void end_clock(const struct attack *a)
{
	static const uint8_t spin[] = { 0x41, 0xeb, 0xfd };
	uint8_t *page = map_at(0x30000000, 2 * PAGE, RWX);
	const struct user_desc d = {
		.entry_number = 1,
		.base_addr = (uint32_t)(uintptr_t)page + a->arg,
		.limit = sizeof(spin) - 1, .seg_32bit = 1, .contents = 2,
	};

	memset(page, 0xf4, 2 * PAGE);
	memcpy(page + a->arg, spin, sizeof(spin));
	far_to.offset = 0;
	far_to.selector = LDT(1);
	say("%d ", ldt(&d));
	alarm_counts = in_ldt_code;
	alarms_left = 10;
	clock_start();
	run(code_far, 0, 0, 0);
	clock_stop();
	say("%s cs %x %s", signal_name(seen.sig), seen.cs,
	    seen.ip < 3 && seen.cx ? "at its end" : "elsewhere");
}

#define SELECTORS(name)	{ "selector_" #name, selectors, sel_##name, NULL, 0 }
#define SELECTORS32(name) { "selector32_" #name, selectors, sel32_##name, \
			    NULL, 32 }
#define LOSE(name)	{ #name, lose, code_##name, NULL, 0 }
const struct attack segment_attacks[] = {
	SELECTORS(ljmp),
	SELECTORS(ljmpq),
	SELECTORS(lcall),
	SELECTORS(lret),
	SELECTORS(lret32),
	SELECTORS(iret),
	SELECTORS(iret_ss),
	SELECTORS(ds),
	SELECTORS(es),
	SELECTORS(fs),
	SELECTORS(gs),
	SELECTORS(ss),
	SELECTORS(pop_fs),
	SELECTORS(lss),
	SELECTORS(lgs),
	SELECTORS32(ljmp),
	SELECTORS32(lcall),
	SELECTORS32(lret),
	SELECTORS32(iret),
	SELECTORS32(ds),
	SELECTORS32(fs),
	SELECTORS32(ss),
	SELECTORS32(lss),
	ATTACK_ARG("told_lar", told, 0, NULL),
	ATTACK_ARG("told_lsl", told, 1, NULL),
	ATTACK_ARG("told_verr", told, 2, NULL),
	ATTACK_ARG("told_verw", told, 3, NULL),
	ATTACK(descriptors, NULL),
	{ "base_fs", bases, code_fs_base, NULL, 0 },
	{ "base_gs", bases, code_gs_base, NULL, 0 },
	LOSE(lose_fs),
	LOSE(lose_gs),
	LOSE(lose_ds),
	LOSE(lose_ss),
	ATTACK_ARG("end_clock", end_clock, 100, NULL),
	ATTACK_ARG("end_clock_page", end_clock, PAGE - 3, NULL),
	ATTACKS_END
};

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Selectors of every kind, and an LDT of the user's own: code that ends where
 * its segment does, with the clock ticking; segments of 16 bits; descriptors
 * that go while they are in use.
 */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/ucontext.h>

#include "hostile.h"

/* ---- every selector ----------------------------------------------------- */

CODE(sel_jump, "push %ebx\n\tpush $1f\n\tljmp *(%esp)\n1:\tnop");
CODE(sel_call, "push %ebx\n\tpush $1f\n\tlcall *(%esp)\n1:\tnop");
CODE(sel_retf, "push %ebx\n\tpush $1f\n\tlret\n1:\tnop");
CODE(sel_iret, "push $0x202\n\tpush %ebx\n\tpush $1f\n\tiret\n1:\tnop");
CODE(sel_ds, "mov %ebx, %ds");
CODE(sel_es, "mov %ebx, %es");
CODE(sel_fs, "mov %ebx, %fs");
CODE(sel_gs, "mov %ebx, %gs");
CODE(sel_ss, "mov %ebx, %ss");
CODE(sel_lss, "push %ebx\n\tpush %esp\n\tlss (%esp), %esp");
CODE(sel_lar, "xor %eax, %eax\n\tlar %ebx, %eax\n\tsetz %cl");
CODE(sel_lsl, "xor %eax, %eax\n\tlsl %ebx, %eax\n\tsetz %cl");
CODE(sel_verr, "xor %eax, %eax\n\tverr %bx\n\tsetz %cl");
CODE(sel_verw, "xor %eax, %eax\n\tverw %bx\n\tsetz %cl");

/* All that a table of ours or of the hypervisor's has, and a part of the rest.
 * What is not the user's is #GP of the selector. */
static void selectors(const struct attack *a)
{
	for (uint32_t sel = 0; sel < 0x10000;
	     sel += sel < 0x200 || (sel >= 0xff0 && sel < 0x1060) ? 1 : 61) {
		run(a->code, sel, 0, 0);
		if (seen.sig == SIGSEGV && seen.trap == 13 &&
		    seen.error == (sel & 0xfffc))
			continue;
		if (seen.sig == SIGTRAP && !(seen.ax | seen.cx))
			continue;	/* LAR and the like: not to be seen */
		say("%x: %s %u/%x %x %x, ", sel, signal_name(seen.sig),
		    seen.trap, seen.error, seen.ax, seen.cx);
	}
	say("end");
}

/* ---- the end of a small code segment ------------------------------------ */

/* inc ecx; jmp to the first byte: the last byte of its segment. Behind it HLT,
 * for machines that do not check limits. */
static const uint8_t spin[] = { 0x41, 0xeb, 0xfd };
/* Off its end. */
static const uint8_t off[] = { 0x90, 0x90, 0x90 };
/* A system call in its last bytes returns to behind it. */
static const uint8_t call[] = { 0xb8, 20, 0, 0, 0, 0xcd, 0x80 };
/* As does a trap. */
static const uint8_t trap[] = { 0x90, 0xcd, 0x03 };
static const uint8_t user_gate[] = { 0x90, 0xcd, 0x04 };
static const uint8_t int_refused[] = { 0x90, 0xcd, 0x21 };

static uint8_t *page;
extern struct far_pointer { uint32_t offset; uint16_t selector; } far_to;
struct far_pointer far_to;
CODE(code_far, "xor %ecx, %ecx\n\tljmp *far_to");

static bool in_ldt_code(const greg_t *gregs)
{
	return (gregs[REG_CS] & 0xffff) == LDT(0);
}

static bool on_ldt_stack(const greg_t *gregs)
{
	return (gregs[REG_SS] & 0xffff) == LDT(1);
}

/* To the LDT's segment n, at its first byte. */
static void run_in(unsigned int n)
{
	alarm_counts = in_ldt_code;
	far_to.offset = 0;
	far_to.selector = LDT(n);
	run(code_far, 0, 0, 0);
}

/* This code, ending with its segment. at: so that page and segment end
 * together, or not. */
static void place(const uint8_t *bytes, uint32_t length, uint32_t at, bool wide)
{
	int err;

	if (!page)
		page = map_at(0, 3 * PAGE, RWX);
	memset(page, 0xf4, 3 * PAGE);
	memcpy(page + at, bytes, length);
	err = ldt_set(0, (uint32_t)page + at, length - 1, CODE_EXEC, wide,
		      false);
	if (err)
		say("modify_ldt %d ", err);
}
#define PLACE(bytes, at)	place(bytes, sizeof(bytes), at, true)

static void small_code(const struct attack *a)
{
	const uint32_t at[] = { 0, 100, PAGE - a->arg };

	for (int i = 0; i < 3; i++) {
		place(a->code, a->arg, at[i], true);
		run_in(0);
		say("%s%s %u/%x +%u", i ? ", " : "", signal_name(seen.sig),
		    seen.trap, seen.error, seen.ip);
	}
}

/* The page behind the end is not there: it does not matter. */
static void small_code_hole(const struct attack *a)
{
	(void)a;
	PLACE(spin, PAGE - sizeof(spin));
	munmap(page + PAGE, PAGE);
	alarms_left = 20;
	clock_start();
	run_in(0);
	say_seen(0);
}

/* The kernel's clock, at one or the other instruction. */
static void small_code_clock(const struct attack *a)
{
	for (int wide = 0; wide < 2; wide++) {
		place(spin, sizeof(spin), a->arg, wide);
		alarms_left = 20;
		clock_start();
		run_in(0);
		clock_stop();
		say("%s%s cs %x %s", wide ? ", " : "", signal_name(seen.sig),
		    seen.cs, seen.ip < 3 && seen.cx ? "at its end" :
		    "elsewhere");
	}
}

/* System calls without end, at the end. */
static void small_code_calls(const struct attack *a)
{
	static const uint8_t code[] = {
		0xb8, 20, 0, 0, 0,		/* mov eax, getpid */
		0xcd, 0x80,			/* int 80h */
		0x41,				/* inc ecx */
		0xeb, 0xf6,			/* jmp to the first byte */
	};

	(void)a;
	PLACE(code, PAGE - sizeof(code));
	alarms_left = 10;
	clock_start();
	run_in(0);
	say("%s, %s", signal_name(seen.sig), seen.cx ? "it went on" : "not");
}

/* ---- stacks of 16 bits, of less than all, downwards --------------------- */

/* ESP is EBX, whose upper half is to stay: in ticks, page faults, calls. */
CODE(code_stack16,
     "mov %esp, %edi\n\tmov %ss, %esi\n\tmov %edx, %ss\n\tmov %ebx, %esp\n"
     "1:\tmov (%ecx), %eax\n\tadd $0x1000, %ecx\n\tcmp %ebx, %esp\n\tje 1b\n"
     "2:\tmov %esp, %eax\n\tmov %esi, %ss\n\tmov %edi, %esp");
CODE(code_stack16_call,
     "mov %esp, %edi\n\tmov %ss, %esi\n\tmov %edx, %ss\n\tmov %ebx, %esp\n"
     "1:\tmov $20, %eax\n\tint $0x80\n\tcmp %ebx, %esp\n\tjne 2f\n\t"
     "loop 1b\n2:\tmov %esp, %eax\n\tmov %esi, %ss\n\tmov %edi, %esp");

static void stack16(const struct attack *a)
{
	uint32_t top;

	page = map_at(0, 1024 * PAGE, RWX);
	top = 0x12345000;
	if (ldt_set(1, (uint32_t)page, 0xffff, DATA, false, false))
		say("modify_ldt failed ");
	if (a->code == code_stack16) {
		munmap(page + 1000 * PAGE, PAGE);
		alarms_left = 1 << 30;
		clock_start();
	}
	run(a->code, top, a->code == code_stack16 ? (uint32_t)page : 1000,
	    LDT(1));
	clock_stop();
	say("%s %u/%x ss %x esp %x eax %x", signal_name(seen.sig), seen.trap,
	    seen.error, seen.ss,
	    seen.ss == LDT(1) ? seen.sp : 0,
	    seen.sig == SIGTRAP ? seen.ax : 0);
}

CODE(code_on_ss, "mov %edx, %ss\n\tmov %ebx, %esp\n\tpush %eax\n"
		 "1:\tinc %eax\n\tpush %eax\n\tpop %ecx\n\tcmp %eax, %ecx\n\t"
		 "je 1b");
/* An expand-down stack of 32 bits, and one with a small limit. */
static void odd_stack(const struct attack *a)
{
	page = map_at(0, 16 * PAGE, RWX);
	if (ldt_set(1, (uint32_t)page, 2 * PAGE - 1, (int)a->arg, true, false))
		say("modify_ldt failed ");
	alarm_counts = on_ldt_stack;
	alarms_left = 10;
	clock_start();
	run(code_on_ss, a->arg == DATA_DOWN ? 4 * PAGE : PAGE, 0, LDT(1));
	clock_stop();
	say("%s ss %x", signal_name(seen.sig), seen.ss);
}

/* ---- descriptors that go ------------------------------------------------ */

/* In EBX a user_desc: the entry of a register that is in use becomes this. */
#define MODIFY "mov $123, %eax\n\tmov $0x11, %ecx\n\txchg %ebx, %ecx\n\t" \
	       "mov $16, %edx\n\tint $0x80\n\t"
CODE(code_lose_ds, "mov %edx, %ds\n\t" MODIFY "mov (%ecx), %eax");
CODE(code_lose_es, "mov %edx, %es\n\t" MODIFY "mov %es:(%ecx), %eax");
CODE(code_lose_fs, "mov %edx, %fs\n\t" MODIFY "mov %fs:(%ecx), %eax");
CODE(code_lose_gs, "mov %edx, %gs\n\t" MODIFY "nop");
CODE(code_lose_ss, "mov %edx, %ss\n\t" MODIFY "nop");

static void lose(const struct attack *a)
{
	static const struct user_desc kinds[] = {
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
		ldt_set(2, 0, 0xfffff, DATA, true, true);
		run(a->code, (uint32_t)&kinds[i], 0, LDT(2));
		say("%s%s %u/%x +%u", i ? ", " : "", signal_name(seen.sig),
		    seen.trap, seen.error, seen.ip - (uint32_t)a->code);
	}
}

/* Its own code segment, from within it. */
CODE(code_lose_cs, "push %edx\n\tpush $1f\n\tlret\n1:\t" MODIFY "nop");
static void lose_cs(const struct attack *a)
{
	static const struct user_desc kinds[] = {
		{ .entry_number = 2, .read_exec_only = 1,
		  .seg_not_present = 1 },
		{ .entry_number = 2, .limit = 0xfffff, .limit_in_pages = 1,
		  .seg_32bit = 1 },
		{ .entry_number = 2, .limit = 0xfffff, .limit_in_pages = 1,
		  .seg_32bit = 1, .contents = 2, .seg_not_present = 1 },
		{ .entry_number = 2, .limit = 0xfffff, .limit_in_pages = 1,
		  .seg_32bit = 1, .contents = 2 },
	};

	(void)a;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		ldt_set(2, 0, 0xfffff, CODE_EXEC, true, true);
		run(code_lose_cs, (uint32_t)&kinds[i], 0, LDT(2));
		say("%s%s %u/%x +%u", i ? ", " : "", signal_name(seen.sig),
		    seen.trap, seen.error, seen.ip - (uint32_t)code_lose_cs);
	}
}

CODE(code_use, "mov %edx, %es\n\tmov %es:(%ecx), %eax");
/* Each entry of the largest table: set, used, gone. */
static void whole_ldt(const struct attack *a)
{
	static uint32_t word = 0x600df00d;
	unsigned int right = 0, refused = 0;

	(void)a;
	for (unsigned int n = 0; n < 8192; n += 511) {
		ldt_set(n, (uint32_t)&word - n, 0xfffff, DATA, true, true);
		run(code_use, 0, n, LDT(n));
		right += seen.sig == SIGTRAP && seen.ax == word;
		ldt_clear(n);
		run(code_use, 0, n, LDT(n));
		refused += seen.sig == SIGSEGV && seen.trap == 13 &&
			   seen.error == (LDT(n) & 0xfffc);
	}
	say("%u right, %u refused", right, refused);
}

CODE(code_get, "xor %ecx, %ecx\n\tlar %edx, %ecx\n\t"
	    "lsl %edx, %ebx\n\tnop");
/* What neither modify_ldt nor set_thread_area may make. */
static void bad_descriptors(const struct attack *a)
{
	uint32_t h = 0;

	(void)a;
	for (uint32_t bits = 0; bits < 128; bits++) {
		struct user_desc d = {
			.entry_number = 3, .base_addr = 0xc0000000,
			.limit = 0xfffff, .seg_32bit = bits,
			.contents = bits >> 1, .read_exec_only = bits >> 3,
			.limit_in_pages = bits >> 4,
			.seg_not_present = bits >> 5, .useable = bits >> 6,
		};
		h = h * 31 + (uint32_t)syscall(SYS_modify_ldt, 0x11, &d,
					       sizeof(d));
		run(code_get, 0, 0, LDT(3));
		if (d.contents != 3)	/* conforming code: not to be had */
			h = h * 31 + (seen.cx & ~0x100u);	/* accessed */
		d.entry_number = 6 + bits % 4;
		h = h * 31 + (uint32_t)syscall(SYS_set_thread_area, &d);
		run(code_get, 0, 0, 0x33 + bits % 3 * 8);
		h = h * 31 + (seen.cx & ~0x100u);
	}
	say("%x", h);
}

CODE(code_tls, "mov %edx, %gs\n\tmov %gs:(%ecx), %eax");
/* A TLS segment over the kernel's part, wrapping, downwards: paging decides. */
static void thread_areas(const struct attack *a)
{
	(void)a;
	for (unsigned int i = 0; i < 4; i++) {
		struct user_desc d = {
			.entry_number = 7, .limit = 0xfffff, .seg_32bit = 1,
			.limit_in_pages = 1, .contents = i >> 1,
			.base_addr = i & 1 ? 0xffffff00 : 0xc0000000,
		};

		syscall(SYS_set_thread_area, &d);
		run(code_tls, 0, i & 1 ? 0xfc010100 : 0x100, 0x3b);
		say("%s%s %u/%x", i ? ", " : "", signal_name(seen.sig),
		    seen.trap, seen.error);
	}
}

#define SELECTORS(name)	{ "selector_" #name, selectors, sel_##name, NULL, 0 }
#define SMALL(name, gets) { "end_" #name, small_code, name, gets, sizeof(name) }
#define LOSE(name, gets) { #name, lose, code_##name, gets, 0 }
const struct attack segment_attacks[] = {
	SELECTORS(jump),
	SELECTORS(call),
	SELECTORS(retf),
	SELECTORS(iret),
	SELECTORS(ds),
	SELECTORS(es),
	SELECTORS(fs),
	SELECTORS(gs),
	SELECTORS(ss),
	SELECTORS(lss),
	SELECTORS(lar),
	SELECTORS(lsl),
	SELECTORS(verr),
	SELECTORS(verw),
	SMALL(off, "SEGV 13/0 +3, SEGV 13/0 +3, SEGV 13/0 +3"),
	SMALL(call, NULL),	/* the kernel's IRET may be refused: trap 32 */
	SMALL(trap, "TRAP 3/0 +3, TRAP 3/0 +3, TRAP 3/0 +3"),
	SMALL(user_gate, "SEGV 4/0 +3, SEGV 4/0 +3, SEGV 4/0 +3"),
	SMALL(int_refused, "SEGV 13/10a +1, SEGV 13/10a +1, SEGV 13/10a +1"),
	ATTACK_ARG("end_clock", small_code_clock, 100,
		   "ALRM cs 7 at its end, ALRM cs 7 at its end"),
	ATTACK_ARG("end_clock_page", small_code_clock, PAGE - sizeof(spin),
		   "ALRM cs 7 at its end, ALRM cs 7 at its end"),
	ATTACK(small_code_hole, "ALRM"),
	ATTACK(small_code_calls, "ALRM, it went on"),
	{ "stack16", stack16, code_stack16, NULL, 0 },
	{ "stack16_call", stack16, code_stack16_call, NULL, 0 },
	ATTACK_ARG("stack_small", odd_stack, DATA, "ALRM ss f"),
	ATTACK_ARG("stack_down", odd_stack, DATA_DOWN, "ALRM ss f"),
	LOSE(lose_ds, NULL),
	LOSE(lose_es, NULL),
	LOSE(lose_fs, NULL),
	LOSE(lose_gs, NULL),
	LOSE(lose_ss, NULL),
	ATTACK(lose_cs, NULL),
	ATTACK(whole_ldt, "17 right, 17 refused"),
	ATTACK(bad_descriptors, NULL),
	ATTACK(thread_areas, NULL),
	ATTACKS_END
};

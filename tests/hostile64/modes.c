// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ways into the kernel, from 64-bit code and from 32-bit code of the same
 * process: SYSCALL, SYSENTER and INT 80h, with whatever there is in registers
 * that they do not preserve or that they do not look at.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "hostile64.h"

#define GETPID	"mov $39, %eax\n\t"
#define GETPID32 "mov $20, %eax\n\t"

static const char *pid_in(reg_t ax)
{
	return (uint32_t)ax == (uint32_t)getpid() ? "pid" : "no pid";
}

/* ---- one call ----------------------------------------------------------- */

#define RIGHT_R11 "pushfq\n\tpop %rbx\n\tcmp %rbx, %r11\n\tje 3f\n\tud2\n3:\t"
CODE(call_syscall, GETPID "movabs $0xffff878000000000, %rcx\n\t"
     "mov %rcx, %r11\n\tsyscall\n2:\tcmp $2b, %rcx\n\tje 1f\n\tud2\n1:\t"
     RIGHT_R11 "nop");
CODE(call_int80, GETPID32 "mov $-1, %rcx\n\tmov $-1, %r11\n\tint $0x80");
CODE(call_int80_high, "movabs $0xffff878000000014, %rax\n\tint $0x80");
CODE(call_syscall_high, "movabs $0xffff878000000027, %rax\n\tsyscall");
CODE(call_syscall_x32, "mov $0x40000027, %eax\n\tsyscall");
CODE(call_syscall_negative, "mov $-1, %rax\n\tsyscall");
CODE(call_syscall_66, GETPID ".byte 0x66\n\tsyscall");
CODE(call_syscall_rex, GETPID ".byte 0x48\n\tsyscall");
CODE(call_syscall_lock, GETPID ".byte 0xf0\n\tsyscall");
CODE32(call32_int80, GETPID32 "int $0x80");
CODE32(call32_syscall, GETPID32 "mov %esp, %ebp\n\tpush %ebp\n\tsyscall");
CODE32(call32_syscall_bad, GETPID32 "mov $-4, %ebp\n\tsyscall");
CODE32(call32_sysret, "sysret");
CODE32(call32_sysexit, "sysexit");
CODE32(call32_vmcall, "mov $-1, %eax\n\tvmcall");
CODE32(call32_swapgs, ".byte 0x0f, 0x01, 0xf8");

static void call(const struct attack *a)
{
	if (a->arg == 32)
		run32(a->code, 0, 0, 0);
	else
		run(a->code, 0, 0, 0);
	say_seen(a->code);
	if (seen.sig == SIGTRAP)
		say(", %s", (int64_t)seen.ax < 0 || (int32_t)seen.ax < 0 ?
		    "refused" : pid_in(seen.ax));
}

/* Linux returns from it to a place in the vDSO of 32 bits, which there is not;
 * this is where a process without one goes on. */
CODE(code_sysenter, "mov $-1, %eax\n\tmov $-1, %ebp\n\tsysenter");
CODE32(code_sysenter32, "mov $-1, %eax\n\tmov $-1, %ebp\n\tsysenter");
static void sysenter(const struct attack *a)
{
	if (a->arg == 32)
		run32(a->code, 0, 0, 0);
	else
		run(a->code, 0, 0, 0);
	say("%s %u/%x", signal_name(seen.sig), seen.trap, seen.error & ~0x10u);
}

/* ---- flags -------------------------------------------------------------- */

CODE(flags_syscall, GETPID "push %rbx\n\tpopfq\n\tsyscall\n\tpushfq\n\t"
     "pop %rbx\n\tpush $0x202\n\tpopfq");
CODE(flags_int80, GETPID32 "push %rbx\n\tpopfq\n\tint $0x80\n\tpushfq\n\t"
     "pop %rbx\n\tpush $0x202\n\tpopfq");
CODE32(flags32_int80, GETPID32 "push %ebx\n\tpopf\n\tint $0x80\n\tpushf\n\t"
     "pop %ebx\n\tpush $0x202\n\tpopf");

/* Each by itself, all, and none, but for TF; what of them is left behind it, and
 * what the kernel was told (R11). */
static void call_flags(const struct attack *a)
{
	for (uint32_t bit = 0; bit < 34; bit++) {
		uint32_t flags = bit < 32 ? 1u << bit : bit == 32 ? ~0x100u : 0;

		if (bit == 8)
			continue;
		if (a->arg == 32)
			run32(a->code, flags, 0, 0);
		else
			run(a->code, flags, 0, 0);
		if (seen.sig != SIGTRAP || seen.ax != (reg_t)getpid())
			say("%u: %s %u/%x, ", bit, signal_name(seen.sig),
			    seen.trap, seen.error);
		if ((seen.bx & ~(2u | 1ull << bit)) != 0x200)
			say("%u: %lx, ", bit, seen.bx);
		digest_add(seen.bx);
		if (a->code == flags_syscall)
			digest_add(seen.r11);
	}
	say("%x", digest);
}

/* ---- stacks ------------------------------------------------------------- */

CODE(stack_syscall, "mov %rbx, %rsp\n\t" GETPID "syscall\n\tnop");
CODE(stack_int80, "mov %rbx, %rsp\n\t" GETPID32 "int $0x80\n\tnop");

/* The stack of a call is nobody's business. */
static void call_stacks(const struct attack *a)
{
	for (uint32_t i = 0; i < foreign_count; i++) {
		run(a->code, foreign[i], 0, 0);
		if (seen.sig != SIGTRAP || seen.ax != (reg_t)getpid() ||
		    seen.sp != foreign[i])
			say("%lx: %s %u/%x sp %lx, ", foreign[i],
			    signal_name(seen.sig), seen.trap, seen.error,
			    seen.sp);
	}
	say("end");
}

/* ---- the end of the process's part --------------------------------------- */

#define TOP	0x00007ffffffff000ul	/* TASK_SIZE_MAX */

/* SYSCALL in the last two bytes that a process may have: it returns to where no
 * page is; and where the last page would be, and those behind it, are none to be
 * had. (SYSRET to what is not canonical faults at ring 0.) */
static void syscall_at_end(const struct attack *a)
{
	static const uint64_t at[] = { TOP, TOP + PAGE, TOP + 2 * PAGE,
				       1ull << 63, TRAMPOLINE };
	uint8_t *last = (uint8_t *)(TOP - PAGE);

	(void)a;
	for (size_t i = 0; i < sizeof(at) / sizeof(*at); i++)
		say("%d ", mmap((void *)at[i], PAGE, RWX, MAP_PRIVATE |
				MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED
				? errno : 0);
	say("%d ", mprotect(last, PAGE, RWX));
	for (uint32_t n = 2; n < 5; n++) {
		memset(last + PAGE - 5, 0x90, 5);
		memcpy(last + PAGE - n, n == 4 ? "\xcd\x80" : "\x0f\x05", 2);
		run(last + PAGE - n, 0, 0, 0);
		say(", %s %u/%x ip %lx at %lx", signal_name(seen.sig),
		    seen.trap, seen.error & ~0x10u, seen.ip, seen.address);
	}
}

CODE(code_arch_prctl, "mov $158, %eax\n\tmov %ecx, %edi\n\t"
     "mov %rbx, %rsi\n\tsyscall");
/* Bases of FS and GS, which are to lead nowhere, and buffers that are none. */
static void call_pointers(const struct attack *a)
{
	(void)a;
	for (uint32_t i = 0; i < foreign_count; i++) {
		uint64_t at = foreign[i];

		for (uint32_t n = 0x1001; n < 0x1005; n++) {
			run(code_arch_prctl, at, n, 0);
			digest_add(seen.ax);
		}
		digest_add(syscall(SYS_write, 1, at, PAGE) < 0 ? errno : 0);
		digest_add(syscall(SYS_uname, at) ? errno : 0);
		digest_add(syscall(SYS_modify_ldt, 0, at, 64) < 0 ? errno : 0);
		digest_add(mmap((void *)(at & -PAGE), PAGE, RWX, MAP_PRIVATE |
				MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED
			   ? errno : 0);
	}
	say("%x", digest);
}

#define CALL(name)	{ #name, call, name, NULL, 0 }
#define CALL32(name)	{ #name, call, name, NULL, 32 }
const struct attack mode_attacks[] = {
	{ "call_syscall", call, call_syscall, NULL, 0 },
	CALL(call_int80),
	CALL(call_int80_high),
	CALL(call_syscall_high),
	CALL(call_syscall_x32),
	CALL(call_syscall_negative),
	CALL(call_syscall_66),
	CALL(call_syscall_rex),
	CALL(call_syscall_lock),
	CALL32(call32_int80),
	CALL32(call32_syscall),
	CALL32(call32_syscall_bad),
	CALL32(call32_sysret),
	CALL32(call32_sysexit),
	CALL32(call32_vmcall),
	CALL32(call32_swapgs),
	{ "sysenter", sysenter, code_sysenter, NULL, 0 },
	{ "sysenter32", sysenter, code_sysenter32, NULL, 32 },
	{ "flags_syscall", call_flags, flags_syscall, NULL, 0 },
	{ "flags_int80", call_flags, flags_int80, NULL, 0 },
	{ "flags32_int80", call_flags, flags32_int80, NULL, 32 },
	{ "stack_syscall", call_stacks, stack_syscall, "end", 0 },
	{ "stack_int80", call_stacks, stack_int80, "end", 0 },
	ATTACK(syscall_at_end, NULL),
	ATTACK(call_pointers, NULL),
	ATTACKS_END
};

// SPDX-License-Identifier: GPL-2.0-only
/* Register frames that a 64-bit process makes up, as hostile/frames.c: for
 * sigreturn of its own, and by ptrace for another. */
#define _GNU_SOURCE
#include <signal.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/ucontext.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "hostile64.h"

/* ---- sigreturn ---------------------------------------------------------- */

static int spoil_reg;
static uint64_t spoil_value, spoil_mask;

static void on_usr1(int sig, siginfo_t *info, void *context)
{
	ucontext_t *c = context;
	greg_t *r = c->uc_mcontext.gregs;

	(void)sig, (void)info;
	if (spoil_reg >= 0) {
		r[spoil_reg] = (r[spoil_reg] & ~spoil_mask) | spoil_value;
		return;
	}
	memcpy((uint8_t *)c->uc_mcontext.fpregs - spoil_reg - 1, &spoil_value,
	       8);
}

/* kill(getpid(), SIGUSR1) */
CODE(code_raise, "mov %ebx, %edi\n\tmov %ecx, %esi\n\tmov $62, %eax\n\t"
		 "syscall");

/* reg: a register; if it is negative, a place in the area of XSAVE. */
static void spoiled(int reg, uint64_t value, uint64_t mask)
{
	struct sigaction sa = { .sa_sigaction = on_usr1,
				.sa_flags = SA_SIGINFO | SA_ONSTACK };

	sigaction(SIGUSR1, &sa, NULL);
	spoil_reg = reg;
	spoil_value = value;
	spoil_mask = mask;
	run(code_raise, getpid(), SIGUSR1, 0);
}

static void sigreturn_segment(const struct attack *a)
{
	for (uint64_t sel = 0; sel < 0x2000;
	     sel += sel < 0xa0 || (sel >= 0xff8 && sel < 0x1040) ? 1 : 61) {
		spoiled(REG_CSGSFS, sel << a->arg, 0xffffull << a->arg);
		digest_add(seen.sig);
		digest_add(seen.trap);
		digest_add(seen.error);
		digest_add(seen.ip);
		digest_add(seen.cs | seen.ss << 16);
	}
	say("%x", digest);
}

static void sigreturn_reg(const struct attack *a)
{
	for (uint32_t i = 0; i < foreign_count; i++) {
		spoiled((int)a->arg, foreign[i], ~0ull);
		if (a->arg == REG_RIP) {
			digest_seen(0);
		} else if (seen.sig != SIGTRAP || seen.sp != foreign[i]) {
			say("%lx: %s %u/%x sp %lx, ", foreign[i],
			    signal_name(seen.sig), seen.trap, seen.error,
			    seen.sp);
		}
	}
	say("%x", digest);
}

/* What the kernel lets through is the same as by POPF. */
static void sigreturn_flags(const struct attack *a)
{
	for (uint32_t bit = 0; bit < 64; bit++) {
		if (bit == 8)
			continue;
		spoiled(REG_EFL, 1ull << bit, ~0ull);
		digest_add(seen.trap);
		digest_add(seen.flags);
		if (seen.flags & ~(0x202 | 1ull << bit))
			say("%u: %lx, ", bit, seen.flags);
	}
	spoiled(REG_EFL, ~0x100ull, ~0ull);
	(void)a;
	say("%u/%lx, %x", seen.trap, seen.flags, digest);
}

/* The area of the FPU: MXCSR, the software's and XSAVE's header. */
static void sigreturn_xsave(const struct attack *a)
{
	static const struct { int at; uint64_t value; } noise[] = {
		{ 24, ~0ull }, { 464, ~0ull }, { 464, 0 }, { 472, ~0ull },
		{ 480, ~0ull }, { 488, 1 }, { 512, ~0ull }, { 512, 1ull << 63 },
		{ 512, 1 << 9 }, { 520, ~0ull }, { 520, 1ull << 63 },
		{ 528, ~0ull }, { 0, ~0ull },
	};

	(void)a;
	for (size_t i = 0; i < sizeof(noise) / sizeof(*noise); i++) {
		spoiled(-noise[i].at - 1, noise[i].value, 0);
		say("%s%s %u/%x", i ? ", " : "", signal_name(seen.sig),
		    seen.trap, seen.error);
	}
}

/* ---- ptrace ------------------------------------------------------------- */

static volatile uint32_t watched[2];

static void __attribute__((noinline)) landmark(void)
{
	__asm__ volatile("nop");
}

static void __attribute__((noreturn)) tracee(void)
{
	ptrace(PTRACE_TRACEME, 0, 0, 0);
	syscall(SYS_kill, getpid(), SIGSTOP);
	watched[0] = 1;
	(void)watched[1];
	landmark();
	__asm__ volatile("mov $39, %%eax\n\tsyscall\n\tint3"
			 : : : "rax", "rcx", "r11", "memory");
	_exit(0);
}

static pid_t start_tracee(void)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		tracee();
	waitpid(pid, &status, 0);
	return pid;
}

static void end_tracee(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
}

static int poke(pid_t pid, size_t at, uint64_t value)
{
	return ptrace(PTRACE_POKEUSER, pid, at, value) ? errno : 0;
}

/* It goes on, or a step: what stopped it. */
static void digest_stop(pid_t pid, int how)
{
	struct user_regs_struct regs;
	siginfo_t info;
	int status;

	ptrace(how, pid, 0, 0);
	waitpid(pid, &status, 0);
	digest_add(status);
	if (!WIFSTOPPED(status))
		return;
	ptrace(PTRACE_GETSIGINFO, pid, 0, &info);
	digest_add(info.si_code);
	digest_add((reg_t)info.si_addr);
	digest_add((reg_t)info.si_addr >> 32);
	ptrace(PTRACE_GETREGS, pid, 0, &regs);
	digest_add(regs.rip);
	digest_add(regs.rip >> 32);
	digest_add(regs.rsp);
	digest_add(regs.eflags);
	digest_add(regs.cs | regs.ss << 16);
	digest_add(regs.fs_base);
	digest_add(regs.gs_base);
	digest_add(regs.gs_base >> 32);
}

#define USER_REG(name)	offsetof(struct user, regs.name)
#define DEBUG_REG(n)	(offsetof(struct user, u_debugreg) + (n) * 8)

/* Each register with each of these: it goes on, by steps, or with a debugger's
 * system call. */
static void poke_registers(const struct attack *a)
{
	static const size_t regs[] = {
		USER_REG(rip), USER_REG(rsp), USER_REG(eflags), USER_REG(cs),
		USER_REG(ss), USER_REG(ds), USER_REG(es), USER_REG(fs),
		USER_REG(gs), USER_REG(fs_base), USER_REG(gs_base),
		USER_REG(orig_rax), USER_REG(rax), USER_REG(rcx), USER_REG(r11),
		sizeof(struct user), 2,
	};
	static const uint64_t values[] = {
		0, 1, 3, 0x10, 0x11, 0x13, 0x23, 0x2b, 0x33, 0x63, 0x1003,
		0x1013, 0xffff, 0x800000000000, 0x7fffffffffff, TRAMPOLINE,
		0xffffffff81000000, 0xffffffffffe00100, 0x8000000000000000,
		0xfffffffffffffeff, 0x23000, 0x4202, 0x44602, 0x10202,
	};

	for (size_t i = 0; i < sizeof(regs) / sizeof(*regs); i++) {
		for (size_t j = 0; j < sizeof(values) / sizeof(*values); j++) {
			pid_t pid = start_tracee();

			digest_add(poke(pid, regs[i], values[j]));
			digest_stop(pid, (int)a->arg);
			end_tracee(pid);
		}
		say("%x ", digest);
	}
}

/* Local breakpoint n: what, 0 execution, 1 writes, 3 accesses; bytes less 1. */
#define DR7(n, what, len)	(1u << (n) * 2 | (what) << (16 + (n) * 4) | \
				 (len) << (18 + (n) * 4))

/* On what is not the process's: refused. */
static void debug_foreign(const struct attack *a)
{
	pid_t pid = start_tracee();

	(void)a;
	for (uint32_t i = 0; i < foreign_count; i++)
		for (uint32_t what = 0; what < 4; what += what == 1 ? 2 : 1) {
			digest_add(poke(pid, DEBUG_REG(i % 4), foreign[i]));
			digest_add(poke(pid, DEBUG_REG(7), DR7(i % 4, what,
						what ? 3u : 0)));
			poke(pid, DEBUG_REG(7), 0);
			poke(pid, DEBUG_REG(i % 4), 0);
		}
	for (uint32_t n = 0; n < 9; n++)
		say("%d ", poke(pid, DEBUG_REG(n), ~0ull));
	poke(pid, DEBUG_REG(7), 0);
	digest_stop(pid, PTRACE_CONT);
	say("%x", digest);
	end_tracee(pid);
}

/* On its own: each is told, once. */
static void debug_own(const struct attack *a)
{
	const struct {
		reg_t at;
		uint32_t what, len;
	} points[] = {
		{ (reg_t)&watched[0], 1, 3 },
		{ (reg_t)&watched[1], 3, 3 },
		{ (reg_t)landmark, 0, 0 },
	};

	(void)a;
	for (uint32_t i = 0; i < 12; i++) {
		pid_t pid = start_tracee();
		uint32_t n = i % 4;

		digest_add(poke(pid, DEBUG_REG(n), points[i / 4].at));
		digest_add(poke(pid, DEBUG_REG(7), DR7(n, points[i / 4].what,
						       points[i / 4].len)));
		digest_stop(pid, PTRACE_CONT);
		say("%lx ", ptrace(PTRACE_PEEKUSER, pid, DEBUG_REG(6), 0));
		digest_stop(pid, PTRACE_CONT);
		end_tracee(pid);
	}
	say("%x", digest);
}

/* A step of another process at a time, through system calls. */
static void single_step(const struct attack *a)
{
	pid_t pid = start_tracee();

	(void)a;
	for (int n = 0; n < 20; n++)
		digest_stop(pid, PTRACE_SINGLESTEP);
	end_tracee(pid);
	say("%x", digest);
}

const struct attack frame_attacks[] = {
	ATTACK_ARG("sigreturn_cs", sigreturn_segment, 0, NULL),
	ATTACK_ARG("sigreturn_gs", sigreturn_segment, 16, NULL),
	ATTACK_ARG("sigreturn_fs", sigreturn_segment, 32, NULL),
	ATTACK_ARG("sigreturn_ss", sigreturn_segment, 48, NULL),
	ATTACK_ARG("sigreturn_rip", sigreturn_reg, REG_RIP, NULL),
	ATTACK_ARG("sigreturn_rsp", sigreturn_reg, REG_RSP, NULL),
	ATTACK(sigreturn_flags, NULL),
	ATTACK(sigreturn_xsave, NULL),
	ATTACK_ARG("poke_registers", poke_registers, PTRACE_CONT, NULL),
	ATTACK_ARG("poke_and_step", poke_registers, PTRACE_SINGLESTEP, NULL),
	ATTACK(debug_foreign, NULL),
	ATTACK(debug_own, NULL),
	ATTACK(single_step, NULL),
	ATTACKS_END
};

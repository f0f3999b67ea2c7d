// SPDX-License-Identifier: GPL-2.0-only
/*
 * Register frames that a process makes up: for sigreturn of its own, and by
 * ptrace for another. The kernel's IRET may refuse them (trap 32, SIGILL), or
 * what they name faults; debug registers reach the user's addresses alone.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/ucontext.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "hostile.h"

/* ---- sigreturn ---------------------------------------------------------- */

static int spoil_reg;
static uint32_t spoil_value;

static void on_usr1(int sig, siginfo_t *info, void *context)
{
	greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;

	(void)sig, (void)info;
	r[spoil_reg] = spoil_value;
}

CODE(code_raise, "mov $37, %eax\n\tint $0x80");

static void spoiled(int reg, uint32_t value)
{
	struct sigaction sa = { .sa_sigaction = on_usr1,
				.sa_flags = SA_SIGINFO | SA_ONSTACK };

	sigaction(SIGUSR1, &sa, NULL);
	spoil_reg = reg;
	spoil_value = value;
	run(code_raise, getpid(), SIGUSR1, 0);
}

static void sigreturn_segment(const struct attack *a)
{
	for (uint32_t sel = 0; sel < 0x2000;
	     sel += sel < 0x200 || (sel >= 0xff0 && sel < 0x1060) ? 1 : 61) {
		spoiled((int)a->arg, sel);
		digest_add(seen.sig);
		digest_add(seen.trap);
		digest_add(seen.error);
		digest_add(seen.ip);
		if (seen.sig != SIGILL)
			continue;
		if (seen.trap != 32 || seen.error)
			say("%x: %u/%x, ", sel, seen.trap, seen.error);
	}
	say("%x", digest);
}

static void sigreturn_eip(const struct attack *a)
{
	static const uint32_t to[] = { 0, 0xc0000000, 0xc0100000, 0xfc000000,
				       0xfc000202, 0xfc010000, 0xffffffff };

	(void)a;
	for (size_t i = 0; i < sizeof(to) / sizeof(*to); i++) {
		spoiled(REG_EIP, to[i]);
		say("%s%s %u/%x %x", i ? ", " : "", signal_name(seen.sig),
		    seen.trap, seen.error & ~0x10u, seen.ip);
	}
}

/* What the kernel lets through is the same as by POPF. */
static void sigreturn_flags(const struct attack *a)
{
	(void)a;
	for (uint32_t bit = 0; bit < 32; bit++) {
		spoiled(REG_EFL, 1u << bit);
		say("%s%u/%x", bit ? ", " : "", seen.trap, seen.flags);
	}
	spoiled(REG_EFL, 0xffffffff & ~0x100u);
	say(", %u/%x", seen.trap, seen.flags);
}

/* ---- ptrace ------------------------------------------------------------- */

static volatile uint32_t watched[2];

static void __attribute__((noinline)) landmark(void)
{
	__asm__ volatile("nop");
}

static void __attribute__((noreturn)) tracee(void)
{
	int result;

	ptrace(PTRACE_TRACEME, 0, 0, 0);
	/* not by SYSENTER, behind which Linux loads no segment registers */
	__asm__ volatile("int $0x80" : "=a"(result)
			 : "0"(37 /* kill */), "b"(getpid()), "c"(SIGSTOP)
			 : "memory");
	watched[0] = 1;
	(void)watched[1];
	landmark();
	__asm__ volatile("int3");
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

static int poke(pid_t pid, size_t at, uint32_t value)
{
	return ptrace(PTRACE_POKEUSER, pid, at, value) ? errno : 0;
}

/* It goes on: what stopped it. */
static void say_stop(pid_t pid)
{
	siginfo_t info;
	int status;

	ptrace(PTRACE_CONT, pid, 0, 0);
	waitpid(pid, &status, 0);
	if (!WIFSTOPPED(status)) {
		say(" ended");
		return;
	}
	ptrace(PTRACE_GETSIGINFO, pid, 0, &info);
	say(" %s %d", signal_name(WSTOPSIG(status)), info.si_code);
}

#define USER_REG(name)	offsetof(struct user, regs.name)
#define DEBUG_REG(n)	(offsetof(struct user, u_debugreg) + (n) * 4)

static void poke_registers(const struct attack *a)
{
	static const struct {
		size_t		at;
		uint32_t	value;
	} pokes[] = {
		{ USER_REG(xcs), 0 }, { USER_REG(xcs), 0x60 },
		{ USER_REG(xcs), 0x61 }, { USER_REG(xcs), 0x63 },
		{ USER_REG(xcs), 0x7b }, { USER_REG(xcs), 0x1003 },
		{ USER_REG(xcs), 0x1013 }, { USER_REG(xcs), 0xffff },
		{ USER_REG(xss), 0 }, { USER_REG(xss), 0x68 },
		{ USER_REG(xss), 0x69 }, { USER_REG(xss), 0x6b },
		{ USER_REG(xss), 0x73 }, { USER_REG(xss), 0x1003 },
		{ USER_REG(xds), 0x68 }, { USER_REG(xds), 0x1013 },
		{ USER_REG(xes), 0x6b }, { USER_REG(xfs), 0x1003 },
		{ USER_REG(xgs), 0x6b }, { USER_REG(xgs), 0xffff },
		{ USER_REG(eip), 0xfc000100 }, { USER_REG(eip), 0xc0100000 },
		{ USER_REG(esp), 0xfc010800 }, { USER_REG(esp), 0xc0100000 },
		{ USER_REG(eflags), 0xfffffeff },
		{ USER_REG(eflags), 0x23000 }, { USER_REG(eflags), 0 },
		{ USER_REG(orig_eax), 0xffffffff },
		{ USER_REG(orig_eax), 20 },
		{ sizeof(struct user), 0 }, { 0xfffffffc, 0 }, { 2, 0 },
	};

	(void)a;
	for (size_t i = 0; i < sizeof(pokes) / sizeof(*pokes); i++) {
		pid_t pid = start_tracee();

		say("%s%d", i ? ", " : "", poke(pid, pokes[i].at,
						pokes[i].value));
		say_stop(pid);
		end_tracee(pid);
	}
}

/* Local breakpoint n: what, 0 execution, 1 writes, 3 accesses; bytes less 1. */
#define DR7(n, what, len)	(1u << (n) * 2 | (what) << (16 + (n) * 4) | \
				 (len) << (18 + (n) * 4))

/* On what is not the process's: refused. */
static void debug_kernel(const struct attack *a)
{
	static const uint32_t at[] = { 0xc0000000, 0xc0100000, 0xbffffffe,
				       0xbfffffff, 0xfc000000, 0xfc010000,
				       0xfffffffc, 0xffffffff };
	pid_t pid = start_tracee();

	(void)a;
	for (size_t i = 0; i < sizeof(at) / sizeof(*at); i++)
		for (uint32_t what = 0; what < 4; what += what == 1 ? 2 : 1) {
			int addr = poke(pid, DEBUG_REG(i % 4), at[i]);
			int control = poke(pid, DEBUG_REG(7), DR7(i % 4, what,
						what ? 3u : 0));

			say("%d/%d ", addr, control);
			poke(pid, DEBUG_REG(7), 0);
			poke(pid, DEBUG_REG(i % 4), 0);
		}
	for (uint32_t n = 0; n < 9; n++)
		say("%d ", poke(pid, DEBUG_REG(n), 0xffffffff));
	poke(pid, DEBUG_REG(7), 0);
	say_stop(pid);
	end_tracee(pid);
}

/* On its own: each is told, once. */
static void debug_own(const struct attack *a)
{
	const struct {
		uint32_t at, what, len;
	} points[] = {
		{ (uint32_t)&watched[0], 1, 3 },
		{ (uint32_t)&watched[1], 3, 3 },
		{ (uint32_t)landmark, 0, 0 },
	};

	(void)a;
	for (uint32_t i = 0; i < 12; i++) {
		pid_t pid = start_tracee();
		uint32_t n = i % 4;

		say("%s%d", i ? ", " : "",
		    poke(pid, DEBUG_REG(n), points[i / 4].at));
		say("/%d", poke(pid, DEBUG_REG(7),
				DR7(n, points[i / 4].what, points[i / 4].len)));
		say_stop(pid);
		say(" dr6 %lx", ptrace(PTRACE_PEEKUSER, pid, DEBUG_REG(6), 0));
		say_stop(pid);
		end_tracee(pid);
	}
}

/* A step of another process at a time, through system calls. */
static void single_step(const struct attack *a)
{
	pid_t pid = start_tracee();
	int status = 0, n = 0;

	(void)a;
	do {
		ptrace(PTRACE_SINGLESTEP, pid, 0, 0);
		waitpid(pid, &status, 0);
		n++;
	} while (WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP && n < 20);
	say("%d, %s", n, WIFSTOPPED(status) ? signal_name(WSTOPSIG(status)) :
	    "ended");
	say_stop(pid);
	end_tracee(pid);
}

#define SEGMENT(name, reg) \
	ATTACK_ARG("sigreturn_" name, sigreturn_segment, reg, NULL)
const struct attack frame_attacks[] = {
	SEGMENT("cs", REG_CS),
	SEGMENT("ss", REG_SS),
	SEGMENT("ds", REG_DS),
	SEGMENT("es", REG_ES),
	SEGMENT("fs", REG_FS),
	SEGMENT("gs", REG_GS),
	ATTACK(sigreturn_eip, NULL),
	ATTACK(sigreturn_flags, NULL),
	ATTACK(poke_registers, NULL),
	ATTACK(debug_kernel, NULL),
	ATTACK(debug_own, NULL),
	ATTACK(single_step, NULL),
	ATTACKS_END
};

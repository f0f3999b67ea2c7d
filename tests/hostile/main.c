// SPDX-License-Identifier: GPL-2.0-only
/* One process per attack, what they share, and what the kernel is checked for
 * behind them. */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <grp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/ucontext.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>

#include "hostile.h"

#define LINE		1024

static struct {
	char	line[LINE];
	bool	done;
} *shared;			/* of the attacker and us */
uint32_t digest;

void check(bool good, const char *what)
{
	if (good)
		return;
	printf("hostile: FAILED %s (errno %d)\n", what, errno);
	fflush(stdout);
	_exit(1);
}

/* ---- what an attacker says ---------------------------------------------- */

void say(const char *format, ...)
{
	size_t used = strlen(shared->line);
	va_list ap;

	va_start(ap, format);
	vsnprintf(shared->line + used, LINE - used, format, ap);
	va_end(ap);
}

void digest_add(uint32_t value)
{
	digest = (digest ^ value) * 16777619u;
}

/* ---- signals ------------------------------------------------------------- */

volatile struct seen seen;
volatile int alarms_left, steps_left, steps;
bool (*alarm_counts)(const greg_t *gregs);

bool one_of_many(int sig, const greg_t *r, reg_t ip)
{
	if (sig == SIGALRM)
		return (alarm_counts && !alarm_counts(r)) || alarms_left-- > 0;
	if (sig != SIGTRAP || r[REG_TRAPNO] != 1 || steps_left <= 0)
		return false;
	steps++;
	digest_add(ip - seen.ip);
	digest_add(r[REG_EFL]);
	return --steps_left;
}

void catch_signals_by(handler *by)
{
	static const int sigs[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP,
				    SIGALRM, SIGSYS };
	struct sigaction sa = { .sa_sigaction = by,
				.sa_flags = SA_SIGINFO | SA_ONSTACK |
					    SA_NODEFER };
	stack_t stack = { .ss_size = 16 * PAGE };

	stack.ss_sp = map_at(0, stack.ss_size, PROT_READ | PROT_WRITE);
	check(sigaltstack(&stack, NULL) == 0, "sigaltstack");
	for (size_t i = 0; i < sizeof(sigs) / sizeof(*sigs); i++)
		check(sigaction(sigs[i], &sa, NULL) == 0, "sigaction");
}

const char *signal_name(int sig)
{
	static const char *const names[] = {
		[0] = "nothing", [SIGILL] = "ILL", [SIGTRAP] = "TRAP",
		[SIGBUS] = "BUS", [SIGFPE] = "FPE", [SIGKILL] = "KILL",
		[SIGSEGV] = "SEGV", [SIGALRM] = "ALRM", [SIGSYS] = "SYS",
	};

	return sig < (int)(sizeof(names) / sizeof(*names)) && names[sig] ?
		names[sig] : "another";
}

void say_seen(const void *code)
{
	reg_t off = seen.ip - (reg_t)code;

	if (shared->line[0])
		say(", ");
	say("%s", signal_name(seen.sig));
	if (!seen.sig || seen.sig == SIGALRM)
		return;
	say(" %u/%x", seen.trap, seen.error);
	if (off < 4 * PAGE)
		say(" +%u", (uint32_t)off);
	else
		say(" at %" PRIxREG, seen.ip);
}

/* ---- what attackers use --------------------------------------------------- */

static void set_clock(long us)
{
	const struct itimerval every = { { 0, us }, { 0, us } };

	check(setitimer(ITIMER_REAL, &every, NULL) == 0, "setitimer");
}

void clock_start(void)
{
	set_clock(1000);
}

void clock_stop(void)
{
	set_clock(0);
}

void *map_at(uintptr_t at, uint32_t bytes, int prot)
{
	void *p = mmap((void *)at, bytes, prot, MAP_PRIVATE | MAP_ANONYMOUS |
		       (at ? MAP_FIXED : 0), -1, 0);

	check(p != MAP_FAILED, "mmap");
	return p;
}

/* ---- the LDT ------------------------------------------------------------ */

static int ldt_write(const struct user_desc *d)
{
	return syscall(SYS_modify_ldt, 0x11, d, sizeof(*d)) ? -errno : 0;
}

int ldt_set(unsigned int n, uint32_t base, uint32_t limit, int contents,
	    bool wide, bool in_pages)
{
	const struct user_desc d = {
		.entry_number = n, .base_addr = base, .limit = limit,
		.seg_32bit = wide, .contents = contents,
		.limit_in_pages = in_pages,
	};

	return ldt_write(&d);
}

int ldt_clear(unsigned int n)
{
	const struct user_desc d = {
		.entry_number = n, .read_exec_only = 1, .seg_not_present = 1,
	};

	return ldt_write(&d);
}

/* ---- one attack --------------------------------------------------------- */

static void __attribute__((noreturn)) attacker(const struct attack *a)
{
	const struct rlimit none = { 0, 0 };

	check(setgroups(0, NULL) == 0 && setgid(1000) == 0 &&
	      setuid(1000) == 0, "to uid 1000");
	check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "prctl");
	check(setuid(0) == -1 && setrlimit(RLIMIT_CORE, &none) == 0,
	      "no way back");
	catch_signals();
	a->run(a);
	clock_stop();
	shared->done = true;
	_exit(0);
}

static uint32_t failures;

/* Beyond its own end an attacker has no effect. */
static void attack(const struct attack *a)
{
	pid_t pid;
	int status;

	memset(shared, 0, sizeof(*shared));
	fflush(stdout);
	pid = fork();
	check(pid >= 0, "fork");
	if (!pid)
		attacker(a);
	check(waitpid(pid, &status, 0) == pid, "waitpid");
	if (WIFSIGNALED(status))
		say("%skilled by %s", shared->line[0] ? ", " : "",
		    signal_name(WTERMSIG(status)));
	else if (WEXITSTATUS(status) || !shared->done)
		say("%sstatus %d", shared->line[0] ? ", " : "",
		    WEXITSTATUS(status));
	printf("hostile: %s: %s\n", a->name, shared->line);
	if (a->gets && strcmp(a->gets, shared->line)) {
		printf("hostile: FAILED %s: %s, not %s\n", a->name, shared->line,
		       a->gets);
		failures++;
	}
}

/* ---- the kernel, behind it ---------------------------------------------- */

static struct utsname before;
static uint32_t *canary;

static uint32_t canary_sum(void)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < 64 * PAGE / 4; i++)
		sum = (sum << 1 | sum >> 31) ^ canary[i];
	return sum;
}

/* What the kernel's log has of these. */
static unsigned int complaints(void)
{
	static char log[1 << 18];
	static const char *const bad[] = { "Call Trace", "BUG:", "Oops",
					   "general protection", "WARNING:" };
	int n = klogctl(3 /* read all */, log, sizeof(log) - 1);
	unsigned int found = 0;

	check(n > 0, "the kernel's log");
	log[n] = 0;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		for (const char *s = log; (s = strstr(s, bad[i])); s++)
			found++;
	return found;
}

static unsigned int complaints_before;

static void kernel_is_well(const char *behind)
{
	const struct timespec ms = { 0, 1000000 };
	struct timespec t[2];
	struct utsname now;
	int status;
	pid_t pid;

	check(uname(&now) == 0 && !memcmp(&now, &before, sizeof(now)), behind);
	check(getuid() == 0, behind);
	clock_gettime(CLOCK_MONOTONIC, &t[0]);
	check(nanosleep(&ms, NULL) == 0, behind);
	clock_gettime(CLOCK_MONOTONIC, &t[1]);
	check((t[1].tv_sec - t[0].tv_sec) * 1000000000LL + t[1].tv_nsec -
	      t[0].tv_nsec >= 1000000, behind);
	pid = fork();
	if (!pid)
		_exit(canary_sum() & 0x7f);
	check(waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	      WEXITSTATUS(status) == (int)(canary_sum() & 0x7f), behind);
	check(complaints() == complaints_before, behind);
}

bool under_hypervisor(void)
{
	return access("/sys/hypervisor/ring", R_OK) == 0;
}

/* All, one that is named, or all but those behind "but". */
static bool chosen(char **names, const char *name)
{
	bool but = *names && !strcmp(*names, "but");

	if (!*names)
		return true;
	while (*names && strcmp(*names, name))
		names++;
	return *names ? !but : but;
}

int main(int argc __attribute__((unused)), char **argv)
{
	uint32_t sum, count = 0;

	/* Addresses are a part of what is compared. */
	if (!(personality(0xffffffff) & ADDR_NO_RANDOMIZE)) {
		personality(PER_LINUX | ADDR_NO_RANDOMIZE);
		execv("/proc/self/exe", argv);
	}
	/* Not for users, and they must be able to write it. */
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	canary = map_at(0, 64 * PAGE, PROT_READ | PROT_WRITE);
	for (uint32_t i = 0; i < 64 * PAGE / 4; i++)
		canary[i] = i * 0x9e3779b1u;
	sum = canary_sum();
	check(uname(&before) == 0, "uname");
	complaints_before = complaints();
	for (const struct attack *const *list = attacks(); *list; list++)
		for (const struct attack *a = *list; a->name; a++) {
			if (!chosen(argv + 1, a->name))
				continue;
			attack(a);
			kernel_is_well(a->name);
			check(canary_sum() == sum, "the memory of root");
			count++;
		}
	printf("hostile: %s after %u attacks\n", failures ? "FAILED" : "OK",
	       count);
	return failures != 0;
}

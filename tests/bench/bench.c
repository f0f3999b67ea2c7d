// SPDX-License-Identifier: GPL-2.0-only
/*
 * What paravirtualizing costs, operation by operation. Runs as a program of
 * the guest, natively and under VMI alike, without a libc so that it is
 * small and every instruction in it is known. Prints one line per operation:
 *
 *	bench NAME TICKS EXITS COUNT
 *
 * TICKS: TSC ticks per operation, median of the rounds (instructions under
 * QEMU's -icount). EXITS: exits to the hypervisor per operation, in
 * thousandths; 0 where there is no hypervisor to ask. COUNT: operations in a
 * round.
 *
 * "only=NAME" on the kernel's command line leaves out all other operations.
 */
#include "program.h"

#define ROUNDS		31

/* ---- measuring ---------------------------------------------------------- */

static int counter_fd = -1;
static uint32_t reading_costs;	/* exits of reading the counter itself */

/* All exits so far, modulo 2^32. */
static uint32_t exits(void)
{
	char buf[32];
	uint32_t n = 0;
	long i, len;

	if (counter_fd < 0)
		return 0;
	/* sysfs gives new content only to a file opened again. */
	counter_fd = sys(SYS_open, (long)"/sys/hypervisor/counters/exits", 0, 0);
	len = sys(SYS_read, counter_fd, (long)buf, sizeof(buf));
	sys(SYS_close, counter_fd, 0, 0);
	if (len <= 0)
		die("/sys/hypervisor/counters/exits");
	for (i = 0; i < len && buf[i] >= '0' && buf[i] <= '9'; i++)
		n = n * 10 + buf[i] - '0';
	return n;
}

static void calibrate(void)
{
	uint32_t a, b;

	counter_fd = sys(SYS_open, (long)"/sys/hypervisor/counters/exits", 0, 0);
	if (counter_fd < 0)
		return;
	sys(SYS_close, counter_fd, 0, 0);
	exits();
	a = exits();
	b = exits();
	reading_costs = b - a;
}

/*
 * An operation does its set-up, then measures from START to STOP and leaves
 * the sums here. Children write too: the page is shared.
 */
static struct sums {
	uint64_t	ticks;
	uint32_t	exits;
} *sum;

static uint32_t exits_before;
static uint64_t ticks_before;

#define START()	do {						\
		exits_before = exits();				\
		MARK("STRT");					\
		ticks_before = ticks();				\
	} while (0)
#define STOP()	do {						\
		uint64_t ticks_after = ticks();			\
								\
		MARK("STOP");					\
		sum->ticks = ticks_after - ticks_before;	\
		sum->exits = exits() - exits_before;		\
		if (counter_fd >= 0)				\
			sum->exits -= reading_costs;		\
	} while (0)

/*
 * What the kernel's page allocator costs depends on whether freed pages find
 * free neighbours to merge with, and that on where a boot happened to put
 * things: a tenth of munmap, either way. Let no page find one: a process that
 * keeps every other page of FRAGMENTS leaves the others, which are then the
 * first to be allocated.
 */
#define FRAGMENTS	32768u

static int fragment(void)
{
	volatile char *ready = (char *)sum + PAGE / 2;	/* shared, too */
	int pid = fork_or_die();
	uint32_t i;
	char *p;

	if (pid) {
		while (!*ready)
			sys(SYS_sched_yield, 0, 0, 0);
		return pid;
	}
	p = map(FRAGMENTS, MAP_PRIVATE);
	touch(p, FRAGMENTS);
	for (i = 0; i < FRAGMENTS; i += 2)
		sys(SYS_madvise, (long)(p + i * PAGE), PAGE, MADV_DONTNEED);
	*ready = 1;
	for (;;)
		sys(SYS_pause, 0, 0, 0);
}

/*
 * Where the kernel puts mappings is random, and whether one lies across the end of a page
 * table, or has one to itself that comes and goes with it, is 2 per cent of mmap64. From
 * here on they begin at three quarters of what a table maps (where it maps 2 MB, at a
 * half), and the page above, which stays, keeps it.
 */
#define TABLE		1024u		/* pages; where it is 512, that is two */

static void settle(void)
{
	unsigned long page = (unsigned long)map(1, MAP_SHARED) / PAGE;
	uint32_t above = (page - TABLE * 3 / 4) % TABLE;

	touch(map(above ? above : TABLE, MAP_SHARED), 1);
}

/* ---- operations: each returns how many it did --------------------------- */

static uint32_t op_syscall(void)
{
	uint32_t i;

	START();
	for (i = 0; i < 1000; i++)
		sys(SYS_getpid, 0, 0, 0);
	STOP();
	return 1000;
}

static uint32_t op_fault(void)
{
	char *p = map(1024, MAP_PRIVATE);

	START();
	touch(p, 1024);
	STOP();
	unmap(p, 1024);
	return 1024;
}

static uint32_t op_mmap(void)
{
	uint32_t i;
	char *p;

	START();
	for (i = 0; i < 8; i++) {
		p = map(64, MAP_PRIVATE);
		touch(p, 64);
		unmap(p, 64);
	}
	STOP();
	return 8;
}

static uint32_t op_mprotect(void)
{
	char *p = map(64, MAP_PRIVATE);
	uint32_t i;

	touch(p, 64);
	START();
	for (i = 0; i < 20; i++)
		sys(SYS_mprotect, (long)p, 64 * PAGE,
		    i & 1 ? PROT_READ | PROT_WRITE : PROT_READ);
	STOP();
	unmap(p, 64);
	return 20;
}

static void fork_exit_wait(void)
{
	int pid = fork_or_die();

	if (!pid)
		sys(SYS_exit, 0, 0, 0);
	wait_for(pid);
}

static uint32_t op_fork(void)
{
	uint32_t i;

	START();
	for (i = 0; i < 8; i++)
		fork_exit_wait();
	STOP();
	return 8;
}

static uint32_t op_fork_4m(void)
{
	char *p = map(1024, MAP_PRIVATE);
	uint32_t i;

	touch(p, 1024);
	START();
	for (i = 0; i < 4; i++)
		fork_exit_wait();
	STOP();
	unmap(p, 1024);
	return 4;
}

static uint32_t op_cow(void)
{
	char *p = map(256, MAP_PRIVATE);
	int pid;

	touch(p, 256);
	pid = fork_or_die();
	if (!pid) {
		START();
		touch(p, 256);
		STOP();
		sys(SYS_exit, 0, 0, 0);
	}
	wait_for(pid);
	unmap(p, 256);
	return 256;
}

static uint32_t op_exec(void)
{
	static const char *const argv[] = { "/bin/bench", "exit", 0 };
	static const char *const envp[] = { 0 };
	uint32_t i;
	int pid;

	START();
	for (i = 0; i < 8; i++) {
		pid = fork_or_die();
		if (!pid) {
			sys(SYS_execve, (long)argv[0], (long)argv, (long)envp);
			sys(SYS_exit, 1, 0, 0);
		}
		wait_for(pid);
	}
	STOP();
	return 8;
}

static uint32_t op_pipe(void)
{
	int to[2], from[2], pid, i;
	char c = 0;

	if (sys(SYS_pipe, (long)to, 0, 0) || sys(SYS_pipe, (long)from, 0, 0))
		die("pipe");
	pid = fork_or_die();
	if (!pid) {
		for (i = 0; i < 110; i++) {
			sys(SYS_read, to[0], (long)&c, 1);
			sys(SYS_write, from[1], (long)&c, 1);
		}
		sys(SYS_exit, 0, 0, 0);
	}
	for (i = 0; i < 110; i++) {
		if (i == 10)
			START();
		sys(SYS_write, to[1], (long)&c, 1);
		sys(SYS_read, from[0], (long)&c, 1);
	}
	STOP();
	wait_for(pid);
	for (i = 0; i < 2; i++) {
		sys(SYS_close, to[i], 0, 0);
		sys(SYS_close, from[i], 0, 0);
	}
	return 200;
}

static volatile int signals;

static void on_signal(int nr)
{
	(void)nr;
	signals++;
}

void restorer(void);	/* sigreturn */
#ifdef __x86_64__
asm("restorer: mov $15, %eax; syscall");
#else
asm("restorer: pop %eax; mov $119, %eax; int $0x80");
#endif

static uint32_t op_signal(void)
{
	static const struct {
		void (*handler)(int);
#ifdef __x86_64__
		unsigned long flags;
		void (*restorer)(void);
		uint64_t mask;
#else
		unsigned long mask, flags;
		void (*restorer)(void);
#endif
	} action = { .handler = on_signal, .flags = SA_RESTORER,
		     .restorer = restorer };
	int pid = sys(SYS_getpid, 0, 0, 0), i;

	if (sys4(SYS_sigaction, SIGUSR1, (long)&action, 0, sizeof(action.mask)))
		die("sigaction");
	signals = 0;
	START();
	for (i = 0; i < 100; i++)
		sys(SYS_kill, pid, SIGUSR1, 0);
	STOP();
	if (signals != 100)
		die("a signal was lost");
	return 100;
}

static uint32_t op_munmap(void)
{
	char *p = map(1024, MAP_PRIVATE);

	touch(p, 1024);
	START();
	unmap(p, 1024);
	STOP();
	return 1;
}

/* One second; the exits are those per second, at HZ = 100 if not tickless. */
static uint32_t op_idle(void)
{
	static const long one_second[2] = { 1, 0 };

	START();
	sys(SYS_nanosleep, (long)one_second, 0, 0);
	STOP();
	return 1;
}

static uint32_t op_compute(void)
{
	uint32_t n = 40000000;

	START();
	asm volatile("1: dec %0; jnz 1b" : "+r"(n) : : "cc");
	STOP();
	return 1;
}

static const struct {
	const char	*name;
	uint32_t	(*run)(void);
	uint32_t	rounds;
} ops[] = {
	/* First, since its pages find neighbours or not by what was before. */
	{ "munmap1024",		op_munmap,	ROUNDS },
	{ "syscall",		op_syscall,	ROUNDS },
	{ "fault",		op_fault,	ROUNDS },
	{ "mmap64",		op_mmap,	ROUNDS },
	{ "mprotect64",		op_mprotect,	ROUNDS },
	{ "fork",		op_fork,	ROUNDS },
	{ "fork4m",		op_fork_4m,	ROUNDS },
	{ "cow",		op_cow,		ROUNDS },
	{ "exec",		op_exec,	ROUNDS },
	{ "pipe",		op_pipe,	ROUNDS },
	{ "signal",		op_signal,	ROUNDS },
	{ "idle",		op_idle,	3 },
	{ "compute",		op_compute,	3 },
};

/* a / b; a quotient beyond 32 bits is cut off, nothing here is that large. */
static uint32_t divide(uint64_t a, uint32_t b)
{
	uint32_t q, r;

	asm("divl %4" : "=a"(q), "=d"(r)
	    : "0"((uint32_t)a), "1"((uint32_t)(a >> 32)), "r"(b) : "cc");
	return q;
}

static void report(const char *name, uint64_t per_op, uint64_t milliexits,
		   uint32_t count)
{
	put("bench ");
	put(name);
	put(" ");
	put_number(per_op);
	put(" ");
	put_number(milliexits);
	put(" ");
	put_number(count);
	put("\n");
}

static uint64_t median(uint64_t *all, uint32_t n)
{
	uint32_t i, j;
	uint64_t t;

	for (i = 1; i < n; i++)
		for (j = i; j && all[j] < all[j - 1]; j--) {
			t = all[j];
			all[j] = all[j - 1];
			all[j - 1] = t;
		}
	return all[n / 2];
}

/* The two medians are taken apart: a round with a timer tick in it may be in
 * the middle of one and not of the other. */
static void run(uint32_t which)
{
	uint64_t all_ticks[ROUNDS], all_exits[ROUNDS], t, e;
	uint32_t i, n = 1;

	/* The first round only warms up. */
	for (i = 0; i <= ops[which].rounds; i++) {
		n = ops[which].run();
		if (i) {
			all_ticks[i - 1] = sum->ticks;
			all_exits[i - 1] = sum->exits;
		}
	}
	t = median(all_ticks, ops[which].rounds);
	e = median(all_exits, ops[which].rounds);
	report(ops[which].name, n == 1 ? t : divide(t, n),
	       divide(e * 1000, n), n);
}

static char command_line[2048];

static void read_command_line(void)
{
	int fd = sys(SYS_open, (long)"/proc/cmdline", 0, 0);

	if (fd < 0 || sys(SYS_read, fd, (long)command_line,
			  sizeof(command_line) - 1) < 0)
		die("/proc/cmdline");
	sys(SYS_close, fd, 0, 0);
}

/* What follows the prefix at p, NULL if that is not there. */
static const char *after(const char *p, const char *prefix)
{
	while (*prefix)
		if (*p++ != *prefix++)
			return 0;
	return p;
}

static int wanted(const char *name)
{
	const char *p, *only;

	for (p = command_line; *p; p++) {
		only = after(p, " only=");
		if (!only)
			continue;
		p = after(only, name);
		return p && (!*p || *p == ' ' || *p == '\n');
	}
	return 1;
}

void __attribute__((noreturn)) start_c(long *stack);
void start_c(long *stack)
{
	uint64_t booted;
	uint32_t i;
	int keeper;

	if (stack[0] > 1)		/* any argument: op_exec */
		sys(SYS_exit, 0, 0, 0);
	/* The TSC starts at reset: what it took to come here. */
	booted = ticks();
	sum = (struct sums *)map(1, MAP_SHARED);
	read_command_line();
	calibrate();
	report("boot", booted, exits() * 1000ull, 1);
	keeper = fragment();
	settle();
	for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		if (wanted(ops[i].name))
			run(i);
	sys(SYS_kill, keeper, SIGKILL, 0);
	put("bench done\n");
	sys(SYS_exit, 0, 0, 0);
	__builtin_unreachable();
}

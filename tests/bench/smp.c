// SPDX-License-Identifier: GPL-2.0-only
/*
 * What one processor of two has to do with the other. Runs as a program of the
 * guest, natively and under VMI alike. Prints one line per round of an
 * operation, those of all operations in turn:
 *
 *	smp NAME TICKS COUNT
 *
 * TICKS: TSC ticks of the round. COUNT: operations in it. Each round is between
 * two marks, in the same order: profile.c counts what each processor does there.
 *
 * With an argument only operations run whose names begin so.
 */
#include "program.h"

#define ROUNDS		63	/* and one before that, which warms up */

#define SYS_clone		120
#define SYS_futex		240
#define SYS_sched_setaffinity	241

#define CLONE_THREAD_OF_US	0x00050f00	/* VM FS FILES SIGHAND THREAD SYSVSEM */
#define CLONE_PARENT_SETTID	0x00100000
#define CLONE_CHILD_CLEARTID	0x00200000

#define FUTEX_WAIT	0
#define FUTEX_WAKE	1

#define STACK		4096u

/* ---- processors and threads --------------------------------------------- */

#define BOTH		3u

static void stay_on(uint32_t cpus)
{
	if (sys(SYS_sched_setaffinity, 0, sizeof(cpus), (long)&cpus) < 0)
		die("there have to be two processors");
}

static inline void relax(void)
{
	asm volatile("pause" : : : "memory");
}

static void futex(volatile int *word, int op, int value)
{
	register long esi asm("esi") = 0;	/* no time-out */
	long ret;

	asm volatile("int $0x80"
		     : "=a"(ret) : "0"(SYS_futex), "b"(word), "c"(op),
		       "d"(value), "S"(esi) : "memory");
}

/* The kernel clears tid at the end of the thread, and wakes who waits for that. */
static void thread(void (*run)(void), char *stack, volatile int *tid)
{
	long *top = (long *)(stack + STACK) - 1, ret;

	*top = (long)run;
	asm volatile("int $0x80\n\t"
		     "test %%eax, %%eax\n\t"
		     "jnz 1f\n\t"
		     "pop %%eax\n\t"
		     "call *%%eax\n"
		     "1:"
		     : "=a"(ret)
		     : "0"(SYS_clone), "b"(CLONE_THREAD_OF_US |
					   CLONE_PARENT_SETTID |
					   CLONE_CHILD_CLEARTID),
		       "c"(top), "d"(tid), "S"(0), "D"(tid) : "memory", "cc");
	if (ret < 0)
		die("clone");
}

static void __attribute__((noreturn)) end_of_thread(void)
{
	sys(SYS_exit, 0, 0, 0);
	__builtin_unreachable();
}

static void join(volatile int *tid)
{
	int value;

	while ((value = *tid))
		futex(tid, FUTEX_WAIT, value);
}

static char stack[STACK] __attribute__((aligned(16)));

/* ---- measuring ---------------------------------------------------------- */

static uint64_t began, took;

#define START()	do {						\
		MARK("STRT");					\
		began = ticks();				\
	} while (0)
#define STOP()	do {						\
		took = ticks() - began;				\
		MARK("STOP");					\
	} while (0)

/* ---- one page, which a thread elsewhere may have in its TLB -------------- */

#define PAGES		8

static char *pages;
static volatile int spins, enough;

/* In user mode all the time, with the memory of us all. */
static void spinner(void)
{
	stay_on(2);
	touch(pages, PAGES);
	spins = 1;
	while (!enough)
		relax();
	end_of_thread();
}

static uint32_t one_page(void (*change)(uint32_t i))
{
	volatile int tid;
	uint32_t i;

	stay_on(1);
	pages = map(PAGES, MAP_PRIVATE);
	touch(pages, PAGES);
	spins = enough = 0;
	thread(spinner, stack, &tid);
	while (!spins)
		relax();
	START();
	for (i = 0; i < PAGES; i++)
		change(i);
	STOP();
	enough = 1;
	join(&tid);
	unmap(pages, PAGES);
	return PAGES;
}

static void protect(uint32_t i)
{
	sys(SYS_mprotect, (long)pages, PAGE,
	    i & 1 ? PROT_READ | PROT_WRITE : PROT_READ);
}

static void unmap_one(uint32_t i)
{
	unmap(pages + i * PAGE, 1);
}

static void drop(uint32_t i)
{
	sys(SYS_madvise, (long)(pages + i * PAGE), PAGE, MADV_DONTNEED);
}

static uint32_t op_mprotect(void)
{
	return one_page(protect);
}

static uint32_t op_munmap(void)
{
	return one_page(unmap_one);
}

static uint32_t op_madvise(void)
{
	return one_page(drop);
}

/* ---- threads ------------------------------------------------------------- */

#define THREADS		8

/* The kernel puts the new one where nobody runs. */
static uint32_t op_thread(void)
{
	volatile int tid;
	uint32_t i;

	stay_on(BOTH);
	START();
	for (i = 0; i < THREADS; i++) {
		thread(end_of_thread, stack, &tid);
		join(&tid);
	}
	STOP();
	return THREADS;
}

#define TURNS		16

static volatile int ball;	/* who has it: 0 or 1 */

static void pass(int to)
{
	ball = to;
	futex(&ball, FUTEX_WAKE, 1);
}

static void await(int me)
{
	while (ball != me)
		futex(&ball, FUTEX_WAIT, !me);
}

static void player(void)
{
	uint32_t i;

	stay_on(2);
	for (i = 0; i < TURNS + 1; i++) {
		await(1);
		pass(0);
	}
	end_of_thread();
}

/* There and back. */
static uint32_t op_futex(void)
{
	volatile int tid;
	uint32_t i;

	stay_on(1);
	thread(player, stack, &tid);
	pass(1);
	await(0);
	START();
	for (i = 0; i < TURNS; i++) {
		pass(1);
		await(0);
	}
	STOP();
	join(&tid);
	return TURNS;
}

/* ---- processes ----------------------------------------------------------- */

#define CHILDREN	8

static volatile int *go;	/* shared by processes */

static void fork_and_exec(void)
{
	static const char *const argv[] = { "/bin/bench", "exit", 0 };
	static const char *const envp[] = { 0 };
	uint32_t i;
	int pid;

	for (i = 0; i < CHILDREN; i++) {
		pid = fork_or_die();
		if (!pid) {
			sys(SYS_execve, (long)argv[0], (long)argv, (long)envp);
			sys(SYS_exit, 1, 0, 0);
		}
		wait_for(pid);
	}
}

static uint32_t op_one(void)
{
	stay_on(1);
	START();
	fork_and_exec();
	STOP();
	return CHILDREN;
}

/* The other process waits for us in user mode. */
static uint32_t both(uint32_t first, uint32_t second)
{
	int pid;

	stay_on(first);
	*go = 0;
	pid = fork_or_die();
	if (!pid) {
		stay_on(second);
		*go = 1;
		while (*go != 2)
			relax();
		fork_and_exec();
		sys(SYS_exit, 0, 0, 0);
	}
	while (!*go)
		relax();
	START();
	*go = 2;
	fork_and_exec();
	wait_for(pid);
	STOP();
	return 2 * CHILDREN;
}

static uint32_t op_two(void)
{
	return both(1, 2);
}

static uint32_t op_two_free(void)
{
	return both(BOTH, BOTH);
}

/* ---- all of it ----------------------------------------------------------- */

static const struct {
	const char	*name;
	uint32_t	(*run)(void);
} ops[] = {
	{ "mprotect",	op_mprotect },
	{ "munmap",	op_munmap },
	{ "madvise",	op_madvise },
	{ "thread",	op_thread },
	{ "futex",	op_futex },
	{ "exec_one",	op_one },
	{ "exec_two",	op_two },
	{ "exec_free",	op_two_free },
};

static int begins(const char *name, const char *so)
{
	while (*so)
		if (*name++ != *so++)
			return 0;
	return 1;
}

static void round_of(uint32_t which)
{
	uint32_t count = ops[which].run();

	put("smp ");
	put(ops[which].name);
	put(" ");
	put_number(took);
	put(" ");
	put_number(count);
	put("\n");
}

void __attribute__((noreturn)) start_c(long *arguments);
void start_c(long *arguments)
{
	const char *only = arguments[0] > 1 ? (const char *)arguments[2] : "";
	uint32_t i, n;

	go = (volatile int *)map(1, MAP_SHARED);
	for (n = 0; n <= ROUNDS; n++)
		for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
			if (begins(ops[i].name, only))
				round_of(i);
	sys(SYS_exit, 0, 0, 0);
	__builtin_unreachable();
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a kernel owes to its processes, checked from inside one of them.
 *
 * A line with the number of processors, one per part and a last one, "smoke:
 * OK <checksum>". The output holds no address, time or size, so that it is the
 * same on bare hardware, in a VMI guest, and with any amount of memory. Status
 * 0 if all parts passed.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/ucontext.h>
#include <sys/wait.h>
#include <time.h>

#include "smoke.h"

#define MB		(1024u * 1024)
#define CHURN_TOTAL	(100 * MB)
#define CHURN_STEP	(4 * MB)

static const char *self;

static uint32_t hash_words(uint32_t h, const void *p, size_t bytes)
{
	const uint32_t *word = p;

	for (size_t i = 0; i < bytes / 4; i++)
		h = hash(h, word[i]);
	return h;
}

static void fill(void *p, size_t bytes, uint32_t seed)
{
	uint32_t *word = p;

	for (size_t i = 0; i < bytes / 4; i++) {
		seed = seed * 1664525u + 1013904223u;
		word[i] = seed;
	}
}

static void *map(size_t bytes, int prot, int flags)
{
	void *p = mmap(NULL, bytes, prot, flags | MAP_ANONYMOUS, -1, 0);

	check(p != MAP_FAILED);
	return p;
}

int wait_status(pid_t pid)
{
	int status;

	check(pid > 0);
	check(waitpid(pid, &status, 0) == pid);
	return status;
}

/* ---- faults that come back as signals ---------------------------------- */

sigjmp_buf fault_return;
volatile uintptr_t fault_address;
volatile uint32_t fault_trapno, fault_error;

static void on_fault(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	fault_address = (uintptr_t)info->si_addr;
	fault_trapno = uc->uc_mcontext.gregs[REG_TRAPNO];
	fault_error = uc->uc_mcontext.gregs[REG_ERR];
	siglongjmp(fault_return, sig);
}

static void catch_faults(void)
{
	static const int sigs[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP };
	struct sigaction sa = { .sa_sigaction = on_fault,
				.sa_flags = SA_SIGINFO | SA_NODEFER };

	for (size_t i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		check(sigaction(sigs[i], &sa, NULL) == 0);
}

/* ---- the parts ----------------------------------------------------------- */

static uint32_t part_process(uint32_t h)
{
	for (int i = 0; i < 40; i++) {
		pid_t pid = fork();
		int status;

		if (pid == 0)
			_exit(i * 3);
		status = wait_status(pid);
		check(WIFEXITED(status));
		h = hash(h, WEXITSTATUS(status));
	}
	for (int i = 0; i < 10; i++) {
		pid_t pid = i & 1 ? vfork() : fork();
		const char arg[2] = { '0' + i };
		int status;

		if (pid == 0) {
			execl(self, self, "child", arg, (char *)NULL);
			_exit(127);
		}
		status = wait_status(pid);
		check(WIFEXITED(status));
		check(WEXITSTATUS(status) == 100 + i);
		h = hash(h, status);
	}
	for (int i = 0; i < 4; i++) {
		pid_t pid = fork();
		int status;

		if (pid == 0) {
			pause();
			_exit(1);
		}
		check(kill(pid, SIGKILL) == 0);
		status = wait_status(pid);
		check(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		h = hash(h, status);
	}
	check(waitpid(-1, NULL, 0) == -1 && errno == ECHILD);
	return h;
}

static uint32_t part_memory(uint32_t h)
{
	const size_t bytes = 2 * MB;
	char *p = map(bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE), *q;
	int fd;

	fill(p, bytes, 1);
	h = hash_words(h, p, bytes);

	/* SDM 4.7: the error code says present, write, user. */
	check(mprotect(p + 8 * PAGE, 8 * PAGE, PROT_READ) == 0);
	check(read_signal(p + 9 * PAGE) == 0);
	check(write_signal(p + 9 * PAGE + 5) == SIGSEGV);
	check(fault_address == (uintptr_t)p + 9 * PAGE + 5);
	check(fault_trapno == 14 && fault_error == 7);
	check(write_signal(p + 7 * PAGE) == 0);
	check(mprotect(p + 8 * PAGE, 8 * PAGE, PROT_NONE) == 0);
	check(read_signal(p + 8 * PAGE) == SIGSEGV);
	check(fault_error & 4);
	check(mprotect(p + 8 * PAGE, 8 * PAGE, PROT_READ | PROT_WRITE) == 0);
	check(write_signal(p + 8 * PAGE) == 0);
	h = hash_words(h, p, bytes);

	check(munmap(p + 64 * PAGE, 64 * PAGE) == 0);
	check(read_signal(p + 64 * PAGE) == SIGSEGV);
	check(fault_error == 4);
	check(write_signal(p + 127 * PAGE) == SIGSEGV);
	check(fault_error == 6);
	check(read_signal(p + 128 * PAGE) == 0);
	h = hash_words(h, p, 64 * PAGE);

	/* Moves page-table entries rather than copying. */
	q = mremap(p, 64 * PAGE, 512 * PAGE, MREMAP_MAYMOVE);
	check(q != MAP_FAILED);
	h = hash_words(h, q, 512 * PAGE);
	if (q != p)
		check(read_signal(p) == SIGSEGV);
	check(madvise(q, 16 * PAGE, MADV_DONTNEED) == 0);
	h = hash_words(h, q, 512 * PAGE);
	check(munmap(q, 512 * PAGE) == 0);
	check(munmap(p + 128 * PAGE, bytes - 128 * PAGE) == 0);

	/* A file mapped twice: both see both. */
	fd = memfd_create("smoke", 0);
	check(fd >= 0 && ftruncate(fd, 16 * PAGE) == 0);
	p = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	q = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	check(p != MAP_FAILED && q != MAP_FAILED);
	fill(p, 8 * PAGE, 2);
	fill(q + 8 * PAGE, 8 * PAGE, 3);
	check(memcmp(p, q, 16 * PAGE) == 0);
	check(ftruncate(fd, 8 * PAGE) == 0);
	check(read_signal(q + 8 * PAGE) == SIGBUS);
	h = hash_words(h, q, 8 * PAGE);
	check(munmap(p, 16 * PAGE) == 0 && munmap(q, 16 * PAGE) == 0);
	check(close(fd) == 0);

	check_kernel_space();
	return h;
}

static int call_signal(void *p)
{
	return signal_of(((void (*)(void))p)());
}

/* Page tables with PAE can forbid execution. SDM 4.7: bit 4, a fetch. */
static uint32_t part_execution(uint32_t h)
{
	unsigned char *p;
	int sig;

	/* Without what an old program that started us may have passed on:
	 * PROT_READ implies PROT_EXEC. */
	check(personality(PER_LINUX) != -1);
	p = map(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	*p = 0xc3;	/* ret */
	sig = call_signal(p);
	printf("smoke: data can%s be executed\n", sig ? "not" : "");
	for (int i = 0; i < 3; i++) {
		check(mprotect(p, PAGE, PROT_READ | PROT_EXEC) == 0);
		check(call_signal(p) == 0);
		check(mprotect(p, PAGE, PROT_READ) == 0);
		check(call_signal(p) == sig);
		check(!sig || (sig == SIGSEGV && fault_error == 0x15 &&
			       fault_address == (uintptr_t)p));
	}
	check(munmap(p, PAGE) == 0);
	check(call_signal(p) == SIGSEGV);
	/* A CPU with SMEP tells of fetches even where nothing forbids them. */
	check((fault_error & ~0x10u) == 4 && (!sig || (fault_error & 0x10)));
	return hash(h, sig);
}

static uint32_t part_cow(uint32_t h)
{
	const size_t bytes = MB;
	char *priv = map(bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	char *shared = map(bytes, PROT_READ | PROT_WRITE, MAP_SHARED);
	uint32_t before;

	fill(priv, bytes, 4);
	fill(shared, bytes, 5);
	before = hash_words(0, priv, bytes);
	for (int i = 0; i < 4; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			check(hash_words(0, priv, bytes) == before);
			for (size_t at = i * PAGE; at < bytes; at += 4 * PAGE)
				fill(priv + at, PAGE, at + i);
			fill(shared + i * 64 * PAGE, 64 * PAGE,
			     hash_words(i, priv, bytes));
			_exit(0);
		}
		/* The parent breaks the sharing too, while the child runs. */
		priv[0] = priv[0];
		check(wait_status(pid) == 0);
		check(hash_words(0, priv, bytes) == before);
		h = hash_words(h, shared, bytes);
	}
	check(munmap(priv, bytes) == 0 && munmap(shared, bytes) == 0);
	return h;
}

static volatile uint32_t signal_log;
static volatile int signal_depth, signal_deepest;

static void on_nested(int sig)
{
	if (++signal_depth > signal_deepest)
		signal_deepest = signal_depth;
	signal_log = hash(signal_log, sig * 16 + signal_depth);
	if (sig == SIGUSR1)
		raise(SIGUSR2);
	signal_depth--;
}

static void on_altstack(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	(void)context;
	siglongjmp(fault_return, 99);
}

static __attribute__((noinline)) int overflow(int n)
{
	volatile char frame[PAGE];

	frame[0] = (char)n;
	return n ? overflow(n + 1) + frame[0] : 0;
}

static uint32_t part_signals(uint32_t h)
{
	struct sigaction sa = { .sa_handler = on_nested };
	struct sigaction alt = { .sa_sigaction = on_altstack,
				 .sa_flags = SA_SIGINFO | SA_ONSTACK };
	stack_t stack = { .ss_size = 64 * 1024 };
	sigset_t set, old;

	check(sigaction(SIGUSR1, &sa, NULL) == 0);
	check(sigaction(SIGUSR2, &sa, NULL) == 0);
	for (int i = 0; i < 100; i++)
		raise(i % 3 ? SIGUSR1 : SIGUSR2);
	check(signal_deepest == 2);
	h = hash(h, signal_log);

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	check(sigprocmask(SIG_BLOCK, &set, &old) == 0);
	signal_log = 0;
	raise(SIGUSR1);
	check(signal_log == 0);
	check(sigpending(&set) == 0 && sigismember(&set, SIGUSR1));
	check(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
	check(signal_log != 0);

	stack.ss_sp = map(stack.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	check(sigaltstack(&stack, NULL) == 0);
	check(sigaction(SIGSEGV, &alt, NULL) == 0);
	check(signal_of(overflow(1)) == 99);
	catch_faults();
	return h;
}

static uint32_t part_pipes(uint32_t h)
{
	static char buffer[16 * PAGE];
	int to[2], from[2];
	pid_t pid;

	check(pipe(to) == 0 && pipe(from) == 0);
	pid = fork();
	if (pid == 0) {
		ssize_t n;

		close(to[1]);
		close(from[0]);
		while ((n = read(to[0], buffer, sizeof(buffer))) > 0) {
			for (ssize_t i = 0; i < n; i++)
				buffer[i] ^= 0x5a;
			for (ssize_t at = 0; at < n;) {
				ssize_t w = write(from[1], buffer + at, n - at);

				check(w > 0);
				at += w;
			}
		}
		_exit(n == 0 ? 0 : 1);
	}
	close(to[0]);
	close(from[1]);
	for (int i = 0; i < 64; i++) {
		struct pollfd fd = { .fd = from[0], .events = POLLIN };

		fill(buffer, sizeof(buffer) / 2, i);
		check(write(to[1], buffer, sizeof(buffer) / 2) ==
		      sizeof(buffer) / 2);
		for (size_t at = 0; at < sizeof(buffer) / 2;) {
			ssize_t n;

			check(poll(&fd, 1, -1) == 1);
			n = read(from[0], buffer + at, sizeof(buffer) / 2 - at);
			check(n > 0);
			at += n;
		}
		h = hash_words(h, buffer, sizeof(buffer) / 2);
	}
	close(to[1]);
	check(wait_status(pid) == 0);
	close(from[0]);

	/* A pipe without a reader. */
	check(pipe(to) == 0);
	signal(SIGPIPE, SIG_IGN);
	close(to[0]);
	check(write(to[1], buffer, 1) == -1 && errno == EPIPE);
	close(to[1]);
	return h;
}

static volatile int alarms;

static void on_alarm(int sig)
{
	(void)sig;
	alarms++;
}

static int64_t now(clockid_t clock)
{
	struct timespec ts;

	check(clock_gettime(clock, &ts) == 0);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static uint32_t part_timers(uint32_t h)
{
	struct itimerval every = { { 0, 20000 }, { 0, 20000 } };
	const struct itimerval never = { { 0, 0 }, { 0, 0 } };
	struct pollfd fds[3];
	uint32_t left = 3;
	int64_t start, last;

	signal(SIGALRM, on_alarm);
	check(setitimer(ITIMER_REAL, &every, NULL) == 0);
	while (alarms < 5)
		pause();
	check(setitimer(ITIMER_REAL, &never, NULL) == 0);

	/* The same, but the process never stops computing. */
	alarms = 0;
	check(setitimer(ITIMER_REAL, &every, NULL) == 0);
	while (alarms < 5)
		;
	check(setitimer(ITIMER_REAL, &never, NULL) == 0);

	for (int i = 0; i < 5; i++) {
		struct timespec wait = { 0, 3000000 * (i + 1) };

		start = now(CLOCK_MONOTONIC);
		check(nanosleep(&wait, NULL) == 0);
		check(now(CLOCK_MONOTONIC) - start >= wait.tv_nsec);
	}

	last = now(CLOCK_MONOTONIC);
	for (int i = 0; i < 20000; i++) {
		start = now(CLOCK_MONOTONIC);
		check(start >= last);
		last = start;
	}
	/* A wall clock that has been set at all: after 2020. */
	check(now(CLOCK_REALTIME) > 1577836800LL * 1000000000);

	/* Three timers, started late to early, end early to late. */
	start = now(CLOCK_MONOTONIC);
	for (int i = 0; i < 3; i++) {
		int64_t at = start + (3 - i) * 40000000;
		struct itimerspec in = {
			.it_value = { at / 1000000000, at % 1000000000 }
		};

		fds[i].events = POLLIN;
		fds[i].fd = timerfd_create(CLOCK_MONOTONIC, 0);
		check(fds[i].fd >= 0);
		check(timerfd_settime(fds[i].fd, TFD_TIMER_ABSTIME, &in,
				      NULL) == 0);
	}
	while (left) {
		uint64_t count;

		check(poll(fds, left, 5000) >= 1);
		/* On a slow machine several may be ready, but in order. */
		for (uint32_t i = 1; i < left; i++)
			check(fds[i].revents || !fds[i - 1].revents);
		left--;
		check(fds[left].revents & POLLIN);
		check(read(fds[left].fd, &count, 8) == 8 && count == 1);
		close(fds[left].fd);
		h = hash(h, left);
	}
	return h;
}

#define THREADS		8

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn_changed = PTHREAD_COND_INITIALIZER;
static unsigned int turn, rounds;
static uint32_t turn_hash;
static __thread uint32_t tls_value = 7;
static __thread char tls_block[3 * PAGE];

static void *thread(void *arg)
{
	unsigned int me = (unsigned int)(uintptr_t)arg;
	double sum = 0;

	check(tls_value == 7);
	tls_value = me * 1000;
	fill(tls_block, sizeof(tls_block), me);
	for (unsigned int i = 0; i < 50; i++) {
		check(pthread_mutex_lock(&lock) == 0);
		while (turn != me)
			check(pthread_cond_wait(&turn_changed, &lock) == 0);
		turn_hash = hash(turn_hash, me + i);
		turn = (turn + 1) % THREADS;
		rounds++;
		check(pthread_cond_broadcast(&turn_changed) == 0);
		check(pthread_mutex_unlock(&lock) == 0);
		tls_value++;
		sum += 1.0 / (me + i + 1);
	}
	check(tls_value == me * 1000 + 50);
	/* FPU registers and TLS are this thread's alone. */
	return (void *)(uintptr_t)(hash_words(tls_value, tls_block,
					      sizeof(tls_block)) ^
				   (uint32_t)(sum * 1e6));
}

static uint32_t part_threads(uint32_t h)
{
	pthread_t id[THREADS];
	void *result;

	for (uintptr_t i = 0; i < THREADS; i++)
		check(pthread_create(&id[i], NULL, thread, (void *)i) == 0);
	for (int i = 0; i < THREADS; i++) {
		check(pthread_join(id[i], &result) == 0);
		h = hash(h, (uint32_t)(uintptr_t)result);
	}
	check(rounds == 50 * THREADS && tls_value == 7);
	return hash(h, turn_hash);
}

/*
 * Processes whose FPU state and memory differ, switched by the timer and by
 * sched_yield.
 */
static uint32_t part_switching(uint32_t h)
{
	uint32_t *results = map(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	pid_t pids[6];

	for (int i = 0; i < 6; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			double x = i + 0.5;

			for (int n = 0; n < 300000; n++) {
				x = x * 1.000001 + 0.25;
				if (n % 1000 == 0)
					sched_yield();
			}
			results[i] = (uint32_t)x;
			_exit(0);
		}
	}
	for (int i = 0; i < 6; i++)
		check(wait_status(pids[i]) == 0);
	h = hash_words(h, results, 6 * sizeof(*results));
	check(munmap(results, PAGE) == 0);
	return h;
}

/* 100 MB in steps that fit the smallest guest, by turns in two processes. */
static uint32_t part_churn(uint32_t h)
{
	uint32_t *result = map(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);

	for (uint32_t at = 0; at < CHURN_TOTAL; at += CHURN_STEP) {
		char *p = map(CHURN_STEP, PROT_READ | PROT_WRITE, MAP_PRIVATE);
		uint32_t mine;
		pid_t pid;

		fill(p, CHURN_STEP, at);
		mine = hash_words(0, p, CHURN_STEP);
		pid = fork();
		if (pid == 0) {
			*result = hash_words(0, p, CHURN_STEP);
			for (size_t i = 0; i < CHURN_STEP; i += 2 * PAGE)
				p[i] ^= 1;
			check(hash_words(0, p, CHURN_STEP) != *result);
			_exit(0);
		}
		check(wait_status(pid) == 0);
		check(*result == mine);
		check(hash_words(0, p, CHURN_STEP) == mine);
		h = hash(h, mine);
		check(munmap(p, CHURN_STEP) == 0);
	}
	check(munmap(result, PAGE) == 0);
	return h;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		uint32_t (*run)(uint32_t h);
	} parts[] = {
		{ "process", part_process },
		{ "memory", part_memory },
		{ "execution", part_execution },
		{ "cow", part_cow },
		{ "signals", part_signals },
		{ "traps", part_traps },
		{ "frames", part_frames },
		{ "pipes", part_pipes },
		{ "timers", part_timers },
		{ "threads", part_threads },
		{ "switching", part_switching },
		{ "churn", part_churn },
	};
	uint32_t h = 2166136261u;
	cpu_set_t cpus;

	if (argc == 3)
		return 100 + atoi(argv[2]);
	self = argv[0];
	setvbuf(stdout, NULL, _IOLBF, 0);
	catch_faults();
	check(sched_getaffinity(0, sizeof(cpus), &cpus) == 0);
	printf("smoke: processors: %d\n", CPU_COUNT(&cpus));
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		h = parts[i].run(h);
		printf("smoke: %s %08x\n", parts[i].name, h);
	}
	printf("smoke: OK %08x\n", h);
	return 0;
}

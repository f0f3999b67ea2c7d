// SPDX-License-Identifier: GPL-2.0-only
/*
 * Eight threads change the memory that they share, for as many seconds as the
 * argument says (10). On several processors they do so at once, and each
 * change has to reach the TLB of all of them:
 *
 * - after mprotect() has taken the right to write nobody writes any more;
 * - after mmap() has put a new page in the place of another, nobody reads or
 *   writes the old one, which may be anybody's then;
 * - after fork() the child's memory stays as it was, whatever threads of the
 *   parent write;
 * - what is freed, and used again, keeps what its new owner has written;
 * - what is added to one shared word and taken from another leaves the sum.
 *
 * One line at the end, "stress: OK, N rounds", or one that says what failed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ucontext.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE		4096u
#define THREADS		8
#define BUFFER_PAGES	32
#define POKES		64
#define SHARED_WORDS	4096
#define SECONDS		10

#define check(cond) do {						\
	if (!(cond)) {							\
		printf("stress: FAILED line %d: %s (errno %d)\n",	\
		       __LINE__, #cond, errno);				\
		fflush(stdout);						\
		kill(first, SIGKILL);					\
		_exit(1);						\
	}								\
} while (0)

static pid_t first;		/* process */
static const char *self;
static time_t end;

/* Of each thread, for all to write: pages that it protects ... */
static char *guarded[THREADS];
/* ... and pages that it replaces, each with the next number; 0 meanwhile. */
static char *replaced[THREADS];
static atomic_uint number[THREADS];

/* Of all processes. The sum of the words is 0. */
static atomic_uint *shared;

static uint32_t random_next(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static void fill(void *p, size_t bytes, uint32_t seed)
{
	uint32_t *word = p;

	for (size_t i = 0; i < bytes / 4; i++)
		word[i] = seed += 2654435761u;
}

static int filled(const void *p, size_t bytes, uint32_t seed)
{
	const uint32_t *word = p;

	for (size_t i = 0; i < bytes / 4; i++) {
		seed += 2654435761u;
		if (word[i] != seed)
			return 0;
	}
	return 1;
}

static void *map(size_t bytes, int flags)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       flags | MAP_ANONYMOUS, -1, 0);

	check(p != MAP_FAILED);
	return p;
}

/* ---- memory that others change ------------------------------------------- */

/* The one instruction that may fault. */
void poke(void *p);
extern const char poke_start[], poke_end[];
#ifdef __x86_64__
#define REG_IP	REG_RIP
__asm__(".text\n"
	"poke:\n"
	"poke_start:	incl (%rdi)\n"
	"poke_end:	ret\n");
#else
#define REG_IP	REG_EIP
__asm__(".text\n"
	"poke:		movl 4(%esp), %eax\n"
	"poke_start:	incl (%eax)\n"
	"poke_end:	ret\n");
#endif

static void on_fault(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)sig;
	(void)info;
	check(uc->uc_mcontext.gregs[REG_IP] == (greg_t)poke_start);
	uc->uc_mcontext.gregs[REG_IP] = (greg_t)poke_end;
}

static uint32_t word_of(const char *p)
{
	return *(const volatile uint32_t *)p;
}

static void poke_others(uint32_t *seed)
{
	for (int i = 0; i < POKES; i++) {
		unsigned int who = random_next(seed) % THREADS;
		uint32_t before = number[who], found = word_of(replaced[who]);

		check(found == before || before == 0 || before != number[who]);
		poke(replaced[who] + 4);
		poke(guarded[who]);
	}
}

/* ---- what a thread does --------------------------------------------------- */

static void guard(int me, uint32_t *seed)
{
	uint32_t before;

	check(mprotect(guarded[me], PAGE, PROT_READ) == 0);
	before = word_of(guarded[me]);
	poke_others(seed);
	check(word_of(guarded[me]) == before);
	check(mprotect(guarded[me], PAGE, PROT_READ | PROT_WRITE) == 0);
}

static void replace(int me)
{
	char *p = replaced[me];
	uint32_t n = number[me] + 1;

	number[me] = 0;
	check(mmap(p, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		   MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p);
	*(volatile uint32_t *)p = n;
	number[me] = n;
}

/* Takes pages that others have given back, and gives them back. */
static void churn(uint32_t *seed)
{
	size_t bytes = (random_next(seed) % BUFFER_PAGES + 1) * PAGE;
	size_t half = bytes / 2 & ~(PAGE - 1);
	uint32_t mine = random_next(seed);
	char *p = map(bytes, MAP_PRIVATE);

	fill(p, bytes, mine);
	poke_others(seed);
	check(filled(p, bytes, mine));
	if (half) {
		check(munmap(p, half) == 0);
		poke_others(seed);
		fill(p + half, bytes - half, mine + 1);
		check(filled(p + half, bytes - half, mine + 1));
	}
	check(munmap(p + half, bytes - half) == 0);
}

static void transfer(uint32_t *seed)
{
	for (int i = 0; i < POKES; i++) {
		uint32_t value = random_next(seed);

		atomic_fetch_add(&shared[random_next(seed) % SHARED_WORDS],
				 value);
		atomic_fetch_sub(&shared[random_next(seed) % SHARED_WORDS],
				 value);
	}
}

/* Nobody else is in this process, and so nothing changes. */
static void child(const char *buffer, uint32_t mine, uint32_t *seed)
{
	uint32_t before[2 * THREADS];

	for (int i = 0; i < THREADS; i++) {
		before[2 * i] = word_of(guarded[i]);
		before[2 * i + 1] = word_of(replaced[i] + 4);
	}
	check(filled(buffer, BUFFER_PAGES * PAGE, mine));
	transfer(seed);
	for (int i = 0; i < THREADS; i++) {
		check(word_of(guarded[i]) == before[2 * i]);
		check(word_of(replaced[i] + 4) == before[2 * i + 1]);
		/* In our copy. */
		*(volatile uint32_t *)replaced[i] = 0;
	}
}

static void fork_and_wait(char *buffer, uint32_t *seed)
{
	uint32_t mine = random_next(seed), code = random_next(seed) % 100;
	int exec = random_next(seed) % 4 == 0, status;
	char argument[4];
	pid_t pid;

	fill(buffer, BUFFER_PAGES * PAGE, mine);
	sprintf(argument, "%u", code);
	pid = fork();
	if (pid == 0) {
		child(buffer, mine, seed);
		if (exec)
			execl(self, self, "exit", argument, (char *)NULL);
		_exit(exec ? 127 : (int)code);
	}
	check(pid > 0);
	/* Both break the sharing, at once. */
	fill(buffer, BUFFER_PAGES * PAGE, mine + 1);
	poke_others(seed);
	check(waitpid(pid, &status, 0) == pid);
	check(WIFEXITED(status) && WEXITSTATUS(status) == (int)code);
	check(filled(buffer, BUFFER_PAGES * PAGE, mine + 1));
}

static void *short_thread(void *arg)
{
	volatile char stack[8 * PAGE];

	for (size_t i = 0; i < sizeof(stack); i += PAGE)
		stack[i] = (char)(uintptr_t)arg;
	for (size_t i = 0; i < sizeof(stack); i += PAGE)
		check(stack[i] == (char)(uintptr_t)arg);
	return arg;
}

static void create_and_join(uint32_t *seed)
{
	void *value = (void *)(uintptr_t)random_next(seed), *result;
	pthread_t id;

	check(pthread_create(&id, NULL, short_thread, value) == 0);
	check(pthread_join(id, &result) == 0 && result == value);
}

static void *thread(void *arg)
{
	int me = (int)(uintptr_t)arg;
	uint32_t seed = me * 12345;
	uintptr_t rounds = 0;
	char *buffer = map(BUFFER_PAGES * PAGE, MAP_PRIVATE);
	struct timespec now;

	do {
		for (int i = 0; i < 8; i++) {
			guard(me, &seed);
			replace(me);
			churn(&seed);
			transfer(&seed);
		}
		create_and_join(&seed);
		fork_and_wait(buffer, &seed);
		rounds++;
		check(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
	} while (now.tv_sec < end);
	return (void *)rounds;
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_sigaction = on_fault,
				.sa_flags = SA_SIGINFO };
	pthread_t id[THREADS];
	struct timespec now;
	uintptr_t rounds = 0;
	uint32_t sum = 0;
	void *result;

	if (argc == 3)
		return atoi(argv[2]);
	self = argv[0];
	first = getpid();
	check(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
	end = now.tv_sec + (argc == 2 ? atoi(argv[1]) : SECONDS);
	check(sigaction(SIGSEGV, &sa, NULL) == 0);
	shared = map(SHARED_WORDS * sizeof(*shared), MAP_SHARED);
	for (int i = 0; i < THREADS; i++) {
		guarded[i] = map(PAGE, MAP_PRIVATE);
		replaced[i] = map(PAGE, MAP_PRIVATE);
	}
	for (uintptr_t i = 0; i < THREADS; i++)
		check(pthread_create(&id[i], NULL, thread, (void *)i) == 0);
	for (int i = 0; i < THREADS; i++) {
		check(pthread_join(id[i], &result) == 0);
		rounds += (uintptr_t)result;
	}
	for (int i = 0; i < SHARED_WORDS; i++)
		sum += shared[i];
	check(sum == 0);
	printf("stress: OK, %lu rounds\n", (unsigned long)rounds);
	return 0;
}

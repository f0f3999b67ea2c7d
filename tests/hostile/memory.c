// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process that changes its address space all the time: every change goes
 * through the kernel's batches of table entries and the hypervisor's shadow.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "hostile.h"

#define ARENA		0x60000000u	/* where three tables meet */
#define PAGES		2048u

static uint32_t state = 0x2545f491;

static uint32_t random32(void)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

CODE(code_get, "mov (%ebx), %eax");
static bool reads(uint32_t at, uint32_t *word)
{
	run(code_get, at, 0, 0);
	*word = seen.eax;
	return seen.sig == SIGTRAP;
}

CODE(code_put, "mov %ecx, (%ebx)");
static bool writes(uint32_t at, uint32_t word)
{
	run(code_put, at, word, 0);
	return seen.sig == SIGTRAP;
}

/* What a page must be: absent, or of this right and with this word. */
static struct { bool there, writable; uint32_t word; } model[PAGES];

static uint32_t page_at(uint32_t n)
{
	return ARENA - PAGES / 2 * PAGE + n * PAGE;
}

static void change(uint32_t n, uint32_t count)
{
	uint32_t at = page_at(n), how = random32() % 6;
	int prot = how & 1 ? PROT_READ : PROT_READ | PROT_WRITE;

	switch (how) {
	case 0 ... 1:
		map_at(at, count * PAGE, prot);
		break;
	case 2 ... 3:
		mprotect((void *)at, count * PAGE, prot);
		break;
	case 4:
		munmap((void *)at, count * PAGE);
		break;
	default:
		madvise((void *)at, count * PAGE, MADV_DONTNEED);
	}
	for (bool hole = false; count--; n++) {
		if (how < 2) {
			model[n].there = true;
			model[n].word = 0;
			model[n].writable = prot & PROT_WRITE;
		} else if (how < 4) {
			/* it ends at the first hole */
			hole |= !model[n].there;
			if (!hole)
				model[n].writable = prot & PROT_WRITE;
		} else if (how == 4) {
			model[n].there = model[n].writable = false;
		} else if (model[n].there) {
			model[n].word = 0;
		}
	}
}

static uint32_t wrong_pages(void)
{
	uint32_t wrong = 0, word;

	for (uint32_t n = random32() % 16; n < PAGES;
	     n += 1 + random32() % 64) {
		bool there = reads(page_at(n), &word);

		wrong += there != model[n].there ||
			 (there && word != model[n].word);
		word = random32();
		wrong += writes(page_at(n), word) != model[n].writable;
		if (model[n].writable)
			model[n].word = word;
	}
	return wrong;
}

static void churn(const struct attack *a)
{
	uint32_t wrong = 0;

	state += a->arg;
	for (int round = 0; round < 400; round++) {
		uint32_t n = random32() % PAGES;
		uint32_t count = random32() % (round & 7 ? 8 : 600) + 1;

		change(n, count < PAGES - n ? count : PAGES - n);
		if (round % 8)
			continue;
		wrong += wrong_pages();
		if (round % 64 == 0 && a->arg) {
			pid_t pid = fork();
			int status;

			if (!pid)
				_exit(wrong_pages() != 0);
			waitpid(pid, &status, 0);
			wrong += status != 0;
		}
	}
	say("%u wrong", wrong);
}

CODE(code_crowd, "mov %edx, %es\n1:\tmov %es:0, %eax\n\t"
      "incl %es:4\n\tcmp %eax, %ebx\n\tjne 2f\n\tloop 1b\n"
      "2:\tmov %es:4, %ecx");
/* Many at once, each with pages, an LDT and a stack segment of its own. */
static void crowd(const struct attack *a)
{
	uint32_t *page = map_at(0, PAGE, PROT_READ | PROT_WRITE);
	unsigned int good = 0;
	int status;

	(void)a;
	for (uint32_t n = 0; n < 12; n++) {
		if (fork())
			continue;
		ldt_set(n, (uint32_t)page, PAGE - 1, DATA, true, false);
		page[0] = n * 0x1001;
		alarms_left = 1 << 30;
		clock_start();
		run(code_crowd, n * 0x1001, 400000, LDT(n));
		_exit(seen.sig == SIGTRAP && seen.ecx == 400000 &&
		      seen.eax == n * 0x1001 && seen.es == LDT(n));
	}
	while (wait(&status) > 0)
		good += WIFEXITED(status) && WEXITSTATUS(status) == 1;
	say("%u good", good);
}

/* One page, written and run by turns, through two views. */
static void code_changes(const struct attack *a)
{
	int fd = memfd_create("code", 0);
	uint8_t *w, *x;
	uint32_t sum = 0;

	(void)a;
	ftruncate(fd, PAGE);
	w = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	x = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	for (uint32_t i = 0; i < 500; i++) {
		memcpy(w, "\xb8\0\0\0\0\xcc", 6);	/* mov eax, i */
		memcpy(w + 1, &i, 4);
		if (i % 3 == 0)
			mprotect(x, PAGE, i % 2 ? PROT_READ | PROT_EXEC : RWX);
		run(x, 0, 0, 0);
		sum += seen.eax;
	}
	say("%u", sum);
}

/* Pointers into what is not the process's, and across its ends. */
static void bad_pointers(const struct attack *a)
{
	uint8_t *page = map_at(0, 2 * PAGE, PROT_READ | PROT_WRITE);
	const uint32_t at[] = {
		0, (uint32_t)page + PAGE - 2, 0xbffffff0, 0xbffffffe,
		0xc0000000, 0xfc000000, 0xfc010000, 0xfffffff8, 0xffffffff,
	};
	int pipes[2];

	(void)a;
	munmap(page + PAGE, PAGE);
	pipe(pipes);
	for (size_t i = 0; i < sizeof(at) / sizeof(*at); i++) {
		say("%ld ", syscall(SYS_write, pipes[1], at[i], 64) < 0 ?
		    -(long)errno : 1);
		say("%ld ", syscall(SYS_getcwd, at[i], 64) < 0 ?
		    -(long)errno : 1);
		say("%ld ", syscall(SYS_rt_sigaction, SIGUSR1, NULL, at[i], 8)
		    < 0 ? -(long)errno : 1);
		say("%ld, ", syscall(SYS_modify_ldt, 0, at[i], 64) < 0 ?
		    -(long)errno : 0);
	}
}

/* Where a process may map nothing; and calls it has no use for. */
static void refused_maps(const struct attack *a)
{
	static const uint32_t at[] = { 0, 0xc0000000, 0xbffff000, 0xfbc00000,
				       0xfc000000, 0xfffff000 };

	(void)a;
	for (size_t i = 0; i < sizeof(at) / sizeof(*at); i++) {
		void *p = mmap((void *)at[i], 2 * PAGE, RWX, MAP_PRIVATE |
			       MAP_ANONYMOUS | MAP_FIXED, -1, 0);

		say("%d ", p == MAP_FAILED ? errno : 0);
	}
	say("%d ", syscall(SYS_vm86, 1, map_at(0, PAGE, RWX)) ? errno : 0);
	say("%d ", syscall(SYS_iopl, 3) ? errno : 0);
	say("%d ", syscall(SYS_ioperm, 0x60, 8, 1) ? errno : 0);
	say("%d ", open("/dev/mem", O_RDWR) < 0);
	say("%d", open("/dev/port", O_RDWR) < 0);
}

const struct attack memory_attacks[] = {
	ATTACK_ARG("churn", churn, 0, "0 wrong"),
	ATTACK_ARG("churn_forks", churn, 1, "0 wrong"),
	ATTACK(crowd, "12 good"),
	ATTACK(code_changes, "124750"),
	ATTACK(bad_pointers, NULL),
	ATTACK(refused_maps, NULL),
	ATTACKS_END
};

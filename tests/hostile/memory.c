// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process that changes its address space all the time: every change goes
 * through the kernel's batches of table entries and the hypervisor's shadow.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "hostile.h"

#define ARENA		0x60000000ul	/* where three tables meet */
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
static bool reads(uintptr_t at, uint32_t *word)
{
	run(code_get, at, 0, 0);
	*word = seen.ax;
	return seen.sig == SIGTRAP;
}

CODE(code_put, "mov %ecx, (%ebx)");
static bool writes(uintptr_t at, uint32_t word)
{
	run(code_put, at, word, 0);
	return seen.sig == SIGTRAP;
}

/* What a page must be: absent, or of this right and with this word. */
static struct { bool there, writable; uint32_t word; } model[PAGES];

static uintptr_t page_at(uint32_t n)
{
	return ARENA - PAGES / 2 * PAGE + n * PAGE;
}

static void change(uint32_t n, uint32_t count)
{
	uint32_t how = random32() % 6;
	uintptr_t at = page_at(n);
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
		sum += seen.ax;
	}
	say("%u", sum);
}

const struct attack memory_attacks[] = {
	ATTACK_ARG("churn", churn, 0, "0 wrong"),
	ATTACK_ARG("churn_forks", churn, 1, "0 wrong"),
	ATTACK(code_changes, "124750"),
	ATTACKS_END
};

// SPDX-License-Identifier: GPL-2.0-only
/* Many processes with an LDT each, pointers that are none, and calls that a
 * process has no use for. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "hostile.h"

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
		_exit(seen.sig == SIGTRAP && seen.cx == 400000 &&
		      seen.ax == n * 0x1001 && seen.es == LDT(n));
	}
	while (wait(&status) > 0)
		good += WIFEXITED(status) && WEXITSTATUS(status) == 1;
	say("%u good", good);
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

const struct attack pointer_attacks[] = {
	ATTACK(crowd, "12 good"),
	ATTACK(bad_pointers, NULL),
	ATTACK(refused_maps, NULL),
	ATTACKS_END
};

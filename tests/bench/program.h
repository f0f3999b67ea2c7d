/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What programs of the guest that measure have in common. They have no libc, so
 * that they are small and every instruction in them is known. Not each uses all.
 */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stdint.h>

#define PAGE		4096u

#ifdef __x86_64__
#define SYS_read	0
#define SYS_write	1
#define SYS_open	2
#define SYS_close	3
#define SYS_mmap	9
#define SYS_mprotect	10
#define SYS_munmap	11
#define SYS_sigaction	13
#define SYS_pipe	22
#define SYS_sched_yield	24
#define SYS_madvise	28
#define SYS_pause	34
#define SYS_nanosleep	35
#define SYS_getpid	39
#define SYS_fork	57
#define SYS_execve	59
#define SYS_exit	60
#define SYS_waitpid	61	/* wait4 */
#define SYS_kill	62
#else
#define SYS_exit	1
#define SYS_fork	2
#define SYS_read	3
#define SYS_write	4
#define SYS_open	5
#define SYS_close	6
#define SYS_waitpid	7
#define SYS_execve	11
#define SYS_getpid	20
#define SYS_pause	29
#define SYS_kill	37
#define SYS_pipe	42
#define SYS_munmap	91
#define SYS_mprotect	125
#define SYS_sched_yield	158
#define SYS_nanosleep	162
#define SYS_sigaction	67
#define SYS_mmap2	192
#define SYS_madvise	219
#endif

#define PROT_READ	1
#define PROT_WRITE	2
#define MAP_SHARED	1
#define MAP_PRIVATE	2
#define MAP_ANONYMOUS	0x20
#define MADV_DONTNEED	4
#define SIGKILL		9
#define SIGUSR1		10
#define SA_RESTORER	0x04000000

/* ---- system calls ------------------------------------------------------- */

#ifdef __x86_64__
static inline long sys4(long nr, long a, long b, long c, long d)
{
	register long r10 asm("r10") = d;
	long ret;

	asm volatile("syscall" : "=a"(ret)
		     : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10)
		     : "rcx", "r11", "memory");
	return ret;
}

static inline long sys(long nr, long a, long b, long c)
{
	long ret;

	asm volatile("syscall" : "=a"(ret) : "0"(nr), "D"(a), "S"(b), "d"(c)
		     : "rcx", "r11", "memory");
	return ret;
}
#else
static inline long sys4(long nr, long a, long b, long c, long d)
{
	register long esi asm("esi") = d;
	long ret;

	asm volatile("int $0x80" : "=a"(ret)
		     : "0"(nr), "b"(a), "c"(b), "d"(c), "r"(esi) : "memory");
	return ret;
}

static inline long sys(long nr, long a, long b, long c)
{
	long ret;

	asm volatile("int $0x80" : "=a"(ret) : "0"(nr), "b"(a), "c"(b), "d"(c)
		     : "memory");
	return ret;
}
#endif

static void die(const char *why);

static char *map(uint32_t pages, int flags)
{
	long ret;

#ifdef __x86_64__
	register long r10 asm("r10") = flags | MAP_ANONYMOUS;
	register long r8 asm("r8") = -1, r9 asm("r9") = 0;

	asm volatile("syscall" : "=a"(ret)
		     : "0"(SYS_mmap), "D"(0), "S"((long)pages * PAGE),
		       "d"(PROT_READ | PROT_WRITE), "r"(r10), "r"(r8), "r"(r9)
		     : "rcx", "r11", "memory");
#else
	register long esi asm("esi") = flags | MAP_ANONYMOUS;

	/* mmap2(0, length, prot, flags, -1, 0): ebp = 0 is the offset. */
	asm volatile("push %%ebp; xor %%ebp, %%ebp; int $0x80; pop %%ebp"
		     : "=a"(ret)
		     : "0"(SYS_mmap2), "b"(0), "c"(pages * PAGE),
		       "d"(PROT_READ | PROT_WRITE), "S"(esi), "D"(-1)
		     : "memory");
#endif
	if (ret < 0 && ret > -4096)
		die("mmap");
	return (char *)ret;
}

static void unmap(char *p, uint32_t pages)
{
	sys(SYS_munmap, (long)p, pages * PAGE, 0);
}

static uint32_t length(const char *s)
{
	const char *p = s;

	while (*p)
		p++;
	return p - s;
}

static void put(const char *s)
{
	sys(SYS_write, 1, (long)s, length(s));
}

static void die(const char *why)
{
	put("bench: failed: ");
	put(why);
	put("\n");
	sys(SYS_exit, 1, 0, 0);
	__builtin_unreachable();
}

static void put_number(uint64_t n)
{
	char digits[24], *p = digits + sizeof(digits) - 1;

	*p = '\0';
	do {
		/* 32-bit steps: there is no library for 64-bit division. */
		uint32_t hi = n >> 32, lo = n, q1 = hi / 10, rest = hi % 10;
		uint32_t q0;

		asm("divl %4" : "=a"(q0), "=d"(rest)
		    : "0"(lo), "1"(rest), "r"(10) : "cc");
		*--p = '0' + rest;
		n = (uint64_t)q1 << 32 | q0;
	} while (n);
	put(p);
}

static int fork_or_die(void)
{
	int pid = sys(SYS_fork, 0, 0, 0);

	if (pid < 0)
		die("fork");
	return pid;
}

static void wait_for(int pid)
{
	int status;

	if (sys4(SYS_waitpid, pid, (long)&status, 0, 0) != pid || status)
		die("a child process failed");
}

/* ---- measuring ---------------------------------------------------------- */

static inline uint64_t ticks(void)
{
	uint32_t lo, hi;

	asm volatile("rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

/* No operation, but profile.c sees it go by: NOP dword [xax + xax + name]. */
#define MARK(name)	asm volatile(".byte 0x0f, 0x1f, 0x84, 0x00\n"	\
				     ".ascii \"" name "\"" : : : "memory")

static void touch(char *p, uint32_t pages)
{
	uint32_t i;

	for (i = 0; i < pages; i++)
		*(volatile char *)(p + i * PAGE) = 1;
}

#ifdef __x86_64__
asm(".globl _start\n_start: mov %rsp, %rdi; and $-16, %rsp; call start_c");
#else
asm(".globl _start\n_start: mov %esp, %eax; and $-16, %esp; call start_c");
#endif

#endif

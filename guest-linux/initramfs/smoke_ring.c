// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the rings keep a process from, and the signal that it gets for it. As a
 * program of 32 bits on kernels of either width, or of 64 bits.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <string.h>
#include <sys/ucontext.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "smoke.h"

#ifdef __x86_64__
#define AX	"%%rax"
#define SP	"%%rsp"
#define REG_IP	REG_RIP
#else
#define AX	"%%eax"
#define SP	"%%esp"
#define REG_IP	REG_EIP
#endif

static int kernel_of_64_bits(void)
{
	struct utsname name;

	check(uname(&name) == 0);
	return !strcmp(name.machine, "x86_64");
}

/* ---- addresses ------------------------------------------------------------ */

static void check_no_access(uintptr_t va)
{
	check(read_signal((char *)va) == SIGSEGV);
	check(write_signal((char *)va) == SIGSEGV);
}

void check_kernel_space(void)
{
#ifdef __x86_64__
	/* Behind the last page, not canonical, and a part of each 512 GB. */
	check_no_access(0x7ffffffff000u);
	check_no_access(0x800000000000u);
	check_no_access(0xffff7fffffffffffu);
	for (uintptr_t va = 0xffff800000000000u; va; va += 1ull << 39)
		check_no_access(va + 0x10004);
	for (uintptr_t va = 0xffffffff80000000u; va; va += 0x200000u) {
		check_no_access(va);
		check_no_access(va + 0x10004);
	}
	check_no_access(0xfffffffffffffffcu);
#else
	if (kernel_of_64_bits())
		return;		/* it is elsewhere */
	for (uint32_t va = 0xc0000000u; va; va += 0x400000u) {
		check_no_access(va);
		check_no_access(va + 0x10004);
	}
	check_no_access(0xfc000000u);
	check_no_access(0xfffffffcu);
#endif
}

/* ---- instructions --------------------------------------------------------- */

/* What a process may not do, and what it gets for it: SDM 6.15. */
uint32_t part_traps(uint32_t h)
{
	uint32_t kernel_cs = kernel_of_64_bits() ? 0x10 : 0x60;
	struct {
		uint32_t	offset;
		uint16_t	selector;
	} __attribute__((packed)) nowhere = { 0, 0x1230 };
	unsigned long flags;

#define trap(insn, expected, vector, error) do {			\
	check(signal_of(__asm__ volatile(insn				\
			: : "d"(kernel_cs), "m"(nowhere)		\
			: "eax", "memory")) == (expected));		\
	check(fault_trapno == (vector) && fault_error == (error));	\
	h = hash(h, (vector) * 65536 + (error));			\
} while (0)
/* Of a 64-bit kernel, QEMU's TCG has 16 where the manual has 8. */
#define trap_int(nr) do {						\
	check(signal_of(__asm__ volatile("int $" #nr)) == SIGSEGV);	\
	check(fault_trapno == 13 && (fault_error == (nr) * 8 + 2 ||	\
	      (kernel_cs == 0x10 && fault_error == (nr) * 16 + 2)));	\
	h = hash(h, nr);						\
} while (0)
	trap("ud2", SIGILL, 6, 0);
	trap("int3", SIGTRAP, 3, 0);
	trap("cli", SIGSEGV, 13, 0);
	trap("sti", SIGSEGV, 13, 0);
	trap("hlt", SIGSEGV, 13, 0);
	trap("inb $0x80, %%al", SIGSEGV, 13, 0);
	trap("outb %%al, $0x64", SIGSEGV, 13, 0);
	trap("mov %%cr0, " AX, SIGSEGV, 13, 0);
	trap("mov %%cr3, " AX, SIGSEGV, 13, 0);
	trap("clts", SIGSEGV, 13, 0);
	trap("invlpg (" SP ")", SIGSEGV, 13, 0);
	trap_int(0x0e);
	trap_int(0x30);
	trap_int(0x82);
	trap("mov %w0, %%es", SIGSEGV, 13, kernel_cs);
	trap("ljmp *%1", SIGSEGV, 13, 0x1230);
	trap("xor %%eax, %%eax; div %%al", SIGFPE, 0, 0);
#undef trap
#undef trap_int

	/* Interrupts stay on whatever a process asks for. */
	__asm__ volatile("pushf; andl $~0x200, (" SP "); popf;"
			 "pushf; pop %0" : "=r"(flags) : : "memory", "cc");
	check(flags & 0x200);
	/* One step, reported with a debug trap. */
	check(signal_of(__asm__ volatile("pushf; orl $0x100, (" SP "); popf;"
					 "nop" : : : "memory", "cc")) ==
	      SIGTRAP);
	check(fault_trapno == 1);
	__asm__ volatile("pushf; pop %0" : "=r"(flags));
	return hash(h, flags & 0x100);
}

/* ---- contexts ------------------------------------------------------------- */

/* What on_spoil() ruins of the interrupted context. */
enum spoilt { CS, SS, IP };
static enum spoilt spoilt;
static uintptr_t spoil_value;

static void on_spoil(int sig, siginfo_t *info, void *context)
{
	greg_t *reg = ((ucontext_t *)context)->uc_mcontext.gregs;

	(void)sig;
	(void)info;
	if (spoilt == IP) {
		reg[REG_IP] = spoil_value;
		return;
	}
#ifdef __x86_64__
	/* cs, gs, fs, ss: 16 bits each */
	((uint16_t *)&reg[REG_CSGSFS])[spoilt == CS ? 0 : 3] = spoil_value;
#else
	reg[spoilt == CS ? REG_CS : REG_SS] = spoil_value;
#endif
}

/* A frame that cannot be returned to must kill the process, not the kernel. */
static uint32_t bad_frame(uint32_t h, enum spoilt what, uintptr_t value,
			  int expected)
{
	struct sigaction sa = { .sa_sigaction = on_spoil,
				.sa_flags = SA_SIGINFO };
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		spoilt = what;
		spoil_value = value;
		signal(SIGSEGV, SIG_DFL);
		signal(SIGILL, SIG_DFL);
		signal(SIGBUS, SIG_DFL);
		check(sigaction(SIGUSR1, &sa, NULL) == 0);
		raise(SIGUSR1);
		_exit(0);
	}
	status = wait_status(pid);
	check(WIFSIGNALED(status) && WTERMSIG(status) == expected);
	return hash(h, WTERMSIG(status));
}

uint32_t part_frames(uint32_t h)
{
	/* What a kernel makes of the #GP of its IRET. */
	int refused = kernel_of_64_bits() ? SIGSEGV : SIGILL;

	h = bad_frame(h, CS, 0x1233, refused);	/* beyond the GDT */
	h = bad_frame(h, CS, 0x7b, refused);	/* data */
	h = bad_frame(h, SS, 0x73, refused);	/* code, or nothing */
	h = bad_frame(h, SS, 0xfff3, refused);
#ifdef __x86_64__
	h = bad_frame(h, IP, 0x800000000000u, SIGSEGV);
	h = bad_frame(h, IP, 0xffffffff81000000u, SIGSEGV);
	h = bad_frame(h, IP, 0xffffffffffe00000u, SIGSEGV);
#else
	h = bad_frame(h, IP, 0xfc000100u, SIGSEGV);
#endif
	return bad_frame(h, IP, 0, SIGSEGV);
}

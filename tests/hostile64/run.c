// SPDX-License-Identifier: GPL-2.0-only
/* hostile/run.c in 64-bit mode: code that raises signals. */
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/ucontext.h>

#include "hostile64.h"

#define LOW_STACK	(4 * PAGE)

extern uint64_t home_sp, home_fs_base;
extern uint16_t seen_selectors[4];
uint64_t home_sp, home_fs_base;
uint16_t seen_selectors[4];
extern const uint8_t landed[], on_signal_entry[];

/* The program is where 32-bit code may be, too. */
extern uint8_t low_stack[];
uint8_t low_stack[LOW_STACK] __attribute__((aligned(16)));
extern struct { uint32_t offset; uint16_t selector; } far32;
__typeof__(far32) far32;
CODE(code_enter32, "mov $0x2b, %eax\n\tmov %eax, %ds\n\tmov %eax, %es\n\t"
     "mov $low_stack + 0x3f00, %esp\n\tljmpl *far32");

/* What the signal says is kept, and everything put right. The kernel leaves the
 * handler AC and NT, and in 64-bit mode data segment registers and their bases,
 * of which FS is the C library's. */
__asm__(".pushsection .text\n"
	".globl run\n"
	"run:	push	%rbx\n"
	"	push	%rbp\n"
	"	push	%r12\n"
	"	push	%r13\n"
	"	push	%r14\n"
	"	push	%r15\n"
	"	mov	%rsp, home_sp\n"
	"	movl	$0, seen\n"
	"	mov	%rdi, %rax\n"
	"	mov	%rsi, %rbx\n"
	"	xchg	%rcx, %rdx\n"
	"	call	*%rax\n"
	".globl landed\n"
	"landed:\n"
	"	fninit\n"
	"	mov	home_sp, %rsp\n"
	"	push	$0x1f80\n"
	"	ldmxcsr	(%rsp)\n"
	"	push	$0x202\n"
	"	popfq\n"
	"	mov	home_sp, %rsp\n"
	"	xor	%eax, %eax\n"
	"	mov	%eax, %ds\n"
	"	mov	%eax, %es\n"
	"	pop	%r15\n"
	"	pop	%r14\n"
	"	pop	%r13\n"
	"	pop	%r12\n"
	"	pop	%rbp\n"
	"	pop	%rbx\n"
	"	ret\n"
	"on_signal_entry:\n"
	"	push	$0x202\n"
	"	popfq\n"
	"	mov	%ds, seen_selectors\n"
	"	mov	%es, seen_selectors + 2\n"
	"	mov	%fs, seen_selectors + 4\n"
	"	mov	%gs, seen_selectors + 6\n"
	"	xor	%eax, %eax\n"
	"	mov	%eax, %gs\n"
	"	mov	%rdi, %rbx\n"
	"	mov	%rsi, %rbp\n"
	"	mov	%rdx, %r12\n"
	"	mov	$158, %eax\n"		/* arch_prctl */
	"	mov	$0x1002, %edi\n"	/* ARCH_SET_FS */
	"	mov	home_fs_base, %rsi\n"
	"	syscall\n"
	"	mov	%rbx, %rdi\n"
	"	mov	%rbp, %rsi\n"
	"	mov	%r12, %rdx\n"
	"	jmp	on_signal\n"
	".popsection");

void on_signal(int sig, siginfo_t *info, void *context);
void on_signal(int sig, siginfo_t *info, void *context)
{
	greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;

	if (one_of_many(sig, r, r[REG_RIP]))
		return;
	seen.sig = sig;
	seen.code = info->si_code;
	seen.trap = r[REG_TRAPNO];
	seen.error = r[REG_ERR];
	seen.address = (reg_t)info->si_addr;
	seen.ip = r[REG_RIP];
	seen.sp = r[REG_RSP];
	seen.flags = r[REG_EFL];
	seen.cs = r[REG_CSGSFS] & 0xffff;
	seen.ss = (reg_t)r[REG_CSGSFS] >> 48;
	seen.ds = seen_selectors[0];
	seen.es = seen_selectors[1];
	seen.fs = seen_selectors[2];
	seen.gs = seen_selectors[3];
	seen.ax = r[REG_RAX];
	seen.bx = r[REG_RBX];
	seen.cx = r[REG_RCX];
	seen.dx = r[REG_RDX];
	seen.r11 = r[REG_R11];
	r[REG_RIP] = (greg_t)landed;
	r[REG_RSP] = home_sp;
	r[REG_CSGSFS] = USER_CS | (greg_t)USER_DS << 48;
	r[REG_EFL] = 0x202;
}

void catch_signals(void)
{
	check(syscall(SYS_arch_prctl, ARCH_GET_FS, &home_fs_base) == 0,
	      "arch_prctl");
	catch_signals_by((handler *)on_signal_entry);
}

void run32(const void *code, uint32_t bx, uint32_t cx, uint32_t dx)
{
	far32.offset = (uint32_t)(uintptr_t)code;
	far32.selector = USER32_CS;
	run(code_enter32, bx, cx, dx);
}

void digest_seen(const void *code)
{
	digest_add(seen.sig);
	digest_add(seen.code);
	if (!seen.sig)
		return;
	digest_add(seen.trap);
	digest_add(seen.error & ~0x10u);
	digest_add(seen.address);
	digest_add(seen.address >> 32);
	digest_add(seen.ip - (reg_t)code);
	digest_add(seen.cs);
}

const uint64_t foreign[] = {
	0x00007ffffffff000, 0x00007ffffffffff8, 0x00007ffffffffffe,
	0x00007fffffffffff, 0x0000800000000000, 0x0001000000000000,
	0x7fffffffffffffff, 0x8000000000000000, 0xffff7fffffffffff,
	0xffff800000000000, 0xffff880000000000, 0xffff888000000000,
	0xffffc90000000000, 0xffffea0000000000, 0xfffffe0000000000,
	0xffffffff80000000, 0xffffffff81000000, 0xffffffff82000000,
	TRAMPOLINE, TRAMPOLINE + 0x820, TRAMPOLINE + 0x1000,
	TRAMPOLINE + 0x2000, TRAMPOLINE + 0x3000, TRAMPOLINE + 0x4000,
	TRAMPOLINE + 0x5000, TRAMPOLINE + 0x6000, TRAMPOLINE + 0x7000,
	TRAMPOLINE + 0x8000, TRAMPOLINE + 0xa000, TRAMPOLINE + 0x10000,
	TRAMPOLINE - 8, 0xffffff0000000000, 0xfffffffffc000000,
	0xffffffffffc00000, 0xffffffffffe00000, 0xffffffffffe00100,
	0xffffffffffe00202, 0xffffffffffe0fffe, 0xffffffffffe10000,
	0xffffffffffe10004, 0xffffffffffe11000, 0xfffffffffffff000,
	0xfffffffffffffff8, 0xfffffffffffffffe, 0xffffffffffffffff,
};
const uint32_t foreign_count = sizeof(foreign) / sizeof(*foreign);

const struct attack *const *attacks(void)
{
	static const struct attack *const lists[] = {
		insn_attacks, mode_attacks, flow_attacks, segment_attacks,
		frame_attacks, random_attacks, memory_attacks, NULL,
	};

	return lists;
}

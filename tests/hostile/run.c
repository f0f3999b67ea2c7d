// SPDX-License-Identifier: GPL-2.0-only
/* Code that raises signals: what they say of it is kept, and everything put
 * right again. */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/ucontext.h>

#include "hostile.h"

#define USER_CS		0x73
#define USER_DS		0x7b

extern uint32_t home_esp, home_fs, home_gs;
uint32_t home_esp, home_fs, home_gs;
extern const uint8_t landed[];

/* What the signal says is kept, and everything put right. */
__asm__(".pushsection .text\n"
	".globl run\n"
	"run:	pushal\n"
	"	mov	%fs, home_fs\n"
	"	mov	%gs, home_gs\n"
	"	mov	%esp, home_esp\n"
	"	mov	36(%esp), %eax\n"
	"	mov	40(%esp), %ebx\n"
	"	mov	44(%esp), %ecx\n"
	"	mov	48(%esp), %edx\n"
	"	call	*%eax\n"
	".globl landed\n"
	"landed:\n"
	"	fninit\n"
	"	mov	home_esp, %esp\n"
	"	pushl	$0x1f80\n"
	"	ldmxcsr	(%esp)\n"
	"	pushl	$0x202\n"
	"	popfl\n"
	"	mov	home_esp, %esp\n"
	"	popal\n"
	"	ret\n"
	".popsection");

static void on_signal(int sig, siginfo_t *info, void *context)
{
	greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;

	if (one_of_many(sig, r, r[REG_EIP]))
		return;
	seen.sig = sig;
	seen.code = info->si_code;
	seen.trap = r[REG_TRAPNO];
	seen.error = r[REG_ERR];
	seen.address = (uint32_t)info->si_addr;
	seen.ip = r[REG_EIP];
	seen.sp = r[REG_ESP];
	seen.flags = r[REG_EFL];
	seen.cs = r[REG_CS] & 0xffff;
	seen.ss = r[REG_SS] & 0xffff;
	seen.ds = r[REG_DS] & 0xffff;
	seen.es = r[REG_ES] & 0xffff;
	seen.fs = r[REG_FS] & 0xffff;
	seen.gs = r[REG_GS] & 0xffff;
	seen.ax = r[REG_EAX];
	seen.bx = r[REG_EBX];
	seen.cx = r[REG_ECX];
	seen.dx = r[REG_EDX];
	r[REG_EIP] = (greg_t)landed;
	r[REG_ESP] = r[REG_UESP] = home_esp;
	r[REG_CS] = USER_CS;
	r[REG_SS] = r[REG_DS] = r[REG_ES] = USER_DS;
	r[REG_FS] = home_fs;
	r[REG_GS] = home_gs;
	r[REG_EFL] = 0x202;
}

void catch_signals(void)
{
	catch_signals_by(on_signal);
}

const struct attack *const *attacks(void)
{
	static const struct attack *lists[] = {
		insn_attacks, flow_attacks, segment_attacks, frame_attacks,
		memory_attacks, pointer_attacks, NULL, NULL,
	};

	if (under_hypervisor())
		lists[6] = vm86_attacks;
	return lists;
}

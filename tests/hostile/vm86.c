// SPDX-License-Identifier: GPL-2.0-only
/*
 * IRETD with VM set, which QEMU's TCG obeys at ring 3, with CS, IF and IOPL as
 * the user likes (a processor looks at VM in ring 0 alone: SDM Vol. 2, IRET).
 * Under the hypervisor the process is told of a fault, wherever it was, and
 * nobody else notices. Not natively, where TCG leaves it to the kernel.
 */
#include <signal.h>

#include "hostile.h"

#define VM		0x20002u
#define IF		0x200u
#define IOPL		0x3000u
#define NT		0x4000u
#define TF		0x100u
#define RF		0x10000u
#define LOW		0x1000u		/* vm.mmap_min_addr */
#define LOW_END		0x110000u
#define IP		0x2000u

/* EBX: CS, ECX: EFLAGS, EDX: ESP there. */
CODE(code_enter, "push $0\n\tpush $0\n\tpush $0\n\tpush $0\n\tpush $0x69\n\t"
		 "push %edx\n\tpush %ecx\n\tpush %ebx\n\tpush $0x2000\n\tiret");

struct way { uint32_t flags; const char *code; uint32_t length; bool fresh; };
#define WAY(flags, code, fresh)	{ flags, code, sizeof(code) - 1, fresh }

static const struct way ways[] = {
	WAY(VM | IF, "\xeb\xfe", false),		/* jmp $ */
	WAY(VM, "\xeb\xfe", false),
	WAY(VM | IOPL | IF, "\xfa\xeb\xfe", false),	/* cli */
	WAY(VM | IOPL | IF, "\xcd\x80", false),
	WAY(VM | IOPL, "\xcd\x80", false),
	WAY(VM | IOPL | IF, "\xcd\x82", false),
	WAY(VM | IOPL | IF, "\xcd\x21", false),
	WAY(VM | IF, "\xcc", false),
	WAY(VM | IF, "\xce\xf4", false),		/* into, hlt */
	WAY(VM | IF, "\xf4", false),
	WAY(VM | IOPL, "\xf4", false),
	WAY(VM | IF, "\x0f\x0b", false),
	WAY(VM | IF, "\xa0\x00\xc0\xf4", true),		/* mov al, [c000h] */
	WAY(VM, "\xa0\x00\xc0\xeb\xfe", true),
	WAY(VM | IOPL, "\xa2\x00\xc0\xcd\x80", true),
	WAY(VM | IF, "\xcf", false),			/* iret */
	WAY(VM | IF | TF, "\x90\x90\xf4", false),
	WAY(VM | IF | NT, "\xeb\xfe", false),
	WAY(VM | IF | RF, "\xf4", false),
	WAY(VM | IF, "\xf6\xf0\xf4", false),		/* div al */
	WAY(VM | IF, "\x0f\x34\xf4", false),		/* sysenter */
	WAY(VM | IF, "\xe4\x80\xf4", false),
	WAY(VM | IOPL | IF, "\xe4\x80\xf4", false),	/* in al, 80h */
	WAY(VM | IOPL | IF, "\x9d\xeb\xfe", false),	/* popf */
};

static void enter(uint32_t cs, const struct way *w)
{
	map_at(LOW, LOW_END - LOW, RWX);
	if (!w->fresh)
		*(volatile uint8_t *)0xc000 = 1;
	memcpy((void *)((cs << 4) + IP), w->code, w->length);
	if (cs == 0x73)		/* where a processor goes on, flat */
		*(volatile uint8_t *)IP = 0xf4;
	run(code_enter, cs, w->flags, 0x8000);
}

/* In the handler it would be too late for a process that became the kernel:
 * what counts is that uname and the rest stay as they are (main.c). */
static void vm86(const struct attack *a)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		enter(a->arg, &ways[i]);
		if (seen.sig != SIGSEGV)
			say("%zu: %s %u/%x, ", i, signal_name(seen.sig),
			    seen.trap, seen.error);
		if ((seen.cs & 3) != 3)
			say("%zu: cs %x, ", i, seen.cs);
	}
	say("end");
}

const struct attack vm86_attacks[] = {
	ATTACK_ARG("vm86_0", vm86, 0, "end"),
	ATTACK_ARG("vm86_kernel", vm86, 0x60, "end"),
	ATTACK_ARG("vm86_ring1", vm86, 0x61, "end"),
	ATTACK_ARG("vm86_ring2", vm86, 0x62, "end"),
	ATTACK_ARG("vm86_user", vm86, 0x73, "end"),
	ATTACK_ARG("vm86_hv", vm86, 0x1000, "end"),
	ATTACK_ARG("vm86_hv3", vm86, 0x1003, "end"),
	ATTACKS_END
};

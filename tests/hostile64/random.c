// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random bytes as one instruction, single-stepped: all registers lead to the
 * middle of memory that it may use. Where the step ends is compared, not what
 * the registers have then: some tell of the machine.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/mman.h>

#include "hostile64.h"

#define SCRATCH		0x10000000ul
#define SCRATCH_BYTES	(64 * PAGE)
#define TEXT		0x20000000ul

static uint64_t state = 0x9e3779b97f4a7c15;

static uint64_t random64(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* RBX: what all others become; RCX: the code. */
CODE(code_step64, "mov %rbx, %rsp\n\tpush %rcx\n\tpush $0x302\n\t"
     "mov %rbx, %rax\n\tmov %rbx, %rcx\n\tmov %rbx, %rdx\n\t"
     "mov %rbx, %rsi\n\tmov %rbx, %rdi\n\tmov %rbx, %rbp\n\t"
     "mov %rbx, %r8\n\tmov %rbx, %r9\n\tmov %rbx, %r10\n\t"
     "mov %rbx, %r11\n\tmov %rbx, %r12\n\tmov %rbx, %r13\n\t"
     "mov %rbx, %r14\n\tmov %rbx, %r15\n\tpopfq\n\tret");
CODE32(code_step32, "mov %ebx, %esp\n\tpush %ecx\n\tpush $0x302\n\t"
     "mov %ebx, %eax\n\tmov %ebx, %ecx\n\tmov %ebx, %edx\n\t"
     "mov %ebx, %esi\n\tmov %ebx, %edi\n\tmov %ebx, %ebp\n\tpopf\n\tret");

/* Behind its prefixes: what depends on the machine (VEX, EVEX, XOP), and what
 * insns.c and modes.c have (INT n, SYSCALL, SYSENTER, SYSEXIT, SGDT and its
 * kind). */
static bool differs(const uint8_t *p, bool wide)
{
	while (*p == 0x66 || *p == 0x67 || (*p & 0xe7) == 0x26 ||
	       (*p & 0xfe) == 0x64 || (*p & 0xfe) == 0xf2 || *p == 0xf0 ||
	       (wide && (*p & 0xf0) == 0x40))
		p++;
	if (*p == 0x0f)
		return p[1] <= 1 || p[1] == 5 || p[1] == 0x34 || p[1] == 0x35;
	return *p == 0xc4 || *p == 0xc5 || *p == 0x62 || *p == 0x8f ||
	       *p == 0xcd;
}

static void one(const uint8_t bytes[15], bool wide)
{
	memcpy((void *)TEXT, bytes, 15);
	steps_left = 2;		/* RET, and the instruction */
	seen.ip = TEXT;
	if (wide)
		run(code_step64, SCRATCH + SCRATCH_BYTES / 2, TEXT, 0);
	else
		run32(code_step32, SCRATCH + SCRATCH_BYTES / 2, TEXT, 0);
}

static void random_insns(const struct attack *a)
{
	bool wide = a->code == code_step64;
	uint32_t count = 0, traps = 0;
	uint8_t bytes[16];

	map_at(SCRATCH, SCRATCH_BYTES, PROT_READ | PROT_WRITE);
	map_at(TEXT, PAGE, RWX);
	memset((void *)TEXT, 0xcc, PAGE);
	while (count < a->arg) {
		for (int i = 0; i < 2; i++) {
			uint64_t r = random64();

			memcpy(bytes + i * 8, &r, 8);
		}
		if (count & 1)
			bytes[0] = 0x0f;
		if (differs(bytes, wide))
			continue;
		one(bytes, wide);
		count++;
		traps += seen.trap == 1;
		digest_add(seen.sig);
		digest_add(seen.trap);
		digest_add(seen.error & ~0x10u);
		digest_add(seen.ip);
		if (count % 500 == 0)
			say("%x ", digest);
	}
	say("%u steps, %x", traps, digest);
}

const struct attack random_attacks[] = {
	{ "random64", random_insns, code_step64, NULL, 2000 },
	{ "random32", random_insns, code_step32, NULL, 2000 },
	ATTACKS_END
};

// SPDX-License-Identifier: GPL-2.0-only
/*
 * A breakpoint that MOV SS puts off (SDM Vol. 3, 6.8.3) until SYSCALL is at the
 * hypervisor: it is lost there, and nothing of it is in DR6 at the next #DB. TCG
 * does not put it off.
 */
#include "lib.h"

#define MSR_EFER	0xc0000080u
#define MSR_STAR	0xc0000081u
#define MSR_LSTAR	0xc0000082u
#define DR6_B0		0x1u
#define DR6_BS		0x4000u
#define DR7_DATA_0	0x000f0402ull	/* 4 bytes, read or written; G0 */

MANIFEST(0);

extern const uint8_t on_db[];
volatile uint64_t dbs, dr6;

asm(".text\n"
    "on_db:\n"
    "	pushq	%rax\n"
    "	incq	dbs(%rip)\n"
    "	movq	%dr6, %rax\n"
    "	movq	%rax, dr6(%rip)\n"
    "	xorl	%eax, %eax\n"
    "	movq	%rax, %dr6\n"
    "	popq	%rax\n"
    "	andq	$~0x100, 16(%rsp)\n"
    "	iretq\n");

static void take_db(void)
{
	struct { uint16_t limit; uint64_t base; } __attribute__((packed)) idtr;
	uint64_t at = (uintptr_t)on_db;
	uint16_t *gate;

	asm volatile("sidt %0" : "=m"(idtr));
	gate = (uint16_t *)(idtr.base + 1 * 16);
	gate[0] = at;
	gate[3] = at >> 16;
	*(uint32_t *)(gate + 4) = at >> 32;
}

int run(const struct solo5_boot_info *info)
{
	static uint32_t sel __attribute__((aligned(4))) = SOLO5_DS | 1;

	(void)info;
	traps_init();
	take_db();
	wrmsr(MSR_STAR, (uint64_t)SOLO5_CS << 32);
	asm volatile("rdmsr; orl $1, %%eax; wrmsr"
		     : : "c"(MSR_EFER) : "rax", "rdx");
	asm volatile("leaq 1f(%%rip), %%rax; movq %%rax, %%rdx\n"
		     "shrq $32, %%rdx; movl %0, %%ecx; wrmsr\n"
		     "movq %1, %%rax; movq %%rax, %%dr0\n"
		     "movq %2, %%rax; movq %%rax, %%dr7\n"
		     "movw (%1), %%ss\n"
		     "syscall\n"
		     "1: xorl %%eax, %%eax; movq %%rax, %%dr7"
		     : : "i"(MSR_LSTAR), "r"((uint64_t)(uintptr_t)&sel),
			 "i"(DR7_DATA_0)
		     : "rax", "rcx", "rdx", "r11", "memory");
	CHECK(dbs == 0);
	asm volatile("pushfq; orq $0x100, (%%rsp); popfq; nop; nop" : : : "memory");
	CHECK(dbs == 1 && (dr6 & (DR6_BS | DR6_B0)) == DR6_BS);
	say("SUCCESS\n");
	return 0;
}

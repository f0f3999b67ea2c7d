// SPDX-License-Identifier: GPL-2.0-only
/*
 * Single instructions that 64-bit user mode may not use, that it has not, or
 * that trap; as hostile/insns.c. SDM Vol. 2 has the exception of each.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/mman.h>

#include "hostile64.h"

#define GP	"SEGV 13/0 +0"
#define UD	"ILL 6/0 +0"

/* Loads this address into RBX first: 10 bytes. */
#define AT(address, text) "movabs $" #address ", %rbx; " text
#define GP_AT	"SEGV 13/0 +10"

#define INSNS(X)							\
	X(hlt, "hlt", GP)						\
	X(cli, "cli", GP)						\
	X(sti, "sti", GP)						\
	X(in_imm, "in $0x80, %al", GP)					\
	X(in_dx, "in %dx, %eax", GP)					\
	X(out_imm, "out %al, $0x64", GP)				\
	X(out_dx, "outl %eax, %dx", GP)					\
	X(insb, "insb", GP)						\
	X(outsb, "outsb", GP)						\
	X(rep_insb, "rep insb", GP)					\
	X(lgdt, "lgdt (%rsp)", GP)					\
	X(lidt, "lidt (%rsp)", GP)					\
	X(lgdt_trampoline, AT(0xffff878000000000, "lgdt (%rbx)"), GP_AT) \
	X(lgdt_noncanonical, AT(0x800000000000, "lgdt (%rbx)"), GP_AT)	\
	X(lldt, "lldt %ax", GP)						\
	X(ltr, "ltr %ax", GP)						\
	X(lmsw, "lmsw %ax", GP)						\
	X(clts, "clts", GP)						\
	X(invd, "invd", GP)						\
	X(wbinvd, "wbinvd", GP)						\
	X(invlpg, "invlpg (%rsp)", GP)					\
	X(invpcid, "invpcid (%rsp), %rax", NULL)			\
	X(mov_from_cr0, "mov %cr0, %rax", GP)				\
	X(mov_from_cr2, "mov %cr2, %rax", GP)				\
	X(mov_from_cr3, "mov %cr3, %rax", GP)				\
	X(mov_from_cr4, "mov %cr4, %rax", GP)				\
	X(mov_from_cr8, "mov %cr8, %rax", GP)				\
	X(mov_to_cr0, "mov %rax, %cr0", GP)				\
	X(mov_to_cr2, "mov %rax, %cr2", GP)				\
	X(mov_to_cr3, "mov %rax, %cr3", GP)				\
	X(mov_to_cr4, "mov %rax, %cr4", GP)				\
	X(mov_to_cr8, "mov %rax, %cr8", GP)				\
	X(mov_from_dr0, "mov %db0, %rax", GP)				\
	X(mov_from_dr6, "mov %db6, %rax", GP)				\
	X(mov_from_dr7, "mov %db7, %rax", GP)				\
	X(mov_to_dr0, "mov %rax, %db0", GP)				\
	X(mov_to_dr7, "mov %rax, %db7", GP)				\
	X(rdmsr_efer, "mov $0xc0000080, %ecx; rdmsr", "SEGV 13/0 +5")	\
	X(rdmsr_lstar, "mov $0xc0000082, %ecx; rdmsr", "SEGV 13/0 +5")	\
	X(rdmsr_kernel_gs, "mov $0xc0000102, %ecx; rdmsr", "SEGV 13/0 +5") \
	X(wrmsr_efer, "mov $0xc0000080, %ecx; wrmsr", "SEGV 13/0 +5")	\
	X(wrmsr_fs, "mov $0xc0000100, %ecx; wrmsr", "SEGV 13/0 +5")	\
	X(rdpmc, "rdpmc", GP)						\
	X(sysexit, ".byte 0x0f, 0x35", NULL)				\
	X(sysexitq, ".byte 0x48, 0x0f, 0x35", NULL)			\
	X(sysret, ".byte 0x0f, 0x07", GP)				\
	X(sysretq, ".byte 0x48, 0x0f, 0x07", GP)			\
	X(swapgs, "swapgs", GP)						\
	X(xsetbv, "xor %ecx, %ecx; xgetbv; xsetbv", NULL)	\
	X(xsetbv_all, "xor %ecx, %ecx; mov $-1, %eax; cdq; xsetbv",	\
	  NULL)								\
	X(xgetbv_no_such, "mov $77, %ecx; xgetbv", NULL)	\
	X(xsaves, ".byte 0x0f, 0xc7, 0x2c, 0x24", NULL)			\
	X(xrstors, ".byte 0x0f, 0xc7, 0x1c, 0x24", NULL)		\
	X(vmlaunch, ".byte 0x0f, 0x01, 0xc2", UD)			\
	X(vmrun, ".byte 0x0f, 0x01, 0xd8", NULL)			\
	X(vmload, ".byte 0x0f, 0x01, 0xda", NULL)			\
	X(vmcall_none, "mov $-1, %eax; vmcall", NULL)			\
	X(vmcall_reset, "xor %eax, %eax; vmcall", NULL)			\
	X(vmmcall_none, "mov $-1, %eax; vmmcall", NULL)			\
	X(stgi, ".byte 0x0f, 0x01, 0xdc", NULL)				\
	X(clgi, ".byte 0x0f, 0x01, 0xdd", NULL)				\
	X(skinit, ".byte 0x0f, 0x01, 0xde", NULL)			\
	X(getsec, ".byte 0x0f, 0x37", NULL)				\
	X(encls, ".byte 0x0f, 0x01, 0xcf", NULL)			\
	X(monitor, ".byte 0x0f, 0x01, 0xc8", NULL)			\
	X(mwait, ".byte 0x0f, 0x01, 0xc9", NULL)			\
	X(clac, ".byte 0x0f, 0x01, 0xca", UD)				\
	X(stac, ".byte 0x0f, 0x01, 0xcb", UD)				\
	X(rsm, ".byte 0x0f, 0xaa", UD)					\
	X(ud2, "ud2", UD)						\
	X(sgdt, "sub $16, %rsp; sgdt (%rsp)", NULL)			\
	X(sidt, "sub $16, %rsp; sidt (%rsp)", NULL)			\
	X(smsw, "xor %eax, %eax; smsw %eax", NULL)			\
	X(sldt, "xor %eax, %eax; sldt %eax", NULL)			\
	X(str, "xor %eax, %eax; str %eax", NULL)			\
	X(mov_cs, ".byte 0x8e, 0xc8", UD)				\
	X(push_es, ".byte 0x06", UD)					\
	X(pop_ds, ".byte 0x1f", UD)					\
	X(das, ".byte 0x2f", UD)					\
	X(aas, ".byte 0x3f", UD)					\
	X(pusha, ".byte 0x60", UD)					\
	X(popa, ".byte 0x61", UD)					\
	X(group_82, ".byte 0x82, 0xc0, 0", UD)				\
	X(lcall_direct, ".byte 0x9a, 0, 0, 0, 0, 0x23, 0", UD)		\
	X(ljmp_direct, ".byte 0xea, 0, 0, 0, 0, 0x23, 0", UD)		\
	X(into, ".byte 0xce", UD)					\
	X(aam, ".byte 0xd4, 0", UD)					\
	X(salc, ".byte 0xd6", UD)					\
	X(f00f, ".byte 0xf0, 0x0f, 0xc7, 0xc8", UD)			\
	X(lock_nop, ".byte 0xf0, 0x90", UD)				\
	X(rex_hlt, ".byte 0x48; hlt", GP)				\
	X(too_long, ".fill 15, 1, 0x66; nop", GP)			\
	X(hlt_prefixed, ".byte 0x66, 0x67, 0xf3, 0x2e, 0x4f; hlt", GP)	\
	X(int3, "int3", "TRAP 3/0 +1")					\
	X(int3_long, ".byte 0xcd, 0x03", "TRAP 3/0 +2")			\
	X(icebp, ".byte 0xf1", NULL)					\
	X(div_zero, "xor %ecx, %ecx; div %rcx", "FPE 0/0 +2")		\
	X(idiv_min, "movabs $0x8000000000000000, %rax; cqo; "		\
	  "or $-1, %rcx; idiv %rcx", "FPE 0/0 +16")			\
	X(cmpxchg16b, "cmpxchg16b 1(%rsp)", GP)				\
	X(movaps, "movaps %xmm0, 1(%rsp)", GP)				\
	X(wrfsbase_kernel, AT(0xffff878000000000, "wrfsbase %rbx; "	\
	  "mov %fs:0, %rax"), NULL)					\
	X(wrgsbase_kernel, AT(0xffff878000000000, "wrgsbase %rbx; "	\
	  "mov %gs:0, %rax"), NULL)					\
	X(wrgsbase_rom, AT(0xffffffffffe00000, "wrgsbase %rbx; "	\
	  "mov %gs:0, %rax"), NULL)					\
	X(wrgsbase_call, AT(0xffffffff82000000, "wrgsbase %rbx; "	\
	  "mov $39, %eax; syscall; rdgsbase %rax; cmp %rbx, %rax; je 1f; " \
	  "ud2; 1: nop"), NULL)						\
	X(gs_wraps, AT(0xfffffffffffffff8, "wrgsbase %rbx; "		\
	  "mov %gs:16, %rax"), NULL)					\
	X(swapgs_behind_gs, AT(0xffff878000000000, "wrgsbase %rbx; "	\
	  "swapgs"), "SEGV 13/0 +15")					\
	X(mov_gs_null, "xor %eax, %eax; mov %eax, %gs; rdgsbase %rax",	\
	  NULL)								\
	X(rdtsc, "rdtsc", "TRAP 3/0 +3")				\
	X(rdtscp, "rdtscp", NULL)					\
	X(rdpid, ".byte 0xf3, 0x0f, 0xc7, 0xf8", NULL)			\
	X(cpuid, "xor %eax, %eax; cpuid", "TRAP 3/0 +5")		\
	X(vzeroall, "vzeroall", NULL)					\
	X(vaddps, "vaddps %ymm0, %ymm1, %ymm2", NULL)			\
	X(vaddps512, "vaddps %zmm0, %zmm1, %zmm2", NULL)		\
	X(rdpkru, "xor %ecx, %ecx; rdpkru", NULL)			\
	X(wrpkru, "xor %ecx, %ecx; xor %eax, %eax; cdq; wrpkru", NULL)	\
	X(xbegin, "xbegin 1f; 1: nop", NULL)				\
	X(rdsspq, "rdsspq %rax", NULL)					\
	X(endbr64, "endbr64", "TRAP 3/0 +5")

#define TEXT(name, text, gets)	CODE(code_##name, text);
INSNS(TEXT)

static void insn(const struct attack *a)
{
	run(a->code, 0, 0, 0);
	say_seen(a->code);
}

/* To FS and GS nobody can give what is not canonical; QEMU's TCG does, in all
 * that matters to others as if it were cut. */
CODE(code_wrfs, "wrfsbase %rbx");
CODE(code_wrgs, "wrgsbase %rbx");
static void bases(const struct attack *a)
{
	(void)a;
	for (uint32_t i = 0; i < foreign_count; i++) {
		if ((uint64_t)((int64_t)foreign[i] << 16 >> 16) != foreign[i])
			continue;
		run(code_wrfs, foreign[i], 0, 0);
		digest_seen(code_wrfs);
		run(code_wrgs, foreign[i], 0, 0);
		digest_seen(code_wrgs);
	}
	say("%x", digest);
}

/* Every INT n, of 64-bit and of 32-bit code, as hostile/insns.c. */
static void each_int(const struct attack *a)
{
	static uint8_t code[16];
	unsigned int refused = 0;

	memcpy(code, "\xb8\xff\xff\xff\x7f\xcd\x00\xcc", 8);
	mprotect((void *)((uintptr_t)code & -PAGE), PAGE, RWX);
	for (unsigned int n = 0; n < 256; n++) {
		code[6] = (uint8_t)n;
		if (a->arg)
			run32(code, 0, 0, 0);
		else
			run(code, 0, 0, 0);
		/* natively TCG takes it for an index of 16 bytes */
		if (seen.sig == SIGSEGV && seen.trap == 13 &&
		    (seen.error == n * 8 + 2 || seen.error == n * 16 + 2) &&
		    seen.ip == (reg_t)code + 5 &&
		    seen.code == SI_KERNEL) {
			refused++;
			continue;
		}
		say("%x: %s %u/%x +%lu ax %lx, ", n, signal_name(seen.sig),
		    seen.trap, seen.error, seen.ip - (reg_t)code, seen.ax);
	}
	say("%u are #GP", refused);
}

#define ROW(name, text, gets)	{ #name, insn, code_##name, gets, 0 },
const struct attack insn_attacks[] = {
	INSNS(ROW)
	ATTACK(bases, NULL),
	ATTACK_ARG("each_int", each_int, 0, NULL),
	ATTACK_ARG("each_int32", each_int, 1, NULL),
	ATTACKS_END
};

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Single instructions that user mode may not use, or that trap. SDM Vol. 2
 * has the exception of each; error codes are those of SDM Vol. 3, 6.13.
 * What is said: signal, trap/error, offset of the instruction pointer.
 */
#include <signal.h>
#include <sys/mman.h>

#include "hostile.h"

#define GP	"SEGV 13/0 +0"
#define UD	"ILL 6/0 +0"

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
	X(lgdt, "lgdt (%esp)", GP)					\
	X(lidt, "lidt (%esp)", GP)					\
	X(lgdt_kernel, "lgdt 0xc0000000", GP)				\
	X(lldt, "lldt %ax", GP)						\
	X(ltr, "ltr %ax", GP)						\
	X(lmsw, "lmsw %ax", GP)						\
	X(clts, "clts", GP)						\
	X(invd, "invd", GP)						\
	X(wbinvd, "wbinvd", GP)						\
	X(invlpg, "invlpg (%esp)", GP)					\
	X(mov_from_cr0, "mov %cr0, %eax", GP)				\
	X(mov_from_cr2, "mov %cr2, %eax", GP)				\
	X(mov_from_cr3, "mov %cr3, %eax", GP)				\
	X(mov_from_cr4, "mov %cr4, %eax", GP)				\
	X(mov_to_cr0, "mov %eax, %cr0", GP)				\
	X(mov_to_cr2, "mov %eax, %cr2", GP)				\
	X(mov_to_cr3, "mov %eax, %cr3", GP)				\
	X(mov_to_cr4, "mov %eax, %cr4", GP)				\
	X(mov_from_dr0, "mov %db0, %eax", GP)				\
	X(mov_from_dr6, "mov %db6, %eax", GP)				\
	X(mov_from_dr7, "mov %db7, %eax", GP)				\
	X(mov_to_dr0, "mov %eax, %db0", GP)				\
	X(mov_to_dr7, "mov %eax, %db7", GP)				\
	X(rdmsr, "rdmsr", GP)						\
	X(wrmsr, "wrmsr", GP)						\
	X(rdpmc, "rdpmc", GP)						\
	X(sysexit, "sysexit", GP)					\
	X(sysret, ".byte 0x0f, 0x07", NULL)				\
	X(syscall, ".byte 0x0f, 0x05", UD)				\
	X(swapgs, ".byte 0x0f, 0x01, 0xf8", UD)				\
	X(vmcall, ".byte 0x0f, 0x01, 0xc1", UD)				\
	X(vmlaunch, ".byte 0x0f, 0x01, 0xc2", UD)			\
	X(vmrun, ".byte 0x0f, 0x01, 0xd8", NULL)			\
	X(vmmcall, ".byte 0x0f, 0x01, 0xd9", NULL)			\
	X(clgi, ".byte 0x0f, 0x01, 0xdd", NULL)				\
	X(monitor, ".byte 0x0f, 0x01, 0xc8", NULL)			\
	X(mwait, ".byte 0x0f, 0x01, 0xc9", NULL)			\
	X(xgetbv, ".byte 0x0f, 0x01, 0xd0", NULL)			\
	X(xsetbv, ".byte 0x0f, 0x01, 0xd1", NULL)			\
	X(clac, ".byte 0x0f, 0x01, 0xca", UD)				\
	X(rsm, ".byte 0x0f, 0xaa", UD)					\
	X(ud2, "ud2", UD)						\
	X(mov_cs, ".byte 0x8e, 0xc8", UD)				\
	X(f00f, ".byte 0xf0, 0x0f, 0xc7, 0xc8", UD)			\
	X(lock_nop, ".byte 0xf0, 0x90", UD)				\
	X(int3, "int3", "TRAP 3/0 +1")					\
	X(int3_long, ".byte 0xcd, 0x03", "TRAP 3/0 +2")			\
	X(icebp, ".byte 0xf1", NULL)					\
	X(into, "mov $0x7fffffff, %eax; inc %eax; into", "SEGV 4/0 +7")	\
	X(into_not, "xor %eax, %eax; into", "TRAP 3/0 +4")		\
	X(bound, "push $9; push $5; mov $10, %eax; bound %eax, (%esp)",	\
	  "SEGV 5/0 +9")						\
	X(div_zero, "xor %ecx, %ecx; div %ecx", "FPE 0/0 +2")		\
	X(div_over, "mov $2, %edx; mov $1, %ecx; div %ecx", "FPE 0/0 +10") \
	X(idiv_min, "mov $0x80000000, %eax; cdq; or $-1, %ecx; idiv %ecx", \
	  "FPE 0/0 +9")							\
	X(aam_zero, "aam $0", "FPE 0/0 +0")				\
	X(too_long, ".fill 15, 1, 0x66; nop", GP)			\
	X(hlt_prefixed, ".byte 0x66, 0x67, 0xf3, 0x2e; hlt", GP)	\
	X(in_fs_prefixed, ".byte 0x64, 0x66; in %dx, %ax", GP)		\
	X(ljmp_null, "ljmp $0, $0", GP)					\
	X(ljmp_kernel, "ljmp $0x60, $0", "SEGV 13/60 +0")		\
	X(ljmp_data, "ljmp $0x7b, $0", "SEGV 13/78 +0")			\
	X(ljmp_hv, "ljmp $0x1000, $0", "SEGV 13/1000 +0")		\
	X(ljmp_hv_3, "ljmp $0x1003, $0", "SEGV 13/1000 +0")		\
	X(lcall_tss, "lcall $0x80, $0", "SEGV 13/80 +0")		\
	X(lcall_df, "lcall $0xf8, $0", "SEGV 13/f8 +0")			\
	X(lcall_ldt, "lcall $0x88, $0", "SEGV 13/88 +0")		\
	X(retf_kernel, "push $0x60; push $0; lret", "SEGV 13/60 +4")	\
	X(mov_ss_null, "xor %eax, %eax; mov %eax, %ss", "SEGV 13/0 +2")	\
	X(mov_ss_kernel, "mov $0x68, %eax; mov %eax, %ss",		\
	  "SEGV 13/68 +5")						\
	X(mov_ss_code, "mov $0x73, %eax; mov %eax, %ss", "SEGV 13/70 +5") \
	X(mov_ds_kernel, "mov $0x68, %eax; mov %eax, %ds",		\
	  "SEGV 13/68 +5")						\
	X(mov_gs_hv, "mov $0x1013, %eax; mov %eax, %gs", "SEGV 13/1010 +5") \
	X(read_null_ds, "xor %eax, %eax; mov %eax, %ds; mov (%esp), %eax; " \
	  "mov %ds:(%ecx), %eax", NULL)					\
	X(sysenter, "mov $20, %eax; push $landed; push %ecx; push %edx; " \
	  "push %ebp; mov %esp, %ebp; sysenter", NULL)			\
	X(call_gs, "mov $0x7b, %eax; mov %eax, %gs; mov %gs:(%esp), %eax", \
	  "TRAP 3/0 +12")						\
	X(rdtsc, "rdtsc", "TRAP 3/0 +3")				\
	X(cpuid, "xor %eax, %eax; cpuid", "TRAP 3/0 +5")

#define TEXT(name, text, gets)	CODE(code_##name, text);
INSNS(TEXT)

static void insn(const struct attack *a)
{
	run(a->code, 0, 0, 0);
	say_seen(a->code);
}

/* Every INT n: those of the kernel's that users may use, and #GP of the gate
 * for all others. SDM Vol. 3, 6.12.1.1 and 6.13. */
static void each_int(const struct attack *a)
{
	uint8_t *code = map_at(0, PAGE, RWX);
	unsigned int refused = 0;

	(void)a;
	for (unsigned int n = 0; n < 256; n++) {
		memcpy(code, "\xb8\xff\xff\xff\x7f\xcd\x00\xcc", 8);
		code[6] = (uint8_t)n;
		run(code, 0, 0, 0);
		if (seen.sig == SIGSEGV && seen.trap == 13 &&
		    seen.error == n * 8 + 2 && seen.ip == (uint32_t)code + 5 &&
		    seen.code == SI_KERNEL) {
			refused++;
			continue;
		}
		say("%x: %s %u/%x +%u eax %x, ", n, signal_name(seen.sig),
		    seen.trap, seen.error, seen.ip - (uint32_t)code, seen.ax);
	}
	say("%u are #GP", refused);
}

/* The same, its bytes on two pages, the second of which is not there: a page
 * fault of the fetch, whatever the instruction is. */
static void split(const struct attack *a)
{
	uint8_t *page = map_at(0, 2 * PAGE, RWX);

	munmap(page + PAGE, PAGE);
	for (size_t i = 0; i < 256; i++) {
		page[PAGE - 1] = (uint8_t)i;
		run(page + PAGE - 1, 0, 0, 0);
		/* of one byte alone some are complete */
		digest_add(seen.trap);
		digest_add(seen.error & ~0x10u);
		digest_add(seen.address - (uint32_t)page);
		if (i == 0xe4 || i == 0xcd || i == 0x0f)
			say("%zx: %s %u +%u, ", i, signal_name(seen.sig),
			    seen.trap, seen.ip - (uint32_t)page);
	}
	(void)a;
	say("all %x", digest);
}

#define ROW(name, text, gets)	{ #name, insn, code_##name, gets, 0 },
const struct attack insn_attacks[] = {
	INSNS(ROW)
	ATTACK(each_int, "3: TRAP 3/0 +7 eax 7fffffff, "
	       "4: SEGV 4/0 +7 eax 7fffffff, "
	       "80: TRAP 3/0 +8 eax ffffffda, 253 are #GP"),
	ATTACK(split, NULL),
	ATTACKS_END
};

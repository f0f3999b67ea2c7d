// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls to the hypervisor proper, by the ROM and by instructions, as those of
 * tests/guest/hypercalls.c, for 64-bit guests. "mode" on the command line: acrn, or
 * nothing.
 */
#include "cmdline.h"
#include "guest64.h"
#include "vmi_hypercall.h"

#define NOWHERE		0xff0000000ull	/* no memory is there */

/* Everything but AX is where it was: the instruction has no stack frame. */
extern const uint8_t insn_vmcall[], insn_vmmcall[], insn_end[];
__asm__(".text\n"
	"insn_vmcall: .byte 0x0f, 0x01, 0xc1\n\tret\n"
	"insn_vmmcall: .byte 0x0f, 0x01, 0xd9\n"
	"insn_end: ret\n");

static struct all all;

static uint64_t insn(const uint8_t *at)
{
	fixup = (uint64_t)insn_end;
	fixup_vector = -1;
	call_all((uint64_t)at, &all);
	fixup = 0;
	return all.r.rax;
}

static uint64_t vmcall(uint64_t rax, uint64_t rdi, uint64_t rsi)
{
	uint64_t *r = (uint64_t *)&all.r;

	for (uint32_t i = 0; i < sizeof(all.r) / 8; i++)
		r[i] = 0x1111111111111111u * (i + 1);
	all.flags = EFLAGS_FIXED | EFLAGS_IF;
	all.r.rax = rax;
	all.r.rdi = rdi;
	all.r.rsi = rsi;
	return insn(insn_vmcall);
}

/* By the ROM. The stack is the caller's behind an exception, too: nothing below it
 * is needed again. */
static int64_t rom_call(uint64_t nr, uint64_t a0, uint64_t a1)
{
	static uint64_t rsp;
	uint64_t rax, entry = vmi_entry[VMI64_CALL_Hypercall];

	fixup_vector = -1;
	__asm__ volatile("mov %%rsp, %1\n\tmovq $1f, fixup\n\tcall *%2\n"
			 "1:\tmov %1, %%rsp\n\tmovq $0, fixup"
			 : "=a"(rax), "=m"(rsp), "+r"(entry), "+D"(nr),
			   "+S"(a0), "+d"(a1)
			 : : "rcx", "r8", "r9", "r10", "r11", "memory", "cc");
	return (int64_t)rax;
}

static void by_rom(void)
{
	static struct vmi_hc_version is;

	same64(rom_call(VMI_HC_Version, pa((void *)&is), 0), 0, "Version");
	ok(is.major == VMI_HC_MAJOR && is.minor == VMI_HC_MINOR, "is this one");
	same64(rom_call(VMI_HC_Version, NOWHERE, 0), -VMI_EFAULT,
	       "it cannot write where there is no memory");
	same64(rom_call(1ull << 32 | VMI_HC_CpuInfo, 0, VMI_CPU_STATE),
	       VMI_CPU_RUNNING, "the number has 32 bits");
	same64(rom_call(VMI_HC_CpuInfo, 1ull << 32, 0), -VMI_EINVAL,
	       "arguments have 64");
	same64(rom_call(VMI_HC_GuestRequest, VMI_REQUEST, 0), 0, "a request");
	same64(fixup_vector, -1, "all that without an exception");
	rom_call(VMI_HC_State, 0, 0);
	same64(fixup_vector, VEC_UD, "without rights a call is #UD");
	rom_call(0, 0, 0);
	same64(fixup_vector, VEC_UD, "and so is one that does not exist");
}

static void by_instructions(void)
{
	same64(vmcall(VMI_HC_CpuInfo, 0, VMI_CPU_STATE), VMI_CPU_RUNNING, "VMCALL");
	ok(all.r.rdi == 0 && all.r.rsi == 0 && all.r.r8 == 0x8888888888888888 &&
	   all.r.rbx == 0xcccccccccccccccc, "keeps registers");
	all.r.rax = VMI_HC_CpuInfo;
	all.r.rsi = 1;
	same64(insn(insn_vmmcall), -VMI_EINVAL, "VMMCALL, its errors of 64 bits");
	vmcall(VMI_HC_State, 0, 0);
	same64(fixup_vector, VEC_UD, "without rights it is #UD");
	vmcall(1ull << 32 | VMI_HC_CpuInfo, 0, 0);
	same64(fixup_vector, VEC_UD, "all of RAX is the number");

	same64(vmcall(VMI_HC_GuestRequest, VMI_REQUEST, 0), 0,
	       "a request by VMCALL");
	ok(all.r.rdx == VMI_HC_POISON && all.r.r8 == VMI_HC_POISON &&
	   all.r.r9 == VMI_HC_POISON && all.r.r10 == VMI_HC_POISON &&
	   all.r.rdi == 24 && all.r.rsi == 0 &&
	   all.r.rcx == 0xeeeeeeeeeeeeeeee, "changes four registers");
	/* mov eax, 34; mov edi, 24; xor esi, esi; vmcall; syscall */
	USER("\xb8\x22\0\0\0\xbf\x18\0\0\0\x31\xf6\x0f\x01\xc1\xcd\x80");
	ok(last.vector == VEC_SYSCALL && !last.r.rax,
	   "a user's request is one, too");
	/* mov eax, 3; vmcall */
	USER("\xb8\x03\0\0\0\x0f\x01\xc1\xcd\x80");
	ok(last.vector == VEC_GP && !last.error && last.rip == USER_CODE + 5,
	   "a user's other calls are #GP");
}

/* The number is in R8. */
static void acrn(void)
{
	static struct vmi_hc_version is;

	vmcall(99, pa((void *)&is), 0);
	same64(fixup_vector, VEC_UD, "RAX is no number of ACRN's");
	all.r.r8 = 0x80000000;
	same64(insn(insn_vmcall), 0, "R8 is");
	ok(is.major == VMI_HC_MAJOR, "of a version");
	ok(all.r.r8 == 0x80000000 && all.r.rcx == 0xeeeeeeeeeeeeeeee,
	   "which keeps registers");
	all.r.r8 = 0x180000000;
	insn(insn_vmcall);
	same64(fixup_vector, VEC_UD, "all of it is the number");
}

static void detection(bool is_acrn)
{
	const char *s = is_acrn ? "ACRNACRNACRN" : "OpenVMI\0stub";
	uint32_t r[4] = { VMI_CPUID_SIGNATURE, 0, 0, 0 };
	bool found = true;

	vmi4(CPUID, &r[0], &r[1], &r[2], &r[3]);
	for (uint32_t i = 0; i < 12; i++)
		found &= ((const char *)(r + 1))[i] == s[i];
	ok(found, "CPUID tells the hypervisor's name");
}

void test_hypercalls(void)
{
	bool is_acrn = option_is("mode", "acrn");

	detection(is_acrn);
	by_rom();
	if (is_acrn)
		acrn();
	else
		by_instructions();
}

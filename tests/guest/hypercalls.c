// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls to the hypervisor proper, by the ROM and by instructions, and what the guest
 * finds by CPUID: as a guest of the start options that "mode" on the command line
 * names (tests/run/service.py); none: no rights, no personality. N-1 to N-3.
 */
#include "cmdline.h"
#include "suite.h"
#include "vmi_hypercall.h"

#define VEC_UD		6
#define NOWHERE		0xf0000000u	/* no memory is there */

/* ---- calls ----------------------------------------------------------------- */

/* By the ROM; an exception it is instead: its vector, in fixup_vector. */
static int32_t by_rom(uint32_t nr, uint32_t a0, uint32_t a1)
{
	static uint32_t esp;
	uint32_t eax = nr;

	fixup_vector = -1;
	__asm__ volatile("pushl $0\n\tpushl %4\n\tmovl %%esp, %3\n\t"
			 "movl $1f, fixup\n\t"
			 "movl %5, %%edx\n\tcall *%6\n"
			 "1:\tmovl %3, %%esp\n\taddl $8, %%esp\n\t"
			 "movl $0, fixup"
			 : "+a"(eax), "=&d"(nr), "=&c"(nr), "=m"(esp)
			 : "r"(0), "r"(a0), "r"(vmi_entry[VMI_CALL_Hypercall]),
			   "2"(a1)
			 : "memory", "cc");
	return (int32_t)eax;
}

/* All registers of an instruction; EIP is where the fixup is, if it faults. */
struct call_registers {
	uint32_t	eax, ebx, ecx, edx, esi, edi, ebp;
};
extern struct call_registers call_in, call_out;
struct call_registers call_in, call_out;

#define INSN(bytes)							\
	__asm__ volatile("pushal\n\tmovl $1f, fixup\n\t"		\
		"movl $-1, fixup_vector\n\t"				\
		"movl call_in, %%eax\n\tmovl call_in+4, %%ebx\n\t"		\
		"movl call_in+8, %%ecx\n\tmovl call_in+12, %%edx\n\t"		\
		"movl call_in+16, %%esi\n\tmovl call_in+20, %%edi\n\t"		\
		"movl call_in+24, %%ebp\n\t"					\
		".byte " bytes "\n"					\
		"1:\tmovl %%eax, call_out\n\tmovl %%ebx, call_out+4\n\t"		\
		"movl %%ecx, call_out+8\n\tmovl %%edx, call_out+12\n\t"		\
		"movl %%esi, call_out+16\n\tmovl %%edi, call_out+20\n\t"		\
		"movl %%ebp, call_out+24\n\tmovl $0, fixup\n\tpopal"	\
		: : : "memory", "cc")

static int32_t vmcall(bool vmm, uint32_t nr, uint32_t ebx, uint32_t edi)
{
	call_in.eax = nr;
	call_in.ebx = ebx;
	call_in.ecx = 0;
	call_in.edx = 0x1111;
	call_in.esi = 0;
	call_in.edi = edi;
	call_in.ebp = 0x2222;
	if (vmm)
		INSN("0x0f, 0x01, 0xd9");
	else
		INSN("0x0f, 0x01, 0xc1");
	return (int32_t)call_out.eax;
}

static bool is_mode(const char *name)
{
	return option_is("mode", name);
}

/* ---- detection ------------------------------------------------------------- */

static const char *signature(void)
{
	return is_mode("jailhouse") ? "Jailhouse\0\0\0" :
	       is_mode("acrn") ? "ACRNACRNACRN" :
	       is_mode("kvm") ? "KVMKVMKVM\0\0\0" : "OpenVMI\0stub";
}

static void detection(void)
{
	bool ours = !is_mode("jailhouse") && !is_mode("acrn") && !is_mode("kvm");
	const char *s = signature();
	bool found = true;
	uint32_t r[4];

	vmi_cpuid(1, r);
	ok(r[2] & VMI_CPUID_HYPERVISOR, "CPUID tells of a hypervisor");
	vmi_cpuid(VMI_CPUID_SIGNATURE, r);
	for (uint32_t i = 0; i < 12; i++)
		found &= ((const char *)(r + 1))[i] == s[i];
	ok(found, "of that name");
	same(r[0], is_mode("acrn") ? 0x40000010 : ours ? 0x400002ff : 0x40000001,
	     "with so many leaves");
	vmi_cpuid(VMI_CPUID_FEATURES, r);
	same(r[0], ours ? VMI_FEATURE_HYPERCALL | VMI_FEATURE_VMCALL |
	     VMI_FEATURE_REQUEST | VMI_FEATURE_SERVE : 0, "and these features");
	same(r[1], is_mode("manage") ? VMI_RIGHT_MANAGE : 0, "and rights");
	same(r[2] | r[3], 0, "and nothing else");
	vmi_cpuid(0x40000010, r);
	ok(is_mode("acrn") == (r[0] != 0), "the clock's leaf is ACRN's");
}

/* ---- by the ROM ------------------------------------------------------------ */

static void open_calls(void)
{
	static struct vmi_hc_version is;

	same(by_rom(VMI_HC_Version, (uintptr_t)&is, 0), 0, "Version");
	ok(is.major == VMI_HC_MAJOR && is.minor == VMI_HC_MINOR, "is this one");
	same(by_rom(VMI_HC_Version, NOWHERE, 0), -VMI_EFAULT,
	     "it cannot write where there is no memory");
	same(by_rom(VMI_HC_HypervisorInfo, VMI_INFO_GUESTS, 0),
	     is_mode("manage") ? 3 : 1, "so many guests");
	same(by_rom(VMI_HC_CpuInfo, 0, VMI_CPU_STATE), VMI_CPU_RUNNING,
	     "this processor runs");
	ok(by_rom(VMI_HC_CpuInfo, 0, VMI_CPU_EXITS) > 0, "and had exits");
	same(by_rom(VMI_HC_CpuInfo, 1, 0), -VMI_EINVAL, "there is no other");
	same(by_rom(VMI_HC_GuestRequest, VMI_REQUEST, 0), 0, "a request");
	same(by_rom(VMI_HC_GuestRequest, VMI_REQUEST, 1), -VMI_EINVAL,
	     "that is none");
	same(fixup_vector, -1, "all that without an exception");
}

static void no_rights(void)
{
	by_rom(VMI_HC_State, 0, 0);
	same(fixup_vector, VEC_UD, "without rights a call is #UD");
	by_rom(0, 0, 0);
	same(fixup_vector, VEC_UD, "and so is one that does not exist");
	by_rom(UINT32_MAX, 0, 0);
	same(fixup_vector, VEC_UD, "whatever its number");
}

/* Beside one of 64 bits, which is guest 1, and one that is out of reach. */
static void manager(void)
{
	static struct vmi_guest_info is;
	static uint32_t ids[3];

	same(by_rom(0, 0, 0), -VMI_EINVAL, "a call that does not exist");
	same(by_rom(UINT32_MAX, 0, 0), -VMI_EINVAL, "whatever its number");
	same(by_rom(VMI_HC_List, (uintptr_t)ids, 3), 2, "two guests are in reach");
	ok(ids[0] == 0 && ids[1] == 1, "this one and another");
	same(by_rom(VMI_HC_Info, 1, (uintptr_t)&is), 0, "about the other");
	ok(is.id == 1 && is.bits == 64 && is.vcpus == 1 && !is.rights &&
	   is.memory == 64 << 20 && is.starts == 1,
	   "it is known what it is");
	same(by_rom(VMI_HC_Info, 1, NOWHERE), -VMI_EFAULT, "but not told nowhere");
	same(by_rom(VMI_HC_State, 0, 0), VMI_STATE_RUNNING, "this one runs");
	same(by_rom(VMI_HC_State, 2, 0), -VMI_EINVAL, "one is out of reach");
	same(by_rom(VMI_HC_State, 3, 0), -VMI_EINVAL, "one is not there");
	same(fixup_vector, -1, "all that without an exception");
}

/* ---- by VMCALL and VMMCALL --------------------------------------------------- */

static void instructions(void)
{
	uint32_t guests = is_mode("manage") ? 3 : 1;

	for (int vmm = 0; vmm < 2; vmm++) {
		same(vmcall(vmm, VMI_HC_HypervisorInfo, 4, 0), guests,
		     vmm ? "VMMCALL" : "VMCALL");
		ok(call_out.ebx == 4 && !call_out.ecx && call_out.edx == 0x1111 && !call_out.esi &&
		   !call_out.edi && call_out.ebp == 0x2222, "keeps registers");
		vmcall(vmm, VMI_HC_State, 0, 0);
		if (!is_mode("manage"))
			same(fixup_vector, VEC_UD, "without rights it is #UD");
		else
			same(fixup_vector, -1, "with them it is none");
	}
}

/* It may change four registers, and does. */
static void request(void)
{
	same(vmcall(false, VMI_HC_GuestRequest, VMI_REQUEST, 0), 0,
	     "a request by VMCALL");
	ok(call_out.edx == VMI_HC_POISON && call_out.esi == VMI_HC_POISON &&
	   call_out.edi == VMI_HC_POISON && call_out.ebp == VMI_HC_POISON &&
	   call_out.ebx == 24 && call_out.ecx == 0, "changes four registers");
	/* mov eax, 34; mov ebx, 24; xor ecx, ecx; vmcall; int 0x80 */
	USER("\xb8\x22\0\0\0\xbb\x18\0\0\0\x31\xc9\x0f\x01\xc1\xcd\x80", 0);
	ok(last_trap.vector == VEC_SYSCALL && last_trap.eax == 0,
	   "a user's request is one, too");
	same(last_trap.edx, VMI_HC_POISON, "with the same registers");
}

static void user_calls(void)
{
	/* mov eax, 2; mov ebx, 4; vmcall; int 0x80 */
	USER("\xb8\x02\0\0\0\xbb\x04\0\0\0\x0f\x01\xc1\xcd\x80", 0);
	ok(last_trap.vector == VEC_GP && !last_trap.error &&
	   last_trap.eip == USER_CODE + 10,
	   "a user's other calls are #GP, at the instruction");
	/* mov eax, 18; vmcall; int 0x80 */
	USER("\xb8\x12\0\0\0\x0f\x01\xc1\xcd\x80", 0);
	same(last_trap.vector, is_mode("manage") ? VEC_GP : VEC_UD,
	     "one that is not open to all");
}

static void jailhouse(void)
{
	same(vmcall(false, 5, 0, 4), 1, "Jailhouse's number of cells");
	same(vmcall(false, 7, 0, 0), VMI_CPU_RUNNING, "and state of a CPU");
	vmcall(false, VMI_HC_GuestRequest, VMI_REQUEST, 0);
	same(fixup_vector, VEC_UD, "numbers of others are none");
}

void test_hypercalls(void)
{
	detection();
	open_calls();
	if (is_mode("manage"))
		manager();
	else
		no_rights();
	if (is_mode("jailhouse")) {
		jailhouse();
	} else if (is_mode("acrn")) {
		vmcall(false, VMI_HC_GuestRequest, VMI_REQUEST, 0);
		same(fixup_vector, VEC_UD, "ACRN has no calls of 32-bit code");
	} else {
		request();
		if (!is_mode("kvm")) {
			instructions();
			user_calls();
		}
	}
}

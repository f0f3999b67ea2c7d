// SPDX-License-Identifier: GPL-2.0-only
/* Exceptions and their frames, returns, SYSCALL. */
#include "guest64.h"

#define INT80	"\xcd\x80"

/* ---- exceptions in the kernel and from user mode ----------------------------- */

static struct frame hooked;
static uint64_t hooked_mask, hooked_at;

static void note(struct frame *f)
{
	hooked = *f;
	hooked_at = (uint64_t)f;
	hooked_mask = vmi0(GetInterruptMask);
}

static void from_kernel(void)
{
	same64(probe_ud2(), VEC_UD, "UD2 is a #UD");
	same64(last.cs & 3, 1, "its frame has the kernel's ring");
	same64(last.cs & ~3ull, KERNEL_CS, "and segment");
	same64((uint64_t)&((struct frame *)last_at)->rip & 15, 8,
	       "the frame began at a multiple of 16");
	same64(last.rsp - (last_at + sizeof(struct frame)) < 16, 1,
	       "on the stack that was in use");
	same64(last.rflags & EFLAGS_IF, 0, "the flag was off");
	vmi0(EnableInterrupts);
	probe_ud2();
	same64(last.rflags & EFLAGS_IF, EFLAGS_IF, "the frame says that it was on");
	same64(last_mask, 0, "an interrupt gate turns it off");
	same64(vmi0(GetInterruptMask), EFLAGS_IF, "the return turns it on");
	same64(probe_int3(), VEC_BP, "INT3 is a #BP");
	same64(((const uint8_t *)last.rip)[-1], 0xcc, "behind the instruction");
	vmi0(DisableInterrupts);
	same64(probe_div(), VEC_DE, "a division by 0 is a #DE");
	same64(probe_int80(), VEC_SYSCALL, "INT 80h in the kernel");
	same64(probe_load_ds(0x7f8), VEC_GP, "a selector beyond the GDT is a #GP");
	same64(last.error, 0x7f8, "with the selector as error code");
	same64(probe_read(1ull << 63), VEC_GP, "so is an address not canonical");
	same64(last.error, 0, "with 0");
	vmi0(EnableInterrupts);
	vector_hook[VEC_SPARE] = note;
	__asm__ volatile("int %0" : : "i"(VEC_SPARE) : "memory");
	vector_hook[VEC_SPARE] = NULL;
	same64(hooked_mask, EFLAGS_IF, "a trap gate leaves the flag on");
	vmi0(DisableInterrupts);
}

static void page_faults(void)
{
	const uint64_t va = play_va(PLAY_FIRST);

	play_set(PLAY_FIRST, 0);
	flush();
	same64(probe_read(va + 8), VEC_PF, "no entry: a read is a #PF");
	same64(last.error, 0, "error code 0");
	same64(last_cr2, va + 8, "CR2 says where");
	same64(probe_write(va + 16), VEC_PF, "so is a write");
	same64(last.error, 2, "error code 2");
	same64(last_cr2, va + 16, "CR2 says where");
	same64(probe_read(0xffffc00000000123), VEC_PF, "no table: a #PF");
	same64(last_cr2, 0xffffc00000000123, "with all 64 bits of CR2");
}

static void from_user(void)
{
	struct user u = user_start;

	USER("\x0f\x0b");
	same64(last.vector, VEC_UD, "UD2 in user mode");
	same64(last.rip, USER_CODE, "at its place");
	ok(last.cs == USER_CS && last.ss == USER_DS && last.rsp == USER_STACK,
	   "the frame has the user's segments and stack");
	same64(last.rflags & EFLAGS_IF, EFLAGS_IF, "and flag");
	same64(last_mask, 0, "which is off in the handler");
	USER("\xcc");
	ok(last.vector == VEC_BP && last.rip == USER_CODE + 1, "INT3");
	USER("\xf4");
	ok(last.vector == VEC_GP && last.error == 0, "HLT is a #GP");
	USER("\xcd\x0e");
	ok(last.vector == VEC_GP && last.error == 14 * 8 + 2,
	   "INT 14 is a #GP, by the gate's DPL");
	USER("\xcd\x82");
	ok(last.vector == VEC_GP && last.error == 0x82 * 8 + 2,
	   "INT 82h is nothing for it");
	USER("\x48\xa1\0\0\0\0\x80\x88\xff\xff");	/* mov rax, [DIRECT] */
	ok(last.vector == VEC_PF && last_cr2 == 0xffff888000000000,
	   "the kernel's memory is a #PF");
	same64(last.error, 5, "of a page that is there");
	USER("\x48\xa1\0\0\xe0\xff\xff\xff\xff\xff");	/* mov rax, [ROM] */
	ok(last.vector == VEC_PF && last_cr2 == 0xffffffffffe00000,
	   "so is the ROM");
	USER("\x48\xa1\0\0\0\0\x80\x87\xff\xff");	/* the trampoline */
	ok(last.vector == VEC_PF && last_cr2 == 0xffff878000000000,
	   "so is the hypervisor's hole");
	u.rflags |= EFLAGS_TF;
	user_load("\x90\x90" INT80, 4);
	user_run(&u);
	ok(last.vector == VEC_DB && last.rip == USER_CODE + 1,
	   "TF traps behind one instruction");
	same64(last.rflags & EFLAGS_TF, EFLAGS_TF, "the frame has TF");
	same64(vmi1(GetDR, 6) & 0x4000, 0x4000, "DR6 says a single step");
	vmi2(SetDR, 6, 0);
}

/* ---- stacks ------------------------------------------------------------------- */

static uint8_t other_stack[2048] __attribute__((aligned(16)));

static void set_gate(uint32_t vector, uint32_t type, uint32_t dpl, uint32_t ist)
{
	uint64_t old[2] = { idt[2 * vector], idt[2 * vector + 1] }, gate[2];

	gate_set(vector, type, dpl, ist);
	gate[0] = idt[2 * vector];
	gate[1] = idt[2 * vector + 1];
	idt[2 * vector] = old[0];
	idt[2 * vector + 1] = old[1];
	vmi3(WriteIDTEntry, idt, vector, gate);
}

static void stacks(void)
{
	const uint64_t top = (uint64_t)(other_stack + sizeof(other_stack));
	struct user u = user_start;

	user_load(INT80, 2);
	kernel_stack = top - 24;
	user_run(&u);
	same64(last_at + sizeof(struct frame), top - 32,
	       "UpdateKernelStack says where frames go, aligned");
	kernel_stack = 0;

	*(uint64_t *)(tss + 36 + 2 * 8) = top;	/* IST 3 */
	set_gate(VEC_UD, 14, 0, 3);
	same64(probe_ud2(), VEC_UD, "a gate with an IST");
	same64(last_at + sizeof(struct frame), top, "has its stack");
	USER("\x0f\x0b");
	same64(last_at + sizeof(struct frame), top, "from user mode, too");
	set_gate(VEC_UD, 14, 0, 0);
	probe_ud2();
	ok(last_at > top || last_at < (uint64_t)other_stack,
	   "without it the stack in use");
}

static void absent_gates(void)
{
	uint64_t gate[2] = { idt[2 * VEC_SPARE] & ~(1ull << 47),
			     idt[2 * VEC_SPARE + 1] };

	vmi3(WriteIDTEntry, idt, VEC_SPARE, gate);
	gate[0] |= 3ull << 45;
	vmi3(WriteIDTEntry, idt, VEC_SPARE, gate);
	USER("\xcd\x90");
	ok(last.vector == VEC_NP && last.error == VEC_SPARE * 8 + 2,
	   "INT n of an absent gate is a #NP");
	set_gate(VEC_SPARE, 15, 3, 0);
	USER("\xcd\x90");
	ok(last.vector == VEC_SPARE && last.rip == USER_CODE + 2,
	   "WriteIDTEntry brings the gate back");
	set_gate(VEC_SPARE, 15, 0, 0);
}

void test_exceptions(void)
{
	from_kernel();
	page_faults();
	from_user();
	stacks();
	absent_gates();
}

/* ---- returns ---------------------------------------------------------------------- */

static void to_itself(void)
{
	iret_to_self(EFLAGS_FIXED | EFLAGS_IF);
	same64(vmi0(GetInterruptMask), EFLAGS_IF, "IRET in the kernel sets the flag");
	iret_to_self(EFLAGS_FIXED);
	same64(vmi0(GetInterruptMask), 0, "and clears it");
}

static void to_user(void)
{
	struct user u = user_start;
	uint64_t *r = (uint64_t *)&u.r;
	bool good = true;

	for (uint32_t i = 0; i < sizeof(u.r) / 8; i++)
		r[i] = 0x0123456789abcdefu * (i + 3);
	u.rflags |= EFLAGS_CF | EFLAGS_OF | EFLAGS_DF | EFLAGS_AC | EFLAGS_ID;
	user_load(INT80, 2);
	user_run(&u);
	same64(last.vector, VEC_SYSCALL, "IRET to 64-bit user mode");
	for (uint32_t i = 0; i < sizeof(u.r) / 8; i++)
		good &= ((uint64_t *)&last.r)[i] == r[i];
	ok(good, "with all registers, there and back");
	same64(last.rflags & 0x3fffff, u.rflags, "and flags");
	same64(last.rip, USER_CODE + 2, "and RIP");

	u = user_start32;
	u.r.rcx = 0x123456789;
	/* dec eax, which 64-bit code takes for a prefix; mov ax, cs */
	user_load("\x31\xc0\x48\x8c\xca" INT80, 7);
	user_run(&u);
	same64(last.vector, VEC_SYSCALL, "IRET to compatibility mode");
	same64(last.r.rax, 0xffffffff, "where code is 32-bit");
	same64(last.r.rdx & 0xffff, USER32_CS, "in its segment");
	same64(last.cs, USER32_CS, "which the frame has");
	user_load("\x89\x25\0\0\0\0" INT80, 8);	/* mov [0], esp */
	user_run(&u);
	ok(last.vector == VEC_PF && last.error == 7 && last_cr2 == 0,
	   "its faults are the kernel's");
}

/* One that is refused: where, with which stack, flag and error code. */
static void refused(uint64_t rip, uint64_t cs, uint64_t flags, uint64_t ss,
		    uint32_t vector, uint32_t error, const char *name)
{
	const uint64_t frame[5] = { rip, cs, flags, USER_STACK, ss };
	int64_t raised;

	vmi0(DisableInterrupts);
	raised = iret_frame(frame);
	if (!ok(raised == vector && last.error == error &&
		last.rip == (uint64_t)iret_site && last.rsp == fixup_rsp - 40 &&
		!(last.rflags & EFLAGS_IF), name))
		print("# vector %x error %x rip %x rsp %x (%x) flags %x\n",
		      (uint32_t)raised, (uint32_t)last.error, (uint32_t)last.rip,
		      (uint32_t)last.rsp, (uint32_t)fixup_rsp,
		      (uint32_t)last.rflags);
	vmi0(DisableInterrupts);
}

static void bad_frames(void)
{
	const uint64_t on = EFLAGS_FIXED | EFLAGS_IF, off = EFLAGS_FIXED;

	refused(USER_CODE, 0x7f3, on, USER_DS, VEC_GP, 0x7f0,
		"IRET to a segment beyond the GDT: #GP at the site");
	refused(USER_CODE, 0x7f3, off, USER_DS, VEC_GP, 0x7f0,
		"with the flag off, too");
	refused(USER_CODE, USER_DS, on, USER_DS, VEC_GP, USER_DS & ~3u,
		"to one of data: #GP");
	refused(USER_CODE, USER_CS, on, 3, VEC_GP, 0, "with no stack: #GP");
	refused(USER_CODE, USER_CS, on, KERNEL_DS, VEC_GP, KERNEL_DS,
		"with the kernel's stack: #GP");
}

/* TCG refuses the address when it is there. */
static void bad_address(void)
{
	struct user u = user_start;

	u.rip = 1ull << 47;
	fixup = (uint64_t)resume_kernel;
	user_run(&u);
	fixup = 0;
	ok(last.vector == VEC_GP && last.error == 0 &&
	   (last.rip == (uint64_t)iret_site || last.rip == u.rip),
	   "to an address not canonical: #GP");
	vmi0(DisableInterrupts);
}

void test_returns(void)
{
	to_itself();
	to_user();
	bad_frames();
	bad_address();
}

/* ---- SYSCALL ------------------------------------------------------------------------ */

/* Intel's processors have SYSCALL in 64-bit code alone. */
static bool by_cstar(void)
{
	uint32_t eax = 0, ebx, ecx, edx;

	__asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx));
	if (ebx == 0x756e6547)
		return last.vector == VEC_UD && last.rip == USER_CODE;
	return seen.which == 2 && seen.rcx == USER_CODE + 2 &&
	       seen.cs == (KERNEL_CS | 1);
}

static void plain(void)
{
	const uint64_t base = vmi0(GetGSBase);
	struct user u = user_start;

	user_load("\x0f\x05", 2);
	user_run(&u);
	same64(last.vector, VEC_UD, "SYSCALL with EFER.SCE clear is a #UD");
	wrmsr64(MSR_EFER, rdmsr64(MSR_EFER) | EFER_SCE);
	same64(rdmsr64(MSR_EFER) & EFER_SCE, EFER_SCE, "EFER has SCE");
	vmi3(WRMSR, MSR_STAR, 0, KERNEL_CS | USER32_CS << 16);
	wrmsr64(MSR_LSTAR, (uint64_t)syscall_target);
	vmi3(WRMSR, MSR_CSTAR, (uint64_t)syscall32_target,
	     (uint64_t)syscall32_target >> 32);
	same64(vmi1(RDMSR, MSR_LSTAR), (uint64_t)syscall_target,
	       "LSTAR reads back");
	wrmsr64(MSR_FMASK, EFLAGS_IF | EFLAGS_CF | EFLAGS_OF | EFLAGS_DF |
		EFLAGS_ID);
	u.r.rax = 0x1234;
	u.r.rbx = 0xfedcba9876543210;
	u.rflags |= EFLAGS_CF | EFLAGS_OF | EFLAGS_SF | EFLAGS_DF | EFLAGS_ID;
	user_run(&u);
	same64(seen.which, 1, "SYSCALL enters at LSTAR");
	same64(seen.rcx, USER_CODE + 2, "RCX is where to return to");
	same64(seen.r11 & 0x3fffff, u.rflags, "R11 has the flags");
	same64(seen.rsp, USER_STACK, "RSP is the user's");
	ok(seen.rax == 0x1234 && seen.rbx == u.r.rbx, "other registers, too");
	same64(seen.cs, KERNEL_CS | 1, "CS is that of STAR, at ring 1");
	same64(seen.ss, KERNEL_DS | 1, "SS behind it");
	same64(seen_mask, 0, "the flag is off");
	same64(seen.flags & (EFLAGS_CF | EFLAGS_OF | EFLAGS_DF | EFLAGS_ID), 0,
	       "flags in FMASK are 0");
	same64(seen.gs_base, base, "the GS base is the user's");

	u = user_start32;
	user_load("\x0f\x05", 2);
	user_run(&u);
	ok(by_cstar(), "that of compatibility mode enters at CSTAR");
}

static void swapped(void)
{
	struct user u = user_start;

	vmi1(SetGSBase, 0x7000000);
	vmi1(SetKernelGSBase, 0xffff900000000000);
	vmi2(SetSyscallEntry, syscall_target, syscall32_target);
	user_load("\x0f\x05", 2);
	u.r.rax = 0x5678;
	user_run(&u);
	same64(seen.which, 1, "SetSyscallEntry sets LSTAR");
	same64(seen.gs_base, 0xffff900000000000, "whose entry has the kernel's GS base");
	same64(vmi0(GetKernelGSBase), 0x7000000, "and the user's beside it");
	ok(seen.rax == 0x5678 && seen.rcx == USER_CODE + 2 &&
	   seen.rsp == USER_STACK, "registers as SYSCALL leaves them");
	same64(vmi1(RDMSR, MSR_LSTAR), (uint64_t)syscall_target,
	       "RDMSR has the address");
	/* back, with a swap */
	user_return = (void *)vmi_entry[VMI64_CALL_SwapGSIRET];
	user_load("\xf3\x48\x0f\xae\xcb\x0f\x05", 7);	/* rdgsbase rbx */
	user_run(&u);
	same64(seen.rbx, 0x7000000, "SwapGSIRET gives the user its base");
	same64(seen.gs_base, 0xffff900000000000, "the next SYSCALL takes it back");
	u = user_start32;
	user_load("\x0f\x05", 2);
	user_run(&u);
	ok(by_cstar() && (seen.which != 2 ||
			  seen.gs_base == 0xffff900000000000),
	   "that of compatibility mode has the kernel's GS base, too");
	if (seen.which != 2)
		vmi0(SwapGS);		/* it trapped */
	u = user_start;
	u.rflags &= ~EFLAGS_IF;
	user_run(&u);
	same64(seen.r11 & EFLAGS_IF, EFLAGS_IF, "R11 has bit 9 set in any case");
	user_return = (void *)vmi_entry[VMI64_CALL_IRET];
	wrmsr64(MSR_LSTAR, (uint64_t)syscall_target);
	vmi1(SetGSBase, 0x6000000);
	u = user_start;
	user_run(&u);
	same64(seen.gs_base, 0x6000000, "WRMSR makes it a plain one again");
}

/* What would trap at the first instruction of the hypervisor's entry: a single
 * step, and a breakpoint that MOV to SS puts off (SDM Vol. 3, 6.8.3). */
static void traps_at_entry(void)
{
	/* mov ss, [rsp - 8] */
	static const char *const enter[] = {
		"\x8e\x54\x24\xf8\x0f\x05", "\x8e\x54\x24\xf8\xcd\x80"
	};
	struct user u = user_start;
	bool good = true;

	u.rflags |= EFLAGS_TF;
	user_load("\x0f\x05", 2);
	user_run(&u);
	ok(seen.which == 1 && (seen.r11 & EFLAGS_TF) &&
	   !(seen.flags & EFLAGS_TF), "SYSCALL with TF");
	u.rflags &= ~EFLAGS_TF;
	*(volatile uint64_t *)(USER_STACK - 8) = USER_DS;
	vmi2(SetDR, 0, USER_STACK - 8);
	vmi2(SetDR, 7, 0xb0002);		/* 8 bytes, reads and writes */
	for (uint32_t i = 0; i < 2; i++) {
		user_load(enter[i], 6);
		user_run(&u);
		good &= seen.which == 1 || last.vector == VEC_SYSCALL ||
			(last.vector == VEC_DB && (last.cs & 3) == 3);
	}
	vmi2(SetDR, 7, 0x400);
	vmi2(SetDR, 6, 0);
	ok(good, "SYSCALL and INT 80h with a breakpoint put off");
}

static void bad_entries(void)
{
	same64(probe_exec(vmi_entry[VMI64_CALL_SetSyscallEntry], 1ull << 47, 0),
	       VEC_GP, "SetSyscallEntry of no address is a #GP");
	same64(probe_exec(vmi_entry[VMI64_CALL_SetGSBase], 1ull << 47, 0) ==
	       VEC_GP || vmi0(GetGSBase) == 1ull << 47, 1,
	       "SetGSBase of no address is a #GP, but for TCG");
	vmi1(SetGSBase, 0);
}

void test_syscall(void)
{
	plain();
	swapped();
	traps_at_entry();
	bad_entries();
	wrmsr64(MSR_LSTAR, (uint64_t)kernel_syscall_target);
	seen.which = 0;
	kernel_syscall();
	ok(seen.which == 1, "SYSCALL in the kernel goes there and back");
	vmi0(DisableInterrupts);
}

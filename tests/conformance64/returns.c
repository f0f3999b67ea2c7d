// SPDX-License-Identifier: GPL-2.0-only
/* IRET, SwapGSIRET, SYSRET: VMI64-3.6, VMI64-3.9.2. */
#include "conf64.h"

#define EFLAGS_STATUS	0x8d5ull

static uint8_t room[1024] __attribute__((aligned(16)));

static void to_itself(void)
{
	const uint64_t at = (uint64_t)(room + 512);
	uint64_t now;

	iret_to_self(EFLAGS_FIXED | EFLAGS_IF);
	is_of(IRET, "VMI64-3.6.1", vmi0(GetInterruptMask), EFLAGS_IF,
	      "IRET in the kernel turns the flag on");
	iret_to_self(EFLAGS_FIXED);
	is_of(IRET, "VMI64-3.6.1", vmi0(GetInterruptMask), 0,
	      "and off");
	now = iret_on(at, EFLAGS_FIXED | EFLAGS_STATUS | EFLAGS_DF);
	is("VMI64-3.6.1", now & (EFLAGS_STATUS | EFLAGS_DF),
	   EFLAGS_STATUS | EFLAGS_DF, "it sets status flags and DF");
	now = iret_on(at, EFLAGS_FIXED);
	is("VMI64-3.6.1", now & (EFLAGS_STATUS | EFLAGS_DF), 0,
	   "and clears them");
	now = iret_on(at, EFLAGS_FIXED | EFLAGS_AC | EFLAGS_ID);
	is("VMI64-3.6.1", now & (EFLAGS_AC | EFLAGS_ID), EFLAGS_AC | EFLAGS_ID,
	   "and AC and ID");
	iret_on(at, EFLAGS_FIXED);
	is("VMI64-3.6.2", iret_on(at + 8, EFLAGS_FIXED) & EFLAGS_FIXED,
	   EFLAGS_FIXED, "its frame is at a multiple of 8");
	/* the page below the 64 bytes is absent */
	play_set(FIRST, 0);
	show(FIRST + 1, 5, PTE_P | PTE_W);
	flush();
	is("VMI64-3.6.2",
	   iret_on(play_va(FIRST + 1) + 64, EFLAGS_FIXED | EFLAGS_IF) &
	   EFLAGS_FIXED, EFLAGS_FIXED, "with 64 bytes below it");
	is("VMI64-3.6.2", vmi0(GetInterruptMask), EFLAGS_IF,
	   "and the flag as it says");
	vmi0(DisableInterrupts);
	is("VMI64-3.6.2", iret_on(play_va(FIRST + 1) + 64, EFLAGS_FIXED) &
	   EFLAGS_FIXED, EFLAGS_FIXED, "and with it off");
}

static bool all_registers(const struct user *u)
{
	const uint64_t *x = (const uint64_t *)&u->r;
	const uint64_t *y = (const uint64_t *)&last.r;
	bool good = true;

	for (uint32_t i = 0; i < sizeof(u->r) / 8; i++)
		good &= x[i] == y[i];
	return good;
}

static struct user distinct(const struct user *from)
{
	struct user u = *from;
	uint64_t *r = (uint64_t *)&u.r;

	for (uint32_t i = 0; i < sizeof(u.r) / 8; i++)
		r[i] = 0x0123456789abcdefu * (i + 3);
	return u;
}

static void to_user(void)
{
	struct user u = distinct(&user_start);

	u.rflags |= EFLAGS_CF | EFLAGS_OF | EFLAGS_DF | EFLAGS_AC | EFLAGS_ID;
	user_load(INT80, 2);
	user_run(&u);
	is("VMI64-3.2.33", last.vector, VEC_SYSCALL,
	   "IRET goes to 64-bit user mode");
	point("VMI64-3.1.7", all_registers(&u), "with every register");
	is("VMI64-3.6.1", last.rip, USER_CODE + 2, "at RIP");
	is("VMI64-3.6.1", last.rsp, USER_STACK, "with RSP");
	is("VMI64-3.6.1", last.cs, USER_CS, "CS");
	is("VMI64-3.6.1", last.ss, USER_DS, "SS");
	is("VMI-3.6.3", last.rflags & 0x3fcfff, u.rflags & 0x3fcfff,
	   "and RFLAGS");
	u.rflags = EFLAGS_FIXED | EFLAGS_IF;
	u.rsp = 0x00007ffffffffff3;
	user_run(&u);
	is("VMI64-3.6.1", last.rsp, u.rsp, "an RSP of 64 bits, not aligned");
	is("VMI-3.6.3", last.rflags & 0x3fcfff, u.rflags, "flags that are 0");
	u = user_start;
	u.rflags = EFLAGS_FIXED | EFLAGS_IF | EFLAGS_TF;
	user_load("\x90\x90\xcd\x80", 4);
	user_run(&u);
	point("VMI64-3.6.1", last.vector == VEC_DB && last.rip == USER_CODE + 1,
	      "TF of a frame traps behind one instruction");
	vmi2(SetDR, 6, 0);
	/* from a stack of the test's, at an odd multiple of 8 */
	user_load(INT80, 2);
	last.vector = 256;
	iret_user_on((uint64_t)(room + 520), &user_start);
	is("VMI64-3.6.2", last.vector, VEC_SYSCALL,
	   "a frame to user mode at a multiple of 8");
	show(FIRST + 1, 5, PTE_P | PTE_W);
	flush();
	last.vector = 256;
	iret_user_on(play_va(FIRST + 1) + 64, &user_start);
	is("VMI64-3.6.2", last.vector, VEC_SYSCALL, "with 64 bytes below it");
}

static void to_user32(void)
{
	struct user u = user_start32;

	u.r.rcx = 0x123456789;
	u.r.rbx = 0xabcdef01;
	/* dec eax, which 64-bit code takes for a prefix; mov dx, cs */
	user_load("\x31\xc0\x48\x8c\xca" INT80, 7);
	user_run(&u);
	is("VMI64-3.6.1", last.vector, VEC_SYSCALL,
	   "IRET goes to compatibility mode");
	is("VMI64-3.6.1", last.r.rax, 0xffffffff, "where code is 32-bit");
	is("VMI64-3.6.1", last.r.rdx & 0xffff, USER32_CS, "in its segment");
	is("VMI64-3.6.1", last.cs, USER32_CS, "which the frame has");
	is("VMI64-3.6.1", last.rip, USER_CODE + 7, "with RIP");
	is("VMI64-3.6.1", last.rsp, USER_STACK, "and RSP");
	is("VMI64-3.1.7", last.r.rbx, 0xabcdef01, "and registers");
	u = user_start32;
	user_load("\x89\x25\0\0\0\0" INT80, 8);	/* mov [0], esp */
	user_run(&u);
	point("VMI-3.4.11", last.vector == VEC_PF && last.error == 7 &&
	      last_cr2 == 0, "its page faults are the kernel's");
	user_load("\x0f\x0b", 2);
	user_run(&u);
	is("VMI64-1.4", last.vector, VEC_UD, "and its exceptions");
}

void returns(void)
{
	to_itself();
	to_user();
	to_user32();
}

/* ---- what is refused -------------------------------------------------------------- */

uint64_t iret_fault_rip(void)
{
	return offered(VMI64_CALL_SetIRETSite) ? (uint64_t)iret_site :
						 (uint64_t)native_iret;
}

static bool refused_right(const uint64_t frame[5], uint32_t vector,
			  uint32_t error, uint64_t rip)
{
	int64_t got = iret_frame(frame);

	if (got == vector && last.error == error && last.rip == rip &&
	    last.rsp == fixup_rsp - 40)
		return true;
	print("# vector %x error %x rip %x rsp %x (%x) flags %x\n",
	      (uint32_t)got, (uint32_t)last.error, (uint32_t)last.rip,
	      (uint32_t)last.rsp, (uint32_t)fixup_rsp, (uint32_t)last.rflags);
	return false;
}

/* With the flag off and on, which is left as it was. */
static void refused(uint64_t rip, uint64_t cs, uint64_t ss, uint32_t vector,
		    uint32_t error, const char *name)
{
	uint64_t frame[5] = { rip, cs, EFLAGS_FIXED, USER_STACK, ss };
	bool good = true;

	for (uint32_t i = 0; i < 4; i++) {
		frame[2] = EFLAGS_FIXED | (i & 1 ? EFLAGS_IF : 0);
		/* the flag at the jump */
		vmi1(SetInterruptMask, i & 2 && !kernel_ring() ? EFLAGS_IF : 0);
		good &= refused_right(frame, vector, error, iret_fault_rip()) &&
			(kernel_ring() == 0 || !(last.rflags & EFLAGS_IF));
		vmi0(DisableInterrupts);
	}
	point("VMI64-3.6.3", good, name);
}

void refusals(void)
{
	static const uint64_t data = 0x00cff3000000ffff,
			      absent = 0x00af7b000000ffff, none = 0;
	const uint64_t frame[5] = { USER_CODE, 0x7f3, EFLAGS_FIXED | EFLAGS_IF,
				    USER_STACK, USER_DS };
	struct user u = user_start;

	refused(USER_CODE, 0x7f3, USER_DS, VEC_GP, 0x7f0,
		"IRET to a selector beyond the GDT: #GP");
	refused(USER_CODE, USER_DS, USER_DS, VEC_GP, USER_DS & ~3u,
		"CS of data: #GP");
	refused(USER_CODE, 3, USER_DS, VEC_GP, 0, "a null CS: #GP");
	refused(USER_CODE, USER_CS, 3, VEC_GP, 0,
		"a null SS with user mode: #GP");
	refused(USER_CODE, USER_CS, KERNEL_DS, VEC_GP, KERNEL_DS,
		"the kernel's SS with user mode: #GP");
	refused(USER_CODE, USER_CS, USER_CS, VEC_GP, USER_CS & ~3u,
		"SS of code: #GP");
	refused(USER_CODE, USER_CS, 0x7f3, VEC_GP, 0x7f0,
		"SS beyond the GDT: #GP");
	vmi3(WriteGDTEntry, gdt, SPARE_GDT, &absent);
	refused(USER_CODE, SPARE_GDT * 8 + 3, USER_DS, VEC_NP, SPARE_GDT * 8,
		"a CS that is not present: #NP");
	vmi3(WriteGDTEntry, gdt, SPARE_GDT, &none);
	refused(USER_CODE, SPARE_GDT * 8 + 3, USER_DS, VEC_GP, SPARE_GDT * 8,
		"an empty entry: #GP");
	vmi3(WriteGDTEntry, gdt, SPARE_GDT, &data);
	refused(USER_CODE, SPARE_GDT * 8 + 3, USER_DS, VEC_GP, SPARE_GDT * 8,
		"CS of data of another entry: #GP");
	vmi3(WriteGDTEntry, gdt, SPARE_GDT, &none);
	refused(USER_CODE, LDT_SELECTOR + 3, USER_DS, VEC_GP, LDT_SELECTOR,
		"CS of a system descriptor: #GP");
	/* TCG refuses the address when it is there */
	u.rip = 1ull << 47;
	fixup = (uint64_t)resume_kernel;
	user_run(&u);
	fixup = 0;
	point("VMI64-3.6.3", last.vector == VEC_GP && last.error == 0 &&
	      (last.rip == iret_fault_rip() || last.rip == u.rip),
	      "a RIP that is not canonical: #GP");
	vmi0(DisableInterrupts);
	user_load(INT80, 2);
	user_run(&user_start);
	is("VMI64-3.6.3", last.vector, VEC_SYSCALL,
	   "and a frame that is right goes there again");
	/* another site, as good as the first */
	vmi1(SetIRETSite, kernel_syscall_target);
	is_of(SetIRETSite, "VMI64-3.2.89",
	      refused_right(frame, VEC_GP, 0x7f0,
			    offered(VMI64_CALL_SetIRETSite) ?
			    (uint64_t)kernel_syscall_target :
			    (uint64_t)native_iret), 1,
	      "SetIRETSite names another place");
	vmi1(SetIRETSite, iret_site);
	is_of(SetIRETSite, "VMI64-3.2.89",
	      refused_right(frame, VEC_GP, 0x7f0, iret_fault_rip()), 1,
	      "and the first again");
	vmi0(DisableInterrupts);

	/* behind the swap */
	vmi1(SetGSBase, 0x111000);
	vmi1(SetKernelGSBase, 0x222000);
	user_return = (void *)vmi_entry[VMI64_CALL_SwapGSIRET];
	u = user_start;
	u.cs = 0x7f3;
	fixup = (uint64_t)resume_kernel;
	user_run(&u);
	fixup = 0;
	point_of(VMI64_CALL_SwapGSIRET, "VMI64-3.9.2", last.vector == VEC_GP &&
		 last.error == 0x7f0 && last.rip == iret_fault_rip(),
		 "SwapGSIRET of a bad frame: #GP at the site");
	is_of(SwapGSIRET, "VMI64-3.9.2", vmi0(GetGSBase), 0x222000,
	      "behind the swap");
	is_of(SwapGSIRET, "VMI64-3.9.2", vmi0(GetKernelGSBase), 0x111000,
	      "with the other base beside it");
	u = distinct(&user_start);
	user_load(INT80, 2);
	user_run(&u);
	is_of(SwapGSIRET, "VMI64-3.2.87", last.vector, VEC_SYSCALL,
	      "SwapGSIRET goes to user mode");
	point_of(VMI64_CALL_SwapGSIRET, "VMI64-3.1.7", all_registers(&u),
		 "with every register");
	is_of(SwapGSIRET, "VMI64-3.9.2", vmi0(GetGSBase), 0x111000,
	      "and the other GS base");
	is_of(SwapGSIRET, "VMI64-3.9.2", vmi0(GetKernelGSBase), 0x222000,
	      "whose own is kept");
	u = user_start32;
	user_run(&u);
	point_of(VMI64_CALL_SwapGSIRET, "VMI64-3.9.2",
		 last.vector == VEC_SYSCALL && last.cs == USER32_CS,
		 "and to compatibility mode");
	user_return = (void *)vmi_entry[VMI64_CALL_IRET];
	vmi1(SetGSBase, 0);
	vmi1(SetKernelGSBase, 0);

	/* SYSRET */
	wrmsr64(MSR_EFER, rdmsr64(MSR_EFER) | EFER_SCE);
	wrmsr64(MSR_STAR, (uint64_t)USER32_CS << 48 | (uint64_t)KERNEL_CS << 32);
	user_load(INT80, 2);
	last.vector = 256;
	kernel_sysret(USER_CODE);
	point("VMI64-3.6.4", last.vector == VEC_SYSCALL && last.cs == USER_CS &&
	      last.ss == USER_DS && last.rip == USER_CODE + 2,
	      "SYSRET goes to user mode");
	is("VMI64-3.6.4", last.rflags & EFLAGS_IF, EFLAGS_IF, "with the flag on");
	wrmsr64(MSR_EFER, rdmsr64(MSR_EFER) & ~EFER_SCE);
	wrmsr64(MSR_STAR, 0);
}

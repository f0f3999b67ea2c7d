// SPDX-License-Identifier: GPL-2.0-only
/* Frames of IRETQ of all bad kinds, for the processor and for the ROM. */
#include "attack64.h"

#define IN_KERNEL	(uint64_t)landing
#define SS		(KERNEL_DS | 1)
#define CS		(KERNEL_CS | 1)
#define OK_FLAGS	EFLAGS_FIXED
#define IOPL3		0x3000ull
#define NT		0x4000ull
#define VM		0x20000ull
#define VIF_VIP		0x180000ull

struct bad {
	const char	*name;
	uint64_t	rip, cs, flags, rsp, ss;
	int		vector;
};

/* To the kernel, or refused. */
static const struct bad frames[] = {
	{ "plain", IN_KERNEL, CS, OK_FLAGS, USER_STACK, SS, VEC_BP },
	{ "CS 0", IN_KERNEL, 1, OK_FLAGS, USER_STACK, SS, VEC_GP },
	{ "CS of RPL 0", IN_KERNEL, KERNEL_CS, OK_FLAGS, USER_STACK,
	  KERNEL_DS, VEC_BP },
	{ "CS of RPL 2", IN_KERNEL, KERNEL_CS | 2, OK_FLAGS, USER_STACK, SS,
	  VEC_GP },
	{ "the kernel's CS for ring 3", IN_KERNEL, KERNEL_CS | 3, OK_FLAGS,
	  USER_STACK, USER_DS, VEC_GP },
	{ "CS of the hypervisor", IN_KERNEL, HV_CS, OK_FLAGS, USER_STACK,
	  HV_SS, VEC_GP },
	{ "the same with RPL 1", IN_KERNEL, HV_CS | 1, OK_FLAGS, USER_STACK,
	  SS, VEC_GP },
	{ "the same with RPL 3", IN_KERNEL, HV_CS | 3, OK_FLAGS, USER_STACK,
	  USER_DS, VEC_GP },
	{ "data for CS", IN_KERNEL, SS, OK_FLAGS, USER_STACK, SS, VEC_GP },
	{ "a TSS for CS", IN_KERNEL, TSS_SELECTOR | 1, OK_FLAGS, USER_STACK,
	  SS, VEC_GP },
	{ "an LDT that is not there", IN_KERNEL, 5, OK_FLAGS, USER_STACK, SS,
	  VEC_GP },
	{ "CS beyond", IN_KERNEL, 0xfff9, OK_FLAGS, USER_STACK, SS, VEC_GP },
	{ "SS of the user's", IN_KERNEL, CS, OK_FLAGS, USER_STACK, USER_DS,
	  VEC_GP },
	{ "SS of the hypervisor", IN_KERNEL, CS, OK_FLAGS, USER_STACK,
	  HV_SS | 1, VEC_GP },
	{ "code for SS", IN_KERNEL, CS, OK_FLAGS, USER_STACK, CS, VEC_GP },
	{ "SS beyond", IN_KERNEL, CS, OK_FLAGS, USER_STACK, 0xfff9, VEC_GP },
	{ "RIP not canonical", ODD, CS, OK_FLAGS, USER_STACK, SS, VEC_GP },
	{ "nor here", EDGE, CS, OK_FLAGS, USER_STACK, SS, VEC_GP },
	{ "RIP of nothing", UNMAPPED, CS, OK_FLAGS, USER_STACK, SS, VEC_PF },
	{ "RIP of the entry page", TRAMP_PAGE(TRAMP_ENTRY), CS, OK_FLAGS,
	  USER_STACK, SS, VEC_PF },
	{ "RSP not canonical", IN_KERNEL, CS, OK_FLAGS, ODD, SS, VEC_BP },
	{ "RSP of nothing", IN_KERNEL, CS, OK_FLAGS, UNMAPPED, SS, VEC_BP },
	{ "RSP of the trampoline", IN_KERNEL, CS, OK_FLAGS, TRAMP, SS,
	  VEC_BP },
	{ "IOPL 3", IN_KERNEL, CS, OK_FLAGS | IOPL3, USER_STACK, SS, VEC_BP },
	{ "NT", IN_KERNEL, CS, OK_FLAGS | NT, USER_STACK, SS, VEC_BP },
	{ "AC", IN_KERNEL, CS, OK_FLAGS | EFLAGS_AC, USER_STACK, SS, VEC_BP },
	{ "VIF and VIP", IN_KERNEL, CS, OK_FLAGS | VIF_VIP, USER_STACK, SS,
	  VEC_BP },
	{ "all flags but TF and VM", IN_KERNEL, CS, ~(EFLAGS_TF | VM),
	  USER_STACK, SS, VEC_BP },
	{ "VM", IN_KERNEL, CS, OK_FLAGS | VM, USER_STACK, SS, VEC_BP },
};

/* To user mode: what it comes to there, or the refusal. */
static const struct bad user_frames[] = {
	{ "plain", USER_CODE, USER_CS, OK_FLAGS, USER_STACK, USER_DS, VEC_UD },
	{ "SS 0", USER_CODE, USER_CS, OK_FLAGS, USER_STACK, 3, VEC_GP },
	{ "SS of the kernel", USER_CODE, USER_CS, OK_FLAGS, USER_STACK, SS,
	  VEC_GP },
	{ "RIP not canonical", ODD, USER_CS, OK_FLAGS, USER_STACK, USER_DS,
	  VEC_GP },
	{ "nor here", EDGE, USER_CS, OK_FLAGS, USER_STACK, USER_DS, VEC_GP },
	{ "RIP at the last byte", EDGE - 1, USER_CS, OK_FLAGS, USER_STACK,
	  USER_DS, VEC_PF },
	{ "RIP of the trampoline", TRAMP, USER_CS, OK_FLAGS, USER_STACK,
	  USER_DS, VEC_PF },
	{ "RIP of the ROM", TOP, USER_CS, OK_FLAGS, USER_STACK, USER_DS,
	  VEC_PF },
	{ "RSP not canonical", USER_CODE, USER_CS, OK_FLAGS, ODD, USER_DS,
	  VEC_UD },
	{ "RSP of the trampoline", USER_CODE, USER_CS, OK_FLAGS, TRAMP,
	  USER_DS, VEC_UD },
	{ "compatibility mode", USER_CODE, USER32_CS, OK_FLAGS, USER_STACK,
	  USER_DS, VEC_UD },
	{ "RIP beyond its limit", USER_CODE | 1ull << 32, USER32_CS, OK_FLAGS,
	  USER_STACK, USER_DS, -1 },
	{ "IOPL 3", USER_CODE, USER_CS, OK_FLAGS | IOPL3, USER_STACK, USER_DS,
	  VEC_UD },
	{ "VM", USER_CODE, USER_CS, OK_FLAGS | VM, USER_STACK, USER_DS,
	  VEC_UD },
	{ "all flags but TF and VM", USER_CODE, USER_CS, ~(EFLAGS_TF | VM),
	  USER_STACK, USER_DS, VEC_UD },
};

static void own_stacks(void)
{
	own_stack(VEC_BP);
	own_stack(VEC_GP);
	own_stack(VEC_PF);
	own_stack(VEC_DB);
}

/* Nothing privileged is set there. */
static bool harmless(void)
{
	return !(last.rflags & (IOPL3 | VM | VIF_VIP)) && (last.cs & 3);
}

static void kernel_frames(uint32_t native)
{
	const struct bad *b;
	int64_t got;

	own_stacks();
	if (native)
		do_iret = (void *)native_iret;
	for (uint32_t i = 0; i < sizeof(frames) / sizeof(*frames); i++) {
		b = &frames[i];
		got = iret_frame(&b->rip);
		if (!ok(got == b->vector && harmless(), b->name))
			print("# %x flags %x cs %x\n", (uint32_t)got,
			      (uint32_t)last.rflags, (uint32_t)last.cs);
		__asm__ volatile("push $2\n\tpopfq" : : : "memory", "cc");
		vmi0(DisableInterrupts);
	}
	do_iret = (void *)vmi_entry[VMI64_CALL_IRET];
	is_well();
}

static void to_user(uint32_t native)
{
	struct user u = user_start;
	const struct bad *b;
	int64_t got;

	own_stacks();
	if (native)
		do_iret = user_return = (void *)native_iret;
	user_load("\x0f\x0b", 2);
	for (uint32_t i = 0; i < sizeof(user_frames) / sizeof(*b); i++) {
		b = &user_frames[i];
		u.rip = b->rip;
		u.cs = b->cs;
		u.rflags = b->flags;
		u.rsp = b->rsp;
		u.ss = b->ss;
		got = user_try(&u);
		if (b->vector < 0)	/* TCG knows no limit */
			got = -1;
		if (!ok(got == b->vector && harmless(), b->name))
			print("# %x flags %x cs %x\n", (uint32_t)got,
			      (uint32_t)last.rflags, (uint32_t)last.cs);
	}
	do_iret = user_return = (void *)vmi_entry[VMI64_CALL_IRET];
	is_well();
}

/* The frame itself is nowhere. */
static void frame_where(uint32_t native)
{
	static const uint64_t at[] = {
		UNMAPPED, TRAMP_PAGE(TRAMP_PAGES), -16ull, EDGE - 16, ODD
	};
	uint32_t wrong = 0;
	int64_t got;

	own_stacks();
	own_stack(VEC_SS);
	for (uint32_t i = 0; i < sizeof(at) / sizeof(*at); i++) {
		got = with_rsp(native ? native_iret : do_iret, at[i]);
		wrong += got != VEC_PF && got != VEC_GP && got != VEC_SS;
		vmi0(DisableInterrupts);
	}
	same64(wrong, 0, "each is a fault");
	is_well();
}

/* The hypercall, with no stack or no frame. */
static void iret_call(uint32_t n)
{
	static const uint64_t at[] = { UNMAPPED, ODD, TRAMP, EDGE - 8 };

	with_rsp("\xb8\x04\0\0\0\xcd\x82", at[n]);
}

/* With NT set it is a #GP in 64-bit mode. */
static void iret_nt(uint32_t arg)
{
	(void)arg;
	own_stacks();
	same64(CODE("\x9c\x81\x0c\x24\0\x40\0\0\x9d\x48\xcf", .rax = 0), VEC_GP,
	       "IRETQ with NT");
	is_well();
}

const struct attack return_cases[] = {
	CASE_ARG("iret_kernel_rom", kernel_frames, 0),
	CASE_ARG("iret_kernel_native", kernel_frames, 1),
	CASE_ARG("iret_user_rom", to_user, 0),
	CASE_ARG("iret_user_native", to_user, 1),
	CASE_ARG("iret_frame_rom", frame_where, 0),
	CASE_ARG("iret_frame_native", frame_where, 1),
	CASE_ARG("iret_call_absent", iret_call, 0,
		 .end = "no stack at [0-9a-f]+"),
	CASE_ARG("iret_call_odd", iret_call, 1,
		 .end = "no stack at [0-9a-f]+"),
	CASE_ARG("iret_call_trampoline", iret_call, 2,
		 .end = "no stack at [0-9a-f]+"),
	CASE_ARG("iret_call_edge", iret_call, 3,
		 .end = "no stack at [0-9a-f]+"),
	CASE(iret_nt),
	CASES_END
};

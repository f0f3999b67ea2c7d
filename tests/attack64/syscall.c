// SPDX-License-Identifier: GPL-2.0-only
/* SYSCALL, which enters the trampoline on the guest's tables, at ring 0. */
#include "attack64.h"

#define STAR	((uint64_t)(USER32_CS | 3) << 48 | (uint64_t)KERNEL_CS << 32)

static void syscall_on(uint64_t star, const void *entry)
{
	wrmsr64(MSR_EFER, rdmsr64(MSR_EFER) | EFER_SCE);
	wrmsr64(MSR_STAR, star);
	wrmsr64(MSR_LSTAR, (uint64_t)entry);
	wrmsr64(MSR_CSTAR, (uint64_t)entry);
	own_stack(VEC_BP);
}

/* In the kernel, with RSP, RCX and R11 that are anything. */
static void syscall_rsp(uint32_t which)
{
	static const uint64_t rsp[] = {
		0, ODD, EDGE, UNMAPPED, TRAMP, TRAMP_PAGE(TRAMP_ENTRY) + 0xff0,
		TOP, -8ull, 7
	};

	syscall_on(STAR, landing);
	same64(ON_STACK("\x0f\x05", rsp[which]), VEC_BP, "it comes to LSTAR");
	same64(last.rsp, rsp[which], "with the stack as it was");
	same64(last.rip, (uint64_t)landing + 1, "there");
	same64(last.cs, KERNEL_CS | 1, "in the kernel");
	same64(last.rflags & 0x23f000, 0, "with no flag that is not its own");
	is_well();
}

/* From user mode, with the same. */
static void syscall_user(uint32_t arg)
{
	static const uint64_t rsp[] = { 0, ODD, EDGE, UNMAPPED, TRAMP, TOP };
	struct user u = user_start;
	uint32_t wrong = 0;

	(void)arg;
	syscall_on(STAR, syscall_target);
	user_load("\x0f\x05", 2);
	for (uint32_t n = 0; n < sizeof(rsp) / sizeof(*rsp); n++) {
		u.rsp = rsp[n];
		u.r.rcx = u.r.r11 = rsp[n];
		user_run(&u);
		wrong += seen.which != 1 || seen.rsp != rsp[n] ||
			 seen.rcx != USER_CODE + 2;
		vmi0(DisableInterrupts);
	}
	same64(wrong, 0, "each comes to LSTAR with its stack");
	is_well();
}

/* Selectors in STAR that lead nowhere. */
static void syscall_star(uint32_t cs)
{
	syscall_on(STAR, landing);
	wrmsr64(MSR_STAR, (uint64_t)cs << 32);
	ON_STACK("\x0f\x05", USER_STACK);
}

static void syscall_star_user(uint32_t cs)
{
	struct user u = user_start;

	syscall_on(STAR, landing);
	wrmsr64(MSR_STAR, (uint64_t)cs << 32);
	user_load("\x0f\x05", 2);
	user_run(&u);
}

/* Their RPL is not looked at. */
static void syscall_star_rpl(uint32_t arg)
{
	uint32_t wrong = 0;

	(void)arg;
	for (uint32_t rpl = 0; rpl < 4; rpl++) {
		syscall_on(STAR | (uint64_t)rpl << 32, landing);
		wrong += ON_STACK("\x0f\x05", USER_STACK) != VEC_BP ||
			 last.cs != (KERNEL_CS | 1);
	}
	same64(wrong, 0, "it comes to the kernel's ring");
	is_well();
}

/* Addresses that are none are refused, by whichever way. */
static void syscall_odd(uint32_t arg)
{
	static const uint64_t odd[] = { ODD, EDGE, 0xffff7fffffffffff };
	uint32_t wrong = 0;

	(void)arg;
	syscall_on(STAR, landing);
	for (uint32_t n = 0; n < 3; n++) {
		for (uint32_t msr = MSR_LSTAR; msr <= MSR_CSTAR; msr++)
			wrong += CODE("\x0f\x30", .rcx = msr,
				      .rax = (uint32_t)odd[n],
				      .rdx = odd[n] >> 32) != VEC_GP;
		wrong += CODE("\xcd\x82", .rax = STUB64_HC_SYSCALL,
			      .rdi = odd[n]) != VEC_GP;
		wrong += CODE("\xcd\x82", .rax = STUB64_HC_SYSCALL,
			      .rsi = odd[n]) != VEC_GP;
	}
	same64(wrong, 0, "each is a #GP");
	same64(rdmsr64(MSR_LSTAR), (uint64_t)landing, "nothing has changed");
	same64(ON_STACK("\x0f\x05", USER_STACK), VEC_BP, "SYSCALL goes there");
	is_well();
}

/* It leads where nothing is executed: a #PF there. */
static void syscall_to(uint32_t which)
{
	static const uint64_t to[] = {
		UNMAPPED, TRAMP_PAGE(TRAMP_ENTRY), AREA, 0x7fffffffffff
	};

	syscall_on(STAR, (void *)to[which]);
	own_stack(VEC_PF);
	same64(ON_STACK("\x0f\x05", ODD), VEC_PF, "a #PF");
	same64(last.rip, to[which], "where it leads");
	is_well();
}

/* What the ROM's entry uses is the guest's to write. */
static void syscall_words(uint32_t which)
{
	static const uint64_t to[] = { UNMAPPED, ODD };

	syscall_on(STAR, landing);
	vmi2(SetSyscallEntry, landing, landing);
	same64(ON_STACK("\x0f\x05", ODD), VEC_BP, "SetSyscallEntry");
	SHARED->lstar = to[which];
	SHARED->cstar = to[which];
	SHARED->other_gs = to[which];
	own_stack(VEC_PF);
	own_stack(VEC_GP);
	with_rsp("\x0f\x05", UNMAPPED);
	ok(last.vector == VEC_PF || last.vector == VEC_GP,
	   "an address that is none is its own fault");
	same64(last.cs & 3, 1, "at its ring");
	vmi1(SetGSBase, 0);
	SHARED->other_gs = 0;
	is_well();
}

/* TF on the way in: FMASK of the hypervisor has it. */
static void syscall_step(uint32_t arg)
{
	(void)arg;
	syscall_on(STAR, landing);
	own_stack(VEC_DB);
	/* pushfq; or dword [rsp], 100h; popfq; syscall */
	same64(ON_STACK("\x9c\x81\x0c\x24\0\x01\0\0\x9d\x0f\x05", USER_STACK),
	       VEC_BP, "a step over SYSCALL");
	same64(last.r.r11 & EFLAGS_TF, EFLAGS_TF, "R11 has TF");
	same64(last.rflags & EFLAGS_TF, 0, "the entry has not");
	is_well();
}

/* Each bit of FMASK and of EFER, with what is not there. */
static void syscall_msrs(uint32_t arg)
{
	const uint64_t efer = rdmsr64(MSR_EFER);
	uint32_t wrong = 0;

	(void)arg;
	syscall_on(STAR, landing);
	for (uint32_t bit = 0; bit < 64; bit++) {
		uint64_t value = 1ull << bit, to = (efer | EFER_SCE) ^ value;
		bool good = bit < 32;

		wrong += (CODE("\x0f\x30", .rcx = MSR_FMASK,
			       .rax = (uint32_t)value, .rdx = value >> 32) ==
			  VEC_GP) == good;
		wrong += ON_STACK("\x0f\x05", USER_STACK) != VEC_BP;
		if (bit == 0 || bit == 10 || bit == 11)
			continue;
		wrong += CODE("\x0f\x30", .rcx = MSR_EFER, .rax = (uint32_t)to,
			      .rdx = to >> 32) != VEC_GP;
	}
	same64(wrong, 0, "what is not there is a #GP");
	is_well();
}

#define STAR_CASE(name, cs, ...)					\
	CASE_ARG("syscall_star_" name, syscall_star, cs, .end = NO_SYSCALL,	\
		 ##__VA_ARGS__)

const struct attack syscall_cases[] = {
	CASE_ARG("syscall_rsp_0", syscall_rsp, 0),
	CASE_ARG("syscall_rsp_odd", syscall_rsp, 1),
	CASE_ARG("syscall_rsp_edge", syscall_rsp, 2),
	CASE_ARG("syscall_rsp_absent", syscall_rsp, 3),
	CASE_ARG("syscall_rsp_text", syscall_rsp, 4),
	CASE_ARG("syscall_rsp_entry", syscall_rsp, 5),
	CASE_ARG("syscall_rsp_rom", syscall_rsp, 6),
	CASE_ARG("syscall_rsp_end", syscall_rsp, 7),
	CASE_ARG("syscall_rsp_misaligned", syscall_rsp, 8),
	CASE(syscall_user),
	STAR_CASE("null", 0),
	STAR_CASE("hypervisor", HV_CS),
	STAR_CASE("data", KERNEL_DS),
	STAR_CASE("user", USER_CS),
	STAR_CASE("tss", TSS_SELECTOR),
	STAR_CASE("ldt", 4),
	STAR_CASE("beyond", 0xfff8),
	CASE_ARG("syscall_star_from_user", syscall_star_user, HV_CS,
		 .end = NO_SYSCALL),
	CASE(syscall_star_rpl),
	CASE(syscall_odd),
	CASE_ARG("syscall_to_absent", syscall_to, 0),
	CASE_ARG("syscall_to_entry_page", syscall_to, 1),
	CASE_ARG("syscall_to_area", syscall_to, 2),
	CASE_ARG("syscall_to_edge", syscall_to, 3),
	CASE_ARG("syscall_words_absent", syscall_words, 0),
	CASE_ARG("syscall_words_odd", syscall_words, 1),
	CASE(syscall_step),
	CASE(syscall_msrs),
	CASES_END
};

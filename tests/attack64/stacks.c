// SPDX-License-Identifier: GPL-2.0-only
/* Events whose stack is nowhere; debug traps where they may not be. */
#include "attack64.h"
#include "pc.h"

static const uint64_t where[] = {
	ODD, EDGE, UNMAPPED, TRAMP + 0x800, TRAMP_PAGE(TRAMP_ENTRY) + 0xf00,
	TOP + 0x800, AREA + 0x800, 16, 8, DIRECT + 16
};
#define EACH(X, name, run)						\
	X(name "_odd", run, 0), X(name "_edge", run, 1),		\
	X(name "_absent", run, 2), X(name "_text", run, 3),		\
	X(name "_entry_page", run, 4), X(name "_rom", run, 5),		\
	X(name "_area", run, 6), X(name "_low", run, 7),			\
	X(name "_wraps", run, 8), X(name "_crossing", run, 9)
#define DIES(name, run, n)	CASE_ARG(name, run, n, .end = NO_STACK)

static void stack_kernel(uint32_t n)
{
	with_rsp("\x0f\x0b", where[n]);
}

static void stack_int(uint32_t n)
{
	with_rsp("\xcd\x90", where[n]);
}

static void stack_user(uint32_t n)
{
	kernel_stack = where[n];
	USER("\x0f\x0b");
}

static void stack_irq(uint32_t n)
{
	pic_init();
	pit_wait();
	with_rsp("\xfb\x90\xeb\xfe", where[n]);	/* sti */
}

static void stack_misaligned(uint32_t arg)
{
	const uint64_t top = play_va(PLAY_FIRST) + PAGE;
	uint32_t wrong = 0;

	(void)arg;
	play_set(PLAY_FIRST, frame_pa(0) | PTE_P | PTE_W);
	flush();
	for (uint32_t n = 0; n < 16; n++) {
		wrong += with_rsp("\x0f\x0b", top - n) != VEC_UD;
		wrong += last.rsp != top - n ||
			 last_at != ((top - n) & -16ull) - sizeof(struct frame);
	}
	same64(wrong, 0, "each frame is where it is to be");
	is_well();
}

/* Each fault's handler faults, until there is no more stack. */
static void stack_recursion(uint32_t arg)
{
	(void)arg;
	play_set(PLAY_FIRST, frame_pa(0) | PTE_P | PTE_W);
	flush();
	gate_write(VEC_PF, UNMAPPED, KERNEL_CS, 14, 0, 0);
	with_rsp("\xa1\0\0\0\0\0\xc0\xff\xff", play_va(PLAY_FIRST) + PAGE);
}

/* No gates but that of #DF. */
static void double_fault(uint32_t arg)
{
	(void)arg;
	own_stack(VEC_DF);
	gate_write(VEC_PF, 0, KERNEL_CS, 12, 0, 0);
	same64(probe_read(UNMAPPED), VEC_DF, "a #PF without a gate is a #DF");
	same64(last.error, 0, "error code 0");
	gate_write(VEC_PF, trap_stub[VEC_PF], KERNEL_CS, 14, 0, 0);
	is_well();
}

/* ---- single steps and breakpoints -------------------------------------------------- */

#define POP_TF	"\x9c\x81\x0c\x24\0\x01\0\0\x9d"

static volatile uint32_t debug_count;

static void debug(struct frame *f)
{
	debug_count++;
	f->rflags &= ~EFLAGS_TF;
	f->rflags |= 0x10000;
}

/* TF over what exits. */
static void step_over(uint32_t n)
{
	static const char *const code[] = {
		POP_TF "\x31\xff\xb8\x1a\0\0\0\xcd\x82\x90\xc3",
		POP_TF "\x0f\x06\x90\xc3", POP_TF "\x0f\xa2\x90\xc3",
		POP_TF "\x0f\x20\xc0\x90\xc3", POP_TF "\xcd\x90\x90\xc3",
		POP_TF "\x9c\x9d\x0f\x09\x90\xc3"
	};
	const struct registers r = { .rax = 0 };

	own_stack(VEC_DB);
	debug_count = 0;
	vector_hook[VEC_DB] = debug;
	attempt(code[n], &r);
	vector_hook[VEC_DB] = NULL;
	ok(debug_count, "#DB comes");
	vmi2(SetDR, 6, 0);
	is_well();
}

/* All four on an address of the hypervisor's, of all kinds. */
static void watch(uint32_t n)
{
	static const uint64_t at[] = {
		TRAMP, TRAMP + 14 * 16, TRAMP_PAGE(2), TRAMP_PAGE(3),
		TRAMP_PAGE(4) + 0xfe0, TRAMP_PAGE(5), TRAMP_PAGE(8),
		0xffffffff80100000, 0xffffffff80200000, ODD, TOP, AREA
	};

	debug_count = 0;
	vector_hook[VEC_DB] = debug;
	for (uint32_t kind = 0; kind < 16; kind++) {
		for (uint32_t i = 0; i < 4; i++)
			vmi2(SetDR, i, at[n] + i * 8);
		vmi2(SetDR, 7, 0x4ff | 0x11110000 * kind);
		probe_read(UNMAPPED);
		hypercall(STUB_HC_CANCEL_ALARM, 0, 0, 0);
		USER("\x0f\x0b");
		vmi0(DisableInterrupts);
	}
	vmi2(SetDR, 7, 0x400);
	if (n < 9)
		same64(debug_count, 0, "it hears nothing");
	vector_hook[VEC_DB] = NULL;
	is_well();
}

/* MOV SS puts a breakpoint off behind what follows. */
static void mov_ss(uint32_t n)
{
	static const char *const code[] = {
		"\x8e\x17\x0f\x05\xc3", "\x8e\x17\xcd\x82\xc3",
		"\x8e\x17\xcc\xc3", "\x8e\x17\x0f\x0b\xc3",
		"\x8e\x17\x0f\x20\xc0\xc3", "\x8e\x17\xcd\x80\xc3",
		"\x8e\x17\xfb\x90\xc3"
	};
	static const uint16_t ss = KERNEL_DS | 1;
	const struct registers r = { .rdi = (uint64_t)&ss,
				     .rax = STUB_HC_CANCEL_ALARM };

	wrmsr64(MSR_EFER, rdmsr64(MSR_EFER) | EFER_SCE);
	wrmsr64(MSR_STAR, (uint64_t)KERNEL_CS << 32);
	wrmsr64(MSR_LSTAR, (uint64_t)landing);
	own_stack(VEC_BP);
	own_stack(VEC_DB);
	debug_count = 0;
	vector_hook[VEC_DB] = debug;
	vmi2(SetDR, 0, &ss);
	vmi2(SetDR, 7, 0x70403);		/* reads, 2 bytes */
	attempt(code[n], &r);
	vmi2(SetDR, 7, 0x400);
	vmi0(DisableInterrupts);
	vector_hook[VEC_DB] = NULL;
	same64(debug_count > 1, 0, "#DB comes once, or is lost");
	vmi2(SetDR, 6, 0);
	is_well();
}

/* NMI to itself, by the APIC; there is no gate for it, or one. */
static void nmi_self(uint32_t with)
{
	if (!with)
		gate_write(2, 0, 0, 0, 0, 0);
	vmi2(APICWrite, 0x310, 0);
	fixup = (uint64_t)resume_kernel;
	vmi2(APICWrite, 0x300, 0x44400);
	fixup = 0;
	is_well();
}

const struct attack stack_cases[] = {
	EACH(DIES, "stack_kernel", stack_kernel),
	EACH(DIES, "stack_int", stack_int),
	EACH(DIES, "stack_user", stack_user),
	EACH(DIES, "stack_irq", stack_irq),
	CASE(stack_misaligned),
	CASE(stack_recursion, .end = NO_STACK),
	CASE(double_fault),
	CASE_ARG("step_hypercall", step_over, 0),
	CASE_ARG("step_clts", step_over, 1),
	CASE_ARG("step_cpuid", step_over, 2),
	CASE_ARG("step_mov_cr", step_over, 3),
	CASE_ARG("step_int", step_over, 4),
	CASE_ARG("step_wbinvd", step_over, 5),
	CASE_ARG("watch_text", watch, 0),
	CASE_ARG("watch_pf", watch, 1),
	CASE_ARG("watch_idt", watch, 2),
	CASE_ARG("watch_constants", watch, 3),
	CASE_ARG("watch_entry_page", watch, 4),
	CASE_ARG("watch_shared", watch, 5),
	CASE_ARG("watch_gdt", watch, 6),
	CASE_ARG("watch_image", watch, 7),
	CASE_ARG("watch_data", watch, 8),
	CASE_ARG("watch_odd", watch, 9),
	CASE_ARG("watch_rom", watch, 10),
	/* The ROM's IRET writes there: #DB nests in its own return, down the stack
	 * and through what is below, until do_iret holds some saved register (DR7's
	 * value, once), or no frame can be pushed. */
	CASE_ARG("watch_area", watch, 11, .end = ANY_END),
	CASE_ARG("mov_ss_syscall", mov_ss, 0),
	CASE_ARG("mov_ss_hypercall", mov_ss, 1),
	CASE_ARG("mov_ss_int3", mov_ss, 2),
	CASE_ARG("mov_ss_ud2", mov_ss, 3),
	CASE_ARG("mov_ss_cr", mov_ss, 4),
	CASE_ARG("mov_ss_int", mov_ss, 5),
	CASE_ARG("mov_ss_sti", mov_ss, 6),
	CASE_ARG("nmi_self", nmi_self, 1),
	CASES_END
};

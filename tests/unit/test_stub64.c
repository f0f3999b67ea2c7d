// SPDX-License-Identifier: GPL-2.0-only
/*
 * The code of the stub ROM for 64-bit guests, run here: the image is linked at an
 * address that a process has, ring 3 is its kernel's ring, and a signal handler
 * is its hypervisor, for hypercalls (INT 82h is #GP) and, instruction by
 * instruction, for interrupts. STUB64-3 to STUB64-8.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "unit.h"
#include "../../rom/tool/check.h"
#include "vmi64.h"
#include "vmi_rom.h"
#include "vmi_stub64.h"

#define ROM		0x60000000ul	/* tests.mk links it there */
#define ROM_SIZE	STUB_ROM_MAX
#define TF		0x100
#define HWCAP2_FSGSBASE	2

static volatile struct stub64_shared *const sh =
	(void *)(ROM + STUB_SHARED_OFFSET);

/* ---- a call with all registers ---------------------------------------------- */

enum { RAX, RCX, RDX, RBX, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15,
       REGS };

uint64_t rom_regs[REGS], rom_result[REGS];
uint64_t rom_target, rom_step;		/* TF, or 0 */
uint64_t rom_stack;
void rom_call(void), rom_jump(void), rom_landing(void);

#define EACH(op, array)							\
	op(array, 1, rcx) op(array, 2, rdx) op(array, 3, rbx)		\
	op(array, 4, rbp) op(array, 5, rsi) op(array, 6, rdi)		\
	op(array, 7, r8) op(array, 8, r9) op(array, 9, r10)		\
	op(array, 10, r11) op(array, 11, r12) op(array, 12, r13)	\
	op(array, 13, r14) op(array, 14, r15)
#define LOAD(array, n, reg)	"  mov " #array "+8*" #n "(%rip), %" #reg "\n"
#define STORE(array, n, reg)	"  mov %" #reg ", " #array "+8*" #n "(%rip)\n"
#define SAVE	"  push %rbx\n  push %rbp\n  push %r12\n  push %r13\n"	\
		"  push %r14\n  push %r15\n  mov %rsp, rom_stack(%rip)\n"
#define LOADS	EACH(LOAD, rom_regs)					\
		"  pushfq\n  mov rom_step(%rip), %rax\n"		\
		"  or %rax, (%rsp)\n  mov rom_regs(%rip), %rax\n  popfq\n"

/* rom_jump: to what takes a frame, which leads back to rom_landing. */
__asm__(".text\n"
	"rom_call:\n" SAVE LOADS
	"  call *rom_target(%rip)\n"
	"rom_landing:\n"
	"  pushfq\n  andl $~0x100, (%rsp)\n  popfq\n"
	"  mov %rax, rom_result(%rip)\n" EACH(STORE, rom_result)
	"  mov rom_stack(%rip), %rsp\n"
	"  pop %r15\n  pop %r14\n  pop %r13\n  pop %r12\n"
	"  pop %rbp\n  pop %rbx\n  ret\n"
	"rom_jump:\n" SAVE
	"  sub $128, %rsp\n"
	"  mov %ss, %eax\n  push %rax\n  push rom_stack(%rip)\n"
	"  push rom_frame_flags(%rip)\n"
	"  mov %cs, %eax\n  push %rax\n"
	"  lea rom_landing(%rip), %rax\n  push %rax\n" LOADS
	"  jmp *rom_target(%rip)\n");

uint64_t rom_frame_flags;

/* ---- the hypervisor ------------------------------------------------------------ */

static struct {
	unsigned int steps;		/* instructions in the ROM */
	unsigned int calls;		/* hypercalls */
	uint64_t nr, rdi, rsi, rdx;	/* of the last one */
	uint64_t result;		/* of the next one */
	uint64_t flags;			/* when it was made */

	unsigned int interrupt;		/* before that step, 0: none */
	bool pending, delivered;
	uint64_t delivered_at;
	unsigned int seen;		/* a queue word that must not get lost */
	bool found_full;		/* the queue, by a handler */
} hv;

static bool in_rom(uint64_t rip)
{
	return rip - ROM < ROM_SIZE;
}

static void drain(void)
{
	for (int32_t i = -STUB_QUEUE_LEN; i < sh->tail; i++)
		if (sh->queue[STUB_QUEUE_LEN + i] == 0x1238)
			hv.seen++;
	sh->tail = -STUB_QUEUE_LEN;
}

static const struct stub64_window *window_at(uint64_t rip)
{
	const struct stub64_rom_info *info =
		(void *)(ROM + STUB64_INFO_OFFSET);
	const struct stub64_window *w = (void *)(ROM + info->table +
						 sizeof(struct stub64_rom_table));

	for (uint32_t i = 0; i < info->window_count; i++)
		if (rip >= w[i].start && rip < w[i].end)
			return &w[i];
	return NULL;
}

/* As event_poll() does it. */
static void poll_events(greg_t *r)
{
	const struct stub64_window *w = window_at(r[REG_RIP]);
	bool may = hv.pending && (sh->flags & STUB_IF);

	if (may && w) {
		r[REG_RIP] = w->restart;
		if (w->clear_if)
			sh->flags &= ~STUB_IF;
		may = !w->clear_if;
	}
	if (may) {
		hv.pending = false;
		hv.delivered = true;
		hv.delivered_at = r[REG_RIP];
		hv.found_full |= sh->tail >= 0;
		drain();		/* what a handler's page fault does */
	}
	if (hv.pending)
		sh->flags |= STUB_PENDING;
	else
		sh->flags &= ~STUB_PENDING;
}

static void on_step(int signal, siginfo_t *info, void *context)
{
	greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;

	(void)signal, (void)info;
	if (!in_rom(r[REG_RIP]))
		return;
	if (++hv.steps == hv.interrupt) {
		hv.pending = true;
		poll_events(r);
	}
}

static void on_hypercall(int signal, siginfo_t *info, void *context)
{
	greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
	const uint8_t *insn = (void *)r[REG_RIP];
	uint64_t *stack;

	(void)signal, (void)info;
	if (!in_rom(r[REG_RIP]) || insn[0] != 0xcd || insn[1] != STUB_VECTOR)
		abort();
	hv.calls++;
	hv.nr = (uint32_t)r[REG_RAX];
	hv.rdi = r[REG_RDI];
	hv.rsi = r[REG_RSI];
	hv.rdx = r[REG_RDX];
	hv.flags = sh->flags;
	r[REG_RAX] = hv.result;
	r[REG_RIP] += 2;
	switch (hv.nr) {
	case STUB_HC_QUEUE_FULL:
		drain();
		break;
	case STUB_HC_DRAIN:
		sh->deferred = sh->gdt_dirty = 0;
		drain();
		break;
	case STUB_HC_EVENTS:
		poll_events(r);
		break;
	case STUB_HC_IRET:
		stack = (void *)r[REG_RSP];
		r[REG_RAX] = stack[0];
		r[REG_RIP] = stack[1];
		r[REG_RSP] = stack[4];
		if (stack[3] & STUB_IF)
			sh->flags |= STUB_IF;
		poll_events(r);
		break;
	case STUB_HC_CPUID:
		r[REG_RAX] = 0xa;
		r[REG_RBX] = 0xb;
		r[REG_RCX] = 0xc;
		r[REG_RDX] = 0xd;
		break;
	}
}

/* ---- a guest --------------------------------------------------------------------- */

static uint64_t slot(enum vmi64_call nr)
{
	const struct vmi_rom_info *info = (void *)(ROM + VMI_ROM_INFO_OFFSET);

	return ROM + info->slots + nr * info->slot_size;
}

/* How many instructions, all registers being what they were but those of may. */
#define B1		0u
#define B2		(1u << RAX)
#define A		(B2 | 1u << RCX | 1u << RDX | 1u << RSI | 1u << RDI | \
			 1u << R8 | 1u << R9 | 1u << R10 | 1u << R11)

/* SIGSEGV is cmocka's between two calls. */
static void take_signals(void)
{
	const struct sigaction step = { .sa_sigaction = on_step,
					.sa_flags = SA_SIGINFO };
	const struct sigaction fault = { .sa_sigaction = on_hypercall,
					 .sa_flags = SA_SIGINFO };

	sigaction(SIGTRAP, &step, NULL);
	sigaction(SIGSEGV, &fault, NULL);
}

static unsigned int enter(void (*how)(void), uint64_t target, unsigned int may)
{
	take_signals();
	hv.steps = hv.calls = 0;
	hv.delivered = false;
	rom_target = target;
	rom_step = TF;
	how();
	for (int i = 0; i < REGS; i++)
		if (!(may & 1u << i) && rom_result[i] != rom_regs[i])
			fail_msg("register %d is %#lx, was %#lx", i,
				 rom_result[i], rom_regs[i]);
	return hv.steps;
}

static unsigned int call(enum vmi64_call nr, unsigned int may, uint64_t rdi,
			 uint64_t rsi)
{
	rom_regs[RDI] = rdi;
	rom_regs[RSI] = rsi;
	return enter(rom_call, slot(nr), may);
}

static unsigned int jump(uint64_t target, uint64_t rflags)
{
	rom_frame_flags = rflags | 2;
	return enter(rom_jump, target, B1);
}

static unsigned int queued(void)
{
	return sh->tail + STUB_QUEUE_LEN;
}

static uint64_t last_word(void)
{
	return sh->queue[STUB_QUEUE_LEN + sh->tail - 1];
}

static int fresh(void **state)
{
	(void)state;
	memset((void *)sh, 0, sizeof(*sh));
	memset(&hv, 0, sizeof(hv));
	sh->tail = -STUB_QUEUE_LEN;
	sh->queue_guard = STUB64_QUEUE_GUARD;
	for (int i = 0; i < REGS; i++)
		rom_regs[i] = 0x1111111111111111ull * (i + 1);
	return 0;
}

static int setup(void **state)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
	FILE *f = fopen("build/tests/stub64.bin", "rb");
	size_t size;

	(void)state;
	assert_non_null(f);
	assert_true(mmap((void *)ROM, STUB_SHARED_OFFSET + sizeof(*sh),
			 PROT_READ | PROT_WRITE, flags, -1, 0) == (void *)ROM);
	size = fread((void *)ROM, 1, ROM_SIZE, f);
	fclose(f);
	assert_in_range(size, 0x1000, ROM_SIZE);
	assert_int_equal(mprotect((void *)ROM, ROM_SIZE,
				  PROT_READ | PROT_EXEC), 0);
	return 0;
}

/* ---- the interrupt flag ------------------------------------------------------------ */

static void test_flag(void **state)
{
	(void)state;
	assert_int_equal(call(VMI64_CALL_GetInterruptMask, B2, 0, 0), 3);
	assert_int_equal(rom_result[RAX], 0);
	assert_int_equal(call(VMI64_CALL_EnableInterrupts, B1, 0, 0), 3);
	assert_int_equal(sh->flags, STUB_IF);
	assert_int_equal(call(VMI64_CALL_GetInterruptMask, B2, 0, 0), 3);
	assert_int_equal(rom_result[RAX], STUB_IF);
	assert_int_equal(call(VMI64_CALL_DisableInterrupts, B1, 0, 0), 2);
	assert_int_equal(sh->flags, 0);
	assert_int_equal(call(VMI64_CALL_SetInterruptMask, B1, ~0ull, 0), 5);
	assert_int_equal(sh->flags, STUB_IF);
	assert_int_equal(call(VMI64_CALL_SetInterruptMask, B1,
			      ~(uint64_t)STUB_IF, 0), 4);
	assert_int_equal(sh->flags, 0);
	assert_int_equal(hv.calls, 0);
}

/* VMI-3.6.2 */
static void test_pending(void **state)
{
	static const enum vmi64_call both[] = { VMI64_CALL_EnableInterrupts,
						VMI64_CALL_SetInterruptMask };

	(void)state;
	for (int i = 0; i < 2; i++) {
		sh->flags = STUB_PENDING;
		hv.pending = true;
		call(both[i], B1, STUB_IF, 0);
		assert_int_equal(hv.nr, STUB_HC_EVENTS);
		assert_true(hv.delivered);
		assert_int_equal(sh->flags, STUB_IF);
	}
}

/* ---- the way back --------------------------------------------------------------------- */

static void test_iret(void **state)
{
	(void)state;
	assert_int_equal(jump(slot(VMI64_CALL_IRET), STUB_IF), 5);
	assert_int_equal(sh->flags, STUB_IF);
	assert_int_equal(jump(slot(VMI64_CALL_IRET), 0), 4);
	assert_int_equal(sh->flags, 0);
	assert_int_equal(hv.calls, 0);
}

/* The hypervisor does the return, from a frame that is as it was (STUB64-5). */
static void test_iret_pending(void **state)
{
	(void)state;
	hv.pending = true;
	sh->flags = STUB_PENDING;
	jump(slot(VMI64_CALL_IRET), STUB_IF);
	assert_int_equal(hv.nr, STUB_HC_IRET);
	assert_int_equal(hv.flags, STUB_PENDING);
	assert_true(hv.delivered);
	assert_true(hv.delivered_at == (uintptr_t)rom_landing);
}

/*
 * An interrupt at any instruction of the return comes before it or behind it, and
 * never inside, where the kernel's stack would grow by another.
 */
static void interrupted_return(enum vmi64_call nr, unsigned int steps)
{
	for (unsigned int at = 1; at <= steps; at++) {
		fresh(NULL);
		sh->other_gs = 0x5000;
		__asm__ volatile("wrgsbase %0" : : "r"(0x4000ul));
		hv.interrupt = at;
		jump(slot(nr), STUB_IF);
		assert_true(!hv.delivered ||
			    hv.delivered_at == (uintptr_t)rom_landing);
		/* one that came too early for the OR to see is there now */
		assert_true(hv.delivered != hv.pending);
		assert_true(sh->flags & STUB_IF);
		if (nr == VMI64_CALL_SwapGSIRET)
			assert_int_equal(sh->other_gs, 0x4000);
	}
}

static void test_interrupted_return(void **state)
{
	(void)state;
	interrupted_return(VMI64_CALL_IRET, 5);
	interrupted_return(VMI64_CALL_SwapGSIRET, 10);
}

/* ---- GS base and SYSCALL ------------------------------------------------------------ */

static uint64_t gs_base(void)
{
	uint64_t base;

	__asm__ volatile("rdgsbase %0" : "=r"(base));
	return base;
}

static void test_swap_gs(void **state)
{
	const uint64_t user = 0x7fff12345678, kernel = 0x0000555500001000;

	(void)state;
	__asm__ volatile("wrgsbase %0" : : "r"(user));
	assert_int_equal(call(VMI64_CALL_SetKernelGSBase, A, kernel, 0), 2);
	assert_int_equal(call(VMI64_CALL_SwapGS, B1, 1, 2), 6);
	assert_true(gs_base() == kernel);
	call(VMI64_CALL_GetKernelGSBase, B2, 0, 0);
	assert_true(rom_result[RAX] == user);
	assert_int_equal(jump(slot(VMI64_CALL_SwapGSIRET), STUB_IF), 10);
	assert_true(gs_base() == user);
	assert_true(sh->other_gs == kernel);
	assert_int_equal(sh->flags, STUB_IF);
	jump(slot(VMI64_CALL_SwapGSIRET), 0);
	assert_true(gs_base() == kernel);
	assert_int_equal(sh->flags, 0);
	assert_int_equal(call(VMI64_CALL_SetGSBase, A, user, 0), 2);
	assert_true(gs_base() == user);
	call(VMI64_CALL_GetGSBase, B2, 0, 0);
	assert_true(rom_result[RAX] == user);
	assert_int_equal(hv.calls, 0);
}

static void test_fs_base(void **state)
{
	uint64_t base;

	(void)state;
	__asm__ volatile("rdfsbase %0" : "=r"(base));	/* the test's own */
	assert_int_equal(call(VMI64_CALL_GetFSBase, B2, 0, 0), 2);
	assert_true(rom_result[RAX] == base);
	assert_int_equal(call(VMI64_CALL_SetFSBase, A, base, 0), 2);
}

/* The entries have no stack; the hypervisor has turned the flag off. */
static void test_syscall_entry(void **state)
{
	const struct stub64_rom_info *info =
		(void *)(ROM + STUB64_INFO_OFFSET);
	const struct stub64_rom_table *table = (void *)(ROM + info->table);

	(void)state;
	for (unsigned int which = 0; which < 2; which++) {
		fresh(NULL);
		sh->other_gs = 0x5000;
		__asm__ volatile("wrgsbase %0" : : "r"(0x4000ul));
		if (which)
			sh->cstar = (uintptr_t)rom_landing;
		else
			sh->lstar = (uintptr_t)rom_landing;
		assert_int_equal(enter(rom_jump, table->syscall_entry[which],
				       B1), 6);
		assert_int_equal(sh->flags, 0);
		assert_int_equal(sh->other_gs, 0x4000);
		assert_int_equal(gs_base(), 0x5000);
	}
	call(VMI64_CALL_SetSyscallEntry, A, 1, 2);
	assert_true(hv.nr == STUB64_HC_SYSCALL && hv.rdi == 1 && hv.rsi == 2);
	call(VMI64_CALL_SetIRETSite, A, 3, 0);
	assert_true(hv.nr == STUB64_HC_IRET_SITE && hv.rdi == 3);
}

/* ---- page tables ---------------------------------------------------------------------- */

static uint64_t page[512] __attribute__((aligned(4096)));

/* "page" is at guest-physical 1000h. */
static void set_slot(unsigned int number)
{
	rom_regs[RDX] = 1;
	rom_regs[RCX] = 1;
	call(VMI64_CALL_SetLinearMapping, A, number, (uintptr_t)page);
}

/* Memory is at its physical address from direct_va on. */
static void set_direct(void)
{
	rom_regs[RDX] = 2;
	rom_regs[RCX] = 0;
	call(VMI64_CALL_SetLinearMapping, A, 0, (uintptr_t)page - 0x1000);
}

static void test_set_pxe(void **state)
{
	(void)state;
	set_direct();
	assert_int_equal(call(VMI64_CALL_SetPxELong, A, (uintptr_t)&page[71],
			      0xabcdef0123456067), 12);
	assert_true(page[71] == 0xabcdef0123456067);
	assert_int_equal(queued(), 1);
	assert_int_equal(last_word(), 0x1000 + 71 * 8);
	/* the same entry again is one word */
	call(VMI64_CALL_SetPxELong, A, (uintptr_t)&page[71], 0);
	assert_int_equal(page[71], 0);
	assert_int_equal(queued(), 1);
	assert_int_equal(call(VMI64_CALL_UpdatePxELong, A,
			      (uintptr_t)&page[72], 0), 11);
	assert_int_equal(queued(), 2);
	assert_int_equal(last_word(), 0x1000 + 72 * 8);
	assert_int_equal(hv.calls, 0);
}

/* STUB64-4: by another slot, or at once; also if slot 0 begins elsewhere. */
static void test_elsewhere(void **state)
{
	(void)state;
	call(VMI64_CALL_SetPxELong, A, (uintptr_t)&page[1], 5);
	assert_int_equal(hv.nr, STUB_HC_UPDATE_VA);
	assert_true(hv.rdi == (uintptr_t)&page[1]);
	assert_int_equal(queued(), 0);
	for (unsigned int number = 0; number < VMI_LINEAR_SLOTS; number++) {
		fresh(NULL);
		set_slot(number);
		call(VMI64_CALL_UpdatePxELong, A, (uintptr_t)&page[511], 0);
		assert_int_equal(hv.calls, 0);
		assert_int_equal(last_word(), 0x1ff8);
		call(VMI64_CALL_UpdatePxELong, A, (uintptr_t)&page[512], 0);
		assert_int_equal(hv.calls, 1);
	}
	set_slot(VMI_LINEAR_SLOTS);
	assert_int_equal(hv.calls, 0);
}

/* VMI-3.4.10: the range may exceed memory, not wrap. */
static void test_huge_slot(void **state)
{
	(void)state;
	rom_regs[RDX] = ~0ull;
	rom_regs[RCX] = 0;
	call(VMI64_CALL_SetLinearMapping, A, 0, 0xffff888000000000);
	assert_true(sh->direct_bytes == 0x0000778000000000);
	rom_regs[RDX] = ~0ull;
	call(VMI64_CALL_SetLinearMapping, A, 1, 0);
	assert_true(sh->linear[1].bytes == 0xfffffffffffff000);
}

static void test_full(void **state)
{
	(void)state;
	set_direct();
	for (unsigned int i = 0; i < STUB_QUEUE_LEN - 1; i++)
		call(VMI64_CALL_UpdatePxELong, A, (uintptr_t)&page[i % 2], 0);
	assert_int_equal(queued(), STUB_QUEUE_LEN - 1);
	call(VMI64_CALL_UpdatePxELong, A, (uintptr_t)&page[5], 0);
	assert_int_equal(hv.calls, 1);
	assert_int_equal(hv.nr, STUB_HC_QUEUE_FULL);
	assert_int_equal(queued(), 0);
}

/*
 * An interrupt at any instruction, with a drain, loses no word; and no handler
 * finds the queue full.
 */
static void interrupted_update(bool direct, int32_t tail)
{
	unsigned int at;

	for (at = 1, hv.delivered = true; hv.delivered; at++) {
		fresh(NULL);
		if (direct)
			set_direct();
		else
			set_slot(1);
		sh->flags = STUB_IF;
		sh->tail = tail;
		hv.interrupt = at;
		call(VMI64_CALL_SetPxELong, A, (uintptr_t)&page[71], 7);
		assert_int_equal(page[71], 7);
		assert_true(sh->tail < 0 && !hv.found_full);
		assert_true(hv.delivered || hv.steps < at);
		drain();
		assert_true(hv.seen);
		assert_int_equal(sh->flags, STUB_IF);
	}
	assert_in_range(at, 12, 60);
}

static void test_interrupted_update(void **state)
{
	(void)state;
	interrupted_update(true, -STUB_QUEUE_LEN);
	interrupted_update(true, -1);
	interrupted_update(false, -STUB_QUEUE_LEN);
	interrupted_update(false, -1);
}

static void test_pages(void **state)
{
	(void)state;
	assert_int_equal(call(VMI64_CALL_AllocatePage, A, 0x123456789, 0), 10);
	assert_true(last_word() == (0x123456789000 | STUB64_Q_ALLOC));
	assert_int_equal(call(VMI64_CALL_ReleasePage, A, 0x123456789, 0), 10);
	assert_true(last_word() == (0x123456789000 | STUB64_Q_RELEASE));
	assert_int_equal(queued(), 2);
}

/* ---- batches ----------------------------------------------------------------------------- */

static void test_lazy(void **state)
{
	const uint64_t va = 0xffff888012345678;

	(void)state;
	call(VMI64_CALL_InvalPage, A, va, 0);
	assert_int_equal(hv.nr, STUB_HC_INVAL_PAGE);
	assert_true(hv.rdi == va);
	call(VMI64_CALL_FlushTLB, A, VMI_FLUSH_TLB, 0);
	assert_int_equal(hv.nr, STUB_HC_FLUSH_TLB);
	assert_int_equal(call(VMI64_CALL_SetLazyMode, A, VMI_LAZY_MMU, 0), 4);
	assert_int_equal(call(VMI64_CALL_SetLazyMode, A, VMI_LAZY_NONE, 0), 7);
	assert_int_equal(hv.calls, 0);

	call(VMI64_CALL_SetLazyMode, A, VMI_LAZY_MMU, 0);
	assert_int_equal(call(VMI64_CALL_InvalPage, A, va, 0), 14);
	assert_true(last_word() == ((va & ~0xfffull) | STUB64_Q_INVAL));
	assert_int_equal(call(VMI64_CALL_FlushTLB, A, VMI_FLUSH_TLB, 0), 6);
	assert_int_equal(sh->deferred,
			 STUB_DEFER_INVAL | STUB_DEFER_FLUSH);
	call(VMI64_CALL_FlushTLB, A, VMI_FLUSH_GLOBAL, 0);
	assert_int_equal(hv.nr, STUB_HC_FLUSH_TLB);
	call(VMI64_CALL_SetLazyMode, A, VMI_LAZY_NONE, 0);
	assert_int_equal(hv.nr, STUB_HC_DRAIN);
	assert_int_equal(sh->lazy_mode, VMI_LAZY_NONE);

	call(VMI64_CALL_SetLazyMode, A, VMI_LAZY_CPU, 0);
	assert_int_equal(call(VMI64_CALL_SetCR3, A, 0x123456000, 0), 5);
	assert_int_equal(hv.calls, 0);
	call(VMI64_CALL_GetCR3, B2, 0, 0);
	assert_int_equal(rom_result[RAX], 0x123456000);
	assert_int_equal(sh->deferred, STUB_DEFER_CR3);
}

/* ---- descriptors, CPUID, time ------------------------------------------------------------- */

static void write_entry(enum vmi64_call nr, unsigned int index,
			const uint64_t *entry)
{
	rom_regs[RDX] = (uintptr_t)entry;
	call(nr, A, (uintptr_t)page, index);
}

/* VMI64-3.3.1: how long an entry is says its type. */
static void test_descriptors(void **state)
{
	const uint64_t data[2] = { 0x00cff2000000ffff, ~0ull };
	const uint64_t tss[2] = { 0x0000890000000067, 0xffff8880 };
	const uint64_t gate[2] = { 0x12348e0000105678, 0xffffffff };
	const uint64_t none[2] = { 0, ~0ull };

	(void)state;
	memset(page, 0, sizeof(page));
	write_entry(VMI64_CALL_WriteGDTEntry, 3, data);
	write_entry(VMI64_CALL_WriteGDTEntry, 8, tss);
	assert_true(page[3] == data[0] && !page[4]);
	assert_true(page[8] == tss[0] && page[9] == tss[1]);
	write_entry(VMI64_CALL_WriteGDTEntry, 3, none);
	assert_true(!page[3] && !page[4]);
	assert_int_equal(hv.calls, 0);		/* of no table that is loaded */

	sh->gdt_base = (uintptr_t)page;
	write_entry(VMI64_CALL_WriteGDTEntry, 12, data);
	assert_int_equal(hv.nr, STUB_HC_GDT_CHANGED);
	assert_int_equal(hv.rdi, 12);
	sh->lazy_mode = VMI_LAZY_CPU;
	write_entry(VMI64_CALL_WriteGDTEntry, 13, data);
	assert_int_equal(hv.calls, 0);
	assert_int_equal(sh->gdt_dirty, 1 << 13);

	sh->idt_base = (uintptr_t)page;
	write_entry(VMI64_CALL_WriteIDTEntry, 14, gate);
	assert_true(page[28] == gate[0] && page[29] == gate[1]);
	assert_int_equal(hv.nr, STUB_HC_IDT_CHANGED);
}

static void test_cpuid(void **state)
{
	uint32_t a = 7, b = 0, c = 1, d = 0;

	(void)state;
	rom_regs[RDX] = (uintptr_t)&c;
	rom_regs[RCX] = (uintptr_t)&d;
	call(VMI64_CALL_CPUID, A, (uintptr_t)&a, (uintptr_t)&b);
	assert_int_equal(hv.rdi, 7);
	assert_int_equal(hv.rsi, 1);
	assert_int_equal(a << 12 | b << 8 | c << 4 | d, 0xabcd);
}

static void test_registers(void **state)
{
	const uint64_t cr2 = 0xffff888012345678;

	(void)state;
	assert_int_equal(call(VMI64_CALL_SetCR2, A, cr2, 0), 2);
	assert_int_equal(call(VMI64_CALL_GetCR2, B2, 0, 0), 2);
	assert_true(rom_result[RAX] == cr2);
	assert_int_equal(call(VMI64_CALL_UpdateKernelStack, A, cr2, 0), 2);
	assert_true(sh->rsp0 == cr2);
	sh->cr0 = 0x80050033;
	assert_int_equal(call(VMI64_CALL_SetCR0, A, 0x80050033, 0), 3);
	assert_int_equal(call(VMI64_CALL_CLTS, A, 0, 0), 3);
	assert_int_equal(hv.calls, 0);
	call(VMI64_CALL_SetCR0, A, 0x8005003b, 0);
	assert_int_equal(hv.nr, STUB_HC_SET_CR0);
	assert_int_equal(hv.rdi, 0x8005003b);
	call(VMI64_CALL_PhysicalToMachine, B2, 99, 0);
	assert_int_equal(rom_result[RAX], 99);
}

static void test_time(void **state)
{
	uint64_t before;

	(void)state;
	sh->tsc_base = 1000;
	sh->stolen = 50;
	before = __builtin_ia32_rdtsc();
	assert_int_equal(call(VMI64_CALL_GetCycleCounter, A,
			      VMI_CYCLES_REAL, 0), 7);
	assert_in_range(rom_result[RAX], before - 1000,
			__builtin_ia32_rdtsc() - 1000);
	before = __builtin_ia32_rdtsc();
	call(VMI64_CALL_GetCycleCounter, A, VMI_CYCLES_AVAILABLE, 0);
	assert_in_range(rom_result[RAX], before - 1050,
			__builtin_ia32_rdtsc() - 1050);
	call(VMI64_CALL_GetCycleCounter, A, VMI_CYCLES_STOLEN, 0);
	assert_int_equal(rom_result[RAX], 50);
	call(VMI64_CALL_GetCycleCounter, A, 3, 0);
	assert_int_equal(rom_result[RAX], 0);
	hv.result = 77;
	rom_regs[RDX] = 3;
	call(VMI64_CALL_SetAlarm, A, 1, 2);
	assert_true(hv.nr == STUB_HC_SET_ALARM && hv.rdi == 1 &&
		    hv.rsi == 2 && hv.rdx == 3);
	call(VMI64_CALL_GetWallclockTime, A, 0, 0);
	assert_int_equal(rom_result[RAX], 77);
}

#define TEST(name)	cmocka_unit_test_setup(test_##name, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(flag), TEST(pending), TEST(iret), TEST(iret_pending),
		TEST(interrupted_return), TEST(swap_gs), TEST(fs_base),
		TEST(syscall_entry), TEST(set_pxe), TEST(elsewhere),
		TEST(huge_slot), TEST(full), TEST(interrupted_update),
		TEST(pages), TEST(lazy), TEST(descriptors), TEST(cpuid),
		TEST(registers), TEST(time),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	if (!(getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE)) {
		puts("1..0 # SKIP no RDGSBASE here");
		return 0;
	}
	return cmocka_run_group_tests_name("stub64", tests, setup, NULL);
}

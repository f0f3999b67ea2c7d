// SPDX-License-Identifier: GPL-2.0-only
/*
 * Offsets and numbers for entry.asm: compiled to assembly, from which hv.mk
 * takes the lines marked "->" (gcc's own comments cannot look like that).
 */
#include <cpu.h>

#include "wide.h"
#include "x86.h"

#define DEFINE(name, value) \
	asm volatile("\n.ascii \"->" #name " %0\"" : : "i"(value))

/* What an exit has pushed, before the rest of struct regs. */
#define FRAME(field)	(offsetof(struct regs, field) - \
			 offsetof(struct regs, vector))

void offsets(void);
void offsets(void)
{
	DEFINE(REGS_GPR, offsetof(struct regs, gpr));
	DEFINE(REGS_SIZE, sizeof(struct regs));
	DEFINE(REGS_STOP, offsetof(struct regs, stop));
	DEFINE(REGS_CALLER, offsetof(struct regs, caller));
	DEFINE(REGS_LOCK, offsetof(struct regs, lock));
	DEFINE(REGS_VCPU, offsetof(struct regs, vcpu));
	DEFINE(REGS_VECTOR, offsetof(struct regs, vector));
	DEFINE(REGS_ERROR, offsetof(struct regs, error));
	DEFINE(REGS_RIP, offsetof(struct regs, rip));
	DEFINE(REGS_CS, offsetof(struct regs, cs));
	DEFINE(REGS_RFLAGS, offsetof(struct regs, rflags));
	DEFINE(REGS_RSP, offsetof(struct regs, rsp));
	DEFINE(REGS_SS, offsetof(struct regs, ss));
	DEFINE(FRAME_VECTOR, FRAME(vector));
	DEFINE(FRAME_ERROR, FRAME(error));
	DEFINE(FRAME_RIP, FRAME(rip));
	DEFINE(FRAME_CS, FRAME(cs));
	DEFINE(FRAME_RSP, FRAME(rsp));
	DEFINE(FRAME_RFLAGS, FRAME(rflags));
	DEFINE(FRAME_RSP, FRAME(rsp));
	DEFINE(LOCK_NEXT, offsetof(struct spinlock, next));
	DEFINE(LOCK_OWNER, offsetof(struct spinlock, owner));
	DEFINE(CPU_VCPU, offsetof(struct cpu, vcpu));
	DEFINE(CPU_SIZE, sizeof(struct cpu));
	DEFINE(HOST_CPUS, HOST_CPUS);
	DEFINE(VCPU_SH, offsetof(struct vcpu, sh));
	DEFINE(VCPU_REGS, offsetof(struct vcpu, regs));
	DEFINE(VCPU_STACK_LIMIT, offsetof(struct vcpu, stack_limit));
	DEFINE(VCPU_IOPL, offsetof(struct vcpu, iopl));
	DEFINE(VCPU_EXITS, offsetof(struct vcpu, stats.exits));
	DEFINE(VCPU_SYSCALL_GATE, offsetof(struct vcpu, gate[SYSCALL_VECTOR]));
	DEFINE(GATE_RIP, offsetof(struct gate, rip));
	DEFINE(GATE_CS, offsetof(struct gate, cs));
	DEFINE(GATE_TYPE, offsetof(struct gate, type));
	DEFINE(VCPU_SYSCALL_DPL, offsetof(struct vcpu, syscall_dpl));
	DEFINE(STACK_STRIDE, sizeof(struct stack));
	DEFINE(NMI_VECTOR, VEC_NMI);
	DEFINE(DF_VECTOR, VEC_DF);
	DEFINE(MC_VECTOR, VEC_MC);
	DEFINE(IMAGE_BASE, (int64_t)IMAGE_BASE);
	DEFINE(DIRECT_GB, DIRECT_SIZE >> 30);
	DEFINE(STACK_MASK, STACK_MASK);
	DEFINE(START_PAGE, START_PAGE);
	DEFINE(ESPFIX_FRAME, (int64_t)ESPFIX_FRAME);
	DEFINE(ESPFIX_SHIFT, __builtin_ctz(ESPFIX_SLICE));
	DEFINE(VCPU_WIDE, offsetof(struct vcpu, wide));
	DEFINE(VCPU_ENTRY, offsetof(struct vcpu, entry));
	DEFINE(VCPU_PML4, offsetof(struct vcpu, mmu.pml4));
	DEFINE(DB_VECTOR, VEC_DB);
	DEFINE(TRAMP_BASE, (int64_t)TRAMP_BASE);
	DEFINE(TRAMP_HIGH, (int64_t)(TRAMP_BASE >> 32));
	DEFINE(TRAMP_CONSTANTS, TRAMP_CONSTANTS);
	DEFINE(TRAMP_ENTRY, TRAMP_ENTRY);
	DEFINE(TRAMP_SHARED, TRAMP_SHARED);
	DEFINE(TRAMP_STEP, TRAMP_STEP);
	DEFINE(ENTRY_TOP, ENTRY_TOP);
	DEFINE(BRIEF_FRAME, ENTRY_TOP - sizeof(struct brief_frame));
	DEFINE(ENTRY_SCRATCH, ENTRY_SCRATCH);
	DEFINE(CONSTANTS_HOST_CR3, offsetof(struct tramp_constants, host_cr3));
	DEFINE(CONSTANTS_LSTAR, offsetof(struct tramp_constants, lstar));
	DEFINE(CONSTANTS_CSTAR, offsetof(struct tramp_constants, cstar));
	DEFINE(CONSTANTS_SYSCALL_CS,
	       offsetof(struct tramp_constants, syscall_cs));
	DEFINE(CONSTANTS_SYSCALL_SS,
	       offsetof(struct tramp_constants, syscall_ss));
	DEFINE(CONSTANTS_FAULT_RIP,
	       offsetof(struct tramp_constants, fault_rip));
	DEFINE(CONSTANTS_FAULT_CS, offsetof(struct tramp_constants, fault_cs));
	DEFINE(CONSTANTS_PTE_ADDR, offsetof(struct tramp_constants, pte_addr));
	DEFINE(CONSTANTS_PTE_BEYOND,
	       offsetof(struct tramp_constants, pte_beyond));
	DEFINE(SHARED64_RSP0, offsetof(struct stub64_shared, rsp0));
	DEFINE(SHARED64_LAZY_MODE, offsetof(struct stub64_shared, lazy_mode));
	DEFINE(SHARED64_TAIL, offsetof(struct stub64_shared, tail));
	DEFINE(STUB_QUEUE_LEN, STUB_QUEUE_LEN);
	DEFINE(STUB_VECTOR, STUB_VECTOR);
	DEFINE(STUB_HC_DRAIN, STUB_HC_DRAIN);
	DEFINE(SHARED64_CR2, offsetof(struct stub64_shared, cr2));
	DEFINE(SHARED64_CR3, offsetof(struct stub64_shared, cr3));
	DEFINE(SHARED64_DIRECT_VA, offsetof(struct stub64_shared, direct_va));
	DEFINE(SHARED64_DIRECT_BYTES,
	       offsetof(struct stub64_shared, direct_bytes));
	DEFINE(PF_VECTOR, VEC_PF);
	DEFINE(PF_P, PF_P);
	DEFINE(PF_W, PF_W);
	DEFINE(PF_U, PF_U);
	DEFINE(PF_I, PF_I);
	DEFINE(PTE_P, PTE_P);
	DEFINE(PTE_W, PTE_W);
	DEFINE(PTE_PS, PTE_PS);
	DEFINE(HOST_BYTES, sizeof(struct tramp_host));
	DEFINE(HOST_REGS, offsetof(struct tramp_host, regs));
	DEFINE(HOST_NMI_STACK, offsetof(struct tramp_host, nmi_stack));
	DEFINE(HOST_MC_STACK, offsetof(struct tramp_host, mc_stack));
	DEFINE(STUB_IF, STUB_IF);
	DEFINE(STUB_SHARED_FLAGS, offsetof(struct stub_shared, flags));
	DEFINE(STUB_SHARED_ESP0, offsetof(struct stub_shared, esp0));
	DEFINE(STUB_SHARED_SS0, offsetof(struct stub_shared, ss0));
	DEFINE(SYSCALL_VECTOR, SYSCALL_VECTOR);
	DEFINE(EFLAGS_GATE_CLEARS, EFLAGS_GATE_CLEARS);
	DEFINE(EFLAGS_USER_OWN, EFLAGS_USER_OWN);
	DEFINE(EFLAGS_IF, EFLAGS_IF);
	DEFINE(EFLAGS_TF, EFLAGS_TF);
	DEFINE(EFLAGS_RF, EFLAGS_RF);
	DEFINE(DR6_FIXED, DR6_FIXED);
	DEFINE(EFLAGS_IOPL, EFLAGS_IOPL);
	DEFINE(EFLAGS_VM, EFLAGS_VM);
}

_Static_assert((GATE_TRAP & 1) && !(GATE_INTERRUPT & 1), "entry.asm tests it");
_Static_assert(sizeof(struct regs) % 16 == 0, "stack alignment at calls");
_Static_assert(offsetof(struct stub64_shared, lazy_mode) + 4 ==
	       offsetof(struct stub64_shared, deferred), "trampoline.asm");

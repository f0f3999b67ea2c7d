// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every exit from the guest by its vector, and what interrupts or faults
 * while the hypervisor itself runs.
 */
#include <cpu.h>

#include "x86.h"
#include "log.h"

/* ---- page faults -------------------------------------------------------- */

/*
 * The guest's tables lead to where it has no memory. The local APIC is there,
 * for a kernel that does not call the ROM for it, and what other guests answer.
 * All else that reaches nothing is the kernel's mistake, but a process to which
 * the kernel gave such a page only gets a #GP.
 */
static void __attribute__((noinline)) bus_access(struct vcpu *v, gpa_t pa)
{
	const struct mm *mm = v->mmu.mm;
	bool device = mm_is_device(mm, pa >> PAGE_SHIFT);

	if (device && emulate_mmio(v, pa))
		return;
	if (regs_ring(v->regs) == 3)
		event_exception_error(v, VEC_GP, 0);
	else if (!device)
		vcpu_kill(v, "write to guest-physical %09lx, outside its memory",
			   pa);
	else if (mm_is_elsewhere(mm, pa >> PAGE_SHIFT))
		vcpu_kill(v, "access to guest-physical %09lx, a device of another guest's, by another instruction than MOV, MOVZX, MOVSX, MOVS, STOS or LODS",
			   pa);
	else
		vcpu_kill(v, "access to the local APIC by another instruction than a 32-bit MOV");
}

void __attribute__((noinline)) exit_lost_fault(struct vcpu *v,
					       enum fault fault, gva_t va,
					       gpa_t pa)
{
	if (mm_has_views(v->mmu.mm) && watch_fault(v, va, &fault, &pa))
		return;
	v->fault_va = va;
	if (fault == FAULT_BUS)
		bus_access(v, pa);
	else
		vcpu_kill(v, "page table at %09lx is outside its memory", pa);
}

/* What do the guest's tables say? Beyond 4 GB is an operand that wraps: no fill can
 * help it. */
static void __attribute__((noinline)) resolve_fault(struct vcpu *v, uint64_t cr2,
						    uint32_t error)
{
	gva32_t va = cr2;
	enum fault fault = FAULT_GUEST;
	gpa_t pa;

	if (va == cr2)
		fault = mmu_fault(&v->mmu, va, &error, &pa);
	if (fault == FAULT_GUEST) {
		v->stats.reflected++;
		event_page_fault(v, va, error);
	} else if (fault != FAULT_FIXED) {
		exit_lost_fault(v, fault, va, pa);
	}
}

/* Both are apart, so that neither saves registers for the other. */
static void __attribute__((noinline)) drain_and_resolve(struct vcpu *v,
							struct regs *r,
							uint64_t cr2)
{
	queue_drain(v);
	if ((cr2 == (gva32_t)cr2 && mmu_allows(&v->mmu, cr2, r->error)) ||
	    r->stop)
		return;
	resolve_fault(v, cr2, r->error);
}

static void page_fault(struct vcpu *v, struct regs *r)
{
	uint64_t cr2 = read_cr2();

	if (queue_pending(v))
		drain_and_resolve(v, r, cr2);
	else
		resolve_fault(v, cr2, r->error);
}

/* ---- other exceptions --------------------------------------------------- */

/* With an error code, of a selector most often: its table may have changed since
 * we looked. Bit 1: it is the IDT, which the CPU does not see at all. */
static void exception_error(struct vcpu *v, struct regs *r)
{
	uint32_t error = r->error;

	if ((error & ~7u) && !(error & 2) && desc_refresh(v, error))
		return;
	event_move_to_iret_site(v);
	event_exception_error(v, r->vector, error);
}

static void general_protection(struct vcpu *v, struct regs *r)
{
	if (!emulate(v))
		exception_error(v, r);
}

static void invalid_opcode(struct vcpu *v, struct regs *r)
{
	if (!(v->stepping && v->wide && wide_emulate_syscall(v)) &&
	    !emulate_undefined(v))
		event_exception(v, r->vector);
}

static void debug_exception(struct vcpu *v, struct regs *r)
{
	(void)r;
	if (v->stepping && step_done(v))
		return;
	dr6_take(v);
	event_exception(v, VEC_DB);
}

static void exception(struct vcpu *v, struct regs *r)
{
	event_exception(v, r->vector);
}

void exit_trap(struct vcpu *v, uint32_t length)
{
	if (v->watched && v->regs->vector == VEC_BP &&
	    v->watch->breakpoint(v, length))
		return;
	event_soft_int(v, v->regs->vector, length);
}

/* INT3 and INTO, as one byte or as INT n. */
static void trap(struct vcpu *v, struct regs *r)
{
	gva32_t base = desc_base(desc_lookup(v, r->cs));
	uint8_t last = 0;

	guest_read(&v->mmu, &last, base + r->rip - 1, 1);
	exit_trap(v, last == 0xcc || last == 0xce ? 1 : 2);
}

/* INT 80h that entry.asm leaves to us. */
static void system_call(struct vcpu *v, struct regs *r)
{
	event_soft_int(v, r->vector, 2);
}

/* What it means is the guest's owner's (core/). */
static void hypercall(struct vcpu *v, struct regs *r)
{
	v->hypercall(v, r);
}

/* ---- interrupts of the machine ------------------------------------------ */

static void irq(struct vcpu *v, struct regs *r)
{
	(void)r;
	vcpu_stop(v, STOP_INTERRUPTED);
}

/* A vector that no gate or interrupt controller of ours leads to. */
static void stray(struct vcpu *v, struct regs *r)
{
	(void)v;
	panic("exit by vector %u", (uint32_t)r->vector);
}

/* ---- entry points from entry.asm ---------------------------------------- */

/* By vector; called with the guest's registers complete. NMI, #DF and #MC never come
 * so far (entry.asm, trampoline.asm). */
#define EXITS(page_fault, trap)						\
	[0] = exception,						\
	[VEC_DB] = debug_exception,					\
	[VEC_NMI] = stray,						\
	[VEC_BP ... VEC_OF] = trap,					\
	[5] = exception,						\
	[VEC_UD] = invalid_opcode,					\
	[VEC_NM] = exception,						\
	[VEC_DF] = stray,						\
	[9] = exception,						\
	[VEC_TS ... VEC_SS] = exception_error,				\
	[VEC_GP] = general_protection,					\
	[VEC_PF] = page_fault,						\
	[15 ... 16] = exception,					\
	[VEC_AC] = exception_error,					\
	[VEC_MC] = stray,						\
	[19 ... IRQ_BASE - 1] = exception,				\
	[IRQ_BASE ... IRQ_BASE + 15] = irq,				\
	[IRQ_BASE + 16 ... SYSCALL_VECTOR - 1] = stray,			\
	[SYSCALL_VECTOR] = system_call,					\
	[SYSCALL_VECTOR + 1 ... STUB_VECTOR - 1] = stray,		\
	[STUB_VECTOR] = hypercall,					\
	[STUB_VECTOR + 1 ... 255] = stray

void (*const exit_handler[256])(struct vcpu *, struct regs *) = {
	EXITS(page_fault, trap)
};

void (*const exit_handler_wide[256])(struct vcpu *, struct regs *) = {
	EXITS(wide_exit_page_fault, wide_exit_trap)
};

/*
 * The CPU refused to go where the guest was to go on. In user mode that is a
 * place that it could not go on from either: EIP beyond the limit of its
 * segment, to which the last instruction has led (SDM Vol. 3, 5.3).
 */
void hv_iret_fault(struct regs *r)
{
	step_refused(current);
	if (regs_ring(r) == 3)
		event_exception_error(current, r->vector, r->error);
	else
		vcpu_kill(current, "cannot run at cs:eip %04x:%08x, ss:esp %04x:%08x",
			   (uint32_t)r->cs, (uint32_t)r->rip, (uint32_t)r->ss,
			   (uint32_t)r->rsp);
}

/*
 * In virtual-8086 mode. No CPU lets ring 1 or 3 go there (SDM Vol. 2, IRET);
 * QEMU's TCG does, with CS, IF and IOPL as the program likes, so that nothing
 * in the frame says whose it is. It is a user's, for all we know, and what the
 * IRET should have raised comes late, from a place that is not told.
 */
void hv_vm86(struct regs *r)
{
	struct vcpu *v = current;
	uint32_t error = r->cs & 0xfffc;

	v->stats.exits[r->vector]++;
	r->cs |= 3;
	r->ss |= 3;
	r->rflags = EFLAGS_FIXED | EFLAGS_IF;
	/* Segments of that mode: bases and limits of no descriptor. */
	write_ds(0);
	write_es(0);
	write_fs(0);
	write_gs(0);
	if (r->vector == VEC_DB)
		dr6_drop();
	event_exception_error(v, VEC_GP, error);
	if (vector_is_irq(r->vector))
		vcpu_stop(v, STOP_INTERRUPTED);
	else
		event_poll(v);
}

struct hv_frame {
	uint64_t	r11, r10, r9, r8, rdi, rsi, rdx, rcx, rax;
	uint64_t	vector, error, rip, cs, rflags, rsp, ss;
};

extern const struct { uint64_t insn, fixup; } extable_start[], extable_end[];
extern const uint8_t syscall_slow[];	/* without the guest's lock */

/*
 * In ring 0. An instruction of the exception table touches guest memory: its
 * page may only be missing from the shadow, else its fixup says so. One access
 * touches two pages; whatever the guest's tables are, it does not fault on and
 * on.
 */
#define FILLS_MAX	8
void hv_fault(struct hv_frame *f)
{
	struct vcpu *v = current;
	uint32_t error = f->error, i;
	uint64_t cr2 = read_cr2();
	gpa_t pa;

	if (f->vector == VEC_DB) {	/* a breakpoint on what we touch for it */
		dr6_take(v);
		return;
	}
	if (vector_is_irq(f->vector)) {
		host_interrupted(f->vector - IRQ_BASE);
		return;
	}
	if (f->vector == VEC_DF)
		panic("%s at rip %lx, rsp %lx", stack_guard(cr2) ?
		      "stack overflow" : "double fault", f->rip, f->rsp);
	for (i = 0; extable_start + i < extable_end; i++) {
		if (extable_start[i].insn != f->rip)
			continue;
		if (f->vector != VEC_PF || cr2 >> 32 ||
		    extable_start[i].fixup == (uint64_t)syscall_slow ||
		    v->mmu.fills >= FILLS_MAX ||
		    (mmu_fault(&v->mmu, cr2, &error, &pa) != FAULT_FIXED &&
		     !(mm_has_views(v->mmu.mm) && watch_open(v, cr2, f->error))))
			f->rip = extable_start[i].fixup;
		v->mmu.fills++;
		return;
	}
	panic("exception %d, error %x, at rip %lx, cr2 %lx", (int)f->vector,
	      error, f->rip, cr2);
}

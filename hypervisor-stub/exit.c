// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every exit from the guest by its vector, and what interrupts or faults
 * while the hypervisor itself runs.
 */
#include <cpu.h>

#include "shadow.h"

/* ---- page faults -------------------------------------------------------- */

/* By a kernel that does not call the ROM for it. */
static void __attribute__((noinline)) apic_access(struct vcpu *v,
						  uint32_t offset)
{
	if (!emulate_apic(v, offset))
		guest_kill(v, "access to the local APIC by another instruction than a 32-bit MOV");
}

static void page_fault(struct vcpu *v, struct regs *r)
{
	uint64_t cr2 = read_cr2();
	uint32_t error = r->error;
	gpa_t pa;

	if (queue_pending(v)) {
		queue_drain(v);
		if (!(cr2 >> 32) && shadow_allows(v->g, cr2, error))
			return;
	}
	/* Beyond 4 GB: an operand that wraps. No fill can help it. */
	switch (cr2 >> 32 ? FAULT_GUEST :
		shadow_fault_inline(v, cr2, &error, &pa)) {
	case FAULT_FIXED:
		return;
	case FAULT_GUEST:
		v->g->stats.reflected++;
		event_page_fault(v, cr2, error);
		return;
	case FAULT_BUS:
		if (pa >> PAGE_SHIFT == APIC_FRAME) {
			apic_access(v, pa & (PAGE_SIZE - 1));
			return;
		}
		guest_kill(v, "write to guest-physical %09lx, outside its memory",
			   pa);
	case FAULT_TABLE:
		guest_kill(v, "page table at %09lx is outside its memory", pa);
	}
}

/* ---- other exceptions --------------------------------------------------- */

/* An IRET of the ROM refused the guest's frame: that is the fault of the
 * place that jumped to the ROM, and the flag is as it was there. */
static void move_to_iret_site(struct vcpu *v)
{
	struct regs *r = v->regs;

	if (!rom_is_iret(v))
		return;
	shared_clear_bits(&v->sh->flags, STUB_IF);
	if (rom_find_iret_site(v))
		r->eip = v->iret_site;
}

static void general_protection(struct vcpu *v, struct regs *r)
{
	uint32_t error = r->error;

	if (emulate(v))
		return;
	/* Its table may have changed since we looked. */
	if ((error & ~7u) && desc_refresh(v, error))
		return;
	move_to_iret_site(v);
	event_exception_error(v, VEC_GP, error);
}

/* AMD's processors have neither SYSENTER nor SYSEXIT in compatibility mode
 * (APM Vol. 3). */
static void invalid_opcode(struct vcpu *v, struct regs *r)
{
	if (!emulate_sysenter(v))
		event_exception(v, r->vector);
}

static void debug_exception(struct vcpu *v, struct regs *r)
{
	(void)r;
	dr6_take(v);
	event_exception(v, VEC_DB);
}

/* Of a selector: segment not present, stack fault, invalid TSS. */
static void selector_fault(struct vcpu *v, struct regs *r)
{
	uint32_t error = r->error;

	if ((error & ~7u) && desc_refresh(v, error))
		return;
	move_to_iret_site(v);
	event_exception_error(v, r->vector, error);
}

static void exception(struct vcpu *v, struct regs *r)
{
	event_exception(v, r->vector);
}

static void exception_error(struct vcpu *v, struct regs *r)
{
	event_exception_error(v, r->vector, r->error);
}

/* INT3 and INTO, as one byte or as INT n. */
static void trap(struct vcpu *v, struct regs *r)
{
	uint8_t last = 0;

	guest_read(v, &last, r->eip - 1, 1);
	event_soft_int(v, r->vector, last == 0xcc || last == 0xce ? 1 : 2);
}

static void nmi(struct vcpu *v, struct regs *r)
{
	watchdog_nmi(v, r);
}

static void fatal_exception(struct vcpu *v, struct regs *r)
{
	(void)v;
	panic("exception %u in the guest", (uint32_t)r->vector);
}

/* INT 80h that entry.asm leaves to us. */
static void system_call(struct vcpu *v, struct regs *r)
{
	event_soft_int(v, r->vector, 2);
}

/* ---- interrupts of the machine ------------------------------------------ */

static void interrupt(int irq)
{
	irq_ack(irq);
	if (irq == IRQ_TIMER)
		timer_interrupt();
	else if (irq == IRQ_COM1)
		io_serial_interrupt();
}

static void irq(struct vcpu *v, struct regs *r)
{
	interrupt(r->vector - IRQ_BASE);
	sched_tick(v);
	event_poll(v);
}

/* A vector that no gate or interrupt controller of ours leads to. */
static void stray(struct vcpu *v, struct regs *r)
{
	(void)v;
	panic("exit by vector %u", (uint32_t)r->vector);
}

/* ---- entry points from entry.asm ---------------------------------------- */

/* By vector; called with the guest's registers complete. */
void (*const exit_handler[256])(struct vcpu *, struct regs *) = {
	[0] = exception,
	[VEC_DB] = debug_exception,
	[VEC_NMI] = nmi,
	[VEC_BP ... VEC_OF] = trap,
	[5] = exception,
	[VEC_UD] = invalid_opcode,
	[VEC_NM] = exception,
	[VEC_DF] = fatal_exception,
	[9] = exception,
	[VEC_TS ... VEC_SS] = selector_fault,
	[VEC_GP] = general_protection,
	[VEC_PF] = page_fault,
	[15 ... 16] = exception,
	[VEC_AC] = exception_error,
	[VEC_MC] = fatal_exception,
	[19 ... IRQ_BASE - 1] = exception,
	[IRQ_BASE ... IRQ_BASE + 15] = irq,
	[IRQ_BASE + 16 ... SYSCALL_VECTOR - 1] = stray,
	[SYSCALL_VECTOR] = system_call,
	[SYSCALL_VECTOR + 1 ... STUB_VECTOR - 1] = stray,
	[STUB_VECTOR] = hcall,
	[STUB_VECTOR + 1 ... 255] = stray,
};

void hv_iret_fault(struct regs *r)
{
	guest_kill(current, "cannot run at cs:eip %04x:%08x, ss:esp %04x:%08x",
		   (uint32_t)r->cs, (uint32_t)r->eip, (uint32_t)r->ss,
		   (uint32_t)r->esp);
}

/*
 * No CPU lets ring 1 go there (SDM Vol. 2, IRET); QEMU's TCG does, with CS,
 * IF and IOPL as the guest likes. A CS with other low bits than 0 comes as an
 * exit of that ring and goes on there, or not, as a selector.
 */
void hv_vm86(struct regs *r)
{
	if (r->vector >= IRQ_BASE && r->vector < IRQ_BASE + 16)
		interrupt(r->vector - IRQ_BASE);
	guest_kill(current, "virtual-8086 mode");
}

struct hv_frame {
	uint64_t	r11, r10, r9, r8, rdi, rsi, rdx, rcx, rax;
	uint64_t	vector, error, rip, cs, rflags, rsp, ss;
};

extern const struct { uint64_t insn, fixup; } extable_start[], extable_end[];

/*
 * In ring 0. An instruction of the exception table touches guest memory: its
 * page may only be missing from the shadow, else its fixup says so.
 */
void hv_fault(struct hv_frame *f)
{
	struct vcpu *v = current;
	uint32_t error = f->error, i;
	uint64_t cr2 = read_cr2();
	gpa_t pa;

	if (f->vector == VEC_NMI) {	/* the tick itself waits for the guest */
		v->regs->eflags |= EFLAGS_IF;
		return;
	}
	if (f->vector == VEC_DB) {	/* a breakpoint on what we touch for it */
		dr6_take(v);
		return;
	}
	if (f->vector >= IRQ_BASE && f->vector < IRQ_BASE + 16) {
		interrupt(f->vector - IRQ_BASE);
		return;
	}
	for (i = 0; extable_start + i < extable_end; i++) {
		if (extable_start[i].insn != f->rip)
			continue;
		if (f->vector != VEC_PF || cr2 >> 32 ||
		    shadow_fault(v, cr2, &error, &pa) != FAULT_FIXED)
			f->rip = extable_start[i].fixup;
		return;
	}
	panic("exception %d, error %x, at rip %lx, cr2 %lx", (int)f->vector,
	      error, f->rip, cr2);
}

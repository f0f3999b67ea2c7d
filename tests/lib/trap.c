// SPDX-License-Identifier: GPL-2.0-only
/* Traps and interrupts: counted, recorded for the tests, or fatal. */
#include "calls.h"
#include "cpu.h"
#include "pc.h"
#include "tap.h"

#define IRET_BYTES	64u		/* of the slot, STUB-10 */

struct frame last_trap;
uint32_t last_trap_esp, last_trap_at, last_mask, last_cr2, stack_override;
volatile uint32_t irq0_count, irq0_eflags, irq0_mask, irq0_in_iret;
void (*irq0_hook)(void);
const struct frame *irq0_frame;
void (*vector_hook[256])(struct frame *f);
void (*where_hook)(void);
uint32_t fixup, sysexit_entry;
int fixup_vector;

void enter_kernel_stack(uint32_t esp)
{
	vmi2(UpdateKernelStack, KERNEL_DS, stack_override ? stack_override : esp);
}

static void __attribute__((noreturn)) unexpected(const struct frame *f)
{
	print("Bail out! ");
	if (where_hook)
		where_hook();
	print("trap %u error %x at %x:%x flags %x cr2 %x "
	      "eax %x ebx %x ecx %x edx %x esp %x\n", f->vector, f->error,
	      f->cs, f->eip, f->eflags, last_cr2, f->eax, f->ebx, f->ecx,
	      f->edx, (uint32_t)(uintptr_t)&f->esp);
	vmi0(Shutdown);
	for (;;)
		__asm__ volatile("hlt");
}

void trap(struct frame *f)
{
	if (f->vector == VEC_PF)
		last_cr2 = vmi0(GetCR2);
	if (f->vector == VEC_IRQ0) {
		irq0_eflags = f->eflags;
		irq0_mask = vmi0(GetInterruptMask);
		irq0_in_iret += f->eip - vmi_entry[VMI_CALL_IRET] <
				IRET_BYTES;
		irq0_count++;
		irq0_frame = f;
		if (irq0_hook)
			irq0_hook();
		outb(0x20, 0x20);
		return;
	}
	if (vector_hook[f->vector]) {
		vector_hook[f->vector](f);
		return;
	}
	last_mask = vmi0(GetInterruptMask);
	last_trap = *f;
	last_trap.ds &= 0xffff;		/* PUSH may write only half (SDM) */
	last_trap.es &= 0xffff;
	last_trap_at = (uintptr_t)f;
	last_trap_esp = (uintptr_t)&f->esp;
	if ((f->cs & 3) == 3) {
		vmi0(DisableInterrupts);
		resume_kernel();
	}
	if (!fixup)
		unexpected(f);
	fixup_vector = (int)f->vector;
	f->eip = fixup;
}

// SPDX-License-Identifier: GPL-2.0-only
/* The virtual interrupt flag, and delivery when it goes on: VMI-3.6. */
#include "conf.h"

static bool flag(void)
{
	return vmi0(GetInterruptMask) & EFLAGS_IF;
}

static uint32_t pushf_flag(void)
{
	uint32_t flags;

	__asm__ volatile("pushfl\n\tpopl %0" : "=r"(flags));
	return flags & EFLAGS_IF;
}

static void own_flag(void)
{
	bool same_flag = true;

	if (kernel_ring()) {
		skip("2.5.11", "the processor's own interrupt flag",
		     "the kernel is not at ring 0");
		return;
	}
	for (int on = 0; on < 2; on++) {
		vmi1(SetInterruptMask, on ? EFLAGS_IF : 0);
		same_flag &= pushf_flag() == (on ? EFLAGS_IF : 0);
		__asm__ volatile("cli");
		same_flag &= !(vmi0(GetInterruptMask) & EFLAGS_IF);
	}
	point("2.5.11", same_flag, "at ring 0 the flag is the processor's");
}

void flags(void)
{
	vmi0(EnableInterrupts);
	point("3.2.29", flag(), "Enable sets the flag");
	vmi0(EnableInterrupts);
	point("3.2.29", flag(), "Enable again leaves it set");
	vmi0(DisableInterrupts);
	point("3.2.30", !flag(), "Disable clears the flag");
	vmi0(DisableInterrupts);
	point("3.2.30", !flag(), "Disable again leaves it clear");
	vmi1(SetInterruptMask, EFLAGS_IF);
	point("3.2.32", flag(), "SetInterruptMask with bit 9 alone sets it");
	vmi1(SetInterruptMask, 0);
	point("3.2.32", !flag(), "SetInterruptMask with 0 clears it");
	vmi1(SetInterruptMask, 0xffffffff);
	point("3.2.32", flag(), "SetInterruptMask with all bits sets it");
	vmi1(SetInterruptMask, ~EFLAGS_IF);
	point("3.2.32", !flag(), "SetInterruptMask with all but bit 9 clears it");
	for (int on = 0; on < 2; on++) {
		vmi1(SetInterruptMask, on ? EFLAGS_IF : 0);
		vmi1(SetInterruptMask, vmi0(GetInterruptMask));
		point("3.2.31", flag() == on, on ?
		      "Set takes what Get gave, on" :
		      "Set takes what Get gave, off");
	}
	vmi0(DisableInterrupts);
	own_flag();
}

/* ---- delivery --------------------------------------------------------------- */

static void by_enable(void)
{
	vmi0(EnableInterrupts);
}

static void by_mask(void)
{
	vmi1(SetInterruptMask, EFLAGS_IF);
}

static void by_iret(void)
{
	iret_with(EFLAGS_FIXED | EFLAGS_IF, USER_DS);
}

static void by_iret_null(void)
{
	iret_with(EFLAGS_FIXED | EFLAGS_IF, 0);
}

static void by_halt(void)
{
	vmi0(Halt);
}

static void user_once(bool sysexit)
{
	struct user u = user_state(u_syscall);

	u.sysexit = sysexit;
	if (sysexit)
		u.eflags = EFLAGS_FIXED;
	enter_user(&u);
}

static void by_user(void)
{
	user_once(false);
}

static void by_sysexit(void)
{
	user_once(true);
}

/* Each way to turn the flag on, with one request pending. */
static void delivered_once(const char *clause, void (*turn_on)(void),
			   const char *name)
{
	uint32_t before = irq0_count, held, at_once;

	vmi0(DisableInterrupts);
	pit_wait();
	for (int i = 0; i < 1000; i++)
		inb(0x21);
	held = irq0_count - before;
	turn_on();
	at_once = irq0_count - before;
	for (int i = 0; i < 1000; i++) {
		vmi0(DisableInterrupts);
		vmi0(EnableInterrupts);
	}
	vmi0(DisableInterrupts);
	if (!point(clause, held == 0 && at_once == 1 &&
		   irq0_count - before == 1, name))
		print("# %u while off, %u at once, %u in the end\n", held,
		      at_once, irq0_count - before);
}

static bool hook_ran, flag_in_hook;

static void hook_enable(void)
{
	hook_ran = true;
	outb(0x20, 0x20);		/* the second request needs it */
	irq0_hook = NULL;
	pit_wait();
	vmi0(EnableInterrupts);
	vmi0(DisableInterrupts);
}

static void hook_mode(void)
{
	flag_in_hook = flag();
	vmi1(SetCR2, 0x2468);
}

void delivery(void)
{
	uint32_t count, cr2;

	vmi0(DisableInterrupts);
	count = irq0_count;
	pit_wait();
	for (int i = 0; i < 1000; i++)
		vmi0(DisableInterrupts);
	vmi1(SetInterruptMask, 0);
	iret_with(EFLAGS_FIXED, USER_DS);
	vmi0(GetInterruptMask);
	is("3.6.1", irq0_count, count,
	   "nothing that keeps the flag off delivers what is pending");
	probe_read(play_va(ABSENT_PAGE));
	is("3.6.1", irq0_count, count,
	   "nor does a fault and the return from its handler");
	vmi0(EnableInterrupts);
	vmi0(DisableInterrupts);

	delivered_once("3.6.2", by_enable,
		       "Enable delivers what is pending, once");
	is("1.8", irq0_eflags & EFLAGS_IF, EFLAGS_IF,
	   "the frame of an interrupt has the flag on");
	is("1.8", irq0_mask & EFLAGS_IF, 0,
	   "an interrupt gate turns the flag off");
	delivered_once("3.6.2", by_mask,
		       "SetInterruptMask delivers what is pending, once");
	delivered_once("3.6.3", by_iret,
		       "IRET in the kernel delivers what is pending, once");
	delivered_once("3.6.3", by_iret_null,
		       "and with DS and ES null");
	delivered_once("3.6.3", by_user,
		       "IRET to user mode delivers what is pending, once");
	is("1.3", last_trap.eflags & EFLAGS_IF, EFLAGS_IF,
	   "interrupts are on in user mode");
	if (kernel_ring() || vmi_type[VMI_CALL_SYSEXIT] == VMI_RELOC_JUMP) {
		uint32_t r[4];

		vmi_cpuid(1, r);
		if (kernel_ring() || (r[3] & 0x800))
			delivered_once("3.6.5", by_sysexit,
				       "SYSEXIT delivers what is pending, once");
		else
			skip("3.6.5", "SYSEXIT delivers what is pending, once",
			     "the processor has no SYSEXIT");
	}
	if (offered(VMI_CALL_Halt))
		delivered_once("3.6.6", by_halt,
			       "Halt with one pending delivers it, once");
	else
		skip("3.6.6", "Halt with one pending delivers it, once",
		     "the guest keeps its own Halt");

	count = irq0_count;
	pit_one_shot();
	vmi0(EnableInterrupts);
	while (irq0_count == count)
		__asm__ volatile("" : : : "memory");
	point("3.6.2", true, "a kernel that spins is interrupted");
	vmi0(DisableInterrupts);

	count = irq0_count;
	pit_one_shot();
	vmi0(Halt);
	is_of(Halt, "3.6.6", irq0_count, count + 1, "Halt waits for an interrupt");
	is_of(Halt, "3.6.6", vmi0(GetInterruptMask) & EFLAGS_IF, EFLAGS_IF,
	      "Halt leaves the flag on");
	is_of(Halt, "3.2.35", irq0_eflags & EFLAGS_IF, EFLAGS_IF,
	      "Halt turns the flag on before the interrupt");
	vmi0(DisableInterrupts);

	count = irq0_count;
	irq0_hook = hook_enable;
	pit_wait();
	vmi0(EnableInterrupts);
	vmi0(DisableInterrupts);
	irq0_hook = NULL;
	point("3.6.2", hook_ran && irq0_count == count + 2,
	      "a handler that enables is interrupted by the next");

	irq0_hook = hook_mode;
	pit_wait();
	vmi0(EnableInterrupts);
	point("3.6.3", flag() && !flag_in_hook,
	      "the flag is off in the handler and on again behind it");
	vmi0(DisableInterrupts);
	cr2 = vmi0(GetCR2);
	irq0_hook = NULL;
	is_of(SetCR2, "3.2.16", cr2, 0x2468,
	      "CR2 set in a handler is seen behind it");

	/* edge: a request that is masked at the 8259 waits there */
	count = irq0_count;
	outb(0x21, 0xff);
	pit_one_shot();
	while (!(inb(0x20) & 1))
		;
	vmi0(EnableInterrupts);
	vmi0(DisableInterrupts);
	is("3.6.1", irq0_count, count, "a request masked at the 8259 waits");
	vmi0(EnableInterrupts);
	outb(0x21, 0xfe);
	for (int i = 0; i < 10; i++)
		inb(0x21);
	vmi0(DisableInterrupts);
	is("3.6.2", irq0_count, count + 1,
	   "unmasking it with the flag on delivers it");
}

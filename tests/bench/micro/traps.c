// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ways into the guest's handlers and back: interrupts, system calls, page
 * faults; and faults that the guest never sees.
 */
#include "micro.h"

extern uint32_t fixup, sysexit_entry;	/* entry.asm, trap.c */

static void set_handler(uint32_t vector, const uint8_t *code, uint32_t type)
{
	struct {
		uint16_t	limit;
		uint32_t	base;
	} __attribute__((packed)) idt;
	const uint32_t at = (uintptr_t)code;

	vmi1(GetIDT, (uintptr_t)&idt);
	vmi4(VMI_CALL_WriteIDTEntry, idt.base, vector,
	     KERNEL_CS << 16 | (at & 0xffff), (at & 0xffff0000) | type);
}

/* ---- interrupts -------------------------------------------------------- */

static void pending(struct call *c)
{
	(void)c;
	vmi0(DisableInterrupts);
	pit_wait();
}

static void disable(void)
{
	vmi0(DisableInterrupts);
}

static void to_handler(struct call call, const char *what)
{
	const struct row r = {
		.what = what,
		.call = call,
		.cost = cost_to_handler,
		.own_exits = 1,		/* the end of interrupt */
		.before = pending,
		.after = disable,
	};

	row_measure(&r);
}

/* ---- IRET and SYSEXIT -------------------------------------------------- */

static uint32_t iret_in_kernel(const struct call *c)
{
	iret_to_label(c->entry);
	return stopped - started - OURS_JUMP;
}

static uint32_t iret_pending(const struct call *c)
{
	iret_to_label(c->entry);
	return landed - started - OURS_JUMP - OURS_LANDING;
}

static void user(const uint8_t *code, uint32_t ebx, const uint8_t *way)
{
	sysexit_entry = (uintptr_t)way;
	run_user(va_of(USER_CODE) + (uint32_t)(code - user_timed),
		 va_of(USER_STACK) + PAGE, 0, ebx, true);
}

static uint32_t iret_to_user(const struct call *c)
{
	(void)c;
	user(user_timed_syscall, 0, timed_user_iret);
	return last_trap.esi - started - OURS_JUMP;
}

/* One more of ours: edx is loaded again. */
static uint32_t sysexit_to_user(const struct call *c)
{
	(void)c;
	user(user_timed_syscall, 0, timed_user_sysexit);
	return last_trap.esi - started - OURS_JUMP - 1;
}

/* ---- system calls, faults from user mode ------------------------------- */

/* RDTSC, MOV and INT are the program's own. */
static uint32_t system_call(const struct call *c)
{
	(void)c;
	user(user_timed_syscall, 0, timed_user_iret);
	return landed - last_trap.esi - 3 - OURS_LANDING;
}

/* The access is not carried out. */
static uint32_t user_fault(const struct call *c)
{
	(void)c;
	user(user_timed_read, va_of(ABSENT), timed_user_iret);
	return landed - last_trap.esi - 2 - OURS_LANDING;
}

static void way(uint32_t (*cost)(const struct call *), uint32_t own_exits,
		void (*before)(struct call *), const char *what)
{
	const struct row r = {
		.what = what,
		.call = vmi_call(VMI_CALL_IRET),
		.cost = cost,
		.own_exits = own_exits,
		.before = before,
		.after = disable,
	};

	row_measure(&r);
}

/* ---- faults in the kernel ---------------------------------------------- */

static void expect_fault(struct call *c)
{
	(void)c;
	fixup = (uintptr_t)touched;
}

static void expect_none(void)
{
	fixup = 0;
}

/* Each also goes through a flush, so that nothing else is queued. */
static void clear_scratch(void)
{
	set_entry(SCRATCH, 0);
	flush();
}

static void filled_by_flush(struct call *c)
{
	(void)c;
	clear_scratch();
	set_entry(SCRATCH, present(0));
	flush();
}

static void queued(struct call *c)
{
	(void)c;
	clear_scratch();
	set_entry(SCRATCH, present(0));
}

static void stored_unannounced(struct call *c)
{
	(void)c;
	clear_scratch();
	*(volatile uint32_t *)entry_of(SCRATCH) = present(0);
}

static void clean(struct call *c)
{
	(void)c;
	clear_scratch();
	set_entry(SCRATCH, present(0) & ~PTE_D);
	flush();
}

static void touch(const uint8_t *code, uint32_t page,
		  void (*before)(struct call *), bool faults,
		  const char *what)
{
	struct row r = {
		.what = what,
		.call = { .entry = (uintptr_t)code, .ecx = va_of(page) },
		.cost = faults ? cost_to_handler : cost_to_return,
		.ours = faults ? 0 : 2,	/* the access and its RET */
		.before = before,
		.after = expect_none,
	};

	row_measure(&r);
}

void measure_traps(void)
{
	struct call c;

	set_handler(VEC_IRQ0, landing_0x20, 0x8e00);
	set_handler(VEC_SYSCALL, landing_0x80, 0xef00);
	set_handler(VEC_PF, landing_0x0e, 0x8e00);
	user_iret = vmi_call(VMI_CALL_IRET).entry;
	user_sysexit = vmi_call(VMI_CALL_SYSEXIT).entry;

	to_handler(vmi_call(VMI_CALL_EnableInterrupts),
		   "EnableInterrupts, one pending: to its handler");
	c = vmi_call(VMI_CALL_SetInterruptMask);
	c.eax = EFLAGS_IF;
	to_handler(c, "SetInterruptMask on, one pending: to its handler");

	way(iret_in_kernel, 0, NULL, "IRET to the kernel, flag on");
	iret_flags = EFLAGS_FIXED;
	way(iret_in_kernel, 0, NULL, "IRET to the kernel, flag off");
	iret_flags = EFLAGS_FIXED | EFLAGS_IF;
	way(iret_pending, 1, pending, "IRET, one pending: to its handler");
	/* back by INT 80h */
	way(iret_to_user, 1, NULL, "IRET to user mode");
	way(sysexit_to_user, 1, NULL, "SYSEXIT to user mode");

	way(system_call, 0, NULL, "int 0x80 in user mode: to the handler");
	way(user_fault, 0, NULL, "page fault in user mode: to the handler");
	touch(touch_read, ABSENT, expect_fault, true,
	      "page fault in the kernel: to the handler");
	touch(touch_read, SCRATCH, filled_by_flush, false,
	      "first access after SetPxE and a flush");
	touch(touch_read, SCRATCH, queued, false,
	      "first access after SetPxE alone");
	touch(touch_read, SCRATCH, stored_unannounced, false,
	      "first access after a plain store");
	touch(touch_write, SCRATCH, clean, false,
	      "first write to a clean page");
}

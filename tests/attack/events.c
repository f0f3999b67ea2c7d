// SPDX-License-Identifier: GPL-2.0-only
/* Interrupts and time at the moments that suit the hypervisor least. */
#include "attack.h"

#define NATIVE_IRQ0	0x30		/* before VMI_Init, not the runtime's */
#define FOREVER		0xffffffffffffffffull

static volatile uint32_t interrupts;

static void count(struct frame *f)
{
	(void)f;
	interrupts++;
	outb(0x20, 0x20);
}

static void alarm_at(uint32_t flags, uint64_t expiry, uint64_t every)
{
	SHARED->expiry = expiry;
	SHARED->period = every;
	hypercall(STUB_HC_SET_ALARM, flags, 0);
}

/* HLT with interrupts off, natively and by each way after VMI_Init.
 * VMI-1.4: nothing can wake it, which is a death and says so. */
static void hlt0(uint32_t arg)
{
	(void)arg;
	__asm__ volatile("cli\n\thlt");
}

/* STI; HLT with an interrupt pending, in VMI mode.
 * VMI-1.4, SDM Vol. 2, STI: nothing comes between the two. */
static void stihlt(uint32_t arg)
{
	(void)arg;
	pic_init();
	vmi0(DisableInterrupts);
	pit_wait();
	__asm__ volatile("sti\n\thlt");
	same(irq0_count, 1, "HLT is woken");
}

/* The same before VMI_Init.
 * VMI-1.4. */
static void stihlt_native(uint32_t arg)
{
	(void)arg;
	pic_init();
	outb(0x20, 0x11);
	outb(0x21, NATIVE_IRQ0);
	outb(0x21, 4);
	outb(0x21, 1);
	outb(0x21, 0xfe);
	outb(0x20, 0x0a);
	vector_hook[NATIVE_IRQ0] = count;
	pit_wait();
	__asm__ volatile("sti\n\thlt");
	same(interrupts, 1, "HLT is woken");
}

/* Halt without anything that could wake it but the user's keys is no death.
 * Here: with a full speed PIT, many times. VMI-3.6.6. */
static void halts(uint32_t arg)
{
	(void)arg;
	pic_init();
	outb(0x43, 0x34);	/* mode 2, the shortest period that it has */
	outb(0x40, 2);
	outb(0x40, 0);
	while (irq0_count < 100)
		vmi0(Halt);
	vmi0(DisableInterrupts);
	outb(0x43, 0x30);
	ok(true, "Halt with the fastest clock");
}

/* An interrupt at every instruction of the end of a batch.
 * VMI-3.5.4: its handler sees what the batch has deferred. */
static volatile uint32_t handler_saw, handler_came;

static void look(struct frame *f)
{
	(void)f;
	handler_came++;
	handler_saw = *(volatile uint8_t *)play(U_FREE);
	vmi2(SetDR, 7, 0x400);
}

static void lazy(uint32_t arg)
{
	uint32_t wrong = 0;

	(void)arg;
	vector_hook[1] = look;
	pages[2][0] = 0xaa;
	pages[3][0] = 0xbb;
	for (uint32_t at = 0; at < 64; at++) {
		uint32_t before = handler_came;

		map(U_FREE, MAPS(pages[3], PTE_W));
		flush();
		probe_read(play(U_FREE));	/* now there is something stale */
		vmi2(SetDR, 0, vmi_entry[VMI_CALL_SetLazyMode] + at);
		vmi1(SetLazyMode, VMI_LAZY_MMU);
		map(U_FREE, MAPS(pages[2], PTE_W));
		vmi1(InvalPage, play(U_FREE));
		hypercall(STUB_HC_SET_DR, 7, 0x402);
		vmi1(SetLazyMode, VMI_LAZY_NONE);
		wrong += handler_came != before && handler_saw != 0xaa;
		wrong += *(volatile uint8_t *)play(U_FREE) != 0xaa;
	}
	vmi2(SetDR, 7, 0x400);
	ok(handler_came >= 6, "interrupted at each instruction");
	same(wrong, 0, "each handler saw what the batch had deferred");
}

/* A guest that never acknowledges its timer gets no other interrupt of that
 * line or behind it, and goes on; when it does at last, they come. */
static void count_only(struct frame *f)
{
	(void)f;
	interrupts++;
}

static void wait_cycles(uint64_t cycles)
{
	for (uint64_t end = vmi_cycles() + cycles; vmi_cycles() < end;)
		;
}

static void no_eoi(uint32_t arg)
{
	(void)arg;
	pic_init();
	outb(0x20, 0x11);
	outb(0x21, NATIVE_IRQ0);
	outb(0x21, 4);
	outb(0x21, 1);
	outb(0x21, 0xee);		/* the timer and the console */
	vector_hook[NATIVE_IRQ0] = count_only;
	vector_hook[NATIVE_IRQ0 + 4] = count_only;
	alarm_at(VMI_CYCLES_REAL | VMI_ALARM_PERIODIC, 0,
		 SHARED->tsc_hz >> 10);
	outb(0x3f9, 2);			/* the console's line is behind it */
	vmi0(EnableInterrupts);
	wait_cycles(SHARED->tsc_hz >> 6);
	same(interrupts, 1, "one interrupt, as long as it is in service");
	outb(0x20, 0x20);
	wait_cycles(SHARED->tsc_hz >> 9);
	vmi0(DisableInterrupts);
	ok(interrupts > 1, "the next, once that is acknowledged");
	vmi1(CancelAlarm, VMI_ALARM_PERIODIC);
}

/* The PIT and two alarms share a line. What comes while it is requested is
 * one request (8259A data sheet); none of them stops the others. */
static void shared_line(uint32_t arg)
{
	uint32_t before;

	(void)arg;
	pic_init();
	pit_wait();			/* first: it could not tell them apart */
	alarm_at(VMI_CYCLES_REAL, 0, 0);
	alarm_at(VMI_CYCLES_AVAILABLE, 0, 0);
	vmi0(EnableInterrupts);
	vmi0(DisableInterrupts);
	same(irq0_count, 1, "three at once are one");
	pit_periodic();
	alarm_at(VMI_CYCLES_REAL | VMI_ALARM_PERIODIC, 0,
		 SHARED->tsc_hz >> 12);
	alarm_at(VMI_CYCLES_AVAILABLE | VMI_ALARM_PERIODIC, 0,
		 SHARED->tsc_hz >> 9);
	vmi0(EnableInterrupts);
	while (irq0_count < 100)
		;
	vmi1(CancelAlarm, VMI_CYCLES_REAL);
	vmi1(CancelAlarm, VMI_CYCLES_AVAILABLE);
	for (before = irq0_count; irq0_count < before + 10;)
		;			/* the PIT is still there */
	outb(0x43, 0x30);
	vmi0(DisableInterrupts);
	ok(true, "each goes on");
}

/* A request that is gone when it is looked at: the console has nothing to
 * say. Its interrupt may come or not, once; nothing is held up by it. */
static void spurious(uint32_t arg)
{
	(void)arg;
	pic_init();
	outb(0x21, 0xee);
	vector_hook[VEC_IRQ0 + 4] = count;
	for (uint32_t i = 0; i < 100; i++) {
		outb(0x3f9, 2);		/* its transmitter is empty, */
		outb(0x3f9, 0);		/* which nobody wants to know */
		inb(0x3fa);
		vmi0(EnableInterrupts);
		vmi0(DisableInterrupts);
	}
	ok(interrupts <= 100, "one for each at most");
	pit_wait();
	vmi0(EnableInterrupts);
	vmi0(DisableInterrupts);
	same(irq0_count, 1, "the timer's comes");
	outb(0x20, 0x0b);
	same(inb(0x20), 0, "nothing is in service");
}

/* One alarm for each counter, and none for the stolen one or beyond.
 * VMI-3.7. */
static void alarm(uint32_t arg)
{
	(void)arg;
	alarm_at(VMI_CYCLES_REAL, FOREVER >> 1, 0);
	alarm_at(VMI_CYCLES_AVAILABLE, FOREVER >> 1, 0);
	for (uint32_t i = VMI_CYCLES_STOLEN; i < 256; i++)
		alarm_at(i, 0, 0);
	same(vmi1(CancelAlarm, VMI_CYCLES_AVAILABLE), 1, "one by available time");
	same(vmi1(CancelAlarm, VMI_CYCLES_REAL), 1, "one by real time");
	for (uint32_t i = 0; i < 256; i++)
		if (vmi1(CancelAlarm, i))
			ok(false, "and no other");
}

/* Periods and expiries that overflow.
 * VMI-3.7: an alarm fires once for a time that has passed. */
static void period(uint32_t arg)
{
	static const uint64_t periods[] = { FOREVER, FOREVER - 1, 1ull << 63 };

	(void)arg;
	pic_init();
	for (uint32_t i = 0; i < 3; i++) {
		uint32_t before = irq0_count;
		uint64_t end;

		alarm_at(VMI_CYCLES_REAL | VMI_ALARM_PERIODIC, 0, periods[i]);
		vmi0(EnableInterrupts);
		for (end = vmi_cycles() + SHARED->tsc_hz / 32;
		     vmi_cycles() < end;)
			;
		vmi0(DisableInterrupts);
		same(irq0_count - before, 1, "it fires once");
		alarm_at(VMI_CYCLES_REAL, FOREVER, 0);
	}
	alarm_at(VMI_CYCLES_REAL, FOREVER - 5, 0);
	vmi0(EnableInterrupts);
	vmi0(DisableInterrupts);
	same(irq0_count, 3, "an alarm at the end of time has not come");
}

/* The shortest period that there is: the guest still gets on.
 * VMI-3.7: missed alarms fire once. */
static void period_1(uint32_t arg)
{
	(void)arg;
	pic_init();
	alarm_at(VMI_CYCLES_REAL | VMI_ALARM_PERIODIC, 0, 1);
	vmi0(EnableInterrupts);
	for (volatile uint32_t i = 0; i < 10000; i++)
		;
	vmi0(DisableInterrupts);
	vmi1(CancelAlarm, VMI_ALARM_PERIODIC);
	ok(irq0_count > 0, "it gets on");
}

/* The TSS's stack changes before VMI_Init, where no call can tell of it.
 * VMI-1.4. */
static uint32_t handler_stack;

static void take_stack(struct frame *f)
{
	handler_stack = (uintptr_t)(f + 1);
	resume_kernel();
}

static void esp0_native(uint32_t arg)
{
	const uint64_t d = gdt[TSS_SELECTOR / 8];
	uint32_t *tss = (uint32_t *)((uint32_t)(d >> 16 & 0xffffff) |
				     (uint32_t)(d >> 56) << 24);

	(void)arg;
	pages[U_CODE][0] = 0xcd;
	pages[U_CODE][1] = 0x80;
	play_table[U_CODE] = MAPS(pages[U_CODE], PTE_U);
	play_table[U_STACK] = MAPS(pages[U_STACK], PTE_U | PTE_W);
	page_directory[PLAY >> 22] = MAPS(play_table, PTE_U | PTE_W);
	__asm__ volatile("mov %%cr3, %%eax\n\tmov %%eax, %%cr3" : : : "eax");
	vector_hook[VEC_SYSCALL] = take_stack;
	for (uint32_t i = 0; i < 4; i++) {
		tss[1] = (uintptr_t)pages[2 + i % 2] + PAGE;
		enter_user(play(U_CODE), play(U_STACK) + PAGE, plain_iret);
		same(handler_stack, tss[1], "the stack that the TSS names");
	}
}

#define HLT	"HLT with interrupts off: nothing can wake it"

const struct attack event_cases[] = {
	CASE(hlt0, .end = HLT),
	CASE_ARG("hlt0_native", hlt0, 0, .mode = NATIVE, .end = HLT),
	CASE(stihlt),
	CASE_NATIVE(stihlt_native),
	CASE(halts),
	CASE(lazy),
	CASE(no_eoi),
	CASE(shared_line),
	CASE(spurious),
	CASE(alarm),
	CASE(period),
	CASE(period_1),
	CASE_NATIVE(esp0_native),
	CASES_END
};

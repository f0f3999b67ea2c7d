// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an interrupt costs, and interrupts at any instruction: the ROM's
 * windows. The rest of VMI-3.6 and VMI-3.7 is in tests/conformance.
 */
#include "suite.h"

void test_interrupts(void)
{
	uint64_t before;
	int events;

	events = counter_find("hc_EVENTS");
	pit_wait();
	before = counter_read(events);
	vmi0(EnableInterrupts);
	vmi0(DisableInterrupts);
	same(counter_read(events) - before, 1,
	     "Enable with one pending asks the hypervisor once");
}

/* ---- interrupts at any instruction ---------------------------------------------------- */

#define ALARMS		1000u
#define BURST		64u
#define HOOK_PAGE	(PLAY_FIRST + BURST)

static uint32_t hooked;

static void update_in_handler(void)
{
	play_map(HOOK_PAGE + hooked % BURST, frame_entry(hooked));
	hooked++;
}

static void alarms_begin(void (*hook)(void))
{
	irq0_hook = hook;
	set_alarm(VMI_CYCLES_REAL | VMI_ALARM_PERIODIC, vmi_cycles(),
		  cycles_per_second() >> 12);
}

static void alarms_end(void)
{
	vmi1(CancelAlarm, VMI_ALARM_PERIODIC);
	vmi0(EnableInterrupts);
	vmi0(DisableInterrupts);
	irq0_hook = NULL;
}

/* What the burst and the handlers mapped since the last flush is there. */
static uint32_t bursts_wrong(uint32_t shift)
{
	uint32_t wrong = 0;

	vmi1(FlushTLB, VMI_FLUSH_TLB);
	for (uint32_t i = 0; i < BURST; i++)
		wrong += play_read(PLAY_FIRST + i) !=
			 FRAME_MARK + (i + shift) % FRAMES;
	for (uint32_t n = hooked - BURST; n != hooked; n++)
		wrong += play_read(HOOK_PAGE + n % BURST) !=
			 FRAME_MARK + n % FRAMES;
	return wrong;
}

static volatile uint32_t *user_word;

static void change_user_word(void)
{
	++*user_word;
}

static uint32_t seen_in_handler;

static void invalidate_in_handler(void)
{
	play_map(PLAY_FIRST, frame_entry(2));
	vmi1(InvalPage, PLAY + PLAY_FIRST * PAGE);
	seen_in_handler = play_read(PLAY_FIRST);
}

void test_windows(void)
{
	uint32_t wrong = 0, round = 0, count, flag_wrong = 0;

	for (hooked = 0; hooked < BURST;)
		update_in_handler();
	count = irq0_count;
	alarms_begin(update_in_handler);
	while (irq0_count - count < ALARMS) {
		vmi0(EnableInterrupts);
		for (uint32_t i = 0; i < BURST; i++)
			play_map(PLAY_FIRST + i, frame_entry(i + round));
		vmi0(DisableInterrupts);
		wrong += bursts_wrong(round++);
	}
	alarms_end();
	same(wrong, 0, "updates by interrupt handlers among updates: all done");

	count = irq0_count;
	alarms_begin(NULL);
	while (irq0_count - count < ALARMS) {
		iret_to_self();
		flag_wrong += !(vmi0(GetInterruptMask) & EFLAGS_IF);
		vmi0(DisableInterrupts);
	}
	alarms_end();
	same(flag_wrong, 0, "interrupts at any place of IRET: the flag is right");
	same(irq0_in_iret, 0, "no interrupt between the flag and the return");

	alarms_begin(change_user_word);
	for (count = 0; count < 100; count++)
		user_wait(&user_word);
	alarms_end();
	same(last_trap.vector, VEC_SYSCALL, "user mode is interrupted and goes on");

	/* a handler is not part of the batch that it interrupts */
	play_map(PLAY_FIRST, frame_entry(1));
	vmi1(FlushTLB, VMI_FLUSH_TLB);
	same(play_read(PLAY_FIRST), FRAME_MARK + 1, "mapping before the batch");
	vmi1(SetLazyMode, VMI_LAZY_MMU);
	pit_wait();
	irq0_hook = invalidate_in_handler;
	vmi0(EnableInterrupts);
	vmi0(DisableInterrupts);
	irq0_hook = NULL;
	vmi1(SetLazyMode, VMI_LAZY_NONE);
	same(seen_in_handler, FRAME_MARK + 2,
	     "InvalPage in a handler is not deferred by a batch around it");
}

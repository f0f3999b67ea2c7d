// SPDX-License-Identifier: GPL-2.0-only
/* A guest ends on one vCPU while another is anywhere. Whoever says it, it is one
 * end, and nothing of the guest runs, or is used, behind it; some begin again,
 * and again. */
#include "race.h"

#define TIMES(name, run, arg, ...)					\
	CASE_ARG("race_" #name, run, arg, .boot = "cpus=2 starts=24",	\
		 ##__VA_ARGS__)

static void a_while(void)
{
	for (uint32_t n = scramble((uint32_t)vmi_cycles()) % 4096; n; n--)
		relax();
}

static void busy(uint32_t i)
{
	uint32_t word;

	map(U_FREE + i % 16, race_entry(scramble(i)));
	safe_read(play(U_FREE + i % 16), &word);
	if (i % 4 == 0)
		flush();
	if (i % 8 == 0)
		apic_set(APIC_TPR, 0);
}

static void asleep(uint32_t i)
{
	(void)i;
	vmi0(Halt);
}

static void bad_call(uint32_t i)
{
	(void)i;
	a_while();
	hypercall(0xbad, 0, 0);
}

static void others(step *theirs)
{
	race_set_up(false);
	race_begin(theirs, true);
	a_while();
}

static void finish(int call)
{
	ok(true, "survived");
	tap_end();
	a_while();
	vmi4(call, 0, 0, 0, 0);
}

static void race_shutdown(uint32_t call)
{
	others(busy);
	finish((int)call);
}

static void race_killed(uint32_t arg)
{
	(void)arg;
	others(busy);
	hypercall(0xbad, 0, 0);
}

static void race_killed_four(uint32_t arg)
{
	(void)arg;
	others(busy);
	race_begin_more();
	a_while();
	hypercall(0xbad, 0, 0);
}

static void race_killed_asleep(uint32_t arg)
{
	(void)arg;
	others(asleep);
	hypercall(0xbad, 0, 0);
}

static void race_killed_by_other(uint32_t arg)
{
	(void)arg;
	others(bad_call);
	for (uint32_t i = 0;; i++)
		busy(i);
}

static void race_killed_by_both(uint32_t arg)
{
	(void)arg;
	others(bad_call);
	hypercall(0xbad, 0, 0);
}

/* The other is just beginning, or has begun. */
static void race_killed_starting(uint32_t arg)
{
	(void)arg;
	race_set_up(false);
	race_state = processor_state(OTHER);
	processor_boot(OTHER, &race_state);
	for (uint32_t n = scramble((uint32_t)vmi_cycles()) % 64; n; n--)
		relax();
	hypercall(0xbad, 0, 0);
}

static void no_gates(uint32_t i)
{
	static const struct {
		uint16_t	limit;
		uint32_t	base;
	} __attribute__((packed)) none = { 7, 0 };

	(void)i;
	a_while();
	vmi1(SetIDT, (uintptr_t)&none);
	__asm__ volatile("ud2");
}

static void race_triple(uint32_t arg)
{
	(void)arg;
	others(busy);
	no_gates(0);
}

static void init_first(uint32_t i)
{
	(void)i;
	a_while();
	send_init(processor[0].id);
}

static void race_init_first(uint32_t arg)
{
	(void)arg;
	ok(true, "survived");
	tap_end();
	others(init_first);
	for (uint32_t i = 0;; i++)
		busy(i);
}

/* Nothing can wake either. */
static void sleep_for_ever(uint32_t i)
{
	(void)i;
	a_while();
	vmi0(DisableInterrupts);
	__asm__ volatile("cli; hlt");
}

static void race_both_off(uint32_t arg)
{
	(void)arg;
	others(sleep_for_ever);
	sleep_for_ever(0);
}

#define BAD_CALL	"hypercall 2989 does not exist"

const struct attack race_end_cases[] = {
	TIMES(shutdown, race_shutdown, VMI_CALL_Shutdown),
	TIMES(reboot, race_shutdown, VMI_CALL_Reboot),
	TIMES(killed, race_killed, 0, .end = BAD_CALL),
	CASE(race_killed_four, .boot = "cpus=4 starts=8", .end = BAD_CALL),
	TIMES(killed_asleep, race_killed_asleep, 0, .end = BAD_CALL),
	TIMES(killed_by_other, race_killed_by_other, 0, .end = BAD_CALL),
	TIMES(killed_by_both, race_killed_by_both, 0, .end = BAD_CALL),
	TIMES(killed_starting, race_killed_starting, 0, .end = BAD_CALL),
	TIMES(triple, race_triple, 0, .end = "triple fault: .*"),
	TIMES(init_first, race_init_first, 0),
	TIMES(both_off, race_both_off, 0,
	      .end = "HLT with interrupts off: nothing can wake it"),
	CASES_END
};

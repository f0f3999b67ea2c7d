// SPDX-License-Identifier: GPL-2.0-only
/* The order of the test guest's life: its suites one after another. */
#include "cmdline.h"
#include "smp.h"
#include "suite.h"

/* "stay" on the command line: on each processor this last call, with its number,
 * then nothing; those that are started are so twice. "stay=die": then its death. */
#define STAY_CR2		0x57a7		/* tests/run/trace.py has it, too */

bool judge_costs = true;

static const struct {
	const char	*name;
	void		(*run)(void);
} suites[] = {
	{ "rom", test_rom }, { "flags", test_flags },
	{ "registers", test_registers }, { "descriptors", test_descriptors },
	{ "user", test_user }, { "top", test_top }, { "tables", test_tables },
	{ "batches", test_batches }, { "interrupts", test_interrupts },
	{ "cpuid", test_cpuid }, { "debug", test_debug },
	{ "ports", test_ports }, { "vm86", test_vm86 },
	{ "sysenter", test_sysenter }, { "hypercalls", test_hypercalls },
	{ "comm", test_comm }, { "manage", test_manage },
	{ "serve", test_serve },
	{ "loans", test_loans },
};

static bool begin(void)
{
	cpu_init();
	if (!ok(vmi_find(), "the scan finds a ROM") ||
	    !ok(vmi_init() == 0, "VMI_Init answers 0"))
		return false;
	vmi_fetch_entries();
	/* slot 0, larger than memory, as Linux gives it */
	vmi4(VMI_CALL_SetLinearMapping, 0, LINEAR, 0x34000, 0);
	announce_tables();
	pic_init();
	play_init();
	return ok(exits_init(), "the hypervisor counts exits");
}

static void stay(uint32_t n)
{
	vmi1(SetCR2, STAY_CR2 + n);
	processor[n].done++;
	for (;;)
		relax();
}

static void start_stays(uint32_t n)
{
	const struct vmi_ap_state state = processor_state(n);
	const uint32_t done = processor[n].done;

	processor_start(n, &state);
	begin_on(n, stay, n);
	while (processor[n].done == done)
		relax();
}

static void all_stay(void)
{
	processors_find();
	for (uint32_t n = 1; n < processors; n++) {
		start_stays(n);
		start_stays(n);
	}
	vmi1(SetCR2, STAY_CR2);
	print("staying\n");
	if (option_is("stay", "die"))
		__asm__ volatile("int $0x82" : : "a"(-1));
	for (;;)
		relax();
}

/* With "after=NAME" only those behind it: it has ended the last boot. */
static void run_suites(void)
{
	bool skip = option("after");

	for (uint32_t i = 0; i < sizeof(suites) / sizeof(*suites); i++) {
		if (!skip) {
			print("# suite %s\n", suites[i].name);
			suites[i].run();
		}
		skip &= !option_is("after", suites[i].name);
	}
}

void guest_main(void)
{
	judge_costs = !option("nocosts");
	if (begin()) {
		if (option("stay"))
			all_stay();
		run_suites();
	}
	tap_end();
	vmi0(Shutdown);
}

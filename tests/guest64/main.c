// SPDX-License-Identifier: GPL-2.0-only
/* The order of the test guest's life: its suites one after another. */
#include "cmdline.h"
#include "pc.h"
#include "processors.h"

void guest_main(void);

static const struct {
	const char	*name;
	void		(*run)(void);
} suites[] = {
	{ "rom", test_rom }, { "flags", test_flags },
	{ "registers", test_registers }, { "bases", test_bases },
	{ "exceptions", test_exceptions }, { "returns", test_returns },
	{ "syscall", test_syscall }, { "descriptors", test_descriptors },
	{ "pages", test_pages }, { "spaces", test_spaces },
	{ "interrupts", test_interrupts }, { "apic", test_apic },
	{ "instructions", test_instructions }, { "debug", test_debug },
	{ "xsave", test_xsave }, { "several", test_several },
	{ "hypercalls", test_hypercalls }, { "loans", test_loans },
};

static bool begin(void)
{
	if (!ok(vmi_find(), "the scan finds a ROM") ||
	    !ok(vmi_init() == 0, "VMI_Init answers 0"))
		return false;
	vmi_begin();
	return true;
}

/* "die=fault", "die=int3": with no gate at all, which ends a processor; the latter is
 * how a kernel reboots. "die=never". Without a ROM, too. */
static void end_early(void)
{
	static const struct vmi64_table_pointer none;

	if (option_is("die", "never"))
		for (;;)
			;
	if (option_is("die", "fault") || option_is("die", "int3"))
		__asm__ volatile("lidt %0" : : "m"(none));
	if (option_is("die", "fault"))
		__asm__ volatile("ud2");
	if (option_is("die", "int3"))
		__asm__ volatile("int3");
}

/* By a hypercall that does not exist; or in the ROM, with another processor that
 * runs. */
static void die(void)
{
	struct vmi64_ap_state s;

	if (!option_is("die", "rom"))
		__asm__ volatile("int $0x82" : : "a"(9999), "D"(0x1234),
				 "S"(DIRECT));
	processors_find();
	s = processor_state(OTHER);
	processor_start(OTHER, &s);
	vmi1(SetCR3, 0xf0000000);
}

/* With "after=NAME" only those behind it: it has ended the last boot. */
static void run_suites(void)
{
	bool skip = option("after");

	for (uint32_t i = 0; i < sizeof(suites) / sizeof(*suites); i++) {
		if (!skip) {
			print("# suite %s\n", suites[i].name);
			about(NULL);
			suites[i].run();
		}
		skip &= !option_is("after", suites[i].name);
	}
}

void guest_main(void)
{
	cpu_init();
	play_init();
	pic_init();
	end_early();
	if (!option("after")) {
		print("# suite early\n");
		test_early();
	}
	if (begin()) {
		if (option("stay")) {
			print("staying\n");
			for (;;)
				;
		}
		if (option("die"))
			die();
		run_suites();
	}
	tap_end();
	vmi0(Shutdown);
}

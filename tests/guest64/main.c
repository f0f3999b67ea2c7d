// SPDX-License-Identifier: GPL-2.0-only
/* The order of the test guest's life: its suites one after another. */
#include "cmdline.h"
#include "guest64.h"
#include "pc.h"

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
};

static bool begin(void)
{
	if (!ok(vmi_find(), "the scan finds a ROM") ||
	    !ok(vmi_init() == 0, "VMI_Init answers 0"))
		return false;
	vmi_begin();
	return true;
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
	cpu_init();
	play_init();
	pic_init();
	if (!option("after")) {
		print("# suite early\n");
		test_early();
	}
	if (begin()) {
		if (option("die"))	/* a hypercall that does not exist */
			__asm__ volatile("int $0x82" : : "a"(9999), "D"(0x1234),
					 "S"(DIRECT));
		run_suites();
	}
	tap_end();
	vmi0(Shutdown);
}

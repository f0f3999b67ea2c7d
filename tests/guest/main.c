// SPDX-License-Identifier: GPL-2.0-only
/* The order of the test guest's life. */
#include "cmdline.h"
#include "suite.h"

/* "stay" on the command line: this last call, then nothing. */
#define STAY_CR2		0x57a7		/* tests/run/trace.py has it, too */

bool judge_costs = true;

void guest_main(void)
{
	judge_costs = !option("nocosts");
	cpu_init();
	if (!ok(vmi_find(), "the scan finds a ROM"))
		goto out;
	if (!ok(vmi_init() == 0, "VMI_Init answers 0"))
		goto out;
	vmi_fetch_entries();
	test_rom();

	/* slot 0, larger than memory, as Linux gives it */
	vmi4(VMI_CALL_SetLinearMapping, 0, LINEAR, 0x34000, 0);
	announce_tables();
	if (!ok(exits_init(), "the hypervisor counts exits"))
		goto out;
	if (option("stay")) {
		vmi1(SetCR2, STAY_CR2);
		print("staying\n");
		for (;;)
			;
	}
	costs(0, 1, , "reading a counter is one exit");
	costs(10, 10, inb(0x21), "reading a port is one exit");

	test_flags();
	test_registers();
	test_descriptors();
	play_init();
	test_user();
	test_hole();
	test_tables();
	test_batches();
	test_interrupts();
	test_windows();
	test_cpuid();
	test_fpu();
	test_debug();
	test_ports();
	test_segments();
	test_vm86();
	test_sysenter();
out:
	tap_end();
	vmi0(Shutdown);
}

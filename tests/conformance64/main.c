// SPDX-License-Identifier: GPL-2.0-only
/* The order of the 64-bit conformance suite. */
#include "cmdline.h"
#include "conf64.h"
#include "pc.h"

void guest_main(void);

void guest_main(void)
{
	print("# the 64-bit conformance suite\n");	/* whatever GRUB left there */
	where_hook = point_where;
	cpu_init();
	play_init();
	pic_init();
	if (!point("VMI64-2.1.1", vmi_find(),
		   "the scan of C0000h-DFFFFh finds a ROM")) {
		tap_end();
		pc_reset();
	}
	before_init();
	init();
	relocation();
	top();
	flags();
	frames();
	faults();
	from_user();
	stacks();
	returns();
	refusals();
	bases();
	syscalls();
	control();
	features();
	instructions();
	descriptors();
	pages();
	spaces();
	batches();
	classes();
	timers();
	apic();
	several();
	tap_end();
	/* which run.py makes a point of */
	if (option_is("end", "reboot")) {
		print("# the end: %s\n", offered(VMI64_CALL_Reboot) ?
		      "VMI-3.2.36 Reboot" : "the guest's own");
		vmi1(Reboot, 1);
	} else {
		print("# the end: %s\n", offered(VMI64_CALL_Shutdown) ?
		      "VMI-3.2.37 Shutdown" : "the guest's own");
		vmi0(Shutdown);
	}
}

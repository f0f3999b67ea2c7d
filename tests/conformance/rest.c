// SPDX-License-Identifier: GPL-2.0-only
/* Local APIC, further processors, PAE: where a ROM has them. */
#include "conf.h"

#define APIC_VERSION	0x30u
#define APIC_TPR	0x80u

static void apic(void)
{
	uint32_t old;

	if (!offered(VMI_CALL_APICRead) || !offered(VMI_CALL_APICWrite)) {
		skip("3.2.63", "the local APIC", "APICRead is not offered");
		skip("3.7.8", "alarms by LVTT", "APICWrite is not offered");
		return;
	}
	point("3.2.63", (vmi1(APICRead, APIC_VERSION) & 0xf0) == 0x10,
	      "the APIC version register");
	old = vmi1(APICRead, APIC_TPR);
	vmi2(APICWrite, APIC_TPR, 0x20);
	is("3.2.63", vmi1(APICRead, APIC_TPR), 0x20,
	   "APICRead gives what APICWrite took");
	vmi2(APICWrite, APIC_TPR, old);
	skip("3.7.8", "alarms by LVTT", "not written yet");
}

void rest(void)
{
	apic();
	skip("3.2.62", "SetInitialAPState",
	     offered(VMI_CALL_SetInitialAPState) ? "one processor" :
	     "not offered");
	skip("3.2.39", "PAE paging", "this suite boots without PAE");
	skip("3.2.36", "Reboot", "it would end the suite");
}

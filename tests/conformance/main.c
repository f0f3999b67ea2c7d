// SPDX-License-Identifier: GPL-2.0-only
/* The order of the conformance suite. */
#include "cmdline.h"
#include "conf.h"

#define CPUID_SEP		0x800u
#define MSR_SYSENTER_CS		0x174u

/* A bare processor takes the selectors of SYSEXIT from here (SDM vol. 2B). */
static void sysexit_init(void)
{
	uint32_t eax = 1, ebx, ecx, edx;

	__asm__ volatile("cpuid"
			 : "+a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx));
	if (kernel_ring() == 0 && (edx & CPUID_SEP))
		wrmsr(MSR_SYSENTER_CS, KERNEL_CS);
}

void guest_main(void)
{
	where_hook = point_where;
	native_fill();			/* nothing is known of a ROM yet */
	pae = option_is("mode", "pae");
	if (pae && !paging_can_pae()) {
		print("1..0 # SKIP the processor has no PAE\n");
		vmi0(Shutdown);
	}
	cpu_init();
	sysexit_init();
	pic_init();
	is("1.1", try_int80(0), VEC_SYSCALL, "before Init the guest has its IDT");
	is("1.1", probe_read(PLAY), VEC_PF, "and its page faults");
	is("1.1", last_cr2, PLAY, "and its CR2");
	__asm__ volatile("sti\n\tcli");
	point("1.1", true, "and its interrupt flag");
	if (!point("2.1.1", vmi_find(), "the scan of C0000h-DFFFFh finds a ROM")) {
		points_end();
		vmi0(Shutdown);
	}
	rom_before_init();
	rom_init_call();
	vmi_fetch_entries();
	native_fill();
	rom_relocation();
	if (offered(VMI_CALL_SetLinearMapping))
		vmi4(VMI_CALL_SetLinearMapping, 0, LINEAR, 0x34000, 0);
	announce_tables();
	area_init();
	rom_top();
	registers();
	flags();
	delivery();
	returns();
	gates();
	faults();
	control();
	instructions();
	descriptors();
	pages();
	spaces();
	if (pae)
		pae_pages();
	batches();
	timers();
	apic();
	several();
	rom_after_all();
	points_end();
	/* which run.py makes a point of */
	if (pae) {
		print("# the end: %s\n", offered(VMI_CALL_Reboot) ?
		      "VMI-3.2.36 Reboot" : "the guest's own");
		vmi1(Reboot, 1);
	} else {
		print("# the end: %s\n", offered(VMI_CALL_Shutdown) ?
		      "VMI-3.2.37 Shutdown" : "the guest's own");
		vmi0(Shutdown);
	}
}

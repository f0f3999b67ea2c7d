// SPDX-License-Identifier: GPL-2.0-only
/* The order of the conformance suite. */
#include "conf.h"

#define CPUID_SEP		0x800u
#define MSR_SYSENTER_CS		0x174u

void guest_main(const uint8_t *boot_params);

/* A bare processor takes the selectors of SYSEXIT from here (SDM vol. 2B). */
static void sysexit_init(void)
{
	uint32_t eax = 1, ebx, ecx, edx;

	__asm__ volatile("cpuid"
			 : "+a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx));
	if (kernel_ring() == 0 && (edx & CPUID_SEP))
		__asm__ volatile("wrmsr" : : "c"(MSR_SYSENTER_CS),
				 "a"(KERNEL_CS), "d"(0));
}

void guest_main(const uint8_t *boot_params)
{
	(void)boot_params;
	native_fill();			/* nothing is known of a ROM yet */
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
	batches();
	timers();
	rest();
	points_end();
	vmi0(Shutdown);
}

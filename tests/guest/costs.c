// SPDX-License-Identifier: GPL-2.0-only
/*
 * What calls cost that only look at or store a word: interrupt flag, control
 * registers, descriptor tables, user mode. What they do is in
 * tests/conformance.
 */
#include "suite.h"

void test_rom(void)
{
	const struct vmi_rom_header *h = (const void *)rom;
	bool above = true;
	const uint8_t *code;
	uint16_t cs;

	__asm__("mov %%cs, %0" : "=r"(cs));
	same(cs & 3, 1, "the kernel runs at ring 1");
	for (uint32_t i = 0; i < VMI_CALL_COUNT; i++)
		above &= vmi_entry[i] >= h->virtual_top &&
			 vmi_entry[i] < h->virtual_top + STUB_ROM_MAX;
	ok(above, "entries lie in the working copy");
	code = (const uint8_t *)vmi_entry[VMI_CALL_GetCR2];
	ok(code[0] == 0xa1 && code[5] == 0xc3,
	   "the CR2 read is two instructions");
}

/* ---- interrupt flag ----------------------------------------------------------- */

void test_flags(void)
{
	costs(0, MANY, vmi0(DisableInterrupts), "Disable costs no exit");
	costs(0, MANY, vmi0(EnableInterrupts),
	      "Enable with nothing pending costs no exit");
	costs(0, MANY, vmi0(GetInterruptMask),
	      "GetInterruptMask costs no exit");
	costs(0, MANY, vmi1(SetInterruptMask, i_ & 1 ? EFLAGS_IF : 0),
	      "SetInterruptMask costs no exit");
	iret_to_self();			/* maps its page */
	costs(0, MANY, iret_to_self(), "IRET in the kernel costs no exit");
	vmi0(DisableInterrupts);
}

/* ---- control and debug registers -------------------------------------------------- */

void test_registers(void)
{
	uint32_t r[4];

	costs(0, 1, (void)0, "reading a counter is one exit");
	costs(10, 10, inb(0x21), "reading a port is one exit");
	costs(0, MANY, vmi0(GetCR0), "GetCR0 costs no exit");
	costs(0, MANY, vmi0(GetCR2), "GetCR2 costs no exit");
	costs(0, MANY, vmi0(GetCR3), "GetCR3 costs no exit");
	costs(0, MANY, vmi0(GetCR4), "GetCR4 costs no exit");
	costs(0, MANY, vmi1(SetCR2, i_), "SetCR2 costs no exit");
	costs(MANY, MANY, vmi1(APICRead, 0x80), "APICRead is one exit");
	costs(0, MANY, vmi0(CLTS), "CLTS with TS clear costs no exit");
	costs(0, MANY, vmi1(GetDR, 6), "GetDR costs no exit");
	costs(0, MANY, vmi0(IODelay), "IODelay costs no exit");
	costs(0, MANY, vmi0(GetTR), "GetTR costs no exit");
	costs(0, MANY, vmi4(VMI_CALL_SetLinearMapping, 1, 0xf0000000, 1, i_),
	      "SetLinearMapping costs no exit");
	costs(0, MANY, vmi2(UpdateKernelStack, KERNEL_DS, 0x1000),
	      "UpdateKernelStack costs no exit");
	costs(0, MANY, vmi_cycles(), "GetCycleCounter costs no exit");

	vmi_cpuid(STUB_CPUID_BASE, r);
	ok(r[1] == 0x6e65704f && r[2] == 0x00494d56,
	   "CPUID names the hypervisor");
}

/* ---- descriptor tables ---------------------------------------------------------------- */

void test_descriptors(void)
{
	uint64_t other[SPARE_GDT + 1] = { 0 };

	costs(0, MANY, vmi4(VMI_CALL_WriteGDTEntry, (uintptr_t)other,
			    SPARE_GDT, i_, 0x0040f200),
	      "writing another table costs no exit");
	costs(0, MANY, vmi1(SetLDT, 0), "SetLDT of none to none costs no exit");
}

/* ---- user mode ------------------------------------------------------------------------ */

void test_user(void)
{
	USER("\xcd\x80", 0);			/* maps its pages */
	costs(100, 100, user_run(0, false),
	      "IRET to user mode costs no exit of its own");
	costs(100, 100, user_run(0, true), "SYSEXIT costs no exit of its own");
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls that only look at or store a word: the answers of get-relocation,
 * interrupt flag, control registers, descriptor tables. VMI-2.5, VMI-3.1, VMI-3.3.
 */
#include "guest.h"

static bool string_is(uint16_t offset, const char *expected)
{
	const char *s = (const char *)rom + offset;

	while (*s && *s == *expected) {
		s++;
		expected++;
	}
	return *s == *expected;
}

void test_rom(void)
{
	const struct vmi_rom_header *h = (const void *)rom;
	bool stable = true, above = true, known = true;
	const uint8_t *code;
	uint16_t cs;
	uint8_t type;

	__asm__("mov %%cs, %0" : "=r"(cs));
	same(cs & 3, 1, "the kernel runs at ring 1");
	ok(string_is(h->license, "GPL v2"), "the licence is GPL v2");
	for (uint32_t i = 0; i < VMI_CALL_COUNT; i++) {
		stable &= vmi_relocation(i, &type) == vmi_entry[i] &&
			  type == vmi_type[i];
		known &= type <= VMI_RELOC_NOP;
		above &= vmi_entry[i] >= h->virtual_top &&
			 vmi_entry[i] < h->virtual_top + STUB_ROM_MAX;
	}
	ok(stable, "get-relocation answers the same twice");
	ok(known, "get-relocation answers known types");
	ok(above, "entries lie in the working copy");
	vmi_relocation(VMI_CALL_COUNT, &type);
	same(type, VMI_RELOC_NONE, "an unknown call has no relocation");
	vmi_relocation(0xffffffff, &type);
	same(type, VMI_RELOC_NONE, "call -1 has no relocation");
	same(vmi_type[VMI_CALL_IRET], VMI_RELOC_JUMP, "IRET is a jump");
	same(vmi_type[VMI_CALL_SYSEXIT], VMI_RELOC_JUMP, "SYSEXIT is a jump");
	code = (const uint8_t *)vmi_entry[VMI_CALL_GetCR2];
	ok(code[0] == 0xa1 && code[5] == 0xc3,
	   "the CR2 read is two instructions");
}

/* ---- interrupt flag ----------------------------------------------------------- */

/* Calls with known values in all registers; which of them changed. */
#define CHANGED_EAX	1u
#define CHANGED_ECX	2u
#define CHANGED_EDX	4u
#define CHANGED_REST	8u

static uint32_t changed_by(uint32_t entry, uint32_t eax)
{
	uint32_t ebx = 0x11111111, ecx = 0x22222222, edx = 0x33333333;
	uint32_t esi = 0x44444444, edi = entry, old = eax, changed = 0;

	__asm__ volatile("call *%%edi"
			 : "+a"(eax), "+b"(ebx), "+c"(ecx), "+d"(edx),
			   "+S"(esi), "+D"(edi) : : "memory", "cc");
	if (eax != old)
		changed |= CHANGED_EAX;
	if (ecx != 0x22222222)
		changed |= CHANGED_ECX;
	if (edx != 0x33333333)
		changed |= CHANGED_EDX;
	if (ebx != 0x11111111 || esi != 0x44444444 || edi != entry)
		changed |= CHANGED_REST;
	return changed;
}

void test_flags(void)
{
	const uint32_t enable = vmi_entry[VMI_CALL_EnableInterrupts];
	const uint32_t disable = vmi_entry[VMI_CALL_DisableInterrupts];
	const uint32_t get = vmi_entry[VMI_CALL_GetInterruptMask];
	const uint32_t set = vmi_entry[VMI_CALL_SetInterruptMask];

	vmi0(DisableInterrupts);
	same(vmi0(GetInterruptMask) & EFLAGS_IF, 0, "Disable clears the flag");
	vmi0(EnableInterrupts);
	same(vmi0(GetInterruptMask) & EFLAGS_IF, EFLAGS_IF,
	     "Enable sets the flag");
	vmi1(SetInterruptMask, 0);
	same(vmi0(GetInterruptMask) & EFLAGS_IF, 0, "Set clears the flag");
	vmi1(SetInterruptMask, EFLAGS_IF);
	same(vmi0(GetInterruptMask) & EFLAGS_IF, EFLAGS_IF,
	     "Set sets the flag");
	vmi1(SetInterruptMask, ~EFLAGS_IF);
	same(vmi0(GetInterruptMask) & EFLAGS_IF, 0,
	     "Set looks at bit 9 alone");

	same(changed_by(enable, 0x5a5a5a5a), 0, "Enable keeps every register");
	same(changed_by(disable, 0x5a5a5a5a), 0,
	     "Disable keeps every register");
	same(changed_by(get, 0x5a5a5a5a) & ~CHANGED_EDX, CHANGED_EAX,
	     "GetInterruptMask keeps ecx");
	same(changed_by(set, EFLAGS_IF) & ~(CHANGED_EAX | CHANGED_EDX), 0,
	     "SetInterruptMask on keeps ecx");
	same(changed_by(set, 0) & ~(CHANGED_EAX | CHANGED_EDX), 0,
	     "SetInterruptMask off keeps ecx");

	costs(0, MANY, vmi0(DisableInterrupts), "Disable costs no exit");
	costs(0, MANY, vmi0(EnableInterrupts),
	      "Enable with nothing pending costs no exit");
	costs(0, MANY, vmi0(GetInterruptMask),
	      "GetInterruptMask costs no exit");
	costs(0, MANY, vmi1(SetInterruptMask, i_ & 1 ? EFLAGS_IF : 0),
	      "SetInterruptMask costs no exit");
	iret_to_self();			/* maps its page */
	costs(0, MANY, iret_to_self(), "IRET in the kernel costs no exit");
	same(vmi0(GetInterruptMask) & EFLAGS_IF, EFLAGS_IF,
	     "IRET sets the flag of its frame");
	vmi0(DisableInterrupts);
}

/* ---- control and debug registers -------------------------------------------------- */

void test_registers(void)
{
	uint32_t cr0 = vmi0(GetCR0), cr4 = vmi0(GetCR4), r[4];
	uint64_t before, after;
	bool forward = true;

	same(cr0 & 0x80010001, 0x80010001, "GetCR0 has PG, WP and PE");
	same(vmi0(GetCR3), (uintptr_t)page_directory,
	     "GetCR3 is what the guest had loaded");
	vmi1(SetCR2, 0x12345678);
	same(vmi0(GetCR2), 0x12345678, "GetCR2 gives what SetCR2 took");
	vmi1(SetCR0, cr0 | CR0_TS);
	same(vmi0(GetCR0), cr0 | CR0_TS, "SetCR0 sets TS");
	vmi0(CLTS);
	same(vmi0(GetCR0), cr0 & ~CR0_TS, "CLTS clears TS");
	vmi1(SetCR4, cr4 | 4);
	same(vmi0(GetCR4), cr4 | 4, "SetCR4 sets TSD");
	vmi1(SetCR4, cr4);
	vmi2(SetDR, 1, 0x1234);
	same(vmi1(GetDR, 1), 0x1234, "GetDR gives what SetDR took");

	costs(0, MANY, vmi0(GetCR0), "GetCR0 costs no exit");
	costs(0, MANY, vmi0(GetCR2), "GetCR2 costs no exit");
	costs(0, MANY, vmi0(GetCR3), "GetCR3 costs no exit");
	costs(0, MANY, vmi0(GetCR4), "GetCR4 costs no exit");
	costs(0, MANY, vmi1(SetCR2, i_), "SetCR2 costs no exit");
	costs(0, MANY, vmi0(CLTS), "CLTS with TS clear costs no exit");
	costs(0, MANY, vmi1(GetDR, 6), "GetDR costs no exit");
	costs(0, MANY, vmi0(IODelay), "IODelay costs no exit");
	costs(0, MANY, vmi0(GetTR), "GetTR costs no exit");
	costs(0, MANY, vmi4(VMI_CALL_SetLinearMapping, 1, 0xf0000000, 1, i_),
	      "SetLinearMapping costs no exit");
	costs(0, MANY, vmi2(UpdateKernelStack, KERNEL_DS, 0x1000),
	      "UpdateKernelStack costs no exit");
	costs(0, MANY, vmi_cycles(), "GetCycleCounter costs no exit");

	before = vmi_cycles();
	for (int i = 0; i < 1000; i++) {
		after = vmi_cycles();
		forward &= after >= before;
		before = after;
	}
	ok(forward, "the cycle counter does not go back");
	vmi_cpuid(STUB_CPUID_BASE, r);
	ok(r[1] == 0x6e65704f && r[2] == 0x00494d56,
	   "CPUID names the hypervisor");
}

/* ---- descriptor tables ---------------------------------------------------------------- */

struct table_pointer {
	uint16_t	limit;
	uint32_t	base;
} __attribute__((packed));

/* What LSL says of a selector; -1 if it is not usable. */
static uint32_t limit_of(uint16_t selector)
{
	uint32_t limit = 0xffffffff;

	__asm__("lsl %1, %0" : "+r"(limit) : "r"((uint32_t)selector) : "cc");
	return limit;
}

static void write_gdt(uint32_t index, uint64_t descriptor)
{
	vmi4(VMI_CALL_WriteGDTEntry, (uintptr_t)gdt, index,
	     (uint32_t)descriptor, (uint32_t)(descriptor >> 32));
}

void test_descriptors(void)
{
	const uint64_t data = 0x0040f20000000000;	/* DPL 3, 1 byte */
	struct table_pointer p;
	uint64_t other[SPARE_GDT + 1] = { 0 };

	vmi1(GetGDT, (uintptr_t)&p);
	ok(p.base == (uintptr_t)gdt && p.limit == sizeof(gdt) - 1,
	   "GetGDT is what the guest had loaded");
	vmi1(GetIDT, (uintptr_t)&p);
	same(p.limit, 256 * 8 - 1, "GetIDT is what the guest had loaded");
	same(vmi0(GetTR) & 0xfff8, TSS_SELECTOR,
	     "GetTR is what the guest had loaded");

	write_gdt(SPARE_GDT, data | 0x234);
	ok(gdt[SPARE_GDT] == (data | 0x234), "WriteGDTEntry writes memory");
	same(limit_of(SPARE_GDT * 8 + 3), 0x234,
	     "WriteGDTEntry takes effect at once");

	vmi4(VMI_CALL_WriteGDTEntry, (uintptr_t)other, SPARE_GDT, 0x777,
	     data >> 32);
	same(limit_of(SPARE_GDT * 8 + 3), 0x234,
	     "an entry of another table changes nothing");

	costs(0, MANY, vmi4(VMI_CALL_WriteGDTEntry, (uintptr_t)other,
			    SPARE_GDT, i_, data >> 32),
	      "writing another table costs no exit");

	vmi1(SetLazyMode, VMI_LAZY_CPU);
	write_gdt(SPARE_GDT, data | 0x456);
	write_gdt(SPARE_GDT + 1, data | 0x457);
	vmi1(SetLazyMode, VMI_LAZY_NONE);
	ok(limit_of(SPARE_GDT * 8 + 3) == 0x456 &&
	   limit_of(SPARE_GDT * 8 + 11) == 0x457,
	   "WriteGDTEntry in a batch takes effect at its end");
	costs(0, MANY, vmi1(SetLDT, 0), "SetLDT of none to none costs no exit");
}

// SPDX-License-Identifier: GPL-2.0-only
/* Descriptors that would lead out of ring 1. */
#include "attack.h"

#define GDT_SELECTOR	(SPARE_GDT * 8)
#define LDT_GATE	((SPARE_GDT + 1) * 8)	/* where the LDT is named */
#define LDT_INDEX	2u
#define LDT_SELECTOR	(LDT_INDEX * 8 | 4)
#define GUEST_GDT	512u	/* entries; behind them are the hypervisor's */
#define FLAT_LOW	0x0000ffffu
#define HV_SELECTOR	(GUEST_GDT * 8)

static uint32_t ldt[8][2] __attribute__((aligned(8)));

static void ldt_init(void)
{
	write_gdt(SPARE_GDT + 1, descriptor((uintptr_t)ldt, sizeof(ldt) - 1,
					    0x8200));
	vmi1(SetLDT, LDT_GATE);
}

/* Puts a descriptor into the GDT or the LDT; its selector there. */
static uint32_t place(bool in_ldt, uint32_t low, uint32_t high)
{
	if (in_ldt)
		vmi4(VMI_CALL_WriteLDTEntry, (uintptr_t)ldt, LDT_INDEX, low,
		     high);
	else
		write_gdt(SPARE_GDT, (uint64_t)high << 32 | low);
	return in_ldt ? LDT_SELECTOR : GDT_SELECTOR;
}

static void user_far_call(uint32_t selector)
{
	char code[] = "\x9a\0\0\0\0\0\0";	/* call far selector:0 */

	code[5] = (char)selector;
	code[6] = (char)(selector >> 8);
	user_bytes(code, 7, 0);
}

/*
 * A descriptor of this type can be called and loaded by nobody, whatever its
 * DPL. VMI-1.2, VMI-3.3.5: the guest's rings are 1 and 3.
 */
static void refused(uint32_t high)
{
	const uint32_t low = HV_SELECTOR << 16;	/* of a gate: where it leads */

	ldt_init();
	for (uint32_t i = 0; i < 8; i++) {
		uint32_t dpl = i >> 1, error;
		uint32_t sel = place(i & 1, low, high | dpl << 13);

		error = sel & 0xfffc;
		same(far_call(sel | dpl), VEC_GP, "a far call is #GP");
		same(last_trap.error, error, "of the selector");
		same(last_trap.cs & 3, 1, "at ring 1");
		same(load_es(sel | dpl), VEC_GP, "loading it is #GP");
		same(last_trap.error, error, "of the selector");
		user_far_call(sel | 3);
		same(last_trap.vector, VEC_GP, "a user's far call is #GP");
		same(last_trap.error, error, "of the selector");
	}
}

/* Code for ring 0 runs at ring 1, through the GDT and the LDT.
 * VMI-3.3.5, VMI-1.7. */
static void ring0_code(uint32_t arg)
{
	(void)arg;
	ldt_init();
	for (uint32_t i = 0; i < 2; i++) {
		uint32_t sel = place(i, FLAT_LOW, 0x00cf9a00);

		same(far_call(sel), -1, "code with DPL 0 can be called");
		same(far_cs & 3, 1, "and is at ring 1");
		user_far_call(sel);
		same(last_trap.vector, VEC_GP, "not by the user");
		sel = place(i, FLAT_LOW, 0x00cffa00);
		same(far_call(sel | 3), VEC_GP, "nor may we call the user's");
		sel = place(i, FLAT_LOW, 0x00cfda00);
		same(far_call(sel), VEC_GP, "nor ring 2's");
	}
}

/* Data for ring 0 is for ring 1; the user cannot load it.
 * VMI-3.3.5. */
static void ring0_data(uint32_t arg)
{
	/* mov es, ebx */
	static const char load[] = "\x8e\xc3\xcd\x80";

	(void)arg;
	ldt_init();
	for (uint32_t i = 0; i < 2; i++) {
		uint32_t sel = place(i, FLAT_LOW, 0x00cf9200);

		same(load_es(sel), -1, "data with DPL 0 can be loaded");
		USER(load, sel | 3);
		same(last_trap.vector, VEC_GP, "not by the user");
		same(last_trap.error, sel & 0xfffc, "error code");
	}
	__asm__ volatile("mov %0, %%es" : : "r"(USER_DS));
}

/* Every selector behind the guest's part of the GDT, and every RPL.
 * STUB-2: the hypervisor's own can be named, not used. */
static void hv_selectors(uint32_t arg)
{
	uint32_t wrong = 0;

	(void)arg;
	for (uint32_t sel = HV_SELECTOR; sel < 0x10000; sel++) {
		if (sel & 4)
			continue;
		wrong += load_es(sel) != VEC_GP ||
			 last_trap.error != (sel & 0xfffc);
		wrong += far_call(sel) != VEC_GP ||
			 last_trap.error != (sel & 0xfffc);
	}
	for (uint32_t i = 0; i < 8; i++) {
		user_far_call(HV_SELECTOR + i * 8);
		wrong += last_trap.vector != VEC_GP;
	}
	same(wrong, 0, "each is #GP");
}

/* GDT, LDT and TSS where there is nothing, in the hole, wrapping. Its data
 * segments are null then.
 * STUB-2: tables are read as the guest could. */
static void tables(uint32_t base)
{
	static const uint32_t limits[] = { 0, 7, 0xffff, 0xffffffff };

	for (uint32_t i = 0; i < 4; i++) {
		hypercall(STUB_HC_SET_GDT, base, limits[i]);
		for (uint32_t n = 0; n < 64; n++)
			hypercall(STUB_HC_GDT_CHANGED, random32(), 0);
		hypercall(STUB_HC_SET_GDT, (uintptr_t)gdt, sizeof(gdt) - 1);
	}
	write_gdt(SPARE_GDT, descriptor(base, 0xffff, 0x8200));
	vmi1(SetLDT, GDT_SELECTOR);
	for (uint32_t n = 0; n < 0x4000; n++)
		hypercall(STUB_HC_LDT_CHANGED, base, n);
	same(load_es(LDT_SELECTOR), VEC_GP, "the LDT has nothing");
	vmi1(SetLDT, 0);
	write_gdt(SPARE_GDT, descriptor(base, 0xffff, 0x8900));
	vmi1(SetTR, GDT_SELECTOR);
	for (uint32_t port = 0; port < 0x10000; port += 0x1fff) {
		char code[] = "\x66\xba\0\0\xed";	/* mov dx, port; in */

		code[2] = (char)port;
		code[3] = (char)(port >> 8);
		user_bytes(code, 5, 0);
		/* a base that wraps finds zeroes, and so permission */
		same(last_trap.cs, USER_CS, "it ends in user mode");
	}
}

/* IRET to random selectors.
 * VMI-3.6.4: a fault, at the place that jumped, and still ring 1. */
static void iret_random(uint32_t arg)
{
	uint32_t wrong = 0;

	(void)arg;
	for (uint32_t sel = 0; sel < 0x10000; sel += 1 + (sel > 0x200) * 61) {
		if ((sel & 0xfffc) == KERNEL_CS || (sel & ~3u) == 0x70 ||
		    !(sel & 0xfffc))
			continue;
		wrong += iret_to(sel, vmi_entry[VMI_CALL_IRET]) != VEC_GP ||
			 last_trap.error != (sel & 0xfffc) ||
			 last_trap.eip != (uintptr_t)iret_site + LINEAR ||
			 (last_trap.cs & 3) != 1;
	}
	same(wrong, 0, "each is #GP at the place of the jump");
}

const struct attack segment_cases[] = {
	CASE_ARG("code_64", refused, 0x00af9a00),
	CASE_ARG("code_64_big", refused, 0x00ef9a00),
	CASE_ARG("code_conforming", refused, 0x00cf9e00),
	CASE_ARG("call_gate_32", refused, 0x00008c00),
	CASE_ARG("call_gate_16", refused, 0x00008400),
	CASE_ARG("task_gate", refused, 0x00008500),
	CASE_ARG("interrupt_gate", refused, 0x00008e00),
	CASE_ARG("tss_32", refused, 0x00008900),
	CASE_ARG("tss_32_busy", refused, 0x00008b00),
	CASE_ARG("ldt_descriptor", refused, 0x00008200),
	CASE(ring0_code),
	CASE(ring0_data),
	CASE(hv_selectors),
	CASE_ARG("tables_absent", tables, 0x80000000, .end_checked = NO_STACK),
	CASE_ARG("tables_hole", tables, TOP + STUB_SHARED_OFFSET,
		 .end_checked = NO_STACK),
	CASE_ARG("tables_wrap", tables, 0xfffffff8, .end_checked = NO_STACK),
	CASE(iret_random),
	CASES_END
};

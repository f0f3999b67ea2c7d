// SPDX-License-Identifier: GPL-2.0-only
/* Gates and the IDT; stacks of the TSS that gates name. */
#include "attack64.h"

/* No gate for the exception, nor for the double fault. */
static void idt_where(uint32_t n)
{
	static const uint64_t where[] = {
		UNMAPPED, TRAMP_PAGE(TRAMP_GDT), TOP, AREA, EDGE - 8
	};
	const struct vmi64_table_pointer p = { 0xfff, where[n] };

	vmi1(SetIDT, &p);
	__asm__ volatile("ud2");
}

static void idt_native(uint32_t limit)
{
	const struct vmi64_table_pointer p = { limit, UNMAPPED };

	__asm__ volatile("lidt %0\n\tud2" : : "m"(p));
}

/* A gate whose address is none: TCG finds out when it is there. */
static void gate_rip(uint32_t n)
{
	static const uint64_t rip[] = { ODD, EDGE };

	gate_write(VEC_UD, rip[n], KERNEL_CS, 14, 0, 0);
	same64(probe_ud2(), VEC_GP, "a #GP");
}

/* No gate at all, by its selector. */
static void gate_null(uint32_t arg)
{
	(void)arg;
	gate_write(VEC_UD, trap_stub[VEC_UD], 0, 14, 0, 0);
	same64(probe_ud2(), VEC_GP, "a #GP");
}

/* One that leads where nothing is executed. */
static void gate_to(uint32_t n)
{
	static const uint64_t rip[] = {
		UNMAPPED, TRAMP_PAGE(TRAMP_ENTRY), AREA, TRAMP_PAGE(40)
	};

	gate_write(VEC_UD, rip[n], KERNEL_CS, 14, 0, 0);
	same64(probe_ud2(), VEC_PF, "a #PF there");
	same64(last_cr2, rip[n], "says where");
	gate_write(VEC_UD, trap_stub[VEC_UD], KERNEL_CS, 14, 0, 0);
	is_well();
}

static void gate_cs(uint32_t cs)
{
	gate_write(VEC_UD, trap_stub[VEC_UD], cs, 14, 0, 0);
	__asm__ volatile("ud2");
}

/* Of all types only two are gates in 64-bit mode. */
static void gate_types(uint32_t arg)
{
	uint32_t wrong = 0;
	int64_t got;

	(void)arg;
	for (uint32_t type = 0; type < 32; type++) {
		gate_write(VEC_SPARE, trap_stub[VEC_SPARE], KERNEL_CS, type, 0,
			   0);
		got = CODE("\xcd\x90", .rax = 0);
		wrong += got != (type == 14 || type == 15 ? VEC_SPARE : VEC_GP);
		wrong += got == VEC_GP && last.error != VEC_SPARE * 8 + 2;
	}
	same64(wrong, 0, "others are a #GP");
	is_well();
}

/* INT n in user mode: what the gate's DPL allows. */
static void gate_dpl(uint32_t dpl)
{
	char code[2] = "\xcd";
	struct user u = user_start;
	uint32_t wrong = 0;

	for (uint32_t v = 0; v < 256; v++) {
		if (v == VEC_GP || v == VEC_BP || v == VEC_SYSCALL ||
		    v == VEC_IRQ0)
			continue;
		gate_write(v, trap_stub[v], KERNEL_CS, 14, dpl, 0);
		code[1] = (char)v;
		user_load(code, 2);
		wrong += user_try(&u) != VEC_GP;
		wrong += last.error != v * 8 + 2 || last.rip != USER_CODE;
	}
	same64(wrong, 0, "each is a #GP");
	is_well();
}

static void ist_stack(uint32_t n)
{
	static const uint64_t at[] = {
		ODD, EDGE + 64, UNMAPPED, TRAMP + 0x800, TOP + 0x800,
		AREA + 0x800, TRAMP_PAGE(TRAMP_ENTRY) + 0xff0, 0, 8, -64ull
	};

	own_stack(VEC_UD);
	*(uint64_t *)(tss + 36) = at[n];
	__asm__ volatile("ud2");
}

/* The TSS is where no memory is. */
static void ist_tss(uint32_t n)
{
	static const uint64_t base[] = { UNMAPPED, TOP, TRAMP, EDGE - 40, -40ull };

	own_stack(VEC_UD);
	gdt_write(TSS_SELECTOR / 8, 0x67 | (base[n] & 0xffffff) << 16 |
		  0x89ull << 40 | (base[n] >> 24 & 0xff) << 56, base[n] >> 32);
	vmi1(SetTR, TSS_SELECTOR);
	__asm__ volatile("ud2");
}

const struct attack gate_cases[] = {
	CASE_ARG("idt_absent", idt_where, 0, .end = NO_GATE),
	CASE_ARG("idt_hypervisor", idt_where, 1, .end = NO_GATE),
	CASE_ARG("idt_rom", idt_where, 2, .end = NO_GATE),
	CASE_ARG("idt_area", idt_where, 3, .end = NO_GATE),
	CASE_ARG("idt_edge", idt_where, 4, .end = NO_GATE),
	CASE_ARG("idt_native", idt_native, 0xfff, .mode = NATIVE,
		 .end = NO_GATE),
	CASE_ARG("gate_odd", gate_rip, 0, .end_checked = CANNOT_RUN),
	CASE_ARG("gate_edge", gate_rip, 1, .end_checked = CANNOT_RUN),
	CASE_ARG("gate_to_absent", gate_to, 0),
	CASE_ARG("gate_to_entry_page", gate_to, 1),
	CASE_ARG("gate_to_area", gate_to, 2),
	CASE_ARG("gate_to_hole", gate_to, 3),
	CASE(gate_null),
	CASE_ARG("gate_hypervisor", gate_cs, HV_CS, .end = CANNOT_RUN),
	CASE_ARG("gate_user", gate_cs, USER_CS, .end = CANNOT_RUN),
	CASE_ARG("gate_data", gate_cs, KERNEL_DS, .end = CANNOT_RUN),
	CASE_ARG("gate_beyond", gate_cs, 0xfff8, .end = CANNOT_RUN),
	CASE(gate_types),
	CASE_ARG("gate_dpl_0", gate_dpl, 0),
	CASE_ARG("gate_dpl_2", gate_dpl, 2),
	CASE_ARG("ist_odd", ist_stack, 0, .end = NO_STACK),
	CASE_ARG("ist_edge", ist_stack, 1, .end = NO_STACK),
	CASE_ARG("ist_absent", ist_stack, 2, .end = NO_STACK),
	CASE_ARG("ist_text", ist_stack, 3, .end = NO_STACK),
	CASE_ARG("ist_rom", ist_stack, 4, .end = NO_STACK),
	CASE_ARG("ist_area", ist_stack, 5, .end = NO_STACK),
	CASE_ARG("ist_entry_page", ist_stack, 6, .end = NO_STACK),
	CASE_ARG("ist_0", ist_stack, 7, .end = NO_STACK),
	CASE_ARG("ist_wraps", ist_stack, 8, .end = NO_STACK),
	CASE_ARG("ist_end", ist_stack, 9, .end = NO_STACK),
	CASE_ARG("ist_no_tss", ist_tss, 0, .end = "no TSS at .*"),
	CASE_ARG("ist_tss_rom", ist_tss, 1, .end = "no TSS at .*"),
	CASE_ARG("ist_tss_hypervisor", ist_tss, 2, .end = "no TSS at .*"),
	CASE_ARG("ist_tss_edge", ist_tss, 3, .end = "no TSS at .*"),
	CASE_ARG("ist_tss_end", ist_tss, 4, .end = "no TSS at .*"),
	CASES_END
};

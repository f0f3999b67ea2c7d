// SPDX-License-Identifier: GPL-2.0-only
/* Selectors that were good when they were loaded or named, and tables that end
 * behind what the hypervisor keeps of them. */
#include "attack.h"

#define SELECTOR	(SPARE_GDT * 8)
#define LDT_GATE	((SPARE_GDT + 1) * 8)
#define FLAT_LOW	0x0000ffffu
#define USER_DATA	0x00cff200u
#define GUEST_GDT	512u	/* entries; behind them are the hypervisor's */
#define EFLAGS_NT	0x4000u
#define WRAPS		0xe0000000u	/* this entry's offset is 0 in 32 bits */

static uint64_t large_gdt[8192] __attribute__((aligned(8)));
static uint32_t ldt[8][2] __attribute__((aligned(8)));

/* What can be loaded into a data segment register, and the same entry later.
 * VMI-3.3.4: the register is null then. */
static void loaded_then_changed(uint32_t arg)
{
	static const struct { uint32_t before, after, rpl; } changes[] = {
		{ USER_DATA, 0x00cf7200, 3 },	/* absent */
		{ USER_DATA, 0x00cff800, 3 },	/* code that cannot be read */
		{ USER_DATA, 0x00cfb200, 3 },	/* data of the kernel */
		{ USER_DATA, 0x0000e200, 3 },	/* an LDT */
		{ USER_DATA, 0x0000ee00, 3 },	/* a gate */
		{ USER_DATA, 0x00affa00, 3 },	/* 64-bit code */
		{ 0x00cf9200, 0x00cf1200, 1 },
		{ 0x00cf9200, 0, 0 },
	};

	(void)arg;
	for (uint32_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		uint32_t sel = SELECTOR | changes[i].rpl, fs, gs;

		write_gdt(SPARE_GDT, descriptor(0, FLAT_LOW, changes[i].before));
		__asm__ volatile("mov %0, %%fs; mov %0, %%gs" : : "r"(sel));
		write_gdt(SPARE_GDT, descriptor(0, FLAT_LOW, changes[i].after));
		__asm__ volatile("mov %%fs, %0; mov %%gs, %1"
				 : "=r"(fs), "=r"(gs));
		same(fs & 0xfffc, 0, "FS is null");
		same(gs & 0xfffc, 0, "GS is null");
	}
}

/* A GDT as large as can be, which is told of entry by entry.
 * STUB-2: the hypervisor's own entries are not the guest's to write. */
static void gdt_64_kb(uint32_t arg)
{
	(void)arg;
	for (uint32_t i = 0; i < GDT_ENTRIES; i++)
		large_gdt[i] = gdt[i];
	hypercall(STUB_HC_SET_GDT, (uintptr_t)large_gdt,
		  sizeof(large_gdt) - 1);
	for (uint32_t i = GUEST_GDT; i < 8192; i++)
		vmi4(VMI_CALL_WriteGDTEntry, (uintptr_t)large_gdt, i, 0, 0);
	same(load_es(USER_DS), -1, "the guest's own entries are as they were");
	same(load_es(GUEST_GDT * 8), VEC_GP, "the first behind them is none");
}

/* Indices far beyond the tables, for which 32 bits of an offset do not do. */
static void table_index(uint32_t arg)
{
	const uint32_t base = (uintptr_t)ldt;

	(void)arg;
	write_gdt(SPARE_GDT + 1, descriptor(base, sizeof(ldt) - 1, 0x8200));
	vmi1(SetLDT, LDT_GATE);
	for (uint32_t i = 0; i < 8; i++) {
		ldt[i][0] = FLAT_LOW;
		ldt[i][1] = USER_DATA;
		hypercall(STUB_HC_LDT_CHANGED, base, WRAPS + i);
		hypercall(STUB_HC_GDT_CHANGED, WRAPS + i, 0);
		hypercall(STUB_HC_IDT_CHANGED, WRAPS + i, 0);
	}
	same(load_es(4 | 8), -1, "the LDT goes on");
	same(load_es(USER_DS), -1, "the GDT goes on");
}

/* What is no LDT and no TSS cannot be loaded as one. VMI-3.2.4,
 * VMI-3.2.6. */
static void not_a_table(uint32_t arg)
{
	static const uint32_t kinds[] = {
		0x00cf9200, 0x00cf9a00,			/* segments */
		0x00008400, 0x00008500, 0x00008c00,	/* gates */
		0x00008e00, 0x00008f00, 0x00008100,	/* a TSS of 16 bits */
	};

	(void)arg;
	for (uint32_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		write_gdt(SPARE_GDT, descriptor(0, FLAT_LOW, kinds[i]));
		same(run_kernel(vmi_entry[VMI_CALL_SetLDT], SELECTOR, 0, 0, 0),
		     VEC_GP, "as an LDT it is #GP");
		same(last_trap.error, SELECTOR, "of the selector");
		same(run_kernel(vmi_entry[VMI_CALL_SetTR], SELECTOR, 0, 0, 0),
		     VEC_GP, "as a TSS it is #GP");
		same(last_trap.error, SELECTOR, "of the selector");
	}
}

/* A user with NT set, and what its handlers then begin with (SDM Vol. 3,
 * 6.12.1.3), by a fault and by a system call. */
static void handler_flags(uint32_t arg)
{
	/* pushf; or word [esp], 4000h; popf; hlt, or int 80h */
	static const char fault[] = "\x9c\x66\x81\x0c\x24\x00\x40\x9d\xf4";
	static const char call[] = "\x9c\x66\x81\x0c\x24\x00\x40\x9d\xcd\x80";

	(void)arg;
	for (uint32_t i = 0; i < 2; i++) {
		uint32_t flags;

		if (i)
			USER(call, 0);
		else
			USER(fault, 0);
		__asm__ volatile("pushf; pop %0; push $2; popf" : "=r"(flags));
		same(last_trap.vector, i ? VEC_SYSCALL : VEC_GP, "it traps");
		same(last_trap.eflags & EFLAGS_NT, EFLAGS_NT, "NT was set");
		same(flags & EFLAGS_NT, 0, "the handler's is not");
	}
}

/* A user's INT 80h, through a gate that is the kernel's alone. VMI-3.3.5. */
static void syscall_dpl(uint32_t arg)
{
	const uint32_t *gate = gate_of(VEC_SYSCALL);
	uint32_t low = gate[0], high = gate[1];

	(void)arg;
	for (uint32_t dpl = 0; dpl < 3; dpl++) {
		set_idt(VEC_SYSCALL, low, (high & ~0x6000u) | dpl << 13);
		USER("\xcd\x80", 0);
		same(last_trap.vector, VEC_GP, "it is #GP");
		same(last_trap.error, VEC_SYSCALL * 8 + 2, "of the gate");
		same(last_trap.eip, play(U_CODE), "at the instruction");
	}
	set_idt(VEC_SYSCALL, low, high);
	USER("\xcd\x80", 0);
	same(last_trap.vector, VEC_SYSCALL, "with DPL 3 it is a system call");
}

/* The frame of an IRET that asks the hypervisor, as the ROM does when an
 * interrupt is pending. */
static void refused(uint32_t cs, uint32_t eflags, uint32_t ss, uint32_t bad,
		    int vector)
{
	const uint32_t frame[] = { cs, eflags, play(U_STACK) + PAGE, ss };

	same(iret_by_hypercall(frame, STUB_HC_IRET), vector, "it is refused");
	same(last_trap.error, bad & 0xfffc, "of the selector");
	same(last_trap.eip, (uintptr_t)iret_site + LINEAR,
	     "at the place of the jump");
	same(last_trap.cs & 3, 1, "at ring 1");
}

/* VMI-3.6.4: what the instruction would refuse. */
static void hypercall_iret(uint32_t arg)
{
	static const struct { uint32_t high, rpl; } code[] = {
		{ 0x00cf1a00, 0 },		/* absent: the first of each */
		{ 0x00cf9200, 0 },		/* data */
		{ 0x00cffa00, 0 },		/* of another ring */
		{ 0x00cf9a00, 3 },
		{ 0x00cfda00, 2 },		/* of ring 2 */
		{ 0x00af9a00, 0 },		/* 64-bit code */
		{ 0x00008c00, 0 },		/* a gate */
		{ 0x00008e00, 0 },
	}, stack[] = {
		{ 0x00cf7200, 3 },
		{ 0x00cff000, 3 },		/* not to be written */
		{ 0x00cffa00, 3 },		/* code */
		{ 0x00cfb200, 3 },		/* of another ring */
		{ 0x00cff200, 1 },
		{ 0x0000e200, 3 },		/* an LDT */
	};

	(void)arg;
	for (uint32_t i = 0; i < sizeof(code) / sizeof(*code); i++) {
		uint32_t sel = SELECTOR | code[i].rpl;

		write_gdt(SPARE_GDT, descriptor(0, FLAT_LOW, code[i].high));
		refused(sel, EFLAGS_FIXED, USER_DS, sel, i ? VEC_GP : VEC_NP);
	}
	for (uint32_t i = 0; i < sizeof(stack) / sizeof(*stack); i++) {
		uint32_t sel = SELECTOR | stack[i].rpl;

		write_gdt(SPARE_GDT, descriptor(0, FLAT_LOW, stack[i].high));
		refused(USER_CS, EFLAGS_FIXED, sel, sel, i ? VEC_GP : VEC_SS);
	}
	refused(USER_CS, EFLAGS_FIXED, 0, 0, VEC_GP);
	refused(KERNEL_CS, EFLAGS_FIXED | 1 << 17, USER_DS, KERNEL_CS, VEC_GP);
}

/* User code whose EIP is that of an IRET of the ROM, by a segment that begins
 * elsewhere: its faults are its own, and so is the interrupt flag. */
static void user_at_iret(uint32_t arg)
{
	const struct stub_rom_info *info = (const void *)
		(VMI_SCAN_START + STUB_INFO_OFFSET);
	char code[] = "\xea\0\0\0\0\0\0\xf4";	/* jmp far; hlt */

	(void)arg;
	for (uint32_t i = 0; i < 2; i++) {
		uint32_t eip = TOP + STUB_ROM_OFFSET + info->iret_insn[i];
		uint32_t base = play(U_CODE) + 7 - eip;

		write_gdt(SPARE_GDT, descriptor(base, FLAT_LOW, 0x00cffa00));
		for (uint32_t n = 0; n < 4; n++)
			code[1 + n] = (char)(eip >> n * 8);
		code[5] = SELECTOR | 3;
		user_bytes(code, sizeof(code) - 1, 0);
		same(last_trap.vector, VEC_GP, "HLT is #GP");
		same(last_trap.eip, eip, "at HLT");
		same(last_trap.cs, SELECTOR | 3, "in user mode");
		same(last_trap.eflags & EFLAGS_IF, EFLAGS_IF, "interrupts on");
	}
}

const struct attack selector_cases[] = {
	CASE(loaded_then_changed),
	CASE(gdt_64_kb),
	CASE(table_index),
	CASE(not_a_table),
	CASE(handler_flags),
	CASE(syscall_dpl),
	CASE(hypercall_iret),
	CASE(user_at_iret),
	CASES_END
};

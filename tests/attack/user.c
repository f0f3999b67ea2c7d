// SPDX-License-Identifier: GPL-2.0-only
/*
 * A hostile user: what bare hardware answers with a fault of that program must
 * not become the end of the guest, nor more than it had before.
 */
#include "attack.h"

#define INT_N		0x21		/* a vector of the user's choice */
#define CODE_16_LIMIT	1u		/* of the segments below: two bytes */

/* ---- gates ------------------------------------------------------------------ */

/* SDM Vol. 2, INT n: type, privilege, presence, in this order. */
static const struct {
	uint32_t	high;		/* of the gate, without its offset */
	uint32_t	vector;
} kinds[] = {
	{ 0x0e00, VEC_GP }, { 0x0f00, VEC_GP },		/* DPL 0, absent */
	{ 0x6e00, VEC_NP }, { 0x6f00, VEC_NP },		/* DPL 3, absent */
	{ 0x8500, VEC_GP }, { 0xe500, VEC_GP },		/* task gates */
	{ 0x0500, VEC_GP }, { 0x6500, VEC_GP },
	{ 0xe600, VEC_GP }, { 0xe700, VEC_GP },		/* of 16 bits */
	{ 0xec00, VEC_GP }, { 0xe000, VEC_GP },		/* a call gate, nothing */
	{ 0xfe00, VEC_GP }, { 0, VEC_GP },
};

/* INT n to gates that lead nowhere.
 * VMI-1.9; SDM Vol. 2, INT n. */
static void user_int_kinds(uint32_t arg)
{
	(void)arg;
	for (uint32_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		set_idt(INT_N, gate_of(INT_N)[0], kinds[i].high);
		USER("\xcd\x21", 0);
		same(last_trap.vector, kinds[i].vector, "INT n is a fault");
		same(last_trap.error, INT_N * 8 + 2, "of its gate");
		same(last_trap.eip, play(U_CODE), "at the instruction");
	}
}

/* The one that Linux has as a task gate. */
static void user_int_8(uint32_t arg)
{
	(void)arg;
	set_idt(8, 0x80 << 16, 0x8500);
	USER("\xcd\x08", 0);
	same(last_trap.vector, VEC_GP, "INT 8 is #GP");
	same(last_trap.error, 8 * 8 + 2, "of its gate");
}

/* INT3, INTO and INT 80h, whose gates the CPU finds in the hypervisor's IDT. */
static void user_int_traps(uint32_t arg)
{
	(void)arg;
	set_idt(3, gate_of(3)[0], 0x6e00);
	USER("\xcc", 0);
	same(last_trap.vector, VEC_NP, "INT3 is #NP");
	same(last_trap.eip, play(U_CODE), "at the instruction");
	set_idt(4, gate_of(4)[0], 0xe500);
	USER("\xb0\x7f\x04\x01\xce", 0);	/* mov al, 7f; add al, 1; into */
	same(last_trap.vector, VEC_GP, "INTO is #GP");
	same(last_trap.error, 4 * 8 + 2, "of its gate");
	same(last_trap.eip, play(U_CODE) + 4, "at the instruction");
	set_idt(VEC_SYSCALL, gate_of(VEC_SYSCALL)[0], 0x6f00);
	USER("\xcd\x80", 0);
	same(last_trap.vector, VEC_NP, "INT 80h is #NP");
	same(last_trap.error, VEC_SYSCALL * 8 + 2, "of its gate");
}

/* Exceptions whose gate is absent.
 * SDM Vol. 3, Table 6-5: a second fault, or a double fault. */
static void user_fault_kinds(uint32_t arg)
{
	(void)arg;
	set_idt(6, gate_of(6)[0], 0x0e00);
	USER("\x0f\x0b", 0);				/* ud2 */
	same(last_trap.vector, VEC_NP, "#UD without a gate is #NP");
	same(last_trap.error, 6 * 8 + 3, "of its gate, and external");
	set_idt(6, gate_of(6)[0], 0x8500);
	USER("\x0f\x0b", 0);
	same(last_trap.vector, VEC_GP, "with a task gate #GP");
	same(last_trap.error, 6 * 8 + 3, "of its gate, and external");
	set_idt(0, gate_of(0)[0], 0x0e00);
	USER("\x31\xc9\xf7\xf1", 0);			/* xor ecx, ecx; div ecx */
	same(last_trap.vector, VEC_DF, "#DE without a gate is #DF");
	same(last_trap.error, 0, "whose error code is 0");
	same(last_trap.eip, play(U_CODE) + 2, "at the instruction");
	set_idt(VEC_PF, gate_of(VEC_PF)[0], 0x0e00);
	USER("\xa1\x00\x00\x00\x80", 0);		/* mov eax, [80000000h] */
	same(last_trap.vector, VEC_DF, "#PF without a gate is #DF");
}

/* ---- the end of a code segment ------------------------------------------------- */

/* Two bytes of code in a segment of two bytes, from SPARE_GDT; behind them, for
 * a processor that checks no limits, INT 80h. */
static void small_segment(const char *code)
{
	const uint32_t base = play(U_CODE);

	write_gdt(SPARE_GDT, descriptor(base, CODE_16_LIMIT, 0x0040fa00));
	pages[U_CODE][0] = (uint8_t)code[0];
	pages[U_CODE][1] = (uint8_t)code[1];
	pages[U_CODE][2] = 0xcd;
	pages[U_CODE][3] = 0x80;
}

/* Into it from the flat segment, at this address. */
static void run_small(uint32_t eip)
{
	const char jump[] = { '\xea', (char)eip, (char)(eip >> 8), 0, 0,
			      SPARE_GDT * 8 | 3, 0 };

	for (uint32_t i = 0; i < sizeof(jump); i++)
		pages[U_CODE][0x100 + i] = (uint8_t)jump[i];
	run_user(play(U_CODE) + 0x100, play(U_STACK) + PAGE, 0, 0, false);
}

static void at_the_end(const char *what)
{
	if (on_tcg())
		return;		/* where there is no end: what is behind ran */
	same(last_trap.vector, VEC_GP, what);
	same(last_trap.error, 0, "without a selector");
	same(last_trap.eip, CODE_16_LIMIT + 1, "behind the last instruction");
	same(last_trap.cs, SPARE_GDT * 8 | 3, "in that segment");
}

/* The hypervisor emulates the last instruction. */
static void cs_limit_in(uint32_t arg)
{
	(void)arg;
	vmi1(SetIOPLMask, 0x3000);
	small_segment("\xe4\x80");			/* in al, 80h */
	run_small(0);
	at_the_end("beyond an emulated instruction");
}

/* The last instruction makes a fault that the hypervisor resolves in silence
 * once, and runs off the end. */
static void cs_limit_fill(uint32_t arg)
{
	(void)arg;
	small_segment("\x8a\x03");			/* mov al, [ebx] */
	flush();
	run_small(0);
	if (!on_tcg())
		ok(last_trap.vector == VEC_PF || last_trap.vector == VEC_GP,
		   "beyond a fault");
}

/* A return to there, by the ROM's IRET and, with an interrupt pending, by the
 * hypervisor.
 * VMI-3.6.4; SDM Vol. 2, IRET: EIP beyond the limit is #GP(0). */
static void cs_limit_iret(uint32_t pending)
{
	small_segment("\x90\x90");
	pic_init();
	vmi2(UpdateKernelStack, KERNEL_DS, (uintptr_t)(spare_table + 1024));
	vmi0(DisableInterrupts);
	if (pending)
		pit_wait();
	if (on_tcg() && !pending)
		return;		/* it would run what is in the stack's page */
	same(iret_user_to(SPARE_GDT * 8 | 3, PAGE), VEC_GP, "IRET is #GP");
	same(last_trap.error, 0, "without a selector");
	same(last_trap.eip, (uintptr_t)iret_site + LINEAR, "at the kernel's jump");
}

/* SS of the frame: a selector that does not fit, or not present.
 * SDM Vol. 2, IRET. */
static void iret_ss(uint32_t arg)
{
	static const struct { uint32_t ss, vector, error; } bad[] = {
		{ 0, VEC_GP, 0 }, { 3, VEC_GP, 0 },
		{ KERNEL_DS | 1, VEC_GP, KERNEL_DS },
		{ KERNEL_DS | 3, VEC_GP, KERNEL_DS },
		{ USER_CS, VEC_GP, USER_CS & ~3 },
		{ USER_DS & ~3, VEC_GP, USER_DS & ~3 },
		{ USER_DS & ~2, VEC_GP, USER_DS & ~3 },
		{ SPARE_GDT * 8 | 3, VEC_SS, SPARE_GDT * 8 },
		{ (SPARE_GDT + 1) * 8 | 3, VEC_GP, (SPARE_GDT + 1) * 8 },
		{ 0x1003, VEC_GP, 0x1000 },
	};

	(void)arg;
	write_gdt(SPARE_GDT, descriptor(0, 0xffff, 0x00cf7200));	/* not present */
	write_gdt(SPARE_GDT + 1, descriptor(0, 0xffff, 0x00cff000));	/* read-only */
	pic_init();
	vmi2(UpdateKernelStack, KERNEL_DS, (uintptr_t)(spare_table + 1024));
	vmi0(DisableInterrupts);
	pit_wait();
	for (uint32_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		same(iret_user_ss(bad[i].ss, play(U_CODE)), (int)bad[i].vector,
		     "a frame with a bad SS");
		same(last_trap.error, bad[i].error, "names it");
		vmi0(DisableInterrupts);
	}
}

/* ---- stack segments of 16 bits ---------------------------------------------------- */

#define UPPER		0xabcd0000u

/*
 * The upper half of ESP survives each way through the hypervisor that the
 * kernel does not see: emulated IN, a page that the shadow lacks, and the
 * interrupts of the machine's clock that are not for us.
 * VMI-1.4; SDM Vol. 2, IRET.
 */
static void espfix_in(uint32_t selector)
{
	/* mov ss, bx; mov esp, UPPER + 1000h; in al, 80h; mov ecx, esp;
	 * mov al, [40008000h]; mov eax, esp; mov edx, 7bh; mov ss, edx;
	 * int 80h */
	static const char code[] =
		"\x8e\xd3\xbc\x00\x10\xcd\xab\xe4\x80\x89\xe1"
		"\xa0\x00\x80\x00\x40\x89\xe0\xba\x7b\x00\x00\x00\x8e\xd2"
		"\xcd\x80";
	static uint32_t ldt[2] = { 0xffff, 0x0000f200 };
	const uint32_t base = (uintptr_t)ldt;

	write_gdt(SPARE_GDT, descriptor(0, 0xffff, 0x0000f200));	/* 16 bits, DPL 3 */
	write_gdt(SPARE_GDT + 1, descriptor(base, 7, 0x8200));
	vmi1(SetLDT, (SPARE_GDT + 1) * 8);
	map(U_FREE, MAPS(pages[3], PTE_U));
	vmi1(SetIOPLMask, 0x3000);
	user_bytes(code, sizeof(code) - 1, selector);
	same(last_trap.vector, VEC_SYSCALL, "it comes to its end");
	same(last_trap.ecx, UPPER | 0x1000, "ESP behind IN");
	same(last_trap.eax, UPPER | 0x1000, "ESP behind a page that was missing");
}

static void espfix_irq(uint32_t arg)
{
	/* mov ss, bx; mov esp, UPPER + 1000h; mov ecx, 4000000; L: dec ecx;
	 * jnz L; mov eax, esp; ... */
	static const char code[] =
		"\x8e\xd3\xbc\x00\x10\xcd\xab\xb9\x00\x09\x3d\x00\x49\x75\xfd"
		"\x89\xe0\xba\x7b\x00\x00\x00\x8e\xd2\xcd\x80";

	(void)arg;
	write_gdt(SPARE_GDT, descriptor(0, 0xffff, 0x0000f200));
	user_bytes(code, sizeof(code) - 1, SPARE_GDT * 8 | 3);
	same(last_trap.vector, VEC_SYSCALL, "it comes to its end");
	same(last_trap.eax, UPPER | 0x1000, "ESP behind the neighbour's time");
}

/* The kernel on such a stack learns nothing of the hypervisor's. */
static void espfix_kernel(uint32_t arg)
{
	uint32_t esp;

	(void)arg;
	/* Where the stack is now, by a base: SP alone counts. */
	__asm__ volatile("mov %%esp, %0" : "=r"(esp));
	write_gdt(SPARE_GDT, descriptor(esp & 0xffff0000, 0xffff, 0x9200));
	__asm__ volatile("mov %1, %%ss\n\tin $0x80, %%al\n\tmov %%esp, %0\n\t"
			 "mov %2, %%ss"
			 : "=&r"(esp)
			 : "r"(SPARE_GDT * 8 | 1), "r"(KERNEL_DS | 1) : "eax");
	write_gdt(SPARE_GDT, 0);
	{
		uint32_t now;

		__asm__ volatile("mov %%esp, %0" : "=r"(now));
		same(esp & 0xffff0000, now & 0xffff0000, "the upper half of ESP");
	}
}

/* ---- where there is no memory -------------------------------------------------------- */

/* The kernel has given the user a page without memory, and the local APIC's. */
static void user_bus(uint32_t pa)
{
	map(U_FREE, pa | PTE_P | PTE_W | PTE_U);
	flush();
	USER("\x89\x03\xcd\x80", play(U_FREE));		/* mov [ebx], eax */
	same(last_trap.vector, VEC_GP, "a write is #GP");
	same(last_trap.eip, play(U_CODE), "at the instruction");
	USER("\x0f\x7f\x03\xcd\x80", play(U_FREE));	/* movq [ebx], mm0 */
	same(last_trap.vector, VEC_GP, "whatever the instruction is");
	if (pa >> 12 == 0xfee00)
		return;
	USER("\x8b\x03\xcd\x80", play(U_FREE));		/* mov eax, [ebx] */
	same(last_trap.eax, 0xffffffff, "ones are read");
}

const struct attack user_cases[] = {
	CASE(user_int_kinds),
	CASE(user_int_8),
	CASE(user_int_traps),
	CASE(user_fault_kinds),
	CASE(cs_limit_in),
	CASE(cs_limit_fill),
	CASE_ARG("cs_limit_iret", cs_limit_iret, false),
	CASE_ARG("cs_limit_iret_pending", cs_limit_iret, true),
	CASE(iret_ss),
	CASE_ARG("espfix_gdt", espfix_in, SPARE_GDT * 8 | 3),
	CASE_ARG("espfix_ldt", espfix_in, 7),
	CASE(espfix_irq, .boot = "icount"),
	CASE(espfix_kernel),
	CASE_ARG("user_bus", user_bus, 0x80000000),
	CASE_ARG("user_apic", user_bus, 0xfee00000),
	CASES_END
};

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulator, instructions of the system: each that a deprivileged kernel may
 * run changes what it must and nothing else; one that faults, or is not allowed,
 * changes nothing at all.
 */
#include "emul.h"

static void test_interrupt_flag(void **state)
{
	(void)state;
	shared.flags = STUB_IF | STUB_PENDING;
	RUNS("\xfa");
	assert_int_equal(shared.flags, STUB_PENDING);
	RUNS("\xfb");
	assert_int_equal(shared.flags, STUB_IF | STUB_PENDING);
	assert_int_equal(last.calls, 0);
	RUNS("\xf4");
	CALLED("halt", 0, 0);
	/* STI and HLT: what is pending is not delivered in between, and then
	 * waited for. */
	polls = 0;
	RUNS("\xfb\xf4");
	CALLED("halt", 0, 0);
	assert_int_equal(polls, 0);
}

static void test_user_mode_gets_nothing_else(void **state)
{
	(void)state;
	regs.cs = 0x73;
	v->iopl = EFLAGS_IOPL;
	REFUSES("\xfa");
	REFUSES("\xf4");
	REFUSES("\x0f\x22\xd8");
	REFUSES("\x0f\x30");
	REFUSES("\x0f\x01\x15\x00\x20\x00\x00");
}

static void test_control_registers(void **state)
{
	(void)state;
	shared.cr2 = 0xabcd;
	RUNS("\x0f\x20\xc3");	/* ebx = cr0 */
	assert_int_equal(regs.gpr[EBX], 0x80050033);
	RUNS("\x0f\x20\xd4");	/* esp = cr2 */
	assert_int_equal(regs.rsp, 0xabcd);
	RUNS("\x0f\x20\xd9");
	assert_int_equal(regs.gpr[ECX], 0x5000);
	RUNS("\x0f\x20\xe0");
	assert_int_equal(regs.gpr[EAX], 0x10);
	RUNS("\x0f\x22\xda");
	CALLED("cr3", 0x33333333, 0);
	RUNS("\x0f\x22\xe2");
	CALLED("cr4", 0x33333333, 0);
	RUNS("\x0f\x22\xd2");
	assert_int_equal(shared.cr2, 0x33333333);
	RUNS("\x0f\x06");	/* clts */
	CALLED("cr0", 0x80050033, 0);
	RUNS("\x0f\x23\xfa");
	CALLED("dr", 7, 0x33333333);
	shared.dr[3] = 99;
	RUNS("\x0f\x21\xd8");
	assert_int_equal(regs.gpr[EAX], 99);
	RUNS("\x0f\x01\xe0");	/* smsw eax */
	assert_int_equal(regs.gpr[EAX], 0x80050033);
	regs.gpr[EAX] = 0x8;	/* lmsw ax: TS, and PE stays */
	RUNS("\x0f\x01\xf0");
	CALLED("cr0", 0x80050039, 0);
}

static void test_descriptor_tables(void **state)
{
	(void)state;
	memcpy(memory + DATA, "\xff\x00\x00\x30\x00\xc0", 6);
	RUNS("\x0f\x01\x15\x00\x20\x00\x00");
	CALLED("gdt", 0xc0003000, 0xff);
	RUNS("\x0f\x01\x1d\x00\x20\x00\x00");
	CALLED("idt", 0xc0003000, 0xff);
	RUNS("\x0f\x01\x05\x00\x20\x00\x00");
	assert_memory_equal(memory + DATA, "\xff\x00\x44\x33\x22\x11\x90", 7);
	RUNS("\x0f\x01\x0d\x00\x20\x00\x00");
	assert_memory_equal(memory + DATA, "\xff\x07\x88\x77\x66\x55\x90", 7);
	FAULTS("\x0f\x01\x15\x00\x30\x00\x00", UNMAPPED, 0);
	FAULTS("\x0f\x01\x05\xfc\x2f\x00\x00", UNMAPPED, PF_W);
	regs.gpr[EAX] = 0x80;
	RUNS("\x0f\x00\xd8");
	CALLED("tr", 0x80, 0);
	RUNS("\x0f\x00\xd0");
	CALLED("ldt", 0x80, 0);
	regs.gpr[EAX] = 0x66;
	REFUSES("\x0f\x00\xd8");
	RUNS("\x0f\x00\xc8");	/* str eax */
	assert_int_equal(regs.gpr[EAX], 0x80);
	RUNS("\x0f\x01\x38");	/* invlpg [eax] */
	CALLED("inval", 0x80, 0);
}

static void test_msrs(void **state)
{
	(void)state;
	regs.gpr[ECX] = 0x10;
	RUNS("\x0f\x32");
	assert_int_equal(regs.gpr[EAX], 0x456789ab);
	assert_int_equal(regs.gpr[EDX], 0x123);
	REFUSES("\x0f\x30");
	regs.gpr[ECX] = 0x277;
	RUNS("\x0f\x30");
	regs.gpr[EAX] = regs.gpr[EDX] = 0;
	RUNS("\x0f\x32");
	assert_int_equal(regs.gpr[EAX], 0x456789ab);
	assert_int_equal(regs.gpr[EDX], 0x123);
	regs.gpr[ECX] = 0xc0000082;
	REFUSES("\x0f\x32");
	REFUSES("\x0f\x30");
	regs.gpr[ECX] = 0xc0000080;	/* EFER: of what is there, NXE */
	regs.gpr[EDX] = 0;
	regs.gpr[EAX] = EFER_NXE | 0x100;
	REFUSES("\x0f\x30");
	regs.gpr[EAX] = EFER_NXE;
	RUNS("\x0f\x30");
	assert_int_equal(v->efer, EFER_NXE);
	regs.gpr[ECX] = 0xfe;		/* MTRR capabilities: read alone */
	RUNS("\x0f\x32");
	assert_int_equal(regs.gpr[EAX], 0);
	REFUSES("\x0f\x30");
}

static void test_sysenter(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		regs.gpr[ECX] = 0x174 + i;
		regs.gpr[EAX] = 0x1230 + i;
		RUNS("\x0f\x30");
		regs.gpr[EAX] = 0;
		RUNS("\x0f\x32");
		assert_int_equal(regs.gpr[EAX], 0x1230 + i);
	}
	assert_int_equal(v->sysenter_cs, 0x1230);
	assert_int_equal(v->sysenter_esp, 0x1231);
	assert_int_equal(v->sysenter_eip, 0x1232);
	regs.gpr[EDX] = 0x4321;
	assert_true(emul_run("\x0f\x35", 2));
	assert_int_equal(regs.rip, 0x4321);
	regs.rip = CODE;
	regs.cs = 0x73;
	REFUSES("\x0f\x35");
	assert_true(emul_run("\x0f\x34", 2));
	assert_int_equal(regs.rip, 0x1232);
	regs.rip = CODE;
	v->sysenter_cs = 0;
	REFUSES("\x0f\x34");
	/* the way by #UD: these two instructions and no other */
	memcpy(memory + CODE, "\x0f\x35", 2);
	v->sysenter_cs = 0x60;
	assert_true(emulate_undefined(v));
	CALLED("exception", VEC_GP, 0);		/* from user mode */
	assert_int_equal(regs.rip, CODE);
	v->sysenter_cs = 0;
	memcpy(memory + CODE, "\x0f\x34", 2);
	assert_true(emulate_undefined(v));
	CALLED("exception", VEC_GP, 0);
	assert_int_equal(regs.rip, CODE);
	memcpy(memory + CODE, "\x0f\x0b", 2);
	assert_false(emulate_undefined(v));
	memcpy(memory + CODE, "\xfa", 1);
	assert_false(emulate_undefined(v));
}

static void test_apic_base(void **state)
{
	(void)state;
	apic_init(&guest.apic[0], 0, 1000000000);
	regs.gpr[ECX] = 0x1b;
	RUNS("\x0f\x32");
	assert_int_equal(regs.gpr[EAX], 0xfee00900);
	assert_int_equal(regs.gpr[EDX], 0);
	regs.gpr[EAX] = 0xfee00100;
	RUNS("\x0f\x30");
	assert_false(guest.apic[0].enabled);
	RUNS("\x0f\x32");
	assert_int_equal(regs.gpr[EAX], 0xfee00100);
	regs.gpr[EAX] = 0xfed00900;	/* it does not move */
	REFUSES("\x0f\x30");
	v->nr = 1;			/* the first one has booted */
	RUNS("\x0f\x32");
	assert_int_equal(regs.gpr[EAX], 0xfee00000);
	regs.gpr[EAX] = 0xfee00100;
	REFUSES("\x0f\x30");
}

static void test_counters(void **state)
{
	(void)state;
	regs.gpr[ECX] = 3;
	RUNS("\x0f\x33");
	assert_int_equal(regs.gpr[EAX] | regs.gpr[EDX], 0);
	regs.gpr[ECX] = 4;
	REFUSES("\x0f\x33");
	RUNS("\x0f\x31");
	assert_int_equal(regs.gpr[EAX], 0x456789ab);
	assert_int_equal(regs.gpr[EDX], 0x123);
	regs.cs = 0x73;
	REFUSES("\x0f\x31");
}

static void test_user_rdpmc(void **state)
{
	(void)state;
	regs.cs = 0x73;
	regs.gpr[ECX] = 0;
	REFUSES("\x0f\x33");
	v->cr4 |= CR4_PCE;
	RUNS("\x0f\x33");
	assert_int_equal(regs.gpr[EAX] | regs.gpr[EDX], 0);
	regs.gpr[ECX] = 0x1000;
	REFUSES("\x0f\x33");
}

static void test_stack_segment(void **state)
{
	(void)state;
	regs.gpr[EAX] = 0x68;
	regs.ss = 0x7b;
	RUNS("\x8e\xd0");	/* mov ss, eax */
	assert_int_equal(regs.ss, 0x69);
	regs.gpr[EAX] = 0x60;	/* code */
	REFUSES("\x8e\xd0");
	regs.gpr[EAX] = 0x70;	/* ring 3 */
	REFUSES("\x8e\xd0");
	regs.gpr[EAX] = 0;
	REFUSES("\x8e\xd0");
	regs.gpr[EAX] = 0x6b;	/* RPL 3: a fault on any CPU */
	REFUSES("\x8e\xd0");
	regs.gpr[EAX] = 0x68;	/* mov ds, eax does not fault at ring 1 */
	REFUSES("\x8e\xd8");
	memcpy(memory + regs.rsp, "\x68\x00\x00\x00", 4);
	regs.ss = 0x7b;
	RUNS("\x17");
	assert_int_equal(regs.ss, 0x69);
	assert_int_equal(regs.rsp, DATA + 0x804);
	memcpy(memory + DATA, "\x78\x56\x34\x12\x68\x00", 6);
	RUNS("\x0f\xb2\x25\x00\x20\x00\x00");
	assert_int_equal(regs.rsp, 0x12345678);
}

static void test_far_returns(void **state)
{
	(void)state;
	memcpy(memory + regs.rsp, "\x00\x11\x00\x00\x60\x00\x00\x00", 8);
	assert_true(emul_run("\xca\x08\x00", 3));
	assert_int_equal(regs.rip, 0x1100);
	assert_int_equal(regs.cs, 0x61);
	assert_int_equal(regs.rsp, DATA + 0x810);
	memcpy(memory + regs.rsp, "\x00\x11\x00\x00\x61\x00\x00\x00", 8);
	REFUSES("\xcb");	/* RPL 1 needs no help: its fault is its own */
	REFUSES("\xcf");
	memcpy(memory + regs.rsp, "\x00\x11\x00\x00\x60\x00\x00\x00", 8);
	assert_true(emul_run("\xcf", 1));
	CALLED("iret", DATA + 0x810, false);
}

static void test_software_interrupts(void **state)
{
	(void)state;
	REFUSES("\xcd\x21");	/* a #GP that is not about the IDT */
	regs.error = 0x21 * 8 + 2;
	RUNS("\xcd\x21");
	CALLED("int", 0x21, 2);
	regs.cs = 0x73;
	RUNS("\xcd\x0e");
	CALLED("int", 14, 2);
}

/* From the kernel and from user mode; at a VMCALL which is refused nothing has
 * changed. */
static void test_hypervisor_calls(void **state)
{
	static const char *const insn[] = { "\x0f\x01\xc1", "\x0f\x01\xd9" };
	const uint32_t user = 0x73;
	uint32_t i;

	(void)state;
	for (i = 0; i < 4; i++) {
		regs.cs = i < 2 ? regs.cs : user;
		vmcall_refused = false;
		memcpy(memory + (uint32_t)regs.rip, insn[i % 2], 3);
		assert_true(emulate_undefined(v));
		CALLED("vmcall", 3, false);
		vmcall_refused = true;
		memcpy(memory + (uint32_t)regs.rip, insn[i % 2], 3);
		assert_false(emulate_undefined(v));
		/* CPUID, where it faults. */
		regs.gpr[EAX] = 0x40000000;
		regs.gpr[ECX] = 5;
		RUNS("\x0f\xa2");
		CALLED("cpuid", 0x40000000, 5);
		assert_true(regs.gpr[EAX] == 1 && regs.gpr[EBX] == 2 &&
			    regs.gpr[ECX] == 3 && regs.gpr[EDX] == 4);
	}
}

static bool put_off;

static bool told_insn(struct vcpu *vcpu, enum insn_op op)
{
	(void)vcpu;
	last = (struct emulator_call){ "told", op, 0, 1 };
	return put_off;
}

static bool told_cpuid(struct vcpu *vcpu, uint32_t leaf, uint32_t sub,
		       uint32_t length)
{
	(void)vcpu;
	last = (struct emulator_call){ "told cpuid", leaf,
				       (uint64_t)sub << 32 | length, 1 };
	return put_off;
}

/* What is put off has changed nothing, and comes again. */
static void test_watched(void **state)
{
	static const struct {
		enum insn_op op;
		const char *bytes;
	} insn[] = {
		{ INSN_LGDT, "\x0f\x01\x15\x00\x20\x00\x00" },
		{ INSN_LIDT, "\x0f\x01\x1d\x00\x20\x00\x00" },
		{ INSN_SGDT, "\x0f\x01\x05\x00\x20\x00\x00" },
		{ INSN_SIDT, "\x0f\x01\x0d\x00\x20\x00\x00" },
		{ INSN_LTR, "\x0f\x00\xd8\x90\x90\x90\x90" },
		{ INSN_LLDT, "\x0f\x00\xd0\x90\x90\x90\x90" },
		{ INSN_STR, "\x0f\x00\xc8\x90\x90\x90\x90" },
		{ INSN_SLDT, "\x0f\x00\xc0\x90\x90\x90\x90" },
		{ INSN_CPUID, "\x2e\x0f\xa2\x90\x90\x90\x90" },
	};
	static const struct watch watch = {
		.insn = told_insn, .cpuid = told_cpuid,
	};
	struct regs before = regs;
	uint32_t i;

	(void)state;
	v->watch = &watch;
	v->watched = true;
	for (i = 0; i < ARRAY_SIZE(insn); i++) {
		put_off = true;
		assert_true(emul_run(insn[i].bytes, 7));
		if (insn[i].op == INSN_CPUID)
			CALLED("told cpuid", 0x11111111,
			       (uint64_t)0x22222222 << 32 | 3);
		else
			CALLED("told", insn[i].op, 0);
		assert_memory_equal(&regs, &before, sizeof(regs));
		put_off = false;
		assert_true(emul_run(insn[i].bytes, 7));
		assert_true(regs.rip > before.rip);
		regs = before;
	}
	v->watched = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EMUL_TEST(test_interrupt_flag),
		EMUL_TEST(test_user_mode_gets_nothing_else),
		EMUL_TEST(test_control_registers),
		EMUL_TEST(test_descriptor_tables),
		EMUL_TEST(test_msrs),
		EMUL_TEST(test_sysenter),
		EMUL_TEST(test_apic_base),
		EMUL_TEST(test_counters),
		EMUL_TEST(test_user_rdpmc),
		EMUL_TEST(test_stack_segment),
		EMUL_TEST(test_far_returns),
		EMUL_TEST(test_software_interrupts),
		EMUL_TEST(test_hypervisor_calls),
		EMUL_TEST(test_watched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

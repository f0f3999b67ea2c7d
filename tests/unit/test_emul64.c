// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulator with a 64-bit kernel at ring 1: what is not as in test_emul.c and
 * test_emul_port.c. Registers have 64 bits, segments no bases but FS and GS, and
 * what a processor refuses with #GP, so does it.
 */
#include "emul.h"

#define KERNEL_CS	0x60
#define KERNEL_SS	0x68
#define USER_CS32	0x73		/* in the order that SYSRET wants */
#define USER_SS		0x7b
#define USER_CS		0x83
#define HIGH		0xffffffff81000000ull	/* canonical, not mapped */
#define BAD		0x0000800000000000ull	/* the first that is not */

static int wide_setup(void **state)
{
	emul_setup(state);
	v->wide = true;
	v->efer = EFER_LME | EFER_LMA | EFER_NXE;
	v->cr4 = CR4_PAE;
	v->gdt_base = 0xffffffff82345678;
	v->idt_base = 0xfffffe0000000000;
	emul_gdt[12] = 0x00afbb000000ffff;
	emul_gdt[14] = 0x00cffb000000ffff;
	emul_gdt[16] = 0x00affb000000ffff;
	fs_base = gs_base = 0;
	return 0;
}
#define WIDE_TEST(name)	cmocka_unit_test_setup(name, wide_setup)

/* A #GP of its operand: the guest is told, eip is at the instruction. */
#define RAISES(bytes, vector) do {					\
		struct regs before = regs;				\
									\
		assert_true(emul_run(bytes, sizeof(bytes) - 1));	\
		assert_memory_equal(&before, &regs, sizeof(regs));	\
		CALLED("exception", vector, 0);				\
	} while (0)

static void put(uint64_t at, uint64_t val)
{
	memcpy(memory + at, &val, 8);
}

static void test_operands(void **state)
{
	(void)state;
	put(DATA, 0x0011223344550fff);
	memory[DATA + 8] = memory[DATA + 9] = 0;
	RUNS("\x0f\x01\x15\xf9\x0f\x00\x00");	/* lgdt [rip+..]: 2000h */
	CALLED("gdt", 0x1122334455, 0xfff);
	regs.rip = CODE;
	regs.gpr[12] = DATA - 0x10;
	regs.gpr[9] = 2;
	RUNS("\x43\x0f\x01\x5c\xcc\x00");	/* lidt [r12+r9*8] */
	CALLED("idt", 0x1122334455, 0xfff);
	gs_base = DATA - 0x100;			/* lidt gs:[100h] */
	RUNS("\x65\x0f\x01\x1c\x25\x00\x01\x00\x00");
	CALLED("idt", 0x1122334455, 0xfff);
	fs_base = (uint64_t)-0x1000;		/* lidt fs:[r13+3000h]: wraps */
	regs.gpr[13] = 0;
	RUNS("\x64\x41\x0f\x01\x9d\x00\x30\x00\x00");
	CALLED("idt", 0x1122334455, 0xfff);
	/* a 32-bit address is cut, its base is not */
	regs.gpr[EBX] = 0xabc00000000 + DATA;
	RUNS("\x67\x0f\x01\x1b");
	CALLED("idt", 0x1122334455, 0xfff);
	/* ds has no base, whatever its descriptor says */
	emul_gdt[15] |= 0x1000ull << 16;
	regs.gpr[EBX] = DATA;
	RUNS("\x0f\x01\x1b");
	/* sgdt: ten bytes */
	memset(memory + DATA, 0x90, 11);
	RUNS("\x0f\x01\x03");
	assert_memory_equal(memory + DATA,
			    "\xff\x00\x78\x56\x34\x82\xff\xff\xff\xff\x90", 11);
	RUNS("\x0f\x01\x0b");
	assert_memory_equal(memory + DATA,
			    "\xff\x07\x00\x00\x00\x00\x00\xfe\xff\xff\x90", 11);
	regs.gpr[EBX] = UNMAPPED - 9;
	FAULTS("\x0f\x01\x1b", UNMAPPED, 0);
	FAULTS("\x0f\x01\x03", UNMAPPED, PF_W);
	regs.gpr[EBX] = HIGH;
	FAULTS("\x0f\x01\x1b", HIGH, 0);
	/* what is loaded */
	put(DATA + 2, BAD);
	regs.gpr[EBX] = DATA;
	REFUSES("\x0f\x01\x1b");
	REFUSES("\x0f\x01\x13");
}

static void test_not_canonical(void **state)
{
	(void)state;
	regs.gpr[EBX] = BAD;
	RAISES("\x0f\x01\x13", VEC_GP);		/* lgdt [rbx] */
	RAISES("\x0f\x01\x03", VEC_GP);
	RAISES("\x0f\x00\x13", VEC_GP);		/* lldt [rbx] */
	RAISES("\x0f\x00\x0b", VEC_GP);		/* str [rbx] */
	regs.gpr[EBX] = BAD - 1;		/* only its end */
	RAISES("\x0f\x01\x23", VEC_GP);		/* smsw [rbx] */
	regs.gpr[EBP] = BAD;
	RAISES("\x0f\x01\x55\x00", VEC_SS);	/* lgdt [rbp] */
	regs.gpr[13] = BAD;
	RAISES("\x41\x0f\x01\x55\x00", VEC_GP);	/* lgdt [r13] */
}

static void test_control_registers(void **state)
{
	(void)state;
	shared64(v)->cr2 = 0xffffc90000001234;
	v->mmu.long_cr3 = 0x123456000;
	regs.gpr[8] = regs.gpr[EBX] = UINT64_MAX;
	RUNS("\x0f\x20\xc3");			/* mov rbx, cr0 */
	assert_int_equal(regs.gpr[EBX], 0x80050033);
	RUNS("\x41\x0f\x20\xd0");		/* mov r8, cr2 */
	assert_int_equal(regs.gpr[8], 0xffffc90000001234);
	RUNS("\x0f\x20\xdc");			/* mov rsp, cr3 */
	assert_int_equal(regs.rsp, 0x123456000);
	RUNS("\x0f\x20\xe0");
	assert_int_equal(regs.gpr[EAX], CR4_PAE);
	regs.gpr[EBX] = 0xffff888000000123;
	RUNS("\x0f\x22\xd3");			/* mov cr2, rbx */
	assert_int_equal(shared64(v)->cr2, 0xffff888000000123);
	REFUSES("\x0f\x22\xdb");		/* cr3: bits 63-52 */
	REFUSES("\x0f\x22\xc3");
	regs.gpr[EBX] = 0x123457000;
	RUNS("\x0f\x22\xdb");
	CALLED("cr3", 0x123457000, 0);

	regs.gpr[EBX] = 0x80050031;
	RUNS("\x0f\x22\xc3");
	CALLED("cr0", 0x80050031, 0);
	regs.gpr[EBX] = 0x00050031;		/* PG */
	REFUSES("\x0f\x22\xc3");
	regs.gpr[EBX] = 0x80050030;		/* PE */
	REFUSES("\x0f\x22\xc3");
	regs.gpr[EBX] = 0xa0050031;		/* NW without CD */
	REFUSES("\x0f\x22\xc3");
	regs.gpr[EBX] = 0x180050031;
	REFUSES("\x0f\x22\xc3");

	regs.gpr[EBX] = CR4_PAE | CR4_PGE | CR4_OSFXSR;
	RUNS("\x0f\x22\xe3");
	CALLED("cr4", CR4_PAE | CR4_PGE | CR4_OSFXSR, 0);
	regs.gpr[EBX] = CR4_PGE;		/* long mode needs PAE */
	REFUSES("\x0f\x22\xe3");
	regs.gpr[EBX] = CR4_PAE | 1u << 12;	/* LA57, which cr.c does not have */
	REFUSES("\x0f\x22\xe3");
	regs.gpr[EBX] = CR4_PAE | 1ull << 32;
	REFUSES("\x0f\x22\xe3");
}

static uint32_t tpr;

static enum bus_result load(void *opaque, uint64_t at, uint32_t *val)
{
	(void)opaque;
	*val = at == APIC_BASE + APIC_TPR ? tpr : 0;
	return BUS_DONE;
}

static enum bus_result store(void *opaque, uint64_t at, uint32_t val)
{
	(void)opaque;
	if (at == APIC_BASE + APIC_TPR)
		tpr = val;
	return BUS_DONE;
}

static void test_task_priority(void **state)
{
	const struct bus_region page = {
		APIC_BASE, PAGE_SIZE, 4, load, store, NULL
	};

	(void)state;
	RUNS("\x45\x0f\x20\xc1");		/* mov r9, cr8: no APIC */
	assert_int_equal(regs.gpr[9], 0);
	assert_true(bus_add(&guest.bus.memory, &page));
	regs.gpr[EBX] = 9;
	polls = 0;
	RUNS("\x44\x0f\x22\xc3");
	assert_int_equal(tpr, 0x90);
	assert_int_equal(polls, 1);
	tpr = 0x5f;
	RUNS("\x45\x0f\x20\xc1");
	assert_int_equal(regs.gpr[9], 5);
	regs.gpr[EBX] = 0x10;
	REFUSES("\x44\x0f\x22\xc3");
	assert_int_equal(tpr, 0x5f);
}

static void test_debug_registers(void **state)
{
	(void)state;
	regs.gpr[EBX] = HIGH;
	RUNS("\x0f\x23\xc3");			/* mov dr0, rbx */
	CALLED("dr", 0, HIGH);
	REFUSES("\x0f\x23\xfb");		/* dr7: bits 63-32 */
	REFUSES("\x0f\x23\xf3");
	regs.gpr[EBX] = 0x401;
	RUNS("\x0f\x23\xfb");
	CALLED("dr", 7, 0x401);
	v->dr[1] = HIGH + 1;
	RUNS("\x41\x0f\x21\xc8");		/* mov r8, dr1 */
	assert_int_equal(regs.gpr[8], HIGH + 1);
	shared64(v)->dr[6] = 0xffff0ff1;
	RUNS("\x0f\x21\xf3");
	assert_int_equal(regs.gpr[EBX], 0xffff0ff1);
}

static void test_registers_of_32_bits(void **state)
{
	(void)state;
	port_value = 0xaabbccdd;
	regs.gpr[EAX] = UINT64_MAX;
	RUNS("\xed");				/* in eax, dx */
	assert_int_equal(regs.gpr[EAX], 0xaabbccdd);
	regs.gpr[EAX] = UINT64_MAX;
	RUNS("\x66\xed");
	assert_int_equal(regs.gpr[EAX], 0xffffffffffffccdd);
	RUNS("\xec");
	assert_int_equal(regs.gpr[EAX], 0xffffffffffffccdd);
	regs.gpr[10] = UINT64_MAX;
	RUNS("\x41\x0f\x01\xe2");		/* smsw r10d */
	assert_int_equal(regs.gpr[10], 0x80050033);
	RUNS("\x66\x41\x0f\x00\xca");		/* str r10w */
	assert_int_equal(regs.gpr[10], 0x80050080);
	regs.gpr[EDX] = regs.gpr[EAX] = UINT64_MAX;
	RUNS("\x0f\x31");			/* rdtsc */
	assert_int_equal(regs.gpr[EAX], 0x456789ab);
	assert_int_equal(regs.gpr[EDX], 0x123);
	regs.gpr[ECX] = 0xffffffff00000001;
	RUNS("\x0f\x33");			/* rdpmc looks at ECX */
}

static void test_string_io(void **state)
{
	(void)state;
	regs.gpr[EDI] = HIGH;
	regs.gpr[ECX] = 1ull << 32;		/* all of it counts */
	FAULTS("\xf3\x6c", HIGH, PF_W);
	regs.gpr[EDI] = DATA + 8;
	regs.rflags |= EFLAGS_DF;
	assert_true(emul_run("\xf3\x6d", 2));
	assert_int_equal(regs.rip, CODE);
	assert_int_equal(regs.gpr[ECX], UINT32_MAX);
	assert_int_equal(regs.gpr[EDI], DATA + 4);
	regs.gpr[ECX] = 0x500000000;
	RUNS("\xf3\x67\x6c");			/* ecx is 0, and nothing changes */
	assert_int_equal(regs.gpr[ECX], 0x500000000);
	regs.gpr[EDI] = BAD;
	RAISES("\x6c", VEC_GP);
	regs.gpr[ESI] = BAD - 2;		/* across the end */
	RAISES("\x6f", VEC_GP);
}

/* RDMSR and WRMSR, of EDX:EAX. */
static uint64_t read_msr(uint32_t nr)
{
	regs.gpr[ECX] = nr;
	regs.gpr[EAX] = regs.gpr[EDX] = UINT64_MAX;
	RUNS("\x0f\x32");
	assert_int_equal((regs.gpr[EAX] | regs.gpr[EDX]) >> 32, 0);
	return regs.gpr[EDX] << 32 | regs.gpr[EAX];
}

static bool write_msr(uint32_t nr, uint64_t val)
{
	regs.gpr[ECX] = nr;
	regs.gpr[EAX] = (uint32_t)val;
	regs.gpr[EDX] = val >> 32;
	return emul_run("\x0f\x30", 2);
}

static void test_msrs(void **state)
{
	static const uint32_t addresses[] = {
		MSR_LSTAR, MSR_CSTAR, MSR_FS_BASE, MSR_GS_BASE,
		MSR_KERNEL_GS_BASE, 0x175, 0x176
	};
	uint32_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(addresses); i++) {
		assert_true(write_msr(addresses[i], HIGH + i));
		assert_int_equal(read_msr(addresses[i]), HIGH + i);
		assert_false(write_msr(addresses[i], BAD));
		assert_false(write_msr(addresses[i], ~BAD));
		assert_int_equal(read_msr(addresses[i]), HIGH + i);
	}
	assert_int_equal(fs_base, HIGH + 2);
	assert_int_equal(gs_base, HIGH + 3);
	/* of one that is off they are not the processor's */
	current = NULL;
	v->fs_base = 4;
	v->gs_base = 5;
	assert_int_equal(read_msr(MSR_FS_BASE), 4);
	assert_int_equal(read_msr(MSR_GS_BASE), 5);
	current = v;
	assert_true(write_msr(MSR_STAR, 0x23001000000000));
	CALLED("syscall", 0, 0);
	assert_int_equal(read_msr(MSR_STAR), 0x23001000000000);
	assert_true(write_msr(MSR_FMASK, 0x47700));
	assert_int_equal(read_msr(MSR_FMASK), 0x47700);
	CALLED("fmask", 0x47700, 0);
	assert_false(write_msr(MSR_FMASK, 1ull << 32));
	assert_false(write_msr(0xc0000103, 0));
}

static void test_efer(void **state)
{
	(void)state;
	assert_int_equal(read_msr(MSR_EFER), EFER_LME | EFER_LMA | EFER_NXE);
	assert_true(write_msr(MSR_EFER, EFER_LME | EFER_SCE));
	CALLED("efer", EFER_LME | EFER_LMA | EFER_SCE, 0);
	assert_int_equal(read_msr(MSR_EFER), EFER_LME | EFER_LMA | EFER_SCE);
	assert_false(write_msr(MSR_EFER, EFER_SCE));		/* LME */
	assert_false(write_msr(MSR_EFER, EFER_LME | 1 << 12));	/* SVME */
	assert_int_equal(read_msr(MSR_EFER), EFER_LME | EFER_LMA | EFER_SCE);
}

/* What a 32-bit guest has not. */
static void test_msrs_of_32_bits(void **state)
{
	(void)state;
	v->wide = false;
	emul_gdt[12] = 0x00cfbb000000ffff;
	assert_false(write_msr(MSR_LSTAR, 0));
	assert_false(write_msr(MSR_FS_BASE, 0));
	regs.gpr[ECX] = MSR_GS_BASE;
	REFUSES("\x0f\x32");
	assert_true(write_msr(0x175, 0x123456789a));
	assert_int_equal(read_msr(0x175), 0x3456789a);
	assert_false(write_msr(MSR_EFER, EFER_LME));
}

static void test_swapgs(void **state)
{
	(void)state;
	gs_base = 0x7f0000001000;
	shared64(v)->other_gs = HIGH;
	RUNS("\x0f\x01\xf8");
	assert_int_equal(gs_base, HIGH);
	assert_int_equal(shared64(v)->other_gs, 0x7f0000001000);
	shared64(v)->other_gs = BAD;
	REFUSES("\x0f\x01\xf8");
	regs.cs = USER_CS;
	REFUSES("\x0f\x01\xf8");
}

static void test_access_flag(void **state)
{
	(void)state;
	RUNS("\x0f\x01\xcb");			/* stac */
	assert_int_equal(regs.rflags, 0x202 | EFLAGS_AC);
	RUNS("\x0f\x01\xca");
	assert_int_equal(regs.rflags, 0x202);
	/* by #UD, which they raise, and nothing else does */
	memcpy(memory + regs.rip, "\x0f\x01\xcb", 3);
	assert_true(emulate_undefined(v));
	assert_int_equal(regs.rflags, 0x202 | EFLAGS_AC);
	memcpy(memory + regs.rip, "\x0f\x01\xf8", 3);
	assert_false(emulate_undefined(v));
	memcpy(memory + regs.rip, "\x0f\x01\xca", 3);
	regs.cs = USER_CS;
	last.name = "";
	assert_false(emulate_undefined(v));
	assert_string_equal(last.name, "");
}

static void test_invalidation(void **state)
{
	(void)state;
	regs.gpr[12] = HIGH;
	RUNS("\x41\x0f\x01\x3c\x24");		/* invlpg [r12] */
	CALLED("inval", HIGH, 0);
	v->mmu.guest_last = UINT32_MAX;		/* nobody tells of changes */
	RUNS("\x41\x0f\x01\x3c\x24");
	CALLED("flush", 0, 0);
	put(DATA, 0);
	put(DATA + 8, HIGH);
	regs.gpr[EBX] = DATA;
	for (regs.gpr[EAX] = 0; regs.gpr[EAX] < 4; regs.gpr[EAX]++) {
		last.name = "";
		RUNS("\x66\x0f\x38\x82\x03");
		CALLED("flush", 0, 0);
	}
	REFUSES("\x66\x0f\x38\x82\x03");
	regs.gpr[EAX] = 0;
	put(DATA + 8, BAD);
	REFUSES("\x66\x0f\x38\x82\x03");
	put(DATA, 1);
	regs.gpr[EAX] = 1;
	REFUSES("\x66\x0f\x38\x82\x03");
	regs.gpr[EBX] = UNMAPPED - 8;
	FAULTS("\x66\x0f\x38\x82\x03", UNMAPPED, 0);
}

static void test_waiting(void **state)
{
	(void)state;
	RUNS("\x0f\x01\xc8");			/* monitor */
	RUNS("\x0f\x01\xc9");			/* mwait ends at once */
	assert_int_equal(last.calls, 0);
	RUNS("\xfb\xf4");
	CALLED("halt", 0, 0);
}

#define XSETBV	"\x0f\x01\xd1"

static void test_xsetbv(void **state)
{
	(void)state;
	regs.gpr[EAX] = 1;
	regs.gpr[ECX] = 0xdead00000000;
	RAISES(XSETBV, VEC_UD);
	v->cr4 |= CR4_OSXSAVE;
	regs.gpr[EAX] = 0xdead00000007;
	regs.gpr[EDX] = 0xdead00000001;
	RUNS(XSETBV);
	CALLED("xcr0", 0x100000007, 0);
	regs.gpr[EAX] = 6;
	REFUSES(XSETBV);
	regs.gpr[EAX] = 7;
	regs.gpr[ECX] = 1;
	REFUSES(XSETBV);
}

static void test_stack_segment(void **state)
{
	(void)state;
	regs.gpr[EAX] = KERNEL_SS;
	regs.ss = 1;
	RUNS("\x8e\xd0");			/* mov ss, eax */
	assert_int_equal(regs.ss, KERNEL_SS | 1);
	regs.gpr[EAX] = 0;			/* null, as a gate leaves it */
	RUNS("\x8e\xd0");
	assert_int_equal(regs.ss, 1);
	regs.gpr[EAX] = KERNEL_CS;
	REFUSES("\x8e\xd0");
	regs.gpr[EAX] = USER_SS;
	REFUSES("\x8e\xd0");
	regs.gpr[EAX] = USER_SS & ~3;
	REFUSES("\x8e\xd0");
	put(DATA, HIGH);
	put(DATA + 8, KERNEL_SS);
	regs.gpr[EBX] = DATA;
	RUNS("\x48\x0f\xb2\x23");		/* lss rsp, [rbx] */
	assert_int_equal(regs.rsp, HIGH);
	assert_int_equal(regs.ss, KERNEL_SS | 1);
	put(DATA + 4, KERNEL_SS);
	RUNS("\x0f\xb2\x23");			/* lss esp, [rbx] */
	assert_int_equal(regs.rsp, (uint32_t)HIGH);
	put(DATA + 4, USER_SS);
	REFUSES("\x0f\xb2\x23");
}

static void test_far_returns(void **state)
{
	(void)state;
	put(DATA + 0x800, HIGH);
	put(DATA + 0x808, KERNEL_CS);
	assert_true(emul_run("\x48\xca\x08\x00", 4));	/* lretq 8 */
	assert_int_equal(regs.rip, HIGH);
	assert_int_equal(regs.cs, KERNEL_CS | 1);
	assert_int_equal(regs.rsp, DATA + 0x818);
	regs.rip = CODE;
	regs.rsp = DATA + 0x800;
	put(DATA + 0x808, KERNEL_CS | 1);	/* its fault is its own */
	REFUSES("\x48\xcb");
	put(DATA + 0x808, KERNEL_SS);
	REFUSES("\x48\xcb");
	put(DATA + 0x808, USER_CS & ~3);	/* at ring 1 it is not DPL's */
	REFUSES("\x48\xcb");
	put(DATA + 0x808, KERNEL_CS);
	put(DATA + 0x800, BAD);
	REFUSES("\x48\xcb");
	put(DATA + 0x800, 0x6000001234);	/* of four bytes each */
	assert_true(emul_run("\xcb", 1));
	assert_int_equal(regs.rip, 0x1234);
	assert_int_equal(regs.rsp, DATA + 0x808);
	regs.rip = CODE;
	regs.rsp = UNMAPPED - 8;
	REFUSES("\x48\xcb");
	regs.rsp = BAD - 8;
	REFUSES("\x48\xcb");
}

#define IRETQ	"\x48\xcf"

static void returns(uint64_t cs, uint64_t ss)
{
	regs.rip = CODE;
	put(DATA + 0x808, cs);
	put(DATA + 0x820, ss);
	last.name = "";
	assert_true(emul_run(IRETQ, 2));
	CALLED("iret", DATA + 0x800, 0);
}

static void test_iret(void **state)
{
	(void)state;
	polls = 0;
	returns(KERNEL_CS, KERNEL_SS);
	/* CS was read where it runs, SS is of a structure */
	returns(KERNEL_CS | 1, KERNEL_SS);
	returns(KERNEL_CS, 0);
	returns(USER_CS, 0);
	assert_int_equal(polls, 4);
	regs.rip = CODE;
	put(DATA + 0x820, KERNEL_SS | 1);	/* it does that alone */
	REFUSES(IRETQ);
	put(DATA + 0x820, KERNEL_SS);
	REFUSES("\xcf");
	REFUSES("\x66\xcf");
	regs.rflags |= EFLAGS_NT;
	REFUSES(IRETQ);
	regs.rflags &= ~(uint64_t)EFLAGS_NT;
	/* in the ROM, of which there is a copy */
	v->rom->base = LONG_TOP;
	v->rom->end = LONG_TOP + 2;
	v->rom->image = (uint8_t *)IRETQ;
	regs.rip = LONG_TOP;
	last.name = "";
	assert_true(emulate(v));
	CALLED("iret", DATA + 0x800, 0);
	regs.rip = LONG_TOP + 2;		/* behind it */
	assert_false(emulate(v));
	regs.rip = LONG_TOP + 1;
	assert_false(emulate(v));		/* 32 bits, which is not the frame */
	regs.rip = 0xffff878000000000;
	assert_false(emulate(v));
	regs.rip = CODE;
	regs.rsp = UNMAPPED - 32;
	REFUSES(IRETQ);
	regs.rsp = BAD - 8;
	REFUSES(IRETQ);
}

static void test_sysret(void **state)
{
	(void)state;
	v->star = (uint64_t)(USER_CS32 & ~3) << 48;
	regs.gpr[ECX] = 0x7f0000001000;
	regs.gpr[R11] = 0x3202 | EFLAGS_RF | EFLAGS_NT;
	regs.rsp = 0x7fff00000000;
	RAISES("\x48\x0f\x07", VEC_UD);		/* EFER.SCE */
	v->efer |= EFER_SCE;
	assert_true(emul_run("\x48\x0f\x07", 3));
	assert_int_equal(regs.rip, 0x7f0000001000);
	assert_int_equal(regs.cs, USER_CS);
	assert_int_equal(regs.ss, USER_SS);
	assert_int_equal(regs.rsp, 0x7fff00000000);
	assert_int_equal(regs.rflags, 0x202);
	assert_int_equal(shared.flags, STUB_IF);
	regs.rip = CODE;
	REFUSES("\x48\x0f\x07");		/* of a user */
	regs.cs = KERNEL_CS | 1;
	regs.gpr[ECX] = BAD;
	REFUSES("\x48\x0f\x07");
	regs.gpr[ECX] = 0xf00001234;
	assert_true(emul_run("\x0f\x07", 2));
	assert_int_equal(regs.rip, 0x1234);
	assert_int_equal(regs.cs, USER_CS32);
	regs.rip = CODE;
	regs.cs = KERNEL_CS | 1;
	v->star = (uint64_t)KERNEL_CS << 48;
	REFUSES("\x0f\x07");
	REFUSES("\x48\x0f\x07");
}

static void test_sysexit(void **state)
{
	(void)state;
	v->sysenter_cs = 0x60;			/* +16, +24; +32, +40 */
	emul_gdt[16] = 0x00affb000000ffff;
	emul_gdt[17] = emul_gdt[15];
	regs.gpr[EDX] = 0x7f0000001000;
	regs.gpr[ECX] = 0x7fff00000000;
	assert_true(emul_run("\x48\x0f\x35", 3));
	assert_int_equal(regs.rip, 0x7f0000001000);
	assert_int_equal(regs.cs, 0x83);
	assert_int_equal(regs.rsp, 0x7fff00000000);
	assert_int_equal(regs.ss, 0x8b);
	regs.rip = CODE;
	regs.cs = KERNEL_CS | 1;
	assert_true(emul_run("\x0f\x35", 2));
	assert_int_equal(regs.rip, 0x1000);
	assert_int_equal(regs.cs, USER_CS32);
	assert_int_equal(regs.rsp, 0);
	assert_int_equal(regs.ss, USER_SS);
	regs.rip = CODE;
	regs.cs = KERNEL_CS | 1;
	v->sysenter_cs = 0;
	REFUSES("\x48\x0f\x35");
}

/* 32-bit code of a user: there are segments, and 32 bits. */
static void test_compatibility_mode(void **state)
{
	(void)state;
	regs.cs = USER_CS32;
	v->iopl = EFLAGS_IOPL;
	regs.gpr[EDI] = DATA + 0x100;
	cpu.es = USER_SS;
	emul_gdt[15] |= 0x200ull << 16;		/* its base */
	port_value = 0x12;
	RUNS("\x6c");				/* insb */
	assert_int_equal(memory[DATA + 0x300], 0x12);
	RUNS("\x66\x6d");			/* what were REX is not */
	REFUSES("\xfa");
	regs.error = 0x21 * 8 + 2;
	RUNS("\xcd\x21");
	CALLED("int", 0x21, 2);
	regs.cs = USER_CS;
	RUNS("\x6c");				/* 64-bit code again: flat */
}

/* From the kernel and from user mode; at a VMCALL which is refused nothing has
 * changed. */
static void test_hypervisor_calls(void **state)
{
	static const char *const insn[] = { "\x0f\x01\xc1", "\x0f\x01\xd9" };
	const uint32_t user = USER_CS;
	uint32_t i;

	(void)state;
	for (i = 0; i < 4; i++) {
		regs.cs = i < 2 ? regs.cs : user;
		vmcall_refused = false;
		memcpy(memory + (uint32_t)regs.rip, insn[i % 2], 3);
		assert_true(emulate_undefined(v));
		CALLED("vmcall", 3, true);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		WIDE_TEST(test_operands),
		WIDE_TEST(test_not_canonical),
		WIDE_TEST(test_control_registers),
		WIDE_TEST(test_task_priority),
		WIDE_TEST(test_debug_registers),
		WIDE_TEST(test_registers_of_32_bits),
		WIDE_TEST(test_string_io),
		WIDE_TEST(test_msrs),
		WIDE_TEST(test_efer),
		WIDE_TEST(test_msrs_of_32_bits),
		WIDE_TEST(test_swapgs),
		WIDE_TEST(test_access_flag),
		WIDE_TEST(test_invalidation),
		WIDE_TEST(test_waiting),
		WIDE_TEST(test_xsetbv),
		WIDE_TEST(test_stack_segment),
		WIDE_TEST(test_far_returns),
		WIDE_TEST(test_iret),
		WIDE_TEST(test_sysret),
		WIDE_TEST(test_sysexit),
		WIDE_TEST(test_compatibility_mode),
		WIDE_TEST(test_hypervisor_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

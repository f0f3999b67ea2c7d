// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulator's way to devices, by IN, OUT and the local APIC's page: operands
 * in registers and in the guest's memory, whose faults are the guest's, and who
 * may use which port. And how an instruction is fetched and counted.
 */
#include "emul.h"

static void test_port_io(void **state)
{
	(void)state;
	port_value = 0xaabbccdd;
	RUNS("\xe4\x21");
	CALLED("in", 0x21, 1);
	assert_int_equal(regs.gpr[EAX], 0x111111dd);
	RUNS("\x66\xe5\x40");
	CALLED("in", 0x40, 2);
	assert_int_equal(regs.gpr[EAX], 0x1111ccdd);
	RUNS("\xed");
	CALLED("in", 0x3333, 4);
	assert_int_equal(regs.gpr[EAX], 0xaabbccdd);
	RUNS("\xe6\x80");
	CALLED("out", 0x80, 0xaabbccdd);
	RUNS("\xef");
	CALLED("out", 0x3333, 0xaabbccdd);
}

static void test_string_io(void **state)
{
	(void)state;
	port_value = 0x41424344;
	regs.gpr[ECX] = 2;
	regs.gpr[EDI] = DATA;
	/* rep insb: the first element leaves eip where it is */
	assert_true(emul_run("\xf3\x6c", 2));
	assert_int_equal(regs.rip, CODE);
	assert_int_equal(regs.gpr[ECX], 1);
	assert_true(emul_run("\xf3\x6c", 2));
	assert_int_equal(regs.rip, CODE + 2);
	assert_int_equal(regs.gpr[ECX], 0);
	assert_int_equal(regs.gpr[EDI], DATA + 2);
	assert_memory_equal(memory + DATA, "\x44\x44\x90", 3);
	/* with ecx 0 nothing happens */
	last.calls = 0;
	RUNS("\xf3\x6c");
	assert_int_equal(last.calls, 0);
	/* outsd, downwards */
	regs.gpr[ESI] = DATA;
	regs.rflags |= EFLAGS_DF;
	RUNS("\x6f");
	CALLED("out", 0x3333, 0x90904444);
	assert_int_equal(regs.gpr[ESI], DATA - 4);
	/* faults */
	regs.gpr[EDI] = UNMAPPED;
	FAULTS("\x6c", UNMAPPED, PF_W);
	regs.gpr[ESI] = UNMAPPED;
	FAULTS("\x6e", UNMAPPED, 0);
}

/* What the device does not take now the guest executes again. */
#define IS_PUT_OFF(bytes) do {						\
		struct regs before = regs;				\
		struct vcpu_stats stats = v->stats;			\
									\
		last.calls = 0;						\
		assert_true(emul_run(bytes, sizeof(bytes) - 1));	\
		assert_int_equal(last.calls, 1);			\
		assert_memory_equal(&before, &regs, sizeof(regs));	\
		assert_memory_equal(&stats, &v->stats, sizeof(stats));	\
	} while (0)

static void test_busy_port(void **state)
{
	(void)state;
	port_busy = true;
	regs.gpr[ECX] = 2;
	regs.gpr[ESI] = DATA;
	memcpy(memory + DATA, "ab", 2);
	IS_PUT_OFF("\xee");
	IS_PUT_OFF("\x6e");
	IS_PUT_OFF("\xf3\x6e");
	port_busy = false;
	assert_true(emul_run("\xf3\x6e", 2));
	CALLED("out", 0x3333, 'a');
	assert_int_equal(regs.gpr[ECX], 1);
	port_busy = true;
	IS_PUT_OFF("\xf3\x6e");
	CALLED("out", 0x3333, 'b');
	port_busy = false;
	RUNS("\xf3\x6e");
	assert_int_equal(regs.gpr[ECX], 0);
	assert_int_equal(regs.gpr[ESI], DATA + 2);
	assert_int_equal(guest.vcpu[0].stats.emulated[INSN_OUTS], 2);
}

static void test_user_io(void **state)
{
	(void)state;
	regs.cs = 0x73;
	REFUSES("\xe4\x21");
	v->iopl = EFLAGS_IOPL;
	RUNS("\xe4\x21");
	v->iopl = 0;
	/* a TSS with its bitmap at 68h: ports 0-7 but 5 */
	v->tss_base = DATA;
	v->tss_limit = 0x68 + 2;
	memcpy(memory + DATA + 102, "\x68\x00\x20\xff\x00\x00", 6);
	RUNS("\xe4\x04");
	REFUSES("\xe4\x05");
	REFUSES("\x66\xe5\x04");
	REFUSES("\xe4\x10");	/* beyond the limit */
	/* one that ends within the word that says where the bitmap is */
	memset(memory + DATA, 0, 104);
	v->tss_limit = 102;
	REFUSES("\xe4\x04");
	v->tss_limit = 103;
	RUNS("\xe4\x04");
	v->tr = 0;
	REFUSES("\xe4\x04");
}

static void test_user_string_io_is_a_user_access(void **state)
{
	(void)state;
	regs.cs = 0x73;
	v->iopl = EFLAGS_IOPL;
	regs.gpr[EDI] = CODE + 0x800;
	last.calls = 0;
	FAULTS("\x6c", CODE + 0x800, PF_P | PF_W | PF_U);
	assert_int_equal(last.calls, 1);	/* the port was left alone */
	regs.gpr[EDI] = UNMAPPED;
	FAULTS("\x6c", UNMAPPED, PF_W | PF_U);
	regs.gpr[ESI] = CODE + 0x800;
	FAULTS("\x6e", CODE + 0x800, PF_P | PF_U);
	/* across the end of what is mapped */
	regs.gpr[EDI] = UNMAPPED - 2;
	FAULTS("\x6d", UNMAPPED, PF_W | PF_U);
	regs.gpr[EDI] = DATA + 0x100;
	RUNS("\x6c");
}

static enum bus_result load(void *opaque, uint64_t at, uint32_t *val)
{
	(void)opaque;
	*val = apic_read(&guest.apic[0], at - APIC_BASE, 0);
	return BUS_DONE;
}

static enum bus_result store(void *opaque, uint64_t at, uint32_t val)
{
	struct apic_message m;

	(void)opaque;
	apic_write(&guest.apic[0], at - APIC_BASE, val, 0, &m);
	return BUS_DONE;
}

static void test_apic_page(void **state)
{
	const struct bus_region page = {
		APIC_BASE, PAGE_SIZE, 4, load, store, NULL
	};

	(void)state;
	apic_init(&guest.apic[0], 0, 1000000000);
	assert_true(bus_add(&guest.bus.memory, &page));
	memcpy(memory + CODE, "\xa1\x30\x00\xe0\xfe", 5);	/* mov eax, [] */
	assert_true(emulate_mmio(v, APIC_BASE + APIC_VERSION));
	assert_int_equal(regs.gpr[EAX], 0x50014);
	assert_int_equal(regs.rip, CODE + 5);
	regs.rip = CODE;
	regs.error = PF_W;
	memcpy(memory + CODE, "\x89\x13", 2);			/* [ebx], edx */
	regs.gpr[EDX] = 0x77;
	assert_true(emulate_mmio(v, APIC_BASE + APIC_TPR));
	assert_int_equal(apic_read(&guest.apic[0], APIC_TPR, 0), 0x77);
	regs.rip = CODE;
	memcpy(memory + CODE, "\xc7\x03\x55\x00\x00\x00", 6);
	assert_true(emulate_mmio(v, APIC_BASE + APIC_TPR));
	assert_int_equal(apic_read(&guest.apic[0], APIC_TPR, 0), 0x55);
	assert_int_equal(regs.rip, CODE + 6);
	/* nobody there */
	regs.rip = CODE;
	assert_false(emulate_mmio(v, APIC_BASE + PAGE_SIZE));
	assert_int_equal(regs.rip, CODE);
	/* 16 bits, 8 bits, another instruction, user mode */
	regs.rip = CODE;
	regs.error = 0;
	memcpy(memory + CODE, "\x66\x8b\x13", 3);
	assert_false(emulate_mmio(v, APIC_BASE + APIC_TPR));
	memcpy(memory + CODE, "\x8a\x13", 2);
	assert_false(emulate_mmio(v, APIC_BASE + APIC_TPR));
	memcpy(memory + CODE, "\x01\x13", 2);
	assert_false(emulate_mmio(v, APIC_BASE + APIC_TPR));
	memcpy(memory + CODE, "\xa5", 1);		/* movsd */
	regs.gpr[EDI] = UNMAPPED;
	last.calls = 0;
	assert_false(emulate_mmio(v, APIC_BASE + APIC_TPR));
	assert_int_equal(last.calls, 0);
	memcpy(memory + CODE, "\x8b\x13", 2);
	regs.cs = 0x73;
	assert_false(emulate_mmio(v, APIC_BASE + APIC_TPR));
	assert_int_equal(regs.rip, CODE);
}

/* Another vCPU has written the store since it was something else that faulted; who is
 * user may not be allowed to store there. */
static void test_store_that_did_not_fault(void **state)
{
	static const char *const stores[] = {
		"\x89\x13\x90\x90\x90", "\xc7\x03\x55\x00\x00\x00",
	};
	const struct bus_region page = {
		APIC_BASE, PAGE_SIZE, 4, load, store, NULL
	};
	uint32_t i;

	(void)state;
	apic_init(&guest.apic[0], 0, 1000000000);
	assert_true(bus_add(&guest.bus.memory, &page));
	regs.gpr[EDX] = 0x77;
	for (i = 0; i < ARRAY_SIZE(stores); i++) {
		memcpy(memory + CODE, stores[i], 6);
		assert_true(emulate_mmio(v, APIC_BASE + APIC_TPR));
		assert_int_equal(apic_read(&guest.apic[0], APIC_TPR, 0), 0);
		assert_int_equal(regs.rip, CODE);
	}
}

static enum bus_result all_ones(struct vcpu *of, struct access *a)
{
	(void)of;
	a->value = UINT64_MAX;
	return BUS_DONE;
}

/* What was claimed and nobody answers reads as ones, as many as are asked for. */
static void test_ones(void **state)
{
	static const struct {
		const char	*text;
		uint64_t	eax;
	} loads[] = {
		{ "\x0f\xb6\x03", 0xff },		/* movzx eax, byte [ebx] */
		{ "\x0f\xb7\x03", 0xffff },		/* word */
		{ "\x66\x0f\xb6\x03", 0x123400ff },	/* movzx ax, byte */
		{ "\x0f\xbe\x03", 0xffffffff },	/* movsx */
		{ "\x8a\x03\x90", 0x123456ff },
		{ "\x8b\x03\x90", 0xffffffff },
	};
	uint32_t i;

	(void)state;
	v->ask = all_ones;
	for (i = 0; i < ARRAY_SIZE(loads); i++) {
		memcpy(memory + CODE, loads[i].text, 4);
		regs.rip = CODE;
		regs.gpr[EAX] = 0x12345678;
		regs.gpr[EBX] = MMIO;
		assert_true(emulate_mmio(v, MMIO));
		assert_int_equal(regs.gpr[EAX], loads[i].eax);
		assert_int_not_equal(regs.rip, CODE);
	}
	v->ask = NULL;
}

static struct access asked_for;
static enum bus_result answer;

static enum bus_result device(struct vcpu *of, struct access *a)
{
	(void)of;
	asked_for = *a;
	if (!a->write)
		a->value = 0x0807060504030201;
	return answer;
}

/* What it does to a device's memory; esi, edi and ecx are these, then those. */
#define STRING(bytes, writes, esi, edi, ecx, esi_, edi_, ecx_) do {	\
		memcpy(memory + CODE, bytes, sizeof(bytes));		\
		regs.rip = CODE;					\
		regs.error = (writes) ? PF_W : 0;			\
		regs.gpr[ESI] = (esi);					\
		regs.gpr[EDI] = (edi);					\
		regs.gpr[ECX] = (ecx);					\
		assert_true(emulate_mmio(v, MMIO));			\
		assert_int_equal(asked_for.at, MMIO);			\
		assert_int_equal(asked_for.write, writes);		\
		assert_int_equal(regs.gpr[ESI], esi_);			\
		assert_int_equal(regs.gpr[EDI], edi_);			\
		assert_int_equal(regs.gpr[ECX], ecx_);			\
	} while (0)

static void test_string_memory(void **state)
{
	(void)state;
	v->ask = device;
	answer = BUS_DONE;
	memcpy(memory + DATA, "abcdefgh", 8);
	STRING("\xf3\xa5", true, DATA, MMIO, 2, DATA + 4, MMIO + 4, 1);
	assert_int_equal(regs.rip, CODE);
	assert_int_equal(asked_for.size, 4);
	assert_int_equal(access_value(&asked_for), 0x64636261);
	STRING("\xf3\xa5", true, DATA + 4, MMIO, 1, DATA + 8, MMIO + 4, 0);
	assert_int_equal(regs.rip, CODE + 2);
	assert_int_equal(access_value(&asked_for), 0x68676665);
	STRING("\xa4", false, MMIO, DATA, 9, MMIO + 1, DATA + 1, 9);
	assert_int_equal(regs.rip, CODE + 1);
	assert_memory_equal(memory + DATA, "\1bcd", 4);
	regs.rflags |= EFLAGS_DF;
	STRING("\x66\xa5", false, MMIO, DATA + 2, 9, MMIO - 2, DATA, 9);
	assert_memory_equal(memory + DATA, "\1b\1\2", 4);
	regs.gpr[EAX] = 0x12345678;
	STRING("\xf3\xaa", true, 7, MMIO, 3, 7, MMIO - 1, 2);
	assert_int_equal(access_value(&asked_for), 0x78);
	STRING("\xad", false, MMIO, 7, 9, MMIO - 4, 7, 9);
	assert_int_equal(regs.gpr[EAX], 0x04030201);
	assert_int_equal(guest.vcpu[0].stats.emulated[INSN_MOVS], 4);

	/* nothing is left, or it is not what has faulted */
	asked_for.at = MMIO;
	asked_for.write = true;
	STRING("\xf3\xaa", true, 7, MMIO, 0, 7, MMIO, 0);
	STRING("\xad", true, MMIO, 7, 9, MMIO, 7, 9);
	assert_int_equal(regs.rip, CODE);
	v->ask = NULL;
}

/* A request is carried out again when it is answered; what is no device is touched
 * before it is made. */
static void test_string_request(void **state)
{
	(void)state;
	v->ask = device;
	answer = BUS_AGAIN;
	memcpy(memory + DATA, "abcd", 4);
	STRING("\xf3\xa5", false, MMIO, DATA, 2, MMIO, DATA, 2);
	assert_memory_equal(memory + DATA, "abcd", 4);
	v->request.access = asked_for;
	v->request.access.value = 0x7a797877;
	v->request.state = REQUEST_ANSWERED;
	emulate_answered(v);
	assert_memory_equal(memory + DATA, "wxyz", 4);
	assert_int_equal(regs.gpr[ECX], 1);
	assert_int_equal(regs.rip, CODE);
	assert_int_equal(v->request.state, REQUEST_NONE);
	STRING("\xf3\xa5", true, DATA, MMIO, 1, DATA, MMIO, 1);
	v->request.access = asked_for;
	v->request.state = REQUEST_ANSWERED;
	emulate_answered(v);
	assert_int_equal(regs.gpr[ECX], 0);
	assert_int_equal(regs.rip, CODE + 2);

	/* what was written is gone meanwhile */
	STRING("\xf3\xa5", true, DATA, MMIO, 2, DATA, MMIO, 2);
	v->request.access = asked_for;
	v->request.state = REQUEST_ANSWERED;
	regs.gpr[ESI] = UNMAPPED;
	emulate_answered(v);
	assert_int_equal(regs.gpr[ESI], UNMAPPED + 4);
	assert_int_equal(regs.gpr[ECX], 1);
	assert_int_equal(v->request.state, REQUEST_NONE);

	/* who looks into the guest wants no more of it */
	STRING("\xf3\xa5", false, MMIO, DATA, 2, MMIO, DATA, 2);
	v->request.access = asked_for;
	v->request.state = REQUEST_ANSWERED;
	regs.gpr[ECX] = 0;
	emulate_answered(v);
	assert_int_equal(regs.gpr[ECX], 0);
	assert_int_equal(regs.rip, CODE);
	v->request.state = REQUEST_NONE;

	asked_for.at = MMIO;
	asked_for.write = false;
	STRING("\xa5", false, MMIO, UNMAPPED, 9, MMIO, UNMAPPED, 9);
	assert_int_equal(v->request.state, REQUEST_NONE);
	CALLED("#PF", UNMAPPED, PF_W);
	v->ask = NULL;
}

static void test_fetch(void **state)
{
	(void)state;
	/* across a page boundary */
	regs.rip = DATA - 1;
	RUNS("\xe4\x21");
	/* up to the last byte that is mapped */
	regs.rip = UNMAPPED - 1;
	RUNS("\xfa");
	/* and beyond it */
	regs.rip = UNMAPPED - 1;
	memory[UNMAPPED - 1] = 0xe4;
	assert_false(emulate(v));
	regs.rip = UNMAPPED;
	assert_false(emulate(v));
	/* in the ROM, from its working copy */
	v->rom->base = 0xfc000000;
	v->rom->end = 0xfc000000 + 2;
	guest.rom.image = (uint8_t *)"\xf4\xe4\x21";
	regs.rip = 0xfc000000;
	assert_true(emulate(v));
	assert_int_equal(regs.rip, 0xfc000001);
	assert_false(emulate(v));	/* cut off by the image's end */
	regs.rip = 0xfc000010;
	assert_false(emulate(v));
}

static void test_counts(void **state)
{
	(void)state;
	RUNS("\xe4\x21");
	RUNS("\xe4\x21");
	RUNS("\xfa");
	assert_int_equal(guest.vcpu[0].stats.emulated[INSN_IN], 2);
	assert_int_equal(guest.vcpu[0].stats.emulated[INSN_CLI], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EMUL_TEST(test_port_io),
		EMUL_TEST(test_string_io),
		EMUL_TEST(test_busy_port),
		EMUL_TEST(test_user_io),
		EMUL_TEST(test_user_string_io_is_a_user_access),
		EMUL_TEST(test_apic_page),
		EMUL_TEST(test_store_that_did_not_fault),
		EMUL_TEST(test_ones),
		EMUL_TEST(test_string_memory),
		EMUL_TEST(test_string_request),
		EMUL_TEST(test_fetch),
		EMUL_TEST(test_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

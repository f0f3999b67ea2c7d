// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulator: each instruction that a deprivileged kernel may run changes
 * what it must and nothing else; one that faults, or is not allowed, changes
 * nothing at all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <cpu.h>

#include "core.h"

#define MEMORY		0x4000u
#define CODE		0x1000u
#define DATA		0x2000u		/* the last mapped page ends at 3000h */
#define UNMAPPED	0x3000u

static struct guest guest;
static struct vcpu *v;
static struct regs regs;
static struct stub_shared shared;
static uint8_t memory[MEMORY];
static uint64_t gdt[GDT_ENTRIES];

/* What was called last, and with what. */
static struct {
	const char	*name;
	uint32_t	a, b;
	int		calls;
} last;
static uint32_t port_value;
static bool port_busy;

static void called(const char *name, uint32_t a, uint32_t b)
{
	last.name = name;
	last.a = a;
	last.b = b;
	last.calls++;
}

/* ---- what the emulator calls ------------------------------------------------ */

bool guest_read(struct mmu *m, void *dst, gva_t va, uint32_t len)
{
	(void)m;
	if (va >= UNMAPPED || va + len > UNMAPPED)
		return false;
	memcpy(dst, memory + va, len);
	return true;
}

bool guest_write(struct mmu *m, gva_t va, const void *src, uint32_t len)
{
	(void)m;
	if (va >= UNMAPPED || va + len > UNMAPPED)
		return false;
	memcpy(memory + va, src, len);
	return true;
}

/* The linker calls these instead (tests.mk). */
enum bus_result __real_bus_read(const struct bus_space *s, uint64_t at,
				unsigned int size, uint32_t *val);
enum bus_result __wrap_bus_read(const struct bus_space *s, uint64_t at,
				unsigned int size, uint32_t *val);
enum bus_result __wrap_bus_read(const struct bus_space *s, uint64_t at,
				unsigned int size, uint32_t *val)
{
	if (s == &guest.bus.memory)
		return __real_bus_read(s, at, size, val);
	called("in", at, size);
	*val = port_value;
	return BUS_DONE;
}

enum bus_result __real_bus_write(const struct bus_space *s, uint64_t at,
				 unsigned int size, uint32_t val);
enum bus_result __wrap_bus_write(const struct bus_space *s, uint64_t at,
				 unsigned int size, uint32_t val);
enum bus_result __wrap_bus_write(const struct bus_space *s, uint64_t at,
				 unsigned int size, uint32_t val)
{
	if (s == &guest.bus.memory)
		return __real_bus_write(s, at, size, val);
	called("out", at, val);
	return port_busy ? BUS_AGAIN : BUS_DONE;
}

void cr0_write(struct vcpu *vcpu, uint32_t val)
{
	vcpu->cr0 = val;
	called("cr0", val, 0);
}

void cr3_write(struct vcpu *vcpu, uint32_t val)
{
	(void)vcpu;
	called("cr3", val, 0);
}

void cr4_write(struct vcpu *vcpu, uint32_t val)
{
	(void)vcpu;
	called("cr4", val, 0);
}

void dr_write(struct vcpu *vcpu, uint32_t nr, uint32_t val)
{
	(void)vcpu;
	called("dr", nr, val);
}

void desc_load_gdt(struct vcpu *vcpu, gva_t base, uint32_t limit)
{
	(void)vcpu;
	called("gdt", base, limit);
}

void desc_load_idt(struct vcpu *vcpu, gva_t base, uint32_t limit)
{
	(void)vcpu;
	called("idt", base, limit);
}

bool desc_load_ldt(struct vcpu *vcpu, uint16_t sel)
{
	(void)vcpu;
	called("ldt", sel, 0);
	return sel != 0x66;
}

bool desc_load_tr(struct vcpu *vcpu, uint16_t sel)
{
	(void)vcpu;
	called("tr", sel, 0);
	return sel != 0x66;
}

bool desc_refresh(struct vcpu *vcpu, uint16_t sel)
{
	(void)vcpu, (void)sel;
	return false;
}

uint64_t desc_lookup(struct vcpu *vcpu, uint16_t sel)
{
	(void)vcpu;
	return sel & 4 ? 0 : gdt[sel >> 3];
}

uint32_t desc_base(uint64_t d)
{
	return (d >> 16 & 0xffffff) | (uint32_t)(d >> 56) << 24;
}

void event_page_fault(struct vcpu *vcpu, gva_t va, uint32_t error)
{
	(void)vcpu;
	called("#PF", va, error);
}

static unsigned int polls;

void event_poll(struct vcpu *vcpu)
{
	(void)vcpu;
	polls++;
}

void event_iret(struct vcpu *vcpu, gva_t frame, bool from_rom)
{
	(void)vcpu;
	called("iret", frame, from_rom);
}

void event_soft_int(struct vcpu *vcpu, int vector, uint32_t length)
{
	(void)vcpu;
	called("int", vector, length);
}

void event_exception_error(struct vcpu *vcpu, int vector, uint32_t error)
{
	(void)vcpu;
	called("exception", vector, error);
}

bool event_sysenter(struct vcpu *vcpu)
{
	called("sysenter", 0, 0);
	if (!vcpu->sysenter_cs)
		return false;
	vcpu->regs->eip = vcpu->sysenter_eip;
	return true;
}

bool event_sysexit(struct vcpu *vcpu)
{
	called("sysexit", 0, 0);
	if (!vcpu->sysenter_cs)
		return false;
	vcpu->regs->eip = vcpu->regs->gpr[EDX];
	return true;
}

void vcpu_halt(struct vcpu *vcpu)
{
	(void)vcpu;
	called("halt", 0, 0);
}

void queue_drain(struct vcpu *vcpu)
{
	(void)vcpu;
}

void mmu_inval(struct mmu *m, gva_t va)
{
	(void)m;
	called("inval", va, 0);
}

/* Ring 3 may touch nothing below DATA. */
enum fault mmu_fault(struct mmu *m, gva_t va, uint32_t *error, gpa_t *bus)
{
	(void)m, (void)bus;
	if (va < UNMAPPED && (!(*error & PF_U) || va >= DATA))
		return FAULT_FIXED;
	*error |= va < UNMAPPED ? PF_P : 0;
	return FAULT_GUEST;
}

void paging_changed(struct vcpu *vcpu)
{
	(void)vcpu;
}

void mmu_flush(struct mmu *m)
{
	(void)m;
	called("flush", 0, 0);
}

/* ---- running one instruction -------------------------------------------------- */

static int setup(void **state)
{
	(void)state;
	memset(&guest, 0, sizeof(guest));
	memset(memory, 0x90, sizeof(memory));
	memset(&shared, 0, sizeof(shared));
	memset(&last, 0, sizeof(last));
	v = &guest.vcpu;
	v->g = &guest;
	v->mmu.mm = &guest.mm;
	v->bus = &guest.bus;
	v->apic = &guest.apic;
	v->pic = &guest.pic;
	v->rom = &guest.rom;
	v->regs = &regs;
	v->sh = &shared;
	guest.mm.reserved = 0xfc000000;
	v->mmu.guest_last = guest.mm.reserved - 1;
	v->cr0 = 0x80050033;
	v->mmu.cr3 = 0x5000;
	v->cr4 = 0x10;
	v->gdt_base = 0x11223344;
	v->gdt_limit = 0xff;
	v->idt_base = 0x55667788;
	v->idt_limit = 0x7ff;
	v->tr = 0x80;
	memset(gdt, 0, sizeof(gdt));
	gdt[12] = 0x00cfbb000000ffff;
	gdt[13] = 0x00cfb3000000ffff;
	gdt[14] = 0x00cffb000000ffff;
	gdt[15] = 0x00cff3000000ffff;
	cpu.ds = cpu.es = 0x7b;
	cpu.tsc = 0x123456789ab;
	regs = (struct regs){
		.gpr = { 0x11111111, 0x22222222, 0x33333333, 0x44444444, 0,
			 0x55555555, 0x66666666, 0x77777777 },
		.eip = CODE, .cs = 0x61, .eflags = 0x202, .esp = DATA + 0x800,
		.ss = 0x69,
	};
	return 0;
}

static bool run(const char *bytes, size_t len)
{
	memcpy(memory + (uint32_t)regs.eip, bytes, len);
	return emulate(v);
}

/* Emulated, and eip is behind it. */
#define RUNS(bytes)	do {						\
		uint32_t at = regs.eip;					\
									\
		assert_true(run(bytes, sizeof(bytes) - 1));		\
		assert_int_equal(regs.eip, at + sizeof(bytes) - 1);	\
	} while (0)

/* Not emulated, and nothing has changed. */
#define REFUSES(bytes)	do {						\
		struct regs before = regs;				\
									\
		assert_false(run(bytes, sizeof(bytes) - 1));		\
		assert_memory_equal(&before, &regs, sizeof(regs));	\
	} while (0)

/* Carried out as a page fault: eip is still at the instruction. */
#define FAULTS(bytes, va, error) do {					\
		struct regs before = regs;				\
									\
		assert_true(run(bytes, sizeof(bytes) - 1));		\
		assert_memory_equal(&before, &regs, sizeof(regs));	\
		assert_string_equal(last.name, "#PF");			\
		assert_int_equal(last.a, va);				\
		assert_int_equal(last.b, error);			\
	} while (0)

#define CALLED(what, x, y) do {						\
		assert_string_equal(last.name, what);			\
		assert_int_equal(last.a, x);				\
		assert_int_equal(last.b, y);				\
	} while (0)

/* ---- tests ------------------------------------------------------------------------ */

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
	assert_true(run("\xf3\x6c", 2));
	assert_int_equal(regs.eip, CODE);
	assert_int_equal(regs.gpr[ECX], 1);
	assert_true(run("\xf3\x6c", 2));
	assert_int_equal(regs.eip, CODE + 2);
	assert_int_equal(regs.gpr[ECX], 0);
	assert_int_equal(regs.gpr[EDI], DATA + 2);
	assert_memory_equal(memory + DATA, "\x44\x44\x90", 3);
	/* with ecx 0 nothing happens */
	last.calls = 0;
	RUNS("\xf3\x6c");
	assert_int_equal(last.calls, 0);
	/* outsd, downwards */
	regs.gpr[ESI] = DATA;
	regs.eflags |= EFLAGS_DF;
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
		struct vcpu_stats stats = v->stats;					\
									\
		last.calls = 0;						\
		assert_true(run(bytes, sizeof(bytes) - 1));		\
		assert_int_equal(last.calls, 1);			\
		assert_memory_equal(&before, &regs, sizeof(regs));	\
		assert_memory_equal(&stats, &v->stats, sizeof(stats)); \
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
	assert_true(run("\xf3\x6e", 2));
	CALLED("out", 0x3333, 'a');
	assert_int_equal(regs.gpr[ECX], 1);
	port_busy = true;
	IS_PUT_OFF("\xf3\x6e");
	CALLED("out", 0x3333, 'b');
	port_busy = false;
	RUNS("\xf3\x6e");
	assert_int_equal(regs.gpr[ECX], 0);
	assert_int_equal(regs.gpr[ESI], DATA + 2);
	assert_int_equal(guest.vcpu.stats.emulated[INSN_OUTS], 2);
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

static void test_sti_and_hlt(void **state)
{
	(void)state;
	memcpy(memory + CODE, "\xfb\xf4", 2);
	assert_true(emulate(v));
	assert_int_equal(regs.eip, CODE + 2);
	CALLED("halt", 0, 0);
}

static void test_rdtsc(void **state)
{
	(void)state;
	RUNS("\x0f\x31");
	assert_int_equal(regs.gpr[EAX], 0x456789ab);
	assert_int_equal(regs.gpr[EDX], 0x123);
	regs.cs = 0x73;
	REFUSES("\x0f\x31");
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
	assert_int_equal(regs.esp, 0xabcd);
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
	assert_true(run("\x0f\x35", 2));
	assert_int_equal(regs.eip, 0x4321);
	regs.eip = CODE;
	regs.cs = 0x73;
	REFUSES("\x0f\x35");
	assert_true(run("\x0f\x34", 2));
	assert_int_equal(regs.eip, 0x1232);
	regs.eip = CODE;
	v->sysenter_cs = 0;
	REFUSES("\x0f\x34");
	/* the way by #UD: these two instructions and no other */
	memcpy(memory + CODE, "\x0f\x35", 2);
	v->sysenter_cs = 0x60;
	assert_true(emulate_sysenter(v));
	CALLED("exception", VEC_GP, 0);		/* from user mode */
	assert_int_equal(regs.eip, CODE);
	v->sysenter_cs = 0;
	memcpy(memory + CODE, "\x0f\x34", 2);
	assert_true(emulate_sysenter(v));
	CALLED("exception", VEC_GP, 0);
	assert_int_equal(regs.eip, CODE);
	memcpy(memory + CODE, "\x0f\x0b", 2);
	assert_false(emulate_sysenter(v));
	memcpy(memory + CODE, "\xfa", 1);
	assert_false(emulate_sysenter(v));
}

static void test_apic_base(void **state)
{
	(void)state;
	apic_init(&guest.apic);
	regs.gpr[ECX] = 0x1b;
	RUNS("\x0f\x32");
	assert_int_equal(regs.gpr[EAX], 0xfee00900);
	assert_int_equal(regs.gpr[EDX], 0);
	regs.gpr[EAX] = 0xfee00100;
	RUNS("\x0f\x30");
	assert_false(guest.apic.enabled);
	RUNS("\x0f\x32");
	assert_int_equal(regs.gpr[EAX], 0xfee00100);
	regs.gpr[EAX] = 0xfed00900;	/* it does not move */
	REFUSES("\x0f\x30");
}

static enum bus_result load(void *opaque, uint64_t at, uint32_t *val)
{
	(void)opaque;
	*val = apic_read(&guest.apic, at - APIC_BASE);
	return BUS_DONE;
}

static enum bus_result store(void *opaque, uint64_t at, uint32_t val)
{
	(void)opaque;
	apic_write(&guest.apic, at - APIC_BASE, val);
	return BUS_DONE;
}

static void test_apic_page(void **state)
{
	const struct bus_region page = {
		APIC_BASE, PAGE_SIZE, 4, load, store, NULL
	};

	(void)state;
	apic_init(&guest.apic);
	assert_true(bus_add(&guest.bus.memory, &page));
	memcpy(memory + CODE, "\xa1\x30\x00\xe0\xfe", 5);	/* mov eax, [] */
	assert_true(emulate_mmio(v, APIC_BASE + APIC_VERSION));
	assert_int_equal(regs.gpr[EAX], 0x50014);
	assert_int_equal(regs.eip, CODE + 5);
	regs.eip = CODE;
	memcpy(memory + CODE, "\x89\x13", 2);			/* [ebx], edx */
	regs.gpr[EDX] = 0x77;
	assert_true(emulate_mmio(v, APIC_BASE + APIC_TPR));
	assert_int_equal(apic_read(&guest.apic, APIC_TPR), 0x77);
	regs.eip = CODE;
	memcpy(memory + CODE, "\xc7\x03\x55\x00\x00\x00", 6);
	assert_true(emulate_mmio(v, APIC_BASE + APIC_TPR));
	assert_int_equal(apic_read(&guest.apic, APIC_TPR), 0x55);
	assert_int_equal(regs.eip, CODE + 6);
	/* nobody there */
	regs.eip = CODE;
	assert_false(emulate_mmio(v, APIC_BASE + PAGE_SIZE));
	assert_int_equal(regs.eip, CODE);
	/* 16 bits, 8 bits, another instruction, user mode */
	regs.eip = CODE;
	memcpy(memory + CODE, "\x66\x8b\x13", 3);
	assert_false(emulate_mmio(v, APIC_BASE + APIC_TPR));
	memcpy(memory + CODE, "\x8a\x13", 2);
	assert_false(emulate_mmio(v, APIC_BASE + APIC_TPR));
	memcpy(memory + CODE, "\x01\x13", 2);
	assert_false(emulate_mmio(v, APIC_BASE + APIC_TPR));
	memcpy(memory + CODE, "\x8b\x13", 2);
	regs.cs = 0x73;
	assert_false(emulate_mmio(v, APIC_BASE + APIC_TPR));
	assert_int_equal(regs.eip, CODE);
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
	memcpy(memory + regs.esp, "\x68\x00\x00\x00", 4);
	regs.ss = 0x7b;
	RUNS("\x17");
	assert_int_equal(regs.ss, 0x69);
	assert_int_equal(regs.esp, DATA + 0x804);
	memcpy(memory + DATA, "\x78\x56\x34\x12\x68\x00", 6);
	RUNS("\x0f\xb2\x25\x00\x20\x00\x00");
	assert_int_equal(regs.esp, 0x12345678);
}

static void test_far_returns(void **state)
{
	(void)state;
	memcpy(memory + regs.esp, "\x00\x11\x00\x00\x60\x00\x00\x00", 8);
	assert_true(run("\xca\x08\x00", 3));
	assert_int_equal(regs.eip, 0x1100);
	assert_int_equal(regs.cs, 0x61);
	assert_int_equal(regs.esp, DATA + 0x810);
	memcpy(memory + regs.esp, "\x00\x11\x00\x00\x61\x00\x00\x00", 8);
	REFUSES("\xcb");	/* RPL 1 needs no help: its fault is its own */
	REFUSES("\xcf");
	memcpy(memory + regs.esp, "\x00\x11\x00\x00\x60\x00\x00\x00", 8);
	assert_true(run("\xcf", 1));
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

static void test_fetch(void **state)
{
	(void)state;
	/* across a page boundary */
	regs.eip = DATA - 1;
	RUNS("\xe4\x21");
	/* up to the last byte that is mapped */
	regs.eip = UNMAPPED - 1;
	RUNS("\xfa");
	/* and beyond it */
	regs.eip = UNMAPPED - 1;
	memory[UNMAPPED - 1] = 0xe4;
	assert_false(emulate(v));
	regs.eip = UNMAPPED;
	assert_false(emulate(v));
	/* in the ROM, from its working copy */
	v->rom->base = 0xfc000000;
	v->rom->end = 0xfc000000 + 2;
	guest.rom.image = (uint8_t *)"\xf4\xe4\x21";
	regs.eip = 0xfc000000;
	assert_true(emulate(v));
	assert_int_equal(regs.eip, 0xfc000001);
	assert_false(emulate(v));	/* cut off by the image's end */
	regs.eip = 0xfc000010;
	assert_false(emulate(v));
}

static void test_counts(void **state)
{
	(void)state;
	RUNS("\xe4\x21");
	RUNS("\xe4\x21");
	RUNS("\xfa");
	assert_int_equal(guest.vcpu.stats.emulated[INSN_IN], 2);
	assert_int_equal(guest.vcpu.stats.emulated[INSN_CLI], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup(name, setup)
		T(test_interrupt_flag),
		T(test_port_io),
		T(test_string_io),
		T(test_busy_port),
		T(test_user_io),
		T(test_user_rdpmc),
		T(test_user_string_io_is_a_user_access),
		T(test_sti_and_hlt),
		T(test_rdtsc),
		T(test_user_mode_gets_nothing_else),
		T(test_control_registers),
		T(test_descriptor_tables),
		T(test_msrs),
		T(test_sysenter),
		T(test_apic_base),
		T(test_apic_page),
		T(test_counters),
		T(test_stack_segment),
		T(test_far_returns),
		T(test_software_interrupts),
		T(test_fetch),
		T(test_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

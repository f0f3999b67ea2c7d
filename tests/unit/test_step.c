// SPDX-License-Identifier: GPL-2.0-only
/*
 * One instruction of the guest, by a TF that it does not see: whatever the instruction
 * does with the flags, and whatever exit it ends with.
 */
#include <cpu.h>

#include "unit.h"
#include "x86.h"

#define TF		((uint64_t)EFLAGS_TF)
#define BASE		0x1000u		/* of each segment */
#define ROM		0xff000000u
#define LAST		0xfeffffffu	/* what is the guest's */
#define BS		0x4000u		/* in DR6 */

static struct vcpu vcpu;
static struct vcpu *const v = &vcpu;
static struct regs regs;
static struct rom rom;
static uint8_t memory[0x4000], image[16];
static bool stepping_idt, stepping_wide, read_only;
static unsigned int exits, exits_wide, reads, writes;
static uint64_t flags_seen;

bool guest_read(struct mmu *m, void *dst, gva_t src, uint32_t len)
{
	assert_ptr_equal(m, &v->mmu);
	reads++;
	if (src + len > sizeof(memory))
		return false;
	memcpy(dst, memory + src, len);
	return true;
}

bool guest_write(struct mmu *m, gva_t dst, const void *src, uint32_t len)
{
	assert_ptr_equal(m, &v->mmu);
	writes++;
	if (read_only || dst + len > sizeof(memory))
		return false;
	memcpy(memory + dst, src, len);
	return true;
}

uint64_t desc_lookup(struct vcpu *of, uint16_t sel)
{
	assert_ptr_equal(of, v);
	return sel;
}

/* One segment has a base, the others have none. */
uint32_t desc_base(uint64_t desc)
{
	return desc == 0x61 || desc == 0x69 ? BASE : 0;
}

void host_idt_step(void)
{
	stepping_idt = true;
}

void host_idt_load(void)
{
	stepping_idt = false;
}

void wide_step(struct vcpu *of, bool is)
{
	assert_ptr_equal(of, v);
	stepping_wide = is;
}

static void on_exit_32(struct vcpu *of, struct regs *r)
{
	assert_true(of == v && r == &regs);
	exits++;
	flags_seen = r->rflags;
}

static void on_exit_wide(struct vcpu *of, struct regs *r)
{
	assert_true(of == v && r == &regs);
	exits_wide++;
	flags_seen = r->rflags;
}

void (*const exit_handler[256])(struct vcpu *, struct regs *) = {
	[VEC_DB] = on_exit_32, [VEC_PF] = on_exit_32,
};
void (*const exit_handler_wide[256])(struct vcpu *, struct regs *) = {
	[VEC_DB] = on_exit_wide, [VEC_PF] = on_exit_wide,
};

static int setup(void **state)
{
	(void)state;
	memset(v, 0, sizeof(*v));
	memset(&regs, 0, sizeof(regs));
	memset(memory, 0x90, sizeof(memory));
	memset(image, 0x90, sizeof(image));
	v->regs = &regs;
	v->rom = &rom;
	v->mmu.guest_last = LAST;
	rom.image = image;
	rom.base = ROM;
	rom.end = ROM + sizeof(image);
	regs.rip = 0x100;
	regs.rsp = 0x200;
	regs.cs = 0x61;
	regs.ss = 0x69;
	regs.rflags = EFLAGS_IF;
	cpu.dr[6] = 0;
	stepping_idt = stepping_wide = read_only = false;
	exits = exits_wide = reads = writes = 0;
	return 0;
}

static void text(const char *bytes, uint32_t len)
{
	memcpy(memory + (v->wide ? 0 : BASE) + 0x100, bytes, len);
}
#define TEXT(s)	text(s, sizeof(s) - 1)

/* A step of it that ends with this exit; what the instruction left in RFLAGS. */
static void step(unsigned int vector, uint64_t flags)
{
	regs.stop = STOP_NOT;
	step_arm(v);
	assert_true(regs.rflags & TF);
	assert_true(v->stepping && !v->stepped);
	assert_int_equal(v->step_rip, 0x100);
	assert_true(v->wide ? stepping_wide : stepping_idt);
	assert_false(v->wide ? stepping_idt : stepping_wide);
	regs.rflags = flags;
	regs.vector = vector;
	exit_stepped(v, &regs);
	assert_int_equal(regs.stop, STOP_ASKED);
	step_left(v);
	assert_false(v->stepping || stepping_idt || stepping_wide);
}

/* ---- tests -------------------------------------------------------------- */

static void test_plain(void **state)
{
	(void)state;
	step(VEC_DB, EFLAGS_IF | TF);
	assert_int_equal(flags_seen, EFLAGS_IF);
	assert_int_equal(exits, 1);
	step(VEC_PF, EFLAGS_IF | TF);
	assert_int_equal(regs.rflags, EFLAGS_IF);
	assert_int_equal(exits, 2);
	/* Its own TF stays, whoever cleared it on the way. */
	regs.rflags |= TF;
	step(VEC_DB, EFLAGS_IF | TF);
	assert_int_equal(flags_seen, EFLAGS_IF | TF);
	step(VEC_PF, EFLAGS_IF);
	assert_int_equal(flags_seen, EFLAGS_IF | TF);
	assert_int_equal(exits_wide + writes, 0);
}

/* POPF and IRET: TF is what they have loaded; not if they did not get so far. */
static void test_loads(void **state)
{
	const char *const insn[] = { "\x9d", "\xcf", "\x66\x9d", "\x66\x66\x66\xcf" };
	uint32_t i;

	(void)state;
	for (i = 0; i < 4; i++) {
		text(insn[i], strlen(insn[i]));
		regs.rflags = EFLAGS_IF;
		step(VEC_DB, TF);
		assert_int_equal(flags_seen, TF);
		regs.rflags = EFLAGS_IF | TF;
		step(VEC_DB, 0);
		assert_int_equal(flags_seen, 0);
		regs.rflags = 0;
		step(VEC_PF, TF);
		assert_int_equal(flags_seen, 0);
	}
	assert_int_equal(writes, 0);
}

static uint8_t pushed(uint8_t was)
{
	uint8_t *at = memory + (v->wide ? 0 : BASE) + 0x201;

	*at = was;
	step(VEC_DB, TF);
	return *at;
}

static void test_stores(void **state)
{
	(void)state;
	TEXT("\x9c");
	assert_int_equal(pushed(0xff), 0xfe);
	assert_int_equal(flags_seen, 0);
	assert_int_equal(pushed(0x03), 0x02);
	TEXT("\x66\x9c");
	assert_int_equal(pushed(0x03), 0x02);
	/* It was its own. */
	regs.rflags |= TF;
	assert_int_equal(pushed(0x03), 0x03);
	assert_int_equal(flags_seen, TF);
	/* PUSHF has stored nothing. */
	regs.rflags = 0;
	memory[BASE + 0x201] = 3;
	step(VEC_PF, TF);
	assert_int_equal(memory[BASE + 0x201], 3);
	/* No stack any more, or none to be written. */
	writes = 0;
	read_only = true;
	assert_int_equal(pushed(0x03), 0x03);
	assert_int_equal(writes, 1);
	regs.rsp = sizeof(memory);
	step(VEC_DB, TF);
	assert_int_equal(writes, 1);
	assert_int_equal(flags_seen, 0);
}

/* Not all prefixes, nor too many of them. */
static void test_others(void **state)
{
	const char *const insn[] = {
		"\x66\x66\x66\x66\x9d", "\x48\x9d", "\x90\x9d", "\xf0\x9d",
	};
	uint32_t i;

	(void)state;
	for (i = 0; i < 4; i++) {
		text(insn[i], strlen(insn[i]));
		step(VEC_DB, TF);
		assert_int_equal(flags_seen, 0);
	}
	/* Text that is not there. */
	regs.cs = 0x73;
	memory[sizeof(memory) - 1] = 0x66;
	regs.rip = sizeof(memory) - 1;
	step_arm(v);
	assert_int_equal(v->step_flags, 0);
}

/* The ROM has an IRET; before and behind it nothing is. */
static void test_rom(void **state)
{
	uint64_t at;

	(void)state;
	memset(image, 0xcf, sizeof(image));
	regs.cs = 0x73;
	for (at = ROM; at < ROM + sizeof(image); at++) {
		regs.rip = at;
		step_arm(v);
		assert_int_equal(v->step_flags, 2);
	}
	assert_int_equal(reads, 0);
	regs.rip = ROM + sizeof(image);
	step_arm(v);
	assert_int_equal(v->step_flags, 0);
	rom.base++;
	regs.rip = ROM;
	step_arm(v);
	assert_int_equal(v->step_flags, 0);
	assert_int_equal(reads, 0);
	regs.rip = LAST;	/* the guest's, if there is something or not */
	step_arm(v);
	assert_int_equal(reads, 1);
	/* The base wraps. */
	regs.cs = 0x61;
	regs.rip = UINT32_MAX;
	memory[BASE - 1] = 0xcf;
	step_arm(v);
	assert_int_equal(v->step_flags, 2);
}

static void test_wide(void **state)
{
	(void)state;
	v->wide = true;
	TEXT("\x48\x9d");	/* and no base */
	step(VEC_DB, TF);
	assert_int_equal(flags_seen, TF);
	regs.rflags = 0;
	TEXT("\x4f\xcf");
	step(VEC_DB, TF);
	assert_int_equal(flags_seen, TF);
	regs.rflags = 0;
	TEXT("\x9c");
	assert_int_equal(pushed(0x03), 0x02);
	TEXT("\x58\x9d");
	step(VEC_PF, TF);
	assert_int_equal(flags_seen, 0);
	assert_int_equal(exits_wide, 4);
	assert_int_equal(exits, 0);
}

/* Nothing was armed; or the processor did not go to the guest. */
static void test_refused(void **state)
{
	(void)state;
	regs.rflags = TF;
	stepping_idt = stepping_wide = true;
	step_left(v);
	assert_true(stepping_idt && stepping_wide);
	step_refused(v);
	assert_int_equal(regs.rflags, TF);
	assert_int_equal(regs.stop, STOP_NOT);
	step_arm(v);
	step_refused(v);
	assert_int_equal(regs.rflags, TF);
	assert_int_equal(regs.stop, STOP_ASKED);
	regs.stop = STOP_NOT;
	regs.rflags = EFLAGS_IF;
	step_arm(v);
	step_refused(v);
	assert_int_equal(regs.rflags, EFLAGS_IF);
	assert_int_equal(regs.stop, STOP_ASKED);
}

static bool done(uint64_t dr6, bool own)
{
	v->stepped = false;
	v->own_tf = own;
	cpu.dr[6] = dr6;
	return step_done(v);
}

/* Of a #DB: is it for us alone? */
static void test_done(void **state)
{
	static const uint64_t other[] = { 1, 2, 4, 8, 0x2000, 0x8000 };
	uint32_t i;

	(void)state;
	assert_false(done(0xffff0ff0, false));
	assert_false(v->stepped);
	assert_true(done(0xffff0ff0 | BS, false));
	assert_true(v->stepped);
	assert_int_equal(cpu.dr[6], 0xffff0ff0);
	assert_false(done(BS, true));
	assert_true(v->stepped);
	assert_int_equal(cpu.dr[6], BS);
	for (i = 0; i < 6; i++) {
		assert_false(done(other[i], false));
		assert_false(v->stepped);
		assert_false(done(other[i] | BS, false));
		assert_true(v->stepped);
		assert_int_equal(cpu.dr[6], other[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_plain, setup),
		cmocka_unit_test_setup(test_loads, setup),
		cmocka_unit_test_setup(test_stores, setup),
		cmocka_unit_test_setup(test_others, setup),
		cmocka_unit_test_setup(test_rom, setup),
		cmocka_unit_test_setup(test_wide, setup),
		cmocka_unit_test_setup(test_refused, setup),
		cmocka_unit_test_setup(test_done, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * All exits against a guest that changes every word in the very moment in
 * which we read it: test_race.c for what is not shadow tables: descriptors,
 * events, emulation, hypercalls, the ROM's trace, alarms, control and debug
 * registers, the report of a death. The machine is that of tests/fuzz. Words
 * of the shared area change before each volatile read; words of guest memory
 * before each copy; any other access to either is an error.
 *
 * What must hold is in world.c: no address above the guest's own is touched,
 * what the processor gets is of ring 1 or 3, the hypervisor does not panic.
 *
 * syscall_entry in entry.asm is not C: it reads esp0 and ss0 once each, checks
 * the copy of esp0 in R10 and stores by R10; IRETQ checks SS.
 */
#include "core.h"
#include "shadow.h"
#include "tsan_hooks.h"
#include "unit.h"
#include "world.h"

#define RUNS		12000
#define STEPS		60

static uint64_t seed = 1;
static bool racing;
static uint8_t *ram;		/* the guest's, as we see it */
static uint64_t trace[PAGE_SIZE + (1 << 19)];	/* struct trace_ring */
static uint32_t shared_reads[sizeof(struct stub_shared) / 4], copies, steps;

static uint32_t rnd(uint32_t n)
{
	return unit_random(&seed) % n;
}

/* ---- the other side ----------------------------------------------------- */

static uint32_t address(void)
{
	static const uint32_t base[] = {
		0, KERNEL_BASE, IN_FRAME(CODE_FRAME), IN_FRAME(STACK_FRAME),
		IN_FRAME(DATA_FRAME), USER_FRAME << 12, IN_FRAME(TSS_FRAME),
		IN_FRAME(GDT_FRAME), IN_FRAME(LDT_FRAME), IN_FRAME(IDT_FRAME),
		0xfbfff000, 0xfc000000, 0xfc010000, 0xfffff000, 0x40000000,
	};

	return rnd(16) ? base[rnd(ARRAY_SIZE(base))] + rnd(4096) :
			 (uint32_t)unit_random(&seed);
}

static uint64_t hostile_word(uint64_t old)
{
	switch (rnd(6)) {
	case 0:
		return old ^ 1ull << rnd(64);
	case 1:
		return -1ull;
	case 2:
		return rnd(4096);
	case 3:
		return address();
	case 4:
		return 0;
	default:
		return unit_random(&seed);
	}
}

static bool in_guest(const void *at)
{
	return (uintptr_t)at - (uintptr_t)ram < WORLD_FRAMES * PAGE_SIZE;
}

static bool in_shared(const void *at)
{
	return (uintptr_t)at - (uintptr_t)v->sh < sizeof(*v->sh);
}

static void change(uint8_t *at, uint32_t len)
{
	uint64_t word = 0;

	memcpy(&word, at, len);
	word = hostile_word(word);
	if (in_guest(at))
		world_write(at - ram, &word, len);
	else
		memcpy(at, &word, len);
}

void before_volatile_read(void *at, uint32_t len)
{
	uint8_t *byte = at;

	if (!racing || !(in_guest(at) || in_shared(at)))
		return;
	if (in_shared(at))
		shared_reads[(byte - (uint8_t *)v->sh) / 4]++;
	/* it is behind trace[] */
	assert_true(at != &v->sh->queue_guard);
	if (at == &v->sh->tail && rnd(16)) {	/* else few would survive */
		v->sh->tail = -(int32_t)rnd(STUB_QUEUE_LEN + 1);
		return;
	}
	if (at == &v->sh->trace_used) {	/* read in a loop, it would soon be 0 */
		if (!rnd(4))
			v->sh->trace_used = sizeof(v->sh->trace) +
					    rnd(2) * 4096 - rnd(64);
		return;
	}
	if (!rnd(6))
		change(byte, len < 8 ? len : 8);
}

/* A word of what is about to be copied: whole or half, as it may come. */
static void before_copy(uint8_t *at, uint32_t len)
{
	uint32_t n = len < 8 ? len : 8;

	copies += racing;
	if (racing && in_guest(at) && !rnd(6))
		change(at + (len > n ? rnd(len - n + 1) : 0), n);
}

void before_plain_access(void *at)
{
	if (racing && (in_guest(at) || in_shared(at)))
		fail_msg("guest memory is accessed around gmem");
}

/* ---- the guest ---------------------------------------------------------- */

static void to_ring(uint32_t ring)
{
	v->regs->cs = ring == 3 ? 0x73 : 0x61;
	v->regs->ss = ring == 3 ? 0x7b : 0x69;
	v->regs->rip = IN_FRAME(CODE_FRAME) + rnd(4080);
	v->regs->rsp = ring == 3 ? (uint32_t)USER_FRAME << 12 : rnd(8) ?
		       IN_FRAME(STACK_FRAME) + 64 + rnd(960) * 4 : address();
	if (!rnd(4))	/* a handler of events would have said so */
		v->sh->esp0 = IN_FRAME(STACK_FRAME) + 0xff0;
}

static void registers(void)
{
	uint32_t i;

	for (i = 0; i < 8; i++)
		v->regs->gpr[i] = address();
}

/* What IRET, RETF, LSS and POP SS would take; behind EAX for the hypercall. */
static void frame(uint32_t lead)
{
	static const uint32_t cs[] = { 0x60, 0x61, 0x68, 0x73 };
	uint32_t at = v->regs->rsp & 0xfff;
	const uint32_t words[] = {
		rnd(2) ? 0x68 : address(), cs[rnd(ARRAY_SIZE(cs))], 0x202,
		address(), rnd(2) ? 0x7b : 0x68,
	};

	if (at < 4000)
		world_write((STACK_FRAME << PAGE_SHIFT) + at + lead * 4, words,
			    sizeof(words));
}

static void hypercall(void)
{
	to_ring(1);
	registers();
	frame(1);
	do
		v->regs->gpr[EAX] = rnd(STUB_HC_COUNT);
	while (v->regs->gpr[EAX] == STUB_HC_REBOOT ||
	       v->regs->gpr[EAX] == STUB_HC_SHUTDOWN);
	if (rnd(2))
		v->regs->gpr[EDX] = rnd(256);
	if (rnd(2))
		v->regs->gpr[ECX] = rnd(8192);
	if (v->regs->gpr[EAX] == STUB_HC_SET_ALARM)
		v->regs->gpr[EDX] = rnd(3) | rnd(2) * VMI_ALARM_PERIODIC |
				    rnd(2) * VMI_ALARM_LVTT;
	if (!rnd(4))
		v->regs->rip = v->rom->iret_insn[rnd(2)];
	world_exit(STUB_VECTOR, 0);
}

static void event(void)
{
	static const uint8_t vector[] = {
		0, 1, 3, 4, 5, 7, 10, 11, 12, 16, 17, 19, SYSCALL_VECTOR,
	};
	uint8_t n = vector[rnd(sizeof(vector))];

	to_ring(rnd(3) ? 3 : 1);
	world_exit(n, n >= 10 && n <= 12 ? rnd(0x10000) : 0);
}

static void interrupt(void)
{
	to_ring(rnd(3) ? 3 : 1);
	if (v->rom->windows && (v->regs->cs & 3) == 1 && rnd(2))
		v->regs->rip = v->rom->window[rnd(v->rom->windows)].start + rnd(8);
	cpu.tsc += rnd(100000000);
	world_exit(IRQ_BASE + (rnd(4) ? IRQ_TIMER : IRQ_COM1), 0);
}

static void access(void)
{
	bool user = rnd(2);

	to_ring(user ? 3 : 1);
	world_access(address(), rnd(2), user, !rnd(4));
}

/* A memory operand is at EBX. */
static void instruction(void)
{
	static const char *const insns[] = {
		"\xec", "\xee", "\x6c", "\x6e", "\xf3\x6d", "\xf3\x6f",
		"\xe4\x21", "\xe6\x21", "\x0f\x01\x03", "\x0f\x01\x0b",
		"\x0f\x01\x13", "\x0f\x01\x1b", "\x0f\x01\x23",
		"\x0f\x01\x33", "\x0f\x01\x3b", "\x0f\x20\xc0",
		"\x0f\x20\xd0", "\x0f\x22\xd0", "\x0f\x22\xd8",
		"\x0f\x21\xf8", "\x0f\x21\xf0", "\x0f\x23\xf8",
		"\x0f\x23\xc0", "\x0f\x30", "\x0f\x32", "\x0f\x33",
		"\xcf", "\xcb", "\xca\x08", "\x17", "\x8e\x13",
		"\x0f\xb2\x23", "\x0f\x06", "\xfa", "\xfb\xf4",
		"\xcd\x21", "\xcd\x80", "\x0f\x34", "\x0f\x35", "\x0f\x31",
	};
	static const char lldt[] = "\x0f\x00\x13", ltr[] = "\x0f\x00\x1b",
			  str[] = "\x0f\x00\x0b", sldt[] = "\x0f\x00\x03";
	static const char *const of_0f00[] = { lldt, ltr, str, sldt };
	const char *insn = insns[rnd(ARRAY_SIZE(insns))];
	uint8_t bytes[16] = { 0 };

	if (!rnd(8)) {
		memcpy(bytes, of_0f00[rnd(4)], 3);
	} else {
		memcpy(bytes, insn, strlen(insn));
		if (!strncmp(insn, "\x0f\x01\x03", 3))
			bytes[2] = rnd(64) & 0x3b;
	}
	to_ring(rnd(4) ? 1 : 3);
	registers();
	frame(0);
	if (rnd(2))
		v->regs->gpr[EBX] = v->regs->rsp;
	if (rnd(2))
		v->regs->gpr[EDX] = rnd(2) ? 0x20 + rnd(0x60) : 0x3f8 + rnd(8);
	world_write((CODE_FRAME << PAGE_SHIFT) + (v->regs->rip & 0xfff), bytes,
		    sizeof(bytes));
	world_exit(VEC_GP, rnd(4) ? 0 : rnd(0x10000));
}

/* Stores of the guest's own: its tables, the queue, the trace. */
static void store(void)
{
	uint64_t word = hostile_word(0);

	switch (rnd(3)) {
	case 0:
		world_write((gpa_t)(GDT_FRAME + rnd(6)) << PAGE_SHIFT |
			    rnd(128) * 8, &word, 8);
		break;
	case 1:
		v->sh->queue[rnd(STUB_QUEUE_LEN)] = word;
		break;
	default:
		v->sh->trace_used = sizeof(v->sh->trace) - rnd(16);
	}
}

/* What no other check of the world sees. */
static void check_own(void)
{
	uint32_t i;

	for (i = 0; i < ARRAY_SIZE(v->alarm); i++)
		assert_true(!v->alarm[i].period ||
			    v->alarm[i].period >= host_tsc_hz / 2000);
	assert_true(guest->mm.reserved == 0 ||
		    v->mmu.guest_last == guest->mm.reserved - 1);
	assert_true(!(v->iopl & ~(uint32_t)EFLAGS_IOPL));
}

static void life(struct input *in)
{
	static void (*const step[])(void) = {
		hypercall, hypercall, event, interrupt, access, instruction,
		instruction, store, store
	};
	uint32_t i;

	(void)in;
	for (i = 0; i < STEPS; i++) {
		steps++;
		racing = true;
		step[rnd(ARRAY_SIZE(step))]();
		racing = false;
		check_own();
		world_check_cpu();
		world_check_tables();
	}
}

static void test_every_exit(void **state)
{
	static const struct { const char *name; uint32_t at; } fields[] = {
#define FIELD(name)	{ #name, offsetof(struct stub_shared, name) / 4 }
		FIELD(flags), FIELD(cr2), FIELD(esp0), FIELD(ss0),
		FIELD(lazy_mode), FIELD(deferred), FIELD(gdt_dirty),
		FIELD(tail), FIELD(linear), FIELD(dr[6]),
		FIELD(expiry), FIELD(period), FIELD(trace_used), FIELD(trace),
		FIELD(queue),
	};
	uint32_t n;

	(void)state;
	world_reset(WORLD_VMI);		/* makes all modes, without a race */
	ram = world_ram(0);
	world_copies = before_copy;
	for (n = 0; n < RUNS; n++) {
		world_reset(n % 8 < 6 ? WORLD_VMI + n % 2 : n % 2);
		guest->trace = (struct trace_ring *)memset(trace, 0, 16);
		world_run(life, NULL);
		racing = false;
		world_check_cpu();
		world_check_tables();
		world_check_shadow();
	}
	assert_true(steps > RUNS * 3 && copies > RUNS * 8);
	for (n = 0; n < ARRAY_SIZE(fields); n++)
		if (!shared_reads[fields[n].at])
			fail_msg("nobody read %s", fields[n].name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_exit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

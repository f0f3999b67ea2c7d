// SPDX-License-Identifier: GPL-2.0-only
/* Everything in the shared area, in the hypercalls' registers, and inside
 * the ROM's code that a guest can get at. */
#include "attack.h"

#define EFLAGS_TF	0x100u
#define STEPS		40u

static struct stub_shared kept;

static void copy_area(volatile uint32_t *to, const volatile uint32_t *from)
{
	for (uint32_t i = 0; i < offsetof(struct stub_shared, pad) / 4; i++)
		to[i] = from[i];
}

void keep_area(void)
{
	copy_area((uint32_t *)&kept, (volatile uint32_t *)SHARED);
	kept.tail = -STUB_QUEUE_LEN;
}

void restore_area(void)
{
	copy_area((volatile uint32_t *)SHARED, (uint32_t *)&kept);
	SHARED->queue_guard = STUB_QUEUE_GUARD;
}

/* A tail that is none, then whatever drains.
 * STUB-2, STUB-4. */
static void tail(uint32_t value)
{
	SHARED->tail = (int32_t)value;
	hypercall(STUB_HC_DRAIN, 0, 0);
}

static void tail_fault(uint32_t value)
{
	SHARED->tail = (int32_t)value;
	probe_read(0x80000000);
}

/* A full queue of one kind of entry, random otherwise, in every mode.
 * STUB-4: entries name the guest's own frames or nothing. */
static void queue(uint32_t kind)
{
	keep_area();
	for (uint32_t round = 0; round < 64; round++) {
		for (uint32_t i = 0; i < STUB_QUEUE_LEN; i++)
			SHARED->queue[i] = (random32() & ~3u) |
				(kind < 4 ? kind : random32() & 3);
		SHARED->linear[0].va = random32();
		SHARED->linear[0].pa = random32();
		SHARED->lazy_mode = random32();
		SHARED->deferred = random32() & ~STUB_DEFER_CR3;
		SHARED->gdt_dirty = random32() & ~0xf000u;
		SHARED->tail = (int32_t)(random32() % STUB_QUEUE_LEN) -
			       STUB_QUEUE_LEN + 1;
		probe_read(0x80000000);
		restore_area();
	}
	flush();
	USER("\xcd\x80", 0);
	same(last_trap.vector, VEC_SYSCALL, "user mode goes on");
}

/* Hypercalls that do not exist, and VMI_Init again.
 * STUB-9. */
static void unknown(uint32_t nr)
{
	hypercall(nr, 0, 0);
}

static void init_again(uint32_t arg)
{
	(void)arg;
	same(hypercall(STUB_HC_INIT, 0, 0), 0xffffffff, "once is enough");
	same(vmi_init(), 0xffffffff, "by its entry too");
}

/* A hypercall before VMI_Init.
 * STUB-9. */
static void early(uint32_t arg)
{
	(void)arg;
	hypercall(STUB_HC_DRAIN, 0, 0);
}

static void wild_area(void)
{
	volatile uint32_t *words = (volatile uint32_t *)SHARED;

	for (uint32_t i = 0; i < sizeof(struct stub_shared) / 4; i++)
		words[i] = random32();
	SHARED->tail = (int32_t)(random32() % STUB_QUEUE_LEN) - STUB_QUEUE_LEN;
	SHARED->cr3 = (uintptr_t)page_directory;
	SHARED->lazy_mode = random32() % 3;
}

/* Noise all over the shared area, then one hypercall; and again.
 * STUB-2: the guest's death at worst. */
static void wild_hcall(uint32_t nr)
{
	keep_area();
	for (uint32_t round = 0; round < 32; round++) {
		if (nr == STUB_HC_HALT || nr == STUB_HC_SET_ALARM)
			pic_init();
		if (nr == STUB_HC_HALT)
			pit_periodic();
		wild_area();
		hypercall(nr, round & 1 ? random32() : random32() & 0xff,
			  random32());
		restore_area();
	}
}

/* The same with the calls of the ROM, whose code believes the area.
 * STUB-2. */
static void wild_call(uint32_t nr)
{
	if (vmi_type[nr] == VMI_RELOC_NONE)
		return;
	keep_area();
	pic_init();
	for (uint32_t round = 0; round < 32; round++) {
		if (nr == VMI_CALL_Halt)
			pit_periodic();
		wild_area();
		vmi4((int)nr, round & 1 ? random32() : (uintptr_t)pages[3],
		     (uintptr_t)pages[3], (uintptr_t)pages[3] + 8, random32());
		restore_area();
	}
}

/* Every byte of the area at every value that differs, with a system call, a
 * fault and a drain behind each. STUB-2. */
static void each_word(uint32_t value)
{
	volatile uint32_t *words = (volatile uint32_t *)SHARED;
	const uint32_t stack = offsetof(struct stub_shared, esp0) / 4;

	keep_area();
	for (uint32_t i = 0; i < sizeof(struct stub_shared) / 4; i++) {
		if (i == stack || i == stack + 1 ||
		    i == offsetof(struct stub_shared, tail) / 4)
			continue;
		if (i == offsetof(struct stub_shared, deferred) / 4)
			SHARED->cr3 = (uintptr_t)page_directory;
		words[i] = value;
		probe_read(0x80000000);
		restore_area();
		if (i % 16 == 0)
			USER("\xcd\x80", 0);
	}
}

/* ---- into the middle of the ROM's code ------------------------------------------ */

static uint32_t steps, let_go;

/* May the ROM do this next? Not what ends the guest or changes what it
 * stands on, which other cases do. */
static bool harmless(const struct frame *f)
{
	const uint8_t *insn = (const uint8_t *)f->eip;

	if (f->eip - TOP >= STUB_ROM_MAX || ++steps > STEPS)
		return false;
	/* ModRM with ESP as a register, if it is one */
	if ((insn[1] & 0x38) == 0x20 || (insn[1] & 0xc7) == 0xc4)
		return false;
	switch (insn[0]) {
	case 0x5c: case 0x94: case 0xbc: case 0xc9:	/* another stack */
	case 0x9d: case 0xcf:			/* other flags */
	case 0xc2: case 0xca: case 0xf4:
	case 0x6c ... 0x6f: case 0xe4 ... 0xe7: case 0xec ... 0xef:
		return false;
	case 0xcd:
		break;
	default:
		return true;
	}
	switch (f->eax) {
	case STUB_HC_DRAIN:
	case STUB_HC_QUEUE_FULL:
	case STUB_HC_EVENTS:
	case STUB_HC_IRET:
	case STUB_HC_CLTS:
	case STUB_HC_INVAL_PAGE:
	case STUB_HC_FLUSH_TLB:
	case STUB_HC_LDT_CHANGED:
	case STUB_HC_UPDATE_VA:
	case STUB_HC_CPUID:
	case STUB_HC_CANCEL_ALARM:
	case STUB_HC_WALLCLOCK:
	case STUB_HC_TRACE:
	case STUB_HC_APIC_READ:
	case STUB_HC_PAGE:
		return insn[1] == STUB_VECTOR;
	}
	return false;
}

static void stepped(struct frame *f)
{
	if (harmless(f))
		return;
	let_go++;
	f->eip = (uintptr_t)stepped_out;
	f->eflags &= ~EFLAGS_TF;
}

/* Jumps to every byte of the ROM, single-stepped, with registers that are
 * addresses of the guest's. STUB-2: code of the ROM has no rights. */
static void rom_jumps(uint32_t part)
{
	const struct stub_rom_info *info = (void *)(rom + STUB_INFO_OFFSET);
	const uint32_t end = info->windows;	/* behind it tables only */

	keep_area();
	vector_hook[1] = stepped;
	for (uint32_t at = end * part / 4; at < end * (part + 1) / 4; at++) {
		for (uint32_t i = 0; i < 64; i++)
			step_stack[i] = (uintptr_t)stepped_out;
		steps = 0;
		step_from(TOP + at, (uintptr_t)step_stack);
		restore_area();
	}
	ok(let_go > end / 16, "most were stopped by stepping");
	USER("\xcd\x80", 0);
	same(last_trap.vector, VEC_SYSCALL, "user mode goes on");
}

#define HCALL_CASE(number, name, call)					\
	CASE_ARG("hcall_" #name, wild_hcall, number, .end = ANY_END),

#define CALL_CASE(number, name)						\
	CASE_ARG("call_" #name, wild_call, number, .end = ANY_END),


#define BAD_TAIL(tail)	"bad queue: tail " tail " is not in -1024\\.\\.0"
#define UNKNOWN(number)	"hypercall " number " does not exist"

const struct attack area_cases[] = {
	CASE_ARG("tail_1", tail, 1, .end = BAD_TAIL("1")),
	CASE_ARG("tail_low", tail, 0u - STUB_QUEUE_LEN - 1, .end = BAD_TAIL("-1025")),
	CASE_ARG("tail_max", tail, 0x7fffffff, .end = BAD_TAIL("2147483647")),
	CASE_ARG("tail_min", tail, 0x80000000, .end = BAD_TAIL("-2147483648")),
	CASE_ARG("tail_fault", tail_fault, 5000, .end = BAD_TAIL("5000")),
	CASE_ARG("queue_va", queue, STUB_Q_UPDATE_VA),
	CASE_ARG("queue_pa", queue, STUB_Q_UPDATE_PA),
	CASE_ARG("queue_page", queue, STUB_Q_PAGE),
	CASE_ARG("queue_inval", queue, STUB_Q_INVAL),
	CASE_ARG("queue_mixed", queue, 4),
	CASE_ARG("unknown_first", unknown, STUB_HC_COUNT, .end = UNKNOWN("\\d+")),
	CASE_ARG("unknown_last", unknown, 0xffffffff, .end = UNKNOWN("4294967295")),
	CASE_ARG("unknown_sign", unknown, 0x80000000, .end = UNKNOWN("2147483648")),
	CASE(init_again),
	CASE_NATIVE(early, .end = "hypercall 1 before VMI_Init"),
	CASE_ARG("each_word_0", each_word, 0),
	CASE_ARG("each_word_ones", each_word, 0xffffffff),
	CASE_ARG("each_word_odd", each_word, 0x80000001),
	CASE_ARG("rom_jumps_0", rom_jumps, 0),
	CASE_ARG("rom_jumps_1", rom_jumps, 1),
	CASE_ARG("rom_jumps_2", rom_jumps, 2),
	CASE_ARG("rom_jumps_3", rom_jumps, 3, .end = ANY_END),
	STUB_HCALLS(HCALL_CASE)
	VMI_CALLS(CALL_CASE)
	CASES_END
};

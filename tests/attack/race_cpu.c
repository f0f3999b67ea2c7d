// SPDX-License-Identifier: GPL-2.0-only
/* Descriptors, stacks and code that one vCPU changes while they are used for the
 * other. STUB-2, VMI-3.3, VMI-3.8.2. */
#include "race.h"

#define SELECTOR	(SPARE_GDT * 8 | 3)
#define LDT_SELECTOR	((SPARE_GDT + 1) * 8)
#define IN_LDT(n)	((n) * 8 | 7)
#define LDT_LENGTH	16u
#define DEVICE		(U_FREE + 20)	/* a page of PLAY: the local APIC */
#define CODE		(U_FREE + 21)
#define APIC_AT		0xfee00000u
#define WILD		(sizeof(wild_high) / sizeof(*wild_high))

static uint64_t ldt[LDT_LENGTH];
static uint32_t stack[64], block_page[1024] __attribute__((aligned(PAGE)));

static const uint32_t wild_high[] = {
	0x00cff200, 0x00cff200, 0x00cffa00, 0x00cf9200, 0x00cf9a00,
	0x00cf7200, 0x00aff200, 0x00affa00, 0x00cffe00, 0x00008200,
	0x00008900, 0x00008c00, 0x0000ee00, 0x00000000, 0xffffffff,
	0x0040f200,
};

static uint64_t wild_descriptor(uint32_t n)
{
	return (uint64_t)wild_high[n % WILD] << 32 |
	       (n & 0x100 ? 0xffff : n >> 16);
}

struct pointer {
	uint16_t	limit;
	uint32_t	base;
} __attribute__((packed));

/* ---- descriptors ------------------------------------------------------------- */

static void store_descriptors(uint32_t i)
{
	*(volatile uint64_t *)&gdt[SPARE_GDT + i % 3] =
		wild_descriptor(scramble(i));
	if (i % 4 == 0)
		write_gdt(SPARE_GDT + i / 4 % 3, wild_descriptor(scramble(~i)));
}

static void load_descriptors(uint32_t i)
{
	safe_es(SELECTOR + i % 3 * 8);
	if (i % 8 == 7)
		write_gdt(SPARE_GDT + i / 8 % 3, wild_descriptor(scramble(i)));
}

static void load_gdt(uint32_t i)
{
	struct pointer p = { sizeof(gdt) - 1, (uintptr_t)gdt };

	vmi1(SetGDT, (uintptr_t)&p);
	safe_es(SELECTOR + i % 3 * 8);
}

static void race_gdt(uint32_t arg)
{
	(void)arg;
	race_set_up(false);
	race_begin(store_descriptors, false);
	race_until_over(load_descriptors);
}

static void race_gdt_loaded(uint32_t arg)
{
	(void)arg;
	race_set_up(false);
	race_begin(store_descriptors, false);
	race_until_over(load_gdt);
}

static void store_ldt(uint32_t i)
{
	const uint32_t n = scramble(i);

	if (i % 4)
		*(volatile uint64_t *)&ldt[n >> 8 & 15] = wild_descriptor(n);
	else
		vmi4(VMI_CALL_WriteLDTEntry, (uintptr_t)ldt, n >> 8 & 15,
		     wild_descriptor(n), (uint32_t)(wild_descriptor(n) >> 32));
	*(volatile uint64_t *)&gdt[SPARE_GDT + 1] =
		i & 1 ? descriptor((uintptr_t)ldt, n & 0x7f, 0x8200) :
			descriptor((uintptr_t)ldt, 0xffff, n & 2 ? 0x8200 : 0);
}

static void load_ldt(uint32_t i)
{
	uint32_t safe = SAFE, eax = LDT_SELECTOR;

	/* a wrong descriptor is a #GP */
	__asm__ volatile("pushl %%ebp\n\tmovl %%esp, %%ebp\n\t"
			 "movl $1f, %%ebx\n\tcall *%%edi\n"
			 "1:\tmovl %%ebp, %%esp\n\tpopl %%ebp"
			 : "+S"(safe), "+a"(eax)
			 : "D"(vmi_entry[VMI_CALL_SetLDT])
			 : "ebx", "ecx", "edx", "memory", "cc");
	safe_es(IN_LDT(i % LDT_LENGTH));
}

static void race_ldt(uint32_t arg)
{
	(void)arg;
	race_set_up(false);
	race_begin(store_ldt, false);
	race_until_over(load_ldt);
}

/* ---- gates -------------------------------------------------------------------- */

static void user_call(uint32_t i)
{
	run_user(play(U_CODE), play(U_STACK) + PAGE, i, i, false);
	race_wrong += last_trap.vector != VEC_SYSCALL &&
		      last_trap.vector != VEC_GP && last_trap.vector != VEC_NP;
}

static uint32_t gate_high(uint32_t kind)
{
	const uint32_t at = trap_stub[VEC_SYSCALL] & 0xffff0000;

	return at | kind;
}

/* The same gate as it is: each time it must be usable. */
static void write_gate(uint32_t i)
{
	(void)i;
	set_idt(VEC_SYSCALL, KERNEL_CS << 16 |
		(trap_stub[VEC_SYSCALL] & 0xffff), gate_high(0xef00));
}

static void write_gates(uint32_t i)
{
	static const uint32_t kinds[] = {
		0xef00, 0xee00, 0x8f00, 0x6f00, 0xe500, 0xef00,
	};

	set_idt(VEC_SYSCALL, KERNEL_CS << 16 |
		(trap_stub[VEC_SYSCALL] & 0xffff),
		gate_high(kinds[scramble(i) % 6]));
}

static void race_gate(uint32_t arg)
{
	(void)arg;
	race_set_up(false);
	race(user_call, write_gate);
}

static void race_gates(uint32_t arg)
{
	(void)arg;
	race_set_up(false);
	race(user_call, write_gates);
}

static void store_gates(uint32_t i)
{
	gate_of(0x90 + i % 32)[0] = scramble(i);
	gate_of(0x90 + i % 32)[1] = scramble(~i);
}

static void load_idt(uint32_t i)
{
	struct pointer p = { 2047, (uintptr_t)gate_of(0) };

	vmi1(SetIDT, (uintptr_t)&p);
	user_call(i);
}

static void race_idt(uint32_t arg)
{
	(void)arg;
	race_set_up(false);
	race(load_idt, store_gates);
}

/* ---- returns and stacks ---------------------------------------------------------- */

static void store_frame(uint32_t i)
{
	static const uint32_t cs[] = {
		USER_CS, USER_CS, USER_DS, 0, 0xffff, SELECTOR, 0x3fb,
	};
	static const uint32_t ss[] = {
		USER_DS, USER_DS, USER_CS, 0, 3, SELECTOR, 0xffff, 0x3fb,
	};
	const uint32_t n = scramble(i);
	volatile uint32_t *frame = stack + 32;

	frame[1] = cs[n % 7];
	frame[2] = n & 0x700 ? EFLAGS_IF | 2 : scramble(n);
	frame[3] = n & 0x3800 ? play(U_STACK) + PAGE : scramble(n + 1);
	frame[4] = ss[(n >> 16) % 8];
}

static void return_by(uint32_t code, uint32_t saved)
{
	stack[31] = 0;
	stack[32] = play(U_CODE);
	iret_from((uintptr_t)(stack + 32 - saved), code);
	fixup = 0;
	vmi0(DisableInterrupts);
}

static void return_user(uint32_t i)
{
	if (i & 1)
		return_by((uintptr_t)hc_iret, 1);
	else
		return_by(vmi_entry[VMI_CALL_IRET], 0);
}

static void race_frames(uint32_t arg)
{
	(void)arg;
	race_set_up(false);
	vmi2(UpdateKernelStack, KERNEL_DS, (uintptr_t)(spare_table + 1024));
	store_frame(0);
	race(return_user, store_frame);
}

static void store_frame_and_descriptor(uint32_t i)
{
	stack[33] = SELECTOR;
	stack[34] = EFLAGS_IF | 2;
	stack[35] = play(U_STACK) + PAGE;
	stack[36] = i & 16 ? SELECTOR + 8 : USER_DS;
	store_descriptors(i);
}

static void race_frame_selectors(uint32_t arg)
{
	(void)arg;
	race_set_up(false);
	vmi2(UpdateKernelStack, KERNEL_DS, (uintptr_t)(spare_table + 1024));
	store_frame_and_descriptor(0);
	race_begin(store_frame_and_descriptor, false);
	race_until_over(return_user);
}

/* The page of the kernel stack comes and goes: a frame fits, or is the guest's
 * end. */
static void move_stack(uint32_t i)
{
	static const uint32_t bits[] = { PTE_W, PTE_W, PTE_W | PTE_A | PTE_D, 0 };

	map(U_FREE, scramble(i) % 8 ? MAPS(race_frame[i / 2 % 2],
					   bits[scramble(i) / 8 % 4]) : 0);
	if (i % 8 == 7)
		vmi1(InvalPage, play(U_FREE));
}

static void event_on_stack(uint32_t i)
{
	vmi1(InvalPage, play(U_FREE));
	stack_override = play(U_FREE) + PAGE;
	user_call(i);
}

static void race_stack(uint32_t arg)
{
	(void)arg;
	race_set_up(true);
	map(U_FREE, MAPS(race_frame[0], PTE_W));
	race(event_on_stack, move_stack);
}

/* ---- code that is emulated ---------------------------------------------------------- */

/* Instructions of two bytes, so that none begins at the second; behind them one
 * that ends it. */
static void store_code(const uint16_t *words, uint32_t n, uint32_t i)
{
	*(volatile uint16_t *)pages[U_CODE] = words[scramble(i) % n];
}

#define STORE(words, i)	store_code(words, sizeof(words) / sizeof(*words), i)

static void store_user_code(uint32_t i)
{
	static const uint16_t words[] = {
		0x80e4, 0x80e6, 0x90fb, 0x90fa, 0x90f4, 0x80cd, 0xa20f, 0x310f,
		0x060f, 0x080f, 0x320f, 0x6c90, 0x90ec, 0x0b0f, 0x9090,
	};

	STORE(words, i);
}

static void run_user_code(uint32_t i)
{
	run_user(play(U_CODE), play(U_STACK) + PAGE, i, i, false);
}

static void race_user_code(uint32_t arg)
{
	(void)arg;
	race_set_up(false);
	pages[U_CODE][2] = 0xcd;
	pages[U_CODE][3] = VEC_SYSCALL;
	race(run_user_code, store_user_code);
}

static void store_kernel_code(uint32_t i)
{
	static const uint16_t words[] = {
		0x060f, 0x310f, 0xa20f, 0x090f, 0x80e4, 0x80e6, 0x80e5, 0x0b0f,
	};

	STORE(words, i);
}

static void run_kernel_code(uint32_t i)
{
	(void)i;
	safe_call(play(U_CODE), 0x80);
}

static void race_kernel_code(uint32_t arg)
{
	(void)arg;
	race_set_up(false);
	store_kernel_code(0);
	pages[U_CODE][2] = 0xc3;
	race(run_kernel_code, store_kernel_code);
}

/* MOVs of the local APIC's memory, that become each other. */
static void store_mmio_code(uint32_t i)
{
	static const uint16_t words[] = {
		0x018b, 0x118b, 0x0189, 0x1189, 0x098b,
	};

	STORE(words, i);
}

static void store_any_mmio_code(uint32_t i)
{
	static const uint16_t words[] = {
		0x018b, 0x118b, 0x0189, 0x01ff, 0x018a, 0x0187, 0x018b,
		0x018b, 0x0189,
	};

	STORE(words, i);
}

static void run_mmio_code(uint32_t i)
{
	safe_call(play(U_CODE), play(DEVICE) + (i & 1 ? APIC_TPR : APIC_LDR));
}

static void mmio_case(bool any)
{
	race_set_up(any);
	map(DEVICE, APIC_AT | PTE_P | PTE_W);
	store_mmio_code(0);
	pages[U_CODE][2] = 0xc3;
	race(run_mmio_code, any ? store_any_mmio_code : store_mmio_code);
}

static void race_mmio(uint32_t arg)
{
	(void)arg;
	mmio_case(false);
}

static void race_mmio_any(uint32_t arg)
{
	(void)arg;
	mmio_case(true);
}

/* The code's page itself comes and goes. */
static void move_code(uint32_t i)
{
	map(CODE, scramble(i) % 4 ? MAPS(pages[U_CODE], PTE_W) : 0);
	vmi1(InvalPage, play(CODE));
}

static void run_moving_code(uint32_t i)
{
	vmi1(InvalPage, play(CODE));
	safe_call(play(CODE), play(DEVICE) + (i & 1 ? APIC_TPR : APIC_LDR));
}

static void race_code_page(uint32_t arg)
{
	(void)arg;
	race_set_up(true);
	map(DEVICE, APIC_AT | PTE_P | PTE_W);
	pages[U_CODE][0] = 0x8b;
	pages[U_CODE][1] = 0x01;
	pages[U_CODE][2] = 0xc3;
	race(run_moving_code, move_code);
}

/* ---- the state of a third -------------------------------------------------------------- */

#define THIRD		2u
#define BLOCK		((volatile struct vmi_ap_state *)block_page)
#define BLOCK_PAGE	(U_FREE + 22)

static void store_block(uint32_t i)
{
	static const uint32_t selectors[] = {
		KERNEL_CS, KERNEL_DS, USER_CS, USER_DS, 0, 0xffff,
	};
	const uint32_t n = scramble(i);

	BLOCK->cs = n % 4 ? KERNEL_CS : selectors[n / 4 % 6];
	BLOCK->ss = n & 0x300 ? KERNEL_DS : selectors[(n >> 10) % 6];
	BLOCK->ds = selectors[(n >> 13) % 6];
	BLOCK->cr0 = n & 0x70000 ? race_state.cr0 : scramble(n);
	BLOCK->cr3 = n & 0x380000 ? race_state.cr3 : scramble(n + 1);
	BLOCK->gdtr_base = n & 0xc00000 ? race_state.gdtr_base : scramble(n);
	BLOCK->eflags = n & 0x7000000 ? EFLAGS_FIXED : scramble(n + 2);
}

static void move_block(uint32_t i)
{
	map(BLOCK_PAGE, scramble(i) % 4 ? MAPS(block_page, PTE_W) : 0);
	if (i % 4 == 0)
		store_block(i);
	vmi1(InvalPage, play(BLOCK_PAGE));
}

static void start_third(uint32_t i)
{
	vmi1(InvalPage, play(BLOCK_PAGE));
	send_init(THIRD);
	vmi2(SetInitialAPState, play(BLOCK_PAGE), THIRD);
	send_startup(THIRD);
	for (uint32_t n = scramble(i) % 256; n; n--)
		relax();
}

static void block_case(step *theirs)
{
	race_set_up(true);
	*(struct vmi_ap_state *)block_page = processor_state(THIRD);
	map(BLOCK_PAGE, MAPS(block_page, PTE_W));
	race(start_third, theirs);
}

static void race_block(uint32_t arg)
{
	(void)arg;
	block_case(store_block);
}

static void race_block_page(uint32_t arg)
{
	(void)arg;
	block_case(move_block);
}

/* ---- two guests ---------------------------------------------------------------------- */

static void jump(uint8_t *from, uint32_t at, uint32_t to)
{
	*(volatile uint32_t *)(from + 1) = to - at - 5;
	*(volatile uint8_t *)from = 0xe9;
}

/* The one jump to the ROM's IRET moves, here and in a guest of the same kind to
 * other places: the hypervisor finds each guest's own. VMI-3.2.33. */
static void race_sites(uint32_t arg)
{
	uint8_t (*places)[16] = race_places + 2 * option_number("seat");
	const uint32_t entry = vmi_entry[VMI_CALL_IRET];
	uint32_t wrong = 0, i, n;

	(void)arg;
	race_set_up(false);
	for (i = 0; race_on(); i++) {
		uint8_t *now = places[i & 1];

		jump(now, (uintptr_t)now, entry);
		jump(iret_site, (uintptr_t)iret_site + LINEAR, (uintptr_t)now);
		for (n = 0; n < 5; n++)
			places[~i & 1][n] = 0x90;
		iret_to(0x3fb, (uintptr_t)now);
		wrong += race_fault != (uintptr_t)now;
	}
	same(wrong, 0, "each fault is where its jump stands");
}

#define THREE(name, run, ...)						\
	CASE_ARG("race_" #name, run, 0, .boot = "cpus=3", ##__VA_ARGS__)

const struct attack race_cpu_cases[] = {
	RACE(gdt, race_gdt),
	RACE(gdt_loaded, race_gdt_loaded),
	RACE(ldt, race_ldt),
	RACE(gate, race_gate),
	RACE(gates, race_gates),
	RACE(idt, race_idt),
	RACE(frames, race_frames),
	RACE(frame_selectors, race_frame_selectors),
	RACE(stack, race_stack, .end = ANY_END),
	RACE(user_code, race_user_code),
	RACE(kernel_code, race_kernel_code),
	RACE(mmio, race_mmio),
	RACE(mmio_any, race_mmio_any, .end = ANY_END),
	RACE(code_page, race_code_page, .end = ANY_END),
	THREE(block, race_block, .end = ANY_END),
	THREE(block_page, race_block_page, .end = ANY_END),
	CASE(race_sites, .boot = "cpus=1 twin"),
	CASES_END
};

// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest among others. "TASK=N" on its command line says how it behaves,
 * until N / 1024 seconds of real time have passed since VMI_Init; then it
 * tells what it got done.
 *
 *	busy	computes, and never gives the processor away
 *	light	halts for 1/1024 seconds again and again
 *	deaf	computes, with an alarm of one cycle that it never acknowledges
 *	nervous	halts for one cycle again and again
 *	greedy	computes for two milliseconds and halts for a quarter of one
 *	late	sleeps for a quarter of the time, then computes
 *	dying	runs into an exception that it has no handler for
 *	masked	halts until the end, with a PIT at full speed that is masked
 *	numb	halts until the end, with both alarms through a masked LVTT
 *	closed	the same through the 8259, whose way in, LVT0, is masked
 *	low	the same with a priority that keeps the alarms from it
 *	awake	the same with alarms that wake it each time
 *	reading	halts until 65536 keys were typed at its console
 *	chatty	prints, whether somebody reads or not
 *	leaving	is in a context switch: its LDT has gone, GS still names it
 *	watched	has breakpoints, on half of what it runs and writes; "seed" says
 *		on which half
 *	linked	has page tables that thousands of entries link, and flushes
 *
 * The work is a checksum in rounds. Whoever reads the result can compute it
 * from their number, so that a single wrong register shows. "seed=N" makes
 * what is kept in registers another than the neighbours'.
 */
#include "calls.h"
#include "cmdline.h"
#include "cpu.h"
#include "paging.h"
#include "pc.h"
#include "tap.h"

#define ROUND		4096u		/* steps */
#define TLS		(SPARE_GDT * 8 + 3)

static uint32_t sum = 1, rounds;
static uint32_t seed;			/* in ST0 and XMM7, and behind GS */
static uint64_t end;
static uint64_t seen, gap;		/* longest time between two looks */
static uint32_t turns, lost;		/* of something; times that GS was */

static uint64_t cycles(uint32_t counter)
{
	return vmi64(VMI_CALL_GetCycleCounter, counter);
}

static bool time_left(void)
{
	uint64_t now = cycles(VMI_CYCLES_REAL);

	if (seen && now - seen > gap)
		gap = now - seen;
	seen = now;
	return now < end;
}

/* ---- the work --------------------------------------------------------------- */

static void keep_seed(void)
{
	write_gdt(SPARE_GDT, descriptor((uintptr_t)&seed, 0xffff, 0x00cff300));
	__asm__ volatile("fninit\n\tfildl %0\n\tmovd %0, %%xmm7\n\t"
			 "mov %1, %%gs" : : "m"(seed), "r"(TLS));
}

static bool seed_kept(void)
{
	uint32_t st0, xmm7, gs;

	__asm__ volatile("fistl %0\n\tmovd %%xmm7, %1\n\tmovl %%gs:0, %2"
			 : "=m"(st0), "=m"(xmm7), "=r"(gs));
	return st0 == seed && xmm7 == seed && gs == seed;
}

static void work(void)
{
	uint32_t i;

	for (i = 0; i < ROUND; i++)
		sum = sum * 1664525 + 1013904223;
	rounds++;
	if (!seed_kept()) {
		print("registers lost in round %u\n", rounds);
		vmi0(Shutdown);
	}
}

/* In units of 1024 cycles. */
static void report(void)
{
	uint64_t stolen = cycles(VMI_CYCLES_STOLEN);
	uint64_t available = cycles(VMI_CYCLES_AVAILABLE);
	uint64_t real = cycles(VMI_CYCLES_REAL);

	print("rounds=%u checksum=%u real=%u available=%u stolen=%u gap=%u "
	      "irqs=%u turns=%u lost=%u\n", rounds, sum, (uint32_t)(real >> 10),
	      (uint32_t)(available >> 10), (uint32_t)(stolen >> 10),
	      (uint32_t)(gap >> 10), irq0_count, turns, lost);
}

/* ---- the tasks -------------------------------------------------------------- */

static void busy(void)
{
	while (time_left())
		work();
}

static void halting(uint64_t period, uint32_t count)
{
	uint32_t i;

	while (time_left()) {
		set_alarm(VMI_CYCLES_REAL, cycles(VMI_CYCLES_REAL) + period, 0);
		vmi0(Halt);
		vmi0(DisableInterrupts);
		for (i = 0; i < count; i++)
			work();
	}
}

static void light(void)
{
	halting(cycles_per_second() >> 10, 1);
}

static void nervous(void)
{
	halting(1, 1);
}

static void greedy(void)
{
	halting(cycles_per_second() >> 12, 128);
}

static void late(void)
{
	set_alarm(VMI_CYCLES_REAL, end / 4, 0);
	vmi0(Halt);
	vmi0(DisableInterrupts);
	busy();
}

static void deaf(void)
{
	set_alarm(VMI_CYCLES_REAL | VMI_ALARM_PERIODIC, 0, 1);
	busy();
}

static void dying(void)
{
	static const struct {
		uint16_t	limit;
		uint32_t	base;
	} __attribute__((packed)) empty;

	busy();
	vmi1(SetIDT, (uintptr_t)&empty);
	__asm__ volatile("ud2");
}

#define LVTT_VECTOR	0x40
#define APIC_TPR	0x80
#define APIC_EOI	0xb0
#define APIC_SPURIOUS	0xf0
#define APIC_LVTT	0x320
#define APIC_LVT0	0x350
#define LVT_MASKED	0x10000u

static void lvtt(struct frame *f)
{
	(void)f;
	turns++;
	vmi2(APICWrite, APIC_EOI, 0);
}

static void lvtt_init(uint32_t mask)
{
	vector_hook[LVTT_VECTOR] = lvtt;
	vmi2(APICWrite, APIC_SPURIOUS, 0x1ff);
	vmi2(APICWrite, APIC_LVTT, LVTT_VECTOR | mask);
}

static void masked(void)
{
	lvtt_init(0);
	outb(0x21, 0xff);
	outb(0x43, 0x34);		/* mode 2, every second tick */
	outb(0x40, 2);
	outb(0x40, 0);
	set_alarm(VMI_CYCLES_REAL | VMI_ALARM_LVTT, end, 0);
	vmi0(Halt);
	vmi0(DisableInterrupts);
}

/* Both alarms as often as they may come, never at the same time. */
static void set_both(uint32_t flags)
{
	uint32_t period = (uint32_t)cycles_per_second() / 1999;

	flags |= VMI_ALARM_PERIODIC;
	set_alarm(flags | VMI_CYCLES_REAL, period, period);
	set_alarm(flags | VMI_CYCLES_AVAILABLE, period / 2, period);
}

/* Until the end, of which a PIT as slow as can be reminds us. */
static void sleep_by_pit(void)
{
	outb(0x43, 0x34);
	outb(0x40, 0);
	outb(0x40, 0);
	while (time_left()) {
		vmi0(Halt);
		vmi0(DisableInterrupts);
	}
}

static void numb(void)
{
	lvtt_init(LVT_MASKED);
	set_both(VMI_ALARM_LVTT);
	sleep_by_pit();
}

static void closed(void)
{
	lvtt_init(0);
	vmi2(APICWrite, APIC_LVT0, LVT_MASKED | 0x700);
	outb(0x43, 0x34);
	outb(0x40, 2);
	outb(0x40, 0);
	set_alarm(VMI_CYCLES_AVAILABLE | VMI_ALARM_PERIODIC, 0, 1);
	set_alarm(VMI_CYCLES_REAL | VMI_ALARM_LVTT, end, 0);
	vmi0(Halt);
	vmi0(DisableInterrupts);
}

static void low(void)
{
	lvtt_init(0);
	vmi2(APICWrite, APIC_TPR, LVTT_VECTOR | 0xf);
	set_both(VMI_ALARM_LVTT);
	sleep_by_pit();
}

static void awake(void)
{
	lvtt_init(0);
	set_both(VMI_ALARM_LVTT);
	sleep_by_pit();
}

static void typed(struct frame *f)
{
	(void)f;
	for (; inb(COM1 + 5) & 1; turns++)
		inb(COM1);
	outb(0x20, 0x20);
}

static void reading(void)
{
	vector_hook[VEC_IRQ0 + 4] = typed;
	outb(0x21, 0xee);
	outb(COM1 + 1, 1);		/* received data */
	outb(COM1 + 4, 0xb);
	while (turns < 1 << 16) {
		vmi0(Halt);
		vmi0(DisableInterrupts);
	}
}

static void chatty(void)
{
	while (time_left())
		print("0123456789abcdef0123456789abcdef\n");
	print("\n");
}

#define LDT_SELECTOR	((SPARE_GDT + 1) * 8)

static void leaving(void)
{
	static uint64_t ldt[2] __attribute__((aligned(8))) = {
		0, 0x00cff2000000ffff
	};
	uint32_t gs, i;

	write_gdt(LDT_SELECTOR / 8, descriptor((uintptr_t)ldt, 15, 0x8200));
	while (time_left()) {
		vmi1(SetLDT, LDT_SELECTOR);
		__asm__ volatile("mov %0, %%gs" : : "r"(8 | 4 | 3));
		vmi1(SetLazyMode, VMI_LAZY_CPU);
		vmi1(SetLDT, 0);
		for (i = 0; i < 1 << 20; i++)
			__asm__ volatile("");
		__asm__ volatile("mov %%gs, %0" : "=r"(gs));
		vmi1(SetLazyMode, VMI_LAZY_NONE);
		lost += gs != (8 | 4 | 3);
		turns++;
	}
}

#define DR6_CLEAR	0xffff0ff0u
#define DR7_FIXED	0x400u
#define EFLAGS_RF	0x10000u

/* Four functions of two bytes; and words to write. */
extern uint8_t watched_code[];
__asm__("watched_code:\n\t.rept 4\n\tnop\n\tret\n\t.endr");
static volatile uint32_t watched_word[4];
static volatile uint32_t hit;		/* DR6 of the last #DB, or 0 */
static uint32_t hit_at;

static void debug(struct frame *f)
{
	hit = vmi1(GetDR, 6) & 15;
	hit_at = f->eip;
	vmi2(SetDR, 6, DR6_CLEAR);
	f->eflags |= EFLAGS_RF;		/* past the one on code */
}

/* Not one that is not ours, and each of ours once. */
static void expect_hit(uint32_t bit, uint32_t at)
{
	lost += hit != bit || (hit && at && hit_at != at);
	turns += hit != 0;
	hit = 0;
}

/*
 * DR0 and DR2 on code, DR1 and DR3 on words if seed is odd; else the other way
 * round, and at those that an odd one leaves alone.
 */
static void watched(void)
{
	uint32_t odd = seed & 1, i, n, dr7 = DR7_FIXED, own[4];

	vector_hook[1] = debug;
	for (i = 0; i < 4; i++) {
		bool code = (i & 1) != odd;

		n = odd ? i : i ^ 2;
		own[n] = i;
		vmi2(SetDR, i, code ? (uintptr_t)watched_code + 2 * n :
				      (uintptr_t)&watched_word[n]);
		dr7 |= 2u << i * 2 | (code ? 0u : 0xdu) << (16 + i * 4);
	}
	vmi2(SetDR, 7, dr7);
	while (time_left()) {
		for (n = 0; n < 4; n++) {
			bool code = (own[n] & 1) != odd;
			uint32_t at = (uintptr_t)watched_code + 2 * n;

			__asm__ volatile("call *%0" : : "r"(at) : "memory");
			expect_hit(code ? 1u << own[n] : 0, at);
			watched_word[n] = n;
			expect_hit(code ? 0 : 1u << own[n], 0);
		}
		set_alarm(VMI_CYCLES_REAL, cycles(VMI_CYCLES_REAL) +
			  (cycles_per_second() >> 13), 0);
		vmi0(Halt);
		vmi0(DisableInterrupts);
	}
	vmi2(SetDR, 7, DR7_FIXED);
}

/* Directories with these tables at 1 to 3 GB, one after the other. */
#define TABLES		256u
#define DIRECTORIES	512u
#define TABLES_AT	(8u << 20)
#define DIRECTORY(n)	(TABLES_AT + (TABLES + (n)) * PAGE)

static void linked(void)
{
	uint32_t i, n, *d;

	for (i = 0; i < TABLES * 1024; i++)
		linear((void *)TABLES_AT)[i] = TABLES_AT | PTE_P | PTE_W;
	for (n = 0; n < DIRECTORIES; n++) {
		d = linear((void *)DIRECTORY(n));
		for (i = 0; i < 1024; i++)
			d[i] = i < 256 || i >= 768 ? page_directory[i] :
			       (TABLES_AT + i % TABLES * PAGE) | PTE_P | PTE_W;
		vmi4(VMI_CALL_AllocatePage, DIRECTORY(n) / PAGE,
		     VMI_PAGE_PD | VMI_PAGE_ZEROED, 0, 0);
		vmi2(SetCR3, DIRECTORY(n), 0);
		probe_read(1u << 30);	/* for a shadow of these */
		probe_read(2u << 30);
	}
	while (time_left()) {
		for (i = 256; i < 768; i++) {
			probe_read(i << 22);
			probe_read(i << 22 | 2 << 20);
		}
		vmi2(SetCR3, DIRECTORY(turns++ % DIRECTORIES), 0);
	}
	vmi2(SetCR3, (uintptr_t)page_directory, 0);
}

static const struct {
	const char	*name;
	void		(*run)(void);
} tasks[] = {
	{ "busy", busy }, { "light", light }, { "nervous", nervous },
	{ "greedy", greedy }, { "late", late },
	{ "deaf", deaf }, { "dying", dying }, { "masked", masked },
	{ "numb", numb }, { "closed", closed }, { "low", low },
	{ "awake", awake }, { "reading", reading }, { "chatty", chatty },
	{ "leaving", leaving }, { "linked", linked },
	{ "watched", watched },
};

void guest_main(void)
{
	uint32_t i, units = 0;

	cpu_init();
	if (!vmi_find() || vmi_init()) {
		print("no VMI\n");
		pc_reset();
	}
	vmi_fetch_entries();
	vmi4(VMI_CALL_SetLinearMapping, 0, LINEAR, MAPPED / PAGE, 0);
	announce_tables();
	pic_init();
	seed = option_number("seed");
	keep_seed();
	for (i = 0; i < sizeof(tasks) / sizeof(*tasks); i++) {
		units = option_number(tasks[i].name);
		end = (cycles_per_second() >> 10) * units;
		if (units)
			tasks[i].run();
	}
	report();
	vmi0(Shutdown);
}

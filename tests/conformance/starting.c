// SPDX-License-Identifier: GPL-2.0-only
/* How further processors start, and how they do not: VMI-3.8.1 to VMI-3.8.4, INIT. */
#include "several.h"

#define CR0_PE		0x1u
#define CR0_PG		0x80000000u
#define CR4_PAE		0x20u
#define EFER_NXE	0x800u
#define MSR_EFER	0xc0000080u
#define ARITHMETIC	0x8d5u		/* OF, SF, ZF, AF, PF, CF */
#define NO_MEMORY	0xbffff000u	/* a machine of 64 MB has none here */
#define NOWHERE		0x70000000u	/* nothing is mapped here */
#define NOBODY		0x77u		/* no processor has this APIC id */
#define LDT_SELECTOR	0x88u
#define DATA3		0x0040f20000000000ull

static uint64_t ldt[4] __attribute__((aligned(8)));

/* A good block for the processor that notes what it is given. */
static struct vmi_ap_state state_to_dump(void)
{
	struct vmi_ap_state s = processor_state(OTHER);

	dump_processor = &processor[OTHER];
	dump_stack = s.esp;
	processor[OTHER].work = NULL;
	s.eip = PTR(dump_entry);
	return s;
}

/* Its loop runs. */
static void wait_for(uint32_t starts)
{
	while (processor[OTHER].starts == starts)
		relax();
}

/* All that a guest can tell is that it does not run. */
static void refused(const struct vmi_ap_state *s, const char *name)
{
	const uint32_t before = dumps;

	processor_boot(OTHER, s);
	wait_a_tick();
	is("3.8.4", dumps, before, name);
}

static void bad_blocks(void)
{
	const struct vmi_ap_state good = state_to_dump();
	struct vmi_ap_state s;

	refused((const void *)NOWHERE,
		"it does not start with a block that cannot be read");
	s = good;
	s.cr0 &= ~CR0_PG;
	refused(&s, "nor with paging off");
	s = good;
	s.cr0 &= ~(CR0_PE | CR0_PG);
	refused(&s, "nor in real mode");
	s = good;
	s.cr3 = NO_MEMORY;
	refused(&s, "nor with CR3 outside memory");
	s = good;
	s.cs = 0;
	refused(&s, "nor with CS null");
	s = good;
	s.cs = KERNEL_DS;
	refused(&s, "nor with data in CS");
	s = good;
	s.cs = sizeof(processor[OTHER].gdt);
	refused(&s, "nor with CS beyond the GDT");
	s = good;
	s.cs = USER_CS;
	refused(&s, "nor with user code in CS");
	s = good;
	s.ss = 0;
	refused(&s, "nor with SS null");
	s = good;
	s.ss = KERNEL_CS;
	refused(&s, "nor with code in SS");
	s = good;
	s.gdtr_base = NOWHERE;
	refused(&s, "nor with a GDT that is not mapped");
	s = good;
	s.ldtr = USER_DS;
	refused(&s, "nor with data in LDTR");
	s = good;
	s.cr4 ^= CR4_PAE;
	refused(&s, "nor with the other kind of page tables");
	is("3.8.4", dumps, 0, "it has not run with any of them");

	vmi2(SetInitialAPState, PTR(&good), NOBODY);
	refused((const void *)NOWHERE,
		"a block for an id that nobody has is nobody's");
	processor_start(OTHER, &good);
	is("3.8.1", dumps, 1, "with a good block it starts, once");
}

static struct vmi_ap_state full_state(void)
{
	struct vmi_ap_state s = state_to_dump();

	s.eax = 0x11223344;
	s.ebx = 0x22334455;
	s.ecx = 0x33445566;
	s.edx = 0x44556677;
	s.esi = 0x55667788;
	s.edi = 0x66778899;
	s.ebp = 0x778899aa;
	s.esp -= 64;
	s.eflags = ARITHMETIC;		/* without bit 1 */
	s.cr2 = 0x8899aabb;
	s.ds = ODD_DS;
	s.es = USER_DS;
	s.fs = ODD_DS;
	s.gs = USER_DS;
	ldt[1] = DATA3 | 0x44;
	processor[OTHER].gdt[LDT_SELECTOR / 8] =
		descriptor(PTR(ldt), sizeof(ldt) - 1, 0x8200);
	s.ldtr = LDT_SELECTOR;
	return s;
}

static uint64_t other_efer;
static uint32_t other_limit, other_fsw;
static uint8_t pointer_there[6];

static void note_more(uint32_t arg)
{
	uint16_t fsw;

	(void)arg;
	other_efer = nx ? rdmsr(MSR_EFER) : 0;
	other_limit = limit_of(1 * 8 + 7);
	__asm__ volatile("fnstsw %0" : "=a"(fsw));
	other_fsw = fsw;
}

static void registers_of_it(void)
{
	const struct vmi_ap_state s = full_state();

	processor_start(OTHER, &s);
	is("3.8.1", dumped.eax, s.eax, "EAX of the block");
	is("3.8.1", dumped.ebx, s.ebx, "EBX");
	is("3.8.1", dumped.ecx, s.ecx, "ECX");
	is("3.8.1", dumped.edx, s.edx, "EDX");
	is("3.8.1", dumped.esi, s.esi, "ESI");
	is("3.8.1", dumped.edi, s.edi, "EDI");
	is("3.8.1", dumped.ebp, s.ebp, "EBP");
	is("3.8.1", dumped.esp, s.esp, "ESP");
	is("3.8.1", dumped.eflags & ARITHMETIC, ARITHMETIC, "flags");
	is("3.8.3", dumped.eflags & EFLAGS_FIXED, EFLAGS_FIXED,
	   "bit 1 of EFLAGS may be missing");
	is("3.8.3", dumped.cs & 0xfffc, KERNEL_CS, "CS with RPL 0");
	is("3.8.3", dumped.ss & 0xfffc, KERNEL_DS, "SS with RPL 0");
	is("3.8.3", dumped.cs & 3, kernel_ring(), "it runs in the kernel's ring");
	is("3.8.1", dumped.ds & 0xffff, s.ds, "DS");
	is("3.8.1", dumped.es & 0xffff, s.es, "ES");
	is("3.8.1", dumped.fs & 0xffff, s.fs, "FS");
	is("3.8.1", dumped.gs & 0xffff, s.gs, "GS");
	is("3.8.1", other_call(VMI_CALL_GetCR2, 0, 0), s.cr2, "CR2");
	is("3.8.1", other_call(VMI_CALL_GetCR0, 0, 0), s.cr0, "CR0");
	is("3.8.1", other_call(VMI_CALL_GetCR3, 0, 0), s.cr3, "CR3");
	is("3.8.1", other_call(VMI_CALL_GetCR4, 0, 0), s.cr4, "CR4");
	is("3.8.1", other_call(VMI_CALL_GetLDT, 0, 0) & ~3u, s.ldtr, "LDTR");
	other_call(VMI_CALL_GetGDT, PTR(pointer_there), 0);
	point("3.8.1", *(uint16_t *)pointer_there == s.gdtr_limit &&
	      *(uint32_t *)(pointer_there + 2) == s.gdtr_base, "GDTR");
	other_call(VMI_CALL_GetIDT, PTR(pointer_there), 0);
	point("3.8.1", *(uint16_t *)pointer_there == s.idtr_limit &&
	      *(uint32_t *)(pointer_there + 2) == s.idtr_base, "IDTR");
	run_on(OTHER, note_more, 0);
	is("3.8.1", other_limit, 0x44, "its LDT is in use");
	is("3.8.1", other_efer & EFER_NXE, nx ? EFER_NXE : 0, "EFER");
	is("3.8.3", other_fsw, 0, "the FPU has nothing in it");
	is("3.8.3", other_call(VMI_CALL_GetDR, 0, 0), 0, "DR0 is 0");
	is("3.8.3", other_call(VMI_CALL_GetDR, 7, 0) & 0xff, 0,
	   "DR7 has no breakpoint on");
	is("3.8.3", other_call(VMI_CALL_GetInterruptMask, 0, 0) & EFLAGS_IF, 0,
	   "the interrupt flag is off as in EFLAGS");
}

static void the_block(void)
{
	struct vmi_ap_state s = full_state(), t;
	const uint32_t id = processor[OTHER].id;
	uint32_t starts;

	s.eflags |= EFLAGS_IF;
	s.gs = 30 * 8 + 3;			/* nothing is there */
	processor_start(OTHER, &s);
	is("3.8.3", other_call(VMI_CALL_GetInterruptMask, 0, 0) & EFLAGS_IF,
	   EFLAGS_IF, "it is on if EFLAGS says so");
	is("3.8.4", dumped.gs & 0xfffc, 0,
	   "a data segment that is not usable becomes null");

	s = full_state();
	starts = processor[OTHER].starts;
	send_init(id);
	vmi2(SetInitialAPState, PTR(&s), id);
	for (uint32_t i = 0; i < sizeof(s); i++)
		((volatile uint8_t *)&s)[i] = 0xff;
	send_startup(id);
	wait_for(starts);
	is("3.8.2", dumped.ebx, 0x22334455,
	   "the block has been copied when the call returns");

	s = full_state();
	t = s;
	t.eax = 1;
	starts = processor[OTHER].starts;
	send_init(id);
	vmi2(SetInitialAPState, PTR(&t), id);
	vmi2(SetInitialAPState, PTR(&s), id);
	send_interrupt(id, ICR_STARTUP | 0x9f);
	wait_for(starts);
	is("3.8.2", dumped.eax, s.eax, "the last of two blocks counts");
	is("3.8.1", dumped.esp, s.esp, "and the vector of STARTUP does not");

	starts = dumps;
	t.eip = PTR(dump_entry);
	vmi2(SetInitialAPState, PTR(&t), id);
	send_startup(id);
	send_startup(id);
	wait_a_tick();
	run_on(OTHER, note_more, 0);
	is("3.8.6", dumps, starts, "STARTUP to one that runs does nothing");

	/* the block above, if it was kept, is not of this start */
	s = full_state();
	processor_start(OTHER, &s);
	starts = dumps;
	send_init(id);
	send_startup(id);
	wait_a_tick();
	is("3.8.2", dumps, starts, "a block is for one start");
}

static volatile uint32_t turns;

static void turn(uint32_t arg)
{
	(void)arg;
	for (;;)
		turns++;
}

static void announce_there(uint32_t entry)
{
	play_map(TEST_PAGE, entry);
}

static void init_stops(void)
{
	const struct vmi_ap_state s = processor_state(OTHER);
	uint32_t before;

	processor_start(OTHER, &s);
	begin_on(OTHER, turn, 0);
	while (!turns)
		relax();
	processor_stop(OTHER);
	do {			/* else this is the end of the suite */
		before = turns;
		wait_a_tick();
	} while (turns != before);
	point("3.8.7", true, "INIT stops a processor that runs");
	before = processor[OTHER].starts;
	processor_start(OTHER, &s);
	is("3.8.7", processor[OTHER].starts, before + 1,
	   "which can start again");

	play_map(TEST_PAGE, frame_entry(1));
	flush();
	is("3.8.8", other_read(TEST_PAGE), FRAME_MARK + 1,
	   "memory and tables are the same on both");
	(void)play_read(TEST_PAGE);
	run_on(OTHER, announce_there, frame_entry(2));
	processor_stop(OTHER);
	wait_a_tick();
	flush();
	is("3.8.7", play_read(TEST_PAGE), FRAME_MARK + 2,
	   "what it had announced before INIT stays announced");
	processor_start(OTHER, &s);
}

void starting(void)
{
	struct vmi_ap_state s;
	uint32_t running = 1;

	is("3.8.6", apic_get(APIC_ID) >> 24, processor[0].id,
	   "the MP table has the APIC id of the processor that boots");
	bad_blocks();
	registers_of_it();
	the_block();
	init_stops();
	for (uint32_t n = 1; n < processors; n++) {
		s = processor_state(n);
		processor_start(n, &s);
		running += processor[n].starts > 0;
	}
	is("3.8.1", running, processors, "all that the MP table lists start");
}

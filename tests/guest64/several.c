// SPDX-License-Identifier: GPL-2.0-only
/* Further processors: how they start and how they do not, what each has for itself,
 * interrupts between them. VMI64-3.8. */
#include "processors.h"

#define CR0_PE		0x1ull
#define CR0_PG		0x80000000ull
#define CR4_PAE		0x20ull
#define EFER_LME	0x100ull
#define ARITHMETIC	0x8d5ull	/* OF, SF, ZF, AF, PF, CF */
#define NO_MEMORY	0xbffff000ull	/* a machine of 64 MB has none here */
#define NOWHERE		0x70000000ull	/* nothing is mapped here */
#define NOT_CANONICAL	(1ull << 47)
#define NOBODY		0x77u		/* no processor has this APIC id */
#define KERNEL_CS32	(SPARE_GDT * 8)
#define READ_ONLY	(SPARE_GDT * 8 + 8)
#define PER_CPU		0xffff900000000000ull
#define VECTOR		0x45u
#define ROUNDS		100u

static uint64_t ldt[4] __attribute__((aligned(16)));

/* ---- the block ---------------------------------------------------------------- */

/* All that a guest can tell is that it does not run. */
static void refused(const struct vmi64_ap_state *s, const char *name)
{
	const uint32_t before = notes;

	processor_boot(OTHER, s);
	wait_a_tick();
	same64(notes, before, name);
}

#define REFUSED(field, value, name) do {				\
	struct vmi64_ap_state s_ = processor_state(OTHER);		\
									\
	processor[OTHER].gdt[KERNEL_CS32 / 8] = 0x00cf9b000000ffff;	\
	processor[OTHER].gdt[READ_ONLY / 8] = 0x00cf91000000ffff;	\
	s_.field = (value);						\
	refused(&s_, name);						\
} while (0)

static void bad_blocks(void)
{
	const struct vmi64_ap_state good = processor_state(OTHER);

	about("VMI-3.8.4");
	refused((const void *)NOWHERE,
		"it does not start with a block that cannot be read");
	about("VMI64-3.8.1");
	REFUSED(cr0, good.cr0 & ~CR0_PG, "nor with paging off");
	REFUSED(cr0, good.cr0 & ~(CR0_PE | CR0_PG), "nor in real mode");
	REFUSED(cr4, good.cr4 & ~CR4_PAE, "nor without CR4.PAE");
	REFUSED(efer, good.efer & ~EFER_LME, "nor without EFER.LME");
	REFUSED(cr3, NO_MEMORY, "nor with CR3 outside memory");
	REFUSED(rip, NOT_CANONICAL, "nor with RIP not canonical");
	REFUSED(rsp, NOT_CANONICAL, "nor RSP");
	REFUSED(fs_base, NOT_CANONICAL, "nor the FS base");
	REFUSED(gs_base, NOT_CANONICAL, "nor the GS base");
	REFUSED(kernel_gs_base, NOT_CANONICAL, "nor KERNEL_GS_BASE");
	REFUSED(cs, 0, "nor with CS null");
	REFUSED(cs, KERNEL_DS, "nor with data in CS");
	REFUSED(cs, sizeof(processor[OTHER].gdt), "nor with CS beyond the GDT");
	REFUSED(cs, USER_CS, "nor with user code in CS");
	REFUSED(cs, KERNEL_CS32, "nor with 32-bit code in CS");
	REFUSED(ss, KERNEL_CS, "nor with code in SS");
	REFUSED(ss, USER_DS, "nor with user mode's data in SS");
	REFUSED(ss, READ_ONLY, "nor with a read-only SS");
	REFUSED(gdtr_base, NOWHERE, "nor with a GDT that is not mapped");
	REFUSED(ldtr, USER_DS, "nor with data in LDTR");
	same64(notes, 0, "it has not run with any of them");

	about("VMI64-3.2.62");
	vmi2(SetInitialAPState, &good, NOBODY);
	refused((const void *)NOWHERE,
		"a block for an id that nobody has is nobody's");
	processor_start(OTHER, &good);
	same64(notes, 1, "with a good block it starts, once");
}

static struct vmi64_ap_state full_state(void)
{
	struct vmi64_ap_state s = processor_state(OTHER);
	uint64_t *entry = processor[OTHER].gdt + LDT_SELECTOR / 8;
	const uint64_t at = (uint64_t)ldt;
	uint64_t value = 0x0123456789abcdef;

#define SOME(reg)	s.reg = value += 0x1111111111111111
	SOME(rax), SOME(rbx), SOME(rcx), SOME(rdx), SOME(rsi), SOME(rbp);
	SOME(r8), SOME(r9), SOME(r10), SOME(r11);
	SOME(r12), SOME(r13), SOME(r14), SOME(r15);
#undef SOME
	s.rsp -= 64;
	s.rflags = ARITHMETIC;		/* without bit 1 */
	s.cr2 = 0x8899aabbccddeeff;
	s.efer |= EFER_SCE;
	s.fs_base = 0x7fff00001000;
	s.gs_base = PER_CPU;
	s.kernel_gs_base = PER_CPU + PAGE;
	s.fs = USER_DS;
	ldt[1] = 0x00cff3000000ffff;
	entry[0] = (sizeof(ldt) - 1) | (at & 0xffffff) << 16 | 0x82ull << 40 |
		   (at >> 24 & 0xff) << 56;
	entry[1] = at >> 32;
	s.ldtr = LDT_SELECTOR;
	return s;
}

static uint64_t msr_there[5];

static void read_msrs(uint64_t arg)
{
	static const uint32_t msr[] = {
		MSR_EFER, MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_FMASK
	};

	(void)arg;
	for (uint32_t i = 0; i < 5; i++)
		msr_there[i] = rdmsr64(msr[i]);
}

static void load_ds(uint64_t sel)
{
	msr_there[0] = (uint64_t)probe_load_ds((uint32_t)sel);
	probe_load_ds(USER_DS);
}

static void fpu_status(uint64_t arg)
{
	uint16_t fsw;

	(void)arg;
	__asm__ volatile("fnstsw %0" : "=a"(fsw));
	msr_there[0] = fsw;
}

static void registers_of_it(void)
{
	const struct vmi64_ap_state s = full_state();
	const struct registers r = {
		s.r15, s.r14, s.r13, s.r12, s.r11, s.r10, s.r9, s.r8,
		s.rdi, s.rsi, s.rbp, s.rbx, s.rdx, s.rcx, s.rax,
	};
	static struct vmi64_table_pointer table_there;
	bool good = true;

	about("VMI64-3.8.1");
	processor_start(OTHER, &s);
	for (uint32_t i = 0; i < sizeof(r) / 8; i++)
		good &= ((const uint64_t *)&r)[i] ==
			((volatile uint64_t *)&noted.r)[i];
	ok(good, "it has the general registers of the block");
	same64(noted.rsp, s.rsp, "RSP");
	same64(noted.rflags & ARITHMETIC, ARITHMETIC, "flags");
	same64(noted.rflags & EFLAGS_FIXED, EFLAGS_FIXED,
	       "bit 1 of RFLAGS may be missing");
	about("VMI64-3.8.2");
	same64(noted.fs_base, s.fs_base, "the FS base, whatever its selector");
	same64(noted.gs_base, s.gs_base, "the GS base");
	same64(other_call(GetKernelGSBase, 0, 0), s.kernel_gs_base,
	       "KERNEL_GS_BASE");
	about("VMI-3.8.3");
	same64(noted.cs, KERNEL_CS | 1, "CS with RPL 0");
	same64(noted.ss, KERNEL_DS | 1, "SS with RPL 0");
	about("VMI64-3.8.1");
	same64(noted.ds & 0xffff, s.ds, "DS");
	same64(noted.es & 0xffff, s.es, "ES");
	same64(noted.fs & 0xffff, s.fs, "FS");
	same64(noted.gs & 0xffff, s.gs, "GS");
	same64(other_call(GetCR0, 0, 0), s.cr0, "CR0");
	same64(other_call(GetCR2, 0, 0), s.cr2, "CR2");
	same64(other_call(GetCR3, 0, 0), s.cr3, "CR3");
	same64(other_call(GetCR4, 0, 0), s.cr4, "CR4");
	same64((uint32_t)other_call(GetLDT, 0, 0), s.ldtr, "LDTR");
	other_call(GetGDT, &table_there, 0);
	ok(table_there.limit == s.gdtr_limit && table_there.base == s.gdtr_base,
	   "GDTR");
	other_call(GetIDT, &table_there, 0);
	ok(table_there.limit == s.idtr_limit && table_there.base == s.idtr_base,
	   "IDTR");
	run_on(OTHER, read_msrs, 0);
	same64(msr_there[0], s.efer, "EFER");
	about("VMI64-3.8.2");
	same64(msr_there[1] | msr_there[2] | msr_there[3] | msr_there[4], 0,
	       "STAR, LSTAR, CSTAR and FMASK are 0");
	about("VMI-3.8.3");
	run_on(OTHER, load_ds, 1 * 8 + 7);
	same64(msr_there[0], -1ull, "its LDT is in use");
	run_on(OTHER, fpu_status, 0);
	same64(msr_there[0], 0, "the FPU has nothing in it");
	same64(other_call(GetDR, 0, 0), 0, "DR0 is 0");
	same64(other_call(GetDR, 7, 0), 0x400, "DR7 as after power-on");
	same64(other_call(GetDR, 6, 0), 0xffff0ff0, "and DR6");
	same64(other_call(GetInterruptMask, 0, 0), 0,
	       "the interrupt flag is off as in RFLAGS");
}

static void the_block(void)
{
	struct vmi64_ap_state s = full_state(), t;
	const uint32_t id = processor[OTHER].id;
	uint32_t starts;

	s.rflags |= EFLAGS_IF;
	s.gs = (GDT_ENTRIES - 1) * 8 + 3;	/* nothing is there */
	s.ss = 0;
	processor_start(OTHER, &s);
	same64(other_call(GetInterruptMask, 0, 0), EFLAGS_IF,
	       "it is on if RFLAGS says so");
	about("VMI-3.8.4");
	same64(noted.gs & 0xfffc, 0,
	       "a data segment that is not usable becomes null");
	about("VMI64-3.8.2");
	same64(noted.gs_base, s.gs_base, "its base stays");
	about("VMI64-3.8.1");
	same64(noted.ss, 1, "SS may be null");

	s = full_state();
	starts = processor[OTHER].starts;
	send_interrupt(id, ICR_INIT);
	vmi2(SetInitialAPState, &s, id);
	for (uint32_t i = 0; i < sizeof(s); i++)
		((volatile uint8_t *)&s)[i] = 0xff;
	send_interrupt(id, ICR_STARTUP | 0x9f);
	while (processor[OTHER].starts == starts)
		relax();
	s = full_state();
	about("VMI-3.8.2");
	same64(noted.r.rbx, s.rbx, "the block has been copied when the call returns");

	t = s;
	t.rax = 1;
	starts = processor[OTHER].starts;
	send_interrupt(id, ICR_INIT);
	vmi2(SetInitialAPState, &t, id);
	vmi2(SetInitialAPState, &s, 0xdead00000000 | id);
	send_interrupt(id, ICR_STARTUP);
	while (processor[OTHER].starts == starts)
		relax();
	same64(noted.r.rax, s.rax, "the last of two blocks counts");

	starts = notes;
	send_interrupt(id, ICR_INIT);
	send_interrupt(id, ICR_STARTUP);
	wait_a_tick();
	same64(notes, starts, "a block is for one start");
}

static volatile uint32_t turns;

static void turn(uint64_t arg)
{
	(void)arg;
	for (;;)
		turns++;
}

static void init_stops(void)
{
	const struct vmi64_ap_state s = processor_state(OTHER);
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
	about("VMI-3.8.7");
	ok(true, "INIT stops a processor that runs");
	before = processor[OTHER].starts;
	processor_start(OTHER, &s);
	same64(processor[OTHER].starts, before + 1, "which can start again");
}

/* ---- what each has for itself ---------------------------------------------------- */

static void cpuid_call(uint32_t leaf, uint32_t r[4])
{
	r[0] = leaf;
	r[2] = 0;
	vmi4(CPUID, &r[0], &r[1], &r[2], &r[3]);
}

static uint32_t leaf_there[4];

static void cpuid_there(uint64_t leaf)
{
	cpuid_call((uint32_t)leaf, leaf_there);
}

static void registers_apart(void)
{
	const uint64_t cr0 = vmi0(GetCR0), base = vmi0(GetGSBase);
	uint32_t r[4];

	about("VMI-3.8.6");
	same64(other_call(APICRead, APIC_ID, 0) >> 24 & 0xff,
	       processor[OTHER].id, "its APIC has its id");
	run_on(OTHER, cpuid_there, 1);
	same64(leaf_there[1] >> 24, processor[OTHER].id,
	       "so has leaf 1 of CPUID there");
	cpuid_call(1, r);
	same64(r[1] >> 24, processor[0].id, "and ours here");

	about("VMI-3.8.8");
	vmi1(SetCR2, 0x1234000);
	other_call(SetCR2, 0x5678000, 0);
	same64(vmi0(GetCR2), 0x1234000, "CR2 is not the other's");
	same64(other_probe(NOWHERE, false), VEC_PF, "a page fault there");
	same64(other_call(GetCR2, 0, 0), NOWHERE, "sets CR2 there");
	same64(vmi0(GetCR2), 0x1234000, "and not here");
	other_call(SetCR0, cr0 | CR0_TS, 0);
	same64(vmi0(GetCR0), cr0, "CR0 is its own");
	other_call(CLTS, 0, 0);
	same64(other_call(GetCR0, 0, 0), cr0, "CLTS there");
	vmi2(SetDR, 0, 0x1000);
	same64(other_call(GetDR, 0, 0), 0, "debug registers are its own");
	vmi2(SetDR, 0, 0);

	about("VMI64-3.8.3");
	vmi1(SetGSBase, PER_CPU);
	vmi1(SetKernelGSBase, PER_CPU + PAGE);
	other_call(SetGSBase, PER_CPU + 2 * PAGE, 0);
	other_call(SetKernelGSBase, PER_CPU + 3 * PAGE, 0);
	same64(vmi0(GetGSBase), PER_CPU, "the GS base is its own");
	same64(vmi0(GetKernelGSBase), PER_CPU + PAGE, "so is KERNEL_GS_BASE");
	other_call(SwapGS, 0, 0);
	same64(other_call(GetGSBase, 0, 0), PER_CPU + 3 * PAGE, "SwapGS there");
	same64(vmi0(GetGSBase), PER_CPU, "is not SwapGS here");
	vmi1(SetGSBase, base);

	about("VMI-3.8.8");
	vmi0(DisableInterrupts);
	other_call(EnableInterrupts, 0, 0);
	same64(vmi0(GetInterruptMask), 0, "its flag goes on, ours stays off");
	other_call(DisableInterrupts, 0, 0);
}

static uint64_t stack_there;

static void user_there(uint64_t rax)
{
	struct user u = user_start;

	u.r.rax = rax;
	user_run(&u);
	stack_there = last_at;
}

/* Which of the two LSTARs a SYSCALL has come to. */
static void set_syscall_there(uint64_t lstar)
{
	wrmsr64(MSR_STAR, (uint64_t)USER32_CS << 48 | (uint64_t)KERNEL_CS << 32);
	vmi2(SetSyscallEntry, lstar, syscall32_target);
}

static void user_mode_apart(void)
{
	const struct vmi64_ap_state s = full_state();
	const uint64_t from = (uint64_t)processor[OTHER].stack;

	processor_start(OTHER, &s);
	user_load("\xcd\x80", 2);
	run_on(OTHER, user_there, 0x600d);
	ok(last.vector == VEC_SYSCALL && last.r.rax == 0x600d,
	   "user mode there, with its registers");
	ok(stack_there - from < sizeof(processor[OTHER].stack),
	   "comes back to the stack that it has named");
	user_there(0);
	ok(stack_there - from >= sizeof(processor[OTHER].stack),
	   "and ours to ours");

	user_load("\x0f\x05", 2);
	about("VMI64-3.8.2");
	run_on(OTHER, user_there, 0);
	same64(last.vector, VEC_UD, "SYSCALL there is a #UD without LSTAR");
	about("VMI64-3.8.3");
	wrmsr64(MSR_EFER, rdmsr64(MSR_EFER) | EFER_SCE);
	set_syscall_there((uint64_t)syscall_target);
	vmi1(SetKernelGSBase, PER_CPU);
	run_on(OTHER, set_syscall_there, (uint64_t)syscall32_target);
	other_call(SetKernelGSBase, PER_CPU + PAGE, 0);
	run_on(OTHER, user_there, 0);
	ok(seen.which == 2 && seen.gs_base == PER_CPU + PAGE,
	   "then it comes to LSTAR there, with the GS base of there");
	user_there(0);
	ok(seen.which == 1 && seen.gs_base == PER_CPU,
	   "and ours to ours, with ours");
	wrmsr64(MSR_EFER, rdmsr64(MSR_EFER) & ~EFER_SCE);
	same64(vmi2(RDMSR, MSR_EFER, 0) & EFER_SCE, 0, "EFER here");
	run_on(OTHER, read_msrs, 0);
	same64(msr_there[0] & EFER_SCE, EFER_SCE, "is not EFER there");
}

/* ---- interrupts ----------------------------------------------------------------- */

static volatile uint32_t came[PROCESSORS], ready;

static void on_interrupt(struct frame *f)
{
	const uint32_t id = (uint32_t)vmi1(APICRead, APIC_ID) >> 24;

	(void)f;
	for (uint32_t n = 0; n < processors; n++)
		came[n] += processor[n].id == id;
	vmi2(APICWrite, APIC_EOI, 0);
}

static void wait_open(uint64_t count)
{
	ready = 1;
	vmi0(EnableInterrupts);
	while (came[OTHER] < count)
		relax();
	vmi0(DisableInterrupts);
}

static void wait_halted(uint64_t count)
{
	ready = 1;
	while (came[OTHER] < count)
		vmi0(Halt);
	vmi0(DisableInterrupts);
}

/* In user mode, where it waits for a word to change. */
static void wait_in_user(uint64_t count)
{
	static const char loop[] = "\x83\xf8\x01\x74\xfb\xcd\x80";
	struct user u = user_start;

	(void)count;
	u.r.rax = 1;			/* cmp eax, 1; je; int 80h */
	user_load(loop, sizeof(loop) - 1);
	ready = 1;
	user_run(&u);
}

static void out_of_user(struct frame *f)
{
	on_interrupt(f);
	f->r.rax = 2;
}

static void sent(void (*how)(uint64_t), const char *name)
{
	const uint32_t before = came[OTHER], here = came[0];

	ready = 0;
	begin_on(OTHER, how, before + 1);
	while (!ready)
		relax();
	wait_a_tick();
	send_interrupt(processor[OTHER].id, VECTOR);
	end_on(OTHER);
	ok(came[OTHER] == before + 1 && came[0] == here, name);
}

static void reply(struct frame *f)
{
	on_interrupt(f);
	if (vmi1(APICRead, APIC_ID) >> 24 != processor[0].id)
		send_interrupt(processor[0].id, VECTOR);
}

static void there_and_back(void)
{
	const uint32_t here = came[0], there = came[OTHER];

	vector_hook[VECTOR] = reply;
	begin_on(OTHER, wait_halted, there + ROUNDS);
	for (uint32_t i = 1; i <= ROUNDS; i++) {
		send_interrupt(processor[OTHER].id, VECTOR);
		while (came[0] < here + i)
			vmi0(Halt);
		vmi0(DisableInterrupts);
	}
	end_on(OTHER);
	ok(came[0] == here + ROUNDS && came[OTHER] == there + ROUNDS,
	   "many, there and back, both halted in between");
}

static void interrupts(void)
{
	about("VMI-3.8.6");
	vmi2(APICWrite, APIC_SVR, SVR_ENABLE | 0xff);
	vector_hook[VECTOR] = on_interrupt;
	sent(wait_open, "an interrupt for one that runs");
	sent(wait_halted, "for one that is halted: it wakes");
	vector_hook[VECTOR] = out_of_user;
	sent(wait_in_user, "for one that is in user mode");
	there_and_back();
	vector_hook[VECTOR] = NULL;
}

void test_several(void)
{
	struct vmi64_ap_state s;
	uint32_t running = 1;

	processors_find();
	if (processors == 1)
		return;
	bad_blocks();
	registers_of_it();
	the_block();
	init_stops();
	registers_apart();
	user_mode_apart();
	for (uint32_t n = 1; n < processors; n++) {
		s = processor_state(n);
		processor_start(n, &s);
		running += processor[n].starts > 0;
	}
	about("VMI-3.8.1");
	same64(running, processors, "all that the MP table lists start");
	interrupts();
	test_together();
	test_vectors();
	for (uint32_t n = 1; n < processors; n++)
		processor_stop(n);
}

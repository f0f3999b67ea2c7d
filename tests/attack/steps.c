// SPDX-License-Identifier: GPL-2.0-only
/*
 * An interrupt at every instruction of every call of the ROM. The guest runs
 * with -icount, where an alarm comes a known number of instructions after it
 * was set: with a delay of n instructions between the two, the interrupt of
 * delay n + 1 comes one instruction earlier in the call. What the call has
 * done then must be what it does with the interrupt right before it, or right
 * behind it. STUB-7, VMI-3.5.4, VMI-3.6.
 *
 * Delays between two that come at the same place, registers included, are not
 * tried: an exit, whose instructions are the hypervisor's.
 */
#include "attack.h"

#define CHANGED		U_FREE			/* the page that calls map anew */
#define HANDLERS	(U_FREE + 2)		/* and the handler */
#define SLOT1		0x60000000u		/* where linear slot 1 shows it */
#define SLOT1_PDE	(SLOT1 >> 22)
#define QUEUE_END	(&SHARED->queue[STUB_QUEUE_LEN])
#define CLEAN_BITS	(~(PTE_A | PTE_D))
#define FLAGS_SEEN	0x257f00u		/* ID AC NT IOPL DF IF TF */
#define SHORT		12000u			/* cycles from alarm to interrupt */
#define LONG		200000u
#define LEAD		600u			/* before the call, at least */

struct step_call the_call;			/* enter.asm */

enum handler { QUIET, UPDATES, DRAINS, HANDLER_COUNT };

struct scenario {
	const char	*name;
	int		call;
	uint32_t	eax, edx, ecx, stack;
	void		(*prepare)(void);
	uint32_t	results;		/* STEP_EAX... that are compared */
	uint32_t	time;
	bool		off;			/* with interrupts off */
	const uint8_t	*entry;			/* not the call's own */
};

/* All that a call can have changed. */
struct state {
	uint32_t	regs[8], eflags, mask;
	uint32_t	tail, queue[4];
	uint32_t	lazy, deferred, dirty;
	uint32_t	cr[5], stack[2], slots[12], dr[8], tables[6];
	uint32_t	entries[4], shown[2], descriptor[2], usable;
};

static enum handler handler;
static const struct scenario *now;
static uint32_t came_at, came_with[7], wrong;
static volatile uint32_t came;
static uint32_t spare_pt[1024] __attribute__((aligned(PAGE)));

static uint32_t pte(uint32_t page)
{
	return (uintptr_t)&linear(play_table)[page];
}

/* STUB-7: where no interrupt is delivered, but for where it begins again. */
static bool in_window(uint32_t at)
{
	const struct stub_rom_info *info = (void *)(rom + STUB_INFO_OFFSET);
	const struct stub_window *w = (void *)(rom + info->windows);

	for (uint32_t i = 0; i < info->window_count; i++)
		if (at - TOP >= w[i].start && at - TOP < w[i].end &&
		    at - TOP != w[i].restart)
			return true;
	return false;
}

/* Outside the ROM it counts only whether it came before the call or behind
 * it; in the ROM and in user mode, which the call may lead to, also where. */
static void on_irq(void)
{
	const struct frame *f = irq0_frame;
	bool before = f->eip - (uintptr_t)step_run <
		      (uint32_t)(step_end - (const uint8_t *)step_run);
	bool behind = the_call.done || f->eip == the_call.called;
	bool inside = !behind && (f->eip - TOP < STUB_ROM_MAX ||
				  (f->cs & 3) == 3);
	const uint32_t with[] = { f->eax, f->ecx, f->edx, f->ebx, f->esi,
				  f->edi, (uintptr_t)&f->esp - the_call.esp };

	came++;
	wrong += in_window(f->eip);
	/* VMI-3.6.3: the flag and the return, at the same moment */
	wrong += now->off && now->call == VMI_CALL_IRET &&
		 f->eip - TOP < STUB_ROM_MAX && !behind;
	came_at = inside ? f->eip : behind || !before;
	for (uint32_t i = 0; i < 7; i++)
		came_with[i] = inside ? with[i] : 0;
	if (handler == QUIET)
		return;
	vmi3(SetPxE, MAPS(pages[3], PTE_W), pte(HANDLERS), VMI_PAGE_PT);
	if (handler == DRAINS)
		vmi1(InvalPage, play(HANDLERS));
}

/* ---- what calls begin with -------------------------------------------------- */

static void batch_mmu(void)
{
	vmi1(SetLazyMode, VMI_LAZY_MMU);
}

static void batch_cpu(void)
{
	vmi1(SetLazyMode, VMI_LAZY_CPU);
}

static void batch_to_end(void)
{
	batch_mmu();
	vmi3(SetPxE, MAPS(pages[3], PTE_W), pte(CHANGED), VMI_PAGE_PT);
	vmi1(InvalPage, play(CHANGED));
}

static void switch_to_end(void)
{
	batch_cpu();
	vmi1(SetCR3, (uintptr_t)page_directory);
	vmi4(VMI_CALL_WriteGDTEntry, (uintptr_t)gdt, SPARE_GDT, 0xffff,
	     0x00cf9200);
}

static void almost_full(void)
{
	for (uint32_t i = 0; i < STUB_QUEUE_LEN; i++)
		SHARED->queue[i] = pte(U_FREE + 8 + i % 8);
	SHARED->tail = -1;
}

static void just_logged(void)
{
	SHARED->queue[0] = pte(CHANGED);
	SHARED->tail = 1 - STUB_QUEUE_LEN;
}

static void changed_by_hand(void)
{
	*(volatile uint32_t *)pte(CHANGED) = MAPS(pages[3], PTE_W);
}

static void changed_batch(void)
{
	changed_by_hand();
	batch_mmu();
}

static void changed_full(void)
{
	changed_by_hand();
	almost_full();
}

static void changed_logged(void)
{
	changed_by_hand();
	just_logged();
}

static void ts_set(void)
{
	vmi1(SetCR0, vmi0(GetCR0) | CR0_TS);
}

static struct { uint16_t limit; uint32_t base; } __attribute__((packed))
	gdt_pointer, idt_pointer, stored;
static uint32_t step_ldt[2][2];

static void pointers(void)
{
	gdt_pointer.limit = sizeof(gdt) - 1;
	gdt_pointer.base = (uintptr_t)gdt;
	idt_pointer.limit = 0x7ff;
	idt_pointer.base = (uintptr_t)gate_of(0);
}

static void ldt_there(void)
{
	uint32_t base = (uintptr_t)step_ldt;

	vmi4(VMI_CALL_WriteGDTEntry, (uintptr_t)gdt, SPARE_GDT + 1,
	     base << 16 | (sizeof(step_ldt) - 1),
	     (base & 0xff000000) | 0x8200 | (base >> 16 & 0xff));
}

static void ldt_loaded(void)
{
	ldt_there();
	vmi1(SetLDT, (SPARE_GDT + 1) * 8);
}

static void alarm_there(void)
{
	SHARED->expiry = ~0ull >> 1;
	SHARED->period = 0;
	hypercall(STUB_HC_SET_ALARM, VMI_CYCLES_AVAILABLE, 0);
}

#define TABLE		((uintptr_t)gdt)
#define PAGE3		((uintptr_t)pages[3] + PTE_P + PTE_W)
#define PTE_VA		((uintptr_t)&play_table[CHANGED] + LINEAR)
#define IN_SLOT1	(SLOT1 + CHANGED * 4)
#define NOT_IN_SLOT	(SLOT1 + PAGE + CHANGED * 4)
#define ALL		(STEP_EAX | STEP_ECX | STEP_EDX)

/* Reboot and Shutdown are a hypercall and nothing else. */
static const struct scenario scenarios[] = {
#define CALL(name, a, d, c, s, results)					\
	{ #name, VMI_CALL_##name, a, d, c, s, NULL, results, SHORT, false, NULL }
#define CALL_AFTER(suffix, name, a, d, c, s, prepare, results)		\
	{ #name suffix, VMI_CALL_##name, a, d, c, s, prepare, results,	\
	  SHORT, false, NULL }
#define LONG_CALL(name, a, d, prepare)					\
	{ #name, VMI_CALL_##name, a, d, 0, 0, prepare, 0, LONG, false, NULL }
#define OFF(suffix, name, a, results)					\
	{ #name suffix, VMI_CALL_##name, a, 0, 0, 0, NULL, results, SHORT, \
	  true, NULL }
#define BY(name, entry, off)						\
	{ name, VMI_CALL_IRET, 1, 2, 3, 0, NULL, ALL, SHORT, off, entry }
	CALL(CPUID, 0, 0, 0, 0, ALL),
	LONG_CALL(SetGDT, (uintptr_t)&gdt_pointer, 0, pointers),
	LONG_CALL(SetIDT, (uintptr_t)&idt_pointer, 0, pointers),
	LONG_CALL(SetLDT, (SPARE_GDT + 1) * 8, 0, ldt_there),
	LONG_CALL(SetTR, TSS_SELECTOR, 0, NULL),
	CALL(GetGDT, (uintptr_t)&stored, 0, 0, 0, 0),
	CALL(GetIDT, (uintptr_t)&stored, 0, 0, 0, 0),
	CALL(GetLDT, 0, 0, 0, 0, STEP_EAX),
	CALL(GetTR, 0, 0, 0, 0, STEP_EAX),
	CALL(WriteGDTEntry, TABLE, SPARE_GDT, 0xffff, 0x00cf9200, 0),
	CALL_AFTER("_batch", WriteGDTEntry, TABLE, SPARE_GDT, 0xffff,
		   0x00cf9200, batch_cpu, 0),
	CALL_AFTER("", WriteLDTEntry, (uintptr_t)step_ldt, 1, 0xffff, 0x00cf9200,
		   ldt_loaded, 0),
	CALL(WriteIDTEntry, 0, 0x90, 0, 0, 0),
	CALL(UpdateKernelStack, KERNEL_DS, 0x1234, 0, 0, 0),
	CALL(SetCR0, 0x8001001b, 0, 0, 0, 0),
	CALL(SetCR2, 0x1234, 0, 0, 0, 0),
	CALL(SetCR3, (uintptr_t)page_directory, 0, 0, 0, 0),
	CALL_AFTER("_batch", SetCR3, (uintptr_t)page_directory, 0, 0, 0,
		   batch_cpu, 0),
	CALL(SetCR4, 0x14, 0, 0, 0, 0),
	CALL(GetCR0, 0, 0, 0, 0, STEP_EAX),
	CALL(GetCR2, 0, 0, 0, 0, STEP_EAX),
	CALL(GetCR3, 0, 0, 0, 0, STEP_EAX),
	CALL(GetCR4, 0, 0, 0, 0, STEP_EAX),
	CALL(SetDR, 1, 0x1234, 0, 0, 0),
	CALL(GetDR, 7, 0, 0, 0, STEP_EAX),
	CALL(CLTS, 0, 0, 0, 0, 0),
	CALL_AFTER("_set", CLTS, 0, 0, 0, 0, ts_set, 0),
	CALL(EnableInterrupts, 1, 2, 3, 0, ALL),
	OFF("_off", EnableInterrupts, 1, STEP_EAX),
	CALL(DisableInterrupts, 1, 2, 3, 0, ALL),
	OFF("_off", DisableInterrupts, 1, STEP_EAX),
	CALL(GetInterruptMask, 1, 2, 3, 0, ALL),
	OFF("_off", GetInterruptMask, 1, STEP_EAX),
	CALL(SetInterruptMask, EFLAGS_IF, 2, 3, 0, ALL),
	OFF("_on", SetInterruptMask, EFLAGS_IF, STEP_EAX),
	CALL_AFTER("_off", SetInterruptMask, 0, 2, 3, 0, NULL, ALL),
	BY("IRET_on", step_iret_on, false),
	BY("IRET_off", step_iret_off, false),
	BY("IRET_on_from_off", step_iret_on, true),
	BY("IRET_off_from_off", step_iret_off, true),
	BY("IRET_user", step_iret_user, false),
	BY("IRET_user_from_off", step_iret_user, true),
	BY("SYSEXIT", step_sysexit, false),
	BY("SYSEXIT_from_off", step_sysexit, true),
	OFF("", Halt, 0, 0),
	CALL(SetPxE, PAGE3, PTE_VA, VMI_PAGE_PT, 0, 0),
	CALL_AFTER("_batch", SetPxE, PAGE3, PTE_VA, VMI_PAGE_PT, 0, batch_mmu, 0),
	CALL_AFTER("_full", SetPxE, PAGE3, PTE_VA, VMI_PAGE_PT, 0, almost_full, 0),
	CALL_AFTER("_again", SetPxE, PAGE3, PTE_VA, VMI_PAGE_PT, 0, just_logged,
		   0),
	CALL(SetPxE, PAGE3, IN_SLOT1, VMI_PAGE_PT, 0, 0),
	CALL(SetPxE, PAGE3, NOT_IN_SLOT, VMI_PAGE_PT, 0, 0),
	CALL_AFTER("_full", SetPxE, PAGE3, IN_SLOT1, VMI_PAGE_PT, 0, almost_full,
		   0),
	CALL_AFTER("", UpdatePxE, PTE_VA, VMI_PAGE_PT, 0, 0, changed_by_hand, 0),
	CALL_AFTER("_batch", UpdatePxE, PTE_VA, VMI_PAGE_PT, 0, 0, changed_batch,
		   0),
	CALL_AFTER("_full", UpdatePxE, PTE_VA, VMI_PAGE_PT, 0, 0, changed_full,
		   0),
	CALL_AFTER("_again", UpdatePxE, PTE_VA, VMI_PAGE_PT, 0, 0,
		   changed_logged, 0),
	CALL(SetPxELong, PAGE3, 0, PTE_VA, VMI_PAGE_PT, 0),
	CALL_AFTER("_full", SetPxELong, PAGE3, 0, PTE_VA, VMI_PAGE_PT,
		   almost_full, 0),
	CALL_AFTER("", UpdatePxELong, PTE_VA, VMI_PAGE_PT, 0, 0, changed_by_hand,
		   0),
	CALL_AFTER("_full", UpdatePxELong, PTE_VA, VMI_PAGE_PT, 0, 0,
		   changed_full, 0),
	CALL(MachineToPhysical, 7, 0, 0, 0, STEP_EAX),
	CALL(PhysicalToMachine, 7, 0, 0, 0, STEP_EAX),
	CALL(AllocatePage, 0x700, VMI_PAGE_PT, 0, 0, 0),
	CALL_AFTER("_full", AllocatePage, 0x700, VMI_PAGE_PT, 0, 0, almost_full,
		   0),
	CALL(ReleasePage, 0x700, VMI_PAGE_PT, 0, 0, 0),
	CALL_AFTER("_full", ReleasePage, 0x700, VMI_PAGE_PT, 0, 0, almost_full,
		   0),
	CALL(InvalPage, PLAY + CHANGED * PAGE, 0, 0, 0, 0),
	CALL_AFTER("_batch", InvalPage, PLAY + CHANGED * PAGE, 0, 0, 0,
		   changed_batch, 0),
	CALL(FlushTLB, VMI_FLUSH_TLB, 0, 0, 0, 0),
	CALL_AFTER("_batch", FlushTLB, VMI_FLUSH_TLB, 0, 0, 0, batch_mmu, 0),
	CALL(SetLinearMapping, 2, 0x70000000, 0x100, 0x200, 0),
	CALL_AFTER("_queued", SetLinearMapping, 0, LINEAR, MAPPED / PAGE, 0,
		   just_logged, 0),
	CALL(SetIOPLMask, 0, 0, 0, 0, 0),
	CALL(APICWrite, 0x80, 0, 0, 0, 0),
	CALL(APICRead, 0x30, 0, 0, 0, STEP_EAX),
	CALL(GetCycleFrequency, 0, 0, 0, 0, STEP_EAX | STEP_EDX),
	CALL(GetCycleCounter, VMI_CYCLES_REAL, 0, 0, 0, 0),
	CALL_AFTER("_other", GetCycleCounter, VMI_CYCLES_AVAILABLE, 0, 0, 0,
		   NULL, 0),
	CALL_AFTER("_stolen", GetCycleCounter, VMI_CYCLES_STOLEN, 0, 0, 0,
		   NULL, ALL & ~STEP_ECX),
	CALL(SetAlarm, VMI_CYCLES_AVAILABLE, 0xffffffff, 0x7fffffff, 0, 0),
	CALL_AFTER("", CancelAlarm, VMI_CYCLES_AVAILABLE, 0, 0, 0, alarm_there,
		   STEP_EAX),
	CALL(GetWallclockTime, 0, 0, 0, 0, 0),
	CALL(WallclockUpdated, 0, 0, 0, 0, STEP_EAX),
	CALL(SetLazyMode, VMI_LAZY_MMU, 0, 0, 0, 0),
	CALL_AFTER("_end", SetLazyMode, VMI_LAZY_NONE, 0, 0, 0, batch_to_end, 0),
	CALL_AFTER("_end_cpu", SetLazyMode, VMI_LAZY_NONE, 0, 0, 0,
		   switch_to_end, 0),
};

/* ---- one call, one interrupt ------------------------------------------------- */

static void reset(void)
{
	vmi1(SetLazyMode, VMI_LAZY_NONE);
	vmi1(SetCR0, vmi0(GetCR0) & ~CR0_TS);
	vmi1(SetCR4, 0x10);
	vmi1(SetCR2, 0);
	vmi2(SetDR, 1, 0);
	vmi2(UpdateKernelStack, KERNEL_DS, (uintptr_t)(spare_table + 1024));
	vmi1(SetLDT, 0);
	vmi4(VMI_CALL_WriteGDTEntry, (uintptr_t)gdt, SPARE_GDT, 0, 0);
	vmi4(VMI_CALL_SetLinearMapping, 2, 0, 0, 0);
	vmi1(CancelAlarm, VMI_CYCLES_AVAILABLE);
	vmi2(ReleasePage, 0x700, VMI_PAGE_PT);
	map(CHANGED, MAPS(pages[2], PTE_W));
	map(HANDLERS, MAPS(pages[2], PTE_W));
	flush();
	/* stale, should a change get lost */
	probe_write(play(CHANGED) + 8);
	probe_write(play(HANDLERS) + 8);
	probe_write(SLOT1 + PAGE - 4);
	probe_write(SLOT1 + 2 * PAGE - 4);
}

static void look(struct state *s, const struct scenario *c)
{
	uint32_t i;

	for (i = 0; i < 8; i++)
		s->regs[i] = i > 2 || (c->results & 1u << i) ? the_call.out[i] : 0;
	s->eflags = the_call.eflags & FLAGS_SEEN;
	s->mask = the_call.mask & STUB_IF;
	/* the end of the batch, if there is one */
	vmi1(SetLazyMode, VMI_LAZY_NONE);
	s->lazy = SHARED->lazy_mode;
	s->deferred = SHARED->deferred;
	s->dirty = SHARED->gdt_dirty;
	s->tail = (uint32_t)SHARED->tail;
	for (i = 0; i < 4 && i < s->tail + STUB_QUEUE_LEN; i++)
		s->queue[i] = SHARED->queue[i];
	s->cr[0] = SHARED->cr0;
	s->cr[2] = SHARED->cr2;
	s->cr[3] = SHARED->cr3;
	s->cr[4] = SHARED->cr4;
	s->stack[0] = SHARED->esp0;
	s->stack[1] = SHARED->ss0;
	for (i = 0; i < 12; i++)
		s->slots[i] = ((volatile uint32_t *)SHARED->linear)[i];
	for (i = 0; i < 8; i++)
		s->dr[i] = SHARED->dr[i];
	s->tables[0] = SHARED->gdt_base;
	s->tables[1] = SHARED->gdt_limit;
	s->tables[2] = SHARED->idt_base;
	s->tables[3] = SHARED->idt_limit;
	s->tables[4] = SHARED->ldt;
	s->tables[5] = SHARED->tr;
	flush();
	for (i = 0; i < 4; i++)
		s->entries[i] = *(volatile uint32_t *)pte(CHANGED + i) &
				CLEAN_BITS;
	s->shown[0] = *(volatile uint32_t *)(play(CHANGED) + 16);
	s->shown[1] = *(volatile uint32_t *)(play(HANDLERS) + 16);
	s->descriptor[0] = (uint32_t)gdt[SPARE_GDT];
	s->descriptor[1] = (uint32_t)(gdt[SPARE_GDT] >> 32);
	s->usable = load_es(SPARE_GDT * 8) == -1;
}

/* Where the interrupt came, with what in the registers. */
struct place {
	uint32_t	at, with[7];
	struct state	state;
};

static bool same_words(const void *a, const void *b, uint32_t bytes)
{
	const uint32_t *x = a, *y = b;

	for (uint32_t i = 0; i < bytes / 4; i++)
		if (x[i] != y[i])
			return false;
	return true;
}

static void once(const struct scenario *c, uint32_t delay, struct place *p)
{
	uint32_t *words = (uint32_t *)p;

	for (uint32_t i = 0; i < sizeof(*p) / 4; i++)
		words[i] = 0;
	reset();
	if (c->prepare)
		c->prepare();
	came = 0;
	the_call.delay = delay;
	the_call.entry = c->entry ? (uintptr_t)c->entry : vmi_entry[c->call];
	the_call.in[0] = c->call == VMI_CALL_WriteIDTEntry && !c->eax ?
		     (uintptr_t)gate_of(0) : c->eax;
	the_call.in[1] = c->ecx;
	the_call.in[2] = c->edx;
	the_call.stack = c->stack;
	the_call.time = c->time;
	the_call.flags = c->off ? 0 : STUB_IF;
	step_run();
	vmi0(EnableInterrupts);
	while (!came)
		;
	vmi0(DisableInterrupts);
	p->at = came_at;
	for (uint32_t i = 0; i < 7; i++)
		p->with[i] = came_with[i];
	look(&p->state, c);
}

/* ---- all of them ---------------------------------------------------------------- */

static struct place first, last;	/* right behind the call, before it */
static uint32_t tried, places, in_rom;

/* It was emptied sooner than it had to be. */
static bool same_but_drained(struct state s, const struct state *other)
{
	if (s.tail == 0u - STUB_QUEUE_LEN) {
		s.tail = other->tail;
		for (uint32_t i = 0; i < 4; i++)
			s.queue[i] = other->queue[i];
	}
	return same_words(&s, other, sizeof(s));
}

static void judge(const struct place *p)
{
	const uint32_t *got = (const uint32_t *)&p->state;
	const uint32_t *before = (const uint32_t *)&last.state;
	const uint32_t *behind = (const uint32_t *)&first.state;

	places++;
	in_rom += p->at - TOP < STUB_ROM_MAX;
	if (same_but_drained(p->state, &last.state) ||
	    same_but_drained(p->state, &first.state))
		return;
	if (wrong++)
		return;
	print("# %s at %x, handler %u:", now->name, p->at, handler);
	for (uint32_t i = 0; i < sizeof(first.state) / 4; i++)
		if (got[i] != before[i] || got[i] != behind[i])
			print(" [%u] %x, before %x, behind %x;", i, got[i],
			      before[i], behind[i]);
	print("\n");
}

static void between(uint32_t low, const struct place *at_low, uint32_t high,
		    const struct place *at_high)
{
	struct place middle;

	if (high - low < 2 || same_words(at_low, at_high, sizeof(middle)))
		return;
	once(now, (low + high) / 2, &middle);
	tried++;
	if (!same_words(&middle, at_low, sizeof(middle)) &&
	    !same_words(&middle, at_high, sizeof(middle)))
		judge(&middle);
	between(low, at_low, (low + high) / 2, &middle);
	between((low + high) / 2, &middle, high, at_high);
}

static void every_step(const struct scenario *c)
{
	struct place again;

	now = c;
	tried = places = in_rom = wrong = 0;
	for (handler = QUIET; handler < HANDLER_COUNT; handler++) {
		once(now, LEAD, &first);
		once(now, now->time, &last);
		once(now, LEAD, &again);
		wrong += !same_words(&again, &first, sizeof(first));
		between(LEAD, &first, now->time, &last);
	}
	same(wrong, 0, now->name);
	print("# %u places, %u of them in the ROM, %u runs\n", places, in_rom,
	      tried);
}

static void on_syscall(struct frame *f)
{
	const uint32_t regs[] = { f->eax, f->ecx, f->edx, f->ebx, f->esi,
				  f->edi, f->ebp, 0 };

	the_call.done = 1;
	for (uint32_t i = 0; i < 8; i++)
		the_call.out[i] = regs[i];
	the_call.eflags = f->eflags;
	the_call.mask = SHARED->flags;
	step_finish();
}

static void begin(void)
{
	irq0_hook = on_irq;
	vector_hook[VEC_SYSCALL] = on_syscall;
	pages[U_CODE][0] = 0xcd;
	pages[U_CODE][1] = VEC_SYSCALL;
	pages[2][16] = 2;
	pages[3][16] = 3;
	pic_init();
	the_call.iret = vmi_entry[VMI_CALL_IRET];
	the_call.sysexit = vmi_entry[VMI_CALL_SYSEXIT];
	vmi4(VMI_CALL_SetLinearMapping, 1, SLOT1, 1, frame_of(play_table));
	linear(spare_pt)[0] = linear(spare_pt)[1] = MAPS(play_table, PTE_W);
	vmi3(SetPxE, MAPS(spare_pt, PTE_W),
	     (uintptr_t)&linear(page_directory)[SLOT1_PDE], VMI_PAGE_PD);
	vmi2(AllocatePage, frame_of(spare_pt), VMI_PAGE_PT);
	for (uint32_t i = 0; i < 8; i++)
		map(U_FREE + 8 + i, MAPS(pages[2], PTE_W));
}

/* Needs -icount. */
static void steps(uint32_t arg)
{
	(void)arg;
	begin();
	for (uint32_t i = 0; i < sizeof(scenarios) / sizeof(*scenarios); i++)
		every_step(&scenarios[i]);
}

/* ---- page faults ----------------------------------------------------------------- */

#define TARGET		(U_FREE + 20)	/* and the page behind it */
#define AT_TARGET	(PLAY + TARGET * PAGE)
#define AT_EDGE		(AT_TARGET + PAGE - 3)

static volatile uint8_t buffer[2 * PAGE] __attribute__((aligned(PAGE)));
static bool absent;
static uint32_t faults, faults_outside;

static void map_target(uint32_t page, uint32_t entry)
{
	map(page, entry);
	vmi1(InvalPage, play(page));
}

/* The alias of a table, or two pages of memory. */
static void alias(void)
{
	map_target(TARGET, absent ? 0 : MAPS(play_table, PTE_W));
}

static void two_pages(void)
{
	pointers();
	for (uint32_t i = 0; i < sizeof(gdt_pointer); i++)
		buffer[PAGE - 3 + i] = ((uint8_t *)&gdt_pointer)[i];
	map_target(TARGET, absent ? 0 : MAPS(buffer, PTE_W));
	map_target(TARGET + 1, absent ? 0 : MAPS(buffer + PAGE, PTE_W));
}

static void two_pages_idt(void)
{
	two_pages();
	for (uint32_t i = 0; i < sizeof(idt_pointer); i++)
		buffer[PAGE - 3 + i] = ((uint8_t *)&idt_pointer)[i];
}

/* The guest maps what was missing, and the call goes on. */
static void on_fault(struct frame *f)
{
	uint32_t page = (last_cr2 - PLAY) / PAGE;

	faults++;
	faults_outside += f->eip - TOP >= STUB_ROM_MAX || faults > 4;
	if (now->prepare == alias)
		map(page, MAPS(play_table, PTE_W));
	else
		map(page, MAPS(buffer + (page - TARGET) * PAGE, PTE_W));
}

static const struct scenario faulting[] = {
	CALL_AFTER("", SetPxE, PAGE3, AT_TARGET + CHANGED * 4, VMI_PAGE_PT, 0,
		   alias, 0),
	CALL_AFTER("", SetPxELong, PAGE3, 0, AT_TARGET + CHANGED * 4,
		   VMI_PAGE_PT, alias, 0),
	CALL_AFTER("", GetGDT, AT_EDGE, 0, 0, 0, two_pages, 0),
	CALL_AFTER("", GetIDT, AT_EDGE, 0, 0, 0, two_pages, 0),
	CALL_AFTER("", SetGDT, AT_EDGE, 0, 0, 0, two_pages, 0),
	CALL_AFTER("", SetIDT, AT_EDGE, 0, 0, 0, two_pages_idt, 0),
	CALL_AFTER("", WriteGDTEntry, AT_TARGET + 8, 1, 0xffff, 0x00cf9200,
		   two_pages, 0),
	CALL_AFTER("", WriteLDTEntry, AT_TARGET + 8, 1, 0xffff, 0x00cf9200,
		   two_pages, 0),
	CALL_AFTER("", WriteIDTEntry, AT_TARGET + 8, 1, 0xffff, 0x00cf9200,
		   two_pages, 0),
};

/* VMI-3.4.11: the fault is the guest's, and leaves the call as it was. */
static void every_fault(const struct scenario *c)
{
	struct place there;

	now = c;
	wrong = faults = faults_outside = 0;
	handler = QUIET;
	absent = false;
	once(c, LEAD, &there);
	same(faults, 0, "no fault on what is there");
	absent = true;
	once(c, LEAD, &first);
	ok(faults && !faults_outside, c->name);
	/* the handler's own traces */
	there.state.cr[2] = first.state.cr[2];
	first.state.tail = 0u - STUB_QUEUE_LEN;
	ok(same_but_drained(first.state, &there.state),
	   "as if it had not faulted");
}

static void step_faults(uint32_t arg)
{
	begin();
	(void)arg;
	vector_hook[VEC_PF] = on_fault;
	for (uint32_t i = 0; i < sizeof(faulting) / sizeof(*faulting); i++)
		every_fault(&faulting[i]);
}

const struct attack step_cases[] = {
	CASE(steps, .boot = "alone icount"),
	CASE(step_faults, .boot = "alone icount"),
	CASES_END
};

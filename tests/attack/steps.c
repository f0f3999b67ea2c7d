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
#include "steps.h"

#define HANDLERS	(U_FREE + 2)		/* and the handler */
#define SLOT1_PDE	(SLOT1 >> 22)
#define QUEUE_END	(&SHARED->queue[STUB_QUEUE_LEN])
#define CLEAN_BITS	(~(PTE_A | PTE_D))
#define FLAGS_SEEN	0x257f00u		/* ID AC NT IOPL DF IF TF */

struct step_call the_call;			/* enter.asm */

enum handler step_handler;
const struct scenario *step_now;
static uint32_t came_at, came_with[7], wrong;
static volatile uint32_t came;
static uint32_t spare_pt[1024] __attribute__((aligned(PAGE)));

uint32_t pte(uint32_t page)
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
	wrong += step_now->off && step_now->call == VMI_CALL_IRET &&
		 f->eip - TOP < STUB_ROM_MAX && !behind;
	came_at = inside ? f->eip : behind || !before;
	for (uint32_t i = 0; i < 7; i++)
		came_with[i] = inside ? with[i] : 0;
	if (step_handler == QUIET)
		return;
	vmi3(SetPxE, MAPS(pages[3], PTE_W), pte(HANDLERS), VMI_PAGE_PT);
	if (step_handler == DRAINS)
		vmi1(InvalPage, play(HANDLERS));
}

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
	write_gdt(SPARE_GDT, 0);
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

static bool same_words(const void *a, const void *b, uint32_t bytes)
{
	const uint32_t *x = a, *y = b;

	for (uint32_t i = 0; i < bytes / 4; i++)
		if (x[i] != y[i])
			return false;
	return true;
}

void step_once(const struct scenario *c, uint32_t delay, struct place *p)
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
bool same_but_drained(struct state s, const struct state *other)
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
	print("# %s at %x, handler %u:", step_now->name, p->at, step_handler);
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
	step_once(step_now, (low + high) / 2, &middle);
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

	step_now = c;
	tried = places = in_rom = wrong = 0;
	for (step_handler = QUIET; step_handler < HANDLER_COUNT;
	     step_handler++) {
		step_once(step_now, LEAD, &first);
		step_once(step_now, step_now->time, &last);
		step_once(step_now, LEAD, &again);
		wrong += !same_words(&again, &first, sizeof(first));
		between(LEAD, &first, step_now->time, &last);
	}
	same(wrong, 0, step_now->name);
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

void step_begin(void)
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

static void steps(uint32_t arg)
{
	(void)arg;
	step_begin();
	for (uint32_t i = 0; i < scenario_count; i++)
		every_step(&scenarios[i]);
}

const struct attack step_cases[] = {
	CASE(steps, .boot = "alone icount"),
	CASES_END
};

// SPDX-License-Identifier: GPL-2.0-only
/* A page fault in a call of the ROM, on what the guest has named in it. */
#include "steps.h"

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
	if (step_now->prepare == alias)
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
	struct place there, first;

	step_now = c;
	faults = faults_outside = 0;
	step_handler = QUIET;
	absent = false;
	step_once(c, LEAD, &there);
	same(faults, 0, "no fault on what is there");
	absent = true;
	step_once(c, LEAD, &first);
	ok(faults && !faults_outside, c->name);
	/* the handler's own traces */
	there.state.cr[2] = first.state.cr[2];
	first.state.tail = 0u - STUB_QUEUE_LEN;
	ok(same_but_drained(first.state, &there.state),
	   "as if it had not faulted");
}

static void step_faults(uint32_t arg)
{
	step_begin();
	(void)arg;
	vector_hook[VEC_PF] = on_fault;
	for (uint32_t i = 0; i < sizeof(faulting) / sizeof(*faulting); i++)
		every_fault(&faulting[i]);
}

const struct attack step_fault_cases[] = {
	CASE(step_faults, .boot = "alone icount"),
	CASES_END
};

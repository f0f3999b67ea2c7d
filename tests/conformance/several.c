// SPDX-License-Identifier: GPL-2.0-only
/* Several processors: VMI-3.8. This is where they are found, and what its chapters
 * have done on another one. */
#include "several.h"

static struct {
	int		call;
	uint32_t	eax, edx;
} request;
static uint32_t answer;

static void do_call(uint32_t arg)
{
	(void)arg;
	answer = vmi4(request.call, request.eax, request.edx, 0, 0);
}

uint32_t other_call(int call, uint32_t eax, uint32_t edx)
{
	request.call = call;
	request.eax = eax;
	request.edx = edx;
	run_on(OTHER, do_call, 0);
	return answer;
}

static void do_read(uint32_t page)
{
	answer = play_read(page);
}

uint32_t other_read(uint32_t page)
{
	run_on(OTHER, do_read, page);
	return answer;
}

static void do_probe_read(uint32_t va)
{
	answer = (uint32_t)probe_read(va);
}

static void do_probe_write(uint32_t va)
{
	answer = (uint32_t)probe_write(va);
}

int other_probe(uint32_t va, bool write)
{
	run_on(OTHER, write ? do_probe_write : do_probe_read, va);
	return (int)answer;
}

void wait_a_tick(void)
{
	const uint64_t begin = vmi64(VMI_CALL_GetCycleCounter, 0);
	const uint64_t tick = vmi64(VMI_CALL_GetCycleFrequency, 0) >> 7;

	while (vmi64(VMI_CALL_GetCycleCounter, 0) - begin < tick)
		relax();
}

void several(void)
{
	static const char *const clauses[] = {
		"3.2.62", "3.2.74", "3.8.1", "3.8.2", "3.8.3", "3.8.4", "3.8.5",
		"3.8.6", "3.8.7", "3.8.8", "3.8.9", "3.8.11" };
	const char *reason = NULL;

	processors_find();
	if (!offered(VMI_CALL_SetInitialAPState))
		reason = "SetInitialAPState is not offered";
	else if (processors == 1)
		reason = "one processor";
	for (unsigned int i = 0;
	     reason && i < sizeof(clauses) / sizeof(*clauses); i++)
		skip(clauses[i], "further processors", reason);
	if (reason)
		return;
	starting();
	siblings();
	interrupts();
	coherence();
	remote();
	for (uint32_t n = 1; n < processors; n++)
		processor_stop(n);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Prints for tests/bench/micro.py, after its TAP:
 *
 *	micro MEDIAN MIN MAX EXITS WHAT
 *	batch PATTERN UPDATES ROM REST FLUSH EXITS
 *
 * MEDIAN, MIN, MAX: instructions of the ROM and the hypervisor, per call.
 * EXITS: per call, in thousandths; of a batch, all. The guest's own
 * instructions are not in any figure, nor is the call instruction, but the
 * ROM's RET is.
 */
#include "micro.h"

static bool covered[VMI_CALL_COUNT];

struct call vmi_call(uint32_t number)
{
	struct call c = { .entry = vmi_entry[number] };

	covered[number] = true;
	return c;
}

uint32_t cost_to_return(const struct call *c)
{
	timed_call(c);
	return stopped - started - OURS_CALL;
}

uint32_t cost_to_handler(const struct call *c)
{
	timed_call(c);
	return landed - started - OURS_CALL - OURS_LANDING;
}

static void report(const char *what, uint32_t *all, uint32_t exits)
{
	uint32_t i, j, t;

	for (i = 1; i < ROUNDS; i++)
		for (j = i; j && all[j] < all[j - 1]; j--) {
			t = all[j];
			all[j] = all[j - 1];
			all[j - 1] = t;
		}
	print("micro %u %u %u %u %s\n", all[ROUNDS / 2], all[0],
	      all[ROUNDS - 1], exits * 1000 / ROUNDS, what);
}

void row_measure(const struct row *r)
{
	uint32_t all[ROUNDS], exits = 0, i;
	struct call c = r->call;
	uint64_t before;

	for (i = 0; i <= ROUNDS; i++) {	/* round 0 warms up */
		if (r->before)
			r->before(&c);
		before = exits_now();
		all[i ? i - 1 : 0] = r->cost(&c) - r->ours;
		if (i)
			exits += (uint32_t)(exits_now() - before) -
				 r->own_exits;
		if (r->after)
			r->after();
	}
	report(r->what, all, exits);
}

/* A tick is an instruction, or nothing that follows means anything. */
static bool ticks_are_instructions(void)
{
	struct call c = { .entry = (uintptr_t)empty_call };

	timed_call(&c);			/* it and its data are reached */
	if (!ok(cost_to_return(&c) == 1, "an empty call costs its RET"))
		return false;
	c.entry = (uintptr_t)empty_landing;
	return ok(cost_to_handler(&c) == 0,
		  "an empty handler is reached at no cost");
}

/* Those that end the guest, and those that keep it waiting. */
static bool has_no_cost(uint32_t number)
{
	return number == VMI_CALL_Halt || number == VMI_CALL_Reboot ||
	       number == VMI_CALL_Shutdown;
}

static void check_coverage(void)
{
	uint32_t i, missing = 0;

	for (i = 0; i < VMI_CALL_COUNT; i++) {
		if (vmi_type[i] != VMI_RELOC_CALL &&
		    vmi_type[i] != VMI_RELOC_JUMP)
			continue;
		if (has_no_cost(i) || covered[i])
			continue;
		print("# nothing measures call %u\n", i);
		missing++;
	}
	ok(!missing, "every call of the ROM has been measured");
}

void guest_main(void)
{
	cpu_init();
	if (!ok(vmi_find() && vmi_init() == 0, "a ROM is found and begun"))
		goto out;
	vmi_fetch_entries();
	if (!ok(exits_init(), "the hypervisor counts exits") ||
	    !ticks_are_instructions())
		goto out;
	memory_init();
	pic_init();
	measure_calls();
	measure_traps();
	measure_batches();
	check_coverage();
out:
	tap_end();
	vmi0(Shutdown);
}

// SPDX-License-Identifier: GPL-2.0-only
/* The hypervisor's counters, by CPUID. */
#include "calls.h"
#include "counters.h"
#include "vmi_stub_cpuid.h"

#define COUNTERS_MAX	256

int counter_find(const char *prefix)
{
	for (int n = 0; n < COUNTERS_MAX; n++) {
		uint32_t r[5] = { 0 };
		const char *name = (const char *)r, *p = prefix;

		vmi_cpuid(STUB_CPUID_NAMES + (uint32_t)n, r);
		while (*p && *p == *name) {
			p++;
			name++;
		}
		if (!*p)
			return n;
	}
	return -1;
}

static uint64_t reads;			/* each of them is an exit */

uint64_t counter_read(int counter)
{
	uint32_t r[4];

	vmi_cpuid(STUB_CPUID_COUNTERS + (uint32_t)counter, r);
	reads++;
	return (uint64_t)r[3] << 32 | r[0];
}

/* ---- exits that the guest causes ---------------------------------------------- */

static int exits, exits_timer, exits_console;

bool exits_init(void)
{
	exits = counter_find("exits");
	exits_timer = counter_find("exit_timer");
	exits_console = counter_find("exit_console");
	return exits >= 0 && exits_timer >= 0 && exits_console >= 0;
}

/* Without those of the machine's own interrupts, which may come any time,
 * and without those of looking. */
uint64_t exits_now(void)
{
	uint64_t machine, again, all;

	again = counter_read(exits_timer) + counter_read(exits_console);
	do {
		machine = again;
		all = counter_read(exits) - reads;
		again = counter_read(exits_timer) +
			counter_read(exits_console);
	} while (again != machine);
	return all - machine;
}

// SPDX-License-Identifier: GPL-2.0-only
/* For tests of the whole core in which no guest runs: so nobody waits, and
 * nothing ends. */
#include "machine.h"
#include "processor.h"
#include "unit.h"

void processor_runs(struct regs *r)
{
	(void)r;
	fail();
}

void machine_waits(void)
{
	fail();
}

void machine_ended(enum end end)
{
	fail_msg("end %d: %s", end, machine_line);
	__builtin_unreachable();
}

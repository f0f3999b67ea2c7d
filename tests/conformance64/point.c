// SPDX-License-Identifier: GPL-2.0-only
/* Numbered points in TAP, each with its clause. */
#include "conf64.h"

static const char *last_clause = "none";
static char last_name[128];
int last_call;

static const char *const names[VMI64_CALL_COUNT] = {
#define NAME(nr, name)	[nr] = #name,
	VMI64_CALLS(NAME)
#undef NAME
};

const char *call_name(int call)
{
	return names[call];
}

/* Names may be made on the stack. */
static void note(const char *clause, const char *name)
{
	unsigned int i;

	for (i = 0; i < sizeof(last_name) - 1 && name[i]; i++)
		last_name[i] = name[i];
	last_name[i] = 0;
	last_clause = clause;
}

/* Of a trap that nobody expects: what was done last. */
void point_where(void)
{
	print("after point %u, %s %s, and a call of %s: ", tap_results, last_clause,
	      last_name, names[last_call] ? names[last_call] : "?");
}

bool point(const char *clause, bool good, const char *name)
{
	note(clause, name);
	about(clause);
	return ok(good, name);
}

void skip(const char *clause, const char *name, const char *reason)
{
	note(clause, name);
	about(clause);
	tap_skip(name, reason);
}

bool point_of(int call, const char *clause, bool good, const char *name)
{
	if (call < 0 || offered(call) || !good)
		return point(clause, good, name);
	skip(clause, name, "the guest keeps its own");
	return true;
}

bool is_point(int call, const char *clause, uint64_t actual, uint64_t expected,
	      const char *name)
{
	if (point_of(call, clause, actual == expected, name))
		return true;
	print("# %x:%x, expected %x:%x\n", (uint32_t)(actual >> 32),
	      (uint32_t)actual, (uint32_t)(expected >> 32), (uint32_t)expected);
	return false;
}

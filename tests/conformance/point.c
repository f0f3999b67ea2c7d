// SPDX-License-Identifier: GPL-2.0-only
/* Numbered points in TAP, each with its clause. */
#include "conf.h"

static unsigned int points;
static const char *last_clause = "none", *last_name = "none";
int last_call;

static const char *const names[VMI_CALL_COUNT] = {
#define NAME(nr, name)	[nr] = #name,
	VMI_CALLS(NAME)
#undef NAME
};

const char *call_name(int call)
{
	return names[call];
}

/* Names may be made on the stack. */
static void note(const char *clause, const char *name)
{
	static char copy[128];
	unsigned int i;

	for (i = 0; i < sizeof(copy) - 1 && name[i]; i++)
		copy[i] = name[i];
	copy[i] = 0;
	last_clause = clause;
	last_name = copy;
}

/* Of a trap that nobody expects: what was done last. */
void point_where(void)
{
	print("after point %u, VMI-%s %s, and a call of %s: ", points,
	      last_clause, last_name, names[last_call]);
}

bool point(const char *clause, bool good, const char *name)
{
	note(clause, name);
	print("%sok %u - VMI-%s %s\n", good ? "" : "not ", ++points, clause,
	      name);
	return good;
}

void skip(const char *clause, const char *name, const char *reason)
{
	note(clause, name);
	print("ok %u - VMI-%s %s # SKIP %s\n", ++points, clause, name, reason);
}

bool point_of(int call, const char *clause, bool good, const char *name)
{
	if (offered(call) || !good)
		return point(clause, good, name);
	note(clause, name);
	print("ok %u - VMI-%s %s # SKIP the guest keeps its own %s\n",
	      ++points, clause, name, names[call]);
	return true;
}

void points_end(void)
{
	print("1..%u\n", points);
}

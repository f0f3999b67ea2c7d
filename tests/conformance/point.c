// SPDX-License-Identifier: GPL-2.0-only
/* Numbered points in TAP, each with its clause. */
#include "conf.h"

static unsigned int points;

static const char *const names[VMI_CALL_COUNT] = {
#define NAME(nr, name)	[nr] = #name,
	VMI_CALLS(NAME)
#undef NAME
};

const char *call_name(int call)
{
	return names[call];
}

bool point(const char *clause, bool good, const char *name)
{
	print("%sok %u - VMI-%s %s\n", good ? "" : "not ", ++points, clause,
	      name);
	return good;
}

void skip(const char *clause, const char *name, const char *reason)
{
	print("ok %u - VMI-%s %s # SKIP %s\n", ++points, clause, name, reason);
}

bool point_of(int call, const char *clause, bool good, const char *name)
{
	if (offered(call) || !good)
		return point(clause, good, name);
	print("ok %u - VMI-%s %s # SKIP the guest keeps its own %s\n",
	      ++points, clause, name, names[call]);
	return true;
}

void points_end(void)
{
	print("1..%u\n", points);
}

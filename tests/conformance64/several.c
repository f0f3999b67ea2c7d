// SPDX-License-Identifier: GPL-2.0-only
/* Several processors, VMI64-3.8: the points are those of the test guest's suite. */
#include "conf64.h"
#include "processors.h"

void several(void)
{
	static const char *const clauses[] = {
		"VMI64-3.2.62", "VMI64-3.2.74", "VMI64-3.8.1", "VMI64-3.8.2",
		"VMI64-3.8.3", "VMI-3.8.2", "VMI-3.8.3", "VMI-3.8.4", "VMI-3.8.5",
		"VMI-3.8.6", "VMI-3.8.7", "VMI-3.8.8", "VMI-3.8.9", "VMI-3.8.11"
	};
	const char *reason = NULL;

	processors_find();
	if (!offered(VMI64_CALL_SetInitialAPState))
		reason = "SetInitialAPState is not offered";
	else if (processors == 1)
		reason = "one processor";
	else
		test_several();
	for (uint32_t i = 0; reason && i < sizeof(clauses) / sizeof(*clauses); i++)
		skip(clauses[i], "further processors", reason);
}

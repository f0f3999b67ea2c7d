// SPDX-License-Identifier: GPL-2.0-only
/*
 * Its command line, which says what to do: "quiet" nothing, "status N" end with
 * it, "long N" that many lines, "sleep" nothing for years. Else it is printed.
 */
#include "lib.h"

MANIFEST(0);

static uint32_t number(const char *s)
{
	uint32_t n = 0;

	while (*s >= '0' && *s <= '9')
		n = n * 10 + *s++ - '0';
	return n;
}

int run(const struct solo5_boot_info *info)
{
	const char *line = (const char *)info->cmdline;
	uint64_t ready;
	uint32_t i;

	if (same(line, "sleep"))
		return poll(UINT64_MAX, &ready);
	if (same(line, "quiet"))
		return 0;
	if (!memcmp(line, "status ", 7))
		return number(line + 7);
	if (!memcmp(line, "long ", 5))
		for (i = 0; i < number(line + 5); i++)
			print("line %d of many, as long as lines are\n", i);
	else
		print("hello: '%s', %d bytes\n", line, (int)strlen(line));
	say("SUCCESS\n");
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Prints the records of the trace backend, one line per call: cycles since
 * VMI_Init, where the call returns to, its name and its arguments.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "../backends/trace/record.h"
#include "tool.h"
#include "vmi.h"
#include "vmi_stub.h"

#define ARGS_MAX	(3 + 15)

static int words_of(unsigned int args)
{
	return !!(args & TRACE_EAX) + !!(args & TRACE_EDX) +
	       !!(args & TRACE_ECX) + (int)(args >> TRACE_STACK);
}

static void print_record(const struct trace_record *r, const uint32_t *word)
{
	unsigned int args = r->args;

	printf("%14" PRIu64 " ", (uint64_t)r->cycles_high << 32 | r->cycles);
	if (r->eip)
		printf("%08" PRIx32, r->eip);
	else
		printf("%-8s", "-");
	printf(args ? " %-18s" : " %s", tool_call_name(false, r->call));
	if (args & TRACE_EAX)
		printf(" eax=%08" PRIx32, *word++);
	if (args & TRACE_EDX)
		printf(" edx=%08" PRIx32, *word++);
	if (args & TRACE_ECX)
		printf(" ecx=%08" PRIx32, *word++);
	if (args >> TRACE_STACK)
		printf(" stack=");
	for (args >>= TRACE_STACK; args; args--)
		printf("%08" PRIx32 "%s", *word++, args > 1 ? "," : "");
	putchar('\n');
}

/*
 * A machine that is stopped while it hands its last records over leaves them in
 * the file and in the shared area: of the area only what is later counts.
 */
static uint64_t last_time;

static int print_records(const char *file, FILE *f, bool is_area)
{
	struct trace_record r;
	uint32_t words[ARGS_MAX];
	size_t n, got;
	uint64_t when;

	while ((got = fread(&r, 1, sizeof(r), f)) == sizeof(r)) {
		n = (size_t)words_of(r.args);
		if (!tool_call_name(false, r.call))
			return tool_refuse(file, "damaged: call %u", r.call);
		if (fread(words, sizeof(*words), n, f) != n)
			break;
		when = (uint64_t)r.cycles_high << 32 | r.cycles;
		if (is_area && when <= last_time)
			continue;
		last_time = when;
		print_record(&r, words);
	}
	if (ferror(f))
		return tool_refuse(file, "%s", strerror(errno));
	return got ? tool_refuse(file, "truncated: ends in a record") : 0;
}

static int trace_file(const char *file)
{
	FILE *f = fopen(file, "rb");
	int status;

	if (!f)
		return tool_refuse(file, "%s", strerror(errno));
	status = print_records(file, f, false);
	fclose(f);
	return status;
}

/* The area as the guest left it: trace_used may be anything. */
static int trace_area(const char *file)
{
	static struct stub_shared area;
	const size_t need = offsetof(struct stub_shared, trace) +
			    sizeof(area.trace);
	FILE *f = fopen(file, "rb");
	size_t got, used;
	int status;

	if (!f)
		return tool_refuse(file, "%s", strerror(errno));
	got = fread(&area, 1, need, f);
	fclose(f);
	if (got < need)
		return tool_refuse(file, "shorter than a shared area");
	used = area.trace_used;
	if (used > sizeof(area.trace))
		used = sizeof(area.trace);
	if (!used)
		return 0;
	f = fmemopen(area.trace, used, "rb");
	if (!f)
		return tool_refuse(file, "%s", strerror(errno));
	status = print_records(file, f, true);
	fclose(f);
	return status;
}

int tool_trace(const char *file, const char *area)
{
	int status = trace_file(file);

	if (!status && area)
		status = trace_area(area);
	if (fflush(stdout))
		return tool_refuse("standard output", "%s", strerror(errno));
	return status;
}

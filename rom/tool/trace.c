// SPDX-License-Identifier: GPL-2.0-only
/*
 * Prints the records of the trace backend, one line per call: cycles since
 * VMI_Init, the vCPU if there are several, where the call returns to, its name
 * and its arguments. They come in batches, each of one vCPU, and are printed in
 * the order of time.
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

#define VCPUS		8
#define ARGS_MAX	(5 + 15)

/* The calls of one vCPU. */
struct calls {
	FILE		*f;		/* of its own */
	uint32_t	left;		/* bytes of the batch */
	bool		more;		/* this is one: */
	uint64_t	time;
	struct trace_record record;
	uint64_t	rip;		/* or eip */
	uint64_t	word[ARGS_MAX];
};

static bool is_wide(const struct calls *c)
{
	return c->record.args & TRACE_WIDE;
}

static unsigned int words_of(unsigned int args)
{
	if (args & TRACE_WIDE)
		return (args & TRACE_REGISTERS) + (args >> TRACE_STACK);
	return !!(args & TRACE_EAX) + !!(args & TRACE_EDX) +
	       !!(args & TRACE_ECX) + (args >> TRACE_STACK);
}

static void print_call(const struct calls *c)
{
	static const char *const name[] = { "eax", "edx", "ecx" };
	static const char *const name64[] = { "rdi", "rsi", "rdx", "rcx", "r8" };
	const int digits = is_wide(c) ? 16 : 8;
	const uint64_t *word = c->word;
	unsigned int args = c->record.args, i;

	if (c->rip)
		printf("%0*" PRIx64, digits, c->rip);
	else
		printf("%-*s", digits, "-");
	printf(words_of(args) ? " %-18s" : " %s",
	       tool_call_name(is_wide(c), c->record.call));
	for (i = 0; is_wide(c) && i < (args & TRACE_REGISTERS); i++)
		printf(" %s=%016" PRIx64, name64[i], *word++);
	for (i = 0; !is_wide(c) && i < 3; i++)
		if (args & 1u << i)
			printf(" %s=%08" PRIx64, name[i], *word++);
	if (args >> TRACE_STACK)
		printf(" stack=");
	for (args >>= TRACE_STACK; args; args--)
		printf("%0*" PRIx64 "%s", digits, *word++, args > 1 ? "," : "");
	putchar('\n');
}

/* So many bytes, of the batch. */
static bool get(struct calls *c, void *to, size_t size)
{
	if (size > c->left || fread(to, 1, size, c->f) != size)
		return false;
	c->left -= size;
	return true;
}

/* Words of 32 bits or, if wide, of 64. */
static bool get_words(struct calls *c, uint64_t *to, unsigned int count)
{
	for (; count; count--, to++) {
		*to = 0;
		if (!get(c, to, is_wide(c) ? 8 : 4))
			return false;
	}
	return true;
}

/* To the next batch of this vCPU; c->left is 0: there is none. */
static int next_batch(const char *file, struct calls *c, uint32_t vcpu)
{
	struct stub_trace_batch b;
	size_t got;

	while ((got = fread(&b, 1, sizeof(b), c->f)) == sizeof(b)) {
		if (b.vcpu >= VCPUS)
			return tool_refuse(file, "damaged: vCPU %" PRIu32,
					   b.vcpu);
		if (b.vcpu == vcpu && b.bytes) {
			c->left = b.bytes;
			return 0;
		}
		if (fseek(c->f, b.bytes, SEEK_CUR))
			return tool_refuse(file, "%s", strerror(errno));
	}
	if (ferror(c->f))
		return tool_refuse(file, "%s", strerror(errno));
	return got ? tool_refuse(file, "truncated: ends in a batch") : 0;
}

/*
 * A machine that is stopped while a vCPU hands its records over may leave them
 * in its area as well: what is not later is the same once more.
 */
static int next_call(const char *file, struct calls *c, uint32_t vcpu)
{
	struct trace_record *r = &c->record;
	uint64_t last = c->time;

	do {
		if (!c->left && next_batch(file, c, vcpu))
			return 1;
		c->more = c->left;
		if (!c->more)
			return 0;
		if (!get(c, r, offsetof(struct trace_record, eip)) ||
		    !get_words(c, &c->rip, 1))
			return tool_refuse(file, "truncated: ends in a record");
		if (!tool_call_name(is_wide(c), r->call) ||
		    (is_wide(c) && (r->args & TRACE_REGISTERS) > 5))
			return tool_refuse(file, "damaged: call %u", r->call);
		if (!get_words(c, c->word, words_of(r->args)))
			return tool_refuse(file, "truncated: ends in a record");
		c->time = (uint64_t)r->cycles_high << 32 | r->cycles;
	} while (c->time <= last);
	return 0;
}

static int print_calls(const char *file, struct calls calls[VCPUS])
{
	bool several = false;
	uint32_t i, first;

	for (i = 0; i < VCPUS; i++) {
		if (next_call(file, &calls[i], i))
			return 1;
		several |= i && calls[i].more;
	}
	for (;;) {
		first = VCPUS;
		for (i = 0; i < VCPUS; i++)
			if (calls[i].more && (first == VCPUS ||
					      calls[i].time < calls[first].time))
				first = i;
		if (first == VCPUS)
			return 0;
		printf("%14" PRIu64 " ", calls[first].time);
		if (several)
			printf("%" PRIu32 ": ", first);
		print_call(&calls[first]);
		if (next_call(file, &calls[first], first))
			return 1;
	}
}

int tool_trace(const char *file)
{
	static struct calls calls[VCPUS];
	int status = 0;
	uint32_t i;

	for (i = 0; i < VCPUS && !status; i++) {
		calls[i].f = fopen(file, "rb");
		if (!calls[i].f)
			status = tool_refuse(file, "%s", strerror(errno));
	}
	if (!status)
		status = print_calls(file, calls);
	for (i = 0; i < VCPUS && calls[i].f; i++)
		fclose(calls[i].f);
	if (fflush(stdout))
		return tool_refuse("standard output", "%s", strerror(errno));
	return status;
}

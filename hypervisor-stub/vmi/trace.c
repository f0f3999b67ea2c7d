// SPDX-License-Identifier: GPL-2.0-only
/*
 * What vmi-run --trace reads out of the machine's memory while the machine
 * runs: a port would take an exit of QEMU's for each byte. host_trace() tells it
 * first where that is, eight bytes, and then by a byte that there is more, some
 * times in each round. Should it be slow, we wait.
 */
#include <host.h>

#include "vmi.h"

#define TRACE_WORDS	(1u << 20)
#define TRACE_TELL	(TRACE_WORDS / 8)
#define BATCH_WORDS	(sizeof(struct stub_trace_batch) / sizeof(uint32_t))

struct trace_ring {
	volatile uint64_t	written;	/* words in all */
	volatile uint64_t	read;		/* by vmi-run */
	uint8_t			pad[PAGE_SIZE - 16];
	uint32_t		word[TRACE_WORDS];
};

struct trace_ring *trace_init(void)
{
	struct trace_ring *t = host_pages(sizeof(*t), PAGE_SIZE);
	int i;

	for (i = 0; t && i < 8; i++)
		host_trace(host_pa(t) >> i * 8);
	return t;
}

void trace_free(struct trace_ring *t)
{
	host_pages_free(t, sizeof(*t));
}

/* In batches, each of one vCPU: struct stub_trace_batch, and its words. */
void trace_drain(struct trace_ring *t, uint32_t vcpu,
		 volatile struct stub_shared *sh)
{
	const volatile uint32_t *word = (const volatile uint32_t *)sh->trace;
	uint32_t used = sh->trace_used, i;
	uint64_t begin, at, end;

	if (used > sizeof(sh->trace))
		used = sizeof(sh->trace);
	used /= sizeof(*word);
	if (t && used) {
		begin = at = t->written;
		end = begin + BATCH_WORDS + used;
		while (end - t->read > TRACE_WORDS)
			asm volatile("pause");
		t->word[at++ % TRACE_WORDS] = vcpu;
		t->word[at++ % TRACE_WORDS] = used * sizeof(*word);
		for (i = 0; i < used; i++)
			t->word[at++ % TRACE_WORDS] = word[i];
		t->written = end;
		if (begin / TRACE_TELL != end / TRACE_TELL)
			host_trace(0);
	}
	sh->trace_used = 0;
}

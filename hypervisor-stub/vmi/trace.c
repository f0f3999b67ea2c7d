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

void trace_drain(struct trace_ring *t, volatile struct stub_shared *sh)
{
	const volatile uint32_t *word = (const volatile uint32_t *)sh->trace;
	uint32_t used = sh->trace_used, i;
	uint64_t at;

	if (used > sizeof(sh->trace))
		used = sizeof(sh->trace);
	used /= sizeof(*word);
	if (t) {
		at = t->written;
		while (at + used - t->read > TRACE_WORDS)
			asm volatile("pause");
		for (i = 0; i < used; i++)
			t->word[(at + i) % TRACE_WORDS] = word[i];
		t->written = at + used;
		if (at / TRACE_TELL != (at + used) / TRACE_TELL)
			host_trace(0);
	}
	sh->trace_used = 0;
}

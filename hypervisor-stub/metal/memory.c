// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of the machine: what is free of the RAM that the boot loader told of,
 * as a list in the order of addresses. Each piece says in its first bytes how
 * large it is and where the next one starts. Neighbours are one piece.
 */
#include <host.h>
#include <string.h>

#include "lock.h"
#include "metal.h"

#define PAGE		4096ull

struct piece {
	struct piece	*next;
	uint64_t	bytes;
};

static struct spinlock lock;	/* guards all of it */
static struct piece *first;

static uint64_t pages(uint64_t bytes)
{
	return (bytes + PAGE - 1) & -PAGE;
}

static uint8_t *end_of(struct piece *p)
{
	return (uint8_t *)p + p->bytes;
}

static void join(struct piece *p)
{
	if (end_of(p) != (uint8_t *)p->next)
		return;
	p->bytes += p->next->bytes;
	p->next = p->next->next;
}

static void give(void *at, uint64_t bytes)
{
	struct piece *before = NULL, *p = at;
	struct piece **link = &first;

	if (!p)
		return;
	for (; *link && *link < p; link = &before->next)
		before = *link;
	p->bytes = pages(bytes);
	p->next = *link;
	*link = p;
	if (p->next)
		join(p);
	if (before)
		join(before);
}

void host_pages_free(void *at, uint64_t bytes)
{
	spin_lock(&lock);
	give(at, bytes);
	spin_unlock(&lock);
}

void memory_add(uint64_t start, uint64_t bytes)
{
	uint64_t from = pages(start), to = (start + bytes) & -PAGE;

	if (from < to)
		host_pages_free(host_va(from), to - from);
}

/* Where in a piece; 0: it does not fit. */
static uint64_t place(struct piece *p, uint64_t bytes, uint64_t align)
{
	uint64_t start = host_pa(p), at = (start + align - 1) & -align;

	if (at - start > p->bytes || bytes > p->bytes - (at - start))
		return 0;
	return at;
}

/* From the first piece where it fits; what is left on either side stays. */
static void *take(uint64_t bytes, uint64_t align)
{
	struct piece **link, *p, rest;
	uint64_t at, start;

	for (link = &first; (p = *link); link = &p->next) {
		at = place(p, bytes, align);
		if (!at)
			continue;
		start = host_pa(p);
		rest = *p;
		*link = rest.next;
		give(at + bytes < start + rest.bytes ?
		     host_va(at + bytes) : NULL,
		     start + rest.bytes - at - bytes);
		give(start < at ? p : NULL, at - start);
		return host_va(at);
	}
	return NULL;
}

void *host_pages(uint64_t bytes, uint64_t align)
{
	void *at;

	if (bytes > -PAGE)
		return NULL;
	bytes = pages(bytes);
	spin_lock(&lock);
	at = take(bytes, align);
	spin_unlock(&lock);
	return at ? memset(at, 0, bytes) : NULL;
}

uint64_t host_pages_left(void)
{
	const struct piece *p;
	uint64_t bytes = 0;

	spin_lock(&lock);
	for (p = first; p; p = p->next)
		bytes += p->bytes;
	spin_unlock(&lock);
	return bytes;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls about guests from outside the machine: vmi-run --control makes them by a
 * channel of the machine (spec/control.md). They are those that a guest with the right
 * to manage has, by the same handlers and with the same checks (dispatch.c). Whoever
 * calls is to them a guest that never runs, with a memory of its own for each
 * call.
 *
 * One call is carried out after the other, between interrupts, by the processor that
 * gets those of the channel. Of bytes that come no more are looked at for one
 * interrupt than the channel can hold: what comes meanwhile has an interrupt itself.
 */
#include <host.h>
#include <string.h>

#include "control.h"
#include "dispatch.h"
#include "log.h"

#define CHUNK		4096u
#define TURN		(32 * CHUNK)	/* bytes, and more than a channel holds */

static struct control {
	uint32_t	channel;
	struct guest	*g;		/* who calls; NULL: nobody does */
	struct control_call call;	/* what there is of it: */
	uint32_t	got;
	uint64_t	given;		/* bytes behind it that have come */
	int64_t		error;		/* of what it says about its memory */
	uint8_t		chunk[CHUNK];
} control;

static struct guest_config config = {
	.name = "vmi-run",
	.rights = VMI_RIGHT_MANAGE | VMI_RIGHT_INTROSPECT,
	.shares = GUEST_SHARES_MAX,
};

bool control_init(uint32_t channel)
{
	struct guest *g = host_pages(sizeof(*g), PAGE_SIZE);

	if (!g)
		return false;
	config.pin = (1u << host_cpus) - 1;
	g->name = config.name;
	g->config = &config;
	g->vcpu[0].g = g;
	g->vcpu[0].mmu.mm = &g->mm;
	control.channel = channel;
	control.g = g;
	return true;
}

static struct gmem *memory(void)
{
	return &control.g->mm.gmem;
}

/* ---- a call ----------------------------------------------------------------- */

static bool is_possible(const struct control_call *c)
{
	return c->memory && c->memory <= CONTROL_MEMORY_MAX &&
	       c->memory % PAGE_SIZE == 0 && c->given <= c->memory &&
	       c->wanted <= CONTROL_WANTED_MAX && c->from <= c->memory &&
	       c->wanted <= c->memory - c->from;
}

/* Its header is there: now its memory. */
static void begin(struct control *c)
{
	c->given = 0;
	c->error = 0;
	if (!is_possible(&c->call))
		c->error = -VMI_EINVAL;
	else if (!gmem_init(memory(), c->call.memory))
		c->error = -VMI_ENOMEM;
}

static void answer(struct control *c, int64_t result)
{
	struct {
		struct control_answer head;
		uint8_t		data[CONTROL_WANTED_MAX];
	} __attribute__((packed)) *a = (void *)c->chunk;

	_Static_assert(sizeof(*a) <= sizeof(c->chunk), "it has room");
	_Static_assert(sizeof(*a) <= HOST_CHANNEL_MAX, "it is sent at once");
	a->head = (struct control_answer){ result, 0 };
	if (!c->error && gmem_read(memory(), a->data, c->call.from,
				   c->call.wanted))
		a->head.bytes = c->call.wanted;
	host_channel_put(c->channel, a, sizeof(a->head) + a->head.bytes);
}

/* All of it is there. */
static void finish(struct control *c)
{
	int64_t result = c->error;

	if (!result)
		result = dispatch_outside(&c->g->vcpu[0], c->call.number,
					  c->call.arg);
	answer(c, result);
	gmem_free(memory());
	c->got = 0;
}

/* ---- the channel -------------------------------------------------------------- */

/* Some bytes of a call, so many at most; how many. */
static uint32_t receive(struct control *c, uint32_t most)
{
	uint64_t left;
	uint32_t n;

	if (c->got < sizeof(c->call)) {
		n = host_channel_get(c->channel, (uint8_t *)&c->call + c->got,
				     sizeof(c->call) - c->got);
		c->got += n;
		if (c->got == sizeof(c->call))
			begin(c);
		return n;
	}
	left = c->call.given - c->given;
	most = most < CHUNK ? most : CHUNK;
	n = host_channel_get(c->channel, c->chunk, left < most ? left : most);
	if (!c->error)
		gmem_write(memory(), c->given, c->chunk, n);
	c->given += n;
	return n;
}

static bool is_whole(const struct control *c)
{
	return c->got == sizeof(c->call) && c->given == c->call.given;
}

void control_interrupt(void)
{
	struct control *c = &control;
	uint32_t turn, n;

	if (!c->g)
		return;
	for (turn = 0; turn < TURN; turn += n) {
		n = receive(c, TURN - turn);
		if (is_whole(c)) {
			if (!host_channel_room(c->channel))
				return;		/* an interrupt tells */
			finish(c);
		} else if (!n) {
			return;
		}
	}
}

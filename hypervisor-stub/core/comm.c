// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page of variables that a guest shares with us (spec/neighbours.md, N-5): what
 * it is, in which state, and messages to it with its replies. The guest may write
 * anything there at any time: each word is read once, and of what it says only those
 * values count that there are. All with the guest's lock.
 */
#include <cpu.h>
#include <string.h>

#include "core.h"
#include "vmi_hypercall.h"

#define COM1_BYTES	8u

static bool load(const struct guest *g, uint32_t offset, uint32_t *word)
{
	return gmem_load32(&g->mm.gmem, g->comm.page + offset, word);
}

static void store(const struct guest *g, uint32_t offset, uint32_t word)
{
	gmem_store32(&g->mm.gmem, g->comm.page + offset, word);
}

#define LOAD(g, field, word)	load(g, offsetof(struct vmi_comm, field), word)
#define STORE(g, field, word)	store(g, offsetof(struct vmi_comm, field), word)

void comm_init(const struct guest *g)
{
	const struct guest_config *c = g->config;
	struct vmi_comm is = {
		.signature = { 'J', 'H', 'C', 'O', 'M', 'M' },
		.revision = VMI_COMM_REVISION,
		.state = VMI_STATE_RUNNING,
		.console = {
			.address = COM1,
			.size = COM1_BYTES,
			.type = VMI_CONSOLE_8250,
		},
		.cpus = g->vcpus,
		.tsc_khz = host_tsc_hz / 1000,
		.apic_khz = host_tsc_hz / 1000,
		.guest = g->slot,
		.rights = c->rights,
		.reply_timeout = c->reply_timeout,
		.passive = c->passive,
	};

	if (g->comm.page)
		gmem_boot_copy(&g->mm.gmem, g->comm.page, &is, sizeof(is));
}

/* ---- its state ------------------------------------------------------------ */

/* Has it replied meanwhile? If not, and its time is over, it never will. */
static void look(struct guest *g)
{
	struct comm *c = &g->comm;
	uint32_t reply;

	if (!c->message || !LOAD(g, reply, &reply))
		return;
	if (reply) {
		c->reply = reply <= VMI_REPLY_RECEIVED ? reply : VMI_REPLY_UNKNOWN;
		c->approved = c->asked && reply == VMI_REPLY_APPROVED;
		c->message = VMI_MSG_NONE;
	} else if (rdtsc() >= c->deadline) {
		c->failed = true;
		c->message = VMI_MSG_NONE;
	}
}

uint64_t comm_due(struct guest *g)
{
	if (g->comm.message && rdtsc() >= g->comm.deadline)
		look(g);
	return g->comm.message ? g->comm.deadline : UINT64_MAX;
}

int64_t comm_state(struct guest *g)
{
	uint32_t state = VMI_STATE_RUNNING;

	if (g->ended || g->gone)
		return g->end == END_ORDERLY ? VMI_STATE_SHUT_DOWN :
					       VMI_STATE_FAILED;
	if (!g->comm.page)
		return VMI_STATE_RUNNING;
	look(g);
	if (g->comm.failed)
		return VMI_STATE_FAILED;
	if (g->comm.final)
		return g->comm.final;
	if (!LOAD(g, state, &state) || state > VMI_STATE_ABI_MISMATCH)
		return -VMI_EINVAL;
	if (state >= VMI_STATE_SHUT_DOWN)
		g->comm.final = state;
	return state;
}

/* ---- messages ------------------------------------------------------------- */

/* Does it count what it says? Not if it does not run. */
static bool has_vote(struct guest *g)
{
	int64_t state = comm_state(g);

	return g->comm.page && !g->config->passive &&
	       state < VMI_STATE_SHUT_DOWN;
}

/* Of one that has no vote. */
static uint32_t consent(uint32_t message)
{
	return message == VMI_MSG_SHUTDOWN ? VMI_REPLY_APPROVED :
					     VMI_REPLY_RECEIVED;
}

static uint64_t deadline(const struct guest *g)
{
	uint64_t ms = g->config->reply_timeout;

	return ms ? rdtsc() + host_tsc_hz / 1000 * ms : UINT64_MAX;
}

int64_t comm_send(struct guest *g, uint64_t message)
{
	struct comm *c = &g->comm;
	struct vcpu *v = g->vcpu;

	if (message != VMI_MSG_SHUTDOWN && message != VMI_MSG_RECONFIGURED)
		return -VMI_EINVAL;
	if (!has_vote(g)) {
		c->reply = consent(message);
		return c->reply;
	}
	if (c->message)
		return -VMI_EBUSY;
	if (message == VMI_MSG_SHUTDOWN && comm_state(g) == VMI_STATE_LOCKED) {
		c->reply = VMI_REPLY_DENIED;
		return c->reply;
	}
	c->reply = VMI_REPLY_NONE;
	c->approved = false;
	c->asked = message == VMI_MSG_SHUTDOWN;
	c->message = message;
	c->deadline = deadline(g);
	STORE(g, reply, VMI_REPLY_NONE);
	STORE(g, message, message);
	for (; c->deadline != UINT64_MAX && v < g->vcpu + g->vcpus; v++)
		sched_clocks_changed(v);
	return VMI_REPLY_NONE;
}

int64_t comm_reply(struct guest *g)
{
	struct comm *c = &g->comm;

	look(g);
	if (c->failed)
		return -VMI_ETIMEDOUT;
	if (!c->message && !c->reply)
		return -VMI_EINVAL;
	return c->reply;
}

bool comm_approves(struct guest *g)
{
	return !has_vote(g) ||
	       (g->comm.approved && comm_state(g) != VMI_STATE_LOCKED);
}

/* What it has said last; and if that is nothing, its end says it. */
void comm_end(struct guest *g)
{
	struct comm *c = &g->comm;

	look(g);
	if (!c->message)
		return;
	c->reply = consent(c->message);
	c->message = VMI_MSG_NONE;
}

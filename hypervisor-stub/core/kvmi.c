// SPDX-License-Identifier: GPL-2.0-only
/*
 * Introspection: the connection to a tool, and messages of it one by one.
 *
 * vmi-run connects to the tool, and has one channel of the machine for each guest. On
 * that are frames of a size, four bytes, and so many more, in each direction. Sizes
 * that are none: FRAME_OPEN, the tool is there; FRAME_CLOSE, it is not, or shall not
 * be. Each side says that once for a connection, so that what was on its way is of
 * none. A frame of ours is one message: tools want it at once.
 *
 * Messages are carried out in order. One for a vCPU that is elsewhere waits for that,
 * and those behind it wait, too; but for events' answers nothing in them waits for
 * anything but a processor.
 */
#include <cpu.h>
#include <string.h>

#include "kvmi.h"
#include "log.h"

#define FRAME_OPEN	0xffffffffu
#define FRAME_CLOSE	0u
#define FRAME_GONE	0xffffffffu	/* from us: the guest does not start again, */
#define FRAME_BACK	0xfffffffeu	/* unless a manager starts it: it has */

/* An answer, an event of each vCPU, the two words of an end, and that it is back. */
#define ROOM		(GUEST_VCPUS + 4u)
/* More come when others have had a chance. */
#define MESSAGES	32u

/* ---- sending -------------------------------------------------------------- */

static bool say(struct kvmi *k, uint32_t word)
{
	return host_channel_put(k->channel, &word, sizeof(word));
}

bool kvmi_send(struct kvmi *k, uint16_t id, uint32_t seq, uint32_t bytes)
{
	k->out.header = (struct kvmi_header){ id, bytes, seq };
	k->out.bytes = sizeof(k->out.header) + bytes;
	if (host_channel_put(k->channel, &k->out,
			     sizeof(k->out.bytes) + k->out.bytes))
		return true;
	kvmi_close(k, "the tool does not read");
	return false;
}

/* It is over on our side; the guest runs on as if nobody had listened. */
static void leave(struct kvmi *k)
{
	k->state = KVMI_CLOSING;
	say(k, FRAME_CLOSE);
	kvmi_forget(k);
}

void kvmi_close(struct kvmi *k, const char *why)
{
	if (k->state == KVMI_NONE || k->state == KVMI_CLOSING)
		return;
	log_printf("%s: introspection ends: %s\n", k->g->name, why);
	leave(k);
}

static void greet(struct kvmi *k)
{
	struct {
		uint32_t	bytes;
		struct kvmi_hello hello;
	} __attribute__((packed)) frame = {
		.bytes = sizeof(frame.hello),
		.hello = {
			.size = sizeof(frame.hello),
			.start_time = k->start_time,
		},
	};

	memcpy(frame.hello.uuid, k->uuid, sizeof(k->uuid));
	memcpy(frame.hello.name, k->g->name, strlen(k->g->name));
	k->got = k->skip = 0;
	k->quiet = false;
	k->event_seq = 0;
	k->state = KVMI_GREETED;
	host_channel_put(k->channel, &frame, sizeof(frame));
}

/* ---- receiving ------------------------------------------------------------- */

/* A frame's size is there. */
static void frame_begins(struct kvmi *k)
{
	uint32_t size;

	memcpy(&size, k->frame, sizeof(size));
	k->frame_got = 0;
	if (size == FRAME_OPEN) {
		if (k->state == KVMI_NONE)
			k->state = KVMI_CONNECTED;
	} else if (size == FRAME_CLOSE) {
		if (k->state > KVMI_CONNECTED && k->state != KVMI_CLOSING)
			leave(k);
		else if (k->state == KVMI_CONNECTED)
			say(k, FRAME_CLOSE);
		k->state = KVMI_NONE;
	} else {
		k->frame_left = size;
	}
}

/* Bytes of frames, so many at most, that are the tool's; 0: there are no more. */
static uint32_t take(struct kvmi *k, uint8_t *to, uint32_t max)
{
	uint32_t n, before = k->state;

	while (!k->frame_left) {
		n = host_channel_get(k->channel, k->frame + k->frame_got,
				     sizeof(k->frame) - k->frame_got);
		k->frame_got += n;
		if (k->frame_got < sizeof(k->frame))
			return 0;
		frame_begins(k);
		if (k->state != before)
			return 0;
	}
	n = host_channel_get(k->channel, to, k->frame_left < max ?
			     k->frame_left : max);
	k->frame_left -= n;
	return n;
}

/* Into k->in, until so many bytes are there. */
static bool fill(struct kvmi *k, uint32_t bytes)
{
	uint32_t n;

	while (k->got < bytes) {
		n = take(k, k->in.bytes + k->got, bytes - k->got);
		if (!n)
			return false;
		k->got += n;
	}
	return true;
}

/* The tool's answer to our greeting: all of it but its size is passed over. */
static void take_answer(struct kvmi *k)
{
	uint8_t rest[64];
	uint32_t n;

	if (!k->skip) {
		if (!fill(k, sizeof(k->skip)))
			return;
		memcpy(&k->skip, k->in.bytes, sizeof(k->skip));
		if (k->skip < KVMI_ANSWER_MIN || k->skip > KVMI_ANSWER_MAX) {
			kvmi_close(k, "the answer to the greeting has no size that one can have");
			return;
		}
		k->skip -= sizeof(k->skip);
	}
	while (k->skip) {
		n = take(k, rest, k->skip < sizeof(rest) ? k->skip :
			 sizeof(rest));
		if (!n)
			return;
		k->skip -= n;
	}
	k->got = 0;
	k->state = KVMI_OPEN;
	kvmi_watch(k, true);
	log_printf("%s: introspection begins\n", k->g->name);
}

/* A whole message is in k->in. */
static bool take_message(struct kvmi *k)
{
	if (!fill(k, sizeof(k->in.header)))
		return false;
	if (k->in.header.size > KVMI_BODY_MAX) {
		kvmi_close(k, "a message is too long");
		return false;
	}
	return fill(k, sizeof(k->in.header) + k->in.header.size);
}

/* ---- in turn ---------------------------------------------------------------- */

/* What comes of a message that was carried out. */
static void carried_out(struct kvmi *k, int result)
{
	k->got = 0;
	k->busy = NULL;
	if (result == KVMI_BROKEN)
		kvmi_close(k, "a message breaks the rules");
}

/* False: for now there is nothing to do. */
static bool receive(struct kvmi *k, struct vcpu *v)
{
	uint32_t before = k->state;
	int result;

	switch (k->state) {
	case KVMI_CONNECTED:
		if (!k->alive || host_channel_room(k->channel) < ROOM)
			return false;
		greet(k);
		return true;
	case KVMI_GREETED:
		take_answer(k);
		return k->state != before;
	case KVMI_OPEN:
		if (k->busy || host_channel_room(k->channel) < ROOM ||
		    !take_message(k))
			return k->state != before;
		result = kvmi_command(k, v);
		if (result != KVMI_LATER)
			carried_out(k, result);
		return true;
	default:
		/* What is on its way of a connection that is over. */
		k->got = 0;
		return fill(k, sizeof(k->in)) || k->state != before;
	}
}

void kvmi_ask(struct kvmi *k, struct vcpu *v)
{
	k->vcpu[v->nr].asked = true;
	sched_ask(v);
}

/* The vCPU that is in this processor does what it is asked. */
bool kvmi_serve(struct vcpu *v)
{
	struct kvmi *k = v->g->kvmi;
	struct kvmi_vcpu *kv = kvmi_of(v);
	bool goes_on;
	uint32_t n;

	kvmi_left(v);
	kv->asked = false;
	/* One that has gone off has no answer but that. */
	if (k->busy && (k->busy == v || !k->busy->on))
		carried_out(k, kvmi_command(k, v));
	for (n = 0; n < MESSAGES && receive(k, v); n++)
		;
	if (n == MESSAGES)
		kvmi_ask(k, v);
	goes_on = kvmi_go_on(v);
	/* What was opened meanwhile is closed again. */
	if (v->regs->stop == STOP_ASKED && !kv->asked)
		v->regs->stop = STOP_NOT;
	return goes_on;
}

/* ---- who does it ------------------------------------------------------------- */

/* The first that is on, or will be when its guest is resumed; with none the guest is
 * about to end. */
static void ask_somebody(struct kvmi *k)
{
	struct guest *g = k->g;
	uint32_t i;

	for (i = 0; i < g->vcpus && !kvmi_is_on(&g->vcpu[i]); i++)
		;
	if (i < g->vcpus)
		kvmi_ask(k, &g->vcpu[i]);
}

/* Until the lock is ours its place may be another's (kvmi_init()). */
void kvmi_interrupt(void)
{
	struct guest *g;
	struct kvmi *k;
	uint32_t i;

	for (i = 0; i < guest_count; i++) {
		g = guests[i];
		if (!g->kvmi)
			continue;
		spin_lock(&g->lock);
		k = g->kvmi;
		if (k && k->alive && host_channel_waits(k->channel))
			ask_somebody(k);
		spin_unlock(&g->lock);
	}
}

bool kvmi_asked(const struct vcpu *v)
{
	return v->g->kvmi && kvmi_of(v)->asked;
}

bool kvmi_holds(const struct vcpu *v)
{
	const struct kvmi *k = v->g->kvmi;

	return k && (kvmi_of(v)->waits || (k->over && k->over != v));
}

/* INIT: what it was asked is for the others, or is no more. */
void kvmi_off(struct vcpu *v)
{
	struct kvmi *k = v->g->kvmi;
	struct kvmi_vcpu *kv;

	if (!k)
		return;
	kv = kvmi_of(v);
	kvmi_left(v);
	if (k->over == v)
		kvmi_over_ends(v);
	kv->asked = kv->step_over = kv->tell_step = kv->inject = false;
	if (kv->answered)
		kv->waits = kv->answered = false;
	kvmi_off_tells(v);
	ask_somebody(k);
}

/* STARTUP: it is on again, and may still wait for the answer to an event of before,
 * which has no effect now. */
void kvmi_on(struct vcpu *v)
{
	struct kvmi_vcpu *kv;

	if (!v->g->kvmi)
		return;
	kv = kvmi_of(v);
	kv->old = kv->waits;
	kv->regs_set = kv->passes = kv->step_over = kv->tell_step = false;
	kv->inject = false;
	if (kvmi_holds(v) || kv->step)
		kvmi_ask(v->g->kvmi, v);
}

/* ---- with its guest ----------------------------------------------------------- */

bool kvmi_init(struct guest *g)
{
	const struct guest_config *c = g->config;

	/* Its place may have been that of one that was looked into; who sees to the
	 * channels may still look at that one's. */
	if (!c->introspect) {
		g->kvmi = NULL;
		return true;
	}
	g->kvmi = host_pages(sizeof(*g->kvmi), PAGE_SIZE);
	if (!g->kvmi)
		return false;
	g->kvmi->g = g;
	g->kvmi->channel = c->introspect - 1;
	memcpy(g->kvmi->uuid, "OpenVMI guest", 13);
	g->kvmi->uuid[15] = g->slot + 1;
	return true;
}

void kvmi_free(struct guest *g)
{
	if (g)
		host_pages_free(g->kvmi, sizeof(*g->kvmi));
}

void kvmi_start(struct guest *g)
{
	struct kvmi *k = g->kvmi;
	int64_t now;

	if (!k)
		return;
	k->alive = true;
	if (k->gone)
		say(k, FRAME_BACK);
	k->gone = false;
	/* Tools tell its lives apart by that, also of one that is short. */
	now = host_wallclock_ns() / 1000000000;
	k->start_time = now > k->start_time ? now : k->start_time + 1;
	kvmi_ask(k, &g->vcpu[0]);
}

void kvmi_end(struct guest *g)
{
	struct kvmi *k = g->kvmi;

	if (!k)
		return;
	kvmi_close(k, "the guest has ended");
	k->alive = false;
	k->over = NULL;
	memset(k->vcpu, 0, sizeof(k->vcpu));
}

void kvmi_gone(struct guest *g)
{
	struct kvmi *k = g->kvmi;

	if (!k)
		return;
	k->gone = true;
	say(k, FRAME_GONE);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Introspection: the input is what a tool sends, whole messages of each kind with any
 * arguments and bytes that are none, in pieces of any size, while the guest makes exits
 * and stores. What we send are whole messages of the protocol.
 */
#include "kvmi.h"
#include "log.h"
#include "machine.h"
#include "world.h"

static struct kvmi kvmi;
static uint64_t hidden[WORLD_FRAMES];
static uint8_t sent[1 << 16];
static uint32_t sent_bytes;

static void send(const void *data, uint32_t bytes)
{
	if (sent_bytes + bytes > sizeof(sent))
		return;
	memcpy(sent + sent_bytes, data, bytes);
	sent_bytes += bytes;
}

static void send_word(uint32_t word)
{
	send(&word, sizeof(word));
}

static void check_message(const uint8_t *at, uint32_t size)
{
	struct kvmi_header h;
	int32_t err;

	CHECK(size >= sizeof(h));
	memcpy(&h, at, sizeof(h));
	CHECK_EQ(h.size, size - sizeof(h));
	CHECK(h.size <= KVMI_BODY_MAX && h.id < KVMI_IDS && h.id);
	if (h.id == KVMI_EVENT) {
		CHECK(h.size >= sizeof(struct kvmi_event));
		return;
	}
	CHECK(h.size >= sizeof(struct kvmi_error));
	memcpy(&err, at + sizeof(h), sizeof(err));
	CHECK(err <= 0 && (!err || h.size == sizeof(struct kvmi_error)));
}

/* An unknown id is answered with that. */
static void check_frames(void)
{
	struct machine_channel *c = &machine_channel[0];
	uint32_t at = 0, size;
	struct kvmi_header h;

	while (at < c->went) {
		memcpy(&size, c->goes + at, sizeof(size));
		at += sizeof(size);
		CHECK(size <= c->went - at);
		memcpy(&h, c->goes + at, sizeof(h));
		if (size && size != sizeof(struct kvmi_hello) &&
		    h.id < KVMI_IDS)
			check_message(c->goes + at, size);
		at += size;
	}
	c->went = 0;
}

static void connect(void)
{
	static const uint32_t answer[6] = { sizeof(answer) };

	send_word(UINT32_MAX);
	send_word(sizeof(answer));
	send(answer, sizeof(answer));
}

/* A message that may be right. */
static void message(struct input *in)
{
	struct kvmi_header h = { .id = input_u8(in), .seq = input_u8(in) };
	struct kvmi_vcpu_header vcpu = { 0 };
	uint8_t how = input_u8(in);
	const uint8_t *body;
	size_t len;

	if (h.id == KVMI_EVENT_REPLY)
		h.seq = kvmi.vcpu[0].seq;
	body = input_bytes(in, how & 63, &len);
	h.size = len + (how & 64 ? sizeof(vcpu) : 0);
	send_word(sizeof(h) + h.size);
	send(&h, sizeof(h));
	if (how & 64)
		send(&vcpu, sizeof(vcpu));
	send(body, len);
}

static void garbage(struct input *in)
{
	uint8_t how = input_u8(in);
	const uint8_t *bytes;
	size_t len;

	bytes = input_bytes(in, how & 63, &len);
	if (how & 64)
		send_word(len);
	send(bytes, len);
}

static void serve(void)
{
	machine_channel[0].comes = sent;
	machine_channel[0].left = sent_bytes;
	do {
		v->parked = false;
		if (!kvmi_serve(v) || v->regs->stop == STOP_ENDED)
			break;
		if (kvmi_steps(v)) {
			kvmi_arm(v);
			v->regs->rflags &= ~(uint64_t)EFLAGS_TF;
			kvmi_left(v);
		}
		v->regs->stop = STOP_NOT;
	} while (machine_channel[0].left && kvmi_of(v)->asked);
	memmove(sent, machine_channel[0].comes, machine_channel[0].left);
	sent_bytes = machine_channel[0].left;
	check_frames();
}

/* What is told of, or done: told once, it comes again. */
static void watched(struct input *in)
{
	uint8_t what = input_u8(in);
	uint64_t value = input_u16(in);

	if (!v->watched || kvmi.vcpu[0].waits)
		return;
	v->regs->rip = KERNEL_BASE + (what >> 4);
	switch (what % 4) {
	case 0:
		v->watch->cpuid(v, value, 0, 2);
		break;
	case 1:
		v->watch->insn(v, value % INSN_OPS);
		break;
	case 2:
		v->watch->msr(v, 0xc0000080 + value % 8, value);
		break;
	case 3:
		if (v->wide)
			v->watch->entries(v, value, value >> 8);
	}
	CHECK(!kvmi.vcpu[0].waits || v->regs->stop >= STOP_ASKED);
}

static void program(struct input *in)
{
	while (in->left && v->regs->stop != STOP_ENDED) {
		uint8_t what = input_u8(in);

		switch (what % 8) {
		case 0:
			if (what & 8)
				watched(in);
			else
				garbage(in);
			break;
		case 1:
			connect();
			break;
		case 2:
			machine_channel[0].full = what & 8;
			break;
		case 3:
			if (!kvmi.vcpu[0].waits)
				world_access(KERNEL_BASE + input_u16(in) * 16,
					     what & 8, false, what & 16);
			break;
		case 4:
			serve();
			break;
		default:
			message(in);
		}
	}
	serve();
	if (v->regs->stop != STOP_ENDED)
		kvmi_close(&kvmi, "the end");
	CHECK(!v->watched || v->regs->stop == STOP_ENDED);
}

void fuzz_one(struct input *in)
{
	uint8_t mode = input_u8(in);

	world_reset(mode % WORLD_MODES);
	memset(&kvmi, 0, sizeof(kvmi));
	kvmi.g = guest;
	kvmi.alive = true;
	guest->kvmi = &kvmi;
	guest->special = true;
	v->on = true;
	v->watched = false;
	memset(hidden, 0, sizeof(hidden));
	CHECK_EQ(guest->mm.gmem.nframes, WORLD_FRAMES);
	guest->mm.gmem.hidden = hidden;
	memset(&machine_channel[0], 0, sizeof(machine_channel[0]));
	sent_bytes = 0;
	connect();
	world_run(program, in);
	v->regs->stop = STOP_NOT;
	guest->kvmi = NULL;
	mm_view_none(&guest->mm);
	guest->mm.gmem.hidden = NULL;
}

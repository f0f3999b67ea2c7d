// SPDX-License-Identifier: GPL-2.0-only
/*
 * Channels of the machine: streams of bytes to and from whoever started it. Each is
 * a virtio console (Virtio 1.1, 5.3), by its legacy interface, of which port 1 is
 * used: of port 0 the device loses what nobody takes in time.
 */
#include <host.h>
#include <port.h>
#include <string.h>
#include <x86.h>

#include "virtio.h"

#define PAGE		4096u

#define MULTIPORT	(1u << 1)	/* feature */
#define PORT		1u
enum { CONTROL = 3, RECEIVE, SEND };	/* its queues, and those of the port */
#define IN_SLOTS	16u
#define IN_BYTES	PAGE
#define OUT_SLOTS	32u
#define OUT_BYTES	((HOST_CHANNEL_MAX + 63) & ~63u)

struct channel {
	struct device	d;
	uint32_t	in_slots, out_slots;
	uint8_t		*in, *out;
	uint32_t	sending;	/* slots, by bit */
	/* What has come and was not fetched: of a slot, from at to end. */
	uint16_t	slot;
	uint32_t	at, end;
};

/* What the device is told: that we are here, and use the port. Nothing that it says is
 * needed, so there is no queue for that. */
enum { DEVICE_READY = 0, PORT_READY = 3, PORT_OPEN = 6 };
static const struct {
	uint32_t	port;
	uint16_t	event, value;
} tells[] = {
	{ 0, DEVICE_READY, 1 }, { PORT, PORT_READY, 1 }, { PORT, PORT_OPEN, 1 },
};

uint32_t host_channels;
static struct channel channels[HOST_CHANNELS];

static void give_in(struct channel *c, uint32_t i)
{
	virtio_set_desc(&c->d.queue[RECEIVE], i, c->in + i * IN_BYTES, IN_BYTES,
			DESC_WRITE);
	virtio_give(&c->d, RECEIVE, i);
}

bool host_channel_waits(uint32_t channel)
{
	const struct channel *c = &channels[channel];

	return c->at != c->end ||
	       c->d.queue[RECEIVE].used->idx != c->d.queue[RECEIVE].seen;
}

uint32_t host_channel_get(uint32_t channel, void *to, uint32_t max)
{
	struct channel *c = &channels[channel];
	uint32_t done = 0, n;

	while (done < max) {
		if (c->at == c->end) {
			if (!virtio_taken(&c->d.queue[RECEIVE], &c->slot,
					  &c->end))
				break;
			c->slot %= c->in_slots;
			c->end = c->end < IN_BYTES ? c->end : IN_BYTES;
			c->at = 0;
		}
		n = c->end - c->at < max - done ? c->end - c->at : max - done;
		memcpy((uint8_t *)to + done, c->in + c->slot * IN_BYTES + c->at,
		       n);
		c->at += n;
		done += n;
		if (c->at == c->end)
			give_in(c, c->slot);
	}
	return done;
}

uint32_t host_channel_room(uint32_t channel)
{
	struct channel *c = &channels[channel];
	uint16_t head;
	uint32_t len;

	while (virtio_taken(&c->d.queue[SEND], &head, &len))
		c->sending &= ~(1u << head % c->out_slots);
	return c->out_slots - __builtin_popcount(c->sending);
}

bool host_channel_put(uint32_t channel, const void *data, uint32_t bytes)
{
	struct channel *c = &channels[channel];
	uint32_t i;

	if (!host_channel_room(channel))
		return false;
	i = __builtin_ctz(~c->sending);
	c->sending |= 1u << i;
	memcpy(c->out + i * OUT_BYTES, data, bytes);
	virtio_set_desc(&c->d.queue[SEND], i, c->out + i * OUT_BYTES, bytes, 0);
	virtio_give(&c->d, SEND, i);
	return true;
}

static uint32_t slots(const struct queue *q, uint32_t most)
{
	return q->size < most ? q->size : most;
}

bool channel_init(const struct device *d)
{
	struct channel *c = &channels[host_channels];

	*c = (struct channel){ .d = *d };
	virtio_take_features(d, MULTIPORT);
	virtio_queue_init(&c->d, CONTROL);
	virtio_queue_init(&c->d, RECEIVE);
	virtio_queue_init(&c->d, SEND);
	c->in_slots = slots(&c->d.queue[RECEIVE], IN_SLOTS);
	c->out_slots = slots(&c->d.queue[SEND], OUT_SLOTS - 1);
	c->in = host_pages(IN_SLOTS * IN_BYTES, PAGE);
	c->out = host_pages(OUT_SLOTS * OUT_BYTES, PAGE);
	if (c->d.queue[CONTROL].size < ARRAY_SIZE(tells) || !c->in_slots ||
	    !c->out_slots || !c->in || !c->out)
		return false;
	host_channels++;
	return true;
}

void channel_begin(void)
{
	struct channel *c = &channels[host_channels - 1];
	uint32_t i;

	for (i = 0; i < c->in_slots; i++)
		give_in(c, i);
	for (i = 0; i < ARRAY_SIZE(tells); i++) {
		virtio_set_desc(&c->d.queue[CONTROL], i, &tells[i],
				sizeof(tells[i]), 0);
		virtio_give(&c->d, CONTROL, i);
	}
}

void channels_ack(void)
{
	uint32_t i;

	for (i = 0; i < host_channels; i++)
		inb(channels[i].d.base + VIRTIO_ISR);
}

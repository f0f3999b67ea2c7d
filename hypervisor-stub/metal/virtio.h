/* SPDX-License-Identifier: GPL-2.0-only */
/* Legacy virtio devices on PCI: what the files that drive them share (virtio.c). */
#ifndef VIRTIO_H
#define VIRTIO_H

#include "metal.h"

#define VIRTIO_ISR	19		/* register: it takes its interrupt back */

#define DESC_NEXT	1u
#define DESC_WRITE	2u		/* by the device */

struct desc {
	uint64_t	addr;
	uint32_t	len;
	uint16_t	flags, next;
};

struct avail {
	uint16_t	flags, idx, ring[];
};

struct used {
	uint16_t	flags, idx;
	struct {
		uint32_t id, len;
	} ring[];
};

struct queue {
	uint16_t	size;		/* entries; 0: there is none */
	struct desc	*desc;
	volatile struct avail *avail;
	volatile struct used *used;
	uint16_t	seen;		/* of used */
};

#define QUEUES		6u		/* that are used of any: a channel's, by number */

struct device {
	uint16_t	base;
	uint8_t		irq;
	struct queue	queue[QUEUES];
};

void virtio_take_features(const struct device *, uint32_t wanted);
/* Size 0: there is no such queue, or no memory for it. */
void virtio_queue_init(struct device *, uint32_t nr);
void virtio_set_desc(struct queue *, uint16_t i, const void *at, uint32_t len,
		     uint16_t flags);
/* The chain from this descriptor on. */
void virtio_give(struct device *, uint32_t nr, uint16_t head);
/* One that the device is done with: its head and how much was written. */
bool virtio_taken(struct queue *, uint16_t *head, uint32_t *len);

/* ---- virtio_channel.c ----------------------------------------------------- */

bool channel_init(const struct device *);	/* false: not to be used */
void channel_begin(void);	/* the last one: from here on it may give */
void channels_ack(void);	/* they take their interrupts back */

#endif

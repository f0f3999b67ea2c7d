// SPDX-License-Identifier: GPL-2.0-only
/*
 * Disks, networks and channels of the machine: virtio devices on PCI bus 0, by their
 * legacy interface (Virtio 1.1, 4.1.4.8, 2.6.2 and 5.1.6.1), as virtual machines have them.
 * One request at a time for each disk. Their interrupts are the lines that the
 * firmware has given them, at the 8259s.
 *
 * The device is trusted, as all that can write to memory is.
 */
#include <host.h>
#include <port.h>
#include <string.h>

#include "devices.h"
#include "virtio.h"

#define PAGE		4096u

/* ---- PCI configuration (PCI 3.0, 3.2.2.3.2 and 6.1) ------------------------- */

#define PCI_ADDRESS	0xcf8
#define PCI_DATA	0xcfc

#define PCI_ID		0x00
#define PCI_COMMAND	0x04
#define COMMAND_IO	0x1u
#define COMMAND_MASTER	0x4u
#define COMMAND_NO_INTX	0x400u
#define PCI_BIST	0x0c
#define BIST_MULTI	0x800000u	/* in the header type: several functions */
#define PCI_BAR0	0x10
#define BAR_IO		0x1u
#define PCI_LINE	0x3c

#define ID_NET		0x10001af4u
#define ID_DISK		0x10011af4u
#define ID_CHANNEL	0x10031af4u

static uint32_t pci_read(uint32_t function, uint32_t reg)
{
	outl(PCI_ADDRESS, 1u << 31 | function << 8 | reg);
	return inl(PCI_DATA);
}

static void pci_write(uint32_t function, uint32_t reg, uint32_t value)
{
	outl(PCI_ADDRESS, 1u << 31 | function << 8 | reg);
	outl(PCI_DATA, value);
}

/* ---- a device and its queues -------------------------------------------------- */

#define OFFERED		0		/* features */
#define FEATURES	4		/* that we take */
#define QUEUE_PAGE	8
#define QUEUE_SIZE	12
#define QUEUE_SELECT	14
#define QUEUE_NOTIFY	16
#define STATUS		18
#define CONFIG		20		/* without MSI-X */

#define STATUS_FOUND	1u
#define STATUS_DRIVER	2u
#define STATUS_OK	4u

void virtio_take_features(const struct device *d, uint32_t wanted)
{
	outl(d->base + FEATURES, inl(d->base + OFFERED) & wanted);
}

void virtio_queue_init(struct device *d, uint32_t nr)
{
	struct queue *q = &d->queue[nr];
	uint32_t split;
	uint8_t *at;

	outw(d->base + QUEUE_SELECT, nr);
	q->size = inw(d->base + QUEUE_SIZE);
	if (!q->size)
		return;
	split = (q->size * sizeof(struct desc) + sizeof(struct avail) +
		 (q->size + 1) * sizeof(uint16_t) + PAGE - 1) & -PAGE;
	at = host_pages(split + sizeof(struct used) +
			q->size * sizeof(q->used->ring[0]) + sizeof(uint16_t),
			PAGE);
	if (!at) {
		q->size = 0;
		return;
	}
	q->desc = (struct desc *)at;
	q->avail = (volatile struct avail *)(at + q->size *
					     sizeof(struct desc));
	q->used = (volatile struct used *)(at + split);
	outl(d->base + QUEUE_PAGE, host_pa(at) / PAGE);
}

void virtio_set_desc(struct queue *q, uint16_t i, const void *at, uint32_t len,
		     uint16_t flags)
{
	q->desc[i] = (struct desc){ host_pa(at), len, flags, i + 1 };
}

/* The CPU's stores keep their order, the compiler's have to be told. */
void virtio_give(struct device *d, uint32_t nr, uint16_t head)
{
	struct queue *q = &d->queue[nr];

	q->avail->ring[q->avail->idx % q->size] = head;
	asm volatile("" : : : "memory");
	q->avail->idx++;
	asm volatile("" : : : "memory");
	outw(d->base + QUEUE_NOTIFY, nr);
}

bool virtio_taken(struct queue *q, uint16_t *head, uint32_t *len)
{
	uint16_t i = q->seen % q->size;

	if (q->used->idx == q->seen)
		return false;
	asm volatile("" : : : "memory");
	*head = q->used->ring[i].id % q->size;
	*len = q->used->ring[i].len;
	q->seen++;
	return true;
}

/* ---- disks ---------------------------------------------------------------------- */

#define SECTOR		512u
/* That it may keep what is written for a while, as the host's files do: else each
 * write takes until it is on the medium. */
#define DISK_FLUSH	(1u << 9)
#define DISK_READ	0u
#define DISK_WRITE	1u

struct disk {
	struct device	d;
	uint64_t	bytes;
	uint8_t		*buffer;
	struct {
		uint32_t type, reserved;
		uint64_t sector;
	} request;
	volatile uint8_t failed;	/* the device's; before it is done: 1 */
	bool		busy;
};

uint32_t host_disks;
static struct disk disks[HOST_DISKS];

uint64_t host_disk_bytes(uint32_t disk)
{
	return disks[disk].bytes;
}

void *host_disk_buffer(uint32_t disk)
{
	return disks[disk].buffer;
}

void host_disk_start(uint32_t disk, bool write, uint64_t at, uint32_t bytes)
{
	struct disk *k = &disks[disk];
	struct queue *q = &k->d.queue[0];

	k->request.type = write ? DISK_WRITE : DISK_READ;
	k->request.sector = at / SECTOR;
	k->failed = 1;
	k->busy = true;
	virtio_set_desc(q, 0, &k->request, sizeof(k->request), DESC_NEXT);
	virtio_set_desc(q, 1, k->buffer, bytes, DESC_NEXT | (write ? 0 : DESC_WRITE));
	virtio_set_desc(q, 2, (const void *)&k->failed, 1, DESC_WRITE);
	virtio_give(&k->d, 0, 0);
}

enum host_disk host_disk_state(uint32_t disk)
{
	struct disk *k = &disks[disk];
	uint16_t head;
	uint32_t len;

	if (k->busy && !virtio_taken(&k->d.queue[0], &head, &len))
		return HOST_DISK_BUSY;
	k->busy = false;
	return k->failed ? HOST_DISK_FAILED : HOST_DISK_IDLE;
}

static bool disk_init(const struct device *d)
{
	struct disk *k = &disks[host_disks];

	*k = (struct disk){ .d = *d };
	virtio_take_features(d, DISK_FLUSH);
	virtio_queue_init(&k->d, 0);
	k->buffer = host_pages(HOST_DISK_MAX, PAGE);
	k->bytes = (inl(d->base + CONFIG) |
		    (uint64_t)inl(d->base + CONFIG + 4) << 32) * SECTOR;
	if (k->d.queue[0].size < 3 || !k->buffer)
		return false;
	host_disks++;
	return true;
}

/* ---- networks ------------------------------------------------------------------- */

#define NET_MAC		(1u << 5)	/* feature: it has an address */
#define NET_HEADER	10u
#define NET_SLOTS	64u		/* of each queue, in two descriptors each */
#define SLOT_BYTES	2048u
enum { RECEIVE, SEND };

struct net {
	struct device	d;
	uint8_t		mac[6];
	uint32_t	slots;		/* as many as both queues have room for */
	uint8_t		*memory;	/* of those of both queues */
	uint64_t	sending;	/* bits */
	/* The last that has come, if it was not fetched so far. */
	bool		waits;
	uint16_t	head;
	uint32_t	len;
};

uint32_t host_nets;
static struct net nets[HOST_NETS];

static uint8_t *slot(const struct net *n, uint32_t queue, uint32_t i)
{
	return n->memory + (queue * NET_SLOTS + i) * SLOT_BYTES;
}

static void give_slot(struct net *n, uint32_t queue, uint32_t i, uint32_t bytes)
{
	uint16_t flags = queue == RECEIVE ? DESC_WRITE : 0;
	struct queue *q = &n->d.queue[queue];
	const uint8_t *at = slot(n, queue, i);

	virtio_set_desc(q, 2 * i, at, NET_HEADER, flags | DESC_NEXT);
	virtio_set_desc(q, 2 * i + 1, at + NET_HEADER, bytes, flags);
	virtio_give(&n->d, queue, 2 * i);
}

void host_net_mac(uint32_t net, uint8_t mac[6])
{
	memcpy(mac, nets[net].mac, sizeof(nets[net].mac));
}

bool host_net_waits(uint32_t net)
{
	struct net *n = &nets[net];

	n->waits = n->waits || virtio_taken(&n->d.queue[RECEIVE], &n->head, &n->len);
	return n->waits;
}

/* What is shorter than a header is no frame: its slot goes back as well. */
uint32_t host_net_get(uint32_t net, void *frame)
{
	struct net *n = &nets[net];
	uint32_t i, len = 0;

	while (!len && host_net_waits(net)) {
		i = n->head / 2 % n->slots;
		if (n->len > NET_HEADER &&
		    n->len <= NET_HEADER + HOST_NET_MAX)
			len = n->len - NET_HEADER;
		memcpy(frame, slot(n, RECEIVE, i) + NET_HEADER, len);
		n->waits = false;
		give_slot(n, RECEIVE, i, HOST_NET_MAX);
	}
	return len;
}

bool host_net_put(uint32_t net, const void *frame, uint32_t bytes)
{
	struct net *n = &nets[net];
	uint16_t head;
	uint32_t i, len;

	while (virtio_taken(&n->d.queue[SEND], &head, &len))
		n->sending &= ~(1ull << head / 2 % n->slots);
	for (i = 0; i < n->slots && n->sending >> i & 1; i++)
		;
	if (i == n->slots)
		return false;
	n->sending |= 1ull << i;
	memset(slot(n, SEND, i), 0, NET_HEADER);
	memcpy(slot(n, SEND, i) + NET_HEADER, frame, bytes);
	give_slot(n, SEND, i, bytes);
	return true;
}

static bool net_init(const struct device *d)
{
	struct net *n = &nets[host_nets];
	uint32_t i;

	*n = (struct net){ .d = *d, .slots = NET_SLOTS };
	virtio_take_features(d, NET_MAC);
	for (i = 0; i < sizeof(n->mac); i++)
		n->mac[i] = inb(d->base + CONFIG + i);
	for (i = RECEIVE; i <= SEND; i++) {
		virtio_queue_init(&n->d, i);
		if (n->d.queue[i].size / 2u < n->slots)
			n->slots = n->d.queue[i].size / 2u;
	}
	n->memory = host_pages(2 * NET_SLOTS * SLOT_BYTES, PAGE);
	if (!n->slots || !n->memory)
		return false;
	host_nets++;
	return true;
}

/* From here on frames have a place to come to. */
static void net_begin(struct net *n)
{
	uint32_t i;

	for (i = 0; i < n->slots; i++)
		give_slot(n, RECEIVE, i, HOST_NET_MAX);
}

/* ---- interrupts ------------------------------------------------------------------ */

/* Lines that are not somebody else's: not the timer's, keyboard's, cascade's or
 * serial port's, nor 15, of which spurious ones come. */
#define LINES		0x7fe8u

static uint32_t lines;			/* that are a device's */

/* It is level-triggered: the device takes its request back when it is asked. */
void virtio_ack(int irq)
{
	uint32_t i;

	if (!(lines >> irq & 1))
		return;
	for (i = 0; i < host_disks; i++)
		inb(disks[i].d.base + VIRTIO_ISR);
	for (i = 0; i < host_nets; i++)
		inb(nets[i].d.base + VIRTIO_ISR);
	channels_ack();
	if (irq >= 8)
		outb(PIC_SLAVE_CMD, PIC_EOI);
	outb(PIC_MASTER_CMD, PIC_EOI);
}

static void unmask(void)
{
	if (lines >> 8)
		lines |= 1u << PIC_CASCADE;
	outb(PIC_MASTER_DATA, inb(PIC_MASTER_DATA) & ~lines);
	outb(PIC_SLAVE_DATA, inb(PIC_SLAVE_DATA) & ~(lines >> 8));
	lines &= ~(1u << PIC_CASCADE);
}

/* ---- set-up ------------------------------------------------------------------------ */

static bool is_ours(uint32_t id)
{
	return id == ID_DISK || id == ID_NET || id == ID_CHANNEL;
}

static bool room(uint32_t id)
{
	return id == ID_DISK ? host_disks < HOST_DISKS :
	       id == ID_NET ? host_nets < HOST_NETS :
			      host_channels < HOST_CHANNELS;
}

static void found(uint32_t function, uint32_t id)
{
	uint32_t bar = pci_read(function, PCI_BAR0);
	uint32_t line = pci_read(function, PCI_LINE) & 0xff;
	uint32_t command = pci_read(function, PCI_COMMAND) & 0xffff;
	struct device d = { .base = bar & 0xfffc, .irq = line };

	if (!(bar & BAR_IO) || !d.base || line > 15 || !(LINES >> line & 1) ||
	    !room(id))
		return;
	pci_write(function, PCI_COMMAND, (command & ~COMMAND_NO_INTX) |
		  COMMAND_IO | COMMAND_MASTER);
	outb(d.base + STATUS, 0);
	outb(d.base + STATUS, STATUS_FOUND);
	outb(d.base + STATUS, STATUS_FOUND | STATUS_DRIVER);
	if (!(id == ID_DISK ? disk_init(&d) : id == ID_NET ? net_init(&d) :
	      channel_init(&d)))
		return;
	outb(d.base + STATUS, STATUS_FOUND | STATUS_DRIVER | STATUS_OK);
	if (id == ID_NET)
		net_begin(&nets[host_nets - 1]);
	if (id == ID_CHANNEL)
		channel_begin();
	lines |= 1u << line;
}

void virtio_init(void)
{
	uint32_t slot_nr, function, functions, id;

	for (slot_nr = 0; slot_nr < 32; slot_nr++) {
		functions = pci_read(slot_nr * 8, PCI_BIST) & BIST_MULTI ? 8 : 1;
		for (function = slot_nr * 8;
		     function < slot_nr * 8 + functions; function++) {
			id = pci_read(function, PCI_ID);
			if (is_ours(id))
				found(function, id);
		}
	}
	if (lines)
		unmask();
}

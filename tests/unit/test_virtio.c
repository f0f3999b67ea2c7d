// SPDX-License-Identifier: GPL-2.0-only
/*
 * The driver of disks and networks, hypervisor-stub/metal/virtio.c, on a PCI bus with
 * devices that are right, and some that are not to be used. The devices here do what
 * the queues say, when the test lets them.
 */
#include <stdlib.h>

#include <host.h>

#include "devices.h"
#include "metal.h"
#include "port.h"
#include "unit.h"

#define MEMORY		(64u << 20)
#define QUEUE		16u		/* entries */
#define MAC		"\x52\x54\0\1\2\3"

#define ID_NET		0x10001af4u
#define ID_DISK		0x10011af4u
#define MULTI		0x800000u

enum { GOOD, OTHER, DISK_2, NET, NO_LINE, MEMORY_BAR, MODERN, NET_2, DEVICES };

static struct dev {
	uint32_t	function, id, header, bar, line;
	uint32_t	command;
	uint8_t		status, isr;
	uint32_t	features, offered;
	uint16_t	select;
	struct dev_queue {
		uint8_t		*at;
		uint16_t	done;		/* of those that are available */
	} queue[2];
	unsigned int	notified[2];
	uint64_t	sectors;
} dev[DEVICES];

static uint32_t pci_address;
static uint8_t mask[2];
static unsigned int eoi[2];

/* ---- the bus ---------------------------------------------------------------- */

static struct dev *dev_at(uint32_t function)
{
	uint32_t i;

	for (i = 0; i < DEVICES; i++)
		if (dev[i].function == function)
			return &dev[i];
	return NULL;
}

static struct dev *dev_of(uint16_t port, uint16_t *reg)
{
	uint32_t i;

	for (i = 0; i < DEVICES; i++) {
		*reg = port - (dev[i].bar & 0xfffc);
		if (dev[i].bar & 1 && *reg < 64) {
			assert_int_equal(dev[i].command & 5, 5);
			return &dev[i];
		}
	}
	fail_msg("nobody is at port %x", port);
	return NULL;
}

void outl(uint16_t port, uint32_t v)
{
	uint16_t reg;
	struct dev *d;

	if (port == 0xcf8) {
		pci_address = v;
		return;
	}
	if (port == 0xcfc) {
		d = dev_at(pci_address >> 8 & 0xffff);
		assert_int_equal(pci_address & 0xff, 4);
		d->command = v;
		return;
	}
	d = dev_of(port, &reg);
	if (reg == 4)
		d->features = v;
	else if (reg == 8)
		d->queue[d->select].at = host_va((uint64_t)v * 4096);
	else
		fail();
}

uint32_t inl(uint16_t port)
{
	uint16_t reg;
	struct dev *d;

	if (port == 0xcfc) {
		d = dev_at(pci_address >> 8 & 0xffff);
		if (!d)
			return UINT32_MAX;
		switch (pci_address & 0xff) {
		case 0x00:
			return d->id;
		case 0x04:
			return d->command;
		case 0x0c:
			return d->header;
		case 0x10:
			return d->bar;
		case 0x3c:
			return 0x100 | d->line;
		}
		fail();
	}
	d = dev_of(port, &reg);
	return reg == 0 ? d->offered : reg == 20 ? (uint32_t)d->sectors :
	       d->sectors >> 32;
}

void outw(uint16_t port, uint16_t v)
{
	uint16_t reg;
	struct dev *d = dev_of(port, &reg);

	if (reg == 14) {
		d->select = v;
	} else {
		assert_int_equal(reg, 16);
		d->notified[v]++;
	}
}

uint16_t inw(uint16_t port)
{
	uint16_t reg;
	const struct dev *d = dev_of(port, &reg);

	assert_int_equal(reg, 12);
	return d->select < (d->id == ID_NET ? 2 : 1) ? QUEUE : 0;
}

void outb(uint16_t port, uint8_t v)
{
	uint16_t reg;
	struct dev *d;

	if (port == PIC_MASTER_DATA || port == PIC_SLAVE_DATA) {
		mask[port == PIC_SLAVE_DATA] = v;
	} else if (port == PIC_MASTER_CMD || port == PIC_SLAVE_CMD) {
		assert_int_equal(v, 0x20);
		eoi[port == PIC_SLAVE_CMD]++;
	} else {
		d = dev_of(port, &reg);
		assert_int_equal(reg, 18);
		d->status = v;
	}
}

uint8_t inb(uint16_t port)
{
	uint16_t reg;
	struct dev *d;
	uint8_t was;

	if (port == PIC_MASTER_DATA || port == PIC_SLAVE_DATA)
		return mask[port == PIC_SLAVE_DATA];
	d = dev_of(port, &reg);
	if (reg >= 20)
		return MAC[reg - 20];
	assert_int_equal(reg, 19);
	was = d->isr;
	d->isr = 0;
	return was;
}

/* ---- the devices ---------------------------------------------------------------- */

/* Of the queue's memory (Virtio 1.1, 2.6.2). */
static uint8_t *entry(struct dev *d, uint32_t queue, uint16_t i, uint32_t *len,
		      uint16_t *flags, uint16_t *next)
{
	const uint8_t *at = d->queue[queue].at + i * 16;
	uint64_t addr;

	assert_true(i < QUEUE);
	memcpy(&addr, at, 8);
	memcpy(len, at + 8, 4);
	memcpy(flags, at + 12, 2);
	memcpy(next, at + 14, 2);
	return host_va(addr);
}

static uint16_t *avail(struct dev *d, uint32_t queue)
{
	return (uint16_t *)(d->queue[queue].at + QUEUE * 16);
}

/* The next chain, if there is one; false: all is done. */
static bool next(struct dev *d, uint32_t queue, uint16_t *head)
{
	struct dev_queue *q = &d->queue[queue];

	if (q->done == avail(d, queue)[1])
		return false;
	*head = avail(d, queue)[2 + q->done++ % QUEUE];
	return true;
}

static void finish(struct dev *d, uint32_t queue, uint16_t head, uint32_t len)
{
	uint8_t *used = d->queue[queue].at + 4096;
	uint16_t *idx = (uint16_t *)(used + 2);
	uint32_t element[2] = { head, len };

	memcpy(used + 4 + *idx % QUEUE * 8, element, 8);
	++*idx;
	d->isr = 1;
}

static uint8_t medium[8 * 512];

/* One request of a disk; false: there is none. */
static bool disk_serves(struct dev *d, uint8_t result)
{
	uint16_t head, flags, more;
	uint64_t sector;
	uint8_t *at, *data;
	uint32_t len, type, bytes;

	if (!next(d, 0, &head))
		return false;
	at = entry(d, 0, head, &len, &flags, &more);
	assert_true(len == 16 && flags == 1);
	memcpy(&type, at, 4);
	memcpy(&sector, at + 8, 8);
	data = entry(d, 0, more, &bytes, &flags, &more);
	assert_int_equal(flags, type ? 1 : 3);
	assert_true(sector * 512 + bytes <= sizeof(medium));
	if (!result && type)
		memcpy(medium + sector * 512, data, bytes);
	else if (!result)
		memcpy(data, medium + sector * 512, bytes);
	at = entry(d, 0, more, &len, &flags, &more);
	assert_true(len == 1 && flags == 2);
	*at = result;
	finish(d, 0, head, type ? 1 : bytes + 1);
	return true;
}

/* A frame comes; false: there is no room. */
static bool comes(struct dev *d, const uint8_t *frame, uint32_t bytes)
{
	uint16_t head, flags, more;
	uint32_t len;
	uint8_t *at;

	if (!next(d, 0, &head))
		return false;
	at = entry(d, 0, head, &len, &flags, &more);
	assert_true(len == 10 && flags == 3);
	memset(at, 0xee, 10);
	at = entry(d, 0, more, &len, &flags, &more);
	assert_true(len == HOST_NET_MAX && flags == 2 && bytes <= len);
	memcpy(at, frame, bytes);
	finish(d, 0, head, 10 + bytes);
	return true;
}

/* A frame goes; 0: none. It is not finished. */
static uint32_t goes(struct dev *d, uint8_t *frame, uint16_t *head)
{
	static const uint8_t zero[10];
	uint16_t flags, more;
	uint32_t len;
	uint8_t *at;

	if (!next(d, 1, head))
		return 0;
	at = entry(d, 1, *head, &len, &flags, &more);
	assert_true(len == 10 && flags == 1);
	assert_memory_equal(at, zero, 10);
	at = entry(d, 1, more, &len, &flags, &more);
	assert_int_equal(flags, 0);
	memcpy(frame, at, len);
	return len;
}

/* ---- tests ------------------------------------------------------------------------ */

static int setup(void **state)
{
	uint32_t i;

	(void)state;
	machine_memory = aligned_alloc(4096, MEMORY);
	memory_add(4096, MEMORY - 4096);
	memset(dev, 0, sizeof(dev));
	for (i = 0; i < DEVICES; i++)
		dev[i] = (struct dev){
			.function = (3 + i) * 8, .id = ID_DISK,
			.bar = (0xc000 + i * 64) | 1, .line = 11,
			.command = 0x400, .offered = UINT32_MAX, .sectors = 8,
		};
	dev[OTHER].id = 0x12348086;
	dev[OTHER].header = MULTI;
	dev[DISK_2].function = dev[OTHER].function + 5;
	dev[DISK_2].line = 10;
	dev[DISK_2].sectors = 5ull << 32;
	dev[NET].id = dev[NET_2].id = ID_NET;
	dev[NET_2].line = 5;
	dev[NO_LINE].line = 4;
	dev[MEMORY_BAR].bar = 0xfe000000;
	dev[MODERN].id = 0x10421af4;
	mask[0] = 0xef;
	mask[1] = 0xff;
	virtio_init();
	return 0;
}

static void test_found(void **state)
{
	uint8_t mac[6];
	uint32_t i;

	(void)state;
	assert_true(host_disks == 2 && host_nets == 2);
	assert_int_equal(host_disk_bytes(0), sizeof(medium));
	assert_int_equal(host_disk_bytes(1), 5ull << 41);
	host_net_mac(1, mac);
	assert_memory_equal(mac, MAC, 6);
	for (i = 0; i < DEVICES; i++) {
		bool used = i == GOOD || i == DISK_2 || i == NET || i == NET_2;

		assert_int_equal(dev[i].status, used ? 7 : 0);
		assert_int_equal(dev[i].command, used ? 5 : 0x400);
		assert_int_equal(dev[i].features, !used ? 0 :
				 dev[i].id == ID_NET ? 1 << 5 : 1 << 9);
	}
	/* Lines 5, 10 and 11, and through which the latter come. */
	assert_int_equal(mask[0], 0xef & ~0x24);
	assert_int_equal(mask[1], 0xff & ~0x0c);
}

static void test_interrupts(void **state)
{
	(void)state;
	dev[GOOD].isr = dev[NET].isr = dev[NET_2].isr = 1;
	virtio_ack(11);
	assert_true(!dev[GOOD].isr && !dev[NET].isr);
	assert_true(eoi[0] == 1 && eoi[1] == 1);
	dev[NET_2].isr = 1;
	virtio_ack(5);
	assert_true(!dev[NET_2].isr && eoi[0] == 2 && eoi[1] == 1);
	/* Not theirs. */
	dev[NET_2].isr = 1;
	virtio_ack(7);
	virtio_ack(15);
	virtio_ack(2);
	assert_true(dev[NET_2].isr && eoi[0] == 2 && eoi[1] == 1);
}

static void io(bool write, uint64_t at, uint32_t bytes, uint8_t result)
{
	host_disk_start(0, write, at, bytes);
	assert_int_equal(host_disk_state(0), HOST_DISK_BUSY);
	assert_true(disk_serves(&dev[GOOD], result));
	assert_false(disk_serves(&dev[GOOD], result));
	assert_int_equal(host_disk_state(0), result ? HOST_DISK_FAILED :
						      HOST_DISK_IDLE);
	assert_int_equal(host_disk_state(0), result ? HOST_DISK_FAILED :
						      HOST_DISK_IDLE);
}

/* More often than there are entries, and than their numbers count. */
static void test_disk(void **state)
{
	uint8_t *buffer = host_disk_buffer(0);
	uint32_t i;

	(void)state;
	for (i = 0; i < 70000; i++) {
		uint64_t at = i % 7 * 512;

		memset(buffer, i, 1024);
		io(true, at, 1024, 0);
		if (i % 100)
			continue;
		memset(buffer, 0, 1024);
		io(false, at + 512, 512, 0);
		assert_true(buffer[0] == (uint8_t)i && !buffer[512]);
	}
	assert_int_equal(dev[GOOD].notified[0], 70700);
	memset(buffer, 1, 512);
	io(true, 0, 512, 1);
	io(false, 0, 512, 2);
	io(false, 0, 512, 0);
	assert_int_not_equal(buffer[0], 1);
}

static void test_receive(void **state)
{
	static uint8_t frame[HOST_NET_MAX], got[HOST_NET_MAX];
	uint32_t i, n = 0;

	(void)state;
	assert_false(host_net_waits(0));
	assert_int_equal(host_net_get(0, got), 0);
	for (i = 0; i < 70000; i++) {
		uint32_t len = i % 1514 + 1;

		memset(frame, i, len);
		assert_true(comes(&dev[NET], frame, len));
		assert_true(host_net_waits(0));
		assert_true(host_net_waits(0));
		assert_int_equal(host_net_get(0, got), len);
		assert_memory_equal(got, frame, len);
	}
	/* As many as there is room for, in their order. */
	for (; n < 100; n++) {
		frame[0] = n;
		if (!comes(&dev[NET], frame, 60))
			break;
	}
	assert_int_equal(n, QUEUE / 2);
	for (i = 0; i < n; i++) {
		assert_int_equal(host_net_get(0, got), 60);
		assert_int_equal(got[0], i);
	}
	assert_false(host_net_waits(0));
	/* One without anything in it is none. */
	assert_true(comes(&dev[NET], frame, 0));
	assert_int_equal(host_net_get(0, got), 0);
	assert_true(comes(&dev[NET], frame, 60));
	assert_int_equal(host_net_get(0, got), 60);
	assert_false(host_net_waits(1));
}

static void test_send(void **state)
{
	static uint8_t frame[HOST_NET_MAX], got[HOST_NET_MAX];
	uint16_t head[QUEUE];
	uint32_t i, n;

	(void)state;
	for (i = 0; i < 70000; i++) {
		uint32_t len = i % 1501 + 14;

		memset(frame, i, len);
		assert_true(host_net_put(1, frame, len));
		assert_int_equal(goes(&dev[NET_2], got, head), len);
		assert_memory_equal(got, frame, len);
		finish(&dev[NET_2], 1, head[0], 0);
	}
	/* As many as there is room for; they are done in any order. */
	for (n = 0; n < 100 && host_net_put(1, frame, 60); n++)
		;
	assert_int_equal(n, QUEUE / 2);
	for (i = 0; i < n; i++)
		assert_int_equal(goes(&dev[NET_2], got, &head[i]), 60);
	finish(&dev[NET_2], 1, head[3], 0);
	assert_true(host_net_put(1, frame, 61));
	assert_false(host_net_put(1, frame, 61));
	assert_int_equal(goes(&dev[NET_2], got, &head[3]), 61);
	for (i = 0; i < n; i++)
		finish(&dev[NET_2], 1, head[n - 1 - i], 0);
	for (i = 0; i < n; i++)
		assert_true(host_net_put(1, frame, 60));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found),
		cmocka_unit_test(test_interrupts),
		cmocka_unit_test(test_disk),
		cmocka_unit_test(test_receive),
		cmocka_unit_test(test_send),
	};

	return cmocka_run_group_tests_name("virtio", tests, setup, NULL);
}

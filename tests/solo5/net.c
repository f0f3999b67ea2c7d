// SPDX-License-Identifier: GPL-2.0-only
/*
 * A host on QEMU's user network: asks by ARP for the gateway, and pings it, with
 * small and with large packets; then what cannot be is refused.
 */
#include "lib.h"

MANIFEST(1, { "service", SOLO5_NET, { { 0 } }, 0, 0, { 0 } });

enum { SERVICE = 1 };

#define MS		1000000ull
#define PATIENCE	(10000 * MS)	/* an answer takes none of it */
#define PINGS		20

struct ethernet {
	uint8_t		to[6], from[6];
	uint8_t		type[2];
} __attribute__((packed));

struct arp {
	struct ethernet	eth;
	uint8_t		kind[6], op[2];
	uint8_t		mac[6], ip[4], to_mac[6], to_ip[4];
	uint8_t		pad[18];
} __attribute__((packed));

struct ping {
	struct ethernet	eth;
	uint8_t		version, tos, len[2], id[2], frag[2], ttl, protocol;
	uint8_t		sum[2], from[4], to[4];
	uint8_t		type, code, icmp_sum[2], icmp_id[2], seq[2];
	uint8_t		data[1472];
} __attribute__((packed));

static const uint8_t our_ip[4] = { 10, 0, 2, 15 }, gateway[4] = { 10, 0, 2, 2 };
static uint8_t mac[6], gateway_mac[6];
static uint8_t frame[2048];

static uint16_t sum(const void *data, uint32_t len)
{
	const uint8_t *at = data;
	uint32_t s = 0, i;

	for (i = 0; i < len; i++)
		s += i % 2 ? at[i] : at[i] << 8;
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return ~s;
}

static void put16(uint8_t at[2], uint16_t v)
{
	at[0] = v >> 8;
	at[1] = v;
}

/* The next frame; it comes in time. */
static size_t receive(void)
{
	uint64_t ready;
	size_t len = sizeof(frame);

	CHECK(poll(PATIENCE, &ready) == 1 && ready == 1u << SERVICE);
	CHECK(net_read(SERVICE, frame, &len) == SOLO5_OK);
	CHECK(len >= sizeof(struct ethernet) && len <= 1514);
	return len;
}

static void ask_for_gateway(void)
{
	struct arp a = {
		.eth = { { 255, 255, 255, 255, 255, 255 }, { 0 }, { 8, 6 } },
		.kind = { 0, 1, 8, 0, 6, 4 }, .op = { 0, 1 },
	};
	const struct arp *answer = (const void *)frame;

	memcpy(a.eth.from, mac, 6);
	memcpy(a.mac, mac, 6);
	memcpy(a.ip, our_ip, 4);
	memcpy(a.to_ip, gateway, 4);
	CHECK(net_write(SERVICE, &a, sizeof(a)) == SOLO5_OK);
	do
		receive();
	while (answer->eth.type[1] != 6 || answer->op[1] != 2);
	CHECK(!memcmp(answer->ip, gateway, 4));
	CHECK(!memcmp(answer->eth.to, mac, 6));
	memcpy(gateway_mac, answer->mac, 6);
}

static void ping(uint32_t seq, uint32_t bytes)
{
	static struct ping p;
	const struct ping *answer = (const void *)frame;
	uint32_t i, len = offsetof(struct ping, data) + bytes;

	memset(&p, 0, sizeof(p));
	memcpy(p.eth.to, gateway_mac, 6);
	memcpy(p.eth.from, mac, 6);
	p.eth.type[0] = 8;
	p.version = 0x45;
	put16(p.len, len - sizeof(p.eth));
	p.ttl = 64;
	p.protocol = 1;
	memcpy(p.from, our_ip, 4);
	memcpy(p.to, gateway, 4);
	put16(p.sum, sum(&p.version, 20));
	p.type = 8;
	put16(p.icmp_id, 0x1234);
	put16(p.seq, seq);
	for (i = 0; i < bytes; i++)
		p.data[i] = seq * 7 + i;
	put16(p.icmp_sum, sum(&p.type, 8 + bytes));
	CHECK(net_write(SERVICE, &p, len) == SOLO5_OK);
	do
		CHECK(receive() >= len);
	while (answer->eth.type[1] || answer->protocol != 1 || answer->type);
	CHECK(!memcmp(answer->seq, p.seq, 2));
	CHECK(!memcmp(answer->data, p.data, bytes));
}

static void check_refusals(void)
{
	uint64_t ready;
	size_t len = sizeof(frame);

	CHECK(net_read(SERVICE, frame, &len) == SOLO5_AGAIN);
	CHECK(poll(MS, &ready) == 0 && !ready);
	CHECK(net_write(SERVICE, frame, 1515) == SOLO5_EINVAL);
	CHECK(net_write(SERVICE, frame, 0) == SOLO5_EINVAL);
	CHECK(net_write(0, frame, 60) == SOLO5_EINVAL);
	CHECK(net_write(2, frame, 60) == SOLO5_EINVAL);
	CHECK(net_read((1ull << 32) + SERVICE, frame, &len) == SOLO5_EINVAL);
}

int run(const struct solo5_boot_info *info)
{
	const struct solo5_manifest *m = (const void *)info->manifest;
	const struct solo5_entry *e = &m->entry[SERVICE];
	uint32_t i;

	CHECK(same(e->name, "service") && e->attached && e->net.mtu == 1500);
	memcpy(mac, e->net.mac, 6);
	CHECK(!(mac[0] & 1));
	ask_for_gateway();
	for (i = 0; i < PINGS; i++)
		ping(i, i % 2 ? 1472 : 4 * i);
	check_refusals();
	say("SUCCESS\n");
	return 0;
}

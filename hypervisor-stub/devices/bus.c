// SPDX-License-Identifier: GPL-2.0-only
/* Who answers at which port and address. */
#include "devices.h"

bool bus_add_ports(struct bus *b, const struct bus_region *r)
{
	uint64_t port;

	if (b->ports == BUS_REGIONS - 1 || r->first + r->count > BUS_PORTS)
		return false;
	for (port = r->first; port < r->first + r->count; port++)
		if (b->at_port[port])
			return false;
	b->port[++b->ports] = *r;
	for (port = r->first; port < r->first + r->count; port++)
		b->at_port[port] = b->ports;
	return true;
}

enum bus_result bus_in(const struct bus *b, uint16_t port, unsigned int size,
		       uint32_t *val)
{
	const struct bus_region *r = &b->port[b->at_port[port]];

	return r->sizes & size ? r->read(r->opaque, port, val) : BUS_NOBODY;
}

enum bus_result bus_out(const struct bus *b, uint16_t port, unsigned int size,
			uint32_t val)
{
	const struct bus_region *r = &b->port[b->at_port[port]];

	return r->sizes & size ? r->write(r->opaque, port, val) : BUS_NOBODY;
}

/* ---- memory ------------------------------------------------------------- */

static const struct bus_region *find(const struct bus *b, uint64_t at)
{
	uint32_t i;

	for (i = 0; i < b->memories; i++)
		if (at - b->memory[i].first < b->memory[i].count)
			return &b->memory[i];
	return NULL;
}

bool bus_add_memory(struct bus *b, const struct bus_region *r)
{
	uint32_t i;

	if (b->memories == BUS_REGIONS)
		return false;
	for (i = 0; i < b->memories; i++)
		if (r->first < b->memory[i].first + b->memory[i].count &&
		    b->memory[i].first < r->first + r->count)
			return false;
	b->memory[b->memories++] = *r;
	return true;
}

enum bus_result bus_load(const struct bus *b, uint64_t at, unsigned int size,
			 uint32_t *val)
{
	const struct bus_region *r = find(b, at);

	return r && (r->sizes & size) ? r->read(r->opaque, at, val) :
					BUS_NOBODY;
}

enum bus_result bus_store(const struct bus *b, uint64_t at, unsigned int size,
			  uint32_t val)
{
	const struct bus_region *r = find(b, at);

	return r && (r->sizes & size) ? r->write(r->opaque, at, val) :
					BUS_NOBODY;
}

// SPDX-License-Identifier: GPL-2.0-only
/* Who answers at which port and address. */
#include "devices.h"

static const struct bus_region *find(const struct bus_space *s, uint64_t at,
				     unsigned int size)
{
	const struct bus_region *r = s->region, *end = r + s->regions;

	for (; r < end; r++)
		if (at - r->first < r->count && r->sizes & size)
			return r;
	return NULL;
}

bool bus_add(struct bus_space *s, const struct bus_region *r)
{
	uint32_t i;

	if (s->regions == BUS_REGIONS)
		return false;
	for (i = 0; i < s->regions; i++)
		if (r->first < s->region[i].first + s->region[i].count &&
		    s->region[i].first < r->first + r->count &&
		    s->region[i].sizes & r->sizes)
			return false;
	s->region[s->regions++] = *r;
	return true;
}

bool bus_is_free(const struct bus_space *s, uint64_t first, uint64_t count)
{
	const struct bus_region *r = s->region, *end = r + s->regions;

	for (; r < end; r++)
		if (first < r->first + r->count && r->first < first + count)
			return false;
	return true;
}

enum bus_result bus_read(const struct bus_space *s, uint64_t at,
			 unsigned int size, uint32_t *val)
{
	const struct bus_region *r = find(s, at, size);

	return r ? r->read(r->opaque, at, val) : BUS_NOBODY;
}

enum bus_result bus_write(const struct bus_space *s, uint64_t at,
			  unsigned int size, uint32_t val)
{
	const struct bus_region *r = find(s, at, size);

	return r ? r->write(r->opaque, at, val) : BUS_NOBODY;
}

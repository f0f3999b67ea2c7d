// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processors by ACPI (6.5): the RSDP leads to the RSDT or XSDT (5.2.5 to
 * 5.2.8), and one of the tables there is the MADT (5.2.12). Nothing else of
 * ACPI is looked at.
 */
#include "firmware.h"
#include "metal.h"

#define HEADER		36u		/* bytes of each table's header */
#define TABLE_MAX	(1u << 20)	/* none of these is larger */
#define MADT_ENTRIES	44u
#define MADT_LAPIC	0u
#define MADT_X2APIC	9u
#define MADT_ENABLED	1u

uint64_t acpi_rsdp;

static bool is_rsdp(uint64_t pa)
{
	const uint8_t *at = firmware_at(pa, 20);

	return at && !memcmp(at, "RSD PTR ", 8) && firmware_sum(pa, 20);
}

static uint64_t find_rsdp(void)
{
	uint64_t ebda = firmware_ebda(), pa;

	if (is_rsdp(acpi_rsdp))
		return acpi_rsdp;
	pa = firmware_find(ebda, ebda + 1024, is_rsdp);
	return pa ? pa : firmware_find(0xe0000, 0x100000, is_rsdp);
}

/* A sound table of that name, and its length. */
static const uint8_t *table(uint64_t pa, const char *name, uint32_t *bytes)
{
	const uint8_t *at = firmware_at(pa, HEADER);

	if (!at || memcmp(at, name, 4))
		return NULL;
	*bytes = firmware_32(at + 4);
	if (*bytes < HEADER || *bytes > TABLE_MAX)
		return NULL;
	return firmware_sum(pa, *bytes);
}

static const uint8_t *find_madt(uint64_t rsdp, uint32_t *bytes)
{
	const uint8_t *root = NULL, *madt, *at = host_va(rsdp);
	uint32_t length, i, wide = 8;

	if (at[15] >= 2 && firmware_sum(rsdp, 36))
		root = table(firmware_64(at + 24), "XSDT", &length);
	if (!root) {
		root = table(firmware_32(at + 16), "RSDT", &length);
		wide = 4;
	}
	for (i = HEADER; root && i + wide <= length; i += wide) {
		madt = table(wide == 8 ? firmware_64(root + i) :
			     firmware_32(root + i), "APIC", bytes);
		if (madt)
			return madt;
	}
	return NULL;
}

uint32_t acpi_processors(uint32_t id[HOST_CPUS])
{
	uint64_t rsdp = find_rsdp();
	uint32_t bytes, i, count = 0;
	const uint8_t *madt = rsdp ? find_madt(rsdp, &bytes) : NULL;

	for (i = MADT_ENTRIES; madt && i + 2 <= bytes; i += madt[i + 1]) {
		const uint8_t *e = madt + i;

		if (e[1] < 2 || e[1] > bytes - i)
			break;
		if (e[0] == MADT_LAPIC && e[1] >= 8 && (e[4] & MADT_ENABLED))
			count = firmware_add(id, count, e[3]);
		else if (e[0] == MADT_X2APIC && e[1] >= 16 &&
			 (e[8] & MADT_ENABLED))
			count = firmware_add(id, count, firmware_32(e + 4));
	}
	return count;
}

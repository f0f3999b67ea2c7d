// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processors by the firmware's tables: ACPI and the MultiProcessor
 * Specification. Nothing is mapped behind the end of memory: what reads too far
 * there is a fault.
 */
#include <sys/mman.h>

#include <string.h>

#include "metal.h"
#include "unit.h"

#define END	DIRECT_SIZE
#define RSDP	0xe0010u
#define ROOT	0x100000u
#define MADT	0x200000u
#define FLOAT	0xf0020u
#define CONFIG	0x300000u

static uint32_t id[HOST_CPUS];

static uint8_t *at(uint64_t pa)
{
	return machine_memory + pa;
}

static void put(uint64_t pa, uint64_t value, uint32_t bytes)
{
	for (; bytes--; pa++, value >>= 8)
		*at(pa) = value;
}

/* Bytes from here are 0 in sum. */
static void sum(uint64_t pa, uint32_t bytes, uint32_t checksum)
{
	uint8_t s = 0;
	uint32_t i;

	*at(pa + checksum) = 0;
	for (i = 0; i < bytes; i++)
		s -= *at(pa + i);
	*at(pa + checksum) = s;
}

static void header(uint64_t pa, const char *name, uint32_t bytes)
{
	memcpy(at(pa), name, 4);
	put(pa + 4, bytes, 4);
	sum(pa, bytes, 9);
}

static void rsdp(uint64_t pa, uint8_t revision, uint64_t xsdt)
{
	memcpy(at(pa), "RSD PTR ", 8);
	*at(pa + 15) = revision;
	put(pa + 16, ROOT, 4);
	put(pa + 20, 36, 4);
	put(pa + 24, xsdt, 8);
	sum(pa, 20, 8);
	sum(pa, 36, 32);
}

/* A root that names two others first, and the MADT. */
static void root(uint64_t pa, const char *name, uint32_t wide, uint64_t madt)
{
	put(pa + 36, END, wide);		/* nowhere, as 64 bits */
	put(pa + 36 + wide, ROOT, wide);	/* no MADT */
	put(pa + 36 + 2 * wide, madt, wide);
	header(pa, name, 36 + 3 * wide);
}

static void lapic(uint64_t pa, uint8_t number, uint32_t flags)
{
	put(pa, 8 << 8, 2);
	put(pa + 2, 0, 1);
	put(pa + 3, number, 1);
	put(pa + 4, flags, 4);
}

static void x2(uint64_t pa, uint32_t number, uint32_t flags)
{
	put(pa, 9 | 16 << 8, 4);
	put(pa + 4, number, 4);
	put(pa + 8, flags, 4);
	put(pa + 12, 0, 4);
}

/* Enabled are 3, 0 and 300. */
#define MADT_BYTES	(44 + 8 + 8 + 12 + 8 + 8 + 16)
static void madt(uint64_t pa)
{
	memset(at(pa), 0, MADT_BYTES);
	lapic(pa + 44, 3, 1);
	lapic(pa + 52, 5, 2);			/* could be switched on */
	put(pa + 60, 1 | 12 << 8, 12);		/* an I/O APIC */
	lapic(pa + 72, 0, 1);
	lapic(pa + 80, 3, 1);			/* again */
	x2(pa + 88, 300, 1);
	header(pa, "APIC", MADT_BYTES);
}

static void found(uint32_t (*of)(uint32_t *), uint32_t count, uint32_t first,
		  uint32_t last)
{
	assert_int_equal(of(id), count);
	if (!count)
		return;
	assert_int_equal(id[0], first);
	assert_int_equal(id[count - 1], last);
}

static int setup(void **state)
{
	(void)state;
	memset(at(0), 0, 1 << 20);
	memset(at(END - 8192), 0, 8192);
	acpi_rsdp = 0;
	rsdp(RSDP, 0, 0);
	root(ROOT, "RSDT", 4, MADT);
	madt(MADT);
	return 0;
}

static void test_acpi(void **state)
{
	(void)state;
	found(acpi_processors, 3, 3, 300);
	/* In the extended BIOS data area, and where the loader says. */
	memset(at(RSDP), 0, 36);
	found(acpi_processors, 0, 0, 0);
	put(0x40e, 0x9fc0, 2);
	rsdp(0x9fc10, 0, 0);
	found(acpi_processors, 3, 3, 300);
	memset(at(0x9fc10), 0, 36);
	found(acpi_processors, 0, 0, 0);
	acpi_rsdp = END - 36;
	rsdp(acpi_rsdp, 2, 0);
	found(acpi_processors, 3, 3, 300);
}

static void test_xsdt(void **state)
{
	const uint64_t xsdt = ROOT + 4096, other = END - MADT_BYTES;

	(void)state;
	rsdp(RSDP, 2, xsdt);
	root(xsdt, "XSDT", 8, other);
	madt(other);
	lapic(other + 44, 7, 1);
	header(other, "APIC", MADT_BYTES);
	found(acpi_processors, 4, 7, 300);
	/* By the RSDT, if that is damaged; or the pointer of revision 2. */
	*at(xsdt + 9) += 1;
	found(acpi_processors, 3, 3, 300);
	*at(xsdt + 9) -= 1;
	*at(RSDP + 32) += 1;
	found(acpi_processors, 3, 3, 300);
}

static void test_acpi_damaged(void **state)
{
	static const uint64_t sums[] = { RSDP + 8, ROOT + 9, MADT + 9 };
	static const uint32_t lengths[] = { 0, 35, MADT_BYTES + 1, 1 << 20,
					    (1 << 20) + 1, UINT32_MAX };
	uint32_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		*at(sums[i]) += 1;
		found(acpi_processors, 0, 0, 0);
		*at(sums[i]) -= 1;
		found(acpi_processors, 3, 3, 300);
	}
	for (i = 0; i < 6; i++) {
		put(MADT + 4, lengths[i], 4);
		found(acpi_processors, 0, 0, 0);
		if (lengths[i] > 12)
			continue;
		sum(MADT, lengths[i], 9);
		found(acpi_processors, 0, 0, 0);
	}
	/* Lengths by which it would reach beyond memory, whose sum is right as
	 * far as there is any. */
	madt(END - MADT_BYTES);
	root(ROOT, "RSDT", 4, 0);
	rsdp(RSDP, 2, ROOT + 4096);
	root(ROOT + 4096, "XSDT", 8, END - MADT_BYTES);
	found(acpi_processors, 3, 3, 300);
	put(END - MADT_BYTES + 4, MADT_BYTES + 1, 4);
	found(acpi_processors, 0, 0, 0);
	/* Where not even a header fits, and beyond. */
	for (i = 0; i < 3; i++) {
		root(ROOT + 4096, "XSDT", 8, i == 0 ? END - 20 : i == 1 ? END :
		     UINT64_MAX - 10);
		memcpy(at(END - 20), "APIC", 4);
		found(acpi_processors, 0, 0, 0);
	}
}

static void test_entries_damaged(void **state)
{
	static const uint8_t lengths[] = { 0, 1, 7, 17, 255 };
	uint32_t i;

	(void)state;
	/* Of the last one, which is not looked at then; but of a good length
	 * nothing else is wrong. */
	for (i = 0; i < 5; i++) {
		*at(MADT + 89) = lengths[i];
		header(MADT, "APIC", MADT_BYTES);
		found(acpi_processors, 2, 3, 0);
	}
	/* A shorter one, and half of its header. */
	madt(MADT);
	*at(MADT + 45) = 4;
	header(MADT, "APIC", 48);
	found(acpi_processors, 0, 0, 0);
	header(MADT, "APIC", 45);
	found(acpi_processors, 0, 0, 0);
	header(MADT, "APIC", 36);
	found(acpi_processors, 0, 0, 0);
}

static void test_too_many(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < 40; i++)
		lapic(MADT + 44 + 8 * i, i, 1);
	header(MADT, "APIC", 44 + 8 * 40);
	found(acpi_processors, HOST_CPUS, 0, HOST_CPUS - 1);
}

/* ---- MultiProcessor Specification ---------------------------------------- */

#define CONFIG_BYTES	(44 + 20 + 8 + 20 + 20)

static void floating(uint64_t pa, uint64_t config)
{
	memcpy(at(pa), "_MP_", 4);
	put(pa + 4, config, 4);
	*at(pa + 8) = 1;
	sum(pa, 16, 10);
}

static void processor(uint64_t pa, uint8_t number, uint8_t flags)
{
	memset(at(pa), 0, 20);
	*at(pa + 1) = number;
	*at(pa + 3) = flags;
}

/* Enabled are 4 and 2. */
static void config(uint64_t pa, uint32_t bytes)
{
	memset(at(pa), 0, CONFIG_BYTES);
	memcpy(at(pa), "PCMP", 4);
	put(pa + 4, bytes, 2);
	processor(pa + 44, 4, 3);
	put(pa + 64, 1, 8);			/* a bus */
	processor(pa + 72, 1, 0);
	processor(pa + 92, 2, 1);
	sum(pa, bytes, 7);
}

static int mp_setup(void **state)
{
	(void)state;
	memset(at(0), 0, 1 << 20);
	memset(at(CONFIG), 0, 1 << 17);
	floating(FLOAT, CONFIG);
	config(CONFIG, CONFIG_BYTES);
	return 0;
}

static void test_mp(void **state)
{
	(void)state;
	found(mp_processors, 2, 4, 2);
	found(acpi_processors, 0, 0, 0);
	/* In the two other places. */
	memset(at(FLOAT), 0, 16);
	found(mp_processors, 0, 0, 0);
	put(0x413, 639, 2);
	floating(640 * 1024 - 16, CONFIG);
	found(mp_processors, 0, 0, 0);		/* behind */
	floating(639 * 1024 - 16, CONFIG);
	found(mp_processors, 2, 4, 2);
	put(0x413, 0, 2);
	found(mp_processors, 0, 0, 0);
	put(0x40e, 0x9f80, 2);
	floating(0x9f800, CONFIG);
	found(mp_processors, 2, 4, 2);
	/* A default configuration has no table. */
	*at(0x9f800 + 11) = 5;
	sum(0x9f800, 16, 10);
	found(mp_processors, 2, 0, 1);
}

static void test_mp_damaged(void **state)
{
	uint32_t i;

	(void)state;
	*at(FLOAT + 10) += 1;
	found(mp_processors, 0, 0, 0);
	floating(FLOAT, CONFIG);
	*at(CONFIG + 7) += 1;
	found(mp_processors, 0, 0, 0);
	/* A length of another sum, and one that is too short for a header. */
	config(CONFIG, CONFIG_BYTES);
	put(CONFIG + 4, 0xffff, 2);
	found(mp_processors, 0, 0, 0);
	for (i = 0; i < 44; i++) {
		config(CONFIG, CONFIG_BYTES);
		put(CONFIG + 4, i, 2);
		if (i > 7)
			sum(CONFIG, i, 7);
		found(mp_processors, 0, 0, 0);
	}
	/* A last entry that is cut off. */
	for (i = CONFIG_BYTES - 19; i < CONFIG_BYTES; i++) {
		config(CONFIG, i);
		found(mp_processors, 1, 4, 4);
	}
	/* A type that nobody knows the length of. */
	config(CONFIG, CONFIG_BYTES);
	*at(CONFIG + 64) = 5;
	sum(CONFIG, CONFIG_BYTES, 7);
	found(mp_processors, 1, 4, 4);
	/* No address, and none with a table. */
	floating(FLOAT, 0);
	found(mp_processors, 0, 0, 0);
	floating(FLOAT, UINT32_MAX);
	found(mp_processors, 0, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_acpi, setup),
		cmocka_unit_test_setup(test_xsdt, setup),
		cmocka_unit_test_setup(test_acpi_damaged, setup),
		cmocka_unit_test_setup(test_entries_damaged, setup),
		cmocka_unit_test_setup(test_too_many, setup),
		cmocka_unit_test_setup(test_mp, mp_setup),
		cmocka_unit_test_setup(test_mp_damaged, mp_setup),
	};
	/* A page behind the end that nobody may touch. */
	machine_memory = mmap(NULL, END + 4096, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (machine_memory == MAP_FAILED ||
	    mprotect(machine_memory + END, 4096, PROT_NONE))
		return 1;
	return cmocka_run_group_tests_name("firmware", tests, NULL, NULL);
}

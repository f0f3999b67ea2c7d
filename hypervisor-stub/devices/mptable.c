// SPDX-License-Identifier: GPL-2.0-only
/* MP table. Section numbers: MultiProcessor Specification 1.4, chapter 4. */
#include <string.h>

#include "devices.h"

#define REVISION	4		/* 1.4 */
#define PARAGRAPH	16
#define ALL_APICS	0xff
#define ISA_IRQS	16
#define ISA_CASCADE	2		/* the other 8259, no IRQ */

/* 4.1 */
struct pointer {
	char		signature[4];
	uint32_t	table;
	uint8_t		length;		/* paragraphs */
	uint8_t		revision, checksum;
	uint8_t		features[5];	/* 0: a table, virtual wire mode */
};
_Static_assert(sizeof(struct pointer) == PARAGRAPH, "4.1");

/* 4.2 */
struct header {
	char		signature[4];
	uint16_t	length;
	uint8_t		revision, checksum;
	char		oem[8], product[12];
	uint32_t	oem_table;
	uint16_t	oem_size, entries;
	uint32_t	apic;
	uint16_t	extended_length;
	uint8_t		extended_checksum, reserved;
};
_Static_assert(sizeof(struct header) == 44, "4.2");

enum { PROCESSOR, BUS, IOAPIC, INTERRUPT, LOCAL_INTERRUPT };

/* 4.3.1 */
struct processor {
	uint8_t		type, id, version, flags;
	uint32_t	signature, features, reserved[2];
};
_Static_assert(sizeof(struct processor) == 20, "4.3.1");
#define PROCESSOR_ENABLED 1
#define PROCESSOR_BOOT	2
#define SIGNATURE	0xfffu		/* stepping, model, family */

/* 4.3.2 */
struct bus_entry {
	uint8_t		type, id;
	char		name[6];
};
_Static_assert(sizeof(struct bus_entry) == 8, "4.3.2");

/* 4.3.3 */
struct ioapic_entry {
	uint8_t		type, id, version, flags;
	uint32_t	address;
};
_Static_assert(sizeof(struct ioapic_entry) == 8, "4.3.3");
#define IOAPIC_ENABLED	1

/* 4.3.4, 4.3.5 */
struct interrupt {
	uint8_t		type, kind;
	uint16_t	flags;		/* 0: the bus's: edge, active high */
	uint8_t		bus, irq, apic, pin;
};
_Static_assert(sizeof(struct interrupt) == 8, "4.3.4");
enum { KIND_VECTORED = 0, KIND_NMI = 1, KIND_EXTINT = 3 };

struct writer {
	uint8_t		*at;
	uint32_t	entries;
};

static void add(struct writer *w, const void *entry, size_t size)
{
	memcpy(w->at, entry, size);
	w->at += size;
	w->entries++;
}
#define ADD(w, type, ...) add(w, &(struct type){ __VA_ARGS__ }, \
			      sizeof(struct type))

/* What makes the sum of all bytes 0. */
static uint8_t checksum(const uint8_t *bytes, size_t n)
{
	uint8_t sum = 0;

	while (n)
		sum += bytes[--n];
	return -sum;
}

static void add_entries(struct writer *w, uint32_t cpus, uint32_t signature,
			uint32_t features)
{
	uint32_t i;

	for (i = 0; i < cpus; i++)
		ADD(w, processor, PROCESSOR, i, APIC_VERSION_NUMBER,
		    i ? PROCESSOR_ENABLED : PROCESSOR_ENABLED | PROCESSOR_BOOT,
		    signature & SIGNATURE, features, { 0 });
	ADD(w, bus_entry, BUS, 0, "ISA   ");
	ADD(w, ioapic_entry, IOAPIC, cpus, IOAPIC_VERSION_NUMBER,
	    IOAPIC_ENABLED, IOAPIC_BASE);
	for (i = 0; i < ISA_IRQS; i++)
		if (i != ISA_CASCADE)
			ADD(w, interrupt, INTERRUPT, KIND_VECTORED, 0, 0, i,
			    cpus, i ? i : IOAPIC_IRQ0_PIN);
	ADD(w, interrupt, LOCAL_INTERRUPT, KIND_EXTINT, 0, 0, 0, 0, 0);
	ADD(w, interrupt, LOCAL_INTERRUPT, KIND_NMI, 0, 0, 0, ALL_APICS, 1);
}

void mptable_write(void *to, uint32_t address, uint32_t cpus,
		   uint32_t signature, uint32_t features)
{
	uint8_t *table = (uint8_t *)to + PARAGRAPH;
	struct writer w = { table + sizeof(struct header), 0 };
	struct pointer p = {
		.signature = "_MP_",
		.table = address + PARAGRAPH,
		.length = sizeof(p) / PARAGRAPH,
		.revision = REVISION,
	};
	struct header h = {
		.signature = "PCMP",
		.revision = REVISION,
		.oem = "OPENVMI ",
		.product = "VMI         ",
		.apic = APIC_BASE,
	};

	add_entries(&w, cpus, signature, features);
	h.length = w.at - table;
	h.entries = w.entries;
	memcpy(table, &h, sizeof(h));
	h.checksum = checksum(table, h.length);
	memcpy(table, &h, sizeof(h));
	p.checksum = checksum((const uint8_t *)&p, sizeof(p));
	memcpy(to, &p, sizeof(p));
}

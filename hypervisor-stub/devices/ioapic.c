// SPDX-License-Identifier: GPL-2.0-only
/* The I/O APIC after the data sheet of the 82093AA (Intel 290566). */
#include "devices.h"

/* Registers, by what is in the select register. */
#define REG_ID		0x00
#define REG_VERSION	0x01
#define REG_ARBITRATION	0x02
#define REG_ENTRY	0x10		/* two for each pin */

#define VERSION		(IOAPIC_VERSION_NUMBER | (IOAPIC_PINS - 1) << 16)
#define ID_BITS		0xfu

/* A redirection entry, 3.2.4. */
#define ENTRY_VECTOR	0x000ffull
#define ENTRY_MODE_SHIFT 8
#define ENTRY_MODE_MASK	7u
#define ENTRY_LOGICAL	0x00800ull
#define ENTRY_LOW	0x02000ull	/* active low */
#define ENTRY_REMOTE_IRR 0x04000ull
#define ENTRY_LEVEL	0x08000ull
#define ENTRY_MASKED	0x10000ull
#define ENTRY_DEST_SHIFT 56
/* What can be written. */
#define ENTRY_BITS	0xff0000000001afffull

static bool sends(uint64_t entry)
{
	uint32_t mode = entry >> ENTRY_MODE_SHIFT & ENTRY_MODE_MASK;

	return !(entry & ENTRY_MASKED) &&
	       (mode == APIC_FIXED || mode == APIC_LOWEST);
}

static bool active(const struct ioapic *io, unsigned int pin)
{
	bool low = io->entry[pin] & ENTRY_LOW;

	return (io->lines >> pin & 1) != low;
}

/* A level waits for as long as there is one; it is sent once until its EOI. An
 * edge of a masked pin is forgotten. */
static void update(struct ioapic *io, unsigned int pin, bool edge)
{
	uint64_t entry = io->entry[pin];
	bool pending = sends(entry) && (entry & ENTRY_LEVEL ?
		active(io, pin) && !(entry & ENTRY_REMOTE_IRR) : edge);

	io->pending &= ~(1u << pin);
	io->pending |= (uint32_t)pending << pin;
}

void ioapic_set_irq(struct ioapic *io, unsigned int irq, bool level)
{
	unsigned int pin = irq ? irq : IOAPIC_IRQ0_PIN;
	bool before;

	if (irq == IOAPIC_IRQ0_PIN || irq >= IOAPIC_PINS)
		return;
	before = active(io, pin);
	io->lines &= ~(1u << pin);
	io->lines |= (uint32_t)level << pin;
	update(io, pin, !before && active(io, pin));
}

void ioapic_eoi(struct ioapic *io, uint8_t vector)
{
	unsigned int pin;

	for (pin = 0; pin < IOAPIC_PINS; pin++) {
		if (!(io->entry[pin] & ENTRY_REMOTE_IRR) ||
		    (io->entry[pin] & ENTRY_VECTOR) != vector)
			continue;
		io->entry[pin] &= ~ENTRY_REMOTE_IRR;
		update(io, pin, false);
	}
}

bool ioapic_message(struct ioapic *io, struct apic_message *m)
{
	unsigned int pin;
	uint64_t entry;

	if (!io->pending)
		return false;
	pin = __builtin_ctz(io->pending);
	entry = io->entry[pin];
	io->pending &= ~(1u << pin);
	if (entry & ENTRY_LEVEL)
		io->entry[pin] |= ENTRY_REMOTE_IRR;
	*m = (struct apic_message){
		.vector = entry & ENTRY_VECTOR,
		.mode = entry >> ENTRY_MODE_SHIFT & ENTRY_MODE_MASK,
		.dest = entry >> ENTRY_DEST_SHIFT,
		.logical = entry & ENTRY_LOGICAL,
		.level = entry & ENTRY_LEVEL,
	};
	return true;
}

/* ---- registers ---------------------------------------------------------- */

static void write_entry(struct ioapic *io, uint32_t reg, uint32_t value)
{
	unsigned int pin = reg / 2, shift = reg % 2 * 32;
	uint64_t *entry = &io->entry[pin];
	uint64_t bits = ENTRY_BITS & (uint64_t)UINT32_MAX << shift;

	*entry = (*entry & ~bits) | ((uint64_t)value << shift & bits);
	if (!(*entry & ENTRY_LEVEL))	/* how drivers get rid of a lost EOI */
		*entry &= ~ENTRY_REMOTE_IRR;
	update(io, pin, false);
}

uint32_t ioapic_read(const struct ioapic *io, uint32_t offset)
{
	uint32_t reg = io->select;

	if (offset == IOAPIC_SELECT)
		return reg;
	if (offset != IOAPIC_DATA)
		return 0;
	if (reg == REG_ID || reg == REG_ARBITRATION)
		return (uint32_t)io->id << 24;
	if (reg == REG_VERSION)
		return VERSION;
	if (reg < REG_ENTRY || reg >= REG_ENTRY + 2 * IOAPIC_PINS)
		return 0;
	reg -= REG_ENTRY;
	return io->entry[reg / 2] >> reg % 2 * 32;
}

void ioapic_write(struct ioapic *io, uint32_t offset, uint32_t value)
{
	uint32_t reg = io->select;

	if (offset == IOAPIC_SELECT)
		io->select = value;
	if (offset != IOAPIC_DATA)
		return;
	if (reg == REG_ID)
		io->id = value >> 24 & ID_BITS;
	else if (reg >= REG_ENTRY && reg < REG_ENTRY + 2 * IOAPIC_PINS)
		write_entry(io, reg - REG_ENTRY, value);
}

void ioapic_init(struct ioapic *io, uint8_t id)
{
	unsigned int pin;

	*io = (struct ioapic){ .id = id & ID_BITS };
	for (pin = 0; pin < IOAPIC_PINS; pin++)
		io->entry[pin] = ENTRY_MASKED;
}

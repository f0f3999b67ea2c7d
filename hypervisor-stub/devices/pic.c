// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two 8259A in a PC, after the Intel 8259A data sheet. Where a PC decides:
 * x86 mode always, the slave on input 2, ELCR ports for level inputs.
 *
 * Two simplifications that no driver can tell from a PC chipset: a latched
 * edge is not taken back when the line falls, and the slave's request reaches
 * the master as a level.
 */
#include "devices.h"

#define ICW1		0x10	/* in the command port: an ICW1 */
#define ICW1_ICW4	0x01
#define ICW1_SINGLE	0x02
#define ICW1_LEVEL	0x08
#define ICW4_AEOI	0x02
#define ICW4_NESTED	0x10

#define OCW3		0x08	/* in the command port: an OCW3, else OCW2 */
#define OCW3_READ_ISR	0x01
#define OCW3_READ	0x02
#define OCW3_POLL	0x04
#define OCW3_MASK	0x20
#define OCW3_SET_MASK	0x40

#define OCW2_EOI	0x20
#define OCW2_SPECIFIC	0x40
#define OCW2_ROTATE	0x80

/* Inputs that a PC lets the guest make level triggered. */
static const uint8_t elcr_writable[2] = { 0xf8, 0xde };

static void chip_reset(struct pic_chip *c, uint8_t base, uint8_t imr)
{
	*c = (struct pic_chip) { .base = base, .imr = imr, .lowest = 7 };
}

void pic_init(struct pic *p)
{
	chip_reset(&p->chip[0], 0x08, 0xff);
	chip_reset(&p->chip[1], 0x70, 0xff);
}

static uint8_t level_inputs(const struct pic_chip *c)
{
	return c->level ? 0xff : c->elcr;
}

static uint8_t chip_irr(const struct pic_chip *c)
{
	uint8_t level = level_inputs(c);

	return (c->irr & ~level) | (c->lines & level);
}

/* What is in service, as far as it keeps others out: special mask mode hides
 * masked inputs. */
static uint8_t serving(const struct pic_chip *c)
{
	return c->special_mask ? c->isr & ~c->imr : c->isr;
}

/* The one of highest priority, or -1. */
static int first_of(const struct pic_chip *c, uint8_t inputs)
{
	int n, i;

	for (n = 1; inputs && n <= 8; n++) {
		i = (c->lowest + n) & 7;
		if (inputs & 1u << i)
			return i;
	}
	return -1;
}

/*
 * The input to serve next, or -1. requests is the IRR, for the master with
 * the slave's request in it.
 */
static int choose(const struct pic_chip *c, uint8_t requests, bool master)
{
	uint8_t busy = serving(c);
	int i;

	requests &= ~c->imr;
	if (!requests || c->icw)	/* being initialised */
		return -1;
	if (master && c->special_nested)	/* the slave's may be served */
		busy &= ~(requests & 1u << PIC_CASCADE);
	i = first_of(c, requests | busy);
	return busy & 1u << i ? -1 : i;
}

static int slave_choice(const struct pic *p)
{
	return choose(&p->chip[1], chip_irr(&p->chip[1]), false);
}

static uint8_t master_irr(const struct pic *p)
{
	const struct pic_chip *c = &p->chip[0];
	uint8_t irr = chip_irr(c) & ~(1u << PIC_CASCADE);

	if (!c->single && slave_choice(p) >= 0)
		irr |= 1u << PIC_CASCADE;
	return irr;
}

static int master_choice(const struct pic *p)
{
	return choose(&p->chip[0], master_irr(p), true);
}

static void acknowledge(struct pic_chip *c, int i)
{
	c->irr &= ~(1u << i);
	if (!c->aeoi)
		c->isr |= 1u << i;
	else if (c->rotate_aeoi)
		c->lowest = i;
}

void pic_set_irq(struct pic *p, unsigned int irq, bool level)
{
	struct pic_chip *c = &p->chip[(irq >> 3) & 1];
	uint8_t bit = 1u << (irq & 7);

	if (irq > 15 || irq == PIC_CASCADE)
		return;
	if (!level) {
		c->lines &= ~bit;
		return;
	}
	if (!(c->lines & bit) && !(level_inputs(c) & bit))
		c->irr |= bit;
	c->lines |= bit;
}

bool pic_requested(const struct pic *p, unsigned int irq)
{
	return chip_irr(&p->chip[irq >> 3]) & 1u << (irq & 7);
}

bool pic_pending(const struct pic *p)
{
	return master_choice(p) >= 0;
}

int pic_ack(struct pic *p)
{
	struct pic_chip *master = &p->chip[0], *slave = &p->chip[1];
	int i = master_choice(p);

	/* Nothing left to serve: vector 7 of the chip, and no ISR bit. */
	if (i < 0)
		return master->base + 7;
	if (i != PIC_CASCADE || master->single) {
		acknowledge(master, i);
		return master->base + i;
	}
	i = slave_choice(p);	/* >= 0: this is why the master chose it */
	acknowledge(master, PIC_CASCADE);
	acknowledge(slave, i);
	return slave->base + i;
}

/* A poll acknowledges like the processor, but of one chip alone. */
static uint8_t poll(struct pic *p, unsigned int n)
{
	int i = n ? slave_choice(p) : master_choice(p);

	p->chip[n].poll = false;
	if (i < 0)
		return 0;
	acknowledge(&p->chip[n], i);
	return 0x80 | i;
}

static void end_of_interrupt(struct pic_chip *c, uint8_t val)
{
	int i = val & OCW2_SPECIFIC ? val & 7 : first_of(c, serving(c));

	if (i < 0)
		return;
	c->isr &= ~(1u << i);
	if (val & OCW2_ROTATE)
		c->lowest = i;
}

static void ocw2(struct pic_chip *c, uint8_t val)
{
	if (val & OCW2_EOI)
		end_of_interrupt(c, val);
	else if (!(val & OCW2_SPECIFIC))
		c->rotate_aeoi = val & OCW2_ROTATE;
	else if (val & OCW2_ROTATE)
		c->lowest = val & 7;
}

static void ocw3(struct pic_chip *c, uint8_t val)
{
	if (val & OCW3_SET_MASK)
		c->special_mask = val & OCW3_MASK;
	if (val & OCW3_POLL)
		c->poll = true;
	else if (val & OCW3_READ)
		c->read_isr = val & OCW3_READ_ISR;
}

static void icw1(struct pic_chip *c, uint8_t val)
{
	uint8_t lines = c->lines, elcr = c->elcr;

	/* The edge detectors restart: a line that is high must fall first. */
	chip_reset(c, c->base, 0);
	c->lines = lines;
	c->elcr = elcr;
	c->icw = 2;
	c->icw4_needed = val & ICW1_ICW4;
	c->single = val & ICW1_SINGLE;
	c->level = val & ICW1_LEVEL;
}

static void command(struct pic_chip *c, uint8_t val)
{
	if (val & ICW1)
		icw1(c, val);
	else if (val & OCW3)
		ocw3(c, val);
	else
		ocw2(c, val);
}

static void data(struct pic_chip *c, uint8_t val)
{
	switch (c->icw) {
	case 0:
		c->imr = val;
		return;
	case 2:
		c->base = val & 0xf8;
		c->icw = 3;
		if (!c->single)
			return;
		break;
	case 3:			/* the wiring of a PC does not change */
		break;
	case 4:
		c->aeoi = val & ICW4_AEOI;
		c->special_nested = val & ICW4_NESTED;
		c->icw = 0;
		return;
	}
	c->icw = c->icw4_needed ? 4 : 0;
}

void pic_out(struct pic *p, unsigned int port, uint8_t val)
{
	switch (port) {
	case PIC_MASTER_CMD:
	case PIC_SLAVE_CMD:
		command(&p->chip[port == PIC_SLAVE_CMD], val);
		break;
	case PIC_MASTER_DATA:
	case PIC_SLAVE_DATA:
		data(&p->chip[port == PIC_SLAVE_DATA], val);
		break;
	case PIC_MASTER_ELCR:
	case PIC_SLAVE_ELCR:
		p->chip[port & 1].elcr = val & elcr_writable[port & 1];
		break;
	}
}

uint8_t pic_in(struct pic *p, unsigned int port)
{
	unsigned int n = port == PIC_SLAVE_CMD || port == PIC_SLAVE_DATA;
	struct pic_chip *c = &p->chip[n];

	switch (port) {
	case PIC_MASTER_CMD:
	case PIC_SLAVE_CMD:
		if (c->poll)
			return poll(p, n);
		if (c->read_isr)
			return c->isr;
		return n ? chip_irr(c) : master_irr(p);
	case PIC_MASTER_DATA:
	case PIC_SLAVE_DATA:
		return c->poll ? poll(p, n) : c->imr;
	case PIC_MASTER_ELCR:
	case PIC_SLAVE_ELCR:
		return p->chip[port & 1].elcr;
	}
	return 0xff;
}

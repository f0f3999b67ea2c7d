// SPDX-License-Identifier: GPL-2.0-only
/* The local APIC (devices.h). Section numbers are those of SDM Vol. 3. */
#include "devices.h"

#define VERSION		(0x14 | (APIC_LVTS - 1) << 16)	/* 10.4.8 */

#define SVR_ENABLE	0x100u
#define SVR_BITS	0x3ffu

#define LVT_VECTOR	0x000ffu
#define LVT_MODE	0x00700u
#define LVT_EXTINT	0x00700u
#define LVT_NMI		0x00400u
#define LVT_MASKED	0x10000u
#define LVT_TIMER_MODE	0x20000u

/* 10.6.1 */
#define ICR_BITS	0x000ccfffu
#define ICR_VECTOR	0x000000ffu
#define ICR_MODE	0x00000700u
#define ICR_FIXED	0x00000000u
#define ICR_LOWEST	0x00000100u
#define ICR_LOGICAL	0x00000800u
#define ICR_SHORTHAND	0x000c0000u
#define ICR_SELF	0x00040000u
#define ICR_ALL		0x00080000u

#define ESR_SEND_ILLEGAL	0x20u	/* 10.5.3 */
#define ESR_ILLEGAL_REGISTER	0x80u

#define DFR_CLUSTER	0x0fffffffu	/* 10.6.2.2; flat: ffffffffh */
#define FIRST_VECTOR	16		/* 10.5.2 */

#define LVT_INPUT	(LVT_VECTOR | LVT_MODE | LVT_MASKED)	/* 10.5.1 */
#define LVT_PIN		(LVT_INPUT | 0xa000)

/* What can be written of each register. */
static const uint32_t writable[APIC_REGISTERS] = {
	[APIC_ID >> 4]		= 0xff000000,
	[APIC_TPR >> 4]		= 0xff,
	[APIC_LDR >> 4]		= 0xff000000,
	[APIC_DFR >> 4]		= ~DFR_CLUSTER,
	[APIC_SVR >> 4]		= SVR_BITS,
	[APIC_ICR >> 4]		= ICR_BITS,
	[APIC_ICR_HIGH >> 4]	= 0xff000000,
	[APIC_LVTT >> 4]	= LVT_VECTOR | LVT_MASKED | LVT_TIMER_MODE,
	[APIC_LVT_THERMAL >> 4]	= LVT_INPUT,
	[APIC_LVT_PERF >> 4]	= LVT_INPUT,
	[APIC_LVT0 >> 4]	= LVT_PIN,
	[APIC_LVT1 >> 4]	= LVT_PIN,
	[APIC_LVT_ERROR >> 4]	= LVT_VECTOR | LVT_MASKED,
	[APIC_TMICT >> 4]	= UINT32_MAX,
	[APIC_TDCR >> 4]	= 0xb,
};

/* Is there a register at this offset? */
static bool exists(uint32_t offset)
{
	return offset < APIC_REGISTERS << 4 && !(offset & 0xf);
}

/* ---- priorities --------------------------------------------------------- */

/* A vector in ISR or IRR. */
static void set(struct apic *a, uint32_t map, uint32_t vector, bool on)
{
	uint32_t *reg = &APIC_REG(a, map + (vector >> 5) * 16);
	uint32_t bit = 1u << (vector & 31);

	*reg = on ? *reg | bit : *reg & ~bit;
}

static int highest(const struct apic *a, uint32_t map)
{
	const uint32_t *reg = &APIC_REG(a, map);
	int i;

	for (i = 7; i >= 0; i--)
		if (reg[i])
			return i * 32 + 31 - __builtin_clz(reg[i]);
	return -1;
}

/* 10.8.3.1 */
static uint32_t ppr(const struct apic *a)
{
	int serving = highest(a, APIC_ISR);
	uint32_t tpr = APIC_REG(a, APIC_TPR);

	if (serving >= 0 && (serving & 0xf0) > (int)(tpr & 0xf0))
		return serving & 0xf0;
	return tpr;
}

static bool software_enabled(const struct apic *a)
{
	return a->enabled && (APIC_REG(a, APIC_SVR) & SVR_ENABLE);
}

/* After every change of what decides it. */
static void choose(struct apic *a)
{
	int vector = highest(a, APIC_IRR);

	if (vector >= 0 && a->enabled && (vector & 0xf0) > (int)(ppr(a) & 0xf0))
		a->next = vector;
	else
		a->next = -1;
}

static void request(struct apic *a, uint32_t vector)
{
	set(a, APIC_IRR, vector, true);
	choose(a);
}

int apic_ack(struct apic *a)
{
	int vector = a->next;

	set(a, APIC_IRR, vector, false);
	set(a, APIC_ISR, vector, true);
	choose(a);
	return vector;
}

static void end_of_interrupt(struct apic *a)
{
	int vector = highest(a, APIC_ISR);

	if (vector >= 0)
		set(a, APIC_ISR, vector, false);
	choose(a);
}

/* ---- local sources ------------------------------------------------------ */

void apic_alarm(struct apic *a)
{
	uint32_t lvtt = APIC_REG(a, APIC_LVTT);

	a->alarm = (lvtt & LVT_MASKED) || !software_enabled(a);
	if (!a->alarm && (lvtt & LVT_VECTOR) >= FIRST_VECTOR)
		request(a, lvtt & LVT_VECTOR);
}

void apic_alarm_cancel(struct apic *a)
{
	a->alarm = false;
}

bool apic_extint(const struct apic *a)
{
	uint32_t lvt0 = APIC_REG(a, APIC_LVT0);

	return !a->enabled ||
	       (lvt0 & (LVT_MODE | LVT_MASKED)) == LVT_EXTINT;
}

/* ---- interrupts to processors ------------------------------------------- */

/* Is the only processor among those that the ICR names? 10.6.2 */
static bool to_self(const struct apic *a)
{
	uint32_t icr = APIC_REG(a, APIC_ICR), shorthand = icr & ICR_SHORTHAND;
	uint8_t dest = APIC_REG(a, APIC_ICR_HIGH) >> 24;
	uint8_t logical = APIC_REG(a, APIC_LDR) >> 24;

	if (shorthand)
		return shorthand == ICR_SELF || shorthand == ICR_ALL;
	if (dest == 0xff)
		return true;
	if (!(icr & ICR_LOGICAL))
		return dest == APIC_REG(a, APIC_ID) >> 24;
	if (APIC_REG(a, APIC_DFR) != DFR_CLUSTER)
		return dest & logical;
	return dest >> 4 == logical >> 4 && (dest & logical & 0xf);
}

/* Further processors do not exist, and nobody gets an NMI (VMI-1.11). */
static void send(struct apic *a)
{
	uint32_t vector = APIC_REG(a, APIC_ICR) & ICR_VECTOR;
	uint32_t mode = APIC_REG(a, APIC_ICR) & ICR_MODE;

	if (mode != ICR_FIXED && mode != ICR_LOWEST)
		return;
	if (vector < FIRST_VECTOR)
		a->errors |= ESR_SEND_ILLEGAL;
	else if (to_self(a) && software_enabled(a))
		request(a, vector);
}

/* ---- registers ---------------------------------------------------------- */

uint32_t apic_read(const struct apic *a, uint32_t offset)
{
	if (!a->enabled)
		return UINT32_MAX;
	if (offset == APIC_APR || offset == APIC_PPR)
		return ppr(a);
	return exists(offset) ? APIC_REG(a, offset) : 0;
}

/* While software has it off, all of LVT is masked (10.4.7.2). */
static void mask_lvt(struct apic *a)
{
	uint32_t offset;

	if (software_enabled(a))
		return;
	for (offset = APIC_LVTT; offset <= APIC_LVT_ERROR; offset += 16)
		APIC_REG(a, offset) |= LVT_MASKED;
}

void apic_write(struct apic *a, uint32_t offset, uint32_t value)
{
	uint32_t bits = exists(offset) ? writable[offset >> 4] : 0;

	if (!a->enabled)
		return;
	if (bits)
		APIC_REG(a, offset) = value & bits;
	mask_lvt(a);
	switch (offset) {
	case APIC_TPR:
		choose(a);
		break;
	case APIC_EOI:
		end_of_interrupt(a);
		break;
	case APIC_DFR:
		APIC_REG(a, APIC_DFR) |= DFR_CLUSTER;
		break;
	case APIC_ESR:
		APIC_REG(a, APIC_ESR) = a->errors;
		a->errors = 0;
		break;
	case APIC_ICR:
		send(a);
		break;
	case APIC_LVTT:
		if (a->alarm)
			apic_alarm(a);
		break;
	default:
		if (!bits)
			a->errors |= ESR_ILLEGAL_REGISTER;
	}
}

/* ---- reset -------------------------------------------------------------- */

/* 10.4.7.1 */
static void reset(struct apic *a)
{
	*a = (struct apic){ .next = -1 };
	APIC_REG(a, APIC_VERSION) = VERSION;
	APIC_REG(a, APIC_DFR) = UINT32_MAX;
	APIC_REG(a, APIC_SVR) = 0xff;
	mask_lvt(a);
}

/* The virtual wire mode of the MultiProcessor Specification, 3.6.2.2. */
void apic_init(struct apic *a)
{
	reset(a);
	a->enabled = true;
	APIC_REG(a, APIC_SVR) |= SVR_ENABLE;
	APIC_REG(a, APIC_LVT0) = LVT_EXTINT;
	APIC_REG(a, APIC_LVT1) = LVT_NMI;
}

void apic_enable(struct apic *a, bool on)
{
	if (a->enabled == on)
		return;
	reset(a);
	a->enabled = on;
}

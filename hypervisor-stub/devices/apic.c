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

/* What can be written of each LVT register, 10.5.1. */
static const uint32_t lvt_bits[APIC_LVTS] = {
	LVT_VECTOR | LVT_MASKED | LVT_TIMER_MODE,
	LVT_VECTOR | LVT_MODE | LVT_MASKED,
	LVT_VECTOR | LVT_MODE | LVT_MASKED,
	LVT_VECTOR | LVT_MODE | LVT_MASKED | 0xa000,
	LVT_VECTOR | LVT_MODE | LVT_MASKED | 0xa000,
	LVT_VECTOR | LVT_MASKED,
};

static uint32_t *lvt_of(struct apic *a, uint32_t offset)
{
	return &a->lvt[(offset - APIC_LVTT) >> 4];
}

/* ---- priorities --------------------------------------------------------- */

static int highest(const uint32_t bits[8])
{
	int i;

	for (i = 7; i >= 0; i--)
		if (bits[i])
			return i * 32 + 31 - __builtin_clz(bits[i]);
	return -1;
}

/* 10.8.3.1 */
static uint32_t ppr(const struct apic *a)
{
	int serving = highest(a->isr);

	if (serving >= 0 && (serving & 0xf0) > (int)(a->tpr & 0xf0))
		return serving & 0xf0;
	return a->tpr;
}

static bool software_enabled(const struct apic *a)
{
	return a->enabled && (a->svr & SVR_ENABLE);
}

/* After every change of what decides it. */
static void choose(struct apic *a)
{
	int vector = highest(a->irr);

	if (vector >= 0 && a->enabled && (vector & 0xf0) > (int)(ppr(a) & 0xf0))
		a->next = vector;
	else
		a->next = -1;
}

static void request(struct apic *a, uint32_t vector)
{
	a->irr[vector >> 5] |= 1u << (vector & 31);
	choose(a);
}

int apic_ack(struct apic *a)
{
	int vector = a->next;

	a->irr[vector >> 5] &= ~(1u << (vector & 31));
	a->isr[vector >> 5] |= 1u << (vector & 31);
	choose(a);
	return vector;
}

static void end_of_interrupt(struct apic *a)
{
	int vector = highest(a->isr);

	if (vector >= 0)
		a->isr[vector >> 5] &= ~(1u << (vector & 31));
	choose(a);
}

/* ---- local sources ------------------------------------------------------ */

void apic_alarm(struct apic *a)
{
	uint32_t lvtt = *lvt_of(a, APIC_LVTT);

	a->alarm = (lvtt & LVT_MASKED) || !software_enabled(a);
	if (a->alarm)
		return;
	if ((lvtt & LVT_VECTOR) >= FIRST_VECTOR)
		request(a, lvtt & LVT_VECTOR);
}

void apic_alarm_cancel(struct apic *a)
{
	a->alarm = false;
}

bool apic_extint(const struct apic *a)
{
	uint32_t lvt0 = a->lvt[(APIC_LVT0 - APIC_LVTT) >> 4];

	return !a->enabled ||
	       (lvt0 & (LVT_MODE | LVT_MASKED)) == LVT_EXTINT;
}

static void write_lvt(struct apic *a, uint32_t offset, uint32_t value)
{
	uint32_t *lvt = lvt_of(a, offset);

	*lvt = value & lvt_bits[lvt - a->lvt];
	if (!software_enabled(a))
		*lvt |= LVT_MASKED;		/* 10.4.7.2 */
	if (offset == APIC_LVTT && a->alarm)
		apic_alarm(a);
}

static void write_svr(struct apic *a, uint32_t value)
{
	int i;

	a->svr = value & SVR_BITS;
	if (!(value & SVR_ENABLE))
		for (i = 0; i < APIC_LVTS; i++)
			a->lvt[i] |= LVT_MASKED;
}

/* ---- interrupts to processors ------------------------------------------- */

/* Is the only processor among those that the ICR names? 10.6.2 */
static bool to_self(const struct apic *a)
{
	uint32_t shorthand = a->icr & ICR_SHORTHAND;
	uint8_t dest = a->icr_high >> 24, logical = a->ldr >> 24;

	if (shorthand)
		return shorthand == ICR_SELF || shorthand == ICR_ALL;
	if (dest == 0xff)
		return true;
	if (!(a->icr & ICR_LOGICAL))
		return dest == a->id >> 24;
	if (a->dfr != DFR_CLUSTER)
		return dest & logical;
	return dest >> 4 == logical >> 4 && (dest & logical & 0xf);
}

/* Further processors do not exist, and nobody gets an NMI (VMI-1.11). */
static void send(struct apic *a)
{
	uint32_t vector = a->icr & ICR_VECTOR, mode = a->icr & ICR_MODE;

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
	switch (offset) {
	case APIC_ID:
		return a->id;
	case APIC_VERSION:
		return VERSION;
	case APIC_TPR:
		return a->tpr;
	case APIC_APR:
	case APIC_PPR:
		return ppr(a);
	case APIC_LDR:
		return a->ldr;
	case APIC_DFR:
		return a->dfr;
	case APIC_SVR:
		return a->svr;
	case APIC_ESR:
		return a->esr;
	case APIC_ICR:
		return a->icr;
	case APIC_ICR_HIGH:
		return a->icr_high;
	case APIC_TMICT:
		return a->tmict;
	case APIC_TDCR:
		return a->tdcr;
	}
	if (offset & 0xf)
		return 0;
	if (offset >= APIC_ISR && offset < APIC_TMR)
		return a->isr[(offset - APIC_ISR) >> 4];
	if (offset >= APIC_IRR && offset < APIC_ESR)
		return a->irr[(offset - APIC_IRR) >> 4];
	if (offset >= APIC_LVTT && offset <= APIC_LVT_ERROR)
		return a->lvt[(offset - APIC_LVTT) >> 4];
	return 0;	/* no level interrupts: TMR; no count: TMCCT */
}

void apic_write(struct apic *a, uint32_t offset, uint32_t value)
{
	if (!a->enabled)
		return;
	switch (offset) {
	case APIC_ID:
		a->id = value & 0xff000000;
		break;
	case APIC_TPR:
		a->tpr = value & 0xff;
		choose(a);
		break;
	case APIC_EOI:
		end_of_interrupt(a);
		break;
	case APIC_LDR:
		a->ldr = value & 0xff000000;
		break;
	case APIC_DFR:
		a->dfr = value | 0x0fffffff;
		break;
	case APIC_SVR:
		write_svr(a, value);
		break;
	case APIC_ESR:
		a->esr = a->errors;
		a->errors = 0;
		break;
	case APIC_ICR:
		a->icr = value & ICR_BITS;
		send(a);
		break;
	case APIC_ICR_HIGH:
		a->icr_high = value & 0xff000000;
		break;
	case APIC_LVTT:
	case APIC_LVT_THERMAL:
	case APIC_LVT_PERF:
	case APIC_LVT0:
	case APIC_LVT1:
	case APIC_LVT_ERROR:
		write_lvt(a, offset, value);
		break;
	case APIC_TMICT:
		a->tmict = value;
		break;
	case APIC_TDCR:
		a->tdcr = value & 0xb;
		break;
	default:
		a->errors |= ESR_ILLEGAL_REGISTER;
	}
}

/* ---- reset -------------------------------------------------------------- */

/* 10.4.7.1 */
static void reset(struct apic *a)
{
	int i;

	*a = (struct apic){ .dfr = UINT32_MAX, .svr = 0xff, .next = -1 };
	for (i = 0; i < APIC_LVTS; i++)
		a->lvt[i] = LVT_MASKED;
}

/* The virtual wire mode of the MultiProcessor Specification, 3.6.2.2. */
void apic_init(struct apic *a)
{
	reset(a);
	a->enabled = true;
	a->svr |= SVR_ENABLE;
	*lvt_of(a, APIC_LVT0) = LVT_EXTINT;
	*lvt_of(a, APIC_LVT1) = LVT_NMI;
}

void apic_enable(struct apic *a, bool on)
{
	if (a->enabled == on)
		return;
	reset(a);
	a->enabled = on;
}

// SPDX-License-Identifier: GPL-2.0-only
/* The local APIC (devices.h). Section numbers are those of SDM Vol. 3. */
#include "devices.h"

/* 10.4.8 */
#define VERSION		(APIC_VERSION_NUMBER | (APIC_LVTS - 1) << 16)

#define SVR_ENABLE	0x100u
#define SVR_BITS	0x3ffu

#define LVT_VECTOR	0x000ffu
#define LVT_MODE	0x00700u
#define LVT_EXTINT	0x00700u
#define LVT_NMI		0x00400u
#define LVT_MASKED	0x10000u
#define LVT_PERIODIC	0x20000u

/* 10.6.1 */
#define ICR_BITS	0x000ccfffu
#define ICR_VECTOR	0x000000ffu
#define ICR_MODE_SHIFT	8
#define ICR_MODE_MASK	7u
#define ICR_LOGICAL	0x00000800u
#define ICR_ASSERT	0x00004000u
#define ICR_LEVEL	0x00008000u
#define ICR_SHORTHAND_SHIFT 18

#define ESR_SEND_ILLEGAL	0x20u	/* 10.5.3 */
#define ESR_RECEIVE_ILLEGAL	0x40u
#define ESR_ILLEGAL_REGISTER	0x80u

#define DFR_CLUSTER	0x0fffffffu	/* 10.6.2.2; flat: ffffffffh */
#define FIRST_VECTOR	16		/* 10.5.2 */

/* What can be written of each LVT register, 10.5.1. */
static const uint32_t lvt_bits[APIC_LVTS] = {
	LVT_VECTOR | LVT_MASKED | LVT_PERIODIC,
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

/* Two words at a time, and unrolled: every EOI looks here three times. */
static int highest(const uint32_t bits[8])
{
	uint64_t two;
	int i;

#pragma GCC unroll 4
	for (i = 6; i >= 0; i -= 2) {
		two = (uint64_t)bits[i + 1] << 32 | bits[i];
		if (two)
			return i * 32 + 63 - __builtin_clzll(two);
	}
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
	if ((int)vector > a->next && (vector & 0xf0) > (ppr(a) & 0xf0))
		a->next = vector;
}

/* 10.8.4: TMR says how it came. */
static void deliver(struct apic *a, uint32_t vector, bool level)
{
	uint32_t bit = 1u << (vector & 31);

	if (level)
		a->tmr[vector >> 5] |= bit;
	else
		a->tmr[vector >> 5] &= ~bit;
	request(a, vector);
}

int apic_ack(struct apic *a)
{
	int vector = a->next;

	a->irr[vector >> 5] &= ~(1u << (vector & 31));
	a->isr[vector >> 5] |= 1u << (vector & 31);
	choose(a);
	return vector;
}

static enum apic_effect end_of_interrupt(struct apic *a, struct apic_message *m)
{
	int vector = highest(a->isr);
	uint32_t bit = 1u << (vector & 31);

	if (vector < 0)
		return APIC_NOTHING;
	a->isr[vector >> 5] &= ~bit;
	choose(a);
	if (!(a->tmr[vector >> 5] & bit))
		return APIC_NOTHING;
	m->vector = vector;
	return APIC_EOI_SENT;
}

/* ---- local sources ------------------------------------------------------ */

/* By the vector of LVTT. */
static void lvtt_interrupt(struct apic *a)
{
	uint32_t vector = *lvt_of(a, APIC_LVTT) & LVT_VECTOR;

	if (vector < FIRST_VECTOR)
		a->errors |= ESR_RECEIVE_ILLEGAL;
	else
		request(a, vector);
}

void apic_alarm(struct apic *a)
{
	uint32_t lvtt = *lvt_of(a, APIC_LVTT);

	a->alarm = (lvtt & LVT_MASKED) || !software_enabled(a);
	if (!a->alarm)
		lvtt_interrupt(a);
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

/* ---- timer -------------------------------------------------------------- */

/* How often the TSC is halved, 10.5.4. */
static uint32_t divisor(const struct apic *a)
{
	uint32_t tdcr = (a->tdcr & 3) | (a->tdcr >> 1 & 4);

	return __builtin_ctz(APIC_TSC_PER_TICK) + ((tdcr + 1) & 7);
}

/* Another processor's TSC may be a little behind. */
static uint64_t counted(const struct apic *a, uint64_t now)
{
	return now > a->since ? (now - a->since) >> divisor(a) : 0;
}

/* Between two interrupts: the count, or the first multiple that is not too
 * short. */
static uint64_t period(const struct apic *a)
{
	uint64_t tsc = (uint64_t)a->tmict << divisor(a);

	return tsc >= a->least ? a->tmict :
		(a->least + tsc - 1) / tsc * a->tmict;
}

static uint64_t left(const struct apic *a, uint64_t now)
{
	uint64_t n = counted(a, now), p;

	if (n < a->left)
		return a->left - n;
	if (!a->left || !(a->lvt[0] & LVT_PERIODIC))
		return 0;
	p = period(a);
	return p - (n - a->left) % p;
}

static uint32_t count(const struct apic *a, uint64_t now)
{
	uint64_t n = left(a, now);

	return n ? (n - 1) % a->tmict + 1 : 0;
}

/* It goes on from now with as many counts left. */
static void restart(struct apic *a, uint64_t now, uint64_t n)
{
	a->since += counted(a, now) << divisor(a);
	a->left = n;
}

void apic_timer_tick(struct apic *a, uint64_t now)
{
	if (!a->left || counted(a, now) < a->left)
		return;
	restart(a, now, left(a, now));
	if (!(a->lvt[0] & LVT_MASKED))
		lvtt_interrupt(a);
}

uint64_t apic_timer_next(const struct apic *a)
{
	return a->left && !(a->lvt[0] & LVT_MASKED) ?
		a->since + (a->left << divisor(a)) : APIC_NEVER;
}

/* What it did up to now was under the LVTT and TDCR that it had. */
static void settle(struct apic *a, uint64_t now)
{
	apic_timer_tick(a, now);
	restart(a, now, count(a, now));
}

/* Out of line: the writes that are frequent save no registers for it. */
static __attribute__((noinline))
enum apic_effect write_timer(struct apic *a, uint32_t offset, uint32_t value,
			     uint64_t now)
{
	settle(a, now);
	switch (offset) {
	case APIC_LVTT:
		write_lvt(a, APIC_LVTT, value);
		break;
	case APIC_TMICT:
		a->tmict = a->left = value;
		a->since = now;
		break;
	case APIC_TDCR:
		a->tdcr = value & 0xb;
		a->since = now;
		break;
	}
	return a->left ? APIC_TIMER_SET : APIC_NOTHING;
}

/* ---- interrupts between processors -------------------------------------- */

/*
 * Those to itself arrive at once. What may not be combined (table 10-3) is not
 * sent, nor is NMI (VMI-1.11) or SMI. Where the SDM says that trigger mode and
 * level of what is not INIT do not count, they do not.
 */
static enum apic_effect send(struct apic *a, struct apic_message *m)
{
	uint32_t vector = a->icr & ICR_VECTOR;
	uint32_t mode = a->icr >> ICR_MODE_SHIFT & ICR_MODE_MASK;
	uint32_t shorthand = a->icr >> ICR_SHORTHAND_SHIFT;

	switch (mode) {
	case APIC_FIXED:
	case APIC_LOWEST:
		if (vector < FIRST_VECTOR) {
			a->errors |= ESR_SEND_ILLEGAL;
			return APIC_NOTHING;
		}
		if (shorthand != APIC_SELF)
			break;
		if (software_enabled(a))
			deliver(a, vector, false);
		return APIC_NOTHING;
	case APIC_INIT:
	case APIC_STARTUP:
		if (shorthand == APIC_SELF || shorthand == APIC_ALL)
			return APIC_NOTHING;
		break;
	default:
		return APIC_NOTHING;
	}
	*m = (struct apic_message){
		.vector = vector,
		.mode = mode,
		.shorthand = shorthand,
		.dest = a->icr_high >> 24,
		.logical = a->icr & ICR_LOGICAL,
		.deassert = mode == APIC_INIT &&
			    (a->icr & (ICR_LEVEL | ICR_ASSERT)) == ICR_LEVEL,
	};
	return APIC_SENT;
}

/* 10.6.2 */
static bool named(const struct apic *a, const struct apic_message *m)
{
	uint8_t logical = a->ldr >> 24;

	if (m->dest == 0xff)
		return true;
	if (!m->logical)
		return m->dest == a->id >> 24;
	if (a->dfr != DFR_CLUSTER)
		return m->dest & logical;
	return m->dest >> 4 == logical >> 4 && (m->dest & logical & 0xf);
}

/* One that software has turned off still takes INIT and STARTUP, 10.4.7.2. */
bool apic_accepts(const struct apic *a, const struct apic *sender,
		  const struct apic_message *m)
{
	if (!a->enabled || ((m->mode == APIC_FIXED || m->mode == APIC_LOWEST) &&
			    !(a->svr & SVR_ENABLE)))
		return false;
	switch (m->shorthand) {
	case APIC_NO_SHORTHAND:
		return named(a, m);
	case APIC_SELF:
		return a == sender;
	case APIC_OTHERS:
		return a != sender;
	}
	return true;
}

int apic_arbitrate(struct apic *const apics[], uint32_t n,
		   const struct apic *sender, const struct apic_message *m)
{
	uint32_t i, priority, lowest = UINT32_MAX;
	int found = -1;

	for (i = 0; i < n; i++) {
		if (!apic_accepts(apics[i], sender, m))
			continue;
		priority = ppr(apics[i]);
		if (priority < lowest) {
			lowest = priority;
			found = i;
		}
	}
	return found;
}

void apic_deliver(struct apic *a, const struct apic_message *m)
{
	if (m->vector < FIRST_VECTOR)
		a->errors |= ESR_RECEIVE_ILLEGAL;
	else
		deliver(a, m->vector, m->level);
}

/* ---- registers ---------------------------------------------------------- */

uint32_t apic_read(const struct apic *a, uint32_t offset, uint64_t now)
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
	case APIC_TMCCT:
		return count(a, now);
	case APIC_TDCR:
		return a->tdcr;
	}
	if (offset & 0xf)
		return 0;
	if (offset >= APIC_ISR && offset < APIC_TMR)
		return a->isr[(offset - APIC_ISR) >> 4];
	if (offset >= APIC_TMR && offset < APIC_IRR)
		return a->tmr[(offset - APIC_TMR) >> 4];
	if (offset >= APIC_IRR && offset < APIC_ESR)
		return a->irr[(offset - APIC_IRR) >> 4];
	if (offset >= APIC_LVTT && offset <= APIC_LVT_ERROR)
		return a->lvt[(offset - APIC_LVTT) >> 4];
	return 0;
}

enum apic_effect apic_write(struct apic *a, uint32_t offset, uint32_t value,
			    uint64_t now, struct apic_message *m)
{
	if (!a->enabled)
		return APIC_NOTHING;
	switch (offset) {
	case APIC_ID:
		a->id = value & 0xff000000;
		break;
	case APIC_TPR:
		a->tpr = value & 0xff;
		choose(a);
		break;
	case APIC_EOI:
		return end_of_interrupt(a, m);
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
		return send(a, m);
	case APIC_ICR_HIGH:
		a->icr_high = value & 0xff000000;
		break;
	case APIC_LVT_THERMAL:
	case APIC_LVT_PERF:
	case APIC_LVT0:
	case APIC_LVT1:
	case APIC_LVT_ERROR:
		write_lvt(a, offset, value);
		break;
	case APIC_LVTT:
	case APIC_TMICT:
	case APIC_TDCR:
		return write_timer(a, offset, value, now);
	default:
		a->errors |= ESR_ILLEGAL_REGISTER;
	}
	return APIC_NOTHING;
}

/* ---- reset -------------------------------------------------------------- */

/* 10.4.7.3 */
void apic_reset(struct apic *a)
{
	int i;

	*a = (struct apic){
		.id = a->id,
		.dfr = UINT32_MAX,
		.svr = 0xff,
		.least = a->least,
		.number = a->number,
		.enabled = a->enabled,
		.next = -1,
	};
	for (i = 0; i < APIC_LVTS; i++)
		a->lvt[i] = LVT_MASKED;
}

/* 10.4.7.1 */
static void power_up(struct apic *a, bool enabled)
{
	apic_reset(a);
	a->id = (uint32_t)a->number << 24;
	a->enabled = enabled;
}

/* The virtual wire mode of the MultiProcessor Specification, 3.6.2.2. */
void apic_init(struct apic *a, uint8_t number, uint64_t tsc_hz)
{
	*a = (struct apic){ .number = number, .least = tsc_hz / APIC_HZ_MAX };
	power_up(a, true);
	if (number)
		return;
	a->svr |= SVR_ENABLE;
	*lvt_of(a, APIC_LVT0) = LVT_EXTINT;
	*lvt_of(a, APIC_LVT1) = LVT_NMI;
}

void apic_enable(struct apic *a, bool on)
{
	if (a->enabled != on)
		power_up(a, on);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The local APIC of the guest's processor (SDM Vol. 3, chapter 10), as far as
 * a kernel with one processor uses it: priorities, in service, EOI, interrupts
 * to itself, the 8259 through LINT0. It has no timer of its own: LVTT names
 * the vector of VMI alarms (VMI-3.7.8), and TMICT does not count.
 *
 * A pure state machine: the caller decides when to call, every value may
 * come from a hostile guest, and nothing outside the structure changes.
 */
#ifndef APIC_H
#define APIC_H

#include <stdbool.h>
#include <stdint.h>

#define APIC_BASE	0xfee00000u	/* guest-physical, one page */
#define APIC_FRAME	(APIC_BASE >> 12)

/* Register offsets. */
#define APIC_ID		0x020
#define APIC_VERSION	0x030
#define APIC_TPR	0x080
#define APIC_APR	0x090
#define APIC_PPR	0x0a0
#define APIC_EOI	0x0b0
#define APIC_LDR	0x0d0
#define APIC_DFR	0x0e0
#define APIC_SVR	0x0f0
#define APIC_ISR	0x100		/* eight each, 10h apart */
#define APIC_TMR	0x180
#define APIC_IRR	0x200
#define APIC_ESR	0x280
#define APIC_ICR	0x300
#define APIC_ICR_HIGH	0x310
#define APIC_LVTT	0x320
#define APIC_LVT_THERMAL 0x330
#define APIC_LVT_PERF	0x340
#define APIC_LVT0	0x350
#define APIC_LVT1	0x360
#define APIC_LVT_ERROR	0x370
#define APIC_TMICT	0x380
#define APIC_TMCCT	0x390
#define APIC_TDCR	0x3e0

#define APIC_LVTS	6

struct apic {
	uint32_t	id, tpr, ldr, dfr, svr;
	uint32_t	icr, icr_high;
	uint32_t	lvt[APIC_LVTS];	/* from APIC_LVTT on */
	uint32_t	tmict, tdcr;
	uint32_t	esr, errors;	/* as read; since it was written */
	uint32_t	irr[8], isr[8];
	bool		enabled;	/* IA32_APIC_BASE */
	bool		alarm;		/* came while LVTT was masked */
	int16_t		next;		/* vector to deliver, or -1 */
};

/* As firmware leaves it: on, the 8259 connected through LINT0. */
void apic_init(struct apic *);

/* By register offset; what does not exist reads 0 and ignores writes. */
uint32_t apic_read(const struct apic *, uint32_t offset);
void apic_write(struct apic *, uint32_t offset, uint32_t value);

/* The enable bit of IA32_APIC_BASE; turning it off resets the rest. */
void apic_enable(struct apic *, bool);

/* An alarm that is wired to LVTT. Masked, it waits for the mask to go. */
void apic_alarm(struct apic *);
void apic_alarm_cancel(struct apic *);	/* one that waits */

/* Does the 8259's request reach the processor? */
bool apic_extint(const struct apic *);

/* A vector waits for the processor and its priority allows it. */
static inline bool apic_pending(const struct apic *a)
{
	return a->next >= 0;
}

/* The processor takes it. Only if it is pending. */
int apic_ack(struct apic *);

#endif

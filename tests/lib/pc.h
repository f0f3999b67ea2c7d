/* SPDX-License-Identifier: GPL-2.0-only */
/* The devices of a PC that tests use, by their ports. */
#ifndef PC_H
#define PC_H

#include <stdint.h>

#define COM1		0x3f8
#define VEC_IRQ0	0x20		/* where pic_init() puts it */

static inline void outb(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t inb(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

void pic_init(void);			/* IRQ 0 alone is let through */
void pit_one_shot(void);		/* in about a millisecond */
void pit_periodic(void);		/* each millisecond */
void pit_wait(void);			/* until its request is pending */
void __attribute__((noreturn)) pc_reset(void);	/* needs nothing of VMI */

#endif

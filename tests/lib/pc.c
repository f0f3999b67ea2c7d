// SPDX-License-Identifier: GPL-2.0-only
/* The 8259s, the PIT as a source of interrupts, and the reset line. */
#include "pc.h"

#define KEYBOARD	0x64
#define KEYBOARD_RESET	0xfe
#define PIC_IRR		0x0a		/* OCW3: read requests */

void pic_init(void)
{
	outb(0x20, 0x11);
	outb(0x21, VEC_IRQ0);
	outb(0x21, 4);
	outb(0x21, 1);
	outb(0xa0, 0x11);
	outb(0xa1, VEC_IRQ0 + 8);
	outb(0xa1, 2);
	outb(0xa1, 1);
	outb(0x21, 0xfe);		/* IRQ 0 alone */
	outb(0xa1, 0xff);
	outb(0x20, PIC_IRR);
}

/* One tick of the PIT (mode 0), about a millisecond from now. */
void pit_one_shot(void)
{
	outb(0x43, 0x30);
	outb(0x40, 0xa9);
	outb(0x40, 0x04);
}

/* One that came too soon is followed by another. */
void pit_periodic(void)
{
	outb(0x43, 0x34);
	outb(0x40, 0xa9);
	outb(0x40, 0x04);
}

/* Until the 8259 has the request; it is not in service meanwhile. */
void pit_wait(void)
{
	pit_one_shot();
	while (!(inb(0x20) & 1))
		;
}

void pc_reset(void)
{
	outb(KEYBOARD, KEYBOARD_RESET);
	for (;;)
		__asm__ volatile("cli\n\thlt");
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files here offer to each other; to all: host.h. */
#ifndef METAL_H
#define METAL_H

#include <stdint.h>

/* In the order in which main.c calls them. */
void serial_init(void);		/* so that there are words of ours */
void map_init(void);
void mce_init(void);
void memory_add(uint64_t start, uint64_t bytes);	/* physical, RAM */
void clock_init(void);		/* and interrupt controllers */
void idt_init(void);
void nmi_entry(void);		/* for its gate */

/* Our own words on the serial port. */
void serial_log(uint8_t byte);

#endif

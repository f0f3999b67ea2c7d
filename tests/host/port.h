/* SPDX-License-Identifier: GPL-2.0-only */
/* Ports, for tests of what is in metal/: from the test. */
#ifndef PORT_H
#define PORT_H

#include <stdint.h>

void outb(uint16_t port, uint8_t v);
uint8_t inb(uint16_t port);
void outw(uint16_t port, uint16_t v);
uint16_t inw(uint16_t port);
void outl(uint16_t port, uint32_t v);
uint32_t inl(uint16_t port);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* What only metal/ does: ports, interrupts, the processor's own tables. Unit
 * tests put their own file of this name in front. */
#ifndef PORT_H
#define PORT_H

#include <stdint.h>

#include <cpu.h>

static inline void outb(uint16_t port, uint8_t v)
{
	asm volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

static inline uint8_t inb(uint16_t port)
{
	uint8_t v;

	asm volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline void lidt(const struct dtr *d)
{
	asm volatile("lidt %0" : : "m"(*d));
}

/* The code segment; SS becomes null, as it is after an exit from the guest. */
static inline void load_cs(uint16_t sel)
{
	asm volatile("pushq %0; leaq 1f(%%rip), %%rax; pushq %%rax; lretq;"
		     "1: xorl %%eax, %%eax; movl %%eax, %%ss"
		     : : "r"((uint64_t)sel) : "rax", "memory");
}

static inline void ltr(uint16_t sel)
{
	asm volatile("ltr %0" : : "r"(sel));
}

/* Wait for an interrupt. sti takes effect after the next instruction, so
 * none can slip in between (SDM Vol. 2, STI). */
static inline void wait_for_interrupt(void)
{
	asm volatile("sti; hlt; cli" : : : "memory");
}

#endif

// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest cannot turn the machine's interrupts off: no CPU lets ring 1 or 3.
 * But QEMU's TCG lets both enter virtual-8086 mode by IRETD, with IF as they
 * like (exit.c, hv_vm86), and so keep the processor for ever. There each
 * processor has an NMI, some times in a second: by the PIT, which is on pin 2 of
 * the I/O APIC. The NMI does nothing but look for that mode (x86/entry.asm).
 */
#include <host.h>
#include <port.h>
#include <string.h>

#include "devices.h"
#include "metal.h"

/* Intel 82093AA data sheet, 3.0 */
#define REDIRECTION(n)	(0x10u + 2 * (n))
#define PIT_PIN		2u
#define DELIVER_NMI	(4u << 8 | 1u << 11)	/* edge, logical, not masked */
#define TICK		(PIT_HZ / 20)

static void redirect(uint32_t index, uint32_t value)
{
	volatile uint32_t *ioapic = host_va(IOAPIC);

	ioapic[0] = index;
	ioapic[IOAPIC_DATA / 4] = value;
}

bool host_is_tcg(void)
{
	uint32_t r[4];

	cpuid(0x40000000, 0, r);
	return !memcmp(&r[1], "TCGTCGTCGTCG", 12);
}

void host_watchdog_start(void)
{
	if (!host_is_tcg())
		return;
	redirect(REDIRECTION(PIT_PIN) + 1, LOGICAL_ALL << 24);
	redirect(REDIRECTION(PIT_PIN), DELIVER_NMI);
	outb(PIT_MODE, 0x34);		/* channel 0, both bytes, mode 2 */
	outb(PIT_CH0, TICK & 0xff);
	outb(PIT_CH0, TICK >> 8);
}

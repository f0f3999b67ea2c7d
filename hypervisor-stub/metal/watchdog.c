// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest cannot turn the machine's interrupts off: no CPU lets ring 1 or 3.
 * But QEMU's TCG lets both enter virtual-8086 mode by IRETD, with IF as they
 * like (exit.c, hv_vm86), and so keep the processor for ever. There each tick
 * of the clock comes as an NMI too: through the I/O APIC, which has the PIT on
 * pin 2 beside the 8259. The NMI does nothing but look for that mode
 * (x86/entry.asm). A guest that runs has a tick, whether anybody needs one or not.
 */
#include <host.h>
#include <string.h>

#define IOAPIC		0xfec00000u	/* Intel 82093AA data sheet, 3.0 */
#define IOAPIC_DATA	0x10u		/* behind the index register */
#define REDIRECTION(n)	(0x10u + 2 * (n))
#define PIT_PIN		2u
#define DELIVER_NMI	(4u << 8)	/* edge, physical, not masked */
#define TICKS_PER_SECOND 20

static bool on;

static void ioapic_write(uint32_t index, uint32_t value)
{
	volatile uint32_t *ioapic = host_va(IOAPIC);

	ioapic[0] = index;
	ioapic[IOAPIC_DATA / 4] = value;
}

void host_watchdog_start(void)
{
	uint32_t r[4];

	cpuid(0x40000000, 0, r);
	if (memcmp(&r[1], "TCGTCGTCGTCG", 12))
		return;
	cpuid(1, 0, r);
	ioapic_write(REDIRECTION(PIT_PIN) + 1, r[1] & 0xff000000);
	ioapic_write(REDIRECTION(PIT_PIN), DELIVER_NMI);
	on = true;
}

uint64_t host_watchdog_next(uint64_t now)
{
	return on ? now + host_tsc_hz / TICKS_PER_SECOND : UINT64_MAX;
}

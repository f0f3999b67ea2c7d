// SPDX-License-Identifier: GPL-2.0-only
/*
 * The devices of a guest, and where they are. All of them are one byte wide;
 * wider accesses are to nobody.
 */
#include <host.h>

#include "core.h"
#include "log.h"
#include "solo5.h"

#define KBD_COMMAND	0x64
#define KBD_RESET	0xfe	/* pulse the reset line */
#define PORT_A		0x92	/* bit 0: reset */
#define RESET_CONTROL	0xcf9	/* bit 2: reset */

#define COM1_IRQ	4

/* ---- the console -------------------------------------------------------- */

/* Whose input comes from the machine's serial port. */
static struct guest *serial_guest;

/* It is ready: com1_write() has seen to that. */
static void console_tx(void *opaque, uint8_t byte)
{
	const struct guest *g = opaque;

	if (g->made)
		made_put(g->made, byte);
	else
		host_console_put(g->console, byte);
}

static bool has_input(const struct guest *g)
{
	return g->made ? made_has(g->made) :
	       g == serial_guest && host_console_has_data();
}

/* The guest looks for what was typed: as far as there is room; the rest waits
 * in the machine's FIFO. */
static void console_take(struct guest *g)
{
	while (uart_can_receive(&g->uart) && has_input(g))
		uart_receive(&g->uart, g->made ? made_get(g->made) :
						 host_console_get());
}

static void console_poll(struct guest *g)
{
	ipi_set_irq(g, COM1_IRQ, uart_irq(&g->uart) ||
		    (uart_waits(&g->uart) && has_input(g)));
}

void io_console_interrupt(void)
{
	struct guest *g = serial_guest;

	if (!g)
		return;
	spin_lock(&g->lock);
	if (g == serial_guest) {
		console_poll(g);
		sched_charge(&g->vcpu[0]);
		sched_notify(&g->vcpu[0]);	/* if it runs elsewhere */
	}
	spin_unlock(&g->lock);
}

void io_typed(struct guest *g)
{
	console_poll(g);
	sched_notify(&g->vcpu[0]);
}

void io_end(struct guest *g)
{
	if (g != serial_guest)
		return;
	serial_guest = NULL;
	host_console_listen(false);
}

static enum bus_result com1_read(void *opaque, uint64_t port, uint32_t *val)
{
	struct guest *g = opaque;

	if (uart_looks(&g->uart, port - COM1))
		console_take(g);
	*val = uart_in(&g->uart, port - COM1);
	console_poll(g);
	return BUS_DONE;
}

/* Whoever reads at the other end may take his time: that is the guest's,
 * not its neighbours'. */
static enum bus_result com1_write(void *opaque, uint64_t port, uint32_t val)
{
	struct guest *g = opaque;

	if (!g->made && uart_transmits(&g->uart, port - COM1) &&
	    !host_console_ready(g->console))
		return BUS_AGAIN;
	uart_out(&g->uart, port - COM1, val);
	console_poll(g);
	return BUS_DONE;
}

/* ---- the others --------------------------------------------------------- */

static enum bus_result pic_read(void *opaque, uint64_t port, uint32_t *val)
{
	struct guest *g = opaque;

	*val = pic_in(&g->pic, port);
	return BUS_DONE;
}

static enum bus_result pic_write(void *opaque, uint64_t port, uint32_t val)
{
	struct guest *g = opaque;

	pic_out(&g->pic, port, val);
	ipi_pic_changed(g);
	return BUS_DONE;
}

static enum bus_result pit_read(void *opaque, uint64_t port, uint32_t *val)
{
	struct guest *g = opaque;

	*val = pit_in(&g->pit, port, rdtsc());
	return BUS_DONE;
}

static enum bus_result pit_write(void *opaque, uint64_t port, uint32_t val)
{
	struct guest *g = opaque;

	pit_out(&g->pit, port, val, rdtsc());
	timer_pit_changed(g);
	return BUS_DONE;
}

static enum bus_result rtc_read(void *opaque, uint64_t port, uint32_t *val)
{
	const struct guest *g = opaque;

	*val = rtc_in(&g->rtc, port, host_wallclock_ns() / 1000000000);
	return BUS_DONE;
}

static enum bus_result rtc_write(void *opaque, uint64_t port, uint32_t val)
{
	struct guest *g = opaque;

	rtc_out(&g->rtc, port, val);
	return BUS_DONE;
}

static enum bus_result reset_read(void *opaque, uint64_t port, uint32_t *val)
{
	(void)opaque, (void)port, (void)val;
	return BUS_NOBODY;
}

static enum bus_result reset_write(void *opaque, uint64_t port, uint32_t val)
{
	if (port == KBD_COMMAND ? (val & 0xff) != KBD_RESET :
	    !(val & (port == PORT_A ? 1 : 4)))
		return BUS_NOBODY;
	(void)opaque;
	vcpu_end(current, END_ORDERLY);
	return BUS_DONE;
}

static enum bus_result lapic_read(void *opaque, uint64_t at, uint32_t *val)
{
	(void)opaque;
	*val = apic_read(current->apic, at - APIC_BASE, rdtsc());
	return BUS_DONE;
}

static enum bus_result lapic_write(void *opaque, uint64_t at, uint32_t val)
{
	(void)opaque;
	ipi_apic_write(current, at - APIC_BASE, val);
	return BUS_DONE;
}

static enum bus_result ioapic_load(void *opaque, uint64_t at, uint32_t *val)
{
	const struct guest *g = opaque;

	*val = ioapic_read(&g->ioapic, at - IOAPIC_BASE);
	return BUS_DONE;
}

static enum bus_result ioapic_store(void *opaque, uint64_t at, uint32_t val)
{
	ipi_ioapic_write(opaque, at - IOAPIC_BASE, val);
	return BUS_DONE;
}

/* What a PC with several processors has besides, and tells of. */
#define MPTABLE_GPA	0xf0000
static void several_processors(struct guest *g)
{
	const struct bus_region ioapic = {
		IOAPIC_BASE, PAGE_SIZE, 4, ioapic_load, ioapic_store, g
	};
	uint8_t table[MPTABLE_SIZE(GUEST_VCPUS)];
	uint32_t r[4];

	ioapic_init(&g->ioapic, g->vcpus);
	g->mm.device[1] = IOAPIC_FRAME;
	hv_assert(bus_add(&g->bus.memory, &ioapic));
	vcpu_cpuid(false, 0, 1, 0, r);
	mptable_write(table, MPTABLE_GPA, g->vcpus, r[EAX], r[3]);
	gmem_boot_copy(&g->mm.gmem, MPTABLE_GPA, table, MPTABLE_SIZE(g->vcpus));
}

/* ---- where they are ----------------------------------------------------- */

static void ports(struct guest *g, struct bus_region r)
{
	r.opaque = g;
	hv_assert(bus_add(&g->bus.ports, &r));
}

void io_init(struct guest *g)
{
	const struct bus_region lapic = {
		APIC_BASE, PAGE_SIZE, 4, lapic_read, lapic_write, g
	};
	uint32_t i;

	for (i = 0; i < g->vcpus; i++)
		apic_init(&g->apic[i], i, host_tsc_hz);
	pic_init(&g->pic);
	pit_init(&g->pit, host_tsc_hz);
	/* What a PC's CMOS tells is below 4 GB. */
	rtc_init(&g->rtc, g->mm.gmem.bytes < GMEM_LOW_END ? g->mm.gmem.bytes :
							GMEM_LOW_END);
	uart_init(&g->uart, console_tx, g);
	if (g->unikernel) {
		solo5_ports(g);
		return;
	}
	if (!g->console && !g->made && !serial_guest) {
		serial_guest = g;
		host_console_listen(true);
	}

#define PORTS(first, count, sizes, device)				\
	ports(g, (struct bus_region){ first, count, sizes,		\
				      device##_read, device##_write, NULL })
	PORTS(PIC_MASTER_CMD, 2, 1, pic);
	PORTS(PIC_SLAVE_CMD, 2, 1, pic);
	PORTS(PIC_MASTER_ELCR, 2, 1, pic);
	PORTS(PIT_CH0, 4, 1, pit);
	PORTS(PIT_PORT61, 1, 1, pit);
	PORTS(RTC_INDEX, 2, 1, rtc);
	PORTS(COM1, COM1_PORTS, 1, com1);
	PORTS(KBD_COMMAND, 1, 1 | 2 | 4, reset);
	PORTS(PORT_A, 1, 1 | 2 | 4, reset);
	PORTS(RESET_CONTROL, 1, 1 | 2 | 4, reset);
#undef PORTS
	g->mm.device[0] = APIC_FRAME;
	hv_assert(bus_add(&g->bus.memory, &lapic));
	if (g->vcpus > 1)
		several_processors(g);
}

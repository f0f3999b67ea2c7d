// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts of a guest, from where they arise to the vCPU that takes them: its
 * devices' by 8259 and I/O APIC, and what one vCPU sends another by its local
 * APIC, INIT and STARTUP included (VMI-3.8). All with the guest's lock.
 */
#include <cpu.h>

#include "core.h"

static struct vcpu *of(struct guest *g, const struct apic *a)
{
	return &g->vcpu[a - g->apic];
}

/* INIT. On a PC the first processor begins with the BIOS then. */
static void init(struct vcpu *v, struct vcpu *from)
{
	if (!v->nr) {
		vcpu_reboot(from, "INIT of its first processor");
		return;
	}
	apic_reset(v->apic);
	sched_off(v);
}

static void arrive(struct vcpu *v, struct vcpu *from,
		   const struct apic_message *m)
{
	switch (m->mode) {
	case APIC_FIXED:
	case APIC_LOWEST:
		apic_deliver(v->apic, m);
		sched_notify(v);
		break;
	case APIC_INIT:
		if (!m->deassert)
			init(v, from);
		break;
	case APIC_STARTUP:
		sched_startup(v);
		break;
	}
}

/* from: NULL is the I/O APIC, which sends interrupts alone. */
static void send(struct guest *g, struct vcpu *from,
		 const struct apic_message *m)
{
	const struct apic *sender = from ? from->apic : NULL;
	struct apic *apics[GUEST_VCPUS];
	uint32_t i;
	int lowest;

	for (i = 0; i < g->vcpus; i++)
		apics[i] = &g->apic[i];
	if (m->mode == APIC_LOWEST) {
		lowest = apic_arbitrate(apics, g->vcpus, sender, m);
		if (lowest >= 0)
			arrive(of(g, apics[lowest]), from, m);
		return;
	}
	for (i = 0; i < g->vcpus; i++)
		if (apic_accepts(apics[i], sender, m))
			arrive(of(g, apics[i]), from, m);
}

static void ioapic_sends(struct guest *g)
{
	struct apic_message m;

	while (ioapic_message(&g->ioapic, &m))
		send(g, NULL, &m);
}

void ipi_ioapic_write(struct guest *g, uint32_t offset, uint32_t value)
{
	ioapic_write(&g->ioapic, offset, value);
	ioapic_sends(g);
}

/* The 8259s' output is vCPU 0's. */
void ipi_pic_changed(struct guest *g)
{
	if (g->vcpus > 1 && event_pending(&g->vcpu[0]))
		sched_notify(&g->vcpu[0]);
}

void ipi_set_irq(struct guest *g, unsigned int irq, bool level)
{
	pic_set_irq(&g->pic, irq, level);
	if (g->vcpus == 1)
		return;
	ioapic_set_irq(&g->ioapic, irq, level);
	ioapic_sends(g);
	ipi_pic_changed(g);
}

void ipi_upcall(struct guest *g, uint8_t vector)
{
	const struct apic_message m = {
		.vector = vector, .mode = APIC_FIXED, .shorthand = APIC_ALL,
	};

	if (apic_accepts(g->vcpu[0].apic, NULL, &m))
		arrive(&g->vcpu[0], NULL, &m);
}

void ipi_apic_write(struct vcpu *v, uint32_t offset, uint32_t value)
{
	struct apic_message m;

	switch (apic_write(v->apic, offset, value, rdtsc(), &m)) {
	case APIC_SENT:
		send(v->g, v, &m);
		break;
	case APIC_EOI_SENT:
		if (v->g->vcpus == 1)
			break;
		ioapic_eoi(&v->g->ioapic, m.vector);
		ioapic_sends(v->g);
		break;
	case APIC_TIMER_SET:
		sched_clocks_changed(v);
		break;
	case APIC_NOTHING:
		break;
	}
}

bool ipi_initial_state(struct vcpu *v, uint32_t apic_id, gva_t block)
{
	union vcpu_initial state;
	uint32_t bytes = v->wide ? sizeof(state.wide) : sizeof(state.legacy);
	struct vcpu *s;

	if (!guest_read(&v->mmu, &state, block, bytes))
		return false;
	for (s = v->sibling; s != v; s = s->sibling) {
		if (s->apic->id >> 24 != apic_id)
			continue;
		s->initial = state;
		s->initial_set = true;
	}
	return true;
}

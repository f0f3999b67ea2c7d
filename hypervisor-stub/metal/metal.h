/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files here offer to each other; to all: host.h. */
#ifndef METAL_H
#define METAL_H

#include <host.h>

/* In the order in which main.c calls them. */
void serial_init(void);		/* so that there are words of ours */
void map_init(void);
void memory_add(uint64_t start, uint64_t bytes);	/* physical, RAM */
void processor_init(void);	/* the first */
void clock_init(void);		/* and the 8259s */
void processors_start(void);	/* the others */
void nmi_entry(void);		/* for its gate */

void virtio_init(void);		/* disks and networks */
/* By host_irq_ack(); of one that is not theirs nothing. */
void virtio_ack(int irq);
#define PIC_EOI		0x20

/* Our own words on the serial port. */
void serial_log(uint8_t byte);

/* ---- one processor (smp.c calls them) ------------------------------------ */

void mce_init(void);		/* on each */
void idt_init(void);		/* once */
void host_idt_load(void);		/* on each */
bool tss_init(uint32_t cpu);	/* and its stacks; false: no memory */

/* A page below 1 MB is mapped and executed at its physical address, too, or no
 * more: nothing is there while guests are made. */
void map_low(uint32_t pa, bool is);

/* ---- the interrupt controllers of processors (lapic.c) ------------------- */

#define LAPIC		0xfee00000u	/* physical */
#define IOAPIC		0xfec00000u

#define CPUID1_X2APIC	(1u << 21)
#define CPUID1_DEADLINE	(1u << 24)
void lapic_init(uint32_t leaf1_ecx);	/* on the first */
void lapic_measured(void);		/* there: since then the TSC was measured */
void lapic_start(void);			/* on each other */
#define LOGICAL_ALL	1u		/* logical ID of each that is started */
uint32_t lapic_id(void);
bool lapic_reaches(uint32_t id);
/* Interrupt command register (SDM Vol. 3, 11.6.1), its lower half: */
void lapic_send(uint32_t id, uint32_t command);
#define ICR_NMI		0x00004400u
#define ICR_INIT	0x00004500u
#define ICR_STARTUP	0x00004600u	/* + page */
#define ICR_FIXED	0x00004000u	/* + vector */
#define ICR_OTHERS	0x000c0000u	/* to all but this one, used or not */

/* ---- what the firmware says of processors --------------------------------- */

/* Local APIC IDs of those that may be used, each once; how many. 0: there are no
 * such tables, or they are damaged. */
uint32_t acpi_processors(uint32_t id[HOST_CPUS]);	/* acpi.c */
uint32_t mp_processors(uint32_t id[HOST_CPUS]);		/* mptable.c */

/* Where the boot loader has the RSDP, or a copy, if it says so; physical. */
extern uint64_t acpi_rsdp;

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between the parts of the VMI client: vmi.c (calls), vmi_time.c (timer and
 * clocks), vmi_smp.c (several processors) and vmi_sysfs.c (/sys/hypervisor).
 */
#ifndef VMI_CLIENT_H
#define VMI_CLIENT_H

#include <linux/init.h>
#include <linux/percpu.h>
#include <asm/vmi.h>

/* The ROM that the kernel runs on; NULL on bare hardware. */
extern const struct vmi_rom_header *vmi_rom;

/* A string of the ROM, of which the header holds the offset. */
static inline const char *vmi_rom_string(u16 offset)
{
	return offset ? (const char *)vmi_rom + offset : "unknown";
}

/* NULL if there is no such structure. */
static inline const void *vmi_rom_struct(u16 offset)
{
	return offset ? (const char *)vmi_rom + offset : NULL;
}

static inline unsigned int vmi_ring(void)
{
	unsigned int cs;

	asm("mov %%cs, %0" : "=r" (cs));
	return cs & 3;
}

#ifdef CONFIG_VMI
void __init vmi_init(void);
void __init vmi_time_init(void);

/*
 * The function behind a call; NULL if the ROM leaves the native instruction
 * in place, paravirt_nop if there is nothing to do.
 */
void * __init vmi_function(enum vmi_call nr);
#else
static inline void vmi_init(void) { }
#endif

#ifdef CONFIG_SMP
void __init vmi_smp_init(void);
#else
static inline void vmi_smp_init(void) { }
#endif

#ifdef CONFIG_X86_LOCAL_APIC
/* Of apic.c: what the interrupt of the local timer calls. */
DECLARE_PER_CPU(struct clock_event_device, lapic_events);
#endif

#endif

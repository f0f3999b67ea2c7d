/* SPDX-License-Identifier: GPL-2.0-only */
/* The VMI: the scan for a ROM, its entries, and calls of them. */
#ifndef CALLS_H
#define CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmi.h"

/* ---- rom.c ----------------------------------------------------------------- */

extern uint8_t *rom;			/* as the scan found it */

bool vmi_find(void);
int vmi_init(void);
uint32_t vmi_relocation(uint32_t call, uint8_t *type);
void vmi_fetch_entries(void);

/* ---- calls.c --------------------------------------------------------------- */

extern uint32_t vmi_entry[VMI_CALL_COUNT];
extern uint8_t vmi_type[VMI_CALL_COUNT];

/* Any call by number, with registers as VMI-3.1 has them. */
static inline uint32_t vmi4(int call, uint32_t eax, uint32_t edx,
			    uint32_t ecx, uint32_t stack)
{
	__asm__ volatile("pushl %4\n\tcall *%3\n\taddl $4, %%esp"
			 : "+a"(eax), "+d"(edx), "+c"(ecx)
			 : "r"(vmi_entry[call]), "r"(stack)
			 : "memory", "cc");
	return eax;
}
#define vmi0(name)		vmi4(VMI_CALL_##name, 0, 0, 0, 0)
#define vmi1(name, a)		vmi4(VMI_CALL_##name, a, 0, 0, 0)
#define vmi2(name, a, d)	vmi4(VMI_CALL_##name, a, d, 0, 0)
#define vmi3(name, a, d, c)	vmi4(VMI_CALL_##name, a, d, c, 0)

/* Hypercall (VMI-3.2.75): a number of vmi_hypercall.h and its arguments. */
static inline int32_t ask_hypervisor(uint32_t nr, uint32_t a0, uint32_t a1,
				     uint32_t a2, uint32_t a3)
{
	uint32_t eax = nr;

	__asm__ volatile("pushl %4\n\tpushl %3\n\tcall *%5\n\taddl $8, %%esp"
			 : "+a"(eax), "+d"(a0), "+c"(a1)
			 : "r"(a2), "r"(a3),
			   "r"(vmi_entry[VMI_CALL_Hypercall])
			 : "memory", "cc");
	return (int32_t)eax;
}

/* One that answers in EDX:EAX. */
uint64_t vmi64(int call, uint32_t eax);
uint64_t cycles_per_second(void);
uint64_t vmi_cycles(void);		/* of real time */
void set_alarm(uint32_t flags, uint64_t expiry, uint64_t period);
void vmi_cpuid(uint32_t leaf, uint32_t regs[4]);

#endif

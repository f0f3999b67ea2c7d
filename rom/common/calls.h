/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The calls that a backend may have in C: those of class A (VMI-3.1.6). The
 * others keep registers that a compiler does not. Compiled with -mregparm=3,
 * arguments and results are where VMI-3.1 has them. Only slots refer to these
 * functions; a backend has those to which its answers.inc says CALL and which
 * its hot.asm leaves out.
 */
#ifndef ROM_CALLS_H
#define ROM_CALLS_H

#include "vmi.h"

/* What LGDT and LIDT take. */
struct table_pointer {
	uint16_t	limit;
	uint32_t	base;
} __attribute__((packed));

/* The fixed entry (VMI-2.4), which every backend has. */
int rom_Init(void);

void rom_SetGDT(const struct table_pointer *table);
void rom_SetLDT(uint32_t selector);
void rom_SetIDT(const struct table_pointer *table);
void rom_SetTR(uint32_t selector);
void rom_GetGDT(struct table_pointer *table);
uint32_t rom_GetLDT(void);
void rom_GetIDT(struct table_pointer *table);
uint32_t rom_GetTR(void);
void rom_WriteGDTEntry(uint32_t *table, uint32_t index, uint32_t low,
		       uint32_t high);
void rom_WriteLDTEntry(uint32_t *table, uint32_t index, uint32_t low,
		       uint32_t high);
void rom_WriteIDTEntry(uint32_t *table, uint32_t index, uint32_t low,
		       uint32_t high);
void rom_UpdateKernelStack(uint32_t selector, uint32_t esp);

void rom_SetCR0(uint32_t value);
void rom_SetCR2(uint32_t value);
void rom_SetCR3(uint32_t value);
void rom_SetCR4(uint32_t value);
uint32_t rom_GetCR0(void);
uint32_t rom_GetCR2(void);
uint32_t rom_GetCR3(void);
uint32_t rom_GetCR4(void);
void rom_WBINVD(void);
void rom_SetDR(uint32_t number, uint32_t value);
uint32_t rom_GetDR(uint32_t number);
uint64_t rom_RDTSC(void);
void rom_CLTS(void);

void rom_Halt(void);
void rom_Reboot(uint32_t how);
void rom_Shutdown(void);
void rom_SetIOPLMask(uint32_t eflags);
void rom_SetInitialAPState(const struct vmi_ap_state *state, uint32_t apic_id);
void rom_APICWrite(uint32_t offset, uint32_t value);
uint32_t rom_APICRead(uint32_t offset);
void rom_IODelay(void);

void rom_SetPxE(uint32_t value, volatile uint32_t *entry, uint32_t flags);
void rom_SetPxELong(uint64_t value, volatile uint64_t *entry, uint32_t flags);
void rom_UpdatePxE(volatile uint32_t *entry, uint32_t flags);
void rom_UpdatePxELong(volatile uint64_t *entry, uint32_t flags);
uint32_t rom_MachineToPhysical(uint32_t frame);
uint32_t rom_PhysicalToMachine(uint32_t frame);
void rom_AllocatePage(uint32_t frame, uint32_t flags, uint32_t original,
		      uint32_t start, uint32_t count);
void rom_ReleasePage(uint32_t frame, uint32_t flags);
void rom_InvalPage(uint32_t va);
void rom_FlushTLB(uint32_t what);
void rom_FlushProcessors(uint32_t ids, uint32_t what, uint32_t first);
void rom_SetLinearMapping(uint32_t number, uint32_t va, uint32_t pages,
			  uint32_t frame);
void rom_SetLazyMode(uint32_t mode);

uint32_t rom_Hypercall(uint32_t number, uint32_t a0, uint32_t a1, uint32_t a2,
		       uint32_t a3);

uint64_t rom_GetCycleFrequency(void);
uint64_t rom_GetCycleCounter(uint32_t counter);
void rom_SetAlarm(uint32_t flags, uint64_t expiry, uint64_t period);
uint32_t rom_CancelAlarm(uint32_t flags);
uint64_t rom_GetWallclockTime(void);
uint32_t rom_WallclockUpdated(void);

#endif

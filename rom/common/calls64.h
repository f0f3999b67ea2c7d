/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * calls.h for 64-bit guests: the calls of class A (VMI64-3.1.4). Arguments and
 * results are where the System V ABI has them, which is what VMI64-3.1 says.
 * Compiled position independent: rom_Init() runs where the guest found the
 * image, the rest in the working copy.
 */
#ifndef ROM_CALLS64_H
#define ROM_CALLS64_H

#include "vmi64.h"

/* Symbols of the image and of what is linked with it: no table of addresses. */
#pragma GCC visibility push(hidden)

/* The fixed entry (VMI64-2.4), which every backend has. */
int rom_Init(void);

void rom_CPUID(uint32_t *eax, uint32_t *ebx, uint32_t *ecx, uint32_t *edx);
void rom_SetGDT(const struct vmi64_table_pointer *table);
void rom_SetLDT(uint32_t selector);
void rom_SetIDT(const struct vmi64_table_pointer *table);
void rom_SetTR(uint32_t selector);
void rom_GetGDT(struct vmi64_table_pointer *table);
uint32_t rom_GetLDT(void);
void rom_GetIDT(struct vmi64_table_pointer *table);
uint32_t rom_GetTR(void);
void rom_WriteGDTEntry(uint64_t *table, uint32_t index, const uint64_t *entry);
void rom_WriteLDTEntry(uint64_t *table, uint32_t index, const uint64_t *entry);
void rom_WriteIDTEntry(uint64_t *table, uint32_t index, const uint64_t *gate);
void rom_UpdateKernelStack(uint64_t rsp);

void rom_SetCR0(uint64_t value);
void rom_SetCR2(uint64_t value);
void rom_SetCR3(uint64_t value);
void rom_SetCR4(uint64_t value);
uint64_t rom_GetCR0(void);
uint64_t rom_GetCR3(void);
uint64_t rom_GetCR4(void);
void rom_WBINVD(void);
void rom_SetDR(uint32_t number, uint64_t value);
uint64_t rom_GetDR(uint32_t number);
uint64_t rom_RDTSC(void);
void rom_CLTS(void);

uint64_t rom_GetFSBase(void);
void rom_SetFSBase(uint64_t base);
uint64_t rom_GetGSBase(void);
void rom_SetGSBase(uint64_t base);
uint64_t rom_GetKernelGSBase(void);
void rom_SetKernelGSBase(uint64_t base);
void rom_SetSyscallEntry(uint64_t lstar, uint64_t cstar);
void rom_SetIRETSite(uint64_t rip);

void rom_Halt(void);
void rom_Reboot(uint32_t how);
void rom_Shutdown(void);
void rom_SetIOPLMask(uint64_t rflags);
void rom_SetInitialAPState(const struct vmi64_ap_state *state,
			   uint32_t apic_id);
void rom_APICWrite(uint32_t offset, uint32_t value);
uint32_t rom_APICRead(uint32_t offset);
void rom_IODelay(void);

void rom_SetPxELong(volatile uint64_t *entry, uint64_t value);
void rom_UpdatePxELong(volatile uint64_t *entry);
void rom_AllocatePage(uint64_t frame, uint32_t flags, uint64_t original,
		      uint32_t start, uint32_t count);
void rom_ReleasePage(uint64_t frame);
void rom_InvalPage(uint64_t va);
void rom_FlushTLB(uint32_t what);
void rom_SetLinearMapping(uint32_t number, uint64_t va, uint64_t pages,
			  uint64_t frame);
void rom_SetLazyMode(uint32_t mode);
void rom_FlushProcessors(uint32_t ids, uint64_t what, uint32_t first);
uint64_t rom_Hypercall(uint32_t number, uint64_t a0, uint64_t a1, uint64_t a2,
		       uint64_t a3);

uint64_t rom_GetCycleFrequency(void);
uint64_t rom_GetCycleCounter(uint32_t counter);
void rom_SetAlarm(uint32_t flags, uint64_t expiry, uint64_t period);
uint32_t rom_CancelAlarm(uint32_t flags);
uint64_t rom_GetWallclockTime(void);
uint32_t rom_WallclockUpdated(void);

#endif

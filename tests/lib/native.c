// SPDX-License-Identifier: GPL-2.0-only
/* What this guest does by itself where the ROM answers "none" (VMI-2.5.1). */
#include "calls.h"
#include "cpu.h"
#include "native.h"
#include "pc.h"

#define CR4_PGE		0x80u

#define ASM(X) X(CPUID) X(WRMSR) X(RDMSR) X(SetGDT) X(SetLDT) X(SetIDT)	\
	X(SetTR) X(GetGDT) X(GetLDT) X(GetIDT) X(GetTR) X(SetCR0)	\
	X(SetCR2) X(SetCR3) X(SetCR4) X(GetCR0) X(GetCR2) X(GetCR3)	\
	X(GetCR4) X(WBINVD) X(RDPMC) X(RDTSC) X(CLTS)			\
	X(EnableInterrupts) X(DisableInterrupts) X(GetInterruptMask)	\
	X(SetInterruptMask) X(Halt) X(SetPxE) X(SetPxELong) X(InvalPage) \
	X(SetIOPLMask)
#define DECLARE(name) void native_##name(void);
ASM(DECLARE)
void native_WriteEntry(void);
void native_nothing(void);

#define REGPARM __attribute__((regparm(3)))

static REGPARM void set_kernel_stack(uint32_t selector, uint32_t esp)
{
	uint64_t d = gdt[TSS_SELECTOR / 8];
	uint32_t *tss = (uint32_t *)(uintptr_t)((d >> 16 & 0xffffff) |
						(d >> 56) << 24);

	tss[1] = esp;
	tss[2] = selector;
}

static REGPARM void set_dr(uint32_t nr, uint32_t value)
{
	switch (nr) {
	case 0:
		__asm__ volatile("mov %0, %%dr0" : : "r"(value));
		break;
	case 1:
		__asm__ volatile("mov %0, %%dr1" : : "r"(value));
		break;
	case 2:
		__asm__ volatile("mov %0, %%dr2" : : "r"(value));
		break;
	case 3:
		__asm__ volatile("mov %0, %%dr3" : : "r"(value));
		break;
	case 4:
	case 6:
		__asm__ volatile("mov %0, %%dr6" : : "r"(value));
		break;
	default:
		__asm__ volatile("mov %0, %%dr7" : : "r"(value));
	}
}

static REGPARM uint32_t get_dr(uint32_t nr)
{
	uint32_t value;

	switch (nr) {
	case 0:
		__asm__ volatile("mov %%dr0, %0" : "=r"(value));
		return value;
	case 1:
		__asm__ volatile("mov %%dr1, %0" : "=r"(value));
		return value;
	case 2:
		__asm__ volatile("mov %%dr2, %0" : "=r"(value));
		return value;
	case 3:
		__asm__ volatile("mov %%dr3, %0" : "=r"(value));
		return value;
	case 4:
	case 6:
		__asm__ volatile("mov %%dr6, %0" : "=r"(value));
		return value;
	default:
		__asm__ volatile("mov %%dr7, %0" : "=r"(value));
		return value;
	}
}

static REGPARM void flush_tlb(uint32_t what)
{
	uint32_t cr3, cr4;

	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	if (what & VMI_FLUSH_GLOBAL)
		__asm__ volatile("mov %0, %%cr4"
				 : : "r"(cr4 & ~CR4_PGE) : "memory");
	__asm__ volatile("mov %%cr3, %0\n\tmov %0, %%cr3"
			 : "=r"(cr3) : : "memory");
	__asm__ volatile("mov %0, %%cr4" : : "r"(cr4) : "memory");
}

static void *const own[VMI_CALL_COUNT] = {
#define OWN(name)	[VMI_CALL_##name] = native_##name,
	ASM(OWN)
#undef OWN
	[VMI_CALL_WriteGDTEntry] = native_WriteEntry,
	[VMI_CALL_WriteLDTEntry] = native_WriteEntry,
	[VMI_CALL_WriteIDTEntry] = native_WriteEntry,
	[VMI_CALL_UpdateKernelStack] = set_kernel_stack,
	[VMI_CALL_SetDR] = set_dr,
	[VMI_CALL_GetDR] = get_dr,
	[VMI_CALL_FlushTLB] = flush_tlb,
	[VMI_CALL_Reboot] = pc_reset,
	[VMI_CALL_Shutdown] = pc_reset,
};

void native_fill(void)
{
	for (int call = 0; call < VMI_CALL_COUNT; call++) {
		if (vmi_type[call] == VMI_RELOC_CALL ||
		    vmi_type[call] == VMI_RELOC_JUMP)
			continue;
		vmi_entry[call] = (uint32_t)(uintptr_t)
			(vmi_type[call] == VMI_RELOC_NONE && own[call] ?
			 own[call] : (void *)native_nothing);
	}
}

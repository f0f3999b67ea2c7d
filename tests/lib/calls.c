// SPDX-License-Identifier: GPL-2.0-only
/* Calls that need more than three registers, or answer in more than one. */
#include "calls.h"

uint32_t vmi_entry[VMI_CALL_COUNT];
uint8_t vmi_type[VMI_CALL_COUNT];

uint64_t vmi64(int call, uint32_t eax)
{
	uint32_t edx;

	__asm__ volatile("call *%2"
			 : "+a"(eax), "=d"(edx)
			 : "r"(vmi_entry[call])
			 : "ecx", "memory", "cc");
	return (uint64_t)edx << 32 | eax;
}

uint64_t cycles_per_second(void)
{
	return vmi64(VMI_CALL_GetCycleFrequency, 0);
}

uint64_t vmi_cycles(void)
{
	return vmi64(VMI_CALL_GetCycleCounter, VMI_CYCLES_REAL);
}

void set_alarm(uint32_t flags, uint64_t expiry, uint64_t period)
{
	uint32_t edx = (uint32_t)expiry, ecx = (uint32_t)(expiry >> 32);

	__asm__ volatile("pushl %4\n\tpushl %3\n\tcall *%5\n\taddl $8, %%esp"
			 : "+a"(flags), "+d"(edx), "+c"(ecx)
			 : "r"((uint32_t)period),
			   "r"((uint32_t)(period >> 32)),
			   "r"(vmi_entry[VMI_CALL_SetAlarm])
			 : "memory", "cc");
}

void vmi_cpuid(uint32_t leaf, uint32_t r[4])
{
	__asm__ volatile("call *%4"
			 : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3])
			 : "D"(vmi_entry[VMI_CALL_CPUID]), "a"(leaf), "c"(0)
			 : "memory", "cc");
}

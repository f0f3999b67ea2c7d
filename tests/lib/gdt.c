// SPDX-License-Identifier: GPL-2.0-only
/* The GDT of cpu_init() in VMI mode. */
#include "calls.h"
#include "cpu.h"

void write_gdt(uint32_t index, uint64_t entry)
{
	vmi4(VMI_CALL_WriteGDTEntry, (uintptr_t)gdt, index, (uint32_t)entry,
	     (uint32_t)(entry >> 32));
}

// SPDX-License-Identifier: GPL-2.0-only
#include <cpu.h>

uint8_t *machine_memory;
uint32_t machine_processor;
void (*machine_others)(void);
void (*machine_cpuid)(uint32_t leaf, uint32_t r[4]);
unsigned int tlb_flushes;
struct machine_cpu cpu;

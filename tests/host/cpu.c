// SPDX-License-Identifier: GPL-2.0-only
#include <cpu.h>

uint8_t *machine_memory;
uint32_t machine_processor;
void (*machine_others)(void);
unsigned int tlb_flushes;
struct machine_cpu cpu;

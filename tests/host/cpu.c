// SPDX-License-Identifier: GPL-2.0-only
#include <cpu.h>

uint8_t *machine_memory;
unsigned int tlb_flushes;
struct machine_cpu cpu;

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Descriptor tables as a kernel sets them up before it knows whether there is
 * a ROM: with the plain instructions.
 */
#include "cpu.h"
#include "paging.h"

#define GATE_INTERRUPT	0x8e00u
#define GATE_TRAP	0x8f00u

uint64_t gdt[GDT_ENTRIES] __attribute__((aligned(8)));
static uint32_t idt[256][2] __attribute__((aligned(8)));
static uint32_t tss[26];

struct table_pointer {
	uint16_t	limit;
	uint32_t	base;
} __attribute__((packed));

static void set_gate(int vector, bool is_trap, int dpl)
{
	uint32_t stub = trap_stub[vector];

	idt[vector][0] = KERNEL_CS << 16 | (stub & 0xffff);
	idt[vector][1] = (stub & 0xffff0000) | (uint32_t)dpl << 13 |
			 (is_trap ? GATE_TRAP : GATE_INTERRUPT);
}

static void init_descriptors(void)
{
	struct table_pointer gdt_pointer = { sizeof(gdt) - 1, (uintptr_t)gdt };
	struct table_pointer idt_pointer = { sizeof(idt) - 1, (uintptr_t)idt };

	gdt[KERNEL_CS / 8] = 0x00cf9a000000ffff;
	gdt[KERNEL_DS / 8] = 0x00cf92000000ffff;
	gdt[USER_CS / 8] = 0x00cffa000000ffff;
	gdt[USER_DS / 8] = 0x00cff2000000ffff;
	gdt[TSS_SELECTOR / 8] = descriptor((uintptr_t)tss, sizeof(tss) - 1,
					   0x8900);
	tss[2] = KERNEL_DS;
	tss[25] = sizeof(tss) << 16;	/* no I/O permission map */
	for (int vector = 0; vector < 256; vector++)
		set_gate(vector, false, 0);
	set_gate(3, false, 3);
	set_gate(VEC_SYSCALL, true, 3);
	load_tables(&gdt_pointer, &idt_pointer);
	__asm__ volatile("ltr %w0" : : "r"(TSS_SELECTOR));
}

void cpu_init(void)
{
	init_descriptors();
	paging_init();
}

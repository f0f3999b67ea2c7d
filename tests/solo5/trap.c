// SPDX-License-Identifier: GPL-2.0-only
/* Does what its command line says, which is a trap: the end, with status 255. */
#include "lib.h"

MANIFEST(0);

static void write_to(uint64_t at)
{
	*(volatile uint32_t *)at = 1;
}

static uint32_t read_from(uint64_t at)
{
	return *(volatile uint32_t *)at;
}

int run(const struct solo5_boot_info *info)
{
	const char *line = (const char *)info->cmdline;
	volatile uint64_t zero = 0;

	traps_init();
	if (same(line, "ud"))
		asm volatile("ud2");
	else if (same(line, "de"))
		asm volatile("divq %0" : : "r"(zero), "a"(1), "d"(0));
	else if (same(line, "bp"))
		asm volatile("int3");
	else if (same(line, "gp"))
		read_from(0x8000000000000000);
	else if (same(line, "zero"))
		read_from(zero);
	else if (same(line, "tables"))
		read_from(SOLO5_PML4);
	else if (same(line, "info"))
		write_to(SOLO5_BOOT_INFO);
	else if (same(line, "text"))
		write_to((uintptr_t)run);
	else if (same(line, "cmdline"))
		write_to((uintptr_t)line);
	else if (same(line, "rodata"))
		write_to((uintptr_t)"text");
	else if (same(line, "beyond"))
		read_from(info->mem_size);
	else if (same(line, "fs"))
		asm volatile("movq %%fs:0, %%rax" : : : "rax");
	say("nothing happened\n");
	return 1;
}

// SPDX-License-Identifier: GPL-2.0-only
/* Calls that are none, and arguments for which there is no answer: status 1, and
 * nothing of this comes after it. */
#include "lib.h"

MANIFEST(0);

static void out32(uint16_t port, uint32_t value)
{
	asm volatile("outl %0, %1" : : "a"(value), "d"(port));
}

int run(const struct solo5_boot_info *info)
{
	const char *line = (const char *)info->cmdline;
	static struct solo5_puts b;
	uint32_t value;

	b.data = SOLO5_BASE;
	b.len = 1;
	if (same(line, "port"))
		out32(SOLO5_PORT + SOLO5_HALT + 1, (uintptr_t)&b);
	else if (same(line, "call0"))
		out32(SOLO5_PORT, (uintptr_t)&b);
	else if (same(line, "width"))
		asm volatile("outw %w0, %1"
			     : : "a"((uint32_t)(uintptr_t)&b),
			       "d"((uint16_t)(SOLO5_PORT + SOLO5_PUTS)));
	else if (same(line, "in"))
		asm volatile("inl %1, %0" : "=a"(value)
			     : "d"((uint16_t)(SOLO5_PORT + SOLO5_PUTS)));
	else if (same(line, "reset"))
		asm volatile("outb %b0, %w1" : : "a"(0xfe), "d"(0x64));
	else if (same(line, "block"))
		out32(SOLO5_PORT + SOLO5_PUTS, info->mem_size - 15);
	else if (same(line, "tables"))
		out32(SOLO5_PORT + SOLO5_WALLTIME, SOLO5_PML4);
	else if (same(line, "data"))
		b.data = info->mem_size;
	else if (same(line, "length"))
		b.len = UINT64_MAX;
	else if (same(line, "cookie"))
		halt(0, (const void *)(info->mem_size - 100));
	else if (same(line, "hlt"))
		asm volatile("hlt");
	else if (same(line, "nowhere"))		/* STAR is 0 */
		asm volatile("rdmsr; orl $1, %%eax; wrmsr\n\t"
			     "movl $0xc0000082, %%ecx; movl $8, %%eax\n\t"
			     "xorl %%edx, %%edx; wrmsr; syscall"
			     : : "c"(0xc0000080) : "rax", "rdx", "r11");
	else if (same(line, "no_idt"))
		asm volatile("ud2");
	call(SOLO5_PUTS, &b);
	say("nothing happened\n");
	return 0;
}

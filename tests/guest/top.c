// SPDX-License-Identifier: GPL-2.0-only
/*
 * The reserved top of the address space, page by page: but for the ROM's copy
 * and the shared area there is nothing. User mode is looked at by
 * tests/conformance, and by user_area of tests/attack.
 */
#include "suite.h"

void test_top(void)
{
	const uint32_t top = ((struct vmi_rom_header *)rom)->virtual_top;
	const uint32_t rom_end = top + rom[2] * VMI_ROM_UNIT;
	const uint32_t shared = top + STUB_SHARED_OFFSET;
	uint32_t reads = 0, writes = 0, jumps = 0, pages = 0;

	same(probe_read(top), -1, "the working copy can be read");
	for (uint32_t va = top; va; va += PAGE) {
		if (va < rom_end || (va >= shared &&
				     va < shared + sizeof(struct stub_shared)))
			continue;
		pages++;
		if (probe_read(va) == VEC_PF && last_cr2 == va &&
		    last_trap.error == 0)
			reads++;
		if (probe_write(va) == VEC_PF && last_cr2 == va &&
		    last_trap.error == PF_WRITE)
			writes++;
		if (va % 0x10000)
			continue;
		if (probe_exec(va) == VEC_PF && last_cr2 == va)
			jumps++;
	}
	same(reads, pages, "reading elsewhere above virtual_top is a page fault");
	same(writes, pages, "writing there is a page fault");
	same(jumps, (0 - top) / 0x10000 - 2, "jumping there is a page fault");
}

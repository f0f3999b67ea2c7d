// SPDX-License-Identifier: GPL-2.0-only
/*
 * What user mode and back costs, and what there is above virtual_top. Frames
 * and faults are in tests/conformance.
 */
#include "suite.h"

#define USER_PAGE	0u		/* pages of PLAY: code, then stack */
#define USER_STACK	1u

/* user.asm */
extern uint8_t user_code[], user_code_end[];
extern uint8_t user_syscall[], user_read[], user_write[], user_spin[];

static uint8_t user_pages[2][PAGE] __attribute__((aligned(PAGE)));

static uint32_t play_address(uint32_t page)
{
	return PLAY + page * PAGE;
}

void user_init(void)
{
	for (uint32_t i = 0; i < (uint32_t)(user_code_end - user_code); i++)
		user_pages[0][i] = user_code[i];
	play_map(USER_PAGE, (uintptr_t)user_pages[0] | PTE_P | PTE_U);
	play_map(USER_STACK,
		 (uintptr_t)user_pages[1] | PTE_P | PTE_U | PTE_W);
	vmi1(FlushTLB, VMI_FLUSH_TLB);
}

static void user(const uint8_t *code, uint32_t eax, uint32_t ebx,
		 bool sysexit)
{
	run_user(play_address(USER_PAGE) + (uint32_t)(code - user_code),
		 play_address(USER_STACK) + PAGE, eax, ebx, sysexit);
}

void test_user(void)
{
	user(user_syscall, 0, 0, false);	/* maps its pages */
	costs(100, 100, user(user_syscall, 0, 0, false),
	      "IRET to user mode costs no exit of its own");
	costs(100, 100, user(user_syscall, 0, 0, true),
	      "SYSEXIT costs no exit of its own");
}

void user_wait(volatile uint32_t **word)
{
	*word = (volatile uint32_t *)user_pages[1];
	user(user_spin, **word, play_address(USER_STACK), false);
}

/* ---- page faults ------------------------------------------------------------------ */

static void fault_is(int vector, uint32_t va, uint32_t error,
		     const char *name)
{
	bool good = vector == VEC_PF && last_cr2 == va &&
		    last_trap.error == error;

	if (!ok(good, name))
		print("# vector %u, cr2 %x, error %x, expected %x and %x\n",
		      (uint32_t)vector, last_cr2, last_trap.error, va, error);
}

/* ---- the top of the linear space ----------------------------------------------------- */

void test_hole(void)
{
	const uint32_t top = ((struct vmi_rom_header *)rom)->virtual_top;
	const uint32_t rom_end = top + rom[2] * VMI_ROM_UNIT;
	const uint32_t shared = top + STUB_SHARED_OFFSET;
	uint32_t reads = 0, writes = 0, jumps = 0, users = 0, pages = 0;

	fault_is(probe_write(top), top, PF_WRITE | PF_PRESENT,
		 "the working copy cannot be written");
	same(probe_read(top), -1, "the working copy can be read");
	user(user_read, 0, top, false);
	same(last_trap.vector, VEC_PF, "user mode cannot read the ROM");
	user(user_read, 0, shared, false);
	same(last_trap.vector, VEC_PF, "user mode cannot read the shared area");
	user(user_write, 0, shared, false);
	same(last_trap.vector, VEC_PF, "user mode cannot write the shared area");

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
		user(user_read, 0, va, false);
		if (last_trap.vector == VEC_PF && last_cr2 == va &&
		    last_trap.error == PF_USER)
			users++;
	}
	same(reads, pages, "reading elsewhere above virtual_top is a page fault");
	same(writes, pages, "writing there is a page fault");
	same(jumps, (0 - top) / 0x10000 - 2, "jumping there is a page fault");
	same(users, (0 - top) / 0x10000 - 2, "user mode sees absent pages there");
	fault_is(probe_read(0xfffffffc), 0xfffffffc, 0,
		 "the last word of the space is absent");
}

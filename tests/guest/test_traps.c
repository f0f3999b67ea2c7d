// SPDX-License-Identifier: GPL-2.0-only
/*
 * User mode and back, page faults with their error codes, and the space
 * above virtual_top. VMI-3.6, VMI-3.4.9, VMI-3.4.11, VMI-2.3.
 */
#include "guest.h"

#define USER_PAGE	0u		/* pages of PLAY: code, then stack */
#define USER_STACK	1u
#define READ_ONLY	2u
#define KERNEL_ONLY	3u
#define ABSENT		4u

static uint8_t user_pages[3][PAGE] __attribute__((aligned(PAGE)));

static uint32_t play_address(uint32_t page)
{
	return PLAY + page * PAGE;
}

static void user_init(void)
{
	for (uint32_t i = 0; i < (uint32_t)(user_code_end - user_code); i++)
		user_pages[0][i] = user_code[i];
	play_map(USER_PAGE, (uintptr_t)user_pages[0] | PTE_P | PTE_U);
	play_map(USER_STACK,
		 (uintptr_t)user_pages[1] | PTE_P | PTE_U | PTE_W);
	play_map(READ_ONLY, (uintptr_t)user_pages[2] | PTE_P | PTE_U);
	play_map(KERNEL_ONLY, (uintptr_t)user_pages[2] | PTE_P | PTE_W);
	play_map(ABSENT, 0);
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
	const uint32_t stack = play_address(USER_STACK) + PAGE;

	user_init();
	user(user_syscall, 0x1234, 0x5678, false);
	same(last_trap.vector, VEC_SYSCALL, "IRET to user mode and int 0x80 back");
	same(last_trap.cs, USER_CS, "user mode runs with the selector given");
	ok(last_trap.esp == stack && last_trap.ss == USER_DS,
	   "user mode runs with the stack given");
	ok(last_trap.eax == 0x1234 && last_trap.ebx == 0x5678,
	   "IRET keeps the registers");
	same(last_trap.eflags & EFLAGS_IF, EFLAGS_IF,
	     "the frame from user mode has IF set");
	costs(100, 100, user(user_syscall, 0, 0, false),
	      "IRET to user mode costs no exit of its own");

	user(user_syscall, 0x4321, 0x8765, true);
	same(last_trap.vector, VEC_SYSCALL, "SYSEXIT and int 0x80 back");
	ok(last_trap.esp == stack && last_trap.cs == USER_CS &&
	   last_trap.ss == USER_DS && last_trap.eax == 0x4321 &&
	   last_trap.ebx == 0x8765 && (last_trap.eflags & EFLAGS_IF),
	   "SYSEXIT gives user mode what it should");
	costs(100, 100, user(user_syscall, 0, 0, true),
	      "SYSEXIT costs no exit of its own");

	user(user_int21, 0, 0, false);
	same(last_trap.vector, VEC_GP,
	     "user int n to a gate of the kernel is #GP");
	same(last_trap.error, 0x21 * 8 + 2, "with error code n * 8 + 2");
	user(user_cli, 0, 0, false);
	same(last_trap.vector, VEC_GP, "user CLI is #GP");

	same(probe_int80(), VEC_SYSCALL, "int 0x80 in the kernel");
	same(last_trap.cs & 3, 1, "its frame has the kernel's ring");
	same(last_trap.eflags & EFLAGS_IF, 0,
	     "its frame has the virtual flag, off");

	iret_bad_frame(0x5b);
	same(last_trap.vector, VEC_GP, "IRET to a bad selector is #GP");
	same(last_trap.error, 0x58, "with the selector as its error code");
	same(last_trap.eip, (uintptr_t)iret_site + LINEAR,
	     "it appears at the guest's own return site");
	same(last_trap_esp, iret_bad_esp, "with the stack as it was there");
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

void test_faults(void)
{
	const uint32_t absent = play_address(ABSENT) + 8;
	const uint32_t read_only = play_address(READ_ONLY) + 4;
	const uint32_t kernel_only = play_address(KERNEL_ONLY) + 4;

	fault_is(probe_read(absent), absent, 0, "kernel reads absent page");
	fault_is(probe_write(absent), absent, PF_WRITE,
		 "kernel writes absent page");
	fault_is(probe_write(read_only), read_only, PF_WRITE | PF_PRESENT,
		 "kernel writes read-only page");
	same(probe_read(read_only), -1, "kernel reads read-only page");
	same(probe_write(kernel_only), -1, "kernel writes its own page");
	fault_is(probe_read(0x80000000), 0x80000000, 0,
		 "kernel reads where there is no table");

	user(user_read, 0, absent, false);
	fault_is((int)last_trap.vector, absent, PF_USER,
		 "user reads absent page");
	user(user_write, 0, absent, false);
	fault_is((int)last_trap.vector, absent, PF_USER | PF_WRITE,
		 "user writes absent page");
	user(user_read, 0, kernel_only, false);
	fault_is((int)last_trap.vector, kernel_only, PF_USER | PF_PRESENT,
		 "user reads the kernel's page");
	user(user_write, 0, read_only, false);
	fault_is((int)last_trap.vector, read_only,
		 PF_USER | PF_WRITE | PF_PRESENT,
		 "user writes read-only page");
	user(user_read, 0, read_only, false);
	same(last_trap.vector, VEC_SYSCALL, "user reads read-only page");

	same(linear(play_table)[READ_ONLY] & PTE_A, PTE_A,
	     "a page that was read is marked accessed");
	same(linear(play_table)[READ_ONLY] & PTE_D, 0,
	     "a page that was not written is not marked dirty");
	same(linear(play_table)[KERNEL_ONLY] & PTE_D, PTE_D,
	     "a page that was written is marked dirty");
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

// SPDX-License-Identifier: GPL-2.0-only
/* Exceptions with their error codes, CR2 and frames: VMI-1.8, VMI-3.4.11. */
#include "conf.h"

static void page_fault(uint32_t va, uint32_t error, uint32_t eip,
		       const char *name)
{
	bool good = last_trap.vector == VEC_PF && last_cr2 == va &&
		    last_trap.error == error && (!eip || last_trap.eip == eip);

	if (!point("3.4.11", good, name))
		print("# vector %u, cr2 %x, error %x, eip %x, expected %x, %x, "
		      "%x\n", last_trap.vector, last_cr2, last_trap.error,
		      last_trap.eip, va, error, eip);
}

static void kernel_read(uint32_t va, uint32_t error, const char *name)
{
	last_trap.vector = (uint32_t)-1;
	probe_read(va);
	page_fault(va, error, 0, name);
}

static void kernel_write(uint32_t va, uint32_t error, const char *name)
{
	last_trap.vector = (uint32_t)-1;
	try_write(va);
	page_fault(va, error, (uintptr_t)at_write, name);
}

static void user_access(const uint8_t *code, uint32_t va, uint32_t error,
			const char *name)
{
	user_run(code, 0, va);
	page_fault(va, error, code == u_call ? va : user_va(code), name);
}

static void page_faults(void)
{
	const uint32_t absent = play_va(ABSENT_PAGE) + 9;
	const uint32_t ro = play_va(RO_PAGE) + 4;
	const uint32_t kernel = play_va(KERNEL_PAGE) + 4;
	const uint32_t no_table = 0x80000123;

	kernel_read(absent, 0, "kernel reads an absent page");
	kernel_write(absent, PF_WRITE, "kernel writes an absent page");
	kernel_write(ro, PF_WRITE | PF_PRESENT, "kernel writes a read-only page");
	kernel_read(no_table, 0, "kernel reads where there is no table");
	kernel_write(no_table, PF_WRITE, "kernel writes where there is no table");
	is("3.4.11", probe_read(ro), (uint32_t)-1, "kernel reads a read-only page");
	is("3.4.11", probe_write(kernel), (uint32_t)-1, "kernel writes its page");
	last_trap.vector = (uint32_t)-1;
	probe_exec(absent);
	page_fault(absent, PF_FETCH, absent, "kernel executes an absent page");
	is("3.2.19", vmi0(GetCR2), absent, "GetCR2 is the address of the fault");

	user_access(u_read, absent, PF_USER, "user reads an absent page");
	user_access(u_write, absent, PF_USER | PF_WRITE,
		    "user writes an absent page");
	user_access(u_read, kernel, PF_USER | PF_PRESENT,
		    "user reads the kernel's page");
	user_access(u_write, kernel, PF_USER | PF_PRESENT | PF_WRITE,
		    "user writes the kernel's page");
	user_access(u_write, ro, PF_USER | PF_WRITE | PF_PRESENT,
		    "user writes a read-only page");
	user_access(u_read, no_table, PF_USER,
		    "user reads where there is no table");
	user_access(u_call, absent, PF_USER | PF_FETCH,
		    "user executes an absent page");
	user_access(u_call, kernel, PF_USER | PF_PRESENT | PF_FETCH,
		    "user executes the kernel's page");
	user_access(u_read, LINEAR + 0x100000, PF_USER | PF_PRESENT,
		    "user reads the kernel's image");
	user_run(u_read, 0, ro);
	is("3.4.11", last_trap.vector, VEC_SYSCALL, "user reads a read-only page");
	probe_read(play_va(ABSENT_PAGE) - 2);
	page_fault(play_va(ABSENT_PAGE), 0, 0,
		   "an access over a page boundary: CR2 is in the second page");

	/* WP decides for the kernel at any ring */
	vmi1(SetCR0, vmi0(GetCR0) & ~0x10000u);
	if (!(vmi0(GetCR0) & 0x10000))
		is("3.4.11", probe_write(ro), (uint32_t)-1,
		   "without WP the kernel writes a read-only page");
	else
		skip("3.4.11", "the kernel writes without WP",
		     "WP stays on here");
	vmi1(SetCR0, vmi0(GetCR0) | 0x10000);
	is("3.4.11", probe_write(ro), VEC_PF, "with WP again it does not");
}

/* ---- the others --------------------------------------------------------------- */

static void kernel_fault(int raised, uint32_t vector, uint32_t error,
			 const uint8_t *at, const char *name)
{
	bool good = raised == (int)vector && last_trap.error == error &&
		    last_trap.eip == (uintptr_t)at;

	if (!point("1.8", good, name))
		print("# vector %u error %x eip %x, expected %u %x %x\n",
		      (uint32_t)raised, last_trap.error, last_trap.eip, vector,
		      error, (uint32_t)(uintptr_t)at);
}

static void user_fault(const uint8_t *code, uint32_t ebx, uint32_t vector,
		       uint32_t error, uint32_t offset, const char *name)
{
	bool good;

	user_run(code, 5, ebx);
	good = last_trap.vector == vector && last_trap.error == error &&
	       last_trap.eip == user_va(code) + offset &&
	       last_trap.cs == USER_CS && (last_trap.eflags & EFLAGS_IF) &&
	       last_trap.esp == play_va(STACK_PAGE) + PAGE;
	if (!point("1.8", good, name))
		print("# vector %u error %x eip %x flags %x, expected %u %x "
		      "%x\n", last_trap.vector, last_trap.error, last_trap.eip,
		      last_trap.eflags, vector, error, user_va(code) + offset);
}

void faults(void)
{
	const uint32_t bounds = play_va(RO_PAGE) + 64;	/* 0 to 0 */

	page_faults();

	write_gdt(SPARE_GDT, 0x00cf72000000ffff);	/* data, absent */
	kernel_fault(try_divide(0), 0, 0, at_divide, "kernel: #DE");
	is("1.8", last_trap.eflags & EFLAGS_IF, 0, "its frame has the flag off");
	vmi0(EnableInterrupts);
	kernel_fault(try_ud2(0), 6, 0, at_ud2, "kernel: #UD");
	is("1.8", last_trap.eflags & EFLAGS_IF, EFLAGS_IF,
	   "its frame has the flag on");
	is("1.8", last_mask & EFLAGS_IF, 0, "and its gate turned it off");
	vmi0(DisableInterrupts);
	kernel_fault(try_int3(0), 3, 0, at_int3 + 1, "kernel: #BP");
	kernel_fault(try_load_ds(0x5b), VEC_GP, 0x58, at_load_ds,
		     "kernel: #GP for an empty descriptor");
	kernel_fault(try_load_ds(0xfffb), VEC_GP, 0xfff8, at_load_ds,
		     "kernel: #GP beyond the GDT");
	kernel_fault(try_load_gs(SPARE_GDT * 8 + 3), 11, SPARE_GDT * 8,
		     at_load_gs, "kernel: #NP");
	kernel_fault(try_load_ss(0), VEC_GP, 0, at_load_ss,
		     "kernel: #GP(0) for a null SS");
	is("1.8", try_divide(1), (uint32_t)-1, "and goes on");

	user_fault(u_divide, 0, 0, 0, 2, "user: #DE");
	is("1.8", last_mask & EFLAGS_IF, 0, "its gate turned the flag off");
	user_fault(u_ud2, 0, 6, 0, 0, "user: #UD");
	user_fault(u_int3, 0, 3, 0, 1, "user: #BP");
	user_fault(u_bound, bounds, 5, 0, 0, "user: #BR");
	user_fault(u_load_ds, 0x5b, VEC_GP, 0x58, 0,
		   "user: #GP for an empty descriptor");
	user_fault(u_load_ds, KERNEL_DS, VEC_GP, KERNEL_DS, 0,
		   "user: #GP for the kernel's segment");
	user_fault(u_load_ds, SPARE_GDT * 8 + 3, 11, SPARE_GDT * 8, 0,
		   "user: #NP");
	user_fault(u_hlt, 0, VEC_GP, 0, 0, "user: #GP for HLT");
	user_fault(u_cli, 0, VEC_GP, 0, 0, "user: #GP for CLI");
	user_fault(u_sti, 0, VEC_GP, 0, 0, "user: #GP for STI");
	user_fault(u_movcr, 0, VEC_GP, 0, 0, "user: #GP for MOV from CR0");
	user_fault(u_lgdt, bounds, VEC_GP, 0, 0, "user: #GP for LGDT");
	user_fault(u_invlpg, bounds, VEC_GP, 0, 0, "user: #GP for INVLPG");
	user_fault(u_in, 0, VEC_GP, 0, 0, "user: #GP for IN");
	user_run(u_popf, 0, 0);
	point("1.3", last_trap.vector == VEC_SYSCALL &&
	      (last_trap.eflags & EFLAGS_IF),
	      "user mode cannot turn interrupts off by POPF");
	write_gdt(SPARE_GDT, 0);
}

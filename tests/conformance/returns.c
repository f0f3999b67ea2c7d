// SPDX-License-Identifier: GPL-2.0-only
/* IRET and SYSEXIT, INT n, gates: VMI-1.8, VMI-1.9, VMI-3.6. */
#include "conf.h"

#define EFLAGS_STATUS	0x8d5u
#define EFLAGS_DF	0x400u
#define EFLAGS_TF	0x100u
#define EFLAGS_AC	0x40000u
#define EFLAGS_ID	0x200000u

static struct user distinct(const uint8_t *code)
{
	struct user u = user_state(code);

	u.eax = 0xaaaa0001;
	u.ebx = 0xbbbb0002;
	u.ecx = 0xcccc0003;
	u.edx = 0xdddd0004;
	u.esi = 0x55550005;
	u.edi = 0x66660006;
	u.ebp = 0x77770007;
	return u;
}

static bool general_right(const struct user *u)
{
	const struct frame *t = &last_trap;

	return t->eax == u->eax && t->ebx == u->ebx && t->esi == u->esi &&
	       t->edi == u->edi && t->ebp == u->ebp;
}

static void to_user(void)
{
	struct user u = distinct(u_syscall);

	enter_user(&u);
	is("3.2.33", last_trap.vector, VEC_SYSCALL, "IRET to user mode arrives");
	is("3.6.3", last_trap.eip, u.eip + 2, "at the EIP of the frame");
	is("3.6.3", last_trap.cs, USER_CS, "with its CS");
	is("3.6.3", last_trap.esp, u.esp, "with its ESP");
	is("3.6.3", last_trap.ss, USER_DS, "with its SS");
	point("3.1.11", general_right(&u) && last_trap.ecx == u.ecx &&
	      last_trap.edx == u.edx, "IRET keeps every general register");
	is("3.6.3", last_trap.eflags & EFLAGS_IF, EFLAGS_IF,
	   "with the flag on");
	is("3.1.11", last_trap.ds, USER_DS, "IRET keeps a user DS");
	u.eflags |= EFLAGS_STATUS | EFLAGS_DF;
	enter_user(&u);
	is("3.6.3", last_trap.eflags & (EFLAGS_STATUS | EFLAGS_DF),
	   EFLAGS_STATUS | EFLAGS_DF, "with status flags and DF, set");
	u.eflags = EFLAGS_FIXED | EFLAGS_IF;
	enter_user(&u);
	is("3.6.3", last_trap.eflags & (EFLAGS_STATUS | EFLAGS_DF), 0,
	   "with status flags and DF, clear");
	u.eflags = EFLAGS_FIXED | EFLAGS_IF | EFLAGS_AC | EFLAGS_ID;
	enter_user(&u);
	is("3.6.3", last_trap.eflags & (EFLAGS_AC | EFLAGS_ID),
	   EFLAGS_AC | EFLAGS_ID, "with AC and ID");
	u.eflags = EFLAGS_FIXED | EFLAGS_IF;
	u.ds = 0;
	enter_user(&u);
	is("3.1.4", last_trap.vector, VEC_SYSCALL,
	   "IRET to user mode with DS and ES null");
	is("3.1.11", last_trap.ds, 0, "IRET keeps a null DS");
	u.ds = ODD_DS;
	enter_user(&u);
	is("3.1.11", last_trap.ds, ODD_DS,
	   "IRET to user mode with DS and ES from another base, kept");
	pit_wait();
	enter_user(&u);
	point("3.1.11", general_right(&u) && last_trap.ecx == u.ecx &&
	      last_trap.edx == u.edx && last_trap.ds == ODD_DS &&
	      last_trap.esp == u.esp,
	      "IRET with an interrupt pending keeps every register");
	u.ds = KERNEL_DS;
	enter_user(&u);
	is("3.1.4", last_trap.vector, VEC_SYSCALL,
	   "IRET to user mode with the kernel's DS");
	is("3.1.11", last_trap.ds & ~3u, 0, "which user mode does not keep");

	u = user_state(u_syscall);
	u.eflags |= EFLAGS_TF;
	enter_user(&u);
	point("3.6.3", last_trap.vector == 1 || last_trap.vector == VEC_SYSCALL,
	      "IRET with TF to user mode arrives");
	u = user_state(u_rdtsc);
	u.eflags |= EFLAGS_TF;
	enter_user(&u);
	point("3.6.3", last_trap.vector == 1 && last_trap.eip == u.eip + 2,
	      "TF of the frame traps after one instruction");
	is("1.8", last_trap.eflags & EFLAGS_TF, EFLAGS_TF,
	   "the frame of the trap has TF");
}

static void in_kernel(void)
{
	uint32_t result;

	result = iret_with(EFLAGS_FIXED | EFLAGS_STATUS | EFLAGS_DF, USER_DS);
	is("3.6.3", result & (EFLAGS_STATUS | EFLAGS_DF),
	   EFLAGS_STATUS | EFLAGS_DF, "IRET in the kernel sets status flags, DF");
	is("3.6.3", vmi0(GetInterruptMask) & EFLAGS_IF, 0,
	   "IRET in the kernel with the flag off");
	result = iret_with(EFLAGS_FIXED | EFLAGS_IF, USER_DS);
	is("3.6.3", result & (EFLAGS_STATUS | EFLAGS_DF), 0,
	   "IRET in the kernel clears status flags, DF");
	is("3.6.3", vmi0(GetInterruptMask) & EFLAGS_IF, EFLAGS_IF,
	   "IRET in the kernel with the flag on");
	iret_with(EFLAGS_FIXED, 0);
	is("3.1.4", vmi0(GetInterruptMask) & EFLAGS_IF, 0,
	   "IRET in the kernel, DS and ES null, flag off");
	iret_with(EFLAGS_FIXED | EFLAGS_IF, 0);
	is("3.1.4", vmi0(GetInterruptMask) & EFLAGS_IF, EFLAGS_IF,
	   "IRET in the kernel, DS and ES null, flag on");
	iret_with(EFLAGS_FIXED, ODD_DS);
	is("3.1.4", vmi0(GetInterruptMask) & EFLAGS_IF, 0,
	   "IRET in the kernel, DS from another base, flag off");
	iret_with(EFLAGS_FIXED | EFLAGS_IF, ODD_DS);
	is("3.1.4", vmi0(GetInterruptMask) & EFLAGS_IF, EFLAGS_IF,
	   "IRET in the kernel, DS from another base, flag on");
	vmi0(DisableInterrupts);
}

static bool rom_holds(uint32_t eip)
{
	return eip - (uintptr_t)rom <
	       ((const struct vmi_rom_header *)rom)->length * VMI_ROM_UNIT;
}

/* At ring 0 the fault of the ROM's own IRET is the processor's to place. */
static void bad_frame(uint32_t cs, uint32_t ss, uint32_t vector,
		      uint32_t error, const char *name)
{
	const uint32_t site = (uintptr_t)iret_site + LINEAR;
	bool right;

	vmi0(DisableInterrupts);
	last_trap.vector = (uint32_t)-1;
	iret_frame(user_va(u_syscall), cs, EFLAGS_FIXED | EFLAGS_IF,
		   play_va(STACK_PAGE) + PAGE, ss);
	/* #SS by SDM vol. 2A, IRET; QEMU's processors raise #NP */
	if (vector == 12 && last_trap.vector == 11)
		vector = 11;
	right = last_trap.vector == vector && last_trap.error == error &&
		last_trap_esp == frame_esp;
	if (right && kernel_ring() == 0 && rom_holds(last_trap.eip))
		skip("3.6.4", name, "at ring 0 the ROM's IRET itself faults");
	else if (!point("3.6.4", right && last_trap.eip == site, name))
		print("# vector %u error %x eip %x esp %x, expected %u %x %x "
		      "%x\n", last_trap.vector, last_trap.error, last_trap.eip,
		      last_trap_esp, vector, error, site, frame_esp);
}

static void bad_frames(void)
{
	write_gdt(SPARE_GDT, 0x00cf7a000000ffff);	/* code, absent */
	write_gdt(SPARE_GDT + 1, 0x00cf72000000ffff);	/* data, absent */
	write_gdt(SPARE_GDT + 2, 0x00cff0000000ffff);	/* data, read-only */
	bad_frame(0x5b, USER_DS, VEC_GP, 0x58,
		  "IRET to an empty descriptor is #GP");
	bad_frame(USER_DS, USER_DS, VEC_GP, USER_DS & ~3u,
		  "IRET to a data segment is #GP");
	bad_frame(0x3fb, USER_DS, VEC_GP, 0x3f8,
		  "IRET beyond the GDT is #GP");
	bad_frame(3, USER_DS, VEC_GP, 0, "IRET to a null CS is #GP(0)");
	bad_frame(USER_CS, 0x5b, VEC_GP, 0x58,
		  "IRET with an empty SS is #GP");
	bad_frame(USER_CS, 3, VEC_GP, 0, "IRET with a null SS is #GP(0)");
	bad_frame(USER_CS, KERNEL_DS, VEC_GP, KERNEL_DS,
		  "IRET with the kernel's SS is #GP");
	bad_frame(USER_CS, USER_CS, VEC_GP, USER_CS & ~3u,
		  "IRET with a code segment as SS is #GP");
	bad_frame(USER_CS, (SPARE_GDT + 2) * 8 + 3, VEC_GP,
		  (SPARE_GDT + 2) * 8, "IRET with a read-only SS is #GP");
	bad_frame(SPARE_GDT * 8 + 3, USER_DS, 11, SPARE_GDT * 8,
		  "IRET to a CS that is not present is #NP");
	bad_frame(USER_CS, (SPARE_GDT + 1) * 8 + 3, 12, (SPARE_GDT + 1) * 8,
		  "IRET with an SS that is not present is #SS or #NP");
	iret_through = vmi_entry[VMI_CALL_IRET];
	bad_frame(0x5b, USER_DS, VEC_GP, 0x58,
		  "the place is the same for a jump by way of memory");
	iret_through = (uintptr_t)iret_site + LINEAR;
	for (uint32_t i = 0; i < 3; i++)
		write_gdt(SPARE_GDT + i, 0);
	is("3.6.4", vmi0(GetInterruptMask) & EFLAGS_IF, 0,
	   "a frame that is refused leaves the flag as it was");
}

static void by_sysexit(void)
{
	struct user u = distinct(u_syscall);
	uint32_t r[4];

	vmi_cpuid(1, r);
	if (!kernel_ring() && !(r[3] & 0x800)) {
		skip("3.6.5", "SYSEXIT", "the processor has no SYSEXIT");
		return;
	}
	u.sysexit = 1;
	u.eflags = EFLAGS_FIXED;
	enter_user(&u);
	is("3.2.34", last_trap.vector, VEC_SYSCALL, "SYSEXIT arrives");
	is("3.6.5", last_trap.eip, u.eip + 2, "at EDX");
	is("3.6.5", last_trap.esp, u.esp, "with ECX as stack");
	is("3.6.5", last_trap.cs, VMI_SYSEXIT_CS, "in CS 73h");
	is("3.6.5", last_trap.ss, VMI_SYSEXIT_SS, "with SS 7Bh");
	is("3.6.5", last_trap.eflags & EFLAGS_IF, EFLAGS_IF,
	   "with interrupts on");
	point("3.1.11", general_right(&u), "SYSEXIT keeps the other registers");
	u.ds = 0;
	u.eflags |= EFLAGS_STATUS;
	enter_user(&u);
	is("3.1.4", last_trap.vector, VEC_SYSCALL, "SYSEXIT, DS and ES null");
	u.ds = ODD_DS;
	enter_user(&u);
	is("3.1.4", last_trap.ds, ODD_DS,
	   "SYSEXIT, DS and ES from another base, kept");
	pit_wait();
	enter_user(&u);
	point("3.1.11", general_right(&u) && last_trap.esp == u.esp,
	      "SYSEXIT with an interrupt pending keeps the other registers");
	is("3.6.5", last_trap.eflags & EFLAGS_STATUS, EFLAGS_STATUS,
	   "with the status flags as they were");
}

void returns(void)
{
	to_user();
	in_kernel();
	bad_frames();
	by_sysexit();
}

/* ---- gates ------------------------------------------------------------------ */

static void user_int(uint32_t n)
{
	user_pages[0][u_int_n - u_begin + 1] = (uint8_t)n;
	user_run(u_int_n, 0, 0);
}

static void write_gate(uint32_t n, uint32_t type_dpl)
{
	struct { uint16_t limit; uint32_t base; } __attribute__((packed)) p;
	uint32_t stub = trap_stub[n];

	vmi1(GetIDT, (uintptr_t)&p);
	vmi4(VMI_CALL_WriteIDTEntry, p.base, n,
	     KERNEL_CS << 16 | (stub & 0xffff),
	     (stub & 0xffff0000) | type_dpl);
}

void gates(void)
{
	static const uint8_t refused[] = { 0, 2, 13, 14, 0x20, 0x21, 0x7f,
					   0x82, 0xff };
	uint32_t right = 0, esp;

	for (uint32_t i = 0; i < sizeof(refused); i++) {
		user_int(refused[i]);
		right += last_trap.vector == VEC_GP &&
			 last_trap.error == refused[i] * 8u + 2 &&
			 last_trap.eip == user_va(u_int_n);
	}
	is("1.9", right, sizeof(refused),
	   "user INT n to a gate of the kernel is #GP(n * 8 + 2) at the INT");
	write_gate(0x21, 0x6e00);
	user_int(0x21);
	point("1.9", last_trap.vector == VEC_NP &&
	      last_trap.error == 0x21 * 8 + 2 &&
	      last_trap.eip == user_va(u_int_n),
	      "user INT n to a gate that is absent is #NP(n * 8 + 2) at the INT");
	write_gate(0x21, 0x8e00);
	user_int(0x80);
	is("1.9", last_trap.vector, 0x80, "user INT 80h to a gate of DPL 3");
	user_int(3);
	point("1.9", last_trap.vector == 3 && last_trap.eip ==
	      user_va(u_int_n) + 2, "user INT 3 to a gate of DPL 3");
	is("1.8", last_mask & EFLAGS_IF, 0,
	   "an interrupt gate from user mode turns the flag off");
	user_run(u_int3, 0, 0);
	point("1.8", last_trap.vector == 3 && last_trap.eip ==
	      user_va(u_int3) + 1, "user INT3 traps behind it");
	user_run(u_syscall, 0, 0);
	is("1.8", last_mask & EFLAGS_IF, EFLAGS_IF,
	   "a trap gate from user mode leaves it on");
	is("1.8", last_trap.eflags & EFLAGS_IF, EFLAGS_IF,
	   "the frame from user mode has the flag");
	is("1.8", last_trap.error, 0, "a trap has no error code");

	/* gates by WriteIDTEntry */
	write_gate(0x21, 0xee00);
	user_int(0x21);
	is("3.2.13", last_trap.vector, 0x21,
	   "WriteIDTEntry opens a gate to user mode");
	is("3.2.13", last_mask & EFLAGS_IF, 0, "as an interrupt gate");
	write_gate(0x21, 0xef00);
	user_int(0x21);
	is("3.2.13", last_mask & EFLAGS_IF, EFLAGS_IF,
	   "WriteIDTEntry makes it a trap gate");
	write_gate(0x21, 0x8e00);
	user_int(0x21);
	point("3.2.13", last_trap.vector == VEC_GP &&
	      last_trap.error == 0x21 * 8 + 2, "WriteIDTEntry closes it again");

	/* in the kernel: three words, DPL does not matter */
	vmi0(DisableInterrupts);
	is("3.6.7", try_int80(0), 0x80, "INT 80h in the kernel");
	is("3.6.7", last_trap.cs & ~3u, KERNEL_CS, "with the kernel's CS");
	is("1.2", last_trap.cs & 3, kernel_ring(), "and its ring");
	is("1.8", last_trap.eflags & EFLAGS_IF, 0,
	   "the frame has the virtual flag, off");
	is("1.8", last_mask & EFLAGS_IF, 0, "and so has the handler");
	is("1.8", last_trap.eip, (uintptr_t)at_int80 + 2, "EIP is behind it");
	__asm__("mov %%esp, %0" : "=r"(esp));
	point("3.6.7", esp - last_trap_esp < 256 || last_trap_esp - esp < 256,
	      "on the same stack");
	vmi0(EnableInterrupts);
	try_int80(0);
	is("1.8", last_trap.eflags & EFLAGS_IF, EFLAGS_IF,
	   "the frame has the virtual flag, on");
	is("1.8", last_mask & EFLAGS_IF, EFLAGS_IF,
	   "a trap gate in the kernel leaves it on");
	try_int21(0);
	is("1.9", last_trap.vector, 0x21, "INT 21h in the kernel");
	is("1.8", last_mask & EFLAGS_IF, 0,
	   "an interrupt gate in the kernel turns it off");
	is("1.8", last_trap.eflags & EFLAGS_IF, EFLAGS_IF,
	   "the frame has it on");
	is("3.6.3", vmi0(GetInterruptMask) & EFLAGS_IF, EFLAGS_IF,
	   "and the IRET turns it on again");
	vmi0(DisableInterrupts);
}

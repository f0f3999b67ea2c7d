// SPDX-License-Identifier: GPL-2.0-only
/* Control and debug registers, CPUID, TSC, IOPL, plain instructions. */
#include "conf.h"

#define VEC_NM		7
#define VEC_UD		6
#define CPUID_HYPERVISOR (1u << 31)
#define CPUID_NAME	0x40000000u
#define CR4_TSD		4u
#define MSR_TSC		0x10u
#define MSR_SYSENTER_ESP 0x175u
#define MSR_NONE	0x12345678u
#define MANY_READS	1000
#define EFLAGS_IOPL	0x3000u

static void crs(void)
{
	const uint32_t cr0 = vmi0(GetCR0), cr4 = vmi0(GetCR4);

	vmi1(SetCR2, 0x12345678);
	is_of(SetCR2, "3.2.16", vmi0(GetCR2), 0x12345678, "SetCR2 stores");
	vmi1(SetCR2, 0xfffffffc);
	is_of(SetCR2, "3.2.16", vmi0(GetCR2), 0xfffffffc,
	      "SetCR2 stores any value");
	vmi1(SetCR0, cr0 | CR0_TS);
	is_of(SetCR0, "3.2.15", vmi0(GetCR0), cr0 | CR0_TS, "SetCR0 sets TS");
	is_of(SetCR0, "3.2.15", try_fpu(0), VEC_NM, "with TS the FPU is #NM");
	is("1.8", last_trap.eip, (uintptr_t)at_fpu, "its EIP is the instruction");
	user_run(u_fpu, 0, 0);
	is_of(SetCR0, "3.2.15", last_trap.vector, VEC_NM,
	      "in user mode too");
	vmi0(CLTS);
	is_of(CLTS, "3.2.28", vmi0(GetCR0), cr0 & ~CR0_TS, "CLTS clears TS alone");
	is_of(CLTS, "3.2.28", try_fpu(0), (uint32_t)-1,
	      "after CLTS the FPU works");
	user_run(u_fpu, 0, 0);
	is_of(CLTS, "3.2.28", last_trap.vector, VEC_SYSCALL,
	      "in user mode too");
	vmi0(CLTS);
	is_of(CLTS, "3.2.28", vmi0(GetCR0), cr0 & ~CR0_TS, "CLTS again");
	vmi1(SetCR0, cr0 | 4);
	is_of(SetCR0, "3.2.15", try_fpu(0), VEC_NM, "with EM the FPU is #NM");
	vmi1(SetCR0, cr0);
	is_of(SetCR0, "3.2.15", vmi0(GetCR0), cr0, "SetCR0 gives back all bits");

	vmi1(SetCR4, cr4 | CR4_TSD);
	is_of(SetCR4, "3.2.15", vmi0(GetCR4) & CR4_TSD, CR4_TSD,
	      "SetCR4 sets TSD");
	user_run(u_rdtsc, 0, 0);
	is_of(SetCR4, "3.2.15", last_trap.vector, VEC_GP,
	      "with TSD the user's RDTSC is #GP");
	vmi1(SetCR4, cr4);
	is_of(SetCR4, "3.2.15", vmi0(GetCR4), cr4, "SetCR4 clears TSD");
	user_run(u_rdtsc, 0, 0);
	is_of(SetCR4, "3.2.15", last_trap.vector, VEC_SYSCALL,
	      "the user's RDTSC works");
	vmi1(SetCR3, root(&ours));
	is_of(SetCR3, "3.2.19", vmi0(GetCR3), root(&ours),
	      "GetCR3 gives what SetCR3 took");
}

static void debug_registers(void)
{
	uint32_t value;

	for (uint32_t i = 0; i < 4; i++)
		vmi2(SetDR, i, 0x1000 * (i + 1));
	for (uint32_t i = 0; i < 4; i++) {
		value = vmi1(GetDR, i);
		point_of(VMI_CALL_SetDR, "3.2.24",
			 value == 0x1000 * (i + 1) || value == 0,
			 i == 0 ? "DR0 holds what was set, or 0" :
			 i == 1 ? "DR1 holds what was set, or 0" :
			 i == 2 ? "DR2 holds what was set, or 0" :
			 "DR3 holds what was set, or 0");
	}
	vmi2(SetDR, 7, 0);
	value = vmi1(GetDR, 7);
	point_of(VMI_CALL_GetDR, "3.2.24", value == 0x400 || value == 0,
		 "DR7 without breakpoints");
	point_of(VMI_CALL_GetDR, "3.2.24", vmi1(GetDR, 5) == value,
		 "DR5 means DR7");
	vmi2(SetDR, 6, 0xffff0ff0);
	value = vmi1(GetDR, 6);
	point_of(VMI_CALL_GetDR, "3.2.24", value == 0xffff0ff0 || value == 0,
		 "DR6 without causes");
	point_of(VMI_CALL_GetDR, "3.2.24", vmi1(GetDR, 4) == value,
		 "DR4 means DR6");
	if (!vmi1(GetDR, 3)) {
		skip("3.2.24", "a breakpoint in user mode",
		     "there are no debug registers");
	} else {
		vmi2(SetDR, 0, user_va(u_rdtsc));
		vmi2(SetDR, 7, 0x402);		/* G0, execution */
		user_run(u_rdtsc, 0, 0);
		vmi2(SetDR, 7, 0x400);
		value = vmi1(GetDR, 6);
		point_of(VMI_CALL_SetDR, "3.2.24", last_trap.vector == 1 &&
			 last_trap.eip == user_va(u_rdtsc),
			 "a breakpoint in user mode is #DB");
		is_of(GetDR, "3.2.24", value & 15, 1,
		      "DR6 names the breakpoint");
		user_run(u_rdtsc, 0, 0);
		is_of(SetDR, "3.2.24", last_trap.vector, VEC_SYSCALL,
		      "none when DR7 is clear");
	}
	for (uint32_t i = 0; i < 4; i++)
		vmi2(SetDR, i, 0);
	vmi2(SetDR, 6, 0xffff0ff0);
}

static void cpuid_and_tsc(void)
{
	uint32_t native[4], r[4], again[4];
	uint64_t before, after;
	bool forward = true;

	__asm__ volatile("cpuid" : "=a"(native[0]), "=b"(native[1]),
			 "=c"(native[2]), "=d"(native[3]) : "a"(0), "c"(0));
	vmi_cpuid(0, r);
	point_of(VMI_CALL_CPUID, "3.2.0", r[0] >= 1 && r[1] == native[1] &&
		 r[2] == native[2] && r[3] == native[3],
		 "CPUID leaf 0 names the processor in ebx, ecx, edx");
	vmi_cpuid(1, r);
	vmi_cpuid(1, again);
	point_of(VMI_CALL_CPUID, "3.2.0", r[0] == again[0] && r[2] == again[2]
		 && r[3] == again[3], "CPUID leaf 1 answers the same again");
	is_of(CPUID, "3.2.0", r[3] & 0x11, 0x11, "CPUID tells of FPU and TSC");

	if (r[2] & CPUID_HYPERVISOR) {
		vmi_cpuid(CPUID_NAME, native);
		vmi_cpuid(CPUID_NAME, again);
		point_of(VMI_CALL_CPUID, "3.2.98", native[0] >= CPUID_NAME &&
			 native[0] <= CPUID_NAME + 0xffff &&
			 native[1] == again[1] && native[2] == again[2] &&
			 native[3] == again[3],
			 "the hypervisor's leaf has its highest and a name");
	} else {
		skip("3.2.98", "the hypervisor's name", "no hypervisor is shown");
	}
	before = vmi64(VMI_CALL_RDTSC, 0);
	for (int i = 0; i < MANY_READS; i++) {
		after = vmi64(VMI_CALL_RDTSC, 0);
		forward &= after > before;
		before = after;
	}
	point_of(VMI_CALL_RDTSC, "3.2.27", forward, "RDTSC goes forward");
	user_run(u_rdtsc, 0, 0);
	after = vmi64(VMI_CALL_RDTSC, 0);
	point_of(VMI_CALL_RDTSC, "3.2.27",
		 ((uint64_t)last_trap.edx << 32 | last_trap.eax) > before &&
		 ((uint64_t)last_trap.edx << 32 | last_trap.eax) < after,
		 "and is what user mode reads");
}

/* By CLI or STI, with the IOPL that was asked for. */
static void is_refused_at_iopl_3(const char *name)
{
	const uint32_t flags = EFLAGS_IF | EFLAGS_IOPL;

	if (!point("1.3", last_trap.vector == VEC_GP &&
		   (last_trap.eflags & flags) == flags, name))
		print("# vector %u, flags %x\n", last_trap.vector,
		      last_trap.eflags);
}

/* Where nobody is between the frame and the processor. */
static void iopl_at_ring_0(void)
{
	struct user in = user_state(u_in), cli = user_state(u_cli);

	if (kernel_ring()) {
		skip("3.6.8", "IOPL as in the frame",
		     "the kernel is not at ring 0");
		return;
	}
	point("3.6.8", !offered(VMI_CALL_SetIOPLMask),
	      "at ring 0 SetIOPLMask is the guest's");
	in.eflags |= EFLAGS_IOPL;
	enter_user(&in);
	point("3.6.8", last_trap.vector == VEC_SYSCALL &&
	      (last_trap.eflags & EFLAGS_IOPL) == EFLAGS_IOPL,
	      "at ring 0 IOPL 3 of a frame frees the ports");
	cli.eflags |= EFLAGS_IOPL;
	enter_user(&cli);
	point("3.6.8", last_trap.vector == VEC_SYSCALL &&
	      !(last_trap.eflags & EFLAGS_IF), "and the interrupt flag");
}

static void iopl(void)
{
	struct user u = user_state(u_in);

	iopl_at_ring_0();

	if (!offered(VMI_CALL_SetIOPLMask)) {
		skip("3.2.61", "user ports", "the guest keeps IOPL in its frames");
		skip("3.6.3", "IRET does not change IOPL",
		     "the guest keeps IOPL in its frames");
		skip("1.3", "user CLI at IOPL 3",
		     "the guest keeps IOPL in its frames");
		return;
	}
	vmi1(SetIOPLMask, 0x3000);
	user_run(u_in, 0, 0);
	is("3.2.61", last_trap.vector, VEC_SYSCALL,
	   "SetIOPLMask 3 lets user mode use ports");
	is("3.2.61", last_trap.eflags & 0x3000, 0x3000,
	   "the frame from user mode has IOPL 3");
	user_run(u_cli, 0, 0);
	is_refused_at_iopl_3("user mode at IOPL 3 cannot turn interrupts off");
	user_run(u_sti, 0, 0);
	is_refused_at_iopl_3("nor may it turn them on");
	user_run(u_popf, 0, 0);
	point("1.3", last_trap.vector == VEC_SYSCALL &&
	      (last_trap.eflags & (EFLAGS_IF | EFLAGS_IOPL)) ==
	      (EFLAGS_IF | EFLAGS_IOPL),
	      "at IOPL 3 POPF turns nothing off");
	vmi0(EnableInterrupts);
	vmi0(DisableInterrupts);
	vmi1(SetIOPLMask, 0xffffcfff);
	user_run(u_in, 0, 0);
	is("3.2.61", last_trap.vector, VEC_GP,
	   "SetIOPLMask 0 forbids it, whatever the other bits");
	is("3.2.61", last_trap.eflags & 0x3000, 0,
	   "the frame from user mode has IOPL 0");
	u.eflags |= 0x3000;
	enter_user(&u);
	is("3.6.3", last_trap.vector, VEC_GP, "IRET does not raise IOPL");
	vmi1(SetIOPLMask, 0x1000);
	user_run(u_in, 0, 0);
	is("3.2.61", last_trap.vector, VEC_GP, "IOPL 1 is not enough");
	vmi1(SetIOPLMask, 0);
}

/* The table pointers go through a page that lies elsewhere in memory. */
static void linear_addresses(void)
{
	struct { uint16_t limit; uint32_t base; } __attribute__((packed))
		*const there = (void *)(play_va(STACK_PAGE) + 16),
		*const same_page = (void *)(user_pages[1] + 16);

	there->base = 0;
	vmi1(GetGDT, (uintptr_t)there);
	is_of(GetGDT, "3.1.3", same_page->base, (uintptr_t)gdt,
	      "GetGDT takes a linear address");
	vmi1(SetGDT, (uintptr_t)there);
	is_of(SetGDT, "3.1.3", try_load_ds(USER_DS), (uint32_t)-1,
	      "SetGDT takes a linear address");
	vmi1(GetIDT, (uintptr_t)there);
	vmi1(SetIDT, (uintptr_t)there);
	is_of(SetIDT, "3.1.3", try_int80(0), VEC_SYSCALL,
	      "and SetIDT and GetIDT");
}

void control(void)
{
	volatile uint32_t word = 0x13579bdf;

	crs();
	debug_registers();
	cpuid_and_tsc();
	iopl();
	linear_addresses();
	vmi0(WBINVD);
	is_of(WBINVD, "3.2.23", word, 0x13579bdf, "WBINVD loses nothing");
	for (int i = 0; i < MANY_READS; i++)
		vmi0(IODelay);
	point_of(VMI_CALL_IODelay, "3.2.65", true, "IODelay returns");
	point_of(VMI_CALL_MachineToPhysical, "3.2.42",
		 !offered(VMI_CALL_MachineToPhysical) ||
		 vmi1(MachineToPhysical, vmi1(PhysicalToMachine, 0x123)) == 0x123,
		 "MachineToPhysical undoes PhysicalToMachine");
	if (offered(VMI_CALL_RDPMC))
		point("3.2.26", vmi3(RDPMC, 0, 0, 0) + 1, "RDPMC returns");
	else
		skip("3.2.26", "RDPMC", "not offered");
	if (offered(VMI_CALL_RDMSR))
		point("3.2.2", vmi3(RDMSR, 0, 0, 0x10) + 1, "RDMSR of the TSC");
	else
		skip("3.2.2", "RDMSR", "the guest keeps its own RDMSR");
	skip("3.2.1", "WRMSR", offered(VMI_CALL_WRMSR) ?
	     "no register is the guest's for sure" :
	     "the guest keeps its own WRMSR");
}

/*
 * MSRs and performance counters: a ROM that leaves them to the guest (VMI-
 * 2.5.1) lets their faults come at the guest's own instruction, for which a
 * kernel has a handler, and not inside the ROM.
 */
/* QEMU's processor lets pass what is not there; at ring 1 nobody may. */
static bool refused_at(const uint8_t *at, int raised)
{
	return (raised == -1 && kernel_ring() == 0) ||
	       ((raised == VEC_GP || raised == VEC_UD) &&
		last_trap.error == 0 && last_trap.eip == (uintptr_t)at);
}

static void registers_by_number(void)
{
	int raised;

	is("2.5.1", try_rdmsr(MSR_TSC), (uint32_t)-1, "RDMSR of the TSC");
	wrmsr(MSR_SYSENTER_ESP, 0x87654321);
	point("2.5.1", rdmsr(MSR_SYSENTER_ESP) == 0x87654321,
	      "WRMSR of SYSENTER's stack is read back");
	wrmsr(MSR_SYSENTER_ESP, 0);
	point("2.5.1", refused_at(at_rdmsr, try_rdmsr(MSR_NONE)),
	      "RDMSR of what is not there faults at the instruction");
	point("2.5.1", refused_at(at_wrmsr, try_wrmsr(MSR_NONE)),
	      "WRMSR of what is not there faults at the instruction");
	raised = try_rdpmc(0);
	point("2.5.1", raised == -1 || refused_at(at_rdpmc, raised),
	      "RDPMC counts, or faults at the instruction");
	point("2.5.1", refused_at(at_rdpmc, try_rdpmc(0x3fffffff)),
	      "RDPMC of what is not there faults at the instruction");
}

/* ---- VMI-1.4: the instructions that calls stand for --------------------------- */

void instructions(void)
{
	struct { uint16_t limit; uint32_t base; } __attribute__((packed)) p;
	const uint32_t cr0 = vmi0(GetCR0), cr4 = vmi0(GetCR4);
	uint32_t value, count;

	__asm__ volatile("mov %%cr0, %0" : "=r"(value));
	is("1.4", value, cr0, "MOV from CR0 gives what the call gives");
	__asm__ volatile("mov %%cr3, %0" : "=r"(value));
	is("1.4", value, root(&ours), "MOV from CR3");
	__asm__ volatile("mov %%cr4, %0" : "=r"(value));
	is("1.4", value, cr4, "MOV from CR4");
	__asm__ volatile("mov %0, %%cr2" : : "r"(0x5678));
	is("1.4", vmi0(GetCR2), 0x5678, "MOV to CR2");
	__asm__ volatile("mov %0, %%cr0" : : "r"(cr0 | CR0_TS));
	is("1.4", try_fpu(0), VEC_NM, "MOV to CR0 sets TS");
	__asm__ volatile("clts");
	is("1.4", vmi0(GetCR0), cr0, "CLTS, the instruction");
	__asm__ volatile("mov %0, %%cr3" : : "r"(root(&ours)) : "memory");
	is("1.4", vmi0(GetCR3), root(&ours), "MOV to CR3");
	__asm__ volatile("sti");
	is("1.4", vmi0(GetInterruptMask) & EFLAGS_IF, EFLAGS_IF,
	   "STI sets the flag");
	__asm__ volatile("cli");
	is("1.4", vmi0(GetInterruptMask) & EFLAGS_IF, 0, "CLI clears the flag");
	count = irq0_count;
	pit_wait();
	__asm__ volatile("sti\n\tnop\n\tcli");
	is("1.4", irq0_count, count + 1, "STI delivers what is pending");
	count = irq0_count;
	pit_one_shot();
	__asm__ volatile("sti\n\thlt\n\tcli");
	is("1.4", irq0_count, count + 1, "HLT waits");
	play_map(PLAY_FIRST, frame_entry(1));
	flush();
	play_read(PLAY_FIRST);
	play_map(PLAY_FIRST, frame_entry(2));
	__asm__ volatile("invlpg %0"
			 : : "m"(*(char *)play_va(PLAY_FIRST)) : "memory");
	is("1.4", play_read(PLAY_FIRST), FRAME_MARK + 2,
	   "INVLPG makes an update visible");
	play_map(PLAY_FIRST, frame_entry(3));
	__asm__ volatile("mov %0, %%cr3" : : "r"(root(&ours)) : "memory");
	is("1.4", play_read(PLAY_FIRST), FRAME_MARK + 3,
	   "MOV to CR3 makes an update visible");
	vmi1(GetGDT, (uintptr_t)&p);
	__asm__ volatile("lgdt %0" : : "m"(p));
	is("1.4", try_load_ds(USER_DS), (uint32_t)-1, "LGDT");
	vmi1(GetIDT, (uintptr_t)&p);
	__asm__ volatile("lidt %0" : : "m"(p));
	is("1.4", try_int80(0), VEC_SYSCALL, "LIDT");
	__asm__ volatile("lldt %w0" : : "r"(0));
	is("1.4", vmi0(GetLDT) & ~3u, 0, "LLDT");
	__asm__ volatile("mov %0, %%dr1" : : "r"(0x4000));
	value = vmi1(GetDR, 1);
	point("1.4", value == 0x4000 || value == 0, "MOV to DR1");
	__asm__ volatile("wbinvd" : : : "memory");
	point("1.4", true, "WBINVD");
	registers_by_number();
}

// SPDX-License-Identifier: GPL-2.0-only
/* The flag and what it holds back, frames, page faults, events of user mode, stacks:
 * VMI64-1.4 to 1.6, VMI-3.6, VMI-3.4.11. */
#include "conf64.h"
#include "pc.h"

uint32_t kernel_ring(void)
{
	uint16_t cs;

	__asm__("mov %%cs, %0" : "=r"(cs));
	return cs & 3u;
}

bool is_reserved(uint64_t error, uint64_t expected)
{
	return error == expected || (!kernel_ring() && error == (expected & ~1u));
}

bool is_gate_error(uint64_t error, uint32_t vector)
{
	return error == vector * 8 + 2 ||
	       (!kernel_ring() && error == vector * 16 + 2);
}

/* ---- the virtual flag ------------------------------------------------------------ */

static bool flag(void)
{
	return vmi0(GetInterruptMask) & EFLAGS_IF;
}

void interrupt_now(void (*hook)(struct frame *))
{
	pit_wait();
	vector_hook[VEC_IRQ0] = hook;
	vmi0(EnableInterrupts);
	vmi0(DisableInterrupts);
	vector_hook[VEC_IRQ0] = NULL;
}

/* How many come when it is turned on so. */
enum way { ENABLE, SET_MASK, IRET, HALT };

static void delivered(enum way way, const char *name, const char *again)
{
	const uint32_t before = irq0_count;

	vmi0(DisableInterrupts);
	pit_wait();
	switch (way) {
	case ENABLE:
		vmi0(EnableInterrupts);
		break;
	case SET_MASK:
		vmi1(SetInterruptMask, EFLAGS_IF);
		break;
	case IRET:
		iret_to_self(EFLAGS_FIXED | EFLAGS_IF);
		break;
	case HALT:
		vmi0(Halt);
	}
	is("VMI-3.6.2", irq0_count - before, 1, name);
	vmi0(EnableInterrupts);
	for (volatile uint32_t i = 0; i < 1000; i++)
		;
	vmi0(DisableInterrupts);
	is("VMI-3.6.2", irq0_count - before, 1, again);
}

void flags(void)
{
	uint32_t before;

	/* what the BIOS has left of the PIT's periods */
	interrupt_now(NULL);
	interrupt_now(NULL);
	before = irq0_count;
	vmi0(EnableInterrupts);
	is_of(GetInterruptMask, "VMI64-3.2.31", flag(), 1,
	      "GetInterruptMask has the flag in bit 9");
	is_of(EnableInterrupts, "VMI-3.2.29", flag(), 1,
	      "EnableInterrupts sets it");
	vmi0(EnableInterrupts);
	is_of(EnableInterrupts, "VMI-3.2.29", flag(), 1, "again");
	vmi0(DisableInterrupts);
	is_of(DisableInterrupts, "VMI-3.2.30", flag(), 0,
	      "DisableInterrupts clears it");
	vmi0(DisableInterrupts);
	is_of(DisableInterrupts, "VMI-3.2.30", flag(), 0, "again");
	vmi1(SetInterruptMask, EFLAGS_IF);
	is_of(SetInterruptMask, "VMI64-3.2.32", flag(), 1,
	      "SetInterruptMask sets it");
	vmi1(SetInterruptMask, ~EFLAGS_IF);
	is_of(SetInterruptMask, "VMI64-3.2.32", flag(), 0,
	      "and clears it, by bit 9 alone");
	vmi1(SetInterruptMask, ~0ull);
	is_of(SetInterruptMask, "VMI64-3.2.32", flag(), 1,
	      "other bits are ignored");
	vmi0(DisableInterrupts);
	pit_wait();
	for (volatile uint32_t i = 0; i < 1000; i++)
		;
	is("VMI-3.6.1", irq0_count, before, "none comes while the flag is off");
	vmi1(SetInterruptMask, 0);
	is("VMI-3.6.1", irq0_count, before, "nor when it is turned off again");
	iret_to_self(EFLAGS_FIXED);
	is("VMI-3.6.1", irq0_count, before, "nor by an IRET that leaves it off");
	vmi0(EnableInterrupts);
	vmi0(DisableInterrupts);
	is("VMI-3.6.2", irq0_count, before + 1, "but then");
	is("VMI64-1.4", irq0_flags & EFLAGS_IF, EFLAGS_IF,
	   "the frame of an interrupt has the flag on");
	is("VMI64-1.4", irq0_mask, 0, "its handler begins with it off");
	is("VMI64-1.4", irq0_cs & 3, kernel_ring(), "CS has the kernel's ring");
	delivered(ENABLE, "one comes with EnableInterrupts", "once");
	delivered(SET_MASK, "with SetInterruptMask", "once");
	delivered(IRET, "with an IRET in the kernel", "once");
	delivered(HALT, "with Halt", "once");
	pit_one_shot();
	vmi0(Halt);
	is("VMI-3.2.35", irq0_count, before + 6, "Halt waits for one");
	is("VMI-3.6.6", flag(), 1, "and returns with the flag on");
	vmi0(DisableInterrupts);
}

/* ---- frames in the kernel --------------------------------------------------------- */

static uint64_t hooked_mask;

static void note_mask(struct frame *f)
{
	(void)f;
	hooked_mask = vmi0(GetInterruptMask);
}

/* Code with RDI = 7F8h, RSI not canonical, DH 0. */
static void fault_at(const char *code, uint32_t vector, uint64_t error,
		     uint32_t past, const char *name)
{
	if (!point("VMI64-1.4", probe_exec((uint64_t)code, 0x7f8, 1ull << 63) ==
		   vector && last.error == error &&
		   last.rip == (uint64_t)code + past, name))
		print("# vector %u error %x\n", (uint32_t)last.vector,
		      (uint32_t)last.error);
}

void frames(void)
{
	static uint8_t stack[8192] __attribute__((aligned(PAGE)));
	const uint64_t end = (uint64_t)stack + sizeof(stack) - 64;
	uint32_t wrong = 0, aligned = 0, rsp_wrong = 0;
	uint64_t at;

	for (uint32_t i = 0; i < 64; i++) {
		at = event_on(end - i);
		wrong += at != ((end - i) & ~15ull) - 40;
		aligned += (at + 40) % 16 == 0;
		rsp_wrong += last.rsp != end - i;
	}
	is("VMI64-1.4", wrong, 0, "a frame of five words is below RSP");
	is("VMI64-1.4", aligned, 64, "at a multiple of 16, whatever RSP was");
	is("VMI64-1.4", rsp_wrong, 0, "which the frame has");
	vmi0(EnableInterrupts);
	raised("\x0f\x0b");
	is("VMI64-1.4", last.cs & 3, kernel_ring(), "CS has the kernel's ring");
	is("VMI64-1.4", last.cs & ~3u, KERNEL_CS, "and the kernel's selector");
	point("VMI64-1.4", (last.ss & 3) == kernel_ring() &&
	      ((last.ss & ~3u) == KERNEL_DS || !(last.ss & ~3u)),
	      "SS is the kernel's or null, with that ring");
	is("VMI64-1.4", last.rflags & EFLAGS_IF, EFLAGS_IF,
	   "RFLAGS has the virtual flag, on");
	is("VMI64-1.4", last_mask, 0, "an interrupt gate turns it off");
	is("VMI64-1.4", vmi0(GetInterruptMask), EFLAGS_IF,
	   "the return turns it on");
	vector_hook[VEC_SPARE] = note_mask;
	__asm__ volatile("int %0" : : "i"(VEC_SPARE) : "memory");
	is("VMI64-1.4", hooked_mask, EFLAGS_IF, "a trap gate leaves it on");
	vmi0(DisableInterrupts);
	__asm__ volatile("int %0" : : "i"(VEC_SPARE) : "memory");
	is("VMI64-1.4", hooked_mask, 0, "or off");
	vector_hook[VEC_SPARE] = NULL;
	raised("\x0f\x0b");
	is("VMI64-1.4", last.rflags & EFLAGS_IF, 0, "or off in the frame");
	fault_at("\x0f\x0b\xc3", VEC_UD, 0, 0, "UD2");
	fault_at("\xcc\xc3", VEC_BP, 0, 1, "INT3, behind it");
	fault_at("\xf6\xf6\xc3", VEC_DE, 0, 0, "a division by 0");
	fault_at(INT80 "\xc3", VEC_SYSCALL, 0, 2, "INT 80h, behind it");
	fault_at("\x8e\xdf\xc3", VEC_GP, 0x7f8, 0,
		 "MOV of a selector beyond the GDT, with its error code");
	fault_at("\x8b\x06\xc3", VEC_GP, 0, 0, "a read by no address");
}

/* ---- page faults in the kernel ------------------------------------------------------- */

static void fault(int64_t got, uint64_t va, uint32_t error, const char *name)
{
	if (!point("VMI-3.4.11", got == VEC_PF && last_cr2 == va &&
		   (error & 8 ? is_reserved(last.error, error) :
				last.error == error), name))
		print("# vector %x error %x cr2 %x:%x\n", (uint32_t)got,
		      (uint32_t)last.error, (uint32_t)(last_cr2 >> 32),
		      (uint32_t)last_cr2);
}

static void user_fault(const char *code, uint32_t bytes, uint64_t va,
		       uint32_t error, const char *name)
{
	struct user u = user_start;

	user_load(code, bytes);
	u.r.rbx = va;
	user_run(&u);
	fault((int64_t)last.vector, va, error, name);
}
#define USER_FAULT(code, va, error, name) \
	user_fault(code, sizeof(code) - 1, va, error, name)
#define READ	"\x8b\x03" INT80	/* mov eax, [rbx] */
#define WRITE	"\x89\x03" INT80
#define CALL	"\xff\xe3"		/* jmp rbx */

void faults(void)
{
	const uint64_t va = play_va(FIRST), none = 0xffffc00000000123;

	play_set(FIRST, 0);
	flush();
	fault(probe_read(va + 8), va + 8, 0, "a read of an absent page: 0");
	fault(probe_write(va + 16), va + 16, 2, "a write: 2");
	fault(probe_exec(va + 24, 0, 0), va + 24, 0, "a jump: 0, without NX");
	fault(probe_read(none), none, 0, "no table of any level: 0");
	fault(probe_write(none), none, 2, "a write there: 2");
	show(FIRST, 1, PTE_P);
	flush();
	fault(probe_write(va), va, 3, "a write to a page that is read-only: 3");
	play_set(FIRST, frame_pa(1) | PTE_P | PTE_W | 1ull << 51);
	flush();
	fault(probe_read(va), va, 9, "a reserved bit of an entry: 9");
	fault(probe_write(va), va, 0xb, "a write there: Bh");
	show(FIRST, 1, PTE_P);
	flush();
	USER_FAULT(READ, va, 5, "user mode reads the kernel's page: 5");
	USER_FAULT(WRITE, va, 7, "it writes it: 7");
	USER_FAULT(CALL, va, 5, "it jumps there: 5");
	play_set(FIRST, 0);
	flush();
	USER_FAULT(READ, va, 4, "user mode reads an absent page: 4");
	USER_FAULT(WRITE, va, 6, "it writes it: 6");
	USER_FAULT(CALL, va, 4, "it jumps there: 4");
	USER_FAULT(READ, none, 4, "it reads where no table is: 4");
	show(FIRST, 1, PTE_P | PTE_U);
	flush();
	USER_FAULT(WRITE, va, 7, "it writes what is read-only: 7");
	is("VMI64-1.4", probe_read(1ull << 63), VEC_GP,
	   "an address that is not canonical is a #GP");
	is("VMI64-1.4", last.error, 0, "with error code 0");
}

/* ---- events of user mode ----------------------------------------------------------------- */

static void user_event(const char *code, uint32_t bytes, uint32_t vector,
		       uint64_t error, uint32_t past, const char *name)
{
	struct user u = user_start;

	user_load(code, bytes);
	user_run(&u);
	if (!point(vector == VEC_GP && error ? "VMI64-1.1" : "VMI64-1.4",
		   last.vector == vector &&
		   (error ? is_gate_error(last.error, (uint32_t)error / 8) :
			    !last.error) && last.rip == USER_CODE + past && last.cs == USER_CS &&
		   last.ss == USER_DS && last.rsp == USER_STACK &&
		   (last.rflags & EFLAGS_IF), name))
		print("# vector %u error %x rip %x\n", (uint32_t)last.vector,
		      (uint32_t)last.error, (uint32_t)last.rip);
}
#define USER_EVENT(code, vector, error, past, name) \
	user_event(code, sizeof(code) - 1, vector, error, past, name)

void from_user(void)
{
	struct user u = user_start;

	USER_EVENT("\x0f\x0b", VEC_UD, 0, 0, "UD2 of user mode");
	USER_EVENT("\x31\xc9\xf7\xf1", VEC_DE, 0, 2, "a division by 0");
	USER_EVENT("\xcc", VEC_BP, 0, 1, "INT3");
	USER_EVENT(INT80, VEC_SYSCALL, 0, 2, "INT 80h");
	USER_EVENT("\xf4", VEC_GP, 0, 0, "HLT");
	USER_EVENT("\xfa", VEC_GP, 0, 0, "CLI");
	USER_EVENT("\xfb", VEC_GP, 0, 0, "STI");
	USER_EVENT("\xe4\x21", VEC_GP, 0, 0, "IN");
	USER_EVENT("\x0f\x20\xc0", VEC_GP, 0, 0, "MOV of CR0");
	USER_EVENT("\x0f\x22\xd8", VEC_GP, 0, 0, "MOV to CR3");
	USER_EVENT("\x0f\x21\xf8", VEC_GP, 0, 0, "MOV of DR7");
	USER_EVENT("\x0f\x01\x38", VEC_GP, 0, 0, "INVLPG");
	USER_EVENT("\x0f\x01\x13", VEC_GP, 0, 0, "LGDT");
	USER_EVENT("\x0f\x00\xd8", VEC_GP, 0, 0, "LTR");
	USER_EVENT("\x0f\x32", VEC_GP, 0, 0, "RDMSR");
	USER_EVENT("\x0f\x30", VEC_GP, 0, 0, "WRMSR");
	USER_EVENT("\x0f\x01\xf8", VEC_GP, 0, 0, "SWAPGS");
	USER_EVENT("\x48\x0f\x07", VEC_UD, 0, 0, "SYSRET, while SCE is clear");
	USER_EVENT("\x0f\x09", VEC_GP, 0, 0, "WBINVD");
	USER_EVENT("\xcd\x0e", VEC_GP, 14 * 8 + 2, 0,
		   "INT 14 is a #GP, by its gate's DPL");
	USER_EVENT("\xcd\x82", VEC_GP, 0x82 * 8 + 2, 0, "so is INT 82h");
	USER_EVENT("\xcd\x20", VEC_GP, 0x20 * 8 + 2, 0, "so is INT 20h");
	USER_EVENT("\xcd\xff", VEC_GP, 0xff * 8 + 2, 0, "so is INT FFh");
	is("VMI64-1.4", last_mask, 0, "the flag is off in its handler");
	u.rflags |= EFLAGS_TF;
	user_load("\x90\x90" INT80, 4);
	user_run(&u);
	point("VMI64-1.4", last.vector == VEC_DB && last.rip == USER_CODE + 1 &&
	      (last.rflags & EFLAGS_TF), "TF traps behind an instruction");
	is_of(GetDR, "VMI-3.2.24", vmi1(GetDR, 6) & 0x4000, 0x4000,
	      "DR6 says a single step");
	vmi2(SetDR, 6, 0);
	u = user_start;
	u.rflags |= 0x3000;
	user_load("\xfa" INT80, 3);
	user_run(&u);
	if (kernel_ring())
		is("VMI64-1.1", last.vector, VEC_GP,
		   "no IOPL lets user mode at the flag");
	else
		skip("VMI64-1.1", "no IOPL lets user mode at the flag",
		     "at ring 0 it is the processor's");
	vmi0(DisableInterrupts);
}

/* ---- stacks ---------------------------------------------------------------------------------- */

void set_gate(uint32_t vector, uint32_t type, uint32_t dpl, uint32_t ist)
{
	const uint64_t old[2] = { idt[2 * vector], idt[2 * vector + 1] };
	uint64_t gate[2];

	gate_set(vector, type, dpl, ist);
	gate[0] = idt[2 * vector];
	gate[1] = idt[2 * vector + 1];
	idt[2 * vector] = old[0];
	idt[2 * vector + 1] = old[1];
	vmi3(WriteIDTEntry, idt, vector, gate);
}

static uint8_t other_stack[8][2048] __attribute__((aligned(16)));

static uint64_t end_of(uint32_t n)
{
	return (uint64_t)other_stack[n] + sizeof(other_stack[n]);
}

static void ist_is(uint32_t n, uint64_t at)
{
	*(volatile uint64_t *)(tss + 28 + n * 8) = at;
}

static uint64_t frame_end(void)
{
	return last_at + sizeof(struct frame);
}

static void ist(void)
{
	static const char *const name[8] = {
		[1] = "a gate with IST 1 has its stack", [2] = "IST 2",
		[3] = "IST 3", [4] = "IST 4", [5] = "IST 5", [6] = "IST 6",
		[7] = "IST 7",
	};

	for (uint32_t n = 1; n < 8; n++) {
		ist_is(n, end_of(n));
		set_gate(VEC_UD, 14, 0, n);
		raised("\x0f\x0b");
		is("VMI64-1.6", frame_end(), end_of(n), name[n]);
	}
	raised("\x0f\x0b");
	is("VMI64-1.6", frame_end(), end_of(7), "the same once more");
	ist_is(7, end_of(6) - 512);
	raised("\x0f\x0b");
	is("VMI64-1.6", frame_end(), end_of(6) - 512,
	   "another that was stored there counts at once");
	ist_is(7, end_of(6) - 505);
	raised("\x0f\x0b");
	is("VMI64-1.6", frame_end(), (end_of(6) - 505) & ~15ull,
	   "its frame is aligned, too");
	USER("\x0f\x0b");
	is("VMI64-1.6", frame_end(), (end_of(6) - 505) & ~15ull,
	   "it counts for user mode");
	is("VMI64-1.6", last.rsp, USER_STACK, "whose RSP the frame has");
	set_gate(VEC_PF, 14, 0, 2);
	probe_read(0xffffc00000000000);
	is("VMI64-1.6", frame_end(), end_of(2), "a page fault with an IST");
	set_gate(VEC_PF, 14, 0, 0);
	set_gate(VEC_IRQ0, 14, 0, 4);
	interrupt_now(NULL);
	point("VMI64-1.6", true, "an interrupt with an IST comes and returns");
	set_gate(VEC_IRQ0, 14, 0, 0);
	set_gate(VEC_UD, 14, 0, 0);
	raised("\x0f\x0b");
	point("VMI64-1.6", frame_end() < (uint64_t)other_stack ||
	      frame_end() > end_of(7), "without one it is the stack in use");
}

/* The page below is absent; 64 bytes are left. */
static void little_room(void)
{
	const uint64_t bottom = play_va(FIRST + 1);
	uint64_t gate[2] = { idt[2 * VEC_SPARE], idt[2 * VEC_SPARE + 1] };
	const uint64_t old[2] = { gate[0], gate[1] };
	uint64_t to = (uint64_t)tight_entry;

	play_set(FIRST, 0);
	show(FIRST + 1, 5, PTE_P | PTE_W);
	flush();
	gate[0] = (gate[0] & 0x0000ffffffff0000) | (to & 0xffff) |
		  (to & 0xffff0000) << 32;
	gate[1] = to >> 32;
	vmi3(WriteIDTEntry, idt, VEC_SPARE, gate);
	is("VMI64-1.5", tight_event(bottom + 64), bottom + 24,
	   "64 bytes are enough for an event");
	is("VMI64-1.5", tight_event(bottom + 1024), bottom + 1024 - 40,
	   "as on any stack");
	vmi3(WriteIDTEntry, idt, VEC_SPARE, old);
}

void stacks(void)
{
	kernel_stack = end_of(0);
	USER(INT80);
	is("VMI64-3.2.14", frame_end(), end_of(0),
	   "UpdateKernelStack names the stack for user mode");
	kernel_stack = end_of(1) - 24;
	USER(INT80);
	is("VMI64-3.2.14", frame_end(), (end_of(1) - 24) & ~15ull,
	   "another, which is not aligned");
	USER("\x0f\x0b");
	is("VMI64-3.2.14", frame_end(), (end_of(1) - 24) & ~15ull,
	   "for exceptions, too");
	kernel_stack = 0;
	ist();
	little_room();
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The 32-bit processor of a guest: its start, descriptor tables, traps, ways
 * into user mode. The image is linked at 1 MB, where it also runs.
 */
#ifndef CPU_H
#define CPU_H

#include <stdbool.h>
#include <stdint.h>

/* ---- selectors: those of Linux, which SYSEXIT prescribes anyhow ---------- */

#define KERNEL_CS	0x60u
#define KERNEL_DS	0x68u
#define USER_CS		0x73u
#define USER_DS		0x7bu
#define TSS_SELECTOR	0x80u
#define GDT_ENTRIES	32
#define SPARE_GDT	6		/* first of three entries to play with */

#define EFLAGS_FIXED	0x002u
#define EFLAGS_IF	0x200u
#define CR0_TS		0x008u
#define PF_PRESENT	1u
#define PF_WRITE	2u
#define PF_USER		4u

#define VEC_DF		8
#define VEC_NP		11
#define VEC_SS		12
#define VEC_GP		13
#define VEC_PF		14
#define VEC_SYSCALL	0x80

/* ---- start: cmdline.c keeps the command line ------------------------------- */

void guest_start(const uint8_t *boot_params, uint32_t magic,
		 const uint32_t *multiboot);
void guest_main(void);			/* of the test */

/* ---- cpu.c ----------------------------------------------------------------- */

extern uint64_t gdt[GDT_ENTRIES];
void cpu_init(void);			/* own GDT, IDT; paging on */

/* A descriptor: limit up to FFFFh, and what else is in its high word. */
static inline uint64_t descriptor(uint32_t base, uint32_t limit, uint32_t high)
{
	high |= (base & 0xff000000) | (base >> 16 & 0xff);
	return (uint64_t)high << 32 | (uint32_t)(base << 16 | limit);
}

/* gdt.c, by the ROM; tests/conformance has one of its own. */
void write_gdt(uint32_t index, uint64_t entry);

static inline uint64_t rdmsr(uint32_t msr)
{
	uint64_t value;

	__asm__ volatile("rdmsr" : "=A"(value) : "c"(msr));
	return value;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr" : : "A"(value), "c"(msr));
}

/* ---- entry.asm ------------------------------------------------------------- */

struct frame {
	uint32_t es, ds;
	uint32_t edi, esi, ebp, esp_unused, ebx, edx, ecx, eax;
	uint32_t vector, error;
	uint32_t eip, cs, eflags;
	uint32_t esp, ss;		/* from user mode alone */
};

extern const uint32_t trap_stub[256];
extern uint8_t iret_site[];		/* 5 bytes to patch */
void load_tables(const void *gdt, const void *idt);

/*
 * Runs user code at eip with these registers until it traps; the trap is in
 * last_trap then, and the interrupt flag off.
 */
void run_user(uint32_t eip, uint32_t esp, uint32_t eax, uint32_t ebx,
	      bool sysexit);
void iret_to_self(void);		/* IRET in the kernel, IF set */
/* Where a trap from user mode ends: run_user() returns, or what is like it
 * and has set resume_esp. */
void __attribute__((noreturn)) resume_kernel(void);

/* Touch an address; the vector that it raised, or -1. */
int probe_read(uint32_t va);
int probe_write(uint32_t va);
int probe_exec(uint32_t va);		/* a call: to a fault or a RET */

/* ---- trap.c ----------------------------------------------------------------- */

extern uint32_t fixup;			/* where an expected trap goes on */
extern int fixup_vector;		/* which it was */
extern struct frame last_trap;		/* the last that was expected */
extern uint32_t last_trap_esp;		/* before its frame, in the kernel */
extern uint32_t last_trap_at;		/* where its frame was */
extern uint32_t last_mask;		/* GetInterruptMask in its handler */
extern uint32_t last_cr2;
extern uint32_t stack_override;		/* for traps from user mode, or 0 */
extern uint32_t sysexit_entry;		/* what run_user() jumps to */
extern volatile uint32_t irq0_count;
extern volatile uint32_t irq0_eflags;	/* of the last frame */
extern volatile uint32_t irq0_mask;	/* GetInterruptMask in the handler */
extern volatile uint32_t irq0_in_iret;	/* came inside the ROM's IRET */
extern const struct frame *irq0_frame;	/* while its handler runs */
extern void (*irq0_hook)(void);		/* what the handler does besides */
extern void (*vector_hook[256])(struct frame *f);	/* handlers of tests */
extern void (*where_hook)(void);	/* says so, before a trap ends it all */

/* For entry.asm and its like. */
void trap(struct frame *f);
void enter_kernel_stack(uint32_t esp);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The test guest: a kernel of a few hundred lines that uses the VMI as a
 * kernel would, and looks at the hypervisor's counters while it does.
 *
 * Linked at 1 MB, where it also runs: low memory is mapped twice, at 0 and
 * at LINEAR, and page tables are reached through LINEAR.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmi.h"
#include "vmi_stub.h"

#define PAGE		4096u
#define LINEAR		0xc0000000u	/* low memory once more */
#define MAPPED		(32u << 20)	/* how much of it */

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
#define PTE_P		0x001u
#define PTE_W		0x002u
#define PTE_U		0x004u
#define PTE_A		0x020u
#define PTE_D		0x040u
#define PTE_PS		0x080u
#define PF_PRESENT	1u
#define PF_WRITE	2u
#define PF_USER		4u

#define VEC_DF		8
#define VEC_NP		11
#define VEC_SS		12
#define VEC_GP		13
#define VEC_PF		14
#define VEC_IRQ0	0x20
#define VEC_SYSCALL	0x80

/* ---- entry.asm ------------------------------------------------------------- */

struct frame {
	uint32_t es, ds;
	uint32_t edi, esi, ebp, esp_unused, ebx, edx, ecx, eax;
	uint32_t vector, error;
	uint32_t eip, cs, eflags;
	uint32_t esp, ss;		/* from user mode alone */
};

extern const uint32_t trap_stub[256];
extern uint8_t user_code[], user_code_end[];
extern uint8_t iret_site[];		/* 5 bytes to patch */
void load_tables(const void *gdt, const void *idt);

/*
 * Runs user code at eip with these registers until it traps; the trap is in
 * last_trap then, and the interrupt flag off.
 */
void run_user(uint32_t eip, uint32_t esp, uint32_t eax, uint32_t ebx,
	      bool sysexit);
void iret_to_self(void);		/* IRET in the kernel, IF set */

/* Touch an address; the vector that it raised, or -1. */
int probe_read(uint32_t va);
int probe_write(uint32_t va);
int probe_exec(uint32_t va);		/* a call: to a fault or a RET */

/* Offsets into user_code. */
extern uint8_t user_syscall[], user_read[], user_write[], user_spin[];

/* ---- cpu.c ----------------------------------------------------------------- */

extern uint64_t gdt[GDT_ENTRIES];
extern uint32_t page_directory[1024];
void cpu_init(void);			/* own GDT, IDT; paging on */

/* ---- paging.c; tests/conformance has one of its own ------------------------ */

void paging_init(void);
void announce_tables(void);

static inline uint32_t *linear(void *low)
{
	return (uint32_t *)((uintptr_t)low + LINEAR);
}

static inline void outb(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t inb(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

/* ---- trap.c ----------------------------------------------------------------- */

extern struct frame last_trap;		/* the last that was expected */
extern uint32_t last_trap_esp;		/* before its frame, in the kernel */
extern uint32_t last_trap_at;		/* where its frame was */
extern uint32_t last_mask;		/* GetInterruptMask in its handler */
extern uint32_t last_cr2;
extern uint32_t stack_override;		/* for traps from user mode, or 0 */
extern volatile uint32_t irq0_count;
extern volatile uint32_t irq0_eflags;	/* of the last frame */
extern volatile uint32_t irq0_mask;	/* GetInterruptMask in the handler */
extern volatile uint32_t irq0_in_iret;	/* came inside the ROM's IRET */
extern const struct frame *irq0_frame;	/* while its handler runs */
extern void (*irq0_hook)(void);		/* what the handler does besides */
extern void (*vector_hook[256])(struct frame *f);	/* handlers of tests */
extern void (*where_hook)(void);	/* says so, before a trap ends it all */

/* ---- pic.c ------------------------------------------------------------------ */

void pic_init(void);
void pit_one_shot(void);
void pit_wait(void);			/* until its request is pending */

/* ---- vmi.c -------------------------------------------------------------------- */

extern uint8_t *rom;			/* as the scan found it */
extern uint32_t vmi_entry[VMI_CALL_COUNT];
extern uint8_t vmi_type[VMI_CALL_COUNT];

bool vmi_find(void);
int vmi_init(void);
uint32_t vmi_relocation(uint32_t call, uint8_t *type);
void vmi_fetch_entries(void);

/* Any call by number, with registers as VMI-3.1 has them. */
static inline uint32_t vmi4(int call, uint32_t eax, uint32_t edx,
			    uint32_t ecx, uint32_t stack)
{
	__asm__ volatile("pushl %4\n\tcall *%3\n\taddl $4, %%esp"
			 : "+a"(eax), "+d"(edx), "+c"(ecx)
			 : "r"(vmi_entry[call]), "r"(stack)
			 : "memory", "cc");
	return eax;
}
#define vmi0(name)		vmi4(VMI_CALL_##name, 0, 0, 0, 0)
#define vmi1(name, a)		vmi4(VMI_CALL_##name, a, 0, 0, 0)
#define vmi2(name, a, d)	vmi4(VMI_CALL_##name, a, d, 0, 0)
#define vmi3(name, a, d, c)	vmi4(VMI_CALL_##name, a, d, c, 0)

uint64_t cycles_per_second(void);
uint64_t vmi_cycles(void);
void set_alarm(uint32_t flags, uint64_t expiry, uint64_t period);
void vmi_cpuid(uint32_t leaf, uint32_t regs[4]);

/* Counter by the beginning of its name; -1 if there is none. */
int counter_find(const char *prefix);
uint64_t counter_read(int counter);

/* ---- tap.c ---------------------------------------------------------------------- */

void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* One result; what follows from note() explains a failure. */
bool ok(bool good, const char *name);
void tap_end(void);
extern unsigned int tap_failures;
#define same(actual, expected, name) do {				\
	uint32_t actual_ = (uint32_t)(actual);				\
	uint32_t expected_ = (uint32_t)(expected);			\
	if (!ok(actual_ == expected_, name))				\
		print("# %x, expected %x\n", actual_, expected_);	\
} while (0)

/* Exits so far, but for the machine's own and those of looking. */
bool exits_init(void);
uint64_t exits_now(void);
#define EXITS(count, statement) ({					\
	uint64_t begin_ = exits_now();					\
	for (unsigned int i_ = 0; i_ < (count); i_++) {			\
		statement;						\
	}								\
	exits_now() - begin_;						\
})
#define MANY	1000u

/* "nocosts" on the command line: for --no-batch, where they differ. */
extern bool judge_costs;
/* In total, count times the statement. */
#define costs(expected, count, statement, name) do {			\
	uint32_t exits_ = (uint32_t)EXITS(count, statement);		\
	uint32_t expected_ = (expected);				\
	if (judge_costs && !ok(exits_ == expected_, name))				\
		print("# %u exits, %u expected\n", exits_, expected_);	\
} while (0)

/* ---- test_*.c ----------------------------------------------------------------------- */

void test_rom(void);			/* test_calls.c */
void test_flags(void);
void test_registers(void);
void test_descriptors(void);
void test_user(void);			/* test_traps.c */
void test_hole(void);
void test_tables(void);			/* test_tables.c */
void test_batches(void);
void test_interrupts(void);		/* test_interrupts.c */
void test_windows(void);

void test_cpuid(void);			/* test_cpu.c */
void test_fpu(void);
void test_debug(void);
void test_ports(void);
void test_segments(void);
void test_vm86(void);
void test_sysenter(void);		/* test_sysenter.c */

/* A page table to play with, and what it maps. */
#define PLAY		0x40000000u	/* 4 MB, mapped by play_table */
#define FRAMES		512u		/* frame n begins with FRAME_MARK + n */
#define FRAME_MARK	0xf00d0000u
#define PLAY_FIRST	256u		/* page of PLAY; below: test_traps.c */
#define PLAY_PAGES	1024
extern uint32_t play_table[PLAY_PAGES];
void play_init(void);
void play_map(uint32_t page, uint32_t entry);	/* SetPxE */
uint32_t frame_entry(uint32_t n);	/* an entry for frame n */
uint32_t play_read(uint32_t page);
void user_wait(volatile uint32_t **word);	/* for the word to change */

#endif

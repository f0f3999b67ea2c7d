/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The 64-bit test guest: its processor, its memory, the ROM, and its suites. As
 * Linux it lives in the top 2 GB, with all memory at DIRECT, too. There is nothing
 * in GS or FS for itself.
 */
#ifndef GUEST64_H
#define GUEST64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tap.h"
#include "vmi64.h"

/* ---- its space ------------------------------------------------------------- */

#define PAGE		4096ull
#define LARGE		0x200000ull
#define TEXT_BASE	0xffffffff80000000ull
#define DIRECT		0xffff888000000000ull
#define RESERVED_HOLE	0xffff800000000000ull
/* 2 MB with a table of the tests', where 32-bit code can be, too. The first pages
 * are user mode's. */
#define PLAY		0x40000000ull
#define USER_CODE	PLAY
#define USER_STACK	(PLAY + 2 * PAGE)	/* its end */
#define PLAY_FIRST	16u

#define PTE_P		0x001ull
#define PTE_W		0x002ull
#define PTE_U		0x004ull
#define PTE_A		0x020ull
#define PTE_D		0x040ull
#define PTE_PS		0x080ull
#define PTE_NX		(1ull << 63)

static inline uint64_t pa(const void *at)
{
	return (uint64_t)at - TEXT_BASE;
}
/* Page tables are written there. */
static inline void *direct(uint64_t physical)
{
	return (void *)(physical + DIRECT);
}

typedef uint64_t table[512] __attribute__((aligned(PAGE)));
extern table boot_pml4, boot_pdpt, boot_pdpt_high, boot_pd, play_pd, play_pt;

/* ---- the processor ----------------------------------------------------------- */

#define KERNEL_CS	0x10u
#define KERNEL_DS	0x18u
#define USER32_CS	0x23u
#define USER_DS		0x2bu
#define USER_CS		0x33u
#define TSS_SELECTOR	0x40u		/* two entries */
#define LDT_SELECTOR	0x50u		/* two entries */
#define SPARE_GDT	12u		/* to play with */
#define GDT_ENTRIES	16u

#define EFLAGS_CF	0x001ull
#define EFLAGS_FIXED	0x002ull
#define EFLAGS_ZF	0x040ull
#define EFLAGS_SF	0x080ull
#define EFLAGS_TF	0x100ull
#define EFLAGS_IF	0x200ull
#define EFLAGS_DF	0x400ull
#define EFLAGS_OF	0x800ull
#define EFLAGS_AC	0x40000ull
#define EFLAGS_ID	0x200000ull
#define CR0_TS		0x008ull

#define VEC_DE		0
#define VEC_DB		1
#define VEC_BP		3
#define VEC_UD		6
#define VEC_DF		8
#define VEC_NP		11
#define VEC_SS		12
#define VEC_GP		13
#define VEC_PF		14
#define VEC_IRQ0	0x20
#define VEC_SYSCALL	0x80
#define VEC_SPARE	0x90

#define MSR_EFER	0xc0000080u
#define MSR_STAR	0xc0000081u
#define MSR_LSTAR	0xc0000082u
#define MSR_CSTAR	0xc0000083u
#define MSR_FMASK	0xc0000084u
#define MSR_FS_BASE	0xc0000100u
#define MSR_GS_BASE	0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u
#define EFER_SCE	0x001ull
#define EFER_NXE	0x800ull

static inline uint64_t rdmsr64(uint32_t msr)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (uint64_t)high << 32 | low;
}

static inline void wrmsr64(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr" : : "a"((uint32_t)value),
			 "d"((uint32_t)(value >> 32)), "c"(msr) : "memory");
}

struct registers {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
	uint64_t rdi, rsi, rbp, rbx, rdx, rcx, rax;
};

struct frame {
	struct registers r;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

/* What user mode begins with. */
struct user {
	struct registers r;
	uint64_t rip, cs, rflags, rsp, ss;
};

struct all {
	struct registers r;
	uint64_t flags;
};

struct seen {
	uint64_t rsp, rax, rcx, rbx, r11, flags, gs_base;
	uint32_t cs, ss, which, pad;
};
extern struct seen seen;
extern uint64_t seen_mask;		/* GetInterruptMask there */
void syscall_seen(void);

void cpu_init(void);
void paging_init(void);
void gate_set(uint32_t vector, uint32_t type, uint32_t dpl, uint32_t ist);
extern uint64_t gdt[GDT_ENTRIES], idt[512];
extern uint8_t tss[104];

/* native.c */
extern const void *const native_entry[VMI64_CALL_COUNT];

/* entry.asm */
extern const uint64_t trap_stub[256];
extern const uint8_t native_iret[], native_swapgs_iret[], iret_site[], syscall_target[],
	syscall32_target[], kernel_syscall_target[];
void load_tables(const void *gdt, const void *idt);
void run_user(const struct user *);
void __attribute__((noreturn)) resume_kernel(void);
void kernel_syscall(void);
void kernel_sysret(uint64_t rip);
void iret_to_self(uint64_t flags);
int64_t iret_frame(const void *frame);
void call_all(uint64_t address, struct all *);
int64_t probe_read(uint64_t va);
int64_t probe_write(uint64_t va);
int64_t probe_exec(uint64_t va, uint64_t rdi, uint64_t rsi);
int64_t probe_load_ds(uint32_t sel);
int64_t probe_int3(void);
int64_t probe_ud2(void);
int64_t probe_div(void);
int64_t probe_int80(void);

extern uint64_t fixup_rsp;

/* cpu.c */
extern uint64_t fixup;
extern int64_t fixup_vector;
extern struct frame last;		/* the last that was expected */
extern uint64_t last_at;		/* where its frame was */
extern uint64_t last_mask;		/* GetInterruptMask in its handler */
extern uint64_t last_cr2;
extern uint64_t kernel_stack;		/* for traps from user mode, or 0 */
extern void *do_iret, *user_return;
extern volatile uint32_t irq0_count;
extern volatile uint64_t irq0_mask, irq0_flags, irq0_cs;
extern void (*vector_hook[256])(struct frame *);
extern void (*where_hook)(void);	/* what was done last, before it says why not */
void trap(struct frame *);
void enter_kernel_stack(uint64_t rsp);

/* ---- the ROM (rom.c) ------------------------------------------------------------ */

extern const uint8_t *rom;
extern uint64_t vmi_entry[VMI64_CALL_COUNT];
extern uint64_t vmi_type[VMI64_CALL_COUNT];
bool vmi_find(void);
int vmi_init(void);
struct vmi64_relocation vmi_relocation(uint32_t call);
void vmi_begin(void);

typedef uint64_t vmi_call(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);
#define vmi5(name, a, b, c, d, e) \
	(((vmi_call *)vmi_entry[VMI64_CALL_##name])((uint64_t)(a), (uint64_t)(b), \
		(uint64_t)(c), (uint64_t)(d), (uint64_t)(e)))
#define vmi0(name)		vmi5(name, 0, 0, 0, 0, 0)
#define vmi1(name, a)		vmi5(name, a, 0, 0, 0, 0)
#define vmi2(name, a, b)	vmi5(name, a, b, 0, 0, 0)
#define vmi3(name, a, b, c)	vmi5(name, a, b, c, 0, 0)
#define vmi4(name, a, b, c, d)	vmi5(name, a, b, c, d, 0)

/* ---- memory and user mode (play.c) ------------------------------------------------ */

#define FRAMES		64u		/* frame n begins with FRAME_MARK + n */
#define FRAME_MARK	0xf00d0000u
void play_init(void);
void set_entry(uint64_t *entry, uint64_t value);
void play_set(uint32_t page, uint64_t entry);
uint64_t play_va(uint32_t page);
uint64_t frame_pa(uint32_t n);
uint32_t word_at(uint64_t va);
void flush(void);

/* Code in user mode, until it traps (last) or makes a system call (seen). */
void user_load(const char *code, uint32_t bytes);
void user_run(struct user *);
extern struct user user_start;		/* 64-bit, at USER_CODE */
extern struct user user_start32;
#define USER(code) do {							\
	struct user u_ = user_start;					\
									\
	user_load(code, sizeof(code) - 1);				\
	user_run(&u_);							\
} while (0)

/* ---- results ----------------------------------------------------------------------- */

#define same64(actual, expected, name) do {				\
	uint64_t actual_ = (uint64_t)(actual);				\
	uint64_t expected_ = (uint64_t)(expected);			\
	if (!ok(actual_ == expected_, name))				\
		print("# %x:%x, expected %x:%x\n",			\
		      (uint32_t)(actual_ >> 32), (uint32_t)actual_,	\
		      (uint32_t)(expected_ >> 32), (uint32_t)expected_); \
} while (0)

/* ---- suites ----------------------------------------------------------------------- */

void test_early(void);			/* before VMI_Init */
void test_rom(void);
void test_flags(void);
void test_registers(void);
void test_bases(void);
void test_returns(void);
void test_syscall(void);
void test_exceptions(void);
void test_descriptors(void);
void test_pages(void);
void test_spaces(void);
void test_interrupts(void);
void test_apic(void);
void test_instructions(void);
void test_debug(void);
void test_xsave(void);
void test_several(void);		/* processors */
void test_hypercalls(void);
void test_loans(void);

#endif

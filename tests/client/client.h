/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The old client: a kernel of a thousand lines that goes, call by call,
 * through what Linux 2.6.21 to 2.6.36 did with a VMI ROM: how it found and
 * entered one, patched itself, and then ran processes. Those kernels' binaries
 * are what a ROM has to work with, and they are not ours to change; this one
 * does what is known of them (spec/vmi.md has the rules, the comments here say
 * where old Linux went to the limits of these).
 */
#ifndef CLIENT_H
#define CLIENT_H

#include "calls.h"
#include "cpu.h"
#include "native.h"
#include "paging.h"
#include "pc.h"
#include "tap.h"

#define BASE		0xc0000000u
#define BOOT_MAPPED	(8u << 20)	/* when C begins */
#define LOWMEM		(32u << 20)	/* what is mapped at BASE in the end */
#define HIGHMEM_END	(60u << 20)	/* page tables of processes lie here */
#define KERNEL_RPL(cs)	((cs) & 3)
#define LDT_SELECTOR	0x88u
#define DOUBLE_FAULT_TSS 0xf8u
#define TLS_FIRST	6u
#define VEC_DIVIDE	0
#define VEC_UD		6
#define VEC_NM		7
#define VEC_BAD_IRET	0x100u
#define VEC_LVTT	0x41u
#define PTE_G		0x100u
#define PTE_NX		0x8000000000000000ull
#define EFLAGS_VM	0x20000u
#define EFLAGS_IOPL	0x3000u

extern uint8_t pae, nx;
extern uint8_t kernel_rpl;

static inline uint32_t pa_of(const void *p)
{
	return (uintptr_t)p - BASE;
}

static inline void *va_of(uint32_t pa)
{
	return (void *)(pa + BASE);
}

/* ---- entry.asm -------------------------------------------------------------- */

extern uint8_t irq_return[], iret_exc[], restore_all[], sysenter_entry[];
extern uint8_t wp_fixup[];
void native_iret(void);
void native_sysexit(void);
void switch_to(uint32_t *prev_esp, uint32_t next_esp);
void ret_from_fork(void);
void kernel_thread(void (*function)(void), uint32_t cs);
void kernel_int80(uint32_t number);
void __attribute__((noreturn)) enter_frame(struct frame *f);
int wp_write(uint32_t va);

/* ---- patch.c: the ROM, and the places that become calls of it ----------------- */

extern uint32_t op_iret, op_sysexit;
bool client_find_rom(void);
bool client_activate(void);
void patch_sites(void);
uint32_t ops_queried(void);
static inline bool has(int call)
{
	return vmi_type[call] == VMI_RELOC_CALL;
}

/*
 * The four operations of the interrupt flag, at places that become direct
 * calls: six bytes through the table at first. The compiler knows of no
 * register that they change but the result's (classes B1 to B3).
 */
#define SITE(nr)							\
	"771: call *vmi_entry + 4 * " #nr "\n772:\n\t"			\
	".pushsection .sites, \"a\"\n\t"				\
	".long 771b, " #nr ", 772b - 771b\n\t"				\
	".popsection"
static inline void irq_enable(void)
{
	__asm__ volatile(SITE(29) : : : "memory", "cc");
}
static inline void irq_disable(void)
{
	__asm__ volatile(SITE(30) : : : "memory", "cc");
}
static inline uint32_t save_flags(void)
{
	uint32_t flags;

	__asm__ volatile(SITE(31) : "=a"(flags) : : "edx", "memory", "cc");
	return flags;
}
static inline void restore_flags(uint32_t flags)
{
	__asm__ volatile(SITE(32) : "+a"(flags) : : "edx", "memory", "cc");
}

/* ---- setup.c: from VMI_Init to interrupts ---------------------------------------- */

extern bool trap_init_done;
extern uint32_t tss[26];
void early_idt(void);
void setup_before_init(void);
void setup_arch(void);
void trap_init(void);
void mem_init(void);
void init_irq(void);
void timer_init(void);
void timer_switch_to_lvtt(void);
void set_ldt(const uint64_t *ldt, uint32_t entries);
void write_descriptor(uint32_t index, uint64_t descriptor);
uint32_t fix_va(uint32_t n);		/* pages of the fixmap, from 1 on */
void set_fixmap(uint32_t n, uint64_t value);

/* ---- mm.c: page tables -------------------------------------------------------------- */

struct mm {
	uint8_t *root;			/* directory, or PDPT */
	uint8_t *pmd[4];		/* with PAE; pmd[3] is the kernel's */
};
extern struct mm init_mm;
extern struct mm *active_mm;
extern uint8_t boot_directory[4 * PAGE], boot_pdpt[PAGE];

uint32_t entry_size(void);
uint32_t large_size(void);
uint64_t entry_get(const void *e);
void entry_store(void *e, uint64_t value);	/* directly */
void entry_set(void *e, uint64_t value, uint32_t flags);
void entry_update(void *e, uint32_t flags);
uint64_t entry_xchg(void *e, uint64_t value);	/* directly, locked */
void *dir_entry(const struct mm *mm, uint32_t va);
void *alloc_low(void);			/* a zeroed page of lowmem */
void free_low(void *page);
uint32_t alloc_high(void);		/* a frame above it, not zeroed */
void hold_frame(uint32_t frame);
void free_frame(uint32_t frame);
void announce(uint32_t frame, uint32_t level);
void withdraw(uint32_t frame, uint32_t level);
void *kmap(uint32_t slot, uint32_t frame);
void *kmap_table(uint32_t slot, uint32_t frame);
void kunmap(uint32_t slot);
void lazy(uint32_t mode);
struct mm *mm_new(void);
struct mm *mm_fork(struct mm *from);
void mm_destroy(struct mm *mm);
void mm_map(struct mm *mm, uint32_t va, uint32_t frame, uint64_t rights);
bool mm_fault(uint32_t va, uint32_t error);	/* of the active one */
uint32_t frames_in_use(void);

/* ---- task.c -------------------------------------------------------------------------- */

void run_tasks(void);
void task_tick(void);
void check_done(uint32_t number, uint32_t good);
extern uint32_t bad_irets;
extern volatile uint32_t ticks;

/* ---- user.c --------------------------------------------------------------------------- */

#define USER_TEXT	0x08048000u
#define USER_DATA	0x08100000u	/* zeroed when touched */
#define USER_DATA_END	0x08110000u
#define USER_SHARED	0x08200000u	/* one page for all */
#define USER_STACK_END	0xbfffe000u
#define USER_STACK	(USER_STACK_END - 4 * PAGE)

enum syscall { SYS_EXIT, SYS_FORK, SYS_WAIT, SYS_YIELD, SYS_CHECK, SYS_BADRET,
	       SYS_SIGNAL, SYS_LDT, SYS_TLS, SYS_IOPL, SYS_EXEC, SYS_VM86,
	       SYS_SIGRETURN, SYS_KERNEL };
/* In the page that all processes share. */
struct shared {
	volatile uint32_t has_sep, has_nx, is_ring0;
	volatile uint32_t started, go;
};
#define CHECKS(X)							\
	X(ZEROED, "a page that was never touched is zero")		\
	X(DATA, "and keeps what is written")				\
	X(COW_CHILD, "the child sees what was there at the fork")	\
	X(COW_PARENT, "and writes to a copy of its own")		\
	X(STATUS, "the parent gets the child's status")			\
	X(FPU, "each task has its own FPU registers")			\
	X(TLS, "each task has its own TLS segment")			\
	X(LDT, "each task has its own LDT")				\
	X(LDT_GONE, "a task without an LDT cannot load its selector")	\
	X(IOPL, "each task has its own IOPL")				\
	X(PREEMPTED, "a task that spins is preempted")			\
	X(SEGV, "a page fault that cannot be helped is a signal")	\
	X(DIVIDE, "so is a division by zero")				\
	X(PRIVILEGED, "so is a privileged instruction")			\
	X(BAD_CS, "a return to a bad CS is a signal")			\
	X(BAD_SS, "a return to a bad SS is a signal")			\
	X(BAD_NULL, "a return to a null CS is a signal")		\
	X(VM86, "a return to virtual-8086 mode is refused")		\
	X(SYSENTER, "SYSENTER and SYSEXIT keep ebx, esi, edi")		\
	X(EXEC, "a new program in the same task")			\
	X(NX_DATA, "data cannot be executed where there is NX")		\
	X(MANY, "a hundred processes come and go")
#define CHECK_ENUM(name, text)	CHECK_##name,
enum check { CHECKS(CHECK_ENUM) CHECK_COUNT };
#undef CHECK_ENUM
extern uint8_t user_begin[], user_end[];
void user_main(void);
void user_exec_main(void);

#endif

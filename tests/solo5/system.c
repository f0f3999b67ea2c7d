// SPDX-License-Identifier: GPL-2.0-only
/*
 * Instructions of the system, as a kernel that takes itself for ring 0 uses them,
 * with nobody that it could call: what they leave is what a processor leaves, and
 * what one refuses is a #GP.
 */
#include "lib.h"

#define MSR_EFER		0xc0000080u
#define MSR_STAR		0xc0000081u
#define MSR_LSTAR		0xc0000082u
#define MSR_FMASK		0xc0000084u
#define MSR_FS_BASE		0xc0000100u
#define MSR_GS_BASE		0xc0000101u
#define MSR_KERNEL_GS_BASE	0xc0000102u
#define EFER_SCE		0x001u
#define EFER_LME		0x100u
#define EFER_LMA		0x400u
#define CR0_TS			0x8u
#define CR4_PAE			0x20u
#define CR4_PGE			0x80u
#define RFLAGS_AC		0x40000u
#define HIGH			0xffff800000001234ull
#define BAD			0x0000800000000000ull	/* not canonical */

MANIFEST(0);

struct pointer {
	uint16_t	limit;
	uint64_t	base;
} __attribute__((packed));

/* ---- #GP: counted, and on behind the instruction ---------------------------- */

extern const uint8_t on_gp[];
static volatile uint32_t gps;

asm(".text\n"
    "on_gp:\n"
    "	incl	gps(%rip)\n"
    "	addq	$8, %rsp\n"
    "	movq	%r15, (%rsp)\n"
    "	iretq\n");

#define REFUSED(insn, ...) do {						\
		uint32_t before = gps;					\
									\
		asm volatile("leaq 1f(%%rip), %%r15\n" insn "\n1:"	\
			     : : __VA_ARGS__ : "r15", "memory");	\
		CHECK(gps == before + 1);				\
	} while (0)

static void count_gp(void)
{
	struct pointer idtr;
	uint16_t *gate;
	uint64_t at = (uintptr_t)on_gp;

	asm volatile("sidt %0" : "=m"(idtr));
	gate = (uint16_t *)(idtr.base + 13 * 16);
	gate[0] = at;
	gate[3] = at >> 16;
	*(uint32_t *)(gate + 4) = at >> 32;
}

/* ---- registers --------------------------------------------------------------- */

#define REGISTER(name)							\
static uint64_t read_##name(void)					\
{									\
	uint64_t value;							\
									\
	asm volatile("movq %%" #name ", %0" : "=r"(value));		\
	return value;							\
}									\
static void write_##name(uint64_t value)				\
{									\
	asm volatile("movq %0, %%" #name : : "r"(value) : "memory");	\
}
REGISTER(cr0)
REGISTER(cr2)
REGISTER(cr3)
REGISTER(cr4)
REGISTER(cr8)
REGISTER(dr0)
REGISTER(dr7)

static void check_registers(void)
{
	uint64_t cr0 = read_cr0(), cr4 = read_cr4(), wide = ~0ull;

	CHECK(cr0 >> 32 == 0 && cr0 >> 31 && (cr0 & 1) && (cr4 & CR4_PAE));
	write_cr0(cr0 | CR0_TS);
	CHECK(read_cr0() == (cr0 | CR0_TS));
	asm volatile("smsw %0" : "+r"(wide));
	CHECK(wide == (cr0 | CR0_TS));
	asm volatile("clts");
	CHECK(read_cr0() == (cr0 & ~(uint64_t)CR0_TS));
	write_cr0(cr0);
	write_cr2(HIGH);
	CHECK(read_cr2() == HIGH);
	CHECK(read_cr3() == SOLO5_PML4);
	write_cr3(read_cr3());
	write_cr4(cr4 ^ CR4_PGE);
	CHECK(read_cr4() == (cr4 ^ CR4_PGE));
	write_cr4(cr4);
	write_dr0(HIGH);
	CHECK(read_dr0() == HIGH);
	write_dr7(0x400);
	CHECK(read_dr7() == 0x400);
	write_cr8(0);
	CHECK(read_cr8() == 0);
	REFUSED("movq %0, %%cr0", "r"(cr0 & 0x7fffffff));
	REFUSED("movq %0, %%cr3", "r"(1ull << 63));
	REFUSED("movq %0, %%cr4", "r"(cr4 & ~(uint64_t)CR4_PAE));
	REFUSED("movq %0, %%cr8", "r"(16ull));
	REFUSED("movq %0, %%dr7", "r"(1ull << 32));
}

static uint64_t rdmsr(uint32_t msr)
{
	uint32_t low, high;

	asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (uint64_t)high << 32 | low;
}

static void check_msrs(void)
{
	static uint64_t block[2] = { 0x1111, 0x2222 };
	uint64_t value;

	CHECK((rdmsr(MSR_EFER) & (EFER_LME | EFER_LMA)) ==
	      (EFER_LME | EFER_LMA));
	wrmsr(MSR_LSTAR, HIGH);
	CHECK(rdmsr(MSR_LSTAR) == HIGH);
	REFUSED("wrmsr", "c"(MSR_LSTAR), "a"(0), "d"((uint32_t)(BAD >> 32)));
	CHECK(rdmsr(MSR_LSTAR) == HIGH);
	REFUSED("wrmsr", "c"(MSR_FS_BASE), "a"(0), "d"((uint32_t)(BAD >> 32)));
	REFUSED("wrmsr", "c"(MSR_EFER), "a"(0), "d"(0));
	REFUSED("rdmsr", "c"(0x12345678), "a"(0), "d"(0));
	wrmsr(MSR_GS_BASE, (uintptr_t)&block[0]);
	wrmsr(MSR_KERNEL_GS_BASE, (uintptr_t)&block[1]);
	asm volatile("swapgs; movq %%gs:0, %0" : "=r"(value));
	CHECK(value == 0x2222);
	CHECK(rdmsr(MSR_GS_BASE) == (uintptr_t)&block[1]);
	CHECK(rdmsr(MSR_KERNEL_GS_BASE) == (uintptr_t)&block[0]);
	asm volatile("swapgs; movq %%gs:0, %0" : "=r"(value));
	CHECK(value == 0x1111);
	REFUSED("lgdt (%0)", "r"(BAD));
}

/* ---- tables and selectors ------------------------------------------------------ */

static void check_tables(void)
{
	struct pointer gdtr = { 0, 0 }, again = { 0, 0 };
	uint16_t tr = 0, ss = 0;

	asm volatile("sgdt %0" : "=m"(gdtr));
	asm volatile("str %0" : "=m"(tr));
	CHECK(gdtr.limit == 5 * 8 - 1 && gdtr.base < 1 << 30 && tr == 3 * 8);
	asm volatile("lgdt %0" : : "m"(gdtr));
	asm volatile("sgdt %0" : "=m"(again));
	CHECK(again.base == gdtr.base && again.limit == gdtr.limit);
	asm volatile("lldt %w0" : : "r"(0));
	asm volatile("movw %w0, %%ss" : : "r"(SOLO5_DS));
	asm volatile("movw %%ss, %0" : "=r"(ss));
	CHECK((ss & ~3) == SOLO5_DS);
	asm volatile("movw %w0, %%ds" : : "r"(SOLO5_DS));
	REFUSED("lldt %w0", "r"(SOLO5_CS));
	REFUSED("ltr %w0", "r"(SOLO5_CS));
}

/* With selectors of RPL 0, as it takes its own for. */
static void check_returns(void)
{
	uint64_t flags, rsp;

	asm volatile("pushq %0; leaq 1f(%%rip), %%rax; pushq %%rax; lretq\n1:"
		     : : "i"(SOLO5_CS) : "rax", "memory");
	asm volatile("movq %%rsp, %0\n"
		     "pushq %2; pushq %0; pushq $0x3202; pushq %3\n"
		     "leaq 1f(%%rip), %%rax; pushq %%rax; iretq\n"
		     "1: pushfq; popq %1"
		     : "=&r"(rsp), "=r"(flags)
		     : "i"(SOLO5_DS), "i"(SOLO5_CS) : "rax", "memory");
	CHECK(!(flags & 0x3000));
	asm volatile("movq %%rsp, %0\n"
		     "pushq $0; pushq %0; pushq $2; pushq %1\n"
		     "leaq 1f(%%rip), %%rax; pushq %%rax; iretq\n1:"
		     : "=&r"(rsp) : "i"(SOLO5_CS) : "rax", "memory");
	asm volatile("movw %w0, %%ss" : : "r"(SOLO5_DS));
}

/* ---- the rest --------------------------------------------------------------------- */

static void check_flags(void)
{
	uint64_t flags;

	asm volatile("stac; pushfq; popq %0" : "=r"(flags));
	CHECK(flags & RFLAGS_AC);
	asm volatile("clac; pushfq; popq %0" : "=r"(flags));
	CHECK(!(flags & RFLAGS_AC));
	asm volatile("sti; nop; cli");
}

/* From where it is, with RCX and R11 as it leaves them. */
static void check_syscall(void)
{
	uint64_t rcx, r11, here;

	wrmsr(MSR_STAR, (uint64_t)SOLO5_CS << 32);
	wrmsr(MSR_FMASK, 0x200);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE);
	asm volatile("leaq 1f(%%rip), %%rax; movq %%rax, %%rdx\n"
		     "shrq $32, %%rdx; movl %3, %%ecx; wrmsr\n"
		     "leaq 2f(%%rip), %2\n"
		     "syscall\n"
		     "2: ud2\n"
		     "1: movq %%rcx, %0; movq %%r11, %1"
		     : "=&r"(rcx), "=&r"(r11), "=&r"(here) : "i"(MSR_LSTAR)
		     : "rax", "rcx", "rdx", "r11", "memory");
	CHECK(rcx == here && (r11 & 2));
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~(uint64_t)EFER_SCE);
	CHECK(!(rdmsr(MSR_EFER) & EFER_SCE));
}

static void check_invalidation(void)
{
	asm volatile("invlpg (%0)" : : "r"(HIGH) : "memory");
	asm volatile("wbinvd" : : : "memory");
	CHECK(rdtsc());
}

int run(const struct solo5_boot_info *info)
{
	(void)info;
	traps_init();
	count_gp();
	check_registers();
	check_msrs();
	check_tables();
	check_returns();
	check_flags();
	check_syscall();
	check_invalidation();
	say("SUCCESS\n");
	return 0;
}

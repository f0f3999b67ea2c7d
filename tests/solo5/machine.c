// SPDX-License-Identifier: GPL-2.0-only
/*
 * What it finds at the start: memory, tables, boot information, the processor; data,
 * thread-local data by FS, floating point.
 */
#include "lib.h"

#define MSR_FS_BASE	0xc0000100u

MANIFEST(0);

static uint32_t data = 0x12345678;
static uint32_t bss[3000];
static const uint32_t constant = 0x9abcdef0;

/* ---- the start ------------------------------------------------------------- */

#define SEGMENT(name)							\
static uint16_t read_##name(void)					\
{									\
	uint16_t sel;							\
									\
	asm volatile("mov %%" #name ", %0" : "=r"(sel));		\
	return sel;							\
}
SEGMENT(cs)
SEGMENT(ss)
SEGMENT(ds)
SEGMENT(es)

/* Its ring may be another one than the ABI says, where that can be seen. */
static void check_start(const struct solo5_boot_info *info)
{
	const struct solo5_manifest *m = (const void *)info->manifest;
	uint64_t rflags;

	CHECK((uintptr_t)info == SOLO5_BOOT_INFO);
	CHECK((read_cs() & ~3) == SOLO5_CS && (read_ss() & ~3) == SOLO5_DS);
	CHECK((read_ds() & ~3) == SOLO5_DS && (read_es() & ~3) == SOLO5_DS);
	asm volatile("pushfq; pop %0" : "=r"(rflags));
	CHECK(!(rflags & 0x1f7500));		/* but for IF and arithmetic */
	CHECK(info->mem_size % 0x200000 == 0);
	CHECK((uintptr_t)&rflags < info->mem_size &&
	      (uintptr_t)&rflags > info->mem_size - 4096);
	CHECK(info->kernel_end % 4096 == 0 &&
	      (uintptr_t)(bss + ARRAY_SIZE(bss)) <= info->kernel_end);
	CHECK(info->tsc_hz > 1000000);
	CHECK(m->version == SOLO5_MANIFEST_VERSION && m->entries == 1 &&
	      m->entry[0].type == SOLO5_FIRST);
	CHECK(!info->reserved[0] && !info->reserved[1] && !info->reserved[2]);
}

/* All of it is there, and its own. */
static void check_memory(const struct solo5_boot_info *info)
{
	volatile uint64_t *at;
	uint64_t pa;

	for (pa = info->kernel_end; pa < info->mem_size - 0x10000;
	     pa += 4096) {
		at = (volatile uint64_t *)pa;
		CHECK(!*at);
		*at = ~pa;
	}
	for (pa = info->kernel_end; pa < info->mem_size - 0x10000; pa += 4096)
		CHECK(*(volatile uint64_t *)pa == ~pa);
}

static void check_globals(void)
{
	uint32_t i;

	CHECK(data == 0x12345678 && constant == 0x9abcdef0);
	for (i = 0; i < ARRAY_SIZE(bss); i++)
		CHECK(!bss[i]);
	data++;
	bss[2999] = data;
	CHECK(bss[2999] == 0x12345679);
}

/* ---- the processor ---------------------------------------------------------------- */

static void check_tls(void)
{
	static uint64_t block[2][4];
	uint64_t value, i;

	for (i = 0; i < 2; i++) {
		block[i][2] = 0x1111 * (i + 1);
		wrmsr(MSR_FS_BASE, (uintptr_t)block[i]);
		asm volatile("movq %%fs:16, %0" : "=r"(value));
		CHECK(value == 0x1111 * (i + 1));
		asm volatile("movq %0, %%fs:8" : : "r"(~i) : "memory");
		CHECK(block[i][1] == ~i);
	}
	/* It is still there after a call, and after a sleep. */
	CHECK(!poll(1000000, &value));
	asm volatile("movq %%fs:16, %0" : "=r"(value));
	CHECK(value == 0x2222);
}

/* Registers keep their values over calls and sleeps. */
static void check_fpu(void)
{
	static const double in[2] = { 3.25, -1.5 };
	double out[2], root = 2;
	uint64_t ready;
	uint32_t i;

	asm volatile("movupd %0, %%xmm7" : : "m"(in));
	for (i = 0; i < 20; i++)
		CHECK(!poll(i * 100000, &ready));
	asm volatile("movupd %%xmm7, %0" : "=m"(out));
	CHECK(out[0] == in[0] && out[1] == in[1]);
	for (i = 0; i < 10; i++)
		root = (root + 2 / root) / 2;
	CHECK(root > 1.41421356 && root < 1.41421357);
}

/* A trap that returns; nothing is lost but time. */
static void check_traps(void)
{
	uint64_t r12 = 1, rax = 2, r11 = 3, before, after;

	trap_resumes = 100;
	while (trap_resumes)
		asm volatile("movq %5, %%r11\n"
			     "movq %%rsp, %3\n"
			     "int3\n"
			     "movq %%rsp, %4\n"
			     "movq %%r11, %2"
			     : "+r"(r12), "+a"(rax), "=r"(r11), "=&r"(before),
			       "=&r"(after) : "i"(0x1234) : "r11", "memory");
	CHECK(r12 == 1 && rax == 2 && r11 == 0x1234 && before == after);
}

int run(const struct solo5_boot_info *info)
{
	check_start(info);
	check_memory(info);
	check_globals();
	traps_init();
	check_traps();
	check_tls();
	check_fpu();
	say("SUCCESS\n");
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/* What the hypervisor has in the guest's address space: trampoline, ROM, shared
 * area. The kernel may read it, and write its own entry page and shared area. */
#include "attack64.h"

static bool writable(uint32_t page)
{
	return page >= TRAMP_ENTRY && page < TRAMP_GDT;
}

/* Each page written, by plain stores and by locked ones. */
static void tramp_write(uint32_t locked)
{
	uint32_t wrong = 0;
	uint64_t va;

	for (uint32_t n = 0; n < TRAMP_PAGES; n++) {
		va = TRAMP_PAGE(n) + 8;
		if (writable(n))
			continue;
		if (locked)	/* lock bts dword [rdi], 0 */
			wrong += CODE("\xf0\x0f\xba\x2f\x00", .rdi = va) !=
				 VEC_PF;
		else
			wrong += probe_write(va) != VEC_PF;
		wrong += last_cr2 != va;
	}
	same64(wrong, 0, "each write is a #PF");
	is_well();
}

static void tramp_exec(uint32_t arg)
{
	uint32_t wrong = 0;

	(void)arg;
	*(volatile uint8_t *)TRAMP_PAGE(TRAMP_ENTRY) = 0xc3;
	for (uint32_t n = 2; n < TRAMP_PAGES; n++)
		wrong += n != TRAMP_STEP &&
			 probe_exec(TRAMP_PAGE(n), 0, 0) != VEC_PF;
	same64(wrong, 0, "beyond its text nothing is executed");
	is_well();
}

/* Beyond its pages there is nothing. */
static void tramp_beyond(uint32_t arg)
{
	uint32_t wrong = 0;

	(void)arg;
	for (uint32_t n = TRAMP_PAGES; n < 512; n++)
		wrong += probe_read(TRAMP_PAGE(n)) != VEC_PF;
	for (uint32_t n = 0; n < 39 - 21; n++) {
		wrong += probe_read(TRAMP + (LARGE << n)) != VEC_PF;
		wrong += probe_write(TRAMP + (LARGE << n)) != VEC_PF;
	}
	same64(wrong, 0, "nothing is there");
	is_well();
}

/* User mode reads, writes and executes none of it. */
static void tramp_user(uint32_t arg)
{
	static const char code[3][4] = {
		"\x8a\x07\xf4", "\x88\x07\xf4", "\xff\xe7\xf4"
	};
	static const uint64_t others[] = {
		TOP, TOP + PAGE, AREA, AREA + PAGE, AREA + 2 * PAGE, TOP + LARGE - 8
	};
	struct user u = user_start;
	uint32_t wrong = 0;

	user_load(code[arg], 4);
	for (uint32_t n = 0; n < TRAMP_PAGES + 6; n++) {
		u.r.rdi = n < TRAMP_PAGES ? TRAMP_PAGE(n) :
			  others[n - TRAMP_PAGES];
		wrong += user_try(&u) != VEC_PF || last_cr2 != u.r.rdi ||
			 (last.cs & 3) != 3;
	}
	same64(wrong, 0, "each access is a #PF");
	is_well();
}

/* Jumps to the code itself, at ring 1, where it is privileged. */
static void tramp_jump(uint32_t offset)
{
	volatile uint64_t *page = (void *)TRAMP_PAGE(TRAMP_ENTRY);

	for (uint32_t i = 0; i < 512; i++)
		page[i] = -1ull;		/* no frame of ring 0 */
	own_stack(VEC_GP);
	own_stack(VEC_PF);
	same64(with_rsp((void *)(TRAMP + offset),
			TRAMP_PAGE(TRAMP_ENTRY) + 0xf00),
	       VEC_GP, "a #GP");
	same64(last.rip >> 13, TRAMP >> 13, "there");
	is_well();
}

/* The page where the processor pushes is full of noise at each exit. */
static void tramp_noise(uint32_t arg)
{
	volatile uint64_t *page = (void *)TRAMP_PAGE(TRAMP_ENTRY);
	uint32_t wrong = 0;

	(void)arg;
	for (uint32_t n = 0; n < 200; n++) {
		for (uint32_t i = 0; i < 512; i++)
			page[i] = random64();
		wrong += probe_read(UNMAPPED + n) != VEC_PF;
		wrong += last_cr2 != UNMAPPED + n;
		wrong += hypercall(STUB_HC_CANCEL_ALARM, 0, 0, 0) > 1;
	}
	same64(wrong, 0, "every exit was right");
	is_well();
}

/* The kernel's stack is where the processor pushes: hypercalls go on. */
static void tramp_stack_calls(uint32_t at)
{
	own_stack(VEC_BP);
	same64(ON_STACK("\xb8\x1a\0\0\0\x31\xff\xcd\x82",	/* CancelAlarm */
			TRAMP_PAGE(TRAMP_ENTRY) + at),
	       VEC_BP, "a hypercall on the entry stack");
	same64(last.rsp, TRAMP_PAGE(TRAMP_ENTRY) + at, "which stays");
	is_well();
}

static void rom_write(uint32_t arg)
{
	uint32_t wrong = 0;

	(void)arg;
	for (uint64_t at = TOP; at < AREA; at += PAGE)
		wrong += probe_write(at) != VEC_PF;
	for (uint64_t at = AREA + 3 * PAGE; at < TOP + LARGE - PAGE; at += PAGE)
		wrong += probe_write(at) != VEC_PF;
	wrong += probe_write(-4ull) != VEC_PF;
	same64(wrong, 0, "nothing but the shared area is written");
	wrong = 0;
	for (uint64_t at = AREA; at < AREA + 3 * PAGE; at += PAGE)
		wrong += probe_exec(at + 8, 0, 0) != VEC_PF;
	same64(wrong, 0, "and that is not executed");
	is_well();
}

/* PML4 entry 271 is whatever the guest likes. */
static void tramp_slot(uint32_t arg)
{
	const uint64_t values[] = {
		0, pa(boot_pdpt) | PTE_P | PTE_W | PTE_A,
		pa(boot_pml4) | PTE_P | PTE_W | PTE_U, OUTSIDE | PTE_P | PTE_W,
		pa(boot_pdpt) | PTE_P | PTE_PS, -1ull, PTE_P | 0xffffffffff000
	};
	uint32_t wrong = 0;

	(void)arg;
	for (uint32_t n = 0; n < sizeof(values) / sizeof(*values); n++) {
		set_entry(&boot_pml4[271], values[n]);
		flush();
		wrong += probe_write(TRAMP) != VEC_PF;
		__asm__ volatile("mov %0, %%cr3"
				 : : "r"(pa(boot_pml4)) : "memory");
		wrong += probe_read(TRAMP_PAGE(TRAMP_PAGES)) != VEC_PF;
		wrong += *(volatile uint64_t *)TRAMP_PAGE(TRAMP_GDT) != 0;
		vmi1(InvalPage, TRAMP);
		vmi1(InvalPage, TRAMP_PAGE(TRAMP_ENTRY));
		wrong += probe_write(TRAMP) != VEC_PF;
	}
	same64(wrong, 0, "it has no effect");
	is_well();
}

/* The last GB of the linear space is whatever the guest likes, but for the ROM. */
static void top_slot(uint32_t arg)
{
	const uint64_t values[] = {
		0, pa(boot_pd) | PTE_P | PTE_W | PTE_A,
		pa(boot_pml4) | PTE_P | PTE_W | PTE_U, PTE_P | PTE_PS,
		pa(boot_pdpt_high) | PTE_P | PTE_W, -1ull,
		pa(boot_pd) | PTE_P | 1ull << 51
	};
	const volatile struct vmi_rom_header *h = (void *)TOP;
	uint32_t wrong = 0;

	(void)arg;
	for (uint32_t n = 0; n < sizeof(values) / sizeof(*values); n++) {
		set_entry(&boot_pdpt_high[511], values[n]);
		flush();
		wrong += h->signature != VMI64_SIGNATURE;
		probe_read(TOP - PAGE);
		probe_read(TOP - LARGE);
		__asm__ volatile("mov %0, %%cr3"
				 : : "r"(pa(boot_pml4)) : "memory");
		wrong += probe_write(TOP) != VEC_PF;
		vmi1(InvalPage, TOP);
		vmi1(InvalPage, TOP - PAGE);
		wrong += h->signature != VMI64_SIGNATURE;
	}
	same64(wrong, 0, "the ROM is there all the time");
	is_well();
}

const struct attack tramp_cases[] = {
	CASE_ARG("tramp_write", tramp_write, 0),
	CASE_ARG("tramp_write_locked", tramp_write, 1),
	CASE(tramp_exec),
	CASE(tramp_beyond),
	CASE_ARG("tramp_user_read", tramp_user, 0),
	CASE_ARG("tramp_user_write", tramp_user, 1),
	CASE_ARG("tramp_user_exec", tramp_user, 2),
	CASE_ARG("tramp_jump_first", tramp_jump, 0),
	CASE_ARG("tramp_jump_debug", tramp_jump, 16),
	CASE_ARG("tramp_jump_nmi", tramp_jump, 32),
	CASE_ARG("tramp_jump_pf", tramp_jump, 14 * 16),
	CASE_ARG("tramp_jump_mc", tramp_jump, 18 * 16),
	CASE_ARG("tramp_jump_own", tramp_jump, 4096 + 11),
	CASE(tramp_noise),
	CASE_ARG("tramp_stack_calls", tramp_stack_calls, 0xf00),
	CASE_ARG("tramp_stack_top", tramp_stack_calls, 0xff0),
	CASE_ARG("tramp_stack_page", tramp_stack_calls, 0x1000),
	CASE(rom_write),
	CASE(tramp_slot),
	CASE(top_slot),
	CASES_END
};

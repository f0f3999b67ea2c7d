// SPDX-License-Identifier: GPL-2.0-only
/* 4 MB of linear space to play with, and user mode in it. */
#include "conf.h"

static uint64_t play_tables[PLAY_PAGES] __attribute__((aligned(PAGE)));
uint8_t spare_table[PAGE] __attribute__((aligned(PAGE)));
uint8_t user_pages[3][PAGE] __attribute__((aligned(PAGE)));

uint32_t play_va(uint32_t page)
{
	return PLAY + page * PAGE;
}

void *play_entry(uint32_t page)
{
	return entry_at(play_tables, page);
}

void link_play(struct space *s, uint32_t rights)
{
	set_entry(dir_entry(s, PLAY), (uintptr_t)play_tables | rights,
		  VMI_PAGE_PD);
}

uint32_t kernel_ring(void)
{
	uint32_t cs;

	__asm__("mov %%cs, %0" : "=r"(cs));
	return cs & 3;
}

void flush(void)
{
	vmi1(FlushTLB, VMI_FLUSH_TLB);
}

void play_map(uint32_t page, uint32_t entry)
{
	set_entry(play_entry(page), entry, VMI_PAGE_PT);
}

void area_init(void)
{
	for (uint32_t page = 0; page < PLAY_PAGES; page += table_entries()) {
		const void *table = (void *)((uintptr_t)play_entry(page) -
					     LINEAR);

		table_alloc(table, VMI_PAGE_PT);
		set_entry(dir_entry(&ours, play_va(page)), (uintptr_t)table |
			  PTE_P | PTE_W | PTE_U, VMI_PAGE_PD);
	}
	flush();
	write_gdt(ODD_DS / 8, descriptor(ODD_BASE, 0xffff, 0x00cff200));
	frames_init();
	for (uint32_t i = 0; i < (uint32_t)(u_end - u_begin); i++)
		user_pages[0][i] = u_begin[i];
	play_map(CODE_PAGE, (uintptr_t)user_pages[0] | PTE_P | PTE_U);
	play_map(STACK_PAGE,
		 (uintptr_t)user_pages[1] | PTE_P | PTE_U | PTE_W);
	play_map(RO_PAGE, (uintptr_t)user_pages[2] | PTE_P | PTE_U);
	play_map(KERNEL_PAGE, (uintptr_t)user_pages[2] | PTE_P | PTE_W);
	play_map(ALIAS, (uintptr_t)play_tables | PTE_P | PTE_W);
	flush();
}

uint32_t user_va(const uint8_t *code)
{
	return play_va(CODE_PAGE) + (uint32_t)(code - u_begin);
}

struct user user_state(const uint8_t *code)
{
	return (struct user){
		.eip = user_va(code), .cs = USER_CS,
		.eflags = EFLAGS_FIXED | EFLAGS_IF,
		.esp = play_va(STACK_PAGE) + PAGE, .ss = USER_DS,
		.ds = USER_DS,
	};
}

void user_run(const uint8_t *code, uint32_t eax, uint32_t ebx)
{
	struct user u = user_state(code);

	u.eax = eax;
	u.ebx = ebx;
	enter_user(&u);
}

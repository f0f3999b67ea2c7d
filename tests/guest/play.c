// SPDX-License-Identifier: GPL-2.0-only
/* A table of PLAY, and user mode in its first two pages. */
#include "suite.h"

#define CODE_PAGE	0u
#define STACK_PAGE	1u

uint32_t play_table[PLAY_PAGES] __attribute__((aligned(PAGE)));
static uint8_t user_code[PAGE] __attribute__((aligned(PAGE)));
static uint8_t user_stack[PAGE] __attribute__((aligned(PAGE)));

void set_entry(uint32_t *entry, uint32_t value, uint32_t flags)
{
	vmi3(SetPxE, value, (uintptr_t)entry, flags);
}

void play_map(uint32_t page, uint32_t entry)
{
	set_entry(&linear(play_table)[page], entry, VMI_PAGE_PT);
}

void play_init(void)
{
	vmi4(VMI_CALL_AllocatePage, (uintptr_t)play_table / PAGE,
	     VMI_PAGE_PT | VMI_PAGE_ZEROED, 0, 0);
	set_entry(&linear(page_directory)[PLAY >> 22],
		  (uintptr_t)play_table | PTE_P | PTE_W | PTE_U, VMI_PAGE_PD);
	play_map(CODE_PAGE, (uintptr_t)user_code | PTE_P | PTE_U);
	play_map(STACK_PAGE, (uintptr_t)user_stack | PTE_P | PTE_U | PTE_W);
	vmi1(FlushTLB, VMI_FLUSH_TLB);
	frames_init();
}

void user_load(const char *code, uint32_t length)
{
	for (uint32_t i = 0; i < length; i++)
		user_code[i] = (uint8_t)code[i];
}

void user_run(uint32_t eax, bool sysexit)
{
	run_user(USER_CODE, PLAY + STACK_PAGE * PAGE + PAGE, eax, 0, sysexit);
}

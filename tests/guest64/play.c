// SPDX-License-Identifier: GPL-2.0-only
/* PLAY: a table of the tests', user mode in its first pages, and frames that can be
 * told apart. */
#include "guest64.h"

table play_pd, play_pt;
static uint8_t user_code[PAGE] __attribute__((aligned(PAGE)));
static uint8_t user_stack[PAGE] __attribute__((aligned(PAGE)));
static uint32_t frames[FRAMES][PAGE / 4] __attribute__((aligned(PAGE)));

struct user user_start = {
	.rip = USER_CODE, .cs = USER_CS, .rflags = EFLAGS_FIXED | EFLAGS_IF,
	.rsp = USER_STACK, .ss = USER_DS,
};
struct user user_start32 = {
	.rip = USER_CODE, .cs = USER32_CS, .rflags = EFLAGS_FIXED | EFLAGS_IF,
	.rsp = USER_STACK, .ss = USER_DS,
};

/* The entry of a table in the image, by its address in DIRECT. */
void set_entry(uint64_t *entry, uint64_t value)
{
	entry = direct(pa(entry));
	if (vmi_entry[VMI64_CALL_SetPxELong])
		vmi2(SetPxELong, entry, value);
	else
		*(volatile uint64_t *)entry = value;
}

void flush(void)
{
	uint64_t cr3;

	if (vmi_entry[VMI64_CALL_FlushTLB]) {
		vmi1(FlushTLB, VMI_FLUSH_TLB);
		return;
	}
	__asm__ volatile("mov %%cr3, %0\n\tmov %0, %%cr3" : "=r"(cr3) : : "memory");
}

void play_set(uint32_t page, uint64_t entry)
{
	set_entry(&play_pt[page], entry);
}

uint64_t play_va(uint32_t page)
{
	return PLAY + page * PAGE;
}

uint64_t frame_pa(uint32_t n)
{
	return pa(frames[n]);
}

uint32_t word_at(uint64_t va)
{
	return *(volatile uint32_t *)va;
}

/* Of 4 GB from 0 on, the second. */
void play_init(void)
{
	for (uint32_t i = 0; i < FRAMES; i++)
		frames[i][0] = FRAME_MARK + i;
	set_entry(&boot_pdpt[PLAY >> 30 & 511],
		  pa(play_pd) | PTE_P | PTE_W | PTE_U);
	set_entry(&play_pd[PLAY >> 21 & 511],
		  pa(play_pt) | PTE_P | PTE_W | PTE_U);
	play_set(0, pa(user_code) | PTE_P | PTE_U);
	play_set(1, pa(user_stack) | PTE_P | PTE_U | PTE_W);
	flush();
}

void user_load(const char *code, uint32_t bytes)
{
	for (uint32_t i = 0; i < bytes; i++)
		((volatile uint8_t *)user_code)[i] = (uint8_t)code[i];
}

void user_run(struct user *u)
{
	seen.which = 0;
	last.vector = 256;
	run_user(u);
}

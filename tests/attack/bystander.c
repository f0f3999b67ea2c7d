// SPDX-License-Identifier: GPL-2.0-only
/*
 * The attacker's neighbour: a guest that does what guests do, with memory
 * whose content it knows, until nobody takes the processor from it any more.
 */
#include "attack.h"

#define FIELD		(8u << 20)	/* memory of which every word is known */
#define FIELD_WORDS	(1u << 18)
#define PART		4096u		/* words that one round looks at */
#define QUIET		12u		/* ticks of a ms: several slices */

static uint32_t *field(void)
{
	return (uint32_t *)(FIELD + LINEAR);
}

static uint32_t known(uint32_t i)
{
	i = (i ^ BYSTANDER_KEY) * 0x9e3779b1;
	return i ^ i >> 15;
}

static uint64_t cycles(uint32_t counter)
{
	uint32_t edx;

	__asm__ volatile("call *%2"
			 : "+a"(counter), "=d"(edx)
			 : "r"(vmi_entry[VMI_CALL_GetCycleCounter])
			 : "ecx", "memory", "cc");
	return (uint64_t)edx << 32 | counter;
}

static uint32_t checksum(uint32_t first, uint32_t count)
{
	uint32_t sum = 0;

	for (uint32_t i = first; i < first + count; i++)
		sum = (sum << 1 | sum >> 31) ^ field()[i];
	return sum;
}

static uint32_t known_checksum(uint32_t first, uint32_t count)
{
	uint32_t sum = 0;

	for (uint32_t i = first; i < first + count; i++)
		sum = (sum << 1 | sum >> 31) ^ known(i);
	return sum;
}

/* Registers that a case would find changed if they stayed (neighbour.c). */
static void use_registers(void)
{
	__asm__ volatile("fninit; fldpi; mov %0, %%fs; mov %0, %%gs"
			 : : "r"(USER_DS));
}

/* Mapping, user mode, and a part of the memory. */
static uint32_t wrong_in_round(uint32_t n)
{
	uint32_t wrong = 0, first = n * PART % FIELD_WORDS, i;
	uint32_t page = U_FREE + n % 64;

	map(page, (FIELD + first * 4) | PTE_P | PTE_W);
	vmi1(InvalPage, play(page));
	for (i = 0; i < 1024; i += 97)
		wrong += ((volatile uint32_t *)play(page))[i] !=
			 known(first + i);
	USER("\x83\xc3\x05\xcd\x80", n);	/* add ebx, 5; int 80h */
	wrong += last_trap.vector != VEC_SYSCALL || last_trap.ebx != n + 5;
	wrong += probe_read(0x80000000) != VEC_PF || last_cr2 != 0x80000000;
	return wrong + (checksum(first, PART) != known_checksum(first, PART));
}

static void bystander(uint32_t arg)
{
	uint32_t wrong = 0, rounds = 0, since = 0;
	uint64_t stolen = 0, before;

	(void)arg;
	for (uint32_t i = 0; i < FIELD_WORDS; i++)
		field()[i] = known(i);
	pic_init();
	pit_periodic();
	/* each tick was a chance to let another run */
	while (irq0_count - since < QUIET) {
		vmi0(EnableInterrupts);
		use_registers();
		wrong += wrong_in_round(rounds++);
		vmi0(DisableInterrupts);
		before = stolen;
		stolen = cycles(VMI_CYCLES_STOLEN);
		if (stolen != before)
			since = irq0_count;
	}
	same(wrong, 0, "every round was right");
	print("# bystander: checksum %x, %u rounds, %u ticks\n",
	      checksum(0, FIELD_WORDS), rounds, irq0_count);
}

const struct attack bystander_cases[] = {
	CASE(bystander),
	CASES_END
};

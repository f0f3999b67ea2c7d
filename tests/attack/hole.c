// SPDX-License-Identifier: GPL-2.0-only
/* What lies above virtual_top: nobody's but the hypervisor's. */
#include "attack.h"

#define EVERY		0x800u		/* looked at, of what is mapped there */

static uint32_t rom_bytes(void)
{
	return rom[2] * VMI_ROM_UNIT;
}

static uint32_t sum_of(uint32_t bytes)
{
	uint32_t sum = 0;

	for (uint32_t va = TOP; va < TOP + bytes; va += 4)
		sum = (sum << 1 | sum >> 31) ^ *(volatile uint32_t *)va;
	return sum;
}

static uint32_t rom_sum(void)
{
	return sum_of(rom_bytes());
}

static bool user_faulted(uint32_t va, uint32_t error)
{
	return last_trap.vector == VEC_PF && last_cr2 == va &&
	       (last_trap.error & ~PF_PRESENT) == error;
}

/* User mode reads, writes and runs the ROM, the shared area, what is between
 * and what is behind. VMI-2.3.3. */
static void user_area(uint32_t arg)
{
	const uint32_t layout = SHARED->layout;
	uint32_t wrong = 0, sum = rom_sum();

	(void)arg;
	for (uint32_t va = TOP; va >= TOP; va += va < TOP + 0x20000 ?
	     EVERY : 0x7ff000) {
		USER("\x8b\x03", va);			/* mov eax, [ebx] */
		wrong += !user_faulted(va, PF_USER);
		USER("\x89\x03", va);			/* mov [ebx], eax */
		wrong += !user_faulted(va, PF_USER | PF_WRITE);
		USER("\x0f\xba\x2b\x00", va);		/* bts [ebx], 0 */
		wrong += !user_faulted(va, PF_USER | PF_WRITE) &&
			 !user_faulted(va, PF_USER);	/* TCG reads first */
		USER("\xff\xe3", va);			/* jmp ebx */
		wrong += !user_faulted(va, PF_USER);
	}
	for (uint32_t call = 0; call < VMI_CALL_COUNT; call++) {
		USER("\xff\xd3", vmi_entry[call]);	/* call ebx */
		wrong += vmi_entry[call] &&
			 !user_faulted(vmi_entry[call], PF_USER);
	}
	same(wrong, 0, "each is a page fault of the user's");
	same(SHARED->layout, layout, "the shared area is unchanged");
	same(rom_sum(), sum, "and the ROM");
}

#define STORE_AT(insn, va) ({						\
	int vector_;							\
	__asm__ volatile("movl $1f, %1\n\tmovl $-1, %2\n\t"		\
			 insn " (%3)\n"					\
			 "1:\tmovl $0, %1\n\tmov %2, %0"		\
			 : "=r"(vector_), "+m"(fixup), "+m"(fixup_vector) \
			 : "r"(va) : "memory");				\
	vector_; })

/* Stores that the hypervisor carries out, to the ROM and the shared area.
 * VMI-2.3.1: they fault as the guest's own do. */
static void emulated_stores(uint32_t arg)
{
	static const uint32_t at[] = { TOP, TOP + 0x202, TOP - 2,
				       TOP + STUB_SHARED_OFFSET, 0xfffffffc };
	uint32_t sum = rom_sum(), wrong = 0;

	(void)arg;
	for (uint32_t i = 0; i < sizeof(at) / sizeof(*at); i++) {
		wrong += STORE_AT("sgdt", at[i]) != VEC_PF;
		wrong += STORE_AT("sidt", at[i]) != VEC_PF;
		wrong += STORE_AT("sldt", at[i]) != VEC_PF;
		wrong += STORE_AT("str", at[i]) != VEC_PF;
		wrong += STORE_AT("smsw", at[i]) != VEC_PF;
	}
	same(wrong, 0, "each is a page fault");
	same(rom_sum(), sum, "the ROM is unchanged");
}

/* Calls of the ROM that store where they are told: to itself. */
static void call_stores(uint32_t arg)
{
	static const int calls[] = {
		VMI_CALL_GetGDT, VMI_CALL_GetIDT, VMI_CALL_WriteGDTEntry,
		VMI_CALL_WriteLDTEntry, VMI_CALL_WriteIDTEntry,
	};
	uint32_t sum = rom_sum(), wrong = 0;

	(void)arg;
	for (uint32_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		wrong += run_kernel(vmi_entry[calls[i]], TOP + 0x204, 0, 1,
				    1) != VEC_PF;
	wrong += run_kernel(vmi_entry[VMI_CALL_SetPxE], 1, 0, 0,
			    TOP + 0x204) != VEC_PF;
	wrong += run_kernel(vmi_entry[VMI_CALL_SetPxELong], 1, 0, TOP + 0x204,
			    0) != VEC_PF;
	same(wrong, 0, "each is a page fault");
	same(rom_sum(), sum, "the ROM is unchanged");
}

/* The image that the scan found is the guest's to spoil. STUB-1. */
static void low_copy(uint32_t arg)
{
	uint32_t bytes = rom_bytes(), sum = sum_of(bytes);

	(void)arg;
	for (uint32_t i = 0; i < bytes; i++)
		((volatile uint8_t *)rom)[i] = (uint8_t)random32();
	same(sum_of(bytes), sum, "the working copy is another");
	flush();
	vmi0(EnableInterrupts);
	same(vmi0(GetInterruptMask), EFLAGS_IF, "and works");
}

/* Jumps to every byte of the IRET entry and of what its windows cover, with a
 * good frame of the kernel's, an interrupt pending or not.
 * STUB-7, STUB-8: code of the ROM has no rights. */
static void iret_middle(uint32_t pending)
{
	const struct stub_rom_info *info = (void *)(rom + STUB_INFO_OFFSET);
	uint32_t returned = 0;

	pic_init();
	for (uint32_t at = 0; at < 64; at++)
		for (uint32_t flags = 0; flags < 2; flags++) {
			vmi0(DisableInterrupts);
			if (pending)
				pit_wait();
			returned += iret_by(TOP + info->iret_entry + at,
					    flags ? EFLAGS_IF | 2 : 2) == -1;
			vmi0(EnableInterrupts);
			vmi0(DisableInterrupts);
		}
	ok(returned > 16, "some of them return");
	USER("\xcd\x80", 0);
	same(last_trap.vector, VEC_SYSCALL, "user mode goes on");
}

const struct attack hole_cases[] = {
	CASE(user_area),
	CASE(emulated_stores),
	CASE(call_stores),
	CASE(low_copy),
	CASE_ARG("iret_middle", iret_middle, 0),
	CASE_ARG("iret_middle_pending", iret_middle, 1),
	CASES_END
};

// SPDX-License-Identifier: GPL-2.0-only
/* Set-up, the choice of a case, and what several cases use. */
#include "attack64.h"
#include "cmdline.h"
#include "pc.h"

void guest_main(void);

static const struct attack *const all[] = {
	tramp_cases, syscall_cases, desc_cases, gate_cases, stack_cases,
	return_cases, table_cases, queue_cases, sibling_cases, direct_cases,
	register_cases, call_cases, insn_cases, page_cases,
};

/* ---- for the cases ---------------------------------------------------------------- */

uint64_t hypercall(uint64_t nr, uint64_t a, uint64_t b, uint64_t c)
{
	__asm__ volatile("int %1"
			 : "+a"(nr)
			 : "i"(STUB_VECTOR), "D"(a), "S"(b), "d"(c)
			 : "rbx", "rcx", "memory", "cc");
	return nr;
}

uint64_t random64(void)
{
	static uint64_t state = 0x9e3779b97f4a7c15;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

void gate_write(uint32_t vector, uint64_t rip, uint64_t cs, uint32_t type,
		uint32_t dpl, uint32_t ist)
{
	const uint64_t gate[2] = {
		(rip & 0xffff) | cs << 16 | (uint64_t)ist << 32 |
		(uint64_t)(type | dpl << 5 | 0x80) << 40 |
		(rip & 0xffff0000) << 32,
		rip >> 32,
	};

	if (vmi_entry[VMI64_CALL_WriteIDTEntry]) {
		vmi3(WriteIDTEntry, idt, vector, gate);
		return;
	}
	idt[2 * vector] = gate[0];
	idt[2 * vector + 1] = gate[1];
}

void own_stack(uint32_t vector)
{
	static uint8_t stacks[7][1024] __attribute__((aligned(16)));
	static uint32_t ist[256], used;

	if (!ist[vector])
		ist[vector] = ++used;
	*(uint64_t *)(tss + 28 + ist[vector] * 8) =
		(uint64_t)stacks[ist[vector] - 1] + sizeof(stacks[0]);
	gate_write(vector, trap_stub[vector], KERNEL_CS, 14,
		   vector == VEC_BP ? 3 : 0, ist[vector]);
}

void gdt_write(uint32_t index, uint64_t low, uint64_t high)
{
	const uint64_t entry[2] = { low, high };

	vmi3(WriteGDTEntry, gdt, index, &entry[0]);
	vmi3(WriteGDTEntry, gdt, index + 1, &entry[1]);
}

int64_t user_try(struct user *u)
{
	fixup = (uint64_t)resume_kernel;
	user_run(u);
	fixup = 0;
	vmi0(DisableInterrupts);
	return (int64_t)last.vector;
}

void is_well(void)
{
	struct user u = user_start;

	same64(probe_read(UNMAPPED), VEC_PF, "a page fault comes");
	same64(last_cr2, UNMAPPED, "with its address");
	user_load("\x0f\x0b", 2);
	same64(user_try(&u), VEC_UD, "user mode runs");
	same64(last.rip, USER_CODE, "where it was to run");
	same64(hypercall(STUB_HC_CPUID, 0x40000000, 0, 0) != 0, 1,
	       "hypercalls are answered");
}

/* ---- a life ------------------------------------------------------------------------ */

static void list(const struct attack *a)
{
	const char *end = a->end ? a->end : "";

	print("case\t%s\t%s\t%s\t%s\n", a->name, end,
	      a->end_checked ? a->end_checked : end, a->boot ? a->boot : "");
}

static const struct attack *chosen(void)
{
	const struct attack *a;

	for (uint32_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		for (a = all[i]; a->name; a++)
			if (option_is("case", a->name))
				return a;
	return NULL;
}

void guest_main(void)
{
	const struct attack *a = chosen();

	cpu_init();
	if (!a) {
		for (uint32_t i = 0; i < sizeof(all) / sizeof(*all); i++)
			for (a = all[i]; a->name; a++)
				list(a);
		pc_reset();
	}
	play_init();
	if (a->mode != NATIVE) {
		if (!vmi_find() || vmi_init())
			print("Bail out! no VMI\n");
		vmi_begin();
	}
	a->run(a->arg);
	ok(true, "survived");
	tap_end();
	/* where nobody reads the lines: a death of its own */
	if (tap_failures && option("strict"))
		hypercall(0xbad, 0, 0, 0);
	pc_reset();
}

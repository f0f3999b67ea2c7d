// SPDX-License-Identifier: GPL-2.0-only
/* Set-up, the choice of a case, and what several cases use. */
#include "attack.h"
#include "race.h"

volatile uint8_t pages[4][PAGE] __attribute__((aligned(PAGE)));
uint32_t play_table[PLAY_PAGES] __attribute__((aligned(PAGE)));
uint32_t spare_table[1024] __attribute__((aligned(PAGE)));

static const struct attack *const all[] = {
	trap_cases, debug_cases, memory_cases, segment_cases,
	selector_cases, control_cases, event_cases, area_cases, flood_cases,
	vm86_cases, user_cases, stack_cases, insn_cases, hole_cases,
	exhaust_cases, neighbour_cases, pae_cases, step_cases,
	step_fault_cases, straddle_cases, end_cases, return_cases,
	bystander_cases, asleep_cases, race_memory_cases, race_cpu_cases,
	race_apic_cases, race_flush_cases, race_end_cases, right_cases,
	request_cases,
	page_cases,
};

/* ---- for the cases ----------------------------------------------------------- */

void map(uint32_t page, uint32_t entry)
{
	vmi3(SetPxE, entry, (uintptr_t)&linear(play_table)[page], VMI_PAGE_PT);
}

void flush(void)
{
	vmi1(FlushTLB, VMI_FLUSH_TLB);
}

void run_user_bytes(const char *code, uint32_t length, uint32_t eax,
		    uint32_t ebx)
{
	for (uint32_t i = 0; i < length; i++)
		pages[U_CODE][i] = (uint8_t)code[i];
	run_user(play(U_CODE), play(U_STACK) + PAGE, eax, ebx, false);
}

void user_bytes(const char *code, uint32_t length, uint32_t ebx)
{
	run_user_bytes(code, length, 0, ebx);
}

uint32_t hypercall(uint32_t nr, uint32_t edx, uint32_t ecx)
{
	uint32_t ebx;

	__asm__ volatile("int %4"
			 : "+a"(nr), "+d"(edx), "+c"(ecx), "=b"(ebx)
			 : "i"(STUB_VECTOR), "b"(0)
			 : "memory", "cc");
	return nr;
}

bool on_tcg(void)
{
	uint32_t eax = 0x40000000, ebx, ecx, edx;

	__asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx));
	return ebx == 0x54474354;	/* "TCGT" */
}

uint32_t *gate_of(int vector)
{
	struct { uint16_t limit; uint32_t base; } __attribute__((packed)) t;

	__asm__ volatile("sidt %0" : "=m"(t));
	return (uint32_t *)t.base + vector * 2;
}

void set_idt(int vector, uint32_t low, uint32_t high)
{
	vmi4(VMI_CALL_WriteIDTEntry, (uintptr_t)gate_of(0), (uint32_t)vector,
	     low, high);
}

static uint32_t state = 0x2545f491;

void seed_random(uint32_t seed)
{
	state = (seed + 1) * 0x9e3779b1;
	state += !state;
}

uint32_t random32(void)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

/* ---- a life ------------------------------------------------------------------- */

static void set_up_tables(void)
{
	announce_tables();
	vmi2(AllocatePage, frame_of(play_table), VMI_PAGE_PT | VMI_PAGE_ZEROED);
	vmi3(SetPxE, MAPS(play_table, PTE_W | PTE_U),
	     (uintptr_t)&linear(page_directory)[PLAY >> 22], VMI_PAGE_PD);
	map(U_CODE, MAPS(pages[U_CODE], PTE_U));
	map(U_STACK, MAPS(pages[U_STACK], PTE_U | PTE_W));
	map(U_KERNEL, MAPS(pages[U_KERNEL], PTE_W));
	flush();
	probe_write(play(U_KERNEL));
}

static void set_up(bool pae)
{
	if (pae)
		pae_enter();
	if (!vmi_find() || vmi_init())
		print("Bail out! no VMI\n");
	vmi_fetch_entries();
	vmi4(VMI_CALL_SetLinearMapping, 0, LINEAR, MAPPED / PAGE, 0);
	if (pae)
		pae_announce();
	else
		set_up_tables();
}

static void list(const struct attack *a)
{
	const char *end = a->end ? a->end : "";

	print("case\t%s\t%s\t%s\t%s\n", a->name, end,
	      a->end_checked ? a->end_checked : end, a->boot ? a->boot : "");
}

void guest_main(void)
{
	const struct attack *a = NULL;
	bool found = false;

	cpu_init();
	for (uint32_t i = 0; i < sizeof(all) / sizeof(*all) && !found; i++)
		for (a = all[i]; a->name && !found; a += !found)
			found = option_is("case", a->name);
	if (!found) {
		for (uint32_t i = 0; i < sizeof(all) / sizeof(*all); i++)
			for (a = all[i]; a->name; a++)
				list(a);
	} else {
		if (a->mode != NATIVE)
			set_up(a->mode == WITH_PAE);
		a->run(a->arg);
		ok(true, "survived");
		tap_end();
		/* where nobody reads the lines: a death of its own */
		if (tap_failures && option("strict"))
			hypercall(0xbad, 0, 0);
	}
	pc_reset();
}

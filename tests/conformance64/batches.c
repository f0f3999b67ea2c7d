// SPDX-License-Identifier: GPL-2.0-only
/* Lazy modes: VMI-3.5. Where there are none the calls act at once. */
#include "conf64.h"
#include "pc.h"

#define TICKS		100u
#define HOOK_PAGE	(FIRST + 100)

static uint64_t in_handler;

static void mode(uint32_t m)
{
	vmi1(SetLazyMode, m);
}

static uint32_t right_by(uint32_t first, uint32_t shift)
{
	uint32_t right = 0;

	for (uint32_t i = 0; i < FRAMES; i++)
		right += word_at(play_va(first + i)) ==
			 FRAME_MARK + (i + shift) % FRAMES;
	return right;
}

static void map(uint32_t shift, bool inval)
{
	for (uint32_t i = 0; i < FRAMES; i++) {
		show(FIRST + i, (i + shift) % FRAMES, PTE_P);
		if (inval)
			vmi1(InvalPage, play_va(FIRST + i));
	}
}

static void change(struct frame *f)
{
	(void)f;
	show(FIRST, 2, PTE_P);
	vmi1(InvalPage, play_va(FIRST));
	in_handler = word_at(play_va(FIRST));
}

static void probe(struct frame *f)
{
	const uint64_t outer = fixup;

	(void)f;
	in_handler = (uint64_t)probe_read(play_va(FIRST));
	fixup = outer;
}

static void mmu(void)
{
	map(0, false);
	flush();
	right_by(FIRST, 0);
	mode(VMI_LAZY_MMU);
	map(1, true);
	mode(VMI_LAZY_NONE);
	is_of(SetLazyMode, "VMI-3.5.1", right_by(FIRST, 1), FRAMES,
	      "invalidations in an MMU batch are done at its end");
	mode(VMI_LAZY_MMU);
	map(2, false);
	flush();
	mode(VMI_LAZY_NONE);
	is_of(SetLazyMode, "VMI-3.5.1", right_by(FIRST, 2), FRAMES,
	      "so is a flush");
	mode(VMI_LAZY_MMU);
	map(3, false);
	vmi1(FlushTLB, VMI_FLUSH_TLB | VMI_FLUSH_GLOBAL);
	map(4, true);
	mode(VMI_LAZY_NONE);
	is_of(SetLazyMode, "VMI-3.5.5", right_by(FIRST, 4), FRAMES,
	      "the last of several changes in a batch counts");
	mode(VMI_LAZY_MMU);
	map(5, false);
	mode(VMI_LAZY_NONE);
	flush();
	is_of(SetLazyMode, "VMI-3.5.3", right_by(FIRST, 5), FRAMES,
	      "updates in a batch, flushed behind it");
	map(6, false);
	mode(VMI_LAZY_MMU);
	flush();
	mode(VMI_LAZY_NONE);
	is_of(SetLazyMode, "VMI-3.5.3", right_by(FIRST, 6), FRAMES,
	      "updates before a batch, flushed in it");
	mode(VMI_LAZY_MMU);
	mode(VMI_LAZY_NONE);
	is_of(SetLazyMode, "VMI-3.2.73", right_by(FIRST, 6), FRAMES,
	      "an empty batch");
	play_set(FIRST, 0);
	flush();
	mode(VMI_LAZY_MMU);
	show(FIRST, 9, PTE_P);
	is("VMI-3.4.3", word_at(play_va(FIRST)), FRAME_MARK + 9,
	   "a new mapping is used inside its batch");
	mode(VMI_LAZY_NONE);
	vmi1(SetLazyMode, 0xffffffff00000000 | VMI_LAZY_MMU);
	map(7, true);
	vmi1(SetLazyMode, 0x1234567800000000);
	is_of(SetLazyMode, "VMI64-3.1.1", right_by(FIRST, 7), FRAMES,
	      "a mode has 32 bits");
}

static void handlers(void)
{
	show(FIRST, 1, PTE_P);
	flush();
	word_at(play_va(FIRST));
	mode(VMI_LAZY_MMU);
	interrupt_now(change);
	mode(VMI_LAZY_NONE);
	is("VMI-3.5.4", in_handler, FRAME_MARK + 2,
	   "InvalPage in an interrupt handler is not deferred");
	mode(VMI_LAZY_MMU);
	play_set(FIRST, 0);
	vmi1(InvalPage, play_va(FIRST));
	interrupt_now(probe);
	mode(VMI_LAZY_NONE);
	is("VMI-3.5.4", in_handler, VEC_PF,
	   "what the batch has deferred takes effect before a handler");
	mode(VMI_LAZY_MMU);
	show(FIRST + 1, 31, PTE_P);
	vmi1(InvalPage, play_va(FIRST + 1));
	is("VMI-3.5.4", probe_read(play_va(FIRST)), VEC_PF,
	   "a page fault in a batch");
	show(FIRST + 2, 32, PTE_P);
	vmi1(InvalPage, play_va(FIRST + 2));
	mode(VMI_LAZY_NONE);
	point("VMI-3.5.4", word_at(play_va(FIRST + 1)) == FRAME_MARK + 31 &&
	      word_at(play_va(FIRST + 2)) == FRAME_MARK + 32,
	      "loses nothing of the batch");
	show(FIRST, 1, PTE_P);
}

static uint64_t ldt[4] __attribute__((aligned(16)));
static uint8_t stack[2048] __attribute__((aligned(16)));

static void processor(void)
{
	static const uint64_t data = 0x00cff3000000ffff, none;
	const uint64_t at = (uint64_t)ldt, cr0 = vmi0(GetCR0);
	const uint64_t entry[2] = {
		(sizeof(ldt) - 1) | (at & 0xffffff) << 16 | 0x82ull << 40 |
		(at >> 24 & 0xff) << 56, at >> 32
	};
	uint32_t loads = 0;
	uint16_t gs;

	ldt[1] = data;
	vmi1(SetCR0, cr0 | CR0_TS);
	mode(VMI_LAZY_CPU);
	vmi3(WriteGDTEntry, gdt, LDT_SELECTOR / 8, entry);
	vmi1(SetLDT, LDT_SELECTOR);
	is_of(SetLDT, "VMI-3.2.8", (uint32_t)vmi0(GetLDT), LDT_SELECTOR,
	      "GetLDT in a batch is what was set last");
	for (uint32_t i = 0; i < 3; i++)
		vmi3(WriteGDTEntry, gdt, SPARE_GDT + i, &data);
	is("VMI-3.3.1", gdt[SPARE_GDT + 2], data,
	   "WriteGDTEntry in a batch writes memory at once");
	vmi0(CLTS);
	is_of(CLTS, "VMI-3.2.28", vmi0(GetCR0), cr0 & ~CR0_TS,
	      "GetCR0 in a batch is what was set last");
	vmi1(UpdateKernelStack, stack + 1024);
	vmi1(SetIOPLMask, 0);
	mode(VMI_LAZY_NONE);
	is_of(SetLDT, "VMI-3.5.1", selector_loads(1 * 8 + 7) | 3, 1 * 8 + 7,
	      "SetLDT in a batch is in effect at its end");
	for (uint32_t i = 0; i < 3; i++)
		loads += (selector_loads((SPARE_GDT + i) * 8 + 3) & ~3u) ==
			 (SPARE_GDT + i) * 8;
	is_of(WriteGDTEntry, "VMI-3.5.1", loads, 3,
	      "so are three descriptors");
	is_of(CLTS, "VMI-3.5.1", raised("\xd9\xd0"), -1, "so is CLTS");
	mode(VMI_LAZY_CPU);
	vmi3(WriteGDTEntry, gdt, SPARE_GDT, &none);
	vmi3(WriteGDTEntry, gdt, SPARE_GDT, &data);
	vmi3(WriteGDTEntry, gdt, SPARE_GDT + 1, &data);
	vmi3(WriteGDTEntry, gdt, SPARE_GDT + 1, &none);
	mode(VMI_LAZY_NONE);
	point_of(VMI64_CALL_WriteGDTEntry, "VMI-3.5.5",
		 selector_loads(SPARE_GDT * 8 + 3) != 0xffff &&
		 selector_loads((SPARE_GDT + 1) * 8 + 3) == 0xffff,
		 "the last write of a descriptor counts");
	/* GS is still that of the task that a switch leaves */
	selector_loads(0);
	__asm__ volatile("mov %w0, %%gs" : : "r"(1 * 8 + 7));
	mode(VMI_LAZY_CPU);
	vmi1(SetLDT, 0);
	__asm__ volatile("mov %%gs, %0" : "=r"(gs));
	is_of(SetLDT, "VMI-3.5.6", gs | 3, 1 * 8 + 7,
	      "SetLDT in CPU mode leaves the selectors");
	__asm__ volatile("mov %w0, %%gs" : : "r"(0));
	mode(VMI_LAZY_NONE);
	mode(VMI_LAZY_CPU);
	kernel_stack = (uint64_t)(stack + sizeof(stack));
	vmi1(UpdateKernelStack, kernel_stack);
	mode(VMI_LAZY_NONE);
	USER(INT80);
	is_of(UpdateKernelStack, "VMI64-3.2.14", last_at + sizeof(struct frame),
	      kernel_stack, "the stack named in a batch counts");
	kernel_stack = 0;
	/* MMU mode left for CPU mode and entered again */
	mode(VMI_LAZY_MMU);
	show(FIRST, 40, PTE_P);
	vmi1(InvalPage, play_va(FIRST));
	mode(VMI_LAZY_NONE);
	loads = word_at(play_va(FIRST)) == FRAME_MARK + 40;
	mode(VMI_LAZY_CPU);
	vmi1(SetCR3, pa(boot_pml4));
	mode(VMI_LAZY_NONE);
	mode(VMI_LAZY_MMU);
	show(FIRST, 41, PTE_P);
	vmi1(InvalPage, play_va(FIRST));
	mode(VMI_LAZY_NONE);
	point_of(VMI64_CALL_SetLazyMode, "VMI-3.5.2", loads &&
		 word_at(play_va(FIRST)) == FRAME_MARK + 41,
		 "MMU mode left for CPU mode and entered again");
	vmi3(WriteGDTEntry, gdt, SPARE_GDT, &none);
	vmi3(WriteGDTEntry, gdt, SPARE_GDT + 2, &none);
	probe_load_ds(USER_DS);
	vmi1(SetCR0, cr0);
}

/* ---- interrupts at any place of a burst ---------------------------------------- */

static uint32_t hooked;

static void map_there(struct frame *f)
{
	(void)f;
	show(HOOK_PAGE + hooked % FRAMES, hooked % FRAMES, PTE_P);
	hooked++;
	pit_one_shot();
}

static void bursts(void)
{
	const uint32_t begin = irq0_count;
	uint32_t wrong = 0, round = 0;

	for (hooked = 0; hooked < FRAMES; hooked++)
		show(HOOK_PAGE + hooked, hooked, PTE_P);
	vector_hook[VEC_IRQ0] = map_there;
	pit_one_shot();
	while (irq0_count - begin < TICKS) {
		vmi0(EnableInterrupts);
		map(round, false);
		vmi0(DisableInterrupts);
		flush();
		wrong += right_by(FIRST, round) != FRAMES;
		wrong += right_by(HOOK_PAGE, 0) != FRAMES;
		round++;
	}
	vector_hook[VEC_IRQ0] = NULL;
	while (!(inb(0x20) & 1))
		;
	vmi0(EnableInterrupts);
	vmi0(DisableInterrupts);
	is("VMI-3.5.4", wrong, 0,
	   "updates by handlers among updates: none is lost");
}

void batches(void)
{
	mmu();
	handlers();
	processor();
	bursts();
}

// SPDX-License-Identifier: GPL-2.0-only
/* Lazy modes: VMI-3.5. Where there are none the calls act at once. */
#include "conf.h"

#define DATA3		0x0040f20000000000ull
#define PTR(p)		((uint32_t)(uintptr_t)(p))
#define BATCH		100u

static uint64_t ldt[4] __attribute__((aligned(8)));
static uint32_t in_handler;

static void mode(uint32_t m)
{
	vmi1(SetLazyMode, m);
}

static uint32_t right_by(uint32_t shift)
{
	uint32_t right = 0;

	for (uint32_t i = 0; i < BATCH; i++)
		right += play_read(PLAY_FIRST + i) ==
			 FRAME_MARK + (i + shift) % FRAMES;
	return right;
}

static void map_batch(uint32_t shift, bool inval)
{
	for (uint32_t i = 0; i < BATCH; i++) {
		play_map(PLAY_FIRST + i, frame_entry(i + shift));
		if (inval)
			vmi1(InvalPage, play_va(PLAY_FIRST + i));
	}
}

static void interrupt_now(void (*hook)(void))
{
	pit_wait();
	irq0_hook = hook;
	vmi0(EnableInterrupts);
	vmi0(DisableInterrupts);
	irq0_hook = NULL;
}

static void hook_inval(void)
{
	play_map(PLAY_FIRST, frame_entry(2));
	vmi1(InvalPage, play_va(PLAY_FIRST));
	in_handler = play_read(PLAY_FIRST);
}

static void hook_probe(void)
{
	in_handler = (uint32_t)probe_read(play_va(PLAY_FIRST));
}

static void mmu(void)
{
	map_batch(0, false);
	flush();
	(void)right_by(0);
	mode(VMI_LAZY_MMU);
	map_batch(1, true);
	mode(VMI_LAZY_NONE);
	is_of(SetLazyMode, "3.5.1", right_by(1), BATCH,
	      "invalidations in an MMU batch are done at its end");
	mode(VMI_LAZY_MMU);
	map_batch(2, false);
	flush();
	mode(VMI_LAZY_NONE);
	is_of(SetLazyMode, "3.5.1", right_by(2), BATCH,
	      "so is a flush");
	mode(VMI_LAZY_MMU);
	map_batch(3, false);
	vmi1(FlushTLB, VMI_FLUSH_TLB | VMI_FLUSH_GLOBAL);
	map_batch(4, true);
	mode(VMI_LAZY_NONE);
	is_of(SetLazyMode, "3.5.5", right_by(4), BATCH,
	      "the last of several changes in a batch counts");
	mode(VMI_LAZY_MMU);
	map_batch(5, false);
	mode(VMI_LAZY_NONE);
	flush();
	is_of(SetLazyMode, "3.5.3", right_by(5), BATCH,
	      "updates in a batch, flushed behind it");
	map_batch(6, false);
	mode(VMI_LAZY_MMU);
	flush();
	mode(VMI_LAZY_NONE);
	is_of(SetLazyMode, "3.5.3", right_by(6), BATCH,
	      "updates before a batch, flushed in it");
	mode(VMI_LAZY_MMU);
	mode(VMI_LAZY_NONE);
	is_of(SetLazyMode, "3.2.73", right_by(6), BATCH, "an empty batch");

	/* a new mapping in a batch is used in it */
	play_map(PLAY_FIRST, 0);
	flush();
	mode(VMI_LAZY_MMU);
	play_map(PLAY_FIRST, frame_entry(9));
	is_of(SetLazyMode, "3.4.3", play_read(PLAY_FIRST), FRAME_MARK + 9,
	      "a new mapping is used inside its batch");
	mode(VMI_LAZY_NONE);
}

static void handlers(void)
{
	play_map(PLAY_FIRST, frame_entry(1));
	flush();
	(void)play_read(PLAY_FIRST);
	mode(VMI_LAZY_MMU);
	interrupt_now(hook_inval);
	mode(VMI_LAZY_NONE);
	is_of(SetLazyMode, "3.5.4", in_handler, FRAME_MARK + 2,
	      "InvalPage in an interrupt handler is not deferred");
	mode(VMI_LAZY_MMU);
	play_map(PLAY_FIRST, 0);
	vmi1(InvalPage, play_va(PLAY_FIRST));
	interrupt_now(hook_probe);
	mode(VMI_LAZY_NONE);
	is_of(SetLazyMode, "3.5.4", in_handler, VEC_PF,
	      "what the batch has deferred takes effect before a handler");
	/* a fault inside a batch, and its batch goes on */
	mode(VMI_LAZY_MMU);
	play_map(PLAY_FIRST + 1, frame_entry(31));
	vmi1(InvalPage, play_va(PLAY_FIRST + 1));
	is_of(SetLazyMode, "3.5.4", probe_read(play_va(PLAY_FIRST)), VEC_PF,
	      "a page fault in a batch");
	play_map(PLAY_FIRST + 2, frame_entry(32));
	vmi1(InvalPage, play_va(PLAY_FIRST + 2));
	mode(VMI_LAZY_NONE);
	point_of(VMI_CALL_SetLazyMode, "3.5.4",
		 play_read(PLAY_FIRST + 1) == FRAME_MARK + 31 &&
		 play_read(PLAY_FIRST + 2) == FRAME_MARK + 32,
		 "loses nothing of the batch");
	play_map(PLAY_FIRST, frame_entry(1));
}

static void load_ldt(void)
{
	write_gdt(0x88 / 8, descriptor(PTR(ldt), sizeof(ldt) - 1, 0x8200));
	vmi1(SetLDT, 0x88);
}

static uint8_t stack[PAGE] __attribute__((aligned(16)));

static void cpu(void)
{
	const uint32_t cr0 = vmi0(GetCR0), sel = SPARE_GDT * 8 + 3;
	struct user u = user_state(u_syscall);
	uint32_t seen;

	space_copy(&theirs);
	space_alloc(&theirs);
	set_entry(dir_entry(&theirs, PLAY), 0, VMI_PAGE_PD);
	flush();
	vmi1(SetCR0, cr0 | CR0_TS);
	ldt[1] = DATA3 | 0x44;

	mode(VMI_LAZY_CPU);
	vmi1(SetCR3, root(&theirs));
	is_of(SetLazyMode, "3.2.19", vmi0(GetCR3), root(&theirs),
	      "GetCR3 in a batch is what was set last");
	load_ldt();
	is_of(SetLazyMode, "3.2.8", vmi0(GetLDT) & ~3u, 0x88,
	      "GetLDT in a batch is what was set last");
	for (uint32_t i = 0; i < 3; i++)
		write_gdt(SPARE_GDT + i, DATA3 | (0x100 + i));
	is_of(SetLazyMode, "3.3.1", (uint32_t)gdt[SPARE_GDT + 2], 0x102,
	      "WriteGDTEntry in a batch writes memory at once");
	vmi0(CLTS);
	is_of(SetLazyMode, "3.2.28", vmi0(GetCR0), cr0,
	      "GetCR0 in a batch is what was set last");
	vmi2(UpdateKernelStack, KERNEL_DS, PTR(stack) + PAGE);
	vmi1(SetIOPLMask, 0);
	mode(VMI_LAZY_NONE);

	is_of(SetLazyMode, "3.5.1", probe_read(play_va(PLAY_FIRST)), VEC_PF,
	      "SetCR3 in a batch is in effect at its end");
	is_of(SetLazyMode, "3.5.1", limit_of(1 * 8 + 7), 0x44,
	      "so is SetLDT");
	seen = 0;
	for (uint32_t i = 0; i < 3; i++)
		seen += limit_of(sel + 8 * i) == 0x100 + i;
	is_of(SetLazyMode, "3.5.1", seen, 3, "so are three TLS descriptors");
	is_of(SetLazyMode, "3.5.1", try_fpu(0), (uint32_t)-1, "so is CLTS");
	vmi1(SetCR3, root(&ours));
	is_of(SetLazyMode, "3.2.19", vmi0(GetCR3), root(&ours),
	      "GetCR3 behind it");

	/* order: back and forth in one batch */
	mode(VMI_LAZY_CPU);
	vmi1(SetCR3, root(&theirs));
	vmi1(SetCR3, root(&ours));
	write_gdt(SPARE_GDT, DATA3 | 0x200);
	write_gdt(SPARE_GDT, DATA3 | 0x201);
	mode(VMI_LAZY_NONE);
	is_of(SetLazyMode, "3.5.5", play_read(PLAY_FIRST), FRAME_MARK + 1,
	      "the last SetCR3 of a batch counts");
	is_of(SetLazyMode, "3.5.5", limit_of(sel), 0x201,
	      "the last write of a descriptor counts");

	/* as Linux switches in the middle of an MMU batch */
	mode(VMI_LAZY_MMU);
	play_map(PLAY_FIRST, frame_entry(40));
	vmi1(InvalPage, play_va(PLAY_FIRST));
	mode(VMI_LAZY_NONE);
	seen = play_read(PLAY_FIRST);
	mode(VMI_LAZY_CPU);
	vmi1(SetCR3, root(&theirs));
	mode(VMI_LAZY_NONE);
	in_handler = (uint32_t)probe_read(play_va(PLAY_FIRST));
	mode(VMI_LAZY_CPU);
	vmi1(SetCR3, root(&ours));
	mode(VMI_LAZY_NONE);
	mode(VMI_LAZY_MMU);
	play_map(PLAY_FIRST, frame_entry(41));
	vmi1(InvalPage, play_va(PLAY_FIRST));
	mode(VMI_LAZY_NONE);
	point_of(VMI_CALL_SetLazyMode, "3.5.2", seen == FRAME_MARK + 40 &&
		 in_handler == VEC_PF &&
		 play_read(PLAY_FIRST) == FRAME_MARK + 41,
		 "MMU mode left for CPU mode and entered again");

	/* the batch is over when a handler runs */
	mode(VMI_LAZY_CPU);
	vmi1(SetCR3, root(&theirs));
	interrupt_now(hook_probe);
	mode(VMI_LAZY_NONE);
	is_of(SetLazyMode, "3.5.4", in_handler, VEC_PF,
	      "a handler runs in the space that the batch has set");
	vmi1(SetCR3, root(&ours));
	is_of(SetLazyMode, "3.5.4", play_read(PLAY_FIRST), FRAME_MARK + 41,
	      "and back");

	/* GS is still that of the task that a switch leaves */
	load_ldt();
	try_load_gs(1 * 8 + 7);
	mode(VMI_LAZY_CPU);
	vmi1(SetLDT, 0);
	__asm__ volatile("mov %%gs, %0" : "=r"(seen));
	is_of(SetLDT, "3.5.6", seen & 0xffff, 1 * 8 + 7,
	      "SetLDT in CPU mode leaves the selectors");
	try_load_gs(0);
	mode(VMI_LAZY_NONE);

	/* an entry from user mode takes the stack that a batch has named */
	stack_override = PTR(stack) + PAGE;
	enter_user(&u);
	is_of(SetLazyMode, "3.2.14", last_trap_at,
	      PTR(stack) + PAGE - sizeof(struct frame),
	      "the stack named last counts");
	stack_override = 0;
	vmi1(SetLDT, 0);
	write_gdt(0x88 / 8, 0);
	for (uint32_t i = 0; i < 3; i++)
		write_gdt(SPARE_GDT + i, 0);
	space_release(&theirs);
}

/* ---- interrupts at any place of a burst ---------------------------------------- */

#define TICKS		200u
#define HOOK_PAGE	(PLAY_FIRST + 200)

static uint32_t hooked;

static void hook_map(void)
{
	play_map(HOOK_PAGE + hooked % BATCH, frame_entry(hooked));
	hooked++;
	pit_one_shot();
}

static void bursts(void)
{
	const uint32_t begin = irq0_count;
	uint32_t wrong = 0, round = 0;

	for (hooked = 0; hooked < BATCH; hooked++)
		play_map(HOOK_PAGE + hooked, frame_entry(hooked));
	irq0_hook = hook_map;
	pit_one_shot();
	while (irq0_count - begin < TICKS) {
		vmi0(EnableInterrupts);
		map_batch(round, false);
		vmi0(DisableInterrupts);
		flush();
		wrong += right_by(round) != BATCH;
		for (uint32_t n = hooked - BATCH; n != hooked; n++)
			wrong += play_read(HOOK_PAGE + n % BATCH) !=
				 FRAME_MARK + n % FRAMES;
		round++;
	}
	irq0_hook = NULL;
	while (!(inb(0x20) & 1))
		;
	vmi0(EnableInterrupts);
	vmi0(DisableInterrupts);
	is_of(SetEntry, "3.5.4", wrong, 0,
	      "updates by handlers among updates: none is lost");
}

void batches(void)
{
	mmu();
	handlers();
	cpu();
	bursts();
}

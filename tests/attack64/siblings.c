// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two vCPUs of a 64-bit guest: what one of them uses changes under it by the other.
 * Each race lasts option "ms" milliseconds. VMI64-3.8, VMI-3.4.5.
 */
#include "attack64.h"
#include "cmdline.h"
#include "processors.h"

#define SAFE		0x5afe5afe5afe5afeull
#define ONES		0xffffffffu
#define RACE_PAGES	16u
#define SLOT		320u
#define SLOT_VA		0xffffa00000000000ull
#define MANY		0x2000000ull	/* guest-physical: tables from here on */
#define MANY_TABLES	2000u		/* more than the pool has pages */
#define BAD_TAIL	"bad queue: tail -?\\d+ is not in -\\d+..0"
#define RIGHTS		(PTE_P | PTE_W)

typedef void step(uint32_t round);

static table spare[4], other_pml4;
static volatile bool over;
static bool may_die;			/* it runs anywhere */
static volatile uint32_t wrong;
static step *volatile other_step;

/* A number that has nothing to do with the next. */
static uint32_t scramble(uint32_t i)
{
	i = (i ^ 0x2545f491) * 0x9e3779b1;
	i = (i ^ i >> 15) * 0x85ebca6b;
	return i ^ i >> 13;
}

/* ---- what faults, on either ------------------------------------------------------- */

static bool safe_read(uint64_t va, uint32_t *word)
{
	uint64_t safe = SAFE;

	__asm__ volatile("lea 1f(%%rip), %%rbx\n\tmovl (%2), %0\n\txor %1, %1\n1:"
			 : "=&r"(*word), "+S"(safe) : "r"(va)
			 : "rbx", "memory", "cc");
	return !safe;
}

static bool safe_write(uint64_t va, uint32_t word)
{
	uint64_t safe = SAFE;

	__asm__ volatile("lea 1f(%%rip), %%rbx\n\tmovl %2, (%1)\n\txor %0, %0\n1:"
			 : "+S"(safe) : "r"(va), "r"(word)
			 : "rbx", "memory", "cc");
	return !safe;
}

static void caught(struct frame *f)
{
	if ((f->cs & 3) == 3) {
		vmi0(DisableInterrupts);
		last = *f;
		resume_kernel();
	}
	if (f->r.rsi != SAFE && may_die)
		hypercall(0xbad, 0, 0, 0);
	if (f->r.rsi != SAFE) {
		print("not ok - trap %u error %x at %x:%x\n", (uint32_t)f->vector,
		      (uint32_t)f->error, (uint32_t)(f->rip >> 32),
		      (uint32_t)f->rip);
		vmi0(Shutdown);
	}
	f->rip = f->r.rbx;
}

/* ---- the two ---------------------------------------------------------------------- */

static void begin(void)
{
	static const uint8_t vectors[] = {
		VEC_UD, VEC_NP, VEC_SS, VEC_GP, VEC_PF, VEC_SYSCALL
	};
	struct vmi64_ap_state s;

	processors_find();
	for (uint32_t i = 0; i < sizeof(vectors); i++)
		vector_hook[vectors[i]] = caught;
	s = processor_state(OTHER);
	processor_start(OTHER, &s);
}

static void end(void)
{
	processor_stop(OTHER);
	for (uint32_t i = 0; i < 256; i++)
		vector_hook[i] = NULL;
	same64(wrong, 0, "nothing was wrong");
	is_well();
}

static bool time_left(void)
{
	static uint64_t last_one;

	if (!last_one)
		last_one = vmi1(GetCycleCounter, VMI_CYCLES_REAL) +
			   vmi0(GetCycleFrequency) / 1000 * option_number("ms");
	return vmi1(GetCycleCounter, VMI_CYCLES_REAL) < last_one;
}

static void steps_there(uint64_t arg)
{
	for (uint32_t i = (uint32_t)arg; !over; i++)
		other_step(i);
}

static void race(step *mine, step *theirs)
{
	other_step = theirs;
	begin_on(OTHER, steps_there, 1u << 28);
	for (uint32_t i = 0; time_left(); i++)
		mine(i);
	over = true;
	end_on(OTHER);
}

/* ---- what they do ------------------------------------------------------------------ */

static void flush_some(uint32_t i)
{
	switch (i % 4) {
	case 0:
		flush();
		break;
	case 1:
		vmi1(SetCR3, vmi0(GetCR3));
		break;
	case 2:
		vmi3(FlushProcessors, i >> 8, i & 0x10 ? VMI_FLUSH_TLB :
		     VMI_FLUSH_PAGE | (play_va(0) + (i & 0x1f000)), i & 1);
		break;
	default:
		vmi1(InvalPage, play_va(PLAY_FIRST + i / 4 % RACE_PAGES));
	}
}

static void read_page(uint64_t va)
{
	uint32_t word;

	if (safe_read(va, &word) && word != ONES && word - FRAME_MARK >= FRAMES)
		wrong++;
}

static void read_pages(uint32_t i)
{
	read_page(play_va(PLAY_FIRST + scramble(i) % RACE_PAGES));
	if (i % 8 == 7)
		flush_some(scramble(i));
}

/* Frames with a mark, memory that is none, reserved bits. */
static uint64_t some_entry(uint32_t n)
{
	static const uint64_t bits[] = {
		PTE_W, PTE_W | PTE_U, 0, PTE_U, PTE_W | PTE_A,
		PTE_W | PTE_A | PTE_D, PTE_A,
	};

	switch (n % 16) {
	case 0:
		return 0;
	case 1:
		return OUTSIDE | PTE_P;
	case 2:
		return frame_pa(n / 16 % FRAMES) | PTE_P | 1ull << 51;
	}
	return frame_pa(n / 16 % FRAMES) | PTE_P | bits[n % 7];
}

static void store(uint64_t *entry, uint64_t value)
{
	*(volatile uint64_t *)direct(pa(entry)) = value;
}

static void store_entries(uint32_t i)
{
	store(&play_pt[PLAY_FIRST + i % RACE_PAGES], some_entry(scramble(i)));
}

static void tell_entries(uint32_t i)
{
	play_set(PLAY_FIRST + i % RACE_PAGES, some_entry(scramble(i)));
	if (i % 32 == 31)
		flush_some(scramble(i));
}

static void entries(uint32_t told)
{
	begin();
	race(read_pages, told ? tell_entries : store_entries);
	end();
}

static void entries_both(uint32_t arg)
{
	(void)arg;
	begin();
	race(tell_entries, tell_entries);
	end();
}

/* Accessed and dirty bits go into the entry that was read, or nowhere. */
static void take_away(uint32_t i)
{
	uint64_t *at = direct(pa(&play_pt[PLAY_FIRST + (i & 1)]));

	*(volatile uint64_t *)at = frame_pa(i % FRAMES) | RIGHTS;
	for (uint32_t n = scramble(i) % 64; n; n--)
		relax();
	__atomic_exchange_n(at, 0, __ATOMIC_SEQ_CST);
	for (uint32_t n = 0; n < 32; n++)
		wrong += *(volatile uint64_t *)at != 0;
}

static void write_pages(uint32_t i)
{
	const uint64_t va = play_va(PLAY_FIRST + (i & 1));

	if (i & 2)
		safe_write(va + 64, i);
	else
		read_page(va);
	vmi1(InvalPage, va);
}

static void bits(uint32_t arg)
{
	(void)arg;
	begin();
	race(write_pages, take_away);
	end();
}

/* ---- the tables above -------------------------------------------------------------- */

/* One frame in all places, told, not told, and told to be no table. */
static void change_levels(uint32_t i)
{
	const uint32_t n = scramble(i);
	uint64_t *entry = n & 0x10 ? &boot_pml4[SLOT] : &spare[n % 3][n >> 8 & 1];
	uint64_t value = pa(spare[n >> 12 & 3]) | RIGHTS | (n >> 16 & PTE_A);

	if (!(n >> 20 & 7))
		value = n & 1 ? 0 : value | 1ull << 51;
	if (n & 0x20)
		set_entry(entry, value);
	else
		store(entry, value);
	if (!(n >> 24 & 7))
		vmi5(AllocatePage, pa(spare[n & 3]) / PAGE, VMI_PAGE_PT, 0, 0, 0);
	else if (n >> 24 == 9)
		vmi1(ReleasePage, pa(spare[n & 3]) / PAGE);
}

static void use_levels(uint32_t i)
{
	const uint64_t va = SLOT_VA + ((uint64_t)(i & 1) << 12) +
			    ((uint64_t)(i >> 1 & 1) << 21) +
			    ((uint64_t)(i >> 2 & 1) << 30);
	uint32_t word;

	if (i & 8)
		safe_read(va, &word);
	else
		safe_write(va + 4088, 0);
	if (i % 16 == 15)
		flush_some(scramble(i));
}

static void levels(uint32_t both)
{
	begin();
	race(both ? change_levels : use_levels, change_levels);
	store(&boot_pml4[SLOT], 0);
	set_entry(&boot_pml4[SLOT], 0);
	vmi3(FlushProcessors, ~0u, VMI_FLUSH_TLB, 0);
	end();
}

/*
 * The other runs on a PML4 of its own, with all ways into the hypervisor, while this
 * one writes it: but for what the other needs itself.
 */
static void overwrite_pml4(uint32_t i)
{
	static const uint16_t needed[] = { 0, DIRECT >> 39 & 511, SLOT, 511 };
	uint32_t n = scramble(i), slot = n >> 8 & 511;
	uint64_t value = pa(spare[n & 3]) | RIGHTS;

	if (n & 0x10)
		value = n & 0x20 ? 0 : (uint64_t)n << 12 | n >> 20;
	if (n & 0x40)
		slot = n & 0x80 ? 271 : 256 + slot % 16;
	for (uint32_t k = 0; k < 4; k++)
		if (slot == needed[k])
			value = boot_pml4[slot];
	if (n & 0x20000)
		store(&other_pml4[slot], value);
	else
		set_entry(&other_pml4[slot], value);
	switch (n >> 24) {
	case 0:
		vmi1(ReleasePage, pa(other_pml4) / PAGE);
		break;
	case 1:
		vmi5(AllocatePage, pa(other_pml4) / PAGE, VMI_PAGE_PML4, 0, 0, 0);
		break;
	case 2:
		vmi3(FlushProcessors, ~0u, n & 1 ? VMI_FLUSH_TLB :
		     VMI_FLUSH_PAGE | TRAMP, 0);
		break;
	}
}

static void all_ways(uint32_t i)
{
	struct user u = user_start;
	uint32_t word;

	switch (i % 8) {
	case 0:
		user_run(&u);		/* INT 80h, or SYSCALL */
		wrong += seen.which != 1 && last.vector != VEC_SYSCALL;
		break;
	case 1:
		vmi1(CancelAlarm, 0);
		break;
	case 2:
		safe_read(SLOT_VA, &word);
		break;
	case 3:
		vmi1(SetCR3, pa(other_pml4));
		break;
	case 4:
		wrong += rdmsr64(MSR_LSTAR) != (uint64_t)syscall_target;
		break;
	case 5:
		flush();
		break;
	default:
		read_page(play_va(PLAY_FIRST));
	}
}

static void enter_pml4(uint64_t arg)
{
	(void)arg;
	wrmsr64(MSR_STAR, (uint64_t)USER32_CS << 48 | (uint64_t)KERNEL_CS << 32);
	wrmsr64(MSR_LSTAR, (uint64_t)syscall_target);
	wrmsr64(MSR_EFER, rdmsr64(MSR_EFER) | EFER_SCE);
	vmi1(SetCR3, pa(other_pml4));
}

static void leave_pml4(uint64_t arg)
{
	(void)arg;
	vmi1(SetCR3, pa(boot_pml4));
}

static void pml4(uint32_t by_syscall)
{
	for (uint32_t i = 0; i < 512; i++)
		store(&other_pml4[i], boot_pml4[i]);
	play_set(PLAY_FIRST, frame_pa(0) | RIGHTS);
	user_load(by_syscall ? "\x0f\x05" : "\xcd\x80", 2);
	begin();
	run_on(OTHER, enter_pml4, 0);
	race(overwrite_pml4, all_ways);
	run_on(OTHER, leave_pml4, 0);
	end();
}

/* More tables than the pool has pages for: it is emptied again and again, while
 * the other is in the guest. */
static void use_many(uint32_t i)
{
	const uint64_t n = scramble(i) % MANY_TABLES;

	read_page(SLOT_VA + n * LARGE + (n % 512) * PAGE);
	if (!(i % 64))
		vmi1(CancelAlarm, 0);
}

static void exhaust(uint32_t arg)
{
	uint64_t *table_;

	(void)arg;
	for (uint64_t n = 0; n < MANY_TABLES; n++) {
		table_ = direct(MANY + n * PAGE);
		table_[n % 512] = frame_pa(n % FRAMES) | PTE_P;
		((volatile uint64_t *)spare[n / 512])[n % 512] =
			(MANY + n * PAGE) | RIGHTS;
	}
	for (uint32_t i = 0; i < 4; i++)
		store(&other_pml4[i], pa(spare[i]) | RIGHTS);
	set_entry(&boot_pml4[SLOT], pa(other_pml4) | RIGHTS);
	begin();
	race(use_many, use_many);
	end();
}

/* ---- what is each one's own ---------------------------------------------------------- */

static void mark_own(uint32_t i)
{
	const uint64_t me = vmi1(APICRead, APIC_ID) >> 24;
	volatile uint64_t *entry = (void *)(TRAMP_PAGE(TRAMP_ENTRY) + 0x100);
	volatile uint64_t *scratch = (void *)(TRAMP_PAGE(TRAMP_SHARED) +
					      offsetof(struct stub64_shared, pad1));

	entry[0] = scratch[0] = me << 32 | i;
	if (i % 8 == 0)
		vmi1(CancelAlarm, 0);
	wrong += entry[0] != (me << 32 | i) || scratch[0] != (me << 32 | i) ||
		 SHARED->pad1 != (me << 32 | i);
	for (uint32_t n = 0; n < 512; n++)
		*(volatile uint64_t *)(TRAMP_PAGE(TRAMP_ENTRY) + 8 * n) =
			random64();
	wrong += safe_write(TRAMP_PAGE(TRAMP_GDT), 0);
}

static void own_pages(uint32_t arg)
{
	(void)arg;
	begin();
	race(mark_own, mark_own);
	end();
}

/* Its queue and what it defers, which this one looks at when it flushes. */
static void queue_words(uint32_t i)
{
	volatile struct stub64_shared *s = SHARED;
	const uint32_t n = scramble(i) % STUB_QUEUE_LEN;

	s->queue[n] = random64() % 0x4000000;
	s->queue[scramble(n) % STUB_QUEUE_LEN] = pa(play_pt) | (n & 7);
	s->tail = (int32_t)n - (int32_t)STUB_QUEUE_LEN;
}

static void queue_tails(uint32_t i)
{
	queue_words(i);
	if (i & 0xff)
		return;
	SHARED->tail = (int32_t)random64();
	if (!(i & 0xffff))
		flush();		/* its end */
}

static void peek(uint32_t tails)
{
	begin();
	race(read_pages, tails ? queue_tails : queue_words);
	vmi3(FlushProcessors, ~0u, VMI_FLUSH_TLB, 0);
	end();
}

/* ---- INIT and STARTUP ----------------------------------------------------------------- */

static void busy(uint32_t i)
{
	struct user u = user_start;

	if (i & 1)
		tell_entries(i);
	else if (i & 2)
		user_run(&u);
	else
		read_pages(i);
}

static void init_anywhere(uint32_t arg)
{
	struct vmi64_ap_state s;

	(void)arg;
	user_load("\xcd\x80", 2);
	begin();
	other_step = busy;
	for (uint32_t i = 0; time_left(); i++) {
		begin_on(OTHER, steps_there, i);
		for (uint32_t n = scramble(i) % 2000; n; n--)
			relax();
		processor_stop(OTHER);
		if (i & 1)
			flush();
		s = processor_state(OTHER);
		processor_start(OTHER, &s);
	}
	end();
}

/* Blocks of noise: it may run anywhere, with anything. */
static void blocks(uint32_t whole)
{
	struct vmi64_ap_state good, s;
	uint8_t *byte = (uint8_t *)&s;

	begin();
	may_die = true;
	good = processor_state(OTHER);
	for (uint32_t i = 0; time_left(); i++) {
		s = good;
		for (uint32_t n = 0; n < sizeof(s); n++)
			if (whole || scramble(i * 256 + n) % 64 == 0)
				byte[n] = (uint8_t)random64();
		processor_boot(OTHER, &s);
		for (uint32_t n = scramble(i) % 500; n; n--)
			relax();
	}
	over = true;
	processor_start(OTHER, &good);
	end();
}

/* A block that changes while it is copied, one byte of a field, so that each copy
 * of it is the one or the other: it begins with what was looked at. */
static struct vmi64_ap_state shared_block;

static void change_block(uint32_t i)
{
	volatile struct vmi64_ap_state *s = &shared_block;

	s->rip = (uint64_t)processor_entry ^ (i & 1 ? 0 : EDGE);
	s->cr3 = pa(boot_pml4) ^ (i & 2 ? 0 : 1ull << 45);
	s->cs = i & 4 ? KERNEL_CS : i & 0xff;
	s->gs_base = i & 8 ? 0 : ODD;
	s->gdtr_base = (uint64_t)processor[2].gdt ^ (i & 16 ? 0 : 1ull << 45);
}

static void block_changes(uint32_t arg)
{
	(void)arg;
	begin();
	shared_block = processor_state(2);
	other_step = change_block;
	begin_on(OTHER, steps_there, 0);
	for (uint32_t i = 0; time_left(); i++) {
		processor_boot(2, &shared_block);
		for (uint32_t n = scramble(i) % 500; n; n--)
			relax();
	}
	over = true;
	end_on(OTHER);
	shared_block = processor_state(2);
	processor_start(2, &shared_block);
	processor_stop(2);
	end();
}

/* One GDT for three, on two processors: what DS, ES, FS and GS of two of them hold
 * comes and goes, while they lose the processor, and get it back. */
#define HELD_DATA	0x00cff2000000ffffull	/* data, of ring 3 */

static void hold(uint32_t i)
{
	const struct vmi64_table_pointer all = {
		sizeof(gdt) - 1, (uint64_t)gdt
	};
	uint64_t safe = SAFE;

	if (i % 64 == 0)
		vmi1(SetGDT, &all);
	__asm__ volatile("lea 1f(%%rip), %%rbx\n\tmov %1, %%ds\n\t"
			 "mov %1, %%es\n\tmov %1, %%fs\n\tmov %1, %%gs\n1:"
			 : "+S"(safe) : "r"(SPARE_GDT * 8 | 3)
			 : "rbx", "memory", "cc");
	for (uint32_t n = 0; n < 1000; n++)
		relax();
}

static void come_and_go(uint32_t i)
{
	const uint64_t entry = i % 2 ? HELD_DATA : 0;

	vmi3(WriteGDTEntry, gdt, SPARE_GDT, &entry);
}

static void gdt_held(uint32_t arg)
{
	struct vmi64_ap_state s;

	(void)arg;
	begin();
	s = processor_state(2);
	processor_start(2, &s);
	other_step = hold;
	begin_on(2, steps_there, 0);
	race(come_and_go, hold);
	end_on(2);
	processor_stop(2);
	end();
}

#define RACE(name, run, arg, ...)					\
	CASE_ARG("race_" name, run, arg, .boot = "cpus=2", ##__VA_ARGS__)

const struct attack sibling_cases[] = {
	RACE("entries", entries, 0),
	RACE("entries_told", entries, 1),
	RACE("entries_both", entries_both, 0),
	RACE("bits", bits, 0),
	RACE("levels", levels, 0),
	RACE("levels_both", levels, 1),
	RACE("pml4", pml4, 0),
	RACE("pml4_syscall", pml4, 1),
	RACE("exhaust", exhaust, 0),
	RACE("own_pages", own_pages, 0),
	RACE("peek", peek, 0),
	RACE("peek_tails", peek, 1, .end = BAD_TAIL),
	RACE("init", init_anywhere, 0),
	RACE("blocks", blocks, 0, .end = ANY_END),
	RACE("blocks_whole", blocks, 1, .end = ANY_END),
	CASE_ARG("race_gdt_held", gdt_held, 0, .boot = "cpus=3"),
	CASE_ARG("race_block_changes", block_changes, 0, .boot = "cpus=3"),
	CASES_END
};

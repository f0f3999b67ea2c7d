// SPDX-License-Identifier: GPL-2.0-only
/* Two vCPUs at once: what all cases of race.h use. */
#include "race.h"

#define ONES		0xffffffffu

uint32_t race_frame[RACE_FRAMES][1024] __attribute__((aligned(PAGE)));
struct vmi_ap_state race_state;
volatile uint32_t race_wrong, race_fault;

static uint64_t end;
static volatile bool over;
static bool may_die;
bool (*race_awaits)(void);
static step *volatile other_step;

/* ---- what faults ------------------------------------------------------------ */

bool safe_read(uint32_t va, uint32_t *word)
{
	uint32_t safe = SAFE;

	__asm__ volatile("movl $1f, %%ebx\n\tmovl (%2), %0\n\txorl %1, %1\n1:"
			 : "=&r"(*word), "+S"(safe) : "r"(va)
			 : "ebx", "memory");
	return !safe;
}

bool safe_write(uint32_t va, uint32_t word)
{
	uint32_t safe = SAFE;

	__asm__ volatile("movl $1f, %%ebx\n\tmovl %2, (%1)\n\txorl %0, %0\n1:"
			 : "+S"(safe) : "r"(va), "r"(word) : "ebx", "memory");
	return !safe;
}

bool safe_es(uint32_t selector)
{
	uint32_t safe = SAFE;

	__asm__ volatile("movl $1f, %%ebx\n\tmovl %1, %%es\n\txorl %0, %0\n1:\n\t"
			 "movl %2, %%es"
			 : "+S"(safe) : "r"(selector), "r"(USER_DS)
			 : "ebx", "memory");
	return !safe;
}

bool safe_call(uint32_t va, uint32_t ecx)
{
	uint32_t safe = SAFE;

	__asm__ volatile("pushl %%ebp\n\tmovl %%esp, %%ebp\n\tmovl $1f, %%ebx\n\t"
			 "call *%%edi\n\txorl %0, %0\n"
			 "1:\tmovl %%ebp, %%esp\n\tpopl %%ebp"
			 : "+S"(safe), "+c"(ecx) : "D"(va)
			 : "eax", "ebx", "edx", "memory", "cc");
	return !safe;
}

static void caught(struct frame *f)
{
	if ((f->cs & 3) == 3) {
		vmi0(DisableInterrupts);
		last_trap = *f;
		resume_kernel();
	} else if (f->esi == SAFE) {
		f->eip = f->ebx;
	} else if (fixup) {
		fixup_vector = (int)f->vector;
		race_fault = f->eip;
		f->eip = fixup;
	} else if (may_die) {
		hypercall(0xbad, 0, 0);
	} else {
		print("not ok - trap %u error %x at %x, cr2 %x\n", f->vector,
		      f->error, f->eip, last_cr2);
		vmi0(Shutdown);
	}
}

/* ---- memory ----------------------------------------------------------------- */

uint32_t race_entry(uint32_t n)
{
	static const uint32_t bits[] = {
		PTE_W, PTE_W | PTE_U, 0, PTE_U, PTE_W | PTE_A,
		PTE_W | PTE_A | PTE_D, PTE_A,
	};

	switch (n % 16) {
	case 0:
		return 0;
	case 1:
		return 0x80000000 | PTE_P;
	case 2:
		return (uintptr_t)race_frame[n / 16 % RACE_FRAMES] | PTE_W;
	}
	return MAPS(race_frame[n / 16 % RACE_FRAMES],
		    bits[n % (sizeof(bits) / sizeof(*bits))]);
}

bool race_shows(uint32_t word)
{
	return word == ONES || word - RACE_MARK < RACE_FRAMES;
}

/* ---- the two ----------------------------------------------------------------- */

static void steps(uint32_t arg)
{
	for (uint32_t i = arg << 28; !over; i++)
		other_step(i);
}

static void time_begins(void)
{
	end = vmi_cycles() + (uint32_t)cycles_per_second() / 1000 *
	      (uint64_t)option_number("ms");
}

void race_set_up(bool quiet)
{
	static const uint8_t vectors[] = {
		0, 1, 6, VEC_NP, VEC_SS, VEC_GP, VEC_PF,
	};

	may_die = quiet;
	for (uint32_t i = 0; i < sizeof(vectors); i++)
		vector_hook[vectors[i]] = caught;
	for (uint32_t i = 0; i < RACE_FRAMES; i++)
		race_frame[i][RACE_WORD / 4] = RACE_MARK + i;
	pages[U_CODE][0] = 0xcd;
	pages[U_CODE][1] = VEC_SYSCALL;
	processors_find();
	time_begins();
}

void race_begin(step *theirs, bool own_gdt)
{
	other_step = theirs;
	race_state = processor_state(OTHER);
	if (!own_gdt) {
		race_state.gdtr_base = (uintptr_t)gdt;
		race_state.gdtr_limit = sizeof(gdt) - 1;
	}
	processor_start(OTHER, &race_state);
	begin_on(OTHER, steps, 0);
	time_begins();
}

void race_begin_more(void)
{
	struct vmi_ap_state state;

	for (uint32_t n = OTHER + 1; n < processors; n++) {
		state = processor_state(n);
		processor_start(n, &state);
		begin_on(n, steps, n);
	}
}

bool race_on(void)
{
	const uint64_t now = vmi_cycles();

	return now < end || (race_awaits && !race_awaits() &&
			     now < end + RACE_LOST * cycles_per_second());
}

void race_until_over(step *mine)
{
	for (uint32_t i = 0; race_on(); i++)
		mine(i);
	over = true;
	for (uint32_t n = OTHER; n < processors; n++)
		if (processor[n].starts)
			end_on(n);
	processor_stop(OTHER);
	same(race_wrong, 0, "nothing that is not the guest's was seen");
}

void race(step *mine, step *theirs)
{
	race_begin(theirs, true);
	race_until_over(mine);
}

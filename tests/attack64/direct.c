// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page faults of user mode that go to the guest with no exit (STUB64-11): what the
 * way there reads and writes at ring 0, by words that the guest writes.
 */
#include "attack64.h"

/* Reads RDI. */
#define READ	"\x8a\x07\xcd\x80"

/* Without NXE there is no short way, nor if the table where it begins has not been
 * read there. */
static void short_way(void)
{
	wrmsr64(MSR_EFER, rdmsr64(MSR_EFER) | EFER_NXE);
	(void)*(volatile uint64_t *)direct(pa(boot_pml4));
}

static uint32_t user_read(uint64_t va)
{
	struct user u = user_start;

	short_way();
	u.r.rdi = va;
	user_load(READ, sizeof(READ) - 1);
	return (uint32_t)user_try(&u);
}

enum { VA, BYTES, CR3 };

/* With a word that leads nowhere its own fault is what it was. */
static void direct_word(uint32_t which)
{
	static const uint64_t at[] = {
		0, ODD, EDGE, UNMAPPED, TRAMP, TRAMP_PAGE(TRAMP_ENTRY), TOP, AREA,
		-8ull, -PAGE
	};
	volatile struct stub64_shared *s = SHARED;
	volatile uint64_t *const word[] = {
		&s->direct_va, &s->direct_bytes, &s->cr3
	};
	const uint64_t old = *word[which];
	uint32_t wrong = 0;

	for (uint32_t n = 0; n < sizeof(at) / sizeof(at[0]); n++) {
		*word[which] = at[n];
		wrong += user_read(0x700000001000u + n) != VEC_PF ||
			 last_cr2 != 0x700000001000u + n || last.error != 4;
		*word[which] = old;
	}
	for (uint32_t n = 0; n < 200; n++) {
		*word[which] = random64();
		user_read(0x700000001000u);
		*word[which] = old;
	}
	same64(wrong, 0, "the page fault of a page that is absent");
	is_well();
}

/* All of them at once, and the queue says otherwise. */
static void direct_noise(uint32_t arg)
{
	volatile struct stub64_shared *s = SHARED;
	const uint64_t va = s->direct_va, bytes = s->direct_bytes, cr3 = s->cr3;

	(void)arg;
	for (uint32_t n = 0; n < 1000; n++) {
		s->direct_va = random64() >> (n & 63);
		s->direct_bytes = random64() | 1ull << 63;
		s->cr3 = random64() >> (n >> 6);
		user_read(random64() >> 17);
		s->direct_va = va;
		s->direct_bytes = bytes;
		s->cr3 = cr3;
	}
	is_well();
}

/* The frame goes where ring 1 could have written it, else nowhere. */
static void direct_stack(uint32_t n)
{
	static const uint64_t at[] = {
		ODD, EDGE + 32, UNMAPPED, TRAMP + 0x800, TRAMP_PAGE(TRAMP_GDT) + 0x800,
		TOP + 0x800, 0, 8
	};

	vmi_entry[VMI64_CALL_UpdateKernelStack] = 0;	/* user_run() calls it */
	SHARED->rsp0 = at[n];
	user_read(0x700000001000u);
}

#define NOWHERE "(a page fault cannot lead to|cannot run at) cs:rip .*"

/* A gate that leads nowhere: IRETQ refuses, but TCG finds out when it is there. */
static void direct_gate(uint32_t n)
{
	static const uint64_t rip[] = { ODD, EDGE };

	gate_write(VEC_PF, rip[n], KERNEL_CS, 14, 0, 0);
	same64(user_read(0x700000001000u), VEC_GP, "a #GP");
}

static uint8_t other_stack[512] __attribute__((aligned(16), used));
static uint64_t other_flags __attribute__((used));
extern const uint8_t other_entry[];
__asm__(".text\nother_entry:\n"
	"\tlea other_stack + 512(%rip), %rsp\n\tpushfq\n"
	"\tpopq other_flags(%rip)\n\tjmp resume_kernel\n");

/* The guest's frame over the processor's own, so that its RIP is there for RFLAGS. */
static void direct_frame(uint32_t arg)
{
	struct user u = user_start;

	(void)arg;
	vmi_entry[VMI64_CALL_UpdateKernelStack] = 0;
	gate_write(VEC_PF, (uint64_t)other_entry, KERNEL_CS, 14, 0, 0);
	play_set(3, play_pt[0]);
	flush();			/* nothing is queued then */
	user_load(READ, sizeof(READ) - 1);
	u.rip = PLAY + 3 * PAGE;
	u.r.rdi = 0x700000001000u;
	short_way();
	SHARED->rsp0 = TRAMP_PAGE(TRAMP_ENTRY) + PAGE;
	user_run(&u);
	same64(0x3200 & other_flags, EFLAGS_IF, "no IOPL, and interrupts are on");
	is_well();
}

/* Trap gates, an IST and IOPL are not for the short way. */
static void direct_otherwise(uint32_t arg)
{
	uint32_t wrong = 0;

	(void)arg;
	gate_write(VEC_PF, trap_stub[VEC_PF], KERNEL_CS, 15, 0, 0);
	wrong += user_read(0x700000001000u) != VEC_PF;
	own_stack(VEC_PF);
	wrong += user_read(0x700000001000u) != VEC_PF;
	gate_write(VEC_PF, trap_stub[VEC_PF], KERNEL_CS, 14, 0, 0);
	vmi1(SetIOPLMask, 0x3000);
	wrong += user_read(0x700000001000u) != VEC_PF ||
		 (last.rflags & 0x3000) != 0x3000;
	vmi1(SetIOPLMask, 0);
	wrong += user_read(0x700000001000u) != VEC_PF ||
		 (last.rflags & 0x3000);
	same64(wrong, 0, "each page fault as it should be");
	is_well();
}

/* Of what is there and not to be written it says if a bit is set that must not be. */
static uint32_t error_of_write(uint64_t entry)
{
	uint64_t *const tables[] = { boot_pml4, boot_pdpt, play_pd, play_pt };
	struct user u = user_start;
	uint32_t i;

	user_load("\x88\x07\xcd\x80", 4);	/* mov [rdi], al */
	u.r.rdi = PLAY + 3 * PAGE;
	play_set(3, entry);
	flush();
	vmi1(SetLazyMode, VMI_LAZY_MMU);
	vmi1(FlushTLB, VMI_FLUSH_TLB);
	vmi1(SetLazyMode, VMI_LAZY_NONE);	/* nothing is queued then */
	for (i = 0; i < 4; i++)
		(void)*(volatile uint64_t *)direct(pa(tables[i]));
	return user_try(&u) == VEC_PF ? last.error : 0;
}

static void direct_reserved(uint32_t arg)
{
	const uint64_t entry = (play_pt[0] & ~(uint64_t)PTE_W) | PTE_U;

	(void)arg;
	short_way();
	same64(error_of_write(entry), 7, "there");
	same64(error_of_write(entry | 1ull << 51), 0xf,
	       "and a bit that has to be 0");
	is_well();
}

#define STACK(name, n)							\
	CASE_ARG("direct_stack_" name, direct_stack, n, .end = NO_STACK)

const struct attack direct_cases[] = {
	CASE_ARG("direct_va", direct_word, VA),
	CASE_ARG("direct_bytes", direct_word, BYTES),
	CASE_ARG("direct_cr3", direct_word, CR3),
	CASE(direct_noise),
	STACK("odd", 0), STACK("edge", 1), STACK("absent", 2),
	STACK("text", 3), STACK("gdt", 4), STACK("rom", 5), STACK("0", 6),
	STACK("wraps", 7),
	CASE_ARG("direct_gate_odd", direct_gate, 0, .end_checked = NOWHERE),
	CASE_ARG("direct_gate_edge", direct_gate, 1, .end_checked = NOWHERE),
	CASE(direct_frame),
	CASE(direct_otherwise),
	CASE(direct_reserved),
	CASES_END
};

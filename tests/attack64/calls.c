// SPDX-License-Identifier: GPL-2.0-only
/* The ROM's hypercalls, each by its number, with arguments of all kinds. */
#include "attack64.h"
#include "pc.h"

static const uint64_t args[] = {
	0, 1, 2, 7, 8, 0x33, 0xfff, 0x80000000, 0xffffffff, 0x100000000, OUTSIDE,
	0x3fffff8, 0xfee00000, EDGE - 1, EDGE, ODD, TRAMP, TRAMP_PAGE(TRAMP_ENTRY),
	TOP, AREA, DIRECT, TEXT_BASE, PLAY, -1ull, -8ull
};
#define ARGS	(sizeof(args) / sizeof(*args))

static void go_on(struct frame *f)
{
	vmi2(SetDR, 6, 0);
	f->rflags |= 0x10000;			/* RF */
}

/* What a hypercall may have changed is put right again, and all goes on. */
static void hc(uint32_t nr)
{
	const uint64_t cr0 = vmi0(GetCR0), cr4 = vmi0(GetCR4);
	const struct vmi64_table_pointer g = { sizeof(gdt) - 1, (uint64_t)gdt };

	vector_hook[VEC_DB] = go_on;
	for (uint32_t a = 0; a < ARGS; a++)
		for (uint32_t b = 0; b < ARGS; b++) {
			CODE("\xcd\x82", .rax = nr | random64() << 32,
			     .rdi = args[a], .rsi = args[b],
			     .rdx = args[(a + b) % ARGS]);
		}
	vmi0(DisableInterrupts);
	vmi2(SetDR, 7, 0x400);
	vmi2(SetDR, 6, 0);
	vector_hook[VEC_DB] = NULL;
	hypercall(STUB_HC_SET_CR0, cr0, 0, 0);
	hypercall(STUB_HC_SET_CR4, cr4, 0, 0);
	vmi1(SetGDT, &g);
	vmi1(SetTR, TSS_SELECTOR);
	vmi1(SetLDT, 0);
	vmi1(SetIOPLMask, 0);
	vmi1(SetIRETSite, 0);
	hypercall(STUB_HC_CANCEL_ALARM, VMI_CYCLES_REAL, 0, 0);
	is_well();
}

/* It ends the guest, or is not there, or changes all that a guest stands on. */
static void hc_end(uint32_t nr)
{
	for (uint32_t a = 0; a < ARGS; a++)
		for (uint32_t b = 0; b < ARGS; b++)
			hypercall(nr, args[a], args[b], 0);
}

static void hc_halt(uint32_t arg)
{
	(void)arg;
	pic_init();
	for (uint32_t a = 0; a < ARGS; a++) {
		vmi0(DisableInterrupts);
		pit_one_shot();
		hypercall(STUB_HC_HALT, args[a], args[a], args[a]);
	}
	vmi0(DisableInterrupts);
	is_well();
}

/* Before VMI_Init. */
static void hc_early(uint32_t nr)
{
	hypercall(nr, 0, 0, 0);
}

/* From user mode, and by code that is not the ROM's with any stack. */
static void hc_user(uint32_t arg)
{
	struct user u = user_start;
	uint32_t wrong = 0;

	(void)arg;
	user_load("\xcd\x82\xcd\x80", 4);
	for (uint32_t nr = 0; nr < STUB64_HC_COUNT; nr++) {
		u.r.rax = nr;
		wrong += user_try(&u) != VEC_GP || last.error != 0x82 * 8 + 2 ||
			 last.rip != USER_CODE;
	}
	u = user_start32;
	for (uint32_t nr = 0; nr < STUB64_HC_COUNT; nr++) {
		u.r.rax = nr;
		wrong += user_try(&u) != VEC_GP;
	}
	same64(wrong, 0, "no hypercall is made by user mode");
	is_well();
}

#define HC(name)	CASE_ARG("hc_" #name, hc, STUB_HC_##name)
#define HC_END(name)	CASE_ARG("hc_" #name, hc_end, STUB_HC_##name, \
				 .end = ANY_END)
#define GONE(name, nr)	CASE_ARG("hc_none_" name, hc_end, nr, \
				 .end = "hypercall \\d+ does not exist")
#define EARLY(name)							\
	CASE_ARG("hc_early_" #name, hc_early, STUB_HC_##name, .mode = NATIVE, \
		 .end = "hypercall \\d+ before VMI_Init")

const struct attack call_cases[] = {
	HC(DRAIN), HC(QUEUE_FULL), HC(EVENTS), HC(CLTS), HC_END(SET_CR0), HC_END(SET_CR4),
	HC(INVAL_PAGE), HC(FLUSH_TLB), HC(SET_LDT), HC(SET_TR), HC(GDT_CHANGED),
	HC(LDT_CHANGED), HC(IDT_CHANGED), HC(UPDATE_VA), HC(SET_DR), HC(CPUID),
	HC(SET_IOPL), HC(SET_ALARM), HC(CANCEL_ALARM), HC(WALLCLOCK), HC(TRACE),
	HC(APIC_READ), HC(APIC_WRITE), HC(INITIAL_STATE), HC(INIT),
	CASE_ARG("hc_SYSCALL", hc, STUB64_HC_SYSCALL),
	CASE_ARG("hc_IRET_SITE", hc, STUB64_HC_IRET_SITE),
	HC_END(SET_GDT), HC_END(SET_IDT), HC_END(SET_CR3), HC_END(IRET),
	HC_END(REBOOT), HC_END(SHUTDOWN),
	CASE(hc_halt), CASE(hc_user),
	GONE("page", STUB_HC_PAGE), GONE("next", STUB64_HC_COUNT),
	GONE("min", 0x80000000), GONE("max", 0xffffffff),
	EARLY(DRAIN), EARLY(IRET), EARLY(SET_CR3), EARLY(HALT), EARLY(TRACE),
	EARLY(APIC_WRITE),
	CASES_END
};

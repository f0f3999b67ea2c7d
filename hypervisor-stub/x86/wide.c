// SPDX-License-Identifier: GPL-2.0-only
/*
 * Wide guests: the trampoline of a vCPU, and what the processor needs to run it
 * (wide.h). Of what is mapped in the guest's tables, all is made here.
 */
#include <cpu.h>
#include <string.h>

#include "emulate.h"
#include "wide.h"
#include "x86.h"

/* What SYSCALL clears on the way to the trampoline, and so for the guest's entry,
 * beside what its own mask says. */
#define FMASK	(EFLAGS_TF | EFLAGS_IF | EFLAGS_DF | EFLAGS_IOPL | EFLAGS_NT | \
		 EFLAGS_RF | EFLAGS_VM | EFLAGS_AC)

_Static_assert(TRAMP_BASE == (~0ull << 48 | (uint64_t)LONG_SLOT << 39), "mm.h");

/* trampoline.asm: whole pages */
extern const uint8_t tramp_syscall[], tramp_syscall32[];

/* One of these is contiguous memory, of each vCPU. */
struct window {
	union {
		struct tramp_constants c;
		uint8_t		page[PAGE_SIZE];
	} constants;
	uint8_t		entry[PAGE_SIZE];
	union {
		uint8_t		page[PAGE_SIZE];
		struct {
			uint8_t		rest[PAGE_SIZE - sizeof(struct tramp_host)];
			struct tramp_host h;
		};
	} host_entry;
	/* The guest's view, then ours. */
	struct view {
		uint64_t	pdpt[512], pd[512], pt[512];
	} view[2];
	uint64_t	pml4[512];
	uint8_t		xstate[XSTATE_BYTES];
};
_Static_assert(sizeof(struct window) == 11 * PAGE_SIZE, "whole pages");

/* For the processors that run wide guests, all the same. */
static struct { uint64_t low, high; } idt[256], step_idt[256]
	__attribute__((aligned(PAGE_SIZE)));

static bool fsgsbase;		/* the machine has it: CPUID may be an exit */

static uint64_t in_trampoline(const uint8_t *text)
{
	return TRAMP_BASE + (text - tramp_start);
}

static uint64_t gate_low(uint64_t at, uint64_t dpl, uint64_t ist)
{
	return (at & 0xffff) | HV_CS << 16 | ist << 32 |
	       (0x8e | dpl << 5) << 40 | (at & 0xffff0000) << 32;
}

/* As metal/idt.c's, but that they lead to the trampoline's stubs, and that #DB has a
 * stack of its own: it may come at the first instruction of SYSCALL. */
static void idt_fill(void)
{
	uint64_t at;
	int i, dpl, ist;

	for (i = 0; i < 256; i++) {
		dpl = i == VEC_BP || i == VEC_OF || i == SYSCALL_VECTOR ? 3 :
		      i == STUB_VECTOR ? 1 : 0;
		ist = i == VEC_NMI ? 1 : i == VEC_DF ? 2 : i == VEC_MC ? 3 :
		      i == VEC_DB ? 4 : 0;
		at = TRAMP_AT(TRAMP_TEXT) + i * 16;
		idt[i].low = gate_low(at, dpl, ist);
		idt[i].high = at >> 32;
		if (ist == 0 || i == VEC_DB)
			at = TRAMP_AT(TRAMP_STEP) + i * 16;
		step_idt[i].low = gate_low(at, dpl, ist);
		step_idt[i].high = at >> 32;
	}
}

/* ---- the window --------------------------------------------------------- */

static void map(struct view *view, uint32_t page, const volatile void *at,
		uint32_t pages, uint64_t rights)
{
	uint32_t i;

	for (i = 0; i < pages; i++)
		view->pt[page + i] = (host_pa(at) + i * PAGE_SIZE) | rights |
				     PTE_A | PTE_D | PTE_P;
}

static void map_view(struct vcpu *v, struct view *view, const void *entry,
		     uint64_t gdt_rights)
{
	const struct window *w = v->window;

	view->pdpt[0] = host_pa(view->pd) | PTE_A | PTE_W | PTE_P;
	view->pd[0] = host_pa(view->pt) | PTE_A | PTE_W | PTE_P;
	map(view, TRAMP_TEXT, tramp_start,
	    (tramp_end - tramp_start) / PAGE_SIZE, 0);
	map(view, TRAMP_STEP, tramp_step, 1, 0);
	map(view, TRAMP_IDT, idt, 1, PTE_NX);
	map(view, TRAMP_CONSTANTS, &w->constants, 1, PTE_NX);
	map(view, TRAMP_ENTRY, entry, 1, PTE_NX | PTE_W);
	map(view, TRAMP_SHARED, v->sh,
	    sizeof(struct stub64_shared) / PAGE_SIZE, PTE_NX | PTE_W);
	/* LTR writes to it, by its linear address in our view. */
	map(view, TRAMP_GDT, v->gdt_table, 2, PTE_NX | gdt_rights);
	map(view, TRAMP_LDT, v->ldt_table, 16, PTE_NX);
}

static void tss_fill(struct tramp_constants *c)
{
	static const uint16_t ist[4] = {
		ENTRY_NMI, ENTRY_DF, ENTRY_MC, ENTRY_DB
	};
	uint64_t top = TRAMP_AT(TRAMP_ENTRY) + ENTRY_TOP;
	uint16_t iomap = sizeof(c->tss);
	uint32_t i;

	memcpy(c->tss + 4, &top, 8);		/* SDM Vol. 3, 7.7 */
	for (i = 0; i < 4; i++) {
		top = TRAMP_AT(TRAMP_ENTRY) + ist[i];
		memcpy(c->tss + 36 + i * 8, &top, 8);
	}
	memcpy(c->tss + 102, &iomap, 2);
}

bool wide_init(struct vcpu *v)
{
	struct window *w = host_pages(sizeof(*w), PAGE_SIZE);
	uint32_t r[4];

	v->window = w;
	if (!w)
		return false;
	idt_fill();
	xstate_init();
	v->xstate = w->xstate;
	xstate_reset(v);
	cpuid(7, 0, r);
	fsgsbase = r[1] & 1;
	v->entry = w->entry;
	map_view(v, &w->view[0], w->entry, 0);
	map_view(v, &w->view[1], &w->host_entry, PTE_W);
	tss_fill(&w->constants.c);
	w->constants.c.pte_addr = PTE_ADDR;
	w->constants.c.pte_beyond = v->mmu.mm->fmt.beyond;
	memcpy(w->pml4, host_va(host_tables()), PAGE_SIZE);
	w->pml4[LONG_SLOT] = host_pa(w->view[1].pdpt) | PTE_A | PTE_W | PTE_P;
	w->constants.c.host_cr3 = host_pa(w->pml4);
	v->mmu.trampoline = host_pa(w->view[0].pdpt) | PTE_A | PTE_W | PTE_P;
	desc_wide(v);
	return true;
}

/* Its IDT is the other one, or not. SYSCALL makes no exit, and would lose TF: it is
 * undefined meanwhile. The way into the guest flushes the TLB. */
void wide_step(struct vcpu *v, bool is)
{
	uint32_t i;

	for (i = 0; i < 2; i++)
		map(&v->window->view[i], TRAMP_IDT, is ? step_idt : idt, 1,
		    PTE_NX);
	write_cr3(v->window->constants.c.host_cr3);
	if (is)
		wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~(uint64_t)EFER_SCE);
	else
		efer_apply(v);
}

/* As the trampoline does it (SDM Vol. 2, SYSCALL), and a #UD where it would be one
 * without that step (efer_apply()). This one has set RF. */
bool wide_emulate_syscall(struct vcpu *v)
{
	const struct tramp_constants *c = &v->window->constants.c;
	bool code64 = desc_lookup(v, v->regs->cs) & DESC_L;
	struct regs *r = v->regs;
	uint64_t flags = r->rflags & ~(uint64_t)EFLAGS_RF;
	struct insn in;

	if (!(v->efer & EFER_SCE) || !v->lstar || !insn_fetch(v, &in) ||
	    in.op != INSN_SYSCALL)
		return false;
	r->gpr[ECX] = r->rip + in.length;
	r->gpr[R11] = flags;
	r->rip = code64 ? c->lstar : c->cstar;
	r->cs = c->syscall_cs;
	r->ss = c->syscall_ss;
	r->rflags = (flags & ~(FMASK | v->fmask)) | EFLAGS_IF | EFLAGS_FIXED;
	shared_clear_bits(&v->sh->flags, STUB_IF);
	return true;
}

void wide_free(struct vcpu *v)
{
	host_pages_free(v->window, sizeof(*v->window));
	v->window = NULL;
}

/* ---- the guest's registers ---------------------------------------------- */

/* What SYSCALL does for it has changed: STAR, LSTAR, CSTAR. */
void wide_syscall_changed(struct vcpu *v)
{
	struct tramp_constants *c = &v->window->constants.c;
	uint16_t cs = v->star >> 32 & 0xfffc;

	c->lstar = v->syscall_swaps[0] ? v->rom->syscall_entry[0] : v->lstar;
	c->cstar = v->syscall_swaps[1] ? v->rom->syscall_entry[1] : v->cstar;
	shared64(v)->lstar = v->lstar;
	shared64(v)->cstar = v->cstar;
	c->syscall_cs = cs | 1;
	c->syscall_ss = (uint16_t)(cs + 8) | 1;
	efer_apply(v);
}

bool wide_has_fsgsbase(void)
{
	return fsgsbase;
}

/* Can page faults of user mode that are the guest's go to its gate without an exit?
 * Its handler or what else that hangs on has changed. */
void wide_fault_changed(struct vcpu *v)
{
	struct tramp_constants *c = &v->window->constants.c;
	const struct gate *gate = &v->gate[VEC_PF];
	bool simple = vmi_mode(v) && gate->type == GATE_INTERRUPT &&
		      !gate->ist && !v->iopl && (v->efer & EFER_NXE) &&
		      !v->watch;

	c->fault_cs = gate->cs;
	c->fault_rip = simple ? gate->rip : 0;
}

/* EFER.SCE: without it, and where SYSCALL leads nowhere yet, that is a #UD. */
void efer_apply(const struct vcpu *v)
{
	uint64_t efer = rdmsr(MSR_EFER) & ~(uint64_t)EFER_SCE;

	wrmsr(MSR_EFER, efer | (v->lstar ? v->efer & EFER_SCE : 0));
}

/* The guest's RFLAGS on the way in are those of its entry, too. */
void fmask_apply(const struct vcpu *v)
{
	wrmsr(MSR_FMASK, FMASK | v->fmask);
}

/* ---- from one vCPU to another ------------------------------------------- */

static void load_idt(void)
{
	struct dtr idtr = { sizeof(idt) - 1, TRAMP_AT(TRAMP_IDT) };

	lidt(&idtr);
}

/* No entry of ours may stay in the TLB for the guest's ring 1 to use: without
 * CR4.PGE none is global. */
void wide_load(struct vcpu *v)
{
	struct tramp_host *h = &v->window->host_entry.h;
	uint32_t cpu = host_cpu();

	h->regs = (uint64_t)v->regs;
	h->nmi_stack = stack_top(STACK_IST + 3 * cpu);
	h->mc_stack = stack_top(STACK_IST + 3 * cpu + 2);
	write_cr4((read_cr4() & ~(uint64_t)CR4_PGE) |
		  (wide_has_fsgsbase() ? CR4_FSGSBASE : 0));
	write_cr3(v->window->constants.c.host_cr3);
	/* TR first: an NMI by the trampoline's gate needs its stacks. */
	desc_load_wide(v);
	this_cpu()->wide = v;
	load_idt();
	/* TCG takes any value from WRFSBASE and WRGSBASE. */
	wrmsr(MSR_FS_BASE, is_canonical(v->fs_base) ? v->fs_base : 0);
	wrmsr(MSR_GS_BASE, is_canonical(v->gs_base) ? v->gs_base : 0);
	wrmsr(MSR_STAR, (uint64_t)HV_CS << 32);
	wrmsr(MSR_LSTAR, in_trampoline(tramp_syscall));
	wrmsr(MSR_CSTAR, in_trampoline(tramp_syscall32));
	efer_apply(v);
	fmask_apply(v);
	xcr0_apply(v);
}

void wide_save(struct vcpu *v)
{
	v->fs_base = rdmsr(MSR_FS_BASE);
	v->gs_base = rdmsr(MSR_GS_BASE);
}

/* The processor is as 32-bit guests find it; tables of ours are loaded next. */
void wide_unload(void)
{
	host_idt_load();
	this_cpu()->wide = NULL;
	desc_unload_wide();
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~(uint64_t)EFER_SCE);
	write_cr4((read_cr4() & ~(uint64_t)(CR4_FSGSBASE | CR4_OSXSAVE)) |
		  CR4_PGE);
}

/* By trampoline.asm, on the processor's stack for NMIs. What it had pushed is in the
 * page of the tables that were loaded: rbx, rax, rip, cs, rflags, rsp, ss. While
 * one vCPU follows another "current" may be a 32-bit guest's already. */
void wide_nmi(struct regs *, const uint64_t *, uint64_t);
void wide_nmi(struct regs *r, const uint64_t *at, uint64_t cr3)
{
	const struct vcpu *v = this_cpu()->wide;
	uint64_t rax = r->gpr[EBX];

	if (cr3 != v->window->constants.c.host_cr3)
		at = (const uint64_t *)(v->entry +
					((uint64_t)at & (PAGE_SIZE - 1)));
	r->gpr[EBX] = at[0];
	r->gpr[EAX] = at[1];
	memcpy(&r->rip, at + 2, 5 * sizeof(*at));
	r->vector = VEC_NMI;
	host_nmi(r);
	r->gpr[EBX] = rax;
}

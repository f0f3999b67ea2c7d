// SPDX-License-Identifier: GPL-2.0-only
/* entry.asm, and what else of x86/ and metal/ the host cannot run. */
#include <stdlib.h>
#include <string.h>

#include "machine.h"
#include "processor.h"
#include "testing.h"

struct stack stacks[STACKS];
const uint8_t exit_stubs[256][16], syscall_slow[1];

bool host_stack(uint32_t n)
{
	return n < STACKS;
}

bool stack_guard(uint64_t va)
{
	(void)va;
	abort();
}

void speculation_switch(void)
{
}

/* Of wide guests: trampoline.asm, wide.c. There are none here. */
const uint8_t tramp_start[1], tramp_end[1], tramp_iret[1], tramp_fault_iret[1],
	tramp_drain_iret[1];

bool wide_init(struct vcpu *v)
{
	(void)v;
	abort();
}

void wide_free(struct vcpu *v)
{
	(void)v;		/* it has no window */
}

void wide_syscall_changed(struct vcpu *v)
{
	(void)v;
	abort();
}

void wide_fault_changed(struct vcpu *v)
{
	(void)v;
}

uint32_t xstate_components(void)
{
	return 0;
}

void xstate_reset(struct vcpu *v)
{
	(void)v;
	abort();
}

void xstate_save(struct vcpu *v)
{
	(void)v;
	abort();
}

void xstate_load(const struct vcpu *v)
{
	(void)v;
	abort();
}

void xcr0_apply(const struct vcpu *v)
{
	(void)v;
	abort();
}

bool xcr0_write(struct vcpu *v, uint64_t value)
{
	(void)v, (void)value;
	abort();
}

bool wide_has_fsgsbase(void)
{
	return true;
}

void wide_step(struct vcpu *v, bool is)
{
	(void)v, (void)is;
}

bool wide_emulate_syscall(struct vcpu *v)
{
	(void)v;
	return false;
}

void efer_apply(const struct vcpu *v)
{
	(void)v;
	abort();
}

void fmask_apply(const struct vcpu *v)
{
	(void)v;
	abort();
}

uint64_t rdmsr(uint32_t msr)
{
	(void)msr;
	abort();
}

void wrmsr(uint32_t msr, uint64_t val)
{
	(void)msr, (void)val;
	abort();
}

void wide_load(struct vcpu *v)
{
	(void)v;
	abort();
}

void wide_save(struct vcpu *v)
{
	(void)v;
	abort();
}

void wide_unload(void)
{
	abort();
}

/* ---- the tables in CR3 -------------------------------------------------- */

/* What they say of va (SDM Vol. 3, 4.5); the frame's address, or 0. The rights
 * are W, U and NX of all levels. */
static uint64_t walk(gva32_t va, uint64_t *rights)
{
	const uint64_t *t = host_va(read_cr3());
	uint64_t e = t[0];
	int shift;

	*rights = PTE_W | PTE_U;
	for (shift = 30;; shift -= 9) {
		if (!(e & PTE_P))
			return 0;
		*rights = (*rights & (e | PTE_NX) & ~(uint64_t)PTE_NX) |
			  ((*rights | e) & PTE_NX);
		if (shift < 12)
			return e & PTE_ADDR;
		if (shift == 12 && (e & PTE_PS))
			return (e & PTE_ADDR & ~0x1fffffull) | (va & 0x1ff000);
		t = host_va(e & PTE_ADDR);
		e = t[va >> shift & 511];
	}
}

bool processor_allows(gva32_t va, bool write, bool user, bool fetch)
{
	uint64_t rights;

	return walk(va, &rights) && (!write || (rights & PTE_W)) &&
	       (!user || (rights & PTE_U)) && (!fetch || !(rights & PTE_NX));
}

uint32_t processor_error_code(gva32_t va, bool write, bool user, bool fetch)
{
	uint64_t rights;

	return (walk(va, &rights) ? PF_P : 0) | (write ? PF_W : 0) |
	       (user ? PF_U : 0) | (fetch ? PF_I : 0);
}

/* ---- the hypervisor's own accesses -------------------------------------- */

/* The frame that entry.asm makes of an exit of our own code, and the table of
 * instructions that may fault (hv.ld): there is one, at 1, with its fixup. */
struct hv_frame {
	uint64_t	saved[9];
	uint64_t	vector, error, rip, cs, rflags, rsp, ss;
};
asm(".pushsection .rodata; .balign 8; .globl extable_start, extable_end\n"
    "extable_start: .quad 1, 2; extable_end: .popsection");

void (*processor_copies)(uint8_t *at, uint32_t len, bool write);

/* Where an access to va goes; NULL if it faults for good. */
static uint8_t *resolve(gva32_t va, bool write)
{
	uint64_t rights, pa;
	int i;

	/* It gives up before: the guest may change its tables in each. */
	for (i = 0; i < 16; i++) {
		struct hv_frame f = { .vector = VEC_PF, .rip = 1 };

		pa = walk(va, &rights);
		if (pa && (!write || (rights & PTE_W)))
			return (uint8_t *)host_va(pa) + (va & (PAGE_SIZE - 1));
		cpu.cr2 = va;
		f.error = processor_error_code(va, write, false, false);
		hv_fault(&f);
		if (f.rip == 2)
			return NULL;
	}
	CHECK(!"a fault is fixed for ever");
	return NULL;
}

uint32_t copy_fixup(void *dst, const void *src, uint32_t len)
{
	bool write = (uintptr_t)dst <= UINT32_MAX;
	uintptr_t va = write ? (uintptr_t)dst : (uintptr_t)src;
	uint8_t *host = write ? (uint8_t *)(uintptr_t)src : dst, *at;
	uint32_t n;

	/* STUB-2: checked before, whatever the guest said */
	CHECK(va + len <= (uint64_t)current->mmu.guest_last + 1);
	for (; len; va += n, host += n, len -= n) {
		n = PAGE_SIZE - (va & (PAGE_SIZE - 1));
		n = n < len ? n : len;
		at = va > UINT32_MAX ? NULL : resolve(va, write);
		if (!at)
			break;
		if (processor_copies)
			processor_copies(at, n, write);
		memcpy(write ? at : host, write ? host : at, n);
	}
	return len;
}

bool machine_store(uint32_t at, uint32_t word)
{
	return !copy_fixup((void *)(uintptr_t)at, &word, 4);
}

/* ---- exits -------------------------------------------------------------- */

void processor_exit(struct regs *r, unsigned int vector, uint32_t error)
{
	r->vector = vector;
	r->error = error;
	r->vcpu->stats.exits[vector]++;
	exit_handler[vector](r->vcpu, r);
}

/* SDM Vol. 2, IRET; and what it loads must be a ring of the guest's. */
bool processor_can_return(const struct regs *r)
{
	uint64_t cs = desc_lookup(r->vcpu, r->cs);
	uint64_t ss = desc_lookup(r->vcpu, r->ss);
	uint32_t ring = regs_ring(r);

	if (!(cs & DESC_P) || !(cs & DESC_CODE) || desc_dpl(cs) != ring ||
	    !(ss & DESC_P) || (ss & DESC_CODE) || !(ss >> 41 & 1) ||
	    desc_dpl(ss) != ring || (r->ss & 3) != ring)
		return false;
	return r->rip <= desc_limit(cs);
}

/* The machine's timer is looked at where the guest begins to run. */
enum stop vcpu_enter(struct regs *r)
{
	enum stop why;

	CHECK(r->stop == STOP_NOT);
	do {
		if (!processor_can_return(r)) {
			r->vector = VEC_GP;
			r->error = r->cs & 0xfffc;
			hv_iret_fault(r);
		} else if (cpu.tsc >= machine_timer) {
			processor_exit(r, IRQ_BASE + IRQ_TIMER, 0);
		} else {
			processor_runs(r);
		}
	} while (r->stop == STOP_NOT);
	why = r->stop;
	r->stop = STOP_NOT;
	return why;
}

// SPDX-License-Identifier: GPL-2.0-only
/* The processors' tables that are the same for all guests: IDT, TSS. */
#include <host.h>

#include "core.h"
#include "metal.h"

/* RSP0 is all that we use of it (SDM Vol. 3, 7.7). */
struct tss64 {
	uint32_t	reserved;
	uint64_t	rsp[3];
	uint64_t	reserved2;
	uint64_t	ist[7];
	uint64_t	reserved3;
	uint16_t	reserved4;
	uint16_t	iomap;
} __attribute__((packed));
_Static_assert(sizeof(struct tss64) == HOST_TSS_BYTES, "tss64");

static struct tss64 tss[HOST_CPUS];
static struct { uint64_t low, high; } idt[256];

/*
 * Interrupt gates to our code for all vectors. The guest may use those of
 * its own traps and system calls with INT; all else from INT is a #GP, where
 * its own gate decides. NMI, #DF and #MC can hit us anywhere: own stacks.
 */
static void gate_fill(uint64_t *low, uint64_t *high, int i, const void *stub)
{
	bool ours = i == VEC_NMI || i == VEC_DF || i == VEC_MC;
	uint64_t at = i == VEC_NMI ? (uint64_t)nmi_entry :
		      ours ? (uint64_t)exit_stubs[i] : (uint64_t)stub;
	uint64_t dpl = i == VEC_BP || i == VEC_OF || i == SYSCALL_VECTOR ? 3 :
		       i == STUB_VECTOR ? 1 : 0;
	uint64_t ist = i == VEC_NMI ? 1 : i == VEC_DF ? 2 : i == VEC_MC ? 3 : 0;

	*low = (at & 0xffff) | HV_CS << 16 | ist << 32 |
	       (0x8e | dpl << 5) << 40 | (at & 0xffff0000) << 32;
	*high = at >> 32;
}

void idt_init(void)
{
	int i;

	for (i = 0; i < 256; i++)
		gate_fill(&idt[i].low, &idt[i].high, i, exit_stubs[i]);
}

static bool own_stack(uint32_t n, uint32_t cpu)
{
	if (!host_stack(n))
		return false;
	stacks[n].cpu = cpu;
	return true;
}

bool tss_init(uint32_t cpu)
{
	struct tss64 *t = &tss[cpu];
	uint32_t i;

	for (i = 0; i < 3; i++) {
		if (!own_stack(STACK_IST + 3 * cpu + i, cpu))
			return false;
		t->ist[i] = stack_top(STACK_IST + 3 * cpu + i);
	}
	t->iomap = sizeof(*t);
	return own_stack(STACK_BOOT + cpu, cpu);
}

void host_idt_load(void)
{
	struct dtr idtr = { sizeof(idt) - 1, (uint64_t)idt };

	lidt(&idtr);
}

/* All processors fill it alike. */
void host_idt_step(void)
{
	static struct { uint64_t low, high; } step[256];
	struct dtr idtr = { sizeof(step) - 1, (uint64_t)step };
	int i;

	for (i = 0; i < 256; i++)
		gate_fill(&step[i].low, &step[i].high, i, step_stubs[i]);
	lidt(&idtr);
}

uint64_t host_tss(void)
{
	return (uint64_t)&tss[host_cpu()];
}

void host_exit_stack(uint64_t top)
{
	uint32_t cpu = host_cpu();

	tss[cpu].rsp[0] = top;
	((struct stack *)(top & ~STACK_MASK))->cpu = cpu;
}

void host_gdt_loaded(uint16_t cs, uint16_t task)
{
	asm volatile("pushq %0; leaq 1f(%%rip), %%rax; pushq %%rax; lretq;"
		     "1: xorl %%eax, %%eax; movl %%eax, %%ss"
		     : : "r"((uint64_t)cs) : "rax", "memory");
	ltr(task);
}

static volatile uint32_t taken[HOST_CPUS];

void host_interrupted(int irq)
{
	taken[host_cpu()] |= 1u << irq;
}

/* An NMI ends a HLT, too. */
uint32_t host_wait(void)
{
	volatile uint32_t *mine = &taken[host_cpu()];

	/* sti takes effect after the next instruction, so none can slip in
	 * between (SDM Vol. 2, STI). */
	for (*mine = 0; !*mine;)
		asm volatile("sti; hlt; cli" : : : "memory");
	return *mine;
}

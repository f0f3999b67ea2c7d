// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where a guest is, for its developer: when it dies, and when vmi-run asks
 * because its time is out. It does so by an NMI (metal/nmi.asm), which comes even
 * to a hypervisor that is stuck.
 *
 * What is read of the guest's memory goes by its tables alone: nothing here
 * can fault, whichever vCPU has the processor and whatever is not done yet.
 */
#include <cpu.h>
#include <string.h>

#include "core.h"
#include "log.h"

#define ROM_SLOTS	0x200u		/* STUB-10 */
#define ROM_SLOT_SIZE	64u

/* ---- the guest's memory ------------------------------------------------- */

static bool in_rom(const struct vcpu *v, gva_t va)
{
	return vmi_mode(v) && va - v->rom->base < v->rom->size;
}

static bool peek(struct vcpu *v, gva_t va, uint8_t *byte)
{
	gpa_t pa;

	if (in_rom(v, va)) {
		*byte = v->rom->image[va - v->rom->base];
		return true;
	}
	if (v->wide ? !long_translate(&v->mmu, va, &pa) :
		      va > v->mmu.guest_last || !mmu_translate(&v->mmu, va, &pa))
		return false;
	return gmem_read_byte(&v->g->mm.gmem, pa, byte);
}

static bool peek_word(struct vcpu *v, gva_t va, uint32_t *word)
{
	uint8_t byte[4];
	int i;

	for (i = 0; i < 4; i++)
		if (!peek(v, va + i, &byte[i]))
			return false;
	memcpy(word, byte, 4);
	return true;
}

static gva32_t base_of(struct vcpu *v, uint16_t sel)
{
	return v->wide ? 0 : desc_base(desc_lookup(v, sel));
}

static void print_stack(struct vcpu *v, gva_t at)
{
	uint32_t i, word;

	log_printf("stack:");
	for (i = 0; i < 32; i++) {
		if (!peek_word(v, at + i * 4, &word)) {
			log_printf(" (not mapped)");
			break;
		}
		log_printf(i && i % 8 == 0 ? "\n\t%08x" : " %08x", word);
	}
	log_printf("\n");
}

static void print_code(struct vcpu *v, gva_t at)
{
	uint8_t byte;
	int i;

	log_printf("code:");
	for (i = 0; i < 16; i++) {
		if (!peek(v, at + i, &byte)) {
			log_printf(" (not mapped)");
			break;
		}
		log_printf(" %02x", byte);
	}
	log_printf("\n");
}

/* ---- the last hypercalls ------------------------------------------------ */

static const char *const call_name[VMI_CALL_COUNT] = {
#define NAME(nr, name)	[nr] = #name,
	VMI_CALLS(NAME)
#undef NAME
};

/* The VMI call whose slot this is, or NULL. */
static const char *slot_name(const struct vcpu *v, gva32_t at)
{
	uint32_t offset = at - v->rom->base - ROM_SLOTS;

	return in_rom(v, at) && offset % ROM_SLOT_SIZE == 0 &&
	       offset / ROM_SLOT_SIZE < VMI_CALL_COUNT ?
	       call_name[offset / ROM_SLOT_SIZE] : NULL;
}

/* What the guest called, if a CALL of a slot stands before this address: E8 and
 * a distance, or FF 15 and where the address of the slot is. */
static const char *called_before(struct vcpu *v, gva32_t back)
{
	uint8_t op[2];
	uint32_t to;

	if (!peek(v, back - 6, &op[0]) || !peek(v, back - 5, &op[1]) ||
	    !peek_word(v, back - 4, &to))
		return NULL;
	if (op[1] == 0xe8)
		return slot_name(v, back + to);
	return op[0] == 0xff && op[1] == 0x15 && peek_word(v, to, &to) ?
	       slot_name(v, to) : NULL;
}

/* FF and a register: nobody can tell any more what was in it. */
static bool any_call_before(struct vcpu *v, gva32_t back)
{
	uint8_t op[2];

	return peek(v, back - 2, &op[0]) && peek(v, back - 1, &op[1]) &&
	       op[0] == 0xff && (op[1] & 0xf8) == 0xd0;
}

/*
 * The ROM made the hypercall for a call of the guest: where does that return
 * to? The stack had it near where the ROM was, on top in most slots. It may
 * have been used for something else since, hence "perhaps"; what stands behind
 * a CALL of a slot is sure. Noting it at the call would cost every hypercall.
 */
static void print_caller(struct vcpu *v, const struct call *c)
{
	gva32_t at = base_of(v, v->regs->ss) + c->rsp, back;
	const char *name;
	uint32_t i;

	for (i = 0; i < 16; i++) {
		if (!peek_word(v, at + i * 4, &back) || in_rom(v, back))
			continue;
		name = called_before(v, back);
		if (name) {
			log_printf("%s returning to %08x", name, back);
			return;
		}
		if (!i && any_call_before(v, back)) {
			log_printf("perhaps returning to %08x", back);
			return;
		}
	}
	log_printf("ROM at %08x", (uint32_t)c->rip);
}

/* What called the ROM is not looked for here. */
static void print_call_wide(const struct call *c)
{
	const uint64_t nr = c->gpr[EAX];

	log_printf("\t%s rdi %016lx rsi %016lx, at %016lx",
		   nr < STUB_HC_COUNT ? hcall_name[nr] :
		   nr == STUB64_HC_SYSCALL ? "hc_SYSCALL" :
		   nr == STUB64_HC_IRET_SITE ? "hc_IRET_SITE" : "(unknown)",
		   c->gpr[EDX], c->gpr[ECX], c->rip - 2);
}

static void print_call(struct vcpu *v, const struct call *c)
{
	log_printf("\t%s edx %08lx ecx %08lx, ",
		   c->gpr[EAX] < STUB_HC_COUNT ? hcall_name[c->gpr[EAX]] :
						 "(unknown)",
		   c->gpr[EDX], c->gpr[ECX]);
	if (!in_rom(v, c->rip))
		log_printf(c->gpr[EAX] == STUB_HC_INIT ? "at %08x" :
			   "INT 82h by the guest at %08x",
			   (uint32_t)c->rip - 2);
	else
		print_caller(v, c);
}

static bool same_call(const struct call *a, const struct call *b)
{
	return !memcmp(a->gpr, b->gpr, 3 * sizeof(a->gpr[0])) &&
	       a->rip == b->rip && a->rsp == b->rsp;
}

static void print_calls(struct vcpu *v)
{
	uint32_t i = v->call_at / sizeof(v->call[0]), left = CALLS_LEN;
	uint32_t lines, times;

	log_printf("last hypercalls%s\n", v->call[(i - 1) % CALLS_LEN].rip ?
		   ", newest first:" : ": none");
	for (lines = 0; left && lines < 16; lines++) {
		const struct call *c = &v->call[--i % CALLS_LEN];

		if (!c->rip)
			break;
		for (times = 1; times < left &&
		     same_call(c, &v->call[(i - 1) % CALLS_LEN]);
		     times++)
			i--;
		left -= times;
		if (v->wide)
			print_call_wide(c);
		else
			print_call(v, c);
		if (times > 1)
			log_printf(", %u times", times);
		log_printf("\n");
	}
}

/* ---- the rest ----------------------------------------------------------- */

static void print_exit(const struct vcpu *v)
{
	static const char *const name[32] = {
		"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF",
		[VEC_TS] = "#TS", "#NP", "#SS", "#GP", "#PF", [16] = "#MF",
		"#AC", "#MC", "#XM",
	};
	const struct regs *r = v->regs;
	uint32_t vector = r->vector;

	log_printf("last exit: ");
	if (vector == STUB_VECTOR)
		log_printf("hypercall%s",
			   vmi_mode(v) && !in_rom(v, r->rip) ?
			   ", INT 82h of the guest's own" : "");
	else if (vector == SYSCALL_VECTOR)
		log_printf("INT 80h");
	else if (vector_is_irq(vector))
		log_printf("the machine's IRQ %u", vector - IRQ_BASE);
	else
		log_printf("vector %u, %s, error code %x", vector,
			   vector < 32 && name[vector] ? name[vector] : "?",
			   (uint32_t)r->error);
	if (v->fault_va)
		log_printf(", at linear address %08lx", v->fault_va);
	log_printf(", %s mode\n", vmi_mode(v) ? "VMI" : "native");
}

static void print_wide_registers(const struct vcpu *v)
{
	static const char *const name[16] = {
		"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
		"r8 ", "r9 ", "r10", "r11", "r12", "r13", "r14", "r15",
	};
	const struct regs *r = v->regs;
	uint32_t i;

	log_printf("rip %016lx cs %04x rflags %08lx ss %04x, virtual IF %u\n",
		   r->rip, (uint32_t)r->cs, r->rflags, (uint32_t)r->ss,
		   !!(v->sh->flags & STUB_IF));
	for (i = 0; i < 16; i++)
		log_printf("%s %016lx%s", name[i], i == ESP ? r->rsp : r->gpr[i],
			   i % 4 == 3 ? "\n" : " ");
	log_printf("cr0 %08x cr2 %016lx cr3 %09lx cr4 %08x efer %03x\n", v->cr0,
		   shared64(v)->cr2, v->mmu.long_cr3, v->cr4, v->efer);
	log_printf("gdt %016lx limit %04x idt %016lx limit %04x ldt %04x tr %04x, tss at %016lx\n",
		   v->gdt_base, v->gdt_limit, v->idt_base, v->idt_limit,
		   v->ldt, v->tr, v->tss_base);
}

static void print_registers(const struct vcpu *v)
{
	const struct regs *r = v->regs;
	bool here = v == current;

	log_printf("eip %08x cs %04x eflags %08x esp %08x ss %04x, virtual IF %u\n",
		   (uint32_t)r->rip, (uint32_t)r->cs, (uint32_t)r->rflags,
		   (uint32_t)r->rsp, (uint32_t)r->ss,
		   !!(v->sh->flags & STUB_IF));
	log_printf("eax %08lx ebx %08lx ecx %08lx edx %08lx\n", r->gpr[EAX],
		   r->gpr[EBX], r->gpr[ECX], r->gpr[EDX]);
	log_printf("esi %08lx edi %08lx ebp %08lx\n", r->gpr[ESI], r->gpr[EDI],
		   r->gpr[EBP]);
	log_printf("ds %04x es %04x fs %04x gs %04x\n",
		   here ? read_ds() & 0xffff : v->sreg[0],
		   here ? read_es() & 0xffff : v->sreg[1],
		   here ? read_fs() & 0xffff : v->sreg[2],
		   here ? read_gs() & 0xffff : v->sreg[3]);
	log_printf("cr0 %08x cr2 %08x cr3 %08x cr4 %08x\n", v->cr0,
		   v->sh->cr2, v->mmu.cr3, v->cr4);
	log_printf("gdt %08lx limit %04x idt %08lx limit %04x ldt %04x\n",
		   v->gdt_base, v->gdt_limit, v->idt_base, v->idt_limit,
		   v->ldt);
	log_printf("tr %04x, tss at %08lx limit %x, esp0 %08x ss0 %04x\n",
		   v->tr, v->tss_base, v->tss_limit, v->sh->esp0,
		   v->sh->ss0 & 0xffff);
}

static void print_due(const char *what, uint64_t at, uint64_t now)
{
	uint64_t us = (at > now ? at - now : now - at) / (host_tsc_hz / 1000000 + 1);

	log_printf(", %s %s %lu us", what, at > now ? "in" : "due since", us);
}

/* What can still interrupt it. */
static void print_interrupts(struct vcpu *v)
{
	static const char *const clock[] = { "real alarm", "available alarm" };
	struct guest *g = v->g;
	const struct pic_chip *p = g->pic.chip;
	uint64_t now = rdtsc(), at;
	uint32_t i;

	log_printf("8259 irr %02x %02x imr %02x %02x isr %02x %02x, ",
		   p[0].irr, p[1].irr, p[0].imr, p[1].imr, p[0].isr, p[1].isr);
	if (apic_pending(v->apic))
		log_printf("APIC vector %d waits", v->apic->next);
	else
		log_printf("APIC idle");
	log_printf(", LVTT %08x LVT0 %08x\n",
		   apic_read(v->apic, APIC_LVTT, now),
		   apic_read(v->apic, APIC_LVT0, now));
	log_printf("clock: %s", event_pending(v) ? "an interrupt waits" :
						   "no interrupt waits");
	for (i = 0; i < ARRAY_SIZE(v->alarm); i++) {
		if (!v->alarm[i].armed)
			continue;
		at = v->alarm[i].expiry;
		if (i == VMI_CYCLES_AVAILABLE)
			at += v->stolen;
		print_due(clock[i], at, now);
		log_printf(" by %s", v->alarm[i].lvtt ? "LVTT" : "IRQ 0");
	}
	at = pit_next(&g->pit, now);
	if (at != PIT_NEVER)
		print_due("PIT", at, now);
	log_printf("\n");
}

static void report_vcpu(struct vcpu *v)
{
	print_exit(v);
	if (v->wide)
		print_wide_registers(v);
	else
		print_registers(v);
	print_interrupts(v);
	print_code(v, base_of(v, v->regs->cs) + v->regs->rip);
	print_stack(v, base_of(v, v->regs->ss) + v->regs->rsp);
	print_calls(v);
}

/* Between one vCPU and the next both are loaded (switch_to). */
static const char *where(const struct vcpu *v)
{
	return !v->on ? "waits for STARTUP" :
	       v->halted ? (v->g->unikernel ? "waits in a call" :
			    "halted, waiting for an interrupt") :
	       !v->loaded || cpus[v->home].vcpu != v ?
			    "ready, another has the processor" :
	       regs_ring(v->regs) == 3 ? "runs in user mode" :
	       in_rom(v, v->regs->rip) ? "runs in the ROM" :
					 "runs in its kernel";
}

void report(struct vcpu *v)
{
	const struct vcpu *s;

	if (v->sibling != v)
		log_printf("vCPU %u:\n", v->nr);
	report_vcpu(v);
	for (s = v->sibling; s != v; s = s->sibling)
		log_printf(v->wide ? "vCPU %u: %s, rip %016lx rsp %016lx\n" :
				     "vCPU %u: %s, eip %08lx esp %08lx\n",
			   s->nr, where(s), s->regs->rip, s->regs->rsp);
}

/* ---- when --------------------------------------------------------------- */

static const char *where_asked(const struct vcpu *v)
{
	const struct cpu *c = &cpus[v->home];

	return c->vcpu == v && c->at && !v->halted ?
	       "an exit is being handled" : where(v);
}

static void report_guest(struct guest *g)
{
	struct vcpu *v;

	if (g->ended) {
		log_printf("%s at the time-out: ended\n", g->name);
		return;
	}
	for (v = g->vcpu; v < g->vcpu + g->vcpus; v++) {
		log_printf("%s at the time-out: ", g->name);
		if (g->vcpus > 1)
			log_printf("vCPU %u: ", v->nr);
		log_printf("%s\n", where_asked(v));
		if (v->on)
			report_vcpu(v);
	}
}

/* What this processor was doing. */
static void note(const struct regs *r)
{
	struct cpu *c = this_cpu();
	struct vcpu *v = c->vcpu;

	c->at = r->cs == HV_CS && !(r->rflags & EFLAGS_VM) ? r->rip : 0;
	if (!v)
		return;
	desc_save(v);
	if (!c->at)
		memcpy(v->regs, r, offsetof(struct regs, vcpu));
}

/* The first one stops the others by NMI, and so all have noted what it tells. */
void report_asked(const struct regs *r)
{
	uint32_t i;

	note(r);
	log_last_words();
	for (i = 0; i < host_cpus; i++)
		if (cpus[i].at && !cpus[i].idle)
			log_printf("time-out: the hypervisor is at %lx\n",
				   cpus[i].at);
	for (i = 0; i < guest_count; i++)
		report_guest(guests[i]);
	stats_print();
	host_end(END_ASKED);
}

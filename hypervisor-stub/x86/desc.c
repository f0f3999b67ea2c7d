// SPDX-License-Identifier: GPL-2.0-only
/*
 * Segment descriptors and gates. The guest's tables stay where they are and
 * the CPU never sees them: it uses our GDT and LDT, whose entries are copies
 * that have been checked, and for events the gates that are kept in struct
 * vcpu. Copies are renewed when the guest loads a table, tells of a changed
 * entry, or faults on a selector whose copy turns out to be old; of a changed
 * entry for all vCPUs that have loaded the same table.
 */
#include <cpu.h>
#include <string.h>

#include "wide.h"
#include "x86.h"

#define D_TYPE_CONFORMING	0x0000040000000000ull
#define D_ACCESSED		0x0000010000000000ull
#define D_S			0x0000100000000000ull
#define D_DPL			0x0000600000000000ull
#define D_DPL1			0x0000200000000000ull
#define D_READABLE		0x0000020000000000ull
#define IN_GDT			0u	/* bit 2 of a selector */
#define IN_LDT			4u
#define TYPE_LDT		2
#define HV_CODE			0x00209b0000000000ull
#define HV_DATA			0x0000930000000000ull
#define SYSTEM_HIGH_ZERO	0x00001f0000000000ull
#define TYPE_TSS		9	/* of 32 or 64 bits */

static unsigned int desc_type(uint64_t d)
{
	return d >> 40 & 15;
}

uint32_t desc_base(uint64_t d)
{
	return (d >> 16 & 0xffffff) | (uint32_t)(d >> 56) << 24;
}

uint32_t desc_limit(uint64_t d)
{
	uint32_t limit = (d & 0xffff) | (d >> 32 & 0xf0000);

	return d & 1ull << 55 ? limit << 12 | 0xfff : limit;
}

/* 64-bit code of a 32-bit guest would reach above 4 GB; a wide guest's kernel has
 * no other. */
static bool code_allowed(const struct vcpu *v, uint64_t d)
{
	if (!v->wide)
		return !(d & DESC_L);
	return d & DESC_L ? !(d & DESC_D) : desc_dpl(d) == 3;
}

/*
 * What the CPU may see of a guest descriptor: data and non-conforming code,
 * at ring 1 at best. Gates lead to rings of their own choice, conforming code
 * keeps the caller's. The accessed bit is set, so that the CPU does not write here.
 */
static uint64_t sanitize(const struct vcpu *v, uint64_t d)
{
	if (!(d & D_S))
		return 0;
	if (!(d & D_DPL))
		d |= D_DPL1;
	if ((d & DESC_CODE) && ((d & D_TYPE_CONFORMING) || !code_allowed(v, d)))
		return 0;
	return d | D_ACCESSED;
}

/* Entry index of a table in guest memory; 0 if it is not there. */
static uint64_t read_desc(struct vcpu *v, gva_t base, uint32_t limit,
			  uint32_t index)
{
	uint64_t d;

	if (index * 8 + 7 > limit ||
	    !guest_read(&v->mmu, &d, base + index * 8, 8))
		return 0;
	return d;
}

/* ---- segment registers -------------------------------------------------- */

/* Could the guest's kernel load sel, whose descriptor is d, for data? */
static bool loadable(uint32_t sel, uint64_t d)
{
	uint32_t dpl = desc_dpl(d);

	if (!(d & DESC_P) || ((d & DESC_CODE) && !(d & D_READABLE)))
		return false;
	return dpl >= 1 && dpl >= (sel & 3);
}

/* The selector, unless what it names has gone since it was loaded: then null. */
static uint16_t usable(struct vcpu *v, uint16_t sel)
{
	return !(sel & ~3) || loadable(sel, desc_lookup(v, sel)) ? sel : 0;
}

#define RELOAD(v, reg, table, first, last) do {				\
	uint32_t sel_ = read_##reg();					\
									\
	if ((sel_ & ~3u) && (sel_ & 4) == (table) &&			\
	    sel_ >> 3 >= (first) && sel_ >> 3 <= (last))		\
		write_##reg(usable(v, sel_));				\
} while (0)

/*
 * Registers that use these entries are loaded again, or become null
 * (VMI-3.3.4); before VMI_Init they keep what they have, as on a CPU. They hold
 * the guest's selectors while we run (entry.asm).
 */
static void reload(struct vcpu *v, uint32_t table, uint32_t first,
		   uint32_t last)
{
	if (!vmi_mode(v) || v->wide)
		return;
	RELOAD(v, ds, table, first, last);
	RELOAD(v, es, table, first, last);
	RELOAD(v, fs, table, first, last);
	RELOAD(v, gs, table, first, last);
}

/* ---- GDT ---------------------------------------------------------------- */

static void set_gdt_entry(struct vcpu *v, uint32_t index)
{
	v->gdt_table[index] = sanitize(v, read_desc(v, v->gdt_base,
						    v->gdt_limit, index));
}

void desc_gdt_changed(struct vcpu *v, uint32_t index)
{
	struct vcpu *s;

	if (!index || index >= GDT_GUEST)	/* entry 0 is none */
		return;
	set_gdt_entry(v, index);
	reload(v, IN_GDT, index, index);
	for (s = v->sibling; s != v; s = s->sibling)
		if (s->gdt_base == v->gdt_base)
			set_gdt_entry(s, index);
}

/*
 * CS and SS, and before VMI_Init the others too, stay usable when the new
 * table has nothing fit for them, as on a CPU, which keeps their descriptors
 * until they are loaded again; we load CS and SS at every return, the others
 * when another vCPU has run. Known weakness: until the entry is written the
 * guest can load that selector again, where a CPU would refuse.
 */
static void keep(struct vcpu *v, uint32_t sel, uint64_t old)
{
	uint64_t *d = &v->gdt_table[sel >> 3];

	if ((sel & 4) || sel >> 3 >= GDT_GUEST || !(old & DESC_P))
		return;
	if ((*d ^ old) & (DESC_P | DESC_CODE | D_DPL))
		*d = old;
}

void desc_load_gdt(struct vcpu *v, gva_t base, uint32_t limit)
{
	uint64_t cs = desc_lookup(v, v->regs->cs);
	uint64_t ss = desc_lookup(v, v->regs->ss), old[4];
	uint32_t i;

	desc_save(v);
	for (i = 0; i < 4; i++)
		old[i] = desc_lookup(v, v->sreg[i]);
	v->gdt_base = base;
	v->gdt_limit = limit & 0xffff;
	PUBLISH(v, gdt_base, base);
	PUBLISH(v, gdt_limit, v->gdt_limit);
	v->gdt_table[0] = 0;
	for (i = 1; i < GDT_GUEST; i++)
		set_gdt_entry(v, i);
	keep(v, v->regs->cs, cs);
	keep(v, v->regs->ss, ss);
	for (i = 0; i < 4 && !vmi_mode(v); i++)
		keep(v, v->sreg[i], old[i]);
	reload(v, IN_GDT, 0, GDT_GUEST);
}

/* ---- LDT and TSS -------------------------------------------------------- */

static void set_ldt_entry(struct vcpu *v, uint32_t index)
{
	v->ldt_table[index] = sanitize(v, read_desc(v, v->ldt_base,
						    v->ldt_limit, index));
}

/* A system descriptor of the guest's GDT, 0 if it is not of that type. */
static uint64_t system_desc(struct vcpu *v, uint16_t sel, unsigned int type)
{
	uint64_t d;

	if (sel & 4)
		return 0;
	d = read_desc(v, v->gdt_base, v->gdt_limit, sel >> 3);
	if ((d & D_S) || !(d & DESC_P) || desc_type(d) != type)
		return 0;
	return d;
}

/* Its base. A wide guest's has 64 bits: the next entry has the upper half, and
 * zeros where its type would be (SDM Vol. 3, 7.2.3). False: it cannot be. */
static bool system_base(struct vcpu *v, uint16_t sel, uint64_t d,
			uint64_t *base)
{
	uint32_t at = (sel & ~7u) + 8;
	uint64_t high = 0;

	if (v->wide && (at + 7 > v->gdt_limit ||
			!guest_read(&v->mmu, &high, v->gdt_base + at, 8)))
		return false;
	*base = high << 32 | desc_base(d);
	return !(high & SYSTEM_HIGH_ZERO) && is_canonical(*base);
}

bool desc_load_ldt(struct vcpu *v, uint16_t sel)
{
	uint64_t d = 0, base = 0;
	uint32_t i, n;

	if (sel & ~3) {
		d = system_desc(v, sel, TYPE_LDT);
		if (!d || !system_base(v, sel, d, &base))
			return false;
	}
	v->sh->ldt = v->ldt = sel;
	v->ldt_base = base;
	/* An empty table may come with a limit of -1 (client facts 14.12). */
	v->ldt_limit = desc_limit(d) == 0xfffff ? 0 : desc_limit(d) & 0xffff;
	if (sel & ~3) {
		n = (v->ldt_limit + 1) / 8;
		for (i = 0; i < n || i < v->ldt_used; i++)
			set_ldt_entry(v, i);
		v->ldt_used = n;
	}
	lldt(sel & ~3 ? HV_LDT : 0);
	/* In a context switch the selectors are those of the task that is
	 * left, and the guest has yet to save them (VMI-3.2.4). */
	if (v->sh->lazy_mode != VMI_LAZY_CPU)
		reload(v, IN_LDT, 0, LDT_ENTRIES);
	return true;
}

void desc_ldt_changed(struct vcpu *v, gva_t base, uint32_t index)
{
	struct vcpu *s;

	if (!(v->ldt & ~3) || base != v->ldt_base || index >= LDT_ENTRIES)
		return;
	set_ldt_entry(v, index);
	reload(v, IN_LDT, index, index);
	for (s = v->sibling; s != v; s = s->sibling)
		if ((s->ldt & ~3) && s->ldt_base == base)
			set_ldt_entry(s, index);
}

bool desc_load_tr(struct vcpu *v, uint16_t sel)
{
	uint64_t base, d = system_desc(v, sel, TYPE_TSS);

	if (!d)		/* busy: the guest loads it again */
		d = system_desc(v, sel, TYPE_TSS | 2);
	if (!d || !system_base(v, sel, d, &base))
		return false;
	v->sh->tr = v->tr = sel;
	v->tss_base = base;
	v->tss_limit = desc_limit(d);
	return true;
}

/* ---- look-up ------------------------------------------------------------ */

static uint64_t *table_entry(struct vcpu *v, uint16_t sel)
{
	uint32_t index = sel >> 3;

	if (sel & 4)
		return v->ldt & ~3 ? &v->ldt_table[index] : NULL;
	return index && index < GDT_GUEST ? &v->gdt_table[index] : NULL;
}

uint64_t desc_lookup(struct vcpu *v, uint16_t sel)
{
	uint64_t *d = table_entry(v, sel);

	return d ? *d : 0;
}

bool desc_refresh(struct vcpu *v, uint16_t sel)
{
	uint64_t *d = table_entry(v, sel), old;

	if (!d)
		return false;
	old = *d;
	if (sel & 4)
		set_ldt_entry(v, sel >> 3);
	else
		set_gdt_entry(v, sel >> 3);
	return *d != old;
}

/* ---- IDT ---------------------------------------------------------------- */

static struct gate gate_of(uint64_t d, uint64_t high)
{
	unsigned int type = desc_type(d);
	uint16_t cs = d >> 16;
	bool good = !(d & D_S) && (cs & ~3) &&
		    (type == GATE_INTERRUPT || type == GATE_TRAP);

	return (struct gate){
		.rip = (d & 0xffff) | (d >> 32 & 0xffff0000) | high << 32,
		.cs = (cs & ~3) | 1,
		.type = !good ? GATE_NONE : d & DESC_P ? type : GATE_ABSENT,
		.dpl = good ? desc_dpl(d) : 0,
	};
}

static struct gate read_gate(struct vcpu *v, uint32_t index)
{
	struct gate gate;
	uint64_t d, high;

	if (!v->wide)
		return gate_of(read_desc(v, v->idt_base, v->idt_limit, index), 0);
	d = read_desc(v, v->idt_base, v->idt_limit, index * 2);
	high = read_desc(v, v->idt_base, v->idt_limit, index * 2 + 1);
	gate = gate_of(d, high);
	gate.ist = d >> 32 & 7;		/* SDM Vol. 3, 6.14.1 */
	return gate;
}

/* That of system calls is read without the guest's lock (entry.asm), while it
 * changes for another vCPU: where it leads stays when it is taken away. */
static void set_gate(struct vcpu *v, uint32_t index)
{
	struct gate *gate = &v->gate[index & 255], gone = *gate;
	struct gate now = read_gate(v, index & 255);

	if (!gate_usable(&now)) {
		gone.type = now.type;
		gone.dpl = now.dpl;
		now = gone;
	}
	*gate = now;
	if (v->wide && (index & 255) == VEC_PF)
		wide_fault_changed(v);
	if ((index & 255) == SYSCALL_VECTOR)
		v->syscall_dpl = gate_usable(&now) && vmi_mode(v) ? now.dpl : 0;
}

void desc_idt_changed(struct vcpu *v, uint32_t index)
{
	struct vcpu *s;

	set_gate(v, index);
	for (s = v->sibling; s != v; s = s->sibling)
		if (s->idt_base == v->idt_base)
			set_gate(s, index);
}

void desc_load_idt(struct vcpu *v, gva_t base, uint32_t limit)
{
	int i;

	v->idt_base = base;
	v->idt_limit = limit & 0xffff;
	PUBLISH(v, idt_base, base);
	PUBLISH(v, idt_limit, v->idt_limit);
	for (i = 0; i < 256; i++)
		set_gate(v, i);
}

/* ---- set-up ------------------------------------------------------------- */

static void system_entry(uint64_t *d, uint64_t base, uint32_t limit, int type)
{
	d[0] = (limit & 0xffff) | (base & 0xffffff) << 16 |
	       (uint64_t)(0x80 | type) << 40 |
	       (uint64_t)(limit & 0xf0000) << 32 | (base >> 24 & 0xff) << 56;
	d[1] = base >> 32;
}

/* Its tables, empty but for our own entries. */
bool desc_init(struct vcpu *v)
{
	v->gdt_table = host_pages(GDT_ENTRIES * 8, PAGE_SIZE);
	v->ldt_table = host_pages(LDT_ENTRIES * 8, PAGE_SIZE);
	if (!v->gdt_table || !v->ldt_table)
		return false;
	v->gdt_table[HV_CS / 8] = HV_CODE;
	system_entry(&v->gdt_table[HV_LDT / 8], (uint64_t)v->ldt_table,
		     LDT_ENTRIES * 8 - 1, TYPE_LDT);
	return true;
}

void desc_free(struct vcpu *v)
{
	host_pages_free(v->gdt_table, GDT_ENTRIES * 8);
	host_pages_free(v->ldt_table, LDT_ENTRIES * 8);
	v->gdt_table = v->ldt_table = NULL;
}

/* ---- from one vCPU to another ------------------------------------------- */

void desc_save(struct vcpu *v)
{
	v->sreg[0] = read_ds();
	v->sreg[1] = read_es();
	v->sreg[2] = read_fs();
	v->sreg[3] = read_gs();
	if (v->wide)
		wide_save(v);
}

/*
 * A register may hold what its table has no more: before VMI_Init, and in a
 * context switch the guest may have yet to save it (see reload()). Then the
 * value stays, with a descriptor that reaches nothing; else it becomes null.
 */
static void load_segment(struct vcpu *v, uint16_t sel, void (*load)(uint32_t))
{
	static const uint64_t nothing = 0x0040f30000000000;	/* limit 0 */
	bool keep_value = !vmi_mode(v) || v->sh->lazy_mode == VMI_LAZY_CPU;
	uint64_t *d = sel & 4 ? &v->ldt_table[sel >> 3] :
				&v->gdt_table[sel >> 3 & (GDT_GUEST - 1)];
	uint64_t old = *d;

	if (usable(v, sel) != sel) {
		sel = keep_value ? sel : 0;
		*d = nothing;
	}
	load(sel);
	*d = old;
}

void desc_load(struct vcpu *v)
{
	struct dtr gdtr = { GDT_ENTRIES * 8 - 1, (uint64_t)v->gdt_table };

	if (v->wide) {
		wide_load(v);
		return;
	}
	host_exit_stack((uint64_t)&v->regs->vcpu);
	lgdt(&gdtr);
	lldt(HV_LDT);
	load_segment(v, v->sreg[0], write_ds);
	load_segment(v, v->sreg[1], write_es);
	load_segment(v, v->sreg[2], write_fs);
	load_segment(v, v->sreg[3], write_gs);
	lldt(v->ldt & ~3 ? HV_LDT : 0);
}

void desc_wide(struct vcpu *v)
{
	v->gdt_table[HV_SS / 8] = HV_DATA;
	system_entry(&v->gdt_table[HV_LDT / 8], TRAMP_AT(TRAMP_LDT),
		     LDT_ENTRIES * 8 - 1, TYPE_LDT);
}

void desc_load_wide(struct vcpu *v)
{
	struct dtr gdtr = { GDT_ENTRIES * 8 - 1, TRAMP_AT(TRAMP_GDT) };

	host_exit_stack((uint64_t)&v->regs->vcpu);
	system_entry(&v->gdt_table[HV_TSS / 8], TRAMP_AT(TRAMP_CONSTANTS),
		     HOST_TSS_BYTES - 1, TYPE_TSS);
	system_entry(&v->gdt_table[HV_MACHINE_TSS / 8], host_tss(),
		     HOST_TSS_BYTES - 1, TYPE_TSS);
	lgdt(&gdtr);
	ltr(HV_TSS);
	lldt(HV_LDT);
	load_segment(v, v->sreg[0], write_ds);
	load_segment(v, v->sreg[1], write_es);
	load_segment(v, v->sreg[2], write_fs);
	load_segment(v, v->sreg[3], write_gs);
	lldt(v->ldt & ~3 ? HV_LDT : 0);
}

/* Of all processors. TR is loaded once: there the TSS of the last is named. */
static uint64_t no_guest[GDT_ENTRIES];

static void load_no_guest(void)
{
	struct dtr gdtr = { sizeof(no_guest) - 1, (uint64_t)no_guest };

	lgdt(&gdtr);
}

/* Tables without the trampoline are loaded next, and an NMI needs a GDT then. */
void desc_unload_wide(void)
{
	ltr(HV_MACHINE_TSS);
	load_no_guest();
}

void desc_cpu_init(void)
{
	no_guest[HV_CS / 8] = HV_CODE;
	system_entry(&no_guest[HV_TSS / 8], host_tss(), HOST_TSS_BYTES - 1,
		     TYPE_TSS);
	load_no_guest();
	host_gdt_loaded(HV_CS, HV_TSS);
}

void desc_unload(void)
{
	write_ds(0);
	write_es(0);
	write_fs(0);
	write_gs(0);
	lldt(0);
	load_no_guest();
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Descriptors and gates: any bytes in the guest's tables, and all ways to
 * make the hypervisor look at them. What it makes of a descriptor is compared
 * with a model that takes it apart into fields (SDM Vol. 3, 3.4.5).
 */
#include "world.h"

/* ---- the model ---------------------------------------------------------- */

struct fields {
	unsigned int	type, s, dpl, p, avl, l, d, g;
	uint32_t	base, limit;
};

static struct fields take_apart(uint64_t d)
{
	return (struct fields){
		.type = d >> 40 & 15, .s = d >> 44 & 1, .dpl = d >> 45 & 3,
		.p = d >> 47 & 1, .avl = d >> 52 & 1, .l = d >> 53 & 1,
		.d = d >> 54 & 1, .g = d >> 55 & 1,
		.base = (d >> 16 & 0xffffff) | (d >> 56 & 0xff) << 24,
		.limit = (d & 0xffff) | (d >> 48 & 0xf) << 16,
	};
}

static uint64_t put_together(const struct fields *f)
{
	return (f->limit & 0xffff) | (uint64_t)(f->base & 0xffffff) << 16 |
	       (uint64_t)f->type << 40 | (uint64_t)f->s << 44 |
	       (uint64_t)f->dpl << 45 | (uint64_t)f->p << 47 |
	       (uint64_t)(f->limit >> 16) << 48 | (uint64_t)f->avl << 52 |
	       (uint64_t)f->l << 53 | (uint64_t)f->d << 54 |
	       (uint64_t)f->g << 55 | (uint64_t)(f->base >> 24) << 56;
}

/* What the processor may have of it. */
static uint64_t model(uint64_t desc)
{
	struct fields f = take_apart(desc);
	bool code = f.type & 8;

	if (!f.s || (code && (f.l || (f.type & 4))))
		return 0;
	f.dpl = f.dpl ? f.dpl : 1;
	f.type |= 1;
	return put_together(&f);
}

/* The guest's entry, 0 where a CPU finds none. */
static uint64_t entry(uint32_t base, uint32_t limit, uint32_t i)
{
	uint64_t d;

	if (i * 8 + 7 > limit || !guest_read(&v->mmu, &d, base + i * 8, 8))
		return 0;
	return d;
}

static uint64_t expected(uint32_t base, uint32_t limit, uint32_t i)
{
	return model(entry(base, limit, i));
}

/* Those that CS and SS are using may have been kept. */
static bool in_use(uint32_t i)
{
	bool found = i == v->regs->cs >> 3 || i == v->regs->ss >> 3;

	return found || (!guest->mm.reserved && (i == cpu.ds >> 3 || i == cpu.es >> 3 ||
				      i == cpu.fs >> 3 || i == cpu.gs >> 3));
}

/* All of it, read at once where that is possible. */
static void check_gdt(void)
{
	static uint64_t all[GDT_GUEST];
	uint32_t n = (v->gdt_limit + 1) / 8, i;
	bool whole;

	n = n < GDT_GUEST ? n : GDT_GUEST;
	whole = guest_read(&v->mmu, all, v->gdt_base, n * 8);
	for (i = 1; i < GDT_GUEST; i++)
		if (!in_use(i))
			CHECK_EQ(v->gdt_table[i], i >= n ? 0 :
				 whole ? model(all[i]) :
				 expected(v->gdt_base, v->gdt_limit, i));
}

static void check_ldt(uint32_t first, uint32_t last)
{
	uint32_t i;

	for (i = first; i <= last; i++)
		CHECK_EQ(v->ldt_table[i],
			 expected(v->ldt_base, v->ldt_limit, i));
}

static void check_gate(uint32_t i)
{
	uint64_t d = entry(v->idt_base, v->idt_limit, i);
	unsigned int type = d >> 40 & 31;
	const struct gate *gate = &v->gate[i];

	if ((type != 14 && type != 15) || !(d >> 16 & 0xfffc)) {
		CHECK_EQ(gate->type, GATE_NONE);
		return;
	}
	if (!(d >> 47 & 1)) {
		CHECK_EQ(gate->type, GATE_ABSENT);
		CHECK_EQ(gate->dpl, d >> 45 & 3);
		return;
	}
	CHECK_EQ(gate->type, type);
	CHECK_EQ(gate->dpl, d >> 45 & 3);
	CHECK_EQ(gate->rip, (d & 0xffff) | (d >> 48 << 16));
	CHECK_EQ(gate->cs, (d >> 16 & 0xfffc) | 1);
}

/* Something changed that the guest has not told of, or in lazy CPU mode. */
static bool stale;

/* In VMI mode a data segment register holds what can be loaded now. */
static void check_register(uint32_t sel)
{
	uint64_t d = desc_lookup(v, sel);
	unsigned int dpl = d >> 45 & 3;

	if (!(sel & ~3u))
		return;
	CHECK(d >> 47 & 1);
	CHECK(!(d & DESC_CODE) || (d >> 41 & 1));
	CHECK(dpl >= (sel & 3));
}

static void check_registers(void)
{
	if (!v->mmu.mm->reserved || stale)
		return;
	check_register(cpu.ds);
	check_register(cpu.es);
	check_register(cpu.fs);
	check_register(cpu.gs);
}

/* ---- what the guest does ------------------------------------------------ */

static gva32_t table(struct input *in)
{
	static const uint32_t frame[] = {
		GDT_FRAME, LDT_FRAME, IDT_FRAME, TSS_FRAME, DATA_FRAME,
		USER_FRAME
	};
	uint16_t word = input_u16(in);

	if (word >> 12 == 15)
		return input_u32(in);
	return (v->mmu.mm->reserved ? KERNEL_BASE : 0) + (word & 0xfff) +
	       (frame[(word >> 12) % ARRAY_SIZE(frame)] << PAGE_SHIFT);
}

static void bytes(struct input *in)
{
	uint8_t where = input_u8(in);
	const uint8_t *at;
	size_t len;

	at = input_bytes(in, 8u << (where & 3), &len);
	world_write(((where >> 4) % 4 + GDT_FRAME) << PAGE_SHIFT |
		    input_u8(in) << 3, at, len);
}

static void load_gdt(struct input *in)
{
	gva32_t base = table(in);

	desc_load_gdt(v, base, input_u16(in));
	check_gdt();
}

static void gdt_changed(struct input *in)
{
	uint32_t i = input_u16(in);

	desc_gdt_changed(v, i);
	if (i < GDT_GUEST && i)
		CHECK_EQ(v->gdt_table[i],
			 expected(v->gdt_base, v->gdt_limit, i));
}

static void load_ldt(struct input *in)
{
	uint32_t last = v->ldt_used;

	stale |= v->sh->lazy_mode == VMI_LAZY_CPU;
	if (!desc_load_ldt(v, input_u16(in)) || !(v->ldt & ~3))
		return;
	last = last > v->ldt_used ? last : v->ldt_used;
	check_ldt(0, last ? last - 1 : 0);
}

static void ldt_changed(struct input *in)
{
	uint32_t i = input_u16(in);
	bool ours = i & 0x8000;

	i &= 0x7fff;
	desc_ldt_changed(v, ours ? v->ldt_base : table(in), i);
	if (ours && (v->ldt & ~3) && i < LDT_ENTRIES)
		check_ldt(i, i);
}

static void load_tr(struct input *in)
{
	uint32_t sel = input_u16(in);
	struct fields f;

	if (!desc_load_tr(v, sel))
		return;
	CHECK(!(sel & 4));
	f = take_apart(entry(v->gdt_base, v->gdt_limit, sel >> 3));
	CHECK(f.p && !f.s && (f.type == 9 || f.type == 11));
	CHECK_EQ(v->tss_base, f.base);
	CHECK_EQ(v->tss_limit, f.g ? f.limit << 12 | 0xfff : f.limit);
}

static void load_idt(struct input *in)
{
	gva32_t base = table(in);
	uint32_t i;

	desc_load_idt(v, base, input_u16(in));
	for (i = 0; i < 256; i++)
		check_gate(i);
}

static void idt_changed(struct input *in)
{
	uint32_t i = input_u16(in);

	desc_idt_changed(v, i);
	check_gate(i & 255);
}

static void refresh(struct input *in)
{
	uint16_t sel = input_u16(in);
	uint64_t old = desc_lookup(v, sel);

	CHECK_EQ(desc_refresh(v, sel), old != desc_lookup(v, sel));
	stale |= old != desc_lookup(v, sel);
	CHECK_EQ(desc_refresh(v, sel), false);
}

/* The guest loads DS and its kind itself, as far as the CPU lets it. */
static void load_register(struct input *in)
{
	uint32_t *const reg[] = { &cpu.ds, &cpu.es, &cpu.fs, &cpu.gs };
	uint16_t sel = input_u16(in);
	uint64_t d = desc_lookup(v, sel);
	unsigned int dpl = d >> 45 & 3;
	uint8_t n = input_u8(in);

	if (!(sel & ~3) ||
	    ((d & DESC_P) && (!(d & DESC_CODE) || (d >> 41 & 1)) &&
	     dpl >= (sel & 3) && dpl >= 1))
		*reg[n & 3] = sel;
	v->sh->lazy_mode = n >> 4 & 3;
	/* As if another vCPU had run. */
	if (n & 0x80) {
		desc_save(v);
		desc_load(v);
	}
}

static void run(struct input *in)
{
	static void (*const op[])(struct input *) = {
		bytes, load_gdt, gdt_changed, load_ldt, ldt_changed, load_tr,
		load_idt, idt_changed, refresh, load_register
	};

	stale = false;
	while (in->left) {
		op[input_u8(in) % ARRAY_SIZE(op)](in);
		check_registers();
	}
	world_check_tables();
}

void fuzz_one(struct input *in)
{
	world_reset(input_u8(in) % WORLD_MODES);
	world_run(run, in);
	world_check_tables();
	world_check_cpu();
}

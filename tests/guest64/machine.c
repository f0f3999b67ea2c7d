// SPDX-License-Identifier: GPL-2.0-only
/* Descriptor tables by calls, the processor's own instructions, debug registers. */
#include "guest64.h"
#include "pc.h"

/* ---- descriptor tables ------------------------------------------------------------ */

static uint64_t other_gdt[GDT_ENTRIES] __attribute__((aligned(16)));
static uint64_t other_idt[512] __attribute__((aligned(16)));
static uint64_t ldt[4] __attribute__((aligned(16)));

static uint32_t selector_loads(uint32_t sel)
{
	uint32_t now;

	if (probe_load_ds(sel) >= 0)
		return 0xffff;
	__asm__ volatile("mov %%ds, %0" : "=r"(now));
	return now;
}

void test_descriptors(void)
{
	struct vmi64_table_pointer p = { sizeof(other_gdt) - 1,
					 (uint64_t)other_gdt }, q;
	const uint64_t data = 0x00cff3000000ffff, none = 0;
	const uint64_t ldt_at = (uint64_t)ldt;
	uint64_t entry[2];
	uint32_t i;

	for (i = 0; i < GDT_ENTRIES; i++)
		other_gdt[i] = gdt[i];
	vmi1(SetGDT, &p);
	vmi1(GetGDT, &q);
	ok(q.limit == p.limit && q.base == p.base, "SetGDT and GetGDT");
	same64(selector_loads(SPARE_GDT * 8 + 3), 0xffff, "an empty entry is a #GP");
	vmi3(WriteGDTEntry, other_gdt, SPARE_GDT, &data);
	same64(other_gdt[SPARE_GDT], data, "WriteGDTEntry stores it");
	same64(selector_loads(SPARE_GDT * 8 + 3) | 3, SPARE_GDT * 8 | 3,
	       "and it can be loaded");
	vmi1(SetLazyMode, VMI_LAZY_CPU);
	vmi3(WriteGDTEntry, other_gdt, SPARE_GDT + 1, &data);
	vmi1(SetLazyMode, VMI_LAZY_NONE);
	same64(selector_loads((SPARE_GDT + 1) * 8 + 3) | 3,
	       (SPARE_GDT + 1) * 8 | 3, "so can one of a batch");
	vmi3(WriteGDTEntry, other_gdt, SPARE_GDT, &none);
	same64(selector_loads(SPARE_GDT * 8 + 3), 0xffff, "gone again");

	ldt[1] = data;
	entry[0] = (sizeof(ldt) - 1) | (ldt_at & 0xffffff) << 16 |
		   0x82ull << 40 | (ldt_at >> 24 & 0xff) << 56;
	entry[1] = ldt_at >> 32;
	vmi3(WriteGDTEntry, other_gdt, LDT_SELECTOR / 8, entry);
	same64(other_gdt[LDT_SELECTOR / 8 + 1], entry[1],
	       "an LDT's descriptor has 16 bytes");
	vmi1(SetLDT, LDT_SELECTOR);
	same64((uint32_t)vmi0(GetLDT), LDT_SELECTOR, "SetLDT and GetLDT");
	same64(selector_loads(1 * 8 + 7), 1 * 8 + 7, "its entry can be loaded");
	vmi3(WriteLDTEntry, ldt, 2, &data);
	same64(selector_loads(2 * 8 + 7), 2 * 8 + 7, "WriteLDTEntry");
	vmi1(SetLDT, 0);
	same64(selector_loads(1 * 8 + 7), 0xffff, "no LDT");
	same64((uint32_t)vmi0(GetTR), TSS_SELECTOR, "GetTR knows what LTR loaded");
	vmi1(SetTR, TSS_SELECTOR);
	same64((uint32_t)vmi0(GetTR), TSS_SELECTOR, "SetTR");
	same64(selector_loads(0), 0, "a null selector can be loaded");

	p.limit = sizeof(gdt) - 1;
	p.base = (uint64_t)gdt;
	vmi1(SetGDT, &p);

	/* the other table has a #UD gate that is not there */
	for (i = 0; i < 512; i++)
		other_idt[i] = idt[i];
	other_idt[2 * VEC_UD] = idt[2 * VEC_BP];
	other_idt[2 * VEC_UD + 1] = idt[2 * VEC_BP + 1];
	p.limit = sizeof(other_idt) - 1;
	p.base = (uint64_t)other_idt;
	vmi1(SetIDT, &p);
	vmi1(GetIDT, &q);
	ok(q.limit == p.limit && q.base == p.base, "SetIDT and GetIDT");
	same64(probe_ud2(), VEC_BP, "its gates count");
	p.limit = sizeof(idt) - 1;
	p.base = (uint64_t)idt;
	vmi1(SetIDT, &p);
	same64(probe_ud2(), VEC_UD, "and the first one's again");
}

/* ---- instructions, with the ROM or before there is one ------------------------------- */

static void tables_by_instructions(void)
{
	struct vmi64_table_pointer g, i;
	uint16_t tr, ldtr;

	__asm__ volatile("sgdt %0" : "=m"(g));
	__asm__ volatile("sidt %0" : "=m"(i));
	same64(g.base, (uint64_t)gdt, "SGDT: the base");
	same64(g.limit, sizeof(gdt) - 1, "the limit");
	same64(i.base, (uint64_t)idt, "SIDT: the base");
	same64(i.limit, sizeof(idt) - 1, "the limit");
	__asm__ volatile("lgdt %0" : : "m"(g));
	__asm__ volatile("lidt %0" : : "m"(i));
	same64(probe_ud2(), VEC_UD, "LGDT, LIDT of the same");
	__asm__ volatile("ltr %w0" : : "r"(TSS_SELECTOR));
	__asm__ volatile("str %0" : "=r"(tr));
	same64(tr, TSS_SELECTOR, "LTR and STR");
	__asm__ volatile("lldt %w0" : : "r"(0));
	__asm__ volatile("sldt %0" : "=r"(ldtr));
	same64(ldtr, 0, "LLDT and SLDT");
}

static void system_registers(void)
{
	uint64_t cr0, value;

	__asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
	__asm__ volatile("mov %0, %%cr0" : : "r"(cr0 | CR0_TS));
	__asm__ volatile("mov %%cr0, %0" : "=r"(value));
	same64(value, cr0 | CR0_TS, "MOV to CR0");
	__asm__ volatile("clts");
	__asm__ volatile("smsw %0" : "=r"(value));
	same64(value & 0xffff, cr0 & 0xffff & ~CR0_TS, "CLTS and SMSW");
	__asm__ volatile("mov %0, %%cr2" : : "r"(0xffff812345678000));
	__asm__ volatile("mov %%cr2, %0" : "=r"(value));
	same64(value, 0xffff812345678000, "MOV to and from CR2");
	wrmsr64(MSR_STAR, 0x123456789abcdef0);
	same64(rdmsr64(MSR_STAR), 0x123456789abcdef0, "WRMSR and RDMSR");
	wrmsr64(MSR_STAR, 0);
	wrmsr64(MSR_KERNEL_GS_BASE, 0xffff800000001000);
	wrmsr64(MSR_GS_BASE, 0x5000);
	__asm__ volatile("swapgs");
	same64(rdmsr64(MSR_GS_BASE), 0xffff800000001000, "SWAPGS");
	__asm__ volatile("swapgs");
	__asm__ volatile("rdgsbase %0" : "=r"(value));
	same64(value, 0x5000, "RDGSBASE");
	__asm__ volatile("wrgsbase %0" : : "r"(0x6000ull));
	same64(rdmsr64(MSR_GS_BASE), 0x6000, "WRGSBASE");
	__asm__ volatile("wbinvd");
	__asm__ volatile("invlpg (%0)" : : "r"(TEXT_BASE));
}

static void ports(void)
{
	outb(0x21, 0xfa);
	same64(inb(0x21), 0xfa, "OUT and IN");
	outb(0x21, 0xfe);
	same64(inb(0x21), 0xfe, "of the 8259's mask");
}

static void flag_by_instructions(void)
{
	const uint32_t before = irq0_count;

	pit_wait();
	same64(irq0_count - before, 0, "no interrupt with the flag off");
	__asm__ volatile("sti\n\tnop\n\tcli" : : : "memory");
	same64(irq0_count - before, 1, "STI lets it in");
	same64(irq0_flags & EFLAGS_IF, EFLAGS_IF, "its frame has the flag on");
	pit_one_shot();
	__asm__ volatile("sti\n\thlt\n\tcli" : : : "memory");
	same64(irq0_count - before, 2, "HLT waits for one");
	pit_wait();
	__asm__ volatile("nop" : : : "memory");
	same64(irq0_count - before, 2, "CLI keeps it out");
	__asm__ volatile("sti\n\tnop\n\tcli" : : : "memory");
}

/* IRETQ and SYSRET, which the kernel makes itself. */
static void returns(void)
{
	void *const by_rom[2] = { do_iret, user_return };
	struct user u = user_start;

	do_iret = user_return = (void *)native_iret;
	u.r.rdi = 0xabcdef;
	user_load("\xcd\x80", 2);
	user_run(&u);
	ok(last.vector == VEC_SYSCALL && last.cs == USER_CS &&
	   last.r.rdi == 0xabcdef, "IRETQ to user mode");
	u = user_start32;
	user_run(&u);
	ok(last.vector == VEC_SYSCALL && last.cs == USER32_CS,
	   "IRETQ to compatibility mode");
	same64(probe_ud2(), VEC_UD, "IRETQ in the kernel");
	do_iret = by_rom[0];
	user_return = by_rom[1];

	wrmsr64(MSR_EFER, rdmsr64(MSR_EFER) | EFER_SCE);
	wrmsr64(MSR_STAR, (uint64_t)USER32_CS << 48 | (uint64_t)KERNEL_CS << 32);
	wrmsr64(MSR_LSTAR, (uint64_t)syscall_target);
	u = user_start;
	user_load("\x0f\x05\xcd\x80", 4);
	user_run(&u);
	ok(seen.which == 1 && seen.rcx == USER_CODE + 2, "SYSCALL");
	same64(probe_exec((uint64_t)kernel_sysret, USER_CODE + 2, 0), -1,
	       "SYSRET to user mode");
	ok(last.vector == VEC_SYSCALL && last.cs == USER_CS &&
	   last.ss == USER_DS && last.rip == USER_CODE + 4, "where RCX says");
	wrmsr64(MSR_EFER, rdmsr64(MSR_EFER) & ~EFER_SCE);
}

void test_instructions(void)
{
	system_registers();
	tables_by_instructions();
	ports();
	flag_by_instructions();
	returns();
}

void test_early(void)
{
	uint32_t cs;

	__asm__("mov %%cs, %0" : "=r"(cs));
	same64(cs & ~3u, KERNEL_CS, "the boot loader's GDT is replaced");
	same64(word_at(play_va(0)) | word_at(play_va(1)), 0, "PLAY is there");
	test_instructions();
}

/* ---- debug registers ------------------------------------------------------------------ */

static volatile uint32_t debug_count;
static uint64_t debug_dr6;
static volatile uint64_t watched;

static void debug(struct frame *f)
{
	debug_count++;
	debug_dr6 = vmi1(GetDR, 6);
	vmi2(SetDR, 6, 0);
	f->rflags |= 0x10000;			/* RF: go on */
}

void test_debug(void)
{
	uint64_t value;

	same64(vmi1(GetDR, 7), 0x400, "DR7 as after power-on");
	vector_hook[VEC_DB] = debug;
	vmi2(SetDR, 0, &watched);
	same64(vmi1(GetDR, 0), (uint64_t)&watched, "SetDR and GetDR");
	vmi2(SetDR, 7, 0x90002);		/* 8 bytes, writes, global */
	watched = 1;
	same64(debug_count, 1, "a watched word traps when written");
	same64(debug_dr6 & 0xf, 1, "DR6 says which");
	vmi2(SetDR, 7, 0x400);
	watched = 2;
	same64(debug_count, 1, "no more");
	__asm__ volatile("mov %0, %%db1" : : "r"(0xffff888000001000));
	__asm__ volatile("mov %%db1, %0" : "=r"(value));
	same64(value, 0xffff888000001000, "MOV to and from DR1");
	vmi2(SetDR, 0, (uint64_t)probe_ud2);
	vmi2(SetDR, 7, 0x2);			/* execution */
	same64(probe_ud2(), VEC_UD, "a breakpoint on code, and what is there");
	same64(debug_count, 2, "traps before it");
	/* what the hypervisor has in the hole is not to be watched */
	vmi2(SetDR, 0, RESERVED_HOLE + 0x78000000000);
	vmi2(SetDR, 7, 0x90002);
	probe_ud2();
	vmi2(SetDR, 7, 0x400);
	same64(debug_count, 2, "the hypervisor's hole cannot be watched");
	vector_hook[VEC_DB] = NULL;
}

// SPDX-License-Identifier: GPL-2.0-only
/* Descriptor tables: VMI64-3.3. */
#include "conf64.h"

static uint64_t other_gdt[GDT_ENTRIES] __attribute__((aligned(16)));
static uint64_t other_idt[512] __attribute__((aligned(16)));
static uint64_t ldt[8] __attribute__((aligned(16)));

static const uint64_t none, data = 0x00cff3000000ffff;

uint32_t selector_loads(uint32_t sel)
{
	uint16_t now;

	if (probe_load_ds(sel) >= 0)
		return 0xffff;
	__asm__ volatile("mov %%ds, %0" : "=r"(now));
	return now;
}

static bool usable(uint32_t sel)
{
	return (selector_loads(sel) | 3) == (sel | 3);
}

static void gdt_calls(void)
{
	struct vmi64_table_pointer p = { sizeof(other_gdt) - 1,
					 (uint64_t)other_gdt }, q;

	for (uint32_t i = 0; i < GDT_ENTRIES; i++)
		other_gdt[i] = gdt[i];
	vmi1(SetGDT, &p);
	vmi1(GetGDT, &q);
	point_of(VMI64_CALL_SetGDT, "VMI-3.2.3", q.limit == p.limit &&
		 q.base == p.base, "GetGDT is what SetGDT took");
	is_of(SetGDT, "VMI-3.2.7", q.base >> 32, 0xffffffff, "with 64 bits of base");
	is("VMI-3.2.3", usable(SPARE_GDT * 8 + 3), 0, "an empty entry is a #GP");
	vmi3(WriteGDTEntry, other_gdt, SPARE_GDT, &data);
	is_of(WriteGDTEntry, "VMI64-3.3.1", other_gdt[SPARE_GDT], data,
	      "WriteGDTEntry stores the entry");
	is_of(WriteGDTEntry, "VMI64-3.2.11", usable(SPARE_GDT * 8 + 3), 1,
	      "which can be loaded");
	is_of(WriteGDTEntry, "VMI64-3.3.1", other_gdt[SPARE_GDT + 1], 0,
	      "of 8 bytes if it is a segment");
	vmi3(WriteGDTEntry, other_gdt, SPARE_GDT | 0x100000000, &none);
	is_of(WriteGDTEntry, "VMI64-3.1.1", usable(SPARE_GDT * 8 + 3), 0,
	      "and is gone again, by an index of 32 bits");
	if (offered(VMI64_CALL_WriteGDTEntry)) {
		vmi3(WriteGDTEntry, other_gdt, SPARE_GDT, &data);
		probe_load_ds(SPARE_GDT * 8 + 3);
		vmi3(WriteGDTEntry, other_gdt, SPARE_GDT, &none);
		{
			uint16_t ds;

			__asm__ volatile("mov %%ds, %0" : "=r"(ds));
			point("VMI64-3.3.3", !(ds & ~3u) ||
			      (ds & ~3u) == SPARE_GDT * 8,
			      "DS is null, or what it was, when its entry goes");
		}
	}
	probe_load_ds(USER_DS);
	vmi3(WriteGDTEntry, gdt, SPARE_GDT, &data);
	is("VMI-3.3.3", usable(SPARE_GDT * 8 + 3), 0,
	   "an entry of another table has no effect");
	is("VMI-3.3.1", gdt[SPARE_GDT], data, "but is stored");
	p.base = (uint64_t)gdt;
	p.limit = sizeof(gdt) - 1;
	vmi1(SetGDT, &p);
	is("VMI-3.3.2", usable(SPARE_GDT * 8 + 3), 1, "until that is loaded");
	vmi3(WriteGDTEntry, gdt, SPARE_GDT, &none);
	p.limit = SPARE_GDT * 8 - 1;
	vmi3(WriteGDTEntry, gdt, SPARE_GDT, &data);
	vmi1(SetGDT, &p);
	is("VMI-3.2.3", usable(SPARE_GDT * 8 + 3), 0,
	   "an entry beyond the limit is a #GP");
	p.limit = sizeof(gdt) - 1;
	vmi1(SetGDT, &p);
	is("VMI-3.2.3", usable(SPARE_GDT * 8 + 3), 1, "and is there again");
	vmi3(WriteGDTEntry, gdt, SPARE_GDT, &none);
	probe_load_ds(USER_DS);
}

static void bases_stay(void)
{
	struct vmi64_table_pointer p = { sizeof(gdt) - 1, (uint64_t)gdt };
	uint16_t fs, gs;

	vmi1(SetFSBase, 0x1234567000);
	vmi1(SetGSBase, 0xffff987600000000);
	vmi1(SetGDT, &p);
	is("VMI64-3.3.3", vmi0(GetFSBase), 0x1234567000,
	   "SetGDT keeps the base of a null FS");
	is("VMI64-3.3.3", vmi0(GetGSBase), 0xffff987600000000,
	   "and of a null GS");
	vmi3(WriteGDTEntry, gdt, SPARE_GDT, &none);
	vmi1(SetLDT, 0);
	is("VMI64-3.3.3", vmi0(GetFSBase), 0x1234567000,
	   "so do WriteGDTEntry and SetLDT");
	__asm__ volatile("mov %%fs, %0" : "=r"(fs));
	__asm__ volatile("mov %%gs, %0" : "=r"(gs));
	is("VMI64-3.3.3", (fs | gs) & ~3u, 0, "they stay null");
	vmi1(SetFSBase, 0);
	vmi1(SetGSBase, 0);
}

static void ldt_calls(void)
{
	const uint64_t at = (uint64_t)ldt;
	uint64_t entry[2] = {
		(sizeof(ldt) - 1) | (at & 0xffffff) << 16 | 0x82ull << 40 |
		(at >> 24 & 0xff) << 56, at >> 32
	};

	ldt[1] = data;
	vmi3(WriteGDTEntry, gdt, LDT_SELECTOR / 8, entry);
	is_of(WriteGDTEntry, "VMI64-3.3.1", gdt[LDT_SELECTOR / 8], entry[0],
	      "an LDT's descriptor is stored");
	is_of(WriteGDTEntry, "VMI64-3.3.1", gdt[LDT_SELECTOR / 8 + 1], entry[1],
	      "with 16 bytes");
	vmi1(SetLDT, LDT_SELECTOR);
	is_of(SetLDT, "VMI-3.2.8", (uint32_t)vmi0(GetLDT), LDT_SELECTOR,
	      "GetLDT is what SetLDT took");
	is_of(SetLDT, "VMI-3.2.4", usable(1 * 8 + 7), 1,
	      "an entry of it can be loaded");
	is_of(SetLDT, "VMI-3.2.4", usable(2 * 8 + 7), 0, "one that is empty not");
	vmi3(WriteLDTEntry, ldt, 2, &data);
	is_of(WriteLDTEntry, "VMI64-3.2.11", usable(2 * 8 + 7), 1,
	      "but when WriteLDTEntry has written it");
	is_of(WriteLDTEntry, "VMI64-3.3.1", ldt[2] | 1ull << 40, data,
	      "which is in the table");
	vmi3(WriteLDTEntry, ldt, 2, &none);
	is_of(WriteLDTEntry, "VMI64-3.2.11", usable(2 * 8 + 7), 0, "and no more");
	is_of(SetLDT, "VMI-3.2.4", usable(8 * 8 + 7), 0,
	      "one beyond its limit not");
	vmi1(SetLDT, 0);
	is_of(SetLDT, "VMI-3.2.4", usable(1 * 8 + 7), 0, "0 is none");
	is_of(SetLDT, "VMI-3.2.8", (uint32_t)vmi0(GetLDT), 0, "as GetLDT says");
	vmi1(SetTR, TSS_SELECTOR);
	is_of(SetTR, "VMI-3.2.6", (uint32_t)vmi0(GetTR), TSS_SELECTOR,
	      "GetTR is what SetTR took");
	is_of(GetTR, "VMI-3.2.10", (uint32_t)vmi0(GetTR), TSS_SELECTOR,
	      "each time");
	is("VMI-3.2.4", selector_loads(0), 0, "a null selector can be loaded");
	probe_load_ds(USER_DS);
}

static void idt_calls(void)
{
	struct vmi64_table_pointer p = { sizeof(other_idt) - 1,
					 (uint64_t)other_idt }, q;
	uint64_t gate[2];

	for (uint32_t i = 0; i < 512; i++)
		other_idt[i] = idt[i];
	other_idt[2 * VEC_UD] = idt[2 * VEC_BP];
	other_idt[2 * VEC_UD + 1] = idt[2 * VEC_BP + 1];
	vmi1(SetIDT, &p);
	vmi1(GetIDT, &q);
	point_of(VMI64_CALL_GetIDT, "VMI-3.2.9", q.limit == p.limit &&
		 q.base == p.base, "GetIDT is what SetIDT took");
	is_of(SetIDT, "VMI-3.2.5", raised("\x0f\x0b"), VEC_BP, "its gates count");
	vmi3(WriteIDTEntry, other_idt, VEC_UD, &idt[2 * VEC_UD]);
	is_of(WriteIDTEntry, "VMI64-3.2.11", raised("\x0f\x0b"), VEC_UD,
	      "WriteIDTEntry writes a gate");
	point_of(VMI64_CALL_WriteIDTEntry, "VMI64-3.3.1",
		 other_idt[2 * VEC_UD] == idt[2 * VEC_UD] &&
		 other_idt[2 * VEC_UD + 1] == idt[2 * VEC_UD + 1],
		 "of 16 bytes, at 16 * index");
	p.base = (uint64_t)idt;
	p.limit = sizeof(idt) - 1;
	vmi1(SetIDT, &p);
	is_of(SetIDT, "VMI-3.2.5", raised("\x0f\x0b"), VEC_UD,
	      "the first table again");
	gate[0] = (idt[2 * VEC_SPARE] & ~(1ull << 47)) | 3ull << 45;
	gate[1] = idt[2 * VEC_SPARE + 1];
	vmi3(WriteIDTEntry, idt, VEC_SPARE, gate);
	USER("\xcd\x90");
	point("VMI64-1.1", last.vector == VEC_NP &&
	      is_gate_error(last.error, VEC_SPARE), "INT n of an absent gate is a #NP");
	set_gate(VEC_SPARE, 15, 3, 0);
	USER("\xcd\x90");
	point("VMI64-1.1", last.vector == VEC_SPARE && last.rip == USER_CODE + 2,
	      "of one with DPL 3 it goes there");
	set_gate(VEC_SPARE, 15, 0, 0);
	USER("\xcd\x90");
	point("VMI64-1.1", last.vector == VEC_GP &&
	      is_gate_error(last.error, VEC_SPARE), "of one with DPL 0 it is a #GP");
	point("VMI-3.3.5", raised("\x0f\x0b") == VEC_UD,
	      "gates are given with RPL 0");
}

/* MOV of it to DS, which takes code that can be read. */
static void kernel_code(uint64_t desc, const char *name)
{
	uint32_t got;

	vmi3(WriteGDTEntry, gdt, SPARE_GDT, &desc);
	got = selector_loads(SPARE_GDT * 8);
	point("VMI64-3.3.2", got == 0xffff || !(got & ~3u) ||
	      (got & ~3u) == SPARE_GDT * 8, name);
	is("VMI64-3.3.2", raised("\x0f\x0b"), VEC_UD, "and the kernel goes on");
	vmi3(WriteGDTEntry, gdt, SPARE_GDT, &none);
	probe_load_ds(USER_DS);
}

void descriptors(void)
{
	gdt_calls();
	bases_stay();
	ldt_calls();
	idt_calls();
	kernel_code(0x00cf9b000000ffff,
		    "32-bit code of the kernel's ring: loaded, null or #GP");
	kernel_code(0x00af9f000000ffff, "so is conforming code");
	kernel_code(0x00008c0000100000 | 0x1000, "and a call gate");
}

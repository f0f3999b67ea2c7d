// SPDX-License-Identifier: GPL-2.0-only
/* Descriptor tables: VMI-3.3. */
#include "conf.h"

#define DATA3		0x0040f20000000000ull	/* DPL 3, limit in bytes */
#define LDT_SELECTOR	0x88u
#define LDT_SIZE	8u
#define PTR(p)		((uint32_t)(uintptr_t)(p))

struct table_pointer {
	uint16_t	limit;
	uint32_t	base;
} __attribute__((packed));

static uint64_t other_gdt[GDT_ENTRIES] __attribute__((aligned(8)));
static uint64_t ldt[LDT_SIZE] __attribute__((aligned(8)));
static uint64_t other_ldt[LDT_SIZE] __attribute__((aligned(8)));
static uint64_t other_idt[256] __attribute__((aligned(8)));
static uint32_t segment_word = 0xabcd0123;

uint32_t limit_of(uint32_t selector)
{
	uint32_t limit = 0xffffffff;

	__asm__ volatile("lsl %1, %0" : "+r"(limit) : "r"(selector) : "cc");
	return limit;
}

static void write_entry(int call, uint64_t *table, uint32_t index,
			uint64_t entry)
{
	vmi4(call, PTR(table), index, (uint32_t)entry,
	     (uint32_t)(entry >> 32));
}

void write_gdt(uint32_t index, uint64_t entry)
{
	write_entry(VMI_CALL_WriteGDTEntry, gdt, index, entry);
}

/* A 4 GB data segment of user mode at base. */
static uint64_t segment_at(uint32_t base)
{
	return descriptor(base, 0xffff, 0x00cff200);
}

static uint32_t gs_selector(void)
{
	uint32_t gs;

	__asm__ volatile("mov %%gs, %0" : "=r"(gs));
	return gs & ~3u;
}

/* A segment register that is loaded with what is written. */
static void reloads(void)
{
	const uint32_t n = SPARE_GDT + 1, sel = n * 8 + 3;
	const uint64_t at_word = segment_at(PTR(&segment_word));
	uint32_t gs;

	if (!offered(VMI_CALL_WriteGDTEntry)) {
		skip("3.3.4", "a write reloads GS",
		     "the guest keeps its own WriteGDTEntry");
		skip("3.3.4", "GS that is no longer usable becomes null",
		     "the guest keeps its own WriteGDTEntry");
		return;
	}
	write_gdt(n, at_word);
	try_load_gs(sel);
	write_gdt(n, segment_at(PTR(&segment_word) - 4));
	__asm__ volatile("mov %%gs:4, %0" : "=r"(gs));
	is("3.3.4", gs, segment_word, "a write reloads GS");
	vmi1(SetLazyMode, VMI_LAZY_CPU);
	write_gdt(n, segment_at(PTR(&segment_word) - 8));
	vmi1(SetLazyMode, VMI_LAZY_NONE);
	__asm__ volatile("mov %%gs:8, %0" : "=r"(gs));
	is("3.5.1", gs, segment_word, "in a batch at its end");
	write_gdt(n, 0);
	is("3.3.4", gs_selector(), 0,
	   "GS that is no longer usable becomes null");
	write_gdt(n, at_word);
	try_load_gs(sel);
	write_gdt(n, at_word & ~(3ull << 45));
	is("3.3.4", gs_selector(), 0,
	   "so does one of RPL 3 that only the kernel may use");
}

static void gdt_entries(void)
{
	const uint32_t sel = SPARE_GDT * 8 + 3;
	uint32_t gs;

	write_gdt(SPARE_GDT, DATA3 | 0x234);
	point_of(VMI_CALL_WriteGDTEntry, "3.3.1",
		 (gdt[SPARE_GDT] & ~(1ull << 40)) == (DATA3 | 0x234),
		 "WriteGDTEntry leaves the descriptor in memory");
	is_of(WriteGDTEntry, "3.1.1", (uint32_t)(gdt[SPARE_GDT] >> 32) & ~0x100u,
	      DATA3 >> 32, "its fourth argument comes on the stack");
	is_of(WriteGDTEntry, "3.2.11", limit_of(sel), 0x234,
	      "WriteGDTEntry takes effect");
	write_gdt(SPARE_GDT, DATA3 | 0x235);
	is_of(WriteGDTEntry, "3.3.3", limit_of(sel), 0x235,
	      "WriteGDTEntry over a descriptor takes effect");
	write_entry(VMI_CALL_WriteGDTEntry, other_gdt, SPARE_GDT,
		    DATA3 | 0x777);
	point_of(VMI_CALL_WriteGDTEntry, "3.3.3",
		 other_gdt[SPARE_GDT] == (DATA3 | 0x777),
		 "WriteGDTEntry to another table is a store");
	is_of(WriteGDTEntry, "3.3.3", limit_of(sel), 0x235,
	      "and changes nothing in the loaded one");
	write_gdt(SPARE_GDT, 0);
	is_of(WriteGDTEntry, "3.3.3", limit_of(sel), 0xffffffff,
	      "an entry that is cleared is not usable");
	is("3.3.3", try_load_gs(sel), VEC_GP, "and loading it is #GP");
	write_gdt(GDT_ENTRIES - 1, DATA3 | 0x99);
	is_of(WriteGDTEntry, "3.3.3", limit_of((GDT_ENTRIES - 1) * 8 + 3), 0x99,
	      "the last entry of the table");
	write_gdt(GDT_ENTRIES - 1, 0);

	/* thread-local storage */
	for (uint32_t i = 0; i < 3; i++) {
		write_gdt(SPARE_GDT + i, segment_at(PTR(&segment_word) - 4 * i));
		try_load_gs(sel + 8 * i);
		__asm__ volatile("mov %%gs:(%1), %0" : "=r"(gs) : "r"(4 * i));
		is_of(WriteGDTEntry, "3.3.3", gs, segment_word,
		      i == 0 ? "TLS 0 reaches its base" :
		      i == 1 ? "TLS 1 reaches its base" :
		      "TLS 2 reaches its base");
	}
	write_gdt(SPARE_GDT, segment_at(play_va(RO_PAGE)));
	user_pages[2][0] = 0x5c;
	user_run(u_gs0, 0, sel);
	point_of(VMI_CALL_WriteGDTEntry, "3.3.3",
		 last_trap.vector == VEC_SYSCALL &&
		 (uint8_t)last_trap.eax == 0x5c, "TLS in user mode");
	user_pages[2][0] = 0;

	reloads();
	__asm__ volatile("mov %0, %%gs" : : "r"(0));
	for (uint32_t i = 0; i < 3; i++)
		write_gdt(SPARE_GDT + i, 0);
}

static void load_gdt(uint64_t *table, uint32_t entries)
{
	struct table_pointer p = { (uint16_t)(entries * 8 - 1), PTR(table) };

	vmi1(SetGDT, PTR(&p));
}

static void whole_tables(void)
{
	struct table_pointer p = { 0, 0 }, q;

	vmi1(GetGDT, PTR(&p));
	point_of(VMI_CALL_GetGDT, "3.2.7", p.base == PTR(gdt) &&
		 p.limit == sizeof(gdt) - 1, "GetGDT is what was loaded");
	for (uint32_t i = 0; i < GDT_ENTRIES; i++)
		other_gdt[i] = gdt[i];
	other_gdt[SPARE_GDT] = DATA3 | 0x321;
	load_gdt(other_gdt, GDT_ENTRIES);
	vmi1(GetGDT, PTR(&p));
	is_of(SetGDT, "3.2.3", p.base, PTR(other_gdt),
	      "GetGDT is what SetGDT took");
	is_of(SetGDT, "3.3.2", limit_of(SPARE_GDT * 8 + 3), 0x321,
	      "entries filled by plain stores count when SetGDT loads them");
	user_run(u_syscall, 0, 0);
	is_of(SetGDT, "3.2.3", last_trap.vector, VEC_SYSCALL,
	      "user mode works on the new table");
	write_entry(VMI_CALL_WriteGDTEntry, other_gdt, SPARE_GDT,
		    DATA3 | 0x322);
	is_of(SetGDT, "3.3.3", limit_of(SPARE_GDT * 8 + 3), 0x322,
	      "writes to the new table take effect");
	write_gdt(SPARE_GDT, DATA3 | 0x323);
	is_of(SetGDT, "3.3.3", limit_of(SPARE_GDT * 8 + 3), 0x322,
	      "writes to the old one do not");
	load_gdt(gdt, GDT_ENTRIES);
	is_of(SetGDT, "3.2.3", limit_of(SPARE_GDT * 8 + 3), 0x323,
	      "the old table is loaded again as it is now");
	/* CS, SS, TSS stay inside */
	load_gdt(gdt, 18);
	write_gdt(20, DATA3 | 0x20);
	is_of(SetGDT, "3.2.3", limit_of(20 * 8 + 3), 0xffffffff,
	      "an entry beyond the limit is not usable");
	load_gdt(gdt, GDT_ENTRIES);
	is_of(SetGDT, "3.2.3", limit_of(20 * 8 + 3), 0x20,
	      "with the limit raised it is");
	write_gdt(20, 0);
	write_gdt(SPARE_GDT, 0);

	vmi1(GetIDT, PTR(&q));
	point_of(VMI_CALL_GetIDT, "3.2.9", q.limit == sizeof(other_idt) - 1 &&
		 q.base, "GetIDT is what was loaded");
	for (uint32_t i = 0; i < 256; i++)
		other_idt[i] = ((const uint64_t *)q.base)[i];
	other_idt[0x21] = other_idt[0x22];
	p = (struct table_pointer){ sizeof(other_idt) - 1, PTR(other_idt) };
	vmi1(SetIDT, PTR(&p));
	vmi1(GetIDT, PTR(&p));
	is_of(SetIDT, "3.2.5", p.base, PTR(other_idt),
	      "GetIDT is what SetIDT took");
	try_int21(0);
	is_of(SetIDT, "3.2.5", last_trap.vector, 0x22,
	      "SetIDT takes effect, with gates from plain stores");
	vmi1(SetIDT, PTR(&q));
	try_int21(0);
	is_of(SetIDT, "3.2.5", last_trap.vector, 0x21, "and back");
	write_entry(VMI_CALL_WriteIDTEntry, other_idt, 0x23, 0);
	point_of(VMI_CALL_WriteIDTEntry, "3.3.3", other_idt[0x23] == 0,
		 "WriteIDTEntry to another table is a store");
	vmi4(VMI_CALL_WriteIDTEntry, q.base, 0x21, (uint32_t)other_idt[0x22],
	     (uint32_t)(other_idt[0x22] >> 32));
	try_int21(0);
	is_of(WriteIDTEntry, "3.3.3", last_trap.vector, 0x22,
	      "WriteIDTEntry to the loaded table takes effect");
	vmi4(VMI_CALL_WriteIDTEntry, q.base, 0x21,
	     KERNEL_CS << 16 | (trap_stub[0x21] & 0xffff),
	     (trap_stub[0x21] & 0xffff0000) | 0x8e00);
	is_of(WriteIDTEntry, "3.3.1", ((const uint32_t *)q.base)[0x21 * 2 + 1]
	      & 0xffff0000, trap_stub[0x21] & 0xffff0000,
	      "WriteIDTEntry leaves the gate in memory");
	is_of(WriteIDTEntry, "3.3.5", try_int21(0), 0x21,
	      "a gate with RPL 0 leads to the kernel");
}

static void load_ldt(uint64_t *table, uint32_t entries)
{
	const uint32_t limit = entries * 8 - 1;

	write_gdt(LDT_SELECTOR / 8, (limit & 0xffff) |
		  (uint64_t)(limit & 0xf0000) << 32 |
		  (uint64_t)(PTR(table) & 0xffffff) << 16 |
		  0x0000820000000000ull | (uint64_t)(PTR(table) >> 24) << 56);
	vmi1(SetLDT, entries ? LDT_SELECTOR : 0);
}

static void local_tables(void)
{
	const uint32_t sel = 2 * 8 + 7;
	uint32_t gs;

	is_of(GetLDT, "3.2.8", vmi0(GetLDT) & ~3u, 0, "GetLDT with none is 0");
	is("3.2.4", limit_of(sel), 0xffffffff, "without an LDT no entry is usable");
	is("3.2.4", try_load_gs(sel), VEC_GP, "and loading one is #GP");
	ldt[2] = DATA3 | 0x111;
	load_ldt(ldt, LDT_SIZE);
	is_of(SetLDT, "3.2.8", vmi0(GetLDT) & ~3u, LDT_SELECTOR,
	      "GetLDT is what SetLDT took");
	is_of(SetLDT, "3.3.2", limit_of(sel), 0x111,
	      "entries filled by plain stores count when SetLDT loads them");
	write_entry(VMI_CALL_WriteLDTEntry, ldt, 2, DATA3 | 0x112);
	is_of(WriteLDTEntry, "3.2.12", limit_of(sel), 0x112,
	      "WriteLDTEntry takes effect");
	is_of(WriteLDTEntry, "3.3.1", (uint32_t)ldt[2], 0x112,
	      "WriteLDTEntry leaves the descriptor in memory");
	write_entry(VMI_CALL_WriteLDTEntry, other_ldt, 2, DATA3 | 0x113);
	is_of(WriteLDTEntry, "3.3.3", limit_of(sel), 0x112,
	      "WriteLDTEntry to another table changes nothing");
	is_of(WriteLDTEntry, "3.3.3", (uint32_t)other_ldt[2], 0x113,
	      "but stores");
	write_entry(VMI_CALL_WriteLDTEntry, ldt, 2,
		    segment_at(PTR(&segment_word)));
	try_load_gs(sel);
	__asm__ volatile("mov %%gs:0, %0" : "=r"(gs));
	is_of(WriteLDTEntry, "3.2.12", gs, segment_word,
	      "a segment of the LDT reaches its base");
	if (offered(VMI_CALL_WriteLDTEntry)) {
		write_entry(VMI_CALL_WriteLDTEntry, ldt, 2,
			    segment_at(PTR(&segment_word) - 4));
		__asm__ volatile("mov %%gs:4, %0" : "=r"(gs));
		is("3.3.4", gs, segment_word, "a write to the LDT reloads GS");
	} else {
		skip("3.3.4", "a write to the LDT reloads GS",
		     "the guest keeps its own WriteLDTEntry");
	}
	write_entry(VMI_CALL_WriteLDTEntry, ldt, 2,
		    segment_at(PTR(&segment_word)));
	try_load_gs(sel);
	load_ldt(ldt, 3);
	__asm__ volatile("mov %%gs:0, %0" : "=r"(gs));
	is_of(SetLDT, "3.3.4", gs, segment_word,
	      "a smaller LDT leaves GS what it still has");
	if (offered(VMI_CALL_SetLDT)) {
		vmi1(SetLDT, 0);
		is("3.3.4", gs_selector(), 0,
		   "GS of an LDT that is gone becomes null");
	} else {
		skip("3.3.4", "GS of an LDT that is gone becomes null",
		     "the guest keeps its own SetLDT");
	}
	__asm__ volatile("mov %0, %%gs" : : "r"(0));
	load_ldt(other_ldt, LDT_SIZE);
	is_of(SetLDT, "3.2.4", limit_of(sel), 0x113,
	      "another LDT by the same selector");
	load_ldt(other_ldt, 2);
	is_of(SetLDT, "3.2.4", limit_of(sel), 0xffffffff,
	      "an entry beyond a smaller limit is not usable");
	load_ldt(ldt, 0);
	is_of(SetLDT, "3.2.4", limit_of(sel), 0xffffffff,
	      "SetLDT 0 with an empty table, limit -1: no entry is usable");
	is_of(SetLDT, "3.2.8", vmi0(GetLDT) & ~3u, 0, "and GetLDT is 0");
	write_gdt(LDT_SELECTOR / 8, 0);
}

static uint8_t other_stack[PAGE] __attribute__((aligned(16)));

static void kernel_stack(void)
{
	struct user u = user_state(u_syscall);

	/* enter_user() names its own stack: the trap must arrive there */
	enter_user(&u);
	point("3.2.14", last_trap_at - PTR(other_stack) > PAGE,
	      "an entry from user mode uses the stack last named");
	stack_override = PTR(other_stack) + PAGE;
	enter_user(&u);
	is_of(UpdateKernelStack, "3.2.14", last_trap_at,
	      stack_override - sizeof(struct frame),
	      "UpdateKernelStack moves it at once, frame right below");
	stack_override = 0;
	is_of(GetTR, "3.2.10", vmi0(GetTR) & ~3u, TSS_SELECTOR,
	      "GetTR is what was loaded");
	write_gdt(TSS_SELECTOR / 8, gdt[TSS_SELECTOR / 8] & ~(2ull << 40));
	vmi1(SetTR, TSS_SELECTOR);
	is_of(SetTR, "3.2.6", vmi0(GetTR) & ~3u, TSS_SELECTOR,
	      "GetTR is what SetTR took");
	enter_user(&u);
	is_of(SetTR, "3.2.6", last_trap.vector, VEC_SYSCALL,
	      "user mode works after SetTR");
}

void descriptors(void)
{
	gdt_entries();
	whole_tables();
	local_tables();
	kernel_stack();
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every structure that the hypervisor reads or writes for the guest, across
 * the end of a page, of a table, of a GB, and of the guest's part of the
 * space; what is behind that end is there, absent, read-only, or the user's.
 * It gets what a processor gives: the whole, or a page fault at the first byte
 * behind the end. With entries of four and of eight bytes.
 */
#include "attack.h"

#define PAE_TABLE_END	0x40200000u
#define TABLE_END	0x40400000u
#define GB_END		0x80000000u
#define PAGE_END	(PLAY + 100 * PAGE)
#define FIRST		(PTE_P | PTE_W | PTE_U)
#define FLAT_LOW	0x0000ffffu
#define SELECTOR	(20 * 8u)		/* whose entry is across */
#define TABLE_GDT	24u			/* names LDT or TSS */
#define IOPL3		0x3000u

enum kind { THERE, ABSENT, READ_ONLY, USERS, KINDS };

static volatile uint8_t both[2 * PAGE] __attribute__((aligned(PAGE)));
static uint64_t tables[5][512] __attribute__((aligned(PAGE)));
static uint32_t end, wrong, tables_used;
static enum kind kind;
static bool pae;

/* ---- the end ------------------------------------------------------------ */

static void *new_table(uint32_t type)
{
	void *t = tables[tables_used++];

	vmi2(AllocatePage, frame_of(t), type);
	return t;
}

static void map_32(uint32_t va, uint32_t entry)
{
	uint32_t *pde = &linear(page_directory)[va >> 22], *table;

	if (!(*pde & PTE_P))
		vmi3(SetPxE, MAPS(new_table(VMI_PAGE_PT), PTE_W | PTE_U),
		     (uintptr_t)pde, VMI_PAGE_PD);
	table = linear((void *)(*pde & ~0xfffu));
	vmi3(SetPxE, entry, (uintptr_t)&table[va >> 12 & 1023], VMI_PAGE_PT);
}

static void set_64(uint32_t *at, uint32_t entry, uint32_t level)
{
	vmi4(VMI_CALL_SetPxELong, entry, 0, (uintptr_t)at, level);
}

static void map_64(uint32_t va, uint32_t entry)
{
	uint32_t *pdpt = linear((void *)(vmi0(GetCR3) & ~0x1fu));
	uint32_t *dir = linear((void *)(pdpt[(va >> 30) * 2] & ~0xfffu));
	uint32_t *pde = &dir[(va >> 21 & 511) * 2], *table;

	if (!(*pde & PTE_P))
		set_64(pde, MAPS(new_table(VMI_PAGE_PT | VMI_PAGE_PAE),
				 PTE_W | PTE_U), VMI_PAGE_PD);
	table = linear((void *)(*pde & ~0xfffu));
	set_64(&table[(va >> 12 & 511) * 2], entry, VMI_PAGE_PT);
}

static void map_va(uint32_t va, uint32_t entry)
{
	if (pae)
		map_64(va, entry);
	else
		map_32(va, entry);
	vmi1(InvalPage, va);
}

static void set_kind(enum kind k)
{
	static const uint32_t bits[KINDS] = {
		PTE_P | PTE_W, 0, PTE_P | PTE_U, PTE_P | PTE_W | PTE_U
	};

	kind = k;
	map_va(end - PAGE, MAPS(both, FIRST));
	if (end != TOP)
		map_va(end, bits[k] ? (uintptr_t)(both + PAGE) | bits[k] : 0);
}

/* Does an access across the end fault, and with which error code? */
static bool faults(bool write, bool user)
{
	if (end == TOP || kind == ABSENT)
		return true;
	return kind == READ_ONLY ? write : kind == THERE && user;
}

static void judge(const char *what, uint32_t first, bool good)
{
	if (good)
		return;
	if (!wrong++)
		print("# %s, %u bytes before the end, kind %u: vector %u "
		      "error %x cr2 %x eip %x\n", what, first, kind,
		      last_trap.vector, last_trap.error, last_cr2,
		      last_trap.eip);
}

/* The fault of this access was the right one. */
static bool right_fault(bool write, bool user)
{
	uint32_t error = (write ? PF_WRITE : 0) | (user ? PF_USER : 0) |
			 (kind != ABSENT ? PF_PRESENT : 0);
	uint32_t mask = end == TOP ? PF_PRESENT : 0;

	return last_trap.vector == VEC_PF && last_cr2 == end &&
	       (last_trap.error | mask) == (error | mask);
}

static void judge_access(const char *what, uint32_t first, int vector,
			 bool write)
{
	judge(what, first, faults(write, false) ? vector == VEC_PF &&
	      right_fault(write, false) : vector == -1);
}

static void put(uint32_t first, const void *bytes, uint32_t length)
{
	for (uint32_t i = 0; i < length; i++)
		both[PAGE - first + i] = ((const uint8_t *)bytes)[i];
}

static bool is_there(uint32_t first, const void *bytes, uint32_t length)
{
	for (uint32_t i = 0; i < length; i++)
		if (both[PAGE - first + i] != ((const uint8_t *)bytes)[i])
			return false;
	return true;
}

/* ---- operands ----------------------------------------------------------- */

#define AT(insn, va) ({							\
	int came_;							\
	uint32_t di_ = (va), si_ = (va);				\
									\
	__asm__ volatile("movl $1f, %1\n\tmovl $-1, %2\n\t"		\
			 insn "\n"					\
			 "1:\tmovl $0, %1\n\tmov %2, %0"		\
			 : "=a"(came_), "+m"(fixup), "+m"(fixup_vector), \
			   "+D"(di_), "+S"(si_)				\
			 : "b"(va), "d"(0x80) : "memory", "cc");	\
	came_; })

struct pointer { uint16_t limit; uint32_t base; } __attribute__((packed));

static void operands(void)
{
	struct pointer gdtr, idtr;
	uint32_t zero = 0, ones = ~0u;
	uint16_t machine = (uint16_t)vmi0(GetCR0);
	uint16_t ss[3] = { 0 };

	__asm__ volatile("sgdt %0\n\tsidt %1" : "=m"(gdtr), "=m"(idtr));
	ss[0] = KERNEL_DS;
	for (uint32_t n = 1; n < 6; n++) {
		uint32_t va = end - n;

#define READ(name, insn, bytes, length) do {				\
	if (n >= (length))						\
		break;							\
	put(n, bytes, length);						\
	judge_access(name, n, AT(insn, va), false);			\
} while (0)
#define WRITE(name, insn, bytes, length) do {				\
	int vector_;							\
									\
	if (n >= (length))						\
		break;							\
	put(n, "\xee\xee\xee\xee\xee\xee", length);			\
	vector_ = AT(insn, va);						\
	judge_access(name, n, vector_, true);				\
	judge(name, n, vector_ != -1 || is_there(n, bytes, length));	\
} while (0)
		READ("lgdt", "lgdt (%%ebx)", &gdtr, 6);
		READ("lidt", "lidt (%%ebx)", &idtr, 6);
		READ("lmsw", "lmsw (%%ebx)", &machine, 2);
		READ("lldt", "lldt (%%ebx)", &zero, 2);
		WRITE("sgdt", "sgdt (%%ebx)", &gdtr, 6);
		WRITE("sidt", "sidt (%%ebx)", &idtr, 6);
		WRITE("sldt", "sldt (%%ebx)", &zero, 2);
		WRITE("smsw", "smsw (%%ebx)", &machine, 2);
		READ("outsw", "outsw", &zero, 2);
		READ("outsl", "outsl", &zero, 4);
		WRITE("insw", "insw", &ones, 2);
		WRITE("insl", "insl", &ones, 4);
		if (end == TOP)	/* the processor reads the ROM by itself */
			continue;
		READ("mov ss", "mov (%%ebx), %%ss", ss, 2);
	}
}

/* From user mode: INS and OUTS; and instructions themselves, which are
 * emulated or lead into the hypervisor. */
static void user_operands(void)
{
	static const struct { const char *code; bool write; } insns[] = {
		{ "\x6d\xcd\x80", true }, { "\x6f\xcd\x80", false },
		{ "\xf3\x6d\xcd\x80", true }, { "\xf3\x6f\xcd\x80", false },
	};

	vmi1(SetIOPLMask, IOPL3);
	for (uint32_t i = 0; i < 4; i++)
		for (uint32_t n = 1; n < 4; n++) {
			for (uint32_t b = 0; b < 4; b++)
				pages[U_CODE][b] = (uint8_t)insns[i].code[b];
			run_user_with(play(U_CODE), end - n, 1, 0x80);
			judge("user's ins or outs", n,
			      faults(insns[i].write, true) ?
			      right_fault(insns[i].write, true) :
			      last_trap.vector == VEC_SYSCALL);
		}
	vmi1(SetIOPLMask, 0);
}

static void user_insns(void)
{
	static const struct {
		const char	*code;
		uint32_t	length, vector, error, eip;
	} insns[] = {
		{ "\xcd\x80", 2, VEC_SYSCALL, 0, 2 },
		{ "\xcd\x03", 2, 3, 0, 2 },
		{ "\xcd\x21", 2, VEC_GP, 0x21 * 8 + 2, 0 },
		{ "\x66\xf4", 2, VEC_GP, 0, 0 },
		{ "\xe4\x80", 2, VEC_GP, 0, 0 },
		{ "\x0f\x20\xc0", 3, VEC_GP, 0, 0 },
		{ "\x0f\x0b", 2, 6, 0, 0 },
	};

	for (uint32_t i = 0; i < sizeof(insns) / sizeof(*insns); i++)
		for (uint32_t n = 1; n < 2; n++) {
			put(n, insns[i].code, insns[i].length);
			run_user(end - n, play(U_STACK) + PAGE, 0, 0, false);
			judge("user's code", n, faults(false, true) ?
			      right_fault(false, true) &&
			      last_trap.eip == end - n :
			      last_trap.vector == insns[i].vector &&
			      last_trap.error == insns[i].error &&
			      last_trap.eip == end - n + insns[i].eip);
		}
}

static void kernel_insns(void)
{
	static const struct { const char *code; uint32_t length; } insns[] = {
		{ "\xe4\x80\xc3", 2 }, { "\x0f\x20\xc0\xc3", 3 },
		{ "\x0f\x21\xc0\xc3", 3 }, { "\x0f\x01\xe0\xc3", 3 },
		{ "\x66\xe5\x80\xc3", 3 },
	};

	for (uint32_t i = 0; i < sizeof(insns) / sizeof(*insns); i++)
		/* of what is absent TCG may refuse more than it has read */
		for (uint32_t n = 1; n < (kind == ABSENT ? 2 :
					  insns[i].length); n++) {
			put(n, insns[i].code, insns[i].length + 1);
			judge_access("kernel's code", n,
				     run_kernel(end - n, 0, 0, 0, 0x80), false);
		}
}

/* ---- frames ------------------------------------------------------------- */

/* Of an event in user mode, by each way that pushes one. What is behind the
 * end is its upper part, and must be there. */
static void user_frames(void)
{
	static const struct {
		const char	*code;
		uint32_t	length, vector, eip;
	} events[] = {
		{ "\xcd\x80", 2, VEC_SYSCALL, 2 },
		{ "\xcc", 1, 3, 1 },
		{ "\x0f\x0b", 2, 6, 0 },
		{ "\xa1\x00\x00\x00\x90", 5, VEC_PF, 0 },
	};

	for (uint32_t i = 0; i < sizeof(events) / sizeof(*events); i++)
		for (uint32_t n = 1; n <= 24; n++) {
			stack_override = end + n;
			run_user_bytes(events[i].code, events[i].length, 0, 0);
			judge("frame", n,
			      last_trap.vector == events[i].vector &&
			      last_trap.eip == play(U_CODE) + events[i].eip &&
			      last_trap.cs == USER_CS &&
			      last_trap.ss == USER_DS &&
			      last_trap.esp == play(U_STACK) + PAGE);
		}
	stack_override = 0;
}

static void kernel_frames(void)
{
	static uint32_t saved;

	for (uint32_t n = 1; n <= 12; n++) {
		__asm__ volatile("movl $2f, %0\n\tmovl $-1, %1\n\t"
				 "mov %%esp, %2\n\tmov %3, %%esp\n"
				 "1:\tud2\n2:\tmov %2, %%esp\n\tmovl $0, %0"
				 : "+m"(fixup), "+m"(fixup_vector), "+m"(saved)
				 : "r"(end + n) : "memory");
		judge("kernel's frame", n, fixup_vector == 6 &&
		      (last_trap.cs & 3) == 1 && last_trap_esp == end + n);
	}
}

/* By the ROM's IRET, and by the hypercall that it may make. */
static void iret_frames(void)
{
	const uint32_t frame[6] = {
		0, play(U_CODE), USER_CS, EFLAGS_IF | 2, play(U_STACK) + PAGE,
		USER_DS
	};

	vmi2(UpdateKernelStack, KERNEL_DS, (uintptr_t)(spare_table + 1024));
	pages[U_CODE][0] = 0xcd;
	pages[U_CODE][1] = VEC_SYSCALL;
	for (uint32_t n = 1; n < 20; n++) {
		put(n, frame + 1, 20);
		last_trap.vector = 0;
		iret_from(end - n, vmi_entry[VMI_CALL_IRET]);
		fixup = 0;
		/* which word of it is read first is the processor's choice */
		if (fixup_vector == VEC_PF && last_cr2 - end < 20 - n)
			last_cr2 = end;
		judge("IRET's frame", n, faults(false, false) ?
		      fixup_vector == VEC_PF && right_fault(false, false) :
		      last_trap.vector == VEC_SYSCALL);
		if (faults(false, false))
			continue;	/* the guest would end */
		put(n + 4, frame, 24);
		last_trap.vector = 0;
		iret_from(end - n - 4, (uintptr_t)hc_iret);
		fixup = 0;
		judge("IRET's frame, by the hypercall", n,
		      last_trap.vector == VEC_SYSCALL);
	}
}

/* ---- tables ------------------------------------------------------------- */

/* An entry across the end is there, or it is not: then #GP, or a page fault.
 * When it has come, it is used. */
static void judge_entry(const char *what, uint32_t first, uint32_t sel)
{
	int vector = load_es(sel);

	if (end != TOP && kind != ABSENT) {
		judge(what, first, vector == -1);
		return;
	}
	judge(what, first, vector == VEC_PF ||
	      (vector == VEC_GP && last_trap.error == (sel & 0xfffc)));
	if (end == TOP)
		return;
	set_kind(THERE);
	judge(what, first, load_es(sel) == -1);
	set_kind(ABSENT);
}

static void table_entries(void)
{
	static const uint32_t data[2] = { FLAT_LOW, 0x00cf9200 };
	const uint32_t ldt = TABLE_GDT * 8;
	uint32_t n, base;

	for (n = 1; n < 8; n++) {
		for (uint32_t i = 0; i < SELECTOR; i++)
			both[PAGE - SELECTOR - n + i] = ((uint8_t *)gdt)[i];
		put(n, data, 8);
		hypercall(STUB_HC_SET_GDT, end - SELECTOR - n, SELECTOR + 7);
		judge_entry("GDT", n, SELECTOR);
		hypercall(STUB_HC_SET_GDT, (uintptr_t)gdt, sizeof(gdt) - 1);
	}
	for (n = 1; n < 8; n++) {
		base = end - 24 - n;
		put(n, data, 8);
		write_gdt(TABLE_GDT, descriptor(base, 31, 0x8200));
		vmi1(SetLDT, ldt);
		judge_entry("LDT", n, 3 * 8 + 4);
		vmi1(SetLDT, 0);
	}
	if (end == TOP || kind == ABSENT)
		return;
	for (n = 1; n < 8; n++) {	/* gate 90h */
		const uint32_t *idt = gate_of(0);
		const uint32_t *gate = idt + VEC_SYSCALL * 2;

		put(n + 0x90 * 8, idt, 2048);
		put(n, gate, 8);
		hypercall(STUB_HC_SET_IDT, end - n - 0x90 * 8, 2047);
		USER("\xcd\x90", 0);
		judge("IDT", n, last_trap.vector == VEC_SYSCALL);
		hypercall(STUB_HC_SET_IDT, (uintptr_t)idt, 2047);
	}
}

/* The permission map: two bytes of which one is behind the end. */
static void io_map(void)
{
	const uint32_t base = end - 1 - 104 - 0x80 / 8;
	const uint16_t map_at = 104;

	write_gdt(TABLE_GDT, descriptor(base, 0x2000, 0x8900));
	vmi1(SetTR, TABLE_GDT * 8);
	put(end - base - 102, &map_at, 2);
	put(1, "\0", 2);
	USER("\xe4\x80\xcd\x80", 0);
	judge("permission map", 1, end == TOP || kind == ABSENT ?
	      last_trap.vector == VEC_GP || last_trap.vector == VEC_PF :
	      last_trap.vector == VEC_SYSCALL);
	put(1, "\xff", 2);
	USER("\xe4\x80\xcd\x80", 0);
	judge("permission map, set", 1, last_trap.vector != VEC_SYSCALL);
	vmi1(SetTR, TSS_SELECTOR);
}

/* The jump to the ROM's IRET, near the entry of system calls, across the end:
 * VMI-3.6.4 finds it. */
static void return_site(void)
{
	uint32_t jump = vmi_entry[VMI_CALL_IRET], entry = end - 0x100;
	const uint32_t *gate = gate_of(VEC_SYSCALL);
	const uint32_t low = gate[0], high = gate[1], bad[3] = { 0, 0x1230, 2 };

	set_idt(VEC_SYSCALL, (low & 0xffff0000) | (entry & 0xffff),
		(high & 0xffff) | (entry & 0xffff0000));
	for (uint32_t n = 1; n < 5; n++) {
		const uint32_t rel = jump - (end - n + 5);

		put(n, "\xe9", 1);
		put(n - 1, &rel, 4);
		put(0x200, bad, sizeof(bad));
		judge("return site", n,
		      iret_from(end - 0x200, end - n) == VEC_GP &&
		      last_trap.eip == end - n && last_trap.error == 0x1230);
		fixup = 0;
		put(n, "\x90\x90\x90\x90\x90", 5);
	}
	set_idt(VEC_SYSCALL, low, high);
}

/* ---- all of it ---------------------------------------------------------- */

static void straddle(uint32_t at)
{
	pae = *(volatile uint32_t *)&SHARED->cr4 & 0x20;
	end = at;
	for (enum kind k = 0; k < (at == TOP ? 1 : KINDS); k++) {
		set_kind(k);
		wrong = 0;
		operands();
		user_operands();
		if (at != TOP) {
			user_insns();
			kernel_insns();
			iret_frames();
		}
		table_entries();
		io_map();
		if (at != TOP && (k == THERE || k == USERS)) {
			user_frames();
			kernel_frames();
		}
		same(wrong, 0, "each as on a processor");
	}
	if (at == TOP)
		return;
	wrong = 0;
	set_kind(THERE);
	return_site();
	same(wrong, 0, "the place of the jump is found");
}

/* Before VMI_Init events from user mode look at the TSS. */
static uint32_t native_esp0;
static void on_native(struct frame *f)
{
	last_trap = *f;
	native_esp0 = (uintptr_t)(&f->ss + 1);
	resume_kernel();
}

static void straddle_tss(uint32_t arg)
{
	uint32_t *table = (void *)(page_directory[0] & ~0xfffu);
	const uint32_t esp0 = (uintptr_t)(spare_table + 1024), ss0 = KERNEL_DS;
	uint8_t *code = (uint8_t *)pages[U_CODE];

	(void)arg;
	/* of low memory, whose first table is ours to change by hand */
	page_directory[0] |= PTE_U;
	end = (uintptr_t)both + PAGE;
	page_directory[(uintptr_t)code >> 22] |= PTE_U;
	table = (void *)(page_directory[(uintptr_t)code >> 22] & ~0xfffu);
	table[(uintptr_t)code >> 12 & 1023] |= PTE_U;
	__asm__ volatile("mov %%cr3, %%eax\n\tmov %%eax, %%cr3" : : : "eax");
	code[0] = 0xcd;
	code[1] = VEC_SYSCALL;
	vector_hook[VEC_SYSCALL] = on_native;
	for (uint32_t n = 1; n < 12; n++) {
		const uint64_t base = end - n;

		put(n - 4, &esp0, 4);
		put(n - 8, &ss0, 4);
		gdt[TSS_SELECTOR / 8] = 103 | (base & 0xffffff) << 16 |
			0x890000000000 | (base & 0xff000000) << 32;
		__asm__ volatile("ltr %w0" : : "r"(TSS_SELECTOR));
		native_esp0 = 0;
		enter_user((uintptr_t)code, (uintptr_t)code + PAGE, plain_iret);
		judge("TSS", n, native_esp0 == esp0);
	}
	same(wrong, 0, "esp0 and ss0 across a page");
}

#define BOTH(name, at)							\
	CASE_ARG("straddle_" name, straddle, at),			\
	CASE_PAE("pae_straddle_" name, straddle, at)

const struct attack straddle_cases[] = {
	BOTH("page", PAGE_END),
	BOTH("table", TABLE_END),
	BOTH("gb", GB_END),
	BOTH("top", TOP),
	CASE_PAE("pae_straddle_2mb", straddle, PAE_TABLE_END),
	CASE_NATIVE(straddle_tss),
	CASES_END
};

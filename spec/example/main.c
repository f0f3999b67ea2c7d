// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The example guest: finds a ROM, enters VMI mode, maps a page, waits for three
 * ticks and ends, at any ring, with a ROM or without.
 */
#include "vmi.h"

#define PAGE	4096u
#define RW	3u				/* present, writable */
#define WINDOW	0x3ff000u			/* the last page of our table */
#define COM1	0x3f8

extern uint8_t iret_site[], timer_entry[], fault_entry[];
void load_tables(const void *gdt_pointer, const void *idt_pointer);
void guest_main(void);
void on_timer(void);
void on_fault(void);

/* ---- the machine ---------------------------------------------------------- */

static void outb(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static void print(const char *s)
{
	uint8_t status;

	for (; *s; s++) {
		do {
			__asm__ volatile("inb %1, %0" : "=a"(status)
					 : "d"((uint16_t)(COM1 + 5)));
		} while (!(status & 0x20));
		outb(COM1, (uint8_t)*s);
	}
}

static struct table_pointer {
	uint16_t	limit;
	uint32_t	base;
} __attribute__((packed)) gdt_pointer, idt_pointer;
static uint64_t gdt[] = { 0, 0x00cf9a000000ffff, 0x00cf92000000ffff }, idt[256];
static uint32_t directory[1024] __attribute__((aligned(PAGE)));
static uint32_t table[1024] __attribute__((aligned(PAGE)));
static uint32_t page[1024] __attribute__((aligned(PAGE)));
static volatile uint32_t ticks;

/* By plain instructions, as on any PC: tables, paging, timer. */
static void start_machine(void)
{
	static const uint8_t ports[][2] = {
		/* 8259s: vectors from 20h on, IRQ 0 alone */
		{ 0x20, 0x11 }, { 0x21, 0x20 }, { 0x21, 4 }, { 0x21, 1 },
		{ 0xa0, 0x11 }, { 0xa1, 0x28 }, { 0xa1, 2 }, { 0xa1, 1 },
		{ 0x21, 0xfe }, { 0xa1, 0xff },
		/* PIT: 1193182 / 2e9ch = 100 Hz */
		{ 0x43, 0x34 }, { 0x40, 0x9c }, { 0x40, 0x2e },
	};

	for (uint32_t n = 0; n < 256; n++) {	/* interrupt gates to 08h */
		uint32_t at = (uint32_t)(n == 0x20 ? timer_entry : fault_entry);

		idt[n] = (uint64_t)(at >> 16 << 16 | 0x8e00) << 32 |
			 0x08 << 16 | (at & 0xffff);
	}
	gdt_pointer = (struct table_pointer){ sizeof(gdt) - 1, (uint32_t)gdt };
	idt_pointer = (struct table_pointer){ sizeof(idt) - 1, (uint32_t)idt };
	load_tables(&gdt_pointer, &idt_pointer);

	for (uint32_t n = 0; n < 1024; n++)	/* 4 MB, one to one */
		table[n] = n * PAGE | RW;
	directory[0] = (uint32_t)table | RW;
	__asm__ volatile("mov %0, %%cr3\n\tmov %%cr0, %%eax\n\t"
			 "or $0x80010000, %%eax\n\tmov %%eax, %%cr0"
			 : : "r"(directory) : "eax", "memory");

	for (uint32_t n = 0; n < sizeof(ports) / sizeof(ports[0]); n++)
		outb(ports[n][0], ports[n][1]);
}

void on_timer(void)
{
	ticks++;
	outb(0x20, 0x20);
}

void on_fault(void)
{
	print("a fault\n");
	for (;;)
		__asm__ volatile("cli\n\thlt");
}

/* ---- what the kernel does where no ROM does it (VMI-2.5.1) ------------------ */

#define CALL __attribute__((regparm(3)))	/* VMI-3.1.1 */
typedef uint32_t CALL vmi_fn(uint32_t eax, uint32_t edx, uint32_t ecx);

#define OWN(name, code, ...)						\
static CALL uint32_t own_##name(uint32_t eax, uint32_t edx, uint32_t ecx) \
{									\
	(void)edx, (void)ecx;						\
	__asm__ volatile(code : : __VA_ARGS__ : "memory");		\
	return eax;							\
}
OWN(Nothing, "", "a"(eax))
OWN(DisableInterrupts, "cli", "a"(eax))
OWN(Halt, "sti\n\thlt", "a"(eax))
OWN(SetPxE, "mov %0, (%1)", "a"(eax), "d"(edx))
OWN(InvalPage, "invlpg (%0)", "a"(eax))
OWN(Shutdown, "outb %%al, $0x64", "a"(0xfe))	/* resets the machine */

/* ---- the ROM ---------------------------------------------------------------- */

static uint32_t rom;				/* 0: none */

static uint32_t find_rom(void)
{
	for (uint32_t at = VMI_SCAN_START; at < VMI_SCAN_END;
	     at += VMI_SCAN_STEP) {
		const struct vmi_rom_header *h = (const void *)at;

		if (h->magic == VMI_ROM_MAGIC &&
		    h->signature == VMI_SIGNATURE &&
		    h->api_major == VMI_API_MAJOR)
			return at;
	}
	return 0;
}

/* The answer comes as one number of 64 bits: address below, type above. */
static uint32_t relocation(uint32_t call, uint8_t *type)
{
	uint64_t CALL (*get)(uint32_t) = (void *)(rom + VMI_ENTRY_RELOC);
	uint64_t answer = get(call);

	*type = (uint8_t)(answer >> 32);
	return (uint32_t)answer;
}

/* Who does a call: the ROM, nobody, or we ourselves. */
static vmi_fn *function(uint32_t call, vmi_fn *own)
{
	uint8_t type = VMI_RELOC_NONE;
	uint32_t entry = rom ? relocation(call, &type) : 0;

	return type == VMI_RELOC_CALL ? (vmi_fn *)entry :
	       type == VMI_RELOC_NOP ? own_Nothing : own;
}
#define FUNCTION(name)	function(VMI_CALL_##name, own_##name)

static void patch_iret(void)
{
	uint8_t type;
	uint32_t entry = relocation(VMI_CALL_IRET, &type);

	iret_site[0] = 0xe9;			/* JMP, from its own end on */
	*(uint32_t *)(iret_site + 1) = entry - ((uint32_t)iret_site + 5);
}

void guest_main(void)
{
	vmi_fn *disable, *halt, *set_pxe, *inval_page, *shutdown;
	uint32_t cs;

	start_machine();
	rom = find_rom();
	if (rom && ((vmi_fn *)(rom + VMI_ENTRY_INIT))(0, 0, 0) != 0)
		rom = 0;			/* refused: nothing has changed */
	disable = FUNCTION(DisableInterrupts);
	halt = FUNCTION(Halt);
	set_pxe = FUNCTION(SetPxE);
	inval_page = FUNCTION(InvalPage);
	shutdown = FUNCTION(Shutdown);
	if (rom)
		patch_iret();			/* its type is never none */
	__asm__("mov %%cs, %0" : "=r"(cs));
	print(rom ? "VMI mode" : "no VMI mode");
	print(cs & 3 ? ", below ring 0\n" : ", ring 0\n");

	*(volatile uint32_t *)page = 12345;
	set_pxe((uint32_t)page | RW, (uint32_t)&table[WINDOW / PAGE],
		VMI_PAGE_PT);
	inval_page(WINDOW, 0, 0);
	print(*(volatile uint32_t *)WINDOW == 12345 ? "mapped\n" : "not mapped\n");

	while (ticks < 3)
		halt(0, 0, 0);			/* leaves interrupts on */
	disable(0, 0, 0);
	print("three ticks\n");
	for (;;)
		shutdown(0, 0, 0);
}

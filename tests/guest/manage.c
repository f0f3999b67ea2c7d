// SPDX-License-Identifier: GPL-2.0-only
/*
 * A service guest (mode=manages, rights=manage): it makes another guest out of bytes
 * of its own, runs it, talks with it, ends it. N-6.
 */
#include "cmdline.h"
#include "smp.h"
#include "suite.h"
#include "vmi_hypercall.h"

#define CODE_AT		0x200000u

/* The smallest ELF file: says 'x', then what it hears; after a 'q' it resets. */
static struct {
	uint8_t		ident[16];
	uint16_t	type, machine;
	uint32_t	version, entry, phoff, shoff, flags;
	uint16_t	ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
	uint32_t	p_type, p_offset, p_vaddr, p_paddr, p_filesz, p_memsz,
			p_flags, p_align;
	uint8_t		code[32];
} kernel __attribute__((aligned(VMI_CREATE_PAGE))) = {
	.ident = { 0x7f, 'E', 'L', 'F', 1, 1, 1 },
	.type = 2, .machine = 3, .version = 1, .entry = CODE_AT,
	.phoff = 52, .ehsize = 52, .phentsize = 32, .phnum = 1,
	.p_type = 1, .p_offset = 84, .p_paddr = CODE_AT, .p_filesz = 32,
	.p_memsz = 32,
	.code = {
		0x66, 0xba, 0xf8, 0x03,		/* mov dx, 3f8h */
		0xb0, 'x', 0xee,		/* mov al, 'x'; out dx, al */
		0x66, 0xba, 0xfd, 0x03,		/* mov dx, 3fdh */
		0xec, 0xa8, 0x01,		/* in al, dx; test al, 1 */
		0x74, 0xf7,			/* jz */
		0x66, 0xba, 0xf8, 0x03,		/* mov dx, 3f8h */
		0xec, 0xee,			/* in al, dx; out dx, al */
		0x3c, 'q', 0x75, 0xed,		/* cmp al, 'q'; jne */
		0xb0, 0xfe, 0xe6, 0x64,		/* mov al, 0feh; out 64h, al */
	},
};

#define PATIENCE	10000000u	/* looks */

static uint64_t kernel_pages[1];
static const char command_line[] = "a=b";
static struct vmi_guest_create block = {
	.kernel_bytes = sizeof(kernel),
	.cmdline_bytes = sizeof(command_line) - 1,
	.memory = 4, .cpus = 1, .shares = 100, .name = "made",
};

static int32_t call(uint32_t nr, uint32_t a0, uint32_t a1, uint32_t a2)
{
	return ask_hypervisor(nr, a0, a1, a2, 0);
}
#define CALL1(name, a)		call(VMI_HC_##name, a, 0, 0)
#define CALL2(name, a, b)	call(VMI_HC_##name, a, (uintptr_t)(b), 0)

/* What it says next. */
static uint32_t hears(uint32_t guest)
{
	static volatile uint8_t byte;
	int32_t n;

	do
		n = call(VMI_HC_ConsoleRead, guest, (uintptr_t)&byte, 1);
	while (!n);
	return n == 1 ? byte : (uint32_t)n;
}

static int32_t says(uint32_t guest, const char *text, uint32_t bytes)
{
	return call(VMI_HC_ConsoleWrite, guest, (uintptr_t)text, bytes);
}

static uint64_t memory_left(void)
{
	static struct vmi_guest_stats stats;

	CALL2(Statistics, 0, &stats);
	return stats.memory_left;
}

/* Its memory is back when no processor knows it any more. There may be more then, if
 * somebody else has ended. */
static uint64_t until_left(uint64_t bytes)
{
	uint64_t left = memory_left();

	for (uint32_t i = 0; left < bytes && i < PATIENCE; i++)
		left = memory_left();
	ok(left >= bytes, "all of its memory is back");
	return left;
}

static void talk(uint32_t guest)
{
	same(hears(guest), 'x', "it says something");
	same(says(guest, "ab", 2), 2, "it is told something");
	same(hears(guest), 'a', "and answers");
	same(hears(guest), 'b', "to all of it");
}

static void manages(void)
{
	static struct vmi_guest_info info;
	int32_t others = CALL1(HypervisorInfo, VMI_INFO_GUESTS);
	int32_t guest = CALL1(Create, (uintptr_t)&block), i;
	uint64_t left;

	same(guest, others, "a guest is made");
	same(CALL1(Destroy, guest), 0, "and destroyed, which none has been in");
	left = memory_left();
	same(CALL1(Create, (uintptr_t)&block), guest, "and made again");
	same(CALL2(Info, guest, &info), 0, "it is known");
	ok(info.state == VMI_STATE_SHUT_DOWN && info.name[0] == 'm' &&
	   info.memory == 4 << 20 && !info.exits, "and has not run yet");
	same(CALL1(Start, guest), 0, "it starts");
	talk(guest);
	same(CALL1(Pause, guest), 0, "it stands still");
	same(says(guest, "c", 1), 1, "and is told something");
	for (i = 0; i < 1000; i++)
		CALL1(State, guest);
	same(call(VMI_HC_ConsoleRead, guest, (uintptr_t)&info, 1), 0,
	     "that it does not hear");
	same(CALL1(Resume, guest), 0, "it goes on");
	same(hears(guest), 'c', "and hears it");
	same(CALL1(Reset, guest), 0, "it is reset");
	talk(guest);
	CALL2(Info, guest, &info);
	same(info.starts, 2, "for the second time");
	same(says(guest, "q", 1), 1, "it is told to end");
	same(hears(guest), 'q', "says so");
	while (CALL1(State, guest) == VMI_STATE_RUNNING)
		relax();
	same(CALL1(State, guest), VMI_STATE_SHUT_DOWN, "and does");
	same(CALL1(Destroy, guest), 0, "it is destroyed");
	same(CALL1(State, guest), -VMI_EINVAL, "and not known any more");
	left = until_left(left);
	/* Again and again, in each state; while the last is being left this one may be
	 * in another place. */
	for (i = 0; i < 4; i++) {
		guest = CALL1(Create, (uintptr_t)&block);
		ok(guest >= others, "another is made");
		if (i)
			same(CALL1(Start, guest), 0, "starts");
		if (i > 1)
			talk(guest);
		if (i > 2)
			same(CALL1(Pause, guest), 0, "stands still");
		same(CALL1(Destroy, guest), 0, "and is destroyed");
		left = until_left(left);
	}
}

void test_manage(void)
{
	if (!option_is("mode", "manages"))
		return;
	kernel_pages[0] = (uintptr_t)&kernel;
	block.kernel = (uintptr_t)kernel_pages;
	block.cmdline = (uintptr_t)command_line;
	manages();
}

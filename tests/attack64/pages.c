// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages of another guest in place of a 64-bit guest's own (spec/neighbours.md, N-8): its
 * tables of each level, what its user mode runs, and again and again with no flush of
 * its own. The other guest is one that it makes, of 32 bits, which does nothing.
 */
#include "attack64.h"
#include "vmi_hypercall.h"

#define SLOT		320u
#define SLOT_VA		0xffffa00000000000ull
#define THEIRS		0x300000u
#define INTROSPECTOR(name, run, arg, ...) \
	CASE_ARG(name, run, arg, .boot = "rights=manage+introspect", ##__VA_ARGS__)

static table spare[3];			/* of levels 1 to 3, at SLOT_VA */
static volatile uint64_t own[2][512] __attribute__((aligned(PAGE)));
static uint64_t token[VMI_TOKEN_BYTES / 8];

static int64_t ask(uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
	return (int64_t)vmi4(Hypercall, nr, a0, a1, a2);
}

static int64_t map_page(uint32_t guest, uint64_t theirs, const volatile void *at)
{
	int64_t error = ask(VMI_HC_Token, guest, pa(token), 0);

	return error ? error :
	       ask(VMI_HC_PageMap, pa(token), theirs, pa((const void *)at));
}

static int64_t unmap_page(const volatile void *at)
{
	return ask(VMI_HC_PageUnmap, pa((const void *)at), 0, 0);
}

/* Its text is JMP to itself. */
static uint32_t make(void)
{
	static struct {
		uint8_t		ident[16];
		uint16_t	type, machine;
		uint32_t	version, entry, phoff, shoff, flags;
		uint16_t	ehsize, phentsize, phnum, shentsize, shnum,
				shstrndx;
		uint32_t	p_type, p_offset, p_vaddr, p_paddr, p_filesz,
				p_memsz, p_flags, p_align;
		uint8_t		code[4];
	} image __attribute__((aligned(PAGE))) = {
		.ident = { 0x7f, 'E', 'L', 'F', 1, 1, 1 },
		.type = 2, .machine = 3, .version = 1, .entry = 0x200000,
		.phoff = 52, .ehsize = 52, .phentsize = 32, .phnum = 1,
		.p_type = 1, .p_offset = 84, .p_paddr = 0x200000, .p_filesz = 4,
		.p_memsz = 4, .code = { 0xeb, 0xfe },
	};
	static uint64_t image_list[1];
	static struct vmi_guest_create block = {
		.kernel_bytes = sizeof(image), .memory = 4, .cpus = 1,
		.shares = 100,
	};
	int64_t id;

	image_list[0] = pa(&image);
	block.kernel = pa(image_list);
	id = ask(VMI_HC_Create, pa(&block), 0, 0);
	ok(id > 1, "a guest is made");
	same64(ask(VMI_HC_Start, (uint64_t)id, 0, 0), 0, "it runs");
	return (uint32_t)id;
}

static void chain(void)
{
	for (uint32_t i = 0; i < 3; i++)
		vmi5(AllocatePage, pa(spare[i]) / PAGE, VMI_PAGE_PT, 0, 0, 0);
	set_entry(&spare[0][0], frame_pa(1) | PTE_P | PTE_W);
	for (uint32_t i = 1; i < 3; i++)
		set_entry(&spare[i][0], pa(spare[i - 1]) | PTE_P | PTE_W);
	set_entry(&boot_pml4[SLOT], pa(spare[2]) | PTE_P | PTE_W);
	flush();
}

/* A table is a copy in the other's memory, of which one entry leads elsewhere, and
 * then nowhere; and then it is gone. */
static void pages_table(uint32_t level)
{
	uint32_t id = make();
	uint64_t *at = spare[level - 1];

	chain();
	same64(word_at(SLOT_VA), FRAME_MARK + 1, "it is mapped");
	same64(map_page(id, THEIRS, own[0]), 0, "a page of another");
	for (uint32_t i = 0; i < 512; i++)
		own[0][i] = at[i];
	same64(map_page(id, THEIRS, at), 0, "is a table of ours");
	same64(word_at(SLOT_VA), FRAME_MARK + 1, "which maps the same");
	set_entry(&at[0], level == 1 ? frame_pa(2) | PTE_P | PTE_W : 0);
	flush();
	same64(own[0][0], at[0], "what is told of is at both places");
	if (level == 1)
		same64(word_at(SLOT_VA), FRAME_MARK + 2, "then another one");
	else
		same64(probe_read(SLOT_VA), VEC_PF, "then nothing");
	set_entry(&at[0], (level == 1 ? frame_pa(1) : pa(spare[level - 2])) |
			  PTE_P | PTE_W);
	flush();
	same64(word_at(SLOT_VA), FRAME_MARK + 1, "and the first again");
	ask(VMI_HC_Destroy, id, 0, 0);
	while (own[0][0])
		__asm__ volatile("pause");
	same64(probe_read(SLOT_VA), VEC_PF, "with the other it is gone");
	same64(at[0], 0, "zeros are left");
	is_well();
}

/* The one that is loaded. */
static void pages_top(uint32_t arg)
{
	static uint64_t kept[512] __attribute__((aligned(PAGE)));
	uint32_t id = make();

	(void)arg;
	same64(map_page(id, THEIRS, own[0]), 0, "a page of another");
	for (uint32_t i = 0; i < 512; i++)
		own[0][i] = kept[i] = boot_pml4[i];
	same64(map_page(id, THEIRS, boot_pml4), 0, "is our PML4");
	is_well();
	own[0][SLOT] = kept[511];
	flush();
	is_well();
	vmi5(AllocatePage, pa(kept) / PAGE, VMI_PAGE_PT, 0, 0, 0);
	vmi1(SetCR3, pa(kept));
	same64(unmap_page(boot_pml4), 0, "it is given back");
	for (uint32_t i = 0; i < 512; i++)
		boot_pml4[i] = kept[i];
	vmi1(SetCR3, pa(boot_pml4));
	is_well();
	ask(VMI_HC_Destroy, id, 0, 0);
}

/* In place of a page that is mapped for user mode, and in the kernel's large pages. */
static void pages_again(uint32_t arg)
{
	uint32_t id = make(), wrong = 0;

	(void)arg;
	chain();
	set_entry(&spare[0][1], pa((const void *)own[1]) | PTE_P | PTE_W | PTE_U);
	flush();
	for (uint32_t i = 0; i < 300; i++) {
		volatile uint64_t *there = (volatile uint64_t *)(SLOT_VA + PAGE);

		own[1][0] = 7;
		wrong += there[0] != 7;
		wrong += map_page(id, THEIRS + i % 8 * PAGE, own[1]) != 0;
		there[0] = i;
		wrong += own[1][0] != i;
		wrong += map_page(id, THEIRS + i % 8 * PAGE, own[0]) != 0;
		wrong += own[0][0] != i;
		wrong += unmap_page(own[1]) != 0;
		wrong += there[0] != 0 || own[1][0] != 0;
		there[0] = 9;
		wrong += own[0][0] != i;
		wrong += unmap_page(own[0]) != 0 || own[0][0] != 0;
	}
	same64(wrong, 0, "what is there is what both places show");
	is_well();
	ask(VMI_HC_Destroy, id, 0, 0);
}

static void pages_bad(uint32_t arg)
{
	static const uint64_t bad[] = {
		1, PAGE - 1, OUTSIDE, 1ull << 52, 1ull << 63, ODD | PAGE, ~0ull,
		1ull << 32 | THEIRS,
	};
	uint32_t id = make(), wrong = 0;

	(void)arg;
	own[0][0] = 7;
	ask(VMI_HC_Token, id, pa(token), 0);
	for (uint32_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		wrong += ask(VMI_HC_PageMap, pa(token), bad[i], pa((void *)own[0])) >= 0;
		wrong += ask(VMI_HC_PageMap, pa(token), THEIRS, bad[i]) >= 0;
		wrong += ask(VMI_HC_PageUnmap, bad[i], 0, 0) >= 0;
		if (i > 1)
			wrong += ask(VMI_HC_PageMap, bad[i], THEIRS,
				     pa((void *)own[0])) >= 0;
	}
	same64(wrong, 0, "each is refused");
	same64(own[0][0], 7, "and nothing has changed");
	same64(ask(VMI_HC_PageMap, pa(token), THEIRS, pa((void *)own[0])), 0,
	       "the token is good still");
	ask(VMI_HC_Destroy, id, 0, 0);
}

const struct attack page_cases[] = {
	INTROSPECTOR("pages_table_1", pages_table, 1),
	INTROSPECTOR("pages_table_2", pages_table, 2),
	INTROSPECTOR("pages_table_3", pages_table, 3),
	INTROSPECTOR("pages_top", pages_top, 0),
	INTROSPECTOR("pages_again", pages_again, 0),
	INTROSPECTOR("pages_bad", pages_bad, 0),
	CASES_END
};

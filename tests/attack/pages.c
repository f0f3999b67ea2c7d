// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages of other guests, mapped by one that may (spec/neighbours.md, N-8): with tokens
 * that are none, over everything, of guests that end meanwhile, in chains, and by two
 * vCPUs at once. What it maps is of guests that it has made itself.
 */
#include "race.h"
#include "vmi_hypercall.h"

#define BYSTANDER	1u		/* its number */
#define NOWHERE		0xe0000000u
#define NOISE		20000u
#define OWN		8u		/* pages to be another's */

/* Guest-physical, of those that it makes: they begin at CODE, and count in STATE. */
#define CODE		0x200000u
#define STATE		0x300000u
#define TOKEN		0x301000u
#define THEIRS		0x302000u
#define FIELD		0x303000u	/* of which every word is known: filled() */

#define INTROSPECTOR(run, ...) \
	CASE_ARG(#run, run, 0, .boot = "rights=manage+introspect", ##__VA_ARGS__)

static volatile uint32_t own[OWN][1024] __attribute__((aligned(PAGE)));
static uint32_t word[2][VMI_TOKEN_BYTES / 4];	/* tokens, of each vCPU */

static uint32_t at(const volatile void *low)
{
	return (uintptr_t)low;
}

static int32_t ask(uint32_t nr, uint32_t a0, uint32_t a1, uint32_t a2)
{
	return ask_hypervisor(nr, a0, a1, a2, 0);
}

static int32_t token(uint32_t guest)
{
	return ask(VMI_HC_Token, guest, at(word[0]), 0);
}

static int32_t map_with_token(uint32_t theirs, uint32_t n)
{
	return ask(VMI_HC_PageMap, at(word[0]), theirs, at(own[n]));
}

static int32_t map_page(uint32_t guest, uint32_t theirs, uint32_t n)
{
	int32_t error = token(guest);

	return error ? error : map_with_token(theirs, n);
}

static int32_t unmap_page(uint32_t n)
{
	return ask(VMI_HC_PageUnmap, at(own[n]), 0, 0);
}

static bool fits(int32_t result)
{
	return !result || result == -VMI_EFAULT || result == -VMI_EINVAL ||
	       result == -VMI_EBUSY || result == -VMI_ENOMEM;
}

static bool is_zero(uint32_t n)
{
	uint32_t i;

	for (i = 0; i < 1024 && !own[n][i]; i++)
		;
	return i == 1024;
}

/* ---- guests that it makes ------------------------------------------------------ */

static struct {
	uint8_t		ident[16];
	uint16_t	type, machine;
	uint32_t	version, entry, phoff, shoff, flags;
	uint16_t	ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
	uint32_t	p_type, p_offset, p_vaddr, p_paddr, p_filesz, p_memsz,
			p_flags, p_align;
	uint8_t		code[256];
} image __attribute__((aligned(PAGE))) = {
	.ident = { 0x7f, 'E', 'L', 'F', 1, 1, 1 },
	.type = 2, .machine = 3, .version = 1, .entry = CODE,
	.phoff = 52, .ehsize = 52, .phentsize = 32, .phnum = 1,
	.p_type = 1, .p_offset = 84, .p_paddr = CODE, .p_filesz = 256,
	.p_memsz = 256,
};
static uint64_t image_list[1];
static struct vmi_guest_create block = {
	.kernel_bytes = sizeof(image), .memory = 4, .cpus = 1, .shares = 100,
};
static uint32_t codes;

static void code8(uint32_t byte)
{
	image.code[codes++] = (uint8_t)byte;
}

static void code_with(uint32_t opcode, uint32_t operand)
{
	code8(opcode);
	for (uint32_t i = 0; i < 4; i++)
		code8(operand >> 8 * i);
}

/* What it is told by EAX goes to a word of STATE. */
static void code_vmcall(uint32_t nr, uint32_t ebx, uint32_t ecx, uint32_t edx,
			uint32_t result)
{
	code_with(0xb8, nr);
	code_with(0xbb, ebx);
	code_with(0xb9, ecx);
	code_with(0xba, edx);
	code8(0x0f);
	code8(0x01);
	code8(0xc1);
	code_with(0xa3, STATE + 4 * result);
}

/* And counts in its first word. */
static int32_t make(uint32_t rights)
{
	int32_t id;

	code8(0xff);			/* incl STATE */
	code_with(0x05, STATE);
	code8(0xeb);			/* jmp */
	code8(0xf8);
	image_list[0] = at(&image);
	block.kernel = at(image_list);
	block.rights = rights;
	codes = 0;
	id = ask(VMI_HC_Create, at(&block), 0, 0);
	if (id > 0)
		ask(VMI_HC_Start, (uint32_t)id, 0, 0);
	return id;
}

static uint32_t counter(void)
{
	int32_t id = make(0);

	same(id > (int32_t)BYSTANDER, 1, "a guest is made");
	return (uint32_t)id;
}

static uint32_t known(uint32_t i)
{
	i = (i ^ BYSTANDER_KEY) * 0x9e3779b1;
	return i ^ i >> 15;
}

static uint32_t filled(void)
{
	uint32_t id = counter();

	same(map_page(id, FIELD, 7), 0, "its memory is there");
	for (uint32_t i = 0; i < 1024; i++)
		own[7][i] = known(i);
	same(unmap_page(7), 0, "and is filled");
	return id;
}

static void destroy(uint32_t id)
{
	ask(VMI_HC_Destroy, id, 0, 0);
}

/* The machine ends with us. */
static void end(void)
{
	for (uint32_t id = BYSTANDER + 1; id < 8; id++)
		destroy(id);
}

/* One that has itself mapped a page of the bystander's, or of ours; its state is in
 * our page. */
static uint32_t mapper(uint32_t of, uint32_t theirs, uint32_t n)
{
	uint32_t id;

	code_vmcall(VMI_HC_Token, of, TOKEN, 0, 1);
	code_vmcall(VMI_HC_PageMap, TOKEN, theirs, THEIRS, 2);
	id = (uint32_t)make(VMI_RIGHT_INTROSPECT);
	same(map_page(id, STATE, n), 0, "its page is mapped");
	while (!own[n][0])
		relax();
	same(own[n][1] | own[n][2], 0, "it has mapped one itself");
	return id;
}

/* ---- no right, and tokens ---------------------------------------------------------- */

static void pages_of_manager(uint32_t arg)
{
	uint32_t wrong = 0;

	(void)arg;
	for (uint32_t i = 0; i < 4; i++) {
		wrong += ask(VMI_HC_Token, i, at(word[0]), 0) != -VMI_EINVAL;
		wrong += ask(VMI_HC_PageMap, at(word[0]), 0, at(own[0])) !=
			 -VMI_EINVAL;
		wrong += ask(VMI_HC_PageUnmap, at(own[i]), 0, 0) != -VMI_EINVAL;
	}
	for (uint32_t i = 0; i < VMI_TOKEN_BYTES / 4; i++)
		wrong += word[0][i];
	same(wrong, 0, "a manager has nothing of it");
}

static void pages_user(uint32_t arg)
{
	static const uint8_t nrs[] = {
		VMI_HC_PageMap, VMI_HC_PageUnmap, VMI_HC_Token
	};
	char code[] = "\xb8\0\0\0\0\xb9\0\0\0\0\x31\xd2\x0f\x01\xc1\xcd\x80";
	uint32_t wrong = 0;

	(void)arg;
	for (uint32_t i = 0; i < 3; i++) {
		code[1] = (char)nrs[i];
		user_bytes(code, sizeof(code) - 1, at(word[0]));
		wrong += last_trap.vector != VEC_GP || last_trap.error;
	}
	same(wrong, 0, "a user has nothing of it");
}

static void pages_guessed(uint32_t arg)
{
	uint32_t wrong = 0, id = filled(), bit;

	(void)arg;
	own[0][0] = 0x1234;
	for (uint32_t i = 0; i < NOISE; i++) {
		wrong += map_with_token(FIELD, 0) != -VMI_EINVAL;
		word[0][i % 8] = random32();
	}
	token(id);
	for (bit = 0; bit < 8 * VMI_TOKEN_BYTES; bit++) {
		word[0][bit / 32] ^= 1u << bit % 32;
		wrong += map_with_token(FIELD, 0) != -VMI_EINVAL;
		word[0][bit / 32] ^= 1u << bit % 32;
	}
	same(wrong, 0, "none is guessed");
	same(own[0][0], 0x1234, "and nothing changed");
	same(map_with_token(FIELD, 0), 0, "the right one is good still");
	end();
}

static void pages_replayed(uint32_t arg)
{
	uint32_t wrong = 0, id = filled();

	(void)arg;
	for (uint32_t i = 0; i < 1000; i++) {
		wrong += map_page(id, FIELD, 0) != 0;
		wrong += map_with_token(FIELD, 1) != -VMI_EINVAL;
		wrong += map_with_token(FIELD, 0) != -VMI_EINVAL;
		wrong += unmap_page(0) != 0;
		wrong += map_with_token(FIELD, 0) != -VMI_EINVAL;
		wrong += unmap_page(0) != -VMI_EINVAL;
	}
	same(wrong, 0, "each is good once");
	ok(is_zero(0) && is_zero(1), "what is left are zeros");
	end();
}

/* Of one that is gone, of one that lives again, and of another in its place. */
static void pages_dead(uint32_t arg)
{
	static volatile struct vmi_guest_info info;
	uint32_t id, wrong = 0;

	(void)arg;
	for (uint32_t i = 0; i < 20; i++) {
		id = counter();
		token(id);
		if (i % 2) {
			ask(VMI_HC_Reset, id, 0, 0);
			do
				ask(VMI_HC_Info, id, at(&info), 0);
			while (info.starts == 1);
		} else {
			destroy(id);
			counter();
		}
		wrong += map_with_token(STATE, 0) != -VMI_EINVAL;
		for (id = 2; id < 8; id++)
			destroy(id);
		while (ask(VMI_HC_HypervisorInfo, 4, 0, 0) != 2)
			relax();
	}
	same(wrong, 0, "a token dies with its guest");
	end();
}

static void pages_of_others_token(uint32_t arg)
{
	uint32_t id;

	(void)arg;
	id = mapper(filled(), FIELD, 0);
	same(map_page(id, TOKEN, 1), 0, "another's token is there");
	for (uint32_t i = 0; i < VMI_TOKEN_BYTES / 4; i++)
		word[0][i] = own[1][i];
	same(map_with_token(FIELD, 2), -VMI_EINVAL, "but is not ours");
	end();
}

/* ---- addresses -------------------------------------------------------------------------- */

static const uint32_t places[] = {
	1, PAGE - 1, 64u << 20, NOWHERE, 0xfee00000, 0xfffff000, 0xffffffff,
	0xfffffff0, (64u << 20) - 16,
};

static void pages_places(uint32_t arg)
{
	uint32_t wrong = 0, n = sizeof(places) / sizeof(*places), id = filled();

	(void)arg;
	own[0][0] = 0x1234;
	token(id);
	for (uint32_t i = 0; i < n; i++) {
		/* The first two have memory. */
		wrong += i > 1 && ask(VMI_HC_Token, id, places[i], 0) !=
			 -VMI_EFAULT;
		wrong += ask(VMI_HC_PageMap, places[i], FIELD, at(own[0])) >= 0;
		wrong += map_with_token(places[i], 0) >= 0;
		wrong += ask(VMI_HC_PageMap, at(word[0]), FIELD, places[i]) >= 0;
		wrong += ask(VMI_HC_PageUnmap, places[i], 0, 0) != -VMI_EINVAL;
	}
	same(wrong, 0, "each is refused");
	same(own[0][0], 0x1234, "and nothing changed");
	same(map_with_token(FIELD, 0), 0, "the token is good still");
	end();
}

/* Anything, but over what we need. */
static void pages_noise(uint32_t arg)
{
	uint32_t wrong = 0, id = counter();

	(void)arg;
	for (uint32_t i = 0; i < NOISE; i++) {
		uint32_t theirs = random32() % 2 ? random32() : STATE;
		uint32_t n = random32() % OWN;

		switch (random32() % 4) {
		case 0:
			wrong += !fits(token(random32() % 4 ? id : random32()));
			break;
		case 1:
			wrong += !fits(map_with_token(theirs & ~0xfffu, n));
			break;
		case 2:
			wrong += !fits(unmap_page(n));
			break;
		default:
			own[n][random32() % 1024] = random32();
		}
	}
	same(wrong, 0, "each has a result that there is");
	end();
}

/* ---- what it is mapped over ----------------------------------------------------------------- */

static void pages_text(uint32_t arg)
{
	static uint8_t text[PAGE] __attribute__((aligned(PAGE))) = {
		0xb9, 0, 0, 0, 0, 0xc3		/* mov ecx, 0; ret */
	};
	uint32_t wrong = 0, id;

	(void)arg;
	id = counter();
	wrong += run_kernel(at(text), 0, 0, 0, 0) != -1;
	for (uint32_t i = 0; i < 100; i++) {
		token(id);
		wrong += ask(VMI_HC_PageMap, at(word[0]), CODE + PAGE, at(text)) != 0;
		text[0] = 0x0f;
		text[1] = 0x0b;
		wrong += run_kernel(at(text), 0, 0, 0, 0) != 6;
		wrong += ask(VMI_HC_PageUnmap, at(text), 0, 0) != 0;
		text[0] = 0xc3;
		wrong += run_kernel(at(text), 0, 0, 0, 0) != -1;
	}
	same(wrong, 0, "what is there is what runs");
	end();
}

/* A directory in use, its tables, and one of pages of its own; each is a copy in
 * another guest's memory, which changes under it. */
static void pages_own_tables(uint32_t arg)
{
	uint32_t id = counter(), wrong = 0, *table = linear(play_table);

	(void)arg;
	same(map_page(id, STATE + PAGE, 0), 0, "a page of another");
	for (uint32_t i = 0; i < 1024; i++)
		own[0][i] = page_directory[i];
	token(id);
	same(ask(VMI_HC_PageMap, at(word[0]), STATE + PAGE, at(page_directory)), 0,
	     "it is our directory");
	same(probe_read(PLAY + (900u << 12)), VEC_PF, "which works");
	same(map_page(id, STATE + 2 * PAGE, 1), 0, "and another page");
	for (uint32_t i = 0; i < 1024; i++)
		own[1][i] = table[i];
	token(id);
	same(ask(VMI_HC_PageMap, at(word[0]), STATE + 2 * PAGE, at(play_table)), 0,
	     "it is a page table");
	/* By the other place that it is at, and told of. */
	for (uint32_t i = 0; i < 1000; i++) {
		own[2 + i % 4][0] = i;
		own[1][900] = at(own[2 + i % 4]) | PTE_P | PTE_W;
		map(900, own[1][900]);
		flush();
		wrong += *(volatile uint32_t *)play(900) != i;
	}
	same(wrong, 0, "what is written at one place is seen at the other");
	own[1][900] = 0;
	same(ask(VMI_HC_PageUnmap, at(play_table), 0, 0), 0, "it is given back");
	same(probe_read(play(900)), VEC_PF, "which maps nothing");
	same(probe_read(play(U_KERNEL)), VEC_PF, "nor anything else");
	for (uint32_t i = 0; i < 1024; i++)
		spare_table[i] = page_directory[i];
	vmi2(SetCR3, at(spare_table), 0);
	end();
	while (page_directory[0])
		relax();
	for (uint32_t i = 0; i < 1024; i++)
		page_directory[i] = spare_table[i];
	vmi2(SetCR3, at(page_directory), 0);
	same(probe_read(play(900)), VEC_PF, "all is as it was");
}

/* All of memory, in any order, until it is over. */
static void pages_everything(uint32_t arg)
{
	uint32_t id = counter();

	(void)arg;
	ask(VMI_HC_Pause, id, 0, 0);
	for (uint32_t i = 0; i < 1000; i++) {
		token(id);
		ask(VMI_HC_PageMap, at(word[0]), random32() % 1024 << 12,
		    random32() % (64u << 8) << 12);
	}
}

/* Two places, both ways, and in user mode's hands. */
static void pages_twice(uint32_t arg)
{
	uint32_t wrong = 0, id = counter();

	(void)arg;
	for (uint32_t i = 0; i < 500; i++) {
		wrong += map_page(id, STATE + PAGE, 0) || map_page(id, STATE + PAGE, 1);
		map(U_FREE, at(own[0]) | PTE_P | PTE_W | PTE_U);
		map(U_FREE + 1, at(own[1]) | PTE_P | PTE_W | PTE_U);
		flush();
		own[0][5] = i;
		wrong += own[1][5] != i;
		((volatile uint32_t *)play(U_FREE + 1))[5] = i + 1;
		wrong += ((volatile uint32_t *)play(U_FREE))[5] != i + 1;
		wrong += unmap_page(0) != 0;
		/* With no flush of ours. */
		wrong += ((volatile uint32_t *)play(U_FREE))[5] != 0;
		wrong += ((volatile uint32_t *)play(U_FREE + 1))[5] != i + 1;
		wrong += unmap_page(1) != 0;
		wrong += ((volatile uint32_t *)play(U_FREE + 1))[5] != 0;
	}
	same(wrong, 0, "they are one page, and then are not");
	end();
}

static void pages_many(uint32_t arg)
{
	uint32_t id = counter(), wrong = 0, i;

	(void)arg;
	for (i = 0; i < VMI_PAGES_MAX; i++) {
		token(id);
		wrong += ask(VMI_HC_PageMap, at(word[0]), i << 12,
			     (16u << 20) + (i << 12)) != 0;
	}
	same(wrong, 0, "so many can be mapped");
	same(map_page(id, STATE, 0), -VMI_ENOMEM, "and no more");
	same(ask(VMI_HC_PageUnmap, 16u << 20, 0, 0), 0, "one goes");
	same(map_with_token(STATE, 0), 0, "another comes");
	end();
}

/* ---- ends --------------------------------------------------------------------------------------- */

static void until_gone(uint32_t n)
{
	while (own[n][0])
		relax();
	ok(is_zero(n), "it is a page of zeros");
	own[n][0] = 0x1234;
	for (uint32_t i = 0; i < 1000; i++)
		ask(VMI_HC_State, BYSTANDER, 0, 0);
	same(own[n][0], 0x1234, "and our own");
	same(unmap_page(n), -VMI_EINVAL, "which is no other's");
}

static void pages_owner_ends(uint32_t arg)
{
	uint32_t id, next, wrong = 0;

	for (uint32_t i = 0; i < 8; i++) {
		id = counter();
		wrong += map_page(id, STATE, 0) || map_page(id, STATE, 1);
		while (!own[0][0])
			relax();
		ask(arg, id, 0, 0);
		until_gone(0);
		until_gone(1);
		next = counter();
		for (uint32_t n = 0; n < 1000; n++)
			ask(VMI_HC_State, next, 0, 0);
		same(own[0][0], 0x1234, "also beside the next");
		destroy(next);
		destroy(id);
	}
	same(wrong, 0, "its pages were mapped");
	end();
}

/* By itself. */
static void pages_owner_dies(uint32_t arg)
{
	int32_t id;

	(void)arg;
	/* 1: incl STATE; mov eax, [STATE + 4]; test eax, eax; je 1b; ud2, with no IDT */
	code8(0xff);
	code_with(0x05, STATE);
	code_with(0xa1, STATE + 4);
	code8(0x85);
	code8(0xc0);
	code8(0x74);
	code8(0xf1);
	code8(0x0f);
	code8(0x0b);
	id = make(0);
	same(map_page((uint32_t)id, STATE, 0), 0, "its page is mapped");
	while (!own[0][0])
		relax();
	own[0][1] = 1;
	until_gone(0);
}

static void pages_paused(uint32_t arg)
{
	uint32_t id = counter(), was;

	(void)arg;
	for (uint32_t i = 0; i < 50; i++) {
		ask(VMI_HC_Pause, id, 0, 0);
		same(map_page(id, STATE, 0), 0, "of one that stands still");
		was = own[0][0];
		for (uint32_t n = 0; n < 100; n++)
			ask(VMI_HC_State, id, 0, 0);
		same(own[0][0], was, "it does");
		ask(VMI_HC_Resume, id, 0, 0);
		while (own[0][0] == was)
			relax();
		unmap_page(0);
	}
	end();
}

/* Not begun, or at its end. */
static void pages_not_running(uint32_t arg)
{
	int32_t id;

	(void)arg;
	image_list[0] = at(&image);
	block.kernel = at(image_list);
	id = ask(VMI_HC_Create, at(&block), 0, 0);
	ok(id > 1, "a guest is made");
	same(token((uint32_t)id), 0, "there is a token");
	same(map_with_token(STATE, 0), -VMI_EINVAL, "which is not good yet");
	destroy((uint32_t)id);
	same(token((uint32_t)id), -VMI_EINVAL, "nobody is there");
	same(map_with_token(STATE, 0), -VMI_EINVAL, "to be mapped");
}

/* It ends with pages mapped, and begins again. */
static void pages_again(uint32_t arg)
{
	uint32_t id;

	(void)arg;
	same(is_zero(0), 1, "nothing is left of the last time");
	same(unmap_page(0), -VMI_EINVAL, "nothing is mapped");
	id = counter();
	same(map_page(id, STATE, 0), 0, "a page is mapped");
	same(map_page(id, STATE, 1), 0, "twice");
	ask(VMI_HC_Pause, id, 0, 0);
}

static void pages_killed(uint32_t arg)
{
	int32_t id = make(0);

	(void)arg;
	for (uint32_t n = 0; n < OWN; n++)
		map_page((uint32_t)id, STATE, n);
	ask(VMI_HC_Pause, (uint32_t)id, 0, 0);
	hypercall(0xbad, 0, 0);
}

/* ---- chains ---------------------------------------------------------------------------------------- */

static void pages_chain(uint32_t arg)
{
	uint32_t last = filled(), id, wrong = 0, i;

	(void)arg;
	id = mapper(last, FIELD, 0);
	same(map_page(id, THEIRS, 1), -VMI_EINVAL, "what it has mapped is not its");
	same(map_page(id, THEIRS + PAGE, 1), 0, "the next page is");
	same(map_page(last, FIELD, 2), 0, "the last one's, too");
	for (i = 0; i < 1024; i++)
		wrong += own[2][i] != known(i);
	same(wrong, 0, "of which every word is known");
	destroy(id);
	until_gone(0);
	for (i = 0; i < 1024; i++)
		wrong += own[2][i] != known(i);
	same(wrong, 0, "and still is");
	end();
}

/* One maps ours, we map its; it puts another in place of what we have. */
static void pages_mutual(uint32_t arg)
{
	uint32_t id, third = filled();

	(void)arg;
	own[3][7] = 0x7777;
	id = mapper(0, at(own[3]), 0);
	same(map_page(id, THEIRS, 1), -VMI_EINVAL, "ours is not its");
	/* What it has mapped of ours stays where it is. */
	same(map_page(third, FIELD, 3), 0, "in place of a page that it has");
	same(unmap_page(3), 0, "it is given back");
	ok(is_zero(3), "zeros");
	own[3][7] = 0x7778;
	destroy(id);
	until_gone(0);
	same(own[3][7], 0x7778, "ours are ours");
	end();
}

/* With shared variables that its neighbour writes to. */
static void pages_comm(uint32_t arg)
{
	uint32_t wrong = 0, id;

	(void)arg;
	block.comm = STATE + 0x80000;
	block.reply_timeout = 1;
	id = counter();
	same(map_page(id, STATE + 0x80000, 0), 0, "its shared variables");
	for (uint32_t i = 0; i < 5000; i++) {
		own[0][2 + i % 3] = random32() % 8;
		wrong += ask(VMI_HC_State, id, 0, 0) > VMI_STATE_ABI_MISMATCH;
		wrong += ask(VMI_HC_Send, id, i % 4, 0) > VMI_REPLY_RECEIVED;
		wrong += ask(VMI_HC_Reply, id, 0, 0) > VMI_REPLY_RECEIVED;
	}
	same(wrong, 0, "what they say is one of what there is");
	end();
}

/* ---- two vCPUs --------------------------------------------------------------------------------------- */

static volatile uint32_t made_id, successes, wrongs;

static int32_t map_there(uint32_t guest, uint32_t theirs, uint32_t n, uint32_t cpu)
{
	int32_t error = ask(VMI_HC_Token, guest, at(word[cpu]), 0);

	return error ? error : ask(VMI_HC_PageMap, at(word[cpu]), theirs,
				   at(own[n]));
}

static void step_map(uint32_t i)
{
	wrongs += map_there(made_id, FIELD, 0, 1) != 0;
	for (uint32_t n = scramble(i) % 256; n; n--)
		relax();
	wrongs += unmap_page(0) != 0;
}

/* Nothing but zeros and what is known. */
static void step_read(uint32_t i)
{
	uint32_t n = scramble(i) % 1024, found = own[0][n];

	wrongs += found && found != known(n);
	map(U_FREE, at(own[0]) | PTE_P | PTE_W);
	found = ((volatile uint32_t *)play(U_FREE))[n];
	wrongs += found && found != known(n);
	if (i % 16 == 0)
		flush();
}

static void race_pages(uint32_t arg)
{
	(void)arg;
	made_id = filled();
	race_set_up(false);
	race(step_read, step_map);
	same(wrongs, 0, "each word is of one of the two pages");
	end();
}

/* The page is given back, and at once there is something of ours: it must not be in
 * the other's. */
static void step_write(uint32_t i)
{
	own[0][scramble(i) % 1024] = 0x5a5a5a5a;
}

static void step_map_made(uint32_t i)
{
	wrongs += map_there(made_id, STATE + PAGE, 1, 1) != 0;
	wrongs += map_there(made_id, STATE + PAGE, 0, 1) != 0;
	wrongs += unmap_page(0) != 0;
	for (uint32_t n = 0; n < 1024; n++)
		own[1][n] = 0;
	for (uint32_t n = scramble(i) % 2048; n; n--)
		wrongs += own[1][n % 1024] != 0;
	wrongs += unmap_page(1) != 0;
}

static void race_pages_writer(uint32_t arg)
{
	(void)arg;
	made_id = counter();
	race_set_up(false);
	race(step_write, step_map_made);
	same(wrongs, 0, "no write comes to a page that was given back");
	end();
}

/* One token, two hands. */
static volatile uint32_t issued;

static void use_token(uint32_t n)
{
	if (ask(VMI_HC_PageMap, at(word[0]), FIELD, at(own[n])))
		return;
	__asm__ volatile("lock incl %0" : "+m"(successes));
	unmap_page(n);
}

static void step_token(uint32_t i)
{
	(void)i;
	token(made_id);
	issued++;
	use_token(0);
}

static void step_use(uint32_t i)
{
	(void)i;
	use_token(1);
}

static void race_pages_token(uint32_t arg)
{
	(void)arg;
	made_id = filled();
	race_set_up(false);
	race(step_token, step_use);
	ok(successes <= issued, "none is good twice");
	token(made_id);
	use_token(0);
	ok(successes, "each is good once");
	end();
}

/* One makes and ends guests, the other maps their pages, and calls to have something
 * written there. */
static void step_live(uint32_t i)
{
	int32_t id = make(0);

	for (uint32_t n = scramble(i) % 512; n; n--)
		relax();
	if (id > 0)
		ask(scramble(i) & 1 ? VMI_HC_Destroy : VMI_HC_Reset,
		    (uint32_t)id, 0, 0);
	ask(VMI_HC_Destroy, 2 + scramble(i) % 6, 0, 0);
}

static void step_look(uint32_t i)
{
	uint32_t n = scramble(i) % OWN;

	wrongs += !fits(map_there(2 + scramble(i) % 6, STATE, n, 0));
	own[n][1] = i;
	ask(VMI_HC_Info, BYSTANDER, at(own[n]), 0);
	ask(VMI_HC_Statistics, BYSTANDER, at(own[n]) + 512, 0);
	if (scramble(i) & 64)
		wrongs += !fits(unmap_page(scramble(i) >> 8 & 7));
}

static void race_pages_ends(uint32_t arg)
{
	(void)arg;
	race_set_up(false);
	race(step_look, step_live);
	same(wrongs, 0, "each has a result that there is");
	end();
}

/* It ends itself meanwhile. */
static void race_pages_killed(uint32_t arg)
{
	(void)arg;
	made_id = (uint32_t)make(0);
	ask(VMI_HC_Pause, made_id, 0, 0);	/* it does not keep the machine */
	race_set_up(false);
	race_begin(step_map, true);
	for (uint32_t i = 0; i < 100; i++)
		step_read(i);
	hypercall(0xbad, 0, 0);
}

#define RACE_PAGES(run, ...) \
	CASE_ARG(#run, run, 0, .boot = "cpus=2 rights=manage+introspect", \
		 ##__VA_ARGS__)

const struct attack page_cases[] = {
	CASE_ARG("pages_of_manager", pages_of_manager, 0, .boot = "rights=manage"),
	INTROSPECTOR(pages_user),
	INTROSPECTOR(pages_guessed),
	INTROSPECTOR(pages_replayed),
	INTROSPECTOR(pages_dead),
	INTROSPECTOR(pages_of_others_token),
	INTROSPECTOR(pages_places),
	INTROSPECTOR(pages_noise),
	INTROSPECTOR(pages_text),
	INTROSPECTOR(pages_own_tables),
	INTROSPECTOR(pages_everything, .end = ANY_END),
	INTROSPECTOR(pages_twice),
	INTROSPECTOR(pages_many),
	CASE_ARG("pages_owner_destroyed", pages_owner_ends, VMI_HC_Destroy,
		 .boot = "rights=manage+introspect"),
	CASE_ARG("pages_owner_reset", pages_owner_ends, VMI_HC_Reset,
		 .boot = "rights=manage+introspect"),
	INTROSPECTOR(pages_owner_dies),
	INTROSPECTOR(pages_paused),
	INTROSPECTOR(pages_not_running),
	CASE_ARG("pages_again", pages_again, 0,
		 .boot = "starts=3 rights=manage+introspect"),
	CASE_ARG("pages_killed", pages_killed, 0,
		 .boot = "starts=3 rights=manage+introspect",
		 .end = "hypercall 2989 does not exist"),
	INTROSPECTOR(pages_chain),
	INTROSPECTOR(pages_mutual),
	INTROSPECTOR(pages_comm),
	RACE_PAGES(race_pages),
	RACE_PAGES(race_pages_writer),
	RACE_PAGES(race_pages_token),
	RACE_PAGES(race_pages_ends),
	RACE_PAGES(race_pages_killed, .end = "hypercall 2989 does not exist"),
	CASES_END
};

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls to the hypervisor proper by guests that have no right to them, and by a manager
 * that is hostile itself: at the wrong guest, with addresses that lead nowhere,
 * with guests made of noise, and all of it twice at once. Whatever it does to those that
 * it made, the bystander is one that nobody has ended. spec/neighbours.md.
 */
#include "race.h"
#include "vmi_hypercall.h"

#define VEC_UD		6
#define BYSTANDER	1u		/* its number */
#define NUMBERS		64u
#define NOWHERE		0xe0000000u
#define NOISE		20000u

#define MANAGER(run, ...) \
	CASE_ARG(#run, run, 0, .boot = "rights=manage", ##__VA_ARGS__)

/* ---- ways to call ----------------------------------------------------------- */

static int32_t ask(uint32_t nr, uint32_t a0, uint32_t a1, uint32_t a2)
{
	return ask_hypervisor(nr, a0, a1, a2, 0);
}

/* The vector that a VMCALL raises, or -1. */
static int insn(uint32_t nr, uint32_t a0, uint32_t a1, uint32_t a2)
{
	static const uint8_t vmcall[] = { 0x0f, 0x01, 0xc1, 0xc3 };

	return run_kernel((uintptr_t)vmcall, nr, a0, a1, a2);
}

static bool is_open(uint32_t nr)
{
	return (nr >= VMI_HC_Version && nr <= VMI_HC_CpuInfo) ||
	       nr == VMI_HC_GuestRequest;
}

static bool ends_others(uint32_t nr)
{
	return nr == VMI_HC_Pause || nr == VMI_HC_Reset || nr == VMI_HC_Destroy;
}

/* ---- without a right --------------------------------------------------------- */

/* Each number, and any: what is not open to all is not there. */
static void calls_no_right(uint32_t arg)
{
	uint32_t wrong = 0, nr;

	(void)arg;
	for (nr = 0; nr < NUMBERS; nr++)
		wrong += insn(nr, BYSTANDER, NOWHERE, 0) !=
			 (is_open(nr) ? -1 : VEC_UD);
	for (uint32_t i = 0; i < NOISE; i++) {
		nr = random32() | NUMBERS;
		wrong += insn(nr, random32(), random32(), random32()) != VEC_UD;
	}
	same(wrong, 0, "each call is #UD but for those that are open");
}

/* In user mode one call alone. */
static void calls_user(uint32_t arg)
{
	char code[] = "\xb8\0\0\0\0\xbb\x18\0\0\0\x31\xc9\x0f\x01\xc1\xcd\x80";
	uint32_t wrong = 0;

	for (uint32_t nr = 0; nr < NUMBERS; nr++) {
		uint32_t vector = nr == VMI_HC_GuestRequest ? VEC_SYSCALL :
				  arg || is_open(nr) ? VEC_GP : VEC_UD;

		code[1] = (char)nr;
		user_bytes(code, sizeof(code) - 1, 0);
		wrong += last_trap.vector != vector;
		code[14] = (char)(code[14] ^ 0x18);	/* VMMCALL, VMCALL */
	}
	same(wrong, 0, "a user makes one call alone");
}

/* ---- a manager at the wrong guest --------------------------------------------- */

static void manager_itself(uint32_t arg)
{
	static const uint32_t nrs[] = {
		VMI_HC_Send, VMI_HC_Reply, VMI_HC_Start, VMI_HC_Pause,
		VMI_HC_Resume, VMI_HC_Reset, VMI_HC_Destroy, VMI_HC_ConsoleRead,
		VMI_HC_ConsoleWrite,
	};
	uint32_t wrong = 0;

	(void)arg;
	for (uint32_t i = 0; i < sizeof(nrs) / sizeof(*nrs); i++)
		for (uint32_t a = 0; a < 4; a++)
			wrong += ask(nrs[i], 0, a, a) != -VMI_EINVAL;
	same(wrong, 0, "it cannot aim at itself");
}

static void manager_nobody(uint32_t arg)
{
	uint32_t wrong = 0;

	(void)arg;
	for (uint32_t nr = VMI_HC_Info; nr < VMI_HC_GuestRequest; nr++) {
		if (nr == VMI_HC_Create)
			continue;
		for (uint32_t id = 2; id; id = id < 70 ? id + 1 : id << 1)
			wrong += ask(nr, id, id, id) != -VMI_EINVAL;
	}
	same(wrong, 0, "nobody else is there");
}

/* Again and again; it computes on all the same. */
static void manager_pauses(uint32_t arg)
{
	uint32_t wrong = 0;

	(void)arg;
	for (uint32_t i = 0; i < 2000; i++) {
		wrong += ask(VMI_HC_Pause, BYSTANDER, 0, 0) != 0 ||
			 ask(VMI_HC_Pause, BYSTANDER, 0, 0) != -VMI_EBUSY ||
			 ask(VMI_HC_Resume, BYSTANDER, 0, 0) != 0;
		/* Unless it has come to its end. */
		if (ask(VMI_HC_State, BYSTANDER, 0, 0))
			return;
	}
	same(wrong, 0, "each does what it says");
}

/* ---- addresses ------------------------------------------------------------------ */

static const uint32_t places[] = {
	0, 1, PAGE - 1, 0xa0000, 0xffffff, (64u << 20) - 1, 64u << 20, NOWHERE,
	0xfee00000, 0xfffff000, 0xffffffff,
};
#define PLACES	(sizeof(places) / sizeof(*places))

static bool fits(int32_t result)
{
	return result >= 0 || result == -VMI_EFAULT || result == -VMI_EINVAL ||
	       result == -VMI_EBUSY || result == -VMI_EPERM ||
	       result == -VMI_ENOMEM || result == -VMI_ETIMEDOUT;
}

/* What a call writes may hit its caller's tables; that is between the two. */
static void manager_places(uint32_t arg)
{
	uint32_t wrong = 0;

	(void)arg;
	for (uint32_t i = 3; i < PLACES; i++) {
		wrong += !fits(ask(VMI_HC_Version, places[i], 0, 0));
		wrong += !fits(ask(VMI_HC_List, places[i], 0xffffffff, 0));
		wrong += !fits(ask(VMI_HC_Info, BYSTANDER, places[i], 0));
		wrong += !fits(ask(VMI_HC_Statistics, BYSTANDER, places[i], 0));
		wrong += !fits(ask(VMI_HC_Create, places[i], 0, 0));
		wrong += ask(VMI_HC_ConsoleRead, BYSTANDER, places[i], ~0u) !=
			 -VMI_EINVAL;
	}
	same(wrong, 0, "each has a result that there is");
}

static void manager_own_tables(uint32_t arg)
{
	(void)arg;
	for (uint32_t i = 0; i < 64; i++) {
		ask(VMI_HC_Info, BYSTANDER, (uintptr_t)spare_table + i * 4, 0);
		vmi3(SetPxE, (uintptr_t)spare_table | PTE_P | PTE_W,
		     (uintptr_t)&linear(page_directory)[900], VMI_PAGE_PD);
		flush();
		probe_read(900u << 22);
	}
	ok(true, "what is written there is only entries");
}

static void manager_noise(uint32_t arg)
{
	uint32_t wrong = 0;

	(void)arg;
	for (uint32_t i = 0; i < NOISE; i++) {
		uint32_t nr = random32() % NUMBERS;
		uint32_t a0 = random32() % 4 ? random32() % 12 : random32();

		/* Into memory that nobody needs. */
		if (nr == VMI_HC_List || nr == VMI_HC_Version || ends_others(nr))
			continue;
		wrong += !fits(ask(nr, a0, NOWHERE + random32() % 0x1000,
				   random32())) && nr != VMI_HC_GuestRequest;
	}
	same(wrong, 0, "each has a result that there is");
}

/* ---- guests made of noise ---------------------------------------------------- */

static struct {
	uint8_t		ident[16];
	uint16_t	type, machine;
	uint32_t	version, entry, phoff, shoff, flags;
	uint16_t	ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
	uint32_t	p_type, p_offset, p_vaddr, p_paddr, p_filesz, p_memsz,
			p_flags, p_align;
	uint8_t		code[256];
} image __attribute__((aligned(4096)));
static uint64_t image_list[1];

static struct vmi_guest_create block;

static void good_block(void)
{
	__builtin_memset(&image, 0, sizeof(image));
	image.ident[0] = 0x7f;
	image.ident[1] = 'E';
	image.ident[2] = 'L';
	image.ident[3] = 'F';
	image.ident[4] = image.ident[5] = image.ident[6] = 1;
	image.type = 2;
	image.machine = 3;
	image.version = 1;
	image.entry = image.p_paddr = 0x200000;
	image.phoff = 52;
	image.ehsize = 52;
	image.phentsize = 32;
	image.phnum = image.p_type = 1;
	image.p_offset = 84;
	image.p_filesz = image.p_memsz = sizeof(image.code);
	image.code[0] = 0xeb;		/* jmp $ */
	image.code[1] = 0xfe;
	image_list[0] = (uintptr_t)&image;
	block = (struct vmi_guest_create){
		.kernel = (uintptr_t)image_list, .kernel_bytes = sizeof(image),
		.memory = 4, .cpus = 1, .shares = 100,
	};
}

static int32_t create(void)
{
	return ask(VMI_HC_Create, (uintptr_t)&block, 0, 0);
}

/* It may still be on its way out. */
static void destroy(int32_t id)
{
	if (id > (int32_t)BYSTANDER)
		ask(VMI_HC_Destroy, (uint32_t)id, 0, 0);
}

static void create_noise(uint32_t arg)
{
	uint32_t wrong = 0;

	(void)arg;
	for (uint32_t i = 0; i < 2000; i++) {
		int32_t id;

		good_block();
		((uint32_t *)&block)[random32() % (sizeof(block) / 4)] =
			random32() % 2 ? random32() : 1u << random32() % 32;
		/* There is no end of memory to fill with zeros. */
		block.memory = block.memory > 64 ? 8193 : block.memory;
		id = create();
		wrong += !fits(id);
		destroy(id);
	}
	same(wrong, 0, "each is a guest or an error");
}

static void create_image_noise(uint32_t arg)
{
	uint32_t wrong = 0;

	(void)arg;
	for (uint32_t i = 0; i < 1000; i++) {
		int32_t id;

		good_block();
		((uint16_t *)&image)[random32() % 42] = (uint16_t)random32();
		id = create();
		wrong += !fits(id);
		destroy(id);
	}
	same(wrong, 0, "each is a guest or an error");
}

/* Those of them that die have a report, which is theirs. */
static void create_code_noise(uint32_t arg)
{
	uint32_t wrong = 0;

	(void)arg;
	for (uint32_t i = 0; i < 30; i++) {
		int32_t id;

		good_block();
		for (uint32_t n = 0; n < sizeof(image.code); n++)
			image.code[n] = (uint8_t)(random32() >> 8);
		id = create();
		wrong += !fits(id);
		if (id < 0)
			continue;
		ask(VMI_HC_Start, (uint32_t)id, 0, 0);
		for (uint32_t n = random32() % 2000; n; n--)
			ask(VMI_HC_State, (uint32_t)id, 0, 0);
		ask(VMI_HC_Pause, (uint32_t)id, 0, 0);
		destroy(id);
	}
	same(wrong, 0, "each is a guest or an error");
}

/* As many as there can be. */
static void create_many(uint32_t arg)
{
	int32_t id[16];

	(void)arg;
	good_block();
	for (uint32_t round = 0; round < 4; round++) {
		uint32_t n = 0, i;

		do {
			id[n] = create();
			if (round & 1 && id[n] > 0)
				ask(VMI_HC_Start, (uint32_t)id[n], 0, 0);
		} while (id[n++] >= 0 && n < 16);
		ok(n > 3 && n < 9, "a few, up to eight with us");
		for (i = 0; i < n; i++)
			destroy(id[i]);
		/* The last are gone in a moment. */
		for (i = 0; i < n - 1; i++)
			while (ask(VMI_HC_HypervisorInfo, 4, 0, 0) != 2)
				relax();
	}
}

static void create_right(uint32_t arg)
{
	uint32_t wrong = 0;

	(void)arg;
	for (uint32_t bit = 1; bit < 32; bit++) {
		good_block();
		block.rights = 1u << bit | VMI_RIGHT_MANAGE;
		wrong += create() != -VMI_EINVAL;
	}
	same(wrong, 0, "nobody gives what it has not");
}

/* It has shared variables, at 380000h, and 1 ms for a reply. */
static void good_block_of(const uint8_t *code, uint32_t bytes)
{
	good_block();
	for (uint32_t i = 0; i < bytes; i++)
		image.code[i] = code[i];
	block.comm = 0x380000;
	block.reply_timeout = 1;
}

/* With shared variables full of noise, while it is asked. */
static void create_comm_noise(uint32_t arg)
{
	static const uint8_t code[] = {
		/* mov edi, 380000h; mov ebx, 1; */
		0xbf, 0, 0, 0x38, 0, 0xbb, 1, 0, 0, 0,
		/* add ebx, 7fh; imul ebx, ebx, 3; mov [edi+8], ebx; */
		0x83, 0xc3, 0x7f, 0x6b, 0xdb, 3, 0x89, 0x5f, 8,
		/* mov [edi+10h], ebx; mov [edi+0ch], ebx; jmp back */
		0x89, 0x5f, 0x10, 0x89, 0x5f, 0x0c, 0xeb, 0xef,
	};
	uint32_t wrong = 0;
	int32_t id;

	(void)arg;
	good_block_of(code, sizeof(code));
	id = create();
	ok(id > 0, "it is made");
	ask(VMI_HC_Start, (uint32_t)id, 0, 0);
	for (uint32_t i = 0; i < 5000; i++) {
		int32_t state = ask(VMI_HC_State, (uint32_t)id, 0, 0);
		int32_t sent = ask(VMI_HC_Send, (uint32_t)id, i % 4, 0);
		int32_t reply = ask(VMI_HC_Reply, (uint32_t)id, 0, 0);

		wrong += !fits(state) || state > VMI_STATE_ABI_MISMATCH;
		wrong += !fits(sent) || sent > VMI_REPLY_RECEIVED;
		wrong += !fits(reply) || reply > VMI_REPLY_RECEIVED;
	}
	same(wrong, 0, "what it says is one of what there is");
	ask(VMI_HC_Pause, (uint32_t)id, 0, 0);
}

/* Its time for a reply is 1 ms, it takes longer, and nobody looks meanwhile. */
static void create_replies_late(uint32_t arg)
{
	static const uint8_t code[] = {
		/* mov edi, 380000h; wait: cmp dword [edi+0ch], 0; je wait */
		0xbf, 0, 0, 0x38, 0, 0x83, 0x7f, 0x0c, 0, 0x74, 0xfa,
		/* rdtsc; mov ebx, eax; more: rdtsc; sub eax, ebx */
		0x0f, 0x31, 0x89, 0xc3, 0x0f, 0x31, 0x29, 0xd8,
		/* cmp eax, 4000000h; jb more; mov dword [edi+10h], denied */
		0x3d, 0, 0, 0, 4, 0x72, 0xf5, 0xc7, 0x47, 0x10,
		VMI_REPLY_DENIED, 0, 0, 0,
		/* mov dx, 3f8h; out dx, al; stay: jmp stay */
		0x66, 0xba, 0xf8, 3, 0xee, 0xeb, 0xfe,
	};
	static volatile uint32_t said;
	uint32_t id;

	(void)arg;
	good_block_of(code, sizeof(code));
	id = (uint32_t)create();
	same(ask(VMI_HC_Start, id, 0, 0), 0, "it begins");
	same(ask(VMI_HC_Send, id, VMI_MSG_SHUTDOWN, 0), 0, "it is asked");
	while (!ask(VMI_HC_ConsoleRead, id, (uintptr_t)&said, 1))
		;
	same(ask(VMI_HC_Reply, id, 0, 0), -VMI_ETIMEDOUT, "what it replies is late");
	same(ask(VMI_HC_State, id, 0, 0), VMI_STATE_FAILED, "it has failed");
	ask(VMI_HC_Pause, id, 0, 0);
	same(ask(VMI_HC_Destroy, id, 0, 0), 0, "it has no vote");
}

/* The machine ends with us: a guest that stands still does not keep it. */
static void leaves_paused(uint32_t arg)
{
	(void)arg;
	good_block();
	for (uint32_t i = 0; i < 3; i++) {
		int32_t id = create();

		ok(id > 0, "it is made");
		if (i)
			ask(VMI_HC_Start, (uint32_t)id, 0, 0);
		if (i)
			ask(VMI_HC_Pause, (uint32_t)id, 0, 0);
	}
}

/* ---- two at once --------------------------------------------------------------- */

static const uint32_t life[] = {
	VMI_HC_Start, VMI_HC_Pause, VMI_HC_Resume, VMI_HC_Reset, VMI_HC_State,
	VMI_HC_Destroy, VMI_HC_Start, VMI_HC_Pause,
};

/* Anything to those that they make, in any order. */
static void step_life(uint32_t i)
{
	uint32_t id = 2 + scramble(i) % 3;

	if (i % 8 == 0)
		create();
	else
		ask(life[scramble(i) >> 8 & 7], id, NOWHERE, 16);
}

static void step_life_too(uint32_t i)
{
	step_life(i ^ 0x5a5a5a);
}

static void quiet_end(void)
{
	for (uint32_t id = 2; id < 8; id++)
		ask(VMI_HC_Destroy, id, 0, 0);
}

static void race_manage(uint32_t arg)
{
	(void)arg;
	good_block();
	race_set_up(false);
	race(step_life, step_life_too);
	quiet_end();
}

#define RACE_MANAGER(run) \
	CASE_ARG(#run, run, 0, .boot = "cpus=2 rights=manage")

const struct attack right_cases[] = {
	CASE(calls_no_right),
	CASE_ARG("calls_user", calls_user, 0),
	CASE_ARG("calls_user_of_manager", calls_user, 1, .boot = "rights=manage"),
	MANAGER(manager_itself),
	MANAGER(manager_nobody),
	MANAGER(manager_pauses),
	MANAGER(manager_places),
	MANAGER(manager_own_tables),
	MANAGER(manager_noise),
	MANAGER(create_noise),
	MANAGER(create_image_noise),
	MANAGER(create_code_noise),
	MANAGER(create_many),
	MANAGER(create_right),
	MANAGER(create_comm_noise),
	MANAGER(create_replies_late),
	MANAGER(leaves_paused),
	RACE_MANAGER(race_manage),
	CASES_END
};

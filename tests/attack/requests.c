// SPDX-License-Identifier: GPL-2.0-only
/*
 * A hostile service guest: it answers for ports of a guest that it has made, or does
 * not, fills the slots with noise, takes page, claims and guest away at the worst
 * moment, or ends. Nobody hangs but who waits for it. spec/neighbours.md, N-7.
 */
#include "monitor.h"
#include "race.h"
#include "vmi_hypercall.h"

#define PORT		0x505u
#define MMIO		0xd0000000u
#define NOWHERE		0xe0000000u
#define CALLS		(VMI_HC_SetLine - VMI_HC_Upcall + 1)

#define SERVER(run, ...) \
	CASE_ARG("request_" #run, run, 0, .boot = "rights=manage", ##__VA_ARGS__)
#define RACE_SERVER(run) \
	CASE_ARG("race_request_" #run, run, 0, .boot = "cpus=2 rights=manage")

static volatile struct vmi_io_request slots[VMI_REQUEST_SLOTS]
	__attribute__((aligned(PAGE)));
static uint8_t image[MONITOR_IMAGE] __attribute__((aligned(PAGE)));
static uint64_t image_list[1];
static uint32_t guest;
static volatile uint32_t upcalls;

#define CALL(name, ...)		CALL_(VMI_HC_##name, ##__VA_ARGS__, 0, 0, 0, 0)
#define CALL_(nr, a, b, c, d, ...) \
	ask_hypervisor(nr, (uint32_t)(a), (uint32_t)(b), (uint32_t)(c), \
		       (uint32_t)(d))

static bool fits(int32_t result)
{
	return !result || result == -VMI_EINVAL || result == -VMI_EFAULT ||
	       result == -VMI_EBUSY || result == -VMI_ENOMEM ||
	       result == -VMI_EPERM;
}

/* ---- the other ---------------------------------------------------------------- */

static void made(void)
{
	struct vmi_guest_create block = {
		.kernel = (uintptr_t)image_list, .kernel_bytes = sizeof(image),
		.memory = MONITOR_MEMORY, .cpus = 1, .shares = 100,
	};
	int32_t id;

	monitor_image(image, false);
	image_list[0] = (uintptr_t)image;
	id = CALL(Create, &block);
	if (id <= 0)
		ok(false, "a guest is made");
	guest = (uint32_t)id;
	CALL(Start, guest);
}

static int32_t serve(uint32_t flags)
{
	int32_t page = CALL(RequestPage, guest, slots, flags);
	int32_t ports = CALL(Claim, guest, VMI_IO_PORT, PORT, 8);
	int32_t memory = CALL(Claim, guest, VMI_IO_MEMORY, MMIO, PAGE);

	return page | ports | memory;
}

static void tells(const char *code, uint32_t bytes)
{
	char text[64];

	text[0] = (char)bytes;
	for (uint32_t i = 0; i < bytes; i++)
		text[i + 1] = code[i];
	CALL(ConsoleWrite, guest, text, bytes + 1);
}
#define TELLS(code)		tells(code "\xc3", sizeof(code))
/* mov dx, 505h; in al, dx */
#define READS			"\x66\xba\x05\x05\xec"
/* ... again and again */
#define READS_ON		READS "\xeb\xf9"
/* mov ecx, d0000000h; mov [ecx], ecx; mov eax, [ecx] */
#define MEMORY			"\xb9\0\0\0\xd0\x89\x09\x8b\x01"

static uint32_t hears(void)
{
	static volatile uint32_t eax;

	for (uint32_t n = 0; n < 4;)
		n += (uint32_t)CALL(ConsoleRead, guest, (uintptr_t)&eax + n, 4 - n);
	return eax;
}

static void awaits(void)
{
	while (slots[0].state != VMI_REQUEST_PENDING)
		CALL(State, guest);
}

static void completes(uint32_t value)
{
	slots[0].value = value;
	slots[0].state = VMI_REQUEST_COMPLETE;
}

/* One that goes its way, after all that was done to it. */
static void still_answers(void)
{
	CALL(RequestEnd, guest);
	same(serve(0), 0, "it is served again");
	TELLS(READS);
	awaits();
	completes(0x5a);
	same(CALL(RequestDone, guest, 0), 0, "a request is answered");
	same(hears() & 0xff, 0x5a, "with that");
	CALL(Destroy, guest);
}

static void set_up(void)
{
	made();
	if (serve(0))
		ok(false, "it is served");
}

static void noise_in(volatile struct vmi_io_request *r, bool state)
{
	volatile uint32_t *word = (volatile uint32_t *)r;
	uint32_t i = random32() % (sizeof(*r) / 4);

	if (state)
		r->state = random32() % 4 ? random32() % 4 : random32();
	else
		word[i] = random32();
}

/* ---- what is in the slots -------------------------------------------------------- */

static void noise(uint32_t arg)
{
	uint32_t wrong = 0;

	(void)arg;
	set_up();
	TELLS(READS_ON);
	awaits();		/* what it has not read outlives its reset */
	for (uint32_t i = 0; i < 20000; i++) {
		noise_in(&slots[i % 4 ? 0 : random32() % 16], i & 1);
		wrong += !fits(CALL(RequestDone, guest, i % 8 ? 0 : random32()));
	}
	same(wrong, 0, "each has a result that there is");
	CALL(RequestEnd, guest);
	CALL(Reset, guest);
	still_answers();
}

/* Nobody calls: the other looks itself. */
static void noise_polled(uint32_t arg)
{
	(void)arg;
	made();
	same(serve(VMI_REQUEST_POLLING), 0, "it is served");
	TELLS(READS_ON);
	awaits();
	for (uint32_t i = 0; i < 200000; i++)
		noise_in(&slots[i % 4 ? 0 : random32() % 16], i & 1);
	CALL(RequestEnd, guest);
	CALL(Reset, guest);
	still_answers();
}

static void polled(uint32_t arg)
{
	(void)arg;
	made();
	same(serve(VMI_REQUEST_POLLING), 0, "it is served");
	for (uint32_t i = 0; i < 5; i++) {
		TELLS(READS);
		awaits();
		completes(0x10 + i);
		same(hears() & 0xff, 0x10 + i, "it finds its answer");
		same(slots[0].state, VMI_REQUEST_FREE, "which is taken");
	}
	still_answers();
}

static void states(uint32_t arg)
{
	uint32_t wrong = 0;

	(void)arg;
	set_up();
	TELLS(READS);
	awaits();
	for (uint32_t bit = 0; bit < 32; bit++)
		for (uint32_t low = 0; low < 4; low++) {
			slots[0].state = bit > 1 ? 1u << bit | low : low;
			if (slots[0].state == VMI_REQUEST_COMPLETE)
				continue;
			wrong += CALL(RequestDone, guest, 0) != -VMI_EINVAL;
		}
	same(wrong, 0, "one state is complete");
	completes(1);
	same(CALL(RequestDone, guest, 0), 0, "it is");
	same(hears() & 0xff, 1, "answered");
	still_answers();
}

static void done_free(uint32_t arg)
{
	uint32_t wrong = 0;

	(void)arg;
	set_up();
	for (uint32_t nr = 0; nr; nr = nr < 70 ? nr + 1 : nr << 1) {
		slots[nr % 16].state = VMI_REQUEST_COMPLETE;
		wrong += CALL(RequestDone, guest, nr) != -VMI_EINVAL;
	}
	same(wrong, 0, "what nobody asked is not answered");
	still_answers();
}

static void done_twice(uint32_t arg)
{
	(void)arg;
	set_up();
	TELLS(READS);
	awaits();
	completes(2);
	same(CALL(RequestDone, guest, 0), 0, "it is answered");
	same(hears() & 0xff, 2, "and goes on");
	completes(3);
	same(CALL(RequestDone, guest, 0), -VMI_EINVAL, "it is not again");
	still_answers();
}

/* ---- what goes away ---------------------------------------------------------------- */

static void page_leaves(uint32_t arg)
{
	(void)arg;
	set_up();
	for (uint32_t i = 0; i < 3; i++) {
		TELLS(READS);
		awaits();
		if (i)
			slots[0].state = i == 1 ? VMI_REQUEST_PROCESSING :
						  VMI_REQUEST_COMPLETE;
		same(CALL(RequestEnd, guest), 0, "its server is none any more");
		same(hears() & 0xff, 0xff, "it reads ones");
		same(CALL(RequestDone, guest, 0), -VMI_EINVAL,
		     "nobody answers it");
		TELLS(READS);
		same(hears() & 0xff, 0xff, "nor the next one");
		TELLS(MEMORY);
		same(hears(), 0xffffffff, "of memory, too");
		same(serve(0), 0, "it is served again");
	}
	TELLS(MEMORY);
	awaits();
	CALL(RequestEnd, guest);
	same(hears(), 0xffffffff, "a write is lost");
	still_answers();
}

/* What was asked before is answered all the same. */
static void claim_leaves(uint32_t arg)
{
	(void)arg;
	set_up();
	TELLS(MEMORY);
	awaits();
	same(CALL(Unclaim, guest, VMI_IO_PORT, PORT, 8), 0, "ports go back");
	same(CALL(Unclaim, guest, VMI_IO_MEMORY, MMIO, PAGE), 0, "and memory");
	completes(0);
	same(CALL(RequestDone, guest, 0), 0, "it is answered");
	same(hears(), 0xffffffff, "then nobody is there");
	still_answers();
}

/* Destroyed, or reset, while it waits. */
static void guest_leaves(uint32_t arg)
{
	(void)arg;
	for (uint32_t i = 0; i < 8; i++) {
		uint32_t others = (uint32_t)CALL(HypervisorInfo, 4);

		set_up();
		TELLS(READS);
		awaits();
		if (i & 1)
			slots[0].state = VMI_REQUEST_PROCESSING;
		if (i & 2)
			CALL(Pause, guest);
		if (i & 4) {
			same(CALL(Reset, guest), 0, "it is reset");
			TELLS(READS);
			completes(0);
			while (CALL(RequestDone, guest, 0))
				CALL(State, guest);
			awaits();
		}
		same(CALL(Destroy, guest), 0, "it is destroyed");
		completes(0);
		same(CALL(RequestDone, guest, 0), -VMI_EINVAL, "nobody waits");
		while (CALL(HypervisorInfo, 4) != (int32_t)others)
			relax();
	}
}

static void guest_paused(uint32_t arg)
{
	(void)arg;
	set_up();
	for (uint32_t i = 0; i < 4; i++) {
		TELLS(READS);
		awaits();
		same(CALL(Pause, guest), 0, "it stands still");
		completes(i);
		if (i & 1)
			same(CALL(RequestDone, guest, 0), 0, "is answered");
		if (i & 2)
			CALL(RequestEnd, guest);
		same(CALL(Resume, guest), 0, "and goes on");
		if (i == 0)
			same(CALL(RequestDone, guest, 0), 0, "is answered");
		same(hears() & 0xff, i == 2 ? 0xff : i, "with that");
		if (i & 2)
			serve(0);
	}
	still_answers();
}

/* The server ends, or dies: the other goes on, and ends itself. */
static void ends(uint32_t dies)
{
	set_up();
	/* in al, dx; mov al, 0feh; out 64h, al */
	TELLS(READS "\xb0\xfe\xe6\x64");
	awaits();
	if (dies)
		hypercall(0xbad, 0, 0);
	ok(true, "survived");
	tap_end();
	vmi0(Shutdown);
}

/* ---- arguments ----------------------------------------------------------------------- */

static void on_any(struct frame *f)
{
	(void)f;
	upcalls++;
	vmi2(APICWrite, APIC_EOI, 0);
}

static void vectors(uint32_t arg)
{
	uint32_t wrong = 0;

	(void)arg;
	for (uint32_t v = 1; v; v = v < 300 ? v + 1 : v << 1)
		wrong += CALL(Upcall, v) != (v >= 32 && v < 256 ? 0 : -VMI_EINVAL);
	same(wrong, 0, "only those of interrupts");
	set_up();
	for (uint32_t v = 33; v < 256; v += 37) {
		vector_hook[v] = on_any;
		CALL(Upcall, v);
		upcalls = 0;
		TELLS(READS);
		while (!upcalls) {
			vmi0(Halt);
			vmi0(DisableInterrupts);
		}
		completes(0);
		CALL(RequestDone, guest, 0);
		same(hears() & 0xff, 0, "an upcall by it");
		vector_hook[v] = NULL;
	}
	still_answers();
}

static void places(uint32_t arg)
{
	static const uint32_t where[] = {
		1, 0xa0000 + PAGE / 2, 64u << 20, NOWHERE, 0xfee00000,
		0xfec00000, 0xfffff000, 0xffffffff, MMIO,
	};
	uint32_t wrong = 0;

	(void)arg;
	made();
	for (uint32_t i = 0; i < sizeof(where) / sizeof(*where); i++) {
		int32_t res = CALL(RequestPage, guest, where[i], 0);

		wrong += res != -VMI_EINVAL && res != -VMI_EFAULT;
	}
	for (uint32_t bit = 1; bit < 32; bit++)
		wrong += CALL(RequestPage, guest, slots, 1u << bit) != -VMI_EINVAL;
	same(wrong, 0, "no such page");
	/* A table of ours: what is written there is only entries. */
	same(CALL(RequestPage, guest, spare_table, 0), 0, "a page of entries");
	CALL(Claim, guest, VMI_IO_PORT, PORT, 8);
	TELLS(READS);
	for (uint32_t i = 0; i < 2000; i++) {
		vmi3(SetPxE, (uintptr_t)spare_table | PTE_P | PTE_W,
		     (uintptr_t)&linear(page_directory)[900], VMI_PAGE_PD);
		flush();
		probe_read(900u << 22);
	}
	CALL(RequestEnd, guest);
	same(hears() & 0xff, 0xff, "which nobody answers");
	still_answers();
}

static void claims(uint32_t arg)
{
	static const uint32_t first[] = {
		0, PORT, 0x3f8, 0x64, 0xcf9, 0xfff0, 0xffff, 0x10000, 0x1fffff,
		MMIO, 0xfec00000, 0xfee00000, 0xfffff000, 0x3ff000, 0x400000,
	};
	uint32_t wrong = 0;

	(void)arg;
	set_up();
	for (uint32_t i = 0; i < 20000; i++) {
		uint32_t at = first[random32() % (sizeof(first) / 4)] +
			      (random32() % 4 ? 0 : random32() % 32);
		uint32_t bytes = random32() % 3 ? PAGE * (random32() % 4) :
				 random32();

		wrong += !fits(ask_hypervisor(
				random32() % 2 ? VMI_HC_Claim : VMI_HC_Unclaim,
				guest, random32() % 3, at, bytes));
	}
	same(wrong, 0, "each has a result that there is");
	/* Its console, clock and memory are its own. */
	TELLS("\xb8\x78\x56\x34\x12");
	same(hears(), 0x12345678, "it goes on");
	still_answers();
}

/* One at a time, then all the same. */
static void calls(uint32_t arg)
{
	uint32_t wrong = 0;

	(void)arg;
	set_up();
	TELLS(READS_ON);
	awaits();
	for (uint32_t i = 0; i < 30000; i++) {
		uint32_t a = random32() % 8 ? random32() % 4 : random32();

		wrong += !fits(ask_hypervisor(
				   VMI_HC_Upcall + 1 + random32() % (CALLS - 1),
				   random32() % 8 ? guest : random32() % 12,
				   random32() % 4 ? a : (uintptr_t)slots,
				   random32() % 2 ? PORT : random32(),
				   random32() % 2 ? 8 : random32()));
	}
	same(wrong, 0, "each has a result that there is");
	CALL(RequestEnd, guest);
	CALL(Reset, guest);
	still_answers();
}

/* Up and down, all of them; it has interrupts off. */
static void lines(uint32_t arg)
{
	uint32_t wrong = 0;

	(void)arg;
	set_up();
	for (uint32_t i = 0; i < 20000; i++) {
		uint32_t irq = random32() % 18;

		wrong += !fits(CALL(SetLine, guest, irq, random32() % 3));
	}
	same(wrong, 0, "each has a result that there is");
	still_answers();
}

/* It asks for what is claimed and goes away before it is answered: by its other
 * requests, one after the other, none is lost. */
static void kinds(uint32_t arg)
{
	uint32_t n = 0;

	(void)arg;
	set_up();
	/* mov ecx, 64; 1: in al, dx; out dx, al; mov [d0000000h], eax; loop */
	TELLS("\x66\xba\x05\x05\xb9\x40\0\0\0\xec\xee\xa3\0\0\0\xd0\xe2\xf7");
	while (n < 3 * 64) {
		awaits();
		n++;
		completes(n);
		CALL(RequestDone, guest, 0);
	}
	same(hears() & 0xff, (3 * 64 - 2) & 0xff, "all are answered");
	still_answers();
}

/* ---- two at once ----------------------------------------------------------------------- */

static void step_noise(uint32_t i)
{
	volatile uint32_t *word = (volatile uint32_t *)slots;

	slots[0].state = scramble(i) % 4;
	word[scramble(i) >> 8 & 63] = scramble(i ^ 77);
}

static void step_done(uint32_t i)
{
	if (i % 64 == 0)
		CALL(RequestEnd, guest);
	if (i % 64 == 1)
		serve(i >> 6 & 1);
	CALL(RequestDone, guest, 0);
}

static const uint32_t life[] = {
	VMI_HC_Start, VMI_HC_Pause, VMI_HC_Resume, VMI_HC_Reset,
	VMI_HC_RequestEnd, VMI_HC_State, VMI_HC_Resume, VMI_HC_RequestDone,
};

static void step_life(uint32_t i)
{
	ask_hypervisor(life[scramble(i) >> 8 & 7], guest, 0, 0, 0);
	if (i % 16 == 0) {
		TELLS(READS_ON);
		TELLS(MEMORY);
	}
	slots[0].state = VMI_REQUEST_COMPLETE;
}

static void step_page(uint32_t i)
{
	uint32_t at = MMIO + PAGE * (scramble(i) >> 4 & 7);

	if (i % 8 == 0)
		serve(i >> 3 & 1);
	ask_hypervisor(i & 1 ? VMI_HC_Claim : VMI_HC_Unclaim, guest,
		       scramble(i) & 1, scramble(i) & 1 ? at :
		       PORT + (scramble(i) >> 3 & 31), PAGE);
	CALL(SetLine, guest, scramble(i) >> 8 & 15, i >> 1 & 1);
}

static void raced(step *mine, step *theirs)
{
	set_up();
	TELLS(READS_ON);
	race_set_up(false);
	race(mine, theirs);
	CALL(Resume, guest);
	CALL(RequestEnd, guest);
	CALL(Reset, guest);
	while (CALL(Start, guest) == 0)
		relax();
	CALL(Destroy, guest);
}

static void slots_and_done(uint32_t arg)
{
	(void)arg;
	raced(step_done, step_noise);
}

static void done_and_done(uint32_t arg)
{
	(void)arg;
	raced(step_done, step_done);
}

static void life_and_page(uint32_t arg)
{
	(void)arg;
	raced(step_life, step_page);
}

static void life_and_slots(uint32_t arg)
{
	(void)arg;
	raced(step_life, step_done);
}

const struct attack request_cases[] = {
	SERVER(noise),
	SERVER(noise_polled),
	SERVER(polled),
	SERVER(states),
	SERVER(done_free),
	SERVER(done_twice),
	SERVER(page_leaves),
	SERVER(claim_leaves),
	SERVER(guest_leaves),
	SERVER(guest_paused),
	SERVER(ends),
	CASE_ARG("request_dies", ends, 1, .boot = "rights=manage",
		 .end = "hypercall 2989 does not exist"),
	SERVER(vectors),
	SERVER(places),
	SERVER(claims),
	SERVER(calls),
	SERVER(lines),
	SERVER(kinds),
	RACE_SERVER(slots_and_done),
	RACE_SERVER(done_and_done),
	RACE_SERVER(life_and_page),
	RACE_SERVER(life_and_slots),
	CASES_END
};

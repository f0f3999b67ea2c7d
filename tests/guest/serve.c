// SPDX-License-Identifier: GPL-2.0-only
/*
 * A service guest (mode=serves, rights=manage) that answers for ports and memory of
 * another, which it makes and tells what to execute: requests of each kind and what is
 * refused. Or (mode=completes) of one with two processors (mode=waits). N-7.
 */
#include "cmdline.h"
#include "monitor.h"
#include "smp.h"
#include "suite.h"
#include "vmi_hypercall.h"

#define PORT		0x505u
#define MMIO		0xd0000000u

static uint8_t image[MONITOR_IMAGE] __attribute__((aligned(PAGE)));
static uint64_t image_pages[1];
static struct vmi_guest_create block = {
	.kernel_bytes = MONITOR_IMAGE, .memory = MONITOR_MEMORY, .cpus = 1,
	.shares = 100, .name = "served",
};
static volatile struct vmi_io_request slots[VMI_REQUEST_SLOTS]
	__attribute__((aligned(PAGE)));
static volatile uint32_t upcalls;
static uint32_t guest;

#define CALL(name, ...)		CALL_(VMI_HC_##name, ##__VA_ARGS__, 0, 0, 0, 0)
#define CALL_(nr, a, b, c, d, ...) \
	ask_hypervisor(nr, (uint32_t)(a), (uint32_t)(b), (uint32_t)(c), \
		       (uint32_t)(d))

static void on_upcall(struct frame *f)
{
	(void)f;
	upcalls++;
	apic_set(APIC_EOI, 0);
}

/* ---- what the other does ---------------------------------------------------- */

static void tells(const char *code, uint32_t bytes)
{
	char text[64];

	text[0] = (char)bytes;
	for (uint32_t i = 0; i < bytes; i++)
		text[i + 1] = code[i];
	same(CALL(ConsoleWrite, guest, text, bytes + 1), bytes + 1,
	     "it is told what to do");
}
#define TELLS(code)		tells(code "\xc3", sizeof(code))

static uint32_t hears(void)
{
	static volatile uint32_t eax;

	for (uint32_t n = 0; n < 4;)
		n += (uint32_t)CALL(ConsoleRead, guest, (uintptr_t)&eax + n, 4 - n);
	return eax;
}

/* ---- what it is answered ------------------------------------------------------ */

/* Halted until there is a request. */
static volatile struct vmi_io_request *awaits(uint32_t count)
{
	while (upcalls < count) {
		vmi0(Halt);
		vmi0(DisableInterrupts);
	}
	same(upcalls, count, "an upcall");
	same(slots[0].state, VMI_REQUEST_PENDING, "with a request");
	return &slots[0];
}

static void request_is(uint32_t type, uint32_t direction, uint64_t address,
		       uint64_t size)
{
	volatile struct vmi_io_request *r = awaits(upcalls + 1);

	ok(r->type == type && r->direction == direction &&
	   r->address == address && r->size == size, "of that kind");
}

static void answers(uint64_t value)
{
	slots[0].state = VMI_REQUEST_PROCESSING;
	slots[0].value = value;
	slots[0].state = VMI_REQUEST_COMPLETE;
	same(CALL(RequestDone, guest, 0), 0, "it is answered");
	/* Or the next one. */
	ok(slots[0].state != VMI_REQUEST_COMPLETE, "and free");
}

static void reads(uint32_t type, uint64_t address, uint64_t size, uint64_t value)
{
	request_is(type, VMI_IO_READ, address, size);
	same(slots[0].value, 0, "with no value");
	answers(value);
}

static void writes(uint32_t type, uint64_t address, uint64_t size, uint64_t value)
{
	request_is(type, VMI_IO_WRITE, address, size);
	ok(slots[0].value == value, "with its value");
	answers(~0ull);
}

static void ports(void)
{
	/* mov dx, 505h; mov eax, -1; in al, dx */
	TELLS("\x66\xba\x05\x05\xb8\xff\xff\xff\xff\xec");
	reads(VMI_IO_PORT, PORT, 1, 0x123456);
	same(hears(), 0xffffff56, "a byte is read");
	TELLS("\x66\xba\x06\x05\x66\xed");
	reads(VMI_IO_PORT, PORT + 1, 2, 0xabcdef);
	same(hears() & 0xffff, 0xcdef, "two");
	TELLS("\x66\xba\x05\x05\xed");
	reads(VMI_IO_PORT, PORT, 4, 0x123456789abc);
	same(hears(), 0x56789abc, "four");
	/* mov eax, 11223344h; out dx, al */
	TELLS("\x66\xba\x05\x05\xb8\x44\x33\x22\x11\xee");
	writes(VMI_IO_PORT, PORT, 1, 0x44);
	same(hears(), 0x11223344, "a byte is written");
	TELLS("\x66\xba\x05\x05\xb8\x44\x33\x22\x11\xef");
	writes(VMI_IO_PORT, PORT, 4, 0x11223344);
	same(hears(), 0x11223344, "four are");
	/* mov edi, 220000h; mov ecx, 3; rep insb; mov eax, [220000h] */
	TELLS("\x66\xba\x05\x05\xbf\0\0\x22\0\xb9\3\0\0\0\xf3\x6c"
	      "\x8b\x47\xfd");
	reads(VMI_IO_PORT, PORT, 1, 0x11);
	reads(VMI_IO_PORT, PORT, 1, 0x22);
	reads(VMI_IO_PORT, PORT, 1, 0x33);
	same(hears() & 0xffffff, 0x332211, "a string is read");
	/* mov esi, 220000h; mov ecx, 2; rep outsb; mov eax, esi */
	TELLS("\x66\xba\x05\x05\xbe\0\0\x22\0\xb9\2\0\0\0\xf3\x6e\x89\xf0");
	writes(VMI_IO_PORT, PORT, 1, 0x11);
	writes(VMI_IO_PORT, PORT, 1, 0x22);
	same(hears(), 0x220002, "and written");
	/* Across the end of what is claimed: nobody's. */
	TELLS("\x66\xba\x0a\x05\x31\xc0\xed");
	same(hears(), 0xffffffff, "an access that is partly elsewhere");
}

static void memory(void)
{
	/* mov eax, [d0000000h] */
	TELLS("\xb8\0\0\0\xd0\x8b\0");
	reads(VMI_IO_MEMORY, MMIO, 4, 0x123456789a);
	same(hears(), 0x3456789a, "memory is read");
	/* mov ecx, d0000ffch; mov eax, -1; mov ah, [ecx+3] */
	TELLS("\xb9\xfc\x0f\0\xd0\xb8\xff\xff\xff\xff\x8a\x61\3");
	reads(VMI_IO_MEMORY, MMIO + 0xfff, 1, 0x77);
	same(hears(), 0xffff77ff, "into the second byte");
	/* mov ecx, d0000000h; movzx eax, byte [ecx]; movsx ... word [ecx+2] */
	TELLS("\xb9\0\0\0\xd0\x0f\xb6\x01");
	reads(VMI_IO_MEMORY, MMIO, 1, 0x1f5);
	same(hears(), 0xf5, "with zeros");
	TELLS("\xb9\0\0\0\xd0\x0f\xbf\x41\2");
	reads(VMI_IO_MEMORY, MMIO + 2, 2, 0x8001);
	same(hears(), 0xffff8001, "with a sign");
	/* mov ecx, d0000000h; mov eax, 11223344h; mov [ecx+5], ah; */
	TELLS("\xb9\0\0\0\xd0\xb8\x44\x33\x22\x11\x88\x61\5");
	writes(VMI_IO_MEMORY, MMIO + 5, 1, 0x33);
	same(hears(), 0x11223344, "a byte is written");
	/* mov word [ecx], 1234h */
	TELLS("\xb9\0\0\0\xd0\x66\xc7\1\x34\x12");
	writes(VMI_IO_MEMORY, MMIO, 2, 0x1234);
	hears();
	/* mov esi, d0000000h; mov edi, 220000h; mov ecx, 2; rep movsd; mov eax, [edi-4] */
	TELLS("\xbe\0\0\0\xd0\xbf\0\0\x22\0\xb9\2\0\0\0\xf3\xa5\x8b\x47\xfc");
	reads(VMI_IO_MEMORY, MMIO, 4, 0x11111111);
	reads(VMI_IO_MEMORY, MMIO + 4, 4, 0x9922222222);
	same(hears(), 0x22222222, "it is copied from");
	/* and from 220000h to d0000ff8h; mov eax, edi */
	TELLS("\xbe\0\0\x22\0\xbf\xf8\x0f\0\xd0\xb9\2\0\0\0\xf3\xa5\x89\xf8");
	writes(VMI_IO_MEMORY, MMIO + 0xff8, 4, 0x11111111);
	writes(VMI_IO_MEMORY, MMIO + 0xffc, 4, 0x22222222);
	same(hears(), 0xd0001000, "and to");
	/* mov edi, d0000003h; mov eax, 11223344h; stosb; mov esi, edi; lodsw */
	TELLS("\xbf\3\0\0\xd0\xb8\x44\x33\x22\x11\xaa\x89\xfe\x66\xad");
	writes(VMI_IO_MEMORY, MMIO + 3, 1, 0x44);
	reads(VMI_IO_MEMORY, MMIO + 4, 2, 0x5566);
	same(hears(), 0x11225566, "a string of one");
}

static void lines(void)
{
	static const uint32_t ours[] = { 0, 2, 4, 16, 0xffffffff };

	/* mov al, 0ah; out 0a0h, al; in al, 0a0h: IRR of the second 8259 */
	same(CALL(SetLine, guest, 11, 1), 0, "an interrupt");
	TELLS("\xb0\x0a\xe6\xa0\x31\xc0\xe4\xa0");
	same(hears(), 8, "is requested");
	same(CALL(SetLine, guest, 11, 0), 0, "no more");
	for (uint32_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
		same(CALL(SetLine, guest, ours[i], 1), -VMI_EINVAL,
		     "it has none of ours");
	same(CALL(SetLine, guest, 11, 2), -VMI_EINVAL, "nor is there such a level");
}

/* What is wrong with each. */
static void refusals(void)
{
	uint32_t i;

	same(CALL(Upcall, 0x1f), -VMI_EINVAL, "a vector of exceptions");
	same(CALL(Upcall, 0x100), -VMI_EINVAL, "and one that there is not");
	same(CALL(Claim, guest, 0, PORT, 1), -VMI_EINVAL, "no claim without a page");
	same(CALL(Unclaim, guest, 0, PORT, 1), -VMI_EINVAL, "nor the end of one");
	same(CALL(RequestEnd, guest), -VMI_EINVAL, "nor of a page");
	same(CALL(RequestDone, guest, 0), -VMI_EINVAL, "nor an answer");
	same(CALL(SetLine, guest, 11, 1), -VMI_EINVAL, "nor an interrupt");
	same(CALL(RequestPage, guest, (uintptr_t)slots + 4, 0), -VMI_EINVAL,
	     "a page that is none");
	same(CALL(RequestPage, guest, slots, 2), -VMI_EINVAL, "no such flag");
	same(CALL(RequestPage, guest, MMIO, 0), -VMI_EFAULT, "no memory");
	same(CALL(RequestPage, 0, slots, 0), -VMI_EINVAL, "not for itself");
	same(CALL(RequestPage, guest, slots, 0), 0, "a page");
	for (i = 0; i < VMI_REQUEST_SLOTS; i++)
		if (slots[i].state != VMI_REQUEST_FREE)
			break;
	same(i, VMI_REQUEST_SLOTS, "of free slots");
	same(CALL(RequestPage, guest, slots, 0), -VMI_EBUSY, "but one");
	same(CALL(Claim, guest, 2, PORT, 1), -VMI_EINVAL, "no such kind");
	same(CALL(Claim, guest, 0, PORT, 0), -VMI_EINVAL, "no ports");
	same(CALL(Claim, guest, 0, 0xffff, 2), -VMI_EINVAL, "too many");
	same(CALL(Claim, guest, 0, PORT, ~0u), -VMI_EINVAL, "that wrap");
	same(CALL(Claim, guest, 0, 0x10000, 1), -VMI_EINVAL, "not there");
	same(CALL(Claim, guest, 0, 0x3f0, 9), -VMI_EINVAL, "the console's");
	same(CALL(Claim, guest, 0, 0, 0x10000), -VMI_EINVAL, "everybody's");
	same(CALL(Claim, guest, 1, MMIO + 4, PAGE), -VMI_EINVAL, "no page");
	same(CALL(Claim, guest, 1, MMIO, 4), -VMI_EINVAL, "part of one");
	same(CALL(Claim, guest, 1, 0xfee00000, PAGE), -VMI_EINVAL, "the APIC's");
	same(CALL(Claim, guest, 1, 0xfe000000, 0x1000000), -VMI_EINVAL,
	     "with others");
	same(CALL(Claim, guest, 1, 0x3ff000, 2 * PAGE), -VMI_EINVAL,
	     "its own memory");
	same(CALL(Claim, guest, 0, PORT, 8), 0, "ports");
	same(CALL(Claim, guest, 0, PORT + 7, 2), -VMI_EBUSY, "are another's then");
	same(CALL(Unclaim, guest, 0, PORT, 7), -VMI_EINVAL, "all or nothing");
	same(CALL(Unclaim, guest, 1, PORT, 8), -VMI_EINVAL, "of ports");
	same(CALL(Claim, guest, 1, MMIO, PAGE), 0, "memory");
	for (i = 2; i < 16; i++)
		same(CALL(Claim, guest, 0, PORT + 16 * i, 1), 0, "and more");
	same(CALL(Claim, guest, 0, 0x900, 1), -VMI_ENOMEM, "but not too much");
	for (i = 2; i < 16; i++)
		same(CALL(Unclaim, guest, 0, PORT + 16 * i, 1), 0, "it goes back");
	same(CALL(RequestDone, guest, 0), -VMI_EINVAL, "nothing was asked");
	same(CALL(RequestDone, guest, 1), -VMI_EINVAL, "by nobody");
}

/* From the access to its end, of both. */
static void counts(void)
{
	static struct vmi_guest_info before, after;
	uint64_t exits;

	TELLS("\x66\xba\x05\x05\xec\xec");
	awaits(upcalls + 1);
	CALL(Info, guest, &before);
	exits = exits_now();
	slots[0].state = VMI_REQUEST_COMPLETE;
	CALL(RequestDone, guest, 0);
	vmi0(Halt);
	vmi0(DisableInterrupts);
	exits = exits_now() - exits;
	CALL(Info, guest, &after);
	print("# %u exits here, %u there\n", (uint32_t)exits,
	      (uint32_t)(after.exits - before.exits));
	ok(exits + after.exits - before.exits <= 8, "no more than 8 exits");
	answers(0);
	hears();
}

static void serves(bool wide)
{
	int32_t id;

	monitor_image(image, wide);
	image_pages[0] = (uintptr_t)image;
	block.kernel = (uintptr_t)image_pages;
	id = CALL(Create, &block);
	ok(id > 0, wide ? "a guest of 64 bits" : "a guest of 32 bits");
	guest = (uint32_t)id;
	refusals();
	same(CALL(Start, guest), 0, "it starts");
	ports();
	if (!wide)
		memory();
	lines();
	counts();
	/* Nobody any more. */
	same(CALL(Unclaim, guest, 0, PORT, 8), 0, "its ports go back");
	TELLS("\x66\xba\x05\x05\xec");
	same(hears() & 0xff, 0xff, "nobody is there");
	same(CALL(Destroy, guest), 0, "it is destroyed");
}

/* ---- two processors that ask ---------------------------------------------------- */

/* What each port is for, between the two. */
enum { BEGIN = PORT, UNANSWERED, SEEN, STOPPED, ANEW, SEEN_ANEW };

static volatile uint32_t got;

static void reads_port(uint32_t port)
{
	got = inb((uint16_t)port);
}

/* One waits for an answer and is stopped by INIT, the other goes on all the time. */
static void asks(void)
{
	struct vmi_ap_state state;

	processors_find();
	same(processors, 2, "two processors");
	while (inb(BEGIN) == 0xff)
		relax();
	state = processor_state(1);
	processor_start(1, &state);
	begin_on(1, reads_port, UNANSWERED);
	while (!inb(SEEN))
		relax();
	same(processor[1].done, 0, "one waits, the other does not");
	processor_stop(1);
	processor_start(1, &state);
	begin_on(1, reads_port, ANEW);
	outb(STOPPED, 1);
	while (!inb(SEEN_ANEW))
		relax();
	end_on(1);
	same(got, 0x77, "it has the answer of what it asked last");
}

static void answer_one(uint32_t n, uint32_t value)
{
	slots[n].value = value;
	slots[n].state = VMI_REQUEST_COMPLETE;
	if (CALL(RequestDone, guest, n))
		ok(false, "it is answered");
}

/* Of guest 1, which was there from the beginning. */
static void answers_two(void)
{
	bool seen_first = false, stopped = false, anew = false;
	uint64_t at;

	guest = 1;
	same(CALL(RequestPage, guest, slots, 0), 0, "a page");
	same(CALL(Claim, guest, VMI_IO_PORT, PORT, 8), 0, "ports");
	while (!anew || slots[0].state == VMI_REQUEST_PENDING) {
		if (slots[1].state == VMI_REQUEST_PENDING) {
			seen_first = true;
			at = slots[1].address;
			if (stopped)
				answer_one(1, at == ANEW ? 0x77 : 0x66);
			anew |= stopped && at == ANEW;
		}
		if (slots[0].state != VMI_REQUEST_PENDING) {
			relax();
			continue;
		}
		at = slots[0].address;
		stopped |= at == STOPPED;
		if (at == STOPPED)
			same(slots[1].address, UNANSWERED,
			     "what was asked stays there");
		answer_one(0, at == SEEN ? seen_first : at == SEEN_ANEW ? anew : 1);
	}
	while (CALL(State, guest) == VMI_STATE_RUNNING) {
		if (slots[0].state == VMI_REQUEST_PENDING)
			answer_one(0, 1);
		relax();
	}
	ok(anew, "it asked anew");
}

void test_serve(void)
{
	if (option_is("mode", "waits"))
		asks();
	if (option_is("mode", "completes"))
		answers_two();
	if (!option_is("mode", "serves"))
		return;
	vector_hook[VMI_UPCALL_VECTOR] = on_upcall;
	same(CALL(Upcall, 0), 0, "upcalls");
	serves(false);
	serves(true);
}

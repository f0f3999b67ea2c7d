// SPDX-License-Identifier: GPL-2.0-only
/*
 * I/O requests between two guests: what may be claimed, how a request goes there and
 * back, and what happens if somebody ends, is stopped or writes what he should not,
 * at each moment. N-7.
 */
#include <stdlib.h>

#include "emulate.h"
#include "machine.h"
#include "requests.h"
#include "unit.h"

#define RAM		0x400000u	/* of each guest */
#define PAGE_AT		0x4000u		/* of slots, in the server's */
#define MACHINE		(32u << 20)
#define PORT		0x505u
#define MMIO		0xd0000000ull

enum { SERVER, SERVED, GUESTS };
static struct guest guest[GUESTS];
static struct guest_config config[GUESTS];
static struct regs regs[GUESTS][2];
static struct stub64_shared shared[GUESTS][2];
static struct vcpu *const v = &guest[SERVER].vcpu[0];
static struct guest *const g = &guest[SERVED];
static struct vcpu *const w = &guest[SERVED].vcpu[0];
static struct vmi_io_request *slots;

/* What happens while the slot is written, or looked at. */
static void (*meanwhile)(void);
bool __real_gmem_store32(const struct gmem *m, gpa_t pa, uint32_t word);
bool __wrap_gmem_store32(const struct gmem *m, gpa_t pa, uint32_t word);
bool __wrap_gmem_store32(const struct gmem *m, gpa_t pa, uint32_t word)
{
	bool done = __real_gmem_store32(m, pa, word);
	void (*now)(void) = meanwhile;

	meanwhile = NULL;
	if (now) {
		assert_int_equal(g->lock.next, g->lock.owner);
		now();
	}
	return done;
}

/* What guest.c does at each start. */
static void begin_again(struct guest *of)
{
	static uint64_t lives;

	of->life = ++lives;
	requests_start(of);
}

static int setup(void **state)
{
	uint32_t i, n;

	(void)state;
	machine_memory = aligned_alloc(2u << 20, MACHINE);
	memset(machine_memory, 0, MACHINE);
	machine_start(0x1000, MACHINE - 0x1000);
	memset(guest, 0, sizeof(guest));
	memset(regs, 0, sizeof(regs));
	memset(shared, 0, sizeof(shared));
	for (i = 0; i < GUESTS; i++) {
		config[i] = (struct guest_config){
			.name = "a guest", .cpus = 2, .memory = RAM >> 20,
			.rights = i == SERVER ? VMI_RIGHT_MANAGE : 0,
		};
		guest[i].config = &config[i];
		guest[i].name = config[i].name;
		guest[i].vcpus = 2;
		guest[i].shares = GUEST_SHARES;
		guest[i].pin = 1;
		for (n = 0; n < 2; n++) {
			struct vcpu *o = &guest[i].vcpu[n];

			o->g = &guest[i];
			o->nr = n;
			o->regs = &regs[i][n];
			o->sh = (volatile struct stub_shared *)&shared[i][n];
			o->sibling = &guest[i].vcpu[!n];
			o->first = &guest[i].vcpu[0];
			o->apic = &guest[i].apic[n];
			o->pic = &guest[i].pic;
			o->bus = &guest[i].bus;
			o->mmu.mm = &guest[i].mm;
			o->on = true;
		}
		guests[i] = &guest[i];
		assert_true(gmem_init(&guest[i].mm.gmem, RAM));
		io_init(&guest[i]);
		begin_again(&guest[i]);
	}
	guest_count = GUESTS;
	host_cpus = 1;
	sched_guests_changed();
	slots = (void *)((uint8_t *)gmem_boot_ram(&v->mmu.mm->gmem) + PAGE_AT);
	current = v;
	meanwhile = NULL;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_int_equal(g->lock.next, g->lock.owner);
	assert_int_equal(guest[SERVER].lock.next, guest[SERVER].lock.owner);
	free(machine_memory);
	return 0;
}

static void served(uint64_t flags)
{
	memset(slots, 0x5a, PAGE_SIZE);
	assert_int_equal(requests_page(v, g, PAGE_AT, flags), 0);
	assert_int_equal(requests_claim(v, g, VMI_IO_PORT, PORT, 8), 0);
}

static enum bus_result asks(struct vcpu *of, struct access *a)
{
	return of->ask ? of->ask(of, a) : BUS_NOBODY;
}

static struct access port(uint8_t size, bool write)
{
	return (struct access){
		.write = write, .size = size, .at = PORT, .value = ~0ull,
	};
}

/* As the scheduler does it, once. True: it goes on. */
static bool goes_on(struct vcpu *of)
{
	bool over;

	of->regs->stop = STOP_NOT;
	spin_lock(&of->g->lock);
	requests_go(of);
	over = requests_over(of);
	spin_unlock(&of->g->lock);
	return over;
}

static void sends(struct vcpu *of, struct access *a)
{
	assert_int_equal(asks(of, a), BUS_AGAIN);
	assert_int_equal(of->regs->stop, STOP_REQUEST);
	assert_int_equal(of->held, HELD_REQUEST);
	assert_false(goes_on(of));
}

/* The answer to the same access, when it has one. */
static uint64_t answered(struct vcpu *of, struct access *a)
{
	assert_int_equal(of->request.state, REQUEST_ANSWERED);
	a->value = 0;
	assert_int_equal(ask_elsewhere(of, &of->request.insn, a), BUS_DONE);
	of->request.state = REQUEST_ANSWERED;
	assert_true(goes_on(of));
	assert_int_equal(of->request.state, REQUEST_NONE);
	assert_int_equal(of->held, 0);
	return a->value;
}

static void completes(uint32_t nr, uint64_t value)
{
	assert_int_equal(slots[nr].state, VMI_REQUEST_PENDING);
	slots[nr].value = value;
	slots[nr].state = VMI_REQUEST_COMPLETE;
}

/* ---- there and back --------------------------------------------------------- */

static void test_round(void **state)
{
	struct access a = port(2, true), b = port(1, false);
	uint32_t i;

	(void)state;
	assert_int_equal(requests_upcall(v, 0), 0);
	served(0);
	for (i = 0; i < VMI_REQUEST_SLOTS; i++)
		assert_int_equal(slots[i].state, VMI_REQUEST_FREE);
	sends(w, &a);
	assert_int_equal(apic_ack(v->apic), VMI_UPCALL_VECTOR);
	assert_int_equal(slots[0].type, VMI_IO_PORT);
	assert_int_equal(slots[0].direction, VMI_IO_WRITE);
	assert_int_equal(slots[0].address, PORT);
	assert_int_equal(slots[0].size, 2);
	assert_int_equal(slots[0].value, 0xffff);
	assert_int_equal(slots[0].polling, 0);
	/* Its sibling has a slot of its own. */
	sends(&g->vcpu[1], &b);
	assert_int_equal(slots[1].state, VMI_REQUEST_PENDING);
	assert_int_equal(slots[1].value, 0);
	completes(1, 0x1234);
	assert_int_equal(requests_done(v, g, 1), 0);
	assert_int_equal(slots[1].state, VMI_REQUEST_FREE);
	assert_int_equal(answered(&g->vcpu[1], &b), 0x34);
	assert_true(w->server == v->g && !w->answered);
	completes(0, 0);
	assert_int_equal(requests_done(v, g, 0), 0);
	assert_true(w->answered);
	answered(w, &a);
	assert_int_equal(w->held, 0);
}

/* An answer is of one access; another is asked anew. */
static void test_other_access(void **state)
{
	struct access a = port(1, false), b = port(2, false);

	(void)state;
	served(0);
	sends(w, &a);
	completes(0, 1);
	assert_int_equal(requests_done(v, g, 0), 0);
	assert_int_equal(asks(w, &b), BUS_AGAIN);
	assert_int_equal(w->request.state, REQUEST_NEW);
	assert_false(goes_on(w));
	assert_int_equal(slots[0].size, 2);
	/* One that is over is forgotten, whether or not anybody took it. */
	completes(0, 2);
	assert_int_equal(requests_done(v, g, 0), 0);
	assert_true(goes_on(w));
	assert_int_equal(w->request.state, REQUEST_NONE);
	assert_int_equal(asks(w, &b), BUS_AGAIN);
}

static void test_not_done(void **state)
{
	struct access a = port(1, false);
	uint32_t i;

	(void)state;
	assert_int_equal(requests_done(v, g, 0), -VMI_EINVAL);
	served(0);
	slots[0].state = VMI_REQUEST_COMPLETE;
	assert_int_equal(requests_done(v, g, 0), -VMI_EINVAL);	/* unasked */
	sends(w, &a);
	for (i = 0; i < 10; i++) {
		slots[0].state = i;
		assert_int_equal(requests_done(v, g, 0), i == VMI_REQUEST_COMPLETE ?
				 0 : -VMI_EINVAL);
		if (i == VMI_REQUEST_COMPLETE)
			answered(w, &a);
	}
	slots[0].state = VMI_REQUEST_COMPLETE;			/* twice */
	assert_int_equal(requests_done(v, g, 0), -VMI_EINVAL);
	assert_int_equal(requests_done(v, g, 2), -VMI_EINVAL);
	assert_int_equal(requests_done(v, g, 1ull << 32), -VMI_EINVAL);
	assert_int_equal(requests_done(v, g, UINT64_MAX), -VMI_EINVAL);
}

static void test_polling(void **state)
{
	struct access a = port(4, false);

	(void)state;
	served(VMI_REQUEST_POLLING);
	sends(w, &a);
	assert_int_equal(slots[0].polling, 1);
	assert_true(w->look > cpu.tsc && w->look <= cpu.tsc + host_tsc_hz / 1000);
	assert_false(goes_on(w));
	slots[0].state = 77;
	assert_false(goes_on(w));
	slots[0].state = VMI_REQUEST_PENDING;
	completes(0, 0x1122334455);
	spin_lock(&g->lock);
	requests_go(w);
	spin_unlock(&g->lock);
	assert_int_equal(slots[0].state, VMI_REQUEST_FREE);
	assert_int_equal(answered(w, &a), 0x22334455);
	/* The call does, too. */
	sends(w, &a);
	completes(0, 7);
	assert_int_equal(requests_done(v, g, 0), 0);
	assert_int_equal(answered(w, &a), 7);
}

/* ---- somebody ends ------------------------------------------------------------ */

static void server_ends(void)
{
	guest[SERVER].ended = true;
}

static void server_begins_again(void)
{
	begin_again(&guest[SERVER]);
}

static void page_ends(void)
{
	assert_int_equal(requests_page_end(v, g), 0);
}

static void another_page(void)
{
	page_ends();
	assert_int_equal(requests_page(v, g, 2 * PAGE_AT, 0), 0);
}

static void done_at_once(void)
{
	slots[0].value = 0x99;
	slots[0].state = VMI_REQUEST_COMPLETE;
	assert_int_equal(requests_done(v, g, 0), 0);
}

/* Ones for who waits, at each moment; nobody waits any more. */
static void lost(void (*how)(void), bool now, uint64_t flags)
{
	struct access a = port(1, false);

	served(flags);
	if (now)
		meanwhile = how;
	assert_int_equal(asks(w, &a), BUS_AGAIN);
	spin_lock(&g->lock);
	requests_go(w);
	if (!now) {
		assert_int_equal(w->request.state, REQUEST_SENT);
		how();
	}
	requests_go(w);
	spin_unlock(&g->lock);
	assert_int_equal(answered(w, &a), 0xff);
	if (g->service.by) {
		page_ends();
	} else {
		assert_int_equal(g->service.slots, 0);
		a.value = 0;
		assert_int_equal(asks(w, &a), BUS_DONE);
		assert_true(a.value == UINT64_MAX);
	}
	guest[SERVER].ended = false;
}

static void test_lost(void **state)
{
	uint64_t flags;

	(void)state;
	for (flags = 0; flags < 2; flags++) {
		lost(server_ends, false, flags);
		lost(server_ends, true, flags);
		lost(server_begins_again, false, flags);
		lost(server_begins_again, true, flags);
		lost(page_ends, false, flags);
		lost(another_page, false, flags);
	}
}

/* Before it has come to wait. */
static void test_at_once(void **state)
{
	struct access a = port(1, false);
	uint64_t flags;

	(void)state;
	for (flags = 0; flags < 2; flags++) {
		served(flags);
		meanwhile = done_at_once;
		assert_int_equal(asks(w, &a), BUS_AGAIN);
		spin_lock(&g->lock);
		requests_go(w);
		spin_unlock(&g->lock);
		assert_int_equal(answered(w, &a), 0x99);
		page_ends();
	}
}

/* Another that serves it meanwhile is not asked what this one was. */
static void test_next_server(void **state)
{
	struct access a = port(1, false);

	(void)state;
	served(0);
	assert_int_equal(requests_page(v, g, PAGE_AT, 0), -VMI_EBUSY);
	server_ends();
	guest[SERVER].ended = false;
	server_begins_again();
	assert_int_equal(requests_claim(v, g, VMI_IO_PORT, PORT, 1), -VMI_EINVAL);
	assert_int_equal(requests_unclaim(v, g, VMI_IO_PORT, PORT, 8), -VMI_EINVAL);
	assert_int_equal(requests_page_end(v, g), -VMI_EINVAL);
	assert_int_equal(requests_line(v, g, 5, 1), -VMI_EINVAL);
	served(0);
	sends(w, &a);
	completes(0, 3);
	assert_int_equal(requests_done(v, g, 0), 0);
	assert_int_equal(answered(w, &a), 3);
}

/* INIT, or its guest's end: its slot is the server's until that is done with it. */
static void taken_away(bool init, uint64_t flags)
{
	struct access a = port(1, false);

	served(flags);
	sends(w, &a);
	if (init)
		requests_off(w);
	else
		requests_end(g);
	assert_int_equal(w->request.state, REQUEST_NONE);
	assert_int_equal(w->held, 0);
	if (!init)
		begin_again(g);
	a.at++;
	sends(w, &a);
	assert_int_equal(w->request.state, REQUEST_NEW);
	assert_int_equal(slots[0].address, PORT);
	completes(0, 5);
	if (!flags)
		assert_int_equal(requests_done(v, g, 0), 0);
	assert_int_equal(w->request.state, REQUEST_NEW);
	goes_on(w);
	goes_on(w);
	assert_int_equal(slots[0].address, PORT + 1);
	completes(0, 6);
	assert_int_equal(requests_done(v, g, 0), 0);
	assert_int_equal(answered(w, &a), 6);
	page_ends();
}

static void test_taken_away(void **state)
{
	(void)state;
	taken_away(true, 0);
	taken_away(true, VMI_REQUEST_POLLING);
	taken_away(false, 0);
	taken_away(false, VMI_REQUEST_POLLING);
	/* And nobody at all answers the new one. */
	lost(server_ends, false, 0);
}

/* ---- what may be claimed ------------------------------------------------------- */

static int64_t claims(uint64_t kind, uint64_t first, uint64_t bytes)
{
	return requests_claim(v, g, kind, first, bytes);
}

static void test_claims(void **state)
{
	uint32_t i;

	(void)state;
	assert_int_equal(claims(0, PORT, 1), -VMI_EINVAL);
	served(0);
	assert_int_equal(claims(2, 0x900, 1), -VMI_EINVAL);
	assert_int_equal(claims(1ull << 32, 0x900, 1), -VMI_EINVAL);
	assert_int_equal(claims(0, 0x900, 0), -VMI_EINVAL);
	assert_int_equal(claims(0, 0xffff, 1), 0);
	assert_int_equal(claims(0, 0xffff, 1), -VMI_EBUSY);
	assert_int_equal(claims(0, 0xfffe, 3), -VMI_EINVAL);
	assert_int_equal(claims(0, 0x10000, 1), -VMI_EINVAL);
	assert_int_equal(claims(0, UINT64_MAX, 1), -VMI_EINVAL);
	assert_int_equal(claims(0, 0x900, UINT64_MAX), -VMI_EINVAL);
	assert_int_equal(claims(0, 0x900, UINT64_MAX - 0x8ff), -VMI_EINVAL);
	assert_int_equal(claims(0, 0x70, 1), -VMI_EINVAL);
	assert_int_equal(claims(0, 0x6f, 2), -VMI_EINVAL);
	assert_int_equal(claims(0, PORT - 1, 2), -VMI_EBUSY);
	assert_int_equal(claims(0, PORT + 7, 1), -VMI_EBUSY);
	assert_int_equal(claims(0, PORT + 8, 1), 0);
	assert_int_equal(claims(1, MMIO, PAGE_SIZE), 0);
	assert_int_equal(claims(1, MMIO + PAGE_SIZE, PAGE_SIZE), 0);
	assert_int_equal(claims(1, MMIO - PAGE_SIZE, 8 * PAGE_SIZE), -VMI_EBUSY);
	assert_int_equal(claims(1, MMIO + 1, PAGE_SIZE), -VMI_EINVAL);
	assert_int_equal(claims(1, MMIO, PAGE_SIZE + 1), -VMI_EINVAL);
	assert_int_equal(claims(1, 0, PAGE_SIZE), -VMI_EINVAL);
	assert_int_equal(claims(1, RAM - PAGE_SIZE, 2 * PAGE_SIZE), -VMI_EINVAL);
	assert_int_equal(claims(1, RAM, PAGE_SIZE), 0);
	assert_int_equal(claims(1, APIC_BASE, PAGE_SIZE), -VMI_EINVAL);
	assert_int_equal(claims(1, IOAPIC_BASE, PAGE_SIZE), -VMI_EINVAL);
	assert_int_equal(claims(1, APIC_BASE - PAGE_SIZE, 2 * PAGE_SIZE),
			 -VMI_EINVAL);
	assert_int_equal(claims(1, (1ull << 52) - PAGE_SIZE, PAGE_SIZE), 0);
	assert_int_equal(claims(1, 1ull << 52, PAGE_SIZE), -VMI_EINVAL);
	assert_int_equal(claims(1, (1ull << 52) - PAGE_SIZE, 2 * PAGE_SIZE),
			 -VMI_EINVAL);
	assert_int_equal(claims(1, -(uint64_t)PAGE_SIZE, PAGE_SIZE), -VMI_EINVAL);
	assert_int_equal(claims(1, MMIO, -MMIO), -VMI_EINVAL);
	/* Memory above the hole. */
	config[SERVED].memory = 4096;
	assert_int_equal(claims(1, 0x13ffff000, PAGE_SIZE), -VMI_EINVAL);
	assert_int_equal(claims(1, 0x140000000, PAGE_SIZE), 0);
	assert_int_equal(claims(1, 0xfffff000, 2 * PAGE_SIZE), -VMI_EINVAL);
	assert_int_equal(claims(1, 0xfffff000, PAGE_SIZE), 0);
	assert_int_equal(claims(1, 0xbffff000, PAGE_SIZE), -VMI_EINVAL);
	while (g->service.claims < CLAIMS_MAX)
		assert_int_equal(claims(0, 0x1000 + g->service.claims, 1), 0);
	assert_int_equal(claims(0, 0x2000, 1), -VMI_ENOMEM);
	/* Those of memory are known there, in any order. */
	assert_true(mm_is_device(&g->mm, MMIO >> PAGE_SHIFT));
	assert_int_equal(requests_unclaim(v, g, 1, MMIO, PAGE_SIZE), 0);
	assert_false(mm_is_device(&g->mm, MMIO >> PAGE_SHIFT));
	assert_true(mm_is_device(&g->mm, (MMIO >> PAGE_SHIFT) + 1));
	assert_int_equal(requests_unclaim(v, g, 1, MMIO, PAGE_SIZE), -VMI_EINVAL);
	assert_int_equal(requests_unclaim(v, g, 0, MMIO + PAGE_SIZE, PAGE_SIZE),
			 -VMI_EINVAL);
	/* And after a new start. */
	for (i = 0; i < 2; i++)
		g->vcpu[i].ask = NULL;
	g->mm.elsewheres = 0;
	begin_again(g);
	assert_ptr_equal(w->ask, requests_ask);
	assert_true(mm_is_device(&g->mm, (MMIO >> PAGE_SHIFT) + 1));
	/* Until there is another server. */
	assert_int_equal(requests_page_end(v, g), 0);
	assert_true(mm_is_device(&g->mm, (MMIO >> PAGE_SHIFT) + 1));
	assert_int_equal(requests_page(v, g, PAGE_AT, 0), 0);
	assert_false(mm_is_device(&g->mm, (MMIO >> PAGE_SHIFT) + 1));
	assert_ptr_equal(w->ask, NULL);
}

/* All of an access, or none of it. */
static void test_within(void **state)
{
	struct access a = port(4, false);

	(void)state;
	served(0);
	a.at = PORT + 5;
	assert_int_equal(asks(w, &a), BUS_NOBODY);
	a.at = PORT - 1;
	assert_int_equal(asks(w, &a), BUS_NOBODY);
	a.at = PORT + 4;
	assert_int_equal(asks(w, &a), BUS_AGAIN);
	a.memory = true;
	assert_int_equal(asks(w, &a), BUS_NOBODY);
	a.memory = false;
	a.at = PORT + (1ull << 32);
	assert_int_equal(asks(w, &a), BUS_NOBODY);
}

static void test_page(void **state)
{
	(void)state;
	assert_int_equal(requests_page(v, g, PAGE_AT + 8, 0), -VMI_EINVAL);
	assert_int_equal(requests_page(v, g, PAGE_AT, 2), -VMI_EINVAL);
	assert_int_equal(requests_page(v, g, PAGE_AT, 1ull << 32), -VMI_EINVAL);
	assert_int_equal(requests_page(v, g, RAM, 0), -VMI_EFAULT);
	assert_int_equal(requests_page(v, g, -(uint64_t)PAGE_SIZE, 0), -VMI_EFAULT);
	assert_ptr_equal(g->service.by, NULL);
	g->unikernel = true;
	assert_int_equal(requests_page(v, g, PAGE_AT, 0), -VMI_EINVAL);
}

/* ---- interrupts ------------------------------------------------------------------ */

static void test_upcall(void **state)
{
	struct access a = port(1, false);
	uint64_t vector;

	(void)state;
	for (vector = 0; vector < 0x200; vector++)
		assert_int_equal(requests_upcall(v, vector), !vector ||
				 (vector >= 0x20 && vector <= 0xff) ? 0 :
				 -VMI_EINVAL);
	assert_int_equal(requests_upcall(v, 1ull << 32), -VMI_EINVAL);
	assert_int_equal(requests_upcall(v, 0x41), 0);
	served(0);
	sends(w, &a);
	assert_int_equal(apic_ack(v->apic), 0x41);
	/* Two at a time are one. */
	sends(&g->vcpu[1], &a);
	completes(0, 0);
	requests_done(v, g, 0);
	answered(w, &a);
	sends(w, &a);
	apic_write(v->apic, APIC_EOI, 0, 0, NULL);
	assert_int_equal(apic_ack(v->apic), 0x41);
	assert_int_equal(guest[SERVER].apic[1].irr[2], 0);
	/* Nobody has asked for them; an APIC that is off. */
	apic_write(v->apic, APIC_EOI, 0, 0, NULL);
	apic_enable(v->apic, false);
	completes(0, 0);
	requests_done(v, g, 0);
	answered(w, &a);
	sends(w, &a);
	assert_false(apic_pending(v->apic));
}

static void test_lines(void **state)
{
	uint32_t irq;

	(void)state;
	served(0);
	for (irq = 0; irq < 20; irq++) {
		bool may = irq < 16 && irq != 0 && irq != 2 && irq != 4;

		assert_int_equal(requests_line(v, g, irq, 1), may ? 0 : -VMI_EINVAL);
		assert_int_equal(requests_line(v, g, irq, 2), -VMI_EINVAL);
		if (may)
			assert_true(pic_requested(&g->pic, irq));
	}
	assert_int_equal(requests_line(v, g, 1ull << 32 | 5, 1), -VMI_EINVAL);
	/* None stays up without its server. */
	page_ends();
	for (irq = 0; irq < 16; irq++)
		assert_false(g->pic.chip[irq / 8].lines >> irq % 8 & 1);
}

/* A guest that could not start again has none. */
static void test_no_devices(void **state)
{
	(void)state;
	served(0);
	assert_int_equal(requests_line(v, g, 5, 1), 0);
	g->vcpu[0].apic = NULL;
	assert_int_equal(requests_line(v, g, 6, 1), 0);
	page_ends();
}

#define TEST(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_round),
		TEST(test_other_access),
		TEST(test_not_done),
		TEST(test_polling),
		TEST(test_lost),
		TEST(test_at_once),
		TEST(test_next_server),
		TEST(test_taken_away),
		TEST(test_claims),
		TEST(test_within),
		TEST(test_page),
		TEST(test_upcall),
		TEST(test_lines),
		TEST(test_no_devices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

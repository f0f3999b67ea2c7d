// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls to the hypervisor proper: any number with any arguments, of a guest of any
 * rights and personality, from its kernel or from user mode, about others that are in
 * any state and have noise in their shared variables. Who may call what is compared
 * with rules written here once more (spec/neighbours.md, N-2); a call that is
 * refused changes nothing.
 */
#include <stdlib.h>

#include "fuzz.h"
#include "kernel.h"
#include "machine.h"
#include "manage.h"
#include "processor.h"

#define RAM		0x10000u	/* of each guest */
#define COMM		0x8000u
#define IMAGE		0x4000u		/* a kernel, in the caller's */
#define BLOCK		0x5000u
#define LIST		0x5800u
#define OPS		12
#define POOL		8		/* pages of the shadow */

enum { CALLER, OTHER, HIDDEN, GUESTS };
static struct guest place[GUESTS];
static struct guest_config config[GUESTS];
static struct regs regs[GUESTS];
static struct vcpu *const v = &place[CALLER].vcpu[0];
static uint8_t *memory;

/* ---- the machine ---------------------------------------------------------- */

void processor_runs(struct regs *r)
{
	CHECK(!r);
}

void machine_waits(void)
{
	CHECK(false);
}

void machine_ended(enum end end)
{
	check_failed(__FILE__, __LINE__, "end %d", end);
}

/* ---- the rules ------------------------------------------------------------- */

static const struct rule {
	uint32_t	rights;
	bool		there, user, other;
} rule[VMI_HC_COUNT] = {
	[1 ... 3] = { 0, true, false, false },
	[16 ... 18] = { VMI_RIGHT_MANAGE, true, false, false },
	[19 ... 20] = { VMI_RIGHT_MANAGE, true, false, true },
	[21] = { VMI_RIGHT_MANAGE, true, false, false },
	[22 ... 26] = { VMI_RIGHT_MANAGE, true, false, true },
	[27] = { VMI_RIGHT_MANAGE, true, false, false },
	[28 ... 29] = { VMI_RIGHT_MANAGE, true, false, true },
	[32 ... 33] = { VMI_RIGHT_INTROSPECT, true, false, false },
	[34] = { 0, true, true, false },
	[35] = { VMI_RIGHT_INTROSPECT, true, false, true },
	[40] = { VMI_RIGHT_MANAGE, true, false, false },
	[41 ... 46] = { VMI_RIGHT_MANAGE, true, false, true },
};

static void check_refusal(uint64_t nr, enum verdict verdict, int64_t result)
{
	static const struct rule nothing = { .rights = 1u << 31 };
	const struct rule *r = nr < VMI_HC_COUNT && rule[nr].there ? &rule[nr] :
			       &nothing;
	uint32_t rights = config[CALLER].rights;

	if (r->rights && !rights)
		CHECK_EQ(verdict, CALL_UD);
	else if (regs_ring(v->regs) == 3 && !r->user)
		CHECK_EQ(verdict, CALL_GP);
	else
		CHECK(verdict == CALL_DONE || verdict == CALL_LATE);
	if (verdict == CALL_DONE && (r->rights & ~rights))
		CHECK_EQ(result, -VMI_EINVAL);
	if (verdict == CALL_LATE)
		CHECK(!(r->rights & ~rights));
}

static bool is_result(int64_t result)
{
	static const int error[] = {
		VMI_EPERM, VMI_ENOMEM, VMI_EFAULT, VMI_EBUSY, VMI_EINVAL,
		VMI_ETIMEDOUT,
	};
	uint32_t i;

	for (i = 0; i < ARRAY_SIZE(error); i++)
		if (result == -error[i])
			return true;
	return result >= 0 && result <= INT32_MAX;
}

/* ---- one run --------------------------------------------------------------- */

static void begin(struct input *in)
{
	static const struct kernel kernel = KERNEL();
	struct vmi_guest_create block = {
		.kernel = LIST, .kernel_bytes = sizeof(kernel), .memory = 4,
		.cpus = 1, .shares = GUEST_SHARES,
	};
	const uint64_t list = IMAGE;
	uint32_t i, how = input_u32(in);

	if (!machine_memory)
		machine_memory = aligned_alloc(2u << 20, MACHINE_MAX);
	machine_start(0x1000, MACHINE_MAX - 0x1000);
	cpu.cr3 = host_tables();
	memset(place, 0, sizeof(place));
	memset(regs, 0, sizeof(regs));
	for (i = 0; i < GUESTS; i++) {
		struct vcpu *own = &place[i].vcpu[0];

		config[i] = (struct guest_config){
			.name = "a guest", .cpus = 1, .memory = 4, .starts = 1,
			.comm = how >> i & 1 ? COMM : 0, .shares = GUEST_SHARES,
			.passive = how >> (3 + i) & 1, .pin = 1,
			.reply_timeout = how >> (6 + i) & 1,
			/* Without a ROM: it cannot start again. */
			.kernel = { "kernel", (const void *)&kernel,
				    sizeof(kernel) },
		};
		place[i].config = &config[i];
		place[i].name = config[i].name;
		place[i].slot = i;
		place[i].shares = GUEST_SHARES;
		place[i].pin = 1;
		place[i].vcpus = 1;
		own->g = &place[i];
		own->sibling = own->first = own;
		own->regs = &regs[i];
		own->regs->lock = &place[i].lock;
		own->apic = &place[i].apic[0];
		own->pic = &place[i].pic;
		own->sh = host_pages(sizeof(struct stub64_shared), PAGE_SIZE);
		CHECK(own->sh);
		own->sh->tail = -STUB_QUEUE_LEN;
		own->on = true;
		CHECK(gmem_init(&place[i].mm.gmem, RAM));
		CHECK(mm_view_init(&place[i].mm));
		CHECK(!mm_init(&place[i].mm, POOL, false));
		CHECK(!mmu_init(&own->mmu, &place[i].mm));
		mmu_join(&own->mmu);
		place[i].life = i + 1;
		guests[i] = &place[i];
		place[i].comm.page = config[i].comm;
		comm_init(&place[i]);
	}
	guest_count = GUESTS;
	config[HIDDEN].unmanaged = true;
	config[CALLER].rights = how >> 9 & 3;
	CHECK(pages_init(&place[CALLER]));
	config[CALLER].personality = how >> 11 & 3;
	v->wide = how >> 13 & 1;
	v->loaded = true;
	place[CALLER].loaded = 1;
	memory = gmem_boot_ram(&place[CALLER].mm.gmem);
	memcpy(memory + IMAGE, &kernel, sizeof(kernel));
	memcpy(memory + BLOCK, &block, sizeof(block));
	memcpy(memory + LIST, &list, sizeof(list));
	cpu.cr3 = host_tables();
	current = v;
	host_cpus = 1;
	sched_guests_changed();
}

static uint64_t value(struct input *in)
{
	static const uint32_t base[] = {
		0, 0xd0000000, BLOCK, RAM - 8, 16, 0xfffffffc, COMM, IMAGE
	};
	uint8_t how = input_u8(in);

	return how & 0x80 ? input_u64(in) : base[how >> 4] + (how & 15u);
}

/* The guest goes on elsewhere meanwhile. */
static void scribble(struct input *in)
{
	uint32_t at = value(in) % (RAM - 8);
	uint64_t word = input_u64(in);

	memcpy(memory + at, &word, sizeof(word));
	if (place[OTHER].mm.gmem.bytes)
		memcpy((uint8_t *)gmem_boot_ram(&place[OTHER].mm.gmem) + COMM +
		       at % 0x60, &word, sizeof(word));
	cpu.tsc += host_tsc_hz / 2000 * (at % 4);
}

static void late(void)
{
	struct guest *g = guests[v->late_arg[0] % GUESTS_MAX];

	CHECK_EQ(v->regs->stop, STOP_CALL);
	dispatch_late(v);
	CHECK(is_result((int64_t)v->regs->gpr[EAX]));
	CHECK_EQ(v->late_number, 0);
	if (g)
		CHECK_EQ(g->lock.next, g->lock.owner);
}

static void one_call(struct input *in)
{
	struct call_made c = { .number = value(in), .mask = UINT64_MAX };
	static uint8_t before[RAM];
	enum verdict verdict;
	uint32_t i;

	for (i = 0; i < CALL_ARGS; i++)
		c.arg[i] = value(in);
	memcpy(before, memory, RAM);
	verdict = dispatch(v, &c);
	check_refusal(c.number, verdict, c.result);
	if (verdict == CALL_LATE)
		late();
	else if (verdict == CALL_DONE)
		CHECK(is_result(c.result));
	if (verdict == CALL_UD || verdict == CALL_GP || c.result < 0)
		CHECK(verdict == CALL_LATE || !memcmp(before, memory, RAM));
}

static void one_insn(struct input *in)
{
	bool code64 = v->wide && input_u8(in) & 1;
	uint32_t i;

	for (i = 0; i < GPRS; i++)
		v->regs->gpr[i] = value(in) & (code64 ? UINT64_MAX : UINT32_MAX);
	v->regs->rip = 0x1000;
	/* #GP goes through tables that there are none of. */
	if (regs_ring(v->regs) == 3)
		return;
	if (personality_vmcall(v, 3, code64))
		CHECK_EQ(v->regs->rip, 0x1003);
	else
		CHECK_EQ(v->regs->rip, 0x1000);
	if (v->regs->stop == STOP_CALL) {
		v->late_mask = UINT64_MAX;
		late();
	}
}

/* Another accesses what may be claimed; or it has, and looks for its answer. */
static void other_asks(struct input *in)
{
	struct vcpu *o = &place[OTHER].vcpu[0];
	uint8_t how = input_u8(in);
	struct access a = {
		.memory = how & 1, .write = how & 2, .size = 1 << (how >> 2 & 3),
		.at = value(in), .value = value(in),
	};

	if (place[OTHER].ended || place[OTHER].gone)
		return;
	if (o->request.state == REQUEST_NONE && o->ask)
		o->ask(o, &a);
	if (o->request.state == REQUEST_NONE)
		return;
	CHECK_EQ(o->held, HELD_REQUEST);
	spin_lock(&place[OTHER].lock);
	requests_go(o);
	if (how >> 4 & 1 && !requests_over(o))
		requests_off(o);
	spin_unlock(&place[OTHER].lock);
	CHECK_EQ(place[CALLER].lock.next, place[CALLER].lock.owner);
	CHECK(o->request.state == REQUEST_NONE || o->held);
	o->regs->stop = STOP_NOT;
}

/* What they have made, and had; what was mapped goes back. */
static void end(void)
{
	uint64_t bytes = place[CALLER].mm.gmem.bytes;
	uint32_t i;

	pages_end(&place[CALLER]);
	for (i = 0; i < bytes; i += PAGE_SIZE)
		CHECK_EQ(mm_frame(&place[CALLER].mm, i / PAGE_SIZE) & PTE_ADDR,
			 host_pa(memory + i));
	for (i = GUESTS; i < guest_count; i++) {
		if (!guests[i]->destroyed)
			manage_destroy(guests[i]);
		host_pages_free(guests[i], sizeof(*guests[i]));
		guests[i] = NULL;
	}
	guest_count = GUESTS;
}

void fuzz_one(struct input *in)
{
	uint32_t i;

	begin(in);
	for (i = 0; i < OPS && in->left; i++) {
		uint8_t how = input_u8(in);

		v->regs->stop = STOP_NOT;
		v->regs->cs = how & 1 ? 0x73 : 0x61;
		if (how >> 1 & 1)
			scribble(in);
		if (how >> 3 & 1)
			other_asks(in);
		if (how >> 2 & 1)
			one_insn(in);
		else
			one_call(in);
		CHECK(v->regs->stop == STOP_NOT || v->regs->stop == STOP_CALL);
	}
	end();
}

// SPDX-License-Identifier: GPL-2.0-only
/* The update queue, whose words and tail are the guest's to write. */
#include "attack64.h"

/* A tail that is none. */
static void tail(uint32_t value)
{
	SHARED->tail = (int32_t)value;
	hypercall(STUB_HC_DRAIN, 0, 0, 0);
}

/* So many words, from where the ROM would begin. */
static void drain(const uint64_t *words, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		SHARED->queue[i] = words[i];
	SHARED->tail = (int32_t)count - (int32_t)STUB_QUEUE_LEN;
	hypercall(STUB_HC_DRAIN, 0, 0, 0);
}

static uint64_t words[STUB_QUEUE_LEN];

/* Each kind with addresses in memory, at its end, beyond it. */
static void queue_kind(uint32_t kind)
{
	static const uint64_t at[] = {
		0, 0xff8, 0x3fffff8, 0x3fff000, 0x4000000, 0xf0000000,
		0xfee00000, 0x100000000, 0xffffffffff000, 0x10000000000000,
		EDGE - 8, EDGE, ODD, TRAMP, TRAMP + 0x4000, TOP, AREA, -8ull,
		TEXT_BASE, DIRECT, PLAY
	};

	for (uint32_t i = 0; i < STUB_QUEUE_LEN; i++)
		words[i] = at[i % (sizeof(at) / sizeof(*at))] | kind;
	drain(words, STUB_QUEUE_LEN);
	drain(words, 1);
	is_well();
}

static void queue_noise(uint32_t low)
{
	for (uint32_t n = 0; n < 40; n++) {
		for (uint32_t i = 0; i < STUB_QUEUE_LEN; i++)
			words[i] = low ? random64() % 0x4000000 : random64();
		drain(words, STUB_QUEUE_LEN);
		probe_read(UNMAPPED);
	}
	is_well();
}

/* All frames become tables, or stop being some. */
static void queue_frames(uint32_t kind)
{
	for (uint64_t frame = 0; frame < 0x4000; frame += STUB_QUEUE_LEN) {
		for (uint32_t i = 0; i < STUB_QUEUE_LEN; i++)
			words[i] = (frame + i) * PAGE | kind;
		drain(words, STUB_QUEUE_LEN);
	}
	is_well();
}

/* The same word again and again: the loaded PML4. */
static void queue_same(uint32_t kind)
{
	for (uint32_t i = 0; i < STUB_QUEUE_LEN; i++)
		words[i] = pa(boot_pml4) | (i & 1 ? kind : kind ^ 3);
	for (uint32_t n = 0; n < 20; n++)
		drain(words, STUB_QUEUE_LEN);
	is_well();
}

/* Words of the area that hypercalls and entries look at. */
static void area_noise(uint32_t calls)
{
	uint32_t keep = 0;

	for (uint32_t n = 0; n < 300; n++) {
		volatile struct stub64_shared *s = SHARED;

		keep = s->flags;
		s->layout = random64();
		s->rsp0 = random64();
		s->scratch = random64();
		s->cr0 = random64();
		s->cr2 = random64();
		s->cr4 = random64();
		s->lstar = random64();
		s->cstar = random64();
		s->direct_va = random64();
		s->direct_bytes = random64();
		s->gdt_base = random64();
		s->idt_base = random64();
		s->gdt_limit = random64();
		s->idt_limit = random64();
		s->ldt = random64();
		s->tr = random64();
		s->dr[n & 7] = random64();
		s->linear[0].va = random64();
		s->linear[0].pa = random64();
		s->trace_used = random64();
		s->gdt_dirty = n & 7 ? 0 : random64();
		hypercall(calls ? STUB_HC_TRACE : STUB_HC_CANCEL_ALARM,
			  random64(), random64(), random64());
		s->flags = keep;
	}
	SHARED->direct_va = SHARED->direct_bytes = 0;
	SHARED->trace_used = 0;
	vmi4(SetLinearMapping, 0, DIRECT, 0x40000, 0);
	is_well();
}

/* What a lazy mode defers, in all combinations. */
static void deferred(uint32_t arg)
{
	(void)arg;
	for (uint32_t n = 0; n < 64; n++) {
		SHARED->cr3 = pa(boot_pml4) | (random64() & 0xfff);
		SHARED->deferred = random64();
		SHARED->gdt_dirty = random64();
		SHARED->lazy_mode = random64();
		hypercall(STUB_HC_DRAIN, 0, 0, 0);
		SHARED->lazy_mode = 0;
	}
	is_well();
}

#define BAD_TAIL "bad queue: tail -?\\d+ is not in -\\d+..0"

const struct attack queue_cases[] = {
	CASE_ARG("tail_1", tail, 1, .end = BAD_TAIL),
	CASE_ARG("tail_beyond", tail, -STUB_QUEUE_LEN - 1u, .end = BAD_TAIL),
	CASE_ARG("tail_min", tail, 0x80000000, .end = BAD_TAIL),
	CASE_ARG("tail_max", tail, 0x7fffffff, .end = BAD_TAIL),
	CASE_ARG("queue_update", queue_kind, 0),
	CASE_ARG("queue_alloc", queue_kind, 1),
	CASE_ARG("queue_release", queue_kind, 2),
	CASE_ARG("queue_inval", queue_kind, 3),
	CASE_ARG("queue_kind_4", queue_kind, 4),
	CASE_ARG("queue_kind_5", queue_kind, 5),
	CASE_ARG("queue_kind_6", queue_kind, 6),
	CASE_ARG("queue_kind_7", queue_kind, 7),
	CASE_ARG("queue_noise", queue_noise, 0),
	CASE_ARG("queue_noise_in_memory", queue_noise, 1),
	CASE_ARG("queue_all_tables", queue_frames, 1),
	CASE_ARG("queue_no_tables", queue_frames, 2),
	CASE_ARG("queue_same", queue_same, 1),
	CASE_ARG("area_noise", area_noise, 0),
	CASE_ARG("area_noise_trace", area_noise, 1),
	CASE(deferred),
	CASES_END
};

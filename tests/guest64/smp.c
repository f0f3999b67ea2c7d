// SPDX-License-Identifier: GPL-2.0-only
/* Further processors: found by the MP table, started by VMI64-3.8, given work. */
#include "processors.h"

#define MP_FIRST	0xf0000u
#define MP_LAST		0x100000u
#define MP_FLOATING	0x5f504d5fu	/* "_MP_" */
#define MP_PROCESSOR	0		/* MultiProcessor Specification, 4.3.1 */
#define MP_USABLE	1u
#define MP_BOOTS	2u

struct processor processor[PROCESSORS];
uint32_t processors = 1;

/* ---- the MP table ----------------------------------------------------------- */

struct mp_floating {
	uint32_t	signature, table;
} __attribute__((packed));

struct mp_table {
	uint32_t	signature;
	uint16_t	length;
	uint8_t		revision, checksum, name[20];
	uint32_t	oem;
	uint16_t	oem_size, entries;
	uint32_t	apic;
	uint16_t	extended;
	uint8_t		extended_checksum, reserved;
} __attribute__((packed));

struct mp_processor {
	uint8_t		type, id, version, flags;
	uint32_t	signature, features, reserved[2];
} __attribute__((packed));

static const struct mp_table *mp_find(void)
{
	for (uint32_t at = MP_FIRST; at < MP_LAST; at += 16) {
		const struct mp_floating *f = direct(at);

		if (f->signature == MP_FLOATING)
			return direct(f->table);
	}
	return NULL;
}

void processors_find(void)
{
	const struct mp_table *t = mp_find();
	const uint8_t *at = (const void *)(t + 1);

	processors = 1;
	for (uint32_t i = 0; t && i < t->entries; i++) {
		const struct mp_processor *p = (const void *)at;

		if (p->type != MP_PROCESSOR) {
			at += 8;
			continue;
		}
		at += sizeof(*p);
		if (p->flags & MP_BOOTS)
			processor[0].id = p->id;
		else if ((p->flags & MP_USABLE) && processors < PROCESSORS)
			processor[processors++].id = p->id;
	}
}

/* ---- start and stop ----------------------------------------------------------- */

struct vmi64_ap_state processor_state(uint32_t n)
{
	struct processor *p = &processor[n];
	const uint64_t at = (uint64_t)p->tss;
	struct vmi64_table_pointer idtr;

	for (uint32_t i = 0; i < GDT_ENTRIES; i++)
		p->gdt[i] = gdt[i];
	*(uint16_t *)(p->tss + 102) = sizeof(p->tss);
	p->gdt[TSS_SELECTOR / 8] = (sizeof(p->tss) - 1) |
				   (at & 0xffffff) << 16 | 0x89ull << 40 |
				   (at >> 24 & 0xff) << 56;
	p->gdt[TSS_SELECTOR / 8 + 1] = at >> 32;
	vmi1(GetIDT, &idtr);
	return (struct vmi64_ap_state){
		.cr0 = vmi0(GetCR0), .cr3 = vmi0(GetCR3), .cr4 = vmi0(GetCR4),
		.efer = rdmsr64(MSR_EFER),
		.rip = (uint64_t)processor_entry, .rflags = EFLAGS_FIXED,
		.rsp = (uint64_t)p->stack + sizeof(p->stack),
		.rdi = (uint64_t)p,
		.cs = KERNEL_CS, .ss = KERNEL_DS,
		.ds = USER_DS, .es = USER_DS,
		.gdtr_base = (uint64_t)p->gdt, .gdtr_limit = sizeof(p->gdt) - 1,
		.idtr_base = idtr.base, .idtr_limit = idtr.limit,
	};
}

void send_interrupt(uint32_t id, uint32_t icr)
{
	vmi2(APICWrite, APIC_ICR_HIGH, id << 24);
	vmi2(APICWrite, APIC_ICR, ICR_ASSERT | icr);
}

void processor_boot(uint32_t n, const struct vmi64_ap_state *state)
{
	const uint32_t id = processor[n].id;

	processor[n].work = NULL;
	send_interrupt(id, ICR_INIT);
	vmi2(SetInitialAPState, state, id);
	send_interrupt(id, ICR_STARTUP);
}

void processor_start(uint32_t n, const struct vmi64_ap_state *state)
{
	const uint32_t starts = processor[n].starts;

	processor_boot(n, state);
	while (processor[n].starts == starts)
		relax();
}

void processor_stop(uint32_t n)
{
	send_interrupt(processor[n].id, ICR_INIT);
}

/* ---- work ------------------------------------------------------------------------ */

void processor_loop(struct processor *p)
{
	void (*work)(uint64_t);

	vmi1(SetTR, TSS_SELECTOR);
	vmi2(APICWrite, APIC_SVR, SVR_ENABLE | 0xff);
	p->starts++;
	for (;;) {
		while (!(work = __atomic_load_n(&p->work, __ATOMIC_ACQUIRE)))
			relax();
		work(p->arg);
		__atomic_store_n(&p->work, NULL, __ATOMIC_RELEASE);
	}
}

/* The compiler may not move what the work is about behind it. */
void begin_on(uint32_t n, void (*work)(uint64_t), uint64_t arg)
{
	processor[n].arg = arg;
	__atomic_store_n(&processor[n].work, work, __ATOMIC_RELEASE);
}

void end_on(uint32_t n)
{
	while (__atomic_load_n(&processor[n].work, __ATOMIC_ACQUIRE))
		relax();
}

void run_on(uint32_t n, void (*work)(uint64_t), uint64_t arg)
{
	begin_on(n, work, arg);
	end_on(n);
}

static struct {
	uint64_t	entry, rdi, rsi;
} request;
static uint64_t answer;

static void do_call(uint64_t arg)
{
	(void)arg;
	answer = ((vmi_call *)request.entry)(request.rdi, request.rsi, 0, 0, 0);
}

uint64_t other_call_at(uint64_t entry, uint64_t rdi, uint64_t rsi)
{
	request.entry = entry;
	request.rdi = rdi;
	request.rsi = rsi;
	run_on(OTHER, do_call, 0);
	return answer;
}

static void do_read(uint64_t va)
{
	answer = word_at(va);
}

uint32_t other_read(uint64_t va)
{
	run_on(OTHER, do_read, va);
	return (uint32_t)answer;
}

static void do_probe_read(uint64_t va)
{
	answer = (uint64_t)probe_read(va);
}

static void do_probe_write(uint64_t va)
{
	answer = (uint64_t)probe_write(va);
}

int64_t other_probe(uint64_t va, bool write)
{
	run_on(OTHER, write ? do_probe_write : do_probe_read, va);
	return (int64_t)answer;
}

void barrier_wait(struct barrier *b, uint32_t of)
{
	uint32_t ticket = 1;

	__asm__ volatile("lock xaddl %0, %1"
			 : "+r"(ticket), "+m"(b->came) : : "memory", "cc");
	while (b->came / of <= ticket / of)
		relax();
}

void wait_a_tick(void)
{
	const uint64_t begin = vmi1(GetCycleCounter, VMI_CYCLES_REAL);
	const uint64_t tick = vmi0(GetCycleFrequency) >> 7;

	while (vmi1(GetCycleCounter, VMI_CYCLES_REAL) - begin < tick)
		relax();
}

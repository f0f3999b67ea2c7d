// SPDX-License-Identifier: GPL-2.0-only
/* Further processors: found by the MP table, started by VMI-3.8, given work. */
#include "calls.h"
#include "paging.h"
#include "smp.h"

#define MP_FIRST	0xf0000u
#define MP_LAST		0x100000u
#define MP_FLOATING	0x5f504d5fu	/* "_MP_" */
#define MP_PROCESSOR	0		/* MultiProcessor Specification, 4.3.1 */
#define MP_USABLE	1u
#define MP_BOOTS	2u
#define CPUID_EXT	0x80000001u
#define CPUID_NX	0x100000u
#define MSR_EFER	0xc0000080u
#define TSS_TYPE	0x8900u

struct processor processor[PROCESSORS];
uint32_t processors = 1;

uint32_t apic_get(uint32_t offset)
{
	return vmi1(APICRead, offset);
}

void apic_set(uint32_t offset, uint32_t value)
{
	vmi2(APICWrite, offset, value);
}

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
		const struct mp_floating *f = (const void *)(at + LINEAR);

		if (f->signature == MP_FLOATING)
			return (const void *)(f->table + LINEAR);
	}
	return NULL;
}

void processors_find(void)
{
	const struct mp_table *table = mp_find();
	const uint8_t *at = (const void *)(table + 1);

	for (uint32_t i = 0; table && i < table->entries; i++) {
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

static bool has_efer(void)
{
	uint32_t eax = CPUID_EXT, ebx, ecx = 0, edx;

	__asm__("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
	return edx & CPUID_NX;
}

struct vmi_ap_state processor_state(uint32_t n)
{
	struct processor *p = &processor[n];
	struct {
		uint16_t	limit;
		uint32_t	base;
	} __attribute__((packed)) idt;

	for (int i = 0; i < GDT_ENTRIES; i++)
		p->gdt[i] = gdt[i];
	p->tss[2] = KERNEL_DS;
	p->tss[25] = sizeof(p->tss) << 16;
	p->gdt[TSS_SELECTOR / 8] = descriptor((uintptr_t)p->tss,
					      sizeof(p->tss) - 1, TSS_TYPE);
	vmi1(GetIDT, (uintptr_t)&idt);
	return (struct vmi_ap_state){
		.cr0 = vmi0(GetCR0), .cr3 = vmi0(GetCR3), .cr4 = vmi0(GetCR4),
		.efer = has_efer() ? rdmsr(MSR_EFER) : 0,
		.eip = (uintptr_t)processor_entry, .eflags = EFLAGS_FIXED,
		.eax = (uintptr_t)p,
		.esp = (uintptr_t)p->stack + sizeof(p->stack),
		.cs = KERNEL_CS, .ss = KERNEL_DS,
		.ds = USER_DS, .es = USER_DS,
		.gdtr_base = (uintptr_t)p->gdt, .gdtr_limit = sizeof(p->gdt) - 1,
		.idtr_base = idt.base, .idtr_limit = idt.limit,
	};
}

void send_interrupt(uint32_t id, uint32_t icr)
{
	apic_set(APIC_ICR_HIGH, id << 24);
	apic_set(APIC_ICR, ICR_ASSERT | icr);
}

void send_init(uint32_t id)
{
	send_interrupt(id, ICR_INIT);
}

void send_startup(uint32_t id)
{
	send_interrupt(id, ICR_STARTUP);
}

void processor_boot(uint32_t n, const struct vmi_ap_state *state)
{
	const uint32_t id = processor[n].id;

	send_init(id);
	vmi2(SetInitialAPState, (uintptr_t)state, id);
	send_startup(id);
}

void processor_start(uint32_t n, const struct vmi_ap_state *state)
{
	const uint32_t starts = processor[n].starts;

	processor[n].work = NULL;
	processor_boot(n, state);
	while (processor[n].starts == starts)
		relax();
}

void processor_stop(uint32_t n)
{
	send_init(processor[n].id);
}

/* ---- work ------------------------------------------------------------------------ */

void processor_loop(struct processor *p)
{
	void (*work)(uint32_t);

	vmi1(SetTR, TSS_SELECTOR);
	apic_set(APIC_SVR, SVR_ENABLE | 0xff);
	p->starts++;
	for (;;) {
		while (!(work = __atomic_load_n(&p->work, __ATOMIC_ACQUIRE)))
			relax();
		work(p->arg);
		__atomic_store_n(&p->work, NULL, __ATOMIC_RELEASE);
		p->done++;
	}
}

/* The compiler may not move what the work is about behind it. */
void begin_on(uint32_t n, void (*work)(uint32_t), uint32_t arg)
{
	processor[n].arg = arg;
	__atomic_store_n(&processor[n].work, work, __ATOMIC_RELEASE);
}

void end_on(uint32_t n)
{
	while (__atomic_load_n(&processor[n].work, __ATOMIC_ACQUIRE))
		relax();
}

void run_on(uint32_t n, void (*work)(uint32_t), uint32_t arg)
{
	begin_on(n, work, arg);
	end_on(n);
}

void barrier_wait(struct barrier *b, uint32_t of)
{
	uint32_t ticket = 1;

	__asm__ volatile("lock xaddl %0, %1"
			 : "+r"(ticket), "+m"(b->came) : : "memory", "cc");
	while (b->came / of <= ticket / of)
		relax();
}

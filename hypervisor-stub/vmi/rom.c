// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ROM: what the guest finds in its low memory, the working copy above
 * virtual_top, and VMI_Init. The image was given to us by the user, not by
 * the guest; what the guest does to its own copy changes nothing.
 */
#include <cpu.h>
#include <string.h>

#include "check.h"
#include "hv.h"

#define ROM_GPA		VMI_SCAN_START
#define SHARED_PAGES	(sizeof(struct stub_shared) / PAGE_SIZE)

/* Entries for the reserved top. Ring 1 may read and run the ROM, and
 * read and write the shared area; ring 3 neither. */
#define TOP_ROM	0x061ull		/* D A P */
#define TOP_SHARED	0x8000000000000063ull	/* NX D A W P */

const char *rom_publish(struct guest *g, const uint8_t *image, size_t size)
{
	struct vcpu *v = &g->vcpu;
	const struct vmi_rom_header *h = (const void *)image;
	const struct vmi_pci_data *pci;
	const struct stub_rom_info *info;
	const struct stub_window *w;
	const char *err = vmi_rom_check(image, size);
	const uint32_t *relocs;
	uint8_t *copy;
	uint32_t i;

	if (!err)
		err = vmi_rom_check_stub(image, size);
	if (err)
		return err;
	pci = (const void *)(image + h->pci);
	if (g->mm.gmem.bytes > GMEM_LOW_END && !pci->rom_major &&
	    pci->rom_minor < 2)
		return "older than 0.2, and knows of no memory above 4 GB: memory=3072 at most";
	if (h->virtual_top % (4 << 20) || h->virtual_top < 0xf0000000)
		return "virtual_top is not 4 MB aligned in the top 256 MB";
	size = h->length * VMI_ROM_UNIT;
	info = (const void *)(image + STUB_INFO_OFFSET);

	copy = host_pages(STUB_ROM_MAX, PAGE_SIZE);
	v->sh = host_pages(sizeof(*v->sh), PAGE_SIZE);
	g->rom = copy;
	if (!copy || !v->sh)
		return "no memory for its working copy";
	memcpy(copy, image, size);
	relocs = (const void *)(image + info->relocs);
	for (i = 0; i < info->reloc_count; i++) {
		uint32_t word;

		memcpy(&word, copy + relocs[i], 4);
		word += h->virtual_top;
		memcpy(copy + relocs[i], &word, 4);
	}
	gmem_boot_copy(&g->mm.gmem, ROM_GPA, image, size);

	g->rom_size = size;
	g->virtual_top = h->virtual_top;
	v->rom_base = h->virtual_top + STUB_ROM_OFFSET;
	v->rom_end = v->rom_base + size;
	v->iret_entry = v->rom_base + info->iret_entry;
	for (i = 0; i < ARRAY_SIZE(v->iret_insn); i++)
		v->iret_insn[i] = v->rom_base + info->iret_insn[i];
	w = (const void *)(image + info->windows);
	v->windows = info->window_count;
	for (i = 0; i < v->windows; i++)
		v->window[i] = (struct stub_window){
			.start = v->rom_base + w[i].start,
			.end = v->rom_base + w[i].end,
			.restart = v->rom_base + w[i].restart,
			.clear_if = w[i].clear_if,
		};
	return NULL;
}

/* VMI_Init: from here on the top of the linear space is ours. */
void rom_activate(struct vcpu *v)
{
	struct guest *g = v->g;
	volatile struct stub_shared *sh = v->sh;
	uint32_t i;

	if (g->mm.reserved) {
		v->regs->gpr[EAX] = UINT32_MAX;
		return;
	}
	for (i = 0; i * PAGE_SIZE < g->rom_size; i++)
		mm_reserved_page(&g->mm, i, (host_pa(g->rom) + i * PAGE_SIZE) |
					    TOP_ROM);
	for (i = 0; i < SHARED_PAGES; i++)
		mm_reserved_page(&g->mm, STUB_SHARED_OFFSET / PAGE_SIZE + i,
				 (host_pa(sh) + i * PAGE_SIZE) | TOP_SHARED);

	sh->layout = STUB_LAYOUT;
	sh->cr0 = v->cr0;
	sh->cr3 = v->mmu.cr3;
	sh->cr4 = v->cr4;
	sh->ss0 = v->regs->ss;
	sh->tail = (int32_t)(v->queue_start - STUB_QUEUE_LEN);
	sh->queue_guard = STUB_QUEUE_GUARD;
	v->tsc_base = rdtsc();
	sh->tsc_base = v->tsc_base;
	sh->tsc_hz = host_tsc_hz;
	v->stolen = sh->stolen = 0;

	mmu_reserve(&v->mmu, g->virtual_top);
	v->stack_limit = g->virtual_top - FRAME_MAX;
	desc_load_gdt(v, v->gdt_base, v->gdt_limit);
	desc_load_idt(v, v->idt_base, v->idt_limit);
	v->regs->gpr[EAX] = 0;
	log_printf("%s: VMI_Init at %08x, shared area at machine address %09lx\n",
		   g->name, (uint32_t)v->regs->eip, host_pa(sh));
}

/*
 * Where in the kernel does a jump to our IRET stand? The guest patched it in
 * and a JMP leaves no trace. It is what system calls return by: look around
 * their entry (that of page faults may be far away, in a section of its own),
 * and take the nearest; also where linear slot 0 maps the entry, for kernels
 * that take their events at low addresses. Needed only when an IRET faults.
 */
#define SITE_RANGE	(64u << 10)	/* on either side */
#define JMP		0xe9		/* with 32 bits */

static bool is_jump_to(const uint8_t *insn, gva_t at, uint32_t target)
{
	uint32_t rel;

	memcpy(&rel, insn + 1, 4);
	return insn[0] == JMP && at + 5 + rel == target;
}

static bool find_site_around(struct vcpu *v, gva_t middle)
{
	static uint8_t text[2 * SITE_RANGE];
	gva_t start = (middle - SITE_RANGE) & ~(PAGE_SIZE - 1);
	const uint8_t *p, *end = text + sizeof(text) - 4;
	uint32_t page, best = UINT32_MAX;

	for (page = 0; page < sizeof(text); page += PAGE_SIZE)
		if (!guest_read(&v->mmu, text + page, start + page, PAGE_SIZE))
			memset(text + page, 0, PAGE_SIZE);
	for (p = text; (p = memchr(p, JMP, end - p)); p++) {
		gva_t at = start + (p - text);
		uint32_t distance = at > middle ? at - middle : middle - at;

		if (distance >= best || !is_jump_to(p, at, v->iret_entry))
			continue;
		best = distance;
		v->iret_site = at;
	}
	return best != UINT32_MAX;
}

bool rom_find_iret_site(struct vcpu *v)
{
	gva_t entry = v->gate[gate_usable(&v->gate[SYSCALL_VECTOR]) ?
			      SYSCALL_VECTOR : VEC_PF].eip;
	uint8_t insn[5];

	if (v->iret_site && guest_read(&v->mmu, insn, v->iret_site, 5) &&
	    is_jump_to(insn, v->iret_site, v->iret_entry))
		return true;
	return find_site_around(v, entry) ||
	       find_site_around(v, entry - v->sh->linear[0].pa +
				v->sh->linear[0].va);
}

/* ---- the trace ---------------------------------------------------------- */

/*
 * What vmi-run --trace reads out of the machine's memory while the machine
 * runs: a port would take an exit of QEMU's for each byte. host_trace() tells it
 * first where that is, eight bytes, and then by a byte that there is more, some
 * times in each round. Should it be slow, we wait.
 */
#define TRACE_WORDS	(1u << 20)
#define TRACE_TELL	(TRACE_WORDS / 8)

struct trace_ring {
	volatile uint64_t	written;	/* words in all */
	volatile uint64_t	read;		/* by vmi-run */
	uint8_t			pad[PAGE_SIZE - 16];
	uint32_t		word[TRACE_WORDS];
};

const char *rom_trace_init(struct guest *g)
{
	uint64_t at;
	int i;

	g->trace = host_pages(sizeof(*g->trace), PAGE_SIZE);
	if (!g->trace)
		return "no memory for its trace";
	at = host_pa(g->trace);
	for (i = 0; i < 8; i++)
		host_trace(at >> i * 8);
	return NULL;
}

/*
 * What a ROM that traces has put into trace[]: on, unread. Also at the end of
 * the guest, so that nothing is lost.
 */
void rom_trace_drain(struct vcpu *v)
{
	volatile struct stub_shared *sh = v->sh;
	const volatile uint32_t *word = (const volatile uint32_t *)sh->trace;
	struct trace_ring *t = v->g->trace;
	uint32_t used = sh->trace_used, i;
	uint64_t at;

	if (used > sizeof(sh->trace))
		used = sizeof(sh->trace);
	used /= sizeof(*word);
	if (t) {
		at = t->written;
		while (at + used - t->read > TRACE_WORDS)
			asm volatile("pause");
		for (i = 0; i < used; i++)
			t->word[(at + i) % TRACE_WORDS] = word[i];
		t->written = at + used;
		if (at / TRACE_TELL != (at + used) / TRACE_TELL)
			host_trace(0);
	}
	sh->trace_used = 0;
}

void rom_free(struct guest *g)
{
	host_pages_free((void *)g->rom, STUB_ROM_MAX);
	host_pages_free((void *)g->vcpu.sh, sizeof(*g->vcpu.sh));
	host_pages_free(g->trace, sizeof(*g->trace));
	g->rom = NULL;
	g->vcpu.sh = NULL;
	g->trace = NULL;
}

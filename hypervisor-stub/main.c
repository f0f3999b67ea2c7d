// SPDX-License-Identifier: GPL-2.0-only
/*
 * From the boot loader to the first instruction of the guest. Kernel, ROM
 * and initial RAM disk are multiboot modules; a module's string is
 * "FILE role=ROLE name=NAME", NAME being what error messages call it. The
 * command line is "memory=MB [nobatch] [verify] -- command line of the guest".
 */
#include <cpu.h>
#include <string.h>

#include "hv.h"
#include "loader.h"
#include "memory.h"

#define MULTIBOOT_MAGIC	0x2badb002u
#define MB_MODULES	(1u << 3)
#define MB_MMAP		(1u << 6)
#define STACK_SIZE	16384u

#define MSR_SYSENTER_CS	0x174

/* Multiboot specification 0.6.96, 3.3. */
struct multiboot_info {
	uint32_t	flags;
	uint32_t	mem_lower, mem_upper;
	uint32_t	boot_device;
	uint32_t	cmdline;
	uint32_t	mods_count, mods_addr;
	uint32_t	syms[4];
	uint32_t	mmap_length, mmap_addr;
};

struct multiboot_module {
	uint32_t	start, end;
	uint32_t	string;
	uint32_t	reserved;
};

struct multiboot_range {
	uint32_t	size;		/* of what follows */
	uint64_t	base, length;
	uint32_t	type;		/* 1: RAM */
} __attribute__((packed));

struct module {
	const char	*name;
	const uint8_t	*data;
	uint64_t	size;
};

extern const char image_end[];

static struct guest guest;

/* ---- strings ------------------------------------------------------------ */

static bool starts_with(const char *s, const char *prefix)
{
	for (; *prefix; s++, prefix++)
		if (*s != *prefix)
			return false;
	return true;
}

/* Behind the first occurrence of a word, or NULL. */
static const char *after(const char *s, const char *word)
{
	for (; *s; s++)
		if (starts_with(s, word))
			return s + strlen(word);
	return NULL;
}

/* Is the word among the options before " -- "? */
static bool option(const char *cmdline, const char *word)
{
	const char *at = after(cmdline, word), *end = after(cmdline, " -- ");

	return at && at < end;
}

static uint64_t number(const char *s)
{
	uint64_t n = 0;

	while (*s >= '0' && *s <= '9' && n < 1ull << 40)
		n = n * 10 + *s++ - '0';
	return n;
}

/* ---- what the boot loader says ------------------------------------------ */

static struct module find_module(const struct multiboot_info *mb,
				 const char *role)
{
	const struct multiboot_module *m = pa_to_va(mb->mods_addr);
	struct module found = { 0 };
	uint32_t i;

	for (i = 0; (mb->flags & MB_MODULES) && i < mb->mods_count; i++) {
		const char *s = pa_to_va(m[i].string), *r = after(s, "role=");

		if (!r || !starts_with(r, role))
			continue;
		found.name = after(s, "name=");
		if (!found.name)
			found.name = role;
		found.data = pa_to_va(m[i].start);
		found.size = m[i].end - m[i].start;
	}
	return found;
}

/* The largest range of RAM behind our image and the modules. */
static void find_memory(const struct multiboot_info *mb)
{
	const struct multiboot_module *m = pa_to_va(mb->mods_addr);
	uint64_t used = va_to_pa(image_end), best = 0, best_size = 0;
	uint32_t i;

	for (i = 0; (mb->flags & MB_MODULES) && i < mb->mods_count; i++)
		if (m[i].end > used)
			used = m[i].end;
	for (i = 0; (mb->flags & MB_MMAP) && i < mb->mmap_length;) {
		const struct multiboot_range *r = pa_to_va(mb->mmap_addr + i);
		uint64_t start = r->base, stop = r->base + r->length;

		i += r->size + 4;
		if (r->type != 1)
			continue;
		if (start < used)
			start = used;
		if (stop > DIRECT_SIZE)
			stop = DIRECT_SIZE;
		if (stop > start && stop - start > best_size) {
			best = start;
			best_size = stop - start;
		}
	}
	memory_init(best, best_size);
}

/* ---- the processor ------------------------------------------------------ */

static void cpu_init(void)
{
	uint32_t r[4];
	uint64_t cr4 = CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT;

	cpuid(7, 0, r);
	if (r[2] & 1u << 2)
		cr4 |= CR4_UMIP;
	else
		log_printf("warning: no UMIP; SGDT, SIDT, SLDT, STR and SMSW show the hypervisor's values\n");
	write_cr4(cr4);
	/* With it SYSENTER faults, and so comes to us (SDM Vol. 2). */
	wrmsr(MSR_SYSENTER_CS, 0);
}

/* ---- the guest ---------------------------------------------------------- */

static void guest_memory(struct guest *g, uint64_t mb)
{
	uint64_t bytes = mb << 20;
	uint32_t i;
	uint8_t *bus;

	if (bytes < LOADER_RAM_MIN || bytes > LOADER_RAM_MAX)
		bad_input("memory=%lu: a guest has %lu to %lu MB", mb,
			  (uint64_t)LOADER_RAM_MIN >> 20,
			  (uint64_t)LOADER_RAM_MAX >> 20);
	g->nframes = bytes >> PAGE_SHIFT;
	/* Aligned, so that the guest's large pages can be large here too. */
	g->ram = memory_alloc(bytes, 2 << 20);
	g->p2m = memory_alloc(g->nframes * sizeof(*g->p2m), PAGE_SIZE);
	g->frames = memory_alloc(g->nframes * sizeof(*g->frames), PAGE_SIZE);
	bus = memory_alloc(PAGE_SIZE, PAGE_SIZE);
	if (!g->ram || !g->p2m || !g->frames || !bus)
		bad_input("memory=%lu: the machine has not that much, and some for the hypervisor",
			  mb);
	memset(bus, 0xff, PAGE_SIZE);
	g->bus = va_to_pa(bus);
	for (i = 0; i < g->nframes; i++) {
		g->p2m[i] = va_to_pa(g->ram) + (uint64_t)i * PAGE_SIZE;
		if (i % 512 == 0 && i + 512 <= g->nframes)
			g->frames[i].flags = GF_LARGE;
	}
}

static void guest_load(struct guest *g, const struct multiboot_info *mb,
		       const char *cmdline, struct loader_out *out)
{
	struct module kernel = find_module(mb, "kernel");
	struct module initrd = find_module(mb, "initrd");
	struct module rom = find_module(mb, "rom");
	struct loader_in in = {
		.ram = g->ram,
		.ram_size = (uint64_t)g->nframes << PAGE_SHIFT,
		.kernel = kernel.data,
		.kernel_size = kernel.size,
		.initrd = initrd.data,
		.initrd_size = initrd.size,
		.cmdline = cmdline,
	};
	const char *err;

	if (!kernel.data)
		bad_input("no module with role=kernel");
	if (!rom.data)
		bad_input("no module with role=rom");
	if (!loader_load(&in, out)) {
		const char *name = out->part == LOADER_KERNEL ? kernel.name :
				   out->part == LOADER_INITRD ? initrd.name :
				   out->part == LOADER_MEMORY ? "memory" :
				   "command line";

		bad_input("%s: %s", name, out->error);
	}
	err = rom_publish(g, rom.data, rom.size);
	if (err)
		bad_input("%s: %s", rom.name, err);
}

/*
 * The state that Linux's 32-bit boot protocol asks for, but at ring 1:
 * __BOOT_CS 10h and __BOOT_DS 18h, flat (Documentation/x86/boot.rst).
 */
static void guest_start_state(struct vcpu *v, const struct loader_out *out)
{
	struct regs *r = v->regs;

	v->cr0 = v->sh->cr0 = CR0_PE | CR0_ET;
	v->guest_last = UINT32_MAX;
	v->stack_limit = UINT32_MAX - FRAME_MAX;
	dr_write(v, 6, 0);
	dr_write(v, 7, 0);
	v->pat = 0x0007040600070406;	/* SDM Vol. 3, 12.12.4 */
	r->eip = out->eip;
	r->cs = BOOT_CS | 1;
	r->eflags = EFLAGS_FIXED | EFLAGS_IF;
	r->esp = out->esp;
	r->ss = BOOT_DS | 1;
	r->gpr[ESI] = out->esi;
	current = v;
	shadow_load(v);
	desc_load_gdt(v, out->gdt_base, out->gdt_limit);
	write_ds(BOOT_DS);
	write_es(BOOT_DS);
	write_fs(BOOT_DS);
	write_gs(BOOT_DS);
}

void hv_main(uint32_t magic, uint32_t info);
void hv_main(uint32_t magic, uint32_t info)
{
	const struct multiboot_info *mb = pa_to_va(info);
	struct guest *g = &guest;
	struct vcpu *v = &g->vcpu;
	struct loader_out out = { 0 };
	const char *cmdline, *guest_cmdline, *err;
	uint64_t memory;
	uint8_t *stack;

	if (magic != MULTIBOOT_MAGIC)
		bad_input("not started by a multiboot loader");
	cmdline = pa_to_va(mb->cmdline);
	guest_cmdline = after(cmdline, " -- ");
	cmdline = after(cmdline, "memory=");
	if (!guest_cmdline || !cmdline)
		bad_input("the command line is \"memory=MB [nobatch] [verify] -- command line of the guest\"");
	memory = number(cmdline);

	cpu_init();
	find_memory(mb);
	machine_init();

	v->g = g;
	guest_memory(g, memory);
	guest_load(g, mb, guest_cmdline, &out);
	v->queue_start = option(cmdline, "nobatch") ? STUB_QUEUE_LEN - 1 : 0;
	v->verify = option(cmdline, "verify");
	v->sh->tail = (int32_t)(v->queue_start - STUB_QUEUE_LEN);

	stack = memory_alloc(STACK_SIZE, PAGE_SIZE);
	hv_assert(stack);
	v->regs = (struct regs *)(stack + STACK_SIZE) - 1;
	err = shadow_init(g, 1024 + g->nframes / 32);
	if (err)
		bad_input("memory=%lu: %s", memory, err);
	desc_init(g, stack + STACK_SIZE);
	apic_init(&g->apic);
	pic_init(&g->pic);
	pit_init(&g->pit, tsc_hz);
	uart_init(&g->uart, io_console_tx, NULL);
	rtc_init(&g->rtc, memory << 20);

	guest_start_state(v, &out);
	log_printf("OpenVMI stub: %lu MB of memory for the guest, TSC %lu Hz, entry at %08x\n",
		   memory, tsc_hz, out.eip);
	enter_guest(v->regs);
}

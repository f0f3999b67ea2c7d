// SPDX-License-Identifier: GPL-2.0-only
/*
 * From the boot loader to the first instruction of each guest. What a guest
 * is made of are multiboot modules: a kernel, and the ROM and initial RAM disk
 * that follow it. Their strings are
 *
 *	FILE role=kernel memory=MB [OPTION...] name=NAME -- COMMAND LINE
 *	FILE role=rom name=NAME
 *	FILE role=initrd name=NAME
 *
 * NAME is what error messages call it. A guest without a ROM gets the first
 * guest's. OPTIONs: nobatch, verify, trace (vmi-run --help), and console=N: the
 * console is not the serial port but debug port E0h + N, N from 1 to 8, which
 * takes bytes and gives none. Our own command line may say mitigations=off
 * (speculation.c).
 */
#include <cpu.h>
#include <string.h>

#include "hv.h"
#include "loader.h"
#include "metal.h"
#include "speculation.h"

#define MULTIBOOT_MAGIC	0x2badb002u
#define MB_CMDLINE	(1u << 2)
#define MB_MODULES	(1u << 3)
#define MB_MMAP		(1u << 6)

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
	const char	*string;
	const char	*name;
	const uint8_t	*data;
	uint64_t	size;
};

/* What one guest is made of. */
struct modules {
	struct module	kernel, rom, initrd;
};

extern const char image_end[];

struct guest *guests[GUESTS_MAX];
uint32_t guest_count;

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

/* Behind the option in a module's string, or NULL. */
static const char *option(const struct module *m, const char *word)
{
	const char *at = after(m->string, word);

	return at && at <= m->name ? at : NULL;
}

static uint64_t number(const char *s)
{
	uint64_t n = 0;

	while (*s >= '0' && *s <= '9' && n < 1ull << 40)
		n = n * 10 + *s++ - '0';
	return n;
}

/* ---- what the boot loader says ------------------------------------------ */

static bool mitigations_off(const struct multiboot_info *mb)
{
	const char *word = mb->flags & MB_CMDLINE ?
			   after(pa_to_va(mb->cmdline), "mitigations=") : NULL;

	if (word && !starts_with(word, "off") && !starts_with(word, "auto"))
		bad_input("mitigations=%s: auto or off", word);
	return word && starts_with(word, "off");
}

static struct module module_at(const struct multiboot_info *mb, uint32_t i)
{
	const struct multiboot_module *m = pa_to_va(mb->mods_addr);
	const char *string = pa_to_va(m[i].string);
	const char *name = after(string, "name=");

	if (!name || !after(string, "role="))
		bad_input("module \"%s\": it has no role=, or no name=", string);
	return (struct module){
		.string = string,
		.name = name,
		.data = pa_to_va(m[i].start),
		.size = m[i].end - m[i].start,
	};
}

/* Sort the modules by guest; returns their number. */
static uint32_t find_guests(const struct multiboot_info *mb,
			    struct modules guest[GUESTS_MAX])
{
	uint32_t i, n = 0;

	for (i = 0; (mb->flags & MB_MODULES) && i < mb->mods_count; i++) {
		struct module m = module_at(mb, i);
		const char *role = after(m.string, "role=");

		if (starts_with(role, "kernel")) {
			if (n == GUESTS_MAX)
				bad_input("more than %u guests", GUESTS_MAX);
			guest[n++].kernel = m;
		} else if (!n) {
			bad_input("%s: a module before the first kernel", m.name);
		} else if (starts_with(role, "rom")) {
			guest[n - 1].rom = m;
		} else if (starts_with(role, "initrd")) {
			guest[n - 1].initrd = m;
		} else {
			bad_input("%s: its role is unknown", m.name);
		}
	}
	if (!n)
		bad_input("no module with role=kernel");
	return n;
}

/* What follows " -- " in the kernel's string; there the name ends. */
static const char *command_line(struct module *kernel)
{
	static const char mark[] = " -- ";
	char *at = (char *)kernel->name;

	for (; *at && !starts_with(at, mark); at++)
		;
	if (!*at)
		return at;
	*at = '\0';
	return at + strlen(mark);
}

/* The ranges of RAM behind our image and the modules. */
static void find_memory(const struct multiboot_info *mb)
{
	const struct multiboot_module *m = pa_to_va(mb->mods_addr);
	uint64_t used = va_to_pa(image_end);
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
		if (start < stop)
			memory_add(start, stop - start);
	}
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
	mce_init();
	/* With it SYSENTER faults, and so comes to us (SDM Vol. 2). */
	wrmsr(MSR_SYSENTER_CS, 0);
}

/* ---- the guest ---------------------------------------------------------- */

static void guest_memory(struct guest *g, uint64_t mb)
{
	uint64_t bytes = mb << 20;

	if (bytes < LOADER_RAM_MIN || bytes > LOADER_RAM_MAX)
		bad_input("%s: memory=%lu: a guest has %lu to %lu MB",
			  g->name, mb, LOADER_RAM_MIN >> 20,
			  LOADER_RAM_MAX >> 20);
	if (!gmem_init(&g->mem, bytes))
		bad_input("%s: memory=%lu: the machine has not that much, and some for the hypervisor",
			  g->name, mb);
}

static void guest_load(struct guest *g, struct modules *m,
		       struct loader_out *out)
{
	struct loader_in in = {
		.ram = gmem_boot_ram(&g->mem),
		.ram_size = g->mem.ram_bytes,
		.rest = g->mem.bytes - g->mem.ram_bytes,
		.kernel = m->kernel.data,
		.kernel_size = m->kernel.size,
		.initrd = m->initrd.data,
		.initrd_size = m->initrd.size,
		.cmdline = command_line(&m->kernel),
	};
	const char *err;

	if (!m->rom.data)
		bad_input("no module with role=rom");
	if (!loader_load(&in, out)) {
		const char *name = out->part == LOADER_KERNEL ? m->kernel.name :
				   out->part == LOADER_INITRD ? m->initrd.name :
				   out->part == LOADER_MEMORY ? "memory" :
				   "command line";

		bad_input("%s: %s", name, out->error);
	}
	err = rom_publish(g, m->rom.data, m->rom.size);
	if (err)
		bad_input("%s: %s", m->rom.name, err);
}

/*
 * The state that Linux's 32-bit boot protocol asks for, but at ring 1:
 * __BOOT_CS 10h and __BOOT_DS 18h, flat (Documentation/x86/boot.rst).
 */
static void guest_start_state(struct vcpu *v, const struct loader_out *out)
{
	struct regs *r = v->regs;
	uint32_t i;

	v->sh->cr0 = v->cr0 = CR0_PE | CR0_ET;
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
	for (i = 0; i < ARRAY_SIZE(v->sreg); i++)
		v->sreg[i] = BOOT_DS;
	desc_load(v);
}

static void guest_devices(struct guest *g, const struct modules *m)
{
	const char *console = option(&m->kernel, "console=");
	uint64_t n = console ? number(console) : 0;

	if (n > HOST_CONSOLES)
		bad_input("console=%lu: there are %u", n, HOST_CONSOLES);
	g->console = n;
	io_init(g);
}

static const char *const guest_name[GUESTS_MAX] = {
	"guest 1", "guest 2", "guest 3", "guest 4",
	"guest 5", "guest 6", "guest 7", "guest 8",
};

/* A guest, ready to run. The CPU holds its state then. */
static void guest_create(struct modules *m, const char *name)
{
	struct guest *g = memory_alloc(sizeof(*g), PAGE_SIZE);
	const char *memory = option(&m->kernel, "memory="), *err;
	struct loader_out out = { 0 };
	struct vcpu *v = &g->vcpu;

	if (!memory)
		bad_input("%s: memory=MB is missing", m->kernel.name);
	if (!g)
		bad_input("%s: no memory for another guest", name);
	g->name = name;
	v->g = g;
	guest_memory(g, number(memory));
	v->queue_start = option(&m->kernel, "nobatch") ? STUB_QUEUE_LEN - 1 : 0;
	v->verify = option(&m->kernel, "verify");
	guest_load(g, m, &out);
	v->sh->tail = (int32_t)(v->queue_start - STUB_QUEUE_LEN);

	v->regs = (struct regs *)stack_top(STACK_VCPU + guest_count) - 1;
	v->regs->vcpu = v;
	err = shadow_init(g, 1024 + g->mem.nframes / 32);
	if (!err && option(&m->kernel, "trace"))
		err = rom_trace_init(g);
	if (err)
		bad_input("%s: memory=%lu: %s", name, number(memory), err);
	desc_init(v);
	guest_devices(g, m);
	guest_start_state(v, &out);
	sched_add(v);
	log_printf("%s: %lu MB of memory, entry at %08x\n", name,
		   number(memory), out.eip);
}

void hv_main(uint32_t magic, uint32_t info);
void hv_main(uint32_t magic, uint32_t info)
{
	const struct multiboot_info *mb = pa_to_va(info);
	static struct modules modules[GUESTS_MAX];
	uint32_t count, i;

	serial_init();
	if (magic != MULTIBOOT_MAGIC)
		bad_input("not started by a multiboot loader");
	speculation_init(mitigations_off(mb));
	map_init();
	count = find_guests(mb, modules);

	cpu_init();
	find_memory(mb);
	clock_init();
	idt_init();
	if (!espfix_init())
		bad_input("no memory for the hypervisor");
	log_printf("OpenVMI stub: TSC %lu Hz\n", tsc_hz);
	for (i = 0; i < count; i++) {
		if (!modules[i].rom.data)
			modules[i].rom = modules[0].rom;
		guest_create(&modules[i], count > 1 ? guest_name[i] : "guest");
	}
	sched_run();
}

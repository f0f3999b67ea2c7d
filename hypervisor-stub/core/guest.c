// SPDX-License-Identifier: GPL-2.0-only
/*
 * The owner of guests: what they are made of, how they begin, how they end,
 * and where everything goes that they had.
 */
#include <host.h>
#include <lib.h>
#include <string.h>

#include "check.h"
#include "core.h"
#include "log.h"
#include "loader.h"
#include "solo5.h"
#include "vmi_hypercall.h"

_Static_assert(GUESTS_MAX * GUEST_VCPUS <= HOST_STACKS, "each has one");

struct guest *guests[GUESTS_MAX];
uint32_t guest_count;

/* Of 32-bit guests, and of 64-bit ones. */
static struct guest_image machine_rom[2];

/* ---- errors ------------------------------------------------------------- */

static bool __attribute__((format(printf, 2, 3)))
refuse(char error[GUEST_ERROR_MAX], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print_buffer(error, GUEST_ERROR_MAX, fmt, ap);
	va_end(ap);
	return false;
}

/* ---- the beginning ------------------------------------------------------- */

static bool take_memory(struct guest *g, char *error)
{
	uint64_t mb = g->config->memory, bytes = mb << 20;

	if (bytes < LOADER_RAM_MIN || bytes > LOADER_RAM_MAX)
		return refuse(error, "%s: memory=%lu: a guest has %lu to %lu MB",
			      g->name, mb, LOADER_RAM_MIN >> 20,
			      LOADER_RAM_MAX >> 20);
	if (!gmem_init(&g->mm.gmem, bytes))
		return refuse(error, "%s: memory=%lu: the machine has not that much, and some for the hypervisor",
			      g->name, mb);
	return true;
}

static const char *part_name(const struct guest_config *c,
			     enum loader_part part)
{
	return part == LOADER_KERNEL ? c->kernel.name :
	       part == LOADER_INITRD ? c->initrd.name :
	       part == LOADER_MEMORY ? "memory" :
	       part == LOADER_COMM ? "comm" : "command line";
}

/* What the machine has under that number. */
static bool take_device(struct solo5_device *d, const struct guest_device *c,
			char *error)
{
	uint32_t there = c->net ? host_nets : host_disks;

	if (c->nr >= there)
		return refuse(error, "%s=%u:%s: the machine has %u",
			      c->net ? "net" : "disk", c->nr, c->name, there);
	*d = (struct solo5_device) {
		.name = c->name,
		.type = c->net ? SOLO5_NET : SOLO5_BLOCK,
		.nr = c->nr,
	};
	if (c->net)
		host_net_mac(c->nr, d->mac);
	else
		d->capacity = host_disk_bytes(c->nr);
	return true;
}

static bool load_unikernel(struct guest *g, char *error)
{
	const struct guest_config *c = g->config;
	struct solo5_in in = {
		.ram = gmem_boot_ram(&g->mm.gmem),
		.ram_size = g->mm.gmem.ram_bytes,
		.rest = g->mm.gmem.bytes - g->mm.gmem.ram_bytes,
		.file = c->kernel.data,
		.file_size = c->kernel.size,
		.cmdline = c->cmdline,
		.tsc_hz = host_tsc_hz,
		.devices = c->devices,
	};
	struct solo5_out out;
	struct solo5 *s;
	uint32_t i;

	if (c->cpus != 1)
		return refuse(error, "cpus=%u: a unikernel has one", c->cpus);
	if (c->comm)
		return refuse(error, "comm=0x%lx: a unikernel has no shared variables",
			      c->comm);
	s = g->solo5 = host_pages(sizeof(*s), PAGE_SIZE);
	if (!s)
		return refuse(error, "%s: no memory for its calls", g->name);
	for (i = 0; i < c->devices; i++)
		if (!take_device(&s->device[i], &c->device[i], error))
			return false;
	in.device = s->device;
	if (!solo5_load(&in, &out))
		return refuse(error, "%s: %s", part_name(c, out.part),
			      out.error);
	s->handles = out.handles;
	memcpy(s->handle, out.handle, sizeof(s->handle));
	s->mem_size = out.mem_size;
	s->again = UINT64_MAX;
	g->vcpu[0].initial.wide = out.start;
	return true;
}

/*
 * The state that Linux's boot protocol asks for, but at ring 1: __BOOT_CS 10h and
 * __BOOT_DS 18h, flat (Documentation/x86/boot.rst).
 */
static struct vmi_ap_state first_state(uint32_t eip)
{
	return (struct vmi_ap_state){
		.cr0 = CR0_PE | CR0_ET,
		.eip = eip, .eflags = EFLAGS_FIXED,
		.esp = BOOT_STACK, .esi = BOOT_PARAMS,
		.cs = BOOT_CS, .ss = BOOT_DS,
		.ds = BOOT_DS, .es = BOOT_DS, .fs = BOOT_DS, .gs = BOOT_DS,
		.gdtr_base = BOOT_GDT, .gdtr_limit = BOOT_GDT_BYTES - 1,
	};
}

static struct vmi64_ap_state first_state_wide(uint64_t rip)
{
	return (struct vmi64_ap_state){
		.cr0 = CR0_PE | CR0_ET | CR0_PG,
		.cr3 = BOOT_TABLES,
		.cr4 = CR4_PAE,
		.efer = EFER_LME | EFER_LMA,
		.rip = rip, .rflags = EFLAGS_FIXED,
		.rsp = BOOT_STACK, .rsi = BOOT_PARAMS,
		.cs = BOOT_CS, .ss = BOOT_DS,
		.ds = BOOT_DS, .es = BOOT_DS, .fs = BOOT_DS, .gs = BOOT_DS,
		.gdtr_base = BOOT_GDT, .gdtr_limit = BOOT_GDT_BYTES - 1,
	};
}

void guest_rom(const struct guest_image *rom)
{
	bool wide = vmi64_rom_is(rom->data, rom->size);

	if (!machine_rom[wide].data)
		machine_rom[wide] = *rom;
}

/* Its own, or the machine's for its kind; if there is none the other, which then is
 * refused. */
static const struct guest_image *rom_of(const struct guest *g)
{
	if (g->config->rom.data)
		return &g->config->rom;
	return &machine_rom[machine_rom[g->wide].data ? g->wide : !g->wide];
}

static bool load_kernel(struct guest *g, char *error)
{
	const struct guest_config *c = g->config;
	struct loader_in in = {
		.ram = gmem_boot_ram(&g->mm.gmem),
		.ram_size = g->mm.gmem.ram_bytes,
		.rest = g->mm.gmem.bytes - g->mm.gmem.ram_bytes,
		.kernel = c->kernel.data,
		.kernel_size = c->kernel.size,
		.initrd = c->initrd.data,
		.initrd_size = c->initrd.size,
		.cmdline = c->cmdline,
		.comm = c->comm,
	};
	const struct guest_image *rom;
	struct loader_out out;
	const char *err;

	if (c->devices)
		return refuse(error, "%s: disks and networks are for unikernels",
			      c->kernel.name);
	if (!loader_load(&in, &out))
		return refuse(error, "%s: %s", part_name(c, out.part),
			      out.error);
	g->wide = out.wide;
	g->comm.page = out.comm;
	if (out.wide)
		g->vcpu[0].initial.wide = first_state_wide(out.entry);
	else
		g->vcpu[0].initial.legacy = first_state(out.entry);
	rom = rom_of(g);
	if (!rom->data)
		return refuse(error, "no module with role=rom");
	err = rom_publish(&g->rom, &g->mm.gmem, rom->data, rom->size, g->wide);
	return err ? refuse(error, "%s: %s", rom->name, err) : true;
}

static uint32_t stack_of(const struct guest *g, uint32_t nr)
{
	return STACK_VCPU + g->slot * GUEST_VCPUS + nr;
}

/* Of either kind. */
#define SHARED_BYTES	sizeof(struct stub64_shared)

static const char *build_vcpu(struct guest *g, uint32_t nr)
{
	const struct guest_config *c = g->config;
	struct vcpu *v = &g->vcpu[nr];
	const char *err;

	v->g = g;
	v->nr = nr;
	v->sibling = &g->vcpu[(nr + 1) % c->cpus];
	v->first = &g->vcpu[0];
	v->hypercall = g->wide ? hcall_wide : hcall;
	v->cpuid = personality_cpuid;
	v->sealed = g->unikernel ? SOLO5_BASE : 0;
	v->vmcall = personality_vmcall;
	v->rom = &g->rom;
	v->bus = &g->bus;
	v->apic = &g->apic[nr];
	v->pic = &g->pic;
	v->verify = c->verify;
	v->queue_start = c->nobatch ? STUB_QUEUE_LEN - 1 : 0;
	v->peeked = v->queue_start;
	v->regs = (struct regs *)stack_top(stack_of(g, nr)) - 1;
	memset(v->regs, 0, sizeof(*v->regs));
	v->regs->vcpu = v;
	v->regs->lock = &g->lock;
	v->sh = host_pages(SHARED_BYTES, PAGE_SIZE);
	if (!v->sh)
		return "no memory for its shared areas";
	v->sh->tail = (int32_t)(v->queue_start - STUB_QUEUE_LEN);
	v->wide = g->wide;
	err = mmu_init(&v->mmu, &g->mm);
	if (!err && !(desc_init(v) && (!v->wide || wide_init(v))))
		err = "no memory for its descriptor tables";
	return err;
}

static bool build(struct guest *g, char *error)
{
	const struct guest_config *c = g->config;
	const char *err;
	uint32_t i;

	g->console = c->console;
	g->vcpus = c->cpus;
	if (!take_memory(g, error) ||
	    !(g->unikernel ? load_unikernel(g, error) : load_kernel(g, error)))
		return false;
	if ((g->kvmi || (c->rights & VMI_RIGHT_INTROSPECT)) &&
	    !mm_view_init(&g->mm))
		return refuse(error, "%s: no memory for introspection", g->name);
	if (!pages_init(g))
		return refuse(error, "%s: no memory for pages of others", g->name);
	err = mm_init(&g->mm, 1024 + g->mm.gmem.nframes / 32,
		      g->wide);
	for (i = 0; i < g->vcpus && !err; i++)
		err = build_vcpu(g, i);
	if (!err && c->trace) {
		g->trace = trace_init();
		if (!g->trace)
			err = "no memory for its trace";
	}
	if (err)
		return refuse(error, "%s: memory=%lu: %s", g->name, c->memory,
			      err);
	io_init(g);
	comm_init(g);
	requests_start(g);
	return true;
}

/* Guests begin at the same time, on several processors. */
static uint64_t next_life(void)
{
	static struct spinlock lock;
	static uint64_t lives;
	uint64_t life;

	spin_lock(&lock);
	life = ++lives;
	spin_unlock(&lock);
	return life;
}

/* Everything anew but what the machine keeps count of. */
static bool start(struct guest *g, char *error)
{
	const struct guest_config *config = g->config;
	const union vcpu_initial *initial = &g->vcpu[0].initial;

	g->name = config->name;
	g->starts++;
	g->life = next_life();
	g->reset = g->paused = g->waits = false;
	memset(&g->vcpus, 0, sizeof(*g) - offsetof(struct guest, vcpus));
	if (config->starts > 1)
		log_printf("%s: start %u of %u, %lu KB of memory free\n",
			   g->name, g->starts, config->starts,
			   host_pages_left() >> 10);
	if (!build(g, error)) {
		guest_release(g);
		return false;
	}
	g->vcpu[0].starting = true;
	log_printf("%s: %lu MB of memory, entry at %08lx\n", g->name,
		   config->memory, g->wide ? initial->wide.rip :
		   initial->legacy.eip);
	if (g->wide && host_is_tcg())
		log_printf("%s: a 64-bit kernel: QEMU's TCG does not contain a hostile one (spec/security.md)\n",
			   g->name);
	return true;
}

/* Its stacks stay for as long as it may be started again. */
static bool take_stacks(const struct guest *g, uint32_t vcpus)
{
	uint32_t i;

	for (i = 0; i < vcpus; i++)
		if (!host_stack(stack_of(g, i)))
			return false;
	return true;
}

bool guest_create_at(uint32_t slot, const struct guest_config *config,
		     struct made *made, char *error)
{
	bool new = slot == guest_count;
	struct guest *g = new ? host_pages(sizeof(*g), PAGE_SIZE) : guests[slot];
	bool room = false;

	if (g) {
		g->config = config;
		g->made = made;
		g->slot = slot;
		g->starts = 0;
		g->service = (struct service){ 0 };
		g->unikernel = solo5_is(config->kernel.data,
					config->kernel.size);
		g->wide = g->unikernel;
		g->shares = config->shares;
		g->pin = config->pin;
		g->special = g->unikernel || config->introspect;
		room = kvmi_init(g);
	}
	if (!room || !take_stacks(g, config->cpus)) {
		kvmi_free(g);
		if (new)
			host_pages_free(g, sizeof(*g));
		return refuse(error, "%s: no memory for another guest",
			      config->name);
	}
	if (!start(g, error)) {
		kvmi_free(g);
		if (new)
			host_pages_free(g, sizeof(*g));
		return false;
	}
	g->destroyed = false;
	g->gone = g->waits = made != NULL;
	guests[slot] = g;
	/* Others look at them at any time: it is there before it counts. */
	asm volatile("" : : : "memory");
	if (new)
		guest_count = slot + 1;
	return true;
}

bool guest_create(const struct guest_config *config, char *error)
{
	if (guest_count == GUESTS_MAX)
		return refuse(error, "%s: no memory for another guest",
			      config->name);
	return guest_create_at(guest_count, config, NULL, error);
}

/* ---- the end ------------------------------------------------------------ */

void guest_release(struct guest *g)
{
	struct vcpu *v;

	for (v = g->vcpu; v < g->vcpu + g->vcpus; v++) {
		wide_free(v);
		desc_free(v);
		host_pages_free((void *)v->sh, SHARED_BYTES);
		v->sh = NULL;
		mmu_free(&v->mmu);
	}
	pages_free(g);
	rom_free(&g->rom);
	trace_free(g->trace);
	g->trace = NULL;
	host_pages_free(g->solo5, sizeof(*g->solo5));
	g->solo5 = NULL;
	mm_free(&g->mm);
	gmem_free(&g->mm.gmem);
}

bool guest_starts_again(const struct guest *g)
{
	return !g->destroyed && (g->reset || g->starts < g->config->starts);
}

bool guest_restart(struct guest *g)
{
	char error[GUEST_ERROR_MAX];

	if (start(g, error))
		return true;
	log_printf("error: %s\n", error);
	g->starts = g->config->starts;
	g->end = END_BAD_INPUT;
	g->reset = false;
	return false;
}

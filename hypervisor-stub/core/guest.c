// SPDX-License-Identifier: GPL-2.0-only
/*
 * The owner of guests: what they are made of, how they begin, how they end,
 * and where everything goes that they had.
 */
#include <host.h>
#include <lib.h>
#include <string.h>

#include "core.h"
#include "log.h"
#include "loader.h"

_Static_assert(GUESTS_MAX <= HOST_STACKS, "each has one");

struct guest *guests[GUESTS_MAX];
uint32_t guest_count;

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

static bool load_images(struct guest *g, struct loader_out *out, char *error)
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
	};
	const char *err;

	if (!loader_load(&in, out)) {
		const char *name = out->part == LOADER_KERNEL ? c->kernel.name :
				   out->part == LOADER_INITRD ? c->initrd.name :
				   out->part == LOADER_MEMORY ? "memory" :
				   "command line";

		return refuse(error, "%s: %s", name, out->error);
	}
	err = rom_publish(&g->rom, &g->mm.gmem, c->rom.data, c->rom.size);
	return err ? refuse(error, "%s: %s", c->rom.name, err) : true;
}

/*
 * The state that Linux's 32-bit boot protocol asks for, but at ring 1:
 * __BOOT_CS 10h and __BOOT_DS 18h, flat (Documentation/x86/boot.rst).
 */
static void start_state(struct vcpu *v, uint32_t eip)
{
	struct regs *r = v->regs;
	uint32_t i;

	v->sh->cr0 = v->cr0 = CR0_PE | CR0_ET;
	v->stack_limit = UINT32_MAX - FRAME_MAX;
	dr_write(v, 6, 0);
	dr_write(v, 7, 0);
	v->pat = 0x0007040600070406;	/* SDM Vol. 3, 12.12.4 */
	r->eip = eip;
	r->cs = BOOT_CS | 1;
	r->eflags = EFLAGS_FIXED | EFLAGS_IF;
	r->esp = BOOT_STACK;
	r->ss = BOOT_DS | 1;
	r->gpr[ESI] = BOOT_PARAMS;
	current = v;
	desc_load_gdt(v, BOOT_GDT, BOOT_GDT_BYTES - 1);
	for (i = 0; i < ARRAY_SIZE(v->sreg); i++)
		v->sreg[i] = BOOT_DS;
	desc_load(v);
}

static bool build(struct guest *g, struct loader_out *out, char *error)
{
	const struct guest_config *c = g->config;
	struct vcpu *v = &g->vcpu;
	const char *err;

	v->queue_start = c->nobatch ? STUB_QUEUE_LEN - 1 : 0;
	v->verify = c->verify;
	g->console = c->console;
	v->sh = host_pages(sizeof(*v->sh), PAGE_SIZE);
	if (!v->sh)
		return refuse(error, "%s: no memory for its shared area",
			      g->name);
	if (!take_memory(g, error) || !load_images(g, out, error))
		return false;
	v->sh->tail = (int32_t)(v->queue_start - STUB_QUEUE_LEN);
	err = mm_init(&g->mm, 1024 + g->mm.gmem.nframes / 32);
	if (!err)
		err = mmu_init(&v->mmu, &g->mm);
	if (!err && c->trace) {
		g->trace = trace_init();
		if (!g->trace)
			err = "no memory for its trace";
	}
	if (!err && !desc_init(v))
		err = "no memory for its descriptor tables";
	if (err)
		return refuse(error, "%s: memory=%lu: %s", g->name, c->memory,
			      err);
	io_init(g);
	return true;
}

/* Everything anew but what the machine keeps count of. */
static bool start(struct guest *g, char *error)
{
	const struct guest_config *config = g->config;
	struct loader_out out = { 0 };
	struct vcpu *v = &g->vcpu;
	uint32_t slot = g->slot, starts = g->starts;

	*g = (struct guest){ .name = config->name, .config = config,
			     .slot = slot, .starts = starts + 1,
			     .vcpu.ended = true };
	v->g = g;
	v->rom = &g->rom;
	v->bus = &g->bus;
	v->apic = &g->apic;
	v->pic = &g->pic;
	v->regs = (struct regs *)stack_top(STACK_VCPU + slot) - 1;
	memset(v->regs, 0, sizeof(*v->regs));
	v->regs->vcpu = v;
	if (config->starts > 1)
		log_printf("%s: start %u of %u, %lu KB of memory free\n",
			   g->name, g->starts, config->starts,
			   host_pages_left() >> 10);
	if (!build(g, &out, error)) {
		cr_unload();
		guest_release(g);
		return false;
	}
	start_state(v, out.eip);
	v->ended = false;
	log_printf("%s: %lu MB of memory, entry at %08x\n", g->name,
		   config->memory, out.eip);
	return true;
}

bool guest_create(const struct guest_config *config, char *error)
{
	struct guest *g = guest_count < GUESTS_MAX &&
			  host_stack(STACK_VCPU + guest_count) ?
			  host_pages(sizeof(*g), PAGE_SIZE) : NULL;

	if (!g)
		return refuse(error, "%s: no memory for another guest",
			      config->name);
	g->config = config;
	g->slot = guest_count;
	if (!start(g, error)) {
		host_pages_free(g, sizeof(*g));
		return false;
	}
	guests[guest_count++] = g;
	return true;
}

/* ---- the end ------------------------------------------------------------ */

void guest_release(struct guest *g)
{
	desc_free(&g->vcpu);
	rom_free(&g->rom);
	trace_free(g->trace);
	g->trace = NULL;
	host_pages_free((void *)g->vcpu.sh, sizeof(*g->vcpu.sh));
	g->vcpu.sh = NULL;
	mmu_free(&g->vcpu.mmu);
	mm_free(&g->mm);
	gmem_free(&g->mm.gmem);
}

bool guest_starts_again(const struct guest *g)
{
	return g->starts < g->config->starts;
}

bool guest_restart(struct guest *g)
{
	char error[GUEST_ERROR_MAX];

	if (start(g, error))
		return true;
	log_printf("error: %s\n", error);
	g->starts = g->config->starts;
	g->vcpu.end = END_BAD_INPUT;
	return false;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * QEMU plugin: how often each instruction of the machine ran, and what each
 * exit to the hypervisor cost. Knows no symbols: profile.py adds them.
 *
 *	-plugin file=profile.so,out=FILE
 *
 * FILE, numbers in hexadecimal but for those of counts:
 *	windows COUNT
 *	insn ADDRESS COUNT COUNT-INSIDE
 *	exit ENTRY SITE LANDING INSIDE COUNT SUM MIN MAX
 *
 * The hypervisor is what runs above 4 GB. An exit begins where it is entered
 * (ENTRY, which tells the vector) and ends at the guest's next instruction
 * (LANDING, 0 in user mode). SITE is the guest's INT 82h, if that was the
 * way. SUM, MIN, MAX: instructions of the hypervisor. INSIDE: between the
 * two marks that bench.c executes around what it measures.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qemu_plugin.h"

#define HYPERVISOR	0x100000000ull	/* lowest address */
#define KERNEL		0xc0000000ull	/* lowest address of the guest's */
#define STUB_VECTOR	0x82

/* As in bench.c. */
static const uint8_t mark_start[] = { 0x0f, 0x1f, 0x84, 0, 'S', 'T', 'R', 'T' };
static const uint8_t mark_stop[] = { 0x0f, 0x1f, 0x84, 0, 'S', 'T', 'O', 'P' };

int qemu_plugin_version = PLUGIN_VERSION;

static const char *out_path;

static void *allocate(size_t size)
{
	void *p = calloc(1, size);

	if (!p) {
		perror("profile");
		exit(1);
	}
	return p;
}

/* ---- instructions ------------------------------------------------------ */

/* QEMU's code counts in place: a counter never moves. */
struct counter {
	struct counter	*next;		/* with the same hash */
	uint64_t	address;
	uint64_t	count;
	uint64_t	inside;		/* modulo 2^64 while a window is open */
};

#define BUCKETS		(1u << 18)
static struct counter *bucket[BUCKETS];

static struct counter *counter_of(uint64_t address)
{
	struct counter **at = &bucket[(address ^ address >> 18) % BUCKETS];
	struct counter *c;

	for (c = *at; c; c = c->next)
		if (c->address == address)
			return c;
	c = allocate(sizeof(*c));
	c->address = address;
	c->next = *at;
	*at = c;
	return c;
}

/* ---- exits ------------------------------------------------------------- */

struct reason {
	uint64_t	entry, site, landing;
	bool		inside;
	uint64_t	count, sum, min, max;
};

#define REASONS		(1u << 16)
static struct reason *reason[REASONS];

static struct reason *reason_of(uint64_t entry, uint64_t site,
				uint64_t landing, bool inside)
{
	uint64_t hash = (entry >> 4) * 31 + site * 17 + landing * 7 + inside;
	uint32_t i, tries;
	struct reason *r;

	for (tries = 0; tries < REASONS; tries++) {
		i = (hash + tries) % REASONS;
		r = reason[i];
		if (!r) {
			r = reason[i] = allocate(sizeof(*r));
			r->entry = entry;
			r->site = site;
			r->landing = landing;
			r->inside = inside;
			r->min = UINT64_MAX;
			return r;
		}
		if (r->entry == entry && r->site == site &&
		    r->landing == landing && r->inside == inside)
			return r;
	}
	fprintf(stderr, "profile: too many kinds of exits\n");
	exit(1);
}

static uint64_t hv_count;		/* its instructions so far */
static uint64_t entered_at, entry, site;
static bool in_hypervisor, in_window;
static uint64_t windows;

static void hypervisor_block(unsigned int cpu, void *address)
{
	(void)cpu;
	if (in_hypervisor)
		return;
	in_hypervisor = true;
	entered_at = hv_count;
	entry = (uintptr_t)address;
}

static void guest_block(unsigned int cpu, void *address)
{
	uint64_t landing = (uintptr_t)address, cost;
	struct reason *r;

	(void)cpu;
	if (!in_hypervisor)
		return;
	in_hypervisor = false;
	cost = hv_count - entered_at;
	r = reason_of(entry, site, landing >= KERNEL ? landing : 0, in_window);
	site = 0;
	r->count++;
	r->sum += cost;
	r->min = cost < r->min ? cost : r->min;
	r->max = cost > r->max ? cost : r->max;
}

static void hypercall(unsigned int cpu, void *address)
{
	(void)cpu;
	site = (uintptr_t)address;
}

/* ---- windows ----------------------------------------------------------- */

static void window(bool open)
{
	struct counter *c;
	uint32_t i;

	if (in_window == open)
		return;
	in_window = open;
	windows += open;
	for (i = 0; i < BUCKETS; i++)
		for (c = bucket[i]; c; c = c->next)
			c->inside += open ? -c->count : c->count;
}

static void window_start(unsigned int cpu, void *arg)
{
	(void)cpu, (void)arg;
	window(true);
}

static void window_stop(unsigned int cpu, void *arg)
{
	(void)cpu, (void)arg;
	window(false);
}

/* ---- QEMU calls us ----------------------------------------------------- */

static void guest_instruction(struct qemu_plugin_insn *insn, uint64_t address)
{
	const uint8_t *code = qemu_plugin_insn_data(insn);
	size_t size = qemu_plugin_insn_size(insn);
	plugin_executed executed = NULL;

	if (size == 2 && code[0] == 0xcd && code[1] == STUB_VECTOR)
		executed = hypercall;
	else if (size != sizeof(mark_start))
		return;
	else if (!memcmp(code, mark_start, size))
		executed = window_start;
	else if (!memcmp(code, mark_stop, size))
		executed = window_stop;
	if (executed)
		qemu_plugin_register_vcpu_insn_exec_cb(
			insn, executed, PLUGIN_NO_REGS,
			(void *)(uintptr_t)address);
}

static void translated(plugin_id id, struct qemu_plugin_tb *tb)
{
	uint64_t start = qemu_plugin_tb_vaddr(tb), address;
	size_t i, n = qemu_plugin_tb_n_insns(tb);
	bool ours = start >= HYPERVISOR;
	struct qemu_plugin_insn *insn;

	(void)id;
	qemu_plugin_register_vcpu_tb_exec_cb(
		tb, ours ? hypervisor_block : guest_block, PLUGIN_NO_REGS,
		(void *)(uintptr_t)start);
	for (i = 0; i < n; i++) {
		insn = qemu_plugin_tb_get_insn(tb, i);
		address = qemu_plugin_insn_vaddr(insn);
		qemu_plugin_register_vcpu_insn_exec_inline(
			insn, PLUGIN_ADD_U64, &counter_of(address)->count, 1);
		if (ours)
			qemu_plugin_register_vcpu_insn_exec_inline(
				insn, PLUGIN_ADD_U64, &hv_count, 1);
		else
			guest_instruction(insn, address);
	}
}

static void write_all(plugin_id id, void *arg)
{
	FILE *f = fopen(out_path, "w");
	const struct counter *c;
	const struct reason *r;
	uint32_t i;

	(void)id, (void)arg;
	if (!f) {
		perror(out_path);
		return;
	}
	window(false);
	fprintf(f, "windows %lu\n", windows);
	for (i = 0; i < BUCKETS; i++)
		for (c = bucket[i]; c; c = c->next)
			if (c->count)
				fprintf(f, "insn %lx %lu %lu\n", c->address,
					c->count, c->inside);
	for (i = 0; i < REASONS; i++) {
		r = reason[i];
		if (r)
			fprintf(f, "exit %lx %lx %lx %d %lu %lu %lu %lu\n",
				r->entry, r->site, r->landing, r->inside,
				r->count, r->sum, r->min, r->max);
	}
	if (fclose(f))
		perror(out_path);
}

int qemu_plugin_install(plugin_id id, const struct plugin_info *info,
			int argc, char **argv)
{
	int i;

	(void)info;
	for (i = 0; i < argc; i++)
		if (!strncmp(argv[i], "out=", 4))
			out_path = strdup(argv[i] + 4);
	if (!out_path) {
		fprintf(stderr, "profile: out=FILE is missing\n");
		return -1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, write_all, NULL);
	return 0;
}

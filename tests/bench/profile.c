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
 *	window CPU USER KERNEL HYPERVISOR EXITS
 *
 * The hypervisor is what runs above 4 GB. An exit begins where it is entered
 * (ENTRY, which tells the vector) and ends at the guest's next instruction
 * (LANDING, 0 in user mode). SITE is the guest's INT 82h, if that was the
 * way. SUM, MIN, MAX: instructions of the hypervisor. INSIDE: between the
 * two marks that a program executes around what it measures (program.h). What
 * each processor did there, in instructions by part and in exits, is in a line
 * for each of them, in the order of the windows; the ROM is the kernel's part.
 *
 * QEMU has to run its processors in turn, in one thread: the counters are not
 * atomic.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qemu_plugin.h"

#define HYPERVISOR	0x100000000ull	/* lowest address */
#define KERNEL		0xc0000000ull	/* lowest address of the guest's */
#define STUB_VECTOR	0x82

/* As in program.h. */
static const uint8_t mark_start[] = { 0x0f, 0x1f, 0x84, 0, 'S', 'T', 'R', 'T' };
static const uint8_t mark_stop[] = { 0x0f, 0x1f, 0x84, 0, 'S', 'T', 'O', 'P' };

int qemu_plugin_version = PLUGIN_VERSION;

static const char *out_path;
static FILE *out;

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

/* QEMU's code counts in place. Side by side, so that a window opens at once: a
 * timer's interrupt would be due in it else. */
#define COUNTERS	(1u << 20)
static uint64_t count[COUNTERS];
static uint64_t windowed[COUNTERS];/* modulo 2^64 while a window is open */
static uint64_t address_of[COUNTERS];
static uint32_t next[COUNTERS];		/* with the same hash; 0: none */
static uint32_t counters = 1;

#define BUCKETS		(1u << 18)
static uint32_t bucket[BUCKETS];

static uint64_t *counter_of(uint64_t address)
{
	uint32_t *at = &bucket[(address ^ address >> 18) % BUCKETS], i;

	for (i = *at; i; i = next[i])
		if (address_of[i] == address)
			return &count[i];
	if (counters == COUNTERS) {
		fprintf(stderr, "profile: too many instructions\n");
		exit(1);
	}
	i = counters++;
	address_of[i] = address;
	next[i] = *at;
	*at = i;
	return &count[i];
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

/* ---- processors --------------------------------------------------------- */

enum part { USER, GUEST_KERNEL, HV, PARTS };

struct side {				/* in all, since reset */
	uint64_t	instructions[PARTS];
	uint64_t	exits;
};

#define CPUS		16
static struct cpu {
	uint64_t	entered_at;	/* of its instructions in HV */
	uint64_t	entry, site;
	bool		in_hypervisor;
	struct side	side, before;	/* before: the window */
} cpu[CPUS];
static unsigned int cpus;		/* that have run */

static uint64_t pending;		/* instructions not yet in a side */
static unsigned int running;
static enum part running_in;
static bool in_window;
static uint64_t windows;

static void account(void)
{
	cpu[running].side.instructions[running_in] += pending;
	pending = 0;
}

/* A block begins, on this processor. */
static struct cpu *block_of(unsigned int nr, enum part part)
{
	if (nr >= CPUS) {
		fprintf(stderr, "profile: too many processors\n");
		exit(1);
	}
	account();
	running = nr;
	running_in = part;
	if (nr >= cpus)
		cpus = nr + 1;
	return &cpu[nr];
}

static void hypervisor_block(unsigned int nr, void *address)
{
	struct cpu *c = block_of(nr, HV);

	if (c->in_hypervisor)
		return;
	c->in_hypervisor = true;
	c->entered_at = c->side.instructions[HV];
	c->entry = (uintptr_t)address;
	c->side.exits++;
}

static void guest_block(unsigned int nr, void *address)
{
	uint64_t landing = (uintptr_t)address, cost;
	struct cpu *c = block_of(nr, landing >= KERNEL ? GUEST_KERNEL : USER);
	struct reason *r;

	if (!c->in_hypervisor)
		return;
	c->in_hypervisor = false;
	cost = c->side.instructions[HV] - c->entered_at;
	r = reason_of(c->entry, c->site, landing >= KERNEL ? landing : 0,
		      in_window);
	c->site = 0;
	r->count++;
	r->sum += cost;
	r->min = cost < r->min ? cost : r->min;
	r->max = cost > r->max ? cost : r->max;
}

static void hypercall(unsigned int nr, void *address)
{
	cpu[nr].site = (uintptr_t)address;
}

/* ---- windows ----------------------------------------------------------- */

static void write_side(unsigned int nr)
{
	const struct side *now = &cpu[nr].side, *before = &cpu[nr].before;
	uint32_t part;

	fprintf(out, "window %u", nr);
	for (part = 0; part < PARTS; part++)
		fprintf(out, " %lu", now->instructions[part] -
			before->instructions[part]);
	fprintf(out, " %lu\n", now->exits - before->exits);
}

static void window(bool open)
{
	uint32_t i;

	if (in_window == open)
		return;
	in_window = open;
	windows += open;
	account();
	for (i = 0; i < cpus; i++)
		if (open)
			cpu[i].before = cpu[i].side;
		else
			write_side(i);
	for (i = 0; i < counters; i++)
		windowed[i] += open ? -count[i] : count[i];
}

static void window_start(unsigned int nr, void *arg)
{
	(void)nr, (void)arg;
	window(true);
}

static void window_stop(unsigned int nr, void *arg)
{
	(void)nr, (void)arg;
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
			insn, PLUGIN_ADD_U64, counter_of(address), 1);
		qemu_plugin_register_vcpu_insn_exec_inline(
			insn, PLUGIN_ADD_U64, &pending, 1);
		if (!ours)
			guest_instruction(insn, address);
	}
}

static void write_all(plugin_id id, void *arg)
{
	const struct reason *r;
	uint32_t i;

	(void)id, (void)arg;
	window(false);
	fprintf(out, "windows %lu\n", windows);
	for (i = 0; i < counters; i++)
		if (count[i])
			fprintf(out, "insn %lx %lu %lu\n", address_of[i],
				count[i], windowed[i]);
	for (i = 0; i < REASONS; i++) {
		r = reason[i];
		if (r)
			fprintf(out, "exit %lx %lx %lx %d %lu %lu %lu %lu\n",
				r->entry, r->site, r->landing, r->inside,
				r->count, r->sum, r->min, r->max);
	}
	if (fclose(out))
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
	out = fopen(out_path, "w");
	if (!out) {
		perror(out_path);
		return -1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, write_all, NULL);
	return 0;
}

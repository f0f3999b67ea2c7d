// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calls of a unikernel: OUT of 32 bits to a port, which says where the call's
 * block is. The block is read once, when the call is made; what is wrong with the
 * arguments is an answer, if the ABI has one, and else the end of the unikernel,
 * with status 1, as any other access to a port is.
 *
 * A call that cannot be over at once waits: its vCPU is halted until an interrupt
 * of the device, or a time, and each time it is taken a step further (update()).
 * No step is long: 64 KB of a disk, 2 KB of text.
 */
#include <cpu.h>
#include <string.h>

#include "core.h"
#include "log.h"
#include "solo5.h"

_Static_assert(SOLO5_FRAME == HOST_NET_MAX, "one frame");

#define NEVER		UINT64_MAX
#define ETHERNET	14u		/* its header: no frame is shorter */
#define NS		1000000000ull

/* ---- memory that it names ------------------------------------------------- */

/* The boot information can be read, not written, as it is mapped. */
static bool inside(const struct solo5 *s, gpa_t from, gpa_t pa, uint64_t len)
{
	return pa >= from && pa <= s->mem_size && len <= s->mem_size - pa;
}

static bool readable(const struct solo5 *s, gpa_t pa, uint64_t len)
{
	return inside(s, SOLO5_BOOT_INFO, pa, len);
}

static bool writable(const struct solo5 *s, gpa_t pa, uint64_t len)
{
	return inside(s, SOLO5_BASE, pa, len);
}

/* Of memory that was checked. */
static void read(const struct guest *g, void *dst, gpa_t src, uint64_t len)
{
	hv_assert(gmem_read(&g->mm.gmem, dst, src, len));
}

static void write(const struct guest *g, gpa_t dst, const void *src,
		  uint64_t len)
{
	hv_assert(gmem_write(&g->mm.gmem, dst, src, len));
}

/* A field of the call's block. */
#define ANSWER(g, type, field, value) do {				\
		struct type block_ = { .field = (value) };		\
									\
		write(g, (g)->solo5->block + offsetof(struct type, field), \
		      &block_.field, sizeof(block_.field));		\
	} while (0)

static const struct solo5_device *device(const struct solo5 *s, uint64_t handle,
					 enum solo5_type type)
{
	const struct solo5_device *d = handle < s->handles ?
				       s->handle[handle] : NULL;

	return d && d->type == type ? d : NULL;
}

/* ---- time ------------------------------------------------------------------ */

static uint64_t deadline(uint64_t ns)
{
	uint64_t seconds = ns / NS, now = rdtsc(), cycles;

	if (seconds >= NEVER / 2 / host_tsc_hz)
		return NEVER;
	cycles = seconds * host_tsc_hz + ns % NS * host_tsc_hz / NS;
	return cycles > NEVER - now ? NEVER : now + cycles;
}

/* ---- text ------------------------------------------------------------------ */

/* Nobody tells when a console takes more: a byte of a serial line is soon out. */
#define CONSOLE_HZ	10000u

static bool puts_step(struct guest *g, struct solo5 *s)
{
	uint64_t left = s->arg.puts.len - s->done;
	uint32_t n = left < sizeof(s->buffer) ? left : sizeof(s->buffer), i;

	read(g, s->buffer, s->arg.puts.data + s->done, n);
	for (i = 0; i < n && host_console_ready(g->console); i++)
		host_console_put(g->console, s->buffer[i]);
	s->done += i;
	s->again = rdtsc() + (i < n ? host_tsc_hz / CONSOLE_HZ : 0);
	return s->done == s->arg.puts.len;
}

/* ---- networks -------------------------------------------------------------- */

#define NET_HZ		1000u		/* of one that takes no frame now */

static bool poll_step(struct guest *g, struct solo5 *s)
{
	uint64_t ready = 0;
	int32_t count = 0;
	uint32_t i;

	for (i = 0; i < s->handles; i++) {
		const struct solo5_device *d = device(s, i, SOLO5_NET);

		if (!d || !host_net_waits(d->nr))
			continue;
		ready |= 1ull << i;
		count++;
	}
	s->again = s->deadline;
	if (!count && rdtsc() < s->deadline)
		return false;
	ANSWER(g, solo5_poll, ready, ready);
	ANSWER(g, solo5_poll, ret, count);
	return true;
}

static bool net_write_step(struct guest *g, struct solo5 *s)
{
	const struct solo5_net *a = &s->arg.net;

	read(g, s->buffer, a->data, a->len);
	s->again = rdtsc() + host_tsc_hz / NET_HZ;
	if (!host_net_put(device(s, a->handle, SOLO5_NET)->nr, s->buffer,
			  a->len))
		return false;
	ANSWER(g, solo5_net, ret, SOLO5_OK);
	return true;
}

/* What there is no room for is lost, as it is for read(2). */
static void net_read(struct guest *g, struct solo5 *s)
{
	const struct solo5_net *a = &s->arg.net;
	uint64_t len = host_net_get(device(s, a->handle, SOLO5_NET)->nr,
				    s->buffer);

	if (len) {
		len = len < a->len ? len : a->len;
		write(g, a->data, s->buffer, len);
		ANSWER(g, solo5_net, len, len);
	}
	ANSWER(g, solo5_net, ret, len ? SOLO5_OK : SOLO5_AGAIN);
}

/* ---- disks ------------------------------------------------------------------ */

static bool block_step(struct guest *g, struct solo5 *s)
{
	const struct solo5_block *a = &s->arg.block;
	bool is_write = s->call == SOLO5_BLOCK_WRITE;
	uint32_t disk = device(s, a->handle, SOLO5_BLOCK)->nr;
	enum host_disk state = host_disk_state(disk);
	void *buffer = host_disk_buffer(disk);
	uint64_t left;

	s->again = NEVER;
	/* Maybe with what a start of this guest before this one has left. */
	if (state == HOST_DISK_BUSY)
		return false;
	if (s->started && state == HOST_DISK_FAILED) {
		ANSWER(g, solo5_block, ret, SOLO5_EUNSPEC);
		return true;
	}
	if (s->started && !is_write)
		write(g, a->data + s->done, buffer, s->started);
	s->done += s->started;
	left = a->len - s->done;
	s->started = left < HOST_DISK_MAX ? left : HOST_DISK_MAX;
	if (!left) {
		ANSWER(g, solo5_block, ret, SOLO5_OK);
		return true;
	}
	if (is_write)
		read(g, buffer, a->data + s->done, s->started);
	host_disk_start(disk, is_write, a->offset + s->done, s->started);
	return false;
}

/* ---- steps ------------------------------------------------------------------ */

static bool step(struct guest *g, struct solo5 *s)
{
	switch (s->call) {
	case SOLO5_PUTS:
		return puts_step(g, s);
	case SOLO5_POLL:
		return poll_step(g, s);
	case SOLO5_NET_WRITE:
		return net_write_step(g, s);
	default:
		return block_step(g, s);
	}
}

static void update(struct guest *g)
{
	struct solo5 *s = g->solo5;

	if (step(g, s)) {
		s->call = 0;
		s->again = NEVER;
	}
}

uint64_t solo5_update(struct guest *g)
{
	struct solo5 *s = g->solo5;

	if (s->call && s->again <= rdtsc())
		update(g);
	return s->again;
}

void solo5_interrupt(void)
{
	struct guest *g;
	uint32_t i;

	for (i = 0; i < guest_count; i++) {
		g = guests[i];
		if (!g->unikernel)
			continue;
		spin_lock(&g->lock);
		if (g->solo5 && g->solo5->call) {
			update(g);
			sched_charge(&g->vcpu[0]);
		}
		spin_unlock(&g->lock);
	}
}

/* ---- the calls --------------------------------------------------------------- */

/* Each says whether its arguments are such that it can begin; else it has answered,
 * or ended the unikernel. */

static bool begin_walltime(struct vcpu *v, struct solo5 *s)
{
	(void)s;
	ANSWER(v->g, solo5_walltime, ns, host_wallclock_ns());
	return false;
}

static bool begin_puts(struct vcpu *v, struct solo5 *s)
{
	const struct solo5_puts *a = &s->arg.puts;

	if (readable(s, a->data, a->len))
		return true;
	vcpu_kill(v, "puts: %lu bytes at %lx are not its memory", a->len,
		  a->data);
	return false;
}

static bool begin_poll(struct vcpu *v, struct solo5 *s)
{
	(void)v;
	s->deadline = deadline(s->arg.poll.timeout_ns);
	return true;
}

static bool begin_block(struct vcpu *v, struct solo5 *s)
{
	const struct solo5_block *a = &s->arg.block;
	const struct solo5_device *d = device(s, a->handle, SOLO5_BLOCK);
	bool is_write = s->call == SOLO5_BLOCK_WRITE;

	if (!d || a->offset >= d->capacity ||
	    a->len > d->capacity - a->offset ||
	    a->offset % SOLO5_SECTOR || a->len % SOLO5_SECTOR) {
		ANSWER(v->g, solo5_block, ret, SOLO5_EINVAL);
		return false;
	}
	if (is_write ? readable(s, a->data, a->len) :
		       writable(s, a->data, a->len))
		return true;
	vcpu_kill(v, "block %s: %lu bytes at %lx are not its memory",
		  is_write ? "write" : "read", a->len, a->data);
	return false;
}

static bool begin_net(struct vcpu *v, struct solo5 *s)
{
	const struct solo5_net *a = &s->arg.net;
	bool is_write = s->call == SOLO5_NET_WRITE;

	if (!device(s, a->handle, SOLO5_NET) ||
	    (is_write && (a->len < ETHERNET || a->len > SOLO5_FRAME))) {
		ANSWER(v->g, solo5_net, ret, SOLO5_EINVAL);
		return false;
	}
	if (!(is_write ? readable(s, a->data, a->len) :
			 writable(s, a->data, a->len))) {
		vcpu_kill(v, "net %s: %lu bytes at %lx are not its memory",
			  is_write ? "write" : "read", a->len, a->data);
		return false;
	}
	if (!is_write)
		net_read(v->g, s);
	return is_write;
}

/* The cookie of a unikernel that gives up is where it was: CR2, error code, RIP, CS,
 * RFLAGS, RSP, SS. */
static bool begin_halt(struct vcpu *v, struct solo5 *s)
{
	const struct solo5_halt *a = &s->arg.halt;
	uint64_t frame[7];

	if (a->cookie && !readable(s, a->cookie, SOLO5_COOKIE_MAX)) {
		vcpu_kill(v, "halt: its cookie at %lx is not in its memory",
			  a->cookie);
		return false;
	}
	if (a->cookie) {
		read(v->g, frame, a->cookie, sizeof(frame));
		log_printf("%s: trap: rip %lx rsp %lx rflags %lx cs %lx ss %lx, error code %lx, cr2 %lx\n",
			   v->g->name, frame[2], frame[5], frame[4], frame[3],
			   frame[6], frame[1], frame[0]);
	}
	log_printf("%s: exit status %u\n", v->g->name, a->status & 0xff);
	vcpu_end(v, END_ORDERLY);
	return false;
}

static const struct {
	uint32_t	size;		/* of its block */
	bool		(*begin)(struct vcpu *, struct solo5 *);
} call_table[] = {
	[SOLO5_WALLTIME] = { sizeof(struct solo5_walltime), begin_walltime },
	[SOLO5_PUTS] = { sizeof(struct solo5_puts), begin_puts },
	[SOLO5_POLL] = { sizeof(struct solo5_poll), begin_poll },
	[SOLO5_BLOCK_WRITE] = { sizeof(struct solo5_block), begin_block },
	[SOLO5_BLOCK_READ] = { sizeof(struct solo5_block), begin_block },
	[SOLO5_NET_WRITE] = { sizeof(struct solo5_net), begin_net },
	[SOLO5_NET_READ] = { sizeof(struct solo5_net), begin_net },
	[SOLO5_HALT] = { sizeof(struct solo5_halt), begin_halt },
};
#define CALLS		(ARRAY_SIZE(call_table) - 1)

static enum bus_result call(void *opaque, uint64_t port, uint32_t block)
{
	struct guest *g = opaque;
	struct solo5 *s = g->solo5;
	struct vcpu *v = &g->vcpu[0];
	uint32_t nr = port - SOLO5_PORT;

	if (!writable(s, block, call_table[nr].size)) {
		vcpu_kill(v, "call %u: its block at %x is not in its memory",
			  nr, block);
		return BUS_DONE;
	}
	read(g, &s->arg, block, call_table[nr].size);
	s->block = block;
	s->call = nr;
	s->done = s->started = 0;
	if (call_table[nr].begin(v, s))
		update(g);
	else
		s->call = 0;
	if (s->call)
		vcpu_stop(v, STOP_HALTED);
	return BUS_DONE;
}

/* ---- ports ------------------------------------------------------------------ */

static enum bus_result no_in(void *opaque, uint64_t port, uint32_t *val)
{
	struct guest *g = opaque;

	(void)val;
	vcpu_kill(&g->vcpu[0], "IN from port %lx: it has none", port);
	return BUS_DONE;
}

static enum bus_result no_out(void *opaque, uint64_t port, uint32_t val)
{
	struct guest *g = opaque;

	vcpu_kill(&g->vcpu[0], "OUT of %x to port %lx: it is no call", val,
		  port);
	return BUS_DONE;
}

void solo5_ports(struct guest *g)
{
	const uint32_t first = SOLO5_PORT + 1, end = first + CALLS;
	const struct bus_region region[] = {
		{ first, CALLS, 4, no_in, call, g },
		{ first, CALLS, 1 | 2, no_in, no_out, g },
		{ 0, first, 1 | 2 | 4, no_in, no_out, g },
		{ end, 0x10000 - end, 1 | 2 | 4, no_in, no_out, g },
	};
	uint32_t i;

	for (i = 0; i < ARRAY_SIZE(region); i++)
		hv_assert(bus_add(&g->bus.ports, &region[i]));
}

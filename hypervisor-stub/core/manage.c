// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a guest with the right to manage does to others (spec/neighbours.md, N-6): it
 * makes them out of its own memory, starts, stops and ends them, and is their
 * console. Who may call and about whom is decided in dispatch.c. All but the making
 * is done with the lock of the guest that it is about.
 *
 * What a guest was made of stays here for its restarts, until it is destroyed: a copy,
 * which its maker cannot change.
 */
#include <host.h>
#include <string.h>

#include "log.h"
#include "manage.h"
#include "solo5.h"

#define ROOM		8192u		/* of a console, each way */
#define CHUNK		256u

struct ring {
	uint8_t		byte[ROOM];
	uint32_t	put, got;	/* so many in all */
};

struct made {
	struct guest_config config;
	struct ring	from, to;	/* its console: what it said, and is told */
	char		label[VMI_GUEST_NAME];
	char		cmdline[VMI_CMDLINE_MAX + 1];
	uint8_t		*kernel, *initrd;
	uint64_t	kernel_bytes, initrd_bytes;
};

static const char *const name[GUESTS_MAX] = {
	"guest 1", "guest 2", "guest 3", "guest 4",
	"guest 5", "guest 6", "guest 7", "guest 8",
};

/* Of a place whose guest was destroyed. */
static const struct guest_config nobody = { .name = "nobody" };

/* One guest is made at a time. */
static struct spinlock making;

/* ---- rings ---------------------------------------------------------------- */

static bool ring_put(struct ring *r, uint8_t byte)
{
	bool room = r->put - r->got < ROOM;

	if (!room)
		r->got++;		/* the oldest is lost */
	r->byte[r->put++ % ROOM] = byte;
	return room;
}

void made_put(struct made *m, uint8_t byte)
{
	ring_put(&m->from, byte);
}

bool made_has(const struct made *m)
{
	return m->to.put != m->to.got;
}

int made_get(struct made *m)
{
	return made_has(m) ? m->to.byte[m->to.got++ % ROOM] : -1;
}

/* ---- the making ----------------------------------------------------------- */

void made_free(struct made *m)
{
	if (!m)
		return;
	host_pages_free(m->kernel, m->kernel_bytes);
	host_pages_free(m->initrd, m->initrd_bytes);
	host_pages_free(m, sizeof(*m));
}

/* One page of it, whose address is in the list there. */
static int64_t copy_page(struct gmem *m, uint8_t *to, uint64_t list,
			 uint64_t bytes)
{
	uint64_t page;

	if (!gmem_read_late(m, &page, list, sizeof(page)))
		return -VMI_EFAULT;
	if (page % VMI_CREATE_PAGE)
		return -VMI_EINVAL;
	return gmem_read_late(m, to, page, bytes) ? 0 : -VMI_EFAULT;
}

/* A copy of what the caller has in these pages; NULL: 0 bytes, or an error. */
static uint8_t *copy(struct vcpu *v, uint64_t list, uint64_t bytes,
		     int64_t *error)
{
	uint8_t *to = bytes ? host_pages(bytes, PAGE_SIZE) : NULL;
	uint64_t at, n;

	if (!bytes)
		return NULL;
	if (!to)
		*error = -VMI_ENOMEM;
	for (at = 0; at < bytes && !*error; at += n, list += sizeof(list)) {
		n = bytes - at < VMI_CREATE_PAGE ? bytes - at : VMI_CREATE_PAGE;
		*error = copy_page(&v->mmu.mm->gmem, to + at, list, n);
	}
	return to;
}

static bool is_label(const char *s)
{
	uint32_t i;

	for (i = 0; i < VMI_GUEST_NAME && s[i]; i++)
		if (s[i] < ' ' || s[i] > '~')
			return false;
	return i < VMI_GUEST_NAME;
}

static bool is_valid(const struct vcpu *v, const struct vmi_guest_create *c)
{
	uint64_t most = v->mmu.mm->gmem.bytes;

	return !(c->rights & ~v->g->config->rights) &&
	       c->kernel_bytes && c->kernel_bytes <= most &&
	       c->initrd_bytes <= most && c->cmdline_bytes <= VMI_CMDLINE_MAX &&
	       c->memory >= LOADER_RAM_MIN >> 20 &&
	       c->memory <= LOADER_RAM_MAX >> 20 &&
	       c->cpus && c->cpus <= GUEST_VCPUS &&
	       c->shares && c->shares <= v->g->config->shares &&
	       c->reply_timeout <= REPLY_TIMEOUT_MAX && c->passive <= 1 &&
	       is_label(c->name);
}

static int64_t make(struct vcpu *v, const struct vmi_guest_create *c,
		    struct made *m, uint32_t slot)
{
	int64_t error = 0;

	memcpy(m->label, c->name, sizeof(m->label));
	m->kernel_bytes = c->kernel_bytes;
	m->kernel = copy(v, c->kernel, c->kernel_bytes, &error);
	m->initrd_bytes = c->initrd_bytes;
	if (!error)
		m->initrd = copy(v, c->initrd, c->initrd_bytes, &error);
	if (!error && !gmem_read_late(&v->mmu.mm->gmem, m->cmdline, c->cmdline,
				 c->cmdline_bytes))
		error = -VMI_EFAULT;
	m->config = (struct guest_config){
		.name = name[slot],
		.label = m->label,
		.kernel = { "kernel", m->kernel, c->kernel_bytes },
		.initrd = { "initrd", m->initrd, c->initrd_bytes },
		.cmdline = m->cmdline,
		.memory = c->memory,
		.cpus = c->cpus,
		.starts = 1,
		.shares = c->shares,
		.pin = v->g->config->pin,
		.rights = c->rights,
		.comm = c->comm,
		.reply_timeout = c->reply_timeout,
		.passive = c->passive,
	};
	return error;
}

/* Of one that is gone, or a new one; or GUESTS_MAX. */
static uint32_t free_slot(void)
{
	uint32_t i;

	for (i = 0; i < guest_count; i++)
		if (guests[i]->destroyed && guests[i]->gone && !guests[i]->made)
			return i;
	return i;
}

/* Of what was copied, in this place. */
static int64_t settle(struct vcpu *v, struct made *m, uint32_t slot)
{
	struct guest *old = slot < guest_count ? guests[slot] : NULL;
	char error[GUEST_ERROR_MAX];
	bool done;

	/* A unikernel's console is none that we have. */
	if (solo5_is(m->kernel, m->kernel_bytes))
		return -VMI_EINVAL;
	if (old)
		spin_lock(&old->lock);
	done = guest_create_at(slot, &m->config, m, error);
	if (!done && old)
		manage_forget(old);
	if (old)
		spin_unlock(&old->lock);
	if (!done) {
		log_printf("%s made no guest: %s\n", v->g->name, error);
		return -VMI_EINVAL;
	}
	sched_guests_changed();
	return slot;
}

static int64_t create(struct vcpu *v, const struct vmi_guest_create *c)
{
	struct made *m = host_pages(sizeof(*m), PAGE_SIZE);
	uint32_t slot = free_slot();
	int64_t result = -VMI_ENOMEM;

	if (m && slot < GUESTS_MAX)
		result = make(v, c, m, slot);
	if (!result)
		result = settle(v, m, slot);
	if (result < 0)
		made_free(m);
	return result;
}

int64_t manage_create(struct vcpu *v, uint64_t pa)
{
	struct vmi_guest_create c;
	int64_t result;

	if (!gmem_read_late(&v->mmu.mm->gmem, &c, pa, sizeof(c)))
		return -VMI_EFAULT;
	if (!is_valid(v, &c))
		return -VMI_EINVAL;
	spin_lock(&making);
	result = create(v, &c);
	spin_unlock(&making);
	return result;
}

void manage_forget(struct guest *g)
{
	g->config = &nobody;
	g->name = nobody.name;
	g->made = NULL;
	g->destroyed = true;
	g->gone = true;
}

/* ---- its life ------------------------------------------------------------- */

static bool is_over(const struct guest *g)
{
	return g->gone && !g->waits;
}

static int64_t again(struct guest *g)
{
	if (!guest_restart(g)) {
		g->gone = true;
		return -VMI_ENOMEM;
	}
	sched_begin(g);
	kvmi_start(g);
	return 0;
}

int64_t manage_start(struct guest *g)
{
	if (is_over(g))
		return again(g);
	if (!g->waits)
		return -VMI_EBUSY;
	g->waits = false;
	sched_begin(g);
	return 0;
}

int64_t manage_pause(struct guest *g)
{
	if (g->ended || g->gone || g->paused)
		return -VMI_EBUSY;
	sched_pause(g);
	return 0;
}

int64_t manage_resume(struct guest *g)
{
	if (g->ended || g->gone || !g->paused)
		return -VMI_EBUSY;
	sched_resume(g);
	return 0;
}

int64_t manage_reset(struct guest *g)
{
	if (is_over(g))
		return again(g);
	if (g->waits)
		return 0;
	if (!comm_approves(g))
		return -VMI_EPERM;
	g->reset = true;
	if (!g->ended)
		sched_end(g);
	return 0;
}

int64_t manage_destroy(struct guest *g)
{
	struct made *m = g->made;

	if (!comm_approves(g))
		return -VMI_EPERM;
	g->destroyed = true;
	if (!g->gone) {
		if (!g->ended)
			sched_end(g);
		return 0;
	}
	if (g->waits)
		guest_release(g);
	manage_forget(g);
	made_free(m);
	return 0;
}

/* ---- its console ---------------------------------------------------------- */

int64_t manage_console_read(struct vcpu *v, struct guest *g, uint64_t pa,
			    uint64_t bytes)
{
	struct ring *r = g->made ? &g->made->from : NULL;
	uint8_t chunk[CHUNK];
	uint64_t done = 0;
	uint32_t n, i;

	if (!r)
		return -VMI_EINVAL;
	while (done < bytes && r->put != r->got) {
		n = r->put - r->got;
		n = n < CHUNK ? n : CHUNK;
		n = n < bytes - done ? n : bytes - done;
		for (i = 0; i < n; i++)
			chunk[i] = r->byte[(r->got + i) % ROOM];
		if (!gmem_write_late(&v->mmu.mm->gmem, pa + done, chunk, n))
			return done ? (int64_t)done : -VMI_EFAULT;
		r->got += n;
		done += n;
	}
	return done;
}

int64_t manage_console_write(struct vcpu *v, struct guest *g, uint64_t pa,
			     uint64_t bytes)
{
	struct ring *r = g->made ? &g->made->to : NULL;
	uint8_t chunk[CHUNK];
	uint32_t n, i, room;

	if (!r)
		return -VMI_EINVAL;
	room = ROOM - (r->put - r->got);
	n = bytes < room ? bytes : room;
	n = n < CHUNK ? n : CHUNK;
	if (!gmem_read_late(&v->mmu.mm->gmem, chunk, pa, n))
		return -VMI_EFAULT;
	for (i = 0; i < n; i++)
		ring_put(r, chunk[i]);
	if (!g->ended && !g->gone)
		io_typed(g);
	return n;
}

/* ---- its counters --------------------------------------------------------- */

void manage_stats(const struct guest *g, struct vmi_guest_stats *s)
{
	const struct vcpu_stats *of;
	uint32_t i, n;

	memset(s, 0, sizeof(*s));
	for (i = 0; i < g->vcpus; i++) {
		of = &g->vcpu[i].stats;
		for (n = 0; n < ARRAY_SIZE(of->exits); n++)
			s->exits += of->exits[n];
		s->hypercalls += of->exits[STUB_VECTOR];
		s->page_faults += of->reflected;
		s->interrupts += of->injected;
		for (n = INSN_IN; n <= INSN_OUTS; n++)
			s->ports += of->emulated[n];
		s->used += g->vcpu[i].used;
		s->stolen += g->vcpu[i].stolen;
	}
	s->shadow_fills = g->mm.fills;
	s->memory_left = host_pages_left();
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * I/O requests (spec/neighbours.md, N-7): ports and memory of a guest where no device
 * of ours is, answered by another guest, its server.
 *
 * What is known of that belongs to the guest that is served (struct service), with its
 * lock. The page of slots is in the server's memory: a request is written there, and
 * in polling mode read, with the server's lock and without the guest's, by the vCPU
 * that waits (requests_go()); the call that completes one is about the guest, and
 * reads its caller's memory. A slot is the server's (service.slots) from when it is
 * sent to when it is completed or the server is none any more, whatever state is
 * written there; if INIT took the vCPU away meanwhile, its next request waits for
 * that.
 *
 * A server may end at any time, in a place of its own: it wakes those that wait
 * (guest_end.c), and they find that the start that they asked (guest.life) is over.
 */
#include <cpu.h>

#include "log.h"
#include "requests.h"

#define SLOT_STATE	offsetof(struct vmi_io_request, state)
#define SLOT_VALUE	offsetof(struct vmi_io_request, value)
#define PORTS_END	0x10000ull
#define MEMORY_END	(1ull << 52)
#define LOOKS_PER_SECOND 5000u
#define LINES		0xffeau		/* but those of PIT, cascade, console */

_Static_assert(GUEST_VCPUS <= VMI_REQUEST_SLOTS, "each has one");
_Static_assert(CLAIMS_MAX <= MM_ELSEWHERE, "all of memory");

/* ---- who waits ------------------------------------------------------------ */

static bool waits(const struct vcpu *v)
{
	return v->request.state == REQUEST_NEW || v->request.state == REQUEST_SENT;
}

static void answer(struct vcpu *v, uint64_t value)
{
	v->request.access.value = value;
	v->request.state = REQUEST_ANSWERED;
	sched_answered(v);
}

/* Nobody else will. */
static void lose(struct vcpu *v)
{
	const struct access *a = &v->request.access;

	log_printf("%s: its request of %s %lx is lost with who served it\n",
		   v->g->name, a->memory ? "memory" : "port", a->at);
	answer(v, UINT64_MAX);
}

/* ---- what is claimed ------------------------------------------------------- */

/* The guest's processors find what there is now. */
static void apply(struct guest *g)
{
	const struct service *s = &g->service;
	const struct claim *c;
	uint32_t n = 0, i;

	for (c = s->claim; c < s->claim + s->claims; c++)
		if (c->memory)
			g->mm.elsewhere[n++] = (struct mm_elsewhere){
				c->first >> PAGE_SHIFT, c->count >> PAGE_SHIFT,
			};
	g->mm.elsewheres = n;
	for (i = 0; i < g->vcpus; i++)
		g->vcpu[i].ask = s->claims ? requests_ask : NULL;
}

/* From here on nobody of it writes to the page: who is there has the server's lock and
 * waits for none, and who comes finds another count. */
static void retreat(struct guest *g)
{
	uint32_t i;

	__atomic_add_fetch(&g->service.drops, 1, __ATOMIC_SEQ_CST);
	for (i = 0; i < g->vcpus; i++)
		while (__atomic_load_n(&g->vcpu[i].request.there, __ATOMIC_SEQ_CST))
			cpu_relax();
}

/* One that could not start again has no devices. */
static void set_line(struct guest *g, uint32_t irq, bool level)
{
	if (g->vcpu[0].apic)
		ipi_set_irq(g, irq, level);
}

/* What was claimed is nobody's: reads are ones, writes mean nothing. The page is the
 * server's alone. */
static void drop(struct guest *g)
{
	struct service *s = &g->service;
	uint32_t i;

	retreat(g);
	s->by = NULL;
	s->slots = 0;
	for (i = 0; i < g->vcpus; i++)
		if (waits(&g->vcpu[i]))
			lose(&g->vcpu[i]);
	for (i = 0; s->lines >> i; i++)
		if (s->lines >> i & 1)
			set_line(g, i, false);
	s->lines = 0;
}

static bool claims(const struct service *s, const struct access *a)
{
	const struct claim *c;

	for (c = s->claim; c < s->claim + s->claims; c++)
		if (c->memory == a->memory && a->at - c->first < c->count &&
		    a->size <= c->count - (a->at - c->first))
			return true;
	return false;
}

enum bus_result requests_ask(struct vcpu *v, struct access *a)
{
	const struct service *s = &v->g->service;
	struct request *r = &v->request;

	if (!claims(s, a))
		return BUS_NOBODY;
	if (!s->by) {
		a->value = UINT64_MAX;
		return BUS_DONE;
	}
	r->access = *a;
	r->state = REQUEST_NEW;
	v->held |= HELD_REQUEST;
	vcpu_stop(v, STOP_REQUEST);
	return BUS_AGAIN;
}

/* ---- the page --------------------------------------------------------------- */

static uint64_t slot_at(uint64_t page, uint32_t nr)
{
	return page + nr * sizeof(struct vmi_io_request);
}

/* All but the state, then the state. */
static bool slot_put(const struct guest *server, uint64_t at,
		     const struct access *a, bool polling)
{
	const struct vmi_io_request is = {
		.type = a->memory ? VMI_IO_MEMORY : VMI_IO_PORT,
		.polling = polling,
		.direction = a->write ? VMI_IO_WRITE : VMI_IO_READ,
		.address = a->at,
		.size = a->size,
		.value = a->write ? access_value(a) : 0,
		.state = VMI_REQUEST_FREE,
	};
	const struct gmem *m = &server->mm.gmem;

	return gmem_write(m, at, &is, sizeof(is)) &&
	       gmem_store32(m, at + SLOT_STATE, VMI_REQUEST_PENDING);
}

/* Its answer, if it is complete, and it is free then. Also without the server's lock,
 * whose page may become another's meanwhile (pages.c). */
static bool slot_take(struct gmem *m, uint64_t at, uint64_t *value)
{
	uint32_t state;
	bool took;

	spin_lock(&m->moving);
	took = gmem_load32(m, at + SLOT_STATE, &state) &&
	       state == VMI_REQUEST_COMPLETE &&
	       gmem_read(m, value, at + SLOT_VALUE, sizeof(*value)) &&
	       gmem_store32(m, at + SLOT_STATE, VMI_REQUEST_FREE);
	spin_unlock(&m->moving);
	return took;
}

/* The slot is the hypervisor's again. */
static void completed(struct vcpu *v, uint64_t value)
{
	v->g->service.slots &= ~(1u << v->nr);
	if (v->request.state == REQUEST_SENT)
		answer(v, value);
	else if (v->request.state == REQUEST_NEW)	/* that waits for it */
		sched_answered(v);
}

/* ---- the vCPU that waits ---------------------------------------------------- */

/* Whose guest it is may have another server meanwhile. */
static bool is_same(const struct service *s, const struct service *before)
{
	return s->by == before->by && s->drops == before->drops && s->life == before->life &&
	       s->page == before->page;
}

void requests_go(struct vcpu *v)
{
	struct guest *g = v->g;
	struct service *s = &g->service;
	const struct service with = *s;
	const struct access a = v->request.access;
	bool send, same, alive, took = false;
	uint64_t value, at = slot_at(with.page, v->nr);

	if (!waits(v))
		return;
	send = v->request.state == REQUEST_NEW && !(s->slots >> v->nr & 1);
	sched_waits(v, with.by, with.polling ?
		    rdtsc() + host_tsc_hz / LOOKS_PER_SECOND : UINT64_MAX);
	if (send) {
		s->slots |= 1u << v->nr;
		v->request.state = REQUEST_SENT;
	}
	spin_unlock(&g->lock);
	spin_lock(&with.by->lock);
	__atomic_store_n(&v->request.there, true, __ATOMIC_SEQ_CST);
	same = __atomic_load_n(&s->drops, __ATOMIC_SEQ_CST) == with.drops;
	alive = with.by->life == with.life && !with.by->ended;
	if (same && alive && send) {
		alive = slot_put(with.by, at, &a, with.polling);
		if (with.by->upcall)
			ipi_upcall(with.by, with.by->upcall);
	} else if (same && alive && with.polling) {
		took = slot_take(&with.by->mm.gmem, at, &value);
	}
	__atomic_store_n(&v->request.there, false, __ATOMIC_RELEASE);
	spin_unlock(&with.by->lock);
	spin_lock(&g->lock);
	if (send && !same)		/* it was not sent */
		s->slots &= ~(1u << v->nr);
	if (!is_same(s, &with))
		return;
	if (!alive)
		drop(g);
	else if (took && (s->slots >> v->nr & 1))
		completed(v, value);
}

bool requests_over(struct vcpu *v)
{
	if (v->request.state != REQUEST_ANSWERED)
		return false;
	v->held &= ~HELD_REQUEST;
	sched_waits(v, NULL, UINT64_MAX);
	emulate_answered(v);
	if (v->request.state == REQUEST_ANSWERED)
		v->request.state = REQUEST_NONE;	/* it is another now */
	return true;
}

void requests_off(struct vcpu *v)
{
	v->request.state = REQUEST_NONE;
	v->held &= ~HELD_REQUEST;
}

/* ---- lives of guests -------------------------------------------------------- */

void requests_start(struct guest *g)
{
	g->service.lines = 0;
	apply(g);
}

void requests_end(struct guest *g)
{
	uint32_t i;

	retreat(g);
	for (i = 0; i < g->vcpus; i++) {
		if (!waits(&g->vcpu[i]))
			continue;
		log_printf("%s: it ends with an open request\n", g->name);
		requests_off(&g->vcpu[i]);
	}
}

/* ---- calls ------------------------------------------------------------------- */

int64_t requests_upcall(struct vcpu *v, uint64_t vector)
{
	if (!vector)
		vector = VMI_UPCALL_VECTOR;
	if (vector < VMI_UPCALL_FIRST || vector > VMI_UPCALL_LAST)
		return -VMI_EINVAL;
	v->g->upcall = vector;
	return 0;
}

static bool serves(const struct vcpu *v, const struct guest *g)
{
	return g->service.by == v->g && g->service.life == v->g->life;
}

/* Its server is one that has ended, maybe long ago. */
static bool is_over(const struct service *s)
{
	return s->by && (s->by->life != s->life || s->by->ended);
}

int64_t requests_page(struct vcpu *v, struct guest *g, uint64_t pa,
		      uint64_t flags)
{
	static const struct vmi_io_request free = { .state = VMI_REQUEST_FREE };
	struct service *s = &g->service;
	uint32_t i;

	if (pa % PAGE_SIZE || (flags & ~(uint64_t)VMI_REQUEST_POLLING) ||
	    g->unikernel)
		return -VMI_EINVAL;
	if (is_over(s))
		drop(g);
	if (s->by)
		return -VMI_EBUSY;
	for (i = 0; i < VMI_REQUEST_SLOTS; i++)
		if (!gmem_write_late(&v->mmu.mm->gmem, slot_at(pa, i), &free,
				     sizeof(free)))
			return -VMI_EFAULT;
	g->special = true;
	s->claims = 0;
	apply(g);
	s->by = v->g;
	s->life = v->g->life;
	s->page = pa;
	s->polling = flags & VMI_REQUEST_POLLING;
	return 0;
}

int64_t requests_page_end(struct vcpu *v, struct guest *g)
{
	if (!serves(v, g))
		return -VMI_EINVAL;
	drop(g);
	return 0;
}

/* Without its memory, which it may not have now. */
static bool is_memory(const struct guest *g, uint64_t first, uint64_t bytes)
{
	uint64_t has = g->config->memory << 20;

	if (has <= GMEM_LOW_END)
		return first < has;
	return first < GMEM_LOW_END || (first + bytes > GMEM_HIGH &&
	       first < has - GMEM_LOW_END + GMEM_HIGH);
}

static bool is_range(const struct guest *g, const struct claim *c)
{
	uint64_t end = c->memory ? MEMORY_END : PORTS_END;

	if (!c->count || c->first >= end || c->count > end - c->first)
		return false;
	if (!c->memory)
		return bus_is_free(&g->bus.ports, c->first, c->count);
	return c->first % PAGE_SIZE == 0 && c->count % PAGE_SIZE == 0 &&
	       bus_is_free(&g->bus.memory, c->first, c->count) &&
	       !is_memory(g, c->first, c->count);
}

static bool overlaps(const struct service *s, const struct claim *n)
{
	const struct claim *c;

	for (c = s->claim; c < s->claim + s->claims; c++)
		if (c->memory == n->memory && n->first < c->first + c->count &&
		    c->first < n->first + n->count)
			return true;
	return false;
}

int64_t requests_claim(struct vcpu *v, struct guest *g, uint64_t kind,
		       uint64_t first, uint64_t bytes)
{
	const struct claim c = { first, bytes, kind == VMI_IO_MEMORY };
	struct service *s = &g->service;

	if (!serves(v, g) || kind > VMI_IO_MEMORY || !is_range(g, &c))
		return -VMI_EINVAL;
	if (overlaps(s, &c))
		return -VMI_EBUSY;
	if (s->claims == CLAIMS_MAX)
		return -VMI_ENOMEM;
	s->claim[s->claims++] = c;
	apply(g);
	/* Reads were of ones so far. */
	if (c.memory && !g->ended && !g->gone && g->mm.mmus)
		mm_forget(&g->mm);
	return 0;
}

int64_t requests_unclaim(struct vcpu *v, struct guest *g, uint64_t kind,
			 uint64_t first, uint64_t bytes)
{
	struct service *s = &g->service;
	struct claim *c;

	if (!serves(v, g) || kind > VMI_IO_MEMORY)
		return -VMI_EINVAL;
	for (c = s->claim; c < s->claim + s->claims; c++) {
		if (c->memory != (kind == VMI_IO_MEMORY) || c->first != first ||
		    c->count != bytes)
			continue;
		*c = s->claim[--s->claims];
		apply(g);
		return 0;
	}
	return -VMI_EINVAL;
}

int64_t requests_done(struct vcpu *v, struct guest *g, uint64_t nr)
{
	struct service *s = &g->service;
	uint64_t value;

	if (!serves(v, g) || nr >= g->vcpus || !(s->slots >> nr & 1) ||
	    !slot_take(&v->mmu.mm->gmem, slot_at(s->page, nr), &value))
		return -VMI_EINVAL;
	completed(&g->vcpu[nr], value);
	return 0;
}

int64_t requests_line(struct vcpu *v, struct guest *g, uint64_t irq,
		      uint64_t level)
{
	struct service *s = &g->service;

	if (!serves(v, g) || irq > 15 || !(LINES >> irq & 1) || level > 1)
		return -VMI_EINVAL;
	s->lines &= ~(1u << irq);
	s->lines |= level << irq;
	set_line(g, irq, level);
	sched_notify(&g->vcpu[0]);
	return 0;
}

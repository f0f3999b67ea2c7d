// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the guest left in the shared area for us to do at an exit: the update
 * queue, and what else a lazy mode deferred. All of it is hostile: the count
 * is checked here, the rest where it is used.
 */
#include "wide.h"
#include "x86.h"

/* What the owner has queued, from start to end. */
static inline __attribute__((always_inline))
void apply(struct vcpu *v, const struct vcpu *owner, uint32_t start,
	   uint32_t end)
{
	volatile struct stub_shared *sh = owner->sh;
	volatile struct stub64_shared *wide = shared64(owner);

	if (v->wide)
		queue_updates_wide(&v->mmu, wide->queue + start,
				   wide->queue + end);
	else
		queue_updates(&v->mmu, sh, sh->queue + start, sh->queue + end);
}

/* False: this was the end of the guest. */
static bool drain_updates(struct vcpu *v)
{
	volatile struct stub_shared *sh = v->sh;
	struct vcpu_stats *stats = &v->stats;
	uint32_t start = v->queue_start;
	uint32_t end = (uint32_t)sh->tail + STUB_QUEUE_LEN;

	if (end == start)
		return true;
	if (end - start > STUB_QUEUE_LEN - start) {
		vcpu_kill(v, "bad queue: tail %d is not in -%d..0",
			   (int)(end - STUB_QUEUE_LEN), STUB_QUEUE_LEN);
		return false;
	}
	stats->drains++;
	stats->drained += end - start;
	sh->tail = (int32_t)(start - STUB_QUEUE_LEN);
	apply(v, v, start, end);
	return true;
}

/*
 * A processor that flushes sees what others wrote before, in the order of
 * memory; so it must find what they have announced before (VMI-3.8.5), in queues
 * that are theirs to empty. An entry says no more than that something has
 * changed: that it will be looked at again does not matter. The last is looked at
 * each time: the ROM does not append the same one twice in a row. Those that INIT
 * has stopped have announced what they had. A tail that makes no sense will be its
 * owner's end.
 */
void queue_peek_siblings(struct vcpu *v)
{
	struct vcpu *s;
	uint32_t end;

	for (s = v->sibling; s != v; s = s->sibling) {
		if (s->peeked_drains != s->stats.drains) {
			s->peeked_drains = s->stats.drains;
			s->peeked = s->queue_start;
		}
		end = (uint32_t)s->sh->tail + STUB_QUEUE_LEN;
		if (end <= s->peeked || end > STUB_QUEUE_LEN)
			continue;
		apply(v, s, s->peeked, end);
		s->peeked = end - 1;
	}
}

static void flush(struct vcpu *v)
{
	queue_peek(v);
	if (v->wide)
		long_flush(&v->mmu);
	else
		mmu_flush(&v->mmu);
}

/* What lazy CPU mode put off: descriptors, then the address space. */
static void __attribute__((noinline)) drain_deferred(struct vcpu *v)
{
	volatile struct stub_shared *sh = v->sh;
	uint32_t dirty = sh->gdt_dirty;
	uint32_t deferred = sh->deferred;

	sh->gdt_dirty = 0;
	sh->deferred = 0;
	for (; dirty; dirty &= dirty - 1)
		desc_gdt_changed(v, __builtin_ctz(dirty));
	if (deferred & STUB_DEFER_CR3)
		cr3_write(v, v->wide ? shared64(v)->cr3 : sh->cr3);
	else if (deferred & STUB_DEFER_FLUSH)
		flush(v);
	else if (deferred & STUB_DEFER_INVAL)	/* of pages, in the queue */
		queue_peek(v);
}

/* ---- a check for tests --------------------------------------------------- */

#define VERIFY_STOPS	32	/* drains, while siblings run */

void verify_interrupt(struct vcpu *v)
{
	if (regs_ring(v->regs) == 3)
		v->interrupted = false;
	else if (vector_is_irq(v->regs->vector))
		v->interrupted = true;
}

static bool calls(const struct vcpu *v, uint32_t nr)
{
	return v->regs->vector == STUB_VECTOR && v->regs->gpr[EAX] == nr;
}

/*
 * Has it told of all that it has stored in its tables? In its kernel an interrupt,
 * or a sibling that stops it, may come between a plain store, or the ROM's, and
 * what tells of it; and the handler of an interrupt calls us, too. Two calls tell
 * of what is stored already.
 */
static bool all_told(const struct vcpu *v)
{
	return !v->on || v->halted || regs_ring(v->regs) == 3 ||
	       (!v->interrupted && !vector_is_irq(v->regs->vector) &&
		!calls(v, STUB_HC_UPDATE_VA) && !calls(v, STUB_HC_PAGE));
}

/* No sibling runs from here on, and what they have announced is in effect. To stop
 * one takes long, so that is done now and then. */
static bool siblings_told(struct vcpu *v)
{
	const struct vcpu *s;

	for (s = v->sibling; s != v; s = s->sibling)
		if (s->mmu.inside && v->stats.drains % VERIFY_STOPS)
			return false;
	mmu_stop_others(&v->mmu);
	for (s = v->sibling; s != v; s = s->sibling)
		if (!all_told(s))
			return false;
	queue_peek(v);
	return true;
}

static void verify_wide(struct vcpu *v)
{
	struct long_wrong w;

	if (!long_verify(&v->mmu, &w))
		vcpu_kill(v, "verify: shadow of entry %u of frame %05x, level %u, is %lx, the guest has %09lx",
			  w.i, w.gfn, w.level, w.shadow, w.guest);
}

static void __attribute__((noinline)) verify(struct vcpu *v)
{
	struct mm_wrong w;

	verify_interrupt(v);
	if (!all_told(v) || !siblings_told(v))
		return;
	if (v->wide)
		verify_wide(v);
	else if (!mmu_verify(&v->mmu, regs_ring(v->regs) == 3, &w))
		vcpu_kill(v, "verify: shadow of %08x in directory %05x is %lx, the guest has pde %09lx pte %09lx",
			  w.va, w.dir, w.shadow, w.pde, w.pte);
}

/* ---- all of it ----------------------------------------------------------- */

/* Apart, so that the drain need not keep what it takes. */
static void __attribute__((noinline)) drained(struct vcpu *v)
{
	if (v->verify)
		verify(v);
	if (v->mmu.flush)
		mmu_flush_now(&v->mmu);
}

void queue_drain(struct vcpu *v)
{
	if (!drain_updates(v))
		return;
	if (v->sh->gdt_dirty | v->sh->deferred)
		drain_deferred(v);
	if (v->verify | v->mmu.flush)
		drained(v);
}

/* ---- without the guest's registers ---------------------------------------- */

/*
 * The same by trampoline.asm, which has saved none of them: what is in struct regs is
 * older. False: it is not as simple; what has been done is nothing that could not be
 * done again by the vector's handler, which comes next.
 */
bool drain_fault(struct vcpu *);
bool drain_call(struct vcpu *);

static inline __attribute__((always_inline)) bool drain_simple(struct vcpu *v)
{
	volatile struct stub64_shared *sh = shared64(v);
	uint32_t start = v->queue_start;
	uint32_t entries = (uint32_t)sh->tail + STUB_QUEUE_LEN - start;

	if ((v->verify | v->watched | sh->gdt_dirty) ||
	    entries > STUB_QUEUE_LEN - start)
		return false;
	if (!entries)
		return true;
	v->stats.drains++;
	v->stats.drained += entries;
	sh->tail = (int32_t)(start - STUB_QUEUE_LEN);
	queue_updates_wide(&v->mmu, sh->queue + start,
			   sh->queue + start + entries);
	return true;
}

/* Somebody may have asked for its processor while the lock was waited for. */
static inline bool drain_done(struct vcpu *v)
{
	if (v->mmu.flush)
		drained(v);
	return !v->regs->stop;
}

bool drain_fault(struct vcpu *v)
{
	/* With nothing queued that is not why. */
	if ((uint32_t)shared64(v)->tail + STUB_QUEUE_LEN == v->queue_start ||
	    v->sh->deferred || !drain_simple(v))
		return false;
	v->stats.exits[VEC_PF]++;
	return drain_done(v);
}

bool drain_call(struct vcpu *v)
{
	volatile struct stub64_shared *sh = shared64(v);
	const struct brief_frame *f = brief_frame(v);
	uint32_t deferred = sh->deferred;

	if (!vmi_mode(v) || !drain_simple(v))
		return false;
	if (deferred)
		queue_peek(v);
	if ((deferred & STUB_DEFER_CR3)) {
		if (!long_set_cr3(&v->mmu, sh->cr3))
			return false;
	} else if (deferred & STUB_DEFER_FLUSH) {
		long_flush(&v->mmu);
	}
	sh->deferred = 0;
	vcpu_note_call(v, STUB_HC_DRAIN, f->rdi, f->rsi, f->rip, f->rsp);
	v->stats.exits[STUB_VECTOR]++;
	v->stats.hcalls[STUB_HC_DRAIN]++;
	return drain_done(v);
}

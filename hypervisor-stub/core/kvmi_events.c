// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an introspection tool is told of a vCPU (spec/introspection.md, INTRO-5). An
 * event is told before what it tells of takes effect: the vCPU has done nothing, and
 * waits; with the answer it is done, or not. Each vCPU has one event at a time without
 * its answer.
 */
#include <cpu.h>
#include <string.h>

#include "kvmi.h"
#include "log.h"

/* ---- told ------------------------------------------------------------------- */

void kvmi_tell(struct vcpu *v, enum kvmi_event_id id,
	       const union kvmi_event_data *data, uint32_t bytes)
{
	struct kvmi *k = v->g->kvmi;
	struct kvmi_vcpu *kv = kvmi_of(v);
	struct kvmi_event event;

	kvmi_get_state(v, &event);
	event.event = id;
	memcpy(k->out.body, &event, sizeof(event));
	memcpy(k->out.body + sizeof(event), data, bytes);
	kv->waits = true;
	kv->answered = kv->regs_set = kv->entry = kv->old = false;
	kv->rip = event.regs.rip;
	kv->event = id;
	kv->seq = ++k->event_seq;
	kv->data = *data;
	kvmi_send(k, KVMI_EVENT, kv->seq, sizeof(event) + bytes);
}

/* ---- answered ----------------------------------------------------------------- */

/* The longest data of an event's answer. */
static uint32_t answer_max(uint8_t event)
{
	return event == KVMI_EV_PF ? sizeof(struct kvmi_pf_reply) :
	       event == KVMI_EV_CR || event == KVMI_EV_MSR ? 8 : 0;
}

static void crash(struct vcpu *v)
{
	vcpu_kill(v, "the introspection tool ends it");
}

int kvmi_answer(struct kvmi *k, struct vcpu *here)
{
	uint32_t size = k->in.header.size, bytes;
	struct kvmi_reply reply;
	struct kvmi_vcpu *kv;
	struct vcpu *v;

	if (size < sizeof(reply))
		return KVMI_BROKEN;
	memcpy(&reply, k->in.bytes + sizeof(k->in.header), sizeof(reply));
	if (reply.vcpu.vcpu >= k->g->vcpus || reply.vcpu.pad1 ||
	    reply.vcpu.pad2 || reply.pad1 || reply.pad2)
		return KVMI_BROKEN;
	kv = &k->vcpu[reply.vcpu.vcpu];
	bytes = size - sizeof(reply);
	if (!kv->waits || kv->answered || kv->seq != k->in.header.seq ||
	    bytes > answer_max(kv->event))
		return KVMI_BROKEN;
	memset(&kv->answer, 0, sizeof(kv->answer));
	memcpy(kv->answer.bytes, k->in.bytes + sizeof(k->in.header) +
	       sizeof(reply), bytes);
	if (kv->event == KVMI_EV_PF &&
	    (kv->answer.pf.pad || kv->answer.pf.singlestep ||
	     kv->answer.pf.size > KVMI_CONTEXT_MAX))
		return KVMI_BROKEN;
	kv->action = reply.action;
	kv->answered = true;
	v = &k->g->vcpu[reply.vcpu.vcpu];
	if (kvmi_is_on(v)) {
		kvmi_ask(k, v);
		return 0;
	}
	/* INIT came while it stood still: nothing is injected any more. */
	kv->waits = kv->answered = kv->inject = false;
	if (kv->action == KVMI_CRASH)
		crash(here);
	else
		kvmi_off_tells(v);
	return 0;
}

/* ---- an access that views refuse, by itself ----------------------------------- */

static void ask_all(struct kvmi *k)
{
	struct vcpu *v;

	for (v = k->g->vcpu; v < k->g->vcpu + k->g->vcpus; v++)
		if (kvmi_is_on(v) && v != k->over)
			kvmi_ask(k, v);
}

/* The others find the page open, too, so they do not run. */
static void open_access(struct vcpu *v)
{
	struct kvmi *k = v->g->kvmi;
	struct kvmi_vcpu *kv = kvmi_of(v);

	kv->step_over = false;
	if (k->over != v) {
		k->over = v;
		ask_all(k);
	}
	watch_open(v, kv->data.pf.gva, kv->error);
}

void kvmi_over_ends(struct vcpu *v)
{
	struct kvmi *k = v->g->kvmi;

	mmu_view_close(&v->mmu);
	k->over = NULL;
	ask_all(k);
}

void kvmi_left(struct vcpu *v)
{
	struct kvmi *k = v->g->kvmi;
	struct kvmi_vcpu *kv;
	bool moved, again;

	if (!k)
		return;
	kv = kvmi_of(v);
	v->held &= ~HELD_ASKED;
	if (v->stepping) {
		step_left(v);
		moved = v->regs->rip != v->step_rip;
		again = !moved && kv->rep_complete && k->over == v;
		if ((v->stepped || moved) && !again) {
			if (k->over == v)
				kvmi_over_ends(v);
			kv->tell_step = kv->step;
		}
	}
	if (k->over != v)
		mmu_view_close(&v->mmu);
	else if (v->held & HELD_REQUEST)	/* its text is not needed again */
		kvmi_over_ends(v);
}

bool kvmi_steps(const struct vcpu *v)
{
	const struct kvmi *k = v->g->kvmi;

	return k && (k->over == v || kvmi_of(v)->step);
}

void kvmi_arm(struct vcpu *v)
{
	bool over = v->g->kvmi->over == v;

	mmu_flush_tlb(&v->mmu);
	if (!over)
		event_poll(v);
	if (v->regs->stop > STOP_ASKED)
		return;
	v->held |= HELD_ASKED;
	step_arm(v);
	/* What was opened for that. */
	if (!over)
		mmu_view_close(&v->mmu);
	v->regs->stop = STOP_NOT;
}

/* ---- what the answer does ------------------------------------------------------- */

/* Nobody is told of what he has asked for himself. */
static void write_cr(struct vcpu *v, uint32_t nr, uint64_t value)
{
	v->watched = false;
	if (nr == 0)
		cr0_write(v, value);
	else if (nr == 3)
		cr3_write(v, value);
	else
		cr4_write(v, value);
	v->watched = v->watch;
}

static bool on_msr(struct vcpu *, uint32_t index, uint64_t value);

/* CSTAR comes after LSTAR. */
static void write_msr(struct vcpu *v, struct kvmi_vcpu *kv)
{
	uint32_t nr = kv->data.reg.nr;
	uint64_t value = kv->answer.value;

	if (!(kv->entry ? msr_set_entry : msr_set)(v, nr, value)) {
		event_exception_error(v, VEC_GP, 0);
	} else if (kv->entry && nr == MSR_LSTAR) {
		kv->entry = on_msr(v, MSR_CSTAR, kv->cstar);
		if (!kv->entry)
			msr_set_entry(v, MSR_CSTAR, kv->cstar);
	}
}

static void inject(struct vcpu *v, const union kvmi_event_data *d)
{
	static const uint32_t has_error = 1u << VEC_DF | 1u << VEC_TS |
		1u << VEC_NP | 1u << VEC_SS | 1u << VEC_GP | 1u << VEC_PF |
		1u << VEC_AC;
	uint8_t vector = d->trap.vector;

	if (vector == VEC_PF && v->wide)
		wide_page_fault(v, d->trap.cr2, d->trap.error);
	else if (vector == VEC_PF)
		event_page_fault(v, d->trap.cr2, d->trap.error);
	else if (has_error >> vector & 1)
		event_exception_error(v, vector, d->trap.error);
	else
		event_exception(v, vector);
}

static void go_on_with(struct vcpu *v, struct kvmi_vcpu *kv)
{
	const union kvmi_event_data *d = &kv->data;

	switch (kv->event) {
	case KVMI_EV_CR:
		write_cr(v, d->reg.nr, kv->answer.value);
		break;
	case KVMI_EV_MSR:
		write_msr(v, kv);
		break;
	case KVMI_EV_BREAKPOINT:
		v->regs->rip += d->breakpoint.length;
		event_soft_int(v, VEC_BP, d->breakpoint.length);
		break;
	case KVMI_EV_PF:
		kv->step_over = true;
		kv->rep_complete = kv->answer.pf.rep_complete;
		break;
	case KVMI_EV_TRAP:
		inject(v, d);
		break;
	case KVMI_EV_XSETBV:
	case KVMI_EV_DESCRIPTOR:
	case KVMI_EV_CPUID:
		kv->passes = true;
		kv->pass_rip = v->regs->rip;
		break;
	default:
		break;
	}
}

/* An action that an event has not is none. */
static void take_answer(struct vcpu *v, struct kvmi_vcpu *kv)
{
	kv->waits = kv->answered = false;
	if (kv->regs_set && !kv->old) {
		/* As far from there as it is from where it was told. */
		kv->regs.rip += v->regs->rip - kv->rip;
		kvmi_set_regs(v, &kv->regs);
	}
	kv->regs_set = false;
	if (kv->event == KVMI_EV_TRAP)
		kv->inject = false;
	if (kv->action == KVMI_CRASH)
		crash(v);
	else if (kv->action == KVMI_CONTINUE && !kv->old)
		go_on_with(v, kv);
}

/* ---- before it goes on ------------------------------------------------------- */

static void tell_next(struct vcpu *v, struct kvmi_vcpu *kv)
{
	static const union kvmi_event_data nothing;

	if (kv->tell_step) {
		kv->tell_step = false;
		if (kv->events & 1u << KVMI_EV_SINGLESTEP)
			kvmi_tell(v, KVMI_EV_SINGLESTEP, &nothing,
				  sizeof(nothing.step));
	}
	if (!kv->waits && kv->inject)
		kvmi_tell(v, KVMI_EV_TRAP, &kv->injected,
			  sizeof(kv->injected.trap));
	if (!kv->waits && kv->pauses) {
		kv->pauses--;
		kvmi_tell(v, KVMI_EV_PAUSE, &nothing, 0);
	}
}

void kvmi_off_tells(struct vcpu *v)
{
	if (!kvmi_of(v)->waits)
		tell_next(v, kvmi_of(v));
}

bool kvmi_go_on(struct vcpu *v)
{
	struct kvmi *k = v->g->kvmi;
	struct kvmi_vcpu *kv = kvmi_of(v);

	if (kv->waits && kv->answered)
		take_answer(v, kv);
	if (v->regs->stop > STOP_ASKED)
		return true;
	if (!kv->waits)
		tell_next(v, kv);
	if (kv->waits)
		return false;
	if (kv->step_over && (!k->over || k->over == v))
		open_access(v);
	if (k->over != v)
		mmu_view_close(&v->mmu);
	return !k->over || k->over == v;
}

/* ---- what the guest does -------------------------------------------------------- */

static bool told_of(const struct vcpu *v, enum kvmi_event_id id)
{
	const struct kvmi_vcpu *kv = kvmi_of(v);

	return (kv->events >> id & 1) && !kv->waits;
}

static bool tell(struct vcpu *v, enum kvmi_event_id id,
		 const union kvmi_event_data *data, uint32_t bytes)
{
	kvmi_tell(v, id, data, bytes);
	vcpu_stop(v, STOP_ASKED);
	return true;
}

static bool on_cr(struct vcpu *v, uint32_t nr, uint64_t old, uint64_t value)
{
	const union kvmi_event_data data = {
		.reg = { .nr = nr, .old = old, .value = value },
	};

	return told_of(v, KVMI_EV_CR) && (kvmi_of(v)->cr >> nr & 1) &&
	       old != value && tell(v, KVMI_EV_CR, &data, sizeof(data.reg));
}

static bool on_msr(struct vcpu *v, uint32_t index, uint64_t value)
{
	union kvmi_event_data data = { .reg = { .nr = index, .value = value } };
	uint32_t range = index >= 0xc0000000u, i = index & 0x3fffffff;

	return told_of(v, KVMI_EV_MSR) && i < KVMI_MSRS &&
	       (kvmi_of(v)->msr[range][i / 8] >> i % 8 & 1) &&
	       msr_get(v, index, &data.reg.old) && data.reg.old != value &&
	       tell(v, KVMI_EV_MSR, &data, sizeof(data.reg));
}

static bool on_entries(struct vcpu *v, uint64_t lstar, uint64_t cstar)
{
	struct kvmi_vcpu *kv = kvmi_of(v);

	kv->cstar = cstar;
	if (on_msr(v, MSR_LSTAR, lstar)) {
		kv->entry = true;
	} else if (on_msr(v, MSR_CSTAR, cstar)) {
		msr_set_entry(v, MSR_LSTAR, lstar);
		kv->entry = true;
	}
	return kv->waits;
}

/* Of what comes again when it was told. */
static bool tell_once(struct vcpu *v, enum kvmi_event_id id,
		      const union kvmi_event_data *data, uint32_t bytes)
{
	struct kvmi_vcpu *kv = kvmi_of(v);
	bool passes = kv->passes && kv->event == id && kv->pass_rip == v->regs->rip;

	kv->passes = false;
	return !passes && told_of(v, id) && tell(v, id, data, bytes);
}

static bool on_insn(struct vcpu *v, enum insn_op op)
{
	static const uint8_t table[INSN_OPS] = {
		[INSN_SIDT] = KVMI_IDTR, [INSN_LIDT] = KVMI_IDTR,
		[INSN_SGDT] = KVMI_GDTR, [INSN_LGDT] = KVMI_GDTR,
		[INSN_SLDT] = KVMI_LDTR, [INSN_LLDT] = KVMI_LDTR,
		[INSN_STR] = KVMI_TR, [INSN_LTR] = KVMI_TR,
	};
	const union kvmi_event_data data = { .descriptor = {
		.which = table[op],
		.write = op == INSN_LIDT || op == INSN_LGDT ||
			 op == INSN_LLDT || op == INSN_LTR,
	} };

	if (!table[op])
		return tell_once(v, KVMI_EV_XSETBV, &data, 0);
	return tell_once(v, KVMI_EV_DESCRIPTOR, &data, sizeof(data.descriptor));
}

static bool on_cpuid(struct vcpu *v, uint32_t leaf, uint32_t sub,
		     uint32_t length)
{
	const union kvmi_event_data data = { .cpuid = {
		.function = leaf, .index = sub, .length = length,
	} };

	return tell_once(v, KVMI_EV_CPUID, &data, sizeof(data.cpuid));
}

static bool on_breakpoint(struct vcpu *v, uint32_t length)
{
	union kvmi_event_data data = { .breakpoint = { .length = length } };
	gva_t va;

	if (!told_of(v, KVMI_EV_BREAKPOINT))
		return false;
	v->regs->rip -= length;
	va = v->regs->rip;
	if (!v->wide)
		va = (uint32_t)(desc_base(desc_lookup(v, v->regs->cs)) + va);
	data.breakpoint.gpa = kvmi_gpa(v, va);
	return tell(v, KVMI_EV_BREAKPOINT, &data, sizeof(data.breakpoint));
}

/* Views cannot say that a page is not to be read, but written or executed: what they
 * refuse of that is not told, only done. */
static void on_refused(struct vcpu *v, gva_t va, gpa_t pa, uint32_t error)
{
	struct kvmi_vcpu *kv = kvmi_of(v);
	uint8_t access = error & PF_I ? VIEW_X : error & PF_W ? VIEW_W : VIEW_R;
	union kvmi_event_data data = {
		.pf = { .gva = va, .gpa = pa, .access = access },
	};

	kv->error = error;
	vcpu_stop(v, STOP_ASKED);
	if (told_of(v, KVMI_EV_PF) &&
	    !(mm_view(&v->g->mm, pa >> PAGE_SHIFT) & access)) {
		tell(v, KVMI_EV_PF, &data, sizeof(data.pf));
		return;
	}
	kv->data = data;
	kv->step_over = true;
	kv->rep_complete = false;
}

bool introspect_hypercall(struct vcpu *v)
{
	static const union kvmi_event_data nothing;

	if (!v->watched || !told_of(v, KVMI_EV_HYPERCALL))
		return false;
	return tell(v, KVMI_EV_HYPERCALL, &nothing, 0);
}

/* ---- who listens ----------------------------------------------------------------- */

static const struct watch watch = {
	.cr = on_cr,
	.msr = on_msr,
	.breakpoint = on_breakpoint,
	.refused = on_refused,
	.entries = on_entries,
	.insn = on_insn,
	.cpuid = on_cpuid,
};

void kvmi_watch(struct kvmi *k, bool is)
{
	struct vcpu *v;

	for (v = k->g->vcpu; v < k->g->vcpu + k->g->vcpus; v++) {
		v->watch = is ? &watch : NULL;
		v->watched = is;
		kvmi_of(v)->passes = false;
		v->hypercall = is ? hcall_watched : v->wide ? hcall_wide : hcall;
		if (v->wide)
			wide_fault_changed(v);
	}
}

/* Who waits for an answer goes on without. */
void kvmi_forget(struct kvmi *k)
{
	struct kvmi_vcpu *kv;
	uint32_t i;

	for (i = 0; i < k->g->vcpus; i++) {
		kv = &k->vcpu[i];
		kv->events = kv->cr = kv->pauses = 0;
		memset(kv->msr, 0, sizeof(kv->msr));
		kv->step = kv->tell_step = kv->inject = false;
		if (kv->waits && !kv->answered) {
			kv->action = kv->event == KVMI_EV_PF ? KVMI_RETRY :
							       KVMI_CONTINUE;
			kv->answer.value = kv->data.reg.value;
			kv->answered = true;
			kv->regs_set = false;
		}
		if (kvmi_is_on(&k->g->vcpu[i]))
			kvmi_ask(k, &k->g->vcpu[i]);
		else
			kv->waits = false;
	}
	k->busy = NULL;
	mm_view_none(&k->g->mm);
	kvmi_watch(k, false);
}

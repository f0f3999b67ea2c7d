// SPDX-License-Identifier: GPL-2.0-only
/* How a guest ends: its vCPUs stop, what others have of it is given back, and it starts
 * again, is gone, or is the last. */
#include "dispatch.h"
#include "log.h"
#include "sched.h"

static enum end worst;		/* of the guests that ended */

/* What nobody asked for. */
static void tell_why(struct vcpu *v)
{
	if (!v->why[0])
		return;
	log_printf("%s %s%s\n", v->g->name, v->end == END_GUEST_DIED ?
		   "died: " : "rebooted by ", v->why);
	if (v->end == END_GUEST_DIED)
		report(v);
}

/* The first of its vCPUs tells the others, or another guest does. True: none of them
 * is in a processor. */
bool guest_ends(struct vcpu *v)
{
	struct guest *g = v->g;
	struct vcpu *s;
	bool none;

	mmu_stop_others(&v->mmu);
	tell_why(v);
	io_end(g);
	comm_end(g);
	requests_end(g);
	kvmi_end(g);
	g->end = v->end;
	s = v;
	spin_lock(&sched_lock);
	do {
		trace_drain(g->trace, s->nr, s->sh);
		s->regs->stop = STOP_ENDED;
		s->on = false;
		s->halted = false;
		if (s->loaded && s != current)
			host_kick(s->home);
		s = s->sibling;
	} while (s != v);
	g->ended = true;
	none = !g->loaded;
	sched_abandon(g);
	spin_unlock(&sched_lock);
	return none;
}

void sched_end(struct guest *g)
{
	struct vcpu *v = &g->vcpu[0];

	vcpu_end(v, END_ORDERLY);
	if (guest_ends(v))
		guest_finish(g);
}

/* The end of a guest that no processor knows any more; but one may still look
 * whether there is something to do for it, so its lock stays. It is given back for
 * what is of two guests, but from guest.ended on there is nothing that others do
 * to it. */
void guest_finish(struct guest *g)
{
	struct made *made;
	bool again, all;
	uint32_t i;

	spin_unlock(&g->lock);
	pages_end(g);
	spin_lock(&g->lock);
	do {
		all = true;
		again = guest_starts_again(g);
		spin_lock(&sched_lock);
		/* How one ends that a guest has made is that guest's affair. */
		if (!g->made && g->end > worst)
			worst = g->end;
		g->gone = !again;
		for (i = 0; i < guest_count; i++)
			all = all && (guests[i]->gone || guests[i]->paused);
		spin_unlock(&sched_lock);
		if (all) {
			stats_print();
			host_end(worst);
		}
		if (!again)
			log_printf("%s ended, the others go on\n", g->name);
		guest_release(g);
		if (g->destroyed) {
			made = g->made;
			manage_forget(g);
			made_free(made);
		}
	} while (again && !guest_restart(g));
	if (again) {
		sched_add(&g->vcpu[0]);
		kvmi_start(g);
	} else {
		kvmi_gone(g);
	}
}

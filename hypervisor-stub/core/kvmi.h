/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Introspection from outside: a tool that sees a guest's memory and registers, and is
 * told of what it does, by the protocol of spec/introspection.md.
 *
 * Nothing is done for it but by a vCPU of the guest that is in its processor, with the
 * guest's lock: sched_ask() brings one there, whatever it waits for. So what a tool
 * makes us do is the guest's time, and no more than one vCPU does it at a time.
 */
#ifndef KVMI_H
#define KVMI_H

#include "core.h"
#include "kvmi_wire.h"

/* How a message ended: 0 or a negative error for its sender; or it broke the rules,
 * which ends the connection; or it is a vCPU's, which is asked. */
enum { KVMI_BROKEN = 1, KVMI_LATER };

#define KVMI_PAUSES_MAX	1001u
#define KVMI_MSRS	0x2000u		/* in each of two ranges */

/* Of a vCPU. */
struct kvmi_vcpu {
	bool		asked;		/* since it was served last */

	/* What is told of. */
	uint32_t	events;		/* KVMI_EV_*, by bit */
	uint32_t	cr;		/* by number */
	uint8_t		msr[2][KVMI_MSRS / 8];
	bool		step;		/* each instruction */
	bool		tell_step;	/* one was executed */
	bool		step_over;	/* one is to be, whatever views refuse, */
	bool		rep_complete;	/* with all that it repeats */
	uint32_t	error;		/* of the access that a view refused */

	/* An event that waits for its answer. */
	bool		waits, answered;
	bool		old;		/* STARTUP came since it was told */
	uint8_t		event;
	uint32_t	seq;
	union kvmi_event_data data;	/* as it was told, */
	uint64_t	rip;		/* there */
	bool		entry;		/* an MSR that SetSyscallEntry sets, */
	uint64_t	cstar;		/* with this one */
	uint8_t		action;
	union {
		uint64_t	value;
		struct kvmi_pf_reply pf;
		uint8_t		bytes[sizeof(struct kvmi_pf_reply)];
	} answer;
	bool		regs_set;	/* with the answer */
	struct kvmi_regs regs;
	bool		passes;		/* what comes again, */
	uint64_t	pass_rip;	/* at that place */

	uint32_t	pauses;		/* to be told of */
	bool		inject;		/* an exception */
	union kvmi_event_data injected;
};

struct kvmi {
	struct guest	*g;
	uint32_t	channel;
	uint8_t		uuid[16];
	int64_t		start_time;
	bool		alive;		/* the guest is; */
	bool		gone;		/* it does not start again by itself */

	/* The connection, and frames of its channel (kvmi.c). */
	enum { KVMI_NONE, KVMI_CONNECTED, KVMI_GREETED, KVMI_OPEN, KVMI_CLOSING }
			state;
	uint8_t		frame[4];
	uint32_t	frame_got, frame_left;
	uint32_t	skip;		/* of the tool's answer */
	bool		quiet;		/* commands have no answer */
	uint32_t	event_seq;

	/* The message that is received, or waits for its vCPU. */
	uint32_t	got;
	struct vcpu	*busy;		/* that one */
	union {
		struct kvmi_header header;
		uint8_t		bytes[sizeof(struct kvmi_header) +
				      KVMI_BODY_MAX];
	} in;

	/* What is sent: a frame's size, then the message. */
	struct {
		uint32_t	bytes;
		struct kvmi_header header;
		uint8_t		body[KVMI_BODY_MAX];
	} out;
	struct vcpu	*over;		/* it does that now: nobody else runs */
	struct kvmi_vcpu vcpu[GUEST_VCPUS];
};

/* A command, in its hands. */
struct kvmi_command {
	struct kvmi	*k;
	struct vcpu	*v;		/* that serves; of a vCPU command the one
					 * it is for */
	struct kvmi_vcpu *kv;		/* of that one */
	const uint8_t	*body;		/* behind the vCPU's header */
	uint32_t	size;
	uint8_t		*data;		/* the answer's, and its size */
	uint32_t	bytes;
};

static inline struct kvmi_vcpu *kvmi_of(const struct vcpu *v)
{
	return &v->g->kvmi->vcpu[v->nr];
}

/* ---- kvmi.c ------------------------------------------------------------- */

/* The body is in k->out. False: no room, which ends the connection. */
bool kvmi_send(struct kvmi *, uint16_t id, uint32_t seq, uint32_t bytes);
void kvmi_close(struct kvmi *, const char *why);
/* Comes to kvmi_serve(). It is on. */
void kvmi_ask(struct kvmi *, struct vcpu *);

/* ---- kvmi_commands.c ------------------------------------------------------ */

/* The message in k->in, by the vCPU that is in this processor: as above. */
int kvmi_command(struct kvmi *, struct vcpu *);

/* ---- kvmi_state.c --------------------------------------------------------- */

/* Of a vCPU that is in this processor. */
void kvmi_get_regs(struct vcpu *, struct kvmi_all_regs *);
void kvmi_get_state(struct vcpu *, struct kvmi_event *);
void kvmi_set_regs(struct vcpu *, const struct kvmi_regs *);

/* Where a linear address is; all ones: nowhere. */
gpa_t kvmi_gpa(struct vcpu *, gva_t);

/* ---- kvmi_events.c -------------------------------------------------------- */

/* Tell, and wait for the answer. */
void kvmi_tell(struct vcpu *, enum kvmi_event_id, const union kvmi_event_data *,
	       uint32_t bytes);
/* Its answer, in k->in, by a vCPU that is in this processor. */
int kvmi_answer(struct kvmi *, struct vcpu *);
/* What is to be done before it goes on. False: it does not. */
bool kvmi_go_on(struct vcpu *);
/* It does not execute by itself what views refuse any more. */
void kvmi_over_ends(struct vcpu *);
/* As kvmi_go_on(), of one that is off. */
void kvmi_off_tells(struct vcpu *);

/* Off is one that waits for STARTUP, not one whose guest is paused. */
static inline bool kvmi_is_on(const struct vcpu *v)
{
	return v->on || v->paused;
}

/* Somebody listens, or not any more. */
void kvmi_watch(struct kvmi *, bool);
/* Nobody listens any more. */
void kvmi_forget(struct kvmi *);

#endif

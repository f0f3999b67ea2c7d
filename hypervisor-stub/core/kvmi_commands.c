// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands of an introspection tool (spec/introspection.md, INTRO-4). All are in one
 * table, and what is common to them is checked there. Each takes its arguments from a
 * message that is ours by now, and changes nothing if it refuses them.
 */
#include <cpu.h>
#include <string.h>

#include "kvmi.h"

#define READ_MAX	4096u
#define WRITE_BACK	6u		/* the type of all memory */

/* A field of the body, wherever it lies there. */
#define FIELD(c, type, at) ({						\
		type value_;						\
									\
		memcpy(&value_, (c)->body + (at), sizeof(value_));	\
		value_;							\
	})

/* Bytes that have to be 0. */
static bool zeros(const struct kvmi_command *c, uint32_t at, uint32_t bytes)
{
	while (bytes--)
		if (c->body[at + bytes])
			return false;
	return true;
}

static int answer(struct kvmi_command *c, const void *data, uint32_t bytes)
{
	memcpy(c->data, data, bytes);
	c->bytes = bytes;
	return 0;
}

/* ---- of the protocol --------------------------------------------------------- */

static int get_version(struct kvmi_command *c)
{
	static const uint32_t version[4] = { KVMI_VERSION };

	return answer(c, version, sizeof(version));
}

static bool event_exists(uint32_t event)
{
	return event < KVMI_EVENTS && event != KVMI_EV_CMD_ERROR;
}

static int check_event(struct kvmi_command *c)
{
	return zeros(c, 2, 6) && event_exists(FIELD(c, uint16_t, 0)) ?
	       0 : -KVMI_EINVAL;
}

/* It has been answered, or not, by kvmi_command(). */
static int control_response(struct kvmi_command *c)
{
	uint8_t enable = c->body[0], now = c->body[1], flags = c->body[2];

	if (!zeros(c, 3, 5))
		return KVMI_BROKEN;
	if (enable > 1 || now > 1 || flags > 1)
		return -KVMI_EINVAL;
	return flags ? -KVMI_EOPNOTSUPP : 0;	/* events about errors */
}

/* ---- of the guest ------------------------------------------------------------ */

static int get_guest_info(struct kvmi_command *c)
{
	const uint32_t info[4] = { c->k->g->vcpus };

	return answer(c, info, sizeof(info));
}

static int get_max_gfn(struct kvmi_command *c)
{
	const uint64_t gfn = c->k->g->mm.gmem.nframes;

	return answer(c, &gfn, sizeof(gfn));
}

/* The first frame and the number of those where it has memory, without a gap. */
static int query_physical(struct kvmi_command *c)
{
	const uint64_t frames[2] = { 0, c->k->g->mm.gmem.nframes };

	if (FIELD(c, uint64_t, 0) >= frames[1])
		return -KVMI_ENOENT;
	return answer(c, frames, sizeof(frames));
}

/* Of READ_PHYSICAL and WRITE_PHYSICAL. */
static bool range(const struct kvmi_command *c, gpa_t *gpa, uint64_t *size)
{
	*gpa = FIELD(c, uint64_t, 0);
	*size = FIELD(c, uint64_t, 8);
	return *size && *size <= READ_MAX &&
	       *size <= PAGE_SIZE - *gpa % PAGE_SIZE;
}

static int read_physical(struct kvmi_command *c)
{
	uint64_t size;
	gpa_t gpa;

	if (!range(c, &gpa, &size))
		return -KVMI_EINVAL;
	if (!gmem_read(&c->k->g->mm.gmem, c->data, gpa, size))
		return -KVMI_ENOENT;
	c->bytes = size;
	return 0;
}

static int write_physical(struct kvmi_command *c)
{
	uint64_t size;
	gpa_t gpa;

	if (!range(c, &gpa, &size))
		return -KVMI_EINVAL;
	if (c->size - 16 < size)
		return KVMI_BROKEN;
	if (!gmem_write(&c->k->g->mm.gmem, gpa, c->body + 16, size))
		return -KVMI_ENOENT;
	mmu_written(&c->v->mmu, gpa);
	return 0;
}

static int control_vm_events(struct kvmi_command *c)
{
	uint16_t event = FIELD(c, uint16_t, 0);

	if (c->body[2] > 1 || !zeros(c, 3, 5) ||
	    (event != KVMI_EV_UNHOOK && event != KVMI_EV_CREATE_VCPU))
		return -KVMI_EINVAL;
	return event == KVMI_EV_UNHOOK ? 0 : -KVMI_EOPNOTSUPP;
}

/* More at a time: it is less work to forget all that the shadow has. */
#define DROPS_MAX	4u

static int set_one_access(struct kvmi_command *c, uint64_t gpa, uint8_t access,
			  uint32_t count)
{
	struct mm *mm = &c->k->g->mm;
	uint64_t gfn = gpa >> PAGE_SHIFT;
	uint32_t before = mm_view(mm, gfn);

	if (!mm_view_set(mm, gfn, access))
		return -KVMI_ENOENT;
	if ((before & ~access) && count <= DROPS_MAX)
		mmu_view_drop(&c->v->mmu, gfn);
	return 0;
}

/* All entries are tried, and the first error is the answer. Nobody is in the guest
 * meanwhile, and none has in its TLB what it must not. */
static int set_page_access(struct kvmi_command *c)
{
	uint32_t count = FIELD(c, uint16_t, 2), i, at;
	int err = 0, one;

	if (!zeros(c, 4, 4) || (c->size - 8) / 16 < count)
		return -KVMI_EINVAL;
	if (FIELD(c, uint16_t, 0))
		return -KVMI_EOPNOTSUPP;
	mmu_stop_others(&c->v->mmu);
	for (i = 0; i < count; i++) {
		at = 8 + 16 * i;
		if ((c->body[at + 8] & ~VIEW_ALL) || !zeros(c, at + 9, 7))
			one = -KVMI_EINVAL;
		else
			one = set_one_access(c, FIELD(c, uint64_t, at),
					     c->body[at + 8], count);
		err = err ? err : one;
	}
	if (count > DROPS_MAX)
		mmu_view_drop_all(&c->v->mmu);
	mmu_flush_tlb(&c->v->mmu);
	return err;
}

/* ---- of a vCPU ---------------------------------------------------------------- */

static int get_vcpu_info(struct kvmi_command *c)
{
	return answer(c, &host_tsc_hz, sizeof(host_tsc_hz));
}

/* It is out of the guest: this is why. One that is off stays off, but with the
 * answer. */
static int pause_vcpu(struct kvmi_command *c)
{
	if (c->body[0] > 1 || !zeros(c, 1, 7))
		return -KVMI_EINVAL;
	if (c->kv->pauses >= KVMI_PAUSES_MAX)
		return -KVMI_EBUSY;
	c->kv->pauses++;
	if (!c->v->on)
		kvmi_off_tells(c->v);
	return 0;
}

/* The second are told of without being asked for. */
#define EVENTS_SWITCHED	(1u << KVMI_EV_CR | 1u << KVMI_EV_MSR |		\
			 1u << KVMI_EV_XSETBV | 1u << KVMI_EV_BREAKPOINT | \
			 1u << KVMI_EV_HYPERCALL | 1u << KVMI_EV_PF |	\
			 1u << KVMI_EV_DESCRIPTOR | 1u << KVMI_EV_SINGLESTEP | \
			 1u << KVMI_EV_CPUID)
#define EVENTS_ALWAYS	(1u << KVMI_EV_TRAP | 1u << KVMI_EV_PAUSE)

static int control_events(struct kvmi_command *c)
{
	uint32_t event = FIELD(c, uint16_t, 0), bit;

	if (event >= KVMI_EVENTS || c->body[2] > 1 || !zeros(c, 3, 5))
		return -KVMI_EINVAL;
	bit = 1u << event;
	if (!(bit & (EVENTS_SWITCHED | EVENTS_ALWAYS)))
		return -KVMI_EINVAL;
	c->kv->events &= ~bit;
	if (c->body[2])
		c->kv->events |= bit;
	return 0;
}

static int control_cr(struct kvmi_command *c)
{
	uint32_t cr = FIELD(c, uint32_t, 4);

	if (c->body[0] > 1 || !zeros(c, 1, 3) || (cr != 0 && cr != 3 && cr != 4))
		return -KVMI_EINVAL;
	c->kv->cr &= ~(1u << cr);
	c->kv->cr |= (uint32_t)c->body[0] << cr;
	return 0;
}

static int control_msr(struct kvmi_command *c)
{
	uint32_t msr = FIELD(c, uint32_t, 4), range = msr >= 0xc0000000u;
	uint32_t i = msr - (range ? 0xc0000000u : 0);
	uint8_t *bits;

	if (c->body[0] > 1 || !zeros(c, 1, 3) || i >= KVMI_MSRS)
		return -KVMI_EINVAL;
	bits = &c->kv->msr[range][i / 8];
	*bits = (*bits & ~(1u << i % 8)) | (uint32_t)c->body[0] << i % 8;
	return 0;
}

#define MSRS_MAX	((KVMI_BODY_MAX - sizeof(struct kvmi_error) -	\
			  sizeof(struct kvmi_all_regs)) / sizeof(struct kvmi_msr))

/* MSRs that a guest has not are 0: tools ask for those of 64-bit ones of all. */
static int get_registers(struct kvmi_command *c)
{
	uint32_t n = FIELD(c, uint16_t, 0), i;
	struct kvmi_all_regs all;
	struct kvmi_msr msr;

	if (!zeros(c, 2, 6) || c->size - 8 < n * 4)
		return -KVMI_EINVAL;
	if (n > MSRS_MAX)
		return -KVMI_ENOMEM;
	kvmi_get_regs(c->v, &all);
	if (c->kv->waits && c->v->on)
		all.regs.rip = c->kv->rip;
	all.nmsrs = n;
	answer(c, &all, sizeof(all));
	for (i = 0; i < n; i++) {
		msr = (struct kvmi_msr){ .index = FIELD(c, uint32_t, 8 + 4 * i) };
		if (!msr_get(c->v, msr.index, &msr.data))
			msr.data = 0;
		memcpy(c->data + c->bytes, &msr, sizeof(msr));
		c->bytes += sizeof(msr);
	}
	return 0;
}

static int set_registers(struct kvmi_command *c)
{
	if (!c->kv->waits || c->kv->answered)
		return -KVMI_EOPNOTSUPP;
	memcpy(&c->kv->regs, c->body, sizeof(c->kv->regs));
	c->kv->regs_set = true;
	return 0;
}

static int get_cpuid(struct kvmi_command *c)
{
	uint32_t leaf = FIELD(c, uint32_t, 0), r[4];

	/* The highest of its range. */
	c->v->cpuid(c->v, leaf & 0xffff0000, 0, r);
	if (leaf > r[0] || (leaf & 0xffff0000) != (r[0] & 0xffff0000))
		return -KVMI_ENOENT;
	/* The processor's answer depends on XCR0 and CR4, and another's may be there. */
	if (c->v->wide)
		xcr0_apply(c->v);
	c->v->cpuid(c->v, leaf, FIELD(c, uint32_t, 4), r);
	if (c->v->wide)
		xcr0_apply(current);
	return answer(c, r, sizeof(r));
}

static int inject_exception(struct kvmi_command *c)
{
	uint8_t nr = c->body[0];

	if (!zeros(c, 1, 3) || nr >= 32 || nr == VEC_NMI)
		return -KVMI_EINVAL;
	if (!kvmi_is_on(c->v))
		return -KVMI_EAGAIN;
	if (c->kv->inject)
		return -KVMI_EBUSY;
	c->kv->inject = true;
	memset(&c->kv->injected, 0, sizeof(c->kv->injected));
	c->kv->injected.trap.vector = nr;
	c->kv->injected.trap.error = FIELD(c, uint32_t, 4);
	c->kv->injected.trap.cr2 = FIELD(c, uint64_t, 8);
	return 0;
}

static int get_mtrr_type(struct kvmi_command *c)
{
	static const uint8_t type[8] = { WRITE_BACK };

	return answer(c, type, sizeof(type));
}

static int translate_gva(struct kvmi_command *c)
{
	gpa_t gpa = kvmi_gpa(c->v, FIELD(c, uint64_t, 0));

	return answer(c, &gpa, sizeof(gpa));
}

/* There is one, that of all. */
static int get_ept_view(struct kvmi_command *c)
{
	static const uint16_t view[4];

	return answer(c, view, sizeof(view));
}

static int get_xcr(struct kvmi_command *c)
{
	const uint64_t value = c->v->xcr0 | 1;	/* without XSAVE the same */

	if (c->body[0] || !zeros(c, 1, 7))
		return -KVMI_EINVAL;
	return answer(c, &value, sizeof(value));
}

static int singlestep(struct kvmi_command *c)
{
	if (c->body[0] > 1 || !zeros(c, 1, 7))
		return -KVMI_EINVAL;
	c->kv->step = c->body[0];
	return 0;
}

/* Known, but of processors that we do not pretend to be. */
static int no_support(struct kvmi_command *c)
{
	(void)c;
	return -KVMI_EOPNOTSUPP;
}

/* ---- all of them ---------------------------------------------------------------- */

static int check_command(struct kvmi_command *c);

#define VCPU	1u		/* begins with a vCPU, and is carried out there */
#define DATA	2u		/* has an answer of its own */

static const struct {
	int		(*handler)(struct kvmi_command *);
	uint16_t	least;	/* of its body, but for the vCPU's header */
	uint16_t	is;
} commands[KVMI_IDS] = {
	[KVMI_GET_VERSION]	= { get_version, 0, DATA },
	[KVMI_CHECK_COMMAND]	= { check_command, 8, 0 },
	[KVMI_CHECK_EVENT]	= { check_event, 8, 0 },
	[KVMI_GET_GUEST_INFO]	= { get_guest_info, 0, DATA },
	[KVMI_GET_VCPU_INFO]	= { get_vcpu_info, 0, VCPU | DATA },
	[KVMI_PAUSE_VCPU]	= { pause_vcpu, 8, VCPU },
	[KVMI_CONTROL_VM_EVENTS] = { control_vm_events, 8, 0 },
	[KVMI_CONTROL_EVENTS]	= { control_events, 8, VCPU },
	[KVMI_CONTROL_CR]	= { control_cr, 8, VCPU },
	[KVMI_CONTROL_MSR]	= { control_msr, 8, VCPU },
	[KVMI_GET_REGISTERS]	= { get_registers, 8, VCPU | DATA },
	[KVMI_SET_REGISTERS]	= { set_registers, sizeof(struct kvmi_regs),
				    VCPU },
	[KVMI_GET_CPUID]	= { get_cpuid, 8, VCPU | DATA },
	[KVMI_READ_PHYSICAL]	= { read_physical, 16, DATA },
	[KVMI_WRITE_PHYSICAL]	= { write_physical, 16, 0 },
	[KVMI_INJECT_EXCEPTION]	= { inject_exception, 16, VCPU },
	[KVMI_SET_PAGE_ACCESS]	= { set_page_access, 8, 0 },
	[KVMI_GET_MTRR_TYPE]	= { get_mtrr_type, 8, VCPU | DATA },
	[KVMI_CONTROL_RESPONSE]	= { control_response, 8, 0 },
	[KVMI_GET_MAX_GFN]	= { get_max_gfn, 0, DATA },
	[KVMI_QUERY_PHYSICAL]	= { query_physical, 8, DATA },
	[KVMI_GET_EPT_VIEW]	= { get_ept_view, 0, VCPU | DATA },
	[KVMI_GET_XCR]		= { get_xcr, 8, VCPU | DATA },
	[KVMI_GET_XSAVE]	= { no_support, 0, VCPU | DATA },
	[KVMI_SET_XSAVE]	= { no_support, 0, VCPU },
	[KVMI_GET_MAP_TOKEN]	= { no_support, 0, DATA },
	[KVMI_CONTROL_SPP]	= { no_support, 8, 0 },
	[KVMI_SET_WRITE_BITMAP]	= { no_support, 8, 0 },
	[KVMI_SET_VE_INFO_PAGE]	= { no_support, 16, VCPU },
	[KVMI_DISABLE_VE]	= { no_support, 0, VCPU },
	[KVMI_SET_EPT_VIEW]	= { no_support, 8, VCPU },
	[KVMI_CONTROL_EPT_VIEW]	= { no_support, 8, VCPU },
	[KVMI_CHANGE_GFN]	= { no_support, 16, VCPU },
	[KVMI_TRANSLATE_GVA]	= { translate_gva, 8, VCPU | DATA },
	[KVMI_SINGLESTEP]	= { singlestep, 8, VCPU },
};

static bool exists(uint32_t id)
{
	return id < KVMI_IDS && commands[id].handler;
}

static int check_command(struct kvmi_command *c)
{
	uint16_t id = FIELD(c, uint16_t, 0);

	return zeros(c, 2, 6) && (exists(id) || id == KVMI_EVENT_REPLY) ?
	       0 : -KVMI_EINVAL;
}

/* The vCPU that the message is for: 0, or that there is none. */
static int find_vcpu(struct kvmi_command *c)
{
	struct kvmi_vcpu_header header;
	struct guest *g = c->k->g;

	if (c->size < sizeof(header))
		return -KVMI_EINVAL;
	memcpy(&header, c->body, sizeof(header));
	if (header.pad1 || header.pad2 || header.vcpu >= g->vcpus)
		return -KVMI_EINVAL;
	c->v = &g->vcpu[header.vcpu];
	c->kv = &c->k->vcpu[header.vcpu];
	c->body += sizeof(header);
	c->size -= sizeof(header);
	return 0;
}

static int carry_out(struct kvmi_command *c, uint16_t id)
{
	struct vcpu *here = c->v;
	int err = 0;

	if (!exists(id))
		return -KVMI_ENOSYS;
	if (commands[id].is & VCPU)
		err = find_vcpu(c);
	if (err)
		return err;
	if (c->size < commands[id].least)
		return id == KVMI_CONTROL_RESPONSE ? KVMI_BROKEN : -KVMI_EINVAL;
	/* One that is off is looked at as it is. */
	if (c->v != here && c->v->on) {
		c->k->busy = c->v;
		kvmi_ask(c->k, c->v);
		return KVMI_LATER;
	}
	return commands[id].handler(c);
}

int kvmi_command(struct kvmi *k, struct vcpu *v)
{
	struct kvmi_header header = k->in.header;
	struct kvmi_command c = {
		.k = k,
		.v = v,
		.body = k->in.bytes + sizeof(header),
		.size = header.size,
		.data = k->out.body + sizeof(struct kvmi_error),
	};
	struct kvmi_error error = { 0 };
	bool quiet = k->quiet;
	int err;

	if (header.id == KVMI_EVENT_REPLY)
		return kvmi_answer(k, v);
	/* An answer to an event would be taken for one. */
	if (header.id == KVMI_EVENT)
		return KVMI_BROKEN;
	if (quiet && (!exists(header.id) || (commands[header.id].is & DATA)))
		return KVMI_BROKEN;
	err = carry_out(&c, header.id);
	if (err > 0)
		return err;
	if (header.id == KVMI_CONTROL_RESPONSE && !err) {
		k->quiet = !c.body[0];
		if (c.body[1])
			quiet = k->quiet;
	}
	if (quiet)
		return 0;
	error.err = err;
	memcpy(k->out.body, &error, sizeof(error));
	kvmi_send(k, header.id, header.seq,
		  sizeof(error) + (err ? 0 : c.bytes));
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls of a guest to the hypervisor proper (spec/neighbours.md, N-2): one table, and
 * who may make which, which is decided here alone and by the row alone. By the
 * ROM's Hypercall (hcall.c) or by an instruction (personality.c).
 */
#include <string.h>

#include "manage.h"
#include "pages.h"
#include "requests.h"

#define NEVER		0x80000000u	/* a right that nobody has */

/* A guest that a call is about, by its first argument, whose lock the handler has; or
 * only names, and it has the caller's; or the handler takes what locks it needs. */
enum target { NO_TARGET, ANY_GUEST, OTHER_GUEST, OTHER_NAMED, OWN_LOCKS };

struct row {
	int64_t		(*handler)(struct vcpu *, const uint64_t *a);
	uint32_t	args;
	uint32_t	rights;		/* all are needed; 0: open to all */
	bool		user;		/* user mode may call */
	bool		drains;		/* it looks at what the queue announces */
	enum target	target;
	bool		poisons;	/* by an instruction, what it may change */
};

static int64_t put(struct vcpu *v, uint64_t pa, const void *from, uint64_t bytes)
{
	return gmem_write_late(&v->mmu.mm->gmem, pa, from, bytes) ? 0 :
								    -VMI_EFAULT;
}

/* ---- open to all --------------------------------------------------------- */

static int64_t version(struct vcpu *v, const uint64_t *a)
{
	static const struct vmi_hc_version is = { VMI_HC_MAJOR, VMI_HC_MINOR };

	return put(v, a[0], &is, sizeof(is));
}

static int64_t hypervisor_info(struct vcpu *v, const uint64_t *a)
{
	int64_t n = 0;
	uint32_t i;

	(void)v;
	if (a[0] != VMI_INFO_GUESTS)
		return -VMI_EINVAL;
	for (i = 0; i < guest_count; i++)
		n += !guests[i]->destroyed;
	return n;
}

static uint64_t sum(const uint64_t *of, uint32_t n)
{
	uint64_t all = 0;

	while (n--)
		all += *of++;
	return all;
}

static int64_t exits(const struct vcpu_stats *s, uint64_t what)
{
	const uint64_t *insn = s->emulated;

	switch (what) {
	case VMI_CPU_EXITS:
		return sum(s->exits, ARRAY_SIZE(s->exits));
	case VMI_CPU_EXITS_HYPERCALL:
		return s->exits[STUB_VECTOR];
	case VMI_CPU_EXITS_PORT:
		return sum(&insn[INSN_IN], INSN_OUTS - INSN_IN + 1);
	case VMI_CPU_EXITS_CR:
		return insn[INSN_MOV_FROM_CR] + insn[INSN_MOV_TO_CR];
	case VMI_CPU_EXITS_CPUID:
		return insn[INSN_CPUID];
	case VMI_CPU_EXITS_EXCEPTION:
		return sum(s->exits, IRQ_BASE);
	case VMI_CPU_EXITS_MSR:
		return insn[INSN_RDMSR] + insn[INSN_WRMSR];
	}
	return -VMI_EINVAL;
}

static int64_t cpu_info(struct vcpu *v, const uint64_t *a)
{
	const struct guest *g = v->g;
	int64_t count;

	if (a[0] >= g->vcpus)
		return -VMI_EINVAL;
	if (a[1] == VMI_CPU_STATE)
		return g->vcpu[a[0]].on ? VMI_CPU_RUNNING : VMI_CPU_OFF;
	count = exits(&g->vcpu[a[0]].stats, a[1]);
	return count < 0 ? count : count & INT32_MAX;
}

static int64_t guest_request(struct vcpu *v, const uint64_t *a)
{
	if (a[0] != VMI_REQUEST || a[1] != VMI_REQUEST_ZERO)
		return -VMI_EINVAL;
	introspect_hypercall(v);
	return 0;
}

/* ---- what a manager may know ---------------------------------------------- */

static bool within_reach(const struct guest *g)
{
	return !g->config->unmanaged && !g->destroyed;
}

static int64_t list(struct vcpu *v, const uint64_t *a)
{
	uint32_t ids[GUESTS_MAX], n = 0, i;

	for (i = 0; i < guest_count; i++)
		if (within_reach(guests[i]))
			ids[n++] = i;
	if (put(v, a[0], ids, (n < a[1] ? n : a[1]) * sizeof(*ids)))
		return -VMI_EFAULT;
	return n;
}

static int64_t state(struct vcpu *v, const uint64_t *a)
{
	(void)v;
	return comm_state(guests[a[0]]);
}

static int64_t info(struct vcpu *v, const uint64_t *a)
{
	struct guest *g = guests[a[0]];
	struct vmi_guest_info is = {
		.id = a[0],
		.state = comm_state(g),
		.vcpus = g->config->cpus,
		.bits = g->wide ? 64 : 32,
		.rights = g->config->rights,
		.starts = g->starts - g->waits,
		.paused = g->paused && !g->ended,
		.ended = g->ended || g->gone,
		.memory = g->config->memory << 20,
	};
	const char *named;
	uint32_t i, n;

	for (i = 0; i < g->config->cpus; i++)
		is.exits += sum(g->vcpu[i].stats.exits, 256);
	named = g->config->label ? g->config->label : g->config->name;
	n = strlen(named);
	memcpy(is.name, named, n < VMI_GUEST_NAME ? n : VMI_GUEST_NAME - 1);
	return put(v, a[1], &is, sizeof(is));
}

/* ---- shared variables ------------------------------------------------------ */

static int64_t send(struct vcpu *v, const uint64_t *a)
{
	(void)v;
	return comm_send(guests[a[0]], a[1]);
}

static int64_t reply(struct vcpu *v, const uint64_t *a)
{
	(void)v;
	return comm_reply(guests[a[0]]);
}

/* ---- what a manager may do ------------------------------------------------- */

static int64_t create(struct vcpu *v, const uint64_t *a)
{
	return manage_create(v, a[0]);
}

#define ABOUT(what)							\
static int64_t what(struct vcpu *v, const uint64_t *a)			\
{									\
	(void)v;							\
	return manage_##what(guests[a[0]]);				\
}
ABOUT(start)
ABOUT(pause)
ABOUT(resume)
ABOUT(reset)
ABOUT(destroy)

static int64_t statistics(struct vcpu *v, const uint64_t *a)
{
	struct vmi_guest_stats is;

	manage_stats(guests[a[0]], &is);
	return put(v, a[1], &is, sizeof(is));
}

static int64_t console_read(struct vcpu *v, const uint64_t *a)
{
	return manage_console_read(v, guests[a[0]], a[1], a[2]);
}

static int64_t console_write(struct vcpu *v, const uint64_t *a)
{
	return manage_console_write(v, guests[a[0]], a[1], a[2]);
}

/* ---- pages of other guests -------------------------------------------------- */

static int64_t token(struct vcpu *v, const uint64_t *a)
{
	return pages_token(v, a[0], a[1]);
}

static int64_t page_map(struct vcpu *v, const uint64_t *a)
{
	return pages_map(v, a[0], a[1], a[2]);
}

static int64_t page_unmap(struct vcpu *v, const uint64_t *a)
{
	return pages_unmap(v, a[0]);
}

/* ---- for other guests, what is not there ------------------------------------ */

static int64_t upcall(struct vcpu *v, const uint64_t *a)
{
	return requests_upcall(v, a[0]);
}

static int64_t request_page(struct vcpu *v, const uint64_t *a)
{
	return requests_page(v, guests[a[0]], a[1], a[2]);
}

static int64_t request_end(struct vcpu *v, const uint64_t *a)
{
	return requests_page_end(v, guests[a[0]]);
}

static int64_t claim(struct vcpu *v, const uint64_t *a)
{
	return requests_claim(v, guests[a[0]], a[1], a[2], a[3]);
}

static int64_t unclaim(struct vcpu *v, const uint64_t *a)
{
	return requests_unclaim(v, guests[a[0]], a[1], a[2], a[3]);
}

static int64_t request_done(struct vcpu *v, const uint64_t *a)
{
	return requests_done(v, guests[a[0]], a[1]);
}

static int64_t set_line(struct vcpu *v, const uint64_t *a)
{
	return requests_line(v, guests[a[0]], a[1], a[2]);
}

/* ---- the table ------------------------------------------------------------ */

#define MANAGE		VMI_RIGHT_MANAGE
#define INTROSPECT	VMI_RIGHT_INTROSPECT
#define YES		true
#define NO		false

/* spec/neighbours.md has it, too: tests/run/hypercalls.py. */
static const struct row table[VMI_HC_COUNT] = {
	/* arguments, rights, user mode, drains, target, poisons */
	[VMI_HC_Version]	= { version, 1, 0, NO, NO, NO_TARGET, NO },
	[VMI_HC_HypervisorInfo]	= { hypervisor_info, 1, 0, NO, NO, NO_TARGET, NO },
	[VMI_HC_CpuInfo]	= { cpu_info, 2, 0, NO, NO, NO_TARGET, NO },
	[VMI_HC_List]		= { list, 2, MANAGE, NO, NO, NO_TARGET, NO },
	[VMI_HC_Info]		= { info, 2, MANAGE, NO, NO, ANY_GUEST, NO },
	[VMI_HC_State]		= { state, 1, MANAGE, NO, NO, ANY_GUEST, NO },
	[VMI_HC_Send]		= { send, 2, MANAGE, NO, NO, OTHER_GUEST, NO },
	[VMI_HC_Reply]		= { reply, 1, MANAGE, NO, NO, OTHER_GUEST, NO },
	[VMI_HC_Create]		= { create, 1, MANAGE, NO, NO, OWN_LOCKS, NO },
	[VMI_HC_Start]		= { start, 1, MANAGE, NO, NO, OTHER_GUEST, NO },
	[VMI_HC_Pause]		= { pause, 1, MANAGE, NO, NO, OTHER_GUEST, NO },
	[VMI_HC_Resume]		= { resume, 1, MANAGE, NO, NO, OTHER_GUEST, NO },
	[VMI_HC_Reset]		= { reset, 1, MANAGE, NO, NO, OTHER_GUEST, NO },
	[VMI_HC_Destroy]	= { destroy, 1, MANAGE, NO, NO, OTHER_GUEST, NO },
	[VMI_HC_Statistics]	= { statistics, 2, MANAGE, NO, NO, ANY_GUEST, NO },
	[VMI_HC_ConsoleRead]	= { console_read, 3, MANAGE, NO, NO, OTHER_GUEST, NO },
	[VMI_HC_ConsoleWrite]	= { console_write, 3, MANAGE, NO, NO, OTHER_GUEST, NO },
	[VMI_HC_PageMap]	= { page_map, 3, INTROSPECT, NO, NO, OWN_LOCKS, NO },
	[VMI_HC_PageUnmap]	= { page_unmap, 1, INTROSPECT, NO, NO, OWN_LOCKS, NO },
	[VMI_HC_GuestRequest]	= { guest_request, 2, 0, YES, YES, NO_TARGET, YES },
	[VMI_HC_Token]		= { token, 2, INTROSPECT, NO, NO, OTHER_NAMED, NO },
	[VMI_HC_Upcall]		= { upcall, 1, MANAGE, NO, NO, NO_TARGET, NO },
	[VMI_HC_RequestPage]	= { request_page, 3, MANAGE, NO, NO, OTHER_GUEST, NO },
	[VMI_HC_RequestEnd]	= { request_end, 1, MANAGE, NO, NO, OTHER_GUEST, NO },
	[VMI_HC_Claim]		= { claim, 4, MANAGE, NO, NO, OTHER_GUEST, NO },
	[VMI_HC_Unclaim]	= { unclaim, 4, MANAGE, NO, NO, OTHER_GUEST, NO },
	[VMI_HC_RequestDone]	= { request_done, 2, MANAGE, NO, NO, OTHER_GUEST, NO },
	[VMI_HC_SetLine]	= { set_line, 3, MANAGE, NO, NO, OTHER_GUEST, NO },
};

static const struct row unknown = { .rights = NEVER };

static bool target_fits(const struct vcpu *v, const struct row *row, uint64_t id)
{
	if (row->target == NO_TARGET || row->target == OWN_LOCKS)
		return true;
	return id < guest_count && within_reach(guests[id]) &&
	       (row->target == ANY_GUEST || guests[id] != v->g);
}

static const struct row *row_of(uint64_t number)
{
	return number < VMI_HC_COUNT && table[number].handler ? &table[number] :
								&unknown;
}

/* Does it need another lock than the caller's? */
static bool is_late(const struct vcpu *v, const struct row *row, uint64_t id)
{
	return row->target == OWN_LOCKS || row->target == OTHER_GUEST ||
	       (row->target == ANY_GUEST && guests[id] != v->g);
}

enum verdict dispatch(struct vcpu *v, struct call_made *c)
{
	const struct row *row = row_of(c->number);
	uint32_t rights = v->g->config->rights, i;

	c->result = -VMI_EINVAL;
	if (row->rights && !rights)
		return CALL_UD;
	if (regs_ring(v->regs) == 3 && !row->user)
		return CALL_GP;
	c->poisons = row->poisons;
	for (i = row->args; i < CALL_ARGS; i++)
		c->arg[i] = 0;
	if ((row->rights & ~rights) || !target_fits(v, row, c->arg[0]))
		return CALL_DONE;
	if (row->drains && queue_pending(v))
		queue_drain(v);
	if (is_late(v, row, c->arg[0])) {
		v->late_number = c->number;
		memcpy(v->late_arg, c->arg, sizeof(c->arg));
		v->late_mask = c->mask;
		vcpu_stop(v, STOP_CALL);
		return CALL_LATE;
	}
	if (v->regs->stop != STOP_ENDED)
		c->result = row->handler(v, c->arg);
	return CALL_DONE;
}

/* Without any guest's lock. The guest that it is about may have gone since it was
 * called. */
static int64_t carry_out(struct vcpu *v, const struct row *row,
			 const uint64_t *a)
{
	int64_t result = -VMI_EINVAL;
	struct guest *g;

	if (row->target == NO_TARGET || row->target == OWN_LOCKS)
		return row->handler(v, a);
	g = guests[a[0]];
	spin_lock(&g->lock);
	if (target_fits(v, row, a[0]))
		result = row->handler(v, a);
	spin_unlock(&g->lock);
	return result;
}

void dispatch_late(struct vcpu *v)
{
	int64_t result = carry_out(v, row_of(v->late_number), v->late_arg);

	v->regs->gpr[EAX] = (uint64_t)result & v->late_mask;
	v->late_number = 0;
}

/* Those that are about guests, not about who calls. */
int64_t dispatch_outside(struct vcpu *v, uint64_t number, const uint64_t *a)
{
	const struct row *row = row_of(number);

	if (number < VMI_HC_List || number > VMI_HC_ConsoleWrite ||
	    row == &unknown || !target_fits(v, row, a[0]))
		return -VMI_EINVAL;
	return carry_out(v, row, a);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shared variables: two guests of tests/run/service.py, of which one asks (mode=asks)
 * and one answers (mode=answers, comm=COMM); a third never answers. N-5.
 */
#include "cmdline.h"
#include "smp.h"
#include "suite.h"
#include "vmi_hypercall.h"

#define COMM		0x800000u	/* service.py has it, too */
#define OTHER		1u		/* guest that answers, */
#define SILENT		2u		/* and that does not */

/* ---- the one that asks ------------------------------------------------------ */

static int32_t ask(uint32_t nr, uint32_t guest, uint32_t what)
{
	return (int32_t)vmi4(VMI_CALL_Hypercall, nr, guest, what, 0);
}

/* The other is on its way there. */
static void until_state(uint32_t guest, int32_t state)
{
	int32_t is;

	do
		is = ask(VMI_HC_State, guest, 0);
	while (is != state && is < VMI_STATE_SHUT_DOWN);
	same(is, state, "a state that was waited for");
}

static int32_t until_reply(uint32_t guest)
{
	int32_t reply;

	do
		reply = ask(VMI_HC_Reply, guest, 0);
	while (!reply);
	return reply;
}

static void asks(void)
{
	until_state(OTHER, VMI_STATE_LOCKED);
	same(ask(VMI_HC_Send, OTHER, VMI_MSG_SHUTDOWN), VMI_REPLY_DENIED,
	     "a locked guest denies");
	same(ask(VMI_HC_Send, OTHER, VMI_MSG_RECONFIGURED), 0, "it is informed");
	same(until_reply(OTHER), VMI_REPLY_RECEIVED, "and has heard it");
	same(ask(VMI_HC_Send, OTHER, VMI_MSG_RECONFIGURED), 0, "again");
	same(until_reply(OTHER), VMI_REPLY_UNKNOWN, "which it does not know");
	until_state(OTHER, VMI_STATE_RUNNING);
	same(ask(VMI_HC_Send, OTHER, VMI_MSG_SHUTDOWN), 0, "it is asked");
	same(until_reply(OTHER), VMI_REPLY_DENIED, "and denies");
	same(ask(VMI_HC_Send, OTHER, VMI_MSG_SHUTDOWN), 0, "it is asked again");
	same(until_reply(OTHER), VMI_REPLY_APPROVED, "and approves");
	until_state(OTHER, VMI_STATE_SHUT_DOWN);
	same(ask(VMI_HC_Send, OTHER, VMI_MSG_SHUTDOWN), VMI_REPLY_APPROVED,
	     "an end needs no approval");
	same(ask(VMI_HC_Send, SILENT, VMI_MSG_SHUTDOWN), 0, "the third is asked");
	same(ask(VMI_HC_Send, SILENT, VMI_MSG_SHUTDOWN), -VMI_EBUSY,
	     "but once at a time");
	same(until_reply(SILENT), -VMI_ETIMEDOUT, "and does not reply in time");
	same(ask(VMI_HC_State, SILENT, 0), VMI_STATE_FAILED, "so it has failed");
	same(ask(VMI_HC_Send, 0, VMI_MSG_SHUTDOWN), -VMI_EINVAL,
	     "nobody asks itself");
}

/* ---- the one that answers --------------------------------------------------- */

static volatile struct vmi_comm *const comm =
	(volatile struct vmi_comm *)(COMM + LINEAR);

static void answer(uint32_t message, uint32_t reply)
{
	while (comm->message != message)
		relax();
	ok(comm->reply == 0, "the reply is clear when a message comes");
	comm->message = VMI_MSG_NONE;
	__sync_synchronize();
	comm->reply = reply;
}

static void answers(void)
{
	const char signature[6] = VMI_COMM_SIGNATURE;
	bool found = true;
	uint32_t r[4];

	for (uint32_t i = 0; i < sizeof(signature); i++)
		found &= comm->signature[i] == signature[i];
	ok(found && comm->revision == VMI_COMM_REVISION, "the page is there");
	ok(comm->console.address == COM1 && comm->console.type == 2,
	   "with the console");
	ok(comm->cpus == 1 && comm->guest == OTHER && !comm->rights,
	   "and what this guest is");
	ok(cycles_per_second() - comm->tsc_khz * 1000ull < 1000,
	   "and its clock");
	vmi_cpuid(VMI_CPUID_FEATURES, r);
	ok(r[0] & VMI_FEATURE_COMM, "CPUID tells of it");
	comm->state = VMI_STATE_LOCKED;
	answer(VMI_MSG_RECONFIGURED, VMI_REPLY_RECEIVED);
	answer(VMI_MSG_RECONFIGURED, 99);	/* which is no reply */
	comm->state = VMI_STATE_RUNNING;
	answer(VMI_MSG_SHUTDOWN, VMI_REPLY_DENIED);
	answer(VMI_MSG_SHUTDOWN, VMI_REPLY_APPROVED);
}

void test_comm(void)
{
	if (option_is("mode", "asks"))
		asks();
	else if (option_is("mode", "answers"))
		answers();
}

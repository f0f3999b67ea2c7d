// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls to the hypervisor proper: for each number that there is or is not, who may
 * make it, from which ring, and about whom; each error of each call; and the
 * registers of each personality. N-2 and N-3.
 */
#include <stdlib.h>

#include "dispatch.h"
#include "machine.h"
#include "unit.h"

#define RAM		0x10000u	/* of each guest */
#define NOWHERE		0x20000u
#define MACHINE		(8u << 20)
#define ALL		(VMI_RIGHT_MANAGE | VMI_RIGHT_INTROSPECT)

enum { CALLER, OTHER, HIDDEN, GUESTS };
static struct guest guest[GUESTS];
static struct guest_config config[GUESTS];
static struct vcpu *const v = &guest[CALLER].vcpu[0];
static struct regs regs;
static struct stub64_shared shared;
static uint8_t *memory;			/* of the caller */
static unsigned int requests;

bool __wrap_introspect_hypercall(struct vcpu *from);
bool __wrap_introspect_hypercall(struct vcpu *from)
{
	assert_ptr_equal(from, v);
	requests++;
	return false;
}

static int setup(void **state)
{
	uint32_t i;

	(void)state;
	machine_memory = aligned_alloc(2u << 20, MACHINE);
	memset(machine_memory, 0, MACHINE);
	machine_start(0x1000, MACHINE - 0x1000);
	memset(guest, 0, sizeof(guest));
	memset(config, 0, sizeof(config));
	memset(&regs, 0, sizeof(regs));
	memset(&shared, 0, sizeof(shared));
	for (i = 0; i < GUESTS; i++) {
		config[i] = (struct guest_config){
			.name = "a guest", .cpus = 1, .memory = 1,
		};
		guest[i].config = &config[i];
		guest[i].vcpus = 1;
		guest[i].vcpu[0].g = &guest[i];
		guests[i] = &guest[i];
	}
	config[HIDDEN].unmanaged = true;
	guest_count = GUESTS;
	assert_true(gmem_init(&guest[CALLER].mm.gmem, RAM));
	memory = gmem_boot_ram(&guest[CALLER].mm.gmem);
	v->mmu.mm = &guest[CALLER].mm;
	v->sibling = v->first = v;
	v->regs = &regs;
	v->sh = (volatile struct stub_shared *)&shared;
	shared.tail = -STUB_QUEUE_LEN;
	v->cpuid = personality_cpuid;
	v->on = true;
	regs.cs = 0x61;
	requests = 0;
	current = v;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(machine_memory);
	return 0;
}

/* ---- who may call --------------------------------------------------------- */

static enum verdict verdict;

static int64_t call(uint64_t nr, uint64_t a0, uint64_t a1)
{
	struct call_made c = { .number = nr, .arg = { a0, a1, 77, 88 } };

	c.result = 99;
	c.mask = UINT64_MAX;
	regs.stop = STOP_NOT;
	verdict = dispatch(v, &c);
	if (verdict != CALL_LATE)
		return c.result;
	/* As the scheduler does it. */
	assert_int_equal(regs.stop, STOP_CALL);
	regs.gpr[EAX] = 99;
	dispatch_late(v);
	assert_int_equal(guest[OTHER].lock.next, guest[OTHER].lock.owner);
	verdict = CALL_DONE;
	return regs.gpr[EAX];
}

/* The rules as spec/neighbours.md has them, of each number: rights, user mode, and
 * whether a guest is named. */
static const struct rule {
	uint32_t	nr, rights;
	bool		user, target;
} rule[] = {
	{ VMI_HC_Version, 0, false, false },
	{ VMI_HC_HypervisorInfo, 0, false, false },
	{ VMI_HC_CpuInfo, 0, false, false },
	{ VMI_HC_List, VMI_RIGHT_MANAGE, false, false },
	{ VMI_HC_Info, VMI_RIGHT_MANAGE, false, true },
	{ VMI_HC_State, VMI_RIGHT_MANAGE, false, true },
	{ VMI_HC_Send, VMI_RIGHT_MANAGE, false, true },
	{ VMI_HC_Reply, VMI_RIGHT_MANAGE, false, true },
	{ VMI_HC_Create, VMI_RIGHT_MANAGE, false, false },
	{ VMI_HC_Start, VMI_RIGHT_MANAGE, false, true },
	{ VMI_HC_Pause, VMI_RIGHT_MANAGE, false, true },
	{ VMI_HC_Resume, VMI_RIGHT_MANAGE, false, true },
	{ VMI_HC_Reset, VMI_RIGHT_MANAGE, false, true },
	{ VMI_HC_Destroy, VMI_RIGHT_MANAGE, false, true },
	{ VMI_HC_Statistics, VMI_RIGHT_MANAGE, false, true },
	{ VMI_HC_ConsoleRead, VMI_RIGHT_MANAGE, false, true },
	{ VMI_HC_ConsoleWrite, VMI_RIGHT_MANAGE, false, true },
	{ VMI_HC_PageMap, VMI_RIGHT_INTROSPECT, false, false },
	{ VMI_HC_PageUnmap, VMI_RIGHT_INTROSPECT, false, false },
	{ VMI_HC_GuestRequest, 0, true, false },
	{ VMI_HC_Token, VMI_RIGHT_INTROSPECT, false, true },
	{ VMI_HC_Upcall, VMI_RIGHT_MANAGE, false, false },
	{ VMI_HC_RequestPage, VMI_RIGHT_MANAGE, false, true },
	{ VMI_HC_RequestEnd, VMI_RIGHT_MANAGE, false, true },
	{ VMI_HC_Claim, VMI_RIGHT_MANAGE, false, true },
	{ VMI_HC_Unclaim, VMI_RIGHT_MANAGE, false, true },
	{ VMI_HC_RequestDone, VMI_RIGHT_MANAGE, false, true },
	{ VMI_HC_SetLine, VMI_RIGHT_MANAGE, false, true },
};

static const struct rule *rule_of(uint64_t nr)
{
	uint32_t i;

	for (i = 0; i < ARRAY_SIZE(rule); i++)
		if (rule[i].nr == nr)
			return &rule[i];
	return NULL;
}

static void check_one(uint64_t nr, uint32_t rights, bool user)
{
	const struct rule *r = rule_of(nr);
	enum verdict expected = CALL_DONE;
	uint8_t before[RAM];
	int64_t result;
	bool allowed;

	memset(memory, 0x5a, RAM);
	memcpy(before, memory, RAM);
	config[CALLER].rights = rights;
	regs.cs = user ? 0x73 : 0x61;
	if (!rights && !(r && !r->rights))
		expected = CALL_UD;
	else if (user && !(r && r->user))
		expected = CALL_GP;
	allowed = expected == CALL_DONE && r && !(r->rights & ~rights);
	result = call(nr, r && r->target ? HIDDEN : 1, 0);
	assert_int_equal(verdict, expected);
	if (allowed)
		return;
	if (expected == CALL_DONE)
		assert_int_equal(result, -VMI_EINVAL);
	assert_memory_equal(before, memory, RAM);
	assert_int_equal(requests, 0);
}

static void test_who(void **state)
{
	static const uint64_t beyond[] = {
		VMI_HC_COUNT, UINT32_MAX, 1ull << 32 | VMI_HC_List, UINT64_MAX,
	};
	uint32_t rights, nr, i;

	(void)state;
	for (rights = 0; rights <= ALL; rights++) {
		for (nr = 0; nr < VMI_HC_COUNT; nr++) {
			check_one(nr, rights, false);
			check_one(nr, rights, true);
		}
		for (i = 0; i < ARRAY_SIZE(beyond); i++) {
			check_one(beyond[i], rights, false);
			check_one(beyond[i], rights, true);
		}
	}
}

static void test_target(void **state)
{
	uint32_t i;

	(void)state;
	config[CALLER].rights = ALL;
	for (i = 0; i < ARRAY_SIZE(rule); i++) {
		if (!rule[i].target)
			continue;
		call(rule[i].nr, CALLER, 0);
		assert_int_equal(verdict, CALL_DONE);
		assert_int_equal(call(rule[i].nr, HIDDEN, 0), -VMI_EINVAL);
		assert_int_equal(call(rule[i].nr, GUESTS, 0), -VMI_EINVAL);
		assert_int_equal(call(rule[i].nr, UINT64_MAX, 0), -VMI_EINVAL);
		assert_int_equal(call(rule[i].nr, 1ull << 32, 0), -VMI_EINVAL);
	}
}

/* Of those that make no sense for the caller itself. */
static void test_itself(void **state)
{
	(void)state;
	config[CALLER].rights = VMI_RIGHT_MANAGE;
	assert_int_equal(call(VMI_HC_Send, CALLER, VMI_MSG_SHUTDOWN), -VMI_EINVAL);
	assert_int_equal(call(VMI_HC_Reply, CALLER, 0), -VMI_EINVAL);
	assert_int_equal(call(VMI_HC_State, CALLER, 0), VMI_STATE_RUNNING);
	/* Own lock: the caller holds it. */
	assert_int_equal(regs.stop, STOP_NOT);
}

/* ---- what they do --------------------------------------------------------- */

static void test_open_calls(void **state)
{
	const struct vmi_hc_version is = { VMI_HC_MAJOR, VMI_HC_MINOR };
	struct vcpu_stats *s = &v->stats;

	(void)state;
	assert_int_equal(call(VMI_HC_Version, 0x100, 0), 0);
	assert_memory_equal(memory + 0x100, &is, sizeof(is));
	assert_int_equal(call(VMI_HC_Version, NOWHERE, 0), -VMI_EFAULT);
	memset(memory, 0x5a, RAM);
	assert_int_equal(call(VMI_HC_Version, RAM - 4, 0), -VMI_EFAULT);
	assert_int_equal(memory[RAM - 4], 0x5a);
	assert_int_equal(call(VMI_HC_Version, UINT64_MAX - 3, 0), -VMI_EFAULT);

	assert_int_equal(call(VMI_HC_HypervisorInfo, VMI_INFO_GUESTS, 0), GUESTS);
	assert_int_equal(call(VMI_HC_HypervisorInfo, 0, 0), -VMI_EINVAL);

	assert_int_equal(call(VMI_HC_CpuInfo, 0, VMI_CPU_STATE), VMI_CPU_RUNNING);
	v->on = false;
	assert_int_equal(call(VMI_HC_CpuInfo, 0, VMI_CPU_STATE), VMI_CPU_OFF);
	assert_int_equal(call(VMI_HC_CpuInfo, 1, VMI_CPU_STATE), -VMI_EINVAL);
	assert_int_equal(call(VMI_HC_CpuInfo, UINT64_MAX, 0), -VMI_EINVAL);
	s->exits[VEC_PF] = 1;
	s->exits[STUB_VECTOR] = 0x80000002;
	s->emulated[INSN_IN] = 3;
	s->emulated[INSN_OUTS] = 4;
	s->emulated[INSN_MOV_TO_CR] = 5;
	s->emulated[INSN_CPUID] = 6;
	s->emulated[INSN_RDMSR] = 7;
	assert_int_equal(call(VMI_HC_CpuInfo, 0, VMI_CPU_EXITS), 3);
	assert_int_equal(call(VMI_HC_CpuInfo, 0, VMI_CPU_EXITS_HYPERCALL), 2);
	assert_int_equal(call(VMI_HC_CpuInfo, 0, VMI_CPU_EXITS_PORT), 7);
	assert_int_equal(call(VMI_HC_CpuInfo, 0, VMI_CPU_EXITS_CR), 5);
	assert_int_equal(call(VMI_HC_CpuInfo, 0, VMI_CPU_EXITS_CPUID), 6);
	assert_int_equal(call(VMI_HC_CpuInfo, 0, VMI_CPU_EXITS_EXCEPTION), 1);
	assert_int_equal(call(VMI_HC_CpuInfo, 0, VMI_CPU_EXITS_MSR), 7);
	assert_int_equal(call(VMI_HC_CpuInfo, 0, 1), -VMI_EINVAL);
	assert_int_equal(call(VMI_HC_CpuInfo, 0, 1012), -VMI_EINVAL);
}

static void test_request(void **state)
{
	(void)state;
	assert_int_equal(call(VMI_HC_GuestRequest, 24, 0), 0);
	assert_int_equal(requests, 1);
	regs.cs = 0x73;
	assert_int_equal(call(VMI_HC_GuestRequest, 24, 0), 0);
	assert_int_equal(requests, 2);
	assert_int_equal(call(VMI_HC_GuestRequest, 23, 0), -VMI_EINVAL);
	assert_int_equal(call(VMI_HC_GuestRequest, 24, 1), -VMI_EINVAL);
	assert_int_equal(requests, 2);
}

static void test_knowledge(void **state)
{
	struct vmi_guest_info info;
	uint32_t ids[2];

	(void)state;
	config[CALLER].rights = VMI_RIGHT_MANAGE;
	memset(memory, 0x5a, RAM);
	assert_int_equal(call(VMI_HC_List, 0x100, 9), 2);
	memcpy(ids, memory + 0x100, sizeof(ids));
	assert_true(ids[0] == CALLER && ids[1] == OTHER);
	assert_int_equal(memory[0x108], 0x5a);
	assert_int_equal(call(VMI_HC_List, 0x200, 1), 2);
	assert_int_equal(memory[0x204], 0x5a);
	assert_int_equal(call(VMI_HC_List, NOWHERE, 0), 2);
	assert_int_equal(call(VMI_HC_List, NOWHERE, 1), -VMI_EFAULT);

	config[OTHER].name = "a name of more bytes than there are in it";
	config[OTHER].rights = VMI_RIGHT_INTROSPECT;
	config[OTHER].cpus = 2;
	guest[OTHER].starts = 3;
	guest[OTHER].paused = true;
	guest[OTHER].vcpu[0].stats.exits[0] = 4;
	guest[OTHER].vcpu[1].stats.exits[255] = 5;
	assert_int_equal(call(VMI_HC_Info, OTHER, 0x300), 0);
	memcpy(&info, memory + 0x300, sizeof(info));
	assert_int_equal(info.id, OTHER);
	assert_int_equal(info.state, VMI_STATE_RUNNING);
	assert_int_equal(info.vcpus, 2);
	assert_int_equal(info.bits, 32);
	assert_int_equal(info.rights, VMI_RIGHT_INTROSPECT);
	assert_int_equal(info.starts, 3);
	assert_int_equal(info.paused, 1);
	assert_int_equal(info.ended, 0);
	assert_int_equal(info.memory, 1 << 20);
	assert_int_equal(info.exits, 9);
	assert_string_equal(info.name, "a name of more bytes than there");
	/* One that was made and waits has begun once less than it was built. */
	guest[OTHER].waits = true;
	assert_int_equal(call(VMI_HC_Info, OTHER, 0x300), 0);
	memcpy(&info, memory + 0x300, sizeof(info));
	assert_int_equal(info.starts, 2);
	guest[OTHER].waits = false;
	assert_int_equal(call(VMI_HC_Info, OTHER, RAM - sizeof(info) + 1),
			 -VMI_EFAULT);

	assert_int_equal(call(VMI_HC_State, OTHER, 0), VMI_STATE_RUNNING);
	guest[OTHER].ended = true;
	guest[OTHER].end = END_ORDERLY;
	assert_int_equal(call(VMI_HC_State, OTHER, 0), VMI_STATE_SHUT_DOWN);
	assert_int_equal(call(VMI_HC_Info, OTHER, 0x300), 0);
	memcpy(&info, memory + 0x300, sizeof(info));
	assert_int_equal(info.paused, 0);
	guest[OTHER].ended = false;
	guest[OTHER].gone = true;
	guest[OTHER].end = END_GUEST_DIED;
	assert_int_equal(call(VMI_HC_State, OTHER, 0), VMI_STATE_FAILED);
}

/* A call about another guest: the result comes later, of the code's width. */
static bool vmcall(bool code64, uint64_t nr, uint64_t a0, uint64_t a1);
static void test_late(void **state)
{
	uint32_t wide;

	(void)state;
	config[CALLER].rights = VMI_RIGHT_MANAGE;
	for (wide = 0; wide < 2; wide++) {
		regs.stop = STOP_NOT;
		assert_true(vmcall(wide, VMI_HC_Info, OTHER, NOWHERE));
		assert_int_equal(regs.stop, STOP_CALL);
		assert_int_equal(regs.rip, 0x1003);
		regs.gpr[EBX] = OTHER + 1;	/* too late */
		dispatch_late(v);
		assert_int_equal(regs.gpr[EAX], wide ? (uint64_t)-VMI_EFAULT :
				 (uint32_t)-VMI_EFAULT);
	}
}

/* ---- the instruction ------------------------------------------------------ */

/* Its registers are all other values, but for those that count. */
static bool vmcall(bool code64, uint64_t nr, uint64_t a0, uint64_t a1)
{
	const uint8_t reg[2][3] = { { EAX, EBX, ECX }, { EAX, EDI, ESI } };
	uint8_t number = reg[code64][0], first = reg[code64][1],
		second = reg[code64][2];
	enum personality p = config[CALLER].personality;
	uint32_t i;

	for (i = 0; i < GPRS; i++)
		regs.gpr[i] = 0x1100 + i;
	if (p == ACRN)
		number = R8;
	if (p == JAILHOUSE || p == ACRN) {
		first = EDI;
		second = ESI;
	}
	regs.gpr[number] = nr;
	regs.gpr[first] = a0;
	regs.gpr[second] = a1;
	regs.rip = 0x1000;
	return personality_vmcall(v, 3, code64);
}

static void others_kept(uint32_t changed)
{
	uint32_t i;

	for (i = 0; i < GPRS; i++)
		if (!(changed >> i & 1))
			assert_int_equal(regs.gpr[i], 0x1100 + i);
}

static void test_vmcall(void **state)
{
	uint32_t wide;

	(void)state;
	for (wide = 0; wide < 2; wide++) {
		const uint32_t args = wide ? 1 << EDI | 1 << ESI :
					     1 << EBX | 1 << ECX;

		config[CALLER].rights = 0;
		assert_true(vmcall(wide, VMI_HC_HypervisorInfo, VMI_INFO_GUESTS, 0));
		assert_int_equal(regs.gpr[EAX], GUESTS);
		assert_int_equal(regs.rip, 0x1003);
		others_kept(1 << EAX | args);
		assert_true(vmcall(wide, VMI_HC_HypervisorInfo, 0, 0));
		assert_int_equal(regs.gpr[EAX], wide ? (uint64_t)-VMI_EINVAL :
				 (uint32_t)-VMI_EINVAL);
		/* #UD changes nothing. */
		assert_false(vmcall(wide, VMI_HC_List, 1, 2));
		assert_int_equal(regs.rip, 0x1000);
		assert_int_equal(regs.gpr[EAX], VMI_HC_List);
		others_kept(1 << EAX | args);
	}
	/* The upper halves are not there in 32-bit code. */
	assert_true(vmcall(false, 1ull << 32 | VMI_HC_HypervisorInfo,
			   1ull << 32 | VMI_INFO_GUESTS, 0));
	assert_int_equal(regs.gpr[EAX], GUESTS);
	assert_false(vmcall(true, 1ull << 32 | VMI_HC_HypervisorInfo, 4, 0));
}

static void test_poison(void **state)
{
	enum personality p;

	(void)state;
	for (p = OPENVMI; p <= KVM; p += KVM - OPENVMI) {
		config[CALLER].personality = p;
		assert_true(vmcall(true, 34, 24, 0));
		assert_int_equal(regs.gpr[EAX], 0);
		assert_int_equal(regs.gpr[EDX], VMI_HC_POISON);
		assert_int_equal(regs.gpr[R8], VMI_HC_POISON);
		assert_int_equal(regs.gpr[R9], VMI_HC_POISON);
		assert_int_equal(regs.gpr[R10], VMI_HC_POISON);
		others_kept(1 << EAX | 1 << EDX | 1 << R8 | 1 << R9 | 1 << R10 |
			    1 << EDI | 1 << ESI);
		assert_true(vmcall(false, 34, 24, 0));
		assert_int_equal(regs.gpr[EAX], 0);
		assert_int_equal(regs.gpr[EDX], VMI_HC_POISON);
		assert_int_equal(regs.gpr[ESI], VMI_HC_POISON);
		assert_int_equal(regs.gpr[EDI], VMI_HC_POISON);
		assert_int_equal(regs.gpr[EBP], VMI_HC_POISON);
		others_kept(1 << EAX | 1 << EDX | 1 << ESI | 1 << EDI | 1 << EBP |
			    1 << EBX | 1 << ECX);
	}
	assert_int_equal(requests, 4);
}

static void test_jailhouse(void **state)
{
	uint32_t wide;

	(void)state;
	config[CALLER].personality = JAILHOUSE;
	config[CALLER].rights = VMI_RIGHT_MANAGE;
	for (wide = 0; wide < 2; wide++) {
		assert_true(vmcall(wide, 5, 4, 0));
		assert_int_equal(regs.gpr[EAX], GUESTS);
		assert_true(vmcall(wide, 6, OTHER, 0));
		dispatch_late(v);
		assert_int_equal(regs.gpr[EAX], VMI_STATE_RUNNING);
		assert_true(vmcall(wide, 7, 0, 0));
		assert_int_equal(regs.gpr[EAX], VMI_CPU_RUNNING);
		/* About a guest that is out of reach: to those, too. */
		assert_true(vmcall(wide, 2, HIDDEN, 0));
		assert_int_equal(v->late_number, 0);
		assert_int_equal((int32_t)regs.gpr[EAX], -VMI_EINVAL);
		assert_true(vmcall(wide, 2, OTHER, 0));
		assert_int_equal(v->late_number, VMI_HC_Start);
		assert_true(vmcall(wide, 4, OTHER, 0));
		assert_int_equal(v->late_number, VMI_HC_Destroy);
		v->late_number = 0;
		/* Ours, and those of theirs that are not here. */
		assert_true(vmcall(wide, VMI_HC_List, 0, 0));
		assert_int_equal((int32_t)regs.gpr[EAX], -VMI_EINVAL);
		assert_true(vmcall(wide, 0, 0, 0));
		assert_int_equal((int32_t)regs.gpr[EAX], -VMI_EINVAL);
	}
	config[CALLER].rights = 0;
	assert_false(vmcall(false, 6, OTHER, 0));
}

static void test_acrn(void **state)
{
	const struct vmi_hc_version is = { VMI_HC_MAJOR, VMI_HC_MINOR };
	static const struct { uint32_t theirs, ours; } managing[] = {
		{ 0x80000011, VMI_HC_Destroy }, { 0x80000012, VMI_HC_Start },
		{ 0x80000013, VMI_HC_Pause }, { 0x80000015, VMI_HC_Reset },
		{ 0x80000031, VMI_HC_RequestDone },
	};
	uint32_t i;

	(void)state;
	config[CALLER].personality = ACRN;
	assert_true(vmcall(true, 0x80000000, 0x400, 0));
	assert_int_equal(regs.gpr[EAX], 0);
	assert_memory_equal(memory + 0x400, &is, sizeof(is));
	others_kept(1 << EAX | 1 << R8 | 1 << EDI | 1 << ESI);
	assert_false(vmcall(true, 0, 0x400, 0));	/* all of R8 counts */
	assert_false(vmcall(true, 0x100000000, 0x400, 0));
	config[CALLER].rights = VMI_RIGHT_MANAGE;
	for (i = 0; i < ARRAY_SIZE(managing); i++) {
		assert_true(vmcall(true, managing[i].theirs, OTHER, 0));
		assert_int_equal(v->late_number, managing[i].ours);
		assert_int_equal(v->late_arg[0], OTHER);
		others_kept(1 << R8 | 1 << EDI | 1 << ESI);
	}
	assert_true(vmcall(true, 0x80000001, 0, 0));
	assert_int_equal(regs.gpr[EAX], (uint64_t)-VMI_EINVAL);
}

/* Whose arguments are others. */
static void test_acrn_devices(void **state)
{
	static const uint64_t page = 0x3000;
	static const uint32_t level[] = { 1, 0, 2, 3 };	/* the last are none */
	uint64_t op;

	(void)state;
	config[CALLER].personality = ACRN;
	config[CALLER].rights = VMI_RIGHT_MANAGE;
	for (op = 0; op < ARRAY_SIZE(level); op++) {
		assert_true(vmcall(true, 0x80000025, OTHER, op << 32 | 5));
		assert_int_equal(v->late_number, VMI_HC_SetLine);
		assert_int_equal(v->late_arg[0], OTHER);
		assert_int_equal(v->late_arg[1], 5);
		assert_int_equal(v->late_arg[2], level[op]);
	}
	memcpy(memory + 0x400, &page, sizeof(page));
	assert_true(vmcall(true, 0x80000030, OTHER, 0x400));
	assert_int_equal(v->late_number, VMI_HC_RequestPage);
	assert_int_equal(v->late_arg[0], OTHER);
	assert_int_equal(v->late_arg[1], page);
	assert_int_equal(v->late_arg[2], 0);
	/* Where nothing can be read there is no page, either. */
	assert_true(vmcall(true, 0x80000030, OTHER, UINT64_MAX - 3));
	assert_int_equal(v->late_number, VMI_HC_RequestPage);
	assert_int_equal(v->late_arg[1], 1ull << 52);
	dispatch_late(v);
	assert_int_equal(regs.gpr[EAX], (uint64_t)-VMI_EFAULT);
}

/* ---- detection ------------------------------------------------------------ */

static void leaf(uint32_t n, uint32_t r[4])
{
	personality_cpuid(v, n, 0, r);
}

static void test_detection(void **state)
{
	static const struct {
		const char *signature;
		uint32_t last, features;
	} is[] = {
		[OPENVMI] = { "OpenVMI\0stub", 0x400002ff,
			      VMI_FEATURE_HYPERCALL | VMI_FEATURE_VMCALL |
			      VMI_FEATURE_REQUEST | VMI_FEATURE_SERVE },
		[JAILHOUSE] = { "Jailhouse\0\0\0", 0x40000001, 0 },
		[ACRN] = { "ACRNACRNACRN", 0x40000010, 0 },
		[KVM] = { "KVMKVMKVM\0\0\0", 0x40000001, 0 },
	};
	enum personality p;
	uint32_t r[4];

	(void)state;
	config[CALLER].rights = VMI_RIGHT_MANAGE;
	for (p = OPENVMI; p < PERSONALITIES; p++) {
		config[CALLER].personality = p;
		leaf(1, r);
		assert_true(r[2] & 1u << 31);
		leaf(0x40000000, r);
		assert_int_equal(r[0], is[p].last);
		assert_memory_equal(r + 1, is[p].signature, 12);
		leaf(0x40000001, r);
		assert_int_equal(r[0], is[p].features);
		assert_int_equal(r[1], p == OPENVMI ? VMI_RIGHT_MANAGE : 0);
		assert_int_equal(r[2] | r[3], 0);
		guest[CALLER].comm.page = 0x123456000;
		leaf(0x40000002, r);
		assert_int_equal(r[0], p == OPENVMI ? 0x23456000 : 0);
		assert_int_equal(r[1], p == OPENVMI);
		assert_int_equal(r[2] | r[3], 0);
		leaf(0x40000001, r);
		assert_int_equal(r[0] & VMI_FEATURE_COMM, p == OPENVMI ?
				 VMI_FEATURE_COMM : 0);
		guest[CALLER].comm.page = 0;
		leaf(0x40000010, r);
		assert_int_equal(r[0], p == ACRN ? host_tsc_hz / 1000 : 0);
		assert_int_equal(r[1] | r[2] | r[3], 0);
		leaf(0x40000011, r);
		assert_int_equal(r[0] | r[1] | r[2] | r[3], 0);
	}
}

#define TEST(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_who),
		TEST(test_target),
		TEST(test_itself),
		TEST(test_late),
		TEST(test_open_calls),
		TEST(test_request),
		TEST(test_knowledge),
		TEST(test_vmcall),
		TEST(test_poison),
		TEST(test_jailhouse),
		TEST(test_acrn),
		TEST(test_acrn_devices),
		TEST(test_detection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

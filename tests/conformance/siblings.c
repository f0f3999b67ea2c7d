// SPDX-License-Identifier: GPL-2.0-only
/* What each processor has for itself: VMI-3.8.8. */
#include "several.h"

#define DATA3		0x0040f20000000000ull
#define SPARE		(SPARE_GDT + 2)
#define VECTOR		0x42u
#define ALARM		(VMI_CYCLES_REAL | VMI_ALARM_LVTT)

static uint32_t there;			/* what work on the other has found */
static volatile uint32_t came[PROCESSORS];

static uint32_t mask_here(void)
{
	return vmi0(GetInterruptMask) & EFLAGS_IF;
}

static uint32_t mask_there(void)
{
	return other_call(VMI_CALL_GetInterruptMask, 0, 0) & EFLAGS_IF;
}

static void control_registers(void)
{
	const uint32_t cr0 = vmi0(GetCR0), bit = processor[OTHER].id;
	uint32_t r[4];

	is("3.8.6", other_call(VMI_CALL_APICRead, APIC_ID, 0) >> 24, bit,
	   "its APIC has its id");
	vmi_cpuid(1, r);
	is("3.8.6", r[1] >> 24, processor[0].id, "so has leaf 1 of CPUID here");

	vmi1(SetCR2, 0x1234000);
	other_call(VMI_CALL_SetCR2, 0x5678000, 0);
	is("3.8.8", vmi0(GetCR2), 0x1234000, "CR2 is not the other's");
	is("3.8.8", other_call(VMI_CALL_GetCR2, 0, 0), 0x5678000,
	   "which has its own");
	is("3.8.8", other_probe(play_va(ABSENT_PAGE), false), VEC_PF,
	   "a page fault there");
	is("3.8.8", other_call(VMI_CALL_GetCR2, 0, 0), play_va(ABSENT_PAGE),
	   "sets CR2 there");
	is("3.8.8", vmi0(GetCR2), 0x1234000, "and not here");

	other_call(VMI_CALL_SetCR0, cr0 | CR0_TS, 0);
	is("3.8.8", vmi0(GetCR0), cr0, "CR0 is its own");
	is("3.8.8", try_fpu(0), (uint32_t)-1, "and TS there is not here");
	other_call(VMI_CALL_CLTS, 0, 0);
	is("3.8.8", other_call(VMI_CALL_GetCR0, 0, 0), cr0, "CLTS there");

	vmi2(SetDR, 0, 0x1000);
	is("3.8.8", other_call(VMI_CALL_GetDR, 0, 0), 0,
	   "debug registers are its own");
	vmi2(SetDR, 0, 0);
}

static void the_flag(void)
{
	vmi0(DisableInterrupts);
	other_call(VMI_CALL_EnableInterrupts, 0, 0);
	is("3.8.8", mask_here(), 0, "its flag goes on, ours stays off");
	is("3.8.8", mask_there(), EFLAGS_IF, "its is on");
	vmi0(EnableInterrupts);
	other_call(VMI_CALL_DisableInterrupts, 0, 0);
	is("3.8.8", mask_here(), EFLAGS_IF, "its flag goes off, ours stays on");
	is("3.8.8", mask_there(), 0, "its is off");
	vmi0(DisableInterrupts);
}

static void find_limit(uint32_t selector)
{
	there = limit_of(selector);
}

static void set_gdt(uint64_t *table, uint64_t entry)
{
	vmi4(VMI_CALL_WriteGDTEntry, PTR(table), SPARE, (uint32_t)entry,
	     (uint32_t)(entry >> 32));
}

static void set_gdt_there(uint32_t limit)
{
	set_gdt(processor[OTHER].gdt, DATA3 | limit);
}

static void descriptors_there(void)
{
	const uint32_t selector = SPARE * 8 + 3;

	set_gdt(gdt, DATA3 | 0x111);
	run_on(OTHER, set_gdt_there, 0x222);
	is("3.8.8", limit_of(selector), 0x111, "its GDT is not ours");
	run_on(OTHER, find_limit, selector);
	is("3.8.8", there, 0x222, "nor ours its");
	is("3.8.8", other_call(VMI_CALL_GetTR, 0, 0) & ~3u, TSS_SELECTOR,
	   "it has loaded its task register");
	other_call(VMI_CALL_SetLDT, 0, 0);
	is("3.8.8", vmi0(GetLDT) & ~3u, 0, "and we no LDT");
	set_gdt(gdt, 0);
}

static void user_there(uint32_t value)
{
	struct user u = user_state(u_syscall);

	u.eax = value;
	enter_user(&u);
	there = last_trap_at;
}

static void user_mode(void)
{
	const uint32_t from = PTR(processor[OTHER].stack);
	struct user u = user_state(u_syscall);

	run_on(OTHER, user_there, 0x600d);
	is("3.8.8", last_trap.vector, VEC_SYSCALL, "user mode there");
	is("3.8.8", last_trap.eax, 0x600d, "with its registers");
	point("3.8.8", there - from < sizeof(processor[OTHER].stack),
	      "comes back to the stack that it has named");
	enter_user(&u);
	point("3.8.8", last_trap_at - from >= sizeof(processor[OTHER].stack),
	      "and ours to ours");
}

/* ---- lazy modes -------------------------------------------------------------- */

static void lazy(void)
{
	for (uint32_t i = 0; i < 4; i++)
		play_map(TEST_PAGE + i, frame_entry(i));
	flush();
	other_call(VMI_CALL_FlushTLB, VMI_FLUSH_TLB, 0);
	for (uint32_t i = 0; i < 4; i++)
		other_read(TEST_PAGE + i);

	vmi1(SetLazyMode, VMI_LAZY_MMU);
	play_map(TEST_PAGE, frame_entry(10));
	vmi1(InvalPage, play_va(TEST_PAGE));
	set_entry(play_entry(TEST_PAGE + 1), frame_entry(11), VMI_PAGE_PT);
	other_call(VMI_CALL_InvalPage, play_va(TEST_PAGE + 1), 0);
	is("3.8.8", other_read(TEST_PAGE + 1), FRAME_MARK + 11,
	   "InvalPage on a processor without a batch is not deferred by ours");
	vmi1(SetLazyMode, VMI_LAZY_NONE);
	is("3.8.8", play_read(TEST_PAGE), FRAME_MARK + 10,
	   "and ours is done at its end");

	other_call(VMI_CALL_SetLazyMode, VMI_LAZY_MMU, 0);
	play_map(TEST_PAGE + 2, frame_entry(12));
	vmi1(InvalPage, play_va(TEST_PAGE + 2));
	is("3.8.8", play_read(TEST_PAGE + 2), FRAME_MARK + 12,
	   "nor is ours by a batch there");
	other_call(VMI_CALL_InvalPage, play_va(TEST_PAGE + 2), 0);
	other_call(VMI_CALL_SetLazyMode, VMI_LAZY_NONE, 0);
	is("3.8.8", other_read(TEST_PAGE + 2), FRAME_MARK + 12,
	   "which is done at the end of that");

	space_copy(&theirs);
	space_alloc(&theirs);
	set_entry(dir_entry(&theirs, PLAY), 0, VMI_PAGE_PD);
	flush();
	vmi1(SetLazyMode, VMI_LAZY_CPU);
	vmi1(SetCR3, root(&theirs));
	is("3.8.8", other_call(VMI_CALL_GetCR3, 0, 0), root(&ours),
	   "SetCR3 in our batch is not the other's");
	vmi1(SetLazyMode, VMI_LAZY_NONE);
	is("3.8.8", probe_read(play_va(TEST_PAGE)), VEC_PF,
	   "we are in another space");
	is("3.8.8", other_read(TEST_PAGE), FRAME_MARK + 10,
	   "the other is where it was");
	other_call(VMI_CALL_SetCR3, root(&theirs), 0);
	vmi1(SetCR3, root(&ours));
	is("3.8.8", other_probe(play_va(TEST_PAGE), false), VEC_PF,
	   "and the other way round");
	is("3.8.8", play_read(TEST_PAGE), FRAME_MARK + 10, "we are back");
	other_call(VMI_CALL_SetCR3, root(&ours), 0);
	space_release(&theirs);
	flush();
	other_call(VMI_CALL_FlushTLB, VMI_FLUSH_TLB, 0);
}

/* ---- linear slots ------------------------------------------------------------- */

/* By a mapping of the play table that is in slot 1 of ours, as another table. */
static void map_by_alias(uint32_t entry)
{
	set_entry(entry_at((void *)(play_va(ALIAS) - LINEAR), TEST_PAGE), entry,
		  VMI_PAGE_PT);
	flush();
}

static void slots_there(void)
{
	const struct vmi_ap_state s = processor_state(OTHER);

	processor_stop(OTHER);
	vmi4(VMI_CALL_SetLinearMapping, 1, play_va(ALIAS), 1,
	     PTR(spare_table) / PAGE);
	processor_start(OTHER, &s);
	(void)other_read(TEST_PAGE);
	run_on(OTHER, map_by_alias, frame_entry(60));
	is("3.8.8", other_read(TEST_PAGE), FRAME_MARK + 60,
	   "it does not begin with our linear slot 1");
	vmi4(VMI_CALL_SetLinearMapping, 1, 0, 0, 0);
	run_on(OTHER, map_by_alias, frame_entry(61));
	flush();
	is("3.8.8", play_read(TEST_PAGE), FRAME_MARK + 61,
	   "and slot 0 is enough for it");
}

/* ---- time ------------------------------------------------------------------------ */

static void on_alarm(struct frame *f)
{
	const uint32_t id = apic_get(APIC_ID) >> 24;

	(void)f;
	for (uint32_t n = 0; n < processors; n++)
		came[n] += processor[n].id == id;
	apic_set(APIC_EOI, 0);
}

static uint32_t flags_of_alarm, cancelled;
static uint64_t expiry, counters_there[3];

static void arm_there(uint32_t arg)
{
	(void)arg;
	apic_set(APIC_LVTT, VECTOR);
	set_alarm(flags_of_alarm, expiry, 0);
}

static void halt_there(uint32_t count)
{
	while (came[OTHER] < count)
		vmi0(Halt);
	vmi0(DisableInterrupts);
}

static void cancel_there(uint32_t arg)
{
	(void)arg;
	cancelled = vmi1(CancelAlarm, ALARM);
}

static void count_there(uint32_t arg)
{
	(void)arg;
	for (uint32_t i = 0; i < 3; i++)
		counters_there[i] = vmi64(VMI_CALL_GetCycleCounter, i);
}

static void take_here(void)
{
	for (int i = 0; i < 100; i++) {
		vmi0(EnableInterrupts);
		vmi0(DisableInterrupts);
	}
}

static void alarms(void)
{
	const uint64_t second = vmi64(VMI_CALL_GetCycleFrequency, 0);
	uint64_t before;

	vector_hook[VECTOR] = on_alarm;
	before = vmi_cycles();
	run_on(OTHER, count_there, 0);
	point("3.7.2", before <= counters_there[0] &&
	      counters_there[0] <= vmi_cycles(),
	      "all processors see one real counter");
	point("3.7.2", counters_there[1] <= counters_there[0] + second,
	      "it has an available counter");

	flags_of_alarm = ALARM;
	expiry = vmi_cycles() + (second << 6);
	run_on(OTHER, arm_there, 0);
	is("3.7.3", vmi1(CancelAlarm, ALARM), 0, "its alarm is not ours");
	apic_set(APIC_LVTT, VECTOR);
	arm(ALARM, expiry, 0);
	run_on(OTHER, cancel_there, 0);
	is("3.7.3", cancelled, 1, "to cancel: it cancels it");
	is("3.7.3", vmi1(CancelAlarm, ALARM), 1, "and ours is armed still");

	expiry = vmi_cycles() + (second >> 7);
	run_on(OTHER, arm_there, 0);
	run_on(OTHER, halt_there, 1);
	is("3.7.6", came[OTHER], 1, "an alarm wakes it");
	take_here();
	is("3.7.3", came[0], 0, "and not us");
	point("3.7.4", vmi_cycles() >= expiry, "not early");
	run_on(OTHER, arm_there, 0);
	arm(ALARM, expiry, 0);
	take_here();
	run_on(OTHER, halt_there, 2);
	is("3.7.3", came[0], 1, "two alarms for the same time: ours");
	is("3.7.3", came[OTHER], 2, "and its");
}

void siblings(void)
{
	control_registers();
	the_flag();
	descriptors_there();
	user_mode();
	lazy();
	slots_there();
	alarms();
}

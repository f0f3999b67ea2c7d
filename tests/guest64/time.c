// SPDX-License-Identifier: GPL-2.0-only
/* Alarms, interrupts in the ROM's windows and in user mode, Halt, the APIC. */
#include "guest64.h"
#include "pc.h"

#define ALARMS		1000u
#define PERIOD		30000u		/* cycles; an emulator's instructions */
#define APIC_ID		0x020u
#define APIC_VERSION	0x030u
#define APIC_TPR	0x080u
#define APIC_EOI	0x0b0u
#define APIC_SVR	0x0f0u
#define APIC_ICR	0x300u
#define SVR_ENABLE	0x100u
#define ICR_SELF	0x40000u
#define VECTOR		0x41u

static uint64_t now(void)
{
	return vmi1(GetCycleCounter, VMI_CYCLES_REAL);
}

static void set_alarm(uint64_t expiry, uint64_t period)
{
	vmi3(SetAlarm, VMI_CYCLES_REAL | (period ? VMI_ALARM_PERIODIC : 0), expiry,
	     period);
}

static void counters(void)
{
	const uint64_t hz = vmi0(GetCycleFrequency);
	uint64_t before = now(), clock = vmi0(GetWallclockTime);

	ok(hz > 1000000 && hz < 1000000000000, "GetCycleFrequency");
	ok(now() > before, "the counter goes on");
	ok(vmi1(GetCycleCounter, VMI_CYCLES_AVAILABLE) +
	   vmi1(GetCycleCounter, VMI_CYCLES_STOLEN) <= now(),
	   "real is available and stolen");
	ok(clock > 1600000000000000000, "the wall clock is in nanoseconds");
	ok(vmi0(GetWallclockTime) >= clock, "and goes on");
	same64(vmi0(WallclockUpdated), 0, "nobody has set it");
}

static void one_alarm(void)
{
	const uint64_t tick = vmi0(GetCycleFrequency) >> 10;
	const uint32_t before = irq0_count;
	uint32_t last_count;

	set_alarm(now() + tick, 0);
	same64(irq0_count - before, 0, "an alarm does not come with the flag off");
	vmi0(Halt);
	same64(irq0_count - before, 1, "Halt waits for it");
	same64(irq0_mask, 0, "the flag is off in its handler");
	same64(irq0_flags & EFLAGS_IF, EFLAGS_IF, "its frame has it on");
	same64(vmi0(GetInterruptMask), EFLAGS_IF, "as it is behind Halt");
	vmi0(DisableInterrupts);
	set_alarm(now(), 0);
	vmi0(EnableInterrupts);
	vmi0(DisableInterrupts);
	same64(irq0_count - before, 2, "one that is due comes with Enable");
	set_alarm(now(), tick);
	vmi0(Halt);
	vmi0(Halt);
	vmi1(CancelAlarm, VMI_ALARM_PERIODIC);
	vmi0(EnableInterrupts);
	vmi0(DisableInterrupts);
	ok(irq0_count - before >= 4, "a periodic one comes again");
	last_count = irq0_count;
	for (uint64_t end = now() + 3 * tick; now() < end;)
		;
	vmi0(EnableInterrupts);
	vmi0(DisableInterrupts);
	same64(irq0_count, last_count, "CancelAlarm");
}

/* ---- interrupts at any instruction --------------------------------------------- */

static uint32_t in_iret;

static void at_window(struct frame *f)
{
	in_iret += f->rip - vmi_entry[VMI64_CALL_IRET] < 64;
}

static void begin_alarms(void)
{
	vector_hook[VEC_IRQ0] = at_window;
	set_alarm(now(), PERIOD);
}

static void end_alarms(void)
{
	vmi1(CancelAlarm, VMI_ALARM_PERIODIC);
	vmi0(EnableInterrupts);
	vmi0(DisableInterrupts);
	vector_hook[VEC_IRQ0] = NULL;
}

static void at_iret(void)
{
	const uint32_t begin = irq0_count;
	uint32_t wrong = 0;

	begin_alarms();
	while (irq0_count - begin < ALARMS) {
		iret_to_self(EFLAGS_FIXED | EFLAGS_IF);
		wrong += vmi0(GetInterruptMask) != EFLAGS_IF;
		vmi0(DisableInterrupts);
	}
	end_alarms();
	same64(wrong, 0, "interrupts at any place of IRET: the flag is right");
	same64(in_iret, 0, "none between the flag and the return");
}

/* User mode, whose loop an interrupt leaves as it was, with either IRET. */
static void in_user(bool swap)
{
	static const char code[] = "\xff\xc9\x75\xfc\xcd\x80"; /* dec ecx; jnz; int */
	struct user u = user_start;
	uint32_t begin = irq0_count, wrong = 0, user = 0;

	u.r.rcx = 3000;
	u.r.rbx = 0xfeedfacecafebeef;
	vmi1(SetGSBase, 0x1000);
	vmi1(SetKernelGSBase, 0x2000);
	if (swap)
		user_return = (void *)vmi_entry[VMI64_CALL_SwapGSIRET];
	user_load(code, sizeof(code) - 1);
	begin_alarms();
	while (irq0_count - begin < ALARMS) {
		user_run(&u);
		wrong += last.vector != VEC_SYSCALL || (uint32_t)last.r.rcx ||
			 last.r.rbx != u.r.rbx;
		user += (irq0_cs & 3) == 3;
		if (swap) {
			wrong += vmi0(GetGSBase) != 0x2000;
			vmi0(SwapGS);
		}
		wrong += vmi0(GetGSBase) != 0x1000 ||
			 vmi0(GetKernelGSBase) != 0x2000;
	}
	end_alarms();
	user_return = (void *)vmi_entry[VMI64_CALL_IRET];
	same64(wrong, 0, swap ? "interrupts at any place of SwapGSIRET and of user mode" :
	       "interrupts at any place of user mode");
	ok(user, "some came in user mode");
}

static volatile uint32_t updates_wrong;

static void update_there(struct frame *f)
{
	(void)f;
	play_set(PLAY_FIRST + 1, frame_pa(irq0_count % FRAMES) | PTE_P);
	vmi1(InvalPage, play_va(PLAY_FIRST + 1));
	updates_wrong += word_at(play_va(PLAY_FIRST + 1)) !=
			 FRAME_MARK + irq0_count % FRAMES;
}

static void at_updates(void)
{
	const uint32_t begin = irq0_count;
	uint32_t n = 0, wrong = 0;

	begin_alarms();
	vector_hook[VEC_IRQ0] = update_there;
	vmi0(EnableInterrupts);
	while (irq0_count - begin < ALARMS) {
		n++;
		play_set(PLAY_FIRST, frame_pa(n % FRAMES) | PTE_P);
		vmi1(InvalPage, play_va(PLAY_FIRST));
		wrong += word_at(play_va(PLAY_FIRST)) != FRAME_MARK + n % FRAMES;
	}
	vmi0(DisableInterrupts);
	end_alarms();
	same64(wrong + updates_wrong, 0, "updates here and in a handler, at any place");
}

static void at_syscall(void)
{
	const uint32_t begin = irq0_count;
	struct user u = user_start;
	uint32_t wrong = 0;

	wrmsr64(MSR_EFER, rdmsr64(MSR_EFER) | EFER_SCE);
	vmi3(WRMSR, MSR_STAR, 0, KERNEL_CS | USER32_CS << 16);
	vmi2(SetSyscallEntry, syscall_target, syscall32_target);
	user_load("\x0f\x05", 2);
	u.r.rbx = 0x1234567890abcdef;
	vmi1(SetKernelGSBase, 0x2000);
	vmi1(SetGSBase, 0x1000);
	begin_alarms();
	while (irq0_count - begin < ALARMS) {
		user_run(&u);
		wrong += seen.which != 1 || seen_mask || seen.rbx != u.r.rbx ||
			 seen.rsp != USER_STACK || seen.gs_base != 0x2000;
		vmi0(SwapGS);
	}
	end_alarms();
	same64(wrong, 0, "interrupts at any place of SYSCALL");
}

void test_interrupts(void)
{
	counters();
	one_alarm();
	at_iret();
	in_user(false);
	in_user(true);
	at_updates();
	at_syscall();
}

/* ---- the APIC ------------------------------------------------------------------------ */

static uint32_t came;

static void on_vector(struct frame *f)
{
	(void)f;
	came++;
	vmi2(APICWrite, APIC_EOI, 0);
}

void test_apic(void)
{
	const uint32_t svr = vmi1(APICRead, APIC_SVR);

	same64((uint32_t)vmi1(APICRead, APIC_ID), 0, "APICRead: its id");
	same64(vmi1(APICRead, APIC_VERSION) & 0xf0, 0x10, "and version");
	vmi2(APICWrite, APIC_TPR, 0x30);
	same64((uint32_t)vmi1(APICRead, APIC_TPR), 0x30, "APICWrite of TPR");
	{
		uint64_t tpr;

		__asm__ volatile("mov %%cr8, %0" : "=r"(tpr));
		same64(tpr, 3, "which CR8 shows");
		__asm__ volatile("mov %0, %%cr8" : : "r"(0ull));
		same64((uint32_t)vmi1(APICRead, APIC_TPR), 0, "and sets");
	}
	vmi2(APICWrite, APIC_SVR, svr | SVR_ENABLE);
	vector_hook[VECTOR] = on_vector;
	vmi2(APICWrite, APIC_ICR, ICR_SELF | VECTOR);
	same64(came, 0, "an interrupt to itself waits for the flag");
	vmi0(EnableInterrupts);
	vmi0(DisableInterrupts);
	same64(came, 1, "and comes");
	__asm__ volatile("mov %0, %%cr8" : : "r"(5ull));
	vmi2(APICWrite, APIC_ICR, ICR_SELF | VECTOR);
	vmi0(EnableInterrupts);
	same64(came, 1, "not below CR8");
	__asm__ volatile("mov %0, %%cr8" : : "r"(0ull));
	same64(came, 2, "but as soon as that is lower");
	vmi0(DisableInterrupts);
	vector_hook[VECTOR] = NULL;
	vmi2(APICWrite, APIC_SVR, svr);
}

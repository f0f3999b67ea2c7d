// SPDX-License-Identifier: GPL-2.0-only
/*
 * The scheduler: vCPUs that share one processor by their run time, sleep and
 * wake, and end.
 */
#include "dispatch.h"
#include "core.h"
#include "log.h"
#include "machine.h"
#include "solo5.h"
#include "unit.h"

#define MS	(MACHINE_TSC_HZ / 1000ull)
#define GUESTS	3

struct guest *guests[GUESTS_MAX];
uint32_t guest_count;

static struct guest guest[GUESTS];
static struct stub_shared shared[GUESTS];
static struct regs regs[GUESTS][2];
static uint64_t due, wakes;		/* what the clocks say */
static uint64_t switch_takes, update_takes;
struct cpu cpus[HOST_CPUS];
static struct vcpu *woken;		/* by its clocks */
static unsigned int waits, updates;
static jmp_buf begun, ended;
static enum end how;

/* ---- what the scheduler calls ------------------------------------------- */

void event_poll(struct vcpu *v)
{
	assert_ptr_equal(v, current);
}

/* From here on the tests say why it stops. */
enum stop vcpu_enter(struct regs *r)
{
	assert_ptr_equal(r, current->regs);
	longjmp(begun, 1);
}

static void tick(struct vcpu *v)
{
	const struct vcpu *next = sched_next(v, STOP_INTERRUPTED);

	assert_ptr_equal(next, current);
}

static void halt(struct vcpu *v)
{
	const struct vcpu *next = sched_next(v, STOP_HALTED);

	assert_ptr_equal(next, current);
}

/* The machine interrupts, and what it takes is done for one of them. */
static void serve(struct vcpu *v, uint64_t takes)
{
	sched_charge(current->halted ? NULL : current);
	cpu.tsc += takes;
	sched_charge(v);
}

static void others_go_on(void);

/* Nobody can run: in the end an interrupt comes for the last one. */
void machine_waits(void)
{
	struct vcpu *last = &guest[GUESTS - 1].vcpu[0];

	cpu.tsc += MS;
	if (host_cpus > 1)
		others_go_on();
	else if (++waits == 3) {
		woken = last;
		last->wake = cpu.tsc;
		last->apic->next = 0x40;
	}
}

void machine_ended(enum end end)
{
	how = end;
	longjmp(ended, 1);
}

void (*panic_tells)(void);

void panic_at(const char *file, int line, const char *fmt, ...)
{
	(void)fmt;
	_fail(file, line);
	__builtin_unreachable();
}

uint64_t timer_update(struct vcpu *v)
{
	assert_true(v == current || v == woken);
	cpu.tsc += v->halted ? MS / 10 : update_takes;
	updates += !v->halted;
	return due;
}

uint64_t timer_wake(const struct vcpu *v)
{
	assert_true(v == current || v == woken);
	return wakes;
}

void timer_pit_changed(struct guest *g) { (void)g; }

void desc_save(struct vcpu *v)
{
	assert_ptr_equal(v, current);
	cpu.tsc += switch_takes;
}

void desc_load(struct vcpu *v) { assert_ptr_equal(v, current); }
static unsigned int forgotten;
void speculation_switch(void) { forgotten++; }
void cr_load(struct vcpu *v) { assert_ptr_equal(v, current); }
void report(struct vcpu *v) { (void)v; }
void stats_print(void) { }
void trace_drain(struct trace_ring *t, uint32_t vcpu,
		 volatile struct stub_shared *sh)
{
	(void)t, (void)vcpu, (void)sh;
}

void io_console_interrupt(void) { }
static unsigned int interrupts;
void solo5_interrupt(void) { interrupts++; }
void mmu_stop_others(struct mmu *m) { (void)m; }
void mmu_flush_now(struct mmu *m) { (void)m; }
void vcpu_start(struct vcpu *v) { v->starting = false; }
void xstate_save(struct vcpu *v) { (void)v; fail(); }
void xstate_load(const struct vcpu *v) { (void)v; fail(); }

void vcpu_kill(struct vcpu *v, const char *fmt, ...)
{
	(void)fmt;
	v->end = END_GUEST_DIED;
}

static unsigned int released;
void cr_unload(void) { }
void io_end(struct guest *g) { (void)g; }
void comm_end(struct guest *g) { (void)g; }
void manage_forget(struct guest *g) { (void)g; }
void vcpu_end(struct vcpu *v, enum end end) { (void)v, (void)end; }
void made_free(struct made *m) { (void)m; }

/* What is of two guests needs the locks of both, in their order. */
void pages_end(struct guest *g)
{
	assert_true(g->ended && !g->loaded);
	assert_int_equal(g->lock.next, g->lock.owner);
}

/* A call about another guest: meanwhile a sibling may end this one. */
static unsigned int late_calls;
static bool sibling_ends;

void dispatch_late(struct vcpu *v)
{
	assert_ptr_equal(v, current);
	assert_int_equal(v->g->lock.next, v->g->lock.owner);
	assert_false(v->mmu.inside);
	late_calls++;
	v->late_number = 0;
	if (sibling_ends)
		vcpu_stop(v, STOP_ENDED);
}


void requests_end(struct guest *g) { (void)g; }
void requests_off(struct vcpu *v) { v->held = 0; }
static unsigned int asked_for;
static bool server_answers;		/* before it waits */

void requests_go(struct vcpu *v)
{
	assert_ptr_equal(v, current);
	asked_for++;
	if (server_answers)
		sched_answered(v);
}

bool requests_over(struct vcpu *v)
{
	if (!v->answered)
		return false;
	v->held = 0;
	sched_waits(v, NULL, UINT64_MAX);
	return true;
}

void kvmi_start(struct guest *g) { (void)g; }
void kvmi_end(struct guest *g) { (void)g; }
void kvmi_gone(struct guest *g) { (void)g; }
void kvmi_interrupt(void) { }
void control_interrupt(void) { }

static unsigned int served, armed;

bool kvmi_serve(struct vcpu *v)
{
	assert_int_equal(v->late_number, 0);
	assert_in_range(++served, 1, 100);
	return true;
}

bool kvmi_asked(const struct vcpu *v) { (void)v; return false; }
bool kvmi_holds(const struct vcpu *v) { (void)v; return false; }
void kvmi_off(struct vcpu *v) { (void)v; }
void kvmi_on(struct vcpu *v) { (void)v; }
void kvmi_left(struct vcpu *v) { (void)v; }
static const struct vcpu *steps;
bool kvmi_steps(const struct vcpu *v) { return v == steps; }
void kvmi_arm(struct vcpu *v) { (void)v; armed++; }
void guest_release(struct guest *g)
{
	assert_true(g->ended && !g->loaded);
	released++;
}

bool guest_starts_again(const struct guest *g)
{
	return g->starts;
}

bool guest_restart(struct guest *g)
{
	g->starts--;
	g->ended = false;
	g->vcpu[0].regs->stop = STOP_NOT;
	return true;
}

void log_printf(const char *fmt, ...) { (void)fmt; }

/* ---- tests -------------------------------------------------------------- */

static const struct guest_config config = { .cpus = 1 };

static int setup(void **state)
{
	static uint64_t epoch;		/* run times never go back */
	uint32_t i;

	(void)state;
	host_cpus = 1;
	machine_processor = machine_kicks = 0;
	memset(cpus, 0, sizeof(cpus));
	memset(guest, 0, sizeof(guest));
	memset(regs, 0, sizeof(regs));
	memset(shared, 0, sizeof(shared));
	guest_count = 0;
	cpu.tsc += 1000 * MS;
	sched_charge(NULL);
	epoch += 1000000 * MS;
	due = wakes = UINT64_MAX;
	switch_takes = update_takes = 0;
	for (i = 0; i < GUESTS; i++) {
		struct vcpu *v = &guest[i].vcpu[0];

		v->g = &guest[i];
		v->sibling = v;
		v->apic = &guest[i].apic[0];
		v->pic = &guest[i].pic;
		v->sh = &shared[i];
		v->regs = &regs[i][1];
		guest[i].name = "guest";
		guest[i].vcpus = 1;
		guest[i].config = &config;
		guest[i].shares = GUEST_SHARES;
		guest[i].pin = UINT32_MAX;
		apic_init(&guest[i].apic[0], 0, 1000 * MS);
		pic_init(&guest[i].pic);
		asm volatile("fninit; fxsave64 %0" : "=m"(v->fpu));
		guests[guest_count++] = &guest[i];
	}
	if (!setjmp(begun))
		sched_run();
	assert_ptr_equal(current, &guest[0].vcpu[0]);
	for (i = 0; i < GUESTS; i++) {
		guest[i].vcpu[0].since = cpu.tsc;
		guest[i].vcpu[0].ran = epoch;
		guest[i].vcpu[0].stolen = shared[i].stolen = 0;
	}
	return 0;
}

/* Nobody but the first so many runs. */
static void only(uint32_t n)
{
	for (; n < GUESTS; n++)
		guest[n].vcpu[0].on = false;
}

/* The processor interrupts every ms for so long; who ran for how long? */
static void run(unsigned int ms, unsigned int ran[GUESTS])
{
	memset(ran, 0, GUESTS * sizeof(*ran));
	while (ms--) {
		const struct vcpu *last = current;
		unsigned int before = forgotten;

		ran[current->g - guest]++;
		cpu.tsc += MS;
		tick(current);
		/* Another finds nothing of the last in the processor. */
		assert_int_equal(forgotten - before, current != last);
	}
}

static void test_equal_shares(void **state)
{
	unsigned int ran[GUESTS], i;

	(void)state;
	run(3000, ran);
	for (i = 0; i < GUESTS; i++)
		assert_in_range(ran[i], 990, 1010);
	/* The next interrupt is there to switch. */
	assert_in_range(machine_timer, cpu.tsc, cpu.tsc + 6 * MS);
	/* Who waits to run is stolen from. */
	for (i = 0; i < GUESTS; i++)
		assert_in_range(shared[i].stolen, 1900 * MS, 2010 * MS);
}

/* As many as the others have together; and few. */
static void test_shares(void **state)
{
	unsigned int ran[GUESTS];

	(void)state;
	guest[0].shares = 2 * GUEST_SHARES;
	run(4000, ran);
	assert_in_range(ran[0], 1980, 2020);
	assert_in_range(ran[1], 985, 1015);
	/* The interrupt to switch is as much later. */
	while (current != &guest[0].vcpu[0])
		run(1, ran);
	assert_in_range(machine_timer, cpu.tsc + 6 * MS, cpu.tsc + 15 * MS);
	guest[0].shares = GUEST_SHARES / 10;
	run(2100, ran);
	assert_in_range(ran[0], 80, 120);
	/* Who waits for its share is stolen from all the same. */
	assert_in_range(shared[0].stolen, 3900 * MS, 4050 * MS);
}

static void test_alone(void **state)
{
	unsigned int ran[GUESTS];

	(void)state;
	only(1);
	run(100, ran);
	assert_int_equal(ran[0], 100);
}

/* One that slept runs at once, and does not make up for its sleep. */
static void test_sleep(void **state)
{
	unsigned int ran[GUESTS];

	(void)state;
	halt(current);
	assert_ptr_not_equal(current, &guest[0].vcpu[0]);
	run(1000, ran);
	assert_int_equal(ran[0], 0);
	assert_int_equal(shared[0].stolen, 0);
	guest[0].apic[0].next = 0x40;
	serve(&guest[0].vcpu[0], MS);	/* which puts it off by no more */
	run(1, ran);
	assert_ptr_equal(current, &guest[0].vcpu[0]);
	run(300, ran);
	assert_in_range(ran[0], 95, 115);
}

/* A unikernel sleeps until its call is over, whatever interrupts there are. */
static void test_call(void **state)
{
	static struct solo5 solo5 = { .call = SOLO5_POLL };
	struct vcpu *v = &guest[0].vcpu[0];
	unsigned int ran[GUESTS];

	(void)state;
	guest[0].unikernel = guest[0].special = true;
	guest[0].solo5 = &solo5;
	guest[0].apic[0].next = 0x40;
	halt(v);
	assert_ptr_not_equal(current, v);
	serve(v, MS / 10);
	run(100, ran);
	assert_int_equal(ran[0], 0);
	guest[0].apic[0].next = -1;
	solo5.call = 0;
	serve(v, MS / 10);
	run(1, ran);
	assert_ptr_equal(current, v);
	/* One that was over before it slept. */
	halt(v);
	assert_ptr_equal(current, v);
	/* The machine's interrupts that nobody else takes. */
	interrupts = 0;
	v->regs->vector = IRQ_BASE + 11;
	tick(v);
	assert_int_equal(interrupts, 1);
	v->regs->vector = IRQ_BASE + IRQ_COM1;
	tick(v);
	assert_int_equal(interrupts, 1);
	v->regs->vector = 0;
}

/* What is done for one is its own time, and stolen from the one that runs. */
static void test_charges(void **state)
{
	struct vcpu *sleeper = current, *worker = &guest[1].vcpu[0];
	uint64_t ran, slept;

	(void)state;
	only(2);
	halt(sleeper);
	assert_ptr_equal(current, worker);
	cpu.tsc += 2 * MS;
	ran = worker->ran;
	slept = sleeper->ran;
	serve(sleeper, MS / 10);	/* it does not wake it */
	cpu.tsc += MS / 100;		/* done for the worker */
	tick(worker);
	assert_ptr_equal(current, worker);
	assert_int_equal(worker->ran - ran, 2 * MS + MS / 100);
	assert_int_equal(shared[1].stolen, MS / 10);
	assert_int_equal(sleeper->ran - slept, MS / 10);
	assert_int_equal(shared[0].stolen, 0);
	/* Nor is it stolen from the other if that waits to run. */
	guest[0].apic[0].next = 0x40;
	serve(sleeper, MS / 10);
	assert_false(sleeper->halted);
	cpu.tsc += 2 * MS;
	serve(sleeper, MS / 10);
	cpu.tsc += 8 * MS;
	tick(worker);
	assert_ptr_equal(current, sleeper);
	assert_int_equal(shared[0].stolen, 10 * MS);
	guest[0].apic[0].next = -1;
	halt(sleeper);
	assert_int_equal(shared[1].stolen, 3 * MS / 10);
}

/* One that wakes each millisecond, at some expense, has half at the most. */
static void test_wakes_often(void **state)
{
	struct vcpu *sleeper = current, *worker = &guest[1].vcpu[0];
	uint64_t worked = 0, start;

	(void)state;
	only(2);
	halt(sleeper);
	start = cpu.tsc;
	while (cpu.tsc - start < 3000 * MS) {
		assert_ptr_equal(current, worker);
		cpu.tsc += 4 * MS / 10;
		worked += 4 * MS / 10;
		guest[0].apic[0].next = 0x40;
		serve(sleeper, 3 * MS / 10);
		tick(worker);
		if (current != sleeper)
			continue;
		guest[0].apic[0].next = -1;
		cpu.tsc += 3 * MS / 10;
		halt(sleeper);
	}
	assert_in_range(worked, 1480 * MS, 3000 * MS);
	assert_in_range(shared[1].stolen, 3000 * MS - worked - 2 * MS,
			3000 * MS - worked + 2 * MS);
}

/* One that sleeps comes no further behind because another did before. */
static void test_sleepers_in_turn(void **state)
{
	struct vcpu *first = &guest[0].vcpu[0], *second = &guest[1].vcpu[0];
	uint64_t ran;

	(void)state;
	halt(first);
	halt(second);
	run(100, (unsigned int[GUESTS]) { 0 });
	ran = current->ran;
	guest[0].apic[0].next = guest[1].apic[0].next = 0x40;
	serve(first, 0);
	tick(current);
	assert_ptr_equal(current, first);
	cpu.tsc += MS;
	serve(second, 0);
	assert_int_equal(second->ran, ran - 5 * MS - 5 * MS / 4);
}

/* Who gives the processor away pays for that. */
static void test_switch(void **state)
{
	struct vcpu *sleeper = current, *worker = &guest[1].vcpu[0];
	uint64_t ran = sleeper->ran;

	(void)state;
	only(2);
	switch_takes = MS / 4;
	update_takes = MS / 8;
	halt(sleeper);
	assert_ptr_equal(current, worker);
	/* Twice: for one that goes and one that comes. */
	assert_int_equal(sleeper->ran - ran, 2 * (MS / 8) + MS / 4);
	assert_int_equal(shared[1].stolen, MS / 4 + MS / 8);	/* so far */
	cpu.tsc += 20 * MS;
	guest[0].apic[0].next = 0x40;
	serve(sleeper, 0);
	ran = sleeper->ran;
	tick(worker);
	assert_ptr_equal(current, sleeper);
	assert_int_equal(sleeper->ran - ran, 3 * MS / 8);
	assert_int_equal(shared[0].stolen, 0);
}

/* The next interrupt is for what comes first, and there is none for nothing. */
static void test_interrupts(void **state)
{
	(void)state;
	only(2);
	wakes = cpu.tsc + 3 * MS;
	halt(current);
	assert_int_equal(machine_timer, wakes);
	due = cpu.tsc + 2 * MS;
	tick(current);
	assert_int_equal(machine_timer, due);
	guest[0].apic[0].next = 0x40;
	serve(&guest[0].vcpu[0], MS);
	tick(current);
	assert_int_equal(machine_timer, due);
	due = UINT64_MAX;
	tick(current);
	assert_in_range(machine_timer, cpu.tsc + 4 * MS, cpu.tsc + 7 * MS);
	guest[current == &guest[0].vcpu[0]].vcpu[0].on = false;
	tick(current);
	assert_int_equal(machine_timer, UINT64_MAX);
}

/* The machine's tick is for those that it wakes, at their expense. */
static void test_tick(void **state)
{
	struct vcpu *sleeper = current, *worker = &guest[1].vcpu[0];
	uint64_t slept, ran;

	(void)state;
	only(2);
	wakes = cpu.tsc + 3 * MS;
	halt(sleeper);
	assert_ptr_equal(current, worker);
	slept = sleeper->ran;
	ran = worker->ran;
	woken = NULL;
	worker->regs->vector = IRQ_BASE + IRQ_TIMER;
	cpu.tsc += 3 * MS - 1;
	tick(worker);
	assert_int_equal(sleeper->ran, slept);
	woken = sleeper;
	cpu.tsc += 1;
	tick(worker);
	assert_int_equal(sleeper->ran, slept + MS / 10);
	assert_int_equal(worker->ran, ran + 3 * MS);
}

static void test_nobody_can_run(void **state)
{
	uint64_t ran = current->ran;
	unsigned int i;

	(void)state;
	waits = 0;
	wakes = cpu.tsc + 30 * MS;
	halt(current);
	halt(current);
	assert_int_equal(waits, 0);
	cpu.tsc += MS / 2;
	updates = 0;
	halt(current);
	assert_int_equal(waits, 3);
	assert_ptr_equal(current, &guest[GUESTS - 1].vcpu[0]);
	assert_int_equal(updates, 2);		/* as it goes, and as it comes */
	assert_int_equal(machine_timer, wakes);	/* of the others */
	/* The time that passed so was nobody's. */
	assert_int_equal(current->ran, ran + MS / 2 + MS / 10);
	for (i = 0; i < GUESTS; i++)
		assert_int_equal(shared[i].stolen, 0);
}

/* The end of one is not that of the others; the worst one's is the machine's. */
static void test_ends(void **state)
{
	static const enum end end[] = {
		END_ORDERLY, END_GUEST_DIED, END_ORDERLY
	};
	const uint64_t ran = guest[GUESTS - 1].vcpu[0].ran;
	volatile unsigned int i;

	(void)state;
	how = END_PANIC;
	for (i = 0; i < GUESTS; i++) {
		assert_int_equal(how, END_PANIC);
		assert_false(current->g->ended);
		cpu.tsc += MS;
		current->end = end[i];
		if (!setjmp(ended))
			sched_next(current, STOP_ENDED);
		/* What it did to the end was its own. */
		if (i < GUESTS - 1)
			assert_int_equal(guest[GUESTS - 1].vcpu[0].ran, ran);
	}
	assert_int_equal(how, END_GUEST_DIED);
}

/* One that starts again has what it had taken back, and no more time. */
static void test_starts_again(void **state)
{
	unsigned int ran[GUESTS];
	uint64_t others;

	(void)state;
	run(300, ran);
	others = guest[1].vcpu[0].ran;
	released = 0;
	guest[0].starts = 1;
	while (current != &guest[0].vcpu[0])
		run(1, ran);
	current->ran = 0;
	current->end = END_GUEST_DIED;
	sched_next(current, STOP_ENDED);
	assert_int_equal(released, 1);
	assert_false(guest[0].ended);
	assert_in_range(guest[0].vcpu[0].ran, others - 20 * MS, others + 20 * MS);
	run(300, ran);
	assert_in_range(ran[0], 90, 115);
}

/* ---- two processors --------------------------------------------------------- */

static struct regs second_regs[2];
static struct stub_shared second_shared;

/* The second one has this vCPU in it. */
static void two_processors(struct vcpu *v)
{
	host_cpus = 2;
	v->g->loaded++;
	v->on = v->loaded = true;
	v->home = 1;
	cpus[1].vcpu = v;
	cpus[1].charged = cpu.tsc;
}

static struct vcpu *second_of(struct guest *g)
{
	struct vcpu *v = &g->vcpu[1];

	memset(second_regs, 0, sizeof(second_regs));
	g->vcpus = 2;
	*v = g->vcpu[0];
	v->nr = 1;
	v->loaded = false;
	v->apic = &g->apic[1];
	apic_init(v->apic, 1, 1000 * MS);
	v->regs = &second_regs[1];
	v->sh = &second_shared;
	v->sibling = &g->vcpu[0];
	g->vcpu[0].sibling = v;
	return v;
}

/* The first one wakes who is halted at the second. */
static void others_go_on(void)
{
	struct vcpu *v = &guest[1].vcpu[0];

	waits++;
	assert_true(cpus[1].idle && v->halted && v->loaded);
	machine_processor = 0;
	machine_kicks = 0;
	spin_lock(&guest[0].lock);
	tick(current);
	assert_ptr_equal(current, &guest[0].vcpu[0]);
	assert_int_equal(machine_kicks, 0);
	guest[1].apic[0].next = 0x40;
	sched_notify(v);
	assert_false(v->halted);
	assert_int_equal(machine_kicks, 1 << 1);
	/* Which alone can run it, however long the other has run. */
	cpu.tsc += 100 * MS;
	tick(current);
	assert_ptr_equal(current, &guest[0].vcpu[0]);
	machine_processor = 1;
}

static void test_halted_stays_where_it_is(void **state)
{
	(void)state;
	only(2);
	two_processors(&guest[1].vcpu[0]);
	machine_processor = 1;
	waits = 0;
	spin_unlock(&guest[0].lock);
	spin_lock(&guest[1].lock);
	halt(current);
	assert_int_equal(waits, 1);
	assert_ptr_equal(current, &guest[1].vcpu[0]);
	assert_false(cpus[1].idle);
	assert_ptr_equal(cpus[0].vcpu, &guest[0].vcpu[0]);
}

/* Its memory goes back when no processor knows it any more. */
static void test_ends_at_two_processors(void **state)
{
	struct vcpu *v = second_of(&guest[0]);

	(void)state;
	two_processors(v);
	released = 0;
	current->end = END_ORDERLY;
	sched_next(current, STOP_ENDED);
	assert_ptr_equal(current, &guest[1].vcpu[0]);
	assert_int_equal(released, 0);
	assert_int_equal(machine_kicks & 1 << 1, 1 << 1);
	assert_int_equal(guest[0].loaded, 1);
	machine_processor = 1;
	spin_lock(&guest[0].lock);
	v->regs->vector = IRQ_BASE + IRQ_KICK;
	sched_next(v, STOP_INTERRUPTED);
	assert_int_equal(released, 1);
	assert_ptr_equal(current, &guest[2].vcpu[0]);
}

/* By one at another processor: it leaves the guest, and is saved there. */
static void test_pause(void **state)
{
	struct guest *g = &guest[1];
	struct vcpu *v = &g->vcpu[0];

	(void)state;
	two_processors(v);
	machine_kicks = 0;
	spin_lock(&g->lock);
	sched_pause(g);
	assert_int_equal(machine_kicks, 1 << 1);
	assert_int_equal(v->regs->stop, STOP_PAUSED);
	sched_resume(g);		/* before it has noticed */
	assert_int_equal(v->regs->stop, STOP_NOT);
	assert_true(v->on && v->loaded && !v->paused);
	sched_pause(g);
	v->regs->stop = STOP_NOT;	/* as it leaves */
	machine_processor = 1;
	v->regs->vector = IRQ_BASE + IRQ_KICK;
	sched_next(v, STOP_PAUSED);
	assert_ptr_equal(current, &guest[2].vcpu[0]);
	assert_false(v->on || v->loaded);
	assert_true(v->paused);
	assert_int_equal(g->lock.next, g->lock.owner);
	cpu.tsc += 1000 * MS;
	spin_lock(&g->lock);
	sched_resume(g);
	assert_true(v->on && !v->paused);
	/* It makes not up for it. */
	assert_true(v->ran + 1000 * MS > guest[2].vcpu[0].ran);
	spin_unlock(&g->lock);
}

/* One that halts meanwhile stands still, too, whatever wakes it. */
static void test_pause_halted(void **state)
{
	struct guest *g = &guest[1];
	struct vcpu *v = &g->vcpu[0];

	(void)state;
	two_processors(v);
	spin_lock(&g->lock);
	sched_pause(g);
	v->regs->stop = STOP_NOT;
	machine_processor = 1;
	v->regs->vector = STUB_VECTOR;
	sched_next(v, STOP_HALTED);
	assert_ptr_equal(current, &guest[2].vcpu[0]);
	assert_true(v->halted && v->paused && !v->on);
	spin_lock(&g->lock);
	g->apic[0].next = 0x40;
	sched_notify(v);
	assert_false(v->halted || v->on);
	sched_resume(g);
	assert_true(v->on);
	spin_unlock(&g->lock);
}

/* One that has halted and is still in the processor is told by what came to that
 * from outside. */
static void test_told_where_it_halted(void **state)
{
	struct vcpu *v = &guest[0].vcpu[0];

	(void)state;
	assert_ptr_equal(current, v);
	v->halted = true;
	v->wake = UINT64_MAX;
	sched_notify(v);
	assert_true(v->halted);
	guest[0].apic[0].next = 0x40;
	sched_notify(v);
	assert_false(v->halted);
}

/* One that had just made a call about another guest: it has been made. */
static void test_pause_and_call(void **state)
{
	struct vcpu *v = &guest[0].vcpu[0];

	(void)state;
	sibling_ends = false;
	late_calls = 0;
	v->late_number = 5;
	v->mmu.inside = false;		/* it has left */
	v->regs->vector = STUB_VECTOR;
	sched_pause(&guest[0]);
	v->regs->stop = STOP_NOT;
	sched_next(v, STOP_PAUSED);
	assert_int_equal(late_calls, 1);
	assert_false(v->on);
	assert_ptr_equal(current, &guest[1].vcpu[0]);
}

/* Who looks at it, above all who lets it go step by step, finds the result. */
static void test_asked_and_call(void **state)
{
	struct vcpu *v = &guest[0].vcpu[0];

	(void)state;
	sibling_ends = false;
	late_calls = served = 0;
	v->late_number = 5;
	v->regs->vector = STUB_VECTOR;
	assert_ptr_equal(sched_next(v, STOP_ASKED), v);
	assert_int_equal(late_calls, 1);
	assert_int_equal(served, 1);
	/* Its end meanwhile comes first. */
	v->late_number = 5;
	sibling_ends = true;
	assert_ptr_not_equal(sched_next(v, STOP_ASKED), v);
	assert_int_equal(late_calls, 2);
	assert_int_equal(served, 1);
	sibling_ends = false;
}

/* It has done what it is asked, but its guest stands still. */
static void test_asked_and_pause(void **state)
{
	struct vcpu *v = &guest[0].vcpu[0];

	(void)state;
	served = 0;
	v->mmu.inside = false;		/* it has left */
	v->regs->vector = STUB_VECTOR;
	v->regs->stop = STOP_ASKED;
	sched_pause(&guest[0]);
	v->regs->stop = STOP_NOT;
	assert_ptr_not_equal(sched_next(v, STOP_ASKED), v);
	assert_int_equal(served, 1);
	assert_false(v->on);
	sched_resume(&guest[0]);
	assert_true(v->on);
}

/* Ended by another, at another processor or at none. */
static void test_ended_by_another(void **state)
{
	struct guest *g = &guest[1];
	struct vcpu *v = &g->vcpu[0];

	(void)state;
	two_processors(v);
	released = 0;
	machine_kicks = 0;
	spin_lock(&g->lock);
	sched_end(g);
	assert_int_equal(machine_kicks & 1 << 1, 1 << 1);
	assert_int_equal(released, 0);
	machine_processor = 1;
	v->regs->vector = IRQ_BASE + IRQ_KICK;
	v->regs->stop = STOP_NOT;
	sched_next(v, STOP_ENDED);
	assert_int_equal(released, 1);
	assert_ptr_equal(current, &guest[2].vcpu[0]);
}

/* That is at none; and nobody is left who could let the third go on. */
static void test_ended_elsewhere(void **state)
{
	struct guest *g = &guest[2];

	(void)state;
	released = 0;
	spin_lock(&g->lock);
	sched_end(g);
	assert_int_equal(released, 1);
	assert_true(g->gone);
	spin_unlock(&g->lock);
	spin_lock(&guest[1].lock);
	sched_pause(&guest[1]);
	spin_unlock(&guest[1].lock);
	current->end = END_ORDERLY;
	if (!setjmp(ended))
		sched_next(current, STOP_ENDED);
	assert_int_equal(how, END_ORDERLY);
}

/* On its guest's processors alone. */
static void test_pin(void **state)
{
	struct vcpu *v = &guest[1].vcpu[0];
	unsigned int ran[GUESTS];

	(void)state;
	only(2);
	two_processors(&guest[2].vcpu[0]);
	guest[1].pin = 1 << 1;
	run(50, ran);
	assert_int_equal(ran[0], 50);
	/* It wakes: who runs where it may is interrupted, and sets its timer. */
	v->halted = true;
	machine_kicks = 0;
	machine_timer = UINT64_MAX;
	guest[1].apic[0].next = 0x40;
	sched_notify(v);
	assert_false(v->halted);
	assert_int_equal(machine_kicks, 1 << 1);
	assert_int_equal(machine_timer, UINT64_MAX);
	/* Who has nothing to do elsewhere does not hear of it. */
	guest[0].pin = guest[1].pin = 1 << 0;
	guest[2].vcpu[0].halted = true;
	cpus[1].idle = true;
	v->halted = true;
	machine_kicks = 0;
	sched_notify(v);
	assert_int_equal(machine_kicks, 0);
	assert_in_range(machine_timer, cpu.tsc - 100 * MS, cpu.tsc + 100 * MS);
	cpu.tsc += 50 * MS;
	tick(current);
	assert_ptr_equal(current, v);
	assert_int_equal(machine_kicks, 0);
}

/* Had a processor to itself for an hour, as few others may use it: who comes from
 * where time is short gets its share there, and no more. */
static void test_pin_after_an_hour(void **state)
{
	unsigned int ran[GUESTS];

	(void)state;
	only(2);
	two_processors(&guest[2].vcpu[0]);
	guest[0].pin = 1 << 0;
	guest[0].vcpu[0].ran += 3600 * 1000 * MS;
	run(2000, ran);
	assert_in_range(ran[0], 700, 1000);
	assert_in_range(ran[1], 1000, 1300);
	run(1000, ran);
	assert_in_range(ran[0], 480, 520);
}

/* INIT and STARTUP of one that is at another processor. */
static void test_startup(void **state)
{
	struct vcpu *v = second_of(&guest[0]);

	(void)state;
	two_processors(v);
	sched_off(v);
	assert_int_equal(v->regs->stop, STOP_OFF);
	assert_int_equal(machine_kicks, 1 << 1);
	spin_unlock(&guest[0].lock);
	machine_processor = 1;
	spin_lock(&guest[0].lock);
	v->regs->vector = IRQ_BASE + IRQ_KICK;
	sched_next(v, STOP_INTERRUPTED);
	assert_ptr_equal(current, &guest[1].vcpu[0]);
	assert_false(v->on || v->loaded);
	machine_processor = 0;
	sched_startup(v);	/* there is no state to begin with */
	assert_false(v->on || v->starting);
	v->initial_set = true;
	sched_startup(v);
	assert_true(v->on && v->starting);
	sched_startup(v);	/* it runs */
	assert_false(v->startup);
	/* One that has not stopped yet. */
	v->regs->stop = STOP_OFF;
	sched_startup(v);
	assert_true(v->startup);
	sched_off(v);
	assert_false(v->startup);
}

/* INIT of one whose guest is paused: that waited for a processor, or was asleep. */
static void test_off_and_pause(void **state)
{
	struct vcpu *v = second_of(&guest[0]);
	int asleep;

	(void)state;
	guest[0].vcpu[0].mmu.inside = v->mmu.inside = false;
	for (asleep = 0; asleep < 2; asleep++) {
		v->on = true;
		v->halted = v->hlt = asleep;
		sched_pause(&guest[0]);
		assert_false(v->on);
		sched_off(v);
		sched_resume(&guest[0]);
		assert_false(v->on || v->paused || v->halted || v->hlt);
	}
}

static void passes(void)
{
	cpu.tsc += MS;
	tick(current);
}

/* One that waits for another guest: no interrupt wakes it, but the answer does, its
 * look, or the other's end. */
static void test_request(void **state)
{
	struct vcpu *v = current, *server = &guest[1].vcpu[0];
	unsigned int way;

	(void)state;
	guest[0].special = true;
	for (way = 0; way < 5; way++) {
		asked_for = 0;
		v->held = HELD_REQUEST;
		sched_waits(v, &guest[1], way == 1 ? cpu.tsc + 50 * MS : UINT64_MAX);
		sched_next(v, STOP_REQUEST);
		assert_ptr_not_equal(current, v);
		assert_true(v->halted);
		assert_int_equal(asked_for, 1);
		assert_int_equal(v->wake, way == 1 ? v->look : UINT64_MAX);
		v->apic->next = 0x40;
		serve(v, MS / 10);
		assert_true(v->halted);
		if (way == 0) {
			sched_answered(v);
		} else if (way == 1) {
			woken = v;
			cpu.tsc = v->look;
			server_answers = true;
			serve(v, MS / 10);
		} else if (way == 2) {
			/* Asked for something else, it waits on. */
			sched_ask(v);
			assert_false(v->halted || v->hlt);
			v->held = HELD_REQUEST;
			v->regs->stop = STOP_NOT;
			while (current != v && !v->halted)
				passes();
			assert_true(v->halted);
			assert_int_equal(asked_for, 2);
			sched_answered(v);
		} else if (way == 3) {
			/* INIT: it need not be answered any more. */
			sched_off(v);
			assert_false(v->on || v->halted || v->held || v->server);
			sched_add(v);
		} else {
			/* The other is not on a processor, or this is it. */
			while (current == server)
				passes();
			spin_lock(&guest[1].lock);
			sched_end(&guest[1]);
			spin_unlock(&guest[1].lock);
		}
		assert_false(v->halted);
		v->apic->next = -1;
		while (current != v)
			passes();
		assert_false(v->server || v->held);
		server_answers = false;
	}
	/* Answered before it waits, it does not. */
	asked_for = 0;
	server_answers = true;
	v->held = HELD_REQUEST;
	assert_ptr_equal(sched_next(v, STOP_REQUEST), v);
	assert_int_equal(asked_for, 1);
	assert_false(v->halted);
	server_answers = false;
}

/* It stands still while it waits, and goes on with the answer. */
static void test_pause_and_request(void **state)
{
	struct vcpu *v = current;
	uint32_t i;

	(void)state;
	guest[0].special = true;
	v->held = HELD_REQUEST;
	sched_waits(v, &guest[1], UINT64_MAX);
	sched_next(v, STOP_REQUEST);
	assert_true(v->halted);
	spin_lock(&guest[0].lock);
	sched_pause(&guest[0]);
	assert_false(v->on);
	sched_answered(v);
	for (i = 0; i < 30; i++)
		passes();
	assert_ptr_not_equal(current, v);
	sched_resume(&guest[0]);
	spin_unlock(&guest[0].lock);
	while (current != v)
		passes();
	assert_false(v->server || v->held);
}

/* One that goes step by step is within one until the answer is there. */
static void test_steps_and_request(void **state)
{
	struct vcpu *v = &guest[0].vcpu[0];

	(void)state;
	served = armed = asked_for = 0;
	guest[0].special = true;
	steps = v;
	v->held = HELD_REQUEST;
	sched_waits(v, &guest[1], UINT64_MAX);
	sched_next(v, STOP_ASKED);
	assert_int_equal(served, 1);
	assert_int_equal(asked_for, 1);
	assert_int_equal(armed, 0);
	assert_true(v->halted);
	/* Then it is told of, and the next one begins. */
	sched_answered(v);
	while (current != v)
		passes();
	assert_int_equal(served, 2);
	assert_int_equal(armed, 1);
	assert_false(v->held);
	steps = NULL;
}

/* It goes on behind a call that needs another guest's lock, with its own. */
static void test_late_call(void **state)
{
	struct vcpu *v = &guest[0].vcpu[0];

	(void)state;
	late_calls = 0;
	sibling_ends = false;
	assert_ptr_equal(current, v);
	v->regs->vector = STUB_VECTOR;
	v->mmu.inside = true;
	assert_ptr_equal(sched_next(v, STOP_CALL), v);
	assert_int_equal(late_calls, 1);
	assert_int_equal(v->regs->stop, STOP_NOT);
	assert_int_equal(v->g->lock.next, v->g->lock.owner + 1);
	/* It has ended meanwhile. */
	sibling_ends = true;
	v->regs->vector = STUB_VECTOR;
	assert_true(sched_next(v, STOP_CALL) != v);
	assert_true(guest[0].ended);
	sibling_ends = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup(name, setup)
		T(test_equal_shares),
		T(test_shares),
		T(test_alone),
		T(test_sleep),
		T(test_call),
		T(test_request),
		T(test_pause_and_request),
		T(test_steps_and_request),
		T(test_late_call),
		T(test_pause),
		T(test_pause_halted),
		T(test_told_where_it_halted),
		T(test_pause_and_call),
		T(test_asked_and_call),
		T(test_asked_and_pause),
		T(test_ended_by_another),
		T(test_ended_elsewhere),
		T(test_charges),
		T(test_wakes_often),
		T(test_sleepers_in_turn),
		T(test_switch),
		T(test_interrupts),
		T(test_tick),
		T(test_nobody_can_run),
		T(test_ends),
		T(test_starts_again),
		T(test_halted_stays_where_it_is),
		T(test_ends_at_two_processors),
		T(test_startup),
		T(test_off_and_pause),
		T(test_pin),
		T(test_pin_after_an_hour),
	};

	return cmocka_run_group_tests_name("sched", tests, NULL, NULL);
}

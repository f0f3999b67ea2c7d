// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guests from their beginning to their end: guest_create() from an image and a
 * ROM, sched_run() with all that it calls, on the machine of tests/host. What
 * a guest does is a list of steps, each of which ends in an exit, or in none.
 */
#include <pthread.h>
#include <stdlib.h>

#include "images.h"
#include "kernel.h"
#include "kvmi.h"
#include "machine.h"
#include "processor.h"
#include "solo5_images.h"

#define STEP		(host_tsc_hz / 100000)	/* 10 microseconds */
#define MS		(host_tsc_hz / 1000)
#define SLEEP		(20 * MS)	/* longer than others may run at once */
#define STARTS		100

#define VECTOR		0x40u
#define IDT		0x210000u	/* guest-physical, and linear */
#define HANDLER		0x220000u
#define NO_STACK	0xfffffff0u
#define PAGE		0x230000u	/* that nobody has touched */

#define OUT		0xee		/* OUT DX, AL */

/* ---- the machine -------------------------------------------------------- */

static unsigned int waits;
static enum end how;
static jmp_buf ended;

void machine_waits(void)
{
	assert_true(++waits < 100);
	assert_true(machine_timer != UINT64_MAX);
	cpu.tsc = machine_timer;
}

void machine_ended(enum end end)
{
	how = end;
	longjmp(ended, 1);
}

/* ---- what the guests do ------------------------------------------------- */

typedef void step(struct vcpu *, struct regs *);

static step *const *script[GUESTS];
static unsigned int at[GUESTS], runs;
static uint32_t started[GUESTS];

/* On its own stack and tables, whoever ran before. */
void processor_runs(struct regs *r)
{
	struct vcpu *v = r->vcpu;
	uint32_t n = v->g->slot;

	assert_ptr_equal(v, current);
	assert_ptr_equal(r, v->regs);
	assert_int_equal(cpu.cr3, v->mmu.pml4);
	assert_int_equal(cpu.exit_stack, &r->vcpu);
	assert_int_equal(cpu.gdt.base, v->gdt_table);
	assert_false(v->halted || !v->on);
	if (started[n] != v->g->starts) {
		started[n] = v->g->starts;
		at[n] = 0;
	}
	assert_true(++runs < 100000);
	cpu.tsc += STEP;
	script[n][at[n]++](v, r);
}

static void *memory(struct vcpu *v, gpa_t pa)
{
	return (uint8_t *)gmem_boot_ram(&v->g->mm.gmem) + pa;
}

static void hypercall(struct regs *r, uint32_t nr, uint32_t edx, uint32_t ecx)
{
	r->gpr[EAX] = nr;
	r->gpr[EDX] = edx;
	r->gpr[ECX] = ecx;
	processor_exit(r, STUB_VECTOR, 0);
}

static void begin(struct vcpu *v, struct regs *r)
{
	assert_int_equal(r->rip, KERNEL_CODE);
	assert_int_equal(regs_ring(r), 1);
	assert_memory_equal(memory(v, KERNEL_CODE), images_code,
			    sizeof(images_code));
	assert_int_equal(v->g->mm.reserved, 0);
	hypercall(r, STUB_HC_INIT, 0, 0);
	assert_int_equal(r->gpr[EAX], 0);
	assert_int_equal(v->g->mm.reserved, v->g->rom.virtual_top);
	assert_int_equal(v->sh->layout, STUB_LAYOUT);
}

/* Memory is mapped when it is used. */
static void fault(struct vcpu *v, struct regs *r)
{
	(void)v;
	assert_false(processor_allows(PAGE, true, false, false));
	cpu.cr2 = PAGE;
	processor_exit(r, VEC_PF, processor_error_code(PAGE, true, false,
						       false));
	assert_true(processor_allows(PAGE, true, false, false));
}

static void out(struct regs *r, uint16_t port, uint8_t val)
{
	r->gpr[EDX] = port;
	r->gpr[EAX] = val;
	processor_exit(r, VEC_GP, 0);
}

static void print(struct vcpu *v, struct regs *r)
{
	uint32_t eip = r->rip;

	(void)v;
	machine_sent = 0;
	out(r, COM1, 'x');
	assert_int_equal(machine_sent, 1);
	assert_int_equal(machine_byte, 'x');
	assert_int_equal(r->rip, eip + 1);
}

static void set_idt(struct vcpu *v, struct regs *r)
{
	const uint64_t gate = (HANDLER & 0xffff) | (r->cs & ~3u) << 16 |
			      0x8eull << 40 | (uint64_t)(HANDLER >> 16) << 48;
	uint32_t i;

	for (i = 0; i <= VECTOR; i++)
		memcpy(memory(v, IDT + i * 8), &gate, sizeof(gate));
	hypercall(r, STUB_HC_SET_IDT, IDT, VECTOR * 8 + 7);
	hypercall(r, STUB_HC_APIC_WRITE, APIC_LVTT, VECTOR);
}

static uint64_t due;
static uint32_t back;

static void alarm_and_halt(struct vcpu *v, struct regs *r)
{
	due = cpu.tsc + SLEEP;
	v->sh->expiry = due - v->sh->tsc_base;
	hypercall(r, STUB_HC_SET_ALARM, VMI_CYCLES_REAL | VMI_ALARM_LVTT, 0);
	back = r->rip;
	hypercall(r, STUB_HC_HALT, 0, 0);
}

/* On time, by the interrupt, and back from it. */
static void woken(struct vcpu *v, struct regs *r)
{
	const uint32_t eax = 0x12345678;
	uint32_t frame[3];

	assert_in_range(cpu.tsc, due, due + MS);
	assert_int_equal(r->rip, HANDLER);
	assert_int_equal(v->stats.injected, 1);
	memcpy(frame, memory(v, r->rsp), sizeof(frame));
	assert_int_equal(frame[0], back);
	assert_true(frame[2] & EFLAGS_IF);
	assert_false(v->sh->flags & STUB_IF);
	r->rsp -= 4;			/* as the ROM leaves it */
	memcpy(memory(v, r->rsp), &eax, 4);
	hypercall(r, STUB_HC_IRET, 0, 0);
	assert_int_equal(r->gpr[EAX], eax);
	assert_int_equal(r->rip, back);
	assert_true(v->sh->flags & STUB_IF);
}

/* ---- how they end ------------------------------------------------------- */

static void shut_down(struct vcpu *v, struct regs *r)
{
	(void)v;
	hypercall(r, STUB_HC_SHUTDOWN, 0, 0);
}

static void die(struct vcpu *v, struct regs *r)
{
	(void)v;
	hypercall(r, STUB_HC_COUNT, 0, 0);
}

static void reset_port(struct vcpu *v, struct regs *r)
{
	(void)v;
	out(r, 0xcf9, 6);
}

/* As kernels reboot: INT3 without an IDT. */
static void triple_fault(struct vcpu *v, struct regs *r)
{
	(void)v;
	hypercall(r, STUB_HC_SET_IDT, 0, 0);
	processor_exit(r, VEC_BP, 0);
}

/* And as they die. */
static void triple_fault_by_accident(struct vcpu *v, struct regs *r)
{
	(void)v;
	hypercall(r, STUB_HC_SET_IDT, 0, 0);
	processor_exit(r, VEC_UD, 0);
}

static void nowhere(struct vcpu *v, struct regs *r)
{
	(void)v;
	r->cs = 0x7ff9;			/* no such segment; never mind the rest */
}

static void lose_stack(struct vcpu *v, struct regs *r)
{
	alarm_and_halt(v, r);
	r->rsp = NO_STACK;
}

static void never(struct vcpu *v, struct regs *r)
{
	(void)v, (void)r;
	fail();
}

/* ---- running them ------------------------------------------------------- */

static int setup(void **state)
{
	waits = runs = 0;
	memset(started, 0, sizeof(started));
	return images_setup(state);
}

static struct guest *create(uint32_t n, step *const *steps)
{
	script[n] = steps;
	return images_guest(n);
}

/* The machine's end is the worst of the guests', here of all tests'. */
static void run(enum end expected)
{
	static enum end worst;

	worst = expected > worst ? expected : worst;
	if (!setjmp(ended))
		sched_run();
	assert_int_equal(how, worst);
}

static void run_alone(step *const *steps, enum end expected)
{
	const struct guest *g = create(0, steps);

	run(expected);
	assert_int_equal(g->end, expected);
}

/* ---- tests -------------------------------------------------------------- */

static void test_life(void **state)
{
	static step *const steps[] = {
		begin, fault, print, set_idt, alarm_and_halt, woken, shut_down,
		never
	};

	(void)state;
	run_alone(steps, END_ORDERLY);
	assert_int_equal(runs, 7);
	assert_int_equal(waits, 1);
	assert_int_equal(cpu.tsc, due + 2 * STEP);
}

static void test_reset_port(void **state)
{
	(void)state;
	run_alone((step *const []){ begin, reset_port, never }, END_ORDERLY);
	setup(NULL);
	run_alone((step *const []){ reset_port, never }, END_ORDERLY);
}

static void test_triple_fault(void **state)
{
	(void)state;
	run_alone((step *const []){ begin, triple_fault, never }, END_ORDERLY);
	assert_string_equal(machine_line, "guest 1 rebooted by triple fault");
}

static void test_triple_fault_by_accident(void **state)
{
	(void)state;
	run_alone((step *const []){ begin, triple_fault_by_accident, never },
		  END_GUEST_DIED);
}

static void test_killed(void **state)
{
	(void)state;
	run_alone((step *const []){ begin, die, never }, END_GUEST_DIED);
}

/* Not in an exit, but where the processor is to go on. */
static void test_cannot_go_on(void **state)
{
	(void)state;
	run_alone((step *const []){ begin, set_idt, nowhere, never }, END_GUEST_DIED);
}

/* Nor in an exit: by the interrupt that woke it. */
static void test_killed_as_it_wakes(void **state)
{
	(void)state;
	run_alone((step *const []){ begin, set_idt, lose_stack, never },
		  END_GUEST_DIED);
}

/* ---- two of them -------------------------------------------------------- */

static unsigned int worked, worked_before;
static uint64_t left_of_two;

/* For so long, or for as long as the other is there. */
static void sleep_first(struct vcpu *v, struct regs *r)
{
	worked_before = worked;
	alarm_and_halt(v, r);
}

static void woken_among_others(struct vcpu *v, struct regs *r)
{
	assert_in_range(worked - worked_before, SLEEP / STEP - 100,
			SLEEP / STEP);
	woken(v, r);
}

/* Both want all of the processor. */
static void compete(struct vcpu *v, struct regs *r)
{
	static unsigned int n;
	const struct vcpu *other = &guests[1]->vcpu[0];

	(void)r;
	if (++n % 10000) {
		at[0]--;
		return;
	}
	assert_in_range(v->ran + 2 * MS - other->ran + 10 * MS, 0, 24 * MS);
	assert_in_range(v->stolen, 90 * MS, 120 * MS);
	left_of_two = host_pages_left();
}

static void work(struct vcpu *v, struct regs *r)
{
	(void)v, (void)r;
	worked++;
	if (!guests[0]->ended)
		at[1]--;
}

/* What the first one had is back, and it went on for this one alone. */
static void survive(struct vcpu *v, struct regs *r)
{
	assert_string_equal(machine_line, "guest 1 ended, the others go on");
	assert_in_range(host_pages_left() - left_of_two, 8 << 20, 10 << 20);
	alarm_and_halt(v, r);
}

static void test_two_guests(void **state)
{
	static step *const first[] = {
		begin, set_idt, compete, sleep_first, woken_among_others, die,
		never
	};
	static step *const second[] = {
		begin, set_idt, work, survive, woken, shut_down, never
	};

	(void)state;
	create(0, first);
	create(1, second);
	run(END_GUEST_DIED);
	assert_int_equal(guests[0]->vcpu[0].end, END_GUEST_DIED);
	assert_int_equal(guests[1]->vcpu[0].end, END_ORDERLY);
	assert_int_equal(waits, 1);
}

/* ---- memory ------------------------------------------------------------- */

static void end_somehow(struct vcpu *v, struct regs *r)
{
	static step *const end[] = {
		shut_down, die, reset_port, triple_fault
	};
	static uint64_t first;

	if (v->g->starts == 1)
		first = host_pages_left();
	assert_int_equal(host_pages_left(), first);
	end[v->g->starts % 4](v, r);
}

static void test_starts_again(void **state)
{
	static step *const steps[] = { begin, fault, print, end_somehow, never };

	(void)state;
	config[0].starts = STARTS;
	run_alone(steps, END_ORDERLY);
	assert_int_equal(guests[0]->starts, STARTS);
	assert_int_equal(runs, STARTS * 4);
}

static void end_without_memory(struct vcpu *v, struct regs *r)
{
	machine_pages = 2;
	shut_down(v, r);
}

/* What a guest was made of once may not be there again. */
static void test_cannot_start_again(void **state)
{
	static step *const steps[] = { begin, end_without_memory, never };

	(void)state;
	config[0].starts = STARTS;
	run_alone(steps, END_BAD_INPUT);
	assert_int_equal(runs, 2);
	assert_string_equal(machine_line, "error: guest 1: memory=4: the machine has not that much, and some for the hypervisor");
}

static void outlive(struct vcpu *v, struct regs *r)
{
	(void)v, (void)r;
	if (!guests[0]->gone)
		at[1]--;
}

/* Nor does anything of it run again: the other goes on. */
static void test_cannot_start_again_among_others(void **state)
{
	static step *const first[] = { begin, end_without_memory, never };
	static step *const second[] = { begin, outlive, fault, shut_down, never };

	(void)state;
	config[0].starts = STARTS;
	create(0, first);
	create(1, second);
	run(END_BAD_INPUT);
	assert_int_equal(guests[0]->end, END_BAD_INPUT);
	assert_int_equal(guests[1]->end, END_ORDERLY);
}

/* One that cannot be made leaves nothing. */
static void test_no_memory(void **state)
{
	struct guest_config c = config[0];
	char error[GUEST_ERROR_MAX];
	unsigned int n;

	(void)state;
	c.trace = true;
	for (n = 0;; n++) {
		machine_pages = n;
		*error = 0;
		if (guest_create(&c, error))
			break;
		cr_unload();
		assert_int_equal(host_pages_left(), images_left);
		assert_int_equal(guest_count, 0);
		assert_true(*error);
	}
	assert_int_equal(guest_count, 1);
	assert_in_range(n, 14, 20);
}

/* ---- unikernels ----------------------------------------------------------- */

static void refused(const struct guest_config *c, const char *why)
{
	char error[GUEST_ERROR_MAX];

	assert_false(guest_create(c, error));
	assert_string_equal(error, why);
	assert_int_equal(guest_count, 0);
	assert_int_equal(host_pages_left(), images_left);
}

/* What is refused leaves nothing; one that runs is for tests/run/solo5.py. */
static void test_unikernels_refused(void **state)
{
	struct image *image = solo5_image();
	struct guest_config c = config[0];

	(void)state;
	c.kernel = (struct guest_image){
		"app.hvt", (const void *)image, sizeof(*image)
	};
	c.rom = c.initrd = (struct guest_image){ 0 };
	c.cmdline = "";
	c.devices = 2;
	c.device[0] = (struct guest_device){ "service0", true, 1 };
	c.device[1] = (struct guest_device){ "storage", false, 2 };
	refused(&c, "disk=2:storage: the machine has 2");
	c.device[1].nr = 1;
	c.device[0].nr = UINT32_MAX;
	refused(&c, "net=4294967295:service0: the machine has 2");
	c.device[0].nr = 1;
	c.cpus = 2;
	refused(&c, "cpus=2: a unikernel has one");
	c.cpus = 1;
	c.device[1].name[0] = 'x';
	refused(&c, "app.hvt: its manifest has the block device \"storage\", and none is attached (--disk storage=...)");
	c.device[1].name[0] = 's';
	image->header.entry = 0;
	refused(&c, "app.hvt: the entry 0x0 is in no ELF segment that is executed");
	free(image);
	/* What a kernel for VMI has not. */
	c = config[0];
	c.devices = 1;
	refused(&c, "kernel: disks and networks are for unikernels");
}

/* Without a ROM of its own it gets the machine's first of its kind. */
static void test_machine_rom(void **state)
{
	const struct vmi_rom_header wide = { .signature = VMI64_SIGNATURE };
	const struct guest_image none = { "none", (const uint8_t *)&wide, 1 };
	struct guest_image rom = { "wide", (const uint8_t *)&wide, sizeof(wide) };
	struct guest_config c = config[0];
	char error[GUEST_ERROR_MAX];

	(void)state;
	c.rom.data = NULL;
	refused(&c, "no module with role=rom");
	guest_rom(&rom);
	refused(&c, "wide: a ROM for 64-bit guests, and the kernel is a 32-bit one");
	guest_rom(&config[0].rom);
	guest_rom(&none);
	assert_true(guest_create(&c, error));
	assert_int_equal(guests[0]->rom.size, config[0].rom.size);
}

/* What a tool looked into is gone when its place is another's (N-6). */
static void test_place_of_one_looked_into(void **state)
{
	struct guest *g = images_guest(0);
	char error[GUEST_ERROR_MAX];

	(void)state;
	guest_release(g);
	g->kvmi = (struct kvmi *)state;
	assert_true(guest_create_at(0, &config[0], NULL, error));
	assert_ptr_equal(guests[0], g);
	assert_null(g->kvmi);
}

static void *looks(void *arg)
{
	kvmi_interrupt();
	return arg;
}

/* Meanwhile another processor looks whether its tool says something: it waits for the
 * lock of the one that has gone, and has that of the next. */
static void test_place_of_one_looked_at(void **state)
{
	static struct kvmi of_last;
	struct guest *g = images_guest(0);
	volatile uint32_t *drawn = &g->lock.next;
	pthread_t other;
	uint32_t ours;

	(void)state;
	g->kvmi = &of_last;
	spin_lock(&g->lock);
	ours = *drawn;
	assert_int_equal(pthread_create(&other, NULL, looks, NULL), 0);
	while (*drawn == ours)
		;
	g->kvmi = NULL;		/* kvmi_init() */
	spin_unlock(&g->lock);
	assert_int_equal(pthread_join(other, NULL), 0);
}

/* While a processor goes from one vCPU to the next both are loaded there. */
static void test_report_between_two(void **state)
{
	struct guest *g;
	struct vcpu *other;

	(void)state;
	config[0].cpus = 2;
	g = images_guest(0);
	config[0].cpus = 1;
	other = &g->vcpu[1];
	images_begin(&g->vcpu[0]);
	other->on = other->loaded = true;
	report(&g->vcpu[0]);
	assert_ptr_equal(strstr(machine_line, "vCPU 1: ready, another has the "
				"processor, eip "), machine_line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, images_free)
		T(test_life),
		T(test_reset_port),
		T(test_triple_fault),
		T(test_triple_fault_by_accident),
		T(test_killed),
		T(test_cannot_go_on),
		T(test_killed_as_it_wakes),
		T(test_two_guests),
		T(test_starts_again),
		T(test_no_memory),
		T(test_unikernels_refused),
		T(test_machine_rom),
		T(test_place_of_one_looked_into),
		T(test_place_of_one_looked_at),
		T(test_report_between_two),
		T(test_cannot_start_again),
		T(test_cannot_start_again_among_others),
	};

	return cmocka_run_group_tests_name("guest", tests, images_load, NULL);
}

// SPDX-License-Identifier: GPL-2.0-only
/* Interrupts between processors: VMI-3.8.6. */
#include "several.h"

#define VECTOR		0x43u
#define BANK		((VECTOR >> 5) * 0x10)
#define BIT		(1u << (VECTOR & 31))
#define NOBODY		0x77u
#define EVERYBODY	0xffu
#define DFR_FLAT	0xffffffffu
#define DFR_CLUSTER	0x0fffffffu
#define ROUNDS		200u

static volatile uint32_t came[PROCESSORS];
static uint32_t last[PROCESSORS];

static void on_vector(struct frame *f)
{
	const uint32_t id = apic_get(APIC_ID) >> 24;

	(void)f;
	for (uint32_t n = 0; n < processors; n++)
		came[n] += processor[n].id == id;
	apic_set(APIC_EOI, 0);
}

static void take_all(uint32_t arg)
{
	(void)arg;
	for (int i = 0; i < 20; i++) {
		vmi0(EnableInterrupts);
		vmi0(DisableInterrupts);
	}
}

/* Everybody takes what there is; how many have come to us and to the other. */
static bool got(uint32_t here, uint32_t other)
{
	bool good;

	take_all(0);
	for (uint32_t n = 1; n < processors; n++)
		run_on(n, take_all, 0);
	good = came[0] - last[0] == here && came[OTHER] - last[OTHER] == other;
	if (!good)
		print("# here %u, there %u\n", came[0] - last[0],
		      came[OTHER] - last[OTHER]);
	for (uint32_t n = 0; n < processors; n++)
		last[n] = came[n];
	return good;
}

static void send_there(uint32_t icr)
{
	send_interrupt(processor[0].id, icr);
}

static void destinations(void)
{
	const uint32_t id = processor[OTHER].id;

	send_interrupt(id, VECTOR);
	is("3.8.6", other_call(VMI_CALL_APICRead, APIC_IRR + BANK, 0) & BIT, BIT,
	   "an interrupt waits in the other's IRR");
	is("3.8.6", apic_get(APIC_IRR + BANK) & BIT, 0, "and not in ours");
	point("3.6.2", got(0, 1), "and comes there when its flag goes on");
	send_interrupt(id, VECTOR);
	send_interrupt(id, VECTOR);
	point("3.6.2", got(0, 1), "two before it are one");
	run_on(OTHER, send_there, VECTOR);
	point("3.8.6", got(1, 0), "from the other to us");
	run_on(OTHER, send_there, ICR_SELF | VECTOR);
	point("3.8.6", got(0, 1), "the other to itself");
	send_interrupt(0, ICR_ALL | VECTOR);
	point("3.8.6", got(1, 1), "to all, with us");
	send_interrupt(0, ICR_ALL_BUT_SELF | VECTOR);
	point("3.8.6", got(0, 1), "to all but us");
	run_on(OTHER, send_there, ICR_ALL_BUT_SELF | VECTOR);
	point("3.8.6", got(1, 0), "to all but the other");
	send_interrupt(EVERYBODY, VECTOR);
	point("3.8.6", got(1, 1), "to the physical id FFh, which is all");
	send_interrupt(NOBODY, VECTOR);
	point("3.8.6", got(0, 0), "to an id that nobody has");

	other_call(VMI_CALL_APICWrite, APIC_TPR, 0x50);
	send_interrupt(id, VECTOR);
	point("3.8.6", got(0, 0), "the other's TPR holds it back");
	other_call(VMI_CALL_APICWrite, APIC_TPR, 0);
	point("3.8.6", got(0, 1), "until it is lowered");
	apic_set(APIC_TPR, 0x50);
	send_interrupt(id, VECTOR);
	point("3.8.6", got(0, 1), "ours does not");
	apic_set(APIC_TPR, 0);
}

static void set_logical(uint32_t dfr, uint32_t here, uint32_t other)
{
	apic_set(APIC_DFR, dfr);
	apic_set(APIC_LDR, here << 24);
	other_call(VMI_CALL_APICWrite, APIC_DFR, dfr);
	other_call(VMI_CALL_APICWrite, APIC_LDR, other << 24);
}

static void modes(void)
{
	uint32_t here;

	set_logical(DFR_FLAT, 1, 2);
	send_interrupt(2, ICR_LOGICAL | VECTOR);
	point("3.8.6", got(0, 1), "logical, flat: the other");
	send_interrupt(1, ICR_LOGICAL | VECTOR);
	point("3.8.6", got(1, 0), "logical, flat: us");
	send_interrupt(3, ICR_LOGICAL | VECTOR);
	point("3.8.6", got(1, 1), "logical, flat: both");
	send_interrupt(0x80, ICR_LOGICAL | VECTOR);
	point("3.8.6", got(0, 0), "logical, flat: nobody");

	send_interrupt(3, ICR_LOGICAL | ICR_LOWEST | VECTOR);
	take_all(0);
	run_on(OTHER, take_all, 0);
	here = came[0] - last[0];
	is("3.8.6", here + came[OTHER] - last[OTHER], 1,
	   "lowest priority of two: one gets it");
	(void)got(here, 1 - here);
	send_interrupt(2, ICR_LOGICAL | ICR_LOWEST | VECTOR);
	point("3.8.6", got(0, 1), "lowest priority of one: that one");

	set_logical(DFR_CLUSTER, 0x11, 0x21);
	send_interrupt(0x21, ICR_LOGICAL | VECTOR);
	point("3.8.6", got(0, 1), "logical, cluster 2");
	send_interrupt(0x1f, ICR_LOGICAL | VECTOR);
	point("3.8.6", got(1, 0), "logical, all of cluster 1");
	set_logical(DFR_FLAT, 1, 2);

	send_interrupt(processor[OTHER].id, ICR_NMI | VECTOR);
	send_interrupt(processor[OTHER].id, ICR_SMI);
	send_interrupt(processor[OTHER].id, 3);
	point("3.8.6", got(0, 0), "NMI, SMI, vector 3: nobody");
}

/* ---- running, halted -------------------------------------------------------------- */

static volatile bool spinning;

static void spin_until(uint32_t count)
{
	vmi0(EnableInterrupts);
	spinning = true;
	while (came[OTHER] != count)
		relax();
	vmi0(DisableInterrupts);
}

static void halt_until(uint32_t count)
{
	spinning = true;
	while (came[OTHER] != count)
		vmi0(Halt);
	vmi0(DisableInterrupts);
}

static void wakes(void (*work)(uint32_t), const char *name)
{
	const uint32_t before = came[OTHER];

	spinning = false;
	begin_on(OTHER, work, before + 1);
	while (!spinning)
		relax();
	send_interrupt(processor[OTHER].id, VECTOR);
	end_on(OTHER);
	is("3.6.6", came[OTHER], before + 1, name);
}

/* Each waits for the other's, halted; no wakeup may be lost. */
static void volley_there(uint32_t rounds)
{
	const uint32_t begin = came[OTHER];

	for (uint32_t n = 1; n <= rounds; n++) {
		while (came[OTHER] - begin < n)
			vmi0(Halt);
		vmi0(DisableInterrupts);
		send_interrupt(processor[0].id, VECTOR);
	}
}

static void volley(void)
{
	const uint32_t begin = came[0], there = came[OTHER];

	begin_on(OTHER, volley_there, ROUNDS);
	for (uint32_t n = 1; n <= ROUNDS; n++) {
		send_interrupt(processor[OTHER].id, VECTOR);
		while (came[0] - begin < n)
			vmi0(Halt);
		vmi0(DisableInterrupts);
	}
	end_on(OTHER);
	point("3.6.6", came[0] - begin == ROUNDS &&
	      came[OTHER] - there == ROUNDS,
	      "back and forth between two that halt: none is lost");
}

void interrupts(void)
{
	vector_hook[VECTOR] = on_vector;
	destinations();
	modes();
	wakes(spin_until, "an interrupt comes to one that runs");
	wakes(halt_until, "and to one that halts");
	volley();
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the hypervisor needs of the machine, or of the system, that it runs on.
 * Nothing outside metal/ reaches it in any other way, but for instructions of
 * the processor, in <cpu.h>. metal/ implements this for a PC that is ours
 * alone, tests/host for tests.
 *
 * Unless said otherwise anybody may call these, with interrupts off; none
 * sleeps, and none returns to the guest. Times are TSC cycles.
 */
#ifndef HOST_H
#define HOST_H

#include <stdbool.h>
#include <stdint.h>

#include <cpu.h>

/* ---- memory ------------------------------------------------------------- */

/* host_va(), host_pa(): in <cpu.h>. Of memory from here and of no other. */

/* Zeroed, contiguous, whole pages. bytes are rounded up to them; align is a
 * power of two, a page or more. NULL: there is not so much. */
void *host_pages(uint64_t bytes, uint64_t align);

/* Back again: all that one call has given, or NULL. */
void host_pages_free(void *, uint64_t bytes);

/* Bytes that nobody has: the same again when all that was taken is back. */
uint64_t host_pages_left(void);

/* ---- time --------------------------------------------------------------- */

/* Now: rdtsc(), in <cpu.h>. It never goes back. Cycles in a second, known
 * before the first guest is made and always the same: */
extern uint64_t host_tsc_hz;

/* Nanoseconds since 1970-01-01 UTC. */
uint64_t host_wallclock_ns(void);

/* The next interrupt of this processor's timer, IRQ_TIMER, comes then, or
 * somewhat earlier if that is far away; at once if the time has passed;
 * UINT64_MAX: never. */
void host_timer(uint64_t tsc);

/* The same, unless one comes sooner as it is. */
void host_timer_before(uint64_t tsc);

/* The machine is QEMU's TCG, which has faults of its own (spec/security.md). */
bool host_is_tcg(void);

/* Somebody may turn the machine's interrupts off (metal/watchdog.c). From the
 * first guest on. */
void host_watchdog_start(void);

/* ---- processors --------------------------------------------------------- */

/* This one: host_cpu(), in <cpu.h>, 0 to host_cpus - 1; 0 has booted. What says
 * nothing else is of the one that calls. */
#define HOST_CPUS	16		/* more are not used */
extern uint32_t host_cpus;		/* known before the first guest is made */

/* Each but this one: run(), on its boot stack, with the tables of
 * host_tables(). It does not return. */
void host_start(void (*run)(void));

/* IRQ_KICK comes there. */
void host_kick(uint32_t cpu);

/* The others stop where they are and never go on: for the end. Whoever else
 * calls it at the same time stops, too. */
void host_stop_others(void);

/* ---- interrupts --------------------------------------------------------- */

#define IRQ_BASE	0x20		/* vector of the machine's IRQ 0 */
#define IRQ_TIMER	0		/* each processor's own */
#define IRQ_KICK	1		/* by host_kick() */
#define IRQ_COM1	4		/* a byte came in on console 0; to processor
					 * 0 alone */

/* That one was taken: first thing, before it is looked for its cause. */
void host_irq_ack(int irq);

/* Until one or more were taken: one bit for each. For the scheduler: nobody can
 * run. */
uint32_t host_wait(void);
/* One was taken meanwhile: by hv_fault(). */
void host_interrupted(int irq);

/* The processor has told of a machine check: the end. */
void __attribute__((noreturn)) host_machine_check(void);

/* CR3 of page tables that belong to no guest; all that they map is in those of
 * every guest, too. */
uint64_t host_tables(void);

/* ---- the processor's tables --------------------------------------------- */

/* Where the TSS is, of so many bytes. */
uint64_t host_tss(void);
#define HOST_TSS_BYTES	104

/* An exit of the guest that is going to run builds its frame below this, in
 * its vCPU's stack, which is this processor's from now on. */
void host_exit_stack(uint64_t top);

/* The first GDT was loaded: the code segment and the TSS are of it now, and stay
 * when another is. SS becomes null, as it is after an exit. */
void host_gdt_loaded(uint16_t cs, uint16_t tss);

/* An NMI came, and a wide vCPU is loaded: what it interrupted. */
struct regs;
void host_nmi(const struct regs *);

/* The machine's IDT, that 32-bit guests run on; a wide guest has another
 * (x86/wide.c). */
void host_idt_load(void);
/* Or one that leads to step_stubs (x86/entry.asm). */
void host_idt_step(void);

/* ---- stacks ------------------------------------------------------------- */

/* One for each vCPU, where its exits are handled. */
#define HOST_STACKS	64
#define STACK_SIZE	32768u		/* and each at a multiple of that */
struct stack {
	uint8_t		guard[4096];	/* not mapped */
	uint8_t		room[STACK_SIZE - 4096 - 16];
	uint32_t	cpu;		/* the processor that uses it */
	uint32_t	reserved[3];
};
enum {
	STACK_BOOT,				/* + processor */
	STACK_IST = STACK_BOOT + HOST_CPUS,	/* + 3 * processor */
	STACK_VCPU = STACK_IST + 3 * HOST_CPUS,
	STACKS = STACK_VCPU + HOST_STACKS
};
/* Beside the image: their addresses say nothing of the machine's memory to
 * guests that see bits of RSP. */
extern struct stack stacks[STACKS];

static inline uint64_t stack_top(uint32_t n)
{
	return (uint64_t)&stacks[n].cpu;
}

bool host_stack(uint32_t n);	/* it is there from now on; false: no memory */
bool stack_guard(uint64_t va);	/* is it below one? */

/* ---- bytes in and out --------------------------------------------------- */

/* Consoles of guests: number 0, which gives bytes too, and up to
 * HOST_CONSOLES, which do not. Put only when it is ready, get only when it has
 * data; when it is ready again, nobody tells. Of each one processor at a time
 * may ask. */
#define HOST_CONSOLES	8
bool host_console_ready(unsigned int console);
void host_console_put(unsigned int console, uint8_t byte);
bool host_console_has_data(void);
/* Does IRQ_COM1 come when it has? Not so far. */
void host_console_listen(bool);
uint8_t host_console_get(void);

/* ---- disks and networks --------------------------------------------------- */

/*
 * Those that the machine has, in the order of its bus. Each is one guest's, whose
 * lock guards it. Something has come, or is done: an interrupt tells processor 0,
 * any that is not one of IRQ_* above.
 */
#define HOST_DISKS	64
#define HOST_NETS	8
extern uint32_t host_disks, host_nets;	/* known before the first guest is made */

uint64_t host_disk_bytes(uint32_t disk);
/* What goes there or comes from there: HOST_DISK_MAX bytes, ours to touch while
 * the disk is not busy. */
#define HOST_DISK_MAX	65536u
void *host_disk_buffer(uint32_t disk);
/* From a byte on, so many, both multiples of 512, in the disk. Not while busy. */
void host_disk_start(uint32_t disk, bool write, uint64_t at, uint32_t bytes);
enum host_disk {
	HOST_DISK_IDLE,			/* what was started is done */
	HOST_DISK_BUSY,
	HOST_DISK_FAILED,		/* it could not be done */
};
enum host_disk host_disk_state(uint32_t disk);

/* Ethernet frames without check sum. Get: one that has come, its size; 0: none. Put:
 * false: not now, try again in a while. */
#define HOST_NET_MAX	1514u
void host_net_mac(uint32_t net, uint8_t mac[6]);
bool host_net_waits(uint32_t net);	/* is there one to get? */
uint32_t host_net_get(uint32_t net, void *frame);
bool host_net_put(uint32_t net, const void *frame, uint32_t bytes);

/* ---- channels --------------------------------------------------------------- */

/*
 * Streams of bytes to and from whoever started the machine, in the order of its bus.
 * Each is one guest's, whose lock guards it, or control.c's. As for disks, an
 * interrupt tells that something has come, or was sent.
 */
#define HOST_CHANNELS	9
extern uint32_t host_channels;		/* known before the first guest is made */

/* What has come, so many bytes at most; how many. */
uint32_t host_channel_get(uint32_t channel, void *to, uint32_t max);
bool host_channel_waits(uint32_t channel);	/* is there any? */
/* All of it, at once, or false: not now. So many calls would have room: */
#define HOST_CHANNEL_MAX	8256u
bool host_channel_put(uint32_t channel, const void *, uint32_t bytes);
uint32_t host_channel_room(uint32_t channel);

/* The hypervisor's own words, where nobody may be listening. It does not
 * wait for long, and then they are lost. For log.c alone: one at a time. */
void host_log(char c);

/* Statistics, as JSON; and the trace of a guest: vmi-run(1). */
void host_stats(char c);
void host_trace(uint8_t byte);

/* ---- the end ------------------------------------------------------------ */

/* How it ends; the value tells vmi-run. */
enum end {
	END_ORDERLY	= 0,
	END_GUEST_DIED	= 1,
	END_PANIC	= 2,
	END_BAD_INPUT	= 3,
	END_ASKED	= 4,
};
void __attribute__((noreturn)) host_end(enum end);	/* of all processors */

#endif

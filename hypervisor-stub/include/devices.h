/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The devices of a guest. Each is a pure state machine: the caller decides
 * when to call, every value may come from a hostile guest, and nothing outside
 * the structure changes.
 */
#ifndef DEVICES_H
#define DEVICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- ports and memory --------------------------------------------------- */

enum bus_result {
	BUS_DONE,
	BUS_NOBODY,		/* there, or for accesses of this size */
	BUS_AGAIN,		/* not now, and nothing was done */
};

/*
 * What answers at some ports, or at some addresses of guest-physical memory.
 * It is called with the port or address, for accesses of its sizes alone: the
 * sum of 1, 2 and 4.
 */
struct bus_region {
	uint64_t	first;
	uint32_t	count;
	uint8_t		sizes;
	enum bus_result	(*read)(void *opaque, uint64_t at, uint32_t *val);
	enum bus_result	(*write)(void *opaque, uint64_t at, uint32_t val);
	void		*opaque;
};
#define BUS_REGIONS	16

struct bus_space {
	struct bus_region region[BUS_REGIONS];
	uint32_t	regions;
};

struct bus {
	struct bus_space ports, memory;
};

/* False: somebody is there for accesses of such a size, or there are too many. */
bool bus_add(struct bus_space *, const struct bus_region *);

/* Nobody of ours is at any of these. */
bool bus_is_free(const struct bus_space *, uint64_t first, uint64_t count);

enum bus_result bus_read(const struct bus_space *, uint64_t at,
			 unsigned int size, uint32_t *val);
enum bus_result bus_write(const struct bus_space *, uint64_t at,
			  unsigned int size, uint32_t val);

/* ---- 8259 --------------------------------------------------------------- */

/* The two cascaded 8259A interrupt controllers of a PC. */

#define PIC_MASTER_CMD	0x20
#define PIC_MASTER_DATA	0x21
#define PIC_SLAVE_CMD	0xa0
#define PIC_SLAVE_DATA	0xa1
#define PIC_MASTER_ELCR	0x4d0
#define PIC_SLAVE_ELCR	0x4d1

#define PIC_CASCADE	2	/* input of the master that the slave drives */

struct pic_chip {
	uint8_t	lines;		/* level of each input now */
	uint8_t	irr;		/* latched requests of edge inputs */
	uint8_t	isr;		/* in service */
	uint8_t	imr;		/* masked */
	uint8_t	elcr;		/* inputs that are level triggered */
	uint8_t	base;		/* vector of input 0 */
	uint8_t	lowest;		/* input of lowest priority */
	uint8_t	icw;		/* next of ICW2-4 expected; 0 none */
	bool	icw4_needed;
	bool	single;		/* ICW1: no cascade, so no ICW3 */
	bool	level;		/* ICW1: all inputs level triggered */
	bool	aeoi;
	bool	rotate_aeoi;
	bool	special_nested;
	bool	special_mask;
	bool	read_isr;	/* the command port reads ISR, not IRR */
	bool	poll;		/* the next read is a poll */
};

struct pic {
	struct pic_chip	chip[2];	/* master, slave */
};

/* As after reset, with everything masked and vectors 08h and 70h. */
void pic_init(struct pic *p);

/* Ports 20h, 21h, a0h, a1h, 4d0h, 4d1h; others are ignored, read as ffh. */
void pic_out(struct pic *p, unsigned int port, uint8_t val);
uint8_t pic_in(struct pic *p, unsigned int port);

/* The input irq (0-15) is now at this level. Pulse an edge: true, false. */
void pic_set_irq(struct pic *p, unsigned int irq, bool level);

/* Is there a request of the input irq, masked or not? */
bool pic_requested(const struct pic *p, unsigned int irq);

/* INTR, the line to the processor. */
bool pic_pending(const struct pic *p);

/* The processor acknowledges: returns the vector, possibly a spurious one. */
int pic_ack(struct pic *p);

/* ---- 8254 --------------------------------------------------------------- */

/*
 * The 8254 interval timer and port 61h, which holds the gate of channel 2.
 *
 * Times are TSC values that the caller passes and that never go backwards.
 * Differences from the chip: BCD counts are taken as binary, a new count in
 * modes 2 and 3 takes effect at once, the clock tick that loads a count takes
 * no time, and a control word makes no edge.
 */

#define PIT_HZ		1193182u

#define PIT_CH0		0x40
#define PIT_CH1		0x41
#define PIT_CH2		0x42
#define PIT_MODE	0x43
#define PIT_PORT61	0x61

#define PIT_NEVER	UINT64_MAX

struct pit_channel {
	uint64_t start;		/* TSC since which it counts */
	uint64_t elapsed;	/* ticks counted before that */
	uint32_t count;		/* 1-65536; 0: not loaded */
	uint16_t latch;
	uint8_t	status;		/* latched by read-back */
	uint8_t	control;	/* low six bits of the control word */
	uint8_t	mode;		/* 0-5 */
	uint8_t	access;		/* 1 low byte, 2 high byte, 3 both */
	uint8_t	low;		/* first byte of a two-byte write */
	bool	write_high;	/* the second byte is next */
	bool	read_high;
	bool	latched;
	bool	status_latched;
	bool	gate;
	bool	running;	/* counts now; modes 1, 5: was triggered */
};

struct pit {
	uint64_t tsc_hz;
	struct pit_channel channel[3];
	uint64_t edges;		/* edges of this count that were reported */
	bool	missed;		/* one happened before the last reload */
	uint8_t	port61;		/* as written: gate of channel 2, speaker */
};

void pit_init(struct pit *p, uint64_t tsc_hz);

/* Ports 40h-43h and 61h; others are ignored, read as ffh. */
void pit_out(struct pit *p, unsigned int port, uint8_t val, uint64_t now);
uint8_t pit_in(struct pit *p, unsigned int port, uint64_t now);

/*
 * TSC time of the next rising edge of IRQ 0, or PIT_NEVER; now if there was
 * one that pit_tick has not reported.
 */
uint64_t pit_next(const struct pit *p, uint64_t now);

/* Did IRQ 0 rise since the last call? Several missed edges count once. */
bool pit_tick(struct pit *p, uint64_t now);

/* ---- local APIC --------------------------------------------------------- */

/*
 * The local APIC of one of the guest's processors (SDM Vol. 3, chapter 10):
 * priorities, in service, EOI, interrupts from it and to it, the 8259 through
 * LINT0, the timer. Whom it sends to is for the caller to find.
 *
 * The timer counts the TSC divided by APIC_TSC_PER_TICK, and by TDCR: the bus
 * clock of a PC, 60 to 250 MHz. A kernel that calibrates it finds one number
 * each time, since all clocks come from the TSC; 1000 Hz is thousands of counts
 * with any divisor that kernels use, and their longest sleep is longer than
 * with a faster clock. Periods shorter than 1 / APIC_HZ_MAX interrupt at
 * multiples of them alone; what is read does not show that.
 */

#define APIC_BASE	0xfee00000u	/* guest-physical, one page */
#define APIC_FRAME	(APIC_BASE >> 12)

/* Register offsets. */
#define APIC_ID		0x020
#define APIC_VERSION	0x030
#define APIC_TPR	0x080
#define APIC_APR	0x090
#define APIC_PPR	0x0a0
#define APIC_EOI	0x0b0
#define APIC_LDR	0x0d0
#define APIC_DFR	0x0e0
#define APIC_SVR	0x0f0
#define APIC_ISR	0x100		/* eight each, 10h apart */
#define APIC_TMR	0x180
#define APIC_IRR	0x200
#define APIC_ESR	0x280
#define APIC_ICR	0x300
#define APIC_ICR_HIGH	0x310
#define APIC_LVTT	0x320
#define APIC_LVT_THERMAL 0x330
#define APIC_LVT_PERF	0x340
#define APIC_LVT0	0x350
#define APIC_LVT1	0x360
#define APIC_LVT_ERROR	0x370
#define APIC_TMICT	0x380
#define APIC_TMCCT	0x390
#define APIC_TDCR	0x3e0

#define APIC_LVTS	6
#define APIC_VERSION_NUMBER 0x14

#define APIC_TSC_PER_TICK 16
#define APIC_HZ_MAX	2000u		/* VMI-3.7.5 */
#define APIC_NEVER	UINT64_MAX

struct apic {
	uint32_t	id, tpr, ldr, dfr, svr;
	uint32_t	icr, icr_high;
	uint32_t	lvt[APIC_LVTS];	/* from APIC_LVTT on */
	uint32_t	tmict, tdcr;
	uint32_t	esr, errors;	/* as read; since it was written */
	uint32_t	irr[8], isr[8], tmr[8];
	uint64_t	since, left;	/* counts to the next interrupt at this
					 * TSC value; 0: it does not count */
	uint64_t	least;		/* TSC, between its timer's interrupts */
	uint8_t		number;		/* its ID at power-up */
	bool		enabled;	/* IA32_APIC_BASE */
	bool		alarm;		/* came while LVTT was masked */
	int16_t		next;		/* vector to deliver, or -1 */
};

/*
 * As firmware leaves it: APIC 0 on, the 8259 connected through LINT0; the
 * others as after INIT.
 */
void apic_init(struct apic *, uint8_t number, uint64_t tsc_hz);

/* INIT: all but its ID. */
void apic_reset(struct apic *);

/* The enable bit of IA32_APIC_BASE; turning it off resets the rest. */
void apic_enable(struct apic *, bool);

/* What goes from one APIC, or the I/O APIC, to others. */
enum apic_mode {		/* as in ICR and redirection entries */
	APIC_FIXED = 0,
	APIC_LOWEST = 1,
	APIC_INIT = 5,
	APIC_STARTUP = 6,
};
enum apic_shorthand {
	APIC_NO_SHORTHAND,
	APIC_SELF,
	APIC_ALL,
	APIC_OTHERS,
};
struct apic_message {
	uint8_t	vector;
	uint8_t	mode;
	uint8_t	shorthand;
	uint8_t	dest;		/* without a shorthand */
	bool	logical;
	bool	level;		/* its EOI is broadcast */
	bool	deassert;	/* INIT: only ends one, which means nothing */
};

/* What the caller has to do about a write. */
enum apic_effect {
	APIC_NOTHING,
	APIC_SENT,		/* the message */
	APIC_EOI_SENT,		/* to the I/O APIC: of the message's vector */
	APIC_TIMER_SET,		/* apic_timer_next() may be sooner */
};

/* By register offset; what does not exist reads 0 and ignores writes. now is
 * the TSC. */
uint32_t apic_read(const struct apic *, uint32_t offset, uint64_t now);
enum apic_effect apic_write(struct apic *, uint32_t offset, uint32_t value,
			    uint64_t now, struct apic_message *);

/* Is it one of those that the message is for? The I/O APIC is a sender NULL. */
bool apic_accepts(const struct apic *, const struct apic *sender,
		  const struct apic_message *);

/*
 * Of those that accept it, who gets a message of mode APIC_LOWEST: the index of
 * the one with the lowest processor priority, of several the first; -1: nobody.
 */
int apic_arbitrate(struct apic *const apics[], uint32_t n,
		   const struct apic *sender, const struct apic_message *);

/* One of mode APIC_FIXED or APIC_LOWEST arrives, where it is accepted. */
void apic_deliver(struct apic *, const struct apic_message *);

/* Is its timer in use? If not, the next two have nothing to do. */
static inline bool apic_timer_runs(const struct apic *a)
{
	return a->left;
}

/* TSC time of the timer's next interrupt, or APIC_NEVER. */
uint64_t apic_timer_next(const struct apic *);

/* Requests the interrupt if it is due. Several missed ones are one. */
void apic_timer_tick(struct apic *, uint64_t now);

/* An alarm that is wired to LVTT. Masked, it waits for the mask to go. */
void apic_alarm(struct apic *);
void apic_alarm_cancel(struct apic *);	/* one that waits */

/* Does the 8259's request reach the processor? */
bool apic_extint(const struct apic *);

/* A vector waits for the processor and its priority allows it. */
static inline bool apic_pending(const struct apic *a)
{
	return a->next >= 0;
}

/* The processor takes it. Only if it is pending. */
int apic_ack(struct apic *);

/* ---- I/O APIC ----------------------------------------------------------- */

/*
 * An 82093AA. Its pins take what the 8259 takes: IRQ n is pin n, but IRQ 0 is
 * pin 2. Only fixed and lowest priority interrupts are sent: the other modes
 * count as masked.
 */

#define IOAPIC_BASE	0xfec00000u	/* guest-physical, one page */
#define IOAPIC_FRAME	(IOAPIC_BASE >> 12)

#define IOAPIC_SELECT	0x00
#define IOAPIC_DATA	0x10

#define IOAPIC_PINS	24
#define IOAPIC_IRQ0_PIN	2
#define IOAPIC_VERSION_NUMBER 0x11

struct ioapic {
	uint8_t		id, select;
	uint32_t	lines;		/* level of each pin now */
	uint32_t	pending;	/* pins that have something to send */
	uint64_t	entry[IOAPIC_PINS];
};

/* As after reset, with everything masked. */
void ioapic_init(struct ioapic *, uint8_t id);

/* By offset in its page. */
uint32_t ioapic_read(const struct ioapic *, uint32_t offset);
void ioapic_write(struct ioapic *, uint32_t offset, uint32_t value);

/* The input irq is now at this level. There is no 2, nor any above 23. */
void ioapic_set_irq(struct ioapic *, unsigned int irq, bool level);

/* An APIC has sent the EOI of a level-triggered interrupt. */
void ioapic_eoi(struct ioapic *, uint8_t vector);

/* After a write, a change of an input and an EOI: the next message to send, if
 * there is one. Again until there is none: not more often than it has pins. */
bool ioapic_message(struct ioapic *, struct apic_message *);

/* ---- MP table ----------------------------------------------------------- */

/*
 * The tables of the MultiProcessor Specification 1.4 for processors with APIC
 * IDs from 0 on, the I/O APIC with the ID after them, and an ISA bus: the
 * floating pointer, and behind it what it points to. Kernels look for it on a
 * 16-byte boundary from F0000h on.
 */
#define MPTABLE_CPUS	16
#define MPTABLE_SIZE(cpus) (16 + 44 + (cpus) * 20 + 8 + 8 + 15 * 8 + 2 * 8)

/*
 * to: MPTABLE_SIZE(cpus) bytes, that will be at this guest-physical address.
 * signature and features are EAX and EDX of CPUID leaf 1.
 */
void mptable_write(void *to, uint32_t address, uint32_t cpus,
		   uint32_t signature, uint32_t features);

/* ---- 16550A ------------------------------------------------------------- */

/*
 * One 16550A serial port. The transmitter takes a byte in no time: every
 * byte goes to the hook at once, so the holding register is always empty.
 * The line speed is stored and has no effect.
 */

#define COM1		0x3f8	/* where a PC has its first */
#define COM1_PORTS	8

#define UART_FIFO_SIZE	16

struct uart {
	void	(*tx)(void *opaque, uint8_t byte);
	void	*opaque;
	uint8_t	rx[UART_FIFO_SIZE];
	uint8_t	rx_head;	/* index of the oldest byte */
	uint8_t	rx_count;
	uint8_t	ier, fcr, lcr, mcr, scr;
	uint8_t	msr_delta;	/* low half of MSR */
	uint8_t	line_errors;	/* overrun; reading LSR clears it */
	uint8_t	divisor[2];	/* low half, high half */
	bool	thre_pending;	/* "holding register empty" not yet seen */
};

void uart_init(struct uart *u, void (*tx)(void *, uint8_t), void *opaque);

/* reg is the offset from the base port, 0-7. Does a write there call tx? */
bool uart_transmits(const struct uart *u, unsigned int reg);
void uart_out(struct uart *u, unsigned int reg, uint8_t val);
uint8_t uart_in(struct uart *u, unsigned int reg);

/* A byte arrives; with no room it is lost and the guest sees an overrun. */
void uart_receive(struct uart *u, uint8_t byte);
bool uart_can_receive(const struct uart *u);

/* The peer sends when it is wanted, so that drivers, which drop what they find
 * when they start, find nothing. Does the guest look for data with a read of
 * this register; is it to be interrupted if there is some to send? */
bool uart_looks(const struct uart *u, unsigned int reg);
bool uart_waits(const struct uart *u);

/* Level of the interrupt line; ask again after every call above. */
bool uart_irq(const struct uart *u);

/* ---- CMOS --------------------------------------------------------------- */

/*
 * The CMOS clock and memory, ports 70h and 71h, after the MC146818.
 *
 * The time of day is what the caller says it is: the guest may write the
 * time registers, but the clock goes on. There is no interrupt: alarms and
 * the enable bits are stored and nothing comes of them.
 */

#define RTC_INDEX	0x70
#define RTC_DATA	0x71

struct rtc {
	uint8_t	index;
	uint8_t	cmos[128];
};

/* memory: size of guest memory in bytes, for registers 15h-18h and 34h. */
void rtc_init(struct rtc *r, uint64_t memory);

/* Ports 70h, 71h; seconds since 1970-01-01 UTC. */
void rtc_out(struct rtc *r, unsigned int port, uint8_t val);
uint8_t rtc_in(const struct rtc *r, unsigned int port, uint64_t seconds);

#endif
